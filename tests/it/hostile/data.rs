//! A member's data and how it is coded, and what nobody reads: Z19, Z20, Z25 to Z29.

use ndarray::Ix1;
use npzmap::{Error, ErrorKind as K, OpenOptions, Verify};

use super::*;
use crate::forge::{WIDE, WIDE16, Zip64, deflate, deflated, npy, zip64_extra};

// Z19, Z20

#[test]
#[cfg(not(all(feature = "methods", feature = "zstd")))]
fn z19_other_methods_are_refused_by_name() {
    for (number, name) in [(12, "bzip2"), (14, "LZMA"), (93, "zstd")] {
        let error = refused(&lie(|archive| both(archive, X, |header| header.method = number)), "x", Place::Data);
        assert_rule!(error, "Z19", K::UnsupportedMethod { method } if *method == number);
        assert!(error.to_string().contains(name) && error.kind().is_unsupported(), "{error}");
    }
}

/// An array by every method that is neither stored nor deflated, as `x` between two others.
#[cfg(all(feature = "methods", feature = "zstd"))]
pub(super) fn foreign() -> Vec<(Vec<u8>, Archive)> {
    let fixture = crate::fixtures::bytes("methods.npz");
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(fixture)).unwrap();
    let mut found = Vec::new();
    for (name, method, flags) in [("bzip2.npy", 12, 0), ("lzma.npy", 14, 1 << 1)] {
        let (mut content, mut data) = (Vec::new(), Vec::new());
        zip.by_name(name).unwrap().read_to_end(&mut content).unwrap();
        zip.by_name_raw(name.as_bytes()).unwrap().read_to_end(&mut data).unwrap();
        found.push((content, data, method, flags));
    }
    // One frame of one block, as it is (RFC 8878).
    let content = u32s(&values("x"));
    let length = u8::try_from(content.len()).unwrap();
    let block = u32::from(length) << 3 | 1;
    let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, length], &block.to_le_bytes()[..3], &content].concat();
    found.push((content, frame, 93, 0));
    let archive = |(content, data, method, flags): (Vec<u8>, Vec<u8>, u16, u16)| {
        let mut entry = stored("x.npy", &content);
        (entry.header.method, entry.header.flags) = (method, flags);
        entry.header.compressed_size = u32::try_from(data.len()).unwrap();
        (content, with_x(Entry { data, ..entry }))
    };
    found.into_iter().map(archive).collect()
}

/// `x` with other data, whose length is true.
#[cfg(all(feature = "methods", feature = "zstd"))]
pub(super) fn with_data(archive: &Archive, data: &[u8]) -> Archive {
    let mut archive = archive.clone();
    archive.entries[X].data = data.into();
    let length = u32::try_from(data.len()).unwrap();
    both(&mut archive, X, |header| header.compressed_size = length);
    archive.lay_out();
    archive
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn z19_the_other_methods_of_numpy_read() {
    for (content, archive) in foreign() {
        agrees_with_zip(&archive.bytes());
        each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["x"]);
            npz.verify().unwrap();
            assert_eq!(*npz.member("x").unwrap().bytes().unwrap(), content);
            assert!(npz.member("x").unwrap().header().unwrap().count() > 0);
        });
    }
}

#[test]
fn z20_any_other_method_is_refused_by_number() {
    for number in [1, 2, 6, 7, 9, 10, 13, 20, 95, 98, 99, 0x0100, 0x0800, WIDE16] {
        let error = refused(&lie(|archive| both(archive, X, |header| header.method = number)), "x", Place::Data);
        assert_rule!(error, "Z20", K::UnsupportedMethod { method } if *method == number);
        assert!(error.to_string().contains(&number.to_string()), "{error}");
    }
}

// Z25 to Z27

#[test]
fn z25_more_than_deflate_can_do_is_refused_before_it_is_tried() {
    let declared = |size: u64| {
        let mut archive = with_x(deflated("x.npy", &u32s(&values("x"))));
        let record = &mut archive.records[X];
        record.size = u32::try_from(size).unwrap_or(WIDE);
        if record.size == WIDE {
            record.extra = zip64_extra(&[size]);
        }
        archive.entries[X].header.size = record.size;
        archive.entries[X].header.extra = record.extra.clone();
        archive.lay_out();
        archive
    };
    let most = u64::from(declared(0).records[X].compressed_size) * 1032;
    for declared_size in [most + 1, 1 << 31, 1 << 32, 1 << 40, u64::MAX] {
        let error = refused(&declared(declared_size), "x", Place::Data);
        assert_rule!(error, "Z25", K::ImplausibleSize { size, compressed } if *size == declared_size && compressed * 1032 == most);
    }
    // Up to there it is tried.
    let error = broken(&declared(most));
    assert_rule!(error, "Z26", K::BadStream { .. });
    let mut archive = with_x(deflated("x.npy", b""));
    archive.entries[X].data.clear();
    both(&mut archive, X, |header| (header.compressed_size, header.size) = (0, 1));
    archive.lay_out();
    assert_rule!(refused(&archive, "x", Place::Data), "Z25", K::ImplausibleSize { compressed: 0, size: 1 });
}

/// Every call that takes the content of `x` refuses it.
#[track_caller]
pub(super) fn broken(archive: &Archive) -> Error {
    let bytes = archive.bytes();
    agrees_with_zip(&bytes);
    let error = agreed(each_reader!(&bytes, |npz| {
        let npz = npz.unwrap();
        the_others_read(&npz, &["x"]);
        let member = npz.member("x").unwrap();
        let mut destination = Array1::<u32>::zeros(3);
        let errors = [
            member.bytes().expect_err("bytes"),
            member.verify().expect_err("verify"),
            npz.verify().expect_err("verify of all"),
        ];
        let errors = agreed(errors);
        if member.header().is_ok_and(|header| header.shape() == [3]) {
            let as_array = [
                member.array().and_then(|array| array.read::<u32, Ix1>()).expect_err("read"),
                member.array().and_then(|array| array.get::<u32, Ix1>()).expect_err("get"),
                member.array().and_then(|array| array.read_into(destination.view_mut())).expect_err("read_into"),
            ];
            let error = assert_about_x(archive, agreed(as_array), Place::Data);
            assert_eq!(error.kind().rule(), errors.kind().rule());
        }
        errors
    }));
    assert_about_x(archive, error, Place::Data)
}

/// `x` is deflated, its data this stream, its content said to be `content`.
fn stream(content: &[u8], data: Vec<u8>) -> Archive {
    let mut entry = deflated("x.npy", content);
    entry.header.compressed_size = u32::try_from(data.len()).unwrap();
    entry.data = data;
    with_x(entry)
}

#[test]
fn z26_a_stream_that_is_no_deflate_stream_is_refused() {
    let content = u32s(&values("x"));
    let sound = deflate(&content);
    reads(&stream(&content, sound.clone()), 3);
    let with = |index: usize, byte: u8| {
        let mut data = sound.clone();
        data[index] = byte;
        data
    };
    let cases = [
        ("a block of no kind", with(0, 0b111)),
        ("a length and its complement that differ", with(3, 0)),
        ("random bytes", vec![0xa5; sound.len()]),
        ("a zlib header before it", [&[0x78, 0x9c], &sound[..]].concat()),
        ("a distance beyond the start", vec![0x4b, 0x04, 0x12, 0x00, 0xff, 0xff]),
    ];
    for (what, data) in cases {
        let error = broken(&stream(&content, data));
        assert_rule!(error, "Z26", K::BadStream { .. });
        assert_eq!(error.kind().rule(), Some("Z26"), "{what}");
    }
}

#[test]
fn z26_a_stream_that_ends_before_its_content_is_refused() {
    let content = u32s(&values("x"));
    // It is complete, and the declared content has four bytes more; none of them; only the preamble.
    for length in [content.len() - 4, 0, 128] {
        assert_rule!(broken(&stream(&content, deflate(&content[..length]))), "Z26", K::BadStream { .. });
    }
    // Cut off, at each byte of its head and in the middle.
    let sound = deflate(&content);
    for length in [1, 2, 4, 5, 6, 100, sound.len() - 1] {
        assert_rule!(broken(&stream(&content, sound[..length].into())), "Z26", K::BadStream { .. });
    }
}

#[test]
fn z26_a_stream_that_goes_on_behind_its_content_is_refused() {
    let content = u32s(&values("x"));
    // One byte, a megabyte.
    for more in [1, 1 << 20] {
        let data = deflate(&[&content[..], &vec![0; more]].concat());
        assert_rule!(broken(&stream(&content, data)), "Z26", K::BadStream { .. });
    }
    // No content at all, and a stream that has some.
    assert_rule!(broken(&stream(b"", deflate(&content))), "Z26", K::BadStream { .. });
}

#[test]
fn z26_a_stream_without_a_final_block_is_refused() {
    let content = u32s(&values("x"));
    let mut data = deflate(&content);
    data[0] = 0;
    assert_rule!(broken(&stream(&content, data.clone())), "Z26", K::BadStream { .. });
    // Nor does another block without content help, which is not final either; one that is final does.
    data.extend([0, 0, 0, 0xff, 0xff]);
    assert_rule!(broken(&stream(&content, data.clone())), "Z26", K::BadStream { .. });
    data.extend(deflate(b""));
    reads(&stream(&content, data), 3);
    assert_rule!(broken(&stream(b"", Vec::new())), "Z26", K::BadStream { .. });
}

#[test]
fn z26_data_behind_the_final_block_is_refused() {
    let content = u32s(&values("x"));
    for more in [vec![0], deflate(b""), vec![0; 300_000]] {
        let data = [deflate(&content), more].concat();
        assert_rule!(broken(&stream(&content, data)), "Z26", K::BadStream { .. });
    }
}

#[test]
fn z27_content_that_differs_from_its_checksum_is_refused() {
    let content = u32s(&values("x"));
    let sum = crc32fast::hash(&content);
    for sound in [stored("x.npy", &content), deflated("x.npy", &content)] {
        // The checksum is wrong; zero is a checksum like any other.
        for wrong in [sum ^ 1, 0, WIDE] {
            let mut archive = with_x(sound.clone());
            both(&mut archive, X, |header| header.crc32 = wrong);
            let error = broken_copy(&archive);
            assert_rule!(error, "Z27", K::Checksum { computed, stored } if (*computed, *stored) == (sum, wrong));
        }
        // The content is: its last element, or a blank of the preamble, which changes no value.
        let blank = sound.data.len() - content.len() + 125;
        for (index, byte) in [(sound.data.len() - 1, 1), (blank, b'\t')] {
            let mut archive = with_x(sound.clone());
            archive.entries[X].data[index] = byte;
            assert_rule!(broken_copy(&archive), "Z27", K::Checksum { stored, .. } if *stored == sum);
        }
    }
}

/// A copy of `x` is refused, also as bytes.
#[track_caller]
fn broken_copy(archive: &Archive) -> Error {
    let mut destination = Array1::<u32>::zeros(3);
    let error = agreed(each_reader!(&archive.bytes(), |npz| {
        let npz = npz.unwrap();
        the_others_read(&npz, &["x"]);
        let member = npz.member("x").unwrap();
        agreed([
            member.verify().expect_err("verify"),
            npz.verify().expect_err("verify of all"),
            member.array().and_then(|array| array.read::<u32, Ix1>()).expect_err("read"),
            member.array().and_then(|array| array.read_into(destination.view_mut())).expect_err("read_into"),
        ])
    }));
    assert_about_x(archive, error, Place::Data)
}

#[test]
fn z27_a_checksum_is_held_against_what_is_copied_and_against_a_borrow_on_request() {
    let damaged = |mut archive: Archive| {
        *archive.entries[X].data.last_mut().unwrap() ^= 0x40;
        archive
    };
    fn told(archive: &Archive, error: Error) {
        let error = assert_about_x(archive, error, Place::Data);
        let record = archive.records[X].crc32;
        assert_rule!(error, "Z27", K::Checksum { computed, stored } if *stored == record && computed != stored);
    }
    let zeros = damaged(with_x(stored("x.npy", &[0; 1000])));
    let take = |verify: Verify| {
        each_reader!(&zeros.bytes(), OpenOptions::new().verify(verify), |npz| {
            npz.unwrap().member("x").unwrap().bytes().map(|bytes| bytes.into_owned())
        })
    };
    // In memory and mapped the bytes are lent, by position they are copied.
    let content = &zeros.entries[X].data;
    let [lent, copied, mapped] = take(Verify::Copied);
    assert_eq!((&lent.unwrap(), &mapped.unwrap()), (content, content));
    told(&zeros, copied.unwrap_err());
    take(Verify::Never).into_iter().for_each(|taken| assert_eq!(taken.unwrap(), *content));
    take(Verify::Always).into_iter().for_each(|taken| told(&zeros, taken.unwrap_err()));

    let x = npy("'|u1'", "(3,)", &[1, 2, 3]);
    for archive in [with_x(stored("x.npy", &x)), with_x(deflated("x.npy", &x))].map(damaged) {
        let never = OpenOptions::new().verify(Verify::Never);
        each_reader!(&archive.bytes(), never, |npz| {
            let npz = npz.unwrap();
            assert_eq!(read_by_every_call::<u8, _>(&npz, "x"), [1, 2, 0x43]);
            told(&archive, npz.verify().unwrap_err());
        });
        let always = OpenOptions::new().verify(Verify::Always);
        each_reader!(&archive.bytes(), always, |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["x"]);
            told(&archive, npz.read::<u8, Ix1>("x").unwrap_err());
            told(&archive, npz.get::<u8, Ix1>("x").unwrap_err());
        });
    }
    let archive = damaged(with_x(stored("x.npy", &x)));
    let file = written(&archive.bytes());
    let view = |verify| {
        map(OpenOptions::new().verify(verify), file.path()).unwrap().view::<u8, Ix1>("x").map(|view| view.to_vec())
    };
    assert_eq!(view(Verify::Copied).unwrap(), [1, 2, 0x43]);
    told(&archive, view(Verify::Always).unwrap_err());
}

#[test]
fn z27_an_array_without_elements_has_a_checksum_too() {
    let mut archive = with_x(deflated("x.npy", &u32s(&[])));
    both(&mut archive, X, |header| header.crc32 ^= 1);
    let error = agreed(each_reader!(&archive.bytes(), |npz| {
        let npz = npz.unwrap();
        the_others_read(&npz, &["x"]);
        agreed([npz.read::<u32, Ix1>("x").unwrap_err(), npz.get::<u32, Ix1>("x").unwrap_err()])
    }));
    assert_rule!(assert_about_x(&archive, error, Place::Data), "Z27", K::Checksum { .. });
}

// Z26, Z27: the other methods

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn z26_a_damaged_stream_of_another_method_is_refused() {
    for (_, archive) in foreign() {
        let sound = archive.entries[X].data.clone();
        for length in [0, 1, 4, 9, sound.len() / 2, sound.len() - 10] {
            assert_rule!(broken(&with_data(&archive, &sound[..length])), "Z26", K::BadStream { .. });
        }
        for data in [vec![0; sound.len()], vec![0xff; sound.len()], [&[0], &sound[..]].concat()] {
            assert_rule!(broken(&with_data(&archive, &data)), "Z26", K::BadStream { .. });
        }
    }
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn z26_a_stream_of_another_method_that_is_not_as_long_as_its_content_is_refused() {
    for (content, archive) in foreign() {
        let (shorter, longer) = (&content[..content.len() - 1], [&content[..], b"!"].concat());
        for other in [&longer[..], shorter] {
            let mut archive = archive.clone();
            let (sum, length) = (crc32fast::hash(other), u32::try_from(other.len()).unwrap());
            both(&mut archive, X, |header| (header.crc32, header.size) = (sum, length));
            assert_rule!(broken(&archive), "Z26", K::BadStream { .. });
        }
    }
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn z27_content_of_another_method_that_differs_from_its_checksum_is_refused() {
    for (content, mut archive) in foreign() {
        let sum = crc32fast::hash(&content);
        for wrong in [sum ^ 1, 0] {
            both(&mut archive, X, |header| header.crc32 = wrong);
            let error = agreed(each_reader!(&archive.bytes(), |npz| {
                let npz = npz.unwrap();
                the_others_read(&npz, &["x"]);
                let member = npz.member("x").unwrap();
                agreed([member.bytes().unwrap_err(), member.verify().unwrap_err()])
            }));
            let error = assert_about_x(&archive, error, Place::Data);
            assert_rule!(error, "Z27", K::Checksum { computed, stored } if (*computed, *stored) == (sum, wrong));
            each_reader!(&archive.bytes(), OpenOptions::new().verify(Verify::Never), |npz| {
                assert_eq!(*npz.unwrap().member("x").unwrap().bytes().unwrap(), content);
            });
        }
    }
}

// Z28

#[test]
fn z28_a_version_that_no_format_has_is_refused() {
    for version in [64, 100, 255] {
        let archive = lie(|archive| archive.records[X].version[0] = version);
        let error = refused(&archive, "x", Place::Record);
        assert_rule!(error, "Z28", K::UnsupportedVersion { version: found } if *found == version);
        assert!(error.kind().is_unsupported());
    }
    let error = refused(&lie(|archive| archive.records[X].version[0] = 64), "x", Place::Record);
    assert!(error.to_string().contains("version 6.4"), "{error}");
    // What is known, any system, and whatever the local header says.
    for version in [[0, 0], [10, 0], [63, 0], [45, 255]] {
        reads(&lie(|archive| archive.records[X].version = version), 3);
    }
    reads(&lie(|archive| archive.entries[X].header.version = [255, 255]), 3);
}

// Z29

/// What every reader makes of an archive: keys, sizes, checksums and contents.
fn seen(archive: &Archive) -> Vec<(String, u64, u64, u32, Vec<u8>)> {
    reads(archive, archive.records.len());
    same(each_reader!(&archive.bytes(), |npz| {
        let npz = npz.unwrap();
        let seen = npz.members().map(|member| {
            let content = member.bytes().unwrap().into_owned();
            (member.key().into_owned(), member.size(), member.compressed_size(), member.crc32(), content)
        });
        seen.collect::<Vec<_>>()
    }))
}

#[test]
fn z29_what_nobody_reads_changes_nothing() {
    type Lie = fn(&mut Header, u32);
    let lies: [(&str, Lie); 5] = [
        ("made by", |header, lie| header.made_by = (lie as u16).to_le_bytes()),
        ("time", |header, lie| header.time = lie as u16),
        ("date", |header, lie| header.date = lie as u16),
        ("internal attributes", |header, lie| header.internal_attributes = lie as u16),
        ("external attributes", |header, lie| header.external_attributes = lie),
    ];
    // Every system, and with them a link, a folder and a device of Unix, and a folder of MS-DOS.
    let systems = (0..=255).map(|system| system << 8 | 63);
    let modes = [0o120_777, 0o040_755, 0o060_600, 0o100_000].map(|mode: u32| mode << 16);
    let wrong = [0, 1, 0x10, 0x13ff, 0x7fff_ffff, WIDE - 1, WIDE]; // months and hours that there are not, too
    let archive = with_x(deflated("x.npy", &u32s(&values("x"))));
    let sound = seen(&archive);
    for lie in systems.chain(modes).chain(wrong) {
        let mut all = archive.clone();
        for (_, tell) in lies {
            (0..3).for_each(|index| both(&mut all, index, |header| tell(header, lie)));
        }
        assert_ne!(all.bytes(), archive.bytes());
        assert_eq!(seen(&all), sound, "{lie:#x}");
    }
    // One at a time, and another one in the local header.
    for (what, tell) in lies {
        for lie in [0, 0x10, 0xa1ff_0000, WIDE] {
            let mut archive = archive.clone();
            tell(&mut archive.entries[X].header, lie);
            tell(&mut archive.records[X], !lie);
            assert_eq!(seen(&archive), sound, "{what} {lie:#x}");
        }
    }
}

#[test]
fn z29_what_nobody_reads_excuses_nothing() {
    let tell = |header: &mut Header| {
        (header.made_by, header.time, header.date) = ([255; 2], WIDE16, WIDE16);
        (header.internal_attributes, header.external_attributes) = (WIDE16, WIDE);
    };
    let mut archive = lie(|archive| both(archive, X, |header| tell(header)));
    archive.records[X].version = [64, 255];
    assert_rule!(refused(&archive, "x", Place::Record), "Z28", K::UnsupportedVersion { version: 64 });
    archive.records[X].version = [63, 255];
    archive.entries[X].header.crc32 ^= 1;
    assert_rule!(refused(&archive, "x", Place::Local), "Z2", K::HeaderMismatch { field: "CRC-32", .. });
}

#[test]
fn z29_comments_and_the_versions_of_the_zip64_end_record_change_nothing() {
    let sound = seen(&three());
    for version in [[0, 0], [45, 3], [64, 0], [255, 255]] {
        let mut archive = three();
        archive.zip64 = Some(Zip64::new());
        archive.records.iter_mut().for_each(|record| record.comment = b"PK\x01\x02 a comment".into());
        archive.end.comment = vec![b'c'; 300];
        archive.lay_out();
        let zip64 = archive.zip64.as_mut().unwrap();
        (zip64.made_by, zip64.version) = (version, version);
        assert_eq!(seen(&archive), sound, "{version:?}");
    }
}
