//! The figures of each kind of elements, of one block or of many.

use std::collections::BTreeSet;

use npzmap::{Kind, Scalar};

use super::column::Column;
use super::moments::{Moments, are_finite, extremes};

/// Memory for the numbers of a block.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) picked: Vec<u8>,
    pub(crate) reals: Vec<f64>,
    pub(crate) wholes: Vec<i64>,
}

pub(super) enum Figures {
    Reals(Reals),
    Complex(Complex),
    Wholes(Wholes),
    Texts(Texts),
    /// Bytes of no kind have none.
    Opaque,
}

/// Floats. Moments, least and greatest are those of the finite ones.
#[derive(Default)]
pub(super) struct Reals {
    pub(super) moments: Moments,
    pub(super) range: Option<(f64, f64)>,
    pub(super) nan: u64,
    pub(super) positive: u64,
    pub(super) negative: u64,
    pub(super) zeros: u64,
    /// Long doubles that f64 cannot hold.
    pub(super) beyond: u64,
}

/// Complex numbers: those with a part that is NaN are NaN, else those with an infinite part infinite.
#[derive(Default)]
pub(super) struct Complex {
    pub(super) re: Moments,
    pub(super) im: Moments,
    /// Of the absolute values.
    pub(super) range: Option<(f64, f64)>,
    pub(super) nan: u64,
    pub(super) infinite: u64,
    pub(super) zeros: u64,
    pub(super) beyond: u64,
}

/// Integers, bools, and the counts of dates and times.
#[derive(Default)]
pub(super) struct Wholes {
    pub(super) count: u64,
    pub(super) range: Option<(i128, i128)>,
    pub(super) sum: i128,
    pub(super) squares: f64,
    pub(super) zeros: u64,
    /// Dates and times that are none.
    pub(super) nat: u64,
}

#[derive(Default)]
pub(super) struct Texts {
    pub(super) count: u64,
    pub(super) empty: u64,
    /// Lengths, in characters or bytes.
    pub(super) lengths: Option<(usize, usize)>,
    /// The first and the last, as NumPy sorts them.
    pub(super) range: Option<(Vec<u32>, Vec<u32>)>,
    pub(super) distinct: Distinct,
}

/// The texts that there are, while they are few.
pub(super) enum Distinct {
    Few { texts: BTreeSet<Vec<u32>>, characters: usize },
    Many,
}

impl Default for Distinct {
    fn default() -> Self {
        Distinct::Few { texts: BTreeSet::new(), characters: 0 }
    }
}

impl Figures {
    pub(super) fn none(column: &Column) -> Self {
        match column.scalar.kind() {
            Kind::Float => Figures::Reals(Reals::default()),
            Kind::Void if column.bf16 => Figures::Reals(Reals::default()),
            Kind::Complex => Figures::Complex(Complex::default()),
            Kind::Bool | Kind::Int | Kind::UInt | Kind::Datetime | Kind::Timedelta => {
                Figures::Wholes(Wholes::default())
            }
            Kind::Str | Kind::Bytes if column.scalar.item_size() <= Texts::LONGEST => Figures::Texts(Texts::default()),
            _ => Figures::Opaque,
        }
    }

    /// Those of the items of one block.
    pub(super) fn of(column: &Column, items: &[u8], scratch: &mut Scratch) -> Self {
        let Scratch { picked, reals, wholes } = scratch;
        if let (0, Figures::Texts(_)) = (column.scalar.item_size(), Figures::none(column)) {
            return Figures::Texts(Texts::empty(column.count_in(items)));
        }
        let mut pieces = column.pieces(items, picked).map(|bytes| Figures::of_piece(column, bytes, reals, wholes));
        let mut figures = pieces.next().unwrap_or_else(|| Figures::none(column));
        pieces.for_each(|next| figures.merge(next));
        figures
    }

    fn of_piece(column: &Column, bytes: &[u8], reals: &mut Vec<f64>, wholes: &mut Vec<i64>) -> Self {
        match Figures::none(column) {
            Figures::Reals(_) => {
                let beyond = column.reals(bytes, reals);
                Figures::Reals(Reals { beyond, ..Reals::of(reals) })
            }
            Figures::Complex(_) => {
                let beyond = column.reals(bytes, reals);
                Figures::Complex(Complex { beyond, ..Complex::of(reals) })
            }
            Figures::Wholes(_) => {
                column.wholes(bytes, wholes);
                let dates = matches!(column.scalar.kind(), Kind::Datetime | Kind::Timedelta);
                Figures::Wholes(Wholes::of(wholes, column.bias(), dates))
            }
            Figures::Texts(_) => Figures::Texts(Texts::of(bytes, &column.scalar)),
            Figures::Opaque => Figures::Opaque,
        }
    }

    pub(super) fn merge(&mut self, next: Figures) {
        match (self, next) {
            (Figures::Reals(this), Figures::Reals(next)) => {
                this.moments.merge(&next.moments);
                this.range = widest(this.range, next.range);
                this.nan += next.nan;
                this.positive += next.positive;
                this.negative += next.negative;
                this.zeros += next.zeros;
                this.beyond += next.beyond;
            }
            (Figures::Complex(this), Figures::Complex(next)) => {
                this.re.merge(&next.re);
                this.im.merge(&next.im);
                this.range = widest(this.range, next.range);
                this.nan += next.nan;
                this.infinite += next.infinite;
                this.zeros += next.zeros;
                this.beyond += next.beyond;
            }
            (Figures::Wholes(this), Figures::Wholes(next)) => this.merge(&next),
            (Figures::Texts(this), Figures::Texts(next)) => this.merge(next),
            _ => {}
        }
    }
}

fn widest<T: PartialOrd>(a: Option<(T, T)>, b: Option<(T, T)>) -> Option<(T, T)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((if b.0 < a.0 { b.0 } else { a.0 }, if b.1 > a.1 { b.1 } else { a.1 })),
        (a, b) => a.or(b),
    }
}

impl Reals {
    fn of(values: &mut Vec<f64>) -> Self {
        let mut reals = Reals::default();
        if !are_finite(values) {
            values.retain(|value| {
                reals.nan += u64::from(value.is_nan());
                reals.positive += u64::from(*value == f64::INFINITY);
                reals.negative += u64::from(*value == f64::NEG_INFINITY);
                value.is_finite()
            });
        }
        reals.zeros = values.iter().map(|value| u64::from(*value == 0.0)).sum();
        reals.range = extremes(values);
        reals.moments = Moments::of(values);
        reals
    }
}

impl Complex {
    fn of(parts: &[f64]) -> Self {
        let mut complex = Complex::default();
        let (mut res, mut ims, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for &[re, im] in parts.as_chunks().0 {
            match () {
                () if re.is_nan() || im.is_nan() => complex.nan += 1,
                () if re.is_infinite() || im.is_infinite() => complex.infinite += 1,
                () => {
                    complex.zeros += u64::from(re == 0.0 && im == 0.0);
                    res.push(re);
                    ims.push(im);
                    sizes.push(re.hypot(im));
                }
            }
        }
        (complex.re, complex.im) = (Moments::of(&res), Moments::of(&ims));
        complex.range = extremes(&sizes);
        complex
    }

    /// As NumPy has it: the root of the mean of the squared distances from the mean.
    pub(super) fn std(&self) -> Option<f64> {
        Some(self.re.std()?.hypot(self.im.std()?))
    }
}

impl Wholes {
    fn of(values: &mut Vec<i64>, bias: i128, dates: bool) -> Self {
        let mut nat = 0;
        if dates {
            let all = values.len();
            values.retain(|value| *value != i64::MIN);
            nat = (all - values.len()) as u64;
        }
        let (Some(least), Some(most)) = (values.iter().min(), values.iter().max()) else {
            return Wholes { nat, ..Wholes::default() };
        };
        let count = values.len() as u64;
        // Halves of 32 bits: the sums of one block's fit.
        let high: i64 = values.iter().map(|value| value >> 32).sum();
        let low: i64 = values.iter().map(|value| value & 0xffff_ffff).sum();
        let sum = (i128::from(high) << 32) + i128::from(low);
        // Distances from about the mean are exact where numbers themselves are too long for f64.
        let middle = (sum / i128::from(count)) as i64;
        let (mut squares, mut rest) = (0.0, 0.0);
        let mut take = |distance: f64| {
            squares += distance * distance;
            rest += distance;
        };
        match most.checked_sub(*least) {
            Some(_) => values.iter().for_each(|value| take((value - middle) as f64)),
            None => values.iter().for_each(|value| take((i128::from(*value) - i128::from(middle)) as f64)),
        }
        let zero = (-bias) as i64;
        Wholes {
            count,
            range: Some((i128::from(*least) + bias, i128::from(*most) + bias)),
            sum: sum + bias * i128::from(count),
            squares: (squares - rest * rest / count as f64).max(0.0),
            zeros: values.iter().map(|value| u64::from(*value == zero)).sum(),
            nat,
        }
    }

    fn merge(&mut self, next: &Wholes) {
        self.nat += next.nat;
        if let (Some((whole, part)), Some((next_whole, next_part))) = (self.parts(), next.parts()) {
            let distance = (next_whole - whole) as f64 + (next_part - part);
            let (count, next_count) = (self.count as f64, next.count as f64);
            self.squares += next.squares + distance * distance * (count * (next_count / (count + next_count)));
        } else {
            self.squares += next.squares;
        }
        self.count += next.count;
        self.range = widest(self.range, next.range);
        self.sum += next.sum;
        self.zeros += next.zeros;
    }

    /// The mean: the integer below it, and the rest.
    fn parts(&self) -> Option<(i128, f64)> {
        let count = i128::from(self.count);
        let whole = self.sum.checked_div_euclid(count)?;
        Some((whole, self.sum.rem_euclid(count) as f64 / self.count as f64))
    }

    pub(super) fn mean(&self) -> Option<f64> {
        self.parts().map(|(whole, part)| whole as f64 + part)
    }

    /// The nearest integer below the mean.
    pub(super) fn floor(&self) -> Option<i128> {
        self.parts().map(|(whole, _)| whole)
    }

    pub(super) fn std(&self) -> Option<f64> {
        (self.count > 0).then(|| (self.squares / self.count as f64).sqrt())
    }
}

impl Texts {
    /// Longer ones have no figures: the first and the last would be held, as numbers.
    const LONGEST: usize = 16 << 20;

    /// Those of so many that have no bytes.
    pub(super) fn empty(count: u64) -> Self {
        let mut texts = Texts::default();
        if count > 0 {
            texts.add(&[]);
            (texts.count, texts.empty) = (count, count);
        }
        texts
    }

    fn of(bytes: &[u8], scalar: &Scalar) -> Self {
        let mut texts = Texts::default();
        let mut codes = Vec::new();
        for text in bytes.chunks_exact(scalar.item_size().max(1)) {
            codes.clear();
            match scalar.kind() {
                Kind::Str => codes.extend(text.chunks_exact(4).map(|code| crate::text::integer(code, scalar) as u32)),
                _ => codes.extend(text.iter().map(|byte| u32::from(*byte))),
            }
            // NumPy pads with zeros, and takes those at the end for padding.
            codes.truncate(codes.iter().rposition(|code| *code != 0).map_or(0, |last| last + 1));
            texts.add(&codes);
        }
        texts
    }

    fn add(&mut self, codes: &[u32]) {
        self.count += 1;
        self.empty += u64::from(codes.is_empty());
        let length = codes.len();
        self.lengths = widest(self.lengths, Some((length, length)));
        self.span(codes, codes);
        self.distinct.add(codes);
    }

    fn span(&mut self, least: &[u32], most: &[u32]) {
        match &mut self.range {
            None => self.range = Some((least.to_vec(), most.to_vec())),
            Some((first, last)) => {
                if least < &**first {
                    *first = least.to_vec();
                }
                if most > &**last {
                    *last = most.to_vec();
                }
            }
        }
    }

    fn merge(&mut self, next: Texts) {
        self.count += next.count;
        self.empty += next.empty;
        self.lengths = widest(self.lengths, next.lengths);
        if let Some((least, most)) = &next.range {
            self.span(least, most);
        }
        match next.distinct {
            Distinct::Many => self.distinct = Distinct::Many,
            Distinct::Few { texts, .. } => texts.iter().for_each(|text| self.distinct.add(text)),
        }
    }
}

impl Distinct {
    /// More, or longer ones together, are not counted.
    pub(super) const MOST: usize = 1024;
    const CHARACTERS: usize = 1 << 16;

    fn add(&mut self, text: &[u32]) {
        let Distinct::Few { texts, characters } = self else { return };
        if texts.contains(text) {
            return;
        }
        *characters += text.len();
        if texts.len() == Distinct::MOST || *characters > Distinct::CHARACTERS {
            *self = Distinct::Many;
        } else {
            texts.insert(text.to_vec());
        }
    }
}
