//! What went wrong, and the exit codes, which scripts rely on.

use std::fmt;
use std::io;
use std::mem::{Discriminant, discriminant};
use std::path::Path;
use std::process::ExitCode;

use npzmap::{Error, ErrorKind, Fault};

use crate::console::Console;

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    /// `diff`, `check` or `align --check` found what they look for.
    Found = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A file cannot be read or written, or something in it is corrupt.
    Unreadable = 3,
    /// What the file uses is not supported: pickled objects, encryption, methods, a dtype that the target has not.
    Unsupported = 4,
    /// The key that was asked for is not there.
    NoSuchKey = 5,
}

pub(crate) enum Failure {
    Archive(Error),
    /// Nobody reads what we print, or it cannot be written.
    Output(io::Error),
    Other(Code, String),
}

/// What failures have in common that are one and the same problem of many members or files.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    System(io::ErrorKind),
    Archive(Discriminant<ErrorKind>),
    Other(Code),
}

impl Failure {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Failure::Archive(error) => match error.kind() {
                ErrorKind::Io(error) => Kind::System(error.kind()),
                kind => Kind::Archive(discriminant(kind)),
            },
            Failure::Output(error) => Kind::System(error.kind()),
            Failure::Other(code, _) => Kind::Other(*code),
        }
    }

    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Failure::Other(code, text.into())
    }

    /// What the system says about a file.
    pub(crate) fn file(path: &Path) -> impl Fn(io::Error) -> Failure {
        move |error| Failure::Other(Code::Unreadable, format!("{}: {error}", path.display()))
    }

    /// What the system says about something that is to be written: what is there already is for the user to decide.
    pub(crate) fn writing(what: impl fmt::Display) -> impl Fn(io::Error) -> Failure {
        move |error| {
            let code = if error.kind() == io::ErrorKind::AlreadyExists { Code::Usage } else { Code::Unreadable };
            Failure::new(code, format!("{what}: {error}"))
        }
    }

    pub(crate) fn code(&self) -> Code {
        match self {
            Failure::Archive(error) => match error.kind() {
                ErrorKind::NoSuchKey => Code::NoSuchKey,
                ErrorKind::Io(error) if error.kind() == io::ErrorKind::AlreadyExists => Code::Usage,
                kind if kind.is_unsupported() => Code::Unsupported,
                kind if kind.fault() == Fault::Request => Code::Usage,
                _ => Code::Unreadable,
            },
            Failure::Output(_) => Code::Unreadable,
            Failure::Other(code, _) => *code,
        }
    }

    /// Ends the run. Whoever stops reading our output has what they wanted.
    pub(crate) fn end(&self, console: &Console) -> ExitCode {
        if matches!(self, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        console.complain(self);
        ExitCode::from(self.code() as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Archive(error) => {
                let what = error.kind();
                f.write_str(&error.to_string().replacen(&what.to_string(), &explain(what), 1))
            }
            Failure::Output(error) => write!(f, "standard output: {error}"),
            Failure::Other(_, text) => f.write_str(text),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Archive(error)
    }
}

impl From<io::Error> for Failure {
    /// An error of the library that a reader gave is what it was; others are those of what is printed.
    fn from(error: io::Error) -> Self {
        error.downcast().map_or_else(Failure::Output, Failure::Archive)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Failure::Output(error.into())
    }
}

/// What is wrong, with the command's advice where the library's names its own calls.
pub(crate) fn explain(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::LimitExceeded { .. } => kind
            .to_string()
            .replace("Limits::max_decoded_bytes", "--max-array-bytes")
            .replace("; Limits::max_header_bytes raises it", ""),
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            "is there already; --force overwrites it".into()
        }
        ErrorKind::DuplicateName => {
            "several members have this name, of which NumPy reads the last; `npz check` looks at that one".into()
        }
        ErrorKind::NotAnArray => {
            "not an .npy array, which would begin with \\x93NUMPY; `npz cat` writes its bytes".into()
        }
        ErrorKind::ZeroSizedItems { count } => {
            format!("{count} items of 0 bytes have no values; `npz ls` lists dtype and shape")
        }
        ErrorKind::InvalidElement { index, element } => format!("element {index} is no valid {element}"),
        ErrorKind::NoSuchField { field, dtype } => format!("no field '{field}' in {dtype:.400}"),
        ErrorKind::NotRegularFile { found } => format!("{found}, not a regular file"),
        ErrorKind::NotAnArchive { size } => {
            format!("no ZIP end record in its {size} bytes: not an .npz archive, or cut off")
        }
        kind => kind.to_string(),
    }
}

/// The first problem of a run, which gives the exit code; each was printed when it came up.
#[derive(Default)]
pub(crate) struct Problems(Option<Code>);

impl Problems {
    pub(crate) fn note(&mut self, code: Code) {
        // What was looked for and found is no error: an error goes before it.
        if matches!(self.0, None | Some(Code::Found)) {
            self.0 = Some(code);
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        self.0.map_or(ExitCode::SUCCESS, |code| ExitCode::from(code as u8))
    }

    /// Prints a failure that does not end the run.
    pub(crate) fn complain(&mut self, console: &Console, failure: Failure) {
        console.complain(&failure);
        self.note(failure.code());
    }

    /// Goes on without what failed. Only when nobody reads any more there is nothing to go on for.
    pub(crate) fn survive<T>(&mut self, console: &Console, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(failure @ Failure::Output(_)) => Err(failure),
            Err(failure) => {
                self.complain(console, failure);
                Ok(None)
            }
        }
    }
}
