//! Users: who owns URLs.

pub mod bulk;
pub mod http;
pub mod operations;
pub mod store;

use crate::{
    database::timestamp::Timestamp,
    http::{conditional::Versioned, paging::Listed},
    invalid::{self, Invalid},
    openapi::value_schema,
};

const MAX_USERNAME: usize = 255;

/// The longest address that mail can be sent to (RFC 5321, 4.5.3.1.3, without the angle brackets).
const MAX_EMAIL: usize = 254;

/// A user as stored and as answered.
#[derive(Clone, Debug, schemars::JsonSchema, serde::Serialize, sqlx::FromRow)]
pub struct User {
    pub id: i64,
    pub username: String,
    pub email: String,
    pub created_at: Timestamp,
    /// Grows with every change. Told as `ETag` alone: a user's answer is what the contract says.
    #[serde(skip)]
    pub version: i64,
}

impl Versioned for User {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Listed for User {
    fn id(&self) -> i64 {
        self.id
    }
}

/// What a user is called. Two users may be called the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Username(String);

impl Username {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        invalid::line(text, MAX_USERNAME).map(|text| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address of the form `name@host`. Only mail sent to it could prove more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Email(String);

impl Email {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = invalid::line(text, MAX_EMAIL)?;
        let is_address = !text.contains(char::is_whitespace)
            && text.rsplit_once('@').is_some_and(|(name, host)| {
                !name.is_empty() && !name.contains('@') && is_host(host)
            });
        if is_address {
            Ok(Self(text.to_owned()))
        } else {
            Err("must be an address such as name@example.com".into())
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_host(text: &str) -> bool {
    text.split('.').all(|label| !label.is_empty())
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '[' | ']' | ':'))
}

value_schema!(Username, {
    "type": "string", "minLength": 1, "maxLength": MAX_USERNAME, "pattern": r"\S", "examples": ["Ada Lovelace"]
});

value_schema!(Email, {
    "type": "string", "minLength": 3, "maxLength": MAX_EMAIL, "pattern": r"^[^@\s]+@[^@\s]+$", "examples": ["ada@example.com"]
});

/// What a new user is made of.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub username: Username,
    pub email: Email,
}

/// A change to a user; `None` leaves a field alone.
#[derive(Clone, Debug)]
pub struct UserChange {
    pub username: Option<Username>,
    pub email: Option<Email>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_has_something_to_read() {
        assert!(Username::parse("Ada Lovelace").is_ok());
        for text in ["", " ", "\t", "a\nb", "a\0b", &"x".repeat(256)] {
            assert!(Username::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_email_has_a_name_and_a_host() {
        for text in ["ada@example.com", "a+b@x", "ü@exämple.de", "a@[::1]"] {
            assert!(Email::parse(text).is_ok(), "{text:?}");
        }
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a b@x",
            "a@b@c",
            "a@.com",
            "a@x..y",
            "a@x\n",
        ] {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
    }
}
