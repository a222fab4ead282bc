//! Writes made-up links to Postgres, in the way that takes least time.

use sqlx::{AssertSqlSafe, PgConnection, postgres::PgCopyIn};

/// An index that is missing for now.
pub(super) struct Aside {
    create: String,
}

/// Rows on their way into a table.
pub(super) struct Copy<'a>(PgCopyIn<&'a mut PgConnection>);

/// Users with ids from 1 to `count`.
pub(super) async fn fill_users(connection: &mut PgConnection, count: u32) -> sqlx::Result<()> {
    sqlx::query(
        "insert into app_user (id, username, email, created_at, updated_at)
         select id, 'user' || id, 'user' || id || '@example.com', now(), now()
         from generate_series(1, $1::bigint) as id",
    )
    .bind(i64::from(count))
    .execute(connection)
    .await
    .map(drop)
}

/// Drops the indexes of URLs and their words but the primary key: made at the end, they take a tenth of the time.
pub(super) async fn put_indexes_aside(connection: &mut PgConnection) -> sqlx::Result<Vec<Aside>> {
    let found: Vec<(String, String)> = sqlx::query_as(
        "select format('alter table url drop constraint %I', conname),
             format('alter table url add constraint %I %s', conname, pg_get_constraintdef(oid))
         from pg_constraint where conrelid = 'url'::regclass and contype = 'u'
         union all
         select format('drop index %s', indexrelid::regclass), pg_get_indexdef(indexrelid)
         from pg_index where indrelid in ('url'::regclass, 'url_word'::regclass)
         and not exists (select from pg_constraint where conindid = indexrelid)",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut aside = Vec::new();
    for (drop, create) in found {
        run(connection, &drop).await?;
        aside.push(Aside { create });
    }
    // Every owner is there: no need to look for each row's, nor to queue each for the index of words.
    run(connection, "set session_replication_role = replica").await?;
    Ok(aside)
}

pub(super) async fn put_indexes_back(
    connection: &mut PgConnection,
    aside: Vec<Aside>,
) -> sqlx::Result<()> {
    run(connection, "reset session_replication_role").await?;
    run(connection, "set maintenance_work_mem = '1GB'").await?;
    for index in aside {
        run(connection, &index.create).await?;
    }
    run(connection, "reset maintenance_work_mem").await
}

/// Lets ids go on behind those that are there, does what autovacuum and the checkpointer would do in time, and has in memory
/// what has been in use for long.
pub(super) async fn settle(connection: &mut PgConnection) -> sqlx::Result<()> {
    for statement in [
        "select setval(pg_get_serial_sequence('url', 'id'), (select max(id) from url))",
        "select setval(pg_get_serial_sequence('app_user', 'id'), (select max(id) from app_user))",
        "vacuum analyze url",
        "vacuum analyze url_word",
        "vacuum analyze app_user",
        "checkpoint",
        "create extension if not exists pg_prewarm",
        "select sum(pg_prewarm(oid)) from pg_class where relkind in ('r', 'i') and relname ~ '^(url|app_user)'",
    ] {
        run(connection, statement).await?;
    }
    Ok(())
}

impl<'a> Copy<'a> {
    pub(super) async fn of_links(connection: &'a mut PgConnection) -> sqlx::Result<Self> {
        let statement =
            "copy url (id, user_id, short_code, original_url, title, created_at, updated_at)
             from stdin";
        connection.copy_in_raw(statement).await.map(Self)
    }

    pub(super) async fn of_words(connection: &'a mut PgConnection) -> sqlx::Result<Self> {
        let statement = "copy url_word (word, place) from stdin";
        connection.copy_in_raw(statement).await.map(Self)
    }

    pub(super) async fn send(&mut self, rows: &str) -> sqlx::Result<()> {
        self.0.send(rows.as_bytes()).await.map(drop)
    }

    pub(super) async fn finish(self) -> sqlx::Result<u64> {
        self.0.finish().await
    }
}

async fn run(connection: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .map(drop)
}
