//! The file map. Everything that is unsafe about maps is in this file, and in the contract of [`Npz::map`](crate::Npz::map).
#![expect(unsafe_code, reason = "a map of a file is only as constant as the file")]

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};

use memmap2::{Mmap, MmapOptions};

use crate::error::{ErrorKind, Result};
use crate::source::{FileSource, Identity, InMemory, Source, sealed};

/// A read-only map of a file, which begins on a page: what [`Npz::map`](crate::Npz::map) borrows from.
///
/// ```
/// use std::fs::File;
/// use npzmap::{Mapping, Npz};
///
/// // SAFETY: nobody writes to the fixtures of this repository while they are read.
/// let mapping = unsafe { Mapping::map(File::open("tests/data/model-batch-aligned.npz")?)? };
/// assert!(mapping.starts_with(b"PK")); // it is its bytes
/// assert_eq!(Npz::new(mapping)?.len(), 3);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Debug)]
pub struct Mapping {
    map: Mmap,
    file: File,
    identity: Identity,
}

/// What the kernel is told about the use of a map; advice, never needed for right results.
///
/// ```
/// use npzmap::{Advice, Npz};
///
/// // SAFETY: nobody writes to the fixtures of this repository while they are read.
/// let npz = unsafe { Npz::map("tests/data/model-batch-aligned.npz")? };
/// npz.advise(Advice::Populate)?; // before the first request, not during it
/// assert_eq!(npz.payload("labels")?.bytes()[8], 1);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// No special use.
    Normal,
    /// Single elements here and there: no reading ahead.
    Random,
    /// Front to back: read ahead, and forget soon.
    Sequential,
    /// All of it, soon: begin to read it in.
    WillNeed,
    /// All of it, now: read it in and map its pages, so that no access faults. Linux 5.14 and newer; elsewhere as
    /// `WillNeed`.
    Populate,
}

impl Advice {
    #[cfg(unix)]
    fn system(self) -> memmap2::Advice {
        match self {
            Advice::Normal => memmap2::Advice::Normal,
            Advice::Random => memmap2::Advice::Random,
            Advice::Sequential => memmap2::Advice::Sequential,
            #[cfg(target_os = "linux")]
            Advice::Populate => memmap2::Advice::PopulateRead,
            _ => memmap2::Advice::WillNeed,
        }
    }
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
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::{Mapping, Npy};
    /// use ndarray::Ix2;
    ///
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let mapping = unsafe { Mapping::map(File::open("tests/data/plain.npy")?)? };
    /// assert_eq!(mapping.len(), 128 + 12 * 4);
    /// assert_eq!(Npy::new(mapping)?.view::<f32, Ix2>()?[(0, 2)], 1.5);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub unsafe fn map(file: File) -> Result<Self> {
        let identity = Identity::of(&file.metadata()?)?;
        // SAFETY: that the file stays as it is while the map lives is what this function asks of its caller.
        let map = unsafe { options(&identity).map(&file) }?;
        Ok(Mapping { map, file, identity })
    }

    /// Maps a file that the kernel guarantees to stay as it is: a sealed memfd, or a file under fs-verity.
    ///
    /// # Errors
    ///
    /// [`NotImmutable`](ErrorKind::NotImmutable) for every other file, and on systems without such a guarantee.
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::{ErrorKind, Mapping};
    ///
    /// let file = File::open("tests/data/plain.npy")?; // that anyone may write to
    /// assert!(matches!(Mapping::map_if_safe(file).unwrap_err().kind(), ErrorKind::NotImmutable));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn map_if_safe(file: File) -> Result<Self> {
        let identity = Identity::of(&file.metadata()?)?;
        match options(&identity).map_if_safe(&file) {
            Ok(map) => Ok(Mapping { map, file, identity }),
            Err(error) if error.not_supported() || error.not_safe() => Err(ErrorKind::NotImmutable.into()),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// Tells the kernel how the whole map will be used.
    ///
    /// # Errors
    ///
    /// What the system says; systems without such advice say nothing.
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::{Advice, Mapping, Npz};
    ///
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let mapping = unsafe { Mapping::map(File::open("tests/data/model-batch-stored.npz")?)? };
    /// mapping.advise(Advice::Sequential)?;
    /// Npz::new(mapping)?.verify()?; // front to back
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn advise(&self, advice: Advice) -> Result<()> {
        self.advise_range(advice, 0..self.map.len() as u64)
    }

    /// The same for a part of it.
    pub(crate) fn advise_range(&self, advice: Advice, range: Range<u64>) -> Result<()> {
        let end = range.end.min(self.map.len() as u64);
        let Some(length) = end.checked_sub(range.start).filter(|length| *length > 0) else {
            return Ok(());
        };
        #[cfg(unix)]
        {
            let [start, length] = [range.start, length].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
            match self.map.advise_range(advice.system(), start, length) {
                // An older kernel.
                Err(error) if advice == Advice::Populate && error.kind() == io::ErrorKind::InvalidInput => {
                    self.map.advise_range(memmap2::Advice::WillNeed, start, length)?;
                }
                outcome => outcome?,
            }
        }
        #[cfg(not(unix))]
        let _ = (advice, length);
        Ok(())
    }
}

/// The length is known: the file need not be asked again. Nothing can be mapped of an empty one, which is for the
/// system to say.
fn options(identity: &Identity) -> MmapOptions {
    let mut options = MmapOptions::new();
    if let Ok(size @ 1..) = usize::try_from(identity.size()) {
        options.len(size);
    }
    options
}

impl sealed::Sealed for Mapping {}

impl FileSource for Mapping {
    fn file(&self) -> &File {
        &self.file
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

// Reads go to the file and not through the map: a first touch of cold pages reads ahead far more than the few bytes that
// opening needs.
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

    // One request for pages that are not in memory yet, where each fault would wait for a few of them. A cold directory of
    // 100,000 members is read in 7 ms instead of 20; warm, it makes no difference.
    fn will_read(&self, ranges: &[Range<u64>]) {
        for range in ranges {
            let _ = self.advise_range(Advice::WillNeed, range.clone()); // the bytes are read without it, too
        }
    }
}

impl InMemory for Mapping {}
