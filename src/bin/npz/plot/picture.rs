//! What is drawn, whatever it is drawn on: made from the elements, in as many pieces as there is room for.

use std::io::Read;

use npzmap::{Dtype, Kind, NpyArray, Order};

use crate::exit::{Code, Failure, Result};
use crate::input::zeroed;
use crate::progress::Progress;
use crate::stat::{Bins, Column, Scratch, extremes, general, rounded};

/// The values of a picture, and what has to be said about them.
pub(super) struct Picture {
    pub(super) data: Data,
    /// What the picture leaves out, and what was left out of it.
    pub(super) notes: Vec<String>,
    /// Of the values.
    pub(super) scale: Scale,
}

impl Picture {
    fn new(data: Data, mut notes: Vec<String>) -> Self {
        let scale = match &data {
            Data::Bars { edges, .. } => extremes(edges).map(Scale::of),
            Data::Line { range, .. } | Data::Cells { range, .. } => Some(Scale::of(*range)),
            Data::Pixels { .. } => None,
        };
        let scale = scale.unwrap_or(Scale { offset: 0.0, unit: 1.0 });
        if scale.offset != 0.0 {
            notes.push(format!("scale: + {}", format!("{:?}", scale.offset).trim_end_matches(".0")));
        }
        Picture { data, notes, scale }
    }
}

/// Numbers of an axis, which tell its ends apart: of values that are close together, what they are above one of them.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    offset: f64,
    /// A power of ten: plotters' axes are for numbers around 1.
    unit: f64,
}

impl Scale {
    fn of((least, most): (f64, f64)) -> Self {
        const CLOSE: f64 = 1e-4;
        // Halves: the distance of huge numbers would not be one.
        let (half, size) = (most / 2.0 - least / 2.0, f64::max(most.abs(), least.abs()));
        let power = |value: f64| value.log10().floor().clamp(-307.0, 308.0) as i32;
        let offset = if half > 0.0 && half / size < CLOSE / 2.0 && size > f64::MIN_POSITIVE / CLOSE {
            let step = 10_f64.powi(power(half * 2.0) + 1);
            // Not where a value would be none any more.
            Some((least / step).floor() * step).filter(|offset| offset.is_finite()).unwrap_or(0.0)
        } else {
            0.0
        };
        let width = if half > 0.0 { half } else { size };
        let unit = if width == 0.0 || (1e-6..1e15).contains(&width) { 1.0 } else { 10_f64.powi(power(width)) };
        Scale { offset, unit }
    }

    /// The place of a value on the axis.
    pub(super) fn place(&self, value: f64) -> f64 {
        (value - self.offset) / self.unit
    }

    /// The number that stands at a place.
    pub(super) fn number(&self, place: f64) -> String {
        // Zero is missed by what was rounded.
        let value = if place.abs() < 1e-12 { 0.0 } else { place * self.unit };
        if value.is_finite() { general(value) } else { String::new() }
    }

    /// What stands for a value where there is room for ten characters.
    pub(super) fn label(&self, value: f64) -> String {
        const ROOM: usize = 10;
        let labels = (3..=6).rev().map(|digits| rounded(value - self.offset, digits));
        labels.reduce(|label, shorter| if label.len() <= ROOM { label } else { shorter }).unwrap_or_default()
    }
}

pub(super) enum Data {
    /// Elements in each bin.
    Bars { edges: Vec<f64>, counts: Vec<u64> },
    /// The least and the greatest of each bucket of indices; none where all are NaN.
    Line { length: usize, buckets: Vec<Option<(f64, f64)>>, range: (f64, f64) },
    /// The mean of each block; none where all are NaN. Rows and columns are those of the array.
    Cells { shape: (usize, usize), grid: Grid<Option<f64>>, range: (f64, f64) },
    /// Red, green, blue, and how opaque.
    Pixels { shape: (usize, usize), grid: Grid<[u8; 4]> },
}

/// Rows of cells.
pub(super) struct Grid<T> {
    pub(super) columns: usize,
    pub(super) cells: Vec<T>,
}

impl<T: Copy> Grid<T> {
    pub(super) fn rows(&self) -> usize {
        self.cells.len() / self.columns.max(1)
    }

    pub(super) fn at(&self, row: usize, column: usize) -> Option<T> {
        self.cells.get(row * self.columns + column).copied().filter(|_| column < self.columns)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// How many elements are in each of a number of bins
    Histogram,
    /// Values over the index, for one dimension
    Line,
    /// Values as colours, for two dimensions
    Heatmap,
    /// Pixels: u8 of (h, w), (h, w, 3) or (h, w, 4)
    Image,
}

/// How many pieces there is room for.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) bins: usize,
}

/// Takes the number of the first value, and the values.
type Values<'w> = &'w mut dyn FnMut(usize, &[f64]);

/// Bytes that are looked at together.
const BLOCK: usize = 1 << 20;

/// Numbers of an array.
pub(super) struct Numbers<'a> {
    array: NpyArray<'a>,
    column: Column,
    shape: Vec<usize>,
}

impl<'a> Numbers<'a> {
    /// The words say why it has none.
    pub(super) fn new(array: NpyArray<'a>, bf16: bool) -> Result<Self, String> {
        let dtype = array.dtype();
        let scalar = match dtype {
            Dtype::Scalar(scalar) => *scalar,
            Dtype::Record(_) => return Err("records are not drawn; --field takes one of their fields".into()),
            _ => return Err(format!("{dtype} is not drawn")),
        };
        let column = Column::alone(scalar, bf16);
        match scalar.kind() {
            Kind::Bool | Kind::Int | Kind::UInt | Kind::Float | Kind::Complex | Kind::Timedelta => {}
            Kind::Datetime => {}
            Kind::Void if column.bf16 => {}
            Kind::Void if scalar.item_size() == 2 => {
                return Err(format!("{scalar} may be bfloat16; --bf16 takes it for that"));
            }
            _ => return Err(format!("{scalar} has no numbers to draw; `npz stat` has figures of it")),
        }
        let shape = array.shape().to_vec();
        Ok(Numbers { array, column, shape })
    }

    fn is_byte(&self) -> bool {
        (self.column.scalar.kind(), self.column.scalar.item_size()) == (Kind::UInt, 1)
    }

    pub(super) fn form(&self) -> Form {
        match self.shape[..] {
            [_, _] | [_, _, 3 | 4] if self.is_byte() => Form::Image,
            [_] => Form::Line,
            [_, _] => Form::Heatmap,
            _ => Form::Histogram,
        }
    }

    pub(super) fn picture(&self, form: Form, room: Room) -> Result<Picture> {
        let usage = |text: String| Err(Failure::new(Code::Usage, text));
        let shape = format!("{:?}", self.shape);
        if self.array.is_empty() {
            return usage(format!("there is nothing to draw in an array of shape {shape}"));
        }
        match (form, &self.shape[..]) {
            (Form::Histogram, _) => self.bars(room),
            (Form::Line, [length]) => self.line(*length, room),
            (Form::Line, _) => usage(format!("a line has one dimension, {shape} has others; a slice takes one")),
            (Form::Heatmap, [rows, columns]) => self.cells((*rows, *columns), room),
            (Form::Heatmap, _) => usage(format!("a heat map has two dimensions, not {shape}; a slice takes two")),
            (Form::Image, [rows, columns, rest @ ..]) if self.is_byte() && matches!(rest, [] | [3] | [4]) => {
                self.pixels((*rows, *columns), rest.first().copied().unwrap_or(1), room)
            }
            (Form::Image, _) => usage(format!(
                "an image is u8 of (h, w), (h, w, 3) or (h, w, 4), not {} of {shape}",
                self.column.scalar
            )),
        }
    }

    /// Lends the items block by block, with the number of the first, in the order of the array.
    fn blocks(&self, mut work: impl FnMut(usize, &[u8])) -> Result<()> {
        let item = self.array.dtype().item_size().max(1);
        let mut reader = self.array.reader()?;
        let progress = Progress::new([reader.left()]);
        let mut block = zeroed((BLOCK / item).max(1).min(self.array.len()) * item)?;
        let mut first = 0;
        while first < self.array.len() {
            let count = (self.array.len() - first).min(block.len() / item);
            let items = block.get_mut(..count * item).unwrap_or_default();
            reader.read_exact(items)?;
            work(first, items);
            progress.add(items.len() as u64);
            first += count;
        }
        Ok(())
    }

    /// The index along each axis of one element after the other, in the order of the array, from one on.
    fn indices(&self, mut first: usize) -> impl FnMut() -> [usize; 3] {
        let mut axes: Vec<(usize, usize)> = self.shape.iter().copied().take(3).enumerate().collect();
        if self.array.order() == Order::C {
            axes.reverse();
        }
        let mut next = [0; 3];
        for (axis, length) in &axes {
            next[*axis] = first % length;
            first /= length;
        }
        move || {
            let this = next;
            for (axis, length) in &axes {
                next[*axis] += 1;
                if next[*axis] < *length {
                    break;
                }
                next[*axis] = 0;
            }
            this
        }
    }

    /// Lends the values block by block, absolute ones of complex numbers; dates and times that are none are NaN.
    fn values(&self, work: Values<'_>) -> Result<()> {
        let (mut values, mut wholes) = (Vec::new(), Vec::new());
        let kind = self.column.scalar.kind();
        self.blocks(|first, items| {
            match kind {
                Kind::Float | Kind::Void => drop(self.column.reals(items, &mut values)),
                Kind::Complex => {
                    self.column.reals(items, &mut values);
                    let sizes = values.as_chunks::<2>().0.iter().map(|[re, im]| re.hypot(*im)).collect();
                    values = sizes;
                }
                _ => {
                    self.column.wholes(items, &mut wholes);
                    let bias = self.column.bias();
                    let dates = matches!(kind, Kind::Datetime | Kind::Timedelta);
                    values.clear();
                    values.extend(wholes.iter().map(|value| match value {
                        &i64::MIN if dates => f64::NAN,
                        value => (i128::from(*value) + bias) as f64,
                    }));
                }
            }
            work(first, &values);
        })
    }

    fn bars(&self, room: Room) -> Result<Picture> {
        let (mut range, mut left_out) = (None, 0_u64);
        self.values(&mut |_, values| {
            let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
            left_out += (values.len() - finite.len()) as u64;
            if let Some((least, most)) = extremes(&finite) {
                let (low, high) = range.unwrap_or((least, most));
                range = Some((f64::min(low, least), f64::max(high, most)));
            }
        })?;
        let (least, most) = range.ok_or_else(nothing_finite)?;
        let bins = Bins::new(least, most, room.bins);
        let mut counts = vec![0; room.bins];
        let mut scratch = Scratch::default();
        self.blocks(|_, items| bins.add(&self.column, items, &mut scratch, &mut counts))?;
        let mut notes = self.notes(left_out);
        notes.insert(0, format!("{} values in {} bins", counts.iter().sum::<u64>(), room.bins));
        Ok(Picture::new(Data::Bars { edges: bins.edges().collect(), counts }, notes))
    }

    fn notes(&self, left_out: u64) -> Vec<String> {
        let mut notes = Vec::new();
        match self.column.scalar.kind() {
            Kind::Complex => notes.push("absolute values".into()),
            Kind::Datetime | Kind::Timedelta => notes.push(format!("counts of {}", self.column.scalar)),
            _ => {}
        }
        if left_out > 0 {
            notes.push(format!("{left_out} NaN or infinite left out"));
        }
        notes
    }

    fn line(&self, length: usize, room: Room) -> Result<Picture> {
        let width = length.div_ceil(room.columns.max(1));
        let mut buckets: Vec<Option<(f64, f64)>> = vec![None; length.div_ceil(width)];
        let mut left_out = 0;
        self.values(&mut |start, values| {
            for (index, value) in values.iter().enumerate() {
                if !value.is_finite() {
                    left_out += 1;
                } else if let Some(bucket) = buckets.get_mut((start + index) / width) {
                    let (low, high) = bucket.unwrap_or((*value, *value));
                    *bucket = Some((low.min(*value), high.max(*value)));
                }
            }
        })?;
        let ranges = buckets.iter().flatten();
        let range = ranges.copied().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).ok_or_else(nothing_finite)?;
        let mut notes = self.notes(left_out);
        if width > 1 {
            notes.insert(0, format!("each column goes from the least to the greatest of {width}"));
        }
        Ok(Picture::new(Data::Line { length, buckets, range }, notes))
    }

    fn cells(&self, shape: (usize, usize), room: Room) -> Result<Picture> {
        let (tall, wide) = (shape.0.div_ceil(room.rows.max(1)), shape.1.div_ceil(room.columns.max(1)));
        let (rows, columns) = (shape.0.div_ceil(tall), shape.1.div_ceil(wide));
        let mut sums = vec![(0.0_f64, 0_u64); rows * columns];
        let mut left_out = 0;
        self.values(&mut |first, values| {
            let mut next = self.indices(first);
            for value in values {
                let [row, column, _] = next();
                if !value.is_finite() {
                    left_out += 1;
                } else if let Some((mean, count)) = sums.get_mut(row / tall * columns + column / wide) {
                    *count += 1;
                    // A sum of huge numbers would not be one.
                    *mean += value / *count as f64 - *mean / *count as f64;
                }
            }
        })?;
        let cells: Vec<Option<f64>> = sums.into_iter().map(|(mean, count)| (count > 0).then_some(mean)).collect();
        let finite: Vec<f64> = cells.iter().flatten().copied().collect();
        let range = extremes(&finite).ok_or_else(nothing_finite)?;
        let mut notes = self.notes(left_out);
        if tall * wide > 1 {
            notes.insert(0, format!("each cell is the mean of {tall} × {wide}"));
        }
        Ok(Picture::new(Data::Cells { shape, grid: Grid { columns, cells }, range }, notes))
    }

    fn pixels(&self, shape: (usize, usize), channels: usize, room: Room) -> Result<Picture> {
        let side = shape.0.div_ceil(room.rows.max(1)).max(shape.1.div_ceil(room.columns.max(1)));
        let (rows, columns) = (shape.0.div_ceil(side), shape.1.div_ceil(side));
        let mut sums = vec![([0_u64; 4], 0_u64); rows * columns];
        self.blocks(|first, items| {
            let mut next = self.indices(first);
            let (mut pixel, mut cell) = ([usize::MAX; 2], 0);
            for value in items {
                let [row, column, channel] = next();
                if pixel != [row, column] {
                    (pixel, cell) = ([row, column], row / side * columns + column / side);
                }
                if let Some((sum, count)) = sums.get_mut(cell) {
                    if let Some(sum) = sum.get_mut(channel) {
                        *sum += u64::from(*value);
                    }
                    // Once for each pixel, wherever blocks divide it.
                    *count += u64::from(channel == 0);
                }
            }
        })?;
        let cells = sums.into_iter().map(|(sum, count)| {
            let [red, green, blue, opaque] = sum.map(|sum| ((sum + count / 2) / count.max(1)) as u8);
            match channels {
                1 => [red, red, red, u8::MAX],
                3 => [red, green, blue, u8::MAX],
                _ => [red, green, blue, opaque],
            }
        });
        let grid = Grid { columns, cells: cells.collect() };
        let mut notes = Vec::new();
        if side > 1 {
            notes.push(format!("each pixel is the mean of {side} × {side}"));
        }
        Ok(Picture::new(Data::Pixels { shape, grid }, notes))
    }
}

fn nothing_finite() -> Failure {
    Failure::new(Code::Usage, "there is nothing to draw: no value is finite")
}
