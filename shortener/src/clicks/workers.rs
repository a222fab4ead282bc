//! The loops behind clicks: one that records, one that tends to the journal.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    journal::{Journal, Position},
    metrics::ClickMetrics,
    recorder::{Recorder, Turn},
};
use crate::replicas::Replicas;

/// How often segments are tended to.
const MAINTENANCE: Duration = Duration::from_secs(1);

/// Under load, so much is synced at a time, without waiting for the interval: a thousand pages take the kernel
/// milliseconds of processor time, in which visitors wait. Much less at a time takes more of it in all.
const MUCH: u64 = 256 << 10;

/// How often it is looked whether there is so much.
const LOOK: Duration = Duration::from_millis(20);

/// How often an idle recorder asks the database whether it still has what was recorded: a fail-over may have gone back.
const RECHECK: Duration = Duration::from_secs(1);

/// Records as soon as there is something to record, and tells up to where it has.
pub(super) async fn record(
    mut recorder: Recorder,
    journal: Arc<Journal>,
    wake: Arc<Notify>,
    progress: watch::Sender<Position>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let turn = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            turn = recorder.turn_or_pause() => turn?,
        };
        let (Turn::Recorded(position) | Turn::AtEnd(position)) = turn;
        progress.send_replace(position);
        if turn == Turn::AtEnd(position) && journal.rest(position) {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = wake.notified() => {}
                () = tokio::time::sleep(RECHECK) => recorder.forget_position(),
            }
        }
    }
}

/// What is tended to.
pub(super) struct Upkeep {
    pub journal: Arc<Journal>,
    pub recorded: watch::Receiver<Position>,
    pub replicas: Option<Arc<Replicas>>,
    pub metrics: Arc<ClickMetrics>,
    pub sync_interval: Duration,
}

/// Tends to the journal's segments, syncs them, and takes its measures.
pub(super) async fn maintain(upkeep: Upkeep, stop: CancellationToken) -> anyhow::Result<()> {
    let (mut tended, mut synced) = (Instant::now(), Instant::now());
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(upkeep.sync_interval.min(LOOK)) => {}
        }
        let now = Instant::now();
        let tends = now.duration_since(tended) >= MAINTENANCE;
        let is_due = now.duration_since(synced) >= upkeep.sync_interval;
        if !tends && !is_due && upkeep.journal.unsynced_bytes() < MUCH {
            continue;
        }
        synced = now;
        if tends {
            tended = now;
        }
        let position = *upkeep.recorded.borrow();
        let journal = Arc::clone(&upkeep.journal);
        // Both wait for the disk.
        let work = tokio::task::spawn_blocking(move || {
            if tends {
                journal.maintain(now, position)?;
            }
            journal.sync()
        });
        match work.await.context("tending to the journal panicked")? {
            Ok(()) => is_failing = false,
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    let error = format!("{:#}", anyhow::Error::new(error));
                    tracing::error!(error, "the journal cannot be kept on the disk");
                }
            }
        }
        upkeep.metrics.take(&upkeep.journal.gauges());
        let live = upkeep
            .replicas
            .as_ref()
            .map_or(1, |replicas| replicas.live());
        upkeep.metrics.replicas.set(live);
    }
}
