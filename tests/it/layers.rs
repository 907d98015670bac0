//! The rooms: who may know whom.

use std::fs;
use std::path::{Path, PathBuf};

/// The source files below `folder`, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no source files");
    found
}

fn no_file_says(folder: &str, forbidden: &[&str]) {
    for (path, text) in sources(folder) {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for (line, code) in code.enumerate() {
            for word in forbidden {
                assert!(!code.contains(word), "{}: {line}: {code}", path.display());
            }
        }
    }
}

#[test]
fn the_container_has_never_heard_of_numpy() {
    no_file_says("src/container", &["npy", "Npy", "npz::", "member::", "ndarray", "bytemuck"]);
}

#[test]
fn the_array_side_has_never_heard_of_zip() {
    no_file_says("src/npy", &["container", "npz::", "member::", "flate2", "crc32"]);
}

#[test]
fn parsing_does_no_input_or_output() {
    no_file_says("src/container", &["std::fs", "File", "source::", "read_exact_at"]);
    no_file_says("src/npy", &["std::fs", "File", "source::", "read_exact_at"]);
}

#[test]
fn unsafe_code_stays_in_its_rooms() {
    let rooms = ["buffer.rs", "mmap.rs", "open.rs", "npz.rs", "plain.rs", "fixed.rs", "unaligned.rs"];
    for (path, text) in sources("src") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let code = |line: &&str| !line.trim_start().starts_with("//");
        let found = text.lines().filter(code).any(|line| line.contains("unsafe {") || line.contains("unsafe impl"));
        assert!(!found || rooms.contains(&&*name), "{}", path.display());
    }
}
