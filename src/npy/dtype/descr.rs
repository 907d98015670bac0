//! `descr`: the text of a dtype, parsed as NumPy prints it, and printed as NumPy prints it.
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

use super::{ByteOrder, DatetimeUnit, Dtype, Field, Kind, Record, Scalar, Subarray, TimeUnit};
use crate::error::{self, Error, ErrorKind, Result};
use crate::limits;
use crate::npy::literal::{self, Token, Tokens};

impl Dtype {
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
    Ok(Record { fields: fields.into(), size: offset })
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
    // An item without bytes, which any other length would leave so.
    if !shape.iter().copied().all(limits::is_length_of_subarray) {
        return Err(bad_dtype(at, "a sub-array with an axis longer than i32::MAX"));
    }
    // NumPy takes an integer behind such a dtype for its size, and refuses a tuple.
    if base.item_size() == 0 && !matches!(base, Dtype::Record(_)) {
        return Err(bad_dtype(at, "a sub-array of items that have no bytes and are no records"));
    }
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

impl Scalar {
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

/// Digits without leading zeros, and without a sign, which `parse` takes.
fn decimal(digits: &str) -> Option<u32> {
    let canonical = digits == "0" || !digits.starts_with('0');
    let all = digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|_| canonical && all)
}

impl FromStr for Dtype {
    type Err = Error;

    /// Reads `<f4`, or the list that `descr` is for records.
    fn from_str(text: &str) -> Result<Self> {
        let mut tokens = Tokens::new(text);
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
        for field in self.fields.iter() {
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
