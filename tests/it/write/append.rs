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
fn a_key_is_replaced_whatever_its_name_was_encoded_in_and_with_or_without_a_suffix() {
    let (_folder, path) = copy_of("cp437.npz");
    let old = keys(&Npz::open(&path).unwrap());
    let mut w = NpzWriter::append(&path).unwrap();
    for key in &old {
        w.add(key, &[1_u8]).unwrap();
    }
    w.finish().unwrap();
    let npz = Npz::open(&path).unwrap();
    assert_eq!(keys(&npz), old);
    assert!(npz.members().all(|member| member.read::<u8, Ix1>().unwrap().to_vec() == [1]));

    let mut w = NpzWriter::create(&path).unwrap();
    w.add_bytes("notes", b"raw").unwrap();
    w.finish().unwrap();
    let mut w = NpzWriter::append(&path).unwrap();
    w.add("notes", &[1_u8]).unwrap();
    w.finish().unwrap();
    assert_eq!(Npz::open(&path).unwrap().read::<u8, Ix1>("notes").unwrap().to_vec(), [1]);
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
