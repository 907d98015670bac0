//! What a header says its items are: N11, L2, L3.

use npzmap::{Dtype, Error, ErrorKind as K, Fault};

use super::array::{At, about_x, archives, bad_text, descr};
use super::*;
use crate::forge::{npy, preamble};

#[test]
fn n11_a_code_that_numpy_does_not_print_is_refused() {
    let codes = "<; |; f; <f; 4; <f3; <f1; <f32; <u3; <i16; <b2; <c4; <c64; <f04; <f 4; <<f4; !f4; float32; int; d; \
     ?; <T; |T16; |a5; i4,f8; 3f4; f4,; (3,)f4; <U-1; <U; <U4294967296; <U1073741824; <U536870912; >U536870912; |V2147483648; \
     |V99999999999999999999; |O4; |O16; <M4; <M8[]; <M8[x]; <M8[0s]; <M8[generic]; <M8[D/2]; <M8[s; \
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
    // An axis that NumPy cannot hold, with and without values.
    for length in [1_u64 << 31, 1 << 62] {
        for (code, lengths) in
            [("<u4", format!("(0, {length})")), ("<u4", format!("({length}, 0)")), ("|V0", format!("({length},)"))]
        {
            for field in [format!("('a', '{code}', {lengths})"), format!("('a', ('{code}', {lengths}))")] {
                assert_rule!(bad_text_anywhere(&descr(&format!("[{field}]"))), "N11", K::BadDtype { .. });
            }
        }
    }
    let shape = "1, ".repeat(65);
    assert_rule!(bad_text_anywhere(&descr(&format!("[('a', '<u4', ({shape}))]"))), "N7", K::BadShape { .. });
}

/// Refused, wherever.
#[track_caller]
fn bad_text_anywhere(text: &str) -> Error {
    let content = [preamble((1, 0), text.replace('^', "")), vec![0; 12]].concat();
    refused_header(&content)
}

/// Every reader refuses the header, at a byte of it, and reads the other members.
#[track_caller]
fn refused_header(content: &[u8]) -> Error {
    let archives = archives(content);
    let errors = archives.each_ref().map(|archive| {
        agreed(each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["x"]);
            let member = npz.member("x").unwrap();
            agreed([member.header().expect_err("header"), member.read::<u32, Ix1>().expect_err("read")])
        }))
    });
    about_x(&archives, errors, At::Header)
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
    for text in ["('<u4', (3,))", "('<u4', (1,))", "('<u4', ())", "([('a', '<u4')], (1,))"] {
        assert_rule!(bad_text_anywhere(&descr(text)), "N11", K::BadDtype { .. });
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
fn l2_a_hundred_thousand_brackets_take_neither_the_stack_nor_long() {
    let refused = |text: String| refused_header(&[preamble((2, 0), text), vec![0; 12]].concat());
    for bracket in ["(", "[", "{", "[(", "[('a', ", "{'descr': "] {
        // As the header, and in the place of its dtype, where not all of them are the beginning of one.
        for text in [bracket.repeat(100_000), descr(&bracket.repeat(100_000))] {
            assert!(matches!(refused(text).kind().rule(), Some("N5" | "N7" | "N11" | "L2")), "{bracket}");
        }
    }
    // What would be a dtype, were it not for the depth.
    for text in [nested(100_000), nested_arrays(100_000)] {
        assert_rule!(refused(descr(&text)), "L2", K::LimitExceeded { .. });
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
    let error = refused_header(&content);
    assert_rule!(error, "L3", K::LimitExceeded { limit, found, .. } if *limit == most && found > limit);
    assert_eq!(error.kind().fault(), Fault::Limit);
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
