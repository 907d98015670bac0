//! Plain `.npy` files.

use std::io::Cursor;

use ndarray::{Array2, Ix1, Ix2, array};
use npzmap::{ErrorKind, Npy, NpyWriter, Npz, Result, save};

use crate::fixtures;
use crate::forge::preamble;

#[test]
fn a_plain_file_is_what_numpy_writes() {
    for (name, turned) in [("plain.npy", false), ("plain-f.npy", true)] {
        let file = fixtures::bytes(name);
        let array = Npy::new(&file[..]).unwrap().read::<f32, Ix2>().unwrap();
        assert_eq!(array.t().is_standard_layout(), turned);
        assert!(NpyWriter::stream(Vec::new()).add(&array).unwrap() == file, "{name}");
        assert!(NpyWriter::new(Cursor::new(Vec::new())).unwrap().add(&array).unwrap().into_inner() == file, "{name}");
        let folder = tempfile::tempdir().unwrap();
        save(folder.path().join("x.npy"), &array).unwrap();
        assert!(std::fs::read(folder.path().join("x.npy")).unwrap() == file, "{name}");
    }
}

#[test]
fn blanks_align_up_to_what_numpy_accepts() {
    for alignment in [1, 2, 64, 128, 4096, 8192] {
        let file = NpyWriter::stream(Vec::new()).align(alignment).unwrap().add(&[1.5_f64, 2.5]).unwrap();
        let npy = Npy::new(&file[..]).unwrap();
        let start = npy.header().unwrap().preamble_size();
        assert_eq!((start as u64 % alignment, npy.read::<f64, Ix1>().unwrap().to_vec()), (0, vec![1.5, 2.5]));
        assert_eq!(file[start - 1], b'\n');
        assert!(start <= 10_010 && start <= 128.max(alignment as usize));
    }
    for alignment in [0, 3, 16_384] {
        let error = NpyWriter::stream(Vec::new()).align(alignment).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadAlignment { .. }));
    }
}

#[test]
fn a_file_that_follows_other_bytes_is_aligned_in_the_whole() {
    for (before, alignment) in [(10, 512), (64, 64), (1, 4096)] {
        let mut sink = Cursor::new(vec![1_u8; before]);
        sink.set_position(before as u64);
        let file = NpyWriter::new(sink).unwrap().align(alignment).unwrap().add(&[1.5_f64]).unwrap().into_inner();
        let npy = Npy::new(&file[before..]).unwrap();
        assert_eq!((before + npy.header().unwrap().preamble_size()) as u64 % alignment, 0);
        assert_eq!(npy.read::<f64, Ix1>().unwrap()[0], 1.5);
    }
}

#[test]
fn a_member_becomes_a_file_with_its_own_header() {
    for name in ["kinds-stored.npz", "kinds-deflated.npz", "versions.npz", "records-stored.npz", "wide-records.npz"] {
        let npz = Npz::open(fixtures::path(name)).unwrap();
        for member in &npz {
            let file = NpyWriter::stream(Vec::new()).align(1).unwrap().copy(&member).unwrap();
            assert!(file == *member.bytes().unwrap(), "{name}: {}", member.key());
            let file = NpyWriter::stream(Vec::new()).align(8192).unwrap().copy(&member).unwrap();
            let npy = Npy::new(&file[..]).unwrap();
            assert_eq!(npy.header().unwrap().preamble_size() % 8192, 0);
            assert_eq!(npy.header().unwrap().dtype(), member.header().unwrap().dtype());
            assert!(file.ends_with(&member.bytes().unwrap()[member.header().unwrap().preamble_size()..]));
        }
    }
}

/// A member whose preamble has a text of so many bytes.
fn with_text(version: (u8, u8), length: usize) -> Npz<Vec<u8>> {
    let text = format!("{:<1$}\n", "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", length - 1);
    super::written(|w| w.add_bytes("x.npy", &[&preamble(version, text)[..], &[7, 8]].concat()))
}

/// The length of the text, once the array of [`with_text`] follows so many bytes of another file.
fn copied(npz: &Npz<Vec<u8>>, before: u64, alignment: u64) -> Result<usize> {
    let mut sink = Cursor::new(vec![0; before as usize]);
    sink.set_position(before);
    let file = NpyWriter::new(sink)?.align(alignment)?.copy(&npz.member("x")?)?.into_inner();
    let npy = Npy::new(&file[before as usize..])?;
    let size = npy.header()?.preamble_size();
    assert_eq!((npy.read::<u8, Ix1>()?.to_vec(), (before as usize + size) as u64 % alignment), (vec![7, 8], 0));
    assert_eq!(file[before as usize + size - 1], b'\n');
    Ok(size - if npy.header()?.version().0 == 1 { 10 } else { 12 })
}

#[test]
fn a_text_that_numpy_reads_becomes_no_longer_than_that() {
    const NUMPY: usize = 10_000;
    for (text, alignment, longer) in [(9_000, 1024, 9_206), (9_975, 1, 9_975), (9_975, 2, 9_976), (NUMPY, 2, NUMPY)] {
        assert_eq!(copied(&with_text((1, 0), text), 0, alignment).unwrap(), longer);
    }
    assert_eq!(copied(&with_text((2, 0), 9_000), 0, 1024).unwrap(), 9_204);
    // Exactly as long as NumPy reads: 10,000 + 10 + 38 is a multiple of 64.
    assert_eq!(copied(&with_text((1, 0), 9_975), 38, 64).unwrap(), NUMPY);
    for (text, alignment, most) in [(9_000, 8192, 1024), (9_975, 64, 16), (NUMPY, 64, 2), (9_999, 4, 2), (9_999, 16, 2)]
    {
        let error = copied(&with_text((1, 0), text), 0, alignment).unwrap_err();
        let told = format!("x: alignment {alignment}: expected a power of two, at most {most}");
        assert_eq!(error.to_string().lines().next(), Some(&told[..]));
    }
    // NumPy counts characters, of which 9,000 have two bytes here.
    let wide = |blanks: usize| {
        let text = format!("{{'descr': [('{}', '|u1')], 'fortran_order': False, 'shape': (2,), }}", "Ж".repeat(9_000));
        let text = format!("{text}{}\n", " ".repeat(blanks));
        super::written(|w| w.add_bytes("x.npy", &[&preamble((3, 0), text)[..], &[7, 8]].concat()))
    };
    let aligned = |npz: &Npz<Vec<u8>>, alignment| {
        let file = NpyWriter::stream(Vec::new()).align(alignment)?.copy(&npz.member("x")?)?;
        Npy::new(file)?.header().map(|header| header.preamble_size())
    };
    let start = wide(0).member("x").unwrap().header().unwrap().preamble_size();
    // 10,000 characters, the longest that are read.
    let most = start + 10_000 - (start - 12 - 9_000);
    assert_eq!(aligned(&wide(0), 512).unwrap(), start.next_multiple_of(512));
    assert_eq!(aligned(&wide(most - start), 1).unwrap(), most);
    let error = aligned(&wide(most - start), 4096).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BadAlignment { alignment: 4096, .. }), "{error}");
    assert_eq!(aligned(&wide(most - start + 1), 4096).unwrap() % 4096, 0);
    // What NumPy does not read by default may become longer.
    assert_eq!(copied(&with_text((1, 0), NUMPY + 1), 0, 8192).unwrap(), 16_374);
    assert_eq!(copied(&with_text((2, 0), NUMPY + 1), 0, 8192).unwrap(), 16_372);
}

#[test]
fn a_text_becomes_no_longer_than_its_version_can_say() {
    assert_eq!(copied(&with_text((1, 0), 65_500), 0, 4096).unwrap(), 65_526);
    assert_eq!(copied(&with_text((1, 0), 65_500), 55, 64).unwrap(), 65_535);
    for (text, before, alignment, most) in [(65_530, 0, 8192, 8), (65_535, 0, 64, 1), (65_500, 54, 64, 32)] {
        let error = copied(&with_text((1, 0), text), before, alignment).unwrap_err();
        let ErrorKind::BadAlignment { alignment: told, most: possible } = *error.kind() else { panic!("{error}") };
        assert_eq!((told, possible), (alignment, most), "{text} after {before}");
    }
    assert_eq!(copied(&with_text((2, 0), 65_530), 0, 8192).unwrap(), 73_716);
}

#[test]
fn what_is_no_array_or_damaged_is_not_copied() {
    let npz = super::written(|w| w.add_bytes("notes", b"no array at all"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let error = NpyWriter::create(&path).unwrap().copy(&npz.member("notes").unwrap()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotAnArray));
    let mut bytes = fixtures::bytes("model-batch-stored.npz");
    bytes[430] ^= 1;
    let npz = Npz::new(bytes).unwrap();
    let error = NpyWriter::create(&path).unwrap().copy(&npz.member("labels").unwrap()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Checksum { .. }));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn rows_give_the_file_that_the_whole_array_gives() {
    let table = Array2::from_shape_fn((1000, 5), |(i, j)| (i * 10 + j) as i32);
    for alignment in [64, 4096] {
        let whole = NpyWriter::stream(Vec::new()).align(alignment).unwrap().add(&table).unwrap();
        let w = NpyWriter::new(Cursor::new(Vec::new())).unwrap().align(alignment).unwrap();
        let mut rows = w.rows::<i32>(&[5]).unwrap();
        rows.push(table.row(0).as_slice().unwrap()).unwrap();
        rows.extend(&table.slice(ndarray::s![1.., ..])).unwrap();
        assert!(rows.finish().unwrap().into_inner() == whole);
        let w = NpyWriter::stream(Vec::new()).align(alignment).unwrap();
        let mut rows = w.rows_with::<i32>(&[5], Some(1000)).unwrap();
        rows.extend(&table).unwrap();
        assert!(rows.finish().unwrap() == whole);
    }
    assert!(matches!(NpyWriter::stream(Vec::new()).rows::<i32>(&[5]).unwrap_err().kind(), ErrorKind::NotSeekable));
}

#[test]
fn rows_that_are_dropped_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = NpyWriter::create(folder.path().join("x.npy")).unwrap().rows::<f64>(&[]).unwrap();
    rows.push(&[1.0]).unwrap();
    drop(rows);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn strings_are_written_and_numbers_are_not_strings() {
    let file = NpyWriter::stream(Vec::new()).add_strings(&array!["ä", "bc"]).unwrap();
    assert_eq!(Npy::new(file).unwrap().array().unwrap().strings().unwrap().into_raw_vec_and_offset().0, ["ä", "bc"]);
    let error = NpyWriter::stream(Vec::new()).add_strings(&[1.0]).unwrap_err();
    assert_eq!(error.to_string(), "the dtype is <f8, not text");
}
