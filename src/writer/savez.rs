//! Whole archives in one call, as `np.savez` makes them.

use std::path::Path;

use super::NpzWriter;
use super::options::MemberOptions;
use crate::error::Result;
use crate::npy::save::Save;

/// Writes an archive of arrays of any types, stored: `np.savez`, but aligned and atomic.
///
/// The path is taken as it is, where NumPy would add `.npz` to one that ends otherwise.
///
/// # Errors
///
/// As [`NpzWriter::create`] and [`NpzWriter::add`]; then the target is what it was.
///
/// ```
/// use ndarray::{Ix2, array};
/// use npzmap::{Npz, Save, savez};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("out.npz");
/// let (features, ids) = (array![[1.0_f32, 2.0]], ["train-001", "train-002"]);
/// savez(&path, [("features", &features as &dyn Save), ("sample_ids", &ids)])?;
/// assert_eq!(Npz::open(&path)?.read::<f32, Ix2>("features")?, features);
/// # Ok::<(), npzmap::Error>(())
/// ```
pub fn savez<'a, K: AsRef<str>>(
    path: impl AsRef<Path>,
    arrays: impl IntoIterator<Item = (K, &'a dyn Save)>,
) -> Result<()> {
    write(path.as_ref(), arrays, MemberOptions::new())
}

/// The same, deflated at level 6: `np.savez_compressed`. Its arrays cannot be borrowed. With the feature `rayon`, they are
/// compressed side by side.
///
/// # Errors
///
/// As [`savez`].
///
/// ```
/// use ndarray::Array2;
/// use npzmap::{Method, Npz, Save, savez_compressed};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("out.npz");
/// let mask = Array2::<u8>::zeros((1000, 1000));
/// savez_compressed(&path, [("mask", &mask as &dyn Save)])?;
/// assert_eq!(Npz::open(&path)?.member("mask")?.method(), Method::Deflated);
/// assert!(std::fs::metadata(&path)?.len() < 2000);
/// # Ok::<(), npzmap::Error>(())
/// ```
pub fn savez_compressed<'a, K: AsRef<str>>(
    path: impl AsRef<Path>,
    arrays: impl IntoIterator<Item = (K, &'a dyn Save)>,
) -> Result<()> {
    const LEVEL: u32 = 6;
    write(path.as_ref(), arrays, MemberOptions::new().deflate(LEVEL))
}

fn write<'a, K: AsRef<str>>(
    path: &Path,
    arrays: impl IntoIterator<Item = (K, &'a dyn Save)>,
    options: MemberOptions,
) -> Result<()> {
    let mut writer = NpzWriter::create(path)?;
    writer.add_many(arrays, options)?;
    writer.finish()
}
