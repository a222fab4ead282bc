//! What is measured of links and their caches.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry};

use crate::metrics::registered;

/// From one commit to a replica that died and is waited for.
const BARRIER_BUCKETS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5];

/// Where the link of a redirect came from; the label `source`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    Memory,
    Redis,
    Database,
    /// A cache, while the database could not be asked whether it still holds.
    Stale,
}

impl Source {
    pub fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Database => "database",
            Self::Stale => "stale",
        }
    }
}

#[derive(Debug)]
pub struct LinkMetrics {
    memory: IntCounter,
    redis: IntCounter,
    database: IntCounter,
    stale: IntCounter,
    pub(super) refused: IntCounter,
    pub(super) links: IntGauge,
    pub(super) bytes: IntGauge,
    pub(super) trusted: IntGauge,
    pub(super) barrier_seconds: Histogram,
}

impl LinkMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let lookups = |source: Source| {
            let opts = Opts::new(
                "shortener_redirect_lookups_total",
                "Look-ups of short codes by where the answer came from; `stale` could not be confirmed by the database.",
            )
            .const_label("source", source.label());
            registered(registry, IntCounter::with_opts(opts)?)
        };
        let gauge = |name, help| registered(registry, IntGauge::new(name, help)?);
        let barrier = HistogramOpts::new(
            "shortener_edit_barrier_seconds",
            "Time from the commit of a change until every replica obeyed it.",
        )
        .buckets(BARRIER_BUCKETS.to_vec());
        let refused = IntCounter::new(
            "shortener_redirect_lookups_refused_total",
            "Look-ups of short codes that were not made, since too many were waiting.",
        )?;
        Ok(Self {
            memory: lookups(Source::Memory)?,
            redis: lookups(Source::Redis)?,
            database: lookups(Source::Database)?,
            stale: lookups(Source::Stale)?,
            refused: registered(registry, refused)?,
            links: gauge("shortener_cache_links", "Links in this process's cache.")?,
            bytes: gauge(
                "shortener_cache_bytes",
                "Bytes that the links in this process's cache take, about.",
            )?,
            trusted: gauge(
                "shortener_cache_trusted",
                "1 while this process surely hears of every change to what it has cached, else 0.",
            )?,
            barrier_seconds: registered(registry, Histogram::with_opts(barrier)?)?,
        })
    }

    /// Counts a look-up.
    pub fn count(&self, source: Source) {
        match source {
            Source::Memory => self.memory.inc(),
            Source::Redis => self.redis.inc(),
            Source::Database => self.database.inc(),
            Source::Stale => self.stale.inc(),
        }
    }
}
