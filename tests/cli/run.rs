//! Running `npz`.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) fn npz<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_npz"));
    command.env_remove("NO_COLOR").args(args);
    command
}

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) errors: String,
}

impl Outcome {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.out).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap()
    }
}

pub(crate) fn outcome(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    Outcome { code: output.status.code().unwrap(), out: output.stdout, errors }
}

pub(crate) fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Outcome {
    outcome(&mut npz(args))
}

/// A run that has ended by itself after 20 seconds; there is no exit code of one that is killed.
pub(crate) fn in_time<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Outcome {
    outcome(npz(args).timeout(Duration::from_secs(20)))
}

/// What a run that is fine prints.
pub(crate) fn fine<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Outcome {
    let outcome = run(args);
    assert_eq!((outcome.code, &*outcome.errors), (0, ""));
    outcome
}

/// A folder for what a test writes.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    /// The path of something in it.
    pub(crate) fn at(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().into()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.at(name), bytes).unwrap();
        self.at(name)
    }

    /// The names in it, sorted, with those in its folders.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![PathBuf::from(self.0.path())];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else {
                    names.push(path.strip_prefix(self.0.path()).unwrap().to_str().unwrap().into());
                }
            }
        }
        names.sort();
        names
    }
}
