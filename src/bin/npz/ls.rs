//! `npz ls`: what is in an archive, and what a map would do with it.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use npzmap::{Access, Error, ErrorKind, Escaped, Header, Limits, Member, Method, Npz, OpenOptions, Order};
use serde::Serialize;

use crate::args::Ls;
use crate::exit::Problems;
use crate::table::Table;

/// The version of the JSON documents.
const SCHEMA: u32 = 1;

pub(crate) fn run(options: &Ls) -> io::Result<Problems> {
    let stdout = io::stdout().lock();
    let terminal = stdout.is_terminal();
    let mut out = BufWriter::new(stdout);
    let mut problems = Problems::default();

    let mut limits = Limits::new();
    if let Some(bytes) = options.max_array_bytes {
        limits = limits.max_decoded_bytes(bytes);
    }
    let archives = options.files.iter().filter_map(|path| {
        let opened = OpenOptions::new().limits(limits).open(path);
        opened.map(|npz| (path.as_path(), npz)).map_err(|error| complain(&mut problems, &error)).ok()
    });
    let archives: Vec<_> = archives.collect();

    if options.json {
        json(&mut out, &archives, options.files.len() > 1, &mut problems)?;
    } else {
        for (path, npz) in &archives {
            if options.files.len() > 1 {
                writeln!(out, "{}:", Escaped(&path.to_string_lossy()))?;
            }
            table(&mut out, npz, options.long, terminal, &mut problems)?;
        }
    }
    out.flush()?;
    Ok(problems)
}

fn complain(problems: &mut Problems, error: &Error) {
    eprintln!("npz: {error}");
    problems.note(error);
}

/// A member, as `--json` prints it.
#[derive(Serialize)]
struct Row {
    key: String,
    name: String,
    kind: &'static str,
    dtype: Option<String>,
    shape: Option<Vec<usize>>,
    order: Option<&'static str>,
    size: u64,
    nbytes: Option<u64>,
    compressed_size: u64,
    method: String,
    crc32: u32,
    payload_offset: Option<u64>,
    alignment: Option<u64>,
    access: Option<&'static str>,
    reason: Option<&'static str>,
    error: Option<String>,
    #[serde(skip)]
    version: Option<(u8, u8)>,
}

impl Row {
    fn of(member: &Member<'_>, problems: &mut Problems) -> Row {
        let mut row = Row {
            key: member.key().into(),
            name: member.text().into(),
            kind: "array",
            dtype: None,
            shape: None,
            order: None,
            size: member.size(),
            nbytes: None,
            compressed_size: member.compressed_size(),
            method: member.method().to_string(),
            crc32: member.crc32(),
            payload_offset: None,
            alignment: None,
            access: None,
            reason: None,
            error: None,
            version: None,
        };
        if let Err(error) = row.look(member) {
            complain(problems, &error);
            row.kind = "error";
            row.error = Some(error.to_string());
        }
        row
    }

    fn look(&mut self, member: &Member<'_>) -> Result<(), Error> {
        match member.header() {
            Ok(header) => self.describe(&header),
            Err(error) if matches!(error.kind(), ErrorKind::NotAnArray) => self.kind = "bytes",
            Err(error) => return Err(error),
        }
        self.payload_offset = member.payload_offset()?;
        self.alignment = self.payload_offset.map(alignment);
        if self.kind == "array" {
            match member.access_in_map() {
                Ok(Access::Borrow) => self.access = Some("borrow"),
                Ok(Access::Copy(reason)) => {
                    self.access = Some("copy");
                    self.reason = Some(reason.as_str());
                }
                // It can be taken in no way.
                Err(error) if matches!(error.kind(), ErrorKind::Pickled) => self.reason = Some("object"),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn describe(&mut self, header: &Header) {
        self.dtype = Some(header.dtype().to_string());
        self.shape = Some(header.shape().to_vec());
        self.order = Some(match header.order() {
            Order::C => "C",
            Order::Fortran => "F",
        });
        self.nbytes = Some(header.nbytes() as u64);
        self.version = Some(header.version());
    }

    fn cells(&self, long: bool) -> Vec<String> {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let number = |number: Option<u64>| or_dash(number.map(|number| number.to_string()));
        let dtype = self.dtype.as_deref().unwrap_or(self.kind);
        let mut cells = vec![
            Escaped(&self.key).to_string(),
            Escaped(dtype).to_string(),
            or_dash(self.shape.as_deref().map(tuple)),
            self.method.clone(),
            self.nbytes.unwrap_or(self.size).to_string(),
            number(self.payload_offset),
            number(self.alignment),
            self.reason.or(self.access).unwrap_or("-").into(),
        ];
        if long {
            let ratio = self.size as f64 / self.compressed_size as f64;
            cells.extend([
                self.order.unwrap_or("-").into(),
                or_dash(self.version.map(|(major, minor)| format!("{major}.{minor}"))),
                self.compressed_size.to_string(),
                if ratio.is_finite() { format!("{ratio:.2}") } else { "-".into() },
                format!("{:08x}", self.crc32),
            ]);
        }
        cells
    }
}

const COLUMNS: [&str; 8] = ["key", "dtype", "shape", "method", "bytes", "offset", "align", "map"];
const MORE_COLUMNS: [&str; 5] = ["order", "npy", "compressed", "ratio", "crc32"];

/// The largest power of two up to a page that divides an offset.
fn alignment(offset: u64) -> u64 {
    const PAGE: u64 = 4096;
    (1 << offset.trailing_zeros().min(63)).min(PAGE)
}

/// `(3, 4)`, as Python prints it.
fn tuple(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        shape => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

fn table(out: &mut impl Write, npz: &Npz, long: bool, terminal: bool, problems: &mut Problems) -> io::Result<()> {
    let more: &[&str] = if long { &MORE_COLUMNS } else { &[] };
    let mut table = Table::new(&mut *out, terminal, &[&COLUMNS, more].concat())?;
    let (mut arrays, mut borrowed, mut compressed) = (0_u64, 0_u64, 0_u64);
    for member in npz.members() {
        let row = Row::of(&member, problems);
        arrays += u64::from(row.kind == "array");
        borrowed += u64::from(row.access == Some("borrow"));
        compressed += u64::from(row.access.is_some() && member.method() != Method::Stored);
        table.row(row.cells(long))?;
    }
    table.finish()?;
    if terminal {
        writeln!(out, "{}", summary(arrays, borrowed, compressed))?;
    }
    Ok(())
}

/// What the table comes to.
fn summary(arrays: u64, borrowed: u64, compressed: u64) -> String {
    let plural = if arrays == 1 { "" } else { "s" };
    match arrays - borrowed {
        0 => format!("{borrowed} of {arrays} array{plural} map without a copy"),
        _ if compressed > 0 => {
            format!("{borrowed} of {arrays} array{plural} map without a copy; {compressed} are compressed")
        }
        _ => format!("{borrowed} of {arrays} array{plural} map without a copy; views of Unaligned<T> borrow more"),
    }
}

/// One document, or an array of them, member by member as they are looked at.
fn json(out: &mut impl Write, archives: &[(&Path, Npz)], several: bool, problems: &mut Problems) -> io::Result<()> {
    let mut separator = if several { "[" } else { "" };
    for (path, npz) in archives {
        let file = serde_json::to_string(&path.to_string_lossy())?;
        write!(out, "{separator}{{\"schema\":{SCHEMA},\"file\":{file},\"members\":[")?;
        let mut comma = "";
        for member in npz.members() {
            out.write_all(comma.as_bytes())?;
            serde_json::to_writer(&mut *out, &Row::of(&member, problems))?;
            comma = ",";
        }
        out.write_all(b"]}")?;
        separator = ",";
    }
    match (several, archives.is_empty()) {
        (true, true) => writeln!(out, "[]"),
        (true, false) => writeln!(out, "]"),
        (false, true) => Ok(()),
        (false, false) => writeln!(out),
    }
}
