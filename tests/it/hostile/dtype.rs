//! What a header says its items are: N11, L2, L3.

use ndarray::Ix1;
use npzmap::{Dtype, Error, ErrorKind as K, Fault, Npz};

use super::array::{At, about_x, archives, bad_text, descr};
use super::*;
use crate::forge::{npy, preamble};
use crate::memory::{LITTLE, cost};

#[test]
fn n11_a_code_that_numpy_does_not_print_is_refused() {
    let codes = "<; |; f; <f; 4; <f3; <f1; <f32; <u3; <i16; <b2; <c4; <c64; <f04; <f 4; <<f4; !f4; float32; int; d; \
     ?; <T; |T16; |a5; i4,f8; 3f4; f4,; (3,)f4; <U-1; <U; <U+5; |V+4; <f+4; <U4294967296; <U1073741824; <U536870912; >U536870912; |V2147483648; \
     |V99999999999999999999; |O4; |O16; <M4; <M8[]; <M8[x]; <M8[0s]; <M8[05s]; <M8[+5s]; <M8[generic]; <M8[D/2]; <M8[s; \
     <M8s]; <M8[2147483648s]; <m8[01s]; <f4[s]; é4; datetime64[ms]; <u4\\n; <G8";
    for code in codes.split("; ").chain(["", "<f4 ", " <f4"]) {
        assert_rule!(bad_text(3, descr(&format!("^'{code}'"))), "N11", K::BadDtype { .. });
        assert_rule!(bad_text(3, descr(&format!("[('a', ^'{code}')]"))), "N11", K::BadDtype { .. });
    }
}

#[test]
fn n11_fields_of_one_name_are_refused() {
    for fields in [
        "[^('a', '<u4'), ('a', '<u4')]",
        "[^('a', '<u4'), ('b', '<u4'), ('a', '<f8')]",
        "[^(('a', 'b'), '<u4'), ('a', '<u4')]",
        "[^(('a', 'b'), '<u4'), (('a', 'c'), '<u4')]",
        "[^(('a', 'a'), '<u4')]",
        "[^('a', '<u4'), (('a', 'b'), '<u4')]",
        "[^('', '<u4'), ('', '<u4')]",
        "[^('\\x61', '<u4'), ('a', '<u4')]",
        "[('x', [^('a', '<u4'), ('a', '<u4')])]",
    ] {
        assert_rule!(bad_text(1, descr(fields)), "N11", K::BadDtype { .. });
    }
}

#[test]
fn n11_a_field_that_is_none_is_refused() {
    for fields in [
        "[^'<u4']",
        "[^['a', '<u4']]",
        "[('a'^)]",
        "[('a', ^)]",
        "[(^1, '<u4')]",
        "[('a', '<u4', (2,), ^1)]",
        "[(('a', 'b', ^'c'), '<u4')]",
        "[(('a'^), '<u4')]",
        "[('a', '<u4') ^('b', '<u4')]",
        "[^None]",
        "(^)",
        "('<u4'^)",
        "('<u4', (2,), ^3)",
    ] {
        assert_rule!(bad_text(1, descr(fields)), "N5", K::BadHeader { .. });
    }
    // The list goes on where it should end.
    let text = descr("[('a', '<u4')").replacen(", 'fortran", ", ^'fortran", 1);
    assert_rule!(bad_text(1, text), "N5", K::BadHeader { .. });
    // An unnamed sub-array, which NumPy takes for padding and never writes.
    assert_rule!(bad_text(1, descr("[^('', '<f4', (2,))]")), "N11", K::BadDtype { .. });
    // An axis that NumPy cannot hold, with and without values.
    for length in [1_u64 << 31, 1 << 62] {
        for (code, lengths) in
            [("<u4", format!("(0, {length})")), ("<u4", format!("({length}, 0)")), ("|V0", format!("({length},)"))]
        {
            for field in [format!("^('a', '{code}', {lengths})"), format!("('a', ^('{code}', {lengths}))")] {
                assert_rule!(bad_text(1, descr(&format!("[{field}]"))), "N11", K::BadDtype { .. });
            }
        }
    }
    let shape = "1, ".repeat(65);
    assert_rule!(bad_text(1, descr(&format!("[('a', '<u4', ^({shape}))]"))), "N7", K::BadShape { .. });
}

/// NumPy takes an integer behind such a dtype for its size, and refuses a tuple.
#[test]
fn n11_sub_arrays_of_items_without_bytes_that_are_no_records_are_refused() {
    for fields in [
        "[('a', '<u4'), ^('b', '|S0', 2)]",
        "[('a', '<u4'), ^('b', '|S0', (2,))]",
        "[^('b', '<U0', (2,))]",
        "[^('b', '|V0', ())]",
        "[^('b', '|V0', 5)]",
        "[('b', ^('|S0', (2,)))]",
        "[^('b', ('<u4', (0,)), (2,))]",
        "[^('b', ('<u4', (2147483647, 0)), (2147483647, 2147483647, 2))]",
        "[^('b', ([], (2,)), (3,))]",
        "[('a', [^('b', '|S0', (2,))], (3,))]",
    ] {
        assert_rule!(bad_text(1, descr(fields)), "N11", K::BadDtype { .. });
    }
    for fields in
        ["[('b', [], (2, 3))]", "[('b', '<u4', (0, 2147483647))]", "[('b', ('<u4', (2,)), (0,))]", "[('b', '|S0')]"]
    {
        assert_eq!(fields.parse::<Dtype>().unwrap().item_size(), 0, "{fields}");
    }
    assert_eq!("[('b', [('n', '|S0')], (3,))]".parse::<Dtype>().unwrap().item_size(), 0);
}

#[test]
fn n11_sub_arrays_of_sub_arrays_have_64_axes_in_all() {
    let text = |outer: usize| {
        let [inner, outer] = [32, outer].map(|count| "1, ".repeat(count));
        format!("[^('a', ('<u4', ({inner})), ({outer}))]")
    };
    assert_eq!(text(32).replace('^', "").parse::<Dtype>().unwrap().item_size(), 4);
    assert_rule!(bad_text(1, descr(&text(33))), "N11", K::BadDtype { .. });
}

#[test]
fn n11_a_comma_may_end_a_field_and_must_come_before_its_shape() {
    let dtype = |text: &str| text.parse::<Dtype>();
    assert_eq!(dtype("[('a', '<u4',)]").unwrap(), dtype("[('a', '<u4')]").unwrap());
    assert_rule!(bad_text(1, descr("[('a', '<u4' ^(2,))]")), "N5", K::BadHeader { .. });
}

#[test]
fn n5_the_key_that_is_not_there_is_named() {
    // When all of it was read.
    for (text, key) in [
        ("{'fortran_order': False, 'shape': (3,)}", "the key 'descr'"),
        ("{'descr': '<u4', 'shape': (3,)}", "the key 'fortran_order'"),
        ("{'descr': '<u4', 'fortran_order': False}", "the key 'shape'"),
    ] {
        assert_rule!(bad_text(1, format!("{text}\n^")), "N5", K::BadHeader { expected, .. } if *expected == key);
    }
}

/// Every reader refuses this text at its byte `at`, and reads the other members. For texts that are too long for every
/// call to take them.
#[track_caller]
fn refused_text(text: &str, at: u64) -> Error {
    let content = [preamble((2, 0), text), vec![0; 12]].concat();
    let (content, at) = (&content, At::Byte(12 + at));
    let archives = archives(content);
    let errors = archives.each_ref().map(|archive| {
        agreed(each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["x"]);
            let member = npz.member("x").unwrap();
            agreed([
                member.header().expect_err("header"),
                member.array().and_then(|array| array.read::<u32, Ix1>()).expect_err("read"),
            ])
        }))
    });
    about_x(&archives, errors, at)
}

/// A record within a record, and so on.
fn nested(depth: usize) -> String {
    format!("{}'<u4'{}", "[('a', ".repeat(depth), ")]".repeat(depth))
}

/// A sub-array of sub-arrays.
fn nested_arrays(depth: usize) -> String {
    format!("{}'<u4'{}", "(".repeat(depth), ", (1,))".repeat(depth))
}

#[test]
fn n11_a_sub_array_that_is_no_field_is_refused() {
    for text in ["^('<u4', (3,))", "^('<u4', (1,))", "^('<u4', ())", "^([('a', '<u4')], (1,))"] {
        assert_rule!(bad_text(1, descr(text)), "N11", K::BadDtype { .. });
    }
}

#[test]
fn l2_a_dtype_has_at_most_32_levels() {
    // The innermost one is a level, too.
    for text in [nested(31), format!("[('a', {})]", nested_arrays(30))] {
        for archive in archives(&npy(&text, "(3,)", &[0; 12])) {
            each_reader!(&archive.bytes(), |npz| {
                assert_eq!(npz.unwrap().member("x").unwrap().header().unwrap().dtype().item_size(), 4);
            });
        }
    }
    for depth in [32, 33, 64, 10_000] {
        for (text, at) in [(nested(depth), IN_RECORDS), (nested_arrays(depth), IN_ARRAYS)] {
            let error = refused_text(&descr(&text), at);
            assert_rule!(error, "L2", K::LimitExceeded { found, limit, .. } if *found == limit + 1);
        }
    }
}

/// Where records within records have one bracket too many for a header, and sub-arrays of sub-arrays one level too many for
/// a dtype.
const IN_RECORDS: u64 = 10 + 31 * 7 + 1;
const IN_ARRAYS: u64 = 10 + 32;

/// What opens and never closes, so many times: as the whole header, and in the place of each of its values; with the byte at
/// which it is refused, and the row.
fn brackets(count: usize) -> Vec<(String, u64, &'static str)> {
    let brackets = ["(", "[", "{", "[(", "[('a', ", "{'descr': "];
    let places = ["", "{'descr': ", "{'fortran_order': ", "{'shape': "];
    // A row a bracket, a column a place.
    let answers = [
        [(0, "N5"), (IN_ARRAYS, "L2"), (18, "N6"), (11, "N7")],
        [(0, "N5"), (11, "N5"), (18, "N6"), (10, "N7")],
        [(1, "N5"), (10, "N5"), (18, "N6"), (10, "N7")],
        [(0, "N5"), (12, "N5"), (18, "N6"), (10, "N7")],
        [(0, "N5"), (IN_RECORDS, "L2"), (18, "N6"), (10, "N7")],
        [(10, "N5"), (10, "N5"), (18, "N6"), (10, "N7")],
    ];
    let mut found = Vec::new();
    for (bracket, answers) in brackets.into_iter().zip(answers) {
        for (before, (at, rule)) in places.into_iter().zip(answers) {
            found.push((format!("{before}{}", bracket.repeat(count)), at, rule));
        }
    }
    found
}

#[test]
fn l2_brackets_that_never_close_are_refused_where_they_are_too_many_or_out_of_place() {
    for (text, at, rule) in brackets(9_000) {
        assert_eq!(refused_text(&text, at).kind().rule(), Some(rule), "{text:.20}");
    }
}

/// What it takes to refuse a text: steps, in builds that count them, and bytes held.
fn refusing(text: &str) -> (u64, isize) {
    let content = preamble((2, 0), text);
    let (refused, cost) = cost(|| steps(|| npzmap::Header::from_bytes(&content).is_err()));
    assert!(refused.0, "{text:.20}");
    (refused.1, cost.peak)
}

/// The steps that something takes; 0 in builds that do not count them.
fn steps<T>(work: impl FnOnce() -> T) -> (T, u64) {
    #[cfg(debug_assertions)]
    npzmap::__steps_taken();
    let done = work();
    #[cfg(debug_assertions)]
    return (done, npzmap::__steps_taken());
    #[cfg(not(debug_assertions))]
    (done, 0)
}

#[test]
fn l2_a_hundred_thousand_brackets_take_neither_the_stack_nor_long() {
    // And what would be a dtype, were it not for the depth.
    let many = |count: usize| {
        let closed = [(nested(count), IN_RECORDS), (nested_arrays(count), IN_ARRAYS)];
        let closed = closed.map(|(text, at)| (descr(&text), at, "L2"));
        brackets(count).into_iter().chain(closed)
    };
    for ((few, ..), (more, at, rule)) in many(100).zip(many(100_000)) {
        let error = refused_text(&more, at);
        assert_eq!(error.kind().rule(), Some(rule), "{more:.20}");
        // What comes behind the place is not even looked at.
        let ((steps, _), (same, held)) = (refusing(&few), refusing(&more));
        assert_eq!(same, steps, "{more:.20}");
        assert!(held <= LITTLE + 2 * more.len() as isize, "{more:.20}: {held} bytes of {}", more.len());
    }
}

#[test]
#[cfg(debug_assertions)]
fn l1_the_longest_header_is_gone_over_a_few_times_whatever_fills_it() {
    const LONG: usize = 1_000_000;
    let rest = "'fortran_order': False, 'shape': (3,), }";
    let blanks = " ".repeat(LONG / 24);
    let between =
        ["{", "'descr'", ":", "[", "(", "'f'", ",", "'<u4'", ",", ")", ",", "]", ",", "'fortran_order'", ":", "False"];
    let tail = [",", "'shape'", ":", "(", "3", ",", ")", "}"];
    let fields = |name: usize| -> String {
        (0..4096).map(|number| format!("('{number:04}{}', '|u1'), ", "n".repeat(name))).collect()
    };
    let long = [
        between.into_iter().chain(tail).collect::<Vec<_>>().join(&blanks),
        format!("{{'descr': '<u4', {rest}{}", " ".repeat(LONG)),
        format!("{{'descr': [{}], {rest}", fields(220)),
        format!("{{'descr': [('{}', '<u4')], {rest}", "n".repeat(LONG)),
        format!("{{'descr': [('{}', '<u4')], {rest}", r"\x6e".repeat(LONG / 4)),
        format!("{{'descr': [(('{0}t', '{0}n'), '<u4')], {rest}", "n".repeat(LONG / 2)),
        format!("{{'descr': [('a', '<u4', ({}))], {rest}", "1,".repeat(64) + &" ".repeat(LONG)),
    ];
    for text in long {
        assert!(text.len() > LONG - LONG / 8, "{text:.40}: {}", text.len());
        // And refused at its very end.
        for end in ["", "?"] {
            let content = preamble((3, 0), format!("{text}{end}"));
            let (header, steps) = steps(|| npzmap::Header::from_bytes(&content));
            match header {
                Ok(header) => assert_eq!((end, header.shape()), ("", &[3][..]), "{text:.40}"),
                Err(error) => {
                    assert_rule!(error, "N5", K::BadHeader { .. });
                    let behind = content.len() as u64 - 1;
                    assert_eq!((end, error.offset(), error.member()), ("?", Some(behind), None), "{text:.40}");
                }
            }
            let length = content.len() as u64;
            assert!((length / 2..=5 * length).contains(&steps), "{text:.40}: {steps} steps for {length} bytes");
        }
    }
}

/// A header of more than 65,535 bytes, and elements.
fn long(descr: &str, shape: &str, payload: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
    [preamble((3, 0), text), payload.to_vec()].concat()
}

/// As many levels and fields as there may be: who asks every field twice on each of 31 levels asks 2^31 times 4,000.
#[test]
fn l2_what_a_map_would_do_is_linear_in_the_fields_of_the_deepest_dtype() {
    let fields: String = (0..4_000).map(|number| format!("('{number}', '|u1'), ")).collect();
    let text = format!("{}[{fields}]{}", "[('a', ".repeat(30), ")]".repeat(30));
    let content = long(&text, "(3,)", &[0; 12_000]);
    for archive in archives(&content) {
        let npz = Npz::new(archive.bytes()).unwrap();
        let member = npz.member("x").unwrap();
        let header = member.header().unwrap();
        let (alignment, asked) = steps(|| header.dtype().alignment());
        assert_eq!(alignment, 1);
        assert!(asked <= 4_030, "{asked} steps");
        let (access, asked) = steps(|| member.access_in_map());
        assert!(access.is_ok());
        assert!(asked <= 10 * content.len() as u64, "{asked} steps for {} bytes", content.len());
    }
}

/// Fields that have no bytes, that are as the machine has them, and records around one field, cost nothing for each item.
#[test]
fn l2_swapping_is_linear_in_the_bytes_whatever_fields_surround_them() {
    const ITEMS: u16 = 1_000;
    // Neither byte order alone is the machine's.
    let empty: String = (0..4_000).map(|number| format!("('{number}', '{}U0'), ", ["<", ">"][number % 2])).collect();
    let other = if cfg!(target_endian = "little") { ">u2" } else { "<u2" };
    let inner = format!("[{empty}('v', '{other}')]");
    let around = format!("{}{inner}{}", "[('a', ".repeat(30), ")]".repeat(30));
    let two = format!("[('a', '{other}'), ('b', {inner}), ('c', '|S4')]");
    let values = (0..ITEMS)
        .flat_map(|value| if cfg!(target_endian = "little") { value.to_be_bytes() } else { value.to_le_bytes() });
    let values: Vec<u8> = values.collect();
    let pairs: Vec<u8> = values.chunks(2).flat_map(|value| [value, value, &[7; 4]].concat()).collect();
    let native: Vec<u8> = (0..ITEMS).flat_map(u16::to_ne_bytes).collect();
    for archive in
        archives(&long(&inner, "(1000,)", &values)).into_iter().chain(archives(&long(&around, "(1000,)", &values)))
    {
        let npz = Npz::new(archive.bytes()).unwrap();
        let (array, taken) =
            steps(|| npz.array("x").unwrap().reinterpret::<u16>().unwrap().read::<u16, Ix1>().unwrap());
        assert_eq!(bytemuck::cast_slice::<_, u8>(array.as_slice().unwrap()), native);
        assert!(taken < 1_000_000, "{taken} steps");
    }
    for archive in archives(&long(&two, "(1000,)", &pairs)) {
        let npz = Npz::new(archive.bytes()).unwrap();
        let (array, taken) =
            steps(|| npz.array("x").unwrap().reinterpret::<u64>().unwrap().read::<u64, Ix1>().unwrap());
        for (item, value) in array.iter().zip(0..ITEMS) {
            let [a, b] = value.to_ne_bytes();
            assert_eq!(item.to_ne_bytes(), [a, b, a, b, 7, 7, 7, 7]);
        }
        assert!(taken < 1_000_000, "{taken} steps");
    }
}

#[test]
fn l3_a_dtype_has_at_most_4096_fields() {
    let fields = |count: usize, one: &str| {
        let fields: Vec<String> = (0..count).map(|number| one.replace("NAME", &number.to_string())).collect();
        format!("[{}]", fields.join(", "))
    };
    let archive = with_x(stored(
        "x.npy",
        &[preamble((2, 0), descr(&fields(4096, "('fNAME', '|u1')"))), vec![0; 3 * 4096]].concat(),
    ));
    each_reader!(&archive.bytes(), |npz| {
        let header = npz.unwrap().member("x").unwrap().header().unwrap();
        let Dtype::Record(record) = header.dtype() else { panic!("{header:?}") };
        assert_eq!((record.fields().len(), record.item_size()), (4096, 4096));
    });
    for one in ["('fNAME', '|u1')", "('', '|V1')", "('fNAME', '|S0')"] {
        let mut text = fields(4097, one);
        text.insert(text.rfind("('").unwrap(), '^');
        assert_limit(&text, 4096);
    }
    // Nested ones are counted: 63 times 65, one around them, and the first in that.
    let inner = fields(64, "('fNAME', '|u1')");
    let mut text = fields(64, &format!("('gNAME', {inner})"));
    text.insert(text.rfind("('f0'").unwrap(), '^');
    assert_limit(&text, 4096);
}

/// The dtype goes beyond a limit of L3, at its `^`.
#[track_caller]
fn assert_limit(text: &str, most: u64) {
    let text = descr(text);
    let at = text.find('^').expect("the place is marked");
    let error = refused_text(&text.replacen('^', "", 1), at as u64);
    assert_rule!(error, "L3", K::LimitExceeded { limit, found, .. } if *limit == most && found > limit);
    assert_eq!(error.kind().fault(), Fault::Limit);
}

#[test]
fn l3_an_item_has_at_most_as_many_bytes_as_numpy_counts() {
    let most = u64::from(i32::MAX.unsigned_abs());
    for text in [
        "[('a', '|V2147483647'), ^('b', '|u1')]",
        "[('a', '|V2147483647'), ^('', '|V2147483647'), ('b', '|V2147483647')]",
        "[^('a', '<f8', (268435456,))]",
        "[^('a', '<f8', (4294967296, 4294967296))]",
        "[^('a', '|u1', (18446744073709551615,))]",
        "[^('a', '<f8', 268435456)]",
        "[^('a', [('b', '|V1000000')], (3000,))]",
        "^('|V65536', (65536,))",
    ] {
        assert_limit(text, most);
    }
    // A length of 0 makes up for nothing that overflows on the way; NumPy multiplies, too.
    let header =
        |text: &str| npzmap::Header::from_bytes(&npy(text, "(3,)", &[])).map(|header| header.dtype().item_size());
    assert_eq!(header("[('a', '|V2147483647')]").unwrap(), 2_147_483_647);
    assert_eq!(header("[('a', '<f8', (0,))]").unwrap(), 0);
}
