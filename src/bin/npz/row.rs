//! A member as `ls` lists it: its columns, and what the list comes to.

use std::cmp::Ordering;
use std::fmt;

use clap::ValueEnum;
use npzmap::{Access, Error, Escaped, Method, NpyArray, Order};
use serde::Serialize;

use crate::console::{Console, Style};
use crate::exit::Problems;
use crate::input::Entry;
use crate::table::Cell;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Column {
    Key,
    Dtype,
    Shape,
    Method,
    Bytes,
    Offset,
    Align,
    Map,
    Order,
    Npy,
    Compressed,
    Ratio,
    Crc32,
}

impl Column {
    /// Without `--long`.
    pub(crate) const SHORT: &[Column] = &[
        Column::Key,
        Column::Dtype,
        Column::Shape,
        Column::Method,
        Column::Bytes,
        Column::Offset,
        Column::Align,
        Column::Map,
    ];

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Column::Key => "key",
            Column::Dtype => "dtype",
            Column::Shape => "shape",
            Column::Method => "method",
            Column::Bytes => "bytes",
            Column::Offset => "offset",
            Column::Align => "align",
            Column::Map => "map",
            Column::Order => "order",
            Column::Npy => "npy",
            Column::Compressed => "compressed",
            Column::Ratio => "ratio",
            Column::Crc32 => "crc32",
        }
    }
}

/// A member, as `--json` prints it.
#[derive(Serialize)]
pub(crate) struct Row {
    key: String,
    name: String,
    kind: &'static str,
    dtype: Option<String>,
    shape: Option<Vec<usize>>,
    order: Option<&'static str>,
    size: u64,
    nbytes: Option<u64>,
    compressed_size: u64,
    method: String,
    crc32: Option<u32>,
    payload_offset: Option<u64>,
    alignment: Option<u64>,
    access: Option<&'static str>,
    reason: Option<&'static str>,
    error: Option<String>,
    #[serde(skip)]
    version: Option<(u8, u8)>,
    /// Whether alignment, and inflating, are all that keeps it from being borrowed.
    #[serde(skip)]
    mendable: bool,
}

impl Row {
    pub(crate) fn of(entry: &Entry<'_>, console: &Console, problems: &mut Problems) -> Row {
        let mut row = Row {
            key: entry.key().into(),
            name: entry.name().into(),
            kind: "array",
            dtype: None,
            shape: None,
            order: None,
            size: entry.size(),
            nbytes: None,
            compressed_size: entry.compressed_size(),
            method: entry.method().to_string(),
            crc32: entry.crc32(),
            payload_offset: None,
            alignment: None,
            access: None,
            reason: None,
            error: None,
            version: None,
            mendable: false,
        };
        if let Err(error) = row.look(entry) {
            row.kind = "error";
            row.error = Some(error.to_string());
            problems.complain(console, error.into());
        }
        row
    }

    fn look(&mut self, entry: &Entry<'_>) -> Result<(), Error> {
        match entry.try_array()? {
            Some(array) => self.describe(&array),
            None => {
                self.kind = "bytes";
                self.payload_offset = entry.content_offset()?;
            }
        }
        self.alignment = self.payload_offset.map(alignment);
        Ok(())
    }

    fn describe(&mut self, array: &NpyArray<'_>) {
        let header = array.header();
        self.dtype = Some(header.dtype().to_string());
        self.shape = Some(header.shape().to_vec());
        self.order = Some(match header.order() {
            Order::C => "C",
            Order::Fortran => "F",
        });
        self.nbytes = Some(header.nbytes() as u64);
        self.version = Some(header.version());
        self.mendable = header.dtype().is_native() || header.count() == 0;
        self.payload_offset = array.data_offset();
        match array.access_in_map() {
            Ok(Access::Borrow) => self.access = Some("borrow"),
            Ok(Access::Copy(reason)) => {
                self.access = Some("copy");
                self.reason = Some(reason.as_str());
            }
            // It can be taken in no way.
            Err(_) => self.reason = Some("object"),
        }
    }

    pub(crate) fn cell(&self, column: Column) -> Cell {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let number = |number: Option<u64>| or_dash(number.map(|number| number.to_string()));
        let style = match (column, self.access) {
            (Column::Map, Some("borrow")) => Style::Good,
            (Column::Map, _) if self.kind == "array" => Style::Notable,
            _ if self.kind == "error" => Style::Bad,
            _ => Style::Plain,
        };
        let text = match column {
            Column::Key => Escaped(&self.key).to_string(),
            Column::Dtype => Escaped(self.dtype.as_deref().unwrap_or(self.kind)).to_string(),
            Column::Shape => or_dash(self.shape.as_deref().map(tuple)),
            Column::Method => self.method.clone(),
            Column::Bytes => self.bytes().to_string(),
            Column::Offset => number(self.payload_offset),
            Column::Align => number(self.alignment),
            Column::Map => self.map().into(),
            Column::Order => self.order.unwrap_or("-").into(),
            Column::Npy => or_dash(self.version.map(|(major, minor)| format!("{major}.{minor}"))),
            Column::Compressed => self.compressed_size.to_string(),
            Column::Ratio => match self.ratio() {
                ratio if ratio.is_finite() => format!("{ratio:.2}"),
                _ => "-".into(),
            },
            Column::Crc32 => or_dash(self.crc32.map(|crc| format!("{crc:08x}"))),
        };
        Cell::new(text, style)
    }

    fn bytes(&self) -> u64 {
        self.nbytes.unwrap_or(self.size)
    }

    fn map(&self) -> &'static str {
        self.reason.or(self.access).unwrap_or("-")
    }

    fn ratio(&self) -> f64 {
        self.size as f64 / self.compressed_size as f64
    }

    /// Numbers are sorted as numbers, the rest as text.
    pub(crate) fn sort_key(&self, column: Column) -> SortKey {
        SortKey(match column {
            Column::Key => (0.0, self.key.clone()),
            Column::Dtype => (0.0, self.dtype.clone().unwrap_or_default()),
            Column::Shape => (self.shape.as_deref().map_or(-1.0, count), String::new()),
            Column::Method => (0.0, self.method.clone()),
            Column::Bytes => (self.bytes() as f64, String::new()),
            Column::Offset => (self.payload_offset.map_or(-1.0, |offset| offset as f64), String::new()),
            Column::Align => (self.alignment.map_or(-1.0, |align| align as f64), String::new()),
            Column::Map => (0.0, self.map().into()),
            Column::Order => (0.0, self.order.unwrap_or_default().into()),
            Column::Npy => (self.version.map_or(0.0, |(major, _)| major.into()), String::new()),
            Column::Compressed => (self.compressed_size as f64, String::new()),
            Column::Ratio => (self.ratio(), String::new()),
            Column::Crc32 => (self.crc32.map_or(-1.0, f64::from), String::new()),
        })
    }
}

pub(crate) struct SortKey((f64, String));

impl SortKey {
    pub(crate) fn cmp(&self, other: &Self) -> Ordering {
        let (SortKey((a, text_a)), SortKey((b, text_b))) = (self, other);
        a.total_cmp(b).then_with(|| text_a.cmp(text_b))
    }
}

fn count(shape: &[usize]) -> f64 {
    shape.iter().map(|length| *length as f64).product()
}

/// The largest power of two up to a page that divides an offset.
pub(crate) fn alignment(offset: u64) -> u64 {
    const PAGE: u64 = 4096;
    (1 << offset.trailing_zeros().min(63)).min(PAGE)
}

/// `(3, 4)`, as Python prints it.
pub(crate) fn tuple(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        shape => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// What a list comes to, and what to do about it.
#[derive(Default)]
pub(crate) struct Sum {
    arrays: u64,
    borrowed: u64,
    /// Aligned they would be borrowed; or else stored and aligned.
    misaligned: u64,
    compressed: u64,
    swapped: u64,
    pickled: u64,
    /// Damaged, or ambiguous.
    refused: u64,
}

impl Sum {
    pub(crate) fn add(&mut self, row: &Row) {
        let compressed = row.method != Method::Stored.to_string();
        self.arrays += u64::from(row.kind == "array");
        self.refused += u64::from(row.kind == "error");
        match row.access {
            Some("borrow") => self.borrowed += 1,
            Some(_) if !row.mendable => self.swapped += 1,
            Some(_) if compressed => self.compressed += 1,
            Some(_) => self.misaligned += 1,
            None if row.kind == "array" => self.pickled += 1,
            None => {}
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sum { arrays, borrowed, .. } = *self;
        let (plural, verb) = if arrays == 1 { ("", "maps") } else { ("s", "map") };
        write!(f, "{borrowed} of {arrays} array{plural} {verb} without a copy")?;
        let mendable = self.misaligned + self.compressed;
        let command = if self.compressed > 0 { "npz align --store" } else { "npz align" };
        match borrowed + mendable {
            _ if mendable == 0 => {}
            all if all == arrays => write!(f, "; `{command}` makes it all of them")?,
            more => write!(f, "; `{command}` makes it {more}")?,
        }
        if self.swapped > 0 {
            write!(f, "; {} of the other byte order, which NumPy's `astype` changes", self.swapped)?;
        }
        if self.pickled > 0 {
            write!(f, "; {} of pickled objects, which only NumPy reads", self.pickled)?;
        }
        if self.refused > 0 {
            write!(f, "; {} cannot be read, and `npz check` tells why", self.refused)?;
        }
        Ok(())
    }
}
