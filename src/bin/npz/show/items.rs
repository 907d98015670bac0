//! Items of one dtype among bytes: those of an array, of a field, of a sub-array.

use npzmap::{Dtype, Field, Subarray};

use crate::shape;

#[derive(Clone)]
pub(super) struct Items<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// Length and distance in bytes of each axis, the outermost first.
    axes: Vec<(usize, usize)>,
    dtype: &'a Dtype,
}

impl<'a> Items<'a> {
    /// Items that lie one after the other.
    pub(super) fn new(bytes: &'a [u8], count: usize, dtype: &'a Dtype) -> Self {
        Items { bytes, offset: 0, axes: vec![(count, dtype.item_size())], dtype }
    }

    pub(super) fn field(&self, field: &'a Field) -> Items<'a> {
        Items { offset: self.offset + field.offset(), dtype: field.dtype(), ..self.clone() }
    }

    /// The elements of the sub-arrays that these items are.
    pub(super) fn elements(&self, array: &'a Subarray) -> Items<'a> {
        let mut axes = self.axes.clone();
        // Too many to be counted have no bytes to look at.
        axes.push((shape::count(array.shape()).unwrap_or(usize::MAX), array.base().item_size()));
        Items { axes, dtype: array.base(), ..self.clone() }
    }

    pub(super) fn dtype(&self) -> &'a Dtype {
        self.dtype
    }

    pub(super) fn len(&self) -> usize {
        self.axes.iter().fold(1, |count, (length, _)| count.saturating_mul(*length))
    }

    pub(super) fn get(&self, index: usize) -> &'a [u8] {
        let (mut index, mut start) = (index, self.offset);
        for (length, stride) in self.axes.iter().rev() {
            start += index % length * stride;
            index /= length;
        }
        &self.bytes[start..start + self.dtype.item_size()]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let items = self.clone();
        (0..self.len()).map(move |index| items.get(index))
    }
}
