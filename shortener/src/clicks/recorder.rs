//! Drains a journal into the database, each record exactly once.
//!
//! A batch of clicks, their roll-ups and the journal's new position are one transaction, and the position is moved only if
//! it still stands where the batch began. So whatever becomes of a transaction whose outcome nobody heard, the position in
//! the database tells; after a failure it is asked, and reading goes on from there. After a fail-over to a standby that
//! lagged behind, it stands further back, and what the standby never got is recorded again.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    collector::{Batch, Collector},
    journal::{Position, Reader},
    metrics::ClickMetrics,
    refused::RefusedClicks,
    row::Interpreter,
    store, write,
};
use crate::database::{Db, failure, timestamp::Timestamp};

/// How many clicks are recorded at once to begin with.
const FIRST_BATCH: usize = 4_000;

/// The more at once, the fewer roll-ups are written for them. Only a backlog makes batches this large, and then a barrier
/// has to wait for all of it anyway.
const MAX_BATCH: usize = 32_000;

/// A batch that took less lets the next one be larger; one that took much longer, smaller.
const GOOD_PACE: Duration = Duration::from_millis(500);

/// Waits between tries while the database is away.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A transaction that takes longer has lost its connection without being told, or has too much to do.
const RECORD_TIMEOUT: Duration = Duration::from_secs(10);

/// A failure that goes on is told this often.
const REMINDER: Duration = Duration::from_mins(1);

/// Failures in a row after which a journal that is not one's own is left for later.
const MAX_FAILURES: u32 = 10;

/// Records one journal.
#[derive(Debug)]
pub struct Recorder {
    db: Db,
    origin: Origin,
    metrics: Arc<ClickMetrics>,
    refused: Arc<RefusedClicks>,
    collector: Collector,
    /// Where the database says that the journal is recorded up to; `None` when that has to be asked.
    recorded: Option<Position>,
    /// Halved when the database refuses a batch, until the one bad record is alone.
    batch_limit: usize,
    pause: Duration,
    /// Whether there has never been a record, here or in the database.
    is_empty: bool,
    /// The failure that was told last, and when.
    told: Option<(String, Instant)>,
}

/// Which journal is recorded, and by whom.
#[derive(Clone, Debug)]
pub struct Origin {
    pub journal: String,
    /// Who drains it.
    pub replica: String,
    /// The machine and the folder, for people.
    pub place: String,
}

/// What one turn did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Everything up to here is recorded, and there may be more.
    Recorded(Position),
    /// There is nothing after this.
    AtEnd(Position),
}

impl Recorder {
    pub fn new(
        db: Db,
        origin: Origin,
        reader: Reader,
        interpreter: Interpreter,
        metrics: Arc<ClickMetrics>,
        refused: Arc<RefusedClicks>,
    ) -> Self {
        let for_postgres = db.background().is_some();
        Self {
            db,
            origin,
            metrics,
            refused,
            collector: Collector::new(reader, interpreter, for_postgres),
            recorded: None,
            batch_limit: FIRST_BATCH,
            pause: FIRST_PAUSE,
            is_empty: true,
            told: None,
        }
    }

    /// Records until the end of the journal, and tells where that is. Gives up if the database stays away.
    pub async fn drain(&mut self) -> anyhow::Result<Position> {
        let mut failures = 0;
        loop {
            match self.turn().await {
                Ok(Turn::AtEnd(position)) => return Ok(position),
                Ok(Turn::Recorded(_)) => failures = 0,
                Err(error) => {
                    failures += 1;
                    if failures == MAX_FAILURES {
                        return Err(error);
                    }
                    self.pause_after(&error).await?;
                }
            }
        }
    }

    /// One turn; if the database is away, a pause instead, after which the position is asked for anew.
    pub async fn turn_or_pause(&mut self) -> anyhow::Result<Turn> {
        loop {
            match self.turn().await {
                Ok(turn) => {
                    if self.told.take().is_some() {
                        tracing::info!(journal.id = self.origin.journal, "recording clicks again");
                    }
                    self.pause = FIRST_PAUSE;
                    return Ok(turn);
                }
                Err(error) => self.pause_after(&error).await?,
            }
        }
    }

    async fn pause_after(&mut self, error: &anyhow::Error) -> anyhow::Result<()> {
        self.metrics.failures.inc();
        anyhow::ensure!(
            !self.collector.is_lost(),
            "the reader of the journal is lost: {error:#}"
        );
        self.recorded = None;
        let reason = format!("{error:#}");
        let is_news = self
            .told
            .as_ref()
            .is_none_or(|(told, at)| *told != reason || at.elapsed() >= REMINDER);
        if is_news {
            tracing::warn!(
                journal.id = self.origin.journal,
                error = reason,
                "clicks stay in the journal until they can be recorded"
            );
            self.told = Some((reason, Instant::now()));
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }

    /// Whether the journal has never held a record, as far as is known.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Asks the database at the next turn how far it has got.
    pub fn forget_position(&mut self) {
        self.recorded = None;
    }

    /// How many damaged stretches were skipped.
    pub fn damaged(&self) -> u64 {
        self.collector.damaged()
    }

    /// Records one batch.
    pub async fn turn(&mut self) -> anyhow::Result<Turn> {
        let from = match self.recorded {
            Some(position) => position,
            None => self.find_position().await?,
        };
        let batch = self.collector.next(from, self.batch_limit).await?;
        if batch.to == from {
            return Ok(Turn::AtEnd(from));
        }
        self.is_empty &= batch.records == 0;
        self.set_unreadable_aside(&batch)?;
        // A full batch has more behind it. Otherwise, what comes in meanwhile is best recorded together.
        if batch.records == self.batch_limit {
            self.collector.look_ahead(batch.to, self.batch_limit);
        }
        let started = Instant::now();
        let recorded = tokio::time::timeout(RECORD_TIMEOUT, self.record(&batch)).await;
        let Ok(recorded) = recorded else {
            self.batch_limit = (batch.records / 2).max(1);
            anyhow::bail!("the database did not take a batch in time");
        };
        match recorded {
            Ok(true) => {}
            Ok(false) => anyhow::bail!("the journal's position was moved by somebody else"),
            Err(error) if failure::is_refusal(&error) => {
                return self.narrow_down(batch, &error).await;
            }
            Err(error) => {
                self.collector.give_back(batch);
                return Err(error.into());
            }
        }
        let took = started.elapsed();
        self.metrics.note_batch(batch.clicks.rows.len(), took);
        if took < GOOD_PACE {
            self.batch_limit = (self.batch_limit * 2).min(MAX_BATCH);
        } else if took > 4 * GOOD_PACE {
            self.batch_limit = (self.batch_limit / 2).max(1);
        }
        self.recorded = Some(batch.to);
        Ok(Turn::Recorded(batch.to))
    }

    /// What this version does not understand may be a newer one's: it is kept.
    fn set_unreadable_aside(&self, batch: &Batch) -> anyhow::Result<()> {
        for record in &batch.unreadable {
            self.refused
                .set_aside(record, "written by another version")?;
            self.metrics.unreadable.inc();
        }
        Ok(())
    }

    /// Where the database says that recording goes on.
    async fn find_position(&mut self) -> sqlx::Result<Position> {
        let known = store::position(&self.db, &self.origin.journal).await?;
        if known.is_none() {
            store::register(&self.db, &self.origin, Timestamp::now()).await?;
        }
        let position = known.unwrap_or(Position::START);
        self.is_empty &= position == Position::START;
        self.recorded = Some(position);
        Ok(position)
    }

    /// One transaction: clicks, roll-ups, position. False if the position was not where we thought.
    async fn record(&self, batch: &Batch) -> sqlx::Result<bool> {
        let mut tx = self.db.begin_background().await?;
        if !store::advance(tx.conn(), &self.origin.journal, batch.from, batch.to).await? {
            return Ok(false);
        }
        write::write(&mut tx, &batch.clicks).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Finds the record that the database refuses, by halves; sets it aside and goes on behind it.
    async fn narrow_down(&mut self, batch: Batch, error: &sqlx::Error) -> anyhow::Result<Turn> {
        if batch.records > 1 {
            self.batch_limit = batch.records / 2;
            return Ok(Turn::Recorded(batch.from));
        }
        self.refused.set_aside(&batch.first, &error.to_string())?;
        let mut tx = self.db.begin_background().await?;
        if !store::advance(tx.conn(), &self.origin.journal, batch.from, batch.to).await? {
            anyhow::bail!("the journal's position was moved by somebody else");
        }
        tx.commit().await?;
        self.metrics.refused.inc();
        self.recorded = Some(batch.to);
        Ok(Turn::Recorded(batch.to))
    }
}
