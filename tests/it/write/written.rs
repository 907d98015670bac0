//! Archives for real NumPy: `tests/numpy/written.py` loads what this leaves in `target/tmp/written`, and compares it with
//! what NumPy makes itself.
//!
//! A key says what the array is, so that Python makes the same: dtype, shape, and what was done to it.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytemuck::{Pod, Zeroable};
use ndarray::{Array2, ArrayD, IxDyn, ShapeBuilder, array, s};
use npzmap::num_complex::Complex;
use npzmap::{
    AnyArray, Element, FixedBytes, FixedStr, MemberOptions, Npz, NpzWriter, Result, Save, Sink, save, savez,
    savez_compressed,
};

use crate::fixtures;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("written")
}

/// Elements whose bytes are 11, 48, 85, …: all different from their neighbours in every width. Of a `bool`, 1 and 0; of
/// text, the letters that follow 'A'.
fn sample<T: Element>(dtype: &str, shape: &[usize], fortran: bool) -> ArrayD<T> {
    let mut index = 0_usize;
    let mut bytes = |count: usize| -> Vec<u8> {
        let byte = |_| {
            index += 1;
            let byte = ((index - 1) * 37 + 11) % 251;
            match dtype.as_bytes()[0] {
                b'?' => (byte % 2) as u8,
                b'S' => b'A' + (byte % 26) as u8,
                _ => byte as u8,
            }
        };
        (0..count).map(byte).collect()
    };
    let mut elements: Vec<Vec<u8>> = (0..shape.iter().product()).map(|_| bytes(size_of::<T>())).collect();
    if dtype.starts_with('U') {
        let letter = |unit: &mut [u8]| {
            let code = u32::from('A') + u32::from(unit[0]);
            unit.copy_from_slice(&code.to_ne_bytes());
        };
        elements.iter_mut().flat_map(|element| element.chunks_exact_mut(4)).for_each(letter);
    }
    let elements = elements.iter().map(|element| bytemuck::checked::pod_read_unaligned(element)).collect();
    let array = ArrayD::from_shape_vec(IxDyn(shape), elements).unwrap();
    if !fortran {
        return array;
    }
    let mut other = ArrayD::from_elem(IxDyn(shape).f(), *array.first().unwrap());
    other.assign(&array);
    other
}

fn add_kind<T: Element, S: Sink>(w: &mut NpzWriter<S>, dtype: &str, options: MemberOptions) -> Result<()> {
    for shape in [&[][..], &[0], &[1], &[5], &[3, 4], &[1, 5], &[5, 1], &[0, 3], &[2, 3, 2], &[1, 2, 1, 3]] {
        let shown = shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        w.add_with(&format!("{dtype} {shown} C"), &sample::<T>(dtype, shape, false), options)?;
        if !shape.contains(&0) {
            w.add_with(&format!("{dtype} {shown} F"), &sample::<T>(dtype, shape, true), options)?;
        }
    }
    w.add_with(&format!("{dtype} 9 [::2]"), &sample::<T>(dtype, &[9], false).slice(s![..;2]), options)?;
    let table = sample::<T>(dtype, &[4, 6], false);
    w.add_with(&format!("{dtype} 4x6 [::-1, ::3]"), &table.slice(s![..;-1, ..;3]), options)?;
    w.add_with(&format!("{dtype} 4x6 [1:3]"), &table.slice(s![1..3, ..]), options)?;
    let cube = sample::<T>(dtype, &[2, 3, 4], false);
    w.add_with(&format!("{dtype} 2x3x4 .transpose(1, 0, 2)"), &cube.view().permuted_axes(IxDyn(&[1, 0, 2])), options)?;
    w.add_with(&format!("{dtype} 2x3x4 .T"), &cube.t(), options)
}

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
struct Hit {
    id: u32,
    _padding: [u8; 4],
    position: [f64; 3],
}

npzmap::record!(Hit { id: u32, position: [f64; 3] });

fn add_kinds<S: Sink>(w: &mut NpzWriter<S>, options: MemberOptions) -> Result<()> {
    macro_rules! kinds {
        ($($dtype:literal $type:ty),* $(,)?) => { $(add_kind::<$type, S>(w, $dtype, options)?;)* };
    }
    kinds! {
        "?" bool, "i1" i8, "i2" i16, "i4" i32, "i8" i64, "u1" u8, "u2" u16, "u4" u32, "u8" u64, "f4" f32, "f8" f64,
        "c8" Complex<f32>, "c16" Complex<f64>, "S5" FixedBytes<5>, "U3" FixedStr<3>,
    }
    #[cfg(feature = "half")]
    {
        use npzmap::half::{bf16, f16};
        kinds! { "f2" f16, "bfloat16" bf16 }
    }
    Ok(())
}

/// What no key can say; the script has the same, by name.
fn add_special<S: Sink>(w: &mut NpzWriter<S>) -> Result<()> {
    w.push(&[1.5, 2.5])?;
    w.add_strings("strings", &array![["ä", "日本"], ["", "\u{1f600}"]])?;
    w.add_strings("no strings", &Vec::<String>::new())?;
    w.add_strings("byte strings", &[b"ab".to_vec(), b"\0c".to_vec(), vec![]])?;
    w.add_bytes("notes.txt", b"no array")?;
    let hits = [1_u32, 2].map(|id| Hit { id, _padding: [0; 4], position: [0.5, 1.5, f64::from(id)] });
    w.add("records", &hits)?;
    let any = Npz::open(fixtures::path("datetimes-stored.npz"))?;
    for member in &any {
        let date = member.array()?.read_any()?;
        assert!(!matches!(date, AnyArray::Raw(_)));
        w.add(&format!("datetimes-stored.npz {}", member.key()), &date)?;
    }
    let table = Array2::from_shape_fn((1000, 7), |(i, j)| (i * 10 + j) as f32);
    for (key, options) in [("rows", MemberOptions::new()), ("deflated rows", MemberOptions::new().deflate(6))] {
        let mut rows = w.rows_with::<f32>(key, &[7], Some(1000), options)?;
        rows.extend(&table)?;
        rows.finish()?;
    }
    w.push(&true)?;
    w.add("größe", &7_u8)?;
    w.add("", &8_u8)
}

#[test]
fn archives_for_numpy_are_written_and_each_is_whole() {
    let folder = folder();
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    write(&folder).unwrap();
    let mut members = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "npz") {
            let npz = Npz::open(&path).unwrap();
            npz.verify().unwrap();
            members += npz.len();
        }
    }
    assert!(members > 3000, "{members}");
}

fn write(folder: &Path) -> Result<()> {
    let at = |name: &str| folder.join(name);
    let create = |name: &str| NpzWriter::create(folder.join(name)).map(|w| w.sync(false));
    for (name, options) in [
        ("kinds-stored.npz", MemberOptions::new()),
        ("kinds-deflated.npz", MemberOptions::new().deflate(6)),
        ("kinds-smaller.npz", MemberOptions::new().deflate_if_smaller(9)),
    ] {
        let mut w = create(name)?;
        add_kinds(&mut w, options)?;
        w.finish()?;
    }
    let mut w = create("kinds-aligned-4096.npz")?.align(4096)?;
    add_kinds(&mut w, MemberOptions::new())?;
    w.finish()?;
    for (name, options) in
        [("kinds-piped.npz", MemberOptions::new()), ("kinds-piped-deflated.npz", MemberOptions::new().deflate(1))]
    {
        let mut w = NpzWriter::stream(fs::File::create(at(name))?);
        add_kinds(&mut w, options)?;
        w.finish()?;
    }
    let mut w = create("special.npz")?;
    add_special(&mut w)?;
    w.finish()?;
    let mut w = NpzWriter::stream(fs::File::create(at("special-piped.npz"))?);
    add_special(&mut w)?;
    w.finish()?;
    let mut w = create("special-unknown-rows.npz")?;
    let mut rows = w.rows::<f32>("rows", &[7])?;
    rows.extend(&Array2::from_shape_fn((1000, 7), |(i, j)| (i * 10 + j) as f32))?;
    rows.finish()?;
    let mut rows = w.rows_with::<f32>("deflated rows", &[7], None, MemberOptions::new().deflate(6))?;
    rows.extend(&Array2::from_shape_fn((1000, 7), |(i, j)| (i * 10 + j) as f32))?;
    rows.finish()?;
    w.finish()?;

    // One call, then more, some of it in place of what was there.
    let (x, y) = (sample::<f4>("f4", &[3, 4], false), sample::<i64>("i8", &[5], false));
    savez(at("savez.npz"), [("f4 3x4 C", &x as &dyn Save), ("i8 5 C", &y)])?;
    savez_compressed(at("savez-compressed.npz"), [("f4 3x4 C", &x as &dyn Save), ("i8 5 C", &y)])?;
    savez(at("appended.npz"), [("f4 3x4 C", &y as &dyn Save), ("i8 5 C", &y)])?;
    let mut w = NpzWriter::append(at("appended.npz"))?;
    w.add("f4 3x4 C", &x)?;
    w.add("u1 5 C", &sample::<u8>("u1", &[5], false))?;
    w.finish()?;
    let mut w = create("many.npz")?;
    for i in 0..70_000_u32 {
        w.add(&format!("u4 1 C {i}"), &sample::<u32>("u4", &[1], false))?;
    }
    w.finish()?;

    // More than 4 GiB, of which the file system keeps only what is not zero.
    let mut w = NpzWriter::new(Holes(fs::File::create(at("huge.npz"))?))?;
    let row = vec![0_u8; 64 << 20];
    let mut rows = w.rows::<u8>("huge", &[row.len()])?;
    (0..65).try_for_each(|_| rows.push(&row))?;
    rows.finish()?;
    w.add("f4 3x4 C", &x)?;
    w.finish()?;

    // NumPy's own, moved: the script looks into the original.
    for name in [
        "kinds-stored.npz",
        "kinds-deflated.npz",
        "records-stored.npz",
        "shapes.npz",
        "keys.npz",
        "versions.npz",
        "longdouble.npz",
    ] {
        for (prefix, options) in [("copied", MemberOptions::new()), ("stored", MemberOptions::new().store())] {
            let npz = Npz::open(fixtures::path(name))?;
            let mut w = create(&format!("{prefix} {name}"))?;
            for member in &npz {
                if let Err(error) = w.copy_with(&member, options) {
                    // Keys that are there twice, or cut at NUL.
                    assert_eq!(name, "keys.npz", "{error}");
                }
            }
            w.finish()?;
        }
    }
    for (name, fortran) in [("f8 3x4 C.npy", false), ("f8 3x4 F.npy", true)] {
        save(at(name), &sample::<f64>("f8", &[3, 4], fortran))?;
    }
    Ok(())
}

/// A file in which zeros are holes.
struct Holes(fs::File);

impl Write for Holes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
        let bytes = &bytes[..bytes.len().min(ZEROS.len())];
        if bytes == &ZEROS[..bytes.len()] {
            self.0.seek(SeekFrom::Current(bytes.len() as i64))?;
            return Ok(bytes.len());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Seek for Holes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[expect(non_camel_case_types, reason = "NumPy's name")]
type f4 = f32;
