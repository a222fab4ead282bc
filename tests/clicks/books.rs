//! Compares what visitors were answered with what the database holds, in every place where it says so.

use std::{collections::BTreeSet, time::Duration};

use harness::{database::Database, eventually, service::Service};
use serde_json::Value;

use crate::{
    journals::{data_dir, journals},
    visitors::Count,
};

/// What is left after a crash is adopted within a second of a start, and what a fail-over lost is looked for every ten
/// seconds; the rest is for a slow machine.
const SETTLED: Duration = Duration::from_mins(1);

/// What was recorded when somebody last looked.
#[derive(Debug, Default)]
pub(crate) struct Books {
    recorded: usize,
}

impl Books {
    /// Waits until everything has settled; then exactly what was answered since the last time is recorded, but for
    /// requests whose answer got lost.
    pub(crate) async fn balance(&mut self, database: &Database, service: &Service, count: Count) {
        let clicks = self.settled(database, service, count.answered).await;
        let new = clicks - self.recorded;
        assert!(
            count.answered <= new && new <= count.sent,
            "{new} clicks were recorded, of {count:?}; the service said:\n{}",
            service.output()
        );
        self.recorded = clicks;
    }

    /// Begins with what is there.
    pub(crate) async fn settled_first(&mut self, database: &Database, service: &Service) {
        self.recorded = self.settled(database, service, 0).await;
    }

    /// Waits until `answered` clicks more are recorded, and nothing is left to record. Returns how many there are in all.
    pub(crate) async fn settled(
        &self,
        database: &Database,
        service: &Service,
        answered: usize,
    ) -> usize {
        let all_recorded = async || number_of_clicks(database).await >= self.recorded + answered;
        if eventually::try_some(SETTLED, async || all_recorded().await.then_some(()))
            .await
            .is_none()
        {
            let recorded = number_of_clicks(database).await - self.recorded;
            panic!(
                "{recorded} of {answered} clicks are recorded; the service said:\n{}",
                service.output()
            );
        }
        journals_are_drained(database, service).await;
        each_click_is_there_once(database, service).await
    }
}

pub(crate) async fn number_of_clicks(database: &Database) -> usize {
    let count = database.integer("select count(*) from click").await;
    usize::try_from(count).expect("a number of rows")
}

/// Waits until dead journals are closed, at their very end, and the living one holds nothing.
pub(crate) async fn journals_are_drained(database: &Database, service: &Service) {
    let one_open = async || {
        let open = "select count(*) from journal where closed_at is null";
        database.integer(open).await == 1
    };
    eventually::holds("dead journals are closed", SETTLED, one_open).await;
    let empty = async || service.metric("shortener_journal_depth_bytes").await == Some(0.0);
    eventually::holds("the journal is drained", SETTLED, empty).await;

    let live = database.texts("select id from journal where closed_at is null");
    let live = live.await;
    for journal in journals(&data_dir(database)) {
        if journal.is_closed() || live.contains(&journal.id().to_owned()) {
            continue;
        }
        let id = journal.id();
        let position = format!("select position from journal where id = '{id}'");
        assert_eq!(database.integer(&position).await, journal.end(), "{id}");
    }
}

/// By the table, by the list of events, and by the statistics. Returns how many there are.
async fn each_click_is_there_once(database: &Database, service: &Service) -> usize {
    let rows = database.integers("select id from click").await;
    let ids: BTreeSet<_> = rows.iter().copied().collect();
    assert_eq!(ids.len(), rows.len(), "an id was given out twice");
    let shared = "select count(*) from click join event on event.id = click.id";
    assert_eq!(
        database.integer(shared).await,
        0,
        "events have ids of clicks"
    );

    let listed = listed_clicks(service).await;
    let listed_ids: BTreeSet<_> = listed.iter().copied().collect();
    assert_eq!(listed_ids.len(), listed.len(), "one is listed twice");
    assert_eq!(listed_ids, ids, "the list is not the table");

    let stats = service.get("/stats").await;
    assert_eq!(stats.status, 200, "{stats:?}");
    let stats = stats.json();
    let counted = stats["clicks"].as_u64().unwrap() + stats["bots"].as_u64().unwrap();
    assert_eq!(usize::try_from(counted).unwrap(), rows.len(), "{stats}");
    rows.len()
}

/// The ids of all clicks, page by page.
pub(crate) async fn listed_clicks(service: &Service) -> Vec<i64> {
    let mut ids = Vec::new();
    for page in 1.. {
        let path = format!("/events?event_type=click&per_page=100&page={page}");
        let answer = service.get(&path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let events: Vec<Value> = serde_json::from_value(answer.json()).expect("an array");
        if events.is_empty() {
            break;
        }
        ids.extend(events.iter().map(|event| event["id"].as_i64().unwrap()));
    }
    ids
}
