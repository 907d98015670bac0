//! How fast each road is, for one array of 64 MiB: borrowed, borrowed unaligned, copied, swapped, gathered, checked,
//! inflated, written. With the feature `rayon`, large copies run on all threads.
//!
//! `memcpy into new memory` is what a copy can be, `sum` what memory gives.

use std::hint::black_box;
use std::io::Cursor;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array1, Array2, Ix1, Ix2, ShapeBuilder, s};
use npzmap::{Header, MemberOptions, Npy, Npz, NpzWriter, OpenOptions, Order, Save, ToAligned, Unaligned, Verify};

const BYTES: usize = 64 << 20;
const COUNT: usize = BYTES / 4;

/// A `.npy` of this dtype whose elements are bytes of zeros and ones, at an address that is `shift` behind a multiple of
/// 64.
fn plain(dtype: &str, shape: &[usize], order: Order, shift: usize) -> Npy<&'static [u8]> {
    let header = Header::new(dtype.parse().unwrap(), shape, order).unwrap().to_bytes();
    let room = vec![0; header.len() + BYTES + 128].leak();
    let start = room.as_ptr().align_offset(64) + shift;
    let bytes = &mut room[start..start + header.len() + BYTES];
    bytes[..header.len()].copy_from_slice(&header);
    bytes[header.len()..].iter_mut().enumerate().for_each(|(index, byte)| *byte = u8::from(index % 3 == 0));
    Npy::new(&*bytes).unwrap()
}

/// An archive of one array, in memory.
fn archive(array: &dyn Save, options: MemberOptions) -> Vec<u8> {
    let mut writer = NpzWriter::new(Cursor::new(Vec::new())).unwrap();
    writer.add_with("a", array, options).unwrap();
    writer.finish().unwrap().into_inner()
}

/// What deflates to about a tenth, as labels do.
fn labels() -> Array1<f32> {
    let mut state = 1_u32;
    Array1::from_shape_simple_fn(COUNT, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 29) as f32
    })
}

fn borrow(c: &mut Criterion) {
    let mut group = c.benchmark_group("borrow");
    group.throughput(Throughput::Bytes(BYTES as u64));
    let aligned = plain("<f4", &[COUNT], Order::C, 0);
    let off = plain("<f4", &[COUNT], Order::C, 1);
    group.bench_function("sum", |b| b.iter(|| aligned.view::<f32, Ix1>().unwrap().sum()));
    group.bench_function("sum, unaligned", |b| b.iter(|| off.view::<Unaligned<f32>, Ix1>().unwrap().sum().get()));
    let bools = plain("|b1", &[BYTES], Order::C, 0);
    group.bench_function("check of bool", |b| b.iter(|| bools.view::<bool, Ix1>().unwrap().len()));
    group.finish();
}

fn copy(c: &mut Criterion) {
    let mut group = c.benchmark_group("copy");
    group.throughput(Throughput::Bytes(BYTES as u64)).sample_size(20);
    let native = plain("<f4", &[COUNT], Order::C, 1);
    let bytes = native.array().unwrap().bytes().unwrap();
    group.bench_function("memcpy into new memory", |b| b.iter(|| bytes.to_vec()));
    group.bench_function("read", |b| b.iter(|| native.read::<f32, Ix1>().unwrap()));
    let mut array = Array1::<f32>::ones(COUNT);
    group.bench_function("read_into", |b| {
        b.iter(|| native.array().unwrap().read_into(black_box(array.view_mut())).unwrap())
    });
    let view = native.view::<Unaligned<f32>, Ix1>().unwrap();
    group.bench_function("to_aligned", |b| b.iter(|| view.to_aligned()));
    for (name, dtype) in [("swap, 2 bytes", ">u2"), ("swap, 4 bytes", ">f4"), ("swap, 8 bytes", ">f8")] {
        let item = usize::from(dtype.as_bytes()[2] - b'0');
        let swapped = plain(dtype, &[BYTES / item], Order::C, 1);
        group.bench_function(name, |b| b.iter(|| swapped.read_any().unwrap()));
    }
    let bools = plain("|b1", &[BYTES], Order::C, 1);
    group.bench_function("bool", |b| b.iter(|| bools.read::<bool, Ix1>().unwrap()));
    let square = [COUNT / 4096, 4096];
    let columns = plain("<f4", &square, Order::Fortran, 1);
    group.bench_function("Fortran order", |b| b.iter(|| columns.read::<f32, Ix2>().unwrap()));
    let mut rows = Array2::<f32>::ones((square[0], square[1]));
    group.bench_function("Fortran order into C order", |b| {
        b.iter(|| columns.array().unwrap().read_into(rows.view_mut()).unwrap())
    });
    let mut across = Array2::<f32>::ones((square[0], square[1]).f());
    let c_order = plain("<f4", &square, Order::C, 1);
    group.bench_function("C order into Fortran order", |b| {
        b.iter(|| c_order.array().unwrap().read_into(across.view_mut()).unwrap())
    });
    let mut wide = Array2::<f32>::ones((COUNT, 2));
    let narrow = plain("<f4", &[COUNT, 1], Order::C, 1);
    group.bench_function("into one column of two", |b| {
        b.iter(|| narrow.array().unwrap().read_into(wide.slice_mut(s![.., ..1])).unwrap());
    });
    group.bench_function("all rows", |b| {
        b.iter(|| native.array().unwrap().rows(0..COUNT).unwrap().read::<f32, Ix1>().unwrap())
    });
    let swapped = plain(">f4", &[COUNT], Order::C, 1);
    group.bench_function("all rows, swapped", |b| {
        b.iter(|| swapped.array().unwrap().rows(0..COUNT).unwrap().read::<f32, Ix1>().unwrap())
    });
    group.throughput(Throughput::Bytes(BYTES as u64 / 2));
    group.bench_function("half of the rows of Fortran order", |b| {
        b.iter(|| columns.array().unwrap().rows(0..square[0] / 2).unwrap().read::<f32, Ix2>().unwrap());
    });
    group.finish();
}

fn checked(c: &mut Criterion) {
    let mut group = c.benchmark_group("checked");
    group.throughput(Throughput::Bytes(BYTES as u64)).sample_size(20);
    let bytes = archive(&labels(), MemberOptions::new());
    let open = |verify| OpenOptions::new().verify(verify).source(&bytes[..]).unwrap();
    let (npz, unchecked) = (open(Verify::Copied), open(Verify::Never));
    group.bench_function("CRC", |b| b.iter(|| npz.verify().unwrap()));
    group.bench_function("read, CRC checked", |b| b.iter(|| npz.read::<f32, Ix1>("a").unwrap()));
    group.bench_function("read, not checked", |b| b.iter(|| unchecked.read::<f32, Ix1>("a").unwrap()));
    group.finish();
}

fn deflated(c: &mut Criterion) {
    let mut group = c.benchmark_group("deflated");
    group.throughput(Throughput::Bytes(BYTES as u64)).sample_size(10);
    let labels = labels();
    let npz = Npz::new(archive(&labels, MemberOptions::new().deflate(6))).unwrap();
    group.bench_function("inflate", |b| b.iter(|| npz.read::<f32, Ix1>("a").unwrap()));
    for level in [1, 6] {
        let name = format!("deflate, level {level}");
        group.bench_function(name, |b| b.iter(|| archive(&labels, MemberOptions::new().deflate(level))));
    }
    group.finish();
}

fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("write");
    group.throughput(Throughput::Bytes(BYTES as u64)).sample_size(20);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.npz");
    let labels = labels();
    group.bench_function("stored, aligned, renamed", |b| {
        b.iter(|| {
            let mut writer = NpzWriter::create(&path).unwrap().sync(false);
            writer.add("a", &labels).unwrap();
            writer.finish().unwrap()
        });
    });
    let cube = labels.to_shape((64, COUNT / 64 / 512, 512)).unwrap();
    let gathered = [
        ("reversed", labels.slice(s![..;-1]).into_dyn()),
        // Of neither order: each matrix of the cube is transposed.
        ("columns as rows", cube.view().permuted_axes([0, 2, 1]).into_dyn()),
    ];
    for (name, view) in gathered {
        assert!(view.as_bytes().is_none(), "{name} is written as it lies");
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut writer = NpzWriter::create(&path).unwrap().sync(false);
                writer.add("a", &view).unwrap();
                writer.finish().unwrap()
            });
        });
    }
    let from = folder.path().join("from.npz");
    std::fs::write(&from, archive(&labels, MemberOptions::new())).unwrap();
    for (name, verify) in [("copy, checked", true), ("copy, not checked", false)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let npz = Npz::open(&from).unwrap();
                let mut writer = NpzWriter::create(&path).unwrap().sync(false);
                writer.copy_with(&npz.member("a").unwrap(), MemberOptions::new().verify(verify)).unwrap();
                writer.finish().unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, borrow, copy, checked, deflated, write);
criterion_main!(benches);
