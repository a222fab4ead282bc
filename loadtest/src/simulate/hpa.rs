//! The HorizontalPodAutoscaler of Kubernetes.
//!
//! The rules are those of `pkg/controller/podautoscaler` of Kubernetes 1.34: `replica_calculator.go` for what is proposed,
//! `horizontal.go` for how a proposal is held back (`stabilizeRecommendationWithBehaviors`, `convertDesiredReplicasWithBehaviorRate`).
//! In words: <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>. Three of them decide more than one would
//! think:
//!
//! - Within the tolerance nothing is proposed but what there is.
//! - Replicas are taken away only down to the greatest proposal within the window of stabilization.
//! - Without a metric nothing is proposed, **and nothing is remembered**: after a gap that is longer than the window, the first value
//!   decides alone.

use std::cmp::Ordering;

use super::settings::Second;

/// How a metric is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// So much for each replica there is.
    AverageValue(f64),
    /// So much in all: the replicas that are ready are multiplied by metric ÷ target.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a rule of Kubernetes that no candidate uses")
    )]
    Value(f64),
}

impl Target {
    pub(crate) fn amount(self) -> f64 {
        match self {
            Self::AverageValue(amount) | Self::Value(amount) => amount,
        }
    }
}

/// The settings of an autoscaler, and those of its controller.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Autoscaler {
    /// Seconds between two looks (`--horizontal-pod-autoscaler-sync-period`).
    pub sync: Second,
    /// How far metric ÷ target may be from 1 without anything being done.
    pub tolerance: f64,
    pub min: u32,
    pub max: u32,
    pub up: Rules,
    pub down: Rules,
}

/// How fast replicas are added, or taken away.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Rules {
    /// Seconds within which the most cautious proposal counts.
    pub stabilization: Second,
    pub select: Select,
    pub policies: Vec<Policy>,
}

/// Which of several policies counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Select {
    /// The one that changes most.
    Max,
    /// The one that changes least.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a rule of Kubernetes that no candidate uses")
    )]
    Min,
    /// None: no change in this direction.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a rule of Kubernetes that no candidate uses")
    )]
    Disabled,
}

/// A bound on the change within so many seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Policy {
    pub change: Change,
    pub period: Second,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    Pods(u32),
    Percent(u32),
}

impl Policy {
    pub(crate) fn new(change: Change, period: Second) -> Self {
        Self { change, period }
    }
}

/// The replicas that an autoscaler finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Replicas {
    /// That there are to be.
    pub wanted: u32,
    pub ready: u32,
}

/// The metric is not to be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NoMetric;

/// What the controller remembers of an autoscaler.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    proposals: Vec<(Second, u32)>,
    added: Vec<(Second, u32)>,
    removed: Vec<(Second, u32)>,
}

impl Memory {
    /// One look: how many replicas there are to be from now on.
    pub(crate) fn look(
        &mut self,
        autoscaler: &Autoscaler,
        now: Second,
        replicas: Replicas,
        target: Target,
        metric: Result<f64, NoMetric>,
    ) -> u32 {
        let current = replicas.wanted;
        if self.proposals.is_empty() {
            self.proposals.push((now, current));
        }
        let desired = if current == 0 && autoscaler.min != 0 {
            // Somebody has switched it off.
            0
        } else if current > autoscaler.max {
            autoscaler.max
        } else if current < autoscaler.min {
            autoscaler.min
        } else {
            let Ok(metric) = metric else {
                return current;
            };
            let proposal = propose(target, autoscaler.tolerance, metric, replicas);
            let stable = self.stabilize(autoscaler, now, current, proposal);
            self.bound(autoscaler, now, current, stable)
        };
        if desired > current {
            self.added.push((now, desired - current));
        }
        if desired < current {
            self.removed.push((now, current - desired));
        }
        desired
    }

    /// The proposal, held back by those of the windows of stabilization.
    fn stabilize(
        &mut self,
        autoscaler: &Autoscaler,
        now: Second,
        current: u32,
        proposal: u32,
    ) -> u32 {
        let (up, down) = (autoscaler.up.stabilization, autoscaler.down.stabilization);
        let since = |window| {
            let recent = self.proposals.iter();
            recent
                .filter_map(move |(at, proposed)| is_within(*at, now, window).then_some(*proposed))
        };
        let least = since(up).fold(proposal, u32::min);
        let most = since(down).fold(proposal, u32::max);
        self.proposals
            .retain(|(at, _)| is_within(*at, now, up.max(down)));
        self.proposals.push((now, proposal));
        // Not `clamp`: while the windows differ, the least may be above the most.
        current.max(least).min(most)
    }

    /// As much of the change as the policies and the bounds allow.
    fn bound(&self, autoscaler: &Autoscaler, now: Second, current: u32, desired: u32) -> u32 {
        let start = |period| {
            let sum = |events: &[(Second, u32)]| {
                let recent = events.iter().filter(|(at, _)| is_within(*at, now, period));
                recent.map(|(_, change)| i64::from(*change)).sum::<i64>()
            };
            i64::from(current) - sum(&self.added) + sum(&self.removed)
        };
        match desired.cmp(&current) {
            Ordering::Greater => {
                let limits = |policy: &Policy| limit_up(policy.change, start(policy.period));
                let limits = autoscaler.up.policies.iter().map(limits);
                let limit = match autoscaler.up.select {
                    Select::Disabled => None,
                    Select::Max => limits.max(),
                    Select::Min => limits.min(),
                };
                let limit = limit.map_or(current, |limit| limit.max(current));
                desired.min(autoscaler.max.min(limit))
            }
            Ordering::Less => {
                let limits = |policy: &Policy| limit_down(policy.change, start(policy.period));
                let limits = autoscaler.down.policies.iter().map(limits);
                let limit = match autoscaler.down.select {
                    Select::Disabled => None,
                    Select::Max => limits.min(),
                    Select::Min => limits.max(),
                };
                let limit = limit.map_or(current, |limit| limit.min(current));
                desired.max(autoscaler.min.max(limit))
            }
            Ordering::Equal => desired,
        }
    }
}

/// Whether `at` is less than `window` seconds ago.
fn is_within(at: Second, now: Second, window: Second) -> bool {
    now - at < window
}

/// How many replicas the metric asks for, before anything holds the change back.
pub(crate) fn propose(target: Target, tolerance: f64, metric: f64, replicas: Replicas) -> u32 {
    // Kubernetes calculates in thousandths.
    let (metric, amount) = (thousandths(metric), thousandths(target.amount()));
    let is_near = |ratio: f64| ((1.0 - tolerance)..=(1.0 + tolerance)).contains(&ratio);
    match target {
        Target::AverageValue(_) => {
            let current = f64::from(replicas.wanted);
            if is_near(metric / (amount * current)) {
                replicas.wanted
            } else {
                whole((metric / amount).ceil())
            }
        }
        Target::Value(_) if replicas.wanted == 0 => whole((metric / amount).ceil()),
        Target::Value(_) => {
            let ratio = metric / amount;
            if is_near(ratio) {
                replicas.wanted
            } else {
                whole((ratio * f64::from(replicas.ready)).ceil())
            }
        }
    }
}

/// How many replicas there may be at most, if there were `start` when the period began.
fn limit_up(change: Change, start: i64) -> u32 {
    let limit = match change {
        Change::Pods(pods) => start + i64::from(pods),
        // Rounded up, or one replica would never become two.
        Change::Percent(percent) => i64::from(whole(
            (float(start) * (1.0 + f64::from(percent) / 100.0)).ceil(),
        )),
    };
    u32::try_from(limit.max(0)).unwrap_or(u32::MAX)
}

/// How many replicas there must be at least, if there were `start` when the period began.
fn limit_down(change: Change, start: i64) -> u32 {
    let limit = match change {
        Change::Pods(pods) => start - i64::from(pods),
        Change::Percent(percent) => {
            i64::from(whole(float(start) * (1.0 - f64::from(percent) / 100.0)))
        }
    };
    u32::try_from(limit.max(0)).unwrap_or(u32::MAX)
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).trunc()
}

fn float(replicas: i64) -> f64 {
    f64::from(i32::try_from(replicas).expect("replicas are few"))
}

/// The whole part of what is no negative number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is what is wanted of a number of replicas"
)]
pub(crate) fn whole(value: f64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER_REPLICA: Target = Target::AverageValue(100.0);

    fn replicas(wanted: u32) -> Replicas {
        Replicas {
            wanted,
            ready: wanted,
        }
    }

    /// What comes of `desired` if nothing else was ever proposed or changed.
    #[track_caller]
    fn check(up: Rules, down: Rules, (min, max): (u32, u32), current: u32, desired: u32, is: u32) {
        let autoscaler = Autoscaler {
            sync: 15,
            tolerance: 0.1,
            min,
            max,
            up,
            down,
        };
        let bound = Memory::default().bound(&autoscaler, 1000, current, desired);
        assert_eq!(bound, is, "{desired} wanted of {current}");
    }

    fn rules(policies: &[(Change, Second)]) -> Rules {
        let policies = policies.iter();
        Rules {
            stabilization: 0,
            select: Select::Max,
            policies: policies
                .map(|(change, period)| Policy::new(*change, *period))
                .collect(),
        }
    }

    /// Examples of "Algorithm details": a target of 100m at 200m doubles the replicas, at 50m halves them, and 10 % is nothing.
    #[test]
    fn the_examples_of_the_documentation_come_out_the_same() {
        let propose = |metric| propose(Target::Value(0.1), 0.1, metric, replicas(4));
        assert_eq!(propose(0.2), 8);
        assert_eq!(propose(0.05), 2);
        assert_eq!(propose(0.11), 4);
        assert_eq!(propose(0.09), 4);
        assert_eq!(propose(0.112), 5);
        // From the announcement of configurable tolerance: 50 replicas at 90 of 75.
        assert_eq!(
            super::propose(Target::Value(75.0), 0.1, 90.0, replicas(50)),
            60
        );
    }

    #[test]
    fn a_value_per_replica_is_divided_whatever_is_ready() {
        let seen = Replicas {
            wanted: 4,
            ready: 1,
        };
        assert_eq!(propose(PER_REPLICA, 0.1, 801.0, seen), 9);
        assert_eq!(propose(PER_REPLICA, 0.1, 800.000_4, seen), 8, "thousandths");
        assert_eq!(propose(PER_REPLICA, 0.1, 440.0, seen), 4, "within 10 %");
        assert_eq!(propose(PER_REPLICA, 0.1, 441.0, seen), 5);
        assert_eq!(propose(Target::Value(100.0), 0.1, 200.0, seen), 2, "of one");
    }

    /// Cases of Kubernetes' own `TestScalingWithRules`.
    #[test]
    fn policies_bound_a_change_as_kubernetes_own_tests_have_it() {
        use Change::{Percent, Pods};
        let minute = 60;
        let both = |pods, percent| rules(&[(Pods(pods), minute), (Percent(percent), minute)]);
        let up = |rules, current, desired, is| {
            check(rules, Rules::down(300), (1, 1000), current, desired, is);
        };
        up(Rules::up(), 10, 50, 20);
        up(both(100, 100), 10, 500, 110);
        up(both(2, 100), 10, 500, 20);
        up(rules(&[(Pods(100), minute)]), 10, 50, 50);
        up(rules(&[(Percent(10_000), minute)]), 10, 50, 50);
        up(rules(&[(Pods(30), minute)]), 10, 50, 40);
        up(rules(&[(Percent(200), minute)]), 10, 50, 30);
        check(
            rules(&[(Percent(1), minute)]),
            Rules::down(300),
            (1, 2000),
            3,
            1000,
            4,
        );
        check(Rules::up(), Rules::down(300), (100, 150), 100, 1000, 150);
        let down = |rules, current, desired, is| {
            check(Rules::up(), rules, (1, 1000), current, desired, is);
        };
        down(both(20, 1), 100, 2, 80);
        down(both(2, 1), 100, 2, 98);
        down(rules(&[(Pods(100), minute)]), 10, 0, 1);
        check(
            Rules::up(),
            rules(&[(Pods(20), minute)]),
            (3, 2000),
            1000,
            3,
            980,
        );
        check(Rules::up(), Rules::down(300), (2, 8), 3, 1, 2);
    }

    /// "With 80 replicas, and 10 % or 4 pods a minute": 72, then 64 of 72 (rounded as Kubernetes does), and 4 at a time below 40.
    #[test]
    fn the_policies_of_the_documentation_take_what_changes_most() {
        let down = rules(&[(Change::Pods(4), 60), (Change::Percent(10), 60)]);
        for (current, is) in [(80, 72), (72, 64), (40, 36), (12, 8)] {
            check(Rules::up(), down.clone(), (1, 100), current, 1, is);
        }
        let least = Rules {
            select: Select::Min,
            ..down.clone()
        };
        check(Rules::up(), least, (1, 100), 80, 1, 76);
        let disabled = Rules {
            select: Select::Disabled,
            ..down
        };
        check(Rules::up(), disabled, (1, 100), 80, 1, 80);
    }

    /// Proposals and what becomes of them, a look each 15 seconds.
    fn follow(down: Rules, metrics: &[Option<f64>]) -> Vec<u32> {
        let autoscaler = Autoscaler {
            sync: 15,
            tolerance: 0.1,
            min: 2,
            max: 50,
            up: Rules::up(),
            down,
        };
        let mut memory = Memory::default();
        let mut wanted = 10;
        let looks = (0..).step_by(15).zip(metrics);
        let followed = looks.map(|(now, metric)| {
            let metric = metric.ok_or(NoMetric);
            wanted = memory.look(&autoscaler, now, replicas(wanted), PER_REPLICA, metric);
            wanted
        });
        followed.collect()
    }

    #[test]
    fn replicas_go_once_fewer_were_enough_for_the_whole_window() {
        let low = [Some(300.0); 25];
        let wanted = follow(Rules::down(300), &low);
        assert_eq!(wanted[19], 10, "285 seconds after the first look");
        assert_eq!(wanted[20], 3);
        let mut dip = [Some(1000.0); 40];
        dip[5..20].fill(Some(300.0));
        assert!(
            follow(Rules::down(300), &dip)
                .iter()
                .all(|wanted| *wanted == 10)
        );
        assert!(follow(Rules::down(60), &dip).contains(&3));
    }

    #[test]
    fn without_a_metric_nothing_changes_and_after_a_long_gap_nothing_is_remembered() {
        let mut metrics = [None; 60];
        metrics[..10].fill(Some(1000.0));
        metrics[40..].fill(Some(300.0));
        let wanted = follow(Rules::down(300), &metrics);
        assert!(wanted[..40].iter().all(|wanted| *wanted == 10));
        assert_eq!(wanted[40], 3, "the first value decides alone");
    }

    #[test]
    fn each_period_allows_its_change_once() {
        let down = rules(&[(Change::Pods(2), 60)]);
        let wanted = follow(down, &[Some(100.0); 12]);
        assert_eq!(wanted, [8, 8, 8, 8, 6, 6, 6, 6, 4, 4, 4, 4]);
        let up = follow(Rules::down(300), &[Some(9000.0); 4]);
        assert_eq!(up, [20, 40, 50, 50]);
    }

    #[test]
    fn bounds_hold_even_without_a_metric() {
        let autoscaler = |min, max| Autoscaler {
            sync: 15,
            tolerance: 0.1,
            min,
            max,
            up: Rules::up(),
            down: Rules::down(300),
        };
        let look = |autoscaler, wanted| {
            let metric = Err(NoMetric);
            Memory::default().look(&autoscaler, 0, replicas(wanted), PER_REPLICA, metric)
        };
        assert_eq!(look(autoscaler(2, 5), 9), 5);
        assert_eq!(look(autoscaler(4, 5), 1), 4);
        assert_eq!(look(autoscaler(2, 5), 0), 0, "switched off by hand");
    }
}
