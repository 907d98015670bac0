//! The file map. Everything that is unsafe about maps is in this file, and in the contract of [`Npz::map`](crate::Npz::map).
#![expect(unsafe_code, reason = "a map of a file is only as constant as the file")]

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::{Mmap, MmapOptions};

use crate::error::{ErrorKind, Result};
use crate::source::{InMemory, Source, regular};

/// A read-only map of a file, which begins on a page: what [`Npz::map`](crate::Npz::map) borrows from.
#[derive(Debug)]
pub struct Mapping {
    map: Mmap,
    file: File,
}

impl Mapping {
    /// Maps a file that was opened for reading.
    ///
    /// # Safety
    ///
    /// While the map lives, nobody may change the file or make it shorter, in this process or another. The compiler
    /// takes the bytes behind a `&[f32]` for constant; if they change, the program's behaviour is undefined, and
    /// where the file has been cut off, reading kills the process with SIGBUS. `np.savez` cuts off the file that it
    /// overwrites; writing to a temporary file and renaming it, as [`std::fs::rename`] does, harms no map.
    ///
    /// # Errors
    ///
    /// [`NotRegularFile`](ErrorKind::NotRegularFile), and what the system says.
    pub unsafe fn map(file: File) -> Result<Self> {
        regular(&file.metadata()?)?;
        // SAFETY: that the file stays as it is while the map lives is what this function asks of its caller.
        let map = unsafe { MmapOptions::new().map(&file) }?;
        Ok(Mapping { map, file })
    }

    /// Maps a file that the kernel guarantees to stay as it is: a sealed memfd, or a file under fs-verity.
    ///
    /// # Errors
    ///
    /// [`NotImmutable`](ErrorKind::NotImmutable) for every other file, and on systems without such a guarantee.
    pub fn map_if_safe(file: File) -> Result<Self> {
        regular(&file.metadata()?)?;
        match MmapOptions::new().map_if_safe(&file) {
            Ok(map) => Ok(Mapping { map, file }),
            Err(error) if error.not_supported() || error.not_safe() => Err(ErrorKind::NotImmutable.into()),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// The file behind the map.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

// Not `AsRef<[u8]>`, whose blanket implementation would read through the map: a first touch of cold pages reads
// ahead far more than the few bytes that opening needs.
impl Source for Mapping {
    fn size(&self) -> u64 {
        self.map.len() as u64
    }

    #[cfg(unix)]
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buf, offset)
    }

    #[cfg(not(unix))]
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        Source::read_exact_at(&**self, offset, buf)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(&self.map)
    }
}

impl InMemory for Mapping {}
