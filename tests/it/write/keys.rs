//! Names: as NumPy makes them, and those that are refused before a byte is written.

use std::io::Cursor;

use ndarray::Ix1;
use npzmap::{ErrorKind, Npz, NpzWriter, Result, Seekable};

use super::{keys, written};

#[test]
fn keys_are_kept_exactly_and_get_the_suffix_whatever_they_are() {
    let odd = [
        "",
        "x",
        "x.npy",
        "x.npy.npy",
        "dir/",
        "../up",
        "/abs",
        "back\\slash",
        " lead",
        "tab\t",
        "größe",
        "日本語",
        "\u{202e}bidi",
        "\u{10ffff}",
        "quote\"'",
    ];
    let npz = written(|w| odd.iter().enumerate().try_for_each(|(i, key)| w.add(key, &[i as u64])));
    assert_eq!(keys(&npz), odd);
    for (i, member) in npz.members().enumerate() {
        assert_eq!(member.name(), format!("{}.npy", odd[i]).as_bytes());
        assert_eq!(member.read::<u64, Ix1>().unwrap().to_vec(), [i as u64]);
    }
}

#[test]
fn only_names_beyond_ascii_are_marked_as_utf8() {
    let npz = written(|w| {
        w.add("ascii", &[1_u8])?;
        w.add("grün", &[2_u8])
    });
    let records = npz.source().windows(4).enumerate().filter(|(_, window)| window == b"PK\x01\x02");
    let flags: Vec<_> = records.map(|(at, _)| [npz.source()[at + 8], npz.source()[at + 9]]).collect();
    assert_eq!(flags, [[0, 0], [0, 8]]);
}

type Writer = NpzWriter<Seekable<Cursor<Vec<u8>>>>;
type Step<'s> = &'s dyn Fn(&mut Writer) -> Result<()>;

/// The error of a second step, and that the writer goes on afterwards as if it had not been asked.
fn refused(first: impl Fn(&mut Writer) -> Result<()>, second: Step<'_>) -> npzmap::Error {
    let with = |steps: &[Step<'_>]| {
        let mut w = NpzWriter::new(Cursor::new(Vec::new())).unwrap();
        let results: Vec<_> = steps.iter().map(|step| step(&mut w)).collect();
        w.add("last", &[1.0]).unwrap();
        (w.finish().unwrap().into_inner(), results)
    };
    let (alone, _) = with(&[&first]);
    let (bytes, mut results) = with(&[&first, second]);
    assert!(bytes == alone, "something was written");
    results.remove(1).unwrap_err()
}

#[test]
fn each_of_many_names_that_were_used_is_refused() {
    let mut w = NpzWriter::stream(Vec::new());
    for number in 0..2_000 {
        w.add_bytes(&format!("{number}"), b"").unwrap();
    }
    for number in 0..2_000 {
        let error = w.add_bytes(&format!("{number}"), b"").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadKey { .. }), "{error}");
    }
    assert_eq!(Npz::new(w.finish().unwrap()).unwrap().len(), 2_000);
}

#[test]
fn a_name_that_was_used_is_refused_before_a_byte_is_written() {
    let error = refused(|w| w.add("x", &[1]), &|w| w.add("x", &[2]));
    assert_eq!(error.to_string(), "x: the key is in the archive already");
    refused(|w| w.add("x", &[1]), &|w| w.add_bytes("x.npy", b"2"));
    refused(|w| w.add_bytes("x.npy", b"1"), &|w| w.add("x", &[2]));
    refused(|w| w.push(&[1]), &|w| w.add("arr_0", &[2]));
    refused(|w| w.add("x", &[1]), &|w| w.rows::<u8>("x", &[]).map(drop));
    let npz = Npz::open(crate::fixtures::path("model-batch.npz")).unwrap();
    let error = refused(|w| w.add("labels", &[1]), &|w| w.copy(&npz.member("labels").unwrap()));
    assert!(matches!(error.kind(), ErrorKind::BadKey { .. }));
}

#[test]
fn a_name_that_would_hide_another_member_or_be_hidden_is_refused() {
    let error = refused(|w| w.add_bytes("x", b"1"), &|w| w.add("x", &[2]));
    assert_eq!(error.to_string(), "x: the key is the name of a member that is no array");
    let error = refused(|w| w.add("x", &[1]), &|w| w.add_bytes("x", b"2"));
    assert_eq!(error.to_string(), "x: the key is that of an array, which this name would hide");
    // Two arrays, as NumPy has them.
    let npz = written(|w| w.add("x", &[1]).and_then(|()| w.add("x.npy", &[2])));
    assert_eq!(keys(&npz), ["x", "x.npy"]);
}

#[test]
fn a_name_that_numpy_would_cut_or_no_field_can_hold_is_refused() {
    let error = refused(|_| Ok(()), &|w| w.add("nul\0x", &[1]));
    assert_eq!(error.to_string(), "nul\\u{0}x: the key contains NUL, where NumPy would cut it");
    refused(|_| Ok(()), &|w| w.add(&"k".repeat(65_532), &[1]));
    refused(|_| Ok(()), &|w| w.add_bytes(&"k".repeat(65_536), b""));
}

#[test]
fn names_of_65535_bytes_work() {
    let (array, bytes) = ("k".repeat(65_531), "ü".repeat(32_767) + "x");
    let npz = written(|w| {
        w.add(&array, &[1.5_f64])?;
        w.add_bytes(&bytes, b"notes")?;
        w.add("after", &[2.5_f64])
    });
    assert_eq!(npz.read::<f64, Ix1>(&array).unwrap()[0], 1.5);
    assert_eq!(npz.member(&array).unwrap().name().len(), 65_535);
    assert_eq!(npz.member(&array).unwrap().payload_offset().unwrap().unwrap() % 64, 0);
    assert_eq!(*npz.member(&bytes).unwrap().bytes().unwrap(), *b"notes");
    assert_eq!(npz.read::<f64, Ix1>("after").unwrap()[0], 2.5);
}

#[test]
fn pushed_arrays_are_numbered_as_numpy_numbers_them_and_refused_ones_do_not_count() {
    let npz = written(|w| {
        w.push(&[1.0])?;
        w.add("named", &[2.0])?;
        w.push(&[true])?;
        w.push(&["ends in NUL\0"]).unwrap_err();
        w.push(&["x"])
    });
    assert_eq!(keys(&npz), ["arr_0", "named", "arr_1", "arr_2"]);
}
