//! Many resources: how much memory the operator takes for them, and that each is served.

use std::time::{Duration, Instant};

use harness::{
    eventually,
    kubernetes::kind::{SECRET, SERVICE, URL_SHORTENER},
    soak::{report, rounds},
};

use crate::{
    lab::{Lab, timed},
    resource::{database_secret, lean},
};

/// What the memory is compared with, and how many resources are made at once.
const WANTED: u64 = 40 << 20;
const AT_ONCE: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_resources_are_served_with_little_memory() {
    let count = rounds(60, 500);
    let lab = Lab::of_cluster(&[]).await;
    lab.kubelet.set(harness::kubernetes::kubelet::Fate::Wait);
    let empty = lab.operator.memory();
    let within = Duration::from_secs(if count > 100 { 900 } else { 120 });
    let began = Instant::now();
    for number in 0..count {
        let (name, secret) = (format!("links-{number}"), format!("database-{number}"));
        lab.api
            .create(SECRET, &database_secret(&secret, &name))
            .await
            .expect("it can be made");
        lab.apply(&lean(&name, &secret)).await;
        // As fast as it can be applied, but for the audit log, which a test reads as a whole.
        if number % AT_ONCE == 0 {
            assert_eq!(lab.operator.status("/livez").await, 200);
        }
    }
    let served = async || lab.api.list(SERVICE).await.len() >= count;
    eventually::holds("each has its Service", within, served).await;
    let all = began.elapsed();
    let reported = async || {
        let resources = lab.api.list(URL_SHORTENER).await;
        resources
            .iter()
            .all(|resource| resource["status"]["observedGeneration"] == 1)
    };
    eventually::holds("each is reported on", within, reported).await;

    let memory = lab.operator.memory();
    // The program's own pages aside, which a build for development has more of.
    assert!(memory.saturating_sub(empty) < WANTED, "{memory} bytes");
    // Nothing happens, and each still waits for its migration.
    let quiet = Duration::from_secs(if count > 100 { 60 } else { 5 });
    let (looks, audit) = (lab.reconciles().await, lab.audit());
    let never = std::future::pending::<()>();
    assert!(tokio::time::timeout(quiet, never).await.is_err());
    let looks = lab.reconciles().await - looks;
    let writes = lab.writes(&audit);
    let beyond: Vec<_> = writes
        .iter()
        .filter(|write| write.resource != "coordination.k8s.io/leases")
        .collect();
    assert!(beyond.is_empty(), "{beyond:#?}");
    report(&format!(
        "{looks} looks at {count} resources that wait, in {} s in which nothing happens",
        quiet.as_secs()
    ));

    let one = timed(async || {
        lab.api.delete(SERVICE, "links-1").await;
        lab.appears(SERVICE, "links-1").await;
    })
    .await;
    report(&format!(
        "{count} resources: {} MB of memory ({} MB a minute later, {} MB with none; wanted: {} MB with 500), all made in {} s, one repaired in {} ms",
        memory >> 20,
        lab.operator.memory() >> 20,
        empty >> 20,
        WANTED >> 20,
        all.as_secs(),
        one.as_millis()
    ));
}
