//! Any bytes are opened, listed and read in every way, or refused: without a panic, without an allocation that their
//! number does not justify, and what is lent lies in them.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;
use ndarray::IxDyn;
use npzmap::num_complex::Complex;
use npzmap::{
    Duplicates, Element, ErrorKind, Limits, Member, Method, Npy, NpyArray, Npz, OpenOptions, Result, Source, Stream,
    Unaligned, Verify,
};

use crate::paths::fields;

/// What is decoded is bounded far below the memory that the fuzzer grants (`-malloc_limit_mb=64`); so are as many texts of 24
/// bytes each (docs/hostile.md, L6).
const DECODED_BYTES: u64 = 2 << 20;

const ROWS: [Range<usize>; 4] = [0..0, 0..1, 1..3, 0..usize::MAX];

pub(crate) fn open(bytes: &[u8]) {
    let options = OpenOptions::new().limits(Limits::new().max_decoded_bytes(DECODED_BYTES));
    let source: Arc<[u8]> = bytes.into();
    for verify in [Verify::Never, Verify::Always] {
        let options = options.verify(verify);
        if let Ok(npy) = options.npy(Arc::clone(&source)) {
            of_file::every_way(&npy, &source);
        }
        let Ok(npz) = options.duplicates(Duplicates::Last).source(Arc::clone(&source)) else { continue };
        archive(&npz, &source);
        let strict = options.duplicates(Duplicates::Refuse).source(bytes);
        let is_twice = |error: npzmap::Error| matches!(error.kind(), ErrorKind::DuplicateName);
        assert!(strict.map_or_else(is_twice, |strict| strict.len() == npz.len()));
    }
}

fn archive(npz: &Npz<Arc<[u8]>>, bytes: &[u8]) {
    assert_eq!((npz.members().count(), npz.keys().count()), (npz.len(), npz.len()));
    // Zstandard's decoder allocates the window that a frame names, up to 128 MiB, whatever our limits (docs/hostile.md, L6).
    if npz.members().all(|member| member.method() != Method::Zstd) {
        let _ = npz.verify();
        // All arrays at once take as much as all of them.
        let all = npz.members().fold(0_u64, |sum, member| sum.saturating_add(member.size()));
        if all <= DECODED_BYTES {
            let keys: Vec<_> = npz.keys().collect();
            if let Ok(arrays) = npz.read_many::<u8, IxDyn>(&keys) {
                assert_eq!(arrays.len(), keys.len());
            }
            if let Ok(arrays) = npz.read_all() {
                assert!(arrays.len() <= keys.len());
            }
        }
    }
    for member in npz.members().filter(|member| member.method() != Method::Zstd).take(64) {
        let by_key = npz.member(&member.key());
        assert!(by_key.is_err() || by_key.is_ok_and(|found| found.key() == member.key()));
        let _ = (member.verify(), member.faults(Verify::Always), member.text(), member.method());
        if let Ok(layout) = member.layout() {
            assert_eq!(layout.payload_offset(), member.payload_offset().expect("that of the layout"));
        }
        if let Ok(Cow::Borrowed(lent)) = member.bytes() {
            assert_within(lent, bytes);
        }
        let streamed = member.stream(|stream| {
            let mut some = [0; 100];
            while stream.left() >= 100 {
                stream.read_exact(&mut some)?;
            }
            Ok::<_, npzmap::Error>(stream.left())
        });
        assert!(streamed.is_err() || streamed.is_ok_and(|left| left < 100));
        of_member::every_way(&member, bytes);
    }
}

/// What a member and a plain file have in common beside the handle.
macro_rules! every_way {
    ($name:ident, $of:ty) => {
        mod $name {
            use super::*;

            pub(super) fn every_way(of: &$of, bytes: &[u8]) {
                let streamed =
                    of.stream_elements(|header, stream| Ok::<_, npzmap::Error>((drained(stream)?, header.nbytes())));
                assert!(streamed.is_err() || streamed.is_ok_and(|(count, nbytes)| count == nbytes));
                let (header, layout, array) = (of.header(), of.layout(), of.array());
                assert_eq!((header.is_ok(), header.is_ok()), (layout.is_ok(), array.is_ok()));
                let (Ok(header), Ok(layout), Ok(array)) = (header, layout, array) else { return };
                assert_eq!((layout.header(), layout.access_in_map()), (&header, of.access_in_map().ok()));
                assert_eq!((layout.header(), layout.payload_offset()), (array.header(), array.data_offset()));
                every_verb(&array, bytes);
            }
        }
    };
}

every_way!(of_member, Member<'_, Arc<[u8]>>);
every_way!(of_file, Npy<Arc<[u8]>>);

fn every_verb<S: Source + 'static>(array: &NpyArray<'_, S>, bytes: &[u8]) {
    let _ = (array.strings().is_ok(), array.read_any().is_ok());
    for rows in ROWS {
        let _ = array.rows(rows).and_then(|rows| rows.read_any()).is_ok();
    }
    if let Ok(Cow::Borrowed(lent)) = array.bytes() {
        assert_within(lent, bytes);
    }
    elements::<bool, S>(array, bytes);
    elements::<u8, S>(array, bytes);
    elements::<f64, S>(array, bytes);
    elements::<Complex<f32>, S>(array, bytes);
    elements::<Unaligned<i32>, S>(array, bytes);
    shared::<u8, S>(array, bytes);
    shared::<f64, S>(array, bytes);
    if let Ok(array) = array.reinterpret::<Unaligned<f32>>() {
        shared::<Unaligned<f32>, S>(&array, bytes);
    }
    let mut left = 32;
    fields(array.dtype(), "", &mut |path| {
        left -= usize::from(left > 0);
        if left > 0
            && let Ok(array) = array.field(path)
        {
            field::<u8, S>(&array, bytes);
            field::<Unaligned<f32>, S>(&array, bytes);
        }
    });
}

/// Every way to the elements.
fn elements<T: Element, S: Source>(array: &NpyArray<'_, S>, bytes: &[u8]) {
    let declared = array.reinterpret::<T>();
    for array in [Some(array), declared.as_ref().ok()].into_iter().flatten() {
        let Ok(view) = array.view::<T, IxDyn>() else { continue };
        assert_within(view.to_slice_memory_order().expect("elements that lie together"), bytes);
        assert_eq!(array.access::<T>().expect("a plan for what was lent"), npzmap::Access::Borrow);
    }
    if let Ok(got) = array.get::<T, IxDyn>() {
        let plan = array.access::<T>().expect("a plan for what was got");
        assert_eq!(got.is_view(), plan == npzmap::Access::Borrow);
    }
    if let Ok(mut read) = array.read::<T, IxDyn>() {
        array.read_into(read.view_mut()).expect("what was read can be read into an array");
    }
    if let Ok(declared) = declared {
        assert!(declared.read::<T, IxDyn>().is_err() || declared.access::<T>().is_ok());
    }
    for rows in ROWS {
        let _ = array.rows(rows).and_then(|rows| rows.read::<T, IxDyn>());
    }
}

/// What can be lent can be shared, all of it and rows.
fn shared<T: Element + Pod, S: Source + 'static>(array: &NpyArray<'_, S>, bytes: &[u8]) {
    let rows = ROWS.map(|rows| array.rows(rows).ok());
    for array in [Some(array)].into_iter().chain(rows.iter().map(Option::as_ref)).flatten() {
        let (lent, shared) = (array.view::<T, IxDyn>(), array.shared::<T, IxDyn>());
        assert_eq!(shared.is_ok(), lent.is_ok());
        let (Ok(lent), Ok(shared)) = (lent, shared) else { continue };
        let view = shared.view();
        assert_eq!((view.shape(), view.shape()), (shared.shape(), lent.shape()));
        assert!(view.is_empty() || view.as_ptr() == lent.as_ptr());
        view.iter().for_each(|value| assert_within(std::slice::from_ref(value), bytes));
    }
}

/// A field.
fn field<T: Element, S: Source>(array: &NpyArray<'_, S>, bytes: &[u8]) {
    if let Ok(view) = array.view::<T, IxDyn>() {
        view.iter().for_each(|value| assert_within(std::slice::from_ref(value), bytes));
    }
    if let Ok(strided) = array.strided::<T, IxDyn>() {
        assert_eq!(strided.iter().count(), strided.len());
    }
    let _ = array.read::<T, IxDyn>();
}

/// How many bytes there were.
fn drained(stream: &mut Stream<'_>) -> Result<usize> {
    let (mut block, mut count) = ([0; 100], 0);
    while stream.left() > 0 {
        let length = block.len().min(usize::try_from(stream.left()).expect("bytes that are decoded"));
        stream.read_exact(&mut block[..length])?;
        count += length;
    }
    Ok(count)
}

/// What was lent is a part of the input. Nothing is a part of everything.
fn assert_within<T>(lent: &[T], bytes: &[u8]) {
    let (lent, bytes) = (lent.as_ptr_range(), bytes.as_ptr_range());
    let within = bytes.start.addr() <= lent.start.addr() && lent.end.addr() <= bytes.end.addr();
    assert!(within || lent.is_empty());
}
