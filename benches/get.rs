//! What one key costs in an archive that is open, among 10 and among a million: looking it up, and each way to take it.
//!
//! The arrays have 16 floats: what is measured is the way to them. A lookup is a hash and one comparison, whatever the
//! number of keys; what grows with it is how far apart in memory the table and the records are.

use std::hint::black_box;
use std::io::Cursor;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ndarray::{Ix1, IxDyn};
use npzmap::{Npz, NpzWriter, Unaligned};

fn key(number: usize) -> String {
    format!("layers.{number}.weight")
}

/// An archive in memory, of so many arrays.
fn archive(count: usize) -> Npz<Vec<u8>> {
    let mut writer = NpzWriter::new(Cursor::new(Vec::new())).unwrap();
    for number in 0..count {
        writer.add(&key(number), &[number as f32; 16][..]).unwrap();
    }
    Npz::new(writer.finish().unwrap().into_inner()).unwrap()
}

fn get(c: &mut Criterion) {
    for count in [10, 1_000, 100_000, 1_000_000] {
        let npz = archive(count);
        // All of them, in an order that no cache foresees.
        let keys: Vec<String> = (0..count).map(|number| key(number * 7_919 % count)).collect();
        let mut next = keys.iter().map(String::as_str).cycle();
        let mut next = || next.next().unwrap_or_default();
        let mut group = c.benchmark_group("get");
        group.bench_function(BenchmarkId::new("contains", count), |b| b.iter(|| npz.contains(next())));
        group.bench_function(BenchmarkId::new("a key that is not there", count), |b| {
            b.iter(|| npz.contains(black_box("layers.none.weight")));
        });
        group.bench_function(BenchmarkId::new("header", count), |b| {
            b.iter(|| npz.member(next()).unwrap().header().unwrap().count());
        });
        group.bench_function(BenchmarkId::new("view", count), |b| {
            b.iter(|| npz.view::<Unaligned<f32>, Ix1>(next()).unwrap().len());
        });
        group.bench_function(BenchmarkId::new("view, any dimension", count), |b| {
            b.iter(|| npz.view::<Unaligned<f32>, IxDyn>(next()).unwrap().len());
        });
        group.bench_function(BenchmarkId::new("read", count), |b| {
            b.iter(|| npz.read::<f32, Ix1>(next()).unwrap().len());
        });
        group.finish();
    }
}

criterion_group!(benches, get);
criterion_main!(benches);
