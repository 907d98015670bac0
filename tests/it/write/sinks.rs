//! Sinks that fail, seek elsewhere, or hold something already.

use std::fs::File;
use std::io::{self, Cursor, Seek, SeekFrom, Write};

use ndarray::{Array2, s};
use npzmap::{ErrorKind, MemberOptions, NpyWriter, Npz, NpzWriter};

use super::keys;

/// Takes so many bytes, and then none.
struct Full {
    inner: Cursor<Vec<u8>>,
    left: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let count = bytes.len().min(self.left);
        self.left -= count;
        self.inner.write(&bytes[..count])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Seek for Full {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[test]
fn a_full_sink_is_an_error_wherever_it_fills_up_and_never_a_whole_archive() {
    let a = Array2::from_shape_fn((300, 700), |(i, j)| (i * j) as f32);
    let write = |left: usize| -> npzmap::Result<usize> {
        let mut w = NpzWriter::new(Full { inner: Cursor::new(Vec::new()), left })?;
        w.add("a", &a)?;
        w.add("strided", &a.slice(s![.., ..;2]))?;
        w.add_with("deflated", &a, MemberOptions::new().deflate(1))?;
        let mut rows = w.rows::<f32>("rows", &[700])?;
        rows.extend(&a)?;
        rows.finish()?;
        Ok(w.finish()?.inner.into_inner().len())
    };
    let size = write(usize::MAX).unwrap();
    assert!(size > 3 * 300 * 700 * 2);
    for left in (0..size).step_by(size / 40) {
        let error = write(left).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io(error) if error.kind() == io::ErrorKind::StorageFull), "{error}");
    }
}

#[test]
fn after_an_error_of_the_sink_nothing_goes_on() {
    let mut w = NpzWriter::new(Full { inner: Cursor::new(Vec::new()), left: 100 }).unwrap();
    let error = w.add("a", &vec![1.0_f64; 100_000]).unwrap_err();
    assert_eq!((error.member(), error.to_string()), (Some("a"), "a: no storage space".into()));
    assert!(matches!(w.add("b", &[1.0]).unwrap_err().kind(), ErrorKind::Unfinished));
    assert!(matches!(w.finish().map(drop).unwrap_err().kind(), ErrorKind::Unfinished));
}

/// Fails once, and then takes everything.
struct Once(Vec<u8>, bool);

impl Write for Once {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() >= 300_000 && !std::mem::replace(&mut self.1, true) {
            return Err(io::ErrorKind::Other.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An array that takes no notice of what it is told.
struct Careless;

impl npzmap::Save for Careless {
    fn header(&self) -> npzmap::Result<npzmap::Header> {
        npzmap::Header::new("|u1".parse()?, &[800_000], npzmap::Order::C)
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> npzmap::Result<()>) -> npzmap::Result<()> {
        let _ = put(&[7; 400_000]);
        let _ = put(&[7; 400_000]);
        Ok(())
    }
}

#[test]
fn a_sink_that_failed_once_is_not_trusted_again() {
    let mut w = NpzWriter::stream(Once(Vec::new(), false));
    let mut rows = w.rows_with::<u8>("r", &[400_000], Some(2), MemberOptions::new()).unwrap();
    assert!(rows.push(&[7; 400_000]).is_err());
    assert!(matches!(rows.push(&[7; 400_000]).unwrap_err().kind(), ErrorKind::Unfinished));
    assert!(matches!(rows.finish().unwrap_err().kind(), ErrorKind::Unfinished));
    assert!(matches!(w.finish().map(drop).unwrap_err().kind(), ErrorKind::Unfinished));

    let mut w = NpzWriter::stream(Once(Vec::new(), false));
    let _ = w.add("careless", &Careless);
    assert!(w.finish().is_err());
}

#[test]
fn an_archive_can_follow_other_bytes_and_is_aligned_in_the_whole_file() {
    let mut sink = Cursor::new(b"#!/bin/sh\n".to_vec());
    sink.seek(SeekFrom::End(0)).unwrap();
    let mut w = NpzWriter::new(sink).unwrap();
    w.add("x", &[1.5_f64]).unwrap();
    let mut rows = w.rows::<f64>("rows", &[]).unwrap();
    rows.push(&[2.5]).unwrap();
    rows.finish().unwrap();
    let npz = Npz::new(w.finish().unwrap().into_inner()).unwrap();
    assert!(npz.source().starts_with(b"#!/bin/sh\nPK\x03\x04"));
    for member in &npz {
        assert_eq!(member.payload_offset().unwrap().unwrap() % 64, 0);
    }
    npz.verify().unwrap();
}

#[test]
fn a_sink_with_something_behind_the_place_is_refused() {
    let error = NpzWriter::new(Cursor::new(vec![0; 10])).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SinkNotAtEnd { bytes: 10 }));
    assert!(error.to_string().starts_with("10 bytes follow the place where writing would begin"));
}

#[test]
fn a_file_that_always_appends_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, "12345").unwrap();
    let mut file = File::options().append(true).open(&path).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    let mut w = NpzWriter::new(file).unwrap();
    let mut rows = w.rows::<u8>("rows", &[100_000]).unwrap();
    for _ in 0..10 {
        rows.push(&[7; 100_000]).unwrap();
    }
    let error = rows.finish().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SinkMoved { .. }), "{error}");
}

/// Somebody else moves it.
#[test]
fn a_sink_that_is_shared_is_noticed_before_the_next_array() {
    let mut file = tempfile::tempfile().unwrap();
    let mut w = NpzWriter::new(file.try_clone().unwrap()).unwrap();
    w.add("a", &vec![1.0_f64; 100_000]).unwrap();
    file.write_all(b"me too").unwrap();
    let error = w.add("b", &[1.0]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SinkMoved { found, expected } if *found == expected + 6), "{error}");
}

/// Hands on one byte of every call.
struct Dribble(Vec<u8>);

impl Write for Dribble {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend(bytes.first());
        Ok(bytes.len().min(1))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_may_take_as_little_as_it_likes() {
    let fill = |w: &mut dyn FnMut(&str, &[f64])| {
        for i in 0..20 {
            w(&i.to_string(), &vec![f64::from(i); 1000]);
        }
    };
    let mut slow = NpzWriter::stream(Dribble(Vec::new()));
    fill(&mut |key, array| slow.add(key, array).unwrap());
    let mut fast = NpzWriter::stream(Vec::new());
    fill(&mut |key, array| fast.add(key, array).unwrap());
    let bytes = slow.finish().unwrap().0;
    assert!(bytes == fast.finish().unwrap());
    assert_eq!(keys(&Npz::new(bytes).unwrap()).len(), 20);
}

#[test]
fn a_stream_has_descriptors_with_64_bit_sizes_where_something_was_not_known() {
    let a = Array2::<f32>::ones((100, 100));
    let mut w = NpzWriter::stream(Vec::new());
    w.add("known", &a).unwrap();
    w.add("gathered", &a.slice(s![.., ..;2])).unwrap();
    let bytes = w.finish().unwrap();
    let npz = Npz::new(&bytes[..]).unwrap();
    npz.verify().unwrap();
    let local = |name: &[u8]| bytes.windows(name.len()).position(|found| found == name).unwrap() - 30;
    // Flags, version needed.
    assert_eq!(bytes[local(b"known.npy")..][4..8], [20, 0, 0, 0]);
    let gathered = local(b"gathered.npy");
    assert_eq!(bytes[gathered..][4..8], [45, 0, 8, 0]);
    assert_eq!(bytes[gathered..][14..26], [0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    let member = npz.member("gathered").unwrap();
    let end = usize::try_from(member.payload_offset().unwrap().unwrap()).unwrap() + 100 * 50 * 4;
    let descriptor =
        [&b"PK\x07\x08"[..], &member.crc32().to_le_bytes(), &member.size().to_le_bytes(), &member.size().to_le_bytes()]
            .concat();
    assert_eq!(bytes[end..][..24], descriptor);
}

/// Stands near the end of what 64 bits can address, and forgets what it takes.
struct Far(u64);

impl Write for Far {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_add(bytes.len() as u64).expect("the writer wrote beyond 2^64");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Far {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if let SeekFrom::Start(position) = to {
            self.0 = position;
        }
        Ok(self.0)
    }
}

#[test]
fn a_sink_that_stands_near_2_to_the_64_is_an_error_and_no_sum_overflows() {
    let too_large = |error: &npzmap::Error| match error.kind() {
        ErrorKind::Io(error) => error.kind() == io::ErrorKind::FileTooLarge,
        ErrorKind::NotAligned { .. } | ErrorKind::BadAlignment { .. } => true,
        _ => false,
    };
    let large = vec![1_u8; 300_000];
    for left in (0..700).chain([1 << 12, 1 << 18, 299_999, 300_000, 300_200, 300_400, 600_500, 601_000]) {
        let start = u64::MAX - left;
        let write = |deflate: bool| -> npzmap::Result<()> {
            let options = if deflate { MemberOptions::new().deflate(0) } else { MemberOptions::new() };
            let mut w = NpzWriter::new(Far(start))?;
            w.add_with("small", &[1_u8], options)?;
            w.add_with("large", &large, options)?;
            let mut rows = w.rows::<u8>("rows", &[300_000])?;
            rows.push(&large)?;
            rows.finish()?;
            w.finish().map(drop)
        };
        let plain = || NpyWriter::new(Far(start))?.add(&large).map(drop);
        for result in [write(false), write(true), plain()] {
            match result {
                Ok(()) => assert!(left > 300_000, "{left}"),
                Err(error) => assert!(too_large(&error), "{left}: {error:?}"),
            }
        }
    }
    // What was refused leaves the writer usable, as far as there is room.
    let mut w = NpzWriter::new(Far(u64::MAX - 1_000)).unwrap();
    assert!(too_large(&w.add("large", &large).unwrap_err()));
    w.add("small", &[1_u8]).unwrap();
    w.finish().unwrap();
}
