//! NumPy's dtypes: what an item is, how large, and in which byte order.
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod descr;
mod scalar;

use std::collections::HashSet;
use std::sync::Arc;

pub(crate) use descr::{parse_shape, write_shape};
pub use scalar::{ByteOrder, DatetimeUnit, Kind, Scalar, TimeUnit};

use crate::limits;
use crate::steps;

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

/// A dtype of named fields.
///
/// ```
/// use npzmap::{Dtype, Npz};
///
/// let npz = Npz::open("tests/data/records-stored.npz")?;
/// let header = npz.member("packed-le-c")?.header()?;
/// let Dtype::Record(record) = header.dtype() else { panic!("no record") };
/// let offsets: Vec<_> = record.fields().iter().map(|field| (field.name(), field.offset())).collect();
/// assert_eq!(offsets, [("id", 0), ("score", 4), ("ok", 12), ("tag", 13), ("name", 18)]);
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    // Shared by clones: the handle of a part of an array has a dtype of its own.
    fields: Arc<[Field]>,
    size: u32,
}

/// A field of a [`Record`].
///
/// ```
/// use npzmap::{Element, Field};
///
/// let field = Field::new("score", 8, f64::dtype());
/// assert_eq!((field.name(), field.offset(), field.dtype().item_size()), ("score", 8, 8));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    name: Box<str>,
    title: Option<Box<str>>,
    offset: u32,
    dtype: Dtype,
}

/// An array in the place of a value.
///
/// ```
/// use npzmap::{Dtype, Npz};
///
/// let npz = Npz::open("tests/data/records-stored.npz")?;
/// let header = npz.member("subarrays-le-c")?.header()?;
/// let Dtype::Record(record) = header.dtype() else { panic!("no record") };
/// let Some(Dtype::Subarray(m)) = record.field("m").map(|field| field.dtype()) else { panic!("no array") };
/// assert_eq!((m.base().to_string().as_str(), m.shape()), ("<f4", &[2, 3][..]));
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subarray {
    base: Box<Dtype>,
    shape: Vec<usize>,
    size: u32,
}

impl Record {
    /// A record of `item_size` bytes with these fields. Nothing where NumPy could not write it: fields that overlap,
    /// are out of order or reach over the end, two of one name, or an item of more than `i32::MAX` bytes.
    ///
    /// ```
    /// use npzmap::{Dtype, Element, Field, Record};
    ///
    /// let fields = |second| [Field::new("id", 0, u32::dtype()), Field::new("x", second, f64::dtype())];
    /// let record = Record::new(fields(8), 16).unwrap();
    /// assert_eq!(Dtype::from(record).to_string(), "[('id', '<u4'), ('', '|V4'), ('x', '<f8')]");
    /// assert_eq!(Record::new(fields(2), 16), None); // they overlap
    /// ```
    pub fn new(fields: impl IntoIterator<Item = Field>, item_size: usize) -> Option<Self> {
        let size = u32::try_from(item_size).ok().filter(|size| u64::from(*size) <= limits::ITEM_SIZE)?;
        let fields: Vec<Field> = fields.into_iter().collect();
        let mut end = 0;
        for field in &fields {
            let apart = field.offset() >= end;
            end = field.offset().checked_add(field.dtype.item_size()).filter(|_| apart)?;
        }
        let mut seen = HashSet::new();
        let named_once = fields.iter().all(|field| seen.insert(&*field.name));
        (end <= item_size && named_once).then(|| Record { fields: fields.into(), size })
    }

    /// The fields, in the order of their offsets.
    ///
    /// ```
    /// use npzmap::Dtype;
    ///
    /// let dtype: Dtype = "[('x', '<f4'), ('', '|V4'), ('n', '<i8')]".parse()?;
    /// let Dtype::Record(record) = &dtype else { panic!("no record") };
    /// let names: Vec<_> = record.fields().iter().map(|field| field.name()).collect();
    /// assert_eq!(names, ["x", "n"]); // padding is no field
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field of this name.
    ///
    /// ```
    /// use npzmap::Dtype;
    ///
    /// let dtype: Dtype = "[('x', '<f4'), ('n', '<i8')]".parse()?;
    /// let Dtype::Record(record) = &dtype else { panic!("no record") };
    /// assert_eq!(record.field("n").map(|field| field.offset()), Some(4));
    /// assert_eq!(record.field("y"), None);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| *field.name == *name)
    }

    /// The size of a record in bytes, padding included.
    ///
    /// ```
    /// use npzmap::Dtype;
    ///
    /// let dtype: Dtype = "[('flag', '|i1'), ('', '|V7'), ('x', '<f8')]".parse()?;
    /// let Dtype::Record(record) = &dtype else { panic!("no record") };
    /// assert_eq!(record.item_size(), 1 + 7 + 8);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn item_size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }
}

impl Field {
    /// A field that begins at `offset`, in bytes.
    ///
    /// ```
    /// use npzmap::{Element, Field, Subarray};
    ///
    /// let position = Field::new("position", 8, Subarray::new(f32::dtype(), &[3]).unwrap());
    /// assert_eq!((position.offset(), position.dtype().item_size()), (8, 12));
    /// ```
    pub fn new(name: &str, offset: usize, dtype: impl Into<Dtype>) -> Self {
        // A record refuses what lies beyond its end.
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        Field { name: name.into(), title: None, offset, dtype: dtype.into() }
    }

    /// Its name.
    ///
    /// ```
    /// use npzmap::{Dtype, Npz};
    ///
    /// let npz = Npz::open("tests/data/records-stored.npz")?;
    /// let header = npz.member("names-latin1-le-c")?.header()?;
    /// let Dtype::Record(record) = header.dtype() else { panic!("no record") };
    /// assert_eq!((record.fields()[0].name(), record.fields()[1].name()), ("größe", "naïve"));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its title, a second name that NumPy allows.
    ///
    /// ```
    /// use npzmap::Dtype;
    ///
    /// let dtype: Dtype = "[(('Temperature, °C', 'temp'), '<f4')]".parse()?;
    /// let Dtype::Record(record) = &dtype else { panic!("no record") };
    /// assert_eq!(record.field("temp").and_then(|field| field.title()), Some("Temperature, °C"));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// Where it begins within the record, in bytes.
    ///
    /// ```
    /// use npzmap::Dtype;
    ///
    /// let dtype: Dtype = "[('flag', '|i1'), ('', '|V7'), ('x', '<f8')]".parse()?;
    /// let Dtype::Record(record) = &dtype else { panic!("no record") };
    /// assert_eq!(record.field("x").map(|field| field.offset()), Some(8));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn offset(&self) -> usize {
        usize::try_from(self.offset).unwrap_or(usize::MAX)
    }

    /// What it is.
    ///
    /// ```
    /// use npzmap::{Dtype, Element};
    ///
    /// let dtype: Dtype = "[('id', '>u4'), ('x', '<f8')]".parse()?;
    /// let Dtype::Record(record) = &dtype else { panic!("no record") };
    /// assert_eq!(record.fields()[1].dtype().to_string(), "<f8");
    /// assert!(u32::matches(record.fields()[0].dtype())); // its byte order aside
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn dtype(&self) -> &Dtype {
        &self.dtype
    }
}

impl Subarray {
    /// An array of `base`. Nothing where NumPy could not write it: more than `i32::MAX` bytes or 64 axes, an axis longer
    /// than `i32::MAX`, strings or void of no bytes.
    ///
    /// ```
    /// use npzmap::{Element, Subarray};
    ///
    /// let row = Subarray::new(f32::dtype(), &[3]).unwrap();
    /// let matrix = Subarray::new(row, &[2]).unwrap();
    /// assert_eq!(matrix.shape(), [2, 3]); // one array, not an array of arrays
    /// assert_eq!(Subarray::new(f32::dtype(), &[1 << 30]), None);
    /// assert_eq!(Subarray::new(f32::dtype(), &[0, 1 << 31]), None); // without values, too
    /// assert_eq!(Subarray::new("|S0".parse::<npzmap::Dtype>()?, &[2]), None);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn new(base: impl Into<Dtype>, shape: &[usize]) -> Option<Self> {
        let (mut shape, mut base) = (shape.to_vec(), base.into());
        if let Dtype::Subarray(inner) = base {
            // As NumPy does: an array of arrays is one array.
            shape.extend(inner.shape);
            base = *inner.base;
        }
        let sized = base.item_size() > 0 || matches!(base, Dtype::Record(_));
        if !sized || !shape.iter().copied().all(limits::is_length_of_subarray) {
            return None;
        }
        let bytes = shape.iter().try_fold(base.item_size(), |bytes, length| bytes.checked_mul(*length))?;
        let size = u32::try_from(bytes).ok().filter(|size| u64::from(*size) <= limits::ITEM_SIZE)?;
        (shape.len() <= limits::DIMENSIONS).then(|| Subarray { base: Box::new(base), shape, size })
    }

    /// The dtype of its elements.
    ///
    /// ```
    /// use npzmap::{Element, Subarray};
    ///
    /// let array = Subarray::new(f32::dtype(), &[2, 3]).unwrap();
    /// assert_eq!(*array.base(), f32::dtype());
    /// ```
    pub fn base(&self) -> &Dtype {
        &self.base
    }

    /// Its shape.
    ///
    /// ```
    /// use npzmap::{Element, Subarray};
    ///
    /// let array = Subarray::new(u8::dtype(), &[4, 4]).unwrap();
    /// assert_eq!(array.shape(), [4, 4]); // axes that a field of this dtype adds
    /// ```
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its size in bytes.
    ///
    /// ```
    /// use npzmap::{Element, Subarray};
    ///
    /// let array = Subarray::new(f32::dtype(), &[2, 3]).unwrap();
    /// assert_eq!(array.item_size(), 2 * 3 * 4);
    /// ```
    pub fn item_size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }
}

impl Dtype {
    /// The size of an item in bytes: NumPy's `itemsize`.
    ///
    /// ```
    /// use npzmap::Dtype;
    ///
    /// let size = |text: &str| text.parse::<Dtype>().map(|dtype| dtype.item_size());
    /// assert_eq!((size("<c16")?, size("<U9")?, size("[('x', '<f4', (3,)), ('', '|V4')]")?), (16, 36, 16));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn item_size(&self) -> usize {
        match self {
            Dtype::Scalar(scalar) => scalar.item_size(),
            Dtype::Record(record) => record.item_size(),
            Dtype::Subarray(array) => array.item_size(),
        }
    }

    /// The alignment that a Rust or C type of this layout has: that of the widest number in it. For a record whose
    /// fields do not lie on their own alignment, 1.
    ///
    /// ```
    /// use npzmap::Dtype;
    ///
    /// let alignment = |text: &str| text.parse::<Dtype>().map(|dtype| dtype.alignment());
    /// assert_eq!((alignment("<f8")?, alignment("<c16")?, alignment("<U9")?), (8, 8, 4));
    /// assert_eq!(alignment("[('flag', '|i1'), ('', '|V7'), ('x', '<f8')]")?, 8);
    /// assert_eq!(alignment("[('flag', '|i1'), ('x', '<f8')]")?, 1); // packed
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn alignment(&self) -> usize {
        self.alignment_of(&Scalar::alignment)
    }

    /// That of the crate's own type for it: strings are lent as [`FixedStr`](crate::FixedStr), at any address.
    pub(crate) fn view_alignment(&self) -> usize {
        self.alignment_of(&|scalar| if scalar.kind == Kind::Str { 1 } else { scalar.alignment() })
    }

    fn alignment_of(&self, scalar: &dyn Fn(&Scalar) -> usize) -> usize {
        match self {
            Dtype::Scalar(dtype) => scalar(dtype),
            Dtype::Subarray(array) => array.base.alignment_of(scalar),
            Dtype::Record(record) => {
                let (mut widest, mut aligned) = (1, true);
                for field in record.fields() {
                    steps::add(1);
                    // Once: twice on each of 32 levels would be 2^32 times.
                    let alignment = field.dtype.alignment_of(scalar);
                    widest = widest.max(alignment);
                    aligned &= field.offset().is_multiple_of(alignment);
                }
                if aligned && record.item_size().is_multiple_of(widest) { widest } else { 1 }
            }
        }
    }

    /// Whether this machine reads every number in it as it lies.
    ///
    /// ```
    /// use npzmap::{Dtype, Element};
    ///
    /// assert!(f64::dtype().is_native());
    /// let mixed: Dtype = "[('a', '<f8'), ('b', '>f8')]".parse()?;
    /// assert!(!mixed.is_native()); // on any machine
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn is_native(&self) -> bool {
        match self {
            Dtype::Scalar(scalar) => scalar.order.is_native(),
            Dtype::Record(record) => record.fields.iter().all(|field| field.dtype.is_native()),
            Dtype::Subarray(array) => array.base.is_native(),
        }
    }

    /// Whether it is, or contains, pickled Python objects.
    ///
    /// ```
    /// use npzmap::Npz;
    ///
    /// let npz = Npz::open("tests/data/object.npz")?;
    /// assert!(npz.member("record")?.header()?.dtype().has_object()); // in one of its fields
    /// assert!(!npz.member("plain")?.header()?.dtype().has_object());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn has_object(&self) -> bool {
        match self {
            Dtype::Scalar(scalar) => scalar.kind == Kind::Object,
            Dtype::Record(record) => record.fields.iter().any(|field| field.dtype.has_object()),
            Dtype::Subarray(array) => array.base.has_object(),
        }
    }

    /// The scalar, if it is one.
    ///
    /// ```
    /// use npzmap::Dtype;
    ///
    /// let dtype: Dtype = "<M8[ns]".parse()?;
    /// assert_eq!(dtype.as_scalar().unwrap().item_size(), 8);
    /// let record: Dtype = "[('t', '<M8[ns]')]".parse()?;
    /// assert_eq!(record.as_scalar(), None);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match self {
            Dtype::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }
}

impl From<Scalar> for Dtype {
    fn from(scalar: Scalar) -> Self {
        Dtype::Scalar(scalar)
    }
}

impl From<Record> for Dtype {
    fn from(record: Record) -> Self {
        Dtype::Record(record)
    }
}

impl From<Subarray> for Dtype {
    fn from(array: Subarray) -> Self {
        Dtype::Subarray(array)
    }
}
