//! A part of an array, read block by block, for commands that look at values and do not print them.

use std::ops::Range;

use npzmap::{Dtype, Header};

use super::field;
use super::gather::{Elements, Place};
use super::index::{Index, View};
use super::print::Shown;
use crate::exit::Result;
use crate::input::Entry;
use crate::progress::Progress;

pub(crate) struct Part<'a> {
    elements: Elements<'a>,
    view: View,
    dtype: &'a Dtype,
}

/// Takes the range of each axis, and the items.
pub(crate) type Work<'w> = &'w mut dyn FnMut(&[Range<usize>], &[u8]) -> Result<()>;

/// Bytes that are read at once, about.
const BLOCK: usize = 1 << 20;

impl<'a> Part<'a> {
    /// All of an array whose elements lie in a file.
    pub(crate) fn stored(header: &'a Header, entry: &'a Entry<'a>, offset: u64) -> Self {
        let (view, dtype) = field::whole(header);
        Part { elements: Elements { entry, place: Place::Stored { offset } }, view, dtype }
    }

    /// All of an array whose content is in memory.
    pub(crate) fn held(header: &'a Header, entry: &'a Entry<'a>, content: &'a [u8]) -> Self {
        let (view, dtype) = field::whole(header);
        let place = Place::Held { content, offset: header.preamble_size() };
        Part { elements: Elements { entry, place }, view, dtype }
    }

    pub(crate) fn field(self, path: &str) -> Result<Self, String> {
        let Some((view, dtype)) = field::field(&self.view, self.dtype, path) else {
            return Err(format!("no field '{path}': {}", field::names(self.dtype)));
        };
        Ok(Part { view, dtype, ..self })
    }

    pub(crate) fn take(self, slice: &str) -> Result<Self, String> {
        let index: Index = slice.parse()?;
        Ok(Part { view: self.view.take(&index)?, ..self })
    }

    pub(crate) fn shape(&self) -> Vec<usize> {
        self.view.shape()
    }

    /// None if its elements cannot be counted.
    pub(crate) fn count(&self) -> Option<usize> {
        self.view.count()
    }

    pub(crate) fn dtype(&self) -> &'a Dtype {
        self.dtype
    }

    /// Lends the items, in blocks that lie together as far as that is possible: the range of each axis, and the items in
    /// C order.
    pub(crate) fn blocks(&self, work: Work<'_>) -> Result<()> {
        let shape = self.shape();
        if shape.contains(&0) {
            return Ok(());
        }
        // Along the axes whose elements are nearest to each other, as many as fit.
        let mut order: Vec<usize> = (0..shape.len()).collect();
        order.sort_by_key(|axis| self.view.axes.get(*axis).map_or(0, |axis| axis.stride.unsigned_abs()));
        let mut lengths = vec![1; shape.len()];
        let mut room = (BLOCK / self.dtype.item_size().max(1)).max(1);
        for axis in order {
            if let (Some(length), Some(all)) = (lengths.get_mut(axis), shape.get(axis)) {
                *length = room.min(*all);
                room /= *length;
            }
        }
        let items = self.count().unwrap_or(usize::MAX) as u64;
        let progress = Progress::new([items.saturating_mul(self.dtype.item_size() as u64)]);
        self.each(&shape, &lengths, &mut Vec::new(), &mut |ranges, items| {
            work(ranges, items)?;
            progress.add(items.len() as u64);
            Ok(())
        })
    }

    fn each(&self, shape: &[usize], lengths: &[usize], ranges: &mut Vec<Range<usize>>, work: Work<'_>) -> Result<()> {
        let axis = ranges.len();
        let (Some(all), Some(length)) = (shape.get(axis), lengths.get(axis)) else {
            let mut view = self.view.clone();
            for (axis, range) in view.axes.iter_mut().zip(ranges.iter()) {
                axis.length = range.len();
                view.offset = view.offset.wrapping_add_signed(range.start as isize * axis.stride);
            }
            let shown: Vec<Shown> = ranges.iter().map(|range| Shown::new(range.len(), false)).collect();
            return work(ranges, &self.elements.gather(&view, self.dtype.item_size(), &shown)?);
        };
        for start in (0..*all).step_by(*length) {
            ranges.push(start..(start + length).min(*all));
            self.each(shape, lengths, ranges, work)?;
            ranges.pop();
        }
        Ok(())
    }
}
