//! `Idempotency-Key`: a create that is sent again is made once, and answered as it was the first time.

use harness::{answer::Answer, on_each_database, service::Service};
use reqwest::Method;
use serde_json::{Value, json};

const KEY: &str = "idempotency-key";

async fn post(service: &Service, path: &str, key: &str, body: &Value) -> Answer {
    let request = service.request(Method::POST, path).header(KEY, key);
    service.send(request.json(body)).await
}

/// The same answer, but for what is about the exchange.
#[track_caller]
fn assert_same(first: &Answer, again: &Answer) {
    assert_eq!((first.status, first.text()), (again.status, again.text()));
    for header in ["content-type", "etag", "cache-control", "location"] {
        assert_eq!(first.header(header), again.header(header), "{header}");
    }
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}

async fn total(service: &Service, path: &str) -> usize {
    let answer = service.get(path).await;
    let total = answer.header("x-total-count");
    total.and_then(|total| total.parse().ok()).expect("a total")
}

/// What can be created: path, body, and the list that shows it.
async fn creates(service: &Service) -> [(&'static str, Value, &'static str); 3] {
    let user = service.create_user().await;
    let url = service.create_url(user, "https://example.com/").await;
    [
        (
            "/users",
            json!({"username": "ada", "email": "ada@example.com"}),
            "/users",
        ),
        (
            "/urls",
            json!({"user_id": user, "original_url": "https://example.com/"}),
            "/urls",
        ),
        (
            "/events",
            json!({"user_id": user, "url_id": url["id"], "event_type": "seen", "details": {"a": 1}}),
            "/events?event_type=seen",
        ),
    ]
}

on_each_database! {
    async fn what_is_sent_again_is_made_once_and_answered_the_same(service: Service) {
        for (path, body, list) in creates(&service).await {
            let before = total(&service, list).await;
            let first = post(&service, path, path, &body).await;
            assert_eq!(first.status, 201, "{path}: {}", first.text());
            for prefix in ["", "/api/v1"] {
                let again = post(&service, &format!("{prefix}{path}"), path, &body).await;
                assert_same(&first, &again);
            }
            assert_eq!(total(&service, list).await, before + 1, "{path}");
        }
    }

    async fn the_first_answer_outlives_what_it_is_about(service: Service) {
        for (path, body, _) in creates(&service).await {
            let first = post(&service, path, path, &body).await;
            assert_eq!(first.status, 201, "{path}: {}", first.text());
            let made = format!("{path}/{}", first.json()["id"]);
            match path {
                "/users" => assert_eq!(service.delete(&made).await.status, 204),
                "/urls" => {
                    let changed = service.put(&made, json!({"title": "changed"})).await;
                    assert_eq!(changed.status, 200);
                }
                _ => {
                    let url = format!("/urls/{}", body["url_id"]);
                    assert_eq!(service.delete(&url).await.status, 204);
                }
            }
            assert_same(&first, &post(&service, path, path, &body).await);
        }
    }

    async fn how_the_body_is_laid_out_does_not_matter(service: Service) {
        let user = service.create_user().await;
        let send = async |body: String| {
            let request = service.request(Method::POST, "/urls").header(KEY, "layout");
            service.send(request.header("content-type", "application/json").body(body)).await
        };
        let first = send(format!(r#"{{"user_id": {user}, "original_url": "https://example.com/"}}"#)).await;
        assert_eq!(first.status, 201, "{}", first.text());
        let again = send(format!("{{\"original_url\":\"https:\\/\\/example.com/\",\n\"user_id\":{user}}}")).await;
        assert_same(&first, &again);
    }

    async fn a_key_that_was_used_for_another_request_is_refused(service: Service) {
        let user = service.create_user().await;
        let body = json!({"user_id": user, "original_url": "https://example.com/"});
        assert_eq!(post(&service, "/urls", "once", &body).await.status, 201);

        let other = json!({"user_id": user, "original_url": "https://example.com/other"});
        let event = json!({"user_id": user, "url_id": 1, "event_type": "seen"});
        for (path, body) in [("/urls", other), ("/events", event), ("/events", body)] {
            let problem = post(&service, path, "once", &body).await.assert_problem(422);
            assert!(problem["errors"]["Idempotency-Key"].is_string(), "{problem}");
        }
        assert_eq!((total(&service, "/urls").await, total(&service, "/events").await), (1, 1));
    }

    async fn what_was_refused_is_judged_anew(service: Service) {
        let user = json!({"username": "ada", "email": "ada@example.com"});
        let url = json!({"user_id": 1, "original_url": "https://example.com/", "short_code": "mine"});
        post(&service, "/urls", "early", &url).await.assert_problem(404);
        post(&service, "/users", "wrong", &json!({"username": 7})).await.assert_problem(422);
        let made = post(&service, "/users", "wrong", &user).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let other = post(&service, "/users", "other", &user).await;
        other.assert_problem(409);

        let made = post(&service, "/urls", "early", &url).await;
        assert_eq!(made.status, 201, "{}", made.text());
        post(&service, "/urls", "taken", &url).await.assert_problem(409);
        assert_eq!(total(&service, "/urls").await, 1);
    }

    async fn a_key_is_printable_and_not_too_long(service: Service) {
        let user = service.create_user().await;
        let body = json!({"user_id": user, "original_url": "https://example.com/"});
        let (longest, too_long) = ("x".repeat(255), "x".repeat(256));
        for key in ["k", "two words", "\"quoted\"", &longest] {
            assert_eq!(post(&service, "/urls", key, &body).await.status, 201, "{key}");
        }
        for key in ["ü", "a\tb", &too_long] {
            let problem = post(&service, "/urls", key, &body).await.assert_problem(422);
            assert!(problem["errors"]["Idempotency-Key"].is_string(), "{problem}");
        }
        let twice = service.request(Method::POST, "/urls").header(KEY, "a").header(KEY, "b");
        service.send(twice.json(&body)).await.assert_problem(422);
        assert_eq!(total(&service, "/urls").await, 4);
    }

    async fn a_key_is_not_answered_twice_so_that_no_secret_is_kept(service: Service) {
        let user = service.create_user().await;
        let body = json!({"name": "newsletter", "user_id": user});
        let problem = post(&service, "/keys", "once", &body).await.assert_problem(422);
        assert!(problem["errors"]["Idempotency-Key"].is_string(), "{problem}");
        assert_eq!(total(&service, "/keys").await, 0);
    }
}
