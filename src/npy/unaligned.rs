//! `Unaligned<T>`: a value at any address.
#![expect(
    unsafe_code,
    reason = "a packed struct of plain data is plain data; bytemuck's derive would add a proc macro"
)]

use std::fmt;
use std::ops::Add;

use bytemuck::{Pod, Zeroable};
use ndarray::{Array, ArrayRef, Dimension};
use num_traits::Zero;

use super::dtype::Dtype;
use super::element::Element;
use crate::buffer;

/// A `T` of alignment 1, in this machine's byte order.
///
/// `np.savez` puts arrays wherever the archive happens to stand, so that most of them cannot be borrowed as
/// `&[f32]` or `&[f64]`. As `&[Unaligned<f32>]` every one can. On x86-64 a load from it is one instruction, as from a
/// `f32`, and sums run as fast: 25 GB/s either way, of 256 MiB of `f32` at 2 bytes behind an aligned address (AMD EPYC,
/// 2 cores, one thread, Rust 1.95, 2026-11-23).
///
/// There is no `Mul`, on purpose: ndarray's `dot` would then compile, and take its slow path instead of the matrix
/// product for `f32`. Copy first, by [`to_aligned`](ToAligned::to_aligned).
///
/// ```
/// use npzmap::{Npz, Unaligned};
/// use ndarray::Ix2;
///
/// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
/// let features = npz.view::<Unaligned<f32>, Ix2>("features")?;
/// assert_eq!(features[(2, 3)].get(), 11.0);
/// assert_eq!(features.sum().get(), 66.0);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy)]
#[repr(C, packed)]
pub struct Unaligned<T: Copy>(T);

// SAFETY: all of its bytes are one `T`, for which zeros are a value.
unsafe impl<T: Zeroable + Copy> Zeroable for Unaligned<T> {}

// SAFETY: `repr(C, packed)` of one field: its size is the field's, it has no padding, every bit pattern is a `T`
// since `T: Pod`, and it is `Copy` and 'static. The alignment of 1 asks less of an address than `T` does.
unsafe impl<T: Pod> Pod for Unaligned<T> {}

impl<T: Copy> Unaligned<T> {
    /// Wraps a value.
    ///
    /// ```
    /// use npzmap::Unaligned;
    ///
    /// let values = [1.5, -2.25].map(Unaligned::<f64>::new);
    /// assert_eq!((align_of_val(&values), size_of_val(&values)), (1, 16));
    /// assert_eq!(values[1], -2.25);
    /// ```
    #[inline]
    pub const fn new(value: T) -> Self {
        Unaligned(value)
    }

    /// The value.
    ///
    /// ```
    /// use npzmap::{Npz, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let features = npz.view::<Unaligned<f32>, Ix2>("features")?;
    /// assert_eq!(features.iter().map(|value| value.get().powi(2)).sum::<f32>(), 506.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[inline]
    pub const fn get(self) -> T {
        self.0
    }
}

impl<T: Element + Pod> Element for Unaligned<T> {
    fn dtype() -> Dtype {
        T::dtype()
    }

    fn matches(dtype: &Dtype) -> bool {
        T::matches(dtype)
    }
}

impl<T: Copy> From<T> for Unaligned<T> {
    #[inline]
    fn from(value: T) -> Self {
        Unaligned(value)
    }
}

impl<T: Copy + PartialEq> PartialEq for Unaligned<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Copy + PartialEq> PartialEq<T> for Unaligned<T> {
    #[inline]
    fn eq(&self, other: &T) -> bool {
        self.get() == *other
    }
}

impl<T: Copy + fmt::Debug> fmt::Debug for Unaligned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl<T: Copy + fmt::Display> fmt::Display for Unaligned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl<T: Copy + Add<Output = T>> Add for Unaligned<T> {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        Unaligned(self.get() + other.get())
    }
}

impl<T: Copy + Zero> Zero for Unaligned<T> {
    #[inline]
    fn zero() -> Self {
        Unaligned(T::zero())
    }

    #[inline]
    fn is_zero(&self) -> bool {
        self.get().is_zero()
    }
}

/// Arrays of [`Unaligned<T>`] to arrays of `T`.
///
/// A copy into fresh memory costs its page faults, and large ones therefore ask for huge pages: 7 to 10 GB/s for 64 MiB that
/// lie together, where `to_vec` of the same bytes makes 1.8 (AMD EPYC, 2 cores, one thread, Rust 1.95, 2026-11-23,
/// `cargo bench --bench throughput`).
///
/// ```
/// use npzmap::{Npz, ToAligned, Unaligned};
/// use ndarray::Ix2;
///
/// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
/// let features = npz.view::<Unaligned<f32>, Ix2>("features")?.to_aligned();
/// assert_eq!(features.dot(&features.t())[(0, 0)], 14.0); // fast, for it is f32 again
/// # Ok::<(), npzmap::Error>(())
/// ```
pub trait ToAligned {
    /// The array of plain values.
    type Aligned;

    /// Copies the values, which costs about what copying the bytes costs.
    ///
    /// ```
    /// use npzmap::{Npz, ToAligned, Unaligned};
    /// use ndarray::{Array1, Ix2};
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let features = npz.view::<Unaligned<f32>, Ix2>("features")?;
    /// let row: Array1<f32> = features.row(1).to_aligned(); // only what is worked on
    /// assert_eq!(row.to_vec(), [4.0, 5.0, 6.0, 7.0]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn to_aligned(&self) -> Self::Aligned;
}

impl<T: Pod, D: Dimension> ToAligned for ArrayRef<Unaligned<T>, D> {
    type Aligned = Array<T, D>;

    fn to_aligned(&self) -> Array<T, D> {
        let columns = self.t();
        let copied = match (self.as_slice(), columns.as_slice()) {
            (Some(values), _) => copied(values, self.raw_dim()),
            (None, Some(values)) => copied(values, columns.raw_dim()).map(Array::reversed_axes),
            (None, None) => None,
        };
        copied.unwrap_or_else(|| self.map(|value| value.get()))
    }
}

/// What lies together, copied at once into memory that is made for large arrays.
fn copied<T: Pod, D: Dimension>(values: &[Unaligned<T>], shape: D) -> Option<Array<T, D>> {
    let mut copy = buffer::zeroed::<T>(values.len()).ok()?;
    bytemuck::cast_slice_mut::<T, u8>(&mut copy).copy_from_slice(bytemuck::cast_slice(values));
    Array::from_shape_vec(shape, copy).ok()
}
