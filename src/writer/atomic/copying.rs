//! The bytes of one file in another one: shared where the file system can do so, else copied.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;

/// Makes `to` begin with the first `length` bytes of `from`, and end there. Writing goes on behind them.
pub(super) fn clone(from: &File, to: &mut File, length: u64) -> io::Result<()> {
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
    to.seek(SeekFrom::Start(length)).map(drop)
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
