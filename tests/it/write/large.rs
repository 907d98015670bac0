//! Beyond 32 bits: sizes, offsets and counts, in sinks that keep no zeros.

use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};

use ndarray::{ArrayView2, Ix1, Ix2};
use npzmap::{ErrorKind, MemberOptions, Npz, NpzWriter, Source};

/// A sink of any size that keeps only blocks which are not all zeros; then a source.
#[derive(Default)]
struct Sparse {
    blocks: BTreeMap<u64, Box<[u8]>>,
    position: u64,
    size: u64,
}

const BLOCK: usize = 64 << 10;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

impl Write for Sparse {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (index, start) = (self.position / BLOCK as u64, (self.position % BLOCK as u64) as usize);
        let count = bytes.len().min(BLOCK - start);
        let bytes = &bytes[..count];
        if bytes != &ZEROS[..count] || self.blocks.contains_key(&index) {
            let block = self.blocks.entry(index).or_insert_with(|| Box::from(ZEROS));
            block[start..start + count].copy_from_slice(bytes);
        }
        self.position += count as u64;
        self.size = self.size.max(self.position);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::Current(by) => self.position.checked_add_signed(by).unwrap(),
            SeekFrom::End(by) => self.size.checked_add_signed(by).unwrap(),
        };
        Ok(self.position)
    }
}

impl Source for Sparse {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        if offset + buf.len() as u64 > self.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while !buf.is_empty() {
            let (index, start) = (offset / BLOCK as u64, (offset % BLOCK as u64) as usize);
            let count = buf.len().min(BLOCK - start);
            let (head, tail) = buf.split_at_mut(count);
            let block = self.blocks.get(&index).map_or(&ZEROS[..], |block| block);
            head.copy_from_slice(&block[start..start + count]);
            (buf, offset) = (tail, offset + count as u64);
        }
        Ok(())
    }
}

/// Rows of 64 MiB.
const ROW: usize = 64 << 20;
const ROWS: usize = 65;

#[test]
fn arrays_beyond_4_gib_and_what_follows_them_are_read_back() {
    let zeros = vec![0_u8; ROW];
    let mut w = NpzWriter::new(Sparse::default()).unwrap();
    // As one array: 65 times the same row.
    let whole = ArrayView2::from_shape((1, ROW), &zeros).unwrap();
    w.add("strided", &whole.broadcast((ROWS, ROW)).unwrap()).unwrap();
    w.add("small", &[1.5_f64, 2.5]).unwrap();
    let mut rows = w.rows::<u8>("rows", &[ROW]).unwrap();
    for _ in 0..ROWS - 1 {
        rows.push(&zeros).unwrap();
    }
    let mut last = zeros;
    last[ROW - 1] = 7;
    rows.push(&last).unwrap();
    rows.finish().unwrap();
    w.add_with("deflated", &vec![0_u32; 1000], MemberOptions::new().deflate(6)).unwrap();
    let sink = w.finish().unwrap();
    assert!(sink.size > 2 * ROWS as u64 * ROW as u64 && sink.blocks.len() < 20);

    let npz = Npz::new(sink).unwrap();
    assert_eq!(super::keys(&npz), ["strided", "small", "rows", "deflated"]);
    for key in ["strided", "rows"] {
        let member = npz.member(key).unwrap();
        assert_eq!(member.size(), 128 + ROWS as u64 * ROW as u64);
        assert_eq!(member.header().unwrap().shape(), [ROWS, ROW]);
        assert_eq!(member.payload_offset().unwrap().unwrap() % 64, 0);
    }
    assert_eq!(npz.read::<f64, Ix1>("small").unwrap().to_vec(), [1.5, 2.5]);
    assert_eq!(npz.read::<u32, Ix1>("deflated").unwrap().len(), 1000);
    let last = npz.array("rows").unwrap().rows(ROWS - 1..ROWS).unwrap().read::<u8, Ix2>().unwrap();
    assert_eq!((last[(0, 0)], last[(0, ROW - 1)]), (0, 7));
    npz.member("rows").unwrap().verify().unwrap();
}

#[test]
fn seventy_thousand_members_are_counted_in_zip64() {
    let count = 70_000_u32;
    let mut w = NpzWriter::stream(Vec::new());
    for i in 0..count {
        w.add(&i.to_string(), &[i]).unwrap();
    }
    let bytes = w.finish().unwrap();
    let npz = Npz::new(&bytes[..]).unwrap();
    assert_eq!(npz.len(), 70_000);
    for i in [0, 1, 65_534, 65_535, 65_536, 69_999] {
        assert_eq!(npz.read::<u32, Ix1>(&i.to_string()).unwrap()[0], i);
    }
    let zip = zip::ZipArchive::new(io::Cursor::new(&bytes)).unwrap();
    assert_eq!(zip.len(), 70_000);
    npz.verify().unwrap();
}

#[test]
fn around_the_number_at_which_zip64_begins() {
    for (count, zip64) in [(65_534_u32, false), (65_535, true), (65_536, true)] {
        let mut w = NpzWriter::stream(Vec::new());
        for i in 0..count {
            w.add_bytes(&i.to_string(), b"").unwrap();
        }
        let bytes = w.finish().unwrap();
        assert_eq!(bytes[bytes.len() - 42..].starts_with(b"PK\x06\x07"), zip64, "{count}");
        assert_eq!(Npz::new(bytes).unwrap().len(), count as usize);
    }
}

#[test]
#[ignore = "holds 2 GiB"]
fn a_directory_that_readers_would_refuse_is_not_written() {
    // Records of 46 bytes and the longest name, in a directory of less than 2 GiB (docs/hostile.md, L4), of which 28 are
    // kept for a zip64 field: 32,745 of them and no more.
    let name = |number: u32| format!("{number:065535}");
    let mut w = NpzWriter::stream(io::sink());
    for number in 0..32_745 {
        w.add_bytes(&name(number), b"").unwrap();
    }
    let error = w.add_bytes(&name(32_745), b"").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::LimitExceeded { found: 2_147_515_454, limit: 2_147_483_647, .. }),
        "{error}"
    );
}
