//! What the bytes tell a writer to write is read back as it was; and what can be read of any archive survives being
//! copied.

use std::io::Cursor;

use ndarray::{Array1, ArrayD, Axis, IxDyn, ShapeBuilder, Slice};
use npzmap::{Element, Fault, MemberOptions, Method, Npz, NpzWriter, OpenOptions, Save, Sink, Verify};

pub(crate) fn roundtrip(bytes: &[u8]) {
    match bytes.split_first() {
        Some((0, archive)) => copy(archive),
        Some((kind, orders)) if kind % 2 == 0 => {
            let mut w = NpzWriter::new(Cursor::new(Vec::new())).expect("an empty sink");
            let checks = follow(&mut w, orders);
            holds(&w.finish().expect("all members are whole").into_inner(), &checks);
        }
        Some((_, orders)) => {
            let mut w = NpzWriter::stream(Vec::new());
            let checks = follow(&mut w, orders);
            holds(&w.finish().expect("all members are whole"), &checks);
        }
        None => {}
    }
}

/// Members that can be read are the same after they were copied, whole, stored, or deflated: with their CRC-32 checked, and
/// with nobody looking at it, since a checksum is what stops a fuzzer.
fn copy(archive: &[u8]) {
    for verify in [Verify::Copied, Verify::Never] {
        let options = OpenOptions::new().verify(verify);
        let Ok(npz) = options.source(archive) else { return };
        for coding in [MemberOptions::new(), MemberOptions::new().store(), MemberOptions::new().deflate(1)] {
            copy_all(&npz, coding.verify(verify == Verify::Copied), options);
        }
    }
}

fn copy_all(npz: &Npz<&[u8]>, coding: MemberOptions, options: OpenOptions) {
    let checked = coding == coding.verify(true);
    let mut w = NpzWriter::stream(Vec::new());
    let mut copied = Vec::new();
    for member in npz.members().take(32).filter(|member| member.size() < 1 << 20) {
        let read = if checked { member.verify() } else { member.bytes().map(drop) };
        if read.is_ok() && w.copy_with(&member, coding).is_ok() {
            copied.push(member);
        }
    }
    // A member that could not be copied after something was written.
    let Ok(bytes) = w.finish() else { return };
    let copy = options.source(&bytes[..]).expect("an archive");
    assert_eq!(copy.len(), copied.len());
    // A wrong checksum goes with what it is wrong about.
    for (old, new) in copied.into_iter().zip(&copy) {
        assert_eq!(old.text(), new.text());
        assert_eq!(old.bytes().expect("read before"), new.bytes().expect("a copy"));
        assert_eq!(old.crc32(), new.crc32());
        assert_eq!(new.verify().is_ok(), old.verify().is_ok());
        if let Ok(Some(offset)) = new.payload_offset() {
            assert_eq!(offset % 64, 0);
        }
    }
}

/// Bytes as they are needed; zeros when there are no more.
struct Orders<'a>(&'a [u8]);

impl Orders<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}

/// Holds a member against what was written.
type Check = Box<dyn Fn(&Npz<&[u8]>)>;

/// Writes as ordered; gives what must hold of what was accepted.
fn follow<S: Sink>(w: &mut NpzWriter<S>, orders: &[u8]) -> Vec<Check> {
    let mut orders = Orders(orders);
    let mut checks: Vec<Check> = Vec::new();
    while !orders.0.is_empty() && checks.len() < 32 {
        let length = usize::from(orders.byte() % 24);
        let key = String::from_utf8_lossy(&orders.take(length)).into_owned();
        let options = match orders.byte() % 16 {
            level @ 0..=9 => MemberOptions::new().deflate(level.into()),
            10 => MemberOptions::new().deflate_if_smaller(6),
            _ => MemberOptions::new(),
        };
        let shape: Vec<usize> = (0..orders.byte() % 4).map(|_| usize::from(orders.byte() % 6)).collect();
        let shape = IxDyn(&shape).set_f(orders.byte() % 2 == 1);
        let check = match orders.byte() % 6 {
            0 => {
                let count = usize::from(orders.byte());
                let bytes = orders.take(count);
                w.add_bytes_with(&key, &bytes, options).map(|()| bytes_are(key, bytes))
            }
            1 => {
                let bits = |orders: &mut Orders<'_>| u64::from_le_bytes(std::array::from_fn(|_| orders.byte()));
                add(w, key, ArrayD::from_shape_simple_fn(shape, || f64::from_bits(bits(&mut orders))), options)
            }
            2 => add(w, key, ArrayD::from_shape_simple_fn(shape, || orders.byte() % 2 == 1), options),
            3 => add(w, key, ArrayD::from_shape_simple_fn(shape, || orders.byte()), options),
            4 => {
                let text = |orders: &mut Orders<'_>| String::from_utf8_lossy(&orders.take(5)).into_owned();
                let strings: Vec<String> = (0..orders.byte() % 5).map(|_| text(&mut orders)).collect();
                w.add_with(&key, &strings, options).map(|()| strings_are(key, strings))
            }
            _ => {
                let count = usize::from(orders.byte() % 8);
                let array = ArrayD::from_shape_simple_fn(IxDyn(&[count, 3]), || f64::from(orders.byte()));
                let rows = w.rows_with::<f64>(&key, &[3], Some(count), options);
                rows.map(|mut rows| {
                    rows.extend(&array).expect("as many rows as were announced");
                    rows.finish().expect("a sink that takes everything");
                    array_is(key, array)
                })
            }
        };
        match check {
            Ok(check) => checks.push(check),
            // A key that is there, say, or text that would not come back. Nothing was written.
            Err(error) => assert!(matches!(error.kind().fault(), Fault::Request | Fault::File), "{error}"),
        }
    }
    checks
}

/// Adds an array whole, or every other row of it backwards.
fn add<T: Element + std::fmt::Debug, S: Sink>(
    w: &mut NpzWriter<S>,
    key: String,
    array: ArrayD<T>,
    options: MemberOptions,
) -> npzmap::Result<Check> {
    let view = match array.shape().first() {
        Some(5) => array.slice_axis(Axis(0), Slice::new(0, None, -2)),
        _ => array.view(),
    };
    w.add_with(&key, &view, options)?;
    Ok(array_is(key, view.to_owned()))
}

fn named<'n, 'a>(npz: &'n Npz<&'a [u8]>, name: &str) -> npzmap::Member<'n, &'a [u8]> {
    npz.members().find(|member| member.name() == name.as_bytes()).expect("what was written is there")
}

fn bytes_are(name: String, bytes: Vec<u8>) -> Check {
    Box::new(move |npz| assert_eq!(*named(npz, &name).bytes().expect("whole"), bytes))
}

fn strings_are(key: String, strings: Vec<String>) -> Check {
    Box::new(move |npz| {
        let read = named(npz, &format!("{key}.npy")).array().expect("an array").strings().expect("strings");
        assert_eq!(read, Array1::from(strings.clone()).into_dyn());
    })
}

fn array_is<T: Element + std::fmt::Debug>(key: String, array: ArrayD<T>) -> Check {
    Box::new(move |npz| {
        let member = named(npz, &format!("{key}.npy"));
        let read = member.array().expect("an array").read::<T, IxDyn>().expect("values");
        assert_eq!(read.shape(), array.shape());
        // Bit by bit: there are NaNs.
        assert!(read.iter().zip(&array).all(|(a, b)| bytemuck::bytes_of(a) == bytemuck::bytes_of(b)));
        if member.method() == Method::Stored {
            let offset = member.payload_offset().expect("an array").expect("stored");
            assert_eq!(offset % 64, 0);
            let content = member.bytes().expect("whole");
            let header = array.header().expect("an array");
            // The elements behind it, in whichever order they lay.
            assert_eq!(content.len(), header.preamble_size() + header.nbytes());
        }
    })
}

fn holds(archive: &[u8], checks: &[Check]) {
    let npz = Npz::new(archive).expect("an archive");
    assert_eq!(npz.len(), checks.len());
    npz.verify().expect("checksums");
    checks.iter().for_each(|check| check(&npz));
}
