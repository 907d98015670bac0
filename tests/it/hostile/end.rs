//! The end of the file and the directory, by which an archive is opened: Z8 to Z11.

use ndarray::Ix1;
use npzmap::{ErrorKind as K, Npz};

use super::zip64::{wide, with_zip64};
use super::*;
use crate::forge::{End, WIDE, WIDE16, Zip64};

/// An end record of its own: of an empty archive, with a comment of this length.
fn end(comment_length: u16) -> Vec<u8> {
    let empty = Archive::new(Vec::new()).end;
    End { comment_length, ..empty }.bytes()
}

fn commented(comment: &[u8]) -> Archive {
    built(|archive| archive.end.comment = comment.into())
}

// Z8

#[test]
fn z8_what_has_no_end_record_is_no_archive() {
    let sound = three().bytes();
    let cut = &sound[..sound.len() - 1];
    let cases: [&[u8]; 11] = [
        b"",
        b"P",
        b"PK\x05\x06",
        &end(0)[..21],
        &[0; 22],
        &[0; 100_000],
        &u32s(&[1, 2, 3]),
        b"model.npz",
        cut,
        &sound[..sound.len() - 22],
        &[&end(1)[..], &vec![0; 70_000]].concat(),
    ];
    for bytes in cases {
        let length = bytes.len() as u64;
        assert_rule!(unopened(bytes, None), "Z8", K::NotAnArchive { size } if *size == length);
    }
}

#[test]
fn z8_a_signature_of_which_a_byte_is_another_one_is_none() {
    for index in 0..4 {
        let archive = lie(|archive| archive.end.signature[index] ^= 1);
        let length = archive.bytes().len() as u64;
        assert_rule!(unopened(&archive.bytes(), None), "Z8", K::NotAnArchive { size } if *size == length);
    }
}

#[test]
fn z8_a_comment_that_is_longer_than_the_file_makes_no_end_record() {
    for length in [1, 100, WIDE16] {
        let archive = lie(|archive| archive.end.comment_length = length);
        assert_rule!(unopened(&archive.bytes(), None), "Z8", K::NotAnArchive { .. });
    }
}

#[test]
fn z8_an_archive_of_no_members_is_one() {
    reads(&Archive::new(Vec::new()), 0);
    assert_eq!(Npz::new(end(0)).unwrap().len(), 0);
}

#[test]
fn z8_the_comment_may_have_any_length() {
    // Among them those at which the end record leaves the bytes that are read first.
    for length in [1, 2, 21, 22, 23, 4073, 4074, 4075, 4096, 65_534, 65_535] {
        reads(&commented(&vec![b'c'; length]), 3);
    }
}

#[test]
fn z8_a_record_that_ends_the_file_with_an_empty_comment_ends_the_search() {
    // As NumPy has it: the comment is an archive by itself, of no members, and what stands before is a prefix.
    reads(&commented(&end(0)), 0);
    // An end record in the content of a member whose comment would reach the end of the file does not count.
    let archive = closed_by_x(b"");
    each_reader!(&archive.bytes(), |npz| the_others_read(&npz.unwrap(), &["x"]));
}

/// The content of `x` is an end record whose comment ends with the file.
fn closed_by_x(comment: &[u8]) -> Archive {
    let mut archive = with_x(stored("x.npy", &end(0)));
    archive.end.comment = comment.into();
    archive.lay_out();
    let reach = archive.bytes().len() as u64 - archive.data_at(X) - 22;
    archive.entries[X].data = end(u16::try_from(reach).unwrap());
    let sum = crc32fast::hash(&archive.entries[X].data);
    both(&mut archive, X, |header| header.crc32 = sum);
    archive
}

#[test]
fn z8_two_records_that_close_the_file_are_ambiguous() {
    // In the comment, where its own comment ends with the file, too.
    let inner = [&end(3)[..], b"end"].concat();
    for before in [0, 1, 5000, 60_000] {
        let comment = [&vec![b'c'; before], &inner[..]].concat();
        let archive = commented(&comment);
        let (first, second) = (archive.end_at(), archive.end_at() + 22 + before as u64);
        let error = unopened(&archive.bytes(), second);
        assert_rule!(error, "Z8", K::AmbiguousEnd { other } if *other == first);
    }
    // In the content of a member, before the right one.
    let archive = closed_by_x(b"comment");
    let first = archive.data_at(X);
    let error = unopened(&archive.bytes(), archive.end_at());
    assert_rule!(error, "Z8", K::AmbiguousEnd { other } if *other == first);
}

#[test]
fn z8_a_signature_behind_the_right_record_is_ambiguous() {
    // NumPy takes the last signature, whatever follows it.
    let comments = [
        b"PK\x05\x06".to_vec(),
        b"before PK\x05\x06".to_vec(),
        b"PK\x05\x06 after".to_vec(),
        [&end(0)[..], b"!"].concat(),
        [&end(100)[..], b"!"].concat(),
        [&end(0)[..], &vec![b'c'; 60_000]].concat(),
        [&vec![b'c'; 65_531][..], b"PK\x05\x06"].concat(),
    ];
    for comment in comments {
        let archive = commented(&comment);
        let error = unopened(&archive.bytes(), archive.end_at());
        assert_rule!(error, "Z8", K::AmbiguousEnd { other } if *other > archive.end_at());
    }
}

#[test]
fn z8_a_signature_before_the_right_record_is_none() {
    let mut archive = with_x(stored("x.npy", &u32s(&[0x0605_4b50, 0x0605_4b50, 0x0605_4b50])));
    archive.end.comment = b"comment".into();
    archive.records[0].comment = end(0);
    archive.lay_out();
    each_reader!(&archive.bytes(), |npz| {
        let npz = npz.unwrap();
        the_others_read(&npz, &["x"]);
        assert_eq!(npz.read::<u32, Ix1>("x").unwrap().to_vec(), [0x0605_4b50; 3]);
    });
}

// Z9

#[test]
fn z9_bytes_behind_the_end_record_are_refused() {
    let comments: [&[u8]; 2] = [b"", b"a comment"];
    for comment in comments {
        for trailing in [vec![0], b"\n".to_vec(), vec![0; 21], vec![0; 22], vec![b'P'; 5000], vec![0; 65_000]] {
            let mut archive = commented(comment);
            let more = trailing.len() as u64;
            archive.trailing = trailing;
            let error = unopened(&archive.bytes(), archive.end_at());
            assert_rule!(error, "Z9", K::TrailingBytes { count } if *count == more);
        }
    }
}

#[test]
fn z9_a_comment_that_is_shorter_than_the_bytes_behind_the_record_leaves_some_over() {
    let mut archive = commented(b"a comment");
    archive.end.comment_length = 8;
    assert_rule!(unopened(&archive.bytes(), archive.end_at()), "Z9", K::TrailingBytes { count: 1 });
}

// Z10

fn prefixed(prefix: &[u8]) -> Archive {
    built(|archive| archive.prefix = prefix.into())
}

#[test]
fn z10_an_archive_behind_a_prefix_reads() {
    for length in [1, 4, 22, 5000, 100_000] {
        let archive = prefixed(&vec![b'#'; length]);
        reads(&archive, 3);
        let npz = Npz::new(archive.bytes()).unwrap();
        let payload = npz.member("x").unwrap().payload_offset().unwrap();
        assert_eq!(payload, Some(archive.data_at(X) + 128));
        let mut archive = with_zip64(archive);
        reads(&archive, 3);
        wide(&mut archive);
        reads(&archive, 3);
    }
    reads(&Archive { prefix: b"#!/bin/sh\n".into(), ..Archive::new(Vec::new()) }, 0);
    let mut commented = commented(b"a comment");
    commented.prefix = three().bytes()[1..].into();
    reads(&commented, 3);
}

#[test]
fn z10_bytes_before_the_archive_that_the_offsets_count_are_no_prefix() {
    reads(&built(|archive| archive.entries[0].gap = b"#!/bin/sh\n".into()), 3);
}

#[test]
fn z10_of_two_archives_one_behind_the_other_the_last_one_reads() {
    let first = Archive::new(["p.npy", "q.npy"].map(sound).into());
    let both = Archive { prefix: first.bytes(), ..three() };
    reads(&both, 3);
    each_reader!(&both.bytes(), |npz| assert!(!npz.unwrap().contains("p")));
    // Of which only one end fits the first archive.
    for names in [["before.npy", "q.npy", "after.npy"], ["p.npy", "x.npy", "after.npy"]] {
        let first = Archive::new(names.map(sound).into());
        let both = Archive { prefix: first.bytes(), ..three() };
        if first.records[2].offset == both.records[2].offset && names[0] == "before.npy" {
            let base = first.bytes().len() as u64;
            let error = unopened(&both.bytes(), both.end_at());
            assert_rule!(error, "Z10", K::AmbiguousStart { base: found } if *found == base);
        } else {
            reads(&both, 3);
        }
    }
}

#[test]
fn z10_members_that_are_there_with_and_without_the_prefix_are_ambiguous() {
    for archive in [three(), with_zip64(three()), Archive::new(vec![sound("x.npy")])] {
        let twice = Archive { prefix: archive.bytes(), ..archive.clone() };
        let base = archive.bytes().len() as u64;
        let error = unopened(&twice.bytes(), twice.directory_end());
        assert_rule!(error, "Z10", K::AmbiguousStart { base: found } if *found == base);
    }
}

#[test]
fn z10_a_member_that_lies_only_where_the_prefix_is_not_counted_is_ambiguous() {
    for damaged in [0, 2] {
        let (mut before, mut archive) = (three(), three());
        before.entries[2 - damaged].header.signature[0] ^= 1;
        archive.entries[damaged].header.signature[0] ^= 1;
        archive.prefix = before.bytes();
        let base = archive.prefix.len() as u64;
        let error = unopened(&archive.bytes(), archive.directory_end());
        assert_rule!(error, "Z10", K::AmbiguousStart { base: found } if *found == base);
    }
}

#[test]
fn z10_a_prefix_behind_which_no_member_lies_is_refused() {
    // The offset is too small: NumPy would look for all members further behind.
    for less in [1, 5, 300] {
        let archive = lie(|archive| archive.end.offset -= less);
        let error = unopened(&archive.bytes(), archive.end_at());
        assert_rule!(error, "Z10", K::PrefixMismatch { base } if *base == u64::from(less));
    }
    // Bytes between the members and the directory that nothing counts.
    let mut archive = three();
    archive.gap = b"inserted".into();
    assert_rule!(unopened(&archive.bytes(), archive.end_at()), "Z10", K::PrefixMismatch { base: 8 });
    // Neither the first nor the last is where the prefix puts it.
    let mut archive = prefixed(b"#!/bin/sh\n");
    archive.records[0].offset += 1;
    archive.records[2].offset += 1;
    assert_rule!(unopened(&archive.bytes(), archive.end_at()), "Z10", K::PrefixMismatch { base: 10 });
}

#[test]
fn z10_every_member_is_held_to_the_same_base() {
    // The offset of `x` counts the prefix, the others do not.
    let mut archive = built(|archive| {
        archive.prefix = vec![0; 16];
        archive.entries[2].gap = vec![0; 100];
    });
    archive.records[X].offset += 16;
    let error = refused(&archive, "x", Place::Local);
    assert_rule!(error, "Z1", K::HeaderMismatch { field: "signature", .. });
    assert_eq!(error.offset(), Some(archive.local_at(X) + 16));
}

#[test]
fn z10_a_damaged_first_or_last_member_spoils_no_other() {
    for index in [0, 2] {
        let mut archive = prefixed(b"#!/bin/sh\n");
        archive.records[index].compressed_size -= 1;
        let key = if index == 0 { "before" } else { "after" };
        assert_rule!(refused(&archive, key, Place::Record), "Z17", K::StoredSizes { .. });

        // Of its local header, the signature and the name.
        let mut signature = prefixed(b"#!/bin/sh\n");
        signature.entries[index].header.signature[0] ^= 1;
        let error = refused(&signature, key, Place::Local);
        assert_rule!(error, "Z1", K::HeaderMismatch { field: "signature", .. });
        let mut name = prefixed(b"#!/bin/sh\n");
        name.entries[index].header.name[0] ^= 1;
        assert_rule!(refused(&name, key, Place::Local), "Z1", K::HeaderMismatch { field: "name", .. });
    }
}

#[test]
fn z10_an_offset_beyond_64_bits_is_refused() {
    let mut archive = prefixed(b"#!/bin/sh\n");
    archive.records[X].offset = WIDE;
    archive.records[X].extra = crate::forge::zip64_extra(&[u64::MAX - 5]);
    archive.lay_out();
    archive.records[X].offset = WIDE;
    assert_rule!(refused(&archive, "x", Place::Record), "Z14", K::BadZip64Extra { .. });
}

// Z11

#[test]
fn z11_a_directory_of_another_size_is_refused() {
    let at = three().end_at();
    let size = three().end.size;
    let sized = |size, at: u64| unopened(&lie(|archive| archive.end.size = size).bytes(), at);
    for more in [1, 46, 100] {
        let error = sized(size + more, at);
        assert_rule!(error, "Z11", K::DirectoryMismatch { field: "offset", found, expected } if *found == expected + u64::from(more));
    }
    for beyond in [u32::try_from(at).unwrap() + 1, WIDE - 1, WIDE] {
        let error = sized(beyond, at);
        assert_rule!(error, "Z11", K::DirectoryMismatch { field: "size", found, expected } if (*found, *expected) == (beyond.into(), at));
    }
    for less in [1, 45, 50, 52] {
        let error = sized(size - less, at - u64::from(size - less));
        assert_rule!(error, "Z11", K::BadDirectory { .. });
    }
}

#[test]
fn z11_a_directory_that_begins_with_the_second_record_is_refused() {
    let first = u32::try_from(three().record_at(1) - three().record_at(0)).unwrap();
    let archive = lie(|archive| archive.end.size -= first);
    assert_rule!(
        unopened(&archive.bytes(), archive.end_at()),
        "Z11",
        K::DirectoryMismatch { field: "number of entries", found: 3, expected: 2 }
    );
    // Even if the count is made to fit, the members are elsewhere.
    let archive = lie(|archive| {
        archive.end.size -= first;
        (archive.end.entries, archive.end.disk_entries) = (2, 2);
    });
    assert_rule!(unopened(&archive.bytes(), archive.end_at()), "Z10", K::PrefixMismatch { base } if *base == u64::from(first));
    // And if the offset is, too, `before` is nobody's.
    let archive = lie(|archive| {
        (archive.end.size, archive.end.offset) = (archive.end.size - first, archive.end.offset + first);
        (archive.end.entries, archive.end.disk_entries) = (2, 2);
    });
    reads(&archive, 2);
}

#[test]
fn z11_an_offset_of_the_directory_that_is_too_large_is_refused() {
    let sound = three();
    for more in [1, 5, 46, WIDE - 1 - sound.end.offset, WIDE - sound.end.offset] {
        let archive = lie(|archive| archive.end.offset += more);
        let (lied, so) = (u64::from(archive.end.offset), u64::from(sound.end.offset));
        let error = unopened(&archive.bytes(), archive.end_at());
        assert_rule!(error, "Z11", K::DirectoryMismatch { field: "offset", found, expected } if (*found, *expected) == (lied, so));
    }
}

#[test]
fn z11_a_count_of_entries_that_is_not_so_is_refused() {
    for count in [0, 1, 2, 4, 1000, WIDE16] {
        let archive = lie(|archive| (archive.end.entries, archive.end.disk_entries) = (count, count));
        let error = unopened(&archive.bytes(), archive.end_at());
        assert_rule!(error, "Z11", K::DirectoryMismatch { field: "number of entries", found, expected: 3 } if *found == u64::from(count));
    }
    for count in [0, 2, 4, 3 + (1 << 16), 3 + (1 << 32), 1 << 63, u64::MAX] {
        let mut archive = with_zip64(three());
        wide(&mut archive);
        let zip64 = archive.zip64.as_mut().unwrap();
        (zip64.entries, zip64.disk_entries) = (count, count);
        let error = unopened(&archive.bytes(), archive.end_at());
        assert_rule!(error, "Z11", K::DirectoryMismatch { field: "number of entries", found, expected: 3 } if *found == count);
    }
}

#[test]
fn z11_without_zip64_the_count_has_sixteen_bits() {
    for count in [65_535, 65_536, 65_537] {
        let names = (0..count).map(|number| stored(&format!("{number}"), &[]));
        let mut entries: Vec<Entry> = names.collect();
        entries[0] = sound("before.npy");
        entries[count - 1] = sound("after.npy");
        let mut archive = Archive::new(entries);
        each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            assert_eq!(npz.len(), count);
            for key in ["before", "after"] {
                assert_eq!(npz.read::<u32, Ix1>(key).unwrap().to_vec(), values(key));
            }
            assert_eq!(npz.member("777").unwrap().bytes().unwrap().len(), 0);
        });
        if count != 65_537 {
            continue;
        }
        // With zip64 it has 64.
        let mut wide = with_zip64(archive.clone());
        (wide.end.entries, wide.end.disk_entries) = (WIDE16, WIDE16);
        assert_eq!(Npz::new(wide.bytes()).unwrap().len(), count);
        let zip64 = wide.zip64.as_mut().unwrap();
        (zip64.entries, zip64.disk_entries) = (1, 1);
        assert_rule!(
            unopened(&wide.bytes(), wide.end_at()),
            "Z11",
            K::DirectoryMismatch { found: 1, expected: 65_537, .. }
        );
        archive.end.entries ^= 1;
        archive.end.disk_entries ^= 1;
        let error = unopened(&archive.bytes(), archive.end_at());
        assert_rule!(error, "Z11", K::DirectoryMismatch { expected, .. } if *expected == count as u64);
    }
}

#[test]
fn z11_a_record_that_is_none_is_refused_at_its_place() {
    let lies: [fn(&mut Archive, usize); 9] = [
        |archive, index| archive.records[index].signature[0] ^= 1,
        |archive, index| archive.records[index].signature[1] ^= 1,
        |archive, index| archive.records[index].signature[2] ^= 1,
        |archive, index| archive.records[index].signature[3] ^= 1,
        |archive, index| archive.records[index].signature = *b"PK\x05\x05", // a digital signature (APPNOTE 4.3.13)
        |archive, index| archive.records[index].signature = *b"PK\x03\x04",
        |archive, index| archive.records[index].name_length = WIDE16,
        |archive, index| archive.records[index].extra_length = WIDE16,
        |archive, index| archive.records[index].comment_length = WIDE16,
    ];
    for tell in lies {
        for index in 0..3 {
            let archive = lie(|archive| tell(archive, index));
            assert_rule!(unopened(&archive.bytes(), archive.record_at(index)), "Z11", K::BadDirectory { .. });
        }
    }
    // By one byte, into the next record.
    type Lie = fn(&mut Header);
    let lies: [(Lie, u64); 5] = [
        (|record| record.name_length += 1, 1),
        (|record| record.name_length -= 1, u64::MAX),
        (|record| record.extra_length += 1, 1),
        (|record| record.comment_length += 1, 1),
        (|record| record.name_length += 46, 46),
    ];
    for (tell, more) in lies {
        let archive = lie(|archive| tell(&mut archive.records[0]));
        let next = archive.record_at(1).wrapping_add(more);
        assert_rule!(unopened(&archive.bytes(), next), "Z11", K::BadDirectory { .. });
    }
}

#[test]
fn z11_bytes_of_the_directory_that_are_no_record_are_refused() {
    for leftover in [vec![0], b"PK\x01\x02".to_vec(), vec![0; 45], vec![0; 46], b"PK\x05\x05\x01\x00!".to_vec()] {
        let mut archive = built(|archive| archive.leftover = leftover);
        let at = archive.directory_end() - archive.leftover.len() as u64;
        for zip64 in [false, true] {
            archive.zip64 = zip64.then(Zip64::new);
            archive.lay_out();
            assert_rule!(unopened(&archive.bytes(), at), "Z11", K::BadDirectory { .. });
        }
    }
}
