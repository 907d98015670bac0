//! Dtypes that no program writes on purpose: sub-arrays of nothing, of which 200 bytes of header can ask for any number.

use serde_json::{Value, json};

use crate::forge::{self, Archive, stored};
use crate::run::{Folder, Outcome, in_time};

/// The longest axis of a sub-array.
pub(crate) const LONG: &str = "2147483647";

/// Two archives of an array `x` of three items, whose last bytes differ.
struct Pair {
    _folder: Folder,
    one: String,
    other: String,
}

impl Pair {
    fn new(descr: &str, payload: &[u8]) -> Self {
        let folder = Folder::new();
        let mut changed = payload.to_vec();
        *changed.last_mut().unwrap() ^= 1;
        let [one, other] = [("a.npz", payload), ("b.npz", &changed)].map(|(name, payload)| {
            let content = forge::npy(&descr.replace('L', LONG), "(3,)", payload);
            folder.write(name, Archive::new(vec![stored("x.npy", &content)]).bytes())
        });
        Pair { _folder: folder, one, other }
    }

    fn run(&self, args: &[&str]) -> Outcome {
        in_time([args, &[&self.one]].concat())
    }

    fn prints(&self, args: &[&str], expected: &str) {
        let outcome = self.run(args);
        assert_eq!((outcome.code, outcome.text(), &*outcome.errors), (0, expected, ""), "{args:?}");
    }

    fn refuses(&self, args: &[&str], code: i32, word: &str) {
        let outcome = self.run(args);
        assert_eq!((outcome.code, outcome.out.len()), (code, 0), "{args:?} {}", outcome.errors);
        assert!(outcome.errors.contains(word), "{args:?} {}", outcome.errors);
    }

    fn values(&self, args: &[&str]) -> Value {
        let outcome = self.run(&[&["show", "--json"], args].concat());
        assert_eq!((outcome.code, &*outcome.errors), (0, ""));
        outcome.json()["values"].clone()
    }

    /// How many elements differ, and the largest difference.
    fn differences(&self) -> (Value, Value) {
        let outcome = in_time(["diff", "--json", &self.one, &self.other]);
        assert_eq!((outcome.code, &*outcome.errors), (1, ""));
        let row = &outcome.json()["differences"][0];
        (row["elements"].clone(), row["max_abs"].clone())
    }

    /// What there is beside nothing is looked at.
    fn is_sound_and_differs(&self) {
        self.prints(&["check"], "file\tmember\trule\toffset\tproblem\n");
        assert_eq!(self.differences(), (1.into(), 1.into()));
        assert_eq!(in_time(["diff", "--full", &self.one, &self.one]).code, 0);
        let stat = self.run(&["stat", "--json"]);
        let column = &stat.json()["arrays"][0];
        assert_eq!((stat.code, &column["field"], &column["mean"]), (0, &"a".into(), &0.0.into()), "{column}");
    }
}

/// Three `a` of `<u4`, zeros, and nothing else.
const ZEROS: [u8; 12] = [0; 12];

fn of(b: &str) -> Pair {
    // The last byte is the least.
    Pair::new(&format!("[('a', '>u4'), ('b', {b})]"), &ZEROS)
}

#[test]
fn sub_arrays_with_an_axis_of_0_are_empty_whatever_the_others_are() {
    let pair = of("'<u4', (0, L, L, L)");
    pair.is_sound_and_differs();
    pair.prints(&["show"], "[(0, []) (0, []) (0, [])]\n");
    pair.prints(&["show", "--field", "b"], "[]\n");
    assert_eq!(pair.values(&[]), json!([{"a": 0, "b": []}, {"a": 0, "b": []}, {"a": 0, "b": []}]));
    assert_eq!(pair.values(&["--field", "b"]), json!([[], [], []]));
    pair.prints(&["cat", "--csv"], "0\n0\n0\n");
    pair.prints(&["cat", "--csv", "--header"], "a\n0\n0\n0\n");

    // Any number of lists, each of which is empty.
    let pair = of("'<u4', (3, 1000, 1000, 0)");
    pair.is_sound_and_differs();
    for args in [&["show"][..], &["show", "--json"], &["show", "--json", "--field", "b"]] {
        pair.refuses(args, 3, "without bytes");
    }
    pair.prints(&["show", "--field", "b"], "[]\n");
    pair.prints(&["cat", "--csv", "--header"], "a\n0\n0\n0\n");
}

#[test]
fn sub_arrays_of_empty_records_are_nothing_to_look_at() {
    let three = |b: &str| format!("[(0, [{b}])\n (0, [{b}])\n (0, [{b}])]\n");
    for (b, shown) in [("[], (L,)", &*three("(), (), (), ..., (), (), ()")), ("[], (L, L)", "")] {
        let pair = of(b);
        pair.is_sound_and_differs();
        let outcome = pair.run(&["show"]);
        assert_eq!((outcome.code, outcome.text().matches("...").count()), (0, if shown.is_empty() { 21 } else { 3 }));
        assert!(shown.is_empty() || outcome.text().replace('\n', "") == shown.replace('\n', ""), "{}", outcome.text());
        pair.refuses(&["show", "--json"], 3, "without bytes");
        pair.prints(&["cat", "--csv"], "0\n0\n0\n");
        pair.prints(&["cat", "--csv", "--header"], "a\n0\n0\n0\n");
    }
    assert_eq!(of("[], (2,)").values(&["--field", "b"]), json!([[{}, {}], [{}, {}], [{}, {}]]));
}

#[test]
fn empty_records_in_empty_records_take_no_time_and_no_memory() {
    let nested = |levels: usize, length: usize| {
        let inner = (0..levels).fold("[]".to_owned(), |inner, _| format!("[('n', {inner}, ({length},))]"));
        of(&format!("{inner}, ({length},)"))
    };
    // All of them are 4096^5, and 1000^5 too few each to be summarised.
    for length in [4096, 1000] {
        let pair = nested(4, length);
        pair.is_sound_and_differs();
        pair.prints(&["cat", "--csv", "--header"], "a\n0\n0\n0\n");
        pair.refuses(&["show", "--json"], 3, "without bytes");
    }
    nested(4, 1000).refuses(&["show"], 3, "without bytes");
    nested(4, 1000).refuses(&["show", "--field", "b"], 3, "without bytes");
    let level = json!([{"n": [{}, {}]}, {"n": [{}, {}]}]);
    assert_eq!(nested(1, 2).values(&["--field", "b"]), json!([level, level, level]));
}

#[test]
fn scalars_of_0_bytes_are_not_compared_and_few_are_printed() {
    for kind in ["|V0", "<U0", "|S0"] {
        // As sub-arrays they are refused, as they are by NumPy.
        for args in [&["show", "--json"][..], &["cat", "--csv"], &["stat"]] {
            let outcome = of(&format!("'{kind}', (L, L)")).run(args);
            assert_eq!(outcome.code, 3, "{kind} {args:?}");
            assert!(outcome.errors.contains("a sub-array of items that have no bytes"), "{}", outcome.errors);
        }
        let pair = of(&format!("[('n', '{kind}')], (100, 100, 100, 100, 100)"));
        pair.prints(&["check"], "file\tmember\trule\toffset\tproblem\n");
        assert_eq!(pair.differences(), (1.into(), 1.into()));
        pair.refuses(&["show", "--json"], 3, "without bytes");
        pair.refuses(&["show", "--json", "--field", "b"], 3, "without bytes");
        pair.refuses(&["cat", "--csv"], 4, "more than 4096 fields of scalars");
        pair.refuses(&["cat", "--csv", "--header"], 4, "more than 4096 fields of scalars");
    }
    // One is a column, as it is to NumPy.
    let pair = of("'<U0'");
    pair.prints(&["cat", "--csv", "--header"], "a,b\n0,\n0,\n0,\n");
    assert_eq!(pair.values(&["--field", "b"]), json!(["", "", ""]));
    let stat = pair.run(&["stat", "--json"]).json();
    let texts = &stat["arrays"][1];
    assert_eq!((&texts["field"], &texts["count"], &texts["empty"]), (&"b".into(), &3.into(), &3.into()), "{texts}");
}

#[test]
fn names_of_columns_are_not_multiplied_by_what_has_none_nor_beyond_memory() {
    let folder = Folder::new();
    let write = |descr: &str| folder.write("x.npy", forge::npy(descr, "(0,)", &[]));
    let header = |path: &str| in_time(["cat", "--csv", "--header", path]);
    // 4,000 times 2,000 fields of nothing, beside one of something.
    let nothing: String = (0..2000).map(|number| format!("('{number}', []), ")).collect();
    let outcome = header(&write(&format!("[('n', [{nothing}('x', '|u1')], (4000,))]")));
    assert_eq!((outcome.code, outcome.lines().len()), (0, 1), "{}", outcome.errors);
    assert!(outcome.text().starts_with("n[0].x,n[1].x,") && outcome.text().ends_with(",n[3999].x\n"));
    // A name of 50,000 letters, a million times.
    let outcome = header(&write(&format!("[('{}', '|u1', (1000000,))]", "n".repeat(50_000))));
    assert_eq!((outcome.code, outcome.out.len()), (4, 0));
    assert!(outcome.errors.contains("too many to name"), "{}", outcome.errors);
    let outcome = header(&write("[('r', [('x', '|u1'), ('y.z', '<f4', (2, 1))], (2,)), ('s', '|S1')]"));
    let names = "r[0].x,r[0].y.z[0],r[0].y.z[1],r[1].x,r[1].y.z[0],r[1].y.z[1],s\n";
    assert_eq!((outcome.code, outcome.text()), (0, names));
}

/// By each pair of scalars it would take minutes.
#[test]
fn thousands_of_fields_without_bytes_do_not_slow_a_comparison() {
    const ITEMS: usize = 100_000;
    let fields: String = (0..3500).map(|number| format!("('{number}', '|V0'), ")).collect();
    let folder = Folder::new();
    let [one, other] = [0, 1].map(|value| {
        let content = forge::npy(&format!("[{fields}('x', '|u1')]"), &format!("({ITEMS},)"), &[value; ITEMS]);
        folder.write(&format!("{value}.npz"), Archive::new(vec![forge::deflated("x.npy", &content)]).bytes())
    });
    let outcome = in_time(["diff", "--json", &one, &other]);
    let row = &outcome.json()["differences"][0];
    assert_eq!((outcome.code, &row["elements"], &row["max_abs"]), (1, &ITEMS.into(), &1.into()));
}

/// Three items of each: up to 1,048,576 lists, values and records without bytes are printed, and not one more.
#[test]
fn what_is_printed_without_bytes_is_counted_exactly() {
    for (shape, lists) in [("(0,)", 1), ("(10, 0)", 11), ("(10, 20, 0, 5)", 1 + 10 + 200)] {
        let descr = |more: usize| format!("[('a', '<u4'), ('b', '<u4', {shape}), ('c', [], ({more},))]");
        let most = (1 << 20) / 3 - lists;
        let pair = Pair::new(&descr(most), &ZEROS);
        assert_eq!(pair.values(&["--field", "c"])[2].as_array().unwrap().len(), most, "{shape}");
        assert_eq!(pair.run(&["show", "--json"]).code, 0, "{shape}");
        let pair = Pair::new(&descr(most + 1), &ZEROS);
        pair.refuses(&["show", "--json"], 3, "without bytes");
    }
}
