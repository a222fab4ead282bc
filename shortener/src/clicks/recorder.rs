//! Drains a journal into the database, each record exactly once.
//!
//! A batch of clicks, their roll-ups and the journal's new position are one transaction, and the position is moved only if
//! it still stands where the batch began. So whatever becomes of a transaction whose outcome nobody heard, the position in
//! the database tells; after a failure it is asked, and reading goes on from there. After a fail-over to a standby that
//! lagged behind, it stands further back, and what the standby never got is recorded again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::time::Instant;

use super::{
    journal::{Position, Reader},
    metrics::ClickMetrics,
    refused::RefusedClicks,
    rollup::OpenDay,
    row::{ClickRow, Interpreter},
    store::{self, DayKey},
};
use crate::database::{Db, failure, timestamp::Timestamp};

/// Enough to make the cost per batch small; few enough that a barrier does not wait long for one.
const MAX_BATCH: usize = 4_000;

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
    // Moved to a blocking thread and back at each turn.
    tools: Option<Tools>,
    /// Where the database says that the journal is recorded up to; `None` when that has to be asked.
    recorded: Option<Position>,
    /// Halved when the database refuses a batch, until the one bad record is alone.
    batch_limit: usize,
    pause: Duration,
}

struct Tools {
    reader: Reader,
    interpreter: Interpreter,
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tools")
    }
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

struct Batch {
    rows: Vec<ClickRow>,
    from: Position,
    to: Position,
    records: usize,
    /// The first record read, to set aside if it is the only one and is refused.
    first: Vec<u8>,
    unreadable: u64,
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
        Self {
            db,
            origin,
            metrics,
            refused,
            tools: Some(Tools {
                reader,
                interpreter,
            }),
            recorded: None,
            batch_limit: MAX_BATCH,
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
                Err(_) => anyhow::anyhow!("the database did not answer"),
            };
            if self.tools.is_none() {
                // The blocking thread was cut off with the reader; there is no way to go on.
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
        self.tools
            .as_ref()
            .map_or(0, |tools| tools.reader.damaged())
    }

    /// Records one batch.
    pub async fn turn(&mut self) -> anyhow::Result<Turn> {
        let from = match self.recorded {
            Some(position) => position,
            None => self.find_position().await?,
        };
        let batch = self.collect(from).await?;
        if batch.to == from {
            return Ok(Turn::AtEnd(from));
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
        self.metrics.note_batch(batch.rows.len(), started.elapsed());
        self.metrics.unreadable.inc_by(batch.unreadable);
        self.batch_limit = (self.batch_limit * 2).min(MAX_BATCH);
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

    /// Reads the next records and makes sense of them, off the threads that serve requests.
    async fn collect(&mut self, from: Position) -> anyhow::Result<Batch> {
        let mut tools = self.tools.take().context("the reader is lost")?;
        let limit = self.batch_limit;
        let collecting = tokio::task::spawn_blocking(move || {
            let batch = collect(&mut tools, from, limit);
            (tools, batch)
        });
        let (tools, batch) = collecting.await.context("reading the journal panicked")?;
        self.tools = Some(tools);
        batch
    }

    /// One transaction: clicks, roll-ups, position. False if the position was not where we thought.
    async fn record(&self, batch: &Batch) -> sqlx::Result<bool> {
        let mut tx = self.db.begin_background().await?;
        if !store::advance(tx.conn(), &self.origin.journal, batch.from, batch.to).await? {
            return Ok(false);
        }
        store::insert_clicks(&mut tx, &batch.rows).await?;
        let mut clicks: BTreeMap<DayKey, Vec<&ClickRow>> = BTreeMap::new();
        for row in &batch.rows {
            let day = row.slot().day();
            clicks.entry((0, day)).or_default().push(row);
            clicks.entry((row.url_id, day)).or_default().push(row);
        }
        if !clicks.is_empty() {
            let keys: Vec<DayKey> = clicks.keys().copied().collect();
            let mut days = store::lock_days(&mut tx, &keys).await?;
            for (key, (rollup, visitors)) in &mut days {
                let mut day = OpenDay::from_bytes(rollup, visitors)
                    .map_err(|error| sqlx::Error::Decode(error.into()))?;
                for row in &clicks[key] {
                    row.counted(|click| day.count(click));
                }
                (*rollup, *visitors) = day.into_bytes();
            }
            store::write_days(&mut tx, days).await?;
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

fn collect(tools: &mut Tools, from: Position, limit: usize) -> anyhow::Result<Batch> {
    let Tools {
        reader,
        interpreter,
    } = tools;
    if reader.position() != from {
        reader.seek(from);
    }
    let mut batch = Batch {
        rows: Vec::new(),
        from,
        to: from,
        records: 0,
        first: Vec::new(),
        unreadable: 0,
    };
    while batch.records < limit {
        let Some(record) = reader.read().context("could not read the journal")? else {
            // What was skipped as damaged is behind us as well.
            batch.to = reader.position();
            break;
        };
        batch.records += 1;
        batch.to = record.after;
        match interpreter.row(record.bytes) {
            Ok(row) => batch.rows.push(row),
            Err(_) => batch.unreadable += 1,
        }
        if batch.records == 1 {
            batch.first = record.bytes.to_vec();
        }
    }
    Ok(batch)
}
