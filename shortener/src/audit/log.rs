//! Collects entries and writes them in batches.

use std::{sync::Arc, time::Duration};

use prometheus::{IntCounter, Registry};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Entry, store};
use crate::{
    database::{Db, failure, timestamp::Timestamp},
    metrics::registered,
    shutdown::Tasks,
};

/// How long an entry may wait for others. On SQLite, where every write waits for the disk, this is four waits a second.
const GATHERING: Duration = Duration::from_millis(250);

/// Entries written at once.
const BATCH: usize = 500;

/// Entries that wait while the database is away; some minutes' worth of people, some seconds' of programs.
const WAITING: usize = 1 << 14;

/// The pause after a write that failed.
const RETRY: Duration = Duration::from_secs(1);

/// How long a reader waits for what was done before, and the process, at its end, for the last entries.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often entries that are too old are removed, and how many at a time.
const CLEANING: Duration = Duration::from_hours(1);
const CLEANED: i64 = 1_000;

/// The end that entries are given to.
#[derive(Clone, Debug)]
pub struct AuditLog {
    queue: mpsc::Sender<Message>,
    stop: CancellationToken,
    metrics: Arc<AuditMetrics>,
}

#[derive(Debug)]
enum Message {
    Entry(Entry),
    /// To be answered when everything before it is written.
    Flush(oneshot::Sender<()>),
}

#[derive(Debug)]
pub struct AuditMetrics {
    lost: IntCounter,
}

impl AuditMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let lost = IntCounter::new(
            "shortener_audit_entries_lost_total",
            "Entries of the audit log that were not kept, because the database was away for too long.",
        )?;
        Ok(Self {
            lost: registered(registry, lost)?,
        })
    }
}

impl AuditLog {
    /// Starts the workers that write, and that remove what is older than `days` (0: nothing is).
    pub fn start(db: &Db, days: u64, tasks: &Tasks, metrics: Arc<AuditMetrics>) -> Self {
        let (queue, entries) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        let writing = write(db.clone(), entries, Arc::clone(&metrics), stop.clone());
        tasks.spawn_worker("audit log", stop.clone(), writing);
        tasks.spawn_worker(
            "audit log's retention",
            stop.clone(),
            clean(db.clone(), days, stop.clone()),
        );
        Self {
            queue,
            stop,
            metrics,
        }
    }

    /// Ends what belongs to access beside the log, too.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    pub fn add(&self, entry: Entry) {
        if self.queue.try_send(Message::Entry(entry)).is_err() {
            self.metrics.lost.inc();
        }
    }

    /// Waits until what was added before is written, or it takes too long.
    pub async fn flush(&self) {
        let (written, is_written) = oneshot::channel();
        let flushing = async {
            if self.queue.send(Message::Flush(written)).await.is_ok() {
                is_written.await.ok();
            }
        };
        timeout(PATIENCE, flushing).await.ok();
    }

    /// Writes what is left and ends the workers. To be called when no request is under way any more.
    pub async fn finish(&self) {
        self.flush().await;
        self.stop.cancel();
    }
}

async fn write(
    db: Db,
    mut queue: mpsc::Receiver<Message>,
    metrics: Arc<AuditMetrics>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut batch = Vec::new();
    let mut waiting = Vec::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = gather(&mut queue, &mut batch, &mut waiting) => {}
        }
        let stored = store_batch(&db, &batch);
        let is_stored = tokio::select! {
            is_stored = stored => is_stored,
            () = stop.cancelled() => false,
        };
        if !is_stored {
            metrics
                .lost
                .inc_by(batch.len().try_into().unwrap_or(u64::MAX));
        }
        batch.clear();
        for waiting in waiting.drain(..) {
            // Whoever gave up meanwhile needs no answer.
            let waiting: oneshot::Sender<()> = waiting;
            waiting.send(()).ok();
        }
    }
}

/// Tries until it succeeds, or never will. After an unclear commit an entry may be there twice, which is better than not at all.
async fn store_batch(db: &Db, batch: &[Entry]) -> bool {
    let mut is_told = false;
    loop {
        match store::insert_all(db, batch).await {
            Ok(()) => return true,
            Err(error) if failure::is_refusal(&error) => {
                tracing::error!(%error, "entries of the audit log were refused");
                return false;
            }
            Err(error) if !is_told => {
                is_told = true;
                tracing::warn!(%error, "the audit log could not be written; trying again");
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Takes what comes until there is enough, or somebody waits, or time is up.
async fn gather(
    queue: &mut mpsc::Receiver<Message>,
    batch: &mut Vec<Entry>,
    waiting: &mut Vec<oneshot::Sender<()>>,
) {
    let mut deadline = None;
    while batch.len() < BATCH && waiting.is_empty() {
        let message = match deadline {
            None => queue.recv().await,
            Some(deadline) => tokio::select! {
                message = queue.recv() => message,
                () = sleep_until(deadline) => return,
            },
        };
        match message {
            Some(Message::Entry(entry)) => batch.push(entry),
            Some(Message::Flush(waits)) => waiting.push(waits),
            // Nobody is left who could add something; `stop` comes.
            None => std::future::pending().await,
        }
        deadline.get_or_insert_with(|| Instant::now() + GATHERING);
    }
}

/// Removes what is older than `days`, a little at a time.
async fn clean(db: Db, days: u64, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        if days > 0 {
            match remove_older(&db, days).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "removed old entries of the audit log"),
                Err(error) => tracing::warn!(%error, "old entries of the audit log stay for now"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(CLEANING) => {}
        }
    }
}

async fn remove_older(db: &Db, days: u64) -> sqlx::Result<u64> {
    let age = i64::try_from(days)
        .unwrap_or(i64::MAX)
        .saturating_mul(86_400_000_000);
    let Some(oldest) = Timestamp::from_micros(Timestamp::now().micros().saturating_sub(age)) else {
        return Ok(0);
    };
    let mut removed = 0;
    loop {
        let step = store::remove_before(db, oldest, CLEANED).await?;
        removed += step;
        if step < CLEANED.unsigned_abs() {
            return Ok(removed);
        }
    }
}
