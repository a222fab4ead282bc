//! Sends spans to a collector, in batches (OTLP 1.x over HTTP, section "OTLP/HTTP").
//!
//! Spans wait in a queue of fixed length. When that is full they are dropped, and counted: a collector that is slow or away
//! costs its traces, and no request anything.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, StatusCode, http::uri::Scheme};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::{
    Client,
    connect::{Connect, HttpConnector},
};
use prost::Message as _;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Settings, TraceMetrics,
    message::{ExportRequest, ExportResponse, Resource, ResourceSpans, Scope, ScopeSpans, Span},
};
use crate::shutdown::Tasks;

/// Spans that wait, spans sent at once, and how long the first of them may wait for others.
const WAITING: usize = 2_048;
const BATCH: usize = 512;
const GATHERING: Duration = Duration::from_secs(1);

/// Pauses before a batch is sent again, after which it is given up.
const RETRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// How long the process, at its end, waits for the collector.
const PATIENCE: Duration = Duration::from_secs(2);

/// No answer of a collector is larger.
const MAX_ANSWER: usize = 64 << 10;

#[derive(Debug)]
pub(super) enum Message {
    Span(Span),
    /// To be answered when everything before it is sent, or lost.
    Flush(oneshot::Sender<()>),
}

/// What sends.
#[derive(Debug)]
pub(super) struct Exporter {
    stop: CancellationToken,
    metrics: TraceMetrics,
}

impl Exporter {
    /// Never waits.
    pub(super) fn add(&self, queue: &mpsc::Sender<Message>, span: Span) {
        if queue.try_send(Message::Span(span)).is_err() {
            self.metrics.overrun.inc();
        }
    }

    pub(super) async fn finish(&self, queue: &mpsc::Sender<Message>) {
        let (sent, is_sent) = oneshot::channel();
        let flushing = async {
            if queue.send(Message::Flush(sent)).await.is_ok() {
                is_sent.await.ok();
            }
        };
        timeout(PATIENCE, flushing).await.ok();
        self.stop.cancel();
    }
}

/// Starts the worker, and returns the way to it.
pub(super) fn start(
    settings: Settings,
    tasks: &Tasks,
    metrics: TraceMetrics,
) -> anyhow::Result<(mpsc::Sender<Message>, Arc<Exporter>)> {
    let (queue, spans) = mpsc::channel(WAITING);
    let exporter = Arc::new(Exporter {
        stop: CancellationToken::new(),
        metrics,
    });
    let client = Client::builder(tasks.clone());
    if settings.endpoint.scheme() == Some(&Scheme::HTTPS) {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .context("traces cannot be sent by https: this machine has no certificates")?
            .https_only()
            .enable_http1()
            .build();
        let post = Post::new(client.build(connector), settings);
        spawn(work(post, spans, Arc::clone(&exporter)), &exporter, tasks);
    } else {
        let post = Post::new(client.build(HttpConnector::new()), settings);
        spawn(work(post, spans, Arc::clone(&exporter)), &exporter, tasks);
    }
    Ok((queue, exporter))
}

fn spawn(
    work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    exporter: &Exporter,
    tasks: &Tasks,
) {
    tasks.spawn_worker("exporter of traces", exporter.stop.clone(), work);
}

async fn work<C>(
    post: Post<C>,
    mut queue: mpsc::Receiver<Message>,
    exporter: Arc<Exporter>,
) -> anyhow::Result<()>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let mut is_told = false;
    loop {
        let working = async {
            let (spans, waiting) = gather(&mut queue).await;
            if !spans.is_empty() {
                exporter.send(&post, spans, &mut is_told).await;
            }
            // Whoever gave up meanwhile needs no answer.
            waiting.map(|waiting| waiting.send(()));
        };
        tokio::select! {
            () = working => {}
            () = exporter.stop.cancelled() => return Ok(()),
        }
    }
}

/// Takes what comes until there is enough, or somebody waits, or time is up.
async fn gather(queue: &mut mpsc::Receiver<Message>) -> (Vec<Span>, Option<oneshot::Sender<()>>) {
    let mut spans = Vec::new();
    let mut deadline = None;
    while spans.len() < BATCH {
        let message = match deadline {
            None => queue.recv().await,
            Some(deadline) => tokio::select! {
                message = queue.recv() => message,
                () = sleep_until(deadline) => break,
            },
        };
        match message {
            Some(Message::Span(span)) => spans.push(span),
            Some(Message::Flush(waiting)) => return (spans, Some(waiting)),
            // Nobody is left who could add something; `stop` comes.
            None => std::future::pending().await,
        }
        deadline.get_or_insert_with(|| Instant::now() + GATHERING);
    }
    (spans, None)
}

impl Exporter {
    /// Sends a batch, again if that may help, and counts what became of it. Tells the log when that changes.
    async fn send<C>(&self, post: &Post<C>, spans: Vec<Span>, is_told: &mut bool)
    where
        C: Connect + Clone + Send + Sync + 'static,
    {
        let count = u64::try_from(spans.len()).unwrap_or(u64::MAX);
        let message = post.message(spans);
        let mut retries = RETRIES.into_iter();
        let failure = loop {
            let failure = match post.send(message.clone()).await {
                Ok(rejected) => {
                    let rejected = rejected.min(count);
                    self.metrics.exported.inc_by(count - rejected);
                    self.metrics.undelivered.inc_by(rejected);
                    if *is_told {
                        tracing::info!("the collector takes traces again");
                        *is_told = false;
                    }
                    return;
                }
                Err(failure) => failure,
            };
            let pause = retries.next().filter(|_| failure.may_pass);
            let Some(pause) = pause else {
                break failure;
            };
            tokio::time::sleep(pause).await;
        };
        self.metrics.undelivered.inc_by(count);
        if !*is_told {
            let error = failure.reason;
            tracing::warn!(error, "traces are lost: the collector does not take them");
            *is_told = true;
        }
    }
}

/// How batches are posted.
struct Post<C> {
    client: Client<C, Full<Bytes>>,
    settings: Settings,
}

struct Failure {
    reason: String,
    /// Whether the same batch may be taken later.
    may_pass: bool,
}

impl<C> Post<C>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    fn new(client: Client<C, Full<Bytes>>, settings: Settings) -> Self {
        Self { client, settings }
    }

    fn message(&self, spans: Vec<Span>) -> Bytes {
        let scope = Scope {
            name: "shortener".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let resource = Resource {
            attributes: self.settings.resource.clone(),
        };
        let request = ExportRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(resource),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope),
                    spans,
                }],
            }],
        };
        request.encode_to_vec().into()
    }

    /// Returns how many spans the collector rejected.
    async fn send(&self, message: Bytes) -> Result<u64, Failure> {
        let passing = |reason: String| Failure {
            reason,
            may_pass: true,
        };
        let mut request = Request::new(Full::new(message));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = self.settings.endpoint.clone();
        *request.headers_mut() = self.settings.headers.clone();
        let answered = async {
            let answer = self.client.request(request).await;
            let (head, body) = answer
                .map_err(|error| passing(innermost(&error)))?
                .into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await;
            let body = body.map_err(|error| passing(error.to_string()))?.to_bytes();
            Ok((head.status, body))
        };
        let answered = timeout(self.settings.timeout, answered).await;
        let (status, body) =
            answered.unwrap_or_else(|_| Err(passing("no answer in time".into())))?;
        if !status.is_success() {
            return Err(Failure {
                reason: format!("it answered {status}"),
                may_pass: matches!(
                    status,
                    StatusCode::TOO_MANY_REQUESTS
                        | StatusCode::BAD_GATEWAY
                        | StatusCode::SERVICE_UNAVAILABLE
                        | StatusCode::GATEWAY_TIMEOUT
                ),
            });
        }
        // An answer that is none of OTLP's was a success all the same.
        let answer = ExportResponse::decode(body).unwrap_or_default();
        let rejected = answer.partial_success.map_or(0, |it| it.rejected_spans);
        Ok(u64::try_from(rejected).unwrap_or(0))
    }
}

/// What lies at the bottom of an error: "Connection refused" tells more than "client error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
