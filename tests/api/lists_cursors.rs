//! Walks through lists from cursor to cursor: each row once, whatever comes and goes on the way.

use std::collections::BTreeSet;

use harness::answer::Answer;
use harness::on_each_database;
use harness::service::Service;
use serde_json::json;

use crate::pagination::{ids, link};

const LISTS: [&str; 5] = ["/users", "/urls", "/events", "/keys", "/audit"];

/// Eleven users, URLs, keys, and at least as many events and entries of the audit log.
async fn fill(service: &Service) {
    for number in 0..11 {
        let user = service.create_user().await;
        service
            .create_url(user, "https://example.com/somewhere")
            .await;
        let key = json!({"name": format!("key {number}"), "scopes": ["admin"]});
        assert_eq!(service.post("/keys", key).await.status, 201);
    }
}

/// Follows the links of `relation` to the end. Each answer's ids.
async fn follow(service: &Service, first: &Answer, relation: &str) -> (Vec<Vec<i64>>, Answer) {
    let mut parts = vec![ids(first)];
    let mut answer = first.clone();
    while let Some(path) = link(&answer, relation) {
        answer = service.get(&path).await;
        parts.push(ids(&answer));
        assert!(parts.len() < 1_000, "the links go in circles: {path}");
    }
    (parts, answer)
}

on_each_database! {
    async fn a_walk_shows_what_pages_show_there_and_back(service: Service) {
        fill(&service).await;

        for list in LISTS {
            let paged = ids(&service.get(&format!("{list}?per_page=100")).await);
            assert!(paged.len() >= 11, "{list}");
            let first = service.get(&format!("{list}?cursor=&per_page=4")).await;
            let (forth, last) = follow(&service, &first, "next").await;
            assert_eq!(forth.concat(), paged, "{list}");
            assert!(forth.iter().rev().skip(1).all(|part| part.len() == 4), "{list}: {forth:?}");

            let (mut back, at_start) = follow(&service, &last, "prev").await;
            back.reverse();
            assert_eq!(back.concat(), paged, "{list}");
            assert_eq!(link(&at_start, "prev"), None, "{list}");
            let first = link(&last, "first").expect("the first part is known");
            assert_eq!(ids(&service.get(&first).await), forth[0], "{list}");
        }
    }

    async fn a_walk_sees_what_stays_once_while_others_come_and_go(service: Service) {
        let user = service.create_user().await;
        let mut staying = BTreeSet::new();
        let mut going = Vec::new();
        for number in 0..40 {
            let id = service.create_url(user, "https://example.com/").await["id"].as_i64().expect("an id");
            if number % 4 == 3 {
                going.push(id);
            } else {
                staying.insert(id);
            }
        }

        let mut seen = Vec::new();
        let mut path = "/urls?cursor=&per_page=3".to_owned();
        loop {
            let answer = service.get(&path).await;
            seen.extend(ids(&answer));
            let Some(next) = link(&answer, "next") else { break };
            path = next;
            assert!(seen.len() <= 200, "the walk does not end: {seen:?}");
            // One that was seen, or that the cursor stands on, or that is still to come; and a new one while there are some.
            if let Some(id) = going.pop() {
                assert_eq!(service.delete(&format!("/urls/{id}")).await.status, 204);
                service.create_url(user, "https://example.com/new").await;
            }
            if let Some(id) = seen.last().filter(|id| going.contains(id)) {
                assert_eq!(service.delete(&format!("/urls/{id}")).await.status, 204);
                going.retain(|other| other != id);
            }
        }

        let distinct: BTreeSet<_> = seen.iter().copied().collect();
        assert_eq!(distinct.len(), seen.len(), "a row came twice: {seen:?}");
        assert!(distinct.is_superset(&staying), "a row was missed: {seen:?}");
    }

    async fn a_walk_newest_first_is_not_shifted_by_new_rows(service: Service) {
        fill(&service).await;
        let before = ids(&service.get("/events?per_page=100").await);
        let first = service.get("/events?cursor=&per_page=5").await;
        fill(&service).await;

        let (forth, last) = follow(&service, &first, "next").await;

        assert_eq!(forth.concat(), before);
        // The way back goes on to what came meanwhile.
        let (back, _) = follow(&service, &last, "prev").await;
        assert!(back.concat().len() > before.len());
    }

    async fn the_row_that_a_cursor_names_may_be_gone(service: Service) {
        fill(&service).await;
        let first = service.get("/urls?cursor=&per_page=5").await;
        let all = ids(&service.get("/urls").await);
        for id in &all[3..7] {
            assert_eq!(service.delete(&format!("/urls/{id}")).await.status, 204);
        }

        let next = service.get(&link(&first, "next").expect("more than five")).await;

        assert_eq!(ids(&next), all[7..]);
        let back = service.get(&link(&next, "prev").expect("what came before")).await;
        assert_eq!(ids(&back), all[..3]);
        assert_eq!(link(&back, "prev"), None);
    }

    async fn a_cursor_behind_the_last_row_still_leads_back(service: Service) {
        fill(&service).await;
        let all = ids(&service.get("/urls").await);
        let first = service.get("/urls?cursor=&per_page=9").await;
        for id in &all[9..] {
            assert_eq!(service.delete(&format!("/urls/{id}")).await.status, 204);
        }

        let end = service.get(&link(&first, "next").expect("there were two more")).await;

        assert_eq!(ids(&end), [0_i64; 0]);
        assert_eq!(link(&end, "next"), None);
        let back = service.get(&link(&end, "prev").expect("the way back")).await;
        assert_eq!(ids(&back), all[..9]);
    }

    async fn the_size_may_change_on_the_way_and_filters_may_not(service: Service) {
        fill(&service).await;
        let first = service.get("/urls?user_id=1&is_active=true&cursor=&per_page=1").await;
        assert_eq!(link(&first, "next"), None, "{:?}", first.headers);
        let first = service.get("/urls?is_active=true&cursor=&per_page=2").await;
        let next = link(&first, "next").expect("more than two");
        let cursor = next.split("cursor=").nth(1).and_then(|rest| rest.split('&').next()).expect("a cursor");

        let other_size = service.get(&format!("/api/v1/urls?cursor={cursor}&is_active=true&per_page=4")).await;
        assert_eq!(ids(&other_size).len(), 4);

        for path in [
            format!("/urls?cursor={cursor}"),
            format!("/urls?is_active=false&cursor={cursor}"),
            format!("/urls?is_active=true&user_id=1&cursor={cursor}"),
            format!("/users?is_active=true&cursor={cursor}"),
        ] {
            let problem = service.get(&path).await.assert_problem(422);
            let reason = problem["errors"]["cursor"].as_str().expect("a sentence");
            assert!(reason.contains("filters"), "{path}: {reason}");
        }
    }

    async fn what_no_list_knows_may_change_on_the_way(service: Service) {
        fill(&service).await;
        for list in LISTS {
            let first = service.get(&format!("{list}?cursor=&per_page=4&_=1764409000")).await;
            let next = link(&first, "next").expect("more than four");
            assert!(next.contains("_=1764409000"), "{next}");
            let other = next.replace("_=1764409000", "_=1764409001");
            assert_eq!(ids(&service.get(&other).await), ids(&service.get(&next).await), "{other}");
        }
    }

    async fn what_is_no_cursor_is_refused(service: Service) {
        for list in LISTS {
            for cursor in ["1", "abc", "AAAA", "%00", "null", "-", "..", "'", &"A".repeat(2_000)] {
                let problem = service
                    .get(&format!("{list}?cursor={cursor}"))
                    .await
                    .assert_problem(422);
                assert!(problem["errors"]["cursor"].is_string(), "{list}?cursor={cursor}: {problem}");
            }
        }
    }

    async fn a_page_and_a_cursor_do_not_go_together(service: Service) {
        for list in LISTS {
            let problem = service.get(&format!("{list}?cursor=&page=1")).await.assert_problem(422);
            assert!(problem["errors"]["page"].is_string(), "{problem}");
        }
    }

    async fn a_walk_counts_nothing(service: Service) {
        for list in LISTS {
            let answer = service.get(&format!("{list}?cursor=")).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("x-total-count"), None, "{list}");
            assert!(link(&answer, "first").is_some(), "{list}");
        }
    }
}
