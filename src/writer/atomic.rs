//! A file that is written beside its target and takes its name when it is complete.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::sink::Backend;
use crate::error::{ErrorKind, Result};
use crate::source::{Identity, regular};

/// A temporary file in the folder of its target, whose name it takes when it is finished.
///
/// Until then the target is what it was; dropped unfinished, it leaves the target alone and nothing behind. A process
/// that is killed leaves the temporary file, `.NAME.XXXXXX.tmp`, and the target as it was. Whoever has the old target
/// open or mapped goes on reading the old file.
///
/// It has no constructor of its own: it is what [`NpzWriter::create`](crate::NpzWriter::create) and its like write into.
///
/// A symbolic link is followed: what it leads to is replaced, not the link. The new file has the permissions of the old
/// one, or those that any new file gets; owner and hard links are not kept.
///
/// ```
/// use npzmap::{AtomicFile, NpzWriter};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("out.npz");
/// let mut w: NpzWriter<AtomicFile> = NpzWriter::create(&path)?;
/// w.add("x", &[1.0_f32, 2.0])?;
/// assert!(!path.exists());
/// w.finish()?;
/// assert!(path.exists());
/// # Ok::<(), npzmap::Error>(())
/// ```
#[derive(Debug)]
pub struct AtomicFile {
    file: NamedTempFile,
    /// As the caller named it.
    path: PathBuf,
    /// Where its links lead.
    target: PathBuf,
    sync: bool,
    /// Whether the target may be there when the file takes its name.
    replaces: bool,
    /// The file that was cloned, which must still be there.
    clone_of: Option<Identity>,
}

/// As many as Linux follows.
const LINKS: usize = 40;

impl AtomicFile {
    pub(super) fn create(path: &Path) -> Result<Self> {
        Self::beside(path, follow(path)?)
    }

    /// The same where nothing is, not even a link.
    pub(super) fn create_new(path: &Path) -> Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(_) => Err(io::Error::from(io::ErrorKind::AlreadyExists).into()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            Err(_) => Ok(AtomicFile { replaces: false, ..Self::beside(path, path.to_owned())? }),
        }
    }

    fn beside(path: &Path, target: PathBuf) -> Result<Self> {
        let permissions = match fs::metadata(&target) {
            Ok(metadata) => {
                regular(&metadata)?;
                Some(metadata.permissions())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let name = target.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
        let mut prefix = std::ffi::OsString::from(".");
        // Long enough to tell whose it is, short enough to stay a name.
        prefix.push(name.to_string_lossy().chars().take(40).collect::<String>());
        prefix.push(".");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // but for the umask
        let file = builder.tempfile_in(folder_of(&target))?;
        if let Some(permissions) = permissions {
            file.as_file().set_permissions(permissions)?;
        }
        Ok(AtomicFile { file, path: path.into(), target, sync: true, replaces: true, clone_of: None })
    }

    /// Begins with the first `length` bytes of the target, which is open as `from`: shared with it where the file
    /// system can do so, else copied.
    pub(super) fn clone_from(&mut self, from: &File, length: u64, identity: &Identity) -> Result<()> {
        let to = self.file.as_file_mut();
        if !share(from, to) {
            let mut copied = copy_file_range(from, 0..length, to, 0)?;
            to.seek(SeekFrom::Start(copied))?;
            let mut block = vec![0; usize::try_from(length - copied).unwrap_or(usize::MAX).min(1 << 20)];
            while copied < length {
                let some = usize::try_from(length - copied).unwrap_or(usize::MAX).min(block.len());
                let block = &mut block[..some];
                read_exact_at(from, block, copied)?;
                to.write_all(block)?;
                copied += some as u64;
            }
        }
        to.set_len(length)?;
        to.seek(SeekFrom::Start(length))?;
        self.clone_of = Some(identity.clone());
        Ok(())
    }

    pub(super) fn temporary_path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn sync(&mut self, sync: bool) {
        self.sync = sync;
    }
}

fn read_exact_at(file: &File, block: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, block, offset);
    #[cfg(not(unix))]
    {
        use std::io::Read;
        let mut file = file;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(block)
    }
}

/// One copy of the data for both files, until one of them is written to.
#[cfg(target_os = "linux")]
fn share(from: &File, to: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn share(_: &File, _: &File) -> bool {
    false
}

fn folder_of(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where the links lead, also where nothing is there yet.
fn follow(path: &Path) -> Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let is_link = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink());
        if !is_link {
            return Ok(path);
        }
        let target = fs::read_link(&path)?;
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(ErrorKind::Io(io::Error::other("too many levels of symbolic links")).into())
}

impl Backend for AtomicFile {
    type Finished = ();

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_file_mut().write_all(bytes)
    }

    fn position(&mut self) -> io::Result<Option<u64>> {
        self.file.as_file_mut().stream_position().map(Some)
    }

    fn seek_to(&mut self, position: u64) -> io::Result<()> {
        self.file.as_file_mut().seek(SeekFrom::Start(position)).map(drop)
    }

    fn truncate(&mut self, length: u64) -> io::Result<bool> {
        self.file.as_file().set_len(length).map(|()| true)
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn finish(self) -> Result<()> {
        if let Some(identity) = &self.clone_of {
            // Else what was written to it since would be lost without a word.
            identity.check(&fs::metadata(&self.target)?)?;
        }
        // The name is in the folder. It is opened before anything is renamed: if that fails, the target stays.
        let mut folder = None;
        if self.sync {
            self.file.as_file().sync_all()?;
            if cfg!(unix) {
                folder = Some(File::open(folder_of(&self.target))?);
            }
        }
        let named = match self.replaces {
            true => self.file.persist(&self.target),
            false => self.file.persist_noclobber(&self.target),
        };
        named.map_err(|error| error.error)?;
        if let Some(folder) = folder {
            folder.sync_all().map_err(ErrorKind::NotSynced)?;
        }
        Ok(())
    }
}

/// Copies within the system, and gives the number of bytes: fewer where it cannot, across file systems say.
#[cfg(target_os = "linux")]
fn copy_file_range(from: &File, range: Range<u64>, to: &File, at: u64) -> io::Result<u64> {
    use rustix::io::Errno;

    let (mut source, mut target) = (range.start, at);
    while source < range.end {
        let length = usize::try_from(range.end - source).unwrap_or(usize::MAX).min(1 << 30);
        match rustix::fs::copy_file_range(from, Some(&mut source), to, Some(&mut target), length) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(source - range.start)
}

#[cfg(not(target_os = "linux"))]
fn copy_file_range(_: &File, _: Range<u64>, _: &File, _: u64) -> io::Result<u64> {
    Ok(0)
}
