//! Members of other archives, moved: as they are, or decoded and written anew.

use super::NpzWriter;
use super::body::{Body, Put, Rest};
use super::member::Plan;
#[cfg(feature = "rayon")]
use super::member::{IN_MEMORY, deflate_in_memory};
use super::options::{Coding, MemberOptions};
use super::sink::Sink;
use crate::buffer;
use crate::container::record::method;
use crate::container::write::Sizes;
use crate::error::{ErrorKind, Result};
use crate::found::{Found, Seen};
use crate::member::Member;
#[cfg(feature = "rayon")]
use crate::method::Method;
use crate::source::{Source, read_at};

/// What was made of a member before its turn, on another thread.
pub(super) enum Made {
    Nothing,
    /// It was decoded, only to be checked.
    #[cfg(feature = "rayon")]
    Checked,
    /// All of its content, which was compressed.
    #[cfg(feature = "rayon")]
    Content(Vec<u8>),
    #[cfg(feature = "rayon")]
    Deflated(Vec<u8>, Sizes),
    /// Deflated it would be no smaller.
    #[cfg(feature = "rayon")]
    NoSmaller,
}

#[cfg(feature = "rayon")]
impl Made {
    /// Does what needs no sink: decodes, checks, compresses.
    pub(super) fn of<R: Source>(member: &Member<'_, R>, options: MemberOptions) -> Result<Self> {
        let (verify, is_stored) = (!options.unchecked, member.method() == Method::Stored);
        if is_stored && !matches!(options.coding, Some(Coding::Deflate { .. })) {
            return Ok(Made::Nothing); // which is cheaper than to find it twice
        }
        // What is larger than may be held goes through a block when it is its turn.
        let size = member.size();
        member.find(|found| match (options.coding, is_stored) {
            (None, false) if verify => found.verify().map(|()| Made::Checked),
            _ if size > IN_MEMORY => Ok(Made::Nothing),
            (Some(Coding::Store), false) if size <= found.limits.decoded_bytes => {
                let mut content = buffer::with_capacity(usize::try_from(size).unwrap_or(usize::MAX))?;
                decode(found, verify, &mut |block| {
                    content.extend_from_slice(block);
                    Ok(())
                })?;
                Ok(Made::Content(content))
            }
            (Some(Coding::Deflate { level, if_smaller }), _) => {
                let content = |put: Put<'_>| decode(found, verify, put);
                let deflated = deflate_in_memory(&of(found, Rest::Blocks(&content)), level, if_smaller)?;
                Ok(deflated.map_or(Made::NoSmaller, |(data, sizes)| Made::Deflated(data, sizes)))
            }
            _ => Ok(Made::Nothing),
        })
    }
}

/// What is decoded, or moved, at once.
const BLOCK: usize = 512 << 10;

impl<S: Sink> NpzWriter<S> {
    /// Copies a member of another archive: the same name, the same content, elements aligned. What is compressed stays as
    /// it is. Its CRC-32 is checked on the way; extra fields of the other archive's writer are dropped. What is not in
    /// memory goes through a block of 512 KiB.
    ///
    /// # Errors
    ///
    /// As [`add`](NpzWriter::add), and as [`Member::verify`]. An archive that has both `x` and `x.npy` can be copied as a
    /// whole: what is hidden there is hidden in the copy.
    ///
    /// ```
    /// use npzmap::{Access, Npz, NpzWriter};
    ///
    /// // All of an archive, aligned: what `npz align` does.
    /// let by_numpy = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let mut w = NpzWriter::stream(Vec::new());
    /// for member in &by_numpy {
    ///     w.copy(&member)?;
    /// }
    /// let aligned = Npz::new(w.finish()?)?;
    /// for member in &aligned {
    ///     assert_eq!(member.access_in_map()?, Access::Borrow);
    /// }
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn copy<R: Source>(&mut self, member: &Member<'_, R>) -> Result<()> {
        self.copy_with(member, MemberOptions::new())
    }

    /// The same, with options: inflated, deflated anew, or without the check of its CRC-32.
    ///
    /// # Errors
    ///
    /// As [`copy`](NpzWriter::copy).
    ///
    /// ```
    /// use npzmap::{MemberOptions, Npz, NpzWriter};
    ///
    /// let compressed = Npz::open("tests/data/model-batch.npz")?;
    /// let mut w = NpzWriter::stream(Vec::new());
    /// for member in &compressed {
    ///     w.copy_with(&member, MemberOptions::new().store())?;
    /// }
    /// let stored = Npz::new(w.finish()?)?;
    /// assert_eq!(stored.view::<f32, ndarray::Ix2>("features")?.sum(), 66.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn copy_with<R: Source>(&mut self, member: &Member<'_, R>, options: MemberOptions) -> Result<()> {
        self.copy_made(member, options, Ok(Made::Nothing))
    }

    /// Copies a member of which something was made beforehand, or could not be.
    pub(super) fn copy_made<R: Source>(
        &mut self,
        member: &Member<'_, R>,
        options: MemberOptions,
        made: Result<Made>,
    ) -> Result<()> {
        let name = member.text();
        let checked = self.check_copy(&name, |name| member.has_sibling(name)).and_then(|()| options.check());
        checked.map_err(|error| self.about(&member.key(), error))?;
        let (made, start, record) = (made?, self.output.position(), self.directory.end_position());
        // Errors of the sink know its file already; all others are the member's.
        let result = member.find(|found| self.copy_found(&name, found, member.flags(), options, made));
        match result {
            Ok(()) => {
                self.directory.mark_copied(record);
                self.directory.drop_old(&name);
            }
            Err(_) => self.abandon(start),
        }
        result
    }

    fn copy_found<R: Source>(
        &mut self,
        name: &str,
        found: &Found<'_, R>,
        flags: u16,
        options: MemberOptions,
        made: Made,
    ) -> Result<()> {
        let verify = !options.unchecked;
        let content = |put: Put<'_>| decode(found, verify, put);
        match (made, options.coding, found.is_stored()) {
            #[cfg(feature = "rayon")]
            (Made::Deflated(data, sizes), ..) => self.write_deflated(name, &data, sizes),
            #[cfg(feature = "rayon")]
            (Made::NoSmaller, ..) => self.store(name, &of(found, Rest::Blocks(&content))),
            #[cfg(feature = "rayon")]
            (Made::Content(bytes), ..) => self.store(name, &whole(found, &bytes)),
            (_, None | Some(Coding::Store), true) => self.move_stored(name, found, verify),
            #[cfg(feature = "rayon")]
            (Made::Checked, None, false) => self.move_data(name, found, flags, None, false),
            (_, None, false) => {
                // To be checked it must be decoded once.
                if verify {
                    found.verify()?;
                }
                self.move_data(name, found, flags, None, false)
            }
            (_, Some(coding), _) => self.write(name, &of(found, Rest::Blocks(&content)), coding),
        }
    }

    /// Stored, and to be stored: its place changes, and nothing else.
    fn move_stored<R: Source>(&mut self, name: &str, found: &Found<'_, R>, verify: bool) -> Result<()> {
        // A sink that cannot go back gets no data before its checksum was verified.
        if let (Some(bytes), false) = (in_memory(found), self.output.sink().seeks()) {
            let body = of(found, Rest::Bytes(bytes));
            let (computed, stored) = (body.checksum().unwrap_or_default(), found.coded.crc32);
            if verify && computed != stored {
                return Err(ErrorKind::Checksum { computed, stored }.into());
            }
            // What it has, right or wrong.
            return self.store(name, &Body { crc32: Some(stored), ..body });
        }
        self.move_data(name, found, 0, Some(preamble_size(found)), verify)
    }

    /// The data as it lies, block by block through a buffer that stays in cache, where its CRC costs next to nothing: with
    /// it 3.4 GB/s from file to file on ext4 and 2.3 on tmpfs, where `copy_file_range` makes 2.5 and 2.0 without, since
    /// elements that move to other places of their pages are copied by the system in pieces (AMD EPYC, 2 cores, Linux 6.18,
    /// 2026-11-23).
    fn move_data<R: Source>(
        &mut self,
        name: &str,
        found: &Found<'_, R>,
        flags: u16,
        inside: Option<u64>,
        verify: bool,
    ) -> Result<()> {
        let place = found.coded.place;
        let sizes = Sizes { crc32: found.coded.crc32, compressed_size: place.compressed_size, size: place.size };
        let (method, largest) = (found.coded.method, place.size.max(place.compressed_size));
        let begun = self.begin(name, Plan { method, flags, known: Some(sizes), largest, inside })?;
        let mut crc = verify.then(crc32fast::Hasher::new);
        let length = usize::try_from(found.data.end - found.data.start).unwrap_or(usize::MAX);
        let mut block: Vec<u8> = buffer::zeroed(BLOCK.min(length))?;
        let mut at = found.data.start;
        while at < found.data.end {
            let left = usize::try_from(found.data.end - at).unwrap_or(usize::MAX);
            let block = &mut block[..left.min(BLOCK)];
            read_at(found.source(), at, block)?;
            if let Some(crc) = &mut crc {
                crc.update(block);
            }
            self.output.write(block)?;
            at += block.len() as u64;
        }
        if let Some(computed) = crc.map(crc32fast::Hasher::finalize)
            && computed != sizes.crc32
        {
            let stored = sizes.crc32;
            return Err(ErrorKind::Checksum { computed, stored }.into());
        }
        self.end(begun, sizes)
    }
}

/// A member's content, whose preamble is part of the rest: it stays as it is.
fn of<'b, R: Source>(found: &Found<'_, R>, rest: Rest<'b>) -> Body<'b> {
    let (rest_size, inside) = (found.coded.place.size, preamble_size(found));
    let crc32 = match rest {
        Rest::Blocks(_) => Some(found.coded.crc32),
        _ => None,
    };
    Body { preamble: Vec::new(), rest, rest_size, inside, crc32 }
}

/// A member's content, decoded and checked before.
#[cfg(feature = "rayon")]
fn whole<'b, R: Source>(found: &Found<'_, R>, bytes: &'b [u8]) -> Body<'b> {
    Body { crc32: Some(found.coded.crc32), ..Body::bytes(bytes, preamble_size(found)) }
}

/// Where the elements begin, or 0 for what is no array, or one that cannot be read: it is moved all the same.
fn preamble_size<R: Source>(found: &Found<'_, R>) -> u64 {
    found.header().map_or(0, |header| header.preamble_size() as u64)
}

fn in_memory<'a, R>(found: &Found<'a, R>) -> Option<&'a [u8]> {
    match found.seen {
        Seen::All(bytes) if found.coded.method == method::STORED => Some(bytes),
        _ => None,
    }
}

/// Hands over the content, block by block.
pub(super) fn decode<R: Source>(found: &Found<'_, R>, verify: bool, put: Put<'_>) -> Result<()> {
    let mut content = found.content(verify)?;
    let mut block: Vec<u8> = buffer::zeroed(BLOCK.min(usize::try_from(content.left()).unwrap_or(usize::MAX)))?;
    while content.left() > 0 {
        let count = block.len().min(usize::try_from(content.left()).unwrap_or(usize::MAX));
        let block = &mut block[..count];
        content.read_exact(block)?;
        put(block)?;
    }
    content.finish()
}
