//! One member: its local header, its data, its record; with everything that is only known at the end.

use super::NpzWriter;
use super::body::Body;
use super::options::Coding;
use super::sink::Sink;
use crate::container::record::method;
use crate::container::write::{Local, NAME, Sizes};
use crate::context::SUFFIX;
use crate::error::{DIRECTORY_BYTES, Error, ErrorKind, Result};

/// Up to this size a member is compressed in memory: its sizes are then known before its header is written.
pub(super) const IN_MEMORY: u64 = 64 << 20;

/// What is known of a member before its header is written.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) method: u16,
    /// General purpose flags of the method, from another archive.
    pub(super) flags: u16,
    pub(super) known: Option<Sizes>,
    /// The most bytes that it can have, compressed or not.
    pub(super) largest: u64,
    /// Where in the content lies what is aligned, if something is.
    pub(super) inside: Option<u64>,
}

impl Plan {
    fn deflated(size: u64) -> Self {
        let (method, largest) = (method::DEFLATED, most_deflated(size));
        Plan { method, flags: 0, known: None, largest, inside: None }
    }
}

/// The largest central directory that the reader takes.
const DIRECTORY_LIMIT: u64 = (u32::MAX >> 1) as u64;

const HIDDEN: &str = "is the name of another member, which readers would find instead";
const HIDES: &str = "and '.npy' is the name of another member, which this one would hide";

/// A member that was begun.
pub(super) struct Begun {
    pub(super) local: Local,
    /// The header has them already.
    known: Option<Sizes>,
}

impl<S: Sink> NpzWriter<S> {
    /// Refuses a name that no reader would find again, before a byte is written.
    pub(super) fn check_name(&self, name: &str) -> Result<()> {
        if self.broken {
            return Err(ErrorKind::Unfinished.into());
        }
        let bad = |problem| Err(ErrorKind::BadKey { problem }.into());
        if name.contains('\0') {
            return bad("contains NUL, where NumPy would cut it");
        }
        if name.len() > NAME {
            return bad("is longer than 65,535 bytes, the suffix '.npy' included");
        }
        if self.directory.contains(name) {
            return bad("is in the archive already");
        }
        let (found, limit) = (self.directory.size_with(name), DIRECTORY_LIMIT);
        if found > limit {
            let what = DIRECTORY_BYTES; // which the reader has
            return Err(ErrorKind::LimitExceeded { what, found, limit }.into());
        }
        Ok(())
    }

    /// Checks the name of a member that is written under a key, as [`check_name`](NpzWriter::check_name). Also refuses
    /// every pair of names of which one is the other with `.npy`. Readers look for a key as a name first, and then with
    /// `.npy`: beside `x.npy`, which the key `x` made, the key `x.npy` would not find its own `x.npy.npy`.
    pub(super) fn check_key(&self, key: &str, name: &str) -> Result<()> {
        self.check_name(name)?;
        let is_there = |name: &str| self.directory.contains(name) || self.directory.has_old(name);
        let replaces = self.directory.has_old(name);
        if let Some(plain) = name.strip_suffix(SUFFIX)
            && is_there(plain)
            // One that replaces another under its whole name is found by it, as that was.
            && (key != name || !replaces)
        {
            return Err(ErrorKind::BadKey { problem: HIDDEN }.into());
        }
        // One that replaces another hides nothing that was not hidden before.
        if !replaces && is_there(&[name, SUFFIX].concat()) {
            return Err(ErrorKind::BadKey { problem: HIDES }.into());
        }
        Ok(())
    }

    /// Checks the name of a member that is copied, as [`check_key`](NpzWriter::check_key). What its own archive hides may
    /// be hidden here: `in_archive` says which names that has. But a copy never hides what was added under a key.
    pub(super) fn check_copy(&self, name: &str, in_archive: impl Fn(&str) -> bool) -> Result<()> {
        self.check_name(name)?;
        let is_there = |name: &str| self.directory.contains(name) || self.directory.has_old(name);
        if let Some(plain) = name.strip_suffix(SUFFIX)
            && is_there(plain)
            && !in_archive(plain)
        {
            return Err(ErrorKind::BadKey { problem: HIDDEN }.into());
        }
        let longer = [name, SUFFIX].concat();
        let hidden_before = self.directory.has_old(name) || (in_archive(&longer) && self.directory.has_copied(&longer));
        if is_there(&longer) && !hidden_before {
            return Err(ErrorKind::BadKey { problem: HIDES }.into());
        }
        Ok(())
    }

    /// Goes back to where a member was begun, if the sink can: then it is as if it had not been.
    pub(super) fn abandon(&mut self, start: u64) {
        if self.broken && self.output.sink().seeks() && self.output.rewind(start).is_ok() {
            self.broken = false;
        }
    }

    /// Writes a member whose name was checked.
    pub(super) fn write(&mut self, name: &str, body: &Body<'_>, coding: Coding) -> Result<()> {
        match coding.check()? {
            Coding::Store => self.store(name, body),
            Coding::Deflate { level, if_smaller } if body.size() <= IN_MEMORY => {
                match deflate_in_memory(body, level, if_smaller)? {
                    Some((data, sizes)) => self.write_deflated(name, &data, sizes),
                    None => self.store(name, body),
                }
            }
            Coding::Deflate { level, if_smaller: true } if !self.output.sink().seeks() => {
                let smaller = body.deflate(level, true, &mut |_| Ok(()))?.is_some();
                if smaller { self.deflate(name, body, level, false) } else { self.store(name, body) }
            }
            Coding::Deflate { level, if_smaller } => self.deflate(name, body, level, if_smaller),
        }
    }

    pub(super) fn store(&mut self, name: &str, body: &Body<'_>) -> Result<()> {
        let size = body.size();
        let known = body.checksum().map(|crc32| Sizes { crc32, compressed_size: size, size });
        let plan = Plan { method: method::STORED, flags: 0, known, largest: size, inside: Some(body.inside) };
        let begun = self.begin(name, plan)?;
        let output = &mut self.output;
        output.write(&body.preamble)?;
        let crc32 = match known {
            Some(sizes) => {
                body.rest(&mut |block| output.write(block))?;
                sizes.crc32
            }
            None => {
                let mut crc = crc32fast::Hasher::new();
                crc.update(&body.preamble);
                body.rest(&mut |block| {
                    crc.update(block);
                    output.write(block)
                })?;
                crc.finalize()
            }
        };
        self.end(begun, Sizes { crc32, compressed_size: size, size })
    }

    /// Writes what was compressed before; what is too large to be compressed in memory one by one gets the header that it
    /// would have got then.
    pub(super) fn write_deflated(&mut self, name: &str, data: &[u8], sizes: Sizes) -> Result<()> {
        let mut plan = Plan::deflated(sizes.size);
        if sizes.size <= IN_MEMORY {
            plan.known = Some(sizes);
        }
        let begun = self.begin(name, plan)?;
        self.output.write(data)?;
        self.end(begun, sizes)
    }

    /// Compresses straight into the sink. Where that makes it no smaller, goes back and stores it over what was written,
    /// which was no longer.
    fn deflate(&mut self, name: &str, body: &Body<'_>, level: u32, if_smaller: bool) -> Result<()> {
        let start = self.output.position();
        let begun = self.begin(name, Plan::deflated(body.size()))?;
        let output = &mut self.output;
        match body.deflate(level, if_smaller, &mut |block| output.write(block))? {
            Some((compressed_size, crc32)) => self.end(begun, Sizes { crc32, compressed_size, size: body.size() }),
            None => {
                self.output.rewind(start)?;
                self.broken = false;
                self.store(name, body)
            }
        }
    }

    /// Writes the local header.
    pub(super) fn begin(&mut self, name: &str, plan: Plan) -> Result<Begun> {
        let Plan { method, flags, known, largest, inside } = plan;
        let offset = self.output.position();
        let descriptor = known.is_none() && !self.output.sink().seeks();
        let mut local = Local::new(name, method, offset, largest, descriptor).with_bits(flags);
        if let Some(inside) = inside {
            local = local.align(self.alignment, inside);
            let payload = local.content().saturating_add(inside);
            if !payload.is_multiple_of(self.alignment) {
                let (offset, alignment) = (payload, self.alignment);
                return Err(ErrorKind::NotAligned { offset, alignment }.into());
            }
            // Where the sink really is, not only where it should be.
            self.output.check()?;
        }
        // From here on something is written that must be completed.
        self.broken = true;
        self.output.write(&local.to_bytes(known.unwrap_or_default()))?;
        debug_assert_eq!(self.output.position(), local.content());
        Ok(Begun { local, known })
    }

    /// Fills in what was not known when the member was begun, and adds its record to the directory.
    pub(super) fn end(&mut self, begun: Begun, sizes: Sizes) -> Result<()> {
        let Begun { local, known } = begun;
        if local.method == method::STORED && sizes.compressed_size != sizes.size {
            let (found, expected) = (sizes.compressed_size, sizes.size);
            return Err(ErrorKind::PayloadLength { found, expected }.into());
        }
        if local.descriptor {
            self.output.write(&Local::descriptor(sizes))?;
        } else if known.is_none() {
            self.output.patch(local.offset, &local.to_bytes(sizes))?;
        }
        self.directory.add(&local, sizes);
        self.broken = false;
        Ok(())
    }

    /// An error about a member, with its key and the file.
    pub(super) fn about(&self, key: &str, error: Error) -> Error {
        error.in_member(key.into()).in_file(self.output.sink().path())
    }
}

/// Compresses a member; nothing if it would not be smaller, where that is asked for.
pub(super) fn deflate_in_memory(body: &Body<'_>, level: u32, if_smaller: bool) -> Result<Option<(Vec<u8>, Sizes)>> {
    #[cfg(feature = "libdeflate")]
    if body.size() <= IN_MEMORY {
        let deflated = super::whole::deflate(body, level, if_smaller)?;
        return Ok(deflated.map(|(data, crc32)| {
            let sizes = Sizes { crc32, compressed_size: data.len() as u64, size: body.size() };
            (data, sizes)
        }));
    }
    let mut data = Vec::new();
    let deflated = body.deflate(level, if_smaller, &mut |block| {
        data.try_reserve(block.len()).map_err(|_| ErrorKind::OutOfMemory { bytes: block.len() as u64 })?;
        data.extend(block);
        Ok(())
    })?;
    Ok(deflated.map(|(compressed_size, crc32)| (data, Sizes { crc32, compressed_size, size: body.size() })))
}

/// What deflate makes of random bytes at worst, with a margin: five bytes for each block of 16 KiB or less.
pub(super) fn most_deflated(size: u64) -> u64 {
    size.saturating_add(size >> 8).saturating_add(1 << 20)
}
