//! Who replaces a file next.
//!
//! Each writer locks the old file before it looks at the path and renames. Two that read one file thus do so one after
//! the other, and the second one sees that the path has another file. The lock is advisory, and held for a moment only.

use std::fs::File;
use std::io;
use std::path::Path;
#[cfg(unix)]
use std::time::Duration;

/// The lock of a file that is about to be replaced, until this is dropped.
pub(super) struct Turn {
    _file: File,
}

impl Turn {
    /// Waits for the lock of a file whose open file description nobody else has. `None` where there are no locks.
    ///
    /// # Errors
    ///
    /// `TimedOut` if somebody keeps it: a program's own lock on the archive must not end in a deadlock.
    pub(super) fn of(file: File) -> io::Result<Option<Self>> {
        Ok(wait(&file, 5_000)?.then_some(Turn { _file: file }))
    }

    /// The lock of whatever file is there, if it can be had soon: that of writers is, and others need not hold up one
    /// that replaces any file.
    #[cfg(unix)]
    pub(super) fn at(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;

        for _ in 0..8 {
            let file = crate::source::open_regular(path).ok()?;
            if !wait(&file, 100).ok()? {
                return None;
            }
            let (locked, there) = (file.metadata().ok()?, path.symlink_metadata().ok()?);
            if (locked.dev(), locked.ino()) == (there.dev(), there.ino()) {
                return Some(Turn { _file: file });
            }
        }
        None
    }

    #[cfg(not(unix))]
    pub(super) fn at(_: &Path) -> Option<Self> {
        None
    }
}

/// Takes the lock within so many milliseconds. False where there are no locks.
#[cfg(unix)]
fn wait(file: &File, milliseconds: u32) -> io::Result<bool> {
    for _ in 0..milliseconds {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            // The file system has none, or none for a file that is opened for reading.
            Err(std::fs::TryLockError::Error(_)) => return Ok(false),
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "another program holds a lock on the file that would be replaced"))
}

/// On Windows an open file cannot be replaced, nor a locked one read.
#[cfg(not(unix))]
fn wait(_: &File, _: u32) -> io::Result<bool> {
    Ok(false)
}
