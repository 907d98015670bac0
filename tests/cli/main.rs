//! The command, run as its users run it. A file for each command.

#[path = "../it/forge.rs"]
#[expect(dead_code, reason = "each binary uses a part of it")]
mod forge;

mod align;
mod cat;
mod check;
mod completions;
mod convert;
mod decoded;
mod diff;
mod every;
mod extract;
mod faults;
mod interrupt;
mod json;
mod ls;
mod messages;
mod odd;
mod pack;
mod plot;
#[cfg(unix)]
mod rights;
mod run;
mod show;
mod stat;
#[cfg(target_os = "linux")]
mod terminal;
mod transcripts;
