//! An element as text that reads back as the same value.

use std::fmt;

use npzmap::half::f16;
use npzmap::{ByteOrder, Kind, Scalar};

use crate::date::{NAT, date};
use crate::leaves::little;

/// The number of the bytes, its sign extended.
pub(crate) fn integer(bytes: &[u8], scalar: &Scalar) -> i128 {
    let mut number = little(bytes, scalar.byte_order());
    let negative = scalar.kind() != Kind::UInt && scalar.kind() != Kind::Bool && number[bytes.len() - 1] > 0x7f;
    number[bytes.len()..].fill(if negative { 0xff } else { 0 });
    i128::from_le_bytes(number)
}

/// The number of the bytes of an `f2`, `f4` or `f8`, which `f64` holds exactly.
pub(crate) fn float(bytes: &[u8], order: ByteOrder) -> Option<f64> {
    let b = little(bytes, order);
    match bytes.len() {
        2 => Some(f16::from_le_bytes([b[0], b[1]]).to_f64()),
        4 => Some(f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into()),
        8 => Some(f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])),
        _ => None,
    }
}

/// The text of a scalar; none for what has none: bytes of no kind, long doubles, bools that are neither 0 nor 1, codes
/// that are no characters.
pub(crate) fn text(bytes: &[u8], scalar: &Scalar) -> Option<String> {
    let order = scalar.byte_order();
    Some(match scalar.kind() {
        Kind::Bool => match bytes {
            [0] => "False".into(),
            [1] => "True".into(),
            _ => return None,
        },
        Kind::Int | Kind::UInt => integer(bytes, scalar).to_string(),
        Kind::Float => real(bytes, order)?,
        Kind::Complex => {
            let (re, im) = bytes.split_at(bytes.len() / 2);
            let (re, im) = (real(re, order)?, real(im, order)?);
            let sign = if im.starts_with('-') { "" } else { "+" };
            format!("{re}{sign}{im}j")
        }
        Kind::Str => {
            let codes = bytes.chunks_exact(4).map(|code| integer(code, scalar) as u32);
            let text: String = codes.map(char::from_u32).collect::<Option<_>>()?;
            text.trim_end_matches('\0').into()
        }
        Kind::Bytes => {
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            bytes[..end].iter().map(|byte| byte_text(*byte)).collect()
        }
        Kind::Datetime | Kind::Timedelta => match integer(bytes, scalar) as i64 {
            NAT => "NaT".into(),
            count if scalar.kind() == Kind::Datetime => date(count, scalar.unit()),
            count => count.to_string(),
        },
        _ => return None,
    })
}

/// As few digits as tell the number from its neighbours.
fn real(bytes: &[u8], order: ByteOrder) -> Option<String> {
    let value = float(bytes, order)?;
    Some(match bytes.len() {
        _ if value.is_nan() => "nan".into(),
        _ if value.is_infinite() => if value > 0.0 { "inf" } else { "-inf" }.into(),
        2 => (1..8).map(|digits| half(value, digits)).find(|(_, same)| *same)?.0,
        4 => format!("{:?}", value as f32),
        _ => format!("{value:?}"),
    })
}

fn half(value: f64, digits: usize) -> (String, bool) {
    let rounded: f64 = format!("{value:.digits$e}").parse().unwrap_or(value);
    (format!("{:?}", rounded as f32), f16::from_f64(rounded).to_f64() == value)
}

fn byte_text(byte: u8) -> String {
    match byte {
        b'\\' => "\\\\".into(),
        b' '..=b'~' => char::from(byte).into(),
        byte => format!("\\x{byte:02x}"),
    }
}

/// Text that a closure writes, as `std::fmt::from_fn` makes it from Rust 1.93 on.
pub(crate) struct FromFn<F>(F);

pub(crate) fn from_fn<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result>(write: F) -> FromFn<F> {
    FromFn(write)
}

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}
