//! What can be asked for.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Look at NumPy's .npz archives.
#[derive(Parser)]
#[command(name = "npz", version, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 fine, 2 usage, 3 unreadable or corrupt, 4 not supported, 5 no such key.")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the members: key, dtype, shape, method, size, where the elements lie, and whether a map would borrow them
    Ls(Ls),
}

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz ls model.npz
  npz ls --long model.npz
  npz ls --json model.npz optimizer.npz

On a terminal it prints a table, into a pipe tab-separated lines with a header line. The column 'map' says what
Npz::map does with the array: 'borrow', or why it has to be copied: 'misaligned', 'compressed', 'byte-order'.")]
pub(crate) struct Ls {
    /// The archives
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// One JSON document; an array of them for several files
    #[arg(long)]
    pub(crate) json: bool,

    /// Also order, version of the .npy format, compressed size, ratio and CRC-32
    #[arg(short, long)]
    pub(crate) long: bool,

    /// The limit of decoded bytes for one member
    #[arg(long, value_name = "N")]
    pub(crate) max_array_bytes: Option<u64>,
}
