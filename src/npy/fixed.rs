//! Strings of a fixed number of characters or bytes, as they lie in the file.
#![expect(unsafe_code, reason = "transparent wrappers of plain data; bytemuck's derive would add a proc macro")]

use std::borrow::Cow;
use std::fmt;

use bytemuck::{Pod, Zeroable};

use super::dtype::{ByteOrder, Dtype, Kind, Scalar};
use super::element::Element;
use super::text;

/// An item of `<UN`: `N` characters of four bytes, in this machine's byte order and at any address.
///
/// What fills it up, and whether it is text, is looked at when it is asked for.
///
/// ```
/// use npzmap::{FixedStr, Npz};
/// use ndarray::Ix1;
///
/// let npz = Npz::new(std::fs::read("tests/data/model-batch-stored.npz")?)?;
/// let ids = npz.view::<FixedStr<9>, Ix1>("sample_ids")?; // borrowed
/// assert!(ids[1] == "train-002");
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct FixedStr<const N: usize>([[u8; 4]; N]);

// SAFETY: an array of bytes, for which zeros are a value.
unsafe impl<const N: usize> Zeroable for FixedStr<N> {}

// SAFETY: `repr(transparent)` over an array of arrays of bytes: no padding, every bit pattern is a value, `Copy` and
// 'static.
unsafe impl<const N: usize> Pod for FixedStr<N> {}

impl<const N: usize> FixedStr<N> {
    /// The characters' codes, NULs at the end included.
    ///
    /// ```
    /// use npzmap::{FixedStr, Npz};
    /// use ndarray::Ix0;
    ///
    /// let npz = Npz::open("tests/data/shapes.npz")?;
    /// let text = npz.read::<FixedStr<3>, Ix0>("0d-U3")?[()];
    /// assert_eq!(text.codes(), [0x1d11e, 0x21, 0]); // a clef, an exclamation mark, a NUL
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn codes(&self) -> [u32; N] {
        self.0.map(u32::from_ne_bytes)
    }

    /// The text without the NULs that fill it up; nothing if a code is no character.
    ///
    /// ```
    /// use npzmap::{FixedStr, Npz};
    /// use ndarray::Ix0;
    ///
    /// let npz = Npz::open("tests/data/shapes.npz")?;
    /// let text = npz.read::<FixedStr<3>, Ix0>("0d-U3")?[()];
    /// assert_eq!(text.to_text().unwrap(), "\u{1d11e}!");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn to_text(&self) -> Option<String> {
        text::decode_ucs4(self.0.as_flattened(), ByteOrder::NATIVE).ok()
    }
}

impl<const N: usize> Element for FixedStr<N> {
    fn dtype() -> Dtype {
        dtype_of(Kind::Str, N.saturating_mul(4))
    }
}

impl<const N: usize> PartialEq<str> for FixedStr<N> {
    fn eq(&self, other: &str) -> bool {
        let codes = self.codes();
        let filling = codes.iter().rev().take_while(|code| **code == 0).count();
        codes[..N - filling].iter().copied().eq(other.chars().map(u32::from))
    }
}

impl<const N: usize> PartialEq<&str> for FixedStr<N> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl<const N: usize> fmt::Debug for FixedStr<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_text() {
            Some(text) => text.fmt(f),
            None => self.codes().fmt(f),
        }
    }
}

/// An item of `|SN`: `N` bytes.
///
/// ```
/// use npzmap::FixedBytes;
///
/// let item = FixedBytes::<5>::new(*b"ab\0\0\0");
/// assert_eq!((item.as_bytes(), item.to_str()), (&b"ab"[..], Some("ab")));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct FixedBytes<const N: usize>([u8; N]);

// SAFETY: an array of bytes, for which zeros are a value.
unsafe impl<const N: usize> Zeroable for FixedBytes<N> {}

// SAFETY: `repr(transparent)` over an array of bytes: no padding, every bit pattern is a value, `Copy` and 'static.
unsafe impl<const N: usize> Pod for FixedBytes<N> {}

impl<const N: usize> FixedBytes<N> {
    /// Wraps bytes, filled up with NUL.
    ///
    /// ```
    /// use npzmap::FixedBytes;
    ///
    /// const MAGIC: FixedBytes<6> = FixedBytes::new(*b"ID3\0\0\0");
    /// assert_eq!(MAGIC.as_bytes(), b"ID3");
    /// ```
    pub const fn new(bytes: [u8; N]) -> Self {
        FixedBytes(bytes)
    }

    /// All of its bytes, NULs at the end included.
    ///
    /// ```
    /// use npzmap::{FixedBytes, Npz};
    /// use ndarray::Ix0;
    ///
    /// let npz = Npz::open("tests/data/shapes.npz")?;
    /// let item = npz.read::<FixedBytes<5>, Ix0>("0d-S5")?[()];
    /// assert_eq!(item.as_array(), b"abc\0\0");
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub const fn as_array(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes without the NULs that fill it up.
    ///
    /// ```
    /// use npzmap::FixedBytes;
    ///
    /// let item = FixedBytes::new(*b"a\0b\0\0");
    /// assert_eq!(item.as_bytes(), b"a\0b"); // only those at the end fill it up
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        text::trim(&self.0)
    }

    /// The same as text; nothing if it is not UTF-8.
    ///
    /// ```
    /// use npzmap::FixedBytes;
    ///
    /// assert_eq!(FixedBytes::new(*b"abc\0\0").to_str(), Some("abc"));
    /// assert_eq!(FixedBytes::new(*b"caf\xe9\0").to_str(), None); // Latin-1
    /// ```
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }

    /// The same as text, with replacement characters for what is not UTF-8.
    ///
    /// ```
    /// use npzmap::FixedBytes;
    ///
    /// assert_eq!(FixedBytes::new(*b"caf\xe9\0").to_str_lossy(), "caf\u{fffd}"); // Latin-1
    /// ```
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }
}

impl<const N: usize> Element for FixedBytes<N> {
    fn dtype() -> Dtype {
        dtype_of(Kind::Bytes, N)
    }
}

impl<const N: usize> fmt::Debug for FixedBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.as_bytes().escape_ascii())
    }
}

/// The dtype of `size` bytes. No dtype has more than `i32::MAX`; for a type that does, one that no file can mean.
fn dtype_of(kind: Kind, size: usize) -> Dtype {
    Scalar::new(kind, size, ByteOrder::NATIVE).map_or_else(|| Dtype::from(Scalar::VOID), Dtype::from)
}
