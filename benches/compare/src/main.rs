//! Makes files, runs every row of the table of targets with everybody in turn, and says what is met and what is not.
//!
//! `cargo run --release` from this folder; `-- --quick` for a run under a minute, `-- --json FILE` for the figures.

mod files;
mod floor;
mod measure;
mod python;
mod report;
mod rivals;
mod rows;
mod site;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::{Value, json};

use files::Files;
use python::Venv;
use site::Site;

/// How the name of the folder begins that a run makes, and that the next one removes if it was killed.
const FILES: &str = "npzmap-compare-";

#[derive(Parser)]
#[command(about = "Compares npzmap with its rivals, row by row of the table of targets.")]
struct Arguments {
    /// Files of a sixteenth of the size, and three rounds: under a minute. Its verdicts mean little.
    #[arg(long)]
    quick: bool,
    /// Only rows whose name begins so; several may be given
    #[arg(long, value_name = "ID")]
    row: Vec<String>,
    /// Writes all figures there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the files are made, in a folder of their own that is removed in the end: 13 GB at most, on a disk
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    #[arg(long, hide = true, requires = "by")]
    sample: Option<String>,
    #[arg(long, hide = true)]
    by: Option<String>,
}

/// Removes the folders of runs that were killed; that of one that runs is locked.
fn remove_leavings(root: &Path) -> Result<()> {
    for entry in std::fs::read_dir(root)?.flatten() {
        let leaving = entry.file_name().to_string_lossy().starts_with(FILES);
        if leaving && File::open(entry.path())?.try_lock().is_ok() {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let (Some(row), Some(contestant)) = (&arguments.sample, &arguments.by) {
        let site = Site::new(&arguments.folder.context("no folder")?, arguments.quick);
        let rows: Vec<_> = Files::ALL.iter().flat_map(|files| rows::rows(*files, &site)).collect();
        return measure::answer_sample(&rows, row, contestant, &site);
    }
    let start = Instant::now();
    let root = arguments.folder.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"));
    std::fs::create_dir_all(&root)?;
    remove_leavings(&root)?;
    // Gone in the end, when something fails, and when somebody interrupts it.
    let folder = tempfile::Builder::new().prefix(FILES).tempdir_in(&root)?;
    let lock = File::open(folder.path())?;
    lock.lock()?;
    let path = folder.path().to_owned();
    ctrlc::set_handler(move || {
        // Whatever is there yet is removed by the next run.
        let _ = std::fs::remove_dir_all(&path);
        std::process::exit(130);
    })?;
    let site = Site::new(folder.path(), arguments.quick);
    rows::command::build()?;

    let versions = |venv: Venv| site.ask(venv, &json!(["versions"])).map_or(Value::Null, |(_, versions)| versions);
    let circumstances = report::circumstances(&[versions(Venv::Newest), versions(Venv::Mmnpz)]);
    println!("{circumstances:#}");
    let mut all = Vec::new();
    let (mut met, mut missed) = (0, Vec::new());
    for files in Files::ALL {
        let wanted =
            |id: &str| arguments.row.is_empty() || arguments.row.iter().any(|start| id.starts_with(start.as_str()));
        let rows: Vec<_> = rows::rows(files, &site).into_iter().filter(|row| wanted(row.id)).collect();
        if rows.is_empty() {
            continue;
        }
        eprintln!("({} s) making files: {files:?}", start.elapsed().as_secs());
        files.make(&site)?;
        for row in &rows {
            let outcomes = measure::run(row, &site);
            site.rest();
            let judged: Vec<_> = row.targets.iter().map(|target| target.judge(&outcomes, &site)).collect();
            met += judged.iter().filter(|verdict| verdict.met).count();
            missed.extend(
                judged.iter().filter(|verdict| !verdict.met).map(|verdict| format!("{}: {}", row.id, verdict.text)),
            );
            report::print(row, &outcomes, &judged);
            all.push(report::json(row, &outcomes, &judged));
        }
        files.remove(&site)?;
    }
    println!("\n{met} targets met, {} missed, in {} s", missed.len(), start.elapsed().as_secs());
    missed.iter().for_each(|target| println!("  {target}"));
    if let Some(path) = arguments.json {
        let document = json!({ "schema": 1, "quick": arguments.quick, "circumstances": circumstances, "rows": all });
        std::fs::write(path, format!("{document:#}\n"))?;
    }
    Ok(())
}
