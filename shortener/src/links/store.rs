//! Links in the database. All SQL about them is in this file.

use super::{
    key::{DOMAIN, LinkKey},
    link::{LinkRow, link_columns},
    space::Generation,
};
use crate::database::{Conn, Db, Either, either};

/// The links of these codes, as far as there are any.
pub(super) async fn find_all(db: &Db, keys: &[&LinkKey]) -> sqlx::Result<Vec<LinkRow>> {
    // There is one domain so far.
    let codes: Vec<&str> = keys
        .iter()
        .filter(|key| key.domain == DOMAIN)
        .map(|key| &*key.code)
        .collect();
    match db.prompt_reader() {
        Either::Postgres(pool) => {
            sqlx::query_as(concat!(
                "select ",
                link_columns!(),
                " from url where domain_id = 1 and short_code = any($1) and deleted_at is null",
            ))
            .bind(codes)
            .fetch_all(pool)
            .await
        }
        Either::Sqlite(pool) => {
            sqlx::query_as(concat!(
                "select ",
                link_columns!(),
                " from url where domain_id = 1 and short_code in (select value from json_each($1))
                     and deleted_at is null",
            ))
            .bind(serde_json::json!(codes).to_string())
            .fetch_all(pool)
            .await
        }
    }
}

/// What this database is called.
pub(super) async fn installation(db: &Db) -> sqlx::Result<String> {
    either!(db.reader(), pool => {
        sqlx::query_scalar("select id from installation").fetch_one(pool).await
    })
}

/// Begins a new generation with the transaction's commit: every entry in Redis is void then. `None` where there is no Redis.
/// Others who do so wait until then, so this is to be the last thing but one.
pub(super) async fn next_generation(conn: Conn<'_>) -> sqlx::Result<Option<Generation>> {
    match conn {
        Either::Postgres(conn) => sqlx::query_scalar(
            "update cache_generation set generation = generation + 1 returning generation",
        )
        .fetch_one(conn)
        .await
        .map(Some),
        Either::Sqlite(_) => Ok(None),
    }
}
