//! `shiftbell run` and `shiftbell tick`: the same engine, for long and for once.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::{Context, listen::Listener};
use crate::{
    config::Config,
    http::{self, Check, Health},
    lifecycle::{self, Exit, Shutdown},
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
    let listener = Listener::open(context, &config, &engine, health, &side).await?;
    lifecycle::ready();
    let done = shutdown.run(engine.run(&shutdown.soft)).await;
    lifecycle::stopping();
    side.cancel();
    if let Some(listener) = listener {
        listener.close().await;
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
    if let Some(driver) = config
        .driver
        .as_ref()
        .filter(|driver| driver.description.lease.is_some())
    {
        // Beside a service that renews, a tick does no harm; alone it cannot hold anybody.
        tracing::warn!(
            product = driver.description.product,
            "online_is_a_lease_that_only_run_renews"
        );
    }
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
        (
            "presence",
            config.presence.is_some() || config.driver.is_some(),
        ),
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
