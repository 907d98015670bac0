//! Strings: `<U9` and `|S9` to `String`.

use super::dtype::{ByteOrder, Dtype, Kind, Scalar};
use super::header::Header;
use crate::buffer;
use crate::error::{Error, ErrorKind, Result};

const SURROGATE: &str = "a surrogate, which is no character";
const BEYOND: &str = "a code above 0x10FFFF, which is no character";
const NOT_UTF8: &str = "bytes that are not UTF-8; take them as FixedBytes, or with read_any()";

/// The string dtype of an array of strings.
pub(crate) fn check(header: &Header) -> Result<Scalar> {
    match header.dtype() {
        Dtype::Scalar(scalar) if matches!(scalar.kind(), Kind::Str | Kind::Bytes) => Ok(*scalar),
        dtype if dtype.has_object() => Err(ErrorKind::Pickled.into()),
        dtype => {
            let (dtype, element) = (dtype.to_string(), "an array of strings".into());
            Err(ErrorKind::DtypeMismatch { dtype, element }.into())
        }
    }
}

/// The bytes that strings of this header take, without their text.
pub(crate) fn nbytes(header: &Header) -> usize {
    header.count().saturating_mul(size_of::<String>())
}

/// The strings in `payload`, as they lie. As in NumPy, NULs at the end are filling, inner ones are characters.
pub(crate) fn decode(scalar: Scalar, payload: &[u8]) -> Result<Vec<String>> {
    let items = payload.chunks_exact(scalar.item_size().max(1));
    let mut strings = buffer::with_capacity(items.len())?;
    for (index, item) in items.enumerate() {
        let bad = |problem| ErrorKind::BadText { index, problem };
        let text = match scalar.kind() {
            Kind::Str => {
                let characters = characters(item, scalar.byte_order());
                let length = characters.clone().map(|character| character.map_or(0, char::len_utf8)).sum();
                let Some(mut text) = with_room(length) else {
                    return Err(out_of_memory(strings, length));
                };
                for character in characters {
                    text.push(character.map_err(bad)?);
                }
                text
            }
            _ => {
                let trimmed = std::str::from_utf8(trim(item)).map_err(|_| bad(NOT_UTF8))?;
                let Some(mut text) = with_room(trimmed.len()) else {
                    return Err(out_of_memory(strings, trimmed.len()));
                };
                text.push_str(trimmed);
                text
            }
        };
        strings.push(text);
    }
    Ok(strings)
}

/// A string that is pushed to without asking for memory again, unless that is not granted.
fn with_room(bytes: usize) -> Option<String> {
    let mut text = String::new();
    text.try_reserve_exact(bytes).ok()?;
    Some(text)
}

/// What was taken so far is given back first: where no memory is left, there is none for the error either.
pub(crate) fn out_of_memory<T>(taken: Vec<T>, bytes: usize) -> Error {
    drop(taken);
    ErrorKind::OutOfMemory { bytes: u64::try_from(bytes).unwrap_or(u64::MAX) }.into()
}

pub(crate) fn decode_ucs4(item: &[u8], order: ByteOrder) -> Result<String, &'static str> {
    characters(item, order).collect()
}

fn characters(item: &[u8], order: ByteOrder) -> impl Iterator<Item = Result<char, &'static str>> + Clone {
    let characters = item.as_chunks::<4>().0;
    let code = move |bytes: &[u8; 4]| match order {
        ByteOrder::Big => u32::from_be_bytes(*bytes),
        _ => u32::from_le_bytes(*bytes),
    };
    let filling = characters.iter().rev().take_while(|bytes| **bytes == [0; 4]).count();
    characters.iter().take(characters.len() - filling).map(move |bytes| match code(bytes) {
        0xd800..=0xdfff => Err(SURROGATE),
        code => char::from_u32(code).ok_or(BEYOND),
    })
}

/// Without the NULs that fill it up.
pub(crate) fn trim(item: &[u8]) -> &[u8] {
    let filling = item.iter().rev().take_while(|byte| **byte == 0).count();
    &item[..item.len() - filling]
}
