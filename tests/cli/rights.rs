//! Files that are replaced: who may read and write them, and that nothing newer is lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::forge::{self, Archive, stored};
use crate::run::{Folder, Outcome, run};

fn mode(path: &str) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &str, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_overwritten_by_force_keeps_its_permissions() {
    const STORED: &str = "tests/data/model-batch-stored.npz";
    let folder = Folder::new();
    let at = |name: &str| folder.at(name);
    let (tensors, out) = (at("in.safetensors"), at(""));
    assert_eq!(run(["convert", "--exclude=sample_ids", STORED, &tensors]).code, 0);
    let runs: [(&str, &[&str]); 10] = [
        ("labels.npy", &["extract", STORED, "labels", "-d", &out]),
        ("a.npz", &["align", STORED, "-o", &at("a.npz")]),
        ("b.npz", &["pack", "tests/data/plain.npy", "-o", &at("b.npz")]),
        ("c.csv", &["convert", STORED, "--key=labels", &at("c.csv")]),
        ("d.safetensors", &["convert", STORED, "--exclude=sample_ids", &at("d.safetensors")]),
        ("e.npz", &["convert", &tensors, &at("e.npz")]),
        ("features.npy", &["convert", &tensors, &out]),
        ("f.png", &["plot", STORED, "features", "-o", &at("f.png")]),
        ("g.svg", &["plot", STORED, "features", "-o", &at("g.svg")]),
        ("npz-ls.1", &["man", "-d", &out]),
    ];
    for (name, args) in runs {
        let path = at(name);
        for (before, after) in [(0o600, 0o600), (0o640, 0o640), (0o4755, 0o755), (0o2770, 0o770)] {
            fs::write(&path, "old").unwrap();
            set_mode(&path, before);
            let outcome = run([args, &["--force"]].concat());
            assert_eq!(outcome.code, 0, "{args:?} {}", outcome.errors);
            assert!(fs::read(&path).unwrap() != b"old");
            assert_eq!(mode(&path), after, "{args:?}");
        }
    }
    assert!(!folder.names().iter().any(|name| name.ends_with(".tmp")));
    let path = folder.write("in-place.npz", fs::read(STORED).unwrap());
    set_mode(&path, 0o4600);
    assert_eq!(run(["align", "--in-place", &path]).code, 0);
    assert_eq!(mode(&path), 0o600);
}

/// A run that takes its time, once its temporary file is there.
fn at_work(folder: &Folder, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_npz"));
    let child = command.args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !folder.names().iter().any(|name| name.ends_with(".tmp")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{args:?}: no temporary file");
        sleep(Duration::from_millis(1));
    }
    child
}

fn end(child: Child) -> Outcome {
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    Outcome { code: output.status.code().expect("no signal"), out: output.stdout, errors }
}

/// Words that do not repeat, which take their time to deflate.
fn slow(count: u64) -> Vec<u8> {
    let words = (1..=count).map(|i| (i ^ (i >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let bytes: Vec<u8> = words.flat_map(|word| (word ^ (word >> 32)).to_le_bytes()).collect();
    forge::npy("'|u1'", &format!("({},)", bytes.len()), &bytes)
}

#[test]
fn what_came_while_a_file_was_rewritten_stays() {
    let folder = Folder::new();
    let array = slow(2 << 20);
    let archive = Archive::new(vec![stored("x.npy", &array)]).bytes();
    let newer = Archive::new(vec![stored("newer.npy", &forge::u32s(&[1]))]).bytes();
    let [npz, npy] = ["a.npz", "a.npy"].map(|name| folder.at(name));
    let linked = folder.at("link.npz");
    std::os::unix::fs::symlink("a.npz", &linked).unwrap();
    let runs: [(&str, &[u8], &[&str]); 4] = [
        (&npz, &archive, &["align", "--in-place", "--deflate=9", &npz]),
        (&npz, &archive, &["align", "--force", "--deflate=9", &npz, "-o", &npz]),
        (&npz, &archive, &["align", "--force", "--deflate=9", &npz, "-o", &linked]),
        (&npy, &array, &["pack", "--force", "--deflate=9", &npy, "-o", &npy]),
    ];
    for (path, content, args) in runs {
        fs::write(path, content).unwrap();
        let child = at_work(&folder, args);
        let other = folder.write("other", &newer);
        fs::rename(other, path).unwrap();
        let outcome = end(child);
        assert_eq!(outcome.code, 3, "{args:?} {}", outcome.errors);
        assert!(outcome.errors.contains("the file changed since it was opened"), "{}", outcome.errors);
        assert!(fs::read(path).unwrap() == newer, "{args:?}");
        // Undisturbed, it is done.
        fs::write(path, content).unwrap();
        assert_eq!(run(args).code, 0, "{args:?}");
        assert!(fs::read(path).unwrap() != content);
        fs::remove_file(path).unwrap();
    }
    assert_eq!(folder.names(), ["link.npz"]);
}

#[test]
fn a_temporary_file_is_its_owners_alone() {
    let sources = Folder::new();
    let input = sources.write("in.npz", Archive::new(vec![stored("x.npy", &slow(1 << 20))]).bytes());
    let folder = Folder::new();
    let (npz, csv) = (folder.at("out.npz"), folder.at("out.csv"));
    let runs: [(&str, &[&str]); 3] = [
        ("", &["align", "--force", "--deflate=9", &input, "-o", &npz]),
        ("", &["convert", "--force", &input, &csv]),
        ("x.npy", &["extract", "--force", &input, "-d", &folder.at("")]),
    ];
    for (there, args) in runs {
        if !there.is_empty() {
            set_mode(&folder.write(there, "old"), 0o644);
        }
        // It is stopped as soon as it has a file, or done by then.
        let mut command = Command::new(env!("CARGO_BIN_EXE_npz"));
        let mut child = command.args(args).stdout(Stdio::null()).spawn().unwrap();
        let mut seen = 0;
        while child.try_wait().unwrap().is_none() {
            for entry in fs::read_dir(folder.at("")).unwrap().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.len() > 0 && entry.path().extension().is_some_and(|extension| extension == "tmp") {
                    // It has its final mode for a moment, when it is complete.
                    let complete = metadata.len() >= 8 << 20;
                    assert!(complete || metadata.permissions().mode() & 0o777 == 0o600, "{args:?}");
                    seen += usize::from(!complete);
                }
            }
        }
        assert!(child.wait().unwrap().success());
        assert!(seen > 0 || args[0] == "extract", "{args:?}: never seen");
    }
}
