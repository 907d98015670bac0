//! From the other byte order to this machine's, in place, while the bytes are still in the cache.

use super::dtype::{Dtype, Scalar};

/// What becomes of bytes that were read, a block at a time.
#[derive(Clone, Copy)]
pub(crate) struct Landing<'h> {
    swapped: Option<&'h Dtype>,
}

impl<'h> Landing<'h> {
    /// They stay as they lie in the file.
    pub(crate) const AS_THEY_LIE: Self = Landing { swapped: None };

    /// Elements in this machine's byte order.
    pub(crate) fn native(dtype: &'h Dtype) -> Self {
        Landing { swapped: (!dtype.is_native()).then_some(dtype) }
    }

    /// Whether nothing is to be done.
    pub(crate) fn is_none(self) -> bool {
        self.swapped.is_none()
    }

    /// About as many bytes as these, in whole items.
    pub(crate) fn whole(self, bytes: usize) -> usize {
        let item = self.swapped.map_or(1, Dtype::item_size).max(1);
        (bytes / item).max(1) * item
    }

    /// Of whole items, which were just read.
    pub(crate) fn land(self, bytes: &mut [u8]) {
        if let Some(dtype) = self.swapped {
            to_native(dtype, bytes);
        }
    }
}

/// Swaps every number in `bytes`, whole items of `dtype`, that does not have this machine's byte order.
pub(crate) fn to_native(dtype: &Dtype, bytes: &mut [u8]) {
    if dtype.is_native() {
        return;
    }
    match dtype {
        Dtype::Scalar(scalar) => swap_scalar(scalar, bytes),
        Dtype::Subarray(array) => to_native(array.base(), bytes),
        Dtype::Record(record) => {
            let size = record.item_size();
            for item in bytes.chunks_exact_mut(size.max(1)) {
                for field in record.fields() {
                    let end = field.offset() + field.dtype().item_size();
                    to_native(field.dtype(), &mut item[field.offset()..end]);
                }
            }
        }
    }
}

fn swap_scalar(scalar: &Scalar, bytes: &mut [u8]) {
    // The common widths by name: the loop over a fixed width becomes vector shuffles.
    match scalar.unit_size() {
        2 => bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|unit| unit.reverse()),
        4 => bytes.as_chunks_mut::<4>().0.iter_mut().for_each(|unit| unit.reverse()),
        8 => bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|unit| unit.reverse()),
        size => bytes.chunks_exact_mut(size.max(1)).for_each(|unit| unit.reverse()),
    }
}
