//! URLs in the database. All SQL about URLs is in this file.

use std::collections::HashSet;

use serde_json::json;

use super::{NewUrl, ShortUrl, UrlChange, bulk::UrlRow, short_code::ShortCode};
use crate::{
    database::{Conn, Db, Either, Tx, copy::CopyText, either, timestamp::Timestamp},
    error::ApiError,
    events::store as events,
    invalid::Invalid,
    links::{Links, change::Changed},
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
    let title = new.title.as_ref().map(super::Title::as_str);
    let details = json!({
        "short_code": short_code.as_str(),
        "original_url": new.original_url.as_str(),
    })
    .to_string();
    match db.writer() {
        // One statement is one round trip. The lock has a deletion of the owner wait, and then see this URL.
        Either::Postgres(pool) => {
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
            .bind(title)
            .bind(now)
            .bind(new.options.status)
            .bind(new.options.forward_query)
            .bind(new.options.starts_at)
            .bind(new.options.expires_at)
            .bind(new.options.max_clicks)
            .bind(details)
            .fetch_optional(pool)
            .await
        }
        Either::Sqlite(_) => {
            let mut tx = db.begin().await?;
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
                .bind(title)
                .bind(now)
                .bind(new.options.status)
                .bind(new.options.forward_query)
                .bind(new.options.starts_at)
                .bind(new.options.expires_at)
                .bind(new.options.max_clicks)
                .fetch_optional(conn)
                .await?
            });
            let Some(added) = added else {
                return Ok(None);
            };
            events::insert_for_url(&mut tx, &added, "created", now, &details).await?;
            tx.commit().await?;
            Ok(Some(added))
        }
    }
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

/// What became of a change.
#[derive(Debug)]
pub enum Updated {
    Done(ShortUrl),
    Missing,
    /// Together with what the URL has already, the change would make no sense.
    Refused(&'static str, Invalid),
}

/// Changes a URL and logs each field that became different. Answers when every replica obeys.
pub async fn update(
    db: &Db,
    links: &Links,
    id: i64,
    change: &UrlChange,
    now: Timestamp,
) -> Result<Updated, ApiError> {
    let mut tx = db.begin().await?;
    let Some(before) = lock(&mut tx, id).await? else {
        return Ok(Updated::Missing);
    };
    let wanted = change.apply(&before);
    if let Err(reason) = wanted.options.check() {
        return Ok(Updated::Refused("starts_at", reason));
    }
    // A clock that was set back must not make a change look older than the one before.
    let updated_at = now.max(before.updated_at.next());
    let after: ShortUrl = either!(tx.conn(), conn => {
        sqlx::query_as(concat!(
            "update url set title = $2, is_active = $3, original_url = $4, redirect_status = $5,
                 forward_query = $6, starts_at = $7, expires_at = $8, max_clicks = $9, updated_at = $10,
                 version = version + 1
             where id = $1
             returning ",
            columns!(),
        ))
        .bind(id)
        .bind(&wanted.title)
        .bind(wanted.is_active)
        .bind(&wanted.original_url)
        .bind(wanted.options.status)
        .bind(wanted.options.forward_query)
        .bind(wanted.options.starts_at)
        .bind(wanted.options.expires_at)
        .bind(wanted.options.max_clicks)
        .bind(updated_at)
        .fetch_one(conn)
        .await?
    });
    for difference in after.differences(&before) {
        let details = json!({"field": difference.field, "new_value": difference.new_value});
        events::insert_for_url(&mut tx, &after, "updated", updated_at, &details.to_string())
            .await?;
    }
    let changed = Changed::new(&after.short_code, after.version);
    let announced = links.change(&mut tx, changed).await?;
    tx.commit().await?;
    announced.obeyed().await?;
    Ok(Updated::Done(after))
}

/// Deletes a URL; its row and its code stay. Returns whether there was such a URL, when every replica obeys.
pub async fn delete(db: &Db, links: &Links, id: i64, now: Timestamp) -> Result<bool, ApiError> {
    let mut tx = db.begin().await?;
    let Some(url) = lock(&mut tx, id).await? else {
        return Ok(false);
    };
    either!(tx.conn(), conn => {
        sqlx::query("update url set deleted_at = $2, updated_at = $2, version = version + 1 where id = $1")
            .bind(id)
            .bind(now)
            .execute(conn)
            .await?;
    });
    let details = json!({"reason": "user_requested"}).to_string();
    events::insert_for_url(&mut tx, &url, "deleted", now, &details).await?;
    let changed = Changed::new(&url.short_code, url.version + 1);
    let announced = links.change(&mut tx, changed).await?;
    tx.commit().await?;
    announced.obeyed().await?;
    Ok(true)
}

/// The URL as it is, and stays until the transaction ends.
async fn lock(tx: &mut Tx, id: i64) -> sqlx::Result<Option<ShortUrl>> {
    match tx.conn() {
        Either::Postgres(conn) => {
            sqlx::query_as(concat!(
                "select ",
                columns!(),
                " from url where id = $1 and deleted_at is null for update",
            ))
            .bind(id)
            .fetch_optional(conn)
            .await
        }
        // The only writer is us.
        Either::Sqlite(conn) => {
            sqlx::query_as(concat!(
                "select ",
                columns!(),
                " from url where id = $1 and deleted_at is null",
            ))
            .bind(id)
            .fetch_optional(conn)
            .await
        }
    }
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

/// Adds URLs with the ids they bring.
pub async fn insert_all(tx: &mut Tx, rows: &[UrlRow]) -> sqlx::Result<()> {
    match tx.conn() {
        Either::Postgres(conn) => {
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
            let mut copy = conn
                .copy_in_raw(
                    "copy url (id, user_id, short_code, original_url, title, is_active, created_at, updated_at)
                     from stdin",
                )
                .await?;
            copy.send(text.into_bytes()).await?;
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
