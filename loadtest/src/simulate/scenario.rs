//! The loads that settings are judged by, in multiples of what a replica can do.

use super::{
    run::{Fault, Who, simulate},
    settings::{Second, Settings},
    timeline::{Outcome, Timeline},
    trace::{MINUTE, Trace},
};

/// A load, and what is away meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    pub trace: Trace,
    pub faults: Vec<Fault>,
    /// When it gets interesting.
    pub event: Second,
}

/// Those that take less than an hour.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Short {
    /// Four times the load from one second to the next
    Step,
    /// Four times the load within ten minutes
    Ramp,
    /// Three times the load for one minute
    Spike,
    /// A fifth of the load for three minutes
    Dip,
    /// Prometheus is away for ten minutes
    Blind,
    /// Prometheus is away for ten minutes, in which the load grows by half
    BlindRise,
}

impl Short {
    pub(crate) const ALL: [Self; 6] = [
        Self::Step,
        Self::Ramp,
        Self::Spike,
        Self::Dip,
        Self::Blind,
        Self::BlindRise,
    ];

    /// For replicas that answer `capacity` requests a second at most.
    pub(crate) fn scenario(self, capacity: f64) -> Scenario {
        let at = |minutes: Second| minutes * MINUTE;
        let (name, about, corners): (_, _, &[(Second, f64)]) = match self {
            Self::Step => (
                "step",
                "1.5 times what a replica can do; at 5:00 four times as much, at 20:00 as before",
                &[
                    (0, 1.5),
                    (5, 1.5),
                    (5, 6.0),
                    (20, 6.0),
                    (20, 1.5),
                    (40, 1.5),
                ],
            ),
            Self::Ramp => (
                "ramp",
                "1.5 times what a replica can do, from 5:00 to 15:00 growing to 6 times, from 25:00 to 35:00 falling back",
                &[
                    (0, 1.5),
                    (5, 1.5),
                    (15, 6.0),
                    (25, 6.0),
                    (35, 1.5),
                    (50, 1.5),
                ],
            ),
            Self::Spike => (
                "spike",
                "2 times what a replica can do; from 5:00 to 6:00 three times as much",
                &[(0, 2.0), (5, 2.0), (5, 6.0), (6, 6.0), (6, 2.0), (30, 2.0)],
            ),
            Self::Dip => (
                "dip",
                "4 times what a replica can do; from 5:00 to 8:00 a fifth of it, as when a network in front is away",
                &[(0, 4.0), (5, 4.0), (5, 0.8), (8, 0.8), (8, 4.0), (30, 4.0)],
            ),
            Self::Blind => (
                "blind",
                "4 times what a replica can do; from 5:00 to 15:00 Prometheus is away",
                &[(0, 4.0), (30, 4.0)],
            ),
            Self::BlindRise => (
                "blind-rise",
                "4 times what a replica can do, from 6:00 on half as much again; from 5:00 to 15:00 Prometheus is away",
                &[(0, 4.0), (6, 4.0), (6, 6.0), (30, 6.0)],
            ),
        };
        let corners = corners.iter();
        let corners: Vec<_> = corners
            .map(|(minutes, load)| (at(*minutes), load * capacity))
            .collect();
        let away = Fault {
            who: Who::Prometheus,
            from: at(5),
            to: at(15),
        };
        let is_blind = matches!(self, Self::Blind | Self::BlindRise);
        Scenario {
            name,
            about,
            trace: Trace::of_corners(&corners),
            faults: is_blind.then_some(away).into_iter().collect(),
            event: match self {
                Self::Dip => at(8),
                Self::BlindRise => at(6),
                _ => at(5),
            },
        }
    }
}

/// The day, whose afternoon asks for ten times what a replica can do.
pub(crate) fn day(capacity: f64) -> Scenario {
    Scenario {
        name: "day",
        about: "24 hours: at 4:00 twice what a replica can do, at 16:00 ten times; from 13:00 to 13:20 half as much again",
        trace: Trace::day(10.0 * capacity),
        faults: Vec::new(),
        event: 0,
    }
}

/// Real runs differ by when Prometheus and the autoscaler happen to look. These stand for them.
pub(crate) const SEEDS: std::ops::Range<u32> = 0..4;

/// What several runs of a scenario come to: the worst of each figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Worst {
    pub outcome: Outcome,
    /// Seconds from the event until nobody had to wait any more.
    pub relieved: Second,
}

impl Scenario {
    pub(crate) fn run(&self, settings: &Settings, seed: u32) -> Timeline {
        simulate(settings, &self.trace, &self.faults, seed)
    }

    pub(crate) fn worst(&self, settings: &Settings, seeds: std::ops::Range<u32>) -> Worst {
        let runs = seeds.map(|seed| {
            let timeline = self.run(settings, seed);
            Worst {
                outcome: timeline.outcome(),
                relieved: timeline.relieved_after(self.event),
            }
        });
        runs.reduce(Worst::or).expect("there is a seed")
    }
}

impl Worst {
    fn or(self, other: Self) -> Self {
        let (a, b) = (self.outcome, other.outcome);
        Self {
            outcome: Outcome {
                overloaded: a.overloaded.max(b.overloaded),
                failed: a.failed.max(b.failed),
                replica_hours: a.replica_hours.max(b.replica_hours),
                most: a.most.max(b.most),
                fewest: a.fewest.min(b.fewest),
                changes: a.changes.max(b.changes),
                reversals: a.reversals.max(b.reversals),
            },
            relieved: self.relieved.max(other.relieved),
        }
    }
}
