//! A timeline that was measured, beside what the simulation says of the same load.
//!
//! The file is CSV with a line of names: `time` in seconds since its beginning, `load` and `rate` in requests a second (asked for, and
//! as Prometheus told it), `replicas` that are ready. Other columns are left alone, and each row holds until the next.
//!
//! When who looked is not known of a measurement, so it is compared with the band that all phases of the autoscaler's period make.

use anyhow::ensure;

use super::{
    run::{Fault, simulate},
    settings::Settings,
    table::Table,
    timeline::Timeline,
    trace::{Trace, rows},
};

/// Replicas and the rate, second by second.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    trace: Trace,
    replicas: Vec<f64>,
    rate: Vec<f64>,
}

/// How far the simulation is from what was measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deviation {
    /// The part of the seconds in which the measured replicas were outside the band, by more than one replica.
    pub outside: f64,
    pub most: Compared,
    /// Seconds until the most replicas were ready for the first time.
    pub scaled_out: Compared,
    /// Seconds from then until there were fewer for the first time. None if that did not happen.
    pub held: Option<Compared>,
    /// Replicas, times hours.
    pub replica_hours: Compared,
    /// The mean distance of the rates, in percent of the mean rate that was measured.
    pub rate: f64,
}

/// A figure, as measured and as simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compared {
    pub measured: f64,
    pub least: f64,
    pub greatest: f64,
}

#[cfg(test)]
impl Compared {
    /// Whether what was measured is what is simulated, or no further from it than `slack`.
    pub(crate) fn is_within(self, slack: f64) -> bool {
        (self.least - slack..=self.greatest + slack).contains(&self.measured)
    }
}

impl Measured {
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let column = |name: &str| -> anyhow::Result<Vec<f64>> {
            let pairs = rows(text, &["time", name])?;
            let lines = pairs.iter().map(|row| format!("{},{}\n", row[0], row[1]));
            let text = format!("time,load\n{}", lines.collect::<String>());
            Ok(Trace::parse(&text)?.load().to_vec())
        };
        let measured = Self {
            trace: Trace::parse(text)?,
            replicas: column("replicas")?,
            rate: column("rate")?,
        };
        ensure!(
            measured.replicas.len() > 60,
            "the file has less than a minute: that says nothing"
        );
        Ok(measured)
    }

    pub(crate) fn compare(&self, settings: &Settings, faults: &[Fault]) -> Deviation {
        let seeds = 0..settings.autoscaler.sync;
        let runs: Vec<_> = seeds
            .map(|seed| simulate(settings, &self.trace, faults, seed))
            .collect();
        let ready: Vec<Vec<f64>> = runs.iter().map(ready).collect();
        let compared = |of: &dyn Fn(&[f64]) -> f64| {
            let figures = ready.iter().map(|ready| of(ready));
            Compared {
                measured: of(&self.replicas),
                least: figures.clone().fold(f64::INFINITY, f64::min),
                greatest: figures.fold(f64::NEG_INFINITY, f64::max),
            }
        };
        let fell = |replicas: &[f64]| held(replicas);
        let every = ready
            .iter()
            .map(Vec::as_slice)
            .chain([self.replicas.as_slice()]);
        let all_fell = every.map(fell).all(|held| held.is_some());
        Deviation {
            outside: self.outside(&ready),
            most: compared(&|replicas| replicas.iter().copied().fold(0.0, f64::max)),
            scaled_out: compared(&|replicas| float(peak(replicas).0)),
            held: all_fell.then(|| compared(&|replicas| fell(replicas).unwrap_or_default())),
            replica_hours: compared(&|replicas| replicas.iter().sum::<f64>() / 3600.0),
            rate: self.rates(&runs),
        }
    }

    fn outside(&self, ready: &[Vec<f64>]) -> f64 {
        let is_outside = |(second, measured): (usize, &f64)| {
            let band = ready.iter().map(|ready| ready[second]);
            let least = band.clone().fold(f64::INFINITY, f64::min);
            let greatest = band.fold(0.0, f64::max);
            *measured < least - 1.0 || *measured > greatest + 1.0
        };
        let seconds = self.replicas.iter().enumerate();
        let outside = seconds.filter(|second| is_outside(*second)).count();
        float(outside) / float(self.replicas.len())
    }

    fn rates(&self, runs: &[Timeline]) -> f64 {
        let mut distance = 0.0;
        for run in runs {
            for (moment, rate) in run.moments.iter().zip(&self.rate) {
                distance += (moment.told.unwrap_or_default() - rate).abs();
            }
        }
        let all: f64 = self.rate.iter().sum();
        100.0 * distance / float(runs.len()) / all.max(1.0)
    }
}

impl Deviation {
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new(["", "measured", "simulated, over all phases"]);
        let mut row = |name: &str, compared: Compared, decimals: usize| {
            let Compared {
                measured,
                least,
                greatest,
            } = compared;
            table.row(&[
                name.to_owned(),
                format!("{measured:.decimals$}"),
                format!("{least:.decimals$} … {greatest:.decimals$}"),
            ]);
        };
        row("replicas at most", self.most, 0);
        row("seconds until they were ready", self.scaled_out, 0);
        if let Some(held) = self.held {
            row("seconds until there were fewer", held, 0);
        }
        row("replica-hours", self.replica_hours, 2);
        format!(
            "{}\nReplicas outside the band, by more than one: {:.1} % of the time. The rate is {:.1} % off on average.\n",
            table.text(),
            100.0 * self.outside,
            self.rate
        )
    }
}

fn ready(run: &Timeline) -> Vec<f64> {
    let moments = run.moments.iter();
    moments.map(|moment| f64::from(moment.ready)).collect()
}

/// When there were most, and how many.
fn peak(replicas: &[f64]) -> (usize, f64) {
    let seconds = replicas.iter().copied().enumerate();
    seconds
        .reduce(|most, next| if next.1 > most.1 { next } else { most })
        .unwrap_or_default()
}

/// Seconds from the peak until there were fewer.
fn held(replicas: &[f64]) -> Option<f64> {
    let (at, most) = peak(replicas);
    let fewer = replicas[at..].iter().position(|count| *count < most)?;
    Some(float(fewer))
}

#[expect(clippy::cast_precision_loss, reason = "seconds and runs are few")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::scenario::Short;

    /// A file as a suite would write it, of a run with a phase of its own and with `factor` times the replicas.
    fn file(settings: &Settings, factor: u32) -> String {
        let scenario = Short::Step.scenario(settings.pods.capacity);
        let run = scenario.run(settings, 2);
        let mut text = "time,load,rate,replicas,p99\n".to_owned();
        for (second, moment) in run.moments.iter().enumerate().step_by(5) {
            let told = moment.told.unwrap_or_default();
            let replicas = moment.ready * factor;
            _ = writeln!(text, "{second}.4,{},{told},{replicas},1", moment.load);
        }
        text.replacen("0.4,", "0,", 1)
    }

    #[test]
    fn what_the_simulation_would_have_done_is_within_the_band() {
        let settings = Settings::of_operator();
        let measured = Measured::parse(&file(&settings, 1)).unwrap();
        let deviation = measured.compare(&settings, &[]);
        assert!(deviation.outside < 0.01, "{deviation:?}");
        assert!(deviation.rate < 8.0, "{deviation:?}");
        assert!(deviation.scaled_out.is_within(5.0), "{deviation:?}");
        assert!(deviation.text().contains("replica-hours"));
    }

    #[test]
    fn twice_the_replicas_are_outside_of_it() {
        let settings = Settings::of_operator();
        let measured = Measured::parse(&file(&settings, 2)).unwrap();
        let deviation = measured.compare(&settings, &[]);
        assert!(deviation.outside > 0.9, "{deviation:?}");
        assert!(deviation.most.measured > deviation.most.greatest);
    }

    #[test]
    fn a_file_without_what_is_needed_is_told() {
        let error = |text: &str| Measured::parse(text).unwrap_err().to_string();
        assert!(error("time,load,rate\n0,1,1\n90,1,1\n").contains("no column `replicas`"));
        assert!(
            error("time,load,rate,replicas\n0,1,1,2\n9,1,1,2\n").contains("less than a minute")
        );
    }
}
