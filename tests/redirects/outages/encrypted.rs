//! Redis behind TLS: used if its certificate is right, done without if it is not.

use harness::{
    authority::Authority,
    database::{Backend, Database},
    eventually,
    redis::{Kind, Redis},
    service::Service,
};
use serde_json::json;

use super::{failed_requests, is_up};
use crate::links::{PATIENCE, assert_leads_to, create, path};

const TARGET: &str = "https://example.com/";

const CA_FILE: &str = "SHORTENER_REDIS_CA_FILE";

#[tokio::test]
async fn links_are_shared_through_an_encrypted_redis() {
    let database = Database::fresh(Backend::Postgres15).await;
    let authority = Authority::new();
    let redis = Redis::start_encrypted(Kind::Redis7, &authority).await;
    let builder = Service::builder(&database).redis(&redis);
    // It has no room to remember the link itself.
    let builder = builder.arg("--cache-max-bytes=1");
    let service = builder.env(CA_FILE, authority.ca_file()).start().await;
    is_up(&service, 1.0).await;
    let url = create(&service, TARGET, json!({})).await;
    let shared = async || {
        assert_leads_to(&service.get(&path(&url)).await, TARGET);
        crate::links::lookups(&service, "redis").await > 0
    };
    eventually::holds("the link is found in Redis", PATIENCE, shared).await;

    redis.kill().await;
    is_up(&service, 0.0).await;
    redis.start_again().await;
    is_up(&service, 1.0).await;
}

#[tokio::test]
async fn a_redis_that_cannot_prove_who_it_is_is_done_without() {
    let database = Database::fresh(Backend::Postgres15).await;
    let redis = Redis::start_encrypted(Kind::Redis7, &Authority::new()).await;
    let stranger = Authority::new();
    // Who trusts another authority, and who trusts those of the system.
    for ca_file in [stranger.ca_file(), String::new()] {
        let builder = Service::builder(&database).redis(&redis);
        let service = builder.env(CA_FILE, ca_file).start().await;
        let url = create(&service, TARGET, json!({})).await;
        for _ in 0..3 {
            assert_leads_to(&service.get(&path(&url)).await, TARGET);
        }
        let told = async || {
            let log = service.output().to_lowercase();
            log.lines()
                .any(|line| line.contains("redis") && line.contains("certificate"))
        };
        eventually::holds("the log says why", PATIENCE, told).await;
        assert_eq!(service.metric("shortener_redis_up").await, Some(0.0));
        let failed = async || failed_requests(&service).await > 0;
        eventually::holds("it is counted", PATIENCE, failed).await;
        assert_eq!(service.management("/readyz").await.status, 200);
        assert_eq!(redis.keys().await, 0);
    }
}
