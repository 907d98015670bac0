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

/// The command, whatever signals whoever runs the tests ignores.
#[cfg(target_os = "linux")]
fn with_signals(args: &[&str]) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal=INT,TERM,HUP", env!("CARGO_BIN_EXE_npz")]).args(args).stdout(Stdio::null());
    command
}

#[cfg(target_os = "linux")]
fn send(signal: &str, child: &std::process::Child) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success());
}

/// Waits until something is in the folder.
#[cfg(target_os = "linux")]
fn wait_for_file(folder: &Folder) {
    let begun = Instant::now();
    while folder.names().is_empty() && begun.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(5));
    }
    assert!(folder.names()[0].ends_with(".tmp"), "{:?}", folder.names());
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_leaves_no_temporary_file_and_is_the_exit_code() {
    let sources = Folder::new();
    let input = large(&sources);
    let folder = Folder::new();
    let (npz, tensors) = (folder.at("out.npz"), folder.at("out.safetensors"));
    let pack = ["pack", "--deflate", "9", "-o", &npz, &input];
    let runs: [(&[&str], _, _); 3] =
        [(&pack, "INT", 130), (&["convert", &input, &tensors], "TERM", 143), (&pack, "HUP", 129)];
    for (args, signal, code) in runs {
        let mut child = with_signals(args).spawn().unwrap();
        wait_for_file(&folder);
        send(signal, &child);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{args:?}");
        assert_eq!(folder.names(), [""; 0]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_ignored_at_the_start_stays_ignored() {
    let sources = Folder::new();
    let input = large(&sources);
    let folder = Folder::new();
    // As nohup does it, and a shell that runs it in the background.
    let mut shell = Command::new("env");
    shell.args(["--default-signal=TERM", "--ignore-signal=HUP,INT", env!("CARGO_BIN_EXE_npz")]);
    let args = ["pack", "--deflate", "9", "-o", &folder.at("out.npz"), &input];
    let mut child = shell.args(args).stdout(Stdio::null()).spawn().unwrap();
    wait_for_file(&folder);
    for signal in ["HUP", "INT"] {
        send(signal, &child);
        sleep(Duration::from_millis(300));
        assert_eq!(child.try_wait().unwrap(), None, "{signal}");
    }
    send("TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(folder.names(), [""; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_leaves_no_folder_that_was_made_for_the_file() {
    let folder = Folder::new();
    // A member that takes long to decode.
    let size = 1 << 30;
    let mut writer = npzmap::NpzWriter::create(folder.at("a.npz")).unwrap();
    let options = npzmap::MemberOptions::new().deflate(1);
    let header = npzmap::Header::new("|u1".parse().unwrap(), &[size], npzmap::Order::C).unwrap();
    writer.add_with("deep/er/x", &Zeros(header), options).unwrap();
    writer.finish().unwrap();
    let out = folder.at("new/out");
    let mut child = with_signals(&["extract", &folder.at("a.npz"), "-d", &out]).spawn().unwrap();
    let begun = Instant::now();
    while folder.names().len() < 2 && begun.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(1));
    }
    send("HUP", &child);
    assert_eq!(child.wait().unwrap().code(), Some(129));
    assert_eq!((folder.names(), fs::exists(folder.at("new")).unwrap()), (vec!["a.npz".into()], false));
}

/// An array of zeros that takes no memory.
#[cfg(target_os = "linux")]
struct Zeros(npzmap::Header);

#[cfg(target_os = "linux")]
impl npzmap::Save for Zeros {
    fn header(&self) -> npzmap::Result<npzmap::Header> {
        Ok(self.0.clone())
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> npzmap::Result<()>) -> npzmap::Result<()> {
        let block = vec![0; 1 << 20];
        (0..self.0.nbytes() >> 20).try_for_each(|_| put(&block))
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
