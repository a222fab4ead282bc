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
    what: What,
    /// The links, if Redis was told of each.
    voided: Option<Vec<Changed>>,
    told: Option<Told<'a>>,
}

impl Links {
    /// Prepares a change of these links, with the versions they get, in the transaction that changes them.
    pub async fn change(&self, tx: &mut Tx, links: Vec<Changed>) -> sqlx::Result<Announced<'_>> {
        let what = What::Links(links.clone());
        self.announce(tx, what, links).await
    }

    /// Prepares a change of all links of a user, which are these.
    pub async fn change_all_of(
        &self,
        tx: &mut Tx,
        user: i64,
        links: Vec<Changed>,
    ) -> sqlx::Result<Announced<'_>> {
        self.announce(tx, What::Owner(user), links).await
    }

    async fn announce(
        &self,
        tx: &mut Tx,
        what: What,
        links: Vec<Changed>,
    ) -> sqlx::Result<Announced<'_>> {
        let mut announced = Announced {
            links: self,
            what,
            voided: None,
            told: None,
        };
        let Some(replicas) = &self.replicas else {
            return Ok(announced);
        };
        let run = match &self.shared {
            Some(shared) if links.len() <= MAX_LINKS => shared.void(&links).await,
            _ => None,
        };
        // Whoever could not tell Redis, or has none, makes all void that Redis has.
        let generation = match run {
            Some(_) => None,
            None => store::next_generation(tx.conn()).await?,
        };
        let change = Change {
            generation: generation.unwrap_or(0),
            run: run.as_deref().unwrap_or("-").to_owned(),
            what: announced.what.clone(),
        };
        announced.voided = run.map(|_| links);
        if let Either::Postgres(conn) = tx.conn() {
            announced.told = Some(replicas.tell_with_commit(conn, &change.text()).await?);
        }
        self.note_generation(change.generation);
        Ok(announced)
    }

    /// Does what another replica, or this one, has told.
    pub async fn obey(&self, text: &str) -> bool {
        let Some(change) = Change::parse(text) else {
            // A newer version's: what it changed is not known, so nothing is.
            self.memory.forget_all();
            return true;
        };
        self.note_generation(change.generation);
        self.memory.forget(&change.what);
        if let Some(shared) = &self.shared
            && change.generation == 0
        {
            match &change.what {
                What::Links(links) => shared.follow(&change.run, Some(links)).await,
                What::Owner(_) => shared.follow(&change.run, None).await,
                What::Nothing => {}
            }
        }
        true
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
        let timer = self.links.metrics.barrier_seconds.start_timer();
        self.links.memory.forget(&self.what);
        let told = self.told.take();
        let everywhere = async {
            match told {
                Some(told) => told.obeyed().await,
                None => Ok(()),
            }
        };
        let (obeyed, void) = tokio::join!(everywhere, self.void_again());
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
        let (Some(replicas), Some(shared), Some(links)) =
            (&self.links.replicas, &self.links.shared, &self.voided)
        else {
            return Ok(());
        };
        if shared.void(links).await.is_some() {
            return Ok(());
        }
        let mut tx = self.links.db.begin_background().await?;
        let generation = store::next_generation(tx.conn()).await?.unwrap_or(0);
        drop(tx);
        self.links.note_generation(generation);
        let change = Change {
            generation,
            run: "-".to_owned(),
            what: self.what.clone(),
        };
        replicas.tell(&change.text()).await
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        self.links.memory.forget(&self.what);
    }
}

impl Links {
    fn note_generation(&self, generation: i64) {
        if let Some(shared) = &self.shared {
            shared.move_to(|space| space.with_generation(generation));
        }
    }

    /// Takes note of where entries in Redis are valid, as a heartbeat of the lease says.
    pub fn note_space(&self, text: &str) {
        if let (Some(shared), Some(space)) = (&self.shared, Space::parse(text)) {
            shared.move_to(|_| space);
        }
    }
}
