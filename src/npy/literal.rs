//! The tokens of a header's text: as much of Python's literal grammar as NumPy's own writers have used.
//!
//! Strings in either quotes with their escapes, decimal integers (with Python 2's `L` where the version allows
//! it), names, brackets and commas, blanks between them. Linear in the text, and without recursion.
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::borrow::Cow;

use crate::error::{self, Error, ErrorKind, Result};
use crate::limits::HEADER_DEPTH;
use crate::steps;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Str(Cow<'a, str>),
    Int(u64),
    Name(&'a str),
    /// One of `{}[]():,`.
    Mark(char),
    End,
}

#[derive(Clone)]
pub(crate) struct Tokens<'a> {
    text: &'a str,
    rest: &'a str,
    /// Whether `10L` is an integer.
    long: bool,
    /// Whether a character was one byte, whatever it takes here.
    latin1: bool,
    depth: u32,
}

impl<'a> Tokens<'a> {
    /// The text of a header. In versions 1.0 and 2.0 it was Latin-1, and Python 2 wrote its long integers with an L.
    pub(crate) fn of_header(text: &'a str, version: (u8, u8)) -> Self {
        let old = version.0 < 3;
        Tokens { text, rest: text, long: old, latin1: old, depth: 0 }
    }

    pub(crate) fn new(text: &'a str) -> Self {
        Tokens { text, rest: text, long: false, latin1: false, depth: 0 }
    }

    /// Where the next token begins, in bytes of the text as it stands in the file.
    fn position(&self) -> usize {
        let rest = self.rest.trim_start_matches(is_blank);
        let before = self.text.get(..self.text.len().saturating_sub(rest.len())).unwrap_or(self.text);
        steps::add(before.len());
        if self.latin1 { before.chars().count() } else { before.len() }
    }

    pub(crate) fn next(&mut self) -> Result<Token<'a>> {
        let before = self.rest.len();
        let token = self.scan();
        steps::add(before.saturating_sub(self.rest.len()).saturating_add(1));
        token
    }

    fn scan(&mut self) -> Result<Token<'a>> {
        self.skip_blanks();
        let Some(first) = self.rest.chars().next() else {
            return Ok(Token::End);
        };
        match first {
            '\'' | '"' => self.string(first).map(Token::Str),
            '0'..='9' => self.integer().map(Token::Int),
            'A'..='Z' | 'a'..='z' | '_' => Ok(Token::Name(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'))),
            '{' | '[' | '(' => {
                let depth = self.depth.saturating_add(1);
                if depth > HEADER_DEPTH {
                    let (found, limit) = (depth.into(), HEADER_DEPTH.into());
                    return Err(self.at(ErrorKind::LimitExceeded { what: error::HEADER_DEPTH, found, limit }));
                }
                self.depth = depth;
                self.mark(first)
            }
            '}' | ']' | ')' => {
                self.depth = self.depth.saturating_sub(1);
                self.mark(first)
            }
            ':' | ',' => self.mark(first),
            _ => Err(self.expected("a string, a number, a name or a bracket")),
        }
    }

    /// The next token, which is left where it is.
    pub(crate) fn peek(&self) -> Result<Token<'a>> {
        self.clone().next()
    }

    /// Takes this mark, or says what was expected.
    pub(crate) fn mark_or(&mut self, mark: char, expected: &'static str) -> Result<()> {
        if self.take_mark(mark) {
            return Ok(());
        }
        Err(self.expected(expected))
    }

    /// Takes this mark if it comes next.
    pub(crate) fn take_mark(&mut self, mark: char) -> bool {
        let before = self.rest.len();
        self.skip_blanks();
        steps::add(before.saturating_sub(self.rest.len()).saturating_add(1));
        let found = self.rest.starts_with(mark);
        if found {
            // It is one of ours: this cannot fail but for the depth, which is reported by the next token.
            let _ = self.next();
        }
        found
    }

    pub(crate) fn string_or(&mut self, expected: &'static str) -> Result<Cow<'a, str>> {
        let before = self.clone();
        match self.next()? {
            Token::Str(text) => Ok(text),
            _ => Err(before.expected(expected)),
        }
    }

    /// An error about the next token.
    pub(crate) fn expected(&self, expected: &'static str) -> Error {
        let found = self.found();
        self.at(ErrorKind::BadHeader { expected, found })
    }

    /// An error whose offset is, for now, within the text.
    pub(crate) fn at(&self, kind: ErrorKind) -> Error {
        let position = u64::try_from(self.position()).unwrap_or(u64::MAX);
        Error::from(kind).at(position)
    }

    /// The next few characters, for a message.
    pub(crate) fn found(&self) -> String {
        const SHOWN: usize = 32;
        let rest = self.rest.trim_start_matches(is_blank);
        let mut shown: String = rest.chars().take(SHOWN).collect();
        if shown.is_empty() {
            return "the end of the header".into();
        }
        if shown.len() < rest.len() {
            shown.push('…');
        }
        format!("{shown:?}")
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches(is_blank);
    }

    fn mark(&mut self, mark: char) -> Result<Token<'a>> {
        self.rest = self.rest.strip_prefix(mark).unwrap_or_default();
        Ok(Token::Mark(mark))
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !keep(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Decimal digits without leading zeros.
    fn integer(&mut self) -> Result<u64> {
        let before = self.clone();
        let digits = self.take_while(|c| c.is_ascii_digit());
        let canonical = digits == "0" || !digits.starts_with('0');
        let value = digits.parse().ok().filter(|_| canonical);
        let value = value.ok_or_else(|| before.expected("a decimal integer below 2**64"))?;
        if self.long {
            self.rest = self.rest.strip_prefix('L').unwrap_or(self.rest);
        }
        if self.rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            return Err(before.expected("a decimal integer"));
        }
        Ok(value)
    }

    fn string(&mut self, quote: char) -> Result<Cow<'a, str>> {
        let before = self.clone();
        let unclosed = || before.expected("a string that is closed on its line");
        let body = self.rest.strip_prefix(quote).ok_or_else(unclosed)?;
        let special = |c| c == quote || c == '\\' || c == '\n' || c == '\r' || c == '\0';
        let end = body.find(special).ok_or_else(unclosed)?;
        let (plain, rest) = body.split_at_checked(end).ok_or_else(unclosed)?;
        if let Some(rest) = rest.strip_prefix(quote) {
            // Python joins strings that touch, and reads three quotes as one: neither was ever written.
            if rest.starts_with(['\'', '"']) {
                return Err(before.expected("one string"));
            }
            self.rest = rest;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        self.rest = rest;
        loop {
            let mut chars = self.rest.chars();
            let next = chars.next().ok_or_else(unclosed)?;
            self.rest = chars.as_str();
            match next {
                '\\' => text.push(self.escape().ok_or_else(|| before.expected("an escape that Python knows"))?),
                '\n' | '\r' | '\0' => return Err(unclosed()),
                c if c == quote => break,
                c => text.push(c),
            }
        }
        if self.rest.starts_with(['\'', '"']) {
            return Err(before.expected("one string"));
        }
        Ok(Cow::Owned(text))
    }

    /// What Python's `repr` writes behind a backslash.
    fn escape(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let kind = chars.next()?;
        self.rest = chars.as_str();
        let digits = match kind {
            '\\' | '\'' | '"' => return Some(kind),
            'n' => return Some('\n'),
            'r' => return Some('\r'),
            't' => return Some('\t'),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return None,
        };
        let (code, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        let hex = code.bytes().all(|digit| digit.is_ascii_hexdigit());
        u32::from_str_radix(code, 16).ok().filter(|_| hex).and_then(char::from_u32)
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// Writes a string as Python's `repr` does.
pub(crate) fn write_str(out: &mut impl std::fmt::Write, text: &str) -> std::fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            c if c == quote => write!(out, "\\{c}")?,
            c if is_printable(c) => out.write_char(c)?,
            c => match u32::from(c) {
                code @ 0..=0xff => write!(out, "\\x{code:02x}")?,
                code @ 0..=0xffff => write!(out, "\\u{code:04x}")?,
                code => write!(out, "\\U{code:08x}")?,
            },
        }
    }
    out.write_char(quote)
}

/// Close to Python's `str.isprintable`; where the two differ, the text reads back the same.
fn is_printable(c: char) -> bool {
    match c {
        ' ' => true,
        c if c.is_control() || c.is_whitespace() => false,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => false,
        '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' => false,
        c => u32::from(c) < 0xe0000,
    }
}
