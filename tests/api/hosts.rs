//! Hosts: an API without keys answers to its own machine only, and a forged `Host` does no harm.

use harness::answer::Answer;
use harness::database::Database;
use harness::on_each_database;
use harness::service::Service;
use reqwest::Method;
use serde_json::{Value, json};

/// Sends `GET path`, or `POST path` with `body`, with the header given.
async fn ask(
    service: &Service,
    path: &str,
    body: Option<&Value>,
    (name, value): (&str, &str),
) -> Answer {
    let method = if body.is_some() {
        Method::POST
    } else {
        Method::GET
    };
    let mut request = service.request(method, path).header(name, value);
    if let Some(body) = body {
        request = request.json(body);
    }
    service.send(request).await
}

on_each_database! {
    async fn a_host_that_is_none_is_not_our_fault(service: Service) {
        let user = service.create_user().await;
        let body = json!({"user_id": user, "original_url": "https://example.com/"}).to_string();

        for host in [
            "",
            " ",
            "a b",
            "<script>",
            "[::1",
            "example.com:port",
            "example.com:99999",
            "user@example.com",
            "a/b",
            "'",
            "%00",
        ] {
            let request = format!(
                "POST /urls HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let answer = service.raw(request.as_bytes()).await;
            let answer = String::from_utf8_lossy(&answer);
            assert!(
                answer.starts_with("HTTP/1.1 201 ") || answer.starts_with("HTTP/1.1 4"),
                "{host:?}: {answer}"
            );
        }
        assert_eq!(service.get("/health").await.status, 200);
    }

    async fn a_forged_host_is_not_repeated(service: Service) {
        let user = service.create_user().await;
        service.create_url(user, "https://example.com/").await;
        service.create_url(user, "https://example.com/").await;

        for path in ["/", "/urls?per_page=1", "/nobody", "/users/999"] {
            let answer = ask(&service, path, None, ("host", "evil.example")).await;
            assert!(
                !format!("{answer:?}").contains("evil.example"),
                "{path}: {answer:?}"
            );
        }
    }

    async fn without_keys_this_machine_is_answered(database: Database) {
        let service = Service::builder(&database).arg("--auth=auto").start().await;
        let port = service.addr().port();
        let own_origin = format!("http://localhost:{port}");
        let own_host = format!("localhost:{port}");

        for header in [
            ("accept", "*/*"),
            ("host", own_host.as_str()),
            ("host", "localhost"),
            ("host", "127.0.0.1"),
            ("host", "[::1]:8080"),
            ("origin", own_origin.as_str()),
        ] {
            let answer = ask(&service, "/users", None, header).await;
            assert_eq!(answer.status, 200, "{header:?}: {}", answer.text());
        }
    }

    async fn without_keys_a_request_from_elsewhere_is_refused(database: Database) {
        let service = Service::builder(&database).arg("--auth=auto").start().await;
        let user = service.create_user().await;
        let new_user = json!({"username": "ada", "email": "ada@example.com"});
        let new_url = json!({"user_id": user, "original_url": "https://example.com/"});

        for header in [
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-for", ""),
            ("forwarded", "for=203.0.113.7"),
            ("forwarded", "for=127.0.0.1"),
            ("host", "rebound.example"),
            ("host", "localhost.rebound.example"),
            ("host", "127.0.0.1.rebound.example"),
            ("host", "203.0.113.7:8080"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://localhost.evil.example"),
            ("origin", "https://evil.example/localhost"),
        ] {
            for (path, body) in [
                ("/users", None),
                ("/users/1", None),
                ("/urls", None),
                ("/events", None),
                ("/users", Some(&new_user)),
                ("/urls", Some(&new_url)),
                ("/api/v1/users", None),
                ("/api/v1/urls", Some(&new_url)),
            ] {
                let answer = ask(&service, path, body, header).await;
                assert_eq!(
                    answer.status,
                    403,
                    "{header:?} on {path}: {}",
                    answer.text()
                );
                answer.assert_problem(403);
            }
        }
        assert_eq!(
            service.get("/users").await.json().as_array().map(Vec::len),
            Some(1),
            "nothing was made"
        );
        assert_eq!(service.get("/urls").await.json(), json!([]));
    }

    async fn without_keys_a_bulk_load_or_deletion_from_elsewhere_is_refused(database: Database) {
        let service = Service::builder(&database).arg("--auth=auto").start().await;
        let user = service.create_user().await;

        for (method, path) in [
            ("DELETE", format!("/users/{user}")),
            ("PUT", format!("/users/{user}")),
            ("POST", "/users/bulk".to_owned()),
            ("POST", "/api/v1/events/bulk".to_owned()),
        ] {
            let request = service
                .request(method.parse().expect("a method"), &path)
                .header("origin", "https://evil.example");
            service.send(request).await.assert_problem(403);
        }
        assert_eq!(service.get(&format!("/users/{user}")).await.status, 200);
    }

    async fn without_keys_a_public_host_opens_nothing(database: Database) {
        let service = Service::builder(&database)
            .arg("--auth=auto")
            .arg("--public-hosts=sho.rt")
            .start()
            .await;

        for header in [
            ("host", "sho.rt"),
            ("origin", "https://sho.rt"),
            ("host", "sho.rt.evil.example"),
        ] {
            ask(&service, "/users", None, header)
                .await
                .assert_problem(403);
        }
    }

    async fn without_keys_a_trusted_proxy_still_passes_strangers_on(database: Database) {
        let service = Service::builder(&database)
            .arg("--auth=auto")
            .arg("--trusted-proxies=127.0.0.0/8")
            .start()
            .await;

        ask(&service, "/users", None, ("x-forwarded-for", "203.0.113.7"))
            .await
            .assert_problem(403);
    }

    async fn with_auth_off_everybody_is_answered(service: Service) {
        for header in [
            ("x-forwarded-for", "203.0.113.7"),
            ("forwarded", "for=203.0.113.7"),
            ("host", "rebound.example"),
            ("origin", "https://elsewhere.example"),
        ] {
            let answer = ask(&service, "/users", None, header).await;
            assert_eq!(answer.status, 200, "{header:?}: {}", answer.text());
        }
    }

    async fn whatever_a_trusted_proxy_says_the_request_is_answered(database: Database) {
        let service = Service::builder(&database)
            .arg("--trusted-proxies=127.0.0.0/8,::1")
            .start()
            .await;
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let redirect = format!("/{}", url["short_code"].as_str().expect("a code"));

        for header in [
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-for", "203.0.113.7, 127.0.0.1"),
            ("x-forwarded-for", "2001:db8::1"),
            ("x-forwarded-for", "unknown"),
            ("x-forwarded-for", ",,,"),
            ("forwarded", "for=\"[2001:db8::1]:4711\";proto=https"),
            ("forwarded", "for=_hidden"),
            ("forwarded", "for="),
            ("forwarded", "\""),
        ] {
            assert_eq!(
                ask(&service, "/users", None, header).await.status,
                200,
                "{header:?}"
            );
            assert_eq!(
                ask(&service, &redirect, None, header).await.status,
                302,
                "{header:?}"
            );
        }
    }
}
