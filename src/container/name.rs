//! Member names: bytes to text (APPNOTE 4.4.17, appendix D), and the places where readers disagree.

use std::borrow::Cow;

use super::steps;
use crate::bytes::Cursor;
use crate::error::names;

/// Info-ZIP Unicode Path (APPNOTE 4.6.9).
const UNICODE_PATH: u16 = 0x7075;

/// The upper half of code page 437, which names without the UTF-8 flag are written in.
const CP437: [char; 128] = [
    'Ç', 'ü', 'é', 'â', 'ä', 'à', 'å', 'ç', 'ê', 'ë', 'è', 'ï', 'î', 'ì', 'Ä', 'Å', //
    'É', 'æ', 'Æ', 'ô', 'ö', 'ò', 'û', 'ù', 'ÿ', 'Ö', 'Ü', '¢', '£', '¥', '₧', 'ƒ', //
    'á', 'í', 'ó', 'ú', 'ñ', 'Ñ', 'ª', 'º', '¿', '⌐', '¬', '½', '¼', '¡', '«', '»', //
    '░', '▒', '▓', '│', '┤', '╡', '╢', '╖', '╕', '╣', '║', '╗', '╝', '╜', '╛', '┐', //
    '└', '┴', '┬', '├', '─', '┼', '╞', '╟', '╚', '╔', '╩', '╦', '╠', '═', '╬', '╧', //
    '╨', '╤', '╥', '╙', '╘', '╒', '╓', '╫', '╪', '┘', '┌', '█', '▄', '▌', '▐', '▀', //
    'α', 'ß', 'Γ', 'π', 'Σ', 'σ', 'µ', 'τ', 'Φ', 'Θ', 'Ω', 'δ', '∞', 'φ', 'ε', '∩', //
    '≡', '±', '≥', '≤', '⌠', '⌡', '÷', '≈', '°', '∙', '·', '√', 'ⁿ', '²', '■', '\u{a0}',
];

/// What a name's bytes say.
#[derive(Debug)]
pub(crate) struct Name<'a> {
    /// The bytes of its text as NumPy decodes it.
    pub(crate) text: Cow<'a, [u8]>,
    pub(crate) dispute: Option<Dispute>,
}

/// Why readers disagree about a name.
#[derive(Debug)]
pub(crate) struct Dispute {
    /// What others take it for. One that cannot be read is none of these.
    pub(crate) claimed: Vec<String>,
    pub(crate) problem: &'static str,
}

/// Decodes a name, and looks whether every reader sees the same. Nothing for bad UTF-8.
#[inline]
pub(crate) fn decode<'a>(name: &'a [u8], utf8: bool, extra: &[u8]) -> Option<Name<'a>> {
    if is_plain(name) && (extra.is_empty() || !has_unicode_path(extra)) {
        return Some(Name { text: Cow::Borrowed(name), dispute: None });
    }
    decode_any(name, utf8, extra)
}

fn decode_any<'a>(name: &'a [u8], utf8: bool, extra: &[u8]) -> Option<Name<'a>> {
    let text = text_bytes(name, utf8)?;
    let dispute = match text.iter().position(|byte| *byte == 0) {
        Some(nul) => {
            let cut = text.get(..nul).unwrap_or_default();
            Some(Dispute { claimed: vec![String::from_utf8_lossy(cut).into_owned()], problem: names::NUL })
        }
        None => {
            let claimed = unicode_path(name, &text, extra);
            claimed.map(|claimed| Dispute { claimed, problem: names::RENAMED })
        }
    };
    Some(Name { text, dispute })
}

/// The name as NumPy decodes it: UTF-8 with general purpose flag bit 11, else code page 437. Nothing for bad UTF-8.
pub(crate) fn text(name: &[u8], utf8: bool) -> Option<Cow<'_, str>> {
    if utf8 || name.is_ascii() {
        return std::str::from_utf8(name).ok().map(Cow::Borrowed);
    }
    let character = |byte: &u8| match byte.checked_sub(128) {
        Some(upper) => CP437.get(usize::from(upper)).copied().unwrap_or('\u{fffd}'),
        None => char::from(*byte),
    };
    Some(Cow::Owned(name.iter().map(character).collect()))
}

/// The bytes of that text.
#[inline]
pub(crate) fn text_bytes(name: &[u8], utf8: bool) -> Option<Cow<'_, [u8]>> {
    if is_plain(name) {
        return Some(Cow::Borrowed(name));
    }
    Some(match text(name, utf8)? {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

/// Whether the bytes are their own text, for everybody: ASCII without NUL, as most names are. One loop without a way
/// out is vectorised, and costs a fifth of `is_ascii` and a search on names of 20 bytes.
#[inline]
pub(crate) fn is_plain(name: &[u8]) -> bool {
    name.iter().fold(true, |plain, byte| plain & (byte.cast_signed() > 0))
}

/// The extra fields, each its number and its content; up to the first that runs over the end.
fn extra_fields(extra: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut fields = Cursor::new(extra);
    std::iter::from_fn(move || {
        steps::add(1);
        let (id, length) = (fields.u16()?, fields.u16()?);
        Some((id, fields.take(length.into())?))
    })
}

#[inline]
fn has_unicode_path(extra: &[u8]) -> bool {
    extra_fields(extra).any(|(id, _)| id == UNICODE_PATH)
}

/// The other names that Unicode path fields give, if their checksums say that they belong to this one. A field that
/// is not UTF-8 gives no name, but not this one either.
fn unicode_path(name: &[u8], text: &[u8], extra: &[u8]) -> Option<Vec<String>> {
    let mut renamed: Option<Vec<String>> = None;
    // Once, however many fields ask for it.
    let mut checksum = None;
    for (id, content) in extra_fields(extra) {
        let mut content = Cursor::new(content);
        if id != UNICODE_PATH || content.u8() != Some(1) {
            continue;
        }
        let checksum = *checksum.get_or_insert_with(|| crc32fast::hash(name));
        if content.u32() != Some(checksum) {
            continue;
        }
        steps::add(content.rest().len());
        match std::str::from_utf8(content.rest()) {
            // Its reader would cut this one at NUL, too.
            Ok(other) if other.as_bytes() != text && !other.is_empty() => {
                let cut = other.split('\0').next().unwrap_or_default();
                renamed.get_or_insert_default().push(cut.to_owned());
            }
            Ok(_) => {}
            Err(_) => {
                renamed.get_or_insert_default();
            }
        }
    }
    renamed
}
