//! `Npy`: a plain `.npy` file.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ndarray::{Array, ArrayView, CowArray, Dimension};

use crate::array::{NpyArray, Reader};
use crate::container::decode::Coded;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::found::{Found, Seen};
use crate::npy::any::AnyArray;
use crate::npy::array::Access;
use crate::npy::element::Element;
use crate::npy::header::Header;
use crate::options::{OpenOptions, Verify};
use crate::source::{FileSource, ReadAt, Source};
use crate::stream::Stream;
use crate::take::Layout;

/// A file that is one array, as `np.save` writes it. [`array`](Npy::array) returns its [handle](NpyArray), which has every
/// verb. [`view`](Npy::view), [`get`](Npy::get), [`read`](Npy::read) and [`read_any`](Npy::read_any) are here, too.
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
    source: Arc<S>,
    options: OpenOptions,
    path: Option<Box<Path>>,
}

impl<S: Source> Npy<S> {
    pub(crate) fn with(source: S, options: OpenOptions) -> Result<Self> {
        let npy = Npy { source: Arc::new(source), options: options.verify(Verify::Never), path: None };
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
    pub fn view<T: Element, D: Dimension>(&self) -> Result<ArrayView<'_, T, D>> {
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
