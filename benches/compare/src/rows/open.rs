//! Opening, and one key: does it depend on the file's size, or on how many members it has?

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use ndarray::Ix1;
use npzmap::{Npz, Unaligned};
use serde_json::json;

use crate::files::{self, SPARSE};
use crate::floor::{self, Layout};
use crate::measure::{Bound, Contestant, Row, timed, timed_each};
use crate::python::Venv;
use crate::rivals::{self, FirstSum};
use crate::site::Site;

const FLOOR: &str = "floor: open, map, directory, touch";
const READS: &str = "floor: pread of end, directory, header, data";
const READS_TABLE: &str = "floor: the same, and a table of the names";
pub const MAP: &str = "npzmap, mapped";
pub const OPEN: &str = "npzmap, by position";

/// How often a short one is run for one figure.
const EACH: u32 = 20;

fn sum_of(name: &'static str, sum: FirstSum, file: String, key: String, each: u32) -> Contestant {
    Contestant::new(name, move |site| {
        let (path, key) = (site.path(&file), key.clone());
        Ok(Box::new(move || timed_each(each, || sum(&path, &key))))
    })
}

/// What a floor does with an archive.
type Touch = fn(&Path, &Layout) -> anyhow::Result<f32>;

fn touch(name: &'static str, touch: Touch, file: String, key: String, each: u32) -> Contestant {
    Contestant::new(name, move |site| {
        let path = site.path(&file);
        let layout = Layout::of(&path, &key)?;
        Ok(Box::new(move || timed_each(each, || touch(&path, &layout))))
    })
}

/// The last key of an archive of NumPy's, by everybody, `each` times for one figure; `whole` times by those who read the
/// key as a whole.
fn one_key(row: Row, site: &Site, stem: &str, count: u64, each: u32, whole: u32) -> Row {
    let key = files::key(count - 1);
    let file = |suffix: &str| format!("{stem}{suffix}");
    let (npz, aligned, tensors) = (file(".npz"), file("-aligned.npz"), file(".safetensors"));
    let python = |operation: &str, file: &str, each: u32| json!(["each", each, operation, site.text(file), key]);
    row.with(touch(FLOOR, floor::touch, npz.clone(), key.clone(), each))
        .with(touch(READS, floor::reads, npz.clone(), key.clone(), each))
        .with(touch(READS_TABLE, floor::reads_and_table, npz.clone(), key.clone(), each))
        .with(sum_of(MAP, rivals::npzmap_map, npz.clone(), key.clone(), each))
        .with(sum_of(OPEN, rivals::npzmap_open, npz.clone(), key.clone(), each))
        .with(sum_of("rawzip and memmap2", rivals::rawzip, npz.clone(), key.clone(), each))
        .with(sum_of("zip and memmap2", rivals::zip_and_memmap2, npz.clone(), key.clone(), each))
        .with(sum_of("ndarray-npz, aligned by npzmap", rivals::ndarray_npz, aligned, key.clone(), each))
        .with(sum_of("safetensors, its own format", rivals::safetensors, tensors.clone(), key.clone(), each))
        .with(sum_of("npyz", rivals::npyz, npz.clone(), key.clone(), each))
        .with(sum_of("ndarray-npy", rivals::ndarray_npy, npz.clone(), key.clone(), whole))
        .with(Contestant::python("np.load", Venv::Newest, python("key_of_numpy", &npz, whole)))
        .with(Contestant::python("mmnpz, on NumPy 2.2", Venv::Mmnpz, python("key_of_mmnpz", &npz, each)))
        .with(Contestant::python("safetensors from Python", Venv::Newest, python("key_of_safetensors", &tensors, each)))
}

pub fn big(site: &Site) -> Row {
    let title = format!("open and one key, {} MiB in 8 keys by np.savez", site.size(4096));
    one_key(Row::new("open-big", title), site, "big", files::BIG_KEYS, EACH, 1)
        .target(MAP, Bound::Within(1.25, FLOOR))
        .target(OPEN, Bound::Within(2.0, READS))
        .target(MAP, Bound::Faster(if site.quick { 500.0 } else { 10_000.0 }, "np.load"))
        .target(OPEN, Bound::Faster(if site.quick { 500.0 } else { 15_000.0 }, "np.load"))
        .target(OPEN, Bound::Resident(2 << 20))
}

pub fn many(site: &Site) -> Row {
    let count = site.size(files::MANY_KEYS);
    one_key(Row::new("open-many", format!("open and one key of {count}")), site, "many", count, EACH, EACH)
        .target(MAP, Bound::Within(2.0, FLOOR))
        .target(MAP, Bound::Faster(20.0, "safetensors, its own format"))
        .target(OPEN, Bound::Faster(20.0, "safetensors, its own format"))
        .target(MAP, Bound::Faster(100.0, "ndarray-npz, aligned by npzmap"))
        .target(MAP, Bound::Faster(100.0, "np.load"))
        .target(OPEN, Bound::Within(2.0, READS))
        .target(OPEN, Bound::Within(1.5, READS_TABLE))
        .target(OPEN, Bound::Faster(100.0, "ndarray-npz, aligned by npzmap"))
        .target(OPEN, Bound::Faster(100.0, "np.load"))
}

const SCAN: &str = "floor: scan of the lengths, mapped";
const TABLE: &str = "floor: table of the names, mapped";
const SCAN_READ: &str = "floor: pread of the directory, and scan";
const TABLE_READ: &str = "floor: pread of the directory, and table";

/// In processes of their own: a heap that is used again hides what memory costs.
pub fn tiny(site: &Site) -> Row {
    type Over = fn(&Path, &Layout, floor::Pass) -> anyhow::Result<usize>;
    let count = site.size(files::TINY_KEYS);
    let key = files::key(count - 1);
    let floor = |name, over: Over, pass: floor::Pass| {
        let key = key.clone();
        Contestant::new(name, move |site| {
            let path = site.path("tiny.npz");
            let layout = Layout::of(&path, &key)?;
            Ok(Box::new(move || timed(|| over(&path, &layout, pass))))
        })
    };
    let row = Row::new("open-tiny", format!("open and one key of {count}, each time in a new process"));
    let mut row = one_key(row, site, "tiny", count, 1, 1);
    row.contestants.retain(|contestant| ![FLOOR, READS, READS_TABLE].contains(&contestant.name));
    let floors = [
        floor(SCAN, floor::pass, floor::scan),
        floor(TABLE, floor::pass, floor::table),
        floor(SCAN_READ, floor::pass_by_position, floor::scan),
        floor(TABLE_READ, floor::pass_by_position, floor::table),
    ];
    row.contestants.splice(0..0, floors);
    row.contestants = row.contestants.into_iter().map(Contestant::fresh).collect();
    row.target(MAP, Bound::Within(2.5, SCAN))
        .target(MAP, Bound::Within(1.5, TABLE))
        .target(OPEN, Bound::Within(1.25, SCAN_READ))
        .target(OPEN, Bound::Within(1.25, TABLE_READ))
        .target(MAP, Bound::Faster(40.0, "safetensors, its own format"))
        .target(OPEN, Bound::Faster(40.0, "safetensors, its own format"))
        .target(MAP, Bound::Faster(200.0, "np.load"))
        .target(OPEN, Bound::Faster(200.0, "np.load"))
}

/// A million, for which most others take seconds.
pub fn million(site: &Site) -> Row {
    let count = site.size(1_000_000);
    let (file, key) = ("million.npz".to_owned(), files::key(count - 1));
    Row::new("open-million", format!("open and one key of {count}"))
        .with(touch(FLOOR, floor::touch, file.clone(), key.clone(), 1))
        .with(sum_of(MAP, rivals::npzmap_map, file.clone(), key.clone(), 1))
        .with(sum_of(OPEN, rivals::npzmap_open, file.clone(), key.clone(), 1))
        .with(sum_of("zip and memmap2", rivals::zip_and_memmap2, file, key, 1))
        .target(MAP, Bound::Faster(4.0, "zip and memmap2"))
}

/// Read by position nothing depends on the size. A map of many gigabytes costs page tables of its own, whoever makes it,
/// which is why each size is held against its own floor.
pub fn sparse(_site: &Site) -> Row {
    const SIZES: [[&str; 3]; 4] = [
        ["floor, 1 MB", "mapped, 1 MB", "by position, 1 MB"],
        ["floor, 100 MB", "mapped, 100 MB", "by position, 100 MB"],
        ["floor, 10 GB", "mapped, 10 GB", "by position, 10 GB"],
        ["floor, 64 GB", "mapped, 64 GB", "by position, 64 GB"],
    ];
    let mut row = Row::new("open-sparse", "open and one key of 8, from 1 MB to 64 GB: a flat line");
    for (names, (size, _)) in SIZES.into_iter().zip(SPARSE) {
        let (file, key) = (format!("sparse {size}.npz"), files::key(7));
        let [floor, mapped, by_position] = names;
        row = row
            .with(touch(floor, floor::touch, file.clone(), key.clone(), EACH))
            .with(sum_of(mapped, rivals::npzmap_map, file.clone(), key.clone(), EACH))
            .with(sum_of(by_position, rivals::npzmap_open, file, key, EACH))
            .target(mapped, Bound::Within(1.15, floor));
    }
    let [_, _, smallest] = SIZES[0];
    SIZES[1..].iter().fold(row, |row, [.., name]| {
        row.target(name, Bound::Within(1.1, smallest)).target(name, Bound::Resident(2 << 20))
    })
}

pub fn view(_site: &Site) -> Row {
    const KEYS: usize = 1_000;
    let open = move |_: &Site| {
        let mut writer = npzmap::NpzWriter::new(std::io::Cursor::new(Vec::new()))?;
        for number in 0..KEYS {
            writer.add(&format!("k{number}"), &[number as f32; 16][..])?;
        }
        let bytes = writer.finish()?.into_inner();
        let npz = Npz::new(bytes.leak() as &'static [u8])?;
        let keys: &'static [String] = (0..KEYS).map(|number| format!("k{number}")).collect::<Vec<_>>().leak();
        let mut next = keys.iter().cycle();
        Ok(Box::new(move || {
            timed_each(10_000, || {
                let key = next.next().context("no keys")?;
                Ok(npz.view::<Unaligned<f32>, Ix1>(key)?.len())
            })
        }) as crate::measure::Run)
    };
    Row::new("view", "one more view of an open archive, of 1,000 keys")
        .with(Contestant::new("npzmap, in memory", open))
        .target("npzmap, in memory", Bound::AtMost(Duration::from_nanos(500)))
}

pub fn headers(site: &Site) -> Row {
    const MAP_LIKE: &str = "npzmap, mapped, as the ten times";
    const OPEN_LIKE: &str = "npzmap, by position, as the ten times";
    const MAP_TEN: &str = "npzmap, mapped, ten times as many";
    const OPEN_TEN: &str = "npzmap, by position, ten times as many";
    let count = site.size(files::TINY_KEYS);
    let mapped = |name, file: &'static str| {
        Contestant::new(name, move |site| {
            let path = site.path(file);
            Ok(Box::new(move || timed(|| walk(&rivals::npz_map(&path)?))))
        })
    };
    let by_position = |name, file: &'static str| {
        Contestant::new(name, move |site| {
            let path = site.path(file);
            Ok(Box::new(move || timed(|| walk(&Npz::open(&path)?))))
        })
    };
    Row::new("headers", format!("shape and dtype of all {count} arrays"))
        .with(mapped(MAP, "tiny.npz"))
        .with(by_position(OPEN, "tiny.npz"))
        // By the same writer as the million.
        .with(mapped(MAP_LIKE, "tiny-aligned.npz"))
        .with(by_position(OPEN_LIKE, "tiny-aligned.npz"))
        .with(mapped(MAP_TEN, "million.npz"))
        .with(by_position(OPEN_TEN, "million.npz"))
        .with(Contestant::python("NumPy", Venv::Newest, json!(["headers", site.text("tiny.npz")])))
        .target(MAP, Bound::Faster(40.0, "NumPy"))
        .target(OPEN, Bound::Faster(20.0, "NumPy"))
        // Linear.
        .target(MAP_TEN, Bound::Within(12.0, MAP_LIKE))
        .target(OPEN_TEN, Bound::Within(12.0, OPEN_LIKE))
}

fn walk<S: npzmap::Source>(npz: &Npz<S>) -> anyhow::Result<usize> {
    npz.members().try_fold(0, |all, member| Ok(all + member.header()?.count()))
}

/// What a cold cache costs: the file's pages are dropped before each run.
fn cold(row: Row, stem: &'static str, count: u64) -> Row {
    const MAPPED: &str = "floor: map, pread of the directory, one touch";
    let (file, key) = (format!("{stem}.npz"), files::key(count / 2));
    let mut row = row;
    for (name, work) in [(READS, floor::reads as Touch), (MAPPED, floor::cold_touch)] {
        let (file, key) = (file.clone(), key.clone());
        row = row.with(Contestant::new(name, move |site| {
            let path = site.path(&file);
            let layout = Layout::of(&path, &key)?;
            Ok(Box::new(move || {
                floor::forget(&path)?;
                timed(|| work(&path, &layout))
            }))
        }));
    }
    for (name, sum) in [(OPEN, rivals::npzmap_open as FirstSum), (MAP, rivals::npzmap_map)] {
        let (file, key) = (file.clone(), key.clone());
        row = row.with(Contestant::new(name, move |site| {
            let (path, key) = (site.path(&file), key.clone());
            Ok(Box::new(move || {
                floor::forget(&path)?;
                timed(|| sum(&path, &key))
            }))
        }));
    }
    row.target(OPEN, Bound::Within(2.0, READS)).target(MAP, Bound::Within(1.3, MAPPED))
}

pub fn cold_big(_site: &Site) -> Row {
    cold(Row::new("cold-big", "one key, nothing of the file in memory, 8 keys"), "big", files::BIG_KEYS)
}

pub fn cold_tiny(site: &Site) -> Row {
    let count = site.size(files::TINY_KEYS);
    cold(Row::new("cold-tiny", format!("one key of {count}, nothing of the file in memory")), "tiny", count)
}

pub fn cold_many(site: &Site) -> Row {
    let count = site.size(files::MANY_KEYS);
    cold(Row::new("cold-many", format!("one key of {count}, nothing of the file in memory")), "many", count)
}
