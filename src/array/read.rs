//! What copies: arrays, strings, bytes, and memory of the caller's.

use std::borrow::Cow;

use ndarray::{Array, ArrayView, ArrayViewMut, Axis, Dimension, IxDyn, ShapeBuilder, Slice};

use super::NpyArray;
use crate::buffer;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::npy::any::{self, AnyArray};
use crate::npy::array::{self, Elements as Lent};
use crate::npy::element::Element;
use crate::npy::fill;
use crate::npy::gather::{Elements, Plan};
use crate::npy::header::{Header, Order};
use crate::npy::select::{Selection, Term};
use crate::npy::swap::{Landing, Native};
use crate::source::Source;

impl<'a, S: Source> NpyArray<'a, S> {
    /// Copies the elements into an array, aligned and in this machine's byte order, in the [order](NpyArray::order) of the
    /// file. The CRC-32 of the member is checked when all of it is read, unless [`Verify::Never`](crate::Verify::Never)
    /// says otherwise.
    ///
    /// # Errors
    ///
    /// [`DtypeMismatch`](ErrorKind::DtypeMismatch), [`DimensionMismatch`](ErrorKind::DimensionMismatch),
    /// [`InvalidElement`](ErrorKind::InvalidElement), [`Checksum`](ErrorKind::Checksum),
    /// [`BadStream`](ErrorKind::BadStream), [`LimitExceeded`](ErrorKind::LimitExceeded) for a compressed array above
    /// [`Limits::max_decoded_bytes`](crate::Limits::max_decoded_bytes), and what the source says.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use npzmap::Npz;
    ///
    /// let features: Array2<f32> = Npz::open("tests/data/model-batch.npz")?.array("features")?.read()?;
    /// assert_eq!(features[(2, 3)], 11.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read<T: Element, D: Dimension>(&self) -> Result<Array<T, D>> {
        self.copied(
            |array, _| {
                array.check::<T>()?;
                array.found.check_budget(array.nbytes())
            },
            |header, fill| array::read(header, fill),
        )
    }

    /// Copies the elements into an array whose type the dtype decides.
    ///
    /// # Errors
    ///
    /// As [`read`](NpyArray::read), but no mismatch; [`BadText`](ErrorKind::BadText).
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz};
    ///
    /// let any = Npz::open("tests/data/model-batch.npz")?.array("labels")?.read_any()?;
    /// assert!(matches!(any, AnyArray::I64(labels) if labels.as_slice() == Some(&[0, 1, 1])));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_any(&self) -> Result<AnyArray> {
        self.copied(
            |array, header| {
                array.check_items()?;
                array.found.check_budget(array.nbytes())?;
                if any::is_text(header) {
                    array.found.check_memory(array::strings_nbytes(header))?;
                }
                Ok(())
            },
            |header, fill| any::read(header, fill),
        )
    }

    /// Copies text: `<U9` and `|S9`.
    ///
    /// # Errors
    ///
    /// [`DtypeMismatch`](ErrorKind::DtypeMismatch) if the elements are not text, [`BadText`](ErrorKind::BadText) if they are
    /// not Unicode, and as [`read`](NpyArray::read).
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let ids = Npz::open("tests/data/model-batch.npz")?.array("sample_ids")?.rows(1..3)?.strings()?;
    /// assert_eq!(ids.into_raw_vec_and_offset().0, ["train-002", "train-003"]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn strings(&self) -> Result<Array<String, IxDyn>> {
        self.copied(
            |array, header| {
                array::check_strings(header)?;
                array.found.check_memory(array::strings_nbytes(header))
            },
            |header, fill| {
                let mut bytes = buffer::zeroed(header.nbytes())?;
                fill(&mut bytes, Landing::AS_THEY_LIE)?;
                array::strings(header, &bytes)
            },
        )
    }

    /// Copies the elements into an array of the caller's, of any strides.
    ///
    /// # Errors
    ///
    /// [`ShapeMismatch`](ErrorKind::ShapeMismatch) for a destination of another shape, and as [`read`](NpyArray::read)
    /// without the limit. After an error, part of the destination may be filled.
    ///
    /// ```
    /// use ndarray::{Array3, s};
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let mut batch = Array3::<f32>::zeros((2, 3, 4));
    /// npz.array("features")?.read_into(batch.slice_mut(s![1, .., ..]))?;
    /// assert_eq!(batch[(1, 2, 3)], 11.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_into<T: Element, D: Dimension>(&self, destination: ArrayViewMut<'_, T, D>) -> Result<()> {
        let read = || {
            self.check::<T>()?;
            let (header, plan) = self.result()?;
            array::check_shape(&header, destination.shape())?;
            let Some(plan) = plan else {
                let mut content = self.content(self.found.checks_copies())?;
                let next = |bytes: &mut [u8], landing: Landing<'_>| self.found.read_next(&mut content, bytes, landing);
                fill::read_into(&header, destination, next)?;
                return content.finish();
            };
            let native = Native::of(header.dtype());
            let mut destination = destination;
            let ordered = match plan.order {
                Order::C => destination.view_mut(),
                Order::Fortran => destination.view_mut().reversed_axes(),
            };
            if let Some(bytes) = ordered.into_slice().and_then(buffer::plain_bytes_mut) {
                return self.fill(Some(&plan), bytes, native.landing());
            }
            let (selection, destination) = (self.selection(), destination.into_dyn());
            self.with_elements(|elements| scatter(elements, &selection, destination, native.landing()))
        };
        read().map_err(|error| self.about(error))
    }

    /// Returns the bytes of the elements, as they are in the file and in their [order](NpyArray::order): borrowed if they are
    /// stored, in memory and consecutive, else copied. With [`dtype`](NpyArray::dtype) and [`shape`](NpyArray::shape) they
    /// are what another library makes an array of, or what goes to a GPU.
    ///
    /// # Errors
    ///
    /// [`Pickled`](ErrorKind::Pickled), and as [`read`](NpyArray::read).
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let bytes = npz.array("labels")?.bytes()?; // borrowed from `npz`
    /// assert_eq!(bytes[8..16], 1_i64.to_le_bytes());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn bytes(&self) -> Result<Cow<'a, [u8]>> {
        if let Lent::Here { bytes, .. } = self.elements()
            && let Some(bytes) = self.run(bytes)
        {
            let checked = self.check_items().and_then(|()| self.found.verify_if_always());
            return checked.map(|()| Cow::Borrowed(bytes)).map_err(|error| self.about(error));
        }
        self.copied(
            |array, _| {
                array.check_items()?;
                array.found.check_budget(array.nbytes())
            },
            |header, fill| {
                let mut bytes = buffer::zeroed(header.nbytes())?;
                fill(&mut bytes, Landing::AS_THEY_LIE)?;
                Ok(Cow::Owned(bytes))
            },
        )
    }

    /// The bytes among those of the whole array, if they are consecutive there.
    fn run<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let Some(part) = &self.part else { return Some(bytes) };
        bytes.get(part.plan().as_run()?..)?.get(..self.nbytes())
    }

    /// Checks, and makes something of memory that is filled with the elements.
    fn copied<A>(
        &self,
        check: impl FnOnce(&Self, &Header) -> Result<()>,
        make: impl FnOnce(&Header, &mut dyn FnMut(&mut [u8], Landing<'_>) -> Result<()>) -> Result<A>,
    ) -> Result<A> {
        let copied = || {
            let (header, plan) = self.result()?;
            check(self, &header)?;
            // What is made of a declared type is not swapped as the type is, but as the file's is.
            let native = self.declared.as_ref().map(|_| Native::of(self.dtype()));
            let made = make(&header, &mut |bytes, landing| {
                let landing = native.as_ref().map_or(landing, Native::landing);
                self.fill(plan.as_ref(), bytes, landing)
            });
            made.map_err(|error| self.in_file(error))
        };
        copied().map_err(|error| self.about(error))
    }

    /// The header of what is returned, and how a part is gathered for it.
    fn result(&self) -> Result<(Cow<'_, Header>, Option<Plan>)> {
        let (plan, header) = match &self.part {
            None => (None, Cow::Borrowed(&self.header)),
            Some(part) => {
                let header = self.header.of_part(&part.selection.dtype, &part.shape, part.order)?;
                (Some(part.plan()), Cow::Owned(header))
            }
        };
        let header = match &self.declared {
            Some(declared) => Cow::Owned(header.of_part(declared, header.shape(), header.order())?),
            None => header,
        };
        Ok((header, plan))
    }
}

/// Memory beside the destination.
const BLOCK: usize = 256 << 10;

/// Reads a part, block by block, into memory of any strides. It goes along the file, whatever the axes.
fn scatter<T: Element>(
    elements: &mut dyn Elements,
    selection: &Selection,
    mut destination: ArrayViewMut<'_, T, IxDyn>,
    landing: Landing<'_>,
) -> Result<()> {
    let nbytes = selection.nbytes();
    let longest = selection.axes.iter().enumerate().filter(|(_, axis)| axis.length > 1);
    let longest = longest.max_by_key(|(_, axis)| axis.stride.unsigned_abs());
    let Some((number, axis)) = longest.filter(|_| nbytes > BLOCK) else {
        if nbytes == 0 {
            return Ok(());
        }
        let plan = Plan::of(selection);
        let mut bits = buffer::zeroed::<T::Bits>(selection.count())?;
        plan.gather(elements, bytemuck::cast_slice_mut(&mut bits), landing)?;
        let values = buffer::checked::<T>(&bits).map_err(|index| {
            // The place in the file is what an error names.
            array::invalid::<T>(plan.position(selection, index) / size_of::<T>().max(1))
        })?;
        let shape = IxDyn(&selection.shape()).set_f(plan.order == Order::Fortran);
        if let Ok(values) = ArrayView::from_shape(shape, values) {
            destination.assign(&values);
        }
        return Ok(());
    };
    let rows = (BLOCK / (nbytes / axis.length).max(1)).clamp(1, axis.length);
    let blocks = axis.length.div_ceil(rows);
    for block in 0..blocks {
        let block = if axis.stride < 0 { blocks - 1 - block } else { block };
        let (start, end) = (block * rows, ((block + 1) * rows).min(axis.length));
        let mut terms = vec![Term::Range { start: 0, end: None, step: 1 }; number];
        terms.push(Term::Range { start: start as isize, end: Some(end as isize), step: 1 });
        let part = destination.slice_axis_mut(Axis(number), Slice::from(start..end));
        scatter(elements, &selection.take(&terms)?, part, landing)?;
    }
    Ok(())
}
