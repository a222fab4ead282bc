//! SQL of a test's own, past the service: to see what is really stored, and to make what no request can.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqliteConnection,
    sqlite::SqliteConnectOptions,
};

use crate::database::{Database, Home};

/// Longer than the service ever holds the file.
const BUSY: Duration = Duration::from_secs(30);

/// A connection to a test's database.
#[derive(Debug)]
pub enum Sql {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// Keeps every recorder from writing clicks while it lives. Requests that only read are answered.
#[derive(Debug)]
#[must_use = "it lets go when dropped"]
pub struct RecordersHeld(Sql);

impl Database {
    pub async fn connect(&self) -> Sql {
        match self.home() {
            Home::File(path) => Sql::Sqlite(
                SqliteConnectOptions::new()
                    .filename(path)
                    .busy_timeout(BUSY)
                    .connect()
                    .await
                    .expect("the file opens"),
            ),
            Home::SharedCluster { cluster, name } | Home::OwnCluster { cluster, name } => {
                Sql::Postgres(cluster.connect(name).await)
            }
        }
    }

    /// Runs `sql`, which may be several statements.
    pub async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        connection.execute(sql).await;
        connection.close().await;
    }

    /// The one column of whole numbers that `sql` selects.
    pub async fn integers(&self, sql: &str) -> Vec<i64> {
        let mut connection = self.connect().await;
        let query = AssertSqlSafe(sql.to_owned());
        let values = match &mut connection {
            Sql::Postgres(postgres) => sqlx::query_scalar(query).fetch_all(postgres).await,
            Sql::Sqlite(sqlite) => sqlx::query_scalar(query).fetch_all(sqlite).await,
        };
        connection.close().await;
        values.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The one whole number that `sql` selects.
    pub async fn integer(&self, sql: &str) -> i64 {
        let values = self.integers(sql).await;
        assert_eq!(values.len(), 1, "{sql}: {values:?}");
        values[0]
    }

    /// The one column of texts that `sql` selects.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let mut connection = self.connect().await;
        let query = AssertSqlSafe(sql.to_owned());
        let values = match &mut connection {
            Sql::Postgres(postgres) => sqlx::query_scalar(query).fetch_all(postgres).await,
            Sql::Sqlite(sqlite) => sqlx::query_scalar(query).fetch_all(sqlite).await,
        };
        connection.close().await;
        values.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Takes the lock that recorders need.
    pub async fn hold_recorders(&self) -> RecordersHeld {
        let mut connection = self.connect().await;
        let lock = match &connection {
            Sql::Postgres(_) => "begin; lock table click in share mode",
            Sql::Sqlite(_) => "begin immediate",
        };
        connection.execute(lock).await;
        RecordersHeld(connection)
    }
}

impl Sql {
    pub async fn execute(&mut self, sql: &str) {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let done = match self {
            Self::Postgres(connection) => query.execute(connection).await.map(drop),
            Self::Sqlite(connection) => query.execute(connection).await.map(drop),
        };
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub async fn close(self) {
        let closed = match self {
            Self::Postgres(connection) => connection.close().await,
            Self::Sqlite(connection) => connection.close().await,
        };
        closed.expect("the connection closes");
    }
}

impl RecordersHeld {
    pub async fn release(mut self) {
        self.0.execute("rollback").await;
        self.0.close().await;
    }
}
