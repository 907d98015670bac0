//! Does opening depend on the size of the file, or on the number of its members?
//!
//! `file size`: eight arrays, sparse, from 1 MB to 64 GB: a flat line. `members`: from 10 to 100,000 arrays of 16
//! floats: a line through the origin, a few tens of nanoseconds a member. By position they open and close, mapped they also
//! view the last key.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::IxDyn;
use npzmap::{Header, Npz, Order, Unaligned};

/// An archive of `count` stored arrays of `length` floats, written as holes of a sparse file. The CRCs are not those
/// of the data: opening and viewing do not look at them.
fn archive(path: &Path, count: u32, length: usize) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let header = Header::new("<f4".parse().unwrap(), &[length], Order::C).unwrap().to_bytes();
    let size = (header.len() + length * 4) as u64;
    let mut directory = Vec::new();
    for number in 0..count {
        let name = format!("layers.{number}.weight.npy");
        let offset = file.stream_position().unwrap();
        let lengths = [name.len() as u16, 20].map(u16::to_le_bytes).concat();
        let zip64 = [&[1, 0, 16, 0][..], &size.to_le_bytes(), &size.to_le_bytes()].concat();
        for part in [&b"PK\x03\x04\x2d\0\0\0\0\0\0\0\x21\0\0\0\0\0"[..], &[0xff; 8], &lengths, name.as_bytes(), &zip64]
        {
            file.write_all(part).unwrap();
        }
        file.write_all(&header).unwrap();
        file.seek(SeekFrom::Current(length as i64 * 4)).unwrap();
        let lengths = [name.len() as u16, 28].map(u16::to_le_bytes).concat();
        let zip64 = [&[1, 0, 24, 0][..], &size.to_le_bytes(), &size.to_le_bytes(), &offset.to_le_bytes()].concat();
        let fixed = &b"PK\x01\x02\x2d\x03\x2d\0\0\0\0\0\0\0\x21\0\0\0\0\0"[..];
        for part in [fixed, &[0xff; 8], &lengths, &[0; 10], &[0xff; 4], name.as_bytes(), &zip64] {
            directory.extend_from_slice(part);
        }
    }
    let start = file.stream_position().unwrap();
    file.write_all(&directory).unwrap();
    let (count, size) = (u64::from(count), directory.len() as u64);
    let zip64: Vec<u8> = [44, u64::from_le_bytes([45, 0, 45, 0, 0, 0, 0, 0]), count, count, size, start]
        .iter()
        .enumerate()
        .flat_map(|(index, field)| {
            // Two 16-bit versions and two 32-bit disk numbers make 12 bytes.
            let bytes = field.to_le_bytes();
            if index == 1 { [&bytes[..], &[0; 4]].concat() } else { bytes.to_vec() }
        })
        .collect();
    for part in [&b"PK\x06\x06"[..], &zip64, b"PK\x06\x07\0\0\0\0", &(start + size).to_le_bytes(), &[1, 0, 0, 0]] {
        file.write_all(part).unwrap();
    }
    file.write_all(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0").unwrap();
    file.flush().unwrap();
}

/// Opens by position and reads nothing, then maps and touches the last array.
fn measure(c: &mut Criterion, group: &str, label: &str, path: &Path, count: u32) {
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements(count.into()));
    let last = format!("layers.{}.weight", count - 1);
    group.bench_function(BenchmarkId::new("open", label), |b| {
        b.iter(|| Npz::open(path).unwrap().len());
    });
    group.bench_function(BenchmarkId::new("map and view the last key", label), |b| {
        b.iter(|| {
            let npz = map(path);
            let view = npz.view::<Unaligned<f32>, IxDyn>(&last).unwrap();
            black_box(view.first().copied())
        });
    });
    group.finish();
}

#[expect(unsafe_code, reason = "the map is what is measured")]
fn map(path: &Path) -> Npz<npzmap::Mapping> {
    // SAFETY: the file is this program's own, in a folder of its own.
    unsafe { Npz::map(path) }.unwrap()
}

fn open(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("archive.npz");
    for (label, bytes) in [("1 MB", 1_000_000_u64), ("100 MB", 100_000_000), ("64 GB", 64_000_000_000)] {
        archive(&path, 8, usize::try_from(bytes / 32).unwrap());
        measure(c, "file size", label, &path, 8);
    }
    for count in [10, 1_000, 100_000] {
        archive(&path, count, 16);
        measure(c, "members", &count.to_string(), &path, count);
    }
}

criterion_group!(benches, open);
criterion_main!(benches);
