//! What the benchmark of statistics writes to Postgres.

use sqlx::PgConnection;

use super::fill::Filled;

/// URLs with ids from 1 to `count`, all of one user.
pub(super) async fn make_urls(connection: &mut PgConnection, count: u32) -> sqlx::Result<()> {
    sqlx::query(
        "insert into app_user (id, username, email, created_at, updated_at)
         values (1, 'benchmark', 'benchmark@example.com', now(), now())",
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "insert into url (id, user_id, short_code, original_url, created_at, updated_at)
         select number, 1, 'b' || number, 'https://example.com/' || number, now(), now()
         from generate_series(1, $1::bigint) as number",
    )
    .bind(i64::from(count))
    .execute(connection)
    .await
    .map(drop)
}

pub(super) async fn write_day(
    connection: &mut PgConnection,
    day: i64,
    filled: Vec<Filled>,
) -> sqlx::Result<()> {
    let (urls, columns): (Vec<i64>, Vec<_>) = filled.into_iter().unzip();
    let (rollups, visitors): (Vec<Vec<u8>>, Vec<Vec<u8>>) = columns.into_iter().unzip();
    sqlx::query(
        "insert into click_day (url_id, day, rollup, visitors)
         select url_id, $1, rollup, visitors
         from unnest($2::bigint[], $3::bytea[], $4::bytea[]) as filled (url_id, rollup, visitors)",
    )
    .bind(day)
    .bind(urls)
    .bind(rollups)
    .bind(visitors)
    .execute(connection)
    .await
    .map(drop)
}

/// What autovacuum and the checkpointer would do in time.
pub(super) async fn settle(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("vacuum analyze click_day, url")
        .execute(&mut *connection)
        .await?;
    sqlx::query("checkpoint")
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn size(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("select pg_total_relation_size('click_day')")
        .fetch_one(connection)
        .await
}
