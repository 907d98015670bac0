//! Writes an archive, loads it, and compares: the recipe of `tests/data/recipe.py` in Rust.
//!
//! ```text
//! cargo run --release --example save_load                 # in a temporary folder
//! cargo run --release --example save_load -- model.npz    # there
//! ```
//!
//! First it prints what NumPy prints, line by line, then what it costs to write the archive in other ways.

use std::error::Error;
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, Ix1, Ix2, array};
use npzmap::{Dtype, Kind, MemberOptions, Npz, NpzWriter, Save, savez, savez_compressed};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = std::env::args_os().nth(1).map_or_else(|| folder.path().join("model-batch.npz"), PathBuf::from);
    let features = Array1::from_iter((0..12_u8).map(f32::from)).into_shape_with_order((3, 4))?;
    let labels = array![0_i64, 1, 1];
    let sample_ids = ["train-001", "train-002", "train-003"];

    savez_compressed(&path, [("features", &features as &dyn Save), ("labels", &labels), ("sample_ids", &sample_ids)])?;
    if !path.exists() {
        return Err("no file was written".into());
    }
    let data = Npz::open(&path)?;
    let found: Array2<f32> = data.read::<f32, Ix2>("features")?;
    let found_labels: Array1<i64> = data.read::<i64, Ix1>("labels")?;
    let found_ids = data.array("sample_ids")?.strings()?;
    let mut keys: Vec<String> = data.keys().map(|key| format!("'{key}'")).collect();
    keys.sort();
    println!("keys: [{}]", keys.join(", "));
    println!("features shape: {:?}", found.dim());
    println!("features dtype: {}", numpy_name(data.member("features")?.header()?.dtype()));
    println!("labels: {:?}", found_labels.to_vec());
    println!("sample ids: [{}]", found_ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", "));
    println!("features match: {}", python_bool(found == features));
    println!("labels match: {}", python_bool(found_labels == labels));
    if found != features || found_labels != labels || found_ids.iter().ne(sample_ids) {
        return Err("what was loaded is not what was written".into());
    }

    other_ways(folder.path(), &features, &labels, &sample_ids)
}

/// `float32` for `<f4`.
fn numpy_name(dtype: &Dtype) -> String {
    match dtype.as_scalar() {
        Some(scalar) if scalar.kind() == Kind::Float => format!("float{}", scalar.item_size() * 8),
        _ => dtype.to_string(),
    }
}

fn python_bool(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// The same arrays stored; by a writer, one of them compressed; and with one more.
fn other_ways(folder: &Path, features: &Array2<f32>, labels: &Array1<i64>, ids: &[&str]) -> Result<()> {
    let stored = folder.join("stored.npz");
    savez(&stored, [("features", features as &dyn Save), ("labels", labels), ("sample_ids", &ids)])?;
    list("savez", &stored)?;

    let mixed = folder.join("mixed.npz");
    let mut w = NpzWriter::create(&mixed)?;
    w.add("features", features)?;
    w.add_with("labels", labels, MemberOptions::new().deflate_if_smaller(9))?;
    w.add_strings("sample_ids", ids)?;
    w.add_bytes("notes.txt", b"three samples")?;
    w.finish()?;
    list("NpzWriter", &mixed)?;

    let mut w = NpzWriter::append(&mixed)?;
    w.add("labels", &[1_i64, 1, 0])?; // in place of the old ones
    let mut rows = w.rows::<f32>("log", &[2])?;
    for epoch in 0..3_u8 {
        rows.push(&[f32::from(epoch), 0.5 / f32::from(epoch + 1)])?;
    }
    rows.finish()?;
    w.finish()?;
    list("NpzWriter::append", &mixed)
}

fn list(how: &str, path: &Path) -> Result<()> {
    let npz = Npz::open(path)?;
    println!("\n{how}: {} bytes", std::fs::metadata(path)?.len());
    for member in &npz {
        let place = member.payload_offset()?.map_or("-".into(), |offset| format!("{offset:#x}"));
        println!("{:>10}  {}, {} bytes, elements at {place}", member.key(), member.method(), member.size());
    }
    Ok(())
}
