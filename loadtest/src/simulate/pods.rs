//! Replicas: they are created at once, get requests when they are ready, and end in peace.
//!
//! A Deployment's controller creates and deletes within a second. Of those that are too many it deletes those that are not ready
//! first, then the youngest (`getPodsToDelete` and `ActivePodsWithRanks` in Kubernetes' `pkg/controller`).

use super::settings::{Pods, Second};

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stage {
    Starting,
    /// It gets requests. Of the count of [`Replicas::answered`] it has no part that was there before.
    Ready {
        from: f64,
    },
    /// It gets none any more, and has answered so many.
    Ending {
        answered: f64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pod {
    /// In the order of creation.
    pub number: u32,
    /// When it goes on to the next stage by itself.
    due: Second,
    /// When its process listens, and Prometheus knows of it.
    pub scraped_from: Second,
    pub stage: Stage,
}

/// All pods of the service.
#[derive(Clone, Debug)]
pub(crate) struct Replicas {
    settings: Pods,
    pods: Vec<Pod>,
    created: u32,
    /// Requests that a pod would have answered if it had been ready from the start: each ready pod gets the same share.
    answered: f64,
}

/// The process listens so many seconds before its pod is ready: the period of the readiness probe.
const PROBE: Second = 3;

/// Prometheus hears of a new pod within this (its service discovery gathers changes for so long).
const DISCOVERY: Second = 5;

impl Replicas {
    /// So many, ready from the start.
    pub(crate) fn ready_from_the_start(settings: Pods, count: u32) -> Self {
        let mut replicas = Self {
            settings,
            pods: Vec::new(),
            created: 0,
            answered: 0.0,
        };
        for _ in 0..count {
            replicas.create(0, 0);
        }
        replicas.advance(0);
        replicas
    }

    fn create(&mut self, now: Second, start: Second) {
        self.pods.push(Pod {
            number: self.created,
            due: now + start,
            scraped_from: now + start.saturating_sub(PROBE).max(DISCOVERY.min(start)),
            stage: Stage::Starting,
        });
        self.created += 1;
    }

    /// What happens by itself.
    pub(crate) fn advance(&mut self, now: Second) {
        let answered = self.answered;
        for pod in &mut self.pods {
            if pod.stage == Stage::Starting && pod.due <= now {
                pod.stage = Stage::Ready { from: answered };
            }
        }
        self.pods
            .retain(|pod| !matches!(pod.stage, Stage::Ending { .. }) || pod.due > now);
    }

    /// Creates what is missing, deletes what is too much.
    pub(crate) fn scale(&mut self, now: Second, wanted: u32) {
        let current = self.count(|stage| !matches!(stage, Stage::Ending { .. }));
        for _ in current..wanted {
            self.create(now, self.settings.start);
        }
        let mut too_many = current.saturating_sub(wanted);
        let starting = |stage| stage == Stage::Starting;
        let ready = |stage| matches!(stage, Stage::Ready { .. });
        self.delete(now, &mut too_many, starting);
        self.delete(now, &mut too_many, ready);
    }

    /// Deletes the youngest at a stage.
    fn delete(&mut self, now: Second, too_many: &mut u32, at: impl Fn(Stage) -> bool) {
        let youngest = self.pods.iter_mut().rev().filter(|pod| at(pod.stage));
        for pod in youngest.take(*too_many as usize) {
            *too_many -= 1;
            pod.due = now + self.settings.drain;
            pod.stage = Stage::Ending {
                answered: match pod.stage {
                    Stage::Ready { from } => self.answered - from,
                    Stage::Starting | Stage::Ending { .. } => 0.0,
                },
            };
        }
    }

    /// Spreads requests over those that are ready.
    pub(crate) fn answer(&mut self, requests: f64) {
        let ready = self.ready();
        if ready > 0 {
            self.answered += requests / f64::from(ready);
        }
    }

    pub(crate) fn ready(&self) -> u32 {
        self.count(|stage| matches!(stage, Stage::Ready { .. }))
    }

    /// All that take room on a node.
    pub(crate) fn all(&self) -> u32 {
        self.count(|_| true)
    }

    fn count(&self, at: impl Fn(Stage) -> bool) -> u32 {
        let count = self.pods.iter().filter(|pod| at(pod.stage)).count();
        u32::try_from(count).expect("pods are few")
    }

    pub(crate) fn pods(&self) -> &[Pod] {
        &self.pods
    }

    /// What the counter of a pod stands at.
    pub(crate) fn counter(&self, pod: &Pod) -> f64 {
        match pod.stage {
            Stage::Starting => 0.0,
            Stage::Ready { from } => self.answered - from,
            Stage::Ending { answered } => answered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(count: u32) -> Replicas {
        let settings = Pods {
            capacity: 100.0,
            uneven: 1.0,
            start: 15,
            drain: 10,
            patience: 5,
        };
        Replicas::ready_from_the_start(settings, count)
    }

    fn counters(replicas: &Replicas) -> Vec<f64> {
        let pods = replicas.pods().iter();
        pods.map(|pod| replicas.counter(pod)).collect()
    }

    #[test]
    fn a_new_pod_gets_requests_once_it_is_ready() {
        let mut replicas = replicas(2);
        replicas.scale(100, 3);
        replicas.advance(114);
        replicas.answer(600.0);
        assert_eq!(counters(&replicas), [300.0, 300.0, 0.0]);
        replicas.advance(115);
        replicas.answer(600.0);
        assert_eq!(counters(&replicas), [500.0, 500.0, 200.0]);
    }

    #[test]
    fn those_that_are_not_ready_go_first_then_the_youngest() {
        let mut replicas = replicas(3);
        replicas.answer(300.0);
        replicas.scale(100, 5);
        replicas.scale(101, 2);
        assert_eq!((replicas.ready(), replicas.all()), (2, 5));
        replicas.answer(300.0);
        assert_eq!(counters(&replicas), [250.0, 250.0, 100.0, 0.0, 0.0]);
        replicas.advance(110);
        assert_eq!(replicas.all(), 5);
        replicas.advance(111);
        assert_eq!(replicas.all(), 2, "gone after the drain");
        let numbers: Vec<_> = replicas.pods().iter().map(|pod| pod.number).collect();
        assert_eq!(numbers, [0, 1]);
    }

    #[test]
    fn nobody_ready_answers_nothing() {
        let mut replicas = replicas(0);
        replicas.scale(0, 1);
        replicas.answer(100.0);
        assert_eq!(counters(&replicas), [0.0]);
    }
}
