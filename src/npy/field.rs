//! One field of a record, without a Rust type for the record: strided, where it lies.

use ndarray::{Array, ArrayView, Dimension, IxDyn};

use super::array::{self, Elements};
use super::dtype::Dtype;
use super::element::{Element, short_name};
use super::header::{Header, Order};
use super::strided::Strided;
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
///
/// A name may hold dots itself, so that a path may be read in several ways: at each step the longest name that leads to
/// a field is meant. A record lies behind one part of the path only, however that is read; so each is entered once, and
/// the limit of fields bounds the search.
pub(crate) fn find<'h>(dtype: &'h Dtype, path: &str) -> Result<Leaf<'h>> {
    let mut leaf = Leaf { offset: 0, dtype, axes: Vec::new() };
    leaf.enter_subarray();
    leaf.descend(path).map_err(|(dtype, field)| {
        let (field, dtype) = (field.into(), dtype.to_string());
        ErrorKind::NoSuchField { field, dtype }
    })?;
    Ok(leaf)
}

impl<'h> Leaf<'h> {
    /// Goes on to the field of this path; or says what of it was not found where by the longest names.
    fn descend<'p>(&mut self, path: &'p str) -> Result<(), (&'h Dtype, &'p str)> {
        let here = (self.dtype, self.offset, self.axes.len());
        let Dtype::Record(record) = self.dtype else { return Err((self.dtype, path)) };
        let mut missing = None;
        let mut shorter_than = usize::MAX;
        loop {
            let fits = |name: &str| {
                let rest = path.strip_prefix(name);
                name.len() < shorter_than && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let fields = record.fields().iter().filter(|field| fits(field.name()));
            let Some(field) = fields.max_by_key(|field| field.name().len()) else {
                return Err(missing.unwrap_or((self.dtype, path)));
            };
            shorter_than = field.name().len();
            self.offset += field.offset();
            self.dtype = field.dtype();
            self.enter_subarray();
            let Some(rest) = path.get(shorter_than + 1..) else { return Ok(()) };
            match self.descend(rest) {
                Ok(()) => return Ok(()),
                Err(first) => missing.get_or_insert(first),
            };
            (self.dtype, self.offset) = (here.0, here.1);
            self.axes.truncate(here.2);
        }
    }
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
        // As for the shape of an array: also where another axis is 0, since ndarray multiplies the others.
        let lengths = || header.shape().iter().copied().chain(self.axes.iter().map(|(length, _)| *length));
        let mut filled = lengths().filter(|length| *length > 0);
        let nbytes = filled.try_fold(size_of::<T>(), usize::checked_mul).and_then(|bytes| isize::try_from(bytes).ok());
        if nbytes.is_none() {
            let (shape, item_size) = (lengths().collect(), size_of::<T>());
            return Err(ErrorKind::ShapeOverflow { shape, item_size }.into());
        }
        array::check_dimension::<D>(header.shape().len() + self.axes.len())
    }
}

/// The field where it lies, with strides of any number of bytes, or why not.
pub(crate) fn strided<'a, T: Element, D: Dimension>(
    header: &Header,
    leaf: &Leaf<'_>,
    elements: Elements<'a>,
) -> Result<Result<Strided<'a, T, D>, Reason>> {
    let place = match leaf.place::<T, D>(header, elements)? {
        Ok(place) => place,
        Err(reason) => return Ok(Err(reason)),
    };
    place.check::<T>(header)?;
    place.strided(header).map(Ok)
}

/// The same as ndarray's view, which counts strides in elements.
pub(crate) fn view<'a, T: Element, D: Dimension>(
    header: &Header,
    leaf: &Leaf<'_>,
    elements: Elements<'a>,
) -> Result<Result<ArrayView<'a, T, D>, Reason>> {
    let place = match leaf.place::<T, D>(header, elements)? {
        Ok(place) => place,
        Err(reason) => return Ok(Err(reason)),
    };
    let bits = match place.strided::<T, D>(header)?.bits(place.offset) {
        Ok(bits) => bits.ok_or_else(|| place.refused(header))?,
        Err(reason) => return Ok(Err(reason)),
    };
    match buffer::checked_view::<T, D>(bits) {
        Ok(view) => Ok(Ok(view)),
        Err(_) => place.check::<T>(header).and(Err(place.refused(header).into())),
    }
}

/// Where the values of a field lie.
struct Place<'a> {
    /// From the first value on.
    bytes: &'a [u8],
    /// Where in the file that is.
    offset: u64,
    /// Length and stride in bytes of all axes, those of the array first.
    axes: Vec<(usize, usize)>,
}

impl Leaf<'_> {
    fn place<'a, T: Element, D: Dimension>(
        &self,
        header: &Header,
        elements: Elements<'a>,
    ) -> Result<Result<Place<'a>, Reason>> {
        self.check::<T, D>(header)?;
        let (bytes, offset) = match elements {
            Elements::Here { bytes, offset } => (bytes, offset + self.offset as u64),
            Elements::Elsewhere(reason) => return Ok(Err(reason)),
        };
        let axes = self.axes(header);
        if !self.dtype.is_native() && axes.iter().all(|(length, _)| *length > 0) {
            return Ok(Err(Reason::ByteOrder));
        }
        let bytes = bytes.get(self.offset..).unwrap_or_default();
        Ok(Ok(Place { bytes, offset, axes }))
    }
}

impl<'a> Place<'a> {
    /// Not yet [checked](Place::check).
    fn strided<T: Element, D: Dimension>(&self, header: &Header) -> Result<Strided<'a, T, D>> {
        Strided::new(self.bytes, &self.axes).ok_or_else(|| self.refused(header).into())
    }

    /// Refuses values whose bytes are none.
    fn check<T: Element>(&self, header: &Header) -> Result<()> {
        if buffer::is_plain::<T>() {
            return Ok(());
        }
        // In the order in which they lie, since that is how they are numbered.
        let mut axes = self.axes.clone();
        if header.order() == Order::Fortran {
            axes[..header.shape().len()].reverse();
        }
        let values = Strided::<T, IxDyn>::new(self.bytes, &axes).ok_or_else(|| self.refused(header))?;
        values.first_invalid().map_or(Ok(()), |index| Err(array::invalid::<T>(index).into()))
    }

    fn refused(&self, header: &Header) -> ErrorKind {
        array::payload_length(header, self.bytes.len())
    }
}

/// A copy of the field, from a stream of items in the order in which they lie: `next` takes bytes of it, `skip` passes
/// over some.
pub(crate) fn read<T: Element, D: Dimension, R>(
    header: &Header,
    leaf: &Leaf<'_>,
    reader: &mut R,
    next: impl Fn(&mut R, &mut [u8]) -> Result<()>,
    skip: impl Fn(&mut R, usize) -> Result<()>,
) -> Result<Array<T, D>> {
    leaf.check::<T, D>(header)?;
    let size = size_of::<T>();
    // Of bytes that lie in an item: it cannot overflow.
    let inner = leaf.count();
    // One item after the other: the axes of the array in file order, then those of sub-arrays.
    let mut values = buffer::zeroed::<T::Bits>(header.count() * inner)?;
    let item = header.dtype().item_size();
    let (axes, run) = leaf.runs(size);
    let runs = if inner == 0 { 0 } else { inner / run };
    let mut destination = bytemuck::cast_slice_mut::<_, u8>(&mut values).chunks_exact_mut(run * size);
    let mut left = if inner == 0 { 0 } else { header.count() };
    let block = (array::BLOCK / item.max(1)).min(left);
    // Several items at once: a call for each costs more than its bytes.
    let mut items: Vec<u8> = buffer::zeroed(block * item)?;
    while block > 0 && left > 0 {
        let count = block.min(left);
        let items = &mut items[..count * item];
        next(reader, items)?;
        for item in items.chunks_exact(item.max(1)) {
            for (index, to) in (0..runs).zip(&mut destination) {
                let from = leaf.offset + offset_of(index, axes);
                to.copy_from_slice(&item[from..from + to.len()]);
            }
        }
        left -= count;
    }
    // Items too large to be held beside the values: what is not asked for is passed over.
    for _ in 0..left {
        let mut done = 0;
        for (index, to) in (0..runs).zip(&mut destination) {
            let from = leaf.offset + offset_of(index, axes);
            skip(reader, from - done)?;
            next(reader, to)?;
            done = from + to.len();
        }
        skip(reader, item - done)?;
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
