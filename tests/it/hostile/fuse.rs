//! M1 on a file system of another program: a FUSE server that answers `FS_IOC_MEASURE_VERITY` and `FUSE_STATX` as a file
//! under fs-verity would, and then changes its file.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::thread;

use npzmap::{ErrorKind as K, Npz};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::*;

const FILE: u64 = 2;

/// The answers to one mount, until it is unmounted. Numbers and layouts are those of include/uapi/linux/fuse.h.
fn serve(mut device: File, content: &[u8]) {
    let attributes = |id: u64| {
        let (mode, size) = if id == FILE { (0o100_444_u32, content.len() as u64) } else { (0o040_555, 0) };
        let mut bytes = [id, size, 1, 0, 0, 0].map(u64::to_le_bytes).concat();
        bytes.extend([0, 0, 0, mode, 1, 0, 0, 0, 4096, 0].map(u32::to_le_bytes).as_flattened());
        bytes
    };
    let zeros = |count| vec![0_u8; count];
    let mut request = zeros(1 << 20);
    loop {
        let length = match device.read(&mut request) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return, // unmounted
        };
        let request = &request[..length];
        let word = |at: usize| u32::from_le_bytes(request[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_le_bytes(request[at..at + 8].try_into().unwrap());
        let (operation, id) = (word(4), long(16));
        let answer = match operation {
            2 | 42 => continue, // FORGET, BATCH_FORGET
            1 => Some([[FILE, 0, 60, 60].map(u64::to_le_bytes).concat(), zeros(8), attributes(FILE)].concat()),
            3 => Some([60_u64.to_le_bytes().to_vec(), zeros(8), attributes(id)].concat()),
            14 => Some(zeros(16)),
            15 => {
                let start = usize::try_from(long(48)).unwrap().min(content.len());
                let end = (start + word(56) as usize).min(content.len());
                Some(content[start..end].to_vec())
            }
            18 | 25 => Some(Vec::new()), // RELEASE, FLUSH
            26 => Some(
                [[7, 40, 0, 0].map(u32::to_le_bytes).concat(), zeros(4), 4096_u32.to_le_bytes().to_vec(), zeros(40)]
                    .concat(),
            ),
            39 => Some(zeros(20)), // IOCTL: the result 0, and a digest of no bytes
            52 => {
                // STATX, with STATX_ATTR_VERITY in `attributes` and in `attributes_mask`.
                let verity = 0x0010_0000_u64.to_le_bytes();
                let size = (content.len() as u64).to_le_bytes();
                let mut stat = [&0xfff_u32.to_le_bytes()[..], &4096_u32.to_le_bytes(), &verity].concat();
                stat.extend([1, 0, 0, 0o100_444_u32].map(u32::to_le_bytes).as_flattened());
                stat.extend([&FILE.to_le_bytes()[..], &size, &1_u64.to_le_bytes(), &verity].concat());
                stat.resize(256, 0);
                Some([zeros(32), stat].concat())
            }
            _ => None,
        };
        const NOT_IMPLEMENTED: i32 = -38;
        let error = if answer.is_some() { 0 } else { NOT_IMPLEMENTED };
        let answer = answer.unwrap_or_default();
        let length = u32::try_from(16 + answer.len()).unwrap().to_le_bytes();
        let reply = [&length[..], &error.to_le_bytes(), &request[8..16], &answer].concat();
        let _ = device.write(&reply); // to a request that was interrupted, perhaps
    }
}

/// Unmounts also where an assertion fails: nobody could look into the folder otherwise.
struct Mounted<'p>(&'p Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        unmount(self.0, UnmountFlags::DETACH).unwrap();
    }
}

#[test]
fn m1_a_fuse_server_that_claims_fs_verity_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let Ok(device) = OpenOptions::new().read(true).write(true).open("/dev/fuse") else {
        eprintln!("skipped: no /dev/fuse; src/mmap.rs tests the decision");
        return;
    };
    let user = rustix::process::geteuid().as_raw();
    let options = format!("fd={},rootmode=40000,user_id={user},group_id=0", device.as_raw_fd());
    let options = std::ffi::CString::new(options).unwrap();
    if let Err(error) = mount("npzmap", folder.path(), "fuse", MountFlags::NODEV | MountFlags::NOSUID, &*options) {
        eprintln!("skipped: no FUSE file system can be mounted: {error}; src/mmap.rs tests the decision");
        return;
    }
    let content = three().bytes();
    let server = thread::spawn({
        let content = content.clone();
        move || serve(device, &content)
    });
    {
        let mounted = Mounted(folder.path());
        let path = mounted.0.join("x.npz");
        assert_eq!(std::fs::read(&path).unwrap(), content);
        let file = File::open(&path).unwrap();
        let believed = memmap2::MmapOptions::new().map_if_safe(&file).is_ok();
        assert!(believed, "memmap2 has a better check now: docs/memmap2-report.md can go");
        let all = rustix::fs::StatxFlags::all() - rustix::fs::StatxFlags::from_bits_retain(1 << 31);
        let status = rustix::fs::statx(&file, c"", rustix::fs::AtFlags::EMPTY_PATH, all).unwrap();
        assert!(
            !status.stx_attributes.contains(rustix::fs::StatxAttributes::VERITY),
            "the kernel passes on what FUSE says"
        );
        assert_rule!(Npz::map_if_safe(&path).unwrap_err(), "M1", K::NotImmutable);
        assert_rule!(Npz::map_file_if_safe(file).unwrap_err(), "M1", K::NotImmutable);
        the_others_read(&Npz::open(&path).unwrap(), &[]);
    }
    server.join().unwrap();
}
