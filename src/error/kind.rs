//! What can go wrong, sorted by who can mend it, each with the row of `docs/hostile.md` that it answers.

use std::io;

use super::{Fault, Reason};

/// What went wrong. [`rule`](ErrorKind::rule) names the row of `docs/hostile.md` behind it.
///
/// ```
/// use npzmap::{ErrorKind, Npz};
/// use ndarray::Ix1;
///
/// let npz = Npz::open("tests/data/model-batch.npz")?;
/// let weights = match npz.read::<f32, Ix1>("weights") {
///     Err(error) if matches!(error.kind(), ErrorKind::NoSuchKey) => None, // they are optional
///     weights => Some(weights?),
/// };
/// assert_eq!(weights, None);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    // The system.
    /// The operating system refused a call.
    #[error("{0}")]
    Io(io::Error),
    /// There is no memory for a buffer of this many bytes.
    #[error("no memory for {bytes} bytes")]
    OutOfMemory {
        /// The size of the buffer.
        bytes: u64,
    },
    /// A directory, FIFO, socket or device was opened.
    #[error(
        "{found}, not a regular file; Npz::new takes the bytes of what is not a file, NpzWriter::stream writes to it"
    )]
    NotRegularFile {
        /// What it is.
        found: &'static str,
    },
    /// The file is not the one that was opened any more.
    #[error("the file changed since it was opened: its {what} is another")]
    FileChanged {
        /// What differs: device or inode (another file has its name), length, or time of modification.
        what: &'static str,
    },
    /// `map_if_safe` found no proof that the file cannot change.
    #[error(
        "the kernel does not guarantee that this file stays as it is (a sealed memfd or fs-verity would); \
         use Npz::open, or Npz::map and its contract"
    )]
    NotImmutable,

    // The file: the container.
    /// There is no end record (APPNOTE 4.3.16).
    #[error(
        "no ZIP end record in its {size} bytes: not an .npz archive, or cut off; Npz::new takes an archive's bytes, Npz::open its path"
    )]
    NotAnArchive {
        /// The length of what was searched.
        size: u64,
    },
    /// Bytes follow the end record and its comment.
    #[error("{count} bytes follow the end record")]
    TrailingBytes {
        /// How many.
        count: u64,
    },
    /// Two end records both close the file.
    #[error("two end records close the file, this one and one at byte {other:#x}; readers would disagree")]
    AmbiguousEnd {
        /// Where the other one lies.
        other: u64,
    },
    /// The members are found both where the offsets say and behind a prefix.
    #[error("the members are found with and without a prefix of {base} bytes; readers would disagree")]
    AmbiguousStart {
        /// The length of the prefix.
        base: u64,
    },
    /// The offsets fit neither with nor without a prefix.
    #[error("the end record puts {base} bytes before the archive, but no member lies where that leads")]
    PrefixMismatch {
        /// The length of the prefix that the end record implies.
        base: u64,
    },
    /// The end record and the central directory disagree.
    #[error("{field} of the central directory: the end record says {found}, but it is {expected}")]
    DirectoryMismatch {
        /// Which field of the end record.
        field: &'static str,
        /// What the end record says.
        found: u64,
        /// What is the case.
        expected: u64,
    },
    /// A record of the central directory cannot be read.
    #[error("central directory: {problem}")]
    BadDirectory {
        /// What is wrong with the record at the error's offset.
        problem: &'static str,
    },
    /// The archive is spread over several disks.
    #[error("{field} is {found}: archives on several disks are not supported")]
    MultiDisk {
        /// Which field of the end record.
        field: &'static str,
        /// Its value.
        found: u64,
    },
    /// The zip64 end record or its locator is not right (APPNOTE 4.3.14, 4.3.15).
    #[error("zip64: {field} is {found}, expected {expected}")]
    BadZip64 {
        /// Which field.
        field: &'static str,
        /// What it holds.
        found: u64,
        /// What it must hold.
        expected: u64,
    },

    // The file: one member.
    /// The local header disagrees with the central directory.
    #[error("the local header's {field} is {local}, the central directory's {directory}")]
    HeaderMismatch {
        /// Which field.
        field: &'static str,
        /// Its value in the local header.
        local: String,
        /// Its value in the central directory.
        directory: String,
    },
    /// The member's bytes reach over something else.
    #[error("bytes up to {end:#x} reach over {what} at {start:#x}")]
    Overlap {
        /// Where the bytes of this member, or of one before it, end at the least.
        end: u64,
        /// What they reach over.
        what: &'static str,
        /// Where that starts.
        start: u64,
    },
    /// Several members have this name.
    #[error("several members have this name; Duplicates::Last takes the last one, as NumPy does")]
    DuplicateName,
    /// The zip64 extra field of the directory record is not right (APPNOTE 4.5.3).
    #[error("zip64 extra field: {problem}")]
    BadZip64Extra {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The extra field of the directory record is not well formed (APPNOTE 4.5.1).
    #[error("the extra field of the central directory runs over its end")]
    BadExtra,
    /// A stored member whose two sizes differ.
    #[error("stored, but {compressed} bytes of data for {size} bytes of content")]
    StoredSizes {
        /// The compressed size.
        compressed: u64,
        /// The size.
        size: u64,
    },
    /// The member is encrypted.
    #[error("encrypted (flags {flags:#06x}); decrypt the archive first, npzmap never does")]
    Encrypted {
        /// The general purpose flags (APPNOTE 4.4.4).
        flags: u16,
    },
    /// The member is patched data, or its header is masked.
    #[error("general purpose flags {flags:#06x}: patched data is not supported")]
    UnsupportedFlags {
        /// The general purpose flags (APPNOTE 4.4.4).
        flags: u16,
    },
    /// The member asks for a later version of the ZIP format than there is (APPNOTE 4.4.3).
    #[error("needs version {}.{} of the ZIP format; known are those up to 6.3", .version / 10, .version % 10)]
    UnsupportedVersion {
        /// Ten times the version, as the directory has it.
        version: u8,
    },
    /// The compression method is not supported, or not compiled in.
    #[error("compression method {method} is not supported{}", method_hint(*.method))]
    UnsupportedMethod {
        /// The number of the method (APPNOTE 4.4.5).
        method: u16,
    },
    /// The name is not a key.
    #[error("the member's name {problem}")]
    BadName {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Deflate cannot shrink data that much.
    #[error("{compressed} deflated bytes cannot hold {size} bytes")]
    ImplausibleSize {
        /// The compressed size.
        compressed: u64,
        /// The declared size.
        size: u64,
    },
    /// The compressed data is damaged.
    #[error("compressed data: {problem}")]
    BadStream {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The CRC-32 of the content is not the one of the central directory.
    #[error("CRC-32 is {computed:#010x}, the central directory says {stored:#010x}: the data is damaged")]
    Checksum {
        /// The CRC of the bytes.
        computed: u32,
        /// The CRC in the central directory.
        stored: u32,
    },

    // The file: one array.
    /// The member does not begin with `\x93NUMPY`.
    #[error("not an .npy array, which would begin with \\x93NUMPY; bytes() gives its content")]
    NotAnArray,
    /// A version of the `.npy` format other than 1.0, 2.0, 3.0.
    #[error(".npy version {major}.{minor}; known are 1.0, 2.0 and 3.0")]
    NpyVersion {
        /// Major version.
        major: u8,
        /// Minor version.
        minor: u8,
    },
    /// The header is longer than the member.
    #[error("the .npy header needs {needed} bytes, the member has {available}")]
    HeaderLength {
        /// Magic, length field and header.
        needed: u64,
        /// The size of the member.
        available: u64,
    },
    /// The header's text is not the dict that NEP 1 describes.
    #[error(".npy header: expected {expected}, found {found}")]
    BadHeader {
        /// What the grammar wants at this place.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// `fortran_order` is neither `True` nor `False`.
    #[error("fortran_order is {found}, expected True or False")]
    BadOrder {
        /// What stands there.
        found: String,
    },
    /// `shape` is no tuple of at most 64 non-negative integers.
    #[error("shape: expected {expected}, found {found}")]
    BadShape {
        /// What the grammar wants at this place.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The array would not fit the address space.
    #[error("an array of shape {shape:?} with items of {item_size} bytes cannot be addressed")]
    ShapeOverflow {
        /// The shape.
        shape: Vec<usize>,
        /// The size of an item in bytes.
        item_size: usize,
    },
    /// `descr` is no dtype as NumPy prints it.
    #[error("dtype: {problem}: {found}")]
    BadDtype {
        /// What is wrong.
        problem: &'static str,
        /// What stands there.
        found: String,
    },
    /// The member holds more or fewer bytes than its header says.
    #[error("the header asks for {expected} bytes of elements, the member has {found}")]
    PayloadLength {
        /// The bytes after the header.
        found: u64,
        /// The bytes that shape and dtype need.
        expected: u64,
    },
    /// An element whose bytes are no value of the Rust type.
    #[error("element {index} is no valid {element}; its bytes can be taken as u8")]
    InvalidElement {
        /// Its position among the elements as they lie in the file.
        index: usize,
        /// The Rust type.
        element: String,
    },
    /// A string that is no text.
    #[error("string {index}: {problem}")]
    BadText {
        /// Its position among the elements as they lie in the file.
        index: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Python objects, which only Python can load.
    #[error(
        "the array holds pickled Python objects, which are never run here. If you trust the file, rewrite it in Python: \
         d = dict(np.load('in.npz', allow_pickle=True)); \
         np.savez('out.npz', **{{k: np.array(v.tolist()) if v.dtype.hasobject else v for k, v in d.items()}})"
    )]
    Pickled,

    // The request.
    /// No member has this name.
    #[error("no such key")]
    NoSuchKey,
    /// The file's dtype is not the Rust type's.
    #[error("the dtype is {dtype}, not {element}{}", dtype_hint(.dtype))]
    DtypeMismatch {
        /// The file's dtype, as NumPy prints it.
        dtype: String,
        /// The Rust type that was asked for.
        element: String,
    },
    /// The record has no such field.
    #[error("no field {field:?} in {dtype}")]
    NoSuchField {
        /// The name, or the rest of a path.
        field: String,
        /// The dtype in which it was looked for, as NumPy prints it.
        dtype: String,
    },
    /// There are not that many rows.
    #[error("rows {start}..{end} of {rows}")]
    RowsOutOfRange {
        /// The first row that was asked for.
        start: usize,
        /// The row after the last.
        end: usize,
        /// The length of axis 0.
        rows: usize,
    },
    /// An index that is not one, or does not fit the shape.
    #[error("{problem}")]
    BadSelection {
        /// What is wrong with it.
        problem: String,
    },
    /// The array has another number of dimensions.
    #[error("the array has {found} dimensions, not {expected}; shape() returns its shape, and IxDyn takes any")]
    DimensionMismatch {
        /// The array's number of dimensions.
        found: usize,
        /// The number that was asked for.
        expected: usize,
    },
    /// The memory to read into has another shape.
    #[error("the array's shape is {found:?}, the destination's {expected:?}")]
    ShapeMismatch {
        /// The array's shape.
        found: Vec<usize>,
        /// The destination's shape.
        expected: Vec<usize>,
    },
    /// Elements of no bytes, which a tiny file can declare without end.
    #[error("{count} items of 0 bytes are not made into an array; header() gives dtype and shape")]
    ZeroSizedItems {
        /// How many the header declares.
        count: usize,
    },
    /// `view` never copies.
    #[error("cannot borrow as {element}: {reason}; {}", .reason.next_step(.element))]
    CannotBorrow {
        /// The Rust type that was asked for.
        element: String,
        /// Why not.
        reason: Reason,
    },

    // The request: writing.
    /// A member cannot have this name.
    #[error("the key {problem}")]
    BadKey {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Elements cannot be aligned to this.
    #[error("alignment {alignment}: expected a power of two, at most {most}")]
    BadAlignment {
        /// What was asked for, in bytes.
        alignment: u64,
        /// The most that is possible, in bytes.
        most: u64,
    },
    /// Deflate has no such level.
    #[error("compression level {level}: expected 0 to 9")]
    BadLevel {
        /// What was asked for.
        level: u32,
    },
    /// The number of rows is only known at the end, and the sink cannot go back to write it.
    #[error("the sink cannot seek, so that the number of rows must be given beforehand: rows_with(…, Some(count), …)")]
    NotSeekable,
    /// Another number of rows than was announced.
    #[error("{found} rows, {expected} were announced")]
    RowCount {
        /// The number of rows that were added.
        found: usize,
        /// The number that was given beforehand.
        expected: usize,
    },
    /// A member was begun and not completed: an error came in between, or rows were dropped.
    #[error("a member was not written whole; nothing can be added any more, and the archive is not completed")]
    Unfinished,
    /// The file is complete and has its name, but the system did not say that the name is on the disk.
    #[error("the file is complete and in its place, but its folder could not be synced: {0}")]
    NotSynced(#[source] io::Error),
    /// The sink has bytes behind the place where writing would begin.
    #[error("{bytes} bytes follow the place where writing would begin; use an empty sink, or truncate it")]
    SinkNotAtEnd {
        /// How many.
        bytes: u64,
    },
    /// The sink is not where the bytes that were written would have left it.
    #[error(
        "the sink stands at byte {found:#x}, expected {expected:#x}: somebody else writes to it, or it always appends"
    )]
    SinkMoved {
        /// Where it is.
        found: u64,
        /// Where it should be.
        expected: u64,
    },
    /// The elements of a stored member would not be aligned.
    #[error("the elements would begin at byte {offset:#x}, which is not {alignment}-aligned")]
    NotAligned {
        /// Where they would begin.
        offset: u64,
        /// The alignment that was asked for, in bytes.
        alignment: u64,
    },

    // A limit.
    /// A budget of [`Limits`](crate::Limits) or of the implementation.
    #[error("{what}: {found} is more than the limit of {limit}{}", limit_hint(.what))]
    LimitExceeded {
        /// What is limited.
        what: &'static str,
        /// What the file asks for.
        found: u64,
        /// What is allowed.
        limit: u64,
    },
}

pub(crate) const UNNEEDED_ZIP64: &str = "not needed, and it disagrees with the record";

pub(crate) const DECODED_BYTES: &str = "decoded bytes of one member";
pub(crate) const HEADER_BYTES: &str = ".npy header bytes";
pub(crate) const DTYPE_FIELDS: &str = "fields of the dtype";
pub(crate) const HEADER_DEPTH: &str = "nesting of the header";
pub(crate) const DTYPE_DEPTH: &str = "nesting of the dtype";
pub(crate) const ITEM_SIZE: &str = "bytes of an item";
pub(crate) const DIRECTORY_BYTES: &str = "bytes of the central directory";

fn limit_hint(what: &str) -> &'static str {
    match what {
        DECODED_BYTES => "; Limits::max_decoded_bytes raises it",
        HEADER_BYTES => "; Limits::max_header_bytes raises it",
        _ => "",
    }
}

fn method_hint(method: u16) -> &'static str {
    match method {
        8 => ": npzmap was built without the feature 'deflate'",
        12 => " (bzip2): npzmap was built without the feature 'methods'",
        14 => " (LZMA): npzmap was built without the feature 'methods'",
        93 => " (zstd): npzmap was built without the feature 'zstd'",
        _ => "",
    }
}

fn dtype_hint(dtype: &str) -> &'static str {
    match dtype {
        "|V2" => {
            "; two bytes of no kind are how ml_dtypes writes bfloat16: reinterpret::<bf16>(), if they are that, \
             or a record! with a bf16 for a field"
        }
        // Padding apart, which has no name.
        dtype if dtype.replace("('', '|V2'", "").contains("'|V2'") => {
            "; a field of two bytes of no kind is how ml_dtypes writes bfloat16: a record! with a bf16 takes it as that"
        }
        dtype if dtype.contains("M8") || dtype.contains("m8") => "; reinterpret::<i64>() gives the counts",
        _ => "",
    }
}

impl ErrorKind {
    /// Who can mend it.
    ///
    /// ```
    /// use npzmap::{Fault, Npz};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.member("lables").unwrap_err().kind().fault(), Fault::Request);
    /// assert_eq!(Npz::open("tests/data/plain.npy").unwrap_err().kind().fault(), Fault::File);
    /// assert_eq!(Npz::open("tests/data/none.npz").unwrap_err().kind().fault(), Fault::System);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn fault(&self) -> Fault {
        use ErrorKind as K;
        match self {
            K::Io(_)
            | K::OutOfMemory { .. }
            | K::NotRegularFile { .. }
            | K::NotImmutable
            | K::FileChanged { .. }
            | K::NotSynced(_) => Fault::System,
            K::NoSuchKey
            | K::DtypeMismatch { .. }
            | K::NoSuchField { .. }
            | K::RowsOutOfRange { .. }
            | K::BadSelection { .. }
            | K::DimensionMismatch { .. }
            | K::ShapeMismatch { .. }
            | K::ZeroSizedItems { .. }
            | K::CannotBorrow { .. }
            | K::BadKey { .. }
            | K::BadAlignment { .. }
            | K::BadLevel { .. }
            | K::NotSeekable
            | K::RowCount { .. }
            | K::Unfinished
            | K::SinkNotAtEnd { .. }
            | K::SinkMoved { .. }
            | K::NotAligned { .. } => Fault::Request,
            K::LimitExceeded { .. } => Fault::Limit,
            _ => Fault::File,
        }
    }

    /// Whether the file may be sound but uses what npzmap does not read: pickled objects, encryption, patches,
    /// other compression methods.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/object.npz")?;
    /// let error = npz.read_any("objects").unwrap_err();
    /// assert!(error.kind().is_unsupported()); // sound, but pickled
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn is_unsupported(&self) -> bool {
        use ErrorKind as K;
        matches!(
            self,
            K::Pickled
                | K::Encrypted { .. }
                | K::UnsupportedFlags { .. }
                | K::UnsupportedMethod { .. }
                | K::UnsupportedVersion { .. }
        )
    }

    /// The identifier of the row in `docs/hostile.md` that this answers, if it answers one.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/object.npz")?;
    /// assert_eq!(npz.read_any("objects").unwrap_err().kind().rule(), Some("N10"));
    /// assert_eq!(npz.read_any("plane").unwrap_err().kind().rule(), None); // no fault of the file
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn rule(&self) -> Option<&'static str> {
        use ErrorKind as K;
        Some(match self {
            K::HeaderMismatch { field, .. } => match *field {
                "CRC-32" | "size" | "compressed size" => "Z2",
                _ => "Z1",
            },
            K::Overlap { .. } => "Z5",
            K::DuplicateName => "Z6",
            K::NotAnArchive { .. } | K::AmbiguousEnd { .. } => "Z8",
            K::TrailingBytes { .. } => "Z9",
            K::AmbiguousStart { .. } | K::PrefixMismatch { .. } => "Z10",
            K::DirectoryMismatch { .. } | K::BadDirectory { .. } => "Z11",
            K::MultiDisk { .. } => "Z12",
            K::BadZip64 { .. } => "Z13",
            K::BadZip64Extra { problem: UNNEEDED_ZIP64 } => "Z15",
            K::BadZip64Extra { .. } => "Z14",
            K::BadExtra => "Z16",
            K::StoredSizes { .. } => "Z17",
            K::Encrypted { .. } | K::UnsupportedFlags { .. } => "Z18",
            K::UnsupportedMethod { method: 12 | 14 | 93 } => "Z19",
            K::UnsupportedMethod { .. } => "Z20",
            K::BadName { problem: names::NUL | names::CUT } => "Z21",
            K::BadName { .. } => "Z22",
            K::ImplausibleSize { .. } => "Z25",
            K::BadStream { .. } => "Z26",
            K::Checksum { .. } => "Z27",
            K::UnsupportedVersion { .. } => "Z28",
            K::NotAnArray => "N1",
            K::NpyVersion { .. } => "N2",
            K::HeaderLength { .. } => "N3",
            K::BadHeader { .. } => "N5",
            K::BadOrder { .. } => "N6",
            K::BadShape { .. } => "N7",
            K::ShapeOverflow { .. } => "N8",
            K::ZeroSizedItems { .. } => "N9",
            K::Pickled => "N10",
            K::BadDtype { .. } => "N11",
            K::PayloadLength { .. } => "N12",
            K::InvalidElement { .. } => "N13",
            K::BadText { .. } => "N14",
            K::CannotBorrow { reason, .. } => match reason {
                Reason::Misaligned { .. } => "N15",
                Reason::ByteOrder => "N16",
                _ => return None,
            },
            K::NotRegularFile { .. } => "M4",
            K::NotImmutable => "M1",
            K::FileChanged { .. } => "M2",
            K::LimitExceeded { what, .. } => match *what {
                HEADER_BYTES => "N4",
                HEADER_DEPTH | DTYPE_DEPTH => "L2",
                DTYPE_FIELDS | ITEM_SIZE => "L3",
                DIRECTORY_BYTES => "L4",
                DECODED_BYTES => "L5",
                _ => return None,
            },
            K::OutOfMemory { .. } => "L6",
            K::Io(_)
            | K::NotSynced(_)
            | K::NoSuchKey
            | K::DtypeMismatch { .. }
            | K::NoSuchField { .. }
            | K::RowsOutOfRange { .. }
            | K::BadSelection { .. }
            | K::DimensionMismatch { .. }
            | K::ShapeMismatch { .. }
            | K::BadKey { .. }
            | K::BadAlignment { .. }
            | K::BadLevel { .. }
            | K::NotSeekable
            | K::RowCount { .. }
            | K::Unfinished
            | K::SinkNotAtEnd { .. }
            | K::SinkMoved { .. }
            | K::NotAligned { .. } => return None,
        })
    }
}

/// What can be wrong with a name.
pub(crate) mod names {
    pub(crate) const NUL: &str = "contains NUL, where NumPy would cut it";
    pub(crate) const NOT_UTF8: &str = "is marked as UTF-8 and is not";
    pub(crate) const RENAMED: &str = "is another one in its Unicode path field, which some readers prefer";
    pub(crate) const CUT: &str = "is also what NumPy makes of another member's, which it cuts at NUL";
    pub(crate) const CLAIMED: &str = "is also another member's in its Unicode path field, which some readers prefer";
}
