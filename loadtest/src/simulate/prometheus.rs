//! A Prometheus that scrapes each pod, and is asked for `sum(rate(shortener_http_requests_total[window]))`.
//!
//! Each target is scraped at its own moment of the interval, which Prometheus derives from a hash of the target; here from the pod's
//! number and a seed. Every counter of the service is there from the start of its process, at 0. A pod that has ended counts on,
//! with what was scraped of it, until that has left the window.

use std::collections::BTreeMap;

use super::{
    keda::Answer,
    pods::Replicas,
    rate::{Sample, rate},
    settings::{Scraping, Second},
};

#[derive(Clone, Debug)]
pub(crate) struct Prometheus {
    settings: Scraping,
    seed: u32,
    series: BTreeMap<u32, Vec<Sample>>,
}

impl Prometheus {
    pub(crate) fn new(settings: Scraping, seed: u32) -> Self {
        Self {
            settings,
            seed,
            series: BTreeMap::new(),
        }
    }

    /// Scrapes those pods whose turn it is.
    pub(crate) fn scrape(&mut self, now: Second, replicas: &Replicas) {
        for pod in replicas.pods() {
            if now >= pod.scraped_from && self.is_due(now, pod.number) {
                let value = replicas.counter(pod);
                let samples = self.series.entry(pod.number).or_default();
                samples.push(Sample { at: now, value });
            }
        }
        if now.is_multiple_of(self.settings.window) {
            self.forget(now.saturating_sub(2 * self.settings.window));
        }
    }

    /// What nobody will ask for again.
    fn forget(&mut self, before: Second) {
        self.series.retain(|_, samples| {
            samples.retain(|sample| sample.at >= before);
            !samples.is_empty()
        });
    }

    fn is_due(&self, now: Second, pod: u32) -> bool {
        /// 2³² ÷ the golden ratio: multiples of it are spread evenly (Knuth, The Art of Computer Programming, 6.4).
        const SPREAD: u32 = 2_654_435_769;
        let interval = self.settings.interval;
        let offset = pod.wrapping_add(self.seed).wrapping_mul(SPREAD) >> 16;
        now % interval == offset % interval
    }

    /// The rate of requests to all pods, as it is known at a moment.
    pub(crate) fn ask(&self, at: Second) -> Answer {
        let mut sum = None;
        for samples in self.series.values() {
            if let Some(rate) = rate(samples, at, self.settings.window) {
                sum = Some(sum.unwrap_or(0.0) + rate);
            }
        }
        sum.map_or(Answer::Nothing, Answer::Rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Pods;

    const SCRAPING: Scraping = Scraping {
        interval: 15,
        window: 60,
    };

    /// A Prometheus and two replicas that answer 100 requests a second each, until `end`.
    fn steady(end: Second) -> (Prometheus, Replicas) {
        let pods = Pods {
            capacity: 1000.0,
            uneven: 1.0,
            start: 15,
            drain: 10,
            patience: 5,
        };
        let mut prometheus = Prometheus::new(SCRAPING, 1);
        let mut replicas = Replicas::ready_from_the_start(pods, 2);
        go_on(&mut prometheus, &mut replicas, 0, end);
        (prometheus, replicas)
    }

    fn go_on(prometheus: &mut Prometheus, replicas: &mut Replicas, from: Second, to: Second) {
        for now in from..to {
            replicas.advance(now);
            prometheus.scrape(now, replicas);
            replicas.answer(200.0);
        }
    }

    #[track_caller]
    fn check(prometheus: &Prometheus, at: Second, expected: f64) {
        let Answer::Rate(rate) = prometheus.ask(at) else {
            panic!("no rate");
        };
        assert!(
            (rate - expected).abs() < 1e-6,
            "{rate} instead of {expected}"
        );
    }

    #[test]
    fn a_steady_rate_is_known_as_it_is() {
        let (prometheus, _) = steady(300);
        for at in 200..300 {
            check(&prometheus, at, 200.0);
        }
        assert_eq!(prometheus.ask(0), Answer::Nothing);
    }

    #[test]
    fn pods_that_are_gone_count_until_they_have_left_the_window() {
        let (mut prometheus, mut replicas) = steady(300);
        replicas.scale(300, 1);
        go_on(&mut prometheus, &mut replicas, 300, 331);
        let Answer::Rate(soon) = prometheus.ask(330) else {
            panic!("no rate");
        };
        assert!(
            (soon - 200.0).abs() < 5.0,
            "both its past and what the other does in its place: {soon}"
        );
        go_on(&mut prometheus, &mut replicas, 331, 500);
        check(&prometheus, 499, 200.0);
    }

    #[test]
    fn a_new_pod_is_seen_late_and_first_at_a_part_of_its_rate() {
        let (mut prometheus, mut replicas) = steady(300);
        replicas.scale(300, 4);
        go_on(&mut prometheus, &mut replicas, 300, 361);
        let known = (315..361).filter_map(|at| match prometheus.ask(at) {
            Answer::Rate(rate) => Some(rate),
            Answer::Nothing | Answer::Away => None,
        });
        let least = known.fold(f64::INFINITY, f64::min);
        assert!(
            least < 195.0,
            "the same requests, of which fewer are seen: {least}"
        );
        go_on(&mut prometheus, &mut replicas, 361, 500);
        check(&prometheus, 499, 200.0);
    }
}
