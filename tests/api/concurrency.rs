//! Many at once: the database decides races, everybody gets an answer, and exactly one wins.

use std::collections::HashSet;
use std::sync::Arc;

use harness::answer::Answer;
use harness::csv;
use harness::on_each_database;
use harness::service::Service;
use serde_json::json;
use tokio::task::JoinSet;

use crate::rows::{USERS, file, user};

/// How many ask at the same time.
const CROWD: usize = 50;

/// Asks `CROWD` times at once; `ask` gets the number of the asker.
async fn at_once<Asked>(
    service: &Arc<Service>,
    ask: impl Fn(Arc<Service>, usize) -> Asked,
) -> Vec<Answer>
where
    Asked: Future<Output = Answer> + Send + 'static,
{
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        crowd.spawn(ask(Arc::clone(service), number));
    }
    crowd.join_all().await
}

/// How many of `answers` have `status`; all others must have `other`.
#[track_caller]
fn count(answers: &[Answer], status: u16, other: u16) -> usize {
    for answer in answers {
        assert!(
            answer.status == status || answer.status == other,
            "{}: {}",
            answer.status,
            answer.text()
        );
        if answer.status >= 400 {
            answer.assert_problem(answer.status);
        }
    }
    answers
        .iter()
        .filter(|answer| answer.status == status)
        .count()
}

/// Loads a file of users while others are created one by one.
async fn load_among_creates(service: &Arc<Service>, file: &Arc<String>) -> Vec<Answer> {
    at_once(service, |service, number| {
        let file = Arc::clone(file);
        async move {
            if number == 0 {
                return service.upload("/users/bulk", file.as_bytes()).await;
            }
            let email = format!("x{number}@during.example");
            service
                .post("/users", json!({"username": "x", "email": email}))
                .await
        }
    })
    .await
}

async fn total(service: &Service, path: &str) -> usize {
    let answer = service.get(path).await;
    answer
        .header("x-total-count")
        .and_then(|total| total.parse().ok())
        .expect("a total")
}

on_each_database! {
    async fn many_urls_for_one_address_get_a_code_each(service: Service) {
        let user = service.create_user().await;
        let service = Arc::new(service);

        let answers = at_once(&service, move |service, _| async move {
            service
                .post(
                    "/urls",
                    json!({"user_id": user, "original_url": "https://example.com/same"}),
                )
                .await
        })
        .await;

        assert_eq!(count(&answers, 201, 201), CROWD);
        let codes: HashSet<_> = answers
            .iter()
            .map(|answer| answer.json()["short_code"].to_string())
            .collect();
        let ids: HashSet<_> = answers
            .iter()
            .map(|answer| answer.json()["id"].as_i64())
            .collect();
        assert_eq!((codes.len(), ids.len()), (CROWD, CROWD));
        assert_eq!(total(&service, "/events?event_type=created").await, CROWD);
    }

    async fn urls_that_are_created_together_have_what_was_asked_for_each(service: Service) {
        let users = [service.create_user().await, service.create_user().await];
        let deleted = service.create_user().await;
        assert_eq!(service.delete(&format!("/users/{deleted}")).await.status, 204);
        let service = Arc::new(service);

        let answers = at_once(&service, move |service, number| async move {
            let owner = match number % 5 {
                4 => 1_000_000,
                3 => deleted,
                other => users[other % 2],
            };
            let mut url = json!({
                "user_id": owner,
                "original_url": format!("https://example.com/{number}?a='b'&c=\"d,{{e}}\\f\""),
                "forward_query": number % 2 == 0,
            });
            if number % 3 == 0 {
                url["title"] = json!(format!("no. {number}, {{NULL}}"));
                url["max_clicks"] = json!(number + 1);
                url["status"] = json!(308);
                url["expires_at"] = json!("2100-01-02T03:04:05.000006Z");
            }
            let answer = service.post("/urls", url.clone()).await;
            if number % 5 > 2 {
                answer.assert_problem(404);
                return answer;
            }
            let made = answer.json();
            for (name, value) in url.as_object().expect("an object") {
                assert_eq!(&made[name], value, "{name} of {made}");
            }
            let path = format!("/urls/{}", made["id"]);
            assert_eq!(service.get(&path).await.json(), made, "as it is stored");
            let events = service.get(&format!("/events?url_id={}", made["id"])).await.json();
            let details = json!({"short_code": made["short_code"], "original_url": url["original_url"]});
            assert_eq!(events[0]["details"], details);
            assert_eq!(events[0]["timestamp"], made["created_at"]);
            assert_eq!(events.as_array().map(Vec::len), Some(1), "{events}");
            answer
        })
        .await;

        let made = count(&answers, 201, 404);
        assert_eq!(made, CROWD * 3 / 5);
        assert_eq!(total(&service, "/urls").await, made);
    }

    async fn one_of_many_gets_a_code_that_all_want(service: Service) {
        let user = service.create_user().await;
        let service = Arc::new(service);

        let answers = at_once(&service, move |service, number| async move {
            let original_url = format!("https://example.com/{number}");
            service
                .post(
                    "/urls",
                    json!({"user_id": user, "original_url": original_url, "short_code": "launch"}),
                )
                .await
        })
        .await;

        assert_eq!(count(&answers, 201, 409), 1);
        let winner = answers
            .iter()
            .find(|answer| answer.status == 201)
            .expect("a winner")
            .json();
        assert_eq!(
            service.get("/launch").await.header("location"),
            winner["original_url"].as_str()
        );
        assert_eq!(service.get("/urls").await.json(), json!([winner]));
        assert_eq!(
            total(&service, "/events?event_type=created").await,
            1,
            "only the winner's creation is logged"
        );
    }

    async fn one_of_many_users_gets_an_email_that_all_want(service: Service) {
        let service = Arc::new(service);

        let answers = at_once(&service, |service, number| async move {
            service
                .post(
                    "/users",
                    json!({"username": format!("user {number}"), "email": "same@example.com"}),
                )
                .await
        })
        .await;

        assert_eq!(count(&answers, 201, 409), 1);
        assert_eq!(total(&service, "/users").await, 1);
    }

    async fn one_of_many_changes_gets_an_email_that_all_want(service: Service) {
        let mut users = Vec::new();
        for _ in 0..CROWD {
            users.push(service.create_user().await);
        }
        let (service, users) = (Arc::new(service), Arc::new(users));

        let answers = at_once(&service, move |service, number| {
            let path = format!("/users/{}", users[number]);
            async move {
                service
                    .put(&path, json!({"email": "same@example.com"}))
                    .await
            }
        })
        .await;

        assert_eq!(count(&answers, 200, 409), 1);
    }

    async fn every_one_of_many_visitors_is_counted(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let path = format!("/{}", url["short_code"].as_str().expect("a code"));
        let service = Arc::new(service);

        let answers = at_once(&service, move |service, _| {
            let path = path.clone();
            async move { service.get(&path).await }
        })
        .await;

        assert_eq!(count(&answers, 302, 302), CROWD);
        assert_eq!(
            total(
                &service,
                &format!("/events?event_type=click&url_id={}", url["id"])
            )
            .await,
            CROWD
        );
        let clicks = service
            .get("/events?event_type=click&per_page=100")
            .await
            .json();
        let ids: HashSet<_> = clicks
            .as_array()
            .expect("an array")
            .iter()
            .map(|click| click["id"].as_i64())
            .collect();
        assert_eq!(ids.len(), CROWD, "each click has an id of its own");
    }

    async fn one_of_many_deletes_a_url(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let path = format!("/urls/{}", url["id"]);
        let service = Arc::new(service);

        let answers = at_once(&service, move |service, _| {
            let path = path.clone();
            async move { service.delete(&path).await }
        })
        .await;

        assert_eq!(count(&answers, 204, 404), 1);
        assert_eq!(total(&service, "/events?event_type=deleted").await, 1);
    }

    async fn many_changes_of_a_url_are_made_one_after_the_other(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let path = format!("/urls/{}", url["id"]);
        let service = Arc::new(service);

        let answers = at_once(&service, |service, number| {
            let path = path.clone();
            async move {
                service
                    .put(&path, json!({"title": format!("Title {number}")}))
                    .await
            }
        })
        .await;

        assert_eq!(count(&answers, 200, 200), CROWD);
        let events = service
            .get(&format!(
                "/events?event_type=updated&url_id={}&per_page=100",
                url["id"]
            ))
            .await
            .json();
        assert_eq!(
            events.as_array().map(Vec::len),
            Some(CROWD),
            "each change is logged"
        );
        let last = service.get(&path).await.json();
        assert_eq!(
            last["title"], events[0]["details"]["new_value"],
            "the log ends with what is there"
        );
    }

    async fn one_of_many_loads_of_a_file_is_kept(service: Service) {
        let file = Arc::new(csv::users(200));
        let service = Arc::new(service);

        let mut crowd = JoinSet::new();
        for _ in 0..8 {
            let (service, file) = (Arc::clone(&service), Arc::clone(&file));
            crowd.spawn(async move { service.upload("/users/bulk", file.as_bytes()).await });
        }
        let answers = crowd.join_all().await;

        assert_eq!(count(&answers, 201, 409), 1);
        assert_eq!(total(&service, "/users").await, 200);
        assert_eq!(service.create_user().await, 201);
    }

    async fn no_url_outlives_its_user(service: Service) {
        let user = service.create_user().await;
        let service = Arc::new(service);

        let answers = at_once(&service, move |service, number| async move {
            if number == CROWD / 2 {
                return service.delete(&format!("/users/{user}")).await;
            }
            service
                .post(
                    "/urls",
                    json!({"user_id": user, "original_url": "https://example.com/"}),
                )
                .await
        })
        .await;

        assert_eq!(service.get("/urls").await.json(), json!([]));
        let mut made = 0;
        for answer in &answers {
            match answer.status {
                201 => {
                    let code = answer.json()["short_code"]
                        .as_str()
                        .expect("a code")
                        .to_owned();
                    service.get(&format!("/{code}")).await.assert_problem(404);
                    made += 1;
                }
                204 => {}
                _ => {
                    answer.assert_problem(404);
                }
            }
        }
        assert_eq!(total(&service, "/events?event_type=created").await, made);
        assert_eq!(total(&service, "/events?event_type=deleted").await, made);
    }

    async fn creates_during_a_load_of_higher_ids_do_not_disturb_it(service: Service) {
        let rows: Vec<_> = (1..=2_000)
            .map(|id| user(1_000_000 + id, &format!("u{id}")))
            .collect();
        let (service, rows) = (Arc::new(service), Arc::new(file(USERS, &rows)));

        let answers = load_among_creates(&service, &rows).await;

        assert_eq!(count(&answers, 201, 201), CROWD);
        assert_eq!(total(&service, "/users").await, 2_000 + CROWD - 1);
        let highest = answers
            .iter()
            .filter_map(|answer| answer.json()["id"].as_i64())
            .max();
        let next = service.create_user().await;
        assert!(
            next > 1_002_000 && Some(next) > highest,
            "{next} follows {highest:?}"
        );
    }

    async fn creates_during_a_load_of_the_same_ids_get_others(service: Service) {
        let (service, file) = (Arc::new(service), Arc::new(csv::users(2_000)));

        let answers = load_among_creates(&service, &file).await;

        // Whoever came first has the ids; a load that came second is told so.
        let created = count(&answers, 201, 409);
        let expected = if created == CROWD {
            2_000 + CROWD - 1
        } else {
            CROWD - 1
        };
        assert_eq!(total(&service, "/users").await, expected);
        service.create_user().await;
    }
}
