//! The layout of an array: brackets, line breaks, and what is left out of a large one.

use std::fmt::{self, Write};

use npzmap::ndarray::Slice;

use crate::shape;

/// More elements than this are summarised.
const THRESHOLD: usize = 1000;
/// Of a summarised axis, so many at each end are shown.
const EDGE: usize = 3;
/// Lines are broken at this column.
const LINE_WIDTH: isize = 75;
const SUMMARY: &str = "...";

/// Whether an array is summarised.
pub(super) fn is_large(shape: &[usize]) -> bool {
    shape::count(shape).is_none_or(|count| count > THRESHOLD)
}

/// The indices of an axis that are shown.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    length: usize,
    cut: bool,
}

impl Shown {
    pub(super) fn new(length: usize, summary: bool) -> Self {
        Shown { length, cut: summary && length > 2 * EDGE }
    }

    pub(super) fn count(self) -> usize {
        if self.cut { 2 * EDGE } else { self.length }
    }

    /// One of its ends, or all of it: of the axis as well as of those that are shown of it.
    pub(super) fn end(self, last: bool) -> Slice {
        match (self.cut, last) {
            (false, _) => Slice::from(..),
            (true, false) => Slice::from(..EDGE as isize),
            (true, true) => Slice::from(-(EDGE as isize)..),
        }
    }

    /// The number of the one before which some are left out.
    pub(super) fn gap(self) -> Option<usize> {
        self.cut.then_some(EDGE)
    }

    pub(super) fn index(self, number: usize) -> usize {
        if self.cut && number >= EDGE { self.length - 2 * EDGE + number } else { number }
    }
}

/// Writes one of the elements that are shown, by its number among them.
type Element<'e> = &'e dyn Fn(usize, &mut dyn Write) -> fmt::Result;

/// An array of a shape, laid out. Its text is not held: it goes to the output word by word.
pub(super) struct Layout<'a> {
    pub(super) shape: &'a [usize],
    pub(super) summary: bool,
    pub(super) element: Element<'a>,
}

impl fmt::Display for Layout<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Writer { summary: self.summary, element: self.element, next: 0, out: f }.axis(self.shape, 1, LINE_WIDTH)
    }
}

struct Writer<'a> {
    summary: bool,
    element: Element<'a>,
    next: usize,
    out: &'a mut dyn Write,
}

impl Writer<'_> {
    /// What is in a pair of brackets, `indent` characters from the margin, in lines of so many.
    fn axis(&mut self, shape: &[usize], indent: usize, width: isize) -> fmt::Result {
        let Some((length, inner)) = shape.split_first() else { return Ok(()) };
        let shown = Shown::new(*length, self.summary);
        self.out.write_char('[')?;
        if inner.is_empty() {
            self.row(shown, indent, width - 1)?;
        } else {
            let separator = format!("{}{}", "\n".repeat(inner.len()), " ".repeat(indent));
            for index in 0..shown.count() {
                if index > 0 {
                    self.out.write_str(&separator)?;
                }
                if shown.gap() == Some(index) {
                    self.out.write_str(SUMMARY)?;
                    self.out.write_str(&separator)?;
                }
                self.axis(inner, indent + 1, width - 1)?;
            }
        }
        self.out.write_char(']')
    }

    fn row(&mut self, shown: Shown, indent: usize, width: isize) -> fmt::Result {
        let mut line = Line { out: self.out, word: String::new(), blanks: 0, length: indent, indent, width };
        for index in 0..shown.count() {
            if shown.gap() == Some(index) {
                line.add(&|out| out.write_str(SUMMARY))?;
                line.write_char(' ')?;
            }
            line.add(&|out| (self.element)(self.next, out))?;
            self.next += 1;
            if index + 1 < shown.count() {
                line.write_char(' ')?;
            }
        }
        line.put_blanks()
    }
}

/// A line that is being filled. Blanks are written with what follows them, since a broken line ends without any.
struct Line<'o> {
    out: &'o mut dyn Write,
    /// Memory for a word.
    word: String,
    blanks: usize,
    /// In characters, with all that stands before the bracket.
    length: usize,
    indent: usize,
    width: isize,
}

/// The beginning of a word. Longer ones, which fit in no line, are not held.
struct Start<'w>(&'w mut String);

impl Start<'_> {
    const LONGEST: usize = 4096;
}

impl Write for Start<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > Start::LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

impl Line<'_> {
    /// Adds a word, in a new line if there is no more room in this one.
    fn add(&mut self, word: &dyn Fn(&mut dyn Write) -> fmt::Result) -> fmt::Result {
        let mut start = std::mem::take(&mut self.word);
        start.clear();
        let is_whole = word(&mut Start(&mut start)).is_ok();
        let fits = is_whole && (self.length + start.chars().count()) as isize <= self.width;
        if !fits && self.length > self.indent {
            self.out.write_char('\n')?;
            self.blanks = self.indent;
            self.length = self.indent;
        }
        if is_whole {
            self.write_str(&start)?
        } else {
            word(self)?
        }
        self.word = start;
        Ok(())
    }

    fn put_blanks(&mut self) -> fmt::Result {
        // A text may have any number of them.
        (0..std::mem::take(&mut self.blanks)).try_for_each(|_| self.out.write_char(' '))
    }
}

impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.length = self.length.saturating_add(text.chars().count());
        let visible = text.trim_end_matches(' ');
        if !visible.is_empty() {
            self.put_blanks()?;
            self.out.write_str(visible)?;
        }
        self.blanks += text.len() - visible.len();
        Ok(())
    }
}
