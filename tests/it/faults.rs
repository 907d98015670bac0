//! The system's faults: sources that fail in the middle of an array, files that change under a reader, what cannot be
//! opened, and memory that is not granted. Where the fault kills, a child of this binary dies of it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use ndarray::{Array1, Ix1, IxDyn};
use npzmap::{ErrorKind, Npy, Npz, OpenOptions, Result, Source, Verify};

use crate::forge::{self, Archive, Entry, deflated, stored, u32s};
#[cfg(feature = "rayon")]
use crate::split::with_threads;

/// What happens when the byte at `at` is asked for.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// This error of the system, every time.
    System(i32),
    /// This one, once.
    Once(io::ErrorKind),
    /// The bytes before it, and that there are no more.
    Short,
    /// Nothing is read, and nothing said.
    Silent,
}

/// Bytes that are read by position, with a fault among them.
struct Faulty {
    bytes: Vec<u8>,
    at: u64,
    fault: Mutex<Option<Fault>>,
    /// From where was read when it happened last.
    from: Arc<AtomicU64>,
}

impl Faulty {
    fn new(bytes: &[u8], at: u64, fault: Option<Fault>) -> Self {
        Faulty { bytes: bytes.into(), at, fault: Mutex::new(fault), from: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    fn open(bytes: &[u8], at: u64, options: OpenOptions) -> Npz<Faulty> {
        options.source(Faulty::new(bytes, at, None)).unwrap()
    }

    fn from(&self) -> Option<u64> {
        let from = self.from.load(Relaxed);
        assert!(from <= self.at, "nothing was asked for");
        Some(from)
    }

    fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }
}

impl Source for Faulty {
    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset + buf.len() as u64;
        let mut fault = self.fault.lock().unwrap();
        match *fault {
            Some(found) if (offset..end).contains(&self.at) => {
                self.from.store(offset, Relaxed);
                match found {
                    Fault::System(number) => Err(io::Error::from_raw_os_error(number)),
                    Fault::Once(kind) => {
                        *fault = None;
                        Err(kind.into())
                    }
                    Fault::Short => {
                        let count = usize::try_from(self.at - offset).unwrap();
                        self.bytes.read_exact_at(offset, &mut buf[..count])?;
                        Err(io::ErrorKind::UnexpectedEof.into())
                    }
                    Fault::Silent => Ok(()),
                }
            }
            _ => self.bytes.read_exact_at(offset, buf),
        }
    }
}

/// As many numbers as several reads bring, and several threads.
const LENGTH: u32 = 5_000_000;

fn numbers() -> Vec<u32> {
    (0..LENGTH).map(|number| number.wrapping_mul(0x9e37_79b9)).collect()
}

fn entries(x: Entry) -> Archive {
    Archive::new(vec![stored("before.npy", &u32s(&[1])), x, stored("after.npy", &u32s(&[2]))])
}

type Take = fn(&Npz<Faulty>) -> Result<Vec<u32>>;

/// Every verb that takes `x` from its first element to its last.
const WHOLE: [(&str, Take); 8] = [
    ("read", |npz| Ok(npz.read::<u32, Ix1>("x")?.to_vec())),
    ("get", |npz| Ok(npz.get::<u32, Ix1>("x")?.to_vec())),
    ("read_into", |npz| {
        let mut array = Array1::zeros(LENGTH as usize);
        npz.array("x")?.read_into(array.view_mut())?;
        Ok(array.to_vec())
    }),
    ("read_as", |npz| Ok(npz.array("x")?.reinterpret::<u32>()?.read::<u32, Ix1>()?.to_vec())),
    ("read_any", |npz| match npz.read_any("x")? {
        npzmap::AnyArray::U32(array) => Ok(array.iter().copied().collect()),
        other => panic!("{other:?}"),
    }),
    ("bytes", |npz| Ok(from_le(&npz.member("x")?.bytes()?[128..]))),
    ("verify", |npz| npz.member("x")?.verify().map(|()| numbers())),
    ("stream", |npz| {
        npz.member("x")?.stream_elements(|_, stream| -> Result<_> {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes)?;
            Ok(from_le(&bytes))
        })
    }),
];

fn from_le(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
}

#[test]
fn what_a_source_says_in_the_middle_of_an_array_is_the_error_and_spoils_nothing_else() {
    const EIO: i32 = 5;
    let numbers = numbers();
    let content = u32s(&numbers);
    for entry in [stored("x.npy", &content), deflated("x.npy", &content)] {
        let archive = entries(entry);
        let middle = archive.data_at(1) + archive.entries[1].data.len() as u64 / 2;
        let npz = Faulty::open(&archive.bytes(), middle, OpenOptions::new());
        for (verb, take) in WHOLE {
            for fault in [Fault::System(EIO), Fault::Short, Fault::Once(io::ErrorKind::WouldBlock)] {
                npz.source().set(Some(fault));
                let error = take(&npz).expect_err(verb);
                let ErrorKind::Io(said) = error.kind() else { panic!("{verb}: {error:?}") };
                match fault {
                    Fault::System(number) => assert_eq!(said.raw_os_error(), Some(number), "{verb}"),
                    Fault::Once(kind) => assert_eq!(said.kind(), kind, "{verb}"),
                    _ => assert_eq!(said.kind(), io::ErrorKind::UnexpectedEof, "{verb}"),
                }
                assert_eq!((error.member(), error.kind().fault()), (Some("x"), npzmap::Fault::System), "{verb}");
                assert_eq!(error.offset(), npz.source().from(), "{verb}: {error}");
                for (key, value) in [("before", 1), ("after", 2)] {
                    assert_eq!(npz.read::<u32, Ix1>(key).unwrap().to_vec(), [value], "{verb} {key}");
                }
            }
            // The source has recovered, and so has the reader.
            npz.source().set(None);
            assert!(take(&npz).unwrap() == numbers, "{verb}");
        }
    }
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn what_a_source_says_at_the_start_of_lzma_data_is_the_error() {
    let content = u32s(&[7; 100]);
    let mut entry = stored("x.npy", &content);
    entry.data = forge::lzma(&content);
    entry.header.method = 14;
    entry.header.compressed_size = entry.data.len().try_into().unwrap();
    // With a local header, 512 bytes behind the name are read, which end with this field.
    entry.header.extra = forge::extra(0xa11e, &[0; 508]);
    let archive = entries(entry);
    // Version, length and properties, of which the dictionary is the end (APPNOTE 5.8.8).
    for at in archive.data_at(1)..archive.data_at(1) + 9 {
        let npz = Faulty::open(&archive.bytes(), at, OpenOptions::new());
        for (fault, kind) in
            [(Fault::Short, io::ErrorKind::UnexpectedEof), (Fault::System(5), io::Error::from_raw_os_error(5).kind())]
        {
            npz.source().set(Some(fault));
            let error = npz.read::<u32, Ix1>("x").unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Io(said) if said.kind() == kind), "{at}: {error:?}");
            assert_eq!((error.member(), error.offset()), (Some("x"), npz.source().from()), "{at}");
        }
        npz.source().set(None);
        assert_eq!(npz.read::<u32, Ix1>("x").unwrap().to_vec(), [7; 100]);
    }
}

/// Verbs that take `x` by its rows.
const ROWS: [(&str, Take); 2] = [
    ("read_rows", |npz| Ok(npz.array("x")?.rows(0..LENGTH as usize)?.read::<u32, Ix1>()?.to_vec())),
    ("read_rows_any", |npz| match npz.array("x")?.rows(0..LENGTH as usize)?.read_any()? {
        npzmap::AnyArray::U32(array) => Ok(array.iter().copied().collect()),
        other => panic!("{other:?}"),
    }),
];

/// An interruption in the middle of `x`, for each verb: what is there, as if nothing had been.
fn interrupted(npz: &Npz<Faulty>, numbers: &[u32]) {
    for (verb, take) in WHOLE.into_iter().chain(ROWS) {
        npz.source().set(Some(Fault::Once(io::ErrorKind::Interrupted)));
        let outcome = take(npz);
        assert!(npz.source().fault.lock().unwrap().is_none(), "{verb} was never interrupted");
        assert!(outcome.unwrap() == numbers, "{verb}");
    }
}

#[test]
fn what_interrupts_a_source_is_asked_for_again_and_changes_no_value() {
    let numbers = numbers();
    let content = u32s(&numbers);
    for entry in [stored("x.npy", &content), deflated("x.npy", &content)] {
        let archive = entries(entry);
        let middle = archive.data_at(1) + archive.entries[1].data.len() as u64 / 2;
        let npz = Faulty::open(&archive.bytes(), middle, OpenOptions::new());
        alone(|| interrupted(&npz, &numbers));
        #[cfg(feature = "rayon")]
        with_threads(2, || interrupted(&npz, &numbers));
    }
    // While it is opened, and while a local header is read.
    let archive = entries(stored("x.npy", &content));
    for at in [archive.record_at(0), archive.end_at(), archive.data_at(1) - 1] {
        let fault = Some(Fault::Once(io::ErrorKind::Interrupted));
        let npz = Npz::new(Faulty::new(&archive.bytes(), at, fault)).unwrap();
        assert!(npz.read::<u32, Ix1>("x").unwrap().to_vec() == numbers);
        assert!(npz.source().fault.lock().unwrap().is_none(), "{at} was never interrupted");
    }
}

/// Where nothing is split over threads.
fn alone(work: impl FnOnce() + Send) {
    #[cfg(feature = "rayon")]
    with_threads(1, work);
    #[cfg(not(feature = "rayon"))]
    work();
}

#[test]
fn a_source_that_reads_nothing_and_says_it_did_is_found_out_by_the_crc() {
    let content = u32s(&numbers());
    for entry in [stored("x.npy", &content), deflated("x.npy", &content)] {
        let archive = entries(entry);
        let middle = archive.data_at(1) + archive.entries[1].data.len() as u64 / 2;
        let npz = Faulty::open(&archive.bytes(), middle, OpenOptions::new());
        npz.source().set(Some(Fault::Silent));
        for (verb, take) in WHOLE {
            let error = take(&npz).expect_err(verb);
            assert!(matches!(error.kind().rule(), Some("Z26" | "Z27")), "{verb}: {error:?}");
            assert_eq!(error.member(), Some("x"));
        }
    }
}

#[test]
fn a_part_of_an_array_is_read_beside_the_place_that_cannot_be() {
    let numbers = numbers();
    let archive = entries(stored("x.npy", &u32s(&numbers)));
    let middle = archive.data_at(1) + 128 + 4 * u64::from(LENGTH / 2);
    let npz = Faulty::open(&archive.bytes(), middle, OpenOptions::new());
    npz.source().set(Some(Fault::System(5)));
    let half = LENGTH as usize / 2;
    for range in [0..1000, half - 1000..half, half + 1..half + 1000, LENGTH as usize - 1..LENGTH as usize] {
        assert_eq!(
            npz.array("x").unwrap().rows(range.clone()).unwrap().read::<u32, Ix1>().unwrap().to_vec(),
            numbers[range]
        );
    }
    let error = npz.array("x").and_then(|array| array.rows(half - 10..half + 10)?.read::<u32, Ix1>()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(said) if said.raw_os_error() == Some(5)), "{error:?}");
    assert_eq!((error.member(), error.offset()), (Some("x"), npz.source().from()));
}

#[test]
fn what_a_source_says_while_an_archive_is_opened_is_the_error() {
    let archive = entries(stored("x.npy", &u32s(&[1, 2, 3])));
    let bytes = archive.bytes();
    for fault in [Fault::System(5), Fault::Short, Fault::Once(io::ErrorKind::WouldBlock)] {
        for at in [archive.record_at(0), archive.record_at(2) + 46, archive.end_at()] {
            let source = Faulty::new(&bytes, at, Some(fault));
            let from = Arc::clone(&source.from);
            let error = Npz::new(source).map(drop).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Io(_)), "{fault:?} {error:?}");
            assert_eq!((error.member(), error.path(), error.offset()), (None, None, Some(from.load(Relaxed))));
        }
    }
    // A plain array has nothing but its elements.
    let content = u32s(&[1, 2, 3]);
    let npy = Npy::new(Faulty::new(&content, 130, None)).unwrap();
    npy.source().set(Some(Fault::System(5)));
    let error = npy.read::<u32, Ix1>().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(_)));
    assert_eq!(error.offset(), npy.source().from());
}

// Files that change

fn set_length(path: &Path, length: u64) {
    File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

#[test]
fn a_file_that_is_cut_off_in_the_middle_of_a_stream_is_an_error_about_its_member() {
    let folder = tempfile::tempdir().unwrap();
    let content = u32s(&numbers());
    for (number, entry) in [stored("x.npy", &content), deflated("x.npy", &content)].into_iter().enumerate() {
        let archive = entries(entry);
        for (half, keep) in [(true, archive.bytes().len() as u64 / 2), (false, 0)] {
            let path = folder.path().join(format!("{number} {half}.npz"));
            fs::write(&path, archive.bytes()).unwrap();
            let npz = Npz::open(&path).unwrap();
            let member = npz.member("x").unwrap();
            let error = member
                .stream(|stream| -> Result<u64> {
                    let mut first = vec![0; 1 << 20];
                    stream.read_exact(&mut first)?;
                    set_length(&path, keep);
                    Ok(io::copy(stream, &mut io::sink())?)
                })
                .unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Io(said) if said.kind() == io::ErrorKind::UnexpectedEof),
                "{error:?}"
            );
            assert_eq!(error.member(), Some("x"));
            assert!(matches!(npz.check_unchanged().unwrap_err().kind(), ErrorKind::FileChanged { what: "length" }));
        }
    }
}

#[test]
fn an_overwritten_file_whose_time_was_put_back_is_told_by_the_crc_of_what_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let archive = entries(stored("x.npy", &u32s(&[1, 2, 3])));
    fs::write(&path, archive.bytes()).unwrap();
    let npz = Npz::open(&path).unwrap();
    let always = OpenOptions::new().verify(Verify::Always).open(&path).unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let mut other = archive.clone();
    other.entries[1].data[132] = 9;
    // In place: the inode stays, and so does the length.
    fs::write(&path, other.bytes()).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    npz.check_unchanged().unwrap();
    for error in [
        npz.read::<u32, Ix1>("x").unwrap_err(),
        npz.verify().unwrap_err(),
        always.array("x").and_then(|array| array.rows(1..2)?.read::<u32, Ix1>()).unwrap_err(),
    ] {
        assert!(matches!(error.kind(), ErrorKind::Checksum { .. }), "{error:?}");
        assert_eq!((error.member(), error.path()), (Some("x"), Some(&*path)));
    }
    // Of a part, nobody knows the checksum.
    assert_eq!(npz.array("x").unwrap().rows(1..2).unwrap().read::<u32, Ix1>().unwrap().to_vec(), [9]);
}

#[cfg(target_os = "linux")]
mod children {
    use std::ffi::OsStr;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::ExitStatusExt;
    use std::path::PathBuf;
    use std::process::{Command, Output};

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::*;

    /// Names the file in a child process; without it the tests that are children do nothing.
    const TARGET: &str = "NPZMAP_TEST_FAULTY";
    /// A number for the child.
    const NUMBER: &str = "NPZMAP_TEST_NUMBER";

    fn target() -> Option<PathBuf> {
        std::env::var_os(TARGET).map(PathBuf::from)
    }

    fn number() -> u64 {
        std::env::var(NUMBER).unwrap().parse().unwrap()
    }

    /// One of the tests below, in a process of its own.
    fn child(name: &str, target: impl AsRef<OsStr>, number: u64) -> Output {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([&format!("faults::children::{name}"), "--exact", "--ignored", "--nocapture"]);
        command.env(TARGET, target).env(NUMBER, number.to_string()).env("RUST_BACKTRACE", "0").output().unwrap()
    }

    /// It came to its end, with nothing to complain of.
    #[track_caller]
    fn assert_passed(output: &Output) {
        let [out, errors] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        assert!(output.status.success() && out.contains("1 passed"), "{}\n{out}\n{errors}", output.status);
    }

    #[expect(unsafe_code, reason = "a map of a file, for what becomes of it")]
    fn map(path: &Path) -> Result<Npz<npzmap::Mapping>> {
        // SAFETY: none of these children breaks the promise but the one that dies of it.
        unsafe { Npz::map(path) }
    }

    // SIGBUS

    /// What the child prints when all is as it should be before the fault.
    const READY: &str = "ready for SIGBUS";

    #[test]
    #[ignore = "dies of SIGBUS"]
    fn touches_what_is_gone() {
        let Some(path) = target() else { return };
        // Nobody wants the memory of a process that dies on purpose.
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
        let npz = map(&path).unwrap();
        let view = npz.view::<u8, Ix1>("x").unwrap();
        assert_eq!((view[0], view[view.len() - 1]), (7, 7));
        set_length(&path, number());
        assert!(matches!(npz.check_unchanged().unwrap_err().kind(), ErrorKind::FileChanged { what: "length" }));
        if number() > 0 {
            assert_eq!(view[0], 7);
        }
        println!("\n{READY}");
        println!("{}", view[view.len() - 1]);
    }

    #[test]
    fn a_map_of_a_file_that_is_cut_off_is_told_so_and_dies_of_sigbus_where_it_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let bytes = entries(stored("x.npy", &forge::npy("'|u1'", "(1000000,)", &[7; 1_000_000]))).bytes();
        for keep in [bytes.len() as u64 / 2, 0] {
            fs::write(&path, &bytes).unwrap();
            let output = child("touches_what_is_gone", &path, keep);
            let out = String::from_utf8_lossy(&output.stdout);
            assert!(out.contains(READY), "{out}{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.status.signal(), Some(libc::SIGBUS), "{keep}: {}", output.status);
            assert!(out.trim_end().ends_with(READY), "{out}");
        }
    }

    // What cannot be opened

    #[test]
    fn a_loop_of_links_is_an_error_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one.npz", "other.npz"].map(|name| folder.path().join(name));
        std::os::unix::fs::symlink(&one, &other).unwrap();
        std::os::unix::fs::symlink(&other, &one).unwrap();
        for error in [
            Npz::open(&one).unwrap_err(),
            map(&one).unwrap_err(),
            Npz::map_if_safe(&one).unwrap_err(),
            Npy::open(&one).unwrap_err(),
        ] {
            assert!(
                matches!(error.kind(), ErrorKind::Io(said) if said.raw_os_error() == Some(libc::ELOOP)),
                "{error:?}"
            );
            assert_eq!(error.path(), Some(&*one));
        }
    }

    #[test]
    fn a_file_that_says_it_is_empty_is_taken_at_its_word() {
        // Regular files of no length, whatever reading them would give.
        for path in ["/proc/self/maps", "/proc/version"].map(Path::new) {
            let error = Npz::open(path).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NotAnArchive { size: 0 }), "{error:?}");
            // Whether there is anything to map is for the system to say.
            let error = map(path).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NotAnArchive { size: 0 } | ErrorKind::Io(_)), "{error:?}");
            assert_eq!(error.path(), Some(path));
        }
    }

    #[test]
    #[ignore = "gives up its privileges"]
    fn opens_what_it_may_not_read() {
        const NOBODY: u32 = 65_534;
        let Some(path) = target() else { return };
        #[expect(unsafe_code, reason = "the system's call that std has for children alone")]
        // SAFETY: it touches no memory. Root may read everything; whoever is not root stays who he is.
        let became = unsafe { libc::getuid() != 0 || libc::setuid(NOBODY) == 0 };
        assert!(became, "{}", io::Error::last_os_error());
        for error in [
            Npz::open(&path).unwrap_err(),
            map(&path).unwrap_err(),
            Npz::map_if_safe(&path).unwrap_err(),
            Npy::open(&path).unwrap_err(),
        ] {
            let denied = |said: &io::Error| said.kind() == io::ErrorKind::PermissionDenied;
            assert!(matches!(error.kind(), ErrorKind::Io(said) if denied(said)), "{error:?}");
            assert_eq!(error.path(), Some(&*path));
        }
    }

    #[test]
    fn a_file_that_may_not_be_read_is_an_error_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let path = folder.path().join("a.npz");
        fs::write(&path, entries(stored("x.npy", &u32s(&[1]))).bytes()).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
        assert_passed(&child("opens_what_it_may_not_read", &path, 0));
    }

    // Memory

    /// A file whose `x` has this many bytes, all of them a hole, between two small arrays.
    fn sparse(path: &Path, length: u64) {
        let mut archive = entries(stored("x.npy", &forge::npy("'|u1'", &format!("({length},)"), &[])));
        let mut sum = crc32fast::Hasher::new();
        sum.update(&archive.entries[1].data);
        let zeros = vec![0; 1 << 20];
        (0..length >> 20).for_each(|_| sum.update(&zeros));
        let sum = sum.finalize();
        for header in [&mut archive.entries[1].header, &mut archive.records[1]] {
            header.crc32 = sum;
            header.size += u32::try_from(length).unwrap();
            header.compressed_size = header.size;
        }
        let hole = archive.local_at(2);
        let length = u32::try_from(length).unwrap();
        archive.records[2].offset += length;
        archive.end.offset += length;
        let bytes = archive.bytes();
        let (head, tail) = bytes.split_at(usize::try_from(hole).unwrap());
        let file = File::create(path).unwrap();
        use std::os::unix::fs::FileExt;
        file.write_all_at(head, 0).unwrap();
        file.write_all_at(tail, hole + u64::from(length)).unwrap();
    }

    /// Lets this process have so much more address space than it has.
    fn limit(more: u64) {
        let pages = fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
        let current = pages * rustix::param::page_size() as u64 + more;
        setrlimit(Resource::As, Rlimit { current: Some(current), ..getrlimit(Resource::As) }).unwrap();
    }

    const LARGE: u64 = 1 << 30;

    #[test]
    #[ignore = "runs under a limit for its address space"]
    fn has_too_little_memory() {
        let Some(path) = target() else { return };
        let length = usize::try_from(LARGE).unwrap();
        let npz = Npz::open(&path).unwrap();
        limit(number());
        let error = map(&path).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io(said) if said.kind() == io::ErrorKind::OutOfMemory), "{error:?}");
        assert_eq!((error.path(), error.kind().fault()), (Some(&*path), npzmap::Fault::System));
        for (verb, error) in [
            ("read", npz.read::<u8, Ix1>("x").unwrap_err()),
            ("get", npz.get::<u8, Ix1>("x").unwrap_err()),
            ("read_any", npz.read_any("x").map(drop).unwrap_err()),
            ("read_as", npz.array("x").and_then(|array| array.reinterpret::<i8>()?.read::<i8, IxDyn>()).unwrap_err()),
            ("read_rows", npz.array("x").and_then(|array| array.rows(0..length)?.read::<u8, Ix1>()).unwrap_err()),
        ] {
            assert!(matches!(error.kind(), ErrorKind::OutOfMemory { bytes: LARGE }), "{verb}: {error:?}");
            assert_eq!((error.member(), error.path()), (Some("x"), Some(&*path)));
        }
        let error = npz.member("x").unwrap().bytes().map(drop).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OutOfMemory { bytes } if *bytes > LARGE), "{error:?}");
        // What needs less is there.
        for (key, value) in [("before", 1), ("after", 2)] {
            assert_eq!(npz.read::<u32, Ix1>(key).unwrap().to_vec(), [value]);
        }
        assert_eq!(
            npz.array("x").unwrap().rows(length - 10..length).unwrap().read::<u8, Ix1>().unwrap().to_vec(),
            [0; 10]
        );
        npz.member("x").unwrap().stream(|stream| -> Result<_> { Ok(io::copy(stream, &mut io::sink())?) }).unwrap();
    }

    #[test]
    fn an_address_space_that_is_too_small_for_the_map_or_the_array_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        sparse(&path, LARGE);
        for more in [LARGE / 4, LARGE / 2] {
            assert_passed(&child("has_too_little_memory", &path, more));
        }
    }

    /// The text of a header that is as long as its length field can say.
    const HEADER: u32 = 3 << 30;

    #[test]
    #[ignore = "runs under a limit for its address space"]
    fn has_too_little_memory_for_a_header() {
        let Some(path) = target() else { return };
        limit(number());
        let limits = npzmap::Limits::new().max_header_bytes(u32::MAX);
        let error = OpenOptions::new().limits(limits).open_npy(&path).map(drop).unwrap_err();
        let whole = u64::from(HEADER) + 12;
        assert!(matches!(error.kind(), ErrorKind::OutOfMemory { bytes } if *bytes == whole), "{error:?}");
        assert_eq!(error.path(), Some(&*path));
    }

    #[test]
    fn an_address_space_that_is_too_small_for_a_header_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        fs::write(&path, [b"\x93NUMPY\x02\x00", &HEADER.to_le_bytes()[..]].concat()).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(u64::from(HEADER) + 112).unwrap();
        assert_passed(&child("has_too_little_memory_for_a_header", &path, 256 << 20));
    }

    #[test]
    #[ignore = "runs under a limit for its address space"]
    fn has_memory_for_strings_and_not_for_their_texts() {
        let Some(path) = target() else { return };
        let npz = Npz::open(&path).unwrap();
        limit(number());
        for (verb, error) in [
            ("strings", npz.array("x").and_then(|array| array.strings()).map(drop).unwrap_err()),
            ("strings, UCS-4", npz.array("u").and_then(|array| array.strings()).map(drop).unwrap_err()),
            ("read_any", npz.read_any("x").map(drop).unwrap_err()),
        ] {
            assert!(matches!(error.kind(), ErrorKind::OutOfMemory { bytes: 1 }), "{verb}: {error:?}");
            assert_eq!(error.path(), Some(&*path));
        }
        assert_eq!(npz.array("few").unwrap().strings().unwrap().into_raw_vec_and_offset().0, ["a", "b"]);
    }

    #[test]
    fn an_address_space_that_is_too_small_for_the_texts_of_strings_is_an_error() {
        const COUNT: usize = 3_000_000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let mut writer = npzmap::NpzWriter::create(&path).unwrap().sync(false);
        writer.add("x", bytemuck::cast_slice::<u8, npzmap::FixedBytes<1>>(&[b'a'; COUNT])).unwrap();
        writer.add_strings("u", &vec!["a"; COUNT][..]).unwrap();
        writer.add_strings("few", &["a", "b"][..]).unwrap();
        writer.finish().unwrap();
        // The strings take 72 MB and their bytes 12 MB; the texts, 32 bytes each, 96 MB more.
        assert_passed(&child("has_memory_for_strings_and_not_for_their_texts", &path, 128 << 20));
    }

    /// Large enough to be split over threads, and for no heap that the allocator has reserved already: those have 64 MiB.
    const MIDDLING: u64 = 96 << 20;
    /// What that array does not fit into, also when the heap gives a few pages back.
    const LESS: u64 = 4 << 20;

    #[test]
    #[ignore = "runs under a limit for its address space"]
    fn has_just_enough_memory() {
        let Some(path) = target() else { return };
        let npz = Npz::open(&path).unwrap();
        limit(MIDDLING - LESS + number());
        match npz.read::<u8, Ix1>("x") {
            Ok(array) => {
                let zeros = |block: &[u8]| *block == [0; 1 << 16][..block.len()];
                assert!(array.len() as u64 == MIDDLING && array.as_slice().unwrap().chunks(1 << 16).all(zeros));
                println!("\n{ARRAY}");
            }
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::OutOfMemory { bytes: MIDDLING }), "{error:?}");
                assert_eq!((error.member(), error.path()), (Some("x"), Some(&*path)));
                println!("\n{REFUSED}");
            }
        }
    }

    /// What that child prints.
    const ARRAY: &str = "there was an array";
    const REFUSED: &str = "there was no memory";

    #[test]
    fn memory_for_the_array_and_not_for_threads_is_an_array_or_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        sparse(&path, MIDDLING);
        let more = [0, 64 << 10, 512 << 10, 1 << 20, 2 << 20, 3 << 20, 5 << 20, 8 << 20, 40 << 20];
        let outcomes = [0].into_iter().chain(more.map(|more| LESS + more)).map(|more| {
            let output = child("has_just_enough_memory", &path, more);
            assert_passed(&output);
            let out = String::from_utf8_lossy(&output.stdout);
            assert_ne!(out.contains(ARRAY), out.contains(REFUSED), "{out}");
            out.contains(ARRAY)
        });
        let outcomes: Vec<bool> = outcomes.collect();
        // The least is not enough for the array, the most is for whatever may run beside it; between them it turns once.
        assert!(outcomes.is_sorted() && outcomes.contains(&false) && outcomes.contains(&true), "{outcomes:?}");
    }
}
