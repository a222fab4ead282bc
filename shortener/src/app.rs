//! Wiring: what is built at start-up, in which order, who gets it, and in which order it ends.

use std::{future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use axum::{
    Router,
    extract::FromRef,
    http::{HeaderMap, header},
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    access::{self, Access},
    bulk::Loader,
    clicks::{
        Clicks, referrer,
        start::{Ingredients, Recording},
    },
    config::{Config, LimitsConfig},
    database::{Db, open},
    health::{self, Readiness},
    http::{
        client_address::TrustedProxies,
        connections::Room,
        cors,
        envelope::Envelope,
        host::Host,
        server::{self, Routed},
        totals::Totals,
    },
    idempotency::retention,
    links::{self, Links},
    metrics::Metrics,
    rate_limit::{self, RateLimits},
    redirect::{
        fast_path::{self, FastPath},
        http::Redirects,
    },
    redis_client::Redis,
    replicas::{self, Duties, Replicas},
    router,
    shutdown::{Signals, Tasks},
    telemetry::Log,
    trace::Tracer,
    urls::{self, creator::Creator, http::Judgement},
};

/// How many visits of links with a limit are counted at a time.
const COUNTING: usize = 4;

/// How long closing may take when everything that matters is done.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What handlers may ask for. A handler takes the field it needs (`State<Db>`), never the whole.
#[derive(Clone, Debug, FromRef)]
pub struct AppState {
    pub db: Db,
    pub links: Arc<Links>,
    pub creator: Arc<Creator>,
    pub clicks: Arc<Clicks>,
    pub redirects: Redirects,
    pub loader: Loader,
    pub tasks: Tasks,
    pub judgement: Judgement,
    pub limits: LimitsConfig,
    pub totals: Arc<Totals>,
    pub envelope: Envelope,
    pub access: Arc<Access>,
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
        let port = listen.port();
        // A connection to no address in particular is one to this machine.
        let mut names = ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "[::]"]
            .map(|name| format!("{name}:{port}"))
            .to_vec();
        names.push(listen.to_string());
        let local = names
            .iter()
            .filter_map(|name| Host::parse(name).ok())
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
pub async fn run(config: Config, log: &Log) -> anyhow::Result<()> {
    cors::check(&config.access.cors_origins, config.mode())?;
    let mut signals = Signals::install();
    let tasks = Tasks::default();

    // Both listeners first: a port that is taken is told at once, not after the database has come up.
    let public = bind("public", config.listen).await?;
    let management = bind("management", config.management_listen).await?;

    let metrics = Arc::new(Metrics::new().context("could not set up the metrics")?);
    metrics.of_log(log.dropped())?;
    let readiness = Readiness::new(metrics.ready.clone());
    let management_stop = CancellationToken::new();
    serve_management(
        management,
        health::router(Arc::clone(&metrics), readiness.clone()),
        &tasks,
        management_stop.clone(),
    );

    let tracer = match config.trace.settings()? {
        Some(settings) => Some(Tracer::start(settings, &tasks, metrics.of_traces()?)?),
        None => None,
    };
    let url = config.database.url()?;
    let opening = open::open(&url, &config.database);
    let Some(db) = unless_stopped(&mut signals, opening).await? else {
        return Ok(());
    };

    // What others wait for ends last.
    let shared_stop = CancellationToken::new();
    let starting = start(&config, &db, &tasks, &metrics, shared_stop.clone());
    let Some(running) = unless_stopped(&mut signals, starting).await? else {
        return Ok(());
    };

    let listen = public.local_addr().context("the listener has an address")?;
    let state = state(&config, listen, db.clone(), &running, &tasks, &metrics);
    let shared = Arc::new(fast_path::Shared {
        redirects: state.redirects.clone(),
        metrics: Arc::clone(&metrics.http),
        trusted_proxies: Arc::clone(&state.envelope.trusted_proxies),
        tracer: tracer.clone(),
    });
    let router = router::build(state, cors::layer(&config.access.cors_origins));
    let make = move |peer| {
        let behind = Routed::new(router.clone(), peer);
        FastPath::new(Arc::clone(&shared), behind, peer)
    };
    readiness.set(true);

    let drain = Duration::from_secs(config.drain_seconds);
    let room = Room::new(
        config.limits.max_connections,
        Arc::clone(&metrics.connections),
    );
    let serving = server::serve(public, room, make, tasks.clone(), tasks.stop_token(), drain);
    let outcome = serve_until_told(serving, &tasks, &readiness, &mut signals).await;
    outcome?;
    let finishing = running.recording.finish(drain);
    tokio::select! {
        () = finishing => shared_stop.cancel(),
        signal = signals.next() => bail!("ended at once by a second signal, {signal}"),
    }
    running.access.audit.finish().await;
    if let Some(tracer) = &tracer {
        tracer.finish().await;
    }
    management_stop.cancel();
    end(&running, &db, &tasks).await;
    Ok(())
}

/// Gives back what is held. A request that did not end in time may still hold a connection; the process does not wait for it
/// twice.
async fn end(running: &Running, db: &Db, tasks: &Tasks) {
    let ending = async {
        if let Some(replicas) = &running.replicas {
            replicas.leave().await;
        }
        db.close().await;
        tasks.ended().await;
    };
    if tokio::time::timeout(LAST_WORDS, ending).await.is_err() {
        tracing::warn!("ended with requests under way");
    }
    tracing::info!("stopped");
}

fn serve_management(listener: TcpListener, router: Router, tasks: &Tasks, stop: CancellationToken) {
    tasks.spawn(server::serve(
        listener,
        Room::unlimited(),
        move |peer| Routed::new(router.clone(), peer),
        tasks.clone(),
        stop,
        Duration::from_secs(1),
    ));
}

/// What runs beside the requests.
struct Running {
    access: Arc<Access>,
    recording: Arc<Recording>,
    links: Arc<Links>,
    creator: Arc<Creator>,
    limits: Arc<RateLimits>,
    replicas: Option<Arc<Replicas>>,
}

/// The service's own hosts as referrers are counted by.
fn own_sites(hosts: &[Host]) -> Vec<String> {
    let names = hosts.iter().map(Host::name);
    names.map(referrer::site).collect()
}

/// Starts it all: caches and journal first, and then being known to others, who rely on both.
async fn start(
    config: &Config,
    db: &Db,
    tasks: &Tasks,
    metrics: &Metrics,
    stop: CancellationToken,
) -> anyhow::Result<Running> {
    let given = access::Ingredients {
        mode: config.mode(),
        config: &config.access,
        data_dir: &config.database.data_dir,
        db,
        metrics: Arc::clone(&metrics.audit),
    };
    let access = Arc::new(Access::start(given, tasks).await?);
    let watching = db
        .clone()
        .watch(metrics.of_database(db.pool_names())?, stop.clone());
    tasks.spawn_worker("watch of the database", stop.clone(), watching);
    let replicas = db.prompt().zip(db.lease());
    let replicas = replicas.map(|(pool, lease)| Arc::new(Replicas::new(pool, lease)));
    let redis = match config.links.redis()? {
        Some(client) => Some(Arc::new(Redis::new(client, metrics.of_redis()?))),
        None => None,
    };
    if let Some(redis) = &redis {
        let connecting = Arc::clone(redis).keep_connected(stop.clone());
        tasks.spawn_worker("connection to Redis", stop.clone(), connecting);
    }
    let installation = links::installation(db).await?;
    let limits = RateLimits::new(rate_limit::Ingredients {
        redirects: config.rates.redirects(),
        api: config.rates.api(),
        redis: redis.clone(),
        installation: installation.clone(),
        replicas: replicas.clone(),
        metrics: Arc::clone(&metrics.rate_limits),
    });
    let given = links::Ingredients {
        db: db.clone(),
        replicas: replicas.clone(),
        // Beside a file on this machine Redis would only be slower.
        redis: redis.filter(|_| replicas.is_some()),
        installation,
        max_bytes: config.links.cache_max_bytes,
        stale_limit: config.links.stale_limit(),
        metrics: Arc::clone(&metrics.links),
    };
    let links = Links::start(given, tasks, &stop);
    let creator = Arc::new(Creator::start(db, tasks, &stop));
    let cleaning = retention::keep_clean(db.clone(), config.idempotency_hours, stop.clone());
    tasks.spawn_worker("idempotency keys' retention", stop.clone(), cleaning);
    let indexing = urls::list::indexer::run(db.clone(), Arc::clone(&metrics.index), stop.clone());
    tasks.spawn_worker("index of words", stop.clone(), indexing);
    let given = Ingredients {
        config: &config.clicks,
        data_dir: &config.database.data_dir,
        own_hosts: own_sites(&config.access.public_hosts),
        db: db.clone(),
        replicas: replicas.clone(),
        metrics: Arc::clone(&metrics.clicks),
    };
    let recording = Recording::start(given, tasks).await?;
    let recording = Arc::new(recording);
    if let (Some(replicas), Some(session)) = (&replicas, db.session()) {
        let duties = duties(&recording, &links);
        replicas::start(Arc::clone(replicas), session, duties, tasks, stop).await?;
    }
    Ok(Running {
        access,
        recording,
        links,
        creator,
        limits: Arc::new(limits),
        replicas,
    })
}

/// What this process does when other replicas ask.
fn duties(recording: &Arc<Recording>, links: &Arc<Links>) -> Duties {
    let recording = Arc::clone(recording);
    let [forgetful, moving] = [links, links].map(Arc::clone);
    Duties {
        drain: Box::new(move || Box::pin(recording.drain())),
        forget: Box::new(move |change| {
            let links = Arc::clone(&forgetful);
            Box::pin(async move { links.obey(&change).await })
        }),
        note_space: Box::new(move |space| moving.note_space(space)),
    }
}

fn state(
    config: &Config,
    listen: SocketAddr,
    db: Db,
    running: &Running,
    tasks: &Tasks,
    metrics: &Metrics,
) -> AppState {
    let hosts = Arc::new(Hosts::new(config.access.public_hosts.clone(), listen));
    let proxies = TrustedProxies::new(
        config.access.trusted_proxies.clone(),
        config.access.forwarding_header,
    );
    let links = Arc::clone(&running.links);
    let clicks = Arc::clone(&running.recording.clicks);
    AppState {
        tasks: tasks.clone(),
        loader: Loader {
            db: db.clone(),
            tasks: tasks.clone(),
            folder: config.database.data_dir.as_path().into(),
        },
        redirects: Redirects {
            db: db.clone(),
            links: Arc::clone(&links),
            clicks: Arc::clone(&clicks),
            limits: Arc::clone(&running.limits),
            counting: Arc::new(Semaphore::new(COUNTING)),
        },
        db,
        links,
        creator: Arc::clone(&running.creator),
        clicks,
        judgement: Judgement {
            hosts,
            limits: config.limits,
        },
        limits: config.limits,
        totals: Arc::default(),
        envelope: Envelope {
            metrics: Arc::clone(&metrics.http),
            trusted_proxies: Arc::new(proxies),
        },
        access: Arc::clone(&running.access),
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
