//! Takes arrays out of NumPy's `.npz` archives where they lie: memory-mapped, without a copy, safe with any bytes. And
//! writes archives from which that is possible.
//!
//! An archive is a dictionary of arrays, as NumPy's `NpzFile` is. [`Npz::open`] reads one by position, [`Npz::map`] maps
//! it, [`Npz::new`] takes its bytes. [`Npz::array`] looks an array up and returns its handle, an [`NpyArray`], which has every
//! verb. The first three can be called with the key at once, as can [`read_any`](Npz::read_any):
//!
//! | | copies | needs |
//! |---|---|---|
//! | [`view`](NpyArray::view) | never | a stored, native-endian array in memory, aligned for its type; or [`Unaligned<T>`](Unaligned) |
//! | [`get`](NpyArray::get) | only if it must | nothing |
//! | [`read`](NpyArray::read) | always | nothing |
//! | [`shared`](NpyArray::shared) | never | what `view` needs |
//!
//! [`rows`](NpyArray::rows), [`select`](NpyArray::select), [`field`](NpyArray::field) and
//! [`reinterpret`](NpyArray::reinterpret) return the handle of a part, or of elements of another type.
//!
//! ```
//! use ndarray::{Ix1, Ix2};
//! use npzmap::{Access, Npz, Reason, Unaligned};
//!
//! let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
//!
//! // What will happen, and why:
//! let features = npz.array("features")?;
//! assert_eq!(features.shape(), [3, 4]);
//! if let Access::Copy(Reason::Misaligned { offset, .. }) = features.access::<f32>()? {
//!     assert_eq!(offset, 190); // np.savez aligns nothing
//! }
//!
//! // Borrowed whatever its alignment, borrowed or copied, copied:
//! let view = features.view::<Unaligned<f32>, Ix2>()?;
//! let cow = npz.get::<f32, Ix2>("features")?;
//! let labels = npz.read::<i64, Ix1>("labels")?;
//! assert_eq!((view.sum().get(), cow.sum(), labels[2]), (66.0, 66.0, 1));
//!
//! // A part of it:
//! let rows = features.rows(1..3)?.read::<f32, Ix2>()?;
//! assert_eq!(rows.sum(), 60.0);
//! # Ok::<(), npzmap::Error>(())
//! ```
//!
//! [`NpzWriter`] writes: aligned, so that everything stored can be borrowed; atomic; as `np.load` reads it. [`savez`] does it
//! in one call.
//!
//! # What it can't do
//!
//! Pickled objects are refused, always: no code from a file is ever run. Encrypted archives and archives on several
//! disks are refused. What two readers would read differently is refused, too; `docs/hostile.md` in the
//! repository lists every rule, and [`ErrorKind::rule`] names the one behind an error.
//!
//! # Features
//!
//! - `mmap` (default): [`Npz::map`] and [`Npz::map_if_safe`].
//! - `deflate` (default): compressed members.
//! - `methods` (default): members compressed by bzip2 or LZMA.
//! - `zstd`: members compressed by Zstandard; needs a C compiler.
//! - `write` (default): [`NpzWriter`], [`savez`], [`NpyWriter`].
//! - `half`: `f16` and `bf16`.
//! - `rayon`: [`Npz::read_many`], [`Npz::read_all`] and [`Npz::verify`] on all cores, and one large array; several
//!   members compressed side by side.
//! - `libdeflate`: members are deflated by libdeflate, which is C.
//! - `cli`: the command `npz`; nothing in the library.

mod archive;
mod array;
mod buffer;
mod bytes;
mod container;
mod context;
mod error;
mod found;
mod limits;
mod member;
mod method;
#[cfg(feature = "mmap")]
mod mmap;
mod npy;
mod npz;
mod open;
mod options;
mod plain;
pub mod plan;
mod positioned;
mod section;
mod shared;
mod source;
#[cfg(feature = "rayon")]
mod split;
mod steps;
mod stream;
mod take;
#[cfg(feature = "rayon")]
mod threads;
#[cfg(feature = "write")]
mod writer;

pub use array::{NpyArray, Reader};
pub use container::directory::Duplicates;
pub use error::{Error, ErrorKind, Escaped, Fault, Reason, Result};
pub use limits::Limits;
pub use member::Member;
pub use method::Method;
#[cfg(feature = "mmap")]
pub use mmap::{Advice, Mapping};
pub use npy::any::{AnyArray, RawArray, Visitor};
pub use npy::array::Access;
pub use npy::dtype::{ByteOrder, DatetimeUnit, Dtype, Field, Kind, Record, Scalar, Subarray, TimeUnit};
pub use npy::element::{Element, FieldType};
pub use npy::fixed::{FixedBytes, FixedStr};
pub use npy::header::{Header, Order};
pub use npy::strided::{Strided, StridedIter};
pub use npy::unaligned::{ToAligned, Unaligned};
#[cfg(feature = "write")]
pub use npy::{item::Item, save::Save};
pub use npz::{Members, Npz};
pub use options::{OpenOptions, Verify};
pub use plain::Npy;
pub use shared::SharedArray;
pub use source::{FileSource, ReadAt, Source};
#[cfg(debug_assertions)]
#[doc(hidden)]
pub use steps::taken as __steps_taken;
pub use stream::Stream;
pub use take::Layout;
#[cfg(feature = "write")]
pub use writer::{
    AtomicFile, MemberOptions, NpyRows, NpyWriter, NpzWriter, Rows, Seekable, Sink, Streamed, save, savez,
    savez_compressed,
};

// The types in signatures, so that callers name the versions that this crate was built with.
#[cfg(feature = "half")]
pub use half;
pub use ndarray;
pub use num_complex;

#[cfg(all(doctest, feature = "mmap", feature = "write"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../SECURITY.md")]
struct Security;
