//! From a member's data to its content: stored or inflated, bounded by its declared size, checked against its CRC-32.

use std::io::{self, BufRead};

use super::record::{Place, method};
use crate::error::{DECODED_BYTES, ErrorKind, Result};
use crate::limits::{DEFLATE_RATIO, Limits};

/// The CRC is taken block by block, while the block is in cache.
const BLOCK: usize = 512 << 10;

/// Decodes one member front to back, straight into the caller's memory.
pub(crate) struct Decoder<R> {
    input: R,
    method: Method,
    /// The CRC so far, if it is asked for.
    crc: Option<crc32fast::Hasher>,
    expected_crc: u32,
    /// Content that was not read yet.
    left: u64,
}

enum Method {
    Stored,
    #[cfg(feature = "deflate")]
    Deflated {
        inflate: Box<flate2::Decompress>,
        ended: bool,
    },
}

/// Whether this build decodes `method`.
fn method_of(number: u16) -> Result<Method> {
    match number {
        method::STORED => Ok(Method::Stored),
        #[cfg(feature = "deflate")]
        method::DEFLATED => Ok(Method::Deflated { inflate: Box::new(flate2::Decompress::new(false)), ended: false }),
        method => Err(ErrorKind::UnsupportedMethod { method }.into()),
    }
}

/// Refuses sizes that deflate cannot produce, before anything is allocated for them.
pub(crate) fn check_size(number: u16, place: Place) -> Result<()> {
    let Place { compressed_size, size, .. } = place;
    if number == method::DEFLATED && size > compressed_size.saturating_mul(DEFLATE_RATIO) {
        let compressed = compressed_size;
        return Err(ErrorKind::ImplausibleSize { compressed, size }.into());
    }
    Ok(())
}

/// Refuses to hold more decoded bytes of one member than the limit, in memory.
pub(crate) fn check_budget(number: u16, bytes: u64, limits: &Limits) -> Result<()> {
    let limit = limits.decoded_bytes;
    if number != method::STORED && bytes > limit {
        let (what, found) = (DECODED_BYTES, bytes);
        return Err(ErrorKind::LimitExceeded { what, found, limit }.into());
    }
    Ok(())
}

impl<R: BufRead> Decoder<R> {
    /// `input` gives the member's data, and then its end.
    pub(crate) fn new(input: R, number: u16, place: Place, crc32: u32, verify: bool) -> Result<Self> {
        let method = method_of(number)?;
        check_size(number, place)?;
        Ok(Decoder { input, method, crc: verify.then(crc32fast::Hasher::new), expected_crc: crc32, left: place.size })
    }

    /// Content that was not read yet, in bytes.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Fills `buf` with the next bytes of the content.
    pub(crate) fn read_exact(&mut self, buf: &mut [u8]) -> Result<()> {
        let wanted = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(wanted).ok_or_else(too_short)?;
        for block in buf.chunks_mut(BLOCK) {
            match &mut self.method {
                Method::Stored => self.input.read_exact(block)?,
                #[cfg(feature = "deflate")]
                Method::Deflated { inflate, ended } => inflate_exact(&mut self.input, inflate, ended, block)?,
            }
            if let Some(crc) = &mut self.crc {
                crc.update(block);
            }
        }
        Ok(())
    }

    /// Reads what is left and throws it away, but for its CRC.
    pub(crate) fn skip_rest(&mut self) -> Result<()> {
        if let Method::Stored = self.method {
            while self.left > 0 {
                let bytes = fill(&mut self.input)?;
                let count = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                if count == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                if let Some(crc) = &mut self.crc {
                    crc.update(bytes.get(..count).unwrap_or_default());
                }
                self.input.consume(count);
                self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
            }
            return Ok(());
        }
        let mut scratch = vec![0; BLOCK.min(usize::try_from(self.left).unwrap_or(usize::MAX))];
        while self.left > 0 {
            let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(scratch.len());
            self.read_exact(scratch.get_mut(..count).unwrap_or_default())?;
        }
        Ok(())
    }

    /// The end of the content: nothing may be left in the data, and the CRC must be right.
    pub(crate) fn finish(mut self) -> Result<()> {
        if self.left > 0 {
            self.skip_rest()?;
        }
        #[cfg(feature = "deflate")]
        if let Method::Deflated { inflate, ended } = &mut self.method {
            inflate_end(&mut self.input, inflate, *ended)?;
        }
        let Some(crc) = self.crc else { return Ok(()) };
        let (computed, stored) = (crc.finalize(), self.expected_crc);
        if computed != stored {
            return Err(ErrorKind::Checksum { computed, stored }.into());
        }
        Ok(())
    }
}

/// The next bytes of the data, whatever interrupts.
fn fill<R: BufRead>(input: &mut R) -> io::Result<&[u8]> {
    loop {
        match input.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    input.fill_buf() // what is there already
}

/// Inflates until `buf` is full.
#[cfg(feature = "deflate")]
fn inflate_exact<R: BufRead>(
    input: &mut R,
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
fn inflate_end<R: BufRead>(input: &mut R, inflate: &mut flate2::Decompress, mut ended: bool) -> Result<()> {
    while !ended {
        let (consumed, produced, status) = inflate_step(input, inflate, &mut [0])?;
        if produced > 0 {
            return Err(bad_stream("longer than the declared size"));
        }
        ended = status == flate2::Status::StreamEnd;
        if consumed == 0 && !ended {
            return Err(bad_stream("no final block"));
        }
    }
    if fill(input)?.is_empty() {
        return Ok(());
    }
    Err(bad_stream("bytes are left over after the final block"))
}

#[cfg(feature = "deflate")]
fn inflate_step<R: BufRead>(
    input: &mut R,
    inflate: &mut flate2::Decompress,
    buf: &mut [u8],
) -> Result<(usize, usize, flate2::Status)> {
    let data = fill(input)?;
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

fn too_short() -> crate::error::Error {
    bad_stream("shorter than the declared size")
}

fn bad_stream(problem: &'static str) -> crate::error::Error {
    ErrorKind::BadStream { problem }.into()
}
