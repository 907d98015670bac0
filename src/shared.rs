//! Arrays that own a share of what they borrow from.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;
use ndarray::{ArrayView, Dimension, ShapeBuilder};

use crate::bytes::window;
use crate::npy::element::Element;
use crate::npy::header::Order;
use crate::take::Payload;

/// What a [`SharedArray`] owns a share of: an archive, or a plain `.npy` file, whose bytes lie in memory.
///
/// ```
/// use std::sync::Arc;
/// use npzmap::{Holder, Npy, Npz, SharedArray, Unaligned};
/// use ndarray::Ix2;
///
/// fn corner<O: Holder>(array: &SharedArray<Unaligned<f32>, Ix2, O>) -> f32 {
///     array.view()[(0, 2)].get()
/// }
///
/// let npz = Arc::new(Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?);
/// let npy = Arc::new(Npy::new(std::fs::read("tests/data/plain.npy")?)?);
/// assert_eq!((corner(&npz.shared("features")?), corner(&npy.shared()?)), (2.0, 1.5));
/// # Ok::<(), npzmap::Error>(())
/// ```
pub trait Holder: sealed::Sealed {
    #[doc(hidden)]
    fn bytes(&self) -> Option<&[u8]>;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// An array that owns a share of its archive, as [`Npz::shared`](crate::Npz::shared) makes it.
///
/// It is `Send`, `Sync` and `'static` when the archive is, so that it can be stored, sent and handed on. Cloning it
/// costs a counter, and [`view`](SharedArray::view) a few comparisons.
///
/// ```
/// use std::sync::Arc;
/// use npzmap::{Npz, Unaligned};
/// use ndarray::Ix1;
///
/// let npz = Arc::new(Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?);
/// let labels = npz.shared::<Unaligned<i64>, Ix1>("labels")?;
/// let threads = [0, 1, 2].map(|index| {
///     let labels = labels.clone();
///     std::thread::spawn(move || labels.view()[index].get())
/// });
/// assert_eq!(threads.map(|thread| thread.join().unwrap()), [0, 1, 1]);
/// # Ok::<(), npzmap::Error>(())
/// ```
pub struct SharedArray<T, D, O> {
    owner: Arc<O>,
    /// The elements, within the owner's bytes.
    range: Range<u64>,
    dimension: D,
    order: Order,
    element: PhantomData<T>,
}

impl<T: Element + Pod, D: Dimension, O: Holder> SharedArray<T, D, O> {
    /// `view` and `payload` are of one array of the owner.
    pub(crate) fn new(owner: Arc<O>, view: &ArrayView<'_, T, D>, payload: &Payload<'_>) -> Self {
        let start = payload.offset();
        let (range, dimension) = (start..start + payload.bytes().len() as u64, view.raw_dim());
        SharedArray { owner, range, dimension, order: payload.header().order(), element: PhantomData }
    }

    /// The array.
    ///
    /// # Panics
    ///
    /// When the source gives fewer bytes than when the array was taken, or moved them to an address that `T` cannot have.
    /// No source of this crate does; a user's own [`InMemory`](crate::InMemory) promises not to.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use npzmap::{Npz, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// let npz = Arc::new(Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?);
    /// let features = npz.shared::<Unaligned<f32>, Ix2>("features")?;
    /// assert_eq!(features.view().row(2).sum().get(), 38.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn view(&self) -> ArrayView<'_, T, D> {
        let bytes = self.owner.bytes().and_then(|bytes| window(bytes, 0, self.range.clone()));
        let values = match bytes {
            Some([]) => Some(&[][..]),
            bytes => bytes.and_then(|bytes| bytemuck::try_cast_slice(bytes).ok()),
        };
        let shape = self.dimension.clone().set_f(self.order == Order::Fortran);
        let view = values.and_then(|values| ArrayView::from_shape(shape, values).ok());
        view.expect("the source gives the bytes that it gave before")
    }

    /// The length of each axis.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use npzmap::{Npz, Unaligned};
    /// use ndarray::IxDyn;
    ///
    /// let npz = Arc::new(Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?);
    /// assert_eq!(npz.shared::<Unaligned<f32>, IxDyn>("features")?.shape(), [3, 4]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shape(&self) -> &[usize] {
        self.dimension.slice()
    }

    /// What it owns a share of.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use npzmap::{Npz, Unaligned};
    /// use ndarray::{Ix1, Ix2};
    ///
    /// let npz = Arc::new(Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?);
    /// let features = npz.shared::<Unaligned<f32>, Ix2>("features")?;
    /// let labels = features.owner().shared::<Unaligned<i64>, Ix1>("labels")?; // a neighbour
    /// assert_eq!((labels.view()[2].get(), Arc::strong_count(&npz)), (1, 3));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn owner(&self) -> &Arc<O> {
        &self.owner
    }
}

impl<T, D: Clone, O> Clone for SharedArray<T, D, O> {
    fn clone(&self) -> Self {
        SharedArray {
            owner: Arc::clone(&self.owner),
            range: self.range.clone(),
            dimension: self.dimension.clone(),
            order: self.order,
            element: PhantomData,
        }
    }
}

impl<T: Element + Pod + fmt::Debug, D: Dimension, O: Holder> fmt::Debug for SharedArray<T, D, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}
