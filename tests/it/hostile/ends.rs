//! Where bzip2, LZMA and Zstandard data ends, there its stream must end, too: Z26.

use npzmap::{ErrorKind as K, OpenOptions, Verify};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use super::data::{broken, foreign, with_data};
use super::*;
use crate::forge;

/// What a compressor makes no smaller: three blocks of bzip2, two of Zstandard.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..250_000).map(|_| next()).collect()
}

/// What a method's encoder makes of the content.
fn encoded(content: &[u8], method: u16) -> Vec<u8> {
    let by_zip = match method {
        12 => CompressionMethod::Bzip2,
        93 => CompressionMethod::Zstd,
        _ => return forge::lzma(content), // without a marker at its end
    };
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(by_zip).compression_level(Some(1));
    writer.start_file("x", options).unwrap();
    writer.write_all(content).unwrap();
    let mut data = Vec::new();
    let mut zip = writer.finish_into_readable().unwrap();
    zip.by_name_raw(b"x").unwrap().read_to_end(&mut data).unwrap();
    data
}

/// `x` with this content, by this method, between two others.
fn member(content: &[u8], data: &[u8], method: u16) -> Archive {
    let mut entry = stored("x", content);
    entry.header.method = method;
    entry.header.compressed_size = u32::try_from(data.len()).unwrap();
    entry.data = data.into();
    with_x(entry)
}

/// The content by every reader, with its CRC and without: the same bytes, or the same error about the data of `x`. The
/// others read.
fn read(archive: &Archive) -> Result<Vec<u8>> {
    let bytes = archive.bytes();
    let outcome = |verify| {
        let outcomes = each_reader!(&bytes, OpenOptions::new().verify(verify), |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["x"]);
            let outcome = npz.member("x").unwrap().bytes().map(|bytes| bytes.into_owned());
            match outcome {
                Ok(content) => {
                    npz.verify().unwrap();
                    Ok(content)
                }
                Err(error) => Err(agreed([error, npz.verify().unwrap_err()])),
            }
        });
        match outcomes {
            [Ok(first), Ok(second), Ok(third)] => Ok(same([first, second, third])),
            outcomes => Err(agreed(outcomes.map(|outcome| outcome.expect_err("another reader refuses it")))),
        }
    };
    match (outcome(Verify::default()), outcome(Verify::Never)) {
        (Ok(checked), Ok(unchecked)) => {
            assert!(checked == unchecked);
            Ok(checked)
        }
        (checked, unchecked) => {
            let error = agreed([checked, unchecked].map(|outcome| outcome.expect_err("the other refuses it")));
            Err(assert_about_x(archive, error, Place::Data))
        }
    }
}

#[test]
fn z26_bytes_left_over_behind_a_stream_are_refused_however_many() {
    for (_, archive) in foreign() {
        let sound = archive.entries[X].data.clone();
        for count in (1..40).chain([64, 5_000, 100_000]) {
            let data = [&sound[..], &vec![0x55; count]].concat();
            assert_rule!(broken(&with_data(&archive, &data)), "Z26", K::BadStream { .. });
        }
    }
}

#[test]
fn z26_a_stream_that_is_cut_off_anywhere_is_refused() {
    for (_, archive) in foreign() {
        let sound = archive.entries[X].data.clone();
        for length in 0..sound.len() {
            let archive = with_data(&archive, &sound[..length]);
            let error = read(&archive).unwrap_err();
            assert_rule!(error, "Z26", K::BadStream { .. });
        }
    }
}

#[test]
fn z26_long_streams_are_read_to_their_end_and_no_byte_further() {
    for content in [noise(), vec![0; 70_000], vec![1]] {
        for method in [12, 14, 93] {
            let data = encoded(&content, method);
            assert!(read(&member(&content, &data, method)).unwrap() == content, "{method}");
            for count in [1, 2, 9, 10, 11, 31, 32, 33, 70_000] {
                let longer = [&data[..], &vec![7; count]].concat();
                let error = read(&member(&content, &longer, method)).unwrap_err();
                // Of Zstandard it would be another frame, of LZMA without a marker more content.
                assert_rule!(error, "Z26", K::BadStream { problem } if method != 12 || problem.contains("left over"));
            }
            for count in [1, 2, 4, 9] {
                let cut = &data[..data.len() - count];
                let error = read(&member(&content, cut, method)).unwrap_err();
                assert_rule!(error, "Z26", K::BadStream { .. });
            }
        }
    }
}

/// RFC 8878: frames that follow each other are one content, and those to be skipped are none.
#[test]
fn z19_zstandard_content_may_come_in_several_frames() {
    let (content, more) = (noise(), vec![1; 70_000]);
    let skipped = [&0x184d_2a50_u32.to_le_bytes()[..], &5_u32.to_le_bytes(), b"aside"].concat();
    let frames = [encoded(&content, 93), skipped, encoded(&more, 93)].concat();
    let whole = [content.clone(), more].concat();
    assert!(read(&member(&whole, &frames, 93)).unwrap() == whole);
    let error = read(&member(&content, &frames, 93)).unwrap_err();
    assert_rule!(error, "Z26", K::BadStream { problem } if problem.contains("longer"));
}

/// The last bytes are damaged one by one: that is seen by the decoder or the CRC, or changes nothing.
#[test]
fn z26_a_damaged_end_is_seen() {
    for (content, archive) in foreign() {
        let sound = archive.entries[X].data.clone();
        let mut refused = 0;
        for at in sound.len() - 8..sound.len() {
            let mut data = sound.clone();
            data[at] ^= 0xff;
            let archive = with_data(&archive, &data);
            let npz = Npz::new(archive.bytes()).unwrap();
            the_others_read(&npz, &["x"]);
            match npz.member("x").unwrap().bytes() {
                Ok(found) => assert_eq!(*found, content),
                Err(error) => {
                    let error = assert_about_x(&archive, error, Place::Data);
                    assert!(matches!(error.kind(), K::BadStream { .. } | K::Checksum { .. }), "{error}");
                    refused += 1;
                }
            }
        }
        assert!(refused >= 4, "{refused} of 8");
    }
}
