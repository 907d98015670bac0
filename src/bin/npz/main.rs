//! `npz`: look at NumPy's archives, check, align, take apart, build and compare them. Written against the library's
//! public face alone; it reads by position and never maps, so that no file can kill it.

mod align;
mod args;
mod budget;
mod cat;
mod cells;
mod check;
mod compare;
mod completions;
mod console;
mod convert;
mod counter;
mod date;
mod diff;
mod elements;
mod exit;
mod extract;
mod input;
mod interrupt;
mod json;
mod leaves;
mod ls;
mod man;
mod pack;
mod parse;
mod part;
mod place;
mod plot;
mod progress;
mod row;
mod safe;
mod select;
mod shape;
mod show;
mod stat;
mod table;
mod text;

use std::env;
use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser;
use console::Console;
use rayon::ThreadPoolBuilder;

fn main() -> ExitCode {
    let args = Args::parse_from(args::with_default_command(env::args_os().collect()));
    let console = Console::new(args.color);
    let code = run(&args.command, &console).unwrap_or_else(|failure| failure.end(&console));
    console.sum_up();
    code
}

fn run(command: &Command, console: &Console) -> exit::Result<ExitCode> {
    let problems = match command {
        Command::Align(options) => side_by_side(|| align::run(options, console)),
        Command::Cat(options) => cat::run(options, console),
        Command::Check(options) => side_by_side(|| check::run(options, console)),
        Command::Completions(options) => completions::run(options, console),
        Command::Convert(options) => convert::run(options, console),
        Command::Diff(options) => diff::run(options, console),
        Command::Extract(options) => extract::run(options, console),
        Command::Ls(options) => ls::run(options, console),
        Command::Man(options) => man::run(options, console),
        Command::Pack(options) => pack::run(options, console),
        Command::Plot(options) => plot::run(options, console),
        Command::Show(options) => show::run(options, console),
        Command::Stat(options) => side_by_side(|| stat::run(options, console)),
    };
    problems.map(|problems| problems.code())
}

/// Runs work that is split over threads: as many as there are cores, or where the system grants none, this one. rayon's own
/// pool panics there.
fn side_by_side<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let pool = ThreadPoolBuilder::new().build();
    let pool = pool.or_else(|_| ThreadPoolBuilder::new().num_threads(1).use_current_thread().build());
    match pool {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}
