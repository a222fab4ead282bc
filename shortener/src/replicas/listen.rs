//! Hears what the other replicas ask and answer.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgNotification, PgPoolOptions},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Duties, PATIENCE, Replicas, store};
use crate::{moment::Moment, shutdown::Tasks};

const RETRY: Duration = Duration::from_millis(250);

/// A line on which not even the own lease is heard to be renewed is dead, whatever TCP believes.
const SILENCE: Duration = Duration::from_secs(3);

/// Hears, and does what it is asked.
pub(super) struct Hearing {
    pub(super) replicas: Arc<Replicas>,
    /// Gives connections that keep their session, which a pooler between transactions does not.
    pub(super) session: PgPool,
    pub(super) duties: Arc<Duties>,
    pub(super) tasks: Tasks,
}

/// Acknowledgements, and whom they go to.
#[derive(Default)]
struct Answers {
    channels: Vec<String>,
    payloads: Vec<String>,
}

impl Hearing {
    /// Listens until `stop`; tells by `is_heard` whether there is a line.
    pub(super) async fn listen(
        self,
        stop: CancellationToken,
        is_heard: watch::Sender<bool>,
    ) -> anyhow::Result<()> {
        let mut is_told = false;
        loop {
            let error = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                error = self.hear(&is_heard) => error,
            };
            if is_heard.send_replace(false) || !is_told {
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
    async fn hear(&self, is_heard: &watch::Sender<bool>) -> sqlx::Error {
        match tokio::time::timeout(SILENCE, self.connect()).await {
            Ok(Ok(mut listener)) => {
                is_heard.send_replace(true);
                tracing::debug!("hearing the other replicas");
                loop {
                    if let Err(error) = self.hear_next(&mut listener).await {
                        return error;
                    }
                }
            }
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::PoolTimedOut,
        }
    }

    async fn connect(&self) -> sqlx::Result<PgListener> {
        let answers = store::answers_to(&self.replicas.id);
        // A pool for each line: a line that is dead keeps its place for as long as TCP has hope.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with((*self.session.connect_options()).clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener
            .listen_all([store::QUESTIONS, store::CHANGES, &answers])
            .await?;
        // Something may have been told between two lines.
        self.replicas.trust.end(Moment::now());
        Ok(listener)
    }

    /// Takes what came, and acknowledges all of it at once.
    async fn hear_next(&self, listener: &mut PgListener) -> sqlx::Result<()> {
        let silent = || sqlx::Error::PoolTimedOut;
        let first = tokio::time::timeout(SILENCE, listener.try_recv())
            .await
            .map_err(|_| silent())??;
        // The connection broke. Whoever asked meanwhile asks again.
        let first = first.ok_or(sqlx::Error::PoolClosed)?;
        let mut answers = Answers::default();
        self.take(&first, &mut answers).await;
        while let Some(next) = listener.next_buffered() {
            self.take(&next, &mut answers).await;
        }
        if answers.channels.is_empty() {
            return Ok(());
        }
        let answering = store::answer(listener, &answers.channels, &answers.payloads);
        tokio::time::timeout(SILENCE, answering)
            .await
            .map_err(|_| silent())?
    }

    async fn take(&self, notification: &PgNotification, answers: &mut Answers) {
        let payload = notification.payload();
        if let Some(beat) = payload.strip_prefix("beat ") {
            self.take_beat(beat);
            return;
        }
        let Some((question, rest)) = payload.split_once(' ') else {
            return;
        };
        let (replica, body) = rest.split_once(' ').unwrap_or((rest, ""));
        match notification.channel() {
            // Our own change is done again: when it was done first, it may not have been committed yet.
            store::CHANGES => {
                if (self.duties.forget)(body.to_owned()).await && replica != self.replicas.id {
                    answers.channels.push(store::answers_to(replica));
                    answers
                        .payloads
                        .push(format!("{question} {}", self.replicas.id));
                }
            }
            store::QUESTIONS if replica != self.replicas.id => {
                self.drain(question.to_owned(), replica);
            }
            store::QUESTIONS => {}
            _ => {
                if let Ok(question) = question.parse() {
                    self.replicas.note_answer(question, replica);
                }
            }
        }
    }

    /// Records, which takes a while, and then says so.
    fn drain(&self, question: String, asker: &str) {
        let asker = store::answers_to(asker);
        let replicas = Arc::clone(&self.replicas);
        let drained = (self.duties.drain)();
        self.tasks.spawn(async move {
            if drained.await {
                let payload = format!("{question} {}", replicas.id);
                // If this fails, the asker asks again.
                let answer = store::notify(&replicas.pool, &asker, &payload);
                tokio::time::timeout(PATIENCE, answer).await.ok();
            }
        });
    }

    /// The own lease was renewed, as of `sent`.
    fn take_beat(&self, beat: &str) {
        let mut words = beat.splitn(4, ' ');
        let sent = words.next().and_then(|sent| sent.parse().ok());
        let (Some(sent), Some(hears)) = (sent, words.next()) else {
            return;
        };
        let database_time = words.next().and_then(|time| time.parse().ok());
        self.replicas
            .heard
            .store(database_time.unwrap_or(0), Ordering::Relaxed);
        // First where shared entries are valid, and then the trust to use them.
        if let Some(space) = words.next() {
            (self.duties.note_space)(space);
        }
        let sent = Moment::from_micros(sent);
        self.replicas.trust.hear(sent, hears == "t", Moment::now());
    }
}
