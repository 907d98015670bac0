//! Memory-mapped, zero-copy reading of NumPy's `.npz` archives, safe with any bytes.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod buffer;
mod bytes;
mod container;
mod error;
mod limits;
mod member;
#[cfg(feature = "mmap")]
mod mmap;
mod npy;
mod npz;
mod open;
mod source;

pub use container::directory::Duplicates;
pub use error::{Error, ErrorKind, Escaped, Fault, Reason, Result};
pub use limits::Limits;
pub use member::{Member, Method};
#[cfg(feature = "mmap")]
pub use mmap::Mapping;
pub use npy::array::Access;
pub use npy::dtype::{ByteOrder, DatetimeUnit, Dtype, Field, Kind, Record, Scalar, Subarray, TimeUnit};
pub use npy::element::Element;
pub use npy::header::{Header, Order};
pub use npy::unaligned::{ToAligned, Unaligned};
pub use npz::{Members, Npz};
pub use open::{OpenOptions, Verify};
pub use source::{InMemory, ReadAt, Source};

// The types in signatures, so that callers name the versions that this crate was built with.
pub use ndarray;
pub use num_complex;
