//! `Npy`: a plain `.npy` file, by the verbs of an archive's members.

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytemuck::Pod;
use ndarray::{Array, ArrayView, ArrayViewMut, CowArray, Dimension, IxDyn};

use crate::array::{NpyArray, Reader};
use crate::container::decode::Coded;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::found::{Found, Seen};
use crate::npy::any::AnyArray;
use crate::npy::array::Access;
use crate::npy::element::Element;
use crate::npy::header::Header;
use crate::npy::strided::Strided;
use crate::options::{OpenOptions, Verify};
use crate::shared::{Holder, SharedArray, sealed};
use crate::source::{FileSource, InMemory, ReadAt, Source};
use crate::stream::Stream;
use crate::take::{Layout, Payload};

/// A file that is one array, as `np.save` writes it. The verbs are those of [`Npz`](crate::Npz), without a key.
///
/// Opening reads the header and holds it against the length of the file. There is no checksum to verify.
///
/// # Examples
///
/// ```
/// use npzmap::Npy;
/// use ndarray::IxDyn;
///
/// let npy = Npy::open("tests/data/plain.npy")?;
/// assert_eq!(npy.header()?.dtype().to_string(), "<f4");
/// let array = npy.read::<f32, IxDyn>()?;
/// assert_eq!(array.shape(), npy.header()?.shape());
/// # Ok::<(), npzmap::Error>(())
/// ```
pub struct Npy<S = ReadAt> {
    source: S,
    options: OpenOptions,
    path: Option<Box<Path>>,
}

impl<S: Source> Npy<S> {
    pub(crate) fn with(source: S, options: OpenOptions) -> Result<Self> {
        let npy = Npy { source, options: options.verify(Verify::Never), path: None };
        npy.header()?;
        Ok(npy)
    }

    pub(crate) fn at_path(source: Result<S>, options: OpenOptions, path: &Path) -> Result<Self> {
        match source.and_then(|source| Npy::with(source, options)) {
            Ok(npy) => Ok(Npy { path: Some(path.into()), ..npy }),
            Err(error) => Err(error.in_file(Some(path))),
        }
    }

    /// What the array is.
    ///
    /// # Errors
    ///
    /// None that opening has not given, unless the file changed.
    ///
    /// ```
    /// use npzmap::{Npy, Order};
    ///
    /// let header = Npy::open("tests/data/plain-f.npy")?.header()?;
    /// assert_eq!((header.shape(), header.order()), (&[3, 4][..], Order::Fortran));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn header(&self) -> Result<Header> {
        Ok(self.array()?.into_header())
    }

    /// What [`view`](Npy::view) and [`get`](Npy::get) will do, as [`Member::access`](crate::Member::access).
    ///
    /// # Errors
    ///
    /// What keeps the array from being taken as `T` at all.
    ///
    /// ```
    /// use npzmap::{Access, Npy, Reason};
    ///
    /// let bytes = std::fs::read("tests/data/plain-be.npy")?;
    /// assert_eq!(Npy::new(bytes)?.access::<f64>()?, Access::Copy(Reason::ByteOrder));
    /// let npy = Npy::open("tests/data/plain.npy")?;
    /// assert_eq!(npy.access::<f32>()?, Access::Copy(Reason::NotInMemory));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn access<T: Element>(&self) -> Result<Access> {
        self.array()?.access::<T>()
    }

    /// What [`view_as`](Npy::view_as) will do, as [`Member::access_as`](crate::Member::access_as).
    ///
    /// # Errors
    ///
    /// What keeps the array from being taken as `T` at all.
    ///
    /// ```
    /// use npzmap::{Access, Npy, Reason, Unaligned};
    ///
    /// let npy = Npy::new(std::fs::read("tests/data/plain-be.npy")?)?;
    /// assert_eq!(npy.access_as::<Unaligned<u64>>()?, Access::Copy(Reason::ByteOrder));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn access_as<T: Element>(&self) -> Result<Access> {
        self.array()?.reinterpret::<T>()?.access::<T>()
    }

    /// What a map of this file would do, as [`Member::access_in_map`](crate::Member::access_in_map).
    ///
    /// # Errors
    ///
    /// [`Pickled`](crate::ErrorKind::Pickled).
    ///
    /// ```
    /// use npzmap::{Access, Npy, Reason};
    ///
    /// let plan = |path| Npy::open(path)?.access_in_map();
    /// assert_eq!(plan("tests/data/plain.npy")?, Access::Borrow);
    /// assert_eq!(plan("tests/data/plain-be.npy")?, Access::Copy(Reason::ByteOrder));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn access_in_map(&self) -> Result<Access> {
        self.array()?.access_in_map()
    }

    /// As [`Member::layout`](crate::Member::layout).
    ///
    /// # Errors
    ///
    /// What is wrong with the header, or the length of what follows it.
    ///
    /// ```
    /// use npzmap::{Access, Npy};
    ///
    /// let layout = Npy::open("tests/data/plain.npy")?.layout()?;
    /// assert_eq!((layout.payload_offset(), layout.access_in_map()), (Some(128), Some(Access::Borrow)));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn layout(&self) -> Result<Layout> {
        Ok(self.array()?.into_layout())
    }

    /// As [`Npz::view`](crate::Npz::view).
    ///
    /// # Errors
    ///
    /// As [`Npz::view`](crate::Npz::view), but for the key.
    ///
    /// ```
    /// use npzmap::{Npy, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// let npy = Npy::new(std::fs::read("tests/data/plain.npy")?)?;
    /// let array = npy.view::<Unaligned<f32>, Ix2>()?; // wherever the Vec lies
    /// assert_eq!((array[(0, 2)].get(), array[(0, 3)].get()), (1.5, -2.25));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn view<T: Element, D: Dimension>(&self) -> Result<ArrayView<'_, T, D>>
    where
        S: InMemory,
    {
        self.array()?.view()
    }

    /// As [`Npz::get`](crate::Npz::get).
    ///
    /// # Errors
    ///
    /// As [`Npz::get`](crate::Npz::get), but for the key.
    ///
    /// ```
    /// use npzmap::Npy;
    /// use ndarray::Ix2;
    ///
    /// let npy = Npy::new(std::fs::read("tests/data/plain-be.npy")?)?;
    /// let array = npy.get::<f64, Ix2>()?;
    /// assert!(array.is_owned() && array[(0, 2)] == 1.5); // its bytes were swapped
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn get<T: Element, D: Dimension>(&self) -> Result<CowArray<'_, T, D>> {
        self.array()?.get()
    }

    /// As [`Npz::read`](crate::Npz::read).
    ///
    /// # Errors
    ///
    /// As [`Npz::read`](crate::Npz::read), but for the key.
    ///
    /// ```
    /// use npzmap::Npy;
    /// use ndarray::Ix2;
    ///
    /// let npy = Npy::open("tests/data/python2-header.npy")?; // 'shape': (2L, 3L)
    /// assert_eq!(npy.read::<i32, Ix2>()?, ndarray::array![[0, 1, 2], [3, 4, 5]]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read<T: Element, D: Dimension>(&self) -> Result<Array<T, D>> {
        self.array()?.read()
    }

    /// As [`Npz::read_into`](crate::Npz::read_into).
    ///
    /// # Errors
    ///
    /// As [`Npz::read_into`](crate::Npz::read_into), but for the key.
    ///
    /// ```
    /// use npzmap::Npy;
    /// use ndarray::{Array2, s};
    ///
    /// let mut batch = Array2::<i32>::zeros((4, 3));
    /// let npy = Npy::open("tests/data/python2-header.npy")?;
    /// npy.read_into(batch.slice_mut(s![2.., ..]))?;
    /// assert_eq!(batch.column(2).to_vec(), [0, 0, 2, 5]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_into<T: Element, D: Dimension>(&self, destination: ArrayViewMut<'_, T, D>) -> Result<()> {
        self.array()?.read_into(destination)
    }

    /// As [`Npz::read_rows`](crate::Npz::read_rows).
    ///
    /// # Errors
    ///
    /// As [`Npz::read_rows`](crate::Npz::read_rows), but for the key.
    ///
    /// ```
    /// use npzmap::Npy;
    /// use ndarray::Ix2;
    ///
    /// let npy = Npy::open("tests/data/python2-header.npy")?;
    /// assert_eq!(npy.read_rows::<i32, Ix2>(1..2)?, ndarray::array![[3, 4, 5]]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_rows<T: Element, D: Dimension>(&self, rows: Range<usize>) -> Result<Array<T, D>> {
        self.array()?.rows(rows)?.read()
    }

    /// As [`Npz::read_rows_any`](crate::Npz::read_rows_any).
    ///
    /// # Errors
    ///
    /// As [`Npz::read_rows_any`](crate::Npz::read_rows_any), but for the key.
    ///
    /// ```
    /// use npzmap::Npy;
    ///
    /// let npy = Npy::open("tests/data/plain.npy")?;
    /// assert_eq!(npy.read_rows_any(0..1)?.shape()[0], 1);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_rows_any(&self, rows: Range<usize>) -> Result<AnyArray> {
        self.array()?.rows(rows)?.read_any()
    }

    /// As [`Member::stream_elements`](crate::Member::stream_elements).
    ///
    /// # Errors
    ///
    /// As [`Member::stream_elements`](crate::Member::stream_elements).
    ///
    /// ```
    /// use npzmap::{Error, Npy};
    ///
    /// let npy = Npy::open("tests/data/plain.npy")?;
    /// let left = npy.stream_elements(|_, stream| Ok::<_, Error>(stream.left()))?;
    /// assert_eq!(left, npy.header()?.nbytes() as u64);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn stream_elements<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Header, &mut Stream<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let about = |error: Error| error.in_file(self.path.as_deref());
        let found = self.found();
        found.stream_elements(&about, work).map_err(|error| about(found.locate_fault(error)))?
    }

    /// As [`Npz::read_any`](crate::Npz::read_any).
    ///
    /// # Errors
    ///
    /// As [`Npz::read_any`](crate::Npz::read_any), but for the key.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npy};
    ///
    /// let npy = Npy::open("tests/data/python2-header.npy")?;
    /// assert!(matches!(npy.read_any()?, AnyArray::I32(array) if array.sum() == 15));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_any(&self) -> Result<AnyArray> {
        self.array()?.read_any()
    }

    /// As [`Npz::strings`](crate::Npz::strings).
    ///
    /// # Errors
    ///
    /// As [`Npz::strings`](crate::Npz::strings), but for the key.
    ///
    /// ```
    /// use npzmap::{Header, Npy, Order};
    ///
    /// let mut bytes = Header::new("|S3".parse()?, &[2], Order::C)?.to_bytes();
    /// bytes.extend(b"ab\0xyz");
    /// let strings = Npy::new(bytes)?.strings()?;
    /// assert_eq!(strings.as_slice().unwrap(), ["ab", "xyz"]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn strings(&self) -> Result<Array<String, IxDyn>> {
        self.array()?.strings()
    }

    /// As [`Npz::view_as`](crate::Npz::view_as).
    ///
    /// # Errors
    ///
    /// As [`Npz::view_as`](crate::Npz::view_as), but for the key.
    ///
    /// ```
    /// use npzmap::{FixedBytes, Npy};
    /// use ndarray::Ix2;
    ///
    /// let npy = Npy::new(std::fs::read("tests/data/plain.npy")?)?;
    /// let bytes = npy.view_as::<FixedBytes<4>, Ix2>()?;
    /// assert_eq!(*bytes[(0, 2)].as_array(), 1.5_f32.to_le_bytes());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn view_as<T: Element, D: Dimension>(&self) -> Result<ArrayView<'_, T, D>>
    where
        S: InMemory,
    {
        self.array()?.reinterpret::<T>()?.view()
    }

    /// As [`Npz::read_as`](crate::Npz::read_as).
    ///
    /// # Errors
    ///
    /// As [`Npz::read_as`](crate::Npz::read_as), but for the key.
    ///
    /// ```
    /// use npzmap::Npy;
    /// use ndarray::Ix2;
    ///
    /// let npy = Npy::open("tests/data/plain-be.npy")?;
    /// assert_eq!(npy.read_as::<u64, Ix2>()?[(0, 2)], 1.5_f64.to_bits());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_as<T: Element, D: Dimension>(&self) -> Result<Array<T, D>> {
        self.array()?.reinterpret::<T>()?.read()
    }

    /// As [`Npz::field`](crate::Npz::field).
    ///
    /// # Errors
    ///
    /// As [`Npz::field`](crate::Npz::field), but for the key.
    ///
    /// ```
    /// use npzmap::{Header, Npy, Order, Unaligned};
    /// use ndarray::Ix1;
    ///
    /// let mut bytes = Header::new("[('x', '<i2'), ('y', '<i2')]".parse()?, &[2], Order::C)?.to_bytes();
    /// bytes.extend([1, 0, 2, 0, 3, 0, 4, 0]);
    /// let npy = Npy::new(bytes)?;
    /// let y = npy.field::<Unaligned<i16>, Ix1>("y")?;
    /// assert_eq!((y[0].get(), y[1].get()), (2, 4));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn field<T: Element, D: Dimension>(&self, path: &str) -> Result<ArrayView<'_, T, D>>
    where
        S: InMemory,
    {
        self.array()?.field(path)?.view()
    }

    /// As [`Npz::field_strided`](crate::Npz::field_strided).
    ///
    /// # Errors
    ///
    /// As [`Npz::field_strided`](crate::Npz::field_strided), but for the key.
    ///
    /// ```
    /// use npzmap::{Header, Npy, Order};
    /// use ndarray::Ix1;
    ///
    /// let mut bytes = Header::new("[('tag', '|u1'), ('x', '<i2')]".parse()?, &[2], Order::C)?.to_bytes();
    /// bytes.extend([7, 1, 0, 8, 2, 0]);
    /// let npy = Npy::new(bytes)?;
    /// let x = npy.field_strided::<i16, Ix1>("x")?; // every 3 bytes
    /// assert_eq!(x.iter().collect::<Vec<_>>(), [1, 2]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn field_strided<T: Element, D: Dimension>(&self, path: &str) -> Result<Strided<'_, T, D>>
    where
        S: InMemory,
    {
        self.array()?.field(path)?.strided()
    }

    /// As [`Npz::read_field`](crate::Npz::read_field).
    ///
    /// # Errors
    ///
    /// As [`Npz::read_field`](crate::Npz::read_field), but for the key.
    ///
    /// ```
    /// use npzmap::{Header, Npy, Order};
    /// use ndarray::Ix1;
    ///
    /// let mut bytes = Header::new("[('tag', '|u1'), ('x', '>i2')]".parse()?, &[2], Order::C)?.to_bytes();
    /// bytes.extend([7, 0, 1, 8, 0, 2]);
    /// assert_eq!(Npy::new(bytes)?.read_field::<i16, Ix1>("x")?.to_vec(), [1, 2]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_field<T: Element, D: Dimension>(&self, path: &str) -> Result<Array<T, D>> {
        self.array()?.field(path)?.read()
    }

    /// As [`Npz::payload`](crate::Npz::payload).
    ///
    /// # Errors
    ///
    /// As [`Npz::payload`](crate::Npz::payload), but for the key.
    ///
    /// ```
    /// use npzmap::Npy;
    ///
    /// let npy = Npy::new(std::fs::read("tests/data/plain.npy")?)?;
    /// let payload = npy.payload()?;
    /// assert_eq!((payload.offset(), payload.bytes().len()), (128, 48));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn payload(&self) -> Result<Payload<'_>>
    where
        S: InMemory,
    {
        self.array()?.payload()
    }

    /// As [`Npz::shared`](crate::Npz::shared).
    ///
    /// # Errors
    ///
    /// As [`Npz::shared`](crate::Npz::shared), but for the key.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use npzmap::{Npy, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// let npy = Arc::new(Npy::new(std::fs::read("tests/data/plain.npy")?)?);
    /// let array = npy.shared::<Unaligned<f32>, Ix2>()?;
    /// drop(npy); // the array keeps the bytes alive
    /// assert_eq!(array.view()[(0, 2)], 1.5);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shared<T: Element + Pod, D: Dimension>(self: &Arc<Self>) -> Result<SharedArray<T, D, Self>>
    where
        S: InMemory,
    {
        let array = self.array()?;
        Ok(SharedArray::new(Arc::clone(self), &array.view::<T, D>()?, &array.payload_unchecked()?))
    }

    /// As [`Npz::shared_as`](crate::Npz::shared_as).
    ///
    /// # Errors
    ///
    /// As [`Npz::shared_as`](crate::Npz::shared_as), but for the key.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use npzmap::{FixedBytes, Npy};
    /// use ndarray::Ix2;
    ///
    /// let npy = Arc::new(Npy::new(std::fs::read("tests/data/plain.npy")?)?);
    /// let array = npy.shared_as::<FixedBytes<4>, Ix2>()?;
    /// drop(npy); // the array keeps the bytes alive
    /// assert_eq!(*array.view()[(0, 2)].as_array(), 1.5_f32.to_le_bytes());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shared_as<T: Element + Pod, D: Dimension>(self: &Arc<Self>) -> Result<SharedArray<T, D, Self>>
    where
        S: InMemory,
    {
        let array = self.array()?.reinterpret::<T>()?;
        Ok(SharedArray::new(Arc::clone(self), &array.view::<T, D>()?, &array.payload_unchecked()?))
    }

    /// The source.
    ///
    /// ```
    /// use npzmap::Npy;
    ///
    /// let npy = Npy::new(std::fs::read("tests/data/plain.npy")?)?;
    /// assert!(npy.source().starts_with(b"\x93NUMPY"));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Returns the array, with its header parsed.
    ///
    /// # Errors
    ///
    /// The header was valid when the file was opened; what the source says, and what a file that changed has in its place.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use npzmap::Npy;
    ///
    /// let npy = Npy::open("tests/data/plain.npy")?;
    /// let row: Array2<f32> = npy.array()?.rows(0..1)?.read()?;
    /// assert_eq!(row[(0, 2)], 1.5);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn array(&self) -> Result<NpyArray<'_, S>> {
        NpyArray::new(Ok(self.found()), self.context())
    }

    /// Returns the content of the file as a stream, with the header.
    ///
    /// # Errors
    ///
    /// None yet. Reading: what the source says, as an [`io::Error`](std::io::Error) that holds the [`Error`].
    ///
    /// ```
    /// use npzmap::Npy;
    ///
    /// let mut content = Vec::new();
    /// std::io::copy(&mut Npy::open("tests/data/plain.npy")?.reader()?, &mut content)?;
    /// assert_eq!(content, std::fs::read("tests/data/plain.npy")?);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn reader(&self) -> Result<Reader<'_, S>> {
        let found = self.found();
        let content = found.content(false).map_err(|error| self.context().add(error))?;
        Ok(Reader::of_content(found, self.context(), content))
    }

    fn found(&self) -> Found<'_, S> {
        let data = 0..self.source.size();
        let seen = match self.source.as_slice() {
            Some(bytes) => Seen::All(bytes),
            None => Seen::Some(Vec::new()),
        };
        Found::new(&self.source, Coded::plain(data.end), data, seen, &self.options)
    }

    fn context(&self) -> Context<'_> {
        Context { name: None, path: self.path.as_deref() }
    }
}

impl<S: FileSource> Npy<S> {
    /// As [`Npz::check_unchanged`](crate::Npz::check_unchanged).
    ///
    /// # Errors
    ///
    /// [`FileChanged`](crate::ErrorKind::FileChanged) says what differs.
    ///
    /// ```
    /// use npzmap::{ErrorKind, Npy};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("plain.npy");
    /// std::fs::copy("tests/data/plain.npy", &path)?;
    /// let npy = Npy::open(&path)?;
    /// npy.check_unchanged()?;
    /// std::fs::write(&path, b"something else")?;
    /// let error = npy.check_unchanged().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::FileChanged { what: "length" }));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn check_unchanged(&self) -> Result<()> {
        let check = || {
            self.source.check_unchanged()?;
            let Some(path) = &self.path else { return Ok(()) };
            self.source.identity().check(&fs::metadata(path)?)
        };
        check().map_err(|error: Error| error.in_file(self.path.as_deref()))
    }
}

impl<S: Source> fmt::Debug for Npy<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.source.size();
        f.debug_struct("Npy").field("path", &self.path).field("size", &size).finish_non_exhaustive()
    }
}

impl<S> sealed::Sealed for Npy<S> {}

impl<S: InMemory> Holder for Npy<S> {
    fn bytes(&self) -> Option<&[u8]> {
        self.source.as_slice()
    }
}
