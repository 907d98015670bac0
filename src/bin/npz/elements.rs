//! The elements of an array in C order, whatever order they lie in, in bounded memory where that is possible.

use npzmap::{Header, Order, Stream};

use crate::args::Reading;
use crate::exit::Result;
use crate::input::Entry;

/// Elements one after the other.
pub(crate) trait Pull {
    /// The next bytes of them.
    fn pull(&mut self, bytes: &mut [u8]) -> Result<()>;
}

impl Pull for Stream<'_> {
    fn pull(&mut self, bytes: &mut [u8]) -> Result<()> {
        Ok(self.read_exact(bytes)?)
    }
}

/// A Fortran array up to this size is turned round in memory.
const HELD: usize = 256 << 20;
/// What is turned round at once.
const TURNED: usize = 4 << 20;

/// Whether the bytes lie in C order; those of an axis or none do in both.
pub(crate) fn is_c(header: &Header) -> bool {
    header.order() == Order::C || header.shape().iter().filter(|length| **length != 1).count() < 2
}

/// Lends the elements in C order, in the file's byte order.
pub(crate) fn in_c_order<T>(
    entry: &Entry<'_>,
    reading: &Reading,
    work: impl FnOnce(&Header, &mut dyn Pull) -> Result<T>,
) -> Result<T> {
    let header = entry.header()?;
    if is_c(&header) || header.dtype().has_object() || header.nbytes() == 0 {
        return entry.stream_elements(|header, stream| work(header, stream));
    }
    // Compressed, there is no other way than to hold all of it.
    if let Some(at) = entry.payload_offset()?.filter(|_| header.nbytes() > HELD) {
        let inner = header.nbytes() / header.shape()[0];
        let block = (HELD / inner).clamp(1, header.shape()[0]);
        let rows = |from: usize, count: usize| gather(entry, &header, at, from, count);
        return work(&header, &mut Turned::new(entry, &header, block, &rows));
    }
    reading.check(&entry.key(), header.nbytes())?;
    let bytes = entry.stream_elements(|header, stream| {
        let mut bytes = entry.zeroed(header.nbytes())?;
        stream.pull(&mut bytes).map(|()| bytes)
    })?;
    let all = std::cell::Cell::new(bytes);
    work(&header, &mut Turned::new(entry, &header, header.shape()[0], &|_, _| Ok(all.take())))
}

/// What is read at once where the parts of short columns are picked out.
const SPAN: usize = 1 << 20;

/// Rows of a stored Fortran array, as they lie: each column's part, one after the other.
fn gather(entry: &Entry<'_>, header: &Header, at: u64, from: usize, count: usize) -> Result<Vec<u8>> {
    let item = header.dtype().item_size();
    let (column, part) = (header.shape()[0] * item, count * item);
    let mut bytes = entry.zeroed(header.nbytes() / column * part)?;
    let together = (SPAN / column).max(1);
    let mut span = Vec::new();
    for (group, pieces) in bytes.chunks_mut(together * part).enumerate() {
        let offset = at + (group * together * column + from * item) as u64;
        let columns = pieces.len() / part;
        entry.resize(&mut span, (columns - 1) * column + part)?;
        entry.read_exact_at(offset, &mut span)?;
        for (to, from) in pieces.chunks_exact_mut(part).zip(span.chunks(column)) {
            to.copy_from_slice(&from[..part]);
        }
    }
    Ok(bytes)
}

type Rows<'r> = &'r dyn Fn(usize, usize) -> Result<Vec<u8>>;

/// A Fortran array by blocks of rows, each turned round piece by piece.
struct Turned<'r> {
    entry: &'r Entry<'r>,
    /// The header's, axis 0 first.
    shape: Vec<usize>,
    item: usize,
    rows: Rows<'r>,
    /// Rows that are fetched at once, and how many were.
    block: usize,
    fetched: usize,
    /// What was fetched, with its number of rows, and how many of them were turned round.
    held: Vec<u8>,
    held_rows: usize,
    turned_rows: usize,
    turned: Vec<u8>,
    position: usize,
}

impl<'r> Turned<'r> {
    fn new(entry: &'r Entry<'r>, header: &Header, block: usize, rows: Rows<'r>) -> Self {
        let (shape, item) = (header.shape().to_vec(), header.dtype().item_size());
        let (held, turned) = (Vec::new(), Vec::new());
        let (fetched, held_rows, turned_rows, position) = (0, 0, 0, 0);
        Turned { entry, shape, item, rows, block, fetched, held, held_rows, turned_rows, turned, position }
    }

    /// The next rows.
    fn turn(&mut self) -> Result<()> {
        if self.turned_rows == self.held_rows {
            let count = self.block.min(self.shape[0] - self.fetched);
            self.held = (self.rows)(self.fetched, count)?;
            self.fetched += count;
            (self.held_rows, self.turned_rows) = (count, 0);
        }
        let inner: usize = self.shape[1..].iter().product();
        let rows = (TURNED / (inner * self.item)).clamp(1, self.held_rows - self.turned_rows);
        self.turned.clear();
        self.entry.reserve(&mut self.turned, rows * inner * self.item)?;
        // Axis 0 is the fastest in the file, the last axis here.
        let lengths = &self.shape[1..];
        let strides = lengths.iter().scan(self.held_rows, |stride, length| {
            let this = *stride;
            *stride *= length;
            Some(this)
        });
        let strides: Vec<usize> = strides.collect();
        let last = lengths.len() - 1;
        let mut index = vec![0; last];
        for row in self.turned_rows..self.turned_rows + rows {
            for _ in 0..inner / lengths[last] {
                let base = index.iter().zip(&strides).fold(row, |at, (i, stride)| at + i * stride);
                for i in 0..lengths[last] {
                    let start = (base + i * strides[last]) * self.item;
                    self.turned.extend_from_slice(&self.held[start..start + self.item]);
                }
                for (i, length) in index.iter_mut().zip(lengths).rev() {
                    *i += 1;
                    if *i < *length {
                        break;
                    }
                    *i = 0;
                }
            }
        }
        self.turned_rows += rows;
        self.position = 0;
        Ok(())
    }
}

impl Pull for Turned<'_> {
    fn pull(&mut self, mut bytes: &mut [u8]) -> Result<()> {
        while !bytes.is_empty() {
            if self.position == self.turned.len() {
                self.turn()?;
            }
            let count = bytes.len().min(self.turned.len() - self.position);
            let (now, later) = bytes.split_at_mut(count);
            now.copy_from_slice(&self.turned[self.position..self.position + count]);
            self.position += count;
            bytes = later;
        }
        Ok(())
    }
}
