//! The answer that sends a visitor on.

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};

use crate::links::link::Link;

/// Nobody may keep a redirect: an edit is to be obeyed at once, and each click to be seen.
pub const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("private, no-store");

/// Sends a visitor on to the target of `link`, whose query, if it is to go on, is `query`.
pub fn redirect(link: &Link, query: Option<&str>) -> Response {
    let mut response = without_target(link);
    let location = match query {
        Some(query) if link.forward_query && !query.is_empty() => with_query(&link.location, query),
        _ => link.location.clone(),
    };
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// The same answer for somebody who is not to learn the target.
pub fn without_target(link: &Link) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = link.status.code();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// Appends `query` to what the target asks for already; a fragment stays last (RFC 3986, section 3).
fn with_query(location: &HeaderValue, query: &str) -> HeaderValue {
    let bytes = location.as_bytes();
    let end = bytes
        .iter()
        .position(|byte| *byte == b'#')
        .unwrap_or(bytes.len());
    let (target, fragment) = bytes.split_at(end);
    let joint = match target.iter().position(|byte| *byte == b'?') {
        None => "?",
        Some(at) if at + 1 == target.len() || target.ends_with(b"&") => "",
        Some(_) => "&",
    };
    let mut whole = Vec::with_capacity(location.len() + 1 + query.len());
    whole.extend_from_slice(target);
    whole.extend_from_slice(joint.as_bytes());
    for byte in query.bytes() {
        if byte.is_ascii() {
            whole.push(byte);
        } else {
            whole.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    whole.extend_from_slice(fragment);
    // Both parts were in a header before.
    HeaderValue::try_from(whole).unwrap_or_else(|_| location.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: &'static str, query: &str, expected: &str) {
        let location = with_query(&HeaderValue::from_static(target), query);
        assert_eq!(location.to_str().unwrap(), expected);
    }

    #[test]
    fn a_query_goes_before_the_fragment_and_after_the_targets_own() {
        check("https://a.b/", "x=1", "https://a.b/?x=1");
        check("https://a.b/?y=2", "x=1&z", "https://a.b/?y=2&x=1&z");
        check("https://a.b/#part", "x=1", "https://a.b/?x=1#part");
        check("https://a.b/?y=2#a?b", "x=1", "https://a.b/?y=2&x=1#a?b");
        check("https://a.b/?", "x=1", "https://a.b/?x=1");
        check("https://a.b/?y&", "x=1", "https://a.b/?y&x=1");
    }

    #[test]
    fn a_location_is_ascii_whatever_the_visitor_sent() {
        check("https://a.b/", "q=ü", "https://a.b/?q=%C3%BC");
    }
}
