//! Any deflate stream gives what it says, and as much as was declared, or an error; never a byte more. So do a whole
//! read, pieces, and rows of an array, from a slice or by position; and no byte of the file is read twice for it.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use ndarray::Ix1;
use npzmap::{Npz, OpenOptions, Source, Verify};

use crate::forge;

/// A member that is compressed, and what is true of it.
struct Told {
    declared: usize,
    /// Where the elements begin, if it is an array of bytes.
    elements: Option<Range<usize>>,
    /// What another decoder has.
    expected: Vec<u8>,
}

/// The first three bytes are the length to declare. Of the fourth one bit says whether the checksum is wrong, and one
/// whether the stream is the elements of an array, behind a block with its header.
pub(crate) fn inflate(bytes: &[u8]) {
    let Some(([a, b, c, told], stream)) = bytes.split_first_chunk::<4>() else { return };
    let length = u32::from_le_bytes([*a, *b, c & 0x0f, 0]);
    let (is_wrong, is_array) = (told & 1 != 0, told & 2 != 0);
    let header = if is_array { forge::npy("'|u1'", &format!("({length},)"), b"") } else { Vec::new() };
    let mut compressed = if is_array { forge::deflate(&header) } else { Vec::new() };
    compressed.iter_mut().take(1).for_each(|last| *last = 0); // more blocks follow
    compressed.extend(stream);

    let declared = header.len() + length as usize;
    let (expected, is_complete) = by_another(&compressed, declared);
    let told = Told { declared, elements: is_array.then_some(header.len()..declared), expected };
    let mut entry = forge::stored("a", &compressed);
    (entry.header.method, entry.header.size) = (8, declared as u32);
    entry.header.crc32 = crc32fast::hash(&told.expected) ^ u32::from(is_wrong);
    let archive = forge::Archive::new(vec![entry]).bytes();

    let is_sound = is_complete && declared <= 1032 * compressed.len();
    for verify in [Verify::Never, Verify::Copied] {
        let options = OpenOptions::new().verify(verify);
        let is_good = is_sound && (verify == Verify::Never || !is_wrong);
        told.hold(&options.source(&archive[..]).expect("a sound directory"), is_good);
        let counted = Counted { bytes: &archive, read: AtomicU64::new(0) };
        let npz = options.source(counted).expect("a sound directory");
        told.hold(&npz, is_good);
        // Opening, and six ways of reading.
        let read = npz.source().read.load(Ordering::Relaxed);
        assert!(read <= 7 * archive.len() as u64, "{read} bytes of {}", archive.len());
    }
}

impl Told {
    fn hold<S: Source>(&self, npz: &Npz<S>, is_good: bool) {
        let member = npz.member("a").expect("a sound record");
        let whole = member.bytes().ok();
        assert_eq!(whole.is_some(), is_good);
        assert!(whole.as_ref().is_none_or(|whole| **whole == self.expected));
        assert_eq!(self.streamed(npz).as_deref(), whole.as_deref());
        let Some(elements) = self.elements.clone() else { return };
        let array = npz.read::<u8, Ix1>("a").ok();
        assert_eq!(
            array.as_ref().and_then(|array| array.as_slice()),
            whole.as_ref().map(|whole| &whole[elements.clone()])
        );
        // What comes behind the rows is not looked at: they can be had where the whole cannot.
        let length = elements.len();
        for rows in [0..length / 3, length / 3..length / 2, length / 2..length] {
            let part = npz.array("a").and_then(|array| array.rows(rows.clone())?.read::<u8, Ix1>());
            assert!(part.is_ok() || !is_good);
            let expected = self.expected.get(elements.start + rows.start..elements.start + rows.end);
            let expected = expected.unwrap_or_default(); // no rows can be had of anything
            assert!(part.is_err() || part.is_ok_and(|part| part.as_slice() == Some(expected)));
        }
    }

    /// In small pieces, of which there are no more than the declared size has.
    fn streamed<S: Source>(&self, npz: &Npz<S>) -> Option<Vec<u8>> {
        let read = npz.member("a").ok()?.stream(|stream| {
            let mut all = Vec::new();
            assert_eq!(stream.left(), self.declared as u64);
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
}

/// What another decoder makes of the stream, and whether that is all of it, and of the declared size.
fn by_another(stream: &[u8], declared: usize) -> (Vec<u8>, bool) {
    let mut out = vec![0; declared + 1]; // one more, to see that there is none
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, consumed, produced) = decompress(&mut DecompressorOxide::new(), stream, &mut out, 0, flags);
    out.truncate(produced.min(declared));
    (out, status == TINFLStatus::Done && consumed == stream.len() && produced == declared)
}

/// Bytes that are read by position, and how many.
struct Counted<'a> {
    bytes: &'a [u8],
    read: AtomicU64,
}

impl Source for Counted<'_> {
    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.read.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.bytes.read_exact_at(offset, buf)
    }
}
