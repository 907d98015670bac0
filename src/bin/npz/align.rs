//! `npz align`: the same archive with elements where a map can lend them.

use std::io::Write;
use std::path::{Path, PathBuf};

use npzmap::{ErrorKind, Escaped, Member, MemberOptions, Method, Npz, NpzWriter};
use serde::Serialize;

use crate::args::{Reading, Writing};
use crate::console::{Console, Style};
use crate::counter::Counter;
use crate::exit::{Code, Failure, Problems, Result};
use crate::input::Input;
use crate::interrupt::Guard;
use crate::json::{Documents, SCHEMA};
use crate::progress::Progress;
use crate::table::{Cell, Table};

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz align model.npz -o aligned.npz
  npz align --in-place --store model.npz
  npz align --check model.npz optimizer.npz
  npz align --dry-run --in-place model.npz

It prints where the elements of each array lay and where they lie now. Compressed members stay compressed unless
--store or --deflate says otherwise. CRC-32s are checked on the way; a damaged member ends it, and nothing is written.
With --check nothing is written either, and the exit code is 1 if an array is not aligned.")]
#[command(group = clap::ArgGroup::new("mode").required(true).args(["output", "in_place", "check"]))]
pub(crate) struct Options {
    /// The archive; several with --in-place or --check
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The archive to write
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Replace the archive itself, by a file that is written beside it and renamed
    #[arg(short, long)]
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
    writing: Writing,

    #[command(flatten)]
    reading: Reading,
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
    let mut documents = Documents::new(&mut out, several && options.json);
    for path in &options.files {
        let Some(report) = problems.survive(console, align(options, path))? else { continue };
        if options.check && !report.aligned() {
            problems.note(Code::Found);
        }
        if options.json {
            documents.print(&report)?;
        } else {
            report.print(documents.plain(), console, several)?;
        }
    }
    documents.finish()?;
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
    written: bool,
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
}

fn align(options: &Options, path: &Path) -> Result<Report> {
    let input = Input::open(path, &options.reading)?;
    let Some(npz) = input.archive() else {
        let text = format!("{}: a plain .npy file; NumPy and `npz pack` align it", path.display());
        return Err(Failure::new(Code::Usage, text));
    };
    let bytes_before = size(path)?;
    let members = npz.members().map(|member| before(&member, options.align)).collect::<Result<_>>()?;
    let target = if options.in_place { Some(path) } else { options.output.as_deref() };
    let output = target.map(|target| target.to_string_lossy().into_owned());
    let (file, written) = (path.to_string_lossy().into_owned(), target.is_some() && !options.writing.dry_run);
    let (schema, align) = (SCHEMA, options.align);
    let mut report = Report { schema, file, output, align, bytes_before, bytes_after: None, members, written };
    let Some(target) = target else { return Ok(report) };
    if !options.in_place {
        options.writing.check(target)?;
    }
    if options.writing.dry_run {
        // Written nowhere, to learn what it comes to.
        let counter = write(NpzWriter::new(Counter::default())?, npz, options)?;
        report.bytes_after = Some(counter.length);
        return Ok(report);
    }
    let recoded = options.store || options.deflate.is_some();
    if options.in_place && !recoded && report.aligned() {
        report.bytes_after = Some(bytes_before);
        report.written = false;
        return Ok(report);
    }
    let (writer, _guard) = match options.in_place {
        true => Guard::around(|| NpzWriter::create(target), NpzWriter::temporary_path)?,
        false => options.writing.create(target)?,
    };
    write(writer, npz, options)?;
    let written = options.reading.options().open(target)?;
    report.bytes_after = Some(size(target)?);
    for (moved, member) in report.members.iter_mut().zip(written.members()) {
        let after = before(&member, options.align)?;
        moved.method_after = Some(after.method_before);
        moved.offset_after = after.offset_before;
        moved.aligned_after = Some(after.aligned_before);
    }
    Ok(report)
}

fn size(path: &Path) -> Result<u64> {
    Ok(path.metadata().map_err(Failure::file(path))?.len())
}

fn before(member: &Member<'_>, align: u64) -> Result<Moved> {
    let array = match member.header() {
        Ok(_) => true,
        Err(error) if matches!(error.kind(), ErrorKind::NotAnArray) => false,
        Err(error) => return Err(error.into()),
    };
    let offset_before = member.payload_offset()?;
    Ok(Moved {
        key: member.key().into(),
        array,
        method_before: member.method().to_string(),
        method_after: None,
        offset_before,
        offset_after: None,
        aligned_before: offset_before.is_none_or(|offset| offset % align == 0),
        aligned_after: None,
    })
}

fn write<S: npzmap::Sink>(writer: NpzWriter<S>, npz: &Npz, options: &Options) -> Result<S::Finished> {
    let mut writer = writer.align(options.align)?;
    let progress = Progress::new(npz.members().map(|member| member.compressed_size()));
    for member in npz {
        let coding = match (options.store, options.deflate) {
            (true, _) => MemberOptions::new().store(),
            (_, Some(level)) => MemberOptions::new().deflate(level),
            // What is stored is moved, what is compressed stays so.
            _ => MemberOptions::new(),
        };
        writer.copy_with(&member, coding)?;
        progress.add(member.compressed_size());
    }
    Ok(writer.finish()?)
}

impl Report {
    fn aligned(&self) -> bool {
        self.members.iter().all(|member| !member.array || member.aligned_before)
    }

    fn print(&self, out: &mut impl Write, console: &Console, several: bool) -> Result<()> {
        if several {
            writeln!(out, "{}:", Escaped(&self.file))?;
        }
        let mut table = Table::new(&mut *out, console, &["key", "method", "before", "after"])?;
        for member in self.members.iter().filter(|member| member.array) {
            table.row(member.cells(self.written))?;
        }
        table.finish()?;
        // In a pipe it would not be a row.
        match console.terminal {
            true => writeln!(out, "{}", self.sum())?,
            false => {
                out.flush()?;
                console.note(format_args!("{}: {}", self.file, self.sum()));
            }
        }
        Ok(())
    }

    fn sum(&self) -> String {
        let arrays = || self.members.iter().filter(|member| member.array);
        let misaligned = arrays().filter(|member| !member.aligned_before).count();
        let (stored, align) = (arrays().filter(|member| member.offset_before.is_some()).count(), self.align);
        let (before, after) = (self.bytes_before, self.bytes_after.unwrap_or_default());
        let mut sum = if self.output.is_none() {
            format!("{} of {stored} stored arrays are aligned to {align} bytes", stored - misaligned)
        } else if self.written {
            let moved = arrays().filter(|member| member.offset_before != member.offset_after).count();
            format!("{moved} arrays moved; {before} bytes before, {after} after")
        } else if misaligned == 0 && before == after {
            "all is aligned already; nothing was written".into()
        } else {
            format!("{misaligned} arrays would be aligned; {before} bytes before, {after} after")
        };
        match arrays().filter(|member| member.stays_compressed()).count() {
            0 => {}
            kept => sum += &format!("; {kept} compressed, which --store makes borrowable"),
        }
        sum
    }
}

impl Moved {
    fn stays_compressed(&self) -> bool {
        *self.method_after.as_ref().unwrap_or(&self.method_before) != Method::Stored.to_string()
    }

    fn cells(&self, written: bool) -> Vec<Cell> {
        let offset = |offset: Option<u64>| offset.map_or("-".into(), |offset| offset.to_string());
        let method = match &self.method_after {
            Some(after) if *after != self.method_before => format!("{} → {after}", self.method_before),
            _ => self.method_before.clone(),
        };
        let style = |aligned: bool| if aligned { Style::Good } else { Style::Notable };
        let after = if written { offset(self.offset_after) } else { "-".into() };
        vec![
            Escaped(&self.key).to_string().into(),
            method.into(),
            Cell::new(offset(self.offset_before), style(self.aligned_before)),
            Cell::new(after, style(self.aligned_after.unwrap_or(true))),
        ]
    }
}
