//! What stands behind a sound header: N9, N10, N12 to N17.

use bytemuck::{Pod, Zeroable};
use ndarray::{Ix1, IxDyn};
use npzmap::{Dtype, Element, Error, ErrorKind as K, Fault, Npz, OpenOptions, Order, Reason, Unaligned};

use super::array::{At, about_x, archives, descr, refused_at};
use super::*;
use crate::forge::{npy, preamble};

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
        let archives = archives(&content);
        let errors = archives.each_ref().map(|archive| {
            agreed(each_reader!(&archive.bytes(), |npz| {
                let npz = npz.unwrap();
                the_others_read(&npz, &["x"]);
                let member = npz.member("x").unwrap();
                let header = member.header().unwrap();
                assert_eq!((header.count(), header.nbytes()), (1_000_000_000_000, 0));
                let mut errors = vec![
                    member.array().and_then(|array| array.read::<Nothing, IxDyn>()).unwrap_err(),
                    member.array().and_then(|array| array.get::<Nothing, IxDyn>()).unwrap_err(),
                    member.array().and_then(|array| array.access::<Nothing>()).unwrap_err(),
                ];
                if header.dtype().as_scalar().is_some_and(|_| descr != "'|V0'") {
                    errors.push(member.array().and_then(|array| array.strings()).unwrap_err());
                }
                agreed(errors)
            }))
        });
        let error = about_x(&archives, errors, At::Array);
        assert_rule!(error, "N9", K::ZeroSizedItems { count: 1_000_000_000_000 });
        assert_eq!(error.kind().fault(), Fault::Request);
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
                    assert_eq!(npz.array("x").unwrap().strings().unwrap().shape(), [0]);
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
        "[('a', ('|O', (2,)))]",
    ];
    for descr in descrs {
        // More bytes than items need, fewer, and none.
        for (shape, payload) in [("(2,)", &pickle[..]), ("(1000000,)", pickle), ("(2,)", b""), ("()", pickle)] {
            let content = npy(descr, shape, payload);
            let archives = archives(&content);
            let errors = archives.each_ref().map(|archive| {
                agreed(each_reader!(&archive.bytes(), |npz| {
                    let npz = npz.unwrap();
                    the_others_read(&npz, &["x"]);
                    let member = npz.member("x").unwrap();
                    assert!(member.header().unwrap().dtype().has_object());
                    assert_eq!(*member.bytes().unwrap(), content[..]);
                    let mut destination = ndarray::ArrayD::<u64>::zeros(member.header().unwrap().shape());
                    agreed([
                        member.array().and_then(|array| array.read::<u64, IxDyn>()).expect_err("read"),
                        member.array().and_then(|array| array.get::<u64, IxDyn>()).expect_err("get"),
                        member
                            .array()
                            .and_then(|array| array.read_into(destination.view_mut()))
                            .expect_err("read_into"),
                        member.array().and_then(|array| array.strings()).expect_err("strings"),
                        member.array().and_then(|array| array.access::<u64>()).expect_err("access"),
                        member.access_in_map().expect_err("access_in_map"),
                    ])
                }))
            });
            let error = about_x(&archives, errors, At::Array);
            assert_rule!(error, "N10", K::Pickled);
            assert!(error.kind().is_unsupported());
        }
    }
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
        let error = refused_at(&npy("'<u4'", shape, &payload), At::Array, OpenOptions::new());
        assert_rule!(error, "N12", K::PayloadLength { found, expected } if (*found, *expected) == (available, needed));
    }
    // Right after a preamble that ends with the member.
    let error = refused_at(&preamble((1, 0), descr("'<u4'")), At::Array, OpenOptions::new());
    assert_rule!(error, "N12", K::PayloadLength { found: 0, expected: 12 });
}

// N13, N14

/// The elements are refused as `T` by every call, whatever the order of the axes.
#[track_caller]
fn bad_elements<T: Element + Default + Debug>(content: &[u8]) -> Error {
    let archives = archives(content);
    let [plain, deflated] = archives.each_ref().map(|archive| {
        let errors = each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["x"]);
            let length = npz.member("x").unwrap().header().unwrap().count();
            let mut destination = Array1::from_shape_fn(length, |_| T::default());
            agreed([
                npz.read::<T, Ix1>("x").expect_err("read"),
                npz.get::<T, Ix1>("x").expect_err("get"),
                npz.array("x").and_then(|array| array.read_into(destination.view_mut())).expect_err("read_into"),
            ])
        });
        agreed(errors)
    });
    let file = written(&archives[0].bytes());
    let view = map(OpenOptions::new(), file.path()).unwrap().view::<T, Ix1>("x").expect_err("view");
    about_x(&archives, [agreed([plain, view]), deflated], At::Array)
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
                assert_eq!(
                    npz.unwrap().array("x").unwrap().reinterpret::<u8>().unwrap().read::<u8, Ix1>().unwrap().to_vec(),
                    payload
                );
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

/// The strings are refused by every reader, stored and deflated.
#[track_caller]
fn bad_strings(content: &[u8]) -> Error {
    let archives = archives(content);
    let errors = archives.each_ref().map(|archive| {
        agreed(each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            the_others_read(&npz, &["x"]);
            npz.array("x").and_then(|array| array.strings()).unwrap_err()
        }))
    });
    about_x(&archives, errors, At::Array)
}

#[test]
fn n14_a_code_that_is_no_character_is_refused_with_its_index() {
    let [a, b] = [u32::from('a'), u32::from('b')];
    for mark in ['<', '>'] {
        for wrong in [0xd800, 0xdbff, 0xdc00, 0xdfff, 0x11_0000, 0x0100_0000, 0xffff_ffff] {
            for string in [[wrong, 0], [a, wrong], [wrong, wrong]] {
                let error = bad_strings(&ucs4(mark, &[[a, b], [0, 0], string, [wrong, b]]));
                assert_rule!(error, "N14", K::BadText { index: 2, .. });
            }
        }
        // A pair of surrogates is not one character here.
        assert_rule!(bad_strings(&ucs4(mark, &[[0xd83d, 0xde00]])), "N14", K::BadText { index: 0, .. });
    }
    // Bytes that are no UTF-8.
    assert_rule!(bad_strings(&npy("'|S2'", "(2,)", b"ab\xff\0")), "N14", K::BadText { index: 1, .. });
}

#[test]
fn n14_every_character_is_one_and_inner_nuls_are_kept() {
    let strings = [[0, 0], [0, 0x61], [0x61, 0], [0x10_ffff, 0xd7ff], [0xe000, 0xfffe]];
    let texts = ["", "\0a", "a", "\u{10ffff}\u{d7ff}", "\u{e000}\u{fffe}"];
    for mark in ['<', '>'] {
        for archive in archives(&ucs4(mark, &strings)) {
            each_reader!(&archive.bytes(), |npz| {
                assert_eq!(npz.unwrap().array("x").unwrap().strings().unwrap().into_raw_vec_and_offset().0, texts);
            });
        }
    }
}

#[test]
fn n14_the_codes_of_characters_can_be_taken_as_numbers() {
    for (mark, payload) in [('<', [0, 0xd8, 0, 0]), ('>', [0, 0, 0xd8, 0])] {
        for archive in archives(&npy(&format!("'{mark}U1'"), "(1,)", &payload)) {
            each_reader!(&archive.bytes(), |npz| {
                assert_eq!(
                    npz.unwrap().array("x").unwrap().reinterpret::<u32>().unwrap().read::<u32, Ix1>().unwrap().to_vec(),
                    [0xd800]
                );
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
