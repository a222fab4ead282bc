//! How long a resource waits after a failure: longer with each in a row, for itself alone.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use kube::{ResourceExt as _, runtime::utils::Backoff};

use super::Guarded;
use crate::random;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_mins(2);

/// Failures in a row, by resource.
#[derive(Debug, Default)]
pub struct Retries(Mutex<HashMap<String, u32>>);

/// What tells resources apart, even of one name.
pub fn key(resource: &Guarded) -> String {
    resource.uid().unwrap_or_else(|| resource.name_any())
}

impl Retries {
    /// How long to wait after one more failure.
    pub fn after_failure(&self, key: String) -> Duration {
        let mut failures = self
            .0
            .lock()
            .expect("nothing panics while it holds the lock");
        let count = failures.entry(key).or_default();
        let delay = FIRST
            .saturating_mul(2_u32.saturating_pow(*count))
            .min(LONGEST);
        *count += 1;
        jittered(delay)
    }

    pub fn forget(&self, key: &str) {
        self.0
            .lock()
            .expect("nothing panics while it holds the lock")
            .remove(key);
    }
}

/// Up to a fifth more or less, so that what failed together does not come back together.
pub fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(0.8 + 0.4 * random::fraction())
}

/// Of a watch: each has its own, so that one that cannot connect delays no other. It is short, so that watches are back soon after an
/// outage however long it was. What they wait for at worst, one after another: an answer that never comes, to the last request of the
/// outage; this pause; and, if the API server has forgotten where they were and says so, this pause again.
#[derive(Debug)]
pub struct WatchBackoff(Duration);

impl WatchBackoff {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(2);
}

impl Default for WatchBackoff {
    fn default() -> Self {
        Self(Self::FIRST)
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let delay = self.0;
        self.0 = (delay * 2).min(Self::LONGEST);
        Some(jittered(delay).min(Self::LONGEST))
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        self.0 = Self::FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::ANSWER;

    #[test]
    fn a_resource_waits_longer_with_each_failure_and_for_itself_alone() {
        let retries = Retries::default();
        let of = |key: &str| retries.after_failure(key.to_owned());
        let first = of("a");
        assert!(first <= FIRST.mul_f64(1.2));
        for _ in 0..20 {
            of("a");
        }
        assert!(of("a") >= LONGEST.mul_f64(0.8));
        assert!(of("b") <= FIRST.mul_f64(1.2));
        retries.forget("a");
        assert!(of("a") <= FIRST.mul_f64(1.2));
    }

    #[test]
    fn a_watch_is_back_within_fifteen_seconds_however_long_the_outage_was() {
        let mut backoff = WatchBackoff::default();
        let longest = backoff.by_ref().take(20).max().unwrap();
        assert!(ANSWER + 2 * longest < Duration::from_secs(15));
        backoff.reset();
        assert!(backoff.next().unwrap() < Duration::from_secs(1));
    }
}
