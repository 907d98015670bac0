//! What compressed members may decode to, all that a run decodes together. A member never decodes to more than the
//! directory says, so that what exceeds the limit is refused before anything of it is decoded.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use npzmap::Source;

use crate::exit::{Code, Failure, Result};
use crate::input::{DEFLATE_RATIO, Entry};

#[derive(clap::Args)]
pub(crate) struct Decoding {
    /// The limit of bytes that compressed members decode to, all members of the run together. Without it there is none,
    /// but for commands that write files (align, convert, extract): 1 GiB, or 1,032 times the archive if that is more
    #[arg(long, value_name = "N")]
    max_decoded_bytes: Option<u64>,

    /// What was decoded so far.
    #[arg(skip)]
    decoded: AtomicU64,
}

impl Decoding {
    /// Counts a member that is about to be decoded so many times, or refuses it.
    pub(crate) fn count(&self, entry: &Entry<'_>, times: u64) -> Result<()> {
        let Some(limit) = self.max_decoded_bytes else { return Ok(()) };
        let bytes = entry.decoded_size().saturating_mul(times);
        let sum = |before: u64| before.checked_add(bytes).filter(|sum| *sum <= limit);
        match self.decoded.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum) {
            Err(before) => Err(Failure::new(
                Code::Unreadable,
                format!(
                    "{}: {bytes} bytes to decode, with {before} for other members, exceed the limit of {limit}; \
                     --max-decoded-bytes raises it",
                    entry.key()
                ),
            )),
            Ok(_) => Ok(()),
        }
    }

    /// Counts all members of a file that are about to be decoded and written, or refuses all of them.
    pub(crate) fn count_written<'e>(&self, path: &Path, entries: impl IntoIterator<Item = Entry<'e>>) -> Result<()> {
        const LEAST: u64 = 1 << 30;
        let (mut bytes, mut limit) = (0_u64, self.max_decoded_bytes);
        for entry in entries {
            // What deflate can make of the whole file is never too much.
            let default = || LEAST.max(entry.source().size().saturating_mul(DEFLATE_RATIO));
            limit = Some(limit.unwrap_or_else(default));
            bytes = bytes.saturating_add(entry.decoded_size());
        }
        match limit {
            Some(limit) if bytes > limit => {
                let path = path.display();
                let text = format!(
                    "{path}: {bytes} bytes to decode exceed the limit of {limit}; nothing was written; \
                     --max-decoded-bytes raises it"
                );
                Err(Failure::new(Code::Unreadable, text))
            }
            _ => Ok(()),
        }
    }
}
