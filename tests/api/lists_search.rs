//! Searches for URLs by words: every one that has them and no other, newest first, whatever is indexed already.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use harness::csv;
use harness::database::Database;
use harness::eventually;
use harness::on_each_database;
use harness::service::Service;
use serde_json::{Value, json};

use crate::pagination::{ids, link};

/// Far behind all other ids: a search must not go there step by step.
const FAR: i64 = 9_000_000_000_000_000;

/// The ids that a walk from `path` shows, and how many answers that took.
pub(crate) async fn walk(service: &Service, path: &str, relation: &str) -> (Vec<i64>, usize) {
    let mut all = Vec::new();
    let mut next = Some(path.to_owned());
    let mut answers = 0;
    while let Some(path) = next {
        let answer = service.get(&path).await;
        all.extend(ids(&answer));
        next = link(&answer, relation);
        answers += 1;
        assert!(answers < 500, "the walk does not end: {path}");
    }
    (all, answers)
}

/// Waits until the index has every word.
pub(crate) async fn indexed(database: &Database) {
    eventually::holds(
        "every word is indexed",
        Duration::from_mins(1),
        async || database.integer("select count(*) from url_unindexed").await == 0,
    )
    .await;
}

/// Loads a file of URLs, together with the users that own them.
pub(crate) async fn load(service: &Service, urls: &str, users: usize) {
    let users = csv::users(users);
    for (path, rows) in [("/users/bulk", users.as_str()), ("/urls/bulk", urls)] {
        let answer = service.upload(path, rows.as_bytes()).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.text());
    }
}

/// The words of one line of a file of URLs.
fn words(line: &str) -> BTreeSet<String> {
    line.split(|c: char| !c.is_alphanumeric())
        .map(str::to_lowercase)
        .collect()
}

/// The ids of the lines that have all `sought` words in their third, fourth or fifth column, newest first.
fn expected(file: &str, sought: &[&str]) -> Vec<i64> {
    let mut found: Vec<i64> = file
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.splitn(3, ',');
            let id = columns.next()?.parse().ok()?;
            let own = words(columns.nth(1)?);
            sought.iter().all(|word| own.contains(*word)).then_some(id)
        })
        .collect();
    found.sort_unstable_by(|one, other| other.cmp(one));
    found
}

async fn found(service: &Service, q: &str) -> Vec<i64> {
    let answer = service.get(&format!("/urls?q={q}")).await;
    ids(&answer)
}

async fn add(service: &Service, body: Value) -> i64 {
    let answer = service.post("/urls", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_i64().expect("an id")
}

on_each_database! {
    async fn a_url_is_found_by_words_of_title_code_host_and_path(database: Database) {
        let service = Service::start(&database).await;
        let user = service.create_user().await;
        let sale = add(&service, json!({
            "user_id": user, "original_url": "https://shop.example.com/Caf%C3%A9/menu_2026?utm=secret",
            "title": "Größe: 20 % off", "short_code": "Spring-Sale",
        })).await;
        add(&service, json!({"user_id": user, "original_url": "https://example.org/articles"})).await;

        for waits in [false, true] {
            if waits {
                indexed(&database).await;
            }
            for q in [
                "spring", "SALE", "spring-sale", "shop", "shop.example.com", "menu", "2026", "caf%C3%A9",
                "gr%C3%B6%C3%9Fe", "off+20", "com%20menu", "%25off", "shop+shop",
            ] {
                assert_eq!(found(&service, q).await, [sale], "{q}");
            }
            for q in ["utm", "secret", "sho", "hop", "springsale", "https", "menu+articles", "article"] {
                assert_eq!(found(&service, q).await, [0_i64; 0], "{q}");
            }
        }
    }

    async fn an_edit_is_found_at_once_and_what_it_took_away_is_not(database: Database) {
        let service = Service::start(&database).await;
        let user = service.create_user().await;
        let id = add(&service, json!({"user_id": user, "original_url": "https://example.com/old", "title": "before"})).await;
        indexed(&database).await;
        assert_eq!(found(&service, "before+old").await, [id]);

        let change = json!({"title": "after", "original_url": "https://example.net/new"});
        assert_eq!(service.put(&format!("/urls/{id}"), change).await.status, 200);

        for waits in [false, true] {
            if waits {
                indexed(&database).await;
            }
            assert_eq!(found(&service, "after").await, [id]);
            assert_eq!(found(&service, "new+net").await, [id]);
            assert_eq!(found(&service, "before").await, [0_i64; 0]);
            assert_eq!(found(&service, "old").await, [0_i64; 0]);
        }
        assert_eq!(service.delete(&format!("/urls/{id}")).await.status, 204);
        assert_eq!(found(&service, "after").await, [0_i64; 0]);
        assert_eq!(found(&service, &format!("after&deleted=true&user_id={user}")).await, [id]);
        assert_eq!(ids(&service.get("/urls?deleted=true").await), [id]);
    }

    async fn a_search_finds_each_url_once_there_and_back(database: Database) {
        let service = Service::start(&database).await;
        let file = csv::urls(900, 9);
        load(&service, &file, 9).await;
        for waits in [false, true] {
            if waits {
                indexed(&database).await;
            }
            // One word that most rows have, one of a few, one of a single row; together, and never together.
            for sought in [
                &["org"][..], &["amber"], &["777"], &["org", "777"], &["amber", "jade"], &["777", "778"], &["nowhere"],
            ] {
                let expected = expected(&file, sought);
                let path = format!("/urls?q={}&per_page=7", sought.join("+"));
                let (there, _) = walk(&service, &path, "next").await;
                assert_eq!(there, expected, "{path}");

                let (mut back, _) = walk(&service, &format!("{path}&sort=id"), "next").await;
                back.reverse();
                assert_eq!(back, expected, "{path}, oldest first");
            }
        }
        let first = service.get("/urls?q=amber&per_page=7").await;
        let second = service.get(&link(&first, "next").expect("more than seven")).await;
        let again = service.get(&link(&second, "prev").expect("what came before")).await;
        assert_eq!(ids(&again), ids(&first));
        assert_eq!(link(&again, "prev"), None, "{:?}", again.headers);
    }

    async fn urls_behind_a_gap_in_ids_are_found(database: Database) {
        let service = Service::start(&database).await;
        let mut file = String::from("id,user_id,short_code,original_url,title,is_active,created_at,updated_at\n");
        for id in [1, 2, 127, 128, 5_000, 1_000_000, FAR, FAR + 1, FAR + 200] {
            writeln!(file, "{id},1,code{id},https://example.com/path,Word {id},True,2025-01-01 00:00:00,2025-01-01 00:00:00")
                .expect("a string takes everything");
        }
        load(&service, &file, 1).await;
        indexed(&database).await;

        for sought in [&["word"][..], &["word", "path"], &["5000"], &["word", "5000"], &["1", "word"]] {
            let (all, answers) = walk(&service, &format!("/urls?q={}", sought.join("+")), "next").await;
            assert_eq!(all, expected(&file, sought), "{sought:?}");
            assert_eq!(answers, 1, "{sought:?}");
        }
        let (some, answers) = walk(&service, "/urls?q=word&user_id=2", "next").await;
        assert_eq!((some.len(), answers), (0, 1));
    }

    async fn words_that_are_frequent_but_never_together_end_in_bounded_answers(database: Database) {
        let service = Service::start(&database).await;
        let mut file = String::from("id,user_id,short_code,original_url,title,is_active,created_at,updated_at\n");
        // In the same neighbourhoods, in different URLs: nothing but reading them can tell.
        for id in 1..=12_000 {
            let word = if id % 2 == 0 { "even" } else { "odd" };
            let word = if id == 10 { "even odd" } else { word };
            writeln!(file, "{id},1,c{id},https://example.com/,{word},True,2025-01-01 00:00:00,2025-01-01 00:00:00")
                .expect("a string takes everything");
        }
        load(&service, &file, 1).await;
        indexed(&database).await;

        let first = service.get("/urls?q=even+odd").await;
        assert_eq!(ids(&first), [0_i64; 0]);
        assert!(link(&first, "next").is_some(), "there may be more: {:?}", first.headers);
        let (all, answers) = walk(&service, "/urls?q=even+odd", "next").await;
        assert_eq!(all, [10]);
        assert!(answers > 1);
    }

    async fn a_search_goes_with_filters(database: Database) {
        let service = Service::start(&database).await;
        let file = csv::urls(500, 5);
        load(&service, &file, 5).await;
        let all = service.get("/urls?per_page=100&cursor=").await;
        assert_eq!(ids(&all).len(), 100);
        indexed(&database).await;

        let (amber, _) = walk(&service, "/urls?q=amber&per_page=100", "next").await;
        for (filter, holds) in [
            ("user_id=3", (|url| url["user_id"] == 3) as fn(&Value) -> bool),
            ("is_active=false", |url| url["is_active"] == false),
            ("host=example.org", |_| true),
            ("host=EXAMPLE.ORG", |_| true),
            ("host=example.com", |_| false),
            ("created_before=2025-01-01T00:00:00Z", |url| url["created_at"].as_str().unwrap_or_default() < "2025"),
            ("created_after=2025-01-01T00:00:00Z", |url| url["created_at"].as_str().unwrap_or_default() >= "2025"),
        ] {
            let (found, _) = walk(&service, &format!("/urls?q=amber&{filter}&per_page=9"), "next").await;
            let mut expected = Vec::new();
            for id in &amber {
                if holds(&service.get(&format!("/urls/{id}")).await.json()) {
                    expected.push(*id);
                }
            }
            assert_eq!(found, expected, "{filter}");
        }
    }

    async fn what_cannot_be_searched_for_is_refused(service: Service) {
        for (query, field) in [
            ("q=", "q"),
            ("q=%20-%20!", "q"),
            ("q=a+b+c+d+e+f+g+h+i", "q"),
            ("q=a&page=1", "page"),
            ("host=example.com&page=2", "page"),
            ("host=", "host"),
            ("host=example.com:80", "host"),
            ("host=a/b", "host"),
            ("sort=title", "sort"),
        ] {
            let problem = service.get(&format!("/urls?{query}")).await.assert_problem(422);
            assert!(problem["errors"][field].is_string(), "{query}: {problem}");
        }
    }
}

harness::on_each_postgres! {
    async fn what_waits_for_the_index_is_measured(database: Database) {
        let service = Service::start(&database).await;
        let waiting = async |count: f64| {
            let metric = "shortener_search_unindexed_urls";
            let is_so = async || service.metric(metric).await == Some(count);
            eventually::holds("it is measured", Duration::from_secs(20), is_so).await;
        };
        // The indexer's own lock.
        let mut other = database.connect().await;
        other.execute("select pg_advisory_lock(8462945910009259008)").await;
        let user = service.create_user().await;
        for _ in 0..3 {
            service.create_url(user, "https://example.com/").await;
        }
        waiting(3.0).await;
        other.close().await;
        waiting(0.0).await;
    }

    async fn no_plan_is_compiled_however_large_the_tables_are(database: Database) {
        let service = Service::start(&database).await;
        // What the sessions of requests (`url`) and of the indexer (`url_word`) have it set to.
        database
            .execute(
                "create table seen (place text, jit text);
                 create function see() returns trigger language plpgsql as $$
                 begin insert into seen values (tg_table_name, current_setting('jit')); return new; end $$;
                 create trigger see before insert on url for each row execute function see();
                 create trigger see before insert on url_word for each row execute function see();",
            )
            .await;
        let user = service.create_user().await;
        service.create_url(user, "https://example.com/").await;
        indexed(&database).await;
        for place in ["url", "url_word"] {
            let seen = format!("select distinct jit from seen where place = '{place}'");
            assert_eq!(database.texts(&seen).await, ["off"], "{place}");
        }
    }
}
