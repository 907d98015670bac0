//! Several disks, and numbers of 64 bits, at the end of the file: Z12, Z13.

use npzmap::ErrorKind as K;

use super::*;
use crate::forge::{End, WIDE, WIDE16, Zip64, extra};

pub(super) fn with_zip64(mut archive: Archive) -> Archive {
    archive.zip64 = Some(Zip64::new());
    archive.lay_out();
    archive
}

/// All fields of the end record refer to the zip64 one.
pub(super) fn wide(archive: &mut Archive) {
    let end = &mut archive.end;
    (end.disk, end.first_disk, end.disk_entries, end.entries) = (WIDE16, WIDE16, WIDE16, WIDE16);
    (end.size, end.offset) = (WIDE, WIDE);
}

// Z12

#[test]
fn z12_several_disks_are_refused() {
    for disk in [1, 2, WIDE16] {
        let lies: [fn(&mut End, u16); 3] =
            [|end, disk| end.disk = disk, |end, disk| end.first_disk = disk, |end, disk| end.disk_entries = disk];
        for tell in lies {
            let archive = lie(|archive| tell(&mut archive.end, disk));
            let error = unopened(&archive.bytes(), archive.end_at());
            assert_rule!(error, "Z12", K::MultiDisk { found, .. } if *found == u64::from(disk));
        }
    }
}

type Lie = fn(&mut Zip64);

#[test]
fn z12_several_disks_are_refused_in_the_zip64_records() {
    let lies: [(bool, Lie); 7] = [
        (false, |zip64| zip64.locator_disk = 1),
        (false, |zip64| zip64.disks = 2),
        (false, |zip64| zip64.disks = WIDE),
        (true, |zip64| zip64.disk = 1),
        (true, |zip64| zip64.first_disk = 1),
        (true, |zip64| zip64.disk_entries = 2),
        (true, |zip64| zip64.disk_entries = u64::MAX),
    ];
    for (in_record, tell) in lies {
        let mut archive = with_zip64(three());
        wide(&mut archive);
        tell(archive.zip64.as_mut().unwrap());
        let at = if in_record { archive.directory_end() } else { archive.end_at() - 20 };
        assert_rule!(unopened(&archive.bytes(), at), "Z12", K::MultiDisk { .. });
    }
    // Some writers count no disk where there is one.
    let mut archive = with_zip64(three());
    archive.zip64.as_mut().unwrap().disks = 0;
    reads(&archive, 3);
}

#[test]
fn z12_a_member_on_another_disk_is_refused_and_the_others_read() {
    for disk in [1, WIDE16 - 1, WIDE16] {
        let error = refused(&lie(|archive| archive.records[X].disk = disk), "x", Place::Record);
        assert_rule!(error, "Z12", K::MultiDisk { found, .. } if *found == u64::from(disk));
    }
    // All ones refer to a zip64 field, and to no other one.
    let ones = |archive: &mut Archive| {
        (archive.records[X].disk, archive.records[X].extra) = (WIDE16, extra(0xcafe, b""));
        archive.lay_out();
    };
    assert_rule!(refused(&lie(ones), "x", Place::Record), "Z12", K::MultiDisk { found: 0xffff, .. });
}

// Z13

#[test]
fn z13_a_zip64_end_record_reads_with_and_without_need() {
    let mut archive = with_zip64(three());
    reads(&archive, 3);
    wide(&mut archive);
    reads(&archive, 3);
    for length in [9, 4000, WIDE16] {
        archive.end.comment = vec![b'c'; length.into()];
        archive.end.comment_length = length;
        reads(&archive, 3);
    }
    let mut empty = with_zip64(Archive::new(Vec::new()));
    reads(&empty, 0);
    wide(&mut empty);
    reads(&empty, 0);
}

/// An archive with a zip64 end record that all classic fields refer to, and a lie in it.
fn zip64(tell: impl FnOnce(&mut Zip64)) -> Archive {
    let mut archive = with_zip64(three());
    wide(&mut archive);
    tell(archive.zip64.as_mut().unwrap());
    archive
}

#[track_caller]
fn bad_zip64(archive: &Archive, at: u64) -> Error {
    let error = unopened(&archive.bytes(), at);
    assert_rule!(error, "Z13", K::BadZip64 { found, expected, .. } if found != expected);
    error
}

#[test]
fn z13_a_locator_that_leads_elsewhere_is_refused() {
    let so = zip64(|_| ()).directory_end();
    for offset in [0, so - 1, so + 1, so + 56, 1 << 32, u64::MAX] {
        let archive = zip64(|zip64| zip64.locator_offset = offset);
        let error = bad_zip64(&archive, archive.end_at() - 20);
        assert!(matches!(error.kind(), K::BadZip64 { found, expected, .. } if (*found, *expected) == (offset, so)));
    }
    // Behind a prefix, where it is moved with everything else.
    let mut archive = zip64(|_| ());
    archive.prefix = b"#!/bin/sh\n".into();
    archive.zip64.as_mut().unwrap().locator_offset += 10;
    bad_zip64(&archive, archive.end_at() - 20);
}

#[test]
fn z13_a_locator_before_which_no_record_ends_is_refused() {
    let missing = |archive: Archive| {
        let error = bad_zip64(&archive, archive.end_at() - 20);
        assert!(matches!(error.kind(), K::BadZip64 { field: "signature of the end record", .. }), "{error:?}");
    };
    for index in 0..4 {
        missing(zip64(|zip64| zip64.signature[index] ^= 1));
    }
    // Extensible data, whether the length counts it or not.
    for length in [44, 48] {
        for count in [4, 60] {
            missing(zip64(|zip64| (zip64.length, zip64.extensible) = (length, vec![0; count])));
        }
    }
    // A locator at the start of the file, without a record.
    let archive = zip64(|_| ());
    let bytes = archive.bytes();
    for keep in [0, 55] {
        let alone = &bytes[usize::try_from(archive.end_at() - 20 - keep).unwrap()..];
        assert_rule!(unopened(alone, keep), "Z13", K::BadZip64 { .. });
    }
}

#[test]
fn z13_a_record_of_another_length_is_refused() {
    for length in [0, 43, 45, 56, 1 << 32, u64::MAX] {
        let archive = zip64(|zip64| zip64.length = length);
        let error = bad_zip64(&archive, archive.directory_end());
        assert!(matches!(error.kind(), K::BadZip64 { found, expected: 44, .. } if *found == length));
    }
}

#[test]
fn z13_a_directory_that_does_not_end_at_the_record_is_refused() {
    let sound = zip64(|_| ()).zip64.unwrap();
    // What is too large does not fit before the record; what is too small is a prefix, of which the locator knows nothing.
    let refused = |archive: Archive, too_large: bool| {
        let at = if too_large { archive.directory_end() } else { archive.end_at() - 20 };
        bad_zip64(&archive, at);
    };
    for size in [0, sound.size - 1, sound.size + 1, sound.size + sound.offset + 1, 1 << 32, u64::MAX] {
        refused(zip64(|zip64| zip64.size = size), size > sound.size);
    }
    for offset in [0, sound.offset - 1, sound.offset + 1, 1 << 32, u64::MAX] {
        refused(zip64(|zip64| zip64.offset = offset), offset > sound.offset);
    }
}

#[test]
fn z13_a_classic_field_that_differs_from_its_wide_twin_is_refused() {
    let lies: [fn(&mut End); 6] = [
        |end| end.disk = 1,
        |end| end.first_disk = 1,
        |end| end.disk_entries += 1,
        |end| end.entries -= 1,
        |end| end.size += 1,
        |end| end.offset -= 1,
    ];
    for tell in lies {
        let mut archive = with_zip64(three());
        tell(&mut archive.end);
        bad_zip64(&archive, archive.end_at());
        let mut archive = with_zip64(three());
        tell(&mut archive.end);
        archive.prefix = b"#!/bin/sh\n".into();
        bad_zip64(&archive, archive.end_at());
    }
}

#[test]
fn z13_without_its_locator_a_zip64_end_record_is_nothing() {
    // The classic fields are right, but for the bytes between the directory and the end record.
    let signatures = (0..4).map(|index| {
        let mut signature = *b"PK\x06\x07";
        signature[index] ^= 1;
        (signature, vec![])
    });
    for (signature, gap) in signatures.chain([(*b"PK\x06\x07", vec![0])]) {
        let mut archive = with_zip64(three());
        let zip64 = archive.zip64.as_mut().unwrap();
        (zip64.locator_signature, zip64.gap) = (signature, gap);
        let at = archive.end_at() - u64::from(archive.end.size);
        assert_rule!(unopened(&archive.bytes(), at), "Z11", K::BadDirectory { .. });
        // All ones refer to nothing.
        (archive.end.size, archive.end.offset) = (WIDE, WIDE);
        let error = unopened(&archive.bytes(), archive.end_at());
        assert_rule!(error, "Z11", K::DirectoryMismatch { field: "size", found: 0xffff_ffff, .. });
    }
}
