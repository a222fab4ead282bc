//! Junk: paths, queries, headers and bytes that no client of good will sends.

use harness::on_each_database;
use harness::service::Service;
use serde_json::json;

/// Sends `request` as it stands, and returns the status and the whole answer.
async fn raw(service: &Service, request: impl AsRef<[u8]>) -> (u16, String) {
    let answer = service.raw(request.as_ref()).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("not an HTTP answer: {text:?}"));
    (status, text)
}

on_each_database! {
    async fn a_path_that_cannot_be_decoded_is_the_clients_fault(service: Service) {
        for path in [
            "/%",
            "/%f",
            "/%ff",
            "/%zz",
            "/%00",
            "/users/%",
            "/users/%ff",
            "/urls/%00",
            "/urls/%ff/redirect",
            "//",
            "//users",
            "/users//",
            "/./users/../x/y",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/users/1%2f2",
            "/urls/%2f/redirect",
            "/a\\b",
            "/users/١",
        ] {
            let (status, text) = raw(
                &service,
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
            )
            .await;
            assert!(matches!(status, 400 | 404), "{path}: {text}");
        }
        assert_eq!(service.get("/health").await.status, 200);
    }

    async fn a_query_that_cannot_be_decoded_is_the_clients_fault(service: Service) {
        for path in [
            "/users?page=%ff",
            "/urls?user_id=%00",
            "/events?event_type=%ff%fe&page=x",
            "/urls?is_active=%",
            "/users?per_page=%zz",
        ] {
            let answer = raw(
                &service,
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
            )
            .await;
            assert!(matches!(answer.0, 400 | 422), "{path}: {}", answer.1);
            assert!(
                answer.1.contains("application/problem+json"),
                "{path}: {}",
                answer.1
            );
        }
        // Text of any kind is a filter that nothing matches, not a fault of the database.
        for value in ["%00", "%27%3B--", "%F0%9F%98%80"] {
            let answer = service.get(&format!("/events?event_type={value}")).await;
            assert!(
                matches!(answer.status, 200 | 422),
                "{value}: {}",
                answer.text()
            );
        }
    }

    async fn junk_in_a_header_is_never_our_fault(service: Service) {
        let user = service.create_user().await;
        let body = json!({"user_id": user, "original_url": "https://example.com/"}).to_string();
        let long = vec![b'x'; 8_000];

        for name in [
            "Accept",
            "Accept-Encoding",
            "Accept-Language",
            "Authorization",
            "Cookie",
            "Origin",
            "Referer",
            "User-Agent",
            "X-Request-Id",
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "X-Forwarded-Host",
            "Forwarded",
            "If-None-Match",
            "If-Match",
            "If-Modified-Since",
            "Range",
            "Traceparent",
        ] {
            for value in [
                &b""[..],
                b"\xff\xfe\x80",
                b"\xc3\xa4\xf0\x9f\x98\x80",
                b";,=\"\\'<>{}",
                b"-1",
                &long,
            ] {
                let head = |first: &str| {
                    [
                        first.as_bytes(),
                        b"\r\nHost: localhost\r\nConnection: close\r\n",
                        name.as_bytes(),
                        b": ",
                        value,
                        b"\r\n",
                    ]
                    .concat()
                };
                let get = [head("GET /urls HTTP/1.1"), b"\r\n".to_vec()].concat();
                let (status, text) = raw(&service, get).await;
                assert!(status < 500, "{name}: {value:?}: {text}");

                let entity = format!(
                    "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let post = [head("POST /urls HTTP/1.1"), entity.into_bytes()].concat();
                let (status, text) = raw(&service, post).await;
                assert!(status < 500, "{name}: {value:?}: {text}");
            }
        }
        assert_eq!(service.get("/health").await.status, 200);
    }

    async fn what_is_not_http_is_refused_and_forgotten(service: Service) {
        let long_path = format!(
            "GET /{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            "x".repeat(100_000)
        );
        let long_header = format!(
            "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Long: {}\r\n\r\n",
            "x".repeat(1_000_000)
        );
        let many_headers = format!(
            "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n",
            "X-Many: 1\r\n".repeat(2_000)
        );

        for request in [
            "GARBAGE\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n",
            "GET /health\r\n\r\n",
            "GET  /health  HTTP/1.1\r\n\r\n",
            "GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n",
            "GET /health HTTP/1.1\r\nHost localhost\r\n\r\n",
            "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: abc\r\n\r\n",
            // Two ways to tell where the body ends are how requests are smuggled past a proxy.
            "POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            "GET /hea\u{0}lth HTTP/1.1\r\nHost: localhost\r\n\r\n",
            long_path.as_str(),
            long_header.as_str(),
            many_headers.as_str(),
        ] {
            let answer = service.raw(request.as_bytes()).await;
            let answer = String::from_utf8_lossy(&answer);
            let start = request.get(..40).unwrap_or(request);
            assert!(
                answer.is_empty()
                    || answer.starts_with("HTTP/1.1 4")
                    || answer.starts_with("HTTP/1.0 4"),
                "{start:?}: {answer}"
            );
        }
        assert_eq!(service.get("/health").await.status, 200);
    }

    async fn a_nul_in_details_is_kept_or_refused_but_no_fault_of_ours(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for details in [
            json!({"note": "a\u{0}b"}),
            json!({"a\u{0}b": 1}),
            json!({"deep": [{"er": "\u{0}"}]}),
        ] {
            let answer = service.post("/events", json!({
                "event_type": "click", "url_id": url["id"], "user_id": user, "details": details,
            })).await;

            let newest = service.get("/events?per_page=1").await;
            assert_eq!(newest.status, 200, "{}", newest.text());
            match answer.status {
                201 => assert_eq!(newest.json()[0]["details"], details),
                _ => _ = answer.assert_problem(422),
            }
        }
    }
}
