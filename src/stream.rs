//! `Stream`: the bytes of a member or an array one after the other, of any size and in bounded memory.

use std::fmt;
use std::io::{self, BufRead};

use crate::container::decode::Content;
use crate::error::{Error, ErrorKind, Result};
use crate::found::{Found, Opened};
use crate::npy::header::Header;
use crate::options::Verify;
use crate::source::Source;

/// The bytes of a member or of an array, decoded, in the order of the file. [`Member::stream`](crate::Member::stream),
/// [`Member::stream_elements`](crate::Member::stream_elements) and [`Npy::stream_elements`](crate::Npy::stream_elements)
/// lend one.
///
/// It is a [`Read`](io::Read), too. Its own [`read_exact`](Stream::read_exact) gives errors that are typed and know the
/// member.
///
/// ```
/// use npzmap::Npz;
///
/// let npz = Npz::open("tests/data/model-batch.npz")?;
/// let notes = npz.member("labels")?.stream(|stream| std::io::copy(stream, &mut std::io::sink()))?;
/// assert_eq!(notes, 152);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Stream<'s> {
    content: &'s mut dyn Bytes,
    about: &'s dyn Fn(Error) -> Error,
}

/// What a [`Stream`] is made of. An object, so that it has one lifetime less.
trait Bytes {
    fn left(&self) -> u64;
    fn read_exact(&mut self, buf: &mut [u8]) -> Result<()>;
}

impl<I: BufRead> Bytes for Content<I> {
    fn left(&self) -> u64 {
        self.left()
    }

    fn read_exact(&mut self, buf: &mut [u8]) -> Result<()> {
        self.read_exact(buf)
    }
}

impl Stream<'_> {
    /// The number of bytes that were not read yet.
    ///
    /// ```
    /// let npz = npzmap::Npz::open("tests/data/model-batch.npz")?;
    /// let left = npz.member("labels")?.stream_elements(|_, stream| Ok::<_, npzmap::Error>(stream.left()))?;
    /// assert_eq!(left, 3 * 8);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn left(&self) -> u64 {
        self.content.left()
    }

    /// Fills `buf` with the next bytes.
    ///
    /// # Errors
    ///
    /// What is wrong with the data; [`BadStream`](ErrorKind::BadStream) when fewer bytes are left.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let magic = npz.member("labels")?.stream(|stream| {
    ///     let mut magic = [0; 6];
    ///     stream.read_exact(&mut magic).map(|()| magic)
    /// })?;
    /// assert_eq!(magic, *b"\x93NUMPY");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_exact(&mut self, buf: &mut [u8]) -> Result<()> {
        self.content.read_exact(buf).map_err(self.about)
    }
}

impl io::Read for Stream<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = buf.len().min(usize::try_from(self.left()).unwrap_or(usize::MAX));
        Stream::read_exact(self, &mut buf[..count])?;
        Ok(count)
    }
}

impl fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("left", &self.left()).finish_non_exhaustive()
    }
}

impl<S: Source> Found<'_, S> {
    /// Lends the content. Whoever reads all of it has it checked against its CRC-32.
    pub(crate) fn stream<T, E>(
        &self,
        about: &dyn Fn(Error) -> Error,
        work: impl FnOnce(&mut Stream<'_>) -> Result<T, E>,
    ) -> Result<Result<T, E>> {
        let about = |error: Error| about(self.locate_fault(error));
        self.lend_stream(&mut self.content(self.checks_copies())?, &about, work)
    }

    /// Lends the elements.
    pub(crate) fn stream_elements<T, E>(
        &self,
        about: &dyn Fn(Error) -> Error,
        work: impl FnOnce(&Header, &mut Stream<'_>) -> Result<T, E>,
    ) -> Result<Result<T, E>> {
        let Opened { header, mut content, .. } = self.array(self.checks_copies())?;
        if header.dtype().has_object() {
            return Err(ErrorKind::Pickled.into());
        }
        let about = |error: Error| about(self.locate_fault(error));
        self.lend_stream(&mut content, &about, |stream| work(&header, stream))
    }

    fn lend_stream<T, E>(
        &self,
        content: &mut Content<impl BufRead>,
        about: &dyn Fn(Error) -> Error,
        work: impl FnOnce(&mut Stream<'_>) -> Result<T, E>,
    ) -> Result<Result<T, E>> {
        let result = work(&mut Stream { content, about });
        if result.is_ok() && (content.left() == 0 || self.verify == Verify::Always) {
            content.finish()?;
        }
        Ok(result)
    }
}
