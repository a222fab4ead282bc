//! Which pages of other sites a browser lets use the API (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! A key is sent by the page itself, in `Authorization`; cookies and the browser's own credentials are never allowed.

use std::{fmt, str::FromStr, time::Duration};

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use url::Url;

use super::host::Host;
use crate::access::Mode;

/// How long a browser may remember what it was allowed.
const MAX_AGE: Duration = Duration::from_hours(1);

/// A site whose pages may use the API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// `*`: all of them.
    Any,
    /// As a browser writes it: scheme, host, and the port if it is not the usual one.
    Exact(String),
}

impl Origin {
    /// Whether `origin`, as a browser sends it, is this one.
    pub fn is(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == origin,
        }
    }

    /// Whether its pages come from this machine.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Any => false,
            Self::Exact(origin) => origin
                .split_once("://")
                .and_then(|(_, authority)| Host::parse(authority).ok())
                .is_some_and(|host| host.is_loopback()),
        }
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let url = Url::parse(text).ok();
        let origin = url
            .filter(|url| matches!(url.scheme(), "http" | "https") && !text.contains('*'))
            .map(|url| url.origin().ascii_serialization());
        match origin {
            Some(origin) if origin == text => Ok(Self::Exact(origin)),
            Some(origin) => Err(format!(
                "is no origin as browsers write it; that would be {origin}"
            )),
            None => Err("is no origin such as https://app.example.com".to_owned()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(origin) => f.write_str(origin),
        }
    }
}

/// Refuses origins that would be let in nowhere: without keys, the API answers to pages of its own machine.
pub fn check(origins: &[Origin], mode: Mode) -> anyhow::Result<()> {
    match (mode, origins.iter().find(|origin| !origin.is_loopback())) {
        (Mode::ThisMachine, Some(origin)) => anyhow::bail!(
            "SHORTENER_CORS_ORIGINS has {origin}, but without keys the API answers to this machine's pages only: set SHORTENER_AUTH=keys"
        ),
        _ => Ok(()),
    }
}

/// What stands before the API, and answers what browsers ask beforehand. Without origins there is nothing to allow.
pub fn layer(origins: &[Origin]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let exact = |origin: &Origin| match origin {
        Origin::Any => None,
        Origin::Exact(origin) => HeaderValue::try_from(origin).ok(),
    };
    let allowed = match origins.iter().map(exact).collect::<Option<Vec<_>>>() {
        Some(list) => AllowOrigin::list(list),
        None => Any.into(),
    };
    let names = HeaderName::from_static;
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            names("idempotency-key"),
            names("x-request-id"),
        ])
        .expose_headers([
            header::ETAG,
            header::LINK,
            header::LOCATION,
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            names("accept-patch"),
            names("idempotency-replayed"),
            names("ratelimit"),
            names("ratelimit-policy"),
            names("x-request-id"),
            names("x-total-count"),
        ])
        .max_age(MAX_AGE);
    Some(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for text in [
            "https://app.example.com",
            "http://localhost:3000",
            "http://[::1]:3000",
            "*",
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "null",
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com:443",
            "HTTPS://App.example.com",
            "https://*.example.com",
            "ftp://example.com",
            "https://user@example.com",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_page_of_this_machine_is_told_from_others() {
        for (text, expected) in [
            ("http://localhost:3000", true),
            ("http://127.0.0.1", true),
            ("http://[::1]:3000", true),
            ("https://app.example.com", false),
            ("https://localhost.example.com", false),
            ("*", false),
        ] {
            assert_eq!(
                text.parse::<Origin>().unwrap().is_loopback(),
                expected,
                "{text}"
            );
        }
    }
}
