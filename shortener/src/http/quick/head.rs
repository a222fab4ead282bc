//! Reads the head of a plain request. Whatever is out of the ordinary is not read here, but by hyper.

use std::mem::MaybeUninit;

use super::{Ask, Told};

/// More than any browser sends.
const MAX_HEADERS: usize = 48;

/// Headers that say how to read on, or how to answer: hyper obeys them.
const NOT_PLAIN: [&str; 5] = [
    "content-length",
    "transfer-encoding",
    "expect",
    "upgrade",
    "te",
];

/// The request that `bytes` begin with, and the length of its head; `None` if it is not whole, not plain or not valid.
pub fn read(bytes: &[u8]) -> Option<(Ask<'_>, usize)> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(bytes, &mut fields);
    let Ok(httparse::Status::Complete(length)) = parsed else {
        return None;
    };
    let is_head = match request.method? {
        "GET" => false,
        "HEAD" => true,
        _ => return None,
    };
    if request.version != Some(1) {
        return None;
    }
    let (path, query) = target(request.path?)?;
    let is_host = |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case("host");
    if request.headers.iter().filter(is_host).count() != 1 {
        return None;
    }
    let mut told = Told::default();
    for field in &*request.headers {
        take(field, &mut told)?;
    }
    let ask = Ask {
        is_head,
        path,
        query,
        told,
    };
    Some((ask, length))
}

/// Path and query in origin form (RFC 9112, section 3.2.1), if the path is one that nothing has to be decoded in.
fn target(target: &str) -> Option<(&str, Option<&str>)> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let is_plain = path.starts_with('/')
        && path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_'));
    // What RFC 3986 does not allow is hyper's to judge.
    let is_query = |byte: u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte);
    (is_plain && query.is_none_or(|query| query.bytes().all(is_query))).then_some((path, query))
}

/// `None` if a request with this header is hyper's.
fn take<'a>(field: &httparse::Header<'a>, told: &mut Told<'a>) -> Option<()> {
    let is = |name: &str| name.eq_ignore_ascii_case(field.name);
    if is("connection") {
        return field
            .value
            .eq_ignore_ascii_case(b"keep-alive")
            .then_some(());
    }
    if NOT_PLAIN.into_iter().any(is) {
        return None;
    }
    if let Some(place) = told.place(is) {
        // Given twice, it is not plain.
        return place.replace(field.value).is_none().then_some(());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str =
        "GET /abc?utm_source=x HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\nAccept: */*\r\n";

    #[test]
    fn a_visitors_request_is_read() {
        let text = format!("{PLAIN}\r\nGET /next");
        let (ask, length) = read(text.as_bytes()).unwrap();
        assert!(!ask.is_head);
        assert_eq!((ask.path, ask.query), ("/abc", Some("utm_source=x")));
        let told = Told {
            user_agent: Some(b"b"),
            ..Told::default()
        };
        assert_eq!(ask.told, told);
        assert_eq!(&text[length..], "GET /next");
    }

    #[test]
    fn what_is_out_of_the_ordinary_is_hypers() {
        for extra in [
            "Content-Length: 0",
            "content-length: 5",
            "Transfer-Encoding: chunked",
            "Connection: close",
            "Connection: Upgrade",
            "Host: b",
            "Connection: keep-alive, close",
            "Upgrade: websocket",
            "Expect: 100-continue",
            "User-Agent: \u{7f}",
            "User-Agent: twice",
            "X-Forwarded-For: a\r\nx-forwarded-for: b",
            " folded",
            "no colon",
        ] {
            assert!(
                read(format!("{PLAIN}{extra}\r\n\r\n").as_bytes()).is_none(),
                "{extra}"
            );
        }
        for line in [
            "POST /abc HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            "GET http://a/abc HTTP/1.1",
            "GET /a%62c HTTP/1.1",
            "GET /../abc HTTP/1.1",
            "GET /abc+ HTTP/1.1",
            "GET /abc?a#b HTTP/1.1",
            "GET /abc?\"a\" HTTP/1.1",
            "GET /abc?\u{e9} HTTP/1.1",
            "GET abc HTTP/1.1",
            "GET /abc HTTP/1.0",
            "GET /abc",
            "PRI * HTTP/2.0",
            "",
        ] {
            let text = format!("{line}\r\n\r\n");
            assert!(read(text.as_bytes()).is_none(), "{line}");
        }
        let many = "A: b\r\n".repeat(MAX_HEADERS);
        assert!(read(format!("{PLAIN}{many}\r\n").as_bytes()).is_none());
    }

    #[test]
    fn a_head_that_is_not_whole_is_not_read() {
        let whole = format!("{PLAIN}\r\n");
        assert!(read(whole.as_bytes()).is_some());
        for end in 0..whole.len() {
            assert!(read(&whole.as_bytes()[..end]).is_none(), "{end}");
        }
    }
}
