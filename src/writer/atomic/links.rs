//! Where a path leads, as the system follows it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::folder_of;
use crate::error::{ErrorKind, Result};

/// As many as Linux follows.
const LINKS: usize = 40;

/// The path without a symbolic link as its last part. It may lead to nothing yet.
///
/// Links before the last part need no work: every call on the path follows them anew, by the rules of the system.
pub(super) fn resolve(path: &Path) -> Result<PathBuf> {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return Ok(path.to_owned());
    }
    match opened(path) {
        Err(error) if matches!(error.kind(), ErrorKind::Io(error) if error.kind() == io::ErrorKind::NotFound) => {
            dangling(path)
        }
        found => found,
    }
}

/// Where the system finds the file when it opens the path. `fs.protected_symlinks` holds for this as for any other open.
#[cfg(target_os = "linux")]
fn opened(path: &Path) -> Result<PathBuf> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{Mode, OFlags};

    let file = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(io::Error::from)?;
    let file = fs::File::from(file);
    let metadata = file.metadata()?;
    let is_it = |found: &PathBuf| {
        fs::symlink_metadata(found).is_ok_and(|found| (found.dev(), found.ino()) == (metadata.dev(), metadata.ino()))
    };
    // The kernel knows the name by which it found the file. Without /proc the path is followed again, and must lead to
    // the same file.
    let known = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok().filter(is_it);
    let found = known.or_else(|| fs::canonicalize(path).ok().filter(is_it));
    found.ok_or_else(|| ErrorKind::FileChanged { what: "device or inode" }.into())
}

#[cfg(not(target_os = "linux"))]
fn opened(path: &Path) -> Result<PathBuf> {
    Ok(fs::canonicalize(path)?)
}

/// Where a file would be created through links that lead to nothing. There is nothing to open, so each link is read on
/// its own, and followed only if [`may_follow`] allows it, whether or not the system has that rule switched on.
fn dangling(path: &Path) -> Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Some(link) = Link::read(&path)? else { return Ok(path) };
        let folder = folder_of(&path);
        if !link.may_be_followed_in(&fs::metadata(folder)?) {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied).into());
        }
        path = folder.join(link.target);
    }
    Err(io::Error::other("too many levels of symbolic links").into())
}

struct Link {
    target: PathBuf,
    #[cfg(unix)]
    owner: u32,
}

impl Link {
    /// The link at a path, if there is one.
    #[cfg(target_os = "linux")]
    fn read(path: &Path) -> io::Result<Option<Self>> {
        use std::os::unix::ffi::OsStringExt;
        use std::os::unix::fs::MetadataExt;

        use rustix::fs::{Mode, OFlags};
        use rustix::io::Errno;

        // Owner and target are those of one link, whatever takes its place meanwhile.
        let link = match rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Ok(link) => fs::File::from(link),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let metadata = link.metadata()?;
        if !metadata.is_symlink() {
            return Ok(None);
        }
        let target = rustix::fs::readlinkat(&link, "", Vec::new())?.into_bytes();
        let target = std::ffi::OsString::from_vec(target).into();
        Ok(Some(Link { target, owner: metadata.uid() }))
    }

    #[cfg(not(target_os = "linux"))]
    fn read(path: &Path) -> io::Result<Option<Self>> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => Ok(Some(Link {
                target: fs::read_link(path)?,
                #[cfg(unix)]
                owner: std::os::unix::fs::MetadataExt::uid(&metadata),
            })),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    #[cfg(unix)]
    fn may_be_followed_in(&self, folder: &fs::Metadata) -> bool {
        use std::os::unix::fs::MetadataExt;

        may_follow(self.owner, folder.mode(), folder.uid(), rustix::process::geteuid().as_raw())
    }

    #[cfg(not(unix))]
    fn may_be_followed_in(&self, _: &fs::Metadata) -> bool {
        true
    }
}

/// The rule of `fs.protected_symlinks` (`may_follow_link` in Linux): in a sticky folder that everybody may write to, such
/// as `/tmp`, only the links of the one who follows them and those of the folder's owner.
#[cfg(unix)]
fn may_follow(link_owner: u32, folder_mode: u32, folder_owner: u32, follower: u32) -> bool {
    const STICKY_AND_WRITABLE: u32 = 0o1002;
    let shared = folder_mode & STICKY_AND_WRITABLE == STICKY_AND_WRITABLE;
    !shared || link_owner == follower || link_owner == folder_owner
}
