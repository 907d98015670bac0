//! Owned memory for arrays: zeroed, in huge pages when it is large, and bits that were checked as values.
#![expect(unsafe_code, reason = "the casts from checked bits to values, and the advice on fresh memory")]

use std::any::TypeId;
use std::mem::ManuallyDrop;

use bytemuck::{CheckedBitPattern, Pod};
use ndarray::{ArrayView, Dimension};

use crate::error::{ErrorKind, Result};

/// From this size on, page faults cost more than the copy itself.
#[cfg(target_os = "linux")]
const HUGE: usize = 4 << 20;

/// Zeroed memory for `count` values: address space until it is written, so that a lie about a size costs no memory.
pub(crate) fn zeroed<B: Pod>(count: usize) -> Result<Vec<B>> {
    let vec = bytemuck::allocation::try_zeroed_vec::<B>(count).map_err(|()| {
        let bytes = (count as u64).saturating_mul(size_of::<B>() as u64);
        ErrorKind::OutOfMemory { bytes }
    })?;
    #[cfg(target_os = "linux")]
    advise_huge(bytemuck::cast_slice(&vec));
    Ok(vec)
}

/// Room for `count` values that are made one by one.
pub(crate) fn with_capacity<T>(count: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    let bytes = (count as u64).saturating_mul(size_of::<T>() as u64);
    vec.try_reserve_exact(count).map_err(|_| ErrorKind::OutOfMemory { bytes })?;
    Ok(vec)
}

/// Makes a buffer of this length, whatever it holds.
pub(crate) fn resize(buffer: &mut Vec<u8>, count: usize) -> Result<()> {
    let more = count.saturating_sub(buffer.len());
    buffer.try_reserve_exact(more).map_err(|_| ErrorKind::OutOfMemory { bytes: count as u64 })?;
    buffer.resize(count, 0);
    Ok(())
}

/// Asks for huge pages behind fresh memory. It is advice: whatever becomes of it, the memory is the same.
#[cfg(target_os = "linux")]
fn advise_huge(bytes: &[u8]) {
    const PAGE: usize = 1 << 16; // the largest of any system
    if bytes.len() < HUGE {
        return;
    }
    let skip = bytes.as_ptr().align_offset(PAGE);
    if let Some(inner) = bytes.get(skip..) {
        let length = inner.len() - inner.len() % PAGE;
        // SAFETY: the range is whole pages within one live allocation that is borrowed here, and MADV_HUGEPAGE changes how
        // the kernel backs the pages, never what they hold. A failure (no such pages, no permission) is no matter.
        unsafe {
            libc::madvise(inner.as_ptr().cast_mut().cast(), length, libc::MADV_HUGEPAGE);
        }
    }
}

/// Whether every bit pattern is a value, so that `T` and its bits are one type.
pub(crate) fn is_plain<T: CheckedBitPattern + 'static>() -> bool
where
    T::Bits: 'static,
{
    TypeId::of::<T>() == TypeId::of::<T::Bits>()
}

/// The position of the first bits that are no value.
fn first_invalid<T: CheckedBitPattern<Bits: Pod> + 'static>(bits: &[T::Bits]) -> Option<usize> {
    if is_plain::<T>() {
        return None;
    }
    let mut start = 0;
    if TypeId::of::<T>() == TypeId::of::<bool>() {
        // OR over a block at memory speed; only a block that has a wrong byte is looked at one by one.
        for block in bytemuck::cast_slice::<_, u8>(bits).chunks(4096) {
            if block.iter().fold(0, |all, byte| all | byte) > 1 {
                break;
            }
            start += block.len();
        }
    }
    let wrong = bits[start..].iter().position(|bits| !T::is_valid_bit_pattern(bits));
    wrong.map(|index| start + index)
}

/// The values behind checked bits, or the position of the first that are none.
pub(crate) fn checked<T: CheckedBitPattern<Bits: Pod> + 'static>(bits: &[T::Bits]) -> Result<&[T], usize> {
    const { assert!(size_of::<T>() == size_of::<T::Bits>() && align_of::<T>() == align_of::<T::Bits>()) };
    if let Some(index) = first_invalid::<T>(bits) {
        return Err(index);
    }
    // SAFETY: `CheckedBitPattern` promises that `T` has the layout of its `Bits` (asserted above) and that bits
    // which pass `is_valid_bit_pattern` are a value; all of them passed, `bool`'s by being 0 or 1. Pointer, length
    // and lifetime are those of `bits`, and both borrows are shared.
    Ok(unsafe { std::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) })
}

/// The same for elements of any strides.
pub(crate) fn checked_view<'a, T: CheckedBitPattern<Bits: Pod> + 'static, D: Dimension>(
    bits: ArrayView<'a, T::Bits, D>,
) -> Result<ArrayView<'a, T, D>, usize> {
    const { assert!(size_of::<T>() == size_of::<T::Bits>() && align_of::<T>() == align_of::<T::Bits>()) };
    if !is_plain::<T>()
        && let Some(index) = bits.iter().position(|bits| !T::is_valid_bit_pattern(bits))
    {
        return Err(index);
    }
    let values = bits.raw_view().cast::<T>();
    // SAFETY: as in `checked`: every element is a value of `T`, which has the layout of its bits. The pointer, the
    // shape and the strides are those of a view that lived for 'a and was consumed here.
    Ok(unsafe { values.deref_into_view() })
}

/// The same for memory that is owned: nothing is copied.
pub(crate) fn checked_vec<T: CheckedBitPattern<Bits: Pod> + 'static>(bits: Vec<T::Bits>) -> Result<Vec<T>, usize> {
    checked::<T>(&bits)?;
    let mut bits = ManuallyDrop::new(bits);
    let (pointer, length, capacity) = (bits.as_mut_ptr(), bits.len(), bits.capacity());
    // SAFETY: the parts are those of a `Vec<T::Bits>` that is not used or dropped any more. `T` has the same size
    // and alignment (asserted in `checked`), so the allocation has the layout that `Vec<T>` gives back; all
    // `length` elements were checked to be values of `T`.
    Ok(unsafe { Vec::from_raw_parts(pointer.cast(), length, capacity) })
}

/// The bytes of values of which every bit pattern is one; nothing for `bool` and its like, which must be checked
/// before they are there.
pub(crate) fn plain_bytes_mut<T: CheckedBitPattern<Bits: Pod> + 'static>(values: &mut [T]) -> Option<&mut [u8]> {
    if !is_plain::<T>() {
        return None;
    }
    // SAFETY: `T` is its own `Bits`, by the identity of the types, and these are `Pod`: no padding, and whatever is
    // written is a value. The slice covers the same memory, exclusively, for the same lifetime.
    Some(unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) })
}
