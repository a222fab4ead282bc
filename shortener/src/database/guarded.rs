//! A transaction whose connection is used again only if the transaction was ended.
//!
//! Work that is given up half way (a time-out, a lost race) can leave a connection in the middle of an answer, where the
//! next user would read it as the answer to something else. So a connection goes back to its pool by a commit, or by a
//! roll-back that was answered, and is closed by everything else, which is also how the server learns to roll back.

use sqlx::{PgConnection, Postgres, pool::PoolConnection};

/// Limits that keep a process that has frozen, or whose machine has gone, from holding its locks for hours.
const BEGIN: &str = "begin;
    set local lock_timeout = '3s';
    set local statement_timeout = '8s';
    set local idle_in_transaction_session_timeout = '8s';
    set local tcp_keepalives_idle = 5;
    set local tcp_keepalives_interval = 2;
    set local tcp_keepalives_count = 3";

#[derive(Debug)]
pub(super) struct Guarded {
    /// `None` once it is back in its pool.
    conn: Option<PoolConnection<Postgres>>,
}

impl Guarded {
    pub(super) async fn begin(conn: PoolConnection<Postgres>) -> sqlx::Result<Self> {
        let mut guarded = Self { conn: Some(conn) };
        sqlx::raw_sql(BEGIN).execute(guarded.conn()).await?;
        Ok(guarded)
    }

    pub(super) fn conn(&mut self) -> &mut PgConnection {
        self.conn.as_mut().expect("held until the end")
    }

    pub(super) async fn commit(self) -> sqlx::Result<()> {
        self.end("commit").await
    }

    pub(super) async fn roll_back(self) -> sqlx::Result<()> {
        self.end("rollback").await
    }

    async fn end(mut self, statement: &'static str) -> sqlx::Result<()> {
        sqlx::raw_sql(statement).execute(self.conn()).await?;
        self.conn.take();
        Ok(())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(conn) = &mut self.conn {
            conn.close_on_drop();
        }
    }
}
