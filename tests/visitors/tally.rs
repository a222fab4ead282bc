//! What came of the visits: of each second, and of all.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

/// What came of one visit.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answered,
    /// In a word or two.
    Failed(String),
}

/// Counts of a second, or of all.
#[derive(Debug, Default)]
struct Counts {
    sent: u64,
    /// Of those, requests that were sent once more.
    again: u64,
    answered: u64,
    failed: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    all: Counts,
    second: Counts,
    latencies: Vec<Duration>,
}

impl Counts {
    fn done(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Answered => self.answered += 1,
            Outcome::Failed(how) => *self.failed.entry(how.clone()).or_default() += 1,
        }
    }

    fn json(&self) -> Value {
        json!({"sent": self.sent, "again": self.again, "answered": self.answered, "failed": self.failed})
    }
}

impl Tally {
    pub(crate) fn sent(&mut self) {
        self.all.sent += 1;
        self.second.sent += 1;
    }

    /// The same request once more.
    pub(crate) fn again(&mut self) {
        self.sent();
        self.all.again += 1;
        self.second.again += 1;
    }

    pub(crate) fn done(&mut self, outcome: Outcome, latency: Duration) {
        self.all.done(&outcome);
        self.second.done(&outcome);
        self.latencies.push(latency);
    }

    /// The second that ends now, as it is printed; the next one begins.
    pub(crate) fn second(&mut self, rate: u32) -> Value {
        let mut latencies = std::mem::take(&mut self.latencies);
        latencies.sort_unstable();
        let mut line = std::mem::take(&mut self.second).json();
        line["at"] = now().into();
        line["rate"] = rate.into();
        line["p50"] = milliseconds(&latencies, 50).into();
        line["p99"] = milliseconds(&latencies, 99).into();
        line
    }

    pub(crate) fn end(&self) -> Value {
        let mut line = self.all.json();
        line["end"] = true.into();
        line["at"] = now().into();
        line
    }
}

/// Seconds since 1970, in this machine's time.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// The latency below which so many of a hundred are.
fn milliseconds(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    let latency = sorted.get(rank).copied().unwrap_or_default();
    latency.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_and_all_are_counted_apart() {
        let mut tally = Tally::default();
        for (outcome, latency) in [
            (Outcome::Answered, 1),
            (Outcome::Answered, 3),
            (Outcome::Failed("status 503".to_owned()), 2),
        ] {
            tally.sent();
            tally.done(outcome, Duration::from_millis(latency));
        }
        let second = tally.second(3);
        assert_eq!(second["sent"], 3);
        assert_eq!(second["answered"], 2);
        assert_eq!(second["failed"]["status 503"], 1);
        assert_eq!((&second["p50"], &second["p99"]), (&json!(2.0), &json!(3.0)));
        assert_eq!(tally.second(3)["sent"], 0);
        assert_eq!(tally.end()["answered"], 2);
    }
}
