//! Any bytes are opened, listed and read in every way, or refused: without a panic, without an allocation that their
//! number does not justify, and what is lent lies in them.

use std::borrow::Cow;

use ndarray::IxDyn;
use npzmap::num_complex::Complex;
use npzmap::{Duplicates, Element, ErrorKind, Limits, Member, Method, Npy, Npz, OpenOptions, Unaligned, Verify};

use crate::paths::fields;

/// What is decoded is bounded far below the memory that the fuzzer grants (`-malloc_limit_mb=64`).
const DECODED_BYTES: u64 = 8 << 20;

pub(crate) fn open(bytes: &[u8]) {
    let options = OpenOptions::new().limits(Limits::new().max_decoded_bytes(DECODED_BYTES));
    for verify in [Verify::Never, Verify::Always] {
        let options = options.verify(verify);
        if let Ok(npy) = options.npy(bytes) {
            plain(&npy, bytes);
        }
        let Ok(npz) = options.duplicates(Duplicates::Last).source(bytes) else { continue };
        archive(&npz, bytes);
        let strict = options.duplicates(Duplicates::Refuse).source(bytes);
        let is_twice = |error: npzmap::Error| matches!(error.kind(), ErrorKind::DuplicateName);
        assert!(strict.map_or_else(is_twice, |strict| strict.len() == npz.len()));
    }
}

fn archive(npz: &Npz<&[u8]>, bytes: &[u8]) {
    assert_eq!((npz.members().count(), npz.keys().count()), (npz.len(), npz.len()));
    if npz.members().all(|member| member.method() != Method::Zstd) {
        let _ = npz.verify();
    }
    // Zstandard's decoder allocates the window that a frame names, up to 128 MiB, whatever our limits (docs/hostile.md, L6).
    for member in npz.members().filter(|member| member.method() != Method::Zstd).take(64) {
        let by_key = npz.member(&member.key());
        assert!(by_key.is_err() || by_key.is_ok_and(|found| found.key() == member.key()));
        let _ = (member.verify(), member.faults(Verify::Always), member.strings().is_ok(), member.read_any().is_ok());
        let _ = (member.payload_offset(), member.access_in_map(), member.layout(), member.text(), member.method());
        if let Ok(Cow::Borrowed(lent)) = member.bytes() {
            assert_within(lent, bytes);
        }
        if let Ok(payload) = member.payload() {
            assert_within(payload.bytes(), bytes);
        }
        let streamed = member.stream(|stream| {
            let mut some = [0; 100];
            while stream.left() >= 100 {
                stream.read_exact(&mut some)?;
            }
            Ok::<_, npzmap::Error>(stream.left())
        });
        assert!(streamed.is_err() || streamed.is_ok_and(|left| left < 100));
        elements::<bool>(&member, bytes);
        elements::<u8>(&member, bytes);
        elements::<f64>(&member, bytes);
        elements::<Complex<f32>>(&member, bytes);
        elements::<Unaligned<i32>>(&member, bytes);
        if let Ok(header) = member.header() {
            let mut left = 32;
            fields(header.dtype(), "", &mut |path| {
                left -= usize::from(left > 0);
                if left > 0 {
                    field::<u8>(&member, path, bytes);
                    field::<Unaligned<f32>>(&member, path, bytes);
                }
            });
        }
    }
}

/// Every way to the elements.
fn elements<T: Element>(member: &Member<'_, &[u8]>, bytes: &[u8]) {
    for view in [member.view::<T, IxDyn>(), member.view_as::<T, IxDyn>()].into_iter().flatten() {
        assert_within(view.to_slice_memory_order().expect("elements that lie together"), bytes);
    }
    if let Ok(got) = member.get::<T, IxDyn>() {
        let plan = member.access::<T>().expect("a plan for what was got");
        assert_eq!(got.is_view(), plan == npzmap::Access::Borrow);
    }
    if let Ok(mut array) = member.read::<T, IxDyn>() {
        member.read_into(array.view_mut()).expect("what was read can be read into an array");
    }
    let _ = member.read_as::<T, IxDyn>();
    for rows in [0..0, 0..1, 1..3, 0..usize::MAX] {
        let _ = (member.read_rows::<T, IxDyn>(rows.clone()), member.read_rows_any(rows).is_ok());
    }
}

fn field<T: Element>(member: &Member<'_, &[u8]>, path: &str, bytes: &[u8]) {
    if let Ok(view) = member.field::<T, IxDyn>(path) {
        view.iter().for_each(|value| assert_within(std::slice::from_ref(value), bytes));
    }
    if let Ok(strided) = member.field_strided::<T, IxDyn>(path) {
        assert_eq!(strided.iter().count(), strided.len());
    }
    let _ = member.read_field::<T, IxDyn>(path);
}

/// The bytes as a plain `.npy` file.
fn plain(npy: &Npy<&[u8]>, bytes: &[u8]) {
    let _ = (npy.read_any().is_ok(), npy.strings().is_ok(), npy.read::<bool, IxDyn>(), npy.read_as::<u8, IxDyn>());
    if let Ok(view) = npy.view::<Unaligned<f64>, IxDyn>() {
        assert_within(view.to_slice_memory_order().expect("elements that lie together"), bytes);
    }
}

/// What was lent is a part of the input. Nothing is a part of everything.
fn assert_within<T>(lent: &[T], bytes: &[u8]) {
    let (lent, bytes) = (lent.as_ptr_range(), bytes.as_ptr_range());
    let within = bytes.start.addr() <= lent.start.addr() && lent.end.addr() <= bytes.end.addr();
    assert!(within || lent.is_empty());
}
