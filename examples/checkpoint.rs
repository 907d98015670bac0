//! Takes one key out of a checkpoint of any size, as the type that it turns out to be.
//!
//! ```text
//! cargo run --release --example checkpoint -- model.npz layers.0.weight
//! ```
//!
//! Prints how long each step took, whether the array was borrowed or copied and why, and how much memory the process
//! holds. Without arguments it takes `features` from an archive that ships here.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::path::{Path, PathBuf};
use std::time::Instant;

use ndarray::{ArrayD, ArrayView, IxDyn};
use npzmap::{Access, AnyArray, Dtype, Element, Kind, Mapping, Member, Npz, Unaligned, Visitor};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [path, key] => take(Path::new(path), key),
        [] => {
            let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/data/model-batch-stored.npz"].iter().collect();
            take(&path, "features")
        }
        _ => Err("usage: checkpoint PATH KEY".into()),
    }
}

#[expect(unsafe_code, reason = "mapping a file is a promise about it")]
fn map(path: &Path) -> Result<Npz<Mapping>> {
    // SAFETY: whoever names a file here promises that nobody changes it while this runs.
    Ok(unsafe { Npz::map(path) }?)
}

fn take(path: &Path, key: &str) -> Result<()> {
    println!("{} ({})", path.display(), resident());
    let npz = timed("open", || map(path))?;
    let member = timed("look up", || Ok(npz.member(key)?))?;
    let header = timed("header", || Ok(member.header()?))?;
    println!("{key}: {} {:?}, {} bytes", header.dtype(), header.shape(), header.nbytes());

    let first = match kind_and_size(header.dtype()) {
        (Kind::Float, 4) => borrow_or_copy::<f32>(&member)?,
        (Kind::Float, 8) => borrow_or_copy::<f64>(&member)?,
        (Kind::Int, 4) => borrow_or_copy::<i32>(&member)?,
        (Kind::Int, 8) => borrow_or_copy::<i64>(&member)?,
        (Kind::UInt, 1) => borrow_or_copy::<u8>(&member)?,
        // Everything else by copy, whatever it is.
        _ => timed("copy: no type of its own in this example", || Ok(member.read_any()?))?.visit(First),
    };
    println!("first element: {first} ({})", resident());
    Ok(())
}

fn kind_and_size(dtype: &Dtype) -> (Kind, usize) {
    dtype.as_scalar().map_or((Kind::Void, 0), |scalar| (scalar.kind(), scalar.item_size()))
}

/// Borrows the array if it lies right, borrows it unaligned if it does not, and copies it if it cannot be lent.
fn borrow_or_copy<T: Element + bytemuck::Pod + Debug>(member: &Member<'_, Mapping>) -> Result<String> {
    let reason = match member.access::<T>()? {
        Access::Borrow => return timed("borrow", || Ok(first(member.view::<T, IxDyn>()?))),
        Access::Copy(reason) => reason,
    };
    if member.access::<Unaligned<T>>()? == Access::Borrow {
        return timed(&format!("borrow unaligned: {reason}"), || Ok(first(member.view::<Unaligned<T>, IxDyn>()?)));
    }
    timed(&format!("copy: {reason}"), || Ok(first(member.read::<T, IxDyn>()?.view())))
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
