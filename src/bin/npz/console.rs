//! Where output goes, and how it looks there.

use std::collections::HashMap;
use std::env;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::mem;
use std::sync::{Mutex, PoisonError};

use npzmap::Escaped;

use crate::args::When;
use crate::exit::{Failure, Kind};

pub(crate) struct Console {
    /// Whether standard output is a terminal: tables there, tab-separated lines in a pipe.
    pub(crate) terminal: bool,
    color: bool,
    error_color: bool,
    said: Mutex<HashMap<Repeated, Said>>,
}

/// So many messages of one kind are printed; the others are counted.
const REPEATED: usize = 10;
/// So many characters of a message say what the others are like.
const EXAMPLE: usize = 200;

/// What messages have in common that are summed up.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Repeated {
    Failure(Kind),
    Warning,
}

/// The messages of one kind.
#[derive(Default)]
struct Said {
    count: usize,
    /// The beginning of the first that was not printed.
    example: String,
}

/// ANSI's codes (ECMA-48 8.3.117).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    #[default]
    Plain,
    Heading,
    Good,
    Notable,
    Bad,
}

impl Style {
    fn codes(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Heading => "\x1b[1m",
            Style::Good => "\x1b[32m",
            Style::Notable => "\x1b[33m",
            Style::Bad => "\x1b[1;31m",
        }
    }
}

impl Console {
    pub(crate) fn new(when: When) -> Self {
        // https://no-color.org: any value but the empty one.
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|value| value == "dumb");
        let on = |terminal: bool| match when {
            When::Auto => terminal && !unwanted,
            When::Always => true,
            When::Never => false,
        };
        let (terminal, errors) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Console { terminal, color: on(terminal), error_color: on(errors), said: Mutex::default() }
    }

    pub(crate) fn out(&self) -> BufWriter<StdoutLock<'static>> {
        BufWriter::with_capacity(64 << 10, io::stdout().lock())
    }

    /// Whether standard output has colours.
    pub(crate) fn color(&self) -> bool {
        self.color
    }

    /// Text for standard output.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        paint(self.color, style, text)
    }

    pub(crate) fn complain(&self, failure: &Failure) {
        if let Some(text) = self.counted(Repeated::Failure(failure.kind()), failure) {
            self.say(Style::Bad, "npz:", &text);
        }
    }

    pub(crate) fn warn(&self, text: impl Display) {
        if let Some(text) = self.counted(Repeated::Warning, text) {
            self.say(Style::Notable, "npz: warning:", &text);
        }
    }

    /// Something beside the data.
    pub(crate) fn note(&self, text: impl Display) {
        self.say(Style::Plain, "npz:", &text.to_string());
    }

    /// The text of a message that is to be printed: one of the first of its kind.
    fn counted(&self, kind: Repeated, text: impl Display) -> Option<String> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = said.entry(kind).or_default();
        said.count += 1;
        if said.count <= REPEATED {
            return Some(text.to_string());
        }
        if said.count == REPEATED + 1 {
            let text = text.to_string();
            said.example = text.chars().take(EXAMPLE).collect();
            if said.example.len() < text.len() {
                said.example.push('…');
            }
        }
        None
    }

    /// Says how many messages were not printed, in a line for each kind. To be called at the end of a run.
    pub(crate) fn sum_up(&self) {
        let said = mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner));
        let mut left: Vec<_> = said.into_iter().filter(|(_, said)| said.count > REPEATED).collect();
        left.sort_by(|(_, a), (_, b)| (b.count, &a.example).cmp(&(a.count, &b.example)));
        for (kind, Said { count, example }) in left {
            let count = count - REPEATED;
            let (style, what) = match kind {
                Repeated::Failure(_) => (Style::Bad, "error"),
                Repeated::Warning => (Style::Notable, "warning"),
            };
            let plural = if count == 1 { "" } else { "s" };
            self.say(style, "npz:", &format!("{count} more {what}{plural} like this one: {example}"));
        }
    }

    /// Prints a line in one call of the system: standard error has no buffer, and lines of several threads do not mix.
    fn say(&self, style: Style, who: &str, text: &str) {
        let line = format!("{} {}\n", paint(self.error_color, style, who), Escaped(text));
        // Whoever does not listen is not told.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

fn paint(color: bool, style: Style, text: &str) -> String {
    if color && style != Style::Plain { format!("{}{text}\x1b[0m", style.codes()) } else { text.into() }
}

/// Lines of text for a terminal, which does nothing but show them.
pub(crate) struct Lines<W: Write> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Lines<W> {
    pub(crate) fn new(out: W) -> Self {
        Lines { out, line: Vec::new() }
    }

    fn put(&mut self) -> io::Result<()> {
        let text = String::from_utf8_lossy(&self.line);
        for (index, part) in text.split('\t').enumerate() {
            write!(self.out, "{}{}", if index > 0 { "\t" } else { "" }, Escaped(part))?;
        }
        self.line.clear();
        Ok(())
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Longer ones are cut, so that little is held.
        const LONGEST: usize = 1 << 16;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ended = line.strip_suffix(b"\n");
            self.line.extend(ended.unwrap_or(line));
            if ended.is_some() || self.line.len() > LONGEST {
                self.put()?;
            }
            if ended.is_some() {
                self.out.write_all(b"\n")?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.put()?;
        self.out.flush()
    }
}
