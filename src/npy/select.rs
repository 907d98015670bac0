//! A part of an array: which elements it has, and where their bytes are. No I/O.

use std::ops::Range;
use std::str::FromStr;

use ndarray::SliceInfoElem;

use super::dtype::Dtype;
use super::field;
use super::header::{Header, Order};
use crate::error::{ErrorKind, Result};
use crate::limits;

/// Elements at regular distances: each index along an axis is `stride` bytes from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Of the element at index 0 of every axis, in bytes from the first element of the array.
    pub(crate) offset: usize,
    pub(crate) axes: Vec<Axis>,
    pub(crate) dtype: Dtype,
    /// Of the array. A part that is in both orders is said to be in this one.
    pub(crate) order: Order,
    /// Whether an index was taken. Without one, it has every item of the array, if only by one of its fields.
    pub(crate) is_sliced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) length: usize,
    /// In bytes; negative where a step is.
    pub(crate) stride: isize,
}

impl Axis {
    fn new(length: usize, stride: usize) -> Self {
        // A stride is at most the size of the array, which is at most `isize::MAX`.
        Axis { length, stride: isize::try_from(stride).unwrap_or(0) }
    }
}

/// One term of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    Integer(i128),
    /// NumPy's slice: bounds are clamped; a negative step goes from `start` down to `stop`.
    Slice {
        start: Option<i128>,
        stop: Option<i128>,
        step: Option<i128>,
    },
    /// ndarray's slice: bounds must fit; a negative step goes from the end of the range down to its start.
    Range {
        start: isize,
        end: Option<isize>,
        step: isize,
    },
    Ellipsis,
    NewAxis,
}

impl From<&SliceInfoElem> for Term {
    fn from(term: &SliceInfoElem) -> Self {
        match *term {
            SliceInfoElem::Slice { start, end, step } => Term::Range { start, end, step },
            SliceInfoElem::Index(index) => Term::Integer(i128::try_from(index).unwrap_or_default()),
            SliceInfoElem::NewAxis => Term::NewAxis,
        }
    }
}

fn bad(problem: impl Into<String>) -> ErrorKind {
    ErrorKind::BadSelection { problem: problem.into() }
}

impl Selection {
    /// All elements.
    pub(crate) fn whole(header: &Header) -> Self {
        let mut stride = header.dtype().item_size();
        let mut axes: Vec<_> = header.shape().iter().map(|length| Axis { length: *length, stride: 0 }).collect();
        let outer = |axis: &mut Axis| {
            *axis = Axis::new(axis.length, stride);
            stride = stride.saturating_mul(axis.length);
        };
        match header.order() {
            Order::C => axes.iter_mut().rev().for_each(outer),
            Order::Fortran => axes.iter_mut().for_each(outer),
        }
        Selection { offset: 0, axes, dtype: header.dtype().clone(), order: header.order(), is_sliced: false }
    }

    pub(crate) fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| axis.length).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.axes.iter().any(|axis| axis.length == 0)
    }

    /// The number of elements.
    pub(crate) fn count(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        self.axes.iter().fold(1, |count, axis| count.saturating_mul(axis.length))
    }

    pub(crate) fn nbytes(&self) -> usize {
        self.count().saturating_mul(self.dtype.item_size())
    }

    /// Part of axis 0.
    pub(crate) fn rows(&self, range: Range<usize>) -> Result<Self> {
        let mut part = Selection { is_sliced: true, ..self.clone() };
        let Some(axis) = part.axes.first_mut() else {
            return Err(ErrorKind::DimensionMismatch { found: 0, expected: 1 }.into());
        };
        if range.start > range.end || range.end > axis.length {
            let (Range { start, end }, rows) = (range, axis.length);
            return Err(ErrorKind::RowsOutOfRange { start, end, rows }.into());
        }
        let stride = axis.stride;
        axis.length = range.len();
        if !range.is_empty() {
            part.skip(range.start, stride);
        }
        Ok(part)
    }

    /// One field of records, by its path. The axes of sub-arrays follow those of the array.
    pub(crate) fn field(&self, path: &str) -> Result<Self> {
        let leaf = field::find(&self.dtype, path)?;
        let mut part = Selection { dtype: leaf.dtype().clone(), axes: self.axes.clone(), ..*self };
        part.offset = part.offset.saturating_add(leaf.offset());
        part.axes.extend(leaf.axes().iter().map(|(length, stride)| Axis::new(*length, *stride)));
        part.check()?;
        Ok(part)
    }

    /// An index, term by term. Axes that it does not name stay whole.
    pub(crate) fn take(&self, terms: &[Term]) -> Result<Self> {
        let is_named = |term: &&Term| !matches!(term, Term::Ellipsis | Term::NewAxis);
        let named = terms.iter().filter(is_named).count();
        let dimensions = self.axes.len();
        if named > dimensions {
            let plural = if dimensions == 1 { "" } else { "s" };
            return Err(bad(format!(
                "too many indices: the array has {dimensions} dimension{plural}, the index names {named}"
            ))
            .into());
        }
        let mut part = Selection { dtype: self.dtype.clone(), axes: Vec::new(), is_sliced: true, ..*self };
        let mut axes = self.axes.iter().copied().enumerate();
        for term in terms {
            match term {
                Term::NewAxis => part.axes.push(Axis { length: 1, stride: 0 }),
                Term::Ellipsis => part.axes.extend(axes.by_ref().take(dimensions - named).map(|(_, axis)| axis)),
                _ => {
                    let Some((number, axis)) = axes.next() else { continue };
                    part.enter(term, number, axis)?;
                }
            }
        }
        part.axes.extend(axes.map(|(_, axis)| axis));
        part.check()?;
        Ok(part)
    }

    fn enter(&mut self, term: &Term, number: usize, axis: Axis) -> Result<()> {
        let length = axis.length as i128;
        let from_end = |position: i128| if position < 0 { position.saturating_add(length) } else { position };
        // The first index, the distance to the last one's successor, and the step.
        let (first, distance, step) = match *term {
            Term::Integer(position) => {
                let from_start = from_end(position);
                if !(0..length).contains(&from_start) {
                    return Err(
                        bad(format!("index {position} is out of bounds for axis {number} with size {length}")).into()
                    );
                }
                self.skip(from_start as usize, axis.stride);
                return Ok(());
            }
            Term::Slice { start, stop, step } => {
                let step = step.unwrap_or(1);
                // The first and the last position that there are in this direction, and the one after it.
                let (least, most) = if step > 0 { (0, length) } else { (-1, length - 1) };
                let place = |position: Option<i128>, default| {
                    position.map_or(default, |position| from_end(position).clamp(least, most))
                };
                if step > 0 {
                    let start = place(start, 0);
                    (start, place(stop, length) - start, step)
                } else {
                    let start = place(start, length - 1);
                    (start, start - place(stop, -1), step)
                }
            }
            Term::Range { start, end, step } => {
                let first = from_end(start as i128);
                let end = end.map_or(length, |end| from_end(end as i128)).max(first);
                if first < 0 || end > length {
                    return Err(bad(format!(
                        "slice {first}..{end} is out of bounds for axis {number} with size {length}"
                    ))
                    .into());
                }
                if step > 0 { (first, end - first, step as i128) } else { (end - 1, end - first, step as i128) }
            }
            Term::Ellipsis | Term::NewAxis => return Ok(()),
        };
        if step == 0 {
            return Err(bad("the step of a slice cannot be zero").into());
        }
        let count = if distance > 0 { (distance - 1) / step.saturating_abs() + 1 } else { 0 };
        if count > 0 {
            self.skip(first as usize, axis.stride);
        }
        // The step is shorter than the axis where there is a second element; where there is none, it does not matter.
        let stride = if count > 1 { axis.stride * step as isize } else { axis.stride };
        self.axes.push(Axis { length: count as usize, stride });
        Ok(())
    }

    fn skip(&mut self, count: usize, stride: isize) {
        // Within the array, and so within `isize`.
        self.offset = self.offset.wrapping_add_signed((count as isize).wrapping_mul(stride));
    }

    fn check(&self) -> Result<()> {
        if self.axes.len() > limits::DIMENSIONS {
            return Err(bad(format!("it has {} dimensions, more than 64", self.axes.len())).into());
        }
        Ok(())
    }

    /// Checks what becomes an array of ndarray, which multiplies the lengths of all axes, also where another one is zero.
    pub(crate) fn check_addressable(&self) -> Result<()> {
        let mut filled = self.axes.iter().map(|axis| axis.length).filter(|length| *length > 0);
        let nbytes = filled.try_fold(self.dtype.item_size(), usize::checked_mul);
        if nbytes.and_then(|bytes| isize::try_from(bytes).ok()).is_none() {
            let (shape, item_size) = (self.shape(), self.dtype.item_size());
            return Err(ErrorKind::ShapeOverflow { shape, item_size }.into());
        }
        Ok(())
    }
}

/// NumPy's basic index as text: `1:5, ::2, -1`, with or without brackets.
pub(crate) struct Index(pub(crate) Vec<Term>);

impl FromStr for Index {
    type Err = ErrorKind;

    fn from_str(text: &str) -> Result<Self, ErrorKind> {
        let text = text.trim();
        let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).trim();
        let terms = inside.strip_suffix(',').unwrap_or(inside).split(',');
        let terms = terms.map(|term| parse(term.trim())).collect::<Result<Vec<_>, _>>()?;
        match terms.iter().filter(|term| **term == Term::Ellipsis).count() {
            0 | 1 => Ok(Index(terms)),
            _ => Err(bad("an index can have one '...' only")),
        }
    }
}

fn parse(text: &str) -> Result<Term, ErrorKind> {
    match text {
        "..." | "Ellipsis" => return Ok(Term::Ellipsis),
        "None" | "np.newaxis" | "newaxis" => return Ok(Term::NewAxis),
        _ => {}
    }
    let integer = |text: &str| {
        let digits = text.trim().strip_prefix(['-', '+']).unwrap_or(text.trim());
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.trim().parse());
        number.and_then(Result::ok).ok_or_else(|| {
            bad(format!(
                "'{text}' is not an integer; NumPy's basic indices are understood: '1:5, ::2, -1', '...', 'None'"
            ))
        })
    };
    let part = |text: &str| if text.trim().is_empty() { Ok(None) } else { integer(text).map(Some) };
    match text.split(':').collect::<Vec<_>>()[..] {
        [one] => Ok(Term::Integer(integer(one)?)),
        [start, stop] => Ok(Term::Slice { start: part(start)?, stop: part(stop)?, step: None }),
        [start, stop, step] => match part(step)? {
            Some(0) => Err(bad(format!("'{text}': the step of a slice cannot be zero"))),
            step => Ok(Term::Slice { start: part(start)?, stop: part(stop)?, step }),
        },
        _ => Err(bad(format!("'{text}' is not a slice: it has too many colons"))),
    }
}
