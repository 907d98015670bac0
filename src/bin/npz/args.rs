//! What can be asked for, and the options that several commands share.

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use npzmap::{Limits, OpenOptions};

use crate::exit::{Code, Failure, Result};
use crate::{align, cat, check, completions, convert, diff, extract, ls, man, pack, plot, show, stat};

/// Look at NumPy's .npz archives and their values; check, align, take apart, build and compare them.
#[derive(Parser)]
#[command(name = "npz", version, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "`npz FILE` is `npz ls FILE`. `npz help COMMAND` has examples.\n\n\
Exit codes: 0 fine, 1 a difference or a problem was found, 2 usage, 3 unreadable or corrupt, 4 not supported, \
5 no such key.")]
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
    /// Refuses to hold more than the limit.
    pub(crate) fn check(&self, key: &str, bytes: usize) -> Result<()> {
        const DEFAULT: u64 = 16 << 30; // that of `Limits`
        let limit = self.max_array_bytes.unwrap_or(DEFAULT);
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
    /// Refuses a target that is there.
    pub(crate) fn check(&self, target: &Path) -> Result<()> {
        if self.force || target.symlink_metadata().is_err() {
            return Ok(());
        }
        Err(Failure::new(Code::Usage, format!("{}: is there already; --force overwrites it", target.display())))
    }
}

/// `npz FILE` is `npz ls FILE`: puts the command before the arguments if they name no command but a file. A first argument
/// that is neither is a mistyped command.
pub(crate) fn with_default_command(mut args: Vec<OsString>) -> Vec<OsString> {
    let command = Args::command();
    let is_command = |arg: &OsString| arg == "help" || command.get_subcommands().any(|one| one.get_name() == arg);
    let is_option = |arg: &OsString| arg.to_string_lossy().starts_with('-');
    let is_file = |arg: &OsString| {
        let looks_like_one = Path::new(arg).extension().is_some() || arg.to_string_lossy().contains('/');
        !is_option(arg) && (looks_like_one || Path::new(arg).exists())
    };
    let rest = args.get(1..).unwrap_or_default();
    let begins = rest.first().is_some_and(|first| is_option(first) || is_file(first));
    if begins && rest.iter().any(is_file) && !rest.iter().any(is_command) {
        args.insert(1, "ls".into());
    }
    args
}
