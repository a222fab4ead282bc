//! Many creates, changes and deletions of URLs in one call, with a result for each.
//!
//! All of it is one transaction, but each operation stands for itself: one that is refused leaves nothing and stops no other. If
//! the call as a whole fails, nothing was done. One notification tells every replica of all changes, and the answer waits for
//! them as that of a single change does.

pub mod http;

use axum::http::StatusCode;

use super::{NewUrl, ShortUrl, UrlChange, short_code::ShortCode};
use crate::{
    access::Caller,
    database::{Tx, timestamp::Timestamp},
    error::ApiError,
    http::conditional::Conditions,
    links::change::Changed,
    urls::{
        edit::store,
        http::{Place, insert},
    },
    users,
};

/// How many operations one call may have.
pub const MAX_OPERATIONS: usize = 1_000;

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Operation {
    Create {
        new: Box<NewUrl>,
        chosen: Option<ShortCode>,
    },
    Update {
        id: i64,
        change: Box<UrlChange>,
        conditions: Conditions,
    },
    Delete {
        id: i64,
        conditions: Conditions,
    },
}

/// What was done.
#[derive(Clone, Debug)]
pub enum Done {
    Created(ShortUrl),
    Updated(ShortUrl),
    Deleted(ShortUrl),
}

impl Done {
    fn url(&self) -> &ShortUrl {
        match self {
            Self::Created(url) | Self::Updated(url) | Self::Deleted(url) => url,
        }
    }

    /// The status that a call of its own would have been answered with.
    fn status(&self) -> StatusCode {
        match self {
            Self::Created(_) => StatusCode::CREATED,
            Self::Updated(_) => StatusCode::OK,
            Self::Deleted(_) => StatusCode::NO_CONTENT,
        }
    }

    /// The URL, if it is still there.
    fn shown(self) -> Option<ShortUrl> {
        match self {
            Self::Created(url) | Self::Updated(url) => Some(url),
            Self::Deleted(_) => None,
        }
    }
}

/// What became of each operation, in their order.
pub type Outcomes = Vec<Result<Done, ApiError>>;

impl Operation {
    /// The URL that is to be changed.
    fn id(&self) -> Option<i64> {
        match self {
            Self::Create { .. } => None,
            Self::Update { id, .. } | Self::Delete { id, .. } => Some(*id),
        }
    }

    fn owner_of_new(&self) -> Option<i64> {
        match self {
            Self::Create { new, .. } => Some(new.user_id),
            Self::Update { .. } | Self::Delete { .. } => None,
        }
    }
}

/// Carries out those operations that were not refused already. Fails as a whole only if the fault is ours.
async fn carry_out(
    tx: &mut Tx,
    operations: Vec<Result<Operation, ApiError>>,
    caller: &Caller,
    now: Timestamp,
) -> Result<Outcomes, ApiError> {
    let valid = || operations.iter().flatten();
    // Users before URLs, as whoever deletes a user does; each in order.
    let owners: Vec<i64> = valid().filter_map(Operation::owner_of_new).collect();
    if !owners.is_empty() {
        users::store::existing(tx.conn(), &owners).await?;
    }
    let ids: Vec<i64> = valid().filter_map(Operation::id).collect();
    let mut found = store::lock_all(tx, &ids).await?;
    found.retain(|_, owner| caller.reaches(*owner));

    let mut outcomes = Vec::with_capacity(operations.len());
    for operation in operations {
        let outcome = match operation {
            Ok(operation) if operation.id().is_some_and(|id| !found.contains_key(&id)) => {
                Err(ApiError::NotFound("URL"))
            }
            Ok(operation) => step(tx, operation, caller, now).await,
            Err(refused) => Err(refused),
        };
        match outcome {
            Err(error) if error.is_ours() => return Err(error),
            outcome => outcomes.push(outcome),
        }
    }
    Ok(outcomes)
}

/// Whatever is refused here is refused before anything is written, or taken back.
async fn step(
    tx: &mut Tx,
    operation: Operation,
    caller: &Caller,
    now: Timestamp,
) -> Result<Done, ApiError> {
    match operation {
        Operation::Create { new, chosen } => {
            let created = insert(Place::In(tx), &new, chosen).await?;
            Ok(Done::Created(created))
        }
        Operation::Update {
            id,
            change,
            conditions,
        } => {
            let updated = store::update(tx, id, &change, &conditions, now).await?;
            Ok(Done::Updated(updated))
        }
        Operation::Delete { id, conditions } => {
            let deleted = store::delete(tx, id, caller.is_admin(), &conditions, now).await?;
            Ok(Done::Deleted(deleted))
        }
    }
}

/// What replicas have to be told, each link beside its owner.
fn changes(outcomes: &[Result<Done, ApiError>]) -> Vec<(i64, Changed)> {
    let changed = outcomes.iter().flatten().filter_map(|done| match done {
        Done::Created(_) => None,
        Done::Updated(url) | Done::Deleted(url) => Some(url),
    });
    changed
        .map(|url| (url.user_id, Changed::new(&url.short_code, url.version)))
        .collect()
}

/// The codes of new URLs.
fn new_codes(outcomes: &[Result<Done, ApiError>]) -> Vec<String> {
    let created = outcomes.iter().flatten().filter_map(|done| match done {
        Done::Created(url) => Some(url.short_code.clone()),
        Done::Updated(_) | Done::Deleted(_) => None,
    });
    created.collect()
}

/// The URLs that were made or changed, each with its status.
fn done(outcomes: &[Result<Done, ApiError>]) -> Vec<(i64, u16)> {
    let done = outcomes.iter().flatten();
    done.map(|done| (done.url().id, done.status().as_u16()))
        .collect()
}
