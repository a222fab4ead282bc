//! KEDA: what it tells the autoscaler.
//!
//! The rules are those of KEDA 2.18 (`pkg/scaling/scale_handler.go`, `pkg/scalers/prometheus_scaler.go`, `pkg/fallback/fallback.go`)
//! and of <https://keda.sh/docs/latest/reference/scaledobject-spec/>:
//!
//! - Each time the autoscaler looks, KEDA asks Prometheus. `pollingInterval` decides only where `useCachedMetrics` is set, and how
//!   soon a service wakes from zero replicas.
//! - An activation threshold decides between zero replicas and one. The operator allows no zero, so nothing here depends on it.
//! - An answer without a value is an error with `ignoreNullValues: "false"`, and 0 with `"true"`.
//! - From the error on that is one more than `failureThreshold`, a fallback tells target × replicas instead of failing.

use super::{
    hpa::{NoMetric, Target},
    settings::Second,
};

/// A trigger of type `prometheus`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trigger {
    pub target: Target,
    /// `ignoreNullValues: "true"`: no value is 0.
    pub ignores_nothing: bool,
    /// `useCachedMetrics`, with this `pollingInterval`.
    pub cached: Option<Second>,
    pub fallback: Option<Fallback>,
}

/// What is told while Prometheus does not answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fallback {
    /// So many errors in a row are told as errors.
    pub failures: u32,
    pub replicas: u32,
    pub behavior: Behavior,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Behavior {
    /// Exactly `replicas`.
    Static,
    /// As many as there are, `replicas` at least.
    CurrentIfHigher,
}

/// What Prometheus said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    Rate(f64),
    /// It answers, and has no value.
    Nothing,
    /// It does not answer.
    Away,
}

/// What KEDA's operator remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    failures: u32,
    cached: Option<(Second, Answer)>,
}

impl Memory {
    /// What the autoscaler is told `now`, while there are to be `replicas`.
    pub(crate) fn metric(
        &mut self,
        trigger: &Trigger,
        now: Second,
        replicas: u32,
        ask: impl FnOnce(Second) -> Answer,
    ) -> Result<f64, NoMetric> {
        let answer = self.answer(trigger, now, ask);
        let value = match answer {
            Answer::Rate(rate) => Some(rate),
            Answer::Nothing if trigger.ignores_nothing => Some(0.0),
            Answer::Nothing | Answer::Away => None,
        };
        if let Some(value) = value {
            self.failures = 0;
            return Ok(value);
        }
        self.failures += 1;
        let fallback = trigger
            .fallback
            .filter(|fallback| self.failures > fallback.failures);
        let told = match fallback.ok_or(NoMetric)? {
            Fallback {
                behavior: Behavior::Static,
                replicas,
                ..
            } => replicas,
            fallback => fallback.replicas.max(replicas),
        };
        Ok(trigger.target.amount() * f64::from(told))
    }

    /// A fresh answer, or the last one that was polled.
    fn answer(
        &mut self,
        trigger: &Trigger,
        now: Second,
        ask: impl FnOnce(Second) -> Answer,
    ) -> Answer {
        let Some(interval) = trigger.cached else {
            return ask(now);
        };
        match self.cached {
            Some((at, answer)) if now - at < interval => answer,
            _ => {
                let polled = now - now % interval;
                let answer = ask(polled);
                self.cached = Some((polled, answer));
                answer
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(fallback: Option<(Behavior, u32)>) -> Trigger {
        Trigger {
            target: Target::AverageValue(100.0),
            ignores_nothing: false,
            cached: None,
            fallback: fallback.map(|(behavior, replicas)| Fallback {
                failures: 3,
                replicas,
                behavior,
            }),
        }
    }

    /// What is told while Prometheus is away, look by look, with ten replicas.
    fn away(trigger: &Trigger) -> Vec<Option<f64>> {
        let mut memory = Memory::default();
        let looks = (0..75).step_by(15);
        let told = looks.map(|now| memory.metric(trigger, now, 10, |_| Answer::Away).ok());
        told.collect()
    }

    #[test]
    fn a_fallback_speaks_from_the_fourth_error_on() {
        assert_eq!(away(&trigger(None)), [None; 5]);
        let told = |behavior, replicas| away(&trigger(Some((behavior, replicas))));
        assert_eq!(
            told(Behavior::Static, 4)[2..],
            [None, Some(400.0), Some(400.0)]
        );
        assert_eq!(told(Behavior::CurrentIfHigher, 4)[3], Some(1000.0));
        assert_eq!(told(Behavior::CurrentIfHigher, 14)[3], Some(1400.0));
    }

    #[test]
    fn one_answer_ends_the_count_of_errors() {
        let trigger = trigger(Some((Behavior::Static, 4)));
        let mut memory = Memory::default();
        let answers = [
            Answer::Away,
            Answer::Away,
            Answer::Away,
            Answer::Rate(7.0),
            Answer::Nothing,
        ];
        let told = answers.map(|answer| memory.metric(&trigger, 0, 1, |_| answer).ok());
        assert_eq!(told, [None, None, None, Some(7.0), None]);
    }

    #[test]
    fn nothing_is_an_error_unless_it_is_to_be_ignored() {
        let told = |ignores_nothing| {
            let trigger = Trigger {
                ignores_nothing,
                ..trigger(None)
            };
            Memory::default().metric(&trigger, 0, 1, |_| Answer::Nothing)
        };
        assert_eq!(told(false), Err(NoMetric));
        assert_eq!(told(true), Ok(0.0), "which takes replicas away");
    }

    #[test]
    fn a_cached_answer_is_as_old_as_the_polling_interval() {
        let trigger = Trigger {
            cached: Some(30),
            ..trigger(None)
        };
        let mut memory = Memory::default();
        let looks = [0, 15, 30, 40, 55, 60].map(|now| {
            let told = memory.metric(&trigger, now, 1, |now| Answer::Rate(f64::from(now)));
            told.ok()
        });
        assert_eq!(looks, [0.0, 0.0, 30.0, 30.0, 30.0, 60.0].map(Some));
    }
}
