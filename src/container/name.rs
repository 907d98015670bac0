//! Member names: bytes to text (APPNOTE 4.4.17, appendix D), and the places where readers disagree.

use std::borrow::Cow;

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
    /// Some readers see the text `claimed`, others another one.
    Disputed { claimed: String, problem: &'static str },
    /// Marked as UTF-8, and not UTF-8.
    NotUtf8,
}

/// Decodes a name as NumPy does: UTF-8 with general purpose flag bit 11, else code page 437.
pub(crate) fn decode<'a>(name: &'a [u8], utf8: bool, extra: &[u8]) -> Name<'a> {
    let Some(text) = text(name, utf8) else {
        return Name::NotUtf8;
    };
    if let Some((claimed, _)) = text.split_once('\0') {
        let claimed = claimed.to_owned();
        return Name::Disputed { claimed, problem: names::NUL };
    }
    if let Some(claimed) = unicode_path(name, extra)
        && claimed != text
    {
        // The other reader would cut this one at NUL, too.
        let claimed = claimed.split('\0').next().unwrap_or_default().to_owned();
        return Name::Disputed { claimed, problem: names::RENAMED };
    }
    Name::Agreed(text)
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

/// The name in a Unicode path field whose checksum says that it belongs to this name.
fn unicode_path<'a>(name: &[u8], extra: &'a [u8]) -> Option<&'a str> {
    if extra.is_empty() {
        return None;
    }
    let mut fields = Cursor::new(extra);
    loop {
        let (id, length) = (fields.u16()?, fields.u16()?);
        let mut field = Cursor::new(fields.take(length.into())?);
        if id == UNICODE_PATH {
            let (version, checksum) = (field.u8()?, field.u32()?);
            if version == 1 && checksum == crc32fast::hash(name) {
                return std::str::from_utf8(field.rest()).ok();
            }
        }
    }
}
