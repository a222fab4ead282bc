//! Somebody who changes where a link leads, all the time, and looks after each answer whether everybody obeys: through nginx, and
//! at each instance itself.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use harness::{
    eventually,
    service::{client, try_send},
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, MutexGuard},
    task::JoinHandle,
};

use super::docker::{of_project, try_docker};
use crate::stack::{HEALTHY, INSTANCES, Stack};

/// Looks after an edit through nginx, which draws an instance for each, and at each instance.
const THROUGH_NGINX: u32 = 4;
const AT_EACH: u32 = 2;

/// Between two edits, so that the machine has time for visitors.
const PAUSE: Duration = Duration::from_millis(100);

/// A frozen instance answers later, or never.
const PATIENCE: Duration = Duration::from_secs(2);

/// An edit that waits for somebody is answered after seconds.
const EDIT: Duration = Duration::from_secs(15);

/// At work. `end` has it stop.
pub(super) struct Editor {
    desk: Arc<Desk>,
    work: JoinHandle<Edited>,
}

/// What it came to.
#[derive(Clone, Copy, Default)]
pub(super) struct Edited {
    /// Those that were answered.
    pub edits: u64,
    /// Redirects, and requests for one that brought none.
    pub answered: u64,
    pub unanswered: u64,
    /// Redirects to where the link led before an edit that had been answered.
    pub stale: u64,
}

struct Desk {
    http: Client,
    /// Where the link is edited, and followed.
    resource: String,
    link: String,
    code: String,
    edits: AtomicU64,
    is_over: AtomicBool,
    /// Held during an edit and the looks after it.
    editing: Mutex<()>,
}

impl Editor {
    #[expect(clippy::disallowed_methods, reason = "the task ends with the drill")]
    pub(super) fn begin(stack: &Stack, url: &Value) -> Self {
        let code = url["short_code"].as_str().expect("a code").to_owned();
        let desk = Arc::new(Desk {
            http: client(),
            resource: stack.url(&format!("/urls/{}", url["id"])),
            link: stack.url(&format!("/{code}")),
            code,
            edits: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            editing: Mutex::new(()),
        });
        let work = tokio::spawn(work(Arc::clone(&desk)));
        Self { desk, work }
    }

    /// Waits until an edit has been answered that began after this was called.
    pub(super) async fn until_edited(&self) {
        let edits = || self.desk.edits.load(Ordering::SeqCst);
        // One may be under way.
        let enough = edits() + 2;
        eventually::holds("edits are answered", HEALTHY, async || edits() >= enough).await;
    }

    /// As long as the value lives, nobody edits.
    pub(super) async fn hold(&self) -> MutexGuard<'_, ()> {
        self.desk.editing.lock().await
    }

    pub(super) async fn end(self) -> Edited {
        self.desk.is_over.store(true, Ordering::SeqCst);
        self.work.await.expect("the editor does not panic")
    }
}

async fn work(desk: Arc<Desk>) -> Edited {
    let mut edited = Edited::default();
    let mut doors = [None; INSTANCES.len()];
    while !desk.is_over() {
        let target = format!("https://example.com/edit/{}", edited.edits);
        let turn = desk.editing.lock().await;
        if desk.edit(&target).await {
            edited.edits += 1;
            for _ in 0..THROUGH_NGINX {
                desk.look(&desk.link, &target, &mut edited).await;
            }
            for (instance, door) in INSTANCES.iter().zip(&mut doors) {
                desk.look_at(instance, door, &target, &mut edited).await;
            }
            desk.edits.fetch_add(1, Ordering::SeqCst);
        }
        drop(turn);
        _ = eventually::try_some::<()>(PAUSE, async || None).await;
    }
    edited
}

impl Desk {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Has the link lead elsewhere. False if that was not answered before the end.
    async fn edit(&self, target: &str) -> bool {
        let body = json!({"original_url": target});
        while !self.is_over() {
            let request = self.http.put(&self.resource).json(&body).timeout(EDIT);
            if try_send(request)
                .await
                .is_ok_and(|answer| answer.status == 200)
            {
                return true;
            }
            _ = eventually::try_some::<()>(PAUSE, async || None).await;
        }
        false
    }

    /// At the instance itself, whose address is asked for when the last one known does not answer.
    async fn look_at(
        &self,
        instance: &str,
        door: &mut Option<SocketAddr>,
        target: &str,
        edited: &mut Edited,
    ) {
        if door.is_none() {
            *door = find(instance);
        }
        let Some(address) = *door else { return };
        for _ in 0..AT_EACH {
            let link = format!("http://{address}/{}", self.code);
            if !self.look(&link, target, edited).await {
                *door = None;
                return;
            }
        }
    }

    /// Whether somebody answers there.
    async fn look(&self, link: &str, target: &str, edited: &mut Edited) -> bool {
        let answer = try_send(self.http.get(link).timeout(PATIENCE)).await;
        match &answer {
            Ok(answer) if answer.status == 302 => {
                edited.answered += 1;
                let is_stale = answer.header("location") != Some(target);
                edited.stale += u64::from(is_stale);
            }
            _ => edited.unanswered += 1,
        }
        answer.is_ok()
    }
}

/// Where an instance answers nginx, if it runs.
fn find(instance: &str) -> Option<SocketAddr> {
    let network = of_project('_', "edge");
    let template = format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
    let container = of_project('-', &format!("{instance}-1"));
    let address = try_docker(&["inspect", "--format", &template, &container]).ok()?;
    Some(SocketAddr::new(address.parse().ok()?, 8080))
}
