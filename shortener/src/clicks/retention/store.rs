//! The partitions of `click` in the database. All SQL about them is in this file.

use chrono::{Months, NaiveDate, NaiveTime};
use sqlx::{AssertSqlSafe, PgConnection};

use super::first_of_month;
use crate::database::{Db, Either, timestamp::Timestamp};

/// Makes the partition of the month that begins on `month`. SQLite has none.
///
/// Clicks of that month may be in the default partition already, by a clock that ran ahead: they move.
pub(super) async fn make_partition(db: &Db, month: NaiveDate) -> sqlx::Result<()> {
    let mut tx = db.begin_background().await?;
    let Either::Postgres(conn) = tx.conn() else {
        return Ok(());
    };
    let name = partition_name(month);
    let next = month + Months::new(1);
    if is_relation(conn, &name).await? {
        return Ok(());
    }
    // Two replicas must not make the same one, and nobody may wait long behind them. The parent first, as whoever writes.
    sqlx::raw_sql(
        "set local lock_timeout = '2s';
         lock table only click in share update exclusive mode;
         lock table click_default in access exclusive mode",
    )
    .execute(&mut *conn)
    .await?;
    if is_relation(conn, &name).await? {
        return Ok(());
    }
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create table {name} (like click including defaults including constraints);
         with moved as (
             delete from click_default where occurred_at >= '{month} UTC' and occurred_at < '{next} UTC' returning *
         )
         insert into {name} select * from moved;
         alter table click attach partition {name} for values from ('{month} UTC') to ('{next} UTC')"
    )))
    .execute(conn)
    .await?;
    tx.commit().await
}

async fn is_relation(conn: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(name)
        .fetch_one(conn)
        .await
}

/// Drops the clicks before `oldest`: whole months on Postgres, and a slice at a time what is in none and on SQLite.
pub(super) async fn drop_clicks_before(db: &Db, oldest: NaiveDate) -> sqlx::Result<()> {
    if let Either::Postgres(pool) = db.writer() {
        let partitions: Vec<String> = sqlx::query_scalar(
            "select relid::regclass::text from pg_partition_tree('click') where isleaf",
        )
        .fetch_all(pool)
        .await?;
        // A month may go when the one after it began before the oldest day to keep.
        let first_kept = partition_name(first_of_month(oldest));
        for name in partitions {
            let is_month = name.len() == first_kept.len() && name.starts_with("click_2");
            if is_month && name < first_kept {
                drop_partition(db, &name).await?;
            }
        }
    }
    let before = Timestamp::from(oldest.and_time(NaiveTime::MIN).and_utc());
    loop {
        let deleted = match db.writer() {
            Either::Postgres(pool) => {
                sqlx::query(
                    "delete from click_default where ctid = any(array(
                         select ctid from click_default where occurred_at < $1 limit 1000
                     ))",
                )
                .bind(before)
                .execute(pool)
                .await?
                .rows_affected()
            }
            // Ids grow with time, so the oldest come first.
            Either::Sqlite(pool) => {
                sqlx::query(
                    "delete from click where id in (
                         select id from (select id, occurred_at from click order by id limit 1000) as oldest
                         where occurred_at < $1
                     )",
                )
                .bind(before)
                .execute(pool)
                .await?
                .rows_affected()
            }
        };
        if deleted < 1000 {
            return Ok(());
        }
    }
}

/// Drops a month, unless others use it for long: then a later try does.
async fn drop_partition(db: &Db, name: &str) -> sqlx::Result<()> {
    let mut tx = db.begin_background().await?;
    if let Either::Postgres(conn) = tx.conn() {
        sqlx::raw_sql("set local lock_timeout = '2s'")
            .execute(&mut *conn)
            .await?;
        sqlx::raw_sql(AssertSqlSafe(format!("drop table if exists {name}")))
            .execute(conn)
            .await?;
    }
    tx.commit().await?;
    tracing::info!(
        partition = name,
        "dropped clicks that are older than the retention"
    );
    Ok(())
}

fn partition_name(month: NaiveDate) -> String {
    month.format("click_%Y_%m").to_string()
}
