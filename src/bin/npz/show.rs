//! `npz show`: values, as NumPy prints them.

mod field;
mod float;
mod format;
mod gather;
mod index;
mod items;
mod json;
mod natural;
mod nothing;
pub(crate) mod part;
mod print;
mod quoted;
pub(crate) mod real;
mod value;

use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use npzmap::{Dtype, Escaped, Header, Kind};
use serde::Serialize;

use crate::args::Reading;
use crate::budget::Decoding;
use crate::console::Console;
use crate::exit::{Code, Failure, Problems, Result};
use crate::input::{Entry, Input};
use format::{Among, Format};
use gather::{Elements, Place};
use index::Index;
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
    let (entry, slice) = match (&input, &options.key, &options.slice) {
        // What would be the key is the slice: a plain file has no keys.
        (Input::Plain(_), Some(_), Some(_)) => {
            return Err(usage(options, "a plain .npy file has no keys: FILE [SLICE]"));
        }
        (Input::Plain(_), slice, None) => (input.entry(&options.file, None)?, slice),
        (_, key, slice) => (input.entry(&options.file, key.as_deref())?, slice),
    };
    entry.access_in_map()?; // refuses pickled objects
    let header = entry.header()?;
    let content;
    let place = match (&entry, entry.payload_offset()?) {
        (_, Some(offset)) => Place::Stored { offset },
        (Entry::Member(member), None) => {
            options.decoding.count(&entry, 1)?;
            content = member.bytes()?;
            Place::Held { content: &content, offset: header.preamble_size() }
        }
        (Entry::Plain(_), None) => return Err(usage(options, "no elements")),
    };
    let key = entry.key();
    let key = matches!(entry, Entry::Member(_)).then_some(&*key);
    show(options, console, key, slice.as_deref(), &header, &Elements { entry: &entry, place })?;
    Ok(Problems::default())
}

fn usage(options: &Options, text: &str) -> Failure {
    Failure::new(Code::Usage, format!("{}: {text}", options.file.display()))
}

fn show(
    options: &Options,
    console: &Console,
    key: Option<&str>,
    slice: Option<&str>,
    header: &Header,
    elements: &Elements<'_>,
) -> Result<()> {
    let wrong = |text: String| match key {
        Some(key) => usage(options, &format!("{key}: {text}")),
        None => usage(options, &text),
    };
    let (mut view, mut dtype) = field::whole(header);
    if let Some(path) = &options.field {
        let found = field::field(&view, dtype, path);
        (view, dtype) = found.ok_or_else(|| wrong(format!("no field '{path}': {}", field::names(dtype))))?;
    }
    if let Some(slice) = slice {
        let index: Index = slice.parse().map_err(wrong)?;
        view = view.take(&index).map_err(wrong)?;
    }
    let shape = view.shape();
    let count = view.count().unwrap_or(usize::MAX);
    let summary = !options.json && print::is_large(&shape);
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
    let bytes = if count > 0 { elements.gather(&view, size, &shown)? } else { Cow::default() };

    let mut out = console.out();
    if options.json {
        let document = Document {
            schema: 1,
            file: options.file.to_string_lossy().into(),
            key,
            dtype: dtype.to_string(),
            shape: &shape,
            values: json::Nested { shape: &shape, bytes: &bytes, dtype },
        };
        crate::json::write(&mut out, &document)?;
    } else if shape.is_empty() {
        // On a terminal a text must not do more than be read.
        let terminal = console.terminal;
        let text = crate::text::from_fn(|f| match terminal {
            true => alone(&bytes, dtype, view.element, &mut Harmless(f)),
            false => alone(&bytes, dtype, view.element, f),
        });
        write!(out, "{text}")?;
    } else if count == 0 {
        out.write_all(b"[]")?;
    } else {
        let items = Items::new(&bytes, shown.iter().map(|axis| axis.count()).product(), dtype);
        let format = Format::new(&items, Among::Array);
        let element = |index: usize, out: &mut dyn fmt::Write| format.write(items.get(index), out);
        write!(out, "{}", Layout { shape: &shape, summary, element: &element })?;
    }
    out.write_all(b"\n")?;
    Ok(out.flush()?)
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
