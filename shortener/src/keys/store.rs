//! Keys in the database. All SQL about keys is in this file.

use super::{Key, NewKey, Right, Scopes, secret::KeyHash};
use crate::{
    database::{Db, Either, either, part::push_part, timestamp::Timestamp},
    http::paging::{MAX_TOTAL, Part},
};

/// Which keys a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyFilter {
    pub user_id: Option<i64>,
}

/// What a request's key is judged by.
#[derive(Clone, Debug)]
pub struct Known {
    pub id: i64,
    pub right: Right,
    pub expires_at: Option<Timestamp>,
    /// Also when its user was deleted.
    pub is_revoked: bool,
}

/// The secret of this installation: `proposed`, unless there is one.
pub async fn share_secret(db: &Db, proposed: [u8; 32]) -> sqlx::Result<Vec<u8>> {
    let mut tx = db.begin().await?;
    either!(tx.conn(), conn => {
        sqlx::query("insert into api_key_secret (id, secret) values (1, $1) on conflict (id) do nothing")
            .bind(proposed.as_slice())
            .execute(conn)
            .await?;
    });
    let secret = either!(tx.conn(), conn => {
        sqlx::query_scalar("select secret from api_key_secret").fetch_one(conn).await?
    });
    tx.commit().await?;
    Ok(secret)
}

/// Adds a key, or returns `None` if it is to be that of a user who does not exist.
pub async fn insert(
    db: &Db,
    new: &NewKey,
    hash: KeyHash,
    prefix: &str,
    now: Timestamp,
) -> sqlx::Result<Option<Key>> {
    // The lock has a deletion of the user wait.
    let owners = match db.writer() {
        Either::Postgres(_) => {
            "select id from app_user where id = $4 and deleted_at is null for share"
        }
        Either::Sqlite(_) => "select id from app_user where id = $4 and deleted_at is null",
    };
    let source = match new.right.user_id() {
        Some(_) => "owner",
        None => "(select $4 as id) as nobody",
    };
    let statement = format!(
        "with owner as ({owners})
         insert into api_key (hash, prefix, name, user_id, scopes, created_at, expires_at)
         select $1, $2, $3, id, $5, $6, $7 from {source}
         returning id, prefix, name, user_id, scopes, created_at, expires_at, last_used_at, revoked_at,
             null as deleted_at"
    );
    let added: Option<KeyRecord> = either!(db.writer(), pool => {
        sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(hash.as_bytes())
            .bind(prefix)
            .bind(new.name.as_str())
            .bind(new.right.user_id())
            .bind(new.right.scopes().to_string())
            .bind(now)
            .bind(new.expires_at)
            .fetch_optional(pool)
            .await?
    });
    added.map(KeyRecord::into_key).transpose()
}

/// Adds the first admin's key, unless there is or was one. Returns whether it was added.
pub async fn insert_first(
    db: &Db,
    hash: KeyHash,
    prefix: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let added = either!(db.writer(), pool => {
        sqlx::query(
            "insert into api_key (hash, prefix, name, scopes, is_first, created_at)
             select $1, $2, 'first admin key', 'admin', true, $3
             where not exists (select 1 from api_key where user_id is null)
             on conflict do nothing",
        )
        .bind(hash.as_bytes())
        .bind(prefix)
        .bind(now)
        .execute(pool)
        .await?
        .rows_affected()
    });
    Ok(added == 1)
}

/// Whether there is, or was, a key of an admin.
pub async fn has_admin(db: &Db) -> sqlx::Result<bool> {
    either!(db.reader(), pool => {
        sqlx::query_scalar("select exists (select 1 from api_key where user_id is null)")
            .fetch_one(pool)
            .await
    })
}

pub async fn find_by_hash(db: &Db, hash: KeyHash) -> sqlx::Result<Option<Known>> {
    let found: Option<KnownRecord> = either!(db.reader(), pool => {
        sqlx::query_as(
            "select api_key.id, user_id, scopes, expires_at, revoked_at, deleted_at
             from api_key left join app_user on app_user.id = user_id where hash = $1",
        )
        .bind(hash.as_bytes())
        .fetch_optional(pool)
        .await?
    });
    found.map(KnownRecord::into_known).transpose()
}

/// The `limit` keys that were used last, or made last, and that are good at `now`: their hashes and ids.
pub async fn known(db: &Db, limit: i64, now: Timestamp) -> sqlx::Result<Vec<(KeyHash, i64)>> {
    let rows: Vec<(Vec<u8>, i64)> = either!(db.reader(), pool => {
        sqlx::query_as(
            "select hash, id from api_key where revoked_at is null and (expires_at is null or expires_at > $1)
             order by coalesce(last_used_at, created_at) desc limit $2",
        )
        .bind(now)
        .bind(limit)
        .fetch_all(pool)
        .await?
    });
    let known = |(hash, id): (Vec<u8>, i64)| Some((KeyHash::stored(&hash)?, id));
    Ok(rows.into_iter().filter_map(known).collect())
}

pub async fn list(db: &Db, filter: KeyFilter, part: Part) -> sqlx::Result<Vec<Key>> {
    let rows: Vec<KeyRecord> = either!(db.reader(), pool => {
        let mut query = sqlx::QueryBuilder::new(
            "select api_key.id, prefix, name, user_id, scopes, api_key.created_at, expires_at, last_used_at,
             revoked_at, deleted_at from api_key left join app_user on app_user.id = user_id where true",
        );
        if let Some(user_id) = filter.user_id {
            query.push(" and user_id = ").push_bind(user_id);
        }
        push_part(&mut query, "api_key.id", part);
        query.build_query_as().fetch_all(pool).await?
    });
    rows.into_iter().map(KeyRecord::into_key).collect()
}

/// The number of keys that `filter` lets through, or more than [`MAX_TOTAL`].
pub async fn count(db: &Db, filter: KeyFilter) -> sqlx::Result<i64> {
    either!(db.reader(), pool => {
        let mut query = sqlx::QueryBuilder::new("select count(*) from (select 1 from api_key");
        if let Some(user_id) = filter.user_id {
            query.push(" where user_id = ").push_bind(user_id);
        }
        query.push(" limit ").push_bind(MAX_TOTAL + 1).push(") as counted");
        query.build_query_scalar().fetch_one(pool).await
    })
}

/// Has a key work no longer. Returns whether there was one to revoke.
pub async fn revoke(db: &Db, id: i64, now: Timestamp) -> sqlx::Result<bool> {
    let revoked = either!(db.writer(), pool => {
        sqlx::query("update api_key set revoked_at = $2 where id = $1 and revoked_at is null")
            .bind(id)
            .bind(now)
            .execute(pool)
            .await?
            .rows_affected()
    });
    Ok(revoked == 1)
}

/// Writes down when keys were used last, unless another replica has since the time that stands third.
pub async fn note_uses(db: &Db, uses: &[(i64, Timestamp, Timestamp)]) -> sqlx::Result<()> {
    let mut tx = db.begin_background().await?;
    for (id, used_at, unless_after) in uses {
        either!(tx.conn(), conn => {
            sqlx::query(
                "update api_key set last_used_at = $2
                 where id = $1 and (last_used_at is null or last_used_at < $3)",
            )
            .bind(id)
            .bind(used_at)
            .bind(unless_after)
            .execute(conn)
            .await?;
        });
    }
    tx.commit().await
}

/// A row of the table, beside when its user was deleted.
#[derive(sqlx::FromRow)]
struct KeyRecord {
    id: i64,
    prefix: String,
    name: String,
    user_id: Option<i64>,
    scopes: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
}

impl KeyRecord {
    fn into_key(self) -> sqlx::Result<Key> {
        Ok(Key {
            id: self.id,
            name: self.name,
            prefix: self.prefix,
            user_id: self.user_id,
            scopes: scopes(&self.scopes)?,
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
            revoked_at: self.revoked_at.or(self.deleted_at),
        })
    }
}

#[derive(sqlx::FromRow)]
struct KnownRecord {
    id: i64,
    user_id: Option<i64>,
    scopes: String,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
}

impl KnownRecord {
    fn into_known(self) -> sqlx::Result<Known> {
        Ok(Known {
            id: self.id,
            right: Right::new(self.user_id, scopes(&self.scopes)?).map_err(undecodable)?,
            expires_at: self.expires_at,
            is_revoked: self.revoked_at.or(self.deleted_at).is_some(),
        })
    }
}

fn scopes(text: &str) -> sqlx::Result<Scopes> {
    Scopes::stored(text).map_err(undecodable)
}

fn undecodable(error: crate::invalid::Invalid) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}
