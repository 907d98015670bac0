//! Stored, deflated, whichever is smaller; many at once.

use ndarray::{Array1, Array2, ArrayD, IxDyn, s};
use npzmap::{ErrorKind, MemberOptions, Method, Npz, NpzWriter, Save};

use super::{both, elements, written};

/// Numbers that deflate cannot shrink.
pub(super) fn noise(count: usize) -> Vec<u64> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count).map(next).collect()
}

#[test]
fn every_level_is_read_back_and_nine_is_smaller_than_one() {
    let squares: Vec<u32> = (0..100_000).map(|i: u32| i.wrapping_mul(i) / 50_000).collect();
    let npz = written(|w| {
        (0..=9).try_for_each(|level| w.add_with(&level.to_string(), &squares, MemberOptions::new().deflate(level)))
    });
    for member in &npz {
        assert_eq!(member.method(), Method::Deflated);
        assert_eq!(member.array().unwrap().read::<u32, ndarray::Ix1>().unwrap().to_vec(), squares);
    }
    let size = |level: &str| npz.member(level).unwrap().compressed_size();
    assert!(size("9") < size("1") && size("1") < size("0"));
    assert!(size("0") >= 400_000);
}

#[test]
fn another_level_is_refused() {
    let mut w = NpzWriter::stream(Vec::new());
    let error = w.add_with("x", &[1.0], MemberOptions::new().deflate(10)).unwrap_err();
    assert_eq!(error.to_string(), "x: compression level 10: expected 0 to 9");
    assert!(w.is_empty());
}

#[test]
fn what_does_not_shrink_is_stored_and_aligned_where_that_is_asked_for() {
    // The header alone shrinks by some fifty bytes.
    let (noise, zeros) = (noise(100_000), vec![0_u64; 5000]);
    let fill = MemberOptions::new().deflate_if_smaller(6);
    for npz in both(
        |w| w.add_with("noise", &noise, fill).and_then(|()| w.add_with("zeros", &zeros, fill)),
        |w| w.add_with("noise", &noise, fill).and_then(|()| w.add_with("zeros", &zeros, fill)),
    ) {
        let methods: Vec<_> = npz.members().map(|member| member.method()).collect();
        assert_eq!(methods, [Method::Stored, Method::Deflated]);
        assert_eq!(npz.member("noise").unwrap().payload_offset().unwrap().unwrap() % 64, 0);
        assert_eq!(npz.read::<u64, ndarray::Ix1>("noise").unwrap().to_vec(), noise);
        npz.verify().unwrap();
    }
    let npz = written(|w| w.add_with("noise", &noise, MemberOptions::new().deflate(6)));
    assert_eq!(npz.member("noise").unwrap().method(), Method::Deflated);
}

/// Beyond what is compressed in memory.
const LARGE: usize = (65 << 20) / 8;

#[test]
fn large_members_are_compressed_into_the_sink_or_stored_over_what_was_written() {
    let noise = Array1::from(noise(LARGE));
    let zeros = Array1::<u64>::zeros(LARGE);
    let smaller = MemberOptions::new().deflate_if_smaller(1);
    for npz in both(
        |w| w.add_with("noise", &noise, smaller).and_then(|()| w.add_with("zeros", &zeros, smaller)),
        |w| w.add_with("noise", &noise, smaller).and_then(|()| w.add_with("zeros", &zeros, smaller)),
    ) {
        let methods: Vec<_> = npz.members().map(|member| member.method()).collect();
        assert_eq!(methods, [Method::Stored, Method::Deflated]);
        assert!(npz.source().len() < noise.len() * 8 + 1_000_000);
        npz.verify().unwrap();
        assert!(npz.read::<u64, ndarray::Ix1>("noise").unwrap() == noise);
        assert!(npz.read::<u64, ndarray::Ix1>("zeros").unwrap() == zeros);
    }
}

#[test]
fn many_at_once_are_the_same_bytes_as_one_by_one() {
    let arrays: Vec<ArrayD<f32>> = (0..23)
        .map(|i| Array2::from_shape_fn((i * 7 + 1, 300), |(a, b)| ((a * b) % (i + 2)) as f32).into_dyn())
        .collect();
    let strided: Vec<_> = arrays.iter().map(|array| array.slice(s![.., ..;2])).collect();
    let named = || strided.iter().enumerate().map(|(i, array)| (format!("key {i}"), array as &dyn Save));
    for options in [
        MemberOptions::new(),
        MemberOptions::new().deflate(6),
        MemberOptions::new().deflate(1),
        MemberOptions::new().deflate_if_smaller(1),
    ] {
        let mut together = NpzWriter::stream(Vec::new());
        together.add_many(named(), options).unwrap();
        let mut apart = NpzWriter::stream(Vec::new());
        for (key, array) in named() {
            apart.add_with(&key, array, options).unwrap();
        }
        let bytes = together.finish().unwrap();
        assert!(bytes == apart.finish().unwrap(), "{options:?}");
        let npz = Npz::new(bytes).unwrap();
        for (key, array) in named() {
            let read = npz.read::<f32, IxDyn>(&key).unwrap();
            assert!(elements(&read) == elements(array));
        }
    }
}

#[test]
fn the_first_of_many_that_fails_is_named_and_those_before_it_are_there() {
    let (good, bad) = (vec![1.0_f32; 10], vec!["cut\0"]);
    for options in [MemberOptions::new(), MemberOptions::new().deflate(6)] {
        let mut w = NpzWriter::stream(Vec::new());
        let arrays = [("a", &good as &dyn Save), ("b", &bad), ("c", &good)];
        let error = w.add_many(arrays, options).unwrap_err();
        assert_eq!((error.member(), w.len()), (Some("b"), 1));
        assert!(matches!(error.kind(), ErrorKind::BadText { .. }));
        let error = w.add_many([("d", &good as &dyn Save), ("a", &good), ("e", &bad)], options).unwrap_err();
        assert_eq!((error.member(), w.len()), (Some("a"), 2));
        assert_eq!(super::keys(&Npz::new(w.finish().unwrap()).unwrap()), ["a", "d"]);
    }
}
