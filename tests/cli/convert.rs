//! `npz convert`.

use std::collections::HashMap;
use std::fs;

use ndarray::{Array2, Ix1, Ix2, ShapeBuilder, array};
use npzmap::num_complex::Complex;
use npzmap::{Npy, Npz, NpzWriter};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::run::{Folder, fine, run};

/// Numbers of all kinds, one of them in Fortran order.
fn numbers(folder: &Folder) -> String {
    let mut fortran = Array2::zeros((2, 3).f());
    fortran.assign(&array![[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let mut writer = NpzWriter::create(folder.at("numbers.npz")).unwrap();
    writer.add("layer/f", &fortran).unwrap();
    writer.add("b", &array![true, false, true]).unwrap();
    writer.add("i", &array![[-1_i64], [2]]).unwrap();
    writer.add("h", &array![half::f16::from_f32(0.5)]).unwrap();
    writer.add("c", &array![Complex::new(1.0_f32, -2.0)]).unwrap();
    writer.finish().unwrap();
    folder.at("numbers.npz")
}

#[test]
fn safetensors_own_crate_reads_what_is_written() {
    let folder = Folder::new();
    let (path, out) = (numbers(&folder), folder.at("out.safetensors"));
    fine(["convert", &path, &out]);
    let bytes = fs::read(&out).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |key: &str| tensors.tensor(key).unwrap();
    let mut names = tensors.names();
    names.sort();
    assert_eq!(names, ["b", "c", "h", "i", "layer/f"]);
    assert_eq!((tensor("layer/f").dtype(), tensor("layer/f").shape()), (Dtype::F32, &[2, 3][..]));
    let expected: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(tensor("layer/f").data(), expected); // in C order
    assert_eq!((tensor("b").dtype(), tensor("b").data()), (Dtype::BOOL, &[1, 0, 1][..]));
    assert_eq!(tensor("i").data(), [(-1_i64).to_le_bytes(), 2_i64.to_le_bytes()].concat());
    assert_eq!((tensor("h").dtype(), tensor("c").dtype()), (Dtype::F16, Dtype::C64));
}

#[test]
fn there_and_back_is_the_same() {
    let folder = Folder::new();
    let (path, tensors, back) = (numbers(&folder), folder.at("t.safetensors"), folder.at("back.npz"));
    fine(["convert", &path, &tensors]);
    fine(["convert", &tensors, &back]);
    assert_eq!(run(["diff", "--full", &path, &back]).code, 0);
    assert_eq!(run(["align", "--check", &back]).code, 0);
    fine(["check", &back]);
}

#[test]
fn big_endian_numbers_are_swapped_the_parts_of_complex_ones_each() {
    let folder = Folder::new();
    let header = npzmap::Header::new(">c8".parse().unwrap(), &[1], npzmap::Order::C).unwrap();
    let parts = [1.0_f32.to_be_bytes(), (-2.0_f32).to_be_bytes()].concat();
    let path = folder.write("z.npy", [header.to_bytes(), parts].concat());
    fine(["convert", &path, &folder.at("z.safetensors")]);
    let bytes = fs::read(folder.at("z.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let expected = [1.0_f32.to_le_bytes(), (-2.0_f32).to_le_bytes()].concat();
    assert_eq!(tensors.tensor("z").unwrap().data(), expected);
}

#[test]
fn what_safetensors_cannot_hold_is_named_and_nothing_is_written() {
    let folder = Folder::new();
    let out = folder.at("out.safetensors");
    let outcome = run(["convert", "tests/data/keys.npz", &out]);
    assert_eq!((outcome.code, folder.names().len()), (4, 0));
    assert!(outcome.errors.contains("notes.txt: no array"), "{}", outcome.errors);
    let outcome = run(["convert", "tests/data/model-batch.npz", &out]);
    assert_eq!((outcome.code, folder.names().len()), (4, 0));
    assert!(outcome.errors.ends_with("cannot hold sample_ids: dtype <U9 has no counterpart\n"), "{}", outcome.errors);
    fine(["convert", "--exclude=sample_ids", "tests/data/model-batch.npz", &out]);
    assert_eq!(SafeTensors::deserialize(&fs::read(&out).unwrap()).unwrap().len(), 2);
}

#[test]
fn bfloat16_is_taken_for_it_when_it_is_said_to_be() {
    let folder = Folder::new();
    let (tensors, back) = (folder.at("t.safetensors"), folder.at("back.npz"));
    let outcome = run(["convert", "tests/data/weights.npz", &tensors]);
    assert!(outcome.errors.contains("encoder/scale: dtype |V2 may be bfloat16; --bf16 takes it for that"));
    fine(["convert", "--bf16", "tests/data/weights.npz", &tensors]);
    fine(["convert", &tensors, &back]);
    let scale = Npz::open(&back)
        .unwrap()
        .array("encoder/scale")
        .unwrap()
        .reinterpret::<half::bf16>()
        .unwrap()
        .read::<half::bf16, Ix1>()
        .unwrap();
    assert_eq!(scale[0].to_f32(), 1.5);
    let bytes = Npz::open(&back).unwrap().member("encoder/scale").unwrap().bytes().unwrap().into_owned();
    assert!(bytes.windows(5).any(|text| text == b"'<V2'")); // as ml_dtypes writes it
}

#[test]
fn tensors_without_a_dtype_are_named_and_metadata_is_warned_about() {
    let folder = Folder::new();
    let view = |dtype, data| TensorView::new(dtype, vec![2], data).unwrap();
    let tensors = [("f8", view(Dtype::F8_E4M3, &[1, 2])), ("x", view(Dtype::U8, &[3, 4]))];
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let path = folder.write("t.safetensors", safetensors::serialize(tensors, Some(metadata)).unwrap());
    let out = folder.at("out.npz");
    let outcome = run(["convert", &path, &out]);
    assert_eq!((outcome.code, folder.names().len()), (4, 1));
    assert!(outcome.errors.ends_with("f8: NumPy has no dtype for F8_E4M3\n"), "{}", outcome.errors);
    let outcome = run(["convert", "--exclude=f8", &path, &out]);
    assert_eq!(outcome.code, 0);
    assert_eq!(outcome.errors, format!("npz: warning: {path}: its __metadata__ is left out\n"));
    assert_eq!(Npz::open(&out).unwrap().read::<u8, Ix1>("x").unwrap().to_vec(), [3, 4]);
}

#[test]
fn damaged_safetensors_are_refused() {
    let folder = Folder::new();
    fine(["convert", &numbers(&folder), &folder.at("t.safetensors")]);
    let bytes = fs::read(folder.at("t.safetensors")).unwrap();
    let cut = &bytes[..bytes.len() - 1];
    let long = [&u64::MAX.to_le_bytes()[..], &bytes[8..]].concat();
    for bytes in [cut, &long, &bytes[..7], b"12345678", b"\x02\0\0\0\0\0\0\0[]"] {
        let path = folder.write("bad.safetensors", bytes);
        let outcome = run(["convert", &path, &folder.at("out.npz")]);
        assert_eq!((outcome.code, fs::exists(folder.at("out.npz")).unwrap()), (3, false), "{}", outcome.errors);
    }
}

#[test]
fn a_folder_gets_npy_files_from_both() {
    let folder = Folder::new();
    let path = numbers(&folder);
    fine(["convert", &path, &folder.at("a/")]);
    fine(["convert", &path, &folder.at("t.safetensors")]);
    fine(["convert", &folder.at("t.safetensors"), &folder.at("b")]);
    for dry_run in [None, Some("-n")] {
        let (tensors, b) = (folder.at("t.safetensors"), folder.at("b"));
        let again = run(["convert", &tensors, &b].into_iter().chain(dry_run));
        assert_eq!(again.code, 2);
        assert!(again.errors.contains("is there already; --force overwrites it"), "{}", again.errors);
    }
    for name in ["a/layer/f.npy", "b/layer/f.npy"] {
        assert_eq!(Npy::open(folder.at(name)).unwrap().read::<f32, Ix2>().unwrap()[(1, 0)], 4.0);
    }
    let view = TensorView::new(Dtype::U8, vec![1], &[1]).unwrap();
    let evil = folder.write("evil.safetensors", safetensors::serialize([("../x", view)], None).unwrap());
    let outcome = run(["convert", &evil, &folder.at("c")]);
    assert_eq!((outcome.code, fs::exists(folder.at("x.npy")).unwrap()), (4, false), "{}", outcome.errors);
}

#[test]
fn one_array_becomes_csv() {
    let folder = Folder::new();
    let out = folder.at("out.csv");
    fine(["convert", "--key=labels", "--header", "tests/data/model-batch.npz", &out]);
    assert_eq!(fs::read_to_string(&out).unwrap(), "labels\n0\n1\n1\n");
    assert_eq!(run(["convert", "--key=labels", "tests/data/model-batch.npz", &out]).code, 2); // it is there
    fine(["convert", "-f", "--include=f*", "tests/data/model-batch.npz", &out]);
    assert_eq!(fs::read_to_string(&out).unwrap().lines().next(), Some("0.0,1.0,2.0,3.0"));
    assert_eq!(run(["convert", "-f", "tests/data/model-batch.npz", &out]).code, 2); // which one?
    assert_eq!(run(["convert", "-f", "--key=lables", "tests/data/model-batch.npz", &out]).code, 5);
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = Folder::new();
    for out in ["out.csv", "out.safetensors", "out/"] {
        let out = folder.at(out);
        let outcome = fine(["convert", "-n", "--include=labels", "--json", "tests/data/model-batch.npz", &out]);
        assert_eq!((folder.names().len(), &outcome.json()["keys"][0]), (0, &"labels".into()));
    }
}

#[test]
fn a_key_is_for_csv_only() {
    let folder = Folder::new();
    let outcome = run(["convert", "--key", "labels", "tests/data/model-batch.npz", &folder.at("out.safetensors")]);
    assert_eq!((outcome.code, folder.names()), (2, Vec::new()));
}

#[test]
fn options_and_targets_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let tensors = folder.at("t.safetensors");
    fine(["convert", "tests/data/plain.npy", &tensors]);
    let batch = "tests/data/model-batch.npz";
    for args in [
        [batch, &folder.at("f"), "--header"],
        [batch, &folder.at("x.csv"), "--bf16"],
        [&tensors, &folder.at("x.npz"), "--bf16"],
        [&tensors, &folder.at("x.npy"), "--json"],
        [batch, &folder.at("x.npy"), "--json"],
    ] {
        let outcome = run(["convert"].into_iter().chain(args));
        assert_eq!((outcome.code, folder.names()), (2, vec!["t.safetensors".to_owned()]), "{args:?}");
    }
}

#[test]
fn a_dry_run_fails_where_the_real_one_would() {
    let folder = Folder::new();
    let mut bytes = fs::read("tests/data/model-batch-stored.npz").unwrap();
    bytes[190] ^= 1; // in the first element of features
    let damaged = folder.write("damaged.npz", bytes);
    for out in ["out.csv", "out.safetensors", "out/", "none/out.csv"] {
        let args = ["convert", "--include=features", &damaged, &folder.at(out)];
        let [dry, real] = [Some("-n"), None].map(|dry_run| run(args.into_iter().chain(dry_run)));
        assert_eq!((dry.code, &dry.errors), (3, &real.errors));
        assert_eq!(real.code, 3, "{out}");
        assert_eq!(folder.names(), ["damaged.npz"]);
    }
}

#[test]
fn a_bool_that_is_neither_0_nor_1_is_no_array_of_numpy() {
    let folder = Folder::new();
    let tensor = |bytes| TensorView::new(Dtype::BOOL, vec![3], bytes).unwrap();
    for (bytes, code) in [(&[1, 0, 1], 0), (&[1, 0, 2], 3)] {
        let path = folder.write("t.safetensors", safetensors::serialize([("ok", tensor(bytes))], None).unwrap());
        for args in [&["--dry-run"][..], &[]] {
            let outcome = run([&["convert", "-f", &path, &folder.at("out.npz")], args].concat());
            assert_eq!(outcome.code, code, "{}", outcome.errors);
            assert_eq!(outcome.errors.contains("element 2"), code == 3, "{}", outcome.errors);
        }
    }
}
