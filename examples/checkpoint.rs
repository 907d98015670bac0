//! Takes one key out of a checkpoint of any size, as the type that it turns out to be.
//!
//! ```text
//! cargo run --release --example checkpoint -- model.npz layers.0.weight
//! ```
//!
//! Prints how long each step took, whether the array was borrowed or copied and why, and how much memory the process
//! holds.
//!
//! Without arguments it writes a checkpoint of 1 GiB into the temporary folder, once as `np.savez` lays it out and once
//! aligned, takes the same key out of both, shows them side by side, and cleans up.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use ndarray::{Array2, ArrayD, ArrayView, Ix2, IxDyn};
use npzmap::num_complex::{Complex32, Complex64};
use npzmap::{Access, AnyArray, Dtype, Element, Kind, Mapping, NpyArray, Npz, NpzWriter, Save, Unaligned, Visitor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [path, key] => take(Path::new(path), key),
        [] => side_by_side(),
        _ => Err("usage: checkpoint PATH KEY".into()),
    }
}

/// The names of the layers, and their shape: eight of 128 MiB.
const LAYERS: usize = 8;
const SHAPE: (usize, usize) = (8192, 4096);

fn layer(number: usize) -> String {
    format!("layers.{number}.weight")
}

fn side_by_side() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let weight = Array2::from_shape_fn(SHAPE, |(row, column)| ((row + column) % 1000) as f32 / 1000.0);
    let [misaligned, aligned] = ["as np.savez lays it out.npz", "aligned.npz"].map(|name| folder.path().join(name));

    println!("writing {LAYERS} arrays of {} MiB, twice", (SHAPE.0 * SHAPE.1 * size_of::<f32>()) >> 20);
    timed("as np.savez lays them out", || as_numpy(&misaligned, &weight))?;
    timed("aligned", || {
        let mut w = NpzWriter::create(&aligned)?.sync(false);
        (0..LAYERS).try_for_each(|number| w.add(&layer(number), &weight))?;
        Ok(w.finish()?)
    })?;

    let key = layer(5);
    for path in [&misaligned, &aligned] {
        println!();
        take(path, &key)?;
    }

    println!("\n{:<24}{:>24}{:>24}", "", "as np.savez lays it out", "aligned");
    let columns = [compare(&misaligned, &key)?, compare(&aligned, &key)?];
    for (row, what) in
        ["elements begin at", "as &[f32]", "open and borrow", "sum where it lies", "copy"].iter().enumerate()
    {
        println!("{what:<24}{:>24}{:>24}", columns[0][row], columns[1][row]);
    }
    Ok(())
}

/// NumPy's layout: behind each local header a zip64 field, and nothing that aligns the elements.
fn as_numpy(path: &Path, weight: &Array2<f32>) -> Result<()> {
    let mut archive = ZipWriter::new(BufWriter::new(File::create(path)?));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    for number in 0..LAYERS {
        archive.start_file(format!("{}.npy", layer(number)), options)?;
        archive.write_all(&weight.header()?.to_bytes())?;
        archive.write_all(weight.as_bytes().ok_or("not contiguous")?)?;
    }
    archive.finish()?.flush()?;
    Ok(())
}

/// What one key of an archive costs, in each way: the best of five times.
fn compare(path: &Path, key: &str) -> Result<[String; 5]> {
    let mut best = [Duration::MAX; 3];
    for _ in 0..5 {
        let start = Instant::now();
        let npz = map(path)?;
        let view = npz.view::<Unaligned<f32>, Ix2>(key)?;
        let borrowed = start.elapsed();
        let start = Instant::now();
        let sum = view.sum().get();
        let summed = start.elapsed();
        let start = Instant::now();
        let copy = npz.read::<f32, Ix2>(key)?;
        let copied = start.elapsed();
        if copy.sum() != sum {
            return Err("the copy is not what was borrowed".into());
        }
        for (best, time) in best.iter_mut().zip([borrowed, summed, copied]) {
            *best = time.min(*best);
        }
    }
    let npz = map(path)?;
    let array = npz.array(key)?;
    let offset = array.data_offset().unwrap_or_default();
    let lends = match array.access::<f32>()? {
        Access::Borrow => "borrowed".into(),
        Access::Copy(reason) => reason.as_str().to_owned(),
    };
    let [borrowed, summed, copied] = best.map(|time| format!("{:.3} ms", time.as_secs_f64() * 1e3));
    Ok([format!("{offset:#x}"), lends, borrowed, summed, copied])
}

#[expect(unsafe_code, reason = "mapping a file is a promise about it")]
fn map(path: &Path) -> Result<Npz<Mapping>> {
    // SAFETY: whoever names a file here promises that nobody changes it while this runs.
    Ok(unsafe { Npz::map(path) }?)
}

fn take(path: &Path, key: &str) -> Result<()> {
    println!("{} ({})", path.display(), resident());
    let npz = timed("open", || map(path))?;
    let array = timed("look up", || Ok(npz.array(key)?))?;
    println!("{key}: {} {:?}, {} bytes", array.dtype(), array.shape(), array.nbytes());

    let first = match kind_and_size(array.dtype()) {
        (Kind::Bool, _) => borrow_or_copy_plain::<bool>(&array)?,
        (Kind::Int, 1) => borrow_or_copy_plain::<i8>(&array)?,
        (Kind::Int, 2) => borrow_or_copy::<i16>(&array)?,
        (Kind::Int, 4) => borrow_or_copy::<i32>(&array)?,
        (Kind::Int, 8) => borrow_or_copy::<i64>(&array)?,
        (Kind::UInt, 1) => borrow_or_copy_plain::<u8>(&array)?,
        (Kind::UInt, 2) => borrow_or_copy::<u16>(&array)?,
        (Kind::UInt, 4) => borrow_or_copy::<u32>(&array)?,
        (Kind::UInt, 8) => borrow_or_copy::<u64>(&array)?,
        #[cfg(feature = "half")]
        (Kind::Float, 2) => borrow_or_copy::<half::f16>(&array)?,
        (Kind::Float, 4) => borrow_or_copy::<f32>(&array)?,
        (Kind::Float, 8) => borrow_or_copy::<f64>(&array)?,
        (Kind::Complex, 8) => borrow_or_copy::<Complex32>(&array)?,
        (Kind::Complex, 16) => borrow_or_copy::<Complex64>(&array)?,
        // What ml_dtypes calls bfloat16 arrives as two bytes of no kind; in a checkpoint they are hardly anything else.
        #[cfg(feature = "half")]
        (Kind::Void, 2) => borrow_or_copy::<half::bf16>(&array.reinterpret::<half::bf16>()?)?,
        // Text, dates, records: values that a Rust program makes of its own.
        _ => timed("copy: text, dates and records become values", || Ok(array.read_any()?))?.visit(First),
    };
    println!("first element: {first} ({})", resident());
    Ok(())
}

fn kind_and_size(dtype: &Dtype) -> (Kind, usize) {
    dtype.as_scalar().map_or((Kind::Void, 0), |scalar| (scalar.kind(), scalar.item_size()))
}

/// Borrows the array if it lies right, borrows it unaligned if it does not, and copies it if it cannot be lent.
fn borrow_or_copy<T: Element + bytemuck::Pod + Debug>(array: &NpyArray<'_, Mapping>) -> Result<String> {
    match (array.access::<T>()?, array.access::<Unaligned<T>>()?) {
        (Access::Copy(reason), Access::Borrow) => {
            timed(&format!("borrow unaligned: {reason}"), || Ok(first(array.view::<Unaligned<T>, IxDyn>()?)))
        }
        _ => borrow_or_copy_plain::<T>(array),
    }
}

/// The same for what lies right anywhere, or cannot be lent at all.
fn borrow_or_copy_plain<T: Element + Debug>(array: &NpyArray<'_, Mapping>) -> Result<String> {
    match array.access::<T>()? {
        Access::Borrow => timed("borrow", || Ok(first(array.view::<T, IxDyn>()?))),
        Access::Copy(reason) => timed(&format!("copy: {reason}"), || Ok(first(array.read::<T, IxDyn>()?.view()))),
    }
}

fn first<T: Debug>(view: ArrayView<'_, T, IxDyn>) -> String {
    format!("{:?}", view.first())
}

/// The first element of whatever the array holds, as text.
struct First;

impl Visitor for First {
    type Output = String;

    fn numbers<T: Element + Debug + Display + PartialEq>(self, array: ArrayD<T>) -> String {
        first(array.view())
    }

    fn other(self, array: AnyArray) -> String {
        match array {
            AnyArray::Str(array) => format!("{:?}", array.first()),
            AnyArray::Datetime { counts, unit } => format!("{:?} of {unit:?}", counts.first()),
            other => format!("of an array of shape {:?}", other.shape()),
        }
    }
}

fn timed<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = work();
    println!("{:>10.1} µs  {what}", start.elapsed().as_secs_f64() * 1e6);
    result
}

/// The memory that the process holds, as Linux counts it; pages of the map that were touched are part of it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(|| "resident memory unknown".into(), |size| format!("resident: {}", size.trim()))
}
