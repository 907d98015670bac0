//! What an untrusted file may make the reader spend.

/// Budgets for reading. The defaults suit every real archive and keep a hostile one small.
///
/// Stored members that are borrowed have no limit, since nothing is allocated for them; those that are copied
/// are bounded by the bytes that the file really has; but text that becomes a `String` for each item is held against
/// [`max_decoded_bytes`](Limits::max_decoded_bytes) as what it becomes.
///
/// ```
/// use npzmap::{Fault, Limits, OpenOptions};
/// use ndarray::Ix2;
///
/// let limits = Limits::new().max_decoded_bytes(40);
/// let npz = OpenOptions::new().limits(limits).open("tests/data/model-batch.npz")?;
/// let error = npz.read::<f32, Ix2>("features").unwrap_err(); // compressed, 48 bytes
/// assert_eq!(error.kind().fault(), Fault::Limit);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) header_bytes: u32,
    pub(crate) decoded_bytes: u64,
}

/// Nested brackets in the text of a header.
pub(crate) const HEADER_DEPTH: u32 = 64;
/// Records within records.
pub(crate) const DTYPE_DEPTH: u32 = 32;
/// Fields of a dtype, nested ones counted.
pub(crate) const DTYPE_FIELDS: u32 = 4_096;
/// Dimensions, as NumPy 2 has them.
pub(crate) const DIMENSIONS: usize = 64;
/// Bytes of one item: NumPy's `int`.
#[expect(clippy::as_conversions, reason = "a constant that fits")]
pub(crate) const ITEM_SIZE: u64 = i32::MAX as u64;

/// NumPy holds the lengths of a sub-array's axes in a C `int`.
pub(crate) fn is_length_of_subarray(length: usize) -> bool {
    i32::try_from(length).is_ok()
}

/// Deflate's best: 258 bytes for two bits, rounded up.
pub(crate) const DEFLATE_RATIO: u64 = 1_032;

impl Limits {
    /// The defaults: headers of 1 MiB, members that decode to 16 GiB.
    ///
    /// ```
    /// use npzmap::Limits;
    ///
    /// const SMALL: Limits = Limits::new().max_header_bytes(10_000).max_decoded_bytes(1 << 20);
    /// assert_ne!(SMALL, Limits::new());
    /// assert_eq!(Limits::default(), Limits::new());
    /// ```
    pub const fn new() -> Self {
        Limits { header_bytes: 1 << 20, decoded_bytes: 16 << 30 }
    }

    /// The longest text of a `.npy` header, in bytes (1 MiB). NumPy's own limit is 10,000 characters, which real
    /// files with wide records exceed.
    ///
    /// ```
    /// use npzmap::{Limits, OpenOptions};
    /// use ndarray::IxDyn;
    ///
    /// let options = OpenOptions::new().limits(Limits::new().max_header_bytes(100));
    /// let npz = options.open("tests/data/model-batch-stored.npz")?;
    /// let error = npz.read::<f32, IxDyn>("features").unwrap_err();
    /// assert!(error.to_string().contains(".npy header bytes: 118 is more than the limit of 100"));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub const fn max_header_bytes(mut self, bytes: u32) -> Self {
        self.header_bytes = bytes;
        self
    }

    /// The most that one compressed member may decode to in memory, in bytes (16 GiB). Whatever is set here, a
    /// deflated member is refused when it claims more than 1,032 times its compressed size.
    ///
    /// ```
    /// use npzmap::{Limits, OpenOptions};
    /// use ndarray::Ix2;
    ///
    /// let options = OpenOptions::new().limits(Limits::new().max_decoded_bytes(40));
    /// let deflated = options.open("tests/data/model-batch.npz")?;
    /// assert!(deflated.read::<f32, Ix2>("features").is_err()); // 48 bytes
    /// let stored = options.open("tests/data/model-batch-stored.npz")?;
    /// assert_eq!(stored.read::<f32, Ix2>("features")?.sum(), 66.0); // nothing is decoded
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub const fn max_decoded_bytes(mut self, bytes: u64) -> Self {
        self.decoded_bytes = bytes;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits::new()
    }
}
