// The promises that the fuzz targets hold the library to. Plain `cargo test` holds it to them, too, with every seed
// and every regression.

use ndarray::{Axis, IxDyn, Slice};
use npzmap::num_complex::Complex;
use npzmap::{Dtype, Element, Header, Limits, Npz, OpenOptions, Source, Unaligned, Verify};

/// Any bytes are opened and read to the end, or refused: no panic, and no allocation that the input's size does not
/// justify. What is taken twice is the same twice.
pub(crate) fn open(bytes: &[u8]) {
    let limits = Limits::new().max_decoded_bytes(1 << 24);
    for verify in [Verify::Never, Verify::Copied, Verify::Always] {
        let Ok(npz) = OpenOptions::new().limits(limits).verify(verify).source(bytes) else {
            return;
        };
        let members: Vec<_> = npz.members().collect();
        assert_eq!(members.len(), npz.len());
        assert_eq!(npz.keys().count(), npz.len());
        for member in members.iter().take(64) {
            let _ = member.verify();
            let _ = member.bytes();
            let _ = member.strings();
            let _ = member.read_any();
            let _ = member.access_in_map();
            take(&npz, &member.key());
            if let Ok(header) = member.header() {
                let mut left = 32;
                fields(header.dtype(), "", &mut |path| {
                    if left == 0 {
                        return;
                    }
                    left -= 1;
                    let _ = member.read_field::<u8, IxDyn>(path);
                    let _ = member.read_field::<f32, IxDyn>(path);
                    let _ = member.field::<Unaligned<f32>, IxDyn>(path);
                });
            }
        }
    }
}

/// The paths of all fields.
fn fields(dtype: &Dtype, path: &str, take: &mut dyn FnMut(&str)) {
    match dtype {
        Dtype::Record(record) => {
            for field in record.fields().iter().take(16) {
                let path = if path.is_empty() { field.name().into() } else { format!("{path}.{}", field.name()) };
                take(&path);
                fields(field.dtype(), &path, take);
            }
        }
        Dtype::Subarray(array) => fields(array.base(), path, take),
        _ => {}
    }
}

fn take<S: Source + AsRef<[u8]>>(npz: &Npz<S>, key: &str) {
    let Ok(member) = npz.member(key) else { return };
    let Ok(header) = member.header() else { return };
    let size = header.dtype().item_size() * header.count();
    assert!(size as u64 <= member.size() || header.dtype().has_object());
    take_as::<bool, _>(npz, key);
    take_as::<u8, _>(npz, key);
    take_as::<i16, _>(npz, key);
    take_as::<u32, _>(npz, key);
    take_as::<f32, _>(npz, key);
    take_as::<Complex<f64>, _>(npz, key);
    take_as::<Unaligned<f32>, _>(npz, key);
    take_as::<Unaligned<i64>, _>(npz, key);
}

/// `view`, `get` and `read` agree, bit by bit.
fn take_as<T: Element, S: Source + AsRef<[u8]>>(npz: &Npz<S>, key: &str) {
    let read = npz.read::<T, IxDyn>(key);
    let Ok(array) = &read else { return };
    let got = npz.get::<T, IxDyn>(key).expect("what was read can be got");
    let same = |a: &T, b: &T| bytemuck::bytes_of(a) == bytemuck::bytes_of(b);
    assert_eq!(array.shape(), got.shape());
    assert!(array.iter().zip(&got).all(|(a, b)| same(a, b)));
    if let Some(rows) = array.shape().first().map(|rows| rows / 2) {
        let part = npz.read_rows::<T, IxDyn>(key, 0..rows).expect("what was read can be read in part");
        let whole = array.slice_axis(Axis(0), Slice::from(..rows));
        assert_eq!(part.shape(), whole.shape());
        assert!(part.iter().zip(&whole).all(|(a, b)| same(a, b)));
    }
    if let Ok(view) = npz.view::<T, IxDyn>(key) {
        assert!(got.is_view());
        assert!(array.iter().zip(&view).all(|(a, b)| same(a, b)));
    }
}

/// What a header's text means survives being printed and parsed again.
pub(crate) fn header(bytes: &[u8]) {
    let Ok(header) = Header::from_bytes(bytes) else {
        return;
    };
    let printed = header.to_bytes();
    assert_eq!(printed.len() % 64, 0);
    let again = Header::from_bytes(&printed).expect("what was printed is a header");
    assert_eq!(
        (again.dtype(), again.shape(), again.order(), again.count()),
        (header.dtype(), header.shape(), header.order(), header.count())
    );
    assert_eq!(again.to_bytes(), printed);
    let text = header.dtype().to_string();
    assert_eq!(&text.parse::<Dtype>().expect("what was printed is a dtype"), header.dtype());
}
