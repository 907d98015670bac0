//! Rows of text: aligned on a terminal, tab-separated in a pipe.

use std::io::{self, Write};

/// Rows that fix the widths; after them, printing does not wait any more.
const MEASURED: usize = 100;

pub(crate) struct Table<W> {
    out: W,
    layout: Layout,
    /// Rows that wait for the widths.
    waiting: Vec<Vec<String>>,
}

enum Layout {
    Tabs,
    Measuring,
    Columns(Vec<usize>),
}

impl<W: Write> Table<W> {
    pub(crate) fn new(out: W, terminal: bool, header: &[&str]) -> io::Result<Self> {
        let layout = if terminal { Layout::Measuring } else { Layout::Tabs };
        let mut table = Table { out, layout, waiting: Vec::new() };
        table.row(header.iter().map(|name| name.to_string()).collect())?;
        Ok(table)
    }

    /// A row; its cells hold no control characters.
    pub(crate) fn row(&mut self, cells: Vec<String>) -> io::Result<()> {
        match &self.layout {
            Layout::Tabs => writeln!(self.out, "{}", cells.join("\t")),
            Layout::Columns(widths) => write_aligned(&mut self.out, widths, &cells),
            Layout::Measuring => {
                self.waiting.push(cells);
                if self.waiting.len() > MEASURED { self.measure() } else { Ok(()) }
            }
        }
    }

    fn measure(&mut self) -> io::Result<()> {
        let mut widths = Vec::new();
        for row in &self.waiting {
            widths.resize(row.len().max(widths.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in self.waiting.drain(..) {
            write_aligned(&mut self.out, &widths, &row)?;
        }
        self.layout = Layout::Columns(widths);
        Ok(())
    }

    /// Prints what waits, and gives the output back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if let Layout::Measuring = self.layout {
            self.measure()?;
        }
        Ok(self.out)
    }
}

fn write_aligned(out: &mut impl Write, widths: &[usize], cells: &[String]) -> io::Result<()> {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let number = cell.starts_with(|c: char| c.is_ascii_digit());
        let filling = width.saturating_sub(cell.chars().count());
        let blanks = " ".repeat(filling);
        line.push_str(&if number { blanks + cell } else { cell.clone() + &blanks });
        line.push_str("  ");
    }
    writeln!(out, "{}", line.trim_end())
}
