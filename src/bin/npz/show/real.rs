//! Floats of every width, taken apart, and the decimal digits that stand for them.

use std::cmp::Ordering;

use super::natural::Natural;

/// A float: its sign, and `mantissa * 2^exponent`.
#[derive(Clone, Copy)]
pub(crate) struct Real {
    pub(crate) negative: bool,
    pub(crate) class: Class,
    mantissa: u64,
    exponent: i32,
    /// Whether the next number below is half as far as the next above.
    narrow_below: bool,
    pub(crate) width: Width,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Finite,
    Infinite,
    Nan,
}

/// How long double is laid out differs from machine to machine: this is x86's, of 80 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Half,
    Single,
    Double,
    Long,
}

/// The bits of a mantissa of 64 that an `f64` does not hold.
const UNHELD: u64 = (1 << 11) - 1;

impl Width {
    pub(super) fn of_size(size: usize) -> Self {
        match size {
            2 => Width::Half,
            4 => Width::Single,
            8 => Width::Double,
            _ => Width::Long,
        }
    }

    /// From here on NumPy prints an array with exponents: 10^8, or as many digits as the type holds.
    fn scientific_array(self) -> f64 {
        match self {
            Width::Half => 1e3,
            Width::Single => 1e6,
            Width::Double | Width::Long => 1e8,
        }
    }

    /// From here on it prints a single number with an exponent.
    fn scientific_scalar(self) -> f64 {
        match self {
            Width::Half => 1e3,
            Width::Single => 1e6,
            Width::Double | Width::Long => 1e16,
        }
    }
}

impl Real {
    /// From the bits of the number, least significant first.
    pub(crate) fn new(bits: u128, width: Width) -> Self {
        // Bits behind the leading one, which only the long one stores; bits of the exponent.
        let (fraction_bits, exponent_bits) = match width {
            Width::Half => (10, 5),
            Width::Single => (23, 8),
            Width::Double => (52, 11),
            Width::Long => (63, 15),
        };
        let explicit = u32::from(width == Width::Long);
        let top = (1_u32 << exponent_bits) - 1;
        let fraction = bits as u64 & ((1 << fraction_bits) - 1);
        let biased = (bits >> (fraction_bits + explicit)) as u32 & top;
        let leading = match width {
            Width::Long => bits as u64 >> 63,
            _ => u64::from(biased > 0),
        };
        let class = match (biased == top, fraction) {
            (false, _) => Class::Finite,
            (true, 0) => Class::Infinite,
            (true, _) => Class::Nan,
        };
        let bias = (top >> 1) as i32;
        Real {
            negative: bits >> (fraction_bits + explicit + exponent_bits) & 1 == 1,
            class,
            mantissa: leading << fraction_bits | fraction,
            exponent: biased.max(1) as i32 - bias - fraction_bits as i32,
            narrow_below: biased > 1 && fraction == 0,
            width,
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.mantissa == 0
    }

    /// Its absolute value; of one of 80 bits, not more than that.
    pub(super) fn magnitude(&self) -> f64 {
        let mantissa = if self.width == Width::Long { self.mantissa & !UNHELD } else { self.mantissa };
        self.scale(mantissa)
    }

    /// The number as a sum, in which the second is what the first does not hold of 80 bits. Infinite beyond the `f64`s.
    pub(crate) fn sum(&self) -> (f64, f64) {
        let sign = if self.negative { -1.0 } else { 1.0 };
        match self.class {
            Class::Nan => (f64::NAN, 0.0),
            Class::Infinite => (sign * f64::INFINITY, 0.0),
            Class::Finite if self.width == Width::Long => {
                let high = self.magnitude();
                (sign * high, if high.is_finite() { sign * self.scale(self.mantissa & UNHELD) } else { 0.0 })
            }
            Class::Finite => (sign * self.magnitude(), 0.0),
        }
    }

    fn scale(&self, mantissa: u64) -> f64 {
        mantissa as f64 * 2_f64.powi(self.exponent.max(-1000)) * 2_f64.powi((self.exponent + 1000).min(0))
    }

    /// The number of its highest bit.
    fn log2(&self) -> i32 {
        self.exponent + 63 - self.mantissa.leading_zeros() as i32
    }

    /// Whether they are the same number, of whatever widths.
    pub(crate) fn equals(&self, other: &Real) -> bool {
        match (self.class, other.class) {
            (Class::Finite, Class::Finite) if self.is_zero() || other.is_zero() => self.is_zero() && other.is_zero(),
            (Class::Finite, Class::Finite) => self.negative == other.negative && self.compare(other).is_eq(),
            (Class::Infinite, Class::Infinite) => self.negative == other.negative,
            _ => false,
        }
    }

    /// By absolute value; neither is 0.
    fn compare(&self, other: &Real) -> Ordering {
        let aligned = |real: &Real| real.mantissa << real.mantissa.leading_zeros();
        self.log2().cmp(&other.log2()).then_with(|| aligned(self).cmp(&aligned(other)))
    }

    /// Whether NumPy prints an array that holds these with exponents.
    pub(super) fn need_exponents(values: impl Iterator<Item = Real> + Clone) -> bool {
        let values = values.filter(|value| value.class == Class::Finite && !value.is_zero());
        let (Some(least), Some(most)) = (values.clone().min_by(Real::compare), values.max_by(Real::compare)) else {
            return false;
        };
        let width = most.width;
        // NumPy compares in the type of the array, rounding both sides to it.
        let small = match width {
            Width::Half => 0.000_100_016_593_933_105_47,
            Width::Single => f64::from(0.0001_f32),
            Width::Double | Width::Long => 0.0001,
        };
        most.magnitude() >= width.scientific_array() || least.magnitude() < small || most.is_far_above(&least)
    }

    /// Whether their quotient, rounded to their width, is more than 1000.
    fn is_far_above(&self, other: &Real) -> bool {
        // What is rounded to 1000 ends half a place behind it: at 1000 + 2^-places.
        let places = match self.width {
            Width::Half => 2,
            Width::Single => 15,
            Width::Double => 44,
            Width::Long => 55,
        };
        let (mut high, mut low) = (Natural::new(self.mantissa), Natural::new(other.mantissa));
        high.shift_left(places);
        low.multiply(1000);
        low.shift_left(places);
        low = low.plus(&Natural::new(other.mantissa));
        let distance = self.exponent - other.exponent;
        high.shift_left(distance.max(0) as u32);
        low.shift_left((-distance).max(0) as u32);
        high > low
    }

    /// Whether a single number is printed without an exponent.
    pub(super) fn is_moderate(&self) -> bool {
        let least = match self.width {
            // The nearest to 0.0001 of 80 bits.
            Width::Long => Real { mantissa: 0xd1b7_1758_e219_652c, exponent: -77, ..*self },
            _ => Real::new(1e-4_f64.to_bits().into(), Width::Double),
        };
        self.is_zero() || self.compare(&least).is_ge() && self.magnitude() < self.width.scientific_scalar()
    }
}

/// Where the digits end.
#[derive(Clone, Copy)]
pub(super) enum Cut {
    /// Where they tell the number from its neighbours.
    Shortest,
    /// There too, but with so many digits behind the point at least, and at most.
    Fraction { least: usize, most: usize },
    /// The same, the first digit counted as well.
    Total { least: usize, most: usize },
}

/// Decimal digits; the first stands for units of `10^exponent`.
pub(super) struct Digits {
    pub(super) digits: Vec<u8>,
    pub(super) exponent: i32,
}

impl Real {
    /// Digits as NumPy's Dragon4 makes them: Steele and White's, in the form of Burger and Dybvig, "Printing
    /// Floating-Point Numbers Quickly and Accurately", figure 3. Ties go to the even digit.
    pub(super) fn digits(&self, cut: Cut) -> Digits {
        if self.is_zero() {
            return Digits { digits: vec![0], exponent: 0 };
        }
        let Scaled { mut rest, mut one, mut below, mut above, mut power } = self.scaled();
        if let Cut::Fraction { most, .. } = cut
            && power < 1 - most as i32
        {
            one.multiply_by_power_of_ten((1 - most as i32 - power) as u32);
            power = 1 - most as i32;
        }
        // The places of the last digit: the first that may be it, and the one that must.
        let (may, must) = match cut {
            Cut::Shortest => (power, None),
            Cut::Fraction { least, most } => (power.min(-(least as i32)), Some(-(most as i32))),
            Cut::Total { least, most } => (power - least as i32, Some(power - most as i32)),
        };
        let even = self.mantissa.is_multiple_of(2);
        let mut found = Digits { digits: Vec::new(), exponent: power - 1 };
        let mut place = power;
        loop {
            place -= 1;
            for number in [&mut rest, &mut below, &mut above] {
                number.multiply(10);
            }
            let mut digit = 0;
            while rest >= one {
                rest.subtract(&one);
                digit += 1;
            }
            let sum = rest.plus(&above);
            let (down, up) = if even { (rest <= below, sum >= one) } else { (rest < below, sum > one) };
            if !((down || up) && place <= may || Some(place) == must) {
                found.digits.push(digit);
                continue;
            }
            let round_up = if down != up {
                up
            } else {
                rest.multiply(2);
                match rest.cmp(&one) {
                    Ordering::Less => false,
                    Ordering::Equal => digit % 2 == 1,
                    Ordering::Greater => true,
                }
            };
            found.digits.push(digit);
            if round_up {
                found.increment();
            }
            return found;
        }
    }

    /// The number as `rest / one` below 1, times a power of ten.
    fn scaled(&self) -> Scaled {
        // Times 4, so that a quarter of the distance to the next number is a natural number as well.
        let scale = |value: u64, power: i32| {
            let mut number = Natural::new(value);
            number.shift_left(power.max(0) as u32);
            number
        };
        let mut rest = scale(self.mantissa, self.exponent + 2);
        let mut one = scale(4, -self.exponent);
        if self.exponent < 0 {
            rest = scale(self.mantissa, 2);
        }
        let mut above = scale(2, self.exponent);
        let mut below = if self.narrow_below { scale(1, self.exponent) } else { above.clone() };
        let mut power = (f64::from(self.log2()) * std::f64::consts::LOG10_2).floor() as i32;
        one.multiply_by_power_of_ten(power.max(0) as u32);
        for number in [&mut rest, &mut below, &mut above] {
            number.multiply_by_power_of_ten((-power).max(0) as u32);
        }
        while rest >= one {
            one.multiply(10);
            power += 1;
        }
        Scaled { rest, one, below, above, power }
    }
}

struct Scaled {
    rest: Natural,
    one: Natural,
    /// Half the distance to the next number, in the same unit.
    below: Natural,
    above: Natural,
    power: i32,
}

impl Digits {
    /// Adds one in the last place.
    fn increment(&mut self) {
        while self.digits.last() == Some(&9) {
            self.digits.pop();
        }
        match self.digits.last_mut() {
            Some(digit) => *digit += 1,
            None => {
                self.digits.push(1);
                self.exponent += 1;
            }
        }
    }
}
