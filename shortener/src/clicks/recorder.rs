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
    rollup::OpenDay,
    row::Interpreter,
    store::{self, ChangedDay, DayColumns, DayKey},
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

/// A transaction that takes longer has lost its connection without being told.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);

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
        }
    }

    /// Records until the end of the journal, however long the database is away meanwhile. Returns where the end was.
    pub async fn drain(&mut self) -> anyhow::Result<Position> {
        loop {
            if let Turn::AtEnd(position) = self.turn_or_pause().await? {
                return Ok(position);
            }
        }
    }

    /// One turn; if the database is away, a pause instead, after which the position is asked for anew.
    pub async fn turn_or_pause(&mut self) -> anyhow::Result<Turn> {
        loop {
            let error = match tokio::time::timeout(TURN_TIMEOUT, self.turn()).await {
                Ok(Ok(turn)) => {
                    if self.pause > FIRST_PAUSE {
                        tracing::info!(journal.id = self.origin.journal, "recording clicks again");
                    }
                    self.pause = FIRST_PAUSE;
                    return Ok(turn);
                }
                Ok(Err(error)) => error.context("clicks could not be recorded"),
                Err(_) => {
                    // It may be alive, and slow.
                    self.batch_limit = (self.batch_limit / 2).max(1);
                    anyhow::anyhow!("the database did not answer")
                }
            };
            if self.collector.is_lost() {
                return Err(error);
            }
            self.recorded = None;
            if self.pause == FIRST_PAUSE {
                tracing::warn!(
                    journal.id = self.origin.journal,
                    error = format!("{error:#}"),
                    "clicks stay in the journal until they can be recorded"
                );
            }
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
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
        // A full batch has more behind it. Otherwise, what comes in meanwhile is best recorded together.
        if batch.records == self.batch_limit {
            self.collector.look_ahead(batch.to, self.batch_limit);
        }
        let started = Instant::now();
        match self.record(&batch).await {
            Ok(true) => {}
            Ok(false) => anyhow::bail!("the journal's position was moved by somebody else"),
            Err(error) if failure::is_refusal(&error) => {
                return self.narrow_down(batch, &error).await;
            }
            Err(error) => return Err(error.into()),
        }
        let took = started.elapsed();
        self.metrics.note_batch(batch.rows.len(), took);
        self.metrics.unreadable.inc_by(batch.unreadable);
        if took < GOOD_PACE {
            self.batch_limit = (self.batch_limit * 2).min(MAX_BATCH);
        } else if took > 4 * GOOD_PACE {
            self.batch_limit = (self.batch_limit / 2).max(1);
        }
        self.recorded = Some(batch.to);
        Ok(Turn::Recorded(batch.to))
    }

    /// Where the database says that recording goes on.
    async fn find_position(&mut self) -> sqlx::Result<Position> {
        let known = store::position(&self.db, &self.origin.journal).await?;
        if known.is_none() {
            store::register(&self.db, &self.origin, Timestamp::now()).await?;
        }
        let position = known.unwrap_or(Position::START);
        self.recorded = Some(position);
        Ok(position)
    }

    /// One transaction: clicks, roll-ups, position. False if the position was not where we thought.
    async fn record(&self, batch: &Batch) -> sqlx::Result<bool> {
        let mut tx = self.db.begin_background().await?;
        if !store::advance(tx.conn(), &self.origin.journal, batch.from, batch.to).await? {
            return Ok(false);
        }
        store::insert_clicks(&mut tx, &batch.rows, &batch.text).await?;
        if !batch.days.is_empty() {
            let keys: Vec<DayKey> = batch.days.keys().copied().collect();
            let mut stored = store::lock_days(&mut tx, &keys).await?;
            let changed = keys
                .iter()
                .map(|key| count(batch, *key, stored.remove(key)));
            let changed = changed.collect::<sqlx::Result<_>>()?;
            store::write_days(&mut tx, changed).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Finds the record that the database refuses, by halves; sets it aside and goes on behind it.
    async fn narrow_down(&mut self, batch: Batch, error: &sqlx::Error) -> anyhow::Result<Turn> {
        if batch.records > 1 {
            self.batch_limit = batch.records / 2;
            return Ok(Turn::Recorded(batch.from));
        }
        self.refused.set_aside(&batch.last, &error.to_string())?;
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

/// Counts the clicks of `batch` that belong to the roll-up at `key`, which is `stored` unless it is new.
fn count(batch: &Batch, key: DayKey, stored: Option<DayColumns>) -> sqlx::Result<ChangedDay> {
    let is_new = stored.is_none();
    let (rollup, visitors) = stored.unwrap_or_default();
    let mut day = OpenDay::from_bytes(&rollup, &visitors)
        .map_err(|error| sqlx::Error::Decode(error.into()))?;
    for index in &batch.days[&key] {
        batch.rows[*index].counted(|click| day.count(click));
    }
    let columns = day.into_bytes();
    Ok(ChangedDay {
        key,
        has_new_visitors: columns.1 != visitors,
        columns,
        is_new,
    })
}
