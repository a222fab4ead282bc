//! A click that the database will not have: it is set aside, and does not stop the others.

use std::{fs, time::Duration};

use harness::{
    database::{Backend, Database},
    eventually,
    service::Service,
};
use serde_json::Value;

use crate::{
    books::number_of_clicks,
    visitors::{path, some_urls},
};

const SOON: Duration = Duration::from_secs(30);

/// Enough for several halvings.
const ROUNDS: usize = 30;

const REFUSED: &str = "shortener_clicks_refused_total";

harness::on_each_database! {
    async fn a_refused_click_is_set_aside_and_the_others_are_recorded_in_order(database: Database) {
        let service = Service::start(&database).await;
        let urls = some_urls(&service).await;
        refuse(&database, &urls[1]).await;
        // So that good and bad ones are read together.
        let held = database.hold_recorders().await;
        let mut good = Vec::new();
        let mut bad = Vec::new();
        for number in 0..ROUNDS {
            let (url, ids) = match number % 7 {
                3 => (&urls[1], &mut bad),
                _ => (&urls[number % 2 * 2], &mut good),
            };
            let source = format!("visit{number}");
            let link = format!("{}?utm_source={source}", path(url));
            assert_eq!(service.get(&link).await.status, 302);
            ids.push(source);
        }
        held.release().await;

        let recorded = async || number_of_clicks(&database).await == good.len();
        eventually::holds("the others are recorded", SOON, recorded).await;
        assert_eq!(service.get("/stats").await.json()["bots"], good.len());
        let in_order = "select utm_source from click order by id";
        assert_eq!(database.texts(in_order).await, good);
        assert_eq!(service.metric(REFUSED).await, Some(count(bad.len())));
        assert_eq!(set_aside(&database, &urls[1]), bad);
        let none = service.get(&format!("/urls/{}/stats", urls[1]["id"])).await.json();
        assert_eq!(none["bots"], 0, "a refused click is in no statistic: {none}");
    }

    async fn refused_clicks_of_a_dead_process_are_set_aside_by_its_heir(database: Database) {
        let service = Service::start(&database).await;
        let urls = some_urls(&service).await;
        refuse(&database, &urls[1]).await;
        let held = database.hold_recorders().await;
        for url in [&urls[1], &urls[0], &urls[1]] {
            assert_eq!(service.get(&path(url)).await.status, 302);
        }
        service.kill().await;
        held.release().await;

        let service = Service::start(&database).await;
        let refused = async || service.metric(REFUSED).await == Some(2.0);
        eventually::holds("the refused ones are counted", SOON, refused).await;
        let recorded = async || number_of_clicks(&database).await == 1;
        eventually::holds("the good one is recorded", SOON, recorded).await;
        assert_eq!(set_aside(&database, &urls[1]).len(), 2);
        let exit = service.terminate().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
}

/// Has the database refuse clicks on `url`.
async fn refuse(database: &Database, url: &Value) {
    let id = &url["id"];
    let rule = match database.backend() {
        Backend::Sqlite => format!(
            "create trigger refuse before insert on click when new.url_id = {id}
             begin select raise(abort, 'refused by the test'); end"
        ),
        Backend::Postgres15 | Backend::Postgres18 => {
            format!("alter table click add constraint refuse check (url_id <> {id})")
        }
    };
    database.execute(&rule).await;
}

/// The visits on `url` in the file of refused clicks, by their campaign's source.
fn set_aside(database: &Database, url: &Value) -> Vec<String> {
    let file = database.dir().join("data-1/refused-clicks.jsonl");
    let lines = fs::read_to_string(file).expect("refused clicks are set aside");
    let source = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        assert_eq!(line["click"]["url_id"], url["id"], "{line}");
        assert!(line["reason"].is_string(), "{line}");
        let query = line["click"]["query"].as_str().expect("a query is a text");
        query.trim_start_matches("utm_source=").to_owned()
    };
    lines.lines().map(source).collect()
}

fn count(number: usize) -> f64 {
    format!("{number}").parse().expect("a number")
}
