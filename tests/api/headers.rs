//! Headers that every answer carries, whatever it answers.

use std::collections::HashSet;

use harness::answer::Answer;
use harness::on_each_database;
use harness::service::Service;
use reqwest::Method;
use serde_json::json;

/// One answer of each kind, with what was asked.
async fn one_of_each(service: &Service) -> Vec<(&'static str, Answer)> {
    let user = service.create_user().await;
    let url = service.create_url(user, "https://example.com/").await;
    let code = format!("/{}", url["short_code"].as_str().expect("a code"));
    let other_way = format!("/urls{code}/redirect");
    let user = format!("/users/{user}");
    let ada = json!({"username": "ada", "email": "ada@example.com"});
    let ask = |method, path: &str| service.request(method, path);
    let json = "application/json";

    let mut answers = Vec::new();
    for (what, request) in [
        ("home", ask(Method::GET, "/")),
        ("health", ask(Method::GET, "/health")),
        ("list", ask(Method::GET, "/users")),
        ("created", ask(Method::POST, "/users").json(&ada)),
        ("conflict", ask(Method::POST, "/users").json(&ada)),
        ("redirect", ask(Method::GET, &code)),
        ("cached redirect", ask(Method::GET, &code)),
        ("HEAD of a redirect", ask(Method::HEAD, &code)),
        ("the other redirect", ask(Method::GET, &other_way)),
        ("bad query", ask(Method::GET, "/users?page=0")),
        ("bad fields", ask(Method::POST, "/users").json(&json!({}))),
        ("unknown user", ask(Method::GET, "/users/999999")),
        ("unknown code", ask(Method::GET, "/nobody")),
        ("unknown code again", ask(Method::GET, "/nobody")),
        (
            "dead link",
            ask(Method::GET, "/nobody").header("accept", "text/html"),
        ),
        ("unknown route", ask(Method::GET, "/no/such/route")),
        ("wrong method", ask(Method::PATCH, "/users")),
        ("wrong method on a code", ask(Method::POST, &code)),
        ("wrong media type", ask(Method::POST, "/users").body("x")),
        (
            "broken JSON",
            ask(Method::POST, "/users")
                .header("content-type", json)
                .body("{"),
        ),
        ("no upload", ask(Method::POST, "/users/bulk").body("x")),
        ("deleted", ask(Method::DELETE, &user)),
    ] {
        answers.push((what, service.send(request).await));
    }
    answers
}

on_each_database! {
    async fn no_browser_may_guess_another_media_type(service: Service) {
        for (what, answer) in one_of_each(&service).await {
            assert_eq!(
                answer.header("x-content-type-options"),
                Some("nosniff"),
                "{what}"
            );
        }
    }

    async fn every_request_gets_an_id_of_its_own(service: Service) {
        let mut seen = HashSet::new();
        // A redirect from memory is not logged, so a name would name nothing.
        let from_memory = ["cached redirect", "HEAD of a redirect"];
        let answers = one_of_each(&service).await;
        let answers = answers.iter().filter(|(what, _)| !from_memory.contains(what));
        for (what, answer) in answers {
            let id = answer
                .header("x-request-id")
                .unwrap_or_else(|| panic!("{what} has no request id"))
                .to_owned();
            assert!(
                (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()),
                "{what}: {id:?}"
            );
            assert!(seen.insert(id), "{what} has the id of another request");
        }
    }

    async fn an_id_that_the_client_chose_is_kept(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let longest = "x".repeat(128);

        for path in [
            "/users".to_owned(),
            "/users/999999".to_owned(),
            format!("/{}", url["short_code"].as_str().expect("a code")),
            "/nobody".to_owned(),
            "/no/such/route".to_owned(),
        ] {
            for id in [
                "1",
                "0af7651916cd43dd8448eb211c80319c",
                "!~;,=\"<>",
                longest.as_str(),
            ] {
                let request = service
                    .request(Method::GET, &path)
                    .header("x-request-id", id);
                let answer = service.send(request).await;
                assert_eq!(answer.header("x-request-id"), Some(id), "{path}");
            }
        }
    }

    async fn an_id_that_would_litter_the_log_is_replaced(service: Service) {
        let too_long = "x".repeat(129);
        for id in ["", "two words", "tab\there", "ünï", too_long.as_str()] {
            for path in ["/users", "/nobody"] {
                let request = service
                    .request(Method::GET, path)
                    .header("x-request-id", id.as_bytes());
                let answer = service.send(request).await;
                let given = answer.header("x-request-id").expect("a request id");
                assert_ne!(given, id);
                assert!(
                    (1..=128).contains(&given.len())
                        && given.bytes().all(|byte| byte.is_ascii_graphic()),
                    "{given:?}"
                );
            }
        }
    }

    async fn json_is_answered_as_json(service: Service) {
        let user = service.create_user().await;
        for path in [
            "/health".to_owned(),
            "/users".to_owned(),
            format!("/users/{user}"),
            "/urls".to_owned(),
            "/events".to_owned(),
        ] {
            let answer = service.get(&path).await;
            assert!(
                answer
                    .header("content-type")
                    .is_some_and(|value| value.starts_with("application/json")),
                "{path}: {:?}",
                answer.headers
            );
        }
    }

    async fn an_answer_does_not_boast_about_its_server(service: Service) {
        for (what, answer) in one_of_each(&service).await {
            assert_eq!(answer.header("x-powered-by"), None, "{what}");
            let server = answer.header("server").unwrap_or_default();
            assert!(
                !server.contains(|character: char| character.is_ascii_digit()),
                "{what} tells a version: {server}"
            );
        }
    }

    async fn what_was_made_is_read_where_its_answer_says(service: Service) {
        let user = service.create_user().await;
        for prefix in ["", "/api/v1"] {
            let email = format!("ada{}@example.com", prefix.len());
            for (path, body) in [
                ("/users", json!({"username": "ada", "email": email})),
                ("/urls", json!({"user_id": user, "original_url": "https://example.com/"})),
            ] {
                let path = format!("{prefix}{path}");
                let made = service.post(&format!("{path}?a=b"), body).await;
                assert_eq!(made.status, 201, "{made:?}");
                let location = made.header("location").expect("somewhere").to_owned();
                assert_eq!(location, format!("{path}/{}", made.json()["id"]));
                assert_eq!(service.get(&location).await.json(), made.json());
            }
        }
    }
}
