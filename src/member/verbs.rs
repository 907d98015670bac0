//! The verbs of one member: what to make of its array.

use std::ops::Range;

use ndarray::{Array, ArrayView, ArrayViewMut, CowArray, Dimension, IxDyn};

use super::Member;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::npy::any::AnyArray;
use crate::npy::array::Access;
use crate::npy::element::Element;
use crate::npy::header::Header;
use crate::npy::strided::Strided;
#[cfg(doc)]
use crate::npz::Npz;
use crate::source::{InMemory, Source};
use crate::take::{Layout, Payload};

impl<'a, S: Source> Member<'a, S> {
    /// What the array is. Of its elements nothing is read.
    ///
    /// # Errors
    ///
    /// [`NotAnArray`](ErrorKind::NotAnArray) for other content, and whatever is wrong with member or header.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/object.npz")?;
    /// let header = npz.member("record")?.header()?; // of what cannot be read, too
    /// assert_eq!(header.dtype().to_string(), "[('id', '<i4'), ('payload', '|O')]");
    /// assert_eq!((header.shape(), header.dtype().has_object()), (&[2][..], true));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn header(&self) -> Result<Header> {
        Ok(self.array()?.into_header())
    }

    /// What [`view`](Member::view) and [`get`](Member::get) will do, and why.
    ///
    /// For a `bool`, elements are not looked at: `view` may still find one that is neither 0 nor 1.
    ///
    /// # Errors
    ///
    /// What keeps the array from being taken as `T` at all.
    ///
    /// ```
    /// use npzmap::{Access, Npz, Reason, Unaligned};
    ///
    /// let stored = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// assert_eq!(stored.member("features")?.access::<Unaligned<f32>>()?, Access::Borrow);
    /// let deflated = Npz::new(std::fs::read("tests/data/model-batch.npz")?)?;
    /// assert_eq!(deflated.member("features")?.access::<f32>()?, Access::Copy(Reason::Compressed));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn access<T: Element>(&self) -> Result<Access> {
        self.array()?.access::<T>()
    }

    /// What [`view_as`](Member::view_as) will do, and why.
    ///
    /// # Errors
    ///
    /// What keeps the array from being taken as `T` at all.
    ///
    /// ```
    /// use npzmap::{Access, Npz, Reason};
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/datetimes-stored.npz")?)?;
    /// let plan = npz.member("M8-D-be")?.access_as::<i64>()?;
    /// assert_eq!(plan, Access::Copy(Reason::ByteOrder));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn access_as<T: Element>(&self) -> Result<Access> {
        self.array()?.reinterpret::<T>()?.access::<T>()
    }

    /// What a map of this archive would do with the array, taken as the type that it is: strings as
    /// [`FixedStr`](crate::FixedStr), which lie at any address. This does not depend on how the archive is open.
    ///
    /// # Errors
    ///
    /// As [`header`](Member::header), and [`Pickled`](ErrorKind::Pickled).
    ///
    /// ```
    /// use npzmap::{Access, Npz, Reason};
    ///
    /// let plan = |path| Npz::open(path)?.member("features")?.access_in_map();
    /// let misaligned = Reason::Misaligned { offset: 190, required: 4 };
    /// assert_eq!(plan("tests/data/model-batch-stored.npz")?, Access::Copy(misaligned));
    /// assert_eq!(plan("tests/data/model-batch-aligned.npz")?, Access::Borrow);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn access_in_map(&self) -> Result<Access> {
        self.array()?.access_in_map()
    }

    /// What the array is, where it lies and what a map would do with it, in one look.
    ///
    /// # Errors
    ///
    /// As [`header`](Member::header).
    ///
    /// ```
    /// use npzmap::{Access, Npz};
    ///
    /// let npz = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let layout = npz.member("sample_ids")?.layout()?;
    /// assert_eq!(layout.header().dtype().to_string(), "<U9");
    /// assert_eq!((layout.payload_offset(), layout.access_in_map()), (Some(642), Some(Access::Borrow)));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn layout(&self) -> Result<Layout> {
        Ok(self.array()?.into_layout())
    }

    /// As [`Npz::view`].
    ///
    /// # Errors
    ///
    /// As [`Npz::view`], but for the key.
    ///
    /// ```
    /// use npzmap::{Npz, Unaligned};
    /// use ndarray::Ix1;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let labels = npz.member("labels")?.view::<Unaligned<i64>, Ix1>()?; // borrowed from `npz`
    /// assert_eq!(labels.sum().get(), 2);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn view<T: Element, D: Dimension>(&self) -> Result<ArrayView<'a, T, D>>
    where
        S: InMemory,
    {
        self.array()?.view()
    }

    /// As [`Npz::get`].
    ///
    /// # Errors
    ///
    /// As [`Npz::get`], but for the key.
    ///
    /// ```
    /// use npzmap::{FixedStr, Npz};
    /// use ndarray::Ix1;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let ids = npz.member("sample_ids")?.get::<FixedStr<9>, Ix1>()?;
    /// assert!(ids.is_view() && ids[2] == "train-003");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn get<T: Element, D: Dimension>(&self) -> Result<CowArray<'a, T, D>> {
        self.array()?.get()
    }

    /// As [`Npz::read`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read`], but for the key.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::open("tests/data/weights.npz")?;
    /// let weight = npz.member("encoder/weight")?;
    /// assert_eq!(weight.header()?.shape(), [3, 4]);
    /// assert_eq!(weight.read::<f32, Ix2>()?.sum(), 16.5);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read<T: Element, D: Dimension>(&self) -> Result<Array<T, D>> {
        self.array()?.read()
    }

    /// As [`Npz::read_into`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read_into`], but for the key.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::{Array2, array};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let mut batches = Array2::<i64>::zeros((2, 3));
    /// npz.member("labels")?.read_into(batches.row_mut(1))?;
    /// assert_eq!(batches, array![[0, 0, 0], [0, 1, 1]]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_into<T: Element, D: Dimension>(&self, destination: ArrayViewMut<'_, T, D>) -> Result<()> {
        self.array()?.read_into(destination)
    }

    /// As [`Npz::read_rows`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read_rows`], but for the key.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let features = npz.member("features")?;
    /// let rows = features.header()?.shape()[0];
    /// let last = features.read_rows::<f32, Ix2>(rows - 1..rows)?;
    /// assert_eq!(last.row(0).to_vec(), [8.0, 9.0, 10.0, 11.0]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_rows<T: Element, D: Dimension>(&self, rows: Range<usize>) -> Result<Array<T, D>> {
        self.array()?.rows(rows)?.read()
    }

    /// As [`Npz::read_rows_any`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read_rows_any`], but for the key.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let AnyArray::Str(ids) = npz.member("sample_ids")?.read_rows_any(1..2)? else { panic!("another dtype") };
    /// assert_eq!(ids[[0]], "train-002");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_rows_any(&self, rows: Range<usize>) -> Result<AnyArray> {
        self.array()?.rows(rows)?.read_any()
    }

    /// As [`Npz::read_any`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read_any`], but for the key.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz};
    ///
    /// let npz = Npz::open("tests/data/weights.npz")?;
    /// let step = npz.member("optim/step")?.read_any()?;
    /// assert!(matches!(step, AnyArray::I64(step) if step.first() == Some(&1000)));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_any(&self) -> Result<AnyArray> {
        self.array()?.read_any()
    }

    /// As [`Npz::strings`].
    ///
    /// # Errors
    ///
    /// As [`Npz::strings`], but for the key.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.member("sample_ids")?.strings()?[0], "train-001");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn strings(&self) -> Result<Array<String, IxDyn>> {
        self.array()?.strings()
    }

    /// As [`Npz::view_as`].
    ///
    /// # Errors
    ///
    /// As [`Npz::view_as`], but for the key.
    ///
    /// ```
    /// use npzmap::{Npz, Unaligned};
    /// use ndarray::Ix1;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/datetimes-stored.npz")?)?;
    /// let days = npz.member("M8-D-le")?.view_as::<Unaligned<i64>, Ix1>()?; // since 1970-01-01
    /// assert_eq!((days[1].get(), days[2].get()), (1, -1));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn view_as<T: Element, D: Dimension>(&self) -> Result<ArrayView<'a, T, D>>
    where
        S: InMemory,
    {
        self.array()?.reinterpret::<T>()?.view()
    }

    /// As [`Npz::read_as`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read_as`], but for the key.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::open("tests/data/kinds-stored.npz")?;
    /// let bits = npz.member("f4-be-c")?.read_as::<u32, Ix2>()?; // swapped, as numbers are
    /// assert_eq!(bits[(0, 2)], 1.5_f32.to_bits());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_as<T: Element, D: Dimension>(&self) -> Result<Array<T, D>> {
        self.array()?.reinterpret::<T>()?.read()
    }

    /// As [`Npz::field`].
    ///
    /// # Errors
    ///
    /// As [`Npz::field`], but for the key.
    ///
    /// ```
    /// use npzmap::{Npz, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let temperature = npz.member("titles-le-c")?.field::<Unaligned<f32>, Ix2>("temp")?;
    /// assert_eq!((temperature[(0, 2)].get(), temperature[(1, 0)].get()), (1.5, -2.25));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn field<T: Element, D: Dimension>(&self, path: &str) -> Result<ArrayView<'a, T, D>>
    where
        S: InMemory,
    {
        self.array()?.field(path)?.view()
    }

    /// As [`Npz::field_strided`].
    ///
    /// # Errors
    ///
    /// As [`Npz::field_strided`], but for the key.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let member = npz.member("packed-le-c")?;
    /// let ids = member.field_strided::<u32, Ix2>("id")?;
    /// assert_eq!((ids.get((1, 2)), ids.iter().max()), (Some(7), Some(u32::MAX)));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn field_strided<T: Element, D: Dimension>(&self, path: &str) -> Result<Strided<'a, T, D>>
    where
        S: InMemory,
    {
        self.array()?.field(path)?.strided()
    }

    /// As [`Npz::read_field`].
    ///
    /// # Errors
    ///
    /// As [`Npz::read_field`], but for the key.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::open("tests/data/records-stored.npz")?;
    /// let ok = npz.member("packed-le-c")?.read_field::<bool, Ix2>("ok")?;
    /// assert_eq!(ok.row(0).to_vec(), [true, false, true]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_field<T: Element, D: Dimension>(&self, path: &str) -> Result<Array<T, D>> {
        self.array()?.field(path)?.read()
    }

    /// As [`Npz::payload`].
    ///
    /// # Errors
    ///
    /// As [`Npz::payload`], but for the key.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let payload = npz.member("labels")?.payload()?;
    /// assert_eq!((payload.offset(), payload.bytes().len()), (426, 3 * 8));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn payload(&self) -> Result<Payload<'a>>
    where
        S: InMemory,
    {
        self.array()?.payload()
    }
}
