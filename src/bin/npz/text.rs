//! An element as text that reads back as the same value.

use npzmap::half::f16;
use npzmap::{ByteOrder, DatetimeUnit, Kind, Scalar, TimeUnit};

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

/// The text of a scalar; none for what has none: bytes of no kind, long doubles.
pub(crate) fn text(bytes: &[u8], scalar: &Scalar) -> Option<String> {
    let order = scalar.byte_order();
    Some(match scalar.kind() {
        Kind::Bool => if bytes[0] == 0 { "False" } else { "True" }.into(),
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
            let text: String = codes.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            text.trim_end_matches('\0').into()
        }
        Kind::Bytes => {
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            bytes[..end].iter().map(|byte| byte_text(*byte)).collect()
        }
        Kind::Datetime => match (integer(bytes, scalar) as i64, scalar.unit()) {
            (i64::MIN, _) => "NaT".into(),
            (count, Some(unit)) => date(count, unit),
            (count, None) => count.to_string(),
        },
        Kind::Timedelta => match integer(bytes, scalar) as i64 {
            i64::MIN => "NaT".into(),
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

/// An ISO date, as exact as its unit, as NumPy prints it.
pub(crate) fn date(count: i64, unit: DatetimeUnit) -> String {
    const DAY: i128 = 86_400;
    let count = i128::from(count) * i128::from(unit.multiple());
    // Units in a second, and digits behind it.
    let (per_second, digits) = match unit.base() {
        TimeUnit::Year => return format!("{:04}", 1970 + count),
        TimeUnit::Month => return format!("{:04}-{:02}", 1970 + count.div_euclid(12), count.rem_euclid(12) + 1),
        TimeUnit::Week => return day(count * 7),
        TimeUnit::Day => return day(count),
        TimeUnit::Hour => {
            return format!("{}T{:02}", day(count.div_euclid(24)), count.rem_euclid(24));
        }
        TimeUnit::Minute => {
            let minute = count.rem_euclid(1440);
            return format!("{}T{:02}:{:02}", day(count.div_euclid(1440)), minute / 60, minute % 60);
        }
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (10_i128.pow(3), 3),
        TimeUnit::Microsecond => (10_i128.pow(6), 6),
        TimeUnit::Nanosecond => (10_i128.pow(9), 9),
        TimeUnit::Picosecond => (10_i128.pow(12), 12),
        TimeUnit::Femtosecond => (10_i128.pow(15), 15),
        _ => (10_i128.pow(18), 18),
    };
    let (seconds, rest) = (count.div_euclid(per_second), count.rem_euclid(per_second));
    let second = seconds.rem_euclid(DAY);
    let time = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    let fraction = if digits > 0 { format!(".{rest:0digits$}") } else { String::new() };
    format!("{}T{time}{fraction}", day(seconds.div_euclid(DAY)))
}

/// The date of a day since 1970-01-01, in the Gregorian calendar.
fn day(days: i128) -> String {
    // Years begin in March, so that the leap day is their last; eras are 400 years.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, january) = (day - (153 * month + 2) / 5 + 1, month >= 10);
    let (month, year) = (if january { month - 9 } else { month + 3 }, year + era * 400 + i128::from(january));
    format!("{year:04}-{month:02}-{day:02}")
}
