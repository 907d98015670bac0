//! `NpyArray`: one array, found and checked. Every verb, on all of it or on a part.

mod access;
mod gather;
mod read;
mod reader;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::SliceInfoElem;

use crate::buffer;
use crate::container::decode::Content;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Reason, Result};
use crate::found::{Found, Seen};
use crate::method::Method;
use crate::npy::array::{self, Access, Elements};
use crate::npy::dtype::Dtype;
use crate::npy::element::{Element, short_name};
use crate::npy::gather::Plan;
use crate::npy::header::{Header, Order};
use crate::npy::select::{Index, Selection, Term};
use crate::npy::swap::Landing;
use crate::section::Section;
use crate::source::{ReadAt, Source};
use crate::take::Layout;

pub use reader::Reader;

/// One array of an archive or of a `.npy` file, located and checked: what [`Npz::array`](crate::Npz::array) and
/// [`Npy::array`](crate::Npy::array) return.
///
/// Its header was parsed and its local ZIP header was checked, once, so the accessors return values and no `Result`. No
/// element was read yet. The verbs differ in what they copy:
///
/// | | copies | returns |
/// |---|---|---|
/// | [`view`](NpyArray::view) | never | a view that borrows from the source |
/// | [`get`](NpyArray::get) | only if it must | a view, or an array |
/// | [`read`](NpyArray::read), [`read_any`](NpyArray::read_any), [`strings`](NpyArray::strings) | always | an array |
/// | [`read_into`](NpyArray::read_into) | always | fills an array of yours |
/// | [`strided`](NpyArray::strided) | never | a view of our own, of elements at any distance and alignment |
/// | [`shared`](NpyArray::shared) | never | an array that owns a share of the source |
/// | [`bytes`](NpyArray::bytes) | only if it must | the elements' bytes |
/// | [`reader`](NpyArray::reader) | a block at a time | a stream of the elements' bytes |
///
/// [`access`](NpyArray::access) says in advance whether [`get`](NpyArray::get) borrows or copies, and why.
///
/// [`rows`](NpyArray::rows), [`select`](NpyArray::select), [`select_str`](NpyArray::select_str),
/// [`field`](NpyArray::field) and [`reinterpret`](NpyArray::reinterpret) return the handle of a part, on which every verb
/// works. They compose. A part that is read reads only the bytes that hold it; a part of a compressed array is decoded
/// no further than its last element. [`in_order`](NpyArray::in_order) chooses the order of what is copied, and
/// [`load`](NpyArray::load) decodes once for many parts.
///
/// # Examples
///
/// ```
/// use ndarray::{Array1, Array2, s};
/// use npzmap::Npz;
///
/// let npz = Npz::open("tests/data/model-batch.npz")?;
/// let features = npz.array("features")?;
/// assert_eq!((features.dtype().to_string().as_str(), features.shape()), ("<f4", &[3, 4][..]));
///
/// let all: Array2<f32> = features.read()?;
/// let two: Array2<f32> = features.rows(0..2)?.read()?;
/// let last: Array1<f32> = features.select(s![.., -1])?.read()?;
/// assert_eq!((all.dim(), two.dim(), last.to_vec()), ((3, 4), (2, 4), vec![3.0, 7.0, 11.0]));
/// # Ok::<(), npzmap::Error>(())
/// ```
pub struct NpyArray<'a, S = ReadAt> {
    found: Found<'a, S>,
    context: Context<'a>,
    /// Of the whole array.
    header: Header,
    /// `None` is all of it.
    part: Option<Box<Part>>,
    /// The dtype that the caller declared in place of the file's.
    declared: Option<Dtype>,
    /// The decoder of a compressed member, after the header. The first verb takes it; those after it begin anew.
    begun: Option<Begun<'a, S>>,
    /// All elements of the whole array. Where they are held, `part` is never `None`.
    held: Option<Arc<Vec<u8>>>,
}

type Begun<'a, S> = Arc<Mutex<Option<Content<Section<'a, S>>>>>;

/// Elements of the array, and what they are to [`NpyArray::shape`] and [`NpyArray::order`].
#[derive(Clone)]
struct Part {
    selection: Selection,
    shape: Vec<usize>,
    order: Order,
}

impl Part {
    fn new(selection: Selection) -> Self {
        let (shape, order) = (selection.shape(), Plan::of(&selection).order);
        Part { selection, shape, order }
    }

    fn plan(&self) -> Plan {
        Plan::ordered(&self.selection, self.order)
    }
}

impl<'a, S: Source> NpyArray<'a, S> {
    /// Parses the header of an array that was located.
    pub(crate) fn new(found: Result<Found<'a, S>>, context: Context<'a>) -> Result<Self> {
        let begun = found.and_then(|found| Self::begin(found, context));
        begun.map_err(|error| context.add(error))
    }

    fn begin(mut found: Found<'a, S>, context: Context<'a>) -> Result<Self> {
        let begun = match found.header_in_memory() {
            Some(header) => header.map(|header| (header, None)),
            None => found
                .array(found.checks_copies())
                .map(|opened| (opened.header, Some((opened.preamble, opened.content)))),
        };
        let (header, begun) = begun.map_err(|error| found.locate_fault(error))?;
        let begun = begun.and_then(|(preamble, content)| {
            if !found.is_stored() {
                return Some(Arc::new(Mutex::new(Some(content))));
            }
            // Read by position: what was read of it is not read again.
            if let Seen::Some(seen) = &mut found.seen
                && seen.len() < preamble.len()
            {
                *seen = preamble;
            }
            None
        });
        Ok(NpyArray { found, context, header, part: None, declared: None, begun, held: None })
    }

    /// Returns the dtype of the elements, with their byte order in the file. [`reinterpret`](NpyArray::reinterpret) does
    /// not change it.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.array("sample_ids")?.dtype().to_string(), "<U9");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn dtype(&self) -> &Dtype {
        self.part.as_ref().map_or(self.header.dtype(), |part| &part.selection.dtype)
    }

    /// Returns the length of each axis.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let features = npz.array("features")?;
    /// assert_eq!((features.shape(), features.rows(1..3)?.shape()), (&[3, 4][..], &[2, 4][..]));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shape(&self) -> &[usize] {
        self.part.as_ref().map_or(self.header.shape(), |part| &part.shape)
    }

    /// Returns the order in which the elements are stored, and in which [`read`](NpyArray::read) and
    /// [`bytes`](NpyArray::bytes) return them. A part that is in neither order is read in C order.
    ///
    /// ```
    /// use npzmap::{Npz, Order};
    ///
    /// let npz = Npz::open("tests/data/kinds-stored.npz")?;
    /// assert_eq!(npz.array("f8-be-f")?.order(), Order::Fortran);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn order(&self) -> Order {
        self.part.as_ref().map_or(self.header.order(), |part| part.order)
    }

    /// Returns the number of elements.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// assert_eq!(Npz::open("tests/data/model-batch.npz")?.array("features")?.len(), 12);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.part.as_ref().map_or(self.header.count(), |part| part.selection.count())
    }

    /// Returns whether there is no element.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// assert!(Npz::open("tests/data/model-batch.npz")?.array("features")?.rows(1..1)?.is_empty());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of bytes of the elements, without a header and not compressed.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// assert_eq!(Npz::open("tests/data/model-batch.npz")?.array("features")?.nbytes(), 12 * 4);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn nbytes(&self) -> usize {
        self.part.as_ref().map_or(self.header.nbytes(), |part| part.selection.nbytes())
    }

    /// Returns the offset of the first element in the file, in bytes, or `None` for a compressed array.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let offset = |path| Ok::<_, npzmap::Error>(Npz::open(path)?.array("features")?.data_offset());
    /// assert_eq!(offset("tests/data/model-batch-stored.npz")?, Some(190));
    /// assert_eq!(offset("tests/data/model-batch.npz")?, None);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn data_offset(&self) -> Option<u64> {
        let within = self.part.as_ref().map_or(0, |part| part.selection.offset as u64);
        self.found.is_stored().then(|| self.start().saturating_add(within))
    }

    /// Returns how the array is compressed.
    ///
    /// ```
    /// use npzmap::{Method, Npz};
    ///
    /// assert_eq!(Npz::open("tests/data/model-batch.npz")?.array("features")?.method(), Method::Deflated);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn method(&self) -> Method {
        Method::from_number(self.found.coded.method)
    }

    /// Returns the header of the whole array, as it is in the file.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.array("features")?.header().version(), (1, 0));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Selects a range of axis 0. Of a stored member only these rows are read, and a compressed one is decoded no further
    /// than their end. They are not checked against the CRC-32 of the member, unless
    /// [`Verify::Always`](crate::Verify::Always) reads all of it.
    ///
    /// Rows of an array in C order are consecutive, and cost one read. In Fortran order there is a piece of them for each
    /// column. A source that is read by position is then asked for several columns at once if its
    /// [gap](crate::Source::gap) is not smaller than what is between two pieces, and for one piece after the other if it is.
    ///
    /// # Errors
    ///
    /// [`RowsOutOfRange`](ErrorKind::RowsOutOfRange) if there are not that many rows;
    /// [`DimensionMismatch`](ErrorKind::DimensionMismatch) for an array without axes.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let row: Array2<f32> = npz.array("features")?.rows(1..2)?.read()?; // 16 bytes are read
    /// assert_eq!(row, ndarray::array![[4.0, 5.0, 6.0, 7.0]]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn rows(&self, rows: Range<usize>) -> Result<Self> {
        self.selected(|part| part.rows(rows))
    }

    /// Selects by an index of ndarray: `s![1..5, .., -1]`. Axes that it does not name stay whole. Bounds and negative steps
    /// mean what they mean to ndarray's `slice`, except that a bound that does not fit is an error.
    ///
    /// # Errors
    ///
    /// [`BadSelection`](ErrorKind::BadSelection) for an index that does not fit the shape.
    ///
    /// ```
    /// use ndarray::{Array1, s};
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let column: Array1<f32> = npz.array("features")?.select(s![..;-1, 0])?.read()?;
    /// assert_eq!(column.to_vec(), [8.0, 4.0, 0.0]);
    /// assert!(npz.array("features")?.select(s![5, 0]).is_err());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn select(&self, index: impl AsRef<[SliceInfoElem]>) -> Result<Self> {
        let terms: Vec<_> = index.as_ref().iter().map(Term::from).collect();
        self.selected(|part| part.take(&terms))
    }

    /// Selects by an index as NumPy's users write it: `1:5, ::2, -1`, with `...` and `None`. It means what it means to
    /// NumPy: bounds are clamped, integers must fit.
    ///
    /// # Errors
    ///
    /// [`BadSelection`](ErrorKind::BadSelection) for text that is not a basic index, and for one that does not fit the
    /// shape.
    ///
    /// ```
    /// use ndarray::Array1;
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let part: Array1<f32> = npz.array("features")?.select_str("-1, 1:100:2")?.read()?;
    /// assert_eq!(part.to_vec(), [9.0, 11.0]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn select_str(&self, index: &str) -> Result<Self> {
        let index = index.parse::<Index>();
        self.selected(|part| part.take(&index?.0))
    }

    /// Selects one field of records, also of records within records: `position.x`. The axes of a sub-array follow those of
    /// the array.
    ///
    /// # Errors
    ///
    /// [`NoSuchField`](ErrorKind::NoSuchField).
    ///
    /// ```
    /// use ndarray::Array2;
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/records-stored.npz")?;
    /// let scores: Array2<f64> = npz.array("packed-le-c")?.field("score")?.read()?; // 34 bytes apart
    /// assert_eq!(scores.row(0).to_vec(), [0.0, -0.0, 1.5]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn field(&self, path: &str) -> Result<Self> {
        self.selected(|part| part.field(path))
    }

    /// Declares the Rust type of elements whose dtype does not say it: `bf16`, which is `<V2` in files, or an integer for
    /// the bits of a float. Elements in the other byte order are swapped as their dtype says.
    ///
    /// # Errors
    ///
    /// [`DtypeMismatch`](ErrorKind::DtypeMismatch) for a type of another size, [`Pickled`](ErrorKind::Pickled).
    ///
    /// ```
    /// use ndarray::Array1;
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let bits: Array1<u64> = npz.array("labels")?.reinterpret::<u64>()?.read()?; // they are i64
    /// assert_eq!(bits.to_vec(), [0, 1, 1]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn reinterpret<T: Element>(&self) -> Result<Self> {
        self.check_items().map_err(|error| self.about(error))?;
        if self.dtype().item_size() != size_of::<T>() {
            let (dtype, element) = (self.dtype().to_string(), short_name::<T>());
            return Err(self.about(ErrorKind::DtypeMismatch { dtype, element }.into()));
        }
        Ok(NpyArray { declared: Some(T::dtype()), ..self.clone() })
    }

    /// Returns the same elements, copied in C or in Fortran order whatever their order in the file: by
    /// [`read`](NpyArray::read), [`bytes`](NpyArray::bytes) and [`reader`](NpyArray::reader). Views keep their strides. A
    /// selection of what is returned has its own order again, so this comes last.
    ///
    /// ```
    /// use npzmap::{Npy, Order};
    ///
    /// let array = Npy::open("tests/data/plain-f.npy")?; // 3 by 4, in Fortran order
    /// let bytes = array.array()?.in_order(Order::C).bytes()?;
    /// assert_eq!(bytes, Npy::open("tests/data/plain.npy")?.array()?.bytes()?);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn in_order(&self, order: Order) -> Self {
        if order == self.order() {
            return self.clone();
        }
        let selection = self.selection().into_owned();
        let shape = selection.shape();
        NpyArray { part: Some(Box::new(Part { selection, shape, order })), ..self.clone() }
    }

    /// Reads all elements of the array into memory, also those outside a selection, and checks their CRC-32. The verbs of
    /// what is returned copy from there, as those of its selections do: many parts of a compressed array, each of which
    /// would be decoded from the start, are decoded once. What is stored in memory is not copied.
    ///
    /// # Errors
    ///
    /// As [`bytes`](NpyArray::bytes).
    ///
    /// ```
    /// use ndarray::{Array1, s};
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?; // compressed
    /// let features = npz.array("features")?.load()?;
    /// let columns = (0..4).map(|column| features.select(s![.., column])?.read());
    /// let columns: Vec<Array1<f32>> = columns.collect::<npzmap::Result<_>>()?;
    /// assert_eq!(columns[3].to_vec(), [3.0, 7.0, 11.0]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn load(&self) -> Result<Self> {
        let load = || {
            self.check_items()?;
            if self.held.is_some() || matches!(self.elements(), Elements::Here { .. }) {
                return Ok(self.clone());
            }
            let size = usize::try_from(self.found.coded.place.size).unwrap_or(usize::MAX);
            self.found.check_budget(size)?;
            let mut bytes = buffer::zeroed(self.header.nbytes())?;
            let mut content = self.content(self.found.checks_copies())?;
            self.found.read_to_end(&mut content, &mut bytes, Landing::AS_THEY_LIE)?;
            let whole = || Box::new(Part::new(Selection::whole(&self.header)));
            let part = Some(self.part.clone().unwrap_or_else(whole));
            Ok(NpyArray { part, held: Some(Arc::new(bytes)), ..self.clone() })
        };
        load().map_err(|error| self.about(error))
    }

    /// Returns what a memory map of the file would do with the whole array: borrow it, or copy it, and why. This does not
    /// depend on how the file is open.
    ///
    /// # Errors
    ///
    /// [`Pickled`](ErrorKind::Pickled).
    ///
    /// ```
    /// use npzmap::{Access, Npz, Reason};
    ///
    /// let npz = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let misaligned = Reason::Misaligned { offset: 190, required: 4 };
    /// assert_eq!(npz.array("features")?.access_in_map()?, Access::Copy(misaligned));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn access_in_map(&self) -> Result<Access> {
        self.check_items().map_err(|error| self.about(error))?;
        Ok(match self.found.is_stored() {
            true => array::access_in_map(&self.header, self.start()),
            false => Access::Copy(Reason::Compressed),
        })
    }

    fn selected(&self, select: impl FnOnce(&Selection) -> Result<Selection>) -> Result<Self> {
        let whole = Selection::whole(&self.header);
        let selected = select(self.part.as_ref().map_or(&whole, |part| &part.selection));
        let selection = selected.map_err(|error| self.about(error))?;
        // A type that was declared for a record is not that of its fields.
        let declared = self.declared.clone().filter(|_| selection.dtype == *self.dtype());
        let part = (selection != whole || self.held.is_some()).then(|| Box::new(Part::new(selection)));
        Ok(NpyArray { part, declared, ..self.clone() })
    }

    pub(crate) fn into_header(self) -> Header {
        self.header
    }

    pub(crate) fn into_layout(self) -> Layout {
        let offset = self.data_offset();
        Layout { header: self.header, offset }
    }

    /// Where the elements begin in the file, if they are stored.
    fn start(&self) -> u64 {
        self.found.data.start.saturating_add(self.header.preamble_size() as u64)
    }

    /// An error with its place, member and file.
    fn about(&self, error: Error) -> Error {
        self.context.add(self.found.locate_fault(error))
    }

    /// The content at its first element. The CRC is taken from the header on, with `verify`.
    fn content(&self, verify: bool) -> Result<Content<Section<'a, S>>> {
        let begun = self.begun.as_ref().and_then(|begun| begun.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(content) = begun {
            return Ok(content);
        }
        let mut content = self.found.content(verify)?;
        content.skip(self.header.preamble_size() as u64)?;
        Ok(content)
    }
}

impl<S> Clone for NpyArray<'_, S> {
    fn clone(&self) -> Self {
        NpyArray {
            found: self.found.clone(),
            context: self.context,
            header: self.header.clone(),
            part: self.part.clone(),
            declared: self.declared.clone(),
            begun: self.begun.clone(),
            held: self.held.clone(),
        }
    }
}

impl<S: Source> fmt::Debug for NpyArray<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NpyArray")
            .field("dtype", &self.dtype().to_string())
            .field("shape", &self.shape())
            .field("order", &self.order())
            .field("method", &self.method())
            .finish_non_exhaustive()
    }
}
