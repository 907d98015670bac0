//! An open archive: its source and its directory. Opening reads the end record and the directory, and nothing else.

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::path::Path;

use crate::buffer;
use crate::bytes::window;
use crate::container::directory::{self, Directory, Record};
use crate::container::end::{self, End, Search};
use crate::container::local;
use crate::container::record::LOCAL_FIXED;
use crate::context::SUFFIX;
use crate::error::{Error, ErrorKind, Result};
use crate::options::OpenOptions;
use crate::source::{Source, read_at};

/// What an [`Npz`](crate::Npz) and its members share.
pub(crate) struct Archive<S> {
    pub(crate) source: S,
    bytes: DirectoryBytes,
    pub(crate) directory: Directory,
    pub(crate) options: OpenOptions,
    pub(crate) path: Option<Box<Path>>,
}

const SUFFIX_BYTES: directory::Suffix = *SUFFIX.as_bytes().first_chunk().unwrap();

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

impl<S> Archive<S> {
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

/// Opens. What is shorter than `stays` is read by position, even when it lies in memory.
pub(crate) fn open<S: Source>(source: S, options: OpenOptions, stays: u64) -> Result<Archive<S>> {
    let size = source.size();
    let fetch = |range: Range<u64>| fetch(&source, range, stays);
    let tail = |length: u64| fetch(size.saturating_sub(length)..size);
    let (end, tail) = {
        let short = tail(end::TAIL)?;
        match end::find(&short, size)? {
            Search::Found(end) => (end, short),
            Search::Further => {
                let long = tail(end::LONG_TAIL)?;
                match end::find(&long, size)? {
                    Search::Found(end) => (end, long),
                    Search::Further => return Err(ErrorKind::NotAnArchive { size }.into()),
                }
            }
        }
    };

    let range = end.directory.clone();
    let tail_start = size - tail.len() as u64;
    let bytes = match (&tail, window(&tail, tail_start, range.clone())) {
        // Read already.
        (Cow::Owned(_), Some(bytes)) => Cow::Owned(bytes.to_vec()),
        _ => {
            source.will_read(std::slice::from_ref(&range));
            fetch(range.clone())?
        }
    };
    let directory = Directory::read(&bytes, range, end.base, end.entries, options.duplicates, SUFFIX_BYTES)?;
    end.check_count(directory.len() as u64)?;
    if end.base > 0 {
        check_base(&source, &directory, &bytes, &end)?;
    }
    let bytes = match bytes {
        Cow::Owned(bytes) => DirectoryBytes::Held(bytes.into_boxed_slice()),
        Cow::Borrowed(_) => DirectoryBytes::InSource,
    };
    Ok(Archive { source, bytes, directory, options, path: None })
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

/// In an archive behind a prefix, the first or the last member must be where the offsets lead when the prefix is counted. One
/// of them may be damaged, which is its own matter, unless it is where they lead when the prefix is not counted; and there
/// they must not be both.
fn check_base<S: Source>(source: &S, directory: &Directory, bytes: &[u8], end: &End) -> Result<()> {
    let base = end.base;
    let mut records = directory.records_from(bytes, 0).flatten();
    let Some(first) = records.next() else {
        return Ok(());
    };
    let ends = [first, records.last().unwrap_or(first)];
    let lie_at = |base: u64| -> Result<[bool; 2]> {
        let [first, last] = ends.each_ref().map(|record| lies_at(source, record, base));
        Ok([first?, last?])
    };
    let at = directory.range().end;
    let counted = lie_at(base)?;
    if counted == [false, false] {
        return Err(Error::from(ErrorKind::PrefixMismatch { base }).at(at));
    }
    let plain = lie_at(0)?;
    let is_plain_alone = counted.into_iter().zip(plain).any(|(counted, plain)| plain && !counted);
    if plain == [true, true] || is_plain_alone {
        return Err(Error::from(ErrorKind::AmbiguousStart { base }).at(at));
    }
    Ok(())
}

/// Whether the member's local header lies where its record says, `base` added.
fn lies_at<S: Source>(source: &S, record: &Record<'_>, base: u64) -> Result<bool> {
    let Ok(place) = record.raw.place(base) else {
        return Ok(false);
    };
    let length = LOCAL_FIXED + record.raw.name.len() as u64;
    let Some(end) = place.offset.checked_add(length).filter(|end| *end <= source.size()) else {
        return Ok(false);
    };
    let header = fetch(source, place.offset..end, 0)?;
    Ok(local::fits(&header, record.raw.name))
}
