//! An open archive: its source and its directory. Opening reads the end record and the directory, and nothing else.

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::buffer;
use crate::bytes::window;
use crate::container::directory::Directory;
use crate::error::Result;
use crate::options::OpenOptions;
use crate::plan::Opening;
use crate::source::{Source, read_at};

/// What an [`Npz`](crate::Npz) and its members share.
pub(crate) struct Archive<S> {
    pub(crate) source: Arc<S>,
    bytes: DirectoryBytes,
    pub(crate) directory: Directory,
    pub(crate) options: OpenOptions,
    pub(crate) path: Option<Box<Path>>,
}

/// Where the directory's bytes are; they are held once.
enum DirectoryBytes {
    Held(Box<[u8]>),
    InSource,
}

impl<S: Source> Archive<S> {
    pub(crate) fn directory_bytes(&self) -> Result<&[u8]> {
        match &self.bytes {
            DirectoryBytes::Held(bytes) => Ok(bytes),
            DirectoryBytes::InSource => {
                let slice = self.source.as_slice().unwrap_or_default();
                let found = window(slice, 0, self.directory.range());
                found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof).into())
            }
        }
    }
}

impl<S: Source> Archive<S> {
    pub(crate) fn of(source: S, opening: Opening) -> Result<Self> {
        let (directory, held, options) = opening.finish()?;
        let bytes = held.map_or(DirectoryBytes::InSource, |bytes| DirectoryBytes::Held(bytes.into_boxed_slice()));
        Ok(Archive { source: Arc::new(source), bytes, directory, options, path: None })
    }
}

impl<S> Archive<S> {
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

/// Opens. What is shorter than `stays` is read by position, even when it is in memory.
pub(crate) fn open<S: Source>(source: S, options: OpenOptions, stays: u64) -> Result<Archive<S>> {
    let mut opening = Opening::new(source.size(), options);
    while let Some(range) = opening.wants() {
        if opening.wants_directory() {
            source.will_read(std::slice::from_ref(&range));
        }
        opening.take(fetch(&source, range, stays)?)?;
    }
    Archive::of(source, opening)
}

/// The bytes of `range`: lent if they lie in memory and are worth it.
fn fetch<S: Source>(source: &S, range: Range<u64>, stays: u64) -> Result<Cow<'_, [u8]>> {
    if range.end - range.start >= stays
        && let Some(slice) = source.as_slice()
    {
        let found = window(slice, 0, range);
        return Ok(Cow::Borrowed(found.ok_or(io::ErrorKind::UnexpectedEof).map_err(io::Error::from)?));
    }
    let mut bytes = buffer::zeroed(usize::try_from(range.end - range.start).unwrap_or(usize::MAX))?;
    read_at(source, range.start, &mut bytes)?;
    Ok(Cow::Owned(bytes))
}
