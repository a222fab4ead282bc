//! How much one client may ask: of redirects, and of the API over all replicas together.

mod replicas;
mod rush;

use harness::{
    database::{Backend, Database},
    eventually,
    redis::Redis,
    service::Service,
};
use rush::{MANY, assert_limited, assert_says_the_limit, get, remaining, rush};
use serde_json::json;

use crate::links::{SOON, clicks, create, path};

const TARGET: &str = "https://example.com/";

/// The tests' own connections come from there.
const TRUSTING: &str = "--trusted-proxies=127.0.0.1/32";

const RATE: usize = 10;

const BURST: usize = 30;

/// Rates low enough to be met.
const LIMITS: [&str; 4] = [
    "--redirect-rate=10",
    "--redirect-burst=30",
    "--api-rate=10",
    "--api-burst=30",
];

/// A database, and services that believe the tests' forwarding headers.
struct Proxied {
    service: Service,
    /// Dropped last.
    database: Database,
}

impl Proxied {
    async fn fresh(backend: Backend) -> Self {
        let database = Database::fresh(backend).await;
        let service = start(&database, &LIMITS, None).await;
        Self { service, database }
    }
}

async fn start(database: &Database, limits: &[&str], redis: Option<&Redis>) -> Service {
    let mut builder = Service::builder(database).arg(TRUSTING);
    for limit in limits {
        builder = builder.arg(*limit);
    }
    if let Some(redis) = redis {
        builder = builder.redis(redis);
    }
    builder.start().await
}

async fn limited(service: &Service, scope: &str) -> usize {
    let series = format!("shortener_rate_limited_total{{scope=\"{scope}\"}}");
    service.count(&series).await
}

harness::on_each_database! {
    async fn one_address_follows_so_many_links(proxied: Proxied) {
        let service = &proxied.service;
        let url = create(service, TARGET, json!({})).await;
        let burst = rush(&[service], &path(&url), "203.0.113.7").await;
        assert_limited(&burst);
        for answer in &burst.passed {
            assert_eq!(answer.status, 302, "{answer:?}");
        }
        assert_eq!(limited(service, "redirect").await, burst.refused.len());
        assert_eq!(clicks(service, &url).await, burst.passed.len(), "a refusal is no click");

        let other = get(service, &path(&url), "203.0.113.8").await;
        assert_eq!(other.status, 302, "another address has its own limit: {other:?}");
        let again = async || get(service, &path(&url), "203.0.113.7").await.status == 302;
        eventually::holds("it is let through again", SOON, again).await;
    }

    async fn one_address_calls_the_api_so_often(proxied: Proxied) {
        let service = &proxied.service;
        let burst = rush(&[service], "/users", "203.0.113.7").await;
        assert_limited(&burst);
        for answer in &burst.passed {
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_says_the_limit(answer);
        }
        assert_eq!(limited(service, "api").await, burst.refused.len());
        assert_eq!(limited(service, "redirect").await, 0);

        let first = get(service, "/api/v1/users", "203.0.113.8").await;
        assert_eq!(first.status, 200, "another address has its own limit: {first:?}");
        assert_eq!(remaining(&first), BURST - 1);
        let mut both = rush(&[service], "/users", "203.0.113.9").await;
        both.add(rush(&[service], "/api/v1/urls", "203.0.113.9").await);
        assert_limited(&both);
        let again = async || get(service, "/users", "203.0.113.7").await.status == 200;
        eventually::holds("it is let through again", SOON, again).await;
    }

    async fn who_is_on_this_machine_is_not_limited(proxied: Proxied) {
        let service = &proxied.service;
        let url = create(service, TARGET, json!({})).await;
        for address in ["127.0.0.1", "127.8.9.10", "::1"] {
            for path in [path(&url), "/users".to_owned()] {
                let burst = rush(&[service], &path, address).await;
                assert!(burst.refused.is_empty(), "{address}: {:?}", burst.refused[0]);
                assert!(burst.passed.iter().all(|answer| answer.header("ratelimit").is_none()));
            }
        }
        for _ in 0..2 * BURST {
            assert_eq!(service.get(&path(&url)).await.status, 302, "without a header");
        }
    }

    async fn nobody_chooses_an_address(proxied: Proxied) {
        let service = &proxied.service;
        let url = create(service, TARGET, json!({})).await;
        let mut refusals = 0;
        for number in 0..MANY {
            // What the client sends stands before what the proxy adds.
            let chain = format!("198.51.100.{}, 127.0.0.1, 203.0.113.7", number % 250);
            refusals += usize::from(get(service, &path(&url), &chain).await.status == 429);
        }
        assert!(refusals > 0, "the address is the one that the proxy has seen");

        let far = "--trusted-proxies=10.0.0.0/8";
        drop(proxied.service);
        let mut builder = Service::builder(&proxied.database).arg(far);
        for limit in LIMITS {
            builder = builder.arg(limit);
        }
        let service = builder.start().await;
        for path in [path(&url), "/users".to_owned()] {
            let burst = rush(&[&service], &path, "203.0.113.7").await;
            assert!(burst.refused.is_empty(), "whom nobody trusts is who it is: {:?}", burst.refused[0]);
        }
    }

    async fn zero_is_no_limit(proxied: Proxied) {
        drop(proxied.service);
        let limits = ["--redirect-rate=0", "--api-rate=0", "--redirect-burst=1", "--api-burst=1"];
        let service = start(&proxied.database, &limits, None).await;
        let url = create(&service, TARGET, json!({})).await;
        for path in [path(&url), "/users".to_owned()] {
            let burst = rush(&[&service], &path, "203.0.113.7").await;
            assert!(burst.refused.is_empty(), "{:?}", burst.refused[0]);
            assert!(burst.passed.iter().all(|answer| answer.header("ratelimit").is_none()));
        }
    }
}
