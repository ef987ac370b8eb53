//! The listener of `run`: health, metrics, and the API ([`api`]).
//!
//! `/livez` asks no database: it answers whether the worker's loop turns. `/readyz` asks whatever
//! the caller gives it. Both are open to whoever reaches the listener; `/metrics` is so on loopback
//! alone, elsewhere it takes a token that may read the logs. Every error is `application/problem+json` (RFC 9457), and every request,
//! connection and header has a bound, see [`serve`]. `tests/http.rs` holds it to all that.

pub mod api;
mod health;
mod probe;
mod problem;
mod serve;

use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::Response,
};

pub use api::{Api, Beside};
pub use health::{Check, Health, ReadyCheck};
pub use probe::probe;
pub use problem::Problem;
pub use serve::serve;

/// Who can reach a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// This machine alone.
    Loopback,
    /// A network.
    Network,
}

/// All routes, with what is common to them.
pub fn router(health: Health, api: Api, reach: Reach) -> Router {
    let metrics = health::metrics_route(health.clone());
    let metrics = match reach {
        Reach::Loopback => metrics,
        Reach::Network => api::guarded(metrics, &api),
    };
    common(
        health::routes(health)
            .merge(metrics)
            .merge(api::routes(api)),
    )
}

/// Those routes alone that need no database.
pub fn health_routes(health: Health) -> Router {
    common(health::routes(health.clone()).merge(health::metrics_route(health)))
}

/// `routes` with answers for what is not there, and limits and headers around everything.
fn common(routes: Router) -> Router {
    routes
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address"))
        .method_not_allowed_fallback(async |method: Method| {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{method} is not for this address"),
            )
        })
        .layer(from_fn(guarded))
}

/// Runs the handler in a task of its own. Nothing cancels it (a database call dropped half way can
/// poison its connection), and if it panics the client is told as much as anyone: that it failed.
async fn guarded(request: Request, next: Next) -> Response {
    // Not the path itself, in which phones' tokens stand.
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or("", MatchedPath::as_str).to_owned();
    let handler = tokio::spawn(next.run(request));
    let answer = match tokio::time::timeout(serve::HANDLER_TIMEOUT, handler).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            tracing::error!(path, %error, "request handler broke down");
            let detail = "the request failed here; the log says why";
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
        }
        Err(_) => {
            tracing::warn!(path, "request took too long");
            let detail = "the answer took too long; try again";
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, detail))
        }
    };
    let mut answer = answer.unwrap_or_else(axum::response::IntoResponse::into_response);
    let headers = answer.headers_mut();
    let unsaid = headers.entry(header::CACHE_CONTROL);
    unsaid.or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    answer
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use axum::{body::Body, routing::get};
    use http_body_util::BodyExt;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_panics_or_hangs_is_a_problem() {
        // Where a line is logged first by whoever listens to none, it may be silent for all.
        let lines = tracing_subscriber::fmt().with_writer(io::sink);
        let _here = tracing::subscriber::set_default(lines.finish());
        let routes = Router::new()
            .route("/panic", get(async || -> &str { panic!("CANARY") }))
            .route("/hang", get(async || std::future::pending::<&str>().await));
        let service = TowerToHyperService::new(common(routes));
        for (path, status) in [("/panic", 500), ("/hang", 504)] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let answer = hyper::service::Service::call(&service, request)
                .await
                .unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!(
                answer.headers()[header::CONTENT_TYPE],
                "application/problem+json"
            );
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(!String::from_utf8_lossy(&body).contains("CANARY"));
        }
    }

    /// What was logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_log_names_the_route_and_not_what_stood_in_it() {
        let log = Log::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt().with_writer(move || writer.clone());
        let _here = tracing::subscriber::set_default(lines.finish());
        let broken = get(async || -> &str { panic!("broken") });
        let routes = Router::new().route("/devices/{token}", broken);
        let service = TowerToHyperService::new(common(routes));
        let request = Request::get("/devices/CANARY").body(Body::empty()).unwrap();
        let answer = hyper::service::Service::call(&service, request).await;
        assert_eq!(answer.unwrap().status(), 500);
        let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(logged.contains("/devices/{token}"), "{logged}");
        assert!(!logged.contains("CANARY"), "{logged}");
    }
}
