//! `/urls/{id}/stats` and `/stats`.

use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::State;

use super::{
    Bucket, Period, Summary,
    period::{Moment, Wish, parse_zone},
    summarise,
};
use crate::{
    clicks::{
        Clicks,
        rollup::{Day, Slot},
        store,
    },
    database::{Db, timestamp::Timestamp},
    error::ApiError,
    http::{
        extract::{Id, Json, Query},
        fields::{Fields, digits, text},
    },
    urls,
};

const DEFAULT_TOP: i64 = 10;
const MAX_TOP: i64 = 100;

/// `GET /urls/{id}/stats`
pub async fn of_url(
    State(db): State<Db>,
    State(clicks): State<Arc<Clicks>>,
    Id(id): Id,
    Query(query): Query,
) -> Result<Json<Summary>, ApiError> {
    let (period, top) = read(query)?;
    if urls::store::find(&db, id).await?.is_none() {
        return Err(ApiError::NotFound("URL"));
    }
    summary(&db, &clicks, id, period, top).await
}

/// `GET /stats`
pub async fn of_all(
    State(db): State<Db>,
    State(clicks): State<Arc<Clicks>>,
    Query(query): Query,
) -> Result<Json<Summary>, ApiError> {
    let (period, top) = read(query)?;
    summary(&db, &clicks, store::ALL, period, top).await
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

fn read(query: Fields) -> Result<(Period, usize), ApiError> {
    let (wish, top) = query.read(|fields| {
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
        let wish = Wish {
            from: from?,
            to: to?,
            bucket: bucket?,
            zone: zone?,
        };
        Ok((wish, top?.unwrap_or(DEFAULT_TOP)))
    })?;
    let period = Period::new(wish, Timestamp::now())
        .map_err(|(field, reason)| ApiError::invalid(field, reason.to_string()))?;
    Ok((period, usize::try_from(top).unwrap_or(usize::MAX)))
}
