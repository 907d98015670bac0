//! What is written of a ZIP archive beside the data: local headers with their padding, data descriptors, the central
//! directory, the end records (APPNOTE 4.3.7 to 4.3.16).

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable, hash_table::Entry};

use super::name;
use super::record::{FIXED, RawRecord, flag, method};
use crate::bytes::Cursor;

/// From this on, a field of 32 bits refers to zip64.
pub(crate) const WIDE: u64 = 0xffff_ffff;
const WIDE32: u32 = u32::MAX;
const WIDE16: u16 = u16::MAX;
/// The longest name (APPNOTE 4.4.10).
pub(crate) const NAME: usize = 65_535;
/// Long enough for any alignment up to 32 KiB.
pub(crate) const ALIGNMENT: u64 = 32 << 10;

/// The extra field that zipalign writes, and that readers skip: the alignment, then zeros.
const PADDING: u16 = 0xa11e;
/// Its identifier, its length, the alignment.
const PADDING_FIXED: u64 = 6;
const ZIP64: u16 = 0x0001;
/// The zip64 field of a local header, which always has both sizes (APPNOTE 4.5.3).
const ZIP64_LOCAL: u64 = 20;
const LOCAL_FIXED: u64 = 30;

const NEEDS_DEFLATE: u16 = 20;
const NEEDS_ZIP64: u16 = 45;
const NEEDS_BZIP2: u16 = 46;
/// Zstandard's, too.
const NEEDS_LZMA: u16 = 63;
/// Version 4.5, Unix: as NumPy writes it, on whatever host.
const MADE_BY: u16 = 45 | 3 << 8;
/// Midnight of 1980-01-01, the earliest that there is, as in NumPy: equal input gives equal bytes.
const TIME_AND_DATE: [u16; 2] = [0, 0x21];
/// A regular file that its owner may read and write.
const ATTRIBUTES: u32 = 0o600 << 16;

/// What a member turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) crc32: u32,
    pub(crate) compressed_size: u64,
    pub(crate) size: u64,
}

/// What is known of a member when its local header is written.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) name: Box<str>,
    pub(crate) method: u16,
    /// Where the header lies in the file.
    pub(crate) offset: u64,
    /// Whether sizes go into a zip64 field. Decided before they are known.
    pub(crate) zip64: bool,
    /// Whether they follow the data, in a descriptor; then they are zero here.
    pub(crate) descriptor: bool,
    /// Of the general purpose flags, those that belong to the method.
    pub(crate) bits: u16,
    /// The extra field that aligns what lies in the content; nothing where it lies right without.
    padding: Option<(u16, u16)>,
}

impl Local {
    /// A header at `offset` of a member of at most `largest` bytes, compressed or not.
    pub(crate) fn new(name: &str, method: u16, offset: u64, largest: u64, descriptor: bool) -> Self {
        let zip64 = descriptor || largest >= WIDE;
        Local { name: name.into(), method, offset, zip64, descriptor, bits: 0, padding: None }
    }

    /// With the flags that another archive's record has for the method, such as LZMA's end marker (APPNOTE 4.4.4).
    pub(crate) fn with_bits(self, flags: u16) -> Self {
        let bits = flags & flag::METHOD;
        Local { bits, ..self }
    }

    /// Pads it, so that what lies `inside` the content begins on a multiple of `alignment`, a power of two.
    pub(crate) fn align(mut self, alignment: u64, inside: u64) -> Self {
        let begins = self.content().saturating_add(inside);
        let Some(missing) = begins.checked_next_multiple_of(alignment).and_then(|next| next.checked_sub(begins)) else {
            return self;
        };
        if missing > 0 {
            let mut total = missing;
            while total < PADDING_FIXED {
                total = total.saturating_add(alignment);
            }
            let zeros = u16::try_from(total.saturating_sub(PADDING_FIXED)).ok();
            self.padding = u16::try_from(alignment).ok().zip(zeros);
        }
        self
    }

    /// Where the content begins.
    pub(crate) fn content(&self) -> u64 {
        let name = u64::try_from(self.name.len()).unwrap_or(u64::MAX);
        let zip64 = if self.zip64 { ZIP64_LOCAL } else { 0 };
        let padding = self.padding.map_or(0, |(_, zeros)| PADDING_FIXED.saturating_add(zeros.into()));
        [LOCAL_FIXED, name, zip64, padding].into_iter().fold(self.offset, u64::saturating_add)
    }

    fn flags(&self) -> u16 {
        let utf8 = if self.name.is_ascii() { 0 } else { flag::UTF8 };
        let descriptor = if self.descriptor { flag::DESCRIPTOR } else { 0 };
        utf8 | descriptor | self.bits
    }

    fn version(&self) -> u16 {
        let for_method = match self.method {
            method::STORED | method::DEFLATED => NEEDS_DEFLATE,
            method::BZIP2 => NEEDS_BZIP2,
            _ => NEEDS_LZMA,
        };
        if self.zip64 { for_method.max(NEEDS_ZIP64) } else { for_method }
    }

    /// The header's bytes: as many for whatever sizes.
    pub(crate) fn to_bytes(&self, sizes: Sizes) -> Vec<u8> {
        let sizes = if self.descriptor { Sizes::default() } else { sizes };
        let mut extra = Out::default();
        if self.zip64 {
            extra.u16s([ZIP64, 16]).u64s([sizes.size, sizes.compressed_size]);
        }
        if let Some((alignment, zeros)) = self.padding {
            extra.u16s([PADDING, zeros.saturating_add(2), alignment]).zeros(zeros.into());
        }
        let narrow = |size: u64| if self.zip64 { WIDE32 } else { u32::try_from(size).unwrap_or(WIDE32) };
        let mut out = Out::default();
        out.bytes(b"PK\x03\x04").u16s([self.version(), self.flags(), self.method]).u16s(TIME_AND_DATE);
        out.u32s([sizes.crc32, narrow(sizes.compressed_size), narrow(sizes.size)]);
        out.u16s([length(self.name.as_bytes()), length(&extra.0)]);
        out.bytes(self.name.as_bytes()).bytes(&extra.0);
        out.0
    }

    /// What follows the data where the sizes were not known before, as NumPy writes it into a pipe: with 64-bit sizes
    /// (APPNOTE 4.3.9.2).
    pub(crate) fn descriptor(sizes: Sizes) -> Vec<u8> {
        let mut out = Out::default();
        out.bytes(b"PK\x07\x08").u32s([sizes.crc32]).u64s([sizes.compressed_size, sizes.size]);
        out.0
    }

    /// The record of the central directory. Offsets in it count from `base`, where the archive begins in its file.
    fn record(&self, sizes: Sizes, base: u64) -> Vec<u8> {
        let offset = self.offset.saturating_sub(base);
        let values = [sizes.size, sizes.compressed_size, offset];
        let mut extra = Out::default();
        if values.iter().any(|value| *value >= WIDE) {
            let wide: Vec<u64> = values.into_iter().filter(|value| *value >= WIDE).collect();
            let bytes = u16::try_from(wide.len()).unwrap_or(0).saturating_mul(8);
            extra.u16s([ZIP64, bytes]).u64s(wide);
        }
        let version = if extra.0.is_empty() { self.version() } else { self.version().max(NEEDS_ZIP64) };
        let mut out = Out::default();
        out.bytes(b"PK\x01\x02").u16s([MADE_BY, version, self.flags(), self.method]).u16s(TIME_AND_DATE);
        out.u32s([sizes.crc32, narrow(sizes.compressed_size), narrow(sizes.size)]);
        // No comment, on the first and only disk, binary.
        out.u16s([length(self.name.as_bytes()), length(&extra.0), 0, 0, 0]).u32s([ATTRIBUTES, narrow(offset)]);
        out.bytes(self.name.as_bytes()).bytes(&extra.0);
        out.0
    }
}

/// The central directory as it grows: its bytes, and a table of the names in it.
pub(crate) struct Directory {
    bytes: Vec<u8>,
    count: u64,
    /// Positions of the records that were added, by name.
    names: HashTable<usize>,
    state: RandomState,
    /// Where the records of copied members are, in order; neighbours are one range.
    copied: Vec<Range<usize>>,
    /// The records that an older archive brought, by name.
    old: HashMap<Box<str>, Vec<Range<usize>>, RandomState>,
    /// Those of them that are not there any more, in any order, and how many bytes they are.
    dropped: Vec<Range<usize>>,
    dropped_size: usize,
    /// Where the archive begins in its file.
    base: u64,
}

impl Directory {
    pub(crate) fn new() -> Self {
        let (names, state) = (HashTable::new(), RandomState::default());
        let old = HashMap::with_hasher(RandomState::default());
        let (copied, dropped) = (Vec::new(), Vec::new());
        Directory { bytes: Vec::new(), count: 0, names, state, copied, old, dropped, dropped_size: 0, base: 0 }
    }

    /// The directory of an archive that goes on, as it lies there.
    pub(crate) fn of(bytes: Vec<u8>, base: u64) -> Self {
        let mut directory = Directory { base, ..Directory::new() };
        let mut cursor = Cursor::new(&bytes);
        let position = |cursor: &Cursor<'_>| bytes.len().saturating_sub(cursor.rest().len());
        loop {
            let start = position(&cursor);
            let Ok(record) = RawRecord::read(&mut cursor) else {
                break;
            };
            directory.count = directory.count.saturating_add(1);
            if let Some(name) = name::text(record.name, record.is_utf8()) {
                directory.old.entry(name.into()).or_default().push(start..position(&cursor));
            }
        }
        Directory { bytes, ..directory }
    }

    /// The names that the older archive brought, as text.
    pub(crate) fn old_names(&self) -> impl Iterator<Item = &str> {
        self.old.keys().map(|name| &**name)
    }

    /// Whether the older archive brought this name, and it was not dropped.
    pub(crate) fn has_old(&self, name: &str) -> bool {
        self.old.contains_key(name)
    }

    /// Drops the records of this name that the older archive brought.
    pub(crate) fn drop_old(&mut self, name: &str) {
        if let Some(records) = self.old.remove(name) {
            self.count = self.count.saturating_sub(u64::try_from(records.len()).unwrap_or(0));
            self.dropped_size = records.iter().map(Range::len).fold(self.dropped_size, usize::saturating_add);
            self.dropped.extend(records);
        }
    }

    /// The number of bytes of its records once a member of this name is added, at most.
    pub(crate) fn size_with(&self, name: &str) -> u64 {
        const ZIP64: u64 = 28;
        let record = u64::try_from(FIXED.saturating_add(name.len())).unwrap_or(u64::MAX);
        self.size().saturating_add(record).saturating_add(ZIP64)
    }

    /// Whether a member of this name was added; old ones do not count.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    fn position(&self, name: &str) -> Option<usize> {
        let same = |position: &usize| name_at(&self.bytes, *position) == name.as_bytes();
        self.names.find(self.state.hash_one(name.as_bytes()), same).copied()
    }

    /// Where the next record goes.
    pub(crate) fn end_position(&self) -> usize {
        self.bytes.len()
    }

    /// Notes that the records from this position on are of members that were copied.
    pub(crate) fn mark_copied(&mut self, start: usize) {
        let end = self.bytes.len();
        match self.copied.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => self.copied.push(start..end),
        }
    }

    /// Whether a member of this name was copied.
    pub(crate) fn has_copied(&self, name: &str) -> bool {
        self.position(name).is_some_and(|position| {
            let next = self.copied.partition_point(|range| range.end <= position);
            self.copied.get(next).is_some_and(|range| range.contains(&position))
        })
    }

    pub(crate) fn add(&mut self, local: &Local, sizes: Sizes) {
        let position = self.bytes.len();
        self.bytes.extend(local.record(sizes, self.base));
        self.count = self.count.saturating_add(1);
        let Directory { bytes, names, state, .. } = self;
        let name = local.name.as_bytes();
        let rehash = |position: &usize| state.hash_one(name_at(bytes, *position));
        let same = |position: &usize| name_at(bytes, *position) == name;
        if let Entry::Vacant(entry) = names.entry(state.hash_one(name), same, rehash) {
            entry.insert(position);
        }
    }

    /// The number of bytes of its records.
    pub(crate) fn size(&self) -> u64 {
        u64::try_from(self.bytes.len().saturating_sub(self.dropped_size)).unwrap_or(u64::MAX)
    }

    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    /// What is left of its records, piece by piece.
    pub(crate) fn pieces(&mut self) -> impl Iterator<Item = &[u8]> {
        self.dropped.sort_unstable_by_key(|range| range.start);
        let starts = std::iter::once(0).chain(self.dropped.iter().map(|range| range.end));
        let ends = self.dropped.iter().map(|range| range.start).chain([self.bytes.len()]);
        starts.zip(ends).filter_map(|(start, end)| self.bytes.get(start..end)).filter(|piece| !piece.is_empty())
    }

    /// The end record, with its zip64 twin where a field does not hold its value (APPNOTE 4.3.14 to 4.3.16).
    /// The directory begins at `offset` of the file.
    pub(crate) fn end(&self, offset: u64) -> Vec<u8> {
        let (size, count) = (self.size(), self.count);
        let end = offset.saturating_add(size).saturating_sub(self.base);
        let offset = offset.saturating_sub(self.base);
        let mut out = Out::default();
        let entries = u16::try_from(count).unwrap_or(WIDE16);
        if entries == WIDE16 || size >= WIDE || offset >= WIDE {
            out.bytes(b"PK\x06\x06").u64s([44]).u16s([MADE_BY, NEEDS_ZIP64]).u32s([0, 0]);
            out.u64s([count, count, size, offset]);
            out.bytes(b"PK\x06\x07").u32s([0]).u64s([end]).u32s([1]);
        }
        out.bytes(b"PK\x05\x06").u16s([0, 0, entries, entries]).u32s([narrow(size), narrow(offset)]).u16s([0]);
        out.0
    }
}

/// The name in a record that was written here.
fn name_at(bytes: &[u8], position: usize) -> &[u8] {
    let record = bytes.get(position..).unwrap_or_default();
    let mut cursor = Cursor::new(record);
    let mut name = || {
        cursor.skip(28)?;
        let length = cursor.u16()?;
        record.get(FIXED..)?.get(..length.into())
    };
    name().unwrap_or_default()
}

fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(WIDE32)
}

/// Lengths were checked where names came in.
fn length(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).unwrap_or(WIDE16)
}

/// Bytes, little-endian.
#[derive(Default)]
struct Out(Vec<u8>);

impl Out {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    fn zeros(&mut self, count: usize) -> &mut Self {
        self.0.extend(std::iter::repeat_n(0, count));
        self
    }

    fn u16s(&mut self, values: impl IntoIterator<Item = u16>) -> &mut Self {
        values.into_iter().for_each(|value| self.0.extend(value.to_le_bytes()));
        self
    }

    fn u32s(&mut self, values: impl IntoIterator<Item = u32>) -> &mut Self {
        values.into_iter().for_each(|value| self.0.extend(value.to_le_bytes()));
        self
    }

    fn u64s(&mut self, values: impl IntoIterator<Item = u64>) -> &mut Self {
        values.into_iter().for_each(|value| self.0.extend(value.to_le_bytes()));
        self
    }
}
