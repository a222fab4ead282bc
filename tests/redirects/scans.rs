//! Somebody who tries one code after another pushes out nothing; a code that comes into being is soon seen.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use harness::{
    database::{Backend, Database},
    eventually,
    service::{Service, client, try_send},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::links::{SOON, assert_leads_to, create, is_trusted, lookups, path};

const TARGET: &str = "https://example.com/";

/// Room for a few hundred links.
const SMALL: usize = 64 << 10;

/// For so long others may believe that there is no such link.
const A_SECOND: Duration = Duration::from_secs(1);

const SCAN: usize = 5_000;

const CONNECTIONS: usize = 16;

const TRIES: usize = 10;

/// A database, for a service with a small memory.
struct Small {
    service: Service,
    /// Dropped last.
    _database: Database,
}

impl Small {
    async fn fresh(backend: Backend) -> Self {
        let database = Database::fresh(backend).await;
        let memory = format!("--cache-max-bytes={SMALL}");
        let service = Service::builder(&database).arg(memory).start().await;
        Self {
            service,
            _database: database,
        }
    }
}

/// Two services on one database.
struct Replicas {
    services: [Service; 2],
    /// Dropped last.
    _database: Database,
}

impl Replicas {
    async fn fresh(backend: Backend) -> Self {
        let database = Database::fresh(backend).await;
        let services = tokio::join!(Service::start(&database), Service::start(&database));
        Self {
            services: services.into(),
            _database: database,
        }
    }
}

/// Asks for codes with many connections at once; each has to be answered with `status`, if need be on a second try: who
/// asks for more than the machine can look up is told to come back.
async fn ask_for(service: &Service, codes: Vec<String>, status: u16) {
    let share = codes.len().div_ceil(CONNECTIONS);
    let mut connections = JoinSet::new();
    for codes in codes.chunks(share) {
        let links: Vec<_> = codes
            .iter()
            .map(|code| service.url(&format!("/{code}")))
            .collect();
        connections.spawn(async move {
            let http = client();
            for link in links {
                let mut answer = try_send(http.get(&link)).await.expect("an answer");
                for _ in 0..TRIES {
                    if answer.status == 503 {
                        answer = try_send(http.get(&link)).await.expect("an answer");
                    }
                }
                assert_eq!(answer.status, status, "{link}: {answer:?}");
            }
        });
    }
    connections.join_all().await;
}

harness::on_each_database! {
    async fn a_scan_pushes_out_no_link(small: Small) {
        let service = &small.service;
        let url = create(service, TARGET, json!({})).await;
        is_trusted(service, 1.0).await;
        for _ in 0..3 {
            assert_leads_to(&service.get(&path(&url)).await, TARGET);
        }
        // A machine that is too busy for its leases may make the service ask once more; not each time.
        for attempt in 0.. {
            let codes = (0..SCAN).map(|number| format!("unknown-{attempt}-{number}")).collect();
            ask_for(service, codes, 404).await;
            let (memory, database) = (lookups(service, "memory").await, lookups(service, "database").await);
            for _ in 0..10 {
                assert_leads_to(&service.get(&path(&url)).await, TARGET);
            }
            let asked = lookups(service, "database").await - database;
            if asked == 0 {
                assert_eq!(lookups(service, "memory").await, memory + 10);
                break;
            }
            assert!(attempt < 3, "the database was asked {asked} times for a link that is known");
        }
    }

    async fn the_memory_stays_within_its_bounds(small: Small) {
        let service = &small.service;
        let codes = load_links(service, 2_000).await;
        ask_for(service, codes, 302).await;
        // The cache is measured now and then.
        let measured = async || service.count("shortener_cache_links").await > 0;
        eventually::holds("the cache is measured", SOON, measured).await;
        let bytes = service.count("shortener_cache_bytes").await;
        let links = service.count("shortener_cache_links").await;
        assert!(0 < bytes && bytes <= SMALL, "{bytes} bytes for {links} links");
        assert!(0 < links && links < 2_000, "{links} links in {bytes} bytes");
    }

    async fn many_who_want_one_strange_link_are_one_question(service: Service) {
        let url = create(&service, TARGET, json!({})).await;
        let code = url["short_code"].as_str().unwrap().to_owned();
        let before = lookups(&service, "database").await;
        ask_for(&service, vec![code; 500], 302).await;
        let questions = lookups(&service, "database").await - before;
        assert!(questions <= CONNECTIONS, "those that came at once at most: {questions}");
    }

    async fn a_new_link_is_seen_at_once_where_it_was_made(service: Service) {
        let user = service.create_user().await;
        for number in 0..20 {
            let code = format!("launch-{number}");
            assert_eq!(service.get(&format!("/{code}")).await.status, 404);
            let body = json!({"user_id": user, "original_url": TARGET, "short_code": code});
            assert_eq!(service.post("/urls", body).await.status, 201);
            assert_leads_to(&service.get(&format!("/{code}")).await, TARGET);
        }
    }
}

harness::on_each_postgres! {
    async fn a_new_link_is_seen_within_a_second_by_the_others(replicas: Replicas) {
        let [one, other] = &replicas.services;
        let user = one.create_user().await;
        for number in 0..5 {
            let link = format!("/launch-{number}");
            for _ in 0..5 {
                assert_eq!(other.get(&link).await.status, 404);
            }
            let body = json!({"user_id": user, "original_url": TARGET, "short_code": &link[1..]});
            assert_eq!(one.post("/urls", body).await.status, 201);
            let created = Instant::now();
            // Somebody who asks all the time must not keep the old answer alive.
            let seen = async || {
                let came = created.elapsed();
                let status = other.get(&link).await.status;
                assert!(status == 302 || came < A_SECOND, "who came after {came:?} saw {status}");
                status == 302
            };
            eventually::holds("the others see it", SOON, seen).await;
        }
    }
}

/// Loads links from a file, and returns their codes.
async fn load_links(service: &Service, number: usize) -> Vec<String> {
    let user = service.create_user().await;
    let time = "2025-01-01 00:00:00";
    let codes: Vec<_> = (1..=number).map(|number| format!("real{number}")).collect();
    let mut file =
        "id,user_id,short_code,original_url,title,is_active,created_at,updated_at\n".to_owned();
    for (id, code) in (1..).zip(&codes) {
        _ = writeln!(
            file,
            "{id},{user},{code},https://example.com/{code},,True,{time},{time}"
        );
    }
    let answer = service.upload("/urls/bulk", file).await;
    assert_eq!(answer.json()["imported"], Value::from(number), "{answer:?}");
    codes
}
