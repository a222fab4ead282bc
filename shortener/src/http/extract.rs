//! Extractors that reject with [`ApiError`], so that bad input gets the same problem body as any failure.
//!
//! `clippy.toml` forbids axum's own everywhere else.

#![expect(clippy::disallowed_types, reason = "this module wraps them")]

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRef, FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use serde::Serialize;
use serde_json::Value;

use super::fields::Fields;
use crate::{config::LimitsConfig, error::ApiError, invalid::Invalid};

/// How long a JSON body may take to arrive. The largest one passes in a second at 8 Mbit/s.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON answer.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// 201, with what was made.
#[derive(Debug)]
pub struct Created<T> {
    id: i64,
    pub body: T,
    /// Where it is to be read.
    location: Option<HeaderValue>,
}

impl<T> Created<T> {
    pub fn new(id: i64, body: T) -> Self {
        Self {
            id,
            body,
            location: None,
        }
    }

    /// What can be read at its id below `path`, which the request was sent to.
    pub fn below(path: &Uri, id: i64, body: T) -> Self {
        let location = format!("{}/{id}", path.path().trim_end_matches('/'));
        Self {
            location: HeaderValue::try_from(location).ok(),
            ..Self::new(id, body)
        }
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self.body)).into_response();
        response.extensions_mut().insert(ObjectId(self.id));
        if let Some(location) = self.location {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

/// What an answer is about, for the audit log.
#[derive(Clone, Copy, Debug)]
pub struct ObjectId(pub i64);

/// What an answer about many things has changed, each with the status that a call of its own would have had, for the audit log.
#[derive(Clone, Debug)]
pub struct Changes(pub Vec<(i64, u16)>);

/// The JSON object in a request's body, to be read field by field.
#[derive(Debug)]
pub struct JsonObject(pub Fields);

impl<S> FromRequest<S> for JsonObject
where
    LimitsConfig: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::UnsupportedMediaType(
                "the body must be JSON, and Content-Type must say `application/json`",
            ));
        }
        let limit = LimitsConfig::from_ref(state).max_json_bytes;
        read_object(request, limit).await.map(Self)
    }
}

/// The merge patch (RFC 7396) in a request's body, to be read field by field: null takes a field away.
#[derive(Debug)]
pub struct MergePatch(pub Fields);

/// What `PATCH` takes, as `Accept-Patch` (RFC 5789, 3.1) has it.
pub const PATCH_TYPES: HeaderValue =
    HeaderValue::from_static("application/merge-patch+json, application/json");

impl<S> FromRequest<S> for MergePatch
where
    LimitsConfig: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        // Other kinds of patches are JSON, too, and mean something else.
        let essence = essence(request.headers());
        if !matches!(
            essence.as_deref(),
            Some("application/merge-patch+json" | "application/json")
        ) {
            return Err(ApiError::UnsupportedPatch);
        }
        let limit = LimitsConfig::from_ref(state).max_json_bytes;
        read_object(request, limit).await.map(Self)
    }
}

async fn read_object(request: Request, max_bytes: u64) -> Result<Fields, ApiError> {
    refuse_encoded(request.headers())?;
    let bytes = read_all(request.into_body(), LimitsConfig::or_none(max_bytes)).await?;
    if bytes.is_empty() {
        return Err(ApiError::Malformed("the body is empty".to_owned()));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(values)) => Ok(Fields::new(values)),
        Ok(_) => Err(Invalid::from("the body must be a JSON object").into()),
        Err(error) => Err(ApiError::Malformed(format!(
            "the body is no valid JSON: {error}"
        ))),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    essence(headers).is_some_and(|essence| {
        essence == "application/json"
            || (essence.starts_with("application/") && essence.ends_with("+json"))
    })
}

/// The body's media type, without parameters.
fn essence(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or(value);
    Some(essence.trim().to_ascii_lowercase())
}

/// Refuses a compressed body (RFC 9110, 8.4): a kilobyte of it could be a gigabyte.
pub fn refuse_encoded(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    if codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(ApiError::UnsupportedMediaType(
        "the body is compressed: send it as it is, without Content-Encoding",
    ))
}

async fn read_all(body: Body, limit: u64) -> Result<Bytes, ApiError> {
    // What is declared need not be waited for.
    if body.size_hint().lower() > limit {
        return Err(ApiError::TooLarge { limit });
    }
    let limited = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX));
    let read = tokio::time::timeout(BODY_TIMEOUT, limited.collect());
    match read.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::TooLarge { limit }),
        Ok(Err(_)) => Err(ApiError::Malformed(
            "the body ended before it was complete".to_owned(),
        )),
        Err(_) => Err(ApiError::SlowBody),
    }
}

/// An id in the path. What is no number is the id of nothing: 404, not 422.
#[derive(Clone, Copy, Debug)]
pub struct Id(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Segment(text) = Segment::from_request_parts(parts, state).await?;
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let id = text.parse().ok().filter(|_| is_number);
        id.map(Self).ok_or(ApiError::UnknownPath)
    }
}

/// The one variable segment of a path, decoded.
#[derive(Clone, Debug)]
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // A segment that is no UTF-8 names nothing.
        axum::extract::Path::<String>::from_request_parts(parts, state)
            .await
            .map(|path| Self(path.0))
            .map_err(|_| ApiError::UnknownPath)
    }
}

/// The parameters of the query string, to be read one by one.
#[derive(Debug)]
pub struct Query(pub Fields);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(Fields::from_query(parts.uri.query())))
    }
}
