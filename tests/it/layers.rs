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

/// The rooms, from the top: each knows those above it, and none below.
const ROOMS: [&str; 19] = [
    "error",
    "limits",
    "bytes",
    "source",
    "buffer",
    "container",
    "npy",
    "mmap",
    "options",
    "found",
    "take",
    "stream",
    "shared",
    "archive",
    "member",
    "npz",
    "plain",
    "open",
    "writer",
];
/// The same within two of them.
const CONTAINER: [&str; 8] = ["steps", "record", "name", "local", "directory", "end", "decode", "write"];
const NPY: [&str; 14] = [
    "literal",
    "dtype",
    "header",
    "element",
    "swap",
    "text",
    "array",
    "any",
    "strided",
    "rows",
    "field",
    "fixed",
    "unaligned",
    "save",
];

/// What the code imports from the module at `path`, such as `crate::` or `super::`: the first name, and those in braces.
fn imports(text: &str, path: &str) -> Vec<String> {
    let mut code = String::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(doc)]" {
            lines.next(); // a name for links
        } else {
            code += line;
            code.push('\n');
        }
    }
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in code.match_indices(path) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$' || c == ':') {
            continue; // a longer path, or a macro's, which is for others
        }
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(list[..list.find('}').unwrap()].split(',').map(|name| word(name.trim()))),
            None => found.push(word(rest)),
        }
    }
    found
}

/// Every file of `rooms` imports only from rooms above its own; what they import is at one of `paths`.
fn each_room_knows_those_above(folder: &str, rooms: &[&str], paths: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut arrows = 0;
    for (path, text) in sources(folder) {
        let inner = path.strip_prefix(&root).unwrap();
        let room = Path::new(inner.iter().next().unwrap()).file_stem().unwrap().to_str().unwrap();
        if ["bin", "lib", "mod"].contains(&room) {
            continue;
        }
        let place = rooms.iter().position(|name| *name == room);
        let place = place.unwrap_or_else(|| panic!("{room} has no place among the rooms"));
        for path in paths {
            // The parent of a file in a room of its own is that room.
            if *path == "super::" && inner.iter().count() > 1 {
                continue;
            }
            for name in imports(&text, path).iter().filter(|name| rooms.contains(&&***name)) {
                let above = rooms[..place].contains(&&**name) || name == room;
                assert!(above, "{}: {room} must not know {name}", inner.display());
                arrows += usize::from(name != room);
            }
        }
    }
    assert!(arrows > rooms.len(), "{arrows} imports were seen in {folder}");
}

#[test]
fn a_file_imports_only_from_rooms_above_it() {
    each_room_knows_those_above("src", &ROOMS, &["crate::"]);
    each_room_knows_those_above("src/container", &CONTAINER, &["super::", "crate::container::"]);
    each_room_knows_those_above("src/npy", &NPY, &["super::", "crate::npy::"]);
}

#[test]
fn imports_are_seen() {
    let code = "use crate::error::{self, Error};\n// crate::npz\n#[cfg(doc)]\nuse crate::open::X;\n\
                use super::{dtype, text};\nlet x = crate::limits::DEPTH + $crate::macros + mycrate::x;\n";
    assert_eq!(imports(code, "crate::"), ["error", "limits"]);
    assert_eq!(imports(code, "super::"), ["dtype", "text"]);
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
    let rooms = ["buffer.rs", "mmap.rs", "open.rs", "fixed.rs", "unaligned.rs"];
    for (path, text) in sources("src") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let code = |line: &&str| !line.trim_start().starts_with("//");
        let found = text.lines().filter(code).any(|line| line.contains("unsafe {") || line.contains("unsafe impl"));
        assert!(!found || rooms.contains(&&*name), "{}", path.display());
    }
}
