//! Other readers of the same bytes: the `zip` crate for the container, `ndarray-npy` for the arrays. What they and we
//! both accept must be the same.

use std::collections::HashSet;
use std::io::{self, Cursor, Write};
use std::sync::LazyLock;

use bytemuck::NoUninit;
use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::{NpzReader, ReadableElement};
use npzmap::num_complex::Complex;
use npzmap::{Dtype, Element, ErrorKind, Header, Member, Method, Npz, OpenOptions, Order, Source, Verify};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::fixtures;
use crate::regressions::differential::{Listed, differential, ours, theirs};

/// Bytes that are read by position.
struct ByPosition<'a>(&'a [u8]);

impl Source for ByPosition<'_> {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(offset, buf)
    }
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// The names of the archives among the fixtures.
#[cfg(all(feature = "methods", feature = "zstd"))]
fn archives() -> Vec<String> {
    let entries = std::fs::read_dir(fixtures::path("")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".npz"));
    names.sort();
    names
}

/// Holds everything that both say about an archive against each other. What we say of each member, and what they say.
fn compare(archive: &[u8]) -> Vec<(Listed, Listed)> {
    let mut zip = ZipArchive::new(Cursor::new(archive)).unwrap();
    let npz = Npz::new(archive).unwrap();
    let by_position = Npz::new(ByPosition(archive)).unwrap();
    assert_eq!((npz.len(), by_position.len()), (zip.len(), zip.len()));
    let members = npz.members().zip(by_position.members()).enumerate();
    let check = |(index, (member, positioned)): (usize, (Member<'_, &[u8]>, Member<'_, ByPosition<'_>>))| {
        let (listed, theirs) = (ours(archive, &member).unwrap(), theirs(&mut zip, index, Verify::Always).unwrap());
        assert_eq!(theirs.clone().limited_to(&listed), listed);
        let positioned = ours(archive, &positioned).unwrap();
        assert_eq!(positioned.start, None);
        assert_eq!(listed.clone().limited_to(&positioned), positioned);
        member.verify().unwrap();
        assert_eq!(listed.start.is_some(), member.method() == Method::Stored, "a stored member is lent");
        let preamble = match member.header() {
            Ok(header) => header.preamble_size() as u64,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::NotAnArray), "{error}");
                0
            }
        };
        assert_eq!(member.payload_offset().unwrap(), listed.start.map(|start| start + preamble));
        (listed, theirs)
    };
    members.map(check).collect()
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn the_zip_crate_sees_in_every_fixture_what_we_see() {
    let mut members = 0;
    let mut guessed = Vec::new();
    for file in archives() {
        for (ours, theirs) in compare(&fixtures::bytes(&file)) {
            members += 1;
            if theirs.is_guessed(&ours) {
                guessed.push((file.clone(), theirs.name));
            }
        }
    }
    // All of them: none of the fixtures is beyond the `zip` crate.
    assert!(members > 500, "{members}");
    assert_eq!(guessed, [("cp437.npz".to_owned(), "grö.npy".as_bytes().to_vec())]);
}

/// An array whose elements are known.
#[derive(Clone, Debug)]
struct Given {
    dtype: &'static str,
    shape: Vec<usize>,
    order: Order,
    payload: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Content {
    Raw(Vec<u8>),
    Array(Given),
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Content::Raw(bytes) => bytes.clone(),
            Content::Array(Given { dtype, shape, order, payload }) => {
                let header = Header::new(dtype.parse().unwrap(), shape, *order).unwrap();
                [header.to_bytes(), payload.clone()].concat()
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    method: CompressionMethod,
    level: Option<i64>,
    alignment: u16,
    large: bool,
    content: Content,
}

#[derive(Clone, Debug)]
struct Archive {
    entries: Vec<Entry>,
    comment: String,
    prefix: Vec<u8>,
    /// Whether the offsets count the prefix.
    counted: bool,
}

impl Archive {
    fn bytes(&self) -> Vec<u8> {
        let mut cursor = Cursor::new(if self.counted { self.prefix.clone() } else { Vec::new() });
        cursor.set_position(cursor.get_ref().len() as u64);
        let mut writer = ZipWriter::new(cursor);
        for entry in &self.entries {
            let options = SimpleFileOptions::default()
                .compression_method(entry.method)
                .compression_level(entry.level)
                .with_alignment(entry.alignment)
                .large_file(entry.large);
            writer.start_file(&entry.name, options).unwrap();
            writer.write_all(&entry.content.bytes()).unwrap();
        }
        writer.set_comment(&*self.comment).unwrap();
        let written = writer.finish().unwrap().into_inner();
        if self.counted { written } else { [self.prefix.clone(), written].concat() }
    }
}

/// Bytes that depend on nothing but the seed: one value of proptest for each byte would take most of the time.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    // Half of the seeds give bytes that can be compressed.
    let mask = if seed & 2 == 0 { 0xff } else { 3 };
    (0..count.div_ceil(8)).flat_map(|_| next()).take(count).map(|byte| byte & mask).collect()
}

const DTYPES: [&str; 16] =
    ["|b1", "|i1", "<i2", ">i4", "<i8", "|u1", ">u2", "<u4", ">u8", "<f4", ">f4", "<f8", ">f8", "<c8", ">c16", "<U3"];

fn given() -> impl Strategy<Value = Given> {
    let order = select(&[Order::C, Order::Fortran][..]);
    (select(&DTYPES[..]), vec(0_usize..6, 0..4), order, any::<u64>()).prop_map(|(dtype, shape, order, seed)| {
        let item = dtype.parse::<Dtype>().unwrap().item_size();
        let mut payload = noise(seed, item * shape.iter().product::<usize>());
        if dtype == "|b1" {
            payload.iter_mut().for_each(|byte| *byte &= 1);
        }
        Given { dtype, shape, order, payload }
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let pieces = &["a", "weight", "0", "/", ".", "..", "\\", " ", ".npy", "é", "λ", "層", "🦀", "\u{202e}", "\n"][..];
    let name = (vec(select(pieces), 0..6), select(&["", ".npy", ".npy"][..]));
    let stored = Just((CompressionMethod::Stored, None));
    let deflated = select(&[None, Some(1), Some(6), Some(9)][..]).prop_map(|l| (CompressionMethod::Deflated, l));
    #[cfg(all(feature = "methods", feature = "zstd"))]
    let others = select(&[(CompressionMethod::Bzip2, Some(1)), (CompressionMethod::Zstd, Some(3))][..]);
    #[cfg(all(feature = "methods", feature = "zstd"))]
    let coded = prop_oneof![4 => stored, 4 => deflated, 1 => others];
    #[cfg(not(all(feature = "methods", feature = "zstd")))]
    let coded = prop_oneof![stored, deflated];
    let raw = (any::<u64>(), 0_usize..3000).prop_map(|(seed, count)| Content::Raw(noise(seed, count)));
    let content = prop_oneof![1 => raw, 3 => given().prop_map(Content::Array)];
    let alignment = select(&[1_u16, 1, 2, 16, 64, 64, 4096][..]);
    (name, coded, alignment, any::<bool>(), content).prop_map(
        |((pieces, suffix), (method, level), alignment, large, content)| {
            let name = pieces.concat() + suffix;
            Entry { name, method, level, alignment, large, content }
        },
    )
}

fn archive() -> impl Strategy<Value = Archive> {
    let comment = prop_oneof![3 => Just(String::new()), 1 => "[a-z ]{1,300}"];
    let prefix = prop_oneof![2 => Just(0_usize), 1 => 1_usize..200];
    (vec(entry(), 0..40), comment, prefix, any::<bool>()).prop_map(|(mut entries, comment, prefix, counted)| {
        let mut seen = HashSet::new();
        entries.retain(|entry| seen.insert(entry.name.clone()));
        Archive { entries, comment, prefix: noise(2, prefix), counted }
    })
}

/// The elements of an array, in the order of its indices, against the bytes that were written.
fn check_elements<T: Element + NoUninit>(npz: &Npz<&[u8]>, name: &str, given: &Given, parts: usize) {
    let array = npz.read::<T, IxDyn>(name).unwrap();
    assert_eq!(array.shape(), given.shape);
    let part = (size_of::<T>() / parts).max(1);
    let strides = |lengths: &[usize]| -> Vec<usize> {
        (0..lengths.len()).map(|axis| lengths[axis + 1..].iter().product()).collect()
    };
    let strides = match given.order {
        Order::C => strides(&given.shape),
        Order::Fortran => {
            let reversed: Vec<usize> = given.shape.iter().rev().copied().collect();
            strides(&reversed).into_iter().rev().collect()
        }
    };
    for (index, element) in array.indexed_iter() {
        let place: usize = (0..strides.len()).map(|axis| index[axis] * strides[axis]).sum();
        let mut expected = given.payload[place * size_of::<T>()..][..size_of::<T>()].to_vec();
        if given.dtype.starts_with(if cfg!(target_endian = "little") { '>' } else { '<' }) {
            expected.chunks_exact_mut(part).for_each(<[u8]>::reverse);
        }
        assert_eq!(bytemuck::bytes_of(element), expected, "{index:?} of {given:?}");
    }
    // The other verbs give the same, bit by bit.
    let bits =
        |array: &ArrayD<T>| array.iter().flat_map(|value| bytemuck::bytes_of(value).to_vec()).collect::<Vec<_>>();
    assert_eq!(bits(&npz.get::<T, IxDyn>(name).unwrap().into_owned()), bits(&array));
    if let Ok(view) = npz.view::<T, IxDyn>(name) {
        assert_eq!(bits(&view.to_owned()), bits(&array));
    }
}

fn check_given(npz: &Npz<&[u8]>, name: &str, given: &Given) {
    match given.dtype {
        "|b1" => check_elements::<bool>(npz, name, given, 1),
        "|i1" => check_elements::<i8>(npz, name, given, 1),
        "<i2" => check_elements::<i16>(npz, name, given, 1),
        ">i4" => check_elements::<i32>(npz, name, given, 1),
        "<i8" => check_elements::<i64>(npz, name, given, 1),
        "|u1" => check_elements::<u8>(npz, name, given, 1),
        ">u2" => check_elements::<u16>(npz, name, given, 1),
        "<u4" => check_elements::<u32>(npz, name, given, 1),
        ">u8" => check_elements::<u64>(npz, name, given, 1),
        "<f4" | ">f4" => check_elements::<f32>(npz, name, given, 1),
        "<f8" | ">f8" => check_elements::<f64>(npz, name, given, 1),
        "<c8" => check_elements::<Complex<f32>>(npz, name, given, 2),
        ">c16" => check_elements::<Complex<f64>>(npz, name, given, 2),
        "<U3" => check_elements::<npzmap::FixedStr<3>>(npz, name, given, 3),
        dtype => panic!("{dtype}"),
    }
}

#[test]
fn archives_of_the_zip_crates_writer_read_as_it_reads_them_and_hold_what_was_written() {
    let check = |given: Archive| {
        let bytes = given.bytes();
        let listed = compare(&bytes);
        let names: Vec<&str> = listed.iter().map(|(ours, _)| &*ours.text).collect();
        let expected: Vec<&str> = given.entries.iter().map(|entry| &*entry.name).collect();
        assert_eq!(names, expected);
        let npz = Npz::new(&bytes[..]).unwrap();
        for entry in &given.entries {
            let content = entry.content.bytes();
            let member = npz.member(&entry.name).unwrap();
            assert!(member.bytes().unwrap() == content, "{entry:?}");
            match &entry.content {
                Content::Array(given) => check_given(&npz, &entry.name, given),
                Content::Raw(_) => {
                    let error = npz.read_any(&entry.name).unwrap_err();
                    assert!(matches!(error.kind(), ErrorKind::NotAnArray), "{error}");
                }
            }
        }
        Ok(())
    };
    runner(96).run(&archive(), check).unwrap();
}

/// Reads an array by both; what ndarray-npy says if it does not.
fn both<T>(npz: &Npz<&[u8]>, other: &mut NpzReader<Cursor<&[u8]>>, name: &str) -> Result<(), String>
where
    T: Element + ReadableElement + NoUninit,
{
    let theirs = other.by_name::<OwnedRepr<T>, IxDyn>(name).map_err(|error| error.to_string())?;
    let ours = npz.read::<T, IxDyn>(name).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ours.shape(), theirs.shape(), "{name}");
    // Strides of axes of one element or none are nobody's business.
    if ours.shape().iter().all(|length| *length > 1) {
        assert_eq!(ours.strides(), theirs.strides(), "{name}");
    }
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(bytemuck::bytes_of(ours), bytemuck::bytes_of(theirs), "{name}");
    }
    Ok(())
}

/// The same by the dtype that the header names; nothing where ndarray-npy has no type for it.
fn both_as_declared(npz: &Npz<&[u8]>, other: &mut NpzReader<Cursor<&[u8]>>, name: &str) -> Option<Result<(), String>> {
    let header = npz.member(name).unwrap().header().ok()?;
    Some(match header.dtype().to_string().trim_start_matches(['<', '>', '|']) {
        "b1" => both::<bool>(npz, other, name),
        "i1" => both::<i8>(npz, other, name),
        "i2" => both::<i16>(npz, other, name),
        "i4" => both::<i32>(npz, other, name),
        "i8" => both::<i64>(npz, other, name),
        "u1" => both::<u8>(npz, other, name),
        "u2" => both::<u16>(npz, other, name),
        "u4" => both::<u32>(npz, other, name),
        "u8" => both::<u64>(npz, other, name),
        "f4" => both::<f32>(npz, other, name),
        "f8" => both::<f64>(npz, other, name),
        "c8" => both::<Complex<f32>>(npz, other, name),
        "c16" => both::<Complex<f64>>(npz, other, name),
        _ => return None,
    })
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn ndarray_npy_reads_the_same_arrays_from_the_fixtures() {
    let (mut same, mut refused) = (0, Vec::new());
    for file in archives() {
        let bytes = fixtures::bytes(&file);
        let (npz, mut other) = (Npz::new(&bytes[..]).unwrap(), NpzReader::new(Cursor::new(&bytes[..])).unwrap());
        for name in npz.members().map(|member| member.text()) {
            match both_as_declared(&npz, &mut other, &name) {
                Some(Ok(())) => same += 1,
                Some(Err(_)) => refused.push(format!("{file}: {name}")),
                None => {}
            }
        }
    }
    assert!(same > 250, "{same}");
    // It has no decoder for these methods, and no parser for the `2L` of Python 2.
    let methods = ["bzip2", "lzma"].map(|name| format!("methods.npz: {name}.npy"));
    let python2 = ["shape", "one", "fortran"].map(|name| format!("python2.npz: {name}.npy"));
    assert_eq!(refused, [&methods[..], &python2].concat());
}

#[test]
fn ndarray_npy_reads_the_same_arrays_from_archives_at_random() {
    let check = |mut given: Archive| {
        // What it cannot read is not what is asked here.
        given.entries.retain(|entry| matches!(entry.method, CompressionMethod::Stored | CompressionMethod::Deflated));
        let bytes = given.bytes();
        let (npz, mut other) = (Npz::new(&bytes[..]).unwrap(), NpzReader::new(Cursor::new(&bytes[..])).unwrap());
        for entry in &given.entries {
            let read = both_as_declared(&npz, &mut other, &entry.name);
            let has_type = matches!(&entry.content, Content::Array(given) if given.dtype != "<U3");
            assert_eq!(read, has_type.then_some(Ok(())), "{entry:?}");
        }
        Ok(())
    };
    runner(48).run(&archive(), check).unwrap();
}

/// What is done to the bytes of a sound archive. Places are shares of its length, so that they shrink with it.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Place, u8),
    Set(Place, u8),
    Cut(Place),
    Drop(Place),
}

/// A place in an archive.
#[derive(Clone, Copy, Debug)]
enum Place {
    Anywhere(u32),
    /// So many bytes before the end, where the directory and the end record are.
    FromEnd(u32),
    /// In a local header or what follows it.
    Header(u32, u32),
}

impl Place {
    fn within(self, archive: &Base) -> usize {
        let length = archive.bytes.len();
        match self {
            Place::Anywhere(at) => at as usize % length,
            Place::FromEnd(back) => length - 1 - back as usize % length,
            Place::Header(which, at) => {
                let headers = &archive.headers;
                let header = headers.get(which as usize % headers.len().max(1)).copied().unwrap_or(0);
                (header + at as usize).min(length - 1)
            }
        }
    }
}

/// A sound archive to be damaged.
struct Base {
    bytes: Vec<u8>,
    /// Where the local headers begin.
    headers: Vec<usize>,
}

static BASES: LazyLock<Vec<Base>> = LazyLock::new(|| {
    let small = ["cp437", "methods", "model-batch", "model-batch-aligned", "model-batch-stored", "pipe"];
    let more = ["pipe-compressed", "positional", "python2", "weights", "object", "keys"];
    let fixtures = small.iter().chain(&more).map(|name| fixtures::bytes(&format!("{name}.npz")));
    let given = Given { dtype: "<i2", shape: vec![3, 5], order: Order::Fortran, payload: noise(3, 30) };
    let made = (0..6).map(|variant| {
        let entry = |number: usize| Entry {
            name: ["a.npy", "b", "b.npy", "café.npy"][number].to_owned(),
            method: [CompressionMethod::Stored, CompressionMethod::Deflated][(number + variant) % 2],
            level: None,
            alignment: [1, 64][variant % 2],
            large: variant >= 2,
            content: Content::Array(given.clone()),
        };
        let comment = if variant == 3 { "a comment".to_owned() } else { String::new() };
        let prefix = if variant >= 4 { b"#!/bin/sh\n".to_vec() } else { Vec::new() };
        Archive { entries: (0..4).map(entry).collect(), comment, prefix, counted: variant == 5 }.bytes()
    });
    let base = |bytes: Vec<u8>| {
        let headers = bytes.windows(4).enumerate().filter(|(_, four)| *four == b"PK\x03\x04").map(|(at, _)| at);
        Base { headers: headers.collect(), bytes }
    };
    fixtures.chain(made).map(base).collect()
});

fn damage() -> impl Strategy<Value = Damage> {
    let place = || {
        prop_oneof![
            any::<u32>().prop_map(Place::Anywhere),
            (0_u32..400).prop_map(Place::FromEnd),
            (any::<u32>(), 0_u32..60).prop_map(|(which, at)| Place::Header(which, at)),
        ]
    };
    let telling = select(&[0_u8, 1, 2, 8, 0x0c, 0x0e, 0x14, 0x50, 0x5d, 0x7f, 0x80, 0xff][..]);
    prop_oneof![
        6 => (place(), 0_u32..8).prop_map(|(place, bit)| Damage::Flip(place, 1 << bit)),
        6 => (place(), telling).prop_map(|(place, byte)| Damage::Set(place, byte)),
        4 => (place(), any::<u8>()).prop_map(|(place, byte)| Damage::Set(place, byte)),
        1 => place().prop_map(Damage::Cut),
        1 => place().prop_map(Damage::Drop),
    ]
}

fn damaged(base: &Base, damages: &[Damage]) -> Vec<u8> {
    let mut bytes = base.bytes.clone();
    let mut length = bytes.len();
    for damage in damages {
        match *damage {
            Damage::Flip(place, bits) => bytes[place.within(base)] ^= bits,
            Damage::Set(place, byte) => bytes[place.within(base)] = byte,
            Damage::Cut(place) => length = length.min(place.within(base)),
            Damage::Drop(place) => {
                let place = place.within(base);
                bytes.copy_within(place + 1.., place);
                length = length.saturating_sub(1); // it may be cut to nothing
            }
        }
    }
    bytes.truncate(length);
    bytes
}

/// Everything that can be asked of a member, for its panics.
fn exercise<S: Source>(member: &Member<'_, S>) {
    let _ = (
        member.payload_offset(),
        member.header(),
        member.access_in_map(),
        member.array().and_then(|array| array.strings()),
    );
    let _ = (
        member.array().and_then(|array| array.read_any()),
        member.array().and_then(|array| array.read::<i16, IxDyn>()),
        member.array().and_then(|array| array.rows(0..1)?.read::<i64, IxDyn>()),
    );
    let _ = (
        member.array().and_then(|array| array.field("x")?.read::<f32, IxDyn>()),
        member.bytes(),
        member.verify(),
        format!("{member:?}"),
    );
}

/// How many members both readers accept, which must be the same then, and how many of ours zip does not list.
fn compare_damaged(archive: &[u8]) -> (usize, usize) {
    let options = OpenOptions::new().verify(Verify::Always);
    let opened = options.source(archive);
    let by_position = options.source(ByPosition(archive));
    assert_eq!(opened.is_ok(), by_position.is_ok());
    let (Ok(npz), Ok(by_position)) = (opened, by_position) else { return (0, 0) };
    for (member, positioned) in npz.members().zip(by_position.members()) {
        exercise(&member);
        exercise(&positioned);
        let (bytes, by_position) = (member.bytes(), positioned.bytes());
        match (&bytes, &by_position) {
            (Ok(bytes), Ok(by_position)) => assert!(bytes == by_position, "{member:?}"),
            (Err(error), Err(by_position)) => {
                assert_eq!(error.to_string(), by_position.to_string(), "{member:?}");
            }
            either => panic!("{member:?}: {either:?}"),
        }
        // A key leads to the member that is listed under it.
        if let Ok(bytes) = bytes {
            let found = npz.member(&member.text()).unwrap();
            assert_eq!((found.name(), found.crc32()), (member.name(), member.crc32()));
            assert_eq!(found.bytes().unwrap(), bytes);
        }
    }
    differential(archive)
}

#[test]
fn a_member_of_a_damaged_archive_that_both_accept_is_the_same_to_both() {
    let total = std::cell::Cell::new((0, 0));
    let check = |(base, damages): (usize, Vec<Damage>)| {
        let (same, missing) = compare_damaged(&damaged(&BASES[base], &damages));
        let (all_same, all_missing) = total.get();
        total.set((all_same + same, all_missing + missing));
        Ok(())
    };
    runner(2_000).run(&(0..BASES.len(), vec(damage(), 1..=4)), check).unwrap();
    let (same, missing) = total.get();
    // Nearly all of what we accept, zip accepts.
    assert!(same > 1_000 && missing < same / 100, "{same} {missing}");
}
