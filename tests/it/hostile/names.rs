//! Names, which two readers may take for different ones: Z21 to Z24.

use ndarray::Ix1;
use npzmap::{ErrorKind as K, Escaped, Npz};

use super::*;
use crate::forge::{WIDE16, extra};

/// The three, with other bytes for the name of `x` in both headers.
fn named(name: &[u8], utf8: bool) -> Archive {
    let mut archive = three();
    both(&mut archive, X, |header| {
        header.name = name.into();
        header.flags = if utf8 { 1 << 11 } else { 0 };
    });
    archive.lay_out();
    archive
}

/// The members at `indices` are refused for their names, however they are come by, and so is every lookup of `keys`, which
/// is about `x`; all others read.
#[track_caller]
fn bad_name(archive: &Archive, rule: &str, indices: &[usize], keys: &[&str]) {
    let bytes = archive.bytes();
    each_reader!(&bytes, |npz| {
        let npz = npz.unwrap();
        // Each with the record that it points to, and the key that it is about.
        let mut errors = Vec::new();
        for (index, member) in npz.members().enumerate() {
            let key = member.key();
            if indices.contains(&index) {
                let refused = agreed([
                    member.array().and_then(|array| array.read::<u32, Ix1>()).expect_err("read"),
                    member.bytes().expect_err("bytes"),
                    member.verify().expect_err("verify"),
                    member.header().expect_err("header"),
                ]);
                errors.push((refused, index, key));
                continue;
            }
            assert_eq!(member.array().unwrap().read::<u32, Ix1>().unwrap().to_vec(), values(&key), "{key:?}");
            if !keys.contains(&&*key) {
                assert_eq!(npz.read::<u32, Ix1>(&key).unwrap().to_vec(), values(&key), "{key:?}");
            }
        }
        errors.extend(keys.iter().map(|key| (npz.read::<u32, Ix1>(key).expect_err(key), X, (*key).into())));
        for (error, index, key) in errors {
            assert_eq!((error.member(), error.offset()), (Some(&*key), Some(archive.record_at(index))), "{error:?}");
            assert_rule!(error, rule, K::BadName { .. });
        }
        assert_eq!(npz.len(), archive.records.len());
    });
}

// Z21

#[test]
fn z21_a_name_with_a_nul_is_refused_whole_and_cut() {
    // Whole, as it is listed; cut, as NumPy would find it.
    bad_name(&named(b"x\0evil.npy", false), "Z21", &[X], &["x\0evil", "x\0evil.npy", "x"]);
    bad_name(&named(b"x.npy\0", false), "Z21", &[X], &["x.npy\0", "x", "x.npy"]);
    bad_name(&named(b"\0x.npy", false), "Z21", &[X], &["\0x", ""]);
    bad_name(&named(b"\0", true), "Z21", &[X], &["\0", ""]);
    bad_name(&named("é\0.npy".as_bytes(), true), "Z21", &[X], &["é\0", "é"]);
    bad_name(&named(b"\x82\0.npy", false), "Z21", &[X], &["é\0", "é"]);
}

#[test]
fn z21_a_nul_is_seen_wherever_it_stands() {
    for length in 1..=17 {
        let names = (0..length).map(|place| {
            let mut name = vec![b'a'; length];
            name[place] = 0;
            name
        });
        for name in names.chain([vec![0; length]]) {
            let npz = Npz::new(named(&name, false).bytes()).unwrap();
            let error = npz.members().nth(X).unwrap().bytes().unwrap_err();
            assert_rule!(error, "Z21", K::BadName { .. });
        }
    }
}

#[test]
fn z22_a_byte_that_is_no_ascii_is_decoded_wherever_it_stands() {
    // Code page 437.
    for (byte, char) in [(0x80, 'Ç'), (0x81, 'ü'), (0x94, 'ö'), (0xff, '\u{a0}')] {
        for length in 1..=17 {
            for places in (0..length).map(|place| place..place + 1).chain(std::iter::once(0..length)) {
                let name: Vec<u8> = (0..length).map(|at| if places.contains(&at) { byte } else { b'a' }).collect();
                let key: String = (0..length).map(|at| if places.contains(&at) { char } else { 'a' }).collect();
                let npz = Npz::new(named(&name, false).bytes()).unwrap();
                assert_eq!(npz.keys().nth(X).unwrap(), key);
                assert!(npz.contains(&key));
                // And as text that it is.
                let npz = Npz::new(named(key.as_bytes(), true).bytes()).unwrap();
                assert_eq!(npz.keys().nth(X).unwrap(), key);
                assert!(npz.contains(&key));
            }
        }
    }
}

#[test]
fn z21_the_other_member_of_the_cut_name_is_refused() {
    bad_name(&named(b"after.npy\0", false), "Z21", &[X, 2], &["after", "after.npy", "after.npy\0"]);
    bad_name(&named(b"before.npy\0.npy", false), "Z21", &[X, 0], &["before", "before.npy"]);
    // The cut name is `after`: that of `after.npy` it is not.
    bad_name(&named(b"after\0.npy", false), "Z21", &[X], &["after"]);
    each_reader!(&named(b"after\0.npy", false).bytes(), |npz| {
        assert_eq!(npz.unwrap().read::<u32, Ix1>("after.npy").unwrap().to_vec(), values("after"));
    });
    // Two that are cut to one name, and the one that has it.
    let mut archive = Archive::new(["x.npy", "y.npy", "z.npy", "after.npy"].map(sound).into());
    both(&mut archive, 0, |header| header.name = b"z.npy\x001".into());
    both(&mut archive, 1, |header| header.name = b"z.npy\x002".into());
    archive.lay_out();
    bad_name(&archive, "Z21", &[0, 1, 2], &["z.npy\x002"]);
    for key in ["z", "z.npy", "z.npy\x001"] {
        let error = agreed(each_reader!(&archive.bytes(), |npz| npz.unwrap().read::<u32, Ix1>(key).unwrap_err()));
        assert_rule!(error, "Z21", K::BadName { .. });
        assert_eq!((error.member(), error.offset()), (Some(key), Some(archive.record_at(0))));
    }
}

// Z22

#[test]
fn z22_a_name_is_utf8_with_the_flag_and_code_page_437_without() {
    for (name, utf8, key) in [
        (&b"\x82\x8b.npy"[..], false, "éï"),
        (b"\x82\x8b", false, "éï"),
        ("é.npy".as_bytes(), true, "é"),
        ("é.npy".as_bytes(), false, "├⌐"),
        ("größe/日本.npy".as_bytes(), true, "größe/日本"),
        (b"\x80\xff.npy", false, "Ç\u{a0}"),
        (b"x.npy", true, "x"),
    ] {
        let archive = named(name, utf8);
        each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            assert_eq!(npz.keys().collect::<Vec<_>>(), ["before", key, "after"]);
            assert_eq!(npz.read::<u32, Ix1>(key).unwrap().to_vec(), values("x"));
            assert_eq!(npz.member(key).unwrap().name(), name);
        });
    }
    // Every character of the code page is another one.
    let upper: Vec<u8> = (0x80..=0xff).collect();
    let npz = Npz::new(named(&upper, false).bytes()).unwrap();
    let mut characters: Vec<char> = npz.keys().nth(X).unwrap().chars().collect();
    characters.sort_unstable();
    characters.dedup();
    assert_eq!(characters.len(), 128);
    assert_eq!(npz.keys().nth(X).unwrap().chars().next_back(), Some('\u{a0}'));
}

#[test]
fn z22_a_name_that_is_marked_as_utf8_and_is_not_is_no_key() {
    // A lone byte, one cut off, an overlong one, a surrogate, and one beyond the last character.
    for name in [&b"\xff.npy"[..], b"x\xc3.npy", b"\xc0\xaf.npy", b"\xed\xa0\x80.npy", b"\xf4\x90\x80\x80.npy"] {
        let archive = named(name, true);
        bad_name(&archive, "Z22", &[X], &[]);
        each_reader!(&archive.bytes(), |npz| {
            let npz = npz.unwrap();
            let member = npz.members().nth(X).unwrap();
            let (key, text) = (member.key(), member.text());
            assert!(key.contains('\u{fffd}') && *text == format!("{key}.npy"), "{key}");
            assert!(!npz.contains(&key) && !npz.contains(&text));
            let error = npz.read::<u32, Ix1>(&key).unwrap_err();
            assert!(matches!(error.kind(), K::NoSuchKey));
            assert_eq!((error.member(), error.offset()), (Some(&*key), None));
            assert_eq!(member.name(), name);
        });
    }
}

/// The Unicode path field (APPNOTE 4.6.9).
fn unicode_path(version: u8, checksum: u32, name: &[u8]) -> Vec<u8> {
    extra(0x7075, &[&[version], &checksum.to_le_bytes()[..], name].concat())
}

/// The three, with an extra field in the record of `x`.
fn with_extra(extra: Vec<u8>) -> Archive {
    built(|archive| archive.records[X].extra = extra)
}

#[test]
fn z22_a_unicode_path_of_another_name_is_refused_and_so_is_the_member_that_has_it() {
    let sum = crc32fast::hash(b"x.npy");
    let renamed = |name: &[u8]| with_extra(unicode_path(1, sum, name));
    bad_name(&renamed(b"y.npy"), "Z22", &[X], &["x", "x.npy", "y", "y.npy"]);
    bad_name(&renamed("é.npy".as_bytes()), "Z22", &[X], &["x", "é"]);
    bad_name(&renamed(b"after.npy"), "Z22", &[X, 2], &["x", "after", "after.npy"]);
    bad_name(&renamed(b"after"), "Z22", &[X], &["x", "after"]);
    // The reader that takes the field cuts it at NUL, too.
    bad_name(&renamed(b"after.npy\0.npy"), "Z22", &[X, 2], &["x", "after"]);
    // Behind other fields.
    let behind = [extra(0xcafe, b"x"), unicode_path(1, sum, b"after.npy")].concat();
    bad_name(&with_extra(behind), "Z22", &[X, 2], &["x", "after"]);
}

/// So many that what remembers them grows.
#[test]
fn z22_forty_members_with_other_names_are_refused_by_each_of_these_names() {
    let names: Vec<String> = (0..40).map(|number| format!("x{number}.npy")).collect();
    let entries = names.iter().map(|name| &**name).chain(["after.npy"]).map(sound);
    let mut archive = Archive::new(entries.collect());
    for (record, name) in archive.records.iter_mut().zip(&names) {
        record.extra = unicode_path(1, crc32fast::hash(name.as_bytes()), format!("other {name}").as_bytes());
    }
    archive.lay_out();
    each_reader!(&archive.bytes(), |npz| {
        let npz = npz.unwrap();
        let own: Vec<String> = (0..40).map(|number| format!("x{number}")).collect();
        the_others_read(&npz, &own.iter().map(|key| &**key).collect::<Vec<_>>());
        for (number, member) in npz.members().take(40).enumerate() {
            let listed = member.array().and_then(|array| array.read::<u32, Ix1>()).unwrap_err();
            let keys = [format!("x{number}"), format!("other x{number}"), format!("other x{number}.npy")];
            let found = keys.each_ref().map(|key| npz.read::<u32, Ix1>(key).unwrap_err());
            for (error, key) in [listed].iter().zip(&keys).chain(found.iter().zip(&keys)) {
                assert_rule!(error, "Z22", K::BadName { .. });
                assert_eq!((error.member(), error.offset()), (Some(&**key), Some(archive.record_at(number))));
            }
        }
    });
}

#[test]
fn z22_the_last_of_several_unicode_paths_counts_too() {
    let sum = crc32fast::hash(b"x.npy");
    let first_the_same = [unicode_path(1, sum, b"x.npy"), unicode_path(1, sum, b"after.npy")].concat();
    bad_name(&with_extra(first_the_same), "Z22", &[X, 2], &["x", "after"]);
    let first_stale = [unicode_path(1, !sum, b"y.npy"), unicode_path(1, sum, b"after.npy")].concat();
    bad_name(&with_extra(first_stale), "Z22", &[X, 2], &["x", "after"]);
    let first_unreadable = [unicode_path(1, sum, b"\xff.npy"), unicode_path(1, sum, b"after.npy")].concat();
    bad_name(&with_extra(first_unreadable), "Z22", &[X, 2], &["x", "after"]);
    let twice = unicode_path(1, sum, b"after.npy").repeat(2);
    bad_name(&with_extra(twice), "Z22", &[X, 2], &["x", "after"]);
}

#[test]
fn z22_of_several_unicode_paths_a_reader_takes_the_first_or_the_last() {
    let sum = crc32fast::hash(b"x.npy");
    let fields = |names: &[&[u8]]| with_extra(names.iter().flat_map(|name| unicode_path(1, sum, name)).collect());
    bad_name(&fields(&[b"y.npy", b"after.npy"]), "Z22", &[X, 2], &["x", "y", "y.npy", "after"]);
    bad_name(&fields(&[b"after.npy", b"y.npy"]), "Z22", &[X, 2], &["x", "y", "after", "after.npy"]);
    bad_name(&fields(&[b"before.npy", b"after.npy"]), "Z22", &[X, 0, 2], &["x", "before", "after"]);
    // No reader takes the one in the middle.
    bad_name(&fields(&[b"y.npy", b"before.npy", b"after.npy"]), "Z22", &[X, 2], &["x", "y", "after"]);
    bad_name(&fields(&[b"y.npy", b"\xff.npy", b"z.npy"]), "Z22", &[X], &["x", "y", "z"]);
}

#[test]
fn z22_a_unicode_path_that_is_not_utf8_holds_another_name() {
    let sum = crc32fast::hash(b"x.npy");
    bad_name(&with_extra(unicode_path(1, sum, b"\xff.npy")), "Z22", &[X], &["x"]);
}

#[test]
fn z22_a_unicode_path_that_does_not_belong_to_the_name_is_ignored() {
    let sum = crc32fast::hash(b"x.npy");
    let fields = [
        unicode_path(1, sum, b"x.npy"),
        unicode_path(1, sum, b""),
        unicode_path(1, sum ^ 1, b"after.npy"),
        unicode_path(1, 0, b"after.npy"),
        unicode_path(2, sum, b"after.npy"),
        unicode_path(0, sum, b"after.npy"),
        extra(0x7075, b""),
        extra(0x7075, &[1, 2, 3]),
        extra(0x6375, b"a comment's field"),
    ];
    for field in fields {
        reads(&with_extra(field), 3);
    }
    // In the local header nobody looks for one.
    reads(&built(|archive| archive.entries[X].header.extra = unicode_path(1, sum, b"after.npy")), 3);
}

#[test]
fn z22_a_name_in_code_page_437_with_its_unicode_path_is_refused() {
    // Info-ZIP writes this: one reader sees ├⌐, the other é.
    let mut archive = named("é.npy".as_bytes(), false);
    archive.records[X].extra = unicode_path(1, crc32fast::hash("é.npy".as_bytes()), "é.npy".as_bytes());
    archive.lay_out();
    bad_name(&archive, "Z22", &[X], &["├⌐", "é"]);
}

// Z23

#[test]
fn z23_a_path_is_a_key_like_any_other() {
    let keys = [
        "../../etc/passwd",
        "/etc/passwd",
        "C:\\Windows\\system.ini",
        "..\\x",
        "\\\\server\\share",
        "CON",
        "nul.npy.txt",
        "a/../b",
        "a//b",
        "./a",
        "a/b",
        "..",
        ".",
        "/",
        "~",
        " ",
        "",
    ];
    let mut entries: Vec<Entry> = keys.map(|key| sound(&format!("{key}.npy"))).into();
    entries.push(sound("directory/"));
    let archive = Archive::new(entries);
    reads(&archive, keys.len() + 1);
    let listed = same(each_reader!(&archive.bytes(), |npz| npz.unwrap().keys().map(String::from).collect::<Vec<_>>()));
    assert_eq!(listed[..keys.len()], keys);
    // Two spellings of one path are two keys.
    each_reader!(&archive.bytes(), |npz| {
        let npz = npz.unwrap();
        assert!(!npz.contains("a/b/") && !npz.contains("b") && !npz.contains("etc/passwd"));
    });
}

#[test]
fn z23_a_name_as_long_as_a_name_can_be_is_a_key() {
    let key = "k".repeat(usize::from(WIDE16) - 4);
    reads(&with_x(sound(&format!("{key}.npy"))), 3);
}

// Z24

#[test]
fn z24_control_and_bidirectional_characters_are_part_of_the_key_and_shown_by_their_code() {
    let keys = [
        "\u{1b}[2J",
        "\u{202e}gpj.ypn",
        "a\nb",
        "\u{7f}",
        "\u{9b}31m",
        "\u{2066}a\u{2069}",
        "a\u{200d}b",
        "\u{feff}",
        "\r",
    ];
    for key in keys {
        let archive = with_x(sound(&format!("{key}.npy")));
        reads(&archive, 3);
        let error = agreed(each_reader!(&archive.bytes(), |npz| npz.unwrap().read::<f64, Ix1>(key).unwrap_err()));
        assert_eq!(error.member(), Some(key));
        let message = error.to_string();
        let hidden = |c: char| c.is_control() || "\u{202e}\u{2066}\u{2069}\u{200d}\u{feff}".contains(c);
        assert!(!message.contains(hidden) && message.contains(&Escaped(key).to_string()), "{message}");
    }
    // In a message about a name that is another one in the local header, too.
    let mut archive = with_x(sound("x.npy"));
    archive.entries[X].header.name = "\u{202e}.np".into();
    archive.entries[X].header.name.truncate(5);
    archive.records[X].flags = 1 << 11;
    let message = refused(&archive, "x", Place::Local).to_string();
    assert!(!message.contains(|c: char| c == '\u{202e}' || c.is_control()), "{message}");
}
