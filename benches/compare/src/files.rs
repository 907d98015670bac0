//! The files that rows work on, made before and removed after.

use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Result, ensure};
use npzmap::{Header, Npz, NpzWriter, Order};
use serde_json::json;

use crate::python::Venv;
use crate::site::Site;

/// Files that are there at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// 4 GiB in 8 keys.
    Big,
    /// 2 GB in 1,000 keys, and 256 MiB in 4.
    Many,
    /// 100,000 and a million keys of 16 floats.
    Tiny,
    /// Eight keys in holes: as large as one likes.
    Sparse,
    /// Four kinds of data, by `np.savez_compressed`.
    Deflated,
    /// 1 GB in 500 keys, to be aligned, and what rows write. No more: beyond a tenth of the memory the system writes back
    /// at once, and the disk is what is measured.
    Written,
}

/// Kinds of data that deflate differently, with their elements' size.
pub const KINDS: [(&str, u64); 4] = [("normal", 4), ("labels", 8), ("image", 1), ("smooth", 8)];
/// Bytes of one deflated array.
pub const DEFLATED: u64 = 48 << 20;
pub const BIG_KEYS: u64 = 8;
pub const BIG_KEY: u64 = 512 << 20;
pub const MIDDLE_KEYS: u64 = 4;
pub const MIDDLE_KEY: u64 = 64 << 20;
pub const MANY_KEYS: u64 = 1_000;
pub const MANY_KEY: u64 = 2_000_000;
pub const TINY_KEYS: u64 = 100_000;
pub const WRITTEN_KEYS: u64 = 500;
pub const SPARSE: [(&str, u64); 4] =
    [("1 MB", 1_000_000), ("100 MB", 100_000_000), ("10 GB", 10_000_000_000), ("64 GB", 64_000_000_000)];

/// The key of this number, as `python.py` names them.
pub fn key(number: u64) -> String {
    format!("layers.{number}.weight")
}

impl Files {
    pub const ALL: [Files; 6] = [Files::Big, Files::Many, Files::Tiny, Files::Sparse, Files::Deflated, Files::Written];

    pub fn make(self, site: &Site) -> Result<()> {
        match self {
            Files::Big => whole(site, "big", "normal", BIG_KEYS, site.size(BIG_KEY) / 4)?,
            Files::Many => {
                whole(site, "many", "normal", site.size(MANY_KEYS), MANY_KEY / 4)?;
                whole(site, "middle", "normal", MIDDLE_KEYS, site.size(MIDDLE_KEY) / 4)?;
            }
            Files::Tiny => {
                whole(site, "tiny", "tiny", site.size(TINY_KEYS), 16)?;
                million(&site.path("million.npz"), site.size(1_000_000))?;
            }
            Files::Sparse => {
                for (name, size) in SPARSE {
                    sparse(&site.path(&format!("sparse {name}.npz")), 8, usize::try_from(size / 32)?)?;
                }
            }
            Files::Deflated => {
                for (kind, item) in KINDS {
                    let length = site.size(DEFLATED) / item;
                    site.ask(
                        Venv::Newest,
                        &json!(["savez_compressed", site.text(&format!("{kind}.npz")), kind, 2, length]),
                    )?;
                }
            }
            Files::Written => {
                let request =
                    json!(["savez", site.text("written.npz"), "normal", site.size(WRITTEN_KEYS), MANY_KEY / 4]);
                site.ask(Venv::Newest, &request)?;
            }
        }
        // What is written back while others are measured would slow them.
        rustix::fs::sync();
        Ok(())
    }

    pub fn remove(self, site: &Site) -> Result<()> {
        for entry in fs::read_dir(site.folder())? {
            let path = entry?.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
        Ok(())
    }
}

/// By NumPy, the same aligned, and as safetensors.
fn whole(site: &Site, name: &str, kind: &str, count: u64, length: u64) -> Result<()> {
    let [npz, safetensors] = ["npz", "safetensors"].map(|extension| format!("{name}.{extension}"));
    site.ask(Venv::Newest, &json!(["savez", site.text(&npz), kind, count, length]))?;
    site.ask(Venv::Newest, &json!(["safetensors", site.text(&safetensors), kind, count, length]))?;
    site.rest();
    let from = Npz::open(site.path(&npz))?;
    ensure!(from.len() as u64 == count, "{npz} has {} members", from.len());
    let mut to = NpzWriter::create(site.path(&format!("{name}-aligned.npz")))?;
    from.members().try_for_each(|member| to.copy(&member))?;
    to.finish()?;
    Ok(())
}

fn million(path: &Path, count: u64) -> Result<()> {
    let mut writer = NpzWriter::create(path)?;
    for number in 0..count {
        writer.add(&key(number), &[number as f32; 16][..])?;
    }
    writer.finish()?;
    Ok(())
}

/// `count` stored arrays of `length` floats that were never written: holes. Their CRCs are wrong; opening and
/// borrowing do not look at them.
fn sparse(path: &Path, count: u32, length: usize) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let header = Header::new("<f4".parse()?, &[length], Order::C)?.to_bytes();
    let size = (header.len() + length * 4) as u64;
    let mut directory = Vec::new();
    for number in 0..count {
        let name = format!("{}.npy", key(number.into()));
        let offset = file.stream_position()?;
        let sizes = [size, size].map(u64::to_le_bytes).concat();
        let lengths = [u16::try_from(name.len())?, 20].map(u16::to_le_bytes).concat();
        let fixed = [&b"PK\x03\x04\x2d\0\0\0\0\0\0\0\x21\0\0\0\0\0"[..], &[0xff; 8], &lengths].concat();
        file.write_all(&[&fixed, name.as_bytes(), &[1, 0, 16, 0], &sizes, &header].concat())?;
        file.seek(SeekFrom::Current(i64::try_from(length * 4)?))?;
        let lengths = [u16::try_from(name.len())?, 28].map(u16::to_le_bytes).concat();
        let fixed =
            [&b"PK\x01\x02\x2d\x03\x2d\0\0\0\0\0\0\0\x21\0\0\0\0\0"[..], &[0xff; 8], &lengths, &[0; 10]].concat();
        let zip64 = [&[1, 0, 24, 0][..], &sizes, &offset.to_le_bytes()].concat();
        directory.extend([&fixed[..], &[0xff; 4], name.as_bytes(), &zip64].concat());
    }
    let start = file.stream_position()?;
    let (count, size) = (u64::from(count), directory.len() as u64);
    let numbers = [count, count, size, start].map(u64::to_le_bytes).concat();
    let end64 = [&b"PK\x06\x06"[..], &44_u64.to_le_bytes(), &[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0], &numbers].concat();
    let locator = [&b"PK\x06\x07\0\0\0\0"[..], &(start + size).to_le_bytes(), &[1, 0, 0, 0]].concat();
    let end = [&b"PK\x05\x06\0\0\0\0"[..], &[0xff; 12], &[0, 0]].concat();
    file.write_all(&[directory, end64, locator, end].concat())?;
    file.flush()?;
    Ok(())
}
