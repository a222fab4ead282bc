//! The answer that sends a visitor on.

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};

use crate::{database::timestamp::Timestamp, http::quick::date, links::link::Link};

/// Nobody may keep a redirect: an edit is to be obeyed at once, and each click to be seen.
pub const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("private, no-store");

/// Sends a visitor on to the target of `link`, whose query, if it is to go on, is `query`.
pub fn redirect(link: &Link, query: Option<&str>) -> Response {
    let mut response = without_target(link);
    let location = match forwarded(link, query) {
        Some(query) => with_query(&link.location, query),
        None => link.location.clone(),
    };
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// Appends the same answer as HTTP/1.1 has it (RFC 9112, section 4), given at `now`.
pub fn write(
    link: &Link,
    query: Option<&str>,
    request_id: Option<&[u8]>,
    now: Timestamp,
    output: &mut Vec<u8>,
) {
    let status = link.status.code();
    let with_query = forwarded(link, query).map(|query| with_query(&link.location, query));
    let location = with_query.as_ref().unwrap_or(&link.location);
    let mut put = |text: &[u8]| output.extend_from_slice(text);
    put(b"HTTP/1.1 ");
    put(status.as_str().as_bytes());
    put(b" ");
    put(status.canonical_reason().unwrap_or_default().as_bytes());
    put(b"\r\ncache-control: ");
    put(CACHE_CONTROL.as_bytes());
    put(b"\r\nx-content-type-options: nosniff\r\ncontent-length: 0\r\nlocation: ");
    put(location.as_bytes());
    if let Some(id) = request_id {
        put(b"\r\nx-request-id: ");
        put(id);
    }
    put(b"\r\ndate: ");
    date::write(now, output);
    output.extend_from_slice(b"\r\n\r\n");
}

/// The query that goes on to the target.
fn forwarded<'a>(link: &Link, query: Option<&'a str>) -> Option<&'a str> {
    query.filter(|query| link.forward_query && !query.is_empty())
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
    use crate::links::link::tests::link;

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
    fn both_forms_of_an_answer_say_the_same() {
        for (forward_query, query) in [(false, None), (false, Some("a=b")), (true, Some("a=b"))] {
            let link = Link {
                forward_query,
                ..link()
            };
            let mut text = Vec::new();
            write(&link, query, None, Timestamp::now(), &mut text);
            let mut fields = [httparse::EMPTY_HEADER; 8];
            let mut parsed = httparse::Response::new(&mut fields);
            assert!(parsed.parse(&text).unwrap().is_complete());

            let response = redirect(&link, query);
            assert_eq!(parsed.code, Some(response.status().as_u16()));
            assert_eq!(parsed.reason, response.status().canonical_reason());
            let mut written: Vec<_> = (parsed.headers.iter())
                .map(|field| (field.name, field.value))
                .filter(|(name, _)| !["date", "content-length"].contains(name))
                .collect();
            let headers = response.headers().iter();
            let mut expected: Vec<_> = headers
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
                .collect();
            written.sort_unstable();
            expected.sort_unstable();
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn a_location_is_ascii_whatever_the_visitor_sent() {
        check("https://a.b/", "q=ü", "https://a.b/?q=%C3%BC");
    }
}
