//! What is done alike by us and by others: each as its own documentation shows it.

use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result};
use memmap2::Mmap;
use ndarray::Ix1;
use npzmap::{Npz, Unaligned};

/// The sum of the first numbers of a key: what shows that it is there.
pub type FirstSum = fn(&Path, &str) -> Result<f32>;

pub fn sum_of_bytes(bytes: &[u8]) -> f32 {
    bytes.chunks_exact(4).take(16).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).sum()
}

#[expect(unsafe_code, reason = "maps are what is compared")]
pub fn map(path: &Path) -> Result<Mmap> {
    // SAFETY: the file is this program's own, in a folder of its own.
    Ok(unsafe { Mmap::map(&File::open(path)?)? })
}

#[expect(unsafe_code, reason = "maps are what is compared")]
pub fn npz_map(path: &Path) -> Result<Npz<npzmap::Mapping>> {
    // SAFETY: as above.
    Ok(unsafe { Npz::map(path)? })
}

/// Behind the preamble, whose length is at byte 8 (NEP 1, version 1.0).
fn payload(npy: &[u8]) -> Result<&[u8]> {
    let length = npy.get(8..10).context("too short")?;
    npy.get(10 + usize::from(u16::from_le_bytes([length[0], length[1]]))..).context("too short")
}

pub fn npzmap_map(path: &Path, key: &str) -> Result<f32> {
    let npz = npz_map(path)?;
    let view = npz.view::<Unaligned<f32>, Ix1>(key)?;
    Ok(view.iter().take(16).map(|value| value.get()).sum())
}

pub fn npzmap_open(path: &Path, key: &str) -> Result<f32> {
    Ok(Npz::open(path)?.array(key)?.rows(0..16)?.read::<f32, Ix1>()?.sum())
}

pub fn zip_and_memmap2(path: &Path, key: &str) -> Result<f32> {
    let map = map(path)?;
    let mut archive = zip::ZipArchive::new(Cursor::new(&map[..]))?;
    let member = archive.by_name(&format!("{key}.npy"))?;
    let start = usize::try_from(member.data_start().context("no data")?)?;
    Ok(sum_of_bytes(payload(&map[start..])?))
}

pub fn rawzip(path: &Path, key: &str) -> Result<f32> {
    let map = map(path)?;
    let archive = rawzip::ZipArchive::from_slice(&map[..])?;
    let name = format!("{key}.npy");
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry()? {
        if entry.file_path().as_ref() == name.as_bytes() {
            let member = archive.get_entry(entry.wayfinder())?;
            return Ok(sum_of_bytes(payload(member.data())?));
        }
    }
    anyhow::bail!("no such key")
}

/// On an archive that is aligned: it refuses what NumPy writes.
pub fn ndarray_npz(path: &Path, key: &str) -> Result<f32> {
    let map = map(path)?;
    let archive = ndarray_npz::NpzView::new(&map)?;
    let member = archive.by_name(&format!("{key}.npy"))?;
    let view = member.view::<f32, ndarray16::Ix1>()?;
    Ok(view.iter().take(16).sum())
}

pub fn ndarray_npy(path: &Path, key: &str) -> Result<f32> {
    let mut archive = ndarray_npy::NpzReader::new(File::open(path)?)?;
    let array: ndarray::Array1<f32> = archive.by_name(&format!("{key}.npy"))?;
    Ok(array.iter().take(16).sum())
}

pub fn npyz(path: &Path, key: &str) -> Result<f32> {
    let mut archive = npyz::npz::NpzArchive::open(path)?;
    let member = archive.by_name(key)?.context("no such key")?;
    let values: Result<Vec<f32>, _> = member.data::<f32>()?.take(16).collect();
    Ok(values?.iter().sum())
}

pub fn safetensors(path: &Path, key: &str) -> Result<f32> {
    let map = map(path)?;
    let tensors = safetensors::SafeTensors::deserialize(&map)?;
    Ok(sum_of_bytes(tensors.tensor(key)?.data()))
}
