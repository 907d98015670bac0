//! A key finds the member that NumPy finds: suffix, encodings, duplicates.

use ndarray::{Ix1, IxDyn};
use npzmap::{Duplicates, Error, ErrorKind, Fault, Npz, OpenOptions, Source};

use crate::fixtures::{self, EXPECTED};
use crate::forge::{Archive, stored, u32s};

fn keys<S: Source>(npz: &Npz<S>) -> Vec<String> {
    npz.keys().map(Into::into).collect()
}

/// An archive of these names; each member holds its position.
fn numbered<'a>(names: impl IntoIterator<Item = &'a str>) -> Archive {
    let entries = (0..).zip(names).map(|(index, name)| stored(name, &u32s(&[index])));
    Archive::new(entries.collect())
}

fn open(archive: &Archive) -> Npz<Vec<u8>> {
    Npz::new(archive.bytes()).unwrap()
}

/// Which of the [`numbered`] members a key leads to.
fn found<S: Source>(npz: &Npz<S>, key: &str) -> Result<u32, Error> {
    assert!(npz.contains(key), "{key:?}");
    let array = npz.read::<u32, Ix1>(key)?;
    assert_eq!(array.len(), 1);
    Ok(array[0])
}

fn assert_missing<S: Source>(npz: &Npz<S>, key: &str) {
    assert!(!npz.contains(key), "{key:?}");
    let error = npz.member(key).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoSuchKey), "{error}");
    assert_eq!(error.member(), Some(key));
}

/// Gives a member a name that is not UTF-8, or flags that do not fit it.
fn rename(archive: &mut Archive, index: usize, name: &[u8], flags: u16) {
    for header in [&mut archive.entries[index].header, &mut archive.records[index]] {
        header.name = name.into();
        header.flags = flags;
    }
    archive.lay_out();
}

#[test]
fn keys_are_listed_in_the_order_of_the_directory_duplicates_included() {
    for (file, entries) in EXPECTED["archives"].as_object().unwrap() {
        let npz = Npz::open(fixtures::path(file)).unwrap();
        let expected: Vec<_> = entries.as_array().unwrap().iter().map(|entry| entry["key"].as_str().unwrap()).collect();
        assert_eq!(keys(&npz), expected, "{file}");
        assert_eq!(npz.len(), expected.len(), "{file}");
        assert_eq!(npz.is_empty(), expected.is_empty(), "{file}");
        assert!(expected.iter().all(|key| npz.contains(key)), "{file}");
    }
    // Not the order of the alphabet.
    let npz = open(&numbered(["z.npy", "a.npy", "m", "m.npy", "B.npy"]));
    assert_eq!(keys(&npz), ["z", "a", "m", "m", "B"]);
}

#[test]
fn the_recipe_has_its_three_keys() {
    for file in ["model-batch.npz", "model-batch-stored.npz", "model-batch-aligned.npz", "pipe.npz"] {
        let npz = Npz::open(fixtures::path(file)).unwrap();
        assert_eq!(keys(&npz), ["features", "labels", "sample_ids"], "{file}");
    }
}

#[test]
fn arrays_without_a_keyword_are_arr_0_and_arr_1_behind_those_with_one() {
    let npz = Npz::open(fixtures::path("positional.npz")).unwrap();
    assert_eq!(keys(&npz), ["named", "arr_0", "arr_1"]);
    assert_eq!(npz.read::<i32, Ix1>("arr_0").unwrap().to_vec(), [0, 1, 2]);
    assert_eq!(npz.read::<f64, Ix1>("arr_1").unwrap().to_vec(), [0.0, 1.0]);
    assert_missing(&npz, "arr_2");
}

#[test]
fn every_query_that_numpy_answers_leads_to_the_same_member() {
    for (file, table) in EXPECTED["lookups"].as_object().unwrap() {
        let npz = Npz::open(fixtures::path(file)).unwrap();
        let table = table.as_object().unwrap();
        for (query, name) in table {
            assert!(npz.contains(query), "{file}: {query:?}");
            assert_eq!(npz.member(query).unwrap().text(), name.as_str().unwrap(), "{file}: {query:?}");
        }
        // What looks like one of them and is not in the table is not in the archive.
        let mut misses = 0;
        for query in table.keys() {
            let stem = query.strip_suffix(".npy").unwrap_or(query);
            let near = [
                format!("{query}.npy"),
                stem.into(),
                query.to_uppercase(),
                query.to_lowercase(),
                query.trim().into(),
                format!("{query} "),
                format!("{query}\0"),
                format!("./{query}"),
                query.trim_start_matches(['/', '.']).into(),
                query.trim_end_matches('/').into(),
                query.replace('\\', "/"),
                query.replace('/', "\\"),
                query.chars().rev().collect(),
            ];
            for near in near.iter().filter(|near| !table.contains_key(*near)) {
                assert_missing(&npz, near);
                misses += 1;
            }
        }
        assert!(table.len() > 4 && misses > 20, "{file}: {} queries, {misses} misses", table.len());
    }
}

#[test]
fn the_exact_name_wins_over_the_key_of_another_member() {
    let npz = Npz::open(fixtures::path("keys.npz")).unwrap();
    let read = |key: &str| npz.read::<i32, Ix1>(key).unwrap().to_vec();
    assert_eq!(*npz.member("a").unwrap().bytes().unwrap(), *b"raw a");
    assert_eq!(read("a.npy"), [2]);
    assert_eq!((read("b"), read("b.npy"), read("b.npy.npy")), (vec![3], vec![3], vec![4]));
    // Of x.npy.npy, 'x.npy' is the key; there is no 'x'.
    assert_eq!((read("x.npy"), read("x.npy.npy")), (vec![1], vec![1]));
    assert_missing(&npz, "x");

    // In whichever order they come.
    for names in [["a", "a.npy", "a.npy.npy"], ["a.npy.npy", "a.npy", "a"], ["a.npy", "a.npy.npy", "a"]] {
        let npz = open(&numbered(names));
        for (index, name) in (0..).zip(names) {
            assert_eq!(found(&npz, name).unwrap(), index, "{names:?}");
        }
        assert_missing(&npz, "a.npy.npy.npy");
    }
}

#[test]
fn the_empty_key_is_a_key() {
    let npz = Npz::open(fixtures::path("keys.npz")).unwrap();
    assert_eq!(npz.keys().next().as_deref(), Some(""));
    assert_eq!(npz.read::<i32, Ix1>("").unwrap().to_vec(), [0]);
    assert_eq!(npz.read::<i32, Ix1>(".npy").unwrap().to_vec(), [0]);

    // A member may also have no name at all.
    let npz = open(&numbered(["", ".npy"]));
    assert_eq!(keys(&npz), ["", ""]);
    assert_eq!((found(&npz, "").unwrap(), found(&npz, ".npy").unwrap()), (0, 1));
    let npz = open(&numbered([""]));
    assert_eq!(found(&npz, "").unwrap(), 0);
    assert_missing(&npz, ".npy");

    let npz = Npz::open(fixtures::path("empty.npz")).unwrap();
    assert!(npz.is_empty() && npz.keys().next().is_none());
    assert_missing(&npz, "");
}

#[test]
fn a_directory_is_a_member_without_bytes() {
    let npz = Npz::open(fixtures::path("keys.npz")).unwrap();
    let member = npz.member("dir/").unwrap();
    assert_eq!((member.key().as_ref(), member.size(), member.bytes().unwrap().len()), ("dir/", 0, 0));
    assert!(matches!(member.header().unwrap_err().kind(), ErrorKind::NotAnArray));
    assert_missing(&npz, "dir");
    assert_eq!(npz.read::<i32, Ix1>("dir/inside").unwrap().to_vec(), [9]);
}

#[test]
fn the_suffix_is_lower_case_and_the_content_says_what_is_an_array() {
    let npz = Npz::open(fixtures::path("keys.npz")).unwrap();
    assert_eq!(npz.read::<i32, Ix1>("A.NPY").unwrap().to_vec(), [10]);
    for key in ["A", "A.npy", "a.NPY"] {
        assert_missing(&npz, key);
    }
    assert_eq!(npz.read::<i32, Ix1>("array-without-suffix").unwrap().to_vec(), [11]);
    for key in ["not-npy", "not-npy.npy", "half-magic", "empty", "notes.txt"] {
        let error = npz.read::<i32, IxDyn>(key).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotAnArray), "{error}");
    }
    assert_eq!(*npz.member("not-npy").unwrap().bytes().unwrap(), *b"not an array");
}

#[test]
fn names_marked_as_utf_8_are_compared_character_by_character() {
    let npz = Npz::open(fixtures::path("keys.npz")).unwrap();
    assert_eq!(npz.read::<i32, Ix1>("größe/β").unwrap().to_vec(), [5]);
    assert_eq!(npz.member("größe/β.npy").unwrap().name(), "größe/β.npy".as_bytes());
    // The same to the eye: o and a combining diaeresis.
    assert_missing(&npz, "gro\u{308}ße/β");

    let names = ["é.npy", "e\u{301}.npy", "\u{1d11e}", "日本.npy", "\u{feff}é.npy"];
    let npz = open(&numbered(names));
    for (index, name) in (0..).zip(names) {
        assert_eq!(found(&npz, name).unwrap(), index);
        assert_eq!(found(&npz, name.trim_end_matches(".npy")).unwrap(), index);
    }
}

#[test]
fn names_not_marked_as_utf_8_are_code_page_437() {
    let npz = Npz::open(fixtures::path("cp437.npz")).unwrap();
    assert_eq!(keys(&npz), ["café", "gr├╢", "ß-raw"]);
    assert_eq!(npz.read::<i16, Ix1>("café").unwrap().to_vec(), [1, 2]);
    assert_eq!(npz.member("café").unwrap().name(), b"caf\x82.npy");
    // UTF-8 that is not marked as such: NumPy shows it like this, too.
    assert_eq!(npz.read::<i16, Ix1>("gr├╢.npy").unwrap().to_vec(), [3]);
    assert_missing(&npz, "grö");
    assert_eq!(*npz.member("ß-raw").unwrap().bytes().unwrap(), *b"raw");
}

#[test]
fn a_missing_key_is_named_by_the_error() {
    let path = fixtures::path("model-batch.npz");
    let npz = Npz::open(&path).unwrap();
    for key in ["zz", "zz.npy", "Labels", "labels.npy.npy", "", "lab\u{1b}els"] {
        assert_missing(&npz, key);
        for error in
            [npz.read::<i64, IxDyn>(key).unwrap_err(), npz.array(key).and_then(|array| array.strings()).unwrap_err()]
        {
            assert!(matches!(error.kind(), ErrorKind::NoSuchKey), "{error}");
            assert_eq!((error.member(), error.path()), (Some(key), Some(path.as_path())));
            assert_eq!((error.kind().fault(), error.kind().rule()), (Fault::Request, None));
        }
    }
    let error = npz.member("zz.npy").unwrap_err();
    assert_eq!(error.to_string(), format!("{}: zz.npy: no such key", path.display()));
}

#[test]
fn of_several_members_with_one_name_none_is_taken() {
    let npz = open(&numbered(["x.npy", "y.npy", "x.npy", "x.npy"]));
    assert_eq!(keys(&npz), ["x", "y", "x", "x"]);
    for key in ["x", "x.npy"] {
        let error = found(&npz, key).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::DuplicateName), "{error}");
        assert_eq!((error.member(), error.kind().rule()), (Some(key), Some("Z6")));
    }
    assert_eq!(found(&npz, "y").unwrap(), 1);
    let reads = npz.members().map(|member| member.array().and_then(|array| array.read::<u32, Ix1>()).is_ok());
    assert_eq!(reads.collect::<Vec<_>>(), [false, true, false, false]);
}

#[test]
fn of_several_members_with_one_name_the_last_is_taken_on_request() {
    let archive = numbered(["x.npy", "y.npy", "x.npy", "x.npy"]).bytes();
    let npz = OpenOptions::new().duplicates(Duplicates::Last).source(archive).unwrap();
    assert_eq!(keys(&npz), ["x", "y", "x", "x"]);
    assert_eq!((npz.len(), found(&npz, "x").unwrap(), found(&npz, "x.npy").unwrap()), (4, 3, 3));
    assert_eq!(found(&npz, "y").unwrap(), 1);
    for (member, reads) in npz.members().zip([false, true, false, true]) {
        match member.array().and_then(|array| array.read::<u32, Ix1>()) {
            Ok(_) => assert!(reads),
            Err(error) => {
                assert!(!reads && matches!(error.kind(), ErrorKind::DuplicateName), "{error}");
                assert_eq!(error.member(), Some("x"));
            }
        }
    }
}

#[test]
fn members_of_one_key_but_of_two_names_are_no_duplicates() {
    let names = ["x", "x.npy", "x.NPY", "X.npy"];
    for duplicates in [Duplicates::Refuse, Duplicates::Last] {
        let npz = OpenOptions::new().duplicates(duplicates).source(numbered(names).bytes()).unwrap();
        for (index, name) in (0..).zip(names) {
            assert_eq!(found(&npz, name).unwrap(), index);
        }
    }
}

#[test]
fn one_name_in_two_encodings_is_one_name() {
    let mut archive = numbered(["é.npy", "?.npy", "other.npy"]);
    rename(&mut archive, 1, b"\x82.npy", 0);
    let npz = open(&archive);
    assert_eq!(keys(&npz), ["é", "é", "other"]);
    assert!(matches!(found(&npz, "é").unwrap_err().kind(), ErrorKind::DuplicateName));
    assert_eq!(found(&npz, "other").unwrap(), 2);
    let npz = OpenOptions::new().duplicates(Duplicates::Last).source(archive.bytes()).unwrap();
    assert_eq!(found(&npz, "é").unwrap(), 1);
}

#[test]
fn a_name_that_is_no_text_is_listed_and_the_others_read() {
    let mut archive = numbered(["?.npy", "other.npy"]);
    rename(&mut archive, 0, b"\xff.npy", 1 << 11);
    let npz = open(&archive);
    assert_eq!(keys(&npz), ["\u{fffd}", "other"]);
    assert_missing(&npz, "\u{fffd}");
    let error = npz.members().next().unwrap().header().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BadName { .. }), "{error}");
    assert_eq!(found(&npz, "other").unwrap(), 1);
}

#[test]
fn a_name_with_nul_is_refused_as_is_the_name_that_it_would_be_cut_to() {
    // NumPy reads the last of these by each of the first two keys.
    let npz = open(&numbered(["cut.npy", "other.npy", "cut.npy\0.npy"]));
    assert_eq!(keys(&npz), ["cut", "other", "cut.npy\0"]);
    for key in ["cut", "cut.npy"] {
        let error = found(&npz, key).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadName { .. }), "{error}");
        assert_eq!((error.member(), error.kind().rule()), (Some(key), Some("Z21")));
    }
    assert_eq!(found(&npz, "other").unwrap(), 1);
}

#[test]
fn nothing_is_cached() {
    let npz = Npz::open(fixtures::path("model-batch.npz")).unwrap();
    let mut first = npz.read::<i64, Ix1>("labels").unwrap();
    let second = npz.read::<i64, Ix1>("labels").unwrap();
    assert_ne!(first.as_ptr(), second.as_ptr());
    first.fill(7);
    assert_eq!(second.to_vec(), [0, 1, 1]);
    assert_eq!(npz.read::<i64, Ix1>("labels").unwrap(), second);
}

#[test]
fn owned_arrays_outlive_the_archive() {
    let (read, got, strings) = {
        let npz = Npz::new(fixtures::bytes("model-batch-aligned.npz")).unwrap();
        let got = npz.get::<i64, Ix1>("labels").unwrap().into_owned();
        (npz.read::<f32, IxDyn>("features").unwrap(), got, npz.array("sample_ids").unwrap().strings().unwrap())
    };
    assert_eq!((read.sum(), got.to_vec(), strings.len()), (66.0, vec![0, 1, 1], 3));
}

#[test]
fn a_mistyped_key_is_told_which_one_is_like_it() {
    let keys = ["labels", "features", "layers.0.weight", "layers.10.weight", "w", "b", "größe", "Mean\u{1b}[2J"];
    let entries = keys.map(|key| stored(&format!("{key}.npy"), b"")).into();
    let npz = Npz::new(Archive::new(entries).bytes()).unwrap();
    for (key, near) in [
        ("label", "labels"),
        ("lables", "labels"),
        ("LABELS", "labels"),
        ("labels ", "labels"),
        ("feature", "features"),
        ("faetures", "features"),
        ("layers.0.wieght", "layers.0.weight"),
        ("layers.1.weight", "layers.0.weight"), // as near as the other, and before it
        ("layers.11.weight", "layers.10.weight"),
        ("groesse", ""),
        ("grösse", "größe"),
        ("weights", ""),
        ("x", ""),
        ("", ""),
    ] {
        assert_eq!(npz.similar_key(key).as_deref().unwrap_or(""), near, "{key}");
    }
    assert_eq!(npz.similar_key("mean\u{1b}[2J").unwrap(), "Mean\u{1b}[2J"); // as it is: whoever prints it escapes it
    assert_eq!(npz.member("lables").unwrap_err().to_string(), "lables: no such key");
}

#[test]
fn a_missing_key_costs_one_look_up_however_many_keys_there_are() {
    let missing = |count: usize| {
        let entries = (0..count).map(|number| stored(&format!("key{number:06}.npy"), b"")).collect();
        let npz = Npz::new(Archive::new(entries).bytes()).unwrap();
        npzmap::__steps_taken();
        for number in 0..100 {
            assert!(!npz.contains(&format!("kex{number:06}")));
            assert!(matches!(npz.member(&format!("kex{number:06}")).unwrap_err().kind(), ErrorKind::NoSuchKey));
            npz.read_many::<f32, IxDyn>(&[format!("kex{number:06}")]).unwrap_err();
        }
        npzmap::__steps_taken()
    };
    let (few, many) = (missing(10), missing(100_000));
    // Each is hashed twice, with and without the suffix; now and then two hashes begin alike.
    assert!(few < 20_000 && many < 20_000, "{few} {many}");
}

#[test]
fn a_mistyped_key_is_compared_with_so_many_and_no_more() {
    let entries = (0..100_100).map(|number| stored(&format!("key{number}x{number}.npy"), b"")).collect();
    let npz = Npz::new(Archive::new(entries).bytes()).unwrap();
    for (key, near) in [("key99999y99999", Some("key99999x99999")), ("key100050y100050", None)] {
        assert_eq!(npz.similar_key(key).as_deref(), near);
    }
    let long = "k".repeat(300);
    let npz = Npz::new(Archive::new(vec![stored(&format!("{long}.npy"), b"")]).bytes()).unwrap();
    for key in [&long[1..], &long[..250]] {
        assert_eq!(npz.similar_key(key), None);
    }
    // Names of 65,000 bytes: after 16 MiB of them it is enough.
    for (count, near) in [(200, Some("kez")), (300, None)] {
        let entries = (0..count).map(|number| stored(&format!("{number:065000}"), b""));
        let npz = Npz::new(Archive::new(entries.chain([stored("kez.npy", b"")]).collect()).bytes()).unwrap();
        assert_eq!(npz.similar_key("key").as_deref(), near, "{count}");
    }
}
