//! The target is the old file or the new one, whatever happens in between.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ndarray::{Array1, Ix1};
use npzmap::{ErrorKind, Npz, NpzWriter, Result, Save, savez};

/// Names the file in a child process; without it the tests that are children do nothing.
const TARGET: &str = "NPZMAP_TEST_TARGET";

fn target() -> Option<PathBuf> {
    std::env::var_os(TARGET).map(PathBuf::from)
}

/// One of the tests below, in a process of its own.
fn child(name: &str, target: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("write::atomic::{name}"), "--exact", "--ignored", "--nocapture"]).env(TARGET, target);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// What a child prints before it begins to write.
const READY: &str = "ready";

const LENGTH: usize = 200_000;

/// Arrays that all hold one number.
fn generation(number: u64) -> [Array1<u64>; 3] {
    [1, LENGTH, 5000].map(|length| Array1::from_elem(length, number))
}

#[test]
#[ignore = "writes until it is killed"]
fn writes_on_and_on() {
    let Some(target) = target() else { return };
    let last = read_generation(&target).unwrap();
    println!("\n{READY}");
    for number in last + 1.. {
        let arrays = generation(number);
        let mut w = NpzWriter::create(&target).unwrap().sync(number % 8 == 0);
        for (i, array) in arrays.iter().enumerate() {
            w.add(&i.to_string(), array).unwrap();
        }
        w.finish().unwrap();
    }
}

/// The one number that all arrays hold, or what is wrong.
fn read_generation(path: &Path) -> Result<u64> {
    let npz = Npz::open(path)?;
    npz.verify()?;
    let arrays: Vec<Array1<u64>> = npz.read_many(&["0", "1", "2"])?;
    let number = arrays[0][0];
    assert!(arrays == generation(number), "a mixture");
    Ok(number)
}

#[test]
#[ignore = "writes until it is killed"]
fn appends_on_and_on() {
    let Some(target) = target() else { return };
    let steps = read_steps(&target).unwrap();
    println!("\n{READY}");
    for number in steps.. {
        let mut w = NpzWriter::append(&target).unwrap().sync(number % 8 == 0);
        w.add(&format!("step {number}"), &Array1::from_elem(5000, number)).unwrap();
        w.add("steps", &[number + 1]).unwrap();
        w.finish().unwrap();
    }
}

/// The number of steps, all of which are there, or what is wrong.
fn read_steps(path: &Path) -> Result<u64> {
    let npz = Npz::open(path)?;
    npz.verify()?;
    let steps = npz.read::<u64, Ix1>("steps")?[0];
    assert_eq!(npz.len() as u64, steps + 1);
    for step in 0..steps {
        let array = npz.read::<u64, Ix1>(&format!("step {step}"))?;
        assert_eq!((array.len(), array.iter().all(|value| *value == step)), (5000, true));
    }
    Ok(steps)
}

/// Kills the child `times` times, each after another time; what it leaves is read after each. Gives the number of
/// temporary files that were left, each of them by a writer that was in the midst of its work.
fn kill(name: &str, target: &Path, times: usize, mut check: impl FnMut(&Path)) -> usize {
    let folder = target.parent().unwrap();
    let mut left = 0;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..times {
        let mut process: Child = child(name, target).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == READY), "it did not begin");
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_micros(random % 20_000));
        process.kill().unwrap();
        let status = process.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "it ended by itself: {status}");
        check(target);
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path != target {
                let name = path.file_name().unwrap().to_str().unwrap();
                assert!(name.starts_with(".a.npz.") && name.ends_with(".tmp"), "{name}");
                fs::remove_file(path).unwrap();
                left += 1;
            }
        }
    }
    left
}

#[test]
fn a_writer_that_is_killed_leaves_the_old_archive_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.npz");
    let arrays = generation(0);
    savez(&target, arrays.iter().enumerate().map(|(i, array)| (i.to_string(), array as &dyn Save))).unwrap();
    let mut last = 0;
    let left = kill("writes_on_and_on", &target, 200, |target| {
        let number = read_generation(target).unwrap();
        assert!(number >= last, "an older archive came back");
        last = number;
    });
    assert!(last > 0 && left > 0, "{last} archives were written, {left} writers were killed at work");
}

#[test]
fn an_append_that_is_killed_leaves_the_old_archive_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.npz");
    let (mut total, mut left) = (0, 0);
    for _ in 0..4 {
        savez(&target, [("steps", &[0_u64] as &dyn Save)]).unwrap();
        let mut last = 0;
        left += kill("appends_on_and_on", &target, 50, |target| {
            let steps = read_steps(target).unwrap();
            assert!(steps >= last, "an older archive came back");
            last = steps;
        });
        total += last;
    }
    assert!(total > 0 && left > 0, "{total} steps were appended, {left} writers were killed at work");
}

#[test]
#[ignore = "runs under a limit for the size of files"]
fn fills_the_disk() {
    let Some(target) = target() else { return };
    let large = vec![1.5_f64; 1 << 20];
    let full = |result: Result<()>| {
        let error = result.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge), "{error}");
        assert_eq!((error.path(), error.member()), (Some(&*target), Some("large")));
        assert!(error.to_string().ends_with("large: File too large (os error 27)"), "{error}");
    };
    let mut w = NpzWriter::create(&target).unwrap();
    w.add("small", &[1.0]).unwrap();
    full(w.add("large", &large));
    assert!(matches!(w.finish().unwrap_err().kind(), ErrorKind::Unfinished));
    let mut w = NpzWriter::append(&target).unwrap();
    full(w.add("large", &large));
    drop(w);
    full(savez(&target, [("large", &large as &dyn Save)]));
}

#[test]
fn a_full_disk_is_an_error_and_leaves_the_target_alone() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.npz");
    savez(&target, [("old", &[1.0, 2.0] as &dyn Save)]).unwrap();
    let before = fs::read(&target).unwrap();
    // 2,048 blocks of 512 or 1,024 bytes. The signal would kill it; ignored, it is an error.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""]);
    let child = child("fills_the_disk", &target);
    let output = shell.arg(child.get_program()).args(child.get_args()).env(TARGET, &target).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    assert!(fs::read(&target).unwrap() == before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_map_of_the_old_archive_goes_on_while_it_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.npz");
    let (old, new) = (Array1::from_elem(100_000, 1.5_f64), Array1::from_elem(10, 2.5_f64));
    savez(&target, [("x", &old as &dyn Save)]).unwrap();
    #[expect(unsafe_code, reason = "the file is replaced, never changed")]
    // SAFETY: the writers here put another file in its place.
    let npz = unsafe { Npz::map(&target) }.unwrap();
    savez(&target, [("x", &new as &dyn Save)]).unwrap();
    let mut w = NpzWriter::append(&target).unwrap();
    w.add("y", &new).unwrap();
    w.finish().unwrap();
    // Not touched before.
    assert_eq!(npz.view::<f64, Ix1>("x").unwrap(), old);
    npz.verify().unwrap();
    assert!(npz.check_unchanged().is_err());
    assert_eq!(Npz::open(&target).unwrap().read::<f64, Ix1>("x").unwrap(), new);
}

#[test]
fn a_writer_that_is_dropped_leaves_the_target_alone_and_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.npz");
    for there in [false, true] {
        if there {
            fs::write(&target, "old").unwrap();
        }
        let mut w = NpzWriter::create(&target).unwrap();
        w.add("x", &vec![1.0; 1_000_000]).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1 + usize::from(there));
        drop(w);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), usize::from(there));
    }
    assert_eq!(fs::read(&target).unwrap(), b"old");
}

#[test]
fn a_new_archive_is_made_only_where_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("a.npz"), folder.path().join("link.npz"));
    let exists = |error: npzmap::Error| matches!(error.kind(), ErrorKind::Io(error) if error.kind() == io::ErrorKind::AlreadyExists);
    let mut w = NpzWriter::create_new(&path).unwrap();
    w.add("x", &[1_u8]).unwrap();
    w.finish().unwrap();
    assert!(exists(NpzWriter::create_new(&path).unwrap_err()));
    symlink("nowhere", &link).unwrap();
    assert!(exists(NpzWriter::create_new(&link).unwrap_err()));
    fs::remove_file(&link).unwrap();

    // What comes up meanwhile stays, be it a link.
    let w = NpzWriter::create_new(&link).unwrap();
    symlink("nowhere", &link).unwrap();
    let error = w.finish().unwrap_err();
    assert_eq!(error.path(), Some(&*link));
    assert!(exists(error));
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("nowhere"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2); // and no temporary file
}

#[test]
fn the_new_file_has_the_permissions_of_the_old_one_or_those_of_any_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let [target, other] = ["a.npz", "b"].map(|name| folder.path().join(name));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    fs::write(&other, "").unwrap();
    savez(&target, [("x", &[1.0] as &dyn Save)]).unwrap();
    assert_eq!(mode(&target), mode(&other));
    for bits in [0o600, 0o640, 0o444] {
        fs::set_permissions(&target, fs::Permissions::from_mode(bits)).unwrap();
        savez(&target, [("x", &[1.0] as &dyn Save)]).unwrap();
        assert_eq!(mode(&target), bits);
    }
}

#[test]
fn links_are_followed_and_stay_links() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("data")).unwrap();
    symlink("data/real.npz", at("link.npz")).unwrap();
    symlink("link.npz", at("second.npz")).unwrap();
    for _ in 0..2 {
        // First where nothing is, then where a file is.
        savez(at("second.npz"), [("x", &[1.5] as &dyn Save)]).unwrap();
        assert!(fs::symlink_metadata(at("link.npz")).unwrap().is_symlink());
        assert!(fs::symlink_metadata(at("second.npz")).unwrap().is_symlink());
        assert_eq!(Npz::open(at("data/real.npz")).unwrap().read::<f64, Ix1>("x").unwrap()[0], 1.5);
        assert_eq!(fs::read_dir(at("data")).unwrap().count(), 1);
    }
    symlink("loop.npz", at("loop.npz")).unwrap();
    let error = NpzWriter::create(at("loop.npz")).unwrap_err().to_string();
    assert!(error.to_lowercase().contains("too many levels of symbolic links"), "{error}");
}

#[test]
fn what_is_no_regular_file_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [folder.path(), &fifo, Path::new("/dev/null")] {
        let error = NpzWriter::create(path).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotRegularFile { .. }), "{error}");
        assert_eq!(error.path(), Some(path));
    }
}

#[test]
fn a_folder_that_is_not_there_or_a_name_that_is_none_is_an_error_with_the_path() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["no/such/folder/a.npz", ""] {
        let path = folder.path().join(name);
        let path = if name.is_empty() { Path::new("") } else { &path };
        let error = NpzWriter::create(path).unwrap_err();
        assert_eq!(error.path(), Some(path));
        assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error}");
    }
}
