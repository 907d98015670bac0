//! The Rust types that elements can be taken as.

use bytemuck::{CheckedBitPattern, NoUninit, Pod};
use num_complex::Complex;

use super::dtype::{ByteOrder, DatetimeUnit, Dtype, Kind, Scalar, Subarray};

/// A Rust type that the elements of an array can be viewed as, or read into.
///
/// Implemented for `bool`, the integers of 8 to 64 bits, `f32` and `f64`, their
/// [`Complex`](num_complex::Complex), `f16` and `bf16` (feature `half`), [`FixedStr`](crate::FixedStr) and
/// [`FixedBytes`](crate::FixedBytes), and [`Unaligned`](crate::Unaligned) of all that is [`Pod`]. For a record,
/// [`record!`](crate::record) implements it.
///
/// It is safe to implement: bytemuck's traits carry the argument about memory, this one only says which dtypes
/// mean the type. A dtype whose items have another size than the type is never taken for it.
///
/// ```
/// use bytemuck::{Pod, Zeroable};
/// use npzmap::{Dtype, Element, Npz};
/// use ndarray::Ix2;
///
/// /// Ticks of the 10 MHz counter, which the recorder saves as `<u8`.
/// #[derive(Clone, Copy, PartialEq, Debug, Zeroable, Pod)]
/// #[repr(transparent)]
/// struct Ticks(u64);
///
/// impl Element for Ticks {
///     fn dtype() -> Dtype {
///         u64::dtype()
///     }
/// }
///
/// let npz = Npz::open("tests/data/kinds-stored.npz")?;
/// assert_eq!(npz.read::<Ticks, Ix2>("u8-le-c")?[(1, 3)], Ticks(42));
/// # Ok::<(), npzmap::Error>(())
/// ```
pub trait Element: CheckedBitPattern<Bits: Pod> + NoUninit + Send + Sync {
    /// The dtype of arrays of this type, in this machine's byte order.
    ///
    /// ```
    /// use npzmap::{Element, FixedStr, Unaligned};
    ///
    /// assert_eq!(f32::dtype(), "=f4".parse()?);
    /// assert_eq!(Unaligned::<f32>::dtype(), f32::dtype());
    /// assert_eq!(FixedStr::<9>::dtype(), "=U9".parse()?);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn dtype() -> Dtype;

    /// Whether items of `dtype` are values of this type, whatever their byte order.
    ///
    /// ```
    /// use npzmap::Element;
    ///
    /// assert!(f32::matches(&"<f4".parse()?) && f32::matches(&">f4".parse()?));
    /// assert!(!f32::matches(&"<f8".parse()?) && !f32::matches(&"<i4".parse()?));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn matches(dtype: &Dtype) -> bool {
        same_but_for_order(dtype, &Self::dtype())
    }
}

/// Whether two dtypes differ in nothing but byte order.
fn same_but_for_order(a: &Dtype, b: &Dtype) -> bool {
    match (a, b) {
        (Dtype::Scalar(a), Dtype::Scalar(b)) => {
            let what = |scalar: &Scalar| -> (Kind, usize, Option<DatetimeUnit>) {
                (scalar.kind(), scalar.item_size(), scalar.unit())
            };
            what(a) == what(b)
        }
        (Dtype::Subarray(a), Dtype::Subarray(b)) => a.shape() == b.shape() && same_but_for_order(a.base(), b.base()),
        (Dtype::Record(a), Dtype::Record(b)) => {
            a.item_size() == b.item_size()
                && a.fields().len() == b.fields().len()
                && a.fields().iter().zip(b.fields()).all(|(a, b)| {
                    a.name() == b.name() && a.offset() == b.offset() && same_but_for_order(a.dtype(), b.dtype())
                })
        }
        _ => false,
    }
}

macro_rules! elements {
    ($($type:ty => $kind:ident),* $(,)?) => {$(
        impl Element for $type {
            fn dtype() -> Dtype {
                native(Kind::$kind, size_of::<$type>())
            }
        }
    )*};
}

elements! {
    bool => Bool,
    i8 => Int, i16 => Int, i32 => Int, i64 => Int,
    u16 => UInt, u32 => UInt, u64 => UInt,
    f32 => Float, f64 => Float,
    Complex<f32> => Complex, Complex<f64> => Complex,
}

impl Element for u8 {
    fn dtype() -> Dtype {
        native(Kind::UInt, 1)
    }

    /// Any byte is a `u8`, also that of a `bool`: so that arrays can be looked at in which one is neither 0 nor 1.
    fn matches(dtype: &Dtype) -> bool {
        let kind = dtype.as_scalar().map(|scalar| (scalar.kind(), scalar.item_size()));
        matches!(kind, Some((Kind::UInt | Kind::Bool, 1)))
    }
}

/// A scalar in this machine's order, of a size that is known to exist.
fn native(kind: Kind, size: usize) -> Dtype {
    let scalar = Scalar::new(kind, size, ByteOrder::NATIVE);
    scalar.expect("a NumPy dtype of this size exists").into()
}

#[cfg(feature = "half")]
impl Element for half::f16 {
    fn dtype() -> Dtype {
        native(Kind::Float, 2)
    }
}

/// NumPy has no bfloat16. ml_dtypes saves it as two bytes of no kind, and so may be anything else: such arrays are
/// taken as `bf16` when the caller says so, by `NpyArray::reinterpret`.
#[cfg(feature = "half")]
impl Element for half::bf16 {
    fn dtype() -> Dtype {
        native(Kind::Void, 2)
    }

    fn matches(_: &Dtype) -> bool {
        false
    }
}

/// What a field of a [`record!`](crate::record) can be: an [`Element`], or an array of one.
///
/// ```
/// use npzmap::{FieldType, FixedBytes};
///
/// fn size<T: FieldType>() -> usize {
///     T::field_dtype().item_size()
/// }
///
/// assert_eq!((size::<u32>(), size::<FixedBytes<5>>(), size::<[[f64; 3]; 3]>()), (4, 5, 72));
/// ```
pub trait FieldType {
    /// The dtype of the field.
    ///
    /// ```
    /// use npzmap::{Dtype, FieldType};
    ///
    /// let Dtype::Subarray(matrix) = <[[f64; 3]; 2]>::field_dtype() else { panic!("no array") };
    /// assert_eq!(matrix.shape(), [2, 3]);
    /// ```
    fn field_dtype() -> Dtype;
}

impl<T: Element> FieldType for T {
    fn field_dtype() -> Dtype {
        T::dtype()
    }
}

impl<T: FieldType, const N: usize> FieldType for [T; N] {
    fn field_dtype() -> Dtype {
        // A type of more bytes than a dtype can have matches no file.
        Subarray::new(T::field_dtype(), &[N]).map_or_else(|| Dtype::from(Scalar::VOID), Dtype::from)
    }
}

/// Makes a struct an [`Element`]: a record whose fields have the names, offsets, types and sizes of the struct's.
///
/// The struct is [`Pod`](bytemuck::Pod), so that it has no hidden padding; padding of the file's records stands in it
/// as a field of bytes, which is not listed here. Where a file's dtype has the same layout, arrays of the struct are
/// borrowed; field by field it is compared by name, offset, type and size.
///
/// A `bool` is not `Pod`, and dates have no Rust type of their own: such fields need a newtype that is an
/// [`Element`](crate::Element) by hand, as below.
///
/// ```
/// use bytemuck::{Pod, Zeroable};
/// use npzmap::Element;
///
/// #[derive(Clone, Copy, Zeroable, Pod)]
/// #[repr(C)]
/// struct Hit {
///     id: u32,
///     _padding: [u8; 4],
///     position: [f64; 3],
/// }
///
/// npzmap::record!(Hit { id: u32, position: [f64; 3] });
///
/// assert_eq!(Hit::dtype().to_string(), "[('id', '<u4'), ('', '|V4'), ('position', '<f8', (3,))]");
/// ```
///
/// Dates and flags:
///
/// ```
/// use bytemuck::{Pod, Zeroable};
/// use npzmap::{Dtype, Element, Npz};
/// use ndarray::Ix2;
///
/// /// `<M8[s]`: seconds since 1970, and `i64::MIN` for NaT.
/// #[derive(Clone, Copy, Zeroable, Pod)]
/// #[repr(transparent)]
/// struct Seconds(i64);
///
/// impl Element for Seconds {
///     fn dtype() -> Dtype {
///         "=M8[s]".parse().unwrap()
///     }
/// }
///
/// /// `|b1`, whatever its byte.
/// #[derive(Clone, Copy, Zeroable, Pod)]
/// #[repr(transparent)]
/// struct Flag(u8);
///
/// impl Element for Flag {
///     fn dtype() -> Dtype {
///         bool::dtype()
///     }
/// }
///
/// #[derive(Clone, Copy, Zeroable, Pod)]
/// #[repr(C)]
/// struct Event {
///     at: Seconds,
///     seen: Flag,
///     _padding: [u8; 7],
/// }
///
/// npzmap::record!(Event { at: Seconds, seen: Flag });
///
/// assert_eq!(Event::dtype().to_string(), "[('at', '<M8[s]'), ('seen', '|b1'), ('', '|V7')]");
/// ```
///
/// A field of another name than the file's is written `"name in the file" = field: type`.
#[macro_export]
macro_rules! record {
    ($type:ty { $($fields:tt)* }) => {
        impl $crate::Element for $type {
            fn dtype() -> $crate::Dtype {
                let mut fields = ::std::vec::Vec::<$crate::Field>::new();
                $crate::record!(@fields fields $type, $($fields)*);
                fields.sort_by_key($crate::Field::offset);
                let record = $crate::Record::new(fields, ::core::mem::size_of::<$type>());
                // Fields of a struct neither overlap nor reach over its end.
                record.expect("the fields have different names").into()
            }
        }
    };
    (@fields $list:ident $type:ty, $name:literal = $field:ident: $kind:ty $(, $($rest:tt)*)?) => {
        {
            // The type is the field's own, or this does not compile.
            let _: fn($type) -> $kind = |record| record.$field;
            let offset = ::core::mem::offset_of!($type, $field);
            $list.push($crate::Field::new($name, offset, <$kind as $crate::FieldType>::field_dtype()));
        }
        $($crate::record!(@fields $list $type, $($rest)*);)?
    };
    (@fields $list:ident $type:ty, $field:ident: $kind:ty $(, $($rest:tt)*)?) => {
        {
            let _: fn($type) -> $kind = |record| record.$field;
            let offset = ::core::mem::offset_of!($type, $field);
            $list.push($crate::Field::new(stringify!($field).trim_start_matches("r#"), offset, <$kind as $crate::FieldType>::field_dtype()));
        }
        $($crate::record!(@fields $list $type, $($rest)*);)?
    };
    (@fields $list:ident $type:ty $(,)?) => {};
}

/// A type's name without the paths: `Unaligned<f32>`.
pub(crate) fn short_name<T>() -> String {
    let mut short = String::new();
    let mut word = String::new();
    for c in std::any::type_name::<T>().chars() {
        match c {
            ':' => word.clear(),
            c if c.is_alphanumeric() || c == '_' => word.push(c),
            c => {
                short.push_str(&word);
                word.clear();
                short.push(c);
            }
        }
    }
    short + &word
}
