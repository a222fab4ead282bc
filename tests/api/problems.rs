//! Failures: whatever goes wrong on whatever route, the answer is a problem as RFC 9457 has it.

use harness::answer::Answer;
use harness::on_each_database;
use harness::service::Service;
use serde_json::{Value, json};

// The methods that each kind of route takes, in the order of the alphabet.
const READ: &[&str] = &["GET", "HEAD"];
const LIST: &[&str] = &["GET", "HEAD", "POST"];
const ITEM: &[&str] = &["DELETE", "GET", "HEAD", "PATCH", "PUT"];
const LOAD: &[&str] = &["POST"];

async fn ask(service: &Service, method: &str, path: &str) -> Answer {
    let method = method.parse().expect("a method");
    service.send(service.request(method, path)).await
}

on_each_database! {
    async fn a_problem_says_what_went_wrong_in_every_member(service: Service) {
        for (answer, status) in [
            (service.get("/users/1").await, 404),
            (service.get("/no/such/route").await, 404),
            (service.get("/nobody").await, 404),
            (ask(&service, "PATCH", "/users").await, 405),
            (service.get("/users?page=0").await, 422),
            (service.post("/users", json!({})).await, 422),
            (service.post("/users", json!("ada")).await, 422),
        ] {
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json")
            );
            let problem = answer.assert_problem(status);
            assert_eq!(problem["status"], status);
            for member in ["type", "title", "detail"] {
                assert!(
                    problem[member]
                        .as_str()
                        .is_some_and(|text| !text.trim().is_empty()),
                    "{member}: {problem}"
                );
            }
            assert!(
                problem["errors"].is_object(),
                "an error dictionary: {problem}"
            );
        }
    }

    async fn every_wrong_field_has_a_member_that_says_why(service: Service) {
        let user = service.create_user().await;
        for (path, body, wrong) in [
            ("/users", json!({}), &["email", "username"][..]),
            (
                "/users",
                json!({"username": 1, "email": "ada@example.com"}),
                &["username"],
            ),
            (
                "/users",
                json!({"username": " ", "email": "ada"}),
                &["email", "username"],
            ),
            ("/urls", json!({}), &["original_url", "user_id"]),
            (
                "/urls",
                json!({"user_id": "1", "original_url": "ftp://x", "title": 1, "short_code": ""}),
                &["original_url", "short_code", "title", "user_id"],
            ),
            (
                "/urls",
                json!({"user_id": user, "original_url": "https://example.com/", "title": []}),
                &["title"],
            ),
            (
                "/events",
                json!({"event_type": "", "url_id": true, "user_id": null, "details": []}),
                &["details", "event_type", "url_id", "user_id"],
            ),
        ] {
            let problem = service.post(path, body).await.assert_problem(422);
            let errors = problem["errors"].as_object().expect("an object");
            let mut named: Vec<_> = errors.keys().map(String::as_str).collect();
            named.sort_unstable();
            assert_eq!(named, wrong, "{path}: {problem}");
            assert!(
                errors
                    .values()
                    .all(|why| why.as_str().is_some_and(|why| why.contains(' '))),
                "each a sentence: {problem}"
            );
        }
    }

    async fn an_unknown_route_is_not_found_by_any_method(service: Service) {
        for path in [
            "/api/v1",
            "/api/v2/users",
            "/api/v1/nothing",
            "/users/1/urls",
            "/urls/1/2/3",
            "/urls/x/redirect/y",
            "/events/1/2",
            "/health/deep",
            "/a/b",
            "/users/bulk/1",
            "/.well-known/security.txt",
            "/admin/login.php",
            "/.git/config",
        ] {
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
                let answer = ask(&service, method, path).await;
                assert_eq!(answer.status, 404, "{method} {path}");
                answer.assert_problem(404);
            }
            let head = service.head(path).await;
            assert_eq!((head.status, head.body.len()), (404, 0), "HEAD {path}");
        }
    }

    async fn a_wrong_method_is_told_the_right_ones(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let code = url["short_code"].as_str().expect("a code");

        for (path, right) in [
            ("/health".to_owned(), READ),
            ("/users".to_owned(), LIST),
            (format!("/users/{user}"), ITEM),
            ("/users/bulk".to_owned(), LOAD),
            ("/urls".to_owned(), LIST),
            (format!("/urls/{}", url["id"]), ITEM),
            ("/urls/bulk".to_owned(), LOAD),
            (format!("/urls/{code}/redirect"), READ),
            ("/events".to_owned(), LIST),
            ("/events/bulk".to_owned(), LOAD),
            (format!("/{code}"), READ),
        ] {
            let methods = ["GET", "POST", "PUT", "DELETE", "PATCH"];
            for wrong in methods.iter().filter(|method| !right.contains(method)) {
                let answer = ask(&service, wrong, &path).await;
                assert_eq!(answer.status, 405, "{wrong} {path}: {}", answer.text());
                answer.assert_problem(405);
                let allow = answer.header("allow").expect("an Allow header");
                let mut allowed: Vec<_> = allow.split(',').map(str::trim).collect();
                allowed.sort_unstable();
                assert_eq!(allowed, right, "{wrong} {path}");
            }
        }
    }

    async fn a_wrong_method_changes_nothing(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for path in [
            "/users".to_owned(),
            "/urls".to_owned(),
            "/events".to_owned(),
            format!("/{}", url["short_code"].as_str().expect("a code")),
        ] {
            ask(&service, "DELETE", &path).await.assert_problem(405);
        }

        assert_eq!(service.get("/urls").await.json(), json!([url]));
        assert_eq!(
            service.get("/events").await.json().as_array().map(Vec::len),
            Some(1)
        );
    }

    async fn a_problem_tells_nothing_about_the_inside(service: Service) {
        let user = service.create_user().await;
        for answer in [
            service
                .post(
                    "/users",
                    json!({"username": "\u{0}", "email": "a\u{0}@b.c"}),
                )
                .await,
            service
                .post(
                    "/urls",
                    json!({
                        "user_id": user, "original_url": "https://example.com/",
                        "short_code": "'; drop table url; --",
                    }),
                )
                .await,
            service.get("/urls/9999999999999999999999999").await,
            service.get("/events?user_id=1'").await,
            service
                .post(
                    "/events",
                    json!({
                        "event_type": "click", "url_id": 1e300, "user_id": user, "details": {},
                    }),
                )
                .await,
        ] {
            assert!((400..500).contains(&answer.status), "{}", answer.text());
            let text = answer.text().to_lowercase();
            for word in [
                "sqlx",
                "sqlite",
                "postgres",
                "constraint",
                "panicked",
                "src/",
                "serde",
            ] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
    }

    async fn a_problem_of_a_head_request_has_no_body(service: Service) {
        for (path, status) in [
            ("/users/1", 404),
            ("/urls?page=0", 422),
            ("/nobody", 404),
            ("/users/bulk", 405),
        ] {
            let answer = service.head(path).await;
            assert_eq!((answer.status, answer.body.len()), (status, 0), "{path}");
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json"),
                "{path}"
            );
        }
    }

    async fn a_list_is_never_answered_in_place_of_a_problem(service: Service) {
        service.create_user().await;
        for query in ["?page=0", "?per_page=0", "?per_page=100000", "?page=abc"] {
            let answer = service.get(&format!("/users{query}")).await;
            assert!(answer.json().is_object(), "{query}: {}", answer.text());
            assert_ne!(answer.json()["errors"], Value::Null, "{query}");
        }
    }
}
