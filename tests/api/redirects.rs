//! Redirects: where a short code leads, what the answer says, and the click that it leaves.

use std::time::Duration;

use harness::answer::Answer;
use harness::eventually;
use harness::on_each_database;
use harness::service::Service;
use reqwest::Method;
use serde_json::{Value, json};

/// What a browser sends when a person follows a link.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// The paths that lead on from `url`; one handler is behind all of them.
fn ways(url: &Value) -> [String; 3] {
    let code = url["short_code"].as_str().expect("a code");
    [
        format!("/{code}"),
        format!("/urls/{code}/redirect"),
        format!("/api/v1/urls/{code}/redirect"),
    ]
}

async fn clicks(service: &Service, url: &Value) -> Vec<Value> {
    let path = format!("/events?url_id={}&event_type=click&per_page=100", url["id"]);
    let answer = service.get(&path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().expect("an array").clone()
}

async fn ask(service: &Service, method: &str, path: &str, accept: &str) -> Answer {
    let method = method.parse().expect("a method");
    service
        .send(service.request(method, path).header("accept", accept))
        .await
}

#[track_caller]
fn assert_leads_to(answer: &Answer, location: &str) {
    assert_eq!(answer.status, 302, "{}", answer.text());
    assert_eq!(answer.header("location"), Some(location));
    assert!(
        answer
            .header("cache-control")
            .is_some_and(|value| value.contains("no-store")),
        "{:?}",
        answer.headers
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

on_each_database! {
    async fn a_code_leads_to_its_url_by_either_route(service: Service) {
        let user = service.create_user().await;
        let url = service
            .create_url(user, "https://example.com/a?b=c#d")
            .await;

        for path in ways(&url) {
            assert_leads_to(&service.get(&path).await, "https://example.com/a?b=c#d");
        }
    }

    async fn the_location_is_the_ascii_form_of_the_original_url(service: Service) {
        let user = service.create_user().await;

        for (original_url, location) in [
            ("https://example.com", "https://example.com/"),
            ("HTTPS://EXAMPLE.COM/Path", "https://example.com/Path"),
            (
                "http://exämple.com/ü?q=ö",
                "http://xn--exmple-cua.com/%C3%BC?q=%C3%B6",
            ),
            ("https://example.com/#ä", "https://example.com/#%C3%A4"),
            ("https://example.com:443/", "https://example.com/"),
            ("http://example.com:8080/", "http://example.com:8080/"),
            ("https://example.com/a/../b", "https://example.com/b"),
            ("https://example.com/%2f%E4", "https://example.com/%2f%E4"),
            (
                "https://example.com?x=1&x=2",
                "https://example.com/?x=1&x=2",
            ),
            ("http://[2001:DB8::1]/", "http://[2001:db8::1]/"),
            ("https://例え.jp/😀", "https://xn--r8jz45g.jp/%F0%9F%98%80"),
        ] {
            let url = service.create_url(user, original_url).await;
            for path in ways(&url) {
                assert_leads_to(&service.get(&path).await, location);
            }
        }
    }

    async fn every_redirect_leaves_a_click_whether_it_was_cached_or_not(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let other = service.create_url(user, "https://example.com/other").await;

        for turn in 1..=20 {
            let path = &ways(&url)[turn % 3];
            assert_eq!(service.get(path).await.status, 302);
            assert_eq!(
                clicks(&service, &url).await.len(),
                turn,
                "seen by the read right after"
            );
        }
        assert!(clicks(&service, &other).await.is_empty());
    }

    async fn a_click_says_what_was_clicked_and_when(service: Service) {
        service.create_user().await;
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        service.get(&ways(&url)[0]).await;

        let [click] = &clicks(&service, &url).await[..] else {
            panic!("one redirect is one click")
        };
        assert!(click["id"].is_i64(), "{click}");
        assert_eq!(click["event_type"], "click");
        assert_eq!(click["url_id"], url["id"]);
        assert_eq!(click["user_id"], user);
        assert!(click["timestamp"].is_string(), "{click}");
        assert!(click["details"].is_object(), "{click}");
    }

    async fn a_click_survives_what_visitors_send_about_themselves(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let path = &ways(&url)[0];

        let long = "x".repeat(10_000);
        for (name, value) in [
            ("referer", "https://news.example/?q=1"),
            ("referer", "not a url"),
            ("referer", long.as_str()),
            ("user-agent", ""),
            ("user-agent", "Ünï/1.0 \u{1F600}"),
            ("user-agent", long.as_str()),
            ("accept-language", "🦀"),
            ("x-forwarded-for", "for a while"),
            ("forwarded", ";;=,\""),
        ] {
            let request = service
                .request(Method::GET, path)
                .header(name, value.as_bytes());
            assert_eq!(service.send(request).await.status, 302, "{name}");
        }

        assert_eq!(clicks(&service, &url).await.len(), 9);
    }

    async fn a_query_changes_neither_the_target_nor_the_count(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for query in [
            "?",
            "?utm_source=mail",
            "?a=%00%ff",
            "?url=https://evil.example/",
        ] {
            assert_leads_to(
                &service.get(&format!("{}{query}", ways(&url)[0])).await,
                "https://example.com/",
            );
        }
        assert_eq!(clicks(&service, &url).await.len(), 4);
    }

    async fn head_answers_like_get_but_is_no_click(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for path in ways(&url) {
            let head = service.head(&path).await;
            assert_leads_to(&head, "https://example.com/");
            assert!(head.body.is_empty());
            assert!(
                clicks(&service, &url).await.is_empty(),
                "HEAD {path} left a click"
            );
        }
        for path in ways(&url) {
            let (head, get) = (service.head(&path).await, service.get(&path).await);
            for name in [
                "location",
                "cache-control",
                "content-type",
                "content-length",
                "x-content-type-options",
            ] {
                assert_eq!(head.header(name), get.header(name), "{name} of {path}");
            }
        }
    }

    async fn an_unknown_code_is_not_found(service: Service) {
        let too_long = "x".repeat(65);
        for code in [
            "nobody",
            "a",
            "%41%42",
            "%00",
            "%F0%9F%98%80",
            "a.b",
            "a+b",
            too_long.as_str(),
        ] {
            for path in [format!("/{code}"), format!("/urls/{code}/redirect")] {
                service.get(&path).await.assert_problem(404);
                let head = service.head(&path).await;
                assert_eq!((head.status, head.body.len()), (404, 0), "HEAD {path}");
            }
        }
        assert_eq!(service.get("/events").await.json(), json!([]));
    }

    async fn a_code_that_was_asked_for_before_it_existed_works_soon_after(service: Service) {
        let user = service.create_user().await;
        service.get("/launch").await.assert_problem(404);

        let web = "https://example.com/";
        let body = json!({"user_id": user, "original_url": web, "short_code": "launch"});
        assert_eq!(service.post("/urls", body).await.status, 201);

        // Unknown codes may be remembered as such, but only briefly.
        let leads_on = async || service.get("/launch").await.status == 302;
        eventually::holds("the new code leads on", Duration::from_secs(5), leads_on).await;
    }

    async fn an_inactive_url_is_not_found_and_leaves_no_event(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        service.get(&ways(&url)[0]).await;
        service
            .put(&format!("/urls/{}", url["id"]), json!({"is_active": false}))
            .await;
        let before = service.get("/events").await.json();

        for path in ways(&url) {
            service.get(&path).await.assert_problem(404);
            assert_eq!(service.head(&path).await.status, 404);
        }

        assert_eq!(service.get("/events").await.json(), before);
    }

    async fn a_person_who_follows_a_dead_link_sees_a_page(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        service.delete(&format!("/urls/{}", url["id"])).await;

        for path in ways(&url)
            .iter()
            .map(String::as_str)
            .chain(["/nobody", "/urls/nobody/redirect"])
        {
            for accept in [BROWSER, "text/html"] {
                let answer = ask(&service, "GET", path, accept).await;
                assert_eq!(answer.status, 404, "{path}");
                assert!(
                    answer
                        .header("content-type")
                        .is_some_and(|value| value.starts_with("text/html")),
                    "{path}: {:?}",
                    answer.headers
                );
                assert!(
                    answer.text().to_lowercase().contains("<html"),
                    "{path}: {}",
                    answer.text()
                );
                assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            }
        }
    }

    async fn a_program_that_follows_a_dead_link_gets_a_problem(service: Service) {
        for accept in [
            "*/*",
            "application/json",
            "application/problem+json",
            "text/plain",
            "image/png",
            "",
            ";;,=q",
        ] {
            ask(&service, "GET", "/nobody", accept)
                .await
                .assert_problem(404);
            ask(&service, "GET", "/urls/nobody/redirect", accept)
                .await
                .assert_problem(404);
        }
    }

    async fn only_a_redirect_route_answers_with_a_page(service: Service) {
        for path in [
            "/users/999",
            "/urls/999",
            "/events?page=x",
            "/no/such/route",
            "/api/v1/nothing",
        ] {
            let answer = ask(&service, "GET", path, BROWSER).await;
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json"),
                "{path}"
            );
        }
    }

    async fn the_page_of_a_dead_link_repeats_nothing_that_a_browser_would_run(service: Service) {
        for path in [
            "/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
            "/urls/%3Cimg%20src=x%20onerror=alert(1)%3E/redirect",
        ] {
            let answer = ask(&service, "GET", path, BROWSER).await;
            assert_eq!(answer.status, 404, "{path}");
            let page = answer.text();
            assert!(
                !page.contains("<script>alert") && !page.contains("<img src=x"),
                "{page}"
            );
        }
    }

    async fn a_working_link_is_a_redirect_for_a_browser_too(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for path in ways(&url) {
            assert_leads_to(
                &ask(&service, "GET", &path, BROWSER).await,
                "https://example.com/",
            );
        }
    }
}

on_each_database! {
    async fn redirects_and_everything_else_share_a_connection(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/here").await;
        let code = url["short_code"].as_str().expect("a code");
        // The first look-up leaves the link in memory.
        assert_eq!(service.get(&format!("/{code}")).await.status, 302);
        let line = |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: a\r\n");
        let together = [
            line("GET", &format!("/{code}")) + "\r\n",
            line("HEAD", &format!("/{code}?a=b")) + "X-Request-Id: mine\r\n\r\n",
            line("GET", "/health") + "\r\n",
            line("GET", "/nothing-here") + "\r\n",
            line("GET", &format!("/{code}")) + "Connection: close\r\n\r\n",
        ];
        let answers = service.raw(together.concat().as_bytes()).await;
        let answers = String::from_utf8(answers).expect("text");
        let statuses: Vec<_> = answers
            .split("HTTP/1.1 ")
            .skip(1)
            .map(|answer| &answer[..3])
            .collect();
        assert_eq!(statuses, ["302", "302", "200", "404", "302"], "{answers}");
        let second = answers.split("HTTP/1.1 ").nth(2).expect("it was counted");
        assert!(second.contains("\r\nx-request-id: mine\r\n"), "{second}");
        assert_eq!(clicks(&service, &url).await.len(), 3);
    }
}
