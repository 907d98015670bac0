//! A part of a source as a stream, for decoders.

use std::io::{self, BufRead};
use std::ops::Range;

use crate::buffer;
use crate::bytes::window;
use crate::source::{Source, read_at};

/// A range of a source as a stream: lent where it lies if the source is in memory, else read by position, into
/// the caller's memory or through a buffer.
pub(crate) struct Section<'a, S: ?Sized> {
    source: &'a S,
    range: Range<u64>,
    buffer: Vec<u8>,
    /// What of the buffer was not consumed.
    unread: Range<usize>,
}

/// Large enough for the decoder to run undisturbed.
const BUFFER: u64 = 256 << 10;

impl<'a, S: Source + ?Sized> Section<'a, S> {
    /// The bytes at `range`, the first of which may have been `seen` already.
    pub(crate) fn new(source: &'a S, mut range: Range<u64>, seen: Vec<u8>) -> Self {
        range.end = range.end.max(range.start);
        let unread = 0..seen.len();
        range.start = range.start.saturating_add(seen.len() as u64).min(range.end);
        Section { source, range, buffer: seen, unread }
    }

    fn lent(&self) -> Option<io::Result<&'a [u8]>> {
        let slice = self.source.as_slice()?;
        let found = window(slice, 0, self.range.clone());
        Some(found.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()))
    }
}

impl<S: Source + ?Sized> io::Read for Section<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
        if self.unread.is_empty() && left > 0 && self.source.as_slice().is_none() {
            let count = left.min(buf.len());
            read_at(self.source, self.range.start, &mut buf[..count])?;
            self.range.start += count as u64;
            return Ok(count);
        }
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(buf.len());
        buf[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<S: Source + ?Sized> BufRead for Section<'_, S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.unread.is_empty() {
            if let Some(lent) = self.lent() {
                return lent;
            }
            let count = (self.range.end - self.range.start).min(BUFFER) as usize;
            if count == 0 {
                return Ok(&[]); // no read, which a source far away would be asked for
            }
            buffer::resize(&mut self.buffer, count)?;
            read_at(self.source, self.range.start, &mut self.buffer)?;
            self.range.start += count as u64;
            self.unread = 0..count;
        }
        Ok(&self.buffer[self.unread.clone()])
    }

    fn consume(&mut self, count: usize) {
        if self.unread.is_empty() {
            self.range.start = (self.range.start + count as u64).min(self.range.end);
        } else {
            self.unread.start = (self.unread.start + count).min(self.unread.end);
        }
    }
}
