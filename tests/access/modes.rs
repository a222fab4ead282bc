//! `SHORTENER_AUTH`: when keys are asked for.

use harness::{
    database::{Backend, Database},
    on_each_database,
    service::{Service, ServiceBuilder},
};
use reqwest::Method;
use serde_json::json;

use crate::keyed::{ADMIN, Keyed, admin_key_file, call, text};

fn with_auth<'a>(database: &'a Database, auth: &str) -> ServiceBuilder<'a> {
    let file = admin_key_file(database, ADMIN).display().to_string();
    Service::builder(database)
        .env("SHORTENER_AUTH", auth)
        .env("SHORTENER_ADMIN_KEY_FILE", file)
}

async fn sqlite() -> Database {
    Database::fresh(Backend::Sqlite).await
}

#[tokio::test]
async fn on_loopback_auto_asks_for_no_key_but_keeps_to_this_machine() {
    let database = sqlite().await;
    let service = with_auth(&database, "auto").start().await;

    assert_eq!(service.get("/api/v1/users").await.status, 200);
    let forwarded = service
        .request(Method::GET, "/users")
        .header("x-forwarded-for", "203.0.113.9");
    service.send(forwarded).await.assert_problem(403);
    // A key opens nothing: whoever needs one has come from elsewhere.
    let with_key = service
        .request(Method::GET, "/users")
        .header("host", "go.example.com")
        .bearer_auth(ADMIN);
    service.send(with_key).await.assert_problem(403);
}

#[tokio::test]
async fn beyond_loopback_auto_asks_for_keys() {
    for flag in ["--listen", "--management-listen"] {
        let database = sqlite().await;
        let service = with_auth(&database, "auto").arg(format!("{flag}=0.0.0.0:0"));
        let service = service.start().await;
        service.get("/users").await.assert_problem(401);
        let answer = call(&service, ADMIN, Method::GET, "/users", None).await;
        assert_eq!(answer.status, 200, "{flag}: {answer:?}");
    }
}

#[tokio::test]
async fn off_asks_nobody_and_reads_no_key() {
    let database = sqlite().await;
    let service = with_auth(&database, "off")
        .arg("--listen=0.0.0.0:0")
        .start()
        .await;
    for key in ["", ADMIN, "nonsense"] {
        let answer = call(&service, key, Method::GET, "/keys", None).await;
        assert_eq!(answer.status, 200, "{key:?}: {answer:?}");
    }
}

#[tokio::test]
async fn keys_asks_on_loopback_too() {
    let database = sqlite().await;
    let service = with_auth(&database, "keys").start().await;
    service.get("/users").await.assert_problem(401);
    // Through a proxy, or under another name, is fine: the key says who it is.
    let request = service
        .request(Method::GET, "/users")
        .header("x-forwarded-for", "203.0.113.9")
        .header("host", "go.example.com")
        .bearer_auth(ADMIN);
    assert_eq!(service.send(request).await.status, 200);
}

#[tokio::test]
async fn a_mode_that_nobody_knows_stops_the_start() {
    let database = sqlite().await;
    let failure = Service::builder(&database)
        .env("SHORTENER_AUTH", "maybe")
        .try_start()
        .await
        .expect_err("it does not start");
    assert!(failure.stderr.contains("maybe"), "{failure:?}");
}

on_each_database! {
    async fn what_is_no_key_is_told_apart_from_a_wrong_one(keyed: Keyed) {
        for (value, error) in [
            (None, ""),
            (Some(""), ""),
            (Some("Bearer"), ""),
            (Some("Basic dXNlcjpwYXNz"), ""),
            (Some(ADMIN), ""),
            (Some("Bearer usk_nonsense"), "invalid_token"),
            (Some("Bearer \u{fc}"), "invalid_token"),
        ] {
            let mut request = keyed.service.request(Method::GET, "/urls");
            if let Some(value) = value {
                request = request.header("authorization", value);
            }
            let answer = keyed.service.send(request).await;
            answer.assert_problem(401);
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer realm="), "{challenge}");
            assert_eq!(challenge.contains("error="), !error.is_empty(), "{value:?}: {challenge}");
            assert!(challenge.contains(error), "{value:?}: {challenge}");
        }
        for value in ["Bearer ", "bearer ", "BEARER   "] {
            let request = keyed.service.request(Method::GET, "/urls");
            let request = request.header("authorization", format!("{value}{ADMIN}"));
            assert_eq!(keyed.service.send(request).await.status, 200, "{value:?}");
        }
    }

    async fn what_is_wrong_with_a_key_is_told_to_its_holder(keyed: Keyed) {
        let user = keyed.user_without_key().await;
        let key = keyed.key(json!({"name": "k", "user_id": user})).await;
        assert_eq!(keyed.get(&text(&key["key"]), "/urls").await.status, 200);
        let answer = keyed.delete(ADMIN, &format!("/keys/{}", key["id"])).await;
        assert_eq!(answer.status, 204);
        let problem = keyed.get(&text(&key["key"]), "/urls").await.assert_problem(401);
        assert!(text(&problem["detail"]).contains("revoked"), "{problem}");
    }

    async fn a_refused_body_is_not_waited_for(keyed: Keyed) {
        let head = "POST /urls HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
        let answer = keyed.service.raw(head.as_bytes()).await;
        assert!(answer.starts_with(b"HTTP/1.1 401 "), "{}", String::from_utf8_lossy(&answer));
    }
}
