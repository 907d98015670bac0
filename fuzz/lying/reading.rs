//! A plain reading of APPNOTE: slow, short, and without a line in common with the library. It asks for less: where the
//! library refuses, this may still read. What the library reads must be what this reads.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

pub(super) struct Member {
    pub(super) name: Vec<u8>,
    /// Whatever its checksum; nothing where there is none, or of another size than the record says.
    pub(super) content: Option<Vec<u8>>,
}

/// The members in the order of the directory; nothing if these bytes are no archive, or more than one.
pub(super) fn read(bytes: &[u8]) -> Option<Vec<Member>> {
    let end = end_record(bytes)?;
    let mut count = u64::from(u16_at(bytes, end + 10)?);
    let (mut size, mut offset) = (u64::from(u32_at(bytes, end + 12)?), u64::from(u32_at(bytes, end + 16)?));
    let mut directory_end = end as u64;
    // 4.3.15: the locator lies before the end record, and before it the zip64 end record (4.3.14).
    let locator = end.checked_sub(20).filter(|locator| bytes[*locator..].starts_with(b"PK\x06\x07"));
    if let Some(locator) = locator {
        let record = locator.checked_sub(56).filter(|record| bytes[*record..].starts_with(b"PK\x06\x06"))?;
        (count, size, offset) = (u64_at(bytes, record + 32)?, u64_at(bytes, record + 40)?, u64_at(bytes, record + 48)?);
        directory_end = record as u64;
    }
    let start = directory_end.checked_sub(size)?;
    let base = start.checked_sub(offset)?; // of a prefix that the offsets do not count
    let mut directory = &bytes[start as usize..directory_end as usize];
    let mut members = Vec::new();
    while !directory.is_empty() {
        let length =
            46 + [28, 30, 32].iter().map(|at| u16_at(directory, *at).map(usize::from)).sum::<Option<usize>>()?;
        let record = directory.get(..length).filter(|record| record.starts_with(b"PK\x01\x02"))?;
        members.push(member(bytes, record, base)?);
        directory = &directory[length..];
    }
    let counted = members.len() as u64;
    let agrees = if locator.is_some() { count == counted } else { count == counted % 65_536 };
    agrees.then_some(members)
}

/// 4.3.16: it ends the file with its comment. Two that do are two archives.
fn end_record(bytes: &[u8]) -> Option<usize> {
    let ends = |at: usize| {
        bytes[at..].starts_with(b"PK\x05\x06")
            && u16_at(bytes, at + 20).is_some_and(|comment| at + 22 + usize::from(comment) == bytes.len())
    };
    let last = bytes.len().checked_sub(22)?;
    if ends(last) {
        return Some(last);
    }
    let mut found = (last.saturating_sub(65_535)..last).filter(|at| ends(*at));
    found.next().filter(|_| found.next().is_none())
}

/// 4.3.12: what the record says, and the data behind the local header that it points to.
fn member(bytes: &[u8], record: &[u8], base: u64) -> Option<Member> {
    let name_length = usize::from(u16_at(record, 28)?);
    let extra_length = usize::from(u16_at(record, 30)?);
    let name = record.get(46..46 + name_length)?.to_vec();
    let extra = record.get(46 + name_length..46 + name_length + extra_length)?;
    let content = content(bytes, record, extra, base);
    Some(Member { name, content })
}

fn content(bytes: &[u8], record: &[u8], extra: &[u8], base: u64) -> Option<Vec<u8>> {
    // 4.4.4: neither encrypted nor masked nor a patch. 4.4.11: on this disk.
    let wide = zip64_extra(extra);
    let disk = u16_at(record, 34)?;
    if u16_at(record, 8)? & 0x2061 != 0 || disk != 0 && (disk != u16::MAX || wide.is_none()) {
        return None;
    }
    // 4.5.3: the fields that are all ones, in this order.
    let mut wide = wide.unwrap_or_default();
    let mut widened = |value: u32| {
        if value != u32::MAX {
            return Some(u64::from(value));
        }
        let (first, rest) = wide.split_first_chunk()?;
        wide = rest;
        Some(u64::from_le_bytes(*first))
    };
    let size = widened(u32_at(record, 24)?)?;
    let compressed_size = widened(u32_at(record, 20)?)?;
    let local = usize::try_from(base.checked_add(widened(u32_at(record, 42)?)?)?).ok()?;
    let header = bytes.get(local..).filter(|header| header.starts_with(b"PK\x03\x04"))?;
    let name = 46..46 + usize::from(u16_at(record, 28)?);
    let same = header.get(30..)?.starts_with(record.get(name)?) && u16_at(header, 26) == u16_at(record, 28);
    if !same || u16_at(header, 8) != u16_at(record, 10) {
        return None; // another member
    }
    let start = local + 30 + usize::from(u16_at(header, 26)?) + usize::from(u16_at(header, 28)?);
    let data = bytes.get(start..)?.get(..usize::try_from(compressed_size).ok()?)?;
    let content = match u16_at(record, 10)? {
        0 => data.to_vec(),
        8 => inflated(data, usize::try_from(size).ok().filter(|size| *size <= 1032 * data.len())?)?,
        _ => return None,
    };
    (content.len() as u64 == size).then_some(content)
}

/// A stream that is all of the data, and no more than this.
fn inflated(data: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; size + 1]; // one more, to see that there is none
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, consumed, produced) = decompress(&mut DecompressorOxide::new(), data, &mut out, 0, flags);
    out.truncate(size);
    (status == TINFLStatus::Done && consumed == data.len() && produced == size).then_some(out)
}

/// The first field with the tag of 4.5.3.
fn zip64_extra(mut extra: &[u8]) -> Option<&[u8]> {
    loop {
        let (tag, length) = (u16_at(extra, 0)?, usize::from(u16_at(extra, 2)?));
        let field = extra.get(4..4 + length)?;
        if tag == 1 {
            return Some(field);
        }
        extra = &extra[4 + length..];
    }
}

/// Bit by bit, of the reflected polynomial.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
