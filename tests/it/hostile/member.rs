//! One member of an archive that is else in order: Z1 to Z4, Z6, Z7, Z14 to Z18.

use ndarray::Ix1;
use npzmap::{Duplicates, ErrorKind as K, Npz, OpenOptions};

use super::overlap::{BEHIND, overlap};
use super::*;
use crate::forge::{WIDE, WIDE16, deflated, extra, zip64_extra};

/// `x` is refused for this field of its local header, which holds `local` where the directory holds `directory`.
#[track_caller]
fn mismatched(archive: &Archive, rule: &str, about: &str, [ours, theirs]: [&str; 2]) {
    let error = refused(archive, &about_key(archive), Place::Local);
    assert_rule!(error, rule, K::HeaderMismatch { field, local, directory } if *field == about && local == ours && directory == theirs);
}

/// The key of `x`, whatever its name was changed to.
fn about_key(archive: &Archive) -> String {
    let npz = Npz::new(archive.bytes()).unwrap();
    npz.keys().nth(X).unwrap().into_owned()
}

// Z1

#[test]
fn z1_a_local_header_with_another_signature_is_refused() {
    for (index, found) in ["0x04034b51", "0x04034a50", "0x04024b50", "0x05034b50"].into_iter().enumerate() {
        let archive = lie(|archive| archive.entries[X].header.signature[index] ^= 1);
        mismatched(&archive, "Z1", "signature", [found, "0x04034b50"]);
    }
}

#[test]
fn z1_an_offset_that_leads_to_no_local_header_is_refused() {
    let mut archive = built(|archive| archive.entries[2].gap = vec![0; 8]);
    archive.records[X].offset += 1;
    mismatched(&archive, "Z1", "signature", ["0x2d04034b", "0x04034b50"]);
}

#[test]
fn z1_a_local_name_that_is_another_one_is_refused() {
    let renamed = |name: &[u8]| {
        built(|archive| {
            archive.entries[X].header.name = name.into();
            archive.entries[2].gap = vec![0; 5];
        })
    };
    mismatched(&renamed(b"y.npy"), "Z1", "name", ["\"y.npy\"", "\"x.npy\""]);
    mismatched(&renamed(b"x.npy2"), "Z1", "name", ["\"x.npy2\"", "\"x.npy\""]);
    mismatched(&renamed(b"x.np"), "Z1", "name", ["\"x.np\"", "\"x.npy\""]);
    mismatched(&renamed(b""), "Z1", "name", ["\"\"", "\"x.npy\""]);
    mismatched(&renamed(b"X.npy"), "Z1", "name", ["\"X.npy\"", "\"x.npy\""]);
    mismatched(&renamed(b"x.npy\0"), "Z1", "name", ["\"x.npy\\0\"", "\"x.npy\""]);
}

#[test]
fn z1_a_name_that_is_encoded_otherwise_in_the_local_header_is_refused() {
    // The same bytes: é in UTF-8, or two characters of code page 437.
    let mut archive = with_x(sound("é.npy"));
    archive.entries[X].header.flags = 0;
    mismatched(&archive, "Z1", "name encoding", ["code page 437", "UTF-8"]);
    let mut archive = with_x(sound("é.npy"));
    archive.records[X].flags = 0;
    mismatched(&archive, "Z1", "name encoding", ["UTF-8", "code page 437"]);
}

#[test]
fn z1_the_encoding_of_an_ascii_name_may_differ() {
    reads(&lie(|archive| archive.entries[X].header.flags = 1 << 11), 3);
    reads(&lie(|archive| archive.records[X].flags = 1 << 11), 3);
}

#[test]
fn z1_a_local_method_that_is_another_one_is_refused() {
    let archive = lie(|archive| archive.entries[X].header.method = 8);
    mismatched(&archive, "Z1", "method", ["8", "0"]);
    let mut archive = with_x(deflated("x.npy", &u32s(&values("x"))));
    archive.entries[X].header.method = 0;
    mismatched(&archive, "Z1", "method", ["0", "8"]);
}

// Z2

#[test]
fn z2_a_local_checksum_or_size_that_is_another_one_is_refused() {
    let archive = lie(|archive| archive.entries[X].header.crc32 = 0x1234_5678);
    let directory = format!("{:#010x}", archive.records[X].crc32);
    mismatched(&archive, "Z2", "CRC-32", ["0x12345678", &directory]);
    let archive = lie(|archive| archive.entries[X].header.size += 1);
    mismatched(&archive, "Z2", "size", ["141", "140"]);
    let archive = lie(|archive| archive.entries[X].header.compressed_size -= 1);
    mismatched(&archive, "Z2", "compressed size", ["139", "140"]);
}

/// `x` with sizes in a local zip64 extra field, as `np.savez` has them.
fn local_zip64(values: &[u64]) -> Archive {
    built(|archive| {
        let header = &mut archive.entries[X].header;
        (header.size, header.compressed_size) = (WIDE, WIDE);
        header.extra = zip64_extra(values);
    })
}

#[test]
fn z2_local_sizes_of_all_ones_stand_for_those_of_the_zip64_field() {
    reads(&local_zip64(&[140, 140]), 3);
    mismatched(&local_zip64(&[141, 140]), "Z2", "size", ["141", "140"]);
    mismatched(&local_zip64(&[140, 1 << 32]), "Z2", "compressed size", ["4294967296", "140"]);
    mismatched(&local_zip64(&[0, 0]), "Z2", "size", ["0", "140"]);
}

#[test]
fn z2_local_sizes_of_all_ones_without_a_zip64_field_stand_for_themselves() {
    mismatched(&local_zip64(&[140]), "Z2", "compressed size", ["4294967295", "140"]);
    mismatched(&local_zip64(&[]), "Z2", "size", ["4294967295", "140"]);
    let archive = lie(|archive| archive.entries[X].header.size = WIDE);
    mismatched(&archive, "Z2", "size", ["4294967295", "140"]);
}

/// Flags, checksum, and both sizes of the local header of `x`.
fn local(flags: u16, crc32: u32, size: u32, compressed_size: u32) -> Archive {
    lie(|archive| {
        let header = &mut archive.entries[X].header;
        (header.flags, header.crc32, header.size, header.compressed_size) = (flags, crc32, size, compressed_size);
    })
}

#[test]
fn z2_zeros_pass_with_a_data_descriptor() {
    let crc32 = three().records[X].crc32;
    reads(&local(8, 0, 0, 0), 3);
    reads(&local(8, crc32, 0, 0), 3);
    reads(&local(8, 0, 140, 140), 3);
    mismatched(&local(8, 1, 0, 0), "Z2", "CRC-32", ["0x00000001", &format!("{crc32:#010x}")]);
    mismatched(&local(8, 0, 1, 0), "Z2", "size", ["1", "140"]);
    mismatched(&local(8, 0, 0, 1), "Z2", "compressed size", ["1", "140"]);
    mismatched(&local(8, 0, WIDE, WIDE), "Z2", "size", ["4294967295", "140"]);
}

#[test]
fn z2_zeros_do_not_pass_without_a_data_descriptor() {
    let crc32 = three().records[X].crc32;
    mismatched(&local(0, 0, 140, 140), "Z2", "CRC-32", ["0x00000000", &format!("{crc32:#010x}")]);
    mismatched(&local(0, crc32, 0, 140), "Z2", "size", ["0", "140"]);
    mismatched(&local(0, crc32, 140, 0), "Z2", "compressed size", ["0", "140"]);
    // The flag in the directory excuses nothing in the local header.
    let mut archive = local(0, 0, 0, 0);
    archive.records[X].flags = 8;
    mismatched(&archive, "Z2", "CRC-32", ["0x00000000", &format!("{crc32:#010x}")]);
}

// Z3

#[test]
fn z3_a_data_descriptor_is_not_read() {
    let sound = three().records[X].clone();
    let sizes = [sound.crc32, sound.compressed_size, sound.size].map(u32::to_le_bytes).concat();
    let wide = [sound.compressed_size, sound.size].map(|size| u64::from(size).to_le_bytes()).concat();
    let descriptors = [
        Vec::new(),
        sizes.clone(),
        [b"PK\x07\x08", &sizes[..]].concat(),
        [b"PK\x07\x08", &sound.crc32.to_le_bytes()[..], &wide].concat(),
        [b"PK\x07\x08", &[0xff; 12][..]].concat(),
        vec![0x55; 5],
    ];
    for descriptor in descriptors {
        let mut archive = built(|archive| archive.entries[X].after = descriptor);
        both(&mut archive, X, |header| header.flags = 8);
        reads(&archive, 3);
        // As `np.savez` writes to a pipe: zeros in a zip64 field.
        let header = &mut archive.entries[X].header;
        (header.size, header.compressed_size, header.crc32) = (WIDE, WIDE, 0);
        header.extra = zip64_extra(&[0, 0]);
        archive.lay_out();
        reads(&archive, 3);
    }
}

// Z4

#[test]
fn z4_a_local_extra_field_that_is_no_sequence_of_records_is_skipped() {
    let paddings =
        [vec![0], vec![0; 2], vec![0; 3], vec![0; 64], vec![0xff; 5], vec![1, 0, 16, 0, 9], extra(0xd935, &[8, 0])];
    for padding in paddings {
        let archive = built(|archive| archive.entries[X].header.extra = padding);
        reads(&archive, 3);
    }
}

#[test]
fn z4_a_length_of_the_local_extra_field_that_moves_the_data_does_not_pass() {
    // Back: the padding would be the magic string.
    let mut archive = built(|archive| archive.entries[X].header.extra = vec![0; 4]);
    archive.entries[X].header.extra_length = 0;
    let start = archive.data_at(X) - 4;
    let error = agreed(each_reader!(&archive.bytes(), |npz| {
        let npz = npz.unwrap();
        the_others_read(&npz, &["x"]);
        let error = npz.member("x").unwrap().verify().unwrap_err();
        assert_rule!(error, "Z27", K::Checksum { .. });
        assert_eq!((error.member(), error.offset()), (Some("x"), Some(start)));
        npz.read::<u32, Ix1>("x").unwrap_err()
    }));
    assert_rule!(error, "N1", K::NotAnArray);
    assert_eq!((error.member(), error.offset()), (Some("x"), Some(start)));

    // Back onto another array of the same size.
    let mut archive = built(|archive| archive.entries[X].header.extra = u32s(&[1, 2, 3]));
    archive.entries[X].header.extra_length = 0;
    let error = agreed(each_reader!(&archive.bytes(), |npz| {
        let npz = npz.unwrap();
        the_others_read(&npz, &["x"]);
        npz.read::<u32, Ix1>("x").unwrap_err()
    }));
    assert_rule!(error, "Z27", K::Checksum { .. });
    assert_eq!((error.member(), error.offset()), (Some("x"), Some(archive.local_at(X) + 30 + 5)));

    // Forth, into the next member, and over everything.
    for length in [1, WIDE16] {
        let archive = lie(|archive| archive.entries[X].header.extra_length = length);
        overlap(&refused(&archive, "x", Place::Local), BEHIND);
    }
}

// Z6

fn twice(first: &str, second: &str) -> Archive {
    let entries = [
        sound("before.npy"),
        stored(first, &u32s(&[1, 1, 1])),
        sound("after.npy"),
        stored(second, &u32s(&[2, 2, 2])),
        sound("last.npy"),
    ];
    Archive::new(entries.into())
}

#[test]
fn z6_a_name_that_is_there_twice_is_refused_and_the_others_read() {
    let archive = twice("x.npy", "x.npy");
    assert_rule!(refused(&archive, "x", Place::Record), "Z6", K::DuplicateName);
    let keys = same(each_reader!(&archive.bytes(), |npz| {
        let npz = npz.unwrap();
        assert_eq!(npz.len(), 5);
        let error = npz.verify().unwrap_err();
        assert_rule!(error, "Z6", K::DuplicateName);
        assert_eq!((error.member(), error.offset()), (Some("x"), Some(archive.record_at(1))));
        npz.keys().map(String::from).collect::<Vec<_>>()
    }));
    assert_eq!(keys, ["before", "x", "after", "x", "last"]);
}

#[test]
fn z6_a_name_that_is_there_three_times_is_refused() {
    let mut entries = twice("x.npy", "x.npy").entries;
    entries.push(stored("x.npy", &u32s(&[3, 3, 3])));
    let archive = Archive::new(entries);
    assert_rule!(refused(&archive, "x", Place::Record), "Z6", K::DuplicateName);
    let last = OpenOptions::new().duplicates(Duplicates::Last);
    each_reader!(&archive.bytes(), last, |npz| {
        assert_eq!(npz.unwrap().read::<u32, Ix1>("x").unwrap().to_vec(), [3, 3, 3]);
    });
}

#[test]
fn z6_names_are_the_same_whatever_they_are_encoded_in() {
    // é: C3 A9 in UTF-8, 82 in code page 437.
    let mut archive = twice("é.npy", "X.npy");
    both(&mut archive, 3, |header| header.name[0] = 0x82);
    assert_rule!(refused(&archive, "é", Place::Record), "Z6", K::DuplicateName);
}

#[test]
fn z6_upper_and_lower_case_and_the_suffix_make_other_names() {
    for other in ["X.npy", "x", "x.NPY", "x.npy.npy", "./x.npy"] {
        let archive = twice("x.npy", other);
        each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            assert_eq!(npz.read::<u32, Ix1>("x.npy").unwrap().to_vec(), [1, 1, 1]);
            assert_eq!(npz.read::<u32, Ix1>(other).unwrap().to_vec(), [2, 2, 2]);
        });
    }
}

#[test]
fn z6_the_last_one_is_taken_on_request_and_the_first_stays_refused() {
    let archive = twice("x.npy", "x.npy");
    let last = OpenOptions::new().duplicates(Duplicates::Last);
    each_reader!(&archive.bytes(), last, |npz| {
        let npz = npz.unwrap();
        assert_eq!(npz.read::<u32, Ix1>("x").unwrap().to_vec(), [2, 2, 2]);
        let members: Vec<_> = npz.members().filter(|member| member.key() == "x").collect();
        let first = members[0].array().and_then(|array| array.read::<u32, Ix1>()).unwrap_err();
        assert_rule!(first, "Z6", K::DuplicateName);
        assert_eq!((first.member(), first.offset()), (Some("x"), Some(archive.record_at(3))));
        assert_eq!(members[1].array().unwrap().read::<u32, Ix1>().unwrap().to_vec(), [2, 2, 2]);
    });
}

#[test]
fn z6_a_last_one_that_is_damaged_does_not_bring_back_the_first() {
    let mut archive = twice("x.npy", "x.npy");
    *archive.entries[3].data.last_mut().unwrap() ^= 1;
    let last = OpenOptions::new().duplicates(Duplicates::Last);
    let error = agreed(each_reader!(&archive.bytes(), last, |npz| {
        let npz = npz.unwrap();
        for key in ["before", "after", "last"] {
            assert_eq!(npz.read::<u32, Ix1>(key).unwrap().to_vec(), values(key));
        }
        npz.read::<u32, Ix1>("x").unwrap_err()
    }));
    assert_rule!(error, "Z27", K::Checksum { .. });
    assert_eq!((error.member(), error.offset()), (Some("x"), Some(archive.data_at(3))));
}

// Z7

#[test]
fn z7_a_whole_name_goes_before_a_stripped_one() {
    for names in [["a", "a.npy"], ["a.npy", "a"]] {
        let archive = Archive::new(names.map(|name| stored(name, &u32s(&[name.len() as u32]))).into());
        each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            assert_eq!(npz.read::<u32, Ix1>("a").unwrap().to_vec(), [1]);
            assert_eq!(npz.read::<u32, Ix1>("a.npy").unwrap().to_vec(), [5]);
            assert_eq!(npz.keys().collect::<Vec<_>>(), ["a", "a"]);
        });
    }
    let names = ["b.npy.npy", "b.npy"];
    let archive = Archive::new(names.map(|name| stored(name, &u32s(&[name.len() as u32]))).into());
    each_reader!(&archive.bytes(), |npz| {
        let npz = npz.unwrap();
        for (key, value) in [("b", 5), ("b.npy", 5), ("b.npy.npy", 9)] {
            assert_eq!(npz.read::<u32, Ix1>(key).unwrap().to_vec(), [value], "{key}");
        }
    });
}

#[test]
fn z7_a_whole_name_that_is_refused_does_not_give_way_to_a_stripped_one() {
    let mut archive = Archive::new(vec![sound("x"), sound("x.npy"), sound("after.npy")]);
    archive.entries[0].header.method = 8;
    let error = agreed(each_reader!(&archive.bytes(), |npz| {
        let npz = npz.unwrap();
        for (key, of) in [("x.npy", "x"), ("after", "after")] {
            assert_eq!(npz.read::<u32, Ix1>(key).unwrap().to_vec(), values(of));
        }
        npz.read::<u32, Ix1>("x").unwrap_err()
    }));
    assert_rule!(error, "Z1", K::HeaderMismatch { .. });
    assert_eq!((error.member(), error.offset()), (Some("x"), Some(archive.local_at(0))));
}

// Z14 to Z16

/// `x` with an extra field in the directory, and its classic size, compressed size and offset all ones where marked.
fn record_extra([size, compressed_size, offset]: [bool; 3], extra: Vec<u8>) -> Archive {
    let mut archive = three();
    let record = &mut archive.records[X];
    record.extra = extra;
    for (field, wide) in
        [(&mut record.size, size), (&mut record.compressed_size, compressed_size), (&mut record.offset, offset)]
    {
        *field = if wide { WIDE } else { *field };
    }
    relaid(archive)
}

#[test]
fn z14_a_zip64_extra_field_gives_what_the_record_asks_for() {
    let at = three().local_at(X);
    reads(&record_extra([true, true, true], zip64_extra(&[140, 140, at])), 3);
    reads(&record_extra([true, false, false], zip64_extra(&[140])), 3);
    reads(&record_extra([false, true, false], zip64_extra(&[140])), 3);
    reads(&record_extra([false, false, true], zip64_extra(&[at])), 3);
    reads(&record_extra([true, false, true], zip64_extra(&[140, at])), 3);
    let among_others = [extra(0x7075, b"?"), zip64_extra(&[140, 140]), extra(0xcafe, b"")].concat();
    reads(&record_extra([true, true, false], among_others), 3);
    // The number of the disk may follow, and must where the record asks for it.
    let with_disk = extra(1, &[&140_u64.to_le_bytes()[..], &[0; 4]].concat());
    let mut archive = record_extra([true, false, false], with_disk);
    reads(&archive, 3);
    archive.records[X].disk = u16::MAX;
    reads(&archive, 3);
    archive.records[X].disk = 1;
    assert_rule!(refused(&archive, "x", Place::Record), "Z12", K::MultiDisk { found: 1, .. });
    let mut archive = record_extra([true, false, false], zip64_extra(&[140]));
    archive.records[X].disk = u16::MAX;
    assert_rule!(refused(&archive, "x", Place::Record), "Z14", K::BadZip64Extra { .. });
}

#[test]
fn z14_a_field_of_all_ones_without_a_zip64_extra_field_is_refused() {
    for wide in [[true, false, false], [false, true, false], [false, false, true], [true, true, true]] {
        for extra in [Vec::new(), extra(0xcafe, &[0; 24])] {
            let error = refused(&record_extra(wide, extra), "x", Place::Record);
            assert_rule!(error, "Z14", K::BadZip64Extra { .. });
        }
    }
}

#[test]
fn z14_a_zip64_extra_field_of_another_length_is_refused() {
    let at = three().local_at(X);
    let cases = [
        ([true, true, true], zip64_extra(&[140, 140])),
        ([true, true, false], zip64_extra(&[140])),
        ([true, true, false], zip64_extra(&[])),
        ([true, false, false], extra(1, &[140, 0, 0, 0, 0, 0, 0])),
        // Readers that take fields by position would find another value.
        ([false, false, true], zip64_extra(&[140, 140, at])),
        ([false, false, true], zip64_extra(&[at, at])),
        ([false, true, false], zip64_extra(&[140, 141])),
        ([true, false, false], extra(1, &[140, 0, 0, 0, 0, 0, 0, 0, 0])),
        ([true, false, false], extra(1, &[140, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])),
        ([false, false, false], zip64_extra(&[140, 140, at, 0])),
        ([false, false, false], extra(1, &[140, 0, 0])),
    ];
    for (wide, extra) in cases {
        let error = refused(&record_extra(wide, extra.clone()), "x", Place::Record);
        assert_rule!(error, "Z14", K::BadZip64Extra { .. });
    }
}

#[test]
fn z14_two_zip64_extra_fields_are_refused() {
    let twice = |values: &[u64]| [zip64_extra(&[140, 140]), zip64_extra(values)].concat();
    for values in [[140, 140], [140, 141]] {
        let error = refused(&record_extra([true, true, false], twice(&values)), "x", Place::Record);
        assert_rule!(error, "Z14", K::BadZip64Extra { .. });
    }
}

#[test]
fn z15_a_zip64_extra_field_that_nothing_asks_for_must_agree() {
    let at = three().local_at(X);
    let unasked = |extra| record_extra([false; 3], extra);
    for values in [&[][..], &[140], &[140, 140], &[140, 140, at]] {
        reads(&unasked(zip64_extra(values)), 3);
    }
    for values in [&[141][..], &[140, 141], &[140, 140, at + 1], &[at], &[u64::MAX]] {
        assert_rule!(refused(&unasked(zip64_extra(values)), "x", Place::Record), "Z15", K::BadZip64Extra { .. });
    }
}

#[test]
fn z16_an_extra_record_that_runs_over_the_field_is_refused() {
    let over = [
        vec![1, 0, 8, 0, 140],
        vec![0xfe, 0xca, 1, 0],
        vec![0xfe, 0xca, 0xff, 0xff],
        [extra(0xcafe, b"good"), vec![0xfe, 0xca, 5, 0, 1, 2, 3, 4]].concat(),
    ];
    for extra in over {
        assert_rule!(refused(&record_extra([false; 3], extra), "x", Place::Record), "Z16", K::BadExtra);
    }
    let over = [zip64_extra(&[140, 140]), vec![0xfe, 0xca, 1, 0]].concat();
    assert_rule!(refused(&record_extra([true, true, false], over), "x", Place::Record), "Z16", K::BadExtra);
}

#[test]
fn z16_up_to_three_bytes_after_the_last_extra_record_are_ignored() {
    // As NumPy has it.
    for length in 0..4 {
        reads(&record_extra([false; 3], [extra(0xcafe, b"good"), vec![1; length]].concat()), 3);
    }
}

// Z17, Z18

#[test]
fn z17_a_stored_member_of_two_sizes_is_refused() {
    let sized = |size, compressed_size| {
        let mut archive = built(|archive| archive.entries[X].after = vec![0; 8]);
        both(&mut archive, X, |header| (header.size, header.compressed_size) = (size, compressed_size));
        refused(&archive, "x", Place::Record)
    };
    assert_rule!(sized(139, 140), "Z17", K::StoredSizes { compressed: 140, size: 139 });
    assert_rule!(sized(140, 141), "Z17", K::StoredSizes { compressed: 141, size: 140 });
    assert_rule!(sized(140, 0), "Z17", K::StoredSizes { compressed: 0, size: 140 });
    assert_rule!(sized(WIDE - 1, 140), "Z17", K::StoredSizes { compressed: 140, size: 0xffff_fffe });
}

#[test]
fn z18_encrypted_and_patched_members_are_refused() {
    for bit in [0, 5, 6, 13] {
        let bits = 1_u16 << bit;
        let in_local = lie(|archive| archive.entries[X].header.flags = bits);
        let in_record = lie(|archive| archive.records[X].flags = bits);
        let in_both = lie(|archive| both(archive, X, |header| header.flags = bits));
        for (archive, place) in [(&in_local, Place::Local), (&in_record, Place::Record), (&in_both, Place::Record)] {
            let error = refused(archive, "x", place);
            match bit {
                5 => assert_rule!(error, "Z18", K::UnsupportedFlags { flags } if *flags == bits),
                _ => assert_rule!(error, "Z18", K::Encrypted { flags } if *flags == bits),
            }
            assert!(error.kind().is_unsupported());
        }
    }
}

#[test]
fn z18_encryption_is_told_from_damage() {
    // PKZIP's encryption puts twelve bytes before the data; its method stays.
    let mut archive = with_x(stored("x.npy", &[0; 128]));
    archive.entries[X].data.extend([0; 12]);
    both(&mut archive, X, |header| {
        header.flags = 1;
        header.compressed_size += 12;
    });
    archive.lay_out();
    assert_rule!(refused(&archive, "x", Place::Record), "Z18", K::Encrypted { flags: 1 });
    // WinZip's AES says method 99.
    let mut archive = three();
    both(&mut archive, X, |header| (header.flags, header.method) = (1, 99));
    assert_rule!(refused(&archive, "x", Place::Record), "Z18", K::Encrypted { flags: 1 });
}

#[test]
fn z18_other_flags_change_nothing() {
    for bit in [1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 14, 15] {
        reads(&lie(|archive| both(archive, X, |header| header.flags = 1 << bit)), 3);
    }
}
