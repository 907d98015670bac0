//! `Npz`: a directory of members, looked up by key. Here the two sides meet.

mod file;
mod many;
mod similar;
mod verbs;

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use crate::bytes::window;
use crate::container::directory::{Directory, Records};
use crate::error::{ErrorKind, Result};
use crate::member::Member;
#[cfg(feature = "mmap")]
use crate::mmap::Mapping;
use crate::open::OpenOptions;
use crate::shared::{Holder, sealed};
use crate::source::{InMemory, ReadAt, Source};

/// An open `.npz` archive: a dictionary from keys to arrays, as NumPy's `NpzFile` is.
///
/// Opening reads the end record and the central directory of the ZIP archive, and nothing else. Each array is read
/// when it is asked for, by one of three verbs: [`view`](Npz::view) never copies, [`get`](Npz::get) copies only
/// when it must, [`read`](Npz::read) always does. All of them take `&self`, and nothing is cached: an `Npz` is
/// `Send` and `Sync` when its source is.
///
/// A key is the member's name with or without `.npy`; where both name something, the exact name wins, as in NumPy.
///
/// # Examples
///
/// ```
/// use npzmap::Npz;
/// use ndarray::{Ix1, Ix2};
///
/// let npz = Npz::open("tests/data/model-batch.npz")?;
/// assert_eq!(npz.keys().collect::<Vec<_>>(), ["features", "labels", "sample_ids"]);
///
/// let features = npz.read::<f32, Ix2>("features")?;
/// assert_eq!(features.dim(), (3, 4));
/// assert_eq!(npz.read::<i64, Ix1>("labels")?.to_vec(), [0, 1, 1]);
/// assert_eq!(npz.strings("sample_ids")?[2], "train-003");
/// # Ok::<(), npzmap::Error>(())
/// ```
pub struct Npz<S = ReadAt> {
    source: S,
    bytes: DirectoryBytes,
    directory: Directory,
    options: OpenOptions,
    path: Option<Box<Path>>,
}

/// What `np.savez` puts behind every key.
pub(crate) const SUFFIX: &str = ".npy";

/// Where the directory's bytes are; they are held once.
pub(crate) enum DirectoryBytes {
    Held(Box<[u8]>),
    InSource,
}

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

    pub(crate) fn from_parts(source: S, bytes: DirectoryBytes, directory: Directory, options: OpenOptions) -> Self {
        let path = None;
        Npz { source, bytes, directory, options, path }
    }

    /// The number of members, duplicates counted.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/object.npz")?;
    /// assert_eq!(npz.len(), 4); // three of them hold pickled objects, and count
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.directory.len()
    }

    /// Whether there is no member.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// assert!(Npz::open("tests/data/empty.npz")?.is_empty()); // np.savez(file), without an array
    /// assert!(!Npz::open("tests/data/model-batch.npz")?.is_empty());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys, in the order of the directory: NumPy's `files`. Duplicates are listed each time.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/weights.npz")?;
    /// let keys: Vec<_> = npz.keys().collect();
    /// assert_eq!(keys, ["encoder/weight", "encoder/scale", "encoder/bias", "optim/step"]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn keys(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.members().map(|member| member.key())
    }

    /// Whether a member has this key or name, as NumPy's `in` says it.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/weights.npz")?;
    /// assert!(npz.contains("encoder/bias") && npz.contains("encoder/bias.npy"));
    /// assert!(!npz.contains("encoder"));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn contains(&self, key: &str) -> bool {
        let bytes = self.directory_bytes();
        bytes.is_ok_and(|bytes| self.directory.find(bytes, key).is_some())
    }

    /// The keys that begin with `prefix`, in the order of the directory: `keys_under("optim/")`.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.keys_under("sample_").collect::<Vec<_>>(), ["sample_ids"]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn keys_under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        self.keys().filter(move |key| key.starts_with(prefix))
    }

    /// The members, in the order of the directory. What is wrong with one of them shows when it is used.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/keys.npz")?;
    /// let no_arrays = npz.members().filter(|member| member.header().is_err());
    /// let names: Vec<_> = no_arrays.map(|member| member.text()).collect();
    /// assert_eq!(names, ["a", "dir/", "notes.txt", "not-npy.npy", "empty", "half-magic.npy"]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn members(&self) -> Members<'_, S> {
        let bytes = self.directory_bytes().unwrap_or_default();
        Members { npz: self, records: self.directory.records_from(bytes, 0), left: self.directory.len() }
    }

    /// The member of this name, or else the one of this name and `.npy`.
    ///
    /// # Errors
    ///
    /// [`NoSuchKey`](ErrorKind::NoSuchKey), and whatever the directory alone says against the member:
    /// [`DuplicateName`](ErrorKind::DuplicateName), [`BadName`](ErrorKind::BadName),
    /// [`Overlap`](ErrorKind::Overlap), encryption.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/keys.npz")?; // it has a, a.npy, b.npy and b.npy.npy
    /// assert_eq!(npz.member("a")?.name(), b"a");
    /// assert_eq!(npz.member("b")?.name(), b"b.npy");
    /// assert_eq!(npz.member("b.npy")?.name(), b"b.npy");
    /// assert!(npz.member("c").is_err());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn member(&self, key: &str) -> Result<Member<'_, S>> {
        let found = self.directory_bytes().and_then(|bytes| {
            let missing = || ErrorKind::NoSuchKey { similar: similar::similar(self.keys(), key) };
            let record = self.directory.find(bytes, key).ok_or_else(missing)??;
            self.directory.check(&record)?;
            Ok(Member::new(self, record))
        });
        found.map_err(|error| error.in_member(key.into()).in_file(self.path()))
    }

    /// The source.
    ///
    /// ```
    /// use npzmap::{Npz, Source};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.source().size(), std::fs::metadata("tests/data/model-batch.npz")?.len());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Closes the archive and gives the source back.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let bytes = std::fs::read("tests/data/model-batch.npz")?;
    /// let address = bytes.as_ptr();
    /// let bytes = Npz::new(bytes)?.into_source();
    /// assert_eq!(bytes.as_ptr(), address); // the same Vec, not a copy
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn into_source(self) -> S {
        self.source
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) fn directory_bytes(&self) -> Result<&[u8]> {
        match &self.bytes {
            DirectoryBytes::Held(bytes) => Ok(bytes),
            DirectoryBytes::InSource => {
                let slice = self.source.as_slice().unwrap_or_default();
                let found = window(slice, 0, self.directory.range());
                found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof).into())
            }
        }
    }
}

impl<S> Npz<S> {
    pub(crate) fn at_path(mut self, path: &Path) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The path, if the archive was opened by path.
    ///
    /// ```
    /// use std::path::Path;
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.path(), Some(Path::new("tests/data/model-batch.npz")));
    /// assert_eq!(Npz::new(std::fs::read("tests/data/model-batch.npz")?)?.path(), None);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(crate) fn options(&self) -> &OpenOptions {
        &self.options
    }
}

impl<S: Source> fmt::Debug for Npz<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Npz")
            .field("path", &self.path())
            .field("size", &self.source.size())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<'a, S: Source> IntoIterator for &'a Npz<S> {
    type Item = Member<'a, S>;
    type IntoIter = Members<'a, S>;

    fn into_iter(self) -> Members<'a, S> {
        self.members()
    }
}

/// The members of an archive, in the order of its directory.
///
/// ```
/// use npzmap::Npz;
///
/// let npz = Npz::open("tests/data/model-batch.npz")?;
/// let mut bytes = 0;
/// for member in &npz {
///     bytes += member.size();
/// }
/// assert_eq!(bytes, 176 + 152 + 236); // each with its header
/// # Ok::<(), npzmap::Error>(())
/// ```
pub struct Members<'a, S = ReadAt> {
    npz: &'a Npz<S>,
    records: Records<'a>,
    left: usize,
}

impl<'a, S: Source> Iterator for Members<'a, S> {
    type Item = Member<'a, S>;

    fn next(&mut self) -> Option<Member<'a, S>> {
        let record = self.records.next()?.ok()?;
        self.left = self.left.saturating_sub(1);
        Some(Member::new(self.npz, record))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

impl<S> fmt::Debug for Members<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members").field("left", &self.left).finish_non_exhaustive()
    }
}

impl<S> sealed::Sealed for Npz<S> {}

impl<S: InMemory> Holder for Npz<S> {
    fn bytes(&self) -> Option<&[u8]> {
        self.source.as_slice()
    }
}
