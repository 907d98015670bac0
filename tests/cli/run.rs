//! Running `npz`.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
#[cfg(target_os = "linux")]
use std::process::Stdio;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use crate::forge::{self, Archive};

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

/// An archive of `x`, compressed as far as deflate can.
pub(crate) fn bomb(content: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(content.len() / 100 + 1024);
    let mut compress = flate2::Compress::new(flate2::Compression::best(), false);
    compress.compress_vec(content, &mut data, flate2::FlushCompress::Finish).unwrap();
    let mut entry = forge::deflated("x.npy", content);
    entry.header.compressed_size = u32::try_from(data.len()).unwrap();
    Archive::new(vec![forge::Entry { data, ..entry }]).bytes()
}

/// What a run reads from files, the loading of the program included.
#[cfg(target_os = "linux")]
pub(crate) struct Reads {
    pub(crate) bytes: u64,
    pub(crate) calls: u64,
}

/// Counts what a run that is fine reads. What it prints is passed over.
#[cfg(target_os = "linux")]
pub(crate) fn reads<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Reads {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_npz"));
    let mut child = command.args(args).stdout(Stdio::piped()).spawn().unwrap();
    std::io::copy(child.stdout.as_mut().unwrap(), &mut std::io::sink()).unwrap();
    // It has read what it will, and is not waited for yet.
    let counts = fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap();
    assert!(child.wait().unwrap().success());
    let count = |name| counts.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap();
    Reads { bytes: count("rchar: "), calls: count("syscr: ") }
}

/// What a run prints first, up to so many bytes, while its address space is that many KiB. Nobody reads the rest.
#[cfg(target_os = "linux")]
pub(crate) fn first<A: AsRef<OsStr>>(kib: u32, count: u64, args: impl IntoIterator<Item = A>) -> Outcome {
    use std::io::Read;
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("ulimit -v {kib} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_npz")]).args(args);
    // Address space that the allocator reserves for each thread would be most of it.
    command.env("MALLOC_ARENA_MAX", "1").env("RAYON_NUM_THREADS", "1");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = Vec::new();
    child.stdout.take().unwrap().take(count).read_to_end(&mut out).unwrap();
    let output = child.wait_with_output().unwrap();
    let code = output.status.code().expect("no signal");
    Outcome { code, out, errors: String::from_utf8(output.stderr).unwrap() }
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
