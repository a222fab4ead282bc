//! What the benchmark of recording asks of Postgres.

use harness::postgres::Cluster;
use sqlx::PgConnection;

pub(in crate::bench) async fn setting(
    connection: &mut PgConnection,
    name: &str,
) -> sqlx::Result<String> {
    sqlx::query_scalar("select current_setting($1)")
        .bind(name)
        .fetch_one(connection)
        .await
}

/// The process that serves a connection.
pub(in crate::bench) async fn backend(connection: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(connection)
        .await
}

/// Empties what recording fills, and has Postgres write down what is left to write, so that every round begins alike.
pub(super) async fn reset(cluster: &Cluster, database: &str) {
    cluster
        .execute(database, "truncate click, click_day, journal")
        .await;
    cluster.execute(database, "checkpoint").await;
}

/// How many clicks there are.
pub(super) async fn count(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("select count(*) from click")
        .fetch_one(connection)
        .await
}

/// Rows in `text`, written by one plain `copy`.
pub(super) async fn copy(connection: &mut PgConnection, text: &[u8]) -> sqlx::Result<u64> {
    let statement = "copy click (url_id, user_id, occurred_at, visitor, kind, referrer, browser, os, device, country,
         utm_source, utm_medium, utm_campaign, utm_term, utm_content) from stdin";
    let mut copy = connection.copy_in_raw(statement).await?;
    copy.send(text).await?;
    copy.finish().await
}

pub(super) async fn create_database(cluster: &Cluster, name: &str) {
    let statement = format!("create database {name} template template0");
    cluster.execute("postgres", &statement).await;
}
