//! Postgres or SQLite: one enum, and one macro that runs a query on either.
//!
//! A query that both dialects understand is written once and run through [`either!`]; SQL that only one understands is
//! an explicit `match` on [`Either`]. SQL itself lives in the `store.rs` of its concept.

pub mod copy;
pub mod failure;
mod guarded;
pub mod migrate;
pub mod open;
pub mod part;
pub mod timestamp;
pub mod watch;

use std::{fs::File, sync::Arc};

use guarded::Guarded;
use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool,
    Transaction,
};

/// Any constant will do, as long as no other program takes it in the same database.
const BULK_LOAD_LOCK: i64 = 0x7572_6c62_756c_6b00;

/// The same kind of thing for each database: a pool, a connection, a transaction.
#[derive(Clone, Debug)]
pub enum Either<P, S> {
    Postgres(P),
    Sqlite(S),
}

/// Runs `$query` with `$executor` bound to whichever database `$target` is.
macro_rules! either {
    ($target:expr, $executor:ident => $query:expr) => {
        match $target {
            $crate::database::Either::Postgres($executor) => $query,
            $crate::database::Either::Sqlite($executor) => $query,
        }
    };
}
pub(crate) use either;

/// A borrowed connection, inside a transaction.
pub type Conn<'c> = Either<&'c mut PgConnection, &'c mut SqliteConnection>;

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Either<PgPools, SqlitePools>,
}

/// Requests cannot starve what records their clicks: the two have connections of their own.
#[derive(Clone, Debug)]
pub struct PgPools {
    requests: PgPool,
    background: PgPool,
    /// For what cannot wait behind requests or batches: looking links up, and knowing who has to be waited for.
    prompt: PgPool,
    /// One connection that nothing else may hold up: a lease must not lapse because others are busy.
    lease: PgPool,
    /// One connection, which keeps its session.
    session: PgPool,
}

/// SQLite allows one writer at a time: writers queue for the one connection here instead of failing as busy there.
#[derive(Clone, Debug)]
pub struct SqlitePools {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Held for as long as the file is open: see `open`.
    _lock: Arc<File>,
}

impl Db {
    /// Where single statements that only read are run.
    pub fn reader(&self) -> Either<&PgPool, &SqlitePool> {
        match &self.pools {
            Either::Postgres(pools) => Either::Postgres(&pools.requests),
            Either::Sqlite(pools) => Either::Sqlite(&pools.readers),
        }
    }

    /// Where single statements that write are run.
    pub fn writer(&self) -> Either<&PgPool, &SqlitePool> {
        match &self.pools {
            Either::Postgres(pools) => Either::Postgres(&pools.requests),
            Either::Sqlite(pools) => Either::Sqlite(&pools.writer),
        }
    }

    /// Starts a transaction that may write. It is rolled back unless committed.
    pub async fn begin(&self) -> sqlx::Result<Tx> {
        Ok(Tx(match &self.pools {
            Either::Postgres(pools) => {
                Either::Postgres(PgTx::Request(pools.requests.begin().await?))
            }
            // Immediate: a transaction that turned writer half way could fail as busy.
            Either::Sqlite(pools) => {
                Either::Sqlite(pools.writer.begin_with("begin immediate").await?)
            }
        }))
    }

    /// Starts a transaction that holds what others wait for: it is ended for whoever stands still in it.
    pub async fn begin_guarded(&self) -> sqlx::Result<Tx> {
        match &self.pools {
            Either::Postgres(pools) => {
                let conn = pools.requests.acquire().await?;
                Ok(Tx(Either::Postgres(PgTx::Guarded(
                    Guarded::begin(conn).await?,
                ))))
            }
            Either::Sqlite(_) => self.begin().await,
        }
    }

    /// Starts a transaction for work that no request waits for.
    pub async fn begin_background(&self) -> sqlx::Result<Tx> {
        match &self.pools {
            Either::Postgres(pools) => {
                let conn = pools.background.acquire().await?;
                Ok(Tx(Either::Postgres(PgTx::Guarded(
                    Guarded::begin(conn).await?,
                ))))
            }
            Either::Sqlite(_) => self.begin().await,
        }
    }

    /// Postgres only: connections for work that no request waits for.
    pub fn background(&self) -> Option<PgPool> {
        match &self.pools {
            Either::Postgres(pools) => Some(pools.background.clone()),
            Either::Sqlite(_) => None,
        }
    }

    /// Where links are looked up.
    pub fn prompt_reader(&self) -> Either<&PgPool, &SqlitePool> {
        match &self.pools {
            Either::Postgres(pools) => Either::Postgres(&pools.prompt),
            Either::Sqlite(pools) => Either::Sqlite(&pools.readers),
        }
    }

    /// Postgres only: connections for what cannot wait.
    pub fn prompt(&self) -> Option<PgPool> {
        match &self.pools {
            Either::Postgres(pools) => Some(pools.prompt.clone()),
            Either::Sqlite(_) => None,
        }
    }

    /// Postgres only: the connection for leases.
    pub fn lease(&self) -> Option<PgPool> {
        match &self.pools {
            Either::Postgres(pools) => Some(pools.lease.clone()),
            Either::Sqlite(_) => None,
        }
    }

    /// Postgres only: the connection that keeps its session.
    pub fn session(&self) -> Option<PgPool> {
        match &self.pools {
            Either::Postgres(pools) => Some(pools.session.clone()),
            Either::Sqlite(_) => None,
        }
    }

    /// Whether the database answers at all.
    pub async fn ping(&self) -> sqlx::Result<()> {
        either!(self.reader(), pool => pool.acquire().await?.ping().await)
    }

    /// Closes every connection, so that SQLite folds its log into the file.
    pub async fn close(&self) {
        match &self.pools {
            Either::Postgres(pools) => {
                pools.session.close().await;
                pools.lease.close().await;
                pools.prompt.close().await;
                pools.background.close().await;
                pools.requests.close().await;
            }
            Either::Sqlite(pools) => {
                pools.readers.close().await;
                pools.writer.close().await;
            }
        }
    }
}

/// A transaction on either database.
#[derive(Debug)]
pub struct Tx(Either<PgTx, Transaction<'static, Sqlite>>);

#[derive(Debug)]
enum PgTx {
    Request(Transaction<'static, Postgres>),
    Guarded(Guarded),
}

impl Tx {
    pub fn conn(&mut self) -> Conn<'_> {
        match &mut self.0 {
            Either::Postgres(PgTx::Request(tx)) => Either::Postgres(&mut *tx),
            Either::Postgres(PgTx::Guarded(guarded)) => Either::Postgres(guarded.conn()),
            Either::Sqlite(tx) => Either::Sqlite(&mut *tx),
        }
    }

    /// Waits until no other transaction holds this lock, and holds it until the end. On SQLite there is one writer anyway.
    pub async fn lock_bulk_loads(&mut self) -> sqlx::Result<()> {
        if let Either::Postgres(conn) = self.conn() {
            // A load may wait for another one for as long as that takes.
            sqlx::query("set local statement_timeout = 0")
                .execute(&mut *conn)
                .await?;
            sqlx::query("select pg_advisory_xact_lock($1)")
                .bind(BULK_LOAD_LOCK)
                .execute(conn)
                .await?;
        }
        Ok(())
    }

    /// Marks a point to come back to when a statement fails; Postgres refuses all that follows a failure otherwise.
    pub async fn set_savepoint(&mut self) -> sqlx::Result<()> {
        either!(self.conn(), conn => sqlx::query("savepoint point").execute(conn).await.map(drop))
    }

    pub async fn release_savepoint(&mut self) -> sqlx::Result<()> {
        either!(self.conn(), conn => {
            sqlx::query("release savepoint point").execute(conn).await.map(drop)
        })
    }

    pub async fn roll_back_to_savepoint(&mut self) -> sqlx::Result<()> {
        either!(self.conn(), conn => {
            sqlx::query("rollback to savepoint point").execute(conn).await.map(drop)
        })
    }

    /// Undoes everything. What is dropped is rolled back as well, but costs its connection.
    pub async fn roll_back(self) -> sqlx::Result<()> {
        match self.0 {
            Either::Postgres(PgTx::Request(tx)) => tx.rollback().await,
            Either::Postgres(PgTx::Guarded(guarded)) => guarded.roll_back().await,
            Either::Sqlite(tx) => tx.rollback().await,
        }
    }

    pub async fn commit(self) -> sqlx::Result<()> {
        match self.0 {
            Either::Postgres(PgTx::Request(tx)) => tx.commit().await,
            Either::Postgres(PgTx::Guarded(guarded)) => guarded.commit().await,
            Either::Sqlite(tx) => tx.commit().await,
        }
    }
}
