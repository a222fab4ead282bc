//! Brings the schema to what this binary needs, or waits until somebody else has.
//!
//! Two neighbouring versions of the service share one schema during a rollout. So a binary accepts migrations that it does
//! not know, unless a contracting one has said (in `schema_compatibility`) that it is too old.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context as _, bail};
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, migrate::Migrator, postgres::PgConnectOptions,
};

use super::{Db, Either, either};

/// Any constant will do, as long as no other program takes it in the same database.
const POSTGRES_LOCK: i64 = 0x7572_6c73_686f_7274;

/// How often a lock that another process holds, or a schema that another process makes, is looked at.
const POLL: Duration = Duration::from_millis(100);

/// How long a migration may wait for a table that running transactions hold, before it gives up and lets them pass.
const LOCK_TIMEOUT: &str = "set lock_timeout = '10s'";

/// For what holds nobody up while it waits.
const NO_LOCK_TIMEOUT: &str = "set lock_timeout = 0";

fn postgres() -> Migrator {
    configured(sqlx::migrate!("./migrations/postgres"))
}

fn sqlite() -> Migrator {
    configured(sqlx::migrate!("./migrations/sqlite"))
}

fn configured(mut migrator: Migrator) -> Migrator {
    // The lock is ours (see `lock`); unknown migrations are judged by `check_compatibility`.
    migrator.set_ignore_missing(true).set_locking(false);
    migrator
}

/// Applies what is missing. Safe to run from any number of processes at once.
pub async fn run(db: &Db, connect: Option<&PgConnectOptions>) -> anyhow::Result<()> {
    check_compatibility(db).await?;
    match (db.writer(), connect) {
        (Either::Postgres(_), Some(options)) => {
            // A connection of its own: the lock and the time limit must not leak into the pool.
            let mut conn = PgConnection::connect_with(options)
                .await
                .context("could not connect to migrate the database")?;
            lock(&mut conn).await?;
            // Whoever had the lock may have been a newer version.
            check_compatibility(db).await?;
            finish_indexes(&mut conn)
                .await
                .context("could not rebuild the indexes that an interrupted migration has left")?;
            let migrated = apply(db, &mut conn).await;
            conn.close().await.ok();
            migrated.context("could not migrate the database")
        }
        (Either::Sqlite(pool), _) => sqlite()
            .run(pool)
            .await
            .context("could not migrate the database"),
        (Either::Postgres(_), None) => unreachable!("a Postgres database has connect options"),
    }
}

/// Applies what is missing in Postgres.
///
/// What runs outside of a transaction builds an index, holding nobody up, and waits for every transaction that is under way, such
/// as that of a dump: it may take as long as these do. The others hold locks for which everybody waits, and give up soon.
async fn apply(db: &Db, conn: &mut PgConnection) -> anyhow::Result<()> {
    let applied = applied(db).await?;
    let migrator = postgres();
    for patient in migrator.iter().filter(|migration| migration.no_tx) {
        if applied.contains(&patient.version) {
            continue;
        }
        migrator.run_to(patient.version - 1, &mut *conn).await?;
        tracing::info!(
            migration = patient.version,
            "building an index; this waits for transactions that are under way, and holds nobody up"
        );
        sqlx::query(NO_LOCK_TIMEOUT).execute(&mut *conn).await?;
        migrator.run_to(patient.version, &mut *conn).await?;
        sqlx::query(LOCK_TIMEOUT).execute(&mut *conn).await?;
    }
    migrator.run(conn).await?;
    Ok(())
}

/// The migrations that the database has.
async fn applied(db: &Db) -> anyhow::Result<HashSet<i64>> {
    if !has_table(db, "_sqlx_migrations").await? {
        return Ok(HashSet::new());
    }
    let versions: Vec<i64> = either!(db.reader(), pool => {
        sqlx::query_scalar("select version from _sqlx_migrations")
            .fetch_all(pool)
            .await
    })
    .context("could not read which migrations there are")?;
    Ok(versions.into_iter().collect())
}

/// Waits until the schema is as new as this binary needs it.
pub async fn wait(db: &Db, patience: Duration) -> anyhow::Result<()> {
    let needed = newest_known(db);
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        check_compatibility(db).await?;
        let applied = newest_applied(db).await?;
        if applied >= needed {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline {
            bail!(
                "the database's schema is at migration {applied} but {needed} is needed: run `shortener migrate`, or start with --migrate auto"
            );
        }
        tracing::info!(
            schema.applied = applied,
            schema.needed = needed,
            "waiting for the schema; `shortener migrate` makes it"
        );
        tokio::time::sleep(POLL * 10).await;
    }
}

/// Takes the migration lock by asking again and again. Waiting inside Postgres instead would be a transaction that
/// `create index concurrently`, run by the holder, in turn waits for.
async fn lock(conn: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query(LOCK_TIMEOUT).execute(&mut *conn).await?;
    let mut polls = 0;
    loop {
        let locked: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(POSTGRES_LOCK)
            .fetch_one(&mut *conn)
            .await
            .context("could not take the migration lock")?;
        if locked {
            return Ok(());
        }
        if polls % 50 == 0 && polls > 0 {
            tracing::info!("waiting for another process that migrates the database");
        }
        polls += 1;
        tokio::time::sleep(POLL).await;
    }
}

/// Builds indexes that an interrupted `create index concurrently` has left unfinished, which the next attempt would take for
/// done, as <https://www.postgresql.org/docs/current/sql-reindex.html#SQL-REINDEX-CONCURRENTLY> says; and takes away what an
/// interrupted rebuild has left. No limit for the waits: they hold nobody up.
async fn finish_indexes(conn: &mut PgConnection) -> sqlx::Result<()> {
    let unfinished: Vec<(String, bool)> = sqlx::query_as(
        "select format('%I.%I', nspname, relname), relname ~ '_ccnew[0-9]*$'
         from pg_index join pg_class on pg_class.oid = indexrelid join pg_namespace on pg_namespace.oid = relnamespace
         where not indisvalid and nspname = current_schema() and relkind = 'i'
         order by relname",
    )
    .fetch_all(&mut *conn)
    .await?;
    if unfinished.is_empty() {
        return Ok(());
    }
    sqlx::query(NO_LOCK_TIMEOUT).execute(&mut *conn).await?;
    for (index, is_left_over) in unfinished {
        tracing::warn!(
            index,
            "an index was left unfinished, and is being built anew"
        );
        let word = if is_left_over { "drop" } else { "reindex" };
        let statement = format!("{word} index concurrently {index}");
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *conn)
            .await?;
    }
    sqlx::query(LOCK_TIMEOUT).execute(conn).await?;
    Ok(())
}

/// Refuses a schema that a newer version has changed beyond what this binary understands.
async fn check_compatibility(db: &Db) -> anyhow::Result<()> {
    if !has_table(db, "schema_compatibility").await? {
        return Ok(());
    }
    let oldest: i64 = either!(db.reader(), pool => {
        sqlx::query_scalar("select oldest_migration from schema_compatibility")
            .fetch_one(pool)
            .await
    })
    .context("could not read which versions the schema supports")?;
    let known = newest_known(db);
    if known < oldest {
        bail!(
            "this version of shortener (schema {known}) is too old for the database, which needs one that knows schema {oldest}: run a newer version"
        );
    }
    Ok(())
}

fn newest_known(db: &Db) -> i64 {
    let migrator = match db.reader() {
        Either::Postgres(_) => postgres(),
        Either::Sqlite(_) => sqlite(),
    };
    migrator.iter().map(|m| m.version).max().unwrap_or(0)
}

async fn newest_applied(db: &Db) -> anyhow::Result<i64> {
    if !has_table(db, "_sqlx_migrations").await? {
        return Ok(0);
    }
    either!(db.reader(), pool => {
        sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations where success")
            .fetch_one(pool)
            .await
    })
    .context("could not read the schema's version")
}

async fn has_table(db: &Db, name: &str) -> anyhow::Result<bool> {
    match db.reader() {
        Either::Postgres(pool) => {
            sqlx::query_scalar("select to_regclass($1) is not null")
                .bind(name)
                .fetch_one(pool)
                .await
        }
        Either::Sqlite(pool) => {
            sqlx::query_scalar(
                "select count(*) > 0 from sqlite_master where type = 'table' and name = $1",
            )
            .bind(name)
            .fetch_one(pool)
            .await
        }
    }
    .context("could not read the database's catalogue")
}
