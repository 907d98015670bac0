//! Why an array is copied and not borrowed.

use std::fmt;

/// Why an array is copied and not borrowed.
///
/// ```
/// use npzmap::{Access, Npz, Reason};
///
/// let npz = Npz::new(std::fs::read("tests/data/kinds-stored.npz")?)?;
/// let Access::Copy(reason) = npz.member("f8-be-c")?.access::<f64>()? else { panic!("borrowed") };
/// assert_eq!(reason, Reason::ByteOrder);
/// assert_eq!(reason.to_string(), "the elements have the other byte order");
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The member is compressed.
    Compressed,
    /// The source does not lie in memory: it was opened with `Npz::open`.
    NotInMemory,
    /// The elements have the other byte order.
    ByteOrder,
    /// The elements do not lie on a multiple of their alignment, as in most archives of `np.savez`.
    Misaligned {
        /// Where in the file the elements begin, in bytes.
        offset: u64,
        /// The alignment that the type needs, in bytes.
        required: usize,
    },
    /// The values of a field lie at distances that are no multiple of their size, which ndarray's strides are;
    /// `field_strided` lends them.
    Stride {
        /// From one value to the next, in bytes.
        stride: usize,
        /// The size of a value, in bytes.
        size: usize,
    },
}

impl Reason {
    /// One word, as `npz ls` prints it.
    ///
    /// ```
    /// use npzmap::Reason;
    ///
    /// assert_eq!(Reason::Compressed.as_str(), "compressed");
    /// assert_eq!(Reason::Misaligned { offset: 190, required: 4 }.as_str(), "misaligned");
    /// ```
    pub fn as_str(&self) -> &'static str {
        match self {
            Reason::Compressed => "compressed",
            Reason::NotInMemory => "not-in-memory",
            Reason::ByteOrder => "byte-order",
            Reason::Misaligned { .. } => "misaligned",
            Reason::Stride { .. } => "stride",
        }
    }
}

/// Which of the verbs that never copy was refused.
///
/// ```
/// use npzmap::{Asked, ErrorKind, FixedBytes, Npz};
/// use ndarray::IxDyn;
///
/// let npz = Npz::new(std::fs::read("tests/data/model-batch.npz")?)?;
/// let error = npz.view_as::<FixedBytes<8>, IxDyn>("labels").unwrap_err();
/// assert!(matches!(error.kind(), ErrorKind::CannotBorrow { asked: Asked::ViewAs, .. }));
/// assert!(error.to_string().contains("use read_as()"));
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// `view` or `shared`.
    View,
    /// `view_as` or `shared_as`.
    ViewAs,
    /// `field` or `field_strided`.
    Field,
    /// `payload`.
    Payload,
}

impl Asked {
    pub(super) fn next_step(self, reason: &Reason, element: &str) -> String {
        let (copy, swaps, view) = match self {
            Asked::View => ("get() or read()", "swap", "view"),
            Asked::ViewAs => ("read_as()", "swaps", "view_as"),
            Asked::Field => ("read_field()", "swaps", "field of"),
            Asked::Payload => ("read_any()", "swaps", "view"),
        };
        match reason {
            Reason::Compressed => format!("use {copy}, or store it with 'npz align --store'"),
            Reason::NotInMemory => format!("use {copy}, or open the file with Npz::map"),
            Reason::ByteOrder => format!("use {copy}, which {swaps} it"),
            Reason::Stride { .. } => {
                "use field_strided() or read_field(), or view the whole record as a Rust type".into()
            }
            Reason::Misaligned { .. } => {
                let copy = if self == Asked::View { "get()" } else { copy };
                format!("use {copy}, {view} Unaligned<{element}>, or rewrite with 'npz align'")
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Compressed => f.write_str("the member is compressed"),
            Reason::NotInMemory => f.write_str("the archive is read by position, not held in memory"),
            Reason::ByteOrder => f.write_str("the elements have the other byte order"),
            Reason::Stride { stride, size } => {
                write!(f, "the values of {size} bytes lie {stride} bytes apart, which is no multiple")
            }
            Reason::Misaligned { offset, required } => {
                write!(f, "the data at byte {offset:#x} is not {required}-aligned")
            }
        }
    }
}
