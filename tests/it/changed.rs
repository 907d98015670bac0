//! Files that are not the ones any more that were opened, and what the kernel is told about those that are.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ndarray::{Ix1, Ix2};
use npzmap::{Advice, ErrorKind, Fault, FileSource, Mapping, Npy, Npz, Result};
use tempfile::TempDir;

use crate::elements::map;
use crate::fixtures;

/// A copy of a fixture, in a folder of its own.
fn copy(file: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    fs::write(&path, fixtures::bytes(file)).unwrap();
    (folder, path)
}

#[expect(unsafe_code, reason = "mapping a file is a promise about it")]
fn map_copy(path: &Path) -> Npz<Mapping> {
    // SAFETY: the tests below replace the file or touch its times; what is mapped is neither written nor cut off.
    unsafe { Npz::map(path) }.unwrap()
}

#[expect(unsafe_code, reason = "mapping a file is a promise about it")]
fn map_plain(path: &Path) -> Npy<Mapping> {
    // SAFETY: as above.
    unsafe { Npy::map(path) }.unwrap()
}

fn append(path: &Path) {
    File::options().append(true).open(path).unwrap().write_all(b"more").unwrap();
}

/// Other bytes, as many as there were, some seconds later.
fn overwrite(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    let mut file = File::options().write(true).open(path).unwrap();
    file.write_all(&vec![0; usize::try_from(length).unwrap()]).unwrap();
    touch(path);
}

fn touch(path: &Path) {
    let later = SystemTime::now() + Duration::from_secs(5);
    File::options().write(true).open(path).unwrap().set_modified(later).unwrap();
}

/// The same bytes with the same times, in another file.
fn replace(path: &Path) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let other = path.with_extension("new");
    fs::copy(path, &other).unwrap();
    File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
    fs::rename(other, path).unwrap();
}

#[track_caller]
fn assert_changed(result: Result<()>, expected: &str, path: Option<&Path>) {
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::FileChanged { what } if *what == expected), "{error}");
    assert_eq!((error.path(), error.kind().fault(), error.kind().rule()), (path, Fault::System, Some("M2")), "{error}");
    assert!(error.to_string().contains(expected), "{error}");
}

const LENGTH: &str = "length";
const TIME: &str = "time of modification";
const FILE: &str = "device or inode";

#[test]
fn an_archive_that_nobody_touched_is_unchanged() {
    let (_folder, path) = copy("model-batch.npz");
    let (opened, mapped) = (Npz::open(&path).unwrap(), map_copy(&path));
    let file = Npz::open_file(File::open(&path).unwrap()).unwrap();
    for _ in 0..2 {
        opened.check_unchanged().unwrap();
        mapped.check_unchanged().unwrap();
        file.check_unchanged().unwrap();
        assert_eq!(opened.read::<f32, Ix2>("features").unwrap(), mapped.read::<f32, Ix2>("features").unwrap());
    }
    opened.source().check_unchanged().unwrap();
    assert_eq!(opened.source().file().metadata().unwrap().len(), 655);
    assert_eq!(mapped.source().file().metadata().unwrap().len(), 655);
}

#[test]
fn an_archive_that_grew_is_another() {
    let (_folder, path) = copy("model-batch.npz");
    let opened = Npz::open(&path).unwrap();
    let file = Npz::open_file(File::open(&path).unwrap()).unwrap();
    append(&path);
    assert_changed(opened.check_unchanged(), LENGTH, Some(&path));
    assert_changed(file.check_unchanged(), LENGTH, None);
    assert_changed(opened.source().check_unchanged(), LENGTH, None);
    // Opened anew, it is what it is now: no archive.
    assert!(Npz::open(&path).is_err());
}

#[test]
fn an_archive_that_was_cut_off_is_another() {
    let (_folder, path) = copy("model-batch.npz");
    let opened = Npz::open(&path).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(100).unwrap();
    assert_changed(opened.check_unchanged(), LENGTH, Some(&path));
    // To read from it is an error, and nothing worse.
    assert!(opened.read::<i64, Ix1>("labels").is_err());
}

#[test]
fn an_archive_that_was_overwritten_in_place_is_another() {
    let (_folder, path) = copy("model-batch.npz");
    let opened = Npz::open(&path).unwrap();
    overwrite(&path);
    assert_changed(opened.check_unchanged(), TIME, Some(&path));
    assert!(opened.read::<f32, Ix2>("features").is_err());
}

#[test]
fn an_archive_that_was_touched_is_taken_for_another() {
    let (_folder, path) = copy("model-batch-stored.npz");
    let (opened, mapped) = (Npz::open(&path).unwrap(), map_copy(&path));
    touch(&path);
    assert_changed(opened.check_unchanged(), TIME, Some(&path));
    assert_changed(mapped.check_unchanged(), TIME, Some(&path));
    Npz::open(&path).unwrap().check_unchanged().unwrap();
}

#[cfg(unix)]
#[test]
fn an_archive_whose_path_leads_to_another_file_is_another() {
    let (_folder, path) = copy("model-batch-stored.npz");
    let (opened, mapped) = (Npz::open(&path).unwrap(), map_copy(&path));
    let file = Npz::open_file(File::open(&path).unwrap()).unwrap();
    replace(&path);
    assert_changed(opened.check_unchanged(), FILE, Some(&path));
    assert_changed(mapped.check_unchanged(), FILE, Some(&path));
    // The open files themselves are what they were, and so are the arrays.
    file.check_unchanged().unwrap();
    opened.source().check_unchanged().unwrap();
    mapped.source().check_unchanged().unwrap();
    assert_eq!(opened.read::<i64, Ix1>("labels").unwrap().to_vec(), [0, 1, 1]);
    assert_eq!(mapped.read::<i64, Ix1>("labels").unwrap().to_vec(), [0, 1, 1]);
    Npz::open(&path).unwrap().check_unchanged().unwrap();
}

#[cfg(unix)]
#[test]
fn an_archive_whose_path_leads_nowhere_is_no_longer_there() {
    let (_folder, path) = copy("model-batch-stored.npz");
    let mapped = map_copy(&path);
    fs::remove_file(&path).unwrap();
    let error = mapped.check_unchanged().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(source) if source.kind() == std::io::ErrorKind::NotFound), "{error}");
    assert_eq!(error.path(), Some(&*path));
    fs::create_dir(&path).unwrap();
    let error = mapped.check_unchanged().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotRegularFile { .. }), "{error}");
    mapped.source().check_unchanged().unwrap();
}

#[cfg(unix)]
#[test]
fn a_plain_file_is_watched_in_the_same_way() {
    let (_folder, path) = copy("plain.npy");
    let opened = Npy::open(&path).unwrap();
    opened.check_unchanged().unwrap();
    append(&path);
    assert_changed(opened.check_unchanged(), LENGTH, Some(&path));

    let (_folder, path) = copy("plain.npy");
    let opened = Npy::open(&path).unwrap();
    overwrite(&path);
    assert_changed(opened.check_unchanged(), TIME, Some(&path));

    let (_folder, path) = copy("plain.npy");
    let (opened, mapped) = (Npy::open(&path).unwrap(), map_plain(&path));
    mapped.check_unchanged().unwrap();
    replace(&path);
    assert_changed(opened.check_unchanged(), FILE, Some(&path));
    assert_changed(mapped.check_unchanged(), FILE, Some(&path));
    assert_eq!(mapped.view::<f32, Ix2>().unwrap()[(0, 2)], 1.5);
}

#[test]
fn advice_changes_no_value() {
    let npz = map("kinds-stored.npz");
    let before = npz.read::<i64, Ix2>("i8-le-c").unwrap();
    for advice in [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed, Advice::Populate] {
        npz.advise(advice).unwrap_or_else(|error| panic!("{advice:?}: {error}"));
        npz.source().advise(advice).unwrap_or_else(|error| panic!("{advice:?}: {error}"));
        assert_eq!(npz.read::<i64, Ix2>("i8-le-c").unwrap(), before, "{advice:?}");
    }
    assert_eq!(before[(0, 1)], 1);
}

#[test]
fn any_member_is_fetched_in_advance() {
    for file in ["kinds-stored.npz", "kinds-deflated.npz", "keys.npz", "shapes.npz", "model-batch-aligned.npz"] {
        let npz = map(file);
        let before: Vec<_> = npz.members().map(|member| member.bytes().unwrap().into_owned()).collect();
        for member in npz.members() {
            npz.prefetch(&member.text()).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
        let after: Vec<_> = npz.members().map(|member| member.bytes().unwrap().into_owned()).collect();
        assert!(before == after && !before.is_empty(), "{file}");
    }
    let npz = map("model-batch.npz");
    let error = npz.prefetch("nothing").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoSuchKey), "{error}");
    assert_eq!((error.member(), error.path()), (Some("nothing"), Some(&*fixtures::path("model-batch.npz"))));
    map("empty.npz").advise(Advice::WillNeed).unwrap();
}
