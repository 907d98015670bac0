//! CSV as an array: of a dtype that is given, or of the one that all cells have.

use csv::StringRecord;
use npzmap::half::f16;
use npzmap::{ByteOrder, Dtype, Header, Kind, Order, Save, Scalar};

use clap::ValueEnum;

/// Elements as they will lie in the file.
pub(crate) struct Encoded {
    header: Header,
    bytes: Vec<u8>,
}

impl Save for Encoded {
    fn header(&self) -> npzmap::Result<Header> {
        Ok(self.header.clone())
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        Some(&self.bytes)
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> npzmap::Result<()>) -> npzmap::Result<()> {
        put(&self.bytes)
    }
}

/// Whether the first line names the columns.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FirstLine {
    /// If it has no number, and all others have nothing else.
    Auto,
    Yes,
    No,
}

/// Whether the last cell begins with a quote and has no other (RFC 4180); it would take in all lines that follow.
fn ends_in_quotes(text: &[u8]) -> bool {
    let (mut starts, mut quoted) = (true, false);
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.peek() == Some(&&b'"') => drop(bytes.next()),
            b'"' if quoted => quoted = false,
            b'"' if starts => quoted = true,
            _ => {}
        }
        starts = !quoted && matches!(byte, b',' | b'\n' | b'\r');
    }
    quoted
}

/// The cells of a CSV and what they become.
pub(crate) struct Csv {
    rows: Vec<StringRecord>,
    header: Header,
    scalar: Scalar,
}

impl Csv {
    /// What is wrong with it is text.
    pub(crate) fn parse(text: &[u8], first_line: FirstLine, dtype: Option<&Dtype>) -> Result<Self, String> {
        if ends_in_quotes(text) {
            return Err("a quote that is not closed: the text ends within a cell".into());
        }
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text);
        let mut rows = reader.records().collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        // Names tell the number of columns, too. Without them nothing is an array of one dimension, as in `np.loadtxt`.
        let columns = rows.first().map_or(1, StringRecord::len);
        let names = match first_line {
            FirstLine::Yes => true,
            FirstLine::No => false,
            FirstLine::Auto => names_columns(&rows),
        };
        if names && !rows.is_empty() {
            rows.remove(0);
        }
        let shape = if columns == 1 { vec![rows.len()] } else { vec![rows.len(), columns] };
        let scalar = match dtype {
            Some(dtype) => *dtype.as_scalar().ok_or("CSV becomes an array of numbers or text, not of records")?,
            None => infer(&rows)?,
        };
        let header = Header::new(scalar.into(), &shape, Order::C).map_err(|error| error.to_string())?;
        Ok(Csv { rows, header, scalar })
    }

    /// What the elements will take.
    pub(crate) fn nbytes(&self) -> usize {
        self.header.nbytes()
    }

    pub(crate) fn encode(self) -> Result<Encoded, String> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(self.nbytes()).map_err(|_| format!("no memory for {} bytes", self.nbytes()))?;
        for (index, row) in self.rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let encoded = encode(cell, &self.scalar, &mut bytes);
                let line = row.position().map_or(index as u64 + 1, csv::Position::line);
                encoded.map_err(|problem| format!("line {line}, column {}: {cell:?} {problem}", column + 1))?;
            }
        }
        Ok(Encoded { header: self.header, bytes })
    }
}

fn names_columns(rows: &[StringRecord]) -> bool {
    let Some((first, rest)) = rows.split_first() else { return false };
    let is_number = |cell: &str| !matches!(Cell::of(cell), Cell::Text);
    !rest.is_empty()
        && first.iter().all(|cell| !cell.is_empty() && !is_number(cell))
        && rest.iter().all(|row| row.iter().all(is_number))
}

/// What a cell can be read as.
enum Cell {
    /// As a float it is NaN.
    Empty,
    Bool,
    Int,
    /// Above what `Int` holds.
    UInt,
    Float,
    Text,
}

impl Cell {
    fn of(text: &str) -> Self {
        match text.trim() {
            "" => Cell::Empty,
            "True" | "False" | "true" | "false" => Cell::Bool,
            text if text.parse::<i64>().is_ok() => Cell::Int,
            text if text.parse::<u64>().is_ok() => Cell::UInt,
            text if text.parse::<f64>().is_ok() => Cell::Float,
            _ => Cell::Text,
        }
    }
}

/// The dtype of all cells, as NumPy's: `<i8`, `<u8`, `<f8`, `|b1`, or text of the longest.
fn infer(rows: &[StringRecord]) -> Result<Scalar, String> {
    let (mut bools, mut negative, mut wide, mut floats, mut texts, mut longest) =
        (0_usize, false, false, false, false, 1);
    let mut cells = 0;
    for cell in rows.iter().flatten() {
        cells += 1;
        longest = longest.max(cell.chars().count());
        match Cell::of(cell) {
            Cell::Bool => bools += 1,
            Cell::Int => negative |= cell.trim_start().starts_with('-'),
            Cell::UInt => wide = true,
            Cell::Empty | Cell::Float => floats = true,
            Cell::Text => texts = true,
        }
    }
    let (kind, size) = match () {
        () if texts || (bools > 0 && bools < cells) => (Kind::Str, longest * 4),
        () if bools > 0 => (Kind::Bool, 1),
        () if floats || cells == 0 || (wide && negative) => (Kind::Float, 8),
        () if wide => (Kind::UInt, 8),
        () => (Kind::Int, 8),
    };
    let order = if kind == Kind::Bool { ByteOrder::NotApplicable } else { ByteOrder::NATIVE };
    Scalar::new(kind, size, order).ok_or_else(|| "a cell is too long".into())
}

/// Adds a cell as an element.
fn encode(cell: &str, scalar: &Scalar, bytes: &mut Vec<u8>) -> Result<(), String> {
    let (order, size) = (scalar.byte_order(), scalar.item_size());
    let unfit = || format!("is no {scalar}");
    // Blanks around a number are nothing, in a text they are part of it.
    let cell = if matches!(scalar.kind(), Kind::Str | Kind::Bytes) { cell } else { cell.trim() };
    match scalar.kind() {
        Kind::Bool => bytes.push(match cell {
            "True" | "true" | "1" => 1,
            "False" | "false" | "0" => 0,
            _ => return Err(unfit()),
        }),
        Kind::Int | Kind::UInt => {
            let value: i128 = cell.parse().map_err(|_| unfit())?;
            let bits = size as u32 * 8;
            let (least, most) = match scalar.kind() {
                Kind::Int => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
                _ => (0, (1_i128 << bits) - 1),
            };
            if value < least || value > most {
                return Err(unfit());
            }
            put(&value.to_le_bytes()[..size], order, bytes);
        }
        Kind::Float => put(&float(cell, size).ok_or_else(unfit)?, order, bytes),
        Kind::Complex => {
            let (re, im) = complex(cell).ok_or_else(unfit)?;
            for part in [re, im] {
                put(&float(part, size / 2).ok_or_else(unfit)?, order, bytes);
            }
        }
        Kind::Str => {
            let end = bytes.len() + size;
            cell.chars().for_each(|c| put(&u32::from(c).to_le_bytes(), order, bytes));
            fill(bytes, end).ok_or_else(unfit)?;
        }
        Kind::Bytes => {
            let end = bytes.len() + size;
            bytes.extend(cell.as_bytes());
            fill(bytes, end).ok_or_else(unfit)?;
        }
        _ => return Err(format!("cannot become {scalar}: npz reads numbers, bools and text from CSV")),
    }
    Ok(())
}

fn fill(bytes: &mut Vec<u8>, end: usize) -> Option<()> {
    (bytes.len() <= end).then(|| bytes.resize(end, 0))
}

/// Little-endian bytes in the order that is wanted.
fn put(little: &[u8], order: ByteOrder, bytes: &mut Vec<u8>) {
    bytes.extend(little);
    if order == ByteOrder::Big {
        let start = bytes.len() - little.len();
        bytes[start..].reverse();
    }
}

fn float(cell: &str, size: usize) -> Option<Vec<u8>> {
    let cell = if cell.is_empty() { "nan" } else { cell };
    Some(match size {
        2 => f16::from_f64(cell.parse().ok()?).to_le_bytes().into(),
        4 => cell.parse::<f32>().ok()?.to_le_bytes().into(),
        8 => cell.parse::<f64>().ok()?.to_le_bytes().into(),
        _ => return None,
    })
}

/// `1.5-2.0j`, as Python prints it, parentheses or not.
fn complex(cell: &str) -> Option<(&str, &str)> {
    let cell = cell.strip_prefix('(').and_then(|cell| cell.strip_suffix(')')).unwrap_or(cell);
    let Some(parts) = cell.strip_suffix('j') else { return Some((cell, "0")) };
    // The last sign that belongs to no exponent.
    let mut signs =
        parts.char_indices().filter(|(at, c)| matches!(c, '+' | '-') && *at > 0 && !parts[..*at].ends_with(['e', 'E']));
    Some(signs.next_back().map_or(("0", parts), |(at, _)| parts.split_at(at)))
}
