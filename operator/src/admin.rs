//! Whether the operator lives, is ready, and what it has done: for the kubelet and Prometheus.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::controller::{Context, watch::Pulse};

#[derive(Clone)]
struct Shared {
    ctx: Arc<Context>,
    pulse: Arc<Pulse>,
}

pub async fn serve(
    listener: TcpListener,
    ctx: Arc<Context>,
    pulse: Arc<Pulse>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Shared { ctx, pulse });
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await?;
    Ok(())
}

/// Fails when a watch has gone deaf, which only a new start is sure to mend.
async fn livez(State(shared): State<Shared>) -> Response {
    told("deaf watches", &shared.pulse.deaf())
}

/// Fails until every watch has seen all there is once.
async fn readyz(State(shared): State<Shared>) -> Response {
    let mut unsynced = shared.pulse.unsynced();
    if shared.ctx.known_kinds().is_empty() {
        unsynced.push("the kinds of the cluster".to_owned());
    }
    told("not seen yet", &unsynced)
}

fn told(what: &str, names: &[String]) -> Response {
    if names.is_empty() {
        return "ok\n".into_response();
    }
    let text = format!("{what}: {}\n", names.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn metrics(State(shared): State<Shared>) -> Response {
    match shared.ctx.metrics.text(shared.ctx.leadership.holds()) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
