//! Makes this process one of the replicas.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use anyhow::Context as _;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Replicas, lease::keep_lease, listen::Hearing};
use crate::shutdown::Tasks;

/// How long the first connection that listens may take.
const PATIENCE: Duration = Duration::from_secs(10);

type Doing = Pin<Box<dyn Future<Output = bool> + Send>>;

/// What a replica does for the others. Each tells whether it is done; if it is not, the others ask again.
pub struct Duties {
    /// Records the clicks held.
    pub drain: Box<dyn Fn() -> Doing + Send + Sync>,
    /// Forgets what a change says.
    pub forget: Box<dyn Fn(String) -> Doing + Send + Sync>,
    /// Takes note of where shared entries are valid.
    pub note_space: Box<dyn Fn(&str) + Send + Sync>,
}

impl fmt::Debug for Duties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Duties")
    }
}

/// Listens, makes this process known, and keeps its lease until `stop`.
pub async fn start(
    replicas: Arc<Replicas>,
    session: PgPool,
    duties: Duties,
    tasks: &Tasks,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (hearing, mut heard) = watch::channel(false);
    let listener = Hearing {
        replicas: Arc::clone(&replicas),
        session,
        duties: Arc::new(duties),
        tasks: tasks.clone(),
    };
    let listening = listener.listen(stop.clone(), hearing);
    tasks.spawn_worker("listener", stop.clone(), listening);
    // First to hear, then to be known: a question to one who does not hear costs everybody a wait.
    let listens = heard.wait_for(|is_heard| *is_heard);
    tokio::time::timeout(PATIENCE, listens).await.context(
        "could not listen for notifications of Postgres; behind a pooler, set DATABASE_SESSION_URL",
    )??;
    replicas
        .join()
        .await
        .context("could not make this replica known")?;
    tasks.spawn_worker("lease", stop.clone(), keep_lease(replicas, stop));
    Ok(())
}
