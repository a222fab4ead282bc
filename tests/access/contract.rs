//! The contract's calls with an admin's key: the same answers as without one where none is asked for.

use harness::{database::Database, on_each_database, service::Service};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::keyed::{self, ADMIN};

/// A call, its body, and what is asked of the answer.
struct Call(Method, &'static str, Option<Value>, u16);

/// From an empty database on, in this order.
fn calls() -> Vec<Call> {
    use reqwest::Method as M;
    vec![
        Call(M::GET, "/health", None, 200),
        Call(
            M::POST,
            "/users",
            Some(json!({"username": "ada", "email": "ada@example.com"})),
            201,
        ),
        Call(
            M::POST,
            "/users",
            Some(json!({"username": "ada", "email": "ada@example.com"})),
            409,
        ),
        Call(
            M::POST,
            "/users",
            Some(json!({"username": 7, "email": "x"})),
            422,
        ),
        Call(M::GET, "/users", None, 200),
        Call(M::GET, "/users/1", None, 200),
        Call(M::GET, "/users/7", None, 404),
        Call(
            M::PUT,
            "/users/1",
            Some(json!({"username": "countess"})),
            200,
        ),
        Call(
            M::POST,
            "/urls",
            Some(
                json!({"user_id": 1, "original_url": "https://example.com/", "title": "t", "short_code": "launch"}),
            ),
            201,
        ),
        Call(
            M::POST,
            "/urls",
            Some(
                json!({"user_id": 1, "original_url": "https://example.com/", "short_code": "launch"}),
            ),
            409,
        ),
        Call(
            M::POST,
            "/urls",
            Some(json!({"user_id": 7, "original_url": "https://example.com/"})),
            404,
        ),
        Call(M::POST, "/urls", Some(json!("text")), 422),
        Call(M::GET, "/urls?user_id=1&is_active=true", None, 200),
        Call(M::GET, "/urls/1", None, 200),
        Call(M::GET, "/launch", None, 302),
        Call(M::GET, "/urls/launch/redirect", None, 302),
        Call(M::HEAD, "/launch", None, 302),
        Call(M::GET, "/events?event_type=click", None, 200),
        Call(M::PUT, "/urls/1", Some(json!({"is_active": false})), 200),
        Call(M::GET, "/launch", None, 404),
        Call(
            M::POST,
            "/events",
            Some(json!({"event_type": "seen", "url_id": 1, "user_id": 1, "details": {"a": 1}})),
            201,
        ),
        Call(
            M::POST,
            "/events",
            Some(json!({"event_type": "seen", "url_id": 1, "user_id": 1, "details": "x"})),
            422,
        ),
        Call(M::GET, "/events?url_id=1&per_page=2", None, 200),
        Call(M::GET, "/users?page=abc", None, 422),
        Call(M::GET, "/nothing/here", None, 404),
        Call(M::DELETE, "/users", None, 405),
        Call(M::PATCH, "/health", None, 405),
        Call(M::DELETE, "/urls/1", None, 204),
        Call(M::GET, "/urls/1", None, 404),
        Call(M::DELETE, "/users/1", None, 204),
        Call(M::GET, "/users/1", None, 404),
    ]
}

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
    for Call(method, path, body, expected) in calls() {
        let mut request = service.request(method.clone(), path);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = &body {
            request = request.json(body);
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
