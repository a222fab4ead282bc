//! What a run has seen so far: how long each kind of request took, and what failed, in all and second by second.

use std::{
    collections::BTreeMap,
    error::Error as _,
    fmt, io, mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use crate::mix::Kind;

/// Longest latency that is told apart, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

/// One request, done.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub kind: Kind,
    pub latency: Duration,
    pub failure: Option<Failure>,
}

/// Why a request failed.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Failure {
    /// Another one than it should be.
    Status(u16),
    /// A redirect that led elsewhere.
    WrongLocation,
    /// No answer in time.
    Late,
    /// Nobody let it in.
    NotConnected,
    /// The connection ended before the answer did.
    BrokenOff,
    /// It was not sent: too many were under way.
    NotSent,
}

impl Failure {
    pub(crate) fn of(error: &goose_reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Late;
        }
        let mut cause = error.source();
        while let Some(error) = cause {
            let kind = error.downcast_ref().map(io::Error::kind);
            if kind == Some(io::ErrorKind::ConnectionRefused) {
                return Self::NotConnected;
            }
            cause = error.source();
        }
        if error.is_connect() {
            Self::NotConnected
        } else {
            Self::BrokenOff
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(429) => write!(f, "429, over a rate limit"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::WrongLocation => write!(f, "redirect to another place"),
            Self::Late => write!(f, "no answer in time"),
            Self::NotConnected => write!(f, "not connected"),
            Self::BrokenOff => write!(f, "broken off"),
            Self::NotSent => write!(f, "not sent, too many under way"),
        }
    }
}

/// In microseconds, failures included: who waits for a failure waits, too.
#[derive(Clone, Debug)]
struct Latencies(Histogram<u64>);

impl Latencies {
    /// That tells so many digits apart.
    fn new(digits: u8) -> Self {
        Self(Histogram::new_with_max(LONGEST, digits).expect("bounds that make sense"))
    }

    fn add(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST);
        self.0.saturating_record(micros.max(1));
    }

    /// In milliseconds; 0 if there are none.
    fn quantile(&self, part: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "at most ten minutes")]
        let micros = self.0.value_at_quantile(part) as f64;
        micros / 1e3
    }
}

/// Of some requests.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    latencies: Latencies,
    pub failures: BTreeMap<Failure, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            latencies: Latencies::new(3),
            failures: BTreeMap::new(),
        }
    }
}

impl Tally {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.latencies.add(outcome.latency);
        if let Some(failure) = &outcome.failure {
            *self.failures.entry(failure.clone()).or_default() += 1;
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.latencies.0.len()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// In milliseconds; 0 if there were no requests.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        self.latencies.quantile(part)
    }
}

/// Everything of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub all: Tally,
    pub kinds: BTreeMap<Kind, Tally>,
    /// One after the other, from the start on. A request belongs to the second in which its answer came.
    pub seconds: Vec<Second>,
    pub length: Duration,
}

/// One second of it.
#[derive(Clone, Debug)]
pub(crate) struct Second {
    pub requests: u64,
    pub failures: u64,
    latencies: Latencies,
}

impl Default for Second {
    fn default() -> Self {
        Self {
            requests: 0,
            failures: 0,
            // Two digits are enough for a plot, and a tenth of the memory.
            latencies: Latencies::new(2),
        }
    }
}

impl Second {
    /// In milliseconds.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        self.latencies.quantile(part)
    }
}

impl Seen {
    /// A run whose answers came at these times.
    pub(crate) fn add(&mut self, at: Duration, outcome: &Outcome) {
        self.all.add(outcome);
        self.kinds.entry(outcome.kind).or_default().add(outcome);
        let second = usize::try_from(at.as_secs()).expect("a run is shorter");
        if self.seconds.len() <= second {
            self.seconds.resize_with(second + 1, Second::default);
        }
        let second = &mut self.seconds[second];
        second.requests += 1;
        second.failures += u64::from(outcome.failure.is_some());
        second.latencies.add(outcome.latency);
        self.length = self.length.max(at);
    }
}

/// Shared by everybody who asks.
#[derive(Debug)]
pub(crate) struct Record {
    started: Instant,
    seen: Mutex<Seen>,
}

impl Record {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            seen: Mutex::default(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn add(&self, outcome: &Outcome) {
        self.look().add(self.elapsed(), outcome);
    }

    pub(crate) fn look(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what there is.
    pub(crate) fn take(&self) -> Seen {
        mem::take(&mut *self.look())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_kind_and_second() {
        let mut seen = Seen::default();
        let mut add = |at, kind, millis, failure| {
            let outcome = Outcome {
                kind,
                latency: Duration::from_millis(millis),
                failure,
            };
            seen.add(Duration::from_millis(at), &outcome);
        };
        add(100, Kind::Redirect, 1, None);
        add(900, Kind::Redirect, 3, Some(Failure::Status(429)));
        add(2_500, Kind::List, 20, None);
        let seconds = seen.seconds.iter();
        let seconds: Vec<_> = seconds
            .map(|second| (second.requests, second.failures))
            .collect();
        assert_eq!(seconds, [(2, 1), (0, 0), (1, 0)]);
        assert_eq!((seen.all.requests(), seen.all.failed()), (3, 1));
        assert_eq!(
            seen.kinds[&Kind::Redirect].failures[&Failure::Status(429)],
            1
        );
        assert!((seen.all.quantile(0.5) - 3.0).abs() < 0.01);
        assert!((seen.kinds[&Kind::List].quantile(0.99) - 20.0).abs() < 0.05);
    }
}
