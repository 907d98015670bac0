//! Writing stored archives, and aligning them.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::Command;

use anyhow::ensure;
use npzmap::{MemberOptions, NpzWriter, OpenOptions, Verify};
use serde_json::json;

use super::deflated::normal;
use crate::floor;
use crate::measure::{Bound, Contestant, Row, Run, timed};
use crate::python::Venv;
use crate::site::Site;

const KEYS: usize = 4;

pub fn stored(site: &Site) -> Row {
    const OURS: &str = "npzmap, aligned, renamed";
    const FLOOR: &str = "floor: CRC and plain write";
    let size = site.size(1 << 30);
    let each = size / KEYS as u64;
    let ours = |name: &'static str, sync: bool| {
        Contestant::new(name, move |site| {
            let (path, array) = (site.path("ours.npz"), normal(site, each)?);
            Ok(Box::new(move || {
                let time = timed(|| {
                    let mut writer = NpzWriter::create(&path)?.sync(sync);
                    (0..KEYS).try_for_each(|number| writer.add(&format!("k{number}"), &array))?;
                    Ok(writer.finish()?)
                });
                std::fs::remove_file(&path)?;
                time
            }) as Run)
        })
    };
    Row::new("write", format!("write {} MiB stored, in {KEYS} keys", size >> 20))
        .bytes(size)
        .settled()
        .with(Contestant::new(FLOOR, move |site| {
            let (path, array) = (site.path("floor"), normal(site, each)?);
            let bytes: Vec<u8> = array.iter().flat_map(|value| value.to_le_bytes()).collect();
            Ok(Box::new(move || {
                let time = timed(|| floor::write(&path, &[&bytes[..]; KEYS]));
                std::fs::remove_file(&path)?;
                time
            }))
        }))
        .with(ours(OURS, false))
        .with(ours("npzmap, and fsync", true))
        .with(Contestant::new("ndarray-npz", move |site| {
            let (path, array) = (site.path("theirs.npz"), normal(site, each)?);
            let array = ndarray16::Array1::from(array.to_vec());
            Ok(Box::new(move || {
                let time = timed(|| {
                    let mut writer = ndarray_npz::NpzWriter::new(BufWriter::new(File::create(&path)?));
                    (0..KEYS).try_for_each(|number| writer.add_array(format!("k{number}"), &array))?;
                    Ok(writer.finish()?)
                });
                std::fs::remove_file(&path)?;
                time
            }))
        }))
        .with(
            Contestant::python("np.savez", Venv::Newest, json!(["write", site.text("numpy.npz"), "written"]))
                .after(json!(["hold", "written", "normal", KEYS, each / 4]))
                .then(json!(["remove", site.text("numpy.npz")])),
        )
        .target(OURS, Bound::Faster(8.0, "np.savez"))
        .target(OURS, Bound::Faster(0.9, "ndarray-npz"))
}

pub fn align(site: &Site) -> Row {
    const COPY: &str = "floor: cp --reflink=never";
    const COPY_SYNC: &str = "floor: cp --reflink=never, and fsync";
    const COMMAND: &str = "npz align, and fsync";
    const UNCHECKED: &str = "npzmap, copy, not checked";
    const CHECKED: &str = "npzmap, copy, CRC checked";
    let size = site.size(crate::files::WRITTEN_KEYS) * crate::files::MANY_KEY;
    let ours = |name: &'static str, verify: bool| {
        Contestant::new(name, move |site| {
            let (from, to) = (site.path("written.npz"), site.path("copy.npz"));
            let options = OpenOptions::new().verify(if verify { Verify::Copied } else { Verify::Never });
            Ok(Box::new(move || {
                let time = timed(|| {
                    let npz = options.open(&from)?;
                    let mut writer = NpzWriter::create(&to)?.sync(false);
                    for member in npz.members() {
                        writer.copy_with(&member, MemberOptions::new().verify(verify))?;
                    }
                    Ok(writer.finish()?)
                });
                std::fs::remove_file(&to)?;
                time
            }) as Run)
        })
    };
    let command = |name: &'static str, program: PathBuf, arguments: &'static [&'static str], sync: bool| {
        Contestant::new(name, move |site| {
            let (from, to, program) = (site.path("written.npz"), site.path("copy.npz"), program.clone());
            Ok(Box::new(move || {
                let mut command = Command::new(&program);
                match arguments {
                    ["align"] => command.arg("align").arg(&from).arg("-o").arg(&to),
                    _ => command.args(arguments).args([&from, &to]),
                };
                let time = timed(|| {
                    let output = command.output()?;
                    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                    if sync {
                        File::open(&to)?.sync_all()?;
                    }
                    Ok(())
                });
                std::fs::remove_file(&to)?;
                time
            }) as Run)
        })
    };
    Row::new("align", format!("align {} MB in {} keys", size / 1_000_000, site.size(crate::files::WRITTEN_KEYS)))
        .bytes(size)
        .settled()
        .with(command(COPY, "cp".into(), &["--reflink=never"], false))
        .with(command(COPY_SYNC, "cp".into(), &["--reflink=never"], true))
        .with(ours(UNCHECKED, false))
        .with(ours(CHECKED, true))
        .with(command(COMMAND, super::command::binary(), &["align"], false))
        .target(UNCHECKED, Bound::Faster(0.9, COPY))
        .target(CHECKED, Bound::Faster(0.8, COPY))
        .target(COMMAND, Bound::Faster(0.6, COPY))
        .target(COMMAND, Bound::Faster(0.8, COPY_SYNC))
}
