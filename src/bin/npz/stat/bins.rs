//! Histograms: bins of equal width between the least and the greatest, as `np.histogram` makes them.

use npzmap::Kind;

use super::column::Column;
use super::figures::Scratch;

/// The borders of the bins. What is beyond them, or NaN, is in none.
pub(crate) struct Bins {
    /// Times `scale`, so that the distance of the farthest two is a number.
    edges: Vec<f64>,
    scale: f64,
}

impl Bins {
    /// So many, of numbers from `least` to `most`. A range without width gets one, as NumPy does it.
    pub(crate) fn new(least: f64, most: f64, count: usize) -> Self {
        const QUARTER: f64 = 0.25;
        let scale = if (most - least).is_finite() { 1.0 } else { QUARTER };
        let (mut low, mut high) = (least * scale, most * scale);
        if low == high {
            // Half a unit is nothing to large numbers.
            let half = f64::max(0.5, low.abs() * 2_f64.powi(-20));
            (low, high) = ((low - half).max(f64::MIN), (high + half).min(f64::MAX));
        }
        let step = (high - low) / count as f64;
        let mut edges: Vec<f64> = (0..=count).map(|index| index as f64 * step + low).collect();
        if let Some(last) = edges.last_mut() {
            *last = high;
        }
        Bins { edges, scale }
    }

    pub(crate) fn len(&self) -> usize {
        self.edges.len() - 1
    }

    pub(crate) fn edges(&self) -> impl Iterator<Item = f64> {
        self.edges.iter().map(|edge| edge / self.scale)
    }

    fn count(&self, values: impl Iterator<Item = f64>, counts: &mut [u64]) {
        let (Some(low), Some(high)) = (self.edges.first(), self.edges.last()) else { return };
        let last = self.len() - 1;
        let (width, length) = (high - low, self.len() as f64);
        // A product is faster than a quotient; of the smallest numbers it is not one.
        let per_unit = Some(length / width).filter(|per_unit| per_unit.is_finite());
        let edge = |index: usize| self.edges.get(index).copied().unwrap_or(*high);
        for value in values {
            let value = value * self.scale;
            if !(value >= *low && value <= *high) {
                continue;
            }
            let place = match per_unit {
                Some(per_unit) => (value - low) * per_unit,
                None => (value - low) / width * length,
            };
            let mut index = (place as usize).min(last);
            // That was rounded; the borders decide.
            if index > 0 && value < edge(index) {
                index -= 1;
            } else if index < last && value >= edge(index + 1) {
                index += 1;
            }
            if let Some(count) = counts.get_mut(index) {
                *count += 1;
            }
        }
    }

    /// Counts the elements of items.
    pub(crate) fn add(&self, column: &Column, items: &[u8], scratch: &mut Scratch, counts: &mut [u64]) {
        let Scratch { picked, reals, wholes } = scratch;
        for bytes in column.pieces(items, picked) {
            match column.scalar.kind() {
                Kind::Float | Kind::Void => {
                    column.reals(bytes, reals);
                    self.count(reals.iter().copied(), counts);
                }
                Kind::Complex => {
                    column.reals(bytes, reals);
                    let (pairs, _) = reals.as_chunks();
                    self.count(pairs.iter().map(|[re, im]: &[f64; 2]| re.hypot(*im)), counts);
                }
                kind => {
                    column.wholes(bytes, wholes);
                    let dates = matches!(kind, Kind::Datetime | Kind::Timedelta);
                    let there = wholes.iter().filter(|value| !dates || **value != i64::MIN);
                    match column.bias() {
                        0 => self.count(there.map(|value| *value as f64), counts),
                        _ => self.count(there.map(|value| (*value ^ i64::MIN) as u64 as f64), counts),
                    }
                }
            }
        }
    }
}

/// A bar of one character for each bin; the fullest is the highest, and an empty one has none.
pub(crate) fn sparkline(counts: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| match count {
        0 => ' ',
        count => {
            let height = (u128::from(*count) * 8).div_ceil(u128::from(most)) as usize;
            BARS.get(height - 1).copied().unwrap_or('█')
        }
    };
    counts.iter().map(bar).collect()
}
