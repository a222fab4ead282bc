//! Sets up everything that takes clicks to the database, and ends it in the right order.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::time::Instant;

use anyhow::Context as _;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Clicks, NotDrained, PATIENCE,
    adoption::{self, Adoption},
    country::Countries,
    drained,
    journal::{Journal, JournalDirectory, Options, Position},
    metrics::ClickMetrics,
    recorder::{Origin, Recorder},
    refused::RefusedClicks,
    retention,
    row::Interpreter,
    salts::{self, Salts},
    store,
    workers::{self, Upkeep},
};
use crate::{
    config::ClicksConfig,
    database::{Db, timestamp::Timestamp},
    replicas::{Asker, LEASE, Replicas},
    shutdown::Tasks,
};

/// What is given to start with.
#[derive(Debug)]
pub struct Ingredients<'a> {
    pub config: &'a ClicksConfig,
    pub data_dir: &'a Path,
    /// The service's own names, as referrers are counted by.
    pub own_hosts: Vec<String>,
    pub db: Db,
    pub replicas: Option<Arc<Replicas>>,
    pub metrics: Arc<ClickMetrics>,
}

/// Everything that takes clicks to the database, running.
#[derive(Debug)]
pub struct Recording {
    pub clicks: Arc<Clicks>,
    journal: Arc<Journal>,
    recorded: watch::Receiver<Position>,
    db: Db,
    stop: CancellationToken,
}

impl Recording {
    /// Starts the workers. When this returns, clicks can be taken.
    pub async fn start(given: Ingredients<'_>, tasks: &Tasks) -> anyhow::Result<Self> {
        let config = given.config;
        let countries = config
            .geoip_file
            .as_deref()
            .map(Countries::open)
            .transpose()?;
        let db = given.db.clone();
        let salts = prepare(&db).await?;

        let wake = Arc::new(Notify::new());
        let limit = i64::try_from(config.journal_max_bytes).unwrap_or(i64::MAX);
        given.metrics.max_bytes.set(limit);
        let directory = JournalDirectory::open(given.data_dir.join("journal"))?;
        let waker = Arc::clone(&wake);
        let journal = Arc::new(directory.create(options(config), move || waker.notify_one())?);
        let stop = CancellationToken::new();
        let start = Start {
            tasks,
            stop: stop.clone(),
            origin: Origin {
                journal: journal.id().to_string(),
                replica: match &given.replicas {
                    Some(replicas) => replicas.id().to_owned(),
                    None => journal.id().to_string(),
                },
                place: place(given.data_dir),
            },
            refused: Arc::new(RefusedClicks::new(
                given.data_dir.join("refused-clicks.jsonl"),
            )),
            journal,
            given,
        };
        let recorded = start.record(wake).await?;
        start.adopt(directory);
        let asker = start.ask(&recorded);
        start.keep(&recorded, &salts);

        let clicks = Arc::new(Clicks {
            journal: Arc::clone(&start.journal),
            salts,
            countries,
            metrics: start.given.metrics,
            asker,
            interpreter: Interpreter::new(start.given.own_hosts).into(),
        });
        Ok(Self {
            clicks,
            journal: start.journal,
            recorded,
            db,
            stop,
        })
    }

    /// Records what this process holds, when another replica asks. False if that takes too long.
    pub fn drain(&self) -> impl Future<Output = bool> + Send + use<> {
        let (journal, recorded) = (Arc::clone(&self.journal), self.recorded.clone());
        async move { drained(&journal, &recorded).await }
    }

    /// Records what is left and closes the journal, for as long as that makes progress, and at most `patience`. To be called
    /// when no request is under way any more. What cannot be recorded stays on the disk, for the next process to adopt.
    pub async fn finish(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut before = None;
        let is_drained = loop {
            if drained(&self.journal, &self.recorded).await {
                break true;
            }
            let now = *self.recorded.borrow();
            if before == Some(now) || Instant::now() >= deadline {
                break false;
            }
            before = Some(now);
        };
        if is_drained {
            if let Err(error) = self.close().await {
                let error = format!("{error:#}");
                tracing::warn!(
                    error,
                    "the journal could not be closed; the next process does it"
                );
            }
        } else {
            tracing::warn!(
                "some clicks could not be recorded in time; they stay in the journal, and the next process records them"
            );
        }
        self.stop.cancel();
    }

    async fn close(&self) -> anyhow::Result<()> {
        let end = *self.recorded.borrow();
        // The journal first: it takes no more clicks then.
        self.journal.close(end)?;
        let id = self.journal.id().to_string();
        tokio::time::timeout(PATIENCE, store::close(&self.db, &id, Timestamp::now())).await??;
        Ok(())
    }
}

/// What has to be there before the first click.
async fn prepare(db: &Db) -> anyhow::Result<Arc<Salts>> {
    let now = Timestamp::now();
    retention::make_partitions(db, now).await;
    let salts = Arc::new(Salts::default());
    salts
        .refresh(db, now)
        .await
        .context("could not fetch the day's visitor salt")?;
    Ok(salts)
}

/// The workers being started.
struct Start<'a> {
    tasks: &'a Tasks,
    stop: CancellationToken,
    origin: Origin,
    refused: Arc<RefusedClicks>,
    journal: Arc<Journal>,
    given: Ingredients<'a>,
}

impl Start<'_> {
    fn spawn(
        &self,
        name: &'static str,
        worker: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.tasks.spawn_worker(name, self.stop.clone(), worker);
    }

    /// Records this process's own journal.
    async fn record(&self, wake: Arc<Notify>) -> anyhow::Result<watch::Receiver<Position>> {
        store::register(&self.given.db, &self.origin, Timestamp::now())
            .await
            .context("could not register the journal")?;
        let recorder = Recorder::new(
            self.given.db.clone(),
            self.origin.clone(),
            self.journal.reader(Position::START),
            Interpreter::new(self.given.own_hosts.clone()),
            Arc::clone(&self.given.metrics),
            Arc::clone(&self.refused),
        );
        let (progress, position) = watch::channel(Position::START);
        let (journal, stop) = (Arc::clone(&self.journal), self.stop.clone());
        self.spawn(
            "recorder",
            workers::record(recorder, journal, wake, progress, stop),
        );
        Ok(position)
    }

    /// Records what dead processes left.
    fn adopt(&self, directory: JournalDirectory) {
        let adoption = Adoption {
            directory,
            db: self.given.db.clone(),
            origin: self.origin.clone(),
            own_hosts: self.given.own_hosts.clone(),
            metrics: Arc::clone(&self.given.metrics),
            refused: Arc::clone(&self.refused),
            retention: options(self.given.config).retention,
        };
        self.spawn("adoption", adoption::adopt(adoption, self.stop.clone()));
    }

    /// Asks the other replicas to record.
    fn ask(&self, recorded: &watch::Receiver<Position>) -> Asker<NotDrained> {
        let replicas = self.given.replicas.clone();
        let (asker, asking) = Asker::new(
            barrier(&self.journal, recorded, replicas),
            self.stop.clone(),
        );
        self.spawn("barrier", asking);
        asker
    }

    /// Keeps the disk, the salts and the partitions in order.
    fn keep(&self, recorded: &watch::Receiver<Position>, salts: &Arc<Salts>) {
        let upkeep = Upkeep {
            journal: Arc::clone(&self.journal),
            recorded: recorded.clone(),
            replicas: self.given.replicas.clone(),
            metrics: Arc::clone(&self.given.metrics),
            sync_interval: self.given.config.sync_interval(),
        };
        self.spawn(
            "journal's upkeep",
            workers::maintain(upkeep, self.stop.clone()),
        );
        let (db, stop) = (&self.given.db, &self.stop);
        let fresh = salts::keep_fresh(Arc::clone(salts), db.clone(), stop.clone());
        self.spawn("visitor salts", fresh);
        let days = self.given.config.click_retention_days;
        self.spawn("retention", retention::keep(db.clone(), days, stop.clone()));
    }
}

/// What it takes that every click answered before is recorded: here, and on every other replica.
fn barrier(
    journal: &Arc<Journal>,
    recorded: &watch::Receiver<Position>,
    replicas: Option<Arc<Replicas>>,
) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = Result<(), NotDrained>> + Send>> + Send + use<>
{
    let (journal, recorded) = (Arc::clone(journal), recorded.clone());
    move || {
        let (journal, recorded, replicas) =
            (Arc::clone(&journal), recorded.clone(), replicas.clone());
        Box::pin(async move {
            let here = async {
                let is_drained = drained(&journal, &recorded).await;
                is_drained.then_some(()).ok_or(NotDrained::Here)
            };
            let elsewhere = async {
                match &replicas {
                    Some(replicas) => replicas.ask_to_drain().await.map_err(NotDrained::from),
                    None => Ok(()),
                }
            };
            let everywhere = async { tokio::try_join!(here, elsewhere).map(drop) };
            // Nobody who waits may be held up for ever by a question that got lost with its connection.
            let answered = tokio::time::timeout(PATIENCE + LEASE, everywhere).await;
            answered.unwrap_or(Err(NotDrained::Here))
        })
    }
}

fn options(config: &ClicksConfig) -> Options {
    Options {
        limit_bytes: config.journal_max_bytes,
        ..Options::default()
    }
}

/// The machine and the folder, for whoever looks for a journal that was left behind.
fn place(data_dir: &Path) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let folder = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    format!("{}:{}", host.trim(), folder.display())
}
