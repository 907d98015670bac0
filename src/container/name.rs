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
pub(crate) enum Name<'a> {
    /// The text that every reader sees.
    Agreed(Cow<'a, str>),
    /// Some readers see `text`, others one of `claimed`, or an archive that is damaged.
    Disputed { text: Cow<'a, str>, claimed: Vec<String>, problem: &'static str },
    /// Marked as UTF-8, and not UTF-8.
    NotUtf8,
}

/// Decodes a name as NumPy does: UTF-8 with general purpose flag bit 11, else code page 437.
pub(crate) fn decode<'a>(name: &'a [u8], utf8: bool, extra: &[u8]) -> Name<'a> {
    let Some(text) = text(name, utf8) else {
        return Name::NotUtf8;
    };
    if let Some((cut, _)) = text.split_once('\0') {
        let claimed = vec![cut.to_owned()];
        return Name::Disputed { text, claimed, problem: names::NUL };
    }
    match unicode_path(name, &text, extra) {
        None => Name::Agreed(text),
        Some(claimed) => Name::Disputed { text, claimed, problem: names::RENAMED },
    }
}

/// The name's text, whatever other readers make of it; nothing for bad UTF-8.
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

/// The other names that Unicode path fields give, if their checksums say that they belong to this one. A field that
/// is not UTF-8 gives no name, but not this one either.
fn unicode_path(name: &[u8], text: &str, extra: &[u8]) -> Option<Vec<String>> {
    let mut fields = Cursor::new(extra);
    let mut renamed: Option<Vec<String>> = None;
    // Once, however many fields ask for it.
    let mut checksum = None;
    let mut field = || {
        let (id, length) = (fields.u16()?, fields.u16()?);
        Some((id, fields.take(length.into())?))
    };
    while let Some((id, content)) = field() {
        steps::add(1);
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
            Ok(other) if other != text && !other.is_empty() => {
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
