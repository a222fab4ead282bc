//! Whether the service lives, is ready, and is well: for orchestrators, load balancers and people.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus::IntGauge;

use crate::{database::Db, http::extract::Json, metrics::Metrics};

/// A database that takes longer to say anything is as good as away.
const DATABASE_PATIENCE: Duration = Duration::from_secs(1);

/// Whether this process can serve. The database gates the first readiness only: an outage must not take every replica out
/// of the load balancer, since cached links still redirect.
#[derive(Clone, Debug)]
pub struct Readiness(IntGauge);

impl Readiness {
    /// Not ready yet. The gauge is what both the metric and `/readyz` tell.
    pub fn new(gauge: IntGauge) -> Self {
        Self(gauge)
    }

    pub fn set(&self, ready: bool) {
        self.0.set(ready.into());
    }

    fn get(&self) -> bool {
        self.0.get() == 1
    }
}

/// `GET /health`: 200 for as long as the process answers; says what is degraded.
pub async fn health(State(db): State<Db>) -> Json<Health> {
    let ping = tokio::time::timeout(DATABASE_PATIENCE, db.ping()).await;
    Json(Health {
        degraded: match ping {
            Ok(Ok(())) => Vec::new(),
            _ => vec!["database"],
        },
        status: "ok",
    })
}

/// How the service is.
#[derive(Debug, schemars::JsonSchema, serde::Serialize)]
pub struct Health {
    /// What is away; absent if nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    degraded: Vec<&'static str>,
    /// `ok` for as long as the process answers.
    status: &'static str,
}

/// What the management listener serves.
pub fn router(metrics: Arc<Metrics>, readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(scrape).with_state(metrics))
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    if readiness.get() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
