//! `npz show`: values, as NumPy prints them.

mod float;
mod format;
mod items;
mod json;
mod natural;
mod nothing;
mod print;
mod quoted;
pub(crate) mod real;
mod value;

use std::fmt;
use std::io::{Read, Write};
use std::path::PathBuf;

use npzmap::ndarray::{ArrayView, ArrayViewMut, Dimension, IxDyn, ShapeError, Slice, SliceInfoElem};
use npzmap::{Dtype, Escaped, Kind, Order};
use serde::Serialize;

use crate::args::Reading;
use crate::budget::Decoding;
use crate::console::Console;
use crate::exit::{Code, Failure, Problems, Result};
use crate::input::{Entry, Input};
use crate::part::Part;
use format::{Among, Format};
use items::Items;
use print::{Layout, Shown};

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz show model.npz encoder/weight
  npz show model.npz encoder/weight '1:3, ::2'
  npz show hits.npz packed-le-c '0, :2' --field score
  npz show weights.npy -1

Values are printed as NumPy prints them: more than 1,000 are summarised by '...'. Of a member that is stored, only the
bytes of what is printed are read, and short gaps between them; one that is compressed is decoded whole.")]
pub(crate) struct Options {
    /// An archive, or a plain .npy file
    file: PathBuf,

    /// The key of the array; not for a plain .npy file, nor an archive of one member
    #[arg(allow_hyphen_values = true)]
    key: Option<String>,

    /// What of it, as NumPy's basic indexing: integers, slices, '...' and 'None', with commas between them
    #[arg(allow_hyphen_values = true)]
    slice: Option<String>,

    /// A field of records; a path with dots for one in another. It is taken before the slice
    #[arg(long, value_name = "NAME")]
    field: Option<String>,

    /// One JSON document, of all values
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    decoding: Decoding,
}

/// More items are not laid out.
const MOST_ITEMS: usize = 1 << 24;

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let input = Input::open(&options.file, &options.reading)?;
    let part = (options.key.as_deref(), options.slice.as_deref(), options.field.as_deref());
    show(options, console, Part::of(&input, &options.file, part)?)?;
    Ok(Problems::default())
}

fn show(options: &Options, console: &Console, mut part: Part<'_>) -> Result<()> {
    let key = part.entry.key();
    let key = matches!(part.entry, Entry::Member(_)).then_some(&*key);
    let (shape, count, dtype) = (part.array.shape().to_vec(), part.array.len(), part.array.dtype().clone());
    let (shape, dtype) = (&shape[..], &dtype);
    let summary = !options.json && print::is_large(shape);
    let shown: Vec<Shown> = shape.iter().map(|length| Shown::new(*length, summary)).collect();
    let (places, lists) = nothing::places(&shown);
    let size = dtype.item_size();
    let fits = || {
        let bytes = places.checked_mul(size.max(1)).filter(|_| options.json || places <= MOST_ITEMS);
        bytes.is_some_and(|bytes| options.reading.check("", bytes).is_ok())
    };
    if count > 0 || options.json {
        let within = if count > 0 { places.saturating_mul(nothing::within(dtype, !options.json)) } else { lists };
        if within > nothing::MOST {
            let text = format!("more than {} values without bytes; name fewer by a slice or a field", nothing::MOST);
            return Err(Failure::new(Code::Unreadable, format!("{}: {text}", options.file.display())));
        }
        if !fits() {
            let text =
                format!("{count} values are too many to hold; name fewer by a slice, or raise --max-array-bytes");
            return Err(Failure::new(Code::Unreadable, format!("{}: {text}", options.file.display())));
        }
    }
    let bytes = if count > 0 { gather(&mut part, &options.decoding, &shown)? } else { Vec::new() };

    let mut out = console.out();
    if options.json {
        let document = Document {
            schema: 1,
            file: options.file.to_string_lossy().into(),
            key,
            dtype: dtype.to_string(),
            shape,
            values: json::Nested { shape, bytes: &bytes, dtype },
        };
        crate::json::write(&mut out, &document)?;
    } else if shape.is_empty() {
        // On a terminal a text must not do more than be read.
        let terminal = console.terminal;
        // An integer for each axis takes an element, and not an array without axes.
        let element = part.slice.is_some_and(|slice| !slice.contains("...") && !slice.contains("Ellipsis"));
        let text = crate::text::from_fn(|f| match terminal {
            true => alone(&bytes, dtype, element, &mut Harmless(f)),
            false => alone(&bytes, dtype, element, f),
        });
        write!(out, "{text}")?;
    } else if count == 0 {
        out.write_all(b"[]")?;
    } else {
        let items = Items::new(&bytes, shown.iter().map(|axis| axis.count()).product(), dtype);
        let format = Format::new(&items, Among::Array);
        let element = |index: usize, out: &mut dyn fmt::Write| format.write(items.get(index), out);
        write!(out, "{}", Layout { shape, summary, element: &element })?;
    }
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// The items that are shown, in C order. Of an axis that is cut, each end is taken by itself.
fn gather(part: &mut Part<'_>, decoding: &Decoding, shown: &[Shown]) -> Result<Vec<u8>> {
    let cut = shown.iter().filter(|axis| axis.gap().is_some()).count();
    part.decode(decoding, cut == 0 && part.array.order() == Order::C)?;
    if cut == 0 {
        let mut bytes = part.entry.zeroed(part.array.nbytes())?;
        part.array.in_order(Order::C).reader()?.read_exact(&mut bytes)?;
        return Ok(bytes);
    }
    let item = part.array.dtype().item_size();
    let bytes_of = |lengths: &mut dyn Iterator<Item = usize>| IxDyn(&lengths.chain([item]).collect::<Vec<_>>());
    let shape = bytes_of(&mut shown.iter().map(|axis| axis.count()));
    let mut bytes = part.entry.zeroed(shape.size())?;
    let mut all = ArrayViewMut::from_shape(shape, &mut bytes).map_err(internal)?;
    for corner in 0..1_usize << cut {
        let mut cuts = 0;
        let ends = shown.iter().map(|axis| {
            let last = corner >> cuts & 1 == 1;
            cuts += usize::from(axis.gap().is_some());
            axis.end(last)
        });
        let ends: Vec<Slice> = ends.collect();
        let index: Vec<SliceInfoElem> = ends.iter().map(|end| (*end).into()).collect();
        let corner = part.array.select(index)?.in_order(Order::C);
        let items = corner.bytes()?;
        let items = ArrayView::from_shape(bytes_of(&mut corner.shape().iter().copied()), &items).map_err(internal)?;
        all.slice_each_axis_mut(|axis| ends.get(axis.axis.index()).copied().unwrap_or(Slice::from(..))).assign(&items);
    }
    Ok(bytes)
}

fn internal(error: ShapeError) -> Failure {
    Failure::new(Code::Unreadable, error.to_string())
}

/// Writes one value: an element, or an array without axes.
fn alone(bytes: &[u8], dtype: &Dtype, element: bool, out: &mut dyn fmt::Write) -> fmt::Result {
    match dtype {
        // NumPy 2 prints `np.array(b"x")` so, though not its element.
        Dtype::Scalar(scalar) if scalar.kind() == Kind::Bytes && !element => {
            out.write_str("np.bytes_(")?;
            value::alone(bytes, scalar, out)?;
            out.write_char(')')
        }
        Dtype::Scalar(scalar) => value::alone(bytes, scalar, out),
        _ => Format::new(&Items::new(bytes, 1, dtype), Among::LoneRecord).write(bytes, out),
    }
}

/// Text in which what a terminal would obey is escaped.
struct Harmless<'o>(&'o mut dyn fmt::Write);

impl fmt::Write for Harmless<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write!(self.0, "{}", Escaped(text))
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    file: String,
    key: Option<&'a str>,
    dtype: String,
    shape: &'a [usize],
    values: json::Nested<'a>,
}
