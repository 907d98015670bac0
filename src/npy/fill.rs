//! Memory that the caller has, filled with elements in the order in which they lie in the file.

use ndarray::{ArrayView, ArrayViewMut, Axis, Dimension, IxDyn};

use super::array::{self, BLOCK};
use super::element::Element;
use super::header::{Header, Order};
use super::swap::{Landing, Native};
use super::tiles;
use crate::buffer;
use crate::error::Result;

/// Fills memory that the caller has. `next` gives the bytes of the elements in the order in which they lie.
pub(crate) fn read_into<T: Element, D: Dimension>(
    header: &Header,
    destination: ArrayViewMut<'_, T, D>,
    mut next: impl FnMut(&mut [u8], Landing<'_>) -> Result<()>,
) -> Result<()> {
    // In file order, first to last, is what iterating a C-ordered array does.
    let mut destination = match header.order() {
        Order::C => destination,
        Order::Fortran => destination.reversed_axes(),
    };
    let native = Native::of(header.dtype());
    let landing = native.landing();
    if let Some(bytes) = destination.as_slice_mut().and_then(buffer::plain_bytes_mut) {
        return next(bytes, landing);
    }
    // Strided, or bits that must be checked before they are values: through a block.
    let destination = tiles::squeeze(destination.into_dyn());
    let block = tiles::block(&destination, BLOCK);
    Blocks::<T, _> { header, landing, next, block: buffer::zeroed(block)?, done: 0 }.fill(destination)
}

/// The elements of a file, a block at a time.
struct Blocks<'n, T: Element, F> {
    header: &'n Header,
    landing: Landing<'n>,
    next: F,
    block: Vec<T::Bits>,
    done: usize,
}

impl<T: Element, F: FnMut(&mut [u8], Landing<'_>) -> Result<()>> Blocks<'_, T, F> {
    /// As many rows at a time as a block holds; of a row that is more than that, one part after the other. It calls
    /// itself once for each axis.
    fn fill(&mut self, mut destination: ArrayViewMut<'_, T, IxDyn>) -> Result<()> {
        if destination.is_empty() {
            return Ok(());
        }
        if destination.ndim() == 0 {
            destination.insert_axis_inplace(Axis(0));
        }
        let row = destination.len() / destination.len_of(Axis(0));
        if row > self.block.len() {
            return destination.outer_iter_mut().try_for_each(|row| self.fill(row));
        }
        for part in destination.axis_chunks_iter_mut(Axis(0), self.block.len() / row) {
            let bits = &mut self.block[..part.len()];
            (self.next)(bytemuck::cast_slice_mut(bits), self.landing)?;
            let values = buffer::checked::<T>(bits).map_err(|index| array::invalid::<T>(self.done + index))?;
            self.done += values.len();
            let nbytes = size_of_val(values);
            let values = ArrayView::from_shape(part.raw_dim(), values);
            let across = tiles::across(&part);
            tiles::assign(values.map_err(|_| array::payload_length(self.header, nbytes))?, part, across);
        }
        Ok(())
    }
}
