//! What the writer makes: byte for byte, through every door, and under every fault.

mod append;
mod atomic;
mod copy;
mod keys;
mod large;
mod layout;
mod options;
mod plain;
#[cfg(unix)]
mod rights;
mod roundtrip;
mod rows;
mod sinks;
mod values;
mod written;

use std::io::Cursor;

use npzmap::{Npz, NpzWriter, Result, Save, Seekable, Streamed};

/// An archive in memory, by a sink that seeks and by one that does not.
fn both(
    seekable: impl FnOnce(&mut NpzWriter<Seekable<Cursor<Vec<u8>>>>) -> Result<()>,
    streamed: impl FnOnce(&mut NpzWriter<Streamed<Vec<u8>>>) -> Result<()>,
) -> [Npz<Vec<u8>>; 2] {
    let mut w = NpzWriter::new(Cursor::new(Vec::new())).unwrap();
    seekable(&mut w).unwrap();
    let first = w.finish().unwrap().into_inner();
    let mut w = NpzWriter::stream(Vec::new());
    streamed(&mut w).unwrap();
    let second = w.finish().unwrap();
    [first, second].map(|bytes| Npz::new(bytes).unwrap())
}

/// An archive in memory.
fn written(work: impl FnOnce(&mut NpzWriter<Seekable<Cursor<Vec<u8>>>>) -> Result<()>) -> Npz<Vec<u8>> {
    let mut w = NpzWriter::new(Cursor::new(Vec::new())).unwrap();
    work(&mut w).unwrap();
    Npz::new(w.finish().unwrap().into_inner()).unwrap()
}

/// The elements as they are handed over.
fn elements(array: &dyn Save) -> Vec<u8> {
    let mut bytes = Vec::new();
    let gathered = array.blocks(&mut |block| {
        bytes.extend(block);
        Ok(())
    });
    gathered.unwrap();
    bytes
}

/// The keys, in order.
fn keys<S: npzmap::Source>(npz: &Npz<S>) -> Vec<String> {
    npz.keys().map(|key| key.into_owned()).collect()
}
