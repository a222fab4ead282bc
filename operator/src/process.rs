//! What runs from start to end: everything is started in order, and ended in order.

use std::{
    collections::BTreeSet,
    sync::{Arc, RwLock},
    time::Duration,
};

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use kube::{
    Client,
    runtime::{
        controller::{self, Action, Config as WorkerConfig},
        events::{Recorder, Reporter},
        reflector::{self, ObjectRef, Store, store::Writer},
    },
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    admin,
    config::Config,
    connection,
    controller::{
        Context, Error, Guarded, apply::drift::Drift, claim, databases, poll, reconcile, retry,
        rollouts, watch,
    },
    lease::{Elector, Leadership},
    metrics::Metrics,
    random,
    shutdown::{Signals, Tasks},
};

/// What is asked of others, such as a Prometheus.
const HTTP_PATIENCE: Duration = Duration::from_secs(5);

/// Several events of one moment are one reconciliation.
const DEBOUNCE: Duration = Duration::from_millis(50);

pub async fn run(config: Config) -> anyhow::Result<()> {
    init_log(&config.log)?;
    let mut signals = Signals::install();
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let client = connection::client().await?;
    let (reader, writer) = reflector::store();
    let identity = format!("{}_{}", config.identity, random::text(8).to_lowercase());
    let ctx = Arc::new(context(&config, client, reader, &identity)?);
    let tasks = Tasks::default();
    start(&tasks, &config, &ctx, listener, writer, identity);

    let outcome = tokio::select! {
        signal = signals.next() => {
            tracing::info!("{signal}: stopping");
            Ok(())
        }
        error = tasks.failure() => Err(error),
    };
    tasks.stop();
    tokio::select! {
        () = tasks.ended() => {}
        _ = signals.next() => {}
    }
    outcome
}

fn context(
    config: &Config,
    client: Client,
    store: Store<Guarded>,
    identity: &str,
) -> anyhow::Result<Context> {
    let metrics = Metrics::register()?;
    metrics.set_workers(config.concurrency);
    let reporter = Reporter {
        controller: "shortener-operator".to_owned(),
        instance: Some(identity.to_owned()),
    };
    Ok(Context {
        http: reqwest::Client::builder().timeout(HTTP_PATIENCE).build()?,
        recorder: Recorder::new(client.clone(), reporter),
        client,
        leadership: Leadership::default(),
        metrics,
        store,
        known: RwLock::new(BTreeSet::new()),
        drift: Drift::default(),
        retries: retry::Retries::default(),
        neglected: claim::Neglected::default(),
        databases: databases::Databases::default(),
        rollouts: rollouts::Rollouts::default(),
        own_namespace: config.own_namespace(),
    })
}

/// Starts everything that runs until the end.
fn start(
    tasks: &Tasks,
    config: &Config,
    ctx: &Arc<Context>,
    listener: TcpListener,
    writer: Writer<Guarded>,
    identity: String,
) {
    let stop = tasks.stop_token();
    let pulse = Arc::new(watch::Pulse::default());
    let (queue, requests) = mpsc::unbounded_channel();
    let namespaces = namespaces(config);
    let ctx = || Arc::clone(ctx);

    let served = admin::serve(listener, ctx(), Arc::clone(&pulse), stop.clone());
    tasks.spawn_worker("listener", stop.clone(), served);
    let elector = Elector::new(
        ctx().client.clone(),
        &ctx().own_namespace,
        identity,
        ctx().leadership.clone(),
    );
    tasks.spawn_worker("election", stop.clone(), elector.run(stop.clone()));
    let resources = watch::resources(
        ctx(),
        Arc::clone(&pulse),
        namespaces.clone(),
        writer,
        queue.clone(),
        stop.clone(),
    );
    tasks.spawn_worker("watch of the resources", stop.clone(), resources);
    let kinds = watch::kinds(
        ctx(),
        pulse,
        tasks.clone(),
        namespaces,
        queue.clone(),
        stop.clone(),
    );
    tasks.spawn_worker("discovery of kinds", stop.clone(), kinds);
    let polled = poll::secrets(ctx(), queue.clone(), stop.clone());
    tasks.spawn_worker("look at Secrets", stop.clone(), polled);
    let woken = on_gain(ctx(), queue, stop.clone());
    tasks.spawn_worker("watch of the lead", stop.clone(), woken);
    let working = work(ctx(), requests, config.concurrency, stop.clone());
    tasks.spawn_worker("reconciler", stop, working);
}

fn init_log(filter: &str) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .with_context(|| format!("{filter:?} is no log filter"))?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_current_span(false)
        .with_env_filter(filter)
        .init();
    Ok(())
}

/// Where to look: in each namespace, or in all at once.
fn namespaces(config: &Config) -> Vec<Option<String>> {
    let names = config.namespaces();
    if names.is_empty() {
        return vec![None];
    }
    names.into_iter().map(Some).collect()
}

/// Whoever has just gained the lead looks at everything.
async fn on_gain(
    ctx: Arc<Context>,
    queue: watch::Queue,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut gained = ctx.leadership.gained();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = gained.changed() => changed?,
        }
        for resource in ctx.store.state() {
            queue.send(ObjectRef::from_obj(&*resource))?;
        }
    }
}

/// Reconciles what is asked for, several at once, but never one resource twice at once.
async fn work(
    ctx: Arc<Context>,
    requests: mpsc::UnboundedReceiver<ObjectRef<Guarded>>,
    concurrency: u16,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let queue = stream::unfold(requests, |mut requests| async move {
        let request = requests.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(request), requests))
    });
    let queue = queue.take_until(stop.cancelled_owned());
    let config = WorkerConfig::default()
        .concurrency(concurrency)
        .debounce(DEBOUNCE);
    let store = ctx.store.clone();
    let outcomes = controller::applier(
        |resource, ctx| Box::pin(reconcile(resource, ctx)),
        on_error,
        ctx,
        store,
        Box::pin(queue),
        config,
    );
    outcomes.for_each(|_| std::future::ready(())).await;
    Ok(())
}

fn on_error(resource: Arc<Guarded>, error: &Error, ctx: Arc<Context>) -> Action {
    use kube::ResourceExt as _;
    let delay = ctx.retries.after_failure(retry::key(&resource));
    let (namespace, name) = (
        resource.namespace().unwrap_or_default(),
        resource.name_any(),
    );
    let cause = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::warn!(
        namespace,
        name,
        cause,
        "{error}; tried again in {} ms",
        delay.as_millis()
    );
    Action::requeue(delay)
}
