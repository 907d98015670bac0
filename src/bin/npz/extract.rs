//! `npz extract`: members as files below one folder, and nowhere else.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use npzmap::Escaped;
use serde::Serialize;

use crate::args::{Reading, Writing};
use crate::budget::Decoding;
use crate::console::Console;
use crate::exit::{Code, Failure, Problems, Result};
use crate::input::{Entry, Input};
use crate::interrupt::Guard;
use crate::json::{Documents, Refused, SCHEMA};
use crate::place::{Folder, parts};
use crate::progress::Progress;
use crate::select::Globs;
use crate::table::Table;

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz extract model.npz
  npz extract model.npz encoder/bias encoder/scale -d weights
  npz extract --include 'optim/*' --dry-run model.npz

Each member is written byte for byte, an array as a .npy file. A name with folders makes folders. Names that lead out
of the folder, and names that mean something else on another system, are refused: '..', absolute paths, drive letters,
backslashes, device names, control characters. No link below the folder is followed, none is made. The other members are
still written. Folders that were made for a member that is not, are removed again, as is DIR if nothing is written to
it.")]
pub(crate) struct Options {
    /// The archive
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Only these members
    #[arg(value_name = "KEY", conflicts_with_all = ["include", "exclude"])]
    keys: Vec<String>,

    /// The folder to write to, which is made if it is not there
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,

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

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let input = Input::open(&options.file, &options.reading)?;
    let select = options.globs.compile()?;
    let mut problems = Problems::default();
    let mut entries = Vec::new();
    if options.keys.is_empty() {
        entries.extend(input.selected(&select));
    }
    let mut errors = Vec::new();
    for key in &options.keys {
        let entry = input.entry(&options.file, Some(key));
        Refused::note(&mut errors, key, &entry);
        entries.extend(problems.survive(console, entry)?);
    }
    options.decoding.count_written(&options.file, entries.iter().cloned())?;
    let mut out = console.out();
    let (written, refused) = extract(&entries, &options.dir, &options.writing, console, &mut problems)?;
    errors.extend(refused);
    if options.json {
        let file = options.file.to_string_lossy().into_owned();
        let mut documents = Documents::new(&mut out, false);
        documents.print(&Document {
            schema: SCHEMA,
            file,
            dry_run: options.writing.dry_run,
            members: written,
            errors,
        })?;
        documents.finish()?;
        return Ok(problems);
    }
    let mut table = Table::new(&mut out, console, &["key", "file", "bytes"])?;
    for written in written {
        let cells = [Escaped(&written.key).to_string(), Escaped(&written.file).to_string(), written.bytes.to_string()];
        table.row(cells.map(Into::into).into())?;
    }
    table.finish()?;
    out.flush()?;
    Ok(problems)
}

#[derive(Serialize)]
struct Document {
    schema: u32,
    file: String,
    dry_run: bool,
    members: Vec<Written>,
    /// What was not extracted.
    errors: Vec<Refused>,
}

#[derive(Serialize)]
pub(crate) struct Written {
    pub(crate) key: String,
    pub(crate) file: String,
    pub(crate) bytes: u64,
}

/// Writes what can be written, and complains about the rest.
pub(crate) fn extract(
    entries: &[Entry<'_>],
    dir: &Path,
    writing: &Writing,
    console: &Console,
    problems: &mut Problems,
) -> Result<(Vec<Written>, Vec<Refused>)> {
    let folder = if writing.dry_run { Folder::existing(dir) } else { Folder::open(dir).map(Some) };
    let mut folder = folder.map_err(Failure::file(dir))?;
    let progress = Progress::new(entries.iter().map(Entry::size));
    let mut names = HashMap::new();
    let (mut written, mut refused) = (Vec::new(), Vec::new());
    for entry in entries {
        let name = entry.name();
        // A folder's own entry; its files make it.
        if name.ends_with('/') && entry.size() == 0 {
            continue;
        }
        let result = write(entry, folder.as_ref(), dir, writing, &mut names, &progress);
        let key = entry.key().into_owned();
        Refused::note(&mut refused, &key, &result);
        if problems.survive(console, result)?.is_some() {
            let file = dir.join(&*name).to_string_lossy().into_owned();
            written.push(Written { key, file, bytes: entry.size() });
        }
    }
    if refused.is_empty() {
        folder.iter_mut().for_each(Folder::keep);
    }
    Ok((written, refused))
}

fn write(
    entry: &Entry<'_>,
    folder: Option<&Folder>,
    dir: &Path,
    writing: &Writing,
    names: &mut HashMap<String, String>,
    progress: &Progress,
) -> Result<()> {
    let name = entry.name();
    let refuse = |code, problem: &str| Failure::new(code, format!("{}: not extracted: {problem}", Escaped(&name)));
    let parts = parts(&name).map_err(|problem| refuse(Code::Unreadable, problem))?;
    // Some systems do not tell upper case from lower.
    let before = names.insert(name.to_lowercase(), name.to_string());
    let exists = || dir.join(&*name).symlink_metadata().is_ok();
    if before.is_some_and(|before| before == name || exists()) {
        return Err(refuse(Code::Unreadable, "another member was written there"));
    }
    let refused = |error: std::io::Error| {
        let code = if error.kind() == std::io::ErrorKind::AlreadyExists { Code::Usage } else { Code::Unreadable };
        refuse(code, &error.to_string())
    };
    let Some(folder) = folder.filter(|_| !writing.dry_run) else {
        folder.map_or(Ok(()), |folder| folder.check(&parts, writing.force)).map_err(refused)?;
        return entry.copy_to(&mut std::io::sink(), |bytes| progress.add(bytes));
    };
    let make = || folder.create(&parts, writing.force);
    let (mut file, _guard) = Guard::around(make, |file| folder.left_by(file)).map_err(refused)?;
    entry.copy_to(&mut file, |bytes| progress.add(bytes)).map_err(|failure| match failure {
        Failure::Output(error) => refused(error),
        other => other,
    })?;
    file.finish().map_err(refused)
}
