//! The cells of a CSV text, one after the other: no more than one is held beside the text.

use csv_core::{ReadFieldResult, Reader};

/// One cell, and where it was found.
pub(crate) struct Cell<'c> {
    pub(crate) text: &'c str,
    /// The record and the field of the record, from 0.
    pub(crate) row: usize,
    pub(crate) column: usize,
    /// The line of the text in which the record starts, from 1.
    pub(crate) line: u64,
}

pub(crate) struct Cells<'t> {
    text: &'t [u8],
    at: usize,
    reader: Box<Reader>,
    cell: Vec<u8>,
    row: usize,
    column: usize,
    /// Fields of the first record, which all others must have.
    columns: Option<usize>,
    /// Where the record starts.
    line: u64,
    byte: usize,
    /// The first cell of the record that is not UTF-8.
    invalid: Option<String>,
}

impl<'t> Cells<'t> {
    pub(crate) fn new(text: &'t [u8]) -> Self {
        let reader = Box::new(Reader::new());
        let (at, row, column, columns, line, byte) = (0, 0, 0, None, 1, 0);
        Cells { text, at, reader, cell: Vec::new(), row, column, columns, line, byte, invalid: None }
    }

    /// Notes where the next record starts: after the rest of a line end, and after empty lines, which are no records.
    fn begin_record(&mut self) {
        let left = self.text.get(self.at..).unwrap_or_default();
        let ends = left.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        (self.line, self.byte) = (self.reader.line(), self.at);
        for end in ends {
            self.line += u64::from(*end == b'\n');
            self.byte += 1;
        }
    }

    /// Returns the next cell, `None` at the end, or what is wrong with the text.
    pub(crate) fn next(&mut self) -> Result<Option<Cell<'_>>, String> {
        if self.column == 0 {
            self.begin_record();
        }
        let mut length = 0;
        let ends_record = loop {
            let input = self.text.get(self.at..).unwrap_or_default();
            let output = self.cell.get_mut(length..).unwrap_or_default();
            let (result, read, written) = self.reader.read_field(input, output);
            self.at += read;
            length += written;
            match result {
                // Without input, the next call ends the last record.
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::OutputFull => self.grow()?,
                ReadFieldResult::Field { record_end } => break record_end,
                ReadFieldResult::End => return Ok(None),
            }
        };
        let (row, column, line) = (self.row, self.column, self.line);
        let text = str::from_utf8(self.cell.get(..length).unwrap_or_default()).unwrap_or_else(|error| {
            let (byte, near) = (self.byte, error.valid_up_to());
            self.invalid.get_or_insert_with(|| {
                format!(
                    "CSV parse error: record {row} (line {line}, field: {column}, byte: {byte}): invalid utf-8: invalid \
                     UTF-8 in field {column} near byte index {near}"
                )
            });
            ""
        });
        self.column += 1;
        if ends_record {
            let (byte, count) = (self.byte, self.column);
            let columns = *self.columns.get_or_insert(count);
            if count != columns {
                return Err(format!(
                    "CSV error: record {row} (line: {line}, byte: {byte}): found record with {count} fields, but the \
                     previous record has {columns} fields"
                ));
            }
            if let Some(problem) = self.invalid.take() {
                return Err(problem);
            }
            (self.row, self.column) = (self.row + 1, 0);
        }
        Ok(Some(Cell { text, row, column, line }))
    }

    /// Makes room for a longer cell. None is longer than the text.
    fn grow(&mut self) -> Result<(), String> {
        const FIRST: usize = 256;
        let length = self.cell.len().saturating_mul(2).min(self.text.len()).max(self.cell.len() + FIRST);
        let more = length - self.cell.len();
        self.cell.try_reserve_exact(more).map_err(|_| format!("no memory for {length} bytes"))?;
        self.cell.resize(length, 0);
        Ok(())
    }
}
