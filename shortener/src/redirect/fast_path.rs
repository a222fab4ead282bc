//! What stands in front of the router: a redirect whose link is in memory is answered here, without waiting for anything.
//! Everything else goes on to the router.
//!
//! There is no layer on this path, no lock that others hold for long, no look-up of a metric's labels, and nothing is
//! allocated but the answer's headers.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    sync::Arc,
};

use axum::{
    http::{HeaderValue, Method, Request, header},
    response::Response,
};
use futures_util::future::Either;
use hyper::{body::Incoming, service::Service};

use super::{
    answer,
    decide::{Outcome, decide},
    http::Redirects,
};
use crate::{
    clicks::Visitor,
    database::timestamp::Timestamp,
    http::{
        client_address::TrustedProxies,
        envelope,
        server::{Routed, Routing},
    },
    links::{Recall, key::LinkRef},
    metrics::{HttpMetrics, RouteClass},
    moment::Moment,
    urls::short_code,
};

/// What the path needs of the service.
#[derive(Debug)]
pub struct Shared {
    pub redirects: Redirects,
    pub metrics: Arc<HttpMetrics>,
    pub trusted_proxies: Arc<TrustedProxies>,
}

/// The service of one connection.
#[derive(Clone, Debug)]
pub struct FastPath {
    shared: Arc<Shared>,
    peer: SocketAddr,
    routed: Routed,
}

impl FastPath {
    pub fn new(shared: Arc<Shared>, routed: Routed, peer: SocketAddr) -> Self {
        Self {
            shared,
            peer,
            routed,
        }
    }

    /// The answer, if it can be given right now.
    fn answer(&self, request: &Request<Incoming>) -> Option<Response> {
        let code = code(request)?;
        let Shared {
            redirects,
            metrics,
            trusted_proxies,
        } = &*self.shared;
        let started = Moment::now();
        let Recall::Link(link, source) = redirects.links.recall(LinkRef::new(code), started) else {
            return None;
        };
        let now = Timestamp::now();
        if decide(&link, now) != Outcome::Redirect {
            return None;
        }
        let headers = request.headers();
        let address = trusted_proxies.client_address(self.peer.ip(), headers);
        // Who is refused here is refused there, with all that has to be said about it.
        redirects.limits.judge_redirect(address, started).ok()?;
        let query = request.uri().query();
        if request.method() == Method::GET {
            let visitor = Visitor {
                address,
                headers,
                query,
            };
            redirects.clicks.append(&link, visitor, now);
        }
        redirects.links.count(source);
        let mut response = answer::redirect(&link, query);
        if request.method() == Method::HEAD {
            // As GET has it; without a body to count nobody else adds it.
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(id) = envelope::given_request_id(headers) {
            response.headers_mut().insert(envelope::REQUEST_ID, id);
        }
        metrics.observe(
            RouteClass::Redirect,
            response.status(),
            Moment::now().since(started),
        );
        Some(response)
    }
}

/// The code that a request may be about.
fn code(request: &Request<Incoming>) -> Option<&str> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return None;
    }
    let code = request.uri().path().strip_prefix('/')?;
    // A body has to be read by somebody.
    let has_body = request.headers().contains_key(header::TRANSFER_ENCODING)
        || request.headers().contains_key(header::CONTENT_LENGTH);
    ((1..=short_code::MAX_LEN).contains(&code.len()) && !has_body).then_some(code)
}

impl Service<Request<Incoming>> for FastPath {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, Routing>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        match self.answer(&request) {
            Some(response) => Either::Left(ready(Ok(response))),
            None => Either::Right(self.routed.call(request)),
        }
    }
}
