//! What figures are of: the elements of an array, or one field of its records.

use npzmap::half::{bf16, f16};
use npzmap::{ByteOrder, Dtype, Header, Kind, Scalar};

use crate::shape;

/// Scalars at one place of each item.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// The way to its field; of the elements themselves it is empty.
    path: Vec<Step>,
    pub(crate) scalar: Scalar,
    /// Two bytes of no kind are taken as bfloat16.
    pub(crate) bf16: bool,
    offset: usize,
    /// So many side by side, in a sub-array.
    pub(crate) count: usize,
    item: usize,
}

/// From a dtype to one within. Names are not copied: one of a megabyte may be that of a thousand columns.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A field of a record, by its number.
    Field(usize),
    /// A record of a sub-array.
    Index(usize),
}

/// More fields get no figures: 20 bytes of header can ask for any number.
const MOST: usize = 1024;

/// Bytes of scalars that are looked at together.
const PIECE: usize = 1 << 20;

/// The columns of an array; none if there are too many.
pub(crate) fn columns(header: &Header, bf16: bool) -> Option<Vec<Column>> {
    let mut columns = Vec::new();
    let root = Column {
        path: Vec::new(),
        scalar: Scalar::new(Kind::Void, 1, ByteOrder::NotApplicable)?,
        bf16,
        offset: 0,
        count: 1,
        item: header.dtype().item_size(),
    };
    collect(header.dtype(), &root, &mut columns)?;
    Some(columns)
}

fn collect(dtype: &Dtype, at: &Column, columns: &mut Vec<Column>) -> Option<()> {
    match dtype {
        _ if columns.len() >= MOST => return None,
        Dtype::Scalar(scalar) => {
            let bf16 = at.bf16 && (scalar.kind(), scalar.item_size()) == (Kind::Void, 2);
            columns.push(Column { scalar: *scalar, bf16, ..at.clone() });
        }
        Dtype::Record(record) => {
            for (number, field) in record.fields().iter().enumerate() {
                let inner = at.inner(Step::Field(number), field.offset());
                collect(field.dtype(), &inner, columns)?;
            }
        }
        Dtype::Subarray(array) => {
            let count = shape::count(array.shape()).unwrap_or(usize::MAX);
            match array.base() {
                Dtype::Scalar(_) => collect(array.base(), &Column { count, ..at.clone() }, columns)?,
                // Records in a sub-array: a column for each of them, named by its index.
                base => {
                    for index in 0..count {
                        let before = columns.len();
                        let inner = at.inner(Step::Index(index), index * base.item_size());
                        collect(base, &inner, columns)?;
                        // Without fields there may be any number of them.
                        if columns.len() == before {
                            break;
                        }
                    }
                }
            }
        }
        _ => return None,
    }
    Some(())
}

impl Column {
    /// One that is all there is in an item of its size.
    pub(crate) fn alone(scalar: Scalar, bf16: bool) -> Self {
        let bf16 = bf16 && (scalar.kind(), scalar.item_size()) == (Kind::Void, 2);
        Column { path: Vec::new(), scalar, bf16, offset: 0, count: 1, item: scalar.item_size() }
    }

    fn inner(&self, step: Step, offset: usize) -> Self {
        let mut inner = Column { offset: self.offset + offset, ..self.clone() };
        inner.path.push(step);
        inner
    }

    /// The path of the field, with dots; none for the elements themselves.
    pub(crate) fn field(&self, mut dtype: &Dtype) -> Option<String> {
        let mut field = None;
        for step in &self.path {
            let path: &mut String = field.get_or_insert_default();
            match (step, dtype) {
                (Step::Field(number), Dtype::Record(record)) => {
                    let inner = record.fields().get(*number)?;
                    path.push_str(if path.is_empty() { "" } else { "." });
                    path.push_str(inner.name());
                    dtype = inner.dtype();
                }
                (Step::Index(index), Dtype::Subarray(array)) => {
                    path.push_str(&format!("[{index}]"));
                    dtype = array.base();
                }
                _ => return None,
            }
        }
        field
    }

    /// How many scalars of it are in these items.
    pub(crate) fn count_in(&self, items: &[u8]) -> u64 {
        (items.len() / self.item.max(1)).saturating_mul(self.count) as u64
    }

    /// Its scalars, one after the other; those of one item, which may be all there are, in pieces of so many that their
    /// numbers take little memory.
    pub(crate) fn pieces<'a>(&self, items: &'a [u8], picked: &'a mut Vec<u8>) -> impl Iterator<Item = &'a [u8]> {
        let size = self.scalar.item_size().max(1);
        self.pick(items, picked).chunks((PIECE / size).max(1) * size)
    }

    fn pick<'a>(&self, items: &'a [u8], picked: &'a mut Vec<u8>) -> &'a [u8] {
        let size = self.scalar.item_size() * self.count;
        if size == self.item {
            return items;
        }
        if items.len() == self.item {
            return items.get(self.offset..self.offset + size).unwrap_or_default();
        }
        picked.clear();
        let places = items.chunks_exact(self.item.max(1));
        picked.extend(places.filter_map(|item| item.get(self.offset..self.offset + size)).flatten());
        picked
    }

    /// The numbers of floats, and of the parts of complex ones. How many long doubles are beyond the range of f64 is
    /// returned; they are its greatest.
    pub(crate) fn reals(&self, bytes: &[u8], reals: &mut Vec<f64>) -> u64 {
        let parts = if self.scalar.kind() == Kind::Complex { 2 } else { 1 };
        let big = self.scalar.byte_order() == ByteOrder::Big;
        let mut beyond = 0;
        reals.clear();
        match self.scalar.item_size() / parts {
            2 if self.bf16 => each(bytes, big, reals, |bytes| bf16::from_le_bytes(bytes).to_f64()),
            2 => each(bytes, big, reals, |bytes| f16::from_le_bytes(bytes).to_f64()),
            4 => each(bytes, big, reals, |bytes| f32::from_le_bytes(bytes).into()),
            8 => each(bytes, big, reals, f64::from_le_bytes),
            12 => each(bytes, big, reals, |bytes: [u8; 12]| long(&bytes, &mut beyond)),
            16 => each(bytes, big, reals, |bytes: [u8; 16]| long(&bytes, &mut beyond)),
            _ => {}
        }
        beyond
    }

    /// The numbers of integers, bools, dates and times. Those of `u8` are less by 2^63: see [`Column::bias`].
    pub(crate) fn wholes(&self, bytes: &[u8], wholes: &mut Vec<i64>) {
        let big = self.scalar.byte_order() == ByteOrder::Big;
        wholes.clear();
        match (self.scalar.kind(), self.scalar.item_size()) {
            (Kind::Bool, _) => wholes.extend(bytes.iter().map(|byte| i64::from(*byte != 0))),
            (Kind::UInt, 1) => wholes.extend(bytes.iter().map(|byte| i64::from(*byte))),
            (Kind::UInt, 2) => each(bytes, big, wholes, |bytes| u16::from_le_bytes(bytes).into()),
            (Kind::UInt, 4) => each(bytes, big, wholes, |bytes| u32::from_le_bytes(bytes).into()),
            (Kind::UInt, 8) => each(bytes, big, wholes, |bytes| i64::from_le_bytes(bytes) ^ i64::MIN),
            (_, 1) => each(bytes, big, wholes, |bytes| i8::from_le_bytes(bytes).into()),
            (_, 2) => each(bytes, big, wholes, |bytes| i16::from_le_bytes(bytes).into()),
            (_, 4) => each(bytes, big, wholes, |bytes| i32::from_le_bytes(bytes).into()),
            (_, 8) => each(bytes, big, wholes, i64::from_le_bytes),
            _ => {}
        }
    }

    /// What [`Column::wholes`] has to be added.
    pub(crate) fn bias(&self) -> i128 {
        if (self.scalar.kind(), self.scalar.item_size()) == (Kind::UInt, 8) { 1 << 63 } else { 0 }
    }
}

fn each<const N: usize, T>(bytes: &[u8], big: bool, values: &mut Vec<T>, mut number: impl FnMut([u8; N]) -> T) {
    let (numbers, _) = bytes.as_chunks::<N>();
    match big {
        false => values.extend(numbers.iter().map(|bytes| number(*bytes))),
        true => values.extend(numbers.iter().map(|bytes| {
            let mut bytes = *bytes;
            bytes.reverse();
            number(bytes)
        })),
    }
}

/// x86's long double, of 80 bits: the nearest f64.
fn long(bytes: &[u8], beyond: &mut u64) -> f64 {
    const TOP: i32 = 0x7fff;
    const BIAS: i32 = 16_383 + 63;
    let Some((mantissa, rest)) = bytes.split_first_chunk::<8>() else { return f64::NAN };
    let Some((top, _)) = rest.split_first_chunk::<2>() else { return f64::NAN };
    let (mantissa, top) = (u64::from_le_bytes(*mantissa), i32::from(u16::from_le_bytes(*top)));
    let sign = if top > TOP { -1.0 } else { 1.0 };
    let exponent = top & TOP;
    if exponent == TOP {
        return if mantissa << 1 == 0 { sign * f64::INFINITY } else { f64::NAN };
    }
    // In three steps, none of which leaves the range before the last: an exponent has up to 15 bits.
    let power = (exponent.max(1) - BIAS).clamp(-1200, 1100);
    let value = mantissa as f64 * 2_f64.powi(power / 3) * 2_f64.powi(power / 3) * 2_f64.powi(power - 2 * (power / 3));
    if value.is_infinite() {
        *beyond += 1;
        return sign * f64::MAX;
    }
    sign * value
}
