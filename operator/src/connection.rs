//! The connection to the API server. One that nobody answers on is noticed within half a minute: kube sets no keepalive, and a
//! half-open watch would be deaf for five minutes. Where something between still confirms every packet, such as a load balancer whose
//! server is gone, only the lack of an answer tells.

use std::time::Duration;

use anyhow::Context as _;
use hyper_util::{
    client::legacy::{Builder, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{Client, Config, client::ConfigExt as _};
use tower::{BoxError, ServiceBuilder};

/// An API server that does not take a connection within this time is tried again.
const CONNECT: Duration = Duration::from_secs(5);

/// An API server that does not begin to answer within this time is asked again. Watches begin at once, and go on for longer.
pub const ANSWER: Duration = Duration::from_secs(10);

/// How long a connection that nobody uses is kept: one that has died meanwhile would cost whoever takes it the time above. And hundreds are
/// left of each burst of work, with their buffers.
const IDLE: Duration = Duration::from_secs(10);

const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

/// As `kubectl` finds it: `KUBECONFIG`, the user's file, or the pod's account.
pub async fn client() -> anyhow::Result<Client> {
    let config = Config::infer()
        .await
        .context("no Kubernetes cluster is configured: set KUBECONFIG, or run in a pod")?;
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT));
    http.set_keepalive(Some(KEEPALIVE));
    http.set_keepalive_interval(Some(KEEPALIVE));
    http.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    http.set_tcp_user_timeout(Some(KEEPALIVE * KEEPALIVE_RETRIES));
    let connector = config.rustls_https_connector_with_connector(http)?;
    // Without kube's own retries: a resource that fails is tried again by its own backoff, and a watch by its own.
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .map_future(in_time)
        .service(
            Builder::new(TokioExecutor::new())
                .pool_idle_timeout(IDLE)
                .pool_timer(TokioTimer::new())
                .build(connector),
        );
    Ok(Client::new(service, config.default_namespace))
}

async fn in_time<T, E: Into<BoxError>>(
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, BoxError> {
    match tokio::time::timeout(ANSWER, answer).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err("the API server does not answer".into()),
    }
}
