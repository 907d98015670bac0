//! Names: as NumPy makes them, and those that are refused before a byte is written.

use std::io::Cursor;

use ndarray::Ix1;
use npzmap::{ErrorKind, MemberOptions, Npz, NpzWriter, Result, Save, Seekable, savez, savez_compressed};

use super::{keys, written};
use crate::forge::{Archive, stored, u32s};

#[test]
fn keys_are_kept_exactly_and_get_the_suffix_whatever_they_are() {
    let odd = [
        "",
        "x",
        "y.npy",
        "z.npy.npy",
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
        assert_eq!(member.array().unwrap().read::<u64, Ix1>().unwrap().to_vec(), [i as u64]);
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
    const HIDDEN: &str = "the key is the name of another member, which readers would find instead";
    const HIDES: &str = "the key and '.npy' is the name of another member, which this one would hide";
    let error = refused(|w| w.add_bytes("x", b"1"), &|w| w.add("x", &[2]));
    assert_eq!(error.to_string(), format!("x: {HIDDEN}"));
    let error = refused(|w| w.add("x", &[1]), &|w| w.add_bytes("x", b"2"));
    assert_eq!(error.to_string(), format!("x: {HIDES}"));
    // Two arrays: readers find `x.npy` for both keys.
    for [short, long] in [["x", "x.npy"], ["", ".npy"], ["x.npy", "x.npy.npy"], ["a/b", "a/b.npy"]] {
        let error = refused(|w| w.add(short, &[1]), &|w| w.add(long, &[2]));
        assert_eq!(error.to_string(), format!("{long}: {HIDDEN}"));
        let error = refused(|w| w.add(long, &[2]), &|w| w.add(short, &[1]));
        assert_eq!(error.kind().to_string(), HIDES, "{short}");
        refused(|w| w.add(long, &[2]), &|w| w.rows::<u8>(short, &[]).map(drop));
        refused(|w| w.add(long, &[2]), &|w| w.add_strings(short, &["a"]));
        let deflated = MemberOptions::new().deflate(1);
        refused(|w| w.add(long, &[2]), &|w| w.add_many([(short, &[1] as &dyn Save)], deflated));
    }
    // Two names apart, there is no doubt.
    let npz = written(|w| w.add("x", &[1]).and_then(|()| w.add("x.npy.npy", &[2])));
    assert_eq!(npz.read::<i32, Ix1>("x.npy.npy").unwrap().to_vec(), [2]);
}

#[test]
fn savez_refuses_keys_of_which_one_would_hide_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    std::fs::write(&path, "old").unwrap();
    for keys in [["x", "x.npy"], ["x.npy", "x"], ["", ".npy"], [".npy", ""]] {
        let arrays = || keys.map(|key| (key, &[1] as &dyn Save));
        for error in [savez(&path, arrays()), savez_compressed(&path, arrays())] {
            assert!(matches!(error.unwrap_err().kind(), ErrorKind::BadKey { .. }), "{keys:?}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    }
}

#[test]
fn a_copy_hides_only_what_was_hidden_in_its_own_archive() {
    let (one, two) = (u32s(&[1]), u32s(&[2]));
    let open = |members: &[(&str, &[u8])]| {
        let members = members.iter().map(|(name, content)| stored(name, content)).collect();
        Npz::new(Archive::new(members).bytes()).unwrap()
    };
    let both = open(&[("x.npy", &one), ("x.npy.npy", &two)]);
    let (short, long) = (open(&[("x.npy", &one)]), open(&[("x.npy.npy", &two)]));
    let raw = open(&[("x", b"raw")]);
    fn copy(w: &mut Writer, from: &Npz<Vec<u8>>) -> Result<()> {
        from.members().try_for_each(|member| w.copy(&member))
    }
    // As a whole, in any order.
    let npz = written(|w| {
        w.add("other", &[1])
            .and_then(|()| w.copy(&both.member("x").unwrap()))
            .and_then(|()| w.copy(&both.members().nth(1).unwrap()))
    });
    assert_eq!(keys(&npz), ["other", "x", "x.npy"]);
    let npz = written(|w| w.copy(&both.members().nth(1).unwrap()).and_then(|()| w.copy(&both.member("x").unwrap())));
    assert_eq!(keys(&npz), ["x.npy", "x"]);
    // Of two archives, each found its own.
    refused(|w| copy(w, &short), &|w| copy(w, &long));
    refused(|w| copy(w, &long), &|w| copy(w, &short));
    refused(|w| copy(w, &short), &|w| copy(w, &raw));
    // What was added under a key is found by it.
    refused(|w| w.add("x.npy", &[3]), &|w| w.copy(&both.member("x").unwrap()));
    refused(|w| w.add("x", &[3]), &|w| copy(w, &long));
    refused(|w| w.add("x", &[3]), &|w| copy(w, &raw));
    refused(|w| copy(w, &short), &|w| w.add("x.npy", &[3]));
    refused(|w| copy(w, &raw), &|w| w.add("x", &[3]));
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
