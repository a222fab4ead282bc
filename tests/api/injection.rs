//! Injection: nothing that a client sends becomes a header, or a line, of an answer.

use harness::{on_each_database, service::Service};
use serde_json::json;

const LINE: &str = "%0d%0aInjected:%20yes";

/// The answer to `GET path`, with `headers`, as it came.
async fn raw(service: &Service, path: &str, headers: &str) -> String {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    String::from_utf8_lossy(&service.raw(request.as_bytes()).await).into_owned()
}

#[track_caller]
fn has_no_line_more(answer: &str, what: &str) {
    assert!(answer.starts_with("HTTP/1.1 "), "{what}: {answer}");
    let injected = answer
        .lines()
        .any(|line| line.to_ascii_lowercase().starts_with("injected"));
    assert!(!injected, "{what}: {answer}");
}

on_each_database! {
    async fn no_path_or_query_becomes_a_header(service: Service) {
        let user = service.create_user().await;
        for _ in 0..3 {
            service.create_url(user, "https://example.com/").await;
        }
        let forwarding = service.post("/urls", json!({
            "user_id": user, "original_url": "https://example.com/?a=b#c", "forward_query": true,
        })).await.json();
        let code = forwarding["short_code"].as_str().expect("a code");

        for path in [
            format!("/{code}?x={LINE}"),
            format!("/{code}?{LINE}"),
            format!("/urls/{code}/redirect?x={LINE}"),
            format!("/{code}{LINE}"),
            format!("/{LINE}"),
            format!("/users/{LINE}"),
            format!("/urls/{LINE}/redirect"),
            format!("/urls?per_page=1&page=2&x={LINE}"),
            format!("/urls?per_page={LINE}"),
            format!("/events?event_type={LINE}"),
        ] {
            for accept in ["", "Accept: text/html\r\n"] {
                // Twice: from the database, and from memory.
                for _ in 0..2 {
                    has_no_line_more(&raw(&service, &path, accept).await, &path);
                }
            }
        }
        let link = raw(&service, &format!("/urls?per_page=1&x={LINE}"), "").await;
        assert!(link.contains("%0d%0a") || link.contains("%0D%0A"), "it is kept encoded: {link}");
    }

    async fn no_header_becomes_another(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let code = format!("/{}", url["short_code"].as_str().expect("a code"));

        for path in [code.as_str(), "/urls", "/nobody"] {
            for header in [
                "X-Request-Id: a%0d%0aInjected: yes\r\n",
                "X-Request-Id: a\rInjected: yes\r\n",
                "X-Request-Id: a\u{85}Injected: yes\r\n",
                "X-Request-Id: a\u{2028}Injected: yes\r\n",
                "Origin: https://a\rInjected: yes\r\n",
                "Referer: https://a/\rInjected: yes\r\n",
            ] {
                has_no_line_more(&raw(&service, path, header).await, header);
            }
        }
    }

    async fn no_field_becomes_a_header(service: Service) {
        let user = service.create_user().await;
        for (field, value) in [
            ("original_url", "https://example.com/\r\nInjected: yes"),
            ("original_url", "https://example.com/\nInjected: yes"),
            ("original_url", "https://exa\rmple.com/"),
            ("title", "a\r\nInjected: yes"),
            ("short_code", "a\r\nInjected: yes"),
        ] {
            let mut new = json!({"user_id": user, "original_url": "https://example.com/"});
            new[field] = value.into();
            service.post("/urls", new).await.assert_problem(422);
        }
        // What is written in ASCII stays what it is.
        let url = service.create_url(user, &format!("https://example.com/{LINE}?{LINE}#{LINE}")).await;
        let code = format!("/{}", url["short_code"].as_str().expect("a code"));
        for _ in 0..2 {
            has_no_line_more(&raw(&service, &code, "").await, &code);
        }
    }
}
