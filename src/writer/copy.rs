//! Members of other archives, moved: as they are, or decoded and written anew.

use std::io::BufRead;

use super::NpzWriter;
use super::body::{Body, Put, Rest};
use super::options::{Coding, MemberOptions};
use super::sink::Sink;
use crate::container::record::method;
use crate::container::write::Sizes;
use crate::error::{ErrorKind, Result};
use crate::found::{Found, Seen};
use crate::source::{Section, Source};

const BLOCK: usize = 512 << 10;

impl<S: Sink> NpzWriter<S> {
    /// Copies what was found under a name that was checked.
    pub(super) fn copy_found<R: Source>(
        &mut self,
        name: &str,
        found: &Found<'_, R>,
        options: MemberOptions,
    ) -> Result<()> {
        let verify = !options.unchecked;
        match (options.coding.map(Coding::check).transpose()?, found.is_stored()) {
            (None | Some(Coding::Store), true) => self.move_stored(name, found, verify),
            (None, false) => self.move_compressed(name, found, verify),
            (Some(coding), _) => {
                let rest = |put: Put<'_>| decode(found, verify, put);
                self.write(name, &of(found, Rest::Blocks(&rest)), coding)
            }
        }
    }

    /// Stored, and to be stored: its place changes, and nothing else.
    fn move_stored<R: Source>(&mut self, name: &str, found: &Found<'_, R>, verify: bool) -> Result<()> {
        if let Some(bytes) = in_memory(found) {
            let body = of(found, Rest::Bytes(bytes));
            let (computed, stored) = (body.checksum().unwrap_or_default(), found.coded.crc32);
            if verify && computed != stored {
                return Err(ErrorKind::Checksum { computed, stored }.into());
            }
            // What it has, right or wrong.
            return self.store(name, &Body { crc32: Some(stored), ..body });
        }
        if verify || found.source.as_file().is_none() || self.output.sink().file().is_none() {
            let rest = |put: Put<'_>| decode(found, verify, put);
            return self.store(name, &of(found, Rest::Blocks(&rest)));
        }
        self.move_data(name, found, Some(preamble_size(found)))
    }

    /// Compressed, by whatever method, and to stay so. To be checked it must be decoded once.
    fn move_compressed<R: Source>(&mut self, name: &str, found: &Found<'_, R>, verify: bool) -> Result<()> {
        if verify {
            found.content(true, |content| content.finish())?;
        }
        self.move_data(name, found, None)
    }

    /// The data as it lies: by the system, if both sides are files and it can, and the rest through a buffer.
    fn move_data<R: Source>(&mut self, name: &str, found: &Found<'_, R>, inside: Option<u64>) -> Result<()> {
        let place = found.coded.place;
        let sizes = Sizes { crc32: found.coded.crc32, compressed_size: place.compressed_size, size: place.size };
        let largest = place.size.max(place.compressed_size);
        let begun = self.begin(name, found.coded.method, Some(sizes), largest, inside)?;
        let mut range = found.data.clone();
        if let Some(file) = found.source.as_file() {
            range.start = self.output.copy_range(file, range.clone())?;
        }
        let mut section = Section::new(found.source, range.clone(), Vec::new());
        let mut left = range.end - range.start;
        while left > 0 {
            let count = {
                let block = section.fill_buf()?;
                if block.is_empty() {
                    return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
                }
                self.output.write(block)?;
                block.len()
            };
            section.consume(count);
            left = left.saturating_sub(count as u64);
        }
        self.end(begun, sizes)
    }
}

/// A member's content, whose preamble is part of the rest: it stays as it is.
fn of<'b, R: Source>(found: &Found<'_, R>, rest: Rest<'b>) -> Body<'b> {
    let (rest_size, inside) = (found.coded.place.size, preamble_size(found));
    let crc32 = match rest {
        Rest::Blocks(_) => Some(found.coded.crc32),
        _ => None,
    };
    Body { preamble: Vec::new(), rest, rest_size, inside, crc32 }
}

/// Where the elements begin, or 0 for what is no array, or one that cannot be read: it is moved all the same.
fn preamble_size<R: Source>(found: &Found<'_, R>) -> u64 {
    found.header().map_or(0, |header| header.preamble_size() as u64)
}

fn in_memory<'a, R>(found: &Found<'a, R>) -> Option<&'a [u8]> {
    match found.seen {
        Seen::All(bytes) if found.coded.method == method::STORED => Some(bytes),
        _ => None,
    }
}

/// Hands over the content, block by block.
pub(super) fn decode<R: Source>(found: &Found<'_, R>, verify: bool, put: Put<'_>) -> Result<()> {
    found.content(verify, |content| {
        let mut block = vec![0; BLOCK.min(usize::try_from(content.left()).unwrap_or(usize::MAX))];
        while content.left() > 0 {
            let count = block.len().min(usize::try_from(content.left()).unwrap_or(usize::MAX));
            let block = &mut block[..count];
            content.read_exact(block)?;
            put(block)?;
        }
        content.finish()
    })
}
