//! Journals of processes that are gone: recorded to the end by whoever finds them first.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
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

/// An adopted journal. It is kept for a while after it was recorded, since a fail-over may lose what was.
struct Adopted {
    journal: DeadJournal,
    end: Position,
    recorded_at: Instant,
}

/// Adopts what is found, until `stop`.
pub async fn adopt(adoption: Adoption, stop: CancellationToken) -> anyhow::Result<()> {
    let mut adopted: HashMap<JournalId, Adopted> = HashMap::new();
    let mut counted: Option<Instant> = None;
    loop {
        let round = async {
            adoption.look(&mut adopted).await;
            if counted.is_none_or(|at| at.elapsed() >= COUNT) {
                counted = Some(Instant::now());
                adoption.review(&mut adopted).await;
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
    async fn look(&self, adopted: &mut HashMap<JournalId, Adopted>) {
        let found = match self.directory.journals() {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(error = %anyhow::Error::new(error), "the folder of journals cannot be read");
                return;
            }
        };
        for found in found {
            if matches!(found.state, State::Live) || adopted.contains_key(&found.id) {
                continue;
            }
            match self.directory.adopt(found.id) {
                Ok(Some(journal)) => {
                    if let Some(recorded) = self.take_over(journal, found.state).await {
                        adopted.insert(found.id, recorded);
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(
                        journal.id = %found.id,
                        error = %anyhow::Error::new(error),
                        "a journal cannot be adopted"
                    );
                }
            }
        }
    }

    /// Records a journal to its end.
    async fn take_over(&self, journal: DeadJournal, state: State) -> Option<Adopted> {
        let id = journal.id().to_string();
        if let State::Closed { .. } = state {
            // Recorded to its end by its owner; without a row in the database there is nothing to compare it with.
            let is_known = store::position(&self.db, &id).await;
            if matches!(is_known, Ok(None)) {
                Self::remove(journal);
                return None;
            }
        } else {
            tracing::info!(
                journal.id = id,
                "recording the clicks that a dead process left"
            );
        }
        let end = self.record(&journal).await?;
        if !matches!(state, State::Closed { .. }) {
            self.metrics.adopted.inc();
        }
        Some(Adopted {
            journal,
            end,
            recorded_at: Instant::now(),
        })
    }

    async fn record(&self, journal: &DeadJournal) -> Option<Position> {
        let origin = Origin {
            journal: journal.id().to_string(),
            ..self.origin.clone()
        };
        let id = origin.journal.clone();
        if let Err(error) = store::register(&self.db, &origin, Timestamp::now()).await {
            tracing::warn!(%error, "a journal cannot be adopted while the database is away");
            return None;
        }
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
        Some(end)
    }

    /// Records again what a fail-over lost, and removes what was recorded long enough ago.
    async fn review(&self, adopted: &mut HashMap<JournalId, Adopted>) {
        let mut over = Vec::new();
        for (id, kept) in adopted.iter_mut() {
            match store::position(&self.db, &id.to_string()).await {
                Ok(Some(position)) if position >= kept.end => {
                    if kept.recorded_at.elapsed() >= self.retention {
                        over.push(*id);
                    }
                }
                Ok(_) => {
                    if let Some(end) = self.record(&kept.journal).await {
                        kept.end = end;
                        kept.recorded_at = Instant::now();
                    }
                }
                Err(_) => {}
            }
        }
        for id in over {
            if let Some(kept) = adopted.remove(&id) {
                Self::remove(kept.journal);
            }
        }
    }

    fn remove(journal: DeadJournal) {
        let id = journal.id();
        if let Err(error) = journal.remove() {
            tracing::warn!(journal.id = %id, error = %anyhow::Error::new(error), "a recorded journal cannot be removed");
        }
    }
}
