//! A service that asks for keys, with an admin who has one, and users who have theirs.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use harness::{
    answer::Answer,
    database::{Backend, Database},
    service::{Service, ServiceBuilder},
};
use reqwest::Method;
use serde_json::{Value, json};

/// The admin's key in these tests.
pub(crate) const ADMIN: &str = "the admin's key of these tests, long enough";

/// A running service that asks for keys.
#[derive(Debug)]
pub(crate) struct Keyed {
    pub(crate) service: Service,
    /// Dropped last.
    pub(crate) database: Database,
}

/// A user, and a key of theirs.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) key: String,
}

impl Keyed {
    pub(crate) async fn fresh(backend: Backend) -> Self {
        let database = Database::fresh(backend).await;
        let service = start(&database).await;
        Self { service, database }
    }

    pub(crate) async fn get(&self, key: &str, path: &str) -> Answer {
        self.call(key, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, key: &str, path: &str, body: Value) -> Answer {
        self.call(key, Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, key: &str, path: &str, body: Value) -> Answer {
        self.call(key, Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, key: &str, path: &str) -> Answer {
        self.call(key, Method::DELETE, path, None).await
    }

    async fn call(&self, key: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        call(&self.service, key, method, path, body).await
    }

    /// A new user with a key for everything that a user may do.
    pub(crate) async fn user(&self) -> User {
        let id = self.user_without_key().await;
        let key = self.key(json!({"name": "a user's", "user_id": id})).await;
        User {
            id,
            key: text(&key["key"]),
        }
    }

    pub(crate) async fn user_without_key(&self) -> i64 {
        id(&self.post(ADMIN, "/users", new_user()).await)
    }

    /// Makes a key; the answer has it.
    pub(crate) async fn key(&self, body: Value) -> Value {
        let answer = self.post(ADMIN, "/keys", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    /// A new URL of `user_id`.
    pub(crate) async fn url(&self, user_id: i64) -> Value {
        let url = json!({"user_id": user_id, "original_url": "https://example.com/"});
        let answer = self.post(ADMIN, "/urls", url).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }
}

/// Starts another service on `database` with the same admin.
pub(crate) async fn start(database: &Database) -> Service {
    builder(database).start().await
}

pub(crate) fn builder(database: &Database) -> ServiceBuilder<'_> {
    let file = admin_key_file(database, ADMIN);
    Service::builder(database)
        .env("SHORTENER_AUTH", "keys")
        .env("SHORTENER_ADMIN_KEY_FILE", file.display().to_string())
}

/// A file that holds `key`.
pub(crate) fn admin_key_file(database: &Database, key: &str) -> PathBuf {
    let file = database.dir().join("the-admins-key");
    fs::write(&file, format!("{key}\n")).expect("the folder is ours");
    file
}

/// Calls `service` with `key`; with none, if it is empty.
pub(crate) async fn call(
    service: &Service,
    key: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let mut request = service.request(method, path);
    if !key.is_empty() {
        request = request.bearer_auth(key);
    }
    if let Some(body) = &body {
        request = request.json(body);
    }
    service.send(request).await
}

/// A user that no other test has.
pub(crate) fn new_user() -> Value {
    let number = next();
    json!({"username": format!("user{number}"), "email": format!("keyed{number}@example.com")})
}

/// A number that was not given out before.
pub(crate) fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[track_caller]
pub(crate) fn id(answer: &Answer) -> i64 {
    assert_eq!(answer.status, 201, "{answer:?}");
    number(&answer.json()["id"])
}

#[track_caller]
pub(crate) fn number(value: &Value) -> i64 {
    value
        .as_i64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}
