//! `npz check`: every departure from the rules, with its place, and every CRC-32.

mod inspect;
mod values;

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use npzmap::{Duplicates, Error, ErrorKind, Escaped};
use rayon::prelude::*;
use serde::Serialize;

use crate::args::Reading;
use crate::budget::Decoding;
use crate::console::{Console, Style};
use crate::exit::{Code, Failure, Problems, Result, explain};
use crate::input::{Entry, Input};
use crate::json::{Documents, SCHEMA};
use crate::progress::Progress;
use crate::select::{Globs, Select};
use crate::table::{Cell, Table};
use inspect::inspect;

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

    #[command(flatten)]
    decoding: Decoding,
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
            let (members, faults) = match open(path, &options.reading) {
                Ok(input) => {
                    let (members, faults) = faults(&input, &select, options);
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
        let input = match open(path, &options.reading) {
            Ok(input) => input,
            Err(failure) => {
                table.row(unreadable(&failure).cells(path))?;
                found += 1;
                problems.note(failure.code());
                continue;
            }
        };
        let (looked_at, faults) = faults(&input, &select, options);
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

/// Of members with one name, the one that NumPy reads is looked at; the others say that they are not it.
fn open(path: &Path, reading: &Reading) -> Result<Input> {
    Input::open_with(path, reading.options().duplicates(Duplicates::Last))
}

fn note(problems: &mut Problems, faults: &[Fault]) {
    faults.iter().for_each(|fault| problems.note(fault.code));
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
    #[serde(skip)]
    code: Code,
}

impl Fault {
    fn of(member: &str, error: &Error) -> Self {
        let kind = error.kind();
        // What the system does not grant is no problem of the file.
        let code = if matches!(kind, ErrorKind::OutOfMemory { .. }) { Code::Unreadable } else { Code::Found };
        Fault { member: Some(member.into()), rule: kind.rule(), offset: error.offset(), problem: explain(kind), code }
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
        Failure::Archive(error) => (error.kind().rule(), error.offset(), explain(error.kind())),
        other => (None, None, other.to_string()),
    };
    Fault { member: None, rule, offset, problem, code: failure.code() }
}

/// A member that is not decoded, since all of them would decode to too much.
fn refused(entry: &Entry<'_>, options: &Options) -> Option<Fault> {
    let failure = if options.quick { None } else { options.decoding.count(entry, 1).err() }?;
    let (member, rule, problem) = (Some(entry.key().into_owned()), Some("L5"), failure.to_string());
    Some(Fault { member, rule, offset: None, problem, code: Code::Found })
}

/// The number of members, and what is wrong with them, in their order.
fn faults(input: &Input, select: &Select, options: &Options) -> (usize, Vec<Fault>) {
    let entries: Vec<_> = input.selected(select).collect();
    let progress = Progress::new(entries.iter().map(Entry::size));
    // One after the other, so that the same ones are refused for any number of threads.
    let refused: Vec<_> = entries.iter().map(|entry| refused(entry, options)).collect();
    let look = |(entry, refused): (&Entry<'_>, Option<Fault>)| {
        let quick = options.quick || refused.is_some();
        let mut faults = inspect(entry, quick, &options.reading, &progress);
        faults.extend(refused);
        faults
    };
    let each: Vec<_> = entries.par_iter().zip(refused).map(look).collect();
    // Of members with one name, this is said once.
    let mut said = HashSet::new();
    let faults = each.into_iter().flatten();
    let faults = faults.filter(|fault| fault.rule != Some("Z6") || said.insert(fault.member.clone()));
    (entries.len(), faults.collect())
}
