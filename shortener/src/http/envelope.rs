//! What every answer gets, whatever made it: a request id, safe headers, a body that says what went wrong, a log line
//! and a count.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::{
    Instrument as _,
    field::{Empty, display},
};

use super::{client_address::TrustedProxies, framing};
use crate::{
    error::{ApiError, FieldErrors, Problem},
    metrics::{HttpMetrics, RouteClass},
    redirect::page,
    trace::{self, Answered, Began, Traced},
};

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID: usize = 128;

/// A page loads its own style and script, and nothing else; nobody frames it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What the envelope needs of the service.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub metrics: Arc<HttpMetrics>,
    pub trusted_proxies: Arc<TrustedProxies>,
}

/// Wraps a request: see the module.
pub async fn wrap(
    State(envelope): State<Envelope>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let (began, started) = (Began::now(), Instant::now());
    let class = RouteClass::of(request.extensions().get::<MatchedPath>());
    let wants_page = class == RouteClass::Redirect && accepts_page(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let client = envelope
        .trusted_proxies
        .client_address(peer.ip(), request.headers());
    let id = request_id(request.headers());
    request.extensions_mut().insert(ClientAddress(client));
    let no_return = PointOfNoReturn::default();
    request.extensions_mut().insert(no_return.clone());

    let framed = framing::check(&request);
    let traced = request.extensions().get::<Arc<Traced>>().cloned();
    let route = traced.as_ref().and_then(|_| route(&request));
    let span = span(&id, traced.as_deref());
    let cut_off = async {
        tokio::time::sleep(class.patience()).await;
        no_return.wait().await;
    };
    let handled = async {
        if let Err(error) = framed {
            return error.into_response();
        }
        tokio::select! {
            biased;
            response = next.run(request) => response,
            () = cut_off => late().into_response(),
        }
    };
    let handled = trace::within(traced.clone(), handled);
    let answered = AssertUnwindSafe(handled)
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let _in_span = span.enter();
    let mut response = answered.unwrap_or_else(|panic| {
        ApiError::Internal(anyhow::anyhow!("panic: {}", message(&*panic))).into_response()
    });
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        render(&mut response, &problem, &id, wants_page);
    }
    if let Some(traced) = traced {
        traced.answered(&Answered {
            began,
            method: &method,
            route: route.as_deref(),
            path: &path,
            status: response.status(),
            request_id: id.to_str().unwrap_or_default(),
        });
    }
    response.headers_mut().insert(REQUEST_ID, id);
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);

    let duration = started.elapsed();
    let status = response.status();
    envelope.metrics.observe(class, status, duration);
    // A line for every redirect would cost more than the redirect.
    if class != RouteClass::Redirect && class != RouteClass::Health {
        tracing::info!(
            http.method = %method,
            http.path = path,
            http.status = status.as_u16(),
            duration_ms = duration.as_secs_f64() * 1e3,
            "request answered"
        );
    }
    response
}

/// What went wrong (RFC 9457).
#[derive(schemars::JsonSchema, serde::Serialize)]
#[schemars(rename = "Problem", extend("title" = "Problem"))]
pub struct ProblemDocument<'a> {
    /// A sentence for people.
    detail: &'a str,
    /// A sentence for each value that is wrong, by its name.
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    errors: &'a FieldErrors,
    /// Names the request in the service's log; only where the service is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// The HTTP status.
    status: u16,
    /// What the status is called.
    title: &'a str,
    /// `about:blank`: the status says it all.
    #[serde(rename = "type")]
    kind: &'a str,
}

impl<'a> ProblemDocument<'a> {
    /// What is told of `problem`, with the request's id if that helps.
    pub fn of(problem: &'a Problem, request_id: Option<&'a str>) -> Self {
        Self {
            detail: &problem.detail,
            errors: &problem.errors,
            request_id,
            status: problem.status.as_u16(),
            title: problem.status.canonical_reason().unwrap_or("Error"),
            kind: "about:blank",
        }
    }
}

fn late() -> ApiError {
    ApiError::Unavailable(anyhow::anyhow!("the request took too long"))
}

/// What each line of the log says of the request that it is about; of its trace, too, if it has one, so that one leads to
/// the other.
fn span(id: &HeaderValue, traced: Option<&Traced>) -> tracing::Span {
    let span = tracing::error_span!(
        "request",
        request.id = id.to_str().unwrap_or_default(),
        trace_id = Empty,
        span_id = Empty,
    );
    if let Some(traced) = traced {
        span.record("trace_id", display(traced.trace));
        span.record("span_id", display(traced.span));
    }
    span
}

/// The route, as the router has it.
fn route(request: &Request) -> Option<String> {
    let path = request.extensions().get::<MatchedPath>()?;
    Some(path.as_str().to_owned())
}

/// The client's address, for handlers.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub std::net::IpAddr);

/// For handlers: a request that takes too long is answered 503, but not while it does what cannot be taken back.
#[derive(Clone, Debug, Default)]
pub struct PointOfNoReturn(Arc<Mutex<()>>);

impl PointOfNoReturn {
    /// From now on, and while the guard lives, the request is not cut off.
    pub async fn pass(self) -> OwnedMutexGuard<()> {
        self.0.lock_owned().await
    }

    /// Waits until the request may be cut off.
    async fn wait(self) {
        drop(self.0.lock_owned().await);
    }
}

/// Headers that a page is answered with.
pub fn page_headers() -> [(HeaderName, HeaderValue); 4] {
    [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(CONTENT_SECURITY_POLICY),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ]
}

/// Whoever asked may name the request, so that logs on both sides can be joined.
pub fn is_request_id(given: &[u8]) -> bool {
    (1..=MAX_REQUEST_ID).contains(&given.len()) && given.iter().all(u8::is_ascii_graphic)
}

/// The request's name; it gets one here if it has none.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID);
    let given = given.filter(|id| is_request_id(id.as_bytes())).cloned();
    given.unwrap_or_else(|| {
        let id = format!("{:032x}", rand::random::<u128>());
        HeaderValue::try_from(id).expect("hexadecimal digits are a header value")
    })
}

/// A browser says `text/html`; a program that says nothing, or `*/*`, gets JSON.
fn accepts_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// Writes the body that a problem has: RFC 9457 for programs, a page for people.
fn render(response: &mut Response, problem: &Problem, id: &HeaderValue, wants_page: bool) {
    // A link may be there tomorrow.
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if wants_page {
        *response.body_mut() = page::problem(problem.status).into();
        response.headers_mut().extend(page_headers());
        return;
    }
    let is_ours = problem.status == StatusCode::INTERNAL_SERVER_ERROR;
    let id = is_ours.then(|| id.to_str().unwrap_or_default());
    let document = ProblemDocument::of(problem, id);
    let body = serde_json::to_vec(&document).expect("texts and numbers can be written");
    *response.body_mut() = body.into();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
