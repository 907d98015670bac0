//! What is read: an archive, or a plain `.npy` file, which then is an archive of one array.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use npzmap::{
    Error, ErrorKind, Escaped, Header, Member, Method, Npy, NpyArray, Npz, OpenOptions, ReadAt, Reader, Source,
};

use crate::args::Reading;
use crate::exit::{Code, Failure, Result};
use crate::select::Select;

pub(crate) enum Input {
    Archive(Npz),
    Plain(Plain),
}

/// A plain file. Its key is the stem of its name, as `pack` takes it.
pub(crate) struct Plain {
    npy: Npy,
    key: String,
}

/// A member, or the one array of a plain file.
#[derive(Clone)]
pub(crate) enum Entry<'a> {
    Member(Member<'a>),
    Plain(&'a Plain),
}

/// What is written at once, and read at once where a stream is passed on.
pub(crate) const BLOCK: usize = 1 << 20;

/// What deflate makes of a byte, at most.
pub(crate) const DEFLATE_RATIO: u64 = 1032;

impl Input {
    pub(crate) fn open(path: &Path, reading: &Reading) -> Result<Self> {
        Input::open_with(path, reading.options())
    }

    pub(crate) fn open_with(path: &Path, options: OpenOptions) -> Result<Self> {
        if begins_as_array(path) {
            return Ok(Input::Plain(Plain { npy: options.open_npy(path)?, key: stem(path) }));
        }
        Ok(Input::Archive(options.open(path)?))
    }

    pub(crate) fn archive(&self) -> Option<&Npz> {
        match self {
            Input::Archive(npz) => Some(npz),
            Input::Plain(_) => None,
        }
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let (members, plain) = match self {
            Input::Archive(npz) => (Some(npz.members().map(Entry::Member)), None),
            Input::Plain(plain) => (None, Some(Entry::Plain(plain))),
        };
        members.into_iter().flatten().chain(plain)
    }

    pub(crate) fn selected<'a>(&'a self, select: &'a Select) -> impl Iterator<Item = Entry<'a>> {
        self.entries().filter(|entry| select.takes(&entry.key()))
    }

    /// The entry of a key, if there is one.
    pub(crate) fn find(&self, key: &str) -> Result<Option<Entry<'_>>> {
        match self {
            Input::Plain(plain) => Ok((key == plain.key).then_some(Entry::Plain(plain))),
            Input::Archive(npz) => match npz.member(key) {
                Err(error) if matches!(error.kind(), ErrorKind::NoSuchKey) => Ok(None),
                member => Ok(Some(Entry::Member(member?))),
            },
        }
    }

    /// The entry of a key; of a plain file, or an archive of one member, no key is needed.
    pub(crate) fn entry(&self, path: &Path, key: Option<&str>) -> Result<Entry<'_>> {
        match (self, key) {
            (Input::Plain(plain), None) => Ok(Entry::Plain(plain)),
            (Input::Plain(plain), Some(key)) if key == plain.key => Ok(Entry::Plain(plain)),
            (Input::Plain(plain), Some(key)) => Err(no_such_key(path, key, Some(plain.key.as_str().into()))),
            (Input::Archive(npz), Some(key)) => match npz.member(key) {
                Err(error) if matches!(error.kind(), ErrorKind::NoSuchKey) => {
                    Err(no_such_key(path, key, npz.similar_key(key)))
                }
                member => Ok(Entry::Member(member?)),
            },
            (Input::Archive(npz), None) => {
                let mut members = npz.members();
                match (members.next(), members.next()) {
                    (Some(one), None) => Ok(Entry::Member(one)),
                    (first, _) => {
                        let hint =
                            first.map_or(String::new(), |first| format!(", such as '{}'", Escaped(&first.key())));
                        let (path, count) = (path.display(), npz.len());
                        Err(Failure::new(Code::Usage, format!("{path}: has {count} members; name a key{hint}")))
                    }
                }
            }
        }
    }
}

fn no_such_key(path: &Path, key: &str, meant: Option<Cow<'_, str>>) -> Failure {
    let hint = match meant {
        Some(meant) => format!("; did you mean '{meant}'?"),
        None => "; `npz ls` lists them".into(),
    };
    Failure::new(Code::NoSuchKey, format!("{}: {key}: no such key{hint}", path.display()))
}

/// The name of a file without its extension.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// As `np.load` tells the two apart. Whether the file can be read at all is found out when it is opened.
pub(crate) fn begins_as_array(path: &Path) -> bool {
    let mut magic = [0; 6];
    let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
    is_file && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x93NUMPY"
}

/// Zeros, if the system has so much memory.
pub(crate) fn zeroed(count: usize) -> npzmap::Result<Vec<u8>> {
    let bytes = bytemuck::allocation::try_zeroed_vec(count);
    bytes.map_err(|()| ErrorKind::OutOfMemory { bytes: count as u64 }.into())
}

impl<'a> Entry<'a> {
    pub(crate) fn key(&self) -> Cow<'a, str> {
        match self {
            Entry::Member(member) => member.key(),
            Entry::Plain(plain) => Cow::Borrowed(&plain.key),
        }
    }

    /// The name of the member, or what it would be.
    pub(crate) fn name(&self) -> Cow<'a, str> {
        match self {
            Entry::Member(member) => member.text(),
            Entry::Plain(plain) => format!("{}.npy", plain.key).into(),
        }
    }

    /// The array, found and with its header parsed: what commands work on.
    pub(crate) fn array(&self) -> npzmap::Result<NpyArray<'a>> {
        match self {
            Entry::Member(member) => member.array(),
            Entry::Plain(plain) => plain.npy.array(),
        }
    }

    /// `None` for other content than an array.
    pub(crate) fn try_array(&self) -> npzmap::Result<Option<NpyArray<'a>>> {
        match self.array() {
            Ok(array) => Ok(Some(array)),
            Err(error) if matches!(error.kind(), ErrorKind::NotAnArray) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The content, with the header of an array.
    pub(crate) fn reader(&self) -> npzmap::Result<Reader<'a>> {
        match self {
            Entry::Member(member) => member.reader(),
            Entry::Plain(plain) => plain.npy.reader(),
        }
    }

    /// Where content begins that is no array, if it is stored.
    pub(crate) fn content_offset(&self) -> npzmap::Result<Option<u64>> {
        match self {
            Entry::Member(member) => member.payload_offset(),
            Entry::Plain(_) => Ok(None),
        }
    }

    pub(crate) fn method(&self) -> Method {
        match self {
            Entry::Member(member) => member.method(),
            Entry::Plain(_) => Method::Stored,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        match self {
            Entry::Member(member) => member.size(),
            Entry::Plain(plain) => plain.npy.source().size(),
        }
    }

    /// What a decoder may make of its data, at most.
    pub(crate) fn decoded_size(&self) -> u64 {
        match self.method() {
            // Read as it is, or refused undecoded.
            Method::Stored | Method::Other(_) => 0,
            Method::Deflated if self.size() > self.compressed_size().saturating_mul(DEFLATE_RATIO) => 0,
            _ => self.size(),
        }
    }

    pub(crate) fn compressed_size(&self) -> u64 {
        match self {
            Entry::Member(member) => member.compressed_size(),
            Entry::Plain(plain) => plain.npy.source().size(),
        }
    }

    /// The file.
    pub(crate) fn source(&self) -> &ReadAt {
        match self {
            Entry::Member(member) => member.source(),
            Entry::Plain(plain) => plain.npy.source(),
        }
    }

    /// Bytes of the file; an error says whose.
    pub(crate) fn read_exact_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.source().read_exact_at(offset, bytes).map_err(|error| self.unreadable(&error))
    }

    /// Zeros, if the system has so much memory; an error says for what.
    pub(crate) fn zeroed(&self, count: usize) -> Result<Vec<u8>> {
        zeroed(count).map_err(|error| self.unreadable(&error))
    }

    /// Bytes of another length, if the system has so much memory.
    pub(crate) fn resize(&self, bytes: &mut Vec<u8>, count: usize) -> Result<()> {
        self.reserve(bytes, count.saturating_sub(bytes.len()))?;
        bytes.resize(count, 0);
        Ok(())
    }

    /// Room for so many more bytes.
    pub(crate) fn reserve(&self, bytes: &mut Vec<u8>, more: usize) -> Result<()> {
        bytes.try_reserve_exact(more).map_err(|_| self.unreadable(&ErrorKind::OutOfMemory { bytes: more as u64 }))
    }

    fn unreadable(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::new(Code::Unreadable, format!("{}: {error}", Escaped(&self.key())))
    }

    /// A plain file has none.
    pub(crate) fn crc32(&self) -> Option<u32> {
        match self {
            Entry::Member(member) => Some(member.crc32()),
            Entry::Plain(_) => None,
        }
    }

    /// The checksum of what stands before the elements, which begin at this offset.
    pub(crate) fn preamble_crc32(&self, header: &Header, offset: u64) -> Result<crc32fast::Hasher> {
        let mut bytes = self.zeroed(header.preamble_size())?;
        self.read_exact_at(offset.saturating_sub(bytes.len() as u64), &mut bytes)?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&bytes);
        Ok(crc)
    }

    /// Compares the checksum of all content with the one that the archive has.
    pub(crate) fn check_crc32(&self, found: u32) -> Result<()> {
        match self.crc32() {
            Some(stated) if stated != found => {
                let text = format!("{}: CRC-32 is {found:08x}, the archive says {stated:08x}", self.key());
                Err(Failure::new(Code::Unreadable, format!("{text}; `npz check` says what else is wrong")))
            }
            _ => Ok(()),
        }
    }

    /// Passes the whole content on, block by block, and checks it against its CRC-32. It is passed on to the end if that
    /// is wrong.
    pub(crate) fn copy_to(&self, out: &mut impl Write, each: impl Fn(u64)) -> Result<()> {
        let mut reader = self.reader()?;
        let mut block = vec![0; BLOCK.min(usize::try_from(reader.left()).unwrap_or(BLOCK))];
        while reader.left() > 0 {
            let (left, read) = (reader.left(), reader.read(&mut block).map_err(Error::from));
            let count = match &read {
                Err(error) if matches!(error.kind(), ErrorKind::Checksum { .. }) => left as usize,
                Err(_) => 0,
                Ok(count) => *count,
            };
            out.write_all(block.get(..count).unwrap_or_default())?;
            read?;
            each(count as u64);
        }
        Ok(())
    }
}
