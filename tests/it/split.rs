//! One large stored array, split over threads.
#![cfg(feature = "rayon")]

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use bytemuck::{Pod, Zeroable};
use ndarray::{Array2, Ix1, Ix2};
use npzmap::{ErrorKind, Npz, OpenOptions, Source, Verify, record};

use crate::counting::Counting;
use crate::forge::{self, Archive};

/// What is split over threads is as large as this; no multiple of what one of them takes at a time.
const LARGE: usize = (21 << 20) + 12;

pub(crate) fn with_threads<R: Send>(count: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap().install(work)
}

/// A source that several threads may read, and that fails where bytes are bad.
struct Failing {
    bytes: Vec<u8>,
    bad: Range<u64>,
}

impl Source for Failing {
    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        if offset < self.bad.end && offset + buf.len() as u64 > self.bad.start {
            if offset <= self.bad.start {
                std::thread::sleep(Duration::from_millis(20)); // every other thread has failed long before
            }
            return Err(std::io::Error::other("no such sector"));
        }
        self.bytes.read_exact_at(offset, buf)
    }
}

#[test]
fn a_large_array_that_is_split_over_threads_is_the_one_that_one_thread_reads() {
    let numbers: Vec<u32> = (0..LARGE as u32 / 4).map(|number| number.wrapping_mul(0x9e37_79b9)).collect();
    let archive = Archive::new(vec![forge::stored("a.npy", &forge::u32s(&numbers))]);
    let bytes = archive.bytes();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    let by_position = Npz::open(file.path()).unwrap();
    let in_memory = Npz::new(bytes).unwrap();
    for threads in [1, 2, 5] {
        with_threads(threads, || {
            assert!(by_position.read::<u32, Ix1>("a").unwrap().as_slice().unwrap() == numbers);
            assert!(in_memory.read::<u32, Ix1>("a").unwrap().as_slice().unwrap() == numbers);
            let lent = in_memory.array("a").unwrap().bytes().unwrap();
            assert!(matches!(lent, Cow::Borrowed(_)));
            assert!(by_position.member("a").unwrap().bytes().unwrap()[128..] == *lent);
            let mut into = ndarray::Array1::<u32>::zeros(numbers.len());
            by_position.array("a").unwrap().read_into(into.view_mut()).unwrap();
            assert!(into.as_slice().unwrap() == numbers);
            by_position.verify().unwrap();
            in_memory.verify().unwrap();
        });
    }
}

/// A source that several threads may read, and that remembers each read.
struct Remembering(Counting);

impl Source for Remembering {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact_at(offset, buf)
    }
}

#[test]
fn what_several_threads_read_is_read_once() {
    let archive = Archive::new(vec![forge::stored("a.npy", &forge::u32s(&vec![7; LARGE / 4]))]);
    let npz = Npz::new(Remembering(Counting::new(archive.bytes()))).unwrap();
    npz.source().0.taken();
    let once = |work: &(dyn Fn() + Sync)| {
        with_threads(3, work);
        let reads = npz.source().0.taken();
        let total: usize = reads.iter().map(|(_, length)| length).sum();
        // Besides it, the local header and the array's own.
        assert!(reads.len() > 3 && (LARGE..LARGE + 4096).contains(&total), "{total} bytes of {LARGE}: {reads:?}");
    };
    once(&|| assert_eq!(npz.read::<u32, Ix1>("a").unwrap()[LARGE / 4 - 1], 7));
    once(&|| assert_eq!(npz.member("a").unwrap().bytes().unwrap()[LARGE + 124], 7));
    once(&|| npz.verify().unwrap());
}

#[test]
fn damage_is_found_and_a_source_that_fails_is_told_whichever_thread_reads_it() {
    let sound = Archive::new(vec![forge::stored("a.npy", &forge::u32s(&vec![7; LARGE / 4]))]);
    let data = usize::try_from(sound.data_at(0)).unwrap();
    // In the header's blanks, in the first piece, on both sides of a border, and at the end.
    for place in [data + 100, data + 128, data + 128 + (4 << 20), data + (9 << 20), data + 127 + LARGE] {
        let mut bytes = sound.bytes();
        bytes[place] ^= if place < data + 128 { b' ' ^ b'\t' } else { 1 };
        let failing = Npz::new(Failing { bytes: bytes.clone(), bad: 0..0 }).unwrap();
        let in_memory = Npz::new(bytes).unwrap();
        with_threads(3, || {
            for refused in [
                in_memory.read::<u32, Ix1>("a").map(drop),
                in_memory.verify(),
                failing.read::<u32, Ix1>("a").map(drop),
                failing.verify(),
            ] {
                let error = refused.unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Checksum { .. }), "{place}: {error}");
                assert_eq!((error.member(), error.offset()), (Some("a"), Some(data as u64)));
            }
        });
    }
}

#[test]
fn of_a_source_that_fails_in_many_places_the_first_is_told() {
    const BLOCK: u64 = 512 << 10;
    let sound = Archive::new(vec![forge::stored("a.npy", &forge::u32s(&vec![7; LARGE / 4]))]);
    let data = sound.data_at(0);
    // What lies far enough from both ends for the archive to be opened.
    for offset in [1 << 20, 4 << 20, 9 << 20, 20 << 20] {
        let bad = data + offset..data + (21 << 20) - 8192;
        let broken = Npz::new(Failing { bytes: sound.bytes(), bad: bad.clone() }).unwrap();
        let at = |threads, work: &(dyn Fn() -> npzmap::Result<()> + Sync)| {
            let error = with_threads(threads, work).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Io(_)), "{offset}: {error}");
            assert_eq!(error.member(), Some("a"));
            error.offset().unwrap()
        };
        let read = || broken.read::<u32, Ix1>("a").map(drop);
        let rows = || broken.array("a").and_then(|array| array.rows(1..LARGE / 4)?.read::<u32, Ix1>()).map(drop);
        for threads in [2, 3, 5] {
            assert_eq!(at(threads, &read), at(1, &read), "{offset}, {threads} threads");
            for found in [at(threads, &read), at(threads, &|| broken.verify())] {
                assert!((bad.start - BLOCK..=bad.start).contains(&found), "{offset}, {threads} threads: {found}");
            }
            // Rows are asked for by as many bytes as a thread takes.
            let found = at(threads, &rows);
            assert!(
                (data..=bad.start).contains(&found) && found + (4 << 20) > bad.start,
                "{offset}, {threads} threads: {found}"
            );
        }
    }
}

/// A member of so many bytes that a list of its pieces would not fit into memory.
struct Petabytes {
    archive: Archive,
    size: u64,
}

impl Source for Petabytes {
    fn size(&self) -> u64 {
        self.size + self.archive.bytes().size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        let (bytes, data) = (self.archive.bytes(), self.archive.data_at(0));
        if (data..self.size / 2).contains(&offset) {
            return Err(std::io::Error::other("no such sector"));
        }
        // The local header at the start, all that follows the data behind it, zeros between.
        for (at, byte) in (offset..).zip(buf) {
            let at = if at < data { Some(at) } else { at.checked_sub(self.size) };
            *byte = at.and_then(|at| bytes.get(at as usize)).copied().unwrap_or(0);
        }
        Ok(())
    }
}

#[test]
fn what_checks_a_member_of_any_size_is_as_large() {
    let size = 1 << 60;
    let mut archive = Archive::new(vec![forge::stored("a", b"")]);
    let wide = forge::zip64_extra(&[size, size]);
    for header in [&mut archive.records[0], &mut archive.entries[0].header] {
        (header.size, header.compressed_size) = (forge::WIDE, forge::WIDE);
        header.extra = wide.clone();
    }
    archive.lay_out();
    archive.zip64 = Some(forge::Zip64::new());
    archive.lay_out();
    let data = archive.data_at(0);
    let zip64 = archive.zip64.as_mut().unwrap();
    zip64.offset += size;
    zip64.locator_offset += size;
    archive.end.offset = forge::WIDE;
    let npz = Npz::new(Petabytes { archive, size }).unwrap();
    let error = with_threads(2, || npz.verify()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error}");
    assert_eq!((error.member(), error.offset()), (Some("a"), Some(data)));
}

#[test]
fn a_large_array_is_not_checked_where_nobody_asks() {
    let mut archive = Archive::new(vec![forge::stored("a.npy", &forge::u32s(&vec![7; LARGE / 4]))]);
    *archive.entries[0].data.last_mut().unwrap() = 1;
    let npz = OpenOptions::new().verify(Verify::Never).source(archive.bytes()).unwrap();
    with_threads(3, || {
        let array = npz.read::<u32, Ix1>("a").unwrap();
        assert_eq!((array[0], array[LARGE / 4 - 1]), (7, 0x0100_0007));
    });
}

#[derive(Clone, Copy, Debug, PartialEq, Zeroable, Pod)]
#[repr(C)]
struct Reading {
    place: u32,
    values: [u32; 2],
}

record!(Reading { place: u32, values: [u32; 2] });

#[test]
fn items_are_swapped_whole_wherever_the_pieces_that_threads_take_begin() {
    // In records of 12 bytes, of which no piece and no block has a whole number.
    let readings: Vec<Reading> = (0..LARGE as u32 / 12)
        .map(|place| Reading { place, values: [place.wrapping_mul(0x9e37_79b9), !place] })
        .collect();
    let payload: Vec<u8> = readings
        .iter()
        .flat_map(|reading| [reading.place, reading.values[0], reading.values[1]])
        .flat_map(u32::to_be_bytes)
        .collect();
    let content =
        forge::npy("[('place', '>u4'), ('values', '>u4', (2,))]", &format!("({},)", readings.len()), &payload);
    for entry in [forge::stored("a.npy", &content), forge::deflated("a.npy", &content)] {
        let npz = Npz::new(Archive::new(vec![entry]).bytes()).unwrap();
        for threads in [1, 3] {
            let read = with_threads(threads, || npz.read::<Reading, Ix1>("a").unwrap());
            assert!(read.as_slice().unwrap() == readings, "{threads}");
        }
    }
}

#[test]
fn rows_that_several_threads_read_are_those_that_one_reads() {
    let count = LARGE / 4;
    // Two long columns or a great many short ones, in Fortran order; as many rows or columns, in C order.
    for [rows, columns] in [[count / 2, 2], [50, count / 50]] {
        let number = |index: usize| (index as u32).wrapping_mul(0x9e37_79b9);
        for (dtype, to_bytes) in [("'<u4'", u32::to_le_bytes as fn(u32) -> [u8; 4]), ("'>u4'", u32::to_be_bytes)] {
            let payload: Vec<u8> = (0..rows * columns).flat_map(|index| to_bytes(number(index))).collect();
            for fortran in ["False", "True"] {
                let header =
                    format!("{{'descr': {dtype}, 'fortran_order': {fortran}, 'shape': ({rows}, {columns}), }}");
                let blanks = 64 - (header.len() + 11) % 64;
                let content = [&forge::preamble((1, 0), format!("{header}{:blanks$}\n", "")), &payload[..]].concat();
                let bytes = Archive::new(vec![forge::stored("a.npy", &content)]).bytes();
                let mut file = tempfile::NamedTempFile::new().unwrap();
                std::io::Write::write_all(&mut file, &bytes).unwrap();
                let (by_position, in_memory) = (Npz::open(file.path()).unwrap(), Npz::new(bytes).unwrap());
                let range = 3..rows - 2;
                let expected = Array2::from_shape_fn((range.len(), columns), |(row, column)| {
                    let row = row + range.start;
                    number(if fortran == "True" { column * rows + row } else { row * columns + column })
                });
                for threads in [1, 3] {
                    with_threads(threads, || {
                        assert!(
                            by_position.array("a").unwrap().rows(range.clone()).unwrap().read::<u32, Ix2>().unwrap()
                                == expected
                        );
                        assert!(
                            in_memory.array("a").unwrap().rows(range.clone()).unwrap().read::<u32, Ix2>().unwrap()
                                == expected
                        );
                    });
                }
            }
        }
    }
}

#[test]
fn rows_from_a_source_that_fails_are_an_error() {
    let sound = Archive::new(vec![forge::stored("a.npy", &forge::u32s(&vec![7; LARGE / 4]))]);
    let at = sound.data_at(0) + (9 << 20);
    let broken = Npz::new(Failing { bytes: sound.bytes(), bad: at..at + 1 }).unwrap();
    with_threads(3, || {
        let error = broken.array("a").and_then(|array| array.rows(1..LARGE / 4)?.read::<u32, Ix1>()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error}");
        assert_eq!(error.member(), Some("a"));
    });
}
