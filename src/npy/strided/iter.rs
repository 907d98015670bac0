//! The values of a strided view, one after the other.

use std::fmt;
use std::iter::FusedIterator;

use ndarray::Dimension;

use super::Strided;
use crate::npy::element::Element;

impl<'a, T: Element, D: Dimension> IntoIterator for Strided<'a, T, D> {
    type Item = T;
    type IntoIter = StridedIter<'a, T, D>;

    fn into_iter(self) -> StridedIter<'a, T, D> {
        self.iter()
    }
}

impl<'a, T: Element, D: Dimension> IntoIterator for &Strided<'a, T, D> {
    type Item = T;
    type IntoIter = StridedIter<'a, T, D>;

    fn into_iter(self) -> StridedIter<'a, T, D> {
        self.iter()
    }
}

/// The values of a [`Strided`], by [`Strided::iter`].
///
/// ```
/// use npzmap::Npz;
/// use ndarray::Ix2;
///
/// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
/// let mut ids = npz.array("packed-le-c")?.field("id")?.strided::<u32, Ix2>()?.iter();
/// assert_eq!((ids.len(), ids.next(), ids.next_back(), ids.len()), (6, Some(u32::MAX), Some(7), 4));
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone)]
pub struct StridedIter<'a, T, D> {
    view: Strided<'a, T, D>,
    offsets: Offsets<D>,
}

impl<'a, T: Element, D: Dimension> StridedIter<'a, T, D> {
    pub(super) fn new(view: Strided<'a, T, D>) -> Self {
        StridedIter { offsets: view.offsets(), view }
    }
}

impl<T: Element, D: Dimension> Iterator for StridedIter<'_, T, D> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.view.at(self.offsets.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.offsets.size_hint()
    }

    fn nth(&mut self, count: usize) -> Option<T> {
        self.view.at(self.offsets.nth(count)?)
    }

    /// Along the last axis at a time, without counting the others for each value.
    fn fold<B, F: FnMut(B, T) -> B>(self, first: B, mut fold: F) -> B {
        let StridedIter { view, mut offsets } = self;
        let (length, stride) = (view.shape().last().copied(), view.strides().last().copied());
        let (length, stride) = (length.unwrap_or(1), stride.unwrap_or(0));
        let mut folded = first;
        while offsets.front < offsets.back {
            let (index, offset) = offsets.place(offsets.front);
            let run = (length - index.slice().last().unwrap_or(&0)).min(offsets.back - offsets.front);
            for number in 0..run {
                let Some(value) = view.at(offset + number * stride) else { return folded };
                folded = fold(folded, value);
            }
            offsets.front += run;
        }
        folded
    }
}

impl<T: Element, D: Dimension> DoubleEndedIterator for StridedIter<'_, T, D> {
    fn next_back(&mut self) -> Option<T> {
        self.view.at(self.offsets.next_back()?)
    }
}

impl<T: Element, D: Dimension> ExactSizeIterator for StridedIter<'_, T, D> {}

impl<T: Element, D: Dimension> FusedIterator for StridedIter<'_, T, D> {}

impl<T, D: Dimension> fmt::Debug for StridedIter<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.offsets.back - self.offsets.front;
        f.debug_struct("StridedIter").field("view", &self.view).field("left", &left).finish()
    }
}

/// Where the values lie, one after the other.
#[derive(Clone)]
pub(super) struct Offsets<D> {
    dimension: D,
    strides: D,
    /// The index of the front, and its offset.
    index: D,
    next: usize,
    /// The numbers of the front and of what comes after the back.
    front: usize,
    back: usize,
}

impl<D: Dimension> Offsets<D> {
    pub(super) fn new(dimension: D, strides: D, count: usize) -> Self {
        Offsets { index: D::zeros(dimension.ndim()), dimension, strides, next: 0, front: 0, back: count }
    }

    /// The index of a number, and where it lies.
    fn place(&self, number: usize) -> (D, usize) {
        let (mut index, mut left, mut offset) = (D::zeros(self.dimension.ndim()), number, 0);
        let axes = index.slice_mut().iter_mut().zip(self.dimension.slice()).zip(self.strides.slice());
        for ((index, length), stride) in axes.rev() {
            *index = left % length;
            left /= length;
            offset += *index * stride;
        }
        (index, offset)
    }
}

impl<D: Dimension> Iterator for Offsets<D> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.front == self.back {
            return None;
        }
        self.front += 1;
        let offset = self.next;
        let axes = self.index.slice_mut().iter_mut().zip(self.dimension.slice()).zip(self.strides.slice());
        for ((index, length), stride) in axes.rev() {
            *index += 1;
            self.next += stride;
            if *index < *length {
                break;
            }
            self.next -= *index * stride;
            *index = 0;
        }
        Some(offset)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.back - self.front;
        (left, Some(left))
    }

    fn nth(&mut self, count: usize) -> Option<usize> {
        self.front = self.front.saturating_add(count).min(self.back);
        if self.front < self.back {
            (self.index, self.next) = self.place(self.front);
        }
        self.next()
    }
}

impl<D: Dimension> DoubleEndedIterator for Offsets<D> {
    fn next_back(&mut self) -> Option<usize> {
        if self.front == self.back {
            return None;
        }
        self.back -= 1;
        Some(self.place(self.back).1)
    }
}
