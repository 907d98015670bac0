//! What lies cost. Memory is counted by the allocator, work by the bytes that a source was asked for and, of a directory,
//! in steps.

use ndarray::{Ix1, IxDyn};
use npzmap::{Error, ErrorKind as K, Limits, Npz, OpenOptions, Source};

use super::*;
use crate::counting::Counting;
use crate::forge::{WIDE, Zip64, deflate, deflated, npy, zip64_extra};
use crate::memory::{INPUT, LITTLE, cost};

/// `x` is refused by what takes it whole, in memory and by position, with the same error, which points to its data, for
/// next to no memory and for a few pages of the source. The others read.
#[track_caller]
fn refused_for_little(archive: &Archive, options: OpenOptions) -> Error {
    fn take<S: Source>(npz: &Npz<S>) -> Error {
        agreed([
            npz.read::<u8, IxDyn>("x").expect_err("read"),
            npz.get::<u8, IxDyn>("x").expect_err("get"),
            npz.read_any("x").map(drop).expect_err("read_any"),
        ])
    }
    let bytes = archive.bytes();
    let in_memory = options.source(&bytes[..]).unwrap();
    let (first, in_memory_cost) = cost(|| take(&in_memory));
    assert!(in_memory_cost.peak <= LITTLE, "{first}: {in_memory_cost:?}");
    the_others_read(&in_memory, &["x"]);

    let counting = options.source(Counting::new(bytes)).unwrap();
    counting.source().taken();
    let (second, by_position_cost) = cost(|| take(&counting));
    assert!(by_position_cost.peak <= LITTLE + INPUT, "{second}: {by_position_cost:?}");
    let read: usize = counting.source().taken().iter().map(|(_, length)| length).sum();
    assert!(read <= 3 * INPUT.cast_unsigned(), "{second}: {read} bytes were read");
    the_others_read(&counting, &["x"]);
    assert_about_x(archive, agreed([first, second]), Place::Data)
}

/// The three, whose `x` is deflated and says that it has this size.
fn declared(size: u64, content: &[u8]) -> Archive {
    let mut archive = with_x(deflated("x.npy", content));
    both(&mut archive, X, |header| {
        header.size = WIDE;
        header.extra = zip64_extra(&[size]);
    });
    // In a local header, both sizes are there or none.
    let compressed = u64::from(archive.entries[X].header.compressed_size);
    archive.entries[X].header.compressed_size = WIDE;
    archive.entries[X].header.extra = zip64_extra(&[size, compressed]);
    archive.lay_out();
    archive
}

#[test]
fn z25_a_size_that_deflate_cannot_reach_costs_nothing() {
    let content = npy("'|u1'", "(3,)", &[1, 2, 3]);
    for size in [1 << 20, 1 << 30, 1 << 40, 1 << 63, u64::MAX - 1, u64::MAX] {
        let archive = declared(size, &content);
        let error = refused_for_little(&archive, OpenOptions::new());
        assert_rule!(error, "Z25", K::ImplausibleSize { size: found, .. } if *found == size);
    }
}

#[test]
fn n3_a_header_length_of_four_gibibytes_costs_nothing() {
    let mut content = crate::forge::preamble((2, 0), "{'descr': '|u1', ");
    content[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    for archive in array::archives(&content) {
        let error = refused_for_little(&archive, OpenOptions::new());
        assert_rule!(error, "N3", K::HeaderLength { needed: 0x1_0000_000b, available: 29 });
    }
}

#[test]
fn n8_n12_a_shape_that_lies_costs_nothing() {
    let shapes =
        [("(4294967296, 4294967296)", "N8"), ("(0, 4611686018427387904, 4)", "N8"), ("(1099511627776,)", "N12")];
    for (shape, rule) in shapes {
        for archive in array::archives(&npy("'|u1'", shape, &[0; 12])) {
            let error = refused_for_little(&archive, OpenOptions::new());
            assert_eq!(error.kind().rule(), Some(rule), "{error:?}");
        }
    }
}

#[test]
fn z11_a_count_of_entries_that_lies_costs_nothing() {
    let mut archive = three();
    archive.zip64 = Some(Zip64::new());
    archive.lay_out();
    (archive.end.entries, archive.end.disk_entries) = (u16::MAX, u16::MAX);
    for count in [1 << 20, 1 << 40, u64::MAX] {
        let zip64 = archive.zip64.as_mut().unwrap();
        (zip64.entries, zip64.disk_entries) = (count, count);
        let bytes = archive.bytes();
        let (error, cost) = cost(|| Npz::new(&bytes[..]).map(drop).unwrap_err());
        assert_rule!(error, "Z11", K::DirectoryMismatch { found, expected: 3, .. } if *found == count);
        assert_eq!(error.offset(), Some(archive.end_at()));
        assert!(cost.peak <= LITTLE, "{cost:?}");
    }
}

const CHUNK: usize = 16 << 20;
const CHUNKS: usize = 640;

/// Ten gibibytes of zeros behind this preamble: a deflate stream of ten megabytes, and the size and the checksum of what
/// it holds.
fn bomb(preamble: &[u8]) -> (Vec<u8>, u64, u32) {
    let zeros = vec![0; CHUNK];
    let mut compress = flate2::Compress::new(flate2::Compression::best(), false);
    let mut chunk = Vec::with_capacity(CHUNK / 500);
    // A full flush: the chunk ends on a byte and refers to nothing before it, so that it can be repeated.
    compress.compress_vec(&zeros, &mut chunk, flate2::FlushCompress::Full).unwrap();
    assert_eq!((compress.total_in(), compress.total_out()), (CHUNK as u64, chunk.len() as u64));

    let mut data = deflate(preamble);
    data[0] = 0; // not the last block
    data.extend(chunk.repeat(CHUNKS));
    data.extend(deflate(b""));
    let mut sum = crc32fast::Hasher::new();
    sum.update(preamble);
    let mut of_chunk = crc32fast::Hasher::new();
    of_chunk.update(&zeros);
    (0..CHUNKS).for_each(|_| sum.combine(&of_chunk));
    assert!((10_000_000..11_000_000).contains(&data.len()), "{}", data.len());
    (data, (preamble.len() + CHUNK * CHUNKS) as u64, sum.finalize())
}

#[test]
fn l5_ten_megabytes_that_inflate_to_ten_gibibytes_are_refused_beyond_the_limit_and_streamed_within_little() {
    let (data, size, crc32) = bomb(&npy("'|u1'", &format!("({},)", CHUNK * CHUNKS), &[]));
    let mut archive = declared(size, b"");
    archive.entries[X].data = data;
    let compressed = archive.entries[X].data.len();
    archive.entries[X].header.extra = zip64_extra(&[size, compressed as u64]);
    both(&mut archive, X, |header| header.crc32 = crc32);
    archive.records[X].compressed_size = u32::try_from(compressed).unwrap();
    archive.lay_out();
    let options = OpenOptions::new().limits(Limits::new().max_decoded_bytes(1 << 30));
    let error = refused_for_little(&archive, options);
    assert_rule!(error, "L5", K::LimitExceeded { found: 0x2_8000_0000, limit: 0x4000_0000, .. });

    // Nothing of it is refused that is taken piece by piece.
    let bytes = archive.bytes();
    let npz = options.source(&bytes[..]).unwrap();
    let (rows, cost_of_rows) =
        cost(|| npz.array("x").unwrap().rows(5 << 20..(5 << 20) + 10).unwrap().read::<u8, Ix1>().unwrap());
    assert_eq!(rows.to_vec(), [0; 10]);
    assert!(cost_of_rows.peak <= LITTLE + (512 << 10), "{cost_of_rows:?}");
    let (read, cost_of_stream) = cost(|| {
        let mut piece = vec![1; 64 << 10];
        let member = npz.member("x").unwrap();
        member
            .stream(|stream| -> std::io::Result<()> {
                stream.read_exact(&mut piece[..128])?;
                (0..100).try_for_each(|_| stream.read_exact(&mut piece))?;
                Ok(())
            })
            .unwrap();
        piece
    });
    assert_eq!(read, [0; 64 << 10]);
    assert!(cost_of_stream.peak <= LITTLE + (512 << 10), "{cost_of_stream:?}");
}

#[test]
fn z26_ten_megabytes_that_say_they_are_a_thousand_bytes_are_decoded_to_a_thousand_and_one() {
    let content = npy("'|u1'", "(872,)", &[0; 872]);
    let (data, ..) = bomb(&content[..128]);
    let mut archive = with_x(deflated("x.npy", &content));
    let compressed = u32::try_from(data.len()).unwrap();
    archive.entries[X].data = data;
    both(&mut archive, X, |header| header.compressed_size = compressed);
    archive.lay_out();
    let bytes = archive.bytes();
    let counting = Npz::new(Counting::new(bytes)).unwrap();
    counting.source().taken();
    let (error, cost) = cost(|| {
        agreed([
            counting.member("x").unwrap().bytes().map(drop).unwrap_err(),
            counting.member("x").unwrap().verify().unwrap_err(),
        ])
    });
    assert_rule!(assert_about_x(&archive, error, Place::Data), "Z26", K::BadStream { .. });
    assert!(cost.peak <= 2 * LITTLE + INPUT, "{cost:?}");
    let read: usize = counting.source().taken().iter().map(|(_, length)| length).sum();
    assert!(read <= 3 * INPUT.cast_unsigned(), "{read} bytes were read");
    the_others_read(&counting, &["x"]);
}

#[test]
fn z5_twenty_thousand_records_for_one_offset_are_all_refused_in_one_pass() {
    const COUNT: u32 = 20_000;
    let mut archive = Archive::new(vec![sound("before.npy"), sound("x.npy")]);
    let after = archive.records.pop().unwrap();
    let first = archive.records[0].clone();
    let named = |number: u32| Header { name: format!("{number:05}.npy").into(), ..first.clone() };
    archive.records = (0..COUNT).map(named).chain([after.clone()]).collect();
    archive.lay_out();
    archive.records.iter_mut().for_each(|record| record.offset = 0);
    archive.records.last_mut().unwrap().offset = after.offset;
    let bytes = archive.bytes();
    #[cfg(debug_assertions)]
    npzmap::__steps_taken();
    let (npz, cost) = cost(|| Npz::new(&bytes[..]).unwrap());
    // A record, a name, and its place in the table.
    #[cfg(debug_assertions)]
    assert!(npzmap::__steps_taken() <= 60 * u64::from(COUNT));
    assert!(cost.peak <= 60 * COUNT as isize + archive.end.size as isize + LITTLE, "{cost:?}");
    for number in [0, 1, 9_999, COUNT - 1] {
        let key = format!("{number:05}");
        let error = npz.read::<u32, Ix1>(&key).unwrap_err();
        assert_rule!(error, "Z5", K::Overlap { what: "another member", .. });
        assert_eq!((error.member(), error.offset()), (Some(&*key), Some(archive.record_at(number as usize))));
    }
    assert_eq!(npz.members().filter(|member| member.bytes().is_ok()).count(), 1);
    assert_eq!(npz.read::<u32, Ix1>("x").unwrap().to_vec(), values("x"));
}

/// Members whose data are the same bytes: each stream begins with a stored block that quotes the local header of the
/// next, and goes on with its data. So much for an archive whose content grows with the square of its size.
fn quoted_overlaps(count: usize) -> Archive {
    let mut content = u32s(&values("x"));
    let mut data = deflate(&content);
    let mut entries = Vec::new();
    for number in (0..count).rev() {
        let mut entry = deflated(&format!("{number:03}.npy"), &content);
        entry.header.compressed_size = u32::try_from(data.len()).unwrap();
        entry.data = data;
        let local = Archive::new(vec![entry.clone()]).entries[0].header.local_bytes();
        let length = u16::try_from(local.len()).unwrap();
        data = [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), &local, &entry.data].concat();
        content = [local, content].concat();
        entries.insert(0, entry);
    }
    let mut archive = Archive::new(vec![entries[0].clone(), sound("after.npy")]);
    let after = archive.records.pop().unwrap();
    let mut offset = 0;
    archive.records =
        entries.iter().map(|entry| Header { signature: *b"PK\x01\x02", ..entry.header.clone() }).collect();
    archive.records.push(after.clone());
    archive.lay_out();
    for (record, entry) in archive.records.iter_mut().zip(&entries) {
        record.offset = offset;
        let local = 30 + u32::try_from(entry.header.name.len()).unwrap();
        offset += local + 5;
    }
    archive.records.last_mut().unwrap().offset = after.offset;
    archive
}

#[test]
fn z5_members_that_quote_each_others_headers_are_all_refused() {
    const COUNT: usize = 50;
    let archive = quoted_overlaps(COUNT);
    // Each by itself is as sound as can be.
    for number in [0, 1, COUNT - 1] {
        let record = archive.records[number].clone();
        let size = u64::from(record.size);
        let npz = Npz::new(relaid(Archive { records: vec![record], ..archive.clone() }).bytes()).unwrap();
        npz.verify().unwrap();
        assert_eq!(npz.member(&format!("{number:03}")).unwrap().size(), size);
    }
    let keys: Vec<String> = (0..COUNT).map(|number| format!("{number:03}")).collect();
    let some = [&*keys[0], &*keys[1], &*keys[COUNT - 1]];
    let bytes = archive.bytes();
    let errors = each_reader!(&bytes, |npz| {
        let npz = npz.unwrap();
        the_others_read(&npz, &keys.iter().map(|key| &**key).collect::<Vec<_>>());
        for (number, key) in keys.iter().enumerate() {
            let error = npz.member(key).and_then(|member| member.bytes()).unwrap_err();
            assert_rule!(error, "Z5", K::Overlap { .. });
            assert_eq!((error.member(), error.offset()), (Some(&**key), Some(archive.record_at(number))));
        }
        some.map(|key| refused_by_every_call(&npz, key))
    });
    for (index, error) in errors.into_iter().flat_map(|errors| [0, 1, COUNT - 1].into_iter().zip(errors)) {
        assert_rule!(error, "Z5", K::Overlap { .. });
        assert_eq!((error.member(), error.offset()), (Some(&*keys[index]), Some(archive.record_at(index))));
    }
}
