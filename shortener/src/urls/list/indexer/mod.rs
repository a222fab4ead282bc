//! Keeps the index of words, behind the writes: whatever is made or edited waits in a queue until it is indexed.
//!
//! The queue is filled by triggers, in the transaction of the write and also by an older version of the service during a
//! rollout. A search reads what waits as if it had every word, so that its answers are exact at any time; only their speed
//! depends on this task. Words are never taken out again: a place that has lost one is read in vain.

mod store;

use std::{sync::Arc, time::Duration};

use prometheus::{IntGauge, Registry};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{database::Db, metrics::registered};

/// How many URLs are indexed in one transaction: on SQLite, creates wait for it.
const BATCH: i64 = 256;

/// How often the queue is looked at while it is short.
const PAUSE: Duration = Duration::from_millis(500);

/// How often the queue is measured, and how far.
const MEASURING: Duration = Duration::from_secs(1);
const MOST_MEASURED: i64 = 100_000;

#[derive(Debug)]
pub struct IndexMetrics {
    unindexed: IntGauge,
}

impl IndexMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let unindexed = IntGauge::new(
            "shortener_search_unindexed_urls",
            "URLs that wait for the index of words, at most 100000: searches read each of them. Every replica tells of the same queue.",
        )?;
        Ok(Self {
            unindexed: registered(registry, unindexed)?,
        })
    }
}

pub async fn run(
    db: Db,
    metrics: Arc<IndexMetrics>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut is_told = false;
    let mut measured: Option<Instant> = None;
    loop {
        if measured.is_none_or(|at| at.elapsed() >= MEASURING) {
            measured = Some(Instant::now());
            // What stands in the way of it is told below.
            if let Ok(count) = store::count_unindexed(&db, MOST_MEASURED).await {
                metrics.unindexed.set(count);
            }
        }
        let has_more = match store::index_some(&db, BATCH).await {
            Ok(indexed) => {
                is_told = false;
                indexed >= BATCH.unsigned_abs()
            }
            Err(error) => {
                if !is_told {
                    tracing::warn!(%error, "the words of new URLs are not indexed for now; searches take longer");
                    is_told = true;
                }
                false
            }
        };
        let pause = if has_more { Duration::ZERO } else { PAUSE };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}
