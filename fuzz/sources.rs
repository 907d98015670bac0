//! Whatever way leads to an array of any bytes, by slice or by position, lent off its alignment or copied, whole or in
//! part, leads to the same values, or to the same kind of error at the same place.

use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::ops::Range;
use std::{io, mem};

use bytemuck::Pod;
use ndarray::{Array, ArrayD, ArrayView, Axis, IxDyn, Slice};
use npzmap::num_complex::Complex;
use npzmap::{
    AnyArray, Duplicates, Element, ErrorKind, Limits, Npy, NpyArray, Npz, OpenOptions, Result, Source, Unaligned,
    Verify, Visitor,
};

use crate::paths::fields;

/// The same bytes, read by position.
struct ByPosition<'a>(&'a [u8]);

impl Source for ByPosition<'_> {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let found = self.0.get(start..).and_then(|bytes| bytes.get(..buf.len()));
        buf.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

pub(crate) fn sources(bytes: &[u8]) {
    let options = OpenOptions::new().limits(Limits::new().max_decoded_bytes(1 << 24));
    plain(options, bytes);
    for (verify, duplicates) in [
        (Verify::Never, Duplicates::Refuse),
        (Verify::Copied, Duplicates::Last),
        (Verify::Copied, Duplicates::Refuse),
        (Verify::Always, Duplicates::Last),
    ] {
        let options = options.verify(verify).duplicates(duplicates);
        let by_position = options.source(ByPosition(bytes));
        let Some((npz, by_position)) = both(options.source(bytes), by_position) else { return };
        let members: Vec<_> = npz.members().collect();
        assert_eq!(members.len(), npz.len());
        assert_eq!(npz.keys().count(), npz.len());
        assert!(npz.keys().eq(by_position.keys()));
        for (member, other) in members.iter().zip(by_position.members()).take(64) {
            both(member.verify(), other.verify());
            let content = match (member.bytes(), other.bytes()) {
                // A copy was checked, and what is lent was not.
                (Ok(Cow::Borrowed(_)), Err(error))
                    if verify == Verify::Copied && matches!(error.kind(), ErrorKind::Checksum { .. }) =>
                {
                    None
                }
                (content, other) => both(content, other),
            };
            if let Some((content, other)) = &content {
                assert_eq!(content, other);
            }
            both(member.access_in_map(), other.access_in_map());
            let Some((header, other_header)) = both(member.header(), other.header()) else { continue };
            assert_eq!(header, other_header);
            let Some((array, other)) = both(member.array(), other.array()) else { continue };
            if let Some((strings, other)) = both(array.strings(), other.strings()) {
                assert_eq!(strings, other);
            }
            both_any(array.read_any(), other.read_any());
            let mut left = 32;
            fields(header.dtype(), "", &mut |path| {
                if left > 0 {
                    left -= 1;
                    let Some((field, other)) = both(array.field(path), other.field(path)) else { return };
                    take_field::<u8>(&field, &other);
                    take_field::<bool>(&field, &other);
                    take_field::<f32>(&field, &other);
                    take_field::<Unaligned<f32>>(&field, &other);
                }
            });
            take(&npz, &by_position, &member.key());
            if let Some((content, _)) = content {
                let npy = options.npy(&content[..]);
                let read = [npz.read::<u8, IxDyn>(&member.key()), read_as(npz.array(&member.key()))];
                let copied = npy.map(|npy| [npy.read::<u8, IxDyn>(), read_as::<u8, _>(npy.array())]);
                for (read, copied) in read.into_iter().zip(copied.into_iter().flatten()) {
                    if let Ok(read) = read {
                        assert_eq!(read, copied.expect("the content of an array is a plain file"));
                    }
                }
            }
        }
    }
}

/// The bytes as a plain `.npy` file.
fn plain(options: OpenOptions, bytes: &[u8]) {
    let Some((npy, by_position)) = both(options.npy(bytes), options.npy(ByPosition(bytes))) else { return };
    both_any(npy.read_any(), by_position.read_any());
    if let Some((array, other)) = both(npy.array(), by_position.array())
        && let Some((strings, other)) = both(array.strings(), other.strings())
    {
        assert_eq!(strings, other);
    }
    both(npy.access_in_map(), by_position.access_in_map());
    plain_as::<bool>(&npy, &by_position);
    plain_as::<u8>(&npy, &by_position);
    plain_as::<u32>(&npy, &by_position);
    plain_as::<Unaligned<f64>>(&npy, &by_position);
}

fn plain_as<T: Element>(npy: &Npy<&[u8]>, by_position: &Npy<ByPosition<'_>>) {
    both_arrays(read_as::<T, _>(npy.array()), read_as::<T, _>(by_position.array()));
    let Some(read) = both_arrays(npy.read::<T, IxDyn>(), by_position.read::<T, IxDyn>()) else { return };
    if let Ok(view) = npy.view::<T, IxDyn>() {
        assert_same(&read.view(), &view);
    }
    assert_same(&read.view(), &npy.get::<T, IxDyn>().expect("what was read can be got").view());
    let rows = read.shape().first().map_or(0, |rows| rows / 2);
    both_arrays(read_rows::<T, _>(npy.array(), 0..rows), read_rows::<T, _>(by_position.array(), 0..rows));
}

fn read_as<T: Element, S: Source>(array: Result<NpyArray<'_, S>>) -> Result<ArrayD<T>> {
    array?.reinterpret::<T>()?.read()
}

fn read_rows<T: Element, S: Source>(array: Result<NpyArray<'_, S>>, rows: Range<usize>) -> Result<ArrayD<T>> {
    array?.rows(rows)?.read()
}

/// The two, or nothing if both are errors: of one kind, at one place of one member.
fn both<A, B>(a: Result<A>, b: Result<B>) -> Option<(A, B)> {
    match (a, b) {
        (Ok(a), Ok(b)) => Some((a, b)),
        (Err(a), Err(b)) => {
            let place =
                |error: &npzmap::Error| (error.member().map(str::to_owned), error.offset(), error.kind().rule());
            assert_eq!(place(&a), place(&b), "{a} {b}");
            assert_eq!(mem::discriminant(a.kind()), mem::discriminant(b.kind()), "{a} {b}");
            None
        }
        (a, b) => panic!("one is an error: {:?} {:?}", a.err(), b.err()),
    }
}

fn both_arrays<T: Element>(a: Result<ArrayD<T>>, b: Result<ArrayD<T>>) -> Option<ArrayD<T>> {
    let (a, b) = both(a, b)?;
    assert_same(&a.view(), &b.view());
    Some(a)
}

/// An array of whatever it is, the same in both.
fn both_any(a: Result<AnyArray>, b: Result<AnyArray>) {
    let Some((a, b)) = both(a, b) else { return };
    assert_eq!(mem::discriminant(&a), mem::discriminant(&b));
    assert!(a.visit(Bits) == b.visit(Bits));
}

/// The shape and the bits of numbers; anything else has no NaN, and equals itself as it is.
struct Bits;

impl Visitor for Bits {
    type Output = std::result::Result<(Vec<usize>, Vec<u8>), AnyArray>;

    fn numbers<T: Element + Debug + Display + PartialEq>(self, array: ArrayD<T>) -> Self::Output {
        Ok((array.shape().into(), array.iter().flat_map(bytemuck::bytes_of).copied().collect()))
    }

    fn other(self, array: AnyArray) -> Self::Output {
        Err(array)
    }
}

/// Bit by bit, so that NaN is itself.
fn assert_same<T: Element>(a: &ArrayView<'_, T, IxDyn>, b: &ArrayView<'_, T, IxDyn>) {
    assert_eq!(a.shape(), b.shape());
    assert!(a.iter().zip(b).all(|(a, b)| bytemuck::bytes_of(a) == bytemuck::bytes_of(b)));
}

/// A field borrowed in either way is the field that is read.
fn take_field<T: Element>(field: &NpyArray<'_, &[u8]>, by_position: &NpyArray<'_, ByPosition<'_>>) {
    let read = both_arrays(field.read::<T, IxDyn>(), by_position.read::<T, IxDyn>());
    let strided = field.strided::<T, IxDyn>();
    if let (Ok(strided), Some(read)) = (&strided, &read) {
        assert_same(&strided.to_array().view(), &read.view());
        let mut back: Vec<T> = strided.iter().rev().collect();
        back.reverse();
        assert!(read.iter().zip(&back).all(|(a, b)| bytemuck::bytes_of(a) == bytemuck::bytes_of(b)));
    }
    if let Ok(view) = field.view::<T, IxDyn>() {
        let strided = strided.expect("what ndarray can say, strides in bytes can");
        assert_same(&strided.to_array().view(), &view);
        assert_eq!(strided.as_view().map(|view| view.as_ptr()), Some(view.as_ptr()));
    }
}

/// As every type, whichever it is of.
fn take(npz: &Npz<&[u8]>, by_position: &Npz<ByPosition<'_>>, key: &str) {
    let Some((member, _)) = both(npz.member(key), by_position.member(key)) else { return };
    let Ok(header) = member.header() else { return };
    let size = header.dtype().item_size() * header.count();
    assert!(size as u64 <= member.size() || header.dtype().has_object());
    take_as::<bool, _>(npz, by_position, key);
    take_as::<u8, _>(npz, by_position, key);
    take_as::<i16, _>(npz, by_position, key);
    take_as::<u32, _>(npz, by_position, key);
    take_as::<f32, _>(npz, by_position, key);
    take_as::<Complex<f64>, _>(npz, by_position, key);
    take_as::<Unaligned<f32>, _>(npz, by_position, key);
    take_as::<Unaligned<i64>, _>(npz, by_position, key);
    off_alignment::<u8>(npz, key);
    off_alignment::<i16>(npz, key);
    off_alignment::<f32>(npz, key);
    off_alignment::<i64>(npz, key);
    off_alignment::<Complex<f64>>(npz, key);
}

/// What is lent wherever it lies is what a copy holds. It is refused as the copy is, unless it would have to be a copy.
fn off_alignment<T: Element + Pod>(npz: &Npz<&[u8]>, key: &str) {
    match (npz.view::<Unaligned<T>, IxDyn>(key), npz.read::<T, IxDyn>(key)) {
        (Ok(view), Ok(read)) => {
            assert_eq!(view.shape(), read.shape());
            assert!(view.iter().zip(&read).all(|(a, b)| bytemuck::bytes_of(a) == bytemuck::bytes_of(b)));
        }
        (Err(error), _) if matches!(error.kind(), ErrorKind::CannotBorrow { .. }) => {}
        (Ok(_), Err(error)) if matches!(error.kind(), ErrorKind::Checksum { .. }) => {} // of copies
        (view, read) => _ = both(view, read),
    }
}

/// `view`, `get`, `read` and `read_into` agree, of all, of rows, and of elements that are declared to be another type.
fn take_as<T: Element, S: Source>(npz: &Npz<S>, by_position: &Npz<ByPosition<'_>>, key: &str) {
    let read = both_arrays(read_as::<T, _>(npz.array(key)), read_as::<T, _>(by_position.array(key)));
    let view = npz.array(key).and_then(|array| array.reinterpret::<T>()?.view::<T, IxDyn>());
    if let (Ok(view), Some(read)) = (view, read) {
        assert_same(&view, &read.view());
    }
    let read = both_arrays(npz.read::<T, IxDyn>(key), by_position.read::<T, IxDyn>(key));
    let Some(array) = &read else { return };
    let got = npz.get::<T, IxDyn>(key).expect("what was read can be got");
    assert_same(&array.view(), &got.view());
    // Into an array of its own order, and into one of the other.
    for axes in [(0..array.ndim()).collect::<Vec<_>>(), (0..array.ndim()).rev().collect()] {
        let lengths: Vec<_> = axes.iter().map(|axis| array.shape()[*axis]).collect();
        if let Some(some) = array.first() {
            let mut into = Array::from_elem(lengths, *some).permuted_axes(axes);
            npz.array(key)
                .and_then(|array| array.read_into(into.view_mut()))
                .expect("what was read can be read into an array");
            assert_same(&array.view(), &into.view());
        }
    }
    let count = array.shape().first().copied().unwrap_or(0);
    for rows in [0..count / 2, count / 3..count].into_iter().filter(|_| array.ndim() > 0) {
        let whole = array.slice_axis(Axis(0), Slice::from(rows.clone()));
        let part = read_rows::<T, _>(npz.array(key), rows.clone());
        let part = both_arrays(part, read_rows::<T, _>(by_position.array(key), rows));
        assert_same(&part.expect("what was read can be read in part").view(), &whole);
    }
    if let Ok(view) = npz.view::<T, IxDyn>(key) {
        assert!(got.is_view());
        assert_same(&array.view(), &view);
    }
}
