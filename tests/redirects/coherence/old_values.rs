//! Redis that was away during an edit comes back with what was true before, and nobody believes it.

use harness::{
    database::Database,
    eventually,
    redis::{Kind, Persistence, Redis},
    service::Service,
};
use serde_json::{Value, json};

use super::FORGETFUL;
use crate::links::{PATIENCE, assert_leads_to, change, create, is_trusted, path, resource};

const OLD: &str = "https://example.com/old";

const NEW: &str = "https://example.com/new";

const LINKS: usize = 5;

/// Why Redis did not hear of the edits.
#[derive(Clone, Copy, Debug)]
enum Away {
    /// And comes back with its old dump.
    Killed,
    /// And comes back with all that it held.
    Frozen,
    /// As [`Self::Killed`], and so is the replica that edited, before Redis is back.
    KilledWithTheEditor,
}

harness::on_each_postgres! {
    async fn of_redis_7_nobody_believes_an_old_value(database: Database) {
        for away in [Away::Killed, Away::Frozen, Away::KilledWithTheEditor] {
            nobody_believes_an_old_value(Kind::Redis7, Persistence::Snapshot, away, &database).await;
        }
    }

    async fn of_valkey_9_nobody_believes_an_old_value(database: Database) {
        for away in [Away::Killed, Away::Frozen, Away::KilledWithTheEditor] {
            nobody_believes_an_old_value(Kind::Valkey9, Persistence::EachWrite, away, &database).await;
        }
    }
}

async fn nobody_believes_an_old_value(
    kind: Kind,
    persistence: Persistence,
    away: Away,
    database: &Database,
) {
    let redis = Redis::start(kind, persistence).await;
    let builder = || Service::builder(database).redis(&redis);
    let (one, other) = tokio::join!(builder().arg(FORGETFUL).start(), builder().start());
    let urls = some_urls(&one).await;
    for url in &urls {
        assert_leads_to(&other.get(&path(url)).await, OLD);
    }
    is_shared(&one, &redis, &urls).await;
    redis.save().await;

    match away {
        Away::Frozen => redis.freeze().await,
        Away::Killed | Away::KilledWithTheEditor => redis.kill().await,
    }
    let [deleted, inactive, changed @ ..] = &urls[..] else {
        panic!("there are {LINKS}")
    };
    assert_eq!(one.delete(&resource(deleted)).await.status, 204);
    change(&one, inactive, json!({"is_active": false})).await;
    for url in changed {
        change(&one, url, json!({"original_url": NEW})).await;
    }

    let editor = match away {
        Away::KilledWithTheEditor => {
            one.kill().await;
            None
        }
        Away::Killed | Away::Frozen => Some(one),
    };
    match away {
        Away::Frozen => redis.thaw().await,
        Away::Killed | Away::KilledWithTheEditor => redis.start_again().await,
    }
    // It remembers nothing, and so has to ask.
    let fresh = builder().start().await;
    for service in [Some(&fresh), Some(&other), editor.as_ref()]
        .into_iter()
        .flatten()
    {
        is_up(service).await;
        for _ in 0..2 {
            for url in [deleted, inactive] {
                let answer = service.get(&path(url)).await;
                assert_eq!(answer.status, 404, "{away:?}: {answer:?}");
            }
            for url in changed {
                assert_leads_to(&service.get(&path(url)).await, NEW);
            }
        }
    }
}

async fn some_urls(service: &Service) -> Vec<Value> {
    let mut urls = Vec::new();
    for _ in 0..LINKS {
        urls.push(create(service, OLD, json!({})).await);
    }
    urls
}

/// Follows `urls` until Redis holds all of them, through a service that remembers none itself.
async fn is_shared(service: &Service, redis: &Redis, urls: &[Value]) {
    is_up(service).await;
    let held = async || {
        for url in urls {
            assert_leads_to(&service.get(&path(url)).await, OLD);
        }
        // And a key of the service's own.
        redis.keys().await > urls.len()
    };
    eventually::holds("Redis holds the links", PATIENCE, held).await;
}

async fn is_up(service: &Service) {
    let up = async || service.metric("shortener_redis_up").await == Some(1.0);
    eventually::holds("Redis is seen", PATIENCE, up).await;
    is_trusted(service, 1.0).await;
}
