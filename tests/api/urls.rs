//! URLs: what is answered about them, how they change, and that a deleted one stays deleted.

use harness::answer::Answer;
use harness::on_each_database;
use harness::service::Service;
use serde_json::{Value, json};

/// Ids that belong to no URL; the last three are not ids at all.
const UNKNOWN_IDS: [&str; 6] = ["999999", "0", "-1", "abc", "1.5", "92233720368547758080"];

/// What the contract says about a URL; an answer may say more.
const MEMBERS: [&str; 8] = [
    "id",
    "user_id",
    "short_code",
    "original_url",
    "title",
    "is_active",
    "created_at",
    "updated_at",
];

fn path_of(url: &Value) -> String {
    format!("/urls/{}", url["id"])
}

async fn follow(service: &Service, url: &Value) -> Answer {
    service
        .get(&format!("/{}", url["short_code"].as_str().expect("a code")))
        .await
}

/// A URL's time in a form that sorts: without its `Z`, more digits of a second are later.
fn instant<'a>(url: &'a Value, member: &str) -> &'a str {
    url[member]
        .as_str()
        .and_then(|time| time.strip_suffix('Z'))
        .expect("a time in UTC")
}

async fn ids(service: &Service, path: &str) -> Vec<i64> {
    let answer = service.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let listed = answer.json();
    let listed = listed.as_array().expect("an array");
    listed.iter().filter_map(|url| url["id"].as_i64()).collect()
}

on_each_database! {
    async fn a_created_url_is_answered_with_all_it_has(service: Service) {
        let user = service.create_user().await;

        let web = "https://example.com/a";
        let body = json!({"user_id": user, "original_url": web, "title": "An example"});
        let answer = service.post("/urls", body).await;

        assert_eq!(answer.status, 201, "{}", answer.text());
        let url = answer.json();
        assert!(url["id"].as_i64().is_some_and(|id| id >= 1), "{url}");
        assert_eq!(url["user_id"], user);
        assert!(url["short_code"].is_string(), "{url}");
        assert_eq!(url["original_url"], "https://example.com/a");
        assert_eq!(url["title"], "An example");
        assert_eq!(url["is_active"], true);
        assert!(url["created_at"].is_string(), "{url}");
        assert!(url["updated_at"].is_string(), "{url}");
        assert_eq!(service.get(&path_of(&url)).await.json(), url);
    }

    async fn a_url_without_a_title_answers_null_for_it(service: Service) {
        let user = service.create_user().await;

        for body in [
            json!({"user_id": user, "original_url": "https://example.com/"}),
            json!({"user_id": user, "original_url": "https://example.com/", "title": null}),
        ] {
            let answer = service.post("/urls", body.clone()).await;
            assert_eq!(answer.status, 201, "{body}: {}", answer.text());
            assert_eq!(answer.json().get("title"), Some(&Value::Null), "{body}");
        }
    }

    async fn the_original_url_is_answered_as_it_was_given(service: Service) {
        let user = service.create_user().await;

        for given in [
            "https://example.com",
            "HTTPS://EXAMPLE.com/Path",
            "http://exämple.com/ü?q=ö",
            "https://example.com:443/a/../b",
            "https://example.com/?a=1&a=2#fragment",
            "http://[2001:db8::1]:8080/",
        ] {
            let url = service.create_url(user, given).await;
            assert_eq!(url["original_url"], given);
            assert_eq!(
                service.get(&path_of(&url)).await.json()["original_url"],
                given
            );
        }
    }

    async fn the_same_original_url_twice_gives_two_urls_and_two_codes(service: Service) {
        let user = service.create_user().await;

        let first = service.create_url(user, "https://example.com/same").await;
        let second = service.create_url(user, "https://example.com/same").await;

        assert_ne!(first["id"], second["id"]);
        assert_ne!(first["short_code"], second["short_code"]);
        assert_eq!(follow(&service, &first).await.status, 302);
        assert_eq!(follow(&service, &second).await.status, 302);
    }

    async fn a_url_of_an_unknown_user_is_refused(service: Service) {
        service.create_user().await;

        for user in [0, -1, 999_999, i64::MAX] {
            let answer = service
                .post(
                    "/urls",
                    json!({"user_id": user, "original_url": "https://example.com/", "title": "x"}),
                )
                .await;
            answer.assert_problem(404);
        }
        assert_eq!(service.get("/urls").await.json(), json!([]));
    }

    async fn keys_that_a_url_does_not_have_are_ignored(service: Service) {
        let user = service.create_user().await;

        let answer = service.post("/urls", json!({
            "id": 4711, "user_id": user, "original_url": "https://example.com/", "created_at": 7,
        })).await;

        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_ne!(answer.json()["id"], 4711);
    }

    async fn an_unknown_url_is_not_found(service: Service) {
        let user = service.create_user().await;
        service.create_url(user, "https://example.com/").await;

        for id in UNKNOWN_IDS {
            let path = format!("/urls/{id}");
            service.get(&path).await.assert_problem(404);
            service
                .put(&path, json!({"title": "x"}))
                .await
                .assert_problem(404);
            service.delete(&path).await.assert_problem(404);
        }
    }

    async fn each_field_may_be_changed_alone(service: Service) {
        let user = service.create_user().await;
        let mut before = service.create_url(user, "https://example.com/old").await;
        let path = path_of(&before);

        for (field, value) in [
            ("title", json!("Another")),
            ("original_url", json!("https://example.com/new")),
            ("is_active", json!(false)),
            ("is_active", json!(true)),
        ] {
            let answer = service.put(&path, json!({field: value})).await;

            assert_eq!(answer.status, 200, "{field}: {}", answer.text());
            let after = answer.json();
            assert!(
                instant(&after, "updated_at") > instant(&before, "updated_at"),
                "{before} → {after}"
            );
            assert_eq!(service.get(&path).await.json(), after);
            before[field] = value;
            before["updated_at"] = after["updated_at"].clone();
            for member in MEMBERS {
                assert_eq!(
                    after[member], before[member],
                    "{member} after a change of {field}"
                );
            }
            before = after;
        }
    }

    async fn all_fields_may_be_changed_at_once(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/old").await;
        let web = "https://example.com/new";
        let change = json!({"title": "New", "original_url": web, "is_active": false, "colour": 1});

        let answer = service.put(&path_of(&url), change).await;

        assert_eq!(answer.status, 200, "{}", answer.text());
        let after = service.get(&path_of(&url)).await.json();
        assert_eq!(after["title"], "New");
        assert_eq!(after["original_url"], "https://example.com/new");
        assert_eq!(after["is_active"], false);
        assert_eq!(after["short_code"], url["short_code"]);
        assert_eq!(after["created_at"], url["created_at"]);
    }

    async fn a_title_may_be_taken_away(service: Service) {
        let user = service.create_user().await;
        let url = service
            .post(
                "/urls",
                json!({"user_id": user, "original_url": "https://example.com/", "title": "x"}),
            )
            .await
            .json();

        let answer = service.put(&path_of(&url), json!({"title": null})).await;

        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            service.get(&path_of(&url)).await.json()["title"],
            Value::Null
        );
    }

    async fn a_change_is_obeyed_by_the_next_redirect(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/0").await;

        for turn in 1..=20 {
            // Fills the cache with what is about to be changed.
            assert_eq!(follow(&service, &url).await.status, 302);
            let target = format!("https://example.com/{turn}");
            service
                .put(&path_of(&url), json!({"original_url": target}))
                .await;
            assert_eq!(
                follow(&service, &url).await.header("location"),
                Some(target.as_str())
            );
        }
    }

    async fn a_url_that_is_switched_off_and_on_stops_and_works_again(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for _ in 0..10 {
            assert_eq!(follow(&service, &url).await.status, 302);
            service
                .put(&path_of(&url), json!({"is_active": false}))
                .await;
            follow(&service, &url).await.assert_problem(404);
            service
                .put(&path_of(&url), json!({"is_active": true}))
                .await;
        }
        assert_eq!(follow(&service, &url).await.status, 302);
    }

    async fn a_deleted_url_is_gone(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let kept = service.create_url(user, "https://example.com/kept").await;
        assert_eq!(follow(&service, &url).await.status, 302);

        let answer = service.delete(&path_of(&url)).await;

        assert_eq!(answer.status, 204);
        assert!(answer.body.is_empty());
        follow(&service, &url).await.assert_problem(404);
        service.get(&path_of(&url)).await.assert_problem(404);
        service
            .put(&path_of(&url), json!({"is_active": true}))
            .await
            .assert_problem(404);
        service.delete(&path_of(&url)).await.assert_problem(404);
        for path in [
            "/urls".to_owned(),
            format!("/urls?user_id={user}"),
            "/urls?is_active=true".to_owned(),
        ] {
            assert_eq!(service.get(&path).await.json(), json!([kept]), "{path}");
        }
        assert_eq!(ids(&service, "/urls?is_active=false").await, [0_i64; 0]);
    }

    async fn urls_are_listed_by_ascending_id_and_filtered_by_owner_and_state(service: Service) {
        let (ada, bob) = (service.create_user().await, service.create_user().await);
        let mut urls = Vec::new();
        for (user, is_active) in [
            (ada, true),
            (bob, true),
            (ada, false),
            (bob, false),
            (ada, true),
        ] {
            let url = service.create_url(user, "https://example.com/").await;
            service
                .put(&path_of(&url), json!({"is_active": is_active}))
                .await;
            urls.push(url["id"].as_i64().expect("an id"));
        }
        let chosen = |places: &[usize]| places.iter().map(|&place| urls[place]).collect::<Vec<_>>();

        for (query, places) in [
            (String::new(), &[0, 1, 2, 3, 4][..]),
            (format!("?user_id={ada}"), &[0, 2, 4]),
            (format!("?user_id={bob}"), &[1, 3]),
            ("?is_active=true".to_owned(), &[0, 1, 4]),
            ("?is_active=false".to_owned(), &[2, 3]),
            (format!("?user_id={ada}&is_active=true"), &[0, 4]),
            (format!("?is_active=false&user_id={bob}"), &[3]),
            ("?user_id=999999".to_owned(), &[]),
        ] {
            assert_eq!(
                ids(&service, &format!("/urls{query}")).await,
                chosen(places),
                "{query}"
            );
        }
    }

    async fn the_id_of_a_deleted_url_is_not_given_out_again(service: Service) {
        let user = service.create_user().await;
        let gone = service.create_url(user, "https://example.com/").await;
        service.delete(&path_of(&gone)).await;

        let next = service.create_url(user, "https://example.com/").await;

        assert!(next["id"].as_i64() > gone["id"].as_i64(), "{gone} → {next}");
    }
}
