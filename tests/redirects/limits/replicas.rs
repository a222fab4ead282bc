//! The limit of the API, shared by all replicas through Redis, and what becomes of it without.

use harness::{
    database::Database,
    eventually,
    redis::{Kind, Persistence, Redis},
    service::Service,
};

use super::{
    LIMITS, limited,
    rush::{assert_limited, assert_no_more_than_granted, rush},
    start,
};
use crate::links::PATIENCE;

harness::on_each_postgres! {
    async fn the_limit_of_the_api_is_one_over_all_replicas(database: Database) {
        for kind in [Kind::Redis7, Kind::Valkey9] {
            let redis = Redis::start(kind, Persistence::Snapshot).await;
            let start = async || start(&database, &LIMITS, Some(&redis)).await;
            let (one, other) = tokio::join!(start(), start());
            for service in [&one, &other] {
                is_up(service, 1.0).await;
            }
            let burst = rush(&[&one, &other], "/users", "203.0.113.7").await;
            assert_limited(&burst);
            assert!(limited(&one, "api").await > 0 && limited(&other, "api").await > 0);
            for service in [&one, &other] {
                assert_eq!(fallbacks(service).await, 0);
            }
        }
    }

    async fn without_redis_each_replica_judges_by_its_own_share_and_says_so(database: Database) {
        let redis = Redis::start(Kind::Redis7, Persistence::Snapshot).await;
        let start = async || start(&database, &LIMITS, Some(&redis)).await;
        let (one, other) = tokio::join!(start(), start());
        for is_killed in [true, false] {
            for service in [&one, &other] {
                is_up(service, 1.0).await;
            }
            if is_killed {
                redis.kill().await;
            } else {
                redis.freeze().await;
            }
            let before = [fallbacks(&one).await, fallbacks(&other).await];
            let address = if is_killed { "203.0.113.7" } else { "203.0.113.8" };
            let burst = rush(&[&one, &other], "/users", address).await;
            assert_no_more_than_granted(&burst);
            assert!(!burst.passed.is_empty(), "nobody is locked out");
            for (service, before) in [&one, &other].into_iter().zip(before) {
                assert!(fallbacks(service).await > before);
            }
            if is_killed {
                redis.start_again().await;
            } else {
                redis.thaw().await;
            }
        }
        for service in [&one, &other] {
            is_up(service, 1.0).await;
        }
        let before = fallbacks(&one).await;
        assert_limited(&rush(&[&one, &other], "/users", "203.0.113.9").await);
        assert_eq!(fallbacks(&one).await, before, "and then by Redis again");
    }
}

async fn fallbacks(service: &Service) -> usize {
    service.count("shortener_rate_limit_fallbacks_total").await
}

async fn is_up(service: &Service, expected: f64) {
    let up = async || service.metric("shortener_redis_up").await == Some(expected);
    eventually::holds("the state of Redis is seen", PATIENCE, up).await;
}
