//! `/livez`, `/readyz`, `/metrics`.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;

use crate::lifecycle::Progress;

/// One thing that has to hold before the worker can do its work.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What was looked at: `database`, `migrations`, `breaker:apns` …
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// What is wrong, for people; no secret in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Answers all checks, anew each time it is called.
pub type ReadyCheck =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Vec<Check>> + Send>> + Send + Sync>;

/// What the health routes know.
#[derive(Clone)]
pub struct Health {
    /// Touched by the worker's loop.
    pub progress: Progress,
    /// A loop that has not turned for this long hangs.
    pub stale_after: Duration,
    /// Whether work can be done.
    pub ready: ReadyCheck,
    /// What `/metrics` renders.
    pub metrics: PrometheusHandle,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Health")
    }
}

pub(super) fn routes(health: Health) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(health)
}

pub(super) fn metrics_route(health: Health) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(health)
}

#[derive(Serialize)]
struct Alive {
    alive: bool,
    last_turn_seconds: f64,
}

async fn livez(State(health): State<Health>) -> Response {
    let since = health.progress.since();
    let alive = since < health.stale_after;
    let body = Alive {
        alive,
        last_turn_seconds: since.as_secs_f64(),
    };
    (status(alive), Json(body)).into_response()
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    checks: Vec<Check>,
}

async fn readyz(State(health): State<Health>) -> Response {
    let checks = (health.ready)().await;
    let ready = checks.iter().all(|check| check.ok);
    (status(ready), Json(Ready { ready, checks })).into_response()
}

async fn metrics(State(health): State<Health>) -> Response {
    // The version is that of the text format, not of the metrics.
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], health.metrics.render()).into_response()
}

fn status(well: bool) -> StatusCode {
    if well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}
