//! `AnyArray`: an array whose dtype is known only at run time.

use std::fmt::{Debug, Display};

use ndarray::{Array, ArrayD, IxDyn};
use num_complex::Complex;

use super::array;
use super::dtype::{DatetimeUnit, Dtype, Kind};
use super::element::Element;
use super::header::{Header, Order};
use super::swap::Landing;
use crate::buffer;
use crate::error::Result;

macro_rules! any_array {
    ($($variant:ident($element:ty) $doc:literal $(#[$attribute:meta])*),* $(,)?) => {
        /// An array of whatever the file holds.
        ///
        /// Numbers come as the Rust type that they are, strings as `String`, dates as counts of their unit; what has no
        /// Rust type comes as its bytes, with its dtype. [`visit`](AnyArray::visit) hands it to generic code, so that
        /// a program need not name thirteen types.
        ///
        /// ```
        /// use npzmap::{AnyArray, Npz};
        ///
        /// let npz = Npz::open("tests/data/model-batch.npz")?;
        /// let AnyArray::F32(features) = npz.read_any("features")? else { panic!("another dtype") };
        /// assert_eq!(features.shape(), [3, 4]);
        /// # Ok::<(), npzmap::Error>(())
        /// ```
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum AnyArray {
            $(#[doc = $doc] $(#[$attribute])* $variant(ArrayD<$element>),)*
            /// `<U9`: strings, without the NULs that fill them up.
            Str(ArrayD<String>),
            /// `|S9`: bytes, without the NULs that fill them up.
            Bytes(ArrayD<Vec<u8>>),
            /// `<M8[ns]`: counts since 1970-01-01; `i64::MIN` is NaT.
            Datetime {
                /// The counts.
                counts: ArrayD<i64>,
                /// What they count; nothing where NumPy calls it generic.
                unit: Option<DatetimeUnit>,
            },
            /// `<m8[ns]`: counts of time; `i64::MIN` is NaT.
            Timedelta {
                /// The counts.
                counts: ArrayD<i64>,
                /// What they count; nothing where NumPy calls it generic.
                unit: Option<DatetimeUnit>,
            },
            /// Records, bytes of no kind, and numbers without a Rust type, as they lie in the file.
            Raw(RawArray),
        }

        impl AnyArray {
            /// The length of each axis.
            ///
            /// ```
            /// use npzmap::Npz;
            ///
            /// let npz = Npz::open("tests/data/model-batch.npz")?;
            /// assert_eq!(npz.read_any("features")?.shape(), [3, 4]);
            /// assert_eq!(npz.read_any("sample_ids")?.shape(), [3]);
            /// # Ok::<(), npzmap::Error>(())
            /// ```
            pub fn shape(&self) -> &[usize] {
                match self {
                    $($(#[$attribute])* AnyArray::$variant(array) => array.shape(),)*
                    AnyArray::Str(array) => array.shape(),
                    AnyArray::Bytes(array) => array.shape(),
                    AnyArray::Datetime { counts, .. } | AnyArray::Timedelta { counts, .. } => counts.shape(),
                    AnyArray::Raw(raw) => &raw.shape,
                }
            }

            /// Hands the array to a [`Visitor`], numbers as the type that they are.
            ///
            /// ```
            /// # use std::fmt::{Debug, Display};
            /// # use ndarray::ArrayD;
            /// # use npzmap::{AnyArray, Element, Npz, Visitor};
            /// /// The bytes of all numbers.
            /// struct Bytes;
            ///
            /// impl Visitor for Bytes {
            ///     type Output = usize;
            ///     fn numbers<T: Element + Debug + Display + PartialEq>(self, array: ArrayD<T>) -> usize {
            ///         array.len() * size_of::<T>()
            ///     }
            /// #     fn other(self, _: AnyArray) -> usize {
            /// #         0
            /// #     }
            /// }
            ///
            /// let all = Npz::open("tests/data/model-batch.npz")?.read_all()?;
            /// let bytes: Vec<_> = all.into_iter().map(|(_, array)| array.visit(Bytes)).collect();
            /// assert_eq!(bytes, [48, 24, 0]);
            /// # Ok::<(), npzmap::Error>(())
            /// ```
            pub fn visit<V: Visitor>(self, visitor: V) -> V::Output {
                match self {
                    $($(#[$attribute])* AnyArray::$variant(array) => visitor.numbers(array),)*
                    other => visitor.other(other),
                }
            }
        }
    };
}

any_array! {
    Bool(bool) "`|b1`",
    I8(i8) "`|i1`",
    I16(i16) "`<i2`",
    I32(i32) "`<i4`",
    I64(i64) "`<i8`",
    U8(u8) "`|u1`",
    U16(u16) "`<u2`",
    U32(u32) "`<u4`",
    U64(u64) "`<u8`",
    F16(half::f16) "`<f2`" #[cfg(feature = "half")],
    F32(f32) "`<f4`",
    F64(f64) "`<f8`",
    Complex32(Complex<f32>) "`<c8`, NumPy's complex64",
    Complex64(Complex<f64>) "`<c16`, NumPy's complex128",
}

/// Code that is generic over the type of an array's elements.
///
/// ```
/// use std::fmt::{Debug, Display};
/// use ndarray::ArrayD;
/// use npzmap::{AnyArray, Element, Npz, Visitor};
///
/// /// The first element of anything, as text.
/// struct First;
///
/// impl Visitor for First {
///     type Output = String;
///     fn numbers<T: Element + Debug + Display + PartialEq>(self, array: ArrayD<T>) -> String {
///         format!("{:?}", array.first())
///     }
///     fn other(self, array: AnyArray) -> String {
///         format!("{:?}", array.shape())
///     }
/// }
///
/// let npz = Npz::open("tests/data/model-batch.npz")?;
/// assert_eq!(npz.read_any("labels")?.visit(First), "Some(0)");
/// assert_eq!(npz.read_any("sample_ids")?.visit(First), "[3]");
/// # Ok::<(), npzmap::Error>(())
/// ```
pub trait Visitor {
    /// What comes out.
    type Output;

    /// An array of numbers or of `bool`.
    ///
    /// ```
    /// # use std::fmt::{Debug, Display};
    /// # use ndarray::ArrayD;
    /// # use npzmap::{AnyArray, Element, Npz, Visitor};
    /// /// Whether all elements are equal.
    /// struct IsConstant;
    ///
    /// impl Visitor for IsConstant {
    ///     type Output = bool;
    ///     fn numbers<T: Element + Debug + Display + PartialEq>(self, array: ArrayD<T>) -> bool {
    ///         array.iter().all(|value| Some(value) == array.first())
    ///     }
    /// #     fn other(self, _: AnyArray) -> bool {
    /// #         false
    /// #     }
    /// }
    ///
    /// let npz = Npz::open("tests/data/weights.npz")?;
    /// assert!(npz.read_any("optim/step")?.visit(IsConstant));
    /// assert!(!npz.read_any("encoder/bias")?.visit(IsConstant));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn numbers<T: Element + Debug + Display + PartialEq>(self, array: ArrayD<T>) -> Self::Output;

    /// An array of anything else: strings, dates, records.
    ///
    /// ```
    /// # use std::fmt::{Debug, Display};
    /// # use ndarray::ArrayD;
    /// # use npzmap::{AnyArray, Element, Npz, Visitor};
    /// /// The length of the longest string.
    /// struct Longest;
    ///
    /// impl Visitor for Longest {
    ///     type Output = Option<usize>;
    /// #     fn numbers<T: Element + Debug + Display + PartialEq>(self, _: ArrayD<T>) -> Option<usize> {
    /// #         None
    /// #     }
    ///     fn other(self, array: AnyArray) -> Option<usize> {
    ///         let AnyArray::Str(strings) = array else { return None };
    ///         strings.iter().map(String::len).max()
    ///     }
    /// }
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.read_any("sample_ids")?.visit(Longest), Some(9));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn other(self, array: AnyArray) -> Self::Output;
}

/// Elements as they lie in the file, and what they are.
///
/// ```
/// use npzmap::{AnyArray, Npz};
///
/// let npz = Npz::open("tests/data/weights.npz")?;
/// let AnyArray::Raw(scale) = npz.read_any("encoder/scale")? else { panic!("another dtype") };
/// assert_eq!((scale.dtype().to_string().as_str(), scale.shape()), ("|V2", &[3][..])); // ml_dtypes' bfloat16
/// assert_eq!(scale.bytes()[..2], [0xc0, 0x3f]); // 1.5
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawArray {
    dtype: Dtype,
    shape: Vec<usize>,
    order: Order,
    bytes: Vec<u8>,
}

impl RawArray {
    /// What an item is, its byte order included.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz};
    ///
    /// let npz = Npz::open("tests/data/records-stored.npz")?;
    /// let AnyArray::Raw(raw) = npz.read_any("names-unicode-be-c")? else { panic!("another dtype") };
    /// assert_eq!(raw.dtype().to_string(), "[('β', '>f4'), ('日本', '>i2'), ('\u{1d11e}', '|u1')]");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn dtype(&self) -> &Dtype {
        &self.dtype
    }

    /// The length of each axis.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz};
    ///
    /// let npz = Npz::open("tests/data/records-stored.npz")?;
    /// let AnyArray::Raw(raw) = npz.read_any("packed-le-c")? else { panic!("another dtype") };
    /// assert_eq!(raw.shape(), [2, 3]); // of records
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The order of the items.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz, Order};
    ///
    /// let npz = Npz::open("tests/data/records-stored.npz")?;
    /// let AnyArray::Raw(raw) = npz.read_any("packed-le-f")? else { panic!("another dtype") };
    /// assert_eq!(raw.order(), Order::Fortran); // item 1 is [1, 0], not [0, 1]
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn order(&self) -> Order {
        self.order
    }

    /// The items, one after the other in [`order`](RawArray::order), in the byte order of the dtype.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz};
    ///
    /// let npz = Npz::open("tests/data/records-stored.npz")?;
    /// let AnyArray::Raw(raw) = npz.read_any("one-field-be-c")? else { panic!("another dtype") };
    /// assert_eq!(raw.bytes()[..4], [0x00, 0x02, 0x80, 0x00]); // 2 and -32768, big-endian
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, by value.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz};
    ///
    /// let npz = Npz::open("tests/data/kinds-stored.npz")?;
    /// let AnyArray::Raw(raw) = npz.read_any("V3-c")? else { panic!("another dtype") };
    /// let bytes: Vec<u8> = raw.into_bytes();
    /// assert_eq!((bytes.len(), &bytes[..3]), (12 * 3, &[0x64, 0x65, 0x66][..]));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Whether its items become strings or vectors of their own.
pub(crate) fn is_text(header: &Header) -> bool {
    let kind = header.dtype().as_scalar().map(|scalar| scalar.kind());
    matches!(kind, Some(Kind::Str | Kind::Bytes))
}

/// Reads an array as what it is. `fill` fills the bytes of all elements, and has checked them.
pub(crate) fn read(header: &Header, fill: impl FnOnce(&mut [u8], Landing<'_>) -> Result<()>) -> Result<AnyArray> {
    if header.dtype().has_object() {
        return Err(crate::error::ErrorKind::Pickled.into());
    }
    array::check_items(header)?;
    let scalar = header.dtype().as_scalar();
    let (kind, size) = scalar.map_or((Kind::Void, 0), |scalar| (scalar.kind(), scalar.item_size()));
    let unit = scalar.and_then(|scalar| scalar.unit());
    Ok(match (kind, size) {
        (Kind::Bool, _) => AnyArray::Bool(array::read(header, fill)?),
        (Kind::Int, 1) => AnyArray::I8(array::read(header, fill)?),
        (Kind::Int, 2) => AnyArray::I16(array::read(header, fill)?),
        (Kind::Int, 4) => AnyArray::I32(array::read(header, fill)?),
        (Kind::Int, 8) => AnyArray::I64(array::read(header, fill)?),
        (Kind::UInt, 1) => AnyArray::U8(array::read(header, fill)?),
        (Kind::UInt, 2) => AnyArray::U16(array::read(header, fill)?),
        (Kind::UInt, 4) => AnyArray::U32(array::read(header, fill)?),
        (Kind::UInt, 8) => AnyArray::U64(array::read(header, fill)?),
        #[cfg(feature = "half")]
        (Kind::Float, 2) => AnyArray::F16(array::read(header, fill)?),
        (Kind::Float, 4) => AnyArray::F32(array::read(header, fill)?),
        (Kind::Float, 8) => AnyArray::F64(array::read(header, fill)?),
        (Kind::Complex, 8) => AnyArray::Complex32(array::read(header, fill)?),
        (Kind::Complex, 16) => AnyArray::Complex64(array::read(header, fill)?),
        (Kind::Datetime, 8) => AnyArray::Datetime { counts: array::read(header, fill)?, unit },
        (Kind::Timedelta, 8) => AnyArray::Timedelta { counts: array::read(header, fill)?, unit },
        (Kind::Str, _) => {
            let bytes = read_bytes(header, fill)?;
            AnyArray::Str(array::strings(header, &bytes)?)
        }
        (Kind::Bytes, _) => {
            let bytes = read_bytes(header, fill)?;
            let mut items = buffer::with_capacity(header.count())?;
            for item in bytes.chunks_exact(size.max(1)) {
                let item = super::text::trim(item);
                let mut own = Vec::new();
                if own.try_reserve_exact(item.len()).is_err() {
                    return Err(super::text::out_of_memory(items, item.len()));
                }
                own.extend_from_slice(item);
                items.push(own);
            }
            let items = Array::from_shape_vec(array::shape::<IxDyn>(header), items);
            AnyArray::Bytes(items.map_err(|_| array::payload_length(header, bytes.len()))?)
        }
        _ => AnyArray::Raw(RawArray {
            dtype: header.dtype().clone(),
            shape: header.shape().to_vec(),
            order: header.order(),
            bytes: read_bytes(header, fill)?,
        }),
    })
}

fn read_bytes(header: &Header, fill: impl FnOnce(&mut [u8], Landing<'_>) -> Result<()>) -> Result<Vec<u8>> {
    let mut bytes = buffer::zeroed(header.nbytes())?;
    fill(&mut bytes, Landing::AS_THEY_LIE)?;
    Ok(bytes)
}
