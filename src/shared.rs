//! Arrays that own a share of what they borrow from.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;
use ndarray::{ArrayView, Axis, Dimension, ShapeBuilder};

use crate::bytes::window;
use crate::npy::element::Element;
use crate::source::Source;

/// An array that owns a share of its source, as [`NpyArray::shared`](crate::NpyArray::shared) returns it.
///
/// It is `Send`, `Sync` and `'static`, whatever the source is, so it can be stored in a struct, sent to a thread and handed
/// to another runtime. It keeps the source open after the archive is dropped. A clone costs a counter, and
/// [`view`](SharedArray::view) a few comparisons.
///
/// ```
/// use ndarray::Ix1;
/// use npzmap::{Npz, SharedArray, Unaligned};
///
/// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
/// let labels: SharedArray<Unaligned<i64>, Ix1> = npz.array("labels")?.shared()?;
/// drop(npz);
/// let threads = [0, 1, 2].map(|index| {
///     let labels = labels.clone();
///     std::thread::spawn(move || labels.view()[index].get())
/// });
/// assert_eq!(threads.map(|thread| thread.join().unwrap()), [0, 1, 1]);
/// # Ok::<(), npzmap::Error>(())
/// ```
pub struct SharedArray<T, D> {
    owner: Arc<dyn Source>,
    /// The elements from the lowest address to the highest, within the owner's bytes.
    range: Range<u64>,
    dimension: D,
    /// In elements, without their signs.
    strides: D,
    /// The axes along which addresses become smaller.
    flipped: Box<[usize]>,
    element: PhantomData<T>,
}

impl<T: Element + Pod, D: Dimension> SharedArray<T, D> {
    /// `view` is of some of the `elements`, which begin at `offset` of the owner's bytes.
    pub(crate) fn new(owner: Arc<dyn Source>, view: &ArrayView<'_, T, D>, elements: &[u8], offset: u64) -> Self {
        let dimension = view.raw_dim();
        let mut strides = D::zeros(dimension.ndim());
        let (mut range, mut flipped) = (offset..offset, Vec::new());
        if !view.is_empty() {
            // From the first element to the lowest address and to the highest one, in bytes.
            let (mut below, mut above) = (0, size_of::<T>());
            for (number, (length, stride)) in view.shape().iter().zip(view.strides()).enumerate() {
                let (stride, is_flipped) = (stride.unsigned_abs(), *stride < 0);
                let reach = (length - 1) * stride * size_of::<T>();
                strides[number] = stride;
                if is_flipped {
                    flipped.push(number);
                    below += reach;
                } else {
                    above += reach;
                }
            }
            let first = view.as_ptr().addr() - elements.as_ptr().addr();
            range = offset + (first - below) as u64..offset + (first + above) as u64;
        }
        SharedArray { owner, range, dimension, strides, flipped: flipped.into(), element: PhantomData }
    }

    /// Returns the elements, without a copy.
    ///
    /// # Panics
    ///
    /// If the source returns fewer bytes than when the array was made, or if it moved them to an address at which `T` is
    /// misaligned. No source of this crate does; an implementation of [`Source`] outside of it can.
    ///
    /// ```
    /// use ndarray::{Ix1, s};
    /// use npzmap::{Npz, Unaligned};
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let column = npz.array("features")?.select(s![.., 1])?.shared::<Unaligned<f32>, Ix1>()?;
    /// assert_eq!(column.view().sum().get(), 1.0 + 5.0 + 9.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn view(&self) -> ArrayView<'_, T, D> {
        let bytes = self.owner.as_slice().and_then(|bytes| window(bytes, 0, self.range.clone()));
        let view = match bytes {
            // At any address, and without strides, which would lead out of it.
            Some([]) => ArrayView::from_shape(self.dimension.clone(), &[]).ok(),
            bytes => bytes.and_then(|bytes| {
                let values = bytemuck::try_cast_slice(bytes).ok()?;
                ArrayView::from_shape(self.dimension.clone().strides(self.strides.clone()), values).ok()
            }),
        };
        let mut view = view.expect("the source returns the bytes that it returned before");
        self.flipped.iter().for_each(|axis| view.invert_axis(Axis(*axis)));
        view
    }

    /// Returns the length of each axis.
    ///
    /// ```
    /// use ndarray::IxDyn;
    /// use npzmap::{Npz, Unaligned};
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// assert_eq!(npz.array("features")?.shared::<Unaligned<f32>, IxDyn>()?.shape(), [3, 4]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shape(&self) -> &[usize] {
        self.dimension.slice()
    }

    /// Returns the source that the array shares: all bytes of the archive.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use ndarray::{Ix1, Ix2};
    /// use npzmap::{Npz, Unaligned};
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let features = npz.array("features")?.shared::<Unaligned<f32>, Ix2>()?;
    /// let labels = npz.array("labels")?.shared::<Unaligned<i64>, Ix1>()?;
    /// drop(npz);
    /// assert!(Arc::ptr_eq(features.owner(), labels.owner()));
    /// assert_eq!(Arc::strong_count(labels.owner()), 2);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn owner(&self) -> &Arc<dyn Source> {
        &self.owner
    }
}

impl<T, D: Clone> Clone for SharedArray<T, D> {
    fn clone(&self) -> Self {
        SharedArray {
            owner: Arc::clone(&self.owner),
            range: self.range.clone(),
            dimension: self.dimension.clone(),
            strides: self.strides.clone(),
            flipped: self.flipped.clone(),
            element: PhantomData,
        }
    }
}

impl<T: Element + Pod + fmt::Debug, D: Dimension> fmt::Debug for SharedArray<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}
