//! Clicks: from the redirect that is answered to the row that statistics count.
//!
//! ```text
//! redirect ─append→ journal (on disk) ─recorder→ database: click, roll-ups, position
//! ```
//!
//! The journal is the only queue there is. Once a click is appended, only the loss of the disk can lose it.

pub mod adoption;
pub mod campaign;
mod collector;
pub mod country;
pub mod journal;
pub mod metrics;
pub mod recorder;
pub mod referrer;
pub mod refused;
pub mod retention;
pub mod rollup;
pub mod row;
pub mod salts;
pub mod sketch;
mod slices;
pub mod start;
pub mod store;
pub mod text;
pub mod user_agent;
pub mod visit;
pub mod visitor;
mod workers;
mod write;

use std::{
    cell::RefCell,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue};
use tokio::sync::watch;

use country::{Countries, Country};
use journal::{Journal, Position};
use metrics::ClickMetrics;
use row::Interpreter;
use salts::Salts;
use visit::{MAX_RECORD, Purpose, Visit};

use crate::{
    database::{Tx, timestamp::Timestamp},
    error::ApiError,
    http::quick::{PURPOSES, Told},
    links::link::Link,
    replicas::{AskError, Asker},
};

/// A local drain that takes longer has a problem that waiting does not solve.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes clicks, and tells when they are recorded.
#[derive(Debug)]
pub struct Clicks {
    journal: Arc<Journal>,
    salts: Arc<Salts>,
    countries: Option<Countries>,
    metrics: Arc<ClickMetrics>,
    asker: Asker<NotDrained>,
    /// For clicks that do not go through the journal.
    interpreter: Mutex<Interpreter>,
}

/// Not every click that was answered is recorded yet.
#[derive(Debug, thiserror::Error)]
pub enum NotDrained {
    #[error("this replica's clicks could not be recorded in time")]
    Here,
    #[error(transparent)]
    Elsewhere(#[from] AskError),
}

/// What is known of a visitor.
#[derive(Clone, Copy, Debug)]
pub struct Visitor<'a> {
    pub address: IpAddr,
    /// Of the short URL, not of its target.
    pub query: Option<&'a str>,
    pub user_agent: &'a [u8],
    pub referrer: &'a [u8],
    pub purpose: Purpose,
}

impl<'a> Visitor<'a> {
    /// Of each header the first counts.
    pub fn new(address: IpAddr, query: Option<&'a str>, headers: &'a HeaderMap) -> Self {
        let first = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        let told = Told {
            user_agent: first("user-agent"),
            referer: first("referer"),
            purposes: PURPOSES.map(first),
            ..Told::default()
        };
        Self::told(address, query, &told)
    }

    pub fn told(address: IpAddr, query: Option<&'a str>, told: &Told<'a>) -> Self {
        let purposes = told.purposes.into_iter().flatten();
        Self {
            address,
            query,
            user_agent: told.user_agent.unwrap_or_default(),
            referrer: told.referer.unwrap_or_default(),
            purpose: Purpose::of(purposes.filter_map(|value| str::from_utf8(value).ok())),
        }
    }
}

impl Clicks {
    /// Appends a click on `link` to the journal. What happens to it is counted, and never fails the redirect.
    pub fn append(&self, link: &Link, visitor: Visitor<'_>, now: Timestamp) {
        let appended = self.with_record(link, visitor, now, |record| self.journal.append(record));
        match appended {
            Ok(()) => self.metrics.appended.inc(),
            Err(_) => self.metrics.lost.inc(),
        }
    }

    /// Records a click on `link` in `tx`, without the journal: for links whose visits are counted in the database anyway.
    pub async fn record(
        &self,
        tx: &mut Tx,
        link: &Link,
        visitor: Visitor<'_>,
        now: Timestamp,
    ) -> sqlx::Result<()> {
        let row = self.with_record(link, visitor, now, |record| {
            let interpreter = self.interpreter.lock();
            interpreter
                .unwrap_or_else(PoisonError::into_inner)
                .row(record)
        });
        let row = row.map_err(|error| sqlx::Error::Encode(error.into()))?;
        write::write(tx, &write::Clicks::one(row)).await
    }

    /// Counts a click whose transaction was committed.
    pub fn note_recorded(&self) {
        self.metrics.note_direct();
    }

    fn with_record<T>(
        &self,
        link: &Link,
        visitor: Visitor<'_>,
        now: Timestamp,
        then: impl FnOnce(&[u8]) -> T,
    ) -> T {
        thread_local! {
            static RECORD: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(MAX_RECORD));
        }
        let query = visitor.query.filter(|query| query.contains("utm_"));
        let country = self
            .countries
            .as_ref()
            .and_then(|countries| countries.of(visitor.address));
        let visit = Visit {
            at_micros: now.micros(),
            url_id: link.url_id,
            user_id: link.user_id,
            visitor: visitor::hash(visitor.address, visitor.user_agent, &self.salts.at(now)),
            country: country.map_or([0; 2], Country::code),
            purpose: visitor.purpose,
            user_agent: visitor.user_agent,
            referrer: visitor.referrer,
            query: query.unwrap_or_default().as_bytes(),
        };
        RECORD.with_borrow_mut(|record| {
            visit.write(record);
            then(record)
        })
    }

    /// Waits until every click that any replica answered before the call is recorded.
    pub async fn barrier(&self) -> Result<(), ApiError> {
        let timer = self.metrics.barrier_seconds.start_timer();
        let drained = self.asker.ask().await;
        timer.observe_duration();
        drained.map_err(|error| {
            ApiError::Unavailable(anyhow::Error::new(error).context("clicks are not recorded yet"))
        })
    }
}

/// Waits until everything in `journal` now is recorded. False if that takes too long.
pub async fn drained(journal: &Journal, recorded: &watch::Receiver<Position>) -> bool {
    let end = journal.end();
    let mut recorded = recorded.clone();
    let waiting = recorded.wait_for(|position| *position >= end);
    matches!(tokio::time::timeout(PATIENCE, waiting).await, Ok(Ok(_)))
}
