//! `npz diff`: what two archives do not have in common.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::mem;
use std::path::PathBuf;

use npzmap::{Escaped, NpyArray};
use serde::Serialize;
use serde_json::Value;

use crate::args::Reading;
use crate::budget::Decoding;
use crate::compare::{Differences, Tolerance, comparable, compare};
use crate::console::{Console, Style};
use crate::exit::{Code, Problems, Result};
use crate::input::{BLOCK, Entry, Input};
use crate::json::{self, Refused, SCHEMA, number};
use crate::progress::Progress;
use crate::row::tuple;
use crate::select::{Globs, Select};
use crate::table::{Cell, Table};

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz diff before.npz after.npz
  npz diff --rtol 1e-5 --atol 1e-8 --equal-nan before.npz after.npz
  npz diff --full --json before.npz after.npz
  npz diff before.npz after.npz encoder/bias

Each key that differs is a line: whether it was added or removed, whether dtype or shape differ, how many elements do,
and their largest absolute and relative difference; the latter relative to B, where that is not 0. Elements are compared where the shapes
are equal, block by block. Numbers of different dtypes are compared as numbers.

Members of equal CRC-32 and size are taken for equal, NaN among them, and the sum says how many; --full compares their
elements. The exit code is 1 if anything differs.")]
pub(crate) struct Options {
    /// The archive, or .npy file, to compare
    #[arg(value_name = "A")]
    a: PathBuf,

    /// The one to compare it with
    #[arg(value_name = "B")]
    b: PathBuf,

    /// Only these members
    #[arg(value_name = "KEY", conflicts_with_all = ["include", "exclude"])]
    keys: Vec<String>,

    /// Numbers that differ by no more than this times the one of B are equal
    #[arg(long, value_name = "R", default_value_t = 0.0, value_parser = tolerance)]
    rtol: f64,

    /// Numbers that differ by no more than this are equal
    #[arg(long, value_name = "A", default_value_t = 0.0, value_parser = tolerance)]
    atol: f64,

    /// NaN is equal to NaN
    #[arg(long)]
    equal_nan: bool,

    /// Compare elements also where CRC-32 and size are equal
    #[arg(long)]
    full: bool,

    /// One JSON document
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    globs: Globs,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    decoding: Decoding,
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number >= 0.0 => Ok(number),
        _ => Err("expected a number, 0 or more".into()),
    }
}

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let (a, b) = (Input::open(&options.a, &options.reading)?, Input::open(&options.b, &options.reading)?);
    let mut problems = Problems::default();
    let mut keys = HashSet::new();
    for key in &options.keys {
        // It is in one of them at least, by its key or its name.
        let entry = a.find(key)?.map_or_else(|| b.find(key), |entry| Ok(Some(entry)))?;
        keys.insert(entry.map_or_else(|| a.entry(&options.a, Some(key)), Ok)?.key().into_owned());
    }
    let select = options.globs.compile()?.only(keys);
    let mut out = console.out();
    let comparison = Comparison { options, select: &select, inputs: (&a, &b), console };
    if options.json {
        comparison.json(&mut out, &mut problems)?;
        out.flush()?;
        return Ok(problems);
    }
    let header = ["key", "what", "a", "b", "elements", "max abs", "max rel"];
    let mut table = Table::new(&mut out, console, &header)?;
    let Counts { differ, equal, trusted } = comparison.each(&mut problems, |found| match found {
        Ok(row) => Ok(table.row(row.cells())?),
        Err(_) => Ok(()), // was printed
    })?;
    table.finish()?;
    let mut sum = format!("{differ} keys differ, {equal} are equal");
    if trusted > 0 {
        sum += &format!("; {trusted} of these by CRC-32 and size alone (--full compares their elements)");
    }
    if console.terminal {
        writeln!(out, "{sum}")?;
    }
    out.flush()?;
    if !console.terminal && trusted > 0 {
        console.note(sum);
    }
    Ok(problems)
}

/// The end of the document, which is known when all is compared.
#[derive(Serialize)]
struct End {
    equal: usize,
    /// Of the equal ones, those by CRC-32 and size alone.
    equal_by_crc32: usize,
    /// What could not be compared.
    errors: Vec<Refused>,
}

/// A key that differs.
#[derive(Serialize)]
struct Row {
    key: String,
    what: Vec<&'static str>,
    a: Option<Side>,
    b: Option<Side>,
    elements: Option<u64>,
    count: Option<usize>,
    max_abs: Option<Value>,
    max_rel: Option<Value>,
}

/// What one of the two has.
#[derive(Serialize)]
struct Side {
    /// Nothing for what is no array.
    dtype: Option<String>,
    shape: Option<Vec<usize>>,
    size: u64,
}

enum Verdict {
    Equal,
    /// By CRC-32 and size.
    Trusted,
    Differ(Box<Row>),
}

impl Verdict {
    fn differ(row: Row) -> Self {
        Verdict::Differ(Box::new(row))
    }
}

/// How many keys differ, or are equal.
#[derive(Default)]
struct Counts {
    differ: usize,
    equal: usize,
    trusted: usize,
}

/// A comparison of all selected keys.
#[derive(Clone, Copy)]
struct Comparison<'c> {
    options: &'c Options,
    select: &'c Select,
    inputs: (&'c Input, &'c Input),
    console: &'c Console,
}

impl Comparison<'_> {
    /// Hands over what differs, and what cannot be compared, key by key as it is found: nothing is held.
    fn each(self, problems: &mut Problems, mut work: impl FnMut(Result<Row, Refused>) -> Result<()>) -> Result<Counts> {
        let Comparison { options, select, inputs: (a, b), console } = self;
        let progress = Progress::new(a.selected(select).map(|entry| entry.size()));
        let mut counts = Counts::default();
        let of_a = a.selected(select).map(|entry| {
            let verdict = a.find(&entry.key()).and_then(|_| match counterpart(a, b, &entry)? {
                Some(other) => compare_entries(options, &entry, &other, &progress),
                None => Ok(Verdict::differ(Row::new(
                    &entry.key(),
                    vec!["removed"],
                    (Some(side(&entry, entry.try_array()?.as_ref())), None),
                ))),
            });
            (entry.key(), verdict.map(Some))
        });
        let of_b = b.selected(select).map(|entry| {
            let added = b.find(&entry.key()).and_then(|_| match counterpart(b, a, &entry)? {
                Some(_) => Ok(None),
                None => Ok(Some(Verdict::differ(Row::new(
                    &entry.key(),
                    vec!["added"],
                    (None, Some(side(&entry, entry.try_array()?.as_ref()))),
                )))),
            });
            (entry.key(), added)
        });
        for (key, verdict) in of_a.chain(of_b) {
            let refused = Refused::of(&key, &verdict);
            match problems.survive(console, verdict)?.flatten() {
                Some(Verdict::Differ(row)) => {
                    counts.differ += 1;
                    problems.note(Code::Found);
                    work(Ok(*row))?;
                }
                Some(verdict) => {
                    counts.equal += 1;
                    counts.trusted += usize::from(matches!(verdict, Verdict::Trusted));
                }
                None => {}
            }
            refused.map_or(Ok(()), |refused| work(Err(refused)))?;
        }
        Ok(counts)
    }

    /// Prints one document. Only what cannot be compared is held to its end.
    fn json(self, out: &mut impl Write, problems: &mut Problems) -> Result<()> {
        write!(out, "{{\"schema\":{SCHEMA}")?;
        for (name, path) in [("a", &self.options.a), ("b", &self.options.b)] {
            write!(out, ",\"{name}\":")?;
            json::write(&mut *out, &path.to_string_lossy())?;
        }
        out.write_all(b",\"differences\":[")?;
        let (mut comma, mut errors) = ("", Vec::new());
        let counts = self.each(problems, |found| {
            match found {
                Ok(row) => {
                    out.write_all(mem::replace(&mut comma, ",").as_bytes())?;
                    json::write(&mut *out, &row)?;
                }
                Err(refused) => errors.push(refused),
            }
            Ok(())
        })?;
        let end = End { equal: counts.equal, equal_by_crc32: counts.trusted, errors };
        let end = json::to_string(&end)?;
        Ok(writeln!(out, "],{}", end.trim_start_matches('{'))?)
    }
}

/// The entry of the other one that has this name; or else this key, which can be that of another name. Two plain files
/// need not have the same name.
fn counterpart<'o>(one: &Input, other: &'o Input, entry: &Entry<'_>) -> Result<Option<Entry<'o>>> {
    if let (Input::Plain(_), Input::Plain(plain)) = (one, other) {
        return Ok(Some(Entry::Plain(plain)));
    }
    let (key, name) = (entry.key(), entry.name());
    let mut alike = None;
    // A key is looked for as a name first: `x.npy` finds `x.npy`, and `x.npy.npy` only where that is not.
    for wanted in [&*name, &format!("{key}.npy"), &*key] {
        match other.find(wanted)? {
            Some(found) if found.name() == name => return Ok(Some(found)),
            Some(found) if found.key() == key => alike = Some(found),
            _ => {}
        }
    }
    Ok(alike)
}

fn side(entry: &Entry<'_>, array: Option<&NpyArray<'_>>) -> Side {
    let dtype = array.map(|array| array.dtype().to_string());
    Side { dtype, shape: array.map(|array| array.shape().to_vec()), size: entry.size() }
}

fn compare_entries(options: &Options, a: &Entry<'_>, b: &Entry<'_>, progress: &Progress) -> Result<Verdict> {
    let same_bytes = a.crc32().is_some() && a.crc32() == b.crc32() && a.size() == b.size();
    if same_bytes && !options.full {
        progress.add(a.size());
        return Ok(Verdict::Trusted);
    }
    let key = a.key();
    let (array_a, array_b) = (a.try_array()?, b.try_array()?);
    let sides = || (Some(side(a, array_a.as_ref())), Some(side(b, array_b.as_ref())));
    let (Some(array_a), Some(array_b)) = (&array_a, &array_b) else {
        let what = if array_a.is_some() == array_b.is_some() { "bytes" } else { "kind" };
        // By their bytes, or by what the archives say of them.
        let equal = what == "bytes" && same_bytes && {
            options.decoding.count(a, 1)?;
            options.decoding.count(b, 1)?;
            same_content(a, b)?
        };
        return Ok(match equal {
            true => Verdict::Equal,
            false => Verdict::differ(Row::new(&key, vec![what], sides())),
        });
    };
    let mut what = Vec::new();
    if array_a.dtype() != array_b.dtype() {
        what.push("dtype");
    }
    if array_a.shape() != array_b.shape() {
        what.push("shape");
    }
    let mut compared = None;
    if array_a.shape() == array_b.shape() && comparable(array_a.dtype(), array_b.dtype()) {
        let tolerance = Tolerance { relative: options.rtol, absolute: options.atol, equal_nan: options.equal_nan };
        options.decoding.count(a, 1)?;
        options.decoding.count(b, 1)?;
        let differences = compare((a, array_a), (b, array_b), &options.reading, tolerance, progress)?;
        if differences.elements > 0 {
            what.push("values");
        }
        compared = Some(differences);
    }
    if what.is_empty() {
        return Ok(Verdict::Equal);
    }
    let row = Row::new(&key, what, sides());
    Ok(Verdict::differ(match compared {
        Some(differences) => row.with(&differences, array_a.len()),
        None => row,
    }))
}

/// Whether what is no array is the same, block by block.
fn same_content(a: &Entry<'_>, b: &Entry<'_>) -> Result<bool> {
    let (mut a, mut b) = (a.reader()?, b.reader()?);
    let (mut block_a, mut block_b) = (Vec::new(), Vec::new());
    while a.left() > 0 && a.left() == b.left() {
        let count = BLOCK.min(usize::try_from(a.left()).unwrap_or(BLOCK));
        block_a.resize(count, 0);
        block_b.resize(count, 0);
        a.read_exact(&mut block_a)?;
        b.read_exact(&mut block_b)?;
        if block_a != block_b {
            return Ok(false);
        }
    }
    Ok(a.left() == b.left())
}

impl Row {
    fn new(key: &str, what: Vec<&'static str>, (a, b): (Option<Side>, Option<Side>)) -> Self {
        Row { key: key.into(), what, a, b, elements: None, count: None, max_abs: None, max_rel: None }
    }

    fn with(mut self, differences: &Differences, count: usize) -> Self {
        self.elements = Some(differences.elements);
        self.count = Some(count);
        self.max_abs = differences.largest();
        self.max_rel = differences.relative.map(number);
        self
    }

    fn cells(&self) -> Vec<Cell> {
        let style = match self.what[..] {
            ["added"] => Style::Good,
            ["removed"] => Style::Bad,
            _ => Style::Notable,
        };
        let elements = match (self.elements, self.count) {
            (Some(elements), Some(count)) => format!("{elements} of {count}"),
            _ => "-".into(),
        };
        vec![
            Escaped(&self.key).to_string().into(),
            Cell::new(self.what.join(", "), style),
            self.a.as_ref().map_or("-".into(), Side::text).into(),
            self.b.as_ref().map_or("-".into(), Side::text).into(),
            elements.into(),
            value(&self.max_abs).into(),
            value(&self.max_rel).into(),
        ]
    }
}

impl Side {
    fn text(&self) -> String {
        match (&self.dtype, &self.shape) {
            (Some(dtype), Some(shape)) => format!("{} {}", Escaped(dtype), tuple(shape)),
            _ => format!("{} bytes", self.size),
        }
    }
}

/// A number with as many digits as one looks at; JSON has all.
fn value(value: &Option<Value>) -> String {
    match value {
        None => "-".into(),
        Some(Value::Number(number)) if number.is_f64() => {
            let number = number.as_f64().unwrap_or_default();
            let rounded: f64 = format!("{number:.5e}").parse().unwrap_or(number);
            format!("{rounded:?}")
        }
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
