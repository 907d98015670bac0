//! Part of axis 0: which bytes of an array that is, and how to read them with few reads.

use std::ops::Range;

use super::array;
use super::header::{Header, Order};
use super::swap::Landing;
use crate::buffer;
use crate::error::{ErrorKind, Result};

/// Gaps up to a page are read along: the kernel has read them anyway.
pub(crate) const GAP: usize = 4096;
/// What is read through when gaps are read along, by each thread.
const SPAN: usize = 512 << 10;

/// The rows of an array as pieces of its elements' bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// The bytes before the first piece.
    start: usize,
    /// The length of a piece.
    piece: usize,
    /// From the start of one piece to that of the next.
    stride: usize,
    /// The number of pieces: one in C order; in Fortran order, one for each column.
    count: usize,
}

/// The header of the part, and where it lies.
pub(crate) fn plan(header: &Header, range: Range<usize>) -> Result<(Header, Rows)> {
    let Some(rows) = header.shape().first().copied() else {
        return Err(ErrorKind::DimensionMismatch { found: 0, expected: 1 }.into());
    };
    if range.start > range.end || range.end > rows {
        let Range { start, end } = range;
        return Err(ErrorKind::RowsOutOfRange { start, end, rows }.into());
    }
    let part = header.with_rows(range.len())?;
    // The products fit: they are no larger than the array's own size, which was checked.
    let item = header.dtype().item_size();
    let inner = header.count().checked_div(rows).unwrap_or(0);
    let rows = match header.order() {
        Order::C => Rows { start: range.start * inner * item, piece: range.len() * inner * item, stride: 0, count: 1 },
        Order::Fortran => {
            Rows { start: range.start * item, piece: range.len() * item, stride: rows * item, count: inner }
        }
    };
    Ok((part, rows))
}

impl Rows {
    /// The position in the array of the element at `index` of the part, as both lie; of items of `item` bytes.
    pub(crate) fn position(&self, index: usize, item: usize) -> usize {
        let (piece, within) = match (index * item).checked_div(self.piece) {
            Some(piece) => (piece, (index * item) % self.piece),
            None => (0, 0),
        };
        (self.start + piece * self.stride + within) / item.max(1)
    }

    /// How to read the pieces one after the other into memory, about `most` bytes at a time, of items as `landing` has
    /// them; gaps up to `widest` are read along, to save calls.
    pub(crate) fn groups<'r>(&'r self, widest: usize, most: usize, landing: Landing<'r>) -> Groups<'r> {
        let gap = self.stride.saturating_sub(self.piece);
        // One after the other, or one alone.
        let (bytes, pieces) = if gap == 0 || self.count <= 1 {
            (landing.whole(most), 0)
        } else if gap <= widest {
            let pieces = (SPAN / self.stride).max(1);
            (self.piece.saturating_mul(pieces), pieces)
        } else {
            (self.piece, 1)
        };
        Groups { rows: self, landing, bytes: bytes.max(1), pieces }
    }

    /// The same from a stream: `skip` passes over bytes, `read` takes them. Nothing behind the last piece is touched.
    pub(crate) fn stream<R>(
        &self,
        bytes: &mut [u8],
        reader: &mut R,
        skip: impl Fn(&mut R, usize) -> Result<()>,
        read: impl Fn(&mut R, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        if self.piece == 0 || self.count == 0 {
            return Ok(());
        }
        let gap = self.stride.saturating_sub(self.piece);
        // Pieces that lie close are decoded together with what lies between: a call for each costs more than its bytes.
        let together = if gap == 0 { self.count } else { (array::BLOCK / self.stride).clamp(1, self.count) };
        let mut block = Vec::new();
        let mut before = self.start;
        for group in bytes.chunks_mut(self.piece.saturating_mul(together)) {
            skip(reader, before)?;
            before = gap;
            let pieces = group.len() / self.piece;
            if gap == 0 || pieces <= 1 {
                read(reader, group)?;
                continue;
            }
            buffer::resize(&mut block, (pieces - 1) * self.stride + self.piece)?;
            read(reader, &mut block)?;
            for (to, from) in group.chunks_exact_mut(self.piece).zip(block.chunks(self.stride)) {
                to.copy_from_slice(&from[..self.piece]);
            }
        }
        Ok(())
    }
}

/// Pieces that are read together.
#[derive(Clone, Copy)]
pub(crate) struct Groups<'r> {
    rows: &'r Rows,
    landing: Landing<'r>,
    bytes: usize,
    /// Whole pieces with gaps between them; 0 where a group is a part of one.
    pieces: usize,
}

impl Groups<'_> {
    /// The bytes of a group in memory, but for the last.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Reads the group of this number. `read_at` reads elements' bytes by their offset; `span` is for bytes that are read
    /// along.
    pub(crate) fn read(
        &self,
        number: usize,
        group: &mut [u8],
        span: &mut Vec<u8>,
        mut read_at: impl FnMut(usize, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        let Rows { start, piece, stride, .. } = *self.rows;
        if self.pieces == 0 {
            return self.read_piece(start + number * self.bytes, group, read_at);
        }
        let at = start + number * self.pieces * stride;
        let pieces = group.len() / piece;
        if pieces <= 1 {
            return self.read_piece(at, group, read_at);
        }
        buffer::resize(span, (pieces - 1) * stride + piece)?;
        read_at(at, span)?;
        for (to, from) in group.chunks_exact_mut(piece).zip(span.chunks(stride)) {
            to.copy_from_slice(&from[..piece]);
        }
        self.landing.land(group);
        Ok(())
    }

    /// What needs work after it was read is read in blocks that stay in cache.
    fn read_piece(
        &self,
        at: usize,
        piece: &mut [u8],
        mut read_at: impl FnMut(usize, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        if self.landing.is_none() {
            return read_at(at, piece);
        }
        let block = self.landing.whole(array::BLOCK);
        for (number, bytes) in piece.chunks_mut(block).enumerate() {
            read_at(at + number * block, bytes)?;
            self.landing.land(bytes);
        }
        Ok(())
    }
}
