//! `--json`: one document for each file, an array of them for several.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::exit::{Failure, Result};

/// The version of the documents.
pub(crate) const SCHEMA: u32 = 1;

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
        let out = self.next()?;
        Ok(serde_json::to_writer(out, document)?)
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
    /// Remembers what failed.
    pub(crate) fn note<T>(refused: &mut Vec<Refused>, key: &str, result: &Result<T>) {
        if let Err(failure) = result {
            refused.push(Refused { key: key.into(), error: failure.to_string() });
        }
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
