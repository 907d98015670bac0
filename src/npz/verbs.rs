//! The verbs by key: what to make of one array.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;
use ndarray::{Array, ArrayView, ArrayViewMut, CowArray, Dimension, IxDyn};

use super::Npz;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::npy::any::AnyArray;
use crate::npy::element::Element;
use crate::npy::strided::Strided;
use crate::shared::SharedArray;
use crate::source::{InMemory, Source};
use crate::take::Payload;

impl<S: Source> Npz<S> {
    /// The array, borrowed where it lies. Never copies.
    ///
    /// # Errors
    ///
    /// [`CannotBorrow`](ErrorKind::CannotBorrow) says why and what to do; else as [`read`](Npz::read).
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
    pub fn view<T: Element, D: Dimension>(&self, key: &str) -> Result<ArrayView<'_, T, D>>
    where
        S: InMemory,
    {
        self.member(key)?.view()
    }

    /// The array, borrowed if it can be, else an owned copy, aligned and in this machine's byte order.
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
        self.member(key)?.get()
    }

    /// The array, copied into memory of its own, aligned and in this machine's byte order.
    ///
    /// # Errors
    ///
    /// [`NoSuchKey`](ErrorKind::NoSuchKey); [`DtypeMismatch`](ErrorKind::DtypeMismatch) and
    /// [`DimensionMismatch`](ErrorKind::DimensionMismatch) when the file holds another array than was asked for; and
    /// whatever is wrong with the member.
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
        self.member(key)?.read()
    }

    /// The array, copied into memory that the caller has, of the same shape and any strides.
    ///
    /// # Errors
    ///
    /// [`ShapeMismatch`](ErrorKind::ShapeMismatch), or as [`read`](Npz::read). After an error the destination's
    /// values are unspecified.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Array2;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let mut features = Array2::<f32>::zeros((3, 4));
    /// npz.read_into("features", features.view_mut())?;
    /// assert_eq!(features.sum(), 66.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_into<T: Element, D: Dimension>(&self, key: &str, destination: ArrayViewMut<'_, T, D>) -> Result<()> {
        self.member(key)?.read_into(destination)
    }

    /// An array of strings, `<U9` or `|S9`, without the NULs that fill them up. Bytes are read as UTF-8.
    ///
    /// # Errors
    ///
    /// [`BadText`](ErrorKind::BadText) for what is no text, and as [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let ids = npz.strings("sample_ids")?;
    /// assert_eq!(ids.as_slice().unwrap(), ["train-001", "train-002", "train-003"]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn strings(&self, key: &str) -> Result<Array<String, IxDyn>> {
        self.member(key)?.strings()
    }

    /// A part of axis 0: only these rows are read from a stored member, and a compressed one is decoded no further than
    /// their end. They cannot be held against the member's CRC-32, unless [`Verify::Always`](crate::Verify::Always)
    /// reads the whole of it.
    ///
    /// Rows of a C-ordered array lie together, and cost one read. Those of a Fortran-ordered one lie in pieces, one for
    /// each column. A source that is read by position is then asked for many columns at once where no more than a page
    /// of 4,096 bytes lies between their pieces (at most half a mebibyte each time, what lies between with it), and
    /// for one piece after the other where they are farther apart. Of a compressed one, everything up to the end of the last
    /// column's piece is decoded, which is nearly all of it.
    ///
    /// # Errors
    ///
    /// [`RowsOutOfRange`](ErrorKind::RowsOutOfRange), and as [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let rows = npz.read_rows::<f32, Ix2>("features", 1..3)?;
    /// assert_eq!((rows.dim(), rows[(0, 0)]), ((2, 4), 4.0));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_rows<T: Element, D: Dimension>(&self, key: &str, rows: Range<usize>) -> Result<Array<T, D>> {
        self.member(key)?.read_rows(rows)
    }

    /// Part of axis 0 of an array whose dtype is only known at run time: [`read_rows`](Npz::read_rows) with the answer of
    /// [`read_any`](Npz::read_any).
    ///
    /// # Errors
    ///
    /// As [`read_rows`](Npz::read_rows), without those of the type.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz};
    ///
    /// let npz = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let AnyArray::F32(rows) = npz.read_rows_any("features", 1..3)? else { panic!("another dtype") };
    /// assert_eq!((rows.shape(), rows[[1, 3]]), (&[2, 4][..], 11.0));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_rows_any(&self, key: &str, rows: Range<usize>) -> Result<AnyArray> {
        self.member(key)?.read_rows_any(rows)
    }

    /// The array, copied, as whatever it is.
    ///
    /// # Errors
    ///
    /// As [`read`](Npz::read); no dtype but that of pickled objects is refused.
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
        self.member(key)?.read_any()
    }

    /// The array, borrowed as a type that its dtype does not name: any dtype but objects can be seen as any type of the
    /// same size. ml_dtypes writes bfloat16 as two bytes of no kind, NumPy dates as 64-bit counts.
    ///
    /// # Errors
    ///
    /// [`DtypeMismatch`](ErrorKind::DtypeMismatch) when the sizes differ; else as [`view`](Npz::view).
    ///
    /// ```
    /// use npzmap::{FixedBytes, Npz};
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let bytes = npz.view_as::<FixedBytes<4>, Ix2>("features")?;
    /// assert_eq!(f32::from_le_bytes(*bytes[(0, 1)].as_array()), 1.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn view_as<T: Element, D: Dimension>(&self, key: &str) -> Result<ArrayView<'_, T, D>>
    where
        S: InMemory,
    {
        self.member(key)?.view_as()
    }

    /// The array, copied as a type that its dtype does not name, as by [`view_as`](Npz::view_as). Its numbers are swapped
    /// to this machine's byte order first, by the dtype of the file; bytes of no kind (`|V2`) have no order, and are taken
    /// as they lie.
    ///
    /// # Errors
    ///
    /// [`DtypeMismatch`](ErrorKind::DtypeMismatch) when the sizes differ; else as [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::IxDyn;
    ///
    /// let npz = Npz::open("tests/data/datetimes-stored.npz")?;
    /// let days = npz.read_as::<i64, IxDyn>("M8-D-be")?;
    /// assert_eq!(days[1], npz.read_as::<i64, IxDyn>("M8-D-le")?[1]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_as<T: Element, D: Dimension>(&self, key: &str) -> Result<Array<T, D>> {
        self.member(key)?.read_as()
    }

    /// One field of an array of records, borrowed where it lies, with strides. Nested fields are named by a path with
    /// dots; a sub-array adds its axes at the end.
    ///
    /// # Errors
    ///
    /// [`NoSuchField`](ErrorKind::NoSuchField); [`CannotBorrow`](ErrorKind::CannotBorrow) as for [`view`](Npz::view), and
    /// when records are no multiple of the field's size apart, which ndarray's strides cannot say:
    /// [`field_strided`](Npz::field_strided) lends it all the same, and [`read_field`](Npz::read_field) copies it.
    ///
    /// ```
    /// use npzmap::{ErrorKind, Npz, Reason, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let x = npz.field::<Unaligned<f64>, Ix2>("aligned-le-c", "x")?; // every 24 bytes
    /// assert_eq!((x.strides(), x[(0, 2)].get()), (&[9, 3][..], 1.5));
    /// assert_eq!(npz.field::<Unaligned<i16>, Ix2>("nested-le-c", "inner.k")?[(1, 2)], 42);
    ///
    /// let error = npz.field::<Unaligned<f64>, Ix2>("packed-le-c", "score").unwrap_err(); // every 34
    /// assert!(matches!(error.kind(), ErrorKind::CannotBorrow { reason: Reason::Stride { .. }, .. }));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn field<T: Element, D: Dimension>(&self, key: &str, path: &str) -> Result<ArrayView<'_, T, D>>
    where
        S: InMemory,
    {
        self.member(key)?.field(path)
    }

    /// One field of an array of records, borrowed where it lies, whatever the distance from record to record and
    /// whatever its alignment: as a view of our own, whose strides are counted in bytes.
    ///
    /// # Errors
    ///
    /// [`NoSuchField`](ErrorKind::NoSuchField), [`CannotBorrow`](ErrorKind::CannotBorrow) for what is compressed or in the
    /// other byte order, and a `bool` that is neither 0 nor 1.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let scores = npz.field_strided::<f64, Ix2>("packed-le-c", "score")?; // 34 bytes apart
    /// assert_eq!((scores.get((0, 2)), scores.strides()), (Some(1.5), &[102, 34][..]));
    /// assert_eq!(scores.iter().filter(|score| *score > 0.0).count(), 2);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn field_strided<T: Element, D: Dimension>(&self, key: &str, path: &str) -> Result<Strided<'_, T, D>>
    where
        S: InMemory,
    {
        self.member(key)?.field_strided(path)
    }

    /// One field of an array of records, copied, aligned and in this machine's byte order.
    ///
    /// # Errors
    ///
    /// [`NoSuchField`](ErrorKind::NoSuchField), and as [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::open("tests/data/records-stored.npz")?;
    /// let scores = npz.read_field::<f64, Ix2>("packed-le-c", "score")?; // 34 bytes apart
    /// assert_eq!(scores.row(0).to_vec(), [0.0, -0.0, 1.5]);
    /// assert_eq!(npz.read_field::<i16, Ix2>("nested-be-c", "inner.k")?[(1, 2)], 42);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_field<T: Element, D: Dimension>(&self, key: &str, path: &str) -> Result<Array<T, D>> {
        self.member(key)?.read_field(path)
    }

    /// The bytes of a stored array, with its header and alignment: to be uploaded, or given to another library.
    ///
    /// # Errors
    ///
    /// [`CannotBorrow`](ErrorKind::CannotBorrow) for a compressed member, and whatever is wrong with the member.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-aligned.npz")?)?;
    /// let payload = npz.payload("features")?;
    /// assert_eq!((payload.bytes().len(), payload.offset() % 64), (48, 0));
    /// assert_eq!(payload.header().dtype().to_string(), "<f4");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn payload(&self, key: &str) -> Result<Payload<'_>>
    where
        S: InMemory,
    {
        self.member(key)?.payload()
    }

    /// An array that owns a share of the archive: to be stored in a struct, sent to a thread, handed to another runtime.
    /// Cloning it costs a counter.
    ///
    /// # Errors
    ///
    /// As [`view`](Npz::view).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use npzmap::{Npz, SharedArray, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// struct Model {
    ///     weights: SharedArray<Unaligned<f32>, Ix2, Npz<Vec<u8>>>,
    /// }
    ///
    /// let npz = Arc::new(Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?);
    /// let model = Model { weights: npz.shared("features")? };
    /// drop(npz); // the model keeps the bytes alive
    /// let sum = std::thread::spawn(move || model.weights.view().sum().get()).join().unwrap();
    /// assert_eq!(sum, 66.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shared<T: Element + Pod, D: Dimension>(self: &Arc<Self>, key: &str) -> Result<SharedArray<T, D, Self>>
    where
        S: InMemory,
    {
        let array = self.array(key)?;
        Ok(SharedArray::new(Arc::clone(self), &array.view::<T, D>()?, &array.payload_unchecked()?))
    }

    /// The same for a type that the dtype does not name, as by [`view_as`](Npz::view_as).
    ///
    /// # Errors
    ///
    /// As [`view_as`](Npz::view_as).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use npzmap::{FixedBytes, Npz};
    /// use ndarray::Ix1;
    ///
    /// let npz = Arc::new(Npz::new(std::fs::read("tests/data/weights.npz")?)?);
    /// let scale = npz.shared_as::<FixedBytes<2>, Ix1>("encoder/scale")?; // ml_dtypes' bfloat16
    /// assert_eq!(scale.view()[0].as_array(), &[0xc0, 0x3f]); // 1.5
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shared_as<T: Element + Pod, D: Dimension>(self: &Arc<Self>, key: &str) -> Result<SharedArray<T, D, Self>>
    where
        S: InMemory,
    {
        let array = self.array(key)?.reinterpret::<T>()?;
        Ok(SharedArray::new(Arc::clone(self), &array.view::<T, D>()?, &array.payload_unchecked()?))
    }
}
