//! The permissions of a new file: those of the file that it replaces, or those of any new file in its folder.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

#[cfg(unix)]
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

/// The bits that are kept. Setuid, setgid and sticky are not: the file has other content, and may have another owner.
#[cfg(unix)]
const BITS: u32 = 0o777;

#[cfg(unix)]
#[derive(Debug)]
pub(super) enum Rights {
    /// Of a file that replaces nothing.
    New { mode: u32 },
    /// Of the file that is replaced.
    Kept { mode: u32, owner: u32, group: u32, acl: Option<Vec<u8>> },
}

#[cfg(unix)]
impl Rights {
    /// Those that a new file in the folder gets, by the umask or by the folder's default ACL. An empty file is asked:
    /// the umask of a process can only be read by changing it, for all threads.
    pub(super) fn of_new(folder: &Path) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{Mode, OFlags};
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            // It has no name. Where a file system cannot do that, it gets one for a moment.
            if let Ok(file) = rustix::fs::open(folder, flags, Mode::from_raw_mode(0o666)) {
                return Ok(Rights::New { mode: File::from(file).metadata()?.mode() & BITS });
            }
        }
        let mut builder = tempfile::Builder::new();
        let file = builder.permissions(fs::Permissions::from_mode(0o666)).tempfile_in(folder)?;
        Ok(Rights::New { mode: file.as_file().metadata()?.mode() & BITS })
    }

    /// Those of the file at a path that is no link.
    pub(super) fn of(path: &Path, metadata: &Metadata) -> io::Result<Self> {
        let (mode, owner, group) = (metadata.mode() & BITS, metadata.uid(), metadata.gid());
        Ok(Rights::Kept { mode, owner, group, acl: acl::of(path)? })
    }

    /// Gives them to a file that nobody else may open so far.
    pub(super) fn give_to(&self, file: &File) -> io::Result<()> {
        let mode = match self {
            Rights::New { mode } => *mode,
            Rights::Kept { mode, owner, group, acl } => {
                let has_group = keep_owner(file, *owner, *group)?;
                match acl {
                    Some(acl) if has_group && acl::set(file, acl) => *mode,
                    Some(acl) => without_acl(file, mode & 0o700 | acl::least(acl, has_group)),
                    None if has_group => without_acl(file, *mode),
                    None => without_acl(file, regrouped(*mode)),
                }
            }
        };
        file.set_permissions(fs::Permissions::from_mode(mode))
    }
}

/// Keeps owner and group as far as the process may. Returns whether the group is the one that was asked for.
#[cfg(unix)]
fn keep_owner(file: &File, owner: u32, group: u32) -> io::Result<bool> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (owner, group) && fchown(file, Some(owner), Some(group)).is_err() && now.gid() != group
    {
        let _ = fchown(file, None, Some(group));
    }
    Ok(file.metadata()?.gid() == group)
}

/// The mode for a file of another group. Members of the new group were others before, members of the old one are others
/// now: both get what both had.
#[cfg(unix)]
fn regrouped(mode: u32) -> u32 {
    let both = mode >> 3 & mode & 0o7;
    mode & 0o700 | both << 3 | both
}

/// The mode for a file whose ACL, which it has from its folder, is taken away. If that fails, the group's bits, which then
/// bound what the ACL grants, are none.
#[cfg(unix)]
fn without_acl(file: &File, mode: u32) -> u32 {
    if acl::remove(file) { mode } else { mode & 0o707 }
}

/// POSIX ACLs, as Linux stores them.
#[cfg(target_os = "linux")]
mod acl {
    use super::*;
    use rustix::fs::XattrFlags;
    use rustix::io::Errno;

    const NAME: &str = "system.posix_acl_access";
    /// No extended attribute is longer (`XATTR_SIZE_MAX`).
    const LONGEST: usize = 1 << 16;

    pub(super) fn of(path: &Path) -> io::Result<Option<Vec<u8>>> {
        let mut acl = vec![0; LONGEST];
        match rustix::fs::lgetxattr(path, NAME, &mut acl[..]) {
            Ok(size) => acl.truncate(size),
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        Ok(Some(acl))
    }

    pub(super) fn set(file: &File, acl: &[u8]) -> bool {
        rustix::fs::fsetxattr(file, NAME, acl, XattrFlags::empty()).is_ok()
    }

    /// Whether the file has no ACL now.
    pub(super) fn remove(file: &File) -> bool {
        match rustix::fs::fremovexattr(file, NAME) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS) => true,
            Err(_) => false,
        }
    }

    /// The bits of group and others with which nobody has more than by this ACL, whoever its entries name. If the group
    /// is another one, its members were others before.
    pub(super) fn least(acl: &[u8], has_group: bool) -> u32 {
        const HEADER: usize = 4;
        const OWNER: u16 = 0x01;
        const OTHER: u16 = 0x20;
        let (mut group, mut other) = (0o7, 0o7);
        let entries = acl.get(HEADER..).unwrap_or_default();
        if entries.is_empty() {
            return 0;
        }
        // Tag, bits, and an id, little-endian.
        for entry in entries.chunks(8) {
            let &[t0, t1, p0, p1, ..] = entry else { return 0 };
            let (tag, bits) = (u16::from_le_bytes([t0, t1]), u32::from(u16::from_le_bytes([p0, p1])));
            if tag != OWNER {
                other &= bits;
            }
            if tag != OWNER && tag != OTHER {
                group &= bits;
            }
        }
        let group = if has_group { group } else { other };
        group << 3 | other
    }
}

/// Other systems have ACLs of their own kinds, which are not kept.
#[cfg(all(unix, not(target_os = "linux")))]
mod acl {
    use super::*;

    pub(super) fn of(_: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    pub(super) fn set(_: &File, _: &[u8]) -> bool {
        false
    }

    pub(super) fn remove(_: &File) -> bool {
        true
    }

    pub(super) fn least(_: &[u8], _: bool) -> u32 {
        0
    }
}

/// Where there are no modes: whether the file is read-only.
#[cfg(not(unix))]
#[derive(Debug)]
pub(super) struct Rights(Option<fs::Permissions>);

#[cfg(not(unix))]
impl Rights {
    pub(super) fn of_new(_: &Path) -> io::Result<Self> {
        Ok(Rights(None))
    }

    pub(super) fn of(_: &Path, metadata: &Metadata) -> io::Result<Self> {
        Ok(Rights(Some(metadata.permissions())))
    }

    pub(super) fn give_to(&self, file: &File) -> io::Result<()> {
        self.0.clone().map_or(Ok(()), |permissions| file.set_permissions(permissions))
    }
}
