//! `/keys`: what an admin can do with keys, and what is kept of them.

use std::time::Duration;

use harness::{eventually, on_each_database};
use serde_json::json;

use crate::keyed::{ADMIN, Keyed, number, text};

const SOON: Duration = Duration::from_secs(10);

on_each_database! {
    async fn a_key_is_shown_once(keyed: Keyed) {
        let user = keyed.user_without_key().await;
        let answer = keyed.post(ADMIN, "/keys", json!({"name": "ci", "user_id": user})).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let made = answer.json();
        let key = text(&made["key"]);
        assert!(key.starts_with("usk_") && key.len() == 47, "{key}");
        assert_eq!(made["prefix"], key[..10]);
        assert_eq!(made["scopes"], json!(["read", "write", "statistics"]));
        assert_eq!(made["user_id"], user);
        for member in ["expires_at", "last_used_at", "revoked_at"] {
            assert!(made[member].is_null(), "{made}");
        }

        let list = keyed.get(ADMIN, "/keys").await.json();
        let mut listed = made.clone();
        listed.as_object_mut().unwrap().remove("key");
        assert_eq!(list, json!([listed]));
    }

    async fn of_a_key_a_hash_is_kept_and_nothing_else(keyed: Keyed) {
        let user = keyed.user().await;
        let sql = match keyed.database.backend() {
            harness::database::Backend::Sqlite => "select lower(hex(hash)) from api_key",
            _ => "select encode(hash, 'hex') from api_key",
        };
        let hashes = keyed.database.texts(sql).await;
        assert_eq!(hashes.len(), 1);
        assert_eq!(hashes[0].len(), 64, "32 bytes");
        let kept = "select prefix || name || scopes from api_key";
        let kept = keyed.database.texts(kept).await.concat();
        assert!(!kept.contains(&user.key[10..]), "{kept}");
        assert!(!kept.contains(ADMIN), "the admin's key from the file is not stored at all");
    }

    async fn what_is_no_key_is_refused_by_its_field(keyed: Keyed) {
        let user = keyed.user_without_key().await;
        for (body, field) in [
            (json!({"user_id": user}), "name"),
            (json!({"name": " ", "user_id": user}), "name"),
            (json!({"name": "x".repeat(101), "user_id": user}), "name"),
            (json!({"name": "k", "user_id": "1"}), "user_id"),
            (json!({"name": "k"}), "scopes"),
            (json!({"name": "k", "scopes": ["read"]}), "scopes"),
            (json!({"name": "k", "user_id": user, "scopes": ["admin"]}), "scopes"),
            (json!({"name": "k", "user_id": user, "scopes": []}), "scopes"),
            (json!({"name": "k", "user_id": user, "scopes": ["fly"]}), "scopes"),
            (json!({"name": "k", "user_id": user, "scopes": "read"}), "scopes"),
            (json!({"name": "k", "user_id": user, "scopes": [1]}), "scopes"),
            (json!({"name": "k", "user_id": user, "expires_at": "2020-01-01T00:00:00Z"}), "expires_at"),
            (json!({"name": "k", "user_id": user, "expires_at": "tomorrow"}), "expires_at"),
        ] {
            let problem = keyed.post(ADMIN, "/keys", body.clone()).await.assert_problem(422);
            assert!(problem["errors"][field].is_string(), "{body}: {problem}");
        }
        let of_nobody = json!({"name": "k", "user_id": 999_999});
        keyed.post(ADMIN, "/keys", of_nobody).await.assert_problem(404);
        assert_eq!(keyed.get(ADMIN, "/keys").await.json(), json!([]));
    }

    async fn keys_are_listed_by_page_and_by_user(keyed: Keyed) {
        let (ada, bob) = (keyed.user_without_key().await, keyed.user_without_key().await);
        for user in [ada, ada, bob] {
            keyed.key(json!({"name": "k", "user_id": user})).await;
        }
        keyed.key(json!({"name": "root", "scopes": ["admin"]})).await;
        let page = keyed.get(ADMIN, "/keys?per_page=3").await;
        assert_eq!(page.json().as_array().unwrap().len(), 3);
        assert_eq!(page.header("x-total-count"), Some("4"));
        assert!(page.header("link").unwrap().contains("rel=\"next\""));
        let of_ada = keyed.get(ADMIN, &format!("/keys?user_id={ada}")).await.json();
        assert_eq!(of_ada.as_array().unwrap().len(), 2);
        assert!(of_ada.as_array().unwrap().iter().all(|key| key["user_id"] == ada));
    }

    async fn another_admins_key_may_do_everything(keyed: Keyed) {
        let key = keyed.key(json!({"name": "root", "scopes": ["admin"]})).await;
        assert!(key["user_id"].is_null());
        let key = text(&key["key"]);
        for path in ["/users", "/urls", "/events", "/stats", "/keys", "/audit"] {
            assert_eq!(keyed.get(&key, path).await.status, 200, "{path}");
        }
    }

    async fn a_revoked_key_stays_listed_and_is_revoked_once(keyed: Keyed) {
        let user = keyed.user_without_key().await;
        let key = keyed.key(json!({"name": "k", "user_id": user})).await;
        let path = format!("/keys/{}", key["id"]);
        assert_eq!(keyed.delete(ADMIN, &path).await.status, 204);
        keyed.delete(ADMIN, &path).await.assert_problem(404);
        keyed.delete(ADMIN, "/keys/999999").await.assert_problem(404);
        let list = keyed.get(ADMIN, "/keys").await.json();
        assert!(list[0]["revoked_at"].is_string(), "{list}");
        keyed.get(&text(&key["key"]), "/urls").await.assert_problem(401);
    }

    async fn a_key_expires(keyed: Keyed) {
        let user = keyed.user_without_key().await;
        let soon = chrono::DateTime::from(std::time::SystemTime::now() + Duration::from_secs(2));
        let soon: chrono::DateTime<chrono::Utc> = soon;
        let key = keyed.key(json!({"name": "k", "user_id": user, "expires_at": soon.to_rfc3339()})).await;
        let key = text(&key["key"]);
        assert_eq!(keyed.get(&key, "/urls").await.status, 200);
        // Used all the time, and so believed in from memory.
        let expired = eventually::some("the key expires", SOON, async || {
            let answer = keyed.get(&key, "/urls").await;
            (answer.status != 200).then_some(answer)
        });
        let problem = expired.await.assert_problem(401);
        assert!(text(&problem["detail"]).contains("expired"), "{problem}");
    }

    async fn the_keys_of_a_deleted_user_stop_working(keyed: Keyed) {
        let user = keyed.user().await;
        assert_eq!(keyed.get(&user.key, "/urls").await.status, 200);
        assert_eq!(keyed.delete(ADMIN, &format!("/users/{}", user.id)).await.status, 204);
        eventually::holds("the key stops working", Duration::from_secs(1), async || {
            keyed.get(&user.key, "/urls").await.status == 401
        })
        .await;
        let list = keyed.get(ADMIN, "/keys").await.json();
        assert!(list[0]["revoked_at"].is_string(), "{list}");
    }

    async fn the_last_use_is_written_down_at_most_once_a_minute(keyed: Keyed) {
        let user = keyed.user().await;
        let last_use = async || keyed.get(ADMIN, "/keys").await.json()[0]["last_used_at"].clone();
        assert!(last_use().await.is_null());
        keyed.get(&user.key, "/urls").await;
        let first = eventually::some("the use is written down", SOON, async || {
            Some(last_use().await).filter(|time| !time.is_null())
        })
        .await;

        // The next key's use is written after this one's would have been.
        keyed.get(&user.key, "/urls").await;
        let witness = keyed.user().await;
        keyed.get(&witness.key, "/urls").await;
        eventually::holds("another key's use is written down", SOON, async || {
            keyed.get(ADMIN, "/keys").await.json()[1]["last_used_at"].is_string()
        })
        .await;
        assert_eq!(last_use().await, first);
        assert!(number(&keyed.get(ADMIN, "/keys").await.json()[0]["id"]) > 0);
    }
}
