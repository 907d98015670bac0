//! Everything that a fuzzer once found, replayed on stable.

use std::collections::HashSet;
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

/// Of every fixture, and of every array in it as a plain file.
#[test]
fn every_way_leads_to_the_same_values_of_the_fixtures() {
    let (mut archives, mut files) = (0, HashSet::new());
    for entry in fs::read_dir(crate::fixtures::path("")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        // One array of thousands of fields takes as long as all others together, many times over.
        if path.ends_with("wide-records.npz") {
            continue;
        }
        sources::sources(&bytes);
        let Ok(npz) = npzmap::Npz::new(&bytes[..]) else { continue };
        archives += 1;
        for content in npz.members().filter_map(|member| member.bytes().ok()) {
            if files.insert(crc32fast::hash(&content)) {
                sources::sources(&content);
            }
        }
    }
    assert!(archives >= 25 && files.len() >= 400, "{archives} archives, {} files", files.len());
}
