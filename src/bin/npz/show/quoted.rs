//! Strings and bytes as Python's `repr` prints them, written as they are made: one string may be most of a file.

use std::fmt::{Result, Write};

/// The code units of a string. Two passes are made over them, and they are not held.
pub(super) trait Units: DoubleEndedIterator<Item = u32> + ExactSizeIterator + Clone {}

impl<I: DoubleEndedIterator<Item = u32> + ExactSizeIterator + Clone> Units for I {}

/// Those without the NULs at their end. What is no character stays a number.
fn codes(units: impl Units) -> impl Iterator<Item = u32> + Clone {
    let length = units.clone().rposition(|code| code != 0).map_or(0, |last| last + 1);
    units.take(length)
}

fn bytes_of(bytes: &[u8]) -> impl Units {
    bytes.iter().map(|byte| u32::from(*byte))
}

/// The text itself; what is no character is escaped.
pub(super) fn plain(units: impl Units, out: &mut dyn Write) -> Result {
    codes(units).try_for_each(|code| match char::from_u32(code) {
        Some(c) => out.write_char(c),
        None => escape(out, code),
    })
}

pub(super) fn string(units: impl Units, out: &mut dyn Write) -> Result {
    quoted("", codes(units), string_code, out)
}

fn string_code(out: &mut dyn Write, code: u32) -> Result {
    match char::from_u32(code) {
        Some(c) if is_printable(c) => out.write_char(c),
        _ => escape(out, code),
    }
}

pub(super) fn bytes(bytes: &[u8], out: &mut dyn Write) -> Result {
    quoted("b", codes(bytes_of(bytes)), byte_code, out)
}

fn byte_code(out: &mut dyn Write, code: u32) -> Result {
    match u8::try_from(code) {
        Ok(byte @ b' '..=b'~') => out.write_char(byte.into()),
        _ => escape(out, code),
    }
}

/// Bytes of no kind.
pub(super) fn void(bytes: &[u8], out: &mut dyn Write) -> Result {
    out.write_str("b'")?;
    void_inside(bytes, out)?;
    out.write_char('\'')
}

fn void_inside(bytes: &[u8], out: &mut dyn Write) -> Result {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let mut text = String::new();
    // A call for each byte would take ten times as long.
    bytes.chunks(256).try_for_each(|chunk| {
        text.clear();
        for byte in chunk {
            text.extend(['\\', 'x', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]]);
        }
        out.write_str(&text)
    })
}

/// How a code is written that every quoted text does not write alike.
type Other = fn(&mut dyn Write, u32) -> Result;

fn quoted(prefix: &str, codes: impl Iterator<Item = u32> + Clone, other: Other, out: &mut dyn Write) -> Result {
    let quote = quote(codes.clone());
    out.write_str(prefix)?;
    out.write_char(quote)?;
    inside(quote, codes, other, out)?;
    out.write_char(quote)
}

fn quote(mut codes: impl Iterator<Item = u32> + Clone) -> char {
    let mut again = codes.clone();
    if again.any(|code| code == u32::from('\'')) && !codes.any(|code| code == u32::from('"')) { '"' } else { '\'' }
}

fn inside(quote: char, mut codes: impl Iterator<Item = u32>, other: Other, out: &mut dyn Write) -> Result {
    codes.try_for_each(|code| match char::from_u32(code) {
        Some('\t') => out.write_str("\\t"),
        Some('\n') => out.write_str("\\n"),
        Some('\r') => out.write_str("\\r"),
        Some('\\') => out.write_str("\\\\"),
        Some(c) if c == quote => write!(out, "\\{c}"),
        _ => other(out, code),
    })
}

fn escape(out: &mut dyn Write, code: u32) -> Result {
    match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    }
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
pub(super) fn escaped(item: &[u8], is_void: bool, out: &mut dyn Write) -> Result {
    if is_void {
        return void_inside(item, out);
    }
    let codes = codes(bytes_of(item));
    inside(quote(codes.clone()), codes, byte_code, out)
}
