//! Changes of URLs in the database, each as a step of a transaction.

use std::collections::HashMap;

use serde_json::json;

use crate::{
    database::{Db, Either, Tx, either, timestamp::Timestamp},
    error::ApiError,
    events::store as events,
    http::conditional::Conditions,
    urls::{ShortUrl, UrlChange, store::columns},
    users::store as users,
};

/// Changes a URL, if it is still what `conditions` are about, and logs each field that became different.
pub async fn update(
    tx: &mut Tx,
    id: i64,
    change: &UrlChange,
    conditions: &Conditions,
    now: Timestamp,
) -> Result<ShortUrl, ApiError> {
    let before = lock(tx, id).await?.ok_or(ApiError::NotFound("URL"))?;
    conditions.check_change(before.version)?;
    let wanted = change.apply(&before);
    // Together with what the URL has already, the change may make no sense.
    if let Err(reason) = wanted.options.check() {
        return Err(ApiError::invalid("starts_at", reason.to_string()));
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
        events::insert_for_url(tx, &after, "updated", updated_at, &details.to_string()).await?;
    }
    Ok(after)
}

/// Deletes a URL, if it is still what `conditions` are about; its row and its code stay. Returns it as it is then.
pub async fn delete(
    tx: &mut Tx,
    id: i64,
    conditions: &Conditions,
    now: Timestamp,
) -> Result<ShortUrl, ApiError> {
    let before = lock(tx, id).await?.ok_or(ApiError::NotFound("URL"))?;
    conditions.check_change(before.version)?;
    let after: ShortUrl = either!(tx.conn(), conn => {
        sqlx::query_as(concat!(
            "update url set deleted_at = $2, updated_at = $2, version = version + 1 where id = $1 returning ",
            columns!(),
        ))
        .bind(id)
        .bind(now)
        .fetch_one(conn)
        .await?
    });
    let details = json!({"reason": "user_requested"}).to_string();
    events::insert_for_url(tx, &after, "deleted", now, &details).await?;
    Ok(after)
}

/// Whose URL that is, or was.
pub async fn owner(db: &Db, id: i64) -> sqlx::Result<Option<i64>> {
    either!(db.reader(), pool => {
        sqlx::query_scalar("select user_id from url where id = $1").bind(id).fetch_optional(pool).await
    })
}

/// Restores a URL of `owner`, if it is still what `conditions` are about. Its code was kept for it. One that is not deleted
/// stays as it is.
pub async fn restore(
    tx: &mut Tx,
    id: i64,
    owner: i64,
    conditions: &Conditions,
    now: Timestamp,
) -> Result<ShortUrl, ApiError> {
    // The owner first, as whoever deletes a user does.
    let owners = users::existing(tx.conn(), &[owner]).await?;
    let (version, is_deleted) = lock_any(tx, id).await?;
    conditions.check_change(version)?;
    if !is_deleted {
        let url = lock(tx, id).await?;
        return url.ok_or(ApiError::NotFound("URL"));
    }
    if owners.is_empty() {
        return Err(ApiError::Conflict {
            field: "user_id",
            reason: "the URL's user was deleted, so that it cannot be restored".to_owned(),
        });
    }
    let after: ShortUrl = either!(tx.conn(), conn => {
        sqlx::query_as(concat!(
            "update url set deleted_at = null, updated_at = $2, version = version + 1 where id = $1 returning ",
            columns!(),
        ))
        .bind(id)
        .bind(now)
        .fetch_one(conn)
        .await?
    });
    let details = json!({"reason": "user_requested"}).to_string();
    events::insert_for_url(tx, &after, "restored", now, &details).await?;
    Ok(after)
}

/// The version of a URL, and whether it is deleted; both stay until the transaction ends.
async fn lock_any(tx: &mut Tx, id: i64) -> sqlx::Result<(i64, bool)> {
    match tx.conn() {
        Either::Postgres(conn) => {
            sqlx::query_as(
                "select version, deleted_at is not null from url where id = $1 for update",
            )
            .bind(id)
            .fetch_one(conn)
            .await
        }
        Either::Sqlite(conn) => {
            sqlx::query_as("select version, deleted_at is not null from url where id = $1")
                .bind(id)
                .fetch_one(conn)
                .await
        }
    }
}

/// Who has each of `ids`, if it is there. They stay as they are until the transaction ends. In the order of the ids, so that two
/// who want some of the same wait for each other, and not both.
pub async fn lock_all(tx: &mut Tx, ids: &[i64]) -> sqlx::Result<HashMap<i64, i64>> {
    let rows: Vec<(i64, i64)> = match tx.conn() {
        Either::Postgres(conn) => {
            sqlx::query_as(
                "select id, user_id from url where id = any($1) and deleted_at is null order by id for update",
            )
            .bind(ids)
            .fetch_all(conn)
            .await?
        }
        Either::Sqlite(conn) => {
            sqlx::query_as(
                "select id, user_id from url
                 where id in (select value from json_each($1)) and deleted_at is null",
            )
            .bind(json!(ids).to_string())
            .fetch_all(conn)
            .await?
        }
    };
    Ok(rows.into_iter().collect())
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
