//! How a caller is told about limits.

use std::time::Duration;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{Judged, RateLimits};
use crate::{app::AppState, error::ApiError, http::envelope::ClientAddress, moment::Moment};

/// <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>, draft 10.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Stands in front of the API.
pub async fn limit_api(
    State(state): State<AppState>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    request: Request,
    next: Next,
) -> Response {
    let limits = &state.redirects.limits;
    // Before the gate, which asks the database about keys that it does not know.
    let key = state.access.known_key(request.headers());
    let Some(judged) = limits.judge_api(key, address).await else {
        return next.run(request).await;
    };
    if !judged.verdict.is_allowed {
        limits.given.metrics.api.inc();
        return ApiError::TooManyRequests(judged).into_response();
    }
    let mut response = next.run(request).await;
    judged.describe(response.headers_mut());
    response
}

impl RateLimits {
    /// Refuses a visitor who follows links too fast.
    pub fn check_redirect(&self, ClientAddress(address): ClientAddress) -> Result<(), ApiError> {
        self.judge_redirect(address, Moment::now())
            .map_err(|judged| {
                self.given.metrics.redirects.inc();
                ApiError::TooManyRequests(judged)
            })
    }
}

impl Judged {
    /// Says what the limit is, what is left of it, and when to come back.
    pub fn describe(&self, headers: &mut HeaderMap) {
        let Self {
            name,
            rate,
            verdict,
        } = self;
        let policy = format!("\"{name}\";q={};w={}", rate.burst, rate.window_seconds());
        headers.insert(RATE_LIMIT_POLICY, value(policy));
        let full = whole_seconds(verdict.full_after);
        let state = format!("\"{name}\";r={};t={full}", verdict.remaining);
        headers.insert(RATE_LIMIT, value(state));
        if !verdict.is_allowed {
            let retry = whole_seconds(verdict.retry_after).max(1);
            headers.insert(header::RETRY_AFTER, retry.into());
        }
    }
}

/// Rounded up, so that nobody comes back too early.
fn whole_seconds(duration: Duration) -> u64 {
    duration
        .as_millis()
        .div_ceil(1_000)
        .try_into()
        .unwrap_or(u64::MAX)
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("letters and digits are a header value")
}
