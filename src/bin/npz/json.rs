//! `--json`: one document for each file, an array of them for several.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use npzmap::Escaped;
use serde::Serialize;
use serde_json::ser::Formatter;
use serde_json::{Serializer, Value};

use crate::exit::{Failure, Result};

/// The version of the documents.
pub(crate) const SCHEMA: u32 = 1;

/// Prints a value.
pub(crate) fn write(out: impl Write, value: &(impl Serialize + ?Sized)) -> Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(out, Legible))?)
}

/// The text of a value.
pub(crate) fn to_string(value: &impl Serialize) -> Result<String> {
    let mut text = Vec::new();
    write(&mut text, value)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Begins the document of a file, whose parts are printed as they are found.
pub(crate) fn begin(out: &mut impl Write, path: &Path, parts: &str) -> Result<()> {
    write!(out, "{{\"schema\":{SCHEMA},\"file\":")?;
    write(&mut *out, &path.to_string_lossy())?;
    Ok(write!(out, ",\"{parts}\":[")?)
}

/// Compact, and with nothing in it that a terminal does more with than show it. To whoever parses it the text is the same.
struct Legible;

impl Formatter for Legible {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_escaped(*c)) {
            let (plain, from) = rest.split_at(at);
            out.write_all(plain.as_bytes())?;
            c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))?;
            rest = &from[c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

/// Quotes and backslashes, which JSON escapes itself, do not come here.
fn is_escaped(c: char) -> bool {
    !matches!(c, ' '..='~') && !Escaped(c.encode_utf8(&mut [0; 4])).to_string().chars().eq([c])
}

/// Prints documents one after the other, as the parts of an array if there may be several.
pub(crate) struct Documents<W> {
    out: W,
    /// Whether it is an array: `--json` and several files.
    array: bool,
    printed: bool,
}

impl<W: Write> Documents<W> {
    pub(crate) fn new(out: W, array: bool) -> Self {
        Documents { out, array, printed: false }
    }

    /// The place for the next document.
    pub(crate) fn next(&mut self) -> Result<&mut W> {
        let separator = match (self.array, self.printed) {
            (true, false) => "[",
            (true, true) => ",",
            (false, _) => "",
        };
        self.out.write_all(separator.as_bytes())?;
        self.printed = true;
        Ok(&mut self.out)
    }

    pub(crate) fn print(&mut self, document: &impl Serialize) -> Result<()> {
        write(self.next()?, document)
    }

    /// A file that there is nothing to say of but this.
    pub(crate) fn error(&mut self, path: &Path, failure: &Failure) -> Result<()> {
        self.print(&Unread { schema: SCHEMA, file: path.to_string_lossy(), error: failure.to_string() })
    }

    pub(crate) fn finish(mut self) -> Result<()> {
        match (self.array, self.printed) {
            (true, true) => writeln!(self.out, "]")?,
            (false, true) => writeln!(self.out)?,
            (true, false) => writeln!(self.out, "[]")?,
            (false, false) => {}
        }
        Ok(self.out.flush()?)
    }
}

#[derive(Serialize)]
struct Unread<'a> {
    schema: u32,
    file: Cow<'a, str>,
    error: String,
}

/// What of a document is missing, and why.
#[derive(Serialize)]
pub(crate) struct Refused {
    key: String,
    error: String,
}

impl Refused {
    /// What failed, if it did.
    pub(crate) fn of<T>(key: &str, result: &Result<T>) -> Option<Self> {
        let failure = result.as_ref().err()?;
        Some(Refused { key: key.into(), error: failure.to_string() })
    }

    /// Remembers what failed.
    pub(crate) fn note<T>(refused: &mut Vec<Refused>, key: &str, result: &Result<T>) {
        refused.extend(Refused::of(key, result));
    }
}

/// A number; what JSON has no number for as text.
pub(crate) fn number(value: f64) -> Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}
