//! Editors and visitors of the same links, over all replicas at once.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use harness::{
    eventually,
    service::{Service, client, try_send},
};
use reqwest::Client;
use tokio::task::JoinSet;

use super::{
    board::{Book, Link},
    editor::{Editor, LINKS},
};

const EDITORS: usize = 2;

const VISITORS: usize = 4;

/// How many links are visited at a time: those of the editors, and some that are gone.
const REMEMBERED: usize = 3 * LINKS * EDITORS;

/// For a whole phase, on a machine that is busy with other tests.
const PHASE: Duration = Duration::from_mins(3);

/// Running editors and visitors. They end with this value.
pub(super) struct Traffic {
    scene: Arc<Scene>,
    people: JoinSet<()>,
}

/// What all of them share.
pub(super) struct Scene {
    /// Where the replicas are.
    pub(super) roots: Vec<String>,
    links: RwLock<Vec<Arc<Link>>>,
    book: Mutex<Book>,
    stopping: AtomicBool,
}

impl Traffic {
    pub(super) fn start(replicas: &[&Service]) -> Self {
        let scene = Arc::new(Scene {
            roots: replicas.iter().map(|replica| replica.url("")).collect(),
            links: RwLock::default(),
            book: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let mut people = JoinSet::new();
        for number in 0..EDITORS {
            people.spawn(Editor::new(&scene, number).work());
        }
        for number in 0..VISITORS {
            people.spawn(visit(Arc::clone(&scene), number));
        }
        Self { scene, people }
    }

    /// Waits until so many more edits are answered.
    pub(super) async fn edits(&self, number: usize) {
        let goal = self.scene.book().edits.len() + number;
        let enough = async || self.scene.book().edits.len() >= goal;
        eventually::holds("edits are answered", PHASE, enough).await;
    }

    /// Lets everybody finish what is under way.
    pub(super) async fn stop(mut self) -> Book {
        self.scene.stopping.store(true, Ordering::SeqCst);
        while let Some(ended) = self.people.join_next().await {
            ended.expect("nobody panics");
        }
        std::mem::take(&mut *self.scene.book())
    }
}

impl Scene {
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_over(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn add(&self, link: &Arc<Link>) {
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        links.push(Arc::clone(link));
        let surplus = links.len().saturating_sub(REMEMBERED);
        links.drain(..surplus);
    }

    fn link(&self, number: usize) -> Option<Arc<Link>> {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
        let count = links.len().max(1);
        links.get(number % count).map(Arc::clone)
    }

    /// One visit, and what there is to say of it.
    pub(super) async fn look(&self, http: &Client, root: &str, link: &Link) {
        let floor = link.floor();
        let outcome = try_send(http.get(format!("{root}{}", link.path))).await;
        let verdict = match &outcome {
            Ok(answer) if answer.status != 503 => link.judge(floor, answer),
            _ => Ok(()),
        };
        let mut book = self.book();
        book.answers += 1;
        match outcome {
            Ok(answer) if answer.status == 503 => book.refusals.push(format!("{answer:?}")),
            Ok(_) => book
                .lies
                .extend(verdict.err().map(|lie| format!("{root}: {lie}"))),
            Err(error) => book.refusals.push(format!("{error:?}")),
        }
    }
}

async fn visit(scene: Arc<Scene>, number: usize) {
    let http = client();
    for turn in number.. {
        if scene.is_over() {
            return;
        }
        let root = &scene.roots[turn % scene.roots.len()];
        match scene.link(turn / scene.roots.len()) {
            Some(link) => scene.look(&http, root, &link).await,
            None => tokio::task::yield_now().await,
        }
    }
}
