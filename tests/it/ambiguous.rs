//! Archives that two honest readers may understand differently, and what becomes of them: here, in the `zip` crate, and in
//! NumPy (`tests/numpy/ambiguous.py`, which reads what this leaves in `target/tmp/ambiguous`).
//!
//! The answers stand in the table of `SECURITY.md` and nowhere else: the tests hold each reader against its column, so that
//! the table cannot say what is not so.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use ndarray::Ix1;
use npzmap::{ErrorKind, Npz, OpenOptions};

use crate::forge::{self, Archive, Entry, Header, Zip64, deflate, deflated, stored, u32s};

/// The values of an array that is there twice: which of the two was taken.
const ONE: [u32; 3] = [1, 1, 1];
const TWO: [u32; 3] = [2, 2, 2];

/// Under `x`; its neighbour is `other`.
fn sound() -> Archive {
    Archive::new(vec![one("x.npy"), stored("other.npy", &u32s(&[7]))])
}

fn one(name: &str) -> Entry {
    stored(name, &u32s(&ONE))
}

fn two(name: &str) -> Entry {
    stored(name, &u32s(&TWO))
}

fn of(entries: Vec<Entry>) -> Archive {
    Archive::new(entries)
}

/// A lie about the local header of `x`.
fn local(tell: impl FnOnce(&mut Header)) -> Archive {
    let mut archive = sound();
    tell(&mut archive.entries[0].header);
    archive
}

/// A change to the local header of `x` and to its record.
fn both(archive: &mut Archive, change: impl Fn(&mut Header)) {
    change(&mut archive.entries[0].header);
    change(&mut archive.records[0]);
}

/// The archives, each by the name of its row.
fn archives() -> BTreeMap<&'static str, Vec<u8>> {
    let mut made = BTreeMap::new();
    let mut put =
        |name, archive: Archive| assert!(made.insert(name, archive.bytes()).is_none(), "{name} is there twice");

    put("sound", sound());
    put("duplicate-name", of(vec![one("x.npy"), two("x.npy")]));
    put("whole-name-and-stripped", of(vec![two("x.npy"), one("x")]));
    put("local-name", local(|header| header.name = b"y.npy".into()));
    put("local-method", local(|header| header.method = 8));
    put("local-crc", local(|header| header.crc32 ^= 1));
    put("local-size", local(|header| header.size -= 4));
    put("local-encrypted", local(|header| header.flags = 1));

    // The record of `x` leads to the data of `other`, which has the same size.
    let mut archive = of(vec![one("x.npy"), two("y.npy")]);
    let (name, second) = (archive.records[0].name.clone(), archive.records[1].clone());
    archive.records[0] = Header { name, ..second };
    put("two-records-one-member", archive);

    // A whole entry as the content of another one, with a record of its own.
    let inner = of(vec![one("x.npy")]);
    let quoted = &inner.bytes()[..inner.end.offset as usize];
    let mut archive = of(vec![stored("outer", quoted)]);
    let mut record = inner.records[0].clone();
    record.offset = u32::try_from(archive.data_at(0)).unwrap();
    archive.records.push(record);
    archive.lay_out();
    archive.records[1].offset = u32::try_from(archive.data_at(0)).unwrap();
    put("member-within-a-member", archive);

    // An archive as the comment of another one.
    let mut archive = of(vec![one("x.npy")]);
    archive.end.comment = behind(&archive, two("x.npy"));
    archive.lay_out();
    put("archive-as-comment", archive);
    let mut archive = sound();
    archive.end.comment = [&b"PK\x05\x06"[..], &[0; 30]].concat();
    archive.lay_out();
    put("signature-in-comment", archive);

    let prefix = b"#!/usr/bin/env python3\n".to_vec();
    let mut archive = sound();
    archive.prefix = prefix.clone();
    put("prefix", archive);
    put("archive-behind-archive", Archive { prefix: of(vec![two("x.npy")]).bytes(), ..of(vec![one("x.npy")]) });
    let mut archive = sound();
    archive.trailing = b"trailing".into();
    put("trailing-bytes", archive);

    let mut archive = sound();
    (archive.end.entries, archive.end.disk_entries) = (1, 1);
    put("count-too-small", archive);
    let mut archive = sound();
    archive.zip64 = Some(Zip64::new());
    archive.lay_out();
    let first = u32::try_from(archive.record_at(1) - archive.record_at(0)).unwrap();
    // The classic fields have one member, the wide ones two.
    (archive.end.entries, archive.end.disk_entries) = (1, 1);
    archive.end.size -= first;
    put("zip64-contradicts", archive);
    let mut archive = sound();
    archive.records[0].extra = [forge::zip64_extra(&[1 << 40])].concat();
    archive.lay_out();
    put("zip64-field-unasked", archive);

    let mut archive = of(vec![one("x.npy"), two("x.npyz")]);
    for header in [&mut archive.entries[1].header, &mut archive.records[1]] {
        header.name = b"x.npy\0".into();
    }
    put("nul-in-name", archive);
    let mut archive = sound();
    let sum = crc32fast::hash(b"x.npy").to_le_bytes();
    archive.records[0].extra = forge::extra(0x7075, &[&[1][..], &sum, b"y.npy"].concat());
    archive.lay_out();
    put("unicode-path", archive);
    // é: C3 A9 in UTF-8, 82 in code page 437.
    let mut archive = of(vec![one("é.npy"), two("e.npy")]);
    for header in [&mut archive.entries[1].header, &mut archive.records[1]] {
        header.name[0] = 0x82;
    }
    put("one-name-in-two-encodings", archive);

    let mut archive = sound();
    archive.entries[0].after = [b"PK\x07\x08", &[0xee; 12][..]].concat();
    archive.entries[0].header.flags = 8;
    archive.records[0].flags = 8;
    let header = &mut archive.entries[0].header;
    (header.crc32, header.size, header.compressed_size) = (0, 0, 0);
    archive.lay_out();
    put("data-descriptor-lies", archive);
    let mut archive = sound();
    both(&mut archive, |header| header.size -= 4);
    put("stored-sizes-differ", archive);
    let more = [u32s(&ONE), b"more".to_vec()].concat();
    put("bytes-behind-the-array", of(vec![stored("x.npy", &more)]));
    // More than NumPy's buffer holds.
    let mut archive = of(vec![stored("x.npy", &[u32s(&ONE), vec![0; 100_000]].concat())]);
    both(&mut archive, |header| header.crc32 ^= 1);
    put("bytes-behind-it-and-no-crc", archive);
    let content = u32s(&ONE);
    let mut entry = deflated("x.npy", &content);
    entry.data.extend(deflate(&u32s(&TWO)));
    entry.header.compressed_size = u32::try_from(entry.data.len()).unwrap();
    put("data-behind-the-stream", of(vec![entry]));
    let mut entry = deflated("x.npy", &content);
    entry.data = deflate(&[&content[..], b"more"].concat());
    entry.header.compressed_size = u32::try_from(entry.data.len()).unwrap();
    put("stream-longer-than-said", of(vec![entry]));
    made
}

/// An end record and all before it, that are an archive by themselves where they will lie: behind this archive's own.
fn behind(archive: &Archive, entry: Entry) -> Vec<u8> {
    let start = archive.bytes().len();
    let mut inner = of(vec![entry]);
    let start = u32::try_from(start).unwrap();
    inner.records[0].offset += start;
    inner.end.offset += start;
    inner.bytes()
}

/// The key that a row asks for.
fn key(row: &str) -> &'static str {
    if row == "one-name-in-two-encodings" { "é" } else { "x" }
}

/// What these elements are called in the table.
fn called(values: &[u32]) -> String {
    match values {
        [1, 1, 1] => "first".into(),
        [2, 2, 2] => "second".into(),
        other => panic!("{other:?} is neither"),
    }
}

/// The answer of npzmap: the row of `docs/hostile.md` that refuses it, with or without the archive.
fn ours(bytes: &[u8], key: &str) -> String {
    let rule = |error: npzmap::Error| error.kind().rule().expect("a row of docs/hostile.md").to_owned();
    match Npz::new(bytes) {
        Err(error) => format!("archive refused ({})", rule(error)),
        Ok(npz) => match npz.read::<u32, Ix1>(key) {
            Ok(array) => called(array.as_slice().unwrap()),
            Err(error) if matches!(error.kind(), ErrorKind::NoSuchKey) => "no such key".into(),
            Err(error) => format!("refused ({})", rule(error)),
        },
    }
}

/// The answer of the `zip` crate, asked for the key as NumPy would.
fn zips(bytes: &[u8], key: &str) -> String {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else { return "archive refused".into() };
    let name = [key.to_owned(), format!("{key}.npy")].into_iter().find(|name| archive.index_for_name(name).is_some());
    let Some(name) = name else { return "no such key".into() };
    let mut content = Vec::new();
    let Ok(mut file) = archive.by_name(&name) else { return "refused".into() };
    if file.read_to_end(&mut content).is_err() {
        return "refused".into();
    }
    // Of the content, as much as the header says.
    let values = &content[128..];
    called(&values.as_chunks().0.iter().take(3).map(|bytes| u32::from_le_bytes(*bytes)).collect::<Vec<_>>())
}

/// The rows of the table: what is in the archive, and what each reader makes of it.
fn table() -> BTreeMap<&'static str, [&'static str; 3]> {
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ").collect();
        let [id, _, npzmap, numpy, zip] = cells[..] else { return None };
        Some((id.strip_suffix('`')?, [npzmap, numpy, zip]))
    };
    include_str!("../../SECURITY.md").lines().filter_map(row).collect()
}

#[test]
fn ambiguous_archives_are_answered_as_the_table_of_security_md_says() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ambiguous");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let (archives, table) = (archives(), table());
    let mut different = Vec::new();
    for (row, bytes) in &archives {
        fs::write(folder.join(format!("{row}.npz")), bytes).unwrap();
        let found = [ours(bytes, key(row)), zips(bytes, key(row))];
        match table.get(row) {
            Some([npzmap, _, zip]) if found == [*npzmap, *zip] => {}
            stated => different.push(format!("{row}: {found:?}, the table says {stated:?}")),
        }
        // By position and mapped it is the same; so is the second look.
        let path = folder.join(format!("{row}.npz"));
        let by_position = OpenOptions::new().open(path).map(|npz| npz.read::<u32, Ix1>(key(row)).is_ok());
        let in_memory = Npz::new(&bytes[..]).map(|npz| npz.read::<u32, Ix1>(key(row)).is_ok());
        assert_eq!(by_position.ok(), in_memory.ok(), "{row}");
    }
    assert!(different.is_empty(), "{different:#?}");
    let unknown: Vec<_> = table.keys().filter(|row| !archives.contains_key(*row)).collect();
    assert!(unknown.is_empty() && archives.len() >= 25, "{unknown:?} of {}", archives.len());
}
