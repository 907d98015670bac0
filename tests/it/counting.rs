//! A source that is read by position and remembers each read.

use std::io;
use std::sync::Mutex;

use npzmap::{Npz, Source};

use crate::forge::{Archive, Entry};

pub(crate) struct Counting {
    bytes: Vec<u8>,
    reads: Mutex<Vec<(u64, usize)>>,
}

impl Counting {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Counting { bytes, reads: Mutex::default() }
    }

    /// An archive of these entries, opened; the reads of that are forgotten.
    pub(crate) fn open(entries: Vec<Entry>) -> (Npz<Counting>, Archive) {
        let archive = Archive::new(entries);
        let npz = Npz::new(Counting::new(archive.bytes())).unwrap();
        npz.source().taken();
        (npz, archive)
    }

    /// Offset and length of each read since the last call.
    pub(crate) fn taken(&self) -> Vec<(u64, usize)> {
        std::mem::take(&mut self.reads.lock().unwrap())
    }
}

impl Source for Counting {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.reads.lock().unwrap().push((offset, buf.len()));
        let start = usize::try_from(offset).unwrap();
        buf.copy_from_slice(self.bytes.get(start..start + buf.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}
