//! Times: ISO 8601 in UTC everywhere, taken from the clock of the service, and in order.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harness::on_each_database;
use harness::service::Service;
use serde_json::{Value, json};

/// Seconds since 1970 of a time such as `2026-01-31T08:15:30.123456Z`.
#[track_caller]
fn seconds(time: &Value) -> u64 {
    let text = time.as_str().expect("a time is a text");
    let bytes = text.as_bytes();
    let pattern = b"dddd-dd-ddTdd:dd:dd";
    let fits = bytes.len() > pattern.len()
        && bytes.iter().zip(pattern).all(|(byte, kind)| {
            if *kind == b'd' {
                byte.is_ascii_digit()
            } else {
                byte == kind
            }
        });
    assert!(fits && text.ends_with('Z'), "not ISO 8601 in UTC: {text}");
    let fraction = &text[pattern.len()..text.len() - 1];
    let fraction_fits = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|digits| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
    assert!(fraction_fits, "not a fraction of a second: {text}");

    let number = |from: usize, to: usize| text[from..to].parse::<u64>().expect("digits");
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Counts from March, so that the day that comes and goes is the last of the year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    days * 86_400 + number(11, 13) * 3_600 + number(14, 16) * 60 + number(17, 19)
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970")
}

#[test]
fn seconds_are_counted_as_the_calendar_has_them() {
    for (time, expected) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T12:00:00.5Z", 951_825_600),
        ("2025-11-02T16:29:04Z", 1_762_100_944),
        ("2026-12-31T23:59:59.999999Z", 1_798_761_599),
    ] {
        assert_eq!(seconds(&time.into()), expected, "{time}");
    }
}

on_each_database! {
    async fn every_time_is_iso_8601_in_utc_and_true(service: Service) {
        let started = now().as_secs();
        let user = service
            .post(
                "/users",
                json!({"username": "ada", "email": "ada@example.com"}),
            )
            .await
            .json();
        let url = service
            .post(
                "/urls",
                json!({"user_id": user["id"], "original_url": "https://example.com/"}),
            )
            .await
            .json();
        service
            .get(&format!("/{}", url["short_code"].as_str().expect("a code")))
            .await;
        service
            .put(&format!("/urls/{}", url["id"]), json!({"title": "x"}))
            .await;
        let logged = service.post("/events", json!({
            "event_type": "click", "url_id": url["id"], "user_id": user["id"], "details": {},
        })).await.json();
        let events = service.get("/events").await.json();
        assert_eq!(events.as_array().map(Vec::len), Some(4), "{events}");
        let ended = now().as_secs();

        let mut times = vec![
            &user["created_at"],
            &url["created_at"],
            &url["updated_at"],
            &logged["timestamp"],
        ];
        times.extend(
            events
                .as_array()
                .expect("an array")
                .iter()
                .map(|event| &event["timestamp"]),
        );
        for time in times {
            assert!(
                (started..=ended).contains(&seconds(time)),
                "{time} is not between {started} and {ended}"
            );
        }
    }

    async fn a_new_url_was_last_changed_when_it_was_made(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        assert_eq!(url["updated_at"], url["created_at"]);
    }

    async fn a_time_is_the_same_wherever_it_is_told(service: Service) {
        let user = service
            .post(
                "/users",
                json!({"username": "ada", "email": "ada@example.com"}),
            )
            .await
            .json();
        let url = service
            .create_url(user["id"].as_i64().expect("an id"), "https://example.com/")
            .await;

        assert_eq!(
            service.get("/users").await.json()[0]["created_at"],
            user["created_at"]
        );
        assert_eq!(
            service.get("/urls").await.json()[0]["created_at"],
            url["created_at"]
        );
        assert_eq!(
            service.get(&format!("/urls/{}", url["id"])).await.json()["updated_at"],
            url["updated_at"]
        );
    }
}
