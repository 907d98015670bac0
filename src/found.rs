//! The bytes of one array or member, found: where they lie, how they are coded, and what of them was seen on the way.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::buffer;
use crate::container::decode::{self, BLOCK, Coded, Content};
use crate::error::{Error, ErrorKind, Fault, Result};
use crate::limits::Limits;
use crate::npy::header::{self, Header, Measure};
use crate::npy::swap::Landing;
use crate::options::{OpenOptions, Verify};
use crate::section::Section;
use crate::source::Source;
#[cfg(feature = "rayon")]
use crate::split;

/// A member whose local header was read, or a file that is one array. Nothing is decoded yet.
pub(crate) struct Found<'a, S> {
    pub(crate) source: &'a Arc<S>,
    pub(crate) coded: Coded,
    pub(crate) data: Range<u64>,
    pub(crate) seen: Seen<'a>,
    pub(crate) verify: Verify,
    pub(crate) limits: Limits,
}

impl<S> Clone for Found<'_, S> {
    fn clone(&self) -> Self {
        Found { data: self.data.clone(), seen: self.seen.clone(), ..*self }
    }
}

/// An array whose header was read.
pub(crate) struct Opened<'a, S> {
    pub(crate) header: Header,
    /// The bytes of the header.
    pub(crate) preamble: Vec<u8>,
    /// At the first element.
    pub(crate) content: Content<Section<'a, S>>,
}

/// What of the data was seen when it was found.
#[derive(Clone)]
pub(crate) enum Seen<'a> {
    /// All of it, in memory.
    All(&'a [u8]),
    /// Its first bytes.
    Some(Vec<u8>),
}

impl<'a, S: Source> Found<'a, S> {
    pub(crate) fn new(
        source: &'a Arc<S>,
        coded: Coded,
        data: Range<u64>,
        seen: Seen<'a>,
        options: &OpenOptions,
    ) -> Self {
        let OpenOptions { verify, limits, .. } = *options;
        Found { source, coded, data, seen, verify, limits }
    }

    pub(crate) fn source(&self) -> &'a S {
        self.source
    }

    /// Where the data begins is where a fault of the file is, and whatever else a row of `docs/hostile.md` is about,
    /// unless a better place is known.
    pub(crate) fn locate_fault(&self, error: Error) -> Error {
        let about_file = error.kind().fault() == Fault::File || error.kind().rule().is_some();
        if about_file { error.at(self.data.start) } else { error }
    }

    pub(crate) fn is_stored(&self) -> bool {
        self.coded.is_stored()
    }

    /// Whether the CRC is taken of what is decoded or copied.
    pub(crate) fn checks_copies(&self) -> bool {
        self.verify != Verify::Never
    }

    /// Begins to decode the content.
    pub(crate) fn content(&self, verify: bool) -> Result<Content<Section<'a, S>>> {
        let seen = match &self.seen {
            Seen::All(_) => Vec::new(),
            Seen::Some(bytes) => bytes.clone(),
        };
        self.coded.open(Section::new(self.source(), self.data.clone(), seen), verify)
    }

    /// Reads what is left of the content into memory of that size, and checks it.
    pub(crate) fn read_to_end(
        &self,
        content: &mut Content<Section<'a, S>>,
        bytes: &mut [u8],
        landing: Landing<'_>,
    ) -> Result<()> {
        self.read_next(content, bytes, landing)?;
        content.finish()
    }

    /// Reads the next bytes of the content; by several threads, if they are all that is left, and many.
    pub(crate) fn read_next(
        &self,
        content: &mut Content<Section<'a, S>>,
        bytes: &mut [u8],
        landing: Landing<'_>,
    ) -> Result<()> {
        #[cfg(feature = "rayon")]
        if self.is_stored() && content.left() == bytes.len() as u64 {
            let start = self.data.end - bytes.len() as u64;
            if let Some(crc) = split::read(self.source(), start, bytes, landing, content.is_checked())? {
                content.was_read(&crc);
                return Ok(());
            }
        }
        for block in bytes.chunks_mut(landing.whole(BLOCK)) {
            content.read_exact(block)?;
            landing.land(block);
        }
        Ok(())
    }

    /// Reads the whole content and holds it against its CRC.
    pub(crate) fn verify(&self) -> Result<()> {
        let mut content = self.content(true)?;
        #[cfg(feature = "rayon")]
        if self.is_stored()
            && let Some(crc) = split::checksum(self.source(), self.data.clone())?
        {
            content.was_read(&crc);
        }
        content.finish()
    }

    /// Reads the header, and leaves the content at the first element.
    pub(crate) fn array(&self, verify: bool) -> Result<Opened<'a, S>> {
        let size = self.coded.place.size;
        let mut content = self.content(verify)?;
        let mut preamble = Vec::new();
        let header = loop {
            match header::measure(&preamble, size, &self.limits) {
                Err(error) => break Err(error),
                Ok(Measure::Length(length)) if preamble.len() as u64 == length => break Header::parse(&preamble),
                Ok(Measure::Length(length) | Measure::Needs(length)) => {
                    let seen = preamble.len();
                    let whole = usize::try_from(length).unwrap_or(usize::MAX);
                    let out_of_memory = |_| ErrorKind::OutOfMemory { bytes: length };
                    preamble.try_reserve_exact(whole.saturating_sub(seen)).map_err(out_of_memory)?;
                    preamble.resize(whole, 0);
                    content.read_exact(&mut preamble[seen..])?;
                }
            }
        };
        let header = header.map_err(|error| self.in_content(error))?;
        check_length(&header, content.left())?;
        Ok(Opened { header, preamble, content })
    }

    /// The header, if all of the content is in memory.
    pub(crate) fn header_in_memory(&self) -> Option<Result<Header>> {
        let Seen::All(bytes) = self.seen else { return None };
        self.is_stored().then(|| {
            let header = parse(bytes, &self.limits).map_err(|error| self.in_content(error))?;
            check_length(&header, bytes.len().saturating_sub(header.preamble_size()) as u64)?;
            Ok(header)
        })
    }

    /// The header alone.
    pub(crate) fn header(&self) -> Result<Header> {
        self.header_in_memory().unwrap_or_else(|| self.array(false).map(|opened| opened.header))
    }

    /// The content where it lies, if it is stored and in memory.
    pub(crate) fn lent(&self) -> Result<Option<&'a [u8]>> {
        match self.seen {
            Seen::All(bytes) if self.is_stored() => {
                self.verify_if_always()?;
                Ok(Some(bytes))
            }
            _ => Ok(None),
        }
    }

    /// What is borrowed, or read in part, is checked only on request.
    pub(crate) fn verify_if_always(&self) -> Result<()> {
        if self.verify == Verify::Always {
            self.verify()?;
        }
        Ok(())
    }

    pub(crate) fn check_budget(&self, bytes: usize) -> Result<()> {
        self.coded.check_budget(bytes as u64, &self.limits).map_err(|error| error.at(self.data.start))
    }

    /// All of the content, borrowed or copied.
    pub(crate) fn bytes(&self) -> Result<Cow<'a, [u8]>> {
        if let Some(bytes) = self.lent()? {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut content = self.content(self.checks_copies())?;
        let count = usize::try_from(content.left()).unwrap_or(usize::MAX);
        self.check_budget(count)?;
        let mut bytes = buffer::zeroed(count)?;
        self.read_to_end(&mut content, &mut bytes, Landing::AS_THEY_LIE)?;
        Ok(Cow::Owned(bytes))
    }

    /// The same for what bytes become, which is more than they are, stored or not.
    pub(crate) fn check_memory(&self, bytes: usize) -> Result<()> {
        decode::check_memory(bytes as u64, &self.limits).map_err(|error| error.at(self.data.start))
    }

    /// Offsets in the content are offsets in the file when it is stored.
    fn in_content(&self, error: Error) -> Error {
        if self.is_stored() { error.relative_to(self.data.start).at(self.data.start) } else { error }
    }
}

/// The header at the start of a content that lies in memory.
fn parse(content: &[u8], limits: &Limits) -> Result<Header> {
    let available = content.len() as u64;
    match header::measure(content, available, limits)? {
        Measure::Length(needed) | Measure::Needs(needed) => {
            let preamble = usize::try_from(needed).ok().and_then(|length| content.get(..length));
            Header::parse(preamble.ok_or(ErrorKind::HeaderLength { needed, available })?)
        }
    }
}

/// Neither more nor less than shape and dtype need: what follows the elements would never be checked by NumPy.
/// Behind the header of an array of objects is a pickle.
fn check_length(header: &Header, found: u64) -> Result<()> {
    let expected = header.nbytes() as u64;
    if found == expected || header.dtype().has_object() {
        return Ok(());
    }
    Err(ErrorKind::PayloadLength { found, expected }.into())
}
