//! How much one client may ask for.
//!
//! Redirects are limited by each replica for itself, generously and without asking anybody. The API is limited over all
//! replicas together, through Redis; without it each replica allows its share. A client is an API key where a good one is
//! brought, and else an address.

mod client;
mod gcra;
pub mod http;
mod local;
mod metrics;
mod redis;

use std::{net::IpAddr, sync::Arc};

pub use gcra::Rate;
pub use metrics::RateLimitMetrics;

use client::Client;
use gcra::Verdict;
use local::Buckets;

use crate::{keys::keyring::KeyName, moment::Moment, redis_client::Redis, replicas::Replicas};

/// What is given to start with. A rate that is `None` is no limit.
#[derive(Debug)]
pub struct Ingredients {
    pub redirects: Option<Rate>,
    pub api: Option<Rate>,
    pub redis: Option<Arc<Redis>>,
    pub installation: String,
    pub replicas: Option<Arc<Replicas>>,
    pub metrics: Arc<RateLimitMetrics>,
}

#[derive(Debug)]
pub struct RateLimits {
    given: Ingredients,
    redirects: Buckets,
    /// For when Redis is away.
    api: Buckets,
}

/// What was decided by a limit, as the caller is told.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// The limit's name.
    pub name: &'static str,
    pub rate: Rate,
    pub verdict: Verdict,
}

impl RateLimits {
    pub fn new(given: Ingredients) -> Self {
        Self {
            given,
            redirects: Buckets::default(),
            api: Buckets::default(),
        }
    }

    /// `Err` if this client follows links too fast. What is refused costs nothing, so asking again says the same.
    pub fn judge_redirect(&self, address: IpAddr, now: Moment) -> Result<(), Judged> {
        let (Some(rate), Some(client)) = (self.given.redirects, Client::at(address)) else {
            return Ok(());
        };
        let verdict = self.redirects.judge(client, rate, now);
        if verdict.is_allowed {
            return Ok(());
        }
        Err(Judged {
            name: "redirects",
            rate,
            verdict,
        })
    }

    /// `None` for a client that is not limited.
    pub async fn judge_api(&self, key: Option<KeyName>, address: IpAddr) -> Option<Judged> {
        let rate = self.given.api?;
        let client = Client::with(key, address)?;
        let (rate, verdict) = match self.judge_together(client, rate).await {
            Some(verdict) => (rate, verdict),
            None => self.judge_alone(client, rate),
        };
        Some(Judged {
            name: "api",
            rate,
            verdict,
        })
    }

    /// Judges by what all replicas have allowed; `None` without Redis.
    async fn judge_together(&self, client: Client, rate: Rate) -> Option<Verdict> {
        let Ingredients {
            redis,
            installation,
            metrics,
            ..
        } = &self.given;
        let judged = redis::judge(redis.as_ref()?, installation, client, rate).await;
        if judged.is_err() {
            metrics.fallbacks.inc();
        }
        judged.ok()
    }

    /// Judges by this replica's share.
    fn judge_alone(&self, client: Client, rate: Rate) -> (Rate, Verdict) {
        let replicas = self.given.replicas.as_ref();
        let live = replicas.map_or(1, |replicas| replicas.live());
        let rate = rate.share(u32::try_from(live).unwrap_or(1));
        (rate, self.api.judge(client, rate, Moment::now()))
    }
}
