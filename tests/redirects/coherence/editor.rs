//! Somebody who edits links all the time, through one replica after another.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use harness::{
    answer::Answer,
    service::{client, try_send},
};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::{
    board::{Expected, Link},
    traffic::Scene,
};

/// Links of one life.
pub(super) const LINKS: usize = 3;

/// How long an edit is tried again that was refused.
const INSISTENCE: Duration = Duration::from_mins(1);

pub(super) struct Editor {
    scene: Arc<Scene>,
    http: Client,
    number: usize,
    /// How much it has done; tells its targets apart, and through which replica it goes next.
    turn: usize,
}

impl Editor {
    pub(super) fn new(scene: &Arc<Scene>, number: usize) -> Self {
        Self {
            scene: Arc::clone(scene),
            http: client(),
            number,
            turn: number,
        }
    }

    /// Lives one life after another: a user whose links change, are switched off and on, and go.
    pub(super) async fn work(mut self) {
        while !self.scene.is_over() {
            let user = self.create_user().await;
            let mut links = Vec::new();
            for _ in 0..LINKS {
                links.push(self.create_link(&user).await);
            }
            for step in 0..4 {
                for link in &links {
                    if self.scene.is_over() {
                        return;
                    }
                    self.change(link, step).await;
                }
            }
            let path = format!("/urls/{}", links[0].id);
            self.edit(&links[..1], &Expected::NotFound, &path, None)
                .await;
            self.edit(&links[1..], &Expected::NotFound, &user, None)
                .await;
        }
    }

    /// Two targets, off, and on again.
    async fn change(&mut self, link: &Arc<Link>, step: usize) {
        let target = self.target();
        let (body, expected) = match step {
            2 => (json!({"is_active": false}), Expected::NotFound),
            3 => (
                json!({"is_active": true, "original_url": target}),
                Expected::LeadsTo(target),
            ),
            _ => (json!({"original_url": target}), Expected::LeadsTo(target)),
        };
        let path = format!("/urls/{}", link.id);
        let links = std::slice::from_ref(link);
        self.edit(links, &expected, &path, Some(&body)).await;
    }

    /// Puts `body` to `path`, or deletes it, until that is answered; then asks every replica what it makes of it.
    async fn edit(
        &mut self,
        links: &[Arc<Link>],
        expected: &Expected,
        path: &str,
        body: Option<&Value>,
    ) {
        let url = format!("{}{path}", self.root());
        for link in links {
            link.begin(expected.clone());
        }
        let started = Instant::now();
        let request = match body {
            Some(body) => self.http.put(&url).json(body),
            None => self.http.delete(&url),
        };
        let (_, tries) = insist(request).await;
        for link in links {
            link.finish();
        }
        {
            let mut book = self.scene.book();
            book.edits.push(started.elapsed());
            book.repeated += usize::from(tries > 1);
        }
        for link in links {
            for root in &self.scene.roots {
                self.scene.look(&self.http, root, link).await;
            }
        }
    }

    async fn create_user(&mut self) -> String {
        let url = format!("{}/users", self.root());
        let name = format!("editor{}turn{}", self.number, self.turn);
        let body = json!({"username": name, "email": format!("{name}@example.com")});
        let (created, _) = insist(self.http.post(&url).json(&body)).await;
        format!("/users/{}", created.json()["id"])
    }

    async fn create_link(&mut self, user: &str) -> Arc<Link> {
        let url = format!("{}/urls", self.root());
        let user: i64 = user.trim_start_matches("/users/").parse().expect("an id");
        let target = self.target();
        let body = json!({"user_id": user, "original_url": target, "title": "A title"});
        let (created, _) = insist(self.http.post(&url).json(&body)).await;
        let created = created.json();
        let id = created["id"].as_i64().expect("an id");
        let link = Arc::new(Link::new(id, crate::links::path(&created), &target));
        self.scene.add(&link);
        link
    }

    /// The replicas take turns.
    fn root(&mut self) -> String {
        self.turn += 1;
        self.scene.roots[self.turn % self.scene.roots.len()].clone()
    }

    fn target(&self) -> String {
        format!("https://example.com/{}/{}", self.number, self.turn)
    }
}

/// Sends a request until it succeeds; what has gone already is gone. Returns how many tries it took.
async fn insist(request: RequestBuilder) -> (Answer, usize) {
    let deadline = Instant::now() + INSISTENCE;
    for tries in 1.. {
        let request = request.try_clone().expect("its body is no stream");
        let refusal = match try_send(request).await {
            Ok(answer) if answer.status < 300 || (tries > 1 && answer.status == 404) => {
                return (answer, tries);
            }
            Ok(answer) => {
                assert_eq!(answer.status, 503, "an edit was answered by {answer:?}");
                format!("{answer:?}")
            }
            Err(error) => format!("{error:?}"),
        };
        assert!(
            Instant::now() < deadline,
            "an edit is never answered, but: {refusal}"
        );
    }
    unreachable!("it is tried until it is too late")
}
