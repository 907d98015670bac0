//! Where a member may be written: a name becomes a path below one folder, or nothing. The fuzz target `extract` holds
//! this file to it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use npzmap::{AtomicFile, ErrorKind};

/// The parts of a name that is a path below a folder on every system; or why it is not one.
pub(crate) fn parts(name: &str) -> Result<Vec<&str>, &'static str> {
    let refused = |problem| Err(problem);
    if name.is_empty() {
        return refused("the name is empty");
    }
    if name.starts_with('/') {
        return refused("the name is an absolute path");
    }
    if name.contains('\\') {
        return refused("the name has a backslash, which separates folders on Windows");
    }
    if name.chars().any(char::is_control) {
        return refused("the name has control characters");
    }
    let parts: Vec<_> = name.split('/').collect();
    for part in &parts {
        match *part {
            "" => return refused("the name has an empty part"),
            "." | ".." => return refused("the name leads out of its folder"),
            part if has_drive(part) => return refused("the name begins with a drive letter"),
            // Windows drops them, so that '.. ' would be '..'.
            part if part.ends_with(['.', ' ']) => return refused("a part of the name ends in a dot or a blank"),
            part if is_device(part) => return refused("the name is a device's on Windows"),
            part if cfg!(windows) && part.contains([':', '<', '>', '"', '|', '?', '*']) => {
                return refused("the name has characters that Windows reserves");
            }
            _ => {}
        }
    }
    Ok(parts)
}

fn has_drive(part: &str) -> bool {
    matches!(part.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

fn is_device(part: &str) -> bool {
    const DEVICES: [&str; 7] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"];
    let stem = part.split(['.', ':']).next().unwrap_or_default().trim_end().to_uppercase();
    let numbered = ["COM", "LPT"].iter().any(|device| {
        let number = stem.strip_prefix(device).unwrap_or_default();
        let mut digits = number.chars();
        matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
    });
    numbered || DEVICES.contains(&&*stem)
}

/// Folders that this run made, from the outermost on. Those that are empty when this is dropped are removed again.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    /// Makes a folder. One that another process was faster to make is not ours.
    fn make(&mut self, folder: &Path) -> io::Result<()> {
        match fs::create_dir(folder) {
            Ok(()) => self.0.push(folder.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // What is not empty stays.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// A folder that nothing written through it leaves.
pub(crate) struct Folder {
    path: PathBuf,
    made: Made,
}

/// A file that has its name only when it is whole. Until then the folders that were made for it are its own.
pub(crate) struct Pending {
    // Removed before its folders are.
    file: AtomicFile,
    made: Made,
    target: PathBuf,
    overwrite: bool,
}

impl Folder {
    /// The folder of this path, which is made if it is not there. It goes again if it is still empty in the end, unless
    /// it is [kept](Folder::keep).
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut made = Made::default();
        let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        for folder in missing.collect::<Vec<_>>().into_iter().rev() {
            made.make(folder)?;
        }
        Ok(Folder { path: path.canonicalize()?, made })
    }

    /// Leaves the folder where it is, even if it is empty.
    pub(crate) fn keep(&mut self) {
        self.made.keep();
    }

    /// The folder, if it is there.
    pub(crate) fn existing(path: &Path) -> io::Result<Option<Self>> {
        match path.canonicalize() {
            Ok(path) if path.is_dir() => Ok(Some(Folder { path, made: Made::default() })),
            Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a file could be begun.
    pub(crate) fn check<P: AsRef<Path>>(&self, parts: &[P], overwrite: bool) -> io::Result<()> {
        self.target(parts, overwrite, None).map(drop)
    }

    /// Begins a file. `parts` are those of [`parts`]. A part that is a link, or no folder, is an error.
    pub(crate) fn create<P: AsRef<Path>>(&self, parts: &[P], overwrite: bool) -> io::Result<Pending> {
        let mut made = Made::default();
        let target = self.target(parts, overwrite, Some(&mut made))?;
        let file = if overwrite { AtomicFile::create_no_follow(&target) } else { AtomicFile::create_new(&target) };
        // Thousands of files are not each waited for.
        Ok(Pending { file: file.map_err(io_error)?.sync(false), made, target, overwrite })
    }

    /// What a file that is not finished leaves behind if the run ends at once: first the file, then folders, which may
    /// have come to hold something else.
    pub(crate) fn left_by(&self, file: &Pending) -> Vec<PathBuf> {
        let folders = file.made.0.iter().rev().chain(self.made.0.iter().rev()).cloned();
        std::iter::once(file.temporary_path().to_owned()).chain(folders).collect()
    }

    /// The path of a file, whose folders are made if that is asked for.
    fn target<P: AsRef<Path>>(&self, parts: &[P], overwrite: bool, mut made: Option<&mut Made>) -> io::Result<PathBuf> {
        let (name, folders) = parts.split_last().ok_or(io::ErrorKind::InvalidFilename)?;
        let mut folder = self.path.clone();
        for part in folders {
            folder.push(part);
            match folder.symlink_metadata() {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(metadata) => return Err(in_the_way(&folder, &metadata)),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Err(_) => made.as_mut().map_or(Ok(()), |made| made.make(&folder))?,
            }
        }
        let target = folder.join(name);
        check(&target, overwrite)?;
        Ok(target)
    }
}

/// What may be replaced: files only, and only if that is asked for. A link is never written through.
fn check(target: &Path, overwrite: bool) -> io::Result<()> {
    match target.symlink_metadata() {
        Ok(metadata) if overwrite && metadata.is_file() => Ok(()),
        Ok(metadata) => Err(in_the_way(target, &metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn in_the_way(path: &Path, metadata: &fs::Metadata) -> io::Error {
    let what = match () {
        () if metadata.is_symlink() => "is a link, which is not followed",
        () if metadata.is_dir() => "is a folder",
        () if metadata.is_file() => "is there already; --force overwrites it",
        () => "is no file",
    };
    io::Error::new(io::ErrorKind::AlreadyExists, format!("{} {what}", path.display()))
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Pending {
    pub(crate) fn temporary_path(&self) -> &Path {
        self.file.temporary_path()
    }

    /// Gives the file its name.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        check(&self.target, self.overwrite)?;
        // A rename replaces a link that came up meanwhile; it does not follow it.
        self.file.finish().map_err(|error| match io_error(error) {
            error if error.kind() == io::ErrorKind::AlreadyExists => check(&self.target, false).err().unwrap_or(error),
            error => error,
        })?;
        self.made.keep();
        Ok(())
    }
}

/// What the system said; the path is named by whoever reports it.
fn io_error(error: npzmap::Error) -> io::Error {
    match error.into_kind() {
        ErrorKind::Io(error) => error,
        kind => io::Error::other(kind),
    }
}
