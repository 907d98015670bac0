//! NumPy's basic indexing: `1:5, ::2, -1`.

use std::str::FromStr;

use crate::shape;

/// A part of an array: where it begins, and its axes.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// In bytes, from the first element of the array.
    pub(super) offset: usize,
    pub(super) axes: Vec<Axis>,
    /// Whether it was named by an integer for each axis: then NumPy takes an element, not an array without axes.
    pub(super) element: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) length: usize,
    /// Distance of its elements in bytes.
    pub(super) stride: isize,
}

/// What stands between the commas.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Integer(i128),
    Slice { start: Option<i128>, stop: Option<i128>, step: Option<i128> },
    Ellipsis,
    NewAxis,
}

#[derive(Clone, Debug)]
pub(crate) struct Index(Vec<Item>);

impl FromStr for Index {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).trim();
        let items = inside.strip_suffix(',').unwrap_or(inside).split(',');
        let items = items.map(|item| parse(item.trim())).collect::<Result<Vec<_>, _>>()?;
        match items.iter().filter(|item| **item == Item::Ellipsis).count() {
            0 | 1 => Ok(Index(items)),
            _ => Err("an index can have one '...' only".into()),
        }
    }
}

fn parse(text: &str) -> Result<Item, String> {
    match text {
        "..." | "Ellipsis" => return Ok(Item::Ellipsis),
        "None" | "np.newaxis" | "newaxis" => return Ok(Item::NewAxis),
        _ => {}
    }
    let integer = |text: &str| {
        let digits = text.trim().strip_prefix(['-', '+']).unwrap_or(text.trim());
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.trim().parse());
        number.and_then(Result::ok).ok_or_else(|| {
            format!("'{text}' is no integer; NumPy's basic indices are understood: '1:5, ::2, -1', '...', 'None'")
        })
    };
    let part = |text: &str| if text.trim().is_empty() { Ok(None) } else { integer(text).map(Some) };
    match text.split(':').collect::<Vec<_>>()[..] {
        [one] => Ok(Item::Integer(integer(one)?)),
        [start, stop] => Ok(Item::Slice { start: part(start)?, stop: part(stop)?, step: None }),
        [start, stop, step] => match part(step)? {
            Some(0) => Err(format!("'{text}': the step of a slice cannot be 0")),
            step => Ok(Item::Slice { start: part(start)?, stop: part(stop)?, step }),
        },
        _ => Err(format!("'{text}' is no slice: it has too many colons")),
    }
}

impl View {
    pub(super) fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| axis.length).collect()
    }

    /// The number of its elements; none if they cannot be counted.
    pub(super) fn count(&self) -> Option<usize> {
        shape::count(&self.shape())
    }

    pub(super) fn take(self, index: &Index) -> Result<View, String> {
        let items = &index.0;
        let named = items.iter().filter(|item| matches!(item, Item::Integer(_) | Item::Slice { .. })).count();
        let dimensions = self.axes.len();
        if named > dimensions {
            let plural = if dimensions == 1 { "" } else { "s" };
            return Err(format!(
                "too many indices: the array has {dimensions} dimension{plural}, the index names {named}"
            ));
        }
        let element = named == items.len() && items.iter().all(|item| matches!(item, Item::Integer(_)));
        let mut part = View { offset: self.offset, axes: Vec::new(), element: element && named == dimensions };
        let mut axes = self.axes.into_iter().enumerate();
        for item in items {
            match item {
                Item::NewAxis => part.axes.push(Axis { length: 1, stride: 0 }),
                Item::Ellipsis => part.axes.extend(axes.by_ref().take(dimensions - named).map(|(_, axis)| axis)),
                Item::Integer(_) | Item::Slice { .. } => {
                    let Some((number, axis)) = axes.next() else { continue };
                    part.enter(item, number, axis)?;
                }
            }
        }
        part.axes.extend(axes.map(|(_, axis)| axis));
        Ok(part)
    }

    fn enter(&mut self, item: &Item, number: usize, axis: Axis) -> Result<(), String> {
        let length = axis.length as i128;
        let from_end = |position: i128| if position < 0 { position.saturating_add(length) } else { position };
        match *item {
            Item::Integer(position) => {
                let from_start = from_end(position);
                if !(0..length).contains(&from_start) {
                    return Err(format!("index {position} is out of bounds for axis {number} with size {length}"));
                }
                self.skip(from_start, axis);
            }
            Item::Slice { start, stop, step } => {
                let step = step.unwrap_or(1);
                // The first and the last place that there are in this direction, and the one behind it.
                let (least, most) = if step > 0 { (0, length) } else { (-1, length - 1) };
                let place = |position: Option<i128>, default| {
                    position.map_or(default, |position| from_end(position).clamp(least, most))
                };
                let (start, stop) = if step > 0 {
                    (place(start, 0), place(stop, length))
                } else {
                    (place(start, length - 1), place(stop, -1))
                };
                let distance = if step > 0 { stop - start } else { start - stop };
                let count = if distance > 0 { (distance - 1) / step.saturating_abs() + 1 } else { 0 };
                if count > 0 {
                    self.skip(start, axis);
                }
                // Of one element, the distance to the next does not matter.
                let stride = if count > 1 { axis.stride * step as isize } else { axis.stride };
                self.axes.push(Axis { length: count as usize, stride });
            }
            Item::Ellipsis | Item::NewAxis => {}
        }
        Ok(())
    }

    fn skip(&mut self, count: i128, axis: Axis) {
        self.offset = self.offset.wrapping_add_signed(count as isize * axis.stride);
    }
}
