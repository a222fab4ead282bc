//! What befalls a stack: restarts, kills, new addresses.

use std::time::{Duration, Instant};

use harness::{
    eventually,
    soak::{report, rounds},
};

use crate::{
    stack::{HEALTHY, SERVICES, Stack},
    visitors::{Visitors, Visits},
};

/// How soon nginx must find an instance that has moved.
const MOVED: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_with_a_new_address_serves_within_five_seconds() {
    let stack = Stack::healthy().await;
    let url = stack
        .create_url("moved@example.com", "https://example.com/moved")
        .await;
    let path = format!("/{}", url["short_code"].as_str().unwrap());
    assert_eq!(stack.get(&path).await.status, 302);

    let old = stack.address("app1", "edge");
    // The other one must not hide that this one is lost.
    stack.compose(&["rm", "--force", "--stop", "app1", "app2"]);
    let squatters = [stack.squat("edge", "first"), stack.squat("edge", "second")];
    stack.compose(&["up", "--detach", "--no-build", "--no-deps", "app1"]);
    assert_ne!(stack.address("app1", "edge"), old, "it has not moved");
    stack.until_healthy(&["app1"]).await;

    let since = Instant::now();
    eventually::holds("nginx has found it", MOVED, async || {
        stack.get(&path).await.status == 302
    })
    .await;
    report(&format!("found after {:?}", since.elapsed()));
    drop(squatters);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_comes_back() {
    let stack = Stack::healthy().await;
    let restarts = |service: &str| -> u32 {
        let count = stack.inspect(service, "{{.RestartCount}}");
        count.parse().expect("a number")
    };
    for service in SERVICES {
        let before = restarts(service);
        stack.kill(service);
        let what = format!("{service} runs again");
        eventually::holds(&what, HEALTHY, async || {
            restarts(service) > before && stack.inspect(service, "{{.State.Running}}") == "true"
        })
        .await;
    }
    stack.until_healthy(&SERVICES).await;
    assert_eq!(stack.get("/health").await.text(), r#"{"status":"ok"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_visitor_of_a_known_link_notices_a_restart() {
    let stack = Stack::healthy().await;
    let url = stack
        .create_url("known@example.com", "https://example.com/known")
        .await;
    let code = url["short_code"].as_str().unwrap();

    let visitors = Visitors::follow(&stack.url(&format!("/{code}")));
    for _ in 0..rounds(1, 5) {
        for service in ["app1", "app2", "redis", "postgres"] {
            stack.until_known().await;
            stack.compose(&["restart", service]);
            stack.until_healthy(&[service]).await;
        }
    }
    stack.until_known().await;
    let Visits {
        redirects,
        failures,
        ..
    } = visitors.stop().await;
    report(&format!("{redirects} redirects over the restarts"));
    assert!(failures.is_empty(), "of {redirects}: {failures:#?}");

    // Each was recorded; a request that nginx tried twice may count twice.
    let statistics = stack
        .get(&format!("/urls/{}/stats", url["id"]))
        .await
        .json();
    let recorded = ["clicks", "bots"].map(|kind| statistics[kind].as_u64().unwrap());
    let recorded: u64 = recorded.iter().sum();
    assert!(
        (redirects..redirects + 20).contains(&recorded),
        "{recorded} recorded of {redirects}"
    );
}
