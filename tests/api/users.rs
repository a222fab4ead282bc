//! Users: who they are, what may be changed about them, and what goes with them when they leave.

use harness::on_each_database;
use harness::service::Service;
use serde_json::json;

/// Ids that belong to nobody; the last three are not ids at all.
const UNKNOWN_IDS: [&str; 6] = ["999999", "0", "-1", "abc", "1.5", "92233720368547758080"];

on_each_database! {
    async fn a_created_user_is_answered_with_an_id_and_a_time(service: Service) {
        let answer = service
            .post(
                "/users",
                json!({"username": "ada", "email": "ada@example.com"}),
            )
            .await;

        assert_eq!(answer.status, 201, "{}", answer.text());
        let user = answer.json();
        assert!(user["id"].as_i64().is_some_and(|id| id >= 1), "{user}");
        assert_eq!(user["username"], "ada");
        assert_eq!(user["email"], "ada@example.com");
        assert!(user["created_at"].is_string(), "{user}");
    }

    async fn a_user_is_found_by_id_as_it_was_created(service: Service) {
        let created = service
            .post(
                "/users",
                json!({"username": "Zoë 李", "email": "zoe@example.com"}),
            )
            .await
            .json();

        let found = service.get(&format!("/users/{}", created["id"])).await;

        assert_eq!(found.status, 200);
        assert_eq!(found.json(), created);
    }

    async fn keys_that_a_user_does_not_have_are_ignored(service: Service) {
        let body = json!({
            "id": 4711, "username": "ada", "email": "ada@example.com", "is_admin": true,
        });

        let answer = service.post("/users", body).await;

        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_ne!(answer.json()["id"], 4711);
    }

    async fn an_email_belongs_to_one_user_only(service: Service) {
        let first = service
            .post(
                "/users",
                json!({"username": "ada", "email": "ada@example.com"}),
            )
            .await
            .json();

        let second = service
            .post(
                "/users",
                json!({"username": "other", "email": "ada@example.com"}),
            )
            .await;

        second.assert_problem(409);
        assert_eq!(service.get("/users").await.json(), json!([first]));
    }

    async fn a_username_may_be_borne_by_many(service: Service) {
        let first = service
            .post(
                "/users",
                json!({"username": "ada", "email": "ada@example.com"}),
            )
            .await;
        let second = service
            .post(
                "/users",
                json!({"username": "ada", "email": "lovelace@example.com"}),
            )
            .await;

        assert_eq!((first.status, second.status), (201, 201));
        assert_ne!(first.json()["id"], second.json()["id"]);
    }

    async fn users_are_listed_by_ascending_id(service: Service) {
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(service.create_user().await);
        }

        let listed = service.get("/users").await.json();

        let listed: Vec<_> = listed
            .as_array()
            .expect("an array")
            .iter()
            .filter_map(|user| user["id"].as_i64())
            .collect();
        assert_eq!(listed, ids);
        assert!(ids.is_sorted(), "{ids:?}");
    }

    async fn an_unknown_user_is_not_found(service: Service) {
        service.create_user().await;

        for id in UNKNOWN_IDS {
            let path = format!("/users/{id}");
            service.get(&path).await.assert_problem(404);
            service
                .put(&path, json!({"username": "ada"}))
                .await
                .assert_problem(404);
            service.delete(&path).await.assert_problem(404);
        }
    }

    async fn a_change_of_one_field_leaves_the_other_alone(service: Service) {
        let before = service
            .post(
                "/users",
                json!({"username": "ada", "email": "ada@example.com"}),
            )
            .await
            .json();
        let path = format!("/users/{}", before["id"]);

        let renamed = service.put(&path, json!({"username": "countess"})).await;
        assert_eq!(renamed.status, 200, "{}", renamed.text());
        assert_eq!(renamed.json()["username"], "countess");
        assert_eq!(renamed.json()["email"], "ada@example.com");

        let moved = service
            .put(&path, json!({"email": "countess@example.com"}))
            .await;
        assert_eq!(moved.status, 200, "{}", moved.text());
        assert_eq!(moved.json()["username"], "countess");
        assert_eq!(moved.json()["email"], "countess@example.com");

        let found = service.get(&path).await.json();
        assert_eq!(found, moved.json());
        assert_eq!(found["id"], before["id"]);
        assert_eq!(found["created_at"], before["created_at"]);
    }

    async fn both_fields_may_be_changed_at_once(service: Service) {
        let path = format!("/users/{}", service.create_user().await);

        let answer = service
            .put(
                &path,
                json!({"username": "countess", "email": "countess@example.com", "shoe_size": 38}),
            )
            .await;

        assert_eq!(answer.status, 200, "{}", answer.text());
        let found = service.get(&path).await.json();
        assert_eq!(found["username"], "countess");
        assert_eq!(found["email"], "countess@example.com");
    }

    async fn a_change_to_the_email_of_another_user_is_a_conflict(service: Service) {
        service
            .post(
                "/users",
                json!({"username": "ada", "email": "ada@example.com"}),
            )
            .await;
        let before = service
            .post(
                "/users",
                json!({"username": "bob", "email": "bob@example.com"}),
            )
            .await
            .json();
        let path = format!("/users/{}", before["id"]);

        service
            .put(
                &path,
                json!({"username": "robert", "email": "ada@example.com"}),
            )
            .await
            .assert_problem(409);

        assert_eq!(
            service.get(&path).await.json(),
            before,
            "a refused change must change nothing"
        );
    }

    async fn a_user_may_keep_their_own_email_in_a_change(service: Service) {
        let before = service
            .post(
                "/users",
                json!({"username": "ada", "email": "ada@example.com"}),
            )
            .await
            .json();

        let answer = service
            .put(
                &format!("/users/{}", before["id"]),
                json!({"username": "a", "email": "ada@example.com"}),
            )
            .await;

        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["username"], "a");
    }

    async fn the_email_that_a_change_gave_up_is_free(service: Service) {
        let user = service
            .post(
                "/users",
                json!({"username": "ada", "email": "old@example.com"}),
            )
            .await
            .json();
        service
            .put(
                &format!("/users/{}", user["id"]),
                json!({"email": "new@example.com"}),
            )
            .await;

        let old = service
            .post(
                "/users",
                json!({"username": "bob", "email": "old@example.com"}),
            )
            .await;
        let new = service
            .post(
                "/users",
                json!({"username": "eve", "email": "new@example.com"}),
            )
            .await;

        assert_eq!(old.status, 201, "{}", old.text());
        new.assert_problem(409);
    }

    async fn a_deleted_user_is_gone(service: Service) {
        let kept = service.create_user().await;
        let gone = service.create_user().await;
        let path = format!("/users/{gone}");

        let answer = service.delete(&path).await;

        assert_eq!(answer.status, 204);
        assert!(answer.body.is_empty());
        service.get(&path).await.assert_problem(404);
        service
            .put(&path, json!({"username": "ghost"}))
            .await
            .assert_problem(404);
        service.delete(&path).await.assert_problem(404);
        let listed = service.get("/users").await;
        assert_eq!(listed.json().as_array().map(Vec::len), Some(1));
        assert_eq!(listed.json()[0]["id"], kept);
        assert_eq!(listed.header("x-total-count"), Some("1"));
    }

    async fn a_deleted_user_takes_their_urls_along(service: Service) {
        let leaver = service.create_user().await;
        let stayer = service.create_user().await;
        let first = service.create_url(leaver, "https://example.com/1").await;
        let second = service.create_url(leaver, "https://example.com/2").await;
        let other = service.create_url(stayer, "https://example.com/3").await;
        let redirect =
            |url: &serde_json::Value| format!("/{}", url["short_code"].as_str().expect("a code"));
        // Cached by this visit, so that the deletion has a cache to drop it from.
        assert_eq!(service.get(&redirect(&first)).await.status, 302);

        assert_eq!(
            service.delete(&format!("/users/{leaver}")).await.status,
            204
        );

        for url in [&first, &second] {
            service.get(&redirect(url)).await.assert_problem(404);
            service
                .get(&format!("/urls/{}", url["id"]))
                .await
                .assert_problem(404);
            let events = service
                .get(&format!("/events?url_id={}&event_type=deleted", url["id"]))
                .await
                .json();
            assert_eq!(events.as_array().map(Vec::len), Some(1), "{events}");
            assert_eq!(events[0]["details"], json!({"reason": "user_deleted"}));
            assert_eq!(events[0]["user_id"], leaver);
        }
        assert_eq!(service.get(&redirect(&other)).await.status, 302);
        assert_eq!(service.get("/urls").await.json(), json!([other]));
    }

    async fn an_email_may_be_used_again_after_its_user_left(service: Service) {
        let body = json!({"username": "ada", "email": "ada@example.com"});
        let first = service.post("/users", body.clone()).await.json();
        service.delete(&format!("/users/{}", first["id"])).await;

        let second = service.post("/users", body).await;

        assert_eq!(second.status, 201, "{}", second.text());
        assert!(
            second.json()["id"].as_i64() > first["id"].as_i64(),
            "an id is never given out twice"
        );
        service
            .get(&format!("/users/{}", first["id"]))
            .await
            .assert_problem(404);
    }

    async fn a_deleted_user_creates_nothing(service: Service) {
        let id = service.create_user().await;
        service.delete(&format!("/users/{id}")).await;

        let answer = service
            .post(
                "/urls",
                json!({"user_id": id, "original_url": "https://example.com/", "title": "late"}),
            )
            .await;

        answer.assert_problem(404);
        assert_eq!(service.get("/urls").await.json(), json!([]));
    }
}
