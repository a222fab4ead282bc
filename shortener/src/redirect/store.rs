//! How often links with a limit were followed. All SQL about that is in this file.

use crate::{
    database::{Conn, Db, either},
    links::{
        key::LinkRef,
        link::{LinkRow, link_columns},
    },
};

/// A link, and how many visitors have used it up.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct UsedLink {
    #[sqlx(flatten)]
    pub(super) link: LinkRow,
    pub(super) used: i64,
}

pub(super) async fn find_with_use(db: &Db, key: LinkRef<'_>) -> sqlx::Result<Option<UsedLink>> {
    either!(db.reader(), pool => {
        sqlx::query_as(concat!(
            "select ",
            link_columns!(),
            ", coalesce(used, 0) as used from url left join url_use on url_id = id
             where domain_id = $1 and short_code = $2 and deleted_at is null",
        ))
        .bind(key.domain)
        .bind(key.code)
        .fetch_optional(pool)
        .await
    })
}

/// Counts a visitor, unless there have been `limit`.
pub(super) async fn use_one(conn: Conn<'_>, url_id: i64, limit: i64) -> sqlx::Result<bool> {
    let counted = either!(conn, conn => {
        sqlx::query(
            "insert into url_use (url_id, used) values ($1, 1)
             on conflict (url_id) do update set used = url_use.used + 1 where url_use.used < $2",
        )
        .bind(url_id)
        .bind(limit)
        .execute(conn)
        .await?
        .rows_affected()
    });
    Ok(counted == 1)
}
