//! Takes together what of an array is asked for, and reads little else.

use std::borrow::Cow;

use super::index::View;
use super::print::Shown;
use crate::exit::{Code, Failure, Result};
use crate::input::Entry;

/// The elements of an array.
pub(super) struct Elements<'a> {
    pub(super) entry: &'a Entry<'a>,
    pub(super) place: Place<'a>,
}

/// Where they are.
pub(super) enum Place<'a> {
    /// In the file, from this byte on.
    Stored { offset: u64 },
    /// In memory: the content of a compressed member, its elements from this byte on.
    Held { content: &'a [u8], offset: usize },
}

/// What is read by one call, at most, unless an item is longer.
const SPAN: usize = 1 << 20;
/// Gaps up to a page are read along: the kernel reads them anyway.
const GAP: usize = 4096;

/// Items at the same distance from each other.
#[derive(Clone, Copy)]
struct Axis {
    count: usize,
    /// From one to the next: in the array, and in the result.
    stride: usize,
    step: isize,
}

impl<'a> Elements<'a> {
    fn read(&self, from: usize, bytes: &mut [u8]) -> Result<()> {
        match self.place {
            Place::Stored { offset } => self.entry.read_exact_at(offset + from as u64, bytes),
            Place::Held { content, offset } => {
                bytes.copy_from_slice(held(content, offset + from, bytes.len())?);
                Ok(())
            }
        }
    }

    /// The items of a view that are shown, in C order. They are read in the order in which they lie, and together where
    /// no more than a page is between them.
    pub(super) fn gather(&self, view: &View, item: usize, shown: &[Shown]) -> Result<Cow<'a, [u8]>> {
        let size = shown.iter().map(|axis| axis.count()).product::<usize>() * item;
        if size == 0 {
            return Ok(Cow::default());
        }
        // What is in memory as it is asked for is not copied.
        if let (Place::Held { content, offset }, true) = (&self.place, is_together(view, item, shown)) {
            return held(content, offset + view.offset, size).map(Cow::Borrowed);
        }
        let mut bytes = self.entry.zeroed(size)?;
        // Of an axis that is cut, the parts at both ends are taken each by itself.
        let parts: Vec<usize> = shown.iter().map(|axis| axis.count() / axis.side_by_side()).collect();
        let mut part = vec![0; parts.len()];
        loop {
            let (mut from, mut to, mut step) = (view.offset, 0, item);
            let mut axes = Vec::new();
            for ((axis, shown), part) in view.axes.iter().zip(shown).zip(&part).rev() {
                let count = shown.side_by_side();
                let first = part * count;
                from = from.wrapping_add_signed(shown.index(first) as isize * axis.stride);
                to += first * step;
                let mut there = Axis { count, stride: axis.stride.unsigned_abs(), step: step as isize };
                if axis.stride < 0 {
                    // From its other end.
                    from = from.wrapping_add_signed((count - 1) as isize * axis.stride);
                    to += (count - 1) * step;
                    there.step = -there.step;
                }
                if count > 1 {
                    axes.push(there);
                }
                step *= shown.count();
            }
            self.gather_part(from, to, item, axes, &mut bytes)?;
            if !advance(&mut part, |position| parts[position]) {
                return Ok(Cow::Owned(bytes));
            }
        }
    }

    fn gather_part(
        &self,
        from: usize,
        to: usize,
        mut item: usize,
        mut axes: Vec<Axis>,
        bytes: &mut [u8],
    ) -> Result<()> {
        axes.sort_by_key(|axis| std::cmp::Reverse(axis.stride));
        // What lies in the result as it lies in the array is one long item.
        while let Some(axis) = axes.pop_if(|axis| axis.stride == item && axis.step == item as isize) {
            item *= axis.count;
        }
        // The axes that are read along, from the nearest items on, and the bytes from the first of them to the last.
        let (mut near, mut length) = (axes.len(), item);
        while let Some(axis) = near.checked_sub(1).and_then(|axis| axes.get(axis)) {
            let is_dense = axis.stride.saturating_sub(length) <= GAP;
            let Some(longer) = axis.stride.checked_mul(axis.count - 1).and_then(|before| before.checked_add(length))
            else {
                break;
            };
            if !is_dense || longer > SPAN {
                // As many of them as a span has room for.
                let together = if is_dense { SPAN.saturating_sub(length) / axis.stride.max(1) + 1 } else { 1 };
                return self.spans(from, to, item, (&axes[..near], &axes[near..]), (together, length), bytes);
            }
            (near, length) = (near - 1, longer);
        }
        self.spans(from, to, item, (&axes[..near], &axes[near..]), (1, length), bytes)
    }

    /// Reads span by span: of all far axes but the last item by item, of that one `together`.
    fn spans(
        &self,
        from: usize,
        to: usize,
        item: usize,
        (far, near): (&[Axis], &[Axis]),
        (together, length): (usize, usize),
        bytes: &mut [u8],
    ) -> Result<()> {
        let alone = Axis { count: 1, stride: 0, step: 0 };
        let (last, outer) = far.split_last().unwrap_or((&alone, &[]));
        let mut counter = vec![0; outer.len()];
        let mut span = Vec::new();
        loop {
            let (mut from, mut to) = (from, to);
            for (axis, number) in outer.iter().zip(&counter) {
                from += number * axis.stride;
                to = to.wrapping_add_signed(*number as isize * axis.step);
            }
            for first in (0..last.count).step_by(together) {
                let count = together.min(last.count - first);
                let from = from + first * last.stride;
                let to = to.wrapping_add_signed(first as isize * last.step);
                let length = (count - 1) * last.stride + length;
                if length == item {
                    self.read(from, &mut bytes[to..to + item])?;
                    continue;
                }
                self.entry.resize(&mut span, length)?;
                self.read(from, &mut span)?;
                for number in 0..count {
                    let to = to.wrapping_add_signed(number as isize * last.step);
                    scatter(&span, number * last.stride, bytes, to, item, near);
                }
            }
            if !advance(&mut counter, |position| outer[position].count) {
                return Ok(());
            }
        }
    }
}

fn held(content: &[u8], from: usize, length: usize) -> Result<&[u8]> {
    let found = content.get(from..).and_then(|found| found.get(..length));
    found.ok_or_else(|| Failure::new(Code::Unreadable, "the array is shorter than its header says"))
}

/// Whether the items that are shown lie one after the other.
fn is_together(view: &View, item: usize, shown: &[Shown]) -> bool {
    let mut stride = item as isize;
    view.axes.iter().zip(shown).rev().all(|(axis, shown)| {
        let is_next = axis.length == 1 || (axis.stride == stride && shown.gap().is_none());
        stride *= axis.length as isize;
        is_next
    })
}

/// Items of a span to their places.
fn scatter(span: &[u8], from: usize, bytes: &mut [u8], to: usize, item: usize, axes: &[Axis]) {
    let Some((axis, inner)) = axes.split_first() else {
        bytes[to..to + item].copy_from_slice(&span[from..from + item]);
        return;
    };
    for number in 0..axis.count {
        let to = to.wrapping_add_signed(number as isize * axis.step);
        scatter(span, from + number * axis.stride, bytes, to, item, inner);
    }
}

/// Counts on, the last place fastest.
fn advance(counter: &mut [usize], length: impl Fn(usize) -> usize) -> bool {
    for position in (0..counter.len()).rev() {
        counter[position] += 1;
        if counter[position] < length(position) {
            return true;
        }
        counter[position] = 0;
    }
    false
}
