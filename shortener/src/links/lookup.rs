//! Looks links up that are not in memory.
//!
//! Those that are missed while a look-up is under way are looked up together next. So however many codes are asked for, the
//! database sees few queries at a time.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    Failed, Links,
    key::LinkKey,
    link::Link,
    memory::{Flight, Known},
    metrics::Source,
    redis::Permit,
    store,
};
use crate::{database::failure, moment::Moment};

/// How many look-ups are made in one query.
const TOGETHER: usize = 256;

/// How many such queries are under way at a time.
pub(super) const WORKERS: usize = 2;

/// How many may wait. More than this come faster than the database can tell.
pub(super) const WAITING: usize = 8_192;

/// A database that takes longer is as good as away.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Where workers take what is to be looked up.
pub(super) type Queue = Arc<Mutex<mpsc::Receiver<Flight>>>;

/// What was read so long ago is not told to others any more.
const LATE: Duration = Duration::from_secs(5);

/// Looks up what is in the queue, until `stop`.
pub(super) async fn work(
    links: Arc<Links>,
    queue: Queue,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut flights = Vec::with_capacity(TOGETHER);
    loop {
        let taking = async {
            let mut queue = queue.lock().await;
            queue.recv_many(&mut flights, TOGETHER).await
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = taking => {}
        }
        links.look_up(flights.drain(..)).await;
    }
}

impl Links {
    async fn look_up(&self, flights: impl Iterator<Item = Flight>) {
        let permit = match &self.redis {
            Some(redis) => redis.permit_to_fill().await,
            None => None,
        };
        let read = Moment::now();
        let mut flights: Vec<Flight> = flights.collect();
        // Without the others' word that it is not void, what Redis has is only good if there is nothing better.
        let is_trusted = self.trust.holds(read);
        let is_away = self.is_away();
        if is_trusted || is_away {
            let source = if is_trusted {
                Source::Redis
            } else {
                Source::Stale
            };
            flights = self.ask_redis(permit.as_ref(), flights, source, read).await;
        }
        if flights.is_empty() {
            return;
        }
        let keys: Vec<&LinkKey> = flights.iter().map(|flight| &flight.key).collect();
        let found = tokio::time::timeout(PATIENCE, store::find_all(&self.db, &keys)).await;
        let error = match found {
            Ok(Ok(rows)) => {
                self.answer_from(rows, flights, is_trusted.then_some(permit).flatten(), read)
                    .await;
                return;
            }
            Ok(Err(error)) if !failure::is_outage(&error) => {
                let error = Failed::Bug(Arc::new(error));
                return self.fail(flights, &error, read);
            }
            Ok(Err(error)) => Failed::Away(error.to_string()),
            Err(_) => Failed::Away("no answer in time".to_owned()),
        };
        self.note_away();
        if !is_trusted && !is_away {
            flights = self
                .ask_redis(permit.as_ref(), flights, Source::Stale, read)
                .await;
        }
        self.fail(flights, &error, read);
    }

    /// Answers what Redis knows, and returns the rest.
    async fn ask_redis(
        &self,
        permit: Option<&Permit>,
        flights: Vec<Flight>,
        source: Source,
        read: Moment,
    ) -> Vec<Flight> {
        let (Some(shared), Some(permit)) = (&self.redis, permit) else {
            return flights;
        };
        let keys: Vec<&LinkKey> = flights.iter().map(|flight| &flight.key).collect();
        let Ok(found) = shared.get(permit, &keys).await else {
            return flights;
        };
        let mut rest = Vec::new();
        for (flight, link) in flights.into_iter().zip(found) {
            match link {
                Some(link) => {
                    let link = Arc::new(link);
                    self.memory
                        .land(flight, Ok((Some(Known { link, read }), source)), read);
                }
                None => rest.push(flight),
            }
        }
        rest
    }

    /// Answers what the database knows, and what it does not; and lets Redis know, too.
    async fn answer_from(
        &self,
        rows: Vec<super::link::LinkRow>,
        flights: Vec<Flight>,
        permit: Option<Permit>,
        read: Moment,
    ) {
        let found: HashMap<LinkKey, Arc<Link>> = rows
            .into_iter()
            .filter_map(|row| {
                let link = Arc::new(row.link()?);
                let code = row.short_code.into_boxed_str();
                let domain = row.domain_id;
                Some((LinkKey { domain, code }, link))
            })
            .collect();
        let mut news = Vec::new();
        for flight in flights {
            // Two may be for one key: one from before a change, one from after.
            let entry = found.get_key_value(&flight.key);
            let entry = entry.map(|(key, link)| (key.clone(), Arc::clone(link)));
            let known = entry.as_ref().map(|(_, link)| Known {
                link: Arc::clone(link),
                read,
            });
            let is_current = self
                .memory
                .land(flight, Ok((known, Source::Database)), read);
            news.extend(entry.filter(|_| is_current));
        }
        // Whoever stood still in between may come when Redis has forgotten what has changed meanwhile.
        let has_news = !news.is_empty() && Moment::now().since(read) <= LATE;
        if let (Some(shared), Some(permit), true) = (&self.redis, &permit, has_news) {
            shared.fill(permit, &news).await;
        }
    }

    fn fail(&self, flights: Vec<Flight>, error: &Failed, read: Moment) {
        for flight in flights {
            self.memory.land(flight, Err(error.clone()), read);
        }
    }
}
