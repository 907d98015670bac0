//! One field of a record, borrowed where it lies or copied, without a Rust type for the record.

use std::collections::BTreeMap;

use bytemuck::{Pod, Zeroable};
use ndarray::{Axis, Ix0, Ix1, Ix2, Ix3, IxDyn};
use npzmap::num_complex::Complex;
use npzmap::{Dtype, Element, ErrorKind, Limits, Npz, OpenOptions, Reason, Source, Unaligned, Verify};
use serde_json::Value;

use crate::elements::{Json, Work, assert_values, hex, is_native, kind, lengths, map, placed, text, with_type};
use crate::fixtures::{self, EXPECTED};
use crate::forge::{self, Archive};

/// The records of every archive that are not too wide to be listed.
fn records() -> impl Iterator<Item = (&'static str, &'static Value)> {
    let archives = EXPECTED["archives"].as_object().unwrap();
    let all = archives
        .iter()
        .flat_map(|(file, entries)| entries.as_array().unwrap().iter().map(move |entry| (file.as_str(), entry)));
    all.filter(|(_, entry)| entry.get("fields").is_some_and(Value::is_array))
}

/// A field of an array, and what NumPy says of it.
struct Leaf<'a, S> {
    npz: &'a Npz<S>,
    entry: &'a Value,
    field: &'a Value,
    what: &'a str,
}

impl<S> Leaf<'_, S> {
    fn path(&self) -> String {
        let names: Vec<_> = self.field["path"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        names.join(".")
    }

    /// Those of the array, and those of sub-arrays behind them.
    fn shape(&self) -> Vec<usize> {
        [lengths(self.entry), lengths(self.field)].concat()
    }
}

/// Reads every field.
struct Read<'a, S>(Leaf<'a, S>);

impl<S: Source> Work for Read<'_, S> {
    fn checked<T: Element + Json>(&mut self) {
        let Leaf { npz, entry, field, what } = &self.0;
        let path = self.0.path();
        let array = npz.array(text(entry, "key")).and_then(|array| array.field(&path)?.read::<T, IxDyn>());
        let array = array.unwrap_or_else(|error| panic!("{what}: {path}: {error}"));
        assert_eq!(array.shape(), self.0.shape(), "{what}: {path}");
        assert_values(&array.view(), &field["values"], what);
    }
}

/// Borrows every field, as its type and at any address; counts what came of it.
struct View<'a, S> {
    leaf: Leaf<'a, S>,
    outcomes: &'a mut BTreeMap<&'static str, usize>,
}

impl<S: Source> View<'_, S> {
    /// What must come of it.
    fn plan(&self, alignment: usize, size: usize) -> Result<u64, Reason> {
        let Leaf { npz, entry, field, .. } = &self.leaf;
        if text(entry, "method") != "stored" {
            return Err(Reason::Compressed);
        }
        let number = |value: &Value| value.as_u64().unwrap();
        let offset = number(&entry["data_offset"]) + number(&field["offset"]);
        if self.leaf.shape().contains(&0) {
            return Ok(offset);
        }
        if !is_native(text(field, "descr")) {
            return Err(Reason::ByteOrder);
        }
        // Between two records there is at least this.
        let stride = usize::try_from(number(&entry["itemsize"])).unwrap();
        if lengths(entry).iter().any(|length| *length > 1) && !stride.is_multiple_of(size) {
            return Err(Reason::Stride { stride, size });
        }
        let address = npz.source().as_slice().unwrap().as_ptr().addr() as u64 + offset;
        if !address.is_multiple_of(alignment as u64) {
            return Err(Reason::Misaligned { offset, required: alignment });
        }
        Ok(offset)
    }

    /// Strides in bytes leave two reasons not to borrow.
    fn check_strided<T: Element + Json>(&mut self) {
        let Leaf { npz, entry, field, what } = &self.leaf;
        let path = self.leaf.path();
        let outcome = match (
            self.plan(1, 1),
            npz.array(text(entry, "key")).and_then(|array| array.field(&path)?.strided::<T, IxDyn>()),
        ) {
            (Ok(_), Ok(strided)) => {
                assert_eq!((strided.shape(), strided.len()), (&*self.leaf.shape(), strided.iter().len()), "{what}");
                let copied = strided.to_array();
                assert_values(&copied.view(), &field["values"], what);
                let bits = |values: &[T]| values.iter().flat_map(|value| bytemuck::bytes_of(value).to_vec()).collect();
                let (mut back, copied): (Vec<T>, Vec<u8>) =
                    (strided.iter().rev().collect(), bits(&copied.into_raw_vec_and_offset().0));
                back.reverse();
                assert_eq!(bits(&back), copied, "{what}");
                // As ndarray's view, if it can be one, it is the view that `field` gives.
                let view = npz.array(text(entry, "key")).and_then(|array| array.field(&path)?.view::<T, IxDyn>()).ok();
                let place = |view: ndarray::ArrayView<'_, T, IxDyn>| (view.as_ptr().addr(), view.strides().to_vec());
                assert_eq!(strided.as_view().map(place), view.map(place), "{what}");
                "borrowed by bytes"
            }
            (Err(expected), Err(error)) => match error.kind() {
                ErrorKind::CannotBorrow { reason, .. } if *reason == expected => "refused by bytes",
                kind => panic!("{what}: {path}: {kind}"),
            },
            (plan, found) => panic!("{what}: {path}: {plan:?} was expected, not {found:?}"),
        };
        *self.outcomes.entry(outcome).or_insert(0) += 1;
    }

    fn check<T: Element + Json>(&mut self) -> bool {
        self.check_strided::<T>();
        let Leaf { npz, entry, field, what } = &self.leaf;
        let path = self.leaf.path();
        let found = npz.array(text(entry, "key")).and_then(|array| array.field(&path)?.view::<T, IxDyn>());
        let outcome = match (self.plan(align_of::<T>(), size_of::<T>()), found) {
            (Ok(offset), Ok(view)) => {
                assert_eq!(view.shape(), self.leaf.shape(), "{what}: {path}");
                assert_values(&view, &field["values"], what);
                let source = npz.source().as_slice().unwrap().as_ptr().addr();
                assert!(view.is_empty() || view.as_ptr().addr() - source == usize::try_from(offset).unwrap(), "{what}");
                "borrowed"
            }
            (Err(expected), Err(error)) => match error.kind() {
                ErrorKind::CannotBorrow { reason: Reason::Stride { stride, size }, .. } => {
                    // Of which axis is left open.
                    assert!(matches!(expected, Reason::Stride { size: of, .. } if of == *size), "{what}: {error}");
                    assert!(!stride.is_multiple_of(*size) && error.to_string().contains("use strided()"), "{error}");
                    "stride"
                }
                ErrorKind::CannotBorrow { reason, .. } => {
                    assert_eq!(*reason, expected, "{what}: {path}");
                    reason.as_str()
                }
                kind => panic!("{what}: {path}: {kind}"),
            },
            (plan, found) => panic!("{what}: {path}: {plan:?} was expected, not {:?}", found.err()),
        };
        *self.outcomes.entry(outcome).or_insert(0) += 1;
        outcome == "borrowed"
    }
}

impl<S: Source> Work for View<'_, S> {
    fn checked<T: Element + Json>(&mut self) {
        self.check::<T>();
    }

    fn plain<T: Element + Json + Pod>(&mut self) {
        let aligned = self.check::<T>();
        // At any address: what is left are byte order, compression and strides.
        assert!(self.check::<Unaligned<T>>() || !aligned);
    }
}

fn read_every_field<S: Source>(open: impl Fn(&str) -> Npz<S>) {
    let mut seen = 0;
    for (file, entry) in records() {
        let npz = open(file);
        for field in entry["fields"].as_array().unwrap() {
            let what = format!("{file}: {}: {}", entry["name"], field["path"]);
            let leaf = Leaf { npz: &npz, entry, field, what: &what };
            let known = with_type(text(field, "descr"), &mut Read(leaf));
            assert!(known || !cfg!(feature = "half") && text(field, "descr").ends_with("f2"), "{what}");
            seen += usize::from(known);
        }
    }
    assert!(seen >= 345, "{seen}");
}

#[test]
fn every_field_by_position_is_what_numpy_reads() {
    read_every_field(|file| Npz::open(fixtures::path(file)).unwrap());
}

#[test]
fn every_field_in_memory_is_what_numpy_reads() {
    read_every_field(|file| Npz::new(fixtures::bytes(file)).unwrap());
}

#[test]
fn every_field_is_borrowed_where_it_can_be_and_else_says_why() {
    let mut outcomes = BTreeMap::new();
    for (file, entry) in records() {
        let bytes = fixtures::bytes(file);
        for shift in [0, 1, 2, 4] {
            let offset =
                entry.get("data_offset").map_or(0, |offset| usize::try_from(offset.as_u64().unwrap()).unwrap());
            let (room, range) = placed(&bytes, offset, shift);
            let npz = Npz::new(&room[range]).unwrap();
            for field in entry["fields"].as_array().unwrap() {
                let what = format!("{file}: {}: {}", entry["name"], field["path"]);
                let leaf = Leaf { npz: &npz, entry, field, what: &what };
                with_type(text(field, "descr"), &mut View { leaf, outcomes: &mut outcomes });
            }
        }
    }
    let kinds: Vec<_> = outcomes.keys().copied().collect();
    let expected =
        ["borrowed", "borrowed by bytes", "byte-order", "compressed", "misaligned", "refused by bytes", "stride"];
    assert_eq!(kinds, expected, "{outcomes:?}");
    // Whatever is stored in this machine's byte order is lent, and nothing else.
    assert_eq!(outcomes["borrowed by bytes"], outcomes["borrowed"] + outcomes["misaligned"] + outcomes["stride"]);
    assert!(outcomes.values().all(|count| *count >= 16), "{outcomes:?}");
}

#[test]
fn a_field_in_a_map_lies_in_the_map() {
    let npz = map("records-stored.npz");
    let temp = npz.array("titles-le-c").unwrap().field("temp").unwrap().view::<f32, Ix2>().unwrap();
    let n = npz.array("titles-le-c").unwrap().field("n").unwrap().view::<i32, Ix2>().unwrap();
    let start = npz.array("titles-le-c").unwrap().bytes().unwrap().as_ptr().addr();
    assert_eq!((temp.as_ptr().addr(), n.as_ptr().addr()), (start, start + 4));
    assert_eq!((temp.strides(), n.strides()), (&[6, 2][..], &[6, 2][..]));
    assert_eq!((temp[(0, 2)], n[(0, 0)]), (1.5, 2));
    // In Fortran order, the first axis is the near one.
    let temp = npz.array("titles-le-f").unwrap().field("temp").unwrap().view::<Unaligned<f32>, Ix2>().unwrap();
    assert_eq!((temp.strides(), temp[(0, 2)].get()), (&[2, 4][..], 1.5));
}

#[test]
fn a_field_of_packed_records_in_a_map_is_lent_where_it_lies() {
    let npz = map("records-stored.npz");
    let start = npz.array("mixed-le-c").unwrap().bytes().unwrap().as_ptr().addr();
    // Records of 37 bytes: v, d, h, g, c.
    let c = npz.array("mixed-le-c").unwrap().field("c").unwrap().strided::<Unaligned<Complex<f64>>, Ix2>().unwrap();
    assert_eq!(c.strides(), [111, 37]);
    assert!(c.as_view().is_none());
    let first = c.index_axis(Axis(0), 0).and_then(|row| row.index_axis(Axis(0), 0)).unwrap();
    assert_eq!(first.as_view().unwrap().as_ptr().addr(), start + 21); // a single value has no strides
    let read = npz.array("mixed-le-c").unwrap().field("c").unwrap().read::<Complex<f64>, Ix2>().unwrap();
    for (index, value) in read.indexed_iter() {
        assert_eq!(c.get(index).unwrap().get().to_string(), value.to_string());
    }
    for outside in [(2, 0), (0, 3), (usize::MAX, 0), (0, usize::MAX)] {
        assert!(c.get(outside).is_none());
    }
}

#[test]
fn strided_values_come_in_logical_order_from_both_ends() {
    // Records of 5 bytes: a number after its tag. Three rows, four columns.
    let payload: Vec<u8> = (0..12_u8).flat_map(|number| [0xee, number, 0, 0, 0]).collect();
    for (order, at) in [
        ("False", (|row, column| row * 4 + column) as fn(usize, usize) -> usize),
        ("True", |row, column| column * 3 + row),
    ] {
        let header =
            format!("{{'descr': [('tag', '|u1'), ('x', '<i4')], 'fortran_order': {order}, 'shape': (3, 4), }}");
        let content = [forge::preamble((1, 0), &header), payload.clone()].concat();
        let npz = Npz::new(Archive::new(vec![forge::stored("a.npy", &content)]).bytes()).unwrap();
        let x = npz.array("a").unwrap().field("x").unwrap().strided::<i32, Ix2>().unwrap();
        let expected: Vec<i32> = (0..12).map(|number| at(number / 4, number % 4) as i32).collect();
        assert_eq!(x.iter().collect::<Vec<_>>(), expected);
        assert_eq!(x.iter().rev().collect::<Vec<_>>(), expected.iter().rev().copied().collect::<Vec<_>>());
        assert_eq!(x.to_array(), npz.array("a").unwrap().field("x").unwrap().read::<i32, Ix2>().unwrap());
        assert_eq!(x.mapv(|x| x * 2).sum(), 132);
        for skipped in 0..=12 {
            let mut rest = x.iter();
            assert_eq!(rest.nth(skipped), expected.get(skipped).copied());
            let last = rest.next_back();
            let left = &expected[(skipped + 1).min(12)..];
            assert_eq!(last, left.last().copied());
            let left = &left[..left.len().saturating_sub(1)];
            // One after the other, and all at once.
            assert_eq!(rest.clone().collect::<Vec<_>>(), left);
            let mut folded = Vec::new();
            rest.for_each(|value| folded.push(value));
            assert_eq!(folded, left);
        }
        let (mut ends, mut both) = (x.iter(), Vec::new());
        while let Some(front) = ends.next() {
            both.push(front);
            both.extend(ends.next_back());
        }
        let inwards: Vec<_> = (0..6).flat_map(|number| [expected[number], expected[11 - number]]).collect();
        assert_eq!((both, ends.next(), ends.next_back(), ends.len()), (inwards, None, None, 0));
        let column = x.index_axis(Axis(1), 2).unwrap();
        assert_eq!(column.to_array().to_vec(), [expected[2], expected[6], expected[10]]);
        assert_eq!((x.index_axis(Axis(1), 4).is_none(), x.index_axis(Axis(2), 0).is_none()), (true, true));
        let copied = x; // a view is `Copy`
        assert_eq!((copied.into_iter().sum::<i32>(), format!("{x:?}").contains("shape: [3, 4]")), (66, true));
    }
}

#[test]
fn a_field_without_values_whose_other_axes_cannot_be_addressed_is_refused() {
    // Each axis is one that NumPy can hold; all of them together are not.
    const MOST: i32 = i32::MAX;
    for lengths in [format!("(0, {MOST}, {MOST}, {MOST})"), format!("({MOST}, 0, {MOST}, {MOST})")] {
        for order in ["False", "True"] {
            let header = format!(
                "{{'descr': [('a', '|u1'), ('x', '<i4', {lengths})], 'fortran_order': {order}, 'shape': (4,), }}"
            );
            let content = [&forge::preamble((1, 0), &header)[..], &[7; 4]].concat();
            let npz = Npz::new(Archive::new(vec![forge::stored("a.npy", &content)]).bytes()).unwrap();
            let refused = [
                npz.array("a").and_then(|array| array.field("x")?.strided::<i32, IxDyn>()).map(drop),
                npz.array("a").and_then(|array| array.field("x")?.view::<i32, IxDyn>()).map(drop),
                npz.array("a").and_then(|array| array.field("x")?.read::<i32, IxDyn>()).map(drop),
            ];
            for result in refused {
                let error = result.unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::ShapeOverflow { .. }), "{lengths}: {error}");
            }
            assert_eq!(npz.array("a").unwrap().field("a").unwrap().read::<u8, Ix1>().unwrap().to_vec(), [7; 4]);
        }
    }
}

#[test]
fn a_strided_array_without_values_has_none() {
    for shape in ["(0,)", "(3, 0)", "(0, 4611686018427387904)"] {
        for order in ["False", "True"] {
            let header =
                format!("{{'descr': [('tag', '|i1'), ('x', '<i4')], 'fortran_order': {order}, 'shape': {shape}, }}");
            let content = forge::preamble((1, 0), &header);
            let npz = Npz::new(Archive::new(vec![forge::stored("a.npy", &content)]).bytes());
            let Ok(x) = npz.as_ref().unwrap().array("a").and_then(|array| array.field("x")?.strided::<i32, IxDyn>())
            else {
                assert!(shape.len() > 10); // more than can be addressed
                continue;
            };
            assert_eq!((x.len(), x.iter().next(), x.iter().next_back(), x.is_empty()), (0, None, None, true));
            assert_eq!((x.to_array().len(), x.as_view().map(|view| view.len())), (0, Some(0)));
            assert_eq!(x.get(&vec![0; x.ndim()][..]), None);
            assert_eq!(
                x.index_axis(Axis(x.ndim() - 1), 0).map(|part| part.len()),
                if shape == "(0, 4611686018427387904)" { Some(0) } else { None }
            );
        }
    }
    let npz = one("[('a', '|i1'), ('b', '<i4')]", "()", &[7, 1, 2, 0, 0]);
    let b = npz.array("a").unwrap().field("b").unwrap().strided::<i32, Ix0>().unwrap();
    assert_eq!((b.get(()), b.len(), b.iter().collect::<Vec<_>>()), (Some(513), 1, vec![513]));
}

#[test]
fn the_field_of_a_source_that_cannot_lend_is_read() {
    let npz = Npz::open(fixtures::path("records-deflated.npz")).unwrap();
    let read = npz.array("packed-be-c").unwrap().field("score").unwrap().read::<f64, Ix2>().unwrap();
    assert_eq!((read[(0, 2)], read[(1, 0)], read.is_standard_layout()), (1.5, -2.25, true));
    let npz = map("records-deflated.npz");
    let refused = kind(npz.array("packed-le-c").and_then(|array| array.field("score")?.view::<Unaligned<f64>, Ix2>()));
    assert!(matches!(refused, ErrorKind::CannotBorrow { reason: Reason::Compressed, .. }), "{refused}");
}

/// An archive in memory of one stored array.
fn one(descr: &str, shape: &str, payload: &[u8]) -> Npz<Vec<u8>> {
    Npz::new(Archive::new(vec![forge::stored("a.npy", &forge::npy(descr, shape, payload))]).bytes()).unwrap()
}

fn i32s(values: impl IntoIterator<Item = i32>) -> Vec<u8> {
    values.into_iter().flat_map(i32::to_le_bytes).collect()
}

#[test]
fn sub_arrays_add_their_axes_at_the_end_with_their_strides() {
    // Two records of 12 numbers: a (2, 3), then two pairs of (x, (y, y)).
    let descr = "[('m', '<i4', (2, 3)), ('p', [('x', '<i4'), ('y', '<i4', (2,))], (2,))]";
    let npz = one(descr, "(2,)", &i32s(0..24));
    let expected = |at: &dyn Fn(usize, usize, usize) -> usize| {
        ndarray::Array3::from_shape_fn((2, 2, 3), |(record, i, j)| at(record, i, j) as i32)
    };
    let m = npz.array("a").unwrap().field("m").unwrap().view::<Unaligned<i32>, Ix3>().unwrap();
    assert_eq!(m.strides(), [12, 3, 1]);
    assert_eq!(m.map(|value| value.get()), expected(&|record, i, j| record * 12 + i * 3 + j));
    let x = npz.array("a").unwrap().field("p.x").unwrap().view::<Unaligned<i32>, Ix2>().unwrap();
    assert_eq!((x.strides(), x.map(|value| value.get())), (&[12, 3][..], ndarray::arr2(&[[6, 9], [18, 21]])));
    let y = npz.array("a").unwrap().field("p.y").unwrap().view::<Unaligned<i32>, Ix3>().unwrap();
    let values = ndarray::arr3(&[[[7, 8], [10, 11]], [[19, 20], [22, 23]]]);
    assert_eq!((y.strides(), y.map(|value| value.get())), (&[12, 3, 1][..], values.clone()));
    assert_eq!(npz.array("a").unwrap().field("p.y").unwrap().read::<i32, Ix3>().unwrap(), values);
    assert_eq!(
        npz.array("a").unwrap().field("m").unwrap().read::<i32, Ix3>().unwrap(),
        expected(&|record, i, j| record * 12 + i * 3 + j)
    );

    for refused in [
        kind(npz.array("a").and_then(|array| array.field("m")?.view::<Unaligned<i32>, Ix1>())),
        kind(npz.array("a").and_then(|array| array.field("m")?.read::<i32, Ix1>())),
    ] {
        assert!(matches!(refused, ErrorKind::DimensionMismatch { found: 3, expected: 1 }), "{refused}");
    }
}

#[test]
fn the_field_of_a_single_record_needs_no_stride() {
    let npz = one("[('a', '|i1'), ('b', '<i4')]", "()", &[7, 1, 2, 0, 0]);
    assert_eq!(npz.array("a").unwrap().field("b").unwrap().view::<Unaligned<i32>, Ix0>().unwrap()[()].get(), 513);
    assert_eq!(npz.array("a").unwrap().field("b").unwrap().read::<i32, Ix0>().unwrap()[()], 513);
    let npz = one("[('a', '|i1'), ('b', '<i4')]", "(1, 1)", &[7, 1, 2, 0, 0]);
    assert_eq!(npz.array("a").unwrap().field("b").unwrap().view::<Unaligned<i32>, Ix2>().unwrap()[(0, 0)].get(), 513);
    let npz = one("[('a', '|i1'), ('b', '<i4')]", "(0,)", &[]);
    assert!(npz.array("a").unwrap().field("b").unwrap().view::<i32, Ix1>().unwrap().is_empty());
    assert!(npz.array("a").unwrap().field("b").unwrap().read::<i32, Ix1>().unwrap().is_empty());
}

#[test]
fn strides_that_are_no_multiple_are_named() {
    let npz = one("[('a', '|i1'), ('b', '<i4')]", "(2,)", &[0; 10]);
    let error = npz.array("a").and_then(|array| array.field("b")?.view::<Unaligned<i32>, Ix1>()).unwrap_err();
    let expected = Reason::Stride { stride: 5, size: 4 };
    assert!(matches!(error.kind(), ErrorKind::CannotBorrow { reason, .. } if *reason == expected), "{error}");
    assert_eq!(
        error.to_string(),
        "a: cannot borrow as Unaligned<i32>: the values of 4 bytes lie 5 bytes apart, which is no multiple; \
         use strided(), which borrows, or get() or read(), or view the whole record as a Rust type"
    );
}

#[test]
fn a_record_within_a_record_is_a_field_as_well() {
    #[derive(Clone, Copy, Debug, PartialEq, Zeroable, Pod)]
    #[repr(C)]
    struct Pos {
        x: f32,
        y: f32,
    }
    npzmap::record!(Pos { x: f32, y: f32 });

    for key in ["nested-le-c", "nested-be-c", "nested-le-f"] {
        for npz in [map("records-stored.npz"), map("records-deflated.npz")] {
            let pos = npz.array(key).unwrap().field("pos").unwrap().read::<Pos, Ix2>().unwrap();
            assert_eq!(
                pos.map(|pos| pos.x),
                npz.array(key).unwrap().field("pos.x").unwrap().read::<f32, Ix2>().unwrap(),
                "{key}"
            );
            assert_eq!(
                pos.map(|pos| pos.y),
                npz.array(key).unwrap().field("pos.y").unwrap().read::<f32, Ix2>().unwrap(),
                "{key}"
            );
            assert_eq!((pos[(0, 2)].x, pos[(0, 2)].y), (1.5, 1.5), "{key}");
        }
    }
    let npz = one("[('p', [('x', '<f4'), ('y', '<f4')]), ('n', '<i8')]", "(2,)", &{
        let mut payload = vec![0; 32];
        payload[16..20].copy_from_slice(&2.5_f32.to_le_bytes());
        payload
    });
    assert_eq!(
        npz.array("a").unwrap().field("p").unwrap().view::<Unaligned<Pos>, Ix1>().unwrap()[1].get(),
        Pos { x: 2.5, y: 0.0 }
    );
}

#[test]
fn a_field_that_is_not_there_is_named_with_what_is_there() {
    let npz = map("records-stored.npz");
    for (key, path, field, dtype) in [
        ("nested-le-c", "nothing", "nothing", "[('pos', "),
        ("nested-le-c", "pos.z", "z", "[('x', '<f4'), ('y', '<f4')]"),
        ("nested-le-c", "inner.deep.z.re", "re", "<c8"),
        ("nested-le-c", "x", "x", "[('pos', "),
        ("nested-le-c", "pos..x", ".x", "[('x', "),
        ("nested-le-c", ".pos", ".pos", "[('pos', "),
        ("titles-le-c", "Count", "Count", "[(("),
        ("aligned-le-c", "f1", "f1", "[('flag', "),
    ] {
        let errors = [
            npz.array(key).and_then(|array| array.field(path)?.view::<f32, IxDyn>()).unwrap_err(),
            npz.array(key).and_then(|array| array.field(path)?.read::<f32, IxDyn>()).unwrap_err(),
        ];
        for error in errors {
            let ErrorKind::NoSuchField { field: found, dtype: within } = error.kind() else {
                panic!("{path}: {error}")
            };
            assert_eq!(found, field, "{path}");
            assert!(within.starts_with(dtype), "{path}: {within}");
            assert_eq!(error.member(), Some(key));
        }
    }
    let refused =
        kind(map("kinds-stored.npz").array("f4-le-c").and_then(|array| array.field("x")?.read::<f32, IxDyn>()));
    assert!(matches!(refused, ErrorKind::NoSuchField { .. }), "{refused}");
}

#[test]
fn a_dot_at_the_end_of_a_path_is_no_field() {
    let npz = map("records-stored.npz");
    for (key, path) in [("packed-le-c", "id."), ("nested-le-c", "pos.x."), ("nested-le-c", "pos.")] {
        for refused in [
            kind(npz.array(key).and_then(|array| array.field(path)?.read::<u32, IxDyn>())),
            kind(npz.array(key).and_then(|array| array.field(path)?.view::<u32, IxDyn>())),
        ] {
            assert!(matches!(refused, ErrorKind::NoSuchField { .. }), "{path}: {refused}");
        }
    }
}

#[test]
fn a_dot_may_be_part_of_a_name() {
    let descr =
        "[('a.b', '<i4'), ('a', [('b', '<i4'), ('c', '<i4'), ('d.e', [('f', '<i4')])]), ('.', '<i4'), ('x.', '<i4')]";
    let npz = one(descr, "(2,)", &i32s(0..12));
    for (path, first) in [("a.b", 0), ("a.c", 2), ("a.d.e.f", 3), (".", 4), ("x.", 5)] {
        assert_eq!(
            npz.array("a").unwrap().field(path).unwrap().read::<i32, Ix1>().unwrap().to_vec(),
            [first, first + 6],
            "{path}"
        );
        let view = npz.array("a").unwrap().field(path).unwrap().view::<Unaligned<i32>, Ix1>().unwrap();
        assert_eq!(view.map(|value| value.get()).to_vec(), [first, first + 6], "{path}");
    }
    let refused = kind(npz.array("a").and_then(|array| array.field("a.d")?.read::<i32, Ix1>()));
    assert!(matches!(refused, ErrorKind::NoSuchField { .. }), "{refused}");
}

#[test]
fn a_path_is_read_in_every_way_that_its_dots_allow() {
    // By the longest name first, `a.b` would lead nowhere.
    let descr = "[('a.b', '<i4'), ('a', [('b.c', '<i4'), ('b', [('d', '<i4', (2,))])]), \
                  ('x', [('y', [('z.w', '<i4')])], (2,)), ('x.y', [('z', '<i4', (2,))])]";
    let npz = one(descr, "(2,)", &i32s(0..16));
    for (path, first) in [("a.b", 0), ("a.b.c", 1)] {
        assert_eq!(
            npz.array("a").unwrap().field(path).unwrap().read::<i32, Ix1>().unwrap().to_vec(),
            [first, first + 8],
            "{path}"
        );
    }
    for (path, first, shape) in [("a.b.d", 2, [2, 2]), ("x.y.z.w", 4, [2, 2]), ("x.y.z", 6, [2, 2])] {
        let found = npz.array("a").unwrap().field(path).unwrap().read::<i32, Ix2>().unwrap();
        assert_eq!((found[(0, 0)], found[(1, 1)], found.shape()), (first, first + 9, &shape[..]), "{path}");
        assert_eq!(npz.array("a").unwrap().field(path).unwrap().strided::<i32, Ix2>().unwrap().to_array(), found);
    }
    // What is not there in any way is named by the longest names.
    for (path, missing) in [("a.b.e", "e"), ("x.y.z.v", "v")] {
        let refused = kind(npz.array("a").and_then(|array| array.field(path)?.read::<i32, IxDyn>()));
        assert!(matches!(&refused, ErrorKind::NoSuchField { field, .. } if field == missing), "{refused}");
    }
}

#[test]
fn a_path_of_many_ways_leads_to_the_field_that_is_there() {
    // Five records deep, each under the names `a`, `a.a` and `a.a.a`; in the innermost is `b`. To the path of five `a`s and
    // a `b` the longest names do not lead, but the shortest.
    fn record(depth: usize) -> String {
        let [inner, names] = if depth == 0 {
            ["'|u1'".to_owned(), "b".to_owned()]
        } else {
            [record(depth - 1), "a a.a a.a.a".to_owned()]
        };
        let fields: Vec<_> = names.split(' ').map(|name| format!("('{name}', {inner})")).collect();
        format!("[{}]", fields.join(", "))
    }
    let npz = one(&record(5), "(1,)", &(0..243).collect::<Vec<u8>>());
    let path = |count: usize| format!("{}b", "a.".repeat(count));
    for (count, place) in [(5, 0), (6, 81), (15, 242)] {
        assert_eq!(
            npz.array("a").unwrap().field(&path(count)).unwrap().read::<u8, Ix1>().unwrap()[0],
            place,
            "{count}"
        );
    }
    for count in [4, 16] {
        let refused = kind(npz.array("a").and_then(|array| array.field(&path(count))?.read::<u8, Ix1>()));
        assert!(matches!(refused, ErrorKind::NoSuchField { .. }), "{refused}");
    }
}

#[test]
fn a_field_of_another_type_is_refused() {
    let npz = map("records-stored.npz");
    let refusals = [
        kind(npz.array("packed-le-c").and_then(|array| array.field("id")?.read::<i32, IxDyn>())),
        kind(npz.array("packed-le-c").and_then(|array| array.field("score")?.view::<f32, IxDyn>())),
        kind(npz.array("nested-le-c").and_then(|array| array.field("when")?.view::<i64, IxDyn>())),
        kind(npz.array("nested-le-c").and_then(|array| array.field("pos")?.read::<f32, IxDyn>())),
        kind(npz.array("packed-le-c").and_then(|array| array.field("ok")?.read::<u32, IxDyn>())),
    ];
    for refused in refusals {
        assert!(matches!(refused, ErrorKind::DtypeMismatch { .. }), "{refused}");
    }
    let objects = map("object.npz");
    for refused in [
        kind(objects.array("record").and_then(|array| array.field("id")?.read::<i32, Ix1>())),
        kind(objects.array("record").and_then(|array| array.field("id")?.view::<i32, Ix1>())),
    ] {
        assert!(matches!(refused, ErrorKind::Pickled), "{refused}");
    }
}

#[test]
fn a_bool_in_a_record_is_checked_in_its_field_alone() {
    let npz = one("[('n', '|u1'), ('ok', '|b1')]", "(3,)", &[9, 1, 9, 2, 9, 0]);
    let refusals = [
        kind(npz.array("a").and_then(|array| array.field("ok")?.read::<bool, Ix1>())),
        kind(npz.array("a").and_then(|array| array.field("ok")?.view::<bool, Ix1>())),
        kind(npz.array("a").and_then(|array| array.field("ok")?.strided::<bool, Ix1>())),
    ];
    for refused in refusals {
        assert!(matches!(refused, ErrorKind::InvalidElement { index: 1, .. }), "{refused}");
    }
    // Its bytes can be taken as u8.
    assert_eq!(npz.array("a").unwrap().field("ok").unwrap().read::<u8, Ix1>().unwrap().to_vec(), [1, 2, 0]);
    assert_eq!(npz.array("a").unwrap().field("ok").unwrap().view::<u8, Ix1>().unwrap().to_vec(), [1, 2, 0]);
    assert_eq!(npz.array("a").unwrap().field("n").unwrap().read::<u8, Ix1>().unwrap().to_vec(), [9, 9, 9]);
}

#[test]
fn a_wrong_bool_is_numbered_as_it_lies_in_fortran_order_too() {
    // (2, 3), column by column: number 4 is in row 0 of the last column.
    let header = "{'descr': [('n', '|u1'), ('ok', '|b1', (1,))], 'fortran_order': True, 'shape': (2, 3), }";
    let content = [forge::preamble((1, 0), header), vec![9, 1, 9, 0, 9, 1, 9, 0, 9, 7, 9, 0]].concat();
    let npz = Npz::new(Archive::new(vec![forge::stored("a.npy", &content)]).bytes()).unwrap();
    let refusals = [
        kind(npz.array("a").and_then(|array| array.field("ok")?.read::<bool, Ix3>())),
        kind(npz.array("a").and_then(|array| array.field("ok")?.view::<bool, Ix3>())),
        kind(npz.array("a").and_then(|array| array.field("ok")?.strided::<bool, Ix3>())),
    ];
    for refused in refusals {
        assert!(matches!(refused, ErrorKind::InvalidElement { index: 4, .. }), "{refused}");
    }
    assert_eq!(npz.array("a").unwrap().field("ok").unwrap().strided::<u8, Ix3>().unwrap().get((0, 2, 0)), Some(7));
}

#[test]
fn a_field_of_many_records_is_read_block_by_block() {
    // 240,000 bytes: several blocks, whose ends are not those of records.
    let payload: Vec<u8> = (0..20_000_u32)
        .flat_map(|index| [&index.to_le_bytes()[..], &(index ^ 0x5555).to_be_bytes(), &[1, 2, 3, 4]].concat())
        .collect();
    let content = forge::npy("[('a', '<u4'), ('b', '>u4'), ('c', '|V4')]", "(100, 200)", &payload);
    for entry in [forge::stored("a.npy", &content), forge::deflated("a.npy", &content)] {
        let npz = Npz::new(Archive::new(vec![entry]).bytes()).unwrap();
        let index = |(row, column)| (row * 200 + column) as u32;
        let a = npz.array("a").unwrap().field("a").unwrap().read::<u32, Ix2>().unwrap();
        assert_eq!(a, ndarray::Array2::from_shape_fn((100, 200), index));
        let b = npz.array("a").unwrap().field("b").unwrap().read::<u32, Ix2>().unwrap();
        assert_eq!(b, ndarray::Array2::from_shape_fn((100, 200), |at| index(at) ^ 0x5555));
    }
}

#[test]
fn damage_anywhere_in_the_records_is_found_when_a_field_is_read() {
    let content = forge::npy("[('a', '<i4'), ('b', '<i4')]", "(2,)", &i32s(0..4));
    let mut archive = Archive::new(vec![forge::stored("a.npy", &content)]);
    *archive.entries[0].data.last_mut().unwrap() ^= 1; // of b
    let open = |verify| OpenOptions::new().verify(verify).source(archive.bytes()).unwrap();
    let refusals = [
        kind(open(Verify::Copied).array("a").and_then(|array| array.field("a")?.read::<i32, Ix1>())),
        kind(open(Verify::Always).array("a").and_then(|array| array.field("a")?.read::<i32, Ix1>())),
        kind(open(Verify::Always).array("a").and_then(|array| array.field("a")?.view::<Unaligned<i32>, Ix1>())),
        kind(open(Verify::Always).array("a").and_then(|array| array.field("a")?.strided::<i32, Ix1>())),
    ];
    for refused in refusals {
        assert!(matches!(refused, ErrorKind::Checksum { .. }), "{refused}");
    }
    assert_eq!(
        open(Verify::Never).array("a").unwrap().field("a").unwrap().read::<i32, Ix1>().unwrap().to_vec(),
        [0, 2]
    );
    assert_eq!(
        open(Verify::Copied).array("a").unwrap().field("a").unwrap().view::<Unaligned<i32>, Ix1>().unwrap()[1].get(),
        2
    );
}

#[test]
fn of_the_budget_the_values_of_the_field_are_counted() {
    let content = forge::npy("[('a', '<i4'), ('b', '<i4', (3,))]", "(100,)", &i32s(0..400));
    let bytes = Archive::new(vec![forge::deflated("a.npy", &content)]).bytes();
    let npz = OpenOptions::new().limits(Limits::new().max_decoded_bytes(400)).source(bytes).unwrap();
    assert_eq!(npz.array("a").unwrap().field("a").unwrap().read::<i32, Ix1>().unwrap()[99], 396);
    let refused = kind(npz.array("a").and_then(|array| array.field("b")?.read::<i32, Ix2>()));
    assert!(matches!(refused, ErrorKind::LimitExceeded { found: 1200, limit: 400, .. }), "{refused}");
}

#[test]
fn wide_records_are_read_by_field_too() {
    let npz = Npz::open(fixtures::path("wide-records.npz")).unwrap();
    let entries = EXPECTED["archives"]["wide-records.npz"].as_array().unwrap();
    for (entry, count) in entries.iter().zip([700, 4000]) {
        let payload: Vec<&str> =
            entry["values"].as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect();
        for index in [0, 1, count / 2, count - 1] {
            let found = npz
                .array(text(entry, "key"))
                .unwrap()
                .field(&format!("f{index:04}"))
                .unwrap()
                .read::<i8, Ix1>()
                .unwrap();
            let found: Vec<_> = found.iter().map(|value| hex(&value.to_le_bytes())).collect();
            let expected: Vec<_> = payload.iter().map(|item| &item[index * 2..index * 2 + 2]).collect();
            assert_eq!(found, expected, "{index}");
        }
    }
}

#[test]
fn a_field_of_a_record_is_found_by_its_name_and_no_other_is() {
    let Ok(Dtype::Record(record)) = "[('a', '<u4'), ('b', '<f8')]".parse::<Dtype>() else { panic!("no record") };
    for (name, offset, dtype) in [("a", 0, "<u4"), ("b", 4, "<f8")] {
        let field = record.field(name).unwrap();
        assert_eq!((field.name(), field.offset(), field.dtype().to_string().as_str()), (name, offset, dtype));
    }
    assert!(record.field("c").is_none() && record.field("").is_none());
}

#[test]
fn a_record_is_aligned_as_its_widest_field_if_each_lies_so_and_the_next_item_does() {
    for (descr, alignment) in [
        ("[('a', '<f4'), ('b', '|u1'), ('', '|V3')]", 4),
        ("[('a', '<f4'), ('b', '|u1')]", 1),              // the second item does not
        ("[('a', '|u1'), ('b', '<f4'), ('', '|V3')]", 1), // a field does not
        ("[('a', '|u1'), ('', '|V7'), ('b', '<f8')]", 8),
        ("[('a', [('x', '<u2')], (3,)), ('b', '<u2')]", 2),
        ("[('a', '|u1'), ('b', '|S3')]", 1),
    ] {
        assert_eq!(descr.parse::<Dtype>().unwrap().alignment(), alignment, "{descr}");
    }
}
