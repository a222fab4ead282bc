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

/// When a change is made at `now` of what was changed before: a clock that was set back must not make it look older than that.
fn moment_of_change(before: Timestamp, now: Timestamp) -> Timestamp {
    now.max(before.next())
}

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
    let updated_at = moment_of_change(before.updated_at, now);
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

/// Deletes a URL, if it is still what `conditions` are about; its row and its code stay. Returns it as it is then. If it is
/// taken down, its owner cannot restore it.
pub async fn delete(
    tx: &mut Tx,
    id: i64,
    is_taken_down: bool,
    conditions: &Conditions,
    now: Timestamp,
) -> Result<ShortUrl, ApiError> {
    let before = lock(tx, id).await?.ok_or(ApiError::NotFound("URL"))?;
    conditions.check_change(before.version)?;
    let now = moment_of_change(before.updated_at, now);
    if is_taken_down {
        either!(tx.conn(), conn => {
            sqlx::query("insert into url_taken_down (url_id) values ($1) on conflict do nothing")
                .bind(id)
                .execute(conn)
                .await?;
        });
    }
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
/// stays as it is; one that was taken down comes back only for who may undo that.
pub async fn restore(
    tx: &mut Tx,
    id: i64,
    owner: i64,
    may_undo_takedown: bool,
    conditions: &Conditions,
    now: Timestamp,
) -> Result<ShortUrl, ApiError> {
    // The owner first, as whoever deletes a user does.
    let owners = users::existing(tx.conn(), &[owner]).await?;
    let before = lock_any(tx, id).await?;
    conditions.check_change(before.version)?;
    if !before.is_deleted {
        let url = lock(tx, id).await?;
        return url.ok_or(ApiError::NotFound("URL"));
    }
    if owners.is_empty() {
        return Err(ApiError::Conflict {
            field: "user_id",
            reason: "the URL's user was deleted, so that it cannot be restored".to_owned(),
        });
    }
    let was_taken_down = either!(tx.conn(), conn => {
        sqlx::query("delete from url_taken_down where url_id = $1")
            .bind(id)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if was_taken_down > 0 && !may_undo_takedown {
        return Err(ApiError::Forbidden(
            "an admin has deleted this URL: only an admin can restore it",
        ));
    }
    let now = moment_of_change(before.updated_at, now);
    let restored: ShortUrl = either!(tx.conn(), conn => {
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
    events::insert_for_url(tx, &restored, "restored", now, &details).await?;
    Ok(restored)
}

/// What is known of a URL that may be deleted.
#[derive(sqlx::FromRow)]
struct Trace {
    version: i64,
    updated_at: Timestamp,
    is_deleted: bool,
}

/// A URL, deleted or not, which stays as it is until the transaction ends.
async fn lock_any(tx: &mut Tx, id: i64) -> sqlx::Result<Trace> {
    match tx.conn() {
        Either::Postgres(conn) => {
            sqlx::query_as(
                "select version, updated_at, deleted_at is not null as is_deleted from url where id = $1 for update",
            )
            .bind(id)
            .fetch_one(conn)
            .await
        }
        Either::Sqlite(conn) => {
            sqlx::query_as(
                "select version, updated_at, deleted_at is not null as is_deleted from url where id = $1",
            )
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
