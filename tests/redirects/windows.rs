//! From when until when a short URL leads on, and what people and programs are told when it does not.

use harness::{answer::Answer, eventually, service::Service};
use serde_json::{Value, json};

use crate::links::{
    BROWSER, SOON, ask, assert_leads_to, change, clicks, create, in_seconds, path, resource,
};

const TARGET: &str = "https://example.com/";

/// The paths that lead on from `url`.
fn ways(url: &Value) -> [String; 3] {
    let code = path(url);
    [
        code.clone(),
        format!("/urls{code}/redirect"),
        format!("/api/v1/urls{code}/redirect"),
    ]
}

/// Whatever may still be remembered of the URL is remembered when this is done.
async fn follow_twice(service: &Service, url: &Value) {
    for _ in 0..2 {
        assert_leads_to(&service.get(&path(url)).await, TARGET);
    }
}

#[track_caller]
fn assert_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    let media_type = answer.header("content-type").unwrap_or_default();
    assert!(media_type.starts_with("text/html"), "{answer:?}");
    assert!(answer.text().contains("<html"), "{answer:?}");
    assert_eq!(answer.header("location"), None);
}

/// People get a page, programs a problem document, and everybody the same status.
async fn is_refused(service: &Service, url: &Value, status: u16) {
    for path in ways(url) {
        assert_page(&ask(service, &path, BROWSER).await, status);
        for accept in ["*/*", "application/json", ""] {
            ask(service, &path, accept).await.assert_problem(status);
        }
        let head = service.head(&path).await;
        assert_eq!((head.status, head.body.len()), (status, 0), "HEAD {path}");
    }
}

harness::on_each_database! {
    async fn an_expired_url_is_gone(service: Service) {
        let url = create(&service, TARGET, json!({"expires_at": in_seconds(-1)})).await;
        is_refused(&service, &url, 410).await;
        assert_eq!(clicks(&service, &url).await, 0);

        change(&service, &url, json!({"expires_at": in_seconds(3_600)})).await;
        follow_twice(&service, &url).await;
        change(&service, &url, json!({"expires_at": in_seconds(-1)})).await;
        is_refused(&service, &url, 410).await;
        change(&service, &url, json!({"expires_at": null})).await;
        follow_twice(&service, &url).await;
        assert_eq!(clicks(&service, &url).await, 4);
    }

    async fn a_url_that_has_not_started_is_not_found(service: Service) {
        let url = create(&service, TARGET, json!({"starts_at": in_seconds(3_600)})).await;
        is_refused(&service, &url, 404).await;
        assert_eq!(clicks(&service, &url).await, 0);

        change(&service, &url, json!({"starts_at": in_seconds(-1)})).await;
        follow_twice(&service, &url).await;
        change(&service, &url, json!({"starts_at": in_seconds(3_600)})).await;
        is_refused(&service, &url, 404).await;
        change(&service, &url, json!({"starts_at": null})).await;
        follow_twice(&service, &url).await;
    }

    async fn time_alone_starts_and_ends_what_is_remembered(service: Service) {
        let (starts_at, expires_at) = (in_seconds(1), in_seconds(4));
        let window = json!({"starts_at": starts_at, "expires_at": expires_at});
        let url = create(&service, TARGET, window).await;
        let status = async || service.get(&path(&url)).await.status;
        assert_eq!(status().await, 404);
        eventually::holds("it starts", SOON, async || status().await == 302).await;
        assert!(in_seconds(0) >= starts_at, "not before its time");
        eventually::holds("it ends", SOON, async || status().await == 410).await;
        assert!(in_seconds(0) >= expires_at, "not before its time");
        is_refused(&service, &url, 410).await;
    }

    async fn what_is_inactive_or_deleted_is_not_found_even_when_it_has_expired(service: Service) {
        let url = create(&service, TARGET, json!({"expires_at": in_seconds(-1)})).await;
        change(&service, &url, json!({"is_active": false})).await;
        is_refused(&service, &url, 404).await;
        change(&service, &url, json!({"is_active": true})).await;
        is_refused(&service, &url, 410).await;
        assert_eq!(service.delete(&resource(&url)).await.status, 204);
        is_refused(&service, &url, 404).await;
    }
}
