//! A service with so many links behind it, asked for redirects, lists and searches at a steady pace.

use std::{sync::Arc, time::Duration};

use harness::{database::Database, service::Service};
use loadtest::chance::Random;

use crate::bench::{
    Stage,
    client::{Client, Outcome, Pace, Requests},
    links::{self, Links},
    ours::{self, Lookups},
    traffic::Traffic,
};

const CONNECTIONS: u32 = 64;

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Question {
    Redirect,
    List,
    Search,
}

/// Links in a database, with no service on it.
pub(super) struct Filled {
    pub links: Links,
    database: Database,
    traffic: Arc<Traffic>,
}

/// A running service.
pub(super) struct Side<'a> {
    filled: &'a Filled,
    service: Service,
}

/// What came of asking for a while.
pub(super) struct Answers {
    pub outcome: Outcome,
    /// The part of redirects that memory answered, if this build tells.
    pub hits: Option<f64>,
}

impl Filled {
    pub(super) async fn prepare(stage: &Stage, links: Links) -> anyhow::Result<Self> {
        let database = stage.migrated_database().await?;
        links.fill(&mut stage.connect(&database).await).await?;
        Ok(Self {
            links,
            database,
            traffic: Arc::new(Traffic::new(links.count as usize)),
        })
    }

    /// Starts a service whose cache has room for so many bytes, and asks for the `warm` most popular links once.
    pub(super) async fn serve(
        &self,
        stage: &Stage,
        cache_bytes: Option<u64>,
        warm: u32,
    ) -> anyhow::Result<Side<'_>> {
        let mut builder = Service::builder(&self.database);
        if let Some(bytes) = cache_bytes {
            builder = builder.env("SHORTENER_CACHE_MAX_BYTES", bytes.to_string());
        }
        let service = ours::start_on(stage.cores.server, builder).await?;
        let side = Side {
            filled: self,
            service,
        };
        let (links, traffic) = (self.links, Arc::clone(&self.traffic));
        // The least popular first, as the end of a cache that is too small for all.
        let count = warm.min(links.count);
        let popular: Requests = Arc::new(move |number| {
            let mut random = Random::new(number.into());
            let id = links.by_popularity(count - 1 - number);
            links::visit(id, &traffic.click_on(0, &mut random))
        });
        side.client(stage, popular, 302).run(Pace::Count(count))?;
        ours::drained(&side.service).await?;
        Ok(side)
    }
}

impl Side<'_> {
    pub(super) fn links(&self) -> Links {
        self.filled.links
    }

    /// Requests per second, at most.
    pub(super) async fn capacity(
        &self,
        stage: &Stage,
        question: Question,
        length: Duration,
    ) -> anyhow::Result<f64> {
        // Drawn anew each time, so that what is rare is as rare as it should be.
        let client = self.questioner(stage, question, 11);
        let outcome = client.run(Pace::For(length))?;
        ours::drained(&self.service).await?;
        Ok(outcome.rate())
    }

    /// Asks at that pace, whatever becomes of it.
    pub(super) async fn ask(
        &self,
        stage: &Stage,
        question: Question,
        per_second: f64,
        length: Duration,
        seed: u64,
    ) -> anyhow::Result<Answers> {
        let before = Lookups::now(&self.service).await;
        let pace = Pace::Arrivals {
            per_second,
            length,
            seed,
        };
        let outcome = self.questioner(stage, question, seed).run(pace)?;
        let lookups = before.zip(Lookups::now(&self.service).await);
        ours::drained(&self.service).await?;
        Ok(Answers {
            outcome,
            hits: lookups.map(|(before, after)| after.hits_since(before)),
        })
    }

    fn questioner(&self, stage: &Stage, question: Question, seed: u64) -> Client {
        let (links, traffic) = (self.filled.links, Arc::clone(&self.filled.traffic));
        let random = move |number: u32| Random::new(seed << 32 | u64::from(number));
        match question {
            Question::Redirect => {
                let visit: Requests = Arc::new(move |number| {
                    links::popular_visit(links, &traffic, &mut random(number))
                });
                self.client(stage, visit, 302)
            }
            Question::List => {
                let list: Requests = Arc::new(move |number| list(links, &mut random(number)));
                self.client(stage, list, 200)
            }
            Question::Search => {
                let search: Requests = Arc::new(move |number| search(links, &mut random(number)));
                self.client(stage, search, 200)
            }
        }
    }

    fn client(&self, stage: &Stage, requests: Requests, status: u16) -> Client {
        Client {
            core: stage.cores.client,
            addr: self.service.addr(),
            connections: CONNECTIONS,
            requests,
            status,
        }
    }
}

/// What people look at: mostly their own links, sometimes everybody's, seldom beyond the first page.
fn list(links: Links, random: &mut Random) -> Vec<u8> {
    let user = 1 + random.below(links.users().into());
    let path = match random.below(10) {
        0..6 => format!("/urls?user_id={user}"),
        6 => format!("/urls?user_id={user}&page=2"),
        7 => format!("/urls?user_id={user}&is_active=true"),
        8 => "/urls?sort=-id&cursor=".to_owned(),
        _ => format!("/urls?page={}", 2 + random.below(20)),
    };
    get(&path)
}

/// What people search for: words that one link has, a hundredth of all, half of all, or all; alone, together, and of one user.
fn search(links: Links, random: &mut Random) -> Vec<u8> {
    let one = 1 + random.below(links.count.into());
    let topic = random.below(100);
    let user = 1 + random.below(links.users().into());
    let words = match random.below(10) {
        0..3 => format!("{one}"),
        3..5 => format!("topic{topic}"),
        5 => "readers".to_owned(),
        6 => format!("article+{one}"),
        7 => format!("topic{topic}+articles"),
        8 => format!("topic{topic}&user_id={user}"),
        _ => format!("readers+{one}+example.com"),
    };
    get(&format!("/urls?q={words}"))
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: sho.rt\r\nAccept: application/json\r\n\r\n").into_bytes()
}
