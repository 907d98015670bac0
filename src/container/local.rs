//! A local header, held against its directory record: where the data starts (APPNOTE 4.3.7).

use std::borrow::Cow;
use std::ops::Range;

use super::name;
use super::record::{LOCAL_FIXED, Place, RawRecord, check_flags, flag};
use crate::bytes::Cursor;
use crate::error::{Error, ErrorKind, Result};

const SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const ZIP64: u16 = 0x0001;
const WIDE: u32 = u32::MAX;

/// What a look at the first bytes of a local header gives.
pub(crate) enum Local {
    /// The member's data, checked to end before what follows it.
    Data(Range<u64>),
    /// The header has this many bytes; that many are needed.
    Needs(u64),
}

/// What is done about a contradiction that leaves it clear where the data lies: it is returned, or kept to go on.
pub(crate) type Contradicted<'c> = &'c mut dyn FnMut(Error) -> Result<()>;

/// Holds the local header at the start of `bytes` against the directory's record. `next` is where whatever
/// follows the member begins.
pub(crate) fn check(
    bytes: &[u8],
    record: &RawRecord<'_>,
    place: Place,
    next: u64,
    contradicted: Contradicted<'_>,
) -> Result<Local> {
    let mut cursor = Cursor::new(bytes);
    let mut fixed = || {
        let signature = cursor.array::<4>()?;
        cursor.skip(2)?; // version needed to extract
        let (flags, method) = (cursor.u16()?, cursor.u16()?);
        cursor.skip(4)?; // time, date
        let [crc32, compressed_size, size] = [cursor.u32()?, cursor.u32()?, cursor.u32()?];
        let lengths = (cursor.u16()?, cursor.u16()?);
        Some((signature, flags, method, crc32, compressed_size, size, lengths))
    };
    let Some((signature, flags, method, crc32, compressed_size, size, (name_length, extra_length))) = fixed() else {
        return Ok(Local::Needs(LOCAL_FIXED));
    };
    if signature != SIGNATURE {
        return Err(mismatch("signature", hex(u32::from_le_bytes(signature)), hex(u32::from_le_bytes(SIGNATURE))));
    }
    let header = LOCAL_FIXED.saturating_add(name_length.into()).saturating_add(extra_length.into());
    let start = place.offset.saturating_add(header);
    let end = start.saturating_add(place.compressed_size);
    if end > next {
        let what = "what follows the member";
        return Err(ErrorKind::Overlap { end, what, start: next }.into());
    }
    let (Some(name), Some(extra)) = (cursor.take(name_length.into()), cursor.take(extra_length.into())) else {
        return Ok(Local::Needs(header));
    };

    check_flags(flags)?;
    if name != record.name {
        let text = |bytes| match name::text(bytes, record.is_utf8()) {
            Some(text) => format!("{text:?}"),
            None => format!("{bytes:?}"),
        };
        contradicted(mismatch("name", text(name), text(record.name)))?;
    }
    if (flags ^ record.flags()) & flag::UTF8 != 0 && !name.is_ascii() {
        let bit = |flags| if flags & flag::UTF8 == 0 { "code page 437" } else { "UTF-8" };
        contradicted(mismatch("name encoding", bit(flags), bit(record.flags())))?;
    }
    if method != record.method() {
        contradicted(mismatch("method", method.to_string(), record.method().to_string()))?;
    }
    // With a data descriptor, writers leave zeros here: they did not know yet.
    let unknown = |value: u64| value == 0 && flags & flag::DESCRIPTOR != 0;
    if crc32 != record.crc32() && !unknown(crc32.into()) {
        contradicted(mismatch("CRC-32", hex(crc32), hex(record.crc32())))?;
    }
    // In every file of `np.savez`, both sizes are all ones and refer to a zip64 extra field.
    let mut zip64 = zip64(extra).map(Cursor::new);
    for (field, local, directory) in
        [("size", size, place.size), ("compressed size", compressed_size, place.compressed_size)]
    {
        let local = match &mut zip64 {
            Some(wide) if local == WIDE => wide.u64().unwrap_or(WIDE.into()),
            _ => local.into(),
        };
        if local != directory && !unknown(local) {
            contradicted(mismatch(field, local.to_string(), directory.to_string()))?;
        }
    }
    Ok(Local::Data(start..end))
}

/// The zip64 extra field, if what stands before it is well formed; alignment padding often is not.
fn zip64(extra: &[u8]) -> Option<&[u8]> {
    let mut fields = Cursor::new(extra);
    loop {
        let (id, length) = (fields.u16()?, fields.u16()?);
        let content = fields.take(length.into())?;
        if id == ZIP64 {
            return Some(content);
        }
    }
}

/// Whether a local header of this name starts here: what is looked at to find the base of a prefixed archive.
pub(crate) fn fits(bytes: &[u8], name: &[u8]) -> bool {
    let mut cursor = Cursor::new(bytes);
    let mut name_at = || {
        let signature = cursor.array::<4>()?;
        cursor.skip(22)?; // version to sizes
        let length = cursor.u16()?;
        cursor.skip(2)?; // length of the extra field
        Some((signature, cursor.take(length.into())?))
    };
    name_at() == Some((SIGNATURE, name))
}

fn hex(value: u32) -> Cow<'static, str> {
    format!("{value:#010x}").into()
}

fn mismatch(field: &'static str, local: impl Into<String>, directory: impl Into<String>) -> Error {
    ErrorKind::HeaderMismatch { field, local: local.into(), directory: directory.into() }.into()
}
