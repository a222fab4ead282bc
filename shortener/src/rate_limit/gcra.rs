//! The generic cell rate algorithm: a token bucket that needs one number per client, the time at which its bucket will be
//! full again (ITU-T I.371, appendix I). Pure: the time is an argument.

use std::time::Duration;

/// So many in a second in the long run, and so many at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdict {
    pub is_allowed: bool,
    /// How many more would be allowed now.
    pub remaining: u32,
    /// Until one more is allowed; zero if one is.
    pub retry_after: Duration,
    /// Until the bucket is full.
    pub full_after: Duration,
}

impl Rate {
    /// A part of this rate for one of `shares`; at least one in a second.
    #[must_use]
    pub fn share(self, shares: u32) -> Self {
        let part = |whole: u32| (whole / shares.max(1)).max(1);
        Self {
            per_second: part(self.per_second),
            burst: part(self.burst),
        }
    }

    /// Nanoseconds after which there is room for one more.
    fn interval(self) -> u64 {
        1_000_000_000 / u64::from(self.per_second.max(1))
    }

    /// Seconds in which an empty bucket becomes full.
    pub fn window_seconds(self) -> u32 {
        self.burst.div_ceil(self.per_second.max(1)).max(1)
    }

    /// Judges a request at `now` from when the bucket is `full_at` (both nanoseconds); returns when it will be full then.
    pub fn judge(self, full_at: u64, now: u64) -> (u64, Verdict) {
        let interval = self.interval();
        let room = interval * u64::from(self.burst.max(1));
        let before = full_at.max(now);
        let after = before + interval;
        if after - now > room {
            let verdict = Verdict {
                is_allowed: false,
                remaining: 0,
                retry_after: Duration::from_nanos(after - now - room),
                full_after: Duration::from_nanos(before - now),
            };
            return (full_at, verdict);
        }
        let remaining = (room - (after - now)) / interval;
        let verdict = Verdict {
            is_allowed: true,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            retry_after: Duration::ZERO,
            full_after: Duration::from_nanos(after - now),
        };
        (after, verdict)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const RATE: Rate = Rate {
        per_second: 10,
        burst: 3,
    };

    /// How many of the requests at these times are allowed.
    fn allowed(rate: Rate, times: impl IntoIterator<Item = u64>) -> u32 {
        let mut full_at = 0;
        let mut count = 0;
        for now in times {
            let (next, verdict) = rate.judge(full_at, now);
            full_at = next;
            count += u32::from(verdict.is_allowed);
        }
        count
    }

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        assert_eq!(allowed(RATE, [SECOND; 5]), 3);
        let (full_at, last) = (0..3).fold((0, None), |(full_at, _), _| {
            let (next, verdict) = RATE.judge(full_at, SECOND);
            (next, Some(verdict))
        });
        assert_eq!(last.map(|verdict| verdict.remaining), Some(0));
        let (_, refused) = RATE.judge(full_at, SECOND);
        assert_eq!(refused.retry_after, Duration::from_millis(100));
        assert_eq!(refused.full_after, Duration::from_millis(300));
        let (_, later) = RATE.judge(full_at, SECOND + SECOND / 10);
        assert!(later.is_allowed);
    }

    #[test]
    fn a_share_is_never_nothing() {
        assert_eq!(
            RATE.share(2),
            Rate {
                per_second: 5,
                burst: 1
            }
        );
        assert_eq!(
            RATE.share(100),
            Rate {
                per_second: 1,
                burst: 1
            }
        );
    }

    proptest! {
        #[test]
        fn no_more_than_the_burst_and_the_rate_get_through(
            per_second in 1_u32..10_000,
            burst in 1_u32..100,
            mut times in proptest::collection::vec(0..10 * SECOND, 0..500),
        ) {
            times.sort_unstable();
            let span = times.last().unwrap_or(&0) - times.first().unwrap_or(&0);
            let most = u64::from(burst) + span / (SECOND / u64::from(per_second));
            let count = allowed(Rate { per_second, burst }, times);
            prop_assert!(u64::from(count) <= most);
        }
    }
}
