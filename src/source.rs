//! Where bytes come from: memory, a file that is read by position, or an implementation of the user's own.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{Error, ErrorKind, Result};

/// Provides the bytes of an archive or a `.npy` file: their number, reads by position, and the bytes themselves where they
/// are in memory.
///
/// Implemented for `[u8]`, `[u8; N]`, `Vec<u8>`, [`ReadAt`], [`Mapping`](crate::Mapping), and for `&T`, `Box<T>` and
/// [`Arc<T>`](Arc) of every source, `Box<dyn Source>` included. Storage of your own implements two methods. Reading takes
/// `&self`, so several threads can use one source at once.
///
/// An implementation may return any bytes, and different ones on every call. Arrays may then be wrong; memory safety does
/// not depend on it.
///
/// # Examples
///
/// ```
/// use npzmap::{Npz, Source};
/// use std::io;
///
/// /// An archive in two pieces.
/// struct Halves(Vec<u8>, Vec<u8>);
///
/// impl Source for Halves {
///     fn size(&self) -> u64 {
///         (self.0.len() + self.1.len()) as u64
///     }
///     fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
///         let all = self.0.iter().chain(&self.1).skip(offset as usize);
///         let mut read = 0;
///         buf.iter_mut().zip(all).for_each(|(to, from)| {
///             *to = *from;
///             read += 1;
///         });
///         if read == buf.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
///     }
/// }
///
/// let mut first = std::fs::read("tests/data/model-batch-stored.npz")?;
/// let second = first.split_off(100);
/// let npz = Npz::new(Halves(first, second))?;
/// assert_eq!(npz.read::<i64, ndarray::Ix1>("labels")?.to_vec(), [0, 1, 1]);
/// # Ok::<(), npzmap::Error>(())
/// ```
//
// `size`, not `len`, which would shadow the slices' own `len` wherever the trait is imported.
pub trait Source: Send + Sync {
    /// Returns the number of bytes.
    ///
    /// ```
    /// use npzmap::Source;
    ///
    /// assert_eq!(vec![0_u8; 22].size(), 22);
    /// ```
    fn size(&self) -> u64;

    /// Fills `buf` with the bytes from `offset` on. A read that fails with
    /// [`Interrupted`](io::ErrorKind::Interrupted) is repeated.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if there are fewer than `buf.len()` bytes from `offset` on.
    ///
    /// ```
    /// use npzmap::Source;
    ///
    /// let bytes = [1_u8, 2, 3, 4];
    /// let mut two = [0; 2];
    /// bytes.read_exact_at(1, &mut two)?;
    /// assert_eq!(two, [2, 3]);
    /// assert!(bytes.read_exact_at(3, &mut two).is_err()); // there is only one
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Returns all of the bytes, if they are in memory. Arrays can then borrow from them.
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::{ReadAt, Source};
    ///
    /// let file = ReadAt::new(File::open("tests/data/model-batch.npz")?)?;
    /// assert_eq!(file.as_slice(), None);
    /// assert_eq!(Source::as_slice(b"PK"), Some(&b"PK"[..]));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn as_slice(&self) -> Option<&[u8]> {
        None
    }

    /// Fills several buffers, each with the bytes from its offset on. The default reads one after the other; storage that
    /// is far away can ask for all of them at once.
    ///
    /// # Errors
    ///
    /// As [`read_exact_at`](Source::read_exact_at), for any of the ranges.
    ///
    /// ```
    /// use npzmap::Source;
    ///
    /// let (mut one, mut two) = ([0; 1], [0; 2]);
    /// b"archive".read_ranges(&mut [(0, &mut one[..]), (3, &mut two[..])])?;
    /// assert_eq!((&one, &two), (b"a", b"hi"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn read_ranges(&self, ranges: &mut [(u64, &mut [u8])]) -> io::Result<()> {
        ranges.iter_mut().try_for_each(|(offset, buf)| read_retrying(self, *offset, buf))
    }

    /// Returns the largest number of bytes between two ranges that is worth reading along with them, in place of a second
    /// read: 4 KiB by default, which suits a file. An object store wants about 1 MiB.
    ///
    /// ```
    /// use npzmap::Source;
    ///
    /// assert_eq!(b"PK".gap(), 4096);
    /// ```
    fn gap(&self) -> u64 {
        4096
    }

    /// Announces ranges that will be read soon, so that the source can start to fetch them. It need not do anything, and
    /// the announced bytes need not be read.
    ///
    /// ```
    /// use npzmap::Source;
    ///
    /// b"archive".will_read(&[0..2]); // in memory already
    /// ```
    fn will_read(&self, _ranges: &[Range<u64>]) {}

    /// Returns the name of the bytes, a path or a URL, which errors give if the archive was not opened by path.
    ///
    /// ```
    /// use npzmap::Source;
    ///
    /// assert_eq!(b"PK".name(), None);
    /// ```
    fn name(&self) -> Option<&str> {
        None
    }
}

impl Source for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let found = usize::try_from(offset).ok().and_then(|start| self.get(start..)?.get(..buf.len()));
        buf.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self)
    }
}

/// Sources that are what they hold.
macro_rules! forward {
    ($(($($generics:tt)*) $type:ty => |$source:ident| $inner:expr;)*) => {$(
        impl<$($generics)*> Source for $type {
            fn size(&self) -> u64 {
                let $source = self;
                Source::size($inner)
            }

            fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
                let $source = self;
                Source::read_exact_at($inner, offset, buf)
            }

            fn as_slice(&self) -> Option<&[u8]> {
                let $source = self;
                Source::as_slice($inner)
            }

            fn read_ranges(&self, ranges: &mut [(u64, &mut [u8])]) -> io::Result<()> {
                let $source = self;
                Source::read_ranges($inner, ranges)
            }

            fn gap(&self) -> u64 {
                let $source = self;
                Source::gap($inner)
            }

            fn will_read(&self, ranges: &[Range<u64>]) {
                let $source = self;
                Source::will_read($inner, ranges);
            }

            fn name(&self) -> Option<&str> {
                let $source = self;
                Source::name($inner)
            }
        }
    )*};
}

forward! {
    () Vec<u8> => |source| source.as_slice();
    (const N: usize) [u8; N] => |source| source.as_slice();
    (S: Source + ?Sized) &S => |source| &**source;
    (S: Source + ?Sized) Box<S> => |source| &**source;
    (S: Source + ?Sized) Arc<S> => |source| &**source;
}

/// A file that is read by position: no shared cursor, so that threads do not disturb each other.
///
/// This is the source of [`Npz::open`](crate::Npz::open). Bytes are read when they are asked for; if another
/// process changes the file meanwhile, checks fail or values differ, and nothing worse.
///
/// ```
/// use std::fs::File;
/// use npzmap::{Npz, ReadAt};
///
/// let npz: Npz<ReadAt> = Npz::open("tests/data/model-batch.npz")?;
/// let same = Npz::new(ReadAt::new(File::open("tests/data/model-batch.npz")?)?)?;
/// assert_eq!(npz.read_any("sample_ids")?, same.read_any("sample_ids")?);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Debug)]
pub struct ReadAt {
    file: File,
    identity: Identity,
}

impl ReadAt {
    /// Takes a file that was opened for reading.
    ///
    /// # Errors
    ///
    /// [`NotRegularFile`](ErrorKind::NotRegularFile) for directories, FIFOs and devices, and what the system says.
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::{ErrorKind, ReadAt, Source};
    ///
    /// let source = ReadAt::new(File::open("tests/data/plain.npy")?)?;
    /// assert_eq!(source.size(), 176);
    /// # #[cfg(unix)] {
    /// let error = ReadAt::new(File::open("tests/data")?).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::NotRegularFile { found: "a directory" }));
    /// # }
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn new(file: File) -> Result<Self> {
        let identity = Identity::of(&file.metadata()?)?;
        Ok(ReadAt { file, identity })
    }
}

/// A [`Source`] that is a file: [`ReadAt`], and `Mapping` with the feature `mmap`.
///
/// ```
/// use npzmap::{FileSource, Npz};
/// use ndarray::Ix1;
///
/// /// Labels of a file that was not written to before they were read, nor meanwhile.
/// fn labels<S: FileSource>(npz: &Npz<S>) -> npzmap::Result<Vec<i64>> {
///     let labels = npz.read::<i64, Ix1>("labels")?;
///     npz.check_unchanged()?;
///     Ok(labels.to_vec())
/// }
///
/// assert_eq!(labels(&Npz::open("tests/data/model-batch.npz")?)?, [0, 1, 1]);
/// # Ok::<(), npzmap::Error>(())
/// ```
pub trait FileSource: Source + sealed::Sealed {
    /// The file.
    ///
    /// ```
    /// use npzmap::{FileSource, Npz};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let metadata = npz.source().file().metadata()?;
    /// assert!(metadata.is_file() && metadata.len() > 0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn file(&self) -> &File;

    /// Whether the file is still the one that was opened: device, inode, length and time of modification.
    ///
    /// # Errors
    ///
    /// [`FileChanged`](ErrorKind::FileChanged) says what differs.
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::{ErrorKind, FileSource, ReadAt};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("batch.npz");
    /// std::fs::copy("tests/data/model-batch.npz", &path)?;
    /// let source = ReadAt::new(File::open(&path)?)?;
    /// source.check_unchanged()?;
    /// std::fs::write(&path, b"something else")?;
    /// let error = source.check_unchanged().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::FileChanged { what: "length" }));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn check_unchanged(&self) -> Result<()> {
        self.identity().check(&self.file().metadata()?)
    }

    #[doc(hidden)]
    fn identity(&self) -> &Identity;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for ReadAt {}

impl FileSource for ReadAt {
    fn file(&self) -> &File {
        &self.file
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// What tells a file, and a state of it, from another one.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Identity {
    device_and_inode: (u64, u64),
    size: u64,
    modified: Option<SystemTime>,
}

impl Identity {
    /// Of a regular file.
    pub(crate) fn of(metadata: &fs::Metadata) -> Result<Self> {
        let size = regular(metadata)?;
        #[cfg(unix)]
        let device_and_inode = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let device_and_inode = (0, 0);
        Ok(Identity { device_and_inode, size, modified: metadata.modified().ok() })
    }

    #[cfg(feature = "mmap")]
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn check(&self, metadata: &fs::Metadata) -> Result<()> {
        let now = Identity::of(metadata)?;
        let what = if now.device_and_inode != self.device_and_inode {
            "device or inode"
        } else if now.size != self.size {
            "length"
        } else if now.modified != self.modified {
            "time of modification"
        } else {
            return Ok(());
        };
        Err(ErrorKind::FileChanged { what }.into())
    }
}

/// Reads, and reads again if that was interrupted.
fn read_retrying<S: Source + ?Sized>(source: &S, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    loop {
        match source.read_exact_at(offset, buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Reads from a source. An error has the offset from which it was read.
pub(crate) fn read_at<S: Source + ?Sized>(source: &S, offset: u64, buf: &mut [u8]) -> Result<()> {
    read_retrying(source, offset, buf).map_err(|error| Error::from(error).at(offset))
}

impl Source for ReadAt {
    fn size(&self) -> u64 {
        self.identity.size
    }

    #[cfg(unix)]
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buf, offset)
    }

    #[cfg(windows)]
    fn read_exact_at(&self, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.file, buf, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    buf = buf.get_mut(count..).unwrap_or_default();
                    offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Opens a regular file for reading. It is looked at first: opening a FIFO would wait for a writer, and opening a device may do
/// something. Where the system can, nothing is waited for that takes its place in between; the same look at what was opened is
/// its reader's.
pub(crate) fn open_regular(path: &Path) -> Result<File> {
    regular(&fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    Ok(options.open(path)?)
}

/// The length of a regular file.
pub(crate) fn regular(metadata: &fs::Metadata) -> Result<u64> {
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    let found = if metadata.is_dir() { "a directory" } else { "a FIFO, socket or device" };
    Err(ErrorKind::NotRegularFile { found }.into())
}
