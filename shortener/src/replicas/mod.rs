//! The processes that share a database, and how one asks something of all the others.
//!
//! Each process holds a lease in the `replica` table and renews it. Whoever needs something of all of them (that they
//! record the clicks they hold, say) sends a notification and waits until each has acknowledged, or has lost its lease:
//!
//! ```text
//! asker ── notify: ask ──► every replica ── does it ── notify: done ──► asker
//! ```
//!
//! On SQLite there is one process, and nobody to ask.

mod lease;
mod listen;
mod question;
mod store;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::PgPool;
use tokio::sync::Notify;

pub use lease::keep_lease;
pub use listen::listen;
pub use question::Asker;

/// How long a replica that says nothing counts as alive. The longest that a dead one can hold up the others.
pub const LEASE: Duration = Duration::from_secs(1);

/// Often enough that two renewals may fail or be late.
const RENEWAL: Duration = Duration::from_millis(250);

/// How often somebody who waits looks whether those awaited still live.
const LOOK: Duration = Duration::from_millis(100);

/// A living replica that does not do what it is asked in this time has a problem that waiting does not solve.
const PATIENCE: Duration = Duration::from_secs(5);

/// This process among the others.
#[derive(Debug)]
pub struct Replicas {
    /// Made anew at each start.
    id: String,
    pool: PgPool,
    /// For the lease alone.
    lease: PgPool,
    renewed: Mutex<Option<Instant>>,
    /// Who has answered which question so far.
    answers: Mutex<HashMap<u64, HashSet<String>>>,
    answered: Notify,
    /// How many replicas held a lease at the last renewal.
    live: AtomicI64,
}

/// The others did not all answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("could not ask the other replicas")]
    Database(#[from] sqlx::Error),
    #[error("{0} other replicas did not answer in time")]
    Silent(usize),
}

impl Replicas {
    /// A process that nobody knows of yet.
    pub fn new(pool: PgPool, lease: PgPool) -> Self {
        Self {
            id: format!("{:032x}", rand::random::<u128>()),
            pool,
            lease,
            renewed: Mutex::default(),
            answers: Mutex::default(),
            answered: Notify::new(),
            live: 0.into(),
        }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// How many replicas there are, this one included.
    pub fn live(&self) -> i64 {
        self.live.load(Ordering::Relaxed)
    }

    /// Makes this process known, so that others ask it, too. To be called before the first click.
    pub async fn join(&self) -> sqlx::Result<()> {
        let renewal = store::renew_lease(&self.lease, &self.id);
        let live = tokio::time::timeout(LEASE, renewal)
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        *self.lock_renewed() = Some(Instant::now());
        self.live.store(live, Ordering::Relaxed);
        Ok(())
    }

    /// Has every other live replica record the clicks it holds now, and waits until they have.
    pub async fn ask_to_drain(&self) -> Result<(), AskError> {
        let question = rand::random::<u64>();
        self.lock_answers().insert(question, HashSet::new());
        let outcome = self.ask(question).await;
        self.lock_answers().remove(&question);
        outcome
    }

    async fn ask(&self, question: u64) -> Result<(), AskError> {
        self.wait_for_the_others().await?;
        let mut awaited = store::ask(&self.pool, &self.id, question).await?;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut changed = std::pin::pin!(self.answered.notified());
            // Before the look, so that an answer which comes after it is not missed.
            changed.as_mut().enable();
            if let Some(answers) = self.lock_answers().get(&question) {
                awaited.retain(|replica| !answers.contains(replica));
            }
            if awaited.is_empty() {
                return Ok(());
            }
            if tokio::time::timeout(LOOK, changed).await.is_err() {
                if tokio::time::Instant::now() >= deadline {
                    return Err(AskError::Silent(awaited.len()));
                }
                // Whoever was just connecting has not heard; whoever has lost its lease is waited for no longer.
                let live = store::ask(&self.pool, &self.id, question).await?;
                awaited.retain(|replica| live.contains(replica));
            }
        }
    }

    /// After a pause of the database, everybody's lease has lapsed at once: those that live renew theirs first.
    async fn wait_for_the_others(&self) -> sqlx::Result<()> {
        let renewed = *self.lock_renewed();
        if renewed.is_none_or(|at| at.elapsed() >= LEASE) {
            self.join().await?;
            tokio::time::sleep(RENEWAL * 2).await;
        }
        Ok(())
    }

    fn lock_renewed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of an answer; one to a question that nobody waits for any more is forgotten.
    fn note_answer(&self, question: u64, replica: &str) {
        if let Some(answers) = self.lock_answers().get_mut(&question) {
            answers.insert(replica.to_owned());
            self.answered.notify_waiters();
        }
    }

    fn lock_answers(&self) -> MutexGuard<'_, HashMap<u64, HashSet<String>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
