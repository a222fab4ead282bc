//! Visitors of links that a service knows by heart, and of links that it has never been asked for, each timed.

use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use harness::{
    answer::Answer,
    eventually,
    service::{Service, client, try_send},
    soak,
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::links::{create, is_trusted, path};

const KNOWN: usize = 3;

/// How often each is followed until it counts as known.
const ONCE_MORE: usize = 3;

/// Enough for an outage of half a minute.
const STRANGE: usize = 10_000;

const VISITORS: usize = 4;

/// One visitor asks for a strange link after so many known ones.
const BETWEEN: usize = 20;

/// A debug build on a busy machine answers hundreds of redirects in a second.
const PATIENCE: Duration = Duration::from_mins(2);

/// Links, and people who follow them. They end with this value.
pub(super) struct Visitors {
    scene: Arc<Scene>,
    people: JoinSet<()>,
}

struct Scene {
    known: Vec<String>,
    strange: Vec<String>,
    visits: Mutex<Visits>,
    stopping: AtomicBool,
}

/// What visitors were answered.
#[derive(Debug, Default)]
pub(super) struct Visits {
    pub(super) known: Vec<Visit>,
    pub(super) strange: Vec<Visit>,
}

#[derive(Debug)]
pub(super) struct Visit {
    pub(super) took: Duration,
    outcome: Result<Answer, String>,
}

impl Visitors {
    /// How many redirects come before the first that is timed.
    pub(super) const WELCOMED: usize = KNOWN * ONCE_MORE;

    /// Makes the links, and follows some until they are known.
    pub(super) async fn come(service: &Service) -> Self {
        is_trusted(service, 1.0).await;
        let mut known = Vec::new();
        for number in 0..KNOWN {
            let url = create(service, &format!("https://example.com/{number}"), json!({})).await;
            let link = path(&url);
            for _ in 0..ONCE_MORE {
                assert_eq!(service.get(&link).await.status, 302);
            }
            known.push(service.url(&link));
        }
        let strange = strangers(service).await;
        let scene = Arc::new(Scene {
            known,
            strange,
            visits: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let mut people = JoinSet::new();
        people.spawn(explore(Arc::clone(&scene)));
        for number in 0..VISITORS {
            people.spawn(follow(Arc::clone(&scene), number));
        }
        Self { scene, people }
    }

    /// Waits until so many more known links were followed, and at least one strange one.
    pub(super) async fn follow(&self, number: usize) {
        let (known, strange) = {
            let visits = self.scene.visits();
            (visits.known.len() + number, visits.strange.len() + 1)
        };
        let enough = async || {
            let visits = self.scene.visits();
            visits.known.len() >= known && visits.strange.len() >= strange
        };
        eventually::holds("links are followed", PATIENCE, enough).await;
    }

    /// What was answered since the last time.
    pub(super) fn take(&self) -> Visits {
        std::mem::take(&mut self.scene.visits())
    }

    /// Lets them finish what is under way, and returns the rest.
    pub(super) async fn leave(mut self) -> Visits {
        self.scene.stopping.store(true, Ordering::SeqCst);
        while let Some(ended) = self.people.join_next().await {
            ended.expect("no visitor panics");
        }
        self.take()
    }
}

impl Scene {
    fn visits(&self) -> MutexGuard<'_, Visits> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

async fn follow(scene: Arc<Scene>, number: usize) {
    let http = client();
    for link in scene.known.iter().cycle().skip(number) {
        if scene.is_over() {
            return;
        }
        let visit = visit(&http, link).await;
        scene.visits().known.push(visit);
    }
}

async fn explore(scene: Arc<Scene>) {
    let http = client();
    for strange in &scene.strange {
        for link in scene.known.iter().cycle().take(BETWEEN) {
            if scene.is_over() {
                return;
            }
            let visit = visit(&http, link).await;
            scene.visits().known.push(visit);
        }
        let visit = visit(&http, strange).await;
        scene.visits().strange.push(visit);
    }
    panic!("{STRANGE} links are not enough");
}

async fn visit(http: &Client, link: &str) -> Visit {
    let started = Instant::now();
    let outcome = try_send(http.get(link)).await;
    Visit {
        took: started.elapsed(),
        outcome: outcome.map_err(|error| format!("{error:?}")),
    }
}

/// Loads links that nobody has followed yet.
async fn strangers(service: &Service) -> Vec<String> {
    let user = service.create_user().await;
    let mut file =
        "id,user_id,short_code,original_url,title,is_active,created_at,updated_at\n".to_owned();
    let time = "2025-01-01 00:00:00";
    for number in 1..=STRANGE {
        let (id, code) = (1_000_000 + number, format!("strange{number}"));
        _ = writeln!(
            file,
            "{id},{user},{code},https://example.com/{code},,True,{time},{time}"
        );
    }
    let answer = service.upload("/urls/bulk", file).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let imported: Value = answer.json();
    assert_eq!(imported["imported"], STRANGE);
    (1..=STRANGE)
        .map(|number| service.url(&format!("/strange{number}")))
        .collect()
}

impl Visit {
    pub(super) fn is_redirect(&self) -> bool {
        self.outcome
            .as_ref()
            .is_ok_and(|answer| answer.status == 302)
    }

    /// Whether the visitor was told to come back later, instead of being cut off or told nonsense.
    pub(super) fn is_polite_refusal(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|answer| {
            let is_problem = answer.header("content-type") == Some("application/problem+json");
            answer.status == 503 && is_problem && answer.header("retry-after").is_some()
        })
    }
}

impl Visits {
    pub(super) fn redirects(&self) -> usize {
        let all = self.known.iter().chain(&self.strange);
        all.filter(|visit| visit.is_redirect()).count()
    }
}

/// Each was answered `as_wanted`, within that time.
#[track_caller]
pub(super) fn assert_each(visits: &[Visit], within: Duration, as_wanted: impl Fn(&Visit) -> bool) {
    assert!(!visits.is_empty());
    for visit in visits {
        assert!(as_wanted(visit) && visit.took < within, "{visit:?}");
    }
}

/// Most were answered as if nothing was away.
#[track_caller]
pub(super) fn assert_quick(what: &str, visits: &[Visit]) {
    /// A debug build on a busy machine. Who waits for what is away, at each visit, takes longer.
    const QUICK: Duration = Duration::from_millis(90);

    let mut took: Vec<_> = visits.iter().map(|visit| visit.took).collect();
    took.sort();
    let (median, last) = (took[took.len() / 2], took.len() - 1);
    let unlucky = took[last - last / 100];
    soak::report(&format!(
        "{what}: {} visits took {median:?} in the median, {unlucky:?} for one in a hundred",
        took.len()
    ));
    assert!(median < QUICK, "{what}: {median:?}");
}
