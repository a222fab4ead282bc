//! The audit log in the database. All SQL about it is in this file.

use super::{AuditEntry, Entry};
use crate::{
    database::{Db, either, part::push_part, timestamp::Timestamp},
    http::paging::{MAX_TOTAL, Part},
};

/// Which entries a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuditFilter {
    pub key_id: Option<i64>,
}

pub async fn insert_all(db: &Db, entries: &[Entry]) -> sqlx::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin_background().await?;
    either!(tx.conn(), conn => {
        let mut query = sqlx::QueryBuilder::new(
            "insert into audit_entry
             (occurred_at, actor, key_id, user_id, method, route, object_id, client_address, status) ",
        );
        query.push_values(entries, |mut values, entry| {
            values
                .push_bind(entry.at)
                .push_bind(entry.actor.name())
                .push_bind(entry.actor.key_id())
                .push_bind(entry.actor.user_id())
                .push_bind(&entry.method)
                .push_bind(&entry.route)
                .push_bind(entry.object_id)
                .push_bind(entry.client.map(|client| client.to_string()))
                .push_bind(entry.status.map(u16::cast_signed));
        });
        // As many texts as there are batch sizes: not worth keeping.
        query.build().persistent(false).execute(conn).await?;
    });
    tx.commit().await
}

/// Newest first.
pub async fn list(db: &Db, filter: AuditFilter, part: Part) -> sqlx::Result<Vec<AuditEntry>> {
    either!(db.reader(), pool => {
        let mut query = sqlx::QueryBuilder::new(
            "select id, occurred_at, actor, key_id, user_id, method, route, object_id, client_address, status
             from audit_entry where true",
        );
        if let Some(key_id) = filter.key_id {
            query.push(" and key_id = ").push_bind(key_id);
        }
        push_part(&mut query, "id", part);
        query.build_query_as().fetch_all(pool).await
    })
}

/// The number of entries that `filter` lets through, or more than [`MAX_TOTAL`].
pub async fn count(db: &Db, filter: AuditFilter) -> sqlx::Result<i64> {
    either!(db.reader(), pool => {
        let mut query = sqlx::QueryBuilder::new("select count(*) from (select 1 from audit_entry");
        if let Some(key_id) = filter.key_id {
            query.push(" where key_id = ").push_bind(key_id);
        }
        query.push(" limit ").push_bind(MAX_TOTAL + 1).push(") as counted");
        query.build_query_scalar().fetch_one(pool).await
    })
}

/// Removes at most `limit` entries that are older than `oldest`. Returns how many.
pub async fn remove_before(db: &Db, oldest: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let mut tx = db.begin_background().await?;
    let removed = either!(tx.conn(), conn => {
        sqlx::query(
            "delete from audit_entry where id in
             (select id from audit_entry where occurred_at < $1 order by occurred_at limit $2)",
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
