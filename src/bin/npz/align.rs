//! `npz align`: the same archive with elements where a map can lend them.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use npzmap::{ErrorKind, Escaped, Header, Member, MemberOptions, Method, NpzWriter, Sink};
use serde::Serialize;

use crate::args::{Reading, Writing};
use crate::budget::Decoding;
use crate::console::{Console, Style};
use crate::counter::Counter;
use crate::exit::{Code, Failure, Problems, Result};
use crate::input::{Entry, Input};
use crate::json::{Documents, SCHEMA};
use crate::progress::Progress;
use crate::select::{Globs, Select};
use crate::table::{Cell, Table};

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz align model.npz -o aligned.npz
  npz align --in-place --store model.npz
  npz align --check model.npz optimizer.npz
  npz align --dry-run --in-place model.npz

It prints where the elements of each array lay and where they lie now, or would lie. Compressed members stay compressed unless
--store or --deflate says otherwise. CRC-32s are checked on the way; a damaged member ends it, and nothing is written.
With --check nothing is written either, and the exit code is 1 if an array is not aligned. --include and --exclude
choose the members that go into OUT, or that --check looks at.")]
#[command(group = clap::ArgGroup::new("mode").required(true).args(["output", "in_place", "check"]))]
pub(crate) struct Options {
    /// The archive; several with --in-place or --check
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The archive to write
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Replace the archive itself, by a file that is written beside it and renamed
    #[arg(short, long, conflicts_with_all = ["include", "exclude"])]
    in_place: bool,

    /// Write nothing; exit code 1 if an array is not aligned
    #[arg(short, long, conflicts_with_all = ["store", "deflate", "force", "dry_run"])]
    check: bool,

    /// Store what is compressed, so that it can be borrowed, too
    #[arg(long, conflicts_with = "deflate")]
    store: bool,

    /// Deflate every member, level 0 to 9
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u32).range(0..=9))]
    deflate: Option<u32>,

    /// Where elements may begin: multiples of this, a power of two up to 32768
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = alignment)]
    align: u64,

    /// One JSON document; an array of them for several files
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    globs: Globs,

    #[command(flatten)]
    writing: Writing,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    decoding: Decoding,
}

pub(crate) fn alignment(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(align @ 1..=32_768_u64) if align.is_power_of_two() => Ok(align),
        _ => Err("expected a power of two up to 32768".into()),
    }
}

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let mut out = console.out();
    let mut problems = Problems::default();
    let several = options.files.len() > 1;
    if let (Some(output), true) = (&options.output, several) {
        let output = output.display();
        return Err(Failure::new(Code::Usage, format!("one archive goes into {output}; --in-place takes several")));
    }
    let select = options.globs.compile()?;
    if options.json {
        let mut documents = Documents::new(&mut out, several);
        for path in &options.files {
            match align(options, &select, path) {
                Ok(report) => {
                    report.judge(options, &mut problems);
                    documents.print(&report)?;
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
    let mut sums = Vec::new();
    let mut table = Table::of_files(&mut out, console, &["key", "method", "before", "after"], several)?;
    for path in &options.files {
        let Some(report) = problems.survive(console, align(options, &select, path))? else { continue };
        report.judge(options, &mut problems);
        table.begin(path)?;
        for member in report.members.iter().filter(|member| member.array) {
            table.row(member.cells())?;
        }
        table.end(&report)?;
        sums.push(format!("{}: {report}", report.file));
    }
    table.finish()?;
    out.flush()?;
    // Standard output of a pipe has rows alone.
    sums.iter().filter(|_| !console.terminal).for_each(|sum| console.note(sum));
    Ok(problems)
}

#[derive(Serialize)]
struct Report {
    schema: u32,
    file: String,
    /// What was, or would be written.
    output: Option<String>,
    align: u64,
    bytes_before: u64,
    bytes_after: Option<u64>,
    members: Vec<Moved>,
    #[serde(skip)]
    done: Done,
}

/// What was done about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Checked,
    /// Nothing was to be done; in a dry run neither.
    LeftAlone,
    Written,
    /// In a dry run.
    Counted,
}

/// Where the elements of a member lay and lie, or its content if it is no array.
#[derive(Serialize)]
struct Moved {
    key: String,
    array: bool,
    method_before: String,
    method_after: Option<String>,
    offset_before: Option<u64>,
    offset_after: Option<u64>,
    aligned_before: bool,
    aligned_after: Option<bool>,
    /// Whether its elements could be borrowed at all.
    #[serde(skip)]
    borrowable: bool,
    #[serde(skip)]
    preamble: u64,
}

fn align(options: &Options, select: &Select, path: &Path) -> Result<Report> {
    let target = if options.in_place { Some(path) } else { options.output.as_deref() };
    let read = target.and_then(|target| Writing::reads(path, target));
    let input = Input::open(path, &options.reading)?;
    let Some(npz) = input.archive() else {
        let text = format!("{}: a plain .npy file; NumPy and `npz pack` align it", path.display());
        return Err(Failure::new(Code::Usage, text));
    };
    let bytes_before = size(path)?;
    let chosen: Vec<_> = npz.members().filter(|member| select.takes(&member.key())).collect();
    let members = chosen.iter().map(|member| before(member, options.align)).collect::<Result<_>>()?;
    let output = target.map(|target| target.to_string_lossy().into_owned());
    let (file, done) = (path.to_string_lossy().into_owned(), Done::Checked);
    let (schema, align) = (SCHEMA, options.align);
    let mut report = Report { schema, file, output, align, bytes_before, bytes_after: None, members, done };
    let Some(target) = target else { return Ok(report) };
    if !options.in_place {
        options.writing.check(target)?;
    }
    let recoded = options.store || options.deflate.is_some();
    if options.in_place && !recoded && report.aligned() {
        report.bytes_after = Some(bytes_before);
        report.done = Done::LeftAlone;
        return Ok(report);
    }
    // Also what is copied as it is, which is checked on the way.
    options.decoding.count_written(path, chosen.iter().copied().map(Entry::Member))?;
    let size_after = |member: &Member<'_>| if options.store { member.size() } else { member.compressed_size() };
    let progress = Progress::new(chosen.iter().map(size_after));
    if options.writing.dry_run {
        // Written nowhere, to learn what it comes to.
        let counter = write(NpzWriter::new(Counter::default())?, &chosen, &mut report.members, options, &progress)?;
        report.bytes_after = Some(counter.length);
        report.done = Done::Counted;
        return Ok(report);
    }
    let (writer, _guard) = options.writing.create(target, read.as_ref())?;
    let file = writer.temporary_path().to_owned();
    progress.follow(&file, || write(writer, &chosen, &mut report.members, options, &progress))?;
    report.bytes_after = Some(size(target)?);
    report.done = Done::Written;
    Ok(report)
}

fn size(path: &Path) -> Result<u64> {
    Ok(path.metadata().map_err(Failure::file(path))?.len())
}

fn before(member: &Member<'_>, align: u64) -> Result<Moved> {
    let header = match member.header() {
        Ok(header) => Some(header),
        Err(error) if matches!(error.kind(), ErrorKind::NotAnArray) => None,
        Err(error) => return Err(error.into()),
    };
    let is_borrowable = |header: &Header| {
        let dtype = header.dtype();
        !dtype.has_object() && (dtype.is_native() || header.count() == 0)
    };
    let offset_before = member.payload_offset()?;
    Ok(Moved {
        key: member.key().into(),
        array: header.is_some(),
        method_before: member.method().to_string(),
        method_after: None,
        offset_before,
        offset_after: None,
        aligned_before: is_aligned(offset_before, align),
        aligned_after: None,
        borrowable: header.as_ref().is_some_and(is_borrowable),
        preamble: header.map_or(0, |header| header.preamble_size() as u64),
    })
}

/// Copies the members, and notes where they come to lie.
fn write<S: Sink>(
    writer: NpzWriter<S>,
    members: &[Member<'_>],
    moved: &mut [Moved],
    options: &Options,
    progress: &Progress,
) -> Result<S::Finished> {
    /// So many are copied before the next report.
    const SOME: usize = 64;
    let mut writer = writer.align(options.align)?;
    // What is neither stored nor deflated anew stays as it is.
    let (coding, method) = match (options.store, options.deflate) {
        (true, _) => (MemberOptions::new().store(), Some(Method::Stored)),
        (_, Some(level)) => (MemberOptions::new().deflate(level), Some(Method::Deflated)),
        (_, None) => (MemberOptions::new(), None),
    };
    for (members, moved) in members.chunks(SOME).zip(moved.chunks_mut(SOME)) {
        let ends = writer.copy_many(members.iter().copied(), coding)?;
        for ((member, moved), end) in members.iter().zip(moved).zip(ends) {
            let method = method.unwrap_or(member.method());
            // Nothing stands behind its content.
            let content = end.saturating_sub(member.size());
            let offset = (method == Method::Stored).then_some(content + moved.preamble);
            moved.method_after = Some(method.to_string());
            moved.offset_after = offset;
            moved.aligned_after = Some(is_aligned(offset, options.align));
        }
        progress.at(writer.position());
    }
    Ok(writer.finish()?)
}

/// What is compressed has no place that matters.
fn is_aligned(offset: Option<u64>, align: u64) -> bool {
    offset.is_none_or(|offset| offset % align == 0)
}

impl Report {
    fn aligned(&self) -> bool {
        self.members.iter().all(|member| !member.array || member.aligned_before)
    }

    fn judge(&self, options: &Options, problems: &mut Problems) {
        if options.check && !self.aligned() {
            problems.note(Code::Found);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrays = || self.members.iter().filter(|member| member.array);
        let misaligned = arrays().filter(|member| !member.aligned_before).count();
        let (stored, align) = (arrays().filter(|member| member.offset_before.is_some()).count(), self.align);
        let moved = arrays().filter(|member| member.offset_before != member.offset_after).count();
        let (before, after) = (self.bytes_before, self.bytes_after.unwrap_or_default());
        match self.done {
            Done::Checked => {
                write!(f, "{} of {stored} stored arrays are aligned to {align} bytes", stored - misaligned)?
            }
            Done::LeftAlone => f.write_str("all is aligned already; nothing is written")?,
            Done::Written => write!(f, "{moved} arrays moved; {before} bytes before, {after} after")?,
            Done::Counted => write!(f, "{moved} arrays would move; {before} bytes before, {after} after")?,
        }
        match arrays().filter(|member| member.borrowable && member.stays_compressed()).count() {
            0 => Ok(()),
            kept => write!(f, "; {kept} compressed, which --store makes borrowable"),
        }
    }
}

impl Moved {
    fn stays_compressed(&self) -> bool {
        *self.method_after.as_ref().unwrap_or(&self.method_before) != Method::Stored.to_string()
    }

    fn cells(&self) -> Vec<Cell> {
        let offset = |offset: Option<u64>| offset.map_or("-".into(), |offset| offset.to_string());
        let method = match &self.method_after {
            Some(after) if *after != self.method_before => format!("{} → {after}", self.method_before),
            _ => self.method_before.clone(),
        };
        let style = |aligned: bool| if aligned { Style::Good } else { Style::Notable };
        vec![
            Escaped(&self.key).to_string().into(),
            method.into(),
            Cell::new(offset(self.offset_before), style(self.aligned_before)),
            Cell::new(offset(self.offset_after), style(self.aligned_after.unwrap_or(true))),
        ]
    }
}
