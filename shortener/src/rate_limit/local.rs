//! Limits within this process.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use quick_cache::sync::Cache;

use super::{
    client::Client,
    gcra::{Rate, Verdict},
};
use crate::moment::Moment;

/// How many clients are known at a time. Those seen least are forgotten first, and begin with a full bucket when they come
/// back.
const CLIENTS: usize = 100_000;

/// A bucket for each client: when it will be full, in nanoseconds.
pub(super) struct Buckets(Cache<Client, Arc<AtomicU64>>);

impl std::fmt::Debug for Buckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Buckets")
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self(Cache::new(CLIENTS))
    }
}

impl Buckets {
    pub(super) fn judge(&self, client: Client, rate: Rate, now: Moment) -> Verdict {
        let bucket = self.0.get(&client).unwrap_or_else(|| {
            let made = self
                .0
                .get_or_insert_with(&client, || Ok::<_, ()>(Arc::default()));
            made.unwrap_or_default()
        });
        let now = now.micros() * 1_000;
        let mut full_at = bucket.load(Ordering::Relaxed);
        loop {
            let (next, verdict) = rate.judge(full_at, now);
            if next == full_at {
                return verdict;
            }
            match bucket.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return verdict,
                Err(changed) => full_at = changed,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_second: 1,
        burst: 100,
    };

    #[test]
    fn clients_do_not_share_a_bucket() {
        let buckets = Buckets::default();
        let now = Moment::from_micros(5_000_000);
        for address in ["192.0.2.1", "192.0.2.2"] {
            let client = Client::at(address.parse().unwrap()).unwrap();
            let count = (0..200)
                .filter(|_| buckets.judge(client, RATE, now).is_allowed)
                .count();
            assert_eq!(count, 100);
        }
    }

    #[test]
    fn many_at_once_get_no_more_than_one_after_another() {
        let buckets = Buckets::default();
        let client = Client::at("192.0.2.1".parse().unwrap()).unwrap();
        let now = Moment::from_micros(5_000_000);
        let count = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let verdict = buckets.judge(client, RATE, now);
                        count.fetch_add(verdict.is_allowed.into(), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 100);
    }
}
