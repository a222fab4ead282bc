//! `/{short_code}` and `/urls/{short_code}/redirect`.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};

use super::decide::{Outcome, decide};
use crate::{
    clicks::{Clicks, Visitor},
    database::{Db, timestamp::Timestamp},
    error::ApiError,
    http::{envelope::ClientAddress, extract::Segment},
    urls::{short_code::ShortCode, store},
};

/// `GET` and `HEAD` of a short URL. Only a `GET` is a click.
///
/// The click is on disk before the answer leaves. The answer must not be kept by anybody: an edit is to be obeyed at once, and each click to be seen.
pub async fn follow(
    State(db): State<Db>,
    State(clicks): State<Arc<Clicks>>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Segment(code): Segment,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    // What is no code names nothing.
    let code = ShortCode::parse(&code).map_err(|_| ApiError::NotFound("link"))?;
    let url = store::find_by_code(&db, code.as_str())
        .await?
        .ok_or(ApiError::NotFound("link"))?;
    match decide(&url) {
        Outcome::Redirect(location) => {
            let location = HeaderValue::try_from(location)
                .map_err(|error| anyhow::Error::new(error).context("a location is no header"))?;
            if method == Method::GET {
                let visitor = Visitor {
                    address,
                    headers: &headers,
                    query: uri.query(),
                };
                clicks.append(&url, visitor, Timestamp::now());
            }
            Ok((
                StatusCode::FOUND,
                [
                    (header::LOCATION, location),
                    (
                        header::CACHE_CONTROL,
                        HeaderValue::from_static("private, no-store"),
                    ),
                ],
            )
                .into_response())
        }
        Outcome::NotFound => Err(ApiError::NotFound("link")),
    }
}
