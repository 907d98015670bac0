//! Contents lent as streams: what is in them, what they check, and what their errors say.

use std::io::Read;

use npzmap::{Error, ErrorKind, Npz, OpenOptions, Verify};

use crate::counting::Counting;
use crate::fixtures;
use crate::forge::{self, Archive, Entry};

const METHODS: [fn(&str, &[u8]) -> Entry; 2] = [forge::stored, forge::deflated];

fn numbers() -> Vec<u8> {
    forge::u32s(&(0..50_000).collect::<Vec<_>>())
}

fn npz(entry: Entry, verify: Verify) -> Npz<Vec<u8>> {
    OpenOptions::new().verify(verify).source(Archive::new(vec![entry]).bytes()).unwrap()
}

/// The same with the last element damaged.
fn damaged(method: fn(&str, &[u8]) -> Entry, verify: Verify) -> Npz<Vec<u8>> {
    let mut entry = method("a.npy", &numbers());
    *entry.data.last_mut().unwrap() ^= 1;
    npz(entry, verify)
}

#[test]
fn a_stream_of_elements_is_the_elements_and_one_of_the_content_is_the_content() {
    for method in METHODS {
        let npz = npz(method("a.npy", &numbers()), Verify::Copied);
        let member = npz.member("a").unwrap();
        let mut content = Vec::new();
        member.stream(|stream| stream.read_to_end(&mut content).map_err(Error::from)).unwrap();
        assert_eq!(content, numbers());
        let (left, last) = member
            .stream_elements(|header, stream| {
                let mut bytes = vec![0; header.nbytes() - 4];
                stream.read_exact(&mut bytes)?;
                Ok::<_, Error>((stream.left(), bytes.split_off(bytes.len() - 4)))
            })
            .unwrap();
        assert_eq!((left, last), (4, 49_998_u32.to_le_bytes().to_vec()));
    }
}

#[test]
fn a_stream_that_is_read_to_its_end_is_checked_and_one_that_is_not_only_on_request() {
    let some = |npz: &Npz<Vec<u8>>, count: usize| {
        let member = npz.member("a").unwrap();
        member.stream_elements(|_, stream| stream.read_exact(&mut vec![0; count]))
    };
    for method in METHODS {
        let is_checksum = |error: Error| assert!(matches!(error.kind(), ErrorKind::Checksum { .. }), "{error}");
        some(&damaged(method, Verify::Never), 200_000).unwrap();
        some(&damaged(method, Verify::Copied), 16).unwrap();
        is_checksum(some(&damaged(method, Verify::Copied), 200_000).unwrap_err());
        // Not one element without the whole being right.
        is_checksum(some(&damaged(method, Verify::Always), 16).unwrap_err());
        let content =
            damaged(method, Verify::Always).member("a").unwrap().stream(|stream| stream.read_exact(&mut [0; 6]));
        is_checksum(content.unwrap_err());
        some(&npz(method("a.npy", &numbers()), Verify::Always), 16).unwrap();
    }
}

#[test]
fn errors_within_a_stream_say_which_member_they_are_about_and_where() {
    let mut entry = forge::deflated("a.npy", &numbers());
    entry.data[65_535 + 5] = 6; // a block of a type that does not exist
    let archive = Archive::new(vec![entry]);
    let npz = Npz::new(archive.bytes()).unwrap();
    let member = npz.member("a").unwrap();
    let expected = member.array().and_then(|array| array.read::<u32, ndarray::Ix1>()).unwrap_err();
    let streamed = [
        member.stream_elements(|_, stream| stream.read_exact(&mut vec![0; 200_000])).unwrap_err(),
        member.stream(|stream| std::io::copy(stream, &mut std::io::sink()).map(drop).map_err(Error::from)).unwrap_err(),
    ];
    assert_eq!((expected.offset(), expected.member()), (Some(archive.data_at(0)), Some("a")));
    for error in streamed {
        assert!(matches!(error.kind(), ErrorKind::BadStream { .. }), "{error}");
        assert_eq!((error.offset(), error.member()), (expected.offset(), expected.member()), "{error}");
    }
    // More than there is.
    let npz = Npz::open(fixtures::path("model-batch.npz")).unwrap();
    let more = npz.member("labels").unwrap().stream_elements(|_, stream| stream.read_exact(&mut [0; 25])).unwrap_err();
    assert!(more.offset().is_some() && more.path().is_some() && more.member() == Some("labels"), "{more}");
}

#[test]
fn a_stream_may_end_in_any_number_of_empty_blocks() {
    // More of them than are read at once, 256 KiB.
    const EMPTY: [u8; 5] = [0, 0, 0, 0xff, 0xff];
    let content = numbers();
    let mut data = deflate_without_end(&content);
    data.extend(EMPTY.repeat(120_000));
    data.extend([1, 0, 0, 0xff, 0xff]);
    let mut entry = forge::deflated("x", &content);
    entry.header.compressed_size = u32::try_from(data.len()).unwrap();
    entry.data = data;
    let bytes = Archive::new(vec![entry]).bytes();
    let in_memory = Npz::new(&bytes[..]).unwrap();
    assert!(in_memory.member("x").unwrap().bytes().unwrap() == content);
    let by_position = Npz::new(Counting::new(bytes.clone())).unwrap();
    assert!(by_position.member("x").unwrap().bytes().unwrap() == content);
    by_position.verify().unwrap();
}

/// Deflate's stored blocks of this content, none of them final.
fn deflate_without_end(content: &[u8]) -> Vec<u8> {
    let mut stream = forge::deflate(content);
    let last = stream.len() - 5 - content.len() % 0xffff;
    stream[last] = 0;
    stream
}
