//! `--json` of all commands: any text is parsed as it is in the file, and does nothing to a terminal.

use serde_json::Value;

use crate::forge::{self, Archive, stored};
use crate::run::{Folder, Outcome, run};

/// C0 and C1 controls, DEL, what changes the direction of text or is not seen, in one and in two units of UTF-16.
const HIDDEN: &str =
    "\u{1b}\u{7}\u{7f}\u{80}\u{9b}\u{9f}\u{ad}\u{61c}\u{200b}\u{200f}\u{2028}\u{202e}\u{2066}\u{feff}\u{e0041}";
/// What is printed as it is, but for the quote and the backslash.
const SEEN: &str = "a \"b\" \\u009b größe 日本 🦀";

/// The document, which has nothing hidden in it.
fn legible(outcome: &Outcome) -> Value {
    let text = outcome.text();
    let hidden: Vec<char> = text.trim_end_matches('\n').chars().filter(|c| HIDDEN.contains(*c)).collect();
    assert!(hidden.is_empty(), "{hidden:?} in {text:?}");
    assert!(!text.trim_end_matches('\n').chars().any(char::is_control), "{text:?}");
    outcome.json()
}

#[test]
fn hidden_characters_are_escaped_in_all_documents_and_are_the_same_text() {
    let folder = Folder::new();
    let key = format!("{HIDDEN}{SEEN}");
    let codes: Vec<u8> = key.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    let texts = forge::npy(&format!("'<U{}'", key.chars().count()), "(1,)", &codes);
    // A field's name, and a bool that is none.
    let record = forge::npy("[('f\\x9b\\xad', '|b1')]", "(1,)", &[7]);
    let members = vec![stored(&format!("{key}.npy"), &texts), stored("record.npy", &record)];
    let path = folder.write("\u{9b}\u{202e}.npz", Archive::new(members).bytes());
    let other = folder.write("other.npz", Archive::new(vec![stored("y.npy", &forge::u32s(&[1]))]).bytes());

    let all = |args: &[&str], code: i32| {
        let outcome = run(args);
        assert_eq!(outcome.code, code, "{args:?} {}", outcome.errors);
        legible(&outcome)
    };
    let list = all(&["ls", "--json", &path], 0);
    assert_eq!((&list["file"], &list["members"][0]["key"]), (&Value::from(&*path), &Value::from(&*key)));
    assert_eq!(all(&["ls", "--json", &path, &other], 0)[0]["members"][0]["key"], *key);
    let figures = all(&["stat", "--json", &path], 0);
    assert_eq!(
        (&figures["arrays"][0]["key"], &figures["arrays"][0]["min"]),
        (&Value::from(&*key), &Value::from(&*key))
    );
    assert_eq!(figures["arrays"][1]["field"], "f\u{9b}\u{ad}");
    let shown = all(&["show", "--json", &path, &key], 0);
    assert_eq!((&shown["key"], &shown["values"][0]), (&Value::from(&*key), &Value::from(&*key)));
    assert_eq!(all(&["show", "--json", &path, "record"], 0)["values"][0]["f\u{9b}\u{ad}"], true);
    assert_eq!(all(&["check", "--json", &path], 1)["file"], *path);
    assert_eq!(all(&["align", "--check", "--json", &path], 1)["file"], *path);
    assert_eq!(all(&["diff", "--json", &path, &other], 1)["differences"][0]["key"], *key);
    let (files, tensors) = (folder.at("files"), folder.at("t.safetensors"));
    // No name of a file.
    assert_eq!(all(&["extract", "--json", &path, "-d", &files], 3)["errors"][0]["key"], *key);
    let tensor = folder.write("k.npz", Archive::new(vec![stored(&format!("{key}.npy"), &forge::u32s(&[1]))]).bytes());
    assert_eq!(all(&["convert", "--json", &tensor, &tensors], 0)["keys"][0], *key);
    // A file that cannot be opened.
    let none = folder.at("none\u{9b}\u{7f}.npz");
    for command in ["ls", "stat"] {
        assert_eq!(all(&[command, "--json", &none], 3)["file"], *none);
    }
}
