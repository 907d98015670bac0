//! What `show` and `plot` take: an array of a file, a field of it, a slice of that.

use std::path::Path;

use npzmap::{Method, NpyArray};

use crate::budget::Decoding;
use crate::exit::{Code, Failure, Result};
use crate::input::{Entry, Input};

pub(crate) struct Part<'a> {
    pub(crate) entry: Entry<'a>,
    pub(crate) slice: Option<&'a str>,
    /// The part.
    pub(crate) array: NpyArray<'a>,
    /// Whether it is all of the array.
    is_whole: bool,
}

impl<'a> Part<'a> {
    pub(crate) fn of(
        input: &'a Input,
        file: &Path,
        (key, slice, field): (Option<&'a str>, Option<&'a str>, Option<&str>),
    ) -> Result<Self> {
        let (key, slice) = match (input, key, slice) {
            // What would be the key is the slice: a plain file has no keys.
            (Input::Plain(_), Some(_), Some(_)) => {
                let text = format!("{}: a plain .npy file has no keys: FILE [SLICE]", file.display());
                return Err(Failure::new(Code::Usage, text));
            }
            (Input::Plain(_), slice, None) => (None, slice),
            (_, key, slice) => (key, slice),
        };
        let entry = input.entry(file, key)?;
        let mut array = entry.array()?;
        array.access_in_map()?; // refuses pickled objects
        if let Some(field) = field {
            array = array.field(field)?;
        }
        if let Some(slice) = slice {
            array = array.select_str(slice)?;
        }
        Ok(Part { entry, slice, array, is_whole: field.is_none() && slice.is_none() })
    }

    /// Decodes an array that is compressed: all of it, and once, unless it is read once, from its start to its end.
    pub(crate) fn decode(&mut self, decoding: &Decoding, once: bool) -> Result<()> {
        if self.array.method() != Method::Stored {
            decoding.count(&self.entry, 1)?;
            if !(once && self.is_whole) {
                self.array = self.array.load()?;
            }
        }
        Ok(())
    }
}
