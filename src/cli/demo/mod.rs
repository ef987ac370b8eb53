//! `shiftbell demo`: the real worker on a made-up team, with stand-ins for everybody it talks to.
//!
//! Hours are kept in minutes, so the demo's clock is moved forward by up to a minute: it starts
//! seconds before a full minute, at which half the team starts or ends. Nothing else is different
//! from `shiftbell run`. `tests/cli/demo.rs` runs it.

mod show;
mod team;

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Context, run};
use crate::{
    clock::Clock,
    config::Config,
    domain::device::Platform,
    lifecycle::{Exit, Shutdown},
    sim::{World, WorldOptions, product::PRODUCTS},
    store::Store,
    telemetry::metrics,
    workers::service::Engine,
};

/// The first boundary comes so long after the start.
const LEAD: SignedDuration = SignedDuration::from_secs(6);
/// With `--exit`: by then the alerts of the first boundary must be there.
const PATIENCE: Duration = Duration::from_secs(25);

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End by itself once the team's alerts are delivered, with a summary.
    #[arg(long)]
    exit: bool,
    /// Speak to a stand-in of this chat product instead of the presence API, and show the requests.
    #[arg(long, value_name = "PRODUCT", value_parser = clap::builder::PossibleValuesParser::new(PRODUCTS.iter().map(|(name, _)| *name)))]
    driver: Option<String>,
}

/// Runs the demo.
pub async fn demo(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let folder = tempfile::Builder::new()
        .prefix("shiftbell-demo-")
        .tempdir()
        .context("making the demo's folder")?;
    let (clock, boundary) = shortly_before_a_minute(context.clock.now());
    let options = WorldOptions {
        driver: args.driver.clone(),
        ..WorldOptions::default()
    };
    let world = World::start(folder.path(), clock.clone(), options).await?;
    let config = Config::load(Some(&world.config_path), std::iter::empty(), folder.path())?;
    metrics::install().context("installing the metrics")?;
    let stage = Context {
        clock: clock.clone(),
        ..context.clone()
    };
    let engine = Arc::new(run::engine(&stage, &config, &run::Args::default()).await?);
    let zones = crate::zones::load(None)?;
    let mut team = team::team(boundary, &zones)?;
    if let Some((product, section)) = world.product.as_ref().zip(config.driver.as_ref()) {
        team::enrol(&mut team, product, &section.description.external);
    }
    seat(engine.store(), &team, &clock).await?;
    world
        .apns
        .unregister(&team::token(team::GONE, Platform::Ios), clock.now());
    let mut screen = show::Screen::new(context.json);
    screen.opening(folder.path(), boundary, &world)?;
    let shutdown = Shutdown::on_signals().context("listening for signals")?;
    let work = play(&engine, &world, &mut screen, args.exit, &shutdown);
    let Some(done) = shutdown.run(work).await else {
        return Ok(Exit::Failed);
    };
    done?;
    let complete = screen.summary(engine.store()).await?;
    engine.store().close().await;
    Ok(if complete || !args.exit {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Runs the worker and shows what arrives, until the alerts are there or somebody presses Ctrl-C.
async fn play(
    engine: &Arc<Engine>,
    world: &World,
    screen: &mut show::Screen,
    exit: bool,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let worker = tokio::spawn({
        let (engine, stop) = (Arc::clone(engine), stop.clone());
        async move { engine.run(&stop).await }
    });
    let expected = exit.then(team::alerts);
    let shown = screen.follow(world, engine.store(), expected);
    let ended = tokio::select! {
        ended = shown => ended,
        () = shutdown.soft.cancelled() => Ok(()),
        () = tokio::time::sleep(PATIENCE), if exit => Err(anyhow::anyhow!("the alerts did not arrive within {} seconds", PATIENCE.as_secs())),
    };
    stop.cancel();
    worker.await.context("the worker")?;
    ended
}

/// A clock that runs ahead of the machine's so that a full minute comes [`LEAD`] after the start.
fn shortly_before_a_minute(now: Timestamp) -> (Clock, Timestamp) {
    let minute = SignedDuration::from_mins(1).as_millis() as i64;
    let start = now.as_millisecond() + LEAD.as_millis() as i64;
    let ahead = (minute - start.rem_euclid(minute)) % minute;
    let boundary = Timestamp::from_millisecond(start + ahead).unwrap_or(now);
    (
        Clock::system_shifted(SignedDuration::from_millis(ahead)),
        boundary,
    )
}

async fn seat(
    store: &Store,
    team: &[crate::domain::agent::Agent],
    clock: &Clock,
) -> anyhow::Result<()> {
    let mut tx = store.begin().await?;
    tx.put_agents(team, clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// The folder's name for people.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
