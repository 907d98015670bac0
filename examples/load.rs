//! Maps archives and shows what NumPy shows, and how each array was taken.
//!
//! ```text
//! cargo run --release --example load                 # the three archives of the recipe
//! cargo run --release --example load -- model.npz    # any archive
//! ```
//!
//! For every array it tries, in this order: a borrow as the type that it is, a borrow as `Unaligned` of that type,
//! a copy. A borrow is proved by its address, which must lie inside the map; a proof that fails is an error.

use std::error::Error;
use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytemuck::Pod;
use ndarray::{Array1, Array2, ArrayView, Ix1, Ix2, IxDyn};
use npzmap::num_complex::Complex;
use npzmap::{Dtype, Element, ErrorKind, Kind, Mapping, NpyArray, Npz, Reason, Unaligned};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    if let Some(path) = std::env::args_os().nth(1) {
        return report(Path::new(&path));
    }
    for name in ["model-batch.npz", "model-batch-stored.npz", "model-batch-aligned.npz"] {
        let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "data", name].iter().collect();
        let npz = map(&path)?;
        println!("{name}");
        print!("{}", recipe(&npz)?);
        for member in npz.members() {
            println!("{:>10}: {}", member.key(), take(&npz, &member.array()?)?);
        }
        println!();
    }
    Ok(())
}

#[expect(unsafe_code, reason = "mapping a file is a promise about it")]
fn map(path: &Path) -> Result<Npz<Mapping>> {
    // SAFETY: the archives of the repository are not written to while this runs; whoever gives another path
    // promises the same for it.
    Ok(unsafe { Npz::map(path) }?)
}

/// What `tests/data/recipe.py` prints, line by line.
fn recipe(npz: &Npz<Mapping>) -> Result<String> {
    let features = Array1::from_iter((0..12_u8).map(f32::from)).into_shape_with_order((3, 4))?;
    let labels = Array1::from(vec![0_i64, 1, 1]);

    let mut keys: Vec<_> = npz.keys().collect();
    keys.sort_unstable();
    let found: Array2<f32> = npz.read::<f32, Ix2>("features")?;
    let found_labels: Array1<i64> = npz.read::<i64, Ix1>("labels")?;
    let sample_ids = npz.array("sample_ids")?.strings()?;

    let mut out = String::new();
    writeln!(out, "keys: {}", list(keys.iter().map(|key| format!("'{key}'"))))?;
    writeln!(out, "features shape: {:?}", found.dim())?;
    writeln!(out, "features dtype: {}", numpy_name(npz.member("features")?.header()?.dtype()))?;
    writeln!(out, "labels: {}", list(found_labels.iter().map(i64::to_string)))?;
    writeln!(out, "sample ids: {}", list(sample_ids.iter().map(|id| format!("'{id}'"))))?;
    writeln!(out, "features match: {}", python_bool(found == features))?;
    writeln!(out, "labels match: {}", python_bool(found_labels == labels))?;
    Ok(out)
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn python_bool(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// `float32` for `<f4`, as NumPy names its scalar types.
fn numpy_name(dtype: &Dtype) -> String {
    let Some(scalar) = dtype.as_scalar() else {
        return dtype.to_string();
    };
    let bits = scalar.item_size() * 8;
    match scalar.kind() {
        Kind::Bool => "bool".into(),
        Kind::Int => format!("int{bits}"),
        Kind::UInt => format!("uint{bits}"),
        Kind::Float => format!("float{bits}"),
        Kind::Complex => format!("complex{bits}"),
        _ => dtype.to_string(),
    }
}

/// Any archive: what each array is, how it was taken, and how long that took.
fn report(path: &Path) -> Result<()> {
    let start = Instant::now();
    let npz = map(path)?;
    println!("{}: {} members, opened in {}", path.display(), npz.len(), micros(start.elapsed()));
    for member in npz.members() {
        let key = npzmap::Escaped(&member.key()).to_string();
        let array = match member.array() {
            Ok(array) => array,
            Err(error) if matches!(error.kind(), ErrorKind::NotAnArray) => {
                println!("{key}: {} bytes, not an array", member.size());
                continue;
            }
            Err(error) => {
                println!("{error}");
                continue;
            }
        };
        let start = Instant::now();
        let taken = take(&npz, &array);
        let elapsed = micros(start.elapsed());
        match taken {
            Ok(taken) => println!("{key}: {} {:?} {taken}, in {elapsed}", array.dtype(), array.shape()),
            Err(error) => match error.downcast::<npzmap::Error>() {
                Ok(error) => println!("{error}"),
                Err(failed_proof) => return Err(failed_proof),
            },
        }
    }
    Ok(())
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

/// Takes an array as the type that its header names.
fn take(npz: &Npz<Mapping>, array: &NpyArray<'_, Mapping>) -> Result<String> {
    let Some(scalar) = array.dtype().as_scalar() else {
        return Ok(format!("left: records need a Rust type ({})", array.dtype()));
    };
    match (scalar.kind(), scalar.item_size()) {
        (Kind::Bool, _) => take_bool(npz, array),
        (Kind::Int, 1) => take_as::<i8>(npz, array),
        (Kind::Int, 2) => take_as::<i16>(npz, array),
        (Kind::Int, 4) => take_as::<i32>(npz, array),
        (Kind::Int, _) => take_as::<i64>(npz, array),
        (Kind::UInt, 1) => take_as::<u8>(npz, array),
        (Kind::UInt, 2) => take_as::<u16>(npz, array),
        (Kind::UInt, 4) => take_as::<u32>(npz, array),
        (Kind::UInt, _) => take_as::<u64>(npz, array),
        (Kind::Float, 4) => take_as::<f32>(npz, array),
        (Kind::Float, 8) => take_as::<f64>(npz, array),
        (Kind::Complex, 8) => take_as::<Complex<f32>>(npz, array),
        (Kind::Complex, 16) => take_as::<Complex<f64>>(npz, array),
        (Kind::Str | Kind::Bytes, _) => {
            let strings = array.strings()?;
            Ok(format!("copied as {} strings: they become String", strings.len()))
        }
        _ => Ok(format!("left: no Rust type of its own ({scalar})")),
    }
}

fn take_as<T: Element + Pod>(npz: &Npz<Mapping>, array: &NpyArray<'_, Mapping>) -> Result<String> {
    let name = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default();
    let error = match array.view::<T, IxDyn>() {
        Ok(view) => return borrowed(npz, &view, name),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::CannotBorrow { reason: reason @ Reason::Misaligned { .. }, .. } => {
            let view = array.view::<Unaligned<T>, IxDyn>()?;
            let borrowed = borrowed(npz, &view, &format!("Unaligned<{name}>"))?;
            Ok(format!("{borrowed}: {reason}"))
        }
        ErrorKind::CannotBorrow { reason, .. } => {
            let copy = array.read::<T, IxDyn>()?;
            Ok(format!("copied as {name}, {} elements: {reason}", copy.len()))
        }
        _ => Err(error.into()),
    }
}

/// Every address is aligned for a byte.
fn take_bool(npz: &Npz<Mapping>, array: &NpyArray<'_, Mapping>) -> Result<String> {
    match array.view::<bool, IxDyn>() {
        Ok(view) => borrowed(npz, &view, "bool"),
        Err(error) => match error.kind() {
            ErrorKind::CannotBorrow { reason, .. } => {
                let copy = array.read::<bool, IxDyn>()?;
                Ok(format!("copied as bool, {} elements: {reason}", copy.len()))
            }
            _ => Err(error.into()),
        },
    }
}

/// The proof of a borrow: its elements lie inside the map.
fn borrowed<T>(npz: &Npz<Mapping>, view: &ArrayView<'_, T, IxDyn>, name: &str) -> Result<String> {
    let map = npz.source().as_ptr_range();
    let map = map.start.addr()..map.end.addr();
    let start = view.as_ptr().addr();
    let elements: Range<usize> = start..start + view.len() * size_of::<T>();
    let inside = map.start <= elements.start && elements.end <= map.end;
    if !inside && !elements.is_empty() {
        return Err(format!("{elements:x?} was said to be borrowed as {name}, but the map is {map:x?}").into());
    }
    Ok(format!("borrowed as {name} at {:#x}", start.saturating_sub(map.start)))
}
