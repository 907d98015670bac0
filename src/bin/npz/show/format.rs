//! How an item is printed among others of its array, so that all line up.

use std::fmt::{Result, Write};

use npzmap::{Dtype, Field, Kind, Scalar};

use super::float::Floats;
use super::items::Items;
use super::print::{self, Shown};
use super::quoted;
use super::value;
use crate::date::{self, NAT};
use crate::shape;

pub(super) enum Format<'a> {
    Scalar(&'a Scalar, Style),
    Record(Vec<(&'a Field, Format<'a>)>),
    Subarray {
        shape: &'a [usize],
        element: Box<Format<'a>>,
        size: usize,
    },
    /// What there is no other way to print.
    Void,
}

pub(super) enum Style {
    /// Right-justified to so many characters.
    Width(usize),
    Floats(Floats),
    Complex(Floats, Floats),
    /// As it is alone; strings with quotes.
    Bare,
}

/// What the items belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    Array,
    /// A record that is no element of an array.
    LoneRecord,
    /// A sub-array of one.
    SubarrayOfLoneRecord,
}

impl<'a> Format<'a> {
    /// From all items that will be printed.
    pub(super) fn new(items: &Items<'a>, among: Among) -> Self {
        match items.dtype() {
            Dtype::Scalar(scalar) => Format::Scalar(scalar, Style::new(scalar, items, among)),
            Dtype::Record(record) => {
                let fields = record.fields().iter();
                Format::Record(fields.map(|field| (field, Format::new(&items.field(field), among))).collect())
            }
            Dtype::Subarray(array) => {
                let among = if among == Among::Array { among } else { Among::SubarrayOfLoneRecord };
                let element = Box::new(Format::new(&items.elements(array), among));
                Format::Subarray { shape: array.shape(), element, size: array.base().item_size() }
            }
            _ => Format::Void,
        }
    }

    /// Writes an item, of which no text is held.
    pub(super) fn write(&self, item: &[u8], out: &mut dyn Write) -> Result {
        match self {
            Format::Scalar(scalar, style) => style.write(item, scalar, out),
            Format::Record(fields) => {
                out.write_char('(')?;
                for (index, (field, format)) in fields.iter().enumerate() {
                    out.write_str(if index > 0 { ", " } else { "" })?;
                    let end = field.offset() + field.dtype().item_size();
                    format.write(&item[field.offset()..end], out)?;
                }
                out.write_str(if fields.len() == 1 { ",)" } else { ")" })
            }
            Format::Subarray { shape, element, size } => {
                element.nested(item, shape, *size, print::is_large(shape), out)
            }
            Format::Void => quoted::void(item, out),
        }
    }

    /// A sub-array in one line.
    fn nested(&self, bytes: &[u8], shape: &[usize], size: usize, summary: bool, out: &mut dyn Write) -> Result {
        let Some((length, inner)) = shape.split_first() else { return self.write(bytes, out) };
        let piece = shape::nbytes(inner, size);
        let shown = Shown::new(*length, summary);
        out.write_char('[')?;
        for number in 0..shown.count() {
            out.write_str(if number > 0 { ", " } else { "" })?;
            out.write_str(if shown.gap() == Some(number) { "..., " } else { "" })?;
            let index = shown.index(number);
            self.nested(&bytes[index * piece..(index + 1) * piece], inner, size, summary, out)?;
        }
        out.write_char(']')
    }
}

const TRUE: &str = "True";

impl Style {
    fn new(scalar: &Scalar, items: &Items<'_>, among: Among) -> Self {
        match scalar.kind() {
            Kind::Bool if among != Among::LoneRecord => Style::Width(TRUE.len() + 1),
            Kind::Int | Kind::UInt => {
                let length = |number: Option<i128>| number.map_or(0, |number| number.to_string().len());
                let numbers = || items.iter().map(|item| value::integer(item, scalar));
                Style::Width(length(numbers().min()).max(length(numbers().max())))
            }
            Kind::Float if among != Among::Array => Style::Bare,
            Kind::Float => Style::Floats(Floats::new(items.iter().map(|item| value::real(item, scalar)), false)),
            Kind::Complex => {
                let parts = items.iter().map(|item| value::complex(item, scalar));
                let re = Floats::new(parts.clone().map(|(re, _)| re), false);
                Style::Complex(re, Floats::new(parts.map(|(_, im)| im), true))
            }
            Kind::Datetime | Kind::Timedelta => {
                let counts = || items.iter().map(|item| value::count(item, scalar));
                let dates = || counts().filter(|count| *count != NAT);
                let length = |count: Option<i64>| count.map_or(0, |count| timelike(count, scalar).len());
                // Only the first and the last are looked at: longer ones in between stick out.
                let width = length(dates().min()).max(length(dates().max()));
                let nat = if counts().any(|count| count == NAT) { NOT_A_TIME.len() } else { 0 };
                Style::Width(width.max(nat))
            }
            _ => Style::Bare,
        }
    }

    fn write(&self, item: &[u8], scalar: &Scalar, out: &mut dyn Write) -> Result {
        match (self, scalar.kind()) {
            (Style::Floats(floats), _) => out.write_str(&floats.text(&value::real(item, scalar))),
            (Style::Complex(re_style, im_style), _) => {
                let (re, im) = value::complex(item, scalar);
                let im = im_style.text(&im);
                let (digits, spaces) = im.split_at(im.trim_end().len());
                write!(out, "{}{digits}j{spaces}", re_style.text(&re))
            }
            (Style::Width(width), Kind::Datetime | Kind::Timedelta) => {
                write!(out, "{:>width$}", timelike(value::count(item, scalar), scalar))
            }
            (Style::Width(width), Kind::Bool) => {
                write!(out, "{:>width$}", if value::truth(item) { TRUE } else { "False" })
            }
            (Style::Width(width), _) => write!(out, "{:>width$}", value::integer(item, scalar)),
            (Style::Bare, Kind::Str) => quoted::string(value::units(item, scalar), out),
            (Style::Bare, _) => value::alone(item, scalar, out),
        }
    }
}

const NOT_A_TIME: &str = "'NaT'";

fn timelike(count: i64, scalar: &Scalar) -> String {
    match (count, scalar.kind()) {
        (NAT, _) => NOT_A_TIME.into(),
        (_, Kind::Datetime) => format!("'{}'", date::date(count, scalar.unit())),
        _ => count.to_string(),
    }
}
