//! How an archive is opened: what may be spent, what is checked, which duplicate counts.

use crate::container::directory::Duplicates;
use crate::limits::Limits;
#[cfg(doc)]
use crate::npz::Npz;

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
    /// Whenever they are decoded or copied whole; what is borrowed, or read in part, is not read to its end for it.
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
    pub(crate) duplicates: Duplicates,
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
}
