//! The floors: the system calls and loops that nobody can do without.

use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};
use memmap2::{Advice, MmapMut};

use crate::rivals;

/// Where in an archive its directory and a key's elements are, found before the clock runs.
#[derive(Clone)]
pub struct Layout {
    pub directory: Range<usize>,
    /// How many records it has, as the end record says.
    pub count: usize,
    pub payload: Range<usize>,
}

impl Layout {
    pub fn of(path: &Path, key: &str) -> Result<Self> {
        let map = rivals::map(path)?;
        let archive = rawzip::ZipArchive::from_slice(&map[..])?;
        let directory = usize::try_from(archive.directory_offset())?..usize::try_from(archive.eocd_offset())?;
        let npz = npzmap::Npz::open(path)?;
        let member = npz.member(key)?;
        let start = usize::try_from(member.payload_offset()?.context("not stored")?)?;
        let payload = start..start + member.header()?.nbytes();
        Ok(Layout { directory, count: npz.len(), payload })
    }
}

/// Opens, maps, reads the end and the directory's bytes, and touches the data.
pub fn touch(path: &Path, layout: &Layout) -> Result<f32> {
    let map = rivals::map(path)?;
    let end = map[map.len() - 22..].iter().fold(0, |all, byte| all ^ byte);
    let words = map[layout.directory.clone()].chunks_exact(8);
    let words = words.fold(0, |all, word| all ^ u64::from_le_bytes(word.try_into().expect("eight")));
    std::hint::black_box((end, words));
    Ok(rivals::sum_of_bytes(&map[layout.payload.clone()]))
}

/// What is made of a directory of so many records.
pub type Pass = fn(&[u8], usize) -> usize;

/// Passes over the directory in the map.
pub fn pass(path: &Path, layout: &Layout, pass: Pass) -> Result<usize> {
    let map = rivals::map(path)?;
    Ok(pass(&map[layout.directory.clone()], layout.count))
}

/// The same over a directory that was read by position.
pub fn pass_by_position(path: &Path, layout: &Layout, pass: Pass) -> Result<usize> {
    let file = File::open(path)?;
    let mut end = [0; 22];
    file.read_exact_at(&mut end, file.metadata()?.len() - 22)?;
    let mut directory = huge(layout.directory.len())?;
    file.read_exact_at(&mut directory, layout.directory.start as u64)?;
    Ok(pass(&directory, layout.count))
}

/// The lengths of every record: the least that finds the members.
pub fn scan(directory: &[u8], _count: usize) -> usize {
    records(directory).count()
}

/// Every name into a table of positions: the least that finds them by name. Nothing is decoded, compared with a place, or
/// asked whether it is there twice.
pub fn table(directory: &[u8], count: usize) -> usize {
    let state = foldhash::fast::RandomState::default();
    let hash = |at: usize| {
        let mut hasher = state.build_hasher();
        hasher.write(&directory[at + 46..][..length(directory, at + 28)]);
        hasher.finish()
    };
    let mut table = hashbrown::HashTable::with_capacity(count);
    for at in records(directory) {
        table.insert_unique(hash(at), at as u32, |at| hash(*at as usize));
    }
    table.len()
}

/// Where each record begins.
fn records(directory: &[u8]) -> impl Iterator<Item = usize> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let at = next;
        directory.get(at..at + 46)?.starts_with(b"PK\x01\x02").then_some(())?;
        next += 46 + [28, 30, 32].map(|field| length(directory, at + field)).iter().sum::<usize>();
        Some(at)
    })
}

fn length(directory: &[u8], at: usize) -> usize {
    u16::from_le_bytes([directory[at], directory[at + 1]]).into()
}

/// Memory that was never touched, in huge pages where the system has them.
pub fn huge(size: usize) -> Result<MmapMut> {
    let memory = MmapMut::map_anon(size)?;
    memory.advise(Advice::HugePage)?;
    Ok(memory)
}

/// A part for each thread.
pub fn pread(path: &Path, payload: &Range<usize>, into: &mut [u8], threads: usize) -> Result<()> {
    read(&File::open(path)?, payload.start, into, threads)
}

/// The same from a file that is open.
pub fn read(file: &File, start: usize, into: &mut [u8], threads: usize) -> Result<()> {
    if threads == 1 {
        return Ok(file.read_exact_at(into, start as u64)?);
    }
    let length = into.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let parts = into.chunks_mut(length).zip((start..).step_by(length));
        let parts = parts.map(|(part, start)| scope.spawn(move || file.read_exact_at(part, start as u64)));
        // All are started before one is waited for.
        let parts: Vec<_> = parts.collect();
        parts.into_iter().try_for_each(|part| Ok(part.join().expect("it does not panic")?))
    })
}

/// The CRC of each half on a thread of its own, put together.
pub fn crc_of_halves(bytes: &[u8]) -> u32 {
    let hasher = |bytes: &[u8]| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(bytes);
        hasher
    };
    let (first, second) = bytes.split_at(bytes.len() / 2);
    std::thread::scope(|scope| {
        let second = scope.spawn(move || hasher(second));
        let mut first = hasher(first);
        first.combine(&second.join().expect("it does not panic"));
        first.finalize()
    })
}

/// Drops a file's pages from the cache; also those that were asked for ahead, once they have come.
pub fn forget(path: &Path) -> Result<()> {
    std::thread::sleep(std::time::Duration::from_millis(30));
    let file = File::open(path)?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}

/// Writes with the CRC that a ZIP needs, and nothing else.
pub fn write(path: &Path, content: &[&[u8]]) -> Result<u32> {
    let mut file = File::create(path)?;
    let mut all = 0;
    for bytes in content {
        all ^= crc32fast::hash(bytes);
        file.write_all(bytes)?;
    }
    Ok(all)
}

/// One key by position: what has to be read, and nothing else.
pub fn reads(path: &Path, layout: &Layout) -> Result<f32> {
    reads_and(path, layout, |directory, _| directory.len())
}

/// The same, and the table that finds a key among many.
pub fn reads_and_table(path: &Path, layout: &Layout) -> Result<f32> {
    reads_and(path, layout, table)
}

fn reads_and(path: &Path, layout: &Layout, pass: Pass) -> Result<f32> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut end = [0; 22];
    file.read_exact_at(&mut end, size - 22)?;
    let mut directory = vec![0; layout.directory.len()];
    file.read_exact_at(&mut directory, layout.directory.start as u64)?;
    std::hint::black_box(pass(&directory, layout.count));
    let mut header = [0; 256];
    file.read_exact_at(&mut header, layout.payload.start as u64 - 256)?;
    let mut data = [0; 64];
    file.read_exact_at(&mut data, layout.payload.start as u64)?;
    Ok(rivals::sum_of_bytes(&data))
}

/// The same with the data in a map, where walking the directory through the map would make the system read ahead.
pub fn cold_touch(path: &Path, layout: &Layout) -> Result<f32> {
    let file = File::open(path)?;
    let map = rivals::map(path)?;
    let mut directory = vec![0; layout.directory.len()];
    file.read_exact_at(&mut directory, layout.directory.start as u64)?;
    std::hint::black_box(&directory);
    Ok(rivals::sum_of_bytes(&map[layout.payload.clone()]))
}
