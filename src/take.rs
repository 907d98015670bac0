//! What a listing asks of every array, and the bytes of one.

use crate::error::Reason;
use crate::npy::array::{self, Access};
use crate::npy::header::Header;

/// The bytes of a stored array, with what is needed to make something of them elsewhere: on a GPU, in another library.
///
/// ```
/// use npzmap::Npz;
///
/// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
/// let payload = npz.payload("labels")?;
/// let (dtype, shape) = (payload.header().dtype(), payload.header().shape());
/// assert_eq!((dtype.to_string().as_str(), shape), ("<i8", &[3][..])); // what a buffer is made from
/// assert_eq!(payload.bytes().len(), dtype.item_size() * 3); // and what is copied into it
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    pub(crate) header: Header,
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Payload<'a> {
    /// The elements as they lie.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
    /// let bytes = npz.payload("labels")?.bytes(); // borrowed from `npz`
    /// assert_eq!(bytes[8..16], 1_i64.to_le_bytes());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What they are: dtype with byte order, shape, order of the elements.
    ///
    /// ```
    /// use npzmap::{Npz, Order};
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/kinds-stored.npz")?)?;
    /// let payload = npz.payload("f8-be-f")?;
    /// let header = payload.header(); // the bytes are not swapped, nor put into C order
    /// assert_eq!((header.dtype().is_native(), header.order()), (false, Order::Fortran));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where in the file they begin.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::new(std::fs::read("tests/data/model-batch-aligned.npz")?)?;
    /// let payload = npz.payload("features")?;
    /// assert_eq!(payload.offset(), 192); // to be read by another program
    /// assert_eq!(npz.source()[192..240], *payload.bytes());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The largest power of two that divides their address in memory, at most a page of 4,096 bytes.
    ///
    /// ```
    /// # #[cfg(feature = "mmap")] {
    /// use npzmap::Npz;
    ///
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npz = unsafe { Npz::map("tests/data/model-batch-aligned.npz")? };
    /// assert_eq!(npz.payload("features")?.alignment(), 64); // byte 192 of a page
    /// # }
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn alignment(&self) -> usize {
        1 << self.bytes.as_ptr().addr().trailing_zeros().min(12)
    }
}

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
