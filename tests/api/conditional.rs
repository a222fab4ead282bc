//! Tags and conditions: nobody overwrites what somebody else changed meanwhile, and nobody reads again what they have.

use std::sync::Arc;

use harness::{answer::Answer, on_each_database, service::Service};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How many edit at the same time.
const CROWD: usize = 20;

/// A request with a condition in `header`.
async fn ask(
    service: &Service,
    method: Method,
    path: &str,
    (header, value): (&str, &str),
    body: Option<Value>,
) -> Answer {
    let mut request = service.request(method, path).header(header, value);
    if let Some(body) = &body {
        request = request.json(body);
    }
    service.send(request).await
}

fn tag(answer: &Answer) -> String {
    let tag = answer.header("etag");
    tag.unwrap_or_else(|| panic!("no tag: {answer:?}"))
        .to_owned()
}

/// A new URL and a new user: path, and a change of it.
async fn things(service: &Service) -> [(String, Value); 2] {
    let user = service.create_user().await;
    let url = service.create_url(user, "https://example.com/").await;
    [
        (format!("/urls/{}", url["id"]), json!({"title": "changed"})),
        (format!("/users/{user}"), json!({"username": "changed"})),
    ]
}

on_each_database! {
    async fn every_answer_about_one_thing_has_the_tag_of_its_version(service: Service) {
        let body = json!({"username": "ada", "email": "ada@example.com"});
        let user = service.post("/users", body).await;
        assert_eq!((user.status, tag(&user)), (201, "\"1\"".to_owned()));
        let body = json!({"user_id": user.json()["id"], "original_url": "https://example.com/"});
        let url = service.post("/urls", body).await;
        assert_eq!((url.status, tag(&url)), (201, "\"1\"".to_owned()));

        for (path, change) in things(&service).await {
            assert_eq!(tag(&service.get(&path).await), "\"1\"", "{path}");
            assert_eq!(tag(&service.head(&path).await), "\"1\"", "{path}");
            let changed = service.put(&path, change).await;
            assert_eq!((changed.status, tag(&changed)), (200, "\"2\"".to_owned()), "{path}");
            assert_eq!(tag(&service.get(&path).await), "\"2\"", "{path}");
        }
    }

    async fn what_a_reader_has_already_is_not_sent_again(service: Service) {
        for (path, change) in things(&service).await {
            for known in ["\"1\"", "W/\"1\"", "\"0\", \"1\"", "*"] {
                let answer = ask(&service, Method::GET, &path, ("if-none-match", known), None).await;
                assert_eq!((answer.status, answer.body.len()), (304, 0), "{path} {known}");
                assert_eq!(tag(&answer), "\"1\"", "{path} {known}");
            }
            let other = ask(&service, Method::GET, &path, ("if-none-match", "\"7\""), None).await;
            assert_eq!(other.status, 200, "{path}");

            assert_eq!(service.put(&path, change).await.status, 200);
            let answer = ask(&service, Method::GET, &path, ("if-none-match", "\"1\""), None).await;
            assert_eq!((answer.status, tag(&answer)), (200, "\"2\"".to_owned()), "{path}");
        }
    }

    async fn a_change_of_another_version_is_refused_and_changes_nothing(service: Service) {
        for (path, change) in things(&service).await {
            let before = service.get(&path).await.json();
            for (header, value) in [
                ("if-match", "\"2\""),
                ("if-match", "W/\"1\""),
                ("if-match", "\"0\", \"2\""),
                ("if-none-match", "*"),
                ("if-none-match", "\"1\""),
            ] {
                for method in [Method::PUT, Method::DELETE] {
                    let body = (method == Method::PUT).then(|| change.clone());
                    let answer = ask(&service, method, &path, (header, value), body).await;
                    answer.assert_problem(412);
                    assert_eq!(tag(&answer), "\"1\"", "{path} {header}: {value}");
                }
            }
            assert_eq!(service.get(&path).await.json(), before);
        }
    }

    async fn a_change_of_the_version_that_was_read_is_made(service: Service) {
        for (path, change) in things(&service).await {
            for (version, value) in [(2, "\"1\""), (3, "*"), (4, "\"7\", \"3\"")] {
                let answer = ask(&service, Method::PUT, &path, ("if-match", value), Some(change.clone())).await;
                assert_eq!(answer.status, 200, "{path} {value}: {}", answer.text());
                assert_eq!(tag(&answer), format!("\"{version}\""));
            }
            let answer = ask(&service, Method::DELETE, &path, ("if-match", "\"4\""), None).await;
            assert_eq!(answer.status, 204, "{path}: {}", answer.text());
        }
    }

    async fn a_condition_on_what_is_not_there_finds_nothing(service: Service) {
        for path in ["/urls/999999", "/users/999999"] {
            for header in ["if-match", "if-none-match"] {
                for method in [Method::GET, Method::DELETE] {
                    ask(&service, method, path, (header, "*"), None).await.assert_problem(404);
                }
            }
        }
    }

    async fn a_condition_that_nobody_can_read_is_refused(service: Service) {
        for (path, change) in things(&service).await {
            for (header, name) in [("if-match", "If-Match"), ("if-none-match", "If-None-Match")] {
                for value in ["1", "\"1", "\"1\" \"2\"", ","] {
                    let answer = ask(&service, Method::PUT, &path, (header, value), Some(change.clone())).await;
                    let problem = answer.assert_problem(422);
                    assert!(problem["errors"][name].is_string(), "{problem}");
                }
            }
        }
    }

    async fn of_many_who_change_one_version_one_does(service: Service) {
        let service = Arc::new(service);
        for (path, change) in things(&service).await {
            let mut crowd = JoinSet::new();
            for _ in 0..CROWD {
                let (service, path, change) = (Arc::clone(&service), path.clone(), change.clone());
                crowd.spawn(async move {
                    ask(&service, Method::PUT, &path, ("if-match", "\"1\""), Some(change)).await
                });
            }
            let answers = crowd.join_all().await;
            let count = |status| answers.iter().filter(|answer| answer.status == status).count();
            assert_eq!((count(200), count(412)), (1, CROWD - 1), "{path}");
            assert_eq!(tag(&service.get(&path).await), "\"2\"", "{path}");
        }
    }
}
