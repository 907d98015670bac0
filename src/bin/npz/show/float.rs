//! Floats as text: alone, and among others of the same width.

use super::real::{Class, Cut, Real};

/// NumPy's default `precision`.
const PRECISION: usize = 8;

/// What becomes of the end of a fraction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Zeros up to this length.
    Filled(usize),
    /// No zeros, but the point.
    Point,
    /// One zero at least.
    Zero,
    /// Neither zeros nor point.
    Bare,
}

fn end(mut fraction: String, end: End) -> String {
    if let End::Filled(length) = end {
        return format!(".{fraction:0<length$}");
    }
    fraction.truncate(fraction.trim_end_matches('0').len());
    match (end, fraction.is_empty()) {
        (End::Bare, true) => String::new(),
        (End::Zero, true) => ".0".into(),
        _ => format!(".{fraction}"),
    }
}

fn text(digits: &[u8]) -> String {
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

fn sign(real: &Real, plus: bool) -> &'static str {
    match (real.negative, plus) {
        (true, _) => "-",
        (false, true) => "+",
        (false, false) => "",
    }
}

/// Before the point, and from the point on.
fn positional(real: &Real, plus: bool, cut: Cut, how: End) -> (String, String) {
    let found = real.digits(cut);
    let (mut whole, fraction) = match usize::try_from(found.exponent + 1) {
        Ok(before) if before > 0 => {
            let (whole, fraction) = found.digits.split_at(before.min(found.digits.len()));
            (format!("{:0<before$}", text(whole)), text(fraction))
        }
        _ => ("0".into(), "0".repeat((-found.exponent - 1) as usize) + &text(&found.digits)),
    };
    whole.insert_str(0, sign(real, plus));
    (whole, end(fraction, how))
}

/// The first digit, the fraction from the point on, the exponent from its sign on.
fn scientific(real: &Real, plus: bool, cut: Cut, how: End, exponent_digits: usize) -> (String, String, String) {
    let found = real.digits(cut);
    let (first, fraction) = found.digits.split_at(1);
    let whole = format!("{}{}", sign(real, plus), text(first));
    let exponent_sign = if found.exponent < 0 { '-' } else { '+' };
    let exponent = format!("{exponent_sign}{:0exponent_digits$}", found.exponent.abs());
    (whole, end(text(fraction), how), exponent)
}

fn not_finite(real: &Real, plus: bool) -> String {
    match (real.class, plus) {
        (Class::Nan, true) => "+nan".into(),
        (Class::Nan, false) => "nan".into(),
        _ => format!("{}inf", sign(real, plus)),
    }
}

/// A number alone: as many digits as tell it from its neighbours.
pub(super) fn scalar(real: &Real) -> String {
    alone(real, false, End::Zero)
}

/// A complex number alone, as Python prints it.
pub(super) fn complex_scalar(re: &Real, im: &Real) -> String {
    if re.class == Class::Finite && re.is_zero() && !re.negative {
        return format!("{}j", alone(im, false, End::Bare));
    }
    format!("({}{}j)", alone(re, false, End::Bare), alone(im, true, End::Bare))
}

fn alone(real: &Real, plus: bool, how: End) -> String {
    if real.class != Class::Finite {
        return not_finite(real, plus);
    }
    if real.is_moderate() {
        let (whole, fraction) = positional(real, plus, Cut::Shortest, how);
        return whole + &fraction;
    }
    let (whole, fraction, exponent) = scientific(real, plus, Cut::Shortest, End::Bare, 2);
    format!("{whole}{fraction}e{exponent}")
}

/// How the numbers of an array are printed so that they line up.
pub(super) struct Floats {
    plus: bool,
    /// Digits of the exponents; nothing where there are none.
    exponent: Option<usize>,
    fraction: usize,
    left: usize,
    right: usize,
}

impl Floats {
    pub(super) fn new(values: impl Iterator<Item = Real> + Clone, plus: bool) -> Self {
        let mut floats = Floats { plus, exponent: None, fraction: 0, left: 0, right: 0 };
        let finite = values.clone().filter(|value| value.class == Class::Finite);
        let longest = |to: &mut usize, text: &str| *to = (*to).max(text.len());
        let mut fraction = 0; // with its point
        if Real::need_exponents(values.clone()) {
            let cut = Cut::Total { least: 0, most: PRECISION + 1 };
            let mut exponent = 0; // with its sign
            for value in finite {
                let parts = scientific(&value, plus, cut, End::Point, 2);
                longest(&mut floats.left, &parts.0);
                longest(&mut fraction, &parts.1);
                longest(&mut exponent, &parts.2);
            }
            floats.fraction = fraction - 1;
            floats.exponent = Some(exponent - 1);
            floats.right = floats.fraction + exponent + 1;
        } else {
            let cut = Cut::Fraction { least: 0, most: PRECISION };
            for value in finite {
                let parts = positional(&value, plus, cut, End::Point);
                longest(&mut floats.left, &parts.0);
                longest(&mut fraction, &parts.1);
            }
            floats.fraction = fraction.saturating_sub(1);
            floats.right = floats.fraction;
        }
        for value in values.filter(|value| value.class != Class::Finite) {
            let negative = plus || value.class == Class::Infinite && value.negative;
            let length = 3 + usize::from(negative);
            floats.left = floats.left.max(length.saturating_sub(floats.right + 1));
        }
        floats
    }

    pub(super) fn text(&self, real: &Real) -> String {
        let Floats { plus, fraction, left, right, .. } = *self;
        if real.class != Class::Finite {
            let width = left + right + 1;
            return format!("{:>width$}", not_finite(real, plus));
        }
        match self.exponent {
            Some(digits) => {
                let cut = Cut::Total { least: fraction + 1, most: fraction + 1 };
                let (whole, fraction, exponent) = scientific(real, plus, cut, End::Filled(fraction), digits);
                format!("{whole:>left$}{fraction}e{exponent}")
            }
            None => {
                let cut = Cut::Fraction { least: 0, most: PRECISION };
                let (whole, behind) = positional(real, plus, cut, End::Point);
                let width = right + 1;
                format!("{whole:>left$}{behind:<width$}")
            }
        }
    }
}
