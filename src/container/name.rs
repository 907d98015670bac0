//! Member names: bytes to text (APPNOTE 4.4.17, appendix D), and the places where readers disagree.

use std::borrow::Cow;

use crate::bytes::Cursor;
use crate::error::names;
use crate::steps;

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
    pub(crate) dispute: Option<Dispute<'a>>,
}

/// Why readers disagree about a name.
#[derive(Debug)]
pub(crate) struct Dispute<'a> {
    pub(crate) claims: Claims<'a>,
    pub(crate) problem: &'static str,
}

/// What others take a name for, unless that cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Claims<'a> {
    pub(crate) first: Option<Cow<'a, [u8]>>,
    /// Of several fields a reader takes the first or the last.
    pub(crate) last: Option<Cow<'a, [u8]>>,
}

/// Decodes a name, and looks whether every reader sees the same. Nothing for bad UTF-8.
#[inline]
pub(crate) fn decode<'a>(name: &'a [u8], utf8: bool, extra: &'a [u8]) -> Option<Name<'a>> {
    if is_plain(name) && (extra.is_empty() || !has_unicode_path(extra)) {
        return Some(Name { text: Cow::Borrowed(name), dispute: None });
    }
    decode_any(name, utf8, extra)
}

fn decode_any<'a>(name: &'a [u8], utf8: bool, extra: &'a [u8]) -> Option<Name<'a>> {
    let text = text_bytes(name, utf8)?;
    let dispute = if text.contains(&0) {
        // The same byte in every encoding.
        let claims = Claims { first: text_bytes(until_nul(name), utf8), last: None };
        Some(Dispute { claims, problem: names::NUL })
    } else {
        unicode_path(name, &text, extra)
    };
    Some(Name { text, dispute })
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
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

/// Whether the bytes are their own text, for everybody: ASCII without NUL, as most names are. Eight bytes at a time, of
/// which the last eight may overlap those before.
#[inline]
pub(crate) fn is_plain(name: &[u8]) -> bool {
    const UPPER: u64 = 0x8080_8080_8080_8080;
    let Some(last) = name.last_chunk::<8>() else {
        return name.iter().all(|byte| byte.cast_signed() > 0);
    };
    // 0x7f more sets the upper bit of every byte but NUL. What that carries into the next byte comes from one that has
    // an upper bit itself, and is no ASCII.
    let odd = |bytes: &[u8; 8]| {
        let word = u64::from_le_bytes(*bytes);
        word | !word.wrapping_add(!UPPER)
    };
    let (words, _) = name.as_chunks();
    words.iter().fold(odd(last), |all, word| all | odd(word)) & UPPER == 0
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

/// Unicode path fields whose checksum says that they belong to this name, and that give another one. A field that is
/// not UTF-8 gives no name, but not this one either.
fn unicode_path<'a>(name: &[u8], text: &[u8], extra: &'a [u8]) -> Option<Dispute<'a>> {
    let mut dispute: Option<Dispute<'_>> = None;
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
        let other = content.rest();
        steps::add(other.len());
        if other.is_empty() || other == text {
            continue;
        }
        let problem = names::RENAMED;
        let Dispute { claims, .. } = dispute.get_or_insert(Dispute { claims: Claims::default(), problem });
        if std::str::from_utf8(other).is_ok() {
            // Its reader would cut this one at NUL, too.
            let other = Some(Cow::Borrowed(until_nul(other)));
            let later = if claims.first.is_none() { &mut claims.first } else { &mut claims.last };
            *later = other;
        }
    }
    dispute
}
