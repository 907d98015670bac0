//! What reading costs in memory: allocations and bytes are counted, by thread, for the whole test binary.

#![expect(unsafe_code, reason = "an allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::{Debug, Display};
use std::io::Write;

use ndarray::{Array, Array1, Array2, ArrayD, Ix1, Ix2, IxDyn, ShapeBuilder};
use npzmap::num_complex::Complex;
use npzmap::{
    Access, AnyArray, Dtype, Element, ErrorKind, FixedBytes, FixedStr, Header, Limits, MemberOptions, Npy, Npz,
    NpzWriter, OpenOptions, Order, Reason, Result, Source, Unaligned, Visitor,
};
use tempfile::NamedTempFile;
use zip::CompressionMethod;

use crate::forge::{self, Archive, deflated, npy, preamble, stored};

/// The system's allocator, counting.
struct Counting;

thread_local! {
    static NOW: Cell<Cost> = const { Cell::new(Cost { allocations: 0, large: 0, live: 0, peak: 0 }) };
    /// From which size on an allocation is large.
    static LARGE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// What some work took on its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    allocations: usize,
    /// Those of at least as many bytes as were asked about.
    large: usize,
    /// Bytes that it left allocated.
    live: isize,
    /// Bytes that were allocated at one time.
    pub(crate) peak: isize,
}

fn allocated(size: usize) {
    // A thread that ends has no counters any more, and nobody who would ask.
    let large = LARGE.try_with(Cell::get).unwrap_or(usize::MAX);
    let _ = NOW.try_with(|now| {
        let Cost { allocations, large: before, live, peak } = now.get();
        let live = live + size.cast_signed();
        let large = before + usize::from(size >= large);
        now.set(Cost { allocations: allocations + 1, large, live, peak: peak.max(live) });
    });
}

fn freed(size: usize) {
    let _ = NOW.try_with(|now| now.set(Cost { live: now.get().live - size.cast_signed(), ..now.get() }));
}

// SAFETY: every call is passed on to the system's allocator as it is; counting allocates nothing, since the counters
// are constants at first and have no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        // SAFETY: the caller's promise about the layout is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // As if it were never in place: the new block is there before the old one is gone.
        allocated(size);
        freed(layout.size());
        // SAFETY: as above; the pointer is one of the system's allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        freed(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` takes; allocations of `large` bytes and more are counted by themselves.
fn cost_of<R>(large: usize, work: impl FnOnce() -> R) -> (R, Cost) {
    let before = Cost { allocations: 0, large: 0, live: 0, peak: 0 };
    let outer = NOW.replace(before);
    LARGE.set(large);
    let result = work();
    LARGE.set(usize::MAX);
    let cost = NOW.replace(outer);
    // What was left allocated lives on in the outer count.
    NOW.set(Cost { live: outer.live + cost.live, ..outer });
    (result, cost)
}

pub(crate) fn cost<R>(work: impl FnOnce() -> R) -> (R, Cost) {
    cost_of(usize::MAX, work)
}

/// An archive in memory at a known address, and the same in a file.
struct Opened {
    room: Vec<u8>,
    range: std::ops::Range<usize>,
    file: NamedTempFile,
}

impl Opened {
    fn new(bytes: &[u8]) -> Self {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut room = vec![0; bytes.len() + 128];
        let start = room.as_ptr().align_offset(64);
        let range = start..start + bytes.len();
        room[range.clone()].copy_from_slice(bytes);
        Opened { room, range, file }
    }

    /// Moves the bytes to an address `shift` bytes after a multiple of 64.
    fn shift(&mut self, shift: usize) {
        let start = self.room.as_ptr().align_offset(64) + shift;
        self.room.copy_within(self.range.clone(), start);
        self.range = start..start + self.range.len();
    }

    fn bytes(&self) -> &[u8] {
        &self.room[self.range.clone()]
    }
}

#[test]
fn the_counters_count() {
    let (kept, cost) = cost_of(1000, || {
        drop(vec![1_u8; 5000]);
        vec![1_u8; 100]
    });
    assert_eq!(cost, Cost { allocations: 2, large: 1, live: 100, peak: 5000 });
    drop(kept);
}

/// Members of one name after another, with nothing in them, and the size of the directory.
fn many(count: usize, name: impl Fn(usize) -> String) -> (Archive, isize) {
    let entries = (0..count).map(|number| stored(&name(number), b"")).collect();
    let mut archive = Archive::new(entries);
    // Only the directory is changed from here on: the members become bytes before it, which are quicker to write.
    let (entries, records) = (std::mem::take(&mut archive.entries), std::mem::take(&mut archive.records));
    archive.gap = Archive { entries, ..archive.clone() }.bytes();
    archive.gap.truncate(archive.end.offset as usize);
    archive.records = records;
    let size = archive.end.size as isize;
    (archive, size)
}

#[test]
fn opening_takes_ten_allocations_and_sixteen_bytes_a_member_beside_the_directory() {
    const COUNT: isize = 100_000;
    let (archive, directory) = many(COUNT.cast_unsigned(), |number| format!("layers.{number}.weight.npy"));
    let opened = Opened::new(&archive.bytes());
    let (npz, in_memory) = cost(|| Npz::new(opened.bytes()).unwrap());
    assert_eq!(npz.len(), COUNT.cast_unsigned());
    let (npz, by_position) = cost(|| Npz::open(opened.file.path()).unwrap());
    assert_eq!(npz.len(), COUNT.cast_unsigned());
    // SAFETY: the file was written by this test, under a name that nobody else has.
    let (npz, mapped) = cost(|| unsafe { Npz::map(opened.file.path()) }.unwrap());
    assert_eq!(npz.len(), COUNT.cast_unsigned());
    for (cost, held) in [(in_memory, 0), (by_position, directory), (mapped, 0)] {
        assert!(cost.allocations <= 10, "{cost:?}");
        assert!(cost.live - held <= 16 * COUNT, "{cost:?} {directory}");
        // While it is built, too.
        assert!(cost.peak - held <= 16 * COUNT + (64 << 10), "{cost:?} {directory}");
    }
}

#[test]
fn members_in_another_order_take_no_more() {
    const COUNT: isize = 100_000;
    let (mut archive, _) = many(COUNT.cast_unsigned(), |number| format!("{number}.npy"));
    archive.records.reverse();
    let bytes = archive.bytes();
    let (npz, cost) = cost(|| Npz::new(&bytes[..]).unwrap());
    assert_eq!(npz.member("7").unwrap().bytes().unwrap().len(), 0);
    assert!(cost.live <= 16 * COUNT, "{cost:?}");
    assert!(cost.peak <= 40 * COUNT + (64 << 10), "{cost:?}");
    // None that grows.
    assert!(cost.allocations <= 6, "{cost:?}");
}

fn archive(members: &[(&str, CompressionMethod, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, method, content) in members {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(*method)
            .compression_level(None)
            .with_alignment(64);
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn array(dtype: &str, shape: &[usize], order: Order, payload: &[u8]) -> Vec<u8> {
    let header = Header::new(dtype.parse().unwrap(), shape, order).unwrap();
    [&header.to_bytes(), payload].concat()
}

/// An archive of a small and a large array of each kind that can be borrowed.
fn small_and_large() -> Opened {
    let records = "[('id', '<u4'), ('at', '<f4', (3,))]";
    let odd = "[('ok', '|b1'), ('x', '<f4'), ('n', '|u1', (2,))]";
    let kinds = [("f4", "<f4", 4), ("U3", "<U3", 12), ("b1", "|b1", 1), ("records", records, 16), ("odd", odd, 7)];
    let mut members = Vec::new();
    for (name, dtype, item) in kinds {
        for (size, rows) in [("small", 16), ("large", 500_000)] {
            let content = array(dtype, &[rows, 2], Order::C, &vec![0; rows * 2 * item]);
            members.push((format!("{name}-{size}.npy"), content));
        }
    }
    let members: Vec<_> =
        members.into_iter().map(|(name, content)| (name.leak() as &str, CompressionMethod::Stored, content)).collect();
    Opened::new(&archive(&members))
}

#[test]
fn a_borrow_allocates_the_header_and_nothing_that_grows_with_the_array() {
    let opened = small_and_large();
    let npz = Npz::new(opened.bytes()).unwrap();
    /// The costs of a borrow of the small and the large array.
    fn both<R>(kind: &str, borrow: impl Fn(&str) -> R) -> [Cost; 2] {
        ["small", "large"].map(|size| {
            let key = format!("{kind}-{size}");
            let (borrowed, cost) = cost(|| borrow(&key));
            drop(borrowed);
            cost
        })
    }
    let costs = [
        ("view", both("f4", |key| npz.view::<f32, Ix2>(key).unwrap().len())),
        ("unaligned", both("f4", |key| npz.view::<Unaligned<f32>, Ix2>(key).unwrap().len())),
        ("get", both("f4", |key| npz.get::<f32, Ix2>(key).unwrap().is_view())),
        (
            "access",
            both("f4", |key| npz.member(key).unwrap().array().unwrap().access::<f32>().unwrap() == Access::Borrow),
        ),
        ("strings", both("U3", |key| npz.view::<FixedStr<3>, Ix2>(key).unwrap().len())),
        ("bool", both("b1", |key| npz.view::<bool, Ix2>(key).unwrap().len())),
        (
            "view_as",
            both("f4", |key| npz.array(key).unwrap().reinterpret::<u32>().unwrap().view::<u32, Ix2>().unwrap().len()),
        ),
        ("payload", both("f4", |key| npz.array(key).unwrap().bytes().unwrap().len())),
        ("bytes", both("f4", |key| npz.member(key).unwrap().bytes().unwrap().len())),
        ("records", both("records", |key| npz.member(key).unwrap().header().unwrap().count())),
        (
            "field",
            both("records", |key| npz.array(key).unwrap().field("id").unwrap().view::<u32, Ix2>().unwrap().len()),
        ),
        (
            "field by bytes",
            both("odd", |key| npz.array(key).unwrap().field("x").unwrap().strided::<f32, Ix2>().unwrap().len()),
        ),
        (
            "bool by bytes",
            both("odd", |key| npz.array(key).unwrap().field("ok").unwrap().strided::<bool, Ix2>().unwrap().len()),
        ),
        (
            "field of a field",
            both("records", |key| {
                npz.array(key).unwrap().field("at").unwrap().view::<f32, ndarray::Ix3>().unwrap().len()
            }),
        ),
    ];
    for (verb, [small, large]) in costs {
        assert_eq!(small, large, "{verb}");
        assert_eq!(small.live, 0, "{verb}");
        assert!(small.peak <= 4096, "{verb} {small:?}");
        // A parsed header is its shape, and a dtype of records a tree besides.
        let parsed = match verb {
            "bytes" => 0,
            "view_as" => 2, // a handle of its own
            "records" => 8,
            // The handle of a part is one of its own, with a header and a dtype, beside that of the whole.
            "field" => 17,
            "field by bytes" => 18,
            "field of a field" | "bool by bytes" => 19,
            _ => 1,
        };
        assert!(small.allocations <= parsed, "{verb} {small:?}");
    }
}

/// What an array is copied from, and what that may take beside the array.
#[derive(Clone, Copy, Debug)]
struct Way {
    method: CompressionMethod,
    /// The decoder, and what is not the array.
    state: isize,
}

const STORED: Way = Way { method: CompressionMethod::Stored, state: 4 << 10 };
const DEFLATED: Way = Way { method: CompressionMethod::Deflated, state: 64 << 10 };
/// A file's data goes through this.
pub(crate) const INPUT: isize = (256 + 8) << 10;

/// One of the types that are copied.
trait Copied: Element + PartialEq + Debug {
    const NAME: &'static str;
}

macro_rules! copied {
    ($($type:ty => $name:literal),* $(,)?) => {$(
        impl Copied for $type {
            const NAME: &'static str = $name;
        }
    )*};
}

copied! { u8 => "|u1", i16 => "<i2", f32 => "<f4", f64 => "<f8", Complex<f64> => "<c16", bool => "|b1" }

/// Bytes of zeros and ones, of which every type can be made.
fn bits(count: usize) -> Vec<u8> {
    (0..count).map(|index| u8::from(index % 7 == 3 || index % 11 == 5)).collect()
}

/// Copies an array by each verb that copies it, each of which is one allocation as large as the array.
fn check_copies<T: Copied, S: Source>(npz: &Npz<S>, order: Order, expected: &[u8], state: isize) {
    let check = |verb: &str, copy: &dyn Fn() -> Array<T, Ix2>| {
        let (array, cost) = cost_of(expected.len(), copy);
        let order = format!("{} {order:?} {verb} {cost:?}", T::NAME);
        // A decoder that is larger than the array is large, too.
        assert!(cost.large == 1 || state > expected.len() as isize + INPUT, "{order}");
        assert!(cost.peak <= expected.len() as isize + state, "{order}");
        assert_eq!(cost.live, expected.len() as isize, "{order}");
        array
    };
    let read = check("read", &|| npz.read::<T, Ix2>("a").unwrap());
    assert_eq!(read.is_standard_layout(), order == Order::C);
    let again = check("read_as", &|| npz.array("a").unwrap().reinterpret::<T>().unwrap().read::<T, Ix2>().unwrap());
    assert_eq!(read, again);
    if npz.member("a").unwrap().array().unwrap().access::<T>().unwrap() != Access::Borrow {
        assert_eq!(read, check("get", &|| npz.get::<T, Ix2>("a").unwrap().into_owned()));
    }
}

fn orders() -> [Order; 2] {
    [Order::C, Order::Fortran]
}

/// Copies from every address of a multiple of 64 and on, and from a file.
fn check_copies_of<T: Copied>(way: Way, rows: usize, shifts: impl Iterator<Item = usize> + Clone) {
    let payload = bits(rows * 3 * size_of::<T>());
    for order in orders() {
        let content = array(T::NAME, &[rows, 3], order, &payload);
        let mut opened = Opened::new(&archive(&[("a.npy", way.method, content)]));
        for shift in shifts.clone() {
            opened.shift(shift);
            let npz = Npz::new(opened.bytes()).unwrap();
            check_copies::<T, _>(&npz, order, &payload, way.state);
            // Which is the array that was written.
            let array = npz.read::<T, Ix2>("a").unwrap();
            let item = size_of::<T>();
            let at = |row: usize, column: usize| match order {
                Order::C => row * 3 + column,
                Order::Fortran => column * rows + row,
            };
            for (row, column) in [(0, 0), (1, 2), (rows - 1, 1)] {
                let bytes = &payload[at(row, column) * item..][..item];
                let mut one = Array1::<T>::from_elem(1, array[(row, column)]);
                let same = array_of_one::<T>(bytes);
                assert_eq!(one[0], same);
                one[0] = same;
            }
        }
        let npz = Npz::open(opened.file.path()).unwrap();
        check_copies::<T, _>(&npz, order, &payload, way.state + INPUT);
    }
}

/// An element from its bytes, by way of an archive of its own.
fn array_of_one<T: Copied>(bytes: &[u8]) -> T {
    let archive = Archive::new(vec![stored("a.npy", &array(T::NAME, &[1], Order::C, bytes))]).bytes();
    Npz::new(&archive[..]).unwrap().read::<T, Ix1>("a").unwrap()[0]
}

macro_rules! for_all_types {
    ($work:ident($($argument:expr),*)) => {
        $work::<u8>($($argument),*);
        $work::<i16>($($argument),*);
        $work::<f32>($($argument),*);
        $work::<f64>($($argument),*);
        $work::<Complex<f64>>($($argument),*);
        $work::<bool>($($argument),*);
    };
}

#[test]
fn a_copy_of_a_stored_array_is_one_allocation_from_every_address() {
    for_all_types!(check_copies_of(STORED, 5_000, 1..64));
}

#[test]
fn a_copy_of_a_deflated_array_is_one_allocation_beside_the_decoder() {
    for_all_types!(check_copies_of(DEFLATED, 40_000, [0, 1].into_iter()));
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn a_copy_of_a_bzip2_array_is_one_allocation_beside_the_decoder() {
    let way = Way { method: CompressionMethod::Bzip2, state: 4 << 20 };
    check_copies_of::<f64>(way, 4_000, [0, 1].into_iter());
    check_copies_of::<bool>(way, 4_000, [0, 1].into_iter());
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn a_copy_of_a_zstd_array_is_one_allocation_beside_the_decoder() {
    let way = Way { method: CompressionMethod::Zstd, state: 4 << 20 };
    check_copies_of::<f64>(way, 4_000, [0, 1].into_iter());
    check_copies_of::<bool>(way, 4_000, [0, 1].into_iter());
}

/// What is copied exactly once, from every address: each type's dtype in this machine's byte order and in the other.
trait Exact: Element + PartialEq + Debug {
    const DTYPES: &'static [&'static str];
}

macro_rules! exact {
    ($($(#[$attribute:meta])* $type:ty => $($name:literal),+;)*) => {
        $($(#[$attribute])* impl Exact for $type {
            const DTYPES: &'static [&'static str] = &[$($name),+];
        })*

        /// Checks all of them; says how many dtypes those were.
        fn check_exactly_one(method: u16) -> usize {
            let mut checked = 0;
            $($(#[$attribute])* {
                <$type>::DTYPES.iter().for_each(|dtype| check_exactly_one_of::<$type>(dtype, method));
                checked += <$type>::DTYPES.len();
            })*
            checked
        }
    };
}

exact! {
    bool => "|b1";
    u8 => "|u1";
    i8 => "|i1";
    u16 => "<u2", ">u2";
    i16 => "<i2", ">i2";
    u32 => "<u4", ">u4";
    i32 => "<i4", ">i4";
    u64 => "<u8", ">u8";
    i64 => "<i8", ">i8";
    #[cfg(feature = "half")] half::f16 => "<f2", ">f2";
    f32 => "<f4", ">f4";
    f64 => "<f8", ">f8";
    Complex<f32> => "<c8", ">c8";
    Complex<f64> => "<c16", ">c16";
    FixedBytes<5> => "|S5";
    FixedStr<3> => "<U3", ">U3";
    Unaligned<f64> => "<f8", ">f8";
}

/// An archive of one array, compressed by the method of this number (APPNOTE 4.4.5). Decoders' windows and blocks are
/// smaller than the array.
fn compressed(content: &[u8], method: u16) -> Vec<u8> {
    let (method, level) = match method {
        0 => (CompressionMethod::Stored, None),
        8 => (CompressionMethod::Deflated, Some(1)),
        #[cfg(all(feature = "methods", feature = "zstd"))]
        12 => (CompressionMethod::Bzip2, Some(1)),
        #[cfg(all(feature = "methods", feature = "zstd"))]
        93 => (CompressionMethod::Zstd, Some(1)),
        #[cfg(all(feature = "methods", feature = "zstd"))]
        14 => {
            let mut entry = stored("a.npy", content);
            entry.data = forge::lzma(content);
            entry.header.method = 14;
            entry.header.compressed_size = entry.data.len().try_into().unwrap();
            return Archive::new(vec![entry]).bytes();
        }
        method => panic!("{method}"),
    };
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method).compression_level(level);
    writer.start_file("a.npy", options).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

/// About the bytes of a smaller and a larger array: what it costs to copy one more than the other is what grows.
const SIZES: [usize; 2] = [6_000, 10_000];

fn check_exactly_one_of<T: Exact>(dtype: &str, method: u16) {
    for order in orders() {
        let [smaller, larger] = SIZES.map(|size| {
            let rows = size / 2 / size_of::<T>();
            let payload = bits(rows * 2 * size_of::<T>());
            let content = array(dtype, &[rows, 2], order, &payload);
            (compressed(&content, method), payload.len())
        });
        let copy = |npz: &Npz<&[u8]>, size: usize| {
            let (array, read) = cost_of(smaller.1, || npz.read::<T, Ix2>("a").unwrap());
            let (got, get) = cost_of(smaller.1, || npz.get::<T, Ix2>("a").unwrap());
            assert_eq!((&got, read.live), (&array.view().into(), size as isize), "{dtype} {order:?}");
            (read, got.is_owned().then_some(get))
        };
        let (constant, _) = copy(&Npz::new(&smaller.0[..]).unwrap(), smaller.1);
        // What is beside the array does not depend on it.
        let grown = larger.1 as isize - smaller.1 as isize;
        let expected = Cost { live: larger.1 as isize, peak: constant.peak + grown, ..constant };
        let mut opened = Opened::new(&larger.0);
        let mut borrowed = 0;
        for shift in 1..=64 {
            opened.shift(shift);
            let (read, got) = copy(&Npz::new(opened.bytes()).unwrap(), larger.1);
            // LZMA's decoder hands out its window in pieces, the more of them the more there is.
            let expected = if method == 14 { Cost { allocations: read.allocations, ..expected } } else { expected };
            assert_eq!(read, expected, "{dtype} {order:?} {method} {shift}");
            // `get` decides first, for which it decodes the header, and then does as `read` does.
            match got {
                Some(get) => {
                    assert_eq!((get.live, get.peak), (expected.live, expected.peak), "{dtype} {order:?} {shift}")
                }
                None => borrowed += 1,
            }
        }
        let native = "|<".contains(&dtype[..1]);
        let every = if method == 0 && native { 64 / align_of::<T>() } else { 0 };
        assert_eq!(borrowed, every, "{dtype} {order:?}");
    }
}

#[test]
fn a_copy_of_a_stored_array_of_any_dtype_is_exactly_one_buffer_from_every_address() {
    assert!(check_exactly_one(0) >= 28);
}

#[test]
fn a_copy_of_a_deflated_array_of_any_dtype_is_exactly_one_buffer_from_every_address() {
    assert!(check_exactly_one(8) >= 28);
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn a_copy_of_a_bzip2_array_of_any_dtype_is_exactly_one_buffer_from_every_address() {
    assert!(check_exactly_one(12) >= 28);
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn a_copy_of_an_lzma_array_of_any_dtype_is_exactly_one_buffer_from_every_address() {
    assert!(check_exactly_one(14) >= 28);
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn a_copy_of_a_zstd_array_of_any_dtype_is_exactly_one_buffer_from_every_address() {
    assert!(check_exactly_one(93) >= 28);
}

/// The bytes of an array whose elements are all of one size.
struct Nbytes;

impl Visitor for Nbytes {
    type Output = usize;

    fn numbers<T: Element + Debug + Display + PartialEq>(self, array: ArrayD<T>) -> usize {
        array.len() * size_of::<T>()
    }

    fn other(self, array: AnyArray) -> usize {
        match array {
            AnyArray::Datetime { counts, .. } | AnyArray::Timedelta { counts, .. } => counts.len() * 8,
            AnyArray::Raw(raw) => raw.bytes().len(),
            other => panic!("{other:?}"),
        }
    }
}

/// What dtypes come as when they are known only at run time: numbers, dates, bytes of no kind, records. Strings become
/// two buffers, for which see below.
const ANY: [&str; 16] = [
    "|b1", "|i1", "<u2", ">i4", "<i8", ">u8", "<f2", "<f4", ">f8", "<c8", ">c16", "<f16", "<M8[ns]", ">m8[25s]", "|V2",
    "|V16",
];
/// Every 16 bytes; the second is the one that is taken by itself.
const RECORD: &str = "[('id', '<u4'), ('at', '>i2'), ('x', '<f8'), ('tag', '|S2')]";

/// Copies of the whole, of rows and of a field take one allocation as large as what they give, and what decodes it.
fn check_one_large(dtype: &str, payload: &[u8], method: u16, state: isize) -> usize {
    let dtype: Dtype = dtype.parse().unwrap();
    let rows = payload.len() / 2 / dtype.item_size();
    let mut checked = 0;
    for order in orders() {
        let header = Header::new(dtype.clone(), &[rows, 2], order).unwrap();
        let content = [&header.to_bytes(), payload].concat();
        let opened = Opened::new(&compressed(&content, method));
        let (in_memory, by_position) = (Npz::new(opened.bytes()).unwrap(), Npz::open(opened.file.path()).unwrap());
        let mut check = |what: &str, expected: usize, beside: isize, copy: &dyn Fn() -> usize| {
            let (nbytes, cost) = cost_of(expected, copy);
            assert_eq!((nbytes, cost.large, cost.live), (expected, 1, 0), "{dtype} {order:?} {method} {what} {cost:?}");
            let most = nbytes as isize + state + beside;
            assert!(cost.peak <= most, "{dtype} {order:?} {method} {what} {cost:?} {most}");
            checked += 1;
        };
        macro_rules! check {
            ($what:literal, $expected:expr, |$npz:ident| $copy:expr) => {
                let ($npz, expected) = (&in_memory, $expected);
                check(concat!($what, " in memory"), expected, 0, &|| $copy);
                let $npz = &by_position;
                check(concat!($what, " by position"), expected, INPUT, &|| $copy);
            };
        }
        check!("read_any", payload.len(), |npz| npz.read_any("a").unwrap().visit(Nbytes));
        let half = rows / 4..rows / 4 + rows / 2;
        check!("read_rows_any", half.len() * 2 * dtype.item_size(), |npz| {
            npz.array("a").unwrap().rows(half.clone()).unwrap().read_any().unwrap().visit(Nbytes)
        });
        if let Dtype::Record(_) = &dtype {
            check!("read_field", rows * 2 * 8, |npz| npz
                .array("a")
                .unwrap()
                .field("x")
                .unwrap()
                .read::<f64, Ix2>()
                .unwrap()
                .len()
                * 8);
        }
        if method != 0 {
            check!("bytes", content.len(), |npz| npz.member("a").unwrap().bytes().unwrap().len());
        }
        let plain = Npy::new(&content[..]).unwrap();
        check("a plain file", payload.len(), 0, &|| plain.read_any().unwrap().visit(Nbytes));
        check("rows of a plain file", half.len() * 2 * dtype.item_size(), 0, &|| {
            plain.array().unwrap().rows(half.clone()).unwrap().read_any().unwrap().visit(Nbytes)
        });
    }
    checked
}

#[test]
fn whatever_is_known_only_at_run_time_is_copied_into_exactly_one_buffer() {
    let payload = bits(2 << 20);
    // What is skipped of compressed data is decoded into a block.
    for (method, state) in [(0, STORED.state + (64 << 10)), (8, DEFLATED.state + (512 << 10))] {
        let checked: usize = ANY.iter().map(|dtype| check_one_large(dtype, &payload, method, state)).sum();
        assert_eq!(checked, ANY.len() * 2 * if method == 0 { 6 } else { 8 });
        assert_eq!(check_one_large(RECORD, &payload, method, state), 2 * if method == 0 { 8 } else { 10 });
    }
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn records_by_other_methods_are_copied_into_exactly_one_buffer_beside_the_decoder() {
    // LZMA's window is as large as what it decodes: see below.
    for method in [12, 93] {
        assert_eq!(check_one_large(RECORD, &bits(2 << 20), method, 4 << 20), 20);
    }
}

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn a_zstd_window_that_lies_costs_no_more_than_zstd_allows() {
    // A frame (RFC 8878) of one raw block, with a window of 2^27 bytes, and then of 2^31.
    let content = array("|u1", &[1], Order::C, &[7]);
    let block = u32::try_from(content.len() << 3 | 1).unwrap().to_le_bytes();
    let archive = |log: u8| {
        let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3], &block[..3], &content].concat();
        let mut entry = stored("a.npy", &content);
        entry.header.method = 93;
        entry.header.compressed_size = frame.len().try_into().unwrap();
        entry.data = frame;
        Archive::new(vec![entry]).bytes()
    };
    let bytes = archive(27);
    let npz = Npz::new(&bytes[..]).unwrap();
    let (array, cost) = cost(|| npz.read::<u8, Ix1>("a").unwrap());
    assert_eq!(array.to_vec(), [7]);
    assert!(cost.peak <= (129 << 20), "{cost:?}");
    let bytes = archive(31);
    let npz = Npz::new(&bytes[..]).unwrap();
    let (error, cost) = self::cost(|| npz.read::<u8, Ix1>("a").unwrap_err());
    assert!(matches!(error.kind(), ErrorKind::BadStream { .. }), "{error}");
    assert!(cost.peak <= (1 << 20), "{cost:?}");
}

/// 65,536 zeros of type `<f8`, as Python's `zipfile` encodes them by LZMA.
#[cfg(all(feature = "methods", feature = "zstd"))]
const LZMA: &str = "090405005d0000800000499386a4ded382796a5b0d233836ab9d9d4c4deee36dc31deb67bddaee1ca440baf899d7492726e\
2172d796933396e472536bcfcfc950897f819740b56b7e42364607503305b332125141b8ea828798df7a0020e72b59ad617fbd17e91f38fcd2916acc\
81dd975c19f0e989c859697f209183a07a0146500f03caeb1731eb49db70ea8aba0d25ff4d2ca57a04b68bb11e3841210cde879894825ab7ebdb7083\
eb6329ae7442bb95c467299da003ead26c040008fb5195a5539e1bda23e56657e48f4d07456839c046eccbdd9e88aad972df4c59eacb787fffeab51c0";

#[test]
#[cfg(all(feature = "methods", feature = "zstd"))]
fn a_copy_by_lzma_is_one_allocation_beside_the_window_which_is_no_larger_than_the_array() {
    let payload = vec![0; 65_536 * 8];
    let content = array("<f8", &[65_536], Order::C, &payload);
    let digits: Vec<u8> = LZMA.bytes().collect();
    let coded = digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
    let mut entry = stored("a.npy", &content);
    entry.data = coded.collect();
    (entry.header.method, entry.header.flags) = (14, 2);
    entry.header.compressed_size = entry.data.len().try_into().unwrap();
    let declared = |dictionary: u32| {
        let mut entry = entry.clone();
        entry.data[5..9].copy_from_slice(&dictionary.to_le_bytes());
        Archive::new(vec![entry]).bytes()
    };
    // A window of 8 MiB as it was written, and the largest that can be: neither is what is allocated.
    for dictionary in [8 << 20, 0xffff_fff0] {
        let bytes = declared(dictionary);
        let npz = Npz::new(&bytes[..]).unwrap();
        let (array, cost) = cost(|| npz.read::<f64, Ix1>("a").unwrap());
        assert_eq!((array.len(), array.sum()), (65_536, 0.0));
        assert!(cost.peak <= 3 * payload.len() as isize, "{cost:?}");
    }
}

#[test]
fn bytes_and_any_and_strings_are_copied_once_too() {
    let payload = bits(40_000 * 8);
    let text: Vec<u8> = "abcd".bytes().cycle().take(40_000 * 8).collect();
    let members = [
        ("a.npy", CompressionMethod::Deflated, array("<f8", &[40_000], Order::C, &payload)),
        ("s.npy", CompressionMethod::Deflated, array("|S8", &[40_000], Order::C, &text)),
    ];
    let opened = Opened::new(&archive(&members));
    let npz = Npz::new(opened.bytes()).unwrap();
    let size = payload.len() as isize;
    let (any, cost) = cost_of(payload.len(), || npz.read_any("a").unwrap());
    assert_eq!((any.shape(), cost.large), (&[40_000][..], 1));
    assert!(cost.peak <= size + DEFLATED.state, "{cost:?}");
    let (bytes, cost) = cost_of(payload.len(), || npz.member("a").unwrap().bytes().unwrap());
    assert_eq!((bytes.len(), cost.large), (payload.len() + 128, 1));
    assert!(cost.peak <= size + 128 + DEFLATED.state, "{cost:?}");
    // Strings are one allocation each, and one for all of them.
    let (strings, cost) = cost_of(payload.len(), || npz.array("s").unwrap().strings().unwrap());
    assert_eq!((strings.len(), &*strings[39_999]), (40_000, "abcdabcd"));
    assert_eq!(cost.live, 40_000 * (size_of::<String>() as isize + 8), "{cost:?}");
    assert!(cost.peak <= cost.live + size + DEFLATED.state, "{cost:?}");
    assert!(cost.large <= 2, "{cost:?}");
}

#[test]
fn verifying_reads_through_a_buffer() {
    let payload = bits(4 << 20);
    for way in [STORED, DEFLATED] {
        let content = array("|u1", &[payload.len()], Order::C, &payload);
        let opened = Opened::new(&archive(&[("a.npy", way.method, content)]));
        let (in_memory, by_position) = (Npz::new(opened.bytes()).unwrap(), Npz::open(opened.file.path()).unwrap());
        let (_, memory) = cost(|| in_memory.verify().unwrap());
        let (_, position) = cost(|| by_position.verify().unwrap());
        assert!(memory.peak <= way.state + (512 << 10), "{way:?} {memory:?}");
        assert!(position.peak <= way.state + (512 << 10) + INPUT, "{way:?} {position:?}");
    }
}

#[test]
fn reading_into_memory_that_is_there_allocates_nothing_that_grows() {
    let cases = |way: CompressionMethod, rows: usize| {
        let members = [
            ("f4.npy", way, array("<f4", &[rows, 2], Order::C, &bits(rows * 8))),
            ("be.npy", way, array(">f4", &[rows, 2], Order::C, &bits(rows * 8))),
            ("f.npy", way, array("<f4", &[rows, 2], Order::Fortran, &bits(rows * 8))),
            ("b1.npy", way, array("|b1", &[rows, 2], Order::C, &bits(rows * 2))),
        ];
        let opened = Opened::new(&archive(&members));
        let mut costs = Vec::new();
        let mut numbers = Array2::<f32>::zeros((rows, 2));
        let mut in_columns = Array2::<f32>::zeros((rows, 2).f());
        let mut bools = Array2::from_elem((rows, 2), false);
        let (in_memory, by_position) = (Npz::new(opened.bytes()).unwrap(), Npz::open(opened.file.path()).unwrap());
        macro_rules! each {
            ($what:literal, $key:literal, $destination:expr) => {
                costs.push(($what, cost(|| in_memory.array($key).unwrap().read_into($destination).unwrap()).1));
                costs.push(($what, cost(|| by_position.array($key).unwrap().read_into($destination).unwrap()).1));
            };
        }
        each!("in order", "f4", numbers.view_mut());
        each!("swapped", "be", numbers.view_mut());
        each!("in Fortran order", "f", in_columns.view_mut());
        each!("across", "f4", in_columns.view_mut());
        each!("checked", "b1", bools.view_mut());
        costs
    };
    for way in [STORED, DEFLATED] {
        let small = cases(way.method, 100_000);
        let large = cases(way.method, 400_000);
        for ((what, small), (_, large)) in small.into_iter().zip(large) {
            assert_eq!((small.allocations, small.live), (large.allocations, 0), "{what} {small:?} {large:?}");
            // Of compressed data as much is read at once as there is, up to a limit.
            if way.method == CompressionMethod::Stored {
                assert_eq!(small.peak, large.peak, "{what} {small:?} {large:?}");
            }
            let block = if matches!(what, "across" | "checked") { 64 << 10 } else { 0 };
            assert!(large.peak <= way.state + INPUT + block, "{what} {large:?}");
        }
    }
}

#[test]
fn rows_allocate_the_rows() {
    let (rows, columns) = (10_000, 50);
    let payload = bits(rows * columns * 8);
    for order in orders() {
        for way in [STORED, DEFLATED] {
            let content = array("<f8", &[rows, columns], order, &payload);
            let opened = Opened::new(&archive(&[("a.npy", way.method, content)]));
            let (in_memory, by_position) = (Npz::new(opened.bytes()).unwrap(), Npz::open(opened.file.path()).unwrap());
            for part in [0..10, 5_000..7_500, 9_999..10_000, 100..9_900, 0..10_000] {
                let nbytes = part.len() * columns * 8;
                let copy = [
                    cost_of(nbytes, || {
                        in_memory.array("a").unwrap().rows(part.clone()).unwrap().read::<f64, Ix2>().unwrap()
                    }),
                    cost_of(nbytes, || {
                        by_position.array("a").unwrap().rows(part.clone()).unwrap().read::<f64, Ix2>().unwrap()
                    }),
                ];
                let whole = in_memory.read::<f64, Ix2>("a").unwrap();
                for (which, (array, cost)) in copy.into_iter().enumerate() {
                    assert_eq!(array, whole.slice(ndarray::s![part.clone(), ..]));
                    let by_position = which == 1;
                    let beside = match way.method {
                        // Pieces of columns that lie close are read together.
                        CompressionMethod::Stored if by_position && order == Order::Fortran && part.len() < rows => {
                            1 << 20
                        }
                        CompressionMethod::Stored => 0,
                        // What lies between is decoded into a block.
                        _ if by_position => INPUT + (512 << 10),
                        _ => 512 << 10,
                    };
                    let most = nbytes as isize + way.state + beside;
                    assert!(cost.peak <= most, "{order:?} {way:?} {by_position} {part:?} {cost:?} {most}");
                    assert_eq!(cost.live, nbytes as isize);
                }
            }
        }
    }
}

/// The error of each verb that takes an array of bytes, and that it took next to nothing.
fn refused<S: Source>(npz: &Npz<S>, key: &str, most: isize, is: impl Fn(&ErrorKind) -> bool) {
    type Verb<'a, S> = (&'static str, &'a dyn Fn(&Npz<S>) -> Result<()>);
    let verbs: [Verb<'_, S>; 6] = [
        ("read", &|npz| npz.read::<u8, IxDyn>(key).map(drop)),
        ("get", &|npz| npz.get::<u8, IxDyn>(key).map(drop)),
        ("read_any", &|npz| npz.read_any(key).map(drop)),
        ("read_as", &|npz| {
            npz.array(key).and_then(|array| array.reinterpret::<bool>()?.read::<bool, IxDyn>()).map(drop)
        }),
        ("read_rows", &|npz| {
            let rows = npz.member(key)?.header().map_or(0, |header| header.shape()[0]);
            npz.array(key).and_then(|array| array.rows(0..rows)?.read::<u8, IxDyn>()).map(drop)
        }),
        ("strings", &|npz| match npz.array(key).and_then(|array| array.strings()) {
            Err(error) if matches!(error.kind(), ErrorKind::DtypeMismatch { .. }) => npz.read_any(key).map(drop),
            strings => strings.map(drop),
        }),
    ];
    for (verb, work) in verbs {
        let (result, cost) = cost(|| work(npz));
        let error = result.expect_err(verb);
        assert!(is(error.kind()), "{verb} {error:?}");
        assert!(cost.peak <= most, "{verb} {error} {cost:?}");
        drop(error);
    }
}

/// The same in memory and by position.
fn refused_by_both(bytes: &[u8], options: OpenOptions, most: isize, is: impl Fn(&ErrorKind) -> bool) {
    let opened = Opened::new(bytes);
    refused(&options.source(opened.bytes()).unwrap(), "a", most, &is);
    refused(&options.open(opened.file.path()).unwrap(), "a", most + INPUT, &is);
}

pub(crate) const LITTLE: isize = 64 << 10;

#[test]
fn a_shape_that_lies_allocates_nothing() {
    for (shape, count) in [("(1099511627776,)", 1_u64 << 40), ("(65536, 65536, 16)", 1 << 36), ("(2000,)", 2000)] {
        let lies =
            |kind: &ErrorKind| matches!(kind, ErrorKind::PayloadLength { found: 1000, expected } if *expected == count);
        let content = npy("'|u1'", shape, &bits(1000));
        refused_by_both(&Archive::new(vec![stored("a.npy", &content)]).bytes(), OpenOptions::new(), LITTLE, lies);
        refused_by_both(&Archive::new(vec![deflated("a.npy", &content)]).bytes(), OpenOptions::new(), LITTLE, lies);
    }
}

#[test]
fn a_header_length_that_lies_allocates_nothing() {
    // It says 4 GiB, and there are 1,000 bytes.
    let mut content = preamble((2, 0), "{'descr': '|u1', ");
    content[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    content.resize(1000, b' ');
    let lies = |kind: &ErrorKind| matches!(kind, ErrorKind::HeaderLength { .. });
    refused_by_both(&Archive::new(vec![stored("a.npy", &content)]).bytes(), OpenOptions::new(), LITTLE, lies);
    refused_by_both(&Archive::new(vec![deflated("a.npy", &content)]).bytes(), OpenOptions::new(), LITTLE, lies);
    // There are as many as it says, but more than the limit.
    let mut content = preamble((2, 0), "{'descr': '|u1', ");
    content[8..12].copy_from_slice(&(2_u32 << 20).to_le_bytes());
    content.resize(3 << 20, b' ');
    let long = |kind: &ErrorKind| matches!(kind, ErrorKind::LimitExceeded { found, .. } if *found == 2 << 20);
    refused_by_both(&Archive::new(vec![stored("a.npy", &content)]).bytes(), OpenOptions::new(), LITTLE, long);
    refused_by_both(&Archive::new(vec![deflated("a.npy", &content)]).bytes(), OpenOptions::new(), LITTLE, long);
}

#[test]
fn a_member_that_decodes_to_more_than_the_limit_allocates_nothing_large() {
    let size = 3 << 20;
    let content = array("|u1", &[size], Order::C, &vec![0; size]);
    let bytes = Archive::new(vec![deflated("a.npy", &content)]).bytes();
    let options = OpenOptions::new().limits(Limits::new().max_decoded_bytes(1 << 20));
    let over = |kind: &ErrorKind| matches!(kind, ErrorKind::LimitExceeded { limit: 0x10_0000, .. });
    refused_by_both(&bytes, options, LITTLE, over);
    let npz = options.source(&bytes[..]).unwrap();
    let (error, cost) = cost(|| npz.member("a").unwrap().bytes().unwrap_err());
    assert!(over(error.kind()) && cost.peak <= LITTLE, "{error} {cost:?}");
    // It says where the member is.
    assert_eq!(error.offset(), Some(30 + 5));
    // A part that is within it reads.
    assert_eq!(npz.array("a").unwrap().rows(100..200).unwrap().read::<u8, Ix1>().unwrap().len(), 100);
}

#[test]
fn a_deflated_member_that_declares_more_than_deflate_can_allocates_nothing() {
    let lie = |ratio: usize| {
        // One block of 128 bytes and one. The header is true to the size that is declared.
        let size = (5 + 128 + 1) * ratio;
        let content = npy("'|u1'", &format!("({},)", size - 128), &[7]);
        let mut entry = deflated("a.npy", &content);
        assert_eq!((entry.data.len(), content.len()), (134, 129));
        entry.header.size = size.try_into().unwrap();
        (Archive::new(vec![entry]).bytes(), size)
    };
    let (bytes, _) = lie(1033);
    let implausible = |kind: &ErrorKind| matches!(kind, ErrorKind::ImplausibleSize { .. });
    refused_by_both(&bytes, OpenOptions::new(), LITTLE, implausible);
    // What deflate could do is allocated once, lazily, and is gone when the stream ends before it.
    let (bytes, size) = lie(1032);
    let npz = Npz::new(&bytes[..]).unwrap();
    let (error, cost) = cost_of(LITTLE.cast_unsigned(), || npz.read::<u8, Ix1>("a").unwrap_err());
    assert!(matches!(error.kind(), ErrorKind::BadStream { .. }), "{error}");
    assert_eq!(cost.large, 1, "{cost:?}");
    assert!(cost.peak <= size as isize + LITTLE, "{cost:?}");
}

#[test]
fn fields_of_a_member_that_decodes_to_more_than_the_limit_are_refused() {
    let records = "[('id', '<u4'), ('at', '<f4', (3,))]";
    let content = array(records, &[200_000], Order::C, &vec![0; 200_000 * 16]);
    let bytes = Archive::new(vec![deflated("a.npy", &content)]).bytes();
    let npz = OpenOptions::new().limits(Limits::new().max_decoded_bytes(1 << 20)).source(&bytes[..]).unwrap();
    // The field alone is 2,400,000 bytes.
    let (result, cost) =
        cost(|| npz.array("a").and_then(|array| array.field("at")?.read::<f32, Ix2>()).map(|field| field.len()));
    let error = result.expect_err("2,400,000 bytes are more than the limit");
    assert!(matches!(error.kind(), ErrorKind::LimitExceeded { .. }), "{error}");
    assert!(cost.peak <= LITTLE, "{cost:?}");
    // One that is within the limit reads.
    assert_eq!(npz.array("a").unwrap().field("id").unwrap().read::<u32, Ix1>().unwrap().len(), 200_000);
}

#[test]
fn strings_are_held_against_the_limit_as_what_they_become() {
    // Of 600,000 bytes, 14,400,000: a `String` takes 24.
    let content = array("|S1", &[600_000], Order::C, &vec![0; 600_000]);
    let bytes = Archive::new(vec![deflated("a.npy", &content)]).bytes();
    let npz = OpenOptions::new().limits(Limits::new().max_decoded_bytes(1 << 20)).source(&bytes[..]).unwrap();
    for read in [&(|| npz.array("a").and_then(|array| array.strings()).map(drop)) as &dyn Fn() -> Result<()>, &|| {
        npz.read_any("a").map(drop)
    }] {
        let (result, cost) = cost(read);
        let error = result.expect_err("14,400,000 bytes are more than the limit");
        assert!(matches!(error.kind(), ErrorKind::LimitExceeded { .. }), "{error}");
        assert!(cost.peak <= LITTLE, "{cost:?}");
    }
    // As bytes they are within it.
    assert_eq!(npz.read::<FixedBytes<1>, Ix1>("a").unwrap().len(), 600_000);
}

#[test]
fn hostile_directories_cost_no_more_than_their_size_and_sixty_bytes_a_member() {
    const COUNT: usize = 40_000;
    let mut over = Vec::new();
    let mut measure = |what: &str, archive: &Archive| {
        let bytes = archive.bytes();
        let (npz, cost) = cost(|| Npz::new(&bytes[..]).unwrap());
        assert_eq!(npz.len(), COUNT);
        let most = 60 * COUNT as isize + archive.end.size as isize + (64 << 10);
        if cost.peak > most {
            over.push(format!("{what}: {} of {} bytes a member", cost.peak / COUNT as isize, most / COUNT as isize));
        }
    };
    let name = |number: usize| format!("{number:05}.npy");

    let (sound, _) = many(COUNT, name);
    measure("all sound", &sound);
    measure("all of one name", &many(COUNT, |_| "a.npy".to_owned()).0);

    let mut archive = sound.clone();
    archive.records.reverse();
    measure("in reverse", &archive);

    let mut archive = sound.clone();
    for (number, record) in archive.records.iter_mut().enumerate() {
        record.name = format!("{number:05}\0npy").into();
    }
    measure("all with NUL", &archive);

    let mut archive = sound.clone();
    for (number, record) in archive.records.iter_mut().enumerate() {
        let checksum = crc32fast::hash(&record.name).to_le_bytes();
        record.extra = forge::extra(0x7075, &[&[1], &checksum[..], format!("x{number:05}").as_bytes()].concat());
    }
    archive.lay_out();
    measure("all renamed", &archive);
    archive.records.iter_mut().for_each(|record| record.extra = record.extra.repeat(50));
    archive.lay_out();
    measure("all renamed by many fields", &archive);

    let mut archive = sound.clone();
    archive.records.iter_mut().for_each(|record| (record.offset, record.size, record.compressed_size) = (0, 0, 0));
    measure("all at one place", &archive);

    let mut archive = sound.clone();
    for record in &mut archive.records {
        (record.size, record.compressed_size) = (100, 100);
    }
    measure("all reaching into the next", &archive);

    let mut archive = sound.clone();
    for record in &mut archive.records {
        (record.size, record.compressed_size) = (100, 100);
    }
    archive.records.reverse();
    measure("all reaching into the next, in reverse", &archive);

    let mut archive = sound.clone();
    archive.records.iter_mut().for_each(|record| record.name = b"\xff".to_vec());
    archive.records.iter_mut().for_each(|record| record.flags |= 1 << 11);
    archive.lay_out();
    measure("none in UTF-8", &archive);

    assert!(over.is_empty(), "{over:#?}");
}

#[test]
fn misaligned_is_why_a_stored_array_is_copied_here() {
    // What the tests above rest on: most shifts are no multiple of the alignment.
    let content = array("<f8", &[5_000, 3], Order::C, &bits(5_000 * 24));
    let mut opened = Opened::new(&archive(&[("a.npy", CompressionMethod::Stored, content)]));
    let mut copied = 0;
    for shift in 1..64 {
        opened.shift(shift);
        let npz = Npz::new(opened.bytes()).unwrap();
        let access = npz.member("a").unwrap().array().unwrap().access::<f64>().unwrap();
        copied += usize::from(matches!(access, Access::Copy(Reason::Misaligned { required: 8, .. })));
    }
    assert_eq!(copied, 56);
    assert_eq!("<f8".parse::<Dtype>().unwrap().alignment(), 8);
}

#[test]
fn a_field_of_items_that_are_larger_than_any_block_costs_its_values() {
    const GAP: usize = 200_000;
    let descr = format!("[('a', '<u4'), ('gap', '|V{GAP}'), ('m', '<u2', (3,))]");
    let item = 4 + GAP + 6;
    let mut payload = vec![0xaa; 2 * item];
    for (number, item) in payload.chunks_exact_mut(item).enumerate() {
        item[..4].copy_from_slice(&(7 + number as u32).to_le_bytes());
        item[4 + GAP..].copy_from_slice(&[1, 0, 2, 0, 3 + number as u8, 0]);
    }
    let content = array(&descr, &[2], Order::C, &payload);
    let options = OpenOptions::new().limits(Limits::new().max_decoded_bytes(64));
    let ways = [(CompressionMethod::Stored, 0), (CompressionMethod::Deflated, 512 << 10)];
    for (method, state) in ways {
        let opened = Opened::new(&archive(&[("r.npy", method, content.clone())]));
        let check = |read: &dyn Fn() -> (Array1<u32>, Array2<u16>), beside: isize| {
            let ((a, m), cost) = cost(read);
            assert_eq!((a.to_vec(), m), (vec![7, 8], ndarray::array![[1, 2, 3], [1, 2, 4]]));
            assert!(cost.peak <= LITTLE + state + beside, "{method} {cost:?}");
        };
        let in_memory = options.source(opened.bytes()).unwrap();
        let by_position = options.open(opened.file.path()).unwrap();
        check(
            &|| {
                (
                    in_memory.array("r").unwrap().field("a").unwrap().read().unwrap(),
                    in_memory.array("r").unwrap().field("m").unwrap().read().unwrap(),
                )
            },
            0,
        );
        check(
            &|| {
                (
                    by_position.array("r").unwrap().field("a").unwrap().read().unwrap(),
                    by_position.array("r").unwrap().field("m").unwrap().read().unwrap(),
                )
            },
            INPUT,
        );
    }
}

#[test]
fn a_field_of_items_that_are_not_there_costs_nothing() {
    // Two billion bytes an item, and none of them.
    let content = npy("[('a', '<f4'), ('b', '|V2000000000')]", "(0,)", &[]);
    for entry in [stored("r.npy", &content), deflated("r.npy", &content)] {
        let bytes = Archive::new(vec![entry]).bytes();
        let npz = Npz::new(&bytes[..]).unwrap();
        let (array, cost) = cost(|| npz.array("r").unwrap().field("a").unwrap().read::<f32, Ix1>().unwrap());
        assert_eq!(array.len(), 0);
        assert!(cost.peak <= LITTLE, "{cost:?}");
    }
}

/// A sink that keeps nothing.
struct Nowhere;

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn members_that_are_copied_are_held_up_to_64_mebibytes_and_never_beyond_the_limit() {
    let large = Archive::new(vec![deflated("a", &vec![7; (64 << 20) + 1])]).bytes();
    let small = Archive::new(vec![deflated("a", &vec![7; 4 << 20])]).bytes();
    let limited = OpenOptions::new().limits(Limits::new().max_decoded_bytes(1 << 20));
    let (store, level_0) = (MemberOptions::new().store(), MemberOptions::new().deflate(0));
    for (bytes, options, copied) in
        [(&large, OpenOptions::new(), store), (&large, OpenOptions::new(), level_0), (&small, limited, store)]
    {
        let npz = options.source(bytes).unwrap();
        let copy = || cost(|| NpzWriter::stream(Nowhere).copy_many(&npz, copied).unwrap());
        // On one thread, which is the one that is counted.
        #[cfg(feature = "rayon")]
        let (ends, cost) = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(copy);
        #[cfg(not(feature = "rayon"))]
        let (ends, cost) = copy();
        assert!(ends[0] >= npz.member("a").unwrap().size(), "{copied:?}: {ends:?}");
        assert!(cost.peak < 3 << 20, "{copied:?}: {} bytes", cost.peak);
    }
}

/// Beside an array that is read by position stands a block of it, or a few rows, whatever its size.
#[cfg(feature = "rayon")]
#[test]
fn what_a_thread_holds_beside_an_array_is_less_than_two_mebibytes() {
    let shape = (64, 1 << 16); // 16 MiB
    let numbers = Array2::from_shape_fn(shape, |(row, column)| (row << 16 | column) as u32);
    let mut w = NpzWriter::stream(Vec::new());
    w.add("c", &numbers).unwrap();
    w.add("f", &Array2::from_shape_fn(shape.f(), |(row, column)| (row << 16 | column) as u32)).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&w.finish().unwrap()).unwrap();
    let npz = Npz::open(file.path()).unwrap();
    let most = 2 << 20;
    for key in ["c", "f"] {
        let (mut same, mut across) = (Array2::<u32>::zeros(shape), Array2::<u32>::zeros(shape.f()));
        crate::split::with_threads(1, || {
            for destination in [&mut same, &mut across] {
                let ((), held) = cost(|| npz.array(key).unwrap().read_into(destination.view_mut()).unwrap());
                assert!(held.peak < most, "{key}: {held:?}");
                assert!(*destination == numbers, "{key}");
            }
            let (read, held) = cost(|| npz.read::<u32, Ix2>(key).unwrap());
            assert!(held.peak < (16 << 20) + most, "{key}: {held:?}");
            assert!(read == numbers, "{key}");
            let (rows, held) = cost(|| npz.array(key).unwrap().rows(1..63).unwrap().read::<u32, Ix2>().unwrap());
            assert!(held.peak < 62 * (4 << 16) + most, "{key}: {held:?}");
            assert!(rows == numbers.slice(ndarray::s![1..63, ..]), "{key}");
        });
    }
}
