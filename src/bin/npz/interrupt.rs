//! A signal that ends the run leaves no temporary file.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The files that are written.
static WRITTEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn written() -> MutexGuard<'static, Vec<PathBuf>> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes a temporary file when a signal ends the run, as long as this lives.
pub(crate) struct Guard(PathBuf);

impl Guard {
    /// Makes a temporary file, of this path.
    pub(crate) fn around<T, E>(
        make: impl FnOnce() -> Result<T, E>,
        path: impl FnOnce(&T) -> &Path,
    ) -> Result<(T, Guard), E> {
        listen();
        // No signal finds the file made and not listed.
        let mut written = written();
        let file = make()?;
        let path = path(&file).to_owned();
        written.push(path.clone());
        Ok((file, Guard(path)))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        written().retain(|path| *path != self.0);
    }
}

/// Only who writes listens: all others are ended by the system.
#[cfg(unix)]
fn listen() {
    use signal_hook::consts::{SIGINT, SIGTERM};

    static LISTENING: std::sync::Once = std::sync::Once::new();
    LISTENING.call_once(|| {
        // Without it a file is left behind, which is no reason not to write.
        // Not SIGHUP: `nohup` has it ignored, and that should stay so.
        let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) else { return };
        std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                // Nothing is made from here on.
                let written = written();
                for path in written.iter() {
                    let _ = std::fs::remove_file(path);
                }
                // As shells call it.
                std::process::exit(128 + signal);
            }
        });
    });
}

#[cfg(not(unix))]
fn listen() {}
