//! The values as JSON: nested lists, records as objects.

use npzmap::{Dtype, Kind, Scalar};
use serde::{Serialize, Serializer};

use super::float;
use super::quoted;
use super::real::{Class, Real};
use super::value;
use crate::date::{self, NAT};
use crate::shape;

/// Lists of lists, as deep as there are axes.
#[derive(Clone, Copy)]
pub(super) struct Nested<'a> {
    pub(super) shape: &'a [usize],
    pub(super) bytes: &'a [u8],
    pub(super) dtype: &'a Dtype,
}

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Nested { shape, bytes, dtype } = *self;
        if let Some((length, shape)) = shape.split_first() {
            let piece = shape::nbytes(shape, dtype.item_size());
            let parts = (0..*length).map(|index| &bytes[index * piece..(index + 1) * piece]);
            return to.collect_seq(parts.map(|bytes| Nested { shape, bytes, dtype }));
        }
        match dtype {
            Dtype::Scalar(scalar) => element(bytes, scalar, to),
            Dtype::Subarray(array) => Nested { shape: array.shape(), bytes, dtype: array.base() }.serialize(to),
            Dtype::Record(record) => to.collect_map(record.fields().iter().map(|field| {
                let end = field.offset() + field.dtype().item_size();
                (field.name(), Nested { shape: &[], bytes: &bytes[field.offset()..end], dtype: field.dtype() })
            })),
            _ => to.collect_str(&crate::text::from_fn(|f| quoted::escaped(bytes, true, f))),
        }
    }
}

fn element<S: Serializer>(bytes: &[u8], scalar: &Scalar, to: S) -> Result<S::Ok, S::Error> {
    match scalar.kind() {
        Kind::Bool => to.serialize_bool(value::truth(bytes)),
        Kind::UInt => to.serialize_u64(value::integer(bytes, scalar) as u64),
        Kind::Int => to.serialize_i64(value::count(bytes, scalar)),
        Kind::Float => value::real(bytes, scalar).serialize(to),
        Kind::Complex => value::complex(bytes, scalar).serialize(to),
        Kind::Datetime | Kind::Timedelta => match (value::count(bytes, scalar), scalar.kind()) {
            (NAT, _) => to.serialize_str("NaT"),
            (count, Kind::Datetime) => to.serialize_str(&date::date(count, scalar.unit())),
            (count, _) => to.serialize_i64(count),
        },
        // One string may be most of a file: its text is not held.
        Kind::Bytes | Kind::Void => {
            to.collect_str(&crate::text::from_fn(|f| quoted::escaped(bytes, scalar.kind() == Kind::Void, f)))
        }
        _ => to.collect_str(&crate::text::from_fn(|f| value::alone(bytes, scalar, f))),
    }
}

impl Serialize for Real {
    /// As few digits as tell it from its neighbours of the same width.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text = float::scalar(self);
        match (self.class, self.negative, text.parse::<f64>()) {
            (Class::Finite, _, Ok(number)) if number.is_finite() => to.serialize_f64(number),
            (Class::Finite, ..) => to.serialize_str(&text),
            (Class::Nan, ..) => to.serialize_str("NaN"),
            (Class::Infinite, false, _) => to.serialize_str("Infinity"),
            (Class::Infinite, true, _) => to.serialize_str("-Infinity"),
        }
    }
}
