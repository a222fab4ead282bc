//! Traces, for those who collect them: what a request did when, sent to a collector by OTLP over HTTP.
//!
//! A span per request, and within it one per question to Redis, per statement to Postgres, and for a link that had to be looked
//! up. The context of a request belongs to its task: whoever does something on the request's behalf in another task takes it along.
//! Nothing waits for the collector, and without one nothing here is called, but for a look at a thread-local on the way to Redis.

pub mod arguments;
mod context;
mod export;
mod message;
mod metrics;
mod sampler;
mod settings;
pub mod statements;

use std::{future::Future, sync::Arc, time::Duration};

use axum::http::{HeaderMap, Method, StatusCode};
use tokio::sync::mpsc;

pub use self::{
    context::{Remote, SpanId, TraceId},
    message::{Attribute, Kind},
    metrics::TraceMetrics,
    settings::Settings,
};
use self::{
    export::Message,
    message::{Span, Status, StatusCode as SpanStatus},
    sampler::Sampler,
};
use crate::{database::timestamp::Timestamp, moment::Moment, shutdown::Tasks};

tokio::task_local! {
    /// The traced request that this task answers.
    static CURRENT: Arc<Traced>;
}

/// Begins traces, and takes what became of them.
#[derive(Clone, Debug)]
pub struct Tracer {
    sampler: Sampler,
    queue: mpsc::Sender<Message>,
    exporter: Arc<export::Exporter>,
}

/// A request's place in its trace.
#[derive(Debug)]
pub struct Traced {
    tracer: Tracer,
    pub trace: TraceId,
    pub span: SpanId,
    parent: Option<SpanId>,
    state: String,
    pub is_sampled: bool,
}

/// What is known of a request when it is answered.
#[derive(Debug)]
pub struct Answered<'a> {
    pub began: Began,
    pub method: &'a Method,
    /// As the router has it.
    pub route: Option<&'a str>,
    pub path: &'a str,
    pub status: StatusCode,
    pub request_id: &'a str,
}

/// When something began: by the clock on the wall, which others know, and by one that nobody sets.
#[derive(Clone, Copy, Debug)]
pub struct Began {
    at: Timestamp,
    moment: Moment,
}

impl Began {
    pub fn now() -> Self {
        Self {
            at: Timestamp::now(),
            moment: Moment::now(),
        }
    }

    /// Its beginning and its end, which is now, in nanoseconds since 1970.
    fn until_now(self) -> (u64, u64) {
        span_of(self.at, Moment::now().since(self.moment))
    }
}

fn span_of(start: Timestamp, took: Duration) -> (u64, u64) {
    let start = u64::try_from(start.micros()).unwrap_or(0) * 1_000;
    let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    (start, start.saturating_add(took))
}

/// Something that was done for a request.
#[derive(Debug)]
pub struct Part {
    pub name: String,
    pub kind: Kind,
    pub attributes: Vec<Attribute>,
    pub has_failed: bool,
}

impl Tracer {
    /// Starts what sends.
    pub fn start(settings: Settings, tasks: &Tasks, metrics: TraceMetrics) -> anyhow::Result<Self> {
        let sampler = settings.sampler;
        let (queue, exporter) = export::start(settings, tasks, metrics)?;
        Ok(Self {
            sampler,
            queue,
            exporter,
        })
    }

    /// Gives a request its place: in the caller's trace, or at the beginning of one.
    pub fn begin(&self, headers: &HeaderMap) -> Traced {
        let remote = Remote::of(headers);
        let trace = remote.as_ref().map_or_else(TraceId::random, |it| it.trace);
        Traced {
            tracer: self.clone(),
            trace,
            span: SpanId::random(),
            is_sampled: self.sampler.samples(trace, remote.as_ref()),
            parent: remote.as_ref().map(|it| it.span),
            state: remote.map(|it| it.state).unwrap_or_default(),
        }
    }

    /// Sends what there is, and ends what sends. To be called when no request is under way any more.
    pub async fn finish(&self) {
        self.exporter.finish(&self.queue).await;
    }
}

impl Traced {
    /// Adds the span of the request itself, by the conventions for HTTP servers. Addresses, queries and what browsers say of
    /// themselves stay here: they are about people.
    pub fn answered(&self, answered: &Answered<'_>) {
        if !self.is_sampled {
            return;
        }
        let method = match *answered.method {
            Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::DELETE
            | Method::PATCH
            | Method::OPTIONS
            | Method::TRACE
            | Method::CONNECT => answered.method.as_str(),
            _ => "_OTHER",
        };
        let status = answered.status;
        let mut attributes = vec![
            Attribute::new("http.request.method", method),
            Attribute::new("http.response.status_code", i64::from(status.as_u16())),
            Attribute::new("url.path", answered.path),
            Attribute::new("url.scheme", "http"),
            Attribute::new("network.protocol.version", "1.1"),
            Attribute::new("request.id", answered.request_id),
        ];
        let name = match answered.route {
            Some(route) => {
                attributes.push(Attribute::new("http.route", route));
                format!("{method} {route}")
            }
            None => method.to_owned(),
        };
        let has_failed = status.is_server_error();
        if has_failed {
            attributes.push(Attribute::new("error.type", status.as_str()));
        }
        let part = Part {
            name: name.replace("_OTHER", "HTTP"),
            kind: Kind::Server,
            attributes,
            has_failed,
        };
        self.add(self.span, self.parent, answered.began.until_now(), part);
    }

    /// Adds something that was done for the request, from when to when.
    fn add_part(&self, times: (u64, u64), part: Part) {
        self.add(SpanId::random(), Some(self.span), times, part);
    }

    fn add(&self, span: SpanId, parent: Option<SpanId>, (start, end): (u64, u64), part: Part) {
        // Bit 8: the next one is known. Bit 9: the parent is in another process.
        let is_remote = part.kind == Kind::Server && parent.is_some();
        let flags = 0x100 | u32::from(is_remote) << 9 | u32::from(self.is_sampled);
        let parent = parent.map(|parent| parent.0.to_be_bytes().to_vec());
        let code = SpanStatus::Error as i32;
        self.tracer.exporter.add(
            &self.tracer.queue,
            Span {
                trace_id: self.trace.0.to_be_bytes().to_vec(),
                span_id: span.0.to_be_bytes().to_vec(),
                trace_state: self.state.clone(),
                parent_span_id: parent.unwrap_or_default(),
                name: part.name,
                kind: part.kind as i32,
                start,
                end,
                attributes: part.attributes,
                status: part.has_failed.then_some(Status { code }),
                flags,
            },
        );
    }
}

/// Does `work` on behalf of a request, if there is one that is traced.
pub async fn within<T>(traced: Option<Arc<Traced>>, work: impl Future<Output = T>) -> T {
    match traced.filter(|traced| traced.is_sampled) {
        Some(traced) => CURRENT.scope(traced, work).await,
        None => work.await,
    }
}

/// The traced request that this task answers, for whoever goes on with it in another one.
pub fn current() -> Option<Arc<Traced>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Does `work`, which is a span of its own if it is done for a traced request; `describe` says what it was when it is over.
pub async fn part<T>(
    work: impl Future<Output = T>,
    describe: impl FnOnce(&T) -> Option<Part>,
) -> T {
    let Some(traced) = current() else {
        return work.await;
    };
    let began = Began::now();
    let outcome = work.await;
    if let Some(part) = describe(&outcome) {
        traced.add_part(began.until_now(), part);
    }
    outcome
}
