//! Every archive of `tests/data`, member by member, against what NumPy reads from it (`expected.json`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bytemuck::Pod;
use ndarray::{Array, ArrayD, ArrayViewD, IxDyn, ShapeBuilder, Slice};
use npzmap::num_complex::Complex;
use npzmap::{
    Access, Dtype, Element, ErrorKind, Fault, Header, Mapping, Member, Method, Npz, Order, ReadAt, Reason, Result,
    Source, Unaligned,
};
use serde_json::Value;

use crate::fixtures::{self, EXPECTED};

#[test]
fn archives_in_memory_are_what_numpy_reads() {
    check_all(|file| Npz::new(fixtures::bytes(file)));
}

#[test]
fn archives_by_position_are_what_numpy_reads() {
    check_all(|file| Npz::open(fixtures::path(file)));
}

#[test]
fn archives_in_a_map_are_what_numpy_reads() {
    check_all(map);
}

#[expect(unsafe_code, reason = "mapping a file is a promise about it")]
fn map(file: &str) -> Result<Npz<Mapping>> {
    // SAFETY: nobody writes to the fixtures of this repository while they are tested.
    unsafe { Npz::map(fixtures::path(file)) }
}

/// The three ways to open an archive; two of them can lend.
trait Opening: Source + Sized {
    fn view<'a, T: Element>(member: &Member<'a, Self>) -> Option<Result<ArrayViewD<'a, T>>>;
}

impl Opening for ReadAt {
    fn view<'a, T: Element>(_: &Member<'a, Self>) -> Option<Result<ArrayViewD<'a, T>>> {
        None
    }
}

impl Opening for Vec<u8> {
    fn view<'a, T: Element>(member: &Member<'a, Self>) -> Option<Result<ArrayViewD<'a, T>>> {
        Some(member.array().and_then(|array| array.view()))
    }
}

impl Opening for Mapping {
    fn view<'a, T: Element>(member: &Member<'a, Self>) -> Option<Result<ArrayViewD<'a, T>>> {
        Some(member.array().and_then(|array| array.view()))
    }
}

/// What can be had of a member today. Each is in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Taken {
    /// An array of numbers.
    Numbers,
    /// An array of strings.
    Strings,
    /// Byte strings that are not UTF-8.
    BadText,
    /// Items of no bytes: header alone.
    NoBytes,
    /// Header and bytes: dates, half and extended floats, void, records.
    Bits,
    /// Python objects: header alone.
    Pickled,
    /// Content that is no array.
    Raw,
    /// Compressed by what this build does not decode.
    Refused,
}

const ALL: [Taken; 8] = [
    Taken::Numbers,
    Taken::Strings,
    Taken::BadText,
    Taken::NoBytes,
    Taken::Bits,
    Taken::Pickled,
    Taken::Raw,
    Taken::Refused,
];

/// Whether bzip2, LZMA and Zstandard are decoded.
const METHODS: bool = cfg!(all(feature = "methods", feature = "zstd"));

fn archives() -> impl Iterator<Item = (&'static str, &'static [Value])> {
    let archives = EXPECTED["archives"].as_object().expect("archives");
    archives.iter().map(|(file, members)| (file.as_str(), members.as_array().expect("members").as_slice()))
}

fn check_all<S: Opening>(open: impl Fn(&str) -> Result<Npz<S>>) {
    let mut counts = BTreeMap::new();
    for (file, entries) in archives() {
        let npz = open(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(npz.len(), entries.len(), "{file}");
        let mut members = npz.members();
        for entry in entries {
            let member = members.next().unwrap_or_else(|| panic!("{file}: fewer members than NumPy sees"));
            let taken = Case { file, entry, npz: &npz, member }.check();
            *counts.entry(taken).or_insert(0) += 1;
        }
        assert!(members.next().is_none(), "{file}: more members than NumPy sees");
    }
    let total: usize = archives().map(|(_, entries)| entries.len()).sum();
    assert_eq!(counts.values().sum::<usize>(), total);
    for taken in ALL {
        let exists = taken != Taken::Refused || !METHODS;
        assert_eq!(counts.contains_key(&taken), exists, "{taken:?}: {counts:?}");
    }
}

/// A member, and what NumPy says about it.
struct Case<'a, S> {
    file: &'a str,
    entry: &'a Value,
    npz: &'a Npz<S>,
    member: Member<'a, S>,
}

impl<S> fmt::Display for Case<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.entry["name"])
    }
}

impl<S: Opening> Case<'_, S> {
    fn text(&self, field: &str) -> &str {
        self.entry[field].as_str().unwrap_or_else(|| panic!("{self}: no text '{field}'"))
    }

    fn number(&self, field: &str) -> u64 {
        self.entry[field].as_u64().unwrap_or_else(|| panic!("{self}: no number '{field}'"))
    }

    fn values(&self) -> &[Value] {
        self.entry["values"].as_array().unwrap_or_else(|| panic!("{self}: no values"))
    }

    fn is_stored(&self) -> bool {
        self.text("method") == "stored"
    }

    /// Panics with the name of the member.
    fn ok<T>(&self, result: Result<T>) -> T {
        result.unwrap_or_else(|error| panic!("{self}: {error}"))
    }

    /// The error, which must say whose it is.
    fn refused<T>(&self, result: Result<T>) -> ErrorKind {
        let Err(error) = result else { panic!("{self}: not refused") };
        assert_eq!(error.member(), Some(self.text("key")), "{self}");
        error.into_kind()
    }

    fn check(&self) -> Taken {
        let member = &self.member;
        assert_eq!(member.text(), self.text("name"), "{self}");
        assert_eq!(member.key(), self.text("key"), "{self}");
        assert_eq!(member.method().to_string(), self.text("method"), "{self}");
        assert_eq!(member.size(), self.number("size"), "{self}");
        assert_eq!(member.crc32(), u32::try_from(self.number("crc32")).unwrap(), "{self}");
        if self.is_stored() {
            assert_eq!(member.compressed_size(), member.size(), "{self}");
        }
        // The whole name leads to this member and no other.
        let found = self.ok(self.npz.member(self.text("name")));
        assert_eq!((found.name(), found.crc32()), (member.name(), member.crc32()), "{self}");

        match self.text("method") {
            "bzip2" if !METHODS => self.check_refused(12),
            "lzma" if !METHODS => self.check_refused(14),
            "zstd" if !METHODS => self.check_refused(93),
            _ => return self.check_content(),
        }
        Taken::Refused
    }

    fn check_refused(&self, number: u16) {
        let member = &self.member;
        let kinds = [
            self.refused(member.header()),
            self.refused(member.bytes()),
            self.refused(member.verify()),
            self.refused(member.array().and_then(|array| array.read::<f32, IxDyn>())),
            self.refused(member.array().and_then(|array| array.get::<f32, IxDyn>())),
            self.refused(member.array().and_then(|array| array.strings())),
            self.refused(member.array().and_then(|array| array.access::<f32>())),
        ];
        for kind in kinds {
            assert!(matches!(kind, ErrorKind::UnsupportedMethod { method } if method == number), "{self}: {kind}");
            assert_eq!((kind.rule(), kind.is_unsupported()), (Some("Z19"), true), "{self}");
            assert!(kind.to_string().to_lowercase().contains(self.text("method")), "{self}: {kind}");
        }
    }

    fn check_content(&self) -> Taken {
        let member = &self.member;
        self.ok(member.verify());
        let content = self.ok(member.bytes());
        assert_eq!(content.len() as u64, self.number("size"), "{self}");
        assert_eq!(crc32fast::hash(&content), member.crc32(), "{self}");
        let memory = self.npz.source().as_slice();
        let is_lent = matches!(content, Cow::Borrowed(_));
        assert_eq!(is_lent, self.is_stored() && memory.is_some(), "{self}");

        let header = match self.text("kind") {
            "bytes" => None,
            _ => Some(self.ok(member.header())),
        };
        let preamble = header.as_ref().map_or(0, Header::preamble_size);
        let (_, payload) = content.split_at(preamble);
        let offset = self.ok(member.payload_offset());
        assert_eq!(offset, self.entry.get("data_offset").and_then(Value::as_u64), "{self}");
        if let (Some(offset), Some(memory)) = (offset, memory) {
            let there = &memory[usize::try_from(offset).unwrap()..];
            assert_eq!(there.as_ptr(), payload.as_ptr(), "{self}");
        }

        let Some(header) = header else {
            assert_eq!(hex(&content), self.text("values"), "{self}");
            for kind in [
                self.refused(member.header()),
                self.refused(member.array().and_then(|array| array.read::<u8, IxDyn>())),
            ] {
                assert!(matches!(kind, ErrorKind::NotAnArray), "{self}: {kind}");
            }
            return Taken::Raw;
        };
        self.check_header(&header);
        assert_eq!(self.ok(Header::from_bytes(&content)), header, "{self}");

        if self.text("kind") == "object" {
            assert!(header.dtype().has_object(), "{self}");
            let kinds = [
                self.refused(member.array().and_then(|array| array.read::<f64, IxDyn>())),
                self.refused(member.array().and_then(|array| array.get::<f64, IxDyn>())),
                self.refused(
                    member.array().and_then(|array| array.read_into(ArrayD::<f64>::zeros(header.shape()).view_mut())),
                ),
                self.refused(member.array().and_then(|array| array.strings())),
                self.refused(member.array().and_then(|array| array.access::<f64>())),
                self.refused(member.access_in_map()),
            ];
            for kind in kinds {
                assert!(matches!(kind, ErrorKind::Pickled), "{self}: {kind}");
            }
            assert_eq!(self.ok(member.layout()).access_in_map(), None, "{self}");
            return Taken::Pickled;
        }
        assert_eq!(payload.len(), header.nbytes(), "{self}");
        self.check_array(&header, payload)
    }

    fn check_array(&self, header: &Header, payload: &[u8]) -> Taken {
        // Nothing is there for a very long one, of a record.
        let descr = self.entry["descr"].as_str().unwrap_or_default();
        let Some(code) = descr.strip_prefix(['<', '>', '|']) else {
            self.check_bits(header, payload);
            return Self::without_verb(header);
        };
        self.check_plan_in_map(descr);
        match code {
            "b1" => self.check_numbers::<bool>(header),
            "i1" => self.check_plain::<i8>(header),
            "i2" => self.check_plain::<i16>(header),
            "i4" => self.check_plain::<i32>(header),
            "i8" => self.check_plain::<i64>(header),
            "u1" => self.check_plain::<u8>(header),
            "u2" => self.check_plain::<u16>(header),
            "u4" => self.check_plain::<u32>(header),
            "u8" => self.check_plain::<u64>(header),
            "f4" => self.check_plain::<f32>(header),
            "f8" => self.check_plain::<f64>(header),
            "c8" => self.check_plain::<Complex<f32>>(header),
            "c16" => self.check_plain::<Complex<f64>>(header),
            _ if code.starts_with(['S', 'U']) => return self.check_strings(header),
            _ => {
                self.check_bits(header, payload);
                return Self::without_verb(header);
            }
        }
        Taken::Numbers
    }

    fn without_verb(header: &Header) -> Taken {
        if header.nbytes() == 0 && header.count() > 0 { Taken::NoBytes } else { Taken::Bits }
    }

    fn check_header(&self, header: &Header) {
        let shape: Vec<usize> = self.entry["shape"].as_array().unwrap().iter().map(as_usize).collect();
        let order = if self.entry["fortran_order"].as_bool().unwrap() { Order::Fortran } else { Order::C };
        let version: Vec<u8> = self.entry["version"].as_array().unwrap().iter().map(|v| as_usize(v) as u8).collect();
        assert_eq!((header.shape(), header.order()), (shape.as_slice(), order), "{self}");
        assert_eq!(header.version(), (version[0], version[1]), "{self}");
        assert_eq!(header.count(), shape.iter().product::<usize>(), "{self}");
        let dtype = header.dtype();
        assert_eq!(header.nbytes(), header.count() * dtype.item_size(), "{self}");
        if let Some(size) = self.entry.get("itemsize") {
            assert_eq!(dtype.item_size(), as_usize(size), "{self}");
        }

        let printed = dtype.to_string();
        assert_eq!(self.ok(printed.parse::<Dtype>()), *dtype, "{self}");
        // Left out of expected.json when it is very long.
        if let Some(descr) = self.entry["descr"].as_str() {
            assert_eq!(self.ok(descr.parse::<Dtype>()), *dtype, "{self}");
            match descr.strip_prefix(['<', '>']) {
                // The order mark that ml_dtypes writes means nothing to NumPy, which prints '|V2'.
                Some(code) if code.starts_with('V') => assert_eq!(printed, format!("|{code}"), "{self}"),
                _ => assert_eq!(printed, descr, "{self}"),
            }
        }
        if let Some(fields) = self.entry.get("fields").and_then(Value::as_array) {
            let mut found = Vec::new();
            let root = Leaf { path: Vec::new(), title: None, offset: 0, shape: Vec::new() };
            leaves(dtype, &root, &mut |leaf, dtype| {
                let mut field = serde_json::json!({
                    "path": leaf.path, "offset": leaf.offset, "shape": leaf.shape, "descr": dtype.to_string(),
                });
                if let Some(title) = &leaf.title {
                    field["title"] = title.as_str().into();
                }
                found.push(field);
            });
            let expected = fields.iter().cloned().map(|mut field| {
                field.as_object_mut().unwrap().remove("values");
                field
            });
            assert_eq!(found, expected.collect::<Vec<_>>(), "{self}");
        }
    }

    /// What taking the array will do, by what NumPy says of it and where the source lies.
    fn plan(&self, memory: Option<usize>, alignment: usize) -> Access {
        if !self.is_stored() {
            return Access::Copy(Reason::Compressed);
        }
        let Some(start) = memory else {
            return Access::Copy(Reason::NotInMemory);
        };
        let offset = self.number("data_offset");
        if self.values().is_empty() {
            Access::Borrow
        } else if self.text("descr").starts_with(foreign()) {
            Access::Copy(Reason::ByteOrder)
        } else if !(start + usize::try_from(offset).unwrap()).is_multiple_of(alignment) {
            Access::Copy(Reason::Misaligned { offset, required: alignment })
        } else {
            Access::Borrow
        }
    }

    fn check_plan_in_map(&self, descr: &str) {
        let (kind, size) = descr.get(1..).unwrap().split_at(1);
        let alignment = match (kind, size.split('[').next().unwrap()) {
            ("S" | "U" | "V", _) => 1, // NumPy aligns characters to 4; `FixedStr` lies anywhere
            ("c", size) => size.parse::<usize>().unwrap() / 2,
            (_, size) => size.parse().unwrap(),
        };
        let mut plan = self.plan(Some(0), alignment);
        if descr.contains('V') && plan == Access::Copy(Reason::ByteOrder) {
            plan = Access::Borrow; // bytes of no kind have no order
        }
        assert_eq!(self.ok(self.member.access_in_map()), plan, "{self}");
        // In one look, the same.
        let layout = self.ok(self.member.layout());
        assert_eq!(layout.access_in_map(), Some(plan), "{self}");
        assert_eq!(layout.header(), &self.ok(self.member.header()), "{self}");
        assert_eq!(layout.payload_offset(), self.ok(self.member.payload_offset()), "{self}");
    }

    fn check_numbers<T: Number>(&self, header: &Header) {
        let member = &self.member;
        let memory = self.npz.source().as_slice();
        self.check_values(&self.ok(member.array().and_then(|array| array.read::<T, IxDyn>())).view(), header);

        let plan = self.ok(member.array().and_then(|array| array.access::<T>()));
        assert_eq!(plan, self.plan(memory.map(|memory| memory.as_ptr().addr()), align_of::<T>()), "{self}");
        let got = self.ok(member.array().and_then(|array| array.get::<T, IxDyn>()));
        assert_eq!(got.is_view(), plan == Access::Borrow, "{self}");
        self.check_values(&got.view(), header);
        if got.is_view() {
            self.check_lent(&got.view());
        }
        match (plan, S::view::<T>(member)) {
            (Access::Copy(_), None) => {}
            (Access::Borrow, Some(view)) => {
                let view = self.ok(view);
                self.check_values(&view, header);
                self.check_lent(&view);
            }
            (Access::Copy(reason), Some(view)) => {
                let kind = self.refused(view);
                let same = matches!(&kind, ErrorKind::CannotBorrow { reason: found, .. } if *found == reason);
                assert!(same, "{self}: {kind}");
            }
            (Access::Borrow, None) => panic!("{self}: borrowed from a source that cannot lend"),
        }

        let shape = header.shape();
        let mut destination = ArrayD::from_elem(shape, T::FILL);
        self.ok(member.array().and_then(|array| array.read_into(destination.view_mut())));
        self.check_elements(&destination.view());
        let mut destination = ArrayD::from_elem(IxDyn(shape).f(), T::FILL);
        self.ok(member.array().and_then(|array| array.read_into(destination.view_mut())));
        self.check_elements(&destination.view());
        self.check_strided::<T>(shape);

        let longer: Vec<usize> = shape.iter().copied().chain([1]).collect();
        let mut destination = ArrayD::from_elem(longer, T::FILL);
        let kind = self.refused(member.array().and_then(|array| array.read_into(destination.view_mut())));
        assert!(matches!(kind, ErrorKind::ShapeMismatch { .. }), "{self}: {kind}");
        let kind = self.refused(member.array().and_then(|array| array.strings()));
        assert!(matches!(kind, ErrorKind::DtypeMismatch { .. }), "{self}: {kind}");
    }

    /// Every other place of the last axis, and of the first one from behind. What lies between stays as it is.
    fn check_strided<T: Number>(&self, shape: &[usize]) {
        let last = shape.len().wrapping_sub(1);
        let wide = |axis: usize| axis == 0 || axis == last;
        let all: Vec<usize> = shape.iter().enumerate().map(|(axis, n)| if wide(axis) { n * 2 } else { *n }).collect();
        let mut all = ArrayD::from_elem(all, T::FILL);
        let mut part = all.slice_each_axis_mut(|axis| match axis.axis.index() {
            0 => Slice::new(0, None, -2),
            index if index == last => Slice::new(0, None, 2),
            _ => Slice::from(..),
        });
        assert_eq!(part.shape(), shape, "{self}");
        self.ok(self.member.array().and_then(|array| array.read_into(part.view_mut())));
        self.check_elements(&part.view());
        part.fill(T::FILL);
        assert!(all.iter().all(|value| *value == T::FILL), "{self}: written beside the destination");
    }

    /// For the types of which every bit pattern is a value.
    fn check_plain<T: Number + Pod>(&self, header: &Header) {
        self.check_numbers::<T>(header);
        let member = &self.member;
        let read = self.ok(member.array().and_then(|array| array.read::<Unaligned<T>, IxDyn>()));
        self.check_elements(&read.map(|value| value.get()).view());

        let memory = self.npz.source().as_slice().map(|_| 0);
        let plan = self.ok(member.array().and_then(|array| array.access::<Unaligned<T>>()));
        assert_eq!(plan, self.plan(memory, 1), "{self}");
        match (plan, S::view::<Unaligned<T>>(member)) {
            (Access::Copy(_), None) => {}
            (Access::Borrow, Some(view)) => {
                let view = self.ok(view);
                self.check_lent(&view);
                self.check_values(&view.map(|value| value.get()).view(), header);
            }
            (_, view) => {
                let view = view.unwrap_or_else(|| panic!("{self}: borrowed from a source that cannot lend"));
                let kind = self.refused(view);
                assert!(matches!(kind, ErrorKind::CannotBorrow { .. }), "{self}: {kind}");
            }
        }
    }

    /// The elements lie in the source, at the place that NumPy reads them from.
    fn check_lent<T>(&self, view: &ArrayViewD<'_, T>) {
        if view.is_empty() {
            return;
        }
        let memory = self.npz.source().as_slice().unwrap_or_else(|| panic!("{self}: nothing to lend from"));
        let offset = usize::try_from(self.number("data_offset")).unwrap();
        assert_eq!(view.as_ptr().addr(), memory.as_ptr().addr() + offset, "{self}");
    }

    /// Shape, values, and the order in which NumPy would have them.
    fn check_values<T: Number>(&self, array: &ArrayViewD<'_, T>, header: &Header) {
        assert_eq!(array.shape(), header.shape(), "{self}");
        let contiguous = match header.order() {
            Order::C => array.is_standard_layout(),
            Order::Fortran => array.view().reversed_axes().is_standard_layout(),
        };
        assert!(contiguous, "{self}: strides {:?}", array.strides());
        self.check_elements(array);
    }

    fn check_elements<T: Number>(&self, array: &ArrayViewD<'_, T>) {
        let expected = self.values();
        assert_eq!(array.len(), expected.len(), "{self}");
        for (index, (value, expected)) in array.iter().zip(expected).enumerate() {
            assert!(value.is(expected), "{self}: element {index} is {value:?}, NumPy has {expected}");
        }
    }

    fn check_strings(&self, header: &Header) -> Taken {
        let strings = self.member.array().and_then(|array| array.strings());
        let kind = self.refused(self.member.array().and_then(|array| array.read::<u8, IxDyn>()));
        let no_bytes = header.nbytes() == 0 && header.count() > 0;
        assert!(matches!(kind, ErrorKind::DtypeMismatch { .. }), "{self}: {kind}");
        if no_bytes {
            let kind = self.refused(strings);
            assert!(matches!(kind, ErrorKind::ZeroSizedItems { count } if count == header.count()), "{self}: {kind}");
            return Taken::NoBytes;
        }

        let is_bytes = self.text("descr").contains('S');
        let expected = self.values().iter().map(|value| {
            let text = value.as_str().unwrap_or_else(|| panic!("{self}: {value}"));
            if !is_bytes {
                return Some(text.to_owned());
            }
            // Bytes as Latin-1.
            String::from_utf8(text.chars().map(|c| u8::try_from(c).unwrap()).collect()).ok()
        });
        let expected = ArrayD::from_shape_vec(header.shape(), expected.collect::<Vec<_>>()).unwrap();
        // The first in the order of the file.
        let bad = match header.order() {
            Order::C => expected.iter().position(Option::is_none),
            Order::Fortran => expected.t().iter().position(Option::is_none),
        };
        let Some(bad) = bad else {
            assert_eq!(self.ok(strings), expected.mapv(Option::unwrap), "{self}");
            return Taken::Strings;
        };
        let kind = self.refused(strings);
        assert!(matches!(kind, ErrorKind::BadText { index, .. } if index == bad), "{self}: {kind}");
        assert_eq!(kind.rule(), Some("N14"), "{self}");
        Taken::BadText
    }

    /// Types that have no verb of their own yet: the bytes of each item.
    fn check_bits(&self, header: &Header, payload: &[u8]) {
        for kind in [
            self.refused(self.member.array().and_then(|array| array.read::<u8, IxDyn>())),
            self.refused(self.member.array().and_then(|array| array.strings())),
        ] {
            assert!(matches!(kind, ErrorKind::DtypeMismatch { .. }), "{self}: {kind}");
        }
        let descr = self.entry["descr"].as_str().unwrap_or_default();
        let size = header.dtype().item_size();
        let items = (0..header.count()).map(|index| &payload[index * size..][..size]).collect();
        let shape = IxDyn(header.shape()).set_f(header.order() == Order::Fortran);
        let items: ArrayD<&[u8]> = Array::from_shape_vec(shape, items).unwrap();
        let expected = self.entry.get("raw").and_then(Value::as_array).map_or(self.values(), Vec::as_slice);
        assert_eq!(items.len(), expected.len(), "{self}");
        for (item, expected) in items.iter().zip(expected) {
            let same = match descr.get(..2).unwrap_or_default() {
                "<M" | "<m" => expected.as_i64() == (*item).try_into().ok().map(i64::from_le_bytes),
                ">M" | ">m" => expected.as_i64() == (*item).try_into().ok().map(i64::from_be_bytes),
                "<V" => expected.as_u64() == Some(item.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))),
                ">V" => expected.as_u64() == Some(item.iter().fold(0, |all, byte| all << 8 | u64::from(*byte))),
                "<f" if size == 2 => half(u16::from_le_bytes((*item).try_into().unwrap())).is(expected),
                ">f" if size == 2 => half(u16::from_be_bytes((*item).try_into().unwrap())).is(expected),
                _ => expected.as_str() == Some(&hex(item)),
            };
            assert!(same, "{self}: {item:02x?}, NumPy has {expected}");
        }
    }
}

/// The mark of the byte order that this machine does not have.
fn foreign() -> char {
    if cfg!(target_endian = "big") { '<' } else { '>' }
}

fn as_usize(value: &Value) -> usize {
    value.as_u64().and_then(|value| usize::try_from(value).ok()).expect("a size")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// IEEE 754 binary16, exactly.
fn half(bits: u16) -> f64 {
    let magnitude = f64::from(bits & 0x3ff);
    let value = match bits >> 10 & 0x1f {
        0 => magnitude * 2_f64.powi(-24),
        31 if magnitude == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (magnitude + 1024.0) * 2_f64.powi(i32::from(exponent) - 25),
    };
    if bits >> 15 == 1 { -value } else { value }
}

/// A field that is not itself a record.
#[derive(Clone)]
struct Leaf {
    path: Vec<String>,
    title: Option<String>,
    offset: usize,
    shape: Vec<usize>,
}

fn leaves(dtype: &Dtype, at: &Leaf, found: &mut impl FnMut(&Leaf, &Dtype)) {
    match dtype {
        Dtype::Record(record) => {
            for field in record.fields() {
                let mut leaf = at.clone();
                leaf.path.push(field.name().into());
                leaf.title = field.title().map(Into::into);
                leaf.offset += field.offset();
                leaves(field.dtype(), &leaf, found);
            }
        }
        Dtype::Subarray(array) => {
            let mut leaf = at.clone();
            leaf.shape.extend(array.shape());
            leaves(array.base(), &leaf, found);
        }
        _ => found(at, dtype),
    }
}

/// The numbers of `expected.json`.
trait Number: Element + PartialEq + fmt::Debug {
    /// What stands in memory before it is read into.
    const FILL: Self;

    /// Whether this is the value that NumPy reads, to the last bit; of NaNs there is one.
    fn is(&self, expected: &Value) -> bool;
}

impl Number for bool {
    const FILL: Self = true;

    fn is(&self, expected: &Value) -> bool {
        expected.as_bool() == Some(*self)
    }
}

macro_rules! integers {
    ($($type:ty: $wide:ty = $as:ident),* $(,)?) => {$(
        impl Number for $type {
            const FILL: Self = 77;

            fn is(&self, expected: &Value) -> bool {
                expected.$as() == Some(<$wide>::from(*self))
            }
        }
    )*};
}

integers! {
    i8: i64 = as_i64, i16: i64 = as_i64, i32: i64 = as_i64, i64: i64 = as_i64,
    u8: u64 = as_u64, u16: u64 = as_u64, u32: u64 = as_u64, u64: u64 = as_u64,
}

impl Number for f64 {
    const FILL: Self = 77.0;

    fn is(&self, expected: &Value) -> bool {
        match expected.as_str() {
            Some("nan") => self.is_nan(),
            Some("inf") => *self == f64::INFINITY,
            Some("-inf") => *self == f64::NEG_INFINITY,
            Some(_) => false,
            // By bits: -0.0 is not 0.0.
            None => expected.as_f64().map(f64::to_bits) == Some(self.to_bits()),
        }
    }
}

impl Number for f32 {
    const FILL: Self = 77.0;

    fn is(&self, expected: &Value) -> bool {
        f64::from(*self).is(expected)
    }
}

macro_rules! complex {
    ($($type:ty),*) => {$(
        impl Number for Complex<$type> {
            const FILL: Self = Complex::new(77.0, 78.0);

            fn is(&self, expected: &Value) -> bool {
                self.re.is(&expected[0]) && self.im.is(&expected[1])
            }
        }
    )*};
}

complex!(f32, f64);

/// `np.save` chose neither version nor text here, so that there is nothing to compare.
const OTHER_HEADERS: [(&str, &str); 8] = [
    ("versions.npz", "the version was forced"),
    ("python2.npz", "by hand, as Python 2 wrote them: padded to 16 bytes, with 2L"),
    ("kinds-v2-stored.npz", "the version was forced"),
    ("kinds-v2-deflated.npz", "the version was forced"),
    ("kinds-v3-stored.npz", "the version was forced"),
    ("kinds-v3-deflated.npz", "the version was forced"),
    ("weights.npz", "as ml-dtypes.npz"),
    ("ml-dtypes.npz", "ml_dtypes gives '<V2' where NumPy itself writes '|V2'"),
];

#[test]
fn headers_are_written_byte_for_byte_as_numpy_writes_them() {
    let mut versions = BTreeMap::new();
    for (file, entries) in archives() {
        if OTHER_HEADERS.iter().any(|(other, _)| *other == file) {
            continue;
        }
        let npz = Npz::new(fixtures::bytes(file)).unwrap();
        for (member, entry) in npz.members().zip(entries) {
            let readable = METHODS || matches!(member.method(), Method::Stored | Method::Deflated);
            if entry["kind"] == "bytes" || !readable {
                continue;
            }
            let content = member.bytes().unwrap();
            check_written(&content, &format!("{file}: {}", entry["name"]));
            *versions.entry(content[6]).or_insert(0) += 1;
        }
    }
    for (file, entry) in EXPECTED["npy"].as_object().unwrap() {
        let content = fixtures::bytes(file);
        let header = Header::from_bytes(&content).unwrap();
        assert_eq!(header.preamble_size() + header.nbytes(), content.len(), "{file}");
        assert_eq!(header.dtype().to_string(), *entry["descr"].as_str().unwrap(), "{file}");
        assert_eq!(serde_json::json!(header.shape()), entry["shape"], "{file}");
        assert_eq!(serde_json::json!(header.order() == Order::Fortran), entry["fortran_order"], "{file}");
        assert_eq!(serde_json::json!([header.version().0, header.version().1]), entry["version"], "{file}");
        if file != "python2-header.npy" {
            check_written(&content, file);
        }
    }
    // The fixtures make NumPy choose each of the three.
    assert_eq!(versions.keys().copied().collect::<Vec<_>>(), [1, 2, 3], "{versions:?}");
}

fn check_written(content: &[u8], what: &str) {
    let header = Header::from_bytes(content).unwrap_or_else(|error| panic!("{what}: {error}"));
    let numpy = &content[..header.preamble_size()];
    let written = header.to_bytes();
    assert!(
        written == numpy,
        "{what}: written\n{}\nNumPy has\n{}",
        String::from_utf8_lossy(&written),
        String::from_utf8_lossy(numpy)
    );
    let new = Header::new(header.dtype().clone(), header.shape(), header.order());
    assert_eq!(new.unwrap_or_else(|error| panic!("{what}: {error}")), header, "{what}");
}

#[test]
fn headers_become_longer_at_the_same_byte_as_numpys() {
    // From NumPy 1.26.4, 2.4.6 and 2.5.5: with the name of a field this long, and not one shorter, the preamble has
    // this length and version.
    let cases: [(&[usize], Order, usize, usize, u8); 12] = [
        (&[3], Order::C, 32, 192, 1),
        (&[3], Order::C, 96, 256, 1),
        (&[], Order::C, 54, 192, 1),
        (&[], Order::C, 118, 256, 1),
        (&[12345, 7], Order::C, 30, 192, 1),
        (&[7, 12345], Order::Fortran, 31, 192, 1),
        (&[0, 1 << 40], Order::C, 18, 192, 1),
        (&[0, 1 << 40], Order::C, 82, 256, 1),
        (&[3], Order::C, 65_312, 65_472, 1),
        (&[3], Order::C, 65_376, 65_536, 1),
        (&[3], Order::C, 65_440, 65_600, 2),
        (&[3], Order::C, 65_502, 65_664, 2),
    ];
    for (shape, order, name, length, version) in cases {
        let preamble = |name: usize| {
            let dtype = format!("[('{}', '|i1')]", "n".repeat(name)).parse().unwrap();
            let header = Header::new(dtype, shape, order).unwrap();
            assert_eq!(header.preamble_size(), header.to_bytes().len());
            (header.preamble_size(), header.version().0)
        };
        assert_eq!(preamble(name), (length, version), "{shape:?}, {name}");
        let shorter = preamble(name - 1);
        assert!(shorter.0 == length - 64 && shorter.1 <= version, "{shape:?}, {name}: {shorter:?}");
    }
}

#[test]
fn pickled_arrays_are_refused_and_their_neighbour_reads() {
    let npz = Npz::open(fixtures::path("object.npz")).unwrap();
    for key in ["objects", "record", "none"] {
        let error = npz.array(key).and_then(|array| array.strings()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Pickled), "{error}");
        assert_eq!((error.member(), error.kind().rule()), (Some(key), Some("N10")));
        assert_eq!((error.kind().fault(), error.kind().is_unsupported()), (Fault::File, true));
        assert!(npz.member(key).unwrap().header().unwrap().dtype().has_object());
    }
    assert_eq!(npz.read::<f64, ndarray::Ix1>("plain").unwrap().to_vec(), [1.5, -2.5]);
}

#[test]
fn members_of_every_version_of_the_format_hold_the_same_arrays() {
    let npz = Npz::open(fixtures::path("versions.npz")).unwrap();
    for version in [1, 2, 3] {
        let key = |name: &str| format!("v{version}-{name}");
        let floats = npz.read::<f32, ndarray::Ix2>(&key("f4-le-f")).unwrap();
        assert_eq!((floats.dim(), floats[(0, 2)], floats[(0, 3)]), ((3, 4), 1.5, -2.25));
        assert_eq!(npz.read::<i16, ndarray::Ix0>(&key("0d")).unwrap().into_scalar(), 7);
        let header = npz.member(&key("f4-le-f")).unwrap().header().unwrap();
        assert_eq!((header.version(), header.order()), ((version, 0), Order::Fortran));
    }
}

#[test]
fn nul_at_the_end_is_filling_and_elsewhere_a_character() {
    let npz = Npz::open(fixtures::path("kinds-stored.npz")).unwrap();
    let strings = npz.array("U9-be-c").unwrap().strings().unwrap();
    assert_eq!(strings.shape(), [3, 4]);
    let found: Vec<_> = strings.iter().take(6).map(String::as_str).collect();
    assert_eq!(found, ["größe", "", "a\0b", "\0lead", "\u{1d11e} clef", "nine char"]);

    let error = npz.array("S5-f").and_then(|array| array.strings()).unwrap_err();
    // Of (3, 4), the fifth element in C order is (1, 0): the second one in Fortran order.
    assert!(matches!(error.kind(), ErrorKind::BadText { index: 1, .. }), "{error}");
    let error = npz.array("S5-c").and_then(|array| array.strings()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BadText { index: 4, .. }), "{error}");
}
