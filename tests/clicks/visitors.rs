//! Clients that follow links for as long as they can, and count what they were answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use harness::{
    eventually,
    service::{Service, client, try_send},
};
use reqwest::Client;
use serde_json::Value;
use tokio::task::JoinSet;

const CLIENTS: usize = 6;

/// A debug build on a busy machine answers hundreds of redirects in a second.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0";

/// Running visitors. They end with this value.
pub(crate) struct Visitors {
    seen: Arc<Seen>,
    clients: JoinSet<()>,
}

/// How many redirects were asked for, and how many came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) sent: usize,
    pub(crate) answered: usize,
}

#[derive(Default)]
struct Seen {
    stopping: AtomicBool,
    sent: AtomicUsize,
    answered: AtomicUsize,
}

impl Visitors {
    /// Of `urls`, one after another.
    pub(crate) fn come(service: &Service, urls: &[Value]) -> Self {
        Self::with_user_agent(service, urls, BROWSER.to_owned())
    }

    /// As [`Self::come`], with so much to say that a journal fills quickly.
    pub(crate) fn come_with_luggage(service: &Service, urls: &[Value]) -> Self {
        Self::with_user_agent(service, urls, BROWSER.repeat(6))
    }

    fn with_user_agent(service: &Service, urls: &[Value], user_agent: String) -> Self {
        let is_laden = user_agent.len() > BROWSER.len();
        let links: Vec<_> = urls.iter().map(|url| service.url(&path(url))).collect();
        let seen = Arc::new(Seen::default());
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let visitor = Visitor {
                http: client(),
                links: links.clone(),
                user_agent: user_agent.clone(),
                referrer: format!("https://{number}.example/{}", luggage(is_laden, 1_000)),
                query: format!(
                    "?utm_source=s{number}&utm_term={}",
                    luggage(is_laden, 1_900)
                ),
                seen: Arc::clone(&seen),
            };
            clients.spawn(visitor.work());
        }
        Self { seen, clients }
    }

    /// Waits until so many more redirects came.
    pub(crate) async fn are_answered(&self, redirects: usize) {
        let goal = self.seen.answered.load(Ordering::SeqCst) + redirects;
        let enough = async || self.seen.answered.load(Ordering::SeqCst) >= goal;
        eventually::holds("redirects are answered", PATIENCE, enough).await;
    }

    /// Lets them finish their last request.
    pub(crate) async fn leave(mut self) -> Count {
        self.seen.stopping.store(true, Ordering::SeqCst);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("no visitor panics");
        }
        Count {
            sent: self.seen.sent.load(Ordering::SeqCst),
            answered: self.seen.answered.load(Ordering::SeqCst),
        }
    }
}

struct Visitor {
    http: Client,
    links: Vec<String>,
    user_agent: String,
    referrer: String,
    query: String,
    seen: Arc<Seen>,
}

impl Visitor {
    /// Follows links until it is told to stop, or nobody answers any more.
    async fn work(self) {
        for link in self.links.iter().cycle() {
            if self.seen.stopping.load(Ordering::SeqCst) {
                return;
            }
            self.seen.sent.fetch_add(1, Ordering::SeqCst);
            let request = self
                .http
                .get(format!("{link}{}", self.query))
                .header("user-agent", &self.user_agent)
                .header("referer", &self.referrer);
            let Ok(answer) = try_send(request).await else {
                return;
            };
            match answer.status {
                302 => {
                    self.seen.answered.fetch_add(1, Ordering::SeqCst);
                }
                // Asked for the first time while the database is away.
                503 => {}
                _ => panic!("a redirect was answered by {answer:?}"),
            }
        }
    }
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.answered += other.answered;
    }
}

fn luggage(is_laden: bool, length: usize) -> String {
    "x".repeat(if is_laden { length } else { 1 })
}

/// The short URL's path.
pub(crate) fn path(url: &Value) -> String {
    format!("/{}", url["short_code"].as_str().expect("a URL has a code"))
}

/// Some URLs of a new user.
pub(crate) async fn some_urls(service: &Service) -> Vec<Value> {
    let user = service.create_user().await;
    let mut urls = Vec::new();
    for number in 0..3 {
        let target = format!("https://example.com/{number}");
        urls.push(service.create_url(user, &target).await);
    }
    urls
}
