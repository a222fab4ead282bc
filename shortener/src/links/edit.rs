//! Changes to links: a change is answered when every replica obeys it.

use super::{
    Links,
    change::{Change, Changed, MAX_LINKS, What},
    space::Space,
    store,
};
use crate::{
    database::{Either, Tx},
    error::ApiError,
    replicas::{AskError, Told},
};

/// A change that is told with its transaction's commit.
///
/// Whatever becomes of it, this process forgets the links when this is dropped: a commit whose answer is lost may have worked.
#[derive(Debug)]
#[must_use = "a change is only true when it is obeyed"]
pub struct Announced<'a> {
    links: &'a Links,
    change: Change,
    told: Option<Told<'a>>,
}

impl Links {
    /// Prepares a change of this link, with the version it gets, in the transaction that changes it.
    pub async fn change(&self, tx: &mut Tx, link: Changed) -> sqlx::Result<Announced<'_>> {
        self.announce(tx, What::Links(vec![link])).await
    }

    /// Prepares a change of all links of a user, which are these.
    pub async fn change_all_of(
        &self,
        tx: &mut Tx,
        user: i64,
        links: Vec<Changed>,
    ) -> sqlx::Result<Announced<'_>> {
        let what = if links.len() <= MAX_LINKS {
            What::Links(links)
        } else {
            What::Owner(user)
        };
        self.announce(tx, what).await
    }

    /// Prepares a change of many links, each beside its owner.
    pub async fn change_many(
        &self,
        tx: &mut Tx,
        links: Vec<(i64, Changed)>,
    ) -> sqlx::Result<Announced<'_>> {
        self.announce(tx, What::of(links)).await
    }

    /// Waits until every replica obeys what was committed before: what is told is heard in the order of the commits.
    pub async fn settle(&self) -> Result<(), ApiError> {
        let mut tx = self.db.begin().await?;
        let nothing = Changed::new("", 0);
        let announced = self.change(&mut tx, nothing).await?;
        tx.commit().await?;
        announced.obeyed().await
    }

    async fn announce(&self, tx: &mut Tx, what: What) -> sqlx::Result<Announced<'_>> {
        let is_nothing = what.links().is_some_and(<[_]>::is_empty);
        let (Some(replicas), false) = (&self.replicas, is_nothing) else {
            return Ok(Announced {
                links: self,
                change: Change::since(0, what),
                told: None,
            });
        };
        let place = match (&self.redis, what.links()) {
            (Some(redis), Some(links)) => redis.void(links).await,
            _ => None,
        };
        let change = match place {
            Some(place) => Change::voided_at(place, what),
            // Whoever could not tell Redis, or has none, makes all void that Redis has.
            None => Change::since(store::next_generation(tx.conn()).await?.unwrap_or(0), what),
        };
        let told = match tx.conn() {
            Either::Postgres(conn) => Some(replicas.tell_with_commit(conn, &change.text()).await?),
            Either::Sqlite(_) => None,
        };
        Ok(Announced {
            links: self,
            change,
            told,
        })
    }

    /// Does what another replica, or this one, has told.
    pub async fn obey(&self, text: &str) -> bool {
        match Change::parse(text) {
            Some(change) => self.obey_change(&change).await,
            // A newer version's: what it changed is not known, so nothing is.
            None => self.memory.forget_all(),
        }
        true
    }

    /// Redis first, so that nothing old comes back from there once it is forgotten here.
    async fn obey_change(&self, change: &Change) {
        if let Some(redis) = &self.redis {
            if change.generation > 0 {
                redis.move_to(|space| space.with_generation(change.generation));
            } else {
                redis.follow(&change.place, change.what.links()).await;
            }
        }
        self.memory.forget(&change.what);
    }

    /// Takes note of where entries in Redis are valid, as a heartbeat of the lease says.
    pub fn note_space(&self, text: &str) {
        if let (Some(redis), Some(space)) = (&self.redis, Space::parse(text)) {
            redis.move_to(|_| space);
        }
    }

    /// Forgets which codes name nothing: many have come that do.
    pub fn forget_missing(&self) {
        self.memory.forget_missing();
    }

    /// Forgets that a code names nothing, now that it does.
    pub fn created(&self, code: &str) {
        self.memory
            .forget(&What::Links(vec![Changed::new(code, 0)]));
    }
}

impl Announced<'_> {
    /// Waits until every replica obeys. To be called after the commit.
    pub async fn obeyed(mut self) -> Result<(), ApiError> {
        let links = self.links;
        let timer = links.metrics.barrier_seconds.start_timer();
        let told = self.told.take();
        let here = links.obey_change(&self.change);
        let everywhere = async {
            match told {
                Some(told) => told.obeyed().await,
                None => Ok(()),
            }
        };
        let ((), obeyed, void) = tokio::join!(here, everywhere, self.void_again());
        timer.observe_duration();
        obeyed.and(void).map_err(|error| {
            ApiError::Unavailable(
                anyhow::Error::new(error)
                    .context("the change is stored, but not obeyed everywhere"),
            )
        })
    }

    /// Redis may have been emptied since it was told, and then filled by somebody who had read before the commit.
    async fn void_again(&self) -> Result<(), AskError> {
        let (Some(replicas), Some(redis), Some(changed)) = (
            &self.links.replicas,
            &self.links.redis,
            self.change.voided(),
        ) else {
            return Ok(());
        };
        if redis.void(changed).await.as_ref() == Some(&self.change.place) {
            return Ok(());
        }
        let mut tx = self.links.db.begin_background().await?;
        let generation = store::next_generation(tx.conn()).await?.unwrap_or(0);
        let change = Change::since(generation, self.change.what.clone());
        let Either::Postgres(conn) = tx.conn() else {
            return Ok(());
        };
        let told = replicas.tell_with_commit(conn, &change.text()).await?;
        tx.commit().await?;
        self.links.obey_change(&change).await;
        told.obeyed().await
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        self.links.memory.forget(&self.change.what);
    }
}
