//! Adds URLs that are created at the same time in one statement.
//!
//! One insert is under way at a time, and those that come meanwhile share the next one, so that many creates cost one commit
//! and a few round trips, and one create waits for nobody. Two at a time would halve what each of them holds. What such a
//! statement leaves out goes on alone, and learns why there: an owner that is missing, or held by a deletion; a code that is
//! taken. Only for generated codes: a code that somebody chose may be part of a load that takes minutes, and whoever shares a
//! statement with it would have to wait for that.

use std::{collections::HashMap, time::Duration};

use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    NewUrl, ShortUrl,
    http::{Place, insert},
    short_code::ShortCode,
    store,
};
use crate::{
    database::{Db, Either, failure, timestamp::Timestamp},
    error::ApiError,
    shutdown::Tasks,
};

/// How many URLs are added by one statement.
const TOGETHER: usize = 128;

/// How many may wait. More than this come faster than the database can take.
const WAITING: usize = 4_096;

/// A database that takes longer is as good as away. Longer than it lets a statement take.
const PATIENCE: Duration = Duration::from_secs(12);

/// How many such statements are made on a connection before it is given back, and may be found too old.
const IN_A_ROW: usize = 256;

/// What was added, by its code.
type Added = HashMap<String, ShortUrl>;

/// A URL that is to be added.
#[derive(Debug)]
pub struct Draft {
    pub new: NewUrl,
    pub short_code: ShortCode,
    pub at: Timestamp,
}

#[derive(Debug)]
struct Waiting {
    draft: Draft,
    outcome: oneshot::Sender<Result<Option<ShortUrl>, Failed>>,
}

/// Why nobody can say whether the URLs were added.
#[derive(Clone, Debug, thiserror::Error)]
enum Failed {
    #[error("the database cannot be asked to add URLs: {0}")]
    Away(String),
    #[error("too many URLs are being created")]
    Overrun,
    #[error("URLs cannot be added: {0}")]
    Bug(String),
}

impl From<Failed> for ApiError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Away(_) | Failed::Overrun => Self::Unavailable(failed.into()),
            Failed::Bug(_) => Self::Internal(failed.into()),
        }
    }
}

/// Where creates meet.
#[derive(Debug)]
pub struct Creator {
    pub db: Db,
    /// `None` where nothing is gained by it: SQLite's writes are made one after another without a round trip.
    queue: Option<mpsc::Sender<Waiting>>,
}

impl Creator {
    /// Starts to add URLs, until `stop`.
    pub fn start(db: &Db, tasks: &Tasks, stop: &CancellationToken) -> Self {
        let db = db.clone();
        let pool = match db.writer() {
            Either::Postgres(pool) => pool.clone(),
            Either::Sqlite(_) => return Self { db, queue: None },
        };
        let (queue, waiting) = mpsc::channel(WAITING);
        let worker = work(pool.clone(), waiting, stop.clone());
        tasks.spawn_worker("creation of URLs", stop.clone(), worker);
        let queue = Some(queue);
        Self { db, queue }
    }

    /// Adds `new` with its `created` event, under the code that was chosen or under a generated one.
    pub async fn create(
        &self,
        new: &NewUrl,
        chosen: Option<ShortCode>,
    ) -> Result<ShortUrl, ApiError> {
        if let (Some(queue), None) = (&self.queue, &chosen)
            && let Some(url) = add_with_others(queue, new.clone()).await?
        {
            return Ok(url);
        }
        insert(Place::Anywhere(&self.db), new, chosen).await
    }
}

/// `None` if that has to be tried alone. Once asked for, it is done, even if nobody waits for the answer any more.
async fn add_with_others(
    queue: &mpsc::Sender<Waiting>,
    new: NewUrl,
) -> Result<Option<ShortUrl>, Failed> {
    let draft = Draft {
        new,
        short_code: ShortCode::generate(),
        at: Timestamp::now(),
    };
    let (outcome, told) = oneshot::channel();
    let waiting = Waiting { draft, outcome };
    queue.try_send(waiting).map_err(|_| Failed::Overrun)?;
    told.await.unwrap_or(Err(Failed::Overrun))
}

async fn work(
    pool: PgPool,
    mut queue: mpsc::Receiver<Waiting>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut waiting = Vec::with_capacity(TOGETHER);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = queue.recv_many(&mut waiting, TOGETHER) => {}
        }
        match pool.acquire().await {
            Ok(mut conn) => add_while_some_wait(&mut conn, &mut queue, &mut waiting).await,
            Err(error) => tell(waiting.drain(..), &Err(failed(&error))),
        }
    }
}

/// Goes on with one connection, since giving it back and fetching it again costs more round trips than the insert. Leaves
/// nobody waiting.
async fn add_while_some_wait(
    conn: &mut PoolConnection<Postgres>,
    queue: &mut mpsc::Receiver<Waiting>,
    waiting: &mut Vec<Waiting>,
) {
    for number in 1.. {
        let adding = tokio::time::timeout(PATIENCE, add_all(conn, waiting)).await;
        let Ok(added) = adding else {
            // In the middle of an answer.
            conn.close_on_drop();
            let late = Failed::Away("no answer in time".to_owned());
            return tell(waiting.drain(..), &Err(late));
        };
        let is_fit = added.is_ok() && number < IN_A_ROW;
        tell(waiting.drain(..), &added);
        while is_fit
            && waiting.len() < TOGETHER
            && let Ok(next) = queue.try_recv()
        {
            waiting.push(next);
        }
        if waiting.is_empty() {
            return;
        }
    }
}

/// Those of `waiting` that could be added, by their codes. A statement that is refused has left nothing behind: then nobody is
/// added here, and whose fault it is turns out when each is tried alone.
async fn add_all(conn: &mut PgConnection, waiting: &[Waiting]) -> Result<Added, Failed> {
    let drafts: Vec<&Draft> = waiting.iter().map(|waiting| &waiting.draft).collect();
    let urls = match store::insert_together(conn, &drafts).await {
        Ok(urls) => urls,
        Err(error) if error.as_database_error().is_some() && !failure::is_outage(&error) => {
            return Ok(Added::new());
        }
        Err(error) => return Err(failed(&error)),
    };
    let named = urls.into_iter().map(|url| (url.short_code.clone(), url));
    Ok(named.collect())
}

fn failed(error: &sqlx::Error) -> Failed {
    if failure::is_outage(error) {
        return Failed::Away(error.to_string());
    }
    Failed::Bug(error.to_string())
}

fn tell(waiting: impl Iterator<Item = Waiting>, added: &Result<Added, Failed>) {
    for waiting in waiting {
        let told = match added {
            Ok(urls) => Ok(urls.get(waiting.draft.short_code.as_str()).cloned()),
            Err(failed) => Err(failed.clone()),
        };
        // Whoever asked may have gone.
        drop(waiting.outcome.send(told));
    }
}
