//! Links with a limit: exactly so many visitors get through, over all replicas, so each one is counted in the database.

use super::{
    decide::{Outcome, decide},
    store,
};
use crate::{
    clicks::{Clicks, Visitor},
    database::{Db, timestamp::Timestamp},
    http::envelope::PointOfNoReturn,
    links::{key::LinkRef, link::Link},
};

/// The link as the database has it now, and what a visitor would get who came now: [`Outcome::Limited`] means that one more
/// may come.
pub async fn look(
    db: &Db,
    key: LinkRef<'_>,
    now: Timestamp,
) -> sqlx::Result<Option<(Link, Outcome)>> {
    let Some(row) = store::find_with_use(db, key).await? else {
        return Ok(None);
    };
    let Some(link) = row.link.link() else {
        return Ok(None);
    };
    let outcome = match (decide(&link, now), link.max_clicks) {
        (Outcome::Limited, Some(limit)) if row.used >= limit => Outcome::Gone,
        (outcome, _) => outcome,
    };
    Ok(Some((link, outcome)))
}

/// Uses one visit up, and records its click, in one transaction. False if none is left.
///
/// A visitor whose visit is being committed is waited for, or one would be used up that nobody got through with.
pub async fn use_up(
    db: &Db,
    clicks: &Clicks,
    link: &Link,
    visitor: Visitor<'_>,
    now: Timestamp,
    no_return: PointOfNoReturn,
) -> sqlx::Result<bool> {
    let Some(limit) = link.max_clicks else {
        return Ok(false);
    };
    let mut tx = db.begin_guarded().await?;
    if !store::use_one(tx.conn(), link.url_id, limit).await? {
        return Ok(false);
    }
    clicks.record(&mut tx, link, visitor, now).await?;
    let _committing = no_return.pass().await;
    tx.commit().await?;
    clicks.note_recorded();
    Ok(true)
}
