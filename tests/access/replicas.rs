//! Two replicas on one database: what one of them is told of keys, the other obeys within a second.

use std::time::{Duration, Instant};

use harness::{
    database::{Backend, Database},
    eventually,
    service::Service,
};
use reqwest::Method;
use serde_json::json;

use crate::keyed::{self, ADMIN, Keyed, call, text};

/// What the documents promise.
const PROMISED: Duration = Duration::from_secs(1);

struct Replicas {
    /// The first.
    keyed: Keyed,
    second: Service,
}

impl Replicas {
    async fn fresh(backend: Backend) -> Self {
        let database = Database::fresh(backend).await;
        let (service, second) = tokio::join!(keyed::start(&database), keyed::start(&database));
        Self {
            keyed: Keyed { service, database },
            second,
        }
    }

    async fn status_at_the_second(&self, key: &str) -> u16 {
        call(&self.second, key, Method::GET, "/urls", None)
            .await
            .status
    }

    /// Uses `key` at the second replica until it is refused, and says how long that took.
    async fn until_refused(&self, key: &str) -> Duration {
        let started = Instant::now();
        eventually::holds(
            "the other replica refuses the key",
            5 * PROMISED,
            async || self.status_at_the_second(key).await == 401,
        )
        .await;
        started.elapsed()
    }
}

harness::on_each_postgres! {
    async fn a_revoked_key_works_nowhere_a_second_later(replicas: Replicas) {
        for _ in 0..5 {
            let user = replicas.keyed.user().await;
            assert_eq!(replicas.status_at_the_second(&user.key).await, 200, "a new key works at once");
            let keys = replicas.keyed.get(ADMIN, &format!("/keys?user_id={}", user.id)).await.json();
            // It is believed in as late as can be when it is revoked.
            assert_eq!(replicas.status_at_the_second(&user.key).await, 200);
            let answer = replicas.keyed.delete(ADMIN, &format!("/keys/{}", keys[0]["id"])).await;
            assert_eq!(answer.status, 204);
            assert_eq!(replicas.keyed.get(&user.key, "/urls").await.status, 401, "here, at once");
            let took = replicas.until_refused(&user.key).await;
            assert!(took < PROMISED, "it took {took:?}");
            for _ in 0..10 {
                assert_eq!(replicas.status_at_the_second(&user.key).await, 401, "and for ever");
            }
        }
    }

    async fn a_key_revoked_on_the_command_line_works_nowhere_a_second_later(replicas: Replicas) {
        let user = replicas.keyed.user_without_key().await;
        let key = replicas.keyed.key(json!({"name": "k", "user_id": user})).await;
        let text = text(&key["key"]);
        assert_eq!(replicas.status_at_the_second(&text).await, 200);
        let revoke = Service::builder(&replicas.keyed.database)
            .arg("keys")
            .arg("revoke")
            .arg(key["id"].to_string());
        // Used while it is being revoked.
        let (exit, ()) = tokio::join!(revoke.run(), async {
            replicas.status_at_the_second(&text).await;
        });
        assert_eq!(exit.code, Some(0), "{exit:?}");
        assert!(replicas.until_refused(&text).await < PROMISED);
    }

    async fn the_admins_key_of_one_file_works_on_every_replica(replicas: Replicas) {
        assert_eq!(replicas.status_at_the_second(ADMIN).await, 200);
        assert_eq!(replicas.keyed.get(ADMIN, "/urls").await.status, 200);
        assert_eq!(replicas.keyed.database.integer("select count(*) from api_key").await, 0);
    }

    async fn what_is_done_through_either_is_in_the_audit_log(replicas: Replicas) {
        let body = json!({"username": "ada", "email": "ada@example.com"});
        let answer = call(&replicas.second, ADMIN, Method::POST, "/users", Some(body)).await;
        assert_eq!(answer.status, 201);
        eventually::holds("the first replica shows it", PROMISED, async || {
            let log = replicas.keyed.get(ADMIN, "/audit").await.json();
            log[0]["route"] == "/users" && log[0]["object_id"] == answer.json()["id"]
        })
        .await;
    }
}
