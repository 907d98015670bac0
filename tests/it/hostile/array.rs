//! The `.npy` within a sound member, stored and deflated: its preamble. N1 to N8, L1.

use ndarray::{Ix1, IxDyn};
use npzmap::{Error, ErrorKind as K, Fault, Limits, Npy, OpenOptions, Verify};

use super::*;
use crate::forge::{deflated, npy, preamble};

/// The three, `x` being this content, stored and deflated.
pub(super) fn archives(content: &[u8]) -> [Archive; 2] {
    [with_x(stored("x.npy", content)), with_x(deflated("x.npy", content))]
}

/// What an error about an array points to.
pub(super) enum At {
    /// All of it: the byte of the file where its data begins, however it is coded.
    Array,
    /// A byte of its header: a byte of the file where it is stored, else one of the member.
    Byte(u64),
}

/// The header of `x` is refused by every call, stored and deflated, there.
#[track_caller]
pub(super) fn refused_at(content: &[u8], at: At, options: OpenOptions) -> Error {
    let archives = archives(content);
    let errors = archives.each_ref().map(|archive| {
        let errors = each_reader!(&archive.bytes(), options, |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["x"]);
            let member = npz.member("x").unwrap();
            assert_eq!(*member.bytes().unwrap(), *content);
            member.verify().unwrap();
            let mut destination = Array1::<u32>::zeros(3);
            agreed([
                member.header().expect_err("header"),
                member.array().and_then(|array| array.read::<u32, Ix1>()).expect_err("read"),
                member.array().and_then(|array| array.get::<u32, Ix1>()).expect_err("get"),
                member.array().and_then(|array| array.read_into(destination.view_mut())).expect_err("read_into"),
                member.array().and_then(|array| array.strings()).expect_err("strings"),
                member.array().and_then(|array| array.access::<u32>()).expect_err("access"),
                member.access_in_map().expect_err("access_in_map"),
                member.array().and_then(|array| array.read_any()).map(drop).expect_err("read_any"),
                member.array().and_then(|array| array.reinterpret::<f32>()?.read::<f32, Ix1>()).expect_err("read_as"),
                member.array().and_then(|array| array.rows(0..1)?.read::<u32, Ix1>()).expect_err("read_rows"),
                member.array().and_then(|array| array.field("a")?.read::<u32, Ix1>()).expect_err("read_field"),
                member.array().and_then(|array| array.rows(0..1)?.read_any()).map(drop).expect_err("read_rows_any"),
                member.stream_elements(|_, _| Ok::<_, Error>(())).expect_err("stream_elements"),
                member.array().and_then(|array| array.reinterpret::<f32>()?.access::<f32>()).expect_err("access_as"),
                member.layout().map(drop).expect_err("layout"),
                member.faults(Verify::Always).pop().unwrap_or_else(|| member.header().expect_err("header")),
            ])
        });
        let file = written(&archive.bytes());
        let npz = Arc::new(map(options, file.path()).unwrap());
        let borrowed = [
            npz.view::<u32, Ix1>("x").expect_err("view"),
            npz.array("x").and_then(|array| array.reinterpret::<f32>()?.view::<f32, Ix1>()).expect_err("view_as"),
            npz.array("x").and_then(|array| array.field("a")?.view::<u32, Ix1>()).expect_err("field"),
            npz.array("x")
                .and_then(|array| array.field("a")?.strided::<u32, Ix1>())
                .map(drop)
                .expect_err("field_strided"),
            npz.array("x").and_then(|array| array.bytes()).map(drop).expect_err("payload"),
            npz.array("x").and_then(|array| array.shared::<u32, Ix1>()).map(drop).expect_err("shared"),
            npz.array("x")
                .and_then(|array| array.reinterpret::<f32>()?.shared::<f32, Ix1>())
                .map(drop)
                .expect_err("shared_as"),
        ];
        agreed(errors.into_iter().chain(borrowed))
    });
    // The content as a file of its own.
    let file = written(content);
    let alone = agreed([
        options.npy(content).map(drop).expect_err("npy"),
        options.open_npy(file.path()).map(drop).expect_err("open_npy"),
    ]);
    match at {
        At::Array => assert_eq!(alone.offset(), Some(0)),
        At::Byte(offset) => assert_eq!(alone.offset(), Some(offset)),
    }
    let error = about_x(&archives, errors, at);
    assert_eq!(format!("{:?}", alone.kind()), format!("{:?}", error.kind()));
    error
}

/// What the readers say of `x`, stored and deflated, is one error, about `x`, there.
#[track_caller]
pub(super) fn about_x(archives: &[Archive; 2], [plain, deflated]: [Error; 2], at: At) -> Error {
    assert_eq!(format!("{:?}", plain.kind()), format!("{:?}", deflated.kind()));
    assert_eq!((plain.member(), deflated.member()), (Some("x"), Some("x")));
    let [start, deflated_start] = archives.each_ref().map(|archive| archive.data_at(X));
    let offset = match at {
        At::Array => {
            assert_eq!((plain.offset(), deflated.offset()), (Some(start), Some(deflated_start)), "{plain:?}");
            return plain;
        }
        At::Byte(offset) => offset,
    };
    assert!(offset < u64::from(archives[0].records[X].size), "{deflated:?}");
    assert_eq!((plain.offset(), deflated.offset()), (Some(start + offset), Some(offset)), "{plain:?}");
    plain
}

/// The text of this header is refused at the place of its `^`.
#[track_caller]
pub(super) fn bad_text(version: u8, text: impl AsRef<[u8]>) -> Error {
    let text = text.as_ref();
    let at = text.iter().position(|byte| *byte == b'^').expect("the place is marked");
    let text = [&text[..at], &text[at + 1..]].concat();
    let start = if version == 1 { 10 } else { 12 };
    let content = [preamble((version, 0), text), vec![0; 12]].concat();
    refused_at(&content, At::Byte(start + at as u64), OpenOptions::new())
}

/// A header like NumPy's, with other text for one of its values.
pub(super) fn descr(descr: &str) -> String {
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
pub(super) fn reads_as(content: &[u8], expected: &[u32]) {
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
        assert_rule!(refused_at(content, At::Array, OpenOptions::new()), "N1", K::NotAnArray);
    }
}

#[test]
fn n2_other_versions_are_refused() {
    for version in [(0, 0), (1, 1), (2, 1), (3, 1), (4, 0), (0, 1), (255, 255)] {
        let mut content = u32s(&[1, 2, 3]);
        (content[6], content[7]) = version;
        let error = refused_at(&content, At::Byte(6), OpenOptions::new());
        assert_rule!(error, "N2", K::NpyVersion { major, minor } if (*major, *minor) == version);
    }
    // Nothing need follow it.
    let error = refused_at(b"\x93NUMPY\x09\x00", At::Byte(6), OpenOptions::new());
    assert_rule!(error, "N2", K::NpyVersion { major: 9, minor: 0 });
}

#[test]
fn n3_a_header_that_reaches_past_the_member_is_refused() {
    let sound = u32s(&[1, 2, 3]);
    // Cut off behind the magic string, within the length field, and within the text.
    let cut = |content: &[u8], length: usize| {
        let error = refused_at(&content[..length], At::Array, OpenOptions::new());
        assert_rule!(error, "N3", K::HeaderLength { needed, available } if needed > available && *available == length as u64);
        let K::HeaderLength { needed, .. } = *error.kind() else { unreachable!() };
        needed
    };
    for length in 6..10 {
        assert!(cut(&sound, length) <= 10);
    }
    assert_eq!([10, 11, 127].map(|length| cut(&sound, length)), [128; 3]);
    let wide = preamble((2, 0), descr("'<u4'"));
    for length in 6..12 {
        assert!(cut(&wide, length) <= 12);
    }
    assert_eq!(cut(&wide, 12), wide.len() as u64);
    // The length is a lie.
    let mut long = sound.clone();
    long[8..10].copy_from_slice(&u16::MAX.to_le_bytes());
    assert_rule!(
        refused_at(&long, At::Array, OpenOptions::new()),
        "N3",
        K::HeaderLength { needed: 65_545, available: 140 }
    );
    for version in [2, 3] {
        let mut long = preamble((version, 0), descr("'<u4'"));
        long[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = refused_at(&long, At::Array, OpenOptions::new());
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
    let error = refused_at(&blanks(119), At::Array, limits);
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
    let error = refused_at(&blanks(MOST + 1), At::Array, OpenOptions::new());
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
    let orders = "^0; ^1; ^None; ^'False'; ^false; ^true; ^FALSE; ^[]; ^(False); ^Falsey; ^; ^-1; ^not True";
    for text in orders.split("; ") {
        assert_rule!(bad_text(1, order(text)), "N6", K::BadOrder { .. });
    }
}

#[test]
fn n7_a_shape_that_is_no_tuple_of_lengths_is_refused() {
    let shapes = "^[3]; ^3; ^None; ^'3'; ^{3}; (3^); (^-3,); (^'3',); (^(3,),); (^None,); (^True,); (^,); (3,^,); \
     (3 ^4); (3, 1 ^1); (^3.0,); (^3e0,); (^0x3,); (^0b11,); (^1_0,); (^+2,); (^03,); (^3j,); (^3l,); \
     (^3LL,); (^18446744073709551616,); (^99999999999999999999999999,); (3,^]; (3,^; (3, ^*(1,)); \
     (3 ^for _ in ()); (^٣,)";
    for text in shapes.split("; ") {
        assert_rule!(bad_text(3, shape(text)), "N7", K::BadShape { .. });
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
        ("'<u2'", "(0, 4611686018427387904)"),
        ("'<f8'", "(4611686018427387904, 0)"),
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
        let error = refused_at(&npy(descr, shape, &[]), At::Array, OpenOptions::new());
        assert_rule!(error, "N8", K::ShapeOverflow { .. });
    }
    // What is empty and fits is empty.
    for shape in ["(0, 9223372036854775807)", "(0, 4611686018427387904)", "(1099511627776, 0)", "(0, 0, 0)"] {
        let content = npy("'|u1'", shape, &[]);
        for archive in archives(&content) {
            each_reader!(&archive.bytes(), |npz| assert_eq!(npz.unwrap().read::<u8, IxDyn>("x").unwrap().len(), 0));
        }
    }
}
