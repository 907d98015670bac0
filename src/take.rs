//! What a listing asks of every array.

use crate::error::Reason;
use crate::npy::array::{self, Access};
use crate::npy::header::Header;

/// What an array is and where it lies, in one look: what a listing asks of every member.
///
/// ```
/// use npzmap::{Access, Npz};
///
/// let npz = Npz::open("tests/data/model-batch-aligned.npz")?;
/// for member in &npz {
///     let layout = member.layout()?; // one read by position; asked one by one, its parts take one each
///     let (dtype, shape) = (layout.header().dtype(), layout.header().shape());
///     println!("{} {dtype} {shape:?} at {:?}", member.key(), layout.payload_offset());
///     assert_eq!(layout.access_in_map(), Some(Access::Borrow));
/// }
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Layout {
    pub(crate) header: Header,
    pub(crate) offset: Option<u64>,
}

impl Layout {
    /// Dtype, shape and order.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.member("features")?.layout()?.header().shape(), [3, 4]);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where in the file the elements begin, in bytes; nothing for a compressed array.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let offset = |path| Ok::<_, npzmap::Error>(Npz::open(path)?.member("features")?.layout()?.payload_offset());
    /// assert_eq!(offset("tests/data/model-batch-stored.npz")?, Some(190));
    /// assert_eq!(offset("tests/data/model-batch.npz")?, None);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn payload_offset(&self) -> Option<u64> {
        self.offset
    }

    /// What a map of this file would do, as [`Member::access_in_map`](crate::Member::access_in_map); nothing for pickled
    /// objects, which can be taken in no way.
    ///
    /// ```
    /// use npzmap::{Access, Npz, Reason};
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let access = npz.member("features")?.layout()?.access_in_map();
    /// assert_eq!(access, Some(Access::Copy(Reason::Compressed)));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn access_in_map(&self) -> Option<Access> {
        if self.header.dtype().has_object() {
            return None;
        }
        Some(match self.offset {
            Some(offset) => array::access_in_map(&self.header, offset),
            None => Access::Copy(Reason::Compressed),
        })
    }
}
