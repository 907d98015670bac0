//! Everything that a fuzzer once found, replayed on stable.

use std::fs;
use std::path::PathBuf;

#[path = "../../fuzz/differential.rs"]
pub(crate) mod differential;
#[path = "../../fuzz/extract.rs"]
mod extract;
#[path = "../../fuzz/header.rs"]
mod header;
#[path = "../../fuzz/inflate.rs"]
mod inflate;
#[path = "../../fuzz/lying.rs"]
mod lying;
#[path = "../../fuzz/open.rs"]
mod open;
#[path = "../../fuzz/roundtrip.rs"]
mod roundtrip;
#[path = "../../fuzz/sources.rs"]
mod sources;

/// The inputs of a target: its seeds, which may be those of another one, and its regressions.
fn replay(target: &str, seeds: &str, promise: fn(&[u8])) {
    let root: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fuzz"].iter().collect();
    let mut replayed = 0;
    for folder in [root.join("seeds").join(seeds), root.join("regressions").join(target)] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            promise(&fs::read(entry.unwrap().path()).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed > 0, "{target} has neither seeds nor regressions");
}

#[test]
fn what_zip_accepts_too_is_the_same() {
    replay("differential", "open", |bytes| _ = differential::differential(bytes));
}

#[test]
fn extraction_stays_in_its_folder() {
    replay("extract", "extract", extract::extract);
}

#[test]
fn headers_survive_being_printed() {
    replay("header", "header", header::header);
}

#[test]
fn streams_give_what_they_declare() {
    replay("inflate", "inflate", inflate::inflate);
}

#[test]
fn lies_give_the_truth_or_an_error() {
    replay("lying", "lying", lying::lying);
}

#[test]
fn any_bytes_are_opened_or_refused() {
    replay("open", "open", open::open);
}

#[test]
fn what_is_written_is_read_back() {
    replay("roundtrip", "roundtrip", roundtrip::roundtrip);
}

#[test]
fn every_way_leads_to_the_same_values() {
    replay("sources", "open", sources::sources);
}
