//! `POST /urls/batch`: many operations in one call, each with a result of its own.

use harness::{answer::Answer, on_each_database, service::Service};
use reqwest::Method;
use serde_json::{Value, json};

/// More than one notification has room for, if their codes are long.
const MANY: usize = 250;

async fn batch(service: &Service, operations: Value) -> Answer {
    service
        .post("/urls/batch", json!({"operations": operations}))
        .await
}

/// The results of a batch.
async fn results(service: &Service, operations: Value) -> Vec<Value> {
    let answer = batch(service, operations).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let results = answer.json()["results"].as_array().cloned();
    results.expect("an array of results")
}

fn statuses(results: &[Value]) -> Vec<i64> {
    let status = |result: &Value| result["status"].as_i64().expect("a status");
    results.iter().map(status).collect()
}

fn new_url(user: i64, code: &str) -> Value {
    json!({"op": "create", "url": {
        "user_id": user, "original_url": format!("https://example.com/{code}"), "short_code": code,
    }})
}

async fn status_of(service: &Service, code: &str) -> u16 {
    service.get(&format!("/{code}")).await.status
}

async fn total(service: &Service, path: &str) -> usize {
    let answer = service.get(path).await;
    let total = answer.header("x-total-count");
    total.and_then(|total| total.parse().ok()).expect("a total")
}

on_each_database! {
    async fn each_operation_has_its_result_in_order(service: Service) {
        let user = service.create_user().await;
        let [kept, gone] = ["kept", "gone"].map(|code| new_url(user, code));
        let made = results(&service, json!([kept, gone])).await;
        assert_eq!(statuses(&made), [201, 201]);
        let [kept, gone] = [0, 1].map(|place: usize| made[place]["url"].clone());
        assert_eq!(service.get(&format!("/urls/{}", kept["id"])).await.json(), kept);
        assert_eq!((status_of(&service, "kept").await, status_of(&service, "gone").await), (302, 302));

        let done = results(&service, json!([
            {"op": "update", "id": kept["id"], "url": {"original_url": "https://example.com/new", "title": "new"}},
            {"op": "delete", "id": gone["id"]},
            {"op": "create", "url": {"user_id": user, "original_url": "https://example.com/drawn"}},
        ])).await;
        assert_eq!(statuses(&done), [200, 204, 201]);
        assert_eq!((&done[0]["url"]["title"], &done[0]["url"]["version"]), (&json!("new"), &json!(2)));
        assert_eq!(done[1], json!({"status": 204}));
        let followed = service.get("/kept").await;
        assert_eq!(followed.header("location"), Some("https://example.com/new"));
        assert_eq!(status_of(&service, "gone").await, 404);
        let drawn = done[2]["url"]["short_code"].as_str().expect("a code");
        assert_eq!(status_of(&service, drawn).await, 302);
        for (event, count) in [("created", 3), ("updated", 2), ("deleted", 1)] {
            assert_eq!(total(&service, &format!("/events?event_type={event}")).await, count, "{event}");
        }
    }

    async fn what_is_refused_stops_nothing_else_and_leaves_nothing(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let id = &url["id"];
        let done = results(&service, json!([
            new_url(user, "first"),
            new_url(user, "first"),
            new_url(999_999, "orphan"),
            {"op": "create", "url": {"user_id": user, "original_url": "nonsense"}},
            {"op": "update", "id": 999_999, "url": {"title": "x"}},
            {"op": "update", "id": id, "url": {"title": 7}},
            {"op": "update", "id": id, "url": {"short_code": "other"}},
            {"op": "update", "id": id, "version": 7, "url": {"title": "x"}},
            {"op": "update", "id": id, "url": {"starts_at": "2026-01-02T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"}},
            {"op": "delete", "id": id, "version": 7},
            {"op": "delete", "id": "x"},
            {"op": "upsert", "id": id},
            "text",
            {},
            {"op": "update", "id": id, "version": 1, "url": {"title": "last"}},
            {"op": "update", "id": id, "version": 1, "url": {"title": "too late"}},
        ])).await;
        assert_eq!(
            statuses(&done),
            [201, 409, 404, 422, 404, 422, 422, 412, 422, 412, 422, 422, 422, 422, 200, 412]
        );
        for refused in done.iter().filter(|result| result["status"].as_i64() >= Some(400)) {
            let problem = &refused["problem"];
            assert_eq!((&problem["status"], &problem["type"]), (&refused["status"], &json!("about:blank")));
            assert!(problem["detail"].is_string() && refused.get("url").is_none(), "{refused}");
        }
        assert!(done[3]["problem"]["errors"]["original_url"].is_string(), "{}", done[3]);
        assert_eq!(total(&service, "/urls").await, 2);
        let now = service.get(&format!("/urls/{id}")).await.json();
        assert_eq!((&now["title"], &now["version"]), (&json!("last"), &json!(2)));
    }

    async fn a_batch_has_its_bounds(service: Service) {
        let user = service.create_user().await;
        // So long that there is no room for all of them in one notification.
        let code = |number: usize| format!("{number:0>40}");
        let of = |count: usize| -> Value {
            (0..count).map(|number| new_url(user, &code(number))).collect()
        };
        for body in [json!({}), json!({"operations": {}}), json!({"operations": of(0)}), json!({"operations": of(1_001)})] {
            let problem = service.post("/urls/batch", body).await.assert_problem(422);
            assert!(problem["errors"]["operations"].is_string(), "{problem}");
        }
        assert_eq!(total(&service, "/urls").await, 0);

        let made = results(&service, of(MANY)).await;
        assert!(statuses(&made).iter().all(|status| *status == 201));
        let some = [0, MANY / 2, MANY - 1].map(code);
        let changes: Value = made.iter()
            .map(|result| json!({"op": "update", "id": result["url"]["id"], "url": {"is_active": false}}))
            .collect();
        for code in &some {
            assert_eq!(status_of(&service, code).await, 302, "{code}");
        }
        let changed = results(&service, changes).await;
        assert!(statuses(&changed).iter().all(|status| *status == 200));
        for code in &some {
            assert_eq!(status_of(&service, code).await, 404, "{code}");
        }
    }

    async fn a_batch_that_is_sent_again_is_carried_out_once(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let body = json!({"operations": [
            {"op": "create", "url": {"user_id": user, "original_url": "https://example.com/"}},
            {"op": "delete", "id": url["id"]},
            {"op": "delete", "id": 999_999},
        ]});
        let send = async || {
            let request = service.request(Method::POST, "/urls/batch");
            service.send(request.header("idempotency-key", "batch").json(&body)).await
        };
        let first = send().await;
        assert_eq!(first.status, 200, "{}", first.text());
        let again = send().await;
        assert_eq!((again.status, again.text()), (first.status, first.text()));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(total(&service, "/urls").await, 1);
    }

    async fn an_answer_that_is_too_large_to_be_kept_is_refused_and_nothing_done(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, &format!("https://example.com/{}", "x".repeat(8_000))).await;
        let change = |number: usize| json!({"op": "update", "id": url["id"], "url": {"title": number.to_string()}});
        let send = async |count: usize, key: Option<&str>| {
            let changes: Vec<_> = (0..count).map(change).collect();
            let mut request = service.request(Method::POST, "/urls/batch").json(&json!({"operations": changes}));
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            service.send(request).await
        };
        let problem = send(300, Some("large")).await.assert_problem(422);
        assert!(problem["errors"]["Idempotency-Key"].is_string(), "{problem}");
        assert_eq!(service.get(&format!("/urls/{}", url["id"])).await.json(), url);
        assert_eq!(send(200, Some("large")).await.status, 200);
        assert_eq!(send(300, None).await.status, 200);
    }
}
