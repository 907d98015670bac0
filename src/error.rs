//! What can go wrong, where, and what to do next.
//!
//! A parser states the [`ErrorKind`] and the offset; the layer that knows the member and the path adds them, once.

mod kind;
mod reason;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use kind::ErrorKind;
pub(crate) use kind::{
    DECODED_BYTES, DIRECTORY_BYTES, DTYPE_DEPTH, DTYPE_FIELDS, HEADER_BYTES, HEADER_DEPTH, ITEM_SIZE, UNNEEDED_ZIP64,
    names,
};
pub use reason::Reason;

/// Why an archive or an array was refused.
///
/// One word wide: what went wrong is the [`kind`](Error::kind), where is the [`path`](Error::path), the
/// [`member`](Error::member) and the [`offset`](Error::offset). The text says all of it:
///
/// ```text
/// model.npz: layers.0.w: cannot borrow as f64: the data at byte 0x37 is not 8-aligned; use get(), view Unaligned<f64>, or rewrite with 'npz align'
/// ```
///
/// # Examples
///
/// ```
/// use npzmap::{ErrorKind, Fault, Npz};
///
/// let error = Npz::new(&b"model.npz"[..]).unwrap_err(); // the bytes of a path, not of an archive
/// assert!(matches!(error.kind(), ErrorKind::NotAnArchive { size: 9 }));
/// assert_eq!(error.kind().fault(), Fault::File);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    offset: Option<u64>,
    member: Option<Box<str>>,
    path: Option<PathBuf>,
}

/// The result of everything that reads.
///
/// ```
/// use npzmap::Npz;
/// use ndarray::Array1;
///
/// fn labels(path: &str) -> npzmap::Result<Array1<i64>> {
///     Npz::open(path)?.read("labels")
/// }
///
/// assert_eq!(labels("tests/data/model-batch.npz")?.to_vec(), [0, 1, 1]);
/// # Ok::<(), npzmap::Error>(())
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What went wrong.
    ///
    /// ```
    /// use npzmap::{ErrorKind, Npz};
    /// use ndarray::Ix1;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let error = npz.read::<f32, Ix1>("features").unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::DimensionMismatch { found: 2, expected: 1 }));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The key of the member that it concerns, if it concerns one.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let error = Npz::open("tests/data/object.npz")?.read_all().unwrap_err();
    /// assert_eq!(error.member(), Some("objects")); // the first that cannot be read
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn member(&self) -> Option<&str> {
        self.0.member.as_deref()
    }

    /// The byte of the file at which it was found; for a compressed member's array header, the byte
    /// of the inflated member; for an [`Io`](ErrorKind::Io) error, the byte from which on was being read.
    ///
    /// ```
    /// use npzmap::Npy;
    ///
    /// let mut bytes = std::fs::read("tests/data/plain.npy")?;
    /// bytes[22] = b'?'; // '<f4' becomes '<?4'
    /// assert_eq!(Npy::new(bytes).unwrap_err().offset(), Some(20));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The archive, if it was opened by path.
    ///
    /// ```
    /// use std::path::Path;
    /// use npzmap::Npz;
    ///
    /// let error = Npz::open("tests/data/plain.npy").unwrap_err(); // no archive
    /// assert_eq!(error.path(), Some(Path::new("tests/data/plain.npy")));
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The kind alone, by value.
    ///
    /// ```
    /// use npzmap::{ErrorKind, Npz};
    /// use ndarray::Ix2;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let error = npz.read::<f64, Ix2>("features").unwrap_err();
    /// let ErrorKind::DtypeMismatch { dtype, .. } = error.into_kind() else { panic!("another error") };
    /// assert_eq!(dtype, "<f4"); // the String, not a copy
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn into_kind(self) -> ErrorKind {
        self.0.kind
    }

    pub(crate) fn at(mut self, offset: u64) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// For an offset within something that itself begins at `start`. A source's own error says where in the source.
    pub(crate) fn relative_to(mut self, start: u64) -> Self {
        if !matches!(self.0.kind, ErrorKind::Io(_)) {
            self.0.offset = self.0.offset.map(|offset| offset.saturating_add(start));
        }
        self
    }

    pub(crate) fn in_member(mut self, name: Cow<'_, str>) -> Self {
        self.0.member.get_or_insert_with(|| name.into());
        self
    }

    pub(crate) fn in_file(mut self, path: Option<&Path>) -> Self {
        if let (None, Some(path)) = (&self.0.path, path) {
            self.0.path = Some(path.to_owned());
        }
        self
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Error(Box::new(Inner { kind, offset: None, member: None, path: None }))
    }
}

impl From<io::Error> for Error {
    /// An error of ours that went through `io::Read` or `io::Write` is what it was.
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(|error| ErrorKind::Io(error).into())
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Io(source) | ErrorKind::NotSynced(source) => source.kind(),
            ErrorKind::OutOfMemory { .. } => io::ErrorKind::OutOfMemory,
            ErrorKind::NoSuchKey => io::ErrorKind::NotFound,
            kind if kind.is_unsupported() => io::ErrorKind::Unsupported,
            kind if kind.fault() == Fault::Request => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.0.path {
            write!(f, "{}: ", path.display())?;
        }
        if let Some(member) = &self.0.member {
            write!(f, "{}: ", Escaped(member))?;
        }
        write!(f, "{}", self.0.kind)?;
        match (self.0.offset, &self.0.kind) {
            // These name the byte where it reads best.
            (None, _) | (_, ErrorKind::CannotBorrow { .. }) => Ok(()),
            (Some(offset), _) => write!(f, " (at byte {offset:#x})"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("offset", &self.0.offset)
            .field("member", &self.0.member)
            .field("path", &self.0.path)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            ErrorKind::Io(error) | ErrorKind::NotSynced(error) => Some(error),
            _ => None,
        }
    }
}

/// A name as text for a message or a terminal: control characters, and those that change the direction of
/// the text, are shown by their code.
///
/// ```
/// use npzmap::Escaped;
///
/// assert_eq!(Escaped("größe\u{1b}[2J").to_string(), "größe\\u{1b}[2J");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0.chars().try_for_each(|c| match c {
            // Format characters by which text can be made to read otherwise than it is (UAX 9, zero widths).
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => {
                write!(f, "{}", c.escape_unicode())
            }
            '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => write!(f, "{}", c.escape_unicode()),
            '\u{e0000}'..='\u{e007f}' => write!(f, "{}", c.escape_unicode()),
            c if c.is_control() => write!(f, "{}", c.escape_default()),
            c => f.write_char(c),
        })
    }
}

/// Who can mend it.
///
/// ```
/// use npzmap::{Fault, Npz};
/// use ndarray::Ix1;
///
/// let npz = Npz::open("tests/data/object.npz")?;
/// let fault = |key| npz.read::<f64, Ix1>(key).err().map(|error| error.kind().fault());
/// assert_eq!(fault("plain"), None);
/// assert_eq!(fault("objects"), Some(Fault::File)); // pickled
/// assert_eq!(fault("plane"), Some(Fault::Request)); // misspelled
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The machine: a failed read, no memory, a file that is no file.
    System,
    /// The file: damaged, crafted, or of a kind that is not supported.
    File,
    /// The call: a key that is not there, another type or shape than the file's.
    Request,
    /// A budget, which [`Limits`](crate::Limits) can raise.
    Limit,
}
