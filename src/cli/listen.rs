//! The listener of `run`.
//!
//! Requests have database connections of their own, as another program would: a flood of them takes none
//! from the worker, and the worker hears of what they change as it hears of anybody's change.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::{
    clock::Clock,
    config::{Config, Http},
    http::{self, Api, Beside, Health, Reach},
    store::{OpenOptions, Store},
    workers::service::Engine,
};

/// Connections to Postgres that requests share.
const CONNECTIONS: u32 = 4;
/// How long requests under way, and then their connections, may take to end.
const CLOSING: Duration = Duration::from_secs(1);

/// An address that others reach, and nobody who may.
#[derive(Debug, thiserror::Error)]
#[error(
    "http.listen: {0} is not on loopback, and nothing listens to the network without a token: \
     make one with `shiftbell token create`, or listen on 127.0.0.1"
)]
pub(super) struct OpenDoor(SocketAddr);

/// Whoever asks is answered.
#[derive(Debug)]
pub(super) struct Listener {
    serving: JoinHandle<()>,
    store: Store,
}

impl Listener {
    /// Listens until `side` is cancelled; `None` where the address nobody chose is taken.
    pub(super) async fn open(
        context: &Context,
        config: &Config,
        engine: &Arc<Engine>,
        health: Health,
        side: &CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let reach = reach(config.http.listen);
        if reach == Reach::Network {
            guard(config.http.listen, engine.store(), &context.clock).await?;
        }
        let Some(listener) = bind(config.http).await? else {
            return Ok(None);
        };
        let options = OpenOptions {
            migrate: false,
            pooler: config.database.pooler,
            connections: CONNECTIONS,
            ..OpenOptions::new(config.database.url.clone())
        };
        let store = Store::open(&options).await?;
        let worker = beside(engine, config);
        let clock = context.clock.clone();
        let api = Api::new(store.clone(), clock, worker, config.http.max_per_second);
        let router = http::router(health, api, reach);
        let serving = tokio::spawn(http::serve(listener, router, side.clone()));
        Ok(Some(Self { serving, store }))
    }

    /// Waits a moment for what is under way.
    pub(super) async fn close(self) {
        let _ = tokio::time::timeout(CLOSING, self.serving).await;
        let _ = tokio::time::timeout(CLOSING, self.store.close()).await;
    }
}

fn beside(engine: &Arc<Engine>, config: &Config) -> Beside {
    let receivers = engine.receivers().clone();
    let engine = Arc::clone(engine);
    Beside {
        zones: Arc::new(move || engine.zones()),
        receivers: config.receivers(),
        ring: Arc::new(move |channel, push, now| {
            let receivers = receivers.clone();
            Box::pin(async move { receivers.ring(channel, push, now).await })
        }),
    }
}

/// An address nobody chose may be taken by another worker of this machine.
async fn bind(http: Http) -> anyhow::Result<Option<TcpListener>> {
    match TcpListener::bind(http.listen).await {
        Ok(listener) => {
            let address = listener
                .local_addr()
                .context("asking the listener's address")?;
            tracing::info!(address = %address, "listening");
            Ok(Some(listener))
        }
        Err(error) if !http.chosen => {
            tracing::warn!(address = %http.listen, %error, "not_listening");
            Ok(None)
        }
        Err(error) => {
            Err(error).with_context(|| format!("http.listen: cannot listen on {}", http.listen))
        }
    }
}

fn reach(listen: SocketAddr) -> Reach {
    if listen.ip().is_loopback() {
        Reach::Loopback
    } else {
        Reach::Network
    }
}

/// Beyond loopback, somebody must hold a token.
async fn guard(listen: SocketAddr, store: &Store, clock: &Clock) -> anyhow::Result<()> {
    let mut tx = store.snapshot().await?;
    let usable = tx.usable_tokens(clock.now()).await?;
    tx.commit().await?;
    if usable == 0 {
        return Err(OpenDoor(listen).into());
    }
    Ok(())
}
