//! Files, maps and budgets: M1 to M4, L4 to L6.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use ndarray::Ix1;
use npzmap::{Error, ErrorKind as K, Limits, Npy, Npz, OpenOptions, Source, Verify};

use super::*;
use crate::forge::{End, WIDE, Zip64, deflated, npy, zip64_extra};
use crate::memory::{INPUT, LITTLE, cost};

// M1

#[test]
fn m1_a_file_that_can_change_is_not_mapped_by_the_safe_call() {
    let file = written(&three().bytes());
    let error = Npz::map_if_safe(file.path()).unwrap_err();
    assert_rule!(error, "M1", K::NotImmutable);
    assert_eq!(error.path(), Some(file.path()));
    let error = Npz::map_file_if_safe(File::open(file.path()).unwrap()).unwrap_err();
    assert_rule!(error, "M1", K::NotImmutable);
    // Not even where nobody may write to it: its owner can allow that again.
    let mut permissions = file.as_file().metadata().unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(file.path(), permissions).unwrap();
    let error = Npz::map_if_safe(file.path()).unwrap_err();
    assert_rule!(error, "M1", K::NotImmutable);
    assert_eq!((error.member(), error.offset(), error.path()), (None, None, Some(file.path())));
    // The other safe doors.
    the_others_read(&Npz::open(file.path()).unwrap(), &[]);
    the_others_read(&Npz::new(fs::read(file.path()).unwrap()).unwrap(), &[]);
}

/// A file in memory, with these seals.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the system's calls that make and seal such a file")]
fn memfd(bytes: &[u8], seals: libc::c_int) -> File {
    use std::os::fd::{AsRawFd, FromRawFd};

    // SAFETY: the name is a string that ends with NUL, and the descriptor belongs to nobody else.
    let mut file = unsafe {
        let descriptor = libc::memfd_create(c"npzmap".as_ptr(), libc::MFD_ALLOW_SEALING | libc::MFD_CLOEXEC);
        assert!(descriptor >= 0, "{}", io::Error::last_os_error());
        File::from_raw_fd(descriptor)
    };
    file.write_all(bytes).unwrap();
    // SAFETY: the descriptor is open, and the call touches no memory.
    let sealed = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) };
    assert_eq!(sealed, 0, "{}", io::Error::last_os_error());
    file
}

#[test]
#[cfg(target_os = "linux")]
fn m1_a_sealed_file_in_memory_is_mapped_by_the_safe_call() {
    let bytes = three().bytes();
    let all = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    let npz = Npz::map_file_if_safe(memfd(&bytes, all)).unwrap();
    the_others_read(&npz, &[]);
    assert_eq!(npz.path(), None);
    let plain = memfd(&fs::read(crate::fixtures::path("plain.npy")).unwrap(), all);
    assert_eq!(
        Npy::map_file_if_safe(plain.try_clone().unwrap()).unwrap().view::<f32, ndarray::Ix2>().unwrap()[(0, 2)],
        1.5
    );
    // By the name that the descriptor has among those of this process.
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&plain));
    let npy = OpenOptions::new().map_npy_if_safe(path).unwrap();
    assert_eq!(npy.view::<f32, ndarray::Ix2>().unwrap()[(0, 3)], -2.25);
    // What is not sealed against writing can change, and so can what can be cut off.
    for seals in [0, libc::F_SEAL_WRITE, libc::F_SEAL_SHRINK, libc::F_SEAL_GROW | libc::F_SEAL_SHRINK] {
        assert_rule!(Npz::map_file_if_safe(memfd(&bytes, seals)).unwrap_err(), "M1", K::NotImmutable);
    }
}

// M2, M3

#[test]
fn m2_a_file_that_is_cut_off_is_an_error_when_it_is_read_by_position() {
    let archive = built(|archive| {
        archive.entries[2] = stored("after.npy", &npy("'|u1'", "(100000,)", &[7; 100_000]));
        archive.records[2] = Header { signature: *b"PK\x01\x02", ..archive.entries[2].header.clone() };
    });
    let file = written(&archive.bytes());
    let npz = Npz::open(file.path()).unwrap();
    // Within the data, within the local header, and to nothing.
    for length in [archive.data_at(2) + 1000, archive.local_at(2) + 10, 0] {
        file.as_file().set_len(length).unwrap();
        for error in [
            npz.read::<u8, Ix1>("after").unwrap_err(),
            npz.member("after").unwrap().bytes().unwrap_err(),
            npz.member("after").unwrap().verify().unwrap_err(),
        ] {
            assert!(matches!(error.kind(), K::Io(source) if source.kind() == ErrorKind::UnexpectedEof), "{error:?}");
            assert_eq!((error.member(), error.path()), (Some("after"), Some(file.path())));
        }
        // Those before the cut read.
        if length > 0 {
            the_others_read(&npz, &["after"]);
        }
    }
    assert_eq!(npz.len(), 3);
}

#[test]
fn m2_a_file_that_changed_is_told_from_the_one_that_was_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.npz");
    let fresh = || fs::write(&path, three().bytes()).unwrap();
    let changes: [(&str, &dyn Fn()); 4] = [
        ("length", &|| fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"!").unwrap()),
        ("length", &|| fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(10).unwrap()),
        ("time", &|| {
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }),
        ("inode", &|| {
            fs::write(path.with_extension("new"), three().bytes()).unwrap();
            fs::rename(path.with_extension("new"), &path).unwrap();
        }),
    ];
    for (about, change) in changes {
        fresh();
        let (opened, mapped) = (Npz::open(&path).unwrap(), map(OpenOptions::new(), &path).unwrap());
        opened.check_unchanged().unwrap();
        mapped.check_unchanged().unwrap();
        change();
        for error in [opened.check_unchanged().unwrap_err(), mapped.check_unchanged().unwrap_err()] {
            assert_rule!(error, "M2", K::FileChanged { .. });
            assert!(error.to_string().contains(about), "{about}: {error}");
            assert_eq!(error.path(), Some(&*path));
        }
        fs::remove_file(&path).unwrap();
        for error in [opened.check_unchanged().unwrap_err(), mapped.check_unchanged().unwrap_err()] {
            // The file that was opened has changed as before; of the other one, only the path was known.
            match error.kind() {
                K::Io(said) => assert_eq!((about, said.kind()), ("inode", ErrorKind::NotFound)),
                K::FileChanged { what } => assert!(what.contains(about) && about != "inode", "{error:?}"),
                _ => panic!("{error:?}"),
            }
            assert_eq!((error.member(), error.offset(), error.path()), (None, None, Some(&*path)));
        }
    }
}

#[test]
fn m2_a_file_that_is_overwritten_is_an_error_or_its_new_values_when_it_is_read_by_position() {
    let file = written(&three().bytes());
    let npz = Npz::open(file.path()).unwrap();
    fs::write(file.path(), vec![0x55; three().bytes().len()]).unwrap();
    let error = assert_about_x(&three(), npz.read::<u32, Ix1>("x").unwrap_err(), Place::Local);
    assert_rule!(error, "Z1", K::HeaderMismatch { field: "signature", .. });
    // Another array of the same size in the same place is told by its checksum.
    let mut other = three();
    other.entries[X].data[130] ^= 1;
    fs::write(file.path(), other.bytes()).unwrap();
    let error = assert_about_x(&other, npz.read::<u32, Ix1>("x").unwrap_err(), Place::Data);
    assert_rule!(error, "Z27", K::Checksum { .. });
    the_others_read(&npz, &["x"]);
}

#[test]
fn m3_a_reader_keeps_the_file_that_another_one_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.npz");
    fs::write(&path, three().bytes()).unwrap();
    let (mapped, opened) = (map(OpenOptions::new(), &path).unwrap(), Npz::open(&path).unwrap());
    let new = folder.path().join("model.npz.new");
    fs::write(&new, Archive::new(vec![sound("new.npy")]).bytes()).unwrap();
    fs::rename(&new, &path).unwrap();
    the_others_read(&mapped, &[]);
    the_others_read(&opened, &[]);
    assert_eq!(Npz::open(&path).unwrap().keys().collect::<Vec<_>>(), ["new"]);
}

// M4

/// What is no regular file, each by its path.
#[cfg(unix)]
fn irregular(folder: &Path) -> Vec<PathBuf> {
    let fifo = folder.join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let socket = folder.join("socket");
    std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let (link, other) = (folder.join("link"), folder.join("other link"));
    std::os::unix::fs::symlink(folder, &link).unwrap();
    std::os::unix::fs::symlink(&fifo, &other).unwrap();
    vec![folder.into(), fifo, socket, link, other, "/dev/null".into(), "/dev/zero".into()]
}

#[test]
#[cfg(unix)]
fn m4_what_is_no_regular_file_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    for path in irregular(folder.path()) {
        let errors = [
            Npz::open(&path).unwrap_err(),
            map(OpenOptions::new(), &path).unwrap_err(),
            Npz::map_if_safe(&path).unwrap_err(),
        ];
        let error = agreed(errors);
        assert_rule!(error, "M4", K::NotRegularFile { .. });
        assert_eq!((error.path(), error.kind().fault()), (Some(&*path), npzmap::Fault::System));
        assert_eq!((error.member(), error.offset()), (None, None));
    }
    // What is open already.
    for path in [folder.path(), Path::new("/dev/null"), Path::new("/dev/zero")] {
        let file = || File::open(path).unwrap();
        let error = agreed([Npz::open_file(file()).unwrap_err(), Npz::map_file_if_safe(file()).unwrap_err()]);
        assert_rule!(error, "M4", K::NotRegularFile { .. });
        assert_eq!((error.member(), error.offset(), error.path()), (None, None, None));
    }
}

#[test]
fn m4_an_empty_file_is_no_archive() {
    let empty = written(b"");
    for error in [Npz::open(empty.path()).unwrap_err(), map(OpenOptions::new(), empty.path()).unwrap_err()] {
        assert_rule!(error, "Z8", K::NotAnArchive { size: 0 });
        assert_eq!(error.path(), Some(empty.path()));
    }
    assert_rule!(Npz::new(b"").unwrap_err(), "Z8", K::NotAnArchive { size: 0 });
}

#[test]
#[cfg(unix)]
fn m4_a_link_to_a_file_is_the_file_and_no_file_is_an_error_of_the_system() {
    let file = written(&three().bytes());
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(file.path(), &link).unwrap();
    the_others_read(&Npz::open(&link).unwrap(), &[]);
    the_others_read(&map(OpenOptions::new(), &link).unwrap(), &[]);
    let nowhere = folder.path().join("nowhere");
    for error in [Npz::open(&nowhere).unwrap_err(), map(OpenOptions::new(), &nowhere).unwrap_err()] {
        assert!(matches!(error.kind(), K::Io(source) if source.kind() == ErrorKind::NotFound), "{error:?}");
        assert_eq!(error.path(), Some(&*nowhere));
    }
}

// L4 to L6

/// A source that says how long it is, and has zeros where it has no pieces.
struct Sparse {
    size: u64,
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Source for Sparse {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.size);
        let end = end.ok_or(ErrorKind::UnexpectedEof)?;
        buf.fill(0);
        for (start, bytes) in &self.pieces {
            let (from, to) = (offset.max(*start), end.min(start + bytes.len() as u64));
            if from < to {
                let within = |base: u64| usize::try_from(from - base).unwrap()..usize::try_from(to - base).unwrap();
                buf[within(offset)].copy_from_slice(&bytes[within(*start)]);
            }
        }
        Ok(())
    }
}

#[test]
fn l4_a_directory_of_two_gibibytes_is_refused() {
    const MOST: u32 = u32::MAX >> 1;
    let end = End { size: MOST + 1, ..Archive::new(Vec::new()).end };
    let directory = u64::from(end.size);
    let bytes = end.bytes();
    let file = NamedTempFile::new().unwrap();
    file.as_file().set_len(directory).unwrap();
    fs::OpenOptions::new().append(true).open(file.path()).unwrap().write_all(&bytes).unwrap();
    let sparse = Sparse { size: directory + 22, pieces: vec![(directory, bytes)] };
    let error = agreed([
        Npz::new(sparse).map(drop).unwrap_err(),
        Npz::open(file.path()).unwrap_err(),
        map(OpenOptions::new(), file.path()).unwrap_err(),
    ]);
    assert_rule!(error, "L4", K::LimitExceeded { found: 0x8000_0000, limit: 0x7fff_ffff, .. });
    assert_eq!((error.member(), error.offset()), (None, Some(directory)));
    assert_eq!(error.kind().fault(), npzmap::Fault::Limit);
}

#[test]
fn l4_a_directory_of_one_byte_less_is_looked_at() {
    let end = End { size: u32::MAX >> 1, entries: 1, disk_entries: 1, ..Archive::new(Vec::new()).end };
    let size = end.size as usize;
    let mut bytes = vec![0; size + 22]; // which nobody looks at, and which costs no memory
    bytes[size..].copy_from_slice(&end.bytes());
    let error = Npz::new(&bytes[..]).unwrap_err();
    assert_rule!(error, "Z11", K::BadDirectory { .. });
    assert_eq!((error.member(), error.offset()), (None, Some(0)));
}

#[test]
fn l4_a_number_of_members_is_no_measure_of_memory() {
    // 2^60 of them, says the end record; the directory has room for three.
    let mut archive = three();
    archive.zip64 = Some(Zip64::new());
    archive.lay_out();
    (archive.end.entries, archive.end.disk_entries) = (u16::MAX, u16::MAX);
    let zip64 = archive.zip64.as_mut().unwrap();
    (zip64.entries, zip64.disk_entries) = (1 << 60, 1 << 60);
    assert_rule!(unopened(&archive.bytes(), archive.end_at()), "Z11", K::DirectoryMismatch { expected: 3, .. });
}

#[test]
fn l5_a_compressed_member_decodes_to_no_more_than_the_limit() {
    let payload: Vec<u8> = (0..200).collect();
    let content = npy("'|u1'", "(200,)", &payload);
    let text = npy("'|S1'", "(200,)", &[b'a'; 200]);
    let limited = |bytes| OpenOptions::new().limits(Limits::new().max_decoded_bytes(bytes));
    let archive = with_x(deflated("x.npy", &content));
    let refused = |error: Error, found_bytes: u64, most: u64| {
        let error = assert_about_x(&archive, error, Place::Data);
        assert_rule!(error, "L5", K::LimitExceeded { found, limit, .. } if (*found, *limit) == (found_bytes, most));
        assert!(error.to_string().contains("Limits::max_decoded_bytes"), "{error}");
    };
    each_reader!(&archive.bytes(), limited(199), |npz| {
        let npz = npz.unwrap();
        the_others_read(&npz, &["x"]);
        refused(npz.read::<u8, Ix1>("x").unwrap_err(), 200, 199);
        refused(npz.get::<u8, Ix1>("x").unwrap_err(), 200, 199);
        let member = npz.member("x").unwrap();
        refused(member.bytes().unwrap_err(), 328, 199);
        // What holds nothing in memory is not limited.
        member.verify().unwrap();
        assert_eq!(member.header().unwrap().shape(), [200]);
        let mut destination = Array1::<u8>::zeros(200);
        member.array().unwrap().read_into(destination.view_mut()).unwrap();
        assert_eq!(destination.to_vec(), payload);
    });
    each_reader!(&archive.bytes(), limited(200), |npz| {
        assert_eq!(read_by_every_call::<u8, _>(&npz.unwrap(), "x"), payload);
    });
    let strings = with_x(deflated("x.npy", &text));
    // Of strings, what they take in memory counts.
    let memory = 200 * size_of::<String>() as u64;
    each_reader!(&strings.bytes(), limited(199), |npz| {
        let npz = npz.unwrap();
        the_others_read(&npz, &["x"]);
        let error =
            assert_about_x(&strings, npz.array("x").and_then(|array| array.strings()).unwrap_err(), Place::Data);
        assert_rule!(error, "L5", K::LimitExceeded { limit: 199, found, .. } if *found == memory);
    });
    // What is stored is there.
    let plain = with_x(stored("x.npy", &content));
    each_reader!(&plain.bytes(), limited(0), |npz| {
        let npz = npz.unwrap();
        assert_eq!(read_by_every_call::<u8, _>(&npz, "x"), payload);
        assert_eq!(npz.member("x").unwrap().bytes().unwrap().len(), 328);
    });
}

#[test]
fn l5_the_limit_is_16_gibibytes() {
    // Room for the compressed data that a member of this size needs at the least.
    let declared = (16 << 30) + 1;
    let (sparse, data) = huge(8, declared, declared / 1032 + 1, declared);
    let npz = Npz::new(sparse).unwrap();
    // The stream itself has other things wrong with it.
    let (error, cost) = cost(|| npz.member("x").unwrap().bytes().unwrap_err());
    assert_rule!(error, "L5", K::LimitExceeded { found, limit, .. } if (*found, *limit) == (declared, 16 << 30));
    assert_eq!((error.member(), error.offset()), (Some("x"), Some(data)));
    assert!(cost.peak <= LITTLE + INPUT, "{cost:?}");
    assert_eq!(npz.read::<u32, Ix1>("after").unwrap().to_vec(), values("after"));
}

/// A member of this many bytes, an array of as many `u8` as the last number says, behind a small one, `after`; and where
/// its data begins.
fn huge(method: u16, size: u64, compressed_size: u64, count: u64) -> (Sparse, u64) {
    let preamble = npy("'|u1'", &format!("({count},)"), &[]);
    let mut archive = Archive::new(vec![sound("after.npy"), stored("x.npy", &preamble)]);
    both(&mut archive, X, |header| {
        header.method = method;
        (header.size, header.compressed_size, header.crc32) = (WIDE, WIDE, 0);
        header.extra = zip64_extra(&[size, compressed_size]);
    });
    archive.zip64 = Some(Zip64::new());
    archive.lay_out();
    // The data is longer than what is written of it.
    let (start, data) = (archive.data_at(X), archive.entries[X].data.len() as u64);
    let more = compressed_size - data;
    let zip64 = archive.zip64.as_mut().unwrap();
    zip64.offset += more;
    zip64.locator_offset += more;
    archive.end.offset = WIDE;
    let bytes = archive.bytes();
    let (head, tail) = bytes.split_at(usize::try_from(start + data).unwrap());
    let size = bytes.len() as u64 + more;
    (Sparse { size, pieces: vec![(0, head.into()), (size - tail.len() as u64, tail.into())] }, start)
}

#[test]
fn l6_memory_that_is_not_there_is_an_error() {
    // More than any address space has.
    let count = 1 << 60;
    let (sparse, data) = huge(0, count + 128, count + 128, count);
    let npz = Npz::new(sparse).unwrap();
    let header = npz.member("x").unwrap().header().unwrap();
    assert_eq!(header.nbytes() as u64, count);
    let refused = |error: Error, asked: u64| {
        assert_rule!(error, "L6", K::OutOfMemory { bytes } if *bytes == asked);
        assert_eq!((error.member(), error.offset()), (Some("x"), Some(data)));
        assert_eq!(error.kind().fault(), npzmap::Fault::System);
    };
    let errors = {
        let whole = npz.member("x").unwrap().bytes().unwrap_err();
        let rows = npz.array("x").and_then(|array| array.rows(1..count as usize)?.read::<u8, Ix1>()).unwrap_err();
        [
            (npz.read::<u8, Ix1>("x").unwrap_err(), count),
            (npz.get::<u8, Ix1>("x").unwrap_err(), count),
            (npz.read_any("x").map(drop).unwrap_err(), count),
            (rows, count - 1),
            (whole, count + 128),
        ]
    };
    errors.into_iter().for_each(|(error, asked)| refused(error, asked));
    assert_eq!(npz.read::<u32, Ix1>("after").unwrap().to_vec(), values("after"));
}

#[test]
fn l6_a_view_lies_in_the_source_also_when_it_is_verified() {
    let archive = with_x(stored("x.npy", &npy("'|u1'", "(3,)", &[1, 2, 3])));
    let bytes = archive.bytes();
    for verify in [Verify::Never, Verify::Copied, Verify::Always] {
        let npz = OpenOptions::new().verify(verify).source(&bytes[..]).unwrap();
        let view = npz.view::<u8, Ix1>("x").unwrap();
        let payload = usize::try_from(archive.data_at(X) + 128).unwrap();
        assert_eq!(view.as_ptr(), bytes[payload..].as_ptr());
    }
}
