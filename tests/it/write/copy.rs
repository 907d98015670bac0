//! Members of other archives.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom, Write};

use npzmap::{
    Access, ErrorKind, MemberOptions, Method, Npz, NpzWriter, OpenOptions, Reason, Result, Seekable, Source, Verify,
};

use super::{keys, written};
use crate::fixtures;

/// The archives that NumPy wrote, and others that it reads.
const FIXTURES: [&str; 12] = [
    "kinds-stored.npz",
    "kinds-deflated.npz",
    "model-batch.npz",
    "model-batch-stored.npz",
    "records-stored.npz",
    "pipe.npz",
    "pipe-compressed.npz",
    "methods.npz",
    "cp437.npz",
    "object.npz",
    "shapes.npz",
    "versions.npz",
];

fn copied<S: Source>(npz: &Npz<S>, options: MemberOptions) -> Npz<Vec<u8>> {
    written(|w| npz.members().try_for_each(|member| w.copy_with(&member, options)))
}

/// The file that a test writes into, so that the system copies from file to file.
fn into_a_file<S: Source>(npz: &Npz<S>, options: MemberOptions) -> Result<Npz<Vec<u8>>> {
    let mut file = tempfile::tempfile().unwrap();
    let mut w = NpzWriter::new(file.try_clone().unwrap())?;
    npz.members().try_for_each(|member| w.copy_with(&member, options))?;
    w.finish()?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.npz");
    let mut w = NpzWriter::create(&path)?.sync(false);
    npz.members().try_for_each(|member| w.copy_with(&member, options))?;
    w.finish()?;
    assert!(std::fs::read(&path).unwrap() == bytes);
    Npz::new(bytes)
}

/// The directory's record of a member, up to its name.
fn record<'a>(archive: &'a [u8], name: &[u8]) -> &'a [u8] {
    let mut places = archive.windows(46 + name.len()).filter(|w| w.starts_with(b"PK\x01\x02") && &w[46..] == name);
    let record = places.next().unwrap();
    assert!(places.next().is_none());
    record
}

/// Flag bits 1 and 2, which belong to the method: the end marker of LZMA is one.
fn method_bits(archive: &[u8], name: &[u8]) -> u8 {
    record(archive, name)[8] & 0b110
}

#[test]
fn names_order_content_and_checksums_are_kept_and_stored_elements_are_aligned() {
    for name in FIXTURES {
        let by_position = Npz::open(fixtures::path(name)).unwrap();
        let in_memory = Npz::new(fixtures::bytes(name)).unwrap();
        let unchecked = MemberOptions::new().verify(false);
        let copies = [
            copied(&by_position, MemberOptions::new()),
            copied(&in_memory, MemberOptions::new()),
            copied(&by_position, unchecked),
            copied(&in_memory, unchecked),
            into_a_file(&by_position, MemberOptions::new()).unwrap(),
            into_a_file(&by_position, unchecked).unwrap(),
            into_a_file(&in_memory, MemberOptions::new()).unwrap(),
        ];
        for npz in &copies {
            assert!(npz.source() == copies[0].source(), "{name}: the roads differ");
        }
        let npz = &copies[0];
        assert_eq!(keys(npz), keys(&by_position), "{name}");
        for (old, new) in by_position.members().zip(npz.members()) {
            let key = old.key();
            assert_eq!(old.text(), new.text());
            assert_eq!(
                (old.method(), old.crc32(), old.size()),
                (new.method(), new.crc32(), new.size()),
                "{name}: {key}"
            );
            assert_eq!(old.compressed_size(), new.compressed_size());
            assert_eq!(old.bytes().unwrap(), new.bytes().unwrap(), "{name}: {key}");
            new.verify().unwrap();
            assert_eq!(
                method_bits(npz.source(), new.name()),
                method_bits(&fixtures::bytes(name), old.name()),
                "{name}: {key}"
            );
            if let Some(offset) = new.payload_offset().unwrap() {
                assert_eq!(offset % 64, 0, "{name}: {key}");
            }
        }
    }
}

#[test]
fn the_version_that_a_reader_needs_is_that_of_the_method() {
    let original = fixtures::bytes("methods.npz");
    let copy = copied(&Npz::new(&original[..]).unwrap(), MemberOptions::new().verify(false));
    // APPNOTE 4.4.3.2; LZMA is of 6.3.
    for (name, needs) in [("stored.npy", 20), ("deflated.npy", 20), ("bzip2.npy", 46), ("lzma.npy", 63)] {
        for archive in [&original, copy.source()] {
            let record = record(archive, name.as_bytes());
            let local = u32::from_le_bytes(record[42..46].try_into().unwrap()) as usize;
            assert_eq!((&record[6..8], &archive[local + 4..local + 6]), (&[needs, 0][..], &[needs, 0][..]), "{name}");
        }
    }
}

#[test]
fn a_copy_of_what_numpy_stored_maps_without_a_copy() {
    let by_numpy = Npz::open(fixtures::path("model-batch-stored.npz")).unwrap();
    let reasons =
        |npz: &Npz<Vec<u8>>| -> Vec<_> { npz.members().map(|member| member.access_in_map().unwrap()).collect() };
    let before = by_numpy.member("features").unwrap().access_in_map().unwrap();
    assert!(matches!(before, Access::Copy(Reason::Misaligned { offset: 190, .. })));
    assert_eq!(reasons(&copied(&by_numpy, MemberOptions::new())), [Access::Borrow; 3]);
}

#[test]
fn compressed_members_are_inflated_and_deflated_by_option() {
    for name in
        ["model-batch.npz", "model-batch-stored.npz", "kinds-deflated.npz", "methods.npz", "pipe-compressed.npz"]
    {
        let npz = Npz::open(fixtures::path(name)).unwrap();
        let stored = copied(&npz, MemberOptions::new().store());
        let deflated = copied(&npz, MemberOptions::new().deflate(9));
        let again = copied(&deflated, MemberOptions::new().store());
        assert!(again.source() == stored.source());
        for ((old, stored), deflated) in npz.members().zip(&stored).zip(&deflated) {
            assert_eq!((stored.method(), deflated.method()), (Method::Stored, Method::Deflated));
            for new in [stored, deflated] {
                assert_eq!(old.bytes().unwrap(), new.bytes().unwrap());
                assert_eq!(old.crc32(), new.crc32());
                new.verify().unwrap();
            }
            assert_eq!(stored.payload_offset().unwrap().unwrap() % 64, 0);
        }
    }
}

/// An archive by NumPy with one byte of `labels` flipped, in a file.
fn damaged(name: &str, offset: usize) -> (tempfile::TempDir, Npz) {
    let mut bytes = fixtures::bytes(name);
    bytes[offset] ^= 0x10;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.npz");
    std::fs::write(&path, bytes).unwrap();
    let npz = Npz::open(path).unwrap();
    (folder, npz)
}

#[test]
fn a_flipped_byte_fails_the_copy_on_every_road() {
    let (_folder, by_position) = damaged("model-batch-stored.npz", 430);
    let in_memory = Npz::new(std::fs::read(by_position.path().unwrap()).unwrap()).unwrap();
    fn check<S: Source>(npz: &Npz<S>) {
        let member = npz.member("labels").unwrap();
        for options in [MemberOptions::new(), MemberOptions::new().store(), MemberOptions::new().deflate(1)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("out.npz");
            let mut w = NpzWriter::create(&path).unwrap();
            w.copy(&npz.member("features").unwrap()).unwrap();
            let error = w.copy_with(&member, options).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Checksum { .. }), "{error}");
            assert_eq!((error.member(), error.path()), (Some("labels"), npz.path()));
            // The others are none the worse for it.
            w.copy(&npz.member("sample_ids").unwrap()).unwrap();
            w.finish().unwrap();
            let copy = Npz::open(&path).unwrap();
            assert_eq!(keys(&copy), ["features", "sample_ids"]);
            copy.verify().unwrap();
        }
    }
    check(&by_position);
    check(&in_memory);
    // Unless the caller says otherwise: then it is as damaged as before.
    for options in [MemberOptions::new(), MemberOptions::new().store(), MemberOptions::new().deflate(1)] {
        let copy = into_a_file(&by_position, options.verify(false)).unwrap();
        assert!(matches!(copy.member("labels").unwrap().verify().unwrap_err().kind(), ErrorKind::Checksum { .. }));
        assert_eq!(copy.member("labels").unwrap().crc32(), by_position.member("labels").unwrap().crc32());
        copy.member("features").unwrap().verify().unwrap();
    }
}

#[test]
fn a_flipped_byte_in_what_the_system_moves_fails_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    let [path, copy] = ["in.npz", "out.npz"].map(|name| folder.path().join(name));
    let numbers: Vec<u32> = (0..1_000_000).collect();
    let mut w = NpzWriter::create(&path).unwrap().align(4096).unwrap();
    w.add("numbers", &numbers).unwrap();
    w.finish().unwrap();
    // Larger than what is moved at once, and not a multiple of it.
    for flipped in [None, Some(4096), Some(2 << 20), Some(4096 + 3_999_999)] {
        if let Some(at) = flipped {
            flip(&path, at);
        }
        for options in [MemberOptions::new(), MemberOptions::new().verify(false)] {
            let npz = Npz::open(&path).unwrap();
            let mut w = NpzWriter::create(&copy).unwrap();
            let result = w.copy_with(&npz.member("numbers").unwrap(), options);
            if flipped.is_some() && options == MemberOptions::new() {
                assert!(matches!(result.unwrap_err().kind(), ErrorKind::Checksum { .. }));
                w.finish().unwrap();
                assert_eq!(std::fs::metadata(&copy).unwrap().len(), 22); // nothing is left of it
                continue;
            }
            result.unwrap();
            w.finish().unwrap();
            let content = |path: &std::path::Path| {
                let npz = OpenOptions::new().verify(Verify::Never).open(path).unwrap();
                npz.member("numbers").unwrap().bytes().unwrap().into_owned()
            };
            assert!(content(&copy) == content(&path));
        }
        if let Some(at) = flipped {
            flip(&path, at);
        }
    }
}

fn flip(path: &std::path::Path, at: u64) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}

#[test]
fn a_damaged_stream_fails_the_copy_though_it_is_not_decoded_for_it() {
    let whole = Npz::open(fixtures::path("model-batch.npz")).unwrap();
    let bytes = fixtures::bytes("model-batch.npz");
    let labels = whole.member("labels").unwrap();
    let at = bytes.windows(10).position(|name| name == b"labels.npy").unwrap() + 10 + 20;
    let (_folder, npz) = damaged("model-batch.npz", at + usize::try_from(labels.compressed_size()).unwrap() - 4);
    let error = into_a_file(&npz, MemberOptions::new()).unwrap_err();
    assert_eq!(error.member(), Some("labels"));
    assert!(matches!(error.kind(), ErrorKind::Checksum { .. } | ErrorKind::BadStream { .. }), "{error}");
}

#[test]
fn a_source_that_ends_early_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.npz");
    let mut w = NpzWriter::create(&path).unwrap();
    w.add("x", &vec![1.0_f64; 1 << 20]).unwrap();
    w.finish().unwrap();
    let npz = Npz::open(&path).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(1 << 20).unwrap();
    for options in [MemberOptions::new(), MemberOptions::new().verify(false)] {
        let mut w = NpzWriter::create(folder.path().join("out.npz")).unwrap();
        assert!(w.copy_with(&npz.member("x").unwrap(), options).is_err());
        drop(w);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_member_with_a_bad_header_or_none_is_copied_as_it_is() {
    let mut inner = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in [("notes.txt", &b"no array"[..]), ("bad.npy", b"\x93NUMPY\x01\0\x05\0{bad}"), ("empty", b"")]
    {
        inner.start_file(name, stored).unwrap();
        inner.write_all(content).unwrap();
    }
    let npz = Npz::new(inner.finish().unwrap().into_inner()).unwrap();
    let copy = copied(&npz, MemberOptions::new());
    assert_eq!(keys(&copy), ["notes.txt", "bad", "empty"]);
    for (old, new) in npz.members().zip(&copy) {
        assert_eq!(old.bytes().unwrap(), new.bytes().unwrap());
    }
}

#[test]
fn a_member_that_inflates_to_more_than_the_limit_is_copied_since_it_is_not_held() {
    let zeros = vec![0_u8; 50 << 20];
    let npz = written(|w| w.add_with("zeros", &zeros, MemberOptions::new().deflate(6)));
    let limits = npzmap::Limits::new().max_decoded_bytes(1 << 20);
    let npz = OpenOptions::new().limits(limits).verify(Verify::Always).source(npz.into_source()).unwrap();
    assert!(npz.read::<u8, ndarray::Ix1>("zeros").is_err());
    let copy = copied(&npz, MemberOptions::new().store());
    assert_eq!(copy.member("zeros").unwrap().size(), 128 + zeros.len() as u64);
    copy.verify().unwrap();
}

#[test]
fn refused_members_are_refused() {
    let mut bytes = fixtures::bytes("model-batch-stored.npz");
    // The local name of `labels` is another.
    let at = bytes.windows(10).position(|name| name == b"labels.npy").unwrap();
    bytes[at] = b'L';
    let npz = Npz::new(bytes).unwrap();
    let mut w: NpzWriter<Seekable<Cursor<Vec<u8>>>> = NpzWriter::new(Cursor::new(Vec::new())).unwrap();
    let results: Vec<bool> = npz.members().map(|member| w.copy(&member).is_ok()).collect();
    assert_eq!(results, [true, false, true]);
    assert_eq!(keys(&Npz::new(w.finish().unwrap().into_inner()).unwrap()), ["features", "sample_ids"]);
}

/// With a method that only one feature decodes, those that can be read.
fn readable(npz: &Npz<Vec<u8>>) -> Vec<npzmap::Member<'_, Vec<u8>>> {
    npz.members().filter(|member| member.verify().is_ok()).collect()
}

#[test]
fn many_at_once_are_the_same_bytes_as_one_by_one() {
    for options in [
        MemberOptions::new(),
        MemberOptions::new().verify(false),
        MemberOptions::new().store(),
        MemberOptions::new().deflate(6),
        MemberOptions::new().deflate_if_smaller(1),
    ] {
        for name in FIXTURES {
            let npz = Npz::new(fixtures::bytes(name)).unwrap();
            let members = readable(&npz);
            let (mut ends, mut together) = (Vec::new(), NpzWriter::stream(Vec::new()));
            let said = together.copy_many(members.iter().copied(), options).unwrap();
            let mut apart = NpzWriter::stream(Vec::new());
            for member in &members {
                apart.copy_with(member, options).unwrap();
                ends.push(apart.position());
            }
            assert_eq!(said, ends, "{name} {options:?}");
            let bytes = together.finish().unwrap();
            assert!(!bytes.is_empty() && bytes == apart.finish().unwrap(), "{name} {options:?}");
        }
    }
}

#[test]
fn the_first_of_many_that_fails_is_named_and_those_before_it_are_there() {
    let numbers: Vec<u32> = (0..5000).collect();
    let mut starts = Vec::new();
    let deflated = written(|w| {
        ["a", "b", "c", "d"].iter().try_for_each(|key| {
            starts.push(w.position() as usize);
            w.add_with(key, &numbers, MemberOptions::new().deflate(6))
        })
    });
    let mut damaged = deflated.source().clone();
    damaged[starts[1] + 500] ^= 0x55;
    let damaged = Npz::new(damaged).unwrap();
    for options in [MemberOptions::new(), MemberOptions::new().store(), MemberOptions::new().deflate(1)] {
        let mut w = NpzWriter::new(Cursor::new(Vec::new())).unwrap();
        let error = w.copy_many(&damaged, options).unwrap_err();
        assert_eq!((error.member(), w.len()), (Some("b"), 1), "{options:?}");
        assert!(matches!(error.kind(), ErrorKind::BadStream { .. } | ErrorKind::Checksum { .. }), "{error}");
        // The one that is there already is named before its data is looked at.
        let twice = ["a", "b"].map(|key| damaged.member(key).unwrap());
        let error = w.copy_many(twice, options).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadKey { .. }) && error.member() == Some("a"), "{error}");
        w.copy_many(["c", "d"].map(|key| damaged.member(key).unwrap()), options).unwrap();
        let npz = Npz::new(w.finish().unwrap().into_inner()).unwrap();
        assert_eq!(keys(&npz), ["a", "c", "d"]);
        assert_eq!(npz.read::<u32, ndarray::Ix1>("d").unwrap().to_vec(), numbers);
    }
    let mut w = NpzWriter::stream(Vec::new());
    let error = w.copy_many(&deflated, MemberOptions::new().deflate(10)).unwrap_err();
    assert_eq!((error.member(), w.len()), (Some("a"), 0));
}
