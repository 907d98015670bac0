//! bzip2, LZMA and Zstandard members, which NumPy reads too, by the `zip` crate.
//!
//! It sees one member and nothing else of the archive: a local header is made up from what the directory says, and
//! put before the range that was checked. Sizes and CRC are ours.

use std::cell::Cell;
use std::io::{self, Read};

use super::{Coded, bad_stream};
use crate::error::Result;

const SIGNATURE: &[u8; 4] = b"PK\x03\x04";
/// The member is encoded with an end-of-stream marker, for LZMA (APPNOTE 4.4.4). NumPy's always are, and a decoder
/// that knows the size needs no marker, but reads one.
const END_MARKER: u16 = 1 << 1;
const NEEDED: u16 = 63;

pub(super) fn decode<T>(
    coded: &Coded,
    input: &mut dyn Read,
    work: impl FnOnce(&mut dyn Read) -> Result<T>,
) -> Result<T> {
    let place = coded.place;
    let header = [
        &SIGNATURE[..],
        &NEEDED.to_le_bytes(),
        &END_MARKER.to_le_bytes(),
        &coded.method.to_le_bytes(),
        &[0, 0, 0x21, 0], // 1980-01-01
        &coded.crc32.to_le_bytes(),
        &[0xff; 8], // both sizes are in the zip64 field
        &[1, 0, 20, 0],
        b"x",
        &[1, 0, 16, 0],
        &place.size.to_le_bytes(),
        &place.compressed_size.to_le_bytes(),
    ]
    .concat();
    // When it is dropped, the reader of the `zip` crate reads its member to the end: there shall be nothing to read.
    let done = Cell::new(false);
    let mut input = header.chain(Until { input, done: &done });
    let mut member = match zip::read::read_zipfile_from_stream(&mut input) {
        Ok(Some(member)) => member,
        Ok(None) | Err(_) => return Err(bad_stream("no such stream, or a damaged one")),
    };
    let outcome = work(&mut member);
    done.set(true);
    outcome
}

struct Until<'a> {
    input: &'a mut dyn Read,
    done: &'a Cell<bool>,
}

impl Read for Until<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.done.get() { Ok(0) } else { self.input.read(buf) }
    }
}
