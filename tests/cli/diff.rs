//! `npz diff`.

use std::fs;

use ndarray::{Array1, Array2, ShapeBuilder, array};
use npzmap::{MemberOptions, NpzWriter, Save, save};
use serde_json::Value;

use crate::forge::{Archive, stored, u32s};
use crate::run::{Folder, Outcome, fine, in_time, run};

/// Two archives of one array each, compared.
fn diff(a: &dyn Save, b: &dyn Save, args: &[&str]) -> Outcome {
    let folder = Folder::new();
    let (path_a, path_b) = (folder.at("a.npz"), folder.at("b.npz"));
    for (path, array) in [(&path_a, a), (&path_b, b)] {
        let mut writer = NpzWriter::create(path).unwrap();
        writer.add("x", &array).unwrap();
        writer.finish().unwrap();
    }
    run([&["diff", "--json", &path_a, &path_b], args].concat())
}

/// What, elements, max abs, max rel of the only difference.
fn numbers(outcome: &Outcome) -> (i32, Value, Value, Value, Value) {
    let row = &outcome.json()["differences"][0];
    let cell = |name: &str| row[name].clone();
    (outcome.code, cell("what"), cell("elements"), cell("max_abs"), cell("max_rel"))
}

#[test]
fn equal_archives_are_equal_by_crc_and_say_so() {
    let outcome = run(["diff", "tests/data/model-batch.npz", "tests/data/model-batch-stored.npz"]);
    assert_eq!((outcome.code, outcome.lines().len()), (0, 1));
    assert_eq!(
        outcome.errors,
        "npz: 0 keys differ, 3 are equal; 3 of these by CRC-32 and size alone (--full compares their elements)\n"
    );
    let full = fine(["diff", "--full", "--json", "tests/data/model-batch.npz", "tests/data/model-batch-stored.npz"]);
    assert_eq!((&full.json()["equal"], &full.json()["equal_by_crc32"]), (&3.into(), &0.into()));
}

#[test]
fn added_and_removed_keys_are_listed() {
    let outcome = run(["diff", "tests/data/model-batch.npz", "tests/data/weights.npz", "--include=*[st]"]);
    assert_eq!(outcome.code, 1);
    let rows: Vec<Vec<_>> = outcome.lines()[1..].iter().map(|line| line.split('\t').take(4).collect()).collect();
    assert_eq!(rows[0], ["features", "removed", "<f4 (3, 4)", "-"]);
    assert_eq!(rows[3], ["encoder/weight", "added", "-", "<f4 (3, 4)"]);
    assert_eq!(rows.len(), 5, "{}", outcome.text());
}

#[test]
fn floats_differ_in_number_and_by_the_largest_differences() {
    let (a, b) = (array![1.0, 2.0, -4.0, f64::INFINITY], array![1.0, 2.5, -5.0, f64::INFINITY]);
    let expected = (1, Value::from(vec!["values"]), 2.into(), 1.0.into(), 0.2.into());
    assert_eq!(numbers(&diff(&a, &b, &[])), expected);
    assert_eq!(diff(&a, &b, &["--rtol=0.2"]).code, 0);
    assert_eq!(diff(&a, &b, &["--atol=1"]).code, 0);
    assert_eq!(numbers(&diff(&a, &b, &["--atol=0.5"])).2, 1);
    assert_eq!(diff(&a, &b, &["--atol=-1"]).code, 2);
    let infinite = diff(&array![f32::INFINITY], &array![1.0_f32], &["--atol=1e30"]);
    assert_eq!(numbers(&infinite).3, "Infinity");
}

#[test]
fn integers_differ_exactly() {
    let (a, b) = (array![i64::MIN, 5], array![i64::MAX, 5]);
    let (code, _, elements, max, _) = numbers(&diff(&a, &b, &[]));
    assert_eq!((code, elements, max), (1, 1.into(), u64::MAX.into()));
}

#[test]
fn nan_is_equal_to_nan_by_flag_only() {
    let (a, b) = (array![f32::NAN, 1.0, 2.0], array![f32::NAN, 1.0, 3.0]);
    assert_eq!(numbers(&diff(&a, &b, &[])).2, 2);
    let by_flag = numbers(&diff(&a, &b, &["--equal-nan"]));
    assert_eq!((by_flag.2, by_flag.3), (1.into(), 1.0.into()));
    // The same bytes.
    assert_eq!(diff(&a, &a, &[]).code, 0);
    assert_eq!(numbers(&diff(&a, &a, &["--full"])).2, 1);
    assert_eq!(diff(&a, &a, &["--full", "--equal-nan"]).code, 0);
    assert_eq!(numbers(&diff(&array![f32::NAN], &array![1.0_f32], &["--equal-nan"])).2, 1);
}

#[test]
fn dtypes_differ_and_their_numbers_are_compared() {
    let outcome = diff(&array![1_i16, 2, 3], &array![1.0_f32, 2.0, 3.5], &[]);
    assert_eq!(numbers(&outcome).1, Value::from(vec!["dtype", "values"]));
    assert_eq!(numbers(&outcome).3, 0.5);
    let outcome = run(["diff", "--json", "--equal-nan", "tests/data/plain.npy", "tests/data/plain-be.npy"]);
    assert_eq!((numbers(&outcome).1, numbers(&outcome).2), (Value::from(vec!["dtype"]), 0.into()));
    let outcome = diff(&vec!["ab".to_owned()], &vec!["ab".to_owned(), "abc".into()], &[]);
    assert_eq!(numbers(&outcome).1, Value::from(vec!["dtype", "shape"]));
    let outcome = diff(&array![[1]], &array![1], &[]);
    assert_eq!((numbers(&outcome).1, numbers(&outcome).2), (Value::from(vec!["shape"]), Value::Null));
}

#[test]
fn numbers_of_the_other_byte_order_are_compared_as_numbers() {
    let folder = Folder::new();
    let file = |name: &str, dtype: &str, bytes: Vec<u8>| {
        let header = npzmap::Header::new(dtype.parse().unwrap(), &[2], npzmap::Order::C).unwrap();
        folder.write(name, [header.to_bytes(), bytes].concat())
    };
    let floats = |numbers: [f32; 2]| numbers.iter().flat_map(|x| x.to_be_bytes()).collect();
    let (a, b) = (file("a.npy", ">f4", floats([1.0, 2.0])), file("b.npy", ">f4", floats([1.0, 4.0])));
    let (_, _, elements, max_abs, max_rel) = numbers(&run(["diff", "--json", &a, &b]));
    assert_eq!((elements, max_abs, max_rel), (1.into(), 2.0.into(), 0.5.into()));
    let doubles = |numbers: [f64; 2]| numbers.iter().flat_map(|x| x.to_be_bytes()).collect();
    let (a, b) = (file("a.npy", ">f8", doubles([1.0, -2.0])), file("b.npy", ">f8", doubles([1.0, 2.0])));
    assert_eq!(numbers(&run(["diff", "--json", &a, &b])).3, 4.0);
    let whole = |numbers: [i16; 2]| numbers.iter().flat_map(|x| x.to_be_bytes()).collect();
    let (a, b) = (file("a.npy", ">i2", whole([-1, 7])), file("b.npy", ">i2", whole([1, 7])));
    assert_eq!(numbers(&run(["diff", "--json", &a, &b])).3, 2);
}

#[test]
fn the_order_in_which_elements_lie_is_no_difference() {
    let c = Array2::from_shape_fn((300, 700), |(i, j)| (i * 1000 + j) as f64);
    let mut f = Array2::zeros((300, 700).f());
    f.assign(&c);
    assert_eq!(diff(&c, &f, &[]).code, 0);
    assert_eq!(diff(&f, &c, &["--full"]).code, 0);
    f[(299, 699)] += 0.25;
    f[(0, 1)] += 0.5;
    for outcome in [diff(&c, &f, &[]), diff(&f, &c, &[])] {
        assert_eq!((numbers(&outcome).2, numbers(&outcome).3), (2.into(), 0.5.into()));
    }
}

#[test]
fn text_complex_numbers_dates_and_records_are_compared_by_their_values() {
    use npzmap::num_complex::Complex;
    let (a, b) = (array![Complex::new(0.0, 0.0)], array![Complex::new(3.0, 4.0)]);
    assert_eq!(numbers(&diff(&a, &b, &[])).3, 5.0);
    let (a, b) = (vec!["x".to_owned(), "y".into()], vec!["x".to_owned(), "long".into()]);
    assert_eq!((numbers(&diff(&a, &b, &[])).2, numbers(&diff(&a, &b, &[])).3), (1.into(), Value::Null));

    let folder = Folder::new();
    // Two bytes of padding, which are no part of the value.
    let dtype = "[('n', '<i2'), ('', '|V2'), ('x', '<f4')]";
    let header = npzmap::Header::new(dtype.parse().unwrap(), &[2], npzmap::Order::C).unwrap();
    let record = |n: i16, pad: u8, x: f32| [&n.to_le_bytes()[..], &[pad, pad], &x.to_le_bytes()].concat();
    let file = |name: &str, records: &[Vec<u8>]| folder.write(name, [header.to_bytes(), records.concat()].concat());
    let a = file("a.npy", &[record(1, 0, 0.5), record(2, 0, f32::NAN)]);
    let b = file("b.npy", &[record(1, 7, 0.5), record(5, 9, f32::NAN)]);
    let outcome = run(["diff", "--json", "--equal-nan", &a, &b]);
    assert_eq!((numbers(&outcome).2, numbers(&outcome).3), (1.into(), 3.into()));
}

#[test]
fn what_is_no_array_is_compared_by_its_bytes() {
    let folder = Folder::new();
    let write = |name: &str, notes: &[u8]| {
        let mut writer = NpzWriter::create(folder.at(name)).unwrap();
        writer.add_bytes("notes.txt", notes).unwrap();
        writer.finish().unwrap();
        folder.at(name)
    };
    let (a, b) = (write("a.npz", b"one"), write("b.npz", b"two"));
    assert_eq!(numbers(&run(["diff", "--json", &a, &b])).1, Value::from(vec!["bytes"]));
    assert_eq!(run(["diff", "--full", &a, &a]).code, 0);
}

#[test]
fn a_member_that_cannot_be_read_goes_before_differences() {
    let folder = Folder::new();
    let mut bytes = fs::read("tests/data/model-batch-stored.npz").unwrap();
    bytes[430] ^= 1;
    let bad = folder.write("bad.npz", bytes);
    // The directory says that they are the same: --full finds that they are not.
    assert_eq!(run(["diff", "tests/data/model-batch.npz", &bad]).code, 0);
    let outcome = run(["diff", "--full", "tests/data/model-batch.npz", &bad]);
    assert_eq!(outcome.code, 3);
    assert!(outcome.errors.contains("labels: CRC-32 is"), "{}", outcome.errors);
    assert_eq!(run(["diff", "--full", "tests/data/object.npz", "tests/data/object.npz"]).code, 4);
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded_whatever_the_size() {
    use std::process::Command;
    let folder = Folder::new();
    let mut array = Array1::<f32>::zeros(32 << 20); // 128 MiB
    save(folder.at("a.npy"), &array).unwrap();
    array[7] = 1.0;
    let mut writer = NpzWriter::create(folder.at("b.npz")).unwrap();
    writer.add_with("a", &array, MemberOptions::new().deflate(1)).unwrap();
    writer.finish().unwrap();
    let (a, b) = (folder.at("a.npy"), folder.at("b.npz"));
    // Less address space than one of the arrays would take.
    let limited = format!("ulimit -v 120000; exec {} diff --json {a} {b}", env!("CARGO_BIN_EXE_npz"));
    let output = Command::new("sh").args(["-c", &limited]).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &document["differences"][0]["elements"]), (Some(1), &1.into()));
}

/// A plain file of these elements.
fn plain(folder: &Folder, name: &str, dtype: &str, elements: &[&[u8]]) -> String {
    let header = npzmap::Header::new(dtype.parse().unwrap(), &[elements.len()], npzmap::Order::C).unwrap();
    folder.write(name, [header.to_bytes(), elements.concat()].concat())
}

#[test]
fn integers_and_floats_are_compared_exactly() {
    let exact = 1_i64 << 53;
    let (a, b) = (array![exact + 1, 7, i64::MAX], array![exact as f64, 7.0, i64::MAX as f64]);
    // 2^63 - 1 is no f64; its nearest is 2^63.
    let outcome = diff(&a, &b, &[]);
    assert_eq!((numbers(&outcome).2, numbers(&outcome).3), (2.into(), 1.into()));
    let outcome = diff(&b, &a, &["--atol=0.5"]);
    assert_eq!(numbers(&outcome).2, 2);
    assert_eq!(numbers(&diff(&array![1_i32, 2], &array![1.5, 2.0], &[])).3, 0.5);
}

#[test]
fn long_doubles_have_differences_and_nan() {
    let folder = Folder::new();
    // x86's 80 bits: the mantissa with its leading one, then exponent and sign.
    let long = |mantissa: u64, exponent: u16| [&mantissa.to_le_bytes()[..], &exponent.to_le_bytes(), &[0; 6]].concat();
    let (one, next, two) = (long(1 << 63, 0x3fff), long((1 << 63) + 1, 0x3fff), long(1 << 63, 0x4000));
    let (huge, huger, nan) = (long(1 << 63, 0x7ff0), long((1 << 63) + 1, 0x7ff0), long(3 << 62, 0x7fff));
    let compared = |a: &[&[u8]], b: &[&[u8]], options: &[&str]| {
        let (a, b) = (plain(&folder, "a.npy", "<f16", a), plain(&folder, "b.npy", "<f16", b));
        run([&["diff", "--json", &a, &b], options].concat())
    };
    let outcome = compared(&[&one, &two], &[&one, &one], &[]);
    assert_eq!(numbers(&outcome), (1, vec!["values"].into(), 1.into(), 1.0.into(), 1.0.into()));
    // The last of 64 bits, and numbers that no f64 comes near to.
    assert_eq!(numbers(&compared(&[&next], &[&one], &[])).3, 2_f64.powi(-63));
    let outcome = compared(&[&huge], &[&huger], &[]);
    assert_eq!((numbers(&outcome).2, numbers(&outcome).3), (1.into(), Value::Null));
    let same: &[&[u8]] = &[&nan, &one];
    assert_eq!(numbers(&compared(same, same, &[])).2, 1);
    assert_eq!(compared(same, same, &["--equal-nan"]).code, 0);
}

#[test]
fn long_doubles_are_compared_where_f64_and_integers_end() {
    let folder = Folder::new();
    let long = |mantissa: u64, exponent: u16| [&mantissa.to_le_bytes()[..], &exponent.to_le_bytes(), &[0; 6]].concat();
    let compared = |a: (&str, &[u8]), b: (&str, &[u8]), options: &[&str]| {
        let (a, b) = (plain(&folder, "a.npy", a.0, &[a.1]), plain(&folder, "b.npy", b.0, &[b.1]));
        let outcome = run([&["diff", "--json", &a, &b], options].concat());
        let (code, _, elements, largest, _) = numbers(&outcome);
        (code, elements, largest)
    };
    let longs = |a: &[u8], b: &[u8], options: &[&str]| compared(("<f16", a), ("<f16", b), options);
    let equal = (0, Value::Null, Value::Null);
    // Beyond the integers of 128 bits: two thirds of 2^198, and 2^198.
    let (third, whole) = (long(0xaaaa_aaaa_aaaa_aaab, 0x3fff + 197), long(1 << 63, 0x3fff + 198));
    let distance = 0x5555_5555_5555_5555_u64 as f64 * 2_f64.powi(134);
    assert_eq!(longs(&third, &whole, &[]), (1, 1.into(), distance.into()));
    assert_eq!(longs(&whole, &third, &[]), (1, 1.into(), distance.into()));
    assert_eq!(longs(&whole, &third, &["--rtol=0.51"]), equal);
    assert_eq!(longs(&third, &third, &[]), equal);
    assert_eq!(compared(("<f16", &third), ("<i8", &[0; 8]), &[]).1, 1);
    // Nearer to 0 than any f64, and nearer to each other.
    let (tiny, other, zero) = (long(1, 0), long(2, 0), long(0, 0));
    for (a, b) in [(&tiny, &other), (&tiny, &zero), (&zero, &tiny)] {
        assert_eq!(longs(a, b, &[]), (1, 1.into(), 0.0.into()));
        assert_eq!(longs(a, b, &["--atol=1e-300"]), equal);
    }
    assert_eq!(longs(&tiny, &tiny, &[]), equal);
    assert_eq!(longs(&zero, &long(0, 0x8000), &[]), equal);
    // Numbers of both widths, each as what it is.
    let against = |a: &[u8], b: f64| compared(("<f16", a), ("<f8", &b.to_le_bytes()), &[]);
    assert_eq!(against(&long(3 << 62, 0x3fff), 1.5), (1, 0.into(), Value::Null)); // the dtype differs
    assert_eq!(against(&long((1 << 63) + 1, 0x3fff), 1.0), (1, 1.into(), 2_f64.powi(-63).into()));
    assert_eq!(against(&long(1 << 63, 0x7ff0), f64::INFINITY).1, 1);
    assert_eq!(against(&long(1 << 63, 0x7fff), f64::INFINITY).1, 0);
    assert_eq!(against(&long(1 << 63, 0xffff), f64::INFINITY).1, 1);
    assert_eq!(against(&tiny, 0.0).1, 1);
    assert_eq!(against(&zero, -0.0).1, 0);
}

#[test]
fn padding_and_sub_arrays_are_compared_item_by_item() {
    let folder = Folder::new();
    let compared = |dtype: &str, a: [f32; 4], b: [f32; 4]| {
        let [a, b] = [("a.npy", a), ("b.npy", b)].map(|(name, numbers)| {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            plain(&folder, name, dtype, &[&bytes[..8], &bytes[8..]])
        });
        let (code, _, elements, largest, _) = numbers(&run(["diff", "--json", &a, &b]));
        (code, elements, largest)
    };
    let (a, b) = ([1.0, 2.0, 3.0, 4.0], [1.0, 2.5, 3.0, 9.0]);
    assert_eq!(compared("[('x', '<f4'), ('', '|V4')]", a, b), (0, Value::Null, Value::Null));
    assert_eq!(compared("[('x', '<f4', (2,))]", a, [2.0, 2.5, 3.0, 4.0]), (1, 1.into(), 1.0.into()));
}

#[test]
fn a_relative_difference_is_that_to_what_is_not_zero() {
    let outcome = diff(&array![1.0, 3.0], &array![0.0, 2.0], &[]);
    assert_eq!((numbers(&outcome).3, numbers(&outcome).4), (1.0.into(), 0.5.into()));
    assert_eq!(numbers(&diff(&array![1.0], &array![0.0], &[])).4, Value::Null);
}

#[test]
fn keys_choose_and_are_in_one_of_the_two() {
    let (a, b) = ("tests/data/model-batch.npz", "tests/data/weights.npz");
    let outcome = run(["diff", a, b, "labels", "optim/step.npy"]);
    let whats: Vec<_> = outcome.lines()[1..].iter().map(|line| line.split('\t').nth(1).unwrap().to_owned()).collect();
    assert_eq!((outcome.code, whats), (1, vec!["removed".to_owned(), "added".into()]));
    let outcome = run(["diff", a, b, "lables"]);
    assert_eq!(outcome.code, 5);
    assert!(outcome.errors.ends_with("did you mean 'labels'?\n"), "{}", outcome.errors);
    assert_eq!(run(["diff", a, b, "labels", "--include=*"]).code, 2);
}

#[test]
fn a_single_item_is_held_within_the_limit() {
    let folder = Folder::new();
    let item = vec![1; 4000];
    let (a, b) = (plain(&folder, "a.npy", "|V4000", &[&item]), plain(&folder, "b.npy", "|V4000", &[&item]));
    let diff = |limit: &str| run(["diff", "--max-array-bytes", limit, &a, &b]);
    assert_eq!([diff("7999").code, diff("8000").code], [3, 0]);
}

#[test]
fn an_archive_of_keys_that_hide_each_other_is_equal_to_itself() {
    let folder = Folder::new();
    // The member of `x` has the name that is the other's key. Our writer refuses that, others do not.
    let entries = vec![stored("x.npy.npy", &u32s(&[1])), stored("x.npy", &u32s(&[2]))];
    let path = folder.write("hiding.npz", Archive::new(entries).bytes());
    for options in [&["diff"][..], &["diff", "--full"]] {
        let outcome = run([options, &["--json", &path, &path]].concat());
        assert_eq!((outcome.code, &outcome.json()["equal"]), (0, &2.into()), "{}", outcome.text());
    }
}

#[test]
fn thousands_of_keys_are_compared_in_linear_time() {
    let folder = Folder::new();
    let path = folder.at("many.npz");
    let mut writer = NpzWriter::create(&path).unwrap();
    let keys: Vec<String> = (0..20_000).map(|number| format!("k{number}")).collect();
    keys.iter().for_each(|key| writer.add(key, &[1_u8][..]).unwrap());
    writer.finish().unwrap();
    let start = std::time::Instant::now();
    let arguments: Vec<&str> =
        ["diff", "--json", &path, &path].into_iter().chain(keys.iter().map(String::as_str)).collect();
    assert_eq!(fine(arguments).json()["equal"], 20_000);
    // Quadratic it would take minutes, in a build without optimisation.
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

#[test]
fn what_cannot_be_compared_stands_in_the_document() {
    let outcome = run(["diff", "--full", "--json", "tests/data/object.npz", "tests/data/object.npz"]);
    let document = outcome.json();
    let keys: Vec<_> = document["errors"].as_array().unwrap().iter().map(|error| &error["key"]).collect();
    assert_eq!(outcome.code, 4);
    assert!(keys.contains(&&Value::from("objects")), "{document}");
}

/// Archives of this many members each, whose keys have this length, and of which no two are the same.
fn of_many_keys(folder: &Folder, count: usize, length: usize) -> [String; 2] {
    ["a", "b"].map(|side| {
        let path = folder.at(&format!("{side}.npz"));
        let mut writer = NpzWriter::create(&path).unwrap().sync(false);
        for number in 0..count {
            writer.add(&format!("{number:0length$}{side}"), &[1_u8]).unwrap();
        }
        writer.finish().unwrap();
        path
    })
}

#[test]
fn keys_that_only_one_has_cost_a_look_up_each() {
    let folder = Folder::new();
    let [a, b] = of_many_keys(&folder, 5_000, 200);
    let outcome = in_time(["diff", &a, &b]);
    assert_eq!((outcome.code, outcome.lines().len()), (1, 1 + 10_000));
    let document = in_time(["diff", "--json", &a, &b]).json();
    assert_eq!(document["differences"].as_array().unwrap().len(), 10_000);
    assert_eq!((&document["equal"], &document["errors"]), (&0.into(), &Value::Array(Vec::new())));
}

#[cfg(target_os = "linux")]
#[test]
fn what_differs_is_printed_as_it_is_found_and_not_held() {
    use std::process::{Command, Stdio};
    let folder = Folder::new();
    let [a, b] = of_many_keys(&folder, 5_000, 4_000);
    // The two directories have 20 MB each, and the rows would have as much again in keys alone.
    let limited = format!("ulimit -v 75000; exec {} diff --json {a} {b}", env!("CARGO_BIN_EXE_npz"));
    let status = Command::new("sh").args(["-c", &limited]).stdout(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}
