//! Hears what the other replicas ask and answer.

use std::{future::Future, sync::Arc, time::Duration};

use sqlx::{PgPool, postgres::PgListener};
use tokio_util::sync::CancellationToken;

use super::{Replicas, store};
use crate::shutdown::Tasks;

const RETRY: Duration = Duration::from_millis(250);

/// Listens until `stop`, and does `drain` for every replica that asks for it. `session` gives connections that keep their
/// session, which a pooler between transactions does not.
pub async fn listen<F>(
    replicas: Arc<Replicas>,
    session: PgPool,
    tasks: Tasks,
    stop: CancellationToken,
    drain: impl Fn() -> F + Clone + Send + 'static,
) -> anyhow::Result<()>
where
    F: Future<Output = bool> + Send + 'static,
{
    let mut failing = false;
    loop {
        let heard = hear(&replicas, &session, &tasks, drain.clone(), &mut failing);
        let error = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            error = heard => error,
        };
        if !std::mem::replace(&mut failing, true) {
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
    failing: &mut bool,
) -> sqlx::Error
where
    F: Future<Output = bool> + Send + 'static,
{
    let answers = store::answers_to(&replicas.id);
    let mut listener = match PgListener::connect_with(session).await {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    if let Err(error) = listener.listen_all([store::QUESTIONS, &answers]).await {
        return error;
    }
    if std::mem::take(failing) {
        tracing::info!("hearing the other replicas again");
    }
    loop {
        let notification = match listener.try_recv().await {
            Ok(Some(notification)) => notification,
            // The connection broke; whoever asked meanwhile waits until our lease lapses, or asks again.
            Ok(None) => return sqlx::Error::PoolClosed,
            Err(error) => return error,
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
                    // If this fails, the asker asks in vain and says so.
                    store::answer(&replicas.pool, &replicas.id, &question, &asker)
                        .await
                        .ok();
                }
            });
        }
    }
}
