//! `/events`.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    response::{IntoResponse as _, Response},
};

use super::{
    Details, Event, EventType, NewEvent,
    store::{self, EventFilter, Unknown},
};
use crate::{
    access::Caller,
    clicks::Clicks,
    database::{Db, timestamp::Timestamp},
    error::ApiError,
    http::{
        extract::{Created, JsonObject, Query},
        fields::{digits, integer, text},
        paging::{Listing, Order, Part},
        totals::Totals,
    },
    idempotency::http::{Begun, Idempotency},
    urls::http::must_own,
    users::http::must_be_in_reach,
};

/// `GET /events`
///
/// Shows every click that was answered before the request came, through whichever replica.
pub async fn list(
    caller: Caller,
    State(db): State<Db>,
    State(clicks): State<Arc<Clicks>>,
    State(totals): State<Arc<Totals>>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query,
) -> Result<Listing<Event>, ApiError> {
    let (filter, part) = query.read(|fields| {
        let url_id = fields.optional("url_id", text(digits));
        let user_id = fields.optional("user_id", text(digits));
        let event_type = fields.optional("event_type", text(EventType::parse));
        let part = Part::read(fields, &uri, Order::NewestFirst);
        let filter = EventFilter {
            url_id: url_id?,
            user_id: caller.narrow(user_id?),
            event_type: event_type?.map(|event_type| event_type.as_str().to_owned()),
        };
        Ok((filter, part?))
    })?;
    clicks.barrier().await?;
    let rows = store::list(&db, &filter, part);
    let count = totals.count(&uri, filter.user_id, store::count(&db, &filter));
    Listing::read(part, &uri, rows, count).await
}

/// `POST /events`
pub async fn create(
    caller: Caller,
    State(db): State<Db>,
    idempotency: Idempotency,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    let attempt = idempotency.attempt(&body);
    if let Some(answer) = attempt.recall(&db).await? {
        return Ok(answer);
    }
    let new = body.read(|fields| {
        let url_id = fields.required("url_id", integer);
        let user_id = fields.required("user_id", integer);
        let event_type = fields.required("event_type", text(EventType::parse));
        let details = fields.optional("details", Details::from_json);
        Ok(NewEvent {
            url_id: url_id?,
            user_id: user_id?,
            event_type: event_type?,
            details: details?.unwrap_or_else(Details::empty),
        })
    })?;
    must_own(&caller, &db, new.url_id).await?;
    must_be_in_reach(&caller, new.user_id)?;
    let mut transaction = match attempt.begin(&db).await? {
        Begun::Before(answer) => return Ok(answer),
        Begun::Now(work) => work.in_transaction().await?,
    };
    let event = match store::insert(&mut transaction.tx, &new, Timestamp::now()).await? {
        Ok(event) => event,
        Err(unknown) => {
            let what = match unknown {
                Unknown::Url => "URL",
                Unknown::User => "user",
            };
            return Err(transaction.refused(ApiError::NotFound(what)).await);
        }
    };
    let created = Created::new(event.id, event);
    transaction.commit(created.into_response()).await
}
