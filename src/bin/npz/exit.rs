//! Exit codes, which scripts rely on.

use std::io;
use std::process::ExitCode;

use npzmap::{Error, ErrorKind};

/// A file cannot be read, or something in it.
const UNREADABLE: u8 = 3;
/// What the file uses is not supported: pickled objects, encryption, methods.
const UNSUPPORTED: u8 = 4;
/// The key that was asked for is not there.
const NO_SUCH_KEY: u8 = 5;

/// The first problem of a run, which gives the exit code; each was printed when it came up.
#[derive(Default)]
pub(crate) struct Problems(Option<u8>);

impl Problems {
    pub(crate) fn note(&mut self, error: &Error) {
        self.0.get_or_insert(match error.kind() {
            ErrorKind::NoSuchKey { .. } => NO_SUCH_KEY,
            kind if kind.is_unsupported() => UNSUPPORTED,
            _ => UNREADABLE,
        });
    }
}

/// The exit code of a run. Whoever stops reading our output has what they wanted.
pub(crate) fn code(outcome: io::Result<Problems>) -> ExitCode {
    match outcome {
        Ok(Problems(None)) => ExitCode::SUCCESS,
        Ok(Problems(Some(code))) => ExitCode::from(code),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("npz: {error}");
            ExitCode::from(UNREADABLE)
        }
    }
}
