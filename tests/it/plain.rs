//! Plain `.npy` files, by the verbs of an archive's members.

use std::borrow::Cow;
use std::fs;
use std::sync::Arc;

use bytemuck::Pod;
use ndarray::{ArrayD, Ix1, Ix2, IxDyn, ShapeBuilder};
use npzmap::{
    Access, AnyArray, Element, ErrorKind, Fault, FixedBytes, Header, Limits, Mapping, Npy, OpenOptions, Order, Reason,
    Result, Source, Unaligned,
};
use serde_json::Value;

use crate::elements::{Json, assert_values, kind, lengths, text};
use crate::fixtures::{self, EXPECTED};
use crate::forge;

#[expect(unsafe_code, reason = "mapping a file is a promise about it")]
fn map(path: impl AsRef<std::path::Path>) -> Result<Npy<Mapping>> {
    // SAFETY: nobody writes to the fixtures of this repository, nor to a test's own files, while they are mapped.
    unsafe { Npy::map(path) }
}

fn check_all<S: Source>(open: impl Fn(&str) -> Npy<S>) {
    let mut seen = 0;
    for (file, entry) in EXPECTED["npy"].as_object().unwrap() {
        let npy = open(file);
        let header = npy.header().unwrap();
        assert_eq!((header.dtype().to_string().as_str(), header.shape()), (text(entry, "descr"), &lengths(entry)[..]));
        assert_eq!(header.order() == Order::Fortran, entry["fortran_order"] == true, "{file}");
        match text(entry, "descr") {
            "<f4" => check::<f32, S>(&npy, entry, file),
            ">f8" => check::<f64, S>(&npy, entry, file),
            "<i4" => check::<i32, S>(&npy, entry, file),
            descr => panic!("{file}: {descr}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 4);
}

fn check<T: Element + Pod + Json, S: Source>(npy: &Npy<S>, entry: &Value, file: &str) {
    let values = &entry["values"];
    let shape = lengths(entry);
    let read = npy.read::<T, IxDyn>().unwrap();
    assert_eq!(read.shape(), shape, "{file}");
    assert_values(&read.view(), values, file);
    assert_values(&npy.array().unwrap().reinterpret::<T>().unwrap().read::<T, IxDyn>().unwrap().view(), values, file);
    let got = npy.get::<Unaligned<T>, IxDyn>().unwrap();
    assert_values(&got.view(), values, file);

    for mut destination in
        [ArrayD::<T>::from_elem(shape.clone(), T::zeroed()), ArrayD::from_elem(IxDyn(&shape).f(), T::zeroed())]
    {
        npy.array().unwrap().read_into(destination.view_mut()).unwrap();
        assert_values(&destination.view(), values, file);
    }
    let refused =
        kind(npy.array().and_then(|array| array.read_into(ArrayD::<T>::from_elem(vec![1], T::zeroed()).view_mut())));
    assert!(matches!(refused, ErrorKind::ShapeMismatch { .. }), "{file}: {refused}");

    let rows = npy.array().unwrap().rows(1..2).unwrap().read::<T, IxDyn>().unwrap();
    let of_row = values.as_array().unwrap().chunks(shape[1]).nth(1).unwrap();
    assert_values(&rows.view(), &of_row.into(), file);
    match npy.read_any().unwrap() {
        AnyArray::F32(array) => assert_values(&array.view(), values, file),
        AnyArray::F64(array) => assert_values(&array.view(), values, file),
        AnyArray::I32(array) => assert_values(&array.view(), values, file),
        other => panic!("{file}: {other:?}"),
    }
    for refused in [
        kind(npy.read::<u16, IxDyn>()),
        kind(npy.array().and_then(|array| array.strings())),
        kind(npy.array().and_then(|array| array.reinterpret::<u16>()?.read::<u16, IxDyn>())),
    ] {
        assert!(matches!(refused, ErrorKind::DtypeMismatch { .. }), "{file}: {refused}");
    }
    let refused = kind(npy.array().and_then(|array| array.field("x")?.read::<T, IxDyn>()));
    assert!(matches!(refused, ErrorKind::NoSuchField { .. }), "{file}: {refused}");
    let refused = kind(npy.read::<T, Ix1>());
    assert!(matches!(refused, ErrorKind::DimensionMismatch { found: 2, expected: 1 }), "{file}: {refused}");

    let native = text(entry, "descr").parse::<npzmap::Dtype>().unwrap().is_native();
    let plan = match npy.source().as_slice() {
        None => Access::Copy(Reason::NotInMemory),
        _ if !native => Access::Copy(Reason::ByteOrder),
        _ => Access::Borrow,
    };
    assert_eq!(
        (npy.array().unwrap().access::<Unaligned<T>>().unwrap(), got.is_view()),
        (plan, plan == Access::Borrow),
        "{file}"
    );
    match (plan, npy.view::<Unaligned<T>, IxDyn>()) {
        (Access::Borrow, view) => {
            let view = view.unwrap();
            assert_values(&view, values, file);
            let start = npy.source().as_slice().unwrap().as_ptr().addr();
            assert_eq!(view.as_ptr().addr() - start, npy.header().unwrap().preamble_size(), "{file}");
        }
        (Access::Copy(expected), view) => {
            let refused = kind(view);
            assert!(matches!(refused, ErrorKind::CannotBorrow { reason, .. } if reason == expected), "{refused}");
        }
    }
}

#[test]
fn plain_files_by_position_are_what_numpy_reads() {
    check_all(|file| Npy::open(fixtures::path(file)).unwrap());
    check_all(|file| Npy::open_file(fs::File::open(fixtures::path(file)).unwrap()).unwrap());
}

#[test]
fn plain_files_in_memory_are_what_numpy_reads() {
    check_all(|file| Npy::new(fixtures::bytes(file)).unwrap());
}

#[test]
fn plain_files_in_a_map_are_what_numpy_reads() {
    check_all(|file| map(fixtures::path(file)).unwrap());
}

#[test]
fn a_map_of_a_plain_file_lends_aligned_elements() {
    // NumPy pads the header to a multiple of 64, and a map begins on a page.
    let npy = map(fixtures::path("plain.npy")).unwrap();
    let view = npy.view::<f32, Ix2>().unwrap();
    assert_eq!((view[(0, 2)], view.as_ptr().addr() % 64), (1.5, 0));
    assert!(npy.get::<f32, Ix2>().unwrap().is_view());
    assert_eq!(npy.array().unwrap().reinterpret::<u32>().unwrap().view::<u32, Ix2>().unwrap()[(0, 2)], 0x3fc0_0000);
    let array = npy.array().unwrap();
    let bytes = array.bytes().unwrap();
    assert_eq!((array.data_offset(), bytes.len(), array.shape()), (Some(128), 48, &[3, 4][..]));
    assert!(matches!(bytes, Cow::Borrowed(bytes) if bytes.as_ptr().addr().is_multiple_of(64)));
    let fortran = map(fixtures::path("plain-f.npy")).unwrap();
    assert_eq!(
        fortran.array().unwrap().reinterpret::<u32>().unwrap().view::<u32, Ix2>().unwrap(),
        npy.array().unwrap().reinterpret::<u32>().unwrap().view::<u32, Ix2>().unwrap()
    );
    assert_eq!(fortran.view::<f32, Ix2>().unwrap().strides(), [1, 3]);
}

#[test]
fn strings_records_and_shares_of_a_plain_file_are_had_as_well() {
    let npy = Npy::new(forge::npy("'|S2'", "(2,)", b"ab\xc3\xb6")).unwrap();
    assert_eq!(npy.array().unwrap().strings().unwrap().into_raw_vec_and_offset().0, ["ab", "ö"]);

    let npy = Npy::new(forge::npy("[('a', '|u1'), ('b', '>u2')]", "(2,)", &[1, 0, 2, 3, 0, 4])).unwrap();
    assert_eq!(npy.array().unwrap().field("a").unwrap().view::<u8, Ix1>().unwrap().to_vec(), [1, 3]);
    assert_eq!(npy.array().unwrap().field("b").unwrap().read::<u16, Ix1>().unwrap().to_vec(), [2, 4]);
    assert!(matches!(npy.read_any().unwrap(), AnyArray::Raw(raw) if raw.bytes() == [1, 0, 2, 3, 0, 4]));

    let npy = Npy::new(forge::u32s(&[5, 6])).unwrap();
    let shared = npy.array().unwrap().shared::<Unaligned<u32>, Ix1>().unwrap();
    assert_eq!(Arc::strong_count(shared.owner()), 2);
    assert_eq!(shared.owner().as_slice().unwrap().as_ptr(), npy.source().as_ptr());
    drop(npy);
    assert_eq!(shared.view().map(|value| value.get()).to_vec(), [5, 6]);

    let npy = Npy::new(forge::npy("'|O'", "(1,)", b"whatever follows")).unwrap();
    for refused in [
        kind(npy.read::<u64, Ix1>()),
        kind(npy.view::<u64, Ix1>()),
        kind(npy.array().and_then(|array| array.strings())),
    ] {
        assert!(matches!(refused, ErrorKind::Pickled), "{refused}");
    }
    let refusals = [
        kind(npy.array().and_then(|array| array.bytes())),
        kind(npy.read_any()),
        kind(npy.array().and_then(|array| array.reinterpret::<u64>()?.view::<u64, Ix1>())),
    ];
    assert!(refusals.iter().all(|refused| matches!(refused, ErrorKind::Pickled)), "{refusals:?}");

    let npy = Npy::new(forge::npy("'|b1'", "(3,)", &[1, 0, 7])).unwrap();
    let refused = kind(npy.read::<bool, Ix1>());
    assert!(matches!(refused, ErrorKind::InvalidElement { index: 2, .. }), "{refused}");
}

#[test]
fn a_file_longer_or_shorter_than_its_header_says_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array.npy");
    let sound = fixtures::bytes("plain.npy");
    for (length, found) in [(sound.len() + 1, 49), (sound.len() - 1, 47), (128, 0), (sound.len() + 4096, 48 + 4096)] {
        let mut bytes = sound.clone();
        bytes.resize(length, 0);
        fs::write(&path, &bytes).unwrap();
        for error in [Npy::open(&path).unwrap_err(), map(&path).unwrap_err()] {
            assert!(
                matches!(error.kind(), ErrorKind::PayloadLength { found: of, expected: 48 } if *of == found),
                "{length}: {error}"
            );
            assert_eq!((error.path(), error.kind().rule()), (Some(&*path), Some("N12")));
            assert!(error.to_string().starts_with(&*path.to_string_lossy()), "{error}");
        }
        let error = Npy::new(bytes).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::PayloadLength { .. }) && error.path().is_none(), "{error}");
    }
    for length in [0, 5, 6, 7, 9, 10, 64, 127] {
        fs::write(&path, &sound[..length]).unwrap();
        for error in [Npy::open(&path).unwrap_err(), map(&path).unwrap_err()] {
            let expected = if length < 6 { "N1" } else { "N3" };
            assert_eq!((error.kind().rule(), error.path()), (Some(expected), Some(&*path)), "{length}: {error}");
        }
    }
}

#[test]
fn what_is_no_plain_file_is_refused_with_its_path() {
    let folder = fixtures::path("");
    for error in [Npy::open(&folder).unwrap_err(), map(&folder).unwrap_err(), Npy::map_if_safe(&folder).unwrap_err()] {
        assert!(matches!(error.kind(), ErrorKind::NotRegularFile { found: "a directory" }), "{error}");
        assert_eq!((error.path(), error.kind().fault()), (Some(&*folder), Fault::System));
    }
    let missing = fixtures::path("missing.npy");
    for error in [Npy::open(&missing).unwrap_err(), map(&missing).unwrap_err()] {
        let ErrorKind::Io(source) = error.kind() else { panic!("{error}") };
        assert_eq!((source.kind(), error.path()), (std::io::ErrorKind::NotFound, Some(&*missing)));
    }
    let archive = fixtures::path("model-batch.npz");
    for error in [Npy::open(&archive).unwrap_err(), map(&archive).unwrap_err()] {
        assert!(matches!(error.kind(), ErrorKind::NotAnArray), "{error}");
        assert_eq!(error.path(), Some(&*archive));
    }
    let plain = fixtures::path("plain.npy");
    for error in [Npy::map_if_safe(&plain).unwrap_err(), OpenOptions::new().map_npy_if_safe(&plain).unwrap_err()] {
        assert!(matches!(error.kind(), ErrorKind::NotImmutable) && error.path() == Some(&*plain), "{error}");
    }
}

#[test]
fn what_a_map_would_do_is_what_a_map_does() {
    for (name, access) in [("plain.npy", Access::Borrow), ("plain-be.npy", Access::Copy(Reason::ByteOrder))] {
        let path = fixtures::path(name);
        assert_eq!(Npy::open(&path).unwrap().access_in_map().unwrap(), access);
        let mapped = map(&path).unwrap();
        assert_eq!(mapped.access_in_map().unwrap(), access);
        let found = if name == "plain.npy" {
            mapped.array().and_then(|array| array.access::<f32>())
        } else {
            mapped.array().and_then(|array| array.access::<f64>())
        };
        assert_eq!(found.unwrap(), access);
    }
    // Wherever the bytes lie now: in the file they would be at byte 65.
    let header = Header::new("<f8".parse().unwrap(), &[1], Order::C).unwrap().to_bytes();
    let mut odd = header.clone();
    odd.insert(header.len() - 1, b' ');
    let length = u16::from_le_bytes([odd[8], odd[9]]) + 1;
    odd[8..10].copy_from_slice(&length.to_le_bytes());
    odd.extend([0; 8]);
    let npy = Npy::new(odd).unwrap();
    let expected = Reason::Misaligned { offset: header.len() as u64 + 1, required: 8 };
    assert_eq!(npy.access_in_map().unwrap(), Access::Copy(expected));
}

#[test]
fn a_plain_file_is_shared_as_another_type() {
    let npy = map(fixtures::path("plain.npy")).unwrap();
    let shared = npy.array().unwrap().reinterpret::<u32>().unwrap().shared::<u32, Ix2>().unwrap();
    assert_eq!((Arc::strong_count(shared.owner()), shared.shape()), (2, npy.header().unwrap().shape()));
    assert_eq!(shared.view()[(0, 2)], 1.5_f32.to_bits());
    let refused =
        npy.array().and_then(|array| array.reinterpret::<FixedBytes<8>>()?.shared::<FixedBytes<8>, Ix2>()).unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::DtypeMismatch { .. }), "{refused}");
    let other = map(fixtures::path("plain-be.npy")).unwrap();
    let refused = other.array().and_then(|array| array.reinterpret::<u64>()?.shared::<u64, Ix2>()).unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::CannotBorrow { reason: Reason::ByteOrder, .. }), "{refused}");
}

#[test]
fn errors_of_later_verbs_carry_the_path_too() {
    let path = fixtures::path("plain-be.npy");
    let npy = map(&path).unwrap();
    let errors = [
        npy.read::<f32, IxDyn>().unwrap_err(),
        npy.view::<f64, IxDyn>().unwrap_err(),
        npy.array().and_then(|array| array.rows(0..9)?.read::<f64, IxDyn>()).unwrap_err(),
        npy.array().and_then(|array| array.field("x")?.view::<f64, IxDyn>()).unwrap_err(),
        npy.array().and_then(|array| array.strings()).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(
            (error.path(), error.member(), error.kind().fault()),
            (Some(&*path), None, Fault::Request),
            "{error}"
        );
    }
    assert!(format!("{npy:?}").contains("plain-be.npy"));
}

#[test]
fn limits_hold_for_plain_files() {
    let options = OpenOptions::new().limits(Limits::new().max_header_bytes(64));
    let path = fixtures::path("plain.npy");
    for error in [options.open_npy(&path).unwrap_err(), options.npy(fixtures::bytes("plain.npy")).unwrap_err()] {
        assert!(matches!(error.kind(), ErrorKind::LimitExceeded { limit: 64, .. }), "{error}");
    }
    // The budget of decoded bytes is for what is decoded.
    let options = OpenOptions::new().limits(Limits::new().max_decoded_bytes(0));
    assert_eq!(options.open_npy(&path).unwrap().read::<f32, Ix2>().unwrap()[(0, 2)], 1.5);
}
