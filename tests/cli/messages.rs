//! What is said on standard error: a line at once, and what repeats only a few times.

use crate::forge::{Archive, stored};
use crate::run::{Folder, run};

/// Members whose headers cannot be read, and one that can.
fn bad(folder: &Folder, count: usize) -> String {
    let entries = (0..count).map(|number| stored(&format!("bad{number}.npy"), b"\x93NUMPY\x01\x00\x02\x00{}"));
    let fine = stored("fine.npy", &crate::forge::u32s(&[1]));
    folder.write("bad.npz", Archive::new(entries.chain([fine]).collect()).bytes())
}

#[cfg(unix)]
#[test]
fn a_message_is_one_write() {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixDatagram;
    use std::process::{Command, Stdio};

    let folder = Folder::new();
    let path = bad(&folder, 25);
    // Of a datagram socket, each write arrives as what it was.
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_npz"));
    command.args(["ls", &path, "not-there.npz"]).stdout(Stdio::piped()).stderr(OwnedFd::from(theirs));
    let mut child = command.spawn().unwrap();
    drop(command); // and with it our copy of the other end
    let reader = std::thread::spawn(move || {
        let mut writes = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        ours.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        // The last one is ours.
        while let Ok(length) = ours.recv(&mut buffer) {
            if length == 0 {
                break;
            }
            writes.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
        writes
    });
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert_eq!(out.lines().count(), 27);
    let writes = reader.join().unwrap();
    assert_eq!(writes.len(), 12, "{writes:?}");
    assert!(
        writes.iter().all(|text| text.starts_with("npz: ") && text.find('\n') == Some(text.len() - 1)),
        "{writes:?}"
    );
}

#[test]
fn what_repeats_is_summed_up_after_ten_and_other_kinds_are_not() {
    let folder = Folder::new();
    let path = bad(&folder, 50_000);
    for command in ["ls", "stat"] {
        let outcome = run([command, &path, "not-there.npz"]);
        assert_eq!(outcome.code, 3);
        let lines: Vec<_> = outcome.errors.lines().collect();
        assert_eq!(lines.len(), 12, "{}", outcome.errors);
        for (number, line) in lines[..10].iter().enumerate() {
            assert!(line.contains(&format!("bad{number}: ")), "{line}");
        }
        assert!(lines[10].contains("not-there.npz"), "{}", lines[10]);
        assert!(lines[11].starts_with("npz: 49990 more errors like this one: "), "{}", lines[11]);
        assert!(lines[11].contains("bad10: "), "{}", lines[11]);
    }
    // All of them are in the document.
    let outcome = run(["ls", "--json", &path]);
    assert_eq!((outcome.code, outcome.errors.lines().count()), (3, 11));
    let document = outcome.json();
    let rows = document["members"].as_array().unwrap();
    assert_eq!(rows.iter().filter(|row| row["error"].is_string()).count(), 50_000);
}

#[test]
fn every_command_that_goes_on_sums_up() {
    let folder = Folder::new();
    for (count, more) in
        [(10, None), (11, Some("npz: 1 more error like this one: ")), (12, Some("npz: 2 more errors "))]
    {
        let path = bad(&folder, count);
        let other = folder.write("other.npz", Archive::new(vec![stored("x", b"")]).bytes());
        for args in [
            &["diff", &path, &other][..],
            &["diff", "--json", &path, &other],
            &["ls", "--columns=key", &path],
            &["ls", "--sort=key", &path],
            &["stat", "--json", &path],
        ] {
            let outcome = run(args);
            let lines: Vec<_> = outcome.errors.lines().filter(|line| line.contains("bad")).collect();
            assert_eq!(lines.len(), 10 + usize::from(more.is_some()), "{args:?}: {}", outcome.errors);
            assert!(more.is_none_or(|more| lines[10].starts_with(more)), "{}", outcome.errors);
        }
        // Files that are not there.
        let missing: Vec<_> = (0..count).map(|number| format!("bad-{number}.npz")).collect();
        for command in ["ls", "check", "stat", "align"] {
            let args = [&[command.to_owned()][..], &missing].concat();
            let args = match command {
                "align" => [args, vec!["--check".into()]].concat(),
                // Without a document, its problems are rows of standard output.
                "check" => [args, vec!["--json".into()]].concat(),
                _ => args,
            };
            let outcome = run(args);
            assert_eq!(outcome.errors.lines().count(), 10 + usize::from(more.is_some()), "{}", outcome.errors);
            assert_eq!(outcome.code, 3);
        }
    }
}
