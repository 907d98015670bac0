//! Archives written field by field, so that a test can state exactly one lie.
//!
//! Every byte of a record is a field, with the value that it should have: signatures, versions, dates and attributes, too.
//! Put entries into an [`Archive`]; change what should stay consistent; [`lay_out`](Archive::lay_out), which makes
//! every length, offset and count true; change what should be a lie; take the [`bytes`](Archive::bytes). Nothing is
//! checked on the way, and no library has a say in what is written.
//!
//! ```text
//! let mut archive = Archive::new(vec![stored("a.npy", &u32s(&[1, 2])), deflated("b.npy", &u32s(&[3]))]);
//! archive.prefix = b"#!/bin/sh\n".to_vec();  // before: all offsets count it, or not, as they should
//! archive.lay_out();
//! archive.end.entries += 1;                  // after: a lie
//! archive.bytes()
//! ```

/// The value of a 32-bit field that refers to a zip64 extra field, and of a 16-bit one.
pub(crate) const WIDE: u32 = u32::MAX;
pub(crate) const WIDE16: u16 = u16::MAX;

/// 4.5, on Unix.
const MADE_BY: [u8; 2] = [45, 3];
const VERSION: [u8; 2] = [45, 0];

/// A local header or a record of the central directory, which repeats most of it (APPNOTE 4.3.7, 4.3.12).
#[derive(Clone)]
pub(crate) struct Header {
    pub(crate) signature: [u8; 4],
    /// Needed to extract: ten times the version, and the system.
    pub(crate) version: [u8; 2],
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) time: u16,
    pub(crate) date: u16,
    pub(crate) crc32: u32,
    pub(crate) compressed_size: u32,
    pub(crate) size: u32,
    pub(crate) name_length: u16,
    pub(crate) extra_length: u16,
    pub(crate) name: Vec<u8>,
    pub(crate) extra: Vec<u8>,
    // Not in a local header.
    /// Like the one that is needed.
    pub(crate) made_by: [u8; 2],
    pub(crate) comment_length: u16,
    pub(crate) disk: u16,
    pub(crate) internal_attributes: u16,
    pub(crate) external_attributes: u32,
    pub(crate) offset: u32,
    pub(crate) comment: Vec<u8>,
}

/// A local header and its surroundings.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Bytes before the header.
    pub(crate) gap: Vec<u8>,
    pub(crate) header: Header,
    /// As it lies in the file.
    pub(crate) data: Vec<u8>,
    /// A data descriptor, say.
    pub(crate) after: Vec<u8>,
}

/// The zip64 end record and its locator (APPNOTE 4.3.14, 4.3.15).
#[derive(Clone)]
pub(crate) struct Zip64 {
    pub(crate) signature: [u8; 4],
    pub(crate) length: u64,
    pub(crate) made_by: [u8; 2],
    /// Needed to extract.
    pub(crate) version: [u8; 2],
    pub(crate) disk: u32,
    pub(crate) first_disk: u32,
    pub(crate) disk_entries: u64,
    pub(crate) entries: u64,
    pub(crate) size: u64,
    pub(crate) offset: u64,
    /// The extensible data, or anything else between record and locator.
    pub(crate) extensible: Vec<u8>,
    pub(crate) locator_signature: [u8; 4],
    pub(crate) locator_disk: u32,
    pub(crate) locator_offset: u64,
    pub(crate) disks: u32,
    /// Bytes between the locator and the end record.
    pub(crate) gap: Vec<u8>,
}

/// The end record (APPNOTE 4.3.16).
#[derive(Clone)]
pub(crate) struct End {
    pub(crate) signature: [u8; 4],
    pub(crate) disk: u16,
    pub(crate) first_disk: u16,
    pub(crate) disk_entries: u16,
    pub(crate) entries: u16,
    pub(crate) size: u32,
    pub(crate) offset: u32,
    pub(crate) comment_length: u16,
    pub(crate) comment: Vec<u8>,
}

/// A ZIP archive, from its first byte to its last.
#[derive(Clone)]
pub(crate) struct Archive {
    /// Bytes before the archive, which the offsets do not count.
    pub(crate) prefix: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
    /// Bytes before the directory, which the offsets count.
    pub(crate) gap: Vec<u8>,
    pub(crate) records: Vec<Header>,
    /// Bytes between the last record and what follows the directory; its size counts them.
    pub(crate) leftover: Vec<u8>,
    pub(crate) zip64: Option<Zip64>,
    pub(crate) end: End,
    /// Bytes after the archive.
    pub(crate) trailing: Vec<u8>,
}

impl Header {
    fn new(name: &str, content: &[u8], method: u16, compressed: usize) -> Self {
        Header {
            signature: *b"PK\x03\x04",
            version: VERSION,
            flags: if name.is_ascii() { 0 } else { 1 << 11 },
            method,
            time: 0,
            date: 0x0021, // 1980-01-01, as np.savez writes it
            crc32: crc32fast::hash(content),
            compressed_size: u32::try_from(compressed).unwrap(),
            size: u32::try_from(content.len()).unwrap(),
            name_length: 0,
            extra_length: 0,
            name: name.into(),
            extra: Vec::new(),
            made_by: MADE_BY,
            comment_length: 0,
            disk: 0,
            internal_attributes: 0,
            external_attributes: 0,
            offset: 0,
            comment: Vec::new(),
        }
    }

    fn measure(&mut self) {
        self.name_length = u16::try_from(self.name.len()).unwrap();
        self.extra_length = u16::try_from(self.extra.len()).unwrap();
        self.comment_length = u16::try_from(self.comment.len()).unwrap();
    }

    /// What both kinds have, from the flags to the length of the extra field.
    fn common(&self) -> Vec<u8> {
        let [crc32, compressed_size, size] = [self.crc32, self.compressed_size, self.size].map(u32::to_le_bytes);
        let before = [self.flags, self.method, self.time, self.date].map(u16::to_le_bytes).concat();
        let lengths = [self.name_length, self.extra_length].map(u16::to_le_bytes).concat();
        [&before[..], &crc32, &compressed_size, &size, &lengths].concat()
    }

    pub(crate) fn local_bytes(&self) -> Vec<u8> {
        [&self.signature[..], &self.version, &self.common(), &self.name, &self.extra].concat()
    }

    fn record_bytes(&self) -> Vec<u8> {
        let narrow = [self.comment_length, self.disk, self.internal_attributes].map(u16::to_le_bytes).concat();
        let wide = [self.external_attributes, self.offset].map(u32::to_le_bytes).concat();
        let fixed = [&self.signature[..], &self.made_by, &self.version, &self.common(), &narrow, &wide].concat();
        [&fixed[..], &self.name, &self.extra, &self.comment].concat()
    }
}

impl Entry {
    fn bytes(&self) -> Vec<u8> {
        [&self.gap[..], &self.header.local_bytes(), &self.data, &self.after].concat()
    }
}

impl Zip64 {
    /// For [`Archive::zip64`]; laying out fills it in.
    pub(crate) fn new() -> Self {
        Zip64 {
            signature: *b"PK\x06\x06",
            length: 44,
            made_by: MADE_BY,
            version: VERSION,
            disk: 0,
            first_disk: 0,
            disk_entries: 0,
            entries: 0,
            size: 0,
            offset: 0,
            extensible: Vec::new(),
            locator_signature: *b"PK\x06\x07",
            locator_disk: 0,
            locator_offset: 0,
            disks: 1,
            gap: Vec::new(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let versions = [self.made_by, self.version].concat();
        let disks = [self.disk, self.first_disk].map(u32::to_le_bytes).concat();
        let numbers = [self.disk_entries, self.entries, self.size, self.offset].map(u64::to_le_bytes).concat();
        let record = [&self.signature[..], &self.length.to_le_bytes(), &versions, &disks, &numbers].concat();
        let (disk, offset) = (self.locator_disk.to_le_bytes(), self.locator_offset.to_le_bytes());
        let locator = [&self.locator_signature[..], &disk, &offset, &self.disks.to_le_bytes()].concat();
        [record, self.extensible.clone(), locator, self.gap.clone()].concat()
    }
}

impl End {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let counts = [self.disk, self.first_disk, self.disk_entries, self.entries].map(u16::to_le_bytes).concat();
        let place = [self.size, self.offset].map(u32::to_le_bytes).concat();
        [&self.signature[..], &counts, &place, &self.comment_length.to_le_bytes(), &self.comment].concat()
    }
}

impl Archive {
    /// A sound archive of these entries, laid out.
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        let record = |entry: &Entry| Header { signature: *b"PK\x01\x02", ..entry.header.clone() };
        let records = entries.iter().map(record).collect();
        let end = End {
            signature: *b"PK\x05\x06",
            disk: 0,
            first_disk: 0,
            disk_entries: 0,
            entries: 0,
            size: 0,
            offset: 0,
            comment_length: 0,
            comment: Vec::new(),
        };
        let (prefix, gap, leftover, trailing) = Default::default();
        let mut archive = Archive { prefix, entries, gap, records, leftover, zip64: None, end, trailing };
        archive.lay_out();
        archive
    }

    /// Makes every length, offset and count true; where the directory has a record for each entry, in their order.
    pub(crate) fn lay_out(&mut self) {
        let mut offset = 0;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            entry.header.measure();
            if let Some(record) = self.records.get_mut(index) {
                record.offset = u32::try_from(offset + entry.gap.len()).unwrap();
            }
            offset += entry.bytes().len();
        }
        offset += self.gap.len();
        self.records.iter_mut().for_each(Header::measure);
        let size = self.directory().len();
        let entries = self.records.len();
        self.end.entries = (entries & 0xffff).try_into().unwrap();
        self.end.disk_entries = self.end.entries;
        self.end.size = size.try_into().unwrap();
        self.end.offset = offset.try_into().unwrap();
        self.end.comment_length = self.end.comment.len().try_into().unwrap();
        if let Some(zip64) = &mut self.zip64 {
            (zip64.entries, zip64.disk_entries) = (entries as u64, entries as u64);
            (zip64.size, zip64.offset) = (size as u64, offset as u64);
            zip64.locator_offset = (offset + size) as u64;
        }
    }

    fn directory(&self) -> Vec<u8> {
        let records: Vec<u8> = self.records.iter().flat_map(Header::record_bytes).collect();
        [records, self.leftover.clone()].concat()
    }

    /// Everything up to the directory.
    fn members(&self) -> Vec<u8> {
        let entries: Vec<u8> = self.entries.iter().flat_map(Entry::bytes).collect();
        [&self.prefix[..], &entries, &self.gap].concat()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let zip64 = self.zip64.as_ref().map_or(Vec::new(), Zip64::bytes);
        [self.members(), self.directory(), zip64, self.end.bytes(), self.trailing.clone()].concat()
    }

    /// Where the local header of an entry lies in the file.
    pub(crate) fn local_at(&self, index: usize) -> u64 {
        let before: usize = self.entries[..index].iter().map(|entry| entry.bytes().len()).sum();
        (self.prefix.len() + before + self.entries[index].gap.len()) as u64
    }

    /// Where the data of an entry lies in the file.
    pub(crate) fn data_at(&self, index: usize) -> u64 {
        self.local_at(index) + self.entries[index].header.local_bytes().len() as u64
    }

    /// Where a record lies in the file.
    pub(crate) fn record_at(&self, index: usize) -> u64 {
        let before: usize = self.records[..index].iter().map(|record| record.record_bytes().len()).sum();
        (self.members().len() + before) as u64
    }

    /// Where the zip64 end record lies in the file, or the end record where there is none.
    pub(crate) fn directory_end(&self) -> u64 {
        (self.members().len() + self.directory().len()) as u64
    }

    /// Where the end record lies in the file.
    pub(crate) fn end_at(&self) -> u64 {
        self.directory_end() + self.zip64.as_ref().map_or(0, |zip64| zip64.bytes().len() as u64)
    }
}

/// A stored entry.
pub(crate) fn stored(name: &str, content: &[u8]) -> Entry {
    let header = Header::new(name, content, 0, content.len());
    Entry { gap: Vec::new(), header, data: content.into(), after: Vec::new() }
}

/// A deflated entry.
pub(crate) fn deflated(name: &str, content: &[u8]) -> Entry {
    let data = deflate(content);
    let header = Header::new(name, content, 8, data.len());
    Entry { gap: Vec::new(), header, data, after: Vec::new() }
}

/// A deflate stream (RFC 1951) of stored blocks, the last of them final.
pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 0xffff;
    let count = content.len().div_ceil(BLOCK).max(1);
    let block = |index: usize| {
        let block = &content[index * BLOCK..content.len().min((index + 1) * BLOCK)];
        let length = u16::try_from(block.len()).unwrap();
        let last = u8::from(index + 1 == count);
        [&[last][..], &length.to_le_bytes(), &(!length).to_le_bytes(), block].concat()
    };
    (0..count).flat_map(block).collect()
}

/// A field of an extra field (APPNOTE 4.5.1).
pub(crate) fn extra(id: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    [&id.to_le_bytes()[..], &length.to_le_bytes(), content].concat()
}

/// A zip64 extra field of these values (APPNOTE 4.5.3).
pub(crate) fn zip64_extra(values: &[u64]) -> Vec<u8> {
    extra(1, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

/// The preamble of an `.npy` of any version with any text, which is not padded.
pub(crate) fn preamble(version: (u8, u8), text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let length = u32::try_from(text.len()).unwrap().to_le_bytes();
    let width = if version.0 == 1 { 2 } else { 4 };
    [&b"\x93NUMPY"[..], &[version.0, version.1], &length[..width], text].concat()
}

/// An `.npy` whose header says what it is told to, in version 1.0 and padded as NumPy pads it.
pub(crate) fn npy(descr: &str, shape: &str, payload: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
    let blanks = 64 - (text.len() + 11) % 64;
    let preamble = preamble((1, 0), format!("{text}{:blanks$}\n", ""));
    [&preamble, payload].concat()
}

/// An array of 32-bit integers.
pub(crate) fn u32s(values: &[u32]) -> Vec<u8> {
    let payload: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    npy("'<u4'", &format!("({},)", values.len()), &payload)
}

/// Content as a ZIP member's LZMA data (APPNOTE 5.8.8): every byte a literal, with a window of 4,096 bytes.
#[cfg(all(feature = "methods", feature = "zstd"))]
pub(crate) fn lzma(content: &[u8]) -> Vec<u8> {
    /// The range coder of the LZMA specification.
    struct Coder {
        low: u64,
        range: u32,
        cache: u8,
        pending: usize,
        data: Vec<u8>,
    }

    impl Coder {
        fn bit(&mut self, chance: &mut u16, bit: bool) {
            let bound = (self.range >> 11) * u32::from(*chance);
            if bit {
                (self.low, self.range) = (self.low + u64::from(bound), self.range - bound);
                *chance -= *chance >> 5;
            } else {
                self.range = bound;
                *chance += (2048 - *chance) >> 5;
            }
            while self.range < 1 << 24 {
                self.range <<= 8;
                self.shift();
            }
        }

        fn shift(&mut self) {
            let carry = (self.low >> 32) as u8;
            if carry > 0 || self.low < 0xff00_0000 {
                for number in 0..self.pending {
                    let byte = if number == 0 { self.cache } else { 0xff };
                    self.data.push(byte.wrapping_add(carry));
                }
                (self.pending, self.cache) = (0, (self.low >> 24) as u8);
            }
            self.pending += 1;
            self.low = (self.low & 0x00ff_ffff) << 8;
        }
    }

    // Version, size of the properties; lc, lp and pb of 0; the window.
    let data = [&[9, 4, 5, 0, 0][..], &4096_u32.to_le_bytes()].concat();
    let mut coder = Coder { low: 0, range: u32::MAX, cache: 0, pending: 1, data };
    let (mut is_match, mut literals) = (1024, [1024; 256]);
    for byte in content {
        coder.bit(&mut is_match, false);
        let mut node = 1;
        for shift in (0..8).rev() {
            let bit = byte >> shift & 1;
            coder.bit(&mut literals[node], bit == 1);
            node = node << 1 | usize::from(bit);
        }
    }
    (0..5).for_each(|_| coder.shift());
    coder.data
}
