//! The links that redirects are answered from: in memory, in Redis, in the database, and how they stay true.
//!
//! ```text
//! redirect ─► memory ─miss─► look-up, shared by all who wait ─► Redis ─miss─► database
//! change ─► Redis: old entry void ─► commit with NOTIFY ─► every replica forgets ─► answer
//! ```
//! What is in memory is used without asking for as long as this process surely hears of changes: see
//! [`Trust`](crate::replicas::Trust).

pub mod change;
mod edit;
pub mod key;
pub mod link;
mod lookup;
mod memory;
pub mod metrics;
mod shared;
pub mod space;
mod store;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use key::LinkRef;
use link::Link;
use memory::{Flight, Known, Memory};
use metrics::{LinkMetrics, Source};
use shared::Shared;

use crate::{
    database::Db,
    error::ApiError,
    moment::{AtomicMoment, Moment},
    redis_client::Redis,
    replicas::{Replicas, Trust},
    shutdown::Tasks,
};

/// For how long a code is remembered that names nothing. Creating a URL tells no other replica.
const MISSING: Duration = Duration::from_secs(1);

/// Changes that are made behind the service's back, by hand in the database, are seen after this long.
const OLD: Duration = Duration::from_hours(1);

/// How long somebody waits for the database's word on a link that is known, and may have changed.
const HESITATION: Duration = Duration::from_millis(250);

/// For how long a database that did not answer is not waited for by those who can do without it.
const AWAY: Duration = Duration::from_secs(1);

/// How often the measures of the cache are taken.
const MEASURES: Duration = Duration::from_secs(1);

/// What is given to start with.
#[derive(Debug)]
pub struct Ingredients {
    pub db: Db,
    pub replicas: Option<Arc<Replicas>>,
    pub redis: Option<Arc<Redis>>,
    /// What this database is called: see [`installation`].
    pub installation: String,
    pub max_bytes: u64,
    pub stale_limit: Duration,
    pub metrics: Arc<LinkMetrics>,
}

/// All links, as this process knows them.
#[derive(Debug)]
pub struct Links {
    memory: Memory,
    shared: Option<Shared>,
    db: Db,
    replicas: Option<Arc<Replicas>>,
    trust: Arc<Trust>,
    stale_limit: Duration,
    /// When the database did not answer last.
    away_at: AtomicMoment,
    queue: mpsc::Sender<Flight>,
    metrics: Arc<LinkMetrics>,
}

/// What is known of a link without asking anybody.
#[derive(Debug)]
pub enum Recall {
    Link(Arc<Link>, Source),
    Missing,
    /// Not enough: [`Links::find`] asks.
    Unsure,
}

/// Why a link could not be looked up.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failed {
    #[error("the database cannot be asked for links: {0}")]
    Away(String),
    #[error("too many links are being looked up")]
    Overrun,
    #[error("links cannot be read")]
    Bug(#[source] Arc<sqlx::Error>),
}

impl From<Failed> for ApiError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Away(_) | Failed::Overrun => Self::Unavailable(failed.into()),
            Failed::Bug(_) => Self::Internal(failed.into()),
        }
    }
}

/// What this database is called, to be told from every other wherever something outside of it is kept.
pub async fn installation(db: &Db) -> anyhow::Result<String> {
    store::installation(db)
        .await
        .context("could not read the database's own name")
}

impl Links {
    /// Starts the workers that look links up. They go on until `stop`.
    pub fn start(given: Ingredients, tasks: &Tasks, stop: &CancellationToken) -> Arc<Self> {
        let installation = given.installation;
        let trust = match &given.replicas {
            Some(replicas) => replicas.trust(),
            None => Arc::new(Trust::forever()),
        };
        let (queue, waiting) = mpsc::channel(lookup::WAITING);
        let links = Arc::new(Self {
            memory: Memory::new(given.max_bytes),
            shared: given.redis.map(|redis| Shared::new(redis, installation)),
            db: given.db,
            replicas: given.replicas,
            trust,
            stale_limit: given.stale_limit,
            away_at: AtomicMoment::new(Moment::START),
            queue,
            metrics: given.metrics,
        });
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..lookup::WORKERS {
            let worker = lookup::work(Arc::clone(&links), Arc::clone(&waiting), stop.clone());
            tasks.spawn_worker("look-up of links", stop.clone(), worker);
        }
        let measuring = Arc::clone(&links).measure(stop.clone());
        tasks.spawn_worker("measuring of the cache", stop.clone(), measuring);
        links
    }

    /// What is known of a link right now. Never waits.
    pub fn recall(&self, key: LinkRef<'_>, now: Moment) -> Recall {
        if let Some(known) = self.memory.get(key) {
            if self.is_good(&known, now) {
                return Recall::Link(known.link, Source::Memory);
            }
            if self.is_away(now) && self.may_be_stale(now) {
                return Recall::Link(known.link, Source::Stale);
            }
            return Recall::Unsure;
        }
        match self.memory.missing_since(key) {
            Some(at) if now.since(at) < MISSING => Recall::Missing,
            _ => Recall::Unsure,
        }
    }

    /// The link, if there is one.
    pub async fn find(&self, key: LinkRef<'_>) -> Result<Option<Arc<Link>>, Failed> {
        match self.recall(key, Moment::now()) {
            Recall::Link(link, source) => {
                self.count(source);
                return Ok(Some(link));
            }
            Recall::Missing => {
                self.count(Source::Memory);
                return Ok(None);
            }
            Recall::Unsure => {}
        }
        let (landed, flight) = self.memory.join(key);
        if let Some(flight) = flight {
            self.start_flight(flight);
        }
        // A worker that ends lands what it took.
        let landed = async { landed.await.unwrap_or(Err(Failed::Overrun)) };
        let (known, source) = match self.memory.get(key) {
            None => landed.await?,
            Some(old) => match tokio::time::timeout(HESITATION, landed).await {
                Ok(Ok(landed)) => landed,
                _ if self.may_be_stale(Moment::now()) => {
                    self.note_away();
                    (Some(old), Source::Stale)
                }
                Ok(Err(failed)) => return Err(failed),
                Err(_) => return Err(Failed::Away("no answer in time".to_owned())),
            },
        };
        self.count(source);
        Ok(known.map(|known| known.link))
    }

    /// Counts a look-up by where its answer came from.
    pub fn count(&self, source: Source) {
        self.metrics.count(source);
    }

    fn start_flight(&self, flight: Flight) {
        if let Err(refused) = self.queue.try_send(flight) {
            self.metrics.refused.inc();
            let (mpsc::error::TrySendError::Full(flight)
            | mpsc::error::TrySendError::Closed(flight)) = refused;
            let now = Moment::now();
            self.memory.land(flight, Err(Failed::Overrun), now);
        }
    }

    fn is_good(&self, known: &Known, now: Moment) -> bool {
        self.trust.covers(known.read, now) && now.since(known.read) < OLD
    }

    fn is_away(&self, now: Moment) -> bool {
        let is_cut_off = self
            .replicas
            .as_ref()
            .is_some_and(|replicas| replicas.is_cut_off());
        is_cut_off || now.since(self.away_at.get()) < AWAY
    }

    fn note_away(&self) {
        self.away_at.set(Moment::now());
    }

    fn may_be_stale(&self, now: Moment) -> bool {
        self.trust.lost_for(now) <= self.stale_limit
    }

    async fn measure(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            let links = i64::try_from(self.memory.len()).unwrap_or(i64::MAX);
            self.metrics.links.set(links);
            let bytes = i64::try_from(self.memory.bytes()).unwrap_or(i64::MAX);
            self.metrics.bytes.set(bytes);
            let is_trusted = self.trust.holds(Moment::now());
            self.metrics.trusted.set(is_trusted.into());
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(MEASURES) => {}
            }
        }
    }
}
