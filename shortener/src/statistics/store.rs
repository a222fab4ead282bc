//! The roll-ups of all URLs of a user. All SQL about them is in this file.

use crate::database::{Db, either};

/// Roll-ups that one answer adds up at most. Each takes some kilobytes.
pub const MAX_ROLLUPS: usize = 10_000;

/// A day, and the roll-up and the visitors of one of the user's URLs on it.
pub type UserDay = (i64, Vec<u8>, Vec<u8>);

/// The roll-ups of the URLs that a user has, in the order of their days; or `None` if there are more than [`MAX_ROLLUPS`].
pub async fn days_of_user(
    db: &Db,
    user_id: i64,
    first: i64,
    last: i64,
) -> sqlx::Result<Option<Vec<UserDay>>> {
    let rows: Vec<UserDay> = either!(db.reader(), pool => {
        sqlx::query_as(
            "select day, rollup, visitors from click_day join url on url.id = url_id
             where user_id = $1 and deleted_at is null and day between $2 and $3 order by day limit $4",
        )
        .bind(user_id)
        .bind(first)
        .bind(last)
        .bind(i64::try_from(MAX_ROLLUPS + 1).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await?
    });
    Ok((rows.len() <= MAX_ROLLUPS).then_some(rows))
}
