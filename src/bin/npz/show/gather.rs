//! Takes together what of an array is asked for, and reads nothing else.

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

/// Items that are read by one call, at most.
const AT_ONCE: usize = 1 << 16;

impl Elements<'_> {
    fn read(&self, from: usize, bytes: &mut [u8]) -> Result<()> {
        match self.place {
            Place::Stored { offset } => self.entry.read_exact_at(offset + from as u64, bytes),
            Place::Held { content, offset } => {
                let found = content.get(offset + from..).and_then(|found| found.get(..bytes.len()));
                let found =
                    found.ok_or_else(|| Failure::new(Code::Unreadable, "the array is shorter than its header says"))?;
                bytes.copy_from_slice(found);
                Ok(())
            }
        }
    }

    /// The items of a view that are shown, in C order. They are read in the order in which they lie, and together where
    /// they touch.
    pub(super) fn gather(&self, view: &View, item: usize, shown: &[Shown]) -> Result<Vec<u8>> {
        let count: usize = shown.iter().map(|axis| axis.count()).product();
        let mut bytes = self.entry.zeroed(count * item)?;
        if bytes.is_empty() {
            return Ok(bytes);
        }
        let mut order: Vec<usize> = (0..view.axes.len()).collect();
        order.sort_by_key(|axis| std::cmp::Reverse(view.axes[*axis].stride.unsigned_abs()));
        // From each axis of the view: what a step along it is in the result.
        let mut steps = vec![item; view.axes.len()];
        for axis in (1..view.axes.len()).rev() {
            steps[axis - 1] = steps[axis] * shown[axis].count();
        }
        let Some((last, outer)) = order.split_last() else {
            self.read(view.offset, &mut bytes)?;
            return Ok(bytes);
        };
        let (stride, shown_last) = (view.axes[*last].stride, shown[*last]);
        let touching = stride.unsigned_abs() == item;
        let length = if touching { shown_last.side_by_side().min(AT_ONCE) } else { 1 };
        let mut counter = vec![0; outer.len()];
        let mut run = Vec::new();
        loop {
            let (mut from, mut to) = (view.offset, 0);
            for (axis, number) in outer.iter().zip(&counter) {
                from = from.wrapping_add_signed(shown[*axis].index(*number) as isize * view.axes[*axis].stride);
                to += number * steps[*axis];
            }
            for first in (0..shown_last.count()).step_by(length) {
                let length = length.min(shown_last.count() - first);
                let lowest = if stride < 0 { first + length - 1 } else { first };
                self.entry.resize(&mut run, length * item)?;
                self.read(from.wrapping_add_signed(shown_last.index(lowest) as isize * stride), &mut run)?;
                for (position, found) in run.chunks_exact(item).enumerate() {
                    let number = if stride < 0 { lowest - position } else { first + position };
                    let to = to + number * steps[*last];
                    bytes[to..to + item].copy_from_slice(found);
                }
            }
            if !advance(&mut counter, |position| shown[outer[position]].count()) {
                return Ok(bytes);
            }
        }
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
