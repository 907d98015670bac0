//! The archive byte for byte, and what other readers say of it.

use std::io::{Cursor, Read};

use ndarray::{Array2, array};
use npzmap::{MemberOptions, Method, Npz, NpzWriter};
use zip::ZipArchive;

use super::written;

/// A local header or directory record of one stored member `x.npy`, as APPNOTE 4.3.7 and 4.3.12 have them.
fn expected(crc32: u32, size: u32) -> Vec<u8> {
    let sizes = [crc32.to_le_bytes(), size.to_le_bytes(), size.to_le_bytes()].concat();
    let preamble = 128;
    let header = 30 + 5;
    // As many zeros as bring 35 + 6 + zeros + 128 to a multiple of 64: 192.
    let zeros = 192 - preamble - header - 6;
    let local = [
        b"PK\x03\x04\x14\0\0\0\0\0\0\0\x21\0",
        &sizes[..],
        &[5, 0, 6 + zeros as u8, 0],
        b"x.npy",
        &[0x1e, 0xa1, 2 + zeros as u8, 0, 64, 0],
        &vec![0; zeros],
    ]
    .concat();
    assert_eq!(local.len(), 64);
    let content = [
        &b"\x93NUMPY\x01\0\x76\0{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }"[..],
        &[b' '; 60],
        b"\n\x01\x02",
    ]
    .concat();
    let central = [
        b"PK\x01\x02\x2d\x03\x14\0\0\0\0\0\0\0\x21\0",
        &sizes[..],
        &[5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x01, 0, 0, 0, 0],
        b"x.npy",
    ]
    .concat();
    let (offset, length) = (local.len() + content.len(), central.len());
    let end = [
        &b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..],
        &(length as u32).to_le_bytes(),
        &(offset as u32).to_le_bytes(),
        &[0, 0],
    ]
    .concat();
    [local, content, central, end].concat()
}

#[test]
fn one_small_array_is_these_bytes() {
    let content = [
        &b"\x93NUMPY\x01\0\x76\0{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }"[..],
        &[b' '; 60],
        b"\n\x01\x02",
    ]
    .concat();
    assert_eq!(content.len(), 130);
    let mut w = NpzWriter::new(Cursor::new(Vec::new())).unwrap();
    w.add("x", &[1_u8, 2]).unwrap();
    assert_eq!(w.finish().unwrap().into_inner(), expected(crc32fast::hash(&content), 130));
}

#[test]
fn an_empty_archive_is_an_end_record_as_numpy_has_it() {
    let bytes = NpzWriter::stream(Vec::new()).finish().unwrap();
    assert_eq!(bytes, [&b"PK\x05\x06"[..], &[0; 18]].concat());
    assert_eq!(Npz::new(bytes).unwrap().len(), 0);
}

#[test]
fn equal_input_gives_equal_bytes_whatever_the_sink() {
    let features = Array2::from_shape_fn((50, 30), |(i, j)| (i * j) as f32);
    let labels = vec![1_i64; 500];
    fn fill<S: npzmap::Sink>(w: &mut NpzWriter<S>, features: &Array2<f32>, labels: &[i64]) {
        w.add("features", features).unwrap();
        w.add_with("labels", labels, MemberOptions::new().deflate(6)).unwrap();
        w.add_bytes("ids", b"a, bc").unwrap();
        w.add_bytes("notes.txt", b"notes").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.npz");
    let mut archives = Vec::new();
    for _ in 0..2 {
        let mut w = NpzWriter::new(Cursor::new(Vec::new())).unwrap();
        fill(&mut w, &features, &labels);
        archives.push(w.finish().unwrap().into_inner());
    }
    let mut w = NpzWriter::stream(Vec::new());
    fill(&mut w, &features, &labels);
    archives.push(w.finish().unwrap());
    let mut w = NpzWriter::create(&path).unwrap();
    fill(&mut w, &features, &labels);
    w.finish().unwrap();
    archives.push(std::fs::read(&path).unwrap());
    assert!(archives.iter().all(|archive| *archive == archives[0]));
}

#[test]
fn every_alignment_holds_for_every_length_of_key() {
    for shift in 0..=15 {
        let alignment = 1 << shift;
        for length in 0..70 {
            let mut w = NpzWriter::stream(Vec::new()).align(alignment).unwrap();
            let keys = ["k".repeat(length), "ü".repeat(length) + "2"];
            for key in &keys {
                w.add(key, &array![[1.5, 2.5]]).unwrap();
            }
            w.add_bytes(&"n".repeat(length + 100), b"notes").unwrap();
            let npz = Npz::new(w.finish().unwrap()).unwrap();
            for member in &npz {
                let offset = member.payload_offset().unwrap().unwrap();
                assert_eq!(offset % alignment, 0, "{:?} at {offset}", member.key());
            }
            assert_eq!(npz.read::<f64, ndarray::Ix2>(&keys[1]).unwrap(), array![[1.5, 2.5]]);
        }
    }
}

#[test]
fn other_alignments_are_refused() {
    for alignment in [0, 3, 48, 65_536, u64::MAX] {
        let error = NpzWriter::stream(Vec::new()).align(alignment).unwrap_err();
        assert_eq!(error.to_string(), format!("alignment {alignment}: expected a power of two, at most 32768"));
    }
}

#[test]
fn padding_is_in_the_local_header_alone_and_the_least_that_aligns() {
    let mut w = NpzWriter::stream(Vec::new());
    for i in 0..100 {
        w.add(&"k".repeat(i), &[i as u8]).unwrap();
    }
    let bytes = w.finish().unwrap();
    let npz = Npz::new(&bytes[..]).unwrap();
    let mut at = 0;
    for member in npz.members() {
        assert!(bytes[at..].starts_with(b"PK\x03\x04"));
        let padding = usize::from(u16::from_le_bytes([bytes[at + 28], bytes[at + 29]]));
        let begins = at + 30 + member.name().len() + member.header().unwrap().preamble_size();
        // A field has 6 bytes before its zeros.
        let least = match begins.next_multiple_of(64) - begins {
            missing @ 1..6 => missing + 64,
            missing => missing,
        };
        assert_eq!(padding, least, "{:?}", member.key());
        at += 30 + member.name().len() + padding + usize::try_from(member.size()).unwrap();
    }
    // Directory: 46 and the name; end record: 22.
    let directory: usize = npz.members().map(|member| 46 + member.name().len()).sum();
    assert_eq!(bytes.len(), at + directory + 22);
}

#[test]
fn the_zip_crate_reads_names_sizes_and_content() {
    let npz = written(|w| {
        w.add("β", &[1_u8, 2])?;
        w.add_with("zeros", &[0_u8; 10_000], MemberOptions::new().deflate(9))?;
        w.add_bytes("notes.txt", b"notes")?;
        let mut rows = w.rows_with::<u16>("rows", &[3], None, MemberOptions::new().deflate(1))?;
        rows.push(&[1, 2, 3])?;
        rows.finish()
    });
    let mut zip = ZipArchive::new(Cursor::new(npz.source().as_slice())).unwrap();
    assert_eq!(zip.len(), 4);
    for (index, member) in npz.members().enumerate() {
        let mut file = zip.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        assert_eq!(content, *member.bytes().unwrap());
        assert_eq!((file.name().unwrap().as_bytes(), file.size()), (member.name(), member.size()));
        assert_eq!(file.last_modified().map(|time| (time.year(), time.month(), time.hour())), Some((1980, 1, 0)));
        assert_eq!(file.unix_mode(), Some(0o600));
    }
}

#[test]
fn a_stored_member_is_borrowed_as_its_own_type() {
    let npz = written(|w| {
        for i in 0..64 {
            w.add(&"k".repeat(i), &array![[i as f64]])?;
        }
        Ok(())
    });
    // The source begins at an address that suits any element, as a map does.
    let words: Vec<u128> = npz
        .source()
        .chunks(16)
        .map(|chunk| {
            let mut word = [0; 16];
            word[..chunk.len()].copy_from_slice(chunk);
            u128::from_ne_bytes(word)
        })
        .collect();
    let bytes: &[u8] = &bytemuck::cast_slice(&words)[..npz.source().len()];
    let npz = Npz::new(bytes).unwrap();
    for (i, member) in npz.members().enumerate() {
        assert_eq!(member.method(), Method::Stored);
        assert_eq!(member.array().unwrap().view::<f64, ndarray::Ix2>().unwrap(), array![[i as f64]]);
    }
}
