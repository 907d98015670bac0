//! What can be saved as an array: its header, and its elements front to back.

use std::sync::Arc;

use bytemuck::Pod;
use ndarray::{ArrayBase, ArrayView, ArrayView1, Data, Dimension};
use num_complex::Complex;

use super::any::{AnyArray, RawArray};
use super::dtype::{ByteOrder, DatetimeUnit, Kind, Scalar};
use super::element::Element;
use super::fixed::{FixedBytes, FixedStr};
use super::header::{Header, Order};
use super::item::Item;
use super::unaligned::Unaligned;
use crate::error::{ErrorKind, Result};

/// An array that can be written: of ndarray, of any order and strides; a slice; [`AnyArray`]; one value, as an array of
/// no dimensions. Its elements are any [`Element`], or strings, which become `<U` of the longest, or byte strings
/// (`Vec<u8>` and `&[u8]`), which become `|S`.
///
/// ```
/// use ndarray::array;
/// use npzmap::Save;
///
/// let columns = array![[1.5_f32, 2.5], [3.5, 4.5]];
/// let saved = |array: &dyn Save| -> npzmap::Result<_> {
///     let header = array.header()?;
///     Ok((header.dtype().to_string(), header.shape().to_vec()))
/// };
/// assert_eq!(saved(&columns.t())?, ("<f4".into(), vec![2, 2]));
/// assert_eq!(saved(&["train-001", "x"])?, ("<U9".into(), vec![2]));
/// assert_eq!(saved(&1000_u16)?, ("<u2".into(), vec![]));
/// # Ok::<(), npzmap::Error>(())
/// ```
///
/// Implement it for a tensor type of your own, and the writers take it.
///
/// ```
/// use npzmap::{Element, Header, Npz, NpzWriter, Order, Result, Save};
///
/// struct Image { width: usize, pixels: Vec<[u8; 3]> }
///
/// impl Save for Image {
///     fn header(&self) -> Result<Header> {
///         Header::new(u8::dtype(), &[self.pixels.len() / self.width, self.width, 3], Order::C)
///     }
///     fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
///         put(self.pixels.as_flattened())
///     }
/// }
///
/// let image = Image { width: 2, pixels: vec![[255, 0, 0]; 4] };
/// let mut w = NpzWriter::new(std::io::Cursor::new(Vec::new()))?;
/// w.add("red", &image)?;
/// let npz = Npz::new(w.finish()?.into_inner())?;
/// assert_eq!(npz.view::<u8, ndarray::Ix3>("red")?[(1, 1, 0)], 255);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be saved as an array",
    note = "arrays of ndarray can be, slices, Vec, strings, single numbers of a fixed size, and references to them",
    note = "numbers have a fixed size in NumPy: cast `usize` to `u64`; rows of rows are an `Array2`"
)]
pub trait Save: Sync {
    /// The dtype, the shape, and the order in which the elements are handed over.
    ///
    /// # Errors
    ///
    /// Where NumPy has no such array: more than 64 dimensions, say.
    ///
    /// ```
    /// use npzmap::{Order, Save};
    ///
    /// let array = ndarray::array![[1_i8, 2], [3, 4]];
    /// assert_eq!(array.header()?.order(), Order::C);
    /// assert_eq!(array.t().header()?.order(), Order::Fortran); // written as it lies
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn header(&self) -> Result<Header>;

    /// The bytes before the elements: the header's own, unless it is to be spelled in another way, as ml_dtypes spells
    /// bfloat16. Whatever they are, they must mean the header, or the array is not written.
    ///
    /// ```
    /// use npzmap::Save;
    ///
    /// let preamble = |array: &dyn Save| array.header().map(|header| array.preamble(&header));
    /// assert!(preamble(&1.5_f64)?.starts_with(b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'"));
    /// # #[cfg(feature = "half")]
    /// assert!(preamble(&npzmap::half::bf16::ONE)?[10..].starts_with(b"{'descr': '<V2'"));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn preamble(&self, header: &Header) -> Vec<u8> {
        header.to_bytes()
    }

    /// All elements, if they lie together in the order that [`header`](Save::header) says. Then they are written from
    /// where they lie, and [`blocks`](Save::blocks) is not called.
    ///
    /// ```
    /// use npzmap::Save;
    ///
    /// let array = ndarray::array![[1_i8, 2], [3, 4]];
    /// assert_eq!(array.as_bytes(), Some(&[1, 2, 3, 4][..]));
    /// assert_eq!(array.t().as_bytes(), Some(&[1, 2, 3, 4][..]));
    /// assert_eq!(array.column(0).as_bytes(), None);
    /// ```
    fn as_bytes(&self) -> Option<&[u8]> {
        None
    }

    /// Hands the elements over, front to back, in blocks of any size. It may be called twice.
    ///
    /// # Errors
    ///
    /// Those of `put`, and one's own.
    ///
    /// ```
    /// use npzmap::Save;
    ///
    /// let mut bytes: Vec<u8> = Vec::new();
    /// let array = ndarray::array![[1_i8, 2], [3, 4]];
    /// array.column(0).blocks(&mut |block| Ok(bytes.extend(block)))?;
    /// assert_eq!(bytes, [1, 3]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;
}

impl<T: Item, S: Data<Elem = T> + Sync, D: Dimension> Save for ArrayBase<S, D> {
    fn header(&self) -> Result<Header> {
        header(self.view())
    }

    fn preamble(&self, header: &Header) -> Vec<u8> {
        T::spell(header.to_bytes())
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        let view = self.view();
        let items = match order(&view) {
            Order::C => view.to_slice(),
            Order::Fortran => view.reversed_axes().to_slice(),
        };
        items.and_then(T::bytes_of)
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        blocks(self.view(), put)
    }
}

/// As NumPy decides it: Fortran where that is how the elements lie, and C order is not.
fn order<T, D: Dimension>(view: &ArrayView<'_, T, D>) -> Order {
    if !view.is_standard_layout() && view.t().is_standard_layout() { Order::Fortran } else { Order::C }
}

fn header<T: Item, D: Dimension>(view: ArrayView<'_, T, D>) -> Result<Header> {
    let dtype = T::dtype_of(view.iter())?;
    let header = Header::new(dtype, view.shape(), order(&view))?;
    if header.dtype().item_size() == 0 && header.count() > 0 {
        // What is written can be read.
        let count = header.count();
        return Err(ErrorKind::ZeroSizedItems { count }.into());
    }
    Ok(header)
}

fn blocks<T: Item, D: Dimension>(view: ArrayView<'_, T, D>, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let size = T::dtype_of(view.iter())?.item_size();
    let view = match order(&view) {
        Order::C => view.into_dyn(),
        Order::Fortran => view.reversed_axes().into_dyn(),
    };
    T::gather(view, size, put)
}

/// One value, as an array of no dimensions. Not for every [`Element`]: references to [`Save`] could not be that, then.
macro_rules! values {
    ($(($($generics:tt)*) $type:ty),* $(,)?) => {$(
        impl $($generics)* Save for $type {
            fn header(&self) -> Result<Header> {
                header(ndarray::aview0(self))
            }

            fn preamble(&self, header: &Header) -> Vec<u8> {
                <$type>::spell(header.to_bytes())
            }

            fn as_bytes(&self) -> Option<&[u8]> {
                <$type>::bytes_of(std::slice::from_ref(self))
            }

            fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
                blocks(ndarray::aview0(self), put)
            }
        }
    )*};
}

values! {
    () bool, () i8, () i16, () i32, () i64, () u8, () u16, () u32, () u64, () f32, () f64,
    () Complex<f32>, () Complex<f64>, () String,
    (<T: Element + Pod>) Unaligned<T>, (<const N: usize>) FixedStr<N>, (<const N: usize>) FixedBytes<N>,
}

#[cfg(feature = "half")]
values!(() half::f16, () half::bf16);

/// What refers to something that can be saved: also to what has no size, as a trait object needs it.
macro_rules! pointers {
    ($($type:ty where $bound:path),* $(,)?) => {$(
        impl<A: Save + $bound + ?Sized> Save for $type {
            fn header(&self) -> Result<Header> {
                (**self).header()
            }

            fn preamble(&self, header: &Header) -> Vec<u8> {
                (**self).preamble(header)
            }

            fn as_bytes(&self) -> Option<&[u8]> {
                (**self).as_bytes()
            }

            fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
                (**self).blocks(put)
            }
        }
    )*};
}

pointers!(&A where Sync, Box<A> where Sync, Arc<A> where Send);

/// One string, as an array of no dimensions.
impl Save for str {
    fn header(&self) -> Result<Header> {
        header(ndarray::aview0(&self))
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        blocks(ndarray::aview0(&self), put)
    }
}

/// Slices and what is one, as arrays of one dimension.
macro_rules! slices {
    ($(($($generics:tt)*) $type:ty),* $(,)?) => {$(
        impl<T: Item, $($generics)*> Save for $type {
            fn header(&self) -> Result<Header> {
                header(ArrayView1::from(&self[..]))
            }

            fn preamble(&self, header: &Header) -> Vec<u8> {
                T::spell(header.to_bytes())
            }

            fn as_bytes(&self) -> Option<&[u8]> {
                T::bytes_of(self)
            }

            fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
                blocks(ArrayView1::from(&self[..]), put)
            }
        }
    )*};
}

slices!(() [T], () Vec<T>, (const N: usize) [T; N]);

impl Save for AnyArray {
    fn header(&self) -> Result<Header> {
        let of_dates = |counts: &dyn Save, kind, unit: Option<DatetimeUnit>| {
            let header = counts.header()?;
            let dtype = Scalar::new(kind, 8, ByteOrder::NATIVE).ok_or(ErrorKind::Pickled)?;
            let dtype = unit.map_or(dtype, |unit| dtype.with_unit(unit));
            Header::new(dtype.into(), header.shape(), header.order())
        };
        match (self, elements(self)) {
            (AnyArray::Datetime { unit, .. }, Ok(counts)) => of_dates(counts, Kind::Datetime, *unit),
            (AnyArray::Timedelta { unit, .. }, Ok(counts)) => of_dates(counts, Kind::Timedelta, *unit),
            (_, Ok(array)) => array.header(),
            (_, Err(raw)) => Header::new(raw.dtype().clone(), raw.shape(), raw.order()),
        }
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        elements(self).map_or_else(|raw| Some(raw.bytes()), Save::as_bytes)
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match elements(self) {
            Ok(array) => array.blocks(put),
            Err(raw) => put(raw.bytes()),
        }
    }
}

/// The elements as an array of a Rust type, or the bytes of what has none.
fn elements(array: &AnyArray) -> Result<&dyn Save, &RawArray> {
    Ok(match array {
        AnyArray::Bool(array) => array,
        AnyArray::I8(array) => array,
        AnyArray::I16(array) => array,
        AnyArray::I32(array) => array,
        AnyArray::I64(array) => array,
        AnyArray::U8(array) => array,
        AnyArray::U16(array) => array,
        AnyArray::U32(array) => array,
        AnyArray::U64(array) => array,
        #[cfg(feature = "half")]
        AnyArray::F16(array) => array,
        AnyArray::F32(array) => array,
        AnyArray::F64(array) => array,
        AnyArray::Complex32(array) => array,
        AnyArray::Complex64(array) => array,
        AnyArray::Str(array) => array,
        AnyArray::Bytes(array) => array,
        AnyArray::Datetime { counts, .. } | AnyArray::Timedelta { counts, .. } => counts,
        AnyArray::Raw(raw) => return Err(raw),
    })
}
