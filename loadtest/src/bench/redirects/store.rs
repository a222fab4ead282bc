//! Keeps the recorder still, and looks at what it has written.

use sqlx::PgConnection;

/// Has the recorder wait at its first statement, the move of its journal's position, until [`let_go`]. Leases, LISTEN, the
/// look-up of links and whatever else only reads are not hindered.
pub(super) async fn hold(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("begin").execute(&mut *connection).await?;
    sqlx::query("lock table journal in exclusive mode")
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn let_go(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("rollback").execute(connection).await.map(drop)
}

/// Counts the clicks there are, and removes them and their roll-ups, so that every bout begins alike.
pub(in crate::bench) async fn take_clicks(connection: &mut PgConnection) -> sqlx::Result<i64> {
    let count = sqlx::query_scalar("select count(*) from click")
        .fetch_one(&mut *connection)
        .await?;
    for statement in ["truncate click, click_day", "checkpoint"] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(count)
}
