//! The rows of the table, by the files that they work on.

mod bulk;
pub mod command;
mod deflated;
mod open;
mod write;

use crate::files::{Files, KINDS};
use crate::measure::Row;
use crate::site::Site;

pub fn rows(files: Files, site: &Site) -> Vec<Row> {
    match files {
        Files::Big => {
            vec![open::big(site), bulk::read_big(site), bulk::read_into(site), bulk::verify(site), open::cold_big(site)]
        }
        Files::Many => {
            vec![
                open::many(site),
                bulk::read_many(site),
                bulk::read_middle(site),
                command::ls(site),
                open::cold_many(site),
            ]
        }
        Files::Tiny => vec![open::tiny(site), open::headers(site), open::million(site), open::cold_tiny(site)],
        // In memory, both of the latter: before the disk has work.
        Files::Sparse => vec![open::sparse(site), open::view(site), bulk::sum(site)],
        Files::Deflated => {
            let kinds = KINDS.map(|(kind, _)| kind);
            let reads = kinds.map(|kind| deflated::read(site, kind));
            let writes = kinds.map(|kind| deflated::write(site, kind));
            reads.into_iter().chain(writes).collect()
        }
        Files::Written => vec![write::stored(site), write::align(site)],
    }
}
