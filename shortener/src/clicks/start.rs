//! Sets up everything that takes clicks to the database, and ends it in the right order.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Clicks, NotDrained,
    adoption::{self, Adoption},
    country::Countries,
    drained,
    journal::{Journal, JournalDirectory, Options, Position},
    metrics::ClickMetrics,
    recorder::{Journalled, Recorder, Turn},
    refused::RefusedClicks,
    retention,
    row::Interpreter,
    salts::{self, Salts},
    store,
};
use crate::{
    config::ClicksConfig,
    database::{Db, timestamp::Timestamp},
    replicas::{self, Asker, Replicas},
    shutdown::Tasks,
};

/// How often segments are tended to, and metrics of the journal taken.
const MAINTENANCE: Duration = Duration::from_secs(1);

/// How often an idle recorder asks the database whether it still has what was recorded: a fail-over may have gone back.
const RECHECK: Duration = Duration::from_secs(5);

/// What is given to start with.
#[derive(Debug)]
pub struct Ingredients<'a> {
    pub config: &'a ClicksConfig,
    pub data_dir: &'a std::path::Path,
    pub own_hosts: Vec<String>,
    pub db: Db,
    /// Postgres only: a connection that listens.
    pub session: Option<PgPool>,
    pub metrics: Arc<ClickMetrics>,
}

/// Everything that takes clicks to the database, running.
#[derive(Debug)]
pub struct Recording {
    pub clicks: Arc<Clicks>,
    journal: Arc<Journal>,
    recorded: watch::Receiver<Position>,
    replicas: Option<Arc<Replicas>>,
    db: Db,
    stop: CancellationToken,
}

impl Recording {
    /// Starts the workers. When this returns, clicks can be taken.
    pub async fn start(given: Ingredients<'_>, tasks: &Tasks) -> anyhow::Result<Self> {
        let Ingredients {
            config,
            data_dir,
            own_hosts,
            db,
            session,
            metrics,
        } = given;
        let stop = CancellationToken::new();
        let countries = config
            .geoip_file
            .as_deref()
            .map(Countries::open)
            .transpose()?;

        let wake = Arc::new(Notify::new());
        let directory = Arc::new(JournalDirectory::open(data_dir.join("journal"))?);
        let waker = Arc::clone(&wake);
        let journal = Arc::new(directory.create(options(config), move || waker.notify_one())?);
        let refused = Arc::new(RefusedClicks::new(data_dir.join("refused-clicks.jsonl")));

        let replicas = session
            .as_ref()
            .and_then(|_| db.background())
            .map(Replicas::new)
            .map(Arc::new);
        if let Some(replicas) = &replicas {
            replicas
                .join()
                .await
                .context("could not make this replica known")?;
        }
        let replica = match &replicas {
            Some(replicas) => replicas.id().to_owned(),
            None => journal.id().to_string(),
        };

        let salts = Arc::new(Salts::default());
        salts
            .refresh(&db, Timestamp::now())
            .await
            .context("could not fetch the day's visitor salt")?;
        retention::tend(&db, config.click_retention_days, Timestamp::now())
            .await
            .context("could not make room for clicks")?;

        let place = place(data_dir);
        let (progress, recorded) = watch::channel(Position::START);
        let interpreter = Interpreter::new(own_hosts.clone());
        let recorder = Recorder::new(
            db.clone(),
            Journalled {
                journal: journal.id().to_string(),
                replica: replica.clone(),
                place: place.clone(),
            },
            journal.reader(Position::START),
            interpreter,
            Arc::clone(&metrics),
            Arc::clone(&refused),
        );
        store::register(
            &db,
            &journal.id().to_string(),
            &replica,
            &place,
            Timestamp::now(),
        )
        .await
        .context("could not register the journal")?;

        let (asker, asking) = asker(&journal, &recorded, replicas.clone(), stop.clone());
        tasks.spawn_worker("barrier", stop.clone(), asking);
        tasks.spawn_worker(
            "recorder",
            stop.clone(),
            record(recorder, Arc::clone(&journal), wake, progress, stop.clone()),
        );
        tasks.spawn_worker(
            "journal's maintenance",
            stop.clone(),
            maintain(
                Arc::clone(&journal),
                recorded.clone(),
                replicas.clone(),
                Arc::clone(&metrics),
                config.sync_interval(),
                stop.clone(),
            ),
        );
        tasks.spawn_worker(
            "visitor salts",
            stop.clone(),
            salts::keep_fresh(Arc::clone(&salts), db.clone(), stop.clone()),
        );
        tasks.spawn_worker(
            "retention",
            stop.clone(),
            retention::keep(db.clone(), config.click_retention_days, stop.clone()),
        );
        let adoption = Adoption {
            directory,
            db: db.clone(),
            replica,
            place,
            own_hosts,
            metrics: Arc::clone(&metrics),
            refused,
            retention: options(config).retention,
        };
        tasks.spawn_worker(
            "adoption",
            stop.clone(),
            adoption::adopt(adoption, stop.clone()),
        );
        if let (Some(replicas), Some(session)) = (&replicas, session) {
            tasks.spawn_worker(
                "lease",
                stop.clone(),
                replicas::keep_lease(Arc::clone(replicas), stop.clone()),
            );
            let (journal, recorded) = (Arc::clone(&journal), recorded.clone());
            let drain = move || {
                let (journal, recorded) = (Arc::clone(&journal), recorded.clone());
                async move { drained(&journal, &recorded).await }
            };
            let listening = replicas::listen(
                Arc::clone(replicas),
                session,
                tasks.clone(),
                stop.clone(),
                drain,
            );
            tasks.spawn_worker("listener", stop.clone(), listening);
        }

        let clicks = Arc::new(Clicks {
            journal: Arc::clone(&journal),
            salts,
            countries,
            metrics,
            asker,
        });
        Ok(Self {
            clicks,
            journal,
            recorded,
            replicas,
            db,
            stop,
        })
    }

    /// Records what is left and closes the journal. To be called when no request is under way any more. What cannot be
    /// recorded stays on the disk, for the next process to adopt.
    pub async fn finish(self) {
        let is_drained = drained(&self.journal, &self.recorded).await;
        let end = *self.recorded.borrow();
        if is_drained && let Err(error) = self.close(end).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "the journal could not be closed"
            );
        }
        if !is_drained {
            tracing::warn!(
                "some clicks could not be recorded before the end; they stay in the journal, and the next process records them"
            );
        }
        if let Some(replicas) = &self.replicas
            && let Err(error) = replicas.leave().await
        {
            tracing::warn!(%error, "the lease could not be given back; it lapses by itself");
        }
        self.stop.cancel();
    }

    async fn close(&self, end: Position) -> anyhow::Result<()> {
        store::close(&self.db, &self.journal.id().to_string(), Timestamp::now()).await?;
        self.journal.close(end)?;
        Ok(())
    }
}

fn options(config: &ClicksConfig) -> Options {
    Options {
        limit_bytes: config.journal_max_bytes,
        ..Options::default()
    }
}

/// The machine and the folder, for whoever looks for a journal that was left behind.
fn place(data_dir: &std::path::Path) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let folder = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    format!("{}:{}", host.trim(), folder.display())
}

fn asker(
    journal: &Arc<Journal>,
    recorded: &watch::Receiver<Position>,
    replicas: Option<Arc<Replicas>>,
    stop: CancellationToken,
) -> (
    Asker<NotDrained>,
    impl Future<Output = anyhow::Result<()>> + Send + use<>,
) {
    let (journal, recorded) = (Arc::clone(journal), recorded.clone());
    let ask = move || {
        let (journal, recorded, replicas) =
            (Arc::clone(&journal), recorded.clone(), replicas.clone());
        async move {
            let elsewhere = async {
                match &replicas {
                    Some(replicas) => replicas.ask_to_drain().await.map_err(NotDrained::from),
                    None => Ok(()),
                }
            };
            let here = async {
                if drained(&journal, &recorded).await {
                    Ok(())
                } else {
                    Err(NotDrained::Here)
                }
            };
            tokio::try_join!(here, elsewhere).map(drop)
        }
    };
    Asker::new(ask, stop)
}

/// Records as soon as there is something to record.
async fn record(
    mut recorder: Recorder,
    journal: Arc<Journal>,
    wake: Arc<Notify>,
    progress: watch::Sender<Position>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let turn = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            turn = recorder.turn_or_pause() => turn?,
        };
        match turn {
            Turn::Recorded(position) => {
                progress.send_replace(position);
            }
            Turn::AtEnd(position) => {
                progress.send_replace(position);
                if journal.rest(position) {
                    tokio::select! {
                        () = stop.cancelled() => return Ok(()),
                        () = wake.notified() => {}
                        () = tokio::time::sleep(RECHECK) => recorder.forget_position(),
                    }
                }
            }
        }
    }
}

/// Tends to the journal's segments, syncs them, and takes its measures.
async fn maintain(
    journal: Arc<Journal>,
    recorded: watch::Receiver<Position>,
    replicas: Option<Arc<Replicas>>,
    metrics: Arc<ClickMetrics>,
    sync_interval: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut tended = Instant::now();
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(sync_interval.min(MAINTENANCE)) => {}
        }
        let tends = tended.elapsed() >= MAINTENANCE;
        if tends {
            tended = Instant::now();
        }
        let position = *recorded.borrow();
        let worked_on = Arc::clone(&journal);
        // Both wait for the disk.
        let work = tokio::task::spawn_blocking(move || {
            if tends {
                worked_on.maintain(Instant::now(), position)?;
            }
            worked_on.sync()
        });
        match work.await.context("tending to the journal panicked")? {
            Ok(()) => is_failing = false,
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::error!(error = %anyhow::Error::new(error), "the journal cannot be kept on the disk");
                }
            }
        }
        let gauges = journal.gauges();
        metrics.take(&gauges);
        metrics
            .replicas
            .set(replicas.as_ref().map_or(1, |replicas| replicas.live()));
    }
}
