//! What opening costs: reads are counted at the source.

use std::io::{Cursor, Write};

use ndarray::Ix1;
use npzmap::{Npz, Source};
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
