//! Whole arrays: sums of borrowed ones, copies, checks.

use std::fs::File;

use anyhow::Result;
use ndarray::{Array1, Ix1};
use npzmap::{Header, Npy, Npz, Order, Unaligned};
use serde_json::json;

use super::open::{MAP, OPEN};
use crate::files;
use crate::floor::{self, Layout};
use crate::measure::{Bound, Contestant, Row, Run, timed};
use crate::python::Venv;
use crate::rivals;
use crate::site::Site;

/// Sums, of an array that begins so many bytes after a multiple of 64.
pub fn sum(site: &Site) -> Row {
    const NAMES: [(&str, usize); 3] = [("at +1", 1), ("at +2", 2), ("at +3", 3)];
    let size = site.size(512 << 20);
    let open = move |shift: usize| -> Result<Npy<&'static [u8]>> {
        let count = usize::try_from(size / 4)?;
        let header = Header::new("<f4".parse()?, &[count], Order::C)?.to_bytes();
        let length = header.len() + count * 4;
        let room: &'static mut [u8] = vec![1; length + 128].leak();
        let start = room.as_ptr().align_offset(64) + shift;
        room[start..start + header.len()].copy_from_slice(&header);
        Ok(Npy::new(&room[start..start + length])?)
    };
    let mut row = Row::new("sum", format!("sum of {} MiB of f32, in memory", size >> 20)).bytes(size).with(
        Contestant::new("aligned", move |_| {
            let npy = open(0)?;
            Ok(Box::new(move || timed(|| Ok(npy.view::<f32, Ix1>()?.sum()))))
        }),
    );
    for (name, shift) in NAMES {
        row = row
            .with(Contestant::new(name, move |_| {
                let npy = open(shift)?;
                Ok(Box::new(move || timed(|| Ok(npy.view::<Unaligned<f32>, Ix1>()?.sum().get()))))
            }))
            .target(name, Bound::Faster(0.95, "aligned"));
    }
    row
}

const HUGE: &str = "floor: pread into huge pages";
const HUGE_TWO: &str = "floor: pread into huge pages, two threads";
const FRESH: &str = "floor: pread into a fresh Vec";
const OPEN_TWO: &str = "npzmap, by position, two threads";
const MAP_TWO: &str = "npzmap, mapped, two threads";
const REUSED: &str = "floor: pread into reused memory";
const REUSED_TWO: &str = "floor: pread into reused memory, two threads";

fn read_row(row: Row, site: &Site, stem: &'static str, key: String) -> Row {
    let npz = move |suffix: &str| format!("{stem}{suffix}.npz");
    let floor = |name: &'static str, into_huge: bool, threads: usize| {
        let key = key.clone();
        Contestant::new(name, move |site| {
            let path = site.path(&npz(""));
            let payload = Layout::of(&path, &key)?.payload;
            Ok(Box::new(move || {
                if into_huge {
                    timed(|| {
                        let mut memory = floor::huge(payload.len())?;
                        floor::pread(&path, &payload, &mut memory, threads)?;
                        Ok(memory)
                    })
                } else {
                    timed(|| {
                        let mut memory = vec![0; payload.len()];
                        floor::pread(&path, &payload, &mut memory, threads)?;
                        Ok(memory)
                    })
                }
            }) as Run)
        })
    };
    let ours = |name: &'static str, mapped: bool, threads: usize| {
        let key = key.clone();
        Contestant::new(name, move |site| {
            let (path, key) = (site.path(&npz("")), key.clone());
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            Ok(Box::new(move || {
                pool.install(|| {
                    if mapped {
                        timed(|| Ok(rivals::npz_map(&path)?.read::<f32, Ix1>(&key)?))
                    } else {
                        timed(|| Ok(Npz::open(&path)?.read::<f32, Ix1>(&key)?))
                    }
                })
            }) as Run)
        })
    };
    let aligned = key.clone();
    let plain = key.clone();
    row.with(floor(HUGE, true, 1))
        .with(floor(HUGE_TWO, true, 2))
        .with(floor(FRESH, false, 1))
        .with(ours(OPEN, false, 1))
        .with(ours(OPEN_TWO, false, 2))
        .with(ours(MAP, true, 1))
        .with(ours(MAP_TWO, true, 2))
        .with(Contestant::new("ndarray-npz, aligned by npzmap", move |site| {
            let (path, key) = (site.path(&npz("-aligned")), format!("{aligned}.npy"));
            Ok(Box::new(move || {
                timed(|| {
                    let map = rivals::map(&path)?;
                    let archive = ndarray_npz::NpzView::new(&map)?;
                    let mut member = archive.by_name(&key)?;
                    member.verify()?;
                    Ok(member.view::<f32, ndarray16::Ix1>()?.to_owned())
                })
            }))
        }))
        .with(Contestant::new("ndarray-npy", move |site| {
            let (path, key) = (site.path(&npz("")), format!("{plain}.npy"));
            Ok(Box::new(move || {
                timed(|| {
                    let array: Array1<f32> = ndarray_npy::NpzReader::new(File::open(&path)?)?.by_name(&key)?;
                    Ok(array)
                })
            }))
        }))
        .with(Contestant::python("np.load", Venv::Newest, json!(["read", site.text(&npz("")), key])))
}

pub fn read_big(site: &Site) -> Row {
    read_large("read-big", "big", site.size(files::BIG_KEY), site)
}

/// The smallest that is large.
pub fn read_middle(site: &Site) -> Row {
    read_large("read-middle", "middle", site.size(files::MIDDLE_KEY), site)
}

fn read_large(id: &'static str, stem: &'static str, size: u64, site: &Site) -> Row {
    let row = Row::new(id, format!("copy of one key of {} MiB, CRC checked", size >> 20)).bytes(size);
    read_row(row, site, stem, files::key(3))
        .target(OPEN, Bound::Faster(0.9, HUGE))
        .target(OPEN_TWO, Bound::Faster(0.9, HUGE_TWO))
        .target(MAP_TWO, Bound::Faster(0.9, HUGE_TWO))
        .target(OPEN, Bound::Faster(4.0, "np.load"))
        .target(OPEN, Bound::Resident(size + (2 << 20)))
}

pub fn read_many(site: &Site) -> Row {
    let row = Row::new("read-small", "open and copy of one key of 2 MB, CRC checked, each time in a new process");
    let mut row = read_row(row.bytes(files::MANY_KEY), site, "many", files::key(3));
    // A heap that is used again has its pages already, and half of the data in cache.
    row.contestants = row.contestants.into_iter().map(Contestant::fresh).collect();
    row.target(OPEN, Bound::Faster(0.75, FRESH))
        .target(OPEN, Bound::Faster(4.0, "np.load"))
        .target(OPEN, Bound::Resident(files::MANY_KEY + (2 << 20)))
}

pub fn read_into(site: &Site) -> Row {
    let size = site.size(files::BIG_KEY);
    let key = files::key(3);
    let count = size / 4;
    let into = |name: &'static str, mapped: bool, threads: usize| {
        let key = key.clone();
        Contestant::new(name, move |site| {
            let path = site.path("big.npz");
            let mut array = Array1::<f32>::ones(usize::try_from(count)?);
            let (npz, map) = (Npz::open(&path)?, rivals::npz_map(&path)?);
            let key = key.clone();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            Ok(Box::new(move || {
                pool.install(|| {
                    timed(|| match mapped {
                        true => Ok(map.array(&key)?.read_into(array.view_mut())?),
                        false => Ok(npz.array(&key)?.read_into(array.view_mut())?),
                    })
                })
            }))
        })
    };
    let floor = |name, threads| {
        let key = key.clone();
        Contestant::new(name, move |site| {
            let path = site.path("big.npz");
            let payload = Layout::of(&path, &key)?.payload;
            let mut memory = vec![1; payload.len()];
            let file = File::open(&path)?;
            Ok(Box::new(move || timed(|| floor::read(&file, payload.start, &mut memory, threads))))
        })
    };
    Row::new("read-into", format!("copy of {} MiB into memory that was used before, CRC checked", size >> 20))
        .bytes(size)
        .with(floor(REUSED, 1))
        .with(floor(REUSED_TWO, 2))
        .with(into(OPEN, false, 1))
        .with(into(OPEN_TWO, false, 2))
        .with(into(MAP, true, 1))
        .target(OPEN, Bound::Faster(0.85, REUSED))
        .target(OPEN_TWO, Bound::Faster(0.85, REUSED_TWO))
}

pub fn verify(site: &Site) -> Row {
    const CRC: &str = "floor: crc32fast over a map, one thread";
    const CRC_TWO: &str = "floor: crc32fast over a map, a half on each thread";
    let size = site.size(files::BIG_KEY);
    let key = files::key(5);
    let ours = |name: &'static str, mapped: bool, threads: usize| {
        let key = key.clone();
        Contestant::new(name, move |site| {
            let path = site.path("big.npz");
            let (npz, map, key) = (Npz::open(&path)?, rivals::npz_map(&path)?, key.clone());
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            Ok(Box::new(move || {
                pool.install(|| {
                    timed(|| match mapped {
                        true => Ok(map.member(&key)?.verify()?),
                        false => Ok(npz.member(&key)?.verify()?),
                    })
                })
            }))
        })
    };
    let floor = |name, crc: fn(&[u8]) -> u32| {
        let key = key.clone();
        Contestant::new(name, move |site| {
            let path = site.path("big.npz");
            let payload = Layout::of(&path, &key)?.payload;
            let map = rivals::map(&path)?;
            Ok(Box::new(move || timed(|| Ok(crc(&map[payload.clone()])))))
        })
    };
    Row::new("verify", format!("CRC of one key of {} MiB", size >> 20))
        .bytes(size)
        .with(floor(CRC, crc32fast::hash))
        .with(floor(CRC_TWO, floor::crc_of_halves))
        .with(ours("npzmap, mapped, one thread", true, 1))
        .with(ours("npzmap, mapped, two threads", true, 2))
        .with(ours("npzmap, by position, one thread", false, 1))
        .with(ours("npzmap, by position, two threads", false, 2))
        .target("npzmap, mapped, one thread", Bound::Faster(0.9, CRC))
        .target("npzmap, mapped, two threads", Bound::Faster(0.9, CRC_TWO))
}
