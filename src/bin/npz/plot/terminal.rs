//! A picture on a terminal: two pixels in a character, one above the other, and text around them.

use super::paint::{self, Depth};
use super::picture::{Data, Picture, Room};
use super::{Text, cut};

/// The numbers on the left, and the axis.
const LEFT: usize = 12;
/// Title, notes, the axis, its numbers, the legend, and the line of the next command.
const LINES: usize = 6;
const INK: [u8; 3] = [31, 119, 180];

/// Pixels between the axes of a terminal of so many columns and lines.
pub(super) fn room((columns, lines): (usize, usize), bins: usize) -> Room {
    let columns = columns.saturating_sub(LEFT + 1).max(8);
    Room { columns, rows: lines.saturating_sub(LINES).max(4) * 2, bins: bins.min(columns) }
}

/// Pixels; none is the colour of the terminal.
struct Canvas {
    columns: usize,
    pixels: Vec<Option<[u8; 3]>>,
}

impl Canvas {
    fn new(columns: usize, rows: usize) -> Self {
        let rows = rows.next_multiple_of(2);
        Canvas { columns, pixels: vec![None; columns * rows] }
    }

    fn set(&mut self, row: usize, column: usize, colour: [u8; 3]) {
        if let Some(pixel) = self.pixels.get_mut(row * self.columns + column).filter(|_| column < self.columns) {
            *pixel = Some(colour);
        }
    }

    fn at(&self, row: usize, column: usize) -> Option<[u8; 3]> {
        self.pixels.get(row * self.columns + column).copied().flatten()
    }

    fn lines(&self) -> usize {
        self.pixels.len() / self.columns.max(1) / 2
    }

    fn line(&self, line: usize, depth: Depth, shades: bool) -> String {
        const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
        let mut text = String::new();
        let mut last = (None, None);
        for column in 0..self.columns {
            let (above, below) = (self.at(2 * line, column), self.at(2 * line + 1, column));
            if depth == Depth::None && shades {
                let light: Vec<u32> = [above, below].iter().flatten().map(|colour| luminance(*colour)).collect();
                if light.is_empty() {
                    text.push('·');
                    continue;
                }
                let mean = light.iter().sum::<u32>() as usize / light.len().max(1);
                text.push(SHADES.get(mean * SHADES.len() / 256).copied().unwrap_or(' '));
                continue;
            }
            let (drawn, front, behind) = match (above, below) {
                (None, None) => (' ', None, None),
                (Some(above), None) => ('▀', Some(above), None),
                (None, Some(below)) => ('▄', Some(below), None),
                (Some(above), Some(below)) if above == below => ('█', Some(above), None),
                (Some(above), Some(below)) => ('▀', Some(above), Some(below)),
            };
            if depth != Depth::None && last != (front, behind) {
                if last != (None, None) {
                    text.push_str("\x1b[0m");
                }
                text.extend(front.map(|colour| depth.code(colour, false)));
                text.extend(behind.map(|colour| depth.code(colour, true)));
                last = (front, behind);
            }
            text.push(drawn);
        }
        if last != (None, None) {
            text.push_str("\x1b[0m");
        }
        text.trim_end_matches(' ').to_owned()
    }
}

/// ITU-R BT.601.
fn luminance([red, green, blue]: [u8; 3]) -> u32 {
    (299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue)) / 1000
}

pub(super) fn draw(picture: &Picture, text: &Text, room: Room, depth: Depth) -> String {
    let mut canvas = Canvas::new(room.columns, room.rows);
    let (mut legend, scale) = (None, &picture.scale);
    let width = LEFT + 1 + room.columns;
    // What stands on the left, on top and below; and at both ends of the axis.
    let (top, bottom, first, last, shades) = match &picture.data {
        Data::Bars { edges, counts } => {
            let highest = counts.iter().copied().max().unwrap_or(1).max(1);
            for column in 0..room.columns {
                let count = counts.get(column * counts.len() / room.columns).copied().unwrap_or(0);
                let height = (u128::from(count) * room.rows as u128).div_ceil(highest.into()) as usize;
                (room.rows - height..room.rows).for_each(|row| canvas.set(row, column, INK));
            }
            let edge = |edge: Option<&f64>| scale.label(edge.copied().unwrap_or(0.0));
            (highest.to_string(), "0".into(), edge(edges.first()), edge(edges.last()), false)
        }
        Data::Line { length, buckets, range } => {
            let row = |value: f64| {
                let height = paint::part(value, *range) * (room.rows - 1) as f64;
                room.rows - 1 - height.round() as usize
            };
            let mut before: Option<(usize, usize)> = None;
            for column in 0..room.columns {
                // The axis below goes from the first to the last.
                let bucket = buckets.get(column * buckets.len() / room.columns).copied().flatten();
                let rows = bucket.map(|(low, high)| (row(high), row(low)));
                if let Some((from, to)) = rows {
                    // Up or down to where the last column ends.
                    let (from, to) = match before {
                        Some((_, lowest)) if lowest + 1 < from => (lowest + 1, to),
                        Some((highest, _)) if highest > to + 1 => (from, highest - 1),
                        _ => (from, to),
                    };
                    (from..=to).for_each(|row| canvas.set(row, column, INK));
                }
                before = rows;
            }
            (scale.label(range.1), scale.label(range.0), "0".into(), length.saturating_sub(1).to_string(), false)
        }
        Data::Cells { shape, grid, range } => {
            let colour = |value| paint::on_white(paint::heat(value, *range));
            fill(&mut canvas, room, (grid.rows(), grid.columns), false, &|row, column| {
                // Its grey would be a shade like that of a value.
                grid.at(row, column).filter(|value| depth != Depth::None || value.is_some()).map(colour)
            });
            legend = Some(*range);
            ("0".into(), (shape.0 - 1).to_string(), "0".into(), (shape.1 - 1).to_string(), true)
        }
        Data::Pixels { shape, grid } => {
            let colour = paint::on_white;
            fill(&mut canvas, room, (grid.rows(), grid.columns), true, &|row, column| grid.at(row, column).map(colour));
            ("0".into(), (shape.0 - 1).to_string(), "0".into(), (shape.1 - 1).to_string(), true)
        }
    };
    let mut out = format!("{}\n", cut(&text.title, width));
    if !picture.notes.is_empty() {
        out.push_str(&format!("{}\n", picture.notes.join("; ")));
    }
    let lines = canvas.lines();
    for line in 0..lines {
        let number = match line {
            0 => &*top,
            line if line + 1 == lines => &*bottom,
            _ => "",
        };
        out.push_str(&format!("{number:>width$} │{}\n", canvas.line(line, depth, shades), width = LEFT - 2));
    }
    let rule = "─".repeat(canvas.columns);
    out.push_str(&format!("{:>width$} └{rule}\n", "", width = LEFT - 2));
    let blanks = canvas.columns.saturating_sub(first.chars().count() + last.chars().count()).max(1);
    out.push_str(&format!("{:LEFT$}{first}{}{last}\n", "", " ".repeat(blanks)));
    if let Some(range) = legend {
        let (least, most) = (scale.label(range.0), scale.label(range.1));
        let taken = least.chars().count() + most.chars().count() + 2;
        let steps = width.saturating_sub(taken + LEFT).clamp(6, 20);
        let blanks = LEFT.min(width.saturating_sub(taken + steps));
        out.push_str(&format!("{:blanks$}{least} {} {most}\n", "", key(range, steps, depth)));
    }
    out
}

/// Cells, each of as many pixels as there is room for.
fn fill(
    canvas: &mut Canvas,
    room: Room,
    (rows, columns): (usize, usize),
    square: bool,
    colour: &dyn Fn(usize, usize) -> Option<[u8; 3]>,
) {
    let (mut tall, mut wide) = ((room.rows / rows.max(1)).max(1), (room.columns / columns.max(1)).max(1));
    if square {
        (tall, wide) = (tall.min(wide), tall.min(wide));
    }
    *canvas = Canvas::new(columns * wide, rows * tall);
    for row in 0..rows * tall {
        for column in 0..columns * wide {
            if let Some(colour) = colour(row / tall, column / wide) {
                canvas.set(row, column, colour);
            }
        }
    }
}

/// What the colours stand for.
fn key(range: (f64, f64), steps: usize, depth: Depth) -> String {
    let mut canvas = Canvas::new(steps, 2);
    for step in 0..steps {
        let part = step as f64 / (steps - 1) as f64;
        let colour = paint::on_white(paint::heat(Some(range.0 * (1.0 - part) + range.1 * part), range));
        canvas.set(0, step, colour);
        canvas.set(1, step, colour);
    }
    canvas.line(0, depth, true)
}
