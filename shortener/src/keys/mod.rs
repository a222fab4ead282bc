//! API keys: who may do what with whose URLs.
//!
//! A key is 256 random bits. What is stored of it is a keyed hash; the key itself is shown once, to whoever made it.

pub mod arguments;
pub mod command;
pub mod first;
pub mod http;
pub mod keyring;
pub mod operations;
pub mod secret;
pub mod store;

use std::{fmt, str::FromStr};

use clap::ValueEnum as _;

use crate::{
    database::timestamp::Timestamp,
    http::paging::Listed,
    invalid::{self, Invalid},
    openapi::value_schema,
};

const MAX_NAME: usize = 100;

/// What a key may be used for.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// To see users, URLs and events.
    Read,
    /// To change them.
    Write,
    /// To see statistics.
    Statistics,
    /// Everything, everybody's.
    Admin,
}

impl Scope {
    /// What a user's key has unless it is told otherwise.
    pub const OF_A_USER: [Self; 3] = [Self::Read, Self::Write, Self::Statistics];

    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Statistics => "statistics",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut all = Self::value_variants().iter().copied();
        all.find(|scope| scope.name() == text)
            .ok_or("must be of `read`, `write`, `statistics` and `admin`".into())
    }
}

/// The scopes of a key, each once, in the order of [`Scope`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    pub fn new(mut scopes: Vec<Scope>) -> Result<Self, Invalid> {
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err("must name at least one scope".into());
        }
        Ok(Self(scopes))
    }

    /// Whether they allow what needs `scope`. An admin may do everything.
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }

    /// Reads what `Display` wrote.
    fn stored(text: &str) -> Result<Self, Invalid> {
        Self::new(text.split(' ').map(str::parse).collect::<Result<_, _>>()?)
    }
}

value_schema!(Scopes, {
    "type": "array",
    "items": {"type": "string", "enum": Scope::value_variants().iter().map(|scope| scope.name()).collect::<Vec<_>>()},
    "minItems": 1,
});

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|scope| scope.name()).collect();
        f.write_str(&names.join(" "))
    }
}

impl serde::Serialize for Scopes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|scope| scope.name()))
    }
}

/// Whose URLs a key reaches, and what it may do with them: a user's own, by scope, or everybody's and everything.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Right {
    User(i64, Scopes),
    Admin(Scopes),
}

impl Right {
    /// Refuses what would be neither a user's key nor an admin's.
    pub fn new(user_id: Option<i64>, scopes: Scopes) -> Result<Self, Invalid> {
        match (user_id, scopes.allow(Scope::Admin)) {
            (Some(user_id), false) => Ok(Self::User(user_id, scopes)),
            (None, true) => Ok(Self::Admin(scopes)),
            (Some(_), true) => {
                Err("cannot have `admin` for one user's key: leave the user out".into())
            }
            (None, false) => Err("must have `admin` for a key that is no user's".into()),
        }
    }

    pub fn user_id(&self) -> Option<i64> {
        match self {
            Self::User(user_id, _) => Some(*user_id),
            Self::Admin(_) => None,
        }
    }

    pub fn scopes(&self) -> &Scopes {
        match self {
            Self::User(_, scopes) | Self::Admin(scopes) => scopes,
        }
    }
}

/// What people call a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyName(String);

impl KeyName {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        invalid::line(text, MAX_NAME).map(|text| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

value_schema!(KeyName, {
    "type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": r"\S", "examples": ["newsletter"]
});

/// What a new key is made of, besides the key.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub name: KeyName,
    pub right: Right,
    pub expires_at: Option<Timestamp>,
}

/// A key as stored and as answered: all but the key.
#[derive(Clone, Debug, schemars::JsonSchema, serde::Serialize)]
pub struct Key {
    pub id: i64,
    pub name: String,
    /// The first characters, to recognise it by.
    pub prefix: String,
    /// None for an admin's.
    pub user_id: Option<i64>,
    pub scopes: Scopes,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl Listed for Key {
    fn id(&self) -> i64 {
        self.id
    }
}

/// A time after which a key no longer works.
fn expiry(text: &str, now: Timestamp) -> Result<Timestamp, Invalid> {
    let time = Timestamp::parse(text).ok_or("must be a time such as 2030-01-31T12:00:00Z")?;
    if time <= now {
        return Err("must be in the future".into());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(names: &[&str]) -> Scopes {
        Scopes::new(names.iter().map(|name| name.parse().unwrap()).collect()).unwrap()
    }

    #[test]
    fn a_scope_allows_itself_and_admin_allows_all() {
        assert!(scopes(&["read"]).allow(Scope::Read));
        assert!(!scopes(&["read", "statistics"]).allow(Scope::Write));
        for scope in Scope::OF_A_USER {
            assert!(scopes(&["admin"]).allow(scope));
            assert!(!scopes(&["read", "write", "statistics"]).allow(Scope::Admin));
        }
    }

    #[test]
    fn scopes_are_stored_as_they_are_shown() {
        let scopes = scopes(&["write", "read", "write"]);
        assert_eq!(scopes.to_string(), "read write");
        assert_eq!(Scopes::stored("read write").unwrap(), scopes);
        for text in ["", "read ", "everything"] {
            assert!(Scopes::stored(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_key_is_a_users_or_an_admins() {
        assert!(Right::new(Some(1), scopes(&["read"])).is_ok());
        assert!(Right::new(None, scopes(&["admin"])).is_ok());
        assert!(Right::new(Some(1), scopes(&["admin", "read"])).is_err());
        assert!(Right::new(None, scopes(&["read"])).is_err());
    }

    #[test]
    fn a_key_expires_in_the_future() {
        let now = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        assert!(expiry("2026-11-24T12:00:01Z", now).is_ok());
        for text in ["2026-11-24T12:00:00Z", "2020-01-01 00:00:00", "tomorrow"] {
            assert!(expiry(text, now).is_err(), "{text}");
        }
    }
}
