//! What happened, second by second, and what it comes to.

use super::settings::Second;

/// One second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    /// Requests that visitors asked for.
    pub load: f64,
    /// Requests that the replicas which are ready can answer.
    pub capacity: f64,
    /// What the autoscaler was told last.
    pub told: Option<f64>,
    /// Replicas that there are to be.
    pub wanted: u32,
    pub ready: u32,
    /// All that take room on a node.
    pub pods: u32,
    /// Requests that wait for an answer at the end of it.
    pub waiting: f64,
    /// Visitors who gave up.
    pub failed: f64,
}

impl Moment {
    /// Whether somebody has to wait.
    pub(crate) fn is_overloaded(&self) -> bool {
        self.waiting + self.failed > 0.0
    }

    /// What is asked of the replicas, as a part of what they can do.
    pub(crate) fn utilisation(&self) -> f64 {
        self.load / self.capacity.max(1.0)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timeline {
    pub moments: Vec<Moment>,
}

/// What a timeline comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// Seconds in which somebody had to wait.
    pub overloaded: Second,
    /// The part of all requests whose visitors gave up.
    pub failed: f64,
    /// Replicas, times hours.
    pub replica_hours: f64,
    pub most: u32,
    pub fewest: u32,
    /// How often the number of replicas changed.
    pub changes: u32,
    /// How often replicas were added soon after some had been taken away, or the other way round.
    pub reversals: u32,
}

/// A change that takes back another within so many seconds was for nothing.
const SOON: usize = 600;

impl Timeline {
    pub(crate) fn new(moments: Vec<Moment>) -> Self {
        Self { moments }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        let moments = &self.moments;
        let sum = |of: fn(&Moment) -> f64| moments.iter().map(of).sum::<f64>();
        let overloaded = moments.iter().filter(|moment| moment.is_overloaded());
        let ready = || moments.iter().map(|moment| moment.ready);
        let (changes, reversals) = self.changes();
        Outcome {
            overloaded: count(overloaded.count()),
            failed: sum(|moment| moment.failed) / sum(|moment| moment.load).max(1.0),
            replica_hours: sum(|moment| f64::from(moment.pods)) / 3600.0,
            most: ready().max().unwrap_or_default(),
            fewest: ready().min().unwrap_or_default(),
            changes,
            reversals,
        }
    }

    /// The last second from `from` on in which somebody had to wait, counted from there; 0 if nobody had to.
    pub(crate) fn relieved_after(&self, from: Second) -> Second {
        let after = self.moments.get(from as usize..).unwrap_or_default();
        let last = after.iter().rposition(Moment::is_overloaded);
        last.map_or(0, |second| count(second + 1))
    }

    fn changes(&self) -> (u32, u32) {
        let mut changes = 0;
        let mut reversals = 0;
        let mut before: Option<(usize, bool)> = None;
        for (second, pair) in self.moments.windows(2).enumerate() {
            let [was, is] = [pair[0].wanted, pair[1].wanted];
            if was == is {
                continue;
            }
            changes += 1;
            let is_more = is > was;
            if before.is_some_and(|(at, was_more)| was_more != is_more && second - at < SOON) {
                reversals += 1;
            }
            before = Some((second, is_more));
        }
        (changes, reversals)
    }
}

fn count(seconds: usize) -> Second {
    Second::try_from(seconds).expect("a timeline has few seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(wanted: u32, waiting: f64) -> Moment {
        Moment {
            load: 100.0,
            capacity: 200.0,
            told: None,
            wanted,
            ready: wanted,
            pods: wanted,
            waiting,
            failed: 0.0,
        }
    }

    #[test]
    fn a_timeline_comes_to_seconds_hours_and_changes() {
        let mut moments = vec![moment(2, 0.0); 1800];
        moments[100] = moment(2, 5.0);
        moments[200..].fill(moment(4, 0.0));
        moments[300..].fill(moment(3, 0.0));
        moments[1500..].fill(moment(4, 0.0));
        let timeline = Timeline::new(moments);
        let outcome = timeline.outcome();
        assert_eq!(outcome.overloaded, 1);
        assert_eq!((outcome.fewest, outcome.most), (2, 4));
        assert_eq!((outcome.changes, outcome.reversals), (3, 1));
        let hours = f64::from(2 * 200 + 4 * 100 + 3 * 1200 + 4 * 300) / 3600.0;
        assert!((outcome.replica_hours - hours).abs() < 1e-9);
        assert_eq!(timeline.relieved_after(90), 11);
        assert_eq!(timeline.relieved_after(101), 0);
    }
}
