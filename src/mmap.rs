//! The file map. Everything that is unsafe about maps is in this file, and in the contract of [`Npz::map`](crate::Npz::map).
#![expect(unsafe_code, reason = "a map of a file is only as constant as the file")]

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};

use memmap2::{Mmap, MmapOptions};

use crate::error::{ErrorKind, Result};
use crate::source::{FileSource, Identity, Source, sealed};

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
/// assert_eq!(npz.array("labels")?.bytes()?[8], 1);
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

    /// Maps a file that the kernel guarantees to stay as it is: a memfd sealed against writing and shrinking, or a file
    /// under fs-verity.
    ///
    /// A file system in user space (FUSE) cannot pass for one. Both guarantees are asked of the kernel by calls that no
    /// file system in user space answers.
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
        if !immutable::guaranteed(&file) {
            return Err(ErrorKind::NotImmutable.into());
        }
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

/// What memmap2's own check lacks: it takes any 0 from the ioctl `FS_IOC_MEASURE_VERITY` for fs-verity, and a FUSE server
/// answers ioctls itself. See docs/memmap2-report.md.
#[cfg(target_os = "linux")]
mod immutable {
    use std::fs::File;

    use rustix::fs::{AtFlags, SealFlags, StatxAttributes, StatxFlags, fcntl_get_seals, statx};

    /// Whether the kernel itself guarantees that the file stays as it is.
    pub(super) fn guaranteed(file: &File) -> bool {
        let status = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::empty()).ok();
        decide(fcntl_get_seals(file).ok(), status.map(|status| (status.stx_attributes, status.stx_attributes_mask)))
    }

    /// Decides by the two answers; `None` is a call that failed.
    ///
    /// - `F_GET_SEALS` is answered by the kernel for files of tmpfs and hugetlbfs, and fails with `EINVAL` for all others.
    /// - `STATX_ATTR_VERITY` is set by the kernel's own file systems that have fs-verity (ext4, f2fs, Btrfs). FUSE has the
    ///   fields `attributes` and `attributes_mask` in its answer to `FUSE_STATX`, but the kernel copies neither: it takes
    ///   the time of birth from there, and what `stat` has (`fuse_do_statx` in fs/fuse/dir.c, seen with Linux 6.18).
    fn decide(seals: Option<SealFlags>, attributes: Option<(StatxAttributes, StatxAttributes)>) -> bool {
        match (seals, attributes) {
            (Some(seals), _) => seals.contains(SealFlags::SHRINK | SealFlags::WRITE),
            (None, Some((set, known))) => (set & known).contains(StatxAttributes::VERITY),
            (None, None) => false,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const NONE: StatxAttributes = StatxAttributes::empty();

        #[test]
        fn seals_count_only_together() {
            let both = SealFlags::SHRINK | SealFlags::WRITE;
            assert!(decide(Some(both), None));
            assert!(decide(Some(both | SealFlags::GROW), Some((NONE, NONE))));
            for seals in [SealFlags::empty(), SealFlags::SHRINK, SealFlags::WRITE, SealFlags::GROW, SealFlags::SEAL] {
                assert!(!decide(Some(seals), None), "{seals:?}");
                // A file that can be sealed has no fs-verity, whatever is said.
                assert!(!decide(Some(seals), Some((StatxAttributes::VERITY, StatxAttributes::VERITY))), "{seals:?}");
            }
        }

        #[test]
        fn verity_counts_only_where_the_file_system_knows_it() {
            let verity = StatxAttributes::VERITY;
            assert!(decide(None, Some((verity, verity))));
            assert!(!decide(None, Some((verity, NONE))));
            assert!(!decide(None, Some((NONE, verity))));
            assert!(!decide(None, Some((StatxAttributes::IMMUTABLE, StatxAttributes::IMMUTABLE))));
            assert!(!decide(None, None));
        }
    }
}

/// FreeBSD has no fs-verity: memmap2 asks for seals alone. Android has it, and is not tested here. Other systems guarantee
/// nothing, which memmap2 says.
#[cfg(not(target_os = "linux"))]
mod immutable {
    pub(super) fn guaranteed(_: &std::fs::File) -> bool {
        cfg!(not(target_os = "android"))
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
