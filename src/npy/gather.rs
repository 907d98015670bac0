//! The bytes of a [`Selection`], read into one buffer: which runs of the file they are, and how to read them with few
//! reads. The order of the reads is that of the file, so that a stream serves as well as memory.

use super::array;
use super::header::Order;
use super::select::{Axis, Selection};
use super::swap::Landing;
use crate::buffer;
use crate::error::{ErrorKind, Result};

/// Bytes from the first element of an array on.
pub(crate) trait Elements {
    /// Fills `to` with the bytes from `at` on.
    fn read(&mut self, at: usize, to: &mut [u8]) -> Result<()>;

    /// Returns `length` bytes from `at` on; `room` is memory to read them into.
    fn span<'s>(&'s mut self, at: usize, length: usize, room: &'s mut Vec<u8>) -> Result<&'s [u8]> {
        buffer::resize(room, length)?;
        let room = room.get_mut(..length).unwrap_or_default();
        self.read(at, room)?;
        Ok(room)
    }

    /// The largest distance between two runs that are read together.
    fn gap(&self) -> usize;

    /// The most bytes that are read to pick runs from.
    fn most(&self) -> usize;
}

impl<E: Elements + ?Sized> Elements for &mut E {
    fn read(&mut self, at: usize, to: &mut [u8]) -> Result<()> {
        (**self).read(at, to)
    }

    fn span<'s>(&'s mut self, at: usize, length: usize, room: &'s mut Vec<u8>) -> Result<&'s [u8]> {
        (**self).span(at, length, room)
    }

    fn gap(&self) -> usize {
        (**self).gap()
    }

    fn most(&self) -> usize {
        (**self).most()
    }
}

/// Elements in memory: nothing is read, and so nothing is saved by reading runs together.
impl Elements for &[u8] {
    fn read(&mut self, at: usize, to: &mut [u8]) -> Result<()> {
        let mut none = Vec::new();
        to.copy_from_slice(self.span(at, to.len(), &mut none)?);
        Ok(())
    }

    fn span<'s>(&'s mut self, at: usize, length: usize, _: &'s mut Vec<u8>) -> Result<&'s [u8]> {
        let found = self.get(at..).and_then(|bytes| bytes.get(..length));
        let short =
            || ErrorKind::PayloadLength { found: self.len() as u64, expected: at.saturating_add(length) as u64 };
        Ok(found.ok_or_else(short)?)
    }

    fn gap(&self) -> usize {
        usize::MAX
    }

    // What is swapped after it was copied is still in cache.
    fn most(&self) -> usize {
        1 << 20
    }
}

/// How the elements of a selection go from the file into a buffer that has them in C or in Fortran order.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The order of the elements in the buffer: the file's, if the selection has one of the two; else C.
    pub(crate) order: Order,
    /// Bytes that are consecutive in the file and in the buffer.
    run: usize,
    /// From the longest stride in the file to the shortest.
    axes: Vec<Step>,
    from: usize,
    to: usize,
    /// Whether file order is the order in the buffer, so that what is read at a time is written at a time.
    pub(crate) in_order: bool,
    bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    length: usize,
    /// From element to element in the file, in bytes.
    from: usize,
    /// And in the buffer.
    to: isize,
}

impl Plan {
    /// Plans for a buffer in the order that suits the file.
    pub(crate) fn of(selection: &Selection) -> Self {
        let moving = moving(selection);
        let order = match moving.len() {
            0 | 1 => selection.order,
            _ if moving.is_sorted_by(|(one, _), (next, _)| one > next) => Order::Fortran,
            _ => Order::C,
        };
        Plan::along(selection, moving, order)
    }

    /// Plans for a buffer in this order.
    pub(crate) fn ordered(selection: &Selection, order: Order) -> Self {
        Plan::along(selection, moving(selection), order)
    }

    fn along(selection: &Selection, moving: Vec<(usize, Axis)>, order: Order) -> Self {
        let item = selection.dtype.item_size();
        let bytes = selection.nbytes();
        let mut plan =
            Plan { order, run: item, axes: Vec::new(), from: selection.offset, to: 0, in_order: true, bytes };
        if bytes == 0 {
            plan.run = 0;
            return plan;
        }
        let lengths = selection.axes.iter().map(|axis| axis.length);
        let strides = match plan.order {
            Order::C => {
                let mut strides = contiguous(lengths.rev(), item);
                strides.reverse();
                strides
            }
            Order::Fortran => contiguous(lengths, item),
        };
        for (number, axis) in moving {
            let (from, mut to) = (axis.stride.unsigned_abs(), strides[number] as isize);
            if axis.stride < 0 {
                // From its end in the buffer, so that the file is read forwards.
                plan.from -= (axis.length - 1) * from;
                plan.to += (axis.length - 1) * strides[number];
                to = -to;
            }
            plan.axes.push(Step { length: axis.length, from, to });
        }
        while let Some(last) = plan.axes.last()
            && last.from == plan.run
            && last.to == plan.run as isize
        {
            plan.run *= last.length;
            plan.axes.pop();
        }
        let mut inner = plan.run;
        plan.in_order = plan.axes.iter().rev().all(|step| {
            let follows = step.to == inner as isize;
            inner *= step.length;
            follows
        });
        plan
    }

    /// Where the element is, in bytes from the first element of the array, that is at `index` in the buffer.
    pub(crate) fn position(&self, selection: &Selection, mut index: usize) -> usize {
        let mut at = selection.offset;
        let mut enter = |axis: &Axis| {
            if axis.length > 0 {
                at = at.wrapping_add_signed((index % axis.length) as isize * axis.stride);
                index /= axis.length;
            }
        };
        match self.order {
            Order::C => selection.axes.iter().rev().for_each(&mut enter),
            Order::Fortran => selection.axes.iter().for_each(&mut enter),
        }
        at
    }

    /// Parts of the plan that fill parts of the buffer of `bytes` each, or a little more, one after the other. None where it
    /// cannot be split so.
    #[cfg(feature = "rayon")]
    pub(crate) fn split(&self, bytes: usize) -> Option<(usize, impl Fn(usize, usize) -> Plan)> {
        let first = *self.axes.first().filter(|_| self.in_order)?;
        let each = usize::try_from(first.to).ok().filter(|each| *each > 0)?;
        let rows = (bytes / each).clamp(1, first.length);
        Some((rows * each, move |number: usize, length: usize| {
            let mut part = self.clone();
            part.from += number * rows * first.from;
            part.bytes = length;
            if let Some(first) = part.axes.first_mut() {
                first.length = length / each;
            }
            part
        }))
    }

    /// Where a single run begins, if the selection is one.
    pub(crate) fn as_run(&self) -> Option<usize> {
        self.axes.is_empty().then_some(self.from)
    }

    /// Fills the buffer, which has the size of the selection.
    pub(crate) fn gather(&self, elements: impl Elements, bytes: &mut [u8], landing: Landing<'_>) -> Result<()> {
        if self.bytes == 0 {
            return Ok(());
        }
        if bytes.len() != self.bytes {
            let (found, expected) = (bytes.len() as u64, self.bytes as u64);
            return Err(ErrorKind::PayloadLength { found, expected }.into());
        }
        // From the innermost axis out: how far an element of each axis reaches, and whether no gap in it is wide.
        let (gap, most) = (elements.gap(), elements.most());
        let mut levels = vec![Level { extent: self.run, dense: true }];
        for step in self.axes.iter().rev() {
            let inner = levels[levels.len() - 1];
            let extent = (step.length - 1) * step.from + inner.extent;
            levels.push(Level { extent, dense: inner.dense && step.from.saturating_sub(inner.extent) <= gap });
        }
        levels.reverse();
        let in_order = self.in_order;
        let landing_each = if in_order { landing } else { Landing::AS_THEY_LIE };
        let mut work = Work { plan: self, elements, levels, most, landing: landing_each, room: Vec::new() };
        work.enter(0, self.from, self.to as isize, bytes)?;
        if !in_order {
            landing.land(bytes);
        }
        Ok(())
    }
}

/// The axes that have more than one element, with their numbers, from the longest stride to the shortest.
fn moving(selection: &Selection) -> Vec<(usize, Axis)> {
    let moving = selection.axes.iter().enumerate().filter(|(_, axis)| axis.length > 1);
    let mut moving: Vec<_> = moving.map(|(number, axis)| (number, *axis)).collect();
    moving.sort_by_key(|(_, axis)| std::cmp::Reverse(axis.stride.unsigned_abs()));
    moving
}

/// The strides of a contiguous array, from its innermost axis out.
fn contiguous(lengths: impl Iterator<Item = usize>, item: usize) -> Vec<usize> {
    let stride = |stride: &mut usize, length: usize| {
        let this = *stride;
        *stride = stride.saturating_mul(length);
        Some(this)
    };
    lengths.scan(item, stride).collect()
}

#[derive(Clone, Copy)]
struct Level {
    extent: usize,
    dense: bool,
}

struct Work<'p, E> {
    plan: &'p Plan,
    elements: E,
    /// Of each axis, and of the run.
    levels: Vec<Level>,
    most: usize,
    landing: Landing<'p>,
    room: Vec<u8>,
}

impl<E: Elements> Work<'_, E> {
    /// Reads the axes from `level` on; as deep as an array has dimensions.
    fn enter(&mut self, level: usize, from: usize, to: isize, bytes: &mut [u8]) -> Result<()> {
        let (run, Level { extent, dense }) = (self.plan.run, self.levels[level]);
        let Some(step) = self.plan.axes.get(level).copied() else {
            let bytes = &mut bytes[to as usize..][..run];
            if self.landing.is_none() {
                return self.elements.read(from, bytes);
            }
            let block = self.landing.whole(array::BLOCK);
            return bytes.chunks_mut(block).enumerate().try_for_each(|(number, block_of)| {
                self.elements.read(from + number * block, block_of)?;
                self.landing.land(block_of);
                Ok(())
            });
        };
        let inner = self.levels[level + 1].extent;
        if !dense || inner > self.most {
            return (0..step.length).try_for_each(|index| {
                self.enter(level + 1, from + index * step.from, to + index as isize * step.to, bytes)
            });
        }
        let together = if extent <= self.most { step.length } else { (self.most - inner) / step.from + 1 };
        for start in (0..step.length).step_by(together) {
            let length = together.min(step.length - start);
            let to = to + start as isize * step.to;
            let span =
                self.elements.span(from + start * step.from, (length - 1) * step.from + inner, &mut self.room)?;
            scatter(&self.plan.axes[level + 1..], Step { length, ..step }, run, span, bytes, to);
            if !self.landing.is_none() {
                self.landing.land(&mut bytes[to as usize..][..length * step.to as usize]);
            }
        }
        Ok(())
    }
}

/// Copies runs from a span to their places in the buffer.
fn scatter(inner: &[Step], step: Step, run: usize, span: &[u8], bytes: &mut [u8], to: isize) {
    if let [next, inner @ ..] = inner {
        for index in 0..step.length {
            scatter(inner, *next, run, &span[index * step.from..], bytes, to + index as isize * step.to);
        }
        return;
    }
    // The usual sizes by name: a copy of known length is one move.
    match run {
        1 => copy::<1>(step, span, bytes, to),
        2 => copy::<2>(step, span, bytes, to),
        4 => copy::<4>(step, span, bytes, to),
        8 => copy::<8>(step, span, bytes, to),
        16 => copy::<16>(step, span, bytes, to),
        _ => {
            for index in 0..step.length {
                let to = (to + index as isize * step.to) as usize;
                bytes[to..to + run].copy_from_slice(&span[index * step.from..][..run]);
            }
        }
    }
}

fn copy<const N: usize>(step: Step, span: &[u8], bytes: &mut [u8], to: isize) {
    for index in 0..step.length {
        let to = (to + index as isize * step.to) as usize;
        let from = index * step.from;
        bytes[to..to + N].copy_from_slice(&span[from..from + N]);
    }
}
