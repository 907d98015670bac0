//! CSV as an array: of a dtype that is given, or of the one that all cells have.

use npzmap::half::f16;
use npzmap::{ByteOrder, Dtype, Header, Kind, Order, Save, Scalar};

use clap::ValueEnum;

use crate::cells::Cells;

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

/// A CSV text and what its cells become. It is read twice: for the dtype and the shape, and to encode the elements.
pub(crate) struct Csv<'t> {
    text: &'t [u8],
    /// Whether the first row has the names of the columns.
    names: bool,
    header: Header,
    scalar: Scalar,
}

impl<'t> Csv<'t> {
    /// What is wrong with it is text.
    pub(crate) fn parse(text: &'t [u8], first_line: FirstLine, dtype: Option<&Dtype>) -> Result<Self, String> {
        if ends_in_quotes(text) {
            return Err("a quote that is not closed: the text ends within a cell".into());
        }
        // Names tell the number of columns, too. Without them nothing is an array of one dimension, as in `np.loadtxt`.
        let (mut rows, mut columns) = (0, 1);
        let (mut first, mut rest) = (Seen::new(), Seen::new());
        let mut cells = Cells::new(text);
        while let Some(cell) = cells.next()? {
            rows = cell.row + 1;
            let seen = if cell.row == 0 { &mut first } else { &mut rest };
            if cell.row == 0 {
                columns = cell.column + 1;
            }
            if dtype.is_none() || first_line == FirstLine::Auto {
                seen.note(cell.text);
            }
        }
        let names = match first_line {
            FirstLine::Yes => rows > 0,
            FirstLine::No => false,
            FirstLine::Auto => rows > 1 && first.texts == first.cells && rest.texts == 0,
        };
        rows -= usize::from(names);
        let shape = if columns == 1 { vec![rows] } else { vec![rows, columns] };
        let scalar = match dtype {
            Some(dtype) => *dtype.as_scalar().ok_or("CSV becomes an array of numbers or text, not of records")?,
            None if names => rest.infer()?,
            None => first.join(rest).infer()?,
        };
        let header = Header::new(scalar.into(), &shape, Order::C).map_err(|error| error.to_string())?;
        Ok(Csv { text, names, header, scalar })
    }

    /// What the elements will take.
    pub(crate) fn nbytes(&self) -> usize {
        self.header.nbytes()
    }

    pub(crate) fn encode(self) -> Result<Encoded, String> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(self.nbytes()).map_err(|_| format!("no memory for {} bytes", self.nbytes()))?;
        let mut cells = Cells::new(self.text);
        while let Some(cell) = cells.next()? {
            if self.names && cell.row == 0 {
                continue;
            }
            encode(cell.text, &self.scalar, &mut bytes).map_err(|problem| {
                format!("line {}, column {}: {} {problem}", cell.line, cell.column + 1, shortened(cell.text))
            })?;
        }
        Ok(Encoded { header: self.header, bytes })
    }
}

/// A cell within quotes, of which a message has so many characters at most.
fn shortened(cell: &str) -> String {
    const MOST: usize = 100;
    match cell.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}…", cell.get(..end).unwrap_or_default()),
        None => format!("{cell:?}"),
    }
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

/// What the cells are that were seen.
struct Seen {
    cells: usize,
    bools: usize,
    texts: usize,
    negative: bool,
    wide: bool,
    floats: bool,
    /// Characters of the longest.
    longest: usize,
}

impl Seen {
    fn new() -> Self {
        Seen { cells: 0, bools: 0, texts: 0, negative: false, wide: false, floats: false, longest: 1 }
    }

    fn note(&mut self, cell: &str) {
        self.cells += 1;
        self.longest = self.longest.max(cell.chars().count());
        match Cell::of(cell) {
            Cell::Bool => self.bools += 1,
            Cell::Int => self.negative |= cell.trim_start().starts_with('-'),
            Cell::UInt => self.wide = true,
            Cell::Empty | Cell::Float => self.floats = true,
            Cell::Text => self.texts += 1,
        }
    }

    fn join(self, other: Seen) -> Self {
        Seen {
            cells: self.cells + other.cells,
            bools: self.bools + other.bools,
            texts: self.texts + other.texts,
            negative: self.negative || other.negative,
            wide: self.wide || other.wide,
            floats: self.floats || other.floats,
            longest: self.longest.max(other.longest),
        }
    }

    /// The dtype of all cells, as NumPy's: `<i8`, `<u8`, `<f8`, `|b1`, or text of the longest.
    fn infer(&self) -> Result<Scalar, String> {
        let too_long = || "a cell is too long".to_owned();
        let (kind, size) = match () {
            () if self.texts > 0 || (self.bools > 0 && self.bools < self.cells) => {
                (Kind::Str, self.longest.checked_mul(4).ok_or_else(too_long)?)
            }
            () if self.bools > 0 => (Kind::Bool, 1),
            () if self.floats || self.cells == 0 || (self.wide && self.negative) => (Kind::Float, 8),
            () if self.wide => (Kind::UInt, 8),
            () => (Kind::Int, 8),
        };
        let order = if kind == Kind::Bool { ByteOrder::NotApplicable } else { ByteOrder::NATIVE };
        Scalar::new(kind, size, order).ok_or_else(too_long)
    }
}

/// Adds a cell as an element, of exactly its size: the bytes have the room already.
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
        Kind::Float => put(&float(cell, size).ok_or_else(unfit)?[..size], order, bytes),
        Kind::Complex => {
            let (re, im) = complex(cell).ok_or_else(unfit)?;
            for part in [re, im] {
                put(&float(part, size / 2).ok_or_else(unfit)?[..size / 2], order, bytes);
            }
        }
        Kind::Str if cell.chars().count() > size / 4 => return Err(unfit()),
        Kind::Str => {
            let end = bytes.len() + size;
            cell.chars().for_each(|c| put(&u32::from(c).to_le_bytes(), order, bytes));
            bytes.resize(end, 0);
        }
        Kind::Bytes if cell.len() > size => return Err(unfit()),
        Kind::Bytes => {
            let end = bytes.len() + size;
            bytes.extend(cell.as_bytes());
            bytes.resize(end, 0);
        }
        _ => return Err(format!("cannot become {scalar}: npz reads numbers, bools and text from CSV")),
    }
    Ok(())
}

/// Little-endian bytes in the order that is wanted.
fn put(little: &[u8], order: ByteOrder, bytes: &mut Vec<u8>) {
    bytes.extend(little);
    if order == ByteOrder::Big {
        let start = bytes.len() - little.len();
        bytes[start..].reverse();
    }
}

/// A float of so many bytes, little-endian; zeros follow.
fn float(cell: &str, size: usize) -> Option<[u8; 8]> {
    let cell = if cell.is_empty() { "nan" } else { cell };
    let mut bytes = [0; 8];
    match size {
        2 => bytes[..2].copy_from_slice(&f16::from_f64(cell.parse().ok()?).to_le_bytes()),
        4 => bytes[..4].copy_from_slice(&cell.parse::<f32>().ok()?.to_le_bytes()),
        8 => bytes = cell.parse::<f64>().ok()?.to_le_bytes(),
        _ => return None,
    }
    Some(bytes)
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
