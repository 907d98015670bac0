//! `npz check`: every departure from the rules, with its place, and every CRC-32.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use npzmap::{ByteOrder, Error, ErrorKind, Escaped, Header, Kind};
use rayon::prelude::*;
use serde::Serialize;

use crate::args::Reading;
use crate::console::{Console, Style};
use crate::exit::{Code, Failure, Problems, Result};
use crate::input::{BLOCK, Entry, Input};
use crate::json::{Documents, SCHEMA};
use crate::leaves::{Leaf, leaves, little};
use crate::progress::Progress;
use crate::select::{Globs, Select};
use crate::table::{Cell, Table};

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz check model.npz
  npz check --quick runs/*.npz
  npz check --json model.npz

Each problem is a line: the file, the member, the rule, the byte of the file, and what is wrong. The rules are those
of docs/hostile.md: Z27 is content that differs from its CRC-32. The exit code is 1 if there is any problem, and 3 if a
file cannot be opened at all.")]
pub(crate) struct Options {
    /// The archives, or .npy files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Headers and directory only: no CRC-32, no elements
    #[arg(short, long)]
    quick: bool,

    /// One JSON document; an array of them for several files
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    globs: Globs,

    #[command(flatten)]
    reading: Reading,
}

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let select = options.globs.compile()?;
    let mut out = console.out();
    let mut problems = Problems::default();
    let (mut members, mut found) = (0, 0);
    if options.json {
        let mut documents = Documents::new(&mut out, options.files.len() > 1);
        for path in &options.files {
            let (file, quick) = (path.to_string_lossy(), options.quick);
            let (members, faults) = match Input::open(path, &options.reading) {
                Ok(input) => {
                    let (members, faults) = faults(&input, &select, quick);
                    note(&mut problems, &faults);
                    (Some(members), faults)
                }
                Err(failure) => {
                    let fault = unreadable(&failure);
                    problems.complain(console, failure);
                    (None, vec![fault])
                }
            };
            documents.print(&Document { schema: SCHEMA, file, quick, members, problems: faults })?;
        }
        documents.finish()?;
        return Ok(problems);
    }
    let mut table = Table::new(&mut out, console, &["file", "member", "rule", "offset", "problem"])?;
    for path in &options.files {
        let input = match Input::open(path, &options.reading) {
            Ok(input) => input,
            Err(failure) => {
                table.row(unreadable(&failure).cells(path))?;
                found += 1;
                problems.note(failure.code());
                continue;
            }
        };
        let (looked_at, faults) = faults(&input, &select, options.quick);
        note(&mut problems, &faults);
        members += looked_at;
        found += faults.len();
        for fault in faults {
            table.row(fault.cells(path))?;
        }
    }
    table.finish()?;
    if console.terminal {
        let what = if options.quick { "without their CRC-32" } else { "with their CRC-32" };
        writeln!(out, "{members} members checked, {what}: {found} problems")?;
    }
    out.flush()?;
    Ok(problems)
}

fn note(problems: &mut Problems, faults: &[Fault]) {
    if !faults.is_empty() {
        problems.note(Code::Found);
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    file: Cow<'a, str>,
    quick: bool,
    /// Nothing where the file cannot be opened.
    members: Option<usize>,
    problems: Vec<Fault>,
}

#[derive(Serialize)]
struct Fault {
    member: Option<String>,
    rule: Option<&'static str>,
    offset: Option<u64>,
    problem: String,
}

impl Fault {
    fn of(member: &str, error: &Error) -> Self {
        let kind = error.kind();
        Fault { member: Some(member.into()), rule: kind.rule(), offset: error.offset(), problem: kind.to_string() }
    }

    fn cells(&self, path: &Path) -> Vec<Cell> {
        let member = self.member.as_deref().map_or("-".into(), |member| Escaped(member).to_string());
        let offset = self.offset.map_or("-".into(), |offset| format!("{offset:#x}"));
        vec![
            Escaped(&path.to_string_lossy()).to_string().into(),
            member.into(),
            Cell::new(self.rule.unwrap_or("-"), Style::Bad),
            offset.into(),
            Escaped(&self.problem).to_string().into(),
        ]
    }
}

/// A file that cannot be opened, as a line of its own.
fn unreadable(failure: &Failure) -> Fault {
    let (rule, offset, problem) = match failure {
        Failure::Archive(error) => (error.kind().rule(), error.offset(), error.kind().to_string()),
        other => (None, None, other.to_string()),
    };
    Fault { member: None, rule, offset, problem }
}

/// The number of members, and what is wrong with them, in their order.
fn faults(input: &Input, select: &Select, quick: bool) -> (usize, Vec<Fault>) {
    let entries: Vec<_> = input.selected(select).collect();
    let progress = Progress::new(entries.iter().map(Entry::size));
    let faults: Vec<_> = entries.par_iter().map(|entry| inspect(entry, quick, &progress)).collect();
    (entries.len(), faults.into_iter().flatten().collect())
}

fn inspect(entry: &Entry<'_>, quick: bool, progress: &Progress) -> Vec<Fault> {
    let key = entry.key();
    let mut faults = Vec::new();
    let mut note = |error: &Error| {
        let fault = Fault::of(&key, error);
        // What is wrong with the local header, say, comes up again in each pass.
        if faults.iter().all(|other: &Fault| other.problem != fault.problem) {
            faults.push(fault);
        }
    };
    let header = match entry.header() {
        Ok(header) => Some(header),
        Err(error) if matches!(error.kind(), ErrorKind::NotAnArray) => None,
        Err(error) => {
            note(&error);
            None
        }
    };
    if let Some(header) = &header {
        if let Err(error) = entry.access_in_map() {
            note(&error); // pickled objects
        } else if header.dtype().item_size() == 0
            && let Err(error) = entry.read_any()
        {
            note(&error); // items of no bytes
        }
    }
    if quick {
        return faults;
    }
    match header.filter(|header| !header.dtype().has_object()) {
        Some(_) => {
            let outcome = entry.stream_elements(|header, stream| {
                let mut values = Values::new(header);
                let mut block = vec![0; values.block(stream.left())];
                while stream.left() > 0 {
                    let count = block.len().min(usize::try_from(stream.left()).unwrap_or(usize::MAX));
                    let block = &mut block[..count];
                    stream.read_exact(block)?;
                    values.look(block);
                    progress.add(count as u64);
                }
                Ok::<_, Error>(values.fault)
            });
            match outcome {
                Ok(Some(kind)) => note(&kind.into()),
                Ok(None) => {}
                Err(error) => note(&error),
            }
        }
        None => {
            let passed = entry.copy_to(&mut std::io::sink(), |bytes| progress.add(bytes));
            if let Err(Failure::Archive(error)) = passed {
                note(&error);
            }
        }
    }
    faults
}

/// Looks for elements that are no values: bools but 0 and 1, codes of no character.
struct Values {
    leaves: Vec<Leaf>,
    item: usize,
    seen: usize,
    /// The first.
    fault: Option<ErrorKind>,
}

impl Values {
    fn new(header: &Header) -> Self {
        let mut leaves = leaves(header.dtype());
        leaves.retain(|leaf| matches!(leaf.scalar.kind(), Kind::Bool | Kind::Str));
        Values { leaves, item: header.dtype().item_size().max(1), seen: 0, fault: None }
    }

    /// Whole items.
    fn block(&self, left: u64) -> usize {
        let items = (BLOCK / self.item).max(1);
        (items * self.item).min(usize::try_from(left).unwrap_or(usize::MAX))
    }

    fn look(&mut self, block: &[u8]) {
        let items = block.len() / self.item;
        if self.fault.is_none() && !self.leaves.is_empty() {
            let found = block
                .chunks_exact(self.item)
                .enumerate()
                .find_map(|(index, item)| self.leaves.iter().find_map(|leaf| wrong(item, *leaf, self.seen + index)));
            self.fault = found;
        }
        self.seen += items;
    }
}

fn wrong(item: &[u8], leaf: Leaf, index: usize) -> Option<ErrorKind> {
    leaf.ranges().find_map(|range| {
        let bytes = &item[range];
        if leaf.scalar.kind() == Kind::Bool {
            let element = "bool".into();
            return (bytes[0] > 1).then_some(ErrorKind::InvalidElement { index, element });
        }
        let is_text = bytes.chunks_exact(4).all(|code| char::from_u32(ucs4(code, leaf.scalar.byte_order())).is_some());
        (!is_text).then_some(ErrorKind::BadText { index, problem: "a code that is no character" })
    })
}

fn ucs4(code: &[u8], order: ByteOrder) -> u32 {
    let number = little(code, order);
    u32::from_le_bytes([number[0], number[1], number[2], number[3]])
}
