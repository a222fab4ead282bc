//! No key, nor anything that stands for one, is in a log, a metric or an answer.

use harness::{
    database::Database,
    on_each_database,
    service::{Service, ServiceBuilder},
};
use reqwest::Method;
use serde_json::json;

use crate::keyed::{ADMIN, Keyed, builder, call, text};

/// A service that says everything it can say.
fn talkative(database: &Database) -> ServiceBuilder<'_> {
    builder(database).env("SHORTENER_LOG", "trace")
}

on_each_database! {
    async fn keys_are_never_in_the_log(database: Database) {
        let service = talkative(&database).start().await;
        let keyed = Keyed { service, database };
        let user = keyed.user().await;
        let wrong = "usk_0000000000000000000000000000000000000000000";
        let to_revoke = keyed.key(json!({"name": "k", "scopes": ["admin"]})).await;
        let revoked = text(&to_revoke["key"]);
        let mut answers = String::new();
        for key in [ADMIN, &user.key, wrong, &revoked] {
            for (method, path, body) in [
                (Method::GET, "/urls", None),
                (Method::GET, "/audit", None),
                (Method::GET, "/keys", None),
                (Method::POST, "/urls", Some(json!({"user_id": user.id, "original_url": "nonsense"}))),
                (Method::POST, "/keys", Some(json!({"name": ""}))),
                (Method::DELETE, "/keys/999999", None),
            ] {
                answers += &call(&keyed.service, key, method, path, body).await.text();
            }
        }
        keyed.delete(ADMIN, &format!("/keys/{}", to_revoke["id"])).await;
        answers += &keyed.get(&revoked, "/urls").await.text();
        answers += &keyed.service.management("/metrics").await.text();

        let address = keyed.service.addr();
        let listed = Service::builder(&keyed.database)
            .arg("urls").arg("list")
            .env("SHORTENER_URL", format!("http://{address}"))
            .env("SHORTENER_KEY", wrong)
            .run()
            .await;
        answers += &listed.output;

        let hashes = keyed.database.texts(match keyed.database.backend() {
            harness::database::Backend::Sqlite => "select lower(hex(hash)) from api_key",
            _ => "select encode(hash, 'hex') from api_key",
        }).await;
        let secret = keyed.database.texts(match keyed.database.backend() {
            harness::database::Backend::Sqlite => "select lower(hex(secret)) from api_key_secret",
            _ => "select encode(secret, 'hex') from api_key_secret",
        }).await;
        let exit = keyed.service.terminate().await;
        assert_eq!(exit.code, Some(0));
        assert!(exit.output.contains("TRACE"), "it said everything: {}", exit.output.len());
        for text in [&exit.output, &answers] {
            let text = text.to_lowercase();
            // Not even the half of one.
            for key in [ADMIN, &user.key[10..], &wrong[10..], &revoked[10..]] {
                assert!(!text.contains(&key[..key.len() / 2].to_lowercase()), "{key}");
            }
            for hash in hashes.iter().chain(&secret) {
                assert!(!text.contains(&hash[..16]), "{hash}");
            }
        }
        assert!(!exit.output.to_lowercase().contains("bearer"), "no header of a request");
    }
}
