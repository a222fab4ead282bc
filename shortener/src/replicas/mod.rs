//! The processes that share a database, and how one asks something of all the others.
//!
//! Each process holds a lease in the `replica` table and renews it. Whoever needs something of all of them (that they
//! record the clicks they hold, that they forget a link) sends a notification and waits until each has acknowledged, or has
//! lost its lease:
//!
//! ```text
//! asker ── notify: ask ──► every replica ── does it ── notify: done ──► asker
//! ```
//!
//! On SQLite there is one process, and nobody to ask.

mod lease;
mod listen;
mod question;
mod reunion;
mod start;
mod store;
mod trust;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use sqlx::{PgConnection, PgPool};
use tokio::{sync::Notify, time::Instant};

pub use question::Asker;
use reunion::Reunion;
pub use start::{Duties, start};
pub use trust::{Trust, YOUNG};

use crate::{database::failure, moment::Moment};

/// How long a replica that says nothing counts as alive. The longest that a dead one can hold up the others.
pub const LEASE: Duration = Duration::from_secs(1);

/// Often enough that two renewals may fail or be late.
const RENEWAL: Duration = Duration::from_millis(250);

/// How often somebody who waits looks whether those awaited still live.
const LOOK: Duration = Duration::from_millis(100);

/// A living replica that does not do what it is asked in this time has a problem that waiting does not solve.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lets a replica that just lost its trust, or its lease, get to know it.
const MARGIN: Duration = Duration::from_millis(50);

/// This process among the others.
#[derive(Debug)]
pub struct Replicas {
    /// Made anew at each start.
    id: String,
    pool: PgPool,
    /// For the lease alone.
    lease: PgPool,
    reunion: Mutex<Reunion>,
    trust: Arc<Trust>,
    /// Whether the last renewal failed.
    is_cut_off: AtomicBool,
    /// Who has answered which question so far.
    answers: Mutex<HashMap<u64, HashSet<String>>>,
    answered: Notify,
    /// How many replicas held a lease at the last renewal.
    live: AtomicI64,
    /// When the last heartbeat was sent that came back, by the database's clock.
    heard: AtomicI64,
}

/// The others did not all answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("could not ask the other replicas")]
    Database(#[from] sqlx::Error),
    #[error("{0} other replicas did not answer in time")]
    Silent(usize),
}

/// Something that is asked of every other replica. Answers are collected for as long as it lives.
#[derive(Debug)]
struct Question<'a> {
    asker: &'a Replicas,
    number: u64,
    channel: &'static str,
    payload: String,
}

impl Replicas {
    /// A process that nobody knows of yet.
    pub fn new(pool: PgPool, lease: PgPool) -> Self {
        Self {
            id: format!("{:032x}", rand::random::<u128>()),
            pool,
            lease,
            reunion: Mutex::default(),
            trust: Arc::new(Trust::none()),
            is_cut_off: false.into(),
            answers: Mutex::default(),
            answered: Notify::new(),
            live: 0.into(),
            heard: 0.into(),
        }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// How far this process may rely on hearing of every change.
    pub fn trust(&self) -> Arc<Trust> {
        Arc::clone(&self.trust)
    }

    /// Whether the database does not answer, as far as the lease knows.
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::Relaxed)
    }

    /// How many replicas there are, this one included.
    pub fn live(&self) -> i64 {
        self.live.load(Ordering::Relaxed)
    }

    /// Makes this process known, so that others ask it, too. To be called before the first click.
    async fn join(&self) -> sqlx::Result<()> {
        let now = Moment::now();
        let hearing = store::Hearing {
            hears: self.trust.hears(now),
            heard: self.heard.load(Ordering::Relaxed),
        };
        let renewal = store::renew_lease(&self.lease, &self.id, hearing, now);
        let mut renewal = std::pin::pin!(renewal);
        let renewed = if let Ok(renewed) = tokio::time::timeout(RENEWAL * 2, &mut renewal).await {
            renewed
        } else {
            // Late, but a connection may just be in the making: that takes a while on a busy machine.
            self.is_cut_off.store(true, Ordering::Relaxed);
            tokio::time::timeout(PATIENCE, renewal)
                .await
                .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        };
        self.is_cut_off.store(renewed.is_err(), Ordering::Relaxed);
        let others = renewed?;
        let live = i64::try_from(others.len()).unwrap_or(i64::MAX);
        self.live.store(live.saturating_add(1), Ordering::Relaxed);
        self.trust.lease(now);
        self.lock_reunion().renewed(others, Instant::now());
        Ok(())
    }

    /// Gives the lease back, so that nobody waits for it to lapse. To be called when it is not renewed any more.
    pub async fn leave(&self) {
        let dropped = store::drop_lease(&self.lease, &self.id);
        if !matches!(tokio::time::timeout(LEASE, dropped).await, Ok(Ok(()))) {
            tracing::warn!("the lease could not be given back; it lapses by itself");
        }
    }

    /// Has every other live replica record the clicks it holds now, and waits until they have.
    pub async fn ask_to_drain(&self) -> Result<(), AskError> {
        let question = Question::new(self, store::QUESTIONS, "");
        self.wait_for_the_others().await?;
        store::notify(&self.pool, question.channel, &question.payload).await?;
        // Whoever does not hear holds clicks all the same.
        question.answered(|_| true).await
    }

    /// Has every replica that hears forget what `change` says, as of the commit of the transaction on `conn`.
    pub async fn tell_with_commit<'a>(
        &'a self,
        conn: &mut PgConnection,
        change: &str,
    ) -> sqlx::Result<Told<'a>> {
        let question = Question::new(self, store::CHANGES, change);
        store::notify(conn, question.channel, &question.payload).await?;
        Ok(Told(question))
    }

    /// After a pause of the database, everybody's lease has lapsed at once: those that live renew theirs first.
    async fn wait_for_the_others(&self) -> sqlx::Result<()> {
        if !self.lock_reunion().is_leased(Instant::now()) {
            self.join().await?;
        }
        loop {
            let wait = self.lock_reunion().wait(Instant::now());
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Ok(()),
            }
        }
    }

    fn lock_reunion(&self) -> MutexGuard<'_, Reunion> {
        self.reunion.lock().unwrap_or_else(PoisonError::into_inner)
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

/// A change that every replica is told with a commit.
#[derive(Debug)]
pub struct Told<'a>(Question<'a>);

impl Told<'_> {
    /// Waits until every live replica has forgotten what changed. To be called after the commit.
    ///
    /// A replica that says that it does not hear relies on nothing for longer than [`YOUNG`], so that long is waited.
    ///
    /// If the database goes away meanwhile, whoever has not heard goes on with what it knows, and nobody can tell who that
    /// is: it is asked again once the database is back, and if that takes long, nothing is promised.
    pub async fn obeyed(self) -> Result<(), AskError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.ask().await {
                Err(AskError::Database(error))
                    if failure::is_outage(&error) && Instant::now() < deadline =>
                {
                    tokio::time::sleep(LOOK).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn ask(&self) -> Result<(), AskError> {
        let question = &self.0;
        question.asker.wait_for_the_others().await?;
        // Whoever does not hear itself gets no acknowledgement, but sees how far the others have heard.
        let committed = store::clock(&question.asker.pool).await?;
        let mut deaf_at = None;
        let note_deaf = |live: &store::Live| {
            if !live.hears {
                deaf_at = Some(Instant::now());
            }
            live.hears && live.heard <= committed
        };
        let answered = question.answered(note_deaf).await;
        if let Some(at) = deaf_at {
            tokio::time::sleep_until(at + YOUNG + MARGIN).await;
        }
        answered
    }
}

impl<'a> Question<'a> {
    fn new(asker: &'a Replicas, channel: &'static str, body: &str) -> Self {
        let number = rand::random::<u64>();
        asker.lock_answers().insert(number, HashSet::new());
        let payload = format!("{number} {} {body}", asker.id);
        Self {
            asker,
            number,
            channel,
            payload: payload.trim_end().to_owned(),
        }
    }

    /// Waits until every live replica that `awaits` is true for has answered, or has lost its lease.
    async fn answered(&self, mut awaits: impl FnMut(&store::Live) -> bool) -> Result<(), AskError> {
        let Replicas { pool, id, .. } = self.asker;
        let deadline = Instant::now() + PATIENCE;
        let mut awaited = store::live(pool, id).await?;
        awaited.retain(&mut awaits);
        loop {
            let mut changed = std::pin::pin!(self.asker.answered.notified());
            // Before the look, so that an answer which comes after it is not missed.
            changed.as_mut().enable();
            if let Some(answers) = self.asker.lock_answers().get(&self.number) {
                awaited.retain(|replica| !answers.contains(&replica.id));
            }
            if awaited.is_empty() {
                return Ok(());
            }
            if tokio::time::timeout(LOOK, changed).await.is_err() {
                if Instant::now() >= deadline {
                    return Err(AskError::Silent(awaited.len()));
                }
                // Whoever was just connecting has not heard; whoever has lost its lease is waited for no longer.
                store::notify(pool, self.channel, &self.payload).await?;
                let mut live = store::live(pool, id).await?;
                live.retain(|replica| awaited.iter().any(|before| before.id == replica.id));
                live.retain(&mut awaits);
                awaited = live;
            }
        }
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.asker.lock_answers().remove(&self.number);
    }
}
