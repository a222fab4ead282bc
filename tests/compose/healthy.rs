//! The stack as it is when nothing is wrong.

use harness::eventually;
use reqwest::Method;

use crate::stack::{HEALTHY, INSTANCES, SERVICES, Stack, setting};

#[tokio::test(flavor = "multi_thread")]
async fn every_service_is_healthy() {
    let stack = Stack::healthy().await;
    for service in SERVICES {
        assert!(stack.is_healthy(service), "{service}");
        assert_eq!(
            stack.inspect(service, "{{.HostConfig.ReadonlyRootfs}}"),
            "true",
            "{service}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_published_on_this_machine_alone() {
    let stack = Stack::healthy().await;
    for service in SERVICES {
        let template = "{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}} {{end}}{{end}}";
        let addresses = stack.inspect(service, template);
        let all_here = addresses.split(' ').all(|address| address == "127.0.0.1");
        assert!(
            addresses.is_empty() || all_here,
            "{service} is published on {addresses}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_instances_serve() {
    let stack = Stack::healthy().await;
    let url = stack
        .create_url("both@example.com", "https://example.com/both")
        .await;
    let path = format!("/{}", url["short_code"].as_str().unwrap());
    for instance in INSTANCES {
        let before = stack.redirects(instance).await;
        eventually::holds("the instance has served a redirect", HEALTHY, async || {
            assert_eq!(stack.get(&path).await.status, 302);
            stack.redirects(instance).await > before
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_sees_both_instances() {
    let stack = Stack::healthy().await;
    let url = format!(
        "http://127.0.0.1:{}/api/v1/query?query=sum(up%7Bjob%3D%22shortener%22%7D)",
        setting("PROMETHEUS_PORT")
    );
    eventually::holds("both are up", HEALTHY, async || {
        let answer = stack.send(harness::service::client().get(&url)).await;
        answer.json()["data"]["result"][0]["value"][1] == "2"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_file_goes_through() {
    let stack = Stack::healthy().await;
    let csv = harness::csv::users(400);
    let part = reqwest::multipart::Part::bytes(csv.into_bytes()).file_name("users.csv");
    let form = reqwest::multipart::Form::new().part("file", part);
    let request = stack.request(Method::POST, "/users/bulk").multipart(form);
    let answer = stack.send(request).await;
    // In a database that has users already it may be refused, but by the service.
    assert!(matches!(answer.status, 201 | 409), "{answer:?}");
}
