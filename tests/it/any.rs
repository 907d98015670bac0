//! Arrays of whatever type they are, one and many at once.

use std::fmt::{Debug, Display};
use std::io;
use std::time::Duration;

use ndarray::{ArrayD, ArrayView, Ix1, Ix2, IxDyn, ShapeBuilder};
use npzmap::{
    AnyArray, Dtype, Duplicates, Element, ErrorKind, Fault, Kind, Method, Npz, OpenOptions, Order, RawArray, Source,
    Verify, Visitor,
};
use serde_json::Value;

use crate::elements::{arrays, assert_values, hex, kind, lengths, map, text};
use crate::fixtures::{self, EXPECTED};
use crate::forge::{self, Archive};

/// Whether this build decodes the member.
fn is_decoded(entry: &Value) -> bool {
    cfg!(all(feature = "methods", feature = "zstd")) || matches!(text(entry, "method"), "stored" | "deflated")
}

/// What NumPy says of every member of every archive.
fn everything() -> impl Iterator<Item = (&'static str, &'static [Value])> {
    let archives = EXPECTED["archives"].as_object().unwrap();
    archives.iter().map(|(file, entries)| (file.as_str(), entries.as_array().unwrap().as_slice()))
}

fn check_all<S: Source>(open: impl Fn(&str) -> Npz<S>) {
    let mut seen = [0; 3];
    for (file, entries) in everything() {
        let npz = open(file);
        for (member, entry) in npz.members().zip(entries).filter(|(_, entry)| is_decoded(entry)) {
            let what = format!("{file}: {}", entry["name"]);
            let array = member.array().and_then(|array| array.read_any());
            if entry["kind"] != "array" {
                let refused = kind(array);
                let expected = if entry["kind"] == "object" { "N10" } else { "N1" };
                assert_eq!(refused.rule(), Some(expected), "{what}: {refused}");
                seen[0] += 1;
            } else if entry["itemsize"] == 0 && lengths(entry).iter().product::<usize>() > 0 {
                let refused = kind(array);
                assert!(matches!(refused, ErrorKind::ZeroSizedItems { .. }), "{what}: {refused}");
                seen[1] += 1;
            } else {
                let array = array.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(array.shape(), lengths(entry), "{what}");
                let content = member.bytes().unwrap();
                let header = member.header().unwrap();
                check(&array, entry, header.dtype(), &content[header.preamble_size()..], &what);
                seen[2] += 1;
            }
        }
    }
    let decoded = |entry: &&Value| is_decoded(entry);
    let total: usize = everything().map(|(_, entries)| entries.iter().filter(decoded).count()).sum();
    assert_eq!((seen.iter().sum::<usize>(), &seen[..2]), (total, &[10, 2][..]));
}

/// That it is of the variant that its dtype means, with the values that NumPy reads.
fn check(array: &AnyArray, entry: &Value, dtype: &Dtype, payload: &[u8], what: &str) {
    let values = &entry["values"];
    let descr = entry["descr"].as_str().unwrap_or("[");
    macro_rules! numbers {
        ($($code:literal => $variant:ident),* $(,)?) => {
            match descr.get(1..).unwrap_or_default() {
                $($code => {
                    let AnyArray::$variant(array) = array else { panic!("{what}: {array:?}") };
                    assert_values(&array.view(), values, what);
                    return;
                })*
                _ => {}
            }
        };
    }
    numbers! {
        "b1" => Bool, "i1" => I8, "i2" => I16, "i4" => I32, "i8" => I64, "u1" => U8, "u2" => U16, "u4" => U32, "u8" => U64,
        "f4" => F32, "f8" => F64, "c8" => Complex32, "c16" => Complex64,
    }
    #[cfg(feature = "half")]
    numbers!("f2" => F16);
    match array {
        AnyArray::Str(array) => {
            assert!(descr.contains('U'), "{what}");
            let found = Value::from_iter(array.iter().map(String::as_str));
            assert_eq!(found, *values, "{what}");
        }
        AnyArray::Bytes(array) => {
            assert!(descr.contains('S'), "{what}");
            // As expected.json has them: latin-1.
            let latin = |bytes: &Vec<u8>| bytes.iter().copied().map(char::from).collect::<String>();
            assert_eq!(Value::from_iter(array.iter().map(latin)), *values, "{what}");
        }
        AnyArray::Datetime { counts, unit } => {
            assert!(descr.contains('M'), "{what}");
            assert_eq!((dtype.as_scalar().unwrap().kind(), *unit), (Kind::Datetime, dtype.as_scalar().unwrap().unit()));
            assert_eq!(unit.map_or("M8".into(), |unit| unit_text("M8", unit)), descr[1..], "{what}");
            assert_values(&counts.view(), values, what);
        }
        AnyArray::Timedelta { counts, unit } => {
            assert!(descr.contains('m'), "{what}");
            assert_eq!(unit.map_or("m8".into(), |unit| unit_text("m8", unit)), descr[1..], "{what}");
            assert_values(&counts.view(), values, what);
        }
        AnyArray::Raw(raw) => check_raw(raw, entry, dtype, payload, what),
        other => panic!("{what}: {other:?}"),
    }
}

fn unit_text(code: &str, unit: npzmap::DatetimeUnit) -> String {
    let multiple = if unit.multiple() == 1 { String::new() } else { unit.multiple().to_string() };
    format!("{code}[{multiple}{}]", unit.base().code())
}

fn check_raw(raw: &RawArray, entry: &Value, dtype: &Dtype, payload: &[u8], what: &str) {
    let descr = entry["descr"].as_str().unwrap_or("[");
    let raws = ["[", "<V", ">V", "|V", "<f16", ">f16", "<c32", ">c32", "<f2", ">f2"];
    assert!(raws.iter().any(|start| descr.starts_with(start)), "{what}");
    let order = if entry["fortran_order"] == true { Order::Fortran } else { Order::C };
    assert_eq!((raw.dtype(), raw.shape(), raw.order()), (dtype, &lengths(entry)[..], order), "{what}");
    assert_eq!(raw.bytes(), payload, "{what}");
    assert_eq!(raw.clone().into_bytes(), payload, "{what}");
    if descr.ends_with("f2") {
        return; // numbers, where there is no f16
    }
    // In C order, as NumPy has them.
    let size = dtype.item_size();
    let items: Vec<_> = raw.bytes().chunks_exact(size.max(1)).collect();
    let shape = IxDyn(raw.shape()).set_f(raw.order() == Order::Fortran);
    let items = ArrayView::from_shape(shape, &items).unwrap();
    let json = |item: &&[u8]| match descr.get(..2).unwrap_or_default() {
        "<V" => item.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte)).into(),
        ">V" => item.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte)).into(),
        _ => Value::from(hex(item)),
    };
    let expected = entry.get("raw").unwrap_or(&entry["values"]);
    assert_eq!(Value::from_iter(items.iter().map(json)), *expected, "{what}");
}

#[test]
fn everything_in_memory_is_read_as_what_it_is() {
    check_all(|file| Npz::new(fixtures::bytes(file)).unwrap());
}

#[test]
fn everything_by_position_is_read_as_what_it_is() {
    check_all(|file| Npz::open(fixtures::path(file)).unwrap());
}

#[test]
fn everything_in_a_map_is_read_as_what_it_is() {
    check_all(map);
}

/// What a generic function sees of an array.
struct Census;

impl Visitor for Census {
    /// The dtype, the shape, and how often an element differs from itself.
    type Output = (Option<String>, Vec<usize>, usize);

    fn numbers<T: Element + Debug + Display + PartialEq>(self, array: ArrayD<T>) -> Self::Output {
        #[expect(clippy::eq_op, reason = "a NaN differs from itself")]
        let unequal = array.iter().filter(|value| **value != **value).count();
        (Some(T::dtype().to_string()), array.shape().to_vec(), unequal)
    }

    fn other(self, array: AnyArray) -> Self::Output {
        (None, array.shape().to_vec(), 0)
    }
}

#[test]
fn a_visitor_sees_numbers_as_their_type_and_the_rest_as_other() {
    let mut generic = 0;
    for file in ["kinds-deflated.npz", "datetimes-deflated.npz", "records-deflated.npz", "longdouble.npz"] {
        let npz = Npz::open(fixtures::path(file)).unwrap();
        for entry in arrays(file) {
            let (dtype, shape, unequal) = npz.read_any(text(entry, "key")).unwrap().visit(Census);
            assert_eq!(shape, lengths(entry));
            let descr = text(entry, "descr");
            let numbers = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "c8", "c16"];
            if numbers.contains(&&descr[1..]) || cfg!(feature = "half") && descr.ends_with("f2") {
                // In this machine's order, whatever the file's.
                let (found, expected) = (dtype.unwrap(), descr.parse::<Dtype>().unwrap());
                assert_eq!(found[1..], descr[1..]);
                assert!(found.parse::<Dtype>().unwrap().is_native(), "{expected}");
                // One NaN of 12 in each pool of floats; in complex ones in another place for each part.
                let expected = match &descr[1..2] {
                    "f" => 1,
                    "c" => 2,
                    _ => 0,
                };
                assert_eq!(unequal, expected, "{descr}");
                generic += 1;
            } else {
                assert_eq!(dtype, None, "{descr}");
            }
        }
    }
    // Of (3, 4) and (2, 3, 2), in both orders: 3 types without a byte order, and 10 or 11 with one.
    assert_eq!(generic, if cfg!(feature = "half") { 100 } else { 92 });
}

#[test]
fn arrays_are_equal_by_their_values_whatever_the_order_in_the_file() {
    let npz = Npz::open(fixtures::path("kinds-deflated.npz")).unwrap();
    let any = |key: &str| npz.read_any(key).unwrap();
    for kind in ["bool", "i1", "i2-le", "u8-le", "U9-le", "S5"] {
        assert_eq!(any(&format!("{kind}-c")), any(&format!("{kind}-f")));
        assert_ne!(any(&format!("{kind}-c")), any(&format!("{kind}-c3")));
    }
    assert_eq!(any("i4-le-c"), any("i4-be-f"));
    assert_eq!(any("U9-le-c"), any("U9-be-f"));
    assert_ne!(any("i4-le-c"), any("u4-le-c"));
    assert_ne!(any("V3-c"), any("V3-f"), "bytes as they lie");
    assert_eq!(any("V3-c"), any("V3-c").clone());
    let AnyArray::Bytes(bytes) = any("S5-c") else { panic!("no bytes") };
    assert_eq!(bytes[[1, 0]], b"\xff\xe9xyz"); // bytes that are no text are no error
}

#[test]
fn what_is_no_value_of_its_type_is_refused() {
    let text = forge::npy("'<U1'", "(2,)", [0x61, 0xdfff_u32].map(u32::to_le_bytes).as_flattened());
    let flags = forge::npy("'|b1'", "(3,)", &[1, 0, 2]);
    let entries = vec![forge::stored("text.npy", &text), forge::deflated("flags.npy", &flags)];
    let npz = Npz::new(Archive::new(entries).bytes()).unwrap();
    let refused = kind(npz.read_any("text"));
    assert!(matches!(refused, ErrorKind::BadText { index: 1, .. }), "{refused}");
    let refused = kind(npz.read_any("flags"));
    assert!(matches!(refused, ErrorKind::InvalidElement { index: 2, .. }), "{refused}");
    let error = npz.read_any("nothing").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoSuchKey) && error.member() == Some("nothing"), "{error}");
}

#[test]
fn damage_is_found_when_anything_is_read() {
    let mut archive = Archive::new(vec![forge::stored("a.npy", &forge::npy("'|V4'", "(2,)", b"abcdefgh"))]);
    *archive.entries[0].data.last_mut().unwrap() ^= 1;
    let refused = kind(Npz::new(archive.bytes()).unwrap().read_any("a"));
    assert!(matches!(refused, ErrorKind::Checksum { .. }), "{refused}");
}

#[test]
fn keys_under_a_prefix_are_a_part_of_the_archive() {
    let npz = map("weights.npz");
    let under = |prefix| npz.keys_under(prefix).collect::<Vec<_>>();
    assert_eq!(under("encoder/"), ["encoder/weight", "encoder/scale", "encoder/bias"]);
    assert_eq!(under("optim/"), ["optim/step"]);
    assert_eq!(under("encoder/s"), ["encoder/scale"]);
    assert_eq!(under("encoder/weight"), ["encoder/weight"]);
    assert_eq!(under("encoder/weight.npy"), [""; 0], "a prefix of the key, not of the name");
    assert_eq!(under(""), npz.keys().collect::<Vec<_>>());
    assert_eq!(under("ncoder"), [""; 0]);
    assert_eq!(map("keys.npz").keys_under("größe/").collect::<Vec<_>>(), ["größe/β"]);
}

#[test]
fn many_arrays_come_in_the_order_of_the_keys() {
    let npz = Npz::open(fixtures::path("kinds-deflated.npz")).unwrap();
    let keys = ["i4-be-f", "i4-le-c", "i4-be-c", "i4-le-f", "i4-be-f.npy"];
    let repeated: Vec<String> = keys.iter().cycle().take(100).map(|key| (*key).to_owned()).collect();
    let arrays = npz.read_many::<i32, Ix2>(&repeated).unwrap();
    assert_eq!(arrays.len(), 100);
    let expected = npz.read::<i32, Ix2>("i4-le-c").unwrap();
    for (array, key) in arrays.iter().zip(&repeated) {
        assert_eq!((array, array.is_standard_layout()), (&expected, key.contains("-c")), "{key}");
    }
    // Of different shapes, each in its place.
    let positional = Npz::open(fixtures::path("shapes.npz")).unwrap();
    let shapes = positional.read_many::<i32, IxDyn>(&["1-1-1-i4", "step", "5d", "reversed"]).unwrap();
    let shapes: Vec<_> = shapes.iter().map(|array| array.shape().to_vec()).collect();
    assert_eq!(shapes, [vec![1, 1, 1], vec![5], vec![2, 1, 3, 2, 2], vec![6]]);
    assert!(npz.read_many::<i32, Ix2>(&[""; 0]).unwrap().is_empty());
}

/// A source that is slow to give the bytes of its first half.
struct Slow(Vec<u8>);

impl Source for Slow {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if offset < self.size() / 2 {
            std::thread::sleep(Duration::from_millis(100));
        }
        self.0.read_exact_at(offset, buf)
    }
}

/// Two arrays of one number, the first of which is slow to read, and neither of which is undamaged.
fn two_that_fail() -> Npz<Slow> {
    let (first, second) = (forge::u32s(&[1; 20_000]), forge::u32s(&[2; 1000]));
    let mut archive = Archive::new(vec![forge::stored("first.npy", &first), forge::stored("second.npy", &second)]);
    for entry in &mut archive.entries {
        *entry.data.last_mut().unwrap() ^= 1;
    }
    Npz::new(Slow(archive.bytes())).unwrap()
}

#[test]
fn the_error_of_many_is_that_of_the_first_key_that_fails() {
    let npz = Npz::open(fixtures::path("kinds-deflated.npz")).unwrap();
    let error = npz.read_many::<i32, Ix2>(&["i4-le-c", "f4-le-c", "i4-le-c"]).unwrap_err();
    assert_eq!((error.member(), error.kind().fault()), (Some("f4-le-c"), Fault::Request));

    // However long it takes to find out.
    let npz = two_that_fail();
    for _ in 0..3 {
        let error = npz.read_many::<u32, Ix1>(&["first", "second", "third"]).unwrap_err();
        assert_eq!(error.member(), Some("first"), "{error}");
    }
}

#[test]
fn the_error_of_all_is_that_of_the_first_member_that_fails() {
    let npz = two_that_fail();
    for _ in 0..3 {
        let error = npz.read_all().unwrap_err();
        assert_eq!(error.member(), Some("first"), "{error}");
    }
    let error = Npz::open(fixtures::path("object.npz")).unwrap().read_all().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Pickled) && error.member() == Some("objects"), "{error}");
}

#[test]
fn all_arrays_come_in_the_order_of_the_directory_and_nothing_else() {
    for (file, entries) in everything() {
        let npz = Npz::open(fixtures::path(file)).unwrap();
        let zero_sized = |entry: &Value| entry["itemsize"] == 0 && lengths(entry).iter().product::<usize>() > 0;
        let refused = entries.iter().any(|entry| entry["kind"] == "object" || !is_decoded(entry) || zero_sized(entry));
        let all = npz.read_all();
        assert_eq!(all.is_err(), refused, "{file}");
        let Ok(all) = all else { continue };
        let found: Vec<_> = all.iter().map(|(key, array)| (key.as_str(), array.shape().to_vec())).collect();
        let arrays: Vec<_> = arrays(file).map(|entry| (text(entry, "key"), lengths(entry))).collect();
        assert_eq!(found, arrays, "{file}");
    }
    // One that leaves out six, among them one whose key is also an array's.
    let npz = map("keys.npz");
    assert_eq!((npz.len(), npz.read_all().unwrap().len()), (22, 16));
    assert!(npz.members().all(|member| member.method() == Method::Stored));
    let all = npz.read_all().unwrap();
    let numbers: Vec<i32> =
        all.iter().map(|(_, array)| if let AnyArray::I32(array) = array { array[0] } else { -1 }).collect();
    assert_eq!(numbers, (0..16).collect::<Vec<_>>());
}

#[test]
fn of_members_of_one_name_the_last_is_read_and_verified_with_the_others_when_it_counts() {
    let mut first = forge::stored("x.npy", &forge::u32s(&[1, 2, 3]));
    first.header.crc32 ^= 1; // nobody reads it
    let entries = vec![first, forge::stored("x.npy", &forge::u32s(&[4])), forge::stored("y.npy", &forge::u32s(&[5]))];
    let bytes = Archive::new(entries).bytes();
    let npz = OpenOptions::new().duplicates(Duplicates::Last).source(&bytes[..]).unwrap();
    let all = npz.read_all().unwrap();
    let expected = [("x", 4), ("y", 5)];
    let expected =
        expected.map(|(key, number)| (key.to_owned(), AnyArray::U32(ArrayD::from_elem(IxDyn(&[1]), number))));
    assert_eq!(all, expected);
    npz.verify().unwrap();
    let refusing = Npz::new(&bytes[..]).unwrap();
    assert!(matches!(kind(refusing.read_all()), ErrorKind::DuplicateName));
    assert!(matches!(kind(refusing.verify()), ErrorKind::DuplicateName));
}

#[test]
fn an_array_whose_magic_is_damaged_is_no_member_that_can_be_left_out() {
    let content = forge::npy("'<u4'", "(1,)", &[7, 0, 0, 0]);
    for method in [forge::stored as fn(&str, &[u8]) -> forge::Entry, forge::deflated] {
        let mut damaged = method("x.npy", &content);
        let magic = damaged.data.windows(5).position(|window| window == b"NUMPY").unwrap();
        damaged.data[magic] ^= 1;
        let notes = method("notes.txt", b"no array, and none that was");
        let bytes = Archive::new(vec![method("y.npy", &content), notes, damaged]).bytes();
        for verify in [Verify::Copied, Verify::Always] {
            let error = OpenOptions::new().verify(verify).source(&bytes[..]).unwrap().read_all().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Checksum { .. }) && error.member() == Some("x"), "{error}");
        }
        let never = OpenOptions::new().verify(Verify::Never).source(&bytes[..]).unwrap();
        assert_eq!(never.read_all().unwrap().len(), 1);
    }
}
