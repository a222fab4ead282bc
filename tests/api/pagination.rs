//! Pages of lists: never more than asked for, never all, and each row on exactly one page.

use std::time::Duration;

use harness::answer::Answer;
use harness::csv;
use harness::eventually;
use harness::on_each_database;
use harness::service::Service;
use serde_json::{Value, json};

/// The lists, each with the number of rows that `fill` gives it.
const LISTS: [(&str, usize); 3] = [("/users", 45), ("/urls", 130), ("/events", 250)];

/// What no page or page size can be.
const BAD_NUMBERS: [&str; 14] = [
    "0", "-1", "abc", "1.5", "1e3", "", "%20", "+1%20", "0x10", "1,2", "null", "true", "%00", "١",
];

async fn fill(service: &Service) {
    let urls = csv::urls(LISTS[1].1, LISTS[0].1);
    let events = csv::events(LISTS[2].1, &urls);
    for (path, rows) in [
        ("/users/bulk", csv::users(LISTS[0].1)),
        ("/urls/bulk", urls),
        ("/events/bulk", events),
    ] {
        let answer = service.upload(path, rows.as_bytes()).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.text());
    }
}

pub(crate) fn ids(answer: &Answer) -> Vec<i64> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let rows = answer.json();
    let rows = rows.as_array().expect("an array");
    rows.iter()
        .map(|row| row["id"].as_i64().expect("an id"))
        .collect()
}

/// The path that the `Link` header of `answer` gives for `relation`.
pub(crate) fn link(answer: &Answer, relation: &str) -> Option<String> {
    let relation = format!("rel=\"{relation}\"");
    let link = answer
        .header("link")?
        .split(", ")
        .find(|link| link.contains(&relation))?;
    let target = link
        .split(['<', '>'])
        .nth(1)
        .expect("a link stands in angle brackets");
    match target.split_once("://") {
        Some((_, rest)) => Some(rest[rest.find('/').expect("a path")..].to_owned()),
        None => Some(target.to_owned()),
    }
}

on_each_database! {
    async fn an_empty_list_is_an_empty_array(service: Service) {
        for (list, _) in LISTS {
            let answer = service.get(list).await;
            assert_eq!(ids(&answer), [0_i64; 0]);
            assert_eq!(answer.header("x-total-count"), Some("0"), "{list}");
            assert_eq!(link(&answer, "next"), None, "{list}");
            assert_eq!(link(&answer, "prev"), None, "{list}");
        }
    }

    async fn a_page_has_twenty_rows_unless_asked_otherwise(service: Service) {
        fill(&service).await;

        for (list, _) in LISTS {
            for (query, rows) in [
                ("", 20),
                ("?page=1", 20),
                ("?per_page=1", 1),
                ("?per_page=7&page=2", 7),
                ("?per_page=100", 100),
            ] {
                let answer = service.get(&format!("{list}{query}")).await;
                let total = LISTS
                    .iter()
                    .find(|(path, _)| *path == list)
                    .map_or(0, |(_, rows)| *rows);
                assert_eq!(ids(&answer).len(), rows.min(total), "{list}{query}");
            }
        }
    }

    async fn pages_hold_each_row_once_and_in_order(service: Service) {
        fill(&service).await;

        for (list, rows) in LISTS {
            let mut all = Vec::new();
            for page in 1..=rows.div_ceil(30) {
                all.extend(ids(&service
                    .get(&format!("{list}?per_page=30&page={page}"))
                    .await));
            }
            assert_eq!(all.len(), rows, "{list}");
            if list == "/events" {
                assert!(
                    all.is_sorted_by(|left, right| left > right),
                    "{list}: {all:?}"
                );
            } else {
                assert!(
                    all.is_sorted_by(|left, right| left < right),
                    "{list}: {all:?}"
                );
            }
        }
    }

    async fn the_links_of_a_list_lead_through_all_of_it_and_back(service: Service) {
        fill(&service).await;

        for (list, rows) in LISTS {
            let mut forth = vec![ids(&service.get(&format!("{list}?per_page=40")).await)];
            let mut answer = service.get(&format!("{list}?per_page=40")).await;
            assert_eq!(link(&answer, "prev"), None, "{list}");
            while let Some(next) = link(&answer, "next") {
                answer = service.get(&next).await;
                forth.push(ids(&answer));
                assert!(forth.len() <= rows, "{list}: the links go in circles");
            }
            assert_eq!(forth.iter().map(Vec::len).sum::<usize>(), rows, "{list}");

            let first =
                link(&answer, "first").expect("a page that is not the first knows the first");
            assert_eq!(ids(&service.get(&first).await), forth[0]);
            let mut back = vec![ids(&answer)];
            while let Some(prev) = link(&answer, "prev") {
                answer = service.get(&prev).await;
                back.insert(0, ids(&answer));
                assert!(back.len() <= rows, "{list}: the links go in circles");
            }
            assert_eq!(back, forth, "{list}");
        }
    }

    async fn links_keep_the_filters(service: Service) {
        fill(&service).await;
        let answer = service.get("/urls?is_active=true&per_page=10").await;

        let next = service
            .get(&link(&answer, "next").expect("more than ten are active"))
            .await;

        assert_eq!(ids(&next).len(), 10);
        assert!(
            next.json()
                .as_array()
                .expect("an array")
                .iter()
                .all(|url| url["is_active"] == true),
            "{}",
            next.text()
        );
        assert!(ids(&next)[0] > ids(&answer)[9]);
    }

    async fn the_number_of_rows_is_told_whatever_the_page(service: Service) {
        fill(&service).await;

        for (list, rows) in LISTS {
            for query in ["", "?page=2", "?per_page=1", "?per_page=100&page=99"] {
                let answer = service.get(&format!("{list}{query}")).await;
                assert_eq!(
                    answer.header("x-total-count"),
                    Some(rows.to_string().as_str()),
                    "{list}{query}"
                );
            }
        }
    }

    async fn the_number_of_rows_is_that_of_the_filter(service: Service) {
        fill(&service).await;

        for query in [
            "/urls?user_id=1",
            "/urls?is_active=false",
            "/events?event_type=deleted",
            "/events?user_id=1",
            "/events?url_id=1",
            "/urls?user_id=999999",
        ] {
            let answer = service.get(&format!("{query}&per_page=100")).await;
            assert_eq!(
                answer.header("x-total-count"),
                Some(ids(&answer).len().to_string().as_str()),
                "{query}"
            );
        }
    }

    async fn a_table_is_counted_up_to_ten_thousand_rows_only(service: Service) {
        let answer = service
            .upload("/users/bulk", csv::users(10_000).as_bytes())
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(
            service.get("/users").await.header("x-total-count"),
            Some("10000")
        );

        service.create_user().await;

        let answer = service.get("/users").await;
        assert_eq!(answer.header("x-total-count"), None);
        assert!(
            link(&answer, "next").is_some(),
            "an uncounted list still leads on"
        );
        assert_eq!(
            ids(&service.get("/users?per_page=100&page=101").await).len(),
            1
        );
    }

    async fn a_list_that_is_short_enough_again_is_counted_again(service: Service) {
        for (path, rows) in [("/users/bulk", csv::users(10)), ("/urls/bulk", csv::urls(10_001, 10))] {
            let answer = service.upload(path, rows.as_bytes()).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
        assert_eq!(service.get("/urls").await.header("x-total-count"), None);

        assert_eq!(service.delete("/urls/1").await.status, 204);

        let is_counted = async || {
            let answer = service.get("/urls").await;
            answer.header("x-total-count") == Some("10000")
        };
        eventually::holds("the list is counted", Duration::from_secs(30), is_counted).await;
    }

    async fn a_page_past_the_end_is_empty_however_far(service: Service) {
        fill(&service).await;

        for (list, _) in LISTS {
            for page in [
                "251",
                "1000000",
                "2147483648",
                "4294967297",
                "1000000000000000000",
                "9223372036854775807",
                "9223372036854775808",
                "18446744073709551616",
                "123456789012345678901234567890",
            ] {
                for per_page in ["", "&per_page=1", "&per_page=100"] {
                    let answer = service.get(&format!("{list}?page={page}{per_page}")).await;
                    assert_eq!(ids(&answer), [0_i64; 0], "{list}?page={page}{per_page}");
                    assert_eq!(link(&answer, "next"), None, "{list}?page={page}{per_page}");
                }
            }
        }
    }

    async fn a_page_that_cannot_be_is_refused(service: Service) {
        for (list, _) in LISTS {
            for page in BAD_NUMBERS {
                let problem = service
                    .get(&format!("{list}?page={page}"))
                    .await
                    .assert_problem(422);
                assert!(
                    problem["errors"]["page"].is_string(),
                    "{list}?page={page}: {problem}"
                );
            }
        }
    }

    async fn a_page_size_that_cannot_be_is_refused(service: Service) {
        let huge = [
            "101",
            "1000",
            "100000",
            "9223372036854775808",
            "123456789012345678901234567890",
        ];
        for (list, _) in LISTS {
            for per_page in BAD_NUMBERS.iter().chain(&huge) {
                let problem = service
                    .get(&format!("{list}?per_page={per_page}"))
                    .await
                    .assert_problem(422);
                assert!(
                    problem["errors"]["per_page"].is_string(),
                    "{list}?per_page={per_page}: {problem}"
                );
            }
        }
    }

    async fn a_filter_that_cannot_be_is_refused(service: Service) {
        for (list, filter, values) in [
            ("/urls", "is_active", &["maybe", "", "2", "null", "[]"][..]),
            (
                "/urls",
                "user_id",
                &["abc", "", "1.5", "true", "null", "1%20or%201=1"],
            ),
            ("/events", "user_id", &["abc", "", "1.5", "true", "null"]),
            ("/events", "url_id", &["abc", "", "1.5", "true", "'"]),
        ] {
            for value in values {
                let problem = service
                    .get(&format!("{list}?{filter}={value}"))
                    .await
                    .assert_problem(422);
                assert!(
                    problem["errors"][filter].is_string(),
                    "{list}?{filter}={value}: {problem}"
                );
            }
        }
    }

    async fn each_wrong_value_of_a_query_is_named(service: Service) {
        let problem = service
            .get("/urls?page=0&per_page=0&user_id=x&is_active=maybe")
            .await
            .assert_problem(422);

        let errors = problem["errors"].as_object().expect("an object");
        let mut named: Vec<_> = errors.keys().map(String::as_str).collect();
        named.sort_unstable();
        assert_eq!(named, ["is_active", "page", "per_page", "user_id"]);
        assert!(errors.values().all(Value::is_string), "{problem}");
    }

    async fn what_a_list_cannot_be_filtered_by_is_ignored(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        assert_eq!(
            service.get("/urls?colour=red&&=&sort").await.json(),
            json!([url])
        );
    }
}
