//! Archives that go on.

use std::path::{Path, PathBuf};

use ndarray::Ix1;
use npzmap::{ErrorKind, Npz, NpzWriter};
use tempfile::TempDir;

use super::keys;
use crate::fixtures;

fn copy_of(name: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    std::fs::copy(fixtures::path(name), &path).unwrap();
    (folder, path)
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn new_members_follow_and_old_ones_stay_where_they_were() {
    for name in ["model-batch.npz", "model-batch-stored.npz", "pipe.npz", "methods.npz", "cp437.npz", "empty.npz"] {
        let (folder, path) = copy_of(name);
        let old = Npz::open(fixtures::path(name)).unwrap();
        let mut w = NpzWriter::append(&path).unwrap();
        assert_eq!(w.len(), old.len() as u64);
        w.add("new", &[1.5_f64, 2.5]).unwrap();
        assert_eq!(Npz::open(&path).unwrap().len(), old.len(), "before it is finished");
        w.finish().unwrap();
        let npz = Npz::open(&path).unwrap();
        assert_eq!(keys(&npz), [keys(&old), vec!["new".into()]].concat());
        npz.verify().unwrap();
        for (old, new) in old.members().zip(npz.members()) {
            assert_eq!(old.bytes().unwrap(), new.bytes().unwrap());
            assert_eq!(old.payload_offset().unwrap(), new.payload_offset().unwrap());
        }
        assert_eq!(npz.member("new").unwrap().payload_offset().unwrap().unwrap() % 64, 0);
        assert_eq!(npz.read::<f64, Ix1>("new").unwrap().to_vec(), [1.5, 2.5]);
        assert_eq!(files(folder.path()), 1);
    }
}

#[test]
fn a_key_that_is_added_again_is_dropped_from_the_directory() {
    let (_folder, path) = copy_of("model-batch-stored.npz");
    let size = std::fs::metadata(&path).unwrap().len();
    let mut w = NpzWriter::append(&path).unwrap();
    w.add("labels", &[7_i64]).unwrap();
    let mut rows = w.rows::<f32>("features", &[2]).unwrap();
    rows.push(&[1.0, 2.0]).unwrap();
    rows.finish().unwrap();
    // Once replaced, it is a member like any other.
    assert!(matches!(w.add("labels", &[8_i64]).unwrap_err().kind(), ErrorKind::BadKey { .. }));
    w.finish().unwrap();
    let npz = Npz::open(&path).unwrap();
    assert_eq!(keys(&npz), ["sample_ids", "labels", "features"]);
    assert_eq!(npz.read::<i64, Ix1>("labels").unwrap().to_vec(), [7]);
    npz.verify().unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() > size, "the old bytes stay");
}

#[test]
fn what_fails_replaces_nothing() {
    let (_folder, path) = copy_of("model-batch.npz");
    let mut w = NpzWriter::append(&path).unwrap();
    assert!(w.add_strings("labels", &["cut\0"]).is_err());
    w.finish().unwrap();
    assert_eq!(keys(&Npz::open(&path).unwrap()), ["features", "labels", "sample_ids"]);
}

#[test]
fn a_key_is_replaced_whatever_its_name_was_encoded_in() {
    let (_folder, path) = copy_of("cp437.npz");
    let old = Npz::open(&path).unwrap();
    let mut w = NpzWriter::append(&path).unwrap();
    for member in &old {
        let is_array = member.text().ends_with(".npy");
        let added = if is_array { w.add(&member.key(), &[1_u8]) } else { w.add_bytes(&member.key(), b"new") };
        added.unwrap();
    }
    w.finish().unwrap();
    let npz = Npz::open(&path).unwrap();
    assert_eq!(keys(&npz), keys(&old));
    for member in &npz {
        match member.array().and_then(|array| array.read::<u8, Ix1>()) {
            Ok(array) => assert_eq!(array.to_vec(), [1]),
            Err(_) => assert_eq!(*member.bytes().unwrap(), *b"new"),
        }
    }
}

#[test]
fn only_the_member_of_this_very_name_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut w = NpzWriter::create(&path).unwrap();
    w.add_bytes("config", b"raw").unwrap();
    w.add("weights", &[1_u8]).unwrap();
    w.finish().unwrap();
    let mut w = NpzWriter::append(&path).unwrap();
    for error in [w.add("config", &[1_u8]), w.add_bytes("weights", b"raw")] {
        assert!(matches!(error.unwrap_err().kind(), ErrorKind::BadKey { .. }));
    }
    w.add_bytes("config", b"other").unwrap();
    w.add("weights", &[2_u8]).unwrap();
    w.finish().unwrap();
    let npz = Npz::open(&path).unwrap();
    assert_eq!(keys(&npz), ["config", "weights"]);
    assert_eq!(*npz.member("config").unwrap().bytes().unwrap(), *b"other");

    // Of an archive that has both under one key, the one that the key finds can be replaced; the other would not be found.
    let bytes = crate::forge::Archive::new(vec![
        crate::forge::stored("x", b"raw"),
        crate::forge::stored("x.npy", &crate::forge::u32s(&[1])),
    ]);
    std::fs::write(&path, bytes.bytes()).unwrap();
    let mut w = NpzWriter::append(&path).unwrap();
    assert!(matches!(w.add("x", &[2_u32]).unwrap_err().kind(), ErrorKind::BadKey { .. }));
    w.add_bytes("x", b"new").unwrap();
    w.add_bytes("x.npy", &crate::forge::u32s(&[2])).unwrap(); // by its whole name
    w.finish().unwrap();
    let npz = Npz::open(&path).unwrap();
    assert_eq!(*npz.member("x").unwrap().bytes().unwrap(), *b"new");
    assert_eq!(npz.read::<u32, Ix1>("x.npy").unwrap().to_vec(), [2]);

    // Two arrays: the key `x.npy` finds the one that `x` made.
    let bytes = crate::forge::Archive::new(vec![
        crate::forge::stored("x.npy", &crate::forge::u32s(&[1])),
        crate::forge::stored("x.npy.npy", &crate::forge::u32s(&[1])),
    ]);
    std::fs::write(&path, bytes.bytes()).unwrap();
    let mut w = NpzWriter::append(&path).unwrap();
    assert!(matches!(w.add("x.npy", &[2_u32]).unwrap_err().kind(), ErrorKind::BadKey { .. }));
    w.add("x", &[2_u32]).unwrap(); // hides no more than before
    w.finish().unwrap();
    assert_eq!(Npz::open(&path).unwrap().read::<u32, Ix1>("x").unwrap().to_vec(), [2]);
}

#[test]
fn names_that_are_there_twice_a_comment_and_zip64_are_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut archive = crate::forge::Archive::new(vec![
        crate::forge::stored("x.npy", &crate::forge::u32s(&[1])),
        crate::forge::stored("x.npy", &crate::forge::u32s(&[2])),
        crate::forge::stored("y.npy", &crate::forge::u32s(&[3])),
    ]);
    archive.end.comment = b"a comment".to_vec();
    archive.lay_out();
    std::fs::write(&path, archive.bytes()).unwrap();
    let mut w = NpzWriter::append(&path).unwrap();
    assert_eq!(w.len(), 3);
    w.add("x", &[4_u32]).unwrap();
    assert_eq!(w.len(), 2);
    w.finish().unwrap();
    let npz = Npz::open(&path).unwrap();
    assert_eq!(keys(&npz), ["y", "x"]);
    assert_eq!(npz.read::<u32, Ix1>("x").unwrap().to_vec(), [4]);

    let mut w = NpzWriter::create(&path).unwrap().sync(false);
    (0..66_000_u32).try_for_each(|i| w.add_bytes(&i.to_string(), b"")).unwrap();
    w.finish().unwrap();
    let mut w = NpzWriter::append(&path).unwrap().sync(false);
    w.add("x", &[5_u32]).unwrap();
    w.finish().unwrap();
    let npz = Npz::open(&path).unwrap();
    assert_eq!((npz.len(), npz.read::<u32, Ix1>("x").unwrap()[0]), (66_001, 5));
}

#[test]
fn all_of_many_members_can_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut w = NpzWriter::create(&path).unwrap().sync(false);
    (0..20_000_u32).try_for_each(|i| w.add_bytes(&i.to_string(), b"old")).unwrap();
    w.finish().unwrap();
    let mut w = NpzWriter::append(&path).unwrap().sync(false);
    (0..20_000_u32).rev().try_for_each(|i| w.add_bytes(&i.to_string(), b"new")).unwrap();
    assert_eq!(w.len(), 20_000);
    w.finish().unwrap();
    let npz = Npz::open(&path).unwrap();
    assert_eq!(npz.len(), 20_000);
    assert!(npz.members().all(|member| *member.bytes().unwrap() == *b"new"));
}

#[test]
fn what_is_refused_in_its_midst_is_taken_back() {
    let (_folder, path) = copy_of("model-batch.npz");
    let mut w = NpzWriter::append(&path).unwrap();
    let mut rows = w.rows::<f64>("labels", &[100_000]).unwrap();
    rows.push(&vec![1.0; 100_000]).unwrap();
    drop(rows);
    w.add("x", &[1.5]).unwrap();
    w.finish().unwrap();
    let npz = Npz::open(&path).unwrap();
    assert_eq!(keys(&npz), ["features", "labels", "sample_ids", "x"]);
    npz.verify().unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 2000);
}

#[test]
fn pushed_arrays_go_on_counting() {
    let (_folder, path) = copy_of("positional.npz");
    let before = keys(&Npz::open(&path).unwrap());
    let numbers = before.iter().filter(|key| key.starts_with("arr_")).count();
    assert!(numbers > 0);
    let mut w = NpzWriter::append(&path).unwrap();
    w.push(&[1.0]).unwrap();
    w.finish().unwrap();
    assert_eq!(keys(&Npz::open(&path).unwrap()).last().unwrap(), &format!("arr_{numbers}"));
}

#[test]
fn after_the_last_number_there_is_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut w = NpzWriter::create(&path).unwrap();
    w.add("arr_18446744073709551615", &[1_u8]).unwrap();
    w.add("arr_+5", &[1_u8]).unwrap();
    w.finish().unwrap();
    let mut w = NpzWriter::append(&path).unwrap();
    assert!(matches!(w.push(&[2_u8]).unwrap_err().kind(), ErrorKind::BadKey { .. }));
    w.finish().unwrap();
    assert_eq!(Npz::open(&path).unwrap().read::<u8, Ix1>("arr_18446744073709551615").unwrap()[0], 1);
}

#[test]
fn an_archive_behind_a_prefix_stays_behind_it() {
    let (_folder, path) = copy_of("model-batch-stored.npz");
    let archive = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&b"#!/bin/sh\nexit\n"[..], &archive].concat()).unwrap();
    let mut w = NpzWriter::append(&path).unwrap();
    w.add("new", &[1.5_f64]).unwrap();
    w.finish().unwrap();
    assert!(std::fs::read(&path).unwrap().starts_with(b"#!/bin/sh\nexit\nPK\x03\x04"));
    let npz = Npz::open(&path).unwrap();
    assert_eq!(keys(&npz), ["features", "labels", "sample_ids", "new"]);
    // Aligned in the file, which is what a map sees.
    assert_eq!(npz.member("new").unwrap().payload_offset().unwrap().unwrap() % 64, 0);
    npz.verify().unwrap();
}

#[test]
fn appending_nothing_keeps_the_archive() {
    let (_folder, path) = copy_of("model-batch-stored.npz");
    NpzWriter::append(&path).unwrap().finish().unwrap();
    assert!(std::fs::read(&path).unwrap() == fixtures::bytes("model-batch-stored.npz"));
}

#[test]
fn what_is_no_archive_or_not_there_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let error = NpzWriter::append(&path).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::NotFound));
    assert_eq!(error.path(), Some(&*path));
    std::fs::write(&path, "notes").unwrap();
    assert!(matches!(NpzWriter::append(&path).unwrap_err().kind(), ErrorKind::NotAnArchive { .. }));
    assert_eq!((files(folder.path()), std::fs::read(&path).unwrap()), (1, b"notes".to_vec()));
}

#[test]
fn what_another_writer_did_in_the_meantime_is_not_lost() {
    let (folder, path) = copy_of("model-batch.npz");
    let mut first = NpzWriter::append(&path).unwrap();
    first.add("first", &[1]).unwrap();
    let mut second = NpzWriter::append(&path).unwrap();
    second.add("second", &[2]).unwrap();
    second.finish().unwrap();
    let error = first.finish().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::FileChanged { .. }), "{error}");
    assert_eq!(keys(&Npz::open(&path).unwrap()), ["features", "labels", "sample_ids", "second"]);
    assert_eq!(files(folder.path()), 1);
}

#[test]
fn an_archive_can_be_appended_to_many_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    NpzWriter::create(&path).unwrap().finish().unwrap();
    for i in 0..50_u32 {
        let mut w = NpzWriter::append(&path).unwrap().sync(false);
        w.add(&format!("step {i}"), &[i]).unwrap();
        w.add("latest", &[i]).unwrap();
        w.finish().unwrap();
    }
    let npz = Npz::open(&path).unwrap();
    assert_eq!(npz.len(), 51);
    assert_eq!(npz.read::<u32, Ix1>("latest").unwrap()[0], 49);
    assert_eq!(npz.read::<u32, Ix1>("step 17").unwrap()[0], 17);
    npz.verify().unwrap();
}

/// Names the file in a child process; without it the test that is one does nothing.
const TARGET: &str = "NPZMAP_TEST_TARGET";

/// Appends one key, and says whether it got its turn.
fn append(path: &Path, key: &str, together: impl FnOnce()) -> bool {
    let mut w = NpzWriter::append(path).unwrap().sync(false);
    w.add(key, &[1_u8]).unwrap();
    together();
    match w.finish() {
        Ok(()) => true,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::FileChanged { .. }), "{error}");
            assert_eq!(error.path(), Some(path));
            false
        }
    }
}

#[test]
fn of_two_threads_that_finish_at_once_none_loses_what_it_was_told_is_there() {
    let (folder, path) = copy_of("empty.npz");
    let mut won = 0;
    for round in 0..200 {
        let barrier = std::sync::Barrier::new(2);
        let outcome = std::thread::scope(|scope| {
            let one = |name: &'static str| {
                let (path, barrier) = (&path, &barrier);
                scope.spawn(move || {
                    append(path, &format!("{name}{round}"), || {
                        barrier.wait();
                    })
                })
            };
            [one("a"), one("b")].map(|thread| thread.join().unwrap())
        });
        // Both cloned the same file.
        assert!(outcome[0] != outcome[1], "round {round}: {outcome:?}");
        won += 1;
        let npz = Npz::open(&path).unwrap();
        let added = if outcome[0] { "a" } else { "b" };
        assert!(npz.contains(&format!("{added}{round}")), "round {round}");
        assert_eq!(npz.len(), won);
    }
    assert_eq!(files(folder.path()), 1);
}

#[test]
#[ignore = "appends when it is told to"]
fn appends_when_told() {
    use std::io::BufRead;

    let Some(target) = std::env::var_os(TARGET) else { return };
    let mut lines = std::io::stdin().lock().lines();
    let mut next = || lines.next().map(|line| line.unwrap());
    while let Some(key) = next() {
        let won = append(Path::new(&target), &key, || {
            println!("\n>prepared");
            next();
        });
        println!("\n>{won}");
    }
}

#[cfg(unix)]
#[test]
fn of_two_processes_that_finish_at_once_none_loses_what_it_was_told_is_there() {
    use std::io::{BufRead, BufReader, Lines, Write};
    use std::process::{ChildStdout, Command, Stdio};

    let (folder, path) = copy_of("empty.npz");
    let mut children = ["a", "b"].map(|name| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["write::append::appends_when_told", "--exact", "--ignored", "--nocapture"]).env(TARGET, &path);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
        (name, child, input, output)
    });
    let answer = |lines: &mut Lines<BufReader<ChildStdout>>| {
        let line = lines.map(|line| line.unwrap()).find(|line| line.starts_with('>'));
        line.expect("it ended")[1..].to_owned()
    };
    for round in 0..200 {
        for (name, _, input, _) in &mut children {
            writeln!(input, "{name}{round}").unwrap();
        }
        assert_eq!(children.each_mut().map(|(.., output)| answer(output)), ["prepared"; 2]);
        for (_, _, input, _) in &mut children {
            writeln!(input, "go").unwrap();
        }
        let outcome = children.each_mut().map(|(.., output)| answer(output) == "true");
        assert!(outcome[0] != outcome[1], "round {round}: {outcome:?}");
        let npz = Npz::open(&path).unwrap();
        let added = if outcome[0] { "a" } else { "b" };
        assert!(npz.contains(&format!("{added}{round}")), "round {round}");
        assert_eq!(npz.len(), round + 1);
    }
    for (_, mut child, input, _) in children {
        drop(input);
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(files(folder.path()), 1);
}

#[test]
fn what_an_archive_was_made_from_is_replaced_and_nothing_newer() {
    let (folder, path) = copy_of("model-batch.npz");
    let old = Npz::open(&path).unwrap();
    let mut w = NpzWriter::replace(&path, old.source()).unwrap();
    w.copy(&old.member("labels").unwrap()).unwrap();
    w.finish().unwrap();
    assert_eq!(keys(&Npz::open(&path).unwrap()), ["labels"]);
    // It is another file now.
    let error = NpzWriter::replace(&path, old.source()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::FileChanged { .. }), "{error}");
    assert_eq!(error.path(), Some(&*path));

    type Change<'a> = &'a dyn Fn(&Path);
    let changes: [(Change<'_>, _); 3] = [
        (&|path| std::fs::write(path, "written over").unwrap(), "written over"),
        (
            &|path| {
                std::fs::remove_file(path).unwrap();
                std::fs::write(path, "another").unwrap();
            },
            "another",
        ),
        (
            // What was read is there still, under another name.
            &|path| {
                std::fs::rename(path, path.with_extension("old")).unwrap();
                std::fs::write(path, "moved").unwrap();
            },
            "moved",
        ),
    ];
    for (change, content) in changes {
        std::fs::copy(fixtures::path("model-batch.npz"), &path).unwrap();
        let old = Npz::open(&path).unwrap();
        let w = NpzWriter::replace(&path, old.source()).unwrap();
        change(&path);
        let error = w.finish().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::FileChanged { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), content.as_bytes());
    }
    assert_eq!(files(folder.path()), 2);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_elsewhere_in_the_end_leads_there_still() {
    let (folder, path) = copy_of("model-batch.npz");
    let [link, other] = ["link.npz", "other.npz"].map(|name| folder.path().join(name));
    std::fs::copy(&path, &other).unwrap();
    std::os::unix::fs::symlink("a.npz", &link).unwrap();
    let mut w = NpzWriter::append(&link).unwrap();
    w.add("new", &[1]).unwrap();
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("other.npz", &link).unwrap();
    assert!(matches!(w.finish().unwrap_err().kind(), ErrorKind::FileChanged { .. }));
    assert_eq!([&path, &other].map(|path| Npz::open(path).unwrap().contains("new")), [false; 2]);

    // A link in the place of the file is not replaced either, though it leads to it.
    let w = NpzWriter::append(&path).unwrap();
    let moved = folder.path().join("moved.npz");
    std::fs::rename(&path, &moved).unwrap();
    std::os::unix::fs::symlink("moved.npz", &path).unwrap();
    assert!(matches!(w.finish().unwrap_err().kind(), ErrorKind::FileChanged { .. }));
    assert!(std::fs::symlink_metadata(&path).unwrap().is_symlink());
}

#[cfg(unix)]
#[test]
fn a_lock_of_somebody_elses_is_waited_for_but_not_for_ever() {
    use std::fs::File;
    use std::time::{Duration, Instant};

    let (_folder, path) = copy_of("model-batch.npz");
    let lock = File::open(&path).unwrap();
    lock.lock().unwrap();
    let w = NpzWriter::append(&path).unwrap();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            lock.unlock().unwrap();
        });
        w.finish().unwrap();
    });
    assert!(begun.elapsed() >= Duration::from_millis(300));

    let lock = File::open(&path).unwrap();
    lock.lock().unwrap();
    let error = NpzWriter::append(&path).unwrap().finish().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::TimedOut), "{error}");
    // What replaces any file needs nobody's leave.
    let begun = Instant::now();
    NpzWriter::create(&path).unwrap().finish().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(Npz::open(&path).unwrap().is_empty());
}
