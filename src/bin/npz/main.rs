//! `npz`: look at NumPy's archives. Written against the library's public face alone; it reads by position and never
//! maps, so that no file can kill it.

mod args;
mod exit;
mod ls;
mod table;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let outcome = match &args.command {
        args::Command::Ls(options) => ls::run(options),
    };
    exit::code(outcome)
}
