//! The limit of the API, shared by all replicas through Redis, and what becomes of it without.

use harness::{
    database::{Backend, Database},
    eventually,
    redis::{Kind, Persistence, Redis},
    service::Service,
};

use super::{
    BURST, LIMITS, RATE, limited,
    rush::{Burst, assert_limited, rush},
    start,
};
use crate::links::PATIENCE;

/// How often Redis may be too slow for a busy machine until a burst is judged by it alone.
const ATTEMPTS: u8 = 5;

/// Two services that share a Redis.
struct Replicas {
    services: [Service; 2],
    redis: Redis,
    /// Dropped last.
    _database: Database,
}

impl Replicas {
    async fn fresh(backend: Backend) -> Self {
        let redis = Redis::start(Kind::beside(backend), Persistence::Snapshot).await;
        let database = Database::fresh(backend).await;
        let start = async || start(&database, &LIMITS, Some(&redis)).await;
        let services = tokio::join!(start(), start()).into();
        let replicas = Self {
            services,
            redis,
            _database: database,
        };
        for service in &replicas.services {
            let both = async || service.metric("shortener_replicas").await == Some(2.0);
            eventually::holds("they know each other", PATIENCE, both).await;
        }
        replicas.are_connected().await;
        replicas
    }

    async fn are_connected(&self) {
        for service in &self.services {
            let up = async || service.metric("shortener_redis_up").await == Some(1.0);
            eventually::holds("Redis is there", PATIENCE, up).await;
        }
    }

    /// How many requests each has judged without Redis.
    async fn fallbacks(&self) -> [usize; 2] {
        let series = "shortener_rate_limit_fallbacks_total";
        let [one, other] = &self.services;
        tokio::join!(one.count(series), other.count(series)).into()
    }

    /// A rush through both, of a client that nobody has seen before.
    async fn rush(&self, client: u8) -> Burst {
        let [one, other] = &self.services;
        rush(&[one, other], "/users", &format!("203.0.113.{client}")).await
    }

    /// A rush that Redis has judged.
    async fn rush_on_redis(&self, client: u8) -> Burst {
        for attempt in 0..ATTEMPTS {
            self.are_connected().await;
            let before = self.fallbacks().await;
            let burst = self.rush(client + attempt).await;
            if self.fallbacks().await == before {
                return burst;
            }
        }
        panic!("Redis is never asked; {}", self.services[0].output());
    }
}

harness::on_each_postgres! {
    async fn the_limit_of_the_api_is_one_over_all_replicas(replicas: Replicas) {
        assert_limited(&replicas.rush_on_redis(10).await);
        for service in &replicas.services {
            assert!(limited(service, "api").await > 0);
        }
    }

    async fn without_redis_each_replica_judges_by_its_own_share_and_says_so(replicas: Replicas) {
        for is_killed in [true, false] {
            if is_killed {
                replicas.redis.kill().await;
            } else {
                replicas.redis.freeze().await;
            }
            let before = replicas.fallbacks().await;
            let burst = replicas.rush(if is_killed { 10 } else { 20 }).await;
            let passed = burst.passed.len();
            let meanwhile = RATE * usize::try_from(burst.took.as_millis()).unwrap() / 1_000;
            assert!(passed > 0, "nobody is locked out");
            // Half for each; twice as much would be the whole limit for each.
            assert!(passed <= BURST * 4 / 3 + meanwhile, "{passed} passed in {:?}", burst.took);
            for (before, after) in before.into_iter().zip(replicas.fallbacks().await) {
                assert!(after > before);
            }
            if is_killed {
                replicas.redis.start_again().await;
            } else {
                replicas.redis.thaw().await;
            }
            assert_limited(&replicas.rush_on_redis(if is_killed { 30 } else { 40 }).await);
        }
    }
}
