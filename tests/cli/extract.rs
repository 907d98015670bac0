//! `npz extract`.

use std::fs;

use crate::forge::{Archive, stored};
use crate::run::{Folder, fine, run};

#[test]
fn members_are_files_byte_for_byte() {
    let folder = Folder::new();
    let outcome = fine(["extract", "tests/data/weights.npz", "-d", &folder.at("out")]);
    assert_eq!(outcome.lines().len(), 5);
    let expected = ["bias", "scale", "weight"].map(|name| format!("out/encoder/{name}.npy"));
    assert_eq!(folder.names(), [&expected[..], &["out/optim/step.npy".into()]].concat());
    let npz = npzmap::Npz::open("tests/data/weights.npz").unwrap();
    let bias = npz.member("encoder/bias").unwrap();
    assert_eq!(fs::read(folder.at("out/encoder/bias.npy")).unwrap(), *bias.bytes().unwrap());
}

#[test]
fn keys_and_globs_choose() {
    let folder = Folder::new();
    fine(["extract", "tests/data/weights.npz", "-d", &folder.at("a"), "optim/step"]);
    fine(["extract", "tests/data/weights.npz", "-d", &folder.at("b"), "--include=*/s*"]);
    assert_eq!(folder.names(), ["a/optim/step.npy", "b/encoder/scale.npy", "b/optim/step.npy"]);
    let outcome = run(["extract", "tests/data/weights.npz", "-d", &folder.at("c"), "optim/stop", "encoder/bias"]);
    assert_eq!(outcome.code, 5);
    assert!(outcome.errors.ends_with("did you mean 'optim/step'?\n"), "{}", outcome.errors);
    assert_eq!(folder.names().last().unwrap(), "c/encoder/bias.npy");
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let names = [
        "../a.npy",
        "/tmp/npz-test-a.npy",
        "a/../../b.npy",
        "..",
        "C:x.npy",
        "d/c:/x.npy",
        "a\\..\\b.npy",
        "nul",
        "con.npy",
        "x/AUX.txt",
        "COM1.npy",
        "lpt².npy",
        "CONIN$",
        "a\u{1b}b",
        "a\nb",
        ".. /x",
        "x./y",
        "./x",
        "a//b",
        " ",
    ];
    let mut entries: Vec<_> = names.iter().map(|name| stored(name, b"evil")).collect();
    entries.push(stored("good.npy", b"good"));
    for entry in &mut entries {
        // What is not ASCII is UTF-8.
        entry.header.flags |= 0x800;
    }
    let folder = Folder::new();
    let mut archive = Archive::new(entries);
    for record in &mut archive.records {
        record.flags |= 0x800;
    }
    let path = folder.write("evil.npz", archive.bytes());
    let outcome = run(["extract", &path, "-d", &folder.at("deep/in")]);
    assert_eq!((outcome.code, outcome.lines().len()), (3, 2), "{}", outcome.text());
    assert_eq!(outcome.errors.lines().count(), 11, "{}", outcome.errors);
    assert!(outcome.errors.lines().all(|line| line.contains(": not extracted: ")), "{}", outcome.errors);
    assert!(outcome.errors.contains("npz: 10 more errors like this one: "), "{}", outcome.errors);
    assert_eq!(folder.names(), ["deep/in/good.npy", "evil.npz"]);
}

#[test]
fn names_that_only_look_odd_are_written() {
    let folder = Folder::new();
    let names = [
        "a b.npy",
        "..a.npy",
        "a..b",
        "größe.npy",
        "auxiliary.npy",
        "com.npy",
        "com10.npy",
        ".npy",
        "dense/kernel:0.npy",
    ];
    let mut archive = Archive::new(names.iter().map(|name| stored(name, b"x")).collect());
    for (entry, record) in archive.entries.iter_mut().zip(&mut archive.records) {
        entry.header.flags |= 0x800;
        record.flags |= 0x800;
    }
    let path = folder.write("odd.npz", archive.bytes());
    assert_eq!(fine(["extract", &path, "-d", &folder.at("out")]).lines().len(), names.len() + 1);
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_or_replaced() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let outside = folder.write("outside.npy", "untouched");
    fs::create_dir_all(folder.at("out")).unwrap();
    symlink(folder.at(""), folder.at("out/optim")).unwrap();
    symlink(&outside, folder.at("out/x.npy")).unwrap();
    let outcome = run(["extract", "--force", "tests/data/weights.npz", "-d", &folder.at("out"), "optim/step"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.errors.contains("is a link, which is not followed"), "{}", outcome.errors);
    let path = folder.write("x.npz", Archive::new(vec![stored("x.npy", b"evil")]).bytes());
    assert_eq!(run(["extract", "--force", &path, "-d", &folder.at("out")]).code, 2);
    assert_eq!(fs::read(outside).unwrap(), b"untouched");
    assert!(fs::symlink_metadata(folder.at("out/x.npy")).unwrap().is_symlink());
    assert!(!folder.names().contains(&"step.npy".into()));
}

#[test]
fn files_are_overwritten_by_force_only_and_never_by_another_member() {
    let folder = Folder::new();
    let path = folder.write("x.npz", Archive::new(vec![stored("X.npy", b"new"), stored("x.npy", b"too")]).bytes());
    fs::create_dir(folder.at("out")).unwrap();
    let old = folder.write("out/X.npy", "old");
    let outcome = run(["extract", &path, "-d", &folder.at("out"), "X"]);
    assert_eq!((outcome.code, fs::read(&old).unwrap()), (2, b"old".to_vec()));
    fine(["extract", "--force", &path, "-d", &folder.at("out"), "X"]);
    assert_eq!(fs::read(&old).unwrap(), b"new");
}

#[test]
fn a_damaged_member_leaves_no_file_and_the_others_are_written() {
    let mut bytes = fs::read("tests/data/model-batch-stored.npz").unwrap();
    bytes[430] ^= 1;
    let folder = Folder::new();
    let path = folder.write("bad.npz", bytes);
    let outcome = run(["extract", &path, "-d", &folder.at("out")]);
    assert_eq!(outcome.code, 3);
    assert_eq!(folder.names(), ["bad.npz", "out/features.npy", "out/sample_ids.npy"]);
}

#[test]
fn a_dry_run_makes_nothing() {
    let folder = Folder::new();
    let outcome = fine(["extract", "-n", "--json", "tests/data/weights.npz", "-d", &folder.at("out")]);
    assert_eq!((folder.names().len(), outcome.json()["members"].as_array().unwrap().len()), (0, 4));
    assert_eq!(outcome.json()["members"][3]["file"], folder.at("out/optim/step.npy"));
}

#[test]
fn a_dry_run_fails_where_the_real_one_would() {
    let folder = Folder::new();
    let mut bytes = fs::read("tests/data/model-batch-stored.npz").unwrap();
    bytes[190] ^= 1; // in the first element of features
    let damaged = folder.write("damaged.npz", bytes);
    let errors = |args: &[&str]| {
        let [dry, real] = [&["extract", "-n"][..], &["extract"]].map(|extract| run([extract, args].concat()));
        assert_eq!((dry.code, &dry.errors), (real.code, &real.errors), "{args:?}");
        (dry.code, dry.errors)
    };
    assert_eq!(errors(&[&damaged, "features", "-d", &folder.at("out")]).0, 3);
    // A file where a folder should be, and one that is the folder.
    fs::create_dir_all(folder.at("a")).unwrap();
    folder.write("a/optim", "");
    let weights = "tests/data/weights.npz";
    let (code, errors_of_a) = errors(&[weights, "optim/step", "-d", &folder.at("a")]);
    assert_eq!((code, errors_of_a.contains("is there already")), (2, true), "{errors_of_a}");
    assert_eq!(run(["extract", "-n", weights, "-d", &folder.at("a/optim")]).code, 3);
}

#[test]
fn keys_and_globs_together_are_refused() {
    let folder = Folder::new();
    let outcome = run(["extract", "tests/data/weights.npz", "-d", &folder.at(""), "optim/step", "--include=*"]);
    assert_eq!((outcome.code, folder.names()), (2, Vec::new()));
}

#[test]
fn advice_names_what_the_command_has() {
    let folder = Folder::new();
    let array = fs::read("tests/data/plain.npy").unwrap();
    let path = folder.write("twice.npz", Archive::new(vec![stored("a.npy", &array), stored("a.npy", &array)]).bytes());
    for (args, advice) in [
        (["cat", &path, "a"], "`npz check` looks at that one"),
        (["show", "tests/data/keys.npz", "notes.txt"], "`npz cat` writes its bytes"),
        (["show", "Cargo.toml", "x"], "not an .npz archive, or cut off"),
    ] {
        let errors = run(args).errors;
        assert!(errors.contains(advice), "{errors}");
        assert!(["Npz::", "Duplicates::", "Limits::", "()"].iter().all(|word| !errors.contains(word)), "{errors}");
    }
}

#[test]
fn what_is_not_extracted_stands_in_the_document() {
    let folder = Folder::new();
    let args = ["extract", "--json", "-d", &folder.at("out"), "tests/data/model-batch.npz", "labels", "lables"];
    let outcome = run(args);
    let document = outcome.json();
    assert_eq!((outcome.code, &document["members"][0]["key"]), (5, &"labels".into()));
    let errors = document["errors"].as_array().unwrap();
    assert_eq!((errors.len(), &errors[0]["key"]), (1, &"lables".into()));
    assert!(errors[0]["error"].as_str().unwrap().contains("labels"), "{document}");
    let fine = fine(["extract", "--json", "-d", &folder.at("again"), "tests/data/model-batch.npz", "labels"]);
    assert_eq!(fine.json()["errors"].as_array().unwrap().len(), 0);
}

#[test]
fn a_member_that_says_it_is_a_link_or_a_device_is_a_file() {
    let folder = Folder::new();
    let secret = folder.write("secret", b"not to be read or written");
    for mode in [0o120_777, 0o040_755, 0o060_600, 0o104_755_u32] {
        let mut archive = Archive::new(vec![stored("x", secret.as_bytes())]);
        archive.records[0].external_attributes = mode << 16 | 0x10;
        let out = folder.at(&format!("{mode:o}"));
        fine(["extract", &folder.write("a.npz", archive.bytes()), "-d", &out]);
        let file = format!("{out}/x");
        let metadata = fs::symlink_metadata(&file).unwrap();
        assert!(metadata.is_file(), "{mode:o}: {metadata:?}");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7111, 0, "{mode:o}");
        assert_eq!(fs::read(&file).unwrap(), secret.as_bytes());
    }
    assert_eq!(fs::read(secret).unwrap(), b"not to be read or written");
}

/// The folders below a folder.
fn folders(folder: &Folder) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![std::path::PathBuf::from(folder.at(""))];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.push(path.to_str().unwrap().to_owned());
                left.push(path);
            }
        }
    }
    let root = folder.at("");
    let mut found: Vec<_> = found.iter().map(|path| path.strip_prefix(&root).unwrap().to_owned()).collect();
    found.sort();
    found
}

/// A member whose content does not have its CRC-32.
fn damaged(archive: &mut Archive, index: usize) {
    archive.entries[index].header.crc32 ^= 1;
    archive.records[index].crc32 ^= 1;
}

#[test]
fn what_is_not_extracted_leaves_no_folders() {
    let folder = Folder::new();
    // Each in folders of its own.
    let names: Vec<_> = (0..500).map(|i| format!("{i}/in/side.npy")).collect();
    let mut archive = Archive::new(names.iter().map(|name| stored(name, b"x")).collect());
    (0..names.len()).for_each(|index| damaged(&mut archive, index));
    let path = folder.write("bad.npz", archive.bytes());
    let outcome = run(["extract", &path, "-d", &folder.at("new/out")]);
    // Ten of them, and how many more.
    assert_eq!((outcome.code, outcome.errors.lines().count()), (3, 11));
    assert_eq!((folders(&folder), folder.names()), (vec![], vec!["bad.npz".to_owned()]));
    // To the folder that is there it does nothing.
    fs::create_dir_all(folder.at("old/7/in")).unwrap();
    assert_eq!(run(["extract", &path, "-d", &folder.at("old")]).code, 3);
    assert_eq!(folders(&folder), ["old", "old/7", "old/7/in"]);
    // Nor does it to the folders of members that are written.
    let mut archive = Archive::new(vec![stored("a/b/x", b"x"), stored("a/b/y", b"x"), stored("a/c/z", b"x")]);
    damaged(&mut archive, 1);
    damaged(&mut archive, 2);
    let path = folder.write("half.npz", archive.bytes());
    assert_eq!(run(["extract", &path, "-d", &folder.at("half")]).code, 3);
    assert_eq!(folders(&folder), ["half", "half/a", "half/a/b", "old", "old/7", "old/7/in"]);
    assert!(folder.names().contains(&"half/a/b/x".into()));
}

#[test]
fn folders_that_cannot_all_be_made_are_removed_again() {
    let folder = Folder::new();
    // The name of the last folder is longer than a file system takes.
    let name = format!("{}{}/x.npy", "a/".repeat(500), "b".repeat(300));
    let path = folder.write("a.npz", Archive::new(vec![stored(&name, b"x")]).bytes());
    let outcome = run(["extract", &path, "-d", &folder.at("out")]);
    assert_eq!(outcome.code, 3, "{}", outcome.errors);
    assert_eq!(folders(&folder), [""; 0]);
    // What is in the way of the file itself.
    let path = folder.write("b.npz", Archive::new(vec![stored("a/b/x", b"x"), stored("a/b", b"x")]).bytes());
    assert_eq!(run(["extract", &path, "-d", &folder.at("out")]).code, 2);
    assert_eq!(folders(&folder), ["out", "out/a", "out/a/b"]);
}

#[test]
fn a_folder_for_nothing_is_made_if_nothing_failed() {
    let folder = Folder::new();
    fine(["extract", "tests/data/empty.npz", "-d", &folder.at("out")]);
    assert_eq!(folders(&folder), ["out"]);
}
