//! What comes in between: signals, and files that others write meanwhile.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::run::Folder;

/// A plain file of zeros that takes no room and is long at work.
fn large(folder: &Folder) -> String {
    let size = 8 << 30;
    let header = npzmap::Header::new("|u1".parse().unwrap(), &[size], npzmap::Order::C).unwrap().to_bytes();
    let path = folder.write("large.npy", &header);
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len((header.len() + size) as u64).unwrap();
    path
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_no_temporary_file_and_is_the_exit_code() {
    let sources = Folder::new();
    let input = large(&sources);
    let folder = Folder::new();
    let (npz, tensors) = (folder.at("out.npz"), folder.at("out.safetensors"));
    let runs: [(&[&str], _, _); 2] =
        [(&["pack", "--deflate", "9", "-o", &npz, &input], "INT", 130), (&["convert", &input, &tensors], "TERM", 143)];
    for (args, signal, code) in runs {
        let mut child = Command::new(env!("CARGO_BIN_EXE_npz")).args(args).stdout(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while folder.names().is_empty() && begun.elapsed() < Duration::from_secs(60) {
            sleep(Duration::from_millis(5));
        }
        assert!(folder.names()[0].ends_with(".tmp"), "{:?}", folder.names());
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success()
        );
        assert_eq!(child.wait().unwrap().code(), Some(code), "{args:?}");
        assert_eq!(folder.names(), [""; 0]);
    }
}

#[test]
fn what_comes_up_while_an_archive_is_made_is_not_overwritten() {
    let folder = Folder::new();
    let output = folder.at("out.npz");
    for (force, code) in [(false, 2), (true, 0)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_npz"));
        command.args(["pack", "-o", &output, "x=-"]).args(force.then_some("--force"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // More than a pipe holds: it was read, and so the target was looked at.
        input.write_all("1\n".repeat(100_000).as_bytes()).unwrap();
        folder.write("out.npz", "somebody else's");
        drop(input);
        let outcome = child.wait_with_output().unwrap();
        let errors = String::from_utf8(outcome.stderr).unwrap();
        assert_eq!(outcome.status.code(), Some(code), "{errors}");
        assert_eq!(fs::read(&output).unwrap() == b"somebody else's", !force);
        if !force {
            assert_eq!(errors, format!("npz: {output}: is there already; --force overwrites it\n"));
            fs::remove_file(&output).unwrap();
        }
    }
    assert_eq!(folder.names(), ["out.npz"]);
}
