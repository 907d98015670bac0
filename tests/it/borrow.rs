//! What `access` says is what happens, and a borrow lies in the source.

use bytemuck::Pod;
use ndarray::{Array2, ArrayView, Ix1, Ix2, IxDyn, s};
use npzmap::{Access, Element, ErrorKind, FixedBytes, FixedStr, Npz, Reason, ToAligned, Unaligned};

use crate::fixtures::{self, path};
use crate::forge::{self, Archive, npy, stored};

/// Whether all elements of a view lie within `bytes`.
fn lies_in<T>(view: &ArrayView<'_, T, IxDyn>, bytes: &[u8]) -> bool {
    let (outer, inner) = (bytes.as_ptr_range(), view.as_ptr().addr());
    outer.start.addr() <= inner && inner + view.len() * size_of::<T>() <= outer.end.addr()
}

/// The archive at an address that is `shift` bytes after a multiple of 64.
fn shifted(bytes: &[u8], shift: usize) -> (Vec<u8>, std::ops::Range<usize>) {
    let mut room = vec![0; bytes.len() + 128];
    let start = room.as_ptr().align_offset(64) + shift;
    let range = start..start + bytes.len();
    room[range.clone()].copy_from_slice(bytes);
    (room, range)
}

/// Holds what `access` predicts against what `view`, `get` and `read` do; gives what was predicted.
fn check<T: Element + Pod + PartialEq + std::fmt::Debug>(npz: &Npz<&[u8]>, key: &str) -> Access {
    let member = npz.member(key).unwrap();
    let owned = member.array().unwrap().read::<T, IxDyn>().unwrap();
    let access = member.array().unwrap().access::<T>().unwrap();
    let (view, got) =
        (member.array().and_then(|array| array.view::<T, IxDyn>()), member.array().unwrap().get::<T, IxDyn>().unwrap());
    assert_eq!(got, owned);
    assert_eq!(got.is_view(), access == Access::Borrow);
    match (access, view) {
        (Access::Borrow, Ok(view)) => {
            assert!(lies_in(&view, npz.source()));
            assert_eq!(view.as_ptr().addr() % align_of::<T>(), 0);
            assert_eq!(view, owned);
        }
        (Access::Copy(predicted), Err(error)) => match error.kind() {
            ErrorKind::CannotBorrow { reason, .. } => assert_eq!(*reason, predicted),
            kind => panic!("{key}: {kind:?}"),
        },
        (access, view) => panic!("{key}: {access:?} was predicted, and view gave {view:?}"),
    }
    // Unaligned borrows whatever is stored, wherever it is.
    if access == Access::Borrow || matches!(access, Access::Copy(Reason::Misaligned { .. })) {
        assert_eq!(member.array().unwrap().access::<Unaligned<T>>().unwrap(), Access::Borrow);
        let view = member.array().unwrap().view::<Unaligned<T>, IxDyn>().unwrap();
        assert!(lies_in(&view, npz.source()));
        assert_eq!(view.to_aligned(), owned);
    }
    access
}

#[test]
fn access_predicts_what_happens_at_every_address() {
    let archive = fixtures::bytes("kinds-stored.npz");
    let mut borrowed = [0; 2];
    for shift in 0..64 {
        let (room, range) = shifted(&archive, shift);
        let npz = Npz::new(&room[range]).unwrap();
        for order in ["c", "f", "c3", "f3"] {
            let accesses = [
                check::<u8>(&npz, &format!("u1-{order}")),
                check::<i16>(&npz, &format!("i2-le-{order}")),
                check::<u32>(&npz, &format!("u4-le-{order}")),
                check::<i64>(&npz, &format!("i8-le-{order}")),
            ];
            assert_eq!(accesses[0], Access::Borrow);
            for access in accesses {
                borrowed[usize::from(access == Access::Borrow)] += 1;
            }
            assert_eq!(check::<u32>(&npz, &format!("u4-be-{order}")), Access::Copy(Reason::ByteOrder));
        }
    }
    // Of 8-, 4- and 2-byte elements, every eighth, fourth and second address is aligned.
    let expected = 64 * 4 - 64 * 4 / 8 + 64 * 4 - 64 * 4 / 4 + 64 * 4 - 64 * 4 / 2;
    assert_eq!(borrowed, [expected, 64 * 16 - expected]);
}

#[test]
fn compressed_members_are_copied() {
    let archive = fixtures::bytes("kinds-deflated.npz");
    let npz = Npz::new(&archive[..]).unwrap();
    for key in ["u4-le-c", "u4-be-f", "u4-le-c3"] {
        assert_eq!(check::<u32>(&npz, key), Access::Copy(Reason::Compressed));
    }
    let error = npz.view::<Unaligned<u32>, Ix2>("u4-le-c").unwrap_err();
    let text = "u4-le-c: cannot borrow as Unaligned<u32>: the member is compressed; \
                use get() or read(), or store it with 'npz align --store'";
    assert_eq!(error.to_string(), text);
}

#[test]
fn stored_misaligned_member_borrows_unaligned() {
    let npz = Npz::new(fixtures::bytes("model-batch-stored.npz")).unwrap();
    let features = npz.view::<Unaligned<f32>, Ix2>("features").unwrap();
    assert_eq!(features.sum().get(), 66.0);
    assert_eq!(features.row(1).mapv(Unaligned::get).to_vec(), [4.0, 5.0, 6.0, 7.0]);
    let aligned: Array2<f32> = features.to_aligned();
    assert_eq!(aligned, npz.read::<f32, Ix2>("features").unwrap());
    // Strides of all sorts; what lies together stays in its order.
    assert_eq!(features.slice(ndarray::s![..;2, ..]).to_aligned(), aligned.slice(ndarray::s![..;2, ..]));
    assert_eq!(features.slice(ndarray::s![.., ..;-1]).to_aligned(), aligned.slice(ndarray::s![.., ..;-1]));
    assert_eq!(features.column(3).to_aligned(), aligned.column(3));
    let turned = features.t().to_aligned();
    assert_eq!((turned.strides(), &turned), (&[1, 4][..], &aligned.t().to_owned()));
    assert_eq!(features.slice(ndarray::s![3.., ..]).to_aligned().dim(), (0, 4));
    assert_eq!(npz.view::<Unaligned<f32>, Ix2>("features").unwrap().row(2).slice(ndarray::s![1]).to_aligned()[()], 9.0);
}

#[test]
#[expect(unsafe_code, reason = "the map is what is tested")]
fn a_map_borrows_what_np_savez_left_aligned_and_says_what_to_do_about_the_rest() {
    // SAFETY: nobody writes to the fixtures while the tests run.
    let npz = unsafe { Npz::map(path("model-batch-stored.npz")) }.unwrap();
    let error = npz.view::<i64, Ix1>("labels").unwrap_err();
    let expected = Reason::Misaligned { offset: 426, required: 8 };
    assert!(matches!(error.kind(), ErrorKind::CannotBorrow { reason, .. } if *reason == expected));
    assert_eq!((error.member(), error.offset()), (Some("labels"), Some(426)));
    let text = error.to_string();
    let path = path("model-batch-stored.npz");
    let advice = "labels: cannot borrow as i64: the data at byte 0x1aa is not 8-aligned; \
                  use get(), view Unaligned<i64>, or rewrite with 'npz align'";
    assert_eq!(text, format!("{}: {advice}", path.display()));

    // SAFETY: as above.
    let npz = unsafe { Npz::map(path.with_file_name("model-batch-aligned.npz")) }.unwrap();
    for (key, offset) in [("features", 0xc0), ("labels", 0x1c0)] {
        let member = npz.member(key).unwrap();
        assert_eq!(member.payload_offset().unwrap(), Some(offset));
        assert_eq!(member.access_in_map().unwrap(), Access::Borrow);
    }
    let labels = npz.view::<i64, IxDyn>("labels").unwrap();
    assert!(lies_in(&labels, npz.source()));
    assert_eq!(labels.as_ptr().addr() % 64, 0);
}

#[test]
fn an_empty_array_at_an_odd_address_is_an_empty_view() {
    let archive = fixtures::bytes("shapes.npz");
    let mut odd = 0;
    for shift in 0..16 {
        let (room, range) = shifted(&archive, shift);
        let npz = Npz::new(&room[range.clone()]).unwrap();
        let member = npz.member("3-0-2-f8").unwrap();
        let address = range.start as u64 + room.as_ptr().addr() as u64 + member.payload_offset().unwrap().unwrap();
        odd += u32::from(!address.is_multiple_of(8));
        let view = member.array().unwrap().view::<f64, IxDyn>().unwrap();
        assert_eq!((view.shape(), view.len()), (&[3, 0, 2][..], 0));
        assert_eq!(member.array().unwrap().access::<f64>().unwrap(), Access::Borrow);
        assert_eq!(member.array().unwrap().read::<f64, IxDyn>().unwrap().shape(), [3, 0, 2]);
    }
    assert_eq!(odd, 14);
}

#[test]
fn positioned_reads_never_borrow() {
    let npz = Npz::open(path("model-batch-aligned.npz")).unwrap();
    let member = npz.member("features").unwrap();
    assert_eq!(member.array().unwrap().access::<f32>().unwrap(), Access::Copy(Reason::NotInMemory));
    assert!(member.array().unwrap().get::<f32, Ix2>().unwrap().is_owned());
    // What a map would do does not depend on how the archive is open.
    assert_eq!(member.access_in_map().unwrap(), Access::Borrow);
}

#[test]
fn strings_map_without_a_copy_at_any_address() {
    // SAFETY: nobody writes to the fixtures while the tests run.
    #[expect(unsafe_code, reason = "the map is what is tested")]
    let npz = unsafe { Npz::map(path("model-batch-stored.npz")) }.unwrap();
    let member = npz.member("sample_ids").unwrap();
    assert_eq!(member.payload_offset().unwrap(), Some(642)); // NumPy aligns `<U9` to 4
    assert_eq!((member.header().unwrap().dtype().alignment(), member.access_in_map().unwrap()), (4, Access::Borrow));
    assert_eq!(member.array().unwrap().access::<FixedStr<9>>().unwrap(), Access::Borrow);
    assert_eq!(member.array().unwrap().view::<FixedStr<9>, Ix1>().unwrap()[2], "train-003");
    // In a record they ask for nothing, and numbers beside them for what they always do.
    let packed = |descr: &str, offset: usize| {
        let mut entry = stored("a.npy", &npy(descr, "(1,)", &[0; 12]));
        entry.header.extra = forge::extra(0xcafe, &vec![0; offset]);
        let mut archive = Archive::new(vec![entry]);
        archive.lay_out();
        let npz = Npz::new(archive.bytes()).unwrap();
        let member = npz.member("a").unwrap();
        (member.payload_offset().unwrap().unwrap() % 4, member.access_in_map().unwrap())
    };
    for offset in 0..4 {
        let (place, strings) = packed("[('s', '<U2'), ('t', '|S4')]", offset);
        assert_eq!(strings, Access::Borrow);
        let (_, numbers) = packed("[('s', '<U2'), ('n', '<i4')]", offset);
        assert_eq!(numbers == Access::Borrow, place == 0, "{numbers:?}");
    }
}

#[test]
fn bytes_of_stored_members_are_lent() {
    let archive = fixtures::bytes("keys.npz");
    let npz = Npz::new(&archive[..]).unwrap();
    let notes = npz.member("notes.txt").unwrap().bytes().unwrap();
    assert!(matches!(notes, std::borrow::Cow::Borrowed(_)));
    assert!(archive.as_ptr_range().contains(&notes.as_ptr()));
}

#[test]
fn a_failed_bool_is_no_bool() {
    // Elements 0, 1, 2: a record of the fixtures has no such bytes, so they are put there.
    let mut archive = fixtures::bytes("kinds-stored.npz");
    let offset = Npz::new(&archive[..]).unwrap().member("bool-c").unwrap().payload_offset().unwrap().unwrap();
    archive[offset as usize + 5] = 2;
    let npz = Npz::new(&archive[..]).unwrap();
    let error = npz.view::<bool, Ix2>("bool-c").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidElement { index: 5, .. }), "{error}");
}

#[test]
fn what_is_refused_names_the_verb_that_does_it() {
    // Each by the message's own advice.
    let misaligned = |descr: &str, item: usize| {
        let archive = Archive::new(vec![stored("a.npy", &npy(descr, "(2,)", &vec![1; 2 * item]))]).bytes();
        let npz = Npz::new(&archive[..]).unwrap();
        let payload = npz.member("a").unwrap().payload_offset().unwrap().unwrap();
        // One byte behind a multiple of 64.
        shifted(&archive, usize::try_from(65 - payload % 64).unwrap())
    };
    let advice = |error: npzmap::Error| error.to_string().rsplit_once("; ").unwrap().1.to_owned();

    let (room, range) = misaligned("'<M8[ns]'", 8);
    let npz = Npz::new(&room[range]).unwrap();
    let array = npz.array("a").unwrap().reinterpret::<i64>().unwrap();
    let refused = advice(array.view::<i64, Ix1>().unwrap_err());
    assert_eq!(refused, "use get(), view Unaligned<i64>, or rewrite with 'npz align'");
    assert_eq!(array.view::<Unaligned<i64>, Ix1>().unwrap().mapv(Unaligned::get), array.get::<i64, Ix1>().unwrap());
    assert!(matches!(array.access::<i64>().unwrap(), Access::Copy(Reason::Misaligned { .. })));
    assert_eq!(array.access::<Unaligned<i64>>().unwrap(), Access::Borrow);
    let unaligned = npz.array("a").unwrap().reinterpret::<Unaligned<i64>>().unwrap();
    assert_eq!(unaligned.view::<Unaligned<i64>, Ix1>().unwrap().len(), array.read::<i64, Ix1>().unwrap().len());
    assert_eq!(unaligned.access::<Unaligned<i64>>().unwrap(), Access::Borrow);

    let (room, range) = misaligned("[('x', '<f4'), ('y', '<f4')]", 8);
    let npz = Npz::new(&room[range]).unwrap();
    let field = npz.array("a").unwrap().field("x").unwrap();
    let refused = advice(field.view::<f32, Ix1>().unwrap_err());
    assert_eq!(refused, "use get(), view Unaligned<f32>, or rewrite with 'npz align'");
    let view = field.view::<Unaligned<f32>, Ix1>().unwrap();
    assert_eq!(field.get::<f32, Ix1>().unwrap(), view.mapv(Unaligned::get));
    assert_eq!(field.read::<f32, Ix1>().unwrap(), view.mapv(Unaligned::get));

    // Backwards: a `Strided` cannot, a view can.
    let backwards = field.select(s![..;-1]).unwrap();
    let error = backwards.strided::<f32, Ix1>().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::CannotBorrow { reason: Reason::NegativeStep, .. }), "{error}");
    assert_eq!(advice(error), "use view(), get() or read()");
    assert_eq!(backwards.view::<Unaligned<f32>, Ix1>().unwrap().len(), backwards.read::<f32, Ix1>().unwrap().len());

    let content = npy("'>f8'", "(1,)", &2.5_f64.to_be_bytes());
    let npz = Npz::new(Archive::new(vec![stored("a.npy", &content)]).bytes()).unwrap();
    let array = npz.array("a").unwrap().reinterpret::<FixedBytes<8>>().unwrap();
    assert_eq!(advice(array.view::<FixedBytes<8>, Ix1>().unwrap_err()), "use get() or read(), which swap it");
    for copy in [array.get::<FixedBytes<8>, Ix1>().unwrap().into_owned(), array.read::<FixedBytes<8>, Ix1>().unwrap()] {
        assert_eq!(*copy[0].as_array(), 2.5_f64.to_ne_bytes());
    }

    let npz = Npz::new(Archive::new(vec![forge::deflated("a.npy", &content)]).bytes()).unwrap();
    let refused = npz.array("a").unwrap().view::<f64, Ix1>().unwrap_err();
    assert_eq!(advice(refused), "use get() or read(), or store it with 'npz align --store'");
}
