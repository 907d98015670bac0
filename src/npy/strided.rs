//! `Strided`: values at distances of any number of bytes, as the fields of packed records lie.

mod iter;

use std::fmt;
use std::marker::PhantomData;

use ndarray::{Array, ArrayView, Axis, Dimension, IntoDimension, RemoveAxis, ShapeBuilder};

use super::element::Element;
use crate::buffer;
use crate::error::Reason;
use iter::Offsets;
pub use iter::StridedIter;

/// A borrowed array whose strides are counted in bytes, as NumPy's are, and whose values lie at any address.
///
/// ndarray counts strides in elements. A `f4` in NumPy's packed records of 5 bytes can therefore be no `ArrayView`, and
/// is a `Strided`, as [`NpyArray::strided`](crate::NpyArray::strided) gives it. Values are taken out of it by value;
/// nothing is copied before.
///
/// ```
/// use npzmap::Npz;
/// use ndarray::Ix2;
///
/// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
/// let scores = npz.array("packed-le-c")?.field("score")?.strided::<f64, Ix2>()?; // in records of 34 bytes
/// assert_eq!((scores.shape(), scores.strides()), (&[2, 3][..], &[102, 34][..]));
/// assert_eq!(scores.get((0, 2)), Some(1.5));
/// assert_eq!(scores.iter().filter(|score| score.is_sign_negative()).count(), 3);
/// # Ok::<(), npzmap::Error>(())
/// ```
pub struct Strided<'a, T, D> {
    /// From the first value on; to the last, at least.
    bytes: &'a [u8],
    dimension: D,
    /// In bytes. That of the last value, and its size, were held against `bytes`.
    strides: D,
    element: PhantomData<T>,
}

impl<'a, T: Element, D: Dimension> Strided<'a, T, D> {
    /// Values whose axes have these lengths and strides, unless they reach over the bytes. They are to be
    /// [checked](Strided::first_invalid).
    pub(crate) fn new(bytes: &'a [u8], axes: &[(usize, usize)]) -> Option<Self> {
        let mut dimension = D::zeros(axes.len());
        let mut strides = D::zeros(axes.len());
        let mut bytes = bytes;
        if axes.iter().any(|(length, _)| *length == 0) {
            bytes = &[]; // and strides that lead nowhere
        } else {
            let last = axes.iter().try_fold(0_usize, |last, (length, stride)| {
                last.checked_add(length.checked_sub(1)?.checked_mul(*stride)?)
            });
            last?.checked_add(size_of::<T>()).filter(|end| *end <= bytes.len())?;
            strides.slice_mut().iter_mut().zip(axes).for_each(|(to, (_, stride))| *to = *stride);
        }
        dimension.slice_mut().iter_mut().zip(axes).for_each(|(to, (length, _))| *to = *length);
        Some(Strided { bytes, dimension, strides, element: PhantomData })
    }

    /// The number, in logical order, of the first value whose bytes are none.
    pub(crate) fn first_invalid(&self) -> Option<usize> {
        if buffer::is_plain::<T>() {
            return None;
        }
        self.offsets().position(|offset| self.at(offset).is_none())
    }

    /// The length of each axis.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix4;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let m = npz.array("subarrays-le-c")?.field("m")?.strided::<f32, Ix4>()?;
    /// assert_eq!(m.shape(), [2, 3, 2, 3]); // those of the array, then those of the field
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shape(&self) -> &[usize] {
        self.dimension.slice()
    }

    /// From one value to the next along each axis, in bytes. Of an array of no values it is 0.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix4;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let m = npz.array("subarrays-le-f")?.field("m")?.strided::<f32, Ix4>()?;
    /// assert_eq!(m.strides(), [51, 102, 12, 4]); // records of 51 bytes, in Fortran order
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn strides(&self) -> &[usize] {
        self.strides.slice()
    }

    /// The number of axes.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::IxDyn;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let fields = ["id", "score"].map(|field| npz.array("packed-le-c").and_then(|array| array.field(field)?.strided::<f64, IxDyn>()));
    /// assert_eq!(fields.map(|field| field.ok().map(|field| field.ndim())), [None, Some(2)]); // the first is a u4
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn ndim(&self) -> usize {
        self.dimension.ndim()
    }

    /// The number of values.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::{Ix2, Ix3};
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// assert_eq!(npz.array("packed-le-c")?.field("id")?.strided::<u32, Ix2>()?.len(), 6);
    /// assert_eq!(npz.array("subarrays-le-c")?.field("v")?.strided::<u8, Ix3>()?.len(), 18);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        // It fits: each value is bytes of its own.
        if self.shape().contains(&0) { 0 } else { self.shape().iter().product() }
    }

    /// Whether there are none.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix1;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/shapes.npz")?)?;
    /// let none = npz.array("len0-record")?.field("b")?.strided::<f32, Ix1>()?;
    /// assert!(none.is_empty() && none.get(0).is_none());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.shape().contains(&0)
    }

    /// One value; nothing outside of the shape.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::{Ix2, IxDyn};
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let n = npz.array("titles-le-c")?.field("n")?.strided::<i32, Ix2>()?;
    /// assert_eq!((n.get((0, 0)), n.get([2, 0])), (Some(2), None));
    /// let n = npz.array("titles-le-c")?.field("n")?.strided::<i32, IxDyn>()?;
    /// assert_eq!((n.get(&[0, 0][..]), n.get(&[0][..])), (Some(2), None)); // an axis short
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[inline]
    pub fn get(&self, index: impl IntoDimension<Dim = D>) -> Option<T> {
        let index = index.into_dimension();
        if index.ndim() != self.ndim() {
            return None;
        }
        let mut offset = 0;
        for ((index, length), stride) in index.slice().iter().zip(self.shape()).zip(self.strides()) {
            if index >= length {
                return None;
            }
            offset += index * stride;
        }
        self.at(offset)
    }

    /// All values, the last axis fastest.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let scores = npz.array("packed-le-c")?.field("score")?.strided::<f64, Ix2>()?;
    /// let largest = scores.iter().fold(0.0, f64::max);
    /// assert_eq!((largest, scores.iter().next_back()), (f64::MAX, Some(f64::MIN)));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn iter(&self) -> StridedIter<'a, T, D> {
        StridedIter::new(self.clone())
    }

    /// The part at one place of an axis; nothing outside of the shape.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::{Axis, Ix2};
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let scores = npz.array("packed-le-c")?.field("score")?.strided::<f64, Ix2>()?;
    /// let row = scores.index_axis(Axis(0), 0).unwrap();
    /// assert_eq!((row.to_array().to_vec(), row.strides()), (vec![0.0, -0.0, 1.5], &[34][..]));
    /// assert!(scores.index_axis(Axis(0), 2).is_none());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn index_axis(&self, axis: Axis, index: usize) -> Option<Strided<'a, T, D::Smaller>>
    where
        D: RemoveAxis,
    {
        let Axis(number) = axis;
        let (length, stride) = (self.shape().get(number)?, self.strides().get(number)?);
        if index >= *length {
            return None;
        }
        let bytes = self.bytes.get(index * stride..).unwrap_or_default();
        let (dimension, strides) = (self.dimension.remove_axis(axis), self.strides.remove_axis(axis));
        Some(Strided { bytes, dimension, strides, element: PhantomData })
    }

    /// A copy, in C order.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let scores = npz.array("packed-le-f")?.field("score")?.strided::<f64, Ix2>()?.to_array();
    /// assert_eq!((scores.row(0).to_vec(), scores.is_standard_layout()), (vec![0.0, -0.0, 1.5], true));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn to_array(&self) -> Array<T, D> {
        self.mapv(|value| value)
    }

    /// What becomes of each value, in C order.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::{Ix2, array};
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let negative = npz.array("packed-le-c")?.field("score")?.strided::<f64, Ix2>()?.mapv(|score| score < 0.0);
    /// assert_eq!(negative, array![[false, false, false], [true, false, true]]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn mapv<B>(&self, map: impl FnMut(T) -> B) -> Array<B, D> {
        let mut values = Vec::with_capacity(self.len());
        self.iter().map(map).for_each(|value| values.push(value));
        Array::from_shape_vec(self.dimension.clone(), values).expect("as many values as the shape has")
    }

    /// The same as ndarray's view, where that can be: at an aligned address, and strides that are multiples of the size.
    /// As an [`Unaligned`](crate::Unaligned) the address does not matter.
    ///
    /// ```
    /// use npzmap::{Npz, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let n = npz.array("titles-le-c")?.field("n")?.strided::<Unaligned<i32>, Ix2>()?; // in records of 8 bytes
    /// assert_eq!(n.as_view().unwrap().strides(), [6, 2]);
    /// let score = npz.array("packed-le-c")?.field("score")?.strided::<Unaligned<f64>, Ix2>()?; // of 34
    /// assert!(score.as_view().is_none());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn as_view(&self) -> Option<ArrayView<'a, T, D>> {
        buffer::checked_view(self.bits(0).ok()??).ok()
    }

    /// The bits as ndarray's view, or why they can be none. `offset` is where in the file they lie. Nothing where the
    /// strides are more than ndarray allows.
    pub(crate) fn bits(&self, offset: u64) -> Result<Option<ArrayView<'a, T::Bits, D>>, Reason> {
        if self.is_empty() {
            return Ok(ArrayView::from_shape(self.dimension.clone(), &[]).ok());
        }
        let size = size_of::<T>();
        let mut strides = D::zeros(self.ndim());
        for ((to, length), stride) in strides.slice_mut().iter_mut().zip(self.shape()).zip(self.strides()) {
            if *length > 1 && !stride.is_multiple_of(size) {
                return Err(Reason::Stride { stride: *stride, size });
            }
            *to = if *length > 1 { stride / size } else { 0 };
        }
        if !self.bytes.as_ptr().cast::<T>().is_aligned() {
            return Err(Reason::Misaligned { offset, required: align_of::<T>() });
        }
        let (whole, _) = self.bytes.split_at(self.bytes.len() / size * size);
        let bits = bytemuck::try_cast_slice::<u8, T::Bits>(whole).ok();
        Ok(bits.and_then(|bits| ArrayView::from_shape(self.dimension.clone().strides(strides), bits).ok()))
    }

    /// The value at an offset, if its bytes are one.
    #[inline]
    fn at(&self, offset: usize) -> Option<T> {
        let bytes = self.bytes.get(offset..)?.get(..size_of::<T>())?;
        bytemuck::checked::try_pod_read_unaligned(bytes).ok()
    }

    fn offsets(&self) -> Offsets<D> {
        let (dimension, strides) = (self.dimension.clone(), self.strides.clone());
        Offsets::new(dimension, strides, self.len())
    }
}

impl<T, D: Clone> Clone for Strided<'_, T, D> {
    fn clone(&self) -> Self {
        Strided {
            bytes: self.bytes,
            dimension: self.dimension.clone(),
            strides: self.strides.clone(),
            element: PhantomData,
        }
    }
}

impl<T, D: Copy> Copy for Strided<'_, T, D> {}

impl<T, D: Dimension> fmt::Debug for Strided<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shape, strides) = (self.dimension.slice(), self.strides.slice());
        f.debug_struct("Strided").field("shape", &shape).field("strides", &strides).finish_non_exhaustive()
    }
}
