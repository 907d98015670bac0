// The promise beside another reader. Plain `cargo test` holds the library to it, too, with every seed and regression.
//
// Allowed differences, which is what `theirs` leaves out:
//
// - Either may refuse what the other accepts: an archive, or a member. npzmap refuses what is ambiguous (SECURITY.md).
// - Of members of one name `zip` lists the last, npzmap all: names that are there twice are not compared.
// - Names that are not marked as UTF-8: `zip` guesses, npzmap reads code page 437 as NumPy does. Bytes are compared.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use npzmap::{Limits, Method, OpenOptions, Verify};
use zip::ZipArchive;

/// What is read of one member.
const MOST: u64 = 1 << 20;

#[derive(Debug, PartialEq)]
struct Listed {
    stored: bool,
    crc32: u32,
    size: u64,
    compressed_size: u64,
    /// Where the data begins, of what is stored.
    start: Option<u64>,
    content: Vec<u8>,
}

/// What npzmap and the `zip` crate both accept of any bytes has the same name, sizes, place and content.
pub(crate) fn differential(bytes: &[u8]) {
    let options = OpenOptions::new().limits(Limits::new().max_decoded_bytes(MOST));
    let Ok(npz) = options.verify(Verify::Always).source(bytes) else { return };
    let Some(theirs) = theirs(bytes) else { return };
    let mut names = HashMap::<&[u8], usize>::new();
    npz.members().for_each(|member| *names.entry(member.name()).or_default() += 1);
    for member in npz.members().filter(|member| names[member.name()] == 1) {
        let (Some(listed), Ok(ours)) = (theirs.get(member.name()), member.bytes()) else { continue };
        let stored = member.method() == Method::Stored;
        let expected = Listed {
            stored,
            crc32: member.crc32(),
            size: member.size(),
            compressed_size: member.compressed_size(),
            start: stored.then(|| (ours.as_ptr().addr() - bytes.as_ptr().addr()) as u64),
            content: ours.into_owned(),
        };
        assert_eq!(listed, &expected, "{}", member.text().escape_debug());
    }
}

/// The members that the `zip` crate reads, by name; nothing if it does not open the archive, or panics.
fn theirs(bytes: &[u8]) -> Option<HashMap<Vec<u8>, Listed>> {
    let read = || {
        let mut zip = ZipArchive::new(Cursor::new(bytes)).ok()?;
        Some((0..zip.len()).filter_map(|index| member(&mut zip, index)).collect())
    };
    catch_unwind(AssertUnwindSafe(read)).ok()?
}

fn member(zip: &mut ZipArchive<Cursor<&[u8]>>, index: usize) -> Option<(Vec<u8>, Listed)> {
    let mut file = zip.by_index(index).ok()?;
    let stored = file.compression() == zip::CompressionMethod::Stored;
    let mut listed = Listed {
        stored,
        crc32: file.crc32(),
        size: file.size(),
        compressed_size: file.compressed_size(),
        start: file.data_start().filter(|_| stored),
        content: Vec::new(),
    };
    file.by_ref().take(MOST).read_to_end(&mut listed.content).ok()?; // its CRC is checked at the end
    (file.read(&mut [0]).ok()? == 0).then(|| (file.name_raw().to_vec(), listed))
}
