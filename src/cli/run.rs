//! `shiftbell run` and `shiftbell tick`: the same engine, for long and for once.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::{
    clock::Clock,
    config::Config,
    http::{self, Api, Check, Health, Reach},
    lifecycle::{self, Exit, Shutdown},
    store::Store,
    telemetry::{self, metrics},
    workers::{Shared, service::Engine},
};

/// How long the database's connections may take to close.
const CLOSING: Duration = Duration::from_secs(4);
/// The loop is taken for dead after so long without a turn.
const STALE_AFTER: Duration = Duration::from_secs(30);

/// Options of `run` and `tick`.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Do not bring the database's schema up to date; fail if it is not.
    #[arg(long)]
    no_migrate: bool,
}

/// Options of `tick`.
#[derive(Debug, clap::Args)]
pub struct TickArgs {
    #[command(flatten)]
    common: Args,
    /// Write the metrics to this file, for `node_exporter`'s textfile collector.
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
}

/// The long-lived service.
pub async fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let shutdown = Shutdown::on_signals().context("listening for signals")?;
    let config = context.config()?;
    let metrics = metrics::install().context("installing the metrics")?;
    let engine = Arc::new(engine(context, &config, args).await?);
    let side = CancellationToken::new();
    tokio::spawn(metrics::upkeep(metrics.clone(), side.clone()));
    tokio::spawn(lifecycle::watchdog(
        engine.progress(),
        shutdown.hard.clone(),
    ));
    let health = Health {
        progress: engine.progress(),
        stale_after: STALE_AFTER,
        ready: ready_check(&engine),
        metrics,
    };
    let listener = listen(&config, &engine, &context.clock).await?;
    let api = api(context, &config, &engine);
    let reach = if config.http.listen.ip().is_loopback() {
        Reach::Loopback
    } else {
        Reach::Network
    };
    let router = http::router(health, api, reach);
    let served = listener.map(|listener| tokio::spawn(http::serve(listener, router, side.clone())));
    lifecycle::ready();
    let done = shutdown.run(engine.run(&shutdown.soft)).await;
    lifecycle::stopping();
    side.cancel();
    if let Some(served) = served {
        let _ = tokio::time::timeout(Duration::from_secs(1), served).await;
    }
    let closed = tokio::time::timeout(CLOSING, engine.store().close()).await;
    Ok(if done.is_some() && closed.is_ok() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// One pass for cron.
pub async fn tick(context: &Context, args: &TickArgs) -> anyhow::Result<Exit> {
    let shutdown = Shutdown::on_signals().context("listening for signals")?;
    let config = context.config()?;
    // Only for whoever reads them: to begin with, the recorder measures the clock for ten milliseconds.
    let metrics = match &args.metrics_file {
        Some(file) => Some((file, metrics::install().context("installing the metrics")?)),
        None => None,
    };
    let engine = engine(context, &config, &args.common).await?;
    let done = shutdown.run(engine.tick(&shutdown.soft)).await;
    if let Some((file, metrics)) = metrics {
        if let Some(Ok(())) = done {
            engine.count(true).await?;
        }
        telemetry::write_textfile(file, &metrics.render())
            .with_context(|| format!("writing the metrics to {}", file.display()))?;
    }
    engine.store().close().await;
    match done {
        Some(done) => done.map(|()| Exit::Done).map_err(Into::into),
        None => Ok(Exit::Failed),
    }
}

/// The engine that `run`, `tick` and the demo share.
pub(super) async fn engine(
    context: &Context,
    config: &Config,
    args: &Args,
) -> anyhow::Result<Engine> {
    let zones = crate::zones::load(config.timezone_directory.as_deref())?;
    tracing::info!(version = zones.version(), source = %zones.source(), "tzdata");
    for (section, on) in [
        ("apns", config.apns.is_some()),
        ("fcm", config.fcm.is_some()),
        ("presence", config.presence.is_some()),
    ] {
        if !on {
            tracing::warn!(channel = section, "switched_off");
        }
    }
    let migrate = config.database.migrate && !args.no_migrate;
    let store = super::open(&config.database, migrate).await?;
    let worker = format!("{}-{:08x}", std::process::id(), rand::random::<u32>());
    let shared = Shared::new(store, context.clock.clone(), &worker);
    Ok(Engine::new(shared, config, zones)?)
}

/// The HTTP listener. An address nobody chose may be taken by another worker of this machine.
async fn listen(
    config: &Config,
    engine: &Engine,
    clock: &Clock,
) -> anyhow::Result<Option<tokio::net::TcpListener>> {
    guard(config.http.listen, engine.store(), clock).await?;
    match tokio::net::TcpListener::bind(config.http.listen).await {
        Ok(listener) => {
            let address = listener
                .local_addr()
                .context("asking the listener's address")?;
            tracing::info!(address = %address, "listening");
            Ok(Some(listener))
        }
        Err(error) if !config.http.chosen => {
            tracing::warn!(address = %config.http.listen, %error, "not_listening");
            Ok(None)
        }
        Err(error) => Err(error)
            .with_context(|| format!("http.listen: cannot listen on {}", config.http.listen)),
    }
}

/// An address that others reach, and nobody who may.
#[derive(Debug, thiserror::Error)]
#[error(
    "http.listen: {0} is not on loopback, and nothing listens to the network without a token: \
     make one with `shiftbell token create`, or listen on 127.0.0.1"
)]
pub struct OpenDoor(std::net::SocketAddr);

/// Beyond loopback, somebody must hold a token.
async fn guard(listen: std::net::SocketAddr, store: &Store, clock: &Clock) -> anyhow::Result<()> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    let mut tx = store.snapshot().await?;
    let usable = tx.usable_tokens(clock.now()).await?;
    tx.commit().await?;
    if usable == 0 {
        return Err(OpenDoor(listen).into());
    }
    Ok(())
}

fn api(context: &Context, config: &Config, engine: &Arc<Engine>) -> Api {
    let zones = {
        let engine = Arc::clone(engine);
        Arc::new(move || engine.zones())
    };
    let (store, clock) = (engine.store().clone(), context.clock.clone());
    Api::new(
        store,
        clock,
        zones,
        engine.send_wake(),
        config.http.max_per_second,
    )
}

fn ready_check(engine: &Arc<Engine>) -> http::ReadyCheck {
    let engine = Arc::clone(engine);
    Arc::new(move || {
        let engine = Arc::clone(&engine);
        Box::pin(async move {
            let database = engine.store().schema_version().await;
            let mut checks = vec![Check {
                name: "database".into(),
                ok: database.is_ok(),
                detail: database.err().map(|error| error.to_string()),
            }];
            checks.extend(engine.lanes().into_iter().map(|lane| Check {
                name: lane.kind.as_str().into(),
                ok: lane.open.is_none(),
                detail: lane.open,
            }));
            checks
        })
    })
}
