//! The links that users follow: made before a run, and deleted after it.

use std::{sync::Arc, time::SystemTime};

use anyhow::Context as _;
use goose_reqwest::Method;
use loadtest::chance::{Random, Zipf};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::target::Target;

/// Creates under way at once.
const AT_ONCE: u32 = 8;

/// A short URL, and what is known of it.
#[derive(Debug)]
pub(crate) struct Link {
    pub id: i64,
    pub code: String,
    pub original_url: Arc<str>,
}

#[derive(Debug)]
pub(crate) struct Links {
    /// Owns them all.
    pub user_id: i64,
    all: Vec<Link>,
    popularity: Zipf,
}

impl Links {
    /// Makes a user and so many links of it, as programs of different addresses do.
    pub(crate) async fn create(target: &Arc<Target>, count: u32) -> anyhow::Result<Self> {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let user = json!({
            "username": "loadtest",
            "email": format!("loadtest-{}@example.com", now.as_nanos()),
        });
        let request = target.request(Method::POST, "/users", 0)?.json(&user);
        let user = target.created(request).await;
        let user = user.context("the user who is to own the links was refused")?;
        let user_id = user["id"].as_i64().context("a user without an id")?;

        let mut makers = JoinSet::new();
        for maker in 0..AT_ONCE {
            let target = Arc::clone(target);
            makers.spawn(async move {
                let mut links = Vec::new();
                for number in (maker..count).step_by(AT_ONCE as usize) {
                    links.push(create(&target, user_id, number).await?);
                }
                anyhow::Ok(links)
            });
        }
        let mut links = Vec::new();
        while let Some(made) = makers.join_next().await {
            links.append(&mut made?.context("a link was refused")?);
        }
        Ok(Self {
            user_id,
            popularity: Zipf::new(links.len()),
            all: links,
        })
    }

    /// The number of one, by how often links are followed.
    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        self.popularity.draw(random)
    }

    pub(crate) fn codes(&self) -> Vec<&str> {
        self.all.iter().map(|link| link.code.as_str()).collect()
    }

    pub(crate) fn get(&self, number: usize) -> &Link {
        &self.all[number]
    }

    /// Deletes the user, and with it the links that were made before and during the run. Says why, if it cannot.
    pub(crate) async fn delete(&self, target: &Target) {
        let path = format!("/users/{}", self.user_id);
        let outcome = match target.request(Method::DELETE, &path, 0) {
            Ok(request) => request.send().await.map_err(anyhow::Error::from),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(answer) if answer.status() == 204 => {}
            Ok(answer) => eprintln!("user {} stays: {}", self.user_id, answer.status()),
            Err(error) => eprintln!("user {} stays: {error:#}", self.user_id),
        }
    }
}

/// Each maker has some addresses, so that none is over its limit.
async fn create(target: &Target, user_id: i64, number: u32) -> anyhow::Result<Link> {
    let original_url = format!("https://example.com/followed/{number}");
    let url = json!({"user_id": user_id, "original_url": original_url, "title": "Followed by a load test"});
    let request = target.request(Method::POST, "/urls", number % 256)?;
    let url: Value = target.created(request.json(&url)).await?;
    Ok(Link {
        id: url["id"].as_i64().context("a URL without an id")?,
        code: url["short_code"]
            .as_str()
            .context("a URL without a code")?
            .to_owned(),
        original_url: original_url.into(),
    })
}
