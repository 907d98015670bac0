//! Strings and bytes as Python's `repr` prints them.

use std::fmt::Write;

/// The characters of a `<U9`, without the NULs at its end. What is no character stays a number.
pub(super) fn codes(units: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut codes: Vec<u32> = units.collect();
    codes.truncate(codes.iter().rposition(|code| *code != 0).map_or(0, |last| last + 1));
    codes
}

/// The text itself; what is no character is escaped.
pub(super) fn plain(codes: &[u32]) -> String {
    let mut text = String::new();
    for code in codes {
        match char::from_u32(*code) {
            Some(c) => text.push(c),
            None => escape(&mut text, *code),
        }
    }
    text
}

pub(super) fn string(codes: &[u32]) -> String {
    quoted(String::new(), codes, |text, code| match char::from_u32(code) {
        Some(c) if is_printable(c) => text.push(c),
        _ => escape(text, code),
    })
}

pub(super) fn bytes(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let codes: Vec<u32> = bytes[..end].iter().map(|byte| u32::from(*byte)).collect();
    quoted("b".into(), &codes, |text, code| match u8::try_from(code) {
        Ok(byte @ b' '..=b'~') => text.push(byte.into()),
        _ => escape(text, code),
    })
}

/// Bytes of no kind.
pub(super) fn void(bytes: &[u8]) -> String {
    let mut text = String::from("b'");
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02X}");
    }
    text + "'"
}

fn quoted(mut text: String, codes: &[u32], mut other: impl FnMut(&mut String, u32)) -> String {
    const SINGLE: u32 = '\'' as u32;
    const DOUBLE: u32 = '"' as u32;
    let quote = if codes.contains(&SINGLE) && !codes.contains(&DOUBLE) { '"' } else { '\'' };
    text.push(quote);
    for code in codes {
        match char::from_u32(*code) {
            Some('\t') => text.push_str("\\t"),
            Some('\n') => text.push_str("\\n"),
            Some('\r') => text.push_str("\\r"),
            Some('\\') => text.push_str("\\\\"),
            Some(c) if c == quote => text.extend(['\\', c]),
            _ => other(&mut text, *code),
        }
    }
    text.push(quote);
    text
}

fn escape(text: &mut String, code: u32) {
    // Writing to a string does not fail.
    let _ = match code {
        0..=0xff => write!(text, "\\x{code:02x}"),
        0x100..=0xffff => write!(text, "\\u{code:04x}"),
        _ => write!(text, "\\U{code:08x}"),
    };
}

/// Whether Python's `repr` prints the character as it is. Rust's `Debug` has the same rule, for its own version of
/// Unicode; the letter keeps it from escaping a mark that would stand on its quote.
fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        c if c.is_ascii() => false,
        c => String::from_iter(['a', c]).escape_debug().eq(['a', c]),
    }
}

/// Bytes as text in which each that is not printable is escaped; those of no kind all are.
pub(super) fn escaped(item: &[u8], is_void: bool) -> String {
    let text = if is_void { void(item) } else { bytes(item) };
    text[2..text.len() - 1].into()
}
