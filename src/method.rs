//! How content is compressed.

use std::fmt;

use crate::container::record::method;

/// How a member is compressed (APPNOTE 4.4.5).
///
/// ```
/// use npzmap::{Method, Npz};
///
/// let npz = Npz::open("tests/data/methods.npz")?;
/// let methods: Vec<_> = npz.members().map(|member| member.method()).collect();
/// assert_eq!(methods, [Method::Stored, Method::Deflated, Method::Bzip2, Method::Lzma]);
/// assert_eq!(methods[3].to_string(), "lzma");
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// As it is.
    Stored,
    /// By deflate, as `np.savez_compressed` does.
    Deflated,
    /// By bzip2.
    Bzip2,
    /// By LZMA.
    Lzma,
    /// By Zstandard.
    Zstd,
    /// By another method, of this number.
    Other(u16),
}

impl Method {
    pub(super) fn from_number(number: u16) -> Self {
        match number {
            method::STORED => Method::Stored,
            method::DEFLATED => Method::Deflated,
            method::BZIP2 => Method::Bzip2,
            method::LZMA => Method::Lzma,
            method::ZSTD => Method::Zstd,
            number => Method::Other(number),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Stored => "stored",
            Method::Deflated => "deflated",
            Method::Bzip2 => "bzip2",
            Method::Lzma => "lzma",
            Method::Zstd => "zstd",
            Method::Other(number) => return number.fmt(f),
        })
    }
}
