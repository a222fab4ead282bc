//! What nginx does with a request on its way.

use std::process::Command;

use harness::eventually;
use reqwest::Method;
use serde_json::json;

use crate::stack::{HEALTHY, Stack, run};

#[tokio::test(flavor = "multi_thread")]
async fn the_service_knows_its_visitors_apart() {
    let stack = Stack::healthy().await;
    let url = stack
        .create_url("apart@example.com", "https://example.com/apart")
        .await;
    let path = format!("/{}", url["short_code"].as_str().unwrap());
    for address in ["203.0.113.1", "203.0.113.2", "203.0.113.2"] {
        let request = stack
            .request(Method::GET, &path)
            .header("X-Forwarded-For", address)
            .header(
                "User-Agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            );
        assert_eq!(stack.send(request).await.status, 302);
    }
    let statistics = stack.get(&format!("/urls/{}/stats", url["id"])).await;
    assert_eq!(statistics.json()["clicks"], 3, "{statistics:?}");
    assert_eq!(statistics.json()["unique_visitors"], 2, "{statistics:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_that_was_asked_for_is_passed_on() {
    let stack = Stack::healthy().await;
    let user = json!({"username": "loop", "email": "loop@example.com"});
    let user = stack.post("/users", user).await.json();
    let url = json!({"user_id": user["id"], "original_url": "http://short.example/x"});
    let request = stack
        .request(Method::POST, "/urls")
        .header("Host", "short.example")
        .json(&url);
    // A link back to the host itself is a loop, which only one who knows the host can see.
    stack.send(request).await.assert_problem(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_the_services_to_refuse() {
    let stack = Stack::healthy().await;
    let body = format!(r#"{{"username": "{}"}}"#, "x".repeat(2 << 20));
    let request = stack
        .request(Method::POST, "/users")
        .header("Content-Type", "application/json")
        .body(body);
    let refused = stack.send(request).await;
    refused.assert_problem(413);
    assert!(refused.header("x-request-id").is_some(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_answers_with_a_problem_document_when_nobody_serves() {
    let stack = Stack::healthy().await;
    stack.compose(&["stop", "--timeout=30", "app1", "app2"]);
    let answer = stack.get("/anything").await;
    answer.assert_problem(502);
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));

    stack.up().await;
    eventually::holds("it serves again", HEALTHY, async || {
        stack.get("/health").await.status == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_does_not_run_out_of_ports() {
    // It has a connection to an instance for each request, and a port that was used is not free for a minute unless the
    // network is told so. With fewer ports that shows after seconds instead of a minute.
    const PORTS: usize = 2_000;
    let stack = Stack::healthy().await;
    let url = stack
        .create_url("ports@example.com", "https://example.com/ports")
        .await;
    let path = format!("/{}", url["short_code"].as_str().unwrap());
    let range = "net.ipv4.ip_local_port_range";
    let network = stack.inspect("nginx", "--net=/proc/{{.State.Pid}}/ns/net");
    let sysctl =
        |argument: &str| run(Command::new("nsenter").args([&network, "sysctl", "-n", argument]));
    let before = sysctl(range);
    sysctl(&format!("{range}=40000 {}", 40_000 + PORTS - 1));
    let mut failed = 0;
    for number in 0..5 * PORTS {
        let request = stack
            .request(Method::GET, &path)
            .header("X-Forwarded-For", format!("203.0.113.{}", number % 240));
        failed += usize::from(stack.send(request).await.status != 302);
    }
    sysctl(&format!("{range}={before}"));
    assert_eq!(failed, 0, "of {}", 5 * PORTS);
}
