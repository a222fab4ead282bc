//! Several operators, of which one acts.

use std::time::Duration;

use harness::{
    kubernetes::{
        kind::{LEASE, SERVICE},
        operator::Operator,
    },
    soak::report,
};
use serde_json::Value;

use crate::{
    lab::{Lab, PATIENCE, timed},
    resource::minimal,
};

async fn holder(lab: &Lab) -> Value {
    let lease = lab
        .api
        .find(LEASE, "shortener-operator")
        .await
        .unwrap_or_default();
    lease["spec"]["holderIdentity"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_takes_over_from_a_leader_that_was_killed_and_nothing_is_written_twice() {
    let mut lab = Lab::new().await;
    let mut settings = lab.settings.clone();
    settings
        .variables
        .push(("HOSTNAME".to_owned(), "second".to_owned()));
    let second = Operator::launch(&settings);
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let first = holder(&lab).await;
    assert!(first.is_string(), "{first}");

    lab.operator.kill();
    let taken = timed(async || {
        lab.holds("another holds the lease", async || {
            let now = holder(&lab).await;
            now.is_string() && now != first
        })
        .await;
    })
    .await;
    lab.api.delete(SERVICE, "links").await;
    lab.appears(SERVICE, "links").await;
    report(&format!(
        "a killed leader is replaced after {} s",
        taken.as_secs()
    ));
    assert_eq!(second.status("/readyz").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_ends_in_peace_gives_its_lease_back() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    assert!(holder(&lab).await.is_string());
    let Lab { operator, api, .. } = lab;

    let exit = operator.stop(PATIENCE).await;
    assert_eq!(exit.code, Some(0), "{}", exit.output);
    let lease = api.get(LEASE, "shortener-operator").await;
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
    assert_eq!(holder, "", "the next one need not wait");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_asleep_past_its_lease_writes_nothing_and_ends_or_stands_back() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let first = holder(&lab).await;
    let mut settings = lab.settings.clone();
    settings
        .variables
        .push(("HOSTNAME".to_owned(), "second".to_owned()));
    let second = Operator::launch(&settings);

    lab.operator.freeze();
    lab.holds("another holds the lease", async || {
        let now = holder(&lab).await;
        now.is_string() && now != first
    })
    .await;
    let second_holder = holder(&lab).await;
    lab.operator.thaw();
    lab.api.delete(SERVICE, "links").await;
    lab.appears(SERVICE, "links").await;
    lab.holds("the lease stays where it is", async || {
        holder(&lab).await == second_holder
    })
    .await;
    assert_eq!(second.status("/livez").await, 200);
    let Lab { operator, .. } = lab;
    let exit = operator.ended(Duration::from_secs(30)).await;
    assert_ne!(
        exit.code,
        Some(0),
        "it lost what it had relied on: {}",
        exit.output
    );
}
