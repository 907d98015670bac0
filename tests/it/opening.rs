//! What opening costs: reads are counted at the source.

use std::io::{Cursor, Write};
use std::ops::Range;

use ndarray::{Array1, Ix1};
use npzmap::plan::Opening;
use npzmap::{ErrorKind, Npz, OpenOptions, Source};
use zip::write::SimpleFileOptions;

use crate::counting::Counting;

/// An archive of `count` arrays of 1,000 numbers, all of them the array's own number.
pub(crate) fn archive(count: u32, comment: &str) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let header = npzmap::Header::new("<u4".parse().unwrap(), &[1000], npzmap::Order::C).unwrap().to_bytes();
    for number in 0..count {
        writer.start_file(format!("layers.{number}.weight.npy"), options).unwrap();
        writer.write_all(&header).unwrap();
        writer.write_all(&number.to_le_bytes().repeat(1000)).unwrap();
    }
    writer.set_comment(comment).unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn opening_reads_the_end_and_the_directory_and_nothing_else() {
    let bytes = archive(1000, "");
    let directory = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap().central_directory_start();
    let npz = Npz::new(Counting::new(bytes)).unwrap();
    let reads = npz.source().taken();
    assert_eq!(npz.len(), 1000);
    assert!(reads.len() <= 3, "{reads:?}");
    // The first read may reach into the last members; everything else is the directory.
    let tail = npz.source().size() - 4096;
    assert!(reads.iter().all(|(offset, _)| *offset >= directory.min(tail)), "{reads:?}");
    let total: usize = reads.iter().map(|(_, length)| length).sum();
    assert!(total as u64 <= npz.source().size() - directory + 4096, "{reads:?}");
}

#[test]
fn a_comment_costs_one_more_read() {
    let npz = Npz::new(Counting::new(archive(1000, "made by hand"))).unwrap();
    let reads = npz.source().taken();
    assert_eq!((npz.len(), reads.len()), (1000, 3), "{reads:?}");
    // The longest comment, the end record, the zip64 locator and record (APPNOTE 4.3.14 to 4.3.16).
    let most = 65_535 + 22 + 20 + 56;
    assert_eq!(reads[1], (npz.source().size() - most, most as usize));
}

#[test]
fn a_small_archive_is_opened_by_one_read() {
    let npz = Npz::new(Counting::new(std::fs::read("tests/data/model-batch.npz").unwrap())).unwrap();
    assert_eq!(npz.source().taken().len(), 1);
}

#[test]
fn a_stored_key_costs_one_read_besides_its_data() {
    let npz = Npz::new(Counting::new(archive(1000, ""))).unwrap();
    npz.source().taken();
    let array = npz.read::<u32, Ix1>("layers.500.weight").unwrap();
    assert_eq!(array.to_vec(), [500; 1000]);
    // Local header and preamble, and what lies behind them, come in one; the rest of the data in another.
    let reads = npz.source().taken();
    assert_eq!(reads.len(), 2, "{reads:?}");
    let total: usize = reads.iter().map(|(_, length)| length).sum();
    assert!(total <= 4000 + 128 + 600, "{reads:?}");
}

#[test]
fn a_look_at_a_member_costs_one_read() {
    let npz = Npz::new(Counting::new(archive(100, ""))).unwrap();
    npz.source().taken();
    for member in &npz {
        let layout = member.layout().unwrap();
        assert_eq!(layout.header().shape(), [1000]);
    }
    let reads = npz.source().taken();
    assert_eq!(reads.len(), 100, "{reads:?}");
}

#[test]
fn a_header_costs_one_read_whatever_the_size_of_the_array() {
    let npz = Npz::new(Counting::new(archive(1000, ""))).unwrap();
    npz.source().taken();
    assert_eq!(npz.member("layers.7.weight").unwrap().header().unwrap().shape(), [1000]);
    assert_eq!(npz.source().taken().len(), 1);
}

#[test]
fn looking_up_a_key_reads_nothing() {
    let npz = Npz::new(Counting::new(archive(1000, ""))).unwrap();
    npz.source().taken();
    assert!(npz.contains("layers.999.weight") && !npz.contains("layers.1000.weight"));
    assert_eq!(npz.member("layers.31.weight.npy").unwrap().size(), 4128);
    assert_eq!(npz.keys().count(), 1000);
    assert_eq!(npz.source().taken(), []);
}

/// Bytes of which only some may be read.
struct Only {
    bytes: Vec<u8>,
    spans: Vec<Range<u64>>,
}

impl Source for Only {
    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        let end = offset + buf.len() as u64;
        let is_given = self.spans.iter().any(|span| span.start <= offset && end <= span.end);
        assert!(is_given, "{offset}..{end} is not in {:?}", self.spans);
        self.bytes.read_exact_at(offset, buf)
    }
}

#[test]
fn an_archive_is_opened_without_io_and_the_span_of_a_member_is_all_that_it_needs() {
    for bytes in [archive(1000, ""), archive(1000, "made by hand"), archive(0, ""), prefixed(&archive(3, ""))] {
        let mut opening = Opening::new(bytes.size(), OpenOptions::new());
        let mut wanted = Vec::new();
        while let Some(range) = opening.wants() {
            let place = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            wanted.push(range);
            opening.give(bytes[place].to_vec()).unwrap();
        }
        assert!(wanted.len() <= 7, "{wanted:?}");
        // By position, it is the same ranges that are read.
        let by_position = Npz::new(Counting::new(bytes.clone())).unwrap();
        let read = by_position.source().taken();
        let read: Vec<_> = read.into_iter().map(|(offset, length)| offset..offset + length as u64).collect();
        assert_eq!(read, wanted);

        let members = Npz::from_opening(opening, Only { bytes: bytes.clone(), spans: Vec::new() }).unwrap();
        let keys: Vec<_> = members.keys().map(String::from).collect();
        assert_eq!(keys, by_position.keys().collect::<Vec<_>>());
        let span = |key| members.member(key).unwrap().span().unwrap();
        for (number, key) in keys.iter().enumerate().step_by(97) {
            let only = Only { bytes: bytes.clone(), spans: vec![span(key)] };
            let npz = Npz::from_opening(opened(&bytes), only).unwrap();
            let array: Array1<u32> = npz.array(key).unwrap().read().unwrap();
            assert_eq!(array.to_vec(), vec![number as u32; 1000], "{key}");
        }
    }
}

/// The same archive after other bytes.
fn prefixed(archive: &[u8]) -> Vec<u8> {
    [&[b'#'; 100], archive].concat()
}

fn opened(bytes: &[u8]) -> Opening {
    let mut opening = Opening::new(bytes.size(), OpenOptions::new());
    while let Some(range) = opening.wants() {
        opening.give(bytes[range.start as usize..range.end as usize].to_vec()).unwrap();
    }
    opening
}

#[test]
fn an_opening_that_is_not_given_what_it_wants_is_an_error() {
    let bytes = archive(1000, "");
    // Too little, too much, or not yet all.
    for change in [-1, 1] {
        let mut opening = Opening::new(bytes.size(), OpenOptions::new());
        let error = opening.give(vec![0; (4096 + change) as usize]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof));
        assert_eq!(opening.wants(), None);
        assert!(Npz::from_opening(opening, bytes.clone()).is_err());
    }
    assert!(Npz::from_opening(Opening::new(bytes.size(), OpenOptions::new()), bytes.clone()).is_err());
    let longer = [&bytes[..], b"x"].concat();
    let error = Npz::from_opening(opened(&bytes), longer).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::FileChanged { what: "length" }));
}
