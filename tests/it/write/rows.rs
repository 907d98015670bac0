//! Arrays that grow.

use ndarray::{Array2, Array3, Axis, Ix1, Ix2, Ix3, array, s};
use npzmap::{ErrorKind, MemberOptions, Method, Npz, NpzWriter, Unaligned};

use super::{both, written};

fn table() -> Array2<f64> {
    Array2::from_shape_fn((1000, 37), |(i, j)| (i * 100 + j) as f64)
}

#[test]
fn rows_one_by_one_and_in_blocks_are_what_the_whole_array_would_be() {
    let table = table();
    let whole = written(|w| w.add("t", &table));
    for options in [MemberOptions::new(), MemberOptions::new().deflate(6)] {
        let npz = written(|w| {
            let mut rows = w.rows_with::<f64>("t", &[37], None, options)?;
            for row in table.slice(s![..10, ..]).rows() {
                rows.push(row.as_slice().unwrap())?;
            }
            rows.extend(&table.slice(s![10..500, ..]))?;
            rows.extend(&Array2::zeros((0, 37)))?;
            // In Fortran order, and with strides.
            let turned = table.slice(s![500..700, ..]).t().to_owned();
            rows.extend(&turned.t())?;
            let spread = ndarray::concatenate![Axis(0), table.slice(s![700.., ..]), table.slice(s![700.., ..])];
            rows.extend(&spread.slice(s![..300, ..]))?;
            rows.finish()?;
            w.add("after", &[1.5])
        });
        assert_eq!(npz.read::<f64, Ix2>("t").unwrap(), table);
        assert_eq!(npz.read::<f64, Ix1>("after").unwrap()[0], 1.5);
        npz.verify().unwrap();
        let member = npz.member("t").unwrap();
        assert_eq!(member.bytes().unwrap(), whole.member("t").unwrap().bytes().unwrap());
        if member.method() == Method::Stored {
            assert_eq!(member.payload_offset().unwrap().unwrap() % 64, 0);
        }
        assert_eq!(npz.view::<Unaligned<f64>, Ix1>("after").unwrap()[0], 1.5);
    }
}

#[test]
fn a_number_that_is_given_lets_a_stream_take_them() {
    let table = table();
    for options in [MemberOptions::new(), MemberOptions::new().deflate(1)] {
        let [seekable, streamed] = both(
            |w| {
                let mut rows = w.rows_with::<f64>("t", &[37], Some(1000), options)?;
                rows.extend(&table)?;
                rows.finish()
            },
            |w| {
                let mut rows = w.rows_with::<f64>("t", &[37], Some(1000), options)?;
                rows.extend(&table)?;
                rows.finish()
            },
        );
        for npz in [seekable, streamed] {
            assert_eq!(npz.read::<f64, Ix2>("t").unwrap(), table);
            npz.verify().unwrap();
        }
    }
}

#[test]
fn a_stream_that_is_not_told_the_number_is_refused_and_goes_on() {
    let mut w = NpzWriter::stream(Vec::new());
    let error = w.rows::<f64>("t", &[37]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSeekable));
    assert!(error.to_string().starts_with("t: the sink cannot seek, so that the number of rows must be given"));
    w.add("x", &[1.0]).unwrap();
    assert_eq!(Npz::new(w.finish().unwrap()).unwrap().len(), 1);
}

#[test]
fn no_rows_at_all_and_rows_of_one_element_and_of_none() {
    let npz = written(|w| {
        w.rows::<f32>("none", &[3])?.finish()?;
        let mut rows = w.rows::<u8>("flat", &[])?;
        (0..5).try_for_each(|i| rows.push(&[i]))?;
        rows.extend(&array![7, 8])?;
        rows.finish()?;
        let mut rows = w.rows::<u16>("empty", &[0, 3])?;
        rows.push(&[])?;
        rows.push(&[])?;
        rows.finish()
    });
    assert_eq!(npz.read::<f32, Ix2>("none").unwrap().dim(), (0, 3));
    assert_eq!(npz.read::<u8, Ix1>("flat").unwrap().to_vec(), [0, 1, 2, 3, 4, 7, 8]);
    assert_eq!(npz.read::<u16, Ix3>("empty").unwrap().dim(), (2, 0, 3));
}

#[test]
fn another_shape_or_number_is_refused_and_the_rows_stay_as_they_were() {
    let npz = written(|w| {
        let mut rows = w.rows_with::<u8>("r", &[2, 2], Some(3), MemberOptions::new())?;
        rows.push(&[1, 2, 3, 4])?;
        assert!(matches!(rows.push(&[1, 2, 3]).unwrap_err().kind(), ErrorKind::ShapeMismatch { .. }));
        let error = rows.extend(&Array3::<u8>::zeros((1, 2, 3))).unwrap_err();
        assert_eq!(error.to_string(), "r: the array's shape is [1, 2, 3], the destination's [1, 2, 2]");
        let error = rows.extend(&Array3::<u8>::zeros((3, 2, 2))).unwrap_err();
        assert_eq!(error.to_string(), "r: 4 rows, 3 were announced");
        rows.extend(&Array3::<u8>::ones((2, 2, 2)))?;
        rows.finish()
    });
    assert_eq!(npz.read::<u8, Ix3>("r").unwrap().sum(), 1 + 2 + 3 + 4 + 8);
}

#[test]
fn rows_that_are_dropped_or_too_few_are_taken_back_where_the_sink_can_seek() {
    for rows in [0, 1, 400] {
        let npz = written(|w| {
            w.add("before", &[1.5])?;
            let mut short = w.rows_with::<u8>("r", &[1000], Some(1000), MemberOptions::new())?;
            (0..rows).try_for_each(|_| short.push(&[7; 1000]))?;
            if rows == 1 {
                drop(short);
            } else {
                let error = short.finish().unwrap_err();
                assert_eq!(error.to_string(), format!("r: {rows} rows, 1000 were announced"));
            }
            w.add("r", &[2.5])
        });
        assert_eq!(super::keys(&npz), ["before", "r"]);
        assert_eq!(npz.read::<f64, Ix1>("r").unwrap()[0], 2.5);
        npz.verify().unwrap();
    }
    // What was written already lies between the members and the directory, as zeros.
    let npz = written(|w| {
        let mut rows = w.rows::<u8>("r", &[1 << 20])?;
        rows.push(&vec![7; 1 << 20])?;
        drop(rows);
        w.add("x", &[1.5])
    });
    assert_eq!((npz.len(), npz.source().len() > 1 << 20), (1, true));
    assert!(npz.source()[1000..1 << 20].iter().all(|byte| [0, 7].contains(byte)));
    npz.verify().unwrap();
}

#[test]
fn rows_that_are_dropped_or_too_few_leave_a_stream_that_refuses() {
    let mut w = NpzWriter::stream(Vec::new());
    drop(w.rows_with::<u8>("r", &[2], Some(1), MemberOptions::new()).unwrap());
    assert!(matches!(w.add("x", &[1]).unwrap_err().kind(), ErrorKind::Unfinished));
    assert!(matches!(w.finish().unwrap_err().kind(), ErrorKind::Unfinished));

    let mut w = NpzWriter::stream(Vec::new());
    let error = w.rows_with::<u8>("r", &[2], Some(1), MemberOptions::new()).unwrap().finish().unwrap_err();
    assert_eq!(error.to_string(), "r: 0 rows, 1 were announced");
    assert!(w.finish().is_err());
}

/// Its values are eight bytes, its dtype says four.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(transparent)]
struct Odd(u64);

impl npzmap::Element for Odd {
    fn dtype() -> npzmap::Dtype {
        u32::dtype()
    }
}

#[test]
fn an_element_of_another_size_than_its_dtype_is_refused() {
    let mut w = NpzWriter::stream(Vec::new());
    assert!(matches!(w.rows::<Odd>("r", &[2]).unwrap_err().kind(), ErrorKind::DtypeMismatch { .. }));
    assert!(matches!(w.add("a", &[Odd(1)]).unwrap_err().kind(), ErrorKind::DtypeMismatch { .. }));
    assert_eq!(Npz::new(w.finish().unwrap()).unwrap().len(), 0);
}

#[test]
fn a_shape_that_no_machine_can_address_is_refused() {
    let mut w = NpzWriter::stream(Vec::new());
    for (inner, count) in [(&[usize::MAX, 2][..], None), (&[2], Some(usize::MAX))] {
        let error = w.rows_with::<f64>("r", inner, count, MemberOptions::new()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ShapeOverflow { .. }));
    }
    assert!(w.finish().is_ok());
}
