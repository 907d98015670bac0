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
const ROOMS: [&str; 28] = [
    "steps",
    "error",
    "limits",
    "bytes",
    "source",
    "buffer",
    "section",
    "container",
    "context",
    "method",
    "npy",
    "positioned",
    "mmap",
    "options",
    "plan",
    "threads",
    "split",
    "found",
    "take",
    "stream",
    "shared",
    "archive",
    "array",
    "member",
    "npz",
    "plain",
    "open",
    "writer",
];
/// The same within two of them.
const CONTAINER: [&str; 7] = ["record", "name", "local", "directory", "end", "decode", "write"];
const NPY: [&str; 18] = [
    "literal",
    "dtype",
    "header",
    "element",
    "swap",
    "text",
    "array",
    "tiles",
    "fill",
    "any",
    "strided",
    "field",
    "select",
    "gather",
    "fixed",
    "unaligned",
    "item",
    "save",
];

/// The code, without comments and without names that are imported for links alone.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(doc)]" {
            lines.next();
        } else {
            code += line;
            code.push('\n');
        }
    }
    code
}

/// The first names of a list in braces, whatever braces are in it.
fn names_of_list(list: &str) -> Vec<&str> {
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(&list[start..at]);
                return names;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    panic!("a list without end: {list}")
}

/// What the code imports from the module at `path`, such as `crate::` or `super::`: the first name, and those in braces.
fn imports(text: &str, path: &str) -> Vec<String> {
    let code = code_of(text);
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in code.match_indices(path) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$' || c == ':') {
            continue; // a longer path, or a macro's, which is for others
        }
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(names_of_list(list).into_iter().map(|name| word(name.trim()))),
            None => found.push(word(rest)),
        }
    }
    found.retain(|name| !name.is_empty()); // behind a list's last comma
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
        assert!(!code_of(&text).contains("super::super"), "{}: a path from the root can be followed", inner.display());
        for path in paths {
            // The parent of a file in a room of its own is that room.
            if *path == "super::" && inner.iter().count() > 1 {
                continue;
            }
            for name in imports(&text, path) {
                if !rooms.contains(&&*name) {
                    // A name that `lib.rs` exports could come from anywhere.
                    assert_ne!(*path, "crate::", "{}: {name} must be named by its room", inner.display());
                    continue;
                }
                assert!(
                    rooms[..place].contains(&&*name) || name == room,
                    "{}: {room} must not know {name}",
                    inner.display()
                );
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
    let lists = "use crate::{\n    npy::{any::{self, AnyArray}, header},\n    source::Source,\n};";
    assert_eq!(imports(lists, "crate::"), ["npy", "source"]);
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
    let rooms = ["buffer.rs", "mmap.rs", "npy/fixed.rs", "npy/unaligned.rs", "open.rs"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for (path, text) in sources("src") {
        let code = code_of(&text);
        if ["unsafe {", "unsafe impl", "unsafe extern"].iter().any(|word| code.contains(word)) {
            found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
        }
    }
    found.sort();
    assert_eq!(found, rooms);
}
