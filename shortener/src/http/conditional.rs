//! Requests that depend on the version of what they are about (RFC 9110, 13): `ETag`, `If-Match`, `If-None-Match`.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::extract::{Created, Json};
use crate::error::ApiError;

/// What is kept may be shown again only when the service has said that it still holds.
const ASK_FIRST: HeaderValue = HeaderValue::from_static("private, no-cache");

/// What has a version that grows with every change.
pub trait Versioned {
    fn version(&self) -> i64;
}

/// The tag of a version, as `ETag` has it: a strong one.
pub fn tag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("digits and quotes are a header value")
}

/// An answer with something that has a version, and its tag.
#[derive(Debug)]
pub struct Tagged<T>(pub T);

impl<T: Versioned + Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let headers = headers(self.0.version());
        (headers, Json(self.0)).into_response()
    }
}

impl<T: Versioned + Serialize> IntoResponse for Tagged<Created<T>> {
    fn into_response(self) -> Response {
        let headers = headers(self.0.body.version());
        (headers, self.0).into_response()
    }
}

fn headers(version: i64) -> [(HeaderName, HeaderValue); 2] {
    [
        (header::ETAG, tag(version)),
        (header::CACHE_CONTROL, ASK_FIRST),
    ]
}

/// What a reader gets: what was asked for, or that it is what the reader has already.
#[derive(Debug)]
pub enum Read<T> {
    Fresh(T),
    Unchanged { version: i64 },
}

impl<T: Versioned + Serialize> IntoResponse for Read<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Fresh(body) => Tagged(body).into_response(),
            Self::Unchanged { version } => {
                (StatusCode::NOT_MODIFIED, headers(version)).into_response()
            }
        }
    }
}

/// The conditions of a request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Conditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

/// A list of tags.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Tags {
    /// `*`: whatever there is.
    Any,
    These(Vec<Tag>),
}

/// A tag as it was given, without its quotes.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Tag {
    is_weak: bool,
    text: String,
}

impl Conditions {
    /// That the version is this one.
    pub fn only(version: i64) -> Self {
        let tag = Tag {
            is_weak: false,
            text: version.to_string(),
        };
        Self {
            if_match: Some(Tags::These(vec![tag])),
            if_none_match: None,
        }
    }

    /// As a request's headers say.
    pub fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let read = |name: &HeaderName| Tags::read(headers, name);
        let refused = |name| {
            ApiError::invalid(
                name,
                "must be `*`, or tags as ETag has them, such as \"3\", with their quotes",
            )
        };
        Ok(Self {
            if_match: read(&header::IF_MATCH).map_err(|()| refused("If-Match"))?,
            if_none_match: read(&header::IF_NONE_MATCH).map_err(|()| refused("If-None-Match"))?,
        })
    }

    /// Refuses a change of what has this version, unless the conditions hold. To be asked in the transaction that changes it.
    pub fn check_change(&self, version: i64) -> Result<(), ApiError> {
        if self.matches(version) && !self.knows(version) {
            Ok(())
        } else {
            Err(ApiError::PreconditionFailed { version })
        }
    }

    /// Answers a reader.
    pub fn read<T: Versioned>(&self, found: T) -> Result<Read<T>, ApiError> {
        let version = found.version();
        if !self.matches(version) {
            return Err(ApiError::PreconditionFailed { version });
        }
        if self.knows(version) {
            return Ok(Read::Unchanged { version });
        }
        Ok(Read::Fresh(found))
    }

    /// `If-Match` compares strongly: a weak tag says that what is meant is only about the same.
    fn matches(&self, version: i64) -> bool {
        self.if_match
            .as_ref()
            .is_none_or(|tags| tags.have(version, |tag| !tag.is_weak))
    }

    /// `If-None-Match` compares weakly.
    fn knows(&self, version: i64) -> bool {
        self.if_none_match
            .as_ref()
            .is_some_and(|tags| tags.have(version, |_| true))
    }
}

impl Tags {
    fn have(&self, version: i64, counts: impl Fn(&Tag) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => {
                let version = version.to_string();
                tags.iter().any(|tag| counts(tag) && tag.text == version)
            }
        }
    }

    /// The tags of all headers of that name, which count as one list (RFC 9110, 5.3); `None` without any.
    fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, ()> {
        let mut texts = Vec::new();
        for value in headers.get_all(name) {
            texts.push(value.to_str().map_err(drop)?);
        }
        if texts.is_empty() {
            return Ok(None);
        }
        Self::parse(&texts.join(",")).map(Some).ok_or(())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim_matches(is_blank);
        if rest == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        while !rest.is_empty() {
            // An empty place in a list is none (RFC 9110, 5.6.1.2).
            if let Some(after) = rest.strip_prefix(',') {
                rest = after.trim_start_matches(is_blank);
                continue;
            }
            let (is_weak, quoted) = match rest.strip_prefix("W/") {
                Some(quoted) => (true, quoted),
                None => (false, rest),
            };
            let (text, after) = quoted.strip_prefix('"')?.split_once('"')?;
            let is_tag = |c: char| c == '!' || ('#'..='~').contains(&c);
            let after = after.trim_start_matches(is_blank);
            if !text.chars().all(is_tag) || !(after.is_empty() || after.starts_with(',')) {
                return None;
            }
            tags.push(Tag {
                is_weak,
                text: text.to_owned(),
            });
            rest = after;
        }
        (!tags.is_empty()).then_some(Self::These(tags))
    }
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

impl<S: Sync> FromRequestParts<S> for Conditions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(&parts.headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(name: HeaderName, values: &[&str]) -> Result<Conditions, ()> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, HeaderValue::from_str(value).unwrap());
        }
        Ok(Conditions {
            if_match: Tags::read(&headers, &header::IF_MATCH)?,
            if_none_match: Tags::read(&headers, &header::IF_NONE_MATCH)?,
        })
    }

    #[track_caller]
    fn check_change(name: HeaderName, values: &[&str], expected: bool) {
        let conditions = conditions(name, values).unwrap();
        let is_allowed = conditions.check_change(3).is_ok();
        assert_eq!(is_allowed, expected, "{values:?}");
    }

    #[test]
    fn a_change_is_of_the_version_that_was_meant() {
        check_change(header::IF_MATCH, &[], true);
        check_change(header::IF_MATCH, &["*"], true);
        check_change(header::IF_MATCH, &["\"3\""], true);
        check_change(header::IF_MATCH, &["\"2\" , ,\"3\""], true);
        check_change(header::IF_MATCH, &["\"2\"", "\"3\""], true);
        check_change(header::IF_MATCH, &["\"2,3\""], false);
        check_change(header::IF_MATCH, &["\"2\""], false);
        check_change(header::IF_MATCH, &["\"03\""], false);
        check_change(header::IF_MATCH, &["\"\""], false);
    }

    #[test]
    fn a_weak_tag_never_matches_strongly() {
        check_change(header::IF_MATCH, &["W/\"3\""], false);
        check_change(header::IF_NONE_MATCH, &["W/\"3\""], false);
    }

    #[test]
    fn a_change_of_what_must_not_be_there_is_refused() {
        check_change(header::IF_NONE_MATCH, &["*"], false);
        check_change(header::IF_NONE_MATCH, &["\"3\""], false);
        check_change(header::IF_NONE_MATCH, &["\"2\""], true);
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for text in [
            "",
            ",",
            "3",
            "\"3",
            "3\"",
            "w/\"3\"",
            "\"a b\"",
            "\"3\" \"4\"",
            "\"3\", *",
            "W/ \"3\"",
        ] {
            assert!(conditions(header::IF_MATCH, &[text]).is_err(), "{text:?}");
        }
    }
}
