//! What borrows: plans and views.

use std::sync::Arc;

use bytemuck::Pod;
use ndarray::{ArrayView, Axis, CowArray, Dimension, IxDyn};

use super::NpyArray;
use crate::buffer;
use crate::error::{Error, ErrorKind, Reason, Result};
use crate::found::Seen;
use crate::npy::array::{self, Access, Elements};
use crate::npy::element::{Element, short_name};
use crate::npy::header::Order;
use crate::npy::select::Selection;
use crate::npy::strided::Strided;
use crate::shared::SharedArray;
use crate::source::Source;

impl<'a, S: Source> NpyArray<'a, S> {
    /// Returns whether [`get`](NpyArray::get) will borrow the elements as `T`, or copy them, and why.
    ///
    /// # Errors
    ///
    /// [`DtypeMismatch`](ErrorKind::DtypeMismatch), [`Pickled`](ErrorKind::Pickled).
    ///
    /// ```
    /// use npzmap::{Access, Npz, Reason};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.array("features")?.access::<f32>()?, Access::Copy(Reason::Compressed));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn access<T: Element>(&self) -> Result<Access> {
        let access = || {
            self.check::<T>()?;
            let Some(part) = &self.part else {
                return Ok(array::access::<T>(&self.header, self.elements()));
            };
            Ok(match self.place(&part.selection) {
                Ok(place) => match place.strided::<T, IxDyn>(&part.selection)?.bits(place.offset) {
                    Ok(_) => Access::Borrow,
                    Err(reason) => Access::Copy(reason),
                },
                Err(reason) => Access::Copy(reason),
            })
        };
        access().map_err(|error| self.about(error))
    }

    /// Returns the elements where they are in memory, without a copy.
    ///
    /// # Errors
    ///
    /// [`CannotBorrow`](ErrorKind::CannotBorrow), with the reason and the next step, if they are compressed, not in memory,
    /// in the other byte order, misaligned for `T`, or at distances that are no multiple of its size;
    /// [`Unaligned<T>`](crate::Unaligned) has no alignment. [`DtypeMismatch`](ErrorKind::DtypeMismatch),
    /// [`DimensionMismatch`](ErrorKind::DimensionMismatch); [`InvalidElement`](ErrorKind::InvalidElement) for a `bool` that
    /// is neither 0 nor 1; with [`Verify::Always`](crate::Verify::Always), [`Checksum`](ErrorKind::Checksum).
    ///
    /// ```
    /// use ndarray::{ArrayView2, s};
    /// use npzmap::{Npz, Unaligned};
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let features = npz.array("features")?; // at byte 190: misaligned for f32
    /// let part: ArrayView2<Unaligned<f32>> = features.select(s![..;2, 1..])?.view()?;
    /// assert_eq!(part[(1, 0)].get(), 9.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn view<T: Element, D: Dimension>(&self) -> Result<ArrayView<'a, T, D>> {
        let view = self.try_view().and_then(|view| view.map_err(|reason| self.cannot_borrow::<T>(reason)));
        view.map_err(|error| self.about(error))
    }

    /// Returns a view if the elements can be borrowed, else a copy of them.
    ///
    /// # Errors
    ///
    /// As [`view`](NpyArray::view) but for [`CannotBorrow`](ErrorKind::CannotBorrow), and as [`read`](NpyArray::read).
    ///
    /// ```
    /// use ndarray::CowArray;
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch.npz")?)?;
    /// let features: CowArray<f32, ndarray::Ix2> = npz.array("features")?.get()?;
    /// assert!(features.is_owned()); // it is compressed
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn get<T: Element, D: Dimension>(&self) -> Result<CowArray<'a, T, D>> {
        match self.try_view().map_err(|error| self.about(error))? {
            Ok(view) => Ok(view.into()),
            Err(_) => self.read().map(CowArray::from),
        }
    }

    /// Returns the elements where they are in memory, at whatever distance and alignment: also fields of packed records. The
    /// view is a type of its own, whose strides are in bytes.
    ///
    /// # Errors
    ///
    /// As [`view`](NpyArray::view). A negative step is [`CannotBorrow`](ErrorKind::CannotBorrow).
    ///
    /// ```
    /// use ndarray::Ix2;
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let scores = npz.array("packed-le-c")?.field("score")?.strided::<f64, Ix2>()?; // 34 bytes apart
    /// assert_eq!((scores.get((0, 2)), scores.strides()), (Some(1.5), &[102, 34][..]));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn strided<T: Element, D: Dimension>(&self) -> Result<Strided<'a, T, D>> {
        let strided = || {
            self.check::<T>()?;
            let selection = self.selection();
            let place = self.place(&selection).map_err(|reason| self.cannot_borrow::<T>(reason))?;
            if !place.flipped.is_empty() {
                return Err(self.cannot_borrow::<T>(Reason::NegativeStep));
            }
            place.check::<T>(&selection, self.order()).map_err(|error| self.in_file(error))?;
            let strided = place.strided(&selection)?;
            self.found.verify_if_always()?;
            Ok(strided)
        };
        strided().map_err(|error| self.about(error))
    }

    /// Returns an array that owns a share of the source: it can be stored in a struct without a lifetime, sent to a thread
    /// and handed to another runtime. Nothing is copied.
    ///
    /// # Errors
    ///
    /// As [`view`](NpyArray::view).
    ///
    /// ```
    /// use ndarray::Ix2;
    /// use npzmap::{Npz, SharedArray, Unaligned};
    ///
    /// struct Model {
    ///     weights: SharedArray<Unaligned<f32>, Ix2>,
    /// }
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let model = Model { weights: npz.array("features")?.shared()? };
    /// drop(npz); // the model keeps the bytes alive
    /// let sum = std::thread::spawn(move || model.weights.view().sum().get()).join().unwrap();
    /// assert_eq!(sum, 66.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shared<T: Element + Pod, D: Dimension>(&self) -> Result<SharedArray<T, D>>
    where
        S: 'static,
    {
        let view = self.view::<T, D>()?;
        match self.elements() {
            Elements::Here { bytes, offset } => {
                let owner: Arc<dyn Source> = Arc::<S>::clone(self.found.source);
                Ok(SharedArray::new(owner, &view, bytes, offset))
            }
            Elements::Elsewhere(reason) => Err(self.about(self.cannot_borrow::<T>(reason))),
        }
    }

    fn try_view<T: Element, D: Dimension>(&self) -> Result<Result<ArrayView<'a, T, D>, Reason>> {
        self.check::<T>()?;
        let view = match &self.part {
            None => array::view(&self.header, self.elements())?,
            Some(part) => self.view_part(&part.selection)?,
        };
        if view.is_ok() {
            self.found.verify_if_always()?;
        }
        Ok(view)
    }

    fn view_part<T: Element, D: Dimension>(
        &self,
        selection: &Selection,
    ) -> Result<Result<ArrayView<'a, T, D>, Reason>> {
        array::check_dimension::<D>(selection.axes.len())?;
        let place = match self.place(selection) {
            Ok(place) => place,
            Err(reason) => return Ok(Err(reason)),
        };
        let bits = match place.strided::<T, D>(selection)?.bits(place.offset) {
            Ok(bits) => bits.ok_or_else(|| place.short(selection))?,
            Err(reason) => return Ok(Err(reason)),
        };
        let Ok(mut view) = buffer::checked_view::<T, D>(bits) else {
            let checked = place.check::<T>(selection, self.order()).map_err(|error| self.in_file(error));
            return checked.and(Err(place.short(selection).into()));
        };
        place.flipped.iter().for_each(|axis| view.invert_axis(Axis(*axis)));
        Ok(Ok(view))
    }

    /// Checks the type that is asked for.
    pub(super) fn check<T: Element>(&self) -> Result<()> {
        self.check_items()?;
        let dtype = self.dtype();
        let fits = match &self.declared {
            Some(declared) => T::dtype() == *declared || T::matches(declared),
            None => T::matches(dtype),
        };
        if !fits || dtype.item_size() != size_of::<T>() {
            let (dtype, element) = (dtype.to_string(), short_name::<T>());
            return Err(ErrorKind::DtypeMismatch { dtype, element }.into());
        }
        self.check_sized()
    }

    /// Pickled objects are read in no way.
    pub(super) fn check_items(&self) -> Result<()> {
        if self.header.dtype().has_object() { Err(ErrorKind::Pickled.into()) } else { Ok(()) }
    }

    fn check_sized(&self) -> Result<()> {
        let count = self.len();
        if self.dtype().item_size() == 0 && count > 0 {
            return Err(ErrorKind::ZeroSizedItems { count }.into());
        }
        Ok(())
    }

    pub(super) fn elements(&self) -> Elements<'a> {
        match self.found.seen {
            Seen::All(bytes) if self.found.is_stored() => {
                let bytes = bytes.get(self.header.preamble_size()..).unwrap_or_default();
                Elements::Here { bytes, offset: self.start() }
            }
            _ if self.found.is_stored() => Elements::Elsewhere(Reason::NotInMemory),
            _ => Elements::Elsewhere(Reason::Compressed),
        }
    }

    pub(super) fn selection(&self) -> std::borrow::Cow<'_, Selection> {
        match &self.part {
            Some(part) => std::borrow::Cow::Borrowed(&part.selection),
            None => std::borrow::Cow::Owned(Selection::whole(&self.header)),
        }
    }

    /// Where the elements of a selection are in memory, or why they cannot be borrowed from there.
    fn place(&self, selection: &Selection) -> Result<Place<'a>, Reason> {
        let (bytes, offset) = match self.elements() {
            Elements::Here { bytes, offset } => (bytes, offset),
            Elements::Elsewhere(reason) => return Err(reason),
        };
        if !selection.dtype.is_native() && !selection.is_empty() {
            return Err(Reason::ByteOrder);
        }
        let (mut first, mut flipped) = (selection.offset, Vec::new());
        let axes = selection.axes.iter().enumerate().map(|(number, axis)| {
            let stride = axis.stride.unsigned_abs();
            if axis.stride < 0 && axis.length > 1 {
                first -= (axis.length - 1) * stride;
                flipped.push(number);
            }
            (axis.length, stride)
        });
        let axes = axes.collect();
        let bytes = bytes.get(first..).unwrap_or_default();
        Ok(Place { bytes, offset: offset.saturating_add(first as u64), axes, flipped })
    }

    fn cannot_borrow<T>(&self, reason: Reason) -> Error {
        let offset = match (reason, self.elements()) {
            (Reason::Misaligned { offset, .. }, _) | (_, Elements::Here { offset, .. }) => offset,
            _ => self.found.data.start,
        };
        Error::from(ErrorKind::CannotBorrow { element: short_name::<T>(), reason }).at(offset)
    }

    /// The index of an element in a part becomes the one that it has in the file.
    pub(super) fn in_file(&self, error: Error) -> Error {
        let Some(part) = &self.part else { return error };
        let item = self.header.dtype().item_size().max(1);
        let in_file = |index: usize| part.plan().position(&part.selection, index) / item;
        match error.kind() {
            ErrorKind::InvalidElement { index, element } => {
                ErrorKind::InvalidElement { index: in_file(*index), element: element.clone() }.into()
            }
            ErrorKind::BadText { index, problem } => ErrorKind::BadText { index: in_file(*index), problem }.into(),
            _ => error,
        }
    }
}

/// The elements of a selection in memory, from the lowest address on.
struct Place<'a> {
    bytes: &'a [u8],
    /// Where they begin in the file.
    offset: u64,
    /// Lengths, and strides in bytes.
    axes: Vec<(usize, usize)>,
    /// Axes that go from high addresses to low ones.
    flipped: Vec<usize>,
}

impl<'a> Place<'a> {
    fn strided<T: Element, D: Dimension>(&self, selection: &Selection) -> Result<Strided<'a, T, D>> {
        array::check_dimension::<D>(self.axes.len())?;
        selection.check_addressable()?;
        Strided::new(self.bytes, &self.axes).ok_or_else(|| self.short(selection).into())
    }

    /// Looks for the first element that is no value of `T`, in the order in which they would be copied.
    fn check<T: Element>(&self, selection: &Selection, order: Order) -> Result<()> {
        if buffer::is_plain::<T>() {
            return Ok(());
        }
        selection.check_addressable()?;
        let mut axes = self.axes.clone();
        if order == Order::Fortran {
            axes.reverse();
        }
        let values = Strided::<T, IxDyn>::new(self.bytes, &axes).ok_or_else(|| self.short(selection))?;
        values.first_invalid().map_or(Ok(()), |index| Err(array::invalid::<T>(index).into()))
    }

    fn short(&self, selection: &Selection) -> ErrorKind {
        ErrorKind::PayloadLength { found: self.bytes.len() as u64, expected: selection.nbytes() as u64 }
    }
}
