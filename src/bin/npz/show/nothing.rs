//! How much is printed of what has no bytes. The file bounds all else.

use npzmap::Dtype;

use super::print::{self, Shown};

/// More is not printed: 200 bytes of header can ask for any number.
pub(super) const MOST: usize = 1 << 20;

/// The elements that are shown, or where there are none, the lists that they would be in. None if they cannot be counted.
pub(super) fn places(shown: &[Shown]) -> Option<usize> {
    shown.iter().map(|axis| axis.count()).take_while(|count| *count > 0).try_fold(1, usize::checked_mul)
}

/// The values, lists and records without bytes that an item is printed as.
pub(super) fn within(dtype: &Dtype, summary: bool) -> usize {
    let itself = usize::from(dtype.item_size() == 0);
    let inside = match dtype {
        Dtype::Record(record) => {
            let fields = record.fields().iter().map(|field| within(field.dtype(), summary));
            fields.fold(0, usize::saturating_add)
        }
        Dtype::Subarray(array) => {
            let shape = array.shape();
            let summary = summary && print::is_large(shape);
            let shown: Vec<_> = shape.iter().map(|length| Shown::new(*length, summary)).collect();
            let each = if shape.contains(&0) { 1 } else { within(array.base(), summary) };
            places(&shown).unwrap_or(usize::MAX).saturating_mul(each)
        }
        _ => 0,
    };
    itself.saturating_add(inside)
}
