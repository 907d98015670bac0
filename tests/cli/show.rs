//! `npz show`. What it prints is held against NumPy by `tests/numpy/show.py`; here is what NumPy cannot say.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use npzmap::ndarray::Array2;
use npzmap::{Header, MemberOptions, NpzWriter, Order};
use tempfile::TempDir;

use crate::forge;
use crate::run::{Folder, bomb};
#[cfg(target_os = "linux")]
use crate::run::{first, reads};

fn command(file: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_npz"));
    command.arg("show").arg(file).args(arguments);
    command
}

fn show(file: &Path, arguments: &[&str]) -> Output {
    command(file, arguments).output().expect("the command runs")
}

#[track_caller]
fn prints(file: &Path, arguments: &[&str], expected: &str) {
    let output = show(file, arguments);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(0));
}

/// It ends with this code, prints nothing, and says these words.
#[track_caller]
fn refuses(file: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let output = show(file, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
}

/// Bytes that a run reads from files, the loading of the program included.
#[cfg(target_os = "linux")]
fn bytes_read(file: &Path, arguments: &[&str]) -> u64 {
    let file = file.to_str().expect("a path of characters");
    reads(["show", file].iter().chain(arguments)).bytes
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A plain file of zeros that takes no place on the disk.
fn sparse(folder: &TempDir, dtype: &str, shape: &[usize], order: Order) -> PathBuf {
    let path = folder.path().join("sparse.npy");
    let header = Header::new(dtype.parse().expect("a dtype"), shape, order).expect("a header");
    let mut file = File::create(&path).expect("a file");
    file.write_all(&header.to_bytes()).expect("it can be written");
    file.set_len((header.preamble_size() + header.nbytes()) as u64).expect("it may be long");
    path
}

const SUMMARY: &str = "[[0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n ...\n \
                       [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]]\n";

#[test]
fn a_hundred_gigabytes_are_shown_with_memory_for_what_is_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    for order in [Order::C, Order::Fortran] {
        let path = sparse(&folder, "<f8", &[1 << 17, 100_000], order);
        assert!(path.metadata().expect("it is there").len() > 100_000_000_000);
        prints(&path, &["--max-array-bytes", "288"], SUMMARY); // 6 by 6 doubles
        prints(&path, &["-3:, -1", "--max-array-bytes", "24"], "[0. 0. 0.]\n");
        refuses(&path, &["--max-array-bytes", "287"], 3, &["slice", "--max-array-bytes"]);
        refuses(&path, &["--json"], 3, &["too many to hold"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn of_a_stored_member_the_bytes_of_the_slice_are_read_and_gaps_up_to_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stored.npz");
    let array = Array2::<f32>::zeros((2000, 2000));
    let mut writer = NpzWriter::create(&path).expect("an archive");
    writer.add("c", &array).expect("a member");
    writer.add("f", &array.t()).expect("a member");
    writer.finish().expect("it is written");
    // The program itself, directory and headers: as much as one number costs.
    let least = bytes_read(&path, &["c", "0, 0"]);
    // Where items are less than a page apart, all from the first to the last.
    for (key, near, pairs) in [("c", 5 * 4, 1000 * 4), ("f", 4 * 800 + 4, 100 * 76)] {
        let more = |slice: &str| bytes_read(&path, &[key, slice]) - least.min(bytes_read(&path, &[key, "0, 0"]));
        assert_eq!(more("1000"), 6 * 4 - 4, "{key}");
        assert_eq!(more("500:, ::-1"), 36 * 4 - 4, "{key}");
        assert_eq!(more("3:1000:200, 7"), near - 4, "{key}");
        assert_eq!(more("..., :20:2, 0:100"), pairs - 4, "{key}");
    }
}

#[test]
fn items_without_bytes_are_shown_in_any_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = sparse(&folder, "<U0", &[1_000_000_000_000], Order::C);
    prints(&path, &[], "['' '' '' ... '' '' '']\n");
    // No axis is long enough to leave something out.
    let path = sparse(&folder, "<U0", &[6; 20], Order::C);
    refuses(&path, &[], 3, &["slice"]);
    refuses(&path, &["--json"], 3, &["slice"]);
    let path = sparse(&folder, "<f8", &[1_000_000_000_000, 0], Order::C);
    prints(&path, &[], "[]\n");
    prints(&path, &["::-7"], "[]\n");
    refuses(&path, &["--json"], 3, &["slice"]);
    let path = sparse(&folder, "<f8", &[0, 1_000_000_000_000], Order::C);
    prints(&path, &[], "[]\n");
}

#[test]
fn what_is_compressed_is_bounded_before_it_is_decoded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deflated.npz");
    let mut writer = NpzWriter::create(&path).expect("an archive");
    writer.add_with("a", &Array2::<f64>::zeros((1000, 1000)), MemberOptions::new().deflate(6)).expect("a member");
    writer.finish().expect("it is written");
    prints(&path, &["a"], SUMMARY);
    refuses(&path, &["a", "0, 0", "--max-array-bytes", "8000000"], 3, &["a", "limit"]);
}

#[test]
fn keys_can_be_left_out_where_there_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("one.npz");
    let mut writer = NpzWriter::create(&path).expect("an archive");
    writer.add("only", &Array2::<u8>::zeros((1, 2))).expect("a member");
    writer.finish().expect("it is written");
    prints(&path, &[], "[[0 0]]\n");
    prints(&data("plain.npy"), &["0, -2:"], "[ 1.5  -2.25]\n");
    refuses(&data("plain.npy"), &["plain", "0"], 2, &["no keys"]);
    refuses(&data("model-batch.npz"), &[], 2, &["3 members", "'features'"]);
}

#[test]
fn each_refusal_has_its_exit_code_and_says_what_is_wrong() {
    let path = data("model-batch.npz");
    refuses(&path, &["features", "3"], 2, &["features", "index 3 is out of bounds for axis 0 with size 3"]);
    refuses(&path, &["features", "0, 0, 0"], 2, &["too many indices", "2 dimensions"]);
    refuses(&path, &["features", "[0, 1], 2"], 2, &["basic indices"]);
    refuses(&path, &["features", "--field", "x"], 2, &["no field 'x'", "<f4"]);
    refuses(&data("object.npz"), &["objects"], 4, &["pickle"]);
    refuses(&path, &["feature"], 5, &["features"]);
    refuses(&data("make.py"), &["features"], 3, &["make.py"]);
}

#[test]
fn json_has_numbers_as_they_are_and_text_for_what_it_has_no_number_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.npz");
    let mut writer = NpzWriter::create(&path).expect("an archive");
    writer.add("big", &[u64::MAX, 1].as_slice()).expect("a member");
    writer.add("odd", &[f32::NAN, f32::NEG_INFINITY, 0.1, -0.0].as_slice()).expect("a member");
    writer.finish().expect("it is written");
    let values = |key| {
        let output = show(&path, &[key, "--json"]);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((&document["schema"], &document["key"]), (&1.into(), &key.into()));
        document["values"].to_string()
    };
    assert_eq!(values("big"), "[18446744073709551615,1]");
    assert_eq!(values("odd"), r#"["NaN","-Infinity",0.1,-0.0]"#);
}

fn member(folder: &Folder, descr: &str, shape: &str, elements: &[u8]) -> PathBuf {
    folder.write("bomb.npz", bomb(&forge::npy(descr, shape, elements))).into()
}

/// Held are the content of a compressed member and the items that are printed, not their text, which may be ten times
/// as long.
#[cfg(target_os = "linux")]
#[test]
fn the_text_of_what_is_shown_is_not_held() {
    const SIZE: usize = 4 << 20;
    const LIMIT: &str = "--max-array-bytes=4400000";
    let folder = Folder::new();
    let (zeros, ones) = (vec![0; SIZE], vec![1; SIZE]);
    let half = SIZE / 2;
    for (descr, shape, elements, begin) in [
        (format!("'|V{SIZE}'"), "()", &zeros, "b'\\x00\\x00"),
        (format!("'|V{SIZE}'"), "(1,)", &zeros, "[b'\\x00\\x00"),
        (format!("'|S{SIZE}'"), "()", &ones, "np.bytes_(b'\\x01\\x01"),
        (format!("'|S{half}'"), "(2,)", &ones, "[b'\\x01\\x01"),
        (format!("'<U{}'", SIZE / 4), "(1, 1)", &ones, "[['\\U01010101\\U01010101"),
        (format!("[('a', '|V{half}'), ('b', '|S{half}')]"), "()", &ones, "(b'\\x01\\x01"),
        (format!("[('a', '|V{}', (2, 2))]", SIZE / 4), "(1,)", &ones, "[([[b'\\x01\\x01"),
    ] {
        let path = member(&folder, &descr, shape, elements);
        let path = path.to_str().expect("a path of characters");
        // The text is 16 to 40 MiB.
        let outcome = first(36 << 10, 4 << 20, ["show", LIMIT, path]);
        assert_eq!((outcome.code, &*outcome.errors), (0, ""), "{descr} {shape}");
        assert!(outcome.text().starts_with(begin), "{descr} {shape}: {}", &outcome.text()[..50]);
        let json = first(36 << 10, 4 << 20, ["show", "--json", LIMIT, path]);
        assert_eq!((json.code, &*json.errors), (0, ""), "{descr} {shape}");
        assert!(json.out.len() == 4 << 20 && json.text().contains("\"values\":"), "{descr} {shape}");
    }
}

#[test]
fn a_word_longer_than_a_line_has_one_of_its_own_and_keeps_its_blanks() {
    let folder = Folder::new();
    let blanks = " ".repeat(100_000);
    let long = format!("x{blanks}y  ");
    let mut items = vec![0; 3 * long.len()];
    for (item, text) in items.chunks_mut(long.len()).zip(["a", &long, "b"]) {
        item[..text.len()].copy_from_slice(text.as_bytes());
    }
    let path = member(&folder, "'|S100004'", "(3,)", &items);
    prints(&path, &[], &format!("[b'a'\n b'{long}'\n b'b']\n"));
    let path = member(&folder, "'|S100004'", "(1,)", &items[100_004..200_008]);
    prints(&path, &[], &format!("[b'{long}']\n"));
    prints(&path, &["x", "0"], &format!("b'{long}'\n"));
}
