//! The ZIP side (APPNOTE.TXT 6.3.10). It has never heard of NumPy, does no input or output of its own, and cannot panic.
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub(crate) mod decode;
pub(crate) mod directory;
pub(crate) mod end;
pub(crate) mod local;
pub(crate) mod name;
pub(crate) mod record;
#[cfg(feature = "write")]
pub(crate) mod write;
