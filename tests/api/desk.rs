//! A desk to ask from: the API on a port of its own, a clock that stands still, and tokens.

use std::{
    net::SocketAddr,
    sync::{Arc, Once},
    time::Duration,
};

use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::{
    Method, RequestBuilder,
    header::{HeaderMap, HeaderValue},
};
use serde_json::Value;
use shiftbell::{
    clock::Clock,
    domain::{
        access::{ApiToken, Grant, Scope},
        delivery::ChannelKind,
        zone::Zones,
    },
    http::{Api, Beside, Health, Reach, router, serve},
    lifecycle::Progress,
    workers::receivers::Receivers,
};
use tokio_util::sync::CancellationToken;

use crate::support::Database;

/// A Monday, as all stories begin.
pub(crate) const NOW: &str = "2026-03-30T06:00:00Z";

pub(crate) struct Desk {
    pub(crate) db: Database,
    pub(crate) clock: Clock,
    address: SocketAddr,
    client: reqwest::Client,
    _shutdown: tokio_util::sync::DropGuard,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Desk {
    /// A desk with room for many requests, reached over loopback.
    pub(crate) async fn at(db: Database) -> Self {
        Self::with(db, 10_000, Reach::Loopback).await
    }

    pub(crate) async fn with(db: Database, per_second: u32, reach: Reach) -> Self {
        let clock = Clock::manual(NOW.parse().unwrap());
        Self::open(db, clock, per_second, reach, Receivers::default()).await
    }

    /// A desk with this clock, from which these push services can be reached.
    pub(crate) async fn open(
        db: Database,
        clock: Clock,
        per_second: u32,
        reach: Reach,
        receivers: Receivers,
    ) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let zones = Arc::new(Zones::built_in());
        let worker = Beside {
            zones: Arc::new(move || zones.clone()),
            receivers: ChannelKind::ALL.to_vec(),
            ring: Arc::new(move |channel, push, now| {
                let receivers = receivers.clone();
                Box::pin(async move { receivers.ring(channel, push, now).await })
            }),
        };
        let api = Api::new(db.store.clone(), clock.clone(), worker, per_second);
        let health = Health {
            progress: Progress::new(),
            stale_after: Duration::from_mins(1),
            ready: Arc::new(|| Box::pin(async { Vec::new() })),
            metrics: PrometheusBuilder::new().build_recorder().handle(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let router = router(health, api, reach);
        tokio::spawn(serve(listener, router, shutdown.clone()));
        Self {
            db,
            clock,
            address,
            client: reqwest::Client::new(),
            _shutdown: shutdown.drop_guard(),
        }
    }

    /// Makes a token; what its holder sends.
    pub(crate) async fn token(
        &self,
        scope: Scope,
        workspace: Option<&str>,
        agent: Option<&str>,
    ) -> String {
        let token = ApiToken::from_random(rand::random(), rand::random());
        let grant = Grant {
            scope,
            workspace: workspace.map(str::to_owned),
            agent: agent.map(str::to_owned),
        };
        let mut tx = self.db.store.begin().await.unwrap();
        let now = self.clock.now();
        tx.add_token(&token, "test", &grant, now, None)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        token.expose()
    }

    /// The platform of all workspaces.
    pub(crate) async fn platform(&self) -> Holder<'_> {
        self.holder(self.token(Scope::Platform, None, None).await)
    }

    /// The platform of one workspace.
    pub(crate) async fn platform_of(&self, workspace: &str) -> Holder<'_> {
        self.holder(self.token(Scope::Platform, Some(workspace), None).await)
    }

    pub(crate) fn holder(&self, token: String) -> Holder<'_> {
        Holder { desk: self, token }
    }

    /// A request without a token.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        self.client.request(method, self.url(path))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Somebody with a token.
pub(crate) struct Holder<'a> {
    desk: &'a Desk,
    pub(crate) token: String,
}

impl Holder<'_> {
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.desk.request(method, path).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Said {
        said(self.request("GET", path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Said {
        said(self.request("DELETE", path)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Said {
        said(self.request("PUT", path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Said {
        said(self.request("PATCH", path).json(&body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Said {
        said(self.request("POST", path).json(&body)).await
    }

    /// Hires an agent with hours on Mondays, 09:00 to 17:00 in Paris.
    pub(crate) async fn hire(&self, agent: &str, workspace: &str) {
        let body = serde_json::json!({
            "workspace": workspace, "name": agent, "timezone": "Europe/Paris",
            "hours": [{"day": "mon", "start": "09:00", "end": "17:00"}],
        });
        let said = self.put(&format!("/v1/agents/{agent}"), body).await;
        assert_eq!(said.status, 201, "{said:#?}");
    }
}

pub(crate) async fn said(request: RequestBuilder) -> Said {
    let answer = request.send().await.unwrap();
    Said {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        text: answer.text().await.unwrap(),
    }
}

impl Said {
    /// It succeeded with this status; what it says.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:#?}");
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text).unwrap()
    }

    /// It was refused with this status, as a problem that names these fields.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, fields: &[&str]) -> Value {
        assert_eq!(self.status, status, "{self:#?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem["status"], status, "{self:#?}");
        let named: Vec<&str> = problem["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|error| error["field"].as_str().unwrap())
            .collect();
        assert_eq!(named, fields, "{self:#?}");
        problem
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(HeaderValue::to_str);
        value.transpose().unwrap().unwrap_or_default()
    }
}
