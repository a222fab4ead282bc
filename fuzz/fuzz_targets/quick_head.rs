//! The head of a request as it comes over a connection, read before hyper sees it.
//!
//! What is read here must be what any other reader makes of the same bytes: a request without a body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shortener::http::quick::head;

fuzz_target!(|bytes: &[u8]| {
    let Some((ask, length)) = head::read(bytes) else {
        return;
    };
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(bytes).expect("it was read");
    assert_eq!(parsed, httparse::Status::Complete(length));
    assert_eq!(request.version, Some(1));
    assert_eq!(ask.is_head, request.method == Some("HEAD"));
    let target = request.path.expect("a path");
    let uri: http::Uri = target.parse().expect("hyper would take it");
    assert_eq!((uri.path(), uri.query()), (ask.path, ask.query));
    assert!(uri.authority().is_none());
    let count = |name: &str| {
        let fields = request.headers.iter();
        fields
            .filter(|field| field.name.eq_ignore_ascii_case(name))
            .count()
    };
    assert_eq!(count("host"), 1);
    for name in ["content-length", "transfer-encoding", "expect", "upgrade"] {
        assert_eq!(count(name), 0, "{name} is hyper's");
    }
});
