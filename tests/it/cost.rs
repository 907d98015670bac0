//! What a hostile directory costs, in steps and not in seconds: records parsed, bytes of names hashed and compared.
#![cfg(debug_assertions)]

use npzmap::{Duplicates, Npz, OpenOptions, Unaligned};

use crate::forge::{self, Archive};

/// The steps of opening an archive of `count` members that `lie` was told about, and of listing it and taking every
/// tenth member.
fn steps(count: usize, duplicates: Duplicates, lie: fn(usize, &mut Archive)) -> [u64; 2] {
    let entries = (0..count).map(|number| forge::stored(&format!("layers.{number:05}.npy"), b"")).collect();
    let mut archive = Archive::new(entries);
    (0..count).for_each(|number| lie(number, &mut archive));
    let bytes = archive.bytes();
    npzmap::__steps_taken();
    let npz = OpenOptions::new().duplicates(duplicates).source(&bytes[..]).unwrap();
    let opened = npzmap::__steps_taken();
    assert_eq!(npz.len(), count);
    for member in npz.members().step_by(10) {
        let _ = member.array().and_then(|array| array.view::<Unaligned<u32>, ndarray::IxDyn>());
        let _ = npz.member(&member.key());
    }
    [opened, npzmap::__steps_taken()]
}

#[test]
fn twice_the_members_cost_no_more_than_2_6_times_the_steps() {
    type Lie = fn(usize, &mut Archive);
    let lies: [(&str, Lie); 12] = [
        ("sound", |_, _| {}),
        ("one name", |number, archive| archive.records[number].name = b"layers.00000.npy".into()),
        ("the last of one name", |number, archive| archive.records[number].name = b"layers.00000.npy".into()),
        ("one place", |number, archive| archive.records[number].offset = 0),
        ("reaching into the next", |number, archive| {
            (archive.records[number].size, archive.records[number].compressed_size) = (1000, 1000);
        }),
        ("the other way round", |number, archive| {
            let last = archive.records.len() - 1;
            if number < last - number {
                archive.records.swap(number, last - number);
            }
        }),
        ("cut at NUL", |number, archive| archive.records[number].name = format!("layers\0{number:05}.npy").into()),
        ("not UTF-8", |number, archive| {
            (archive.records[number].name[0], archive.records[number].flags) = (0xff, 1 << 11);
        }),
        ("extra fields that nobody knows", |number, archive| {
            each_with(number, archive, |_| forge::extra(0xcafe, b"x").repeat(8));
        }),
        ("an extra field that runs over, after others", |number, archive| {
            each_with(number, archive, |_| [&forge::extra(0xcafe, b"").repeat(8)[..], &[1, 0, 0xff, 0xff]].concat());
        }),
        ("other names in Unicode path fields", |number, archive| {
            each_with(number, archive, |name| {
                let checksum = crc32fast::hash(name).to_le_bytes();
                forge::extra(0x7075, &[&[1][..], &checksum, name, b"0"].concat()).repeat(4)
            });
        }),
        ("sizes that refer to nothing", |number, archive| archive.records[number].size = u32::MAX),
    ];
    for (what, lie) in lies {
        let duplicates = if what == "the last of one name" { Duplicates::Last } else { Duplicates::Refuse };
        let (some, more) = (steps(20_000, duplicates, lie), steps(40_000, duplicates, lie));
        for (some, more) in some.into_iter().zip(more) {
            assert!(some >= 20_000, "{what}: {some} steps");
            assert!(more * 10 <= some * 26, "{what}: {some} steps became {more}");
        }
    }
}

/// Gives a record this extra field, made from its name; and the last one's lengths are made true.
fn each_with(number: usize, archive: &mut Archive, extra: impl Fn(&[u8]) -> Vec<u8>) {
    let record = &mut archive.records[number];
    record.extra = extra(&record.name);
    if number + 1 == archive.records.len() {
        archive.lay_out();
    }
}

#[test]
fn twice_the_extra_fields_cost_no_more_than_2_6_times_the_steps() {
    type Field = fn(&[u8]) -> Vec<u8>;
    fn extras(count: usize, field: Field) -> [u64; 2] {
        let entries = (0..1000).map(|number| forge::stored(&format!("layers.{number:05}.npy"), b"")).collect();
        let mut archive = Archive::new(entries);
        for record in &mut archive.records {
            record.extra = field(&record.name).repeat(count);
        }
        archive.lay_out();
        let bytes = archive.bytes();
        npzmap::__steps_taken();
        let npz = Npz::new(&bytes[..]).unwrap();
        let opened = npzmap::__steps_taken();
        npz.members().for_each(|member| drop(npz.member(&member.key())));
        [opened, npzmap::__steps_taken()]
    }
    let fields: [Field; 2] = [
        |_| forge::extra(0xcafe, b""),
        |name| {
            let checksum = crc32fast::hash(name).to_le_bytes();
            forge::extra(0x7075, &[&[1][..], &checksum, name, b"0000"].concat())
        },
    ];
    for field in fields {
        for (some, more) in extras(500, field).into_iter().zip(extras(1000, field)) {
            assert!(some >= 500_000, "{some} steps");
            assert!(more * 10 <= some * 26, "{some} steps became {more}");
        }
    }
}

#[test]
fn a_lookup_costs_the_same_among_many() {
    let bytes = |count: usize| {
        let entries = (0..count).map(|number| forge::stored(&format!("k{number:05}.npy"), b"")).collect();
        Archive::new(entries).bytes()
    };
    let [few, many] = [bytes(10), bytes(20_000)].map(|bytes| {
        let npz = Npz::new(bytes).unwrap();
        npzmap::__steps_taken();
        assert!(npz.contains("k00009") && !npz.contains("k99999"));
        npzmap::__steps_taken()
    });
    // A miss may compare a name whose hash looks alike.
    assert!(many <= few + 32, "{few} steps became {many}");
}
