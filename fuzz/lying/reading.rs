//! A plain reading of APPNOTE, and of what `docs/hostile.md` says of contradictions: slow, short, and without a line in
//! common with the library. What the library reads must be what this reads, and what it refuses, nothing; but that an
//! archive behind a prefix is refused for more (Z10).

use std::ops::Range;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

pub(super) struct Member {
    pub(super) name: Vec<u8>,
    /// As NumPy decodes it; nothing where it is marked as UTF-8 and is not.
    pub(super) text: Option<String>,
    /// Whatever its checksum; nothing where there is none, or where two readers could see two.
    pub(super) content: Option<Vec<u8>>,
}

/// The members in the order of the directory; nothing if these bytes are no archive, or more than one.
pub(super) fn read(bytes: &[u8]) -> Option<Vec<Member>> {
    let (directory, base, count) = directory(bytes)?;
    let mut rest = &bytes[directory.clone()];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let lengths = [28, 30, 32].map(|at| u16_at(rest, at).map(usize::from));
        let length = 46 + lengths.into_iter().sum::<Option<usize>>()?;
        records.push(rest.get(..length).filter(|record| record.starts_with(b"PK\x01\x02"))?);
        rest = &rest[length..];
    }
    if !count.is_of(records.len() as u64) {
        return None;
    }
    let names = records.iter().map(|record| Name::of(record)).collect::<Option<Vec<_>>>()?;
    let places: Vec<_> = records.iter().map(|record| place(record, base)).collect();
    let member = |index: usize| {
        let record = records[index];
        let others = || (0..records.len()).filter(|other| *other != index);
        let content = || {
            if names[index].disputed || others().any(|other| names[other].may_be(&names[index])) {
                return None;
            }
            let place = places[index]?;
            let data = data(bytes, record, place)?;
            // Z5: it ends where the next one begins, or before; and so does the one before it.
            let follows = |one: Place, end: u64, other: Place| one.offset < other.offset && end <= other.offset;
            let apart = |other: Place| follows(place, data.end, other) || follows(other, other.least_end(), place);
            if data.end > directory.start as u64 || !others().filter_map(|other| places[other]).all(apart) {
                return None;
            }
            content(record, &bytes[data.start as usize..data.end as usize], place.size)
        };
        Member { name: name(record).to_vec(), text: names[index].text.clone(), content: content() }
    };
    Some((0..records.len()).map(member).collect())
}

/// The number of members that is declared.
enum Count {
    /// In 16 bits, in which it wraps.
    Narrow(u64),
    Wide(u64),
}

impl Count {
    fn is_of(&self, counted: u64) -> bool {
        match *self {
            Count::Narrow(count) => count == counted % 65_536,
            Count::Wide(count) => count == counted,
        }
    }
}

/// Where the directory lies, what offsets do not count before the archive, and the number of members.
fn directory(bytes: &[u8]) -> Option<(Range<usize>, u64, Count)> {
    let end = end_record(bytes)?;
    // 4.3.15: the locator lies before the end record, and before it the zip64 end record (4.3.14).
    let locator = end.checked_sub(20).filter(|locator| bytes[*locator..].starts_with(b"PK\x06\x07"));
    let Some(locator) = locator else {
        let [disk, first_disk, here, count, size, offset] = end_fields(bytes, end)?;
        let start = end.checked_sub(size as usize)?;
        let base = (start as u64).checked_sub(offset)?;
        // Z12: one disk, which has all of it.
        return ([disk, first_disk, here] == [0, 0, count]).then_some((start..end, base, Count::Narrow(count)));
    };
    let record = locator.checked_sub(56).filter(|record| bytes[*record..].starts_with(b"PK\x06\x06"))?;
    let [disk, first_disk] = [u32_at(bytes, record + 16)?, u32_at(bytes, record + 20)?].map(u64::from);
    let [here, count] = [u64_at(bytes, record + 24)?, u64_at(bytes, record + 32)?];
    let [size, offset] = [u64_at(bytes, record + 40)?, u64_at(bytes, record + 48)?];
    let start = (record as u64).checked_sub(size)?;
    let base = start.checked_sub(offset)?;
    // Z13: what the end record says is the same, or all ones.
    let twins = [disk, first_disk, here, count, size, offset];
    let ones = [0xffff, 0xffff, 0xffff, 0xffff, 0xffff_ffff, 0xffff_ffff];
    let mut fields = end_fields(bytes, end)?.into_iter().zip(ones).zip(twins);
    let agree = fields.all(|((field, ones), twin)| field == ones || field == twin);
    // Without extensible data, and where the locator says; on the only disk.
    let leads = u64_at(bytes, record + 4)? == 44 && u64_at(bytes, locator + 8)?.checked_add(base)? == record as u64;
    let alone = [disk, first_disk, here] == [0, 0, count];
    let alone = alone && u32_at(bytes, locator + 4)? == 0 && u32_at(bytes, locator + 16)? <= 1;
    (agree && leads && alone).then_some((start as usize..record, base, Count::Wide(count)))
}

/// This disk, that of the directory, entries on this disk, entries, size and offset (4.3.16).
fn end_fields(bytes: &[u8], end: usize) -> Option<[u64; 6]> {
    let narrow = |at| u16_at(bytes, end + at).map(u64::from);
    let wide = |at| u32_at(bytes, end + at).map(u64::from);
    Some([narrow(4)?, narrow(6)?, narrow(8)?, narrow(10)?, wide(12)?, wide(16)?])
}

/// 4.3.16: it ends the file with its comment. Two that do are two archives (Z8), and so may be what its comment begins.
fn end_record(bytes: &[u8]) -> Option<usize> {
    let begins = |at: &usize| bytes[*at..].starts_with(b"PK\x05\x06");
    let ends = |at: &usize| u16_at(bytes, at + 20).is_some_and(|comment| at + 22 + usize::from(comment) == bytes.len());
    let last = bytes.len().checked_sub(22)?;
    if begins(&last) && ends(&last) {
        return Some(last);
    }
    let mut found = (last.saturating_sub(65_535)..bytes.len()).filter(begins).skip_while(|at| !ends(at));
    found.next().filter(|_| found.next().is_none())
}

/// What a member is called, by whom.
struct Name {
    /// By NumPy.
    text: Option<String>,
    /// By others, who cut it at NUL (Z21), or take another field for it, the first or the last (Z22).
    claimed: [Option<String>; 2],
    /// Not all agree, or nobody can read it.
    disputed: bool,
}

impl Name {
    /// Nothing where the record is cut off.
    fn of(record: &[u8]) -> Option<Self> {
        let name = name(record);
        let Some(text) = text(name, u16_at(record, 8)? & 0x800 != 0) else {
            return Some(Name { text: None, claimed: [None, None], disputed: true });
        };
        let cut = |text: &str| text.split('\0').next().unwrap_or_default().to_owned();
        if text.contains('\0') {
            return Some(Name { claimed: [Some(cut(&text)), None], text: Some(text), disputed: true });
        }
        // 4.6.9: a version, the checksum of the name that it stands for, and that in UTF-8.
        let is_path = |(tag, field): &(u16, &[u8])| {
            *tag == 0x7075 && field.first() == Some(&1) && u32_at(field, 1) == Some(crc32(name))
        };
        let (fields, _) = fields(extra(record));
        let paths: Vec<&[u8]> = fields.into_iter().filter(is_path).map(|(_, field)| &field[5..]).collect();
        let others = || paths.iter().filter(|path| !path.is_empty() && **path != text.as_bytes());
        let mut claims = others().filter_map(|path| std::str::from_utf8(path).ok()).map(cut);
        let claimed = [claims.next(), claims.next_back()];
        let disputed = others().next().is_some();
        Some(Name { text: Some(text), claimed, disputed })
    }

    /// Whether somebody finds this member by the other's name.
    fn may_be(&self, other: &Name) -> bool {
        other.text.is_some() && (self.text == other.text || self.claimed.contains(&other.text))
    }
}

/// Appendix D: UTF-8 by flag bit 11, else code page 437.
pub(super) fn text(name: &[u8], marked: bool) -> Option<String> {
    const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
        └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
    if marked {
        return String::from_utf8(name.to_vec()).ok();
    }
    name.iter()
        .map(|byte| if byte.is_ascii() { Some(char::from(*byte)) } else { UPPER.chars().nth(usize::from(byte - 128)) })
        .collect()
}

/// What the record says of where a member lies.
#[derive(Clone, Copy)]
struct Place {
    /// Of its local header in the file.
    offset: u64,
    name_length: u64,
    compressed_size: u64,
    size: u64,
}

impl Place {
    /// Where it ends if its local header has no extra field.
    fn least_end(self) -> u64 {
        self.offset.saturating_add(30 + self.name_length).saturating_add(self.compressed_size)
    }
}

/// 4.3.12 and 4.5.3: the fields that are all ones are in the zip64 field, in this order, and behind them may be the disk;
/// where none is, it repeats them (Z15).
fn place(record: &[u8], base: u64) -> Option<Place> {
    let (fields, whole) = fields(extra(record));
    let mut wide = fields.iter().filter(|(tag, _)| *tag == 1).map(|(_, field)| *field);
    let (field, again) = (wide.next(), wide.next());
    if !whole || again.is_some() {
        return None; // Z14, Z16
    }
    let mut values = [u32_at(record, 24)?, u32_at(record, 20)?, u32_at(record, 42)?].map(u64::from);
    let ones = u64::from(u32::MAX);
    let asked = values.contains(&ones);
    let disk = u16_at(record, 34)?;
    let mut rest = field.unwrap_or_default();
    for value in &mut values {
        let first = u64_at(rest, 0);
        if *value == ones {
            *value = first?;
        } else if asked || first.is_none() {
            continue;
        } else if first != Some(*value) {
            return None;
        }
        rest = &rest[8..];
    }
    // Z14: no more than the disk, and that where it is asked for. On another one it is in the way of others all the same.
    let fits = field.is_none() || matches!(rest, [0, 0, 0, 0]) || rest.is_empty() && disk != u16::MAX;
    let [size, compressed_size, offset] = values;
    let place =
        Place { offset: offset.checked_add(base)?, name_length: name(record).len() as u64, compressed_size, size };
    fits.then_some(place)
}

/// 4.3.7: where the data lies, behind a local header that says what the record says.
fn data(bytes: &[u8], record: &[u8], place: Place) -> Option<Range<u64>> {
    let header = bytes.get(usize::try_from(place.offset).ok()?..).filter(|header| header.starts_with(b"PK\x03\x04"))?;
    let (name_length, extra_length) = (usize::from(u16_at(header, 26)?), usize::from(u16_at(header, 28)?));
    let extra = header.get(30 + name_length..30 + name_length + extra_length)?;
    let [flags, in_record] = [u16_at(header, 6)?, u16_at(record, 8)?];
    // 4.4.4, Z18: neither encrypted nor masked nor a patch.
    if (flags | in_record) & 0x2061 != 0 {
        return None;
    }
    // Z1: it is about the same member.
    let same_text = (flags ^ in_record) & 0x800 == 0 || name(record).is_ascii();
    if !same_text || header[30..30 + name_length] != *name(record) || u16_at(header, 8) != u16_at(record, 10) {
        return None;
    }
    // Z2: of the same content. Zeros under bit 3 stand for what is in the data descriptor, all ones for what is in the
    // zip64 field.
    let same = |found: u64, truth: u64| found == truth || found == 0 && flags & 8 != 0;
    let mut wide = fields(extra).0.into_iter().find(|(tag, _)| *tag == 1).map(|(_, field)| field);
    let mut widened = |value: u32| match &mut wide {
        Some(rest) if value == u32::MAX && rest.len() >= 8 => {
            let value = u64_at(rest, 0);
            *rest = &rest[8..];
            value
        }
        _ => Some(value.into()),
    };
    let agrees = same(u32_at(header, 14)?.into(), u32_at(record, 16)?.into())
        && same(widened(u32_at(header, 22)?)?, place.size)
        && same(widened(u32_at(header, 18)?)?, place.compressed_size);
    let start = place.offset + 30 + (name_length + extra_length) as u64;
    let end = start.checked_add(place.compressed_size).filter(|end| *end <= bytes.len() as u64)?;
    agrees.then_some(start..end)
}

/// 4.4.5: stored or deflated, of a version that there is (Z28), and on this disk (Z12).
fn content(record: &[u8], data: &[u8], size: u64) -> Option<Vec<u8>> {
    let is_wide = || fields(extra(record)).0.iter().any(|(tag, _)| *tag == 1);
    let on_disk = match u16_at(record, 34)? {
        u16::MAX => is_wide(),
        disk => disk == 0,
    };
    if record[6] > 63 || !on_disk {
        return None;
    }
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

fn name(record: &[u8]) -> &[u8] {
    &record[46..][..usize::from(u16_at(record, 28).unwrap_or(0))]
}

fn extra(record: &[u8]) -> &[u8] {
    &record[46 + name(record).len()..][..usize::from(u16_at(record, 30).unwrap_or(0))]
}

/// 4.5.1: each a tag and a content, up to the first that runs over the end; and whether there is none that does. Three bytes
/// or fewer are no field.
fn fields(mut extra: &[u8]) -> (Vec<(u16, &[u8])>, bool) {
    let mut fields = Vec::new();
    while let (Some(tag), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let Some((field, rest)) = extra[4..].split_at_checked(length.into()) else { return (fields, false) };
        fields.push((tag, field));
        extra = rest;
    }
    (fields, true)
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
