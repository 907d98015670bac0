//! A signal that ends the run leaves no temporary file.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What to remove, in this order: temporary files, and the empty folders that were made for them.
static WRITTEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn written() -> MutexGuard<'static, Vec<PathBuf>> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what would be left behind when a signal ends the run, as long as this lives.
pub(crate) struct Guard(Vec<PathBuf>);

impl Guard {
    /// Makes a temporary file, which would leave these paths behind.
    pub(crate) fn around<T, E>(
        make: impl FnOnce() -> Result<T, E>,
        left_by: impl FnOnce(&T) -> Vec<PathBuf>,
    ) -> Result<(T, Guard), E> {
        listen();
        // No signal finds the file made and not listed.
        let mut written = written();
        let file = make()?;
        let left = left_by(&file);
        written.extend_from_slice(&left);
        Ok((file, Guard(left)))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        written().retain(|path| !self.0.contains(path));
    }
}

/// Only who writes listens: all others are ended by the system.
#[cfg(unix)]
fn listen() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    static LISTENING: std::sync::Once = std::sync::Once::new();
    LISTENING.call_once(|| {
        // What is ignored stays so: SIGHUP under `nohup`, SIGINT in a shell's background job.
        let ignored = ignored();
        let heard = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(move |signal| ignored >> (signal - 1) & 1 == 0);
        // The thread first: signals that were asked for and that nobody hears would not end the process. Where there is
        // neither, a file is left behind, which is no reason not to write.
        let (ready, registered) = std::sync::mpsc::channel::<()>();
        let heard = std::thread::Builder::new().spawn(move || {
            let signals = signal_hook::iterator::Signals::new(heard);
            drop(ready);
            let Ok(mut signals) = signals else { return };
            if let Some(signal) = signals.forever().next() {
                // Nothing is made from here on.
                let written = written();
                for path in written.iter() {
                    let _ = std::fs::remove_file(path).or_else(|_| std::fs::remove_dir(path));
                }
                // As shells call it.
                std::process::exit(128 + signal);
            }
        });
        if heard.is_ok() {
            let _ = registered.recv(); // an error, when the other end is dropped
        }
    });
}

/// The signals that are ignored, a bit for each from 1 on. Where the system does not tell, SIGHUP is taken for ignored, so
/// that `nohup` works.
#[cfg(unix)]
fn ignored() -> u64 {
    let unknown = 1 << (signal_hook::consts::SIGHUP - 1);
    // Without unsafe code, only Linux tells.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(unknown)
}

#[cfg(not(unix))]
fn listen() {}
