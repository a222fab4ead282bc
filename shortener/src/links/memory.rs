//! Links in this process's memory, those known not to exist, and the look-ups that are under way.
//!
//! A look-up that began before a change must not leave what it read: forgetting a link also forgets the look-ups for it, so
//! that what they bring reaches those who waited already, and nobody else. Both happen under one lock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use quick_cache::{Weighter, sync::Cache};
use tokio::sync::oneshot;

use super::{
    Failed,
    change::What,
    key::{LinkKey, LinkRef},
    link::Link,
    metrics::Source,
};
use crate::moment::Moment;

/// How many codes are remembered that name nothing. They have a place of their own, so that somebody who tries one code after
/// another pushes out nothing else.
const MISSING: usize = 1 << 16;

/// What an entry takes besides its text: the tables of the cache, counts, and what the allocator rounds up.
const OVERHEAD: u64 = 96;

/// A link, and when its reading began.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) link: Arc<Link>,
    pub(super) read: Moment,
}

/// What a look-up brought: the link, if there is one, and where it was.
pub(super) type Landed = Result<(Option<Known>, Source), Failed>;

/// A look-up that is under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) key: LinkKey,
    number: u64,
}

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<LinkKey, Known> for Bytes {
    fn weight(&self, key: &LinkKey, known: &Known) -> u64 {
        let sizes = size_of::<LinkKey>() + size_of::<Known>() + size_of::<Link>();
        let text = key.code.len() + known.link.location.len();
        (sizes + text) as u64 + OVERHEAD
    }
}

pub(super) struct Memory {
    links: Cache<LinkKey, Known, Bytes>,
    missing: Cache<LinkKey, Moment>,
    flights: Mutex<Flights>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory")
    }
}

#[derive(Default)]
struct Flights {
    /// Those whose result is to be remembered.
    current: HashMap<LinkKey, u64>,
    waiting: HashMap<u64, Vec<oneshot::Sender<Landed>>>,
    last: u64,
}

impl Memory {
    /// Takes about `max_bytes`.
    pub(super) fn new(max_bytes: u64) -> Self {
        let estimated = usize::try_from(max_bytes / 400).unwrap_or(usize::MAX);
        Self {
            links: Cache::with_weighter(estimated.max(1), max_bytes, Bytes),
            missing: Cache::new(MISSING),
            flights: Mutex::default(),
        }
    }

    pub(super) fn get(&self, key: LinkRef<'_>) -> Option<Known> {
        self.links.get(&key)
    }

    /// When it was last seen that nothing has this code.
    pub(super) fn missing_since(&self, key: LinkRef<'_>) -> Option<Moment> {
        self.missing.get(&key)
    }

    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.links.weight()
    }

    /// Waits for the look-up that is under way, or for a new one, which then is to be carried out.
    pub(super) fn join(&self, key: LinkRef<'_>) -> (oneshot::Receiver<Landed>, Option<Flight>) {
        let (landing, landed) = oneshot::channel();
        let mut flights = self.lock();
        let key = key.to_key();
        if let Some(number) = flights.current.get(&key).copied() {
            flights.waiting.entry(number).or_default().push(landing);
            return (landed, None);
        }
        flights.last += 1;
        let number = flights.last;
        flights.current.insert(key.clone(), number);
        flights.waiting.insert(number, vec![landing]);
        (landed, Some(Flight { key, number }))
    }

    /// Remembers what a look-up brought, unless that may have changed since, and tells those who wait. True if it counts.
    pub(super) fn land(&self, flight: Flight, landed: Landed, read: Moment) -> bool {
        let Flight { key, number } = flight;
        let mut flights = self.lock();
        let is_current = flights.current.get(&key) == Some(&number);
        if is_current {
            flights.current.remove(&key);
            match &landed {
                Ok((Some(known), source)) if *source != Source::Stale => {
                    self.missing.remove(&key);
                    self.links.insert(key, known.clone());
                }
                Ok((None, _)) => {
                    self.links.remove(&key);
                    self.missing.insert(key, read);
                }
                Ok(_) | Err(_) => {}
            }
        }
        let waiting = flights.waiting.remove(&number).unwrap_or_default();
        drop(flights);
        for waiter in waiting {
            // Whoever gave up meanwhile needs no answer.
            waiter.send(landed.clone()).ok();
        }
        is_current
    }

    /// Forgets what changed.
    pub(super) fn forget(&self, what: &What) {
        let mut flights = self.lock();
        match what {
            What::Links(links) => {
                for changed in links {
                    flights.current.remove(&changed.key);
                    self.links.remove(&changed.key);
                    self.missing.remove(&changed.key);
                }
            }
            What::Owner(user) => {
                flights.current.clear();
                self.links.retain(|_, known| known.link.user_id != *user);
            }
            What::All => {
                flights.current.clear();
                self.links.clear();
                self.missing.clear();
            }
        }
    }

    pub(super) fn forget_all(&self) {
        self.forget(&What::All);
    }

    /// Forgets which codes name nothing.
    pub(super) fn forget_missing(&self) {
        let mut flights = self.lock();
        flights.current.clear();
        self.missing.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::{change::Changed, link::tests::link};

    fn known(version: i64) -> Known {
        Known {
            link: Arc::new(Link { version, ..link() }),
            read: Moment::START,
        }
    }

    fn found(version: i64) -> (Option<Known>, Source) {
        (Some(known(version)), Source::Database)
    }

    fn version(memory: &Memory) -> Option<i64> {
        memory
            .get(LinkRef::new("launch"))
            .map(|known| known.link.version)
    }

    fn change() -> What {
        What::Links(vec![Changed::new("launch", 2)])
    }

    #[test]
    fn many_who_ask_at_once_share_one_look_up() {
        let memory = Memory::new(1 << 20);
        let (mut first, flight) = memory.join(LinkRef::new("launch"));
        let (mut second, none) = memory.join(LinkRef::new("launch"));
        assert!(none.is_none());
        memory.land(flight.unwrap(), Ok(found(1)), Moment::START);
        for landed in [&mut first, &mut second] {
            let (known, _) = landed.try_recv().unwrap().unwrap();
            assert_eq!(known.unwrap().link.version, 1);
        }
        assert_eq!(version(&memory), Some(1));
    }

    #[test]
    fn a_look_up_that_began_before_a_change_leaves_nothing() {
        let memory = Memory::new(1 << 20);
        let (mut early, old) = memory.join(LinkRef::new("launch"));
        memory.forget(&change());
        let (mut late, new) = memory.join(LinkRef::new("launch"));
        assert!(!memory.land(old.unwrap(), Ok(found(1)), Moment::START));
        assert_eq!(version(&memory), None);
        assert!(
            late.try_recv().is_err(),
            "who asks after the change waits for what was read after it"
        );
        assert!(early.try_recv().is_ok());
        assert!(memory.land(new.unwrap(), Ok(found(2)), Moment::START));
        assert_eq!(version(&memory), Some(2));
    }

    #[test]
    fn a_link_that_is_gone_is_forgotten_when_that_is_seen() {
        let memory = Memory::new(1 << 20);
        for landed in [found(1), (None, Source::Database)] {
            let (_, flight) = memory.join(LinkRef::new("launch"));
            memory.land(flight.unwrap(), Ok(landed), Moment::END);
        }
        assert_eq!(version(&memory), None);
        assert_eq!(
            memory.missing_since(LinkRef::new("launch")),
            Some(Moment::END)
        );
    }

    #[test]
    fn a_user_takes_all_its_links_along() {
        let memory = Memory::new(1 << 20);
        let (_, flight) = memory.join(LinkRef::new("launch"));
        memory.land(flight.unwrap(), Ok(found(1)), Moment::START);
        memory.forget(&What::Owner(99));
        assert_eq!(version(&memory), Some(1));
        memory.forget(&What::Owner(link().user_id));
        assert_eq!(version(&memory), None);
    }

    #[test]
    fn it_stays_within_its_bytes_whatever_is_looked_up() {
        let memory = Memory::new(100_000);
        for number in 0..10_000 {
            let code = format!("code{number}");
            let (_, flight) = memory.join(LinkRef::new(&code));
            memory.land(flight.unwrap(), Ok(found(1)), Moment::START);
        }
        assert!(memory.bytes() <= 100_000 && memory.len() > 100);
    }

    #[test]
    fn unknown_codes_push_out_no_link() {
        let memory = Memory::new(1 << 20);
        let (_, flight) = memory.join(LinkRef::new("launch"));
        memory.land(flight.unwrap(), Ok(found(1)), Moment::START);
        for number in 0..70_000 {
            let code = format!("scan{number}");
            let (_, flight) = memory.join(LinkRef::new(&code));
            memory.land(flight.unwrap(), Ok((None, Source::Database)), Moment::START);
        }
        assert_eq!(version(&memory), Some(1));
    }
}
