//! `npz plot`: a histogram, a line, a heat map or an image of an array, on the terminal, as PNG or as SVG.

mod figure;
mod paint;
mod picture;
mod terminal;

use std::io::Write;
use std::path::{Path, PathBuf};

use npzmap::{Escaped, ReadAt};

use crate::args::{Reading, Writing};
use crate::budget::Decoding;
use crate::console::Console;
use crate::exit::{Code, Failure, Problems, Result};
use crate::input::Input;
use crate::part::Part;
use paint::Depth;
use picture::{Form, Numbers};

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz plot model.npz encoder/weight
  npz plot model.npz encoder/weight '1, :' -o row.png
  npz plot --kind histogram --bins 20 weights.npy -o weights.svg
  npz plot hits.npz packed-le-c --field id --size 60x20

One dimension is drawn as a line, two as a heat map with the first row on top, u8 of (h, w), (h, w, 3) or (h, w, 4) as
an image, and all else as a histogram. What is larger than the picture is reduced by block, and the picture says so: a
line goes from the least to the greatest, a cell has the mean. NaN and infinities are left out, and counted. Of a member
that is stored, only the bytes of the slice are read, and short gaps between them; one that is compressed is decoded
whole.")]
pub(crate) struct Options {
    /// An archive, or a plain .npy file
    file: PathBuf,

    /// The key of the array; not for a plain .npy file, nor an archive of one member
    #[arg(allow_hyphen_values = true)]
    key: Option<String>,

    /// What of it, as `npz show` takes it: '1:5, ::2, -1'
    #[arg(allow_hyphen_values = true)]
    slice: Option<String>,

    /// Write a picture: .png or .svg
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// What is drawn; by default the shape decides
    #[arg(short, long, value_name = "KIND")]
    kind: Option<Form>,

    /// Width and height: pixels of a file (800x600), columns and lines of a terminal
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<(u32, u32)>,

    /// Bins of a histogram
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=4096))]
    bins: u32,

    /// A field of records; a path with dots for one in another. It is taken before the slice
    #[arg(long, value_name = "NAME")]
    field: Option<String>,

    /// Take two bytes without a dtype ('|V2') as bfloat16, which ml_dtypes writes so
    #[arg(long)]
    bf16: bool,

    #[command(flatten)]
    writing: Writing,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    decoding: Decoding,
}

/// What stands above a picture.
struct Text {
    title: String,
}

/// At most so many characters: left out are those in the middle, since a key begins a title and a slice ends it.
fn cut(line: &str, room: usize) -> String {
    let count = line.chars().count();
    if count <= room {
        return line.to_owned();
    }
    let left = room.saturating_sub(1);
    let tail = left * 2 / 3;
    line.chars().take(left - tail).chain(['…']).chain(line.chars().skip(count - tail)).collect()
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let sides =
        text.split_once(['x', 'X', '×']).and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    sides
        .filter(|(width, height)| (1..=figure::LARGEST).contains(width) && (1..=figure::LARGEST).contains(height))
        .ok_or_else(|| format!("a width and a height from 1 to {}, such as 800x600", figure::LARGEST))
}

#[derive(Clone, Copy)]
enum Target<'a> {
    Terminal,
    Png(&'a Path),
    Svg(&'a Path),
}

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let target = target(options)?;
    let read = options.output.as_ref().and_then(|target| Writing::reads(&options.file, target));
    let input = Input::open(&options.file, &options.reading)?;
    let part = (options.key.as_deref(), options.slice.as_deref(), options.field.as_deref());
    let mut part = Part::of(&input, &options.file, part)?;
    part.decode(&options.decoding, false)?;
    let (key, slice) = (part.entry.key(), part.slice);
    let (shape, dtype) = (part.array.shape(), part.array.dtype());
    let lengths: Vec<_> = shape.iter().map(usize::to_string).collect();
    let mut title = key.clone().into_owned();
    title.extend(options.field.iter().map(|field| format!(".{field}")));
    title.extend(slice.iter().map(|slice| format!("[{}]", slice.trim().trim_start_matches('[').trim_end_matches(']'))));
    let title = format!("{title}  {dtype} ({}{})", lengths.join(", "), if shape.len() == 1 { "," } else { "" });
    let text = Text { title: Escaped(&title).to_string() };
    let numbers = Numbers::new(part.array.clone(), options.bf16);
    let unsupported =
        |text: String| Failure::new(Code::Unsupported, format!("{}: {key}: {text}", options.file.display()));
    let numbers = numbers.map_err(unsupported)?;
    let form = options.kind.unwrap_or_else(|| numbers.form());
    let bins = options.bins as usize;
    let failed = |text: String| Failure::new(Code::Unreadable, format!("the picture cannot be drawn: {text}"));
    let pixels = options.size.unwrap_or((800, 600));
    let draw = |room| {
        numbers.picture(form, room).map_err(|failure| match failure {
            Failure::Other(code, text) => Failure::new(code, format!("{}: {key}: {text}", options.file.display())),
            other => other,
        })
    };
    match target {
        Target::Terminal => {
            let size = options.size.map_or_else(terminal_size, |(w, h)| (w as usize, h as usize));
            let room = terminal::room(size, bins);
            let picture = draw(room)?;
            let mut out = console.out();
            out.write_all(terminal::draw(&picture, &text, room, Depth::of(console.color())).as_bytes())?;
            out.flush()?;
        }
        Target::Png(path) => {
            let picture = draw(figure::room(pixels, bins, form == Form::Heatmap))?;
            write(options, path, read.as_ref(), console, &figure::png(&picture, &text, pixels).map_err(failed)?)?;
        }
        Target::Svg(path) => {
            let picture = draw(figure::room(pixels, bins, form == Form::Heatmap))?;
            write(options, path, read.as_ref(), console, &figure::svg(&picture, &text, pixels).map_err(failed)?)?;
        }
    }
    Ok(Problems::default())
}

fn target(options: &Options) -> Result<Target<'_>> {
    let Some(path) = &options.output else { return Ok(Target::Terminal) };
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    let target = match extension.as_ref().and_then(|extension| extension.to_str()) {
        Some("png") => Target::Png(path),
        Some("svg") => Target::Svg(path),
        _ => {
            let text = format!("{}: a picture is a .png or a .svg", path.display());
            return Err(Failure::new(Code::Usage, text));
        }
    };
    if options.size.is_some_and(|(width, height)| width.min(height) < figure::SMALLEST) {
        let text = format!("--size: a file has {} pixels at least each way, for its text", figure::SMALLEST);
        return Err(Failure::new(Code::Usage, text));
    }
    options.writing.check(path)?;
    Ok(target)
}

fn terminal_size() -> (usize, usize) {
    match terminal_size::terminal_size() {
        Some((columns, lines)) => (columns.0.into(), lines.0.into()),
        None => (80, 24),
    }
}

fn write(options: &Options, path: &Path, read: Option<&ReadAt>, console: &Console, bytes: &[u8]) -> Result<()> {
    if options.writing.dry_run {
        console.note(format!("{} would be written, {} bytes", path.display(), bytes.len()));
        return Ok(());
    }
    let (mut file, _guard) = options.writing.create_file(path, read)?;
    file.write_all(bytes).map_err(Failure::file(path))?;
    Ok(file.finish()?)
}
