//! Elements as a stream of bytes.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::NpyArray;
use super::gather::Decoded;
use crate::buffer;
use crate::container::decode::Content;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::found::Found;
use crate::npy::array::Elements as Lent;
use crate::npy::gather::Plan;
use crate::npy::header::Order;
use crate::npy::select::{Selection, Term};
use crate::npy::swap::Landing;
use crate::positioned::Positioned;
use crate::section::Section;
use crate::source::{ReadAt, Source};

/// Reads the bytes of a member, or of the elements of an array, front to back: what
/// [`NpyArray::reader`](NpyArray::reader) and [`Member::reader`](crate::Member::reader) return.
///
/// It holds a block of them at a time. The CRC-32 is checked at the end, unless [`Verify::Never`](crate::Verify::Never) says
/// otherwise: the read that reaches the end fails if it is wrong. Its buffer then begins with the last
/// [`left`](Reader::left) bytes, for those who want them all the same.
///
/// ```
/// use std::io::Read;
/// use npzmap::Npz;
///
/// let npz = Npz::open("tests/data/model-batch.npz")?;
/// let mut labels = npz.array("labels")?.reader()?;
/// let mut first = [0; 8];
/// labels.read_exact(&mut first)?;
/// assert_eq!((first, labels.left()), ([0; 8], 16));
/// # Ok::<(), npzmap::Error>(())
/// ```
pub struct Reader<'a, S = ReadAt> {
    found: Found<'a, S>,
    context: Context<'a>,
    from: From<'a, S>,
    left: u64,
}

enum From<'a, S> {
    /// All of what is left of a content.
    Content(Box<Content<Section<'a, S>>>),
    Part(Box<Blocks<'a, S>>),
}

/// A part of an array, block by block.
struct Blocks<'a, S> {
    selection: Selection,
    order: Order,
    /// Elements that were read.
    done: usize,
    elements: Origin<'a, S>,
    block: Vec<u8>,
    /// Bytes of the block that were given.
    given: usize,
}

enum Origin<'a, S> {
    Memory(&'a [u8]),
    Positioned(Positioned<'a, S>),
    Decoded(Decoded<Section<'a, S>>),
    Loaded(Arc<Vec<u8>>),
    /// Everything is in the block.
    Held,
}

/// Bytes that are gathered at a time.
const BLOCK: usize = 512 << 10;

impl<'a, S: Source> Reader<'a, S> {
    pub(crate) fn of_content(found: Found<'a, S>, context: Context<'a>, content: Content<Section<'a, S>>) -> Self {
        let left = content.left();
        Reader { found, context, from: From::Content(Box::new(content)), left }
    }

    /// Returns the number of bytes that were not read yet.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// assert_eq!(Npz::open("tests/data/model-batch.npz")?.array("labels")?.reader()?.left(), 24);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn left(&self) -> u64 {
        self.left
    }

    fn next(&mut self, buf: &mut [u8]) -> Result<usize> {
        let count = buf.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let buf = &mut buf[..count];
        if count == 0 {
            return Ok(0);
        }
        let count = match &mut self.from {
            From::Content(content) => {
                content.read_exact(buf)?;
                if content.left() == 0 {
                    content.finish()?;
                }
                count
            }
            From::Part(blocks) => blocks.next(buf)?,
        };
        self.left -= count as u64;
        Ok(count)
    }
}

impl<S: Source> Blocks<'_, S> {
    fn next(&mut self, buf: &mut [u8]) -> Result<usize> {
        if self.given == self.block.len() {
            self.refill()?;
        }
        let ready = self.block.get(self.given..).unwrap_or_default();
        let count = ready.len().min(buf.len());
        buf[..count].copy_from_slice(&ready[..count]);
        self.given += count;
        Ok(count)
    }

    fn refill(&mut self) -> Result<()> {
        let part = self.part()?;
        buffer::resize(&mut self.block, part.nbytes())?;
        self.block.truncate(part.nbytes());
        self.given = 0;
        self.done += part.count();
        // A block is contiguous in the order of the whole; its own may be said otherwise where axes have one element.
        let plan = Plan::ordered(&part, self.order);
        match &mut self.elements {
            Origin::Memory(bytes) => plan.gather(bytes, &mut self.block, Landing::AS_THEY_LIE),
            Origin::Positioned(positioned) => plan.gather(positioned, &mut self.block, Landing::AS_THEY_LIE),
            Origin::Decoded(decoded) => plan.gather(decoded, &mut self.block, Landing::AS_THEY_LIE),
            Origin::Loaded(bytes) => plan.gather(&bytes[..], &mut self.block, Landing::AS_THEY_LIE),
            Origin::Held => Ok(()),
        }
    }

    /// The next elements, at most a block of them, that follow each other in the order of the whole.
    fn part(&self) -> Result<Selection> {
        let lengths: Vec<usize> = match self.order {
            Order::C => self.selection.shape(),
            Order::Fortran => self.selection.axes.iter().rev().map(|axis| axis.length).collect(),
        };
        let room = BLOCK / self.selection.dtype.item_size().max(1);
        let mut inner: usize = lengths.iter().product();
        let mut place = self.done;
        let mut terms = Vec::with_capacity(lengths.len());
        for length in lengths {
            inner /= length.max(1);
            let start = place / inner.max(1);
            place %= inner.max(1);
            let rows = if inner <= room { (room / inner.max(1)).clamp(1, length - start) } else { 1 };
            let (start, end) = (start as isize, Some((start + rows) as isize));
            terms.push(Term::Range { start, end, step: 1 });
            if inner <= room {
                break; // whole from here on
            }
        }
        if self.order == Order::Fortran {
            let whole = self.selection.axes.len() - terms.len();
            terms.extend(std::iter::repeat_n(Term::Range { start: 0, end: None, step: 1 }, whole));
            terms.reverse();
        }
        self.selection.take(&terms)
    }
}

impl<'a, S: Source> NpyArray<'a, S> {
    /// Returns the bytes of the elements as a stream, as they are in the file and in their [order](NpyArray::order). A block
    /// is held at a time, except of a part of a compressed array in neither order, which is held whole.
    ///
    /// # Errors
    ///
    /// [`Pickled`](crate::ErrorKind::Pickled). Reading: as [`read`](NpyArray::read), as an [`io::Error`] that holds the
    /// [`Error`].
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let mut out = Vec::new();
    /// std::io::copy(&mut npz.array("labels")?.rows(1..3)?.reader()?, &mut out)?;
    /// assert_eq!(out, [1_i64.to_le_bytes(), 1_i64.to_le_bytes()].concat());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn reader(&self) -> Result<Reader<'a, S>> {
        let reader = || {
            self.check_items()?;
            let Some(part) = &self.part else {
                let mut content = self.content(self.found.checks_copies())?;
                if content.left() == 0 {
                    content.finish()?; // no read will do it
                }
                return Ok(Reader::of_content(self.found.clone(), self.context, content));
            };
            let plan = part.plan();
            let mut block = Vec::new();
            let elements = match self.elements() {
                _ if let Some(held) = &self.held => Origin::Loaded(held.clone()),
                Lent::Here { bytes, .. } => Origin::Memory(bytes),
                Lent::Elsewhere(_) if self.found.is_stored() => {
                    Origin::Positioned(Positioned { source: self.found.source(), start: self.start() })
                }
                Lent::Elsewhere(_) if plan.in_order => {
                    Origin::Decoded(Decoded { content: self.content(false)?, at: 0 })
                }
                Lent::Elsewhere(_) => {
                    self.found.check_budget(self.nbytes())?;
                    block = buffer::zeroed(self.nbytes())?;
                    self.with_elements(|elements| plan.gather(elements, &mut block, Landing::AS_THEY_LIE))?;
                    Origin::Held
                }
            };
            if self.held.is_none() {
                self.found.verify_if_always()?;
            }
            let (selection, order, left) = (part.selection.clone(), part.order, self.nbytes() as u64);
            let blocks = Blocks { selection, order, done: 0, elements, block, given: 0 };
            Ok(Reader { found: self.found.clone(), context: self.context, from: From::Part(Box::new(blocks)), left })
        };
        reader().map_err(|error| self.about(error))
    }
}

impl<S: Source> io::Read for Reader<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.next(buf).map_err(|error: Error| self.context.add(self.found.locate_fault(error)).into())
    }
}

impl<S> fmt::Debug for Reader<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("left", &self.left).finish_non_exhaustive()
    }
}
