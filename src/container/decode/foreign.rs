//! bzip2, LZMA and Zstandard members, which NumPy reads too, by the `zip` crate.
//!
//! It sees one member and nothing else of the archive: a local header without sizes or CRC is made up and put before
//! the range that was checked. Sizes, the CRC, and whether the data ends where its stream ends, are looked at here.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use zip::read::{ZipReadOptions, read_zipfile_from_stream_with_options};

use super::{Coded, bad_stream, too_long, too_short};
use crate::container::record::{flag, method};
use crate::error::{Error, Result};

const SIGNATURE: &[u8; 4] = b"PK\x03\x04";
const NEEDED: u16 = 63;
/// Sizes and CRC are not in the local header (APPNOTE 4.4.4): the `zip` crate takes them from its options.
const SIZES_ELSEWHERE: u16 = 1 << 3;
/// What LZMA data begins with (APPNOTE 5.8.8): version, length of the properties, their first byte. Then comes the size
/// of the dictionary.
const PROPERTIES: usize = 5;
/// The last bytes of the data are handed out one by one, so that nobody takes more of them than the stream has. Between
/// the last byte of content and the end of a bzip2 stream, which is asked for more too early, are ten.
const ONE_BY_ONE: u64 = 32;

/// A decoder of the `zip` crate.
pub(super) struct Foreign<'d> {
    reader: &'d mut dyn Read,
    tap: &'d Tap,
    /// LZMA without a marker: its stream ends where the content has its size and the data is used up.
    just_ends: bool,
}

pub(super) fn decode<T>(
    coded: &Coded,
    input: &mut dyn BufRead,
    work: impl FnOnce(Foreign<'_>) -> Result<T>,
) -> Result<T> {
    let compressed_size = coded.place.compressed_size;
    let is_lzma = coded.method == method::LZMA;
    let mut head = [
        &SIGNATURE[..],
        &NEEDED.to_le_bytes(),
        &SIZES_ELSEWHERE.to_le_bytes(),
        &coded.method.to_le_bytes(),
        &[0, 0, 0x21, 0], // 1980-01-01
        &[0; 12],         // CRC and sizes
        &[1, 0, 0, 0],
        b"x",
    ]
    .concat();
    let taken = head.len();
    if is_lzma {
        let (start, dictionary) = lzma_start(input, coded.place.size)?;
        head.extend(start);
        head.extend(dictionary);
    }
    let taken = u64::try_from(head.len().saturating_sub(taken)).unwrap_or(u64::MAX);
    let left = Cell::new(compressed_size.saturating_sub(taken));
    let tap = Tap { left, failure: Cell::new(None), closed: Cell::new(false) };
    let mut data = head.chain(Drain { input, tap: &tap });
    // Of unlimited size: one byte more than declared tells that there is more. LZMA's decoder looks for a marker then.
    let options = ZipReadOptions::new()
        .ignore_crc32(true)
        .override_compressed_size(compressed_size)
        .override_uncompressed_size(u64::MAX);
    let mut member = match read_zipfile_from_stream_with_options(&mut data, options) {
        Ok(Some(member)) => member,
        Ok(None) | Err(_) => return Err(bad_stream("no such stream, or a damaged one")),
    };
    let outcome =
        work(Foreign { reader: &mut member, tap: &tap, just_ends: is_lzma && coded.flags & flag::LZMA_MARKER == 0 });
    // When it is dropped, the reader of the `zip` crate reads its member to the end: there shall be nothing to read.
    tap.closed.set(true);
    outcome
}

/// The start of LZMA data: what comes before the size of the dictionary, and that size, no larger than the content.
fn lzma_start(input: &mut dyn BufRead, size: u64) -> Result<([u8; PROPERTIES], [u8; 4])> {
    let (mut start, mut dictionary) = ([0; PROPERTIES], [0; 4]);
    for part in [&mut start[..], &mut dictionary] {
        input.read_exact(part).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof if error.get_ref().is_none() => too_short(),
            _ => error.into(), // of the source
        })?;
    }
    let size = u32::try_from(size).unwrap_or(u32::MAX).min(u32::from_le_bytes(dictionary));
    Ok((start, size.to_le_bytes()))
}

impl Foreign<'_> {
    pub(super) fn read_exact(&mut self, buf: &mut [u8]) -> Result<()> {
        self.reader.read_exact(buf).map_err(|error| self.error(&error))
    }

    /// Behind the declared size, no byte of content must come, and behind the stream no byte of data.
    pub(super) fn finish(&mut self) -> Result<()> {
        if self.just_ends && self.tap.left.get() == 0 {
            return Ok(());
        }
        match self.reader.read(&mut [0]).map_err(|error| self.error(&error))? {
            0 if self.tap.left.get() == 0 => Ok(()),
            0 => Err(bad_stream("bytes are left over behind its end")),
            _ => Err(too_long()),
        }
    }

    /// The source's error, or that of a decoder, whose own text is no part of our promises.
    fn error(&self, error: &io::Error) -> Error {
        match (self.tap.failure.take(), error.kind()) {
            (Some(failure), _) => failure.into(),
            (None, io::ErrorKind::UnexpectedEof) => too_short(),
            (None, _) => bad_stream("damaged"),
        }
    }
}

/// What is known of the data while the `zip` crate has it.
struct Tap {
    /// Bytes that were not handed out.
    left: Cell<u64>,
    failure: Cell<Option<io::Error>>,
    closed: Cell<bool>,
}

struct Drain<'a> {
    input: &'a mut dyn BufRead,
    tap: &'a Tap,
}

impl Read for Drain<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.tap.left.get();
        if self.tap.closed.get() || left == 0 {
            return Ok(0);
        }
        let bytes = match self.input.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) => {
                let kind = error.kind();
                self.tap.failure.set(Some(error));
                return Err(kind.into());
            }
        };
        let most = usize::try_from(left.saturating_sub(ONE_BY_ONE).max(1)).unwrap_or(usize::MAX);
        let count = bytes.get(..most).unwrap_or(bytes).read(buf)?;
        self.input.consume(count);
        self.tap.left.set(left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX)));
        Ok(count)
    }
}
