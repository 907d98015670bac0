//! The elements of an array in C order, whatever order they lie in, in bounded memory where that is possible.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::iter;
use std::rc::Rc;

use npzmap::{Header, Npy, NpyArray, Order};

use crate::args::Reading;
use crate::exit::{Failure, Result};
use crate::input::{BLOCK, Entry};

/// Elements one after the other.
pub(crate) trait Pull {
    /// The next bytes of them.
    fn pull(&mut self, bytes: &mut [u8]) -> Result<()>;
}

impl<R: Read> Pull for R {
    fn pull(&mut self, bytes: &mut [u8]) -> Result<()> {
        Ok(self.read_exact(bytes)?)
    }
}

/// What is held of a Fortran array that is stored, at most; and what may be, however low the limit is.
const HELD: usize = 256 << 20;
const LEAST_HELD: usize = 64 << 10;
/// What is turned round at once.
const TURNED: usize = 4 << 20;
/// Shorter pieces are not read one by one.
const PIECE: usize = 4096;

/// Whether the bytes lie in C order; those of an axis or none do in both.
pub(crate) fn is_c(header: &Header) -> bool {
    header.order() == Order::C || header.shape().iter().filter(|length| **length != 1).count() < 2
}

/// Lends the elements in C order, in the file's byte order. Every element is read from the file once.
pub(crate) fn in_c_order<T>(
    entry: &Entry<'_>,
    array: &NpyArray<'_>,
    reading: &Reading,
    work: impl FnOnce(&mut dyn Pull) -> Result<T>,
) -> Result<T> {
    let header = array.header();
    if is_c(header) || header.nbytes() == 0 {
        // Rows may be short.
        return work(&mut BufReader::with_capacity(BLOCK, array.reader()?));
    }
    let limit = usize::try_from(reading.limit()).unwrap_or(HELD).min(HELD);
    // Compressed, there is no other way than to hold all of it.
    let Some(at) = array.data_offset().filter(|_| header.nbytes() > limit) else {
        reading.check(&entry.key(), header.nbytes())?;
        return work(&mut array.load()?.in_order(Order::C).reader()?);
    };
    // Axes of one element say nothing.
    let shape: Vec<usize> = header.shape().iter().copied().filter(|length| *length != 1).collect();
    let item = header.dtype().item_size();
    let checksum = Checksum::new(entry, header, at)?;
    let read = |from: usize, bytes: &mut [u8]| {
        entry.read_exact_at(at + from as u64, bytes)?;
        checksum.add(from, bytes);
        Ok(())
    };
    let array = Array { entry, read: Rc::new(read), at: 0, shape, item };
    let result = work(&mut *array.turned(limit.max(LEAST_HELD))?)?;
    checksum.check().map(|()| result)
}

/// The CRC-32 of a member whose elements are read in any order, each once. That of all is the exclusive or of those of
/// its pieces, each moved by the number of bytes that follow it.
struct Checksum<'e> {
    entry: &'e Entry<'e>,
    nbytes: usize,
    found: Cell<u32>,
    left: Cell<usize>,
}

impl<'e> Checksum<'e> {
    fn new(entry: &'e Entry<'e>, header: &Header, at: u64) -> Result<Self> {
        let (nbytes, left) = (header.nbytes(), Cell::new(header.nbytes()));
        let found = Cell::new(moved(entry.preamble_crc32(header, at)?, nbytes));
        Ok(Checksum { entry, nbytes, found, left })
    }

    fn add(&self, from: usize, bytes: &[u8]) {
        // A plain file has none.
        if self.entry.crc32().is_some() {
            let mut crc = crc32fast::Hasher::new();
            crc.update(bytes);
            self.found.set(self.found.get() ^ moved(crc, self.nbytes - from - bytes.len()));
            self.left.set(self.left.get() - bytes.len());
        }
    }

    /// Compares it, once everything was read.
    fn check(&self) -> Result<()> {
        if self.left.get() == 0 { self.entry.check_crc32(self.found.get()) } else { Ok(()) }
    }
}

fn moved(mut crc: crc32fast::Hasher, count: usize) -> u32 {
    crc.combine(&crc32fast::Hasher::new_with_initial_len(0, count as u64));
    crc.finalize()
}

/// A file with elements: reads bytes from an offset, that of the first element being 0.
type Place<'e> = Rc<dyn Fn(usize, &mut [u8]) -> Result<()> + 'e>;

/// An array in Fortran order that lies in a file.
#[derive(Clone)]
struct Array<'e> {
    /// For errors.
    entry: &'e Entry<'e>,
    read: Place<'e>,
    at: usize,
    /// Without axes of one element.
    shape: Vec<usize>,
    item: usize,
}

impl<'e> Array<'e> {
    fn nbytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.item
    }

    /// Its elements in C order, each of which is read once, while no more than `held` bytes are held. Where that would
    /// take reads of less than [`PIECE`], they are sorted by blocks of rows into a temporary file.
    fn turned(self, held: usize) -> Result<Box<dyn Pull + 'e>> {
        let item = self.item;
        if self.shape.len() < 2 || item >= PIECE {
            return Ok(Box::new(Direct { array: self, position: 0 }));
        }
        let (all, rows) = (self.nbytes(), self.shape[0]);
        let row = all / rows;
        // One half is for what is fetched, one for what is turned round.
        let block = (held / 2 / row).clamp(1, rows);
        if row <= held / 2 && (block == rows || block * item >= PIECE) {
            let fetch = move |from: usize, count: usize| self.gather(from, count);
            return Ok(Box::new(Turned::new(rows, row, block, Box::new(fetch))));
        }
        let read = self.sorted(block, held / 2)?;
        if row <= held / 2 {
            let fetch = move |from: usize, count: usize| self.rows(count, |bytes| read(from * row, bytes));
            return Ok(Box::new(Turned::new(rows, row, block, Box::new(fetch))));
        }
        // Each row is an array of an axis less.
        let row = Array { read, at: 0, shape: self.shape[1..].to_vec(), ..self };
        Ok(Box::new(Rows { row, held, now: None, left: 0 }))
    }

    /// So many rows, whose bytes are read by this.
    fn rows(&self, count: usize, read: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Npy<Vec<u8>>> {
        let dtype = format!("|V{}", self.item).parse()?;
        let shape: Vec<usize> = iter::once(count).chain(self.shape.iter().skip(1).copied()).collect();
        let header = Header::new(dtype, &shape, Order::Fortran)?;
        let mut file = header.to_bytes();
        let start = file.len();
        self.entry.resize(&mut file, start + header.nbytes())?;
        read(&mut file[start..])?;
        Ok(Npy::new(file)?)
    }

    /// Some rows, as they lie: each column's part, one after the other.
    fn gather(&self, from: usize, count: usize) -> Result<Npy<Vec<u8>>> {
        let (column, part) = (self.shape[0] * self.item, count * self.item);
        self.rows(count, |bytes| {
            if part == column {
                return (self.read)(self.at, bytes);
            }
            bytes
                .chunks_exact_mut(part)
                .enumerate()
                .try_for_each(|(number, part)| (self.read)(self.at + number * column + from * self.item, part))
        })
    }

    /// A temporary file with the elements by blocks of rows, each as [`Array::gather`] has it. It is filled from
    /// stretches of the array of up to `held` bytes.
    fn sorted(&self, block: usize, held: usize) -> Result<Place<'e>> {
        let Array { entry, item, .. } = *self;
        let (rows, all) = (self.shape[0], self.nbytes());
        let (column, row) = (rows * item, all / rows);
        let failed = move |error| Failure::writing(format!("{}: a temporary file of {all} bytes", entry.key()))(error);
        let file = tempfile::tempfile().map_err(failed)?;
        let write = |at: usize, bytes: &[u8]| {
            (&file).seek(SeekFrom::Start(at as u64)).and_then(|_| (&file).write_all(bytes)).map_err(failed)
        };
        let columns = row / item;
        // Whole columns; or of one a part, of whole blocks.
        let group = (held / column).clamp(1, columns);
        let stretch = if column <= held { rows } else { (held / item / block).max(1) * block };
        let (mut bytes, mut sorted) = (Vec::new(), Vec::new());
        for first in (0..columns).step_by(group) {
            let group = group.min(columns - first);
            for start in (0..rows).step_by(stretch) {
                let length = stretch.min(rows - start) * item;
                entry.resize(&mut bytes, group * length)?;
                (self.read)(self.at + first * column + start * item, &mut bytes)?;
                for (number, from) in (start..start + length / item).step_by(block).enumerate() {
                    let part = block.min(rows - from) * item;
                    let within = number * block * item;
                    sorted.clear();
                    entry.reserve(&mut sorted, group * part)?;
                    let parts = bytes.chunks_exact(length).map(|column| &column[within..within + part]);
                    parts.for_each(|part| sorted.extend_from_slice(part));
                    write(from * row + first * part, &sorted)?;
                }
            }
        }
        Ok(Rc::new(move |from: usize, bytes: &mut [u8]| read_back(&file, from, bytes).map_err(failed)))
    }
}

fn read_back(mut file: &File, from: usize, bytes: &mut [u8]) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(from as u64))?;
    file.read_exact(bytes)
}

/// An array that needs no memory: each item is read from its place; of one axis, all that lies together.
struct Direct<'e> {
    array: Array<'e>,
    /// In the result, in bytes.
    position: usize,
}

impl Pull for Direct<'_> {
    fn pull(&mut self, mut bytes: &mut [u8]) -> Result<()> {
        let Array { item, at, shape, read, .. } = &self.array;
        let length = if shape.len() < 2 { self.array.nbytes() } else { *item };
        while !bytes.is_empty() {
            // Of its place in C order, the index along each axis, from the last on.
            let (mut number, mut place) = (self.position / length, 0);
            let mut stride: usize = shape.iter().product();
            for axis in shape.iter().rev() {
                stride /= axis;
                place += number % axis * stride;
                number /= axis;
            }
            let within = self.position % length;
            let count = bytes.len().min(length - within);
            let (now, later) = bytes.split_at_mut(count);
            read(at + place * item + within, now)?;
            self.position += count;
            bytes = later;
        }
        Ok(())
    }
}

/// Rows that are too long to be turned round in memory, one after the other.
struct Rows<'e> {
    /// The next one.
    row: Array<'e>,
    held: usize,
    now: Option<Box<dyn Pull + 'e>>,
    /// Of that one, in bytes.
    left: usize,
}

impl Pull for Rows<'_> {
    fn pull(&mut self, mut bytes: &mut [u8]) -> Result<()> {
        while !bytes.is_empty() {
            if self.left == 0 {
                self.now = Some(self.row.clone().turned(self.held)?);
                self.left = self.row.nbytes();
                self.row.at += self.left;
            }
            let count = bytes.len().min(self.left);
            let (now, later) = bytes.split_at_mut(count);
            if let Some(row) = &mut self.now {
                row.pull(now)?;
            }
            self.left -= count;
            bytes = later;
        }
        Ok(())
    }
}

/// Fetches rows, from one on so many, as [`Array::gather`] has them.
type Fetch<'r> = Box<dyn Fn(usize, usize) -> Result<Npy<Vec<u8>>> + 'r>;

/// A Fortran array by blocks of rows, each turned round piece by piece.
struct Turned<'r> {
    rows: usize,
    /// Bytes of one.
    row: usize,
    fetch: Fetch<'r>,
    /// Rows that are fetched at once, and how many were.
    block: usize,
    fetched: usize,
    /// What was fetched, and how many rows of it were turned round.
    held: Option<Npy<Vec<u8>>>,
    turned_rows: usize,
    turned: Vec<u8>,
    position: usize,
}

impl<'r> Turned<'r> {
    fn new(rows: usize, row: usize, block: usize, fetch: Fetch<'r>) -> Self {
        Turned { rows, row, fetch, block, fetched: 0, held: None, turned_rows: 0, turned: Vec::new(), position: 0 }
    }

    /// The next rows.
    fn turn(&mut self) -> Result<()> {
        let held = match self.held.take() {
            Some(held) => held,
            None => {
                let count = self.block.min(self.rows - self.fetched);
                self.turned_rows = 0;
                self.fetched += count;
                (self.fetch)(self.fetched - count, count)?
            }
        };
        let array = held.array()?;
        let (first, all) = (self.turned_rows, array.shape().first().copied().unwrap_or(0));
        let rows = (TURNED / self.row).clamp(1, all - first);
        self.turned = array.rows(first..first + rows)?.in_order(Order::C).bytes()?.into_owned();
        self.turned_rows += rows;
        self.position = 0;
        drop(array);
        // Not two blocks at a time.
        self.held = (self.turned_rows < all).then_some(held);
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
