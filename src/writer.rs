//! `NpzWriter`: archives whose arrays can be borrowed. Aligned, reproducible, atomic.

mod atomic;
mod body;
mod copy;
mod many;
mod member;
mod npy;
mod options;
mod rows;
mod savez;
mod sink;
#[cfg(feature = "libdeflate")]
mod whole;

use std::fmt;
use std::io::{Seek, Write};
use std::path::Path;

use crate::archive;
use crate::container::write::{ALIGNMENT, Directory};
use crate::context::SUFFIX;
use crate::error::{ErrorKind, Result};
use crate::npy::dtype::Kind;
use crate::npy::element::Element;
use crate::npy::save::Save;
use crate::options::OpenOptions;
use crate::source::{FileSource, ReadAt, open_regular};

pub use atomic::AtomicFile;
use body::Body;
pub use npy::{NpyRows, NpyWriter, save};
use options::Coding;
pub use options::MemberOptions;
pub use rows::Rows;
pub use savez::{savez, savez_compressed};
use sink::Output;
pub use sink::{Seekable, Sink, Streamed};

/// Where elements begin unless the caller says otherwise: a cache line, and the widest vector register.
const DEFAULT_ALIGNMENT: u64 = 64;

/// Writes an archive: a plain `.npz` that `np.load` reads, and whose stored arrays all begin on a multiple of 64 bytes, so
/// that every reader that maps files can borrow them.
///
/// Equal input gives equal bytes, on any machine of the same byte order: times are NumPy's fixed 1980-01-01.
///
/// | | writes into | gives back |
/// |---|---|---|
/// | [`create`](NpzWriter::create) | a temporary file that takes the target's name when it is finished | nothing |
/// | [`replace`](NpzWriter::replace) | the same, if the target is still the file that was read | nothing |
/// | [`append`](NpzWriter::append) | a clone of the target, which takes its name when it is finished | nothing |
/// | [`new`](NpzWriter::new) | anything that writes and seeks | the sink |
/// | [`stream`](NpzWriter::stream) | anything that writes | the sink |
///
/// ```
/// use ndarray::{Array2, Ix2, array};
/// use npzmap::{Access, Npz, NpzWriter};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("out.npz");
/// let features = Array2::<f32>::zeros((3, 4));
/// let mut w = NpzWriter::create(&path)?;
/// w.add("features", &features)?; // any array of ndarray, any order and strides; slices; strings
/// w.add("labels", &[0_i64, 1, 1])?;
/// w.push(&array![[1, 2], [3, 4]])?; // arr_0, as a positional argument of np.savez
/// w.add_bytes("notes.txt", b"trained on a Tuesday")?;
/// w.finish()?; // nothing is at `path` before
///
/// let npz = Npz::new(std::fs::read(&path)?)?;
/// assert_eq!(npz.member("features")?.payload_offset()?, Some(192));
/// assert_eq!(npz.read::<f32, Ix2>("features")?, features);
/// # Ok::<(), npzmap::Error>(())
/// ```
///
/// What fails leaves the writer as it was: a key that is there already, a damaged member that is copied, rows that are dropped
/// unfinished. Where something was written already, the sink goes back; one that cannot seek holds a piece of a member
/// then, and every further call is [`Unfinished`](ErrorKind::Unfinished), as it is after an error of the sink itself.
pub struct NpzWriter<S: Sink = AtomicFile> {
    output: Output<S>,
    directory: Directory,
    alignment: u64,
    /// The number of the next `arr_N`; nothing after the last that there is.
    pushed: Option<u64>,
    /// A member was begun and not completed.
    broken: bool,
}

impl NpzWriter<AtomicFile> {
    /// Writes an archive at `path`, which is put there whole by [`finish`](NpzWriter::finish) or not at all: see
    /// [`AtomicFile`].
    ///
    /// # Errors
    ///
    /// [`NotRegularFile`](ErrorKind::NotRegularFile) if a directory, a FIFO or a device is there;
    /// [`Io`](ErrorKind::Io) if no file can be made in the folder.
    ///
    /// ```
    /// use npzmap::NpzWriter;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("out.npz");
    /// let mut w = NpzWriter::create(&path)?;
    /// w.add("x", &[1.0, 2.0])?;
    /// drop(w); // changed my mind
    /// assert_eq!(std::fs::read_dir(folder.path())?.count(), 0); // no archive, no temporary file
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Ok(NpzWriter::with(Output::new(AtomicFile::create(path)?, 0), Directory::new()))
    }

    /// Writes an archive at `path`, where nothing is, as [`File::create_new`](std::fs::File::create_new) does. What comes up
    /// there until [`finish`](NpzWriter::finish) stays, and finishing fails.
    ///
    /// # Errors
    ///
    /// As [`create`](NpzWriter::create), and [`Io`](ErrorKind::Io) with
    /// [`AlreadyExists`](std::io::ErrorKind::AlreadyExists) if anything is there, be it a link that leads nowhere.
    ///
    /// ```
    /// use npzmap::{ErrorKind, NpzWriter};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("out.npz");
    /// let mut w = NpzWriter::create_new(&path)?;
    /// w.add("x", &[1.0, 2.0])?;
    /// std::fs::write(&path, "somebody was faster")?;
    /// let error = w.finish().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::AlreadyExists));
    /// assert_eq!(std::fs::read(&path)?, b"somebody was faster");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_new(path: impl AsRef<Path>) -> Result<Self> {
        Ok(NpzWriter::with(Output::new(AtomicFile::create_new(path)?, 0), Directory::new()))
    }

    /// Writes an archive that replaces the file at `path`, which `read` reads, and no other: what is written is made from
    /// that file, by [`copy`](NpzWriter::copy) say.
    ///
    /// # Errors
    ///
    /// As [`create`](NpzWriter::create), and [`FileChanged`](ErrorKind::FileChanged) if another file is at `path`, or it
    /// was written to. [`finish`](NpzWriter::finish) checks this again, so that nothing newer is overwritten: see
    /// [`AtomicFile`].
    ///
    /// ```
    /// use npzmap::{ErrorKind, Npz, NpzWriter};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("a.npz");
    /// # std::fs::copy("tests/data/model-batch.npz", &path)?;
    /// let old = Npz::open(&path)?;
    /// let mut w = NpzWriter::replace(&path, old.source())?;
    /// w.copy(&old.member("labels")?)?;
    /// npzmap::savez(&path, [("newer", &1_u8 as &dyn npzmap::Save)])?; // somebody else
    /// assert!(matches!(w.finish().unwrap_err().kind(), ErrorKind::FileChanged { .. }));
    /// assert!(Npz::open(&path)?.contains("newer"));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn replace(path: impl AsRef<Path>, read: &impl FileSource) -> Result<Self> {
        Ok(NpzWriter::with(Output::new(AtomicFile::replace(path, read)?, 0), Directory::new()))
    }

    /// The file that is written until [`finish`](NpzWriter::finish) gives it its name. Whoever ends the process at a
    /// signal removes it first: nothing is dropped then.
    ///
    /// ```
    /// use npzmap::NpzWriter;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("out.npz");
    /// let w = NpzWriter::create(&path)?;
    /// assert_eq!(w.temporary_path().parent(), path.parent());
    /// assert!(w.temporary_path().exists());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn temporary_path(&self) -> &Path {
        self.output.sink().temporary_path()
    }

    /// Adds to the archive at `path`: a clone of it is written on, and takes its name when it is
    /// [finished](NpzWriter::finish). A crash leaves the old archive. The clone shares its data with the old one where the
    /// file system can do that (Btrfs, XFS), and is copied within the system elsewhere.
    ///
    /// A member whose name is added again is dropped from the directory; its bytes stay in the file until the archive is
    /// written anew, by [`copy`](NpzWriter::copy) or `npz align`. The other members stay as they are, aligned or not. A
    /// comment on the whole archive is lost. To begin an archive, use [`create`](NpzWriter::create).
    ///
    /// # Errors
    ///
    /// As [`Npz::open`](crate::Npz::open). If another file is at `path` by the time this is finished, or it was written to,
    /// [`FileChanged`](ErrorKind::FileChanged), and it stays. Of several that finish at the same time, one succeeds: see
    /// [`AtomicFile`].
    ///
    /// ```
    /// use npzmap::{Npz, NpzWriter};
    /// use ndarray::Ix1;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("log.npz");
    /// # std::fs::copy("tests/data/model-batch.npz", &path)?;
    /// let mut w = NpzWriter::append(&path)?;
    /// w.add("epochs", &[1_u32, 2, 3])?;
    /// w.add("labels", &[9_i64])?; // was there
    /// w.finish()?;
    /// let npz = Npz::open(&path)?;
    /// assert_eq!(npz.keys().collect::<Vec<_>>(), ["features", "sample_ids", "epochs", "labels"]);
    /// assert_eq!(npz.read::<i64, Ix1>("labels")?.to_vec(), [9]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn append(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::append_to(path).map_err(|error| error.in_file(Some(path)))
    }

    fn append_to(path: &Path) -> Result<Self> {
        let old = archive::open(ReadAt::new(open_regular(path)?)?, OpenOptions::new(), u64::MAX)?;
        let mut file = AtomicFile::instead_of(path, old.source.file().try_clone()?, old.source.identity())?;
        let end = old.directory.range().start;
        file.begin_with(end)?;
        old.source.check_unchanged()?;
        let directory = Directory::of(old.directory_bytes()?.to_vec(), old.directory.base());
        // Positional arguments go on after the numbers that are there.
        let number = |name: &str| {
            let number = key_of(name).strip_prefix("arr_").filter(|number| number.bytes().all(|c| c.is_ascii_digit()));
            number?.parse::<u64>().ok()
        };
        let last = directory.old_names().filter_map(number).max();
        let next = last.map_or(Some(0), |last| last.checked_add(1));
        let mut writer = NpzWriter::with(Output::new(file, end), directory);
        writer.pushed = next;
        Ok(writer)
    }

    /// Whether [`finish`](NpzWriter::finish) waits until the file and its name are on the disk. It does, unless this says
    /// otherwise: after a power failure the old archive or the new one is there, whole. It costs what the disk takes to
    /// write the file, seconds for gigabytes; NumPy and the other writers do not do it.
    ///
    /// ```
    /// use npzmap::NpzWriter;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("cache.npz");
    /// let mut w = NpzWriter::create(&path)?.sync(false); // can be made again
    /// w.add("x", &[1.0, 2.0])?;
    /// w.finish()?;
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[must_use]
    pub fn sync(mut self, sync: bool) -> Self {
        self.output.sink_mut().set_sync(sync);
        self
    }
}

impl<W: Write + Seek> NpzWriter<Seekable<W>> {
    /// Writes into anything that can seek, from where it stands. It is left behind the archive, flushed but not synced.
    ///
    /// # Errors
    ///
    /// [`SinkNotAtEnd`](ErrorKind::SinkNotAtEnd) if something follows: what is left of it behind the archive would make
    /// it unreadable.
    ///
    /// ```
    /// use npzmap::{Npz, NpzWriter};
    /// use std::io::Cursor;
    ///
    /// let mut w = NpzWriter::new(Cursor::new(Vec::new()))?;
    /// w.add("x", &[1.0_f64, 2.0])?;
    /// let bytes = w.finish()?.into_inner();
    /// assert!(Npz::new(&bytes)?.contains("x"));
    /// assert!(NpzWriter::new(Cursor::new(bytes)).is_err()); // would be written over
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn new(sink: W) -> Result<Self> {
        let (sink, start) = Seekable::new(sink)?;
        Ok(NpzWriter::with(Output::new(sink, start), Directory::new()))
    }
}

impl<W: Write> NpzWriter<Streamed<W>> {
    /// Writes into anything, front to back. What is not known when a member begins, such as its compressed size, follows
    /// in a data descriptor, as NumPy does it for a pipe; readers that start at the end of the file, as all of `.npz` do,
    /// do not mind. Alignment counts from the first byte that is written here.
    ///
    /// ```
    /// use npzmap::NpzWriter;
    /// use std::process::{Command, Stdio};
    ///
    /// let mut sum = Command::new("cksum").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    /// let mut w = NpzWriter::stream(sum.stdin.take().unwrap());
    /// w.add("x", &[1.0, 2.0])?;
    /// drop(w.finish()?);
    /// assert!(sum.wait()?.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream(sink: W) -> Self {
        NpzWriter::with(Output::new(Streamed::new(sink), 0), Directory::new())
    }
}

impl<S: Sink> NpzWriter<S> {
    fn with(output: Output<S>, directory: Directory) -> Self {
        let alignment = DEFAULT_ALIGNMENT;
        NpzWriter { output, directory, alignment, pushed: Some(0), broken: false }
    }

    /// Where the elements of stored arrays begin: on a multiple of so many bytes, a power of two up to 32 KiB. 4,096 suits
    /// direct I/O, and maps of one array. Holds for the members that follow.
    ///
    /// The room is made by an extra field in the member's local header, which readers skip.
    ///
    /// # Errors
    ///
    /// [`BadAlignment`](ErrorKind::BadAlignment) for any other number.
    ///
    /// ```
    /// use npzmap::{Npz, NpzWriter};
    ///
    /// let mut w = NpzWriter::stream(Vec::new()).align(4096)?;
    /// w.add("x", &[1.0_f32])?;
    /// let npz = Npz::new(w.finish()?)?;
    /// assert_eq!(npz.member("x")?.payload_offset()?, Some(4096));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn align(mut self, bytes: u64) -> Result<Self> {
        if !bytes.is_power_of_two() || bytes > ALIGNMENT {
            let (alignment, most) = (bytes, ALIGNMENT);
            return Err(ErrorKind::BadAlignment { alignment, most }.into());
        }
        self.alignment = bytes;
        Ok(self)
    }

    /// Adds an array under a key, stored. In the archive it is named as NumPy names it: the key, with `.npy`.
    ///
    /// It takes arrays of ndarray by reference, owned, borrowed or either; slices; strings; single values: whatever is
    /// [`Save`]. What is contiguous, in C or in Fortran order, is written as it lies, and `fortran_order` says which, as
    /// NumPy decides it. Other strides are written in C order, gathered in blocks.
    ///
    /// Every stored array can then be borrowed as the type that it was, but for `bf16`: NumPy has no such type, and what
    /// ml_dtypes and this write, `<V2`, is taken by [`reinterpret`](crate::NpyArray::reinterpret). A record of so many fields that its header
    /// is longer than 10,000 characters is read by `np.load` only with `max_header_size`, as NumPy's own.
    ///
    /// # Errors
    ///
    /// [`BadKey`](ErrorKind::BadKey) for a key that is in the archive, longer than a name can be, or with NUL; and for
    /// `x.npy` beside `x`, in either order. Both find a member named `x.npy`, and readers take that of `x` for both. What
    /// [`Save::header`] says; what the sink says.
    ///
    /// ```
    /// use ndarray::{Array2, CowArray, Ix2, s};
    /// use npzmap::{Npz, NpzWriter, Order};
    ///
    /// let image = Array2::from_shape_fn((4, 6), |(y, x)| (10 * y + x) as u16);
    /// let mut w = NpzWriter::stream(Vec::new());
    /// w.add("whole", &image)?;
    /// w.add("turned", &image.t())?;
    /// w.add("part", &image.slice(s![1..3, ..;2]))?;
    /// w.add("maybe", &CowArray::from(&image))?;
    /// w.add("größe", &image.shape()[..].iter().map(|n| *n as u64).collect::<Vec<_>>())?;
    /// assert!(w.add("whole", &[0]).is_err());
    ///
    /// let npz = Npz::new(w.finish()?)?;
    /// assert_eq!(npz.member("turned")?.header()?.order(), Order::Fortran);
    /// assert_eq!(npz.view::<u16, Ix2>("turned")?, image.t());
    /// assert_eq!(npz.view::<u16, Ix2>("part")?.row(0).to_vec(), [10, 12, 14]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn add<A: Save + ?Sized>(&mut self, key: &str, array: &A) -> Result<()> {
        self.add_with(key, array, MemberOptions::new())
    }

    /// The same, stored or compressed as the options say.
    ///
    /// # Errors
    ///
    /// As [`add`](NpzWriter::add); [`BadLevel`](ErrorKind::BadLevel).
    ///
    /// ```
    /// use npzmap::{MemberOptions, Npz, NpzWriter};
    /// use ndarray::{Array2, Ix2};
    ///
    /// let mask = Array2::from_elem((100, 100), true);
    /// let mut w = NpzWriter::stream(Vec::new());
    /// w.add_with("mask", &mask, MemberOptions::new().deflate(6))?;
    /// let npz = Npz::new(w.finish()?)?;
    /// assert!(npz.member("mask")?.compressed_size() < 200);
    /// assert_eq!(npz.read::<bool, Ix2>("mask")?, mask);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn add_with<A: Save + ?Sized>(&mut self, key: &str, array: &A, options: MemberOptions) -> Result<()> {
        self.named(key, SUFFIX, |writer, name| {
            let body = Body::array(&array)?;
            writer.write(name, &body, options.coding.unwrap_or(Coding::Store))
        })
    }

    /// Adds an array as NumPy's positional arguments are: `arr_0`, `arr_1`, …
    ///
    /// # Errors
    ///
    /// As [`add`](NpzWriter::add).
    ///
    /// ```
    /// use npzmap::{Npz, NpzWriter};
    ///
    /// let mut w = NpzWriter::stream(Vec::new());
    /// w.push(&[1.0, 2.0])?;
    /// w.push(&[true])?;
    /// assert_eq!(Npz::new(w.finish()?)?.keys().collect::<Vec<_>>(), ["arr_0", "arr_1"]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn push<A: Save + ?Sized>(&mut self, array: &A) -> Result<()> {
        let problem = "would need a number beyond 64 bits";
        let number = self.pushed.ok_or(ErrorKind::BadKey { problem })?;
        self.add(&format!("arr_{number}"), array)?;
        self.pushed = number.checked_add(1);
        Ok(())
    }

    /// Adds strings: `<U` of the longest for `String` and `&str`, `|S` for `Vec<u8>` and `&[u8]`. [`add`](NpzWriter::add)
    /// does it, too; this refuses what is not text.
    ///
    /// # Errors
    ///
    /// As [`add`](NpzWriter::add). [`BadText`](ErrorKind::BadText) for a string that ends in NUL, which NumPy would take
    /// off. [`DtypeMismatch`](ErrorKind::DtypeMismatch) for numbers.
    ///
    /// ```
    /// use npzmap::{FixedStr, Npz, NpzWriter};
    /// use ndarray::{Ix1, array};
    ///
    /// let mut w = NpzWriter::stream(Vec::new());
    /// w.add_strings("ids", &["train-001", "ä"])?;
    /// w.add_strings("tags", &array![[b"ab".to_vec(), b"c".to_vec()]])?;
    /// let npz = Npz::new(w.finish()?)?;
    /// assert_eq!(npz.view::<FixedStr<9>, Ix1>("ids")?[1], "ä");
    /// assert_eq!(npz.member("tags")?.header()?.dtype().to_string(), "|S2");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn add_strings<A: Save + ?Sized>(&mut self, key: &str, strings: &A) -> Result<()> {
        self.named(key, SUFFIX, |writer, name| {
            is_text(&strings)?;
            writer.write(name, &Body::array(&strings)?, Coding::Store)
        })
    }

    /// Adds bytes that are no array, under exactly this name. [`Member::bytes`](crate::Member::bytes) reads them, as does
    /// `np.load`.
    ///
    /// # Errors
    ///
    /// As [`add`](NpzWriter::add).
    ///
    /// ```
    /// use npzmap::{Npz, NpzWriter};
    ///
    /// let mut w = NpzWriter::stream(Vec::new());
    /// w.add_bytes("config.json", br#"{"lr": 0.1}"#)?;
    /// let npz = Npz::new(w.finish()?)?;
    /// assert_eq!(&*npz.member("config.json")?.bytes()?, br#"{"lr": 0.1}"#);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn add_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.add_bytes_with(name, bytes, MemberOptions::new())
    }

    /// The same, stored or compressed as the options say.
    ///
    /// # Errors
    ///
    /// As [`add_with`](NpzWriter::add_with).
    ///
    /// ```
    /// use npzmap::{MemberOptions, Npz, NpzWriter};
    ///
    /// let log = "epoch 1: fine\n".repeat(1000);
    /// let mut w = NpzWriter::stream(Vec::new());
    /// w.add_bytes_with("log.txt", log.as_bytes(), MemberOptions::new().deflate(6))?;
    /// let npz = Npz::new(w.finish()?)?;
    /// assert!(npz.member("log.txt")?.compressed_size() < 200);
    /// assert_eq!(&*npz.member("log.txt")?.bytes()?, log.as_bytes());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn add_bytes_with(&mut self, name: &str, bytes: &[u8], options: MemberOptions) -> Result<()> {
        self.named(name, "", |writer, name| {
            writer.write(name, &Body::bytes(bytes, 0), options.coding.unwrap_or(Coding::Store))
        })
    }

    /// Begins an array that grows row by row, of more rows than fit in memory. `inner` is the shape of a row; the number of
    /// rows need not be known: it is written into the header at the end, where NumPy reserves room for it.
    ///
    /// # Errors
    ///
    /// As [`add`](NpzWriter::add). [`NotSeekable`](ErrorKind::NotSeekable) from [`stream`](NpzWriter::stream), which must be
    /// told the number: [`rows_with`](NpzWriter::rows_with).
    ///
    /// ```
    /// use npzmap::{Npz, NpzWriter};
    /// use ndarray::Ix2;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("emb.npz");
    /// let mut w = NpzWriter::create(&path)?;
    /// let mut rows = w.rows::<f32>("emb", &[768])?;
    /// for i in 0..1000 {
    ///     rows.push(&[i as f32; 768])?;
    /// }
    /// rows.finish()?;
    /// w.finish()?;
    /// let last = Npz::open(&path)?.array("emb")?.rows(999..1000)?.read::<f32, Ix2>()?;
    /// assert_eq!(last[(0, 767)], 999.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn rows<T: Element>(&mut self, key: &str, inner: &[usize]) -> Result<Rows<'_, T, S>> {
        self.rows_with(key, inner, None, MemberOptions::new())
    }

    /// The same, with the number of rows, if it is known, and options. Rows that are deflated stay so, smaller or not.
    ///
    /// # Errors
    ///
    /// As [`rows`](NpzWriter::rows).
    ///
    /// ```
    /// use npzmap::{MemberOptions, Npz, NpzWriter};
    /// use ndarray::{Array2, Ix2};
    ///
    /// let mut w = NpzWriter::stream(Vec::new());
    /// let mut rows = w.rows_with::<u8>("mask", &[64], Some(1000), MemberOptions::new().deflate(1))?;
    /// rows.extend(&Array2::zeros((1000, 64)))?;
    /// rows.finish()?;
    /// let npz = Npz::new(w.finish()?)?;
    /// assert_eq!(npz.read::<u8, Ix2>("mask")?.dim(), (1000, 64));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn rows_with<T: Element>(
        &mut self,
        key: &str,
        inner: &[usize],
        count: Option<usize>,
        options: MemberOptions,
    ) -> Result<Rows<'_, T, S>> {
        let name = [key, SUFFIX].concat();
        let path = self.output.sink().path().map(Path::to_owned);
        let rows = match self.check_key(key, &name) {
            Ok(()) => Rows::begin(self, &name, inner, count, options),
            Err(error) => Err(error),
        };
        rows.map_err(|error| error.in_member(key.into()).in_file(path.as_deref()))
    }

    /// Where the archive ends so far, in bytes from where it begins: the next member's local header will be there.
    ///
    /// ```
    /// use npzmap::NpzWriter;
    ///
    /// let mut w = NpzWriter::new(std::io::Cursor::new(Vec::new()))?;
    /// w.add("x", &[1.0, 2.0])?;
    /// assert_eq!(w.position(), 192 + 16); // the elements of x begin at 192
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn position(&self) -> u64 {
        self.output.position()
    }

    /// The number of members so far.
    ///
    /// ```
    /// use npzmap::NpzWriter;
    ///
    /// let mut w = NpzWriter::stream(Vec::new());
    /// w.add("x", &[1.0])?;
    /// assert_eq!(w.len(), 1);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn len(&self) -> u64 {
        self.directory.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// assert!(npzmap::NpzWriter::stream(Vec::new()).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Completes the archive. From [`create`](NpzWriter::create) and [`append`](NpzWriter::append), it then has its name;
    /// else the sink is given back.
    ///
    /// # Errors
    ///
    /// [`Unfinished`](ErrorKind::Unfinished) if a member could not be completed; what the sink says.
    ///
    /// ```
    /// let sink = npzmap::NpzWriter::stream(Vec::new()).finish()?;
    /// assert!(sink.starts_with(b"PK\x05\x06")); // empty, as np.savez writes it
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn finish(mut self) -> Result<S::Finished> {
        let path = self.output.sink().path().map(Path::to_owned);
        self.complete().and_then(|()| self.output.finish()).map_err(|error| error.in_file(path.as_deref()))
    }

    fn complete(&mut self) -> Result<()> {
        if self.broken {
            return Err(ErrorKind::Unfinished.into());
        }
        self.output.cover()?;
        let start = self.output.position();
        for piece in self.directory.pieces() {
            self.output.write(piece)?;
        }
        self.output.write(&self.directory.end(start))
    }

    /// Checks the name of a key, drops what it replaces, and does the work; errors get to know key and file.
    fn named(&mut self, key: &str, suffix: &str, work: impl FnOnce(&mut Self, &str) -> Result<()>) -> Result<()> {
        let name = [key, suffix].concat();
        let start = self.output.position();
        let result = self.check_key(key, &name).and_then(|()| work(self, &name));
        match result {
            Ok(()) => self.directory.drop_old(&name),
            Err(_) => self.abandon(start),
        }
        result.map_err(|error| self.about(key, error))
    }
}

fn key_of(name: &str) -> &str {
    name.strip_suffix(SUFFIX).unwrap_or(name)
}

/// Refuses what is not text.
fn is_text(strings: &dyn Save) -> Result<()> {
    let header = strings.header()?;
    let kind = header.dtype().as_scalar().map(|scalar| scalar.kind());
    if matches!(kind, Some(Kind::Str | Kind::Bytes)) {
        return Ok(());
    }
    let (dtype, element) = (header.dtype().to_string(), "text".into());
    Err(ErrorKind::DtypeMismatch { dtype, element }.into())
}

impl<S: Sink> fmt::Debug for NpzWriter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NpzWriter")
            .field("path", &self.output.sink().path())
            .field("len", &self.len())
            .field("position", &self.output.position())
            .finish_non_exhaustive()
    }
}
