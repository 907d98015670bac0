//! Elements that are read from a source by position.

use crate::error::Result;
use crate::npy::gather::Elements;
use crate::source::{Source, read_at};

/// What one read brings at most.
const SPAN: usize = 512 << 10;

/// Elements that are read by position.
pub(crate) struct Positioned<'s, S: ?Sized> {
    pub(crate) source: &'s S,
    /// Of the first element.
    pub(crate) start: u64,
}

impl<S: Source + ?Sized> Elements for Positioned<'_, S> {
    fn read(&mut self, at: usize, to: &mut [u8]) -> Result<()> {
        read_at(self.source, self.start.saturating_add(at as u64), to)
    }

    fn gap(&self) -> usize {
        usize::try_from(self.source.gap()).unwrap_or(usize::MAX)
    }

    fn most(&self) -> usize {
        SPAN
    }
}
