//! Archives beyond the 32 bits of the classic records, made by the test.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use ndarray::{Ix1, IxDyn};
use npzmap::{Header, Npz, Order, Unaligned};

use crate::opening;

fn le(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A local header as `np.savez` writes it: sizes in a zip64 extra field.
fn local(name: &str, crc32: u32, size: u64) -> Vec<u8> {
    le(&[
        b"PK\x03\x04\x2d\0\0\0\0\0\0\0\x21\0",
        &crc32.to_le_bytes(),
        &[0xff; 8],
        &(name.len() as u16).to_le_bytes(),
        &20_u16.to_le_bytes(),
        name.as_bytes(),
        &[1, 0, 16, 0],
        &size.to_le_bytes(),
        &size.to_le_bytes(),
    ])
}

/// A directory record with everything in its zip64 extra field.
fn central(name: &str, crc32: u32, size: u64, offset: u64) -> Vec<u8> {
    le(&[
        b"PK\x01\x02\x2d\x03\x2d\0\0\0\0\0\0\0\x21\0",
        &crc32.to_le_bytes(),
        &[0xff; 8],
        &(name.len() as u16).to_le_bytes(),
        &28_u16.to_le_bytes(),
        &[0; 10],
        &[0xff; 4],
        name.as_bytes(),
        &[1, 0, 24, 0],
        &size.to_le_bytes(),
        &size.to_le_bytes(),
        &offset.to_le_bytes(),
    ])
}

fn end(count: u64, size: u64, offset: u64) -> Vec<u8> {
    le(&[
        b"PK\x06\x06",
        &44_u64.to_le_bytes(),
        &[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &count.to_le_bytes(),
        &count.to_le_bytes(),
        &size.to_le_bytes(),
        &offset.to_le_bytes(),
        b"PK\x06\x07\0\0\0\0",
        &(offset + size).to_le_bytes(),
        &1_u32.to_le_bytes(),
        b"PK\x05\x06\0\0\0\0",
        &[0xff; 12],
        &[0, 0],
    ])
}

/// Two arrays: one of more than 4 GiB, all zeros in a hole of the file but for its last element, and a small one
/// behind it.
fn sparse() -> (File, u64) {
    const COUNT: u64 = (5 << 30) / 8;
    let big = Header::new("<i8".parse().unwrap(), &[COUNT as usize], Order::C).unwrap().to_bytes();
    let size = big.len() as u64 + COUNT * 8;
    let small = Header::new("<i4".parse().unwrap(), &[3], Order::C).unwrap().to_bytes();
    let small = le(&[&small, &7_i32.to_le_bytes(), &8_i32.to_le_bytes(), &9_i32.to_le_bytes()]);
    let small_crc = crc32fast_of(&small);

    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&local("big.npy", 0x1234_5678, size)).unwrap();
    file.write_all(&big).unwrap();
    file.seek(SeekFrom::Current(COUNT as i64 * 8 - 8)).unwrap();
    file.write_all(&(-5_i64).to_le_bytes()).unwrap();
    let second = file.stream_position().unwrap();
    file.write_all(&local("small.npy", small_crc, small.len() as u64)).unwrap();
    file.write_all(&small).unwrap();
    let start = file.stream_position().unwrap();
    let directory =
        le(&[&central("big.npy", 0x1234_5678, size, 0), &central("small.npy", small_crc, small.len() as u64, second)]);
    file.write_all(&directory).unwrap();
    file.write_all(&end(2, directory.len() as u64, start)).unwrap();
    (file, COUNT)
}

fn crc32fast_of(bytes: &[u8]) -> u32 {
    // The oracle's own: the archive is built to be right.
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[test]
#[expect(unsafe_code, reason = "the map is what is tested")]
fn an_archive_beyond_4_gib_maps_and_reads() {
    let (file, count) = sparse();
    // SAFETY: the file has no name, and nobody else has it.
    let npz = unsafe { Npz::map_file(file.try_clone().unwrap()) }.unwrap();
    let big = npz.view::<Unaligned<i64>, Ix1>("big").unwrap();
    assert_eq!((big.len() as u64, big[0].get(), big[big.len() - 1].get()), (count, 0, -5));
    assert_eq!(npz.view::<Unaligned<i32>, Ix1>("small").unwrap().mapv(Unaligned::get).to_vec(), [7, 8, 9]);
    assert!(npz.member("small").unwrap().payload_offset().unwrap().unwrap() > 5 << 30);

    let npz = Npz::open_file(file).unwrap();
    assert_eq!(npz.member("big").unwrap().header().unwrap().shape(), [count as usize]);
    assert_eq!(npz.read::<i32, IxDyn>("small").unwrap().into_raw_vec_and_offset().0, [7, 8, 9]);
}

#[test]
fn seventy_thousand_members_are_found_by_key() {
    const COUNT: u32 = 70_000;
    let mut file = tempfile::tempfile().unwrap();
    let mut directory = Vec::new();
    let header = Header::new("<u4".parse().unwrap(), &[], Order::C).unwrap().to_bytes();
    let mut members = Vec::new();
    for number in 0..COUNT {
        let name = format!("k{number}.npy");
        let content = le(&[&header, &number.to_le_bytes()]);
        let crc32 = crc32fast_of(&content);
        directory.extend(central(&name, crc32, content.len() as u64, members.len() as u64));
        members.extend(local(&name, crc32, content.len() as u64));
        members.extend(content);
    }
    file.write_all(&members).unwrap();
    file.write_all(&directory).unwrap();
    file.write_all(&end(COUNT.into(), directory.len() as u64, members.len() as u64)).unwrap();

    let npz = Npz::open_file(file).unwrap();
    assert_eq!(npz.len(), COUNT as usize);
    for number in (0..COUNT).step_by(997).chain([COUNT - 1]) {
        let value = npz.read::<u32, IxDyn>(&format!("k{number}")).unwrap();
        assert_eq!(value.first(), Some(&number));
    }
    assert!(!npz.contains("k70000"));
    assert!(npz.keys().enumerate().all(|(number, key)| key == format!("k{number}")));
}

#[test]
fn the_zip_crate_agrees_on_an_archive_of_a_thousand() {
    let bytes = opening::archive(1000, "");
    let mut oracle = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).unwrap();
    let npz = Npz::new(&bytes[..]).unwrap();
    assert_eq!(npz.len(), oracle.len());
    for (index, member) in npz.members().enumerate() {
        let theirs = oracle.by_index_raw(index).unwrap();
        assert_eq!(member.text(), theirs.name().unwrap());
        assert_eq!((member.size(), member.crc32()), (theirs.size(), theirs.crc32()));
        let offset = member.payload_offset().unwrap().unwrap();
        let preamble = member.header().unwrap().preamble_size() as u64;
        assert_eq!(Some(offset - preamble), theirs.data_start());
    }
}
