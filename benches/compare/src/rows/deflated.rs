//! What `np.savez_compressed` wrote, and writing the like of it.

use std::any::Any;
use std::io::Read;

use anyhow::{Context, Result, ensure};
use flate2::{Decompress, FlushDecompress, Status};
use ndarray::{Array1, IxDyn};
use npzmap::{AnyArray, Element, MemberOptions, Npz, NpzWriter, Save};
use serde_json::json;

use crate::files::{DEFLATED, KINDS};
use crate::floor;
use crate::measure::{Bound, Contestant, Row, Run, timed};
use crate::python::Venv;
use crate::rivals;
use crate::site::Site;

const FLOOR: &str = "floor: the same decoder, in one call, into huge pages, and the CRC";
const ONE: &str = "npzmap, one thread";
const TWO: &str = "npzmap, two members on two threads";

/// The compressed bytes of a member, and what it inflates to.
fn compressed(site: &Site, file: &str, key: &str) -> Result<(Vec<u8>, usize)> {
    let map = rivals::map(&site.path(file))?;
    let archive = rawzip::ZipArchive::from_slice(&map[..])?;
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry()? {
        if entry.file_path().as_ref() == format!("{key}.npy").as_bytes() {
            let size = usize::try_from(entry.uncompressed_size_hint())?;
            return Ok((archive.get_entry(entry.wayfinder())?.data().to_vec(), size));
        }
    }
    anyhow::bail!("no such key")
}

pub fn read(site: &Site, kind: &'static str) -> Row {
    let file = format!("{kind}.npz");
    let size = site.size(DEFLATED);
    let ours = |name: &'static str, keys: &'static [u32], threads: usize| {
        let file = file.clone();
        Contestant::new(name, move |site| {
            let path = site.path(&file);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            let keys: Vec<String> = keys.iter().map(|number| format!("{kind}.{number}")).collect();
            Ok(Box::new(move || {
                pool.install(|| {
                    let time = timed(|| {
                        let npz = Npz::open(&path)?;
                        Ok(match kind {
                            "normal" => many::<f32>(&npz, &keys)?,
                            "labels" => many::<i64>(&npz, &keys)?,
                            "image" => many::<u8>(&npz, &keys)?,
                            _ => many::<f64>(&npz, &keys)?,
                        })
                    })?;
                    Ok(time / u32::try_from(keys.len())?)
                })
            }) as Run)
        })
    };
    let floor_file = file.clone();
    let zip_file = file.clone();
    Row::new(read_id(kind), format!("inflate one key of {} MiB, {kind}, CRC checked; per key", size >> 20))
        .bytes(size)
        .with(Contestant::new(FLOOR, move |site| {
            let (data, size) = compressed(site, &floor_file, &format!("{kind}.0"))?;
            Ok(Box::new(move || {
                timed(|| {
                    let mut memory = floor::huge(size)?;
                    let mut decoder = Decompress::new(false);
                    let status = decoder.decompress(&data, &mut memory, FlushDecompress::Finish)?;
                    ensure!(status == Status::StreamEnd && decoder.total_out() == size as u64, "not the whole of it");
                    Ok((crc32fast::hash(&memory), memory))
                })
            }))
        }))
        .with(ours(ONE, &[0], 1))
        .with(ours(TWO, &[0, 1], 2))
        .with(Contestant::new("zip", move |site| {
            let path = site.path(&zip_file);
            Ok(Box::new(move || {
                timed(|| {
                    let map = rivals::map(&path)?;
                    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&map[..]))?;
                    let mut member = archive.by_name(&format!("{kind}.0.npy"))?;
                    let mut bytes = Vec::with_capacity(usize::try_from(member.size())?);
                    member.read_to_end(&mut bytes)?;
                    Ok(bytes)
                })
            }))
        }))
        .with(Contestant::python("np.load", Venv::Newest, json!(["read", site.text(&file), format!("{kind}.0")])))
        .target(ONE, Bound::Faster(0.95, FLOOR))
        .target(ONE, Bound::Faster(1.8, "np.load"))
        .target(TWO, Bound::Faster(1.7, ONE))
}

/// The arrays, which are dropped when the clock has stopped.
fn many<T: Element>(npz: &Npz<npzmap::ReadAt>, keys: &[String]) -> Result<Box<dyn Any>> {
    Ok(Box::new(npz.read_many::<T, IxDyn>(keys)?))
}

fn read_id(kind: &str) -> &'static str {
    match kind {
        "normal" => "inflate-normal",
        "labels" => "inflate-labels",
        "image" => "inflate-image",
        _ => "inflate-smooth",
    }
}

fn write_id(kind: &str) -> &'static str {
    match kind {
        "normal" => "deflate-normal",
        "labels" => "deflate-labels",
        "image" => "deflate-image",
        _ => "deflate-smooth",
    }
}

/// The arrays that NumPy wrote, read back to be written again.
fn arrays(site: &Site, kind: &str) -> Result<Vec<(String, AnyArray)>> {
    Ok(Npz::open(site.path(&format!("{kind}.npz")))?.read_all()?)
}

pub fn write(site: &Site, kind: &'static str) -> Row {
    let size = site.size(DEFLATED) * 2;
    let ours = |name: &'static str, threads: usize| {
        Contestant::new(name, move |site| {
            let (path, arrays) = (site.path("ours.npz"), arrays(site, kind)?);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            Ok(Box::new(move || {
                pool.install(|| {
                    timed(|| {
                        let mut writer = NpzWriter::create(&path)?.sync(false);
                        let items = arrays.iter().map(|(key, array)| (key, array as &dyn Save));
                        writer.add_many(items, MemberOptions::new().deflate(6))?;
                        Ok(writer.finish()?)
                    })
                })
            }) as Run)
        })
    };
    let length = size / 2 / KINDS.iter().find(|(name, _)| *name == kind).map_or(1, |(_, item)| *item);
    let one = "npzmap, level 6, one thread";
    let two = "npzmap, level 6, two threads";
    // The feature's own encoder has a target of its own.
    let least = if cfg!(feature = "libdeflate") { 1.8 } else { 0.9 };
    Row::new(write_id(kind), format!("deflate two keys of {} MiB, {kind}, level 6", size >> 21))
        .bytes(size)
        .rounds(3)
        .with(ours(one, 1))
        .with(ours(two, 2))
        .with(
            Contestant::python(
                "np.savez_compressed",
                Venv::Newest,
                json!(["write_compressed", site.text("theirs.npz"), kind]),
            )
            .after(json!(["hold", kind, kind, 2, length])),
        )
        .target(one, Bound::Faster(least, "np.savez_compressed"))
        .target(two, Bound::Faster(2.0 * least, "np.savez_compressed"))
        .target(one, Bound::Smaller(1.01, "ours.npz", "theirs.npz"))
}

/// Elements of one kind, for the library's own writer.
pub fn normal(site: &Site, bytes: u64) -> Result<Array1<f32>> {
    let path = site.path("normal-block.npy");
    if !path.exists() {
        let block: Vec<f32> = (0..1 << 16).map(|number| (number as f32 * 0.731).sin()).collect();
        npzmap::save(&path, &block[..])?;
    }
    let block: Array1<f32> = npzmap::Npy::open(&path)?.read()?;
    let block = block.as_slice().context("one block")?;
    Ok(block.iter().copied().cycle().take(usize::try_from(bytes / 4)?).collect())
}
