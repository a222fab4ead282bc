//! Hears what the other replicas ask and answer.

use std::{future::Future, sync::Arc, time::Duration};

use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, Replicas, store};
use crate::shutdown::Tasks;

const RETRY: Duration = Duration::from_millis(250);

/// A line on which not even the own lease is heard to be renewed is dead, whatever TCP believes.
const SILENCE: Duration = Duration::from_secs(3);

/// Listens until `stop`, and does `drain` for every replica that asks for it. `session` gives connections that keep their
/// session, which a pooler between transactions does not.
pub async fn listen<F>(
    replicas: Arc<Replicas>,
    session: PgPool,
    tasks: Tasks,
    stop: CancellationToken,
    drain: impl Fn() -> F + Clone + Send + 'static,
    hearing: watch::Sender<bool>,
) -> anyhow::Result<()>
where
    F: Future<Output = bool> + Send + 'static,
{
    let mut is_told = false;
    loop {
        let heard = hear(&replicas, &session, &tasks, drain.clone(), &hearing);
        let error = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            error = heard => error,
        };
        if hearing.send_replace(false) || !is_told {
            is_told = true;
            tracing::warn!(%error, "not hearing the other replicas");
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// Listens until the connection fails.
async fn hear<F>(
    replicas: &Arc<Replicas>,
    session: &PgPool,
    tasks: &Tasks,
    drain: impl Fn() -> F + Clone + Send + 'static,
    hearing: &watch::Sender<bool>,
) -> sqlx::Error
where
    F: Future<Output = bool> + Send + 'static,
{
    let answers = store::answers_to(&replicas.id);
    let connecting = async {
        let mut listener = PgListener::connect_with(session).await?;
        listener.listen_all([store::QUESTIONS, &answers]).await?;
        Ok(listener)
    };
    let connected = tokio::time::timeout(SILENCE, connecting).await;
    let mut listener = match connected.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    hearing.send_replace(true);
    tracing::debug!("hearing the other replicas");
    loop {
        let notification = match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => notification,
            // The connection broke. Whoever asked meanwhile asks again.
            Ok(Ok(None)) => return sqlx::Error::PoolClosed,
            Ok(Err(error)) => return error,
            Err(_) => return sqlx::Error::PoolTimedOut,
        };
        let Some((question, replica)) = notification.payload().split_once(' ') else {
            continue;
        };
        if notification.channel() == answers {
            if let Ok(question) = question.parse() {
                replicas.note_answer(question, replica);
            }
        } else if replica != replicas.id {
            let (question, asker) = (question.to_owned(), replica.to_owned());
            let replicas = Arc::clone(replicas);
            let drained = drain();
            tasks.spawn(async move {
                if drained.await {
                    // If this fails, the asker asks again.
                    let answer = store::answer(&replicas.pool, &replicas.id, &question, &asker);
                    tokio::time::timeout(PATIENCE, answer).await.ok();
                }
            });
        }
    }
}
