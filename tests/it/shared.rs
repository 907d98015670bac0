//! Arrays that own a share of what they borrow from.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ndarray::{Ix1, Ix2, IxDyn};
use npzmap::{
    ErrorKind, FixedBytes, FixedStr, InMemory, Mapping, Npy, Npz, Order, Reason, SharedArray, Source, Unaligned,
};

use crate::elements::{arrays, assert_lent, assert_values, kind, lengths, map, placed, text};
use crate::fixtures;
use crate::forge::{self, Archive};

/// An archive whose bytes were read into memory.
fn in_memory(file: &str) -> Arc<Npz<Vec<u8>>> {
    Arc::new(Npz::new(fixtures::bytes(file)).unwrap())
}

#[test]
fn a_shared_array_is_send_sync_and_static() {
    fn assert<T: Send + Sync + Clone + 'static>() {}
    assert::<SharedArray<f32, Ix2, Npz<Mapping>>>();
    assert::<SharedArray<Unaligned<f64>, IxDyn, Npz<Vec<u8>>>>();
    assert::<SharedArray<u8, Ix1, Npz<Arc<[u8]>>>>();
    assert::<SharedArray<FixedStr<9>, Ix1, Npy<Mapping>>>();
}

#[test]
fn a_struct_of_arrays_outlives_the_handle() {
    struct Batch {
        features: SharedArray<f32, Ix2, Npz<Mapping>>,
        labels: SharedArray<i64, Ix1, Npz<Mapping>>,
        ids: SharedArray<FixedStr<9>, Ix1, Npz<Mapping>>,
    }

    fn load() -> Batch {
        let npz = Arc::new(map("model-batch-aligned.npz"));
        Batch {
            features: npz.shared("features").unwrap(),
            labels: npz.shared("labels").unwrap(),
            ids: npz.shared("sample_ids").unwrap(),
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
    let shared = npz.shared::<Unaligned<f32>, Ix2>("features").unwrap();
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
                let shared = npz.shared::<Unaligned<f64>, IxDyn>(key).unwrap();
                assert_values(&shared.view(), &entry["values"], key);
                assert_lent(&shared.view(), npz.source(), entry);
                assert_eq!((shared.shape(), shared.clone().shape()), (&lengths(entry)[..], &lengths(entry)[..]));
            }
            "|S5" => {
                let shared = npz.shared::<FixedBytes<5>, IxDyn>(key).unwrap();
                assert_values(&shared.view(), &entry["values"], key);
                assert_lent(&shared.clone().view(), npz.source(), entry);
            }
            _ => continue,
        }
        seen += 1;
    }
    assert_eq!(seen, 8);
    // In the order of the file.
    assert_eq!(npz.shared::<Unaligned<f64>, Ix2>("f8-le-f").unwrap().view().strides(), [1, 3]);
    assert_eq!(npz.shared::<Unaligned<f64>, Ix2>("f8-le-c").unwrap().view().strides(), [4, 1]);
}

#[test]
fn an_array_is_shared_as_a_type_that_its_dtype_does_not_name() {
    let npz = Arc::new(map("weights.npz"));
    let scale = npz.shared_as::<FixedBytes<2>, Ix1>("encoder/scale").unwrap();
    assert_eq!(scale.view().map(|item| *item.as_array()).to_vec(), [[0xc0, 0x3f], [0, 0xc0], [0, 0x3f]]);
    #[cfg(feature = "half")]
    {
        let scale = npz.shared_as::<Unaligned<half::bf16>, Ix1>("encoder/scale").unwrap();
        assert_eq!(scale.view().map(|value| value.get().to_f32()).to_vec(), [1.5, -2.0, 0.5]);
    }
    let refused = kind(npz.shared_as::<FixedBytes<4>, Ix1>("encoder/scale"));
    assert!(matches!(refused, ErrorKind::DtypeMismatch { .. }), "{refused}");

    let dates = in_memory("datetimes-stored.npz");
    let days = dates.shared_as::<Unaligned<i64>, Ix1>("M8-D-le").unwrap();
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
        let npz = Arc::new(Npz::new(archive.bytes()).unwrap());
        let shared = npz.shared::<f64, Ix2>("a").unwrap();
        assert_eq!((shared.shape(), shared.view().dim()), (&[0, 3][..], (0, 3)));
    }
}

#[test]
fn what_cannot_be_borrowed_cannot_be_shared() {
    let npz = in_memory("kinds-deflated.npz");
    let refused = kind(npz.shared::<f32, Ix2>("f4-le-c"));
    assert!(matches!(refused, ErrorKind::CannotBorrow { reason: Reason::Compressed, .. }), "{refused}");
    let npz = in_memory("kinds-stored.npz");
    let refused = kind(npz.shared::<Unaligned<f32>, Ix2>("f4-be-c"));
    assert!(matches!(refused, ErrorKind::CannotBorrow { reason: Reason::ByteOrder, .. }), "{refused}");
    let refused = kind(npz.shared::<Unaligned<f64>, Ix2>("f4-le-c"));
    assert!(matches!(refused, ErrorKind::DtypeMismatch { .. }), "{refused}");
    let refused = kind(npz.shared::<Unaligned<f32>, Ix1>("f4-le-c"));
    assert!(matches!(refused, ErrorKind::DimensionMismatch { .. }), "{refused}");
    let error = npz.shared::<u8, Ix1>("nothing").unwrap_err();
    assert_eq!(error.member(), Some("nothing"));
    // None of them kept a share.
    assert_eq!(Arc::strong_count(&npz), 1);
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

impl InMemory for Fickle {}

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
    let npz = Arc::new(Npz::new(Fickle { bytes: room, start, end }).unwrap());
    let shared = npz.shared::<f32, Ix2>("features").unwrap();
    let sum = || catch_unwind(AssertUnwindSafe(|| shared.view().sum()));
    assert_eq!(sum().unwrap(), 66.0);
    // Off its alignment, cut off, and right again.
    npz.source().start.fetch_add(1, Ordering::Relaxed);
    assert!(sum().is_err());
    npz.source().start.fetch_sub(1, Ordering::Relaxed);
    let end = npz.source().end.swap(range.start + 100, Ordering::Relaxed);
    assert!(sum().is_err());
    npz.source().end.store(end, Ordering::Relaxed);
    assert_eq!(sum().unwrap(), 66.0);
}

#[test]
fn a_plain_file_is_shared() {
    let npy = Arc::new(Npy::new(fixtures::bytes("plain-f.npy")).unwrap());
    let shared = npy.shared::<Unaligned<f32>, Ix2>().unwrap();
    let address = npy.source().as_ptr().addr() + npy.header().unwrap().preamble_size();
    drop(npy);
    let view = shared.view();
    assert_eq!((view.as_ptr().addr(), view.strides(), view[(0, 2)].get()), (address, &[1, 3][..], 1.5));
}

#[test]
fn a_payload_is_the_bytes_and_all_that_is_needed_to_use_them() {
    let bytes = fixtures::bytes("kinds-stored.npz");
    let mut seen = 0;
    for entry in arrays("kinds-stored.npz") {
        let offset = usize::try_from(entry["data_offset"].as_u64().unwrap()).unwrap();
        for (shift, alignment) in [(0, 64), (1, 1), (6, 2), (12, 4), (24, 8), (48, 16), (32, 32)] {
            let (room, range) = placed(&bytes, offset, shift);
            let npz = Npz::new(&room[range]).unwrap();
            let payload = npz.payload(text(entry, "key")).unwrap();
            let header = payload.header();
            assert_eq!(payload.bytes(), &bytes[offset..offset + header.nbytes()]);
            assert_eq!(payload.bytes().as_ptr().addr() - npz.source().as_ptr().addr(), offset);
            assert_eq!((payload.offset(), header.shape()), (offset as u64, &lengths(entry)[..]));
            assert_eq!(header.dtype().to_string(), text(entry, "descr"));
            assert_eq!(header.order() == Order::Fortran, entry["fortran_order"] == true);
            // At the least, where more is luck.
            let found = payload.alignment();
            assert!(if alignment < 64 { found == alignment } else { (64..=4096).contains(&found) }, "{shift}: {found}");
            seen += 1;
        }
    }
    assert_eq!(seen, 116 * 7);
}

#[test]
fn a_payload_is_not_had_of_what_is_compressed_or_pickled_or_no_array() {
    let refused = kind(map("kinds-deflated.npz").payload("f4-le-c"));
    assert!(matches!(refused, ErrorKind::CannotBorrow { reason: Reason::Compressed, .. }), "{refused}");
    let refused = kind(map("object.npz").payload("objects"));
    assert!(matches!(refused, ErrorKind::Pickled), "{refused}");
    let refused = kind(map("keys.npz").payload("notes.txt"));
    assert!(matches!(refused, ErrorKind::NotAnArray), "{refused}");
    // Of the other byte order it is: what is done with the bytes is the caller's affair.
    assert_eq!(map("kinds-stored.npz").payload("i2-be-c").unwrap().bytes()[2..6], [0, 1, 0xff, 0xff]);
}

#[test]
fn a_payload_in_a_map_of_an_aligned_archive_is_aligned() {
    let npz = map("model-batch-aligned.npz");
    for key in ["features", "labels", "sample_ids"] {
        let payload = npz.payload(key).unwrap();
        assert!(payload.alignment() >= 64 && payload.offset().is_multiple_of(64), "{key}: {}", payload.alignment());
    }
}
