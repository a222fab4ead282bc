//! What is measured of clicks, from the append to the database.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

use super::journal::Gauges;
use crate::metrics::registered;

/// From a commit on a fast disk to a database under water.
const BATCH_BUCKETS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0];

#[derive(Debug)]
pub struct ClickMetrics {
    pub appended: IntCounter,
    pub lost: IntCounter,
    recorded: IntCounter,
    pub refused: IntCounter,
    pub failures: IntCounter,
    pub unreadable: IntCounter,
    pub damaged: IntCounter,
    /// The part of `damaged` that the own journal has told of.
    damaged_here: AtomicU64,
    batch_seconds: Histogram,
    pub barrier_seconds: Histogram,
    pub depth_bytes: IntGauge,
    pub disk_bytes: IntGauge,
    pub max_bytes: IntGauge,
    pub oldest_seconds: IntGauge,
    pub sync_errors: IntCounter,
    pub abandoned: IntGauge,
    pub adopted: IntCounter,
    pub replicas: IntGauge,
}

impl ClickMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name, help| registered(registry, IntCounter::new(name, help)?);
        let gauge = |name, help| registered(registry, IntGauge::new(name, help)?);
        let seconds = |name, help| {
            let opts = HistogramOpts::new(name, help).buckets(BATCH_BUCKETS.to_vec());
            registered(registry, Histogram::with_opts(opts)?)
        };
        Ok(Self {
            appended: counter(
                "shortener_clicks_appended_total",
                "Clicks written to the journal.",
            )?,
            lost: counter(
                "shortener_clicks_lost_total",
                "Clicks of answered redirects that the journal had no room for.",
            )?,
            recorded: counter(
                "shortener_clicks_recorded_total",
                "Clicks committed to the database.",
            )?,
            refused: counter(
                "shortener_clicks_refused_total",
                "Clicks that the database refused, set aside in refused-clicks.jsonl.",
            )?,
            failures: counter(
                "shortener_recorder_failures_total",
                "Batches of clicks that could not be committed, and were tried again.",
            )?,
            unreadable: counter(
                "shortener_clicks_unreadable_total",
                "Journal records that this version does not understand, set aside in refused-clicks.jsonl.",
            )?,
            damaged: counter(
                "shortener_journal_damaged_total",
                "Damaged stretches that were skipped when reading a journal.",
            )?,
            damaged_here: AtomicU64::new(0),
            batch_seconds: seconds(
                "shortener_recorder_batch_seconds",
                "Time to commit a batch of clicks.",
            )?,
            barrier_seconds: seconds(
                "shortener_barrier_seconds",
                "Time until every replica had recorded the clicks that it held.",
            )?,
            depth_bytes: gauge(
                "shortener_journal_depth_bytes",
                "Bytes in the journal that are not in the database yet.",
            )?,
            disk_bytes: gauge(
                "shortener_journal_disk_bytes",
                "Bytes that the journal takes on the disk.",
            )?,
            max_bytes: gauge(
                "shortener_journal_max_bytes",
                "Bytes that the journal may take on the disk; beyond them, clicks are lost.",
            )?,
            oldest_seconds: gauge(
                "shortener_journal_oldest_seconds",
                "Age of the oldest click that is not in the database yet.",
            )?,
            sync_errors: counter(
                "shortener_journal_sync_errors_total",
                "Times that the journal could not be synced to the disk.",
            )?,
            abandoned: gauge(
                "shortener_journals_abandoned",
                "Journals with clicks not recorded whose process is gone, and which nobody has adopted.",
            )?,
            adopted: counter(
                "shortener_journals_adopted_total",
                "Journals of dead processes that this one recorded to the end.",
            )?,
            replicas: gauge(
                "shortener_replicas",
                "Live processes that share the database, this one included.",
            )?,
        })
    }

    /// Takes over what the journal measures of itself.
    pub fn take(&self, gauges: &Gauges) {
        let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.depth_bytes.set(whole(gauges.depth_bytes));
        self.disk_bytes.set(whole(gauges.disk_bytes));
        self.oldest_seconds
            .set(whole(gauges.oldest_undrained.as_secs()));
        // Counted there from the start, as here.
        self.sync_errors
            .inc_by(gauges.sync_errors.saturating_sub(self.sync_errors.get()));
        let damaged = gauges
            .damaged
            .saturating_sub(self.damaged_here.swap(gauges.damaged, Ordering::Relaxed));
        self.damaged.inc_by(damaged);
    }

    /// Counts a click that was recorded while its visitor waited.
    pub fn note_direct(&self) {
        self.recorded.inc();
    }

    pub fn note_batch(&self, clicks: usize, took: Duration) {
        self.recorded.inc_by(clicks as u64);
        self.batch_seconds.observe(took.as_secs_f64());
    }
}
