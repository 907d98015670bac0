//! Who may read and write what is replaced, before, meanwhile and after; and which links are followed.

use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use npzmap::{AtomicFile, ErrorKind, Header, Npz, NpzWriter, Result, Save, save, savez};
use tempfile::TempDir;

/// Names the file in a child process; without it the tests that are children do nothing.
const TARGET: &str = "NPZMAP_TEST_TARGET";

const NOBODY: u32 = 65534;

fn target() -> Option<PathBuf> {
    std::env::var_os(TARGET).map(PathBuf::from)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn owner(path: &Path) -> (u32, u32) {
    let metadata = fs::symlink_metadata(path).unwrap();
    (metadata.uid(), metadata.gid())
}

/// A folder that everybody may write to, with an archive in it.
fn archive() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o777);
    let path = folder.path().join("a.npz");
    savez(&path, [("x", &[1.0] as &dyn Save)]).unwrap();
    (folder, path)
}

/// One of the tests below, in a process of its own, by a copy of this program that everybody may run.
fn child(name: &str, target: &Path) -> (TempDir, Command) {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    let program = folder.path().join("it");
    // By another process: had this one the file open for writing, processes that other threads begin would keep it busy.
    assert!(Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status().unwrap().success());
    let mut command = Command::new(program);
    command.args([&format!("write::rights::{name}"), "--exact", "--ignored", "--nocapture"]).env(TARGET, target);
    (folder, command)
}

/// Runs it as nobody.
fn by_nobody(name: &str, target: &Path) {
    let (_folder, mut command) = child(name, target);
    let output = command.uid(NOBODY).gid(NOBODY).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// An array that sees what is in the folder while it is written.
struct Spy<'a>(&'a Path);

impl Save for Spy<'_> {
    fn header(&self) -> Result<Header> {
        [0_u8; 300_000][..].header()
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        for _ in 0..3 {
            put(&[1; 100_000])?;
            let temporary = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "tmp");
            let paths = fs::read_dir(self.0).unwrap().map(|entry| entry.unwrap().path());
            let modes: Vec<_> = paths.filter(temporary).map(|path| mode(&path)).collect();
            assert_eq!(modes, [0o600]);
        }
        Ok(())
    }
}

#[test]
fn until_it_is_complete_a_file_is_its_owners_alone() {
    for before in [None, Some(0o600), Some(0o640), Some(0o666)] {
        let (folder, path) = archive();
        let new = folder.path().join("new");
        fs::write(&new, "").unwrap();
        let expected = before.unwrap_or(mode(&new));
        fs::remove_file(new).unwrap();
        let ready = || match before {
            Some(bits) => set_mode(&path, bits),
            None => fs::remove_file(&path).unwrap_or_default(),
        };
        let spy = Spy(folder.path());
        let zip = |mut w: NpzWriter| {
            assert_eq!(mode(w.temporary_path()), 0o600);
            w.add("spy", &spy).unwrap();
            w.finish().unwrap();
            assert_eq!(mode(&path), expected);
        };
        ready();
        zip(NpzWriter::create(&path).unwrap());
        ready();
        if before.is_none() {
            zip(NpzWriter::create_new(&path).unwrap());
        } else {
            let old = Npz::open(&path).unwrap();
            zip(NpzWriter::replace(&path, old.source()).unwrap());
            savez(&path, [("x", &[1.0] as &dyn Save)]).unwrap();
            zip(NpzWriter::append(&path).unwrap());
        }
        ready();
        savez(&path, [("spy", &spy as &dyn Save)]).unwrap();
        assert_eq!(mode(&path), expected);
        ready();
        save(&path, &spy).unwrap();
        assert_eq!(mode(&path), expected);
        ready();
        let file = AtomicFile::create_no_follow(&path).unwrap();
        assert_eq!(mode(file.temporary_path()), 0o600);
        file.finish().unwrap();
        assert_eq!(mode(&path), expected);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
#[ignore = "reads on until it is killed"]
fn reads_what_it_can() {
    let Some(target) = target() else { return };
    println!("\nready");
    loop {
        for entry in fs::read_dir(&target).unwrap().flatten() {
            if File::open(entry.path()).is_ok() {
                println!("\nleak");
            }
        }
    }
}

#[test]
fn nobody_else_can_open_a_secret_while_it_is_replaced() {
    if !is_root() {
        return eprintln!("only the superuser can be somebody else");
    }
    let (folder, path) = archive();
    set_mode(&path, 0o600);
    let (_program, mut command) = child("reads_what_it_can", folder.path());
    let mut process = command.uid(NOBODY).gid(NOBODY).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"));
    for _ in 0..200 {
        savez(&path, [("x", &[1.0; 10_000] as &dyn Save)]).unwrap();
        let mut w = NpzWriter::append(&path).unwrap();
        w.add("y", &[1.0; 10_000]).unwrap();
        w.finish().unwrap();
    }
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(lines.filter(|line| line.as_ref().unwrap() == "leak").count(), 0);
}

#[test]
fn setuid_setgid_and_sticky_are_not_kept() {
    let (_folder, path) = archive();
    for (before, after) in [(0o4755, 0o755), (0o2755, 0o755), (0o6711, 0o711), (0o1644, 0o644), (0o7777, 0o777)] {
        set_mode(&path, before);
        savez(&path, [("x", &[1.0] as &dyn Save)]).unwrap();
        assert_eq!(mode(&path), after);
        set_mode(&path, before);
        NpzWriter::append(&path).unwrap().finish().unwrap();
        assert_eq!(mode(&path), after);
        set_mode(&path, before);
        save(&path, &[1.0]).unwrap();
        assert_eq!(mode(&path), after);
        savez(&path, [("x", &[1.0] as &dyn Save)]).unwrap();
    }
}

#[test]
fn rights_that_are_taken_away_while_it_is_written_stay_away() {
    let (_folder, path) = archive();
    set_mode(&path, 0o666);
    let file = AtomicFile::create(&path).unwrap();
    set_mode(&path, 0o600);
    file.finish().unwrap();
    assert_eq!(mode(&path), 0o600);
    // Also if the file is gone by then.
    let file = AtomicFile::create(&path).unwrap();
    fs::remove_file(&path).unwrap();
    file.finish().unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
#[ignore = "runs under a umask"]
fn makes_new_files() {
    let Some(folder) = target() else { return };
    fs::write(folder.join("plain"), "").unwrap();
    savez(folder.join("a.npz"), [("x", &[1.0] as &dyn Save)]).unwrap();
}

#[test]
fn a_new_file_has_the_mode_of_any_new_file() {
    for (umask, expected) in [("022", 0o644), ("027", 0o640), ("077", 0o600), ("000", 0o666)] {
        let folder = tempfile::tempdir().unwrap();
        let (_program, command) = child("makes_new_files", folder.path());
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]).arg(command.get_program());
        let output = shell.args(command.get_args()).env(TARGET, folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(["plain", "a.npz"].map(|name| mode(&folder.path().join(name))), [expected; 2]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

#[test]
fn owner_and_group_are_kept() {
    if !is_root() {
        return eprintln!("only the superuser can give files away");
    }
    let (_folder, path) = archive();
    for bits in [0o640, 0o600, 0o4660] {
        chown(&path, Some(1234), Some(5678)).unwrap();
        set_mode(&path, bits);
        savez(&path, [("x", &[1.0] as &dyn Save)]).unwrap();
        NpzWriter::append(&path).unwrap().finish().unwrap();
        assert_eq!((owner(&path), mode(&path)), ((1234, 5678), bits & 0o777));
    }
}

#[test]
#[ignore = "runs as nobody"]
fn replaces_a_file() {
    let Some(target) = target() else { return };
    savez(target, [("x", &[2.0] as &dyn Save)]).unwrap();
}

#[test]
fn who_may_not_keep_owner_and_group_grants_nobody_more() {
    if !is_root() {
        return eprintln!("only the superuser can be somebody else");
    }
    // Members of the new group were others before, members of the old group are others now.
    for (group, before, after) in [
        (0, 0o664, 0o644),
        (0, 0o640, 0o600),
        (0, 0o604, 0o600),
        (0, 0o646, 0o644),
        (0, 0o4775, 0o755),
        (0, 0o600, 0o600),
        (NOBODY, 0o660, 0o660),
        (NOBODY, 0o640, 0o640),
    ] {
        let (_folder, path) = archive();
        chown(&path, Some(0), Some(group)).unwrap();
        set_mode(&path, before);
        by_nobody("replaces_a_file", &path);
        assert_eq!((owner(&path), mode(&path)), ((NOBODY, NOBODY), after), "{before:o}");
        assert_eq!(Npz::open(&path).unwrap().read::<f64, ndarray::Ix1>("x").unwrap()[0], 2.0);
    }
}

#[cfg(target_os = "linux")]
const ACCESS: &str = "system.posix_acl_access";
#[cfg(target_os = "linux")]
const DEFAULT: &str = "system.posix_acl_default";

/// An ACL: the bits of owner, of user 1234, of the group, of the mask, and of others.
#[cfg(target_os = "linux")]
fn acl([owner, user, group, mask, other]: [u16; 5]) -> Vec<u8> {
    const NONE: u32 = u32::MAX;
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, bits, id) in
        [(1, owner, NONE), (2, user, 1234), (4, group, NONE), (0x10, mask, NONE), (0x20, other, NONE)]
    {
        let tag: u16 = tag;
        bytes.extend([tag.to_le_bytes(), bits.to_le_bytes()].concat());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

#[cfg(target_os = "linux")]
fn get_acl(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 1000];
    let size = rustix::fs::lgetxattr(path, name, &mut bytes[..]).ok()?;
    bytes.truncate(size);
    Some(bytes)
}

/// Whether the file system has ACLs.
#[cfg(target_os = "linux")]
fn set_acl(path: &Path, name: &str, bits: [u16; 5]) -> bool {
    match rustix::fs::lsetxattr(path, name, &acl(bits), rustix::fs::XattrFlags::empty()) {
        Err(rustix::io::Errno::OPNOTSUPP) => {
            eprintln!("the file system has no ACLs");
            false
        }
        result => {
            result.unwrap();
            true
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_acl_is_kept() {
    let (_folder, path) = archive();
    let bits = [6, 4, 0, 4, 0];
    if !set_acl(&path, ACCESS, bits) {
        return;
    }
    for _ in 0..2 {
        savez(&path, [("x", &[1.0] as &dyn Save)]).unwrap();
        NpzWriter::append(&path).unwrap().finish().unwrap();
        // Without it the bits of the mask would be the group's.
        assert_eq!((get_acl(&path, ACCESS), mode(&path)), (Some(acl(bits)), 0o640));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn where_an_acl_cannot_be_kept_nobody_gets_more() {
    if !is_root() {
        return eprintln!("only the superuser can be somebody else");
    }
    for (group, bits, after) in [
        (0, [6, 4, 0, 4, 0], 0o600),
        (0, [6, 0, 4, 4, 4], 0o600), // user 1234 had nothing
        (0, [6, 6, 6, 6, 4], 0o644),
        (0, [6, 7, 7, 4, 5], 0o644),
    ] {
        let (_folder, path) = archive();
        chown(&path, Some(0), Some(group)).unwrap();
        if !set_acl(&path, ACCESS, bits) {
            return;
        }
        by_nobody("replaces_a_file", &path);
        assert_eq!((get_acl(&path, ACCESS), mode(&path)), (None, after), "{bits:?}");
    }
    // Its owner is another one, its group the same.
    let (_folder, path) = archive();
    chown(&path, Some(0), Some(NOBODY)).unwrap();
    set_acl(&path, ACCESS, [6, 4, 0, 4, 0]);
    by_nobody("replaces_a_file", &path);
    assert_eq!((get_acl(&path, ACCESS), mode(&path)), (Some(acl([6, 4, 0, 4, 0])), 0o640));
}

#[cfg(target_os = "linux")]
#[test]
fn the_acl_of_a_folder_is_for_new_files_and_adds_nobody_to_a_file_that_is_replaced() {
    let (folder, path) = archive();
    set_mode(&path, 0o640);
    if !set_acl(folder.path(), DEFAULT, [7, 7, 0, 7, 0]) {
        return;
    }
    savez(&path, [("x", &[1.0] as &dyn Save)]).unwrap();
    assert_eq!((get_acl(&path, ACCESS), mode(&path)), (None, 0o640));
    let [new, plain] = ["new.npz", "plain"].map(|name| folder.path().join(name));
    savez(&new, [("x", &[1.0] as &dyn Save)]).unwrap();
    fs::write(&plain, "").unwrap();
    assert!(get_acl(&plain, ACCESS).is_some());
    assert_eq!((get_acl(&new, ACCESS), mode(&new)), (get_acl(&plain, ACCESS), mode(&plain)));
    assert_eq!(mode(&new), 0o660);
}

/// A link of `link_owner`'s in a folder of `folder_owner`'s.
fn link_in(folder: &Path, folder_mode: u32, folder_owner: u32, link_owner: u32, to: &Path) -> PathBuf {
    let link = folder.join("link.npz");
    let _ = fs::remove_file(&link);
    symlink(to, &link).unwrap();
    lchown(&link, Some(link_owner), None).unwrap();
    chown(folder, Some(folder_owner), None).unwrap();
    set_mode(folder, folder_mode);
    link
}

fn is_denied(error: &npzmap::Error) -> bool {
    matches!(error.kind(), ErrorKind::Io(error) if error.kind() == io::ErrorKind::PermissionDenied)
}

#[test]
fn a_strangers_link_to_nothing_is_not_followed_in_a_folder_for_everybody() {
    if !is_root() {
        return eprintln!("only the superuser can be somebody else");
    }
    let (shared, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let aim = other.path().join("aim.npz");
    for (folder_mode, folder_owner, link_owner, follows) in [
        (0o1777, 0, 1234, false),
        (0o1777, 5678, 1234, false),
        (0o1777, 0, 0, true),
        (0o1777, 1234, 1234, true),
        (0o1777, 1234, 0, true),
        (0o777, 0, 1234, true),
        (0o1755, 0, 1234, true),
    ] {
        let link = link_in(shared.path(), folder_mode, folder_owner, link_owner, &aim);
        // Also by way of a link that is our own.
        let detour = other.path().join("detour.npz");
        symlink(&link, &detour).unwrap();
        for path in [&link, &detour] {
            let result = savez(path, [("x", &[1.0] as &dyn Save)]);
            assert_eq!(
                (result.is_ok(), aim.exists()),
                (follows, follows),
                "{folder_mode:o} {folder_owner} {link_owner}"
            );
            match result {
                Ok(()) => fs::remove_file(&aim).unwrap(),
                Err(error) => assert!(is_denied(&error) && error.path() == Some(path), "{error}"),
            }
        }
        fs::remove_file(detour).unwrap();
        assert_eq!(fs::read_dir(shared.path()).unwrap().count() + fs::read_dir(other.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_strangers_link_to_a_file_is_followed_where_the_system_follows_it() {
    if !is_root() {
        return eprintln!("only the superuser can be somebody else");
    }
    let (shared, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let aim = other.path().join("aim.npz");
    for (folder_mode, link_owner) in [(0o1777, 1234), (0o1777, 0), (0o777, 1234)] {
        fs::write(&aim, "untouched").unwrap();
        let link = link_in(shared.path(), folder_mode, 0, link_owner, &aim);
        // With fs.protected_symlinks the first of them is not.
        let system = File::options().write(true).open(&link);
        let result = savez(&link, [("x", &[1.0] as &dyn Save)]);
        assert_eq!(result.is_ok(), system.is_ok(), "{folder_mode:o} {link_owner}");
        assert_eq!(fs::read(&aim).unwrap() != b"untouched", system.is_ok());
        assert!(result.is_ok() || is_denied(&result.unwrap_err()));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_link_that_only_the_kernel_can_follow_leads_to_no_name_that_it_spells() {
    use std::os::fd::AsRawFd;

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = File::create(at("gone.npz")).unwrap();
    fs::remove_file(at("gone.npz")).unwrap();
    // It reads 'gone.npz (deleted)', and leads to the open file.
    symlink(format!("/proc/self/fd/{}", file.as_raw_fd()), at("link.npz")).unwrap();
    let error = savez(at("link.npz"), [("x", &[1.0] as &dyn Save)]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::FileChanged { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // One that is there is found.
    let file = File::create(at("there.npz")).unwrap();
    fs::remove_file(at("link.npz")).unwrap();
    symlink(format!("/proc/self/fd/{}", file.as_raw_fd()), at("link.npz")).unwrap();
    savez(at("link.npz"), [("x", &[1.5] as &dyn Save)]).unwrap();
    assert!(Npz::open(at("there.npz")).unwrap().contains("x"));
}

#[test]
fn no_link_is_followed_by_create_no_follow() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("aim"), "untouched").unwrap();
    symlink("aim", at("link")).unwrap();
    let error = AtomicFile::create_no_follow(at("link")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(error) if error.kind() == io::ErrorKind::AlreadyExists), "{error}");
    // One that comes up meanwhile is replaced.
    let file = AtomicFile::create_no_follow(at("new")).unwrap();
    symlink("aim", at("new")).unwrap();
    file.finish().unwrap();
    assert!(fs::symlink_metadata(at("new")).unwrap().is_file());
    assert_eq!(fs::read(at("aim")).unwrap(), b"untouched");
}
