//! The content of a member before it is written: a preamble, and what follows it, whole or block by block.

use super::options::Coding;
use crate::error::{ErrorKind, Result};
use crate::npy::header::Header;
use crate::npy::save::Save;

/// Takes the next bytes.
pub(super) type Put<'p> = &'p mut dyn FnMut(&[u8]) -> Result<()>;

/// What a member holds.
pub(super) struct Body<'a> {
    pub(super) preamble: Vec<u8>,
    pub(super) rest: Rest<'a>,
    /// The number of bytes after the preamble.
    pub(super) rest_size: u64,
    /// Where in the content lies what is aligned.
    pub(super) inside: u64,
    /// The CRC-32 of all of it, where it is known beforehand: `rest` will be held against it, or is not to be checked and
    /// then as wrong as it was.
    pub(super) crc32: Option<u32>,
}

/// What follows the preamble.
pub(super) enum Rest<'a> {
    /// An array that is gathered, block by block.
    Array(&'a dyn Save),
    /// All of it, in memory.
    Bytes(&'a [u8]),
    /// Gives the bytes as often as it is called.
    Blocks(&'a dyn Fn(Put<'_>) -> Result<()>),
}

impl<'a> Body<'a> {
    /// An array, as `np.save` writes it.
    pub(super) fn array(array: &'a dyn Save) -> Result<Self> {
        let header = array.header()?;
        let preamble = array.preamble(&header);
        let meant = Header::from_bytes(&preamble)?;
        let same = (meant.dtype(), meant.shape(), meant.order()) == (header.dtype(), header.shape(), header.order());
        if !same || meant.preamble_size() != preamble.len() {
            let (expected, found) = ("what the array's header says", String::from_utf8_lossy(&preamble).into());
            return Err(ErrorKind::BadHeader { expected, found }.into());
        }
        let rest_size = header.nbytes() as u64;
        let inside = preamble.len() as u64;
        // Asked for once: what is checksummed is then what is written, whatever an implementation would say next.
        let rest = array.as_bytes().map_or(Rest::Array(array), Rest::Bytes);
        let body = Body { preamble, rest, rest_size, inside, crc32: None };
        match body.rest {
            // Before anything is written.
            Rest::Bytes(bytes) if bytes.len() as u64 != rest_size => Err(body.wrong_length(bytes.len() as u64)),
            _ => Ok(body),
        }
    }

    pub(super) fn bytes(bytes: &'a [u8], inside: u64) -> Self {
        let rest_size = bytes.len() as u64;
        Body { preamble: Vec::new(), rest: Rest::Bytes(bytes), rest_size, inside, crc32: None }
    }

    pub(super) fn size(&self) -> u64 {
        self.rest_size.saturating_add(self.preamble.len() as u64)
    }

    /// The CRC-32 before anything is written, where that needs no second pass over what is gathered.
    pub(super) fn checksum(&self) -> Option<u32> {
        self.crc32.or_else(|| {
            let Rest::Bytes(rest) = self.rest else { return None };
            let mut crc = crc32fast::Hasher::new();
            crc.update(&self.preamble);
            crc.update(rest);
            Some(crc.finalize())
        })
    }

    /// Hands over what follows the preamble, and holds its length against what was announced.
    pub(super) fn rest(&self, put: Put<'_>) -> Result<()> {
        let mut left = self.rest_size;
        let mut counted = |block: &[u8]| {
            let length = block.len() as u64;
            left = left.checked_sub(length).ok_or_else(|| self.wrong_length(self.rest_size - left + length))?;
            put(block)
        };
        match self.rest {
            Rest::Bytes(bytes) => counted(bytes)?,
            Rest::Array(array) => array.blocks(&mut counted)?,
            Rest::Blocks(blocks) => blocks(&mut counted)?,
        }
        if left > 0 {
            return Err(self.wrong_length(self.rest_size - left));
        }
        Ok(())
    }

    fn wrong_length(&self, found: u64) -> crate::error::Error {
        let expected = self.rest_size;
        ErrorKind::PayloadLength { found, expected }.into()
    }

    /// Hands over the compressed content; gives its length and its CRC-32. Nothing if it would not be smaller, where
    /// that is asked for: then no more was handed over than the content is long.
    ///
    /// One piece of code for all roads: what is compressed in memory, on another thread or straight into a file gets the
    /// same calls, and so the same bytes. (With `libdeflate`, what fits into memory has another encoder, on every road.)
    #[cfg(feature = "deflate")]
    pub(super) fn deflate(&self, level: u32, if_smaller: bool, put: Put<'_>) -> Result<Option<(u64, u32)>> {
        let mut crc = self.crc32.is_none().then(crc32fast::Hasher::new);
        let most = if if_smaller { self.size().saturating_sub(1) } else { u64::MAX };
        let mut deflater = Deflater::new(level, most);
        let mut feed = |block: &[u8]| {
            if let Some(crc) = &mut crc {
                crc.update(block);
            }
            deflater.feed(block, put)
        };
        let outcome = feed(&self.preamble).and_then(|()| self.rest(&mut feed));
        let outcome = outcome.and_then(|()| deflater.finish(put));
        if deflater.gave_up() {
            return Ok(None);
        }
        outcome?;
        let crc32 = crc.map(crc32fast::Hasher::finalize).or(self.crc32).unwrap_or_default();
        Ok(Some((deflater.produced(), crc32)))
    }

    #[cfg(not(feature = "deflate"))]
    pub(super) fn deflate(&self, _: u32, _: bool, _: Put<'_>) -> Result<Option<(u64, u32)>> {
        const DEFLATED: u16 = 8;
        Err(ErrorKind::UnsupportedMethod { method: DEFLATED }.into())
    }
}

/// A deflate stream that goes out as it grows.
#[cfg(feature = "deflate")]
pub(super) struct Deflater {
    compress: flate2::Compress,
    block: Vec<u8>,
    most: u64,
}

#[cfg(feature = "deflate")]
impl Deflater {
    /// A stream of at most `most` bytes.
    pub(super) fn new(level: u32, most: u64) -> Self {
        const BLOCK: usize = 256 << 10;
        let compress = flate2::Compress::new(flate2::Compression::new(level), false);
        Deflater { compress, block: Vec::with_capacity(BLOCK), most }
    }

    fn produced(&self) -> u64 {
        self.compress.total_out()
    }

    /// Whether it was stopped, since it grew to more than `most` bytes.
    fn gave_up(&self) -> bool {
        self.produced() > self.most
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8], put: Put<'_>) -> Result<()> {
        while !bytes.is_empty() {
            let before = self.compress.total_in();
            self.step(bytes, flate2::FlushCompress::None, put)?;
            let consumed = usize::try_from(self.compress.total_in() - before).unwrap_or(usize::MAX);
            bytes = bytes.get(consumed..).unwrap_or_default();
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, put: Put<'_>) -> Result<()> {
        while self.step(&[], flate2::FlushCompress::Finish, put)? != flate2::Status::StreamEnd {}
        Ok(())
    }

    fn step(&mut self, bytes: &[u8], flush: flate2::FlushCompress, put: Put<'_>) -> Result<flate2::Status> {
        let status = self.compress.compress_vec(bytes, &mut self.block, flush);
        let status = status.map_err(|error| std::io::Error::other(error.to_string()))?;
        if self.gave_up() {
            return Err(std::io::Error::other("no smaller").into());
        }
        if self.block.len() == self.block.capacity() || status == flate2::Status::StreamEnd {
            put(&self.block)?;
            self.block.clear();
        }
        Ok(status)
    }
}

impl Coding {
    /// A level that zlib knows.
    pub(super) fn check(self) -> Result<Self> {
        match self {
            Coding::Deflate { level, .. } if level > 9 => Err(ErrorKind::BadLevel { level }.into()),
            coding => Ok(coding),
        }
    }
}
