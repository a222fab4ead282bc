//! What a short URL can be told about its redirects: each field set, changed, cleared, refused and logged.

use harness::service::Service;
use serde_json::{Value, json};

use crate::links::{change, create, in_seconds, moment, resource};

const FIELDS: [&str; 5] = [
    "expires_at",
    "starts_at",
    "max_clicks",
    "status",
    "forward_query",
];

/// Values for each field that differ from the default.
fn chosen() -> Value {
    json!({
        "starts_at": in_seconds(-60),
        "expires_at": in_seconds(3_600),
        "max_clicks": 7,
        "status": 308,
        "forward_query": true,
    })
}

/// What is refused for each field.
fn refused() -> Vec<(&'static str, Vec<Value>)> {
    let no_times = || {
        let mut values = vec![
            json!(""),
            json!("tomorrow"),
            json!(1_700_000_000),
            json!(true),
        ];
        values.extend([json!({}), json!([]), json!("2026-13-01T00:00:00Z")]);
        values
    };
    let no_counts = [json!(0), json!(-1), json!(1.5), json!("3"), json!(true)];
    let no_statuses = [
        json!(200),
        json!(303),
        json!(404),
        json!("302"),
        json!(302.5),
    ];
    let no_booleans = [json!("true"), json!(1), json!([]), Value::Null];
    vec![
        ("expires_at", no_times()),
        ("starts_at", no_times()),
        ("max_clicks", [&no_counts[..], &[json!(u64::MAX)]].concat()),
        (
            "status",
            [&no_statuses[..], &[json!(true), Value::Null]].concat(),
        ),
        ("forward_query", no_booleans.to_vec()),
    ]
}

/// Times may be written in more than one way.
#[track_caller]
fn assert_same(field: &str, actual: &Value, expected: &Value) {
    if field.ends_with("_at") && !expected.is_null() {
        assert_eq!(moment(actual), moment(expected), "{field}");
    } else {
        assert_eq!(actual, expected, "{field}");
    }
}

/// The `updated` events of a URL as (field, new value), oldest first.
async fn updates(service: &Service, url: &Value) -> Vec<(String, Value)> {
    let query = format!("?url_id={}&event_type=updated&per_page=100", url["id"]);
    let answer = service.get(&format!("/events{query}")).await;
    let mut events: Vec<Value> = serde_json::from_value(answer.json()).expect("an array");
    events.reverse();
    let details = events.iter().map(|event| &event["details"]);
    details
        .map(|details| {
            let field = details["field"].as_str().expect("a field");
            (field.to_owned(), details["new_value"].clone())
        })
        .collect()
}

harness::on_each_database! {
    async fn a_plain_url_has_the_defaults(service: Service) {
        let url = create(&service, "https://example.com/", json!({})).await;
        for field in ["expires_at", "starts_at", "max_clicks"] {
            assert_eq!(url.get(field), Some(&Value::Null), "{field} of {url}");
        }
        assert_eq!(url["status"], 302);
        assert_eq!(url["forward_query"], false);
    }

    async fn each_field_is_kept_as_it_was_created(service: Service) {
        let chosen = chosen();
        let created = create(&service, "https://example.com/", chosen.clone()).await;
        let shown = service.get(&resource(&created)).await.json();
        let listed = service.get("/urls").await.json();
        for field in FIELDS {
            for url in [&created, &shown, &listed[0]] {
                assert_same(field, &url[field], &chosen[field]);
            }
        }
        assert_eq!(created, shown);
        assert_eq!(created, listed[0]);
    }

    async fn each_field_can_be_changed_and_is_logged(service: Service) {
        let url = create(&service, "https://example.com/", json!({})).await;
        let chosen = chosen();
        let mut expected = Vec::new();
        for field in FIELDS {
            let value = &chosen[field];
            let changed = change(&service, &url, json!({field: value})).await;
            assert_same(field, &changed[field], value);
            assert_eq!(changed, service.get(&resource(&url)).await.json());
            expected.push((field.to_owned(), changed[field].clone()));

            let again = change(&service, &url, json!({field: value})).await;
            assert_eq!(again[field], changed[field], "the same value is no change");
        }
        assert_eq!(updates(&service, &url).await, expected);
    }

    async fn null_clears_what_may_be_missing(service: Service) {
        let url = create(&service, "https://example.com/", chosen()).await;
        let mut expected = Vec::new();
        for field in ["expires_at", "starts_at", "max_clicks"] {
            let cleared = change(&service, &url, json!({field: null})).await;
            assert_eq!(cleared[field], Value::Null);
            assert_eq!(cleared, service.get(&resource(&url)).await.json());
            expected.push((field.to_owned(), Value::Null));
        }
        assert_eq!(updates(&service, &url).await, expected);
    }

    async fn a_field_that_is_not_named_stays(service: Service) {
        let url = create(&service, "https://example.com/", chosen()).await;
        let renamed = change(&service, &url, json!({"title": "New"})).await;
        for field in FIELDS {
            assert_eq!(renamed[field], url[field], "{field}");
        }
    }

    async fn wrong_values_are_refused_and_change_nothing(service: Service) {
        let url = create(&service, "https://example.com/", json!({})).await;
        for (field, values) in refused() {
            for value in values {
                let body = json!({field: value});
                let problem = service.put(&resource(&url), body.clone()).await.assert_problem(422);
                assert!(!problem["errors"][field].is_null(), "{body}: {problem}");

                let mut create = json!({"user_id": url["user_id"], "original_url": "https://example.com/"});
                create[field] = value;
                let problem = service.post("/urls", create.clone()).await.assert_problem(422);
                assert!(!problem["errors"][field].is_null(), "{create}: {problem}");
            }
        }
        assert_eq!(service.get(&resource(&url)).await.json(), url);
        assert!(updates(&service, &url).await.is_empty());
        assert_eq!(service.get("/urls").await.json().as_array().unwrap().len(), 1);
    }

    async fn a_url_that_starts_when_it_has_expired_is_refused(service: Service) {
        let (early, late) = (in_seconds(60), in_seconds(120));
        let url = create(&service, "https://example.com/", json!({"expires_at": early})).await;
        for starts_at in [&early, &late] {
            let body = json!({"starts_at": starts_at});
            service.put(&resource(&url), body).await.assert_problem(422);

            let body = json!({
                "user_id": url["user_id"],
                "original_url": "https://example.com/",
                "starts_at": starts_at,
                "expires_at": early,
            });
            service.post("/urls", body).await.assert_problem(422);
        }
        assert_eq!(service.get(&resource(&url)).await.json(), url);

        change(&service, &url, json!({"expires_at": null, "starts_at": late})).await;
        service.put(&resource(&url), json!({"expires_at": early})).await.assert_problem(422);
        change(&service, &url, json!({"starts_at": early, "expires_at": late})).await;
    }
}
