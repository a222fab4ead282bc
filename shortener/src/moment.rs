//! A moment on this machine's own clock, which nobody sets, as a number that fits an atomic.
//!
//! `Instant` would stand still while a virtual machine is suspended, and a lease that lapsed meanwhile would look valid. So
//! this is `CLOCK_BOOTTIME`, which goes on (`clock_gettime(2)`).

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// Microseconds since the machine was started.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment(u64);

impl Moment {
    /// Before everything.
    pub const START: Self = Self(0);
    /// After everything.
    pub const END: Self = Self(u64::MAX);

    pub fn now() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        let [seconds, nanos] = [time.tv_sec, time.tv_nsec].map(i64::cast_unsigned);
        Self(seconds * 1_000_000 + nanos / 1_000)
    }

    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// The last moment that can be told apart from this one.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    pub fn micros(self) -> u64 {
        self.0
    }

    pub fn from_micros(micros: u64) -> Self {
        Self(micros)
    }
}

/// A [`Moment`] that many threads read and change.
#[derive(Debug)]
pub struct AtomicMoment(AtomicU64);

impl AtomicMoment {
    pub fn new(moment: Moment) -> Self {
        Self(AtomicU64::new(moment.0))
    }

    pub fn get(&self) -> Moment {
        Moment(self.0.load(Ordering::Acquire))
    }

    pub fn set(&self, moment: Moment) {
        self.0.store(moment.0, Ordering::Release);
    }
}
