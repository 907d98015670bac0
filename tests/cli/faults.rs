//! What the system does to a run: files that change while they are read, what is no file, memory that is not granted.

use std::fs::{self, File};
use std::io::{Read, Write};
#[cfg(target_os = "linux")]
use std::os::unix::{fs::PermissionsExt, process::CommandExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::forge::{self, Archive, deflated, stored};
use crate::run::{Folder, Outcome, run};

/// The elements of `x`: many times what a pipe and a block hold.
const LENGTH: usize = 16 << 20;

fn archive(folder: &Folder) -> (String, Vec<u8>, Archive) {
    let elements: Vec<u8> = (0..LENGTH).map(|number| (number % 251) as u8).collect();
    let content = forge::npy("'|u1'", &format!("({LENGTH},)"), &elements);
    let archive = Archive::new(vec![stored("x.npy", &content), stored("y.npy", &forge::u32s(&[1]))]);
    (folder.write("a.npz", archive.bytes()), content, archive)
}

/// `npz cat`, stopped in the middle: it has written a little, and waits until somebody reads the pipe.
struct Stopped {
    child: Child,
    first: Vec<u8>,
}

impl Stopped {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_npz"));
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = vec![0; 1000];
        child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        Stopped { child, first }
    }

    /// Lets it go on to its end, which must be one of its own.
    fn go_on(mut self) -> Outcome {
        let mut out = self.first;
        self.child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        let output = self.child.wait_with_output().unwrap();
        let code = output.status.code();
        Outcome { code: code.expect("no signal"), out, errors: String::from_utf8(output.stderr).unwrap() }
    }
}

#[test]
fn a_file_that_is_cut_off_while_it_is_read_is_exit_code_3_and_no_signal() {
    let folder = Folder::new();
    let (path, content, _) = archive(&folder);
    let plain = folder.write("x.npy", &content);
    for (args, file) in
        [(vec!["cat", &path, "x"], &path), (vec!["cat", "--raw", &path, "x"], &path), (vec!["cat", &plain], &plain)]
    {
        let whole = fs::read(file).unwrap();
        for keep in [whole.len() as u64 / 2, 0] {
            let stopped = Stopped::start(&args);
            File::options().write(true).open(file).unwrap().set_len(keep).unwrap();
            let outcome = stopped.go_on();
            assert_eq!(outcome.code, 3, "{args:?} {}", outcome.errors);
            let what = if file == &plain { "x.npy: failed to fill" } else { "x: failed to fill" };
            assert!(outcome.errors.contains(what), "{}", outcome.errors);
            assert_eq!(outcome.errors.lines().count(), 1, "{}", outcome.errors);
            // What came out is the file's, up to where it was cut off.
            let begin = if args.contains(&"--raw") { 128 } else { 0 };
            assert!(outcome.out.len() < content.len() - begin && content[begin..].starts_with(&outcome.out));
            fs::write(file, &whole).unwrap();
        }
    }
}

#[test]
fn a_file_that_is_replaced_while_it_is_read_is_read_to_its_end() {
    let folder = Folder::new();
    let (path, content, _) = archive(&folder);
    let stopped = Stopped::start(&["cat", &path, "x"]);
    let other = folder.write("other.npz", Archive::new(vec![stored("x.npy", &forge::u32s(&[1]))]).bytes());
    fs::rename(other, &path).unwrap();
    let outcome = stopped.go_on();
    assert_eq!((outcome.code, &*outcome.errors), (0, ""));
    assert!(outcome.out == content);
}

#[test]
fn a_file_that_is_overwritten_while_it_is_read_is_told_by_the_crc() {
    let folder = Folder::new();
    let (path, content, mut archive) = archive(&folder);
    let stopped = Stopped::start(&["cat", &path, "x"]);
    *archive.entries[0].data.last_mut().unwrap() ^= 1;
    // The same file, not cut off before it is written.
    File::options().write(true).open(&path).unwrap().write_all(&archive.bytes()).unwrap();
    let outcome = stopped.go_on();
    assert_eq!((outcome.code, outcome.out.len()), (3, content.len()), "{}", outcome.errors);
    assert!(outcome.errors.contains(": x: ") && outcome.errors.contains("CRC-32"), "{}", outcome.errors);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_exit_code_3_and_not_waited_for() {
    let folder = Folder::new();
    let (fifo, one, other) = (folder.at("fifo"), folder.at("one"), folder.at("other"));
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    std::os::unix::fs::symlink(&one, &other).unwrap();
    std::os::unix::fs::symlink(&other, &one).unwrap();
    let empty = folder.write("empty", "");
    let folder_itself = folder.at("");
    for (path, message) in [
        (&*fifo, "not a regular file"),
        (&*folder_itself, "a directory"),
        ("/dev/zero", "not a regular file"),
        (&*one, "symbolic links"),
        (&*empty, "no ZIP end record in its 0 bytes"),
        ("no such file", "No such file"),
    ] {
        for command in ["ls", "cat", "check", "stat"] {
            let outcome = run([command, path]);
            assert_eq!(outcome.code, 3, "{command} {path}: {}", outcome.errors);
            let said = [outcome.text(), &outcome.errors].concat();
            assert!(said.contains(message) && said.contains(path), "{command} {path}: {said}");
        }
    }
}

/// `npz` with an address space of so many KiB.
#[cfg(target_os = "linux")]
fn limited(kib: u32, args: &[&str]) -> Outcome {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -v {kib} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_npz")]);
    let output = shell.args(args).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    Outcome { code: output.status.code().expect("no signal"), out: output.stdout, errors }
}

/// An array in Fortran order that must be held to be turned round: half a gibibyte of zeros in half a megabyte.
#[cfg(target_os = "linux")]
fn held(path: &Path) {
    const ROWS: usize = 1 << 15;
    let text = format!("{{'descr': '|u1', 'fortran_order': True, 'shape': ({}, {ROWS}), }}", ROWS / 2);
    let mut content = forge::preamble((1, 0), format!("{text:117}\n"));
    content.resize(content.len() + ROWS * ROWS / 2, 0);
    let entry = deflated("x.npy", &content[..0]);
    let mut compress = flate2::Compress::new(flate2::Compression::fast(), false);
    let mut data = Vec::with_capacity(8 << 20);
    compress.compress_vec(&content, &mut data, flate2::FlushCompress::Finish).unwrap();
    let mut archive = Archive::new(vec![forge::Entry { data, ..entry }, stored("y.npy", &forge::u32s(&[7]))]);
    let compressed = archive.entries[0].data.len();
    for header in [&mut archive.entries[0].header, &mut archive.records[0]] {
        header.crc32 = crc32fast::hash(&content);
        header.size = u32::try_from(content.len()).unwrap();
        header.compressed_size = u32::try_from(compressed).unwrap();
    }
    archive.lay_out();
    fs::write(path, archive.bytes()).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn memory_that_is_not_granted_is_exit_code_3_and_names_the_member() {
    let folder = Folder::new();
    let path = folder.at("held.npz");
    held(Path::new(&path));
    const KIB: u32 = 400 << 10;
    let outcome = limited(KIB, &["cat", "--raw", "--max-array-bytes=1000000000", &path, "x"]);
    assert_eq!((outcome.code, outcome.out.len()), (3, 0), "{}", outcome.errors);
    assert!(outcome.errors.contains("held.npz: x: no memory for 536870912 bytes"), "{}", outcome.errors);
    // What is passed on block by block needs no more than it ever does.
    let outcome = limited(KIB, &["cat", &path, "y"]);
    assert_eq!((outcome.code, &*outcome.errors), (0, ""));
    let outcome = limited(KIB, &["check", &path]);
    assert_eq!((outcome.code, &*outcome.errors), (0, ""));
    for command in ["show", "plot"] {
        let outcome = limited(KIB, &[command, &path, "x"]);
        assert_eq!((outcome.code, outcome.out.len()), (3, 0), "{command} {}", outcome.errors);
        assert!(outcome.errors.contains("x: no memory for "), "{command} {}", outcome.errors);
    }
}

/// A plain file of a gibibyte of zeros, which takes no place on the disk.
#[cfg(target_os = "linux")]
fn gibibyte(folder: &Folder, name: &str, descr: &str, order: &str, shape: &str) -> String {
    let text = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
    let path = folder.write(name, forge::preamble((1, 0), format!("{text:117}\n")));
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() + (1 << 30)).unwrap();
    path
}

#[cfg(target_os = "linux")]
#[test]
fn an_item_or_a_row_that_memory_is_not_granted_for_is_exit_code_3_on_every_road() {
    const LENGTH: usize = 1 << 30;
    const KIB: u32 = 400 << 10;
    let folder = Folder::new();
    let plain = gibibyte(&folder, "plain.npy", "'|u1'", "False", &format!("({LENGTH},)"));
    let row = gibibyte(&folder, "row.npy", "'|u1'", "False", &format!("(1, {LENGTH})"));
    let record = |name| gibibyte(&folder, name, &format!("[('a', '|b1', ({LENGTH},))]"), "False", "(1,)");
    let (item, other) = (record("item.npy"), record("other.npy"));
    let csv = folder.at("out.csv");
    let mut table = "\n".repeat(3000);
    table.insert_str(0, &"x".repeat(100_000));
    let table = folder.write("table.csv", table.replace('\n', "y\n"));
    let tensors = folder.write("tensors.safetensors", 90_000_000_u64.to_le_bytes());
    File::options().write(true).open(&tensors).unwrap().set_len(100_000_000).unwrap();
    let out = folder.at("out.npz");
    for (kib, what, bytes, args) in [
        (KIB, "plain", LENGTH, &["show", "--json", &plain] as &[&str]),
        (KIB, "item", LENGTH, &["show", &item]),
        (KIB, "item", LENGTH, &["show", "--json", "--field", "a", &item]),
        (KIB, "item", LENGTH, &["stat", &item]),
        (KIB, "item", LENGTH, &["diff", &item, &other]),
        (KIB, "item", LENGTH, &["cat", "--csv", &item]),
        (KIB, "row", LENGTH, &["cat", "--csv", &row]),
        (KIB, "row", LENGTH, &["convert", &row, &csv]),
        (KIB, &table, 3000 * 400_004, &["pack", "--header=no", &table, "-o", &out]),
        (64 << 10, &tensors, 90_000_000, &["convert", &tensors, &out]),
    ] {
        let outcome = limited(kib, args);
        assert_eq!(outcome.code, 3, "{args:?} {}", outcome.errors);
        assert_eq!(outcome.errors, format!("npz: {what}: no memory for {bytes} bytes\n"), "{args:?}");
    }
    // What check finds is what it prints.
    let outcome = limited(KIB, &["check", &item]);
    assert_eq!((outcome.code, &*outcome.errors), (3, ""));
    let found: Vec<_> = outcome.lines()[1].split('\t').collect();
    assert_eq!((found[1], found[4]), ("item", "no memory for 1073741824 bytes"));
    // Where it is granted, the figures of an item take little beside it.
    const BOOLS: usize = 48 << 20;
    let descr = format!("[('a', '|b1', ({BOOLS},))]");
    let item = folder.write("bools.npy", forge::npy(&descr, "(1,)", &vec![1; BOOLS]));
    let outcome = limited(300 << 10, &["stat", "--json", "--no-histogram", &item]);
    assert_eq!((outcome.code, &*outcome.errors), (0, ""));
    let column = &outcome.json()["arrays"][0];
    assert_eq!((&column["true"], &column["false"]), (&BOOLS.into(), &0.into()));
    assert!(!Path::new(&csv).exists() && !Path::new(&out).exists());
}

/// What an `npz` of the debug build takes by itself, with its libraries and stacks.
#[cfg(target_os = "linux")]
const BASE: usize = 28 << 20;

/// Packs a CSV within so many bytes beside those of the program.
#[cfg(target_os = "linux")]
fn packed_within(bytes: usize, csv: &str, args: &[&str]) -> Outcome {
    let folder = Folder::new();
    let (path, out) = (folder.write("t.csv", csv), folder.at("out.npz"));
    let kib = u32::try_from((BASE + bytes) >> 10).unwrap();
    let outcome = limited(kib, &[&["pack", "-o", &out, &path], args].concat());
    if outcome.code == 0 {
        assert_eq!(run(["check", &out]).code, 0);
    } else {
        assert_eq!(folder.names(), ["t.csv"]);
    }
    let errors = outcome.errors.replace(&path, "t.csv");
    Outcome { errors, ..outcome }
}

#[cfg(target_os = "linux")]
#[test]
fn csv_is_packed_within_three_times_its_array_beside_the_text() {
    const ROWS: usize = 1 << 20;
    let wide = |cells: usize, end: &str| format!("{}1{end}", "1,".repeat(cells - 1));
    for (csv, args, row) in [
        ("1\n".repeat(ROWS), &[] as &[&str], "t\t<i8\t(1048576,)\t8388608"),
        ("0.5\n".repeat(ROWS), &["--dtype=f4"], "t\t<f4\t(1048576,)\t4194304"),
        // Text, of which an array has four bytes a character.
        ("ab,c\n".repeat(ROWS / 4), &[], "t\t<U2\t(262144, 2)\t4194304"),
        // As many columns as others have rows, of a byte each.
        (wide(2 * ROWS, "\n"), &["--dtype=u1"], "t\t|u1\t(1, 2097152)\t2097152"),
        // One cell.
        ("x".repeat(ROWS), &[], "t\t<U1048576\t(1,)\t4194304"),
    ] {
        let array: usize = row.rsplit('\t').next().unwrap().parse().unwrap();
        let outcome = packed_within(csv.len() + 3 * array, &csv, args);
        assert_eq!((outcome.code, &*outcome.errors), (0, ""), "{row}");
        assert_eq!(outcome.lines()[1], row);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn csv_that_memory_is_not_granted_for_is_exit_code_3() {
    const MIB: usize = 1 << 20;
    for (bytes, csv, args, refused) in [
        // The array, of 64 MiB.
        (40 * MIB, "1,1,1,1,1,1,1,1\n".repeat(MIB), &[] as &[&str], 64 * MIB),
        (40 * MIB, "ab,c\n".repeat(4 * MIB), &[], 64 * MIB),
        // The text.
        (20 * MIB, "1\n".repeat(16 * MIB), &[], 32 * MIB + 1),
        // One cell beside the text.
        (40 * MIB, "x".repeat(32 * MIB), &["--dtype=S4"], 32 * MIB),
        // As many columns as there are bytes in the text.
        (40 * MIB, ",".repeat(8 * MIB - 1), &["--header=no"], 64 * MIB),
    ] {
        let outcome = packed_within(bytes, &csv, args);
        assert_eq!(outcome.code, 3, "{refused}: {}", outcome.errors);
        // Memory that grows is refused at that size or on the way to it, as the size of the program has it.
        let text =
            outcome.errors.strip_prefix("npz: t.csv: no memory for ").and_then(|text| text.strip_suffix(" bytes\n"));
        let found: usize = text.unwrap_or_else(|| panic!("{}", outcome.errors)).parse().unwrap();
        assert!((refused / 4..=refused).contains(&found), "{found} of {refused}");
    }
}

/// A copy of `npz` that everybody may run, in a folder that everybody may look into.
#[cfg(target_os = "linux")]
fn copied(folder: &Folder) -> String {
    let npz = folder.at("npz");
    // By another process: had this one the file open for writing, processes that other threads begin would keep it busy.
    assert!(Command::new("cp").args([env!("CARGO_BIN_EXE_npz"), &npz]).status().unwrap().success());
    fs::set_permissions(folder.at(""), fs::Permissions::from_mode(0o755)).unwrap();
    npz
}

/// Run by nobody: the superuser may read every file, and is granted any number of threads. Whoever else runs the tests
/// stays who he is.
#[cfg(target_os = "linux")]
fn by_nobody(command: &mut Command) -> Outcome {
    const NOBODY: u32 = 65534;
    if rustix::process::getuid().is_root() {
        command.uid(NOBODY);
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    Outcome { code: output.status.code().expect("no signal"), out: output.stdout, errors }
}

#[cfg(target_os = "linux")]
#[test]
fn threads_that_are_not_granted_are_not_needed() {
    let folder = Folder::new();
    let path = folder.write("a.npz", fs::read("tests/data/model-batch.npz").unwrap());
    let (out, npz) = (folder.at("out.npz"), copied(&folder));
    let fork = ["sh", "-c", "(exit 0); exit $?"];
    assert_eq!(by_nobody(Command::new(fork[0]).args(&fork[1..])).code, 0);
    let limited = by_nobody(Command::new("prlimit").arg("--nproc=1").args(fork));
    assert_ne!(limited.code, 0, "the limit does not hold");
    for args in [
        &["check", &path] as &[&str],
        &["stat", &path],
        &["stat", &path, "features"],
        &["align", "--dry-run", &path, "-o", &out],
        &["diff", "--full", &path, &path],
    ] {
        // No thread beside the first; nor a process, which is counted with them.
        let outcome = by_nobody(Command::new("prlimit").args(["--nproc=1", &npz]).args(args));
        assert_eq!((outcome.code, outcome.text()), (0, run(args).text()), "{args:?} {}", outcome.errors);
    }
    // Nor one that listens to signals while a file is written.
    let into = folder.at("into");
    fs::create_dir(&into).unwrap();
    fs::set_permissions(&into, fs::Permissions::from_mode(0o777)).unwrap();
    for (args, file) in
        [(["align", &path, "-o", &folder.at("into/a.npz")], "a.npz"), (["extract", &path, "-d", &into], "labels.npy")]
    {
        let outcome = by_nobody(Command::new("prlimit").args(["--nproc=1", &npz]).args(args));
        assert_eq!(outcome.code, 0, "{args:?}: {}", outcome.errors);
        assert!(Path::new(&into).join(file).exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_may_not_be_read_is_exit_code_3_and_named() {
    let folder = Folder::new();
    let npz = copied(&folder);
    let content = forge::u32s(&[1, 2, 3]);
    let [archive, sound] =
        ["a.npz", "sound.npz"].map(|name| folder.write(name, Archive::new(vec![stored("x.npy", &content)]).bytes()));
    let plain = folder.write("x.npy", &content);
    let [before, after] = ["before", "after"].map(|name| {
        fs::create_dir(folder.at(name)).unwrap();
        fs::set_permissions(folder.at(name), fs::Permissions::from_mode(0o777)).unwrap();
        folder.at(name)
    });
    let all = |path: &str, into: &str| {
        let (files, aligned) = (format!("{into}/files"), format!("{into}/aligned.npz"));
        let of_both: [&[&str]; 6] = [
            &["ls", path],
            &["show", path],
            &["check", path],
            &["stat", path],
            &["diff", path, &sound],
            &["diff", &sound, path],
        ];
        let of_archives: [&[&str]; 5] = [
            &["show", path, "x"],
            &["cat", path, "x"],
            &["plot", path, "x"],
            &["extract", path, "-d", &files],
            &["align", path, "-o", &aligned],
        ];
        let of_files: [&[&str]; 1] = [&["cat", path]];
        let others = if path == archive { &of_archives[..] } else { &of_files };
        let commands = of_both.iter().chain(others);
        commands.map(|args| args.iter().map(|arg| String::from(*arg)).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    for path in [&archive, &plain] {
        let run = |args: &[String]| by_nobody(Command::new(&npz).args(args));
        // Nothing else is in the way.
        for args in all(path, &before) {
            let outcome = run(&args);
            assert_eq!(outcome.code, 0, "{args:?} {}", outcome.errors);
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
        for args in all(path, &after) {
            let outcome = run(&args);
            assert_eq!(outcome.code, 3, "{args:?} {}", outcome.errors);
            // What check finds is what it prints.
            if args[0] == "check" {
                let found = format!("{path}\t-\t-\t-\tPermission denied (os error 13)");
                assert_eq!((outcome.lines().last().copied(), &*outcome.errors), (Some(&*found), ""));
            } else {
                assert_eq!(outcome.errors, format!("npz: {path}: Permission denied (os error 13)\n"), "{args:?}");
                assert!(outcome.lines().len() <= 1, "{args:?}: a head at most, not {:?}", outcome.text());
            }
        }
    }
    assert!(folder.names().iter().any(|name| name == "before/aligned.npz"));
    assert!(!folder.names().iter().any(|name| name.starts_with("after/")), "{:?}", folder.names());
}
