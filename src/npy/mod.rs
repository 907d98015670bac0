//! The array side (NEP 1 and its versions 2.0 and 3.0). It has never heard of ZIP.

pub(crate) mod any;
pub(crate) mod array;
pub(crate) mod dtype;
pub(crate) mod element;
pub(crate) mod field;
pub(crate) mod fill;
pub(crate) mod fixed;
pub(crate) mod gather;
pub(crate) mod header;
#[cfg(feature = "write")]
pub(crate) mod item;
pub(crate) mod literal;
#[cfg(feature = "write")]
pub(crate) mod save;
pub(crate) mod select;
pub(crate) mod strided;
pub(crate) mod swap;
pub(crate) mod text;
pub(crate) mod tiles;
pub(crate) mod unaligned;
