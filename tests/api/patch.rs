//! Merge patches (RFC 7396): a field is set, null takes it away, what is not named stays.

use harness::{answer::Answer, on_each_database, service::Service};
use reqwest::Method;
use serde_json::{Value, json};

const MERGE_PATCH: &str = "application/merge-patch+json";

async fn patch(service: &Service, path: &str, media_type: &str, body: &str) -> Answer {
    let request = service
        .request(Method::PATCH, path)
        .header("content-type", media_type)
        .body(body.to_owned());
    service.send(request).await
}

/// Patches what is there, and returns what it is then.
async fn patched(service: &Service, path: &str, body: Value) -> Value {
    let answer = patch(service, path, MERGE_PATCH, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.text());
    assert_eq!(service.get(path).await.json(), answer.json());
    answer.json()
}

/// The path of a new URL that has everything.
async fn full_url(service: &Service) -> String {
    let user = service.create_user().await;
    let body = json!({
        "user_id": user, "original_url": "https://example.com/", "title": "A title", "max_clicks": 5,
        "starts_at": "2026-01-01T00:00:00Z", "expires_at": "2999-01-01T00:00:00Z",
    });
    let answer = service.post("/urls", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    format!("/urls/{}", answer.json()["id"])
}

on_each_database! {
    async fn null_takes_a_field_away_and_what_is_not_named_stays(service: Service) {
        let path = full_url(&service).await;
        for field in ["expires_at", "starts_at", "max_clicks", "title"] {
            let before = service.get(&path).await.json();
            assert!(!before[field].is_null(), "{field}: {before}");
            let mut expected = before;
            let after = patched(&service, &path, json!({field: null})).await;
            expected[field] = Value::Null;
            for moved in ["updated_at", "version"] {
                assert_ne!(after[moved], expected[moved], "{field}");
                expected[moved] = after[moved].clone();
            }
            assert_eq!(after, expected, "{field}");
        }
    }

    async fn a_field_is_set_and_obeyed(service: Service) {
        let path = full_url(&service).await;
        let code = service.get(&path).await.json()["short_code"].clone();
        let code = format!("/{}", code.as_str().expect("a code"));
        assert_eq!(service.get(&code).await.status, 302);

        let new = "https://example.com/new";
        let after = patched(&service, &path, json!({"original_url": new, "status": 307})).await;
        assert_eq!((&after["original_url"], &after["status"]), (&json!(new), &json!(307)));
        let followed = service.get(&code).await;
        assert_eq!((followed.status, followed.header("location")), (307, Some(new)));

        patched(&service, &path, json!({"is_active": false})).await;
        assert_eq!(service.get(&code).await.status, 404);
    }

    async fn a_user_is_patched(service: Service) {
        let path = format!("/users/{}", service.create_user().await);
        let before = service.get(&path).await.json();
        let after = patched(&service, &path, json!({"username": "countess"})).await;
        assert_eq!(after["username"], "countess");
        assert_eq!(after["email"], before["email"]);

        let other = format!("/users/{}", service.create_user().await);
        let taken = json!({"email": before["email"]}).to_string();
        let problem = patch(&service, &other, MERGE_PATCH, &taken).await.assert_problem(409);
        assert!(problem["errors"]["email"].is_string(), "{problem}");
    }

    async fn a_patch_that_names_nothing_changes_nothing(service: Service) {
        let user = format!("/users/{}", service.create_user().await);
        for path in [full_url(&service).await, user] {
            let before = service.get(&path).await.json();
            assert_eq!(patched(&service, &path, json!({})).await, before, "{path}");
        }
        for path in ["/urls/999999", "/users/999999"] {
            patch(&service, path, MERGE_PATCH, "{}").await.assert_problem(404);
        }
    }

    async fn each_wrong_field_is_named(service: Service) {
        let url = full_url(&service).await;
        let user = format!("/users/{}", service.create_user().await);
        for (path, fields) in [
            (&url, json!({
                "title": 7, "is_active": null, "original_url": null, "status": 200, "forward_query": "yes",
                "starts_at": "tomorrow", "expires_at": 7, "max_clicks": 0, "short_code": "other", "user_id": 7,
                "id": 7, "version": 7, "created_at": null, "updated_at": null,
            })),
            (&user, json!({"username": null, "email": "nonsense", "id": 7, "created_at": null, "version": 7})),
        ] {
            let before = service.get(path).await.json();
            for (field, value) in fields.as_object().expect("an object") {
                let body = json!({field: value}).to_string();
                let answer = patch(&service, path, MERGE_PATCH, &body).await;
                let problem = answer.assert_problem(422);
                assert!(problem["errors"][field].is_string(), "{body}: {problem}");
            }
            assert_eq!(service.get(path).await.json(), before);
        }
    }

    async fn times_that_make_no_sense_together_are_refused(service: Service) {
        let url = full_url(&service).await;
        let body = json!({"starts_at": "2999-01-02T00:00:00Z"}).to_string();
        let answer = patch(&service, &url, MERGE_PATCH, &body).await;
        let problem = answer.assert_problem(422);
        assert!(problem["errors"]["starts_at"].is_string(), "{problem}");
    }

    async fn only_merge_patches_are_taken(service: Service) {
        let user = format!("/users/{}", service.create_user().await);
        for path in [full_url(&service).await, user] {
            for media_type in ["application/json", "Application/Merge-Patch+JSON; charset=utf-8"] {
                assert_eq!(patch(&service, &path, media_type, "{}").await.status, 200);
            }
            for media_type in ["application/json-patch+json", "text/plain", "application/problem+json"] {
                let answer = patch(&service, &path, media_type, "{}").await;
                answer.assert_problem(415);
                let accepted = answer.header("accept-patch");
                assert_eq!(accepted, Some("application/merge-patch+json, application/json"));
            }
            for (body, status) in [("", 400), ("{", 400), ("[]", 422), ("null", 422), ("\"x\"", 422)] {
                patch(&service, &path, MERGE_PATCH, body).await.assert_problem(status);
            }
        }
    }

    async fn a_patch_of_another_version_is_refused(service: Service) {
        let user = format!("/users/{}", service.create_user().await);
        for (path, body) in [
            (full_url(&service).await, json!({"title": "x"})),
            (user, json!({"username": "x"})),
        ] {
            for (body, value, status) in [
                (&body, "\"7\"", 412),
                (&json!({}), "\"7\"", 412),
                (&body, "\"1\"", 200),
                (&body, "\"1\"", 412),
            ] {
                let request = service.request(Method::PATCH, &path).header("if-match", value);
                let answer = service.send(request.json(body)).await;
                assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
            }
        }
    }
}
