//! Parts of arrays: whatever is selected, by every verb, from every source, is what ndarray's and a plain reading of NumPy's
//! rules say.

use std::borrow::Cow;
use std::io::Read;

use ndarray::{Array, Array1, Array2, ArrayD, ArrayView2, Axis, IxDyn, ShapeBuilder, Slice, s};
use npzmap::{Access, AnyArray, ErrorKind, Npy, Npz, NpzWriter, Order, Reason, Source, Unaligned};

use crate::counting::Counting;
use crate::fixtures;

/// Numbers that look random, the same on every run.
struct Random(u64);

impl Random {
    /// One of `0..below`.
    fn below(&mut self, below: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }

    /// A bound of a slice: left out, within the axis, from its end, or beyond it.
    fn bound(&mut self, length: usize) -> Option<isize> {
        let length = length as isize;
        (self.below(4) > 0).then(|| self.below(3 * length as usize + 5) as isize - length - 2)
    }
}

/// What NumPy takes of one axis, by the rules of its documentation: first index, step, count.
fn numpy_slice(start: Option<isize>, stop: Option<isize>, step: isize, length: usize) -> Vec<usize> {
    let length = length as isize;
    let normal = |bound: isize| if bound < 0 { bound + length } else { bound };
    let mut at = match (start, step > 0) {
        (Some(start), true) => normal(start).max(0),
        (Some(start), false) => normal(start).min(length - 1),
        (None, true) => 0,
        (None, false) => length - 1,
    };
    let mut taken = Vec::new();
    loop {
        let inside = (0..length).contains(&at);
        let before_stop = match (stop, step > 0) {
            (Some(stop), true) => at < normal(stop),
            (Some(stop), false) => at > normal(stop),
            (None, _) => true,
        };
        if !inside || !before_stop {
            return taken;
        }
        taken.push(at as usize);
        at += step;
    }
}

/// A random index as NumPy's text, and what it takes of an array.
fn random_index(random: &mut Random, array: &ArrayD<i32>) -> (String, ArrayD<i32>) {
    let (mut terms, mut expected, mut axis) = (Vec::new(), array.clone(), 0);
    let named = random.below(array.ndim() + 1);
    let ellipsis = (random.below(4) == 0).then(|| random.below(named + 1));
    for term in 0..named {
        if ellipsis == Some(term) {
            terms.push("...".to_owned());
            axis = expected.ndim() - (named - term);
        }
        if random.below(6) == 0 {
            terms.push("None".to_owned());
            expected = expected.insert_axis(Axis(axis));
            axis += 1;
        }
        let length = expected.len_of(Axis(axis));
        if length > 0 && random.below(3) == 0 {
            let index = random.below(length);
            let text = if random.below(2) == 0 { index as isize } else { index as isize - length as isize };
            terms.push(text.to_string());
            expected = expected.index_axis_move(Axis(axis), index);
        } else {
            let (start, stop) = (random.bound(length), random.bound(length));
            let step = [1, 1, 2, 3, -1, -2, -5][random.below(7)];
            let text = |bound: Option<isize>| bound.map_or(String::new(), |bound| bound.to_string());
            terms.push(match step {
                1 => format!("{}:{}", text(start), text(stop)),
                _ => format!("{}:{}:{step}", text(start), text(stop)),
            });
            expected = expected.select(Axis(axis), &numpy_slice(start, stop, step, length));
            axis += 1;
        }
    }
    if terms.is_empty() {
        terms.push("...".to_owned());
    }
    (terms.join(", "), expected)
}

/// One array, in the four ways in which it can be in an archive: both orders, stored and deflated.
fn archive(array: &ArrayD<i32>) -> Vec<u8> {
    let mut fortran = Array::zeros(IxDyn(array.shape()).f());
    fortran.assign(array);
    let mut w = NpzWriter::stream(Vec::new());
    for (order, array) in [("c", array), ("f", &fortran)] {
        w.add(&format!("{order}-stored"), array).unwrap();
        w.add_with(&format!("{order}-deflated"), array, npzmap::MemberOptions::new().deflate(1)).unwrap();
    }
    w.finish().unwrap()
}

/// Takes a part by every verb.
fn check<S: Source>(npz: &Npz<S>, key: &str, index: &str, expected: &ArrayD<i32>) {
    let whole = npz.array(key).unwrap();
    let part = whole.select_str(index).unwrap_or_else(|error| panic!("{key} {index}: {error}"));
    let about = || format!("{:?} [{index}] of {key}", whole.shape());
    assert_eq!((part.shape(), part.len()), (expected.shape(), expected.len()), "{}", about());

    assert_eq!(part.read::<i32, IxDyn>().unwrap(), *expected, "{}", about());
    assert_eq!(part.get::<i32, IxDyn>().unwrap(), *expected, "{}", about());
    assert_eq!(part.read_any().unwrap(), AnyArray::I32(expected.clone()), "{}", about());
    // Into memory in the order of the axes, and in any.
    let mut room = Array::from_elem(expected.raw_dim(), -1);
    part.read_into(room.view_mut()).unwrap();
    assert_eq!(room, *expected, "{}", about());
    let doubled: Vec<usize> = expected.shape().iter().map(|length| length * 2).collect();
    let mut room = Array::from_elem(IxDyn(&doubled), -1);
    part.read_into(room.slice_each_axis_mut(|_| Slice::new(0, None, 2))).unwrap();
    assert_eq!(room.slice_each_axis(|_| Slice::new(0, None, 2)), *expected, "{}", about());
    // As bytes, in the order that the part names.
    let mut in_order: Vec<i32> = expected.iter().copied().collect();
    if part.order() == Order::Fortran {
        in_order = expected.t().iter().copied().collect();
    }
    let in_order: Vec<u8> = in_order.iter().flat_map(|value| value.to_ne_bytes()).collect();
    assert_eq!(part.bytes().unwrap(), in_order, "{}", about());
    let mut streamed = Vec::new();
    part.reader().unwrap().read_to_end(&mut streamed).unwrap();
    assert_eq!(streamed, in_order, "{}", about());
    // In either order, and from memory that all of it was read into.
    let loaded = whole.load().unwrap().select_str(index).unwrap();
    for part in [&part, &loaded, &part.load().unwrap()] {
        for order in [Order::C, Order::Fortran] {
            let part = part.in_order(order);
            assert_eq!((part.order(), part.shape()), (order, expected.shape()), "{}", about());
            let values: Vec<i32> = match order {
                Order::C => expected.iter().copied().collect(),
                Order::Fortran => expected.t().iter().copied().collect(),
            };
            let values: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
            assert_eq!(part.bytes().unwrap(), values, "{} {order:?}", about());
            let mut streamed = Vec::new();
            part.reader().unwrap().read_to_end(&mut streamed).unwrap();
            assert_eq!(streamed, values, "{} {order:?}", about());
            assert_eq!(part.read::<i32, IxDyn>().unwrap(), *expected, "{} {order:?}", about());
            let mut room = Array::from_elem(expected.raw_dim(), -1);
            part.read_into(room.view_mut()).unwrap();
            assert_eq!(room, *expected, "{} {order:?}", about());
        }
    }
    match part.access::<Unaligned<i32>>().unwrap() {
        Access::Borrow => {
            let view = part.view::<Unaligned<i32>, IxDyn>().unwrap();
            assert_eq!(view.map(|value| value.get()), *expected, "{}", about());
        }
        Access::Copy(reason) => {
            let refused = matches!(reason, Reason::Compressed | Reason::NotInMemory);
            assert!(refused && part.view::<Unaligned<i32>, IxDyn>().is_err(), "{}: {reason}", about());
        }
    }
}

#[test]
fn random_indices_take_what_numpy_takes_from_every_source_by_every_verb() {
    let mut random = Random(20_261_201);
    let (mut checked, mut empty) = (0, 0);
    for _ in 0..60 {
        let shape: Vec<usize> = (0..random.below(5)).map(|_| [0, 1, 2, 3, 5, 8, 13][random.below(7)]).collect();
        let count = shape.iter().product::<usize>() as i32;
        let array = Array::from_shape_vec(IxDyn(&shape), (0..count).collect()).unwrap();
        let bytes = archive(&array);
        let (in_memory, by_position) = (Npz::new(&bytes).unwrap(), Npz::new(Counting::new(bytes.clone())).unwrap());
        for _ in 0..12 {
            let (index, expected) = random_index(&mut random, &array);
            for key in ["c-stored", "f-stored", "c-deflated", "f-deflated"] {
                check(&in_memory, key, &index, &expected);
                check(&by_position, key, &index, &expected);
                checked += 2;
            }
            empty += usize::from(expected.is_empty());
        }
    }
    assert_eq!(checked, 5760);
    assert!((50..600).contains(&empty), "{empty} of 720 took nothing");
}

#[test]
fn ndarrays_slices_mean_what_they_mean_to_ndarray() {
    let array = Array::from_shape_vec((4, 6, 5), (0..120).collect::<Vec<i32>>()).unwrap();
    let bytes = archive(&array.clone().into_dyn());
    let npz = Npz::new(&bytes).unwrap();
    for key in ["c-stored", "f-stored", "c-deflated", "f-deflated"] {
        let whole = npz.array(key).unwrap();
        macro_rules! same {
            ($($slice:tt)*) => {
                let expected = array.slice(s![$($slice)*]).to_owned().into_dyn();
                let found: ArrayD<i32> = whole.select(s![$($slice)*]).unwrap().read().unwrap();
                assert_eq!(found, expected, "{key} {}", stringify!($($slice)*));
            };
        }
        same!(1..3, .., -1);
        same!(..;-1, 2..;3, ..);
        same!(1..4;-2, ..-1;-1, 0..0);
        same!(-1, -2, -3);
        same!(.., ndarray::NewAxis, 5, 1..=3);
        // A bound that does not fit is an error, where ndarray panics.
        for refused in [whole.select(s![5.., .., ..]), whole.select(s![..5, .., ..]), whole.select(s![-5, .., ..])] {
            assert!(matches!(refused.unwrap_err().kind(), ErrorKind::BadSelection { .. }));
        }
    }
}

#[test]
fn selections_compose() {
    let array = Array::from_shape_vec((10, 12), (0..120).collect::<Vec<i32>>()).unwrap();
    let bytes = archive(&array.clone().into_dyn());
    let npz = Npz::new(&bytes).unwrap();
    for key in ["c-stored", "f-stored", "c-deflated", "f-deflated"] {
        let part = npz.array(key).unwrap().rows(2..9).unwrap().select(s![..;-2, 3..]).unwrap();
        let part = part.select_str("1:, ::-3").unwrap();
        let expected = array.slice(s![2..9, ..]).slice_move(s![..;-2, 3..]).slice_move(s![1.., ..;-3]).to_owned();
        assert_eq!(part.read::<i32, ndarray::Ix2>().unwrap(), expected, "{key}");
    }
    // Rows of a field, a field of rows, and one element of a sub-array.
    let npz = Npz::open(fixtures::path("records-stored.npz")).unwrap();
    let whole: Array2<f64> = npz.array("packed-le-c").unwrap().field("score").unwrap().read().unwrap();
    let rows: Array2<f64> =
        npz.array("packed-le-c").unwrap().field("score").unwrap().rows(1..2).unwrap().read().unwrap();
    let field: Array2<f64> =
        npz.array("packed-le-c").unwrap().rows(1..2).unwrap().field("score").unwrap().read().unwrap();
    let expected = whole.slice(s![1..2, ..]).map(|value| value.to_bits());
    assert_eq!(rows.map(|value| value.to_bits()), expected);
    assert_eq!(field.map(|value| value.to_bits()), expected);
}

#[test]
fn a_part_in_memory_is_borrowed_with_its_strides() {
    let array = Array::from_shape_vec((6, 8), (0..48).collect::<Vec<i32>>()).unwrap();
    let bytes = archive(&array.into_dyn());
    let npz = Npz::new(&bytes).unwrap();
    let whole: ArrayView2<'_, Unaligned<i32>> = npz.array("c-stored").unwrap().view().unwrap();
    let part: ArrayView2<'_, Unaligned<i32>> =
        npz.array("c-stored").unwrap().select(s![..;-2, 1..4]).unwrap().view().unwrap();
    assert_eq!((part.strides(), part.as_ptr()), (&[-16, 1][..], &raw const whole[(5, 1)]));
    assert_eq!(part.map(|value| value.get()), ndarray::array![[41, 42, 43], [25, 26, 27], [9, 10, 11]]);
}

#[test]
fn consecutive_bytes_in_memory_are_borrowed_and_others_copied() {
    let array = Array::from_shape_vec((6, 8), (0..48).collect::<Vec<i32>>()).unwrap();
    let bytes = archive(&array.into_dyn());
    let npz = Npz::new(&bytes).unwrap();
    let is_borrowed = |key: &str, index: &str| {
        matches!(npz.array(key).unwrap().select_str(index).unwrap().bytes().unwrap(), Cow::Borrowed(_))
    };
    for (key, index) in [("c-stored", ":"), ("c-stored", "2:5"), ("c-stored", "3, 1:4"), ("f-stored", ":, 2:3")] {
        assert!(is_borrowed(key, index), "{key} {index}");
    }
    for (key, index) in [("c-stored", "::-1"), ("c-stored", ":, 1:4"), ("f-stored", "3"), ("c-deflated", "2:5")] {
        assert!(!is_borrowed(key, index), "{key} {index}");
    }
    let turned = npz.array("f-stored").unwrap().in_order(Order::C);
    assert!(matches!(turned.bytes().unwrap(), Cow::Owned(_)));
}

#[test]
fn an_array_that_is_loaded_is_read_once_and_checked() {
    let array = Array1::from_iter(0..100_000_u32);
    let mut w = NpzWriter::stream(Vec::new());
    w.add_with("deflated", &array, npzmap::MemberOptions::new().deflate(1)).unwrap();
    w.add("stored", &array).unwrap();
    let mut bytes = w.finish().unwrap();
    let npz = Npz::new(Counting::new(bytes.clone())).unwrap();
    for key in ["deflated", "stored"] {
        let loaded = npz.array(key).unwrap().load().unwrap();
        npz.source().taken();
        for start in [0, 50_000, 99_999] {
            let part: Array1<u32> = loaded.rows(start..start + 1).unwrap().read().unwrap();
            assert_eq!(part[0] as usize, start, "{key}");
        }
        assert_eq!(npz.source().taken(), [], "{key}");
    }
    let stored = npz.array("stored").unwrap().data_offset().unwrap() as usize;
    bytes[stored + 399_999] ^= 1;
    let npz = Npz::new(Counting::new(bytes)).unwrap();
    let error = npz.array("stored").unwrap().rows(0..1).unwrap().load().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Checksum { .. }), "{error}");
    assert_eq!(error.member(), Some("stored"));
}

#[test]
fn a_part_by_position_reads_the_bytes_that_hold_it() {
    // 4 MiB in rows of 16 KiB.
    let array = Array2::from_shape_fn((256, 4096), |(row, column)| (row * 4096 + column) as i32);
    let mut w = NpzWriter::stream(Vec::new());
    w.add("x", &array).unwrap();
    let npz = Npz::new(Counting::new(w.finish().unwrap())).unwrap();
    let x = npz.array("x").unwrap();
    let start = x.data_offset().unwrap();
    let cost = |index: &str| {
        npz.source().taken();
        let part: ArrayD<i32> = x.select_str(index).unwrap().read().unwrap();
        (part.len(), npz.source().taken())
    };
    // One run; one run a row; columns nearer to each other than the gap, read together.
    assert_eq!(cost("17"), (4096, vec![(start + 17 * 16384, 16384)]));
    assert_eq!(cost("3:5, 10:20"), (20, vec![(start + 3 * 16384 + 40, 40), (start + 4 * 16384 + 40, 40)]));
    assert_eq!(cost("9, ::1000"), (5, vec![(start + 9 * 16384, 4000 * 4 + 4)]));
    assert_eq!(cost("::-255, -1"), (2, vec![(start + 16380, 4), (start + 255 * 16384 + 16380, 4)]));
}

#[test]
fn a_part_of_a_compressed_array_is_decoded_no_further_than_its_last_element() {
    // Noise, so that its length in the file is that of its content, about.
    let mut random = Random(7);
    let array: Array1<u32> = (0..1 << 20).map(|_| random.below(1 << 31) as u32).collect();
    let mut w = NpzWriter::stream(Vec::new());
    w.add_with("x", &array, npzmap::MemberOptions::new().deflate(1)).unwrap();
    let npz = Npz::new(Counting::new(w.finish().unwrap())).unwrap();
    let x = npz.array("x").unwrap();
    npz.source().taken();
    let part: Array1<u32> = x.rows(1000..2000).unwrap().read().unwrap();
    assert_eq!(part, array.slice(s![1000..2000]));
    let read: u64 = npz.source().taken().iter().map(|(_, length)| *length as u64).sum();
    assert!(read <= 512 << 10, "{read} bytes of 4 MiB were read for the first 8,000");
}

#[test]
fn a_deflated_array_is_inflated_once() {
    let bytes = fixtures::bytes("model-batch.npz");
    let npz = Npz::new(Counting::new(bytes)).unwrap();
    npz.source().taken();
    let features: Array2<f32> = npz.read("features").unwrap();
    assert_eq!(features[(2, 3)], 11.0);
    let reads = npz.source().taken();
    assert_eq!(reads.len(), 1, "{reads:?}");
}

#[test]
fn what_is_no_index_or_does_not_fit_is_refused_by_name() {
    let npy = Npy::open(fixtures::path("plain.npy")).unwrap(); // 3 by 4
    let array = npy.array().unwrap();
    let problem = |index: &str| match array.select_str(index).unwrap_err().kind() {
        ErrorKind::BadSelection { problem } => problem.clone(),
        other => panic!("{index}: {other:?}"),
    };
    assert_eq!(problem("3"), "index 3 is out of bounds for axis 0 with size 3");
    assert_eq!(problem("0, -5"), "index -5 is out of bounds for axis 1 with size 4");
    assert_eq!(problem("0, 0, 0"), "too many indices: the array has 2 dimensions, the index names 3");
    assert_eq!(problem("::0"), "'::0': the step of a slice cannot be zero");
    assert_eq!(problem("..., ..."), "an index can have one '...' only");
    assert_eq!(problem("1:2:3:4"), "'1:2:3:4' is not a slice: it has too many colons");
    assert!(problem("x").starts_with("'x' is not an integer"));
    assert!(problem(&["None"; 70].join(",")).contains("72 dimensions"));
    // Numbers beyond any axis are bounds like others.
    let far = array.select_str("-99999999999999999999999:99999999999999999999999").unwrap();
    assert_eq!(far.shape(), [3, 4]);
    assert!(matches!(array.rows(2..4).err().unwrap().kind(), ErrorKind::RowsOutOfRange { end: 4, rows: 3, .. }));
}

#[test]
fn a_declared_type_holds_for_parts_and_not_for_fields() {
    let npz = Npz::open(fixtures::path("kinds-stored.npz")).unwrap();
    for key in ["f4-le-c", "f4-be-c", "f4-be-f"] {
        let array = npz.array(key).unwrap();
        let bits: Array2<u32> = array.reinterpret::<u32>().unwrap().rows(1..3).unwrap().read().unwrap();
        let floats: Array2<f32> = array.rows(1..3).unwrap().read().unwrap();
        assert_eq!(bits, floats.map(|value| value.to_bits()), "{key}");
        let any = array.reinterpret::<u32>().unwrap().rows(1..3).unwrap().read_any().unwrap();
        assert_eq!(any, AnyArray::U32(bits.into_dyn()), "{key}");
        assert!(matches!(
            array.reinterpret::<u64>().unwrap_err().kind(),
            ErrorKind::DtypeMismatch { element, .. } if element == "u64"
        ));
    }
}

/// Elements as large as a block, more of them than one, of several axes.
#[test]
fn a_large_part_streams_block_by_block() {
    let array = Array::from_shape_fn(IxDyn(&[3, 700, 400]), |at| (at[0] * 280_000 + at[1] * 400 + at[2]) as i32);
    let bytes = archive(&array);
    let npz = Npz::new(Counting::new(bytes)).unwrap();
    for key in ["c-stored", "f-stored", "c-deflated", "f-deflated"] {
        for index in ["1:, ::2", "::-1, 5:, 1:", "2, ::3, ::2", "..., 7"] {
            let part = npz.array(key).unwrap().select_str(index).unwrap();
            let expected: ArrayD<i32> = part.read().unwrap();
            let in_order: Vec<i32> = match part.order() {
                Order::C => expected.iter().copied().collect(),
                Order::Fortran => expected.t().iter().copied().collect(),
            };
            let mut streamed = Vec::new();
            part.reader().unwrap().read_to_end(&mut streamed).unwrap();
            let in_order: Vec<u8> = in_order.iter().flat_map(|value| value.to_ne_bytes()).collect();
            assert!(streamed == in_order, "{key} {index}");
            let mut room = Array::from_elem(expected.raw_dim(), -1);
            part.read_into(room.view_mut().reversed_axes().reversed_axes()).unwrap();
            assert_eq!(room, expected, "{key} {index}");
            let mut turned = Array::from_elem(expected.t().raw_dim(), -1);
            part.read_into(turned.view_mut().reversed_axes()).unwrap();
            assert_eq!(turned.t(), expected, "{key} {index}");
        }
    }
}

/// Bytes and shape need no array of ndarray, which multiplies the lengths of all axes.
#[test]
fn a_sub_array_without_elements_has_a_shape_whatever_its_other_axes_are() {
    let most = i32::MAX;
    let descr = format!("[('a', '<i4'), ('b', '<f4', (0, {most}, {most}, {most}))]");
    let npy = Npy::new(crate::forge::npy(&descr, "(3,)", &[0; 12])).unwrap();
    let field = npy.array().unwrap().field("b").unwrap();
    assert_eq!((field.shape().len(), field.len(), field.reader().unwrap().left()), (5, 0, 0));
    for refused in [field.view::<f32, IxDyn>().map(drop), field.read::<f32, IxDyn>().map(drop)] {
        assert!(matches!(refused.unwrap_err().kind(), ErrorKind::ShapeOverflow { .. }));
    }
    let strided = field.strided::<f32, IxDyn>().map(drop).unwrap_err();
    assert!(matches!(strided.kind(), ErrorKind::ShapeOverflow { .. }), "{strided}");
    assert!(field.access::<f32>().is_err());
}
