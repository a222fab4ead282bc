//! Clicks, journals and roll-ups in the database. All SQL about them is in this file.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::QueryBuilder;

use super::{journal::Position, recorder::Origin, row::ClickRow, visitor::Salt};
use crate::database::{Conn, Db, Either, Tx, copy::CopyText, either, timestamp::Timestamp};

/// SQLite takes 32,766 values in a statement; a click has 17.
const SQLITE_ROWS: usize = 1_900;

/// Up to here single values are as fast as `copy`, which sends two packets before it hears anything: the second one waits
/// for the server's delayed acknowledgement of the first, some 40 ms.
const FEW: usize = 64;

/// Stands for all URLs together in place of a URL's id, and comes before any.
pub const ALL: i64 = 0;

/// A roll-up's place: the URL (or [`ALL`]), and the day counted from 1970-01-01 UTC.
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
             on conflict (id) do update set replica_id = excluded.replica_id, closed_at = null",
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

/// Writes `rows`. On Postgres they are taken from `text`, which [`write_copy`] has made of them.
pub async fn insert_clicks(tx: &mut Tx, rows: &[ClickRow], text: &[u8]) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    if matches!(tx.conn(), Either::Sqlite(_)) || rows.len() <= FEW {
        for rows in rows.chunks(SQLITE_ROWS) {
            insert_values(tx, rows).await?;
        }
        return Ok(());
    }
    let Either::Postgres(conn) = tx.conn() else {
        unreachable!("the other database was dealt with");
    };
    let mut copy = conn
        .copy_in_raw(
            "copy click (url_id, user_id, occurred_at, visitor, kind, referrer, browser, os, device, country,
             utm_source, utm_medium, utm_campaign, utm_term, utm_content) from stdin",
        )
        .await?;
    copy.send(text).await?;
    copy.finish().await.map(drop)
}

/// Appends `rows` to `text`, for [`insert_clicks`].
pub fn write_copy(rows: &[ClickRow], text: &mut Vec<u8>) {
    let mut copy = CopyText::default();
    for row in rows {
        copy.plain(row.url_id)
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
    text.extend_from_slice(&copy.into_bytes());
}

/// The next ids of clicks and events, which share their numbers.
async fn take_ids(tx: &mut Tx, count: usize) -> sqlx::Result<Vec<i64>> {
    let count = i64::try_from(count).expect("a batch fits");
    match tx.conn() {
        Either::Postgres(conn) => {
            sqlx::query_scalar("select nextval('event_id_seq') from generate_series(1, $1)")
                .bind(count)
                .fetch_all(conn)
                .await
        }
        Either::Sqlite(conn) => {
            let last: i64 = sqlx::query_scalar(
                "update sqlite_sequence set seq = seq + $1 where name = 'event' returning seq",
            )
            .bind(count)
            .fetch_one(conn)
            .await?;
            Ok((last - count + 1..=last).collect())
        }
    }
}

async fn insert_values(tx: &mut Tx, rows: &[ClickRow]) -> sqlx::Result<()> {
    let ids = take_ids(tx, rows.len()).await?;
    either!(tx.conn(), conn => {
        let mut query = QueryBuilder::new(
            "insert into click (id, url_id, user_id, occurred_at, visitor, kind, referrer, browser, os, device,
             country, utm_source, utm_medium, utm_campaign, utm_term, utm_content) ",
        );
        query.push_values(rows.iter().zip(ids), |mut values, (row, id)| {
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
        });
        // As many texts as there are batch sizes: not worth keeping.
        query.build().persistent(false).execute(conn).await.map(drop)
    })
}

/// The roll-ups of `keys`, which are in order and hold, for each of their days, the one of all URLs. They are nobody
/// else's to change until the transaction ends. Those that are not there yet are empty.
///
/// Every recorder locks a day's roll-up of all URLs before it so much as reads others of that day: that one lock stands
/// for the whole day, so that no other row needs one. And every recorder takes days in the same order, so that two of
/// them wait for each other but never both for the other.
pub async fn lock_days(tx: &mut Tx, keys: &[DayKey]) -> sqlx::Result<BTreeMap<DayKey, DayColumns>> {
    let rows: Vec<(i64, i64, Vec<u8>, Vec<u8>)> = match tx.conn() {
        Either::Postgres(conn) => {
            let (all, single) = keys.split_at(keys.partition_point(|(url_id, _)| *url_id == ALL));
            let days: Vec<i64> = all.iter().map(|(_, day)| *day).collect();
            sqlx::query(
                "insert into click_day (url_id, day, rollup, visitors)
                 select $1, day, '', '' from unnest($2::bigint[]) as day
                 on conflict do nothing",
            )
            .bind(ALL)
            .bind(&days)
            .execute(&mut *conn)
            .await?;
            let mut rows: Vec<_> = sqlx::query_as(
                "select url_id, day, rollup, visitors from click_day
                 where url_id = $1 and day = any($2) order by day for update",
            )
            .bind(ALL)
            .bind(&days)
            .fetch_all(&mut *conn)
            .await?;
            let (urls, days): (Vec<i64>, Vec<i64>) = single.iter().copied().unzip();
            let single: Vec<_> = sqlx::query_as(
                "select url_id, day, rollup, visitors from click_day
                 join unnest($1::bigint[], $2::bigint[]) as wanted (url_id, day) using (url_id, day)",
            )
            .bind(urls)
            .bind(days)
            .fetch_all(conn)
            .await?;
            rows.extend(single);
            rows
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
    let days = rows.into_iter();
    Ok(days
        .map(|(url_id, day, rollup, visitors)| ((url_id, day), (rollup, visitors)))
        .collect())
}

/// A roll-up to write.
#[derive(Debug)]
pub struct ChangedDay {
    pub key: DayKey,
    pub columns: DayColumns,
    /// `lock_days` has not found it.
    pub is_new: bool,
    /// Most visitors come back: their sketch, the larger column by far, need not be written again.
    pub has_new_visitors: bool,
}

/// Writes roll-ups of days that `lock_days` has locked.
pub async fn write_days(tx: &mut Tx, days: Vec<ChangedDay>) -> sqlx::Result<()> {
    match tx.conn() {
        Either::Postgres(conn) => {
            let (new, old): (Vec<_>, Vec<_>) = days.into_iter().partition(|day| day.is_new);
            // What is not given stays as it is.
            for (days, statement) in [
                (
                    new,
                    "insert into click_day (url_id, day, rollup, visitors)
                     select * from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])",
                ),
                (
                    old,
                    "update click_day
                     set rollup = changed.rollup, visitors = coalesce(changed.visitors, click_day.visitors)
                     from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])
                         as changed (url_id, day, rollup, visitors)
                     where click_day.url_id = changed.url_id and click_day.day = changed.day",
                ),
            ] {
                if days.is_empty() {
                    continue;
                }
                let (urls, numbers): (Vec<i64>, Vec<i64>) = days.iter().map(|day| day.key).unzip();
                let (rollups, visitors): (Vec<Vec<u8>>, Vec<Option<Vec<u8>>>) = days
                    .into_iter()
                    .map(|day| {
                        let (rollup, visitors) = day.columns;
                        (rollup, day.has_new_visitors.then_some(visitors))
                    })
                    .unzip();
                sqlx::query(statement)
                    .bind(urls)
                    .bind(numbers)
                    .bind(rollups)
                    .bind(visitors)
                    .execute(&mut *conn)
                    .await?;
            }
        }
        Either::Sqlite(conn) => {
            for chunk in days.chunks(SQLITE_ROWS) {
                let mut query = QueryBuilder::new(
                    "insert or replace into click_day (url_id, day, rollup, visitors) ",
                );
                query.push_values(chunk, |mut values, day| {
                    let ((url_id, number), (rollup, visitors)) = (day.key, &day.columns);
                    values
                        .push_bind(url_id)
                        .push_bind(number)
                        .push_bind(rollup.as_slice())
                        .push_bind(visitors.as_slice());
                });
                query.build().persistent(false).execute(&mut *conn).await?;
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
