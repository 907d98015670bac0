//! Passes over the elements of an array: blocks of a fixed size, merged in the order of the file, so that what comes out
//! is the same for any number of threads.

use std::io::Read;
use std::ops::Range;

use npzmap::{Header, NpyArray};
use rayon::prelude::*;

use crate::args::Reading;
use crate::exit::Result;
use crate::input::Entry;
use crate::progress::Progress;

/// Items that are looked at together: their numbers stay in the cache.
const BLOCK_ITEMS: usize = 1 << 14;
const BLOCK_BYTES: usize = 1 << 20;
/// What a thread reads at once.
const TASK: usize = 1 << 20;
/// Tasks whose results wait for each other: so many, and fewer if their results take more than this.
const WAVE: usize = 64;
const WAITING: usize = 64 << 20;

/// What is done with each block, and with the results.
pub(super) trait Pass: Sync {
    type Found: Send;
    /// Memory that is used for one block after the other.
    type Scratch: Default + Send;

    fn begin(&self) -> Self::Found;
    /// What one takes, about, in bytes, before it was found.
    fn size(&self) -> usize;
    /// A whole number of items.
    fn block(&self, items: &[u8], scratch: &mut Self::Scratch) -> Self::Found;
    fn merge(&self, found: &mut Self::Found, next: Self::Found);
}

struct Sizes {
    block: usize,
    task: usize,
}

impl Sizes {
    fn of(header: &Header) -> Self {
        let item = header.dtype().item_size().max(1);
        let block = (BLOCK_BYTES / item).clamp(1, BLOCK_ITEMS) * item;
        Sizes { block, task: (TASK / block).max(1) * block }
    }
}

/// Whether its blocks are worth a thread each.
pub(super) fn is_wide(array: &NpyArray<'_>) -> bool {
    const WIDE: usize = 8 * TASK;
    array.nbytes() >= WIDE && array.data_offset().is_some()
}

/// Passes over an array. Its bytes are held against their CRC-32 as well.
pub(super) fn scan<P: Pass>(
    entry: &Entry<'_>,
    array: &NpyArray<'_>,
    reading: &Reading,
    progress: &Progress,
    pass: &P,
) -> Result<P::Found> {
    let header = array.header();
    let sizes = Sizes::of(header);
    reading.check(&entry.key(), sizes.task.min(header.nbytes()))?;
    let mut found = pass.begin();
    let Some(offset) = array.data_offset().filter(|_| header.nbytes() > 0) else {
        let mut reader = array.reader()?;
        let mut bytes = entry.zeroed(sizes.task.min(header.nbytes()))?;
        let (mut left, mut scratch) = (header.nbytes(), P::Scratch::default());
        while left > 0 {
            let count = bytes.len().min(left);
            let bytes = bytes.get_mut(..count).unwrap_or_default();
            reader.read_exact(bytes)?;
            pass.merge(&mut found, task(pass, bytes, sizes.block, &mut scratch));
            progress.add(count as u64);
            left -= count;
        }
        return Ok(found);
    };
    let mut crc = entry.preamble_crc32(header, offset)?;
    let starts: Vec<usize> = (0..header.nbytes()).step_by(sizes.task).collect();
    let read = |bytes: &mut Vec<u8>, range: Range<usize>| {
        entry.resize(bytes, range.len())?;
        entry.read_exact_at(offset + range.start as u64, bytes)
    };
    for wave in starts.chunks((WAITING / pass.size().max(1)).clamp(1, WAVE)) {
        let work = |(bytes, scratch): &mut (Vec<u8>, P::Scratch), start: &usize| {
            read(bytes, *start..(start + sizes.task).min(header.nbytes()))?;
            let mut crc = crc32fast::Hasher::new();
            crc.update(bytes);
            progress.add(bytes.len() as u64);
            Ok((task(pass, bytes, sizes.block, scratch), crc))
        };
        let results: Vec<Result<_>> = match wave {
            [one] => vec![work(&mut Default::default(), one)],
            wave => wave.par_iter().map_init(Default::default, work).collect(),
        };
        for result in results {
            let (next, part) = result?;
            pass.merge(&mut found, next);
            crc.combine(&part);
        }
    }
    entry.check_crc32(crc.finalize())?;
    Ok(found)
}

fn task<P: Pass>(pass: &P, bytes: &[u8], block: usize, scratch: &mut P::Scratch) -> P::Found {
    let mut found = pass.begin();
    for items in bytes.chunks(block) {
        pass.merge(&mut found, pass.block(items, scratch));
    }
    found
}
