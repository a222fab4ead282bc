//! How a URL is followed: everything its owner may choose besides the target.

use super::redirect_status::RedirectStatus;
use crate::{database::timestamp::Timestamp, invalid::Invalid};

#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    PartialEq,
    schemars::JsonSchema,
    serde::Serialize,
    sqlx::FromRow,
)]
pub struct RedirectOptions {
    #[sqlx(rename = "redirect_status")]
    pub status: RedirectStatus,
    /// Whether the visitor's query goes on to the target.
    pub forward_query: bool,
    pub starts_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// How many visitors get through; `None` for no limit.
    pub max_clicks: Option<i64>,
}

impl RedirectOptions {
    /// Refuses a time that can never come.
    pub fn check(&self) -> Result<(), Invalid> {
        match (self.starts_at, self.expires_at) {
            (Some(start), Some(end)) if start >= end => Err("must be before expires_at".into()),
            _ => Ok(()),
        }
    }
}

/// A change of options; `None` leaves one alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptionsChange {
    pub status: Option<RedirectStatus>,
    pub forward_query: Option<bool>,
    pub starts_at: Option<Option<Timestamp>>,
    pub expires_at: Option<Option<Timestamp>>,
    pub max_clicks: Option<Option<i64>>,
}

impl OptionsChange {
    /// What becomes of `before`.
    pub fn apply(&self, before: &RedirectOptions) -> RedirectOptions {
        RedirectOptions {
            status: self.status.unwrap_or(before.status),
            forward_query: self.forward_query.unwrap_or(before.forward_query),
            starts_at: self.starts_at.unwrap_or(before.starts_at),
            expires_at: self.expires_at.unwrap_or(before.expires_at),
            max_clicks: self.max_clicks.unwrap_or(before.max_clicks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_link_starts_before_it_expires() {
        let options = |starts_at, expires_at| RedirectOptions {
            starts_at,
            expires_at,
            ..RedirectOptions::default()
        };
        let (early, late) = (
            Some(at("2026-11-24T12:00:00Z")),
            Some(at("2026-11-24T12:00:01Z")),
        );
        assert!(options(early, late).check().is_ok());
        assert!(options(None, early).check().is_ok());
        assert!(options(late, late).check().is_err());
        assert!(options(late, early).check().is_err());
    }

    #[test]
    fn a_change_leaves_alone_what_it_does_not_name() {
        let before = RedirectOptions {
            max_clicks: Some(5),
            forward_query: true,
            ..RedirectOptions::default()
        };
        let change = OptionsChange {
            max_clicks: Some(None),
            ..OptionsChange::default()
        };
        let after = RedirectOptions {
            max_clicks: None,
            ..before
        };
        assert_eq!(change.apply(&before), after);
    }
}
