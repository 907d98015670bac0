//! `npz convert`: to and from safetensors, to a folder of `.npy` files, to CSV.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use npzmap::{Escaped, MemberOptions, NpyWriter, NpzWriter, ReadAt, Sink};
use serde::Serialize;

use crate::args::{Reading, Writing};
use crate::budget::Decoding;
use crate::cat::{check_csv, write_csv};
use crate::console::Console;
use crate::counter::Counter;
use crate::exit::{Code, Failure, Problems, Result};
use crate::extract::extract;
use crate::input::{Entry, Input};
use crate::interrupt::Guard;
use crate::json::{Documents, Refused, SCHEMA};
use crate::place::{Folder, parts};
use crate::progress::Progress;
use crate::safe::{self, Incoming, Outgoing, Tensors, tensor_type};
use crate::select::{Globs, Select, hidden};

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz convert model.npz model.safetensors
  npz convert model.safetensors model.npz
  npz convert model.npz weights/
  npz convert --key scores table.npz scores.csv

What it becomes is told by the name of OUT: .npz, .safetensors, .csv, or else a folder of .npy files. Safetensors holds
numbers and bools, little-endian and in C order: numbers are swapped and arrays turned round for it. What it cannot
hold, such as text, dates and records, is named, and nothing is written; --exclude leaves it out.")]
pub(crate) struct Options {
    /// An archive, a .npy file, or a .safetensors file
    #[arg(value_name = "IN")]
    input: PathBuf,

    /// What to write: .npz, .safetensors, .csv, or a folder
    #[arg(value_name = "OUT")]
    output: PathBuf,

    /// The array that becomes CSV
    #[arg(short, long, value_name = "KEY")]
    key: Option<String>,

    /// Take the two bytes that ml_dtypes writes, |V2, for bfloat16
    #[arg(long)]
    bf16: bool,

    /// The first line of the CSV has the names of its columns
    #[arg(long)]
    header: bool,

    /// One JSON document
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Npz,
    Npy,
    Safetensors,
    Csv,
    Folder,
}

fn format(path: &Path) -> Format {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    match extension.to_str() {
        _ if path.is_dir() => Format::Folder,
        Some("npz") => Format::Npz,
        Some("npy") => Format::Npy,
        Some("safetensors") => Format::Safetensors,
        Some("csv") => Format::Csv,
        _ => Format::Folder,
    }
}

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let (from, to) = (format(&options.input), format(&options.output));
    let select = options.globs.compile()?;
    let mut problems = Problems::default();
    let usage = |text: String| Err(Failure::new(Code::Usage, text));
    if options.key.is_some() && to != Format::Csv {
        return usage("--key names the array of a .csv; --include chooses arrays for other targets".into());
    }
    if options.header && to != Format::Csv {
        return usage("--header is for a .csv".into());
    }
    if options.bf16 && (to != Format::Safetensors || from == Format::Safetensors) {
        return usage("--bf16 is for arrays that become .safetensors".into());
    }
    let input = options.input.display();
    match (from, to) {
        (Format::Csv, _) => return usage(format!("`npz pack -o OUT.npz {input}` reads CSV")),
        (Format::Folder, _) if options.input.is_dir() => {
            return usage(format!("`npz pack -o OUT.npz {input}/*.npy` reads a folder"));
        }
        (_, Format::Npy) => return usage(format!("`npz cat {input} KEY > OUT.npy` writes one array as .npy")),
        (Format::Safetensors, Format::Npz | Format::Folder) => {}
        (Format::Safetensors, _) => {
            return usage("safetensors becomes .npz or a folder; convert the .npz further".into());
        }
        (_, Format::Npz) => return usage("`npz align -o OUT.npz` copies an archive, `npz pack` .npy files".into()),
        _ => {}
    }
    if to != Format::Folder {
        options.writing.check(&options.output)?;
    }
    let read = Writing::reads(&options.input, &options.output);
    let read = read.as_ref();
    let mut errors = Vec::new();
    let keys = if from == Format::Safetensors {
        from_tensors(options, &select, to, read, console)?
    } else {
        let input = Input::open(&options.input, &options.reading)?;
        match to {
            Format::Safetensors => to_tensors(options, &input, &select, read)?,
            Format::Csv => to_csv(options, &input, &select, read)?,
            _ => {
                let entries: Vec<_> = input.selected(&select).collect();
                options.decoding.count_written(&options.input, entries.iter().cloned())?;
                let (written, refused) = extract(&entries, &options.output, &options.writing, console, &mut problems)?;
                errors = refused;
                written.into_iter().map(|written| written.key).collect()
            }
        }
    };
    let mut out = console.out();
    if options.json {
        let (input, output) = (options.input.to_string_lossy().into(), options.output.to_string_lossy().into());
        let mut documents = Documents::new(&mut out, false);
        let dry_run = options.writing.dry_run;
        documents.print(&Document { schema: SCHEMA, input, output, dry_run, keys, errors })?;
        documents.finish()?;
    } else {
        writeln!(out, "key")?;
        keys.iter().try_for_each(|key| writeln!(out, "{}", Escaped(key)))?;
        out.flush()?;
    }
    Ok(problems)
}

#[derive(Serialize)]
struct Document {
    schema: u32,
    input: String,
    output: String,
    dry_run: bool,
    keys: Vec<String>,
    /// What did not become a file, though others did.
    errors: Vec<Refused>,
}

/// All that cannot be converted, in one message.
fn refuse(path: &Path, refused: &[String]) -> Failure {
    let text = format!("{}: nothing was written; it cannot hold {}", path.display(), refused.join("; "));
    Failure::new(Code::Unsupported, text)
}

fn to_tensors(options: &Options, input: &Input, select: &Select, read: Option<&ReadAt>) -> Result<Vec<String>> {
    let (mut arrays, mut refused) = (Vec::new(), Vec::new());
    for entry in input.selected(select) {
        let key = entry.key().into_owned();
        // Names that are there twice, and the like.
        input.find(&key)?;
        let Some(header) = entry.try_array()?.map(|array| array.header().clone()) else {
            refused.push(format!("{key}: no array"));
            continue;
        };
        match tensor_type(header.dtype(), options.bf16) {
            _ if key == "__metadata__" => refused.push(format!("{key}: the format keeps this name for itself")),
            Ok(tensor) => arrays.push(Outgoing { entry, header, tensor }),
            Err(problem) => refused.push(format!("{key}: {problem}")),
        }
    }
    if !refused.is_empty() {
        return Err(refuse(&options.output, &refused));
    }
    options.decoding.count_written(&options.input, arrays.iter().map(|array| array.entry.clone()))?;
    let keys = arrays.iter().map(|array| array.entry.key().into_owned()).collect();
    write_file(options, read, |out| safe::write(arrays, out, &options.reading))?;
    Ok(keys)
}

fn to_csv(options: &Options, input: &Input, select: &Select, read: Option<&ReadAt>) -> Result<Vec<String>> {
    let mut selected = input.selected(select);
    let entry: Entry<'_> = match (&options.key, selected.next(), selected.next()) {
        (None, Some(one), None) => one,
        (key, ..) => input.entry(&options.input, key.as_deref())?,
    };
    let array = entry.array()?;
    check_csv(&entry, &array)?;
    options.decoding.count_written(&options.input, [entry.clone()])?;
    let progress = Progress::new([entry.size()]);
    write_file(options, read, |out| write_csv(&entry, &array, &options.reading, options.header, out, &progress))?;
    Ok(vec![entry.key().into_owned()])
}

/// Writes a file beside the target, and renames it when it is whole; in a dry run it is written nowhere.
fn write_file(options: &Options, read: Option<&ReadAt>, work: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    if options.writing.dry_run {
        return work(&mut io::sink());
    }
    let target = &options.output;
    let about = Failure::writing(target.display());
    let (file, _guard) = options.writing.create_file(target, read)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    work(&mut out).map_err(|failure| match failure {
        Failure::Output(error) => about(error),
        other => other,
    })?;
    Ok(out.into_inner().map_err(|error| about(error.into_error()))?.finish()?)
}

fn from_tensors(
    options: &Options,
    select: &Select,
    to: Format,
    read: Option<&ReadAt>,
    console: &Console,
) -> Result<Vec<String>> {
    let tensors = Tensors::open(&options.input)?;
    let arrays = tensors.arrays(select).map_err(|refused| refuse(&options.output, &refused))?;
    if tensors.has_metadata() {
        console.warn(format_args!("{}: its __metadata__ is left out", options.input.display()));
    }
    let keys = arrays.iter().map(|array| array.key.clone()).collect();
    if to != Format::Folder {
        hidden(&arrays.iter().map(|array| array.key.clone()).collect())?;
    }
    if to == Format::Folder {
        to_folder(&arrays, options)?;
    } else if options.writing.dry_run {
        write_archive(NpzWriter::new(Counter::default())?, &arrays)?;
    } else {
        let (writer, _guard) = options.writing.create(&options.output, read)?;
        write_archive(writer, &arrays)?;
    }
    Ok(keys)
}

fn write_archive<S: Sink>(mut writer: NpzWriter<S>, arrays: &[Incoming<'_>]) -> Result<S::Finished> {
    let progress = Progress::new(arrays.iter().map(Incoming::nbytes));
    for array in arrays {
        writer.add_with(&array.key, &progress.of(array), MemberOptions::new().store())?;
    }
    Ok(writer.finish()?)
}

fn to_folder(arrays: &[Incoming<'_>], options: &Options) -> Result<()> {
    let names: Vec<_> = arrays.iter().map(|array| format!("{}.npy", array.key)).collect();
    let refused: Vec<_> = names.iter().filter_map(|name| Some(format!("{name}: {}", parts(name).err()?))).collect();
    if !refused.is_empty() {
        return Err(refuse(&options.output, &refused));
    }
    let (output, writing) = (&options.output, &options.writing);
    let parts = |name| parts(name).unwrap_or_default();
    // All of them before the first is written.
    if let Some(folder) = Folder::existing(output).map_err(Failure::file(output))? {
        for name in &names {
            folder.check(&parts(name), writing.force).map_err(Failure::writing(name))?;
        }
    }
    if writing.dry_run {
        return Ok(());
    }
    let mut folder = Folder::open(output).map_err(Failure::file(output))?;
    let progress = Progress::new(arrays.iter().map(Incoming::nbytes));
    for (array, name) in arrays.iter().zip(&names) {
        let about = Failure::writing(name);
        let make = || folder.create(&parts(name), writing.force);
        let (file, _guard) = Guard::around(make, |file| folder.left_by(file)).map_err(&about)?;
        NpyWriter::stream(file).add(&progress.of(array))?.finish().map_err(about)?;
    }
    folder.keep();
    Ok(())
}
