//! One large stored array, split over threads: each piece is read by one of them, which takes its CRC while it is in
//! cache, and the CRCs are put together in the end.

use std::io;
use std::ops::Range;

use crc32fast::Hasher;
use rayon::prelude::*;

use crate::container::decode::BLOCK;
use crate::error::Result;
use crate::npy::rows::Rows;
use crate::npy::swap::Landing;
use crate::source::{Source, read_at};
use crate::threads;

/// Below this, starting the threads costs what they gain.
const LEAST: u64 = 16 << 20;
/// What a thread takes at a time: many blocks, and of any array more than one for each thread.
const PIECE: usize = 4 << 20;

/// Bytes from `start` of the source on, read by several threads, and their CRC if it is asked for. Nothing where one
/// thread does as well, or only one may read.
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
    let pieces = bytes.par_chunks_mut(whole_piece).enumerate().map(|(index, piece)| {
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
    });
    Ok(Some(together(pieces.collect::<Result<_>>()?)))
}

/// Rows of an array whose elements begin at `start` of the source. Whether they were read: not where one thread does as
/// well, or only one may read.
pub(crate) fn gather<S: Source>(
    source: &S,
    start: u64,
    rows: &Rows,
    widest: usize,
    bytes: &mut [u8],
    landing: Landing<'_>,
) -> Result<bool> {
    let Some(readable) = Readable::of(source, bytes.len() as u64) else {
        return Ok(false);
    };
    let groups = rows.groups(widest, PIECE, landing);
    let each = bytes.par_chunks_mut(groups.bytes()).enumerate();
    each.try_for_each_init(Vec::new, |span, (number, group)| {
        groups.read(number, group, span, |offset, piece| readable.read_at(start + offset as u64, piece))
    })?;
    Ok(true)
}

/// The CRC of the bytes in `range` of the source. Nothing where one thread does as well, or only one may read.
pub(crate) fn checksum<S: Source>(source: &S, range: Range<u64>) -> Result<Option<Hasher>> {
    let Some(readable) = Readable::of(source, range.end - range.start) else {
        return Ok(None);
    };
    let starts: Vec<u64> = range.clone().step_by(PIECE).collect();
    let pieces = starts.into_par_iter().map_init(Vec::new, |buffer, start| {
        let mut hasher = Hasher::new();
        let end = range.end.min(start + PIECE as u64);
        for at in (start..end).step_by(BLOCK) {
            let count = (end - at).min(BLOCK as u64) as usize;
            match readable {
                Readable::Slice(slice) => hasher.update(part(slice, at, count)?),
                Readable::Source(source) => {
                    buffer.resize(count, 0);
                    read_at(source, at, buffer)?;
                    hasher.update(buffer);
                }
            }
        }
        Ok(hasher)
    });
    Ok(Some(together(pieces.collect::<Result<_>>()?)))
}

fn together(pieces: Vec<Hasher>) -> Hasher {
    pieces.iter().fold(Hasher::new(), |mut all, piece| {
        all.combine(piece);
        all
    })
}

/// What several threads can read at once.
#[derive(Clone, Copy)]
enum Readable<'a> {
    Slice(&'a [u8]),
    Source(&'a (dyn Source + Sync)),
}

impl<'a> Readable<'a> {
    fn of<S: Source>(source: &'a S, length: u64) -> Option<Self> {
        if length < LEAST || threads::count() < 2 {
            return None;
        }
        source.as_slice().map(Readable::Slice).or_else(|| source.as_sync().map(Readable::Source))
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
