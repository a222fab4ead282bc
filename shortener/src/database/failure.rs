//! What a database error means: a rule that a row broke, an outage, or a bug.

use std::io;

/// A unique rule that a row broke, by the column a caller would know it by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Taken {
    Id,
    Email,
    ShortCode,
}

impl Taken {
    /// The column that holds the taken value.
    pub fn column(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Email => "email",
            Self::ShortCode => "short_code",
        }
    }
}

/// The unique rule that `error` says was broken, if that is what it says.
///
/// Postgres names the constraint; SQLite's driver only has the columns, in its message.
pub fn taken(error: &sqlx::Error) -> Option<Taken> {
    let error = error.as_database_error()?;
    if !error.is_unique_violation() {
        return None;
    }
    let columns = error.message().rsplit(": ").next();
    match error.constraint().or(columns)? {
        "app_user_pkey" | "url_pkey" | "event_pkey" | "app_user.id" | "url.id" | "event.id" => {
            Some(Taken::Id)
        }
        "app_user_email_key" | "app_user.email" => Some(Taken::Email),
        "url_short_code_key" | "url.domain_id, url.short_code" => Some(Taken::ShortCode),
        _ => None,
    }
}

/// Whether `error` says that the database is away, busy or full, so that the same request may succeed later.
pub fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::BeginFailed
        | sqlx::Error::WorkerCrashed
        // A connection cut in the middle of a message reads as nonsense.
        | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_outage_code(&code)),
        _ => false,
    }
}

/// Whether `error` says that others hold what was waited for, for longer than this transaction waits.
pub fn is_lock_timeout(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == "55P03")
}

/// Postgres: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
/// SQLite: <https://www.sqlite.org/rescode.html>, where the low byte is the primary code.
fn is_outage_code(code: &str) -> bool {
    const SQLITE_BUSY: u32 = 5;
    const SQLITE_IOERR: u32 = 10;
    const SQLITE_FULL: u32 = 13;

    if code.len() == 5 {
        return matches!(
            code,
            "25006" // read-only transaction: a fail-over is under way
                | "25P03" | "25P04" // the transaction was idle, or under way, for too long
                | "40001" // serialization failure
                | "40P01" // deadlock
                | "55P03" // lock not available
                | "57014" // statement timeout
                | "58030" // the server's disk
                | "57P01" | "57P02" | "57P03" | "57P05" // shutting down, starting up
        ) || code.starts_with("08") // connection
            || code.starts_with("53"); // out of disk, memory or connections
    }
    code.parse::<u32>()
        .is_ok_and(|code| matches!(code & 0xff, SQLITE_BUSY | SQLITE_IOERR | SQLITE_FULL))
}

/// Whether `error` says that the data itself cannot be stored, so that trying again would not help.
pub fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_refusal_code(&code)),
        // What cannot even be put into a statement.
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

fn is_refusal_code(code: &str) -> bool {
    const SQLITE_TOOBIG: u32 = 18;
    const SQLITE_CONSTRAINT: u32 = 19;
    const SQLITE_MISMATCH: u32 = 20;

    if code.len() == 5 {
        // Data exceptions and integrity constraint violations.
        return code.starts_with("22") || code.starts_with("23");
    }
    code.parse::<u32>().is_ok_and(|code| {
        matches!(
            code & 0xff,
            SQLITE_TOOBIG | SQLITE_CONSTRAINT | SQLITE_MISMATCH
        )
    })
}

/// Whether `error`, met while connecting, will not go away by waiting: a wrong password, a database that does not exist.
pub fn is_misconfiguration(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Configuration(_) => true,
        sqlx::Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput
        ),
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| matches!(&*code, "28000" | "28P01" | "3D000" | "42501")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_are_told_from_bugs_by_their_code() {
        for code in ["57P01", "08006", "53300", "5", "261", "13", "25006"] {
            assert!(is_outage_code(code), "{code}");
        }
        for code in ["23505", "42601", "22021", "19", "1"] {
            assert!(!is_outage_code(code), "{code}");
        }
    }
}
