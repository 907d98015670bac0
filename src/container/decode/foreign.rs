//! bzip2, LZMA and Zstandard members, which NumPy reads too, decoded by crates of those names.
//!
//! They see the data of one member, and no more than its compressed size. The declared size, the CRC, and whether the data
//! ends where its stream ends, are checked here and by the caller.

use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Coded, bad_stream, too_long, too_short};
#[cfg(feature = "methods")]
use crate::container::record::flag;
use crate::container::record::method;
use crate::error::{Error, ErrorKind, Result};

pub(super) struct Foreign<I> {
    decoder: Decoder<I>,
    failure: Failure,
    /// The stream may end without saying so: LZMA without an end marker.
    just_ends: bool,
}

enum Decoder<I> {
    #[cfg(feature = "methods")]
    Bzip2(Box<bzip2::bufread::BzDecoder<Data<I>>>),
    #[cfg(feature = "methods")]
    Lzma(Box<lzma_rust2::LzmaReader<Data<I>>>),
    #[cfg(feature = "zstd")]
    Zstd(Box<zstd::Decoder<'static, Data<I>>>),
}

impl<I: BufRead> Foreign<I> {
    /// Begins to decode. A method that no feature of this build decodes is an error.
    pub(super) fn new(coded: &Coded, input: I) -> Result<Self> {
        let failure = Failure::default();
        let at_start = |error: io::Error| failure.explain(&error, "no such stream, or a damaged one");
        #[cfg_attr(not(feature = "methods"), expect(unused_mut, reason = "only LZMA's header is read here"))]
        let mut data = Data { input, left: coded.place.compressed_size, failure: failure.clone() };
        let decoder = match coded.method {
            #[cfg(feature = "methods")]
            method::BZIP2 => Decoder::Bzip2(Box::new(bzip2::bufread::BzDecoder::new(data))),
            #[cfg(feature = "methods")]
            method::LZMA => {
                let mut start = [0; LZMA_START];
                data.read_exact(&mut start).map_err(at_start)?;
                let (properties, dictionary) = lzma_start(start, coded.place.size)?;
                // Of unlimited size: one byte more than declared shows that the data is longer. The decoder then looks for an
                // end marker, too.
                let decoder = lzma_rust2::LzmaReader::new_with_props(data, u64::MAX, properties, dictionary, None);
                Decoder::Lzma(Box::new(decoder.map_err(at_start)?))
            }
            #[cfg(feature = "zstd")]
            method::ZSTD => Decoder::Zstd(Box::new(zstd::Decoder::with_buffer(data).map_err(at_start)?)),
            method => return Err(ErrorKind::UnsupportedMethod { method }.into()),
        };
        #[cfg(feature = "methods")]
        let just_ends = coded.method == method::LZMA && coded.flags & flag::LZMA_MARKER == 0;
        #[cfg(not(feature = "methods"))]
        let just_ends = false;
        Ok(Foreign { decoder, failure, just_ends })
    }

    fn reader(&mut self) -> &mut dyn Read {
        match &mut self.decoder {
            #[cfg(feature = "methods")]
            Decoder::Bzip2(decoder) => decoder,
            #[cfg(feature = "methods")]
            Decoder::Lzma(decoder) => decoder,
            #[cfg(feature = "zstd")]
            Decoder::Zstd(decoder) => decoder,
        }
    }

    fn data(&mut self) -> &mut Data<I> {
        match &mut self.decoder {
            #[cfg(feature = "methods")]
            Decoder::Bzip2(decoder) => decoder.get_mut(),
            #[cfg(feature = "methods")]
            Decoder::Lzma(decoder) => decoder.inner_mut(),
            #[cfg(feature = "zstd")]
            Decoder::Zstd(decoder) => decoder.get_mut(),
        }
    }

    pub(super) fn read_exact(&mut self, buf: &mut [u8]) -> Result<()> {
        let outcome = self.reader().read_exact(buf);
        outcome.map_err(|error| self.failure.explain(&error, "damaged"))
    }

    /// Checks that the stream ends after what was read, and the data with it.
    pub(super) fn finish(&mut self) -> Result<()> {
        if self.just_ends && self.data().left == 0 {
            return Ok(());
        }
        let outcome = self.reader().read(&mut [0]);
        match outcome.map_err(|error| self.failure.explain(&error, "damaged"))? {
            0 if self.data().left == 0 => Ok(()),
            0 => Err(bad_stream("bytes are left over after its end")),
            _ => Err(too_long()),
        }
    }
}

/// The bytes before an LZMA stream.
#[cfg(feature = "methods")]
const LZMA_START: usize = 9;

/// Parses what ZIP puts before an LZMA stream (APPNOTE 5.8.8): version, length of the properties, properties. The size of
/// the dictionary is limited to that of the content, so that the decoder allocates no more.
#[cfg(feature = "methods")]
fn lzma_start(start: [u8; LZMA_START], size: u64) -> Result<(u8, u32)> {
    let [_, _, length @ .., properties, a, b, c, d] = start;
    if length != [5, 0] {
        return Err(bad_stream("no such stream, or a damaged one"));
    }
    let dictionary = u32::try_from(size).unwrap_or(u32::MAX).min(u32::from_le_bytes([a, b, c, d]));
    Ok((properties, dictionary))
}

/// The error of the source, which decoders make other errors of.
#[derive(Clone, Default)]
struct Failure(Arc<Mutex<Option<io::Error>>>);

impl Failure {
    fn set(&self, error: io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// What a decoder's error means: that of the source, an end that came too early, or what is said of the stream.
    fn explain(&self, error: &io::Error, damage: &'static str) -> Error {
        match (self.0.lock().unwrap_or_else(PoisonError::into_inner).take(), error.kind()) {
            (Some(failure), _) => failure.into(),
            (None, io::ErrorKind::UnexpectedEof) => too_short(),
            (None, _) => bad_stream(damage),
        }
    }
}

/// The last bytes are given to a decoder one by one, since some read ahead: what is left tells whether it used all of them.
const ONE_BY_ONE: u64 = 32;

/// The data of a member: its compressed size, and no more.
struct Data<I> {
    input: I,
    left: u64,
    failure: Failure,
}

impl<I: BufRead> BufRead for Data<I> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let most = usize::try_from(self.left.saturating_sub(ONE_BY_ONE).max(1)).unwrap_or(usize::MAX);
        match self.input.fill_buf() {
            Ok(bytes) => Ok(bytes.get(..most).unwrap_or(bytes)),
            Err(error) => {
                let kind = error.kind();
                self.failure.set(error);
                Err(kind.into())
            }
        }
    }

    fn consume(&mut self, count: usize) {
        self.input.consume(count);
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
    }
}

impl<I: BufRead> Read for Data<I> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buf)?;
        self.consume(count);
        Ok(count)
    }
}
