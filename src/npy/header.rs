//! The preamble of a `.npy`: magic, version, length, and the dict that says what the array is (NEP 1).
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::borrow::Cow;
use std::fmt::Write;

use super::dtype::{Dtype, parse_shape, write_shape};
use super::literal::{Token, Tokens};
use crate::bytes::Cursor;
use crate::error::{Error, ErrorKind, HEADER_BYTES, Result};
use crate::limits::{self, Limits};

const MAGIC: [u8; 6] = *b"\x93NUMPY";
/// As much of a member as tells how long its preamble is.
pub(crate) const PREFIX: usize = 12;

/// What an array is: dtype, shape, order, and the version of the format that says so.
///
/// ```
/// use npzmap::{Npz, Order};
///
/// let header = Npz::open("tests/data/model-batch.npz")?.member("features")?.header()?;
/// assert_eq!((header.dtype().to_string().as_str(), header.shape()), ("<f4", &[3, 4][..]));
/// assert_eq!((header.order(), header.count(), header.nbytes()), (Order::C, 12, 48));
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    dtype: Dtype,
    shape: Vec<usize>,
    order: Order,
    version: (u8, u8),
    /// Bytes before the elements.
    length: usize,
    count: usize,
}

/// In which order the elements lie.
///
/// ```
/// use npzmap::{Npy, Order};
/// use ndarray::Ix2;
///
/// let npy = Npy::open("tests/data/plain-f.npy")?;
/// assert_eq!(npy.header()?.order(), Order::Fortran);
/// assert_eq!(npy.read::<f32, Ix2>()?.strides(), [1, 3]); // kept, not transposed
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// The last axis varies fastest.
    C,
    /// The first axis varies fastest.
    Fortran,
}

impl Header {
    /// A header as `np.save` would write it, in the lowest version that can hold it.
    ///
    /// # Errors
    ///
    /// [`BadShape`](ErrorKind::BadShape) for more than 64 dimensions, [`ShapeOverflow`](ErrorKind::ShapeOverflow)
    /// for an array that no machine can address.
    ///
    /// ```
    /// use npzmap::{Element, ErrorKind, Header, Order};
    ///
    /// let header = Header::new(f64::dtype(), &[1000, 3], Order::C)?;
    /// assert_eq!((header.version(), header.nbytes()), ((1, 0), 24_000));
    /// let error = Header::new(f64::dtype(), &[usize::MAX, 3], Order::C).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::ShapeOverflow { .. }));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn new(dtype: Dtype, shape: &[usize], order: Order) -> Result<Self> {
        if shape.len() > limits::DIMENSIONS {
            let found = shape.len().to_string();
            let expected = "at most 64 dimensions";
            return Err(ErrorKind::BadShape { expected, found }.into());
        }
        let count = count(shape, dtype.item_size())?;
        let mut header = Header { dtype, shape: shape.to_vec(), order, version: (1, 0), length: 0, count };
        let (version, text) = header.encode();
        header.version = version;
        header.length = text.len();
        Ok(header)
    }

    /// The dtype.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let dtype = |key| npz.member(key)?.header().map(|header| header.dtype().to_string());
    /// assert_eq!((dtype("labels")?, dtype("sample_ids")?), ("<i8".into(), "<U9".into()));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn dtype(&self) -> &Dtype {
        &self.dtype
    }

    /// The length of each axis; empty for a 0-dimensional array, which has one element.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/weights.npz")?;
    /// assert_eq!(npz.member("encoder/weight")?.header()?.shape(), [3, 4]);
    /// assert_eq!(npz.member("optim/step")?.header()?.shape(), []);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The order of the elements.
    ///
    /// ```
    /// use npzmap::{Npz, Order};
    ///
    /// let npz = Npz::open("tests/data/kinds-stored.npz")?;
    /// assert_eq!(npz.member("f4-le-c")?.header()?.order(), Order::C);
    /// assert_eq!(npz.member("f4-le-f")?.header()?.order(), Order::Fortran);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn order(&self) -> Order {
        self.order
    }

    /// The version of the `.npy` format: `(1, 0)`, `(2, 0)` or `(3, 0)`.
    ///
    /// ```
    /// use npzmap::{Header, Order};
    ///
    /// let version = |descr: &str| Header::new(descr.parse()?, &[], Order::C).map(|header| header.version());
    /// assert_eq!(version("[('größe', '<f4')]")?, (1, 0)); // Latin-1
    /// assert_eq!(version("[('β', '<f4')]")?, (3, 0)); // UTF-8
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn version(&self) -> (u8, u8) {
        self.version
    }

    /// The number of bytes before the elements: magic, version, length field and text.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// let member = npz.member("features")?;
    /// let header = member.header()?;
    /// assert_eq!((header.preamble_size(), header.nbytes()), (128, 48));
    /// assert_eq!(member.size(), 128 + 48);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn preamble_size(&self) -> usize {
        self.length
    }

    /// The number of elements.
    ///
    /// ```
    /// use npzmap::{Element, Header, Order};
    ///
    /// let count = |shape: &[usize]| Header::new(f32::dtype(), shape, Order::C).map(|header| header.count());
    /// assert_eq!((count(&[3, 4])?, count(&[])?, count(&[3, 0])?), (12, 1, 0));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number of bytes of all elements.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/model-batch.npz")?;
    /// assert_eq!(npz.member("sample_ids")?.header()?.nbytes(), 3 * 9 * 4);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn nbytes(&self) -> usize {
        // Checked when the header was made.
        self.count.saturating_mul(self.dtype.item_size())
    }

    /// The preamble as `np.save` writes it, padded so that the elements begin on a multiple of 64 bytes.
    ///
    /// ```
    /// use npzmap::{Header, Order};
    ///
    /// let header = Header::new("<f4".parse()?, &[3, 4], Order::C)?;
    /// let bytes = header.to_bytes();
    /// assert_eq!(bytes.len(), 128);
    /// assert!(bytes[10..].starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } "));
    /// assert_eq!(Header::from_bytes(&bytes)?, header);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode().1
    }

    /// Reads a preamble; what follows it is not looked at.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and at which byte.
    ///
    /// ```
    /// use npzmap::Header;
    ///
    /// let file = std::fs::read("tests/data/plain.npy")?;
    /// let header = Header::from_bytes(&file)?;
    /// assert_eq!((header.shape(), header.preamble_size()), (&[3, 4][..], 128));
    /// assert!(Header::from_bytes(&file[..100]).is_err()); // cut off
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let length = match measure(bytes, size, &Limits::new())? {
            Measure::Length(length) => length,
            Measure::Needs(needed) => return Err(too_long(needed, size)),
        };
        let preamble = usize::try_from(length).ok().and_then(|length| bytes.get(..length));
        Header::parse(preamble.ok_or_else(|| too_long(length, size))?)
    }

    /// Reads a preamble of the length that [`measure`] gave.
    pub(crate) fn parse(preamble: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(preamble);
        let mut prefix = || {
            cursor.skip(MAGIC.len())?;
            let version = (cursor.u8()?, cursor.u8()?);
            let width = if version.0 == 1 { 2 } else { 4 };
            cursor.skip(width)?;
            Some((version, MAGIC.len().saturating_add(2).saturating_add(width)))
        };
        let size = u64::try_from(preamble.len()).unwrap_or(u64::MAX);
        let (version, start) = prefix().ok_or_else(|| too_long(PREFIX.try_into().unwrap_or(0), size))?;
        let text = text(cursor.rest(), version, start)?;
        let mut tokens = Tokens::of_header(&text, version);
        let fields = parse_dict(&mut tokens);
        // Offsets in the text become offsets in the member.
        let start = u64::try_from(start).unwrap_or(u64::MAX);
        let (dtype, order, shape) = fields.map_err(|error| error.relative_to(start))?;
        let count = count(&shape, dtype.item_size())?;
        Ok(Header { dtype, shape, order, version, length: preamble.len(), count })
    }

    /// The header of what is read in place of the whole: another dtype, shape and order.
    pub(crate) fn of_part(&self, dtype: &Dtype, shape: &[usize], order: Order) -> Result<Self> {
        let count = count(shape, dtype.item_size())?;
        let (dtype, shape) = (dtype.clone(), shape.to_vec());
        Ok(Header { dtype, shape, order, count, version: self.version, length: self.length })
    }

    fn encode(&self) -> ((u8, u8), Vec<u8>) {
        let mut text = String::from("{'descr': ");
        // Writing to a string does not fail.
        let _ = self.dtype.write_descr(&mut text);
        let order = match self.order {
            Order::C => "False",
            Order::Fortran => "True",
        };
        let _ = write!(text, ", 'fortran_order': {order}, 'shape': ");
        let _ = write_shape(&mut text, &self.shape);
        text.push_str(", }");
        // Room for the growing axis to become any 64-bit number without moving the elements.
        const DIGITS: usize = 21;
        let growing = match self.order {
            Order::C => self.shape.first(),
            Order::Fortran => self.shape.last(),
        };
        if let Some(length) = growing {
            let blanks = DIGITS.saturating_sub(length.to_string().len());
            text.extend(std::iter::repeat_n(' ', blanks));
        }

        let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        let (version, text) = match latin1 {
            Some(text) if padded(text.len(), 2) <= usize::from(u16::MAX) => ((1, 0), text),
            Some(text) => ((2, 0), text),
            None => ((3, 0), text.into_bytes()),
        };
        let width = if version.0 == 1 { 2 } else { 4 };
        let length = padded(text.len(), width);
        let mut bytes = Vec::with_capacity(length.saturating_add(PREFIX));
        bytes.extend(MAGIC);
        bytes.extend([version.0, version.1]);
        let field = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        bytes.extend(field.iter().take(width));
        let blanks = length.saturating_sub(text.len()).saturating_sub(1);
        bytes.extend(text);
        bytes.extend(std::iter::repeat_n(b' ', blanks));
        bytes.push(b'\n');
        (version, bytes)
    }
}

/// The length of a text with its blanks and newline, so that the preamble is a multiple of 64 bytes. As in NumPy,
/// at least one blank.
fn padded(text: usize, width: usize) -> usize {
    let before = MAGIC.len().saturating_add(2).saturating_add(width);
    let used = before.saturating_add(text).saturating_add(1);
    let blanks = 64_usize.saturating_sub(used & 63);
    text.saturating_add(1).saturating_add(blanks)
}

/// Fills a preamble that begins at `start` of its file with blanks, so that the elements begin on a multiple of
/// `alignment`. Its text becomes no longer than NumPy reads, unless it is so already, and than its version can say.
#[cfg(feature = "write")]
pub(crate) fn pad(mut preamble: Vec<u8>, start: u64, alignment: u64) -> Result<Vec<u8>> {
    let version = preamble.get(MAGIC.len()).copied().unwrap_or_default();
    let width = if version == 1 { 2 } else { 4 };
    let field = MAGIC.len().saturating_add(2);
    let before = field.saturating_add(width);
    let text = preamble.len().saturating_sub(before);
    // NumPy counts characters. Of UTF-8, bytes that continue one begin with the bits 10.
    let continued = preamble.iter().skip(before).filter(|byte| version == 3 && **byte >> 6 == 0b10).count();
    let numpy = NUMPY_TEXT.saturating_add(continued);
    let most = if text <= numpy {
        numpy
    } else if width == 2 {
        usize::from(u16::MAX)
    } else {
        usize::try_from(u32::MAX).unwrap_or(usize::MAX)
    };
    let size = u64::try_from(preamble.len()).unwrap_or(u64::MAX);
    let padded = |alignment: u64| {
        let end = start.checked_add(size)?.checked_next_multiple_of(alignment)?;
        let longer = usize::try_from(end.checked_sub(start)?).ok()?.checked_sub(before)?;
        Some(longer).filter(|longer| *longer <= most)
    };
    let Some(longer) = padded(alignment) else {
        let mut halves = std::iter::successors(Some(alignment), |half| Some(half >> 1)).take_while(|half| *half > 1);
        let most = halves.find(|half| padded(*half).is_some()).unwrap_or(1);
        return Err(ErrorKind::BadAlignment { alignment, most }.into());
    };
    if longer == text {
        return Ok(preamble);
    }
    let length = u32::try_from(longer).unwrap_or(u32::MAX).to_le_bytes();
    let told = preamble.iter_mut().skip(field).take(width);
    told.zip(length).for_each(|(to, from)| *to = from);
    preamble.pop(); // the newline
    preamble.resize(before.saturating_add(longer).saturating_sub(1), b' ');
    preamble.push(b'\n');
    Ok(preamble)
}

/// The longest text of a header that `np.load` reads by default, in characters.
#[cfg(feature = "write")]
const NUMPY_TEXT: usize = 10_000;

/// What the first bytes of a member say about the length of its preamble.
pub(crate) enum Measure {
    Length(u64),
    /// This many bytes must be seen first.
    Needs(u64),
}

/// Measures the preamble at the start of `bytes`, the first of a member of `size` bytes.
pub(crate) fn measure(bytes: &[u8], size: u64, limits: &Limits) -> Result<Measure> {
    let mut cursor = Cursor::new(bytes);
    let prefix: u64 = MAGIC.len().try_into().unwrap_or(u64::MAX);
    if size < prefix {
        return Err(ErrorKind::NotAnArray.into());
    }
    let Some(magic) = cursor.array::<6>() else {
        return Ok(Measure::Needs(prefix));
    };
    if magic != MAGIC {
        return Err(ErrorKind::NotAnArray.into());
    }
    let needs = |bytes: u64| {
        if size < bytes {
            return Err(too_long(bytes, size));
        }
        Ok(Measure::Needs(bytes))
    };
    let Some([major, minor]) = cursor.array() else {
        return if size < 8 { needs(10) } else { Ok(Measure::Needs(8)) };
    };
    let (length, start) = match (major, minor) {
        (1, 0) => match cursor.u16() {
            Some(length) => (u32::from(length), 10),
            None => return needs(10),
        },
        (2 | 3, 0) => match cursor.u32() {
            Some(length) => (length, 12),
            None => return needs(12),
        },
        _ => return Err(Error::from(ErrorKind::NpyVersion { major, minor }).at(prefix)),
    };
    let total = u64::from(length).saturating_add(start);
    if total > size {
        return Err(too_long(total, size));
    }
    if length > limits.header_bytes {
        let (found, limit) = (length.into(), limits.header_bytes.into());
        let what = HEADER_BYTES;
        return Err(ErrorKind::LimitExceeded { what, found, limit }.into());
    }
    Ok(Measure::Length(total))
}

fn too_long(needed: u64, available: u64) -> Error {
    ErrorKind::HeaderLength { needed, available }.into()
}

/// Latin-1 in versions 1.0 and 2.0, UTF-8 in 3.0.
fn text(bytes: &[u8], version: (u8, u8), start: usize) -> Result<Cow<'_, str>> {
    if version.0 < 3 && !bytes.is_ascii() {
        return Ok(bytes.iter().map(|byte| char::from(*byte)).collect());
    }
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
        let expected = "UTF-8, as version 3.0 has it";
        let found = "other bytes".into();
        let at = u64::try_from(start.saturating_add(error.valid_up_to())).unwrap_or(u64::MAX);
        Error::from(ErrorKind::BadHeader { expected, found }).at(at)
    })
}

/// The three entries, in any order.
fn parse_dict(tokens: &mut Tokens<'_>) -> Result<(Dtype, Order, Vec<usize>)> {
    let (mut dtype, mut order, mut shape) = (None, None, None);
    tokens.mark_or('{', "a dict: {'descr': …, 'fortran_order': …, 'shape': …}")?;
    while !tokens.take_mark('}') {
        let start = tokens.clone();
        let key = tokens.string_or("a key: 'descr', 'fortran_order' or 'shape'")?;
        tokens.mark_or(':', "a colon after the key")?;
        let repeated = match &*key {
            "descr" => dtype.replace(parse_top(tokens)?).is_some(),
            "fortran_order" => order.replace(parse_order(tokens)?).is_some(),
            "shape" => shape.replace(parse_shape(tokens)?).is_some(),
            _ => return Err(start.expected("a key: 'descr', 'fortran_order' or 'shape'")),
        };
        if repeated {
            return Err(start.expected("each key once"));
        }
        if !tokens.take_mark(',') {
            tokens.mark_or('}', "a comma or the end of the dict")?;
            break;
        }
    }
    if tokens.peek()? != Token::End {
        return Err(tokens.expected("nothing after the dict"));
    }
    match (dtype, order, shape) {
        (Some(dtype), Some(order), Some(shape)) => Ok((dtype, order, shape)),
        (None, ..) => Err(tokens.expected("the key 'descr'")),
        (_, None, _) => Err(tokens.expected("the key 'fortran_order'")),
        _ => Err(tokens.expected("the key 'shape'")),
    }
}

/// A sub-array stands in the place of a value, and so in a field only: NumPy adds its axes to those of the array, or
/// refuses it.
fn parse_top(tokens: &mut Tokens<'_>) -> Result<Dtype> {
    let before = tokens.clone();
    match Dtype::parse_descr(tokens)? {
        Dtype::Subarray(_) => {
            let (problem, found) = ("a sub-array that is no field", before.found());
            Err(before.at(ErrorKind::BadDtype { problem, found }))
        }
        dtype => Ok(dtype),
    }
}

fn parse_order(tokens: &mut Tokens<'_>) -> Result<Order> {
    let before = tokens.clone();
    match tokens.next() {
        Ok(Token::Name("False")) => Ok(Order::C),
        Ok(Token::Name("True")) => Ok(Order::Fortran),
        _ => {
            let found = before.found();
            Err(before.at(ErrorKind::BadOrder { found }))
        }
    }
}

/// The number of elements. The product of all lengths but zeros, and that times the item size, must fit `isize`:
/// ndarray computes strides from it even when there is no element.
fn count(shape: &[usize], item_size: usize) -> Result<usize> {
    let nonzero =
        shape.iter().filter(|length| **length > 0).try_fold(1_usize, |product, length| product.checked_mul(*length));
    let bytes = nonzero.and_then(|product| product.checked_mul(item_size.max(1)));
    if bytes.is_none_or(|bytes| isize::try_from(bytes).is_err()) {
        let shape = shape.to_vec();
        return Err(ErrorKind::ShapeOverflow { shape, item_size }.into());
    }
    if shape.contains(&0) {
        return Ok(0);
    }
    Ok(nonzero.unwrap_or(0))
}
