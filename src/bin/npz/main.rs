//! `npz`: look at NumPy's archives, check, align, take apart, build and compare them. Written against the library's
//! public face alone; it reads by position and never maps, so that no file can kill it.

mod align;
mod args;
mod cat;
mod check;
mod compare;
mod console;
mod convert;
mod diff;
mod elements;
mod exit;
mod extract;
mod input;
mod json;
mod leaves;
mod ls;
mod pack;
mod parse;
mod place;
mod progress;
mod row;
mod safe;
mod select;
mod table;
mod text;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse_from(args::with_default_command(std::env::args_os().collect()));
    let console = console::Console::new(args.color);
    let outcome = match &args.command {
        args::Command::Align(options) => align::run(options, &console),
        args::Command::Cat(options) => cat::run(options, &console),
        args::Command::Extract(options) => extract::run(options, &console),
        args::Command::Pack(options) => pack::run(options, &console),
        args::Command::Diff(options) => diff::run(options, &console),
        args::Command::Convert(options) => convert::run(options, &console),
        args::Command::Check(options) => check::run(options, &console),
        args::Command::Ls(options) => ls::run(options, &console),
    };
    exit::code(outcome, &console)
}
