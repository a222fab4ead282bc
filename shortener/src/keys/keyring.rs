//! Tells whose key a request brings.
//!
//! A key that was found good is believed for half a second, so that a busy client costs two look-ups a second and a revoked
//! key works nowhere for longer than that: every replica asks the database again. A key that is not known is asked for each
//! time, so that a new one works at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    Right,
    secret::{Hasher, KeyHash, KeyText},
    store::{self, Known},
};
use crate::database::{Db, timestamp::Timestamp};

/// How long a key is believed in without asking. Counted from before the question, which may take its time.
const BELIEF: Duration = Duration::from_millis(500);

/// Entries that are too old are thrown away when there are more than this.
const MANY: usize = 1_024;

/// How often it is read which keys there are, and of how many: those that were used last.
const REMEMBERING: Duration = Duration::from_mins(1);
const REMEMBERED: i64 = 100_000;

/// How often it is looked whether a use is to be written down.
const LOOK: Duration = Duration::from_secs(1);

/// Uses of a key are written down at most this often.
const USE_PRECISION: Duration = Duration::from_mins(1);

/// All keys there are.
#[derive(Debug)]
pub struct Keyring {
    db: Db,
    hasher: Hasher,
    /// The one from the file, which is never stored.
    admin: Option<KeyHash>,
    good: Mutex<HashMap<KeyHash, Believed>>,
    /// Keys that were good a while ago, with their ids: for telling callers apart, and not for letting them in.
    known: Mutex<HashMap<KeyHash, i64>>,
    uses: Mutex<HashMap<i64, Use>>,
}

#[derive(Clone, Debug)]
struct Believed {
    key: Known,
    since: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Use {
    latest: Timestamp,
    written: Option<Timestamp>,
}

/// Whose key it is.
#[derive(Clone, Debug)]
pub enum Holder {
    /// Of the key in `SHORTENER_ADMIN_KEY_FILE`.
    AdminFile,
    Key {
        id: i64,
        right: Right,
    },
}

/// Which key it is, without what it is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyName {
    /// The one in `SHORTENER_ADMIN_KEY_FILE`.
    AdminFile,
    Id(i64),
}

/// Why a key does not work. Only who holds it is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    Unknown,
    Revoked,
    Expired,
}

impl Keyring {
    pub fn new(db: Db, hasher: Hasher, admin: Option<&KeyText>) -> Self {
        let admin = admin.map(|key| hasher.hash(key.expose().as_bytes()));
        Self {
            db,
            hasher,
            admin,
            good: Mutex::default(),
            known: Mutex::default(),
            uses: Mutex::default(),
        }
    }

    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Whose key `text` is at `now`.
    pub async fn holder(
        &self,
        text: &[u8],
        now: Timestamp,
    ) -> sqlx::Result<Result<Holder, Refused>> {
        let hash = self.hasher.hash(text);
        if Some(hash) == self.admin {
            return Ok(Ok(Holder::AdminFile));
        }
        let Some(key) = self.find(hash).await? else {
            return Ok(Err(Refused::Unknown));
        };
        if key.is_revoked {
            return Ok(Err(Refused::Revoked));
        }
        if key.expires_at.is_some_and(|at| at <= now) {
            return Ok(Err(Refused::Expired));
        }
        self.note_use(key.id, now);
        Ok(Ok(Holder::Key {
            id: key.id,
            right: key.right,
        }))
    }

    /// Which key `text` is, if it was good a while ago, through whichever replica: for telling callers apart, and not for
    /// letting them in. Asks nobody.
    pub fn recall(&self, text: &[u8]) -> Option<KeyName> {
        let hash = self.hasher.hash(text);
        if Some(hash) == self.admin {
            return Some(KeyName::AdminFile);
        }
        let believed = lock(&self.good).get(&hash).map(|believed| believed.key.id);
        let id = believed.or_else(|| lock(&self.known).get(&hash).copied());
        id.map(KeyName::Id)
    }

    /// Reads which keys there are.
    pub async fn remember(&self) -> sqlx::Result<()> {
        let keys = store::known(&self.db, REMEMBERED, Timestamp::now()).await?;
        *lock(&self.known) = keys.into_iter().collect();
        Ok(())
    }

    async fn find(&self, hash: KeyHash) -> sqlx::Result<Option<Known>> {
        let since = Instant::now();
        if let Some(believed) = lock(&self.good).get(&hash)
            && believed.since.elapsed() < BELIEF
        {
            return Ok(Some(believed.key.clone()));
        }
        let found = store::find_by_hash(&self.db, hash).await?;
        let mut good = lock(&self.good);
        match &found {
            Some(key) if !key.is_revoked => {
                if good.len() >= MANY {
                    good.retain(|_, believed| believed.since.elapsed() < BELIEF);
                }
                let key = key.clone();
                good.insert(hash, Believed { key, since });
            }
            _ => {
                good.remove(&hash);
            }
        }
        Ok(found)
    }

    /// Believes in no key any more without asking: for the replica that revoked one.
    pub fn forget(&self) {
        lock(&self.good).clear();
    }

    fn note_use(&self, id: i64, now: Timestamp) {
        let mut uses = lock(&self.uses);
        let last = uses.entry(id).or_insert(Use {
            latest: now,
            written: None,
        });
        last.latest = last.latest.max(now);
    }

    /// The uses that are to be written down.
    fn due(&self) -> Vec<(i64, Timestamp)> {
        let is_due = |used: &Use| match used.written {
            None => true,
            Some(written) => used.latest >= later(written),
        };
        let uses = lock(&self.uses);
        let due = uses.iter().filter(|(_, used)| is_due(used));
        due.map(|(id, used)| (*id, used.latest)).collect()
    }

    fn note_written(&self, written: &[(i64, Timestamp)]) {
        let mut uses = lock(&self.uses);
        for (id, at) in written {
            if let Some(used) = uses.get_mut(id) {
                used.written = Some(*at);
            }
        }
    }
}

/// Writes down when keys were used, until `stop`.
pub async fn note_uses(keyring: Arc<Keyring>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut is_last = false;
    while !is_last {
        tokio::select! {
            () = stop.cancelled() => is_last = true,
            () = tokio::time::sleep(LOOK) => {}
        }
        let due = keyring.due();
        if due.is_empty() {
            continue;
        }
        let uses: Vec<_> = due
            .iter()
            .map(|(id, at)| (*id, *at, earlier(*at)))
            .collect();
        match store::note_uses(&keyring.db, &uses).await {
            Ok(()) => keyring.note_written(&due),
            // It is no more than a convenience: the next look tries again.
            Err(error) => tracing::debug!(%error, "the uses of keys could not be written down"),
        }
    }
    Ok(())
}

/// Reads every now and then which keys there are, until `stop`.
pub async fn keep_remembering(
    keyring: Arc<Keyring>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(REMEMBERING) => {}
        }
        if let Err(error) = keyring.remember().await {
            tracing::debug!(%error, "it could not be read which keys there are; what was known stays");
        }
    }
}

fn later(time: Timestamp) -> Timestamp {
    moved(time, 1)
}

fn earlier(time: Timestamp) -> Timestamp {
    moved(time, -1)
}

fn moved(time: Timestamp, direction: i64) -> Timestamp {
    let precision = i64::try_from(USE_PRECISION.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(time.micros() + direction * precision).unwrap_or(time)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
