//! The API server goes away, dead or deaf: the operator comes back by itself, soon, and does no harm meanwhile.

use std::{sync::Arc, time::Duration};

use harness::{
    chaos_proxy::ChaosProxy,
    eventually,
    kubernetes::{
        control_plane::{ControlPlane, Foreign},
        kind::{CONFIG_MAP, SERVICE},
    },
    soak::{is_long, report},
};
use tokio::time::timeout;

use crate::{
    lab::{Lab, PATIENCE, timed},
    resource::minimal,
};

/// How long the API server is dead.
fn outage() -> Duration {
    Duration::from_secs(if is_long() { 300 } else { 8 })
}

/// Waits, while nothing can be waited for.
async fn passes(time: Duration) {
    let never = std::future::pending::<()>();
    assert!(timeout(time, never).await.is_err());
}

/// How long it takes until the operator makes good what is deleted: the proof that its watches are back.
async fn recovery(lab: &Lab) -> Duration {
    let uid = lab.api.get(SERVICE, "links").await["metadata"]["uid"].clone();
    timed(async || {
        lab.api.delete(SERVICE, "links").await;
        lab.wait("the Service is made again", async || {
            let found = lab.api.find(SERVICE, "links").await?;
            (found["metadata"]["uid"] != uid).then_some(())
        })
        .await;
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_api_server_that_was_dead_for_long_the_watches_are_back_soon() {
    let plane = Arc::new(ControlPlane::start(&Foreign::ALL).await);
    let lab = Lab::within(Arc::clone(&plane)).await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;

    if is_long() {
        plane.kill_api().await;
        passes(Duration::from_mins(1)).await;
        plane.start_api().await;
        let back = recovery(&lab).await;
        report(&format!(
            "watches back {} ms after an outage of 60 s",
            back.as_millis()
        ));
        lab.settles("links").await;
    }
    plane.kill_api().await;
    passes(outage()).await;
    assert_ne!(
        lab.operator.status("/livez").await,
        0,
        "the process goes on"
    );
    plane.start_api().await;
    let audit = lab.audit();
    let back = recovery(&lab).await;
    lab.settles("links").await;
    let others: Vec<_> = lab
        .writes(&audit)
        .into_iter()
        .filter(|write| write.name != "links")
        .collect();
    assert!(
        others
            .iter()
            .all(|write| write.resource != "apps/deployments"),
        "{others:#?}"
    );
    report(&format!(
        "watches back {} ms after an outage of {} s (wanted: 15000 after 300)",
        back.as_millis(),
        outage().as_secs()
    ));
}

/// As when a load balancer loses the server behind it: it goes on to confirm every packet of the connections there were, nothing comes over
/// them any more, and whoever connects anew is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_stay_open_and_never_speak_again_are_given_up() {
    let plane = ControlPlane::shared().await;
    let behind = ChaosProxy::start(plane.addr()).await;
    let before = ChaosProxy::start(behind.addr()).await;
    let lab = Lab::through(Arc::clone(&plane), before.addr()).await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    assert!(behind.connections() > 0);

    behind.hang().await;
    passes(outage()).await;
    // What is open stays so, and nothing of it will ever be heard of.
    before.lead_to(plane.addr());
    let back = timed(async || {
        lab.api.delete(CONFIG_MAP, "links-dashboards").await;
        let made = async || lab.api.find(CONFIG_MAP, "links-dashboards").await;
        eventually::some("it is made again", 2 * PATIENCE, made).await;
    })
    .await;
    assert!(behind.connections() > 0, "the old ones are still open");
    report(&format!(
        "watches back {} ms after connections were open and dead for {} s (wanted: 15000 after 300)",
        back.as_millis(),
        outage().as_secs()
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_open_and_dead_are_noticed_and_made_anew() {
    let plane = ControlPlane::shared().await;
    let proxy = ChaosProxy::start(plane.addr()).await;
    let lab = Lab::through(plane, proxy.addr()).await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;

    // Half-open: what is sent disappears, and nobody says so. What was held back comes in the end, as it would from a
    // connection that a firewall has forgotten.
    proxy.hang().await;
    lab.api.delete(CONFIG_MAP, "links-dashboards").await;
    passes(Duration::from_secs(3)).await;
    assert!(lab.api.find(CONFIG_MAP, "links-dashboards").await.is_none());
    proxy.heal().await;
    lab.appears(CONFIG_MAP, "links-dashboards").await;

    // Cut: every connection is closed.
    proxy.cut().await;
    lab.api.delete(CONFIG_MAP, "links-dashboards").await;
    passes(Duration::from_secs(3)).await;
    proxy.heal().await;
    lab.appears(CONFIG_MAP, "links-dashboards").await;
    let back = recovery(&lab).await;
    report(&format!(
        "after cut connections a deletion is made good in {} ms",
        back.as_millis()
    ));
}
