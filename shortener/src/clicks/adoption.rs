//! Journals of processes that are gone: recorded to the end by whoever finds them first.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio_util::sync::CancellationToken;

use super::{
    journal::{DeadJournal, JournalDirectory, JournalId, Position, State},
    metrics::ClickMetrics,
    recorder::{Origin, Recorder},
    refused::RefusedClicks,
    row::Interpreter,
    store,
};
use crate::database::{Db, timestamp::Timestamp};

/// How often the folder is looked at. One's own last journal is to be found within a second of starting.
const LOOK: Duration = Duration::from_millis(500);

/// How long a journal that could not be adopted is left alone.
const RETRY: Duration = Duration::from_secs(10);

/// How often abandoned journals are counted, and adopted ones compared with the database.
const COUNT: Duration = Duration::from_secs(10);

/// What adopting takes.
#[derive(Debug)]
pub struct Adoption {
    pub directory: JournalDirectory,
    pub db: Db,
    /// This process, whose journals the adopted ones become.
    pub origin: Origin,
    pub own_hosts: Vec<String>,
    pub metrics: Arc<ClickMetrics>,
    pub refused: Arc<RefusedClicks>,
    pub retention: Duration,
}

/// A recorded journal. It is kept for a while, since a fail-over may lose what was recorded.
struct Adopted {
    journal: DeadJournal,
    end: Position,
    closed_at: SystemTime,
}

/// Adopts what is found, until `stop`.
pub async fn adopt(adoption: Adoption, stop: CancellationToken) -> anyhow::Result<()> {
    let mut known = Known::default();
    let mut counted: Option<Instant> = None;
    loop {
        let round = async {
            adoption.look(&mut known).await;
            if counted.is_none_or(|at| at.elapsed() >= COUNT) {
                counted = Some(Instant::now());
                adoption.review(&mut known.adopted).await;
                match store::count_abandoned(&adoption.db, &adoption.origin.replica).await {
                    Ok(count) => adoption.metrics.abandoned.set(count),
                    Err(error) => {
                        tracing::debug!(%error, "abandoned journals could not be counted");
                    }
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = round => {}
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

impl Adoption {
    async fn look(&self, known: &mut Known) {
        let found = match self.directory.journals() {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(error = %anyhow::Error::new(error), "the folder of journals cannot be read");
                return;
            }
        };
        for found in found {
            if found.state == State::Live || !known.may_try(found.id) {
                continue;
            }
            match self.directory.adopt(found.id) {
                Ok(Some(journal)) => match self.take_over(journal, found.state).await {
                    Some(adopted) => {
                        known.adopted.insert(found.id, adopted);
                    }
                    None => known.failed(found.id),
                },
                Ok(None) => {}
                Err(error) => {
                    known.failed(found.id);
                    tracing::error!(
                        journal.id = %found.id,
                        error = %anyhow::Error::new(error),
                        "a journal cannot be adopted"
                    );
                }
            }
        }
    }

    /// Records a journal to its end. `None` if that has to be tried again, or nothing is left to keep.
    async fn take_over(&self, journal: DeadJournal, state: State) -> Option<Adopted> {
        let id = journal.id().to_string();
        let closed_at = match state {
            State::Closed { at } => at,
            State::Live | State::Dead => {
                tracing::info!(
                    journal.id = id,
                    "recording the clicks that a dead process left"
                );
                SystemTime::now()
            }
        };
        let is_over = closed_at.elapsed().is_ok_and(|age| age >= self.retention);
        if is_over {
            // Recorded to its end by its owner, and long enough ago.
            remove(journal);
            return None;
        }
        // A closed one is as its owner left it, unless a fail-over has taken that back: then its row is made anew.
        if state == State::Dead
            && let Err(error) =
                store::register(&self.db, &self.origin_of(&journal), Timestamp::now()).await
        {
            tracing::warn!(%error, "a journal cannot be adopted while the database is away");
            return None;
        }
        let (end, is_empty) = self.record(&journal).await?;
        if state == State::Dead {
            self.metrics.adopted.inc();
            if let Err(error) = journal.close() {
                tracing::warn!(journal.id = id, error = %anyhow::Error::new(error), "a recorded journal cannot be marked");
            }
        }
        if is_empty {
            remove(journal);
            return None;
        }
        Some(Adopted {
            journal,
            end,
            closed_at,
        })
    }

    /// An adopted journal is this process's.
    fn origin_of(&self, journal: &DeadJournal) -> Origin {
        Origin {
            journal: journal.id().to_string(),
            ..self.origin.clone()
        }
    }

    async fn record(&self, journal: &DeadJournal) -> Option<(Position, bool)> {
        let origin = self.origin_of(journal);
        let id = origin.journal.clone();
        let mut recorder = Recorder::new(
            self.db.clone(),
            origin,
            journal.reader(Position::START),
            Interpreter::new(self.own_hosts.clone()),
            Arc::clone(&self.metrics),
            Arc::clone(&self.refused),
        );
        let end = match recorder.drain().await {
            Ok(end) => end,
            Err(error) => {
                tracing::error!(
                    journal.id = id,
                    error = format!("{error:#}"),
                    "an adopted journal cannot be recorded"
                );
                return None;
            }
        };
        self.metrics.damaged.inc_by(recorder.damaged());
        if let Err(error) = store::close(&self.db, &id, Timestamp::now()).await {
            tracing::warn!(%error, "an adopted journal could not be closed; trying again");
            return None;
        }
        Some((end, recorder.is_empty()))
    }

    /// Records again what a fail-over lost, and removes what was recorded long enough ago.
    async fn review(&self, adopted: &mut HashMap<JournalId, Adopted>) {
        let mut over = Vec::new();
        for (id, kept) in adopted.iter_mut() {
            match store::position(&self.db, &id.to_string()).await {
                Ok(Some(position)) if position >= kept.end => {
                    if kept
                        .closed_at
                        .elapsed()
                        .is_ok_and(|age| age >= self.retention)
                    {
                        over.push(*id);
                    }
                }
                Ok(_) => {
                    if let Some((end, _)) = self.record(&kept.journal).await {
                        kept.end = end;
                        kept.closed_at = SystemTime::now();
                    }
                }
                Err(_) => {}
            }
        }
        for id in over {
            if let Some(kept) = adopted.remove(&id) {
                remove(kept.journal);
            }
        }
    }
}

/// The journals that were dealt with, and those that could not be yet.
#[derive(Default)]
struct Known {
    adopted: HashMap<JournalId, Adopted>,
    failed: HashMap<JournalId, Instant>,
}

impl Known {
    fn may_try(&self, id: JournalId) -> bool {
        let has_rested = self.failed.get(&id).is_none_or(|at| at.elapsed() >= RETRY);
        has_rested && !self.adopted.contains_key(&id)
    }

    fn failed(&mut self, id: JournalId) {
        self.failed.insert(id, Instant::now());
    }
}

fn remove(journal: DeadJournal) {
    let id = journal.id();
    if let Err(error) = journal.remove() {
        tracing::warn!(journal.id = %id, error = %anyhow::Error::new(error), "a recorded journal cannot be removed");
    }
}
