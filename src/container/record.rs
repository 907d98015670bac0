//! One record of the central directory (APPNOTE 4.3.12), the authority on its member.

use crate::bytes::Cursor;
use crate::error::{Error, ErrorKind, Result, UNNEEDED_ZIP64};
use crate::steps;

const SIGNATURE: [u8; 4] = *b"PK\x01\x02";
/// The fixed part of a record, in bytes.
pub(crate) const FIXED: usize = 46;
/// The fixed part of a local header, in bytes.
pub(crate) const LOCAL_FIXED: u64 = 30;
const ZIP64: u16 = 0x0001;

/// General purpose flag bits (APPNOTE 4.4.4).
pub(crate) mod flag {
    pub(crate) const ENCRYPTED: u16 = 1; // bit 0
    /// Bits 1 and 2, which each method reads in its own way.
    #[cfg(feature = "write")]
    pub(crate) const METHOD: u16 = 0b11 << 1;
    /// Of LZMA: its stream ends by a marker.
    #[cfg(feature = "methods")]
    pub(crate) const LZMA_MARKER: u16 = 1 << 1;
    pub(crate) const DESCRIPTOR: u16 = 1 << 3;
    pub(crate) const PATCHED: u16 = 1 << 5;
    pub(crate) const STRONG: u16 = 1 << 6;
    pub(crate) const UTF8: u16 = 1 << 11;
    pub(crate) const MASKED: u16 = 1 << 13;
}

/// The newest version that APPNOTE 4.4.3 knows, 6.3, which is NumPy's limit, too.
const VERSION: u8 = 63;

/// Compression methods (APPNOTE 4.4.5).
pub(crate) mod method {
    pub(crate) const STORED: u16 = 0;
    pub(crate) const DEFLATED: u16 = 8;
    pub(crate) const BZIP2: u16 = 12;
    pub(crate) const LZMA: u16 = 14;
    pub(crate) const ZSTD: u16 = 93;
}

/// A record as it stands: what it says is read where it lies, when it is asked for.
#[derive(Clone, Copy)]
pub(crate) struct RawRecord<'a> {
    fixed: &'a [u8; FIXED],
    pub(crate) name: &'a [u8],
    pub(crate) extra: &'a [u8],
}

impl<'a> RawRecord<'a> {
    /// The record at the start of `cursor`, which then stands behind it.
    #[inline]
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, &'static str> {
        let fixed = cursor.chunk::<FIXED>().ok_or("a record is cut off")?;
        let record = RawRecord { fixed, name: &[], extra: &[] };
        if record.field(0) != SIGNATURE {
            return Err("a record does not begin with its signature");
        }
        let length = |at| usize::from(u16::from_le_bytes(record.field(at)));
        let name = cursor.take(length(28)).ok_or("a name runs over the end")?;
        let extra = cursor.take(length(30)).ok_or("an extra field runs over the end")?;
        cursor.skip(length(32)).ok_or("a comment runs over the end")?;
        Ok(RawRecord { fixed, name, extra })
    }

    /// `N` bytes of the fixed part from byte `at` on, which is known when this is compiled.
    #[inline(always)]
    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        self.fixed.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
    }

    /// The version needed to extract. Of its two bytes, the upper one is the system that it is for, which readers pass over.
    fn version(&self) -> u8 {
        u8::from_le_bytes(self.field(6))
    }

    pub(crate) fn flags(&self) -> u16 {
        u16::from_le_bytes(self.field(8))
    }

    pub(crate) fn method(&self) -> u16 {
        u16::from_le_bytes(self.field(10))
    }

    pub(crate) fn crc32(&self) -> u32 {
        u32::from_le_bytes(self.field(16))
    }

    /// As it stands, like the two that follow: all ones where a zip64 extra field has the value.
    fn compressed_size(&self) -> u32 {
        u32::from_le_bytes(self.field(20))
    }

    fn size(&self) -> u32 {
        u32::from_le_bytes(self.field(24))
    }

    /// Of the local header, from the start of the archive.
    fn offset(&self) -> u32 {
        u32::from_le_bytes(self.field(42))
    }

    /// The number of the disk where the member begins.
    fn disk(&self) -> u16 {
        u16::from_le_bytes(self.field(34))
    }

    pub(crate) fn is_utf8(&self) -> bool {
        self.flags() & flag::UTF8 != 0
    }

    /// The sizes and the offset, 64 bits wide where a zip64 extra field says so, `base` added to the offset.
    #[inline]
    pub(crate) fn place(&self, base: u64) -> Result<Place> {
        let classic = [self.size(), self.compressed_size(), self.offset()];
        let [size, compressed_size, offset] = if self.extra.is_empty() && !classic.contains(&u32::MAX) {
            classic.map(u64::from)
        } else {
            self.widened(classic)?
        };
        let offset = offset.checked_add(base).ok_or_else(|| bad_zip64("an offset beyond 64 bits"))?;
        Ok(Place { offset, compressed_size, size })
    }

    /// Sizes and offset, each replaced by the zip64 extra field's if it is all ones.
    fn widened(&self, classic: [u32; 3]) -> Result<[u64; 3]> {
        let mut values = classic.map(u64::from);
        let wide = classic.contains(&u32::MAX);
        let Some(content) = self.zip64()? else {
            return if wide { Err(bad_zip64("missing, though a field refers to it")) } else { Ok(values) };
        };
        let mut field = Cursor::new(content);
        // In this order, each only if its classic field is all ones; or, where none is, what agrees.
        for (value, narrow) in values.iter_mut().zip(classic) {
            if narrow == u32::MAX {
                *value = field.u64().ok_or_else(|| bad_zip64("too short"))?;
            } else if !wide && field.rest().len() >= 8 && field.u64() != Some(*value) {
                return Err(bad_zip64(UNNEEDED_ZIP64));
            }
        }
        // The number of the disk may follow, and must where its field refers to it; every other byte would be another
        // reader's value.
        match field.rest() {
            [] if self.disk() == u16::MAX => Err(bad_zip64("too short")),
            [] | [0, 0, 0, 0] => Ok(values),
            _ => Err(bad_zip64("longer than the fields that refer to it")),
        }
    }

    /// Size and compressed size, for a listing: as they stand in the record where nothing better is known.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        match self.place(0) {
            Ok(place) => (place.size, place.compressed_size),
            Err(_) => (self.size().into(), self.compressed_size().into()),
        }
    }

    /// The one zip64 field among the well-formed extra fields. As in NumPy, up to 3 bytes after the last field
    /// are no field.
    fn zip64(&self) -> Result<Option<&'a [u8]>> {
        let mut found = None;
        let mut fields = Cursor::new(self.extra);
        while fields.rest().len() >= 4 {
            let mut field = || {
                let (id, length) = (fields.u16()?, fields.u16()?);
                Some((id, fields.take(length.into())?))
            };
            steps::add(1);
            let (id, content) = field().ok_or(ErrorKind::BadExtra)?;
            if id == ZIP64 && found.replace(content).is_some() {
                return Err(bad_zip64("there are two"));
            }
        }
        Ok(found)
    }

    /// What is wrong with the member by its record alone, but for its place.
    pub(crate) fn check(&self, place: Place) -> Result<()> {
        check_flags(self.flags())?;
        let version = self.version();
        if version > VERSION {
            return Err(ErrorKind::UnsupportedVersion { version }.into());
        }
        let disk = self.disk();
        // All ones refer to a zip64 field, as they do in `place`.
        if disk != 0 && (disk != u16::MAX || self.zip64()?.is_none()) {
            let (field, found) = ("disk of a member", disk.into());
            return Err(ErrorKind::MultiDisk { field, found }.into());
        }
        let Place { compressed_size, size, .. } = place;
        if self.method() == method::STORED && compressed_size != size {
            let compressed = compressed_size;
            return Err(ErrorKind::StoredSizes { compressed, size }.into());
        }
        Ok(())
    }
}

/// Refuses what flag bits 0, 5, 6 and 13 announce, in a directory record or a local header.
pub(crate) fn check_flags(flags: u16) -> Result<()> {
    if flags & (flag::ENCRYPTED | flag::STRONG | flag::MASKED) != 0 {
        return Err(ErrorKind::Encrypted { flags }.into());
    }
    if flags & flag::PATCHED != 0 {
        return Err(ErrorKind::UnsupportedFlags { flags }.into());
    }
    Ok(())
}

fn bad_zip64(problem: &'static str) -> Error {
    ErrorKind::BadZip64Extra { problem }.into()
}

/// Where a member lies and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its local header, from the start of the file.
    pub(crate) offset: u64,
    pub(crate) compressed_size: u64,
    pub(crate) size: u64,
}

impl Place {
    /// The first byte that cannot belong to the member: its local extra field is not known yet.
    pub(crate) fn least_end(&self, name_length: usize) -> u64 {
        let name_length = u64::try_from(name_length).unwrap_or(u64::MAX);
        self.offset.saturating_add(LOCAL_FIXED).saturating_add(name_length).saturating_add(self.compressed_size)
    }
}
