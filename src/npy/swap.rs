//! From the other byte order to this machine's, in place.

use super::dtype::{Dtype, Scalar};

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
