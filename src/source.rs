//! Where bytes come from: a slice in memory, or a file that is read by position.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use crate::error::{Error, ErrorKind, Result};

/// The bytes of an archive: their number, a positioned read, and the slice itself where there is one.
///
/// Everything that is `AsRef<[u8]>` is a source: `Vec<u8>`, `&[u8]`, `Arc<[u8]>`, `bytes::Bytes`. A user's own
/// storage implements three methods. Reading takes `&self`, so one source serves many threads.
///
/// An implementation may return whatever it likes, also other bytes on every call: arrays may then be wrong,
/// memory safety is not touched.
///
/// # Examples
///
/// ```
/// use npzmap::{Npz, Source};
/// use std::io;
///
/// /// Two halves of an archive.
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
// `size`, not `len`: the blanket implementation would shadow the slices' own `len` wherever the trait is imported.
pub trait Source {
    /// The number of bytes.
    ///
    /// ```
    /// use npzmap::Source;
    ///
    /// assert_eq!(vec![0; 22].size(), 22); // of everything that is AsRef<[u8]>
    /// ```
    fn size(&self) -> u64;

    /// Fills `buf` with the bytes from `offset` on. Where it fails because it was interrupted (`Interrupted`), it is asked
    /// again.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` when there are fewer than `buf.len()`.
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

    /// All of the bytes, if they lie in memory.
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::{ReadAt, Source};
    ///
    /// let file = ReadAt::new(File::open("tests/data/model-batch.npz")?)?;
    /// assert_eq!(file.as_slice(), None);
    /// assert_eq!(Source::as_slice("PK"), Some(&b"PK"[..]));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn as_slice(&self) -> Option<&[u8]> {
        None
    }

    /// This source, if several threads may read it at once: one large array is then split over them (feature `rayon`).
    ///
    /// ```
    /// use std::io;
    /// use npzmap::{Npz, Source};
    ///
    /// struct Mine(Vec<u8>);
    ///
    /// impl Source for Mine {
    ///     fn size(&self) -> u64 {
    ///         self.0.size()
    ///     }
    ///
    ///     fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    ///         self.0.read_exact_at(offset, buf)
    ///     }
    ///
    ///     fn as_sync(&self) -> Option<&(dyn Source + Sync)> {
    ///         Some(self)
    ///     }
    /// }
    ///
    /// let npz = Npz::new(Mine(std::fs::read("tests/data/model-batch.npz")?))?;
    /// npz.verify()?;
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    fn as_sync(&self) -> Option<&(dyn Source + Sync)> {
        None
    }

    // All bytes of `range` of the slice are about to be read.
    #[doc(hidden)]
    fn will_read(&self, _range: Range<u64>) {}

    // The file whose bytes these are, for copies within the system.
    #[doc(hidden)]
    fn as_file(&self) -> Option<&File> {
        None
    }
}

impl<B: AsRef<[u8]> + ?Sized> Source for B {
    fn size(&self) -> u64 {
        self.as_ref().len() as u64
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let found = usize::try_from(offset).ok().and_then(|start| self.as_ref().get(start..)?.get(..buf.len()));
        buf.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self.as_ref())
    }
}

/// A [`Source`] whose [`as_slice`](Source::as_slice) is always there, so that arrays can borrow from it.
///
/// Everything that is `AsRef<[u8]>` is one.
///
/// ```
/// use npzmap::{InMemory, Npz, Result, Unaligned};
/// use ndarray::Ix2;
///
/// /// The sum of the features, without a copy, wherever the bytes lie in memory.
/// fn total<S: InMemory>(npz: &Npz<S>) -> Result<f32> {
///     Ok(npz.view::<Unaligned<f32>, Ix2>("features")?.sum().get())
/// }
///
/// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
/// assert_eq!(total(&npz)?, 66.0);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "arrays cannot borrow from `{Self}`, whose bytes do not lie in memory",
    note = "use get or read, or open with Npz::map"
)]
pub trait InMemory: Source {}

impl<B: AsRef<[u8]> + ?Sized> InMemory for B {}

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
/// assert_eq!(npz.strings("sample_ids")?, same.strings("sample_ids")?);
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

/// Reads from a source, whatever interrupts it. An error says from where was read.
pub(crate) fn read_at<S: Source + ?Sized>(source: &S, offset: u64, buf: &mut [u8]) -> Result<()> {
    loop {
        match source.read_exact_at(offset, buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome.map_err(|error| Error::from(error).at(offset)),
        }
    }
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

    fn as_sync(&self) -> Option<&(dyn Source + Sync)> {
        Some(self)
    }

    fn as_file(&self) -> Option<&File> {
        Some(&self.file)
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
