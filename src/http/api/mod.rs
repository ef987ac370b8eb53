//! `/v1`: what the chat platform, its apps and ops ask and set.
//!
//! To add a resource: a file with its handlers, each with its `utoipa::path`, and a line in `documented`;
//! it is then in `/openapi.json`, behind a token, traced and paced. A handler takes one of the callers
//! of `auth` and reads every row through it. An agent's rules are those of an import
//! ([`crate::domain::roster`]). Handlers run in tasks that nobody cancels, so they may hold transactions.
//!
//! `tests/api/` asks over TCP, on both databases; `tests/third_party.rs` has schemathesis look for what
//! the document and the answers do not agree on.

mod agents;
mod audit;
mod auth;
mod body;
mod boundaries;
mod coverage;
mod deliveries;
mod devices;
mod document;
mod etag;
mod events;
mod explain;
mod feed;
mod input;
mod once;
mod page;
mod presence;
mod preview;
mod ring;
mod span;
mod status;
mod trace;
mod verbs;
mod workspaces;

use std::{fmt, pin::Pin, sync::Arc};

use axum::{
    Router,
    http::header,
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};
use jiff::Timestamp;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    clock::Clock,
    domain::{
        delivery::{ChannelKind, Judgement, Push},
        zone::Zones,
    },
    store::Store,
};

/// Rings one phone at an instant (UTC), past the delivery log, and tells what its push service said.
pub type Ring = Arc<dyn Fn(ChannelKind, Push, Timestamp) -> Rings + Send + Sync>;
/// A phone being rung; `None` comes of it where that push service is switched off.
pub type Rings = Pin<Box<dyn Future<Output = Option<Judgement>> + Send>>;

/// What the API asks of the worker beside it.
#[derive(Clone)]
pub struct Beside {
    /// Tells the time-zone data in use, which may be replaced while the worker runs.
    pub zones: Arc<dyn Fn() -> Arc<Zones> + Send + Sync>,
    /// Rings a phone.
    pub ring: Ring,
    /// The receivers that are switched on.
    pub receivers: Vec<ChannelKind>,
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Beside")
    }
}

/// What the handlers know.
#[derive(Clone)]
pub struct Api {
    store: Store,
    clock: Clock,
    worker: Arc<Beside>,
    paces: Arc<auth::Paces>,
}

impl Api {
    /// Over `store`; each token may ask `per_second` times a second. The worker hears of changes by the
    /// database, so `store` must not be its own.
    pub fn new(store: Store, clock: Clock, worker: Beside, per_second: u32) -> Self {
        Self {
            store,
            clock,
            worker: Arc::new(worker),
            paces: Arc::new(auth::Paces::new(per_second)),
        }
    }

    fn zones(&self) -> Arc<Zones> {
        (self.worker.zones)()
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Api")
    }
}

fn documented() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(document::base())
        .routes(routes!(workspaces::list))
        .routes(routes!(
            workspaces::get,
            workspaces::put,
            workspaces::delete
        ))
        .routes(routes!(presence::get))
        .routes(routes!(coverage::get))
        .routes(routes!(agents::list))
        .routes(routes!(
            agents::get,
            agents::put,
            agents::patch,
            agents::delete
        ))
        .routes(routes!(status::get, status::put))
        .routes(routes!(boundaries::list))
        .routes(routes!(explain::get))
        .routes(routes!(feed::make, feed::delete))
        .routes(routes!(preview::preview))
        .routes(routes!(devices::list))
        .routes(routes!(devices::get, devices::put, devices::delete))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::get))
        .routes(routes!(verbs::retry_matching))
        .routes(routes!(verbs::cancel_matching))
        .routes(routes!(events::post))
        .routes(routes!(audit::list))
        // The router knows no `{id}:verb`: one handler tells them apart.
        .route(
            "/v1/deliveries/{id}",
            post(verbs::one).fallback(verbs::not_allowed),
        )
        .route(
            "/v1/agents/{id}/devices/{platform}/{token}",
            post(ring::one).fallback(ring::not_allowed),
        )
}

/// The API, and its description at `/openapi.json`, which needs no token.
pub(super) fn routes(api: Api) -> Router {
    let (routes, document) = documented().split_for_parts();
    let text: Arc<str> = document::finished(document).into();
    let document = get(async move || {
        (
            [(header::CONTENT_TYPE, "application/json")],
            text.to_string(),
        )
    });
    routes
        .layer(from_fn_with_state(api.clone(), auth::known))
        .route("/openapi.json", document)
        // The router knows no `{secret}.ics`.
        .route("/v1/feeds/{file}", get(feed::read))
        .layer(from_fn(trace::traced))
        .with_state(api)
}

/// `routes` for those alone who may read the logs of all workspaces.
pub(super) fn guarded(routes: Router, api: &Api) -> Router {
    routes
        .layer(from_fn(auth::log_readers))
        .layer(from_fn_with_state(api.clone(), auth::known))
}
