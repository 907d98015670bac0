//! Why an array is copied and not borrowed.

use std::fmt;

/// Why an array is copied and not borrowed.
///
/// ```
/// use npzmap::{Access, Npz, Reason};
///
/// let npz = Npz::new(std::fs::read("tests/data/kinds-stored.npz")?)?;
/// let Access::Copy(reason) = npz.array("f8-be-c")?.access::<f64>()? else { panic!("borrowed") };
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
    /// The values of a field are at distances that are not a multiple of their size, as ndarray's strides are.
    /// [`NpyArray::strided`](crate::NpyArray::strided) borrows them.
    Stride {
        /// From one value to the next, in bytes.
        stride: usize,
        /// The size of a value, in bytes.
        size: usize,
    },
    /// A step is negative, which a [`Strided`](crate::Strided) cannot have. [`NpyArray::view`](crate::NpyArray::view) can
    /// borrow the elements.
    NegativeStep,
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
            Reason::NegativeStep => "negative-step",
        }
    }

    /// What can be done, in the words of a Rust program.
    pub(super) fn next_step(&self, element: &str) -> String {
        match self {
            Reason::Compressed => "use get() or read(), or store it with 'npz align --store'".into(),
            Reason::NotInMemory => "use get() or read(), or open the file with Npz::map".into(),
            Reason::ByteOrder => "use get() or read(), which swap it".into(),
            Reason::Misaligned { .. } => {
                format!("use get(), view Unaligned<{element}>, or rewrite with 'npz align'")
            }
            Reason::Stride { .. } => {
                "use strided(), which borrows, or get() or read(), or view the whole record as a Rust type".into()
            }
            Reason::NegativeStep => "use view(), get() or read()".into(),
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
            Reason::NegativeStep => f.write_str("the step is negative"),
            Reason::Misaligned { offset, required } => {
                write!(f, "the data at byte {offset:#x} is not {required}-aligned")
            }
        }
    }
}
