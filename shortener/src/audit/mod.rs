//! The log of who changed what through the API, when and from where: for admins to read.
//!
//! It is written beside the requests, a few times a second for all of them together, because an entry in each request's own
//! transaction would make every create a second write, and could not tell of what was refused. The price: who kills the
//! process with -9 may lose the entries of the last quarter of a second. What was changed is in the log of events in any case,
//! and what was done to keys is written before it is answered.

pub mod http;
pub mod log;
pub mod operations;
pub mod store;

use std::net::IpAddr;

use crate::{database::timestamp::Timestamp, http::paging::Listed};

/// Who acts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Actor {
    Key {
        id: i64,
        /// Whose key it is; none for an admin's.
        user_id: Option<i64>,
    },
    AdminKeyFile,
    CommandLine,
    /// Nobody is asked who they are.
    Anyone,
}

impl Actor {
    fn name(self) -> &'static str {
        match self {
            Self::Key { .. } => "key",
            Self::AdminKeyFile => "admin_key_file",
            Self::CommandLine => "command_line",
            Self::Anyone => "anyone",
        }
    }

    /// What nobody else is called.
    pub fn identity(self) -> String {
        match self.key_id() {
            Some(id) => format!("{} {id}", self.name()),
            None => self.name().to_owned(),
        }
    }

    fn key_id(self) -> Option<i64> {
        match self {
            Self::Key { id, .. } => Some(id),
            _ => None,
        }
    }

    fn user_id(self) -> Option<i64> {
        match self {
            Self::Key { user_id, .. } => user_id,
            _ => None,
        }
    }
}

/// What somebody did, or tried to.
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: Timestamp,
    pub actor: Actor,
    pub method: String,
    /// As the table of routes has it, such as `/urls/{id}`; of the command line, the command.
    pub route: String,
    pub object_id: Option<i64>,
    pub client: Option<IpAddr>,
    /// What was answered; none if nothing was.
    pub status: Option<u16>,
}

/// An entry as answered.
#[derive(Clone, Debug, schemars::JsonSchema, serde::Serialize, sqlx::FromRow)]
pub struct AuditEntry {
    pub id: i64,
    #[serde(rename = "timestamp")]
    pub occurred_at: Timestamp,
    /// `key`, `admin_key_file`, `command_line`, or `anyone` where no key is asked for.
    pub actor: String,
    pub key_id: Option<i64>,
    /// Whose key it was; none for an admin's.
    pub user_id: Option<i64>,
    pub method: String,
    pub route: String,
    pub object_id: Option<i64>,
    pub client_address: Option<String>,
    pub status: Option<i16>,
}

impl Listed for AuditEntry {
    fn id(&self) -> i64 {
        self.id
    }
}
