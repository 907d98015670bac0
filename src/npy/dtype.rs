//! NumPy's dtypes: parsed from `descr`, and printed as NumPy prints them.
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use super::literal::{self, Token, Tokens};
use crate::error::{self, Error, ErrorKind, Result};
use crate::limits;

/// What the items of an array are, as NumPy's `dtype` says it.
///
/// Parsed from what `dtype.descr` prints ([NEP 1]), and printed the same way. Byte order is part of it: `<f4` and
/// `>f4` differ. Of the other spellings that `numpy.dtype()` takes, only those without an order mark or with `=`
/// or `|` are read; names such as `float32` are not.
///
/// ```
/// use npzmap::{Dtype, Kind};
///
/// let dtype: Dtype = "[('id', '<U9'), ('', '|V4'), ('xyz', '<f4', (3,))]".parse()?;
/// let Dtype::Record(record) = &dtype else { unreachable!() };
/// assert_eq!(record.item_size(), 36 + 4 + 12);
/// let xyz = record.field("xyz").unwrap();
/// assert_eq!((xyz.offset(), xyz.dtype().item_size()), (40, 12));
/// assert_eq!(dtype.to_string(), "[('id', '<U9'), ('', '|V4'), ('xyz', '<f4', (3,))]");
/// # Ok::<(), npzmap::Error>(())
/// ```
///
/// [NEP 1]: https://numpy.org/neps/nep-0001-npy-format.html
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// One value: a number, a string, a date.
    Scalar(Scalar),
    /// Named fields, each with a dtype of its own.
    Record(Record),
    /// A small array in the place of a value; as a field only.
    Subarray(Subarray),
}

/// A dtype of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scalar {
    kind: Kind,
    order: ByteOrder,
    /// Bytes of an item.
    size: u32,
    unit: Option<DatetimeUnit>,
}

/// What a scalar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `b`: a byte that is 0 or 1.
    Bool,
    /// `i`: a signed integer.
    Int,
    /// `u`: an unsigned integer.
    UInt,
    /// `f`: a binary floating-point number.
    Float,
    /// `c`: two of them.
    Complex,
    /// `S`: bytes, filled up with NUL.
    Bytes,
    /// `U`: characters of four bytes each, filled up with NUL.
    Str,
    /// `V`: bytes of no kind.
    Void,
    /// `M`: an `i64` that counts from 1970-01-01.
    Datetime,
    /// `m`: an `i64` that counts time.
    Timedelta,
    /// `O`: a pickled Python object.
    Object,
}

/// The order of the bytes of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// `<`: least significant first.
    Little,
    /// `>`: most significant first.
    Big,
    /// `|`: single bytes have no order.
    NotApplicable,
}

impl ByteOrder {
    /// The order of this machine.
    pub const NATIVE: ByteOrder = if cfg!(target_endian = "big") { ByteOrder::Big } else { ByteOrder::Little };

    /// Whether this machine reads it as it is.
    pub fn is_native(self) -> bool {
        self == ByteOrder::NATIVE || self == ByteOrder::NotApplicable
    }

    fn mark(self) -> char {
        match self {
            ByteOrder::Little => '<',
            ByteOrder::Big => '>',
            ByteOrder::NotApplicable => '|',
        }
    }
}

/// What a datetime or timedelta counts: `25s` is 25 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DatetimeUnit {
    base: TimeUnit,
    multiple: u32,
}

impl DatetimeUnit {
    /// `multiple` times `base`; nothing for 0, or for more than NumPy's `int` holds.
    pub fn new(base: TimeUnit, multiple: u32) -> Option<Self> {
        (multiple > 0 && i32::try_from(multiple).is_ok()).then_some(DatetimeUnit { base, multiple })
    }

    /// The unit.
    pub fn base(self) -> TimeUnit {
        self.base
    }

    /// How many of it one count is.
    pub fn multiple(self) -> u32 {
        self.multiple
    }
}

macro_rules! time_units {
    ($($name:ident $code:literal $doc:literal),* $(,)?) => {
        /// The units of time that NumPy knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum TimeUnit { $(#[doc = $doc] $name,)* }

        impl TimeUnit {
            /// All of them, the longest first.
            pub const ALL: &'static [TimeUnit] = &[$(TimeUnit::$name),*];

            /// NumPy's code.
            pub fn code(self) -> &'static str {
                match self { $(TimeUnit::$name => $code,)* }
            }
        }
    };
}

time_units! {
    Year "Y" "A year of the Gregorian calendar.",
    Month "M" "A month of it.",
    Week "W" "Seven days.",
    Day "D" "A day of 86,400 seconds.",
    Hour "h" "An hour.",
    Minute "m" "A minute.",
    Second "s" "A second.",
    Millisecond "ms" "10⁻³ s.",
    Microsecond "us" "10⁻⁶ s.",
    Nanosecond "ns" "10⁻⁹ s.",
    Picosecond "ps" "10⁻¹² s.",
    Femtosecond "fs" "10⁻¹⁵ s.",
    Attosecond "as" "10⁻¹⁸ s.",
}

impl Scalar {
    /// A scalar of `size` bytes, its bytes in `order` where it has one. Nothing where NumPy has no such dtype.
    pub fn new(kind: Kind, size: usize, order: ByteOrder) -> Option<Self> {
        let size = u32::try_from(size).ok().filter(|size| u64::from(*size) <= limits::ITEM_SIZE)?;
        let exists = match kind {
            Kind::Bool => size == 1,
            Kind::Int | Kind::UInt => matches!(size, 1 | 2 | 4 | 8),
            Kind::Float => matches!(size, 2 | 4 | 8 | 12 | 16),
            Kind::Complex => matches!(size, 8 | 16 | 24 | 32),
            Kind::Str => size.is_multiple_of(4),
            Kind::Datetime | Kind::Timedelta | Kind::Object => size == 8,
            Kind::Bytes | Kind::Void => true,
        };
        let ordered = !matches!(kind, Kind::Bool | Kind::Bytes | Kind::Void | Kind::Object) && size != 1;
        let order = match order {
            _ if !ordered => ByteOrder::NotApplicable,
            ByteOrder::NotApplicable => ByteOrder::NATIVE,
            order => order,
        };
        let unit = None;
        exists.then_some(Scalar { kind, order, size, unit })
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The order of its bytes.
    pub fn byte_order(&self) -> ByteOrder {
        self.order
    }

    /// Its size in bytes.
    pub fn item_size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    /// What a datetime or timedelta counts; nothing where NumPy calls the unit generic.
    pub fn unit(&self) -> Option<DatetimeUnit> {
        self.unit
    }

    /// The same dtype with a unit, for datetimes and timedeltas.
    #[must_use]
    pub fn with_unit(mut self, unit: DatetimeUnit) -> Self {
        if matches!(self.kind, Kind::Datetime | Kind::Timedelta) {
            self.unit = Some(unit);
        }
        self
    }

    /// The size of what is swapped from one byte order to the other: half a complex number, one character.
    pub(crate) fn unit_size(&self) -> usize {
        match self.kind {
            Kind::Complex => self.item_size() >> 1,
            Kind::Str => 4,
            Kind::Bool | Kind::Bytes | Kind::Void | Kind::Object => 1,
            _ => self.item_size(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (order, code) = match text.chars().next()? {
            '<' => (ByteOrder::Little, text.get(1..)?),
            '>' => (ByteOrder::Big, text.get(1..)?),
            '=' | '|' => (ByteOrder::NotApplicable, text.get(1..)?),
            _ => (ByteOrder::NotApplicable, text),
        };
        let kind = match code.chars().next()? {
            'b' => Kind::Bool,
            'i' => Kind::Int,
            'u' => Kind::UInt,
            'f' => Kind::Float,
            'c' => Kind::Complex,
            'S' => Kind::Bytes,
            'U' => Kind::Str,
            'V' => Kind::Void,
            'M' => Kind::Datetime,
            'm' => Kind::Timedelta,
            'O' => Kind::Object,
            _ => return None,
        };
        let rest = code.get(1..)?;
        let (digits, unit) = match kind {
            // NumPy writes '|O'; the size was once written, too.
            Kind::Object if rest.is_empty() => ("8", None),
            Kind::Datetime | Kind::Timedelta => match rest.split_once('[') {
                Some((digits, unit)) => (digits, Some(DatetimeUnit::parse(unit.strip_suffix(']')?)?)),
                None => (rest, None),
            },
            _ => (rest, None),
        };
        let count = decimal(digits)?;
        let size = if kind == Kind::Str { count.checked_mul(4)? } else { count };
        let scalar = Scalar::new(kind, usize::try_from(size).ok()?, order)?;
        Some(unit.map_or(scalar, |unit| scalar.with_unit(unit)))
    }

    /// The alignment that NumPy gives it: what a C struct would.
    fn alignment(&self) -> usize {
        match self.unit_size() {
            12 => 4,
            size => size.max(1),
        }
    }
}

/// Digits without leading zeros.
fn decimal(digits: &str) -> Option<u32> {
    let canonical = digits == "0" || !digits.starts_with('0');
    let all = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|_| canonical && all)
}

impl DatetimeUnit {
    /// `D`, `25s`.
    fn parse(text: &str) -> Option<Self> {
        let code = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = text.strip_suffix(code).unwrap_or(text);
        let multiple = if digits.is_empty() { 1 } else { decimal(digits)? };
        let base = TimeUnit::ALL.iter().find(|unit| unit.code() == code)?;
        DatetimeUnit::new(*base, multiple)
    }
}

/// A dtype of named fields.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    fields: Vec<Field>,
    size: u32,
}

/// A field of a [`Record`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    name: Box<str>,
    title: Option<Box<str>>,
    offset: u32,
    dtype: Dtype,
}

/// An array in the place of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subarray {
    base: Box<Dtype>,
    shape: Vec<usize>,
    size: u32,
}

impl Record {
    /// The fields, in the order of their offsets.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| *field.name == *name)
    }

    /// The size of a record in bytes, padding included.
    pub fn item_size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }
}

impl Field {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its title, a second name that NumPy allows.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// Where it begins within the record, in bytes.
    pub fn offset(&self) -> usize {
        usize::try_from(self.offset).unwrap_or(usize::MAX)
    }

    /// What it is.
    pub fn dtype(&self) -> &Dtype {
        &self.dtype
    }
}

impl Subarray {
    /// The dtype of its elements.
    pub fn base(&self) -> &Dtype {
        &self.base
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its size in bytes.
    pub fn item_size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }
}

impl Dtype {
    /// The size of an item in bytes: NumPy's `itemsize`.
    pub fn item_size(&self) -> usize {
        match self {
            Dtype::Scalar(scalar) => scalar.item_size(),
            Dtype::Record(record) => record.item_size(),
            Dtype::Subarray(array) => array.item_size(),
        }
    }

    /// The alignment that a Rust or C type of this layout has: that of the widest number in it. For a record whose
    /// fields do not lie on their own alignment, 1.
    pub fn alignment(&self) -> usize {
        match self {
            Dtype::Scalar(scalar) => scalar.alignment(),
            Dtype::Subarray(array) => array.base.alignment(),
            Dtype::Record(record) => {
                let fields = || record.fields.iter();
                let widest = fields().map(|field| field.dtype.alignment()).max().unwrap_or(1);
                let aligned = record.item_size().is_multiple_of(widest)
                    && fields().all(|field| field.offset().is_multiple_of(field.dtype.alignment()));
                if aligned { widest } else { 1 }
            }
        }
    }

    /// Whether this machine reads every number in it as it lies.
    pub fn is_native(&self) -> bool {
        match self {
            Dtype::Scalar(scalar) => scalar.order.is_native(),
            Dtype::Record(record) => record.fields.iter().all(|field| field.dtype.is_native()),
            Dtype::Subarray(array) => array.base.is_native(),
        }
    }

    /// Whether it is, or contains, pickled Python objects.
    pub fn has_object(&self) -> bool {
        match self {
            Dtype::Scalar(scalar) => scalar.kind == Kind::Object,
            Dtype::Record(record) => record.fields.iter().any(|field| field.dtype.has_object()),
            Dtype::Subarray(array) => array.base.has_object(),
        }
    }

    /// The scalar, if it is one.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match self {
            Dtype::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// NumPy's `descr` as it stands in a header: scalars in quotes.
    pub(crate) fn write_descr(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Dtype::Scalar(scalar) => write!(out, "'{scalar}'"),
            Dtype::Record(record) => write!(out, "{record}"),
            Dtype::Subarray(array) => {
                out.write_char('(')?;
                array.base.write_descr(out)?;
                out.write_str(", ")?;
                write_shape(out, &array.shape)?;
                out.write_char(')')
            }
        }
    }

    /// `descr`, wherever `tokens` stand.
    pub(crate) fn parse_descr(tokens: &mut Tokens<'_>) -> Result<Self> {
        let mut budget = limits::DTYPE_FIELDS;
        parse(tokens, limits::DTYPE_DEPTH, &mut budget)
    }
}

fn parse(tokens: &mut Tokens<'_>, depth: u32, budget: &mut u32) -> Result<Dtype> {
    let Some(depth) = depth.checked_sub(1) else {
        let limit = limits::DTYPE_DEPTH.into();
        let (what, found) = (error::DTYPE_DEPTH, u64::saturating_add(limit, 1));
        return Err(tokens.at(ErrorKind::LimitExceeded { what, found, limit }));
    };
    let start = tokens.clone();
    match tokens.next()? {
        Token::Str(text) => {
            let scalar = Scalar::parse(&text);
            scalar.map(Dtype::Scalar).ok_or_else(|| unknown_dtype(&start, &text))
        }
        Token::Mark('(') => {
            let base = parse(tokens, depth, budget)?;
            tokens.mark_or(',', "a comma before the shape of a sub-array")?;
            let shape = parse_field_shape(tokens)?;
            tokens.take_mark(',');
            tokens.mark_or(')', "the end of a sub-array")?;
            subarray(base, shape, &start)
        }
        Token::Mark('[') => parse_record(tokens, depth, budget).map(Dtype::Record),
        _ => Err(start.expected("a dtype: a string, a list of fields, or a pair of dtype and shape")),
    }
}

fn unknown_dtype(tokens: &Tokens<'_>, text: &str) -> Error {
    let problem = "not one that NumPy's descr prints";
    let found = format!("{:?}", text.chars().take(64).collect::<String>());
    tokens.at(ErrorKind::BadDtype { problem, found })
}

/// The fields of a record, behind the opening bracket.
fn parse_record(tokens: &mut Tokens<'_>, depth: u32, budget: &mut u32) -> Result<Record> {
    let mut fields: Vec<Field> = Vec::new();
    let mut offset = 0_u32;
    let opening = tokens.clone();
    while !tokens.take_mark(']') {
        let start = tokens.clone();
        *budget = budget.checked_sub(1).ok_or_else(|| {
            let limit = limits::DTYPE_FIELDS.into();
            let (what, found) = (error::DTYPE_FIELDS, u64::saturating_add(limit, 1));
            start.at(ErrorKind::LimitExceeded { what, found, limit })
        })?;
        tokens.mark_or('(', "a field: (name, dtype) or (name, dtype, shape)")?;
        let (title, name) = if tokens.take_mark('(') {
            let title = tokens.string_or("the title of a field")?;
            tokens.mark_or(',', "a comma between title and name")?;
            let name = tokens.string_or("the name of a field")?;
            tokens.take_mark(',');
            tokens.mark_or(')', "the end of title and name")?;
            (Some(title), name)
        } else {
            (None, tokens.string_or("the name of a field")?)
        };
        tokens.mark_or(',', "a comma before the dtype of a field")?;
        let mut dtype = parse(tokens, depth, budget)?;
        if tokens.take_mark(',') && tokens.peek()? != Token::Mark(')') {
            let shape = parse_field_shape(tokens)?;
            dtype = subarray(dtype, shape, &start)?;
            tokens.take_mark(',');
        }
        tokens.mark_or(')', "the end of a field")?;
        let size = u32::try_from(dtype.item_size()).unwrap_or(u32::MAX);
        let padding = name.is_empty()
            && title.is_none()
            && match &dtype {
                Dtype::Scalar(scalar) => scalar.kind == Kind::Void,
                Dtype::Record(_) => false,
                // NumPy takes any unnamed sub-array for padding; it never writes one.
                Dtype::Subarray(_) => return Err(bad_dtype(&start, "a sub-array without a name")),
            };
        if !padding {
            let (name, title) = (name.into(), title.map(Into::into));
            fields.push(Field { name, title, offset, dtype });
        }
        offset = item_size(offset.checked_add(size).map(u64::from), &start)?;
        if !tokens.take_mark(',') {
            tokens.mark_or(']', "a comma or the end of the fields")?;
            break;
        }
    }
    let mut seen = HashSet::with_capacity(fields.len());
    let names = fields.iter().map(|field| &*field.name);
    let titles = fields.iter().filter_map(|field| field.title.as_deref());
    if !names.chain(titles).all(|name| seen.insert(name)) {
        return Err(bad_dtype(&opening, "two fields of one name"));
    }
    Ok(Record { fields, size: offset })
}

/// `3`, `(3,)`, `(3, 4)`.
fn parse_field_shape(tokens: &mut Tokens<'_>) -> Result<Vec<usize>> {
    let start = tokens.clone();
    match tokens.peek()? {
        Token::Int(count) => {
            tokens.next()?;
            let count = usize::try_from(count).map_err(|_| start.expected("a smaller number"))?;
            Ok(vec![count])
        }
        _ => parse_shape(tokens),
    }
}

/// A tuple of non-negative integers.
pub(crate) fn parse_shape(tokens: &mut Tokens<'_>) -> Result<Vec<usize>> {
    let bad = |at: &Tokens<'_>, expected| {
        let found = at.found();
        at.at(ErrorKind::BadShape { expected, found })
    };
    let expected = "a tuple of non-negative integers";
    let start = tokens.clone();
    if !tokens.take_mark('(') {
        return Err(bad(tokens, expected));
    }
    let mut shape = Vec::new();
    while !tokens.take_mark(')') {
        let before = tokens.clone();
        match tokens.next() {
            Ok(Token::Int(count)) => shape.push(usize::try_from(count).map_err(|_| bad(&before, expected))?),
            _ => return Err(bad(&before, expected)),
        }
        if shape.len() > limits::DIMENSIONS {
            return Err(bad(&start, "at most 64 dimensions"));
        }
        if !tokens.take_mark(',') {
            if shape.len() == 1 || !tokens.take_mark(')') {
                return Err(bad(tokens, expected));
            }
            break;
        }
    }
    Ok(shape)
}

fn subarray(base: Dtype, mut shape: Vec<usize>, at: &Tokens<'_>) -> Result<Dtype> {
    let count = shape
        .iter()
        .try_fold(1_u64, |count, length| u64::try_from(*length).ok().and_then(|length| count.checked_mul(length)));
    let size = u64::try_from(base.item_size()).unwrap_or(u64::MAX);
    let size = item_size(count.and_then(|count| count.checked_mul(size)), at)?;
    // As NumPy does: an array of arrays is one array.
    let base = match base {
        Dtype::Subarray(inner) => {
            shape.extend(inner.shape);
            inner.base
        }
        base => Box::new(base),
    };
    if shape.len() > limits::DIMENSIONS {
        return Err(bad_dtype(at, "a sub-array of more than 64 dimensions"));
    }
    Ok(Dtype::Subarray(Subarray { base, shape, size }))
}

fn item_size(size: Option<u64>, at: &Tokens<'_>) -> Result<u32> {
    let limit = limits::ITEM_SIZE;
    let size = size.unwrap_or(u64::MAX);
    u32::try_from(size).ok().filter(|size| u64::from(*size) <= limit).ok_or_else(|| {
        let (what, found) = (error::ITEM_SIZE, size);
        at.at(ErrorKind::LimitExceeded { what, found, limit })
    })
}

fn bad_dtype(at: &Tokens<'_>, problem: &'static str) -> Error {
    let found = at.found();
    at.at(ErrorKind::BadDtype { problem, found })
}

impl From<Scalar> for Dtype {
    fn from(scalar: Scalar) -> Self {
        Dtype::Scalar(scalar)
    }
}

impl FromStr for Dtype {
    type Err = Error;

    /// Reads `<f4`, or the list that `descr` is for records.
    fn from_str(text: &str) -> Result<Self> {
        let mut tokens = Tokens::new(text, false);
        if !text.starts_with(['[', '(']) {
            return Scalar::parse(text).map(Dtype::Scalar).ok_or_else(|| unknown_dtype(&tokens, text));
        }
        let dtype = Dtype::parse_descr(&mut tokens)?;
        match tokens.next()? {
            Token::End => Ok(dtype),
            _ => Err(tokens.expected("nothing after the dtype")),
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dtype::Scalar(scalar) => scalar.fmt(f),
            _ => self.write_descr(f),
        }
    }
}

impl fmt::Display for Scalar {
    /// NumPy's `dtype.str`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = self.order.mark();
        let code = match self.kind {
            Kind::Bool => 'b',
            Kind::Int => 'i',
            Kind::UInt => 'u',
            Kind::Float => 'f',
            Kind::Complex => 'c',
            Kind::Bytes => 'S',
            Kind::Str => return write!(f, "{}U{}", self.str_mark(), self.size >> 2),
            Kind::Void => 'V',
            Kind::Datetime => 'M',
            Kind::Timedelta => 'm',
            Kind::Object => return f.write_str("|O"),
        };
        write!(f, "{mark}{code}{}", self.size)?;
        match self.unit {
            None => Ok(()),
            Some(DatetimeUnit { base, multiple: 1 }) => write!(f, "[{}]", base.code()),
            Some(DatetimeUnit { base, multiple }) => write!(f, "[{multiple}{}]", base.code()),
        }
    }
}

impl Scalar {
    fn str_mark(&self) -> char {
        match self.order {
            ByteOrder::NotApplicable => ByteOrder::NATIVE.mark(),
            order => order.mark(),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        let mut separator = "";
        let mut end = 0_u32;
        for field in &self.fields {
            if let Some(gap @ 1..) = field.offset.checked_sub(end) {
                write!(f, "{separator}('', '|V{gap}')")?;
                separator = ", ";
            }
            f.write_str(separator)?;
            separator = ", ";
            f.write_str("(")?;
            match &field.title {
                Some(title) => {
                    f.write_str("(")?;
                    literal::write_str(f, title)?;
                    f.write_str(", ")?;
                    literal::write_str(f, &field.name)?;
                    f.write_str(")")?;
                }
                None => literal::write_str(f, &field.name)?,
            }
            f.write_str(", ")?;
            match &field.dtype {
                Dtype::Subarray(array) => {
                    array.base.write_descr(f)?;
                    f.write_str(", ")?;
                    write_shape(f, &array.shape)?;
                }
                dtype => dtype.write_descr(f)?,
            }
            f.write_str(")")?;
            let size = u32::try_from(field.dtype.item_size()).unwrap_or(u32::MAX);
            end = field.offset.saturating_add(size);
        }
        if let Some(gap @ 1..) = self.size.checked_sub(end) {
            write!(f, "{separator}('', '|V{gap}')")?;
        }
        f.write_str("]")
    }
}

/// `()`, `(3,)`, `(3, 4)`.
pub(crate) fn write_shape(out: &mut impl fmt::Write, shape: &[usize]) -> fmt::Result {
    match shape {
        [one] => write!(out, "({one},)"),
        [] => out.write_str("()"),
        [first, rest @ ..] => {
            write!(out, "({first}")?;
            rest.iter().try_for_each(|length| write!(out, ", {length}"))?;
            out.write_char(')')
        }
    }
}
