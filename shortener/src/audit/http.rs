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
        paging::{Listing, Page},
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
    let (filter, page) = query.read(|fields| {
        let key_id = fields.optional("key_id", text(digits));
        let page = Page::read(fields);
        Ok((AuditFilter { key_id: key_id? }, page?))
    })?;
    access.audit.flush().await;
    let (rows, total) =
        tokio::try_join!(store::list(&db, filter, page), store::count(&db, filter))?;
    Ok(Listing {
        rows,
        total,
        page,
        uri,
    })
}
