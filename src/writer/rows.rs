//! Arrays larger than memory, written row by row.

use std::fmt;
use std::marker::PhantomData;

use ndarray::{ArrayBase, Data, Dimension};

use super::body::Put;
use super::member::{Begun, Plan, most_deflated};
use super::options::{Coding, MemberOptions};
use super::sink::{Backend, Output, Sink};
use super::{NpzWriter, key_of};
use crate::container::record::method;
use crate::container::write::{Sizes, WIDE};
use crate::error::{Error, ErrorKind, Result};
use crate::npy::element::Element;
use crate::npy::header::{Header, Order};
use crate::npy::item::Item;

/// What is known of an array that grows along axis 0.
pub(super) struct Growing<T> {
    shape: Vec<usize>,
    /// Elements in a row.
    row: usize,
    rows: usize,
    expected: Option<usize>,
    element: PhantomData<fn(T)>,
}

impl<T: Element> Growing<T> {
    pub(super) fn new(inner: &[usize], expected: Option<usize>) -> Result<Self> {
        let shape: Vec<usize> = [expected.unwrap_or(0)].iter().chain(inner).copied().collect();
        let header = Header::new(T::dtype_of(std::iter::empty())?, &shape, Order::C)?;
        // One row, so that it can be addressed, also where no number of them is given.
        let one: Vec<usize> = [1].iter().chain(inner).copied().collect();
        let row = header.of_part(header.dtype(), &one, Order::C)?.count();
        if header.dtype().item_size() == 0 {
            return Err(ErrorKind::ZeroSizedItems { count: row }.into());
        }
        Ok(Growing { shape, row, rows: 0, expected, element: PhantomData })
    }

    /// The preamble as it is for now. It has the same length whatever the number of rows: NumPy reserves blanks for it.
    pub(super) fn preamble(&self) -> Result<Vec<u8>> {
        let header = Header::new(T::dtype(), &self.shape, Order::C)?;
        Ok(T::spell(header.to_bytes()))
    }

    /// The bytes of elements, if their number is expected.
    pub(super) fn expected_nbytes(&self) -> Option<u64> {
        let elements = self.expected?.saturating_mul(self.row);
        Some(elements.saturating_mul(size_of::<T>()) as u64)
    }

    /// Whether the preamble must be written anew at the end.
    pub(super) fn is_open(&self) -> bool {
        self.expected.is_none()
    }

    fn add(&mut self, rows: usize) -> Result<()> {
        let total = self.rows.saturating_add(rows);
        if let Some(expected) = self.expected.filter(|expected| total > *expected) {
            return Err(ErrorKind::RowCount { found: total, expected }.into());
        }
        self.rows = total;
        Ok(())
    }

    /// One row, as a slice.
    pub(super) fn row<'r>(&mut self, row: &'r [T]) -> Result<&'r [u8]> {
        if row.len() != self.row {
            let (found, expected) = (vec![row.len()], self.shape.get(1..).unwrap_or_default().to_vec());
            return Err(ErrorKind::ShapeMismatch { found, expected }.into());
        }
        self.add(1)?;
        Ok(bytemuck::cast_slice(row))
    }

    /// Rows, as an array whose axis 0 counts them.
    pub(super) fn block(&mut self, shape: &[usize]) -> Result<()> {
        match shape {
            [rows, inner @ ..] if Some(inner) == self.shape.get(1..) => self.add(*rows),
            _ => {
                let (found, mut expected) = (shape.to_vec(), self.shape.clone());
                // As many as are given.
                expected.iter_mut().zip(shape).take(1).for_each(|(to, rows)| *to = *rows);
                Err(ErrorKind::ShapeMismatch { found, expected }.into())
            }
        }
    }

    /// No more rows: the preamble as it must be, and the bytes of all elements.
    pub(super) fn finish(&mut self) -> Result<(Vec<u8>, u64)> {
        if let Some(expected) = self.expected.filter(|expected| *expected != self.rows) {
            return Err(ErrorKind::RowCount { found: self.rows, expected }.into());
        }
        if let Some(first) = self.shape.first_mut() {
            *first = self.rows;
        }
        let header = Header::new(T::dtype(), &self.shape, Order::C)?;
        Ok((T::spell(header.to_bytes()), header.nbytes() as u64))
    }
}

/// Hands over the elements of rows of any strides, in C order.
pub(super) fn each_block<T: Element, A: Data<Elem = T> + Sync, D: Dimension>(
    rows: &ArrayBase<A, D>,
    put: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let view = rows.view();
    // Not `Save::blocks`, which keeps Fortran order.
    if let Some(slice) = view.to_slice() {
        return put(bytemuck::cast_slice(slice));
    }
    T::gather(view.into_dyn(), size_of::<T>(), put)
}

/// An array in the making: rows are added, then it is finished. Made by [`NpzWriter::rows`].
///
/// Dropped unfinished, it takes back what it wrote, if the sink can seek; else the writer refuses to go on.
///
/// ```
/// use npzmap::{Npz, NpzWriter};
/// use ndarray::{Ix2, array};
/// use std::io::Cursor;
///
/// let mut w = NpzWriter::new(Cursor::new(Vec::new()))?;
/// let mut rows = w.rows::<f32>("emb", &[3])?;
/// rows.push(&[1.0, 2.0, 3.0])?;
/// rows.extend(&array![[4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])?;
/// rows.finish()?;
/// let npz = Npz::new(w.finish()?.into_inner())?;
/// assert_eq!(npz.read::<f32, Ix2>("emb")?.row(2).to_vec(), [7.0, 8.0, 9.0]);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[must_use = "rows that are not finished are not in the archive"]
pub struct Rows<'w, T, S: Sink> {
    writer: &'w mut NpzWriter<S>,
    name: Box<str>,
    /// Where the member begins.
    start: u64,
    /// Where its content begins.
    content: u64,
    /// Taken when it is completed.
    begun: Option<Begun>,
    /// A row was not written whole.
    broken: bool,
    growing: Growing<T>,
    coder: Coder,
    /// Of the elements alone; that of the preamble goes before it at the end.
    crc: crc32fast::Hasher,
}

enum Coder {
    Store,
    #[cfg(feature = "deflate")]
    Deflate(Box<super::body::Deflater>),
}

impl<T: Element, S: Sink> Rows<'_, T, S> {
    pub(super) fn begin<'w>(
        writer: &'w mut NpzWriter<S>,
        name: &str,
        inner: &[usize],
        count: Option<usize>,
        options: MemberOptions,
    ) -> Result<Rows<'w, T, S>> {
        let growing = Growing::new(inner, count)?;
        if count.is_none() && !writer.output.sink().seeks() {
            return Err(ErrorKind::NotSeekable.into());
        }
        let preamble = growing.preamble()?;
        let inside = preamble.len() as u64;
        let content = growing.expected_nbytes().map(|nbytes| nbytes.saturating_add(inside));
        let (method, largest, inside) = match options.coding.unwrap_or(Coding::Store).check()? {
            Coding::Store => (method::STORED, content.unwrap_or(WIDE), Some(inside)),
            Coding::Deflate { .. } => (method::DEFLATED, content.map_or(WIDE, most_deflated), None),
        };
        let coder = Coder::new(options)?;
        let start = writer.output.position();
        let begun = writer.begin(name, Plan { method, flags: 0, known: None, largest, inside });
        let begun = begun.and_then(|begun| writer.output.write(&coder.enclose(&preamble)).map(|()| begun));
        match begun {
            Ok(begun) => {
                let (name, content, crc) = (name.into(), begun.local.content(), crc32fast::Hasher::new());
                let begun = Some(begun);
                Ok(Rows { writer, name, start, content, begun, broken: false, growing, coder, crc })
            }
            Err(error) => {
                writer.abandon(start);
                Err(error)
            }
        }
    }

    /// Adds one row: its elements, in C order.
    ///
    /// # Errors
    ///
    /// [`ShapeMismatch`](ErrorKind::ShapeMismatch) for another number of elements, [`RowCount`](ErrorKind::RowCount) for
    /// one row too many; both leave the rows as they were. Those of the sink.
    ///
    /// ```
    /// use npzmap::{Npz, NpzWriter};
    ///
    /// let mut w = NpzWriter::new(std::io::Cursor::new(Vec::new()))?;
    /// let mut rows = w.rows::<u8>("pixels", &[2, 2])?;
    /// rows.push(&[1, 2, 3, 4])?;
    /// assert!(rows.push(&[5, 6]).is_err());
    /// rows.finish()?;
    /// let npz = Npz::new(w.finish()?.into_inner())?;
    /// assert_eq!(npz.member("pixels")?.header()?.shape(), [1, 2, 2]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn push(&mut self, row: &[T]) -> Result<()> {
        let bytes = self.growing.row(row).map_err(|error| self.about(error))?;
        self.put(|put| put(bytes))
    }

    /// Adds rows: an array whose axis 0 counts them, of any strides.
    ///
    /// # Errors
    ///
    /// As [`push`](Rows::push).
    ///
    /// ```
    /// use npzmap::{Npz, NpzWriter};
    /// use ndarray::{Array2, Ix2};
    ///
    /// let mut w = NpzWriter::new(std::io::Cursor::new(Vec::new()))?;
    /// let mut rows = w.rows::<f64>("emb", &[768])?;
    /// for batch in 0..4 {
    ///     rows.extend(&Array2::from_elem((100, 768), f64::from(batch)))?;
    /// }
    /// rows.finish()?;
    /// let npz = Npz::new(w.finish()?.into_inner())?;
    /// assert_eq!(npz.view::<f64, Ix2>("emb")?.dim(), (400, 768));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn extend<A: Data<Elem = T> + Sync, D: Dimension>(&mut self, rows: &ArrayBase<A, D>) -> Result<()> {
        self.growing.block(rows.shape()).map_err(|error| self.about(error))?;
        self.put(|put| each_block(rows, put))
    }

    fn put(&mut self, work: impl FnOnce(Put<'_>) -> Result<()>) -> Result<()> {
        if self.broken {
            return Err(self.about(ErrorKind::Unfinished.into()));
        }
        self.broken = true;
        let (crc, coder, output) = (&mut self.crc, &mut self.coder, &mut self.writer.output);
        let result = work(&mut |bytes| {
            crc.update(bytes);
            coder.put(bytes, output)
        });
        self.broken = result.is_err();
        result.map_err(|error| self.about(error))
    }

    /// Writes the number of rows into the header, and the member into the directory.
    ///
    /// # Errors
    ///
    /// [`RowCount`](ErrorKind::RowCount) if another number of rows was announced. Those of the sink.
    ///
    /// ```
    /// use npzmap::{ErrorKind, MemberOptions, NpzWriter};
    ///
    /// let mut w = NpzWriter::stream(Vec::new());
    /// let mut rows = w.rows_with::<f32>("emb", &[3], Some(2), MemberOptions::new())?;
    /// rows.push(&[1.0, 2.0, 3.0])?;
    /// let error = rows.finish().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::RowCount { found: 1, expected: 2 }));
    /// assert!(matches!(w.finish().unwrap_err().kind(), ErrorKind::Unfinished)); // a stream does not go back
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn finish(mut self) -> Result<()> {
        self.complete().map_err(|error| self.about(error))
    }

    fn about(&self, error: Error) -> Error {
        self.writer.about(key_of(&self.name), error)
    }

    fn complete(&mut self) -> Result<()> {
        if self.broken {
            return Err(ErrorKind::Unfinished.into());
        }
        let (preamble, nbytes) = self.growing.finish()?;
        let output = &mut self.writer.output;
        self.coder.finish(output)?;
        let compressed_size = output.position() - self.content;
        if self.growing.is_open() {
            output.patch(self.content, &self.coder.enclose(&preamble))?;
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&preamble);
        crc.combine(&self.crc);
        let size = nbytes.saturating_add(preamble.len() as u64);
        if let Some(begun) = self.begun.take() {
            self.writer.end(begun, Sizes { crc32: crc.finalize(), compressed_size, size })?;
        }
        self.writer.directory.drop_old(&self.name);
        Ok(())
    }
}

/// What was not finished is taken back.
impl<T, S: Sink> Drop for Rows<'_, T, S> {
    fn drop(&mut self) {
        self.writer.abandon(self.start);
    }
}

impl Coder {
    fn new(options: MemberOptions) -> Result<Self> {
        match options.coding.unwrap_or(Coding::Store) {
            Coding::Store => Ok(Coder::Store),
            #[cfg(feature = "deflate")]
            Coding::Deflate { level, .. } => Ok(Coder::Deflate(Box::new(super::body::Deflater::new(level, u64::MAX)))),
            #[cfg(not(feature = "deflate"))]
            Coding::Deflate { .. } => {
                let method = method::DEFLATED;
                Err(ErrorKind::UnsupportedMethod { method }.into())
            }
        }
    }

    /// The preamble as it stands in the file. In a deflate stream it gets blocks that are not compressed (RFC 1951,
    /// 3.2.4), so that it can be written over; the stream of the elements follows them.
    fn enclose(&self, preamble: &[u8]) -> Vec<u8> {
        match self {
            Coder::Store => preamble.to_vec(),
            #[cfg(feature = "deflate")]
            Coder::Deflate(_) => preamble
                .chunks(usize::from(u16::MAX))
                .flat_map(|chunk| {
                    let length = u16::try_from(chunk.len()).unwrap_or(u16::MAX);
                    let lengths = [length, !length].map(u16::to_le_bytes);
                    [&[0], lengths.as_flattened(), chunk].concat()
                })
                .collect(),
        }
    }

    fn put<S: Backend>(&mut self, bytes: &[u8], output: &mut Output<S>) -> Result<()> {
        match self {
            Coder::Store => output.write(bytes),
            #[cfg(feature = "deflate")]
            Coder::Deflate(deflater) => deflater.feed(bytes, &mut |block| output.write(block)),
        }
    }

    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "stored rows need no end"))]
    fn finish<S: Backend>(&mut self, output: &mut Output<S>) -> Result<()> {
        match self {
            Coder::Store => Ok(()),
            #[cfg(feature = "deflate")]
            Coder::Deflate(deflater) => deflater.finish(&mut |block| output.write(block)),
        }
    }
}

impl<T, S: Sink> fmt::Debug for Rows<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("key", &key_of(&self.name))
            .field("rows", &self.growing.rows)
            .finish_non_exhaustive()
    }
}
