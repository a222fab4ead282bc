//! `Idempotency-Key`: a create that is sent again is made once, and answered as it was the first time.
//!
//! ```text
//! request ─► known? ─yes─► the first answer
//!              └─no─► transaction: claim of the key ─► what is made ─► answer, kept ─► commit
//! ```
//! What is made and what was answered are committed together, so that a process which dies between commit and answer leaves
//! both. The claim is a row with a unique key: who else comes with the key, through whichever replica, waits for the commit.
//!
//! Only what made something is kept. What was refused left nothing, so that it may be judged anew.

pub mod http;
pub mod retention;
pub mod store;

use sha2::{Digest as _, Sha256};

use crate::{http::fields::Fields, invalid::Invalid};

const MAX_KEY: usize = 255;

/// The key that a client gives to one request, and to each repetition of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    pub fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        let is_printable = bytes
            .iter()
            .all(|byte| byte.is_ascii_graphic() || *byte == b' ');
        match std::str::from_utf8(bytes) {
            Ok(text) if is_printable && (1..=MAX_KEY).contains(&text.len()) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(format!("must be 1 to {MAX_KEY} printable characters of ASCII").into()),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What tells a repetition from another request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a request to `route`. How the body is laid out does not matter.
    pub fn new(route: &str, body: &Fields) -> Self {
        let mut hash = Sha256::new();
        hash.update(route.as_bytes());
        hash.update(b"\n");
        hash.update(body.text().as_bytes());
        Self(hash.finalize().into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An answer as it is kept.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What it is about, for the audit log.
    pub object_id: Option<i64>,
    pub body: String,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(value: Value) -> Fields {
        let Value::Object(values) = value else {
            panic!("{value} is no object");
        };
        Fields::new(values)
    }

    #[test]
    fn a_key_is_printable_and_not_too_long() {
        for text in [
            "a",
            "7f6f4a1e-9c1d-4a0e-8a0b-1f2e3d4c5b6a",
            "two words",
            &"x".repeat(255),
        ] {
            assert!(IdempotencyKey::parse(text.as_bytes()).is_ok(), "{text:?}");
        }
        for text in ["", "a\tb", "\u{7f}", "é", &"x".repeat(256)] {
            assert!(IdempotencyKey::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_repetition_is_told_from_another_request() {
        let first = Fingerprint::new("POST /urls", &fields(json!({"a": 1, "b": [2]})));
        let again: Value = serde_json::from_str("{\"b\": [2],\n \"a\": 1}").unwrap();
        assert_eq!(Fingerprint::new("POST /urls", &fields(again)), first);
        for (route, body) in [
            ("POST /users", json!({"a": 1, "b": [2]})),
            ("POST /urls", json!({"a": 1, "b": [3]})),
            ("POST /urls", json!({"a": "1", "b": [2]})),
        ] {
            assert_ne!(Fingerprint::new(route, &fields(body)), first);
        }
    }
}
