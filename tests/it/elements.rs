//! Elements beyond plain numbers: half floats, dates, strings of a fixed length, records of a user's own.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use ndarray::{ArrayView, Dimension, Ix1, Ix2, IxDyn};
use npzmap::num_complex::Complex;
use npzmap::{
    Access, Dtype, Element, ErrorKind, FixedBytes, FixedStr, Kind, Mapping, Member, Npz, Reason, Result, Unaligned,
    record,
};
use serde_json::Value;

use crate::fixtures::{self, EXPECTED};
use crate::forge::{self, Archive};

/// A value as `expected.json` has it.
pub(crate) trait Json: Copy {
    fn json(self) -> Value;

    /// The values in it: one, or those of an array in C order.
    fn all(self) -> Vec<Value> {
        vec![self.json()]
    }
}

macro_rules! json {
    ($($type:ty),* $(,)?) => {$(
        impl Json for $type {
            fn json(self) -> Value {
                self.into()
            }
        }
    )*};
}

json!(bool, i8, i16, i32, i64, u8, u16, u32, u64);

impl Json for f64 {
    fn json(self) -> Value {
        if self.is_finite() { self.into() } else { self.to_string().to_lowercase().into() }
    }
}

impl Json for f32 {
    fn json(self) -> Value {
        f64::from(self).json()
    }
}

#[cfg(feature = "half")]
impl Json for half::f16 {
    fn json(self) -> Value {
        f64::from(self).json()
    }
}

impl<T: Json> Json for Complex<T> {
    fn json(self) -> Value {
        Value::from_iter([self.re.json(), self.im.json()])
    }
}

impl<const N: usize> Json for FixedStr<N> {
    fn json(self) -> Value {
        self.to_text().into()
    }
}

impl<const N: usize> Json for FixedBytes<N> {
    fn json(self) -> Value {
        String::from_iter(self.as_bytes().iter().copied().map(char::from)).into()
    }
}

impl<T: Json> Json for Unaligned<T> {
    fn json(self) -> Value {
        self.get().json()
    }
}

impl<T: Json, const N: usize> Json for [T; N] {
    fn json(self) -> Value {
        self.all().into()
    }

    fn all(self) -> Vec<Value> {
        self.into_iter().flat_map(Json::all).collect()
    }
}

/// A `bool` in a record, which `Pod` has not.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(transparent)]
pub(crate) struct Flag(u8);

impl Element for Flag {
    fn dtype() -> Dtype {
        bool::dtype()
    }
}

impl Json for Flag {
    fn json(self) -> Value {
        (self.0 == 1).into()
    }
}

/// The count of a date or of a time, whatever the unit.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(transparent)]
pub(crate) struct Count(i64);

impl Element for Count {
    fn dtype() -> Dtype {
        "M8".parse().unwrap()
    }

    fn matches(dtype: &Dtype) -> bool {
        dtype.as_scalar().is_some_and(|scalar| matches!(scalar.kind(), Kind::Datetime | Kind::Timedelta))
    }
}

impl Json for Count {
    fn json(self) -> Value {
        self.0.into()
    }
}

/// Bytes of no kind.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(transparent)]
pub(crate) struct Void([u8; 3]);

impl Element for Void {
    fn dtype() -> Dtype {
        "|V3".parse().unwrap()
    }
}

impl Json for Void {
    fn json(self) -> Value {
        hex(&self.0).into()
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Work that is done for a type that is known only at run time.
pub(crate) trait Work {
    fn checked<T: Element + Json>(&mut self);

    /// For the types of which every bit pattern is a value.
    fn plain<T: Element + Json + Pod>(&mut self) {
        self.checked::<T>();
    }
}

/// Does the work for the type of this dtype; false if this build has none.
pub(crate) fn with_type(descr: &str, work: &mut impl Work) -> bool {
    match &descr[1..] {
        "b1" => work.checked::<bool>(),
        "i1" => work.plain::<i8>(),
        "i2" => work.plain::<i16>(),
        "i4" => work.plain::<i32>(),
        "i8" => work.plain::<i64>(),
        "u1" => work.plain::<u8>(),
        "u2" => work.plain::<u16>(),
        "u4" => work.plain::<u32>(),
        "u8" => work.plain::<u64>(),
        #[cfg(feature = "half")]
        "f2" => work.plain::<half::f16>(),
        "f4" => work.plain::<f32>(),
        "f8" => work.plain::<f64>(),
        "c8" => work.plain::<Complex<f32>>(),
        "c16" => work.plain::<Complex<f64>>(),
        "S3" => work.plain::<FixedBytes<3>>(),
        "S5" => work.plain::<FixedBytes<5>>(),
        "U3" => work.plain::<FixedStr<3>>(),
        "U4" => work.plain::<FixedStr<4>>(),
        "U9" => work.plain::<FixedStr<9>>(),
        "V3" => work.plain::<Void>(),
        code if code.starts_with("M8") || code.starts_with("m8") => work.plain::<Count>(),
        _ => return false,
    }
    true
}

/// The values in C order, each to its last bit: `-0.0` is not `0.0`.
#[track_caller]
pub(crate) fn assert_values<T: Json, D: Dimension>(array: &ArrayView<'_, T, D>, expected: &Value, what: &str) {
    let found = Value::from_iter(array.iter().map(|value| value.json()));
    assert_eq!(found.to_string(), expected.to_string(), "{what}");
}

/// What NumPy says of the arrays of an archive.
pub(crate) fn arrays(file: &str) -> impl Iterator<Item = &'static Value> {
    let entries = EXPECTED["archives"][file].as_array().unwrap_or_else(|| panic!("{file} is not expected"));
    entries.iter().filter(|entry| entry["kind"] == "array")
}

pub(crate) fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field].as_str().unwrap_or_else(|| panic!("no text '{field}' in {entry}"))
}

pub(crate) fn lengths(entry: &Value) -> Vec<usize> {
    serde_json::from_value(entry["shape"].clone()).unwrap()
}

/// Whether the machine has the byte order of this dtype.
pub(crate) fn is_native(descr: &str) -> bool {
    descr.parse::<Dtype>().unwrap().is_native()
}

#[expect(unsafe_code, reason = "mapping a file is a promise about it")]
pub(crate) fn map(file: &str) -> Npz<Mapping> {
    // SAFETY: nobody writes to the fixtures of this repository while they are tested.
    unsafe { Npz::map(fixtures::path(file)) }.unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The bytes in memory, their byte `at` on a multiple of 64 and of `shift` bytes more.
pub(crate) fn placed(bytes: &[u8], at: usize, shift: usize) -> (Vec<u8>, Range<usize>) {
    let mut room = vec![0; bytes.len() + 128];
    let first = room.as_ptr().addr();
    let start = (0..64).find(|start| (first + start + at).is_multiple_of(64)).unwrap() + shift;
    let range = start..start + bytes.len();
    room[range.clone()].copy_from_slice(bytes);
    (room, range)
}

/// The elements lie in the source, where NumPy reads them.
#[track_caller]
pub(crate) fn assert_lent<T, D: Dimension>(view: &ArrayView<'_, T, D>, source: &[u8], entry: &Value) {
    let offset = usize::try_from(entry["data_offset"].as_u64().unwrap()).unwrap();
    assert_eq!(view.as_ptr().addr() - source.as_ptr().addr(), offset, "{}", entry["name"]);
}

#[track_caller]
pub(crate) fn kind<T>(result: Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("not refused"),
        Err(error) => error.into_kind(),
    }
}

#[track_caller]
fn assert_mismatch<T>(result: Result<T>) {
    let kind = kind(result);
    assert!(matches!(kind, ErrorKind::DtypeMismatch { .. }), "{kind}");
}

#[track_caller]
fn assert_not_lent<T>(result: Result<T>, expected: Reason) {
    let kind = kind(result);
    assert!(matches!(&kind, ErrorKind::CannotBorrow { reason, .. } if *reason == expected), "{kind}");
}

#[cfg(feature = "half")]
#[test]
fn half_floats_are_numpys_to_the_last_bit() {
    use half::f16;

    let mut seen = 0;
    for file in ["kinds-stored.npz", "kinds-deflated.npz"] {
        let npz = map(file);
        for entry in arrays(file).filter(|entry| text(entry, "descr").ends_with("f2")) {
            let (key, values) = (text(entry, "key"), &entry["values"]);
            assert_values(&npz.read::<f16, IxDyn>(key).unwrap().view(), values, key);
            assert_values(&npz.get::<f16, IxDyn>(key).unwrap().view(), values, key);
            let view = npz.view::<Unaligned<f16>, IxDyn>(key);
            match (text(entry, "method"), is_native(text(entry, "descr"))) {
                ("stored", true) => {
                    assert_values(&view.unwrap(), values, key);
                    assert_lent(&npz.view::<Unaligned<f16>, IxDyn>(key).unwrap(), npz.source(), entry);
                }
                ("stored", false) => assert_not_lent(view, Reason::ByteOrder),
                _ => assert_not_lent(view, Reason::Compressed),
            }
            assert_mismatch(npz.read::<u16, IxDyn>(key));
            assert_mismatch(npz.read::<half::bf16, IxDyn>(key));
            seen += 1;
        }
    }
    assert_eq!(seen, 16);
}

#[cfg(feature = "half")]
#[test]
fn bfloat16_is_taken_when_the_caller_says_so() {
    use half::bf16;

    let npz = map("ml-dtypes.npz");
    let mut seen = 0;
    for entry in arrays("ml-dtypes.npz").filter(|entry| text(entry, "key").starts_with("bfloat16-le")) {
        let (key, values) = (text(entry, "key"), &entry["values"]);
        let read = npz.array(key).unwrap().reinterpret::<bf16>().unwrap().read::<bf16, IxDyn>().unwrap();
        assert_eq!(read.shape(), lengths(entry));
        assert_values(&read.map(|value| value.to_bits()).view(), values, key);
        let view =
            npz.array(key).unwrap().reinterpret::<Unaligned<bf16>>().unwrap().view::<Unaligned<bf16>, IxDyn>().unwrap();
        assert_values(&view.map(|value| value.get().to_bits()).view(), values, key);
        assert_lent(&view, npz.source(), entry);
        seen += 1;

        // Two bytes of no kind may be anything: nobody takes them for numbers by accident.
        let refusals = [
            npz.view::<bf16, IxDyn>(key).unwrap_err(),
            npz.view::<Unaligned<bf16>, IxDyn>(key).unwrap_err(),
            npz.read::<bf16, IxDyn>(key).unwrap_err(),
            npz.get::<bf16, IxDyn>(key).unwrap_err(),
            npz.member(key).unwrap().array().and_then(|array| array.access::<bf16>()).unwrap_err(),
        ];
        for error in refusals {
            assert!(matches!(error.kind(), ErrorKind::DtypeMismatch { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("reinterpret::<bf16>()") && text.contains("bfloat16"), "{text}");
        }
        assert_mismatch(npz.array(key).and_then(|array| array.reinterpret::<f32>()?.view::<f32, IxDyn>()));
        assert_mismatch(npz.array(key).and_then(|array| array.reinterpret::<u8>()?.read::<u8, IxDyn>()));
    }
    assert_eq!(seen, 4);

    let values = npz.array("bfloat16-le-c").unwrap().reinterpret::<bf16>().unwrap().read::<bf16, Ix2>().unwrap();
    assert_eq!([values[(0, 2)], values[(0, 3)]].map(f32::from), [1.5, -2.25]);
    let scale =
        map("weights.npz").array("encoder/scale").unwrap().reinterpret::<bf16>().unwrap().read::<bf16, Ix1>().unwrap();
    assert_eq!(scale.map(|value| value.to_f32()).to_vec(), [1.5, -2.0, 0.5]);
}

/// Bytes of no kind have no order, whatever mark ml_dtypes writes: as in NumPy, they are taken as they lie.
#[cfg(feature = "half")]
#[test]
fn bfloat16_of_the_other_byte_order_is_for_the_caller_to_swap() {
    use half::bf16;

    let npz = map("ml-dtypes.npz");
    let mut seen = 0;
    for entry in arrays("ml-dtypes.npz").filter(|entry| text(entry, "key").starts_with("bfloat16-be")) {
        let (key, values) = (text(entry, "key"), &entry["values"]);
        assert_eq!(text(entry, "descr"), ">V2");
        assert_eq!(npz.member(key).unwrap().header().unwrap().dtype().to_string(), "|V2");
        let read = npz.array(key).unwrap().reinterpret::<bf16>().unwrap().read::<bf16, IxDyn>().unwrap();
        assert_values(&read.map(|value| value.to_bits().swap_bytes()).view(), values, key);
        assert_eq!(
            npz.array(key)
                .unwrap()
                .reinterpret::<FixedBytes<2>>()
                .unwrap()
                .view::<FixedBytes<2>, IxDyn>()
                .unwrap()
                .len(),
            read.len()
        );
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn dates_of_every_unit_are_read_as_their_counts() {
    let (mut seen, mut units) = (0, BTreeSet::new());
    for file in ["datetimes-stored.npz", "datetimes-deflated.npz"] {
        let npz = map(file);
        for entry in arrays(file) {
            let (key, descr, values) = (text(entry, "key"), text(entry, "descr"), &entry["values"]);
            let counts = npz.array(key).unwrap().reinterpret::<i64>().unwrap().read::<i64, IxDyn>().unwrap();
            assert_eq!(counts.shape(), lengths(entry));
            assert_values(&counts.view(), values, key);
            // By a type of the user's own, without a promise.
            assert_values(&npz.read::<Count, IxDyn>(key).unwrap().view(), values, key);

            let view =
                npz.array(key).and_then(|array| array.reinterpret::<Unaligned<i64>>()?.view::<Unaligned<i64>, IxDyn>());
            match (text(entry, "method"), is_native(descr)) {
                ("stored", true) => {
                    assert_lent(view.as_ref().unwrap(), npz.source(), entry);
                    assert_values(&view.unwrap(), values, key);
                }
                ("stored", false) => assert_not_lent(view, Reason::ByteOrder),
                _ => assert_not_lent(view, Reason::Compressed),
            }

            let error = npz.read::<i64, IxDyn>(key).unwrap_err().to_string();
            assert!(error.contains(descr) && error.contains("reinterpret::<i64>()"), "{error}");
            assert_mismatch(npz.view::<Unaligned<i64>, IxDyn>(key));
            assert_mismatch(npz.array(key).and_then(|array| array.reinterpret::<i32>()?.read::<i32, IxDyn>()));
            assert_mismatch(
                npz.array(key).and_then(|array| array.reinterpret::<Unaligned<i32>>()?.view::<Unaligned<i32>, IxDyn>()),
            );
            seen += 1;
            units.insert(&descr[1..]);
        }
    }
    // 17 units, those with a multiple and none among them, of dates and of times.
    assert_eq!((seen, units.len()), (152, 34));
}

#[test]
fn an_array_is_taken_as_any_type_of_its_size() {
    let npz = map("kinds-stored.npz");
    let bits = |key| npz.read::<f32, Ix2>(key).unwrap().map(|value| value.to_bits());
    for key in ["f4-le-c", "f4-be-c", "f4-le-f", "f4-be-f"] {
        assert_eq!(
            npz.array(key).unwrap().reinterpret::<u32>().unwrap().read::<u32, Ix2>().unwrap(),
            bits(key),
            "{key}"
        );
    }
    let view =
        npz.array("f4-le-f").unwrap().reinterpret::<Unaligned<u32>>().unwrap().view::<Unaligned<u32>, Ix2>().unwrap();
    assert_eq!((view[(0, 2)].get(), view[(2, 3)].get()), (0x3fc0_0000, 0x3eaa_aaab)); // 1.5, 1/3
    assert_eq!(view.strides(), [1, 3]);
    let bytes =
        npz.array("f4-le-c").unwrap().reinterpret::<FixedBytes<4>>().unwrap().view::<FixedBytes<4>, Ix2>().unwrap();
    assert_eq!(bytes[(0, 2)].as_array(), &[0, 0, 0xc0, 0x3f]);
    let characters =
        npz.array("U9-le-c").unwrap().reinterpret::<FixedBytes<36>>().unwrap().view::<FixedBytes<36>, Ix2>().unwrap();
    assert_eq!(characters[(0, 0)].as_array()[..4], *b"g\0\0\0");

    // Sizes and dimensions must agree, objects have none, and a bool is still 0 or 1.
    assert_mismatch(npz.array("f4-le-c").and_then(|array| array.reinterpret::<u64>()?.view::<u64, Ix2>()));
    assert_mismatch(npz.array("f4-le-c").and_then(|array| array.reinterpret::<u16>()?.read::<u16, Ix2>()));
    let refused = kind(npz.array("f4-le-c").and_then(|array| array.reinterpret::<u32>()?.read::<u32, Ix1>()));
    assert!(matches!(refused, ErrorKind::DimensionMismatch { found: 2, expected: 1 }), "{refused}");
    for refused in [
        kind(npz.array("u1-c").and_then(|array| array.reinterpret::<bool>()?.read::<bool, Ix2>())),
        kind(npz.array("u1-c").and_then(|array| array.reinterpret::<bool>()?.view::<bool, Ix2>())),
    ] {
        assert!(matches!(refused, ErrorKind::InvalidElement { index: 2, .. }), "{refused}");
    }
    let objects = map("object.npz");
    for key in ["objects", "record", "none"] {
        for refused in [
            kind(objects.array(key).and_then(|array| array.reinterpret::<u64>()?.read::<u64, IxDyn>())),
            kind(objects.array(key).and_then(|array| array.reinterpret::<u64>()?.view::<u64, IxDyn>())),
        ] {
            assert!(matches!(refused, ErrorKind::Pickled), "{refused}");
        }
    }
}

#[test]
fn strings_of_a_fixed_length_are_borrowed_at_any_address() {
    let mut seen = 0;
    for file in ["kinds-stored.npz", "kinds-deflated.npz"] {
        for entry in arrays(file) {
            match text(entry, "descr") {
                "|S5" => check_fixed::<FixedBytes<5>, FixedBytes<6>>(file, entry),
                "<U9" | ">U9" => check_fixed::<FixedStr<9>, FixedStr<8>>(file, entry),
                _ => continue,
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 24);
}

fn check_fixed<T: Element + Json + Debug + PartialEq, Other: Element>(file: &str, entry: &Value) {
    let (key, values) = (text(entry, "key"), &entry["values"]);
    let bytes = fixtures::bytes(file);
    for shift in 0..4 {
        let (room, range) = placed(&bytes, 0, shift);
        let npz = Npz::new(&room[range]).unwrap();
        let member = npz.member(key).unwrap();
        assert_values(&member.array().unwrap().read::<T, IxDyn>().unwrap().view(), values, key);
        let view = member.array().and_then(|array| array.view::<T, IxDyn>());
        match (text(entry, "method"), is_native(text(entry, "descr"))) {
            ("stored", true) => {
                let view = view.unwrap();
                assert_values(&view, values, key);
                assert_lent(&view, npz.source(), entry);
                assert_eq!(member.array().unwrap().access::<T>().unwrap(), Access::Borrow);
            }
            ("stored", false) => assert_not_lent(view, Reason::ByteOrder),
            _ => assert_not_lent(view, Reason::Compressed),
        }
        assert_mismatch(member.array().and_then(|array| array.read::<Other, IxDyn>()));
        assert_mismatch(member.array().and_then(|array| array.view::<Other, IxDyn>()));
    }
}

#[test]
fn a_fixed_string_is_compared_with_text() {
    let npz = map("kinds-stored.npz");
    let strings = npz.view::<FixedStr<9>, Ix2>("U9-le-c").unwrap();
    assert!(strings[(0, 0)] == "größe" && strings[(0, 0)] != "größ" && strings[(0, 0)] != "größe ");
    assert!(strings[(0, 1)] == "" && strings[(0, 2)] == "a\0b" && strings[(0, 3)] == "\0lead");
    assert!(strings[(1, 0)] == "\u{1d11e} clef" && strings[(1, 1)] == "nine char");
    assert_eq!(strings[(0, 2)].codes(), [97, 0, 98, 0, 0, 0, 0, 0, 0]);
    assert_eq!(format!("{:?}", strings[(0, 2)]), "\"a\\0b\"");

    let bytes = npz.view::<FixedBytes<5>, Ix2>("S5-c").unwrap();
    assert_eq!((bytes[(0, 2)].as_bytes(), bytes[(0, 2)].as_array()), (&b"a\0b"[..], b"a\0b\0\0"));
    assert_eq!((bytes[(0, 0)].to_str(), bytes[(1, 0)].to_str()), (Some("ab"), None));
    assert_eq!(bytes[(1, 0)].to_str_lossy(), "\u{fffd}\u{fffd}xyz");
    assert_eq!(format!("{:?}", bytes[(1, 0)]), r#"b"\xff\xe9xyz""#);
}

#[test]
fn a_fixed_string_that_is_no_text_is_still_there() {
    let codes = [0x61, 0xd800, 0x11_0000_u32].map(u32::to_le_bytes);
    let content = forge::npy("'<U1'", "(3,)", codes.as_flattened());
    let npz = Npz::new(Archive::new(vec![forge::stored("a.npy", &content)]).bytes()).unwrap();
    let strings = npz.read::<FixedStr<1>, Ix1>("a").unwrap();
    assert_eq!(strings.map(|item| item.to_text()).to_vec(), [Some("a".into()), None, None]);
    assert_eq!(strings.map(|item| item.codes()).to_vec(), [[0x61], [0xd800], [0x11_0000]]);
    assert!(strings[1] != "\u{d7ff}" && strings[0] == "a");
    assert_eq!(format!("{:?}", strings[1]), "[55296]");
}

// Records. Those that are packed have an alignment of 1, as NumPy's dtypes without `align=True`.

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, packed)]
struct Packed {
    id: u32,
    score: f64,
    ok: Flag,
    tag: FixedBytes<5>,
    name: FixedStr<4>,
}

record!(Packed { id: u32, score: f64, ok: Flag, tag: FixedBytes<5>, name: FixedStr<4> });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
struct Aligned {
    flag: i8,
    padding: [u8; 7],
    x: f64,
    n: i16,
    tail: [u8; 6],
}

// In any order: the offsets decide.
record!(Aligned { n: i16, flag: i8, x: f64 });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, packed)]
struct Pos {
    x: f32,
    y: f32,
}

record!(Pos { x: f32, y: f32 });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, packed)]
struct Deep {
    z: Complex<f32>,
}

record!(Deep { z: Complex<f32> });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, packed)]
struct Inner {
    k: i16,
    deep: Deep,
}

record!(Inner { k: i16, deep: Deep });

/// `<M8[s]`.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(transparent)]
struct Seconds(i64);

impl Element for Seconds {
    fn dtype() -> Dtype {
        "M8[s]".parse().unwrap()
    }
}

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, packed)]
struct Nested {
    pos: Pos,
    when: Seconds,
    inner: Inner,
}

record!(Nested { pos: Pos, when: Seconds, inner: Inner });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
struct InnerAligned {
    b: i8,
    padding: [u8; 3],
    c: i32,
}

record!(InnerAligned { b: i8, c: i32 });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
struct NestedAligned {
    a: i8,
    padding: [u8; 3],
    within: InnerAligned,
    d: i8,
    gap: [u8; 3],
    e: i64,
}

record!(NestedAligned { a: i8, "in" = within: InnerAligned, d: i8, e: i64 });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
struct Titles {
    temp: f32,
    n: i32,
}

record!(Titles { temp: f32, n: i32 });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, packed)]
struct Cell {
    a: i16,
    b: [Flag; 2],
}

record!(Cell { a: i16, b: [Flag; 2] });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, packed)]
struct Subarrays {
    m: [[f32; 3]; 2],
    v: [u8; 3],
    one: [i16; 1],
    s: [FixedBytes<3>; 2],
    grid: [[Cell; 2]; 2],
}

record!(Subarrays { m: [[f32; 3]; 2], v: [u8; 3], one: [i16; 1], s: [FixedBytes<3>; 2], grid: [[Cell; 2]; 2] });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
struct OneField {
    only: i16,
}

record!(OneField { only: i16 });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
struct Offsets {
    head: [u8; 4],
    a: i32,
    gap: [u8; 4],
    b: f32,
    tail: [u8; 4],
}

record!(Offsets { a: i32, b: f32 });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, packed)]
struct Latin1 {
    size: f32,
    naive: i16,
}

record!(Latin1 { "größe" = size: f32, "naïve" = naive: i16 });

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, packed)]
struct Unicode {
    beta: f32,
    japan: i16,
    clef: u8,
}

record!(Unicode { "β" = beta: f32, "日本" = japan: i16, "\u{1d11e}" = clef: u8, });

/// The values of a record, of each leaf field in the order of `expected.json`.
trait Leaves: Element + Pod {
    fn leaves(&self) -> Vec<Vec<Value>>;
}

/// By value, since fields of packed structs cannot be referred to.
fn all<T: Json>(value: T) -> Vec<Value> {
    value.all()
}

macro_rules! leaves {
    ($($type:ty: |$record:ident| [$($leaf:expr),* $(,)?];)*) => {$(
        impl Leaves for $type {
            fn leaves(&self) -> Vec<Vec<Value>> {
                let $record = self;
                vec![$(all($leaf)),*]
            }
        }
    )*};
}

leaves! {
    Packed: |r| [r.id, r.score, r.ok, r.tag, r.name];
    Aligned: |r| [r.flag, r.x, r.n];
    Nested: |r| [r.pos.x, r.pos.y, r.when.0, r.inner.k, r.inner.deep.z];
    NestedAligned: |r| [r.a, r.within.b, r.within.c, r.d, r.e];
    Titles: |r| [r.temp, r.n];
    Subarrays: |r| [r.m, r.v, r.one, r.s, grid(r).map(|cell| cell.a), grid(r).map(|cell| cell.b)];
    OneField: |r| [r.only];
    Offsets: |r| [r.a, r.b];
    Latin1: |r| [r.size, r.naive];
    Unicode: |r| [r.beta, r.japan, r.clef];
}

fn grid(record: &Subarrays) -> [Cell; 4] {
    let [[a, b], [c, d]] = record.grid;
    [a, b, c, d]
}

#[track_caller]
fn assert_records<'a, R: Leaves>(records: impl Iterator<Item = &'a R>, entry: &Value) {
    let records: Vec<_> = records.map(Leaves::leaves).collect();
    for (index, field) in entry["fields"].as_array().unwrap().iter().enumerate() {
        let values: Value = records.iter().flat_map(|leaves| leaves[index].clone()).collect();
        assert_eq!(values.to_string(), field["values"].to_string(), "{}: {}", entry["name"], field["path"]);
    }
    assert!(records.iter().all(|leaves| leaves.len() == entry["fields"].as_array().unwrap().len()));
}

fn check_record<R: Leaves>(label: &str) {
    let mut seen = 0;
    for file in ["records-stored.npz", "records-deflated.npz"] {
        let bytes = fixtures::bytes(file);
        for variant in ["le-c", "be-c", "le-f"] {
            let key = format!("{label}-{variant}");
            let Some(entry) = arrays(file).find(|entry| entry["key"] == *key) else { continue };
            let offset =
                entry.get("data_offset").map_or(0, |offset| usize::try_from(offset.as_u64().unwrap()).unwrap());
            for shift in 0..8 {
                let (room, range) = placed(&bytes, offset, shift);
                let npz = Npz::new(&room[range]).unwrap();
                check_records::<R>(npz.member(&key).unwrap(), npz.source(), entry, shift);
            }
            seen += 1;
        }
    }
    assert!(seen == 6 || label == "padding-not-zero" && seen == 4, "{label}: {seen}");
}

/// Of an archive in memory, with this array `shift` bytes from an aligned address.
fn check_records<R: Leaves>(member: Member<'_, &[u8]>, source: &[u8], entry: &Value, shift: usize) {
    let dtype = member.header().unwrap().dtype().clone();
    assert!(R::matches(&dtype), "{dtype} and {}", R::dtype());
    assert_eq!((dtype.item_size(), dtype.alignment().max(align_of::<R>())), (size_of::<R>(), dtype.alignment()));

    let read = member.array().unwrap().read::<R, Ix2>().unwrap();
    assert_eq!(read.shape(), lengths(entry));
    assert_records(read.iter(), entry);
    let got = member.array().unwrap().get::<R, Ix2>().unwrap();
    assert_records(got.iter(), entry);
    let mut destination = ndarray::Array2::<R>::from_elem((2, 3), R::zeroed());
    member.array().unwrap().read_into(destination.view_mut()).unwrap();
    assert_records(destination.iter(), entry);
    let rows = member.array().unwrap().rows(1..2).unwrap().read::<R, Ix2>().unwrap();
    assert_eq!(bytemuck::bytes_of(&rows[(0, 2)]), bytemuck::bytes_of(&read[(1, 2)]));

    let plan = if text(entry, "method") != "stored" {
        Access::Copy(Reason::Compressed)
    } else if !dtype.is_native() {
        Access::Copy(Reason::ByteOrder)
    } else if !shift.is_multiple_of(align_of::<R>()) {
        Access::Copy(Reason::Misaligned { offset: entry["data_offset"].as_u64().unwrap(), required: align_of::<R>() })
    } else {
        Access::Borrow
    };
    assert_eq!((member.array().unwrap().access::<R>().unwrap(), got.is_view()), (plan, plan == Access::Borrow));
    match (plan, member.array().and_then(|array| array.view::<R, Ix2>())) {
        (Access::Borrow, view) => {
            let view = view.unwrap();
            assert_lent(&view, source, entry);
            assert_records(view.iter(), entry);
        }
        (Access::Copy(reason), view) => assert_not_lent(view, reason),
    }
    match (plan, member.array().and_then(|array| array.view::<Unaligned<R>, Ix2>())) {
        (Access::Borrow | Access::Copy(Reason::Misaligned { .. }), view) => {
            let view = view.unwrap();
            assert_lent(&view, source, entry);
            assert_records(view.map(|record| record.get()).iter(), entry);
        }
        (Access::Copy(reason), view) => assert_not_lent(view, reason),
    }
}

#[test]
fn packed_records_are_taken_as_a_packed_struct() {
    check_record::<Packed>("packed");
    check_record::<OneField>("one-field");
}

#[test]
fn aligned_records_are_taken_as_a_struct_with_padding() {
    check_record::<Aligned>("aligned");
    check_record::<Offsets>("offsets");
}

#[test]
fn records_in_records_are_taken_as_structs_in_structs() {
    check_record::<Nested>("nested");
    check_record::<NestedAligned>("nested-aligned");
}

#[test]
fn sub_arrays_are_taken_as_arrays_in_structs() {
    check_record::<Subarrays>("subarrays");
}

#[test]
fn titles_and_names_that_are_no_identifiers_are_no_obstacle() {
    check_record::<Titles>("titles");
    check_record::<Latin1>("names-latin1");
    check_record::<Unicode>("names-unicode");
}

#[cfg(feature = "half")]
#[test]
fn records_of_unusual_fields_are_taken_as_a_struct() {
    /// `<m8[25s]`.
    #[derive(Clone, Copy, Debug, Zeroable, Pod)]
    #[repr(transparent)]
    struct Quarters(i64);

    impl Element for Quarters {
        fn dtype() -> Dtype {
            "m8[25s]".parse().unwrap()
        }
    }

    /// `<M8`.
    #[derive(Clone, Copy, Debug, Zeroable, Pod)]
    #[repr(transparent)]
    struct Generic(i64);

    impl Element for Generic {
        fn dtype() -> Dtype {
            "M8".parse().unwrap()
        }
    }

    #[derive(Clone, Copy, Zeroable, Pod)]
    #[repr(C, packed)]
    struct Mixed {
        v: Void,
        d: Quarters,
        h: half::f16,
        g: Generic,
        c: Complex<f64>,
    }

    record!(Mixed { v: Void, d: Quarters, h: half::f16, g: Generic, c: Complex<f64> });
    leaves! { Mixed: |r| [r.v, r.d.0, r.h, r.g.0, r.c]; }
    check_record::<Mixed>("mixed");
}

#[test]
fn padding_is_taken_as_it_is_in_the_file() {
    check_record::<Aligned>("padding-not-zero");
    let npz = map("records-stored.npz");
    let records = npz.read::<Aligned, Ix2>("padding-not-zero-le-c").unwrap();
    assert!(records.iter().all(|record| record.padding == [0xaa; 7] && record.tail == [0xaa; 6]));
    let entry = arrays("records-stored.npz").find(|entry| entry["key"] == "padding-not-zero-le-f").unwrap();
    let records = npz.read::<Aligned, Ix2>("padding-not-zero-le-f").unwrap();
    let raw: Vec<_> = records.iter().map(|record| hex(bytemuck::bytes_of(record))).collect();
    assert_eq!(serde_json::json!(raw), entry["raw"]);
}

#[test]
fn records_of_another_layout_are_refused() {
    /// As `Aligned` but for what its name says.
    macro_rules! unlike {
        ($name:ident { $($field:ident: $type:ty),* } as { $($record:tt)* }) => {{
            #[derive(Clone, Copy, Zeroable, Pod)]
            #[repr(C)]
            struct $name { $($field: $type),* }
            record!($name { $($record)* });
            let npz = map("records-stored.npz");
            for key in ["aligned-le-c", "aligned-be-c", "aligned-le-f"] {
                let member = npz.member(key).unwrap();
                let refused = [
                    kind(member.array().and_then(|array| array.read::<$name, Ix2>())),
                    kind(member.array().and_then(|array| array.get::<$name, Ix2>())),
                    kind(member.array().and_then(|array| array.view::<Unaligned<$name>, Ix2>())),
                    kind(member.array().and_then(|array| array.access::<$name>())),
                ];
                for kind in refused {
                    let ErrorKind::DtypeMismatch { dtype, element } = &kind else { panic!("{kind}") };
                    assert!(dtype.contains("'flag'") && element.contains(stringify!($name)), "{kind}");
                }
            }
        }};
    }
    unlike!(Name { flag: i8, p: [u8; 7], y: f64, n: i16, t: [u8; 6] } as { flag: i8, y: f64, n: i16 });
    unlike!(Renamed { flag: i8, p: [u8; 7], x: f64, n: i16, t: [u8; 6] } as { flag: i8, "y" = x: f64, n: i16 });
    unlike!(Offset { flag: i8, p: [u8; 7], x: f64, q: [u8; 2], n: i16, t: [u8; 4] } as { flag: i8, x: f64, n: i16 });
    unlike!(Type { flag: i8, p: [u8; 7], x: i64, n: i16, t: [u8; 6] } as { flag: i8, x: i64, n: i16 });
    unlike!(Sign { flag: u8, p: [u8; 7], x: f64, n: i16, t: [u8; 6] } as { flag: u8, x: f64, n: i16 });
    unlike!(Wide { flag: i8, p: [u8; 7], x: f64, n: i32, t: [u8; 4] } as { flag: i8, x: f64, n: i32 });
    unlike!(Size { flag: i8, p: [u8; 7], x: f64, n: i16, t: [u8; 14] } as { flag: i8, x: f64, n: i16 });
    unlike!(Shape { flag: i8, p: [u8; 7], x: f64, n: [i16; 1], t: [u8; 6] } as { flag: i8, x: f64, n: [i16; 1] });
    unlike!(Fewer { flag: i8, p: [u8; 7], x: f64, n: i16, t: [u8; 6] } as { flag: i8, x: f64 });
    unlike!(More { flag: i8, p: [u8; 7], x: f64, n: i16, t: [u8; 6] } as { flag: i8, x: f64, n: i16, t: [u8; 6] });

    // Sub-arrays of another shape, and the same number of bytes.
    #[derive(Clone, Copy, Zeroable, Pod)]
    #[repr(C, packed)]
    struct Flat {
        m: [f32; 6],
        v: [u8; 3],
        one: [i16; 1],
        s: [FixedBytes<3>; 2],
        grid: [[Cell; 2]; 2],
    }
    record!(Flat { m: [f32; 6], v: [u8; 3], one: [i16; 1], s: [FixedBytes<3>; 2], grid: [[Cell; 2]; 2] });
    let npz = map("records-stored.npz");
    assert_mismatch(npz.read::<Flat, Ix2>("subarrays-le-c"));
    assert_eq!(
        npz.array("subarrays-le-c").unwrap().reinterpret::<Flat>().unwrap().read::<Flat, Ix2>().unwrap()[(0, 0)].v,
        [255, 254, 127]
    );

    // A record is no scalar of its size, and the other way around.
    assert_mismatch(npz.read::<i16, Ix2>("one-field-le-c"));
    assert_mismatch(map("kinds-stored.npz").read::<OneField, Ix2>("i2-le-c"));
}

#[test]
fn the_dtype_of_a_struct_is_printed_as_numpy_prints_it() {
    for (dtype, key) in [
        (Packed::dtype(), "packed-le-c"),
        (Aligned::dtype(), "aligned-le-c"),
        (Nested::dtype(), "nested-le-c"),
        (NestedAligned::dtype(), "nested-aligned-le-c"),
        (Subarrays::dtype(), "subarrays-le-c"),
        (Offsets::dtype(), "offsets-le-c"),
        (Unicode::dtype(), "names-unicode-le-c"),
    ] {
        let entry = arrays("records-stored.npz").find(|entry| entry["key"] == key).unwrap();
        assert_eq!(dtype.to_string(), text(entry, "descr"));
    }
}

#[test]
fn a_raw_identifier_is_a_name_without_its_mark() {
    #[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
    #[repr(C)]
    struct Row {
        r#type: u32,
    }
    npzmap::record!(Row { r#type: u32 });
    assert_eq!(<Row as Element>::dtype().to_string(), "[('type', '<u4')]");
}

#[test]
fn what_may_be_bfloat16_is_said_of_fields_too() {
    let said = |descr: &str| {
        let size = descr.trim_matches('\'').parse::<Dtype>().unwrap().item_size();
        let content = forge::npy(descr, "(1,)", &vec![0; size]);
        let npz = Npz::new(Archive::new(vec![forge::stored("a.npy", &content)]).bytes()).unwrap();
        let error = npz.read::<f64, IxDyn>("a").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::DtypeMismatch { .. }), "{error}");
        (
            error.to_string().contains("bf16"),
            npz.array("a")
                .and_then(|array| array.field("h")?.read::<f32, IxDyn>())
                .err()
                .map(|error| error.to_string()),
        )
    };
    assert!(said("'|V2'").0);
    let (record, field) = said("[('x', '<f4'), ('h', '|V2')]");
    assert!(record && field.unwrap().contains("bf16"));
    assert!(said("[('p', [('h', '|V2', (3,))])]").0);
    // Padding is no field, and other bytes of no kind are not bfloat16.
    for descr in ["[('x', '<f4'), ('', '|V2')]", "[('x', '<f4'), ('h', '|V22')]", "'|V3'"] {
        assert!(!said(descr).0, "{descr}");
    }
}

/// Everything of the crate in scope at once: a name of two traits would be no name.
mod with_everything_imported {
    use npzmap::*;

    #[test]
    fn dtype_is_the_elements() {
        assert_eq!(f32::dtype().to_string(), "<f4");
        assert_eq!(<[f32; 3]>::field_dtype().item_size(), 12);
        assert_eq!(f32::field_dtype(), f32::dtype());
    }
}
