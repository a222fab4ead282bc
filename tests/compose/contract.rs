//! The contract of the API, through nginx, on a database that was empty before, with both instances serving.

use std::collections::BTreeSet;

use harness::{
    csv,
    soak::{report, rounds},
};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::stack::{INSTANCES, Stack, is_brief};

/// Rows of the contest's files.
const USERS: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_on_a_fresh_database() {
    let stack = Stack::fresh().await;
    for round in 0..rounds(if is_brief() { 1 } else { 2 }, 20) {
        if round > 0 {
            stack.renew().await;
        }
        loads_the_seed_file(&stack).await;
        follows_the_life_of_a_url(&stack).await;
        refuses_strangers(&stack).await;
        for instance in INSTANCES {
            let redirects = stack.redirects(instance).await;
            assert!(redirects > 0.0, "{instance} has served nothing");
        }
        report(&format!("the contract holds, round {}", round + 1));
    }
}

async fn loads_the_seed_file(stack: &Stack) {
    let part = Part::bytes(csv::users(USERS).into_bytes()).file_name("users.csv");
    let form = Form::new().part("file", part);
    let request = stack.request(Method::POST, "/users/bulk").multipart(form);
    let answer = stack.send(request).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["imported"], USERS);

    let user = json!({"username": "after", "email": "after@example.com"});
    let user = stack.post("/users", user).await.json();
    assert!(
        user["id"].as_u64() > Some(USERS as u64),
        "the ids go on after those of the file: {user}"
    );
}

async fn follows_the_life_of_a_url(stack: &Stack) {
    let url = stack
        .create_url("life@example.com", "https://example.com/life")
        .await;
    let twin = json!({"user_id": url["user_id"], "original_url": "https://example.com/life", "title": "Twin"});
    let twin = stack.post("/urls", twin).await.json();
    assert_ne!(twin["short_code"], url["short_code"]);
    let taken = json!({"user_id": url["user_id"], "original_url": "https://example.com/", "short_code": url["short_code"]});
    stack.post("/urls", taken).await.assert_problem(409);

    let path = format!("/{}", url["short_code"].as_str().expect("a text"));
    for visit in 1..=10 {
        let redirect = stack.get(&path).await;
        assert_eq!(redirect.status, 302, "{redirect:?}");
        assert_eq!(
            redirect.header("location"),
            Some("https://example.com/life")
        );
        // The very next read shows it, whichever instances serve the two.
        assert_eq!(clicks(stack, &url).await, visit);
    }

    let changed = put(stack, &url, json!({"is_active": false})).await;
    assert_eq!(changed["is_active"], false);
    for _ in INSTANCES {
        stack.get(&path).await.assert_problem(404);
    }
    assert_eq!(clicks(stack, &url).await, 10);
    put(stack, &url, json!({"is_active": true, "title": "Back"})).await;
    assert_eq!(stack.get(&path).await.status, 302);

    let request = stack.request(Method::DELETE, &format!("/urls/{}", url["id"]));
    assert_eq!(stack.send(request).await.status, 204);
    stack.get(&path).await.assert_problem(404);
    let events = stack
        .get(&format!("/events?url_id={}", url["id"]))
        .await
        .json();
    let types: BTreeSet<_> = events
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|event| event["event_type"].as_str().map(str::to_owned))
        .collect();
    let expected = ["click", "created", "deleted", "updated"];
    assert!(types.iter().eq(expected.iter()), "{types:?}");
}

async fn refuses_strangers(stack: &Stack) {
    let user = |name: Value, email: &str| json!({"username": name, "email": email});
    for body in [
        user(json!(7), "seven@example.com"),
        user(json!(" "), "blank@example.com"),
        user(json!("x"), "nobody"),
        json!("a text"),
        json!([]),
        Value::Null,
    ] {
        let answer = stack.post("/users", body.clone()).await;
        assert!(
            matches!(answer.status, 400 | 415 | 422),
            "{body}: {answer:?}"
        );
    }
    let stranger = json!({"user_id": 999_999, "original_url": "https://example.com/"});
    stack.post("/urls", stranger).await.assert_problem(404);
    for original_url in ["example", "ftp://example.com/", "javascript:alert(1)"] {
        let url = json!({"user_id": 1, "original_url": original_url});
        stack.post("/urls", url).await.assert_problem(422);
    }
    let event = json!({"event_type": "note", "url_id": 1, "user_id": 1, "details": "a text"});
    stack.post("/events", event).await.assert_problem(422);
    stack.get("/users?page=abc").await.assert_problem(422);
    stack.get("/no/such/path").await.assert_problem(404);
}

async fn put(stack: &Stack, url: &Value, body: Value) -> Value {
    let path = format!("/urls/{}", url["id"]);
    let answer = stack
        .send(stack.request(Method::PUT, &path).json(&body))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn clicks(stack: &Stack, url: &Value) -> usize {
    let path = format!("/events?event_type=click&per_page=100&url_id={}", url["id"]);
    stack
        .get(&path)
        .await
        .json()
        .as_array()
        .expect("a list")
        .len()
}
