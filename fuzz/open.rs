//! Any bytes are opened, listed and read in every way, or refused: without a panic, without an allocation that their
//! number does not justify, and what is lent lies in them.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;
use ndarray::IxDyn;
use npzmap::num_complex::Complex;
use npzmap::{
    Duplicates, Element, ErrorKind, Holder, Limits, Member, Method, Npy, Npz, OpenOptions, Result, SharedArray, Stream,
    Unaligned, Verify,
};

use crate::paths::fields;

/// What is decoded is bounded far below the memory that the fuzzer grants (`-malloc_limit_mb=64`); so are as many texts of 24
/// bytes each (docs/hostile.md, L6).
const DECODED_BYTES: u64 = 2 << 20;

const ROWS: [Range<usize>; 4] = [0..0, 0..1, 1..3, 0..usize::MAX];

pub(crate) fn open(bytes: &[u8]) {
    let options = OpenOptions::new().limits(Limits::new().max_decoded_bytes(DECODED_BYTES));
    for verify in [Verify::Never, Verify::Always] {
        let options = options.verify(verify);
        if let Ok(npy) = options.npy(bytes) {
            plain(&Arc::new(npy), bytes);
        }
        let Ok(npz) = options.duplicates(Duplicates::Last).source(bytes) else { continue };
        let npz = Arc::new(npz);
        archive(&npz, bytes);
        let strict = options.duplicates(Duplicates::Refuse).source(bytes);
        let is_twice = |error: npzmap::Error| matches!(error.kind(), ErrorKind::DuplicateName);
        assert!(strict.map_or_else(is_twice, |strict| strict.len() == npz.len()));
    }
}

fn archive(npz: &Arc<Npz<&[u8]>>, bytes: &[u8]) {
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
        let key = member.key();
        shared(npz.shared::<u8, IxDyn>(&key), npz.view::<u8, IxDyn>(&key).is_ok(), bytes);
        shared(npz.shared::<f64, IxDyn>(&key), npz.view::<f64, IxDyn>(&key).is_ok(), bytes);
        shared(npz.shared_as::<Unaligned<f32>, _>(&key), npz.view_as::<Unaligned<f32>, IxDyn>(&key).is_ok(), bytes);
    }
}

/// The bytes as a plain `.npy` file.
fn plain(npy: &Arc<Npy<&[u8]>>, bytes: &[u8]) {
    of_file::every_way(npy, bytes);
    shared(npy.shared::<u8, IxDyn>(), npy.view::<u8, IxDyn>().is_ok(), bytes);
    shared(npy.shared::<f64, IxDyn>(), npy.view::<f64, IxDyn>().is_ok(), bytes);
    shared(npy.shared_as::<Unaligned<f32>, _>(), npy.view_as::<Unaligned<f32>, IxDyn>().is_ok(), bytes);
}

/// What can be lent can be shared.
fn shared<T: Element + Pod, O: Holder>(shared: Result<SharedArray<T, IxDyn, O>>, is_lent: bool, bytes: &[u8]) {
    assert_eq!(shared.is_ok(), is_lent);
    if let Ok(shared) = shared {
        let view = shared.view();
        assert_eq!(view.shape(), shared.shape());
        assert_within(view.to_slice_memory_order().expect("elements that lie together"), bytes);
    }
}

/// The verbs that a member and a plain file have in common.
macro_rules! every_way {
    ($name:ident, $array:ty) => {
        mod $name {
            use super::*;

            pub(super) fn every_way(array: &$array, bytes: &[u8]) {
                let _ = (array.strings().is_ok(), array.read_any().is_ok());
                for rows in ROWS {
                    let _ = array.read_rows_any(rows).is_ok();
                }
                if let Ok(payload) = array.payload() {
                    assert_within(payload.bytes(), bytes);
                }
                let streamed =
                    array.stream_elements(|header, stream| Ok::<_, npzmap::Error>((drained(stream)?, header.nbytes())));
                assert!(streamed.is_err() || streamed.is_ok_and(|(count, nbytes)| count == nbytes));
                elements::<bool>(array, bytes);
                elements::<u8>(array, bytes);
                elements::<f64>(array, bytes);
                elements::<Complex<f32>>(array, bytes);
                elements::<Unaligned<i32>>(array, bytes);
                let (header, layout) = (array.header(), array.layout());
                assert_eq!(header.is_ok(), layout.is_ok());
                let (Ok(header), Ok(layout)) = (header, layout) else { return };
                assert_eq!((layout.header(), layout.access_in_map()), (&header, array.access_in_map().ok()));
                let mut left = 32;
                fields(header.dtype(), "", &mut |path| {
                    left -= usize::from(left > 0);
                    if left > 0 {
                        field::<u8>(array, path, bytes);
                        field::<Unaligned<f32>>(array, path, bytes);
                    }
                });
            }

            /// Every way to the elements.
            fn elements<T: Element>(array: &$array, bytes: &[u8]) {
                for (view, access) in [
                    (array.view::<T, IxDyn>(), array.access::<T>()),
                    (array.view_as::<T, IxDyn>(), array.access_as::<T>()),
                ] {
                    let Ok(view) = view else { continue };
                    assert_within(view.to_slice_memory_order().expect("elements that lie together"), bytes);
                    assert_eq!(access.expect("a plan for what was lent"), npzmap::Access::Borrow);
                }
                if let Ok(got) = array.get::<T, IxDyn>() {
                    let plan = array.access::<T>().expect("a plan for what was got");
                    assert_eq!(got.is_view(), plan == npzmap::Access::Borrow);
                }
                if let Ok(mut read) = array.read::<T, IxDyn>() {
                    array.read_into(read.view_mut()).expect("what was read can be read into an array");
                }
                assert!(array.read_as::<T, IxDyn>().is_err() || array.access_as::<T>().is_ok());
                for rows in ROWS {
                    let _ = array.read_rows::<T, IxDyn>(rows);
                }
            }

            fn field<T: Element>(array: &$array, path: &str, bytes: &[u8]) {
                if let Ok(view) = array.field::<T, IxDyn>(path) {
                    view.iter().for_each(|value| assert_within(std::slice::from_ref(value), bytes));
                }
                if let Ok(strided) = array.field_strided::<T, IxDyn>(path) {
                    assert_eq!(strided.iter().count(), strided.len());
                }
                let _ = array.read_field::<T, IxDyn>(path);
            }
        }
    };
}

every_way!(of_member, Member<'_, &[u8]>);
every_way!(of_file, Npy<&[u8]>);

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
