//! Members that take each other's bytes, or bytes that are not there: Z5.

use npzmap::{Error, ErrorKind as K};

use super::*;
use crate::forge::{WIDE, WIDE16, deflated, zip64_extra};

#[track_caller]
pub(super) fn overlap(error: &Error, over: &str) {
    assert_rule!(error, "Z5", K::Overlap { end, what, start } if *what == over && end > start);
}

pub(super) const BEHIND: &str = "what follows the member";
const MEMBER: &str = "another member";
const DIRECTORY: &str = "the central directory";

/// `x` is `more` bytes longer, says everybody.
fn longer(index: usize, more: u32) -> Archive {
    lie(|archive| {
        both(archive, index, |header| {
            header.size += more;
            header.compressed_size += more;
        });
    })
}

#[test]
fn z5_data_into_the_next_local_header_is_refused_and_so_is_the_next() {
    let archive = longer(X, 1);
    let errors = refused_keys(&archive, ["x", "after"], Place::Record);
    for error in errors {
        let after = archive.local_at(2);
        assert_rule!(error, "Z5", K::Overlap { end, what: MEMBER, start } if (*end, *start) == (after + 1, after));
    }
}

#[test]
fn z5_data_into_the_directory_is_refused() {
    for more in [1, 46, 1000, WIDE - 1000] {
        let archive = longer(2, more);
        let error = refused(&archive, "after", Place::Record);
        let directory = u64::from(archive.end.offset);
        let reach = directory + u64::from(more);
        assert_rule!(error, "Z5", K::Overlap { end, what: DIRECTORY, start } if (*end, *start) == (reach, directory));
    }
}

#[test]
fn z5_data_past_the_end_of_the_file_is_refused_wherever_it_begins() {
    let archive = longer(0, 1_000_000);
    refused_keys(&archive, ["before", "x", "after"], Place::Record).iter().for_each(|error| overlap(error, MEMBER));
    // A local header in the directory, behind it, at the end of the file, and beyond all files.
    let sound = three();
    let size = u32::try_from(sound.bytes().len()).unwrap();
    for offset in [sound.end.offset, sound.end.offset + 46, size - 1, size, size + 1, WIDE - 1] {
        let error = refused(&lie(|archive| archive.records[X].offset = offset), "x", Place::Record);
        overlap(&error, DIRECTORY);
    }
}

#[test]
fn z5_an_offset_of_64_bits_does_not_wrap() {
    for offset in [1 << 32, 1 << 63, u64::MAX - 170, u64::MAX] {
        let mut archive = three();
        archive.records[X].offset = WIDE;
        archive.records[X].extra = zip64_extra(&[offset]);
        let archive = relaid(archive);
        let error = refused(&archive, "x", Place::Record);
        assert_rule!(error, "Z5", K::Overlap { start, .. } if *start == u64::from(archive.end.offset));
    }
}

#[test]
fn z5_two_records_on_one_local_header_are_both_refused() {
    let archive = lie(|archive| archive.records[X].offset = archive.records[0].offset);
    refused_keys(&archive, ["before", "x"], Place::Record).iter().for_each(|error| overlap(error, MEMBER));
    let archive = lie(|archive| archive.records[X].offset = archive.records[2].offset);
    refused_keys(&archive, ["x", "after"], Place::Record).iter().for_each(|error| overlap(error, MEMBER));
}

#[test]
fn z5_a_member_within_another_one_is_refused_and_so_is_the_other() {
    // A whole entry as the content of another.
    let inner = Archive::new(vec![sound("x.npy")]);
    let quoted = &inner.bytes()[..usize::try_from(inner.end.offset).unwrap()];
    let mut archive = Archive::new(vec![stored("before", quoted), sound("after.npy")]);
    let mut record = inner.records[0].clone();
    record.offset = u32::try_from(archive.data_at(0)).unwrap();
    archive.records.push(record);
    let archive = relaid(archive);
    refused_keys(&archive, ["before", "x"], Place::Record).iter().for_each(|error| overlap(error, MEMBER));
}

#[test]
fn z5_all_that_lie_within_a_long_member_are_refused() {
    let names = ["before.npy", "x.npy", "after.npy", "later.npy", "last.npy"];
    let mut archive = Archive::new(names.map(sound).into());
    // Up to the first byte of `later`.
    let more = u32::try_from(archive.local_at(3) - archive.local_at(1)).unwrap() + 1;
    both(&mut archive, 0, |header| (header.size, header.compressed_size) = (header.size + more, header.size + more));
    let keys = ["before", "x", "after", "later"];
    refused_keys(&archive, keys, Place::Record).iter().for_each(|error| overlap(error, MEMBER));
}

#[test]
fn z5_the_order_of_the_directory_does_not_matter() {
    let reversed = |mut archive: Archive| {
        archive.records.reverse();
        archive
    };
    reads(&reversed(three()), 3);
    refused_keys(&reversed(longer(X, 1)), ["x", "after"], Place::Record)
        .iter()
        .for_each(|error| overlap(error, MEMBER));
    overlap(&refused(&reversed(longer(2, 1)), "after", Place::Record), DIRECTORY);
    // At access, too, what follows in the file counts, not what follows in the directory.
    let archive = reversed(lie(|archive| archive.entries[X].header.extra_length = 1));
    overlap(&refused(&archive, "x", Place::Local), BEHIND);
}

#[test]
fn z5_a_local_extra_field_that_pushes_the_data_over_the_next_header_is_refused() {
    for (index, key) in ["before", "x", "after"].into_iter().enumerate() {
        for length in [1, 30, 500, 5000, WIDE16] {
            let archive = lie(|archive| archive.entries[index].header.extra_length = length);
            let error = refused(&archive, key, Place::Local);
            let next = if index == 2 { archive.end.offset.into() } else { archive.local_at(index + 1) };
            let reach = next + u64::from(length);
            assert_rule!(error, "Z5", K::Overlap { end, what: BEHIND, start } if (*end, *start) == (reach, next));
        }
    }
}

#[test]
fn z5_a_member_that_is_refused_for_something_else_is_overlapped_all_the_same() {
    // The record of `x` has one lie, and `before` reaches into its local header.
    let lies: [fn(&mut Header); 5] = [
        |x| x.compressed_size -= 1, // Z17
        |x| x.disk = 1,             // Z12
        |x| x.flags = 1,            // Z18
        |x| x.method = 12,          // Z19
        |x| x.name = b"\0.npy".into(),
    ];
    for tell in lies {
        let mut archive = longer(0, 1);
        tell(&mut archive.records[X]);
        let archive = relaid(archive);
        let error = agreed(each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["before", &*npz.keys().nth(X).unwrap()]);
            npz.read::<u32, Ix1>("before").expect_err("it reaches into the next local header")
        }));
        overlap(&error, MEMBER);
        assert_eq!((error.member(), error.offset()), (Some("before"), Some(archive.record_at(0))));
    }
}

#[test]
fn z5_bytes_between_members_are_nobodys() {
    let archive = built(|archive| {
        archive.entries.iter_mut().for_each(|entry| entry.gap = b"PK\x03\x04 and more".into());
        archive.gap = vec![0x50; 33];
    });
    reads(&archive, 3);
}

#[test]
fn z5_a_directory_full_of_overlaps_is_judged_in_one_pass() {
    const COUNT: usize = 60_000;
    let mut archive = Archive::new(vec![sound("overlapped"), sound("after.npy")]);
    let [first, after] = [&archive.records[0], &archive.records[1]].map(Header::clone);
    archive.records = (0..COUNT as u32)
        .map(|number| Header { name: format!("{number:05}").into(), offset: number % 7, ..first.clone() })
        .chain([after])
        .collect();
    archive.entries[0].gap = vec![0; 8];
    archive.records[COUNT].offset += 8;
    let archive = relaid(archive);
    each_reader!(&archive.bytes(), |npz| {
        let npz = npz.unwrap();
        // A record, its name and its place in the table, and a share of one sort.
        #[cfg(debug_assertions)]
        assert!(npzmap::__steps_taken() <= 80 * COUNT as u64);
        assert_eq!(npz.len(), COUNT + 1);
        for number in [0, 1, COUNT / 2, COUNT - 1] {
            let key = format!("{number:05}");
            let error = npz.read::<u32, Ix1>(&key).unwrap_err();
            overlap(&error, MEMBER);
            let place = archive.record_at(number);
            assert_eq!((error.member(), error.offset()), (Some(&*key), Some(place)));
        }
        assert_eq!(npz.read::<u32, Ix1>("after").unwrap().to_vec(), values("after"));
        #[cfg(debug_assertions)]
        npzmap::__steps_taken(); // what the next reader takes is its own
    });
}

#[test]
fn z5_sizes_near_the_largest_number_do_not_wrap() {
    for size in [1 << 32, 1 << 63, u64::MAX - 200, u64::MAX - 1, u64::MAX] {
        for method in [0, 8] {
            let mut archive = with_x(if method == 0 { sound("x.npy") } else { deflated("x.npy", &u32s(&values("x"))) });
            both(&mut archive, X, |header| {
                (header.size, header.compressed_size) = (WIDE, WIDE);
                header.extra = zip64_extra(&[size, size]);
            });
            archive.lay_out();
            let errors = refused_keys(&archive, ["x", "after"], Place::Record);
            for error in errors {
                let after = archive.local_at(2);
                assert_rule!(error, "Z5", K::Overlap { end, what: MEMBER, start } if *start == after && *end >= size);
            }
        }
    }
}
