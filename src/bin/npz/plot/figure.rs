//! A picture as a file: axes and text by plotters, in a font that comes with the program; cells pixel by pixel.

use std::ops::Range;

use ab_glyph::{Font, FontRef, GlyphId};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::picture::{Data, Grid, Picture, Room};
use super::{Text, cut, paint};

pub(super) const SMALLEST: u32 = 240;
pub(super) const LARGEST: u32 = 8192;

/// Around the axes: title and notes above, numbers left and below, the legend on the right.
const ABOVE: u32 = 64;
const LEFT: u32 = 84;
const BELOW: u32 = 36;
const RIGHT: u32 = 30;
const LEGEND: u32 = 110;

const FONT: &str = "npz";
const INK: RGBColor = RGBColor(31, 119, 180);

type Area<'a, B> = DrawingArea<B, Shift>;
type Drawn<T> = Result<T, String>;

/// Columns and rows of pixels between the axes.
pub(super) fn room((width, height): (u32, u32), bins: usize, legend: bool) -> Room {
    let side = |all: u32, taken: u32| all.saturating_sub(taken).max(1) as usize;
    Room { columns: side(width, LEFT + if legend { LEGEND } else { RIGHT }), rows: side(height, ABOVE + BELOW), bins }
}

/// Where the cells are, in pixels.
struct Place {
    left: u32,
    top: u32,
    /// Pixels of a cell.
    wide: u32,
    tall: u32,
}

pub(super) fn png(picture: &Picture, text: &Text, size: (u32, u32)) -> Drawn<Vec<u8>> {
    let (width, height) = size;
    let mut pixels = vec![u8::MAX; width as usize * height as usize * 3];
    let text = Text { title: in_the_font(&text.title) };
    let place = draw(BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area(), picture, &text, size)?;
    if let (Some(place), Some(cells)) = (place, colours(picture)) {
        for row in 0..cells.rows() * place.tall as usize {
            for column in 0..cells.columns * place.wide as usize {
                let colour = cells.at(row / place.tall as usize, column / place.wide as usize);
                let at = (place.top as usize + row) * width as usize + place.left as usize + column;
                if let (Some(colour), Some(pixel)) = (colour, pixels.get_mut(at * 3..at * 3 + 3)) {
                    pixel.copy_from_slice(&paint::on_white(colour));
                }
            }
        }
    }
    encode(size, png::ColorType::Rgb, &pixels)
}

pub(super) fn svg(picture: &Picture, text: &Text, size: (u32, u32)) -> Drawn<Vec<u8>> {
    let mut svg = String::new();
    let place = draw(SVGBackend::with_string(&mut svg, size).into_drawing_area(), picture, text, size)?;
    if let (Some(place), Some(cells)) = (place, colours(picture)) {
        // One pixel for each cell, which whoever shows it enlarges without smoothing.
        let (columns, rows) = (cells.columns as u32, cells.rows() as u32);
        let image = encode((columns, rows), png::ColorType::Rgba, cells.cells.as_flattened())?;
        let (x, y, width, height) = (place.left, place.top, columns * place.wide, rows * place.tall);
        let image = format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
             style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>\n</svg>\n",
            STANDARD.encode(image)
        );
        svg.truncate(svg.rfind("</svg>").unwrap_or(svg.len()));
        svg.push_str(&image);
    }
    // Whoever shows it has a font of its own.
    Ok(svg.replace(&format!("font-family=\"{FONT}\""), "font-family=\"DejaVu Sans, sans-serif\"").into_bytes())
}

/// The text, with letters that the font has not by their numbers, as in Rust: `\u{65e5}`. Boxes would all look alike.
fn in_the_font(text: &str) -> String {
    let Ok(font) = FontRef::try_from_slice(dejavu::sans::regular()) else { return text.to_owned() };
    let letter = |letter: char| match font.glyph_id(letter) {
        GlyphId(0) => letter.escape_unicode().to_string(),
        _ => letter.to_string(),
    };
    text.chars().map(letter).collect()
}

fn encode((width, height): (u32, u32), colour: png::ColorType, pixels: &[u8]) -> Drawn<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    let words = |error: png::EncodingError| error.to_string();
    encoder.write_header().and_then(|mut writer| writer.write_image_data(pixels)).map_err(words)?;
    Ok(file)
}

/// The colour of each cell, where a picture has cells.
fn colours(picture: &Picture) -> Option<Grid<[u8; 4]>> {
    match &picture.data {
        Data::Cells { grid, range, .. } => {
            let cells = grid.cells.iter().map(|value| paint::heat(*value, *range));
            Some(Grid { columns: grid.columns, cells: cells.collect() })
        }
        Data::Pixels { grid, .. } => Some(Grid { columns: grid.columns, cells: grid.cells.clone() }),
        _ => None,
    }
}

/// Draws all but cells, and says where they belong.
fn draw<B: DrawingBackend>(
    root: Area<'_, B>,
    picture: &Picture,
    text: &Text,
    size: (u32, u32),
) -> Drawn<Option<Place>> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let font = FontStyle::Normal;
    plotters::style::register_font(FONT, font, dejavu::sans::regular()).map_err(|_| "the font cannot be read")?;
    root.fill(&WHITE).map_err(|error| words(&error))?;
    let write = |line: &str, at: (i32, i32), height: u32| {
        let room = (size.0 as usize).saturating_sub(at.0 as usize) * 10 / (height as usize * 6);
        let style = (FONT, height).into_font().color(&BLACK);
        root.draw(&plotters::element::Text::new(cut(line, room), at, style)).map_err(|error| words(&error))
    };
    write(&text.title, (12, 10), 20)?;
    write(&picture.notes.join("; "), (12, 38), 13)?;
    let scale = &picture.scale;
    let place = match &picture.data {
        Data::Bars { edges, counts } => {
            let (least, most) = (edges.first().copied().unwrap_or(0.0), edges.last().copied().unwrap_or(1.0));
            let highest = counts.iter().copied().max().unwrap_or(1).max(1) as f64;
            let bars = edges.windows(2).zip(counts).filter_map(|(pair, count)| match pair {
                [from, to] => {
                    let corners = [(scale.place(*from), 0.0), (scale.place(*to), *count as f64)];
                    Some(Rectangle::new(corners, INK.filled()))
                }
                _ => None,
            });
            let values = scale.place(least)..scale.place(most);
            let mut chart = axes(&root, size, values, 0.0..highest * 1.02, (&|place| scale.number(place), &whole))?;
            chart.draw_series(bars).map_err(|error| words(&error))?;
            None
        }
        Data::Line { length, buckets, range } => {
            let width = length.div_ceil(buckets.len().max(1)) as f64;
            let (least, most) = (scale.place(range.0), scale.place(range.1));
            let room = if least < most { (most - least) / 20.0 } else { f64::max(0.5, least.abs() / 10.0) };
            let high = (length.saturating_sub(1) as f64).max(1.0);
            let names: Names<'_> = (&whole, &|place| scale.number(place));
            let mut chart = axes(&root, size, 0.0..high, least - room..most + room, names)?;
            // Between NaN there is no line.
            let points = buckets.iter().enumerate().map(|(index, bucket)| {
                let x = index as f64 * width;
                let places = bucket.map(|(low, high)| (scale.place(low), scale.place(high)));
                places.map(|(low, high)| if low == high { vec![(x, low)] } else { vec![(x, low), (x, high)] })
            });
            let points: Vec<_> = points.collect();
            for run in points.split(Option::is_none) {
                let points: Vec<_> = run.iter().flatten().flatten().copied().collect();
                match points[..] {
                    [] => {}
                    [alone] => chart
                        .draw_series([Circle::new(alone, 2, INK.filled())])
                        .map_err(|error| words(&error))
                        .map(drop)?,
                    _ => chart.draw_series(LineSeries::new(points, &INK)).map_err(|error| words(&error)).map(drop)?,
                }
            }
            None
        }
        Data::Cells { shape, grid, range } => {
            let place = cells(&root, size, *shape, (grid.rows(), grid.columns), false)?;
            legend(&root, size, *range)?;
            let left = (size.0 - LEGEND + 34) as i32;
            write(&scale.label(range.1), (left, ABOVE as i32 - 2), 12)?;
            write(&scale.label(range.0), (left, (size.1 - BELOW) as i32 - 12), 12)?;
            Some(place)
        }
        Data::Pixels { shape, grid } => Some(cells(&root, size, *shape, (grid.rows(), grid.columns), true)?),
    };
    root.present().map_err(|error| words(&error))?;
    Ok(place)
}

type Chart<'a, B> =
    ChartContext<'a, B, Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>>;

/// What stands at a place of each axis.
type Names<'n> = (&'n dyn Fn(f64) -> String, &'n dyn Fn(f64) -> String);

/// Between indices, and between counts, there is none.
fn whole(place: f64) -> String {
    if place.fract() == 0.0 { format!("{place}") } else { String::new() }
}

fn axes<'a, B: DrawingBackend + 'a>(
    root: &Area<'a, B>,
    size: (u32, u32),
    x: Range<f64>,
    y: Range<f64>,
    names: Names<'_>,
) -> Drawn<Chart<'a, B>> {
    let frame = root.clone().shrink((0, ABOVE), (size.0 - RIGHT, size.1 - ABOVE));
    let built = ChartBuilder::on(&frame).x_label_area_size(BELOW).y_label_area_size(LEFT).build_cartesian_2d(x, y);
    let mut chart = built.map_err(|error| error.to_string())?;
    let (x, y) = (|place: &f64| names.0(*place), |place: &f64| names.1(*place));
    let mut mesh = chart.configure_mesh();
    mesh.x_label_formatter(&x).y_label_formatter(&y).label_style((FONT, 13));
    mesh.light_line_style(WHITE).x_labels(8).y_labels(8);
    mesh.draw().map_err(|error| error.to_string())?;
    drop(mesh);
    Ok(chart)
}

/// Axes around cells that take whole pixels, the first row on top.
fn cells<B: DrawingBackend>(
    root: &Area<'_, B>,
    size: (u32, u32),
    shape: (usize, usize),
    (rows, columns): (usize, usize),
    square: bool,
) -> Drawn<Place> {
    let room = room(size, 0, !square);
    let (mut tall, mut wide) = ((room.rows / rows.max(1)).max(1), (room.columns / columns.max(1)).max(1));
    if square {
        (tall, wide) = (tall.min(wide), tall.min(wide));
    }
    let (width, height) = ((columns * wide) as u32, (rows * tall) as u32);
    let frame = root.clone().shrink((0, ABOVE), (LEFT + width, height + BELOW));
    let (down, across) = (shape.0 as f64, shape.1 as f64);
    let mut builder = ChartBuilder::on(&frame);
    builder.x_label_area_size(BELOW).y_label_area_size(LEFT);
    let mut chart = builder.build_cartesian_2d(0.0..across, down..0.0).map_err(|error| error.to_string())?;
    let name = |place: &f64| whole(*place);
    let labels = |pixels: u32| (pixels as usize / 40).clamp(2, 10);
    let mut mesh = chart.configure_mesh();
    mesh.disable_mesh().x_label_formatter(&name).y_label_formatter(&name).label_style((FONT, 13));
    mesh.x_labels(labels(width)).y_labels(labels(height));
    mesh.draw().map_err(|error| error.to_string())?;
    Ok(Place { left: LEFT, top: ABOVE, wide: wide as u32, tall: tall as u32 })
}

/// A bar of all colours.
fn legend<B: DrawingBackend>(root: &Area<'_, B>, size: (u32, u32), range: (f64, f64)) -> Drawn<()> {
    const STEPS: u32 = 64;
    let (left, top, bottom) = ((size.0 - LEGEND + 10) as i32, ABOVE, size.1 - BELOW);
    for step in 0..STEPS {
        let at = |step: u32| (bottom - (bottom - top) * step / STEPS) as i32;
        let part = f64::from(step) / f64::from(STEPS - 1);
        let [red, green, blue, _] = paint::heat(Some(range.0 * (1.0 - part) + range.1 * part), range);
        let bar = Rectangle::new([(left, at(step + 1)), (left + 18, at(step))], RGBColor(red, green, blue).filled());
        root.draw(&bar).map_err(|error| error.to_string())?;
    }
    Ok(())
}
