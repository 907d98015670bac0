//! A bar on standard error, if that is a terminal and the work takes its time.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use npzmap::{Header, Save};

/// What is done by then needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) struct Progress {
    total: u64,
    done: AtomicU64,
    started: Instant,
    wanted: bool,
    bar: OnceLock<ProgressBar>,
}

impl Progress {
    /// For pieces of so many bytes; what files declare need not fit a number.
    pub(crate) fn new(sizes: impl IntoIterator<Item = u64>) -> Self {
        let total = sizes.into_iter().fold(0, u64::saturating_add);
        let wanted = io::stderr().is_terminal();
        Progress { total, done: AtomicU64::new(0), started: Instant::now(), wanted, bar: OnceLock::new() }
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.show(self.done.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes));
    }

    /// The array, with blocks that move the bar.
    pub(crate) fn of<'a>(&'a self, array: &'a dyn Save) -> Counted<'a> {
        Counted { array, progress: self }
    }

    /// So many bytes are done in all.
    pub(crate) fn at(&self, bytes: u64) {
        self.show(self.done.fetch_max(bytes, Ordering::Relaxed).max(bytes));
    }

    /// While `work` writes a file, as much is done as that has: the library tells nothing of what it copies.
    pub(crate) fn follow<T>(&self, file: &Path, work: impl FnOnce() -> T) -> T {
        if !self.wanted {
            return work();
        }
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    thread::park_timeout(PATIENCE / 5);
                    self.at(file.metadata().map_or(0, |metadata| metadata.len()));
                }
            });
            let result = work();
            ended.store(true, Ordering::Relaxed);
            watcher.thread().unpark();
            result
        })
    }

    fn show(&self, done: u64) {
        if self.wanted && self.started.elapsed() > PATIENCE {
            self.bar.get_or_init(|| bar(self.total)).set_position(done);
        }
    }
}

fn bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {binary_bytes} of {binary_total_bytes}, {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

/// An array whose blocks move the progress bar.
pub(crate) struct Counted<'a> {
    array: &'a dyn Save,
    progress: &'a Progress,
}

impl Save for Counted<'_> {
    fn header(&self) -> npzmap::Result<Header> {
        self.array.header()
    }

    fn preamble(&self, header: &Header) -> Vec<u8> {
        self.array.preamble(header)
    }

    fn blocks(&self, put: &mut dyn FnMut(&[u8]) -> npzmap::Result<()>) -> npzmap::Result<()> {
        self.array.blocks(&mut |block| {
            self.progress.add(block.len() as u64);
            put(block)
        })
    }
}
