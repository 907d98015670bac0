//! Where bytes go: a file that takes its target's place, anything that can seek, anything that can write.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Where a writer's bytes go: an [`AtomicFile`](crate::AtomicFile), a [`Seekable`], or a [`Streamed`].
///
/// ```
/// use npzmap::{NpzWriter, Sink};
///
/// fn add_answer<S: Sink>(w: &mut NpzWriter<S>) -> npzmap::Result<()> {
///     w.add("answer", &42)
/// }
///
/// let mut w = NpzWriter::stream(Vec::new());
/// add_answer(&mut w)?;
/// assert!(w.finish()?.starts_with(b"PK\x03\x04"));
/// # Ok::<(), npzmap::Error>(())
/// ```
pub trait Sink: Backend {}

impl<B: Backend> Sink for B {}

pub(crate) mod backend {
    use super::*;

    /// What a writer needs of its sink.
    pub trait Backend: Sized {
        /// What is left when everything is written.
        type Finished;

        fn put(&mut self, bytes: &[u8]) -> io::Result<()>;

        /// Where the next byte goes, if the sink can say so; then it can [`seek_to`](Backend::seek_to) another place.
        fn position(&mut self) -> io::Result<Option<u64>>;

        fn seek_to(&mut self, position: u64) -> io::Result<()>;

        /// Takes off what lies behind `length`; false where that cannot be done.
        fn truncate(&mut self, _length: u64) -> io::Result<bool> {
            Ok(false)
        }

        fn seeks(&self) -> bool {
            true
        }

        /// The file's name, for errors.
        fn path(&self) -> Option<&Path> {
            None
        }

        fn finish(self) -> Result<Self::Finished>;
    }
}

pub(crate) use backend::Backend;

/// A sink that can go back to fill in what was not known before: a file, a [`Cursor`](std::io::Cursor).
///
/// ```
/// use npzmap::{NpzWriter, Seekable};
/// use std::io::Cursor;
///
/// let w: NpzWriter<Seekable<Cursor<Vec<u8>>>> = NpzWriter::new(Cursor::new(Vec::new()))?;
/// assert_eq!(w.finish()?.into_inner().len(), 22); // an empty archive
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Debug)]
pub struct Seekable<W>(W);

impl<W: Write + Seek> Seekable<W> {
    /// The sink, and where the archive begins in it.
    pub(super) fn new(mut sink: W) -> Result<(Self, u64)> {
        let start = sink.stream_position()?;
        let end = sink.seek(SeekFrom::End(0))?;
        if end > start {
            let bytes = end - start;
            return Err(ErrorKind::SinkNotAtEnd { bytes }.into());
        }
        sink.seek(SeekFrom::Start(start))?;
        Ok((Seekable(sink), start))
    }
}

impl<W: Write + Seek> Backend for Seekable<W> {
    type Finished = W;

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn position(&mut self) -> io::Result<Option<u64>> {
        self.0.stream_position().map(Some)
    }

    fn seek_to(&mut self, position: u64) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(position)).map(drop)
    }

    fn finish(mut self) -> Result<W> {
        self.0.flush()?;
        Ok(self.0)
    }
}

/// A sink that only goes forward: a pipe, a socket, a compressor. What is not known when a member begins follows its
/// data.
///
/// ```
/// use npzmap::{NpzWriter, Streamed};
///
/// let w: NpzWriter<Streamed<std::io::Stdout>> = NpzWriter::stream(std::io::stdout());
/// # drop(w);
/// ```
#[derive(Debug)]
pub struct Streamed<W>(W);

impl<W: Write> Streamed<W> {
    pub(super) fn new(sink: W) -> Self {
        Streamed(sink)
    }
}

impl<W: Write> Backend for Streamed<W> {
    type Finished = W;

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn position(&mut self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn seek_to(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::NotSeekable.into())
    }

    fn seeks(&self) -> bool {
        false
    }

    fn finish(mut self) -> Result<W> {
        self.0.flush()?;
        Ok(self.0)
    }
}

/// Small pieces are gathered up to this size; what is larger goes past the buffer.
const BUFFER: usize = 256 << 10;

/// A sink behind a buffer, with the position of the next byte.
pub(super) struct Output<S> {
    sink: S,
    buffer: Vec<u8>,
    /// Where the buffer's first byte goes.
    flushed: u64,
    /// What was given to the sink at most, before it went back.
    reached: u64,
    /// The sink failed: nobody knows what it holds.
    failed: bool,
}

impl<S: Backend> Output<S> {
    pub(super) fn new(sink: S, position: u64) -> Self {
        Output { sink, buffer: Vec::new(), flushed: position, reached: position, failed: false }
    }

    pub(super) fn sink(&self) -> &S {
        &self.sink
    }

    pub(super) fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    // Does not saturate: `write` refuses what ends beyond 2^64.
    pub(super) fn position(&self) -> u64 {
        self.flushed.saturating_add(self.buffer.len() as u64)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.position().checked_add(bytes.len() as u64).is_none() {
            return Err(Error::from(io::Error::from(io::ErrorKind::FileTooLarge)).in_file(self.sink.path()));
        }
        if self.buffer.len().saturating_add(bytes.len()) > BUFFER {
            self.flush()?;
        }
        if bytes.len() >= BUFFER {
            self.on_sink(|sink| sink.put(bytes))?;
            self.flushed += bytes.len() as u64;
        } else {
            self.buffer.extend(bytes);
        }
        Ok(())
    }

    /// Works on the sink. Once that failed, nothing is done any more: whoever swallows an error does not make an archive
    /// with a hole.
    fn on_sink<R>(&mut self, work: impl FnOnce(&mut S) -> io::Result<R>) -> Result<R> {
        if self.failed {
            return Err(ErrorKind::Unfinished.into());
        }
        work(&mut self.sink).map_err(|error| {
            self.failed = true;
            // The sink knows its file: it is not that of a member that is being copied.
            Error::from(error).in_file(self.sink.path())
        })
    }

    fn flush(&mut self) -> Result<()> {
        if !self.buffer.is_empty() {
            let buffer = std::mem::take(&mut self.buffer);
            self.on_sink(|sink| sink.put(&buffer))?;
            self.flushed += buffer.len() as u64;
            self.buffer = buffer;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes over what was written at `offset`.
    pub(super) fn patch(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let buffered = offset.checked_sub(self.flushed).and_then(|start| usize::try_from(start).ok());
        if let Some(place) = buffered.and_then(|start| self.buffer.get_mut(start..)?.get_mut(..bytes.len())) {
            place.copy_from_slice(bytes);
            return Ok(());
        }
        self.flush()?;
        self.on_sink(|sink| sink.seek_to(offset).and_then(|()| sink.put(bytes)))?;
        self.check_position(offset.saturating_add(bytes.len() as u64))?;
        let end = self.flushed;
        self.on_sink(|sink| sink.seek_to(end))
    }

    /// Goes back to a position that was passed; what was written from there on will be written over.
    pub(super) fn rewind(&mut self, position: u64) -> Result<()> {
        self.on_sink(|_| Ok(()))?;
        match position.checked_sub(self.flushed) {
            Some(left) => self.buffer.truncate(usize::try_from(left).unwrap_or(usize::MAX)),
            None => {
                self.buffer.clear();
                self.on_sink(|sink| sink.seek_to(position))?;
                self.reached = self.reached.max(self.flushed);
                self.flushed = position;
            }
        }
        Ok(())
    }

    /// Sees to it that nothing of what was written before a [`rewind`](Output::rewind) is left behind the end.
    pub(super) fn cover(&mut self) -> Result<()> {
        self.flush()?;
        let end = self.flushed;
        if end >= self.reached || self.on_sink(|sink| sink.truncate(end))? {
            return Ok(());
        }
        let mut left = self.reached - end;
        while left > 0 {
            let some = left.min(BUFFER as u64);
            self.write(&vec![0; usize::try_from(some).unwrap_or(BUFFER)])?;
            left -= some;
        }
        Ok(())
    }

    /// Holds the position that was counted against the sink's own, if it knows it: one that is shared, or always
    /// appends, does not put bytes where they were meant to go.
    pub(super) fn check(&mut self) -> Result<()> {
        self.check_position(self.flushed)
    }

    fn check_position(&mut self, expected: u64) -> Result<()> {
        match self.on_sink(|sink| sink.position())? {
            Some(found) if found != expected => {
                self.failed = true;
                Err(ErrorKind::SinkMoved { found, expected }.into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn finish(mut self) -> Result<S::Finished> {
        self.flush()?;
        self.check()?;
        self.sink.finish()
    }
}
