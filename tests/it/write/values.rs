//! What can be saved: orders and strides as NumPy decides them, text, dates, tensors of a user's own.

use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array, Array2, ArrayD, Axis, IxDyn, ShapeBuilder, arr0, array, s};
use npzmap::{
    AnyArray, Element, ErrorKind, FixedStr, Header, MemberOptions, Npz, NpzWriter, Order, Result, Save, Unaligned,
};

use super::{both, elements, written};

fn header(array: &dyn Save) -> (String, Vec<usize>, Order) {
    let header = array.header().unwrap();
    (header.dtype().to_string(), header.shape().to_vec(), header.order())
}

fn order(array: &dyn Save) -> Order {
    header(array).2
}

#[test]
fn fortran_order_is_what_lies_so_and_is_not_c_order() {
    let a = Array2::<f32>::zeros((3, 4));
    assert_eq!(order(&a), Order::C);
    assert_eq!(order(&a.t()), Order::Fortran);
    assert_eq!(order(&Array::<f32, _>::zeros((3, 4).f())), Order::Fortran);
    // Both at once is C: one axis, one row, one column, nothing.
    for shape in [vec![], vec![5], vec![1, 5], vec![5, 1], vec![0, 3], vec![2, 0, 3], vec![1, 1, 1]] {
        assert_eq!(order(&ArrayD::<f32>::zeros(IxDyn(&shape).f())), Order::C, "{shape:?}");
    }
    assert_eq!(order(&Array::<f32, _>::zeros((2, 1, 3).f())), Order::Fortran);
    // Neither is C, and is gathered.
    assert_eq!(order(&a.slice(s![.., ..;2])), Order::C);
    assert_eq!(order(&a.slice(s![..;-1, ..])), Order::C);
    assert_eq!(order(&a.broadcast((2, 3, 4)).unwrap()), Order::C);
    assert_eq!(order(&a.slice(s![.., 0])), Order::C);
}

#[test]
fn any_strides_are_written_in_c_order_without_a_copy_of_the_whole() {
    /// What is held where rows are as they lie, and where they become columns.
    const ROWS: usize = 64 << 10;
    const COLUMNS: usize = 4 << 20;

    let big = Array::from_shape_fn((70, 300, 110), |(i, j, k)| (i * 100_000 + j * 300 + k) as u32);
    let line = Array::from_shape_fn(5, |i| i as u32);
    let views = [
        (big.slice(s![.., ..;-1, ..]).into_dyn(), ROWS),
        (big.slice(s![1..;2, 3.., ..;3]).into_dyn(), ROWS),
        (big.slice(s![..;-1, ..;-1, ..;-1]).into_dyn(), ROWS),
        (big.slice(s![.., 0, ..]).into_dyn(), ROWS),
        (big.view().permuted_axes([1, 0, 2]).into_dyn(), ROWS),
        (big.view().permuted_axes([2, 0, 1]).into_dyn(), COLUMNS),
        (big.view().permuted_axes([0, 2, 1]).into_dyn(), COLUMNS),
        (big.slice(s![1.., .., ..;-2]).permuted_axes([2, 0, 1]).into_dyn(), COLUMNS),
        (big.slice(s![1.., 1.., 1..]).reversed_axes().into_dyn(), COLUMNS),
        (big.slice(s![0, 1.., ..]).reversed_axes().into_dyn(), COLUMNS),
        (big.index_axis(Axis(2), 3).insert_axis(Axis(0)).into_dyn(), ROWS),
        (big.index_axis(Axis(2), 3).reversed_axes().insert_axis(Axis(1)).into_dyn(), COLUMNS),
        (line.broadcast((10_000, 3, 5)).unwrap().into_dyn(), ROWS),
        (line.broadcast((10_000, 3, 5)).unwrap().permuted_axes([2, 0, 1]).into_dyn(), COLUMNS),
    ];
    for (i, (view, most)) in views.iter().enumerate() {
        for npz in both(|w| w.add("x", view), |w| w.add("x", view)) {
            assert_eq!(npz.read::<u32, IxDyn>("x").unwrap(), view, "view {i}");
            npz.verify().unwrap();
        }
        let mut blocks = Vec::new();
        view.blocks(&mut |block| {
            blocks.push(block.len());
            Ok(())
        })
        .unwrap();
        assert!(blocks.iter().all(|block| block <= most), "view {i}: {blocks:?}");
        assert_eq!(blocks.iter().sum::<usize>(), view.len() * 4);
    }
}

#[test]
fn elements_of_no_bytes_are_handed_over_as_none() {
    let nothing = Array::from_elem((3, 5), <FixedStr<0> as bytemuck::Zeroable>::zeroed());
    for view in [nothing.view().into_dyn(), nothing.slice(s![..;-1, ..;2]).into_dyn()] {
        let mut bytes = 0;
        view.blocks(&mut |block| {
            bytes += block.len();
            Ok(())
        })
        .unwrap();
        assert_eq!(bytes, 0, "of {} elements", view.len());
    }
}

#[test]
fn whatever_is_an_array_or_refers_to_one_is_taken() {
    let a = array![[1_i16, 2], [3, 4]];
    let cow = ndarray::CowArray::from(&a);
    let shared = a.to_shared();
    let (vector, slice) = (vec![1_i16, 2], &[1_i16, 2][..]);
    let boxed: Box<dyn Save> = Box::new(a.clone());
    let npz = written(|w| {
        w.add("owned", &a)?;
        w.add("view", &a.view())?;
        w.add("cow", &cow)?;
        w.add("shared", &shared)?;
        w.add("vec", &vector)?;
        w.add("slice", slice)?;
        w.add("slice by reference", &slice)?;
        w.add("fixed", &[1_i16, 2])?;
        w.add("dyn", &*boxed)?;
        w.add("value", &7_i16)?;
        w.add("no dimensions", &arr0(7_i16))?;
        w.add("unaligned", &[Unaligned::new(7_i16)])
    });
    for key in ["owned", "view", "cow", "shared", "dyn"] {
        assert_eq!(npz.read::<i16, IxDyn>(key).unwrap(), a.clone().into_dyn());
    }
    for key in ["vec", "slice", "slice by reference", "fixed"] {
        assert_eq!(npz.read::<i16, IxDyn>(key).unwrap(), array![1_i16, 2].into_dyn());
    }
    for key in ["value", "no dimensions"] {
        assert_eq!(npz.read::<i16, IxDyn>(key).unwrap(), arr0(7_i16).into_dyn());
    }
    assert_eq!(npz.read::<i16, IxDyn>("unaligned").unwrap(), array![7_i16].into_dyn());
}

#[test]
fn strings_get_the_width_of_the_longest_in_characters_and_byte_strings_in_bytes() {
    let dtype = |array: &dyn Save| header(array).0;
    assert_eq!(dtype(&["train-001", "x"]), "<U9");
    assert_eq!(dtype(&array![["ä", "日本"], ["", "\u{1f600}"]]), "<U2");
    assert_eq!(dtype(&vec![String::from("abc")]), "<U3");
    assert_eq!(dtype(&["", ""]), "<U1"); // as NumPy
    assert_eq!(dtype(&Vec::<&str>::new()), "<U1");
    assert_eq!(dtype(&[b"ab".to_vec(), b"c".to_vec()]), "|S2");
    assert_eq!(dtype(&[&b"abc"[..], &b""[..]]), "|S3");
    let npz = written(|w| {
        w.add_strings("ids", &array![["ä", "日本"], ["", "a\0b"]])?;
        w.add_strings("bytes", &[b"ab".to_vec(), b"\0c".to_vec(), vec![]])
    });
    assert_eq!(
        npz.array("ids").unwrap().strings().unwrap(),
        array![["ä", "日本"], ["", "a\0b"]].into_dyn().mapv(String::from)
    );
    let AnyArray::Bytes(bytes) = npz.read_any("bytes").unwrap() else { panic!() };
    assert_eq!(bytes.into_raw_vec_and_offset().0, [b"ab".to_vec(), b"\0c".to_vec(), vec![]]);
}

#[test]
fn a_string_that_would_not_come_back_is_refused() {
    let mut w = NpzWriter::stream(Vec::new());
    let error = w.add_strings("ids", &["fine", "cut\0"]).unwrap_err();
    assert_eq!(error.to_string(), "ids: string 1: a NUL at its end, which NumPy would take for filling");
    assert!(matches!(w.add_strings("ids", &[1.0]).unwrap_err().kind(), ErrorKind::DtypeMismatch { .. }));
    assert!(w.is_empty());
}

#[test]
fn what_was_read_as_any_is_written_as_it_was() {
    for name in ["kinds-stored.npz", "datetimes-stored.npz", "records-stored.npz", "shapes.npz", "longdouble.npz"] {
        let npz = Npz::open(crate::fixtures::path(name)).unwrap();
        let mut count = 0;
        let again = written(|w| {
            for member in &npz {
                let any = match member.array().and_then(|array| array.read_any()) {
                    Ok(any) => any,
                    Err(error) if matches!(error.kind(), ErrorKind::ZeroSizedItems { .. }) => continue,
                    Err(error) => return Err(error),
                };
                w.add(&member.key(), &any)?;
                count += 1;
            }
            Ok(())
        });
        assert_eq!(again.len(), count);
        for member in &again {
            let before = npz.member(&member.key()).unwrap();
            let (old, new) = (before.header().unwrap(), member.header().unwrap());
            assert_eq!(old.shape(), new.shape(), "{name}: {}", member.key());
            // Not by `==`: there are NaNs.
            let [old, new] =
                [before.array().and_then(|array| array.read_any()), member.array().and_then(|array| array.read_any())]
                    .map(|any| elements(&any.unwrap()));
            assert_eq!(old, new, "{name}");
        }
    }
}

#[test]
fn items_of_no_bytes_are_refused_as_they_are_on_reading() {
    let error =
        NpzWriter::stream(Vec::new()).add("x", &[<FixedStr<0> as bytemuck::Zeroable>::zeroed(); 3]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ZeroSizedItems { count: 3 }));
}

#[test]
fn more_dimensions_than_numpy_has_are_refused() {
    let a = ArrayD::<u8>::zeros(IxDyn(&[1; 65]));
    assert!(matches!(NpzWriter::stream(Vec::new()).add("x", &a).unwrap_err().kind(), ErrorKind::BadShape { .. }));
    let a = ArrayD::<u8>::zeros(IxDyn(&[1; 64]));
    let npz = written(|w| w.add("x", &a));
    assert_eq!(npz.read::<u8, IxDyn>("x").unwrap(), a);
}

/// A tensor that does not give what its header says.
struct Liar(usize);

impl Save for Liar {
    fn header(&self) -> Result<Header> {
        Header::new("<f8".parse()?, &[2], Order::C)
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        put(&vec![0; self.0])
    }
}

#[test]
fn a_tensor_of_another_length_than_its_header_says_is_an_error_and_not_a_bad_archive() {
    for length in [0, 15, 17] {
        let mut w = NpzWriter::stream(Vec::new());
        let error = w.add("x", &Liar(length)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::PayloadLength { found, expected: 16 } if *found == length as u64));
        assert!(matches!(w.finish().unwrap_err().kind(), ErrorKind::Unfinished));
    }
    assert_eq!(written(|w| w.add("x", &Liar(16))).read::<f64, IxDyn>("x").unwrap().sum(), 0.0);
}

/// Says one thing in its header and another in its preamble.
struct TwoFaced;

impl Save for TwoFaced {
    fn header(&self) -> Result<Header> {
        Header::new("<f8".parse()?, &[2], Order::C)
    }

    fn preamble(&self, _: &Header) -> Vec<u8> {
        Header::new("<i8".parse().unwrap(), &[2], Order::C).unwrap().to_bytes()
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        put(&[0; 16])
    }
}

#[test]
fn a_preamble_that_means_another_header_is_refused() {
    let mut w = NpzWriter::stream(Vec::new());
    assert!(matches!(w.add("x", &TwoFaced).unwrap_err().kind(), ErrorKind::BadHeader { .. }));
    assert_eq!(Npz::new(w.finish().unwrap()).unwrap().len(), 0);
}

#[cfg(feature = "half")]
#[test]
fn bfloat16_is_written_as_ml_dtypes_writes_it() {
    use npzmap::half::bf16;

    let npz = written(|w| w.add("w", &array![[bf16::ONE, bf16::NEG_ONE]]));
    let content = npz.member("w").unwrap().bytes().unwrap();
    assert!(content[10..].starts_with(b"{'descr': '<V2', 'fortran_order': False, 'shape': (1, 2), }"));
    assert_eq!(
        npz.array("w").unwrap().reinterpret::<bf16>().unwrap().read::<bf16, ndarray::Ix2>().unwrap(),
        array![[bf16::ONE, bf16::NEG_ONE]]
    );
}

/// Says something else each time it is asked for its bytes.
struct Fickle {
    texts: [[u8; 4]; 2],
    asked: AtomicUsize,
    gathered: bool,
}

impl Save for Fickle {
    fn header(&self) -> Result<Header> {
        Header::new(u8::dtype(), &[4], Order::C)
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        let count = self.asked.fetch_add(1, Ordering::Relaxed);
        // Or changes its mind about having them in one piece.
        if self.gathered && count % 2 == 1 { None } else { Some(&self.texts[count % 2]) }
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        put(&self.texts[self.asked.fetch_add(1, Ordering::Relaxed) % 2])
    }
}

#[test]
fn the_checksum_is_that_of_the_bytes_that_were_written_though_they_change_between_calls() {
    let codings = [MemberOptions::new(), MemberOptions::new().deflate(6), MemberOptions::new().deflate_if_smaller(6)];
    for (options, gathered, asked) in codings.iter().flat_map(|options| {
        [false, true].into_iter().flat_map(move |gathered| (0..4).map(move |asked| (*options, gathered, asked)))
    }) {
        let fickle = || Fickle { texts: [*b"aaaa", *b"bbbb"], asked: AtomicUsize::new(asked), gathered };
        let mut seekable = NpzWriter::new(Cursor::new(Vec::new())).unwrap();
        let mut streamed = NpzWriter::stream(Vec::new());
        seekable.add_with("x", &fickle(), options).unwrap();
        seekable.add_many([("y", &fickle() as &dyn Save)], options).unwrap();
        streamed.add_with("x", &fickle(), options).unwrap();
        for bytes in [seekable.finish().unwrap().into_inner(), streamed.finish().unwrap()] {
            Npz::new(bytes).unwrap().verify().unwrap();
        }
    }
}
