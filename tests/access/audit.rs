//! The audit log: who did what, when, from where, and what came of it.

use harness::{database::Database, on_each_database, service::Service};
use reqwest::Method;
use serde_json::{Value, json};

use crate::keyed::{self, ADMIN, Keyed, call, new_user, number};

/// The newest entry, without its id and its time.
async fn newest(keyed: &Keyed) -> Value {
    let mut entry = keyed.get(ADMIN, "/audit?per_page=1").await.json()[0].clone();
    let members = entry.as_object_mut().expect("an entry");
    let (id, time) = (members.remove("id"), members.remove("timestamp"));
    assert!(id.is_some_and(|id| id.is_i64()));
    assert!(time.is_some_and(|time| time.is_string()));
    entry
}

on_each_database! {
    async fn every_change_is_told_with_its_author_and_its_outcome(keyed: Keyed) {
        let user = keyed.user().await;
        let keys = keyed.get(ADMIN, "/keys").await.json();
        let key_id = number(&keys[0]["id"]);
        let made = keyed.post(&user.key, "/urls", json!({"user_id": user.id, "original_url": "https://example.com/"})).await;
        let url = number(&made.json()["id"]);
        let by_user = |method: &str, route: &str, object: Value, status: u16| json!({
            "actor": "key", "key_id": key_id, "user_id": user.id, "method": method, "route": route,
            "object_id": object, "client_address": "127.0.0.1", "status": status,
        });
        assert_eq!(newest(&keyed).await, by_user("POST", "/urls", json!(url), 201));

        let path = format!("/api/v1/urls/{url}");
        keyed.put(&user.key, &path, json!({"title": "t"})).await;
        assert_eq!(newest(&keyed).await, by_user("PUT", "/urls/{id}", json!(url), 200));
        keyed.put(&user.key, &path, json!({"title": 7})).await;
        assert_eq!(newest(&keyed).await, by_user("PUT", "/urls/{id}", json!(url), 422));
        keyed.delete(&user.key, "/urls/999999").await;
        assert_eq!(newest(&keyed).await, by_user("DELETE", "/urls/{id}", json!(999_999), 404));
        keyed.post(&user.key, "/keys", json!({})).await;
        assert_eq!(newest(&keyed).await, by_user("POST", "/keys", json!(null), 403));
        keyed.delete(&user.key, &path).await;
        assert_eq!(newest(&keyed).await, by_user("DELETE", "/urls/{id}", json!(url), 204));

        keyed.delete(ADMIN, &format!("/keys/{key_id}")).await;
        assert_eq!(newest(&keyed).await, json!({
            "actor": "admin_key_file", "key_id": null, "user_id": null, "method": "DELETE", "route": "/keys/{id}",
            "object_id": key_id, "client_address": "127.0.0.1", "status": 204,
        }));
    }

    async fn a_batch_is_told_with_each_url_that_it_has_changed(keyed: Keyed) {
        let user = keyed.user().await;
        let [one, other] = [keyed.url(user.id).await, keyed.url(user.id).await].map(|url| number(&url["id"]));
        let operations = json!([
            {"op": "update", "id": one, "url": {"title": "t"}},
            {"op": "delete", "id": 999_999},
            {"op": "delete", "id": other},
            {"op": "create", "url": {"user_id": user.id, "original_url": "https://example.com/"}},
        ]);
        let send = async || {
            let request = keyed.service.request(Method::POST, "/urls/batch").bearer_auth(&user.key);
            let request = request.header("idempotency-key", "batch");
            keyed.service.send(request.json(&json!({"operations": operations}))).await
        };
        let answer = send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let made = number(&answer.json()["results"][3]["url"]["id"]);
        let told = async |count: usize| {
            let log = keyed.get(ADMIN, &format!("/audit?per_page={count}")).await.json();
            let entries = log.as_array().unwrap().iter();
            entries.map(|entry| json!([entry["route"], entry["object_id"], entry["status"]])).collect::<Vec<_>>()
        };
        let of = |id: Value, status: u16| json!(["/urls/batch", id, status]);
        let expected = [of(json!(null), 200), of(json!(made), 201), of(json!(other), 204), of(json!(one), 200)];
        assert_eq!(told(4).await, expected);
        // What is sent again changes nothing.
        assert_eq!(send().await.header("idempotency-replayed"), Some("true"));
        assert_eq!(told(2).await, [of(json!(null), 200), of(json!(null), 200)]);
    }

    async fn reading_and_strangers_leave_no_entry(keyed: Keyed) {
        let user = keyed.user().await;
        let before = keyed.get(ADMIN, "/audit").await.json();
        keyed.get(&user.key, "/urls").await;
        keyed.get(&user.key, "/audit").await.assert_problem(403);
        keyed.post("", "/urls", json!({})).await.assert_problem(401);
        keyed.post("usk_nonsense", "/urls", json!({})).await.assert_problem(401);
        assert_eq!(keyed.get(ADMIN, "/audit").await.json(), before);
    }

    async fn entries_are_listed_newest_first_by_page_and_by_key(keyed: Keyed) {
        let user = keyed.user().await;
        for _ in 0..3 {
            keyed.post(&user.key, "/events", json!({})).await.assert_problem(422);
        }
        let log = keyed.get(ADMIN, "/audit").await;
        assert_eq!(log.header("x-total-count"), Some("5"));
        let routes: Vec<_> = log.json().as_array().unwrap().iter().map(|entry| entry["route"].clone()).collect();
        assert_eq!(routes, ["/events", "/events", "/events", "/keys", "/users"]);
        let key_id = log.json()[0]["key_id"].clone();
        let of_key = keyed.get(ADMIN, &format!("/audit?key_id={key_id}&per_page=2")).await;
        assert_eq!(of_key.header("x-total-count"), Some("3"));
        assert_eq!(of_key.json().as_array().unwrap().len(), 2);
    }

    async fn the_client_is_the_one_behind_a_trusted_proxy(database: Database) {
        let service = keyed::builder(&database)
            .env("SHORTENER_TRUSTED_PROXIES", "127.0.0.0/8")
            .start()
            .await;
        let request = service
            .request(Method::POST, "/users")
            .bearer_auth(ADMIN)
            .header("x-forwarded-for", "2001:db8::7")
            .json(&new_user());
        assert_eq!(service.send(request).await.status, 201);
        let keyed = Keyed { service, database };
        assert_eq!(newest(&keyed).await["client_address"], "2001:db8::7");
    }

    async fn without_keys_it_is_kept_too(database: Database) {
        let service = Service::start(&database).await;
        service.create_user().await;
        let log = service.get("/audit").await.json();
        assert_eq!(log[0]["actor"], "anyone", "{log}");
        assert_eq!(log[0]["route"], "/users");
    }

    async fn what_was_answered_before_sigterm_is_kept(database: Database) {
        let service = keyed::start(&database).await;
        for _ in 0..20 {
            assert_eq!(call(&service, ADMIN, Method::POST, "/users", Some(new_user())).await.status, 201);
        }
        assert_eq!(service.terminate().await.code, Some(0));
        assert_eq!(database.integer("select count(*) from audit_entry").await, 20);
    }

    async fn what_was_done_to_keys_is_kept_over_a_kill(keyed: Keyed) {
        keyed.key(json!({"name": "k", "scopes": ["admin"]})).await;
        keyed.service.kill().await;
        assert_eq!(keyed.database.integer("select count(*) from audit_entry").await, 1);
    }

    async fn old_entries_go(database: Database) {
        let service = keyed::start(&database).await;
        call(&service, ADMIN, Method::POST, "/users", Some(new_user())).await;
        call(&service, ADMIN, Method::POST, "/users", Some(new_user())).await;
        assert_eq!(service.terminate().await.code, Some(0));
        let long_ago = match database.backend() {
            harness::database::Backend::Sqlite => "update audit_entry set occurred_at = 0 where id = 1",
            _ => "update audit_entry set occurred_at = '1970-01-01' where id = 1",
        };
        database.execute(long_ago).await;

        let count = "select count(*) from audit_entry";
        let service = keyed::builder(&database).env("SHORTENER_AUDIT_RETENTION_DAYS", "0").start().await;
        assert_eq!(service.terminate().await.code, Some(0));
        assert_eq!(database.integer(count).await, 2, "0 is for ever");
        let _service = keyed::start(&database).await;
        harness::eventually::holds("the old entry goes", std::time::Duration::from_secs(10), async || {
            database.integer(count).await == 1
        })
        .await;
    }
}
