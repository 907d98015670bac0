//! The Rust types that elements can be taken as.

use bytemuck::{CheckedBitPattern, NoUninit, Pod};
use num_complex::Complex;

use super::dtype::{ByteOrder, DatetimeUnit, Dtype, Kind, Scalar};

/// A Rust type that the elements of an array can be viewed as, or read into.
///
/// Implemented for `bool`, the integers of 8 to 64 bits, `f32` and `f64`, their
/// [`Complex`](num_complex::Complex), and [`Unaligned`](crate::Unaligned) of these.
///
/// It is safe to implement: bytemuck's traits carry the argument about memory, this one only says which dtypes
/// mean the type. A dtype whose items have another size than the type is never taken for it.
///
/// ```
/// use bytemuck::{Pod, Zeroable};
/// use npzmap::{ByteOrder, Dtype, Element, Kind, Scalar};
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
/// ```
pub trait Element: CheckedBitPattern<Bits: Pod> + NoUninit + Send + Sync {
    /// The dtype of arrays of this type, in this machine's byte order.
    fn dtype() -> Dtype;

    /// Whether items of `dtype` are values of this type, whatever their byte order.
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
    u8 => UInt, u16 => UInt, u32 => UInt, u64 => UInt,
    f32 => Float, f64 => Float,
    Complex<f32> => Complex, Complex<f64> => Complex,
}

/// A scalar in this machine's order, of a size that is known to exist.
fn native(kind: Kind, size: usize) -> Dtype {
    let scalar = Scalar::new(kind, size, ByteOrder::NATIVE);
    scalar.expect("a NumPy dtype of this size exists").into()
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
