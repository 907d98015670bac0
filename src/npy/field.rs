//! One field of a record, found by its path.

use super::dtype::Dtype;
use crate::error::{ErrorKind, Result};

/// A field, found by its path: where it begins in an item, what it is, and the axes that sub-arrays on the way add.
pub(crate) struct Leaf<'h> {
    offset: usize,
    dtype: &'h Dtype,
    /// Length and stride in bytes of each axis, the outermost first.
    axes: Vec<(usize, usize)>,
}

/// Finds a field: by its name, or by a path of names with dots between them.
///
/// A name may hold dots itself, so that a path may be read in several ways: at each step the longest name that leads to
/// a field is meant. A record lies behind one part of the path only, however that is read; so each is entered once, and
/// the limit of fields bounds the search.
pub(crate) fn find<'h>(dtype: &'h Dtype, path: &str) -> Result<Leaf<'h>> {
    let mut leaf = Leaf { offset: 0, dtype, axes: Vec::new() };
    leaf.enter_subarray();
    leaf.descend(path).map_err(|(dtype, field)| {
        let (field, dtype) = (field.into(), dtype.to_string());
        ErrorKind::NoSuchField { field, dtype }
    })?;
    Ok(leaf)
}

impl<'h> Leaf<'h> {
    /// Goes on to the field of this path; or says what of it was not found where by the longest names.
    fn descend<'p>(&mut self, path: &'p str) -> Result<(), (&'h Dtype, &'p str)> {
        let here = (self.dtype, self.offset, self.axes.len());
        let Dtype::Record(record) = self.dtype else { return Err((self.dtype, path)) };
        let mut missing = None;
        let mut shorter_than = usize::MAX;
        loop {
            let fits = |name: &str| {
                let rest = path.strip_prefix(name);
                name.len() < shorter_than && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let fields = record.fields().iter().filter(|field| fits(field.name()));
            let Some(field) = fields.max_by_key(|field| field.name().len()) else {
                return Err(missing.unwrap_or((self.dtype, path)));
            };
            shorter_than = field.name().len();
            self.offset += field.offset();
            self.dtype = field.dtype();
            self.enter_subarray();
            let Some(rest) = path.get(shorter_than + 1..) else { return Ok(()) };
            match self.descend(rest) {
                Ok(()) => return Ok(()),
                Err(first) => missing.get_or_insert(first),
            };
            (self.dtype, self.offset) = (here.0, here.1);
            self.axes.truncate(here.2);
        }
    }
}

impl<'h> Leaf<'h> {
    /// From the start of the record, in bytes.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn dtype(&self) -> &'h Dtype {
        self.dtype
    }

    /// Of the sub-arrays on the way: lengths, and distances in bytes.
    pub(crate) fn axes(&self) -> &[(usize, usize)] {
        &self.axes
    }
}

impl Leaf<'_> {
    fn enter_subarray(&mut self) {
        while let Dtype::Subarray(inner) = self.dtype {
            let mut stride = inner.item_size();
            for length in inner.shape() {
                stride = stride.checked_div(*length).unwrap_or(0);
                self.axes.push((*length, stride));
            }
            self.dtype = inner.base();
        }
    }
}
