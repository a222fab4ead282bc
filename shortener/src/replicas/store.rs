//! Replicas in Postgres. All SQL about them is in this file.
//!
//! Every time is the database's own, so that clocks that differ between machines do not matter.

use sqlx::PgPool;

use super::LEASE;

/// The channel on which questions reach every replica.
pub(super) const QUESTIONS: &str = "shortener_questions";

/// The channel on which answers reach the one that asked. A name has at most 63 bytes.
pub(super) fn answers_to(replica: &str) -> String {
    format!("shortener_{replica}")
}

/// Renews this process's lease, and lets its own listener hear that the line is alive. Returns how many replicas hold a
/// lease.
pub(super) async fn renew_lease(pool: &PgPool, id: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "with renewed as (
             insert into replica (id, lease_until, version)
             values ($1, clock_timestamp() + make_interval(secs => $2), $3)
             on conflict (id) do update set lease_until = excluded.lease_until
         ), cleared as (
             delete from replica where lease_until < clock_timestamp() - interval '1 hour'
         ), beat as materialized (
             select pg_notify($4, 'beat')
         )
         select (select count(*) from beat)
             + (select count(*) from replica where id <> $1 and lease_until > clock_timestamp())",
    )
    .bind(id)
    .bind(LEASE.as_secs_f64())
    .bind(env!("CARGO_PKG_VERSION"))
    .bind(answers_to(id))
    .fetch_one(pool)
    .await
}

pub(super) async fn drop_lease(pool: &PgPool, id: &str) -> sqlx::Result<()> {
    sqlx::query("delete from replica where id = $1")
        .bind(id)
        .execute(pool)
        .await
        .map(drop)
}

/// Puts a question to every replica. Returns the others, which will answer if they live.
pub(super) async fn ask(pool: &PgPool, id: &str, question: u64) -> sqlx::Result<Vec<String>> {
    // A lease further ahead than any can be was given by a clock that has been put right since.
    sqlx::query_scalar(
        "with asked as materialized (select pg_notify($1, $2))
         select id from replica, asked where id <> $3 and lease_until > clock_timestamp()
         and lease_until <= clock_timestamp() + make_interval(secs => $4)",
    )
    .bind(QUESTIONS)
    .bind(format!("{question} {id}"))
    .bind(id)
    .bind(LEASE.as_secs_f64())
    .fetch_all(pool)
    .await
}

pub(super) async fn answer(
    pool: &PgPool,
    id: &str,
    question: &str,
    asker: &str,
) -> sqlx::Result<()> {
    sqlx::query("select pg_notify($1, $2)")
        .bind(answers_to(asker))
        .bind(format!("{question} {id}"))
        .execute(pool)
        .await
        .map(drop)
}
