//! What the command line can say.

use std::path::PathBuf;

use anyhow::Context as _;

use super::{
    keda::Behavior,
    run::{Fault, Who},
    scenario::Short,
    settings::{CAPACITY, Second, Settings, UNEVEN},
};

/// Simulates how many replicas autoscaling makes of a load: Prometheus, KEDA, the HorizontalPodAutoscaler and the start of pods, second
/// by second, without a cluster and without waiting.
#[derive(clap::Parser, Debug)]
#[command(name = "shortener-simulate", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub command: Command,

    #[command(flatten)]
    pub chain: Chain,
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Prints the tables of docs/autoscaling.md and docs/capacity.md.
    Tables,

    /// Writes those tables, and the drawings, into the documents.
    Write {
        /// The repository.
        #[arg(long, default_value = ".")]
        root: PathBuf,
    },

    /// Runs one load and says what came of it.
    Run {
        /// One of the loads of docs/autoscaling.md.
        #[arg(long, required_unless_present = "trace")]
        scenario: Option<Short>,

        /// A load of your own: a CSV file with the columns `time` (seconds from 0) and `load` (requests a second).
        #[arg(long, conflicts_with = "scenario")]
        trace: Option<PathBuf>,

        /// Prometheus is away from one second until before another, such as 300-900.
        #[arg(long, value_parser = away)]
        prometheus_away: Vec<Fault>,

        /// KEDA is away.
        #[arg(long, value_parser = keda_away)]
        keda_away: Vec<Fault>,

        /// Where the timeline is drawn, as SVG.
        #[arg(long)]
        svg: Option<PathBuf>,

        /// When Prometheus and the autoscaler happen to look.
        #[arg(long, default_value_t = 0)]
        seed: u32,
    },

    /// Compares what was measured with what is simulated, and ends with 1 if they are apart.
    Compare {
        /// A CSV file with the columns `time` (seconds from 0), `load` and `rate` (requests a second, as asked for and as Prometheus told
        /// it) and `replicas` (that are ready).
        measured: PathBuf,

        /// Prometheus was away from one second until before another, such as 300-900.
        #[arg(long, value_parser = away)]
        prometheus_away: Vec<Fault>,

        /// KEDA was away.
        #[arg(long, value_parser = keda_away)]
        keda_away: Vec<Fault>,

        /// Percent of the time in which replicas may be outside of what is simulated.
        #[arg(long, default_value_t = 10.0)]
        tolerated: f64,
    },
}

/// The settings of the chain. What is left out is as the operator and Kubernetes have it.
#[derive(clap::Args, Debug)]
pub(crate) struct Chain {
    /// Requests a second that a replica answers at most, as measured.
    #[arg(long, global = true, default_value_t = CAPACITY)]
    pub capacity: f64,

    /// What the busiest replica gets, in multiples of the mean.
    #[arg(long, global = true, default_value_t = UNEVEN)]
    pub uneven: f64,

    /// Requests a second that a replica is to answer (`target.requestRate.perReplica`).
    #[arg(long, global = true)]
    pub per_replica: Option<f64>,

    /// Seconds between two scrapes (`monitoring.serviceMonitor.interval`).
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub scrape: Option<Second>,

    /// Seconds over which the rate is taken.
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub window: Option<Second>,

    /// Seconds between two looks of the autoscaler (`--horizontal-pod-autoscaler-sync-period`).
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub sync: Option<Second>,

    /// How far metric ÷ target may be from 1 (`--horizontal-pod-autoscaler-tolerance`).
    #[arg(long, global = true)]
    pub tolerance: Option<f64>,

    /// Seconds for which fewer replicas must have been enough (`scaleDown.stabilizationSeconds`).
    #[arg(long, global = true)]
    pub stabilization: Option<Second>,

    /// Fewest replicas (`minReplicas`).
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub min: Option<u32>,

    /// Most replicas (`maxReplicas`).
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub max: Option<u32>,

    /// Replicas while Prometheus does not answer: `current:6` for `CurrentIfHigher`, `static:6` for `Static`, `none` for errors.
    #[arg(long, global = true, value_parser = fallback)]
    pub fallback: Option<Named>,

    /// KEDA uses cached metrics, and polls each so many seconds.
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub cached: Option<Second>,

    /// Seconds from a pod's creation until it gets requests.
    #[arg(long, global = true)]
    pub pod_start: Option<Second>,

    /// Seconds that a pod takes to end.
    #[arg(long, global = true)]
    pub drain: Option<Second>,
}

impl Chain {
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::of_operator();
        settings.pods.capacity = self.capacity;
        settings.pods.uneven = self.uneven;
        set(&mut settings.scraping.interval, self.scrape);
        set(&mut settings.scraping.window, self.window);
        set(&mut settings.autoscaler.sync, self.sync);
        set(&mut settings.autoscaler.tolerance, self.tolerance);
        set(
            &mut settings.autoscaler.down.stabilization,
            self.stabilization,
        );
        set(&mut settings.autoscaler.min, self.min);
        set(&mut settings.autoscaler.max, self.max);
        set(&mut settings.pods.start, self.pod_start);
        set(&mut settings.pods.drain, self.drain);
        settings.trigger.cached = self.cached;
        if let Some(requests) = self.per_replica {
            settings = settings.with_target(requests);
        }
        match self.fallback.unwrap_or(Named::Fewest) {
            Named::Fewest => {
                let replicas = settings.autoscaler.min;
                settings.with_fallback(Behavior::CurrentIfHigher, replicas)
            }
            Named::Replicas(behavior, replicas) => settings.with_fallback(behavior, replicas),
            Named::Nothing => settings.without_fallback(),
        }
    }
}

/// What is kept while Prometheus does not answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    /// What there is, and at least `minReplicas`: what the operator generates if nothing is named.
    Fewest,
    Replicas(Behavior, u32),
    Nothing,
}

fn set<T: Copy>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

fn away(text: &str) -> anyhow::Result<Fault> {
    fault(Who::Prometheus, text)
}

fn keda_away(text: &str) -> anyhow::Result<Fault> {
    fault(Who::Keda, text)
}

fn fault(who: Who, text: &str) -> anyhow::Result<Fault> {
    let (from, to) = text
        .split_once('-')
        .context("give two seconds, such as 300-900")?;
    Ok(Fault {
        who,
        from: from.parse()?,
        to: to.parse()?,
    })
}

fn fallback(text: &str) -> anyhow::Result<Named> {
    let known = "give `current:6`, `static:6` or `none`";
    if text == "none" {
        return Ok(Named::Nothing);
    }
    let (behavior, replicas) = text.split_once(':').context(known)?;
    let behavior = match behavior {
        "current" => Behavior::CurrentIfHigher,
        "static" => Behavior::Static,
        _ => anyhow::bail!(known),
    };
    Ok(Named::Replicas(behavior, replicas.parse()?))
}
