//! A table that is made as the service's table of URLs is, and what goes into it.

use sqlx::PgConnection;

/// What pgbench runs: the columns that a create writes. Codes are numbers of as many digits as keep them apart.
pub(super) const PLAIN_INSERT: &str = "\
\\set code random(1, 9000000000000000)
insert into plain_url (user_id, short_code, original_url, title, created_at, updated_at)
values (1, :code, 'https://www.example.com/articles/2026/11/' || :code::text || '/a-typical-path', 'An article', now(), now());
";

/// Makes a table with the columns, defaults, checks and indexes of `url`. Foreign keys are not taken over.
pub(super) async fn make_plain(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("create table plain_url (like url including all)")
        .execute(connection)
        .await
        .map(drop)
}

/// Empties both tables and what is left to index (in the order in which the indexer takes them), and has Postgres write down what is left to write, so that every round
/// begins alike.
pub(super) async fn reset(connection: &mut PgConnection) -> sqlx::Result<()> {
    for statement in [
        "truncate url_unindexed, url, url_word, event, plain_url",
        "checkpoint",
    ] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}

/// How many rows are in the service's table, and in the plain one.
pub(super) async fn count(connection: &mut PgConnection) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as("select (select count(*) from url), (select count(*) from plain_url)")
        .fetch_one(connection)
        .await
}

/// Copies a CSV file, as `psql`'s `\copy` does.
pub(super) async fn copy(connection: &mut PgConnection, file: &[u8]) -> sqlx::Result<()> {
    const CHUNK: usize = 64 << 10;

    let statement = "copy plain_url (id, user_id, short_code, original_url, title, is_active, created_at, updated_at)
         from stdin (format csv, header)";
    let mut copy = connection.copy_in_raw(statement).await?;
    for chunk in file.chunks(CHUNK) {
        copy.send(chunk).await?;
    }
    copy.finish().await.map(drop)
}
