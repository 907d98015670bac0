//! Parts of axis 0: the rows are those of the whole array, and little else is read for them.

use std::fmt::{Debug, Display};
use std::ops::Range;

use ndarray::{Array, ArrayD, ArrayView, Axis, Dimension, Ix1, Ix2, Ix3, IxDyn, ShapeBuilder, Slice};
use npzmap::{
    AnyArray, Element, ErrorKind, Limits, Npy, Npz, OpenOptions, Order, RawArray, Source, Unaligned, Verify, Visitor,
};
use serde_json::Value;

use crate::counting::Counting;
use crate::elements::{self, Json, Work, arrays, kind, lengths, map, text, with_type};
use crate::fixtures::{self, EXPECTED};
use crate::forge::{self, Archive, Entry};

const FILES: [&str; 7] = [
    "kinds-stored.npz",
    "kinds-deflated.npz",
    "shapes.npz",
    "versions.npz",
    "datetimes-stored.npz",
    "pipe.npz",
    "pipe-compressed.npz",
];

/// Counts what it did.
struct EveryRange<'a, S> {
    npz: &'a Npz<S>,
    entry: &'a Value,
    ranges: usize,
}

impl<S: Source> Work for EveryRange<'_, S> {
    fn checked<T: Element + Json>(&mut self) {
        let (key, shape) = (text(self.entry, "key"), lengths(self.entry));
        let member = self.npz.member(key).unwrap();
        let Some(rows) = shape.first().copied() else {
            let refused = kind(member.array().and_then(|array| array.rows(0..1)?.read::<T, IxDyn>()));
            assert!(matches!(refused, ErrorKind::DimensionMismatch { found: 0, .. }), "{key}: {refused}");
            return;
        };
        let whole = member.array().unwrap().read::<T, IxDyn>().unwrap();
        for start in 0..=rows {
            for end in start..=rows {
                let found = member.array().and_then(|array| array.rows(start..end)?.read::<T, IxDyn>());
                let found = found.unwrap_or_else(|error| panic!("{key}, {start}..{end}: {error}"));
                let expected = whole.slice_axis(Axis(0), Slice::from(start..end));
                assert_eq!(found.shape(), expected.shape(), "{key}, {start}..{end}");
                assert_eq!(values(&found), values(&expected.to_owned()), "{key}, {start}..{end}");
                self.ranges += 1;
            }
        }
        for (start, end) in [(0, rows + 1), (rows + 1, rows + 1), (1, 0), (usize::MAX, 0), (0, usize::MAX)] {
            let refused = kind(member.array().and_then(|array| array.rows(Range { start, end })?.read::<T, IxDyn>()));
            let ErrorKind::RowsOutOfRange { start: from, end: to, rows: of } = refused else { panic!("{refused}") };
            assert_eq!((from, to, of), (start, end, rows), "{key}");
        }
    }
}

/// In C order and to the last bit, as text.
fn values<T: Json, D: Dimension>(array: &Array<T, D>) -> String {
    Value::from_iter(array.iter().map(|value| value.json())).to_string()
}

fn every_range<S: Source>(open: impl Fn(&str) -> Npz<S>) {
    let (mut members, mut ranges) = (0, 0);
    for file in FILES {
        let npz = open(file);
        for entry in arrays(file).filter(|entry| entry["descr"].as_str().is_some_and(|descr| !descr.starts_with('['))) {
            let mut work = EveryRange { npz: &npz, entry, ranges: 0 };
            if with_type(text(entry, "descr"), &mut work) {
                members += 1;
                ranges += work.ranges;
            }
        }
    }
    assert!(members >= 330 && ranges > 3_000, "{members} arrays, {ranges} ranges");
}

#[test]
fn all_ranges_of_rows_by_position_are_those_of_the_array() {
    every_range(|file| Npz::open(fixtures::path(file)).unwrap());
}

#[test]
fn all_ranges_of_rows_in_memory_are_those_of_the_array() {
    every_range(|file| Npz::new(fixtures::bytes(file)).unwrap());
}

#[test]
fn all_ranges_of_rows_in_a_map_are_those_of_the_array() {
    every_range(map);
}

/// The rows of an array of any type, as text.
struct RowsOf(Range<usize>);

impl RowsOf {
    fn text<T: Clone + Debug>(self, array: &ArrayD<T>) -> String {
        let rows = array.slice_axis(Axis(0), Slice::from(self.0));
        format!("{:?} {:?}", rows.shape(), rows.iter().collect::<Vec<_>>())
    }

    /// Items as they lie, in C order.
    fn items(self, raw: &RawArray) -> String {
        let item = raw.dtype().item_size();
        let items: Vec<&[u8]> = raw.bytes().chunks_exact(item.max(1)).collect();
        let shape = IxDyn(raw.shape()).set_f(raw.order() == Order::Fortran);
        let array = ArrayView::from_shape(shape, &items).unwrap();
        format!("{} {:?} {}", raw.dtype(), raw.order(), self.text(&array.to_owned()))
    }
}

impl Visitor for RowsOf {
    type Output = String;

    fn numbers<T: Element + Debug + Display + PartialEq>(self, array: ArrayD<T>) -> String {
        self.text(&array)
    }

    fn other(self, array: AnyArray) -> String {
        match array {
            AnyArray::Str(array) => self.text(&array),
            AnyArray::Bytes(array) => self.text(&array),
            AnyArray::Datetime { counts, unit } => format!("M {unit:?} {}", self.text(&counts)),
            AnyArray::Timedelta { counts, unit } => format!("m {unit:?} {}", self.text(&counts)),
            AnyArray::Raw(raw) => self.items(&raw),
            other => panic!("{other:?}"),
        }
    }
}

/// Every range of rows of every array of NumPy's that has some, whatever it is; the number of arrays and of ranges.
fn every_range_of_anything<S: Source>(open: impl Fn(&str) -> Npz<S>) -> [usize; 2] {
    let mut seen = [0; 2];
    for file in
        FILES.into_iter().chain(["records-stored.npz", "records-deflated.npz", "longdouble.npz", "ml-dtypes.npz"])
    {
        let npz = open(file);
        for entry in arrays(file) {
            let (key, shape) = (text(entry, "key"), lengths(entry));
            let member = npz.member(key).unwrap();
            let Some(rows) = shape.first().copied() else {
                let refused = kind(member.array().and_then(|array| array.rows(0..1)?.read_any()));
                assert!(matches!(refused, ErrorKind::DimensionMismatch { found: 0, .. }), "{key}: {refused}");
                continue;
            };
            let Ok(whole) = member.array().and_then(|array| array.read_any()) else {
                assert!(entry["itemsize"] == 0, "{file}: {key}");
                continue;
            };
            for start in 0..=rows {
                for end in start..=rows {
                    let found = member.array().and_then(|array| array.rows(start..end)?.read_any());
                    let found = found.unwrap_or_else(|error| panic!("{key}, {start}..{end}: {error}"));
                    let found = found.visit(RowsOf(0..end - start));
                    assert_eq!(found, whole.clone().visit(RowsOf(start..end)), "{file}: {key}, {start}..{end}");
                    seen[1] += 1;
                }
            }
            let refused = kind(member.array().and_then(|array| array.rows(0..rows + 1)?.read_any()));
            let ErrorKind::RowsOutOfRange { start: 0, end, rows: of } = refused else { panic!("{refused}") };
            assert_eq!((end, of), (rows + 1, rows), "{key}");
            seen[0] += 1;
        }
    }
    seen
}

#[test]
fn all_ranges_of_rows_of_any_type_are_those_of_the_array() {
    let by_position = every_range_of_anything(|file| Npz::open(fixtures::path(file)).unwrap());
    let in_memory = every_range_of_anything(|file| Npz::new(fixtures::bytes(file)).unwrap());
    let always = |file: &str| with_verify(&fixtures::bytes(file), Verify::Always);
    assert!(by_position[0] >= 450 && by_position[1] > 3_500, "{by_position:?}");
    assert_eq!((by_position, in_memory), (in_memory, every_range_of_anything(always)));
}

#[test]
fn rows_of_any_type_are_refused_for_what_is_in_them_only() {
    // Of `<U1`, the third of its second row is no character: a surrogate.
    let letters: Vec<u8> = [0x41, 0x42, 0x43, 0x44, 0x45, 0xd800, 0x46, 0x47, 0x48].map(u32::to_le_bytes).concat();
    for order in ["False", "True"] {
        let text = format!("{{'descr': '<U1', 'fortran_order': {order}, 'shape': (3, 3), }}");
        let content = [&forge::preamble((1, 0), text)[..], &letters].concat();
        let row = if order == "False" { 1 } else { 2 };
        for entry in [forge::stored as fn(&str, &[u8]) -> Entry, forge::deflated] {
            let npz = Npz::new(Archive::new(vec![entry("a.npy", &content)]).bytes()).unwrap();
            // Its position is that in the array, as for the whole.
            for refused in [
                kind(npz.read_any("a")),
                kind(npz.array("a").and_then(|array| array.rows(row..3)?.read_any())),
                kind(npz.array("a").and_then(|array| array.strings())),
            ] {
                assert!(matches!(refused, ErrorKind::BadText { index: 5, .. }), "{refused:?}");
            }
            for good in (0..3).filter(|other| *other != row) {
                let AnyArray::Str(found) = npz.array("a").unwrap().rows(good..good + 1).unwrap().read_any().unwrap()
                else {
                    panic!()
                };
                let expected = [["A", "B", "C"], ["D", "E", ""], ["F", "G", "H"]];
                let expected =
                    |column: usize| if order == "False" { expected[good][column] } else { expected[column][good] };
                assert_eq!(found.iter().collect::<Vec<_>>(), [expected(0), expected(1), expected(2)]);
            }
        }
    }
    let pickled = Npz::open(fixtures::path("object.npz")).unwrap();
    assert!(matches!(
        kind(pickled.array("objects").and_then(|array| array.rows(0..1)?.read_any())),
        ErrorKind::Pickled
    ));
}

#[test]
fn rows_of_any_type_are_not_read_from_a_damaged_member_when_everything_is_verified() {
    for entry in [forge::stored as fn(&str, &[u8]) -> Entry, forge::deflated] {
        let mut archive = Archive::new(vec![entry("a.npy", &numbers((1000, 10), "False"))]);
        *archive.entries[0].data.last_mut().unwrap() ^= 1; // of the last number
        let rows =
            with_verify(&archive.bytes(), Verify::Copied).array("a").unwrap().rows(1..2).unwrap().read_any().unwrap();
        assert_eq!(rows, AnyArray::U32(Array::from_shape_fn(IxDyn(&[1, 10]), |index| 10 + index[1] as u32)));
        let refused = kind(
            with_verify(&archive.bytes(), Verify::Always).array("a").and_then(|array| array.rows(1..2)?.read_any()),
        );
        assert!(matches!(refused, ErrorKind::Checksum { .. }), "{refused}");
    }
}

/// What finds a stored array: its local header, and what lies behind it.
const WINDOW: usize = 600;

/// An array of `u32`, each its own number in the order of the file.
fn numbers(shape: (usize, usize), order: &str) -> Vec<u8> {
    let text = format!("{{'descr': '<u4', 'fortran_order': {order}, 'shape': {shape:?}, }}\n");
    let count = u32::try_from(shape.0 * shape.1).unwrap();
    let payload: Vec<u8> = (0..count).flat_map(u32::to_le_bytes).collect();
    [forge::preamble((1, 0), text), payload].concat()
}

/// Where in the file the elements of the first entry begin.
fn elements_at(archive: &Archive, shape: (usize, usize)) -> u64 {
    archive.data_at(0) + (archive.entries[0].data.len() - shape.0 * shape.1 * 4) as u64
}

#[test]
fn rows_in_c_order_cost_one_read_of_just_them() {
    let shape = (1000, 50);
    let (npz, archive) = Counting::open(vec![forge::stored("a.npy", &numbers(shape, "False"))]);
    let elements = elements_at(&archive, shape);
    for rows in [10..20, 0..1, 999..1000, 500..501, 0..1000] {
        let found = npz.array("a").unwrap().rows(rows.clone()).unwrap().read::<u32, Ix2>().unwrap();
        let expected =
            Array::from_shape_fn((rows.len(), 50), |(row, column)| ((rows.start + row) * 50 + column) as u32);
        assert_eq!(found, expected);
        let reads = npz.source().taken();
        let (first, last) = (reads[0], reads[1]);
        assert!(reads.len() == 2 && first.0 == 0 && first.1 <= WINDOW, "{rows:?}: {reads:?}");
        assert_eq!(last, (elements + rows.start as u64 * 200, rows.len() * 200), "{rows:?}");
    }
    assert_eq!(npz.array("a").unwrap().rows(7..7).unwrap().read::<u32, Ix2>().unwrap().dim(), (0, 50));
    assert_eq!(npz.source().taken().len(), 1, "nothing but the header is read for no rows");
    assert!(npz.array("a").and_then(|array| array.rows(7..1001)?.read::<u32, Ix2>()).is_err());
    assert_eq!(npz.source().taken().len(), 1, "nothing but the header is read for rows that are not there");
}

#[test]
fn rows_in_fortran_order_are_read_through_small_gaps() {
    // Columns are 4,000 bytes apart: less than a page, so that one read takes all of them.
    let shape = (1000, 50);
    let (npz, archive) = Counting::open(vec![forge::stored("a.npy", &numbers(shape, "True"))]);
    let elements = elements_at(&archive, shape);
    for rows in [10..20, 0..1, 999..1000, 0..1000] {
        let found = npz.array("a").unwrap().rows(rows.clone()).unwrap().read::<u32, Ix2>().unwrap();
        let expected =
            Array::from_shape_fn((rows.len(), 50), |(row, column)| (column * 1000 + rows.start + row) as u32);
        assert_eq!(found, expected, "{rows:?}");
        let reads = npz.source().taken();
        assert!(reads.len() == 2 && reads[0].1 <= WINDOW, "{rows:?}: {reads:?}");
        assert_eq!(reads[1], (elements + rows.start as u64 * 4, 49 * 4000 + rows.len() * 4), "{rows:?}");
    }
}

#[test]
fn rows_in_fortran_order_far_apart_are_read_one_by_one() {
    let shape = (2000, 50);
    let (npz, archive) = Counting::open(vec![forge::stored("a.npy", &numbers(shape, "True"))]);
    let elements = elements_at(&archive, shape);
    let found = npz.array("a").unwrap().rows(10..20).unwrap().read::<u32, Ix2>().unwrap();
    assert_eq!(found, Array::from_shape_fn((10, 50), |(row, column)| (column * 2000 + 10 + row) as u32));
    let reads = npz.source().taken();
    assert!(reads[0].1 <= WINDOW, "{reads:?}");
    let columns: Vec<_> = (0..50).map(|column| (elements + column * 8000 + 40, 40)).collect();
    assert_eq!(reads[1..], columns);

    // The edge: a gap of a page is read along, of one number more is not.
    for (rows, expected) in [(0..2000, 2), (0..977, 2), (0..976, 2), (0..975, 51)] {
        let found = npz.array("a").unwrap().rows(rows.clone()).unwrap().read::<u32, Ix2>().unwrap();
        assert_eq!(found[(rows.len() - 1, 49)], 49 * 2000 + rows.len() as u32 - 1);
        assert_eq!(npz.source().taken().len(), expected, "{rows:?}");
    }
}

#[test]
fn rows_in_fortran_order_are_read_together_half_a_mebibyte_at_a_time() {
    let shape = (1000, 1000);
    let (npz, archive) = Counting::open(vec![forge::stored("a.npy", &numbers(shape, "True"))]);
    for rows in [3..5, 1..1000, 0..1000] {
        let found = npz.array("a").unwrap().rows(rows.clone()).unwrap().read::<u32, Ix2>().unwrap();
        let number = |(row, column)| (column * 1000 + rows.start + row) as u32;
        assert_eq!(found, Array::from_shape_fn((rows.len(), 1000), number));
        let reads = npz.source().taken();
        if rows.len() == 1000 {
            // Nothing lies between: all of it at once, into its place.
            assert_eq!(reads[1..], [(elements_at(&archive, shape), 4_000_000)]);
        } else {
            assert!(reads.len() <= 10 && reads.iter().all(|(_, length)| *length <= 512 << 10), "{rows:?}: {reads:?}");
        }
    }
}

#[test]
fn rows_of_a_deflated_member_are_read_no_further_than_needed() {
    let shape = (10_000, 100);
    let (npz, archive) = Counting::open(vec![forge::deflated("a.npy", &numbers(shape, "False"))]);
    assert!(archive.entries[0].data.len() > 4_000_000);
    for (rows, limit) in [(0..10, 300 << 10), (100..200, 400 << 10), (5000..5001, 2_300 << 10)] {
        let found = npz.array("a").unwrap().rows(rows.clone()).unwrap().read::<u32, Ix2>().unwrap();
        let expected =
            Array::from_shape_fn((rows.len(), 100), |(row, column)| ((rows.start + row) * 100 + column) as u32);
        assert_eq!(found, expected);
        let total: usize = npz.source().taken().iter().map(|(_, length)| length).sum();
        // Up to the last row, and a buffer of compressed bytes more, of 256 KiB.
        assert!(total < limit && total >= rows.end * 400, "{rows:?}: {total}");
    }
}

#[test]
fn rows_in_fortran_order_of_a_deflated_member_are_those_of_the_array() {
    // Columns of a few bytes and of more than what is decoded at a time; one column, and none.
    for shape in [(2, 100_000), (3, 1), (3, 0), (0, 3), (100, 700), (5_000, 30), (16_384, 3), (16_385, 3), (40_000, 2)]
    {
        let content = numbers(shape, "True");
        let (npz, _) = Counting::open(vec![forge::deflated("a.npy", &content)]);
        let whole = npz.read::<u32, Ix2>("a").unwrap();
        assert_eq!(whole, Array::from_shape_fn(shape, |(row, column)| (column * shape.0 + row) as u32));
        let (rows, half) = (shape.0, shape.0 / 2);
        for range in [0..rows, 0..half, half..rows, 0..rows.min(1), rows.saturating_sub(1)..rows, half..half] {
            let found = npz.array("a").unwrap().rows(range.clone()).unwrap().read::<u32, Ix2>().unwrap();
            assert_eq!(found, whole.slice(ndarray::s![range, ..]), "{shape:?}");
        }
    }
}

fn with_verify(bytes: &[u8], verify: Verify) -> Npz<Vec<u8>> {
    OpenOptions::new().verify(verify).source(bytes.to_vec()).unwrap()
}

#[test]
fn rows_before_a_damaged_part_of_a_deflated_member_are_read() {
    // 400,000 bytes in blocks of 65,535; the fourth block begins with a type that does not exist.
    let mut archive = Archive::new(vec![forge::deflated("a.npy", &numbers((1000, 100), "False"))]);
    archive.entries[0].data[3 * (65_535 + 5)] = 6;
    for verify in [Verify::Never, Verify::Copied] {
        let npz = with_verify(&archive.bytes(), verify);
        let found = npz.array("a").unwrap().rows(100..400).unwrap().read::<u32, Ix2>().unwrap();
        assert_eq!((found[(0, 0)], found[(299, 99)]), (10_000, 39_999));
        let refused = kind(npz.array("a").and_then(|array| array.rows(100..600)?.read::<u32, Ix2>()));
        assert!(matches!(refused, ErrorKind::BadStream { .. }), "{refused}");
    }
    let refused = kind(
        with_verify(&archive.bytes(), Verify::Always)
            .array("a")
            .and_then(|array| array.rows(100..400)?.read::<u32, Ix2>()),
    );
    assert!(matches!(refused, ErrorKind::BadStream { .. }), "{refused}");
}

#[test]
fn a_flipped_byte_elsewhere_is_found_when_everything_is_verified() {
    for (entry, fortran) in
        [(forge::stored as fn(&str, &[u8]) -> Entry, false), (forge::stored, true), (forge::deflated, false)]
    {
        let order = if fortran { "True" } else { "False" };
        let mut archive = Archive::new(vec![entry("a.npy", &numbers((1000, 10), order))]);
        *archive.entries[0].data.last_mut().unwrap() ^= 1; // of the last number
        let npz = with_verify(&archive.bytes(), Verify::Copied);
        let found = npz.array("a").unwrap().rows(1..3).unwrap().read::<u32, Ix2>().unwrap();
        let (row, column) = if fortran { (1, 1000) } else { (10, 1) };
        assert_eq!(found, Array::from_shape_fn((2, 10), |(i, j)| (row * (i + 1) + column * j) as u32));
        // The damage itself is not noticed in part of a member, and noticed in the whole.
        let found = npz.array("a").unwrap().rows(999..1000).unwrap().read::<u32, Ix2>().unwrap();
        assert_eq!(found[(0, 9)], 9999 ^ 1 << 24);
        let refused = kind(npz.read::<u32, Ix2>("a"));
        assert!(matches!(refused, ErrorKind::Checksum { .. }), "{refused}");
        // Not one row without the whole being right.
        let npz = with_verify(&archive.bytes(), Verify::Always);
        for rows in [1..3, 0..0, 0..1000] {
            let refused = kind(npz.array("a").and_then(|array| array.rows(rows)?.read::<u32, Ix2>()));
            assert!(matches!(refused, ErrorKind::Checksum { .. }), "{refused}");
        }
    }
}

#[test]
fn rows_of_an_undamaged_archive_are_read_when_everything_is_verified() {
    let entries = vec![
        forge::stored("c.npy", &numbers((1000, 10), "False")),
        forge::stored("f.npy", &numbers((1000, 10), "True")),
        forge::deflated("d.npy", &numbers((1000, 10), "False")),
    ];
    let npz = with_verify(&Archive::new(entries).bytes(), Verify::Always);
    for (key, first) in [("c", 20), ("f", 2), ("d", 20)] {
        let found = npz.array(key).unwrap().rows(2..999).unwrap().read::<u32, Ix2>().unwrap();
        assert_eq!((found.dim(), found[(0, 0)]), ((997, 10), first), "{key}");
    }
}

#[test]
fn of_the_budget_only_the_rows_are_counted() {
    let bytes = Archive::new(vec![forge::deflated("a.npy", &numbers((1000, 100), "False"))]).bytes();
    let npz = OpenOptions::new().limits(Limits::new().max_decoded_bytes(4_000)).source(bytes).unwrap();
    assert_eq!(npz.array("a").unwrap().rows(500..510).unwrap().read::<u32, Ix2>().unwrap()[(9, 99)], 50_999);
    let refused = kind(npz.array("a").and_then(|array| array.rows(500..511)?.read::<u32, Ix2>()));
    assert!(matches!(refused, ErrorKind::LimitExceeded { found: 4_400, limit: 4_000, .. }), "{refused}");
}

#[test]
fn other_types_and_dimensions_are_refused_as_for_the_whole() {
    let npz = Npz::open(fixtures::path("kinds-deflated.npz")).unwrap();
    let refused = kind(npz.array("f4-le-c").and_then(|array| array.rows(0..1)?.read::<f64, Ix2>()));
    assert!(matches!(refused, ErrorKind::DtypeMismatch { .. }), "{refused}");
    let refused = kind(npz.array("f4-le-c").and_then(|array| array.rows(0..1)?.read::<f32, Ix3>()));
    assert!(matches!(refused, ErrorKind::DimensionMismatch { found: 2, expected: 3 }), "{refused}");
    let error = npz.array("f4-le-c").and_then(|array| array.rows(2..4)?.read::<f32, Ix2>()).unwrap_err();
    assert_eq!((error.member(), error.path()), (Some("f4-le-c"), Some(&*fixtures::path("kinds-deflated.npz"))));
    let refused = kind(
        Npz::open(fixtures::path("object.npz"))
            .unwrap()
            .array("objects")
            .and_then(|array| array.rows(0..1)?.read::<u64, Ix1>()),
    );
    assert!(matches!(refused, ErrorKind::Pickled), "{refused}");
}

#[test]
fn a_bool_that_is_none_is_found_in_its_rows_only() {
    let content = forge::npy("'|b1'", "(4, 2)", &[0, 1, 1, 0, 1, 2, 0, 1]);
    for entry in [forge::stored("a.npy", &content), forge::deflated("a.npy", &content)] {
        let npz = Npz::new(Archive::new(vec![entry]).bytes()).unwrap();
        assert_eq!(
            npz.array("a").unwrap().rows(0..2).unwrap().read::<bool, Ix2>().unwrap(),
            ndarray::arr2(&[[false, true], [true, false]])
        );
        assert_eq!(
            npz.array("a").unwrap().rows(3..4).unwrap().read::<bool, Ix2>().unwrap(),
            ndarray::arr2(&[[false, true]])
        );
        // Its position is that in the file, as for the whole.
        for refused in [
            kind(npz.read::<bool, Ix2>("a")),
            kind(npz.array("a").and_then(|array| array.rows(1..3)?.read::<bool, Ix2>())),
        ] {
            assert!(matches!(refused, ErrorKind::InvalidElement { index: 5, .. }), "{refused:?}");
        }
    }
}

#[cfg(all(feature = "methods", feature = "zstd"))]
#[test]
fn rows_of_members_of_every_method_are_those_of_the_array() {
    let npz = Npz::open(fixtures::path("methods.npz")).unwrap();
    for key in ["stored", "deflated", "bzip2", "lzma"] {
        let found = npz.array(key).unwrap().rows(1..3).unwrap().read::<f32, Ix2>().unwrap();
        assert_eq!(found, Array::from_shape_fn((2, 6), |(row, column)| (6 + row * 6 + column) as f32), "{key}");
        let npz = with_verify(&fixtures::bytes("methods.npz"), Verify::Always);
        assert_eq!(npz.array(key).unwrap().rows(3..4).unwrap().read::<f32, Ix2>().unwrap()[(0, 5)], 23.0, "{key}");
    }
}

#[test]
fn rows_of_records_are_records() {
    let entry = arrays("records-stored.npz").find(|entry| entry["key"] == "one-field-le-f").unwrap();
    let npz = map("records-stored.npz");
    #[derive(Clone, Copy, Debug, PartialEq, bytemuck::Zeroable, bytemuck::Pod)]
    #[repr(C)]
    struct Only {
        only: i16,
    }
    npzmap::record!(Only { only: i16 });
    let whole = npz.read::<Only, Ix2>("one-field-le-f").unwrap();
    elements::assert_values(&whole.map(|record| record.only).view(), &entry["fields"][0]["values"], "whole");
    let rows = npz.array("one-field-le-f").unwrap().rows(1..2).unwrap().read::<Unaligned<Only>, Ix2>().unwrap();
    assert_eq!(rows.map(|record| record.get()).row(0), whole.row(1));
}

#[test]
fn rows_of_a_plain_file_are_read_as_well() {
    for file in ["plain.npy", "plain-f.npy"] {
        let expected: Vec<f64> = (4..8).map(|index| EXPECTED["npy"][file]["values"][index].as_f64().unwrap()).collect();
        let found: ArrayD<f32> =
            Npy::open(fixtures::path(file)).unwrap().array().unwrap().rows(1..2).unwrap().read().unwrap();
        assert_eq!(
            (found.shape(), found.map(|value| f64::from(*value)).into_raw_vec_and_offset().0),
            (&[1, 4][..], expected)
        );
        let refused = kind(
            Npy::new(fixtures::bytes(file)).unwrap().array().and_then(|array| array.rows(2..4)?.read::<f32, Ix2>()),
        );
        assert!(matches!(refused, ErrorKind::RowsOutOfRange { start: 2, end: 4, rows: 3 }), "{refused}");
    }
}
