//! What the elements of a saved array can be, and how they are handed over in C order.

use std::borrow::Cow;

use ndarray::{ArrayView, ArrayViewMut, Axis, IxDyn};

use super::dtype::{ByteOrder, Dtype, Kind, Scalar};
use super::element::{Element, short_name};
use super::tiles;
#[cfg(feature = "half")]
use super::unaligned::Unaligned;
use crate::buffer;
use crate::error::{ErrorKind, Result};

/// How many bytes are gathered before they are handed on.
const BLOCK: usize = 64 << 10;

/// What the elements of an array can be that is saved: an [`Element`], or text.
///
/// ```
/// fn is<T: npzmap::Item>() {}
///
/// is::<f32>();
/// is::<String>();
/// is::<&[u8]>();
/// ```
#[diagnostic::on_unimplemented(
    message = "arrays of `{Self}` cannot be saved",
    note = "numbers have a fixed size in NumPy: cast `usize` to `u64`; rows of rows are an `Array2`",
    note = "a type of your own is saved by implementing Element, or by npzmap::record!"
)]
pub trait Item: Sync + Sized + sealed::Sealed {
    /// The dtype that holds all of them.
    #[doc(hidden)]
    fn dtype_of<'a>(items: impl Iterator<Item = &'a Self>) -> Result<Dtype>
    where
        Self: 'a;

    /// Their bytes, if they are elements.
    #[doc(hidden)]
    fn bytes_of(items: &[Self]) -> Option<&[u8]>;

    /// Appends one as an item of `size` bytes.
    #[doc(hidden)]
    fn encode(&self, size: usize, bytes: &mut Vec<u8>);

    /// Hands over the items of a view in C order, each of `size` bytes, in blocks.
    #[doc(hidden)]
    fn gather(view: ArrayView<'_, Self, IxDyn>, size: usize, put: Put<'_>) -> Result<()> {
        let mut block = Vec::with_capacity(BLOCK.min(view.len().saturating_mul(size)));
        // By `for_each`, which ndarray unrolls where an iterator would count along every axis.
        let mut outcome = Ok(());
        view.iter().for_each(|item| {
            item.encode(size, &mut block);
            if block.len() >= BLOCK {
                if outcome.is_ok() {
                    outcome = put(&block);
                }
                block.clear();
            }
        });
        outcome?;
        if block.is_empty() { Ok(()) } else { put(&block) }
    }

    /// As the writers of NumPy's files spell the dtype.
    #[doc(hidden)]
    fn spell(preamble: Vec<u8>) -> Vec<u8> {
        preamble
    }
}

/// Takes the bytes of some elements.
pub(crate) type Put<'p> = &'p mut dyn FnMut(&[u8]) -> Result<()>;

pub(crate) mod sealed {
    pub trait Sealed {}
}

impl<T: Element> sealed::Sealed for T {}

impl<T: Element> Item for T {
    fn dtype_of<'a>(_: impl Iterator<Item = &'a Self>) -> Result<Dtype>
    where
        Self: 'a,
    {
        let dtype = T::dtype();
        if dtype.item_size() != size_of::<T>() {
            // No file has both.
            let (dtype, element) = (dtype.to_string(), short_name::<T>());
            return Err(ErrorKind::DtypeMismatch { dtype, element }.into());
        }
        Ok(dtype)
    }

    fn bytes_of(items: &[Self]) -> Option<&[u8]> {
        Some(bytemuck::cast_slice(items))
    }

    fn encode(&self, _: usize, bytes: &mut Vec<u8>) {
        bytes.extend(bytemuck::bytes_of(self));
    }

    fn gather(view: ArrayView<'_, Self, IxDyn>, _: usize, put: Put<'_>) -> Result<()> {
        let view = tiles::squeeze(view);
        let Some(first) = view.first().filter(|first| size_of_val(*first) > 0) else { return Ok(()) };
        let count = tiles::block(&view, BLOCK);
        let mut block = buffer::with_capacity(count)?;
        block.resize(count, *first);
        gather(view, &mut block, put)
    }

    /// `V` has no byte order in NumPy, which reads both; ml_dtypes marks its bfloat16 by one, and only by this.
    #[cfg(feature = "half")]
    fn spell(mut preamble: Vec<u8>) -> Vec<u8> {
        use std::any::TypeId;

        const NUMPY: &[u8] = b"{'descr': '|V2'";
        let bf16 = [TypeId::of::<half::bf16>(), TypeId::of::<Unaligned<half::bf16>>()];
        if bf16.contains(&TypeId::of::<T>())
            && let Some(start) = preamble.windows(NUMPY.len()).position(|text| text == NUMPY)
            && let Some(mark) = preamble.get_mut(start + NUMPY.len() - 4)
        {
            *mark = b'<';
        }
        preamble
    }
}

/// Text in UCS-4, or bytes. NumPy takes NULs at the end for filling, so that they would be lost.
macro_rules! text {
    ($($type:ty),*: $kind:ident, $ends_in_nul:expr, $length:expr, $encode:expr) => {$(
        impl sealed::Sealed for $type {}

        impl Item for $type {
            fn dtype_of<'a>(items: impl Iterator<Item = &'a Self>) -> Result<Dtype>
            where
                Self: 'a,
            {
                let mut longest = 1; // as in NumPy, also where all are empty
                for (index, item) in items.enumerate() {
                    if $ends_in_nul(item) {
                        let problem = "a NUL at its end, which NumPy would take for filling";
                        return Err(ErrorKind::BadText { index, problem }.into());
                    }
                    longest = longest.max($length(item));
                }
                text_dtype(Kind::$kind, longest)
            }

            fn bytes_of(_: &[Self]) -> Option<&[u8]> {
                None
            }

            fn encode(&self, size: usize, bytes: &mut Vec<u8>) {
                let end = bytes.len() + size;
                $encode(self, bytes);
                bytes.resize(end, 0);
            }
        }
    )*};
}

text!(String, &str, Cow<'_, str>: Str,
    |item: &Self| item.ends_with('\0'),
    |item: &Self| item.chars().count() * 4,
    |item: &Self, bytes: &mut Vec<u8>| item.chars().for_each(|c| bytes.extend(u32::from(c).to_ne_bytes())));
text!(Vec<u8>, &[u8], Cow<'_, [u8]>: Bytes,
    |item: &Self| item.ends_with(&[0]),
    |item: &Self| item.len(),
    |item: &Self, bytes: &mut Vec<u8>| bytes.extend(&item[..]));

fn text_dtype(kind: Kind, longest: usize) -> Result<Dtype> {
    let (size, order) = match kind {
        Kind::Str => (longest.max(4), ByteOrder::NATIVE),
        _ => (longest, ByteOrder::NotApplicable),
    };
    let too_long = || {
        let (shape, item_size) = (Vec::new(), size);
        ErrorKind::ShapeOverflow { shape, item_size }
    };
    Ok(Scalar::new(kind, size, order).ok_or_else(too_long)?.into())
}

/// Elements through a block, as many rows at a time as it holds. It calls itself once for each axis.
fn gather<T: Element>(view: ArrayView<'_, T, IxDyn>, block: &mut [T], put: Put<'_>) -> Result<()> {
    if let Some(elements) = view.as_slice() {
        return put(bytemuck::cast_slice(elements));
    }
    let row = view.len() / view.len_of(Axis(0));
    if row > block.len() {
        return view.outer_iter().try_for_each(|row| gather(row, block, put));
    }
    for part in view.axis_chunks_iter(Axis(0), block.len() / row) {
        let elements = &mut block[..part.len()];
        if let Ok(together) = ArrayViewMut::from_shape(part.raw_dim(), &mut *elements) {
            let across = tiles::across(&part);
            tiles::assign(part, together, across);
        }
        put(bytemuck::cast_slice(elements))?;
    }
    Ok(())
}
