//! The command, as a whole process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::measure::{Bound, Contestant, Row, Run, timed};
use crate::python::Venv;
use crate::site::Site;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `npz`, which `build` has built.
pub fn binary() -> PathBuf {
    root().join("target/release/npz")
}

pub fn build() -> Result<()> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["build", "--quiet", "--release", "--features", "cli", "--target-dir", "target"]);
    ensure!(cargo.status()?.success(), "npz was not built");
    Ok(())
}

pub fn ls(site: &Site) -> Row {
    let whole = |program: PathBuf, arguments: Vec<String>| {
        move |_: &Site| {
            let (program, arguments) = (program.clone(), arguments.clone());
            Ok(Box::new(move || {
                let mut command = Command::new(&program);
                command.args(&arguments);
                timed(|| {
                    let output = command.output()?;
                    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                    ensure!(!output.stdout.is_empty(), "nothing was printed");
                    Ok(())
                })
            }) as Run)
        }
    };
    let path = site.text("many.npz");
    // Of headers alone: `z[k].shape` would read every array.
    let script = "\
import sys, zipfile
from numpy.lib import format
with zipfile.ZipFile(sys.argv[1]) as z:
  for name in z.namelist():
    with z.open(name) as member:
      version = format.read_magic(member)
      read = format.read_array_header_1_0 if version == (1, 0) else format.read_array_header_2_0
      shape, fortran, dtype = read(member)
      print(name, dtype, shape)";
    let python = Venv::Newest.interpreter(&Path::new(env!("CARGO_MANIFEST_DIR")).join("target"));
    let python = python.unwrap_or_else(|_| "python3".into());
    Row::new("ls", format!("list {} members, the whole process", site.size(1_000)))
        .with(Contestant::new("npz ls", whole(binary(), vec!["ls".into(), path.clone()])))
        .with(Contestant::new("python -c", whole(python, vec!["-c".into(), script.into(), path])))
        .target("npz ls", Bound::AtMost(Duration::from_millis(10)))
        .target("npz ls", Bound::Faster(20.0, "python -c"))
}
