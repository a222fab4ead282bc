//! Wiring: what is built at start-up, in which order, who gets it, and in which order it ends.

use std::{future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use axum::{
    extract::FromRef,
    http::{HeaderMap, header},
};
use tokio::net::TcpListener;

use crate::{
    bulk::Loader,
    clicks::{
        Clicks,
        start::{Ingredients, Recording},
    },
    config::{Auth, Config, LimitsConfig},
    database::{Db, open},
    health::{self, Readiness},
    http::{client_address::TrustedProxies, envelope::Envelope, host::Host, server},
    metrics::Metrics,
    router,
    shutdown::{Signals, Tasks},
    urls::http::Judgement,
};

/// How long closing may take when everything that matters is done.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What handlers may ask for. A handler takes the field it needs (`State<Db>`), never the whole.
#[derive(Clone, Debug, FromRef)]
pub struct AppState {
    pub db: Db,
    pub clicks: Arc<Clicks>,
    pub loader: Loader,
    pub judgement: Judgement,
    pub limits: LimitsConfig,
    pub envelope: Envelope,
    pub guard: Guard,
}

/// Whether the API keeps to this machine.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    pub is_on: bool,
}

/// The names of the service.
#[derive(Clone, Debug)]
pub struct Hosts {
    pub public: Vec<Host>,
    /// How it is reached from this machine.
    pub local: Vec<Host>,
}

impl Hosts {
    fn new(public: Vec<Host>, listen: SocketAddr) -> Self {
        let names = [
            format!("localhost:{}", listen.port()),
            format!("127.0.0.1:{}", listen.port()),
            format!("[::1]:{}", listen.port()),
        ];
        let local = names
            .iter()
            .map(|name| Host::parse(name).expect("these are host names"))
            .collect();
        Self { public, local }
    }

    /// Every name by which the service is known, the one that this request used included.
    pub fn of_request(&self, headers: &HeaderMap) -> Vec<Host> {
        let asked = headers
            .get(header::HOST)
            .and_then(|host| Host::parse(host.to_str().ok()?).ok());
        self.public
            .iter()
            .chain(&self.local)
            .cloned()
            .chain(asked)
            .collect()
    }
}

/// Runs the service until a signal ends it, or something that it cannot go on without.
pub async fn run(config: Config) -> anyhow::Result<()> {
    config.check()?;
    let mut signals = Signals::install();
    let tasks = Tasks::default();

    // Both listeners first: a port that is taken is told at once, not after the database has come up.
    let public = bind("public", config.listen).await?;
    let management = bind("management", config.management_listen).await?;

    let metrics = Arc::new(Metrics::new().context("could not set up the metrics")?);
    let readiness = Readiness::new(metrics.ready.clone());
    let management_router = health::router(Arc::clone(&metrics), readiness.clone());
    let management_stop = tokio_util::sync::CancellationToken::new();
    tasks.spawn(server::serve(
        management,
        management_router,
        tasks.clone(),
        management_stop.clone(),
        Duration::from_secs(1),
    ));

    let url = config.database.url()?;
    let opening = open::open(&url, &config.database);
    let Some(db) = unless_stopped(&mut signals, opening).await? else {
        return Ok(());
    };

    let ingredients = Ingredients {
        config: &config.clicks,
        data_dir: &config.database.data_dir,
        own_hosts: config.access.public_hosts.iter().map(Host::site).collect(),
        db: db.clone(),
        metrics: Arc::clone(&metrics.clicks),
    };
    let starting = Recording::start(ingredients, &tasks);
    let Some(recording) = unless_stopped(&mut signals, starting).await? else {
        return Ok(());
    };

    let listen = public.local_addr().context("the listener has an address")?;
    let clicks = Arc::clone(&recording.clicks);
    let router = router::build(state(&config, listen, db.clone(), clicks, &tasks, &metrics));
    readiness.set(true);

    let drain = Duration::from_secs(config.drain_seconds);
    let serving = server::serve(public, router, tasks.clone(), tasks.stop_token(), drain);
    let outcome = serve_until_told(serving, &tasks, &readiness, &mut signals).await;
    outcome?;
    let finishing = recording.finish(drain);
    tokio::select! {
        () = finishing => {}
        signal = signals.next() => bail!("ended at once by a second signal, {signal}"),
    }
    management_stop.cancel();
    // A request that did not end in time may still hold a connection; the process does not wait for it twice.
    let ending = async {
        db.close().await;
        tasks.ended().await;
    };
    if tokio::time::timeout(LAST_WORDS, ending).await.is_err() {
        tracing::warn!("ended with requests under way");
    }
    tracing::info!("stopped");
    Ok(())
}

fn state(
    config: &Config,
    listen: SocketAddr,
    db: Db,
    clicks: Arc<Clicks>,
    tasks: &Tasks,
    metrics: &Metrics,
) -> AppState {
    let hosts = Arc::new(Hosts::new(config.access.public_hosts.clone(), listen));
    let proxies = TrustedProxies::new(config.access.trusted_proxies.clone());
    AppState {
        loader: Loader {
            db: db.clone(),
            tasks: tasks.clone(),
            folder: config.database.data_dir.as_path().into(),
        },
        db,
        clicks,
        judgement: Judgement {
            hosts,
            limits: config.limits,
        },
        limits: config.limits,
        envelope: Envelope {
            metrics: Arc::clone(&metrics.http),
            trusted_proxies: Arc::new(proxies),
        },
        guard: Guard {
            is_on: config.access.auth == Auth::Auto,
        },
    }
}

/// Serves until the first signal, then drains; the second one ends it all at once.
async fn serve_until_told(
    serving: impl Future<Output = ()>,
    tasks: &Tasks,
    readiness: &Readiness,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let mut serving = pin!(serving);
    tokio::select! {
        () = &mut serving => bail!("the public listener stopped working"),
        failure = tasks.failure() => return Err(failure),
        signal = signals.next() => tracing::info!(signal, "stopping: finishing the requests under way"),
    }
    readiness.set(false);
    tasks.stop();
    tokio::select! {
        () = serving => Ok(()),
        signal = signals.next() => bail!("ended at once by a second signal, {signal}"),
    }
}

/// Waits for `work`, unless a signal comes first.
async fn unless_stopped<T>(
    signals: &mut Signals,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<T>> {
    tokio::select! {
        result = work => result.map(Some),
        signal = signals.next() => {
            tracing::info!(signal, "stopped before the database was there");
            Ok(None)
        }
    }
}

async fn bind(name: &'static str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("could not listen on {address}"))?;
    let address = listener
        .local_addr()
        .context("the listener has an address")?;
    tracing::info!(listener = name, %address, "listening");
    Ok(listener)
}
