//! Original URLs: only the address of a web page elsewhere is shortened.

use harness::on_each_database;
use harness::service::Service;
use serde_json::json;

/// Texts that are no address of a web page elsewhere.
const NOT_WEB_ADDRESSES: [&str; 47] = [
    "",
    " ",
    "example",
    "example.com",
    "www.example.com/path",
    "//example.com",
    "/path",
    "?q=1",
    "#top",
    "http",
    "http:",
    "http:/",
    "http://",
    "https://",
    "http:///path",
    "http://?q",
    "http://#top",
    "http://:80",
    "http://:80/path",
    "https://@/",
    "://example.com",
    "http//example.com",
    "ftp://example.com/",
    "FTP://example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "mailto:ada@example.com",
    "tel:123",
    "about:blank",
    "ws://example.com/",
    "gopher://example.com/",
    "blob:https://example.com/x",
    "view-source:https://example.com/",
    "https://exa mple.com/",
    "https://example.com/a b",
    " https://example.com/",
    "https://example.com/ ",
    "https://example.com:99999/",
    "https://example.com:port/",
    "https://[::1",
    "https://[zz]/",
    "https://%zz/",
    "https://exa<mple.com/",
    "https://ada@example.com/",
    "https://ada:secret@example.com/",
];

/// Control characters of each kind, in the places where they do harm.
const BROKEN_ADDRESSES: [&str; 12] = [
    "https://example.com/\n",
    "\nhttps://example.com/",
    "https://example.com/\r\nSet-Cookie: a=b",
    "https://example.com/a\nb",
    "https://exam\nple.com/",
    "java\nscript:alert(1)",
    "https://example.com/\t",
    "ht\ttps://example.com/",
    "https://example.com/\u{0}",
    "https://example.com/\u{7f}",
    "https://example.com/\u{85}",
    "https://example.com/?q=\u{1b}[31m",
];

/// Expects a refusal of `original_url` in a new URL of `user` and in a change of the URL at `path`.
async fn refused(service: &Service, user: i64, path: &str, original_url: &str) {
    let shown = original_url.get(..100).unwrap_or(original_url);
    let created = service.post(
        "/urls",
        json!({"user_id": user, "original_url": original_url}),
    );
    let changed = service.put(path, json!({"original_url": original_url, "title": "new"}));
    for answer in [created.await, changed.await] {
        assert_eq!(answer.status, 422, "{shown:?}: {}", answer.text());
        let problem = answer.assert_problem(422);
        assert!(
            problem["errors"]["original_url"].is_string(),
            "{shown:?}: {problem}"
        );
    }
}

on_each_database! {
    async fn only_a_web_address_is_shortened(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let path = format!("/urls/{}", url["id"]);

        for original_url in NOT_WEB_ADDRESSES.iter().chain(&BROKEN_ADDRESSES) {
            refused(&service, user, &path, original_url).await;
        }
        assert_eq!(
            service.get("/urls").await.json(),
            json!([url]),
            "nothing was made or changed"
        );
    }

    async fn an_address_may_be_eight_kibibytes_long_and_no_longer(service: Service) {
        let user = service.create_user().await;
        let of_length = |length: usize| {
            let start = "https://example.com/";
            format!("{start}{}", "x".repeat(length - start.len()))
        };

        let longest = of_length(8 << 10);
        let url = service.create_url(user, &longest).await;
        let redirect = service
            .get(&format!("/{}", url["short_code"].as_str().expect("a code")))
            .await;
        assert_eq!(redirect.header("location"), Some(longest.as_str()));

        let path = format!("/urls/{}", url["id"]);
        for length in [(8 << 10) + 1, 100_000, 1_000_000] {
            refused(&service, user, &path, &of_length(length)).await;
        }
    }

    async fn web_addresses_of_every_kind_are_shortened(service: Service) {
        let user = service.create_user().await;

        for original_url in [
            "http://example.com",
            "https://example.com/",
            "HTTP://EXAMPLE.COM",
            "https://sub.domain.example.co.uk/a/b/c.html?x=1&y=2#z",
            "http://example.com:8080/",
            "http://192.0.2.1/",
            "http://[2001:db8::1]/",
            "https://exämple.com/ü",
            "https://例え.jp/",
            "https://example.com/%20%0a",
            "https://example.com/?next=https://example.org/",
            "https://example.com/@name",
            "https://example.com/a|b",
            "https://example.com/😀",
        ] {
            let answer = service
                .post(
                    "/urls",
                    json!({"user_id": user, "original_url": original_url}),
                )
                .await;
            assert_eq!(answer.status, 201, "{original_url}: {}", answer.text());
        }
    }
}
