//! What an error is about: the key of a member, and the file.

use std::borrow::Cow;
use std::path::Path;

use crate::container::name;
use crate::error::Error;

/// What NumPy appends to a key.
pub(crate) const SUFFIX: &str = ".npy";

/// Returns a member's name as text, by the encoding that its flags state.
pub(crate) fn text(name: &[u8], is_utf8: bool) -> Cow<'_, str> {
    name::text(name, is_utf8).unwrap_or_else(|| String::from_utf8_lossy(name))
}

/// Returns a member's name as NumPy's key: without the suffix.
pub(crate) fn key(name: &[u8], is_utf8: bool) -> Cow<'_, str> {
    match text(name, is_utf8) {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_suffix(SUFFIX).unwrap_or(text)),
        Cow::Owned(mut text) => {
            if text.ends_with(SUFFIX) {
                text.truncate(text.len() - SUFFIX.len());
            }
            Cow::Owned(text)
        }
    }
}

/// A member or a plain file.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The member's name, and whether it is UTF-8.
    pub(crate) name: Option<(&'a [u8], bool)>,
    pub(crate) path: Option<&'a Path>,
}

impl Context<'_> {
    pub(crate) fn add(&self, error: Error) -> Error {
        let error = match self.name {
            Some((name, is_utf8)) => error.in_member(key(name, is_utf8)),
            None => error,
        };
        error.in_file(self.path)
    }
}
