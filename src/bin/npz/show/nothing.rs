//! How much is printed of what has no bytes. The file bounds all else.

use npzmap::Dtype;

use super::print::{self, Shown};

/// More is not printed: 200 bytes of header can ask for any number.
pub(super) const MOST: usize = 1 << 20;

/// The elements that are shown, and the lists that they are in, if these have no elements. Too many to count are
/// `usize::MAX`.
pub(super) fn places(shown: &[Shown]) -> (usize, usize) {
    let (mut elements, mut lists) = (1_usize, 0_usize);
    for axis in shown {
        lists = lists.saturating_add(elements);
        elements = elements.saturating_mul(axis.count());
    }
    (elements, if elements == 0 { lists } else { 0 })
}

/// The values, lists and records without bytes that an item is printed as.
pub(super) fn within(dtype: &Dtype, summary: bool) -> usize {
    let itself = usize::from(dtype.item_size() == 0);
    match dtype {
        Dtype::Record(record) => {
            let fields = record.fields().iter().map(|field| within(field.dtype(), summary));
            fields.fold(itself, usize::saturating_add)
        }
        Dtype::Subarray(array) => {
            let shape = array.shape();
            let summary = summary && print::is_large(shape);
            let shown: Vec<_> = shape.iter().map(|length| Shown::new(*length, summary)).collect();
            match places(&shown) {
                (0, lists) => lists,
                (elements, _) => elements.saturating_mul(within(array.base(), summary)),
            }
        }
        _ => itself,
    }
}
