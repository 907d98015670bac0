//! Mean and standard deviation, block by block: each block in two passes, blocks merged in the order of the file.

/// Numbers that are summed before their sum is added with what it would lose.
const TOGETHER: usize = 128;
const LANES: usize = 8;

/// The squares of larger numbers might not fit, those of smaller ones vanish: they are scaled by a power of two.
const LARGE: f64 = 2.582e120; // 2^400
const SMALL: f64 = 3.873e-121; // 2^-400
const SCALE: i32 = 700;

/// Count, sum, and the sum of the squared distances from the mean, of finite numbers times `2^scale`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    pub(crate) count: u64,
    scale: i32,
    /// The sum, and what it has lost.
    sum: (f64, f64),
    squares: f64,
}

/// Lane by lane, so that it is the same for every machine and the compiler may do all lanes at once.
fn lanes(values: &[f64], each: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let (groups, rest) = values.as_chunks::<LANES>();
    for group in groups {
        for (sum, value) in sums.iter_mut().zip(group) {
            *sum += each(*value);
        }
    }
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum += each(*value);
    }
    sums.iter().sum()
}

/// Adds, and keeps what is lost (Knuth's TwoSum).
fn add((high, low): (f64, f64), value: f64) -> (f64, f64) {
    let sum = high + value;
    let part = sum - high;
    (sum, low + ((high - (sum - part)) + (value - part)))
}

/// The sum, and what it has lost: large numbers that cancel out leave the small ones.
fn sum(values: &[f64]) -> (f64, f64) {
    let mut sums = [(0.0, 0.0); LANES];
    let (groups, rest) = values.as_chunks::<LANES>();
    for group in groups {
        for (sum, value) in sums.iter_mut().zip(group) {
            *sum = add(*sum, *value);
        }
    }
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum = add(*sum, *value);
    }
    sums.into_iter().fold((0.0, 0.0), |(high, low), lane| {
        let (high, low) = add((high, low), lane.0);
        (high, low + lane.1)
    })
}

fn total(values: &[f64], each: impl Fn(f64) -> f64) -> (f64, f64) {
    values.chunks(TOGETHER).fold((0.0, 0.0), |sum, chunk| add(sum, lanes(chunk, &each)))
}

/// Whether all of them are finite.
pub(crate) fn are_finite(values: &[f64]) -> bool {
    // 0 times a number is 0, times anything else NaN.
    values.chunks(TOGETHER).all(|chunk| lanes(chunk, |value| value * 0.0) == 0.0)
}

/// The least and the greatest of finite numbers.
pub(crate) fn extremes(values: &[f64]) -> Option<(f64, f64)> {
    let first = *values.first()?;
    let (mut least, mut most) = ([first; LANES], [first; LANES]);
    let mut take = |group: &[f64]| {
        for ((least, most), value) in least.iter_mut().zip(&mut most).zip(group) {
            *least = if *value < *least { *value } else { *least };
            *most = if *value > *most { *value } else { *most };
        }
    };
    let (groups, rest) = values.as_chunks::<LANES>();
    groups.iter().for_each(|group| take(group));
    take(rest);
    Some((least.into_iter().fold(first, f64::min), most.into_iter().fold(first, f64::max)))
}

impl Moments {
    /// Those of one block.
    pub(crate) fn of(values: &[f64]) -> Self {
        let Some((least, most)) = extremes(values) else { return Moments::default() };
        let size = most.max(-least);
        let scale = match () {
            () if size > LARGE => -SCALE,
            () if size < SMALL => SCALE,
            () => return Moments::scaled(values, 0),
        };
        let factor = 2_f64.powi(scale);
        Moments::scaled(&values.iter().map(|value| value * factor).collect::<Vec<_>>(), scale)
    }

    fn scaled(values: &[f64], scale: i32) -> Self {
        let count = values.len() as f64;
        let sum = sum(values);
        let mean = (sum.0 + sum.1) / count;
        let squares = total(values, |value| (value - mean) * (value - mean));
        // What the rounding of the mean adds.
        let rest = total(values, |value| value - mean);
        let rest = rest.0 + rest.1;
        let squares = (squares.0 + squares.1 - rest * rest / count).max(0.0);
        Moments { count: values.len() as u64, scale, sum, squares }
    }

    fn rescaled(self, scale: i32) -> Self {
        let half = 2_f64.powi((scale - self.scale) / 2);
        let factor = |value: f64| value * half * half;
        let sum = (factor(self.sum.0), factor(self.sum.1));
        Moments { scale, sum, squares: factor(factor(self.squares)), ..self }
    }

    /// Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", (2.1).
    pub(crate) fn merge(&mut self, other: &Moments) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let scale = self.scale.min(other.scale);
        let (a, b) = (self.rescaled(scale), other.rescaled(scale));
        let (sum, low) = add(a.sum, b.sum.0);
        let distance = b.scaled_mean() - a.scaled_mean();
        let count = a.count + b.count;
        let weight = a.count as f64 * (b.count as f64 / count as f64);
        let squares = a.squares + b.squares + distance * distance * weight;
        *self = Moments { count, scale, sum: (sum, low + b.sum.1), squares };
    }

    fn scaled_mean(&self) -> f64 {
        (self.sum.0 + self.sum.1) / self.count as f64
    }

    /// None of no numbers.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.scaled_mean() * 2_f64.powi(-self.scale))
    }

    pub(crate) fn std(&self) -> Option<f64> {
        (self.count > 0).then(|| (self.squares / self.count as f64).sqrt() * 2_f64.powi(-self.scale))
    }
}
