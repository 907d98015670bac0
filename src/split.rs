//! One large stored array, split over threads: each piece is read by one of them, which takes its CRC while it is in
//! cache, and the CRCs are put together in the end.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crc32fast::Hasher;
use rayon::prelude::*;

use crate::buffer;
use crate::container::decode::BLOCK;
use crate::error::Result;
use crate::npy::gather::Plan;
use crate::npy::swap::Landing;
use crate::positioned::Positioned;
use crate::source::{Source, read_at};
use crate::threads;

/// Below this, starting the threads costs what they gain.
const LEAST: u64 = 16 << 20;
/// What a thread takes at a time: many blocks, and of any array more than one for each thread.
const PIECE: usize = 4 << 20;
/// As many of them are given to the threads at once.
const PIECES: usize = 1024;

/// Bytes from `start` of the source on, read by several threads, and their CRC if it is asked for. `None` where one
/// thread does as well.
pub(crate) fn read<S: Source>(
    source: &S,
    start: u64,
    bytes: &mut [u8],
    landing: Landing<'_>,
    crc: bool,
) -> Result<Option<Hasher>> {
    let Some(readable) = Readable::of(source, bytes.len() as u64) else {
        return Ok(None);
    };
    let (whole_piece, whole_block) = (landing.whole(PIECE), landing.whole(BLOCK));
    let pieces = bytes.par_chunks_mut(whole_piece).enumerate();
    let read = |(index, piece): (usize, &mut [u8])| {
        let mut hasher = Hasher::new();
        let mut at = start + (index * whole_piece) as u64;
        for block in piece.chunks_mut(whole_block) {
            readable.read_at(at, block)?;
            if crc {
                hasher.update(block);
            }
            landing.land(block);
            at += block.len() as u64;
        }
        Ok(hasher)
    };
    let failed = FirstFailed::default();
    pieces.map(|(index, piece)| failed.unless(index, || read((index, piece)))).reduce(nothing, joined).map(Some)
}

/// Returns whether so many bytes are read faster by several threads than by one.
pub(crate) fn is_worth_it(bytes: u64) -> bool {
    bytes >= LEAST && threads::count() > 1
}

/// Gathers a part of an array whose elements begin at `start` of the source. False where it cannot be split: then nothing
/// was read.
pub(crate) fn gather<S: Source>(
    source: &S,
    start: u64,
    plan: &Plan,
    bytes: &mut [u8],
    landing: Landing<'_>,
) -> Result<bool> {
    if let Some(from) = plan.as_run() {
        return Ok(read(source, start + from as u64, bytes, landing, false)?.is_some());
    }
    let Some((each, part)) = plan.split(PIECE) else { return Ok(false) };
    let failed = FirstFailed::default();
    let gather = |(number, bytes): (usize, &mut [u8])| {
        failed.unless(number, || {
            let part = part(number, bytes.len());
            match source.as_slice() {
                Some(slice) => {
                    let from = usize::try_from(start).ok().and_then(|start| slice.get(start..));
                    part.gather(from.unwrap_or_default(), bytes, landing)
                }
                None => part.gather(Positioned { source, start }, bytes, landing),
            }
        })
    };
    bytes.par_chunks_mut(each).enumerate().map(gather).reduce(|| Ok(()), |one, next| one.and(next))?;
    Ok(true)
}

/// The CRC of the bytes in `range` of the source. `None` where one thread does as well.
pub(crate) fn checksum<S: Source>(source: &S, range: Range<u64>) -> Result<Option<Hasher>> {
    let Some(readable) = Readable::of(source, range.end - range.start) else {
        return Ok(None);
    };
    let read = |buffer: &mut Vec<u8>, start: u64| {
        let mut hasher = Hasher::new();
        let end = range.end.min(start.saturating_add(PIECE as u64));
        for at in (start..end).step_by(BLOCK) {
            let count = (end - at).min(BLOCK as u64) as usize;
            match readable {
                Readable::Slice(slice) => hasher.update(part(slice, at, count)?),
                Readable::Source(source) => {
                    buffer::resize(buffer, count)?;
                    read_at(source, at, buffer)?;
                    hasher.update(buffer);
                }
            }
        }
        Ok(hasher)
    };
    // Some at a time, so that what is held does not depend on the size.
    let mut all = Hasher::new();
    let mut starts = range.clone().step_by(PIECE).peekable();
    while starts.peek().is_some() {
        let some: Vec<u64> = starts.by_ref().take(PIECES).collect();
        let failed = FirstFailed::default();
        let pieces = some.into_par_iter().enumerate();
        let pieces = pieces.map_init(Vec::new, |buffer, (index, start)| failed.unless(index, || read(buffer, start)));
        all.combine(&pieces.reduce(nothing, joined)?);
    }
    Ok(Some(all))
}

/// The CRC of no bytes.
fn nothing() -> Result<Hasher> {
    Ok(Hasher::new())
}

/// The CRC of two parts, one behind the other; or the error of the first that has one.
fn joined(first: Result<Hasher>, second: Result<Hasher>) -> Result<Hasher> {
    let (mut first, second) = (first?, second?);
    first.combine(&second);
    Ok(first)
}

/// The first piece that failed, so far: what lies behind it is not begun any more, and whatever lies before it is read, so
/// that the error is that of the first piece that has one.
struct FirstFailed(AtomicUsize);

impl Default for FirstFailed {
    fn default() -> Self {
        FirstFailed(AtomicUsize::new(usize::MAX))
    }
}

impl FirstFailed {
    fn unless<T: Default>(&self, index: usize, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if index > self.0.load(Ordering::Relaxed) {
            return Ok(T::default());
        }
        work().inspect_err(|_| {
            self.0.fetch_min(index, Ordering::Relaxed);
        })
    }
}

/// What several threads can read at once.
#[derive(Clone, Copy)]
enum Readable<'a> {
    Slice(&'a [u8]),
    Source(&'a dyn Source),
}

impl<'a> Readable<'a> {
    fn of<S: Source>(source: &'a S, length: u64) -> Option<Self> {
        if !is_worth_it(length) {
            return None;
        }
        Some(source.as_slice().map_or(Readable::Source(source), Readable::Slice))
    }

    fn read_at(self, start: u64, bytes: &mut [u8]) -> Result<()> {
        match self {
            Readable::Slice(slice) => bytes.copy_from_slice(part(slice, start, bytes.len())?),
            Readable::Source(source) => read_at(source, start, bytes)?,
        }
        Ok(())
    }
}

fn part(slice: &[u8], start: u64, length: usize) -> Result<&[u8]> {
    let found = usize::try_from(start).ok().and_then(|start| slice.get(start..)?.get(..length));
    Ok(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?)
}
