//! A file that is written beside its target and takes its name when it is complete.

mod copying;
mod links;
mod rights;
mod turn;

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::sink::Backend;
use crate::error::{Error, ErrorKind, Result};
use crate::source::{FileSource, Identity, open_regular, regular};
use rights::Rights;
use turn::Turn;

/// A temporary file in the folder of its target, whose name it takes when it is finished.
///
/// Until then the target is what it was; dropped unfinished, it leaves the target alone and nothing behind. A process
/// that is killed leaves the temporary file, `.NAME.XXXXXX.tmp`, and the target as it was. Whoever has the old target
/// open or mapped goes on reading the old file.
///
/// [`NpzWriter::create`](crate::NpzWriter::create) and its like write into one. Bytes of another format can be written
/// into it by [`Write`]; they reach the file at once, so put a [`BufWriter`](io::BufWriter) before it.
///
/// # Permissions
///
/// Only its owner can open the temporary file. The final permissions are set when it is complete, before it is renamed.
///
/// | | permissions |
/// |---|---|
/// | a new file | those of any new file in this folder, by the umask or the folder's default ACL |
/// | a file that replaces another one | the mode of the old file without setuid, setgid and sticky; its owner, group and (on Linux) POSIX ACL, where the process may set them |
///
/// Where it may not set the group or the ACL, the bits of group and others are reduced, so that nobody has more rights
/// than on the old file. Hard links and other extended attributes are not kept.
///
/// # Links
///
/// A symbolic link is followed as the system follows it, `fs.protected_symlinks` included: what it leads to is replaced,
/// not the link. A link may lead to nothing: the file is then created there. In a sticky folder that everybody may write
/// to, such a link is followed only if it belongs to the user or to the folder's owner, whatever the system's setting.
///
/// # Two writers
///
/// Files that replace what they were made from ([`NpzWriter::append`](crate::NpzWriter::append) and
/// [`NpzWriter::replace`](crate::NpzWriter::replace)) are not renamed over any other file. They take an exclusive lock on
/// the old file, as [`File::lock`] does, check that it is still there and unchanged, and rename. Of two that finish at the
/// same time, one gets [`FileChanged`](ErrorKind::FileChanged). Nothing takes its turn where the file system has no locks,
/// and on Windows: there only the check remains. A lock of somebody else's is waited for, up to five seconds; then
/// finishing fails with [`TimedOut`](io::ErrorKind::TimedOut).
///
/// Other files replace whatever is at the path. They wait for that lock, too, for at most a tenth of a second, so that
/// they do not come in between the check and the rename of an `append`.
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
    /// The permissions to get if the target is not there in the end.
    rights: Rights,
    /// The file that was read, which must still be there.
    read: Option<(File, Identity)>,
}

impl AtomicFile {
    /// Begins a file that replaces what is at `path`, if anything is.
    ///
    /// # Errors
    ///
    /// As [`NpzWriter::create`](crate::NpzWriter::create).
    ///
    /// ```
    /// use npzmap::AtomicFile;
    /// use std::io::Write;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("notes.txt");
    /// let mut file = AtomicFile::create(&path)?;
    /// file.write_all(b"trained on a Tuesday")?;
    /// assert!(!path.exists());
    /// file.finish()?;
    /// assert_eq!(std::fs::read(&path)?, b"trained on a Tuesday");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        links::resolve(path).and_then(|target| Self::beside(path, target)).map_err(|error| error.in_file(Some(path)))
    }

    /// Begins a file as [`create`](AtomicFile::create) does, but follows no link: one that is at `path` by the time the
    /// file is finished is replaced itself.
    ///
    /// Links among the folders of `path` are followed.
    ///
    /// # Errors
    ///
    /// As [`create`](AtomicFile::create), and [`Io`](ErrorKind::Io) with [`AlreadyExists`](io::ErrorKind::AlreadyExists)
    /// if a link is there now.
    ///
    /// ```
    /// use npzmap::AtomicFile;
    ///
    /// # #[cfg(unix)] {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("link");
    /// std::os::unix::fs::symlink("elsewhere", &path)?;
    /// assert!(AtomicFile::create_no_follow(&path).is_err());
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn create_no_follow(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let made = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => Err(io::Error::from(io::ErrorKind::AlreadyExists).into()),
            _ => Self::beside(path, path.to_owned()),
        };
        made.map_err(|error| error.in_file(Some(path)))
    }

    /// Begins a file at `path`, where nothing is, not even a link.
    ///
    /// # Errors
    ///
    /// As [`NpzWriter::create_new`](crate::NpzWriter::create_new).
    ///
    /// ```
    /// use npzmap::AtomicFile;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("notes.txt");
    /// let file = AtomicFile::create_new(&path)?;
    /// std::fs::write(&path, "somebody was faster")?;
    /// assert!(file.finish().is_err());
    /// assert!(AtomicFile::create_new(&path).is_err());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn create_new(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let made = match fs::symlink_metadata(path) {
            Ok(_) => Err(io::Error::from(io::ErrorKind::AlreadyExists).into()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            Err(_) => Self::beside(path, path.to_owned()).map(|file| AtomicFile { replaces: false, ..file }),
        };
        made.map_err(|error: Error| error.in_file(Some(path)))
    }

    /// Begins a file that replaces the one at `path`, which `read` reads, and no other. To be used where the new file is
    /// made from the old one.
    ///
    /// # Errors
    ///
    /// As [`NpzWriter::replace`](crate::NpzWriter::replace).
    ///
    /// ```
    /// use npzmap::{AtomicFile, ErrorKind, ReadAt, Source};
    /// use std::io::Write;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("notes.txt");
    /// std::fs::write(&path, "trained on a Tuesday")?;
    /// let old = ReadAt::new(std::fs::File::open(&path)?)?;
    /// let mut file = AtomicFile::replace(&path, &old)?;
    /// let mut bytes = vec![0; old.size() as usize];
    /// old.read_exact_at(0, &mut bytes)?;
    /// bytes.make_ascii_uppercase();
    /// file.write_all(&bytes)?;
    /// std::fs::write(&path, "evaluated on a Friday")?; // somebody else
    /// assert!(matches!(file.finish().unwrap_err().kind(), ErrorKind::FileChanged { .. }));
    /// assert_eq!(std::fs::read(&path)?, b"evaluated on a Friday");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replace(path: impl AsRef<Path>, read: &impl FileSource) -> Result<Self> {
        let path = path.as_ref();
        let replace = || {
            // An open file description of its own: a lock holds between two of them only.
            let file = open_regular(path)?;
            read.identity().check(&file.metadata()?)?;
            Self::instead_of(path, file, read.identity())
        };
        replace().map_err(|error| error.in_file(Some(path)))
    }

    /// The same for a file whose open file description nobody else has.
    pub(super) fn instead_of(path: &Path, read: File, identity: &Identity) -> Result<Self> {
        let mut file = Self::create(path)?;
        file.read = Some((read, identity.clone()));
        Ok(file)
    }

    fn beside(path: &Path, target: PathBuf) -> Result<Self> {
        let rights = match fs::symlink_metadata(&target) {
            Ok(metadata) => {
                regular(&metadata)?;
                Rights::of(&target, &metadata)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Rights::of_new(folder_of(&target))?,
            Err(error) => return Err(error.into()),
        };
        let name = target.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
        let mut prefix = std::ffi::OsString::from(".");
        // Long enough to tell whose it is, short enough to stay a name.
        prefix.push(name.to_string_lossy().chars().take(40).collect::<String>());
        prefix.push(".");
        // Its mode is 0600 at first.
        let file = tempfile::Builder::new().prefix(&prefix).suffix(".tmp").tempfile_in(folder_of(&target))?;
        Ok(AtomicFile { file, path: path.into(), target, sync: true, replaces: true, rights, read: None })
    }

    /// Copies the first `length` bytes of the file that is replaced: shared with it where the file system can do so.
    pub(super) fn begin_with(&mut self, length: u64) -> Result<()> {
        if let Some((read, _)) = &self.read {
            copying::clone(read, self.file.as_file_mut(), length)?;
        }
        Ok(())
    }

    /// The path of the temporary file. A process that ends without dropping this value, at a signal say, leaves it behind.
    ///
    /// ```
    /// use npzmap::AtomicFile;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("notes.txt");
    /// let file = AtomicFile::create(&path)?;
    /// assert!(file.temporary_path().exists());
    /// let temporary = file.temporary_path().to_owned();
    /// drop(file);
    /// assert!(!temporary.exists());
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn temporary_path(&self) -> &Path {
        self.file.path()
    }

    /// Sets whether [`finish`](AtomicFile::finish) waits for the disk, as [`NpzWriter::sync`](crate::NpzWriter::sync)
    /// does.
    ///
    /// ```
    /// use npzmap::AtomicFile;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("notes.txt");
    /// AtomicFile::create(&path)?.sync(false).finish()?;
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    #[must_use]
    pub fn sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }

    pub(super) fn set_sync(&mut self, sync: bool) {
        self.sync = sync;
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    ///
    /// As [`NpzWriter::finish`](crate::NpzWriter::finish).
    ///
    /// ```
    /// use npzmap::AtomicFile;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("empty");
    /// AtomicFile::create(&path)?.finish()?;
    /// assert_eq!(std::fs::metadata(&path)?.len(), 0);
    /// # Ok::<(), npzmap::Error>(())
    /// ```
    pub fn finish(self) -> Result<()> {
        let path = self.path.clone();
        self.take_name().map_err(|error| error.in_file(Some(&path)))
    }

    fn take_name(self) -> Result<()> {
        self.rights()?.as_ref().unwrap_or(&self.rights).give_to(self.file.as_file())?;
        // The name is in the folder. It is opened before anything is renamed: if that fails, the target stays.
        let mut folder = None;
        if self.sync {
            self.file.as_file().sync_all()?;
            if cfg!(unix) {
                folder = Some(File::open(folder_of(&self.target))?);
            }
        }
        let turn = match self.read {
            Some((read, identity)) => {
                let turn = Turn::of(read)?;
                // Else what was written since would be lost without a word.
                identity.check(&fs::metadata(&self.path)?)?;
                let there = fs::symlink_metadata(&self.target)?;
                if there.is_symlink() {
                    return Err(ErrorKind::FileChanged { what: "device or inode" }.into());
                }
                identity.check(&there)?;
                turn
            }
            None if self.replaces => Turn::at(&self.target),
            None => None,
        };
        let named = match self.replaces {
            true => self.file.persist(&self.target),
            false => self.file.persist_noclobber(&self.target),
        };
        named.map_err(|error| error.error)?;
        drop(turn);
        if let Some(folder) = folder {
            folder.sync_all().map_err(ErrorKind::NotSynced)?;
        }
        Ok(())
    }

    /// The permissions of what is replaced, as they are now.
    fn rights(&self) -> Result<Option<Rights>> {
        match fs::symlink_metadata(&self.target) {
            Ok(metadata) if self.replaces && !metadata.is_symlink() => {
                regular(&metadata)?;
                Ok(Some(Rights::of(&self.target, &metadata)?))
            }
            _ => Ok(None),
        }
    }
}

fn folder_of(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Backend for AtomicFile {
    type Finished = ();

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
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
        AtomicFile::finish(self)
    }
}
