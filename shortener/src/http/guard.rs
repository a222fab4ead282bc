//! Keeps strangers away from an API that asks for no key: because only this machine reaches it, or only a network does.
//!
//! Neither is private: a proxy on the machine passes strangers on, and a web page can have a visitor's browser call
//! `http://localhost:8080` (DNS rebinding, cross-site requests). A request that shows such a detour is refused.

use axum::http::{HeaderMap, HeaderName, Method, Version, header};

use super::{cors::Origin, host::Host};
use crate::error::ApiError;

/// Proxies add one of these to what they pass on.
const FORWARDING_HEADERS: [HeaderName; 5] = [
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-real-ip"),
    header::VIA,
];

/// What a browser says of the page that asks (<https://www.w3.org/TR/fetch-metadata/>), unless it is on plain HTTP.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const OF_ANOTHER_SITE: &str = "the request was made by a page of another site";

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
    let origin_is_ours =
        |origin: &str| host_of_origin(origin).is_some_and(|host| host.is_loopback());
    let origin = headers.get(header::ORIGIN);
    if origin.is_some_and(|origin| !origin.to_str().is_ok_and(origin_is_ours)) {
        return Err(ApiError::Forbidden(OF_ANOTHER_SITE));
    }
    Ok(())
}

/// Tells pages of the service, and those that may use it, from others.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    /// Names of the service; none if nobody has said.
    pub own: Vec<Host>,
    /// Sites whose pages may use the API.
    pub allowed: Vec<Origin>,
}

impl Sites {
    /// Refuses a change that a page of another site has a browser ask for, where whoever reaches the API may make it. A program
    /// that is no browser says nothing of pages, and passes.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
        let (origin, site) = (text(header::ORIGIN), text(SEC_FETCH_SITE));
        if method.is_safe() || (origin.is_none() && site.is_none()) {
            return Ok(());
        }
        let allows = |origin: &str| self.allowed.iter().any(|allowed| allowed.is(origin));
        if origin.is_some_and(allows) {
            return Ok(());
        }
        let host = text(header::HOST).and_then(|host| Host::parse(host).ok());
        let is_own_page = match (site, origin.and_then(host_of_origin)) {
            (Some(site), _) => matches!(site, "same-origin" | "none"),
            // A proxy may leave the port out of the host that it passes on.
            (None, Some(page)) => {
                let is_asked =
                    |host: &Host| *host == page || (!host.has_port() && host.has_name_of(&page));
                host.as_ref().is_some_and(is_asked) || self.has(&page)
            }
            (None, None) => false,
        };
        if !is_own_page {
            return Err(ApiError::Forbidden(OF_ANOTHER_SITE));
        }
        // A page is of the same site as a name that its owner has had lead here. Nobody can have that of an address, nor of a
        // name that is nobody's.
        let may_be_led_here = |host: &Host| host.may_be_anybodys() && !self.has(host);
        if !self.own.is_empty() && host.as_ref().is_none_or(may_be_led_here) {
            return Err(ApiError::Forbidden(
                "the Host header names none of SHORTENER_PUBLIC_HOSTS, and the request was made by a page: add the name there if it is the service's",
            ));
        }
        Ok(())
    }

    fn has(&self, host: &Host) -> bool {
        self.own.iter().any(|own| own.has_name_of(host))
    }
}

/// The host in `scheme://host:port`.
fn host_of_origin(origin: &str) -> Option<Host> {
    let (_, authority) = origin.split_once("://")?;
    Host::parse(authority).ok()
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

    /// Whether a change with these headers passes, at a service that knows its name, or not.
    #[track_caller]
    fn check_change(own: &[&str], headers: &[(&'static str, &str)], expected: bool) {
        let sites = Sites {
            own: own.iter().map(|name| Host::parse(name).unwrap()).collect(),
            allowed: vec!["https://app.example.com".parse().unwrap()],
        };
        let map = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let checked = sites.check(&Method::POST, &map);
        assert_eq!(checked.is_ok(), expected, "{own:?} {headers:?}");
        assert!(
            sites.check(&Method::GET, &map).is_ok(),
            "whoever reaches it may read"
        );
    }

    const NAME: (&str, &str) = ("host", "go.example.com");

    #[test]
    fn a_program_may_change_under_any_name() {
        for own in [&[][..], &["go.example.com"]] {
            check_change(own, &[], true);
            check_change(own, &[("host", "anything.example")], true);
        }
    }

    #[test]
    fn a_page_of_the_service_may_change() {
        for own in [&[][..], &["go.example.com"]] {
            check_change(own, &[NAME, ("origin", "https://go.example.com")], true);
            check_change(own, &[NAME, ("sec-fetch-site", "same-origin")], true);
            check_change(own, &[NAME, ("sec-fetch-site", "none")], true);
            for host in ["10.0.0.1:8080", "[fd00::1]:8080", "shortener:8080"] {
                let origin = format!("http://{host}");
                check_change(own, &[("host", host), ("origin", origin.as_str())], true);
            }
        }
    }

    #[test]
    fn a_page_behind_a_proxy_that_changes_the_host_may_change() {
        let origin = ("origin", "https://go.example.com");
        let host = ("host", "shortener:8080");
        check_change(&["go.example.com"], &[host, origin], true);
        check_change(
            &[],
            &[host, origin, ("sec-fetch-site", "same-origin")],
            true,
        );
        check_change(&[], &[host, origin], false);
        let without_port = [("host", "10.0.0.1"), ("origin", "http://10.0.0.1:8080")];
        check_change(&[], &without_port, true);
    }

    #[test]
    fn a_page_of_another_site_changes_nothing() {
        for own in [&[][..], &["go.example.com"]] {
            for origin in [
                "https://evil.example",
                "null",
                "",
                "https://a.go.example.com",
            ] {
                check_change(own, &[NAME, ("origin", origin)], false);
            }
            for site in ["cross-site", "same-site", "", "nonsense"] {
                check_change(own, &[NAME, ("sec-fetch-site", site)], false);
            }
        }
    }

    #[test]
    fn a_site_that_is_allowed_may_change() {
        let app = ("origin", "https://app.example.com");
        check_change(&[], &[NAME, app, ("sec-fetch-site", "cross-site")], true);
        check_change(&["go.example.com"], &[NAME, app], true);
    }

    #[test]
    fn a_name_that_was_led_here_is_refused_where_names_are_known() {
        let host = ("host", "evil.example:8080");
        for page in [
            ("origin", "http://evil.example:8080"),
            ("sec-fetch-site", "same-origin"),
        ] {
            check_change(&["go.example.com"], &[host, page], false);
        }
    }
}
