//! Events: the log of what happened to URLs, written by the service and by its clients.

use harness::on_each_database;
use harness::service::Service;
use serde_json::{Value, json};

async fn list(service: &Service, query: &str) -> Vec<Value> {
    let answer = service.get(&format!("/events{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json().as_array().expect("an array").clone()
}

async fn events_of(service: &Service, url: &Value, event_type: &str) -> Vec<Value> {
    list(
        service,
        &format!("?url_id={}&event_type={event_type}&per_page=100", url["id"]),
    )
    .await
}

/// The `updated` events of a URL as (field, new value), oldest first.
async fn updates_of(service: &Service, url: &Value) -> Vec<(Value, Value)> {
    let mut events = events_of(service, url, "updated").await;
    events.reverse();
    events
        .iter()
        .map(|event| {
            (
                event["details"]["field"].clone(),
                event["details"]["new_value"].clone(),
            )
        })
        .collect()
}

on_each_database! {
    async fn nothing_has_happened_in_an_empty_database(service: Service) {
        assert_eq!(service.get("/events").await.json(), json!([]));
    }

    async fn a_creation_is_logged_with_code_and_url(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "http://exämple.com").await;

        let events = list(&service, "").await;

        let [event] = &events[..] else {
            panic!("one creation is one event: {events:?}")
        };
        assert!(event["id"].as_i64().is_some_and(|id| id >= 1), "{event}");
        assert_eq!(event["url_id"], url["id"]);
        assert_eq!(event["user_id"], user);
        assert_eq!(event["event_type"], "created");
        assert!(event["timestamp"].is_string(), "{event}");
        assert_eq!(
            event["details"],
            json!({"short_code": url["short_code"], "original_url": "http://exämple.com"})
        );
    }

    async fn a_refused_creation_is_not_logged(service: Service) {
        let user = service.create_user().await;
        let web = "https://example.com/";
        let body = json!({"user_id": user, "original_url": web, "short_code": "launch"});
        service.post("/urls", body.clone()).await;

        service.post("/urls", body).await.assert_problem(409);
        service
            .post(
                "/urls",
                json!({"user_id": 999_999, "original_url": "https://example.com/"}),
            )
            .await
            .assert_problem(404);
        service
            .post("/urls", json!({"user_id": user, "original_url": "bare"}))
            .await
            .assert_problem(422);

        assert_eq!(list(&service, "").await.len(), 1);
    }

    async fn a_change_is_logged_field_by_field(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/old").await;
        let path = format!("/urls/{}", url["id"]);

        service.put(&path, json!({"title": "New"})).await;
        service.put(&path, json!({"is_active": false})).await;
        service
            .put(&path, json!({"original_url": "https://example.com/new"}))
            .await;

        assert_eq!(
            updates_of(&service, &url).await,
            [
                (json!("title"), json!("New")),
                (json!("is_active"), json!(false)),
                (json!("original_url"), json!("https://example.com/new")),
            ]
        );
        for event in events_of(&service, &url, "updated").await {
            assert_eq!(event["user_id"], user);
        }
    }

    async fn a_change_of_three_fields_is_three_events(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/old").await;

        let change =
            json!({"original_url": "https://example.com/new", "is_active": false, "title": "New"});
        service.put(&format!("/urls/{}", url["id"]), change).await;

        let mut fields: Vec<_> = updates_of(&service, &url)
            .await
            .into_iter()
            .map(|(field, _)| field.to_string())
            .collect();
        fields.sort();
        assert_eq!(fields, ["\"is_active\"", "\"original_url\"", "\"title\""]);
    }

    async fn what_a_change_leaves_as_it_was_is_not_logged(service: Service) {
        let user = service.create_user().await;
        let url = service
            .post(
                "/urls",
                json!({"user_id": user, "original_url": "https://example.com/", "title": "Same"}),
            )
            .await
            .json();

        let change =
            json!({"title": "Same", "original_url": "https://example.com/", "is_active": false});
        let answer = service.put(&format!("/urls/{}", url["id"]), change).await;

        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            updates_of(&service, &url).await,
            [(json!("is_active"), json!(false))]
        );
    }

    async fn a_refused_change_is_not_logged(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        service
            .put(
                &format!("/urls/{}", url["id"]),
                json!({"title": "New", "original_url": "bare"}),
            )
            .await
            .assert_problem(422);

        assert_eq!(list(&service, "").await.len(), 1);
        assert_eq!(
            service.get(&format!("/urls/{}", url["id"])).await.json(),
            url
        );
    }

    async fn a_deletion_is_logged_once_with_its_reason(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let path = format!("/urls/{}", url["id"]);

        service.delete(&path).await;
        service.delete(&path).await.assert_problem(404);

        let events = events_of(&service, &url, "deleted").await;
        let [event] = &events[..] else {
            panic!("one deletion is one event: {events:?}")
        };
        assert_eq!(event["details"], json!({"reason": "user_requested"}));
        assert_eq!(event["user_id"], user);
        assert_eq!(
            events_of(&service, &url, "created").await.len(),
            1,
            "the past stays"
        );
    }

    async fn the_newest_event_comes_first(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let code = url["short_code"].as_str().expect("a code");
        // Clicks and the rest of the log are one list, however they are kept.
        service.get(&format!("/{code}")).await;
        list(&service, "").await;
        service
            .put(&format!("/urls/{}", url["id"]), json!({"title": "New"}))
            .await;
        service.get(&format!("/{code}")).await;
        list(&service, "").await;
        service.delete(&format!("/urls/{}", url["id"])).await;

        let events = list(&service, "").await;

        let types: Vec<_> = events
            .iter()
            .filter_map(|event| event["event_type"].as_str())
            .collect();
        assert_eq!(types, ["deleted", "click", "updated", "click", "created"]);
        let ids: Vec<_> = events.iter().map(|event| event["id"].as_i64()).collect();
        assert!(ids.is_sorted_by(|left, right| left > right), "{ids:?}");
    }

    async fn events_are_filtered_by_url_user_and_type(service: Service) {
        let (ada, bob) = (service.create_user().await, service.create_user().await);
        let first = service.create_url(ada, "https://example.com/1").await;
        let second = service.create_url(bob, "https://example.com/2").await;
        let third = service.create_url(ada, "https://example.com/3").await;
        for url in [&first, &second, &first] {
            service
                .get(&format!("/{}", url["short_code"].as_str().expect("a code")))
                .await;
        }
        service.delete(&format!("/urls/{}", third["id"])).await;

        for (query, count) in [
            (String::new(), 7),
            (format!("?url_id={}", first["id"]), 3),
            (format!("?url_id={}", third["id"]), 2),
            (format!("?user_id={ada}"), 5),
            (format!("?user_id={bob}"), 2),
            ("?event_type=created".to_owned(), 3),
            ("?event_type=click".to_owned(), 3),
            ("?event_type=deleted".to_owned(), 1),
            (format!("?user_id={ada}&event_type=click"), 2),
            (format!("?url_id={}&event_type=click", second["id"]), 1),
            (format!("?url_id={}&user_id={bob}", first["id"]), 0),
            (
                format!("?url_id={}&user_id={ada}&event_type=created", first["id"]),
                1,
            ),
            ("?url_id=999999".to_owned(), 0),
            ("?user_id=999999".to_owned(), 0),
        ] {
            assert_eq!(list(&service, &query).await.len(), count, "{query}");
        }
    }

    async fn a_client_may_log_an_event_with_details_of_its_own(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for event_type in ["click", "created", "updated", "deleted"] {
            for details in [
                json!({}),
                json!({"referrer": "https://x.example/", "deep": {"list": [1, 2.5, null, "ü"]}}),
            ] {
                let body = json!({
                    "event_type": event_type, "url_id": url["id"], "user_id": user,
                    "details": details, "an_unknown_key": 1,
                });

                let answer = service.post("/events", body).await;

                assert_eq!(answer.status, 201, "{event_type}: {}", answer.text());
                let event = answer.json();
                assert!(event["id"].is_i64(), "{event}");
                assert_eq!(event["event_type"], event_type);
                assert_eq!(event["url_id"], url["id"]);
                assert_eq!(event["user_id"], user);
                assert_eq!(event["details"], details);
                assert!(event["timestamp"].is_string(), "{event}");
                assert_eq!(
                    list(&service, "").await.first(),
                    Some(&event),
                    "the newest of the log"
                );
            }
        }
    }

    async fn a_logged_event_changes_nothing_but_the_log(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        let answer = service
            .post(
                "/events",
                json!({
                    "event_type": "deleted", "url_id": url["id"], "user_id": user,
                    "details": {"reason": "expired"},
                }),
            )
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text());

        assert_eq!(
            service.get(&format!("/urls/{}", url["id"])).await.json(),
            url
        );
        assert_eq!(
            service
                .get(&format!("/{}", url["short_code"].as_str().expect("a code")))
                .await
                .status,
            302
        );
    }

    async fn an_event_of_an_unknown_url_or_user_is_refused(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for (url_id, user_id) in [
            (json!(999_999), json!(user)),
            (json!(0), json!(user)),
            (json!(-1), json!(user)),
            (url["id"].clone(), json!(999_999)),
            (url["id"].clone(), json!(i64::MAX)),
            (json!(999_999), json!(999_999)),
        ] {
            let body =
                json!({"event_type": "click", "url_id": url_id, "user_id": user_id, "details": {}});
            service.post("/events", body).await.assert_problem(404);
        }
        assert_eq!(list(&service, "").await.len(), 1);
    }

    async fn an_event_of_a_deleted_url_is_refused(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        service.delete(&format!("/urls/{}", url["id"])).await;

        let answer = service
            .post(
                "/events",
                json!({"event_type": "click", "url_id": url["id"], "user_id": user, "details": {}}),
            )
            .await;

        answer.assert_problem(404);
    }
}
