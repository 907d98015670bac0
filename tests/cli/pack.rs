//! `npz pack`.

use std::fs;

use ndarray::{Array1, Array2, Ix1, Ix2};
use npzmap::{Npz, save};

use crate::run::{Folder, fine, npz, outcome, run};

#[test]
fn files_go_in_byte_for_byte_aligned_under_key_or_stem() {
    let folder = Folder::new();
    let out = folder.at("out.npz");
    let files = ["tests/data/plain-be.npy", "f/ortran=tests/data/plain-f.npy", "tests/data/python2-header.npy"];
    let packed = fine(["pack", "-o", &out].into_iter().chain(files));
    assert_eq!(packed.lines()[2], "f/ortran\t<f4\t(3, 4)\t48");
    let npz = Npz::open(&out).unwrap();
    assert_eq!(npz.keys().collect::<Vec<_>>(), ["plain-be", "f/ortran", "python2-header"]);
    for (member, file) in npz.members().zip(["plain-be", "plain-f", "python2-header"]) {
        assert_eq!(*member.bytes().unwrap(), fs::read(format!("tests/data/{file}.npy")).unwrap());
        assert_eq!(member.payload_offset().unwrap().unwrap() % 64, 0);
    }
    assert_eq!(run(["check", &out]).code, 0);
}

#[test]
fn standard_input_needs_a_key() {
    let folder = Folder::new();
    let out = folder.at("out.npz");
    let bytes = fs::read("tests/data/plain.npy").unwrap();
    let packed = outcome(npz(["pack", "-o", &out, "w=-"]).write_stdin(&*bytes));
    assert_eq!((packed.code, packed.lines()[1]), (0, "w\t<f4\t(3, 4)\t48"));
    assert_eq!(*Npz::open(&out).unwrap().member("w").unwrap().bytes().unwrap(), bytes);
    let packed = outcome(npz(["pack", "-fo", &out, "w=-"]).write_stdin("1,2\n3,4\n"));
    assert_eq!((packed.code, packed.lines()[1]), (0, "w\t<i8\t(2, 2)\t32"));
    assert_eq!(outcome(npz(["pack", "-fo", &out, "-"]).write_stdin("1\n")).code, 2);
}

#[test]
fn csv_gets_the_dtype_that_all_cells_have() {
    let folder = Folder::new();
    let packed = |csv: &str, args: &[&str]| {
        let (path, out) = (folder.write("t.csv", csv), folder.at("out.npz"));
        let outcome = run([&["pack", "-fo", &out, &path], args].concat());
        assert_eq!(outcome.code, 0, "{}", outcome.errors);
        outcome.lines()[1].to_owned()
    };
    assert_eq!(packed("1\n-2\n", &[]), "t\t<i8\t(2,)\t16");
    assert_eq!(packed("1,18446744073709551615\n", &[]), "t\t<u8\t(1, 2)\t16");
    assert_eq!(packed("1,0.5\n", &[]), "t\t<f8\t(1, 2)\t16");
    assert_eq!(packed("1,\n2,nan\n", &[]), "t\t<f8\t(2, 2)\t32");
    assert_eq!(packed("True\nFalse\n", &[]), "t\t|b1\t(2,)\t2");
    assert_eq!(packed("ä,\"b,c\"\n", &[]), "t\t<U3\t(1, 2)\t24");
    assert_eq!(packed("x,y\n1,2\n", &[]), "t\t<i8\t(1, 2)\t16"); // names
    assert_eq!(packed("x,y\n1,2\n", &["--header=no"]), "t\t<U1\t(2, 2)\t16");
    assert_eq!(packed("5,6\n1,2\n", &["--header=yes"]), "t\t<i8\t(1, 2)\t16");
    assert_eq!(packed("1\n2\n", &["--dtype=>f2"]), "t\t>f2\t(2,)\t4");
    assert_eq!(packed("1\n2\n", &["--dtype=S3"]), "t\t|S3\t(2,)\t6");
}

#[test]
fn a_cell_that_does_not_fit_is_named_with_its_place() {
    let folder = Folder::new();
    let path = folder.write("t.csv", "1,2\n3,300\n");
    let outcome = run(["pack", "-o", &folder.at("out.npz"), "--dtype=u1", &path]);
    assert_eq!((outcome.code, folder.names()), (3, vec!["t.csv".to_owned()]));
    assert!(outcome.errors.ends_with("t.csv: line 2, column 2: \"300\" is no |u1\n"), "{}", outcome.errors);
    let path = folder.write("t.csv", "1,2\n3\n");
    assert_eq!(run(["pack", "-o", &folder.at("out.npz"), &path]).code, 3);
}

#[test]
fn csv_there_and_back_is_the_same_array() {
    let folder = Folder::new();
    let floats: Vec<f64> = (0..2000_u64).map(|i| f64::from_bits(i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let odd = [0.0, -0.0, 1e300, 5e-324, 0.1, 1.0 / 3.0, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, 1e16];
    let numbers: Vec<f64> = floats.into_iter().chain(odd).filter(|x| !x.is_nan()).collect();
    let pairs = numbers.len() / 2;
    let wide = Array2::from_shape_vec((pairs, 2), numbers[..pairs * 2].to_vec()).unwrap();
    let narrow = Array1::from_iter(wide.iter().map(|x| *x as f32));
    let half = Array1::from_iter((0..0x7c00_u16).map(half::f16::from_bits));
    save(folder.at("wide.npy"), &wide).unwrap();
    save(folder.at("narrow.npy"), &narrow).unwrap();
    save(folder.at("half.npy"), &half).unwrap();
    for (name, dtype) in [("wide", "f8"), ("narrow", "f4"), ("half", "f2")] {
        let csv = fine(["cat", "--csv", "--header", &folder.at(&format!("{name}.npy"))]);
        folder.write("t.csv", csv.out);
        let out = folder.at(&format!("{name}.npz"));
        fine(["pack", "-o", &out, "--header=yes", "--dtype", dtype, &format!("{name}={}", folder.at("t.csv"))]);
    }
    let bits = |x: &f64| x.to_bits();
    let read = Npz::open(folder.at("wide.npz")).unwrap().read::<f64, Ix2>("wide").unwrap();
    assert_eq!(read.map(bits), wide.map(bits));
    let read = Npz::open(folder.at("narrow.npz")).unwrap().read::<f32, Ix1>("narrow").unwrap();
    assert_eq!(read.map(|x| x.to_bits()), narrow.map(|x| x.to_bits()));
    let read = Npz::open(folder.at("half.npz")).unwrap().read::<half::f16, Ix1>("half").unwrap();
    assert_eq!(read.map(|x| x.to_bits()), half.map(|x| x.to_bits()));
}

#[test]
fn complex_numbers_come_back_too() {
    let folder = Folder::new();
    let path = folder.write("t.csv", "1.5-2e-05j\n(nan+infj)\n-3\n2j\n");
    fine(["pack", "-o", &folder.at("c.npz"), "--dtype=c16", &path]);
    let csv = fine(["cat", "--csv", &folder.at("c.npz")]);
    assert_eq!(csv.text(), "1.5-2e-5j\nnan+infj\n-3.0+0.0j\n0.0+2.0j\n");
}

#[test]
fn nothing_is_written_when_one_input_is_wrong() {
    let folder = Folder::new();
    let out = folder.at("out.npz");
    for (inputs, code) in [
        (&["tests/data/plain.npy", "none/other.npy"][..], 3),
        (&["tests/data/plain.npy", "plain=tests/data/plain-be.npy"], 2),
        (&["tests/data/plain.npy", "Cargo.toml"], 3),
        (&["tests/data/plain.npy", "--dtype=float", "tests/data/plain-f.npy"], 2),
    ] {
        assert_eq!(run([&["pack", "-o", &out], inputs].concat()).code, code, "{inputs:?}");
    }
    fine(["pack", "--dry-run", "-o", &out, "tests/data/plain.npy"]);
    assert_eq!(folder.names().len(), 0);
    let old = folder.write("out.npz", "old");
    assert_eq!(run(["pack", "-o", &old, "tests/data/plain.npy"]).code, 2);
    assert_eq!(fs::read(old).unwrap(), b"old");
}

#[test]
fn standard_input_is_read_once_only() {
    let folder = Folder::new();
    let outcome = outcome(npz(["pack", "-o", &folder.at("out.npz"), "a=-", "b=-"]).write_stdin("1,2\n"));
    assert_eq!(outcome.code, 2);
    assert!(outcome.errors.ends_with("standard input can be read once only\n"), "{}", outcome.errors);
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn csv_without_rows_has_the_columns_that_are_named() {
    let folder = Folder::new();
    for (csv, header, shape) in [("", "auto", "(0,)"), ("x,y\n", "yes", "(0, 2)"), ("x\n", "yes", "(0,)")] {
        let (path, out) = (folder.write("t.csv", csv), folder.at("out.npz"));
        let packed = fine(["pack", "-fo", &out, "--header", header, &path]);
        assert_eq!(packed.lines()[1], format!("t\t<f8\t{shape}\t0"));
        assert_eq!(Npz::open(&out).unwrap().member("t").unwrap().header().unwrap().count(), 0);
    }
}

#[test]
fn blanks_are_part_of_a_text_and_nothing_around_a_number() {
    let folder = Folder::new();
    let out = folder.at("out.npz");
    let text = "\" a \",b\n c,\"\"\n";
    fine(["pack", "-o", &out, &folder.write("t.csv", text)]);
    assert_eq!(fine(["cat", "--csv", &out]).text(), " a ,b\n c,\n");
    let packed = fine(["pack", "-fo", &out, &folder.write("t.csv", " 1, -2\n 3 ,\t4\n")]);
    assert_eq!(packed.lines()[1], "t\t<i8\t(2, 2)\t32");
}

#[test]
fn what_is_held_in_memory_is_bounded() {
    let folder = Folder::new();
    let out = folder.at("out.npz");
    let path = folder.write("t.csv", "1\n".repeat(100));
    let pack = |limit: &str| run(["pack", "-fo", &out, "--max-array-bytes", limit, &path]);
    // 200 bytes of text, 800 of numbers.
    assert_eq!([pack("199").code, pack("799").code, pack("800").code], [3, 3, 0]);
    assert!(pack("799").errors.contains("--max-array-bytes raises it"), "{}", pack("799").errors);
    let npy = fs::read("tests/data/plain.npy").unwrap();
    let mut command = npz(["pack", "-fo", &out, "--max-array-bytes=100", "x=-"]);
    assert_eq!(outcome(command.write_stdin(npy)).code, 3);
}

#[test]
fn keys_are_not_empty_and_options_for_csv_need_csv() {
    let folder = Folder::new();
    let out = folder.at("out.npz");
    let outcome = run(["pack", "-o", &out, "=tests/data/plain.npy"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.errors.contains("the key is empty"), "{}", outcome.errors);
    for option in ["--dtype=f4", "--header=no"] {
        let outcome = run(["pack", "-o", &out, option, "tests/data/plain.npy"]);
        assert_eq!((outcome.code, folder.names()), (2, Vec::new()));
        assert!(outcome.errors.contains("are for CSV"), "{}", outcome.errors);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_of_files_need_not_be_text() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::Path;

    let folder = Folder::new();
    let root = folder.at("");
    let at = |name: &[u8]| Path::new(&root).join(OsStr::from_bytes(name)).into_os_string();
    let (input, output) = (at(b"\xff.npy"), at(b"\xfe.npz"));
    fs::copy("tests/data/plain.npy", &input).unwrap();
    let named = OsString::from_vec([b"w=", input.as_bytes()].concat());
    fine([OsStr::new("pack"), "-o".as_ref(), &output, &named]);
    assert_eq!(Npz::open(&output).unwrap().keys().collect::<Vec<_>>(), ["w"]);
    let refused = run([OsStr::new("pack"), "-fo".as_ref(), &output, &input]);
    assert_eq!(refused.code, 2);
    assert!(refused.errors.contains("keys are UTF-8; name one with KEY=FILE"), "{}", refused.errors);
    let tensors = at(b"\xfd.safetensors");
    fine([OsStr::new("convert"), &output, &tensors]);
    assert!(fs::exists(&tensors).unwrap());
}

#[test]
fn a_dry_run_looks_at_all_that_is_looked_at() {
    let folder = Folder::new();
    let plain = "tests/data/plain.npy";
    for args in [
        &["-o", &folder.at("none/out.npz"), plain][..],
        &["-fo", &folder.at(""), plain],
        &["-o", &folder.at("out.npz"), "none/other.npy"],
    ] {
        let [dry, real] = [&["pack", "-n"][..], &["pack"]].map(|pack| run([pack, args].concat()));
        assert_eq!((dry.code, &dry.errors), (real.code, &real.errors), "{args:?}");
        assert!(dry.code > 0);
    }
    let document = fine(["pack", "-n", "--json", "-o", &folder.at("out.npz"), plain]).json();
    fine(["pack", "-o", &folder.at("out.npz"), plain]);
    assert_eq!(document["bytes"], fs::metadata(folder.at("out.npz")).unwrap().len());
}

#[cfg(target_os = "linux")]
#[test]
#[cfg_attr(not(debug_assertions), ignore = "optimised it may be done before there is a bar")]
fn a_bar_moves_within_a_large_array() {
    let folder = Folder::new();
    // Words that do not repeat, which take their time to deflate; more than is compressed in memory at once.
    let words = (1..=10_u64 << 20).map(|i| (i ^ (i >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let path = folder.at("large.npy");
    save(&path, &words.collect::<Vec<u64>>()[..]).unwrap();
    let args = ["pack", "-n", "--deflate=9", "-o", &folder.at("out.npz"), &path];
    let text = crate::terminal::on_terminal(&args, &[("NO_COLOR", "1")]);
    let bars: Vec<_> = text.split(" of 80.00 MiB").collect();
    let (_, before) = bars.split_last().unwrap();
    assert!(before.iter().any(|bar| bar.ends_with(" MiB") && !bar.ends_with("80.00 MiB")), "{text:?}");
}

#[test]
fn a_key_that_another_one_would_hide_is_refused() {
    let folder = Folder::new();
    let (out, input) = (folder.at("out.npz"), "tests/data/plain.npy");
    let outcome = run(["pack", "-o", &out, &format!("x.npy={input}"), &format!("x={input}")]);
    assert_eq!(outcome.code, 2);
    assert_eq!(
        outcome.errors,
        "npz: x.npy: would be hidden by the member of x, which has that name; choose another key\n"
    );
    assert_eq!(folder.names(), [""; 0]);
    fine(["pack", "-o", &out, &format!("x.npy={input}"), &format!("y={input}")]);
}

#[test]
fn a_quote_that_is_not_closed_is_an_error() {
    let folder = Folder::new();
    let out = folder.at("out.npz");
    for text in ["\"a\n1\n2\n", "a,b\n1,\"2\n", "\"a\"\"\n"] {
        let path = folder.write("a.csv", text);
        let outcome = run(["pack", "-o", &out, "-f", &path]);
        assert_eq!(outcome.code, 3, "{text:?}");
        assert!(outcome.errors.contains("a quote that is not closed"), "{}", outcome.errors);
    }
    for text in ["\"a\n1\"\n2\n", "\"say \"\"a\"\"\"\n", "5\" pipe\n\"b\"\n"] {
        fine(["pack", "-o", &out, "-f", "--header", "no", &folder.write("a.csv", text)]);
    }
}

#[test]
fn csv_that_is_malformed_is_named_with_record_line_and_byte() {
    let folder = Folder::new();
    let out = folder.at("out.npz");
    let long = format!("1\n{}\n", "ä".repeat(1000));
    for (text, args, problem) in [
        (
            &b"1,2\n\"a\nb\",4\n5\n"[..],
            &[] as &[&str],
            "CSV error: record 2 (line: 4, byte: 12): found record with 1 fields, but the previous record has 2 fields",
        ),
        (
            b"1,2\n3,x\xff\n",
            &[],
            "CSV parse error: record 1 (line 2, field: 1, byte: 4): invalid utf-8: invalid UTF-8 in field 1 near byte \
             index 1",
        ),
        // What is wrong with the text goes before what is wrong with its cells.
        (
            b"1,x\n3\n",
            &["--dtype=u1"],
            "CSV error: record 1 (line: 2, byte: 4): found record with 1 fields, but the previous record has 2 fields",
        ),
        (
            b"\"1\n\"\n\"2\n\"\n3,\n",
            &["--dtype=u1"],
            "CSV error: record 2 (line: 5, byte: 10): found record with 2 fields, but the previous record has 1 fields",
        ),
        (b"\"1\n\"\r\n2\r\n\r\nx\r\n", &["--dtype=u1"], "line 5, column 1: \"x\" is no |u1"),
        (long.as_bytes(), &["--dtype=S3"], &format!("line 2, column 1: \"{}\"… is no |S3", "ä".repeat(100))),
    ] {
        let path = folder.write("t.csv", text);
        let outcome = run([&["pack", "-o", &out, &path], args].concat());
        assert_eq!((outcome.code, outcome.errors), (3, format!("npz: {path}: {problem}\n")));
    }
}

#[test]
fn a_pipe_of_any_length_is_read_to_its_end() {
    let folder = Folder::new();
    let out = folder.at("out.npz");
    // More than what is read at once, at first and later.
    for rows in [0, 1, (1 << 19) - 1, 1 << 19, (1 << 20) + 1, 1_300_000] {
        let packed = outcome(npz(["pack", "-fo", &out, "--dtype=u1", "w=-"]).write_stdin("1\n".repeat(rows)));
        assert_eq!((packed.code, packed.lines()[1]), (0, &*format!("w\t|u1\t({rows},)\t{rows}")));
    }
}
