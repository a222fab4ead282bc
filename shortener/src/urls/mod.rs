//! URLs: what is shortened, by whom, under which code.

pub mod batch;
pub mod bulk;
pub mod confusable;
pub mod creator;
pub mod edit;
pub mod http;
pub mod list;
pub mod operations;
pub mod options;
pub mod original_url;
pub mod private_target;
pub mod redirect_status;
pub mod short_code;
pub mod store;

use confusable::Warnings;
use options::{OptionsChange, RedirectOptions};
use original_url::OriginalUrl;

use serde_json::json;

use crate::{
    database::timestamp::Timestamp,
    http::{conditional::Versioned, paging::Listed},
    invalid::{self, Invalid},
    openapi::value_schema,
};

const MAX_TITLE: usize = 1_000;

/// A shortened URL as stored and as answered.
#[derive(Clone, Debug, schemars::JsonSchema, serde::Serialize, sqlx::FromRow)]
pub struct ShortUrl {
    pub id: i64,
    pub user_id: i64,
    pub short_code: String,
    /// As its owner gave it. What is sent in `Location` is its ASCII form.
    pub original_url: String,
    pub title: Option<String>,
    pub is_active: bool,
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub options: RedirectOptions,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: i64,
    /// What its target looks like, but may not be.
    #[sqlx(flatten)]
    pub warnings: Warnings,
}

impl Versioned for ShortUrl {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Listed for ShortUrl {
    fn id(&self) -> i64 {
        self.id
    }
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

value_schema!(Title, {"type": "string", "maxLength": MAX_TITLE, "examples": ["Launch"]});

/// What a new URL is made of.
#[derive(Clone, Debug)]
pub struct NewUrl {
    pub user_id: i64,
    pub original_url: OriginalUrl,
    pub title: Option<Title>,
    pub options: RedirectOptions,
}

/// A change to a URL; `None` leaves a field alone.
#[derive(Clone, Debug)]
pub struct UrlChange {
    pub title: Option<Option<Title>>,
    pub is_active: Option<bool>,
    pub original_url: Option<OriginalUrl>,
    pub options: OptionsChange,
}

/// One field that a change made different, as the log has it.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    pub field: &'static str,
    pub new_value: serde_json::Value,
}

impl UrlChange {
    /// What becomes of `before`. Its version and times are the store's business.
    pub fn apply(&self, before: &ShortUrl) -> ShortUrl {
        let mut after = before.clone();
        if let Some(title) = &self.title {
            after.title = title.as_ref().map(|title| title.as_str().to_owned());
        }
        if let Some(original_url) = &self.original_url {
            original_url.as_str().clone_into(&mut after.original_url);
            after.warnings = Warnings::of(&after.original_url);
        }
        after.is_active = self.is_active.unwrap_or(before.is_active);
        after.options = self.options.apply(&before.options);
        after
    }
}

impl ShortUrl {
    /// The fields in which this differs from `before`.
    pub fn differences(&self, before: &Self) -> Vec<FieldChange> {
        let fields = |url: &Self| {
            let options = url.options;
            [
                ("title", json!(url.title)),
                ("is_active", json!(url.is_active)),
                ("original_url", json!(url.original_url)),
                ("status", json!(options.status)),
                ("forward_query", json!(options.forward_query)),
                ("starts_at", json!(options.starts_at)),
                ("expires_at", json!(options.expires_at)),
                ("max_clicks", json!(options.max_clicks)),
            ]
        };
        let changes = fields(before).into_iter().zip(fields(self));
        changes
            .filter(|((_, before), (_, after))| before != after)
            .map(|(_, (field, new_value))| FieldChange { field, new_value })
            .collect()
    }
}

#[cfg(test)]
mod tests {
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
            options: RedirectOptions::default(),
            created_at: at,
            updated_at: at,
            version: 1,
            warnings: Warnings::default(),
        }
    }

    #[test]
    fn only_what_became_different_is_a_change() {
        let change = UrlChange {
            title: Some(None),
            is_active: Some(true),
            original_url: None,
            options: OptionsChange {
                max_clicks: Some(Some(5)),
                forward_query: Some(false),
                ..OptionsChange::default()
            },
        };
        let differences = change.apply(&before()).differences(&before());
        let expected = [("title", json!(null)), ("max_clicks", json!(5))]
            .map(|(field, new_value)| FieldChange { field, new_value });
        assert_eq!(differences, expected);
    }
}
