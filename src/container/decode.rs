//! From a member's data to its content: stored, inflated, or decoded by the `zip` crate; bounded by its declared size
//! and checked against its CRC-32.

use std::io::{self, BufRead};

use super::record::{Place, method};
#[cfg(any(feature = "deflate", feature = "methods", feature = "zstd"))]
use crate::buffer;
use crate::error::{DECODED_BYTES, Error, ErrorKind, Result};
use crate::limits::{DEFLATE_RATIO, Limits};

#[cfg(any(feature = "methods", feature = "zstd"))]
mod foreign;

/// The CRC is taken block by block, while the block is in cache.
pub(crate) const BLOCK: usize = 512 << 10;

/// What is known of a member's data before it is decoded.
#[derive(Clone, Copy)]
pub(crate) struct Coded {
    /// The compression method (APPNOTE 4.4.5).
    pub(crate) method: u16,
    /// General purpose flags (APPNOTE 4.4.4).
    #[cfg_attr(not(feature = "methods"), expect(dead_code, reason = "only LZMA's matter"))]
    pub(crate) flags: u16,
    pub(crate) place: Place,
    pub(crate) crc32: u32,
}

impl Coded {
    /// As it is, without a checksum.
    pub(crate) fn plain(size: u64) -> Self {
        Coded { method: method::STORED, flags: 0, place: Place { offset: 0, compressed_size: size, size }, crc32: 0 }
    }

    pub(crate) fn is_stored(&self) -> bool {
        self.method == method::STORED
    }

    /// Refuses to hold more decoded bytes of one member than the limit, in memory.
    pub(crate) fn check_budget(&self, bytes: u64, limits: &Limits) -> Result<()> {
        if self.is_stored() { Ok(()) } else { check_memory(bytes, limits) }
    }

    /// Refuses sizes that deflate cannot produce, before anything is allocated for them.
    fn check_size(&self) -> Result<()> {
        let Place { compressed_size, size, .. } = self.place;
        if self.method == method::DEFLATED && size > compressed_size.saturating_mul(DEFLATE_RATIO) {
            let compressed = compressed_size;
            return Err(ErrorKind::ImplausibleSize { compressed, size }.into());
        }
        Ok(())
    }

    /// Begins to decode the member's data, which `input` gives. With `verify`, the CRC-32 is taken of what is read, and
    /// checked by [`Content::finish`].
    pub(crate) fn open<I: BufRead>(&self, input: I, verify: bool) -> Result<Content<I>> {
        self.check_size()?;
        let decoder = match self.method {
            method::STORED => Decoder::Stored(input),
            #[cfg(feature = "deflate")]
            method::DEFLATED => {
                let inflate = Box::new(flate2::Decompress::new(false));
                Decoder::Deflated { input, inflate, ended: false }
            }
            #[cfg(any(feature = "methods", feature = "zstd"))]
            _ => Decoder::Foreign(foreign::Foreign::new(self, input)?),
            #[cfg(not(any(feature = "methods", feature = "zstd")))]
            method => return Err(ErrorKind::UnsupportedMethod { method }.into()),
        };
        let crc = verify.then(crc32fast::Hasher::new);
        Ok(Content { decoder, crc, expected_crc: self.crc32, left: self.place.size })
    }
}

/// Refuses to make more of a member's bytes than the limit, in memory.
pub(crate) fn check_memory(bytes: u64, limits: &Limits) -> Result<()> {
    let limit = limits.decoded_bytes;
    if bytes > limit {
        let (what, found) = (DECODED_BYTES, bytes);
        return Err(ErrorKind::LimitExceeded { what, found, limit }.into());
    }
    Ok(())
}

/// A member's content, read front to back, straight into the caller's memory.
pub(crate) struct Content<I> {
    decoder: Decoder<I>,
    /// The CRC so far, if it is asked for.
    crc: Option<crc32fast::Hasher>,
    expected_crc: u32,
    /// Bytes that were not read yet.
    left: u64,
}

enum Decoder<I> {
    Stored(I),
    #[cfg(feature = "deflate")]
    Deflated {
        input: I,
        inflate: Box<flate2::Decompress>,
        ended: bool,
    },
    #[cfg(any(feature = "methods", feature = "zstd"))]
    Foreign(foreign::Foreign<I>),
}

impl<I: BufRead> Content<I> {
    /// Bytes that were not read yet.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Fills `buf` with the next bytes.
    pub(crate) fn read_exact(&mut self, buf: &mut [u8]) -> Result<()> {
        let wanted = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(wanted).ok_or_else(too_short)?;
        for block in buf.chunks_mut(BLOCK) {
            match &mut self.decoder {
                Decoder::Stored(input) => input.read_exact(block)?,
                #[cfg(feature = "deflate")]
                Decoder::Deflated { input, inflate, ended } => inflate_exact(input, inflate, ended, block)?,
                #[cfg(any(feature = "methods", feature = "zstd"))]
                Decoder::Foreign(foreign) => foreign.read_exact(block)?,
            }
            if let Some(crc) = &mut self.crc {
                crc.update(block);
            }
        }
        Ok(())
    }

    /// Whether the CRC is taken.
    #[cfg(feature = "rayon")]
    pub(crate) fn is_checked(&self) -> bool {
        self.crc.is_some()
    }

    /// All bytes that were left were read by somebody else, who took their CRC. Of stored data only.
    #[cfg(feature = "rayon")]
    pub(crate) fn was_read(&mut self, crc: &crc32fast::Hasher) {
        self.left = 0;
        if let Some(all) = &mut self.crc {
            all.combine(crc);
        }
    }

    /// Reads the next `count` bytes and throws them away, but for their CRC.
    pub(crate) fn skip(&mut self, count: u64) -> Result<()> {
        match &mut self.decoder {
            Decoder::Stored(input) => {
                self.left = self.left.checked_sub(count).ok_or_else(too_short)?;
                skip_stored(input, count, self.crc.as_mut())
            }
            #[cfg(any(feature = "deflate", feature = "methods", feature = "zstd"))]
            _ => self.decode_away(count),
        }
    }

    #[cfg(any(feature = "deflate", feature = "methods", feature = "zstd"))]
    fn decode_away(&mut self, mut count: u64) -> Result<()> {
        let mut scratch: Vec<u8> = buffer::zeroed(BLOCK.min(usize::try_from(count).unwrap_or(usize::MAX)))?;
        while count > 0 {
            let some = usize::try_from(count).unwrap_or(usize::MAX).min(scratch.len());
            self.read_exact(scratch.get_mut(..some).unwrap_or_default())?;
            count = count.saturating_sub(u64::try_from(some).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// The end: what was not read is read, the CRC must be right, and nothing may be left in the data.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.skip(self.left)?;
        if let Some(crc) = self.crc.take() {
            let (computed, stored) = (crc.finalize(), self.expected_crc);
            if computed != stored {
                return Err(ErrorKind::Checksum { computed, stored }.into());
            }
        }
        match &mut self.decoder {
            Decoder::Stored(_) => Ok(()),
            #[cfg(feature = "deflate")]
            Decoder::Deflated { input, inflate, ended } => inflate_end(input, inflate, *ended),
            #[cfg(any(feature = "methods", feature = "zstd"))]
            Decoder::Foreign(foreign) => foreign.finish(),
        }
    }
}

fn skip_stored(input: &mut dyn BufRead, mut count: u64, mut crc: Option<&mut crc32fast::Hasher>) -> Result<()> {
    while count > 0 {
        let bytes = input.fill_buf()?;
        let some = bytes.len().min(usize::try_from(count).unwrap_or(usize::MAX));
        if some == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if let Some(crc) = &mut crc {
            crc.update(bytes.get(..some).unwrap_or_default());
        }
        input.consume(some);
        count = count.saturating_sub(u64::try_from(some).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// Inflates until `buf` is full.
#[cfg(feature = "deflate")]
fn inflate_exact(
    input: &mut dyn BufRead,
    inflate: &mut flate2::Decompress,
    ended: &mut bool,
    mut buf: &mut [u8],
) -> Result<()> {
    while !buf.is_empty() {
        if *ended {
            return Err(too_short());
        }
        let (consumed, produced, status) = inflate_step(input, inflate, buf)?;
        *ended = status == flate2::Status::StreamEnd;
        if consumed == 0 && produced == 0 && !*ended {
            return Err(bad_stream("cut off"));
        }
        buf = std::mem::take(&mut buf).get_mut(produced..).unwrap_or_default();
    }
    Ok(())
}

/// One byte after the declared size, no byte of content must come.
#[cfg(feature = "deflate")]
fn inflate_end(input: &mut dyn BufRead, inflate: &mut flate2::Decompress, mut ended: bool) -> Result<()> {
    while !ended {
        let (consumed, produced, status) = inflate_step(input, inflate, &mut [0])?;
        if produced > 0 {
            return Err(too_long());
        }
        ended = status == flate2::Status::StreamEnd;
        if consumed == 0 && !ended {
            return Err(bad_stream("no final block"));
        }
    }
    if input.fill_buf()?.is_empty() {
        return Ok(());
    }
    Err(bad_stream("bytes are left over after the final block"))
}

#[cfg(feature = "deflate")]
fn inflate_step(
    input: &mut dyn BufRead,
    inflate: &mut flate2::Decompress,
    buf: &mut [u8],
) -> Result<(usize, usize, flate2::Status)> {
    let data = input.fill_buf()?;
    let before = (inflate.total_in(), inflate.total_out());
    let status = inflate
        .decompress(data, buf, flate2::FlushDecompress::None)
        .map_err(|_| bad_stream("no deflate stream, or a damaged one"))?;
    let after = (inflate.total_in(), inflate.total_out());
    let moved = |after: u64, before: u64| usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX);
    let (consumed, produced) = (moved(after.0, before.0), moved(after.1, before.1));
    input.consume(consumed);
    Ok((consumed, produced, status))
}

fn too_short() -> Error {
    bad_stream("shorter than the declared size")
}

#[cfg(any(feature = "deflate", feature = "methods", feature = "zstd"))]
fn too_long() -> Error {
    bad_stream("longer than the declared size")
}

fn bad_stream(problem: &'static str) -> Error {
    ErrorKind::BadStream { problem }.into()
}
