//! Two arrays element by element, block by block: how many differ, and by how much.

use npzmap::{ByteOrder, Dtype, Header, Kind, NpyArray, Order, Scalar};
use serde_json::Value;

use crate::args::Reading;
use crate::elements::{Pull, in_c_order, is_c};
use crate::exit::Result;
use crate::input::{BLOCK, Entry};
use crate::json::number;
use crate::leaves::{Leaf, leaves, little};
use crate::progress::Progress;
use crate::show::real::{Real, Width};
use crate::text::{float, integer};

/// When two numbers count as equal: |a - b| <= atol + rtol * |b|, as in NumPy's `isclose`.
#[derive(Clone, Copy)]
pub(crate) struct Tolerance {
    pub(crate) relative: f64,
    pub(crate) absolute: f64,
    pub(crate) equal_nan: bool,
}

impl Tolerance {
    /// Whether numbers that differ by so much are close to each other.
    fn allows(&self, by: f64, scale: f64) -> bool {
        let allowed = self.absolute + self.relative * scale;
        // Long doubles can differ by less than an `f64` tells from 0.
        scale.is_finite() && by <= allowed && allowed > 0.0
    }
}

/// What the comparison of two arrays comes to.
#[derive(Clone, Default)]
pub(crate) struct Differences {
    pub(crate) elements: u64,
    /// Of whole numbers, exactly.
    whole: Option<i128>,
    absolute: Option<f64>,
    pub(crate) relative: Option<f64>,
}

impl Differences {
    /// The largest one: an integer where it is one.
    pub(crate) fn largest(&self) -> Option<Value> {
        match (self.absolute, self.whole) {
            (Some(absolute), Some(whole)) => Some(number(absolute.max(whole as f64))),
            (None, Some(whole)) => Some(u64::try_from(whole).map_or_else(|_| number(whole as f64), Value::from)),
            (absolute, _) => absolute.map(number),
        }
    }

    fn add(&mut self, by: By) {
        let (absolute, scale) = match by {
            By::Nothing => return,
            By::Whole { by, scale } => {
                self.whole = self.whole.max(Some(by));
                (by as f64, scale)
            }
            By::Real { by, scale } => {
                if !by.is_nan() {
                    self.absolute = Some(self.absolute.unwrap_or(0.0).max(by));
                }
                (by, scale)
            }
        };
        let relative = absolute / scale;
        if !relative.is_nan() && scale > 0.0 {
            self.relative = Some(self.relative.unwrap_or(0.0).max(relative));
        }
    }
}

/// By how much two scalars differ, and the size of the second.
enum By {
    Nothing,
    Whole { by: i128, scale: f64 },
    Real { by: f64, scale: f64 },
}

/// Whether elements of these dtypes can be compared.
pub(crate) fn comparable(a: &Dtype, b: &Dtype) -> bool {
    let is_number = |kind| matches!(kind, Kind::Bool | Kind::Int | Kind::UInt | Kind::Float | Kind::Complex);
    match (a.as_scalar(), b.as_scalar()) {
        _ if a == b => true,
        (Some(a), Some(b)) if is_number(a.kind()) && is_number(b.kind()) => {
            (a.kind() == Kind::Complex) == (b.kind() == Kind::Complex)
        }
        (Some(a), Some(b)) => a.kind() == b.kind() && a.unit() == b.unit() && a.kind() != Kind::Void,
        _ => false,
    }
}

/// Compares arrays of equal shape and comparable dtypes.
pub(crate) fn compare(
    (a, array_a): (&Entry<'_>, &NpyArray<'_>),
    (b, array_b): (&Entry<'_>, &NpyArray<'_>),
    reading: &Reading,
    tolerance: Tolerance,
    progress: &Progress,
) -> Result<Differences> {
    let (header_a, header_b) = (array_a.header(), array_b.header());
    let (size_a, size_b) = (header_a.dtype().item_size(), header_b.dtype().item_size());
    // An item of each is held.
    reading.check(&a.key(), size_a.saturating_add(size_b))?;
    let items = (BLOCK / size_a.max(size_b).max(1)).clamp(1, header_a.count().max(1));
    let blocks = &mut (a.zeroed(items * size_a)?, b.zeroed(items * size_b)?);
    let mut run = |a: &mut dyn Pull, b: &mut dyn Pull| pairs((header_a, a), (header_b, b), blocks, tolerance, progress);
    let both = header_a.order() == Order::Fortran && header_b.order() == Order::Fortran;
    if both || (is_c(header_a) && is_c(header_b)) {
        // The same order: as they lie.
        return run(&mut array_a.reader()?, &mut array_b.reader()?);
    }
    in_c_order(a, array_a, reading, |a| in_c_order(b, array_b, reading, |b| run(a, b)))
}

fn pairs(
    (header_a, a): (&Header, &mut dyn Pull),
    (header_b, b): (&Header, &mut dyn Pull),
    (block_a, block_b): &mut (Vec<u8>, Vec<u8>),
    tolerance: Tolerance,
    progress: &Progress,
) -> Result<Differences> {
    let (size_a, size_b) = (header_a.dtype().item_size(), header_b.dtype().item_size());
    let mut differences = Differences::default();
    let mut left = header_a.count();
    if size_a == 0 || size_b == 0 {
        return Ok(differences);
    }
    let items = block_a.len() / size_a;
    let pairs: Vec<_> = leaves(header_a.dtype()).into_iter().zip(leaves(header_b.dtype())).collect();
    let same = header_a.dtype() == header_b.dtype();
    while left > 0 {
        let items = items.min(left);
        let (block_a, block_b) = (&mut block_a[..items * size_a], &mut block_b[..items * size_b]);
        a.pull(block_a)?;
        b.pull(block_b)?;
        progress.add(block_a.len() as u64);
        left -= items;
        // The same bytes are the same values, but for NaN.
        if same && block_a == block_b && (tolerance.equal_nan || !has_nan(block_a, size_a, &pairs)) {
            continue;
        }
        if let (true, Some(scalar)) = (same, header_a.dtype().as_scalar())
            && floats(block_a, block_b, scalar, tolerance, &mut differences)
        {
            continue;
        }
        for (item_a, item_b) in block_a.chunks_exact(size_a).zip(block_b.chunks_exact(size_b)) {
            let mut differs = false;
            for (leaf_a, leaf_b) in &pairs {
                for (range_a, range_b) in leaf_a.ranges().zip(leaf_b.ranges()) {
                    let by = differ(&item_a[range_a], &leaf_a.scalar, &item_b[range_b], &leaf_b.scalar, tolerance);
                    if let Some(by) = by {
                        differs = true;
                        differences.add(by);
                    }
                }
            }
            differences.elements += u64::from(differs);
        }
    }
    Ok(differences)
}

/// What most arrays hold, as fast as it can be read. Whether it was that.
fn floats(a: &[u8], b: &[u8], scalar: &Scalar, tolerance: Tolerance, differences: &mut Differences) -> bool {
    let is_big = scalar.byte_order() == ByteOrder::Big;
    match (scalar.kind(), scalar.item_size(), is_big) {
        (Kind::Float, 4, false) => each(a, b, |x| f32::from_le_bytes(x).into(), tolerance, differences),
        (Kind::Float, 4, true) => each(a, b, |x| f32::from_be_bytes(x).into(), tolerance, differences),
        (Kind::Float, 8, false) => each(a, b, f64::from_le_bytes, tolerance, differences),
        (Kind::Float, 8, true) => each(a, b, f64::from_be_bytes, tolerance, differences),
        _ => return false,
    }
    true
}

fn each<const N: usize>(
    a: &[u8],
    b: &[u8],
    number: impl Fn([u8; N]) -> f64,
    tolerance: Tolerance,
    differences: &mut Differences,
) {
    for (a, b) in a.as_chunks::<N>().0.iter().zip(b.as_chunks::<N>().0) {
        let (a, b) = (number(*a), number(*b));
        if a == b {
            continue;
        }
        if let Some(by) = reals(a, b, tolerance) {
            differences.elements += 1;
            differences.add(by);
        }
    }
}

fn reals(a: f64, b: f64, tolerance: Tolerance) -> Option<By> {
    floats_differ(Number::from(a), Number::from(b), tolerance)
}

fn floats_differ(a: Number, b: Number, tolerance: Tolerance) -> Option<By> {
    match (a.is_nan(), b.is_nan()) {
        (true, true) if tolerance.equal_nan => return None,
        (false, false) => {}
        _ => return Some(By::Nothing),
    }
    let (by, scale) = (a.distance(&b), b.high.abs());
    (!a.equals(&b) && !tolerance.allows(by, scale)).then_some(By::Real { by, scale })
}

/// A real number: an `f64`, or a long double as a sum of two.
#[derive(Clone, Copy)]
struct Number {
    high: f64,
    low: f64,
    /// Beyond the range of an `f64` the sum does not tell it.
    long: Option<Real>,
}

impl From<f64> for Number {
    fn from(high: f64) -> Self {
        Number { high, low: 0.0, long: None }
    }
}

impl Number {
    fn of(bytes: &[u8], order: ByteOrder) -> Self {
        match float(bytes, order) {
            Some(number) => number.into(),
            None => {
                let real = Real::new(u128::from_le_bytes(little(bytes, order)), Width::Long);
                let (high, low) = real.sum();
                Number { high, low, long: Some(real) }
            }
        }
    }

    fn is_nan(&self) -> bool {
        self.high.is_nan()
    }

    fn equals(&self, other: &Number) -> bool {
        match (&self.long, &other.long) {
            (None, None) => self.high == other.high,
            _ => self.real().equals(&other.real()),
        }
    }

    fn real(&self) -> Real {
        self.long.unwrap_or_else(|| Real::new(self.high.to_bits().into(), Width::Double))
    }

    fn distance(&self, other: &Number) -> f64 {
        ((self.high - other.high) + (self.low - other.low)).abs()
    }

    /// The integer that it is, where it is one: exactly, also where other floats are far between.
    fn whole(&self) -> Option<i128> {
        const EXACT: f64 = 1e30; // in an i128
        let is_whole = |part: f64| part.abs() < EXACT && part.fract() == 0.0;
        (is_whole(self.high) && is_whole(self.low)).then(|| self.high as i128 + self.low as i128)
    }
}

fn has_nan(block: &[u8], size: usize, leaves: &[(Leaf, Leaf)]) -> bool {
    let nan_able =
        |leaf: &Leaf| matches!(leaf.scalar.kind(), Kind::Float | Kind::Complex | Kind::Datetime | Kind::Timedelta);
    leaves.iter().filter(|(leaf, _)| nan_able(leaf)).any(|(leaf, _)| {
        block.chunks_exact(size).any(|item| leaf.ranges().any(|range| is_nan(&item[range], &leaf.scalar)))
    })
}

fn is_nan(bytes: &[u8], scalar: &Scalar) -> bool {
    let order = scalar.byte_order();
    match scalar.kind() {
        Kind::Float => Number::of(bytes, order).is_nan(),
        Kind::Complex => bytes.chunks(bytes.len() / 2).any(|part| Number::of(part, order).is_nan()),
        Kind::Datetime | Kind::Timedelta => integer(bytes, scalar) == i64::MIN.into(),
        _ => false,
    }
}

/// By how much two scalars differ, if they do.
fn differ(a: &[u8], scalar_a: &Scalar, b: &[u8], scalar_b: &Scalar, tolerance: Tolerance) -> Option<By> {
    let nan = (is_nan(a, scalar_a), is_nan(b, scalar_b));
    match nan {
        (true, true) if tolerance.equal_nan => return None,
        (false, false) => {}
        _ => return Some(By::Nothing),
    }
    // Two floats are compared as floats.
    let floats = scalar_a.kind() == Kind::Float && scalar_b.kind() == Kind::Float;
    if !floats && let (Some(a), Some(b)) = (whole(a, scalar_a), whole(b, scalar_b)) {
        let (by, scale) = ((a - b).abs(), b.abs() as f64);
        return (by != 0 && !tolerance.allows(by as f64, scale)).then_some(By::Whole { by, scale });
    }
    if let (Some(a), Some(b)) = (real(a, scalar_a), real(b, scalar_b)) {
        return floats_differ(a, b, tolerance);
    }
    if let (Some((re_a, im_a)), Some((re_b, im_b))) = (complex(a, scalar_a), complex(b, scalar_b)) {
        let (by, scale) = (re_a.distance(&re_b).hypot(im_a.distance(&im_b)), re_b.high.hypot(im_b.high));
        let same = re_a.equals(&re_b) && im_a.equals(&im_b);
        return (!same && !tolerance.allows(by, scale)).then_some(By::Real { by, scale });
    }
    let same = match scalar_a.kind() {
        Kind::Str => codes(a, scalar_a).eq(codes(b, scalar_b)),
        Kind::Bytes => trimmed(a) == trimmed(b),
        _ => a == b,
    };
    (!same).then_some(By::Nothing)
}

fn whole(bytes: &[u8], scalar: &Scalar) -> Option<i128> {
    match scalar.kind() {
        Kind::Bool | Kind::Int | Kind::UInt | Kind::Datetime | Kind::Timedelta => Some(integer(bytes, scalar)),
        Kind::Float => Number::of(bytes, scalar.byte_order()).whole(),
        _ => None,
    }
}

fn real(bytes: &[u8], scalar: &Scalar) -> Option<Number> {
    match scalar.kind() {
        Kind::Float => Some(Number::of(bytes, scalar.byte_order())),
        Kind::Bool | Kind::Int | Kind::UInt => Some(Number::from(integer(bytes, scalar) as f64)),
        _ => None,
    }
}

fn complex(bytes: &[u8], scalar: &Scalar) -> Option<(Number, Number)> {
    let (re, im) = bytes.split_at(bytes.len() / 2);
    let part = |bytes| Number::of(bytes, scalar.byte_order());
    (scalar.kind() == Kind::Complex).then(|| (part(re), part(im)))
}

/// The characters of a string, without the NULs that fill it up.
fn codes<'a>(bytes: &'a [u8], scalar: &'a Scalar) -> impl Iterator<Item = i128> {
    let code = move |code: &'a [u8]| integer(code, scalar);
    let length = bytes.chunks_exact(4).rposition(|code| code != [0; 4]).map_or(0, |last| last + 1);
    bytes.chunks_exact(4).take(length).map(code)
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
}
