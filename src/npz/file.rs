//! The file behind an archive: whether it changed, and how its map will be used.

use std::fs;

use super::Npz;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
#[cfg(feature = "mmap")]
use crate::mmap::{Advice, Mapping};
use crate::source::FileSource;

impl<S: FileSource> Npz<S> {
    /// Whether the file is still the one that was opened: device, inode, length and time of modification, of the open
    /// file and of what its path leads to now.
    ///
    /// # Errors
    ///
    /// [`FileChanged`](ErrorKind::FileChanged) says what differs.
    ///
    /// ```
    /// let npz = npzmap::Npz::open("tests/data/model-batch.npz")?;
    /// npz.check_unchanged()?;
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn check_unchanged(&self) -> Result<()> {
        let check = || {
            self.archive.source.check_unchanged()?;
            let Some(path) = self.path() else { return Ok(()) };
            self.archive.source.identity().check(&fs::metadata(path)?)
        };
        check().map_err(|error: Error| error.in_file(self.path()))
    }
}

#[cfg(feature = "mmap")]
impl Npz<Mapping> {
    /// Begins to read a member in, so that a later access does not wait for the disk.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the member, and what the system says.
    ///
    /// ```
    /// # fn main() -> Result<(), npzmap::Error> {
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npz = unsafe { npzmap::Npz::map("tests/data/model-batch-stored.npz")? };
    /// npz.prefetch("features")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn prefetch(&self, key: &str) -> Result<()> {
        let found = self.member(key).and_then(|member| member.locate());
        let advised = found.and_then(|found| self.archive.source.advise_range(Advice::WillNeed, found.data));
        advised.map_err(|error| error.in_member(key.into()).in_file(self.path()))
    }

    /// Tells the kernel how the whole map will be used.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// use npzmap::{Advice, Npz};
    /// use ndarray::Ix2;
    ///
    /// // SAFETY: nobody writes to the fixtures of this repository while they are read.
    /// let npz = unsafe { Npz::map("tests/data/model-batch-stored.npz")? };
    /// npz.advise(Advice::Random)?; // single rows here and there
    /// assert_eq!(npz.array("features")?.rows(2..3)?.read::<f32, Ix2>()?.sum(), 38.0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn advise(&self, advice: Advice) -> Result<()> {
        self.archive.source.advise(advice).map_err(|error| error.in_file(self.path()))
    }
}
