//! `npz pack`: an aligned archive from `.npy` files, CSV, and standard input.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use npzmap::{Dtype, ErrorKind, Escaped, Header, MemberOptions, Npy, NpzWriter, ReadAt, Save, Sink, Source};
use serde::Serialize;

use crate::align::alignment;
use crate::args::{Reading, Writing};
use crate::console::Console;
use crate::counter::Counter;
use crate::exit::{Code, Failure, Problems, Result};
use crate::input::{BLOCK, begins_as_array};
use crate::json::{Documents, SCHEMA};
use crate::parse::{Csv, Encoded, FirstLine};
use crate::progress::Progress;
use crate::row::tuple;
use crate::select::hidden;
use crate::table::Table;

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz pack -o model.npz weights.npy bias.npy
  npz pack -o model.npz encoder/weight=weights.npy scores=scores.csv
  npz pack -o table.npz --dtype f4 --header yes table.csv
  npz cat old.npz w | npz pack -o new.npz w=-

The key is what stands before '=', or the file's name without its extension. A .npy file goes in byte for byte; of any
size, since it is passed on as it is read. CSV becomes an array of two dimensions, of one if it has one column: of
integers, floats, bools, or else text, unless --dtype says what.")]
pub(crate) struct Options {
    /// The archive to write
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,

    /// .npy and .csv files, - for standard input
    #[arg(required = true, value_name = "[KEY=]FILE")]
    inputs: Vec<OsString>,

    /// The dtype of what comes from CSV, as NumPy prints it: f4, <i8, U10
    #[arg(long, value_name = "DTYPE")]
    dtype: Option<String>,

    /// Whether the first line of CSV names its columns: yes, no, or auto: if it has no number and the others only numbers
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    header: FirstLine,

    /// Deflate the members, level 0 to 9; such arrays cannot be borrowed
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u32).range(0..=9))]
    deflate: Option<u32>,

    /// Where elements may begin: multiples of this, a power of two up to 32768
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = alignment)]
    align: u64,

    /// One JSON document
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    writing: Writing,

    #[command(flatten)]
    reading: Reading,
}

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let dtype = options.dtype.as_deref().map(str::parse::<Dtype>).transpose();
    let dtype = dtype.map_err(|error| Failure::new(Code::Usage, format!("--dtype: {error}")))?;
    options.writing.check(&options.output)?;
    // All of them before anything is written.
    let mut keys = HashSet::new();
    let mut input_taken = false;
    let mut arrays = Vec::new();
    let mut read = None;
    for input in &options.inputs {
        let (key, path) = key_and_path(input)?;
        read = read.or_else(|| Writing::reads(&path, &options.output));
        if !keys.insert(key.clone()) {
            return Err(Failure::new(Code::Usage, format!("{key}: a key twice; name one with KEY=FILE")));
        }
        if path == Path::new("-") && std::mem::replace(&mut input_taken, true) {
            return Err(Failure::new(Code::Usage, "standard input can be read once only"));
        }
        let array = Array::open(&path, dtype.as_ref(), options)?;
        let header = array.save().header()?;
        if header.dtype().has_object() {
            let error = npzmap::Error::from(ErrorKind::Pickled);
            return Err(Failure::new(Code::Unsupported, format!("{}: {error}", path.display())));
        }
        arrays.push((key, array, header));
    }
    hidden(&keys)?;
    let for_csv = options.dtype.is_some() || options.header != FirstLine::Auto;
    if for_csv && !arrays.iter().any(|(_, array, _)| matches!(array, Array::Csv(_))) {
        return Err(Failure::new(Code::Usage, "--dtype and --header are for CSV; of the inputs none is"));
    }
    let bytes = if options.writing.dry_run {
        write(NpzWriter::new(Counter::default())?, &arrays, options)?.length
    } else {
        let (writer, _guard) = options.writing.create(&options.output, read.as_ref())?;
        write(writer, &arrays, options)?;
        fs::metadata(&options.output).map_err(Failure::file(&options.output))?.len()
    };
    report(&arrays, bytes, options, console)?;
    Ok(Problems::default())
}

/// `KEY=FILE`, or a file's own stem.
fn key_and_path(input: &OsStr) -> Result<(String, PathBuf)> {
    let refuse = |problem: &str| Err(Failure::new(Code::Usage, format!("{}: {problem}", input.display())));
    let (key, path) = match split(input).filter(|_| !Path::new(input).exists()) {
        Some((key, path)) => (key, path),
        None if input == "-" => return refuse("standard input has no name; give it a key: KEY=-"),
        None => (Path::new(input).file_stem().unwrap_or_default(), input),
    };
    match key.to_str() {
        Some("") => refuse("the key is empty; name one with KEY=FILE"),
        Some(key) => Ok((key.into(), path.into())),
        None => refuse("keys are UTF-8; name one with KEY=FILE"),
    }
}

/// What stands before and behind the first '='. A path need not be text.
#[cfg(unix)]
fn split(input: &OsStr) -> Option<(&OsStr, &OsStr)> {
    use std::os::unix::ffi::OsStrExt;

    let bytes = input.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=')?;
    let (key, path) = bytes.split_at(at);
    Some((OsStr::from_bytes(key), OsStr::from_bytes(path.get(1..)?)))
}

#[cfg(not(unix))]
fn split(input: &OsStr) -> Option<(&OsStr, &OsStr)> {
    input.to_str()?.split_once('=').map(|(key, path)| (key.as_ref(), path.as_ref()))
}

/// All that a source has, within the limit. It is probably of this size.
fn content(path: &Path, mut source: impl Read, size: u64, limit: u64) -> Result<Vec<u8>> {
    let too_long = || {
        let path = path.display();
        let text =
            format!("{path}: is held in memory, and has more than the {limit} bytes that --max-array-bytes allows");
        Failure::new(Code::Unreadable, text)
    };
    if size > limit {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    // One byte more tells that there is no more.
    let mut next = size.saturating_add(1);
    loop {
        let room = usize::try_from(next).unwrap_or(usize::MAX);
        bytes.try_reserve_exact(room).map_err(|_| {
            let error = ErrorKind::OutOfMemory { bytes: next.saturating_add(bytes.len() as u64) };
            Failure::new(Code::Unreadable, format!("{}: {error}", path.display()))
        })?;
        let count = source.by_ref().take(next).read_to_end(&mut bytes).map_err(Failure::file(path))?;
        if bytes.len() as u64 > limit {
            return Err(too_long());
        }
        if count < room {
            return Ok(bytes);
        }
        // Not twice as much, as a vector grows by itself.
        next = (bytes.len() as u64 / 8).max(BLOCK as u64).min(limit - bytes.len() as u64 + 1);
    }
}

/// What becomes a member.
enum Array {
    File(Plain<ReadAt>),
    Memory(Plain<Vec<u8>>),
    Csv(Encoded),
}

/// A `.npy` file that is passed on as it is.
struct Plain<S>(Npy<S>);

impl Array {
    fn open(path: &Path, dtype: Option<&Dtype>, options: &Options) -> Result<Self> {
        let is_input = path == Path::new("-");
        if !is_input && begins_as_array(path) {
            return Ok(Array::File(Plain(options.reading.options().open_npy(path)?)));
        }
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        if !is_input && extension != "csv" {
            // What it is not, is told best by who reads it.
            options.reading.options().open_npy(path).map(drop)?;
        }
        let bytes = if is_input {
            content(path, std::io::stdin().lock(), 0, options.reading.limit())?
        } else {
            let file = File::open(path).map_err(Failure::file(path))?;
            let size = file.metadata().map_or(0, |metadata| metadata.len());
            content(path, file, size, options.reading.limit())?
        };
        if bytes.starts_with(b"\x93NUMPY") {
            return Ok(Array::Memory(Plain(options.reading.options().npy(bytes)?)));
        }
        let about = |text: String| Failure::new(Code::Unreadable, format!("{}: {text}", path.display()));
        let csv = Csv::parse(&bytes, options.header, dtype).map_err(about)?;
        options.reading.check(&path.display().to_string(), csv.nbytes())?;
        Ok(Array::Csv(csv.encode().map_err(about)?))
    }

    fn save(&self) -> &dyn Save {
        match self {
            Array::File(plain) => plain,
            Array::Memory(plain) => plain,
            Array::Csv(encoded) => encoded,
        }
    }
}

impl<S: Source + Sync> Save for Plain<S> {
    fn header(&self) -> npzmap::Result<Header> {
        self.0.header()
    }

    fn preamble(&self, header: &Header) -> Vec<u8> {
        let mut preamble = vec![0; header.preamble_size()];
        match self.0.source().read_exact_at(0, &mut preamble) {
            Ok(()) => preamble,
            // The elements will not be read either, and say why.
            Err(_) => header.to_bytes(),
        }
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> npzmap::Result<()>) -> npzmap::Result<()> {
        self.0.stream_elements(|_, stream| {
            let mut block = vec![0; BLOCK.min(usize::try_from(stream.left()).unwrap_or(BLOCK))];
            while stream.left() > 0 {
                let count = block.len().min(usize::try_from(stream.left()).unwrap_or(usize::MAX));
                stream.read_exact(&mut block[..count])?;
                put(&block[..count])?;
            }
            Ok(())
        })
    }
}

type Named = (String, Array, Header);

fn write<S: Sink>(writer: NpzWriter<S>, arrays: &[Named], options: &Options) -> Result<S::Finished> {
    let mut writer = writer.align(options.align)?;
    let coding = match options.deflate {
        Some(level) => MemberOptions::new().deflate(level),
        None => MemberOptions::new().store(),
    };
    let progress = Progress::new(arrays.iter().map(|(_, _, header)| header.nbytes() as u64));
    for (key, array, _) in arrays {
        writer.add_with(key, &progress.of(array.save()), coding)?;
    }
    Ok(writer.finish()?)
}

#[derive(Serialize)]
struct Document {
    schema: u32,
    output: String,
    dry_run: bool,
    /// What the archive has, or would have.
    bytes: u64,
    members: Vec<Packed>,
}

#[derive(Serialize)]
struct Packed {
    key: String,
    dtype: String,
    shape: Vec<usize>,
    nbytes: usize,
}

fn report(arrays: &[Named], bytes: u64, options: &Options, console: &Console) -> Result<()> {
    let packed = |(key, _, header): &Named| Packed {
        key: key.clone(),
        dtype: header.dtype().to_string(),
        shape: header.shape().to_vec(),
        nbytes: header.nbytes(),
    };
    let members: Vec<_> = arrays.iter().map(packed).collect();
    let mut out = console.out();
    if options.json {
        let output = options.output.to_string_lossy().into_owned();
        let dry_run = options.writing.dry_run;
        let mut documents = Documents::new(&mut out, false);
        documents.print(&Document { schema: SCHEMA, output, dry_run, bytes, members })?;
        return documents.finish();
    }
    let mut table = Table::new(&mut out, console, &["key", "dtype", "shape", "bytes"])?;
    for member in members {
        let cells = [
            Escaped(&member.key).to_string(),
            Escaped(&member.dtype).to_string(),
            tuple(&member.shape),
            member.nbytes.to_string(),
        ];
        table.row(cells.map(Into::into).into())?;
    }
    table.finish()?;
    Ok(out.flush()?)
}
