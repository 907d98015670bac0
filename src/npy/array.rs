//! A header and its elements, as views and arrays. The plan comes before the work: [`access`] says what `view` and
//! `get` will do, and they do it by the same function.

use ndarray::{Array, ArrayView, Dimension, IxDyn, ShapeBuilder, StrideShape};

use super::element::{Element, short_name};
use super::header::{Header, Order};
use super::swap::{Landing, Native};
use super::text;
use crate::buffer;
use crate::error::{ErrorKind, Reason, Result};

/// What taking an array will do.
///
/// ```
/// use npzmap::{Access, Npz, Unaligned};
/// use ndarray::Ix2;
///
/// let npz = Npz::new(std::fs::read("tests/data/model-batch.npz")?)?;
/// let features = npz.array("features")?;
/// match features.access::<Unaligned<f32>>()? {
///     Access::Borrow => assert!(features.view::<Unaligned<f32>, Ix2>().is_ok()),
///     Access::Copy(reason) => assert_eq!(reason.to_string(), "the member is compressed"),
/// }
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `view` and `get` lend the elements where they lie.
    Borrow,
    /// `get` and `read` copy them, and this is why; `view` gives it as its error.
    Copy(Reason),
}

/// Where the elements of an array lie.
#[derive(Clone, Copy)]
pub(crate) enum Elements<'a> {
    /// In memory as they are; `offset` is their place in the file.
    Here { bytes: &'a [u8], offset: u64 },
    /// Somewhere that cannot be lent.
    Elsewhere(Reason),
}

/// Items of no bytes would be made out of nothing, as many as a header likes.
pub(crate) fn check_items(header: &Header) -> Result<()> {
    let count = header.count();
    if header.dtype().item_size() == 0 && count > 0 {
        return Err(ErrorKind::ZeroSizedItems { count }.into());
    }
    Ok(())
}

pub(crate) fn check_dimension<D: Dimension>(found: usize) -> Result<()> {
    match D::NDIM {
        Some(expected) if expected != found => Err(ErrorKind::DimensionMismatch { found, expected }.into()),
        _ => Ok(()),
    }
}

/// The plan for elements of a type whose items were checked.
pub(crate) fn access<T: Element>(header: &Header, elements: Elements<'_>) -> Access {
    let (bytes, offset) = match elements {
        Elements::Elsewhere(reason) => return Access::Copy(reason),
        Elements::Here { bytes, offset } => (bytes, offset),
    };
    if header.count() == 0 {
        Access::Borrow // nothing to align, nothing to swap
    } else if !header.dtype().is_native() {
        Access::Copy(Reason::ByteOrder)
    } else if !bytes.as_ptr().cast::<T>().is_aligned() {
        let required = align_of::<T>();
        Access::Copy(Reason::Misaligned { offset, required })
    } else {
        Access::Borrow
    }
}

/// What a map, which begins on a page, would do with these elements as the type that they are.
pub(crate) fn access_in_map(header: &Header, offset: u64) -> Access {
    let required = header.dtype().view_alignment();
    if header.count() == 0 {
        Access::Borrow
    } else if !header.dtype().is_native() {
        Access::Copy(Reason::ByteOrder)
    } else if !offset.is_multiple_of(required as u64) {
        Access::Copy(Reason::Misaligned { offset, required })
    } else {
        Access::Borrow
    }
}

/// The shape as ndarray has it. The caller has checked the number of dimensions; that the size can be addressed
/// was checked with the header.
pub(crate) fn shape<D: Dimension>(header: &Header) -> StrideShape<D> {
    dimension::<D>(header.shape()).set_f(header.order() == Order::Fortran).into()
}

pub(crate) fn dimension<D: Dimension>(lengths: &[usize]) -> D {
    let mut dimension = D::zeros(lengths.len());
    dimension.slice_mut().copy_from_slice(lengths);
    dimension
}

/// The elements where they lie, or why not.
pub(crate) fn view<'a, T: Element, D: Dimension>(
    header: &Header,
    elements: Elements<'a>,
) -> Result<Result<ArrayView<'a, T, D>, Reason>> {
    check_dimension::<D>(header.shape().len())?;
    let bytes = match (access::<T>(header, elements), elements) {
        (Access::Borrow, Elements::Here { bytes, .. }) => bytes,
        (Access::Copy(reason), _) | (Access::Borrow, Elements::Elsewhere(reason)) => return Ok(Err(reason)),
    };
    let bits = match bytes {
        [] => &[], // wherever it lies
        bytes => bytemuck::try_cast_slice(bytes).map_err(|_| payload_length(header, bytes.len()))?,
    };
    let values = buffer::checked::<T>(bits).map_err(invalid::<T>)?;
    let view = ArrayView::from_shape(shape::<D>(header), values);
    view.map(Ok).map_err(|_| payload_length(header, bytes.len()).into())
}

/// An owned array. `fill` fills the bytes of all elements, and has checked them.
pub(crate) fn read<T: Element, D: Dimension>(
    header: &Header,
    fill: impl FnOnce(&mut [u8], Landing<'_>) -> Result<()>,
) -> Result<Array<T, D>> {
    check_dimension::<D>(header.shape().len())?;
    let mut bits = buffer::zeroed::<T::Bits>(header.count())?;
    fill(bytemuck::cast_slice_mut(&mut bits), Native::of(header.dtype()).landing())?;
    let values = buffer::checked_vec::<T>(bits).map_err(invalid::<T>)?;
    let length = values.len();
    let array = Array::from_shape_vec(shape::<D>(header), values);
    array.map_err(|_| payload_length(header, length * size_of::<T>()).into())
}

/// Refuses a destination of another shape.
pub(crate) fn check_shape(header: &Header, expected: &[usize]) -> Result<()> {
    if header.shape() == expected {
        return Ok(());
    }
    let (found, expected) = (header.shape().to_vec(), expected.to_vec());
    Err(ErrorKind::ShapeMismatch { found, expected }.into())
}

/// What is read through, where it cannot be read in place.
pub(crate) const BLOCK: usize = 64 << 10;

/// An array of strings.
pub(crate) fn strings(header: &Header, payload: &[u8]) -> Result<Array<String, IxDyn>> {
    let strings = text::decode(text::check(header)?, payload)?;
    let found = payload.len();
    let array = Array::from_shape_vec(shape::<IxDyn>(header), strings);
    array.map_err(|_| payload_length(header, found).into())
}

/// The bytes that they take as strings, their text apart.
pub(crate) fn strings_nbytes(header: &Header) -> usize {
    text::nbytes(header).max(header.nbytes())
}

/// Whether the elements can be taken as strings.
pub(crate) fn check_strings(header: &Header) -> Result<()> {
    text::check(header)?;
    check_items(header)
}

pub(crate) fn invalid<T>(index: usize) -> ErrorKind {
    let element = short_name::<T>();
    ErrorKind::InvalidElement { index, element }
}

pub(crate) fn payload_length(header: &Header, found: usize) -> ErrorKind {
    let (found, expected) = (found as u64, header.nbytes() as u64);
    ErrorKind::PayloadLength { found, expected }
}
