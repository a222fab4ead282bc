//! The chain, second by second: load → replicas → Prometheus → KEDA → autoscaler → replicas.
//!
//! Nothing here reads a clock, draws at random or runs beside anything else: the same input gives the same timeline. What differs
//! between one real run and the next, who happens to look when, is the seed.

use super::{
    hpa, keda,
    keda::Answer,
    pods::Replicas,
    prometheus::Prometheus,
    settings::{Second, Settings},
    timeline::{Moment, Timeline},
    trace::Trace,
};

/// What is away, from the first second until before the second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    pub who: Who,
    pub from: Second,
    pub to: Second,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Who {
    /// It neither scrapes nor answers.
    Prometheus,
    /// The autoscaler gets no answer.
    Keda,
}

/// Seconds of the first load before the timeline begins, so that windows are full and replicas are as many as they should be.
const BEFORE: Second = 900;

/// The timeline of one run.
pub(crate) fn simulate(
    settings: &Settings,
    trace: &Trace,
    faults: &[Fault],
    seed: u32,
) -> Timeline {
    let first = trace.load().first().copied().unwrap_or_default();
    let begin = settings.begin_with(first);
    let mut chain = Chain::new(settings, seed, begin);
    let mut moments = Vec::with_capacity(trace.load().len());
    let load = std::iter::repeat_n(first, BEFORE as usize).chain(trace.load().iter().copied());
    for (now, load) in (0..).zip(load) {
        let moment = chain.pass(now, load, |who| {
            let is_now =
                |fault: &Fault| (fault.from..fault.to).contains(&(now.wrapping_sub(BEFORE)));
            faults.iter().any(|fault| fault.who == who && is_now(fault))
        });
        if now >= BEFORE {
            moments.push(moment);
        }
    }
    Timeline::new(moments)
}

impl Settings {
    /// As many replicas as the load asks for.
    fn begin_with(&self, load: f64) -> u32 {
        let wanted = hpa::whole((load / self.trigger.target.amount()).ceil());
        wanted.clamp(self.autoscaler.min, self.autoscaler.max)
    }
}

struct Chain<'a> {
    settings: &'a Settings,
    /// When within its period the autoscaler looks.
    phase: Second,
    replicas: Replicas,
    prometheus: Prometheus,
    keda: keda::Memory,
    autoscaler: hpa::Memory,
    wanted: u32,
    told: Option<f64>,
    /// Requests that wait.
    waiting: f64,
}

impl<'a> Chain<'a> {
    fn new(settings: &'a Settings, seed: u32, begin: u32) -> Self {
        Self {
            settings,
            // Seeds that follow one another have phases that are apart.
            phase: seed.wrapping_mul(4) % settings.autoscaler.sync,
            replicas: Replicas::ready_from_the_start(settings.pods, begin),
            prometheus: Prometheus::new(settings.scraping, seed),
            keda: keda::Memory::default(),
            autoscaler: hpa::Memory::default(),
            wanted: begin,
            told: None,
            waiting: 0.0,
        }
    }

    /// What happens at a moment, and in the second after it.
    fn pass(&mut self, now: Second, load: f64, is_away: impl Fn(Who) -> bool) -> Moment {
        self.replicas.advance(now);
        if !is_away(Who::Prometheus) {
            self.prometheus.scrape(now, &self.replicas);
        }
        if now % self.settings.autoscaler.sync == self.phase {
            self.look(now, is_away(Who::Prometheus), is_away(Who::Keda));
            self.replicas.scale(now, self.wanted);
        }
        let pods = self.settings.pods;
        let capacity = f64::from(self.replicas.ready()) * pods.capacity / pods.uneven;
        let asked = self.waiting + load;
        let answered = asked.min(capacity);
        self.replicas.answer(answered);
        // Who would have to wait longer than that gives up.
        let patient = capacity * f64::from(pods.patience);
        self.waiting = (asked - answered).min(patient);
        Moment {
            load,
            capacity,
            told: self.told,
            wanted: self.wanted,
            ready: self.replicas.ready(),
            pods: self.replicas.all(),
            waiting: self.waiting,
            failed: asked - answered - self.waiting,
        }
    }

    fn look(&mut self, now: Second, prometheus_is_away: bool, keda_is_away: bool) {
        let ask = |at| {
            if prometheus_is_away {
                Answer::Away
            } else {
                self.prometheus.ask(at)
            }
        };
        let trigger = &self.settings.trigger;
        let metric = if keda_is_away {
            Err(hpa::NoMetric)
        } else {
            self.keda.metric(trigger, now, self.wanted, ask)
        };
        self.told = metric.ok();
        let replicas = hpa::Replicas {
            wanted: self.wanted,
            ready: self.replicas.ready(),
        };
        let autoscaler = &self.settings.autoscaler;
        self.wanted = self
            .autoscaler
            .look(autoscaler, now, replicas, trigger.target, metric);
    }
}
