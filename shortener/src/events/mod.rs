//! The log of what happened to URLs, and the clicks that belong to it.

pub mod bulk;
pub mod http;
pub mod operations;
pub mod store;

use serde_json::value::RawValue;

use crate::{
    database::timestamp::Timestamp,
    http::paging::Listed,
    invalid::{self, Invalid},
    openapi::value_schema,
};

const MAX_TYPE: usize = 64;

/// What `event_type` says of a click.
pub const CLICK: &str = "click";

/// An entry of the log as answered.
#[derive(Debug, schemars::JsonSchema, serde::Serialize)]
pub struct Event {
    pub id: i64,
    pub url_id: i64,
    pub user_id: i64,
    pub event_type: String,
    #[serde(rename = "timestamp")]
    pub occurred_at: Timestamp,
    /// Always a JSON object.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub details: Box<RawValue>,
}

impl Listed for Event {
    fn id(&self) -> i64 {
        self.id
    }
}

/// What kind of event this is. The service itself writes `created`, `updated`, `deleted` and `click`; others are whatever
/// callers make of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventType(String);

impl EventType {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        invalid::line(text, MAX_TYPE).map(|text| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A JSON object, as text.
#[derive(Clone, Debug)]
pub struct Details(String);

impl Details {
    /// Reads the text of a JSON object, and keeps it as it is.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(value) if value.is_object() => Ok(Self(text.trim().to_owned())),
            _ => Err("must be a JSON object".into()),
        }
    }

    pub fn from_json(value: &serde_json::Value) -> Result<Self, Invalid> {
        if value.is_object() {
            Ok(Self(value.to_string()))
        } else {
            Err("must be an object".into())
        }
    }

    pub fn empty() -> Self {
        Self("{}".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

value_schema!(EventType, {
    "type": "string", "minLength": 1, "maxLength": MAX_TYPE, "pattern": r"\S", "examples": [CLICK]
});

value_schema!(Details, {"type": "object", "additionalProperties": true});

/// What a new event is made of.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub url_id: i64,
    pub user_id: i64,
    pub event_type: EventType,
    pub details: Details,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_an_object_and_nothing_else() {
        assert_eq!(
            Details::parse(" {\"a\": 1} ").unwrap().as_str(),
            "{\"a\": 1}"
        );
        for text in ["", "null", "[]", "\"x\"", "1", "{", "{} {}"] {
            assert!(Details::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_event_type_is_a_word_or_some() {
        assert!(EventType::parse("click").is_ok());
        for text in ["", " ", "a\nb", &"x".repeat(65)] {
            assert!(EventType::parse(text).is_err(), "{text:?}");
        }
    }
}
