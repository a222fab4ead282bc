//! A short URL for so many visitors: exactly so many get through, however many come at once and wherever.

use std::{collections::BTreeMap, sync::Arc};

use harness::{
    database::{Backend, Database},
    service::{Service, client, try_send},
    soak,
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{sync::Mutex, task::JoinSet};

use crate::links::{assert_leads_to, change, clicks, create, path, resource};

const TARGET: &str = "https://example.com/secret";

const CONNECTIONS: usize = 64;

/// So many at once on one row are too many for a debug build on a busy machine: some may have to come back.
const TRIES: usize = 20;

/// As many services as a database allows: two on Postgres, one on SQLite.
struct Served {
    services: Vec<Service>,
    /// Dropped last.
    database: Database,
}

impl Served {
    async fn fresh(backend: Backend) -> Self {
        let database = Database::fresh(backend).await;
        let mut services = vec![Service::start(&database).await];
        if backend != Backend::Sqlite {
            services.push(Service::start(&database).await);
        }
        Self { services, database }
    }

    fn output(&self) -> String {
        self.services.iter().map(Service::output).collect()
    }

    fn first(&self) -> &Service {
        &self.services[0]
    }

    /// Has so many visitors come at once, over all services, and returns how many were answered by each status. Who is
    /// told to come back later does so.
    async fn visit(&self, url: &Value, visitors: usize) -> BTreeMap<u16, usize> {
        let links: Vec<_> = self
            .services
            .iter()
            .map(|service| service.url(&path(url)))
            .collect();
        let turns = Arc::new(Mutex::new(links.into_iter().cycle().take(visitors)));
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (http, turns) = (client(), Arc::clone(&turns));
            connections.spawn(async move {
                let mut statuses = Vec::new();
                while let Some(link) = next(&turns).await {
                    statuses.push(come(&http, &link).await?);
                }
                Ok::<_, String>(statuses)
            });
        }
        let mut counts = BTreeMap::new();
        for statuses in connections.join_all().await {
            for status in statuses.unwrap_or_else(|error| panic!("{error}\n{}", self.output())) {
                *counts.entry(status).or_default() += 1;
            }
        }
        counts
    }
}

/// Comes until there is a definite answer.
async fn come(http: &Client, link: &str) -> Result<u16, String> {
    for _ in 0..TRIES {
        let answer = try_send(http.get(link)).await;
        let answer = answer.map_err(|error| format!("no answer: {error:?}"))?;
        assert_eq!(answer.header("location").is_some(), answer.status == 302);
        if answer.status != 503 {
            return Ok(answer.status);
        }
    }
    Err(format!("told to come back later {TRIES} times"))
}

async fn next(turns: &Mutex<impl Iterator<Item = String>>) -> Option<String> {
    turns.lock().await.next()
}

harness::on_each_database! {
    async fn exactly_so_many_visitors_get_through(served: Served) {
        for round in 0..soak::rounds(1, 10) {
            let limit = [100, 999, 1, 500][round % 4];
            let url = create(served.first(), TARGET, json!({"max_clicks": limit})).await;
            let counts = served.visit(&url, 1_000).await;
            assert_eq!(counts, BTreeMap::from([(302, limit), (410, 1_000 - limit)]));
            for service in &served.services {
                service.get(&path(&url)).await.assert_problem(410);
                assert_eq!(clicks(service, &url).await, limit, "as many as got through");
            }
        }
    }

    async fn more_than_come_are_all_let_through(served: Served) {
        let url = create(served.first(), TARGET, json!({"max_clicks": 201})).await;
        assert_eq!(served.visit(&url, 200).await, BTreeMap::from([(302, 200)]));
        assert_eq!(served.visit(&url, 10).await, BTreeMap::from([(302, 1), (410, 9)]));
    }

    async fn a_look_uses_nothing_up_and_reveals_nothing(served: Served) {
        let url = create(served.first(), TARGET, json!({"max_clicks": 1})).await;
        for service in &served.services {
            for path in [path(&url), format!("/urls{}/redirect", path(&url))] {
                let head = service.head(&path).await;
                assert!(head.status < 400, "{head:?}");
                assert_eq!(head.header("location"), None, "{head:?}");
            }
            let preview = service.get(&format!("{}+", path(&url))).await;
            assert_eq!(preview.status, 200, "{preview:?}");
            assert!(!preview.text().contains("secret"), "{}", preview.text());
            assert_eq!(clicks(service, &url).await, 0);
        }
        assert_leads_to(&served.first().get(&path(&url)).await, TARGET);
        for service in &served.services {
            service.get(&path(&url)).await.assert_problem(410);
            assert_eq!(service.head(&path(&url)).await.status, 410);
            assert_eq!(service.get(&format!("{}+", path(&url))).await.status, 410);
            assert_eq!(clicks(service, &url).await, 1);
        }
    }

    async fn a_limit_counts_from_when_it_is_set(served: Served) {
        let url = create(served.first(), TARGET, json!({})).await;
        assert_eq!(served.visit(&url, 70).await, BTreeMap::from([(302, 70)]));
        change(served.first(), &url, json!({"max_clicks": 5})).await;
        assert_eq!(served.visit(&url, 70).await, BTreeMap::from([(302, 5), (410, 65)]));

        change(served.first(), &url, json!({"max_clicks": 8})).await;
        assert_eq!(served.visit(&url, 70).await, BTreeMap::from([(302, 3), (410, 67)]), "three more");
        change(served.first(), &url, json!({"max_clicks": null})).await;
        assert_eq!(served.visit(&url, 70).await, BTreeMap::from([(302, 70)]));
    }

    async fn who_is_not_let_through_for_another_reason_uses_nothing_up(served: Served) {
        let url = create(served.first(), TARGET, json!({"max_clicks": 1, "is_active": false})).await;
        let url = change(served.first(), &url, json!({"is_active": false})).await;
        for service in &served.services {
            service.get(&path(&url)).await.assert_problem(404);
        }
        change(served.first(), &url, json!({"is_active": true})).await;
        assert_eq!(served.visit(&url, 10).await, BTreeMap::from([(302, 1), (410, 9)]));
        assert_eq!(served.first().delete(&resource(&url)).await.status, 204);
        for service in &served.services {
            service.get(&path(&url)).await.assert_problem(404);
        }
    }
}

/// Makes each commit that counts a visit take longer than visitors are made to wait.
const SLOW_COMMITS: &str = "
    create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(3); return null; end $$;
    create constraint trigger dawdle after insert or update on url_use deferrable initially deferred
        for each row execute function dawdle()";

harness::on_each_postgres! {
    async fn a_visit_is_not_used_up_by_somebody_who_is_sent_away(served: Served) {
        let url = create(served.first(), TARGET, json!({"max_clicks": 1})).await;
        served.database.execute(SLOW_COMMITS).await;
        assert_leads_to(&served.first().get(&path(&url)).await, TARGET);
        served.first().get(&path(&url)).await.assert_problem(410);
    }
}
