//! The measurements beside the main one.

use std::time::Duration;

use serde::Serialize;

use crate::{
    Args,
    database::{self, Server, Statement},
    process, pure,
    shift::{self, Shift},
    stage::{self, Stage},
    tell,
    worker::{self, Pace, Used},
};

/// Nobody's hours start within this.
const FAR: Duration = Duration::from_hours(6);
/// A tick is measured so often.
const TICKS: usize = 25;

/// Hours that start when nothing that is measured still runs.
fn far() -> jiff::Timestamp {
    stage::full_minute_after(FAR)
}

/// A worker with nothing to do.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    pub(crate) agents: u64,
    pub(crate) seconds: f64,
    pub(crate) worker_cpu: f64,
    pub(crate) database_cpu: Option<f64>,
    pub(crate) worker_mib: f64,
    pub(crate) database_mib: Option<f64>,
    pub(crate) statements: Option<f64>,
    pub(crate) top: Vec<Statement>,
}

/// Measures a minute in which nobody is due.
pub(crate) async fn idle(server: &Server, args: &Args) -> anyhow::Result<Idle> {
    let mut stage = Stage::set(server, args, Some(far())).await?;
    let worker = stage.worker(args.pace(), 0)?;
    stage.first_evaluation().await?;
    stage.planned().await?;
    stage.put_away().await?;
    // What Postgres would do of the import in the next minutes is done at once; then the dust settles.
    if let Server::Postgres(..) = server {
        tell("vacuum");
        stage.database.sql("VACUUM ANALYZE");
        stage.database.sql("CHECKPOINT");
    }
    tokio::time::sleep(Duration::from_secs(args.idle_seconds.min(30))).await;
    tell("measuring");
    database::begin(&stage.database);
    let before = (process::cpu(worker.pid()), server.cpu());
    tokio::time::sleep(Duration::from_secs(args.idle_seconds)).await;
    let idle = Idle {
        agents: args.agents(),
        seconds: args.idle_seconds as f64,
        worker_cpu: process::cpu(worker.pid()) - before.0,
        database_cpu: server.cpu().zip(before.1).map(|(now, then)| now - then),
        worker_mib: process::memory(worker.pid()),
        database_mib: server.memory(),
        statements: database::count(&stage.database).map(|counted| counted.statements),
        top: database::top(&stage.database, args.statements),
    };
    worker.stop().await?;
    Ok(idle)
}

/// Making all plans afresh.
#[derive(Debug, Serialize)]
pub(crate) struct Replan {
    pub(crate) agents: u64,
    pub(crate) seconds: f64,
    pub(crate) worker_cpu: f64,
    pub(crate) database_cpu: Option<f64>,
    /// What is decided, without reading or writing it: agents a second of CPU.
    pub(crate) pure: f64,
    pub(crate) top: Vec<Statement>,
}

/// Measures a start with other time-zone data than the plans were made with.
pub(crate) async fn replan(server: &Server, args: &Args) -> anyhow::Result<Replan> {
    let mut stage = Stage::set(server, args, Some(far())).await?;
    let worker = stage.worker(args.pace(), 0)?;
    stage.first_evaluation().await?;
    stage.planned().await?;
    worker.stop().await?;
    stage
        .database
        .sql("UPDATE meta SET value = '2000a' WHERE key = 'tzdata_version'");
    database::begin(&stage.database);
    let before = server.cpu();
    let watch = shiftbell::clock::Stopwatch::start();
    let worker = stage.worker(args.pace(), 1)?;
    let behind =
        "SELECT /* bench */ count(*) FROM meta WHERE key = 'tzdata_version' AND value = '2000a'";
    while database::number(&stage.database, behind)? > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stage.planned().await?;
    let replan = Replan {
        agents: args.agents(),
        seconds: watch.elapsed().as_secs_f64(),
        worker_cpu: process::cpu(worker.pid()),
        database_cpu: server.cpu().zip(before).map(|(now, then)| now - then),
        pure: pure::plans_per_second(),
        top: database::top(&stage.database, args.statements),
    };
    worker.stop().await?;
    Ok(replan)
}

/// One pass of cron with nothing due.
#[derive(Debug, Serialize)]
pub(crate) struct Tick {
    pub(crate) agents: u64,
    /// Everybody's first status recorded and posted.
    pub(crate) first_seconds: f64,
    pub(crate) median_ms: f64,
    pub(crate) fastest_ms: f64,
    pub(crate) slowest_ms: f64,
    /// On average.
    pub(crate) cpu_ms: f64,
}

/// Measures whole processes.
pub(crate) async fn tick(server: &Server, args: &Args) -> anyhow::Result<Tick> {
    let stage = Stage::set(server, args, Some(far())).await?;
    let tick = || {
        worker::timed(worker::command(&stage.stand_ins, Pace::Open { in_flight: 500 }).arg("tick"))
    };
    let first_seconds = tick()?;
    tell(&format!("first pass in {first_seconds:.1} s"));
    while stage.open()? > 0 {
        tell(&format!("one more pass in {:.1} s", tick()?));
    }
    let ended = || process::cpu_of_ended(std::process::id());
    let before = ended();
    let mut times = (0..TICKS)
        .map(|_| tick())
        .collect::<Result<Vec<f64>, _>>()?;
    let cpu = ended() - before;
    times.sort_by(f64::total_cmp);
    Ok(Tick {
        agents: args.agents(),
        first_seconds,
        median_ms: times[TICKS / 2] * 1000.0,
        fastest_ms: times[0] * 1000.0,
        slowest_ms: times[TICKS - 1] * 1000.0,
        cpu_ms: cpu / TICKS as f64 * 1000.0,
    })
}

/// Reading a file of agents.
#[derive(Debug, Serialize)]
pub(crate) struct Import {
    pub(crate) agents: u64,
    pub(crate) first_seconds: f64,
    pub(crate) first_cpu: Used,
    /// The same file once more, which changes nothing.
    pub(crate) again_seconds: f64,
    pub(crate) again_cpu: Used,
}

/// Measures an import into an empty database, and the same once more.
pub(crate) async fn import(server: &Server, args: &Args) -> anyhow::Result<Import> {
    let stage = Stage::set(server, args, Some(far())).await?;
    let mut command = worker::command(&stage.stand_ins, Pace::Default);
    command
        .arg("import")
        .arg(stage.folder.path().join("team.jsonl"));
    let before = Used::now(server);
    let again_seconds = worker::timed(&mut command)?;
    Ok(Import {
        agents: args.agents(),
        first_seconds: stage.imported_in,
        first_cpu: stage.imported_cpu,
        again_seconds,
        again_cpu: Used::now(server).since(before),
    })
}

/// One worker against several.
#[derive(Debug, Serialize)]
pub(crate) struct Workers {
    pub(crate) one: Shift,
    pub(crate) several: Shift,
    pub(crate) speed_up: f64,
    /// What the receivers' delay and the requests in flight allow one worker: pushes a second.
    pub(crate) one_at_most: f64,
}

/// Measures the same start with one worker, and with as many as asked for.
pub(crate) async fn workers(
    server: &Server,
    args: &Args,
    workers: usize,
) -> anyhow::Result<Workers> {
    let (one, _) = shift::run(server, args, args.pace(), 1).await?;
    let (several, _) = shift::run(server, args, args.pace(), workers).await?;
    let per_slot = 1000.0 / args.delay_ms().max(1) as f64;
    Ok(Workers {
        one_at_most: 2.0 * f64::from(args.in_flight()) * per_slot,
        speed_up: several.pushes_per_second / one.pushes_per_second,
        one,
        several,
    })
}

/// Starts of several sizes.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) shifts: Vec<Shift>,
    /// CPU of worker and database an alert, by that of the smallest size.
    pub(crate) ratios: Vec<f64>,
}

/// Measures one start of each size.
pub(crate) async fn cost(server: &Server, args: &Args, sizes: &[u64]) -> anyhow::Result<Cost> {
    let mut shifts = Vec::new();
    for size in sizes {
        let args = Args {
            agents: Some(*size),
            ..args.clone()
        };
        shifts.push(shift::run(server, &args, args.pace(), 1).await?.0);
    }
    let costs: Vec<f64> = shifts.iter().map(Shift::cpu_an_alert).collect();
    Ok(Cost {
        ratios: costs.iter().map(|cost| cost / costs[0]).collect(),
        shifts,
    })
}
