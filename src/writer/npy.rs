//! Plain `.npy` files, with the same verbs.

use std::fmt;
use std::io::{Seek, Write};
use std::path::Path;

use super::atomic::AtomicFile;
use super::body::{Body, Put};
use super::rows::{Growing, each_block};
use super::sink::{Output, Seekable, Sink, Streamed};
use super::{DEFAULT_ALIGNMENT, is_text};
use crate::error::{Error, ErrorKind, Result};
use crate::member::Member;
use crate::npy::element::Element;
use crate::npy::header;
use crate::npy::save::Save;
use crate::source::Source;
use ndarray::{ArrayBase, Data, Dimension};

/// Writes a plain `.npy` file: one array, complete or not at all, as [`NpyWriter::create`] does it.
///
/// # Errors
///
/// As [`NpyWriter::create`] and [`NpyWriter::add`].
///
/// ```
/// use ndarray::{Ix2, array};
/// use npzmap::Npy;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("x.npy");
/// npzmap::save(&path, &array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(Npy::open(&path)?.read::<f64, Ix2>()?.sum(), 10.0);
/// # Ok::<(), npzmap::Error>(())
/// ```
pub fn save(path: impl AsRef<Path>, array: &(impl Save + ?Sized)) -> Result<()> {
    NpyWriter::create(path)?.add(array)
}

/// Writes a plain `.npy` file, by the verbs of [`NpzWriter`](crate::NpzWriter). Each of them completes it: such a file
/// holds one array.
///
/// ```
/// use npzmap::{Npy, NpyWriter};
/// use ndarray::{Ix1, array};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("x.npy");
/// NpyWriter::create(&path)?.align(4096)?.add(&array![1_u16, 2, 3])?;
/// let npy = Npy::open(&path)?;
/// assert_eq!((npy.header()?.preamble_size(), npy.read::<u16, Ix1>()?.sum()), (4096, 6));
/// # Ok::<(), npzmap::Error>(())
/// ```
pub struct NpyWriter<S: Sink = AtomicFile> {
    output: Output<S>,
    alignment: u64,
}

impl NpyWriter<AtomicFile> {
    /// Writes a file at `path`, which is put there whole or not at all: see [`AtomicFile`].
    ///
    /// # Errors
    ///
    /// As [`NpzWriter::create`](crate::NpzWriter::create).
    ///
    /// ```
    /// use npzmap::NpyWriter;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.npy");
    /// NpyWriter::create(&path)?.add(&[1.0, 2.0])?;
    /// assert_eq!(std::fs::metadata(&path)?.len(), 128 + 16);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Ok(NpyWriter::with(Output::new(AtomicFile::create(path)?, 0)))
    }

    /// As [`NpzWriter::sync`](crate::NpzWriter::sync).
    ///
    /// ```
    /// use npzmap::NpyWriter;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.npy");
    /// NpyWriter::create(&path)?.sync(false).add(&[1.0, 2.0])?;
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[must_use]
    pub fn sync(mut self, sync: bool) -> Self {
        self.output.sink_mut().set_sync(sync);
        self
    }
}

impl<W: Write + Seek> NpyWriter<Seekable<W>> {
    /// As [`NpzWriter::new`](crate::NpzWriter::new).
    ///
    /// # Errors
    ///
    /// As [`NpzWriter::new`](crate::NpzWriter::new).
    ///
    /// ```
    /// use npzmap::NpyWriter;
    /// use std::io::Cursor;
    ///
    /// let file = NpyWriter::new(Cursor::new(Vec::new()))?.add(&[1_u8, 2])?.into_inner();
    /// assert!(file.starts_with(b"\x93NUMPY") && file.ends_with(&[1, 2]));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn new(sink: W) -> Result<Self> {
        let (sink, start) = Seekable::new(sink)?;
        Ok(NpyWriter::with(Output::new(sink, start)))
    }
}

impl<W: Write> NpyWriter<Streamed<W>> {
    /// As [`NpzWriter::stream`](crate::NpzWriter::stream).
    ///
    /// ```
    /// use npzmap::NpyWriter;
    ///
    /// let file = NpyWriter::stream(Vec::new()).add(&[1_u8, 2])?;
    /// assert_eq!(file.len(), 128 + 2);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn stream(sink: W) -> Self {
        NpyWriter::with(Output::new(Streamed::new(sink), 0))
    }
}

impl<S: Sink> NpyWriter<S> {
    fn with(output: Output<S>) -> Self {
        NpyWriter { output, alignment: DEFAULT_ALIGNMENT }
    }

    /// Where the elements begin: on a multiple of so many bytes of the file, a power of two up to 8 KiB. NumPy itself
    /// takes care of 64; for more, the header is filled with blanks, up to the 10,000 characters that `np.load` reads
    /// by default.
    ///
    /// # Errors
    ///
    /// [`BadAlignment`](ErrorKind::BadAlignment) for any other number. The verb that writes the array has the same
    /// error, which says what is possible, where a header would become longer than that, or, if it is so already, than
    /// its version can say.
    ///
    /// ```
    /// use npzmap::{Npy, NpyWriter};
    ///
    /// let file = NpyWriter::stream(Vec::new()).align(512)?.add(&[1_u8, 2])?;
    /// assert_eq!(file[512..], [1, 2]);
    /// assert_eq!(Npy::new(file)?.header()?.preamble_size(), 512);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn align(mut self, bytes: u64) -> Result<Self> {
        const MOST: u64 = 8 << 10;
        if !bytes.is_power_of_two() || bytes > MOST {
            let (alignment, most) = (bytes, MOST);
            return Err(ErrorKind::BadAlignment { alignment, most }.into());
        }
        self.alignment = bytes;
        Ok(self)
    }

    /// Writes an array, and completes the file.
    ///
    /// # Errors
    ///
    /// As [`NpzWriter::add`](crate::NpzWriter::add).
    ///
    /// ```
    /// use npzmap::{Npy, NpyWriter, Order};
    /// use ndarray::array;
    ///
    /// let columns = array![[1.0, 2.0], [3.0, 4.0]];
    /// let npy = Npy::new(NpyWriter::stream(Vec::new()).add(&columns.t())?)?;
    /// assert_eq!(npy.header()?.order(), Order::Fortran);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[expect(clippy::should_implement_trait, reason = "the verb of NpzWriter")]
    pub fn add(self, array: &(impl Save + ?Sized)) -> Result<S::Finished> {
        let body = Body::array(&array).map_err(|error| self.about(error))?;
        self.write(&body)
    }

    /// Writes strings, and completes the file.
    ///
    /// # Errors
    ///
    /// As [`NpzWriter::add_strings`](crate::NpzWriter::add_strings).
    ///
    /// ```
    /// use npzmap::{Npy, NpyWriter};
    ///
    /// let npy = Npy::new(NpyWriter::stream(Vec::new()).add_strings(&["train-001", "x"])?)?;
    /// assert_eq!(npy.array()?.strings()?[1], "x");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn add_strings(self, strings: &(impl Save + ?Sized)) -> Result<S::Finished> {
        is_text(&strings).map_err(|error| self.about(error))?;
        self.add(strings)
    }

    /// Copies the array of a member, and completes the file: what `np.save` would make of it. The CRC-32 is checked on the
    /// way.
    ///
    /// # Errors
    ///
    /// As [`NpzWriter::copy`](crate::NpzWriter::copy); [`NotAnArray`](ErrorKind::NotAnArray).
    ///
    /// ```
    /// use npzmap::{Npy, NpyWriter, Npz};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let npy = Npy::new(NpyWriter::stream(Vec::new()).copy(&npz.member("labels")?)?)?;
    /// assert_eq!(npy.read::<i64, ndarray::Ix1>()?.to_vec(), [0, 1, 1]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn copy<R: Source>(mut self, member: &Member<'_, R>) -> Result<S::Finished> {
        member.find(|found| {
            let header = found.header()?;
            let preamble = header.preamble_size();
            let mut left = preamble;
            let mut start = Vec::with_capacity(preamble);
            let (alignment, begin) = (self.alignment, self.output.position());
            let output = &mut self.output;
            super::copy::decode(found, true, &mut |block| {
                let (head, rest) = block.split_at(left.min(block.len()));
                if left > 0 {
                    start.extend(head);
                    left -= head.len();
                    if left == 0 {
                        output.write(&header::pad(std::mem::take(&mut start), begin, alignment)?)?;
                    }
                }
                output.write(rest)
            })
        })?;
        self.finish()
    }

    /// Begins an array that grows row by row: see [`NpzWriter::rows`](crate::NpzWriter::rows).
    ///
    /// # Errors
    ///
    /// As [`NpzWriter::rows`](crate::NpzWriter::rows).
    ///
    /// ```
    /// use npzmap::{Npy, NpyWriter};
    /// use std::io::Cursor;
    ///
    /// let mut rows = NpyWriter::new(Cursor::new(Vec::new()))?.rows::<f32>(&[2])?;
    /// rows.push(&[1.0, 2.0])?;
    /// rows.push(&[3.0, 4.0])?;
    /// let npy = Npy::new(rows.finish()?.into_inner())?;
    /// assert_eq!(npy.read::<f32, ndarray::Ix2>()?.row(1).to_vec(), [3.0, 4.0]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn rows<T: Element>(self, inner: &[usize]) -> Result<NpyRows<T, S>> {
        self.rows_with(inner, None)
    }

    /// The same, with the number of rows, if it is known.
    ///
    /// # Errors
    ///
    /// As [`rows`](NpyWriter::rows).
    ///
    /// ```
    /// use npzmap::NpyWriter;
    ///
    /// let mut rows = NpyWriter::stream(Vec::new()).rows_with::<f32>(&[2], Some(1))?;
    /// rows.push(&[1.0, 2.0])?;
    /// assert_eq!(rows.finish()?.len(), 128 + 8);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn rows_with<T: Element>(self, inner: &[usize], count: Option<usize>) -> Result<NpyRows<T, S>> {
        let NpyWriter { mut output, alignment } = self;
        let start = output.position();
        let mut begin = || {
            let growing = Growing::new(inner, count)?;
            if count.is_none() && !output.sink().seeks() {
                return Err(ErrorKind::NotSeekable.into());
            }
            output.write(&header::pad(growing.preamble()?, start, alignment)?)?;
            Ok(growing)
        };
        match begin() {
            Ok(growing) => Ok(NpyRows { output, alignment, start, growing, broken: false }),
            Err(error) => Err(Error::in_file(error, output.sink().path())),
        }
    }

    fn write(mut self, body: &Body<'_>) -> Result<S::Finished> {
        let output = &mut self.output;
        let written = header::pad(body.preamble.clone(), output.position(), self.alignment)
            .and_then(|preamble| output.write(&preamble))
            .and_then(|()| body.rest(&mut |block| output.write(block)));
        written.map_err(|error| self.about(error))?;
        self.finish()
    }

    fn finish(self) -> Result<S::Finished> {
        let path = self.output.sink().path().map(Path::to_owned);
        self.output.finish().map_err(|error| error.in_file(path.as_deref()))
    }

    fn about(&self, error: Error) -> Error {
        error.in_file(self.output.sink().path())
    }
}

/// The array of a plain file in the making. Made by [`NpyWriter::rows`]; dropped unfinished, it leaves no file behind
/// where [`NpyWriter::create`] began one.
///
/// ```
/// use npzmap::{NpyRows, NpyWriter, Streamed};
///
/// let rows: NpyRows<u8, Streamed<Vec<u8>>> = NpyWriter::stream(Vec::new()).rows_with(&[], Some(0))?;
/// assert_eq!(rows.finish()?.len(), 128);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[must_use = "rows that are not finished are not written"]
pub struct NpyRows<T, S: Sink> {
    output: Output<S>,
    alignment: u64,
    start: u64,
    growing: Growing<T>,
    /// A row was not written whole.
    broken: bool,
}

impl<T: Element, S: Sink> NpyRows<T, S> {
    /// As [`Rows::push`](crate::Rows::push).
    ///
    /// # Errors
    ///
    /// As [`Rows::push`](crate::Rows::push).
    ///
    /// ```
    /// let mut rows = npzmap::NpyWriter::stream(Vec::new()).rows_with::<u8>(&[2], Some(1))?;
    /// assert!(rows.push(&[1]).is_err()); // half a row
    /// rows.push(&[1, 2])?;
    /// assert!(rows.push(&[3, 4]).is_err()); // one too many
    /// assert!(rows.finish()?.ends_with(&[1, 2]));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn push(&mut self, row: &[T]) -> Result<()> {
        let bytes = self.growing.row(row).map_err(|error| error.in_file(self.output.sink().path()))?;
        self.put(|put| put(bytes))
    }

    /// As [`Rows::extend`](crate::Rows::extend).
    ///
    /// # Errors
    ///
    /// As [`Rows::push`](crate::Rows::push).
    ///
    /// ```
    /// use ndarray::array;
    ///
    /// let mut rows = npzmap::NpyWriter::stream(Vec::new()).rows_with::<u8>(&[2], Some(3))?;
    /// rows.extend(&array![[1, 2, 3], [4, 5, 6]].t())?;
    /// assert!(rows.finish()?.ends_with(&[1, 4, 2, 5, 3, 6]));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn extend<A: Data<Elem = T> + Sync, D: Dimension>(&mut self, rows: &ArrayBase<A, D>) -> Result<()> {
        self.growing.block(rows.shape()).map_err(|error| error.in_file(self.output.sink().path()))?;
        self.put(|put| each_block(rows, put))
    }

    fn put(&mut self, work: impl FnOnce(Put<'_>) -> Result<()>) -> Result<()> {
        if self.broken {
            return Err(ErrorKind::Unfinished.into());
        }
        self.broken = true;
        let output = &mut self.output;
        let result = work(&mut |bytes| output.write(bytes));
        self.broken = result.is_err();
        result
    }

    /// Writes the number of rows into the header, and completes the file.
    ///
    /// # Errors
    ///
    /// As [`Rows::finish`](crate::Rows::finish).
    ///
    /// ```
    /// use npzmap::{Npy, NpyWriter};
    /// use std::io::Cursor;
    ///
    /// let mut rows = NpyWriter::new(Cursor::new(Vec::new()))?.rows::<f64>(&[])?;
    /// for i in 0..10 {
    ///     rows.push(&[f64::from(i)])?;
    /// }
    /// let npy = Npy::new(rows.finish()?.into_inner())?;
    /// assert_eq!(npy.header()?.shape(), [10]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn finish(mut self) -> Result<S::Finished> {
        let path = self.output.sink().path().map(Path::to_owned);
        self.complete().and_then(|()| self.output.finish()).map_err(|error| error.in_file(path.as_deref()))
    }

    fn complete(&mut self) -> Result<()> {
        if self.broken {
            return Err(ErrorKind::Unfinished.into());
        }
        let (preamble, _) = self.growing.finish()?;
        if self.growing.is_open() {
            self.output.patch(self.start, &header::pad(preamble, self.start, self.alignment)?)?;
        }
        Ok(())
    }
}

impl<S: Sink> fmt::Debug for NpyWriter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NpyWriter").field("path", &self.output.sink().path()).finish_non_exhaustive()
    }
}

impl<T, S: Sink> fmt::Debug for NpyRows<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NpyRows").field("path", &self.output.sink().path()).finish_non_exhaustive()
    }
}
