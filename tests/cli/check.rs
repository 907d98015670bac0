//! `npz check`.

use std::fs;

use crate::forge::{Archive, deflated, npy, stored};
use crate::run::{Folder, fine, run};

/// The stored batch with some of its bytes changed.
fn damaged(folder: &Folder, changes: &[(usize, u8)]) -> String {
    let mut bytes = fs::read("tests/data/model-batch-stored.npz").unwrap();
    for (index, change) in changes {
        bytes[*index] ^= change;
    }
    folder.write("damaged.npz", bytes)
}

#[test]
fn sound_archives_have_no_problem() {
    let names = ["model-batch.npz", "model-batch-stored.npz", "kinds-deflated.npz", "records-stored.npz", "plain.npy"];
    let paths = names.map(|name| format!("tests/data/{name}"));
    let outcome = fine(["check"].into_iter().chain(paths.iter().map(|path| &**path)));
    assert_eq!(outcome.text(), "file\tmember\trule\toffset\tproblem\n");
}

#[test]
fn every_damaged_member_is_named_not_only_the_first() {
    let folder = Folder::new();
    let path = damaged(&folder, &[(190, 1), (430, 4)]);
    let outcome = run(["check", "--json", &path]);
    let document = outcome.json();
    assert_eq!((outcome.code, &document["members"], &document["schema"]), (1, &3.into(), &1.into()));
    let problems = document["problems"].as_array().unwrap();
    let found: Vec<_> = problems.iter().map(|p| (&p["member"], &p["rule"], &p["offset"])).collect();
    assert_eq!(
        found,
        [
            (&"features".into(), &"Z27".into(), &(190 - 128).into()),
            (&"labels".into(), &"Z27".into(), &(426 - 128).into())
        ]
    );
}

#[test]
fn quick_looks_at_headers_and_not_at_elements() {
    let folder = Folder::new();
    let path = damaged(&folder, &[(190, 1)]);
    assert_eq!(fine(["check", "--quick", &path]).lines().len(), 1);
    let path = damaged(&folder, &[(190 - 128 + 6, 8)]);
    let outcome = run(["check", "--quick", &path]);
    assert_eq!((outcome.code, outcome.lines().len()), (1, 2));
    assert!(outcome.lines()[1].contains("\tfeatures\tN2\t0x44\t.npy version 9.0"), "{}", outcome.text());
}

#[test]
fn a_member_can_have_two_problems() {
    let folder = Folder::new();
    let path = damaged(&folder, &[(190 - 128 + 6, 8)]);
    let outcome = run(["check", &path]);
    let rules: Vec<_> = outcome.lines()[1..].iter().map(|line| line.split('\t').nth(2).unwrap().to_owned()).collect();
    assert_eq!((outcome.code, rules), (1, vec!["N2".to_owned(), "Z27".into()]));
}

/// Member, rule and offset of each line.
fn found(path: &str, options: &[&str]) -> Vec<(String, String, String)> {
    let outcome = run(["check"].iter().chain(options).chain([&path]));
    assert_eq!((outcome.code, &*outcome.errors), (1, ""));
    let cell = |line: &str, index: usize| line.split('\t').nth(index).unwrap().to_owned();
    outcome.lines()[1..].iter().map(|line| (cell(line, 1), cell(line, 2), cell(line, 3))).collect()
}

#[test]
fn damage_does_not_hide_elements_that_are_no_values_nor_a_bad_header_damage() {
    let folder = Folder::new();
    let flags = npy("'|b1'", "(4,)", &[0, 2, 1, 3]);
    let mut archive = Archive::new(vec![stored("flags.npy", &flags), deflated("packed.npy", &flags)]);
    archive.lay_out();
    archive.entries[0].header.crc32 ^= 1;
    archive.records[0].crc32 ^= 1;
    let (at, first) = (archive.data_at(0), archive.data_at(0) + (flags.len() - 4) as u64 + 1);
    let path = folder.write("flags.npz", archive.bytes());
    let line = |member: &str, rule: &str, offset: String| (member.to_owned(), rule.to_owned(), offset);
    assert_eq!(
        found(&path, &[]),
        [
            line("flags", "Z27", format!("{at:#x}")),
            line("flags", "N13", format!("{first:#x}")),
            line("packed", "N13", "-".into()), // what is compressed has no place in the file
        ]
    );

    // Both of a local header's contradictions, and the damage behind them.
    archive.entries[0].header.crc32 ^= 2;
    archive.entries[0].header.size += 1;
    let path = folder.write("header.npz", archive.bytes());
    let rules = |options: &[&str]| found(&path, options).into_iter().map(|line| line.1).collect::<Vec<_>>();
    assert_eq!(rules(&["--exclude", "packed"]), ["Z2", "Z2", "Z27"]);
    assert_eq!(rules(&["--quick"]), ["Z2", "Z2"]);
}

#[test]
fn members_of_one_name_are_one_problem_and_the_last_is_looked_at() {
    let folder = Folder::new();
    let numbers = npy("'|u1'", "(2,)", &[1, 2]);
    let mut archive = Archive::new(vec![stored("a.npy", &numbers); 3]);
    archive.lay_out();
    archive.entries[2].header.crc32 ^= 1;
    archive.records[2].crc32 ^= 1;
    let found = found(&folder.write("twice.npz", archive.bytes()), &[]);
    let rules: Vec<_> = found.iter().map(|line| &*line.1).collect();
    assert_eq!(rules, ["Z6", "Z27"]);
}

#[test]
fn a_large_member_is_checked_in_parts() {
    let folder = Folder::new();
    let (size, bad) = (40_000_003_usize, [16_777_216, 39_999_999]);
    let mut flags = vec![1_u8; size];
    let whole = npy("'|b1'", &format!("({size},)"), &flags);
    let path = folder.write("large.npz", Archive::new(vec![stored("flags.npy", &whole)]).bytes());
    assert_eq!(fine(["check", &path]).lines().len(), 1);

    bad.iter().for_each(|index| flags[*index] = 7);
    let archive = Archive::new(vec![stored("flags.npy", &npy("'|b1'", &format!("({size},)"), &flags))]);
    let outcome = run(["check", &folder.write("large.npz", archive.bytes())]);
    let at = archive.data_at(0) + (whole.len() - size + bad[0]) as u64;
    let line = format!("\tflags\tN13\t{at:#x}\telement 16777216 is no valid bool; the first of 2");
    assert!(outcome.lines()[1].ends_with(&line), "{}", outcome.text());
    assert_eq!(outcome.lines().len(), 2);
}

#[test]
fn an_element_that_is_too_large_to_hold_is_a_problem_and_its_crc_is_still_checked() {
    let folder = Folder::new();
    let header = npzmap::Header::new("[('ok', '|b1', (5000,))]".parse().unwrap(), &[1], npzmap::Order::C).unwrap();
    let mut archive = Archive::new(vec![stored("a.npy", &[header.to_bytes(), vec![1; 5000]].concat())]);
    archive.lay_out();
    archive.entries[0].header.crc32 ^= 1;
    archive.records[0].crc32 ^= 1;
    let path = folder.write("a.npz", archive.bytes());
    let rules =
        |limit: &str| found(&path, &["--max-array-bytes", limit]).into_iter().map(|line| line.1).collect::<Vec<_>>();
    assert_eq!((rules("4999"), rules("5000")), (vec!["L5".to_owned(), "Z27".into()], vec!["Z27".into()]));
}

#[test]
fn a_code_within_a_long_string_has_its_place() {
    let folder = Folder::new();
    let mut text = npy("'<U1000'", "(2,)", &[0; 8000]);
    let payload = text.len() - 8000;
    text[payload + 4000 + 40..][..4].copy_from_slice(&[0, 0xd8, 0, 0]); // half of a surrogate pair
    let path = folder.write("text.npy", text);
    let (member, rule, offset) = found(&path, &[]).remove(0);
    assert_eq!((&*member, &*rule, offset), ("text", "N14", format!("{:#x}", payload + 4040)));
    let outcome = run(["check", &path]);
    assert!(outcome.text().contains("string 1: a code that is no character"), "{}", outcome.text());
}

#[test]
fn elements_that_are_no_values_are_found_in_records_too() {
    let folder = Folder::new();
    let mut npy = fs::read("tests/data/plain.npy").unwrap();
    let descr = npy.windows(5).position(|text| text == b"'<f4'").unwrap();
    npy.splice(descr..descr + 5, *b"'<U1'");
    npy[130] = 0x11; // the third byte of the first code
    let outcome = run(["check", &folder.write("text.npy", &npy)]);
    assert!(outcome.lines()[1].contains("text\tN14\t"), "{}", outcome.text());

    let header = npzmap::Header::new("[('n', '|i1'), ('ok', '|b1', (2,))]".parse().unwrap(), &[2], npzmap::Order::C);
    let bytes = [header.unwrap().to_bytes(), vec![7, 1, 0, 7, 1, 2]].concat();
    let outcome = run(["check", &folder.write("record.npy", bytes)]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.lines()[1].ends_with("element 1 is no valid bool"));
}

#[test]
fn what_cannot_be_opened_is_a_line_and_exit_code_3() {
    let outcome = run(["check", "Cargo.toml", "tests/data/model-batch.npz"]);
    assert_eq!((outcome.code, outcome.lines().len()), (3, 2));
    assert!(outcome.lines()[1].starts_with("Cargo.toml\t-\tZ8\t-\tno ZIP end record"), "{}", outcome.text());
    let outcome = run(["check", "--json", "Cargo.toml"]);
    assert_eq!((outcome.code, &outcome.json()["members"]), (3, &().into()));
    assert_eq!(outcome.json()["problems"][0]["rule"], "Z8");
}

#[test]
fn pickled_objects_and_items_of_no_bytes_are_problems() {
    let outcome = run(["check", "--json", "tests/data/object.npz", "tests/data/shapes.npz"]);
    let rules = |index: usize| {
        let problems = &outcome.json()[index]["problems"];
        problems.as_array().unwrap().iter().map(|p| p["rule"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((outcome.code, rules(0), rules(1)), (1, vec!["N10".to_owned(); 3], vec!["N9".to_owned(); 2]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_the_sum() {
    let text = crate::terminal::on_terminal(&["check", "--color=never", "tests/data/model-batch.npz"], &[]);
    assert_eq!(text.lines().last(), Some("3 members checked, with their CRC-32: 0 problems"));
}

#[cfg(target_os = "linux")]
#[test]
#[cfg_attr(not(debug_assertions), ignore = "optimised it may be done before there is a bar")]
fn a_bar_is_shown_on_terminals_for_work_that_takes_its_time() {
    let folder = Folder::new();
    let size = 3 << 30;
    let header = npzmap::Header::new("|u1".parse().unwrap(), &[size], npzmap::Order::C).unwrap().to_bytes();
    let path = folder.write("large.npy", &header);
    // A hole: it takes no room.
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len((header.len() + size) as u64).unwrap();
    let text = crate::terminal::on_terminal(&["check", &path], &[]);
    assert!(text.contains(" of 3.00 GiB"), "{text:?}");
    assert_eq!(fine(["check", &path]).lines().len(), 1); // and nothing on standard error
}
