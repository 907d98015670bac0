//! One archive, many threads.

use ndarray::IxDyn;
use npzmap::{Mapping, Member, Npz, ReadAt};

use crate::fixtures::{self, path};

const fn shared<T: Send + Sync>() {}
const _: () = {
    shared::<Npz<ReadAt>>();
    shared::<Npz<Mapping>>();
    shared::<Npz<Vec<u8>>>();
    shared::<Npz<&[u8]>>();
    shared::<Member<'_, Mapping>>();
    shared::<npzmap::Error>();
};

#[test]
fn eight_threads_read_stored_and_deflated_members_of_one_archive_at_once() {
    const THREADS: usize = 8;
    const READS: usize = 1000;
    let stored = Npz::open(path("kinds-stored.npz")).unwrap();
    let deflated = Npz::open(path("kinds-deflated.npz")).unwrap();
    // Both kinds in one archive, too.
    let mixed = Npz::open(path("methods.npz")).unwrap();
    let in_memory = Npz::new(fixtures::bytes("kinds-deflated.npz")).unwrap();
    let keys = ["i8-le-c", "i8-be-f", "i8-le-c3", "i8-be-f3"];
    let expected = keys.map(|key| stored.read::<i64, IxDyn>(key).unwrap());
    let of_mixed = ["stored", "deflated"].map(|key| mixed.member(key).unwrap().bytes().unwrap().into_owned());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (stored, deflated, mixed, in_memory) = (&stored, &deflated, &mixed, &in_memory);
            let (expected, of_mixed) = (&expected, &of_mixed);
            scope.spawn(move || {
                for round in 0..READS {
                    let which = (round + thread) % keys.len();
                    let array = match round % 3 {
                        0 => stored.read::<i64, IxDyn>(keys[which]),
                        1 => deflated.read::<i64, IxDyn>(keys[which]),
                        _ => in_memory.read::<i64, IxDyn>(keys[which]),
                    };
                    assert_eq!(array.unwrap(), expected[which]);
                    let which = round % 2;
                    let member = mixed.member(["stored", "deflated"][which]).unwrap();
                    assert_eq!(member.bytes().unwrap(), of_mixed[which]);
                }
            });
        }
    });
}
