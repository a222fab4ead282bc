//! Visitors who follow one short URL all the time, whatever happens to the stack meanwhile.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use harness::{
    eventually,
    service::{client, try_send},
};
use tokio::task::JoinSet;

/// As many as notice a gap, and few enough for a machine of two cores.
const VISITORS: u8 = 4;

/// Before somebody knocks again who was not let in.
const AGAIN: Duration = Duration::from_millis(20);

/// What they have met so far.
#[derive(Debug, Default)]
struct Seen {
    redirects: AtomicU64,
    failures: Mutex<Vec<String>>,
    done: AtomicBool,
}

impl Seen {
    fn note_failure(&self, failure: String) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.push(failure);
    }
}

/// Visitors at their work.
pub(crate) struct Visitors {
    seen: Arc<Seen>,
    tasks: JoinSet<()>,
}

impl Visitors {
    /// Each has an address of its own, so that the rate limits of one do not stop them.
    pub(crate) fn follow(url: &str) -> Self {
        let seen = Arc::new(Seen::default());
        let mut tasks = JoinSet::new();
        for number in 1..=VISITORS {
            let seen = Arc::clone(&seen);
            let url = url.to_owned();
            tasks.spawn(async move { visit(&seen, &url, number).await });
        }
        Self { seen, tasks }
    }

    pub(crate) fn redirects(&self) -> u64 {
        self.seen.redirects.load(Ordering::SeqCst)
    }

    /// Has them stop; how many redirects they got, and what else they met.
    pub(crate) async fn stop(mut self) -> (u64, Vec<String>) {
        self.seen.done.store(true, Ordering::SeqCst);
        while self.tasks.join_next().await.is_some() {}
        let failures = self.seen.failures.lock();
        let failures = failures.unwrap_or_else(PoisonError::into_inner).clone();
        (self.redirects(), failures)
    }
}

async fn visit(seen: &Seen, url: &str, number: u8) {
    let http = client();
    while !seen.done.load(Ordering::SeqCst) {
        let request = http
            .get(url)
            .header("X-Forwarded-For", format!("203.0.113.{number}"));
        match try_send(request).await {
            Ok(answer) if answer.status == 302 => {
                seen.redirects.fetch_add(1, Ordering::SeqCst);
            }
            other => {
                seen.note_failure(format!("{other:?}"));
                _ = eventually::try_some::<()>(AGAIN, async || None).await;
            }
        }
    }
}
