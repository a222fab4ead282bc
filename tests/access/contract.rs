//! The contract's calls with an admin's key: the same answers as without one where none is asked for.

use harness::{database::Database, on_each_database, service::Service};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::keyed::{self, ADMIN};

/// The calls, from an empty database on, in this order: method, path, status, and the body if there is one.
#[rustfmt::skip]
const CALLS: [(&str, &str, u16, &str); 31] = [
    ("GET", "/health", 200, ""),
    ("POST", "/users", 201, r#"{"username": "ada", "email": "ada@example.com"}"#),
    ("POST", "/users", 409, r#"{"username": "ada", "email": "ada@example.com"}"#),
    ("POST", "/users", 422, r#"{"username": 7, "email": "x"}"#),
    ("GET", "/users", 200, ""),
    ("GET", "/users/1", 200, ""),
    ("GET", "/users/7", 404, ""),
    ("PUT", "/users/1", 200, r#"{"username": "countess"}"#),
    ("POST", "/urls", 201, r#"{"user_id": 1, "original_url": "https://example.com/", "title": "t", "short_code": "launch"}"#),
    ("POST", "/urls", 409, r#"{"user_id": 1, "original_url": "https://example.com/", "short_code": "launch"}"#),
    ("POST", "/urls", 404, r#"{"user_id": 7, "original_url": "https://example.com/"}"#),
    ("POST", "/urls", 422, r#""text""#),
    ("GET", "/urls?user_id=1&is_active=true", 200, ""),
    ("GET", "/urls/1", 200, ""),
    ("GET", "/launch", 302, ""),
    ("GET", "/urls/launch/redirect", 302, ""),
    ("HEAD", "/launch", 302, ""),
    ("GET", "/events?event_type=click", 200, ""),
    ("PUT", "/urls/1", 200, r#"{"is_active": false}"#),
    ("GET", "/launch", 404, ""),
    ("POST", "/events", 201, r#"{"event_type": "seen", "url_id": 1, "user_id": 1, "details": {"a": 1}}"#),
    ("POST", "/events", 422, r#"{"event_type": "seen", "url_id": 1, "user_id": 1, "details": "x"}"#),
    ("GET", "/events?url_id=1&per_page=2", 200, ""),
    ("GET", "/users?page=abc", 422, ""),
    ("GET", "/nothing/here", 404, ""),
    ("DELETE", "/users", 405, ""),
    ("PATCH", "/health", 405, ""),
    ("DELETE", "/urls/1", 204, ""),
    ("GET", "/urls/1", 404, ""),
    ("DELETE", "/users/1", 204, ""),
    ("GET", "/users/1", 404, ""),
];

/// What two services have in common: all but times and ports.
fn timeless(mut value: Value) -> Value {
    match &mut value {
        Value::Array(values) => {
            for value in values {
                *value = timeless(value.take());
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                *value = match name.as_str() {
                    "created_at" | "updated_at" | "timestamp" => json!("a time"),
                    _ => timeless(value.take()),
                };
            }
        }
        _ => {}
    }
    value
}

async fn play(service: &Service, key: Option<&str>) -> Vec<String> {
    let mut played = Vec::new();
    for (method, path, expected, body) in CALLS {
        let mut request = service.request(method.parse().expect("a method"), path);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if !body.is_empty() {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let answer = service.send(request).await;
        assert_eq!(answer.status, expected, "{method} {path}: {answer:?}");
        let body = serde_json::from_slice(&answer.body).map_or(Value::Null, timeless);
        let location = answer.header("location").unwrap_or_default();
        played.push(format!(
            "{method} {path} {} {location} {body}",
            answer.status
        ));
    }
    for (path, file, records) in [
        (
            "/users/bulk",
            "id,username,email,created_at\n5,u,u@example.com,2026-01-31 23:59:59\n",
            1,
        ),
        (
            "/urls/bulk",
            "id,user_id,short_code,original_url,title,is_active,created_at,updated_at\n9,5,abc123,https://example.com/,t,True,2026-01-31 23:59:59,2026-01-31 23:59:59\n",
            1,
        ),
        (
            "/events/bulk",
            "id,url_id,user_id,event_type,timestamp,details\n99,9,5,created,2026-01-31 23:59:59,{}\n",
            1,
        ),
    ] {
        let part = Part::bytes(file.as_bytes()).file_name("data.csv");
        let mut request = service
            .request(Method::POST, path)
            .multipart(Form::new().part("file", part));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = service.send(request).await;
        assert_eq!(answer.status, 201, "{path}: {answer:?}");
        assert_eq!(answer.json()["imported"], records);
    }
    played
}

on_each_database! {
    async fn the_contract_holds_with_an_admins_key_as_it_does_without(database: Database) {
        let open = Database::fresh(database.backend()).await;
        let open = Service::start(&open).await;
        let keyed = keyed::start(&database).await;
        assert_eq!(play(&keyed, Some(ADMIN)).await, play(&open, None).await);
    }

    async fn the_contract_holds_where_a_key_is_sent_and_nobody_asks(database: Database) {
        let service = Service::start(&database).await;
        play(&service, Some(ADMIN)).await;
    }
}
