// The promise of the decoder. Plain `cargo test` holds the library to it, too, with every seed and every regression.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use npzmap::{Npz, OpenOptions, Verify};

use crate::forge;

/// Any deflate stream gives what it says, and as much as was declared, or an error; never a byte more. The first three
/// bytes are the size to declare, the fourth whether the checksum is right.
pub(crate) fn inflate(bytes: &[u8]) {
    let Some(([a, b, c, lies], stream)) = bytes.split_first_chunk::<4>() else { return };
    let declared = u32::from_le_bytes([*a, *b, c & 0x0f, 0]);
    let (expected, complete) = by_another(stream, declared as usize);
    let mut entry = forge::stored("a", stream);
    (entry.header.method, entry.header.size) = (8, declared);
    entry.header.crc32 = crc32fast::hash(&expected) ^ u32::from(lies % 2);
    let archive = forge::Archive::new(vec![entry]).bytes();

    for verify in [Verify::Never, Verify::Copied] {
        let npz = OpenOptions::new().verify(verify).source(&archive[..]).expect("a sound directory");
        let (whole, streamed) = (content(&npz), streamed(&npz, declared.into()));
        let plausible = u64::from(declared) <= 1032 * stream.len() as u64;
        let sound = verify == Verify::Never || lies % 2 == 0;
        assert_eq!(whole.is_some(), complete && plausible && sound, "{verify:?}, {declared} bytes");
        assert_eq!(streamed, whole);
        assert!(whole.is_none_or(|whole| whole == expected));
    }
}

fn content(npz: &Npz<&[u8]>) -> Option<Vec<u8>> {
    Some(npz.member("a").ok()?.bytes().ok()?.into_owned())
}

/// The same in small pieces, of which there are no more than the declared size has.
fn streamed(npz: &Npz<&[u8]>, declared: u64) -> Option<Vec<u8>> {
    let read = npz.member("a").ok()?.stream(|stream| {
        let mut all = Vec::new();
        assert_eq!(stream.left(), declared);
        while stream.left() > 0 {
            let mut piece = [0; 1013];
            let piece = &mut piece[..stream.left().min(1013) as usize];
            stream.read_exact(piece)?;
            all.extend_from_slice(piece);
        }
        Ok::<_, npzmap::Error>(all)
    });
    read.ok()
}

/// What another decoder makes of the stream, and whether that is all of it, and of the declared size.
fn by_another(stream: &[u8], declared: usize) -> (Vec<u8>, bool) {
    let mut out = vec![0; declared + 1]; // one more, to see that there is none
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, consumed, produced) = decompress(&mut DecompressorOxide::new(), stream, &mut out, 0, flags);
    out.truncate(produced.min(declared));
    (out, status == TINFLStatus::Done && consumed == stream.len() && produced == declared)
}
