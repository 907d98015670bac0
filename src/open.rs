//! Opening: the end record and the central directory, and nothing else.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use crate::bytes::window;
use crate::container::directory::{Directory, Duplicates, Record};
use crate::container::end::{self, End, Search};
use crate::container::local;
use crate::container::record::LOCAL_FIXED;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
#[cfg(feature = "mmap")]
use crate::mmap::Mapping;
use crate::npz::{DirectoryBytes, Npz, SUFFIX};
use crate::plain::Npy;
use crate::source::{ReadAt, Source, open_regular};

/// When the bytes of a member are held against its CRC-32.
///
/// ```
/// use npzmap::{OpenOptions, Verify};
/// use ndarray::Ix2;
///
/// let mut bytes = std::fs::read("tests/data/model-batch-stored.npz")?;
/// bytes[193] = 0x40; // the first element of `features` was 0.0
/// let read = |verify| OpenOptions::new().verify(verify).source(&bytes)?.read::<f32, Ix2>("features");
/// assert!(read(Verify::Copied).is_err());
/// assert_eq!(read(Verify::Never)?[(0, 0)], 2.0);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verify {
    /// Only when `verify` is called.
    Never,
    /// Whenever they are decoded or copied; what is borrowed is not read for it.
    #[default]
    Copied,
    /// At each access, the whole member, also when it is borrowed.
    Always,
}

/// How an archive is opened, and what reading it may cost.
///
/// ```
/// use npzmap::{Duplicates, OpenOptions, Verify};
///
/// let options = OpenOptions::new().verify(Verify::Always).duplicates(Duplicates::Last);
/// let npz = options.open("tests/data/model-batch.npz")?;
/// assert_eq!(npz.len(), 3);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct OpenOptions {
    pub(crate) limits: Limits,
    pub(crate) verify: Verify,
    duplicates: Duplicates,
}

impl OpenOptions {
    /// The defaults: [`Limits::new`], [`Verify::Copied`], [`Duplicates::Refuse`].
    ///
    /// ```
    /// use npzmap::{Duplicates, Limits, OpenOptions, Verify};
    ///
    /// let options = OpenOptions::new();
    /// let same = options.limits(Limits::new()).verify(Verify::Copied).duplicates(Duplicates::Refuse);
    /// assert_eq!(format!("{options:?}"), format!("{same:?}"));
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// What an untrusted file may make the reader spend.
    ///
    /// ```
    /// use npzmap::{Fault, Limits, OpenOptions};
    /// use ndarray::Ix2;
    ///
    /// let limits = Limits::new().max_decoded_bytes(40);
    /// let npz = OpenOptions::new().limits(limits).open("tests/data/model-batch.npz")?;
    /// let error = npz.read::<f32, Ix2>("features").unwrap_err(); // 48 bytes
    /// assert_eq!(error.kind().fault(), Fault::Limit);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// When bytes are held against their CRC-32.
    ///
    /// ```
    /// use npzmap::{ErrorKind, OpenOptions, Unaligned, Verify};
    /// use ndarray::Ix2;
    ///
    /// let mut bytes = std::fs::read("tests/data/model-batch-stored.npz")?;
    /// bytes[190] ^= 1; // in the first element of `features`
    /// let npz = OpenOptions::new().verify(Verify::Always).source(bytes)?;
    /// let error = npz.view::<Unaligned<f32>, Ix2>("features").unwrap_err(); // what is borrowed, too
    /// assert!(matches!(error.kind(), ErrorKind::Checksum { .. }));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn verify(mut self, verify: Verify) -> Self {
        self.verify = verify;
        self
    }

    /// What several members of one name mean.
    ///
    /// ```
    /// use npzmap::{Duplicates, OpenOptions};
    /// use ndarray::Ix1;
    ///
    /// # let mut bytes = std::fs::read("tests/data/positional.npz")?;
    /// # for at in 0..bytes.len() - 4 {
    /// #     if bytes[at..].starts_with(b"arr_1") {
    /// #         bytes[at + 4] = b'0';
    /// #     }
    /// # }
    /// // `bytes` hold two members arr_0.npy: three i32, then two f64.
    /// let npz = OpenOptions::new().duplicates(Duplicates::Last).source(bytes)?;
    /// assert_eq!(npz.read::<f64, Ix1>("arr_0")?.to_vec(), [0.0, 1.0]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn duplicates(mut self, duplicates: Duplicates) -> Self {
        self.duplicates = duplicates;
        self
    }

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
    /// assert_eq!(npz.strings("sample_ids")?[0], "train-001");
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
    /// assert_eq!(npz.payload("labels")?.bytes().len(), 24);
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
        read(mapping, self, STAYS_IN_MAP)
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
    /// assert_eq!(npz.payload("features")?.bytes().len(), 48); // its CRC-32 was checked
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn source<S: Source>(self, source: S) -> Result<Npz<S>> {
        let stays = if source.as_slice().is_some() { 0 } else { u64::MAX };
        read(source, self, stays)
    }
}

fn named<S>(opened: Result<Npz<S>>, path: &Path) -> Result<Npz<S>> {
    match opened {
        Ok(npz) => Ok(npz.at_path(path)),
        Err(error) => Err(error.in_file(Some(path))),
    }
}

/// Opens. What is shorter than `stays` is read by position, even when it lies in memory.
fn read<S: Source>(source: S, options: OpenOptions, stays: u64) -> Result<Npz<S>> {
    let size = source.size();
    let fetch = |range: Range<u64>| fetch(&source, range, stays);
    let tail = |length: u64| fetch(size.saturating_sub(length)..size);
    let (end, tail) = {
        let short = tail(end::TAIL)?;
        match end::find(&short, size)? {
            Search::Found(end) => (end, short),
            Search::Further => {
                let long = tail(end::LONG_TAIL)?;
                match end::find(&long, size)? {
                    Search::Found(end) => (end, long),
                    Search::Further => return Err(ErrorKind::NotAnArchive { size }.into()),
                }
            }
        }
    };

    let range = end.directory.clone();
    let tail_start = size - tail.len() as u64;
    let bytes = match (&tail, window(&tail, tail_start, range.clone())) {
        // Read already.
        (Cow::Owned(_), Some(bytes)) => Cow::Owned(bytes.to_vec()),
        _ => fetch(range.clone())?,
    };
    let directory = Directory::read(&bytes, range, end.base, options.duplicates, SUFFIX)?;
    end.check_count(directory.len() as u64)?;
    if end.base > 0 {
        check_base(&source, &directory, &bytes, &end)?;
    }
    let bytes = match bytes {
        Cow::Owned(bytes) => DirectoryBytes::Held(bytes.into_boxed_slice()),
        Cow::Borrowed(_) => DirectoryBytes::InSource,
    };
    Ok(Npz::from_parts(source, bytes, directory, options))
}

/// The bytes of `range`: lent if they lie in memory and are worth it.
fn fetch<S: Source>(source: &S, range: Range<u64>, stays: u64) -> Result<Cow<'_, [u8]>> {
    if range.end - range.start >= stays
        && let Some(slice) = source.as_slice()
    {
        let found = window(slice, 0, range);
        return Ok(Cow::Borrowed(found.ok_or(io::ErrorKind::UnexpectedEof).map_err(io::Error::from)?));
    }
    let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
    source.read_exact_at(range.start, &mut bytes)?;
    Ok(Cow::Owned(bytes))
}

/// In an archive behind a prefix, the first and the last member must be where the offsets lead when the prefix is
/// counted, and must not be there when it is not.
fn check_base<S: Source>(source: &S, directory: &Directory, bytes: &[u8], end: &End) -> Result<()> {
    let base = end.base;
    let mut records = directory.records_from(bytes, 0).flatten();
    let first = records.next();
    let ends = [first, records.last().or(first)];
    let fits = |base: u64| -> Result<bool> {
        for record in ends.iter().flatten() {
            if !lies_at(source, record, base)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    if first.is_none() {
        return Ok(());
    }
    let at = directory.range().end;
    if !fits(base)? {
        return Err(Error::from(ErrorKind::PrefixMismatch { base }).at(at));
    }
    if fits(0)? {
        return Err(Error::from(ErrorKind::AmbiguousStart { base }).at(at));
    }
    Ok(())
}

/// Whether the member's local header lies where its record says, `base` added.
fn lies_at<S: Source>(source: &S, record: &Record<'_>, base: u64) -> Result<bool> {
    let Ok(place) = record.raw.place(base) else {
        return Ok(false);
    };
    let length = LOCAL_FIXED + record.raw.name.len() as u64;
    let Some(end) = place.offset.checked_add(length).filter(|end| *end <= source.size()) else {
        return Ok(false);
    };
    let header = fetch(source, place.offset..end, 0)?;
    Ok(local::fits(&header, record.raw.name))
}
