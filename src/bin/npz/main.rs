//! `npz`: look at NumPy's archives, check, align, take apart, build and compare them. Written against the library's
//! public face alone; it reads by position and never maps, so that no file can kill it.

mod args;
mod check;
mod console;
mod exit;
mod input;
mod json;
mod leaves;
mod ls;
mod progress;
mod row;
mod select;
mod table;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse_from(args::with_default_command(std::env::args_os().collect()));
    let console = console::Console::new(args.color);
    let outcome = match &args.command {
        args::Command::Check(options) => check::run(options, &console),
        args::Command::Ls(options) => ls::run(options, &console),
    };
    exit::code(outcome, &console)
}
