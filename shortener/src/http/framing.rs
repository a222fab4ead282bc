//! Requests that two programs may read differently, which is how one is smuggled past a proxy inside another.
//!
//! hyper refuses most: a length that is none, or two; an encoding that does not end in `chunked`; folded lines. After a
//! request with both a length and an encoding it closes the connection. What it lets through and RFC 9112 does not, is
//! decided here; `tests/api/smuggling.rs` has all of it.

use axum::http::{Request, Version, header};

use crate::error::ApiError;

/// Refuses a request that does not say clearly for which host it is (RFC 9112, 3.2).
pub fn check<B>(request: &Request<B>) -> Result<(), ApiError> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        return Err(ApiError::Malformed("there are two Host headers".to_owned()));
    }
    if host.is_none() && request.version() >= Version::HTTP_11 {
        return Err(ApiError::Malformed("there is no Host header".to_owned()));
    }
    // A proxy goes by what the first line names, and we by the header: they must be one.
    let named = request
        .uri()
        .authority()
        .map(|name| name.as_str().as_bytes());
    let differs =
        |named: &[u8]| host.is_none_or(|host| !host.as_bytes().eq_ignore_ascii_case(named));
    if named.is_some_and(differs) {
        return Err(ApiError::Malformed(
            "the Host header is not the host in the first line".to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::request::Builder;

    use super::*;

    #[track_caller]
    fn check_request(target: &str, hosts: &[&str], is_fine: bool) {
        let request = Request::builder().uri(target);
        let with = |request: Builder, host: &&str| request.header("host", *host);
        let request = hosts.iter().fold(request, with).body(()).unwrap();
        assert_eq!(check(&request).is_ok(), is_fine, "{target} {hosts:?}");
    }

    #[test]
    fn a_request_names_one_host() {
        check_request("/x", &["a"], true);
        check_request("/x", &[""], true);
        check_request("/x", &[], false);
        check_request("/x", &["a", "b"], false);
        check_request("/x", &["a", "a"], false);
    }

    #[test]
    fn an_absolute_address_and_the_header_agree() {
        check_request("http://a:80/x", &["A:80"], true);
        check_request("http://a/x", &["a"], true);
        check_request("http://a/x", &["b"], false);
        check_request("http://a/x", &["a:81"], false);
        check_request("http://a/x", &["a", "a"], false);
    }

    #[test]
    fn the_protocol_before_hosts_needs_none() {
        let request = Request::builder().version(Version::HTTP_10).body(());
        assert!(check(&request.unwrap()).is_ok());
    }
}
