//! The index of words in the database, and the queue of what is not in it yet. All SQL about them is in this file.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    database::{Db, Either, Tx, either},
    urls::list::{NEIGHBOURHOOD, words},
};

/// Any constant will do, as long as no other program takes it in the same database.
const INDEXER_LOCK: i64 = 0x7572_6c77_6f72_6400;

/// How many URLs wait for the index, at most `most`.
pub(super) async fn count_unindexed(db: &Db, most: i64) -> sqlx::Result<i64> {
    either!(db.reader(), pool => {
        sqlx::query_scalar("select count(*) from (select 1 from url_unindexed limit $1) as waiting")
            .bind(most)
            .fetch_one(pool)
            .await
    })
}

/// What a URL's words are read from.
#[derive(sqlx::FromRow)]
struct Texts {
    id: i64,
    short_code: String,
    original_url: String,
    title: Option<String>,
}

/// Indexes at most `most` of the URLs that wait for it. Returns how many.
pub(super) async fn index_some(db: &Db, most: i64) -> sqlx::Result<u64> {
    let mut tx = db.begin_background().await?;
    // One at a time: two replicas would wait for each other's rows.
    if let Either::Postgres(conn) = tx.conn() {
        let is_ours: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock($1)")
            .bind(INDEXER_LOCK)
            .fetch_one(conn)
            .await?;
        if !is_ours {
            tx.commit().await?;
            return Ok(0);
        }
    }
    // Taken out before the texts are read: whoever edits one of them later queues it again.
    let ids: Vec<i64> = match tx.conn() {
        // By where the rows are: a planner that takes the queue for short, after a load that made it long, would read all of
        // it for each batch.
        Either::Postgres(conn) => {
            sqlx::query_scalar(
                "delete from url_unindexed where ctid = any (array(
                     select ctid from url_unindexed order by url_id desc limit $1
                 )) returning url_id",
            )
            .bind(most)
            .fetch_all(conn)
            .await?
        }
        Either::Sqlite(conn) => {
            sqlx::query_scalar(
                "delete from url_unindexed where url_id in
                 (select url_id from url_unindexed order by url_id desc limit $1)
                 returning url_id",
            )
            .bind(most)
            .fetch_all(conn)
            .await?
        }
    };
    if ids.is_empty() {
        // Not dropped: a connection that is left in a guarded transaction is closed.
        tx.commit().await?;
        return Ok(0);
    }
    let mut found = BTreeSet::new();
    for texts in texts(&mut tx, &ids).await? {
        let place = texts.id / NEIGHBOURHOOD;
        let words = words::of_url(
            &texts.short_code,
            &texts.original_url,
            texts.title.as_deref(),
        );
        found.extend(words.into_iter().map(|word| (word, place)));
    }
    insert_words(&mut tx, found).await?;
    tx.commit().await?;
    Ok(ids.len() as u64)
}

async fn texts(tx: &mut Tx, ids: &[i64]) -> sqlx::Result<Vec<Texts>> {
    match tx.conn() {
        Either::Postgres(conn) => {
            sqlx::query_as("select id, short_code, original_url, title from url where id = any($1)")
                .bind(ids)
                .fetch_all(conn)
                .await
        }
        Either::Sqlite(conn) => {
            sqlx::query_as(
                "select id, short_code, original_url, title from url
                 where id in (select value from json_each($1))",
            )
            .bind(json!(ids).to_string())
            .fetch_all(conn)
            .await
        }
    }
}

/// Adds words with their places, but for those that are there.
async fn insert_words(tx: &mut Tx, words: BTreeSet<(String, i64)>) -> sqlx::Result<()> {
    match tx.conn() {
        Either::Postgres(conn) => {
            let (words, places): (Vec<_>, Vec<_>) = words.into_iter().unzip();
            // A look into the index for each, and no join: a planner that takes the table for small would read all of it.
            sqlx::query(
                "insert into url_word (word, place)
                 select word, place from unnest($1::text[], $2::bigint[]) as found (word, place)
                 where (select true from url_word as known
                        where known.word = found.word and known.place = found.place limit 1) is null",
            )
            .bind(words)
            .bind(places)
            .execute(conn)
            .await?;
        }
        Either::Sqlite(conn) => {
            sqlx::query(
                "insert or ignore into url_word (word, place)
                 select value ->> 0, value ->> 1 from json_each($1)",
            )
            .bind(json!(words).to_string())
            .execute(conn)
            .await?;
        }
    }
    Ok(())
}
