//! Bytes of a part: from memory, by position, or from a decoder, by the same plan.

use std::io::BufRead;

use super::NpyArray;
use crate::container::decode::Content;
use crate::error::Result;
use crate::npy::array::Elements as Lent;
use crate::npy::gather::{Elements, Plan};
use crate::npy::swap::Landing;
use crate::options::Verify;
use crate::positioned::Positioned;
use crate::source::Source;
#[cfg(feature = "rayon")]
use crate::split;

impl<S: Source> NpyArray<'_, S> {
    /// Fills a buffer with all elements, or those of a part.
    pub(super) fn fill(&self, plan: Option<&Plan>, bytes: &mut [u8], landing: Landing<'_>) -> Result<()> {
        let Some(plan) = plan else {
            let mut content = self.content(self.found.checks_copies())?;
            return self.found.read_to_end(&mut content, bytes, landing);
        };
        #[cfg(feature = "rayon")]
        if self.held.is_none()
            && self.found.is_stored()
            && !self.is_checked_in_passing()
            && split::is_worth_it(bytes.len() as u64)
        {
            self.found.verify_if_always()?;
            if split::gather(self.found.source(), self.start(), plan, bytes, landing)? {
                return Ok(());
            }
        }
        self.with_elements(|elements| plan.gather(elements, bytes, landing))
    }

    /// Works on the elements, front to back.
    pub(super) fn with_elements<R>(&self, work: impl FnOnce(&mut dyn Elements) -> Result<R>) -> Result<R> {
        if let Some(held) = &self.held {
            return work(&mut &held[..]);
        }
        let checked = self.is_checked_in_passing();
        if self.found.is_stored() && !checked {
            self.found.verify_if_always()?;
            return match self.elements() {
                Lent::Here { mut bytes, .. } => work(&mut bytes),
                Lent::Elsewhere(_) => work(&mut Positioned { source: self.found.source(), start: self.start() }),
            };
        }
        let checked = checked || self.found.verify == Verify::Always;
        let mut decoded = Decoded { content: self.content(checked)?, at: 0 };
        let done = work(&mut decoded)?;
        if checked {
            decoded.content.finish()?;
        }
        Ok(done)
    }

    /// A field of all records is checked against the CRC of the member, as the whole is: its bytes are everywhere.
    fn is_checked_in_passing(&self) -> bool {
        self.found.checks_copies() && self.part.as_ref().is_some_and(|part| !part.selection.is_sliced)
    }
}

/// Elements that are decoded; what is between those that are asked for is decoded, too, and dropped.
pub(super) struct Decoded<I> {
    pub(super) content: Content<I>,
    pub(super) at: usize,
}

impl<I: BufRead> Elements for Decoded<I> {
    fn read(&mut self, at: usize, to: &mut [u8]) -> Result<()> {
        self.content.skip(at.saturating_sub(self.at) as u64)?;
        self.content.read_exact(to)?;
        self.at = at.saturating_add(to.len());
        Ok(())
    }

    fn gap(&self) -> usize {
        crate::npy::array::BLOCK
    }

    fn most(&self) -> usize {
        crate::npy::array::BLOCK
    }
}
