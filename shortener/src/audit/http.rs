//! `/audit`, for admins.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};

use super::{
    AuditEntry,
    store::{self, AuditFilter},
};
use crate::{
    access::Access,
    database::Db,
    error::ApiError,
    http::{
        extract::Query,
        fields::{digits, text},
        paging::{Listing, Order, Part},
    },
};

/// `GET /audit`
///
/// Shows everything that this process answered before; what others answered shows within a quarter of a second.
pub async fn list(
    State(db): State<Db>,
    State(access): State<Arc<Access>>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query,
) -> Result<Listing<AuditEntry>, ApiError> {
    let (filter, part) = query.read(|fields| {
        let key_id = fields.optional("key_id", text(digits));
        let part = Part::read(fields, &uri, Order::NewestFirst);
        Ok((AuditFilter { key_id: key_id? }, part?))
    })?;
    access.audit.flush().await;
    let (rows, count) = (store::list(&db, filter, part), store::count(&db, filter));
    Listing::read(part, &uri, rows, count).await
}
