//! Arrays that own a share of what they borrow from.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ndarray::{Ix1, Ix2, IxDyn, s};
use npzmap::{
    ErrorKind, FixedBytes, FixedStr, Npy, Npz, OpenOptions, Order, Reason, SharedArray, Source, Unaligned, Verify,
};

use crate::elements::{arrays, assert_lent, assert_values, kind, lengths, map, placed, text};
use crate::fixtures;
use crate::forge::{self, Archive};

/// An archive whose bytes were read into memory.
fn in_memory(file: &str) -> Npz<Vec<u8>> {
    Npz::new(fixtures::bytes(file)).unwrap()
}

#[test]
fn a_shared_array_is_send_sync_and_static() {
    fn assert<T: Send + Sync + Clone + 'static>() {}
    assert::<SharedArray<f32, Ix2>>();
    assert::<SharedArray<Unaligned<f64>, IxDyn>>();
    assert::<SharedArray<FixedStr<9>, Ix1>>();
}

#[test]
fn a_struct_of_arrays_outlives_the_handle() {
    struct Batch {
        features: SharedArray<f32, Ix2>,
        labels: SharedArray<i64, Ix1>,
        ids: SharedArray<FixedStr<9>, Ix1>,
    }

    fn load() -> Batch {
        let npz = map("model-batch-aligned.npz");
        Batch {
            features: npz.array("features").unwrap().shared().unwrap(),
            labels: npz.array("labels").unwrap().shared().unwrap(),
            ids: npz.array("sample_ids").unwrap().shared().unwrap(),
        }
    }

    let batch = load();
    assert_eq!((batch.features.view().sum(), batch.features.shape()), (66.0, &[3, 4][..]));
    assert_eq!(batch.labels.view().to_vec(), [0, 1, 1]);
    assert!(batch.ids.view()[2] == "train-003");
    // Three shares, and no other.
    assert_eq!(Arc::strong_count(batch.labels.owner()), 3);
    let owner = Arc::downgrade(batch.labels.owner());
    drop(batch);
    assert!(owner.upgrade().is_none());
}

#[test]
fn a_clone_costs_a_share_and_is_seen_from_other_threads() {
    let npz = in_memory("model-batch-stored.npz");
    let shared = npz.array("features").unwrap().shared::<Unaligned<f32>, Ix2>().unwrap();
    let address = shared.view().as_ptr().addr();
    let bytes = npz.source().as_ptr_range();
    assert!((bytes.start.addr()..bytes.end.addr()).contains(&address));
    drop(npz);
    let threads: Vec<_> = (0..4)
        .map(|column| {
            let shared = shared.clone();
            thread::spawn(move || (shared.view().column(column).sum().get(), shared.view().as_ptr().addr()))
        })
        .collect();
    let found: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    // Nobody copied anything.
    assert_eq!(found, [12.0, 15.0, 18.0, 21.0].map(|sum| (sum, address)));
    assert_eq!(Arc::strong_count(shared.owner()), 1);
    assert_eq!(format!("{shared:?}"), format!("{:?}", shared.view()));
}

#[test]
fn shared_arrays_are_what_numpy_reads() {
    let mut seen = 0;
    let npz = in_memory("kinds-stored.npz");
    for entry in arrays("kinds-stored.npz") {
        let key = text(entry, "key");
        match text(entry, "descr") {
            "<f8" => {
                let shared = npz.array(key).unwrap().shared::<Unaligned<f64>, IxDyn>().unwrap();
                assert_values(&shared.view(), &entry["values"], key);
                assert_lent(&shared.view(), npz.source(), entry);
                assert_eq!((shared.shape(), shared.clone().shape()), (&lengths(entry)[..], &lengths(entry)[..]));
            }
            "|S5" => {
                let shared = npz.array(key).unwrap().shared::<FixedBytes<5>, IxDyn>().unwrap();
                assert_values(&shared.view(), &entry["values"], key);
                assert_lent(&shared.clone().view(), npz.source(), entry);
            }
            _ => continue,
        }
        seen += 1;
    }
    assert_eq!(seen, 8);
    // In the order of the file.
    assert_eq!(npz.array("f8-le-f").unwrap().shared::<Unaligned<f64>, Ix2>().unwrap().view().strides(), [1, 3]);
    assert_eq!(npz.array("f8-le-c").unwrap().shared::<Unaligned<f64>, Ix2>().unwrap().view().strides(), [4, 1]);
}

#[test]
fn an_array_is_shared_as_a_type_that_its_dtype_does_not_name() {
    let npz = map("weights.npz");
    let scale = npz
        .array("encoder/scale")
        .unwrap()
        .reinterpret::<FixedBytes<2>>()
        .unwrap()
        .shared::<FixedBytes<2>, Ix1>()
        .unwrap();
    assert_eq!(scale.view().map(|item| *item.as_array()).to_vec(), [[0xc0, 0x3f], [0, 0xc0], [0, 0x3f]]);
    #[cfg(feature = "half")]
    {
        let scale = npz
            .array("encoder/scale")
            .unwrap()
            .reinterpret::<Unaligned<half::bf16>>()
            .unwrap()
            .shared::<Unaligned<half::bf16>, Ix1>()
            .unwrap();
        assert_eq!(scale.view().map(|value| value.get().to_f32()).to_vec(), [1.5, -2.0, 0.5]);
    }
    let refused = kind(
        npz.array("encoder/scale")
            .and_then(|array| array.reinterpret::<FixedBytes<4>>()?.shared::<FixedBytes<4>, Ix1>()),
    );
    assert!(matches!(refused, ErrorKind::DtypeMismatch { .. }), "{refused}");

    let dates = in_memory("datetimes-stored.npz");
    let days = dates
        .array("M8-D-le")
        .unwrap()
        .reinterpret::<Unaligned<i64>>()
        .unwrap()
        .shared::<Unaligned<i64>, Ix1>()
        .unwrap();
    let expected = arrays("datetimes-stored.npz").find(|entry| entry["key"] == "M8-D-le").unwrap();
    assert_values(&days.view(), &expected["values"], "M8-D-le");
}

#[test]
fn an_array_of_nothing_is_shared_wherever_it_lies() {
    let content = forge::npy("'<f8'", "(0, 3)", &[]);
    for gap in 0..8 {
        let mut archive = Archive::new(vec![forge::stored("a.npy", &content)]);
        archive.entries[0].gap = vec![0; gap];
        archive.lay_out();
        let npz = Npz::new(archive.bytes()).unwrap();
        let shared = npz.array("a").unwrap().shared::<f64, Ix2>().unwrap();
        assert_eq!((shared.shape(), shared.view().dim()), (&[0, 3][..], (0, 3)));
    }
}

#[test]
fn what_cannot_be_borrowed_cannot_be_shared() {
    let npz = in_memory("kinds-deflated.npz");
    let refused = kind(npz.array("f4-le-c").and_then(|array| array.shared::<f32, Ix2>()));
    assert!(matches!(refused, ErrorKind::CannotBorrow { reason: Reason::Compressed, .. }), "{refused}");
    let npz = in_memory("kinds-stored.npz");
    let refused = kind(npz.array("f4-be-c").and_then(|array| array.shared::<Unaligned<f32>, Ix2>()));
    assert!(matches!(refused, ErrorKind::CannotBorrow { reason: Reason::ByteOrder, .. }), "{refused}");
    let refused = kind(npz.array("f4-le-c").and_then(|array| array.shared::<Unaligned<f64>, Ix2>()));
    assert!(matches!(refused, ErrorKind::DtypeMismatch { .. }), "{refused}");
    let refused = kind(npz.array("f4-le-c").and_then(|array| array.shared::<Unaligned<f32>, Ix1>()));
    assert!(matches!(refused, ErrorKind::DimensionMismatch { .. }), "{refused}");
    let error = npz.array("nothing").and_then(|array| array.shared::<u8, Ix1>()).unwrap_err();
    assert_eq!(error.member(), Some("nothing"));
    // None of them kept a share.
    assert_eq!(Arc::strong_count(&npz.into_source()), 1);
}

/// Bytes of which the user's own source gives fewer than before, or from another address.
struct Fickle {
    bytes: Vec<u8>,
    start: AtomicUsize,
    end: AtomicUsize,
}

impl Source for Fickle {
    fn size(&self) -> u64 {
        self.now().size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        self.now().read_exact_at(offset, buf)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self.now())
    }
}

impl Fickle {
    fn now(&self) -> &[u8] {
        &self.bytes[self.start.load(Ordering::Relaxed)..self.end.load(Ordering::Relaxed)]
    }
}

#[test]
fn a_source_that_breaks_its_word_makes_a_view_panic() {
    let (archive, content) = (fixtures::bytes("model-batch-aligned.npz"), 8);
    let (room, range) = placed(&archive, content, 0);
    let (start, end) = (AtomicUsize::new(range.start), AtomicUsize::new(range.end));
    let npz = Npz::new(Fickle { bytes: room, start, end }).unwrap();
    let array = npz.array("features").unwrap();
    for (part, expected) in [(array.clone(), 66.0), (array.select(s![..;-1, 1..;2]).unwrap(), 36.0)] {
        let shared = part.shared::<f32, Ix2>().unwrap();
        let sum = || catch_unwind(AssertUnwindSafe(|| shared.view().sum()));
        assert_eq!(sum().unwrap(), expected);
        // Off its alignment, cut off before and within it, and right again.
        npz.source().start.fetch_add(1, Ordering::Relaxed);
        assert!(sum().is_err());
        npz.source().start.fetch_sub(1, Ordering::Relaxed);
        for length in [0, 100, 192 + 47] {
            let end = npz.source().end.swap(range.start + length, Ordering::Relaxed);
            assert!(sum().is_err(), "{length}");
            npz.source().end.store(end, Ordering::Relaxed);
        }
        assert_eq!(sum().unwrap(), expected);
    }
}

#[test]
fn a_plain_file_is_shared() {
    let npy = Npy::new(fixtures::bytes("plain-f.npy")).unwrap();
    let shared = npy.array().unwrap().shared::<Unaligned<f32>, Ix2>().unwrap();
    let address = npy.source().as_ptr().addr() + npy.header().unwrap().preamble_size();
    drop(npy);
    let view = shared.view();
    assert_eq!((view.as_ptr().addr(), view.strides(), view[(0, 2)].get()), (address, &[1, 3][..], 1.5));
}

#[test]
fn the_bytes_of_an_array_and_its_handle_are_all_that_is_needed_to_use_them() {
    let bytes = fixtures::bytes("kinds-stored.npz");
    let mut seen = 0;
    for entry in arrays("kinds-stored.npz") {
        let offset = usize::try_from(entry["data_offset"].as_u64().unwrap()).unwrap();
        for (shift, alignment) in [(0, 64), (1, 1), (6, 2), (12, 4), (24, 8), (48, 16), (32, 32)] {
            let (room, range) = placed(&bytes, offset, shift);
            let npz = Npz::new(&room[range]).unwrap();
            let array = npz.array(text(entry, "key")).unwrap();
            let Cow::Borrowed(lent) = array.bytes().unwrap() else { panic!("a copy") };
            assert_eq!(lent, &bytes[offset..offset + array.nbytes()]);
            assert_eq!(lent.as_ptr().addr() - npz.source().as_ptr().addr(), offset);
            assert_eq!((array.data_offset(), array.shape()), (Some(offset as u64), &lengths(entry)[..]));
            assert_eq!(array.dtype().to_string(), text(entry, "descr"));
            assert_eq!(array.order() == Order::Fortran, entry["fortran_order"] == true);
            // At the least, where more is luck.
            let found = alignment_of(lent);
            assert!(if alignment < 64 { found == alignment } else { found >= 64 }, "{shift}: {found}");
            seen += 1;
        }
    }
    assert_eq!(seen, 116 * 7);
}

/// The largest power of two that divides the address.
fn alignment_of(bytes: &[u8]) -> usize {
    1 << bytes.as_ptr().addr().trailing_zeros()
}

#[test]
fn bytes_are_copied_of_what_is_compressed_and_not_had_of_what_is_pickled_or_no_array() {
    let deflated = map("kinds-deflated.npz");
    let bytes = deflated.array("f4-le-c").unwrap().bytes().unwrap();
    assert!(matches!(bytes, Cow::Owned(_)));
    assert_eq!(bytes, map("kinds-stored.npz").array("f4-le-c").unwrap().bytes().unwrap());
    let refused = kind(map("object.npz").array("objects").and_then(|array| array.bytes()));
    assert!(matches!(refused, ErrorKind::Pickled), "{refused}");
    let refused = kind(map("keys.npz").array("notes.txt").and_then(|array| array.bytes()));
    assert!(matches!(refused, ErrorKind::NotAnArray), "{refused}");
    // Of the other byte order they are had: what is done with the bytes is the caller's affair.
    assert_eq!(map("kinds-stored.npz").array("i2-be-c").unwrap().bytes().unwrap()[2..6], [0, 1, 0xff, 0xff]);
}

#[test]
fn the_bytes_of_a_map_of_an_aligned_archive_are_aligned() {
    let npz = map("model-batch-aligned.npz");
    for key in ["features", "labels", "sample_ids"] {
        let array = npz.array(key).unwrap();
        let alignment = alignment_of(&array.bytes().unwrap());
        assert!(alignment >= 64 && array.data_offset().unwrap().is_multiple_of(64), "{key}: {alignment}");
    }
}

/// Every part that can be viewed can be shared, and is the same elements at the same addresses.
#[test]
fn parts_are_shared_as_they_are_viewed() {
    for file in ["kinds-stored.npz", "kinds-deflated.npz"] {
        let npz = in_memory(file);
        let (mut lent, mut refused) = (0, 0);
        for key in ["i4-le-c", "i4-le-f", "i4-be-c"] {
            let whole = npz.array(key).unwrap();
            for index in ["1:", "1:1", "::2", "::-1", "::-2, 1", ":, ::-1", "-1, 2", "..., None, :2", "::-1, 3:0:-2"] {
                let part = whole.select_str(index).unwrap();
                let about = format!("{file}: {key} [{index}]");
                match (part.view::<Unaligned<i32>, IxDyn>(), part.shared::<Unaligned<i32>, IxDyn>()) {
                    (Ok(view), Ok(shared)) => {
                        let same = shared.clone();
                        assert_eq!((shared.view(), same.view()), (view.clone(), view.clone()), "{about}");
                        assert_eq!((shared.shape(), part.shape()), (view.shape(), view.shape()), "{about}");
                        assert!(view.is_empty() || shared.view().as_ptr() == view.as_ptr(), "{about}");
                        assert!(view.is_empty() || shared.view().strides() == view.strides(), "{about}");
                        lent += 1;
                    }
                    (Err(view), Err(shared)) => {
                        assert_eq!(view.to_string(), shared.to_string(), "{about}");
                        refused += 1;
                    }
                    (view, shared) => panic!("{about}: {view:?} {shared:?}"),
                }
            }
        }
        // Nothing is as good in the other byte order.
        let expected = if file == "kinds-stored.npz" { (19, 8) } else { (0, 27) };
        assert_eq!((lent, refused), expected, "{file}");
    }
    // One field of records, at distances that are a multiple of its size, and at others.
    let npz = in_memory("records-stored.npz");
    let x = npz.array("aligned-le-c").unwrap().field("x").unwrap();
    let shared = x.shared::<Unaligned<f64>, Ix2>().unwrap();
    assert_eq!((shared.view(), shared.view().strides()), (x.view::<Unaligned<f64>, Ix2>().unwrap(), &[9, 3][..]));
    let score = npz.array("packed-le-c").unwrap().field("score").unwrap();
    let refused = kind(score.shared::<Unaligned<f64>, Ix2>());
    assert!(matches!(refused, ErrorKind::CannotBorrow { reason: Reason::Stride { .. }, .. }), "{refused}");
    // What is read by position is nowhere to be shared.
    let npz = Npz::open(fixtures::path("model-batch-aligned.npz")).unwrap();
    let refused = kind(npz.array("features").unwrap().rows(1..2).unwrap().shared::<f32, Ix2>());
    assert!(matches!(refused, ErrorKind::CannotBorrow { reason: Reason::NotInMemory, .. }), "{refused}");
}

/// Bytes in memory that count how often they are asked for.
struct Watched {
    bytes: Vec<u8>,
    asked: AtomicUsize,
    read: AtomicUsize,
}

impl Source for Watched {
    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        self.read.fetch_add(1, Ordering::Relaxed);
        self.bytes.read_exact_at(offset, buf)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Some(&self.bytes)
    }
}

#[test]
fn a_shared_array_is_located_and_checked_once() {
    let archive = fixtures::bytes("model-batch-aligned.npz");
    let open = |bytes: &[u8], verify| {
        let source = Watched { bytes: bytes.to_vec(), asked: AtomicUsize::new(0), read: AtomicUsize::new(0) };
        OpenOptions::new().verify(verify).source(source).unwrap()
    };
    for verify in [Verify::Copied, Verify::Always] {
        let npz = open(&archive, verify);
        let asked = |work: &dyn Fn()| {
            let before = npz.source().asked.load(Ordering::Relaxed);
            work();
            npz.source().asked.load(Ordering::Relaxed) - before
        };
        let viewed = asked(&|| assert!(npz.array("features").unwrap().view::<Unaligned<f32>, Ix2>().is_ok()));
        let shared = asked(&|| assert!(npz.array("features").unwrap().shared::<Unaligned<f32>, Ix2>().is_ok()));
        assert_eq!(shared, viewed, "{verify:?}");
        assert_eq!(npz.source().read.load(Ordering::Relaxed), 0);
        // A view of what is shared checks nothing again.
        let array = npz.array("features").unwrap().shared::<Unaligned<f32>, Ix2>().unwrap();
        assert_eq!(asked(&|| assert_eq!(array.view().sum().get(), 66.0)), 1);
    }
    let mut damaged = archive.clone();
    damaged[192] ^= 1;
    let refused = kind(open(&damaged, Verify::Always).array("features").unwrap().shared::<Unaligned<f32>, Ix2>());
    assert!(matches!(refused, ErrorKind::Checksum { .. }), "{refused}");
    assert!(open(&damaged, Verify::Copied).array("features").unwrap().shared::<Unaligned<f32>, Ix2>().is_ok());
}

#[test]
fn the_source_comes_back_when_no_array_shares_it() {
    let npz = in_memory("model-batch-stored.npz");
    let shared = npz.array("labels").unwrap().shared::<Unaligned<i64>, Ix1>().unwrap();
    let source = npz.into_source();
    assert_eq!(Arc::strong_count(&source), 2);
    let source = Arc::try_unwrap(source).unwrap_err();
    drop(shared);
    assert_eq!(Arc::try_unwrap(source).unwrap(), fixtures::bytes("model-batch-stored.npz"));
}
