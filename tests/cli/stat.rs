//! `npz stat`. Its figures are held against NumPy by `tests/numpy/stat.py`; here is what a user relies on beside them.

use ndarray::{Array1, array};
use npzmap::{MemberOptions, NpzWriter, Save, savez};

#[cfg(target_os = "linux")]
use crate::forge;
use crate::run::{Folder, fine, npz, outcome, run};
#[cfg(target_os = "linux")]
use crate::run::{bomb, first};

#[test]
fn figures_are_those_of_the_finite_elements() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    let odd = array![1.0_f64, f64::NAN, 3.0, f64::INFINITY, f64::NEG_INFINITY, 0.0, f64::NAN];
    savez(&path, [("odd", &odd as &dyn Save)]).unwrap();
    let document = fine(["stat", "--json", "--bins", "3", &path]).json();
    let found = &document["arrays"][0];
    assert_eq!((&document["schema"], &found["key"], &found["count"]), (&1.into(), &"odd".into(), &7.into()));
    assert_eq!((&found["min"], &found["max"]), (&0.0.into(), &3.0.into()));
    assert_eq!(found["mean"], 4.0 / 3.0);
    assert_eq!((&found["nan"], &found["zeros"]), (&2.into(), &1.into()));
    assert_eq!(found["infinite"], serde_json::json!([1, 1]));
    assert_eq!(found["histogram"]["counts"], serde_json::json!([1, 1, 1]));
    assert_eq!(found["histogram"]["edges"], serde_json::json!([0.0, 1.0, 2.0, 3.0]));
}

#[test]
fn integers_are_exact_up_to_64_bits_and_sums_of_the_greatest_floats_do_not_overflow() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    let mut writer = NpzWriter::create(&path).unwrap();
    writer.add("u", &array![u64::MAX, u64::MAX - 2]).unwrap();
    writer.add("i", &array![i64::MIN, i64::MAX]).unwrap();
    writer.add("f", &array![f64::MAX, f64::MAX, -f64::MAX, -f64::MAX]).unwrap();
    writer.finish().unwrap();
    let text = fine(["stat", "--json", &path]).text().to_owned();
    assert!(text.contains(r#""min":18446744073709551613,"max":18446744073709551615"#), "{text}");
    assert!(text.contains(r#""min":-9223372036854775808,"max":9223372036854775807,"mean":-0.5"#), "{text}");
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&document["arrays"][0]["std"], &document["arrays"][2]["mean"]), (&1.0.into(), &0.0.into()));
    assert_eq!(document["arrays"][2]["std"], f64::MAX);
}

#[test]
fn any_number_of_threads_prints_the_same() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    let large: Array1<f64> =
        (0..2_000_000_u64).map(|i| ((i * 2_654_435_761) % 1_000_003) as f64 * 1e-3 - 77.7).collect();
    let mut writer = NpzWriter::create(&path).unwrap();
    writer.add("stored", &large).unwrap();
    writer.add_with("deflated", &large, MemberOptions::new().deflate(1)).unwrap();
    writer.finish().unwrap();
    let with = |threads: &str| outcome(npz(["stat", "--json", &path]).env("RAYON_NUM_THREADS", threads));
    let one = with("1");
    assert_eq!((one.code, &*one.errors), (0, ""));
    assert_eq!(one, with("2"));
    assert_eq!(one, with("5"));
    // Where the bytes lie makes no difference either.
    let document = one.json();
    assert_eq!(document["arrays"][0]["std"], document["arrays"][1]["std"]);
    let counts = document["arrays"][0]["histogram"]["counts"].as_array().unwrap();
    assert_eq!(counts.iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), 2_000_000);
}

#[test]
fn damaged_elements_have_no_figures() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    savez(&path, [("x", &Array1::<f64>::ones(1000) as &dyn Save), ("y", &Array1::<f64>::ones(10))]).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    folder.write("a.npz", bytes);
    let found = run(["stat", &path]);
    assert_eq!(found.code, 3);
    assert!(found.errors.contains("x: CRC-32 is") && found.errors.contains("npz check"), "{}", found.errors);
    assert!(found.lines()[1].starts_with("x\terror") && found.lines()[2].starts_with("y\t<f8"), "{}", found.text());
}

#[test]
fn keys_and_further_files_are_told_apart() {
    let document = fine(["stat", "--json", "tests/data/plain.npy", "tests/data/weights.npz", "encoder/bias"]).json();
    assert_eq!(document[0]["arrays"][0]["key"], "plain");
    assert_eq!(document[1]["arrays"].as_array().unwrap().len(), 1);
    assert_eq!(document[1]["arrays"][0]["key"], "encoder/bias");
    let mistyped = run(["stat", "tests/data/weights.npz", "encoder/bais"]);
    assert_eq!((mistyped.code, mistyped.lines().len()), (5, 1));
    assert!(mistyped.errors.contains("did you mean 'encoder/bias'?"), "{}", mistyped.errors);
    assert_eq!(run(["stat", "tests/data/object.npz", "objects"]).code, 4);
}

#[test]
fn a_file_that_cannot_be_read_does_not_keep_the_others_from_their_figures() {
    let folder = Folder::new();
    let (bad, missing) = (folder.at("bad.npz"), folder.at("missing.npz"));
    folder.write("bad.npz", b"PK\x03\x04 no archive");
    let good = "tests/data/weights.npz";
    let found = run(["stat", "--json", good, &bad, "encoder/bias", &missing, good, "optim/step"]);
    assert_eq!(found.code, 3);
    let document = found.json();
    assert_eq!(document.as_array().unwrap().len(), 4);
    // The key is one of the file before it, which has none.
    assert_eq!(document[0]["arrays"].as_array().unwrap().len(), 4);
    for (index, path) in [(1, &bad), (2, &missing)] {
        assert_eq!((&document[index]["schema"], &document[index]["file"]), (&1.into(), &path.as_str().into()));
        assert!(document[index]["error"].is_string() && document[index].get("arrays").is_none());
    }
    assert_eq!(document[3]["arrays"][0]["key"], "optim/step");
    let one = run(["stat", "--json", &missing]);
    assert_eq!((one.code, &one.json()["file"]), (3, &missing.as_str().into()));
    let table = run(["stat", good, &missing, "no-key", good, "optim/step"]);
    assert_eq!((table.code, table.lines().len()), (3, 6));
}

/// A header of a megabyte in a file of a few kilobytes: a name that 1,000 rows begin with.
#[cfg(target_os = "linux")]
#[test]
fn rows_are_printed_as_they_come_and_no_name_is_held_for_each() {
    const NAME: usize = 1_000_000;
    let folder = Folder::new();
    let descr = format!("[('{}', [('b', '|i1')], (1000,))]", "n".repeat(NAME));
    let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}\n");
    let content = [forge::preamble((2, 0), text), vec![1; 1000]].concat();
    let archive = bomb(&content);
    assert!(archive.len() < 10_000, "{}", archive.len());
    let path = folder.write("names.npz", archive);
    for options in [&[][..], &["--json"], &["--histogram"]] {
        let outcome = first(48 << 10, 8 << 20, ["stat"].iter().chain(options).chain([&&*path]));
        assert_eq!((outcome.code, &*outcome.errors), (0, ""), "{options:?}");
        assert_eq!(outcome.out.len(), 8 << 20);
        let text = outcome.text();
        assert!(text.contains(&format!("n[0].b{}", if options == ["--json"] { '"' } else { '\t' })), "{options:?}");
    }
}
