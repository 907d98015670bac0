//! What the bytes of an item stand for.

use std::fmt::{Result, Write};

use npzmap::{ByteOrder, Kind, Scalar};

use super::float;
use super::quoted;
use super::real::{Real, Width};
use crate::date::{self, NAT};

/// The bits of a number.
fn bits(bytes: &[u8], order: ByteOrder) -> u128 {
    let add = |number: u128, byte: &u8| number << 8 | u128::from(*byte);
    match order {
        ByteOrder::Big => bytes.iter().fold(0, add),
        _ => bytes.iter().rev().fold(0, add),
    }
}

/// The number, its sign extended.
pub(super) fn integer(bytes: &[u8], scalar: &Scalar) -> i128 {
    let bits = bits(bytes, scalar.byte_order()) as i128;
    let unused = 128 - 8 * bytes.len().clamp(1, 16);
    match scalar.kind() {
        Kind::UInt | Kind::Bool => bits,
        _ => bits << unused >> unused,
    }
}

pub(super) fn count(bytes: &[u8], scalar: &Scalar) -> i64 {
    integer(bytes, scalar) as i64
}

pub(super) fn real(bytes: &[u8], scalar: &Scalar) -> Real {
    Real::new(bits(bytes, scalar.byte_order()), Width::of_size(bytes.len()))
}

/// The two parts of a complex number.
pub(super) fn complex(bytes: &[u8], scalar: &Scalar) -> (Real, Real) {
    let (re, im) = bytes.split_at(bytes.len() / 2);
    (real(re, scalar), real(im, scalar))
}

/// The code units of a string.
pub(super) fn units(bytes: &[u8], scalar: &Scalar) -> impl quoted::Units {
    let order = scalar.byte_order();
    bytes.chunks_exact(4).map(move |unit| bits(unit, order) as u32)
}

pub(super) fn truth(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| *byte != 0)
}

/// Writes a scalar as it is alone, as Python's `str` has it.
pub(super) fn alone(bytes: &[u8], scalar: &Scalar, out: &mut dyn Write) -> Result {
    match scalar.kind() {
        Kind::Str => quoted::plain(units(bytes, scalar), out),
        Kind::Bytes => quoted::bytes(bytes, out),
        Kind::Bool => out.write_str(if truth(bytes) { "True" } else { "False" }),
        Kind::Int | Kind::UInt => write!(out, "{}", integer(bytes, scalar)),
        Kind::Float => out.write_str(&float::scalar(&real(bytes, scalar))),
        Kind::Complex => {
            let (re, im) = complex(bytes, scalar);
            out.write_str(&float::complex_scalar(&re, &im))
        }
        Kind::Datetime | Kind::Timedelta => match (count(bytes, scalar), scalar.kind()) {
            (NAT, _) => out.write_str("NaT"),
            (count, Kind::Datetime) => out.write_str(&date::date(count, scalar.unit())),
            (count, _) => out.write_str(&date::duration(count, scalar.unit())),
        },
        _ => quoted::void(bytes, out),
    }
}
