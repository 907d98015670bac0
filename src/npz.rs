//! `Npz`: a directory of members, looked up by key. Here the two sides meet.

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytemuck::Pod;
use ndarray::{Array, ArrayView, ArrayViewMut, CowArray, Dimension, IxDyn};

use crate::bytes::window;
use crate::container::directory::{Directory, Records};
use crate::error::{Error, ErrorKind, Result};
use crate::member::Member;
#[cfg(feature = "mmap")]
use crate::mmap::{Advice, Mapping};
use crate::npy::any::AnyArray;
use crate::npy::element::Element;
use crate::open::OpenOptions;
use crate::shared::{Holder, SharedArray, sealed};
use crate::source::{FileSource, InMemory, ReadAt, Source};
use crate::take::Payload;

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
            let record = self.directory.find(bytes, key).ok_or(ErrorKind::NoSuchKey)??;
            self.directory.check(&record)?;
            Ok(Member::new(self, record))
        });
        found.map_err(|error| error.in_member(key.into()).in_file(self.path()))
    }

    /// The array, borrowed where it lies. Never copies.
    ///
    /// # Errors
    ///
    /// [`CannotBorrow`](ErrorKind::CannotBorrow) says why and what to do; else as [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::{ErrorKind, Npz, Reason, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// let stored = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let features = stored.view::<Unaligned<f32>, Ix2>("features")?;
    /// assert_eq!(features.row(1).sum().get(), 22.0);
    ///
    /// let deflated = Npz::new(std::fs::read("tests/data/model-batch.npz")?)?;
    /// let error = deflated.view::<Unaligned<f32>, Ix2>("features").unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::CannotBorrow { reason: Reason::Compressed, .. }));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn view<T: Element, D: Dimension>(&self, key: &str) -> Result<ArrayView<'_, T, D>>
    where
        S: InMemory,
    {
        self.member(key)?.view()
    }

    /// The array, borrowed if it can be, else an owned copy, aligned and in this machine's byte order.
    ///
    /// # Errors
    ///
    /// As [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::{FixedStr, Npz};
    /// use ndarray::Ix1;
    ///
    /// let stored = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let deflated = Npz::new(std::fs::read("tests/data/model-batch.npz")?)?;
    /// let borrowed = stored.get::<FixedStr<9>, Ix1>("sample_ids")?;
    /// let copied = deflated.get::<FixedStr<9>, Ix1>("sample_ids")?;
    /// assert!(borrowed.is_view() && copied.is_owned());
    /// assert_eq!(borrowed, copied);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn get<T: Element, D: Dimension>(&self, key: &str) -> Result<CowArray<'_, T, D>> {
        self.member(key)?.get()
    }

    /// The array, copied into memory of its own, aligned and in this machine's byte order.
    ///
    /// # Errors
    ///
    /// [`NoSuchKey`](ErrorKind::NoSuchKey); [`DtypeMismatch`](ErrorKind::DtypeMismatch) and
    /// [`DimensionMismatch`](ErrorKind::DimensionMismatch) when the file holds another array than was asked for; and
    /// whatever is wrong with the member.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::open("tests/data/kinds-stored.npz")?;
    /// let array = npz.read::<i32, Ix2>("i4-be-f")?; // big-endian, in Fortran order
    /// assert_eq!((array[(0, 3)], array[(2, 0)]), (2, 42));
    /// assert_eq!(array, npz.read::<i32, Ix2>("i4-le-c")?);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read<T: Element, D: Dimension>(&self, key: &str) -> Result<Array<T, D>> {
        self.member(key)?.read()
    }

    /// The array, copied into memory that the caller has, of the same shape and any strides.
    ///
    /// # Errors
    ///
    /// [`ShapeMismatch`](ErrorKind::ShapeMismatch), or as [`read`](Npz::read). After an error the destination's
    /// values are unspecified.
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Array2;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let mut features = Array2::<f32>::zeros((3, 4));
    /// npz.read_into("features", features.view_mut())?;
    /// assert_eq!(features.sum(), 66.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_into<T: Element, D: Dimension>(&self, key: &str, destination: ArrayViewMut<'_, T, D>) -> Result<()> {
        self.member(key)?.read_into(destination)
    }

    /// An array of strings, `<U9` or `|S9`, without the NULs that fill them up. Bytes are read as UTF-8.
    ///
    /// # Errors
    ///
    /// [`BadText`](ErrorKind::BadText) for what is no text, and as [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let ids = npz.strings("sample_ids")?;
    /// assert_eq!(ids.as_slice().unwrap(), ["train-001", "train-002", "train-003"]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn strings(&self, key: &str) -> Result<Array<String, IxDyn>> {
        self.member(key)?.strings()
    }

    /// A part of axis 0: only these rows are read from a stored member, and a compressed one is decoded no further than
    /// their end. They cannot be held against the member's CRC-32, unless [`Verify::Always`](crate::Verify::Always)
    /// reads the whole of it.
    ///
    /// # Errors
    ///
    /// [`RowsOutOfRange`](ErrorKind::RowsOutOfRange), and as [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::open("tests/data/model-batch-stored.npz")?;
    /// let rows = npz.read_rows::<f32, Ix2>("features", 1..3)?;
    /// assert_eq!((rows.dim(), rows[(0, 0)]), ((2, 4), 4.0));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_rows<T: Element, D: Dimension>(&self, key: &str, rows: Range<usize>) -> Result<Array<T, D>> {
        self.member(key)?.read_rows(rows)
    }

    /// The array, copied, as whatever it is.
    ///
    /// # Errors
    ///
    /// As [`read`](Npz::read); no dtype but that of pickled objects is refused.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// match npz.read_any("labels")? {
    ///     AnyArray::I64(labels) => assert_eq!(labels.sum(), 2),
    ///     other => panic!("{:?}", other.shape()),
    /// }
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_any(&self, key: &str) -> Result<AnyArray> {
        self.member(key)?.read_any()
    }

    /// The array, borrowed as a type that its dtype does not name: any dtype but objects can be seen as any type of the
    /// same size. ml_dtypes writes bfloat16 as two bytes of no kind, NumPy dates as 64-bit counts.
    ///
    /// # Errors
    ///
    /// [`DtypeMismatch`](ErrorKind::DtypeMismatch) when the sizes differ; else as [`view`](Npz::view).
    ///
    /// ```
    /// use npzmap::{FixedBytes, Npz};
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let bytes = npz.view_as::<FixedBytes<4>, Ix2>("features")?;
    /// assert_eq!(f32::from_le_bytes(*bytes[(0, 1)].as_array()), 1.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn view_as<T: Element, D: Dimension>(&self, key: &str) -> Result<ArrayView<'_, T, D>>
    where
        S: InMemory,
    {
        self.member(key)?.view_as()
    }

    /// The array, copied as a type that its dtype does not name, as by [`view_as`](Npz::view_as). Its numbers are swapped
    /// to this machine's byte order first, by the dtype of the file; bytes of no kind (`|V2`) have no order, and are taken
    /// as they lie.
    ///
    /// # Errors
    ///
    /// [`DtypeMismatch`](ErrorKind::DtypeMismatch) when the sizes differ; else as [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::IxDyn;
    ///
    /// let npz = Npz::open("tests/data/datetimes-stored.npz")?;
    /// let days = npz.read_as::<i64, IxDyn>("M8-D-be")?;
    /// assert_eq!(days[1], npz.read_as::<i64, IxDyn>("M8-D-le")?[1]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_as<T: Element, D: Dimension>(&self, key: &str) -> Result<Array<T, D>> {
        self.member(key)?.read_as()
    }

    /// One field of an array of records, borrowed where it lies, with strides. Nested fields are named by a path with
    /// dots; a sub-array adds its axes at the end.
    ///
    /// # Errors
    ///
    /// [`NoSuchField`](ErrorKind::NoSuchField); [`CannotBorrow`](ErrorKind::CannotBorrow) as for [`view`](Npz::view), and
    /// when records are no multiple of the field's size apart, which ndarray's strides cannot say:
    /// [`read_field`](Npz::read_field) copies it.
    ///
    /// ```
    /// use npzmap::{ErrorKind, Npz, Reason, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/records-stored.npz")?)?;
    /// let x = npz.field::<Unaligned<f64>, Ix2>("aligned-le-c", "x")?; // every 24 bytes
    /// assert_eq!((x.strides(), x[(0, 2)].get()), (&[9, 3][..], 1.5));
    /// assert_eq!(npz.field::<Unaligned<i16>, Ix2>("nested-le-c", "inner.k")?[(1, 2)], 42);
    ///
    /// let error = npz.field::<Unaligned<f64>, Ix2>("packed-le-c", "score").unwrap_err(); // every 34
    /// assert!(matches!(error.kind(), ErrorKind::CannotBorrow { reason: Reason::Stride { .. }, .. }));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn field<T: Element, D: Dimension>(&self, key: &str, path: &str) -> Result<ArrayView<'_, T, D>>
    where
        S: InMemory,
    {
        self.member(key)?.field(path)
    }

    /// One field of an array of records, copied, aligned and in this machine's byte order.
    ///
    /// # Errors
    ///
    /// [`NoSuchField`](ErrorKind::NoSuchField), and as [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::open("tests/data/records-stored.npz")?;
    /// let scores = npz.read_field::<f64, Ix2>("packed-le-c", "score")?; // 34 bytes apart
    /// assert_eq!(scores.row(0).to_vec(), [0.0, -0.0, 1.5]);
    /// assert_eq!(npz.read_field::<i16, Ix2>("nested-be-c", "inner.k")?[(1, 2)], 42);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_field<T: Element, D: Dimension>(&self, key: &str, path: &str) -> Result<Array<T, D>> {
        self.member(key)?.read_field(path)
    }

    /// The bytes of a stored array, with its header and alignment: to be uploaded, or given to another library.
    ///
    /// # Errors
    ///
    /// [`CannotBorrow`](ErrorKind::CannotBorrow) for a compressed member, and whatever is wrong with the member.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-aligned.npz")?)?;
    /// let payload = npz.payload("features")?;
    /// assert_eq!((payload.bytes().len(), payload.offset() % 64), (48, 0));
    /// assert_eq!(payload.header().dtype().to_string(), "<f4");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn payload(&self, key: &str) -> Result<Payload<'_>>
    where
        S: InMemory,
    {
        self.member(key)?.payload()
    }

    /// An array that owns a share of the archive: to be stored in a struct, sent to a thread, handed to another runtime.
    /// Cloning it costs a counter.
    ///
    /// # Errors
    ///
    /// As [`view`](Npz::view).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use npzmap::{Npz, SharedArray, Unaligned};
    /// use ndarray::Ix2;
    ///
    /// struct Model {
    ///     weights: SharedArray<Unaligned<f32>, Ix2, Npz<Vec<u8>>>,
    /// }
    ///
    /// let npz = Arc::new(Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?);
    /// let model = Model { weights: npz.shared("features")? };
    /// drop(npz); // the model keeps the bytes alive
    /// let sum = std::thread::spawn(move || model.weights.view().sum().get()).join().unwrap();
    /// assert_eq!(sum, 66.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shared<T: Element + Pod, D: Dimension>(self: &Arc<Self>, key: &str) -> Result<SharedArray<T, D, Self>>
    where
        S: InMemory,
    {
        let (view, payload) = (self.view::<T, D>(key)?, self.payload(key)?);
        Ok(SharedArray::new(Arc::clone(self), &view, &payload))
    }

    /// The same for a type that the dtype does not name, as by [`view_as`](Npz::view_as).
    ///
    /// # Errors
    ///
    /// As [`view_as`](Npz::view_as).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use npzmap::{FixedBytes, Npz};
    /// use ndarray::Ix1;
    ///
    /// let npz = Arc::new(Npz::new(std::fs::read("tests/data/weights.npz")?)?);
    /// let scale = npz.shared_as::<FixedBytes<2>, Ix1>("encoder/scale")?; // ml_dtypes' bfloat16
    /// assert_eq!(scale.view()[0].as_array(), &[0xc0, 0x3f]); // 1.5
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shared_as<T: Element + Pod, D: Dimension>(self: &Arc<Self>, key: &str) -> Result<SharedArray<T, D, Self>>
    where
        S: InMemory,
    {
        let (view, payload) = (self.view_as::<T, D>(key)?, self.payload(key)?);
        Ok(SharedArray::new(Arc::clone(self), &view, &payload))
    }

    /// Reads every member and holds it against its CRC-32.
    ///
    /// # Errors
    ///
    /// The first that is wrong. To see all of them, ask each of [`members`](Npz::members).
    ///
    /// ```
    /// use npzmap::{ErrorKind, Npz};
    ///
    /// Npz::open("tests/data/model-batch.npz")?.verify()?;
    ///
    /// let mut bytes = std::fs::read("tests/data/model-batch-stored.npz")?;
    /// bytes[190] ^= 1; // in the first element of `features`
    /// let error = Npz::new(bytes)?.verify().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Checksum { .. }));
    /// assert_eq!(error.member(), Some("features"));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn verify(&self) -> Result<()> {
        self.members().try_for_each(|member| member.verify())
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

/// Many arrays at once; side by side with the feature `rayon`.
impl<S: Source + Sync> Npz<S> {
    /// These arrays, copied, in the order of the keys. One that fails fails all.
    ///
    /// # Errors
    ///
    /// Of the first key that cannot be read, as [`read`](Npz::read).
    ///
    /// ```
    /// use npzmap::Npz;
    /// use ndarray::IxDyn;
    ///
    /// let npz = Npz::open("tests/data/kinds-deflated.npz")?;
    /// let arrays = npz.read_many::<i32, IxDyn>(&["i4-le-c", "i4-be-f"])?;
    /// assert_eq!(arrays[0], arrays[1]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_many<T: Element, D: Dimension>(&self, keys: &[impl AsRef<str> + Sync]) -> Result<Vec<Array<T, D>>> {
        let read = |key: &_| self.read(AsRef::<str>::as_ref(key));
        #[cfg(feature = "rayon")]
        {
            use rayon::prelude::*;
            // Not collected at once: the error would be that of whichever fails first.
            let results: Vec<Result<_>> = keys.par_iter().map(read).collect();
            results.into_iter().collect()
        }
        #[cfg(not(feature = "rayon"))]
        keys.iter().map(read).collect()
    }

    /// All arrays, copied, as whatever they are, with their keys in the order of the directory. Members that are no
    /// arrays are left out.
    ///
    /// # Errors
    ///
    /// Of the first member that cannot be read.
    ///
    /// ```
    /// use npzmap::{AnyArray, Npz};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let all = npz.read_all()?;
    /// assert_eq!(all.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), ["features", "labels", "sample_ids"]);
    /// assert!(matches!(all[2].1, AnyArray::Str(_)));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn read_all(&self) -> Result<Vec<(String, AnyArray)>> {
        let read = |member: Member<'_, S>| match member.read_any() {
            Ok(array) => Some(Ok((member.key().into_owned(), array))),
            Err(error) if matches!(error.kind(), ErrorKind::NotAnArray) => None,
            Err(error) => Some(Err(error)),
        };
        #[cfg(feature = "rayon")]
        {
            use rayon::prelude::*;
            let members: Vec<_> = self.members().collect();
            let results: Vec<Result<_>> = members.into_par_iter().filter_map(read).collect();
            results.into_iter().collect()
        }
        #[cfg(not(feature = "rayon"))]
        self.members().filter_map(read).collect()
    }
}

impl<S: FileSource> Npz<S> {
    /// Whether the file is still the one that was opened: device, inode, length and time of modification, of the open
    /// file and of what its path leads to now.
    ///
    /// # Errors
    ///
    /// [`FileChanged`](ErrorKind::FileChanged) says what differs.
    ///
    /// ```
    /// let npz = npzmap::Npz::open("tests/data/model-batch.npz")?;
    /// npz.check_unchanged()?;
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn check_unchanged(&self) -> Result<()> {
        let check = || {
            self.source.check_unchanged()?;
            let Some(path) = self.path() else { return Ok(()) };
            self.source.identity().check(&fs::metadata(path)?)
        };
        check().map_err(|error: Error| error.in_file(self.path()))
    }
}

#[cfg(feature = "mmap")]
impl Npz<Mapping> {
    /// Begins to read a member in, so that a later access does not wait for the disk.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the member, and what the system says.
    ///
    /// ```
    /// # #[allow(unsafe_code)]
    /// # fn main() -> Result<(), npzmap::Error> {
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npz = unsafe { npzmap::Npz::map("tests/data/model-batch-stored.npz")? };
    /// npz.prefetch("features")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn prefetch(&self, key: &str) -> Result<()> {
        let found = self.member(key).and_then(|member| member.locate());
        let advised = found.and_then(|found| self.source.advise_range(Advice::WillNeed, found.data));
        advised.map_err(|error| error.in_member(key.into()).in_file(self.path()))
    }

    /// Tells the kernel how the whole map will be used.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// use npzmap::{Advice, Npz};
    /// use ndarray::Ix2;
    ///
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npz = unsafe { Npz::map("tests/data/model-batch-stored.npz")? };
    /// npz.advise(Advice::Random)?; // single rows here and there
    /// assert_eq!(npz.read_rows::<f32, Ix2>("features", 2..3)?.sum(), 38.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn advise(&self, advice: Advice) -> Result<()> {
        self.source.advise(advice).map_err(|error| error.in_file(self.path()))
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
