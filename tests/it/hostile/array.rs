//! The `.npy` within a sound member, stored and deflated: N1 to N17, L1 to L3.

use bytemuck::{Pod, Zeroable};
use ndarray::{Ix1, IxDyn};
use npzmap::{Dtype, Element, Error, ErrorKind as K, Fault, Limits, Npy, Npz, OpenOptions, Order, Reason, Unaligned};

use super::*;
use crate::forge::{deflated, npy, preamble};

/// The three, `x` being this content, stored and deflated.
fn archives(content: &[u8]) -> [Archive; 2] {
    [with_x(stored("x.npy", content)), with_x(deflated("x.npy", content))]
}

/// The header of `x` is refused by every call, stored and deflated, at this byte of the member if there is one.
#[track_caller]
fn refused_at(content: &[u8], at: Option<u64>, options: OpenOptions) -> Error {
    let [plain, deflated] = archives(content).map(|archive| {
        let errors = each_reader!(&archive.bytes(), options, |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["x"]);
            let member = npz.member("x").unwrap();
            assert_eq!(*member.bytes().unwrap(), *content);
            member.verify().unwrap();
            let mut destination = Array1::<u32>::zeros(3);
            agreed([
                member.header().expect_err("header"),
                member.read::<u32, Ix1>().expect_err("read"),
                member.get::<u32, Ix1>().expect_err("get"),
                member.read_into(destination.view_mut()).expect_err("read_into"),
                member.strings().expect_err("strings"),
                member.access::<u32>().expect_err("access"),
                member.access_in_map().expect_err("access_in_map"),
                member.read_any().map(drop).expect_err("read_any"),
                member.read_as::<f32, Ix1>().expect_err("read_as"),
                member.read_rows::<u32, Ix1>(0..1).expect_err("read_rows"),
                member.read_field::<u32, Ix1>("a").expect_err("read_field"),
            ])
        });
        let file = written(&archive.bytes());
        let npz = map(options, file.path()).unwrap();
        let borrowed = [
            npz.view::<u32, Ix1>("x").expect_err("view"),
            npz.view_as::<f32, Ix1>("x").expect_err("view_as"),
            npz.field::<u32, Ix1>("x", "a").expect_err("field"),
            npz.payload("x").map(drop).expect_err("payload"),
        ];
        (agreed(errors.into_iter().chain(borrowed)), archive.data_at(X))
    });
    // The content as a file of its own.
    let file = written(content);
    let alone = agreed([
        options.npy(content).map(drop).expect_err("npy"),
        options.open_npy(file.path()).map(drop).expect_err("open_npy"),
    ]);
    assert_eq!(format!("{:?}", alone.kind()), format!("{:?}", plain.0.kind()));
    // A byte of the file where the member is stored, else one of the member.
    let (error, start) = plain;
    assert_eq!(format!("{:?}", error.kind()), format!("{:?}", deflated.0.kind()));
    assert_eq!(error.member(), Some("x"));
    if let Some(at) = at {
        assert_eq!((error.offset(), deflated.0.offset()), (Some(start + at), Some(at)), "{error:?}");
        assert_eq!(alone.offset(), Some(at));
    }
    error
}

/// The text of this header is refused at the place of its `^`.
#[track_caller]
fn bad_text(version: u8, text: impl AsRef<[u8]>) -> Error {
    let text = text.as_ref();
    let at = text.iter().position(|byte| *byte == b'^').expect("the place is marked");
    let text = [&text[..at], &text[at + 1..]].concat();
    let start = if version == 1 { 10 } else { 12 };
    let content = [preamble((version, 0), text), vec![0; 12]].concat();
    refused_at(&content, Some(start + at as u64), OpenOptions::new())
}

/// A header like NumPy's, with other text for one of its values.
fn descr(descr: &str) -> String {
    format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (3,), }}")
}

fn order(order: &str) -> String {
    format!("{{'descr': '<u4', 'fortran_order': {order}, 'shape': (3,), }}")
}

fn shape(shape: &str) -> String {
    format!("{{'descr': '<u4', 'fortran_order': False, 'shape': {shape}, }}")
}

/// `x` is this array of numbers, stored and deflated, for every reader.
#[track_caller]
fn reads_as(content: &[u8], expected: &[u32]) {
    for archive in archives(content) {
        agrees_with_zip(&archive.bytes());
        each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            assert_eq!(npz.read::<u32, IxDyn>("x").unwrap().into_raw_vec_and_offset().0, expected);
        });
    }
    let alone = Npy::new(content).unwrap().read::<u32, IxDyn>().unwrap();
    assert_eq!(alone.into_raw_vec_and_offset().0, expected);
}

/// A text that real files have, if not today's NumPy.
#[track_caller]
fn tolerated(version: u8, text: impl AsRef<[u8]>) {
    let payload: Vec<u8> = [4_u32, 5, 6].iter().flat_map(|value| value.to_le_bytes()).collect();
    reads_as(&[preamble((version, 0), text), payload].concat(), &[4, 5, 6]);
}

// N1 to N4

#[test]
fn n1_content_without_the_magic_string_is_no_array_and_can_be_taken_as_bytes() {
    let sound = u32s(&[1, 2, 3]);
    let cases: [&[u8]; 9] = [
        b"",
        b"\x93",
        &sound[..5],
        b"\x93NUMPZ\x01\x00",
        b"text, which is longer than the magic string",
        b"PK\x03\x04",
        &sound[1..],
        &[b"\0", &sound[..]].concat(),
        &[0; 4096],
    ];
    for content in cases {
        assert_rule!(refused_at(content, None, OpenOptions::new()), "N1", K::NotAnArray);
    }
}

#[test]
fn n2_other_versions_are_refused() {
    for version in [(0, 0), (1, 1), (2, 1), (3, 1), (4, 0), (0, 1), (255, 255)] {
        let mut content = u32s(&[1, 2, 3]);
        (content[6], content[7]) = version;
        let error = refused_at(&content, Some(6), OpenOptions::new());
        assert_rule!(error, "N2", K::NpyVersion { major, minor } if (*major, *minor) == version);
    }
    // Nothing need follow it.
    let error = refused_at(b"\x93NUMPY\x09\x00", Some(6), OpenOptions::new());
    assert_rule!(error, "N2", K::NpyVersion { major: 9, minor: 0 });
}

#[test]
fn n3_a_header_that_reaches_past_the_member_is_refused() {
    let sound = u32s(&[1, 2, 3]);
    // Cut off within the magic string's neighbours and within the text.
    for (length, needed_bytes) in [(6, 10), (7, 10), (8, 10), (9, 10), (10, 128), (11, 128), (127, 128)] {
        let error = refused_at(&sound[..length], None, OpenOptions::new());
        assert_rule!(error, "N3", K::HeaderLength { needed, available } if (*needed, *available) == (needed_bytes, length as u64));
    }
    let wide = preamble((2, 0), descr("'<u4'"));
    for (length, needed_bytes) in [(8, 12), (11, 12), (12, wide.len() as u64)] {
        let error = refused_at(&wide[..length], None, OpenOptions::new());
        assert_rule!(error, "N3", K::HeaderLength { needed, available } if (*needed, *available) == (needed_bytes, length as u64));
    }
    // The length is a lie.
    let mut long = sound.clone();
    long[8..10].copy_from_slice(&u16::MAX.to_le_bytes());
    assert_rule!(refused_at(&long, None, OpenOptions::new()), "N3", K::HeaderLength { needed: 65_545, available: 140 });
    for version in [2, 3] {
        let mut long = preamble((version, 0), descr("'<u4'"));
        long[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = refused_at(&long, None, OpenOptions::new());
        assert_rule!(error, "N3", K::HeaderLength { needed: 0x1_0000_000b, .. });
    }
}

/// A header of this many bytes of text, most of them blanks.
fn blanks(length: usize) -> Vec<u8> {
    let mut text = descr("'<u4'").into_bytes();
    text.resize(length, b' ');
    let payload = [4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0];
    [preamble((2, 0), text), payload.to_vec()].concat()
}

#[test]
fn n4_a_header_that_is_longer_than_the_limit_is_refused() {
    let limits = OpenOptions::new().limits(Limits::new().max_header_bytes(118));
    let error = refused_at(&blanks(119), None, limits);
    assert_rule!(error, "N4", K::LimitExceeded { found: 119, limit: 118, .. });
    assert_eq!(error.kind().fault(), Fault::Limit);
    assert!(error.to_string().contains("Limits::max_header_bytes"), "{error}");
    for archive in archives(&blanks(118)) {
        each_reader!(&archive.bytes(), limits, |npz| {
            assert_eq!(read_by_every_call::<u32, _>(&npz.unwrap(), "x"), [4, 5, 6]);
        });
    }
}

#[test]
fn l1_a_header_has_at_most_a_mebibyte_of_text_unless_the_limit_is_raised() {
    const MOST: usize = 1 << 20;
    // More than NumPy's 10,000 characters, too.
    reads_as(&blanks(10_001), &[4, 5, 6]);
    reads_as(&blanks(MOST), &[4, 5, 6]);
    let error = refused_at(&blanks(MOST + 1), None, OpenOptions::new());
    assert_rule!(error, "N4", K::LimitExceeded { found: 0x10_0001, limit: 0x10_0000, .. });
    let raised = OpenOptions::new().limits(Limits::new().max_header_bytes(u32::MAX));
    for archive in archives(&blanks(MOST + 1)) {
        each_reader!(&archive.bytes(), raised, |npz| {
            assert_eq!(read_by_every_call::<u32, _>(&npz.unwrap(), "x"), [4, 5, 6]);
        });
    }
}

// N5

#[test]
fn n5_a_header_that_is_no_dict_is_refused() {
    for text in [
        "^",
        "   ^",
        "^[]",
        "^('descr', '<u4')",
        "^['descr', '<u4', 'fortran_order', False, 'shape', (3,)]",
        "^dict(descr='<u4', fortran_order=False, shape=(3,))",
        "^({'descr': '<u4', 'fortran_order': False, 'shape': (3,)})",
        "{'descr'^, 'fortran_order', 'shape'}",
        "^None",
        "^'{}'",
        "^\0{'descr': '<u4', 'fortran_order': False, 'shape': (3,), }",
        "^#",
    ] {
        assert_rule!(bad_text(1, text), "N5", K::BadHeader { .. });
    }
}

#[test]
fn n5_a_key_that_is_missing_unknown_or_twice_is_refused() {
    for text in [
        "{}^",
        "{'fortran_order': False, 'shape': (3,), }^",
        "{'descr': '<u4', 'shape': (3,), }^",
        "{'descr': '<u4', 'fortran_order': False, }^",
        "{'descr': '<u4', 'fortran_order': False, 'shape': (3,), ^'version': 1, }",
        "{^'Descr': '<u4', 'fortran_order': False, 'shape': (3,), }",
        "{^'descr ': '<u4', 'fortran_order': False, 'shape': (3,), }",
        "{^'': '<u4', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<u4', ^'descr': '<u4', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<u4', 'fortran_order': False, 'shape': (3,), ^'descr': '<u2'}",
        "{'descr': '<u4', 'fortran_order': False, 'shape': (3,), ^'shape': (4,)}",
        "{'descr': '<u4', 'fortran_order': False, 'shape': (3,), ^'fortran_order': True}",
        "{'descr': '<u4', 'fortran_order': False, 'shape': (3,), ^'\\x64escr': '<u2'}",
    ] {
        assert_rule!(bad_text(1, text), "N5", K::BadHeader { .. });
    }
}

#[test]
fn n5_anything_behind_the_dict_is_refused() {
    for behind in [
        "^x",
        " ^x",
        "\n^{}",
        "^}",
        " ^, {}",
        "  ^# a comment",
        "\n\n^;",
        "^\0",
        "   ^\0\n",
        " ^'",
        "^\u{b}",
        " ^.keys()",
    ] {
        let text = [&descr("'<u4'"), behind].concat();
        assert_rule!(bad_text(1, text), "N5", K::BadHeader { .. });
    }
}

#[test]
fn n5_bytes_that_are_no_text_are_refused() {
    // A byte order mark, as Latin-1 and as what it is.
    let marked = [b"^\xef\xbb\xbf", descr("'<u4'").as_bytes()].concat();
    for version in [1, 2, 3] {
        assert_rule!(bad_text(version, &marked), "N5", K::BadHeader { .. });
    }
    // In version 3.0, what is no UTF-8, also in a string.
    for text in [&b"{'descr': '^\xff', "[..], b"{'descr': [('^\xe9', '<u4')], 'fortran_order': False, 'shape': (3,)}"] {
        assert_rule!(bad_text(3, text), "N5", K::BadHeader { .. });
    }
    // NUL in a string.
    assert_rule!(
        bad_text(1, "{^'descr\0': '<u4', 'fortran_order': False, 'shape': (3,), }"),
        "N5",
        K::BadHeader { .. }
    );
    assert_rule!(bad_text(1, descr("^'<u4\0'")), "N5", K::BadHeader { .. });
    assert_rule!(bad_text(1, descr("'<u4'^\0")), "N5", K::BadHeader { .. });
}

#[test]
fn n5_what_only_a_python_parser_takes_is_refused() {
    for text in [
        descr("'<u4' ^''"),
        descr("^'''<u4'''"),
        descr("^\"\"\"<u4\"\"\""),
        descr("^''''"),
        descr("^'<u4''2'"),
        descr("^'<u4'\"2\""),
        descr("^b'<u4'"),
        descr("^u'<u4'"),
        descr("^r'<u4'"),
        descr("^'<u4\n'"),
        descr("^'\\N{DIGIT FOUR}'"),
        descr("^'\\q'"),
        descr("^'\\x4'"),
        descr("^'\\ud800'"),
        descr("^'\\U00110000'"),
        descr("^None"),
        descr("^4"),
        descr("^{}"),
        descr("^"),
        "{'descr' ^'<u4', 'fortran_order': False, 'shape': (3,), }".into(),
        "{'descr':: '<u4', 'fortran_order': False, 'shape': (3,), }".replacen("::", ":^:", 1),
        "{'descr': '<u4' ^'fortran_order': False, 'shape': (3,), }".into(),
        "{'descr': '<u4',^, 'fortran_order': False, 'shape': (3,), }".into(),
        "{^, 'descr': '<u4', 'fortran_order': False, 'shape': (3,), }".into(),
        "{^descr: '<u4', 'fortran_order': False, 'shape': (3,), }".into(),
        "{^1: 2, 'descr': '<u4', 'fortran_order': False, 'shape': (3,), }".into(),
        "{^**{}, 'descr': '<u4', 'fortran_order': False, 'shape': (3,), }".into(),
        "{'descr': '<u4', 'fortran_order': False, 'shape': (3,), ^".into(),
        "{'descr': '<u4', 'fortran_order': False, 'shape': (3,)^".into(),
        "{'descr': '<u4', 'fortran_order': False, 'shape': (3,)^]".into(),
    ] {
        assert_rule!(bad_text(1, &text), "N5", K::BadHeader { .. });
    }
}

#[test]
fn n5_what_real_files_have_is_tolerated() {
    tolerated(1, "{'shape': (3,), 'descr': '<u4', 'fortran_order': False}");
    tolerated(1, "{\"descr\": \"<u4\", \"fortran_order\": False, \"shape\": (3,)}");
    tolerated(1, " \t\n{ 'descr' :\n'<u4' ,\r\n'fortran_order':False,'shape':( 3 , ) , } \n \n");
    tolerated(1, "{'descr': '\\x3cu4', 'fortran_order': False, 'shape': (3,)}");
    tolerated(3, descr("'<u4'"));
    for code in ["'u4'", "'=u4'", "'|u4'"] {
        tolerated(2, descr(code));
    }
}

#[test]
fn n5_the_place_of_an_error_is_a_byte_of_the_member_whatever_the_encoding() {
    // A character of one byte in Latin-1, and of two in UTF-8, before the error.
    let text = |order: &str| format!("{{'descr': [('größe', '<u4')], 'fortran_order': {order}, 'shape': (3,), }}");
    let latin1: Vec<u8> = text("^0").chars().map(|c| u8::try_from(c).unwrap()).collect();
    assert_rule!(bad_text(1, latin1), "N6", K::BadOrder { .. });
    assert_rule!(bad_text(3, text("^0")), "N6", K::BadOrder { .. });
}

// N6, N7, N8

#[test]
fn n6_an_order_that_is_neither_true_nor_false_is_refused() {
    for text in [
        "^0",
        "^1",
        "^None",
        "^'False'",
        "^false",
        "^true",
        "^FALSE",
        "^[]",
        "^(False)",
        "^Falsey",
        "^",
        "^-1",
        "^not True",
    ] {
        assert_rule!(bad_text(1, order(text)), "N6", K::BadOrder { .. });
    }
}

#[test]
fn n7_a_shape_that_is_no_tuple_of_lengths_is_refused() {
    let cases = [
        "^[3]",
        "^3",
        "^None",
        "^'3'",
        "^{3}",
        "(3^)",
        "(^-3,)",
        "(^'3',)",
        "(^(3,),)",
        "(^None,)",
        "(^True,)",
        "(^,)",
        "(3,^,)",
        "(3 ^4)",
        "(3, 1 ^1)",
        "(^3.0,)",
        "(^3e0,)",
        "(^0x3,)",
        "(^0b11,)",
        "(^1_0,)",
        "(^+2,)",
        "(^03,)",
        "(^3j,)",
        "(^3l,)",
        "(^3LL,)",
        "(^18446744073709551616,)",
        "(^99999999999999999999999999,)",
        "(3,^]",
        "(3,^",
        "(3, ^*(1,))",
        "(3 ^for _ in ())",
        "(^٣,)",
    ];
    for text in cases {
        let text = shape(text);
        let end = text.rfind("(3,^,").filter(|_| text.ends_with("(3,^, }"));
        // Without its closing bracket the comma of the dict comes next.
        assert!(end.is_none() || text.contains("(3,^"));
        assert_rule!(bad_text(3, &text), "N7", K::BadShape { .. });
    }
}

#[test]
fn n7_a_shape_has_at_most_64_dimensions() {
    let ones = |count| format!("({})", "1, ".repeat(count));
    let error = bad_text(1, shape(&format!("^{}", ones(65))));
    assert_rule!(error, "N7", K::BadShape { expected: "at most 64 dimensions", .. });
    assert_rule!(bad_text(1, shape(&format!("^{}", ones(20_000)))), "N7", K::BadShape { .. });
    reads_as(&npy("'<u4'", &ones(64), &[9, 0, 0, 0]), &[9]);
    reads_as(&npy("'<u4'", "()", &[9, 0, 0, 0]), &[9]);
}

#[test]
fn n7_the_long_integers_of_python_2_are_read_up_to_version_2() {
    for version in [1, 2] {
        tolerated(version, shape("(3L,)"));
        tolerated(version, shape("(1L, 3L)"));
    }
    assert_rule!(bad_text(3, shape("(^3L,)")), "N7", K::BadShape { .. });
}

#[test]
fn n8_a_shape_that_cannot_be_addressed_is_refused() {
    let cases = [
        ("'|u1'", "(4294967296, 4294967296)"),
        ("'|u1'", "(9223372036854775807, 2)"),
        ("'|u1'", "(9223372036854775808,)"),
        ("'|u1'", "(18446744073709551615,)"),
        ("'|u1'", "(0, 9223372036854775808)"),
        ("'|u1'", "(4294967296, 0, 4294967296)"),
        ("'<u4'", "(2305843009213693952,)"),
        ("'<u4'", "(0, 2305843009213693952)"),
        ("'<u4'", "(18446744073709551615, 18446744073709551615, 18446744073709551615)"),
        ("'|V0'", "(9223372036854775808,)"),
        ("'|V0'", "(4294967296, 4294967296)"),
        ("'|S0'", "(0, 9223372036854775808)"),
        ("'|V2147483647'", "(4294967299,)"),
        ("[('a', '<f8', (16384,))]", "(70368744177664,)"),
    ];
    for (descr, shape) in cases {
        let error = refused_at(&npy(descr, shape, &[]), None, OpenOptions::new());
        assert_rule!(error, "N8", K::ShapeOverflow { .. });
    }
    // What is empty and fits is empty.
    for shape in ["(0, 9223372036854775807)", "(1099511627776, 0)", "(0, 0, 0)"] {
        let content = npy("'|u1'", shape, &[]);
        for archive in archives(&content) {
            each_reader!(&archive.bytes(), |npz| assert_eq!(npz.unwrap().read::<u8, IxDyn>("x").unwrap().len(), 0));
        }
    }
}

// N9

/// A value of no bytes.
#[derive(Clone, Copy, PartialEq, Debug, Default, Zeroable, Pod)]
#[repr(C)]
struct Nothing;

impl Element for Nothing {
    fn dtype() -> Dtype {
        "|V0".parse().unwrap()
    }

    fn matches(dtype: &Dtype) -> bool {
        dtype.item_size() == 0
    }
}

#[test]
fn n9_items_of_no_bytes_have_a_header_and_make_no_array() {
    for descr in ["'|V0'", "'<U0'", "'|S0'", "[]", "[('a', '|S0'), ('b', '|V0')]", "[('a', '<f8', (0,))]"] {
        let content = npy(descr, "(1000000, 1000000)", &[]);
        for archive in archives(&content) {
            let error = agreed(each_reader!(&archive.bytes(), |npz| {
                let npz = npz.unwrap();
                the_others_read(&npz, &["x"]);
                let member = npz.member("x").unwrap();
                let header = member.header().unwrap();
                assert_eq!((header.count(), header.nbytes()), (1_000_000_000_000, 0));
                let mut errors = vec![
                    member.read::<Nothing, IxDyn>().unwrap_err(),
                    member.get::<Nothing, IxDyn>().unwrap_err(),
                    member.access::<Nothing>().unwrap_err(),
                ];
                if header.dtype().as_scalar().is_some_and(|_| descr != "'|V0'") {
                    errors.push(member.strings().unwrap_err());
                }
                agreed(errors)
            }));
            assert_rule!(error, "N9", K::ZeroSizedItems { count: 1_000_000_000_000 });
            assert_eq!(error.kind().fault(), Fault::Request);
        }
    }
}

#[test]
fn n9_none_of_them_are_an_array() {
    for descr in ["'|V0'", "'<U0'", "'|S0'", "[]"] {
        for archive in archives(&npy(descr, "(0,)", &[])) {
            each_reader!(&archive.bytes(), |npz| {
                let npz = npz.unwrap();
                assert_eq!(read_by_every_call::<Nothing, _>(&npz, "x"), []);
                if descr.contains(['U', 'S']) {
                    assert_eq!(npz.strings("x").unwrap().shape(), [0]);
                }
            });
        }
        let file = written(&archives(&npy(descr, "(0,)", &[]))[0].bytes());
        assert_eq!(map(OpenOptions::new(), file.path()).unwrap().view::<Nothing, Ix1>("x").unwrap().len(), 0);
    }
}

// N10

#[test]
fn n10_pickled_objects_are_refused_and_their_header_is_read() {
    let pickle = b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x08builtins\x94.";
    let descrs = [
        "'|O'",
        "'O'",
        "'|O8'",
        "[('a', '<u4'), ('b', '|O')]",
        "[('a', [('b', [('c', '|O')])])]",
        "[('a', '|O', (2, 3))]",
        "[('a', [('b', '|O')], (2,))]",
        "('|O', (2,))",
    ];
    for descr in descrs {
        // More bytes than items need, fewer, and none.
        for (shape, payload) in [("(2,)", &pickle[..]), ("(1000000,)", pickle), ("(2,)", b""), ("()", pickle)] {
            let content = npy(descr, shape, payload);
            for archive in archives(&content) {
                let error = agreed(each_reader!(&archive.bytes(), |npz| {
                    let npz = npz.unwrap();
                    the_others_read(&npz, &["x"]);
                    let member = npz.member("x").unwrap();
                    assert!(member.header().unwrap().dtype().has_object());
                    assert_eq!(*member.bytes().unwrap(), content[..]);
                    let mut destination = ndarray::ArrayD::<u64>::zeros(member.header().unwrap().shape());
                    agreed([
                        member.read::<u64, IxDyn>().expect_err("read"),
                        member.get::<u64, IxDyn>().expect_err("get"),
                        member.read_into(destination.view_mut()).expect_err("read_into"),
                        member.strings().expect_err("strings"),
                        member.access::<u64>().expect_err("access"),
                        member.access_in_map().expect_err("access_in_map"),
                    ])
                }));
                assert_rule!(error, "N10", K::Pickled);
                assert!(error.kind().is_unsupported());
                assert_eq!(error.member(), Some("x"));
            }
        }
    }
}

// N11, L2, L3

#[test]
fn n11_a_code_that_numpy_does_not_print_is_refused() {
    let codes = [
        "",
        "<",
        "|",
        "f",
        "<f",
        "4",
        "<f3",
        "<f1",
        "<f32",
        "<u3",
        "<i16",
        "<b2",
        "<c4",
        "<c64",
        "<f04",
        "<f 4",
        "<f4 ",
        " <f4",
        "<<f4",
        "!f4",
        "float32",
        "int",
        "d",
        "?",
        "<T",
        "|T16",
        "|a5",
        "i4,f8",
        "3f4",
        "f4,",
        "(3,)f4",
        "<U-1",
        "<U",
        "<U4294967296",
        "<U1073741824",
        "|V2147483648",
        "|V99999999999999999999",
        "|O4",
        "|O16",
        "<M4",
        "<M8[]",
        "<M8[x]",
        "<M8[0s]",
        "<M8[generic]",
        "<M8[D/2]",
        "<M8[s",
        "<M8s]",
        "<M8[2147483648s]",
        "<m8[01s]",
        "<f4[s]",
        "é4",
        "datetime64[ms]",
        "<u4\\n",
        "<G8",
    ];
    for code in codes {
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
        "[(^'a')]",
        "[('a'^)]",
        "[('a', ^)]",
        "[(^1, '<u4')]",
        "[('a', '<u4', (2,), ^1)]",
        "[(('a', 'b', ^'c'), '<u4')]",
        "[(('a'^), '<u4')]",
        "[(^('a', 'b', 'c'), '<u4')]",
        "[('a', '<u4') ^('b', '<u4')]",
        "[('a', '<u4')^",
        "[^None]",
        "(^)",
        "('<u4'^)",
        "('<u4', (2,)^, 3)",
    ] {
        let error = bad_text_anywhere(&descr(fields));
        assert!(matches!(error.kind().rule(), Some("N5" | "N7" | "N11")), "{fields}: {error:?}");
    }
    // An unnamed sub-array, which NumPy takes for padding and never writes.
    assert_rule!(bad_text(1, descr("[^('', '<f4', (2,))]")), "N11", K::BadDtype { .. });
    let shape = "1, ".repeat(65);
    assert_rule!(bad_text_anywhere(&descr(&format!("[('a', '<u4', ({shape}))]"))), "N7", K::BadShape { .. });
}

/// Refused, wherever.
#[track_caller]
fn bad_text_anywhere(text: &str) -> Error {
    let content = [preamble((1, 0), text.replace('^', "")), vec![0; 12]].concat();
    agreed(archives(&content).iter().flat_map(|archive| {
        each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["x"]);
            let error = npz.member("x").unwrap().header().expect_err(text);
            // Kind alone: offsets are the file's in one of them.
            Error::from(error.into_kind())
        })
    }))
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
fn l2_a_dtype_has_at_most_32_levels() {
    // The innermost one is a level, too.
    for text in [nested(31), nested_arrays(31), format!("[('a', {})]", nested_arrays(30))] {
        for archive in archives(&npy(&text, "(3,)", &[0; 12])) {
            each_reader!(&archive.bytes(), |npz| {
                assert_eq!(npz.unwrap().member("x").unwrap().header().unwrap().dtype().item_size(), 4);
            });
        }
    }
    for text in [nested(32), nested(33), nested(10_000), nested_arrays(32), nested_arrays(10_000)] {
        assert_rule!(bad_text_anywhere(&descr(&text)), "L2", K::LimitExceeded { .. });
    }
    // No stack for brackets that never close, whatever they are said to be.
    for bracket in ["(", "[", "{", "[(", "[('a', ", "{'descr': "] {
        for before in ["", "{'descr': ", "{'fortran_order': ", "{'shape': "] {
            let text = format!("{before}{}", bracket.repeat(9_000));
            assert!(bad_text_anywhere(&text).kind().rule().is_some());
        }
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
        assert_limit(&fields(4097, one), 4096);
    }
    // Nested ones are counted.
    let inner = fields(64, "('fNAME', '|u1')");
    assert_limit(&fields(64, &format!("('gNAME', {inner})")).replace("gNAME", "g"), 4096);
}

/// The dtype goes beyond a limit of L3.
#[track_caller]
fn assert_limit(text: &str, most: u64) {
    let content = [preamble((2, 0), descr(text)), vec![0; 12]].concat();
    for archive in archives(&content) {
        let error = agreed(each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["x"]);
            npz.member("x").unwrap().header().unwrap_err()
        }));
        assert_rule!(error, "L3", K::LimitExceeded { limit, found, .. } if *limit == most && found > limit);
        assert_eq!(error.kind().fault(), Fault::Limit);
    }
}

#[test]
fn l3_an_item_has_at_most_as_many_bytes_as_numpy_counts() {
    let most = u64::from(i32::MAX.unsigned_abs());
    for text in [
        "[('a', '|V2147483647'), ('b', '|u1')]",
        "[('a', '|V2147483647'), ('', '|V2147483647'), ('b', '|V2147483647')]",
        "[('a', '<f8', (268435456,))]",
        "[('a', '<f8', (4294967296, 4294967296))]",
        "[('a', '|u1', (18446744073709551615,))]",
        "[('a', '<f8', 268435456)]",
        "[('a', [('b', '|V1000000')], (3000,))]",
        "('|V65536', (65536,))",
    ] {
        assert_limit(text, most);
    }
    // A length of 0 makes up for nothing that overflows on the way; NumPy multiplies, too.
    let header =
        |text: &str| npzmap::Header::from_bytes(&npy(text, "(3,)", &[])).map(|header| header.dtype().item_size());
    assert_eq!(header("[('a', '|V2147483647')]").unwrap(), 2_147_483_647);
    assert_eq!(header("[('a', '<f8', (0,))]").unwrap(), 0);
}

// N12

#[test]
fn n12_fewer_or_more_bytes_than_the_header_asks_for_are_refused() {
    let cases = [
        ("(3,)", vec![0; 11], 12),
        ("(3,)", vec![0; 13], 12),
        ("(3,)", vec![], 12),
        ("(3,)", vec![0; 8], 12),
        ("(3,)", vec![0; 16], 12),
        ("()", vec![], 4),
        ("()", vec![0; 5], 4),
        ("(0,)", vec![0], 0),
        ("(0, 1000)", vec![0; 4000], 0),
        // 4 TiB out of 140 bytes.
        ("(1099511627776,)", vec![0; 12], 1 << 42),
        ("(2305843009213693951,)", vec![0; 12], (1 << 63) - 4),
    ];
    for (shape, payload, needed) in cases {
        let available = payload.len() as u64;
        let error = refused_at(&npy("'<u4'", shape, &payload), None, OpenOptions::new());
        assert_rule!(error, "N12", K::PayloadLength { found, expected } if (*found, *expected) == (available, needed));
    }
    // Right after a preamble that ends with the member.
    let error = refused_at(&preamble((1, 0), descr("'<u4'")), None, OpenOptions::new());
    assert_rule!(error, "N12", K::PayloadLength { found: 0, expected: 12 });
}

// N13, N14

/// The elements are refused as `T` by every call, whatever the order of the axes.
#[track_caller]
fn bad_elements<T: Element + Default + Debug>(content: &[u8]) -> Error {
    let errors = archives(content).map(|archive| {
        let errors = each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["x"]);
            let length = npz.member("x").unwrap().header().unwrap().count();
            let mut destination = Array1::from_shape_fn(length, |_| T::default());
            agreed([
                npz.read::<T, Ix1>("x").expect_err("read"),
                npz.get::<T, Ix1>("x").expect_err("get"),
                npz.read_into("x", destination.view_mut()).expect_err("read_into"),
            ])
        });
        agreed(errors)
    });
    let file = written(&archives(content)[0].bytes());
    let view = map(OpenOptions::new(), file.path()).unwrap().view::<T, Ix1>("x").expect_err("view");
    agreed(errors.into_iter().chain([view]))
}

#[test]
fn n13_a_byte_that_is_no_bool_is_refused_with_its_index() {
    for length in [1, 3, 4095, 4096, 4097, 10_000, 100_000] {
        for index in [0, length / 2, length - 1, 4095, 4096, 9000].into_iter().filter(|index| *index < length) {
            for wrong in [2, 0x80, 0xff] {
                let mut payload: Vec<u8> = (0..length).map(|number| u8::from(number % 3 == 0)).collect();
                payload[index] = wrong;
                // A later one does not hide it.
                *payload.last_mut().unwrap() = if index == length - 1 { wrong } else { 3 };
                let error = bad_elements::<bool>(&npy("'|b1'", &format!("({length},)"), &payload));
                assert_rule!(error, "N13", K::InvalidElement { index: found, element } if *found == index && element == "bool");
            }
        }
    }
}

#[test]
fn n13_the_bytes_of_bools_can_be_taken_as_numbers() {
    for payload in [[0, 1, 1], [0, 2, 255]] {
        for archive in archives(&npy("'|b1'", "(3,)", &payload)) {
            each_reader!(&archive.bytes(), |npz| {
                assert_eq!(npz.unwrap().read_as::<u8, Ix1>("x").unwrap().to_vec(), payload);
            });
        }
    }
    for archive in archives(&npy("'|b1'", "(3,)", &[0, 1, 1])) {
        each_reader!(&archive.bytes(), |npz| {
            assert_eq!(read_by_every_call::<bool, _>(&npz.unwrap(), "x"), [false, true, true]);
        });
    }
}

/// Strings of two characters, in this byte order.
fn ucs4(mark: char, strings: &[[u32; 2]]) -> Vec<u8> {
    let bytes = |code: &u32| if mark == '<' { code.to_le_bytes() } else { code.to_be_bytes() };
    let payload: Vec<u8> = strings.iter().flatten().flat_map(bytes).collect();
    npy(&format!("'{mark}U2'"), &format!("({},)", strings.len()), &payload)
}

#[test]
fn n14_a_code_that_is_no_character_is_refused_with_its_index() {
    let [a, b] = [u32::from('a'), u32::from('b')];
    for mark in ['<', '>'] {
        for wrong in [0xd800, 0xdbff, 0xdc00, 0xdfff, 0x11_0000, 0x0100_0000, 0xffff_ffff] {
            for string in [[wrong, 0], [a, wrong], [wrong, wrong]] {
                let content = ucs4(mark, &[[a, b], [0, 0], string, [wrong, b]]);
                for archive in archives(&content) {
                    let error = agreed(each_reader!(&archive.bytes(), |npz| {
                        let npz = npz.unwrap();
                        the_others_read(&npz, &["x"]);
                        npz.strings("x").unwrap_err()
                    }));
                    assert_rule!(error, "N14", K::BadText { index: 2, .. });
                    assert_eq!(error.member(), Some("x"));
                }
            }
        }
        // A pair of surrogates is not one character here.
        let content = ucs4(mark, &[[0xd83d, 0xde00]]);
        assert_rule!(
            Npz::new(archives(&content)[0].bytes()).unwrap().strings("x").unwrap_err(),
            "N14",
            K::BadText { index: 0, .. }
        );
    }
    // Bytes that are no UTF-8.
    let error = Npz::new(archives(&npy("'|S2'", "(2,)", b"ab\xff\0"))[0].bytes()).unwrap().strings("x").unwrap_err();
    assert_rule!(error, "N14", K::BadText { index: 1, .. });
}

#[test]
fn n14_every_character_is_one_and_inner_nuls_are_kept() {
    let strings = [[0, 0], [0, 0x61], [0x61, 0], [0x10_ffff, 0xd7ff], [0xe000, 0xfffe]];
    let texts = ["", "\0a", "a", "\u{10ffff}\u{d7ff}", "\u{e000}\u{fffe}"];
    for mark in ['<', '>'] {
        for archive in archives(&ucs4(mark, &strings)) {
            each_reader!(&archive.bytes(), |npz| {
                assert_eq!(npz.unwrap().strings("x").unwrap().into_raw_vec_and_offset().0, texts);
            });
        }
    }
}

#[test]
fn n14_the_codes_of_characters_can_be_taken_as_numbers() {
    for (mark, payload) in [('<', [0, 0xd8, 0, 0]), ('>', [0, 0, 0xd8, 0])] {
        for archive in archives(&npy(&format!("'{mark}U1'"), "(1,)", &payload)) {
            each_reader!(&archive.bytes(), |npz| {
                assert_eq!(npz.unwrap().read_as::<u32, Ix1>("x").unwrap().to_vec(), [0xd800]);
            });
        }
    }
}

// N15 to N17

/// `x` begins with its elements at `start` modulo 64.
fn at(start: usize, content: &[u8]) -> Archive {
    built(|archive| {
        archive.entries[X] = stored("x.npy", content);
        archive.records[X] = Header { signature: *b"PK\x01\x02", ..archive.entries[X].header.clone() };
        archive.lay_out();
        let now = usize::try_from(archive.data_at(X)).unwrap() % 64;
        archive.entries[X].header.extra = vec![0; (64 + start - now) % 64];
    })
}

#[test]
fn n15_elements_off_their_alignment_are_copied_or_borrowed_unaligned() {
    let content = u32s(&values("x"));
    for start in 0..9 {
        let archive = at(start, &content);
        reads(&archive, 3);
        each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            assert_eq!(read_by_every_call::<u32, _>(&npz, "x"), values("x"));
            assert_eq!(npz.member("x").unwrap().payload_offset().unwrap().unwrap() % 64, start as u64);
        });
        let file = written(&archive.bytes());
        let npz = map(OpenOptions::new(), file.path()).unwrap();
        let unaligned = npz.view::<Unaligned<u32>, Ix1>("x").unwrap();
        assert_eq!(unaligned.map(|value| value.get()).to_vec(), values("x"));
        let payload = archive.data_at(X) + 128;
        assert_eq!(unaligned.as_ptr().addr() % 64, start);
        match npz.view::<u32, Ix1>("x") {
            Ok(view) => assert_eq!((view.to_vec(), start % 4), (values("x"), 0)),
            Err(error) => {
                assert_ne!(start % 4, 0);
                assert_rule!(error, "N15", K::CannotBorrow { reason: Reason::Misaligned { offset, required: 4 }, .. } if *offset == payload);
                assert_eq!((error.offset(), error.member()), (Some(payload), Some("x")));
            }
        }
        assert_eq!(npz.get::<u32, Ix1>("x").unwrap().is_view(), start % 4 == 0);
    }
}

#[test]
fn n16_the_other_byte_order_is_swapped_in_a_copy_and_never_lent() {
    let other = if cfg!(target_endian = "big") { '<' } else { '>' };
    let payload: Vec<u8> = [1_u32, 0x0203_0405, 7]
        .iter()
        .flat_map(|value| if other == '>' { value.to_be_bytes() } else { value.to_le_bytes() })
        .collect();
    let archive = at(0, &npy(&format!("'{other}u4'"), "(3,)", &payload));
    each_reader!(&archive.bytes(), |npz| {
        assert_eq!(read_by_every_call::<u32, _>(&npz.unwrap(), "x"), [1, 0x0203_0405, 7]);
    });
    let file = written(&archive.bytes());
    let npz = map(OpenOptions::new(), file.path()).unwrap();
    for error in [npz.view::<u32, Ix1>("x").unwrap_err(), npz.view::<Unaligned<u32>, Ix1>("x").unwrap_err()] {
        assert_rule!(error, "N16", K::CannotBorrow { reason: Reason::ByteOrder, .. });
        assert_eq!((error.offset(), error.member()), (Some(archive.data_at(X) + 128), Some("x")));
    }
    assert!(!npz.get::<u32, Ix1>("x").unwrap().is_view());
}

#[test]
fn n17_no_elements_can_be_borrowed_at_any_address() {
    for descr in ["'<f8'", "'>f8'"] {
        for shape in ["(0,)", "(0, 5)", "(3, 0, 2)"] {
            for start in 0..9 {
                let archive = at(start, &npy(descr, shape, &[]));
                each_reader!(&archive.bytes(), |npz| {
                    let npz = npz.unwrap();
                    assert_eq!(npz.read::<f64, IxDyn>("x").unwrap().len(), 0);
                    assert_eq!(npz.get::<f64, IxDyn>("x").unwrap().len(), 0);
                });
                let file = written(&archive.bytes());
                let npz = map(OpenOptions::new(), file.path()).unwrap();
                let view = npz.view::<f64, IxDyn>("x").unwrap();
                assert_eq!((view.len(), npz.member("x").unwrap().header().unwrap().order()), (0, Order::C));
                // And in memory, where the archive itself is at an odd address.
                let bytes = [&[0; 1][..], &archive.bytes()].concat();
                assert_eq!(Npz::new(&bytes[1..]).unwrap().view::<f64, IxDyn>("x").unwrap().shape(), view.shape());
            }
        }
    }
}
