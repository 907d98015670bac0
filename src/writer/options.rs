//! How one member is written.

#[cfg(doc)]
use crate::error::ErrorKind;

/// How one member is written: stored, or compressed.
///
/// ```
/// use npzmap::{MemberOptions, Method, Npz, NpzWriter};
/// use std::io::Cursor;
///
/// let mut w = NpzWriter::new(Cursor::new(Vec::new()))?;
/// w.add_with("zeros", &[0_u8; 1000], MemberOptions::new().deflate(6))?;
/// w.add_with("noise", &[3_u8, 1, 4], MemberOptions::new().deflate_if_smaller(6))?;
/// let npz = Npz::new(w.finish()?.into_inner())?;
/// assert_eq!(npz.member("zeros")?.method(), Method::Deflated);
/// let [zeros, noise] = ["zeros", "noise"].map(|key| npz.member(key).unwrap());
/// assert!(zeros.compressed_size() < 200 && noise.method() == Method::Deflated); // its header shrinks
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct MemberOptions {
    pub(super) coding: Option<Coding>,
    pub(super) unchecked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Store,
    Deflate { level: u32, if_smaller: bool },
}

impl MemberOptions {
    /// Refuses a level that there is not.
    pub(super) fn check(self) -> crate::error::Result<()> {
        self.coding.map_or(Ok(()), |coding| coding.check().map(drop))
    }

    /// An array is stored; a member that is [copied](crate::NpzWriter::copy) keeps its method.
    ///
    /// ```
    /// use npzmap::MemberOptions;
    ///
    /// assert_eq!(MemberOptions::new(), MemberOptions::default());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores the member, so that it can be borrowed.
    ///
    /// ```
    /// use npzmap::{MemberOptions, Method, Npz, NpzWriter};
    ///
    /// let compressed = Npz::open("tests/data/model-batch.npz")?;
    /// let mut w = NpzWriter::stream(Vec::new());
    /// w.copy_with(&compressed.member("labels")?, MemberOptions::new().store())?;
    /// let stored = Npz::new(w.finish()?)?;
    /// assert_eq!(stored.member("labels")?.method(), Method::Stored);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn store(mut self) -> Self {
        self.coding = Some(Coding::Store);
        self
    }

    /// Compresses the member: 1 is fast, 6 is what NumPy takes, 9 is small. Another number than 0 to 9 is an error when
    /// the member is written ([`BadLevel`](ErrorKind::BadLevel)).
    ///
    /// ```
    /// use npzmap::{MemberOptions, NpzWriter};
    ///
    /// let size = |level| {
    ///     let mut w = NpzWriter::stream(Vec::new());
    ///     let squares: Vec<u32> = (0..10_000).map(|i| i * i).collect();
    ///     w.add_with("squares", &squares, MemberOptions::new().deflate(level))?;
    ///     Ok::<_, npzmap::Error>(w.finish()?.len())
    /// };
    /// assert!(size(9)? < size(1)?);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn deflate(mut self, level: u32) -> Self {
        self.coding = Some(Coding::Deflate { level, if_smaller: false });
        self
    }

    /// Compresses the member, unless that makes it no smaller: random numbers grow.
    ///
    /// A member of more than 64 MiB is stored only after it was compressed in vain; on a sink that cannot seek, it is
    /// compressed twice.
    ///
    /// ```
    /// use npzmap::{MemberOptions, Method, Npz, NpzWriter};
    ///
    /// let mut random = 1_u64;
    /// let noise: Vec<u64> = (0..1_000_000).map(|_| {
    ///     random ^= random << 13;
    ///     random ^= random >> 7;
    ///     random ^= random << 17;
    ///     random
    /// }).collect();
    /// let mut w = NpzWriter::stream(Vec::new());
    /// w.add_with("noise", &noise, MemberOptions::new().deflate_if_smaller(1))?;
    /// let npz = Npz::new(w.finish()?)?;
    /// assert_eq!(npz.member("noise")?.method(), Method::Stored);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn deflate_if_smaller(mut self, level: u32) -> Self {
        self.coding = Some(Coding::Deflate { level, if_smaller: true });
        self
    }

    /// Whether the CRC-32 of a member that is copied is checked. It is, unless this says otherwise; then the data of a
    /// member that keeps its method are moved without being looked at.
    ///
    /// ```
    /// use npzmap::{ErrorKind, MemberOptions, Npz, NpzWriter};
    ///
    /// let mut bytes = std::fs::read("tests/data/model-batch-stored.npz")?;
    /// bytes[190] ^= 1; // in the data of `features`
    /// let damaged = Npz::new(bytes)?;
    /// let features = damaged.member("features")?;
    ///
    /// let mut w = NpzWriter::stream(Vec::new());
    /// let error = w.copy(&features).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Checksum { .. }));
    /// w.copy_with(&features, MemberOptions::new().verify(false))?;
    /// assert!(Npz::new(w.finish()?)?.verify().is_err()); // damaged as before
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn verify(mut self, verify: bool) -> Self {
        self.unchecked = !verify;
        self
    }
}
