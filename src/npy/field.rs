//! One field of a record, without a Rust type for the record: strided, where it lies.

use ndarray::{Array, ArrayView, Dimension, IxDyn, ShapeBuilder};

use super::array::{self, Elements};
use super::dtype::Dtype;
use super::element::{Element, short_name};
use super::header::{Header, Order};
use super::swap;
use crate::buffer;
use crate::error::{ErrorKind, Reason, Result};

/// A field, found by its path: where it begins in an item, what it is, and the axes that sub-arrays on the way add.
pub(crate) struct Leaf<'h> {
    offset: usize,
    dtype: &'h Dtype,
    /// Length and stride in bytes of each axis, the outermost first.
    axes: Vec<(usize, usize)>,
}

/// Finds a field: by its name, or by a path of names with dots between them.
pub(crate) fn find<'h>(dtype: &'h Dtype, path: &str) -> Result<Leaf<'h>> {
    let mut leaf = Leaf { offset: 0, dtype, axes: Vec::new() };
    let mut rest = Some(path);
    leaf.enter_subarray();
    while let Some(path) = rest {
        let Dtype::Record(record) = leaf.dtype else {
            return Err(no_field(leaf.dtype, path));
        };
        // A name may hold dots itself: the longest that fits is meant.
        let dots = path.rmatch_indices('.').map(|(at, _)| at);
        let found = std::iter::once(path.len()).chain(dots).find_map(|end| Some((record.field(&path[..end])?, end)));
        let (field, end) = found.ok_or_else(|| no_field(leaf.dtype, path))?;
        leaf.offset += field.offset();
        leaf.dtype = field.dtype();
        leaf.enter_subarray();
        rest = path.get(end + 1..);
    }
    Ok(leaf)
}

fn no_field(dtype: &Dtype, field: &str) -> crate::error::Error {
    let (field, dtype) = (field.into(), dtype.to_string());
    ErrorKind::NoSuchField { field, dtype }.into()
}

impl Leaf<'_> {
    /// The number of bytes of the field in all items.
    pub(crate) fn nbytes(&self, header: &Header) -> usize {
        header.count().saturating_mul(self.count()).saturating_mul(self.dtype.item_size())
    }

    /// The number of its values in an item. An axis of length 0 leaves none, however long the others are.
    fn count(&self) -> usize {
        let lengths = || self.axes.iter().map(|(length, _)| *length);
        if lengths().any(|length| length == 0) {
            return 0;
        }
        lengths().fold(1, usize::saturating_mul)
    }

    fn enter_subarray(&mut self) {
        while let Dtype::Subarray(inner) = self.dtype {
            let mut stride = inner.item_size();
            for length in inner.shape() {
                stride = stride.checked_div(*length).unwrap_or(0);
                self.axes.push((*length, stride));
            }
            self.dtype = inner.base();
        }
    }

    /// The lengths and the strides in bytes of all axes: those of the array, then those of sub-arrays.
    fn axes(&self, header: &Header) -> Vec<(usize, usize)> {
        let mut stride = header.dtype().item_size();
        let mut axes: Vec<_> = header.shape().iter().map(|length| (*length, 0)).collect();
        let outer = |axis: &mut (usize, usize)| {
            axis.1 = stride;
            stride = stride.saturating_mul(axis.0);
        };
        match header.order() {
            Order::C => axes.iter_mut().rev().for_each(outer),
            Order::Fortran => axes.iter_mut().for_each(outer),
        }
        axes.extend(&self.axes);
        axes
    }

    fn check<T: Element, D: Dimension>(&self, header: &Header) -> Result<()> {
        if header.dtype().has_object() {
            return Err(ErrorKind::Pickled.into());
        }
        if !T::matches(self.dtype) || self.dtype.item_size() != size_of::<T>() {
            let (dtype, element) = (self.dtype.to_string(), short_name::<T>());
            return Err(ErrorKind::DtypeMismatch { dtype, element }.into());
        }
        array::check_items(header)?;
        if size_of::<T>() == 0 {
            let count = header.count();
            return Err(ErrorKind::ZeroSizedItems { count }.into());
        }
        array::check_dimension::<D>(header.shape().len() + self.axes.len())
    }
}

/// The field where it lies, or why not.
pub(crate) fn view<'a, T: Element, D: Dimension>(
    header: &Header,
    leaf: &Leaf<'_>,
    elements: Elements<'a>,
) -> Result<Result<ArrayView<'a, T, D>, Reason>> {
    leaf.check::<T, D>(header)?;
    let (bytes, offset) = match elements {
        Elements::Here { bytes, offset } => (bytes, offset + leaf.offset as u64),
        Elements::Elsewhere(reason) => return Ok(Err(reason)),
    };
    let axes = leaf.axes(header);
    let lengths: Vec<usize> = axes.iter().map(|(length, _)| *length).collect();
    let dimension = array::dimension::<D>(&lengths);
    let refused = || array::payload_length(header, bytes.len());
    if lengths.contains(&0) {
        return ArrayView::from_shape(dimension, &[]).map(Ok).map_err(|_| refused().into());
    }
    if !leaf.dtype.is_native() {
        return Ok(Err(Reason::ByteOrder));
    }
    // ndarray counts strides in elements.
    let size = size_of::<T>();
    if let Some((_, stride)) = axes.iter().find(|(length, stride)| *length > 1 && !stride.is_multiple_of(size)) {
        return Ok(Err(Reason::Stride { stride: *stride, size }));
    }
    let strides: Vec<usize> = axes.iter().map(|(length, stride)| if *length > 1 { stride / size } else { 0 }).collect();
    let bytes = bytes.get(leaf.offset..).unwrap_or_default();
    if !bytes.as_ptr().cast::<T>().is_aligned() {
        return Ok(Err(Reason::Misaligned { offset, required: align_of::<T>() }));
    }
    let whole = bytes.len() / size * size;
    let bits = bytemuck::try_cast_slice::<u8, T::Bits>(&bytes[..whole]).map_err(|_| refused())?;
    let view = ArrayView::from_shape(dimension.strides(array::dimension::<D>(&strides)), bits);
    let view = view.map_err(|_| refused())?;
    Ok(Ok(buffer::checked_view::<T, D>(view).map_err(array::invalid::<T>)?))
}

/// A copy of the field. `next` gives the bytes of whole items, in the order in which they lie.
pub(crate) fn read<T: Element, D: Dimension>(
    header: &Header,
    leaf: &Leaf<'_>,
    mut next: impl FnMut(&mut [u8]) -> Result<()>,
) -> Result<Array<T, D>> {
    leaf.check::<T, D>(header)?;
    let size = size_of::<T>();
    // Of bytes that lie in an item: it cannot overflow.
    let inner = leaf.count();
    // One item after the other: the axes of the array in file order, then those of sub-arrays.
    let mut values = buffer::zeroed::<T::Bits>(header.count() * inner)?;
    let item = header.dtype().item_size();
    let block = (array::BLOCK / item.max(1)).clamp(1, header.count().max(1));
    let mut items: Vec<u8> = buffer::zeroed(block * item)?;
    let (axes, run) = leaf.runs(size);
    let runs = if inner == 0 { 0 } else { inner / run };
    let mut destination = bytemuck::cast_slice_mut::<_, u8>(&mut values).chunks_exact_mut(run * size);
    let mut left = if inner == 0 { 0 } else { header.count() };
    while left > 0 {
        let count = block.min(left);
        let items = &mut items[..count * item];
        next(items)?;
        for item in items.chunks_exact(item.max(1)) {
            for (index, to) in (0..runs).zip(&mut destination) {
                let from = leaf.offset + offset_of(index, axes);
                to.copy_from_slice(&item[from..from + to.len()]);
            }
        }
        left -= count;
    }
    swap::to_native(leaf.dtype, bytemuck::cast_slice_mut(&mut values));
    let values = buffer::checked_vec::<T>(values).map_err(array::invalid::<T>)?;

    let outer = header.shape().len();
    let mut lengths = header.shape().to_vec();
    let mut order: Vec<usize> = (0..outer + leaf.axes.len()).collect();
    if header.order() == Order::Fortran {
        lengths.reverse();
        order[..outer].reverse();
    }
    lengths.extend(leaf.axes.iter().map(|(length, _)| *length));
    let found = values.len() * size;
    let array = Array::from_shape_vec(IxDyn(&lengths), values);
    let array = array.map_err(|_| array::payload_length(header, found))?;
    let array = array.permuted_axes(order).into_dimensionality::<D>();
    array.map_err(|_| array::payload_length(header, found).into())
}

impl Leaf<'_> {
    /// The outer axes, and the number of values of `size` bytes that lie together in each of their places.
    fn runs(&self, size: usize) -> (&[(usize, usize)], usize) {
        let (mut axes, mut run) = (&self.axes[..], 1_usize);
        while let [outer @ .., (length, stride)] = axes
            && *length > 0
            && *stride == run * size
        {
            (axes, run) = (outer, run * length);
        }
        (axes, run)
    }
}

/// Where the place of this number lies along axes in C order, in bytes.
fn offset_of(mut index: usize, axes: &[(usize, usize)]) -> usize {
    let mut offset = 0;
    for (length, stride) in axes.iter().rev() {
        offset += index % length * stride;
        index /= length;
    }
    offset
}
