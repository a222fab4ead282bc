//! Bodies: a JSON object of a bearable size under its own media type, or a refusal.

use harness::answer::Answer;
use harness::on_each_database;
use harness::service::Service;
use serde_json::json;

const JSON: &str = "application/json";

/// The start of a request that is sent byte by byte.
const HEAD: &str = "POST /users HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                    Content-Type: application/json\r\n";

/// The limit of a JSON body by default.
const MEBIBYTE: usize = 1 << 20;

/// Every call that takes a JSON body.
fn calls(user: i64, url: &serde_json::Value) -> [(&'static str, String); 5] {
    [
        ("POST", "/users".to_owned()),
        ("PUT", format!("/users/{user}")),
        ("POST", "/urls".to_owned()),
        ("PUT", format!("/urls/{}", url["id"])),
        ("POST", "/events".to_owned()),
    ]
}

async fn ask(
    service: &Service,
    method: &str,
    path: &str,
    media_type: Option<&str>,
    body: impl Into<Vec<u8>>,
) -> Answer {
    let mut request = service
        .request(method.parse().expect("a method"), path)
        .body(body.into());
    if let Some(media_type) = media_type {
        request = request.header("content-type", media_type);
    }
    service.send(request).await
}

/// A body for `POST /users` that is `size` bytes long, thanks to a key that is ignored.
fn user_of_size(size: usize) -> Vec<u8> {
    let start = r#"{"username":"ada","email":"ada@example.com","ballast":""#;
    let end = r#""}"#;
    let ballast = "x".repeat(size - start.len() - end.len());
    [start, &ballast, end].concat().into_bytes()
}

on_each_database! {
    async fn another_media_type_is_unsupported_on_every_call(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let body = json!({"username": "ada", "email": "ada@example.com", "title": "x"}).to_string();

        for (method, path) in calls(user, &url) {
            for media_type in [
                None,
                Some(""),
                Some("text/plain"),
                Some("application/x-www-form-urlencoded"),
                Some("multipart/form-data; boundary=x"),
                Some("application/xml"),
                Some("application/jsonp"),
                Some("application"),
                Some("json"),
                Some("*/*"),
            ] {
                let answer = ask(&service, method, &path, media_type, body.clone()).await;
                assert_eq!(
                    answer.status,
                    415,
                    "{method} {path} {media_type:?}: {}",
                    answer.text()
                );
                answer.assert_problem(415);
            }
        }
        assert_eq!(
            service.get("/users").await.json().as_array().map(Vec::len),
            Some(1)
        );
    }

    async fn json_is_known_by_its_name_however_it_is_written(service: Service) {
        for (turn, media_type) in [
            "application/json",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "Application/JSON",
        ]
        .iter()
        .enumerate()
        {
            let body =
                json!({"username": "ada", "email": format!("ada{turn}@example.com")}).to_string();
            let answer = ask(&service, "POST", "/users", Some(media_type), body).await;
            assert_eq!(answer.status, 201, "{media_type}: {}", answer.text());
        }
    }

    async fn an_empty_body_is_a_bad_request(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for (method, path) in calls(user, &url) {
            for body in ["", " ", "\n"] {
                let answer = ask(&service, method, &path, Some(JSON), body).await;
                assert_eq!(
                    answer.status,
                    400,
                    "{method} {path} {body:?}: {}",
                    answer.text()
                );
                answer.assert_problem(400);
            }
        }
    }

    async fn broken_json_is_a_bad_request(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let deep = "[".repeat(50_000);
        let deep_object = r#"{"a":"#.repeat(50_000);

        for (method, path) in calls(user, &url) {
            for body in [
                "{",
                "}",
                "{]",
                "[1",
                "{\"username\":",
                "{\"username\" \"ada\"}",
                "{\"username\":\"ada\",}",
                "{username:\"ada\"}",
                "{'username':'ada'}",
                "{\"title\":\"x\"} {\"title\":\"y\"}",
                "{\"title\":\"x\"}garbage",
                "{\"title\":NaN}",
                "{\"title\":01}",
                "{\"title\":\"\n\"}",
                "{\"title\":\"\\x\"}",
                "{\"title\":\"\\ud800\"}",
                "username=ada",
                "<user/>",
                "\u{0}",
                "\u{feff}{",
                "undefined",
                deep.as_str(),
                deep_object.as_str(),
            ] {
                let start = body.get(..30).unwrap_or(body);
                let answer = ask(&service, method, &path, Some(JSON), body).await;
                assert_eq!(
                    answer.status,
                    400,
                    "{method} {path} {start:?}: {}",
                    answer.text()
                );
                answer.assert_problem(400);
            }
            let answer = ask(
                &service,
                method,
                &path,
                Some(JSON),
                &b"{\"title\":\"\xff\xfe\"}"[..],
            )
            .await;
            assert_eq!(
                answer.status,
                400,
                "{method} {path}: text that is not UTF-8: {}",
                answer.text()
            );
        }
        assert_eq!(service.get("/health").await.status, 200);
    }

    async fn json_that_is_not_an_object_is_refused(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for (method, path) in calls(user, &url) {
            for body in [
                "null",
                "true",
                "false",
                "0",
                "-1.5e3",
                "\"\"",
                "\"username\"",
                "[]",
                "[{}]",
                "[\"ada\",\"ada@example.com\"]",
                "[[]]",
            ] {
                let answer = ask(&service, method, &path, Some(JSON), body).await;
                assert_eq!(
                    answer.status,
                    422,
                    "{method} {path} {body}: {}",
                    answer.text()
                );
                answer.assert_problem(422);
            }
        }
        assert_eq!(
            service.get("/users").await.json().as_array().map(Vec::len),
            Some(1)
        );
        assert_eq!(
            service.get("/events").await.json().as_array().map(Vec::len),
            Some(1)
        );
    }

    async fn an_object_with_nothing_to_change_is_refused(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for path in [format!("/users/{user}"), format!("/urls/{}", url["id"])] {
            for body in [
                json!({}),
                json!({"colour": "red"}),
                json!({"id": 7, "created_at": "2026-01-01T00:00:00Z"}),
                json!({"Title": "x", "USERNAME": "x"}),
            ] {
                service.put(&path, body).await.assert_problem(422);
            }
        }
        assert_eq!(
            service.get(&format!("/urls/{}", url["id"])).await.json(),
            url
        );
    }

    async fn a_body_of_a_mebibyte_is_borne(service: Service) {
        let answer = ask(
            &service,
            "POST",
            "/users",
            Some(JSON),
            user_of_size(MEBIBYTE),
        )
        .await;

        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    async fn a_body_above_a_mebibyte_is_too_large_on_every_call(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for (method, path) in calls(user, &url) {
            let answer = ask(
                &service,
                method,
                &path,
                Some(JSON),
                user_of_size(MEBIBYTE + 1),
            )
            .await;
            assert_eq!(answer.status, 413, "{method} {path}: {}", answer.text());
            answer.assert_problem(413);
        }
        assert_eq!(
            service.get("/users").await.json().as_array().map(Vec::len),
            Some(1)
        );
    }

    async fn a_body_that_hides_its_size_is_too_large_all_the_same(service: Service) {
        let body = user_of_size(MEBIBYTE + 1);
        let mut request = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
        for chunk in body.chunks(64 << 10) {
            request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            request.extend_from_slice(chunk);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");

        let answer = service.raw(&request).await;

        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
        assert_eq!(service.get("/users").await.json(), json!([]));
    }

    async fn a_body_that_says_it_is_too_large_is_not_waited_for(service: Service) {
        // Not one byte of the body is ever sent.
        let request = format!("{HEAD}Content-Length: 9999999999\r\n\r\n");

        let answer = service.raw(request.as_bytes()).await;

        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }

    async fn a_call_without_a_body_does_not_mind_one(service: Service) {
        let user = service.create_user().await;

        let answer = ask(
            &service,
            "GET",
            &format!("/users/{user}"),
            Some("text/plain"),
            "noise",
        )
        .await;
        assert_eq!(answer.status, 200);
        let answer = ask(
            &service,
            "DELETE",
            &format!("/users/{user}"),
            Some(JSON),
            "{",
        )
        .await;
        assert_eq!(answer.status, 204);
    }
}
