//! The doors: from a path, a file or bytes to an archive or a plain file.

use std::fs::File;
use std::path::Path;

use crate::archive::{self, Archive};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
#[cfg(feature = "mmap")]
use crate::mmap::Mapping;
use crate::npz::Npz;
use crate::options::OpenOptions;
use crate::plain::Npy;
use crate::plan::Opening;
use crate::source::{ReadAt, Source, open_regular};

impl Npz<ReadAt> {
    /// Opens an archive to be read by position: safe whatever happens to the file, and arrays are owned.
    ///
    /// # Errors
    ///
    /// What the system says, [`NotRegularFile`](ErrorKind::NotRegularFile), and whatever keeps the directory from
    /// being read. A single bad member does not.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let features = npz.get::<f32, Ix2>("features")?;
    /// assert!(features.is_owned()); // nothing in memory to borrow from
    /// assert_eq!(features[(1, 1)], 5.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open(path)
    }

    /// The same for a file that is open already.
    ///
    /// # Errors
    ///
    /// As [`open`](Npz::open).
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open_file(File::open("tests/data/model-batch.npz")?)?;
    /// assert_eq!((npz.len(), npz.path()), (3, None)); // errors will name no path
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn open_file(file: File) -> Result<Self> {
        OpenOptions::new().open_file(file)
    }
}

#[cfg(feature = "mmap")]
impl Npz<Mapping> {
    /// Maps an archive: arrays borrow from the map, and a member costs the pages that are touched.
    ///
    /// # Safety
    ///
    /// While the archive is open, nobody may change the file or make it shorter, in this process or another. The
    /// compiler takes the bytes behind a view for constant: if they change, behaviour is undefined. Where the file
    /// has been cut off, reading kills the process with SIGBUS; `np.savez` cuts off a file that it overwrites.
    /// Files that are replaced by renaming another one over them are safe: the map keeps the old one.
    ///
    /// Where this cannot be promised, use [`open`](Npz::open), or [`map_if_safe`](Npz::map_if_safe).
    ///
    /// # Errors
    ///
    /// As [`open`](Npz::open).
    ///
    /// # Examples
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npz = unsafe { Npz::map("tests/data/model-batch-aligned.npz")? };
    /// let features = npz.view::<f32, Ix2>("features")?; // borrowed from the map
    /// assert_eq!(features[(1, 1)], 5.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[expect(unsafe_code, reason = "the contract of the map is passed on")]
    pub unsafe fn map(path: impl AsRef<Path>) -> Result<Self> {
        // SAFETY: asked of the caller in the same words.
        unsafe { OpenOptions::new().map(path) }
    }

    /// The same for a file that is open already.
    ///
    /// # Safety
    ///
    /// As [`map`](Npz::map).
    ///
    /// # Errors
    ///
    /// As [`open`](Npz::open).
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::{Npz, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// let file = File::open("tests/data/model-batch-stored.npz")?;
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npz = unsafe { Npz::map_file(file)? };
    /// let features = npz.view::<Unaligned<f32>, Ix2>("features")?;
    /// assert_eq!(features[(1, 1)], 5.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[expect(unsafe_code, reason = "the contract of the map is passed on")]
    pub unsafe fn map_file(file: File) -> Result<Self> {
        // SAFETY: asked of the caller in the same words.
        unsafe { OpenOptions::new().map_file(file) }
    }

    /// Maps an archive if the kernel guarantees that the file stays as it is: a sealed memfd, or a file under
    /// fs-verity. This needs no promise by the caller.
    ///
    /// # Errors
    ///
    /// [`NotImmutable`](ErrorKind::NotImmutable) for every other file; else as [`open`](Npz::open).
    ///
    /// ```
    /// use npzmap::{ErrorKind, Npz};
    ///
    /// let error = Npz::map_if_safe("tests/data/model-batch.npz").unwrap_err(); // an ordinary file
    /// assert!(matches!(error.kind(), ErrorKind::NotImmutable));
    /// let npz = Npz::open("tests/data/model-batch.npz")?; // safe with any file
    /// assert_eq!(npz.len(), 3);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn map_if_safe(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().map_if_safe(path)
    }

    /// The same for a file that is open already, which is how a memfd comes along.
    ///
    /// # Errors
    ///
    /// As [`map_if_safe`](Npz::map_if_safe).
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// # use std::fs::File;
    /// # use std::io::{self, Write};
    /// # use std::os::fd::{AsRawFd, FromRawFd};
    /// #
    /// # fn sealed_memfd(bytes: &[u8]) -> io::Result<File> {
    /// #     // SAFETY: the name ends with NUL; the descriptor was checked and belongs to nobody else.
    /// #     let mut file = unsafe {
    /// #         let descriptor = libc::memfd_create(c"npzmap".as_ptr(), libc::MFD_ALLOW_SEALING | libc::MFD_CLOEXEC);
    /// #         if descriptor < 0 {
    /// #             return Err(io::Error::last_os_error());
    /// #         }
    /// #         File::from_raw_fd(descriptor)
    /// #     };
    /// #     file.write_all(bytes)?;
    /// #     let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    /// #     // SAFETY: the descriptor is open.
    /// #     let sealed = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) };
    /// #     if sealed == 0 { Ok(file) } else { Err(io::Error::last_os_error()) }
    /// # }
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let bytes = std::fs::read("tests/data/model-batch-aligned.npz")?;
    /// let memfd = sealed_memfd(&bytes)?; // memfd_create, write, F_ADD_SEALS
    /// let npz = Npz::map_file_if_safe(memfd)?;
    /// assert_eq!(npz.view::<f32, Ix2>("features")?.sum(), 66.0);
    /// # }
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn map_file_if_safe(file: File) -> Result<Self> {
        OpenOptions::new().map_file_if_safe(file)
    }
}

impl<S: Source> Npz<S> {
    /// Opens an archive whose bytes are at hand: a `Vec<u8>`, a `&[u8]`, an `Arc<[u8]>`, or any other [`Source`].
    ///
    /// # Errors
    ///
    /// Whatever keeps the directory from being read. A single bad member does not.
    ///
    /// ```
    /// use npzmap::{Npz, Unaligned};
    /// use ndarray::Ix1;
    ///
    /// let bytes = std::fs::read("tests/data/model-batch-stored.npz")?;
    /// let npz = Npz::new(&bytes[..])?;
    /// let labels = npz.view::<Unaligned<i64>, Ix1>("labels")?; // borrowed from `bytes`
    /// assert_eq!(labels[1], 1);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn new(source: S) -> Result<Self> {
        OpenOptions::new().source(source)
    }
}

impl<S: Source> Npz<S> {
    /// Returns the archive that an [`Opening`] was given the directory of. `source` is read when an array is.
    ///
    /// # Errors
    ///
    /// `Io` with `UnexpectedEof` if it wants more bytes; [`FileChanged`](ErrorKind::FileChanged) if the source has another
    /// size.
    ///
    /// ```
    /// use npzmap::{Npz, plan::Opening};
    ///
    /// let bytes = std::fs::read("tests/data/empty.npz")?;
    /// let mut opening = Opening::new(22, Default::default());
    /// opening.give(bytes.clone())?;
    /// assert!(Npz::from_opening(opening, bytes)?.is_empty());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn from_opening(opening: Opening, source: S) -> Result<Self> {
        opening.check_size(source.size())?;
        Archive::of(source, opening).map(Npz::of)
    }
}

impl Npy<ReadAt> {
    /// Opens a file to be read by position.
    ///
    /// # Errors
    ///
    /// What the system says, [`NotRegularFile`](crate::ErrorKind::NotRegularFile), and whatever is wrong with the header.
    ///
    /// ```
    /// use npzmap::Npy;
    /// use ndarray::Ix2;
    ///
    /// let npy = Npy::open("tests/data/plain-f.npy")?; // in Fortran order
    /// let array = npy.read::<f32, Ix2>()?;
    /// assert_eq!((array[(0, 2)], array[(0, 3)]), (1.5, -2.25));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open_npy(path)
    }

    /// The same for a file that is open already.
    ///
    /// # Errors
    ///
    /// As [`open`](Npy::open).
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::Npy;
    /// use ndarray::Ix2;
    ///
    /// let npy = Npy::open_file(File::open("tests/data/python2-header.npy")?)?;
    /// assert_eq!(npy.read::<i32, Ix2>()?.row(1).to_vec(), [3, 4, 5]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn open_file(file: File) -> Result<Self> {
        OpenOptions::new().npy(ReadAt::new(file)?)
    }
}

#[cfg(feature = "mmap")]
impl Npy<Mapping> {
    /// Maps a file, as NumPy's `mmap_mode='r'` does: arrays borrow from it.
    ///
    /// # Safety
    ///
    /// As [`Npz::map`](crate::Npz::map): while it is open, nobody may change the file or make it shorter.
    ///
    /// # Errors
    ///
    /// As [`open`](Npy::open).
    ///
    /// ```
    /// use npzmap::Npy;
    /// use ndarray::Ix2;
    ///
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npy = unsafe { Npy::map("tests/data/plain.npy")? };
    /// let array = npy.view::<f32, Ix2>()?; // np.save aligns its elements
    /// assert_eq!((array[(0, 2)], array[(0, 3)]), (1.5, -2.25));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[expect(unsafe_code, reason = "the contract of the map is passed on")]
    pub unsafe fn map(path: impl AsRef<Path>) -> Result<Self> {
        // SAFETY: asked of the caller in the same words.
        unsafe { OpenOptions::new().map_npy(path) }
    }

    /// The same for a file that is open already.
    ///
    /// # Safety
    ///
    /// As [`map`](Npy::map).
    ///
    /// # Errors
    ///
    /// As [`open`](Npy::open).
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::Npy;
    /// use ndarray::Ix2;
    ///
    /// let file = File::open("tests/data/plain.npy")?;
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npy = unsafe { Npy::map_file(file)? };
    /// assert_eq!(npy.view::<f32, Ix2>()?[(0, 3)], -2.25);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[expect(unsafe_code, reason = "the contract of the map is passed on")]
    pub unsafe fn map_file(file: File) -> Result<Self> {
        // SAFETY: asked of the caller in the same words.
        let mapping = unsafe { Mapping::map(file) }?;
        OpenOptions::new().npy(mapping)
    }

    /// Maps a file if the kernel guarantees that it stays as it is, as [`Npz::map_if_safe`](crate::Npz::map_if_safe).
    ///
    /// # Errors
    ///
    /// [`NotImmutable`](crate::ErrorKind::NotImmutable) for every other file; else as [`open`](Npy::open).
    ///
    /// ```
    /// use npzmap::{ErrorKind, Npy};
    ///
    /// let error = Npy::map_if_safe("tests/data/plain.npy").unwrap_err(); // an ordinary file
    /// assert!(matches!(error.kind(), ErrorKind::NotImmutable));
    /// ```
    pub fn map_if_safe(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().map_npy_if_safe(path)
    }

    /// The same for a file that is open already, as [`Npz::map_file_if_safe`](crate::Npz::map_file_if_safe).
    ///
    /// # Errors
    ///
    /// As [`map_if_safe`](Npy::map_if_safe).
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::{ErrorKind, Npy};
    ///
    /// let error = Npy::map_file_if_safe(File::open("tests/data/plain.npy")?).unwrap_err(); // an ordinary file
    /// assert!(matches!(error.kind(), ErrorKind::NotImmutable));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn map_file_if_safe(file: File) -> Result<Self> {
        OpenOptions::new().npy(Mapping::map_if_safe(file)?)
    }
}

impl<S: Source> Npy<S> {
    /// Opens a file whose bytes are at hand, or any other [`Source`].
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the header, and a file longer or shorter than it says.
    ///
    /// ```
    /// use npzmap::Npy;
    /// use ndarray::IxDyn;
    ///
    /// let npy = Npy::new(std::fs::read("tests/data/plain-be.npy")?)?;
    /// assert!(npy.view::<f64, IxDyn>().is_err()); // the other byte order
    /// assert!(npy.get::<f64, IxDyn>()?.is_owned());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn new(source: S) -> Result<Self> {
        OpenOptions::new().npy(source)
    }
}

impl OpenOptions {
    /// As [`Npz::open`].
    ///
    /// # Errors
    ///
    /// As [`Npz::open`].
    ///
    /// ```
    /// use npzmap::{OpenOptions, Verify};
    ///
    /// let npz = OpenOptions::new().verify(Verify::Always).open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.array("sample_ids")?.strings()?[0], "train-001");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn open(self, path: impl AsRef<Path>) -> Result<Npz<ReadAt>> {
        let path = path.as_ref();
        let opened = open_regular(path).and_then(|file| self.open_file(file));
        named(opened, path)
    }

    /// As [`Npz::open_file`].
    ///
    /// # Errors
    ///
    /// As [`Npz::open`].
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::{Limits, OpenOptions};
    ///
    /// let options = OpenOptions::new().limits(Limits::new().max_decoded_bytes(1 << 20));
    /// let npz = options.open_file(File::open("tests/data/model-batch.npz")?)?;
    /// assert_eq!(npz.len(), 3);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn open_file(self, file: File) -> Result<Npz<ReadAt>> {
        self.source(ReadAt::new(file)?)
    }

    /// As [`Npz::map`].
    ///
    /// # Safety
    ///
    /// As [`Npz::map`]: while the archive is open, nobody may change the file or make it shorter.
    ///
    /// # Errors
    ///
    /// As [`Npz::open`].
    ///
    /// ```
    /// use npzmap::{OpenOptions, Verify};
    /// use ndarray::Ix2;
    ///
    /// let options = OpenOptions::new().verify(Verify::Always);
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npz = unsafe { options.map("tests/data/model-batch-aligned.npz")? };
    /// assert_eq!(npz.view::<f32, Ix2>("features")?.sum(), 66.0); // its CRC-32 was checked
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[cfg(feature = "mmap")]
    #[expect(unsafe_code, reason = "the contract of the map is passed on")]
    pub unsafe fn map(self, path: impl AsRef<Path>) -> Result<Npz<Mapping>> {
        let path = path.as_ref();
        // SAFETY: asked of the caller in the same words.
        let opened = open_regular(path).and_then(|file| unsafe { self.map_file(file) });
        named(opened, path)
    }

    /// As [`Npz::map_file`].
    ///
    /// # Safety
    ///
    /// As [`Npz::map`]: while the archive is open, nobody may change the file or make it shorter.
    ///
    /// # Errors
    ///
    /// As [`Npz::open`].
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::{OpenOptions, Verify};
    ///
    /// let file = File::open("tests/data/model-batch-aligned.npz")?;
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npz = unsafe { OpenOptions::new().verify(Verify::Always).map_file(file)? };
    /// assert_eq!(npz.array("labels")?.bytes()?.len(), 24);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[cfg(feature = "mmap")]
    #[expect(unsafe_code, reason = "the contract of the map is passed on")]
    pub unsafe fn map_file(self, file: File) -> Result<Npz<Mapping>> {
        // SAFETY: asked of the caller in the same words.
        let mapping = unsafe { Mapping::map(file) }?;
        self.mapping(mapping)
    }

    /// As [`Npz::map_if_safe`].
    ///
    /// # Errors
    ///
    /// As [`Npz::map_if_safe`].
    ///
    /// ```
    /// use npzmap::{ErrorKind, OpenOptions};
    ///
    /// let refused = OpenOptions::new().map_if_safe("tests/data/model-batch.npz").unwrap_err();
    /// assert!(matches!(refused.kind(), ErrorKind::NotImmutable)); // an ordinary file
    /// ```
    #[cfg(feature = "mmap")]
    pub fn map_if_safe(self, path: impl AsRef<Path>) -> Result<Npz<Mapping>> {
        let path = path.as_ref();
        let opened = open_regular(path).and_then(|file| self.map_file_if_safe(file));
        named(opened, path)
    }

    /// As [`Npz::map_file_if_safe`].
    ///
    /// # Errors
    ///
    /// As [`Npz::map_if_safe`].
    ///
    /// ```
    /// use std::fs::File;
    /// use npzmap::{ErrorKind, OpenOptions};
    ///
    /// let file = File::open("tests/data/model-batch.npz")?;
    /// let refused = OpenOptions::new().map_file_if_safe(file).unwrap_err(); // neither a memfd nor under fs-verity
    /// assert!(matches!(refused.kind(), ErrorKind::NotImmutable));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[cfg(feature = "mmap")]
    pub fn map_file_if_safe(self, file: File) -> Result<Npz<Mapping>> {
        self.mapping(Mapping::map_if_safe(file)?)
    }

    /// A map is touched only where a member lies: a fault on a cold page reads far more than the few bytes that
    /// opening needs. Only a directory for which memory would cost more than the faults stays in the map.
    #[cfg(feature = "mmap")]
    fn mapping(self, mapping: Mapping) -> Result<Npz<Mapping>> {
        const STAYS_IN_MAP: u64 = 1 << 20;
        archive::open(mapping, self, STAYS_IN_MAP).map(Npz::of)
    }

    /// As [`Npy::open`].
    ///
    /// # Errors
    ///
    /// As [`Npy::open`].
    ///
    /// ```
    /// use npzmap::{Limits, OpenOptions};
    /// use ndarray::Ix2;
    ///
    /// let options = OpenOptions::new().limits(Limits::new().max_header_bytes(10_000)); // as NumPy's
    /// let npy = options.open_npy("tests/data/python2-header.npy")?;
    /// assert_eq!(npy.read::<i32, Ix2>()?.sum(), 15);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn open_npy(self, path: impl AsRef<Path>) -> Result<Npy<ReadAt>> {
        let path = path.as_ref();
        Npy::at_path(open_regular(path).and_then(ReadAt::new), self, path)
    }

    /// As [`Npy::map`].
    ///
    /// # Safety
    ///
    /// As [`Npz::map`]: while it is open, nobody may change the file or make it shorter.
    ///
    /// # Errors
    ///
    /// As [`Npy::open`].
    ///
    /// ```
    /// use npzmap::OpenOptions;
    /// use ndarray::Ix2;
    ///
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npy = unsafe { OpenOptions::new().map_npy("tests/data/plain.npy")? };
    /// assert_eq!(npy.view::<f32, Ix2>()?[(0, 2)], 1.5);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[cfg(feature = "mmap")]
    #[expect(unsafe_code, reason = "the contract of the map is passed on")]
    pub unsafe fn map_npy(self, path: impl AsRef<Path>) -> Result<Npy<Mapping>> {
        let path = path.as_ref();
        // SAFETY: asked of the caller in the same words.
        let mapping = open_regular(path).and_then(|file| unsafe { Mapping::map(file) });
        Npy::at_path(mapping, self, path)
    }

    /// As [`Npy::map_if_safe`].
    ///
    /// # Errors
    ///
    /// As [`Npy::map_if_safe`].
    ///
    /// ```
    /// use npzmap::{ErrorKind, OpenOptions};
    ///
    /// let error = OpenOptions::new().map_npy_if_safe("tests/data/plain.npy").unwrap_err(); // an ordinary file
    /// assert!(matches!(error.kind(), ErrorKind::NotImmutable));
    /// ```
    #[cfg(feature = "mmap")]
    pub fn map_npy_if_safe(self, path: impl AsRef<Path>) -> Result<Npy<Mapping>> {
        let path = path.as_ref();
        Npy::at_path(open_regular(path).and_then(Mapping::map_if_safe), self, path)
    }

    /// As [`Npy::new`].
    ///
    /// # Errors
    ///
    /// As [`Npy::new`].
    ///
    /// ```
    /// use npzmap::{Limits, OpenOptions};
    ///
    /// let bytes = std::fs::read("tests/data/plain.npy")?;
    /// let options = OpenOptions::new().limits(Limits::new().max_header_bytes(100));
    /// assert!(options.npy(bytes).is_err()); // its header has 118
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn npy<S: Source>(self, source: S) -> Result<Npy<S>> {
        Npy::with(source, self)
    }

    /// As [`Npz::new`].
    ///
    /// # Errors
    ///
    /// As [`Npz::new`].
    ///
    /// ```
    /// use npzmap::{OpenOptions, Verify};
    ///
    /// let bytes = std::fs::read("tests/data/model-batch-stored.npz")?;
    /// let npz = OpenOptions::new().verify(Verify::Always).source(bytes)?;
    /// assert_eq!(npz.array("features")?.bytes()?.len(), 48); // its CRC-32 was checked
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn source<S: Source>(self, source: S) -> Result<Npz<S>> {
        let stays = if source.as_slice().is_some() { 0 } else { u64::MAX };
        archive::open(source, self, stays).map(Npz::of)
    }
}

fn named<S>(opened: Result<Npz<S>>, path: &Path) -> Result<Npz<S>> {
    match opened {
        Ok(npz) => Ok(npz.at_path(path)),
        Err(error) => Err(error.in_file(Some(path))),
    }
}
