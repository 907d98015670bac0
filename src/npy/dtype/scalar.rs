//! The dtypes of one value: kind, size, byte order, and the unit of dates.
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use crate::limits;

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
    pub(super) kind: Kind,
    pub(super) order: ByteOrder,
    /// Bytes of an item.
    pub(super) size: u32,
    pub(super) unit: Option<DatetimeUnit>,
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

    pub(super) fn mark(self) -> char {
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
    pub(super) base: TimeUnit,
    pub(super) multiple: u32,
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
    pub(super) fn alignment(&self) -> usize {
        match self.unit_size() {
            12 => 4,
            size => size.max(1),
        }
    }
}
