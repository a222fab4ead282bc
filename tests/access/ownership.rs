//! A user's key sees and changes what is that user's. To it, nothing else exists.

use harness::on_each_database;
use serde_json::{Value, json};

use crate::keyed::{ADMIN, Keyed, User, number, text};

/// Two users with two URLs each, one of which was followed.
struct Neighbours {
    keyed: Keyed,
    ada: User,
    bob: User,
    of_ada: [Value; 2],
    of_bob: [Value; 2],
}

impl Neighbours {
    async fn fresh(backend: harness::database::Backend) -> Self {
        let keyed = Keyed::fresh(backend).await;
        let (ada, bob) = (keyed.user().await, keyed.user().await);
        let of_ada = [keyed.url(ada.id).await, keyed.url(ada.id).await];
        let of_bob = [keyed.url(bob.id).await, keyed.url(bob.id).await];
        for url in [&of_ada[0], &of_ada[1], &of_bob[0]] {
            follow(&keyed, url).await;
        }
        Self {
            keyed,
            ada,
            bob,
            of_ada,
            of_bob,
        }
    }
}

/// One and the same visitor, with a browser.
async fn follow(keyed: &Keyed, url: &Value) {
    let path = format!("/{}", text(&url["short_code"]));
    let request = keyed.service.request(reqwest::Method::GET, &path).header(
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    );
    assert_eq!(keyed.service.send(request).await.status, 302);
}

fn ids(list: &Value) -> Vec<i64> {
    let mut ids: Vec<_> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| number(&row["id"]))
        .collect();
    ids.sort_unstable();
    ids
}

on_each_database! {
    async fn lists_show_what_is_ones_own(at: Neighbours) {
        let own: Vec<_> = at.of_ada.iter().map(|url| number(&url["id"])).collect();
        let answer = at.keyed.get(&at.ada.key, "/urls").await;
        assert_eq!(ids(&answer.json()), own);
        assert_eq!(answer.header("x-total-count"), Some("2"));
        for (query, expected) in [
            (format!("?user_id={}", at.ada.id), own.clone()),
            (format!("?user_id={}", at.bob.id), Vec::new()),
            ("?is_active=true".to_owned(), own.clone()),
            ("?user_id=0".to_owned(), Vec::new()),
        ] {
            let answer = at.keyed.get(&at.ada.key, &format!("/urls{query}")).await;
            assert_eq!(ids(&answer.json()), expected, "{query}");
        }
        assert_eq!(ids(&at.keyed.get(&at.ada.key, "/users").await.json()), [at.ada.id]);
        let all = at.keyed.get(ADMIN, "/urls").await;
        assert_eq!(ids(&all.json()).len(), 4);
        assert_eq!(ids(&at.keyed.get(ADMIN, "/users").await.json()).len(), 2);
    }

    async fn events_are_ones_own(at: Neighbours) {
        let users = |list: Value| -> Vec<i64> {
            list.as_array().unwrap().iter().map(|event| number(&event["user_id"])).collect()
        };
        // Two were created and followed; of Bob's, one was followed.
        let own = users(at.keyed.get(&at.ada.key, "/events").await.json());
        assert_eq!(own, [at.ada.id; 4]);
        let clicks = at.keyed.get(&at.bob.key, "/events?event_type=click").await;
        assert_eq!(users(clicks.json()), [at.bob.id]);
        for query in [
            format!("?url_id={}", at.of_bob[0]["id"]),
            format!("?user_id={}", at.bob.id),
        ] {
            let answer = at.keyed.get(&at.ada.key, &format!("/events{query}")).await;
            assert_eq!(answer.json(), json!([]), "{query}");
        }
    }

    async fn an_event_is_reported_of_ones_own_url_and_in_ones_own_name(at: Neighbours) {
        for (url, user, expected) in [
            (&at.of_ada[0], &at.ada, 201),
            (&at.of_bob[0], &at.ada, 404),
            (&at.of_ada[0], &at.bob, 404),
        ] {
            let event = json!({"url_id": url["id"], "user_id": user.id, "event_type": "seen"});
            let answer = at.keyed.post(&at.ada.key, "/events", event).await;
            assert_eq!(answer.status, expected, "{answer:?}");
        }
    }

    async fn statistics_are_of_ones_own_urls_and_count_a_visitor_once(at: Neighbours) {
        let of = async |key: &str, query: &str| {
            let answer = at.keyed.get(key, &format!("/stats{query}")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let stats = answer.json();
            (number(&stats["clicks"]), number(&stats["unique_visitors"]))
        };
        // One visitor followed both of Ada's.
        assert_eq!(of(&at.ada.key, "").await, (2, 1));
        assert_eq!(of(&at.bob.key, "").await, (1, 1));
        assert_eq!(of(&at.ada.key, &format!("?user_id={}", at.bob.id)).await, (0, 0));
        assert_eq!(of(ADMIN, "").await, (3, 1));
        assert_eq!(of(ADMIN, &format!("?user_id={}", at.ada.id)).await, (2, 1));
    }

    async fn what_is_anothers_does_not_change(at: Neighbours) {
        let path = format!("/urls/{}", at.of_bob[0]["id"]);
        let key = &at.ada.key;
        at.keyed.put(key, &path, json!({"title": "mine"})).await.assert_problem(404);
        at.keyed.delete(key, &path).await.assert_problem(404);
        let other = json!({"user_id": at.bob.id, "original_url": "https://example.com/"});
        at.keyed.post(key, "/urls", other).await.assert_problem(404);
        let user = format!("/users/{}", at.bob.id);
        at.keyed.put(key, &user, json!({"username": "mine"})).await.assert_problem(404);

        assert_eq!(at.keyed.get(&at.bob.key, &path).await.json(), at.of_bob[0]);
        assert_eq!(ids(&at.keyed.get(&at.bob.key, "/urls").await.json()).len(), 2);
        assert_ne!(at.keyed.get(&at.bob.key, &user).await.json()["username"], "mine");
    }

    async fn a_batch_reaches_what_is_ones_own(at: Neighbours) {
        let [own, others] = [&at.of_ada[0], &at.of_bob[0]].map(|url| url["id"].clone());
        let new = |user: i64| json!({"user_id": user, "original_url": "https://example.com/"});
        let answer = at.keyed.post(&at.ada.key, "/urls/batch", json!({"operations": [
            {"op": "update", "id": own, "url": {"title": "mine"}},
            {"op": "update", "id": others, "url": {"title": "mine"}},
            {"op": "delete", "id": others},
            {"op": "create", "url": new(at.ada.id)},
            {"op": "create", "url": new(at.bob.id)},
            {"op": "delete", "id": 999_999},
        ]})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let results = answer.json()["results"].clone();
        let statuses: Vec<_> = results.as_array().unwrap().iter().map(|result| number(&result["status"])).collect();
        assert_eq!(statuses, [200, 404, 404, 201, 404, 404]);
        assert_eq!(results[2], results[5], "nobody can find out which ids exist");
        let path = format!("/urls/{}", at.of_bob[0]["id"]);
        assert_eq!(at.keyed.get(&at.bob.key, &path).await.json(), at.of_bob[0]);
        assert_eq!(ids(&at.keyed.get(&at.bob.key, "/urls").await.json()).len(), 2);
    }

    async fn what_an_admin_has_deleted_its_owner_cannot_restore(at: Neighbours) {
        for (number, url) in at.of_bob.iter().enumerate() {
            let path = format!("/urls/{}", url["id"]);
            let restore = format!("{path}/restore");
            if number == 0 {
                assert_eq!(at.keyed.delete(ADMIN, &path).await.status, 204);
            } else {
                let batch = json!({"operations": [{"op": "delete", "id": url["id"]}]});
                assert_eq!(at.keyed.post(ADMIN, "/urls/batch", batch).await.status, 200);
            }
            for _ in 0..2 {
                let problem = at.keyed.post(&at.bob.key, &restore, json!({})).await.assert_problem(403);
                assert!(text(&problem["detail"]).contains("admin"), "{problem}");
            }
            at.keyed.post(&at.ada.key, &restore, json!({})).await.assert_problem(404);
            assert_eq!(at.keyed.post(ADMIN, &restore, json!({})).await.status, 200);
            // From then on it is as any other.
            assert_eq!(at.keyed.delete(&at.bob.key, &path).await.status, 204);
            assert_eq!(at.keyed.post(&at.bob.key, &restore, json!({})).await.status, 200);
        }
    }

    async fn what_was_deleted_is_seen_and_restored_by_its_owner(at: Neighbours) {
        let path = format!("/urls/{}", at.of_bob[0]["id"]);
        assert_eq!(at.keyed.delete(&at.bob.key, &path).await.status, 204);
        for (key, seen) in [(at.ada.key.as_str(), 0), (at.bob.key.as_str(), 1), (ADMIN, 1)] {
            let listed = at.keyed.get(key, "/urls?deleted=true").await.json();
            assert_eq!(ids(&listed).len(), seen);
        }
        let restore = format!("{path}/restore");
        at.keyed.post(&at.ada.key, &restore, json!({})).await.assert_problem(404);
        assert_eq!(at.keyed.post(&at.bob.key, &restore, json!({})).await.status, 200);
    }

    async fn two_callers_may_have_the_same_idempotency_key(at: Neighbours) {
        for user in [&at.ada, &at.bob] {
            let request = at.keyed.service.request(reqwest::Method::POST, "/urls");
            let body = json!({"user_id": user.id, "original_url": "https://example.com/"});
            let request = request.bearer_auth(&user.key).header("idempotency-key", "the same");
            let answer = at.keyed.service.send(request.json(&body)).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            assert_eq!(answer.header("idempotency-replayed"), None);
            assert_eq!(answer.json()["user_id"], user.id);
        }
    }

    async fn what_is_anothers_is_refused_as_what_does_not_exist(at: Neighbours) {
        // Nobody can find out which ids exist.
        for (other, nothing) in [
            (format!("/urls/{}", at.of_bob[0]["id"]), "/urls/999999".to_owned()),
            (format!("/urls/{}/stats", at.of_bob[0]["id"]), "/urls/999999/stats".to_owned()),
            (format!("/users/{}", at.bob.id), "/users/999999".to_owned()),
        ] {
            let other = at.keyed.get(&at.ada.key, &other).await;
            let nothing = at.keyed.get(&at.ada.key, &nothing).await;
            assert_eq!(other.status, 404);
            assert_eq!(other.text(), nothing.text());
        }
    }

    async fn a_user_may_change_their_name_but_not_leave(at: Neighbours) {
        let path = format!("/users/{}", at.ada.id);
        let answer = at.keyed.put(&at.ada.key, &path, json!({"username": "countess"})).await;
        assert_eq!(answer.json()["username"], "countess", "{answer:?}");
        at.keyed.delete(&at.ada.key, &path).await.assert_problem(403);
    }
}
