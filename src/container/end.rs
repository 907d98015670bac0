//! The end record, its zip64 twin and locator: where the central directory lies.

use std::ops::Range;

use crate::bytes::{Cursor, window};
use crate::error::{DIRECTORY_BYTES, ErrorKind, Result};

const SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const LOCATOR_SIGNATURE: [u8; 4] = *b"PK\x06\x07";
const ZIP64_SIGNATURE: [u8; 4] = *b"PK\x06\x06";

const SIZE: u64 = 22;
const LOCATOR_SIZE: u64 = 20;
const ZIP64_SIZE: u64 = 56;

/// The first read: it holds the end record of nearly every archive, and the directory of small ones.
pub(crate) const TAIL: u64 = 4_096;
/// The second: the longest comment, and the zip64 records before the end record.
pub(crate) const LONG_TAIL: u64 = SIZE + 65_535 + LOCATOR_SIZE + ZIP64_SIZE;

/// Where the central directory lies, and what all offsets are relative to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The directory's bytes, checked to lie within the file.
    pub(crate) directory: Range<u64>,
    /// The number of bytes before the archive: 0 but for self-extracting and concatenated files.
    pub(crate) base: u64,
    /// Where the end record lies, for errors.
    at: u64,
    /// The number of records, as it is declared.
    pub(crate) entries: u64,
    zip64: bool,
}

impl End {
    /// Holds the number of records that the directory has against what the end record says (APPNOTE 4.4.22).
    pub(crate) fn check_count(&self, counted: u64) -> Result<()> {
        // Without zip64 the field has 16 bits, and writers let it wrap.
        let expected = if self.zip64 { counted } else { counted & 0xffff };
        if self.entries == expected {
            return Ok(());
        }
        Err(mismatch("number of entries", self.entries, counted, self.at))
    }
}

/// What was found at the end of the file.
pub(crate) enum Search {
    Found(End),
    /// The end record has a comment, or is not there: look again, with [`LONG_TAIL`] bytes.
    Further,
}

/// Looks for the end record in `tail`, the last bytes of a file of `size` bytes.
///
/// A record in the last 22 bytes whose comment is empty ends the search. Otherwise it is the one whose comment
/// ends exactly where the file ends; two of them are ambiguous, and so is a signature within the comment.
pub(crate) fn find(tail: &[u8], size: u64) -> Result<Search> {
    let base = size.saturating_sub(u64::try_from(tail.len()).unwrap_or(u64::MAX));
    if let Some(at) = size.checked_sub(SIZE)
        && let Some(record) = window(tail, base, at..size)
        && record.starts_with(&SIGNATURE)
        && record.ends_with(&[0, 0])
    {
        return read(record, at, tail, base).map(Search::Found);
    }
    if base > 0 && size.saturating_sub(base) < LONG_TAIL {
        return Ok(Search::Further);
    }
    scan(tail, base, size).map(Search::Found)
}

fn scan(tail: &[u8], base: u64, size: u64) -> Result<End> {
    let mut closing = None;
    let mut last = None;
    for start in signatures(tail) {
        let at = base.saturating_add(start);
        let end_of_record = at.saturating_add(SIZE);
        let comment = match window(tail, base, at..end_of_record) {
            Some([.., low, high]) => u64::from(u16::from_le_bytes([*low, *high])),
            _ => u64::MAX, // cut off
        };
        let end = end_of_record.saturating_add(comment);
        last = Some((at, end));
        if end == size
            && let Some(other) = closing.replace(at)
        {
            return Err(at_byte(ErrorKind::AmbiguousEnd { other }, at));
        }
    }
    match (closing, last) {
        // NumPy takes the last signature, wherever its comment ends.
        (Some(at), Some((other, _))) if at != other => Err(at_byte(ErrorKind::AmbiguousEnd { other }, at)),
        (Some(at), _) => {
            let record = window(tail, base, at..at.saturating_add(SIZE)).unwrap_or_default();
            read(record, at, tail, base)
        }
        (None, Some((at, end))) if end < size => {
            let count = size.saturating_sub(end);
            Err(at_byte(ErrorKind::TrailingBytes { count }, at))
        }
        _ => Err(ErrorKind::NotAnArchive { size }.into()),
    }
}

/// The places of the end record's signature.
fn signatures(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.windows(SIGNATURE.len()).zip(0_u64..).filter(|(four, _)| *four == SIGNATURE).map(|(_, at)| at)
}

/// APPNOTE 4.3.16.
fn read(record: &[u8], at: u64, tail: &[u8], tail_base: u64) -> Result<End> {
    let fields = || {
        let mut cursor = Cursor::new(record);
        cursor.skip(4)?; // signature
        Some((
            cursor.u16()?, // number of this disk
            cursor.u16()?, // disk with the start of the directory
            cursor.u16()?, // entries on this disk
            cursor.u16()?, // entries
            cursor.u32()?, // size of the directory
            cursor.u32()?, // its offset
        ))
    };
    let Some((disk, first_disk, disk_entries, entries, directory_size, offset)) = fields() else {
        return Err(ErrorKind::NotAnArchive { size: at }.into());
    };
    let classic = Classic { disk, first_disk, disk_entries, entries, size: directory_size, offset };
    let zip64 = Zip64::read(&classic, at, tail, tail_base)?;
    // The record that the directory must reach up to.
    let (place, size, offset, entries) = match &zip64 {
        Some(twin) => (twin.at, twin.size, twin.offset, twin.entries),
        None => {
            check_disk("number of this disk", classic.disk.into(), 0, at)?;
            check_disk("disk of the central directory", classic.first_disk.into(), 0, at)?;
            if classic.disk_entries != classic.entries {
                let found = classic.disk_entries.into();
                return Err(at_byte(multi_disk("number of entries on this disk", found), at));
            }
            (at, classic.size.into(), classic.offset.into(), classic.entries.into())
        }
    };
    let reaches = |field: &'static str, found: u64, expected: u64| match zip64 {
        Some(_) => at_byte(ErrorKind::BadZip64 { field, found, expected }, place),
        None => mismatch(field, found, expected, at),
    };
    let start = place.checked_sub(size).ok_or_else(|| reaches("size", size, place))?;
    let base = start.checked_sub(offset).ok_or_else(|| reaches("offset", offset, start))?;
    if let Some(twin) = &zip64 {
        // The locator's offset moves with the base.
        let expected = place.saturating_sub(base);
        check_zip64("locator's offset of the record", twin.located, expected, at.saturating_sub(LOCATOR_SIZE))?;
    }
    // Positions in the directory are kept in 32 bits.
    let limit = u64::from(u32::MAX >> 1);
    if size > limit {
        let what = DIRECTORY_BYTES;
        return Err(at_byte(ErrorKind::LimitExceeded { what, found: size, limit }, at));
    }
    Ok(End { directory: start..place, base, at, entries, zip64: zip64.is_some() })
}

/// The fields of the end record proper.
struct Classic {
    disk: u16,
    first_disk: u16,
    disk_entries: u16,
    entries: u16,
    size: u32,
    offset: u32,
}

/// The zip64 end record (APPNOTE 4.3.14), as its locator (4.3.15) leads to it.
struct Zip64 {
    /// Where it lies.
    at: u64,
    /// Where the locator says that it lies.
    located: u64,
    entries: u64,
    size: u64,
    offset: u64,
}

impl Zip64 {
    /// The locator ends where the end record starts, the record ends where the locator starts, or there are none.
    fn read(classic: &Classic, end_at: u64, tail: &[u8], tail_base: u64) -> Result<Option<Self>> {
        let locator_at = end_at.checked_sub(LOCATOR_SIZE);
        let locator = locator_at
            .and_then(|at| window(tail, tail_base, at..end_at))
            .filter(|locator| locator.starts_with(&LOCATOR_SIGNATURE));
        let (Some(locator_at), Some(locator)) = (locator_at, locator) else {
            return Ok(None);
        };
        let missing = |found: u64| {
            let field = "signature of the end record";
            let expected = u32::from_le_bytes(ZIP64_SIGNATURE).into();
            at_byte(ErrorKind::BadZip64 { field, found, expected }, locator_at)
        };
        let mut cursor = Cursor::new(locator);
        let mut locator = || {
            cursor.skip(4)?; // signature
            Some((cursor.u32()?, cursor.u64()?, cursor.u32()?))
        };
        let Some((record_disk, located, disks)) = locator() else {
            return Err(missing(0));
        };
        check_disk("zip64 locator's disk", record_disk.into(), 0, locator_at)?;
        // Some writers leave 0 where the number of disks is 1.
        if disks > 1 {
            return Err(at_byte(multi_disk("zip64 number of disks", disks.into()), locator_at));
        }
        let at = locator_at.checked_sub(ZIP64_SIZE).ok_or_else(|| missing(0))?;
        let record = window(tail, tail_base, at..locator_at).ok_or_else(|| missing(0))?;
        let mut cursor = Cursor::new(record);
        let mut fields = || {
            Some((
                cursor.array::<4>()?,           // signature
                cursor.u64()?,                  // size of what follows
                cursor.u16()?,                  // version made by
                cursor.u16()?,                  // version needed to extract
                [cursor.u32()?, cursor.u32()?], // this disk, disk with the start of the directory
                [cursor.u64()?, cursor.u64()?], // entries on this disk, entries
                cursor.u64()?,                  // size of the directory
                cursor.u64()?,                  // its offset
            ))
        };
        let Some((signature, length, _, _, [disk, first_disk], [disk_entries, entries], size, offset)) = fields()
        else {
            return Err(missing(0));
        };
        if signature != ZIP64_SIGNATURE {
            return Err(missing(u32::from_le_bytes(signature).into()));
        }
        // No extensible data: it could hide what NumPy does not see.
        check_zip64("length of the end record", length, ZIP64_SIZE.saturating_sub(12), at)?;
        check_disk("zip64 number of this disk", disk.into(), 0, at)?;
        check_disk("zip64 disk of the central directory", first_disk.into(), 0, at)?;
        if disk_entries != entries {
            return Err(at_byte(multi_disk("zip64 number of entries on this disk", disk_entries), at));
        }
        // A classic field either refers to its twin by all ones, or equals it.
        for (field, classic, ones, twin) in [
            ("this disk", classic.disk.into(), 0xffff, disk.into()),
            ("disk of the central directory", classic.first_disk.into(), 0xffff, first_disk.into()),
            ("entries on this disk", classic.disk_entries.into(), 0xffff, disk_entries),
            ("entries", classic.entries.into(), 0xffff, entries),
            ("size of the central directory", u64::from(classic.size), 0xffff_ffff, size),
            ("offset of the central directory", classic.offset.into(), 0xffff_ffff, offset),
        ] {
            if classic != ones {
                check_zip64(field, classic, twin, end_at)?;
            }
        }
        Ok(Some(Zip64 { at, located, entries, size, offset }))
    }
}

fn check_zip64(field: &'static str, found: u64, expected: u64, at: u64) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(at_byte(ErrorKind::BadZip64 { field, found, expected }, at))
}

fn check_disk(field: &'static str, found: u64, expected: u64, at: u64) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(at_byte(multi_disk(field, found), at))
}

fn multi_disk(field: &'static str, found: u64) -> ErrorKind {
    ErrorKind::MultiDisk { field, found }
}

fn mismatch(field: &'static str, found: u64, expected: u64, at: u64) -> crate::error::Error {
    at_byte(ErrorKind::DirectoryMismatch { field, found, expected }, at)
}

fn at_byte(kind: ErrorKind, at: u64) -> crate::error::Error {
    crate::error::Error::from(kind).at(at)
}
