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

/// That a visitor comes from, in turn, so that the rate limits of one stop nobody: as many as one network has for all of them.
const ADDRESSES: u8 = 60;

/// Before somebody knocks again who was not let in.
const AGAIN: Duration = Duration::from_millis(20);

/// What they have met so far.
#[derive(Debug, Default)]
struct Seen {
    redirects: AtomicU64,
    again: AtomicU64,
    failures: Mutex<Vec<String>>,
    done: AtomicBool,
}

/// What they have met in the end.
#[derive(Debug)]
pub(crate) struct Visits {
    pub redirects: u64,
    /// Requests sent again, since their connections were closed.
    pub again: u64,
    pub failures: Vec<String>,
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
    pub(crate) fn follow(url: &str) -> Self {
        let seen = Arc::new(Seen::default());
        let mut tasks = JoinSet::new();
        for number in 0..VISITORS {
            let seen = Arc::clone(&seen);
            let url = url.to_owned();
            tasks.spawn(async move { visit(&seen, &url, number).await });
        }
        Self { seen, tasks }
    }

    pub(crate) fn redirects(&self) -> u64 {
        self.seen.redirects.load(Ordering::SeqCst)
    }

    /// Has them stop.
    pub(crate) async fn stop(mut self) -> Visits {
        self.seen.done.store(true, Ordering::SeqCst);
        while self.tasks.join_next().await.is_some() {}
        let failures = self.seen.failures.lock();
        let failures = failures.unwrap_or_else(PoisonError::into_inner).clone();
        Visits {
            redirects: self.redirects(),
            again: self.seen.again.load(Ordering::SeqCst),
            failures,
        }
    }
}

async fn visit(seen: &Seen, url: &str, number: u8) {
    let http = client();
    let mut addresses = (0..ADDRESSES).cycle();
    while !seen.done.load(Ordering::SeqCst) {
        let address = number * ADDRESSES + addresses.next().unwrap_or_default();
        let request = http
            .get(url)
            .header("X-Forwarded-For", format!("203.0.113.{address}"));
        let again = request.try_clone().expect("it has no body");
        let mut answer = try_send(request).await;
        if answer.as_ref().is_err_and(is_closed_unanswered) {
            seen.again.fetch_add(1, Ordering::SeqCst);
            answer = try_send(again).await;
        }
        match answer {
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

/// Whether a connection was closed before the answer began. A server may do so with one that stays open whenever it wants, and the
/// request that is just on its way is to be sent again (RFC 9112, 9.3.1): browsers do it, once, and so do visitors.
fn is_closed_unanswered(error: &reqwest::Error) -> bool {
    let text = format!("{error:?}");
    text.contains("IncompleteMessage") || text.contains("ConnectionReset")
}
