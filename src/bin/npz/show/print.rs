//! The layout of an array: brackets, line breaks, and what is left out of a large one.

use crate::shape;

/// More elements than this are summarised.
const THRESHOLD: usize = 1000;
/// Of a summarised axis, so many at each end are shown.
pub(super) const EDGE: usize = 3;
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

    /// Indices that follow on each other are shown in groups of so many.
    pub(super) fn side_by_side(self) -> usize {
        if self.cut { EDGE } else { self.length }
    }

    pub(super) fn index(self, number: usize) -> usize {
        if self.cut && number >= EDGE { self.length - 2 * EDGE + number } else { number }
    }
}

/// Lays out an array of this shape. `element` prints one of those that are shown, by its number among them.
pub(super) fn layout(shape: &[usize], summary: bool, element: &dyn Fn(usize) -> String) -> String {
    let mut layout = Layout { summary, element, next: 0, out: String::new() };
    layout.axis(shape, 1, LINE_WIDTH);
    layout.out
}

struct Layout<'a> {
    summary: bool,
    element: &'a dyn Fn(usize) -> String,
    next: usize,
    out: String,
}

impl Layout<'_> {
    /// What is in a pair of brackets, `indent` characters from the margin, in lines of so many.
    fn axis(&mut self, shape: &[usize], indent: usize, width: isize) {
        let Some((length, inner)) = shape.split_first() else { return };
        let shown = Shown::new(*length, self.summary);
        let (count, gap) = (shown.count(), shown.cut.then_some(EDGE));
        self.out.push('[');
        if inner.is_empty() {
            self.row(count, gap, indent, width - 1);
        } else {
            let separator = format!("{}{}", "\n".repeat(inner.len()), " ".repeat(indent));
            for index in 0..count {
                if index > 0 {
                    self.out.push_str(&separator);
                }
                if gap == Some(index) {
                    self.out.push_str(SUMMARY);
                    self.out.push_str(&separator);
                }
                self.axis(inner, indent + 1, width - 1);
            }
        }
        self.out.push(']');
    }

    fn row(&mut self, count: usize, gap: Option<usize>, indent: usize, width: isize) {
        let mut line = Line { text: String::new(), length: indent, indent, width };
        for index in 0..count {
            if gap == Some(index) {
                line.add(SUMMARY, &mut self.out);
                line.space();
            }
            line.add(&(self.element)(self.next), &mut self.out);
            self.next += 1;
            if index + 1 < count {
                line.space();
            }
        }
        self.out.push_str(&line.text);
    }
}

/// A line that is being filled.
struct Line {
    /// Without what stands before the bracket.
    text: String,
    /// In characters, all that stands before included.
    length: usize,
    indent: usize,
    width: isize,
}

impl Line {
    fn add(&mut self, word: &str, out: &mut String) {
        let length = word.chars().count();
        if (self.length + length) as isize > self.width && self.length > self.indent {
            out.push_str(self.text.trim_end());
            out.push('\n');
            self.text = " ".repeat(self.indent);
            self.length = self.indent;
        }
        self.text.push_str(word);
        self.length += length;
    }

    fn space(&mut self) {
        self.text.push(' ');
        self.length += 1;
    }
}
