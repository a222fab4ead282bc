//! Replicas that are killed, stand still, or come and go: edits wait for them once, and stay true.

use std::time::{Duration, Instant};

use harness::{
    database::{Backend, Database},
    eventually,
    service::{Service, client, try_send},
    soak,
};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{AT_ONCE, traffic::Traffic};
use crate::links::{PATIENCE, assert_leads_to, change, create, is_trusted, lookups, path};

/// A lease is one second; the rest is for a slow machine.
const ONE_LEASE: Duration = Duration::from_secs(4);

/// Two services, and a link that both remember.
struct Pair {
    one: Service,
    other: Service,
    url: Value,
    /// Dropped last.
    database: Database,
}

impl Pair {
    async fn fresh(backend: Backend) -> Self {
        let database = Database::fresh(backend).await;
        let (one, other) = tokio::join!(Service::start(&database), Service::start(&database));
        let both = async || one.metric("shortener_replicas").await == Some(2.0);
        eventually::holds("they know each other", PATIENCE, both).await;
        let url = create(&one, "https://example.com/", json!({})).await;
        for service in [&one, &other] {
            is_trusted(service, 1.0).await;
            assert_eq!(service.get(&path(&url)).await.status, 302);
        }
        Self {
            one,
            other,
            url,
            database,
        }
    }
}

/// Changes the target, and returns how long that took.
async fn lead_to(service: &Service, url: &Value, target: &str) -> Duration {
    let started = Instant::now();
    change(service, url, json!({"original_url": target})).await;
    started.elapsed()
}

harness::on_each_postgres! {
    async fn a_killed_replica_is_waited_for_once(pair: Pair) {
        let Pair { one, mut other, url, database } = pair;
        for round in 0..soak::rounds(2, 20) {
            other.kill().await;
            let took = lead_to(&one, &url, &format!("https://example.com/{round}")).await;
            assert!(took < ONE_LEASE, "{took:?}");
            let mut later = Vec::new();
            for number in 0..10 {
                let target = format!("https://example.com/{round}/{number}");
                later.push(lead_to(&one, &url, &target).await);
                assert_leads_to(&one.get(&path(&url)).await, &target);
            }
            later.sort();
            assert!(later[later.len() / 2] < AT_ONCE, "they wait for nobody: {later:?}");

            other = Service::start(&database).await;
            for number in 0..10 {
                let target = format!("https://example.com/both/{round}/{number}");
                lead_to(if number % 2 == 0 { &one } else { &other }, &url, &target).await;
                for service in [&one, &other] {
                    assert_leads_to(&service.get(&path(&url)).await, &target);
                }
            }
        }
    }

    async fn a_replica_that_stood_still_does_not_wake_up_with_old_answers(pair: Pair) {
        let Pair { one, other, url, .. } = &pair;
        let mut behind = 0;
        for round in 0..soak::rounds(3, 30) {
            let http = client();
            // A connection that is open already, for an answer as soon as it wakes up.
            let link = other.url(&path(url));
            try_send(http.get(&link)).await.unwrap();
            let stale = lookups(other, "stale").await;
            other.signal(Signal::STOP);
            let target = format!("https://example.com/{round}");
            let took = lead_to(one, url, &target).await;
            assert!(took < ONE_LEASE, "{took:?}");

            let ask = tokio::join!(try_send(http.get(&link)), async { other.signal(Signal::CONT) });
            let mut answers = vec![ask.0.unwrap()];
            for _ in 0..20 {
                answers.push(other.get(&path(url)).await);
            }
            // A database that is too slow for it is as good as away: it may say what it knows, if it says so.
            let old = answers.iter().filter(|answer| answer.header("location") != Some(&target)).count();
            assert!(old <= lookups(other, "stale").await - stale, "{old} of {answers:?}");
            behind += old;
            is_trusted(other, 1.0).await;
            assert_leads_to(&other.get(&path(url)).await, &target);
        }
        soak::report(&format!("{behind} answers behind an edit, and counted, of a replica that stood still"));
    }

    async fn replicas_that_come_and_go_under_load_are_not_noticed(pair: Pair) {
        let Pair { one, other, database, .. } = &pair;
        let traffic = Traffic::start(&[one, other]);
        for round in 0..soak::rounds(3, 20) {
            let third = Service::start(database).await;
            traffic.edits(soak::rounds(15, 50)).await;
            if round % 2 == 0 {
                third.kill().await;
            } else {
                third.terminate().await;
            }
            traffic.edits(soak::rounds(15, 50)).await;
        }
        let book = traffic.stop().await;
        book.assert_unnoticed();
        assert!(book.slowest_edit() < ONE_LEASE, "{:?}", book.slowest_edit());
    }
}
