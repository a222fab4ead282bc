//! URLs in the database. All SQL about URLs is in this file.

use std::collections::HashSet;

use serde_json::json;
use sqlx::{PgConnection, PgExecutor};

use super::{NewUrl, ShortUrl, bulk::UrlRow, creator::Draft, short_code::ShortCode};
use crate::{
    database::{Conn, Db, Either, Tx, copy::CopyText, either, timestamp::Timestamp},
    events::store as events,
};

/// The columns of a [`ShortUrl`].
macro_rules! columns {
    () => {
        "id, user_id, short_code, original_url, title, is_active, redirect_status, forward_query, starts_at, expires_at, max_clicks, created_at, updated_at, version"
    };
}
pub(super) use columns;

/// Adds a URL and its `created` event, or returns `None` if it has no owner. Who wins a race for a code is decided by the
/// unique constraint, not by a look-up beforehand.
pub async fn insert(
    db: &Db,
    new: &NewUrl,
    short_code: &ShortCode,
    now: Timestamp,
) -> sqlx::Result<Option<ShortUrl>> {
    match db.writer() {
        Either::Postgres(pool) => insert_in_postgres(pool, new, short_code, now).await,
        Either::Sqlite(_) => {
            let mut tx = db.begin().await?;
            let added = insert_in_sqlite(&mut tx, new, short_code, now).await?;
            tx.commit().await?;
            Ok(added)
        }
    }
}

/// The same in a transaction, which goes on if the code is taken.
pub async fn insert_in(
    tx: &mut Tx,
    new: &NewUrl,
    short_code: &ShortCode,
    now: Timestamp,
) -> sqlx::Result<Option<ShortUrl>> {
    tx.set_savepoint().await?;
    let inserted = match tx.conn() {
        Either::Postgres(conn) => insert_in_postgres(conn, new, short_code, now).await,
        Either::Sqlite(_) => insert_in_sqlite(tx, new, short_code, now).await,
    };
    match &inserted {
        Ok(_) => tx.release_savepoint().await?,
        Err(_) => tx.roll_back_to_savepoint().await?,
    }
    inserted
}

/// One statement is one round trip. The lock has a deletion of the owner wait, and then see this URL.
async fn insert_in_postgres(
    executor: impl PgExecutor<'_>,
    new: &NewUrl,
    short_code: &ShortCode,
    now: Timestamp,
) -> sqlx::Result<Option<ShortUrl>> {
    sqlx::query_as(concat!(
        "with owner as (
             select id from app_user where id = $1 and deleted_at is null for share
         ), added as (
             insert into url (user_id, short_code, original_url, title, created_at, updated_at,
                 redirect_status, forward_query, starts_at, expires_at, max_clicks)
             select id, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10 from owner
             returning ",
        columns!(),
        "), logged as (
             insert into event (url_id, user_id, event_type, occurred_at, details)
             select id, user_id, 'created', $5, $11 from added
         )
         select * from added",
    ))
    .bind(new.user_id)
    .bind(short_code.as_str())
    .bind(new.original_url.as_str())
    .bind(new.title.as_ref().map(super::Title::as_str))
    .bind(now)
    .bind(new.options.status)
    .bind(new.options.forward_query)
    .bind(new.options.starts_at)
    .bind(new.options.expires_at)
    .bind(new.options.max_clicks)
    .bind(created(new, short_code))
    .fetch_optional(executor)
    .await
}

/// Adds those that can be added at once, with their events: not those whose owner is missing or held by a deletion, nor
/// those whose code is taken, which fails for one alone. One statement, or none: all or nothing is kept of those that it
/// returns.
pub async fn insert_together(
    conn: &mut PgConnection,
    drafts: &[&Draft],
) -> sqlx::Result<Vec<ShortUrl>> {
    if let [alone] = drafts {
        let added = insert_in_postgres(conn, &alone.new, &alone.short_code, alone.at).await?;
        return Ok(Vec::from_iter(added));
    }
    let news = || drafts.iter().map(|draft| &draft.new);
    let details = drafts
        .iter()
        .map(|draft| created(&draft.new, &draft.short_code));
    // In the order of the codes, so that two such statements never wait for each other.
    sqlx::query_as(concat!(
        "with given as (
             select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::smallint[],
                 $7::boolean[], $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::text[])
             as given (user_id, short_code, original_url, title, at, status, forward_query, starts_at, expires_at,
                 max_clicks, details)
         ), owner as (
             select id from app_user where id = any($1) and deleted_at is null for share skip locked
         ), added as (
             insert into url (user_id, short_code, original_url, title, created_at, updated_at,
                 redirect_status, forward_query, starts_at, expires_at, max_clicks)
             select user_id, short_code, original_url, title, at, at, status, forward_query, starts_at, expires_at, max_clicks
             from given where user_id in (select id from owner) order by short_code
             on conflict do nothing
             returning ",
        columns!(),
        "), logged as (
             insert into event (url_id, user_id, event_type, occurred_at, details)
             select added.id, added.user_id, 'created', given.at, given.details
             from added join given using (short_code) order by added.id
         )
         select * from added",
    ))
    .bind(news().map(|new| new.user_id).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.short_code.as_str()).collect::<Vec<_>>())
    .bind(news().map(|new| new.original_url.as_str()).collect::<Vec<_>>())
    .bind(news().map(|new| new.title.as_ref().map(super::Title::as_str)).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.at).collect::<Vec<_>>())
    .bind(news().map(|new| new.options.status as i16).collect::<Vec<_>>())
    .bind(news().map(|new| new.options.forward_query).collect::<Vec<_>>())
    .bind(news().map(|new| new.options.starts_at).collect::<Vec<_>>())
    .bind(news().map(|new| new.options.expires_at).collect::<Vec<_>>())
    .bind(news().map(|new| new.options.max_clicks).collect::<Vec<_>>())
    .bind(details.collect::<Vec<_>>())
    .fetch_all(conn)
    .await
}

async fn insert_in_sqlite(
    tx: &mut Tx,
    new: &NewUrl,
    short_code: &ShortCode,
    now: Timestamp,
) -> sqlx::Result<Option<ShortUrl>> {
    let added: Option<ShortUrl> = either!(tx.conn(), conn => {
        sqlx::query_as(concat!(
            "insert into url (user_id, short_code, original_url, title, created_at, updated_at,
                 redirect_status, forward_query, starts_at, expires_at, max_clicks)
             select id, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10
             from app_user where id = $1 and deleted_at is null
             returning ",
            columns!(),
        ))
        .bind(new.user_id)
        .bind(short_code.as_str())
        .bind(new.original_url.as_str())
        .bind(new.title.as_ref().map(super::Title::as_str))
        .bind(now)
        .bind(new.options.status)
        .bind(new.options.forward_query)
        .bind(new.options.starts_at)
        .bind(new.options.expires_at)
        .bind(new.options.max_clicks)
        .fetch_optional(conn)
        .await?
    });
    if let Some(added) = &added {
        let details = created(new, short_code);
        events::insert_for_url(tx, added, "created", now, &details).await?;
    }
    Ok(added)
}

/// What the `created` event of a URL says.
fn created(new: &NewUrl, short_code: &ShortCode) -> String {
    json!({
        "short_code": short_code.as_str(),
        "original_url": new.original_url.as_str(),
    })
    .to_string()
}

pub async fn find(db: &Db, id: i64) -> sqlx::Result<Option<ShortUrl>> {
    either!(db.reader(), pool => {
        sqlx::query_as(concat!(
            "select ", columns!(), " from url where id = $1 and deleted_at is null",
        ))
        .bind(id)
        .fetch_optional(pool)
        .await
    })
}

/// Which of `ids` are URLs, deleted ones included: a log may well speak of them.
pub async fn existing(conn: Conn<'_>, ids: &[i64]) -> sqlx::Result<HashSet<i64>> {
    let found: Vec<i64> = match conn {
        Either::Postgres(conn) => {
            sqlx::query_scalar("select id from url where id = any($1)")
                .bind(ids)
                .fetch_all(conn)
                .await?
        }
        Either::Sqlite(conn) => {
            sqlx::query_scalar("select id from url where id in (select value from json_each($1))")
                .bind(json!(ids).to_string())
                .fetch_all(conn)
                .await?
        }
    };
    Ok(found.into_iter().collect())
}

/// How many rows are sent to Postgres at a time.
const COPIED: usize = 256;

/// Adds URLs with the ids they bring.
pub async fn insert_all(tx: &mut Tx, rows: &[UrlRow]) -> sqlx::Result<()> {
    match tx.conn() {
        Either::Postgres(conn) => {
            let mut copy = conn
                .copy_in_raw(
                    "copy url (id, user_id, short_code, original_url, title, is_active, created_at, updated_at)
                     from stdin",
                )
                .await?;
            // Postgres takes in some rows while the next are written out.
            for rows in rows.chunks(COPIED) {
                let mut text = CopyText::default();
                for row in rows {
                    text.plain(row.id)
                        .plain(row.user_id)
                        .text(row.short_code.as_str())
                        .text(row.original_url.as_str())
                        .optional_text(row.title.as_ref().map(super::Title::as_str))
                        .plain(row.is_active)
                        .plain(row.created_at)
                        .plain(row.updated_at)
                        .end_row();
                }
                copy.send(text.into_bytes()).await?;
            }
            copy.finish().await?;
        }
        Either::Sqlite(conn) => {
            let mut query = sqlx::QueryBuilder::new(
                "insert into url
                 (id, user_id, short_code, original_url, title, is_active, created_at, updated_at) ",
            );
            query.push_values(rows, |mut values, row| {
                values
                    .push_bind(row.id)
                    .push_bind(row.user_id)
                    .push_bind(row.short_code.as_str())
                    .push_bind(row.original_url.as_str())
                    .push_bind(row.title.as_ref().map(super::Title::as_str))
                    .push_bind(row.is_active)
                    .push_bind(row.created_at)
                    .push_bind(row.updated_at);
            });
            query.build().execute(conn).await?;
        }
    }
    Ok(())
}

/// Has the next id given out follow the highest one there is. SQLite does so by itself.
pub async fn advance_ids(tx: &mut Tx) -> sqlx::Result<()> {
    if let Either::Postgres(conn) = tx.conn() {
        // Nobody may take an id between the look at the sequence and its change, or it could move back.
        sqlx::query("lock table url in share row exclusive mode")
            .execute(&mut *conn)
            .await?;
        sqlx::query(
            "select setval('url_id_seq', highest) from (select max(id) as highest from url) as ids, url_id_seq
             where highest >= last_value",
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}
