//! What compressed members decode to, over a whole run: `--max-decoded-bytes`.

use std::io::Write;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::forge::{self, Archive, Entry, deflated, stored};
use crate::run::{Folder, fine, npz, outcome, run};

const LENGTH: usize = 1 << 20;
/// Of a member: the array and its header.
const SIZE: usize = 128 + LENGTH;

/// Arrays of zeros: `a`, `b` and `d` compressed to a thousandth or less, `s` stored.
fn bomb(folder: &Folder) -> String {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let content = forge::npy("'|u1'", &format!("({LENGTH},)"), &vec![0; LENGTH]);
    assert_eq!(content.len(), SIZE);
    for (name, method) in [
        ("a.npy", CompressionMethod::Bzip2),
        ("b.npy", CompressionMethod::Bzip2),
        ("s.npy", CompressionMethod::Stored),
        ("d.npy", CompressionMethod::Deflated),
    ] {
        writer.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(&content).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    assert!((SIZE..SIZE + 4096).contains(&bytes.len()));
    folder.write("bomb.npz", bytes)
}

/// Few bytes that say they are bzip2, of so many.
fn declared(size: u32) -> Entry {
    let mut entry = stored("x.npy", b"BZh9");
    (entry.header.method, entry.header.size) = (12, size);
    entry
}

fn limit(bytes: usize) -> String {
    format!("--max-decoded-bytes={bytes}")
}

#[test]
fn check_names_each_member_beyond_the_limit_and_no_others() {
    let folder = Folder::new();
    let path = bomb(&folder);
    for (bytes, refused) in [(3 * SIZE, &[][..]), (3 * SIZE - 1, &["d"]), (SIZE, &["b", "d"]), (0, &["a", "b", "d"])] {
        for threads in ["1", "4"] {
            let outcome = outcome(npz(["check", &limit(bytes), &path]).env("RAYON_NUM_THREADS", threads));
            let rows: Vec<Vec<_>> = outcome.lines()[1..].iter().map(|line| line.split('\t').collect()).collect();
            let found: Vec<_> = rows.iter().map(|row| (row[1], row[2])).collect();
            assert_eq!(found, refused.iter().map(|key| (*key, "L5")).collect::<Vec<_>>(), "{bytes}");
            assert_eq!((outcome.code, &*outcome.errors), (i32::from(!refused.is_empty()), ""));
        }
    }
    let outcome = run(["check", &limit(SIZE), &path]);
    let problem = outcome.lines()[1].rsplit('\t').next().unwrap().to_owned();
    assert_eq!(
        problem,
        format!(
            "b: {SIZE} bytes to decode, with {SIZE} for other members, exceed the limit of {SIZE}; --max-decoded-bytes \
             raises it"
        )
    );
    // The limit is that of the run, of all its files.
    let outcome = run(["check", &limit(4 * SIZE), "--json", &path, &path]);
    let documents = outcome.json();
    let problems = |file: usize| documents[file]["problems"].as_array().unwrap().len();
    assert_eq!((outcome.code, problems(0), problems(1)), (1, 0, 2));
    // Headers are not counted, and other problems are still found.
    fine(["check", "--quick", &limit(0), &path]);
    let bad = stored("bad.npy", &forge::npy("'|O'", "()", b""));
    let path = folder.write("bad.npz", Archive::new(vec![declared(100), bad]).bytes());
    let outcome = run(["check", &limit(0), &path]);
    assert!(outcome.text().contains("\tL5\t") && outcome.text().contains("\tbad\t"), "{}", outcome.text());
}

#[test]
fn stat_counts_each_pass_and_goes_on_with_other_arrays() {
    let folder = Folder::new();
    let path = bomb(&folder);
    fine(["stat", &limit(6 * SIZE), &path]);
    fine(["stat", "--no-histogram", &limit(3 * SIZE), &path]);
    fine(["stat", &limit(0), &path, "s"]);
    for (args, bytes) in [(&["stat"][..], 2 * SIZE), (&["stat", "--no-histogram"], SIZE)] {
        for threads in ["1", "4"] {
            let mut command = npz([args, &[&limit(bytes), &path]].concat());
            let outcome = outcome(command.env("RAYON_NUM_THREADS", threads));
            assert_eq!(outcome.code, 3, "{}", outcome.errors);
            let rows = outcome.lines()[1..].to_vec();
            let counted: Vec<_> = rows.iter().filter(|row| row.contains(&LENGTH.to_string())).collect();
            let keys: Vec<_> = counted.iter().map(|row| row.split('\t').next().unwrap()).collect();
            assert_eq!((rows.len(), keys), (4, vec!["a", "s"]));
            let refused: Vec<_> = outcome.errors.lines().collect();
            assert_eq!(refused.len(), 2);
            let begins = |key| format!("npz: {key}: {bytes} bytes to decode");
            assert!(refused[0].starts_with(&begins("b")) && refused[1].starts_with(&begins("d")), "{refused:?}");
        }
    }
}

#[test]
fn extract_writes_nothing_where_all_members_are_more_than_the_limit() {
    let folder = Folder::new();
    let (path, files) = (bomb(&folder), folder.at("files"));
    let extract = |bytes: usize, args: &[&str]| run([&["extract", &limit(bytes), "-d", &files, &path], args].concat());
    let both = format!(
        "npz: {path}: {} bytes to decode exceed the limit of {}; nothing was written; --max-decoded-bytes raises it\n",
        3 * SIZE,
        3 * SIZE - 1
    );
    for args in [&[][..], &["--dry-run"], &["--json"]] {
        let outcome = extract(3 * SIZE - 1, args);
        assert_eq!((outcome.code, &*outcome.errors, outcome.text()), (3, &*both, ""));
        assert!(!std::fs::exists(&files).unwrap());
    }
    // Only what was chosen counts, and of that only what is compressed.
    assert_eq!([extract(SIZE, &["a", "s"]).code, extract(SIZE, &["--force", "a", "b"]).code], [0, 3]);
    assert_eq!(extract(0, &["--force", "s"]).code, 0);
    assert_eq!(extract(3 * SIZE, &["--force"]).code, 0);
    assert_eq!(folder.names().len(), 5);
}

#[test]
fn what_writes_files_has_a_limit_by_default_that_deflate_cannot_reach() {
    const GIB: u32 = 1 << 30;
    let folder = Folder::new();
    let [files, aligned, csv, tensors] = ["files", "a.npz", "a.csv", "a.safetensors"].map(|name| folder.at(name));
    let bomb = |size: u32| folder.write("x.npz", Archive::new(vec![declared(size)]).bytes());
    let limited = |args: &[&str]| {
        let outcome = run(args);
        assert_eq!(outcome.code, 3, "{args:?} {}", outcome.errors);
        outcome.errors.contains("exceed the limit of 1073741824; nothing was written; --max-decoded-bytes raises it")
    };
    // The sizes that the directory says decide: nothing is decoded, which would fail otherwise.
    for (size, refused) in [(GIB + 1, true), (u32::MAX - 1, true), (GIB, false)] {
        let path = bomb(size);
        assert_eq!(limited(&["extract", "-d", &files, &path]), refused, "{size}");
        assert_eq!(limited(&["extract", "-n", "-d", &files, &path]), refused, "{size}");
    }
    let path = bomb(GIB + 1);
    assert!(!limited(&["extract", "-d", &files, "--max-decoded-bytes=1073741825", &path]));
    // What cannot come of deflate is refused by itself (Z25), and is in nobody's way.
    let mut lie = deflated("x.npy", b"abc");
    lie.header.size = GIB + 1;
    let path = folder.write("lie.npz", Archive::new(vec![lie, stored("y.npy", &forge::u32s(&[1]))]).bytes());
    let outcome = run(["extract", "-d", &files, &path]);
    assert_eq!(outcome.code, 3);
    assert!(outcome.errors.contains("deflate") && std::fs::exists(folder.at("files/y.npy")).unwrap());
    // What can come of it is not refused, however much it is.
    let mut dense = deflated("x.npy", &vec![0; 1 << 21]);
    dense.header.size = u32::MAX / 2;
    let path = folder.write("dense.npz", Archive::new(vec![dense]).bytes());
    assert!(!limited(&["extract", "-d", &files, &path]));
    // The other commands that write: here the header is whole, and the first bytes of a real array.
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("x.npy", SimpleFileOptions::default().compression_method(CompressionMethod::Bzip2)).unwrap();
    writer.write_all(&forge::npy("'|u1'", "(1073741824,)", &[0; 1000])).unwrap();
    let mut real = writer.finish().unwrap().into_inner();
    let size = 1128_u32.to_le_bytes();
    let places: Vec<_> = (0..real.len() - 4).filter(|at| real[*at..*at + 4] == size).collect();
    assert_eq!(places.len(), 2);
    places.iter().for_each(|at| real[*at..*at + 4].copy_from_slice(&(GIB + 128).to_le_bytes()));
    let path = folder.write("real.npz", real);
    let before = folder.names();
    for args in [
        &["convert", &path, &csv][..],
        &["convert", &path, &tensors],
        &["convert", &path, &folder.at("folder")],
        &["align", &path, "-o", &aligned],
        &["align", "--store", "--dry-run", &path, "-o", &aligned],
        &["align", "--in-place", "--store", &path],
    ] {
        assert!(limited(args), "{args:?}");
    }
    assert_eq!(folder.names(), before);
}

#[test]
fn what_reads_has_no_limit_unless_it_is_given_one() {
    let folder = Folder::new();
    let path = bomb(&folder);
    let raw = folder.write("raw.npz", Archive::new(vec![stored("a.npy", &forge::u32s(&[1]))]).bytes());
    for (args, bytes) in [
        (&["cat", &path, "a"][..], SIZE),
        (&["cat", "--raw", &path, "a"], SIZE),
        (&["cat", "--csv", &path, "a"], SIZE),
        (&["show", &path, "a", ":3"], SIZE),
        (&["plot", &path, "a"], SIZE),
        (&["diff", "--full", &path, &path, "a"], 2 * SIZE),
        (&["diff", "--full", &path, &path, "s"], 0),
        (&["diff", &path, &path, "a"], 0),
        (&["cat", &raw, "a"], 0),
    ] {
        for args in [args, &[args, &[&limit(bytes)]].concat()] {
            let outcome = run(args);
            assert_eq!(outcome.code, 0, "{args:?} {}", outcome.errors);
        }
        if bytes > 0 {
            let outcome = run([args, &[&limit(bytes - 1)]].concat());
            assert_eq!((outcome.code, outcome.errors.lines().count()), (3, 1), "{args:?} {}", outcome.errors);
            assert!(outcome.errors.contains("--max-decoded-bytes raises it"), "{}", outcome.errors);
        }
    }
}
