//! How a failure becomes a response. The only place where errors meet HTTP status codes.

use std::collections::BTreeMap;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    bulk::BadRow,
    database::failure,
    http::{conditional, extract::PATCH_TYPES},
    invalid::Invalid,
    keys::Scope,
    rate_limit::Judged,
};

/// What is wrong with which field, as sentences.
pub type FieldErrors = BTreeMap<&'static str, String>;

/// What a handler returns when it cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("there is no such {0}")]
    NotFound(&'static str),

    /// It was there, and will not come back by itself.
    #[error("this {0} is over")]
    Gone(&'static str),

    #[error("there is nothing at this path")]
    UnknownPath,

    #[error("this path does not take that method; the Allow header lists those it takes")]
    MethodNotAllowed,

    #[error("{reason}")]
    Conflict { field: &'static str, reason: String },

    /// The same request is being carried out, through whichever replica.
    #[error("a request with this Idempotency-Key is under way; send it again in a moment")]
    UnderWay,

    /// What was to be changed, or read, has not the version that the request is about.
    #[error(
        "this is at version {version}, which the request's If-Match or If-None-Match does not allow; read it again"
    )]
    PreconditionFailed { version: i64 },

    /// The request was understood, and is wrong: one sentence per field.
    #[error("the request has {} that cannot be accepted", values(.0))]
    Invalid(FieldErrors),

    /// The request is wrong as a whole.
    #[error("{0}")]
    Unprocessable(Invalid),

    /// A row of a bulk file.
    #[error("{0}")]
    BadRow(BadRow),

    #[error("{0}")]
    Malformed(String),

    #[error("{0}")]
    UnsupportedMediaType(&'static str),

    #[error("the body must be a merge patch; Accept-Patch lists the media types")]
    UnsupportedPatch,

    #[error("the body is larger than the {limit} bytes that are accepted here")]
    TooLarge { limit: u64 },

    #[error("the body did not arrive in time")]
    SlowBody,

    #[error("{0}")]
    Forbidden(&'static str),

    #[error("{0}")]
    NoKey(NoKey),

    #[error("this API key is not for that: it lacks the scope `{}`", .0.name())]
    MissingScope(Scope),

    #[error("too many requests from this client; try again when Retry-After says")]
    TooManyRequests(Judged),

    /// A dependency is away; the same request may succeed later. The cause is logged, never sent.
    #[error("the service cannot do this right now; try again in a moment")]
    Unavailable(#[source] anyhow::Error),

    /// Our fault. The cause is logged, never sent.
    #[error("something went wrong on our side; the request id helps us to find out what")]
    Internal(#[from] anyhow::Error),
}

/// Why a request counts as one without a key. Only who holds a key learns what is wrong with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoKey {
    #[error("an API key is needed: send `Authorization: Bearer <key>`")]
    Missing,
    #[error("this API key is not known")]
    Unknown,
    #[error("this API key was revoked")]
    Revoked,
    #[error("this API key has expired")]
    Expired,
}

fn values(errors: &FieldErrors) -> &'static str {
    if errors.len() == 1 {
        "a value"
    } else {
        "values"
    }
}

impl ApiError {
    /// One field that is wrong.
    pub fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid(FieldErrors::from([(field, reason.into())]))
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) | Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::Gone(_) => StatusCode::GONE,
            Self::TooManyRequests(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict { .. } | Self::UnderWay => StatusCode::CONFLICT,
            Self::PreconditionFailed { .. } => StatusCode::PRECONDITION_FAILED,
            Self::BadRow(bad) if bad.is_conflict => StatusCode::CONFLICT,
            Self::Invalid(_) | Self::Unprocessable(_) | Self::BadRow(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::UnsupportedMediaType(_) | Self::UnsupportedPatch => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Forbidden(_) | Self::MissingScope(_) => StatusCode::FORBIDDEN,
            Self::NoKey(_) => StatusCode::UNAUTHORIZED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether the fault is not the caller's.
    pub fn is_ours(&self) -> bool {
        self.status().is_server_error()
    }

    pub fn problem(self) -> Problem {
        let status = self.status();
        let detail = self.to_string();
        let errors = match self {
            Self::Invalid(errors) => errors,
            Self::Conflict { field, reason } => FieldErrors::from([(field, reason)]),
            Self::BadRow(bad) => {
                FieldErrors::from([(bad.column.unwrap_or("file"), detail.clone())])
            }
            _ => FieldErrors::new(),
        };
        Problem {
            status,
            detail,
            errors,
        }
    }

    /// What a client is told of keys (RFC 6750, 3).
    fn challenge(&self) -> Option<HeaderValue> {
        let challenge = match self {
            Self::NoKey(NoKey::Missing) => "Bearer realm=\"shortener\"".to_owned(),
            Self::NoKey(_) => "Bearer realm=\"shortener\", error=\"invalid_token\"".to_owned(),
            Self::MissingScope(scope) => format!(
                "Bearer realm=\"shortener\", error=\"insufficient_scope\", scope=\"{}\"",
                scope.name()
            ),
            _ => return None,
        };
        HeaderValue::try_from(challenge).ok()
    }

    fn log(&self) {
        match self {
            Self::Internal(cause) => {
                tracing::error!(error = format!("{cause:#}"), "request failed");
            }
            Self::Unavailable(cause) => {
                tracing::warn!(error = format!("{cause:#}"), "request could not be served");
            }
            _ => {}
        }
    }
}

/// What the body of a failed request says. `http::envelope` writes it, as JSON or as a page, since only it knows the
/// request's id and what the caller accepts.
#[derive(Clone, Debug)]
pub struct Problem {
    pub status: StatusCode,
    pub detail: String,
    pub errors: FieldErrors,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let status = self.status();
        let mut response = status.into_response();
        if let Self::TooManyRequests(judged) = &self {
            judged.describe(response.headers_mut());
        }
        if let Self::PreconditionFailed { version } = &self {
            let headers = response.headers_mut();
            headers.insert(header::ETAG, conditional::tag(*version));
        }
        if matches!(self, Self::UnsupportedPatch) {
            response.headers_mut().insert("accept-patch", PATCH_TYPES);
        }
        let is_under_way = matches!(self, Self::UnderWay);
        let challenge = self.challenge();
        if status == StatusCode::SERVICE_UNAVAILABLE || is_under_way {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(challenge) = challenge {
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(self.problem());
        response
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        if failure::is_outage(&error) {
            Self::Unavailable(anyhow::Error::new(error).context("the database did not answer"))
        } else {
            Self::Internal(anyhow::Error::new(error).context("a query failed"))
        }
    }
}

impl From<Invalid> for ApiError {
    fn from(reason: Invalid) -> Self {
        Self::Unprocessable(reason)
    }
}
