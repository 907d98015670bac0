//! Any array, written in any way, is read back as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};

use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, ShapeBuilder, Slice};
use npzmap::num_complex::Complex;
use npzmap::{Element, FixedStr, MemberOptions, Method, Npz, NpzWriter, Sink, Unaligned};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use zip::ZipArchive;

#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
struct Hit {
    id: u32,
    _padding: [u8; 4],
    position: [f64; 3],
}

npzmap::record!(Hit { id: u32, position: [f64; 3] });

/// How an array lies in memory: made from a larger one by steps and offsets along each axis, its axes in some order.
#[derive(Clone, Debug)]
struct Layout {
    shape: Vec<usize>,
    fortran: bool,
    steps: Vec<isize>,
    permuted: usize,
}

#[derive(Clone, Debug)]
struct Case {
    key: String,
    dtype: usize,
    layout: Layout,
    seed: u64,
    options: MemberOptions,
}

fn layout() -> impl Strategy<Value = Layout> {
    let shape = prop_oneof![
        8 => vec(0_usize..6, 0..5),
        1 => vec(1_usize..2, 60..65),
        1 => Just(vec![3000, 7]),
    ];
    (
        shape,
        any::<bool>(),
        vec(prop_oneof![3 => Just(1), 1 => Just(2), 1 => Just(-1), 1 => Just(-3)], 64),
        any::<usize>(),
    )
        .prop_map(|(shape, fortran, steps, permuted)| Layout { shape, fortran, steps, permuted })
}

fn options() -> impl Strategy<Value = MemberOptions> {
    prop_oneof![
        4 => Just(MemberOptions::new()),
        1 => (0_u32..10).prop_map(|level| MemberOptions::new().deflate(level)),
        1 => (0_u32..10).prop_map(|level| MemberOptions::new().deflate_if_smaller(level)),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let key = prop_oneof!["[a-z/._]{0,12}", "\\PC{0,8}", Just("x.npy".to_owned())];
    (key, 0..kinds().len(), layout(), any::<u64>(), options()).prop_map(|(key, dtype, layout, seed, options)| Case {
        key,
        dtype,
        layout,
        seed,
        options,
    })
}

/// Calls `work` with the array of a case.
fn with_array<T: Element>(case: &Case, work: &mut dyn FnMut(ArrayViewD<'_, T>)) {
    let Layout { shape, fortran, steps, permuted } = &case.layout;
    // Large enough that every step finds its elements.
    let spread = |length: &usize, step: &isize| length.checked_sub(1).map_or(0, |last| last * step.unsigned_abs() + 1);
    let whole: Vec<usize> = shape.iter().zip(steps).map(|(length, step)| spread(length, step)).collect();
    let mut state = case.seed | 1;
    let array = ArrayD::from_shape_simple_fn(IxDyn(&whole).set_f(*fortran), || {
        let mut bytes = [0; 64];
        for byte in &mut bytes[..size_of::<T>()] {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state as u8;
        }
        let bytes = &bytes[..size_of::<T>()];
        // Not every pattern is a bool.
        bytemuck::checked::try_pod_read_unaligned(bytes)
            .unwrap_or_else(|_| bytemuck::checked::pod_read_unaligned(&vec![bytes[0] & 1; bytes.len()]))
    });
    let mut view = array.view();
    for (axis, step) in steps.iter().take(shape.len()).enumerate() {
        view.slice_axis_inplace(Axis(axis), Slice::new(0, None, *step));
    }
    if view.ndim() > 0 {
        // Any permutation: each number takes the next axis out of those that are left.
        let (mut left, mut number): (Vec<usize>, _) = ((0..view.ndim()).collect(), *permuted);
        let axes: Vec<usize> = (0..view.ndim())
            .map(|_| {
                let axis = number % left.len();
                number /= left.len();
                left.remove(axis)
            })
            .collect();
        view = view.permuted_axes(IxDyn(&axes));
    }
    work(view);
}

fn add<T: Element, S: Sink>(w: &mut NpzWriter<S>, case: &Case) {
    with_array::<T>(case, &mut |array| w.add_with(&case.key, &array, case.options).unwrap());
}

fn check<T: Element>(npz: &Npz<&[u8]>, case: &Case, alignment: u64) {
    let name = format!("{}.npy", case.key);
    let member = npz.members().find(|member| member.name() == name.as_bytes()).unwrap();
    with_array::<T>(case, &mut |array| {
        let read = member.array().unwrap().read::<T, IxDyn>().unwrap();
        assert_eq!(read.shape(), array.shape());
        let same = |a: &T, b: &T| bytemuck::bytes_of(a) == bytemuck::bytes_of(b);
        assert!(read.iter().zip(&array).all(|(a, b)| same(a, b)));
        if member.method() == Method::Stored && alignment >= align_of::<T>() as u64 {
            let view = member.array().unwrap().view::<T, IxDyn>().unwrap();
            assert!(view.iter().zip(&array).all(|(a, b)| same(a, b)));
        }
    });
}

type Write = fn(&mut NpzWriter<npzmap::Seekable<Cursor<Vec<u8>>>>, &Case);
type Stream = fn(&mut NpzWriter<npzmap::Streamed<Vec<u8>>>, &Case);
type Check = fn(&Npz<&[u8]>, &Case, u64);

macro_rules! kinds {
    ($($type:ty),* $(,)?) => { &[$((add::<$type, _>, add::<$type, _>, check::<$type>)),*] };
}

/// Text that has the shape and the strides of the case, but not its elements.
fn texts(case: &Case, work: &mut dyn FnMut(ArrayD<String>)) {
    with_array::<u8>(case, &mut |array| work(array.mapv(|byte| "é".repeat(usize::from(byte % 5)) + &byte.to_string())));
}

fn add_texts<S: Sink>(w: &mut NpzWriter<S>, case: &Case) {
    texts(case, &mut |array| w.add_with(&case.key, &array.t(), case.options).unwrap());
}

fn check_texts(npz: &Npz<&[u8]>, case: &Case, _: u64) {
    let name = format!("{}.npy", case.key);
    let member = npz.members().find(|member| member.name() == name.as_bytes()).unwrap();
    texts(case, &mut |array| assert_eq!(member.array().unwrap().strings().unwrap(), array.t()));
}

const TEXTS: (Write, Stream, Check) = (add_texts, add_texts, check_texts);

/// All of them, those of the feature `half` among them.
fn kinds() -> Vec<(Write, Stream, Check)> {
    let mut kinds = KINDS.to_vec();
    kinds.push(TEXTS);
    #[cfg(feature = "half")]
    kinds.extend(half_kinds());
    kinds
}

#[cfg(feature = "half")]
fn half_kinds() -> [(Write, Stream, Check); 2] {
    use npzmap::half::{bf16, f16};

    /// What NumPy has no type for is taken as what the caller says.
    fn check_bf16(npz: &Npz<&[u8]>, case: &Case, _: u64) {
        let name = format!("{}.npy", case.key);
        let member = npz.members().find(|member| member.name() == name.as_bytes()).unwrap();
        with_array::<bf16>(case, &mut |array| {
            let read = member.array().unwrap().reinterpret::<bf16>().unwrap().read::<bf16, IxDyn>().unwrap();
            assert_eq!(read.shape(), array.shape());
            assert!(read.iter().zip(&array).all(|(a, b)| a.to_bits() == b.to_bits()));
        });
    }

    [(add::<f16, _>, add::<f16, _>, check::<f16>), (add::<bf16, _>, add::<bf16, _>, check_bf16)]
}

const KINDS: &[(Write, Stream, Check)] = kinds![
    bool,
    i8,
    i16,
    i32,
    i64,
    u8,
    u16,
    u32,
    u64,
    f32,
    f64,
    Complex<f32>,
    Complex<f64>,
    FixedStr<3>,
    npzmap::FixedBytes<5>,
    Unaligned<f64>,
    Hit,
];

/// Memory that begins at a multiple of 32 KiB, as a map of a file does of 4 KiB.
struct Aligned(Vec<u8>, usize, usize);

impl Aligned {
    fn new(bytes: &[u8]) -> Self {
        const MOST: usize = 32 << 10;
        let mut memory = vec![0; bytes.len() + MOST];
        let start = memory.as_ptr().align_offset(MOST);
        memory[start..start + bytes.len()].copy_from_slice(bytes);
        Aligned(memory, start, bytes.len())
    }

    fn bytes(&self) -> &[u8] {
        &self.0[self.1..self.1 + self.2]
    }
}

fn holds(archive: &[u8], cases: &BTreeMap<String, Case>, alignment: u64) {
    let memory = Aligned::new(archive);
    let npz = Npz::new(memory.bytes()).unwrap();
    assert_eq!(npz.len(), cases.len());
    npz.verify().unwrap();
    for case in cases.values() {
        kinds()[case.dtype].2(&npz, case, alignment);
    }
    let mut zip = ZipArchive::new(Cursor::new(archive)).unwrap();
    for (index, member) in npz.members().enumerate() {
        if let Some(offset) = member.payload_offset().unwrap() {
            assert!(offset.is_multiple_of(alignment), "{offset:#x}");
        }
        let mut file = zip.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        assert!(content == *member.bytes().unwrap());
    }
}

#[test]
fn any_array_is_read_back_from_any_sink_at_any_alignment() {
    let archive = (vec(case(), 0..6), 0_u32..16);
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&archive, |(cases, shift)| {
        let mut cases: BTreeMap<String, Case> = cases.into_iter().map(|case| (case.key.clone(), case)).collect();
        // Beside `x`, the writer refuses `x.npy`.
        let keys: BTreeSet<String> = cases.keys().cloned().collect();
        cases.retain(|key, _| !key.strip_suffix(".npy").is_some_and(|stem| keys.contains(stem)));
        let alignment = 1 << shift;
        let mut seekable = NpzWriter::new(Cursor::new(Vec::new())).unwrap().align(alignment).unwrap();
        let mut streamed = NpzWriter::stream(Vec::new()).align(alignment).unwrap();
        for case in cases.values() {
            kinds()[case.dtype].0(&mut seekable, case);
            kinds()[case.dtype].1(&mut streamed, case);
        }
        holds(&seekable.finish().unwrap().into_inner(), &cases, alignment);
        holds(&streamed.finish().unwrap(), &cases, alignment);
        Ok(())
    });
    outcome.unwrap();
}
