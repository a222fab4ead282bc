//! `/urls/{id}/stats` and `/stats`.

use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::State;

use super::{
    Bucket, Period, Summary,
    period::{Moment, Wish, parse_zone},
    store::{UserDay, days_of_user},
    summarise,
};
use crate::{
    access::Caller,
    clicks::{
        Clicks,
        rollup::{Day, Slot},
        sketch::Sketch,
        store,
    },
    database::{Db, timestamp::Timestamp},
    error::ApiError,
    http::{
        extract::{Id, Json, Query},
        fields::{Fields, digits, text},
    },
    urls::http::must_exist,
};

pub const DEFAULT_TOP: i64 = 10;
pub const MAX_TOP: i64 = 100;

/// `GET /urls/{id}/stats`
pub async fn of_url(
    caller: Caller,
    State(db): State<Db>,
    State(clicks): State<Arc<Clicks>>,
    Id(id): Id,
    Query(query): Query,
) -> Result<Json<Summary>, ApiError> {
    let Wanted { period, top, .. } = read(query)?;
    must_exist(&caller, &db, id).await?;
    summary(&db, &clicks, id, period, top).await
}

/// `GET /stats`
pub async fn of_all(
    caller: Caller,
    State(db): State<Db>,
    State(clicks): State<Arc<Clicks>>,
    Query(query): Query,
) -> Result<Json<Summary>, ApiError> {
    let Wanted {
        period,
        top,
        user_id,
    } = read(query)?;
    match caller.narrow(user_id) {
        None => summary(&db, &clicks, store::ALL, period, top).await,
        Some(user_id) => summary_of_user(&db, &clicks, user_id, period, top).await,
    }
}

async fn summary(
    db: &Db,
    clicks: &Clicks,
    url_id: i64,
    period: Period,
    top: usize,
) -> Result<Json<Summary>, ApiError> {
    clicks.barrier().await?;
    let last = Slot(period.end.0 - 1).day();
    let mut days = Vec::new();
    for (number, rollup) in store::days(db, url_id, period.first.day(), last).await? {
        let day = Day::from_bytes(&rollup)
            .with_context(|| format!("could not read the roll-up of URL {url_id}, day {number}"))?;
        days.push((number, day));
    }
    Ok(Json(summarise(&period, &days, top)))
}

async fn summary_of_user(
    db: &Db,
    clicks: &Clicks,
    user_id: i64,
    period: Period,
    top: usize,
) -> Result<Json<Summary>, ApiError> {
    clicks.barrier().await?;
    let last = Slot(period.end.0 - 1).day();
    let rows = days_of_user(db, user_id, period.first.day(), last).await?;
    let rows = rows.ok_or_else(|| {
        ApiError::invalid(
            "from",
            "the user's URLs have too many days with clicks in this period: ask for a shorter one",
        )
    })?;
    let days = without_counting_twice(&rows)
        .with_context(|| format!("could not read the roll-ups of user {user_id}"))?;
    Ok(Json(summarise(&period, &days, top)))
}

/// Reads roll-ups, of which several are of one day: who visited more than one URL on it is one visitor.
fn without_counting_twice(rows: &[UserDay]) -> anyhow::Result<Vec<(i64, Day)>> {
    let mut days: Vec<(i64, Day)> = Vec::new();
    for of_one_day in rows.chunk_by(|one, next| one.0 == next.0) {
        let mut visitors = Sketch::new();
        for (number, rollup, sketch) in of_one_day {
            visitors.merge(&Sketch::from_bytes(sketch)?);
            let mut day = Day::from_bytes(rollup)?;
            day.visitors = 0;
            days.push((*number, day));
        }
        if let Some((_, last)) = days.last_mut() {
            last.visitors = visitors.estimate();
        }
    }
    Ok(days)
}

/// What was asked for.
struct Wanted {
    period: Period,
    top: usize,
    user_id: Option<i64>,
}

fn read(query: Fields) -> Result<Wanted, ApiError> {
    let (wish, top, user_id) = query.read(|fields| {
        let from = fields.optional("from", text(Moment::parse));
        let to = fields.optional("to", text(Moment::parse));
        let bucket = fields.optional("bucket", text(Bucket::parse));
        let zone = fields.optional("time_zone", text(parse_zone));
        let top = fields.optional(
            "top",
            text(|text| match digits(text)? {
                top @ 1..=MAX_TOP => Ok(top),
                _ => Err(format!("must be from 1 to {MAX_TOP}").into()),
            }),
        );
        let user_id = fields.optional("user_id", text(digits));
        let wish = Wish {
            from: from?,
            to: to?,
            bucket: bucket?,
            zone: zone?,
        };
        Ok((wish, top?.unwrap_or(DEFAULT_TOP), user_id?))
    })?;
    let period = Period::new(wish, Timestamp::now())
        .map_err(|(field, reason)| ApiError::invalid(field, reason.to_string()))?;
    Ok(Wanted {
        period,
        top: usize::try_from(top).unwrap_or(usize::MAX),
        user_id,
    })
}
