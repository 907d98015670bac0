//! What npzmap and the `zip` crate both accept of any bytes has the same name, sizes, place and content.
//!
//! Allowed differences, each with the line that allows it:
//!
//! - Either may refuse what the other accepts, an archive or a member: npzmap refuses what is ambiguous (SECURITY.md),
//!   `zip` has limits of its own (`both`).
//! - Of members of one name `zip` lists the last, npzmap all: names that are there twice are not compared (`both`).
//! - `zip` guesses that names which are not marked as UTF-8 are UTF-8, where they can be; npzmap reads code page 437, as
//!   NumPy does. Their bytes are compared (`limited_to`).
//! - npzmap tells where data begins only when it lends it (`limited_to`).
//!
//! A panic of `zip` ends the fuzzer like one of ours; there has been none.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Cursor, Read};

use npzmap::{Limits, Member, Method, OpenOptions, Source, Verify};
use zip::ZipArchive;

/// What is read of one member.
const MOST: u64 = 1 << 20;

/// What a reader says about one member.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    pub(crate) name: Vec<u8>,
    pub(crate) text: String,
    method: u16,
    crc32: u32,
    size: u64,
    compressed_size: u64,
    /// Where the data begins.
    pub(crate) start: Option<u64>,
    content: Vec<u8>,
}

/// How many members both accept, and how many npzmap alone. Each is read twice: with its CRC-32 checked, by both, and
/// with neither looking at it, since a checksum is what stops a fuzzer.
pub(crate) fn differential(bytes: &[u8]) -> (usize, usize) {
    let (same, alone) = both(bytes, Verify::Always);
    both(bytes, Verify::Never);
    (same, alone)
}

fn both(bytes: &[u8], verify: Verify) -> (usize, usize) {
    let options = OpenOptions::new().limits(Limits::new().max_decoded_bytes(MOST)).verify(verify);
    let Ok(npz) = options.source(bytes) else { return (0, 0) };
    let mut names = HashMap::<&[u8], usize>::new();
    npz.members().for_each(|member| *names.entry(member.name()).or_default() += 1);
    let mut zip: HashMap<_, _> =
        archive(bytes, verify).into_iter().map(|listed| (listed.name.clone(), listed)).collect();
    let (mut same, mut alone) = (0, 0);
    for member in npz.members().filter(|member| names[member.name()] == 1) {
        let Ok(listed) = ours(bytes, &member) else { continue };
        match zip.remove(member.name()) {
            Some(theirs) => {
                assert_eq!(theirs.limited_to(&listed), listed);
                same += 1;
            }
            None => alone += 1,
        }
    }
    (same, alone)
}

/// The members that the `zip` crate reads; none if it does not open the archive.
fn archive(bytes: &[u8], verify: Verify) -> Vec<Listed> {
    let Ok(mut zip) = ZipArchive::new(Cursor::new(bytes)) else { return Vec::new() };
    (0..zip.len()).filter_map(|index| theirs(&mut zip, index, verify).ok()).collect()
}

pub(crate) fn ours<S: Source>(archive: &[u8], member: &Member<'_, S>) -> npzmap::Result<Listed> {
    let content = member.bytes()?;
    let start = match &content {
        Cow::Borrowed(lent) => Some((lent.as_ptr().addr() - archive.as_ptr().addr()) as u64),
        Cow::Owned(_) => None,
    };
    Ok(Listed {
        name: member.name().to_vec(),
        text: member.text().into_owned(),
        method: match member.method() {
            Method::Stored => 0,
            Method::Deflated => 8,
            Method::Bzip2 => 12,
            Method::Lzma => 14,
            Method::Zstd => 93,
            Method::Other(number) => number,
            method => panic!("{method:?}"),
        },
        crc32: member.crc32(),
        size: member.size(),
        compressed_size: member.compressed_size(),
        start,
        content: content.into_owned(),
    })
}

pub(crate) fn theirs(zip: &mut ZipArchive<Cursor<&[u8]>>, index: usize, verify: Verify) -> io::Result<Listed> {
    let mut file = zip.by_index(index)?;
    #[expect(deprecated, reason = "a number that the crate does not know, too")]
    let method = file.compression().to_u16();
    let mut content = Vec::new();
    let size = file.size();
    file.by_ref().take(MOST.min(size)).read_to_end(&mut content)?;
    // It compares the CRC-32 when it meets the end, which nobody has to ask for.
    if content.len() as u64 != size || verify == Verify::Always && file.read(&mut [0])? != 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Listed {
        name: file.name_raw().to_vec(),
        text: file.name()?.into_owned(),
        method,
        crc32: file.crc32(),
        size,
        compressed_size: file.compressed_size(),
        start: file.data_start(),
        content,
    })
}

impl Listed {
    /// Without what the other does not say, or says otherwise as it may.
    pub(crate) fn limited_to(mut self, ours: &Listed) -> Listed {
        self.start = self.start.filter(|_| ours.start.is_some());
        if self.is_guessed(ours) {
            self.text.clone_from(&ours.text);
        }
        self
    }

    /// Whether this text is a guess that the other did not make.
    pub(crate) fn is_guessed(&self, ours: &Listed) -> bool {
        self.text != ours.text && self.text.as_bytes() == self.name
    }
}
