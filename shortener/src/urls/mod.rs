//! URLs: what is shortened, by whom, under which code.

pub mod bulk;
pub mod http;
pub mod original_url;
pub mod short_code;
pub mod store;

use original_url::OriginalUrl;

use crate::{
    database::timestamp::Timestamp,
    invalid::{self, Invalid},
};

const MAX_TITLE: usize = 1_000;

/// A shortened URL as stored and as answered.
#[derive(Clone, Debug, serde::Serialize, sqlx::FromRow)]
pub struct ShortUrl {
    pub id: i64,
    pub user_id: i64,
    pub short_code: String,
    /// As its owner gave it. What is sent in `Location` is its ASCII form.
    pub original_url: String,
    pub title: Option<String>,
    pub is_active: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: i64,
}

/// What people call a URL in lists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Title(String);

impl Title {
    /// A title may be empty, since seed files have such.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if !text.is_empty() {
            invalid::line(text, MAX_TITLE)?;
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a new URL is made of.
#[derive(Clone, Debug)]
pub struct NewUrl {
    pub user_id: i64,
    pub original_url: OriginalUrl,
    pub title: Option<Title>,
}

/// A change to a URL; `None` leaves a field alone.
#[derive(Clone, Debug)]
pub struct UrlChange {
    pub title: Option<Option<Title>>,
    pub is_active: Option<bool>,
    pub original_url: Option<OriginalUrl>,
}

/// One field that a change made different, as the log has it.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    pub field: &'static str,
    pub new_value: serde_json::Value,
}

impl UrlChange {
    /// The fields in which the URL will differ from `before`.
    pub fn differences(&self, before: &ShortUrl) -> Vec<FieldChange> {
        let mut changes = Vec::new();
        let mut note = |field, new_value: serde_json::Value| {
            changes.push(FieldChange { field, new_value });
        };
        if let Some(title) = &self.title {
            let title = title.as_ref().map(Title::as_str);
            if title != before.title.as_deref() {
                note("title", title.into());
            }
        }
        if let Some(is_active) = self.is_active
            && is_active != before.is_active
        {
            note("is_active", is_active.into());
        }
        if let Some(original_url) = &self.original_url
            && original_url.as_str() != before.original_url
        {
            note("original_url", original_url.as_str().into());
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn before() -> ShortUrl {
        let at = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        ShortUrl {
            id: 1,
            user_id: 2,
            short_code: "launch".to_owned(),
            original_url: "https://example.com/".to_owned(),
            title: Some("Launch".to_owned()),
            is_active: true,
            created_at: at,
            updated_at: at,
            version: 1,
        }
    }

    #[test]
    fn only_what_became_different_is_a_change() {
        let change = UrlChange {
            title: Some(None),
            is_active: Some(true),
            original_url: None,
        };
        let differences = change.differences(&before());
        assert_eq!(
            differences,
            [FieldChange {
                field: "title",
                new_value: json!(null)
            }]
        );
    }
}
