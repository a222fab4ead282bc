//! Keeps strangers away from an API that asks for no key because only this machine reaches it.
//!
//! Loopback is not private: a proxy on the machine passes strangers on, and a web page can have a visitor's browser call
//! `http://localhost:8080` (DNS rebinding, cross-site requests). A request that shows such a detour is refused.

use axum::http::{HeaderMap, HeaderName, Version, header};

use super::host::Host;
use crate::error::ApiError;

/// Proxies add one of these to what they pass on.
const FORWARDING_HEADERS: [HeaderName; 5] = [
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-real-ip"),
    header::VIA,
];

const THROUGH_A_PROXY: &str = "the request came through a proxy, but the API answers only to this machine; set SHORTENER_AUTH=keys to let in whoever has an API key";

/// Refuses a request to the API that came from elsewhere.
pub fn check(version: Version, headers: &HeaderMap) -> Result<(), ApiError> {
    // Nobody's browser, but a proxy with its usual settings.
    if version < Version::HTTP_11 {
        return Err(ApiError::Forbidden(THROUGH_A_PROXY));
    }
    if FORWARDING_HEADERS
        .iter()
        .any(|name| headers.contains_key(name))
    {
        return Err(ApiError::Forbidden(THROUGH_A_PROXY));
    }
    let is_ours = |text: &str| Host::parse(text).is_ok_and(|host| host.is_loopback());
    let host = headers.get(header::HOST);
    if host.is_none_or(|host| !host.to_str().is_ok_and(is_ours)) {
        return Err(ApiError::Forbidden(
            "the Host header names another machine, but the API answers only to this one; set SHORTENER_AUTH=keys to let in whoever has an API key",
        ));
    }
    let origin_is_ours = |origin: &str| {
        origin
            .split_once("://")
            .is_some_and(|(_, authority)| is_ours(authority))
    };
    let origin = headers.get(header::ORIGIN);
    if origin.is_some_and(|origin| !origin.to_str().is_ok_and(origin_is_ours)) {
        return Err(ApiError::Forbidden(
            "the request was made by a page of another site",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_headers(headers: &[(&'static str, &str)], expected: bool) {
        let map = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let checked = check(Version::HTTP_11, &map);
        assert_eq!(checked.is_ok(), expected, "{headers:?}");
    }

    #[test]
    fn what_comes_from_this_machine_passes() {
        check_headers(&[("host", "127.0.0.1:8080")], true);
        check_headers(
            &[
                ("host", "localhost:8080"),
                ("origin", "http://localhost:8080"),
            ],
            true,
        );
        check_headers(&[("host", "[::1]:8080")], true);
    }

    #[test]
    fn what_a_proxy_passed_on_is_refused() {
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-real-ip",
            "via",
        ] {
            check_headers(&[("host", "localhost"), (name, "x")], false);
        }
    }

    #[test]
    fn the_protocol_of_old_proxies_is_refused() {
        let headers = HeaderMap::from_iter([(header::HOST, "127.0.0.1:8080".parse().unwrap())]);
        assert!(check(Version::HTTP_11, &headers).is_ok());
        assert!(check(Version::HTTP_10, &headers).is_err());
    }

    #[test]
    fn a_foreign_host_is_refused() {
        check_headers(&[], false);
        check_headers(&[("host", "rebound.example")], false);
        check_headers(&[("host", "localhost.rebound.example")], false);
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        for origin in ["https://evil.example", "null", "file://"] {
            check_headers(&[("host", "localhost:8080"), ("origin", origin)], false);
        }
    }
}
