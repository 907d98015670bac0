//! The numbers and strings that an item is made of, records taken apart.

use std::ops::Range;

use npzmap::{ByteOrder, Dtype, Kind, Scalar};

use crate::shape;

/// Scalars of one kind, side by side in an item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    pub(crate) offset: usize,
    pub(crate) scalar: Scalar,
    pub(crate) count: usize,
}

/// More of them are not told apart: 20 bytes of header can ask for any number.
pub(crate) const MOST: usize = 4096;

/// The leaves of an item that have bytes; padding is none. Too many are one of bytes.
pub(crate) fn leaves(dtype: &Dtype) -> Vec<Leaf> {
    gather(dtype, &|scalar| scalar.item_size() > 0).unwrap_or_else(|| {
        let whole = Scalar::new(Kind::Void, dtype.item_size(), ByteOrder::NotApplicable);
        whole.into_iter().map(|scalar| Leaf { offset: 0, scalar, count: 1 }).collect()
    })
}

/// All leaves of an item, strings of no length among them; nothing if they are too many.
pub(crate) fn all_leaves(dtype: &Dtype) -> Option<Vec<Leaf>> {
    gather(dtype, &|_| true)
}

/// Which scalars are leaves.
type Takes<'t> = &'t dyn Fn(&Scalar) -> bool;

fn gather(dtype: &Dtype, takes: Takes<'_>) -> Option<Vec<Leaf>> {
    let mut leaves = Vec::new();
    collect(dtype, 0, takes, &mut leaves);
    (leaves.len() <= MOST).then_some(leaves)
}

fn collect(dtype: &Dtype, offset: usize, takes: Takes<'_>, leaves: &mut Vec<Leaf>) {
    if leaves.len() > MOST {
        return;
    }
    match dtype {
        Dtype::Scalar(scalar) if takes(scalar) => leaves.push(Leaf { offset, scalar: *scalar, count: 1 }),
        Dtype::Record(record) => {
            for field in record.fields() {
                collect(field.dtype(), offset + field.offset(), takes, leaves);
            }
        }
        Dtype::Subarray(array) => {
            let count = shape::count(array.shape()).unwrap_or(usize::MAX);
            if let Dtype::Scalar(scalar) = array.base() {
                if takes(scalar) && count > 0 {
                    leaves.push(Leaf { offset, scalar: *scalar, count });
                }
                return;
            }
            for index in 0..count {
                let before = leaves.len();
                collect(array.base(), offset + index * array.base().item_size(), takes, leaves);
                // Where one has none, none of them has; and enough is enough.
                if leaves.len() == before {
                    break;
                }
            }
        }
        _ => {}
    }
}

impl Leaf {
    /// Where its scalars lie in an item.
    pub(crate) fn ranges(self) -> impl Iterator<Item = Range<usize>> {
        let size = self.scalar.item_size();
        (0..self.count).map(move |index| {
            let start = self.offset + index * size;
            start..start + size
        })
    }
}

/// The bytes of a number, least significant first.
pub(crate) fn little(bytes: &[u8], order: ByteOrder) -> [u8; 16] {
    let mut number = [0; 16];
    let count = bytes.len().min(16);
    number[..count].copy_from_slice(&bytes[..count]);
    if order == ByteOrder::Big {
        number[..count].reverse();
    }
    number
}
