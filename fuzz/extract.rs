//! Names that are written below a folder, as `npz extract` does: nothing outside is touched, and no link is followed.
//! The names are separated by bytes of FF.

#[path = "../src/bin/npz/place.rs"]
mod place;

use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

/// Everything below a folder.
fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}

pub(crate) fn extract(bytes: &[u8]) {
    let root = tempfile::tempdir().unwrap();
    let (folder, outside) = (root.path().join("in"), root.path().join("outside"));
    fs::create_dir(&folder).unwrap();
    fs::write(&outside, "untouched").unwrap();
    #[cfg(unix)]
    for (link, to) in [("link", "../outside"), ("out", "..")] {
        std::os::unix::fs::symlink(to, folder.join(link)).unwrap();
    }
    assert!(place::Folder::existing(&root.path().join("none")).unwrap().is_none());
    let mut door = place::Folder::open(&folder).unwrap();
    door.keep(); // it was there
    for (index, name) in bytes.split(|byte| *byte == 0xff).take(8).enumerate() {
        let name = String::from_utf8_lossy(name);
        let Ok(parts) = place::parts(&name) else { continue };
        for part in &parts {
            let components: Vec<_> = Path::new(part).components().collect();
            assert!(matches!(components[..], [Component::Normal(same)] if same == *part), "{name:?}");
        }
        let overwrite = index % 2 == 0;
        let could = door.check(&parts, overwrite).is_ok();
        // What is not finished leaves nothing behind, no folder either.
        let before = tree(&folder);
        if let Ok(file) = door.create(&parts, overwrite) {
            assert!(
                door.left_by(&file).iter().all(|path| path.starts_with(folder.canonicalize().unwrap())),
                "{name:?}"
            );
            assert!(tree(&folder).len() > before.len(), "{name:?}");
        }
        assert_eq!(tree(&folder), before, "{name:?}");
        let written = door.create(&parts, overwrite).and_then(|mut file| {
            assert!(file.temporary_path().canonicalize()?.starts_with(folder.canonicalize()?), "{name:?}");
            file.write_all(b"content")?;
            file.finish()
        });
        // A dry run refuses nothing that would be written.
        assert!(could || written.is_err(), "{name:?}");
        if written.is_ok() {
            let target = folder.join(&*name);
            assert!(target.symlink_metadata().unwrap().is_file(), "{name:?}");
            assert_eq!(fs::read(target).unwrap(), b"content");
            // Through no link.
            let parent = folder.join(&*name).parent().unwrap().canonicalize().unwrap();
            assert_eq!(
                parent,
                parts[..parts.len() - 1].iter().fold(folder.canonicalize().unwrap(), |at, part| at.join(part))
            );
        }
    }
    let mut left: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["in", "outside"]);
    assert_eq!(fs::read(outside).unwrap(), b"untouched");
    #[cfg(unix)]
    for link in ["link", "out"] {
        assert!(folder.join(link).is_symlink());
    }
}
