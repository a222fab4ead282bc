//! Bombs: a small body that means to cost much is refused for a small price, and everybody else is served.

use harness::{on_each_database, service::Service};
use reqwest::Method;
use serde_json::json;

const MEBIBYTE: usize = 1 << 20;

async fn post(
    service: &Service,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
) -> (u16, String) {
    let mut request = service.request(Method::POST, path).body(body.into());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = service.send(request).await;
    (answer.status, answer.text())
}

on_each_database! {
    async fn a_json_bomb_is_a_bad_request_or_an_odd_value(service: Service) {
        let json = [("content-type", "application/json")];
        let many_keys = (0..60_000).map(|key| format!("\"key{key}\":1")).collect::<Vec<_>>().join(",");
        for (what, body) in [
            ("brackets", "[".repeat(MEBIBYTE)),
            ("objects", "{\"a\":".repeat(MEBIBYTE / 5)),
            ("closed brackets", format!("{}{}", "[".repeat(MEBIBYTE / 2), "]".repeat(MEBIBYTE / 2))),
            ("a deep value that nobody asks for", format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000))),
            ("a number out of reach", "{\"username\": 1e999999}".to_owned()),
            ("a number of many digits", format!("{{\"username\": {}}}", "9".repeat(MEBIBYTE - 20))),
            ("a fraction of many digits", format!("{{\"username\": 0.{}}}", "3".repeat(MEBIBYTE - 20))),
            ("many keys", format!("{{{many_keys}}}")),
            ("one key many times", format!("{{{}\"a\":1}}", "\"a\":1,".repeat(150_000))),
            ("a key that is long", format!("{{\"{}\":1}}", "k".repeat(MEBIBYTE - 10))),
            ("escapes", format!("{{\"username\":\"{}\"}}", "\\u0041".repeat(170_000))),
        ] {
            for path in ["/users", "/urls", "/events"] {
                let (status, text) = post(&service, path, &json, body.clone()).await;
                assert!(matches!(status, 400 | 422), "{what} on {path}: {status} {text}");
                assert!(text.len() < 2_000, "the answer repeats none of it: {what}: {}", text.len());
            }
        }
        assert_eq!(service.get("/users").await.json(), json!([]));
    }

    async fn of_a_field_that_is_given_twice_the_last_counts_everywhere(service: Service) {
        let json = [("content-type", "application/json")];
        let body = r#"{"username":"first","username":"last","email":"a@example.com"}"#;
        let (status, text) = post(&service, "/users", &json, body).await;
        assert_eq!(status, 201, "{text}");
        let user = &service.get("/users").await.json()[0];
        assert_eq!(user["username"], "last");
    }

    async fn a_compressed_body_is_not_unpacked(service: Service) {
        // The head of what would be a gigabyte of blanks.
        let packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";
        let form = "multipart/form-data; boundary=x";
        for coding in ["gzip", "deflate", "br", "zstd", "x-gzip", "gzip, gzip", "identity, gzip", "nonsense", ""] {
            for (path, media_type) in [
                ("/users", "application/json"),
                ("/urls", "application/json"),
                ("/events", "application/json"),
                ("/users/bulk", form),
                ("/urls/bulk", form),
                ("/events/bulk", form),
            ] {
                let headers = [("content-type", media_type), ("content-encoding", coding)];
                let (status, text) = post(&service, path, &headers, packed).await;
                assert_eq!(status, 415, "{coding:?} on {path}: {text}");
                assert!(text.contains("Content-Encoding"), "{text}");
            }
        }
        let headers = [("content-type", "application/json"), ("content-encoding", "identity")];
        let body = r#"{"username":"ada","email":"ada@example.com"}"#;
        assert_eq!(post(&service, "/users", &headers, body).await.0, 201);
    }

    async fn a_form_with_tricks_is_refused_or_read_as_it_is(service: Service) {
        let part = |name: &str, content: &str| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
        };
        let users = |name: &str, id: u32| {
            format!("id,username,email,created_at\n{id},{name},{name}@example.com,2025-01-01 00:00:00\n")
        };
        let end = "--x--\r\n";
        let form = |boundary: &str| format!("multipart/form-data; boundary={boundary}");
        let long = "n".repeat(MEBIBYTE);
        for (what, media_type, body, statuses) in [
            ("no part", form("x"), end.to_owned(), &[422, 400][..]),
            ("no file", form("x"), format!("{}{end}", part("other", "x")), &[422]),
            ("a long name", form("x"), format!("{}{end}", part(&long, "x")), &[422, 400]),
            ("many parts", form("x"), format!("{}{end}", part("p", "x").repeat(20_000)), &[422]),
            ("many headers", form("x"), format!("--x\r\n{}\r\nx\r\n{end}", "A: b\r\n".repeat(100_000)), &[400]),
            ("no boundary", "multipart/form-data".to_owned(), part("file", ""), &[400]),
            ("an empty boundary", form(""), part("file", ""), &[400]),
            ("an endless boundary", form(&long[..8_000]), part("file", ""), &[400, 422]),
            ("another boundary", form("y"), format!("{}{end}", part("file", &users("ada", 1))), &[400, 422]),
            ("no end", form("x"), part("file", &users("ada", 1)), &[400]),
            ("no end of the head", form("x"), "--x\r\nContent-Disposition: form-data; name=\"file\"".to_owned(), &[400]),
        ] {
            let headers = [("content-type", media_type.as_str())];
            let (status, text) = post(&service, "/users/bulk", &headers, body).await;
            assert!(statuses.contains(&status), "{what}: {status} {text}");
            assert!(text.len() < 2_000, "the answer repeats none of it: {what}");
        }
        assert_eq!(service.get("/users").await.json(), json!([]), "nothing was loaded");

        // Of two files the first counts, and the other is not half of it.
        let two = format!("{}{}{end}", part("file", &users("ada", 1)), part("file", &users("bob", 2)));
        let (status, text) = post(&service, "/users/bulk", &[("content-type", &form("x"))], two).await;
        assert_eq!(status, 201, "{text}");
        let loaded = service.get("/users").await.json();
        assert_eq!(loaded.as_array().map(Vec::len), Some(1), "{loaded}");
    }
}
