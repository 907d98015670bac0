//! `npz ls`.

use std::fs;
use std::io::Write;
use std::time::Instant;

use zip::write::SimpleFileOptions;

use crate::run::{Folder, fine, run};

#[test]
fn a_file_alone_is_listed() {
    let listed = fine(["tests/data/model-batch.npz"]);
    assert_eq!(listed, fine(["ls", "tests/data/model-batch.npz"]));
    assert_eq!(listed.lines()[1], "features\t<f4\t(3, 4)\tdeflated\t48\t-\t-\tcompressed");
    assert_eq!(listed, fine(["--color", "never", "tests/data/model-batch.npz"]));
    assert_eq!(listed, fine(["--color", "never", "ls", "tests/data/model-batch.npz"]));
    assert_eq!(fine(["--sort", "bytes", "--columns=key", "tests/data/model-batch.npz"]).lines()[1], "labels");
    assert_eq!(fine(["--json", "tests/data/model-batch.npz"]).json()["members"][1]["key"], "labels");
}

#[test]
fn a_mistyped_command_is_not_taken_for_a_file() {
    let outcome = run(["lss", "tests/data/model-batch.npz"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.errors.contains("a similar subcommand exists: 'ls'"), "{}", outcome.errors);
}

#[test]
fn a_value_of_an_option_is_neither_a_command_nor_a_file() {
    let path = "tests/data/model-batch.npz";
    for args in [&[path, "--include", "cat"][..], &["--include", "cat", path], &["--color", "never", path, "-s", "key"]]
    {
        assert_eq!(fine(args).lines()[0], fine(["ls", path]).lines()[0], "{args:?}");
    }
    let mistyped = run(["--color", "never", "lss", path]);
    assert_eq!(mistyped.code, 2);
    assert!(mistyped.errors.contains("'ls'"), "{}", mistyped.errors);
}

#[test]
fn columns_come_in_the_order_asked_for() {
    let outcome = fine(["ls", "--columns", "map,key,npy", "tests/data/weights.npz"]);
    let lines = outcome.lines();
    assert_eq!(lines[..2], ["map\tkey\tnpy", "borrow\tencoder/weight\t1.0"]);
}

#[test]
fn numbers_are_sorted_as_numbers_and_text_as_text() {
    let keys = |args: &[&str]| {
        let outcome = fine([args, &["--columns=key", "tests/data/weights.npz"]].concat());
        outcome.lines()[1..].join(" ")
    };
    assert_eq!(keys(&["ls", "--sort=bytes"]), "encoder/scale optim/step encoder/bias encoder/weight");
    assert_eq!(keys(&["ls", "--sort=bytes", "-r"]), "encoder/weight encoder/bias optim/step encoder/scale");
    assert_eq!(keys(&["ls", "--sort=key"]), "encoder/bias encoder/scale encoder/weight optim/step");
}

#[test]
fn globs_choose_keys() {
    let keys = |args: &[&str]| {
        let outcome = fine([&["ls", "--columns=key"], args, &["tests/data/weights.npz"]].concat());
        outcome.lines()[1..].join(" ")
    };
    assert_eq!(keys(&["--include=encoder/*"]), "encoder/weight encoder/scale encoder/bias");
    assert_eq!(keys(&["--include=encoder/*", "--exclude=*/{bias,scale}"]), "encoder/weight");
    assert_eq!(keys(&["--include=*e*", "--exclude=encoder*"]), "optim/step");
    let outcome = run(["ls", "--include=[", "tests/data/weights.npz"]);
    assert_eq!((outcome.code, outcome.text()), (2, ""));
}

#[test]
fn a_plain_file_is_an_archive_of_one_array() {
    let outcome = fine(["ls", "--json", "tests/data/plain.npy", "tests/data/plain-be.npy"]);
    let documents = outcome.json();
    let member = &documents[0]["members"][0];
    assert_eq!((&member["key"], &member["access"], &member["crc32"]), (&"plain".into(), &"borrow".into(), &().into()));
    assert_eq!((&member["payload_offset"], &member["alignment"]), (&128.into(), &128.into()));
    assert_eq!(documents[1]["members"][0]["reason"], "byte-order");
}

#[test]
fn an_empty_plain_array_is_borrowed_in_either_byte_order() {
    let folder = Folder::new();
    let header = npzmap::Header::new(">f8".parse().unwrap(), &[0], npzmap::Order::C).unwrap();
    let path = folder.write("empty.npy", header.to_bytes());
    assert_eq!(fine(["ls", "--columns=dtype,map", &path]).lines()[1], ">f8\tborrow");
}

#[test]
fn names_are_escaped_and_json_has_them_as_they_are() {
    let folder = Folder::new();
    let mut zip = zip::ZipWriter::new(fs::File::create(folder.at("odd.npz")).unwrap());
    zip.start_file("a\u{1b}[2J\tb.txt", SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    assert_eq!(fine(["ls", "--columns=key", &folder.at("odd.npz")]).lines()[1], "a\\u{1b}[2J\\tb.txt");
    assert_eq!(fine(["--json", &folder.at("odd.npz")]).json()["members"][0]["key"], "a\u{1b}[2J\tb.txt");
}

#[test]
fn one_bad_member_is_a_row_and_the_others_are_listed() {
    let mut bytes = fs::read("tests/data/model-batch-stored.npz").unwrap();
    bytes[190 - 128 + 6] = 9; // the version of the first member's header
    let folder = Folder::new();
    let path = folder.write("bad.npz", bytes);
    let outcome = run(["ls", "--json", &path]);
    let members = &outcome.json()["members"];
    assert_eq!((outcome.code, &members[0]["kind"], &members[1]["kind"]), (3, &"error".into(), &"array".into()));
    assert!(outcome.errors.contains("features: .npy version 9.0"), "{}", outcome.errors);
}

#[test]
fn files_that_cannot_be_opened_leave_the_others_listed() {
    let outcome = run(["ls", "--json", "tests/data/none.npz", "tests/data/empty.npz"]);
    let error = "tests/data/none.npz: No such file or directory (os error 2)";
    assert_eq!(outcome.errors, format!("npz: {error}\n"));
    let documents = outcome.json();
    assert_eq!((outcome.code, documents.as_array().unwrap().len()), (3, 2));
    assert_eq!((&documents[0]["error"], &documents[1]["members"]), (&error.into(), &serde_json::json!([])));
    let outcome = run(["ls", "--json", "none.npz"]);
    assert_eq!((outcome.code, &outcome.json()["file"], &outcome.json()["schema"]), (3, &"none.npz".into(), &1.into()));
    let outcome = run(["align", "--check", "--json", "none.npz"]);
    assert_eq!((outcome.code, &outcome.json()["file"]), (3, &"none.npz".into()));
}

#[test]
fn several_files_are_one_table_in_a_pipe() {
    let [a, b] = ["tests/data/plain.npy", "tests/data/plain-f.npy"];
    let outcome = fine(["ls", "--columns=key,bytes", a, b]);
    assert_eq!(outcome.text(), format!("file\tkey\tbytes\n{a}\tplain\t48\n{b}\tplain-f\t48\n"));
    let outcome = run(["align", "--check", "tests/data/model-batch-aligned.npz", "tests/data/positional.npz"]);
    assert_eq!(
        outcome.lines()[..2],
        ["file\tkey\tmethod\tbefore\tafter", "tests/data/model-batch-aligned.npz\tfeatures\tstored\t192\t-"]
    );
    assert!(outcome.lines()[1..].iter().all(|line| line.split('\t').count() == 5), "{}", outcome.text());
}

#[cfg(target_os = "linux")]
#[test]
fn several_files_have_their_own_tables_on_a_terminal() {
    let [a, b] = ["tests/data/plain.npy", "tests/data/plain-f.npy"];
    let text = crate::terminal::on_terminal(&["ls", "--columns=key,bytes", a, b], &[("NO_COLOR", "1")]);
    let sum = "1 of 1 array maps without a copy";
    let expected = format!("{a}:\nkey    bytes\nplain     48\n{sum}\n{b}:\nkey      bytes\nplain-f     48\n{sum}\n");
    assert_eq!(text, expected);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::{Command, Stdio};
    let files = ["tests/data/kinds-stored.npz"; 40];
    let mut command = Command::new(env!("CARGO_BIN_EXE_npz"));
    let mut child = command.arg("ls").args(files).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}

#[test]
fn colour_is_for_who_asks_for_it() {
    let plain = fine(["ls", "tests/data/weights.npz"]);
    assert!(!plain.text().contains('\x1b'));
    let coloured = fine(["ls", "--color=always", "tests/data/weights.npz"]);
    assert!(coloured.text().contains("\x1b[32mborrow\x1b[0m"), "{}", coloured.text());
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_a_table_in_colour_that_ends_with_what_to_do() {
    use crate::terminal::on_terminal;
    let file = "tests/data/model-batch-stored.npz";
    let expected = "\
key         dtype  shape   method  bytes  offset  align  map
features    <f4    (3, 4)  stored     48     190      2  misaligned
labels      <i8    (3,)    stored     24     426      2  misaligned
sample_ids  <U9    (3,)    stored    108     642      2  borrow
1 of 3 arrays map without a copy; `npz align` makes it all of them
";
    assert_eq!(on_terminal(&["--color=never", file], &[]), expected);
    assert_eq!(on_terminal(&[file], &[("NO_COLOR", "1")]), expected);
    assert_eq!(on_terminal(&[file], &[("TERM", "dumb")]), expected);
    let coloured = on_terminal(&[file], &[]);
    assert!(coloured.starts_with("\x1b[1mkey\x1b[0m") && coloured.contains("\x1b[33mmisaligned\x1b[0m"), "{coloured}");
    assert_eq!(on_terminal(&[file, "--color=always"], &[("NO_COLOR", "1")]), coloured);
}

#[cfg(target_os = "linux")]
#[test]
fn the_sentence_counts_what_alignment_cannot_mend() {
    use crate::terminal::on_terminal;
    let last = |file: &str| on_terminal(&["--color=never", file], &[]).lines().last().unwrap().to_owned();
    assert_eq!(last("tests/data/model-batch-aligned.npz"), "3 of 3 arrays map without a copy");
    assert_eq!(
        last("tests/data/model-batch.npz"),
        "0 of 3 arrays map without a copy; `npz align --store` makes it all of them"
    );
    assert_eq!(
        last("tests/data/plain-be.npy"),
        "0 of 1 array maps without a copy; 1 of the other byte order, which NumPy's `astype` changes"
    );
    assert!(
        last("tests/data/object.npz").ends_with("3 of pickled objects, which only NumPy reads"),
        "{}",
        last("tests/data/object.npz")
    );
    let folder = Folder::new();
    let array = fs::read("tests/data/plain.npy").unwrap();
    let twice = ["a.npy", "a.npy", "b.npy"].map(|name| crate::forge::stored(name, &array)).into();
    let sum = last(&folder.write("twice.npz", crate::forge::Archive::new(twice).bytes()));
    assert!(sum.ends_with("; 2 cannot be read, and `npz check` tells why"), "{sum}");
}

#[test]
fn a_hundred_thousand_members_are_listed_in_linear_time() {
    let folder = Folder::new();
    let array = fs::read("tests/data/plain.npy").unwrap();
    let time = |count: usize| {
        let path = folder.at(&format!("{count}.npz"));
        let mut zip = zip::ZipWriter::new(std::io::BufWriter::new(fs::File::create(&path).unwrap()));
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for index in 0..count {
            zip.start_file(format!("layers/{index}.npy"), stored).unwrap();
            zip.write_all(&array).unwrap();
        }
        zip.finish().unwrap();
        let started = Instant::now();
        let outcome = fine(["ls", "--sort=key", &path]);
        assert_eq!(outcome.lines().len(), count + 1);
        started.elapsed()
    };
    let (few, many) = (time(10_000), time(100_000));
    assert!(many < few * 40, "{few:?} for a tenth of what takes {many:?}");
}
