//! `Member`: one entry of the archive. It knows where it is; it looks when it is asked.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use ndarray::{Array, ArrayView, ArrayViewMut, CowArray, Dimension, IxDyn};

use crate::bytes::window;
use crate::container::decode::Coded;
use crate::container::directory::Record;
use crate::container::local::{self, Local};
use crate::container::name;
use crate::container::record::{LOCAL_FIXED, Place, method};
use crate::error::{Error, ErrorKind, Result};
use crate::found::{Found, Seen};
use crate::npy::any::AnyArray;
use crate::npy::array::{Access, Typed};
use crate::npy::element::Element;
use crate::npy::header::Header;
use crate::npz::{Npz, SUFFIX};
use crate::source::{InMemory, ReadAt, Source};
use crate::take::Payload;

/// How a member is compressed (APPNOTE 4.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// As it is.
    Stored,
    /// By deflate, as `np.savez_compressed` does.
    Deflated,
    /// By bzip2.
    Bzip2,
    /// By LZMA.
    Lzma,
    /// By Zstandard.
    Zstd,
    /// By another method, of this number.
    Other(u16),
}

impl Method {
    fn from_number(number: u16) -> Self {
        match number {
            method::STORED => Method::Stored,
            method::DEFLATED => Method::Deflated,
            method::BZIP2 => Method::Bzip2,
            method::LZMA => Method::Lzma,
            method::ZSTD => Method::Zstd,
            number => Method::Other(number),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Stored => "stored",
            Method::Deflated => "deflated",
            Method::Bzip2 => "bzip2",
            Method::Lzma => "lzma",
            Method::Zstd => "zstd",
            Method::Other(number) => return number.fmt(f),
        })
    }
}

/// A member of an archive. Making one costs nothing; what is wrong with it shows when it is used.
pub struct Member<'a, S = ReadAt> {
    npz: &'a Npz<S>,
    record: Record<'a>,
}

impl<S> Clone for Member<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Member<'_, S> {}

/// By position, a local header and the preamble behind it are read together.
const WINDOW: u64 = 512;

impl<'a, S: Source> Member<'a, S> {
    pub(crate) fn new(npz: &'a Npz<S>, record: Record<'a>) -> Self {
        Member { npz, record }
    }

    /// The key: the name without `.npy`. Where the name is no valid UTF-8 though it claims to be, the replacement
    /// character stands in; such a member cannot be looked up.
    pub fn key(&self) -> Cow<'a, str> {
        match self.text() {
            Cow::Borrowed(text) => Cow::Borrowed(text.strip_suffix(SUFFIX).unwrap_or(text)),
            Cow::Owned(mut text) => {
                if text.ends_with(SUFFIX) {
                    text.truncate(text.len() - SUFFIX.len());
                }
                Cow::Owned(text)
            }
        }
    }

    /// The name as text, `.npy` included, decoded as [`key`](Member::key) is.
    pub fn text(&self) -> Cow<'a, str> {
        let raw = &self.record.raw;
        name::text(raw.name, raw.is_utf8()).unwrap_or_else(|| String::from_utf8_lossy(raw.name))
    }

    /// The name as it stands in the directory.
    pub fn name(&self) -> &'a [u8] {
        self.record.raw.name
    }

    /// How it is compressed.
    pub fn method(&self) -> Method {
        Method::from_number(self.record.raw.method)
    }

    /// The size of its content in bytes, the preamble of an array included.
    pub fn size(&self) -> u64 {
        self.record.raw.sizes().0
    }

    /// The size of its data in the file, in bytes.
    pub fn compressed_size(&self) -> u64 {
        self.record.raw.sizes().1
    }

    /// The CRC-32 of its content, as the directory has it.
    pub fn crc32(&self) -> u32 {
        self.record.raw.crc32
    }

    /// Where in the file the elements of a stored array begin, in bytes, or a stored member's content if it is no
    /// array; nothing for a compressed one.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the member or its header.
    pub fn payload_offset(&self) -> Result<Option<u64>> {
        self.find(|found| found.payload_offset())
    }

    /// The whole content, borrowed if it is stored and in memory. This is how members that are no arrays are read.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the member.
    pub fn bytes(&self) -> Result<Cow<'a, [u8]>> {
        self.find(|found| found.bytes())
    }

    /// Reads the member and holds it against its CRC-32.
    ///
    /// # Errors
    ///
    /// [`Checksum`](ErrorKind::Checksum), and whatever else is wrong with the member. Whether its content is an
    /// array is not looked at.
    pub fn verify(&self) -> Result<()> {
        self.find(|found| found.content(true, |content| content.finish()))
    }

    /// What the array is. Of its elements nothing is read.
    ///
    /// # Errors
    ///
    /// [`NotAnArray`](ErrorKind::NotAnArray) for other content, and whatever is wrong with member or header.
    pub fn header(&self) -> Result<Header> {
        self.find(|found| found.header())
    }

    /// What [`view`](Member::view) and [`get`](Member::get) will do, and why.
    ///
    /// For a `bool`, elements are not looked at: `view` may still find one that is neither 0 nor 1.
    ///
    /// # Errors
    ///
    /// What keeps the array from being taken as `T` at all.
    pub fn access<T: Element>(&self) -> Result<Access> {
        self.find(|found| found.access::<T>(Typed::Declared))
    }

    /// What a map of this archive would do with the array, taken as the type that it is. This does not depend on how
    /// the archive is open.
    ///
    /// # Errors
    ///
    /// As [`header`](Member::header), and [`Pickled`](ErrorKind::Pickled).
    pub fn access_in_map(&self) -> Result<Access> {
        self.find(|found| found.access_in_map())
    }

    /// As [`Npz::view`].
    ///
    /// # Errors
    ///
    /// As [`Npz::view`], but for the key.
    pub fn view<T: Element, D: Dimension>(&self) -> Result<ArrayView<'a, T, D>>
    where
        S: InMemory,
    {
        self.find(|found| found.view(Typed::Declared))
    }

    /// As [`Npz::get`].
    ///
    /// # Errors
    ///
    /// As [`Npz::get`], but for the key.
    pub fn get<T: Element, D: Dimension>(&self) -> Result<CowArray<'a, T, D>> {
        self.find(|found| found.get())
    }

    /// As [`Npz::read`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read`], but for the key.
    pub fn read<T: Element, D: Dimension>(&self) -> Result<Array<T, D>> {
        self.find(|found| found.read(Typed::Declared))
    }

    /// As [`Npz::read_into`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read_into`], but for the key.
    pub fn read_into<T: Element, D: Dimension>(&self, destination: ArrayViewMut<'_, T, D>) -> Result<()> {
        self.find(|found| found.read_into(destination))
    }

    /// As [`Npz::read_rows`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read_rows`], but for the key.
    pub fn read_rows<T: Element, D: Dimension>(&self, rows: Range<usize>) -> Result<Array<T, D>> {
        self.find(|found| found.read_rows(rows))
    }

    /// As [`Npz::read_any`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read_any`], but for the key.
    pub fn read_any(&self) -> Result<AnyArray> {
        self.find(|found| found.read_any())
    }

    /// As [`Npz::strings`].
    ///
    /// # Errors
    ///
    /// As [`Npz::strings`], but for the key.
    pub fn strings(&self) -> Result<Array<String, IxDyn>> {
        self.find(|found| found.strings())
    }

    /// As [`Npz::view_as`].
    ///
    /// # Errors
    ///
    /// As [`Npz::view_as`], but for the key.
    pub fn view_as<T: Element, D: Dimension>(&self) -> Result<ArrayView<'a, T, D>>
    where
        S: InMemory,
    {
        self.find(|found| found.view(Typed::Reinterpreted))
    }

    /// As [`Npz::read_as`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read_as`], but for the key.
    pub fn read_as<T: Element, D: Dimension>(&self) -> Result<Array<T, D>> {
        self.find(|found| found.read(Typed::Reinterpreted))
    }

    /// As [`Npz::field`].
    ///
    /// # Errors
    ///
    /// As [`Npz::field`], but for the key.
    pub fn field<T: Element, D: Dimension>(&self, path: &str) -> Result<ArrayView<'a, T, D>>
    where
        S: InMemory,
    {
        self.find(|found| found.field(path))
    }

    /// As [`Npz::read_field`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read_field`], but for the key.
    pub fn read_field<T: Element, D: Dimension>(&self, path: &str) -> Result<Array<T, D>> {
        self.find(|found| found.read_field(path))
    }

    /// As [`Npz::payload`].
    ///
    /// # Errors
    ///
    /// As [`Npz::payload`], but for the key.
    pub fn payload(&self) -> Result<Payload<'a>>
    where
        S: InMemory,
    {
        self.find(|found| found.payload())
    }

    /// Finds the member's bytes and works on them. The one place where errors learn which member they are about.
    fn find<R>(&self, work: impl FnOnce(&Found<'a, S>) -> Result<R>) -> Result<R> {
        let located = self.locate();
        let result = located.and_then(|found| work(&found).map_err(|error| found.locate_fault(error)));
        result.map_err(|error| error.in_member(self.key()).in_file(self.npz.path()))
    }

    /// Judges the member by the directory, then reads its local header and holds it against the record.
    pub(crate) fn locate(&self) -> Result<Found<'a, S>> {
        let npz = self.npz;
        let place = npz.directory().check(&self.record)?;
        let next = npz.directory().next_start(npz.directory_bytes()?, &self.record, place);
        let (data, seen) = self.read_local(place, next).map_err(|error| error.at(place.offset))?;
        let coded = Coded { method: self.record.raw.method, place, crc32: self.crc32() };
        Ok(Found::new(npz.source(), coded, data, seen, npz.options()))
    }

    fn read_local(&self, place: Place, next: u64) -> Result<(Range<u64>, Seen<'a>)> {
        let (source, raw) = (self.npz.source(), &self.record.raw);
        // The directory was checked to lie within the source, and nothing reaches into it.
        let start = place.offset.min(next);
        if let Some(slice) = source.as_slice() {
            let bytes = window(slice, 0, start..next).ok_or_else(unexpected_end)?;
            return match local::check(bytes, raw, place, next)? {
                Local::Data(data) => {
                    let all = window(slice, 0, data.clone()).ok_or_else(unexpected_end)?;
                    Ok((data, Seen::All(all)))
                }
                Local::Needs(length) => Err(overlap(place.offset.saturating_add(length), next)),
            };
        }
        let mut length = LOCAL_FIXED + raw.name.len() as u64 + WINDOW;
        // A second look, if the local extra field is long; the header's own length cannot grow again.
        for _ in 0..2 {
            let end = start.saturating_add(length).min(next);
            let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(usize::MAX)];
            source.read_exact_at(start, &mut bytes)?;
            match local::check(&bytes, raw, place, next)? {
                Local::Data(data) => {
                    let header = usize::try_from(data.start - place.offset).unwrap_or(usize::MAX);
                    bytes.drain(..header.min(bytes.len()));
                    bytes.truncate(usize::try_from(data.end - data.start).unwrap_or(usize::MAX));
                    return Ok((data, Seen::Some(bytes)));
                }
                Local::Needs(needed) if needed > next - start => break,
                Local::Needs(needed) => length = needed + WINDOW,
            }
        }
        Err(overlap(place.offset.saturating_add(length), next))
    }
}

fn unexpected_end() -> Error {
    std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()
}

fn overlap(end: u64, start: u64) -> Error {
    let what = "what follows the member";
    ErrorKind::Overlap { end, what, start }.into()
}

impl<S: Source> fmt::Debug for Member<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("key", &self.key())
            .field("method", &self.method())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}
