//! Redis, which the service can do without: it answers quickly, or it counts as away.
//!
//! One connection carries everything. Whatever goes wrong on it, a late answer included, ends it, and until there is a new
//! one nobody waits for Redis: connecting again is a worker's business, in the background. That is the circuit breaker.

mod connect;
mod metrics;

use std::{
    future::Future,
    sync::{Arc, PoisonError, RwLock, atomic::AtomicU64},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind,
    aio::MultiplexedConnection,
};
use tokio::{sync::Notify, time::error::Elapsed};

use crate::trace::{self, Attribute, Kind, Part};

pub use connect::client;
pub use metrics::RedisMetrics;

/// An answer that takes longer comes too late to be of use: the database would have answered.
const PATIENCE: Duration = Duration::from_millis(100);

/// A Redis that may be away.
#[derive(Debug)]
pub struct Redis {
    client: Client,
    line: RwLock<Option<Line>>,
    broken: Notify,
    connected: AtomicU64,
    metrics: Arc<RedisMetrics>,
}

/// A connection that works, as far as is known.
#[derive(Clone)]
pub struct Line {
    pub connection: MultiplexedConnection,
    /// Counts connections, so that one that is new is not given up for what an old one did.
    number: u64,
    /// Which start of which server is on the other end: one that was started again may have come back with old data.
    pub run: Arc<str>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

/// Redis did not answer, or was not even asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("Redis is away")]
pub struct Away;

impl Redis {
    /// A Redis that is not connected yet: [`Redis::keep_connected`] does so.
    pub fn new(client: Client, metrics: Arc<RedisMetrics>) -> Self {
        metrics.up.set(0);
        Self {
            client,
            line: RwLock::default(),
            broken: Notify::new(),
            connected: 0.into(),
            metrics,
        }
    }

    /// The connection, to ask something. If there is none, what was not asked is counted.
    pub fn line(&self) -> Result<Line, Away> {
        self.current().ok_or_else(|| {
            self.metrics.skipped.inc();
            Away
        })
    }

    fn current(&self) -> Option<Line> {
        let line = self.line.read().unwrap_or_else(PoisonError::into_inner);
        line.clone()
    }

    /// Does something with Redis, which `line` was got for.
    pub async fn ask<T>(
        &self,
        line: &Line,
        question: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Away> {
        let asking = tokio::time::timeout(PATIENCE, question);
        match trace::part(asking, |answer| Some(part(answer))).await {
            Ok(Ok(answer)) => {
                self.metrics.ok.inc();
                Ok(answer)
            }
            Ok(Err(error)) => {
                self.metrics.errors.inc();
                if !is_refusal(&error) {
                    self.end(line, &error.to_string());
                }
                Err(Away)
            }
            Err(_) => {
                self.metrics.timeouts.inc();
                self.end(line, "no answer in time");
                Err(Away)
            }
        }
    }

    fn put(&self, line: Line) {
        *self.line.write().unwrap_or_else(PoisonError::into_inner) = Some(line);
        self.metrics.up.set(1);
    }

    /// Gives a connection up, unless somebody has already.
    fn end(&self, line: &Line, reason: &str) {
        let mut current = self.line.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|it| it.number == line.number) {
            *current = None;
            drop(current);
            self.metrics.up.set(0);
            tracing::warn!(error = reason, "Redis is away; going on without it");
            self.broken.notify_one();
        }
    }

    fn config() -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(10 * PATIENCE))
            // Ours, which also covers what waits to be sent, comes first.
            .set_response_timeout(Some(2 * PATIENCE))
    }
}

/// A question as a span; by the conventions, which know no better name for it.
fn part<T>(answer: &Result<RedisResult<T>, Elapsed>) -> Part {
    let mut attributes = vec![Attribute::new("db.system.name", "redis")];
    match answer {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => attributes.push(Attribute::new("error.type", error.category())),
        Err(_) => attributes.push(Attribute::new("error.type", "timeout")),
    }
    Part {
        name: "redis".to_owned(),
        kind: Kind::Client,
        attributes,
        has_failed: !matches!(answer, Ok(Ok(_))),
    }
}

/// Whether Redis answered, and only will not do this one thing: it is out of memory, say. The connection is as good as before.
fn is_refusal(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Extension
            | ErrorKind::Server(ServerErrorKind::ResponseError | ServerErrorKind::NoPerm)
    )
}
