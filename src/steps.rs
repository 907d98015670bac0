//! What parsing costs, in steps: so that a test can tell linear from quadratic without a clock.
//!
//! Of a directory, a step is a record or an extra field parsed, a byte of a name hashed or compared, or a comparison of
//! sorting; of a header's text, a token, or a byte that was gone over; of a dtype, a field that was looked at, once or in
//! every item. Counted per thread, in builds with debug assertions; elsewhere it is nothing.

#[cfg(debug_assertions)]
mod counter {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn add(count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        STEPS.with(|steps| steps.set(steps.get().saturating_add(count)));
    }

    pub(super) fn taken() -> u64 {
        STEPS.with(Cell::take)
    }
}

#[inline]
pub(crate) fn add(_count: usize) {
    #[cfg(debug_assertions)]
    counter::add(_count);
}

/// The steps of this thread since the last call.
#[cfg(debug_assertions)]
pub fn taken() -> u64 {
    counter::taken()
}
