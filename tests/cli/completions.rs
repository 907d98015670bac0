//! `npz completions` and `npz man`.

use std::path::Path;
use std::process::Command;

use crate::run::{Folder, fine, run};

const NPZ: &str = env!("CARGO_BIN_EXE_npz");

/// What bash completes the last word with; none where there is no bash.
#[cfg(target_os = "linux")]
fn completed(words: &[&str]) -> Option<Vec<String>> {
    let folder = Folder::new();
    let script = folder.write("npz.bash", fine(["completions", "bash"]).out);
    let last = words.len() - 1;
    let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let run = format!(
        "source {script}; COMP_WORDS=({}); COMP_CWORD={last}; \
         _npz_keys npz {} {}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words[last],
        words[last - 1],
    );
    let path = format!("{}:{}", Path::new(NPZ).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash").args(["-c", &run]).env("PATH", path).output().ok()?;
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

#[cfg(target_os = "linux")]
#[test]
fn bash_completes_commands_options_and_the_keys_of_an_archive() {
    let Some(commands) = completed(&["npz", "sta"]) else { return };
    assert_eq!(commands, ["stat"]);
    assert!(completed(&["npz", "stat", "--no"]).unwrap().contains(&"--no-histogram".to_owned()));
    let keys = completed(&["npz", "show", "tests/data/weights.npz", "enc"]).unwrap();
    for key in ["encoder/weight", "encoder/bias", "encoder/scale"] {
        assert!(keys.contains(&key.to_owned()), "{key} is not in {keys:?}");
    }
    assert!(!keys.iter().any(|key| key.contains("optim")), "{keys:?}");
}

#[test]
fn every_shell_has_a_script_that_names_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = fine(["completions", shell]);
        for command in ["align", "plot", "stat", "completions"] {
            assert!(script.text().contains(command), "{shell}: {command}");
        }
    }
    assert_eq!(run(["completions", "csh"]).code, 2);
}

#[test]
fn the_manual_is_one_page_or_a_page_for_each_command() {
    let page = fine(["man"]);
    assert!(page.text().contains(".TH npz 1"));
    for command in ["ALIGN", "LS", "PLOT", "STAT"] {
        assert!(page.text().contains(&format!(".SH \"NPZ {command}\"\n.SS SYNOPSIS\n")), "{command}");
    }
    assert!(page.text().contains("RAYON_NUM_THREADS"));
    let folder = Folder::new();
    let directory = folder.at("man1");
    fine(["man", "-d", &directory]);
    let names = folder.names();
    assert!(names.contains(&"man1/npz.1".into()) && names.contains(&"man1/npz-stat.1".into()), "{names:?}");
    assert_eq!(names.len(), 14);
    // One that is there is enough for none to be written, and a dry run says so.
    std::fs::remove_file(folder.at("man1/npz.1")).unwrap();
    for dry in [&["--dry-run"][..], &[]] {
        let again = run(["man", "-d", &directory].iter().chain(dry));
        assert_eq!(again.code, 2);
        assert!(again.errors.contains("--force"), "{}", again.errors);
        assert!(!folder.names().contains(&"man1/npz.1".into()));
    }
    fine(["man", "--force", "-d", &directory]);
}
