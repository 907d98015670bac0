//! `npz cat`.

use std::fs;

use ndarray::{Array2, Array3, ShapeBuilder};
use npzmap::{Header, NpyWriter, NpzWriter, Order, save};

use crate::forge::{self, Archive, stored};
use crate::run::{Folder, fine, run};
#[cfg(target_os = "linux")]
use crate::run::{first, reads};

#[test]
fn a_member_comes_out_byte_for_byte() {
    let outcome = fine(["cat", "tests/data/model-batch.npz", "features"]);
    let npz = npzmap::Npz::open("tests/data/model-batch.npz").unwrap();
    assert_eq!(outcome.out, npz.member("features").unwrap().bytes().unwrap().into_owned());
    assert_eq!(fine(["cat", "tests/data/plain-f.npy"]).out, fs::read("tests/data/plain-f.npy").unwrap());
    assert_eq!(fine(["cat", "tests/data/keys.npz", "notes.txt"]).text(), "plain text\n");
}

/// Comparing takes the product of the lengths, and these would take minutes.
#[test]
fn long_keys_are_not_compared_with_a_mistyped_one() {
    let folder = Folder::new();
    let names = (0..200).map(|number| format!("{number:060000}.npy"));
    let entries = names.map(|name| stored(&name, &forge::u32s(&[1]))).collect();
    let path = folder.write("long.npz", Archive::new(entries).bytes());
    for length in [256, 257, 60_001] {
        let outcome = run(["cat", &path, &"0".repeat(length)]);
        assert_eq!(outcome.code, 5);
        assert!(outcome.errors.ends_with(": no such key; `npz ls` lists them\n"), "{length}");
    }
}

#[test]
fn a_mistyped_key_gets_a_suggestion() {
    let outcome = run(["cat", "tests/data/model-batch.npz", "lables"]);
    assert_eq!((outcome.code, outcome.out.len()), (5, 0));
    assert_eq!(outcome.errors, "npz: tests/data/model-batch.npz: lables: no such key; did you mean 'labels'?\n");
    let outcome = run(["cat", "tests/data/model-batch.npz", "xyz"]);
    assert!(outcome.errors.ends_with("xyz: no such key; `npz ls` lists them\n"), "{}", outcome.errors);
    let outcome = run(["cat", "tests/data/model-batch.npz"]);
    assert!(outcome.errors.contains("has 3 members; name a key, such as 'features'"), "{}", outcome.errors);
}

#[test]
fn raw_elements_are_in_c_order_and_the_byte_order_of_the_file() {
    let folder = Folder::new();
    // More rows than are turned round at once, and three axes.
    let fortran = Array3::from_shape_fn((300, 40, 500).f(), |(i, j, k)| (i * 20_000 + j * 500 + k) as u32);
    save(folder.at("f.npy"), &fortran).unwrap();
    let mut writer = NpzWriter::create(folder.at("f.npz")).unwrap();
    writer.add_with("f", &fortran, npzmap::MemberOptions::new().deflate(1)).unwrap();
    writer.finish().unwrap();
    let expected: Vec<u8> = (0..6_000_000_u32).flat_map(u32::to_le_bytes).collect();
    for file in ["f.npy", "f.npz"] {
        assert!(fine(["cat", "--raw", &folder.at(file)]).out == expected, "{file}");
    }
    let raw = fine(["cat", "--raw", "tests/data/plain-be.npy"]).out;
    let whole = fs::read("tests/data/plain-be.npy").unwrap();
    assert_eq!(raw, whole[128..]);
}

#[cfg(unix)]
#[test]
fn an_array_in_fortran_order_that_is_too_large_to_hold_is_turned_round_by_rows() {
    use std::os::unix::fs::FileExt;
    let folder = Folder::new();
    let (columns, item) = (26_000_u64, 4096_u64); // 304 MiB, most of them a hole
    let rows = 3;
    let shape = [rows as usize, columns as usize];
    let header = Header::new("|V4096".parse().unwrap(), &shape, Order::Fortran).unwrap().to_bytes();
    let path = folder.write("f.npy", &header);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(header.len() as u64 + rows * columns * item).unwrap();
    for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))).step_by(7) {
        let at = header.len() as u64 + (j * rows + i) * item;
        file.write_all_at(&(i * columns + j + 1).to_le_bytes(), at).unwrap();
    }
    let raw = fs::File::create(folder.at("raw")).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_npz"));
    assert!(command.args(["cat", "--raw", "--max-array-bytes=1", &path]).stdout(raw).status().unwrap().success());
    let raw = fs::File::open(folder.at("raw")).unwrap();
    assert_eq!(raw.metadata().unwrap().len(), rows * columns * item);
    for index in 0..rows * columns {
        let mut found = [0; 8];
        raw.read_exact_at(&mut found, index * item).unwrap();
        assert_eq!(u64::from_le_bytes(found), if index % 7 == 0 { index + 1 } else { 0 });
    }
}

#[test]
fn what_is_held_in_memory_is_bounded() {
    let folder = Folder::new();
    let fortran = Array2::<f64>::zeros((10, 10).f());
    NpyWriter::create(folder.at("f.npy")).unwrap().add(&fortran).unwrap();
    let mut writer = NpzWriter::create(folder.at("f.npz")).unwrap();
    writer.add_with("f", &fortran, npzmap::MemberOptions::new().deflate(1)).unwrap();
    writer.finish().unwrap();
    let outcome = run(["cat", "--raw", "--max-array-bytes=799", &folder.at("f.npz")]);
    assert_eq!((outcome.code, outcome.out.len()), (3, 0));
    // Both the content and its elements are bounded.
    assert!(outcome.errors.contains("--max-array-bytes"), "{}", outcome.errors);
    // A stored one is turned round by blocks.
    assert_eq!(fine(["cat", "--raw", "--max-array-bytes=799", &folder.at("f.npy")]).out.len(), 800);
}

/// Numbers in Fortran order, each the place in C order of its item.
#[cfg(target_os = "linux")]
fn numbered(folder: &Folder, descr: &str, shape: &[usize]) -> (String, Vec<u8>) {
    let header = Header::new(descr.parse().unwrap(), shape, Order::Fortran).unwrap();
    let item = header.dtype().item_size();
    let count = header.count();
    let bytes = |number: usize| {
        let mut bytes = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().to_vec();
        bytes.resize(item, 7);
        bytes
    };
    let mut file = header.to_bytes();
    for place in 0..count {
        let (mut rest, mut number, mut stride) = (place, 0, count);
        for length in shape {
            stride /= length;
            number += rest % length * stride;
            rest /= length;
        }
        file.extend(bytes(number));
    }
    (folder.write("numbered.npy", file), (0..count).flat_map(bytes).collect())
}

#[cfg(target_os = "linux")]
#[test]
fn a_stored_array_in_fortran_order_of_any_shape_is_read_once_with_little_memory() {
    let folder = Folder::new();
    let base = reads(["cat", "--raw", "tests/data/plain-f.npy"]).bytes;
    // From the temporary file, how often.
    for (descr, shape, again) in [
        // By parts of columns: 32 KiB of 6 or 7 columns.
        ("<f8", &[50_000, 6][..], 0),
        ("|S3", &[100_001, 7], 0),
        // All of it.
        ("<f8", &[40, 50], 0),
        // By item.
        ("|V5000", &[20, 30], 0),
        // Short parts, of whole columns and of columns longer than what is held.
        ("<f8", &[300, 500], 1),
        ("|u1", &[3000, 333], 1),
        ("|V7", &[41, 1, 5, 300], 1),
        ("<f8", &[20_000, 20], 1),
        // A row is more than what is held.
        ("|u1", &[2, 500_000], 1),
        ("<f8", &[9, 1, 30_000, 1], 1),
        ("<u2", &[5, 40, 3, 600], 2),
        ("|u1", &[2, 2, 2, 100_000], 3),
    ] {
        let (path, expected) = numbered(&folder, descr, shape);
        let arguments = ["cat", "--raw", "--max-array-bytes=1", &path];
        assert!(fine(arguments).out == expected, "{descr} {shape:?}");
        let read = reads(arguments).bytes - base;
        let most = expected.len() as u64 * (1 + again) + 4096;
        assert!(read <= most, "{descr} {shape:?}: {read} bytes of {}", expected.len());
        let memory = first(64 << 10, u64::MAX, arguments);
        assert!(memory.out == expected, "{descr} {shape:?}: {}", memory.errors);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_array_in_fortran_order_that_is_not_held_is_checked_against_its_crc() {
    let folder = Folder::new();
    for (descr, shape) in
        [("<f8", &[50_000, 6][..]), ("|V5000", &[20, 30]), ("<f8", &[300, 500]), ("<u2", &[5, 40, 3, 600])]
    {
        let (path, expected) = numbered(&folder, descr, shape);
        let mut archive = Archive::new(vec![stored("x.npy", &fs::read(&path).unwrap())]);
        let path = folder.write("a.npz", archive.bytes());
        let arguments = ["cat", "--raw", "--max-array-bytes=1", &path];
        assert!(fine(arguments).out == expected, "{descr} {shape:?}");
        archive.entries[0].data[200_003] ^= 1;
        folder.write("a.npz", archive.bytes());
        let outcome = run(arguments);
        assert_eq!((outcome.code, outcome.out.len()), (3, expected.len()), "{descr} {shape:?}");
        assert!(outcome.errors.starts_with("npz: x: CRC-32 is "), "{}", outcome.errors);
    }
}

/// Three blocks of rows with the memory that is taken without a limit.
#[cfg(target_os = "linux")]
#[test]
fn a_large_array_in_fortran_order_is_read_once() {
    let folder = Folder::new();
    let header = Header::new("|V64".parse().unwrap(), &[8192, 1000], Order::Fortran).unwrap();
    let path = folder.write("f.npy", header.to_bytes());
    let size = header.nbytes() as u64;
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(header.preamble_size() as u64 + size).unwrap();
    let read = reads(["cat", "--raw", &path]).bytes;
    assert!(read < size + size / 20, "{read} bytes of {size}");
}

#[test]
fn csv_has_rows_of_two_dimensions_and_lines_of_one() {
    let file = "tests/data/model-batch.npz";
    assert_eq!(fine(["cat", "--csv", file, "features"]).lines()[1], "4.0,5.0,6.0,7.0");
    assert_eq!(fine(["cat", "--csv", "--header", file, "features"]).lines()[0], "c0,c1,c2,c3");
    assert_eq!(
        fine(["cat", "--csv", "--header", file, "sample_ids"]).text(),
        "sample_ids\ntrain-001\ntrain-002\ntrain-003\n"
    );
    let csv = fine(["cat", "--csv", "tests/data/plain-f.npy"]);
    assert_eq!(csv.lines().len(), 3); // rows, not columns
}

#[test]
fn csv_of_records_has_the_fields_as_columns() {
    let folder = Folder::new();
    let dtype = "[('id', '<i4'), ('name', '<U3'), ('xy', '>f4', (2,)), ('at', '<M8[D]')]";
    let header = Header::new(dtype.parse().unwrap(), &[2], Order::C).unwrap();
    let mut bytes = header.to_bytes();
    for (id, name, x, day) in [(-1, "a,b", 0.1_f32, 0_i64), (7, "\"", f32::NAN, 19_782)] {
        bytes.extend(i32::to_le_bytes(id));
        let mut codes: Vec<u32> = name.chars().map(u32::from).collect();
        codes.resize(3, 0);
        bytes.extend(codes.iter().flat_map(|code| code.to_le_bytes()));
        bytes.extend([x.to_be_bytes(), (-x).to_be_bytes()].concat());
        bytes.extend(day.to_le_bytes());
    }
    let path = folder.write("records.npy", bytes);
    assert_eq!(
        fine(["cat", "--csv", "--header", &path]).text(),
        "id,name,xy[0],xy[1],at\n-1,\"a,b\",0.1,-0.1,1970-01-01\n7,\"\"\"\",nan,nan,2024-02-29\n"
    );
}

#[test]
fn dates_are_iso_dates_of_their_unit() {
    let folder = Folder::new();
    let date = |unit: &str, count: i64| {
        let header = Header::new(format!("<M8[{unit}]").parse().unwrap(), &[], Order::C).unwrap();
        let path = folder.write("date.npy", [header.to_bytes(), count.to_le_bytes().to_vec()].concat());
        fine(["cat", "--csv", &path]).text().trim_end().to_owned()
    };
    // As str(np.datetime64(count, unit)) prints them.
    for (unit, count, expected) in [
        ("Y", 54, "2024"),
        ("M", 649, "2024-02"),
        ("W", 1, "1970-01-08"),
        ("D", -1, "1969-12-31"),
        ("h", -1, "1969-12-31T23"),
        ("m", 61, "1970-01-01T01:01"),
        ("s", 951_782_400, "2000-02-29T00:00:00"),
        ("ms", -1, "1969-12-31T23:59:59.999"),
        ("us", 1, "1970-01-01T00:00:00.000001"),
        ("ns", 1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789"),
        ("as", 1, "1970-01-01T00:00:00.000000000000000001"),
        ("Y", i64::MAX, "-9223372036854773839"), // as NumPy's overflows
        ("15m", 3, "1970-01-01T00:45"),
        ("D", i64::MIN, "NaT"),
    ] {
        assert_eq!(date(unit, count), expected, "{unit} {count}");
    }
}

#[test]
fn what_has_no_form_in_csv_is_not_supported() {
    let outcome = run(["cat", "--csv", "tests/data/longdouble.npz", "longdouble"]);
    assert!(outcome.code == 4 || outcome.code == 5, "{}", outcome.errors);
    let outcome = run(["cat", "--csv", "tests/data/kinds-stored.npz", "f8-le-c3"]);
    assert_eq!(outcome.code, 4, "{}", outcome.errors);
    let outcome = run(["cat", "tests/data/object.npz", "objects", "--csv"]);
    assert_eq!((outcome.code, outcome.out.len()), (4, 0), "{}", outcome.errors);
}

#[cfg(target_os = "linux")]
#[test]
fn binary_data_is_kept_off_terminals() {
    let text = crate::terminal::on_terminal(&["cat", "tests/data/plain.npy", "--color=never"], &[]);
    assert_eq!(text, "npz: binary data is not written to a terminal; redirect it, or use --csv\n");
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_terminal_gets_does_nothing_to_it() {
    let folder = Folder::new();
    let path = folder.at("texts.npz");
    let mut writer = NpzWriter::create(&path).unwrap();
    writer.add_strings("\u{1b}[31mkey", &["a\u{1b}]0;title\u{7}", "b\r\tc"]).unwrap();
    writer.add_bytes("notes.txt", b"one\n\x1b[2Jtwo\tthree\xff").unwrap();
    writer.add_bytes("image.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    writer.finish().unwrap();
    let terminal =
        |args: &[&str]| crate::terminal::on_terminal(&[&["cat", &path], args].concat(), &[("NO_COLOR", "1")]);
    let key = "\u{1b}[31mkey";
    let shown = "\\u{1b}[31mkey\na\\u{1b}]0;title\\u{7}\n\"b\\r\tc\"\n";
    assert_eq!(terminal(&["--csv", "--header", key]), shown);
    assert_eq!(terminal(&["notes.txt"]), "one\n\\u{1b}[2Jtwo\tthree\u{fffd}");
    assert_eq!(terminal(&["image.png"]), "npz: binary data is not written to a terminal; redirect it\n");
    // In a pipe bytes are bytes.
    assert_eq!(fine(["cat", &path, "notes.txt"]).out, b"one\n\x1b[2Jtwo\tthree\xff");
}

#[test]
fn what_is_no_value_is_an_error_in_csv() {
    let folder = Folder::new();
    let flags = forge::npy("'|b1'", "(3,)", &[1, 0, 2]);
    let texts = forge::npy("'<U1'", "(1,)", &[0, 0xd8, 0, 0]);
    for (name, bytes, message) in [("flags.npy", flags, "row 2 has no valid |b1"), ("texts.npy", texts, "row 0 has no")]
    {
        let outcome = run(["cat", "--csv", &folder.write(name, bytes)]);
        assert_eq!(outcome.code, 3);
        assert!(outcome.errors.contains(message), "{}", outcome.errors);
    }
}

/// A plain file of this header, without elements.
fn empty(folder: &Folder, name: &str, descr: &str, shape: &[usize]) -> String {
    let header = Header::new(descr.parse().unwrap(), shape, Order::C).unwrap();
    folder.write(name, header.to_bytes())
}

#[test]
fn csv_of_nothing_is_nothing_however_many_rows_or_columns_it_has() {
    let folder = Folder::new();
    let wide = empty(&folder, "wide.npy", "|i1", &[0, 1 << 60]);
    let tall = empty(&folder, "tall.npy", "<f8", &[1 << 40, 0]);
    let records = empty(&folder, "records.npy", "[('a', '|b1', (2000000000,))]", &[0]);
    for file in [&wide, &tall, &records] {
        assert_eq!(fine(["cat", "--csv", file]).text(), "");
    }
    for file in [&wide, &records] {
        let outcome = run(["cat", "--csv", "--header", file]);
        assert_eq!((outcome.code, outcome.text()), (4, ""));
        assert!(outcome.errors.ends_with("columns are too many to name\n"), "{}", outcome.errors);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn errors_that_nobody_reads_change_no_exit_code() {
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    for (args, code) in [(["cat", "no-such.npz", "x"], 3), (["cat", "tests/data/model-batch.npz", "lables"], 5)] {
        let status = std::process::Command::new(env!("CARGO_BIN_EXE_npz")).args(args).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(code));
    }
}
