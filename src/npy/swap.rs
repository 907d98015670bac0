//! From the other byte order to this machine's, in place, while the bytes are still in the cache.

use std::ops::Range;

use super::dtype::{Dtype, Field};
use crate::steps;

/// What makes elements in this machine's byte order of the bytes of a file: found once for an array, however many blocks
/// it is read in.
pub(crate) struct Native {
    swap: Option<Swap>,
    item_size: usize,
}

impl Native {
    pub(crate) fn of(dtype: &Dtype) -> Self {
        Native { swap: Swap::of(dtype), item_size: dtype.item_size() }
    }

    pub(crate) fn landing(&self) -> Landing<'_> {
        Landing { swapped: self.swap.as_ref().map(|swap| (swap, self.item_size)) }
    }
}

/// What becomes of bytes that were read, a block at a time.
#[derive(Clone, Copy)]
pub(crate) struct Landing<'n> {
    /// What is swapped, in items of so many bytes.
    swapped: Option<(&'n Swap, usize)>,
}

impl Landing<'_> {
    /// They stay as they lie in the file.
    pub(crate) const AS_THEY_LIE: Self = Landing { swapped: None };

    /// Whether nothing is to be done.
    pub(crate) fn is_none(self) -> bool {
        self.swapped.is_none()
    }

    /// About as many bytes as these, in whole items.
    pub(crate) fn whole(self, bytes: usize) -> usize {
        let item = self.swapped.map_or(1, |(_, item_size)| item_size).max(1);
        (bytes / item).max(1) * item
    }

    /// Of whole items, which were just read.
    pub(crate) fn land(self, bytes: &mut [u8]) {
        if let Some((swap, _)) = self.swapped {
            swap.run(bytes);
        }
    }
}

/// What of an item has to be swapped, and nothing else: the work is linear in the bytes of the items, however many
/// fields of no bytes, native fields, and records around a single field their dtype has.
enum Swap {
    /// Units of so many bytes, one after the other.
    Units(usize),
    /// Parts of items of so many bytes.
    Items(usize, Vec<(Range<usize>, Swap)>),
}

impl Swap {
    fn of(dtype: &Dtype) -> Option<Self> {
        match dtype {
            Dtype::Scalar(scalar) if scalar.byte_order().is_native() || scalar.item_size() == 0 => None,
            Dtype::Scalar(scalar) => Some(Swap::Units(scalar.unit_size())),
            Dtype::Subarray(array) if array.item_size() == 0 => None,
            Dtype::Subarray(array) => Swap::of(array.base()),
            Dtype::Record(record) => {
                steps::add(record.fields().len());
                let part = |field: &Field| {
                    let swap = Swap::of(field.dtype())?;
                    Some((field.offset()..field.offset() + field.dtype().item_size(), swap))
                };
                let mut parts: Vec<(Range<usize>, Swap)> = Vec::new();
                for (range, swap) in record.fields().iter().filter_map(part) {
                    match (parts.last_mut(), &swap) {
                        // Numbers of one width side by side are swapped as an array of them is.
                        (Some((before, Swap::Units(width))), Swap::Units(same))
                            if before.end == range.start && width == same =>
                        {
                            before.end = range.end;
                        }
                        _ => parts.push((range, swap)),
                    }
                }
                match parts.pop() {
                    None => None,
                    // A record around it.
                    Some((range, swap)) if parts.is_empty() && range == (0..record.item_size()) => Some(swap),
                    Some(last) => {
                        parts.push(last);
                        Some(Swap::Items(record.item_size(), parts))
                    }
                }
            }
        }
    }

    fn run(&self, bytes: &mut [u8]) {
        match self {
            Swap::Units(size) => swap_units(*size, bytes),
            Swap::Items(size, parts) => {
                for item in bytes.chunks_exact_mut((*size).max(1)) {
                    steps::add(parts.len());
                    parts.iter().for_each(|(range, swap)| swap.run(&mut item[range.clone()]));
                }
            }
        }
    }
}

fn swap_units(size: usize, bytes: &mut [u8]) {
    // The common widths by name: the loop over a fixed width becomes vector shuffles.
    match size {
        2 => bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|unit| unit.reverse()),
        4 => bytes.as_chunks_mut::<4>().0.iter_mut().for_each(|unit| unit.reverse()),
        8 => bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|unit| unit.reverse()),
        size => bytes.chunks_exact_mut(size.max(1)).for_each(|unit| unit.reverse()),
    }
}
