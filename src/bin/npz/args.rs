//! What can be asked for, and the options that several commands share.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use npzmap::{AtomicFile, Limits, NpzWriter, OpenOptions, ReadAt};

use crate::exit::{Code, Failure, Result};
use crate::interrupt::Guard;
use crate::{align, cat, check, completions, convert, diff, extract, ls, man, pack, plot, show, stat};

/// Look at NumPy's .npz archives and their values; check, align, take apart, build and compare them.
#[derive(Parser)]
#[command(name = "npz", version, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "`npz FILE` is `npz ls FILE`. `npz help COMMAND` has examples.\n\n\
Exit codes: 0 fine, 1 a difference or a problem was found, 2 usage, 3 unreadable or corrupt, 4 not supported, \
5 no such key; 129, 130 and 143 ended by a signal.")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Whether to colour what is printed; `auto` does on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(crate) color: When,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the members: key, dtype, shape, method, size, where the elements lie, and whether a map would borrow them
    Ls(ls::Options),
    /// Print values as NumPy prints them, of an array or a slice of it
    Show(show::Options),
    /// Count, range, mean, deviation, NaN, and a histogram in a line, of arrays of any size
    Stat(stat::Options),
    /// Draw a histogram, a line, a heat map or an image: on the terminal, as PNG, as SVG
    Plot(plot::Options),
    /// Find every departure from the rules, with its place, and check every CRC-32
    Check(check::Options),
    /// Rewrite an archive so that a map can lend its arrays
    Align(align::Options),
    /// Write one member to standard output: as .npy, as bytes, or as CSV
    Cat(cat::Options),
    /// Write members as files below a folder
    Extract(extract::Options),
    /// Build an aligned archive from .npy files, CSV, and standard input
    Pack(pack::Options),
    /// Compare two archives: keys, dtypes, shapes, elements
    Diff(diff::Options),
    /// Convert to and from safetensors, to a folder of .npy files, to CSV
    Convert(convert::Options),
    /// Print a script that completes the command line in a shell
    Completions(completions::Options),
    /// Print the manual, or write a page for each command
    Man(man::Options),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

/// How files are opened.
#[derive(clap::Args)]
pub(crate) struct Reading {
    /// The limit of decoded bytes of one array that is held in memory
    #[arg(long, value_name = "N")]
    max_array_bytes: Option<u64>,
}

impl Reading {
    pub(crate) fn limit(&self) -> u64 {
        const DEFAULT: u64 = 16 << 30; // that of `Limits`
        self.max_array_bytes.unwrap_or(DEFAULT)
    }

    /// Refuses to hold more than the limit.
    pub(crate) fn check(&self, key: &str, bytes: usize) -> Result<()> {
        let limit = self.limit();
        if bytes as u64 <= limit {
            return Ok(());
        }
        let text = format!(
            "{key}: {bytes} bytes to be held in memory, more than the limit of {limit}; --max-array-bytes raises it"
        );
        Err(Failure::new(Code::Unreadable, text))
    }

    pub(crate) fn options(&self) -> OpenOptions {
        let limits = Limits::new();
        OpenOptions::new().limits(match self.max_array_bytes {
            Some(bytes) => limits.max_decoded_bytes(bytes),
            None => limits,
        })
    }
}

/// What whoever writes is asked.
#[derive(clap::Args)]
pub(crate) struct Writing {
    /// Overwrite what is there
    #[arg(short, long)]
    pub(crate) force: bool,

    /// Say what would be done, and write nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

impl Writing {
    /// Refuses a target that is there, or that cannot be.
    pub(crate) fn check(&self, target: &Path) -> Result<()> {
        let found = target.symlink_metadata();
        if found.is_ok() && !self.force {
            return Err(Failure::new(
                Code::Usage,
                format!("{}: is there already; --force overwrites it", target.display()),
            ));
        }
        if target.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(Failure::new(Code::Usage, format!("{}: is no file", target.display())));
        }
        let folder = folder_of(target);
        match folder.metadata() {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(Failure::new(Code::Unreadable, format!("{}: is no folder", folder.display()))),
            Err(error) => Err(Failure::file(folder)(error)),
        }
    }

    /// The target, if it is what is read, too. Asked before anything is read from it.
    pub(crate) fn reads(input: &Path, target: &Path) -> Option<ReadAt> {
        let real = input.canonicalize().ok().filter(|real| real.is_file())?;
        (real == target.canonicalize().ok()?).then(|| ReadAt::new(File::open(real).ok()?).ok())?
    }

    /// Begins an archive, which takes its name when it is finished; without `--force`, if the name is free then. If it is
    /// made from the target itself, no other file is replaced.
    pub(crate) fn create(&self, target: &Path, read: Option<&ReadAt>) -> Result<(NpzWriter, Guard)> {
        let make = || match read {
            Some(read) => NpzWriter::replace(target, read),
            None if self.force => NpzWriter::create(target),
            None => NpzWriter::create_new(target),
        };
        Ok(Guard::around(make, |writer| vec![writer.temporary_path().to_owned()])?)
    }

    /// Begins a file of another format, in the same way.
    pub(crate) fn create_file(&self, target: &Path, read: Option<&ReadAt>) -> Result<(AtomicFile, Guard)> {
        let make = || match read {
            Some(read) => AtomicFile::replace(target, read),
            None if self.force => AtomicFile::create(target),
            None => AtomicFile::create_new(target),
        };
        Ok(Guard::around(make, |file| vec![file.temporary_path().to_owned()])?)
    }
}

fn folder_of(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `npz FILE` is `npz ls FILE`: puts the command before the arguments if the first one that is no option is a file. If it is
/// neither a file nor a command, it is a mistyped command.
pub(crate) fn with_default_command(mut args: Vec<OsString>) -> Vec<OsString> {
    let command = Args::command();
    let is_command = |arg: &OsString| arg == "help" || command.get_subcommands().any(|one| one.get_name() == arg);
    let is_file = |arg: &OsString| {
        let looks_like_one = Path::new(arg).extension().is_some() || arg.to_string_lossy().contains('/');
        looks_like_one || Path::new(arg).exists()
    };
    if first_positional(&command, args.get(1..).unwrap_or_default()).is_some_and(|arg| !is_command(arg) && is_file(arg))
    {
        args.insert(1, "ls".into());
    }
    args
}

/// The first argument that is neither an option nor the value of one, by the options of `ls`.
fn first_positional<'a>(command: &clap::Command, args: &'a [OsString]) -> Option<&'a OsString> {
    let known = || command.find_subcommand("ls").into_iter().flat_map(clap::Command::get_arguments);
    let known = || known().chain(command.get_arguments()).filter(|option| option.get_action().takes_values());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy();
        let takes_next = match text.strip_prefix("--") {
            Some("") => return args.next(),
            Some(name) => known().any(|option| option.get_long() == Some(name)),
            None if text.starts_with('-') && text.len() > 1 => {
                known().any(|option| option.get_short().is_some() && option.get_short() == text.chars().last())
            }
            None => return Some(arg),
        };
        if takes_next {
            args.next();
        }
    }
    None
}
