//! `npz ls`: what is in an archive, and what a map would do with it.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::args::Reading;
use crate::console::Console;
use crate::exit::{Problems, Result};
use crate::input::Input;
use crate::json::{self, Documents};
use crate::row::{Column, Row, Sum};
use crate::select::{Globs, Select};
use crate::table::Table;

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz ls model.npz
  npz model.npz --long
  npz ls --sort bytes --reverse --include 'encoder/*' model.npz
  npz ls --columns key,shape,map model.npz
  npz ls --json model.npz optimizer.npz

On a terminal it prints a table, and says how many arrays a map would borrow and what to do about the others; into a
pipe tab-separated lines with a header line, of several files with a column 'file'. The column 'map' says what
a memory map does with the array: 'borrow', or why it has to be copied: 'misaligned', 'compressed', 'byte-order'.")]
pub(crate) struct Options {
    /// The archives, or .npy files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// One JSON document; an array of them for several files
    #[arg(long)]
    json: bool,

    /// Also order, version of the .npy format, compressed size, ratio and CRC-32
    #[arg(short, long)]
    long: bool,

    /// The columns, in this order
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', conflicts_with = "long")]
    columns: Vec<Column>,

    /// Sort by a column; by default the order is that of the archive
    #[arg(short, long, value_name = "COLUMN")]
    sort: Option<Column>,

    /// Sort downwards
    #[arg(short, long, requires = "sort")]
    reverse: bool,

    #[command(flatten)]
    globs: Globs,

    #[command(flatten)]
    reading: Reading,
}

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let select = options.globs.compile()?;
    let mut out = console.out();
    let mut problems = Problems::default();
    let several = options.files.len() > 1;
    if options.json {
        let mut documents = Documents::new(&mut out, several);
        for path in &options.files {
            match Input::open(path, &options.reading) {
                Ok(input) => {
                    let list = List { options, console, select: &select, input: &input };
                    list.json(documents.next()?, path, &mut problems)?;
                }
                Err(failure) => {
                    documents.error(path, &failure)?;
                    problems.complain(console, failure);
                }
            }
        }
        documents.finish()?;
        return Ok(problems);
    }
    let columns = match &options.columns[..] {
        [] if options.long => Column::value_variants(),
        [] => Column::SHORT,
        columns => columns,
    };
    let header: Vec<_> = columns.iter().map(Column::name).collect();
    let mut table = Table::of_files(&mut out, console, &header, several)?;
    for path in &options.files {
        let Some(input) = problems.survive(console, Input::open(path, &options.reading))? else { continue };
        let list = List { options, console, select: &select, input: &input };
        let mut sum = Sum::default();
        table.begin(path)?;
        list.each(&mut problems, |row| {
            sum.add(&row);
            Ok(table.row(columns.iter().map(|column| row.cell(*column)).collect())?)
        })?;
        table.end(sum)?;
    }
    table.finish()?;
    out.flush()?;
    Ok(problems)
}

struct List<'a> {
    options: &'a Options,
    console: &'a Console,
    select: &'a Select,
    input: &'a Input,
}

impl List<'_> {
    /// The rows as they are looked at; all of them first only where they are sorted.
    fn each(&self, problems: &mut Problems, mut work: impl FnMut(Row) -> Result<()>) -> Result<()> {
        let mut rows = self.input.selected(self.select).map(|entry| Row::of(&entry, self.console, problems));
        let Some(column) = self.options.sort else { return rows.try_for_each(work) };
        let mut rows: Vec<_> = rows.map(|row| (row.sort_key(column), row)).collect();
        rows.sort_by(|(a, _), (b, _)| if self.options.reverse { b.cmp(a) } else { a.cmp(b) });
        rows.into_iter().try_for_each(|(_, row)| work(row))
    }

    /// One document, member by member as they are looked at.
    fn json(&self, out: &mut impl Write, path: &Path, problems: &mut Problems) -> Result<()> {
        json::begin(out, path, "members")?;
        let mut comma = "";
        self.each(problems, |row| {
            out.write_all(comma.as_bytes())?;
            json::write(&mut *out, &row)?;
            comma = ",";
            Ok(())
        })?;
        Ok(out.write_all(b"]}")?)
    }
}
