//! Colours: of values, and those that a terminal has.

use std::env;

use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};

/// What is not a number.
const NONE: [u8; 4] = [200, 200, 200, u8::MAX];

/// Viridis: dark for the least value, bright for the greatest, also for who sees no colours.
pub(super) fn heat(value: Option<f64>, (least, most): (f64, f64)) -> [u8; 4] {
    let Some(value) = value else { return NONE };
    let colour = ViridisRGB.get_color(part(value, (least, most)) as f32);
    [colour.0, colour.1, colour.2, u8::MAX]
}

/// Where a value is between two others, from 0 to 1.
pub(super) fn part(value: f64, (least, most): (f64, f64)) -> f64 {
    // Halves: the distance of huge numbers would not be one.
    let width = most / 2.0 - least / 2.0;
    if width > 0.0 { ((value / 2.0 - least / 2.0) / width).clamp(0.0, 1.0) } else { 0.5 }
}

/// A colour that lies on white paper.
pub(super) fn on_white([red, green, blue, opaque]: [u8; 4]) -> [u8; 3] {
    let opaque = u32::from(opaque);
    [red, green, blue].map(|part| ((u32::from(part) * opaque + 255 * (255 - opaque) + 127) / 255) as u8)
}

/// The colours of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    None,
    /// The eight of ECMA-48, and their bright ones.
    Sixteen,
    /// xterm's.
    Many,
    True,
}

impl Depth {
    /// Those that the environment names, if any are wanted.
    pub(super) fn of(wanted: bool) -> Self {
        let of = |name| env::var(name).unwrap_or_default();
        match () {
            () if !wanted => Depth::None,
            () if matches!(&*of("COLORTERM"), "truecolor" | "24bit") => Depth::True,
            () if of("TERM").contains("direct") => Depth::True,
            () if of("TERM").contains("256") => Depth::Many,
            () => Depth::Sixteen,
        }
    }

    /// The code that makes a colour that of what is drawn, or of what is behind it.
    pub(super) fn code(self, colour: [u8; 3], behind: bool) -> String {
        let [red, green, blue] = colour;
        let base = if behind { 48 } else { 38 };
        match self {
            Depth::None => String::new(),
            Depth::True => format!("\x1b[{base};2;{red};{green};{blue}m"),
            Depth::Many => format!("\x1b[{base};5;{}m", nearest(colour, 16, 256)),
            Depth::Sixteen => {
                let index = nearest(colour, 0, 16);
                let first = if behind { 40 } else { 30 } + if index < 8 { 0 } else { 60 };
                format!("\x1b[{}m", first + index % 8)
            }
        }
    }
}

/// The nearest of xterm's colours.
fn nearest(colour: [u8; 3], from: u32, to: u32) -> u32 {
    let distance = |index: &u32| -> i32 {
        let there = xterm(*index);
        colour.iter().zip(there).map(|(a, b)| (i32::from(*a) - i32::from(b)).pow(2)).sum()
    };
    (from..to).min_by_key(distance).unwrap_or(from)
}

fn xterm(index: u32) -> [u8; 3] {
    let bit = |place: u32, on: u8| if index >> place & 1 == 1 { on } else { 0 };
    let cube = |number: u32| if number == 0 { 0 } else { 55 + 40 * number as u8 };
    match index {
        0..7 => [bit(0, 205), bit(1, 205), bit(2, 205)],
        7 => [229; 3],
        8 => [127; 3],
        9..16 => [bit(0, 255), bit(1, 255), bit(2, 255)],
        16..232 => [cube((index - 16) / 36), cube((index - 16) / 6 % 6), cube((index - 16) % 6)],
        _ => [8 + 10 * (index.min(255) - 232) as u8; 3],
    }
}
