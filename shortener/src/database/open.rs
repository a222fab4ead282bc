//! Opens the database that the settings name, and has its schema ready.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    str::FromStr as _,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use sqlx::{
    ConnectOptions as _, Connection as _,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::time::Instant;

use super::{Db, Either, PgPools, SqlitePools, failure, migrate};
use crate::config::{DatabaseConfig, Migrate};

/// How long a request waits for a connection before it is told to come back later.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// One records clicks; the other is for all the rest.
const BACKGROUND_CONNECTIONS: u32 = 2;

/// Two look links up; the third tells who is there.
const PROMPT_CONNECTIONS: u32 = 3;

/// A connection that was fit for use when it was given back is not asked again within this time: that would cost each
/// request a round trip.
const FRESH: Duration = Duration::from_secs(1);

/// How long a connection that is given back may take to show that it is fit for use.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a session begins with. No plan is compiled: Postgres decides that by a guess of the cost, which grows with the table
/// and not with what is read of it, and to compile takes longer than a search.
const SESSION: &str = "set jit = off";

/// What a session for requests begins with: none may exceed these limits, so that those who ask for too much, or hang up,
/// do not keep the connections of others.
const REQUEST_SESSION: &str = "set jit = off; set statement_timeout = '10s'; \
     set idle_in_transaction_session_timeout = '60s'";

/// How long SQLite waits for another process, such as a backup, to release the file.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads are short and the page cache is shared: more readers than this only queue for the same cores.
const SQLITE_READERS: u32 = 4;

/// Where the data is, as `DATABASE_URL` says.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    Postgres(Box<PgConnectOptions>),
    Sqlite(PathBuf),
}

impl DatabaseUrl {
    /// Reads `postgres://user:password@host:port/name`, or `sqlite:` and the path of a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(text)
                .map_err(|error| format!("is no valid Postgres URL: {error}"))?;
            return Ok(Self::Postgres(Box::new(
                options
                    .application_name("shortener")
                    .log_statements(log::LevelFilter::Trace),
            )));
        }
        let Some(path) = text.strip_prefix("sqlite:") else {
            return Err("must start with `postgres://` or `sqlite:`".to_owned());
        };
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.starts_with(":memory:") || path.contains('?') {
            return Err(
                "must be `sqlite:` and the path of a file, such as `sqlite:data/shortener.db`"
                    .to_owned(),
            );
        }
        Ok(Self::Sqlite(path.into()))
    }
}

/// A SQLite file has one process.
#[derive(Debug, thiserror::Error)]
#[error("{} is in use by another shortener process: stop that one first, or use Postgres for several", .0.display())]
pub struct SqliteInUse(pub PathBuf);

/// Opens the database, waiting for one that is not up yet, and has its schema ready.
pub async fn open(url: &DatabaseUrl, config: &DatabaseConfig) -> anyhow::Result<Db> {
    match url {
        DatabaseUrl::Sqlite(path) => {
            let db = open_sqlite(path).await?;
            match config.migrate {
                Migrate::Auto => migrate::run(&db, None).await?,
                Migrate::Off => migrate::wait(&db, config.wait()).await?,
            }
            Ok(db)
        }
        DatabaseUrl::Postgres(options) => {
            let session = match config.session_url()? {
                Some(DatabaseUrl::Postgres(session)) => session,
                Some(DatabaseUrl::Sqlite(_)) => {
                    bail!("DATABASE_SESSION_URL must lead to the same Postgres as DATABASE_URL")
                }
                None => options.clone(),
            };
            let db = connect(options, &session, config).await?;
            match config.migrate {
                Migrate::Auto => migrate::run(&db, Some(&session)).await?,
                Migrate::Off => migrate::wait(&db, config.wait()).await?,
            }
            Ok(db)
        }
    }
}

async fn connect(
    options: &PgConnectOptions,
    session: &PgConnectOptions,
    config: &DatabaseConfig,
) -> anyhow::Result<Db> {
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let deadline = Instant::now() + config.wait();
    let mut told = false;
    // One connection first: the pool would hide a wrong password behind a time-out.
    loop {
        let error = match tokio::time::timeout(Duration::from_secs(5), options.connect()).await {
            Ok(Ok(_)) => break,
            Ok(Err(error)) if failure::is_misconfiguration(&error) => {
                bail!(
                    "Postgres at {place} refused the connection: {}",
                    reason(&error)
                );
            }
            Ok(Err(error)) => reason(&error),
            Err(_) => "no answer within 5 s".to_owned(),
        };
        if Instant::now() >= deadline {
            bail!("Postgres at {place} cannot be reached: {error}");
        }
        if !told {
            tracing::warn!(database.address = place, error, "waiting for Postgres");
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    // All but what has a pool of its own below.
    let requests =
        config.database_max_connections - BACKGROUND_CONNECTIONS - PROMPT_CONNECTIONS - 1;
    Ok(Db {
        pools: Either::Postgres(PgPools {
            requests: pool(requests, REQUEST_SESSION).connect_lazy_with(options.clone()),
            background: pool(BACKGROUND_CONNECTIONS, SESSION).connect_lazy_with(options.clone()),
            prompt: pool(PROMPT_CONNECTIONS, SESSION).connect_lazy_with(options.clone()),
            lease: pool(1, SESSION).connect_lazy_with(options.clone()),
            session: pool(1, SESSION)
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_lazy_with(session.clone()),
        }),
    })
}

/// A pool whose connections cannot be lost to a server that has stopped answering: without a limit, one that is given back
/// would hold its place for as long as TCP has hope. Each begins with the statements of `session`.
fn pool(connections: u32, session: &'static str) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(move |conn, _| {
            Box::pin(async move { sqlx::raw_sql(session).execute(conn).await.map(drop) })
        })
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for < FRESH {
                    return Ok(true);
                }
                Ok(conn.ping().await.is_ok())
            })
        })
        .after_release(|conn, _| {
            Box::pin(async move {
                match tokio::time::timeout(RELEASE_TIMEOUT, conn.ping()).await {
                    Ok(Ok(())) => Ok(true),
                    Ok(Err(error)) => Err(error),
                    Err(_) => Err(sqlx::Error::PoolTimedOut),
                }
            })
        })
}

fn reason(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}

async fn open_sqlite(path: &Path) -> anyhow::Result<Db> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder)
            .with_context(|| format!("could not make the folder {}", folder.display()))?;
    }
    let lock = Arc::new(lock_sqlite(path)?);
    // People's addresses are in it.
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("could not open {}", path.display()))?;

    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An answered write survives a power cut, as it does on Postgres.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // A salt that is forgotten must be gone from the file as well.
        .pragma("secure_delete", "on")
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .log_statements(log::LevelFilter::Trace);
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(SQLITE_BUSY_TIMEOUT)
            // Nothing between us and a file can grow stale.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let writer = pool()
        .max_connections(1)
        .connect_with(options.clone())
        .await
        .map_err(|error| anyhow!("could not open {}: {}", path.display(), reason(&error)))?;
    let readers = pool()
        .max_connections(SQLITE_READERS)
        .connect_lazy_with(options.create_if_missing(false).read_only(true));
    Ok(Db {
        pools: Either::Sqlite(SqlitePools {
            writer,
            readers,
            _lock: lock,
        }),
    })
}

/// One process per file: a second one would not know what the first has cached.
fn lock_sqlite(path: &Path) -> anyhow::Result<File> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    let lock = File::create(&lock_path)
        .with_context(|| format!("could not open {}", lock_path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(SqliteInUse(path.to_owned()).into()),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("could not lock {}", lock_path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_database_by_scheme() {
        assert!(matches!(
            DatabaseUrl::parse("postgres://me:secret@db:5433/links"),
            Ok(DatabaseUrl::Postgres(_))
        ));
        for text in ["sqlite:data/x.db", "sqlite://data/x.db"] {
            assert!(
                matches!(DatabaseUrl::parse(text), Ok(DatabaseUrl::Sqlite(path)) if path == Path::new("data/x.db")),
                "{text}"
            );
        }
    }

    #[test]
    fn other_schemes_and_databases_in_memory_are_refused() {
        for text in [
            "mysql://db/x",
            "",
            "data/x.db",
            "sqlite:",
            "sqlite::memory:",
        ] {
            assert!(DatabaseUrl::parse(text).is_err(), "{text}");
        }
    }
}
