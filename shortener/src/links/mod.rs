//! The links that redirects are answered from: in memory, in Redis, in the database, and how they stay true.
//!
//! ```text
//! redirect ─► memory ─miss─► look-up, shared by all who wait ─► Redis ─miss─► database
//! change ─► Redis: old entry void ─► commit with NOTIFY ─► every replica forgets ─► answer
//! ```
//! What is in memory is used without asking for as long as this process surely hears of changes: see
//! [`Trust`].

pub mod change;
mod edit;
pub mod key;
pub mod link;
mod lookup;
mod memory;
pub mod metrics;
mod redis;
pub mod space;
mod store;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use self::redis::Shared;
use key::LinkRef;
use link::Link;
use memory::{Flight, Known, Landed, Memory};
use metrics::{LinkMetrics, Source};

use crate::{
    database::Db,
    error::ApiError,
    moment::Moment,
    redis_client::Redis,
    replicas::{Replicas, Trust},
    shutdown::Tasks,
    trace::{self, Attribute, Kind, Part},
};

/// For how long a code is remembered that names nothing. Creating a URL tells no other replica.
const MISSING: Duration = Duration::from_secs(1);

/// Changes that are made behind the service's back, by hand in the database, are seen after this long.
const OLD: Duration = Duration::from_hours(1);

/// How long somebody waits for the database's word on a link that is known, and may have changed, before looking whether
/// there is any hope.
const HESITATION: Duration = Duration::from_millis(250);

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
    redis: Option<Shared>,
    db: Db,
    replicas: Option<Arc<Replicas>>,
    trust: Arc<Trust>,
    stale_limit: Duration,
    /// Whether the database did not answer since the lease could not be renewed.
    is_away: AtomicBool,
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
            redis: given.redis.map(|redis| Shared::new(redis, installation)),
            db: given.db,
            replicas: given.replicas,
            trust,
            stale_limit: given.stale_limit,
            is_away: false.into(),
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
            if self.is_away() && self.may_be_stale(&known, now) {
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
        let called = Moment::now();
        match self.recall(key, called) {
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
        loop {
            let looking = async {
                match self.memory.get(key) {
                    None => self.landed(key).await,
                    Some(old) => self.landed_or(key, old).await,
                }
            };
            let (known, source) = trace::part(looking, |landed| Some(part(landed))).await?;
            // A look-up that stood still, with the whole process, may have brought what is not true any more.
            let is_good = known
                .as_ref()
                .is_none_or(|known| known.read >= called || self.is_good(known, Moment::now()));
            if is_good || source == Source::Stale {
                self.count(source);
                return Ok(known.map(|known| known.link));
            }
        }
    }

    /// What a look-up brings that is under way, or begins.
    async fn landed(&self, key: LinkRef<'_>) -> Landed {
        let (landed, flight) = self.memory.join(key);
        if let Some(flight) = flight {
            self.start_flight(flight);
        }
        // The sender goes only with the whole of the memory.
        landed.await.unwrap_or(Err(Failed::Overrun))
    }

    /// The same, for a link that was `old` when it was last seen. That is good enough if the database is out of reach.
    async fn landed_or(&self, key: LinkRef<'_>, old: Known) -> Landed {
        let mut landing = std::pin::pin!(self.landed(key));
        loop {
            let landed = tokio::time::timeout(HESITATION, &mut landing).await;
            let is_cut_off = match &landed {
                Ok(Err(Failed::Away(_))) => true,
                // The lease is not renewed either.
                Err(_) => self.is_cut_off(),
                Ok(_) => false,
            };
            if is_cut_off && self.may_be_stale(&old, Moment::now()) {
                self.note_away();
                return Ok((Some(old), Source::Stale));
            }
            if let Ok(landed) = landed {
                return landed;
            }
        }
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

    fn is_cut_off(&self) -> bool {
        let replicas = self.replicas.as_ref();
        replicas.is_some_and(|replicas| replicas.is_cut_off())
    }

    /// Whether neither the lease nor a look-up has reached the database. Then nobody waits for it.
    fn is_away(&self) -> bool {
        if !self.is_away.load(Ordering::Relaxed) {
            return false;
        }
        let is_cut_off = self.is_cut_off();
        if !is_cut_off {
            self.is_away.store(false, Ordering::Relaxed);
        }
        is_cut_off
    }

    fn note_away(&self) {
        self.is_away.store(true, Ordering::Relaxed);
    }

    fn may_be_stale(&self, known: &Known, now: Moment) -> bool {
        self.trust.lost_for(known.read, now) <= self.stale_limit
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

/// A link that had to be looked up, as a span. The look-up itself is made for many at once, and belongs to none of them.
fn part(landed: &Landed) -> Part {
    let attribute = match landed {
        Ok((_, source)) => Attribute::new("shortener.link.source", source.label()),
        Err(_) => Attribute::new("error.type", "unavailable"),
    };
    Part {
        name: "look link up".to_owned(),
        kind: Kind::Internal,
        attributes: vec![attribute],
        has_failed: landed.is_err(),
    }
}
