//! Deleted URLs: they are listed for who asks for them, and come back as they were.

use harness::{
    database::{Backend, Database},
    on_each_database,
    service::Service,
};
use reqwest::Method;
use serde_json::{Value, json};

async fn deleted(service: &Service, query: &str) -> Vec<i64> {
    let answer = service.get(&format!("/urls?deleted=true{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let listed = answer.json();
    let listed = listed.as_array().expect("an array");
    assert_eq!(
        answer.header("x-total-count"),
        Some(listed.len().to_string().as_str())
    );
    listed.iter().filter_map(|url| url["id"].as_i64()).collect()
}

fn id(url: &Value) -> i64 {
    url["id"].as_i64().expect("an id")
}

on_each_database! {
    async fn a_restored_url_is_what_it_was(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let (path, code) = (format!("/urls/{}", id(&url)), format!("/{}", url["short_code"].as_str().expect("a code")));
        assert_eq!(service.delete(&path).await.status, 204);
        assert_eq!(service.get(&code).await.status, 404);
        service.get(&path).await.assert_problem(404);

        let restored = service.post(&format!("{path}/restore"), json!({})).await;
        assert_eq!(restored.status, 200, "{}", restored.text());
        assert_eq!(restored.header("etag"), Some("\"3\""));
        let mut expected = url.clone();
        expected["version"] = json!(3);
        expected["updated_at"] = restored.json()["updated_at"].clone();
        assert_eq!(restored.json(), expected);
        assert_eq!(service.get(&path).await.json(), expected);
        assert_eq!(service.get(&code).await.status, 302);

        let events = service.get("/events?event_type=restored").await.json();
        assert_eq!((&events[0]["url_id"], &events[0]["details"]), (&url["id"], &json!({"reason": "user_requested"})));
    }

    async fn what_is_not_deleted_stays_as_it_is(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let restore = format!("/urls/{}/restore", id(&url));
        for _ in 0..2 {
            let answer = service.post(&restore, json!({})).await;
            assert_eq!((answer.status, answer.json()), (200, url.clone()));
        }
        assert_eq!(service.get("/events?event_type=restored").await.json(), json!([]));
        for unknown in ["999999", "0", "x"] {
            service.post(&format!("/urls/{unknown}/restore"), json!({})).await.assert_problem(404);
        }
    }

    async fn the_url_of_a_deleted_user_stays_deleted(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        assert_eq!(service.delete(&format!("/users/{user}")).await.status, 204);
        let answer = service.post(&format!("/urls/{}/restore", id(&url)), json!({})).await;
        let problem = answer.assert_problem(409);
        assert!(problem["errors"]["user_id"].is_string(), "{problem}");
    }

    async fn deleted_urls_are_listed_apart(service: Service) {
        let (one, other) = (service.create_user().await, service.create_user().await);
        let mut urls = Vec::new();
        for user in [one, one, other] {
            urls.push(service.create_url(user, "https://example.com/").await);
        }
        assert_eq!(deleted(&service, "").await, [0; 0]);
        for url in &urls[1..] {
            assert_eq!(service.delete(&format!("/urls/{}", id(url))).await.status, 204);
        }
        assert_eq!(deleted(&service, "").await, [id(&urls[1]), id(&urls[2])]);
        assert_eq!(deleted(&service, &format!("&user_id={one}")).await, [id(&urls[1])]);
        assert_eq!(service.get("/urls").await.json(), json!([urls[0]]));
        assert_eq!(service.get("/urls?deleted=false").await.json(), json!([urls[0]]));
        service.get("/urls?deleted=perhaps").await.assert_problem(422);
    }

    async fn a_restore_may_depend_on_the_version(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let path = format!("/urls/{}", id(&url));
        assert_eq!(service.delete(&path).await.status, 204);
        for (tag, status) in [("\"1\"", 412), ("\"2\"", 200)] {
            let request = service.request(Method::POST, &format!("{path}/restore"));
            let answer = service.send(request.header("if-match", tag)).await;
            assert_eq!(answer.status, status, "{tag}: {}", answer.text());
        }
    }

    async fn no_change_looks_older_than_the_one_before(database: Database) {
        let service = Service::start(&database).await;
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        // As when a clock was set back since.
        let future = match database.backend() {
            Backend::Sqlite => "4102444800000000",
            Backend::Postgres15 | Backend::Postgres18 => "'2100-01-01T00:00:00Z'",
        };
        database.execute(&format!("update url set updated_at = {future}")).await;
        let path = format!("/urls/{}", id(&url));
        let mut last = "2100-01-01T00:00:00Z".to_owned();
        let mut moves_on = |url: &Value| {
            let at = url["updated_at"].as_str().expect("a time").to_owned();
            assert!(at.trim_end_matches('Z') > last.trim_end_matches('Z'), "{at} after {last}");
            last = at;
        };
        for _ in 0..2 {
            assert_eq!(service.delete(&path).await.status, 204);
            moves_on(&service.get("/urls?deleted=true").await.json()[0]);
            let restored = service.post(&format!("{path}/restore"), json!({})).await;
            assert_eq!(restored.status, 200, "{}", restored.text());
            moves_on(&restored.json());
        }
    }
}
