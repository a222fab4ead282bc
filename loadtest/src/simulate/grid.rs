//! Which settings keep what is promised, and which of those cost least.

use super::{
    scenario::{SEEDS, Short, day},
    settings::{Second, Settings},
};

/// A point of the grid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Candidate {
    /// Requests per replica that are aimed at, in percent of what one can do.
    pub share: u32,
    /// Seconds between two scrapes.
    pub interval: Second,
    /// Seconds over which the rate is taken.
    pub window: Second,
    /// Seconds for which fewer replicas must have been enough.
    pub stabilization: Second,
}

/// Seconds after which a step of four times the load must be carried: a scrape, the window, two looks of the autoscaler, the start
/// of a pod, each as the operator and Kubernetes have them.
pub(crate) const CARRIED_WITHIN: Second = 15 + 60 + 2 * 15 + 15;

/// More changes than that in a day that were taken back within ten minutes are flapping.
const MOST_REVERSALS: u32 = 24;

/// What is wrong with a candidate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flaw {
    /// The window has fewer than four scrapes: two that fail in a row hide an instance.
    Blinks,
    /// Of the fewest replicas none may be away.
    NoSpare,
    /// A step is carried too late.
    Slow(Second),
    /// Visitors have to wait in a scenario in which nobody should.
    Waits(&'static str, Second),
    Flaps(u32),
}

/// What a candidate that keeps everything costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// Of the day.
    pub replica_hours: f64,
    /// Seconds until the step was carried.
    pub carried: Second,
}

impl Candidate {
    pub(crate) const SHARES: [u32; 6] = [25, 40, 50, 60, 70, 80];
    pub(crate) const SCRAPES: [(Second, Second); 5] =
        [(5, 30), (15, 30), (15, 60), (15, 120), (30, 120)];
    pub(crate) const STABILIZATIONS: [Second; 5] = [0, 60, 180, 300, 600];

    /// What the operator generates, for replicas that can do `capacity` requests a second.
    pub(crate) fn of_operator(capacity: f64) -> Self {
        let settings = Settings::of_operator();
        let share = settings.trigger.target.amount() / capacity * 100.0;
        Self {
            share: super::hpa::whole(share.round()),
            interval: settings.scraping.interval,
            window: settings.scraping.window,
            stabilization: settings.autoscaler.down.stabilization,
        }
    }

    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let scrapes = Self::SHARES
            .into_iter()
            .flat_map(|share| Self::SCRAPES.map(|scrape| (share, scrape)));
        let points = scrapes.flat_map(|point| Self::STABILIZATIONS.map(|hold| (point, hold)));
        points.map(|((share, (interval, window)), stabilization)| Self {
            share,
            interval,
            window,
            stabilization,
        })
    }

    pub(crate) fn settings(self, capacity: f64) -> Settings {
        let mut settings = Settings::of_operator()
            .with_target(capacity * f64::from(self.share) / 100.0)
            .with_window(self.window)
            .with_stabilization(self.stabilization);
        settings.scraping.interval = self.interval;
        settings.pods.capacity = capacity;
        settings
    }

    /// What it costs, or the first thing that is wrong with it.
    pub(crate) fn judge(self, capacity: f64) -> Result<Cost, Flaw> {
        let settings = self.settings(capacity);
        if self.window < 4 * self.interval {
            return Err(Flaw::Blinks);
        }
        let fewest = settings.autoscaler.min;
        if self.share * fewest > 100 * (fewest - 1) {
            return Err(Flaw::NoSpare);
        }
        let worst = |short: Short| short.scenario(capacity).worst(&settings, SEEDS);
        let step = worst(Short::Step);
        if step.relieved > CARRIED_WITHIN {
            return Err(Flaw::Slow(step.relieved));
        }
        for short in [Short::Dip, Short::Ramp, Short::Blind] {
            let overloaded = worst(short).outcome.overloaded;
            if overloaded > 0 {
                return Err(Flaw::Waits(short.scenario(capacity).name, overloaded));
            }
        }
        let day = day(capacity).worst(&settings, 0..1).outcome;
        if day.overloaded > 0 {
            return Err(Flaw::Waits("day", day.overloaded));
        }
        if day.reversals > MOST_REVERSALS {
            return Err(Flaw::Flaps(day.reversals));
        }
        Ok(Cost {
            replica_hours: day.replica_hours,
            carried: step.relieved,
        })
    }
}

/// All candidates that keep everything, the cheapest first.
pub(crate) fn accepted(capacity: f64) -> Vec<(Candidate, Cost)> {
    let judged = Candidate::all();
    let judged = judged.filter_map(|candidate| Some((candidate, candidate.judge(capacity).ok()?)));
    let mut accepted: Vec<_> = judged.collect();
    accepted.sort_by(|(_, a), (_, b)| a.replica_hours.total_cmp(&b.replica_hours));
    accepted
}
