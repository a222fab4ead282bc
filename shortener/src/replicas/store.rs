//! Replicas in Postgres. All SQL about them is in this file.
//!
//! Every time is the database's own, so that clocks that differ between machines do not matter.

use sqlx::{PgPool, Postgres, postgres::PgListener};

use super::LEASE;
use crate::moment::Moment;

/// The channel on which every replica is asked to record its clicks.
pub(super) const QUESTIONS: &str = "shortener_questions";

/// The channel on which every replica is told what to forget.
pub(super) const CHANGES: &str = "shortener_changes";

/// The channel on which answers reach the one that asked. A name has at most 63 bytes.
pub(super) fn answers_to(replica: &str) -> String {
    format!("shortener_{replica}")
}

/// A replica that holds a lease.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Live {
    pub(super) id: String,
    /// Whether it hears what it is told.
    pub(super) hears: bool,
    /// It has obeyed what was committed before this.
    pub(super) heard: i64,
}

/// What a process says of its hearing with its lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hearing {
    pub(super) hears: bool,
    pub(super) heard: i64,
}

/// The database's clock, in microseconds since 1970.
pub(super) async fn clock(pool: &PgPool) -> sqlx::Result<i64> {
    sqlx::query_scalar("select (extract(epoch from clock_timestamp()) * 1e6)::bigint")
        .fetch_one(pool)
        .await
}

/// Renews this process's lease, and sends it the heartbeat that says so. Returns the other replicas that hold one.
///
/// The heartbeat also brings the [`Space`](crate::links::space::Space) as of now: the server's timeline, which each
/// fail-over makes a new one of, and the generation.
///
/// None of this has to survive the server, so its disk is not waited for.
pub(super) async fn renew_lease(
    pool: &PgPool,
    id: &str,
    hearing: Hearing,
    now: Moment,
) -> sqlx::Result<Vec<String>> {
    let (_, others) = sqlx::query_as::<_, (i64, Vec<String>)>(
        "with renewed as (
             insert into replica (id, lease_until, version, hears, heard)
             values ($1, clock_timestamp() + make_interval(secs => $2), $3, $4, $7)
             on conflict (id) do update set lease_until = excluded.lease_until, hears = excluded.hears,
                 heard = excluded.heard
         ), cleared as (
             delete from replica where lease_until < clock_timestamp() - interval '1 hour'
         ), beat as materialized (
             select pg_notify($5, concat_ws(' ', 'beat', $6::bigint, $4,
                 (extract(epoch from clock_timestamp()) * 1e6)::bigint,
                 left(pg_walfile_name(pg_current_wal_lsn()), 8), generation)) from cache_generation
         )
         select (select count(*) from beat, (select set_config('synchronous_commit', 'off', true)) as hurry),
             array(select id from replica where id <> $1 and lease_until > clock_timestamp())",
    )
    .bind(id)
    .bind(LEASE.as_secs_f64())
    .bind(env!("CARGO_PKG_VERSION"))
    .bind(hearing.hears)
    .bind(answers_to(id))
    .bind(i64::try_from(now.micros()).unwrap_or(i64::MAX))
    .bind(hearing.heard)
    .fetch_one(pool)
    .await?;
    Ok(others)
}

pub(super) async fn drop_lease(pool: &PgPool, id: &str) -> sqlx::Result<()> {
    sqlx::query("delete from replica where id = $1")
        .bind(id)
        .execute(pool)
        .await
        .map(drop)
}

/// The other replicas that hold a lease.
pub(super) async fn live(pool: &PgPool, id: &str) -> sqlx::Result<Vec<Live>> {
    // A lease further ahead than any can be was given by a clock that has been put right since.
    sqlx::query_as(
        "select id, hears, heard from replica where id <> $1 and lease_until > clock_timestamp()
         and lease_until <= clock_timestamp() + make_interval(secs => $2)",
    )
    .bind(id)
    .bind(LEASE.as_secs_f64())
    .fetch_all(pool)
    .await
}

/// Sends `payload` to every replica. Inside a transaction it goes out with the commit, and only then.
pub(super) async fn notify<'c>(
    executor: impl sqlx::Executor<'c, Database = Postgres>,
    channel: &str,
    payload: &str,
) -> sqlx::Result<()> {
    sqlx::query("select pg_notify($1, $2)")
        .bind(channel)
        .bind(payload)
        .execute(executor)
        .await
        .map(drop)
}

/// Sends answers, each to the channel of the one that asked, over the line on which the questions came.
pub(super) async fn answer(
    listener: &mut PgListener,
    channels: &[String],
    payloads: &[String],
) -> sqlx::Result<()> {
    sqlx::query("select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) as answers (channel, payload)")
        .bind(channels)
        .bind(payloads)
        .execute(listener)
        .await
        .map(drop)
}
