//! Clicks, journals and roll-ups in the database. All SQL about them is in this file.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection, QueryBuilder};

use super::{journal::Position, recorder::Origin, row::ClickRow, visitor::Salt};
use crate::database::{Conn, Db, Either, Tx, copy::CopyText, either, timestamp::Timestamp};

/// SQLite takes 32,766 values in a statement; a click has 17.
const SQLITE_ROWS: usize = 1_900;

/// A roll-up's place: the URL (0 for all), and the day counted from 1970-01-01 UTC.
pub type DayKey = (i64, i64);

/// The two columns of a roll-up: counts, and the sketch of visitors.
pub type DayColumns = (Vec<u8>, Vec<u8>);

/// Where the database says a journal is recorded up to; `None` if it does not know the journal.
pub async fn position(db: &Db, journal: &str) -> sqlx::Result<Option<Position>> {
    let mut tx = db.begin_background().await?;
    let position: Option<i64> = either!(tx.conn(), conn => {
        sqlx::query_scalar("select position from journal where id = $1")
            .bind(journal)
            .fetch_optional(conn)
            .await?
    });
    Ok(position.map(Position::from_i64))
}

/// Makes a journal known, or takes over one that is.
pub async fn register(db: &Db, origin: &Origin, now: Timestamp) -> sqlx::Result<()> {
    let mut tx = db.begin_background().await?;
    either!(tx.conn(), conn => {
        sqlx::query(
            "insert into journal (id, replica_id, place, position, opened_at) values ($1, $2, $3, 0, $4)
             on conflict (id) do update set replica_id = excluded.replica_id",
        )
        .bind(&origin.journal)
        .bind(&origin.replica)
        .bind(&origin.place)
        .bind(now)
        .execute(conn)
        .await?;
    });
    tx.commit().await
}

/// Notes that a journal is recorded to its end, and that nothing will follow.
pub async fn close(db: &Db, journal: &str, now: Timestamp) -> sqlx::Result<()> {
    let mut tx = db.begin_background().await?;
    either!(tx.conn(), conn => {
        sqlx::query("update journal set closed_at = $2 where id = $1 and closed_at is null")
            .bind(journal)
            .bind(now)
            .execute(conn)
            .await?;
    });
    tx.commit().await
}

/// How many journals are open whose process is gone, and has been for a while: nobody has adopted them.
pub async fn count_abandoned(db: &Db, replica: &str) -> sqlx::Result<i64> {
    match db.writer() {
        Either::Postgres(pool) => {
            sqlx::query_scalar(
                "select count(*) from journal where closed_at is null and replica_id <> $1
                 and not exists (
                     select 1 from replica where replica.id = journal.replica_id
                     and lease_until > clock_timestamp() - interval '30 seconds'
                 )",
            )
            .bind(replica)
            .fetch_one(pool)
            .await
        }
        Either::Sqlite(pool) => {
            sqlx::query_scalar(
                "select count(*) from journal where closed_at is null and replica_id <> $1",
            )
            .bind(replica)
            .fetch_one(pool)
            .await
        }
    }
}

/// Moves a journal's position, if it still is where we think. False if it is not: somebody else recorded, or a fail-over
/// went back.
pub async fn advance(
    conn: Conn<'_>,
    journal: &str,
    from: Position,
    to: Position,
) -> sqlx::Result<bool> {
    let moved = either!(conn, conn => {
        // A journal that nothing was recorded of yet stands at 0, before its first position.
        sqlx::query("update journal set position = $3 where id = $1 and (position = $2 or position = 0 and $4)")
            .bind(journal)
            .bind(from.to_i64())
            .bind(to.to_i64())
            .bind(from == Position::START)
            .execute(conn)
            .await?
            .rows_affected()
    });
    Ok(moved == 1)
}

pub async fn insert_clicks(tx: &mut Tx, rows: &[ClickRow]) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    if let Either::Sqlite(_) = tx.conn() {
        for rows in rows.chunks(SQLITE_ROWS) {
            insert_clicks_sqlite(tx, rows).await?;
        }
        return Ok(());
    }
    let Either::Postgres(conn) = tx.conn() else {
        unreachable!("the other database was dealt with");
    };
    let mut text = CopyText::default();
    for row in rows {
        text.plain(row.url_id)
            .plain(row.user_id)
            .plain(row.occurred_at)
            .plain(row.visitor.cast_signed())
            .plain(row.kind_number())
            .optional_text(row.referrer.as_deref())
            .text(row.browser)
            .text(row.os)
            .text(row.device)
            .optional_text(row.country.as_deref())
            .optional_text(row.campaign.source.as_deref())
            .optional_text(row.campaign.medium.as_deref())
            .optional_text(row.campaign.name.as_deref())
            .optional_text(row.campaign.term.as_deref())
            .optional_text(row.campaign.content.as_deref())
            .end_row();
    }
    let mut copy = conn
        .copy_in_raw(
            "copy click (url_id, user_id, occurred_at, visitor, kind, referrer, browser, os, device, country,
             utm_source, utm_medium, utm_campaign, utm_term, utm_content) from stdin",
        )
        .await?;
    copy.send(text.into_bytes()).await?;
    copy.finish().await.map(drop)
}

async fn insert_clicks_sqlite(tx: &mut Tx, rows: &[ClickRow]) -> sqlx::Result<()> {
    let Either::Sqlite(conn) = tx.conn() else {
        unreachable!("the caller has looked");
    };
    let count = i64::try_from(rows.len()).expect("a batch fits");
    // Events take their ids from the same counter.
    let last: i64 = sqlx::query_scalar(
        "update sqlite_sequence set seq = seq + $1 where name = 'event' returning seq",
    )
    .bind(count)
    .fetch_one(&mut *conn)
    .await?;
    let mut query = QueryBuilder::new(
        "insert into click (id, url_id, user_id, occurred_at, visitor, kind, referrer, browser, os, device,
         country, utm_source, utm_medium, utm_campaign, utm_term, utm_content) ",
    );
    query.push_values(
        rows.iter().zip(last - count + 1..),
        |mut values, (row, id)| {
            values
                .push_bind(id)
                .push_bind(row.url_id)
                .push_bind(row.user_id)
                .push_bind(row.occurred_at)
                .push_bind(row.visitor.cast_signed())
                .push_bind(row.kind_number())
                .push_bind(row.referrer.as_deref())
                .push_bind(row.browser)
                .push_bind(row.os)
                .push_bind(row.device)
                .push_bind(row.country.as_deref())
                .push_bind(row.campaign.source.as_deref())
                .push_bind(row.campaign.medium.as_deref())
                .push_bind(row.campaign.name.as_deref())
                .push_bind(row.campaign.term.as_deref())
                .push_bind(row.campaign.content.as_deref());
        },
    );
    query.build().execute(conn).await.map(drop)
}

/// The roll-ups of `keys`, which are in order, locked until the transaction ends. Those that are not there yet are made,
/// and are empty.
///
/// Every recorder takes the same order, so that two of them wait for each other but never both for the other.
pub async fn lock_days(tx: &mut Tx, keys: &[DayKey]) -> sqlx::Result<BTreeMap<DayKey, DayColumns>> {
    let rows: Vec<(i64, i64, Vec<u8>, Vec<u8>)> = match tx.conn() {
        Either::Postgres(conn) => {
            let (urls, days): (Vec<i64>, Vec<i64>) = keys.iter().copied().unzip();
            sqlx::query(
                "insert into click_day (url_id, day, rollup, visitors)
                 select url_id, day, '', '' from unnest($1::bigint[], $2::bigint[]) as wanted (url_id, day)
                 on conflict do nothing",
            )
            .bind(&urls)
            .bind(&days)
            .execute(&mut *conn)
            .await?;
            sqlx::query_as(
                "select url_id, day, rollup, visitors from click_day
                 join unnest($1::bigint[], $2::bigint[]) as wanted (url_id, day) using (url_id, day)
                 order by url_id, day for update of click_day",
            )
            .bind(&urls)
            .bind(&days)
            .fetch_all(conn)
            .await?
        }
        // The only writer is us.
        Either::Sqlite(conn) => {
            sqlx::query_as(
                "select url_id, day, rollup, visitors from click_day
                 join json_each($1) as wanted
                 on url_id = wanted.value ->> 0 and day = wanted.value ->> 1",
            )
            .bind(json!(keys).to_string())
            .fetch_all(conn)
            .await?
        }
    };
    let mut found: BTreeMap<_, _> = keys
        .iter()
        .map(|key| (*key, DayColumns::default()))
        .collect();
    for (url_id, day, rollup, visitors) in rows {
        found.insert((url_id, day), (rollup, visitors));
    }
    Ok(found)
}

/// Writes roll-ups that `lock_days` has locked.
pub async fn write_days(tx: &mut Tx, days: BTreeMap<DayKey, DayColumns>) -> sqlx::Result<()> {
    match tx.conn() {
        Either::Postgres(conn) => {
            let (keys, columns): (Vec<DayKey>, Vec<DayColumns>) = days.into_iter().unzip();
            let (urls, days): (Vec<i64>, Vec<i64>) = keys.into_iter().unzip();
            let (rollups, visitors): (Vec<Vec<u8>>, Vec<Vec<u8>>) = columns.into_iter().unzip();
            sqlx::query(
                "update click_day set rollup = changed.rollup, visitors = changed.visitors
                 from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])
                     as changed (url_id, day, rollup, visitors)
                 where click_day.url_id = changed.url_id and click_day.day = changed.day",
            )
            .bind(urls)
            .bind(days)
            .bind(rollups)
            .bind(visitors)
            .execute(conn)
            .await?;
        }
        Either::Sqlite(conn) => {
            let days: Vec<_> = days.into_iter().collect();
            for chunk in days.chunks(SQLITE_ROWS) {
                let mut query = QueryBuilder::new(
                    "insert or replace into click_day (url_id, day, rollup, visitors) ",
                );
                query.push_values(chunk, |mut values, ((url_id, day), (rollup, visitors))| {
                    values
                        .push_bind(*url_id)
                        .push_bind(*day)
                        .push_bind(rollup.as_slice())
                        .push_bind(visitors.as_slice());
                });
                query.build().execute(&mut *conn).await?;
            }
        }
    }
    Ok(())
}

/// The counts of a URL's days from `first` to `last`, in order.
pub async fn days(
    db: &Db,
    url_id: i64,
    first: i64,
    last: i64,
) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
    either!(db.reader(), pool => {
        sqlx::query_as(
            "select day, rollup from click_day where url_id = $1 and day between $2 and $3 order by day",
        )
        .bind(url_id)
        .bind(first)
        .bind(last)
        .fetch_all(pool)
        .await
    })
}

/// The salt of `day` that all replicas share: `proposed`, unless there is one.
pub async fn share_salt(db: &Db, day: i64, proposed: [u8; 32]) -> sqlx::Result<Salt> {
    let mut tx = db.begin_background().await?;
    either!(tx.conn(), conn => {
        sqlx::query("insert into visitor_salt (day, salt) values ($1, $2) on conflict (day) do nothing")
            .bind(day)
            .bind(proposed.as_slice())
            .execute(conn)
            .await?;
    });
    let salt: Vec<u8> = either!(tx.conn(), conn => {
        sqlx::query_scalar("select salt from visitor_salt where day = $1")
            .bind(day)
            .fetch_one(conn)
            .await?
    });
    tx.commit().await?;
    let salt = salt
        .try_into()
        .map_err(|_| sqlx::Error::Decode("a salt has 32 bytes".into()))?;
    Ok(Salt::new(salt))
}

pub async fn forget_salts_before(db: &Db, day: i64) -> sqlx::Result<()> {
    either!(db.writer(), pool => {
        sqlx::query("delete from visitor_salt where day < $1")
            .bind(day)
            .execute(pool)
            .await
            .map(drop)
    })
}

/// Makes the partition of the month that begins on `month`. SQLite has none.
///
/// Clicks of that month may be in the default partition already, by a clock that ran ahead: they move.
pub async fn make_partition(db: &Db, month: NaiveDate) -> sqlx::Result<()> {
    let mut tx = db.begin_background().await?;
    let Either::Postgres(conn) = tx.conn() else {
        return Ok(());
    };
    let name = partition_name(month);
    let next = month + chrono::Months::new(1);
    if is_relation(conn, &name).await? {
        return Ok(());
    }
    // Two replicas must not make the same one; nor may this wait long behind others, while others wait behind it.
    sqlx::raw_sql(
        "set local lock_timeout = '5s'; lock table click_default in access exclusive mode",
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

/// Drops the clicks before `oldest`: whole months on Postgres, a slice at a time on SQLite.
pub async fn drop_clicks_before(db: &Db, oldest: NaiveDate) -> sqlx::Result<()> {
    match db.writer() {
        Either::Postgres(pool) => {
            let partitions: Vec<String> = sqlx::query_scalar(
                "select relid::regclass::text from pg_partition_tree('click') where isleaf",
            )
            .fetch_all(pool)
            .await?;
            // A month may go when the one after it began before the oldest day to keep.
            let first_kept = partition_name(super::retention::first_of_month(oldest));
            for name in partitions {
                let is_month = name.len() == first_kept.len() && name.starts_with("click_2");
                if is_month && name < first_kept {
                    tracing::info!(
                        partition = name,
                        "dropping clicks that are older than the retention"
                    );
                    sqlx::raw_sql(AssertSqlSafe(format!("drop table if exists {name}")))
                        .execute(pool)
                        .await?;
                }
            }
        }
        Either::Sqlite(pool) => loop {
            // Ids grow with time, so the oldest come first.
            let deleted = sqlx::query(
                "delete from click where id in (
                     select id from (select id, occurred_at from click order by id limit 1000) as oldest
                     where occurred_at < $1
                 )",
            )
            .bind(Timestamp::from(oldest.and_time(chrono::NaiveTime::MIN).and_utc()))
            .execute(pool)
            .await?
            .rows_affected();
            if deleted < 1000 {
                break;
            }
        },
    }
    Ok(())
}

fn partition_name(month: NaiveDate) -> String {
    month.format("click_%Y_%m").to_string()
}
