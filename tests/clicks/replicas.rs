//! Two processes on one database: a click through one is seen through the other at once, whatever became of the first.

use std::time::{Duration, Instant};

use harness::{database::Database, eventually, service::Service, soak};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::Value;

use crate::visitors::{BROWSER, Visitors, path, some_urls};

/// A lease is one second; the rest is for a slow machine.
const ONE_LEASE: Duration = Duration::from_secs(3);

const SOON: Duration = Duration::from_secs(30);

const A_FEW: usize = 30;

/// Two services behind a round-robin.
struct Replicas {
    services: [Service; 2],
    urls: Vec<Value>,
    /// Dropped last.
    database: Database,
}

impl Replicas {
    async fn fresh(backend: harness::database::Backend) -> Self {
        let database = Database::fresh(backend).await;
        let services = tokio::join!(Service::start(&database), Service::start(&database));
        let urls = some_urls(&services.0).await;
        Self {
            services: services.into(),
            urls,
            database,
        }
    }
}

harness::on_each_postgres! {
    async fn a_click_through_one_is_seen_through_the_other_at_once(replicas: Replicas) {
        let url = &replicas.urls[0];
        let mut took = Vec::new();
        for number in 0..soak::rounds(50, 500) {
            let (followed, asked) = (&replicas.services[number % 2], &replicas.services[(number + 1) % 2]);
            assert_eq!(followed.get(&path(url)).await.status, 302);
            let started = Instant::now();
            assert_eq!(clicks_of(asked, url).await, number + 1, "by the events");
            took.push(started.elapsed());
            assert_eq!(followed.get(&path(&replicas.urls[1])).await.status, 302);
            assert_eq!(counted(asked, &replicas.urls[1]).await, number + 1, "by the statistics");
        }
        took.sort();
        let median = took[took.len() / 2];
        let [sum, count] = ["sum", "count"].map(|what| format!("shortener_barrier_seconds_{what}"));
        let sum = replicas.services[0].metric(&sum).await.unwrap();
        let count = replicas.services[0].metric(&count).await.unwrap();
        soak::report(&format!(
            "{:?}: reading events through the other replica took {median:?} in the median of {}; \
             its barriers {:.1} ms on average of {count}",
            replicas.database.backend(), took.len(), sum / count * 1e3,
        ));
        assert!(median < Duration::from_secs(1), "a barrier is no matter of seconds: {median:?}");
    }

    async fn many_who_read_at_once_all_see_the_click_before(replicas: Replicas) {
        let [one, other] = &replicas.services;
        // As many as the recorder of a debug build on a busy machine takes: it is the order that counts here.
        let mut answered = 0;
        for number in 1..=soak::rounds(10, 100) {
            for url in replicas.urls.iter().cycle().take(A_FEW) {
                let visit = one.request(Method::GET, &path(url)).header("user-agent", BROWSER);
                assert_eq!(one.send(visit).await.status, 302);
                answered += 1;
            }
            let reads = (0..4).map(|_| async {
                let stats = other.get("/stats").await.json();
                usize::try_from(stats["clicks"].as_u64().unwrap()).unwrap()
            });
            for seen in join_all(reads).await {
                assert!(seen >= answered, "read {number}: {seen} of {answered}");
            }
        }
    }

    async fn a_killed_replica_is_waited_for_once(replicas: Replicas) {
        let Replicas { services: [one, other], urls, database } = replicas;
        let both = async || one.metric("shortener_replicas").await == Some(2.0);
        eventually::holds("they know each other", SOON, both).await;
        other.kill().await;

        follow_and_read(&one, &urls[0], 1).await;
        let alone = "select count(*) from replica where lease_until > now()";
        let lapsed = async || database.integer(alone).await == 1;
        eventually::holds("the lease has lapsed", ONE_LEASE, lapsed).await;
        let started = Instant::now();
        for number in 2..12 {
            follow_and_read(&one, &urls[0], number).await;
        }
        assert!(started.elapsed() < 2 * ONE_LEASE, "ten reads that wait for nobody");
    }

    async fn a_frozen_replica_holds_up_the_other_for_one_lease(replicas: Replicas) {
        let [one, other] = &replicas.services;
        for round in 0..soak::rounds(2, 10) {
            let before = counted(one, &replicas.urls[1]).await;
            // In the middle of whatever it does for these.
            let visitors = Visitors::come(other, &replicas.urls[..1]);
            visitors.are_answered(A_FEW).await;
            other.signal(Signal::STOP);
            let seen = before + 1;
            assert_eq!(one.get(&path(&replicas.urls[1])).await.status, 302);
            let read = async || try_counted(one, &replicas.urls[1]).await == Some(seen);
            eventually::holds("reads go on without the frozen one", SOON, read).await;

            other.signal(Signal::CONT);
            let answered = visitors.leave().await.answered;
            assert!(answered >= A_FEW, "round {round}");
            let back = async || one.metric("shortener_replicas").await == Some(2.0);
            eventually::holds("the frozen one is back", SOON, back).await;
            let caught_up = async || {
                counted(one, &replicas.urls[0]).await == clicks_of(other, &replicas.urls[0]).await
            };
            eventually::holds("both show the same", SOON, caught_up).await;
        }
    }

    async fn a_replica_frozen_in_its_transaction_does_not_hold_up_the_other_for_long(replicas: Replicas) {
        let Replicas { services: [one, other], urls, database } = &replicas;
        follow_and_read(other, &urls[0], 1).await;
        // The roll-up of all URLs, which every recorder has to write.
        let mut lock = database.connect().await;
        lock.execute("begin; select from click_day where url_id = 0 for update").await;
        assert_eq!(other.get(&path(&urls[0])).await.status, 302);
        let waiting = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        let waits = async || database.integer(waiting).await > 0;
        eventually::holds("its recorder waits for the roll-up", SOON, waits).await;
        other.signal(Signal::STOP);
        lock.execute("rollback").await;
        lock.close().await;

        // It has the roll-up now, and will never let go of it by itself.
        assert_eq!(one.get(&path(&urls[1])).await.status, 302);
        let read = async || try_counted(one, &urls[1]).await == Some(1);
        eventually::holds("the other one records", SOON, read).await;
        other.signal(Signal::CONT);
        let recorded = async || counted(one, &urls[0]).await == 2;
        eventually::holds("the frozen one has caught up", SOON, recorded).await;
    }
}

/// A click and a read of it, which may have to wait for one lease.
async fn follow_and_read(service: &Service, url: &Value, expected: usize) {
    assert_eq!(service.get(&path(url)).await.status, 302);
    let started = Instant::now();
    assert_eq!(clicks_of(service, url).await, expected);
    assert!(started.elapsed() < ONE_LEASE, "{:?}", started.elapsed());
}

/// How many clicks on `url` the log has.
async fn clicks_of(service: &Service, url: &Value) -> usize {
    let path = format!("/events?event_type=click&url_id={}&per_page=1", url["id"]);
    let answer = service.get(&path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let total = answer
        .header("x-total-count")
        .expect("small lists are counted");
    total.parse().expect("a count is a number")
}

/// How many clicks on `url` the statistics have.
async fn counted(service: &Service, url: &Value) -> usize {
    let counted = try_counted(service, url).await;
    counted.unwrap_or_else(|| panic!("no statistics; the service said:\n{}", service.output()))
}

async fn try_counted(service: &Service, url: &Value) -> Option<usize> {
    let answer = service.get(&format!("/urls/{}/stats", url["id"])).await;
    if answer.status == 503 {
        return None;
    }
    assert_eq!(answer.status, 200, "{answer:?}");
    let stats = answer.json();
    let clicks = stats["clicks"].as_u64()? + stats["bots"].as_u64()?;
    usize::try_from(clicks).ok()
}

async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pending: Vec<_> = futures.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        pending.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(value) => {
                done.push(value);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done
}
