//! `Member`: one entry of the archive. It knows where it is; it looks when it is asked.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use ndarray::{Array, ArrayView, ArrayViewMut, CowArray, Dimension, IxDyn};

use crate::buffer;
use crate::bytes::window;
use crate::container::decode::{self, Decoder};
use crate::container::directory::Record;
use crate::container::local::{self, Local};
use crate::container::name;
use crate::container::record::{LOCAL_FIXED, Place, method};
use crate::error::{Error, ErrorKind, Reason, Result, names};
use crate::npy::array::{self, Access, Payload};
use crate::npy::element::{Element, short_name};
use crate::npy::header::{self, Header, Measure};
use crate::npz::{Npz, SUFFIX};
use crate::open::Verify;
use crate::source::{InMemory, ReadAt, Section, Source};

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
            12 => Method::Bzip2,
            14 => Method::Lzma,
            93 => Method::Zstd,
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

/// Where a member's data lies, and what of it was seen when its local header was read.
struct Located<'a> {
    data: Range<u64>,
    place: Place,
    seen: Seen<'a>,
}

enum Seen<'a> {
    /// All of it, in memory.
    All(&'a [u8]),
    /// Its first bytes.
    Some(Vec<u8>),
}

type Content<'a, S> = Decoder<Section<'a, S>>;

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
        self.explain(|| {
            let located = self.locate()?;
            if !self.is_stored() {
                return Ok(None);
            }
            let preamble = match self.open_array(&located, false) {
                Ok((header, _)) => header.preamble_size() as u64,
                Err(error) if matches!(error.kind(), ErrorKind::NotAnArray) => 0,
                Err(error) => return Err(error),
            };
            Ok(Some(located.data.start + preamble))
        })
    }

    /// The whole content, borrowed if it is stored and in memory. This is how members that are no arrays are read.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the member.
    pub fn bytes(&self) -> Result<Cow<'a, [u8]>> {
        self.explain(|| {
            let located = self.locate()?;
            if let Some(bytes) = self.lent(&located)? {
                return Ok(Cow::Borrowed(bytes));
            }
            Ok(Cow::Owned(self.read_bytes(&located)?))
        })
    }

    /// Reads the member and holds it against its CRC-32.
    ///
    /// # Errors
    ///
    /// [`Checksum`](ErrorKind::Checksum), and whatever else is wrong with the member. Whether its content is an
    /// array is not looked at.
    pub fn verify(&self) -> Result<()> {
        self.explain(|| {
            let located = self.locate()?;
            self.decoder(&located, true)?.finish()
        })
    }

    /// What the array is. Of its elements nothing is read.
    ///
    /// # Errors
    ///
    /// [`NotAnArray`](ErrorKind::NotAnArray) for other content, and whatever is wrong with member or header.
    pub fn header(&self) -> Result<Header> {
        self.explain(|| {
            let located = self.locate()?;
            self.open_array(&located, false).map(|(header, _)| header)
        })
    }

    /// What [`view`](Member::view) and [`get`](Member::get) will do, and why.
    ///
    /// For a `bool`, elements are not looked at: `view` may still find one that is neither 0 nor 1.
    ///
    /// # Errors
    ///
    /// What keeps the array from being taken as `T` at all.
    pub fn access<T: Element>(&self) -> Result<Access> {
        self.explain(|| {
            let located = self.locate()?;
            let (header, payload) = self.payload(&located)?;
            array::check::<T>(&header)?;
            Ok(array::access::<T>(&header, payload))
        })
    }

    /// What a map of this archive would do with the array, taken as the type that it is. This does not depend on how
    /// the archive is open.
    ///
    /// # Errors
    ///
    /// As [`header`](Member::header), and [`Pickled`](ErrorKind::Pickled).
    pub fn access_in_map(&self) -> Result<Access> {
        self.explain(|| {
            let located = self.locate()?;
            let (header, _) = self.open_array(&located, false)?;
            if header.dtype().has_object() {
                return Err(ErrorKind::Pickled.into());
            }
            if !self.is_stored() {
                return Ok(Access::Copy(Reason::Compressed));
            }
            let offset = located.data.start + header.preamble_size() as u64;
            Ok(array::access_in_map(&header, offset))
        })
    }

    /// The array, borrowed where it lies. Never copies.
    ///
    /// # Errors
    ///
    /// [`CannotBorrow`](ErrorKind::CannotBorrow) says why and what to do; else as [`read`](Member::read).
    pub fn view<T: Element, D: Dimension>(&self) -> Result<ArrayView<'a, T, D>>
    where
        S: InMemory,
    {
        self.explain(|| {
            self.try_view(&self.locate()?)?.map_err(|(reason, offset)| {
                let element = short_name::<T>();
                Error::from(ErrorKind::CannotBorrow { element, reason }).at(offset)
            })
        })
    }

    /// The array, borrowed if it can be, else an owned copy, aligned and in this machine's byte order.
    ///
    /// # Errors
    ///
    /// As [`read`](Member::read).
    pub fn get<T: Element, D: Dimension>(&self) -> Result<CowArray<'a, T, D>> {
        self.explain(|| {
            let located = self.locate()?;
            match self.try_view(&located)? {
                Ok(view) => Ok(view.into()),
                Err(_) => self.read_located(&located).map(CowArray::from),
            }
        })
    }

    /// The array, copied into memory of its own, aligned and in this machine's byte order.
    ///
    /// # Errors
    ///
    /// [`DtypeMismatch`](ErrorKind::DtypeMismatch) and [`DimensionMismatch`](ErrorKind::DimensionMismatch) when the
    /// file holds another array than was asked for; and whatever is wrong with the member.
    pub fn read<T: Element, D: Dimension>(&self) -> Result<Array<T, D>> {
        self.explain(|| self.read_located(&self.locate()?))
    }

    /// The array, copied into memory that the caller has, of the same shape and any strides.
    ///
    /// # Errors
    ///
    /// [`ShapeMismatch`](ErrorKind::ShapeMismatch), or as [`read`](Member::read). After an error the destination's
    /// values are unspecified.
    pub fn read_into<T: Element, D: Dimension>(&self, destination: ArrayViewMut<'_, T, D>) -> Result<()> {
        self.explain(|| {
            let located = self.locate()?;
            let (header, mut content) = self.open_array(&located, self.checks_copies())?;
            array::check::<T>(&header)?;
            array::check_shape(&header, destination.shape())?;
            array::read_into(&header, destination, |bytes| content.read_exact(bytes))?;
            content.finish()
        })
    }

    /// An array of strings, `<U9` or `|S9`, without the NULs that fill them up. Bytes are read as UTF-8.
    ///
    /// # Errors
    ///
    /// [`BadText`](ErrorKind::BadText) for what is no text, and as [`read`](Member::read).
    pub fn strings(&self) -> Result<Array<String, IxDyn>> {
        self.explain(|| {
            let located = self.locate()?;
            let (header, mut content) = self.open_array(&located, self.checks_copies())?;
            array::check_strings(&header)?;
            let mut bytes = self.allocate(header.nbytes())?;
            content.read_exact(&mut bytes)?;
            content.finish()?;
            array::strings(&header, &bytes)
        })
    }

    fn is_stored(&self) -> bool {
        self.record.raw.method == method::STORED
    }

    fn checks_copies(&self) -> bool {
        self.npz.options().verify != Verify::Never
    }

    /// The one place where errors learn which member they are about.
    fn explain<R>(&self, work: impl FnOnce() -> Result<R>) -> Result<R> {
        work().map_err(|error| {
            let error = match error.kind() {
                ErrorKind::BadName { problem: names::NOT_UTF8 } => error.in_member(self.text()),
                _ => error.in_member(self.key()),
            };
            error.in_file(self.npz.path())
        })
    }

    /// Judges the member by the directory, then reads its local header and holds it against the record.
    fn locate(&self) -> Result<Located<'a>> {
        let npz = self.npz;
        let place = npz.directory().check(&self.record)?;
        let next = npz.directory().next_start(npz.directory_bytes()?, &self.record, place);
        self.read_local(place, next).map_err(|error| error.at(place.offset))
    }

    fn read_local(&self, place: Place, next: u64) -> Result<Located<'a>> {
        let (source, raw) = (self.npz.source(), &self.record.raw);
        // The directory was checked to lie within the source, and nothing reaches into it.
        let start = place.offset.min(next);
        if let Some(slice) = source.as_slice() {
            let bytes = window(slice, 0, start..next).ok_or_else(unexpected_end)?;
            return match local::check(bytes, raw, place, next)? {
                Local::Data(data) => {
                    let all = window(slice, 0, data.clone()).ok_or_else(unexpected_end)?;
                    Ok(Located { data, place, seen: Seen::All(all) })
                }
                Local::Needs(length) => Err(overlap(place.offset.saturating_add(length), next)),
            };
        }
        let mut length = LOCAL_FIXED + raw.name.len() as u64 + WINDOW;
        // A second look, if the local extra field is long; the header's own length cannot grow again.
        for _ in 0..2 {
            let mut bytes = self.read_range(start..start.saturating_add(length).min(next))?;
            match local::check(&bytes, raw, place, next)? {
                Local::Data(data) => {
                    let header = usize::try_from(data.start - place.offset).unwrap_or(usize::MAX);
                    bytes.drain(..header.min(bytes.len()));
                    bytes.truncate(usize::try_from(data.end - data.start).unwrap_or(usize::MAX));
                    return Ok(Located { data, place, seen: Seen::Some(bytes) });
                }
                Local::Needs(needed) if needed > next - start => break,
                Local::Needs(needed) => length = needed + WINDOW,
            }
        }
        Err(overlap(place.offset.saturating_add(length), next))
    }

    fn read_range(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
        self.npz.source().read_exact_at(range.start, &mut bytes)?;
        Ok(bytes)
    }

    fn decoder(&self, located: &Located<'a>, verify: bool) -> Result<Content<'a, S>> {
        let seen = match &located.seen {
            Seen::All(_) => Vec::new(),
            Seen::Some(bytes) => bytes.clone(),
        };
        let section = Section::new(self.npz.source(), located.data.clone(), seen);
        let raw = &self.record.raw;
        Decoder::new(section, raw.method, located.place, raw.crc32, verify)
    }

    /// The header, and the content from the first element on.
    fn open_array(&self, located: &Located<'a>, verify: bool) -> Result<(Header, Content<'a, S>)> {
        let limits = &self.npz.options().limits;
        let mut content = self.decoder(located, verify)?;
        let mut preamble = Vec::new();
        let header = loop {
            match header::measure(&preamble, located.place.size, limits) {
                Err(error) => break Err(error),
                Ok(Measure::Length(length)) if preamble.len() as u64 == length => break Header::parse(&preamble),
                Ok(Measure::Length(length) | Measure::Needs(length)) => {
                    let seen = preamble.len();
                    preamble.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
                    content.read_exact(&mut preamble[seen..])?;
                }
            }
        };
        let header = header.map_err(|error| self.in_content(error, located))?;
        check_length(&header, content.left())?;
        Ok((header, content))
    }

    /// The header and where the elements lie, for a plan or a view.
    fn payload(&self, located: &Located<'a>) -> Result<(Header, Payload<'a>)> {
        let Seen::All(bytes) = located.seen else {
            let reason = if self.is_stored() { Reason::NotInMemory } else { Reason::Compressed };
            let (header, _) = self.open_array(located, false)?;
            return Ok((header, Payload::Elsewhere(reason)));
        };
        if !self.is_stored() {
            let (header, _) = self.open_array(located, false)?;
            return Ok((header, Payload::Elsewhere(Reason::Compressed)));
        }
        let header = header_of(bytes, self.npz).map_err(|error| self.in_content(error, located))?;
        let (_, bytes) = bytes.split_at(header.preamble_size().min(bytes.len()));
        check_length(&header, bytes.len() as u64)?;
        let offset = located.data.start + header.preamble_size() as u64;
        Ok((header, Payload::Here { bytes, offset }))
    }

    /// The array where it lies, or why not and where it begins.
    fn try_view<T: Element, D: Dimension>(
        &self,
        located: &Located<'a>,
    ) -> Result<Result<ArrayView<'a, T, D>, (Reason, u64)>> {
        let (header, payload) = self.payload(located)?;
        array::check::<T>(&header)?;
        let view = array::view(&header, payload)?;
        if view.is_ok() && self.npz.options().verify == Verify::Always {
            self.decoder(located, true)?.finish()?;
        }
        Ok(view.map_err(|reason| match payload {
            Payload::Here { offset, .. } => (reason, offset),
            Payload::Elsewhere(_) => (reason, located.data.start),
        }))
    }

    fn read_located<T: Element, D: Dimension>(&self, located: &Located<'a>) -> Result<Array<T, D>> {
        let (header, mut content) = self.open_array(located, self.checks_copies())?;
        array::check::<T>(&header)?;
        decode::check_budget(self.record.raw.method, header.nbytes() as u64, &self.npz.options().limits)?;
        array::read(&header, |bytes| {
            content.read_exact(bytes)?;
            content.finish()
        })
    }

    /// The content where it lies, if it is stored and in memory.
    fn lent(&self, located: &Located<'a>) -> Result<Option<&'a [u8]>> {
        match located.seen {
            Seen::All(bytes) if self.is_stored() => {
                if self.npz.options().verify == Verify::Always {
                    self.decoder(located, true)?.finish()?;
                }
                Ok(Some(bytes))
            }
            _ => Ok(None),
        }
    }

    fn read_bytes(&self, located: &Located<'a>) -> Result<Vec<u8>> {
        let mut content = self.decoder(located, self.checks_copies())?;
        let mut bytes = self.allocate(usize::try_from(content.left()).unwrap_or(usize::MAX))?;
        content.read_exact(&mut bytes)?;
        content.finish()?;
        Ok(bytes)
    }

    /// Memory for decoded bytes, within the limit.
    fn allocate(&self, count: usize) -> Result<Vec<u8>> {
        decode::check_budget(self.record.raw.method, count as u64, &self.npz.options().limits)?;
        buffer::zeroed(count)
    }

    /// Offsets in the content are offsets in the file when the member is stored.
    fn in_content(&self, error: Error, located: &Located<'_>) -> Error {
        if self.is_stored() { error.relative_to(located.data.start).at(located.data.start) } else { error }
    }
}

fn header_of<S: Source>(content: &[u8], npz: &Npz<S>) -> Result<Header> {
    let size = content.len() as u64;
    match header::measure(content, size, &npz.options().limits)? {
        Measure::Length(length) | Measure::Needs(length) => {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let needed = ErrorKind::HeaderLength { needed: length as u64, available: size };
            Header::parse(content.get(..length).ok_or(needed)?)
        }
    }
}

/// Neither more nor less than shape and dtype need: what follows the elements would never be checked by NumPy.
/// Behind the header of an array of objects is a pickle.
fn check_length(header: &Header, found: u64) -> Result<()> {
    let expected = header.nbytes() as u64;
    if found == expected || header.dtype().has_object() {
        return Ok(());
    }
    Err(ErrorKind::PayloadLength { found, expected }.into())
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
