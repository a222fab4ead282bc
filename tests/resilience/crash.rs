//! A `kill -9`, as the kernel does it when memory runs out: what was answered is kept.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use harness::{
    database::Database,
    eventually,
    service::{Service, client, try_send},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::slow_upload::SlowUpload;

const CLIENTS: usize = 8;

/// What the clients would do in all, were they let.
const REQUESTS: usize = 1_000;

/// How many are answered before the crash comes, so that it comes in the middle.
const BEFORE_THE_CRASH: usize = REQUESTS / 2;

const A_MINUTE: Duration = Duration::from_mins(1);

/// The clicks of a process that is gone are taken over within a second of a start; this leaves room for a slow machine.
const TAKEN_OVER: Duration = Duration::from_secs(10);

harness::on_each_database! {
    async fn every_answered_create_survives_a_kill(database: Database) {
        let service = Service::start(&database).await;
        let user = service.create_user().await;
        let answered = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let url = service.url("/urls");
            clients.spawn(create_until_it_fails(url, user, number, Arc::clone(&answered)));
        }

        in_the_middle(&answered).await;
        service.kill().await;
        let created = clients.join_all().await.concat();
        assert!(created.len() < REQUESTS, "the crash came too late to show anything");

        let service = Service::start(&database).await;
        for url in &created {
            let found = service.get(&format!("/urls/{}", url["id"])).await;
            assert_eq!(found.status, 200, "{url} was answered and is gone");
            assert_eq!(found.json()["short_code"], url["short_code"]);
        }
        let next = service.create_url(user, "https://example.com/next").await;
        let ids: HashSet<_> = created.iter().chain([&next]).map(|url| url["id"].as_i64()).collect();
        assert_eq!(ids.len(), created.len() + 1, "an id was given out twice");
    }

    async fn every_answered_redirect_is_counted_once_after_a_kill(database: Database) {
        let service = Service::start(&database).await;
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let (sent, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let link = service.url(&format!("/{}", url["short_code"].as_str().unwrap()));
            clients.spawn(follow_until_it_fails(link, Arc::clone(&sent), Arc::clone(&answered)));
        }

        in_the_middle(&answered).await;
        service.kill().await;
        clients.join_all().await;
        let (sent, answered) = (sent.load(Ordering::SeqCst), answered.load(Ordering::SeqCst));
        assert!(answered < REQUESTS, "the crash came too late to show anything");

        let service = Service::start(&database).await;
        let recorded = async || clicks(&service, &url).await.len() >= answered;
        eventually::holds("every answered redirect is counted", TAKEN_OVER, recorded).await;
        let clicks = clicks(&service, &url).await;
        assert!(clicks.len() <= sent, "{} clicks of {sent} requests", clicks.len());
        assert_eq!(clicks.iter().collect::<HashSet<_>>().len(), clicks.len(), "one counted twice");
    }

    async fn half_an_upload_leaves_nothing_after_a_kill(database: Database) {
        let service = Service::start(&database).await;
        let upload = SlowUpload::begin(&service).await;
        service.kill().await;
        drop(upload);

        let service = Service::start(&database).await;
        assert_eq!(service.get("/users/7").await.status, 404);
        let answer = SlowUpload::begin(&service).await.finish().await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        assert_eq!(service.get("/users/7").await.status, 200);
    }

    async fn a_restart_finds_what_was_there(database: Database) {
        let service = Service::start(&database).await;
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/kept").await;
        let link = format!("/{}", url["short_code"].as_str().unwrap());
        assert_eq!(service.get(&link).await.status, 302);
        let exit = service.terminate().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");

        let service = Service::start(&database).await;
        assert_eq!(service.get(&format!("/users/{user}")).await.status, 200);
        assert_eq!(service.get(&format!("/urls/{}", url["id"])).await.json(), url);
        assert_eq!(clicks(&service, &url).await.len(), 1);
        let followed = service.get(&link).await;
        assert_eq!(followed.header("location"), Some("https://example.com/kept"));
    }
}

async fn in_the_middle(answered: &AtomicUsize) {
    let enough = async || answered.load(Ordering::SeqCst) >= BEFORE_THE_CRASH;
    eventually::holds("half of the requests are answered", A_MINUTE, enough).await;
}

/// Returns the URLs whose creation was answered.
async fn create_until_it_fails(
    url: String,
    user: i64,
    number: usize,
    answered: Arc<AtomicUsize>,
) -> Vec<Value> {
    let http = client();
    let mut created = Vec::new();
    for request in 0..REQUESTS / CLIENTS {
        let body = json!({
            "user_id": user,
            "original_url": format!("https://example.com/{number}/{request}"),
            "title": "A title",
        });
        let Ok(answer) = try_send(http.post(&url).json(&body)).await else {
            break;
        };
        assert_eq!(answer.status, 201, "{answer:?}");
        created.push(answer.json());
        answered.fetch_add(1, Ordering::SeqCst);
    }
    created
}

async fn follow_until_it_fails(link: String, sent: Arc<AtomicUsize>, answered: Arc<AtomicUsize>) {
    let http = client();
    for _ in 0..REQUESTS / CLIENTS {
        sent.fetch_add(1, Ordering::SeqCst);
        let Ok(answer) = try_send(http.get(&link)).await else {
            break;
        };
        assert_eq!(answer.status, 302, "{answer:?}");
        answered.fetch_add(1, Ordering::SeqCst);
    }
}

/// The ids of all clicks on `url`.
async fn clicks(service: &Service, url: &Value) -> Vec<i64> {
    let mut ids = Vec::new();
    for page in 1.. {
        let path = format!(
            "/events?url_id={}&event_type=click&per_page=100&page={page}",
            url["id"]
        );
        let answer = service.get(&path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let events = answer.json();
        let events = events.as_array().expect("a page is an array");
        if events.is_empty() {
            break;
        }
        ids.extend(events.iter().filter_map(|event| event["id"].as_i64()));
    }
    ids
}
