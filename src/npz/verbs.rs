//! The verbs that can be called with a key at once. [`NpyArray`](crate::NpyArray) has all of them.

use ndarray::{Array, ArrayView, CowArray, Dimension};

use super::Npz;
#[cfg(doc)]
use crate::array::NpyArray;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::npy::any::AnyArray;
use crate::npy::element::Element;
use crate::source::Source;

impl<S: Source> Npz<S> {
    /// Returns the array where it is in memory, without a copy: [`array`](Npz::array) and [`NpyArray::view`].
    ///
    /// # Errors
    ///
    /// As [`array`](Npz::array) and [`NpyArray::view`]. [`CannotBorrow`](ErrorKind::CannotBorrow) says why, and what to do.
    ///
    /// ```
    /// use npzmap::{ErrorKind, Npz, Reason, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// let stored = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let features = stored.view::<Unaligned<f32>, Ix2>("features")?;
    /// assert_eq!(features.row(1).sum().get(), 22.0);
    ///
    /// let deflated = Npz::new(std::fs::read("tests/data/model-batch.npz")?)?;
    /// let error = deflated.view::<Unaligned<f32>, Ix2>("features").unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::CannotBorrow { reason: Reason::Compressed, .. }));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn view<T: Element, D: Dimension>(&self, key: &str) -> Result<ArrayView<'_, T, D>> {
        self.array(key)?.view()
    }

    /// Returns a view of the array if it can be borrowed, else a copy, aligned and in this machine's byte order:
    /// [`array`](Npz::array) and [`NpyArray::get`].
    ///
    /// # Errors
    ///
    /// As [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::{FixedStr, Npz};
    /// use ndarray::Ix1;
    ///
    /// let stored = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let deflated = Npz::new(std::fs::read("tests/data/model-batch.npz")?)?;
    /// let borrowed = stored.get::<FixedStr<9>, Ix1>("sample_ids")?;
    /// let copied = deflated.get::<FixedStr<9>, Ix1>("sample_ids")?;
    /// assert!(borrowed.is_view() && copied.is_owned());
    /// assert_eq!(borrowed, copied);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn get<T: Element, D: Dimension>(&self, key: &str) -> Result<CowArray<'_, T, D>> {
        self.array(key)?.get()
    }

    /// Copies the array, aligned and in this machine's byte order: [`array`](Npz::array) and [`NpyArray::read`].
    ///
    /// # Errors
    ///
    /// As [`array`](Npz::array) and [`NpyArray::read`]: [`NoSuchKey`](ErrorKind::NoSuchKey);
    /// [`DtypeMismatch`](ErrorKind::DtypeMismatch) and [`DimensionMismatch`](ErrorKind::DimensionMismatch) if the file holds
    /// another array than was asked for; and whatever is wrong with the member.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::open("tests/data/kinds-stored.npz")?;
    /// let array = npz.read::<i32, Ix2>("i4-be-f")?; // big-endian, in Fortran order
    /// assert_eq!((array[(0, 3)], array[(2, 0)]), (2, 42));
    /// assert_eq!(array, npz.read::<i32, Ix2>("i4-le-c")?);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read<T: Element, D: Dimension>(&self, key: &str) -> Result<Array<T, D>> {
        self.array(key)?.read()
    }

    /// Copies the array into a type that its dtype decides: [`array`](Npz::array) and [`NpyArray::read_any`].
    ///
    /// # Errors
    ///
    /// As [`read`](Npz::read), but no mismatch. Only pickled objects are refused.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// match npz.read_any("labels")? {
    ///     AnyArray::I64(labels) => assert_eq!(labels.sum(), 2),
    ///     other => panic!("{:?}", other.shape()),
    /// }
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_any(&self, key: &str) -> Result<AnyArray> {
        self.array(key)?.read_any()
    }
}
