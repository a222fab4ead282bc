//! What `make test-e2e` has measured on a cluster of two nodes, `cluster.csv`, beside the simulation of it.

use super::{
    keda::Behavior,
    measured::{Deviation, Measured},
    settings::Settings,
};

/// The `scaling.csv` of a run, from the moment on when everything is steady.
const TIMELINE: &str = include_str!("cluster.csv");

/// As `tests/e2e/scale.rs` and `scripts/cluster/manifests/prometheus.yaml` have them, and as long as pods took to start in that run.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::of_operator()
        .with_target(20.0)
        .with_stabilization(30)
        .with_fallback(Behavior::CurrentIfHigher, 3);
    settings.scraping.interval = 5;
    settings.autoscaler.max = 6;
    settings.pods.start = START;
    settings
}

/// Seconds.
const START: u32 = 5;

pub(crate) fn deviation() -> Deviation {
    let measured = Measured::parse(TIMELINE).expect("a test reads it");
    measured.compare(&settings(), &[])
}
