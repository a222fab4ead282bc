//! What is simulated: the settings of each link of the chain, and those that the operator makes.

use super::{
    hpa::{Autoscaler, Change, Policy, Rules, Select, Target},
    keda::{Behavior, Fallback, Trigger},
};

/// Seconds since the simulation began. There is no other clock.
pub(crate) type Second = u32;

/// Everything about the chain from a request to a replica.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub scraping: Scraping,
    pub trigger: Trigger,
    pub autoscaler: Autoscaler,
    pub pods: Pods,
}

/// How a Prometheus counts requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Scraping {
    /// Seconds between two scrapes of an instance.
    pub interval: Second,
    /// Seconds over which the rate is taken.
    pub window: Second,
}

/// What a replica can do, and how long it takes to come and go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pods {
    /// Requests per second that one answers at most.
    pub capacity: f64,
    /// What the busiest one gets, in multiples of the mean. Once it is full, somebody waits.
    pub uneven: f64,
    /// Seconds from its creation until it gets requests.
    pub start: Second,
    /// Seconds from its deletion, when it stops getting requests, until it is gone.
    pub drain: Second,
    /// Seconds that a visitor waits for an answer before giving up.
    pub patience: Second,
}

/// Requests per second of one replica, unless the command line says what was measured.
pub(crate) const CAPACITY: f64 = 1_000.0;

/// Connections are spread by chance, and those that stay open prefer the replicas that were there before: a quarter more than the
/// mean, for the busiest.
pub(crate) const UNEVEN: f64 = 1.25;

impl Settings {
    /// What the operator generates for a `UrlShortener` with `scaling.type: Autoscaled` that leaves everything else out, in a
    /// cluster that leaves the autoscaler as Kubernetes has it. `tests.rs` compares it with the operator.
    pub(crate) fn of_operator() -> Self {
        Self {
            scraping: Scraping {
                interval: 15,
                window: 60,
            },
            trigger: Trigger {
                target: Target::AverageValue(400.0),
                ignores_nothing: false,
                cached: None,
                fallback: Some(Fallback {
                    failures: 3,
                    replicas: 2,
                    behavior: Behavior::CurrentIfHigher,
                }),
            },
            autoscaler: Autoscaler {
                sync: 15,
                tolerance: 0.1,
                min: 2,
                max: 200,
                up: Rules::up(),
                down: Rules::down(300),
            },
            pods: Pods {
                capacity: CAPACITY,
                uneven: UNEVEN,
                start: 15,
                drain: 10,
                patience: 5,
            },
        }
    }

    /// The same with another number of requests per replica.
    pub(crate) fn with_target(mut self, requests: f64) -> Self {
        self.trigger.target = Target::AverageValue(requests);
        self
    }

    /// The same with another time over which the rate is taken.
    pub(crate) fn with_window(mut self, window: Second) -> Self {
        self.scraping.window = window;
        self
    }

    /// The same with another time for which fewer replicas must have been enough.
    pub(crate) fn with_stabilization(mut self, seconds: Second) -> Self {
        self.autoscaler.down.stabilization = seconds;
        self
    }

    /// The same where at least the current replicas, and as many, are kept while Prometheus does not answer.
    pub(crate) fn with_fallback(mut self, behavior: Behavior, replicas: u32) -> Self {
        self.trigger.fallback = Some(Fallback {
            failures: 3,
            replicas,
            behavior,
        });
        self
    }

    /// The same where KEDA has nothing but errors to tell while Prometheus does not answer.
    pub(crate) fn without_fallback(mut self) -> Self {
        self.trigger.fallback = None;
        self
    }
}

impl Rules {
    /// How Kubernetes adds replicas unless it is told otherwise (`pkg/apis/autoscaling/v2/defaults.go`): at once, and in 15 seconds
    /// at most four, or as many as there are, whichever is more.
    pub(crate) fn up() -> Self {
        let every = 15;
        Self {
            stabilization: 0,
            select: Select::Max,
            policies: vec![
                Policy::new(Change::Pods(4), every),
                Policy::new(Change::Percent(100), every),
            ],
        }
    }

    /// How Kubernetes takes replicas away unless it is told otherwise: all that are too many, after `stabilization` seconds.
    pub(crate) fn down(stabilization: Second) -> Self {
        Self {
            stabilization,
            select: Select::Max,
            policies: vec![Policy::new(Change::Percent(100), 15)],
        }
    }
}
