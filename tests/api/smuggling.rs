//! Smuggling: however a request is written, what stands in its body is never taken for another request.
//!
//! Each row is sent to a fresh connection, and to one on which a redirect was answered from the bytes before hyper saw them,
//! and to one that is hyper's already.

use std::time::Duration;

use harness::{on_each_database, service::Service};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// When a connection that its client is done with must have ended.
const SOON: Duration = Duration::from_secs(20);

/// The request that nobody sent: its answer, of whatever kind, would have this id.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: hidden\r\n\r\n";

const POST: &str = "POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

/// Headers that make it doubtful where a body ends. Behind each stands what would be the hidden request.
const DOUBTFUL_HEADERS: [&str; 34] = [
    // One length must be the only one, in digits (RFC 9110, 8.6).
    "Content-Length: 0\r\nContent-Length: 70",
    "Content-Length: 70\r\nContent-Length: 0",
    "Content-Length: 0, 70",
    "Content-Length: 0,0",
    "Content-Length: +0",
    "Content-Length: -0",
    "Content-Length: 0x0",
    "Content-Length: 0 0",
    "Content-Length: \"0\"",
    "Content-Length: ",
    "Content-Length: 1e1",
    "Content-Length: 99999999999999999999",
    "Content-Length: 0\u{b}",
    // An encoding must end in `chunked` (RFC 9112, 6.1).
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked-",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: ",
    "Transfer-Encoding: \u{b}chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Content-Length: 0\r\nTransfer-Encoding: xchunked",
    // No blank before the colon, no folded line, no control character (RFC 9112, 5).
    "Content-Length : 0",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    " Content-Length: 0",
    "X: folded\r\n Content-Length: 0",
    "Transfer-Encoding:\r\n chunked",
    "X: nul\u{0}\r\nContent-Length: 0",
    "X\u{0}: nul\r\nContent-Length: 0",
    "X: bare\rContent-Length: 0",
    "no colon\r\nContent-Length: 0",
];

/// Bodies in chunks that are none. Behind each stands what would be the hidden request.
const DOUBTFUL_CHUNKS: [&str; 14] = [
    "fffffffffffffffff\r\n",
    "10000000000000000\r\n",
    "-1\r\n\r\n",
    "+0\r\n\r\n",
    "0x0\r\n\r\n",
    "\r\n\r\n",
    "zz\r\n\r\n",
    "0 0\r\n\r\n",
    "1\r\nab0\r\n\r\n",
    "1\r\na0\r\n\r\n",
    "1\r\na\n0\r\n\r\n",
    "0\n\n",
    "0;x=\ny\r\n\r\n",
    "0\r\nTrailer : x\r\n\r\n",
];

/// Sends `bytes` and says that nothing more will come. Returns all that is answered before the connection ends.
async fn exchange(service: &Service, bytes: &str) -> String {
    let mut stream = TcpStream::connect(service.addr())
        .await
        .expect("the service accepts connections");
    // Who is refused may be cut off while it still writes.
    _ = stream.write_all(bytes.as_bytes()).await;
    _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let reading = timeout(SOON, stream.read_to_end(&mut answer));
    _ = reading
        .await
        .unwrap_or_else(|_| panic!("open after {bytes:?}"));
    String::from_utf8_lossy(&answer).into_owned()
}

/// The statuses of the answers in `text`.
fn statuses(text: &str) -> Vec<u16> {
    let answers = text.split("HTTP/1.").skip(1);
    answers
        .filter_map(|answer| answer.get(2..5)?.parse().ok())
        .collect()
}

/// What may come before on a connection, with the status of its answer.
async fn beginnings(service: &Service) -> [(String, Option<u16>); 3] {
    let user = service.create_user().await;
    let url = service.create_url(user, "https://example.com/").await;
    let code = url["short_code"].as_str().expect("a code");
    // From now on it is answered from memory.
    service.get(&format!("/{code}")).await;
    let get = |path: &str| format!("GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    [
        (String::new(), None),
        (get(code), Some(302)),
        (get("health"), Some(200)),
    ]
}

/// Expects that `request` is refused, or not answered at all, and is the last of its connection.
async fn is_the_last(service: &Service, beginnings: &[(String, Option<u16>)], request: &str) {
    for (beginning, answered) in beginnings {
        let text = exchange(service, &format!("{beginning}{request}{HIDDEN}{HIDDEN}")).await;
        let mut statuses = statuses(&text).into_iter();
        if answered.is_some() {
            assert_eq!(
                statuses.next(),
                *answered,
                "{beginning:?}{request:?}: {text}"
            );
        }
        let rest: Vec<_> = statuses.collect();
        let is_refused = matches!(rest[..], [] | [400..=499]);
        assert!(is_refused, "{beginning:?}{request:?}: {rest:?} in {text}");
        assert!(
            !text.contains("x-request-id: hidden"),
            "{request:?}: {text}"
        );
    }
}

on_each_database! {
    async fn what_is_smuggled_behind_a_doubtful_header_is_not_answered(service: Service) {
        let beginnings = beginnings(&service).await;
        for header in DOUBTFUL_HEADERS {
            for first in [POST, "GET /health HTTP/1.1\r\nHost: localhost\r\n"] {
                is_the_last(&service, &beginnings, &format!("{first}{header}\r\n\r\n")).await;
            }
        }
        assert_eq!(service.get("/health").await.status, 200);
    }

    async fn what_is_smuggled_behind_a_doubtful_chunk_is_not_answered(service: Service) {
        let beginnings = beginnings(&service).await;
        for chunks in DOUBTFUL_CHUNKS {
            let request = format!("{POST}Transfer-Encoding: chunked\r\n\r\n{chunks}");
            is_the_last(&service, &beginnings, &request).await;
        }
        let old = POST.replace("HTTP/1.1", "HTTP/1.0");
        let request = format!("{old}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        is_the_last(&service, &beginnings, &request).await;
    }

    /// Which of the two counts is settled, but a proxy may have settled it the other way (RFC 9112, 6.1).
    async fn what_is_smuggled_between_a_length_and_an_encoding_is_not_answered(service: Service) {
        let beginnings = beginnings(&service).await;
        for both in [
            "Content-Length: 75\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 75",
            "Transfer-Encoding: chunked\r\nContent-Length: 0",
            "transfer-encoding: CHUNKED\r\ncontent-length: 75\r\nConnection: keep-alive",
        ] {
            let request = format!("{POST}{both}\r\n\r\n0\r\n\r\n");
            is_the_last(&service, &beginnings, &request).await;
        }
    }

    /// No route takes the body that it has no use for as the next request.
    async fn what_is_smuggled_in_a_body_is_not_answered_but_what_follows_it_is(service: Service) {
        let beginnings = beginnings(&service).await;
        let code = beginnings[1].0.split(' ').nth(1).expect("a path").to_owned();
        let chunked = format!("{:x}\r\n{HIDDEN}\r\n0\r\n\r\n", HIDDEN.len());
        for (line, status) in [
            (format!("GET {code}"), 302),
            (format!("HEAD {code}"), 302),
            (format!("GET /urls{code}/redirect"), 302),
            ("GET /health".to_owned(), 200),
            ("GET /no/such/route".to_owned(), 404),
            ("DELETE /health".to_owned(), 405),
        ] {
            for (framing, body) in [
                (format!("Content-Length: {}", HIDDEN.len()), HIDDEN),
                ("Transfer-Encoding: chunked".to_owned(), chunked.as_str()),
            ] {
                for (beginning, answered) in &beginnings {
                    let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n{body}");
                    let next = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
                    let text = exchange(&service, &format!("{beginning}{request}{next}")).await;
                    let expected: Vec<u16> = answered.iter().copied().chain([status, 200]).collect();
                    assert_eq!(statuses(&text), expected, "{beginning:?}{request:?}: {text}");
                    assert!(!text.contains("x-request-id: hidden"), "{request:?}: {text}");
                }
            }
        }
    }

    /// RFC 9112, 3.2: whom a request is for must be clear.
    async fn a_request_smuggled_past_the_name_of_its_host_is_refused(service: Service) {
        let beginnings = beginnings(&service).await;
        let code = beginnings[1].0.split(' ').nth(1).expect("a path").to_owned();
        for path in [code.as_str(), "/health", "/urls", "/no/such/route"] {
            for head in [
                format!("GET {path} HTTP/1.1\r\n"),
                format!("GET {path} HTTP/1.1\r\nHost: a\r\nHost: b\r\n"),
                format!("GET {path} HTTP/1.1\r\nHost: a\r\nhost: a\r\n"),
                format!("GET http://elsewhere.example{path} HTTP/1.1\r\nHost: localhost\r\n"),
                format!("GET http://localhost:1{path} HTTP/1.1\r\nHost: localhost\r\n"),
            ] {
                for (beginning, answered) in &beginnings {
                    let text = exchange(&service, &format!("{beginning}{head}Connection: close\r\n\r\n")).await;
                    let expected: Vec<u16> = answered.iter().copied().chain([400]).collect();
                    assert_eq!(statuses(&text), expected, "{beginning:?}{head:?}: {text}");
                    assert!(text.contains("application/problem+json"), "{head:?}: {text}");
                }
            }
        }
        let same = "GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert_eq!(statuses(&exchange(&service, same).await), [200]);
    }
}
