//! Long work on a thread of its own, in short slices.
//!
//! On a core that others need as well, the scheduler lets a thread run for milliseconds before it takes its turn from it, and
//! visitors wait for that long. Who gives way by itself is waited for no longer than a slice. On a core that nobody else
//! needs, giving way costs nothing.

use std::{
    thread,
    time::{Duration, Instant},
};

/// A few redirects long, and thousands of times as long as asking for the time.
const SLICE: Duration = Duration::from_micros(250);

/// The slice that this thread is in.
#[derive(Debug)]
pub(super) struct Slices {
    began: Instant,
}

impl Slices {
    pub(super) fn begin() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    /// To be called often: lets others run if the slice is over.
    pub(super) fn give_way(&mut self) {
        if self.began.elapsed() >= SLICE {
            thread::yield_now();
            self.began = Instant::now();
        }
    }
}
