//! `npz stat`: count, range, mean, deviation and distribution of the elements, in bounded memory.

mod bins;
mod column;
mod figures;
mod moments;
mod report;
mod scan;

use std::io::Write;
use std::path::PathBuf;

use npzmap::{ErrorKind, Header, Method, NpyArray};
use rayon::prelude::*;

use crate::args::Reading;
use crate::budget::Decoding;
use crate::console::{Console, Style};
use crate::exit::{Code, Failure, Problems, Result};
use crate::input::{Entry, Input};
use crate::json::{self, Documents};
use crate::progress::Progress;
use crate::select::{Globs, Select};
use crate::table::Table;
pub(crate) use bins::Bins;
pub(crate) use column::Column;
use column::columns;
pub(crate) use figures::Scratch;
use figures::{Figures, Texts};
pub(crate) use moments::extremes;
use report::{Document, Report};
pub(crate) use report::{general, rounded};
use scan::{Pass, is_wide, scan};

#[derive(clap::Args)]
#[command(override_usage = "npz stat [OPTIONS] FILE [KEY]...")]
#[command(after_long_help = "\
Examples:
  npz stat model.npz
  npz stat model.npz encoder/weight encoder/bias
  npz stat --histogram --bins 10 weights.npy
  npz stat --bf16 --json model.npz optimizer.npz

Min, max, mean, std and the histogram are those of the finite elements: NaN and infinities are counted beside them. Std
is the root of the mean squared distance from the mean, as np.std has it. Of complex numbers min, max and the histogram
are of absolute values; of dates and times 'nan' counts NaT; of strings min and max are the first and the last as NumPy
sorts them, and 'zeros' counts the empty ones. Records have a row for each field. The figures are the same for any
number of threads; RAYON_NUM_THREADS sets it. The array is read once for the figures and once for the histogram.")]
pub(crate) struct Options {
    /// An archive or a .npy file, and the keys of arrays in it; all without any. An argument that is no key, and names
    /// a file or ends in .npz, is another file
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// One JSON document; an array of them for several files
    #[arg(long)]
    json: bool,

    /// The histogram alone: each bin with its borders and its count
    #[arg(long, conflicts_with = "no_histogram")]
    histogram: bool,

    /// No histogram: the file is read only once
    #[arg(long)]
    no_histogram: bool,

    /// Bins of the histogram
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=4096))]
    bins: u32,

    /// Take two bytes without a dtype ('|V2') as bfloat16, which ml_dtypes writes so
    #[arg(long)]
    bf16: bool,

    #[command(flatten)]
    globs: Globs,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    decoding: Decoding,
}

/// A file, and the keys that were asked for. It is opened when its turn comes: there may be more files than a process can
/// hold open.
struct Wanted {
    path: PathBuf,
    /// None are all.
    keys: Option<Vec<String>>,
}

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let select = options.globs.compile()?;
    let mut problems = Problems::default();
    let mut out = console.out();
    let files = wanted(options)?;
    let several = files.len() > 1;
    let open = |file: &Wanted| Input::open(&file.path, &options.reading);
    if options.json {
        let mut documents = Documents::new(&mut out, several);
        for file in &files {
            match open(file) {
                Ok(input) => Stat { options, console, select: &select, file, input: &input }
                    .json(documents.next()?, &mut problems)?,
                Err(failure) => {
                    documents.error(&file.path, &failure)?;
                    problems.complain(console, failure);
                }
            }
        }
        documents.finish()?;
        return Ok(problems);
    }
    let header = if options.histogram { report::BINS } else { report::COLUMNS };
    let mut table = Table::of_files(&mut out, console, header, several)?;
    for file in &files {
        let Some(input) = problems.survive(console, open(file))? else { continue };
        table.begin(&file.path)?;
        Stat { options, console, select: &select, file, input: &input }.rows(&mut table, &mut problems)?;
        table.close()?;
    }
    table.finish()?;
    out.flush()?;
    Ok(problems)
}

/// Tells keys and files apart.
fn wanted(options: &Options) -> Result<Vec<Wanted>> {
    let mut files: Vec<Wanted> = Vec::new();
    // That of the last one; none if it cannot be read.
    let mut input = None;
    for argument in &options.files {
        let key = argument.to_string_lossy();
        let is_key = match &input {
            Some(input) => Input::find(input, &key)?.is_some(),
            None => false,
        };
        let is_archive = argument.extension().is_some_and(|extension| extension == "npz");
        match files.last_mut() {
            // What is neither is a mistyped key.
            Some(file) if is_key || !(is_archive || argument.is_file()) => {
                file.keys.get_or_insert_default().push(key.into_owned());
            }
            _ => {
                input = Input::open(argument, &options.reading).ok();
                files.push(Wanted { path: argument.clone(), keys: None });
            }
        }
    }
    Ok(files)
}

struct Stat<'a> {
    options: &'a Options,
    console: &'a Console,
    select: &'a Select,
    file: &'a Wanted,
    input: &'a Input,
}

/// The header of an array, and the figures of its columns; or what is wrong with it.
type Found<E = Failure> = Result<(Header, Vec<Report>), E>;

/// What is looked at side by side: arrays, and together their columns, and the bytes of their headers, unless one has more.
struct Batch<'a> {
    found: Vec<Looked<'a>>,
    columns: usize,
    headers: usize,
    decoders: usize,
}

/// An entry, and its array or what is wrong with it.
type Looked<'a> = (Entry<'a>, npzmap::Result<NpyArray<'a>>);

impl<'a> Batch<'a> {
    const ENTRIES: usize = 256;
    const COLUMNS: usize = 4096;
    const HEADERS: usize = 1 << 20;
    /// A compressed array has a decoder open.
    const DECODERS: usize = 64;

    fn new() -> Self {
        Batch { found: Vec::new(), columns: 0, headers: 0, decoders: 0 }
    }

    fn add(&mut self, looked: Looked<'a>, bf16: bool) {
        // What is wrong is said when the figures are asked for.
        if let (_, Ok(array)) = &looked {
            self.columns += columns(array.header(), bf16).map_or(0, |columns| columns.len());
            self.headers += array.header().preamble_size();
            self.decoders += usize::from(array.method() != Method::Stored);
        }
        self.found.push(looked);
    }

    fn is_full(&self) -> bool {
        let Batch { found, columns, headers, decoders } = self;
        let is_long = found.len() >= Batch::ENTRIES || *decoders >= Batch::DECODERS;
        is_long || *columns >= Batch::COLUMNS || *headers >= Batch::HEADERS
    }
}

impl Stat<'_> {
    /// Array by array, in the order of the archive. Large ones are taken apart by several threads, the others are taken
    /// side by side.
    fn each(&self, problems: &mut Problems, mut work: impl FnMut(&str, Found<String>) -> Result<()>) -> Result<()> {
        let (Wanted { path, keys }, input) = (self.file, self.input);
        fn look(entry: Entry<'_>) -> Looked<'_> {
            let array = entry.array();
            (entry, array)
        }
        let mut entries: Box<dyn Iterator<Item = Result<Looked<'_>>>> = match keys {
            None => Box::new(input.selected(self.select).map(look).filter(|looked| !is_no_array(looked)).map(Ok)),
            Some(keys) => Box::new(keys.iter().map(|key| input.entry(path, Some(key)).map(look))),
        };
        loop {
            let mut batch = Batch::new();
            let mut is_last = true;
            while !batch.is_full() {
                let Some(entry) = entries.next() else { break };
                is_last = false;
                problems
                    .survive(self.console, entry)?
                    .into_iter()
                    .for_each(|looked| batch.add(looked, self.options.bf16));
            }
            if is_last {
                return Ok(());
            }
            let batch = batch.found;
            let progress = Progress::new(batch.iter().map(|(entry, _)| entry.size().saturating_mul(self.passes())));
            // One after the other, so that the same ones are refused for any number of threads.
            let refused = |(entry, _): &Looked<'_>| self.options.decoding.count(entry, self.passes()).err();
            let refused: Vec<Option<Failure>> = batch.iter().map(refused).collect();
            let small = |((entry, array), refused): (&Looked<'_>, Option<Failure>)| match (refused, array) {
                (Some(failure), _) => Some(Err(failure)),
                (None, Ok(array)) => (!is_wide(array)).then(|| self.figures(entry, array, &progress)),
                (None, Err(_)) => None,
            };
            let found: Vec<Option<Found>> = batch.par_iter().zip(refused).map(small).collect();
            for ((entry, array), found) in batch.into_iter().zip(found) {
                let found = found.unwrap_or_else(|| self.figures(&entry, &array?, &progress));
                let reports = match found {
                    Err(failure) => {
                        let text = failure.to_string();
                        problems.complain(self.console, failure);
                        Err(text)
                    }
                    Ok(reports) => {
                        for warning in reports.1.iter().filter_map(Report::warning) {
                            self.console.warn(format!("{}: {warning}", entry.key()));
                        }
                        Ok(reports)
                    }
                };
                work(&entry.key(), reports)?;
            }
        }
    }

    fn passes(&self) -> u64 {
        if self.options.no_histogram { 1 } else { 2 }
    }

    fn figures(&self, entry: &Entry<'_>, array: &NpyArray<'_>, progress: &Progress) -> Found {
        let reading = &self.options.reading;
        array.access_in_map()?; // refuses pickled objects
        let header = array.header();
        let Some(columns) = columns(header, self.options.bf16) else {
            let text = format!("{}: more fields than there are figures for; `npz show --field` has each", entry.key());
            return Err(Failure::new(Code::Unsupported, text));
        };
        let figures = match header.dtype().item_size() {
            // 200 bytes of header can declare any number of them.
            0 => columns.iter().map(|column| without_bytes(column, header)).collect(),
            _ => scan(entry, array, reading, progress, &FiguresOf(&columns))?,
        };
        let mut reports: Vec<Report> = Vec::new();
        for (column, figures) in columns.iter().zip(figures) {
            reports.push(Report::new(header, column.clone(), figures));
        }
        if self.options.no_histogram {
            return Ok((header.clone(), reports));
        }
        let bins =
            |report: &Report| report.bounds().map(|(least, most)| Bins::new(least, most, self.options.bins as usize));
        let bins: Vec<_> = reports.iter().map(bins).collect();
        if bins.iter().any(Option::is_some) {
            let counts = scan(entry, array, reading, progress, &CountsOf(&columns, &bins))?;
            for ((report, bins), counts) in reports.iter_mut().zip(bins).zip(counts) {
                report.histogram = bins.map(|bins| (bins, counts));
            }
        }
        Ok((header.clone(), reports))
    }

    fn rows<W: Write>(&self, table: &mut Table<'_, W>, problems: &mut Problems) -> Result<()> {
        self.each(problems, |key, reports| {
            match reports {
                Err(_) if self.options.histogram => {}
                Err(_) => table.row(report::error(key, Style::Bad))?,
                Ok((header, reports)) if self.options.histogram => {
                    reports
                        .iter()
                        .flat_map(|report| report.bins(&header, key, self.console.terminal))
                        .try_for_each(|row| table.row(row))?;
                }
                Ok((header, reports)) => {
                    reports.iter().try_for_each(|report| table.row(report.row(&header, key)))?;
                }
            }
            Ok(())
        })
    }

    fn json(&self, out: &mut impl Write, problems: &mut Problems) -> Result<()> {
        json::begin(out, &self.file.path, "arrays")?;
        let mut comma = "";
        self.each(problems, |key, reports| {
            let mut put = |document: Document| {
                out.write_all(comma.as_bytes())?;
                comma = ",";
                json::write(&mut *out, &document)
            };
            match reports {
                Ok((header, reports)) => reports.iter().try_for_each(|report| put(report.json(&header, key))),
                Err(error) => put(Document(vec![("key", key.into()), ("error", error.into())])),
            }
        })?;
        Ok(out.write_all(b"]}")?)
    }
}

fn is_no_array((_, array): &Looked<'_>) -> bool {
    array.as_ref().is_err_and(|error| matches!(error.kind(), ErrorKind::NotAnArray))
}

fn without_bytes(column: &Column, header: &Header) -> Figures {
    match Figures::none(column) {
        Figures::Texts(_) => Figures::Texts(Texts::empty(header.count() as u64)),
        none => none,
    }
}

struct FiguresOf<'a>(&'a [Column]);

impl Pass for FiguresOf<'_> {
    type Found = Vec<Figures>;
    type Scratch = Scratch;

    fn begin(&self) -> Vec<Figures> {
        self.0.iter().map(Figures::none).collect()
    }

    fn size(&self) -> usize {
        self.0.len() * size_of::<Figures>()
    }

    fn block(&self, items: &[u8], scratch: &mut Scratch) -> Vec<Figures> {
        self.0.iter().map(|column| Figures::of(column, items, scratch)).collect()
    }

    fn merge(&self, found: &mut Vec<Figures>, next: Vec<Figures>) {
        found.iter_mut().zip(next).for_each(|(found, next)| found.merge(next));
    }
}

/// What is in each bin, of the columns that have bins.
struct CountsOf<'a>(&'a [Column], &'a [Option<Bins>]);

impl Pass for CountsOf<'_> {
    type Found = Vec<Vec<u64>>;
    type Scratch = Scratch;

    fn begin(&self) -> Vec<Vec<u64>> {
        self.1.iter().map(|bins| vec![0; bins.as_ref().map_or(0, Bins::len)]).collect()
    }

    fn size(&self) -> usize {
        self.1.iter().flatten().map(|bins| bins.len() * size_of::<u64>()).sum()
    }

    fn block(&self, items: &[u8], scratch: &mut Scratch) -> Vec<Vec<u64>> {
        let mut counts = self.begin();
        for ((column, bins), counts) in self.0.iter().zip(self.1).zip(&mut counts) {
            if let Some(bins) = bins {
                bins.add(column, items, scratch, counts);
            }
        }
        counts
    }

    fn merge(&self, found: &mut Vec<Vec<u64>>, next: Vec<Vec<u64>>) {
        let pairs = found.iter_mut().zip(&next).flat_map(|(found, next)| found.iter_mut().zip(next));
        pairs.for_each(|(found, next)| *found += next);
    }
}
