//! `Npz`: a directory of members, looked up by key. Here the two sides meet.

mod file;
mod many;
mod similar;
mod verbs;

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::archive::Archive;
use crate::array::NpyArray;
use crate::container::directory::{Duplicates, Records};
use crate::error::{Error, ErrorKind, Result};
use crate::member::Member;
use crate::source::{ReadAt, Source};

/// An open `.npz` archive: a dictionary from keys to arrays, as NumPy's `NpzFile` is.
///
/// Opening reads the end record and the central directory of the ZIP archive, and nothing else. [`array`](Npz::array)
/// looks an array up and returns its [handle](NpyArray), which has every verb. Four of them can be called with the key at
/// once: [`view`](Npz::view) never copies, [`get`](Npz::get) copies only if it must, [`read`](Npz::read) and
/// [`read_any`](Npz::read_any) always copy. All of them take `&self`, and nothing is cached. An `Npz` is `Send` and `Sync`.
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
/// assert_eq!(npz.array("sample_ids")?.strings()?[2], "train-003");
/// # Ok::<(), npzmap::Error>(())
/// ```
pub struct Npz<S = ReadAt> {
    archive: Archive<S>,
}

impl<S: Source> Npz<S> {
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
        self.archive.directory.len()
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
        let bytes = self.archive.directory_bytes();
        bytes.is_ok_and(|bytes| self.archive.directory.find(bytes, key).is_some())
    }

    /// Returns the key that is most like `key`: it differs in one place by one or two characters, or in case. `None` where
    /// none is so near. Say it to the user whose key is [not found](ErrorKind::NoSuchKey).
    ///
    /// Errors do not look for it, so that a key that may be missing costs one look-up. This goes over the keys: 100,000 at
    /// most, and 16 MiB of them. A key of more than 256 bytes is like no other.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert!(npz.member("lables").is_err());
    /// assert_eq!(npz.similar_key("lables").as_deref(), Some("labels"));
    /// assert_eq!(npz.similar_key("weights"), None);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn similar_key(&self, key: &str) -> Option<Cow<'_, str>> {
        similar::similar(self.keys(), key)
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
        let bytes = self.archive.directory_bytes().unwrap_or_default();
        Members {
            archive: &self.archive,
            records: self.archive.directory.records_from(bytes, 0),
            left: self.archive.directory.len(),
        }
    }

    /// The member of this name, or else the one of this name and `.npy`.
    ///
    /// # Errors
    ///
    /// [`NoSuchKey`](ErrorKind::NoSuchKey), of which [`similar_key`](Npz::similar_key) says what was meant; and whatever the directory alone says against the member:
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
        let found = self.archive.directory_bytes().and_then(|bytes| {
            let record = self.archive.directory.find(bytes, key).ok_or(ErrorKind::NoSuchKey)??;
            self.archive.directory.check(&record)?;
            Ok(Member::new(&self.archive, record))
        });
        found.map_err(|error| error.in_member(key.into()).in_file(self.path()))
    }

    /// Returns the array of this key: located, with its local header checked and its `.npy` header parsed. The handle has
    /// every verb.
    ///
    /// # Errors
    ///
    /// As [`member`](Npz::member), and whatever is wrong with the member or with its header.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let features = npz.array("features")?;
    /// assert_eq!(features.shape(), [3, 4]);
    /// let rows: Array2<f32> = features.rows(1..3)?.read()?;
    /// assert_eq!(rows[(1, 0)], 8.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn array(&self, key: &str) -> Result<NpyArray<'_, S>> {
        self.member(key)?.array()
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
        &self.archive.source
    }

    /// Closes the archive and returns its source. Arrays that were made by [`shared`](NpyArray::shared) may own a share of
    /// it, too. If there are none, [`Arc::into_inner`] returns the source itself.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use npzmap::Npz;
    ///
    /// let bytes = std::fs::read("tests/data/model-batch.npz")?;
    /// let address = bytes.as_ptr();
    /// let bytes = Arc::into_inner(Npz::new(bytes)?.into_source()).expect("no shared array is left");
    /// assert_eq!(bytes.as_ptr(), address); // the same Vec, not a copy
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn into_source(self) -> Arc<S> {
        self.archive.source
    }

    /// Whether this is the error of a member in whose place another of its name is taken.
    fn is_superseded(&self, error: &Error) -> bool {
        let last = self.archive.options.duplicates == Duplicates::Last;
        last && matches!(error.kind(), ErrorKind::DuplicateName)
    }
}

impl<S> Npz<S> {
    pub(crate) fn of(archive: Archive<S>) -> Self {
        Npz { archive }
    }

    pub(crate) fn at_path(mut self, path: &Path) -> Self {
        self.archive.path = Some(path.into());
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
        self.archive.path()
    }
}

impl<S: Source> fmt::Debug for Npz<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Npz")
            .field("path", &self.path())
            .field("size", &self.archive.source.size())
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
    archive: &'a Archive<S>,
    records: Records<'a>,
    left: usize,
}

impl<'a, S: Source> Iterator for Members<'a, S> {
    type Item = Member<'a, S>;

    fn next(&mut self) -> Option<Member<'a, S>> {
        let record = self.records.next()?.ok()?;
        self.left = self.left.saturating_sub(1);
        Some(Member::new(self.archive, record))
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
