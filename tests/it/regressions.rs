//! Everything that a fuzzer once found, replayed on stable.

use std::fs;
use std::path::PathBuf;

#[path = "../../fuzz/promises.rs"]
mod promises;
#[path = "../../fuzz/roundtrip.rs"]
mod written;

/// The inputs of a target: its seeds and its regressions.
fn replay(target: &str, promise: fn(&[u8])) {
    let root: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fuzz"].iter().collect();
    let mut replayed = 0;
    for folder in ["seeds", "regressions"] {
        for entry in fs::read_dir(root.join(folder).join(target)).into_iter().flatten() {
            promise(&fs::read(entry.unwrap().path()).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed > 0, "{target} has neither seeds nor regressions");
}

#[test]
fn open() {
    replay("open", promises::open);
}

#[test]
fn header() {
    replay("header", promises::header);
}

#[test]
fn roundtrip() {
    replay("roundtrip", written::roundtrip);
}

#[test]
fn extract() {
    replay("extract", promises::extract);
}
