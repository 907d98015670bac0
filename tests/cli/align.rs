//! `npz align`.

use std::fs;

use npzmap::Npz;

use crate::forge::{self, Archive, deflated};
use crate::run::{Folder, fine, run};

const STORED: &str = "tests/data/model-batch-stored.npz";

#[test]
fn what_moved_is_said_with_the_bytes_before_and_after() {
    let folder = Folder::new();
    let outcome = run(["align", STORED, "-o", &folder.at("out.npz")]);
    assert_eq!(outcome.code, 0);
    assert_eq!(
        outcome.lines()[1..],
        ["features\tstored\t190\t192", "labels\tstored\t426\t448", "sample_ids\tstored\t642\t704"]
    );
    assert_eq!(outcome.errors, format!("npz: {STORED}: 3 arrays moved; 946 bytes before, 1008 after\n"));
    assert_eq!(fs::metadata(folder.at("out.npz")).unwrap().len(), 1008);
    let npz = Npz::new(fs::read(folder.at("out.npz")).unwrap()).unwrap();
    assert_eq!(npz.read::<f32, ndarray::Ix2>("features").unwrap().sum(), 66.0);
}

#[test]
fn what_is_there_is_overwritten_by_force_only() {
    let folder = Folder::new();
    let out = folder.write("out.npz", "mine");
    let outcome = run(["align", STORED, "-o", &out]);
    assert_eq!((outcome.code, fs::read(&out).unwrap()), (2, b"mine".to_vec()));
    assert!(outcome.errors.contains("--force overwrites it"), "{}", outcome.errors);
    assert_eq!(run(["align", STORED, "-o", &out, "--force"]).code, 0);
    assert_eq!(fs::metadata(&out).unwrap().len(), 1008);
}

#[test]
fn a_dry_run_says_the_same_size_and_writes_nothing() {
    let folder = Folder::new();
    for (extra, after) in [(&["--store"][..], 1008), (&["--deflate=9"], 596), (&["--align=4096"], 12_592)] {
        let out = folder.at("out.npz");
        let arguments = [&["align", STORED, "--json", "-o", &out], extra].concat();
        let dry = fine([&arguments[..], &["--dry-run"]].concat());
        assert_eq!((folder.names().len(), &dry.json()["bytes_after"]), (0, &after.into()));
        assert_eq!(fine(arguments).json()["bytes_after"], after);
        fs::remove_file(folder.at("out.npz")).unwrap();
    }
}

#[test]
fn a_check_says_by_its_code_whether_all_is_aligned() {
    let outcome = run(["align", "--check", STORED]);
    assert_eq!((outcome.code, outcome.lines().len()), (1, 4));
    assert!(outcome.errors.ends_with("0 of 3 stored arrays are aligned to 64 bytes\n"), "{}", outcome.errors);
    assert_eq!(run(["align", "--check", "tests/data/model-batch-aligned.npz"]).code, 0);
    assert_eq!(run(["align", "--check", "--align=4096", "tests/data/model-batch-aligned.npz"]).code, 1);
    assert_eq!(run(["align", "--check", "--align=2", STORED]).code, 0);
}

#[cfg(unix)]
#[test]
fn in_place_replaces_the_file_and_leaves_an_aligned_one_alone() {
    use std::os::unix::fs::MetadataExt;
    let folder = Folder::new();
    let path = folder.write("a.npz", fs::read(STORED).unwrap());
    let inode = || fs::metadata(&path).unwrap().ino();
    let first = inode();
    assert_eq!(run(["align", "--in-place", &path]).code, 0);
    let second = inode();
    assert_ne!(first, second); // a new file was renamed over it
    let outcome = run(["align", "--in-place", &path]);
    assert!(outcome.errors.ends_with("nothing is written\n"), "{}", outcome.errors);
    assert_eq!(inode(), second);
    assert_eq!(folder.names(), ["a.npz"]);
}

#[test]
fn compressed_members_are_stored_or_deflated_on_request() {
    let folder = Folder::new();
    let out = folder.at("out.npz");
    let methods = |args: &[&str]| {
        let outcome = run([&["align", "tests/data/model-batch.npz", "--force", "-o", &out], args].concat());
        assert_eq!(outcome.code, 0, "{}", outcome.errors);
        let npz = Npz::open(&out).unwrap();
        let methods: Vec<_> = npz.members().map(|member| member.method().to_string()).collect();
        (methods.join(" "), outcome.errors.contains("3 compressed, which --store makes borrowable"))
    };
    assert_eq!(methods(&[]), ("deflated deflated deflated".into(), true));
    assert_eq!(methods(&["--store"]), ("stored stored stored".into(), false));
    assert_eq!(methods(&["--deflate", "0"]).0, "deflated deflated deflated");
    assert_eq!(run(["align", "--check", &out]).code, 0);
}

#[test]
fn a_damaged_member_ends_it_and_nothing_is_written() {
    let folder = Folder::new();
    let mut bytes = fs::read(STORED).unwrap();
    bytes[430] ^= 1;
    let path = folder.write("bad.npz", &bytes);
    let outcome = run(["align", "--in-place", &path]);
    assert_eq!((outcome.code, fs::read(&path).unwrap(), folder.names().len()), (3, bytes, 1));
    assert!(outcome.errors.contains("labels: CRC-32 is"), "{}", outcome.errors);
}

#[test]
fn of_damaged_compressed_members_the_first_is_named_and_nothing_is_written() {
    let folder = Folder::new();
    let entries = ["a.npy", "b.npy", "c.npy"].map(|name| deflated(name, &forge::u32s(&[1, 2, 3])));
    let mut archive = Archive::new(entries.into());
    for damaged in [1, 2] {
        archive.entries[damaged].header.crc32 ^= 1;
        archive.records[damaged].crc32 ^= 1;
    }
    let path = folder.write("bad.npz", archive.bytes());
    let out = folder.at("out.npz");
    for args in [&["align", &path, "-o", &out] as &[&str], &["align", "--dry-run", &path, "-o", &out]] {
        let outcome = run(args);
        assert_eq!((outcome.code, folder.names()), (3, vec!["bad.npz".to_owned()]));
        assert!(outcome.errors.contains("b: CRC-32 is") && !outcome.errors.contains("c:"), "{}", outcome.errors);
    }
}

#[test]
fn usage_is_checked_before_anything_is_opened() {
    for args in [
        &["align", STORED][..],
        &["align", STORED, "--check", "--in-place"],
        &["align", "--check", "--align=3", STORED],
    ] {
        assert_eq!(run(args).code, 2, "{args:?}");
    }
    assert_eq!(run(["align", "-o", "x.npz", STORED, STORED]).code, 2);
    assert_eq!(run(["align", "--check", "tests/data/plain.npy"]).code, 2);
}

#[test]
fn options_that_write_do_not_go_with_a_check() {
    for option in ["--store", "--deflate=1", "--force", "--dry-run"] {
        assert_eq!(run(["align", "--check", option, "tests/data/model-batch.npz"]).code, 2, "{option}");
    }
}

#[test]
fn a_dry_run_says_where_everything_would_lie() {
    for file in ["model-batch", "model-batch-stored", "keys", "weights", "methods", "kinds-stored", "shapes"] {
        for extra in [None, Some("--store"), Some("--deflate=1"), Some("--align=512")] {
            let folder = Folder::new();
            let (path, out) = (format!("tests/data/{file}.npz"), folder.at("out.npz"));
            let report = |dry_run: Option<&str>| {
                fine(["align", "--json", &path, "-o", &out].into_iter().chain(extra).chain(dry_run)).json()
            };
            let dry = report(Some("--dry-run"));
            assert_eq!(dry, report(None));
            // And there they lie.
            let npz = Npz::open(&out).unwrap();
            assert!(!npz.is_empty());
            for (moved, member) in dry["members"].as_array().unwrap().iter().zip(npz.members()) {
                let (offset, method) = (member.payload_offset().unwrap(), member.method().to_string());
                assert_eq!(
                    (&moved["offset_after"], &moved["method_after"]),
                    (&offset.into(), &method.into()),
                    "{path}"
                );
            }
        }
    }
}

#[test]
fn an_aligned_file_is_left_alone_and_a_dry_run_says_so() {
    let file = "tests/data/model-batch-aligned.npz";
    let outcome = run(["align", "--in-place", "--dry-run", file]);
    assert_eq!(
        (outcome.code, &*outcome.errors),
        (0, &*format!("npz: {file}: all is aligned already; nothing is written\n"))
    );
    // A copy of it would be written.
    let outcome = run(["align", "--dry-run", "-o", "none.npz", file]);
    assert!(outcome.errors.contains("0 arrays would move; 1008 bytes before, 1008 after"), "{}", outcome.errors);
}

#[test]
fn what_no_storing_makes_borrowable_is_not_counted() {
    let folder = Folder::new();
    let swapped = forge::npy("'>f8'", "(1,)", &[0; 8]);
    let plain = fs::read("tests/data/plain.npy").unwrap();
    let entries = vec![deflated("swapped.npy", &swapped), deflated("plain.npy", &plain)];
    let path = folder.write("a.npz", Archive::new(entries).bytes());
    let outcome = run(["align", "--check", &path]);
    assert!(outcome.errors.ends_with("; 1 compressed, which --store makes borrowable\n"), "{}", outcome.errors);
}

#[test]
fn globs_choose_what_is_copied_but_take_nothing_away_in_place() {
    let folder = Folder::new();
    let out = folder.at("out.npz");
    let outcome = run(["align", STORED, "--include=*s", "--exclude=labels", "-o", &out]);
    assert_eq!((outcome.code, outcome.lines().len()), (0, 3));
    assert_eq!(Npz::open(&out).unwrap().keys().collect::<Vec<_>>(), ["features", "sample_ids"]);
    assert_eq!(run(["align", "--in-place", "--include=features", &out]).code, 2);
}

#[cfg(target_os = "linux")]
#[test]
#[cfg_attr(not(debug_assertions), ignore = "optimised it may be done before there is a bar")]
fn a_bar_moves_within_a_large_member() {
    let folder = Folder::new();
    // Words that do not repeat, which take their time to deflate; more than is compressed in memory before it is written.
    let words = (1..=10_u64 << 20).map(|i| (i ^ (i >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let bytes: Vec<u8> = words.flat_map(|word| (word ^ (word >> 32)).to_le_bytes()).collect();
    let array = forge::npy("'|u1'", &format!("({},)", bytes.len()), &bytes);
    let path = folder.write("a.npz", Archive::new(vec![forge::stored("a.npy", &array)]).bytes());
    let args = ["align", "--deflate=9", "-o", &folder.at("out.npz"), &path];
    let text = crate::terminal::on_terminal(&args, &[("NO_COLOR", "1")]);
    let bars: Vec<_> = text.split(" of 80.00 MiB").collect();
    let (_, before) = bars.split_last().unwrap();
    assert!(before.iter().any(|bar| bar.ends_with(" MiB") && !bar.ends_with("80.00 MiB")), "{text:?}");
}
