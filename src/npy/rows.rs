//! Part of axis 0: which bytes of an array that is, and how to read them with few reads.

use std::ops::Range;

use super::array;
use super::header::{Header, Order};
use crate::error::{ErrorKind, Result};

/// Gaps up to a page are read along: the kernel has read them anyway.
pub(crate) const GAP: usize = 4096;
/// What is read through when gaps are read along.
const SPAN: usize = 1 << 20;

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

    /// Reads the pieces into `bytes`, one after the other. `read_at` reads elements' bytes by their offset; gaps up to
    /// `widest` are read along, to save calls.
    pub(crate) fn gather(
        &self,
        bytes: &mut [u8],
        widest: usize,
        mut read_at: impl FnMut(usize, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        if self.piece == 0 {
            return Ok(());
        }
        if self.stride == self.piece {
            return read_at(self.start, bytes); // one piece after the other
        }
        let at = |index: usize| self.start + index * self.stride;
        let together = match self.stride.checked_sub(self.piece) {
            Some(gap) if widest > 0 && gap <= widest && self.count > 1 => (SPAN / (self.piece + gap)).max(1),
            _ => 1,
        };
        let mut span = Vec::new();
        let groups = bytes.chunks_mut(self.piece * together);
        for (group, first) in groups.zip((0..self.count).step_by(together)) {
            let pieces = group.len() / self.piece;
            if pieces <= 1 {
                read_at(at(first), group)?;
                continue;
            }
            span.resize((pieces - 1) * self.stride + self.piece, 0);
            read_at(at(first), &mut span)?;
            for (to, from) in group.chunks_exact_mut(self.piece).zip(span.chunks(self.stride)) {
                to.copy_from_slice(&from[..self.piece]);
            }
        }
        Ok(())
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
            block.resize((pieces - 1) * self.stride + self.piece, 0);
            read(reader, &mut block)?;
            for (to, from) in group.chunks_exact_mut(self.piece).zip(block.chunks(self.stride)) {
                to.copy_from_slice(&from[..self.piece]);
            }
        }
        Ok(())
    }
}
