//! `/{short_code}` and `/urls/{short_code}/redirect`.

use axum::{
    extract::State,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::decide::{Outcome, decide};
use crate::{
    database::{Db, timestamp::Timestamp},
    error::ApiError,
    events::store as events,
    http::extract::Segment,
    urls::{short_code::ShortCode, store},
};

/// `GET` and `HEAD` of a short URL. Only a `GET` is a click.
///
/// The answer must not be kept by anybody: an edit is to be obeyed at once, and each click to be seen.
pub async fn follow(
    State(db): State<Db>,
    Segment(code): Segment,
    method: Method,
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
                events::insert_click(&db, &url, Timestamp::now()).await?;
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
