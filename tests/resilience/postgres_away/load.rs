//! Clients that create URLs and follow them, and note what went wrong.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use harness::{
    answer::Answer,
    eventually,
    service::{Service, client, try_send},
};
use reqwest::{Client, RequestBuilder};
use serde_json::json;
use tokio::task::JoinSet;

const CLIENTS: usize = 4;

/// Enough for each client to have done everything several times.
const A_FEW: usize = 40;

/// Running clients. They end with this value.
pub(super) struct Load {
    seen: Arc<Seen>,
    clients: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    stopping: AtomicBool,
    successes: AtomicUsize,
    failures: Mutex<Vec<Failure>>,
}

/// A request that was not answered as usual.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    what: &'static str,
    outcome: Result<Answer, String>,
}

impl Failure {
    /// Whether the client was told to come back later, instead of being cut off or told nonsense.
    pub(super) fn is_a_polite_refusal(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|answer| {
            let is_problem = answer.header("content-type") == Some("application/problem+json");
            answer.status == 503 && is_problem && answer.header("retry-after").is_some()
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(answer) => write!(f, "{} was answered by {answer:?}", self.what),
            Err(error) => write!(f, "{} was not answered: {error}", self.what),
        }
    }
}

impl Load {
    pub(super) async fn start(service: &Service) -> Self {
        let user = service.create_user().await;
        let known = service.create_url(user, "https://example.com/known").await;
        let seen = Arc::new(Seen::default());
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let client = LoadClient {
                http: client(),
                root: service.url(""),
                user,
                known: code(&known),
                seen: Arc::clone(&seen),
            };
            clients.spawn(client.work());
        }
        Self { seen, clients }
    }

    /// Waits until requests of each kind have succeeded since now.
    pub(super) async fn succeeds(&self, within: Duration) {
        let before = self.seen.successes.load(Ordering::SeqCst);
        let enough = async || self.seen.successes.load(Ordering::SeqCst) >= before + A_FEW;
        eventually::holds("requests succeed", within, enough).await;
    }

    /// Waits until requests have failed since now.
    pub(super) async fn is_refused(&self, within: Duration) {
        let before = self.failures().len();
        let enough = async || self.failures().len() >= before + CLIENTS;
        eventually::holds("requests are refused", within, enough).await;
    }

    pub(super) fn failures(&self) -> Vec<Failure> {
        let failures = self.seen.failures.lock();
        failures.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets the clients finish their last request, and returns all that went wrong.
    pub(super) async fn stop(mut self) -> Vec<Failure> {
        self.seen.stopping.store(true, Ordering::SeqCst);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("no client panics");
        }
        self.failures()
    }
}

struct LoadClient {
    http: Client,
    root: String,
    user: i64,
    known: String,
    seen: Arc<Seen>,
}

impl LoadClient {
    /// A visit of a known link, a creation, a visit of the new link; again and again.
    async fn work(self) {
        while !self.seen.stopping.load(Ordering::SeqCst) {
            self.visit(&self.known).await;
            let body = json!({
                "user_id": self.user,
                "original_url": "https://example.com/new",
                "title": "A title",
            });
            let create = self.http.post(format!("{}/urls", self.root)).json(&body);
            if let Some(created) = self.expect("a create", 201, create).await {
                self.visit(&code(&created.json())).await;
            }
        }
    }

    async fn visit(&self, code: &str) {
        let visit = self.http.get(format!("{}/{code}", self.root));
        self.expect("a redirect", 302, visit).await;
    }

    async fn expect(
        &self,
        what: &'static str,
        status: u16,
        request: RequestBuilder,
    ) -> Option<Answer> {
        match try_send(request).await {
            Ok(answer) if answer.status == status => {
                self.seen.successes.fetch_add(1, Ordering::SeqCst);
                return Some(answer);
            }
            Ok(answer) => self.note(what, Ok(answer)),
            Err(error) => self.note(what, Err(format!("{error:?}"))),
        }
        None
    }

    fn note(&self, what: &'static str, outcome: Result<Answer, String>) {
        let failures = self.seen.failures.lock();
        let mut failures = failures.unwrap_or_else(PoisonError::into_inner);
        failures.push(Failure { what, outcome });
    }
}

fn code(url: &serde_json::Value) -> String {
    url["short_code"]
        .as_str()
        .expect("a URL has a code")
        .to_owned()
}
