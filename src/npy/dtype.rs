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

pub(crate) use descr::{parse_shape, write_shape};

use std::collections::HashSet;

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
///
/// ```
/// use npzmap::{ByteOrder, Kind, Scalar};
///
/// let scalar = Scalar::new(Kind::Float, 4, ByteOrder::Big).unwrap();
/// assert_eq!(scalar.to_string(), ">f4");
/// assert_eq!((scalar.kind(), scalar.item_size()), (Kind::Float, 4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scalar {
    kind: Kind,
    order: ByteOrder,
    /// Bytes of an item.
    size: u32,
    unit: Option<DatetimeUnit>,
}

/// What a scalar is.
///
/// ```
/// use npzmap::{Kind, Npz};
///
/// let npz = Npz::open("tests/data/model-batch.npz")?;
/// let kind = |key| Ok::<_, npzmap::Error>(npz.member(key)?.header()?.dtype().as_scalar().unwrap().kind());
/// assert_eq!((kind("features")?, kind("labels")?, kind("sample_ids")?), (Kind::Float, Kind::Int, Kind::Str));
/// # Ok::<(), npzmap::Error>(())
/// ```
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
///
/// ```
/// use npzmap::{ByteOrder, Dtype};
///
/// let order = |text: &str| text.parse::<Dtype>().ok()?.as_scalar().map(|scalar| scalar.byte_order());
/// assert_eq!(order(">f4"), Some(ByteOrder::Big));
/// assert_eq!(order(">i1"), Some(ByteOrder::NotApplicable)); // a single byte, whatever its mark
/// assert_eq!(order("=f4"), Some(ByteOrder::NATIVE));
/// ```
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
    ///
    /// ```
    /// use npzmap::{ByteOrder, Element};
    ///
    /// assert_eq!(f32::dtype().as_scalar().unwrap().byte_order(), ByteOrder::NATIVE);
    /// ```
    pub const NATIVE: ByteOrder = if cfg!(target_endian = "big") { ByteOrder::Big } else { ByteOrder::Little };

    /// Whether this machine reads it as it is.
    ///
    /// ```
    /// use npzmap::ByteOrder;
    ///
    /// assert!(ByteOrder::NATIVE.is_native() && ByteOrder::NotApplicable.is_native());
    /// assert_ne!(ByteOrder::Little.is_native(), ByteOrder::Big.is_native());
    /// ```
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
///
/// ```
/// use npzmap::{AnyArray, Npz};
///
/// let npz = Npz::open("tests/data/datetimes-stored.npz")?;
/// let AnyArray::Datetime { counts, unit: Some(unit) } = npz.read_any("M8-25s-le")? else { panic!("no unit") };
/// assert_eq!((unit.base().code(), unit.multiple()), ("s", 25));
/// assert_eq!(counts[1] * i64::from(unit.multiple()), 25); // seconds since 1970-01-01
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DatetimeUnit {
    base: TimeUnit,
    multiple: u32,
}

impl DatetimeUnit {
    /// `multiple` times `base`; nothing for 0, or for more than NumPy's `int` holds.
    ///
    /// ```
    /// use npzmap::{DatetimeUnit, TimeUnit};
    ///
    /// let week = DatetimeUnit::new(TimeUnit::Day, 7).unwrap();
    /// assert_eq!((week.base(), week.multiple()), (TimeUnit::Day, 7));
    /// assert_eq!(DatetimeUnit::new(TimeUnit::Day, 0), None);
    /// ```
    pub fn new(base: TimeUnit, multiple: u32) -> Option<Self> {
        (multiple > 0 && i32::try_from(multiple).is_ok()).then_some(DatetimeUnit { base, multiple })
    }

    /// The unit.
    ///
    /// ```
    /// use npzmap::{Dtype, TimeUnit};
    ///
    /// let dtype: Dtype = "<M8[ns]".parse()?; // as pandas writes it
    /// let unit = dtype.as_scalar().and_then(|scalar| scalar.unit()).unwrap();
    /// assert_eq!(unit.base(), TimeUnit::Nanosecond);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn base(self) -> TimeUnit {
        self.base
    }

    /// How many of it one count is.
    ///
    /// ```
    /// use npzmap::Dtype;
    ///
    /// let multiple = |text: &str| text.parse::<Dtype>().ok()?.as_scalar()?.unit().map(|unit| unit.multiple());
    /// assert_eq!((multiple("<m8[25s]"), multiple("<m8[s]"), multiple("<m8")), (Some(25), Some(1), None));
    /// ```
    pub fn multiple(self) -> u32 {
        self.multiple
    }
}

macro_rules! time_units {
    ($($name:ident $code:literal $doc:literal),* $(,)?) => {
        /// The units of time that NumPy knows.
        ///
        /// ```
        /// use npzmap::TimeUnit;
        ///
        /// assert!(TimeUnit::Year < TimeUnit::Second); // in the order of NumPy: the longest first
        /// assert_eq!(TimeUnit::Attosecond.code(), "as");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum TimeUnit { $(#[doc = $doc] $name,)* }

        impl TimeUnit {
            /// All of them, the longest first.
            ///
            /// ```
            /// use npzmap::TimeUnit;
            ///
            /// let codes: Vec<_> = TimeUnit::ALL.iter().map(|unit| unit.code()).collect();
            /// assert_eq!(codes.join(" "), "Y M W D h m s ms us ns ps fs as");
            /// ```
            pub const ALL: &'static [TimeUnit] = &[$(TimeUnit::$name),*];

            /// NumPy's code.
            ///
            /// ```
            /// use npzmap::TimeUnit;
            ///
            /// assert_eq!((TimeUnit::Month.code(), TimeUnit::Minute.code()), ("M", "m"));
            /// ```
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
    /// No bytes of no kind.
    pub(crate) const VOID: Scalar = Scalar { kind: Kind::Void, order: ByteOrder::NotApplicable, size: 0, unit: None };

    /// A scalar of `size` bytes, its bytes in `order` where it has one. Nothing where NumPy has no such dtype.
    ///
    /// ```
    /// use npzmap::{ByteOrder, Kind, Scalar};
    ///
    /// let complex64 = Scalar::new(Kind::Complex, 8, ByteOrder::Little).unwrap();
    /// assert_eq!(complex64.to_string(), "<c8");
    /// assert_eq!(Scalar::new(Kind::Int, 3, ByteOrder::Little), None); // no integers of 24 bits
    /// ```
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
    ///
    /// ```
    /// use npzmap::{Dtype, Kind};
    ///
    /// let dtype: Dtype = "<U9".parse()?;
    /// assert_eq!(dtype.as_scalar().map(|scalar| scalar.kind()), Some(Kind::Str));
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The order of its bytes.
    ///
    /// ```
    /// use npzmap::{ByteOrder, Kind, Scalar};
    ///
    /// let order = |kind, size| Scalar::new(kind, size, ByteOrder::Big).map(|scalar| scalar.byte_order());
    /// assert_eq!(order(Kind::UInt, 2), Some(ByteOrder::Big));
    /// assert_eq!(order(Kind::UInt, 1), Some(ByteOrder::NotApplicable));
    /// ```
    pub fn byte_order(&self) -> ByteOrder {
        self.order
    }

    /// Its size in bytes.
    ///
    /// ```
    /// use npzmap::Dtype;
    ///
    /// let dtype: Dtype = "<U9".parse()?;
    /// assert_eq!(dtype.as_scalar().unwrap().item_size(), 9 * 4); // characters have four bytes
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn item_size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    /// What a datetime or timedelta counts; nothing where NumPy calls the unit generic.
    ///
    /// ```
    /// use npzmap::{Dtype, TimeUnit};
    ///
    /// let base = |text: &str| text.parse::<Dtype>().ok()?.as_scalar()?.unit().map(|unit| unit.base());
    /// assert_eq!((base("<M8[D]"), base("<M8"), base("<i8")), (Some(TimeUnit::Day), None, None));
    /// ```
    pub fn unit(&self) -> Option<DatetimeUnit> {
        self.unit
    }

    /// The same dtype with a unit, for datetimes and timedeltas.
    ///
    /// ```
    /// use npzmap::{ByteOrder, DatetimeUnit, Kind, Scalar, TimeUnit};
    ///
    /// let generic = Scalar::new(Kind::Datetime, 8, ByteOrder::Little).unwrap();
    /// let seconds = generic.with_unit(DatetimeUnit::new(TimeUnit::Second, 25).unwrap());
    /// assert_eq!((generic.to_string().as_str(), seconds.to_string().as_str()), ("<M8", "<M8[25s]"));
    /// ```
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

    /// The alignment that NumPy gives it: what a C struct would.
    fn alignment(&self) -> usize {
        match self.unit_size() {
            12 => 4,
            size => size.max(1),
        }
    }
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
    fields: Vec<Field>,
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
        (end <= item_size && named_once).then_some(Record { fields, size })
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
    /// An array of `base`, nothing if it has more than `i32::MAX` bytes or 64 axes.
    ///
    /// ```
    /// use npzmap::{Element, Subarray};
    ///
    /// let row = Subarray::new(f32::dtype(), &[3]).unwrap();
    /// let matrix = Subarray::new(row, &[2]).unwrap();
    /// assert_eq!(matrix.shape(), [2, 3]); // one array, not an array of arrays
    /// assert_eq!(Subarray::new(f32::dtype(), &[1 << 30]), None);
    /// ```
    pub fn new(base: impl Into<Dtype>, shape: &[usize]) -> Option<Self> {
        let (mut shape, mut base) = (shape.to_vec(), base.into());
        if let Dtype::Subarray(inner) = base {
            // As NumPy does: an array of arrays is one array.
            shape.extend(inner.shape);
            base = *inner.base;
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
