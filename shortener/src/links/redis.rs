//! Links in Redis, for all replicas.
//!
//! An entry begins with the version of the URL's row. Before a change is committed, its version is put in the entry's place,
//! without a link: from then on no reader that still sees the old row can put the old link back, since what is older never
//! replaces what is newer.
//!
//! That holds for as long as Redis keeps what it was told. So keys carry the [`Space`], which changes whenever it could not
//! be told, and the name of the server's run, since one that was started again may have come back with an old dump. What is
//! left is a Redis that is emptied while it runs: its token goes, too, and whoever began to read before cannot write
//! any more.

use std::{
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::Script;

use super::{change::Changed, key::LinkKey, link::Link, space::Space};
use crate::redis_client::{Away, Line, Redis};

/// Digits of a version: as text they sort like the number.
const VERSION: usize = 19;

/// For how long a link stays that nobody changes.
const LIFETIME: Duration = Duration::from_hours(1);

/// For how long a change is remembered: longer than any reader can have been under way.
const MEMORY_OF_CHANGE: Duration = Duration::from_mins(1);

/// Keys: the token, the entries. Arguments: the reader's token, a new one, the lifetime, the values. Answers the token.
static FILL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local token = redis.call('GET', KEYS[1])
        if not token then
            redis.call('SET', KEYS[1], ARGV[2])
            token = ARGV[2]
        end
        if token == ARGV[1] then
            for i = 2, #KEYS do
                local value = ARGV[i + 2]
                if redis.call('GETRANGE', KEYS[i], 0, 18) <= string.sub(value, 1, 19) then
                    redis.call('SET', KEYS[i], value, 'PX', ARGV[3])
                end
            end
        end
        return token",
    )
});

/// Keys: the entries. Arguments: for how long, the versions.
static VOID: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"for i = 1, #KEYS do
            if redis.call('GETRANGE', KEYS[i], 0, 18) <= ARGV[i + 1] then
                redis.call('SET', KEYS[i], ARGV[i + 1], 'PX', ARGV[1])
            end
        end
        return #KEYS",
    )
});

#[derive(Debug)]
pub(super) struct Shared {
    redis: Arc<Redis>,
    installation: String,
    place: Mutex<Place>,
}

/// Where this process reads and writes.
#[derive(Clone, Debug, Default)]
struct Place {
    space: Space,
    /// Where a change was told while this process had no connection: no other place may be read from next.
    told: Option<String>,
    /// The name under which this process goes on alone, with entries of its own, until all are void anyway.
    alone: Option<u64>,
    /// Of the Redis as it was when it was last written to.
    token: String,
}

/// What a reader has to show when it writes.
#[derive(Clone, Debug)]
pub(super) struct Permit {
    line: Line,
    installation: String,
    prefix: String,
    is_alone: bool,
    token: String,
}

impl Place {
    /// What names of entries begin with, after the installation's: the space, the server's run, and whether it is private.
    fn prefix(&self, line: &Line) -> String {
        let Self { space, alone, .. } = self;
        let run = &line.run;
        match alone {
            None => format!("{space}:{run}"),
            Some(alone) => format!("{space}:{run}.{alone:x}"),
        }
    }
}

impl Shared {
    pub(super) fn new(redis: Arc<Redis>, installation: String) -> Self {
        Self {
            redis,
            installation,
            place: Mutex::default(),
        }
    }

    /// Begins to read; `None` if Redis is away.
    pub(super) async fn permit_to_fill(&self) -> Option<Permit> {
        let permit = self.permit()?;
        if !permit.token.is_empty() {
            return Some(permit);
        }
        // Gets a token, and nothing else.
        self.fill(&permit, &[]).await;
        self.permit()
    }

    fn permit(&self) -> Option<Permit> {
        let line = self.redis.line().ok()?;
        let mut place = self.lock();
        let shared = place.prefix(&line);
        if place.told.take().is_some_and(|told| told != shared) {
            place.alone = Some(rand::random());
        }
        let is_alone = place.alone.is_some();
        let prefix = place.prefix(&line);
        let token = place.token.clone();
        drop(place);
        Some(Permit {
            line,
            installation: self.installation.clone(),
            prefix,
            is_alone,
            token,
        })
    }

    /// The links that Redis knows of `keys`, in their order.
    pub(super) async fn get(
        &self,
        permit: &Permit,
        keys: &[&LinkKey],
    ) -> Result<Vec<Option<Link>>, Away> {
        let mut connection = permit.line.connection.clone();
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(permit.key(key));
        }
        let question = command.query_async(&mut connection);
        let values: Vec<Option<Vec<u8>>> = self.redis.ask(&permit.line, question).await?;
        let link = |value: Option<Vec<u8>>| Link::unpack(value?.get(VERSION..)?);
        Ok(values.into_iter().map(link).collect())
    }

    /// Adds links that were read from the database after `permit` was got.
    pub(super) async fn fill(&self, permit: &Permit, links: &[(LinkKey, Arc<Link>)]) {
        let mut call = FILL.prepare_invoke();
        call.key(permit.name("token"))
            .arg(&permit.token)
            .arg(format!("{:x}", rand::random::<u64>()))
            .arg(u64::try_from(LIFETIME.as_millis()).unwrap_or(u64::MAX));
        for (key, link) in links {
            let mut value = Vec::with_capacity(128);
            value.extend_from_slice(version(link.version).as_bytes());
            call.key(permit.key(key)).arg(link.pack(value));
        }
        let mut connection = permit.line.connection.clone();
        let question = call.invoke_async(&mut connection);
        if let Ok(token) = self.redis.ask(&permit.line, question).await {
            self.lock().token = token;
        }
    }

    /// Makes entries void that are older than these versions. Returns where, or `None` if it could not be told to all who
    /// share this Redis.
    pub(super) async fn void(&self, changed: &[Changed]) -> Option<String> {
        let permit = self.permit()?;
        let is_told = self.void_with(&permit, changed).await && !permit.is_alone;
        is_told.then_some(permit.prefix)
    }

    async fn void_with(&self, permit: &Permit, changed: &[Changed]) -> bool {
        let mut call = VOID.prepare_invoke();
        call.arg(u64::try_from(MEMORY_OF_CHANGE.as_millis()).unwrap_or(u64::MAX));
        for changed in changed {
            call.key(permit.key(&changed.key))
                .arg(version(changed.version));
        }
        let mut connection = permit.line.connection.clone();
        let question = call.invoke_async(&mut connection);
        let voided: Result<i64, Away> = self.redis.ask(&permit.line, question).await;
        voided.is_ok()
    }

    /// Somebody made entries void at `told`. Whoever reads elsewhere makes them void there, or goes on alone.
    pub(super) async fn follow(&self, told: &str, changed: Option<&[Changed]>) {
        let Some(permit) = self.permit() else {
            let mut place = self.lock();
            if place.told.as_deref().is_some_and(|before| before != told) {
                place.alone = Some(rand::random());
            }
            place.told = Some(told.to_owned());
            return;
        };
        if permit.prefix == told {
            return;
        }
        let is_void = match changed {
            Some(changed) => self.void_with(&permit, changed).await,
            None => false,
        };
        if !is_void {
            self.lock().alone = Some(rand::random());
        }
    }

    /// Takes note of where entries are valid. What is earlier than what is known is late, and no news.
    pub(super) fn move_to(&self, change: impl FnOnce(Space) -> Space) {
        let mut place = self.lock();
        let space = change(place.space);
        if space > place.space {
            *place = Place {
                space,
                ..Place::default()
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    fn name(&self, what: &str) -> String {
        format!("shortener:{}:{}:{what}", self.installation, self.prefix)
    }

    fn key(&self, key: &LinkKey) -> String {
        self.name(&format!("{}:{}", key.domain, key.code))
    }
}

fn version(number: i64) -> String {
    format!("{number:0VERSION$}")
}
