//! Lists of URLs by what is known of them: exactly those, by page and by cursor.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::csv;
use harness::database::Database;
use harness::on_each_database;
use harness::service::Service;
use serde_json::json;

use crate::lists_search::{load, walk};
use crate::pagination::{ids, link};

/// Hides the first fifty URLs and shows them again, all of them at once, until it is over.
async fn come_and_go(service: &Service, is_over: &AtomicBool) {
    for is_active in [false, true].into_iter().cycle() {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let change = |id: i64| json!({"op": "update", "id": id, "url": {"is_active": is_active}});
        let changes: Vec<_> = (1..=50).map(change).collect();
        let answer = service
            .post("/urls/batch", json!({"operations": changes}))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

on_each_database! {
    async fn pages_and_walks_show_the_same(service: Service) {
        load(&service, &csv::urls(300, 3), 3).await;

        for filter in ["", "user_id=2", "is_active=false", "user_id=3&is_active=true"] {
            let mut paged = Vec::new();
            for page in 1..=4 {
                paged.extend(ids(&service.get(&format!("/urls?{filter}&per_page=100&page={page}")).await));
            }
            assert!(!paged.is_empty(), "{filter}");
            let (walked, _) = walk(&service, &format!("/urls?{filter}&cursor=&per_page=30"), "next").await;
            assert_eq!(walked, paged, "{filter}");
            let (mut newest, _) = walk(&service, &format!("/urls?{filter}&cursor=&sort=-id"), "next").await;
            newest.reverse();
            assert_eq!(newest, paged, "{filter}");
        }
    }

    async fn a_list_is_newest_first_if_asked(service: Service) {
        load(&service, &csv::urls(50, 3), 3).await;

        let pages = [1, 2].map(|page| format!("/urls?sort=-id&per_page=30&page={page}"));
        let mut all = Vec::new();
        for page in &pages {
            let answer = service.get(page).await;
            assert_eq!(answer.header("x-total-count"), Some("50"));
            all.extend(ids(&answer));
        }

        assert_eq!(all, (1..=50).rev().collect::<Vec<_>>());
    }

    async fn a_short_code_is_found_in_its_own_case(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let code = url["short_code"].as_str().expect("a code");

        assert_eq!(service.get(&format!("/urls?short_code={code}")).await.json()[0], url);
        let other: String = code.chars().map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
        if other != code {
            assert_eq!(ids(&service.get(&format!("/urls?short_code={other}")).await), [0_i64; 0]);
        }
        assert_eq!(ids(&service.get(&format!("/urls?short_code={code}&user_id=999")).await), [0_i64; 0]);
        for wrong in ["", "a%20b", "%C3%BC"] {
            let problem = service.get(&format!("/urls?short_code={wrong}")).await.assert_problem(422);
            assert!(problem["errors"]["short_code"].is_string(), "{problem}");
        }
    }

    async fn urls_are_found_by_when_they_were_made_in_bounded_answers(database: Database) {
        let service = Service::start(&database).await;
        let mut file = String::from("id,user_id,short_code,original_url,title,is_active,created_at,updated_at\n");
        for id in 1..=11_000 {
            // The first and the last are of another year.
            let year = if id <= 3 || id > 10_997 { 2020 } else { 2025 };
            writeln!(file, "{id},1,c{id},https://example.com/,,True,{year}-06-01 00:00:00,2025-06-01 00:00:00")
                .expect("a string takes everything");
        }
        load(&service, &file, 1).await;

        let path = "/urls?created_before=2021-01-01T00:00:00Z";
        let first = service.get(path).await;
        assert_eq!(ids(&first), [1, 2, 3]);
        assert!(link(&first, "next").is_some(), "it has not looked at all of them: {:?}", first.headers);
        let (all, answers) = walk(&service, path, "next").await;
        assert_eq!(all, [1, 2, 3, 10_998, 10_999, 11_000]);
        assert_eq!(answers, 3);
        let (newest, _) = walk(&service, &format!("{path}&sort=-id"), "next").await;
        assert_eq!(newest, [11_000, 10_999, 10_998, 3, 2, 1]);

        let exactly = "created_after=2020-06-01T00:00:00Z&created_before=2020-06-01T00:00:00.000001Z";
        assert_eq!(walk(&service, &format!("/urls?{exactly}"), "next").await.0.len(), 6);
        let nothing = "created_after=2020-06-01T00:00:00.000001Z&created_before=2021-06-01T00:00:00Z";
        assert_eq!(walk(&service, &format!("/urls?{nothing}"), "next").await.0.len(), 0);
        service
            .get("/urls?created_after=yesterday")
            .await
            .assert_problem(422);
    }

    async fn a_walk_by_date_misses_nothing_while_others_come_and_go(database: Database) {
        let service = Service::start(&database).await;
        let mut file = String::from("id,user_id,short_code,original_url,title,is_active,created_at,updated_at\n");
        for id in 1..=5_050 {
            // What is sought lies where the first answer has looked at as much as it may, give or take those that come and go.
            let year = if id <= 5_000 { 2025 } else { 2020 };
            writeln!(file, "{id},1,c{id},https://example.com/,,True,{year}-06-01 00:00:00,2025-06-01 00:00:00")
                .expect("a string takes everything");
        }
        load(&service, &file, 1).await;

        let is_over = AtomicBool::new(false);
        let walking = async {
            for _ in 0..60 {
                let path = "/urls?is_active=true&created_before=2021-01-01T00:00:00Z&per_page=100";
                let (found, _) = walk(&service, path, "next").await;
                assert_eq!(found, (5_001..=5_050).collect::<Vec<_>>());
            }
            is_over.store(true, Ordering::Relaxed);
        };
        tokio::join!(walking, come_and_go(&service, &is_over));
    }
}
