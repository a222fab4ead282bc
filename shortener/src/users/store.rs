//! Users in the database. All SQL about users is in this file.

use std::collections::HashSet;

use super::{NewUser, User, UserChange, bulk::UserRow};
use crate::{
    database::{
        Conn, Db, Either, Tx,
        copy::CopyText,
        either,
        failure::{Taken, taken},
        part::push_part,
        timestamp::Timestamp,
    },
    error::ApiError,
    events::store as events,
    http::{
        conditional::Conditions,
        paging::{MAX_TOTAL, Part},
    },
    links::{Links, change::Changed},
};

/// The columns of a [`User`].
macro_rules! columns {
    () => {
        "id, username, email, created_at, version"
    };
}

/// Inserts a user by itself, or in a transaction.
macro_rules! insert {
    ($executor:expr, $new:expr, $now:expr) => {
        sqlx::query_as(concat!(
            "insert into app_user (username, email, created_at, updated_at) values ($1, $2, $3, $3)
             returning ",
            columns!(),
        ))
        .bind($new.username.as_str())
        .bind($new.email.as_str())
        .bind($now)
        .fetch_one($executor)
        .await
    };
}

pub async fn insert(db: &Db, new: &NewUser, now: Timestamp) -> sqlx::Result<User> {
    either!(db.writer(), pool => insert!(pool, new, now))
}

pub async fn insert_in(tx: &mut Tx, new: &NewUser, now: Timestamp) -> sqlx::Result<User> {
    either!(tx.conn(), conn => insert!(conn, new, now))
}

pub async fn find(db: &Db, id: i64) -> sqlx::Result<Option<User>> {
    either!(db.reader(), pool => {
        sqlx::query_as(concat!(
            "select ", columns!(), " from app_user where id = $1 and deleted_at is null",
        ))
        .bind(id)
        .fetch_optional(pool)
        .await
    })
}

/// All users, or `only` that one.
pub async fn list(db: &Db, only: Option<i64>, part: Part) -> sqlx::Result<Vec<User>> {
    either!(db.reader(), pool => {
        let mut query = sqlx::QueryBuilder::new(concat!(
            "select ", columns!(), " from app_user where deleted_at is null",
        ));
        if let Some(id) = only {
            query.push(" and id = ").push_bind(id);
        }
        push_part(&mut query, "id", part);
        query.build_query_as().fetch_all(pool).await
    })
}

/// The number of users, or more than [`MAX_TOTAL`].
pub async fn count(db: &Db, only: Option<i64>) -> sqlx::Result<i64> {
    either!(db.reader(), pool => {
        let mut query = sqlx::QueryBuilder::new(
            "select count(*) from (select 1 from app_user where deleted_at is null",
        );
        if let Some(id) = only {
            query.push(" and id = ").push_bind(id);
        }
        query.push(" limit ").push_bind(MAX_TOTAL + 1).push(") as counted");
        query.build_query_scalar().fetch_one(pool).await
    })
}

/// What became of a change.
#[derive(Debug)]
pub enum Updated {
    Done(User),
    Missing,
    EmailTaken,
}

/// Changes a user, if that is still what `conditions` are about.
pub async fn update(
    db: &Db,
    id: i64,
    change: &UserChange,
    conditions: &Conditions,
    now: Timestamp,
) -> Result<Updated, ApiError> {
    let mut tx = db.begin().await?;
    let Some(before) = lock(&mut tx, id).await? else {
        return Ok(Updated::Missing);
    };
    conditions.check_change(before.version)?;
    let updated: sqlx::Result<User> = either!(tx.conn(), conn => {
        sqlx::query_as(concat!(
            "update app_user
             set username = coalesce($2, username), email = coalesce($3, email), updated_at = $4,
                 version = version + 1
             where id = $1
             returning ",
            columns!(),
        ))
        .bind(id)
        .bind(change.username.as_ref().map(super::Username::as_str))
        .bind(change.email.as_ref().map(super::Email::as_str))
        .bind(now)
        .fetch_one(conn)
        .await
    });
    match updated {
        Ok(user) => {
            tx.commit().await?;
            Ok(Updated::Done(user))
        }
        Err(error) if taken(&error) == Some(Taken::Email) => Ok(Updated::EmailTaken),
        Err(error) => Err(error.into()),
    }
}

/// The user as it is, and stays until the transaction ends.
async fn lock(tx: &mut Tx, id: i64) -> sqlx::Result<Option<User>> {
    match tx.conn() {
        Either::Postgres(conn) => {
            sqlx::query_as(concat!(
                "select ",
                columns!(),
                " from app_user where id = $1 and deleted_at is null for update",
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
                " from app_user where id = $1 and deleted_at is null",
            ))
            .bind(id)
            .fetch_optional(conn)
            .await
        }
    }
}

/// Deletes a user and all URLs of theirs, each with an event of its own, if the user is still what `conditions` are about.
/// Returns whether there was such a user, when every replica obeys.
pub async fn delete(
    db: &Db,
    links: &Links,
    id: i64,
    conditions: &Conditions,
    now: Timestamp,
) -> Result<bool, ApiError> {
    let mut tx = db.begin().await?;
    let Some(user) = lock(&mut tx, id).await? else {
        return Ok(false);
    };
    conditions.check_change(user.version)?;
    either!(tx.conn(), conn => {
        sqlx::query("update app_user set deleted_at = $2, version = version + 1 where id = $1")
            .bind(id)
            .bind(now)
            .execute(conn)
            .await?;
    });
    events::insert_deleted_of_user(&mut tx, id, now).await?;
    let deleted: Vec<(String, i64)> = either!(tx.conn(), conn => {
        sqlx::query_as(
            "update url set deleted_at = $2, updated_at = case when updated_at < $2 then $2 else updated_at end,
                 version = version + 1
             where user_id = $1 and deleted_at is null
             returning short_code, version",
        )
        .bind(id)
        .bind(now)
        .fetch_all(conn)
        .await?
    });
    let changed = deleted
        .iter()
        .map(|(code, version)| Changed::new(code, *version))
        .collect();
    let announced = links.change_all_of(&mut tx, id, changed).await?;
    tx.commit().await?;
    announced.obeyed().await?;
    Ok(true)
}

/// Which of `ids` are users.
pub async fn existing(conn: Conn<'_>, ids: &[i64]) -> sqlx::Result<HashSet<i64>> {
    let found: Vec<i64> = match conn {
        Either::Postgres(conn) => {
            sqlx::query_scalar("select id from app_user where id = any($1) and deleted_at is null order by id for share")
                .bind(ids)
                .fetch_all(conn)
                .await?
        }
        Either::Sqlite(conn) => {
            sqlx::query_scalar(
                "select id from app_user
                 where id in (select value from json_each($1)) and deleted_at is null",
            )
            .bind(serde_json::json!(ids).to_string())
            .fetch_all(conn)
            .await?
        }
    };
    Ok(found.into_iter().collect())
}

/// Adds users with the ids they bring.
pub async fn insert_all(tx: &mut Tx, rows: &[UserRow]) -> sqlx::Result<()> {
    match tx.conn() {
        Either::Postgres(conn) => {
            let mut text = CopyText::default();
            for row in rows {
                text.plain(row.id)
                    .text(row.username.as_str())
                    .text(row.email.as_str())
                    .plain(row.created_at)
                    .plain(row.created_at)
                    .end_row();
            }
            let mut copy = conn
                .copy_in_raw(
                    "copy app_user (id, username, email, created_at, updated_at) from stdin",
                )
                .await?;
            copy.send(text.into_bytes()).await?;
            copy.finish().await?;
        }
        Either::Sqlite(conn) => {
            let mut query = sqlx::QueryBuilder::new(
                "insert into app_user (id, username, email, created_at, updated_at) ",
            );
            query.push_values(rows, |mut values, row| {
                values
                    .push_bind(row.id)
                    .push_bind(row.username.as_str())
                    .push_bind(row.email.as_str())
                    .push_bind(row.created_at)
                    .push_bind(row.created_at);
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
        sqlx::query("lock table app_user in share row exclusive mode")
            .execute(&mut *conn)
            .await?;
        sqlx::query(
            "select setval('app_user_id_seq', highest) from (select max(id) as highest from app_user) as ids,
             app_user_id_seq where highest >= last_value",
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}
