//! Keys and answers in the database. All SQL about them is in this file.

use super::{Answer, Fingerprint, IdempotencyKey};
use crate::database::{Db, Tx, either, timestamp::Timestamp};

/// A request that was answered.
#[derive(Debug)]
pub struct Record {
    pub fingerprint: Vec<u8>,
    pub answer: sqlx::Result<Answer>,
}

#[derive(sqlx::FromRow)]
struct Row {
    fingerprint: Vec<u8>,
    status: i16,
    headers: String,
    object_id: Option<i64>,
    body: String,
}

impl Row {
    fn into_record(self) -> Record {
        let headers = serde_json::from_str(&self.headers);
        Record {
            fingerprint: self.fingerprint,
            answer: headers
                .map(|headers| Answer {
                    status: self.status.cast_unsigned(),
                    headers,
                    object_id: self.object_id,
                    body: self.body,
                })
                .map_err(|error| sqlx::Error::Decode(error.into())),
        }
    }
}

/// Only the transaction that claimed a key sees it without an answer.
const FIND: &str = "select fingerprint, status, headers, object_id, body from idempotency_key
    where caller = $1 and key = $2 and status is not null";

pub async fn find(db: &Db, caller: &str, key: &IdempotencyKey) -> sqlx::Result<Option<Record>> {
    let found: Option<Row> = either!(db.reader(), pool => {
        sqlx::query_as(FIND).bind(caller).bind(key.as_str()).fetch_optional(pool).await?
    });
    Ok(found.map(Row::into_record))
}

/// Claims a key, or returns what was answered to whoever had claimed it. Waits for the end of a transaction that has.
pub async fn claim(
    tx: &mut Tx,
    caller: &str,
    key: &IdempotencyKey,
    fingerprint: Fingerprint,
    now: Timestamp,
) -> sqlx::Result<Option<Record>> {
    loop {
        let claimed = either!(tx.conn(), conn => {
            sqlx::query(
                "insert into idempotency_key (caller, key, fingerprint, created_at)
                 values ($1, $2, $3, $4) on conflict do nothing",
            )
            .bind(caller)
            .bind(key.as_str())
            .bind(fingerprint.as_bytes())
            .bind(now)
            .execute(conn)
            .await?
            .rows_affected()
        });
        if claimed == 1 {
            return Ok(None);
        }
        let found: Option<Row> = either!(tx.conn(), conn => {
            sqlx::query_as(FIND).bind(caller).bind(key.as_str()).fetch_optional(conn).await?
        });
        if let Some(found) = found {
            return Ok(Some(found.into_record()));
        }
        // It was removed just now, since it was too old: it is free.
    }
}

/// Keeps what is answered to whoever comes with a claimed key.
pub async fn keep(
    tx: &mut Tx,
    caller: &str,
    key: &IdempotencyKey,
    answer: &Answer,
) -> sqlx::Result<()> {
    let headers = serde_json::to_string(&answer.headers)
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    either!(tx.conn(), conn => {
        sqlx::query(
            "update idempotency_key set status = $3, headers = $4, object_id = $5, body = $6
             where caller = $1 and key = $2",
        )
        .bind(caller)
        .bind(key.as_str())
        .bind(answer.status.cast_signed())
        .bind(headers)
        .bind(answer.object_id)
        .bind(&answer.body)
        .execute(conn)
        .await?;
    });
    Ok(())
}

/// Removes at most `limit` keys that are older than `oldest`. Returns how many.
pub async fn remove_before(db: &Db, oldest: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let mut tx = db.begin_background().await?;
    let removed = either!(tx.conn(), conn => {
        sqlx::query(
            "delete from idempotency_key where (caller, key) in
             (select caller, key from idempotency_key where created_at < $1 order by created_at limit $2)",
        )
        .bind(oldest)
        .bind(limit)
        .execute(conn)
        .await?
        .rows_affected()
    });
    tx.commit().await?;
    Ok(removed)
}
