//! Threads, where the system grants them.

use std::error::Error;
use std::sync::OnceLock;

use rayon::prelude::*;

/// How many threads work can be split over; 1 where the system grants none, for which rayon's own pool panics.
pub(crate) fn count() -> usize {
    static GRANTED: OnceLock<bool> = OnceLock::new();
    // It fails for want of a thread, which has a source, or because the pool is there already.
    let build =
        || rayon::ThreadPoolBuilder::new().build_global().map_or_else(|error| error.source().is_none(), |()| true);
    // Whoever is in a pool has its threads.
    let granted = rayon::current_thread_index().is_some() || *GRANTED.get_or_init(build);
    if granted { rayon::current_num_threads() } else { 1 }
}

/// What `work` makes of each of them, in their order, side by side where there are threads.
pub(crate) fn map<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Send + Sync) -> Vec<R> {
    if count() < 2 {
        return items.into_iter().map(work).collect();
    }
    items.into_par_iter().map(work).collect()
}
