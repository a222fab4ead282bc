//! What stands in front of the router: a redirect whose link is in memory is answered here, without waiting for anything,
//! from the bytes of the request if it is a plain one. Everything else goes on to the router.
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
use hyper::{
    body::{Body as _, Incoming},
    service::Service,
};

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
        envelope, framing,
        quick::{Ask, Quick, Told},
        server::{Routed, Routing},
    },
    links::{Recall, key::LinkRef, link::Link},
    metrics::{HttpMetrics, RouteClass},
    moment::Moment,
    trace::Tracer,
    urls::short_code,
};

/// What the path needs of the service.
#[derive(Debug)]
pub struct Shared {
    pub redirects: Redirects,
    pub metrics: Arc<HttpMetrics>,
    pub trusted_proxies: Arc<TrustedProxies>,
    /// If requests are traced: then none is answered from its bytes alone, and one that is sampled takes the long way.
    pub tracer: Option<Tracer>,
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

    /// The link to send the visitor on to, if that can be done right now; then the click is taken already.
    fn link(&self, ask: &Ask<'_>, now: Timestamp) -> Option<Arc<Link>> {
        let code = ask.path.strip_prefix('/')?;
        if !(1..=short_code::MAX_LEN).contains(&code.len()) {
            return None;
        }
        let Shared {
            redirects,
            metrics,
            trusted_proxies,
            ..
        } = &*self.shared;
        let started = Moment::now();
        let Recall::Link(link, source) = redirects.links.recall(LinkRef::new(code), started) else {
            return None;
        };
        if decide(&link, now) != Outcome::Redirect {
            return None;
        }
        let address = trusted_proxies.told_address(self.peer.ip(), &ask.told);
        // Who is refused here is refused there, with all that has to be said about it.
        redirects.limits.judge_redirect(address, started).ok()?;
        if !ask.is_head {
            let visitor = Visitor::told(address, ask.query, &ask.told);
            redirects.clicks.append(&link, visitor, now);
        }
        redirects.links.count(source);
        let took = Moment::now().since(started);
        metrics.observe(RouteClass::Redirect, link.status.code(), took);
        Some(link)
    }

    fn response(&self, request: &Request<Incoming>) -> Option<Response> {
        let ask = ask(request)?;
        let link = self.link(&ask, Timestamp::now())?;
        let mut response = answer::redirect(&link, ask.query);
        let headers = response.headers_mut();
        // hyper would add it, but not to an answer to HEAD.
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        if let Some(id) = request_id(&ask).and_then(|id| HeaderValue::from_bytes(id).ok()) {
            headers.insert(envelope::REQUEST_ID, id);
        }
        Some(response)
    }
}

impl Quick for FastPath {
    fn answer(&self, ask: &Ask<'_>, output: &mut Vec<u8>) -> bool {
        if self.shared.tracer.is_some() {
            return false;
        }
        let now = Timestamp::now();
        let Some(link) = self.link(ask, now) else {
            return false;
        };
        answer::write(&link, ask.query, request_id(ask), now, output);
        true
    }
}

/// The request's name, if whoever asked gave it one.
fn request_id<'a>(ask: &Ask<'a>) -> Option<&'a [u8]> {
    let given = ask.told.x_request_id;
    given.filter(|id| envelope::is_request_id(id))
}

/// What a request asks, if no body comes with it: that would have to be read by somebody.
fn ask(request: &Request<Incoming>) -> Option<Ask<'_>> {
    let is_head = match *request.method() {
        Method::GET => false,
        Method::HEAD => true,
        _ => return None,
    };
    framing::check(request).ok()?;
    let told = Told::of(request.headers())?;
    request.body().is_end_stream().then(|| Ask {
        is_head,
        path: request.uri().path(),
        query: request.uri().query(),
        told,
    })
}

impl Service<Request<Incoming>> for FastPath {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, Routing>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(tracer) = &self.shared.tracer {
            let traced = tracer.begin(request.headers());
            let is_sampled = traced.is_sampled;
            request.extensions_mut().insert(Arc::new(traced));
            if is_sampled {
                return Either::Right(self.routed.call(request));
            }
        }
        match self.response(&request) {
            Some(response) => Either::Left(ready(Ok(response))),
            None => Either::Right(self.routed.call(request)),
        }
    }
}
