//! The verbs, once: for the members of an archive and for plain `.npy` files.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::{Array, ArrayView, ArrayViewMut, CowArray, Dimension, IxDyn};

use crate::buffer;
use crate::container::decode::Content;
use crate::error::{Asked, Error, ErrorKind, Reason, Result};
use crate::found::Found;
use crate::npy::any::{self, AnyArray};
use crate::npy::array::{self, Access, Elements, Typed};
use crate::npy::element::{Element, short_name};
use crate::npy::header::Header;
use crate::npy::strided::Strided;
use crate::npy::swap::Landing;
use crate::npy::{field, fill, rows};
use crate::options::Verify;
use crate::source::{Source, read_at};
#[cfg(feature = "rayon")]
use crate::split;

/// The bytes of a stored array, with what is needed to make something of them elsewhere: on a GPU, in another library.
///
/// ```
/// use npzmap::Npz;
///
/// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
/// let payload = npz.payload("labels")?;
/// let (dtype, shape) = (payload.header().dtype(), payload.header().shape());
/// assert_eq!((dtype.to_string().as_str(), shape), ("<i8", &[3][..])); // what a buffer is made from
/// assert_eq!(payload.bytes().len(), dtype.item_size() * 3); // and what is copied into it
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    header: Header,
    offset: u64,
    bytes: &'a [u8],
}

impl<'a> Payload<'a> {
    /// The elements as they lie.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let bytes = npz.payload("labels")?.bytes(); // borrowed from `npz`
    /// assert_eq!(bytes[8..16], 1_i64.to_le_bytes());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What they are: dtype with byte order, shape, order of the elements.
    ///
    /// ```
    /// use npzmap::{Npz, Order};
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/kinds-stored.npz")?)?;
    /// let payload = npz.payload("f8-be-f")?;
    /// let header = payload.header(); // the bytes are not swapped, nor put into C order
    /// assert_eq!((header.dtype().is_native(), header.order()), (false, Order::Fortran));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where in the file they begin.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-aligned.npz")?)?;
    /// let payload = npz.payload("features")?;
    /// assert_eq!(payload.offset(), 192); // to be read by another program
    /// assert_eq!(npz.source()[192..240], *payload.bytes());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The largest power of two that divides their address in memory, at most a page of 4,096 bytes.
    ///
    /// ```
    /// # #[cfg(feature = "mmap")] {
    /// use npzmap::Npz;
    ///
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npz = unsafe { Npz::map("tests/data/model-batch-aligned.npz")? };
    /// assert_eq!(npz.payload("features")?.alignment(), 64); // byte 192 of a page
    /// # }
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn alignment(&self) -> usize {
        1 << self.bytes.as_ptr().addr().trailing_zeros().min(12)
    }
}

/// What an array is and where it lies, in one look: what a listing asks of every member.
///
/// ```
/// use npzmap::{Access, Npz};
///
/// let npz = Npz::open("tests/data/model-batch-aligned.npz")?;
/// for member in &npz {
///     let layout = member.layout()?; // one read by position; asked one by one, its parts take one each
///     let (dtype, shape) = (layout.header().dtype(), layout.header().shape());
///     println!("{} {dtype} {shape:?} at {:?}", member.key(), layout.payload_offset());
///     assert_eq!(layout.access_in_map(), Some(Access::Borrow));
/// }
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Layout {
    header: Header,
    offset: Option<u64>,
}

impl Layout {
    /// Dtype, shape and order.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.member("features")?.layout()?.header().shape(), [3, 4]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where in the file the elements begin, in bytes; nothing for a compressed array.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let offset = |path| Ok::<_, npzmap::Error>(Npz::open(path)?.member("features")?.layout()?.payload_offset());
    /// assert_eq!(offset("tests/data/model-batch-stored.npz")?, Some(190));
    /// assert_eq!(offset("tests/data/model-batch.npz")?, None);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn payload_offset(&self) -> Option<u64> {
        self.offset
    }

    /// What a map of this file would do, as [`Member::access_in_map`](crate::Member::access_in_map); nothing for pickled
    /// objects, which can be taken in no way.
    ///
    /// ```
    /// use npzmap::{Access, Npz, Reason};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let access = npz.member("features")?.layout()?.access_in_map();
    /// assert_eq!(access, Some(Access::Copy(Reason::Compressed)));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn access_in_map(&self) -> Option<Access> {
        if self.header.dtype().has_object() {
            return None;
        }
        Some(match self.offset {
            Some(offset) => array::access_in_map(&self.header, offset),
            None => Access::Copy(Reason::Compressed),
        })
    }
}

impl<'a, S: Source> Found<'a, S> {
    pub(crate) fn bytes(&self) -> Result<Cow<'a, [u8]>> {
        if let Some(bytes) = self.lent()? {
            return Ok(Cow::Borrowed(bytes));
        }
        self.content(self.checks_copies(), |content| {
            let count = usize::try_from(content.left()).unwrap_or(usize::MAX);
            self.check_budget(count)?;
            let mut bytes = buffer::zeroed(count)?;
            self.read_to_end(content, &mut bytes, Landing::AS_THEY_LIE)?;
            Ok(Cow::Owned(bytes))
        })
    }

    pub(crate) fn header(&self) -> Result<Header> {
        self.elements().map(|(header, _)| header)
    }

    pub(crate) fn layout(&self) -> Result<Layout> {
        let header = self.header()?;
        let offset = self.is_stored().then(|| self.data.start + header.preamble_size() as u64);
        Ok(Layout { header, offset })
    }

    /// Where in the file the elements begin, or the content that is no array; nothing for what is compressed.
    pub(crate) fn payload_offset(&self) -> Result<Option<u64>> {
        if !self.is_stored() {
            return Ok(None);
        }
        match self.layout() {
            Ok(layout) => Ok(layout.offset),
            Err(error) if matches!(error.kind(), ErrorKind::NotAnArray) => Ok(Some(self.data.start)),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn payload(&self) -> Result<Payload<'a>> {
        let (header, elements) = self.elements()?;
        if header.dtype().has_object() {
            return Err(ErrorKind::Pickled.into());
        }
        match elements {
            Elements::Here { bytes, offset } => {
                self.verify_if_always()?;
                Ok(Payload { header, offset, bytes })
            }
            Elements::Elsewhere(reason) => {
                let element = "bytes".into();
                let asked = Asked::Payload;
                Err(Error::from(ErrorKind::CannotBorrow { element, reason, asked }).at(self.data.start))
            }
        }
    }

    pub(crate) fn access<T: Element>(&self, typed: Typed) -> Result<Access> {
        let (header, elements) = self.elements()?;
        array::check::<T>(&header, typed)?;
        Ok(array::access::<T>(&header, elements))
    }

    pub(crate) fn access_in_map(&self) -> Result<Access> {
        Ok(self.layout()?.access_in_map().ok_or(ErrorKind::Pickled)?)
    }

    pub(crate) fn view<T: Element, D: Dimension>(&self, typed: Typed) -> Result<ArrayView<'a, T, D>> {
        let asked = match typed {
            Typed::Declared => Asked::View,
            Typed::Reinterpreted => Asked::ViewAs,
        };
        self.try_view(typed)?.map_err(|refusal| refusal.error::<T>(asked))
    }

    pub(crate) fn get<T: Element, D: Dimension>(&self) -> Result<CowArray<'a, T, D>> {
        match self.try_view(Typed::Declared)? {
            Ok(view) => Ok(view.into()),
            Err(_) => self.read(Typed::Declared).map(CowArray::from),
        }
    }

    fn try_view<T: Element, D: Dimension>(&self, typed: Typed) -> Result<Result<ArrayView<'a, T, D>, Refusal>> {
        let (header, elements) = self.elements()?;
        array::check::<T>(&header, typed)?;
        self.lend(elements, array::view(&header, elements)?)
    }

    /// A view that was checked as `verify` asks, or why there is none and where the elements are.
    fn lend<V>(&self, elements: Elements<'a>, view: Result<V, Reason>) -> Result<Result<V, Refusal>> {
        if view.is_ok() {
            self.verify_if_always()?;
        }
        let offset = match elements {
            Elements::Here { offset, .. } => offset,
            Elements::Elsewhere(_) => self.data.start,
        };
        Ok(view.map_err(|reason| Refusal { reason, offset }))
    }

    pub(crate) fn read<T: Element, D: Dimension>(&self, typed: Typed) -> Result<Array<T, D>> {
        self.array(self.checks_copies(), |header, content| {
            array::check::<T>(&header, typed)?;
            self.check_budget(header.nbytes())?;
            array::read(&header, |bytes, landing| self.read_to_end(content, bytes, landing))
        })
    }

    pub(crate) fn read_into<T: Element, D: Dimension>(&self, destination: ArrayViewMut<'_, T, D>) -> Result<()> {
        self.array(self.checks_copies(), |header, content| {
            array::check::<T>(&header, Typed::Declared)?;
            array::check_shape(&header, destination.shape())?;
            fill::read_into(&header, destination, |bytes, landing| self.read_next(content, bytes, landing))?;
            content.finish()
        })
    }

    pub(crate) fn read_any(&self) -> Result<AnyArray> {
        self.array(self.checks_copies(), |header, content| {
            self.check_budget(header.nbytes())?;
            if any::is_text(&header) {
                self.check_memory(array::strings_nbytes(&header))?;
            }
            any::read(&header, |bytes, landing| self.read_to_end(content, bytes, landing))
        })
    }

    pub(crate) fn strings(&self) -> Result<Array<String, IxDyn>> {
        self.array(self.checks_copies(), |header, content| {
            array::check_strings(&header)?;
            self.check_memory(array::strings_nbytes(&header))?;
            let mut bytes = buffer::zeroed(header.nbytes())?;
            self.read_to_end(content, &mut bytes, Landing::AS_THEY_LIE)?;
            array::strings(&header, &bytes)
        })
    }

    pub(crate) fn read_rows<T: Element, D: Dimension>(&self, range: Range<usize>) -> Result<Array<T, D>> {
        let check = |header: &Header| array::check::<T>(header, Typed::Declared);
        self.rows(range, check, |part, fill| array::read(part, fill))
    }

    pub(crate) fn read_rows_any(&self, range: Range<usize>) -> Result<AnyArray> {
        let check = |_: &Header| Ok(());
        self.rows(range, check, |part, fill| {
            if any::is_text(part) {
                self.check_memory(array::strings_nbytes(part))?;
            }
            any::read(part, fill)
        })
    }

    fn rows<A>(
        &self,
        range: Range<usize>,
        check: impl FnOnce(&Header) -> Result<()>,
        read: impl FnOnce(&Header, &mut dyn FnMut(&mut [u8], Landing<'_>) -> Result<()>) -> Result<A>,
    ) -> Result<A> {
        let check = |header: &Header| {
            check(header)?;
            let (part, rows) = rows::plan(header, range)?;
            self.check_budget(part.nbytes())?;
            Ok::<_, Error>((part, rows))
        };
        if self.is_stored() {
            let (header, elements) = self.elements()?;
            let (part, rows) = check(&header)?;
            self.verify_if_always()?;
            // In memory there is nothing to gain by reading pieces together.
            let gap = if matches!(elements, Elements::Here { .. }) { 0 } else { rows::GAP };
            let start = self.data.start + header.preamble_size() as u64;
            let array = read(&part, &mut |bytes, landing| {
                #[cfg(feature = "rayon")]
                if split::gather(self.source, start, &rows, gap, bytes, landing)? {
                    return Ok(());
                }
                let groups = rows.groups(gap, usize::MAX, landing);
                let mut span = Vec::new();
                bytes.chunks_mut(groups.bytes()).enumerate().try_for_each(|(number, group)| {
                    groups.read(number, group, &mut span, |offset, piece| match elements {
                        Elements::Here { bytes, .. } => {
                            let found = bytes.get(offset..).and_then(|bytes| bytes.get(..piece.len()));
                            piece.copy_from_slice(found.ok_or_else(|| array::payload_length(&header, bytes.len()))?);
                            Ok(())
                        }
                        Elements::Elsewhere(_) => read_at(self.source, start + offset as u64, piece),
                    })
                })
            });
            return array.map_err(|error| in_whole(error, &rows, &header));
        }
        let always = self.verify == Verify::Always;
        self.array(always, |header, content| {
            let (part, rows) = check(&header)?;
            let array = read(&part, &mut |bytes, landing| {
                let skip = |content: &mut &mut Content<'_>, count: usize| content.skip(count as u64);
                let read = |content: &mut &mut Content<'_>, piece: &mut [u8]| content.read_exact(piece);
                rows.stream(bytes, &mut &mut *content, skip, read)?;
                landing.land(bytes);
                if always { content.finish() } else { Ok(()) }
            });
            array.map_err(|error| in_whole(error, &rows, &header))
        })
    }

    pub(crate) fn field<T: Element, D: Dimension>(&self, path: &str) -> Result<ArrayView<'a, T, D>> {
        let (header, elements) = self.elements()?;
        let leaf = field::find(header.dtype(), path)?;
        let view = field::view(&header, &leaf, elements)?;
        self.lend(elements, view)?.map_err(|refusal| refusal.error::<T>(Asked::Field))
    }

    pub(crate) fn field_strided<T: Element, D: Dimension>(&self, path: &str) -> Result<Strided<'a, T, D>> {
        let (header, elements) = self.elements()?;
        let leaf = field::find(header.dtype(), path)?;
        let view = field::strided(&header, &leaf, elements)?;
        self.lend(elements, view)?.map_err(|refusal| refusal.error::<T>(Asked::Field))
    }

    pub(crate) fn read_field<T: Element, D: Dimension>(&self, path: &str) -> Result<Array<T, D>> {
        self.array(self.checks_copies(), |header, content| {
            let leaf = field::find(header.dtype(), path)?;
            self.check_budget(leaf.nbytes(&header))?;
            let skip = |content: &mut &mut Content<'_>, count: usize| content.skip(count as u64);
            let next = |content: &mut &mut Content<'_>, bytes: &mut [u8]| content.read_exact(bytes);
            let array = field::read(&header, &leaf, &mut &mut *content, next, skip)?;
            content.finish()?;
            Ok(array)
        })
    }
}

/// An element's position in the part becomes that in the array.
fn in_whole(error: Error, rows: &rows::Rows, header: &Header) -> Error {
    let whole = |index: usize| rows.position(index, header.dtype().item_size());
    match error.kind() {
        ErrorKind::InvalidElement { index, element } => {
            ErrorKind::InvalidElement { index: whole(*index), element: element.clone() }.into()
        }
        ErrorKind::BadText { index, problem } => ErrorKind::BadText { index: whole(*index), problem }.into(),
        _ => error,
    }
}

/// Why elements are not lent, and where they are.
struct Refusal {
    reason: Reason,
    offset: u64,
}

impl Refusal {
    fn error<T>(self, asked: Asked) -> Error {
        let Refusal { reason, offset } = self;
        // A field lies behind the start of its record.
        let offset = match reason {
            Reason::Misaligned { offset, .. } => offset,
            _ => offset,
        };
        let element = short_name::<T>();
        Error::from(ErrorKind::CannotBorrow { element, reason, asked }).at(offset)
    }
}
