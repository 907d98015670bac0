//! `npz cat`: one member on standard output, as `.npy`, as bytes, or as CSV.

use std::io::{self, Write};
use std::path::PathBuf;

use npzmap::{Dtype, Header, NpyArray};

use crate::args::Reading;
use crate::budget::Decoding;
use crate::console::{Console, Lines};
use crate::elements::{Pull, in_c_order};
use crate::exit::{Code, Failure, Problems, Result};
use crate::input::{BLOCK, Entry, Input};
use crate::leaves::{MOST, all_leaves};
use crate::progress::Progress;
use crate::shape;
use crate::text::text;

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz cat model.npz encoder/bias > bias.npy
  npz cat --raw model.npz encoder/bias | xxd
  npz cat --csv --header table.npz scores > scores.csv
  npz cat --raw archive.npz notes.txt

Without an option, what is written is the member byte for byte; of an array that is a .npy file. A key is not needed
where there is one member only, nor with a plain .npy file. CSV has the numbers with as many digits as tell
them apart, so that reading them gives the same array.")]
pub(crate) struct Options {
    /// The archive, or a .npy file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The key of the member
    #[arg(value_name = "KEY")]
    key: Option<String>,

    /// The elements alone: in C order, in the byte order of the file
    #[arg(long, conflicts_with = "csv")]
    raw: bool,

    /// As CSV, for one or two dimensions; a record's fields are columns
    #[arg(long)]
    csv: bool,

    /// The first line has the names of the columns: the key, c0, c1, …, or the record's fields
    #[arg(long, requires = "csv")]
    header: bool,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    decoding: Decoding,
}

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let input = Input::open(&options.file, &options.reading)?;
    let entry = input.entry(&options.file, options.key.as_deref())?;
    // What is passed on as it is need not be an array that can be read.
    let array = if options.csv || options.raw || console.terminal { entry.try_array()? } else { None };
    let mut out: Box<dyn Write> = Box::new(console.out());
    if console.terminal {
        if !options.csv && (array.is_some() || has_nul(&entry, &options.decoding)?) {
            let csv = if array.is_some() { ", or use --csv" } else { "" };
            let text = format!("binary data is not written to a terminal; redirect it{csv}");
            return Err(Failure::new(Code::Usage, text));
        }
        out = Box::new(Lines::new(out));
    }
    options.decoding.count(&entry, 1)?;
    let progress = Progress::new([entry.size()]);
    match array {
        Some(array) if options.csv => {
            write_csv(&entry, &array, &options.reading, options.header, &mut out, &progress)?;
        }
        Some(array) if options.raw => write_raw(&entry, &array, &options.reading, &mut out, &progress)?,
        None if options.csv => drop(entry.array()?), // says that it is none
        _ => entry.copy_to(&mut out, |bytes| progress.add(bytes))?,
    }
    out.flush()?;
    Ok(Problems::default())
}

/// What tells other bytes from text.
fn has_nul(entry: &Entry<'_>, decoding: &Decoding) -> Result<bool> {
    struct Nul(bool);

    impl Write for Nul {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 |= bytes.contains(&0);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    decoding.count(entry, 1)?;
    let mut nul = Nul(false);
    entry.copy_to(&mut nul, |_| {})?;
    Ok(nul.0)
}

fn write_raw(
    entry: &Entry<'_>,
    array: &NpyArray<'_>,
    reading: &Reading,
    out: &mut dyn Write,
    progress: &Progress,
) -> Result<()> {
    in_c_order(entry, array, reading, |elements| {
        let mut left = array.nbytes();
        let mut block = vec![0; BLOCK.min(left)];
        while left > 0 {
            let count = block.len().min(left);
            elements.pull(&mut block[..count])?;
            out.write_all(&block[..count])?;
            progress.add(count as u64);
            left -= count;
        }
        Ok(())
    })
}

/// An array of at most two dimensions, row by row.
pub(crate) fn write_csv(
    entry: &Entry<'_>,
    array: &NpyArray<'_>,
    reading: &Reading,
    names: bool,
    out: &mut dyn Write,
    progress: &Progress,
) -> Result<()> {
    check_csv(entry, array)?;
    let header = array.header();
    let across = columns_count(header);
    if names && (across > NAMED || values(header.dtype()).1 > LONGEST) {
        let text = format!("{}: {across} columns are too many to name", entry.key());
        return Err(Failure::new(Code::Unsupported, text));
    }
    if header.count() > 0 {
        // One row is held, which then is bytes that the file has.
        let items = if header.shape().len() == 2 { across } else { 1 };
        reading.check(&entry.key(), items.saturating_mul(header.dtype().item_size()))?;
    }
    in_c_order(entry, array, reading, |elements| {
        let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(out);
        if names {
            csv.write_record(columns(header, &entry.key())).map_err(output)?;
        }
        // Without elements there may be any number of rows, or of columns.
        if header.count() > 0 {
            write_rows(entry, header, elements, &mut csv, progress)?;
        }
        Ok(csv.flush()?)
    })
}

/// Whether an array has a form as CSV.
pub(crate) fn check_csv(entry: &Entry<'_>, array: &NpyArray<'_>) -> Result<()> {
    let (header, key) = (array.header(), entry.key());
    let dimensions = header.shape().len();
    if dimensions > 2 || (dimensions == 2 && !matches!(header.dtype(), Dtype::Scalar(_))) {
        let text = format!("{key}: CSV has two dimensions, the array of {} has {dimensions}", header.dtype());
        return Err(Failure::new(Code::Unsupported, text));
    }
    let zeros = [0; 16];
    let Some(scalars) = all_leaves(header.dtype()) else {
        let text = format!("{key}: more than {MOST} fields of scalars in a record have no form in CSV");
        return Err(Failure::new(Code::Unsupported, text));
    };
    let has_no_text = |size: usize| size > zeros.len();
    let unspeakable = scalars.iter().find(|leaf| {
        let (scalar, size) = (leaf.scalar, leaf.scalar.item_size());
        let is_text = matches!(scalar.kind(), npzmap::Kind::Str | npzmap::Kind::Bytes);
        !is_text && (has_no_text(size) || text(&zeros[..size], &scalar).is_none())
    });
    if let Some(leaf) = unspeakable {
        let text = format!("{key}: {} has no form in CSV", leaf.scalar);
        return Err(Failure::new(Code::Unsupported, text));
    }
    if header.dtype().item_size() == 0 && header.count() > 0 {
        return Err(Failure::new(Code::Unsupported, format!("{key}: items of 0 bytes have no form in CSV")));
    }
    Ok(())
}

/// More columns get no names.
const NAMED: usize = 1 << 20;
/// Nor do those whose names are longer together: a name of many bytes stands in the file once.
const LONGEST: usize = 1 << 26;

/// How many columns there are, or values in a record.
fn columns_count(header: &Header) -> usize {
    match header.shape() {
        [_, columns] => *columns,
        _ => values(header.dtype()).0,
    }
}

/// How many values there are in an item, and the bytes of their names, about.
fn values(dtype: &Dtype) -> (usize, usize) {
    const INDEX: usize = 16;
    match dtype {
        Dtype::Record(record) => record.fields().iter().fold((0, 0), |(count, length), field| {
            let (within, names) = values(field.dtype());
            let names = within.saturating_mul(field.name().len() + 1).saturating_add(names);
            (count.saturating_add(within), length.saturating_add(names))
        }),
        Dtype::Subarray(array) => {
            let (within, names) = values(array.base());
            let each = within.saturating_mul(INDEX).saturating_add(names);
            (shape::nbytes(array.shape(), within), shape::nbytes(array.shape(), each))
        }
        _ => (1, 0),
    }
}

fn columns(header: &Header, key: &str) -> Vec<String> {
    match (header.dtype(), header.shape()) {
        // Of a record, without the dot before the first name.
        (dtype @ Dtype::Record(_), _) => names(dtype).iter().filter_map(|name| name.get(1..)).map(Into::into).collect(),
        (_, [_, columns]) => (0..*columns).map(|index| format!("c{index}")).collect(),
        _ => vec![key.into()],
    }
}

/// The ends of the names of the columns that a dtype is, each from its dot or bracket on.
fn names(dtype: &Dtype) -> Vec<String> {
    match dtype {
        Dtype::Record(record) => {
            let within = |field: &npzmap::Field| {
                let ends = names(field.dtype()).into_iter();
                ends.map(|end| format!(".{}{end}", field.name())).collect::<Vec<_>>()
            };
            record.fields().iter().flat_map(within).collect()
        }
        Dtype::Subarray(array) => {
            let ends = names(array.base());
            // Of nothing there may be any number.
            let count = if ends.is_empty() { 0 } else { shape::count(array.shape()).unwrap_or(0) };
            (0..count).flat_map(|index| ends.iter().map(move |end| format!("[{index}]{end}"))).collect()
        }
        _ => vec![String::new()],
    }
}

fn write_rows(
    entry: &Entry<'_>,
    header: &Header,
    elements: &mut dyn Pull,
    csv: &mut csv::Writer<impl Write>,
    progress: &Progress,
) -> Result<()> {
    let leaves = all_leaves(header.dtype()).unwrap_or_default(); // `check_csv` has counted them
    let (rows, items) = match header.shape() {
        [rows, columns] => (*rows, *columns),
        [rows] => (*rows, 1),
        _ => (1, 1),
    };
    let size = header.dtype().item_size();
    let mut row = entry.zeroed(items * size)?;
    for number in 0..rows {
        elements.pull(&mut row)?;
        for item in row.chunks_exact(size.max(1)) {
            for leaf in &leaves {
                for range in leaf.ranges() {
                    let field = text(&item[range], &leaf.scalar).ok_or_else(|| {
                        let (key, scalar) = (entry.key(), leaf.scalar);
                        let text = format!("{key}: row {number} has no valid {scalar}; `npz check` tells where");
                        Failure::new(Code::Unreadable, text)
                    })?;
                    csv.write_field(field).map_err(output)?;
                }
            }
        }
        csv.write_record(None::<&[u8]>).map_err(output)?;
        progress.add(row.len() as u64);
    }
    Ok(())
}

fn output(error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Failure::Output(error),
        other => Failure::new(Code::Unsupported, format!("{other:?}")),
    }
}
