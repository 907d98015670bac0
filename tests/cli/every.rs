//! Every command that reads, with every dtype that is odd: each run ends by itself, with a code of its own.

use std::sync::atomic::{AtomicUsize, Ordering};

use npzmap::{Dtype, Header, Order};

use crate::forge::{self, Archive, deflated, stored};
use crate::odd::LONG;
use crate::run::{Folder, in_time};

const SOME: &[&str] = &["(3,)"];
const FEW: &[&str] = &["(3,)", "()"];
/// Of elements without bytes there can be any number.
const ANY: &[&str] = &["(3,)", "(0,)", "(4611686018427387904,)", "(0, 4611686018427387904)"];

/// `L` is the longest axis.
const WITHOUT_BYTES: &str = "'|V0'; '<U0'; '>U0'; '|S0'; []; [('a', [])]; [('a', '|u1', (0, 3))]; [('', '|V0')]; \
                             [('a', '<f8', (L, 0, L, L))]";
const NOTHING: &str = "'|V0'; '<U0'; '|S0'; []; [('c', []), ('d', '|V0')]; '<u4', (0,); '>c16', (2, 0)";
const AXES: &str = "(2,); (0,); (L,); (L, L); (0, L, L, L); (L, L, L, 0)";
const SCALARS: &str = "'<f16'; '>f16'; '<f12'; '<c32'; '>c32'; '<c24'; '>f2'; '<f4'; '>f8'; '<c8'; '>c16'; '|b1'; '|i1'; \
                       '>i2'; '<u8'; '>u8'; '<i8'; '<M8[ns]'; '>M8[2147483647Y]'; '<M8[as]'; '<M8[7D]'; '<M8'; '<m8[W]'; \
                       '>m8'; '<U1'; '>U2'; '|S1'; '|V1'; '|V2'; '|V17'; '|O'";

fn nested(levels: usize, inner: &str, axes: &str) -> String {
    (0..levels).fold(inner.to_owned(), |inner, _| format!("[('n', {inner}{axes})]"))
}

/// What a header says, and the shapes of arrays of it.
fn dtypes() -> Vec<(String, &'static [&'static str])> {
    let beside = |b: &str| format!("[('a', '<u4'), ('b', {b})]");
    let mut dtypes: Vec<(String, &[&str])> = Vec::new();
    dtypes.extend(WITHOUT_BYTES.split("; ").map(|descr| (descr.to_owned(), ANY)));
    for b in NOTHING.split("; ") {
        dtypes.push((beside(b), FEW));
        // An array of arrays, where it is one.
        let base = if b.contains("', (") { format!("({b})") } else { b.to_owned() };
        dtypes.extend(AXES.split("; ").map(|axes| (beside(&format!("{base}, {axes}")), SOME)));
    }
    for axes in [", (4096,)", ", (1000,)", ", (2,)", ""] {
        dtypes.push((nested(5, "[]", axes), ANY));
        dtypes.push((beside(&format!("{}{axes}", nested(4, "[]", axes))), FEW));
    }
    dtypes.push((nested(2, "[('e', []), ('x', '|u1')]", ", (100,)"), FEW));
    // As deep as they may be, or deeper.
    for levels in [30, 31, 32, 33] {
        dtypes.push((nested(levels, "'>f4'", ""), SOME));
        dtypes.push((nested(levels, "[]", ""), SOME));
    }
    dtypes.push((nested(30, "'<U3'", ", (1,)"), SOME));
    dtypes.push((format!("[{}('x', '|u1')]", "('', '|V0'), ".repeat(50)), FEW));
    for scalar in SCALARS.split("; ") {
        dtypes.push((scalar.to_owned(), FEW));
        dtypes.push((format!("[('a', {scalar}), ('', '|V3'), ('b', {scalar}, (2, 1))]"), SOME));
    }
    dtypes
}

#[test]
fn every_reading_command_ends_by_itself_with_a_code_of_its_own() {
    let (all, next, taken) = (dtypes(), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((descr, shapes)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for shape in *shapes {
                        let is_taken = reads(&descr.replace('L', LONG), shape);
                        taken.fetch_add(usize::from(is_taken), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    // Most of them are dtypes, and no refusals of one.
    let arrays: usize = all.iter().map(|(_, shapes)| shapes.len()).sum();
    assert!(taken.into_inner() > arrays / 2);
}

/// All bits; and numbers at the ends of their range, integers and long doubles.
fn payloads(length: usize) -> [Vec<u8>; 2] {
    const LEAST: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0x80, 0x80, 0, 0, 0, 0, 0, 0, 0];
    const INFINITE: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x7f, 0, 0, 0, 0, 0, 0];
    const GREATEST: [u8; 16] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x7f, 0, 0, 0, 0, 0, 0];
    let ends = [GREATEST, LEAST, INFINITE].concat();
    [vec![0xff; length], ends.into_iter().cycle().take(length).collect()]
}

/// All commands, with two arrays of this dtype and shape. Whether the library takes it.
fn reads(descr: &str, shape: &str) -> bool {
    let folder = Folder::new();
    let lengths: Vec<usize> = shape.split(['(', ',', ' ', ')']).filter_map(|length| length.parse().ok()).collect();
    let dtype = descr.trim_matches('\'').parse::<Dtype>();
    let header = dtype.and_then(|dtype| Header::new(dtype, &lengths, Order::C));
    // What is refused has no elements.
    let payloads = payloads(header.as_ref().map_or(0, Header::nbytes));
    let [bits, ends] = &payloads;
    for (one, other, pack) in [(bits, ends, stored as fn(&str, &[u8]) -> forge::Entry), (ends, bits, deflated)] {
        let [one, other] = [("one.npz", one), ("other.npz", other)].map(|(name, payload)| {
            folder.write(name, Archive::new(vec![pack("x.npy", &forge::npy(descr, shape, payload))]).bytes())
        });
        let [files, csv, tensors, png] = ["files", "x.csv", "x.safetensors", "x.png"].map(|name| folder.at(name));
        let all: [&[&str]; 20] = [
            &["ls", "--long", &one],
            &["show", &one],
            &["show", "--json", &one],
            &["show", &one, "x", "..., ::-1"],
            &["show", "--field=a", &one],
            &["show", "--field=b", &one],
            &["show", "--json", "--field=b", &one],
            &["stat", &one],
            &["stat", "--json", "--bf16", &one],
            &["check", &one],
            &["cat", "--csv", &one],
            &["cat", "--csv", "--header", &one],
            &["cat", "--raw", &one],
            &["diff", "--full", &one, &one],
            &["diff", &one, &other],
            &["convert", "--force", "--header", &one, &csv],
            &["convert", "--force", "--bf16", &one, &tensors],
            &["plot", "--bf16", &one],
            &["plot", "--force", "--field=b", "--kind=histogram", &one, "-o", &png],
            &["extract", "--force", &one, "-d", &files],
        ];
        for args in all {
            let outcome = in_time(args);
            assert!((0..=5).contains(&outcome.code), "{descr} {shape} {args:?}: {outcome:?}");
        }
        // Without elements the other is the same.
        if bits.is_empty() {
            break;
        }
    }
    header.is_ok()
}

/// A member is found and its header is parsed once, whatever is done with it.
#[cfg(target_os = "linux")]
#[test]
fn each_member_is_located_once() {
    let folder = Folder::new();
    let write = |name: &str, count: usize| {
        let path = folder.at(name);
        let mut writer = npzmap::NpzWriter::create(&path).unwrap();
        // So large that the read of its header does not bring its elements.
        let array = ndarray::Array1::<f64>::ones(10_000);
        (0..count).for_each(|number| writer.add(&format!("x{number}"), &array).unwrap());
        writer.finish().unwrap();
        path
    };
    let (one, many) = (write("one.npz", 1), write("many.npz", 51));
    let calls = |args: &[&str], path: &str| crate::run::reads(args.iter().copied().chain([path])).calls;
    // Beside the headers: the elements, and for the CRC-32 the preamble; each again for the histogram.
    for (args, each) in [
        (&["ls"] as &[&str], 1),
        (&["check", "--quick"], 1),
        (&["check"], 3),
        (&["stat", "--no-histogram"], 3),
        (&["stat"], 5),
    ] {
        let more = calls(args, &many) - calls(args, &one);
        assert!(more <= each * 50 + 8, "{args:?}: {more} more reads for 50 members");
    }
    let least = calls(&["ls"], &one);
    for command in ["show", "plot", "cat", "cat --raw", "cat --csv"] {
        let args: Vec<&str> = command.split(' ').collect();
        let more = calls(&args, &one) - least;
        // The elements: both ends of what is summarised.
        assert!(more <= 2, "{command}: {more} more reads than to list it");
    }
}
