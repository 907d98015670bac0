//! Rows of text: aligned on a terminal, tab-separated in a pipe.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use npzmap::Escaped;

use crate::console::{Console, Style};

/// Rows that fix the widths, unless their text is longer than this; after them, printing does not wait any more.
const MEASURED: usize = 100;
const WAITING: usize = 1 << 20;

pub(crate) struct Table<'c, W> {
    out: W,
    console: &'c Console,
    layout: Layout,
    /// Rows that wait for the widths.
    waiting: Vec<Vec<Cell>>,
    /// The header, where each file has a table of its own.
    header: Option<Vec<String>>,
    /// The first column, where all files are in one table.
    file: Option<String>,
}

enum Layout {
    Tabs,
    Measuring,
    Columns(Vec<usize>),
}

/// Text without control characters.
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, style: Style) -> Self {
        Cell { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell::new(text, Style::Plain)
    }
}

impl<'c, W: Write> Table<'c, W> {
    pub(crate) fn new(out: W, console: &'c Console, header: &[&str]) -> io::Result<Self> {
        Table::of_files(out, console, header, false)
    }

    /// For the rows of several files: on a terminal each has a table under its name, in a pipe all are in one, with a column
    /// for the name.
    pub(crate) fn of_files(out: W, console: &'c Console, header: &[&str], several: bool) -> io::Result<Self> {
        let layout = if console.terminal { Layout::Measuring } else { Layout::Tabs };
        let header: Vec<_> = header.iter().map(|name| String::from(*name)).collect();
        let mut table = Table { out, console, layout, waiting: Vec::new(), header: None, file: None };
        if several && console.terminal {
            table.header = Some(header);
            return Ok(table);
        }
        let file = several.then(|| String::from("file"));
        table.row(heading(file.into_iter().chain(header)))?;
        table.file = several.then(String::new);
        Ok(table)
    }

    /// What follows is of this file.
    pub(crate) fn begin(&mut self, path: &Path) -> io::Result<()> {
        let name = Escaped(&path.to_string_lossy()).to_string();
        if let Some(header) = &self.header {
            writeln!(self.out, "{name}:")?;
            self.waiting.push(heading(header.iter().cloned()));
            self.layout = Layout::Measuring;
        }
        if let Some(file) = &mut self.file {
            *file = name;
        }
        Ok(())
    }

    /// The rows of a file are complete.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        self.settle()
    }

    /// The same. On a terminal they end with a line of text; in a pipe it would not be a row.
    pub(crate) fn end(&mut self, text: impl Display) -> io::Result<()> {
        self.settle()?;
        if self.console.terminal { writeln!(self.out, "{text}") } else { Ok(()) }
    }

    pub(crate) fn row(&mut self, mut cells: Vec<Cell>) -> io::Result<()> {
        if let Some(file) = &self.file {
            cells.insert(0, file.as_str().into());
        }
        match &self.layout {
            Layout::Tabs => {
                let cells: Vec<_> = cells.iter().map(|cell| self.console.paint(cell.style, &cell.text)).collect();
                writeln!(self.out, "{}", cells.join("\t"))
            }
            Layout::Columns(widths) => write_aligned(&mut self.out, self.console, widths, &cells),
            Layout::Measuring => {
                self.waiting.push(cells);
                let length: usize = self.waiting.iter().flatten().map(|cell| cell.text.len()).sum();
                if self.waiting.len() > MEASURED || length > WAITING { self.measure() } else { Ok(()) }
            }
        }
    }

    fn measure(&mut self) -> io::Result<()> {
        let mut widths = Vec::new();
        for row in &self.waiting {
            widths.resize(row.len().max(widths.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.text.chars().count().max(*width);
            }
        }
        for row in self.waiting.drain(..) {
            write_aligned(&mut self.out, self.console, &widths, &row)?;
        }
        self.layout = Layout::Columns(widths);
        Ok(())
    }

    /// Prints what waits.
    fn settle(&mut self) -> io::Result<()> {
        if let Layout::Measuring = self.layout { self.measure() } else { Ok(()) }
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.settle()
    }
}

fn heading(names: impl Iterator<Item = String>) -> Vec<Cell> {
    names.map(|name| Cell::new(name, Style::Heading)).collect()
}

fn write_aligned(out: &mut impl Write, console: &Console, widths: &[usize], cells: &[Cell]) -> io::Result<()> {
    let mut line = String::new();
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let is_number = cell.text.starts_with(|c: char| c.is_ascii_digit());
        let blanks = " ".repeat(width.saturating_sub(cell.text.chars().count()));
        let text = console.paint(cell.style, &cell.text);
        line.push_str(if index > 0 { "  " } else { "" });
        line.push_str(&if is_number { blanks + &text } else { text + &blanks });
    }
    writeln!(out, "{}", line.trim_end())
}
