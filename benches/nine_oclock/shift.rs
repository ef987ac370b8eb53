//! Nine o'clock itself: every agent's hours start at one instant, and the worker tells everybody.

use std::time::Duration;

use anyhow::bail;
use jiff::Timestamp;
use serde::Serialize;
use shiftbell::clock::Stopwatch;

use crate::{
    Args,
    database::{self, Counters, Server, Statement},
    desk::Seen,
    histogram::Histogram,
    process,
    stage::{self, Stage},
    team, tell,
    worker::{Pace, Worker},
};

/// So long before the boundary the counters are read.
const QUIET: Duration = Duration::from_secs(3);
/// An alert is of use so long, so nothing comes after it.
const USEFUL: Duration = Duration::from_mins(15);

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Shift {
    pub(crate) agents: u64,
    pub(crate) workers: usize,
    pub(crate) import_seconds: f64,
    pub(crate) first_evaluation_seconds: f64,
    pub(crate) plan_seconds: f64,
    pub(crate) pushes: u64,
    pub(crate) events: u64,
    /// From the boundary to the last push.
    pub(crate) push_seconds: f64,
    pub(crate) event_seconds: f64,
    pub(crate) pushes_per_second: f64,
    pub(crate) events_per_second: f64,
    pub(crate) lateness: Vec<Lateness>,
    pub(crate) cpu: Cpu,
    /// What of it is spent when the rush is over.
    pub(crate) cpu_afterwards: Cpu,
    pub(crate) peak_memory_mib: f64,
    pub(crate) database: Option<Counters>,
    pub(crate) top: Vec<Statement>,
    pub(crate) batches: u64,
    pub(crate) refused: u64,
    pub(crate) findings: usize,
}

/// Seconds from the boundary to acceptance, on one channel.
#[derive(Debug, Serialize)]
pub(crate) struct Lateness {
    pub(crate) channel: String,
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    pub(crate) early: u64,
}

/// CPU seconds from the boundary until everything was settled, and in its place in the log.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Cpu {
    pub(crate) worker: f64,
    pub(crate) database: Option<f64>,
    pub(crate) stand_ins: f64,
}

/// Runs a shift's start with `workers` workers on a new stage, and leaves the stage for more.
pub(crate) async fn run(
    server: &Server,
    args: &Args,
    pace: Pace,
    workers: usize,
) -> anyhow::Result<(Shift, Stage)> {
    let mut stage = Stage::set(server, args, None).await?;
    let running: Vec<Worker> = (0..workers)
        .map(|number| stage.worker(pace, number))
        .collect::<Result<_, _>>()?;
    let first = stage.first_evaluation().await?;
    // Planning is less work than the first evaluation, writing the hours is much less.
    let at = stage::full_minute_after(Duration::from_secs_f64(first * 1.5 + 10.0));
    let planned = stage.plan(at).await?;
    if stage::now() + QUIET > at {
        bail!(
            "the plans were ready only at {}, for {at}: try again",
            stage::now()
        );
    }
    let shift = Shift {
        import_seconds: stage.imported_in,
        first_evaluation_seconds: first,
        plan_seconds: planned,
        ..start(server, &mut stage, args, at, &running).await?
    };
    for worker in running {
        worker.stop().await?;
    }
    Ok((shift, stage))
}

/// The start itself, with what it costs from a little before `at` until all is settled.
async fn start(
    server: &Server,
    stage: &mut Stage,
    args: &Args,
    at: Timestamp,
    running: &[Worker],
) -> anyhow::Result<Shift> {
    stage::sleep_until(at - QUIET).await;
    let cpu_before = cpu(server, stage, running);
    let before = database::begin(&stage.database);
    let modes_before = stage.stand_ins.seen()?.modes;
    stage::sleep_until(at).await;
    tell("the hours start");
    let seen = arrive(stage, args.agents(), modes_before).await?;
    stage.settled(Stopwatch::start()).await?;
    let cpu_rush = cpu(server, stage, running).since(&cpu_before);
    // In between Postgres does what it has to do of the import.
    stage.rush_over().await?;
    let cpu_before = cpu(server, stage, running);
    stage.put_away().await?;
    let cpu_afterwards = cpu(server, stage, running).since(&cpu_before);
    let top = database::top(&stage.database, args.statements);
    tokio::time::sleep(database::REPORTED).await;
    let counted = database::count(&stage.database);
    let mut shift = Shift {
        cpu: cpu_rush.and(&cpu_afterwards),
        cpu_afterwards,
        peak_memory_mib: running.iter().map(|w| process::peak_memory(w.pid())).sum(),
        database: before
            .zip(counted)
            .map(|(before, after)| after.since(&before)),
        top,
        ..Shift::new(args.agents(), running.len(), &seen, at)
    };
    shift.events += seen.modes - modes_before;
    shift.events_per_second = shift.events as f64 / shift.event_seconds;
    Ok(shift)
}

/// Waits until everybody was told.
async fn arrive(stage: &mut Stage, agents: u64, modes_before: u64) -> anyhow::Result<Seen> {
    let watch = Stopwatch::start();
    loop {
        let seen = stage.stand_ins.seen()?;
        let pushed = seen.apns.late.count + seen.fcm.late.count;
        let posted = seen.presence.late.count;
        let modes = seen.modes - modes_before;
        if pushed >= agents && posted >= agents && modes >= team::workspaces(agents) {
            return Ok(seen);
        }
        if watch.elapsed() > USEFUL {
            let states = stage.database.sql(
                "SELECT channel, state, reason, count(*) FROM delivery_log GROUP BY channel, state, reason",
            );
            bail!("of {agents} only {pushed} pushes and {posted} events came:\n{states}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn cpu(server: &Server, stage: &Stage, workers: &[Worker]) -> Cpu {
    Cpu {
        worker: workers
            .iter()
            .map(|worker| process::cpu(worker.pid()))
            .sum(),
        database: server.cpu(),
        stand_ins: process::cpu(stage.stand_ins.pid()),
    }
}

impl Cpu {
    fn and(&self, later: &Self) -> Self {
        Self {
            worker: self.worker + later.worker,
            database: self.database.zip(later.database).map(|(a, b)| a + b),
            stand_ins: self.stand_ins + later.stand_ins,
        }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            worker: self.worker - before.worker,
            database: self
                .database
                .zip(before.database)
                .map(|(now, then)| now - then),
            stand_ins: self.stand_ins - before.stand_ins,
        }
    }
}

impl Counters {
    fn since(&self, before: &Self) -> Self {
        Self {
            // Reset when it began.
            statements: self.statements,
            transactions: self.transactions - before.transactions,
            wal_bytes: self.wal_bytes - before.wal_bytes,
            wal_syncs: self.wal_syncs - before.wal_syncs,
            wal_sync_ms: self.wal_sync_ms - before.wal_sync_ms,
        }
    }
}

impl Shift {
    fn new(agents: u64, workers: usize, seen: &Seen, at: Timestamp) -> Self {
        let since = |last: i64| (last - at.as_millisecond()) as f64 / 1000.0;
        let push_seconds = since(seen.apns.last.max(seen.fcm.last));
        let event_seconds = since(seen.presence.last);
        let pushes = seen.apns.late.count + seen.fcm.late.count;
        Self {
            agents,
            workers,
            import_seconds: 0.0,
            first_evaluation_seconds: 0.0,
            plan_seconds: 0.0,
            pushes,
            events: seen.presence.late.count,
            push_seconds,
            event_seconds,
            pushes_per_second: pushes as f64 / push_seconds,
            events_per_second: 0.0,
            lateness: [
                ("apns", &seen.apns),
                ("fcm", &seen.fcm),
                ("presence", &seen.presence),
            ]
            .into_iter()
            .map(|(name, channel)| Lateness::new(name, &channel.late))
            .collect(),
            cpu: Cpu::default(),
            cpu_afterwards: Cpu::default(),
            peak_memory_mib: 0.0,
            database: None,
            top: Vec::new(),
            batches: seen.batches,
            refused: seen.refused,
            findings: seen.findings,
        }
    }
}

impl Shift {
    /// CPU seconds of worker and database for one alert.
    pub(crate) fn cpu_an_alert(&self) -> f64 {
        (self.cpu.worker + self.cpu.database.unwrap_or(0.0)) / self.pushes as f64
    }

    /// The same for 1,000 alerts, with the stand-ins'.
    pub(crate) fn cpu_of_thousand(&self) -> f64 {
        (self.cpu_an_alert() + self.cpu.stand_ins / self.pushes as f64) * 1000.0
    }
}

impl Lateness {
    fn new(channel: &str, late: &Histogram) -> Self {
        Self {
            channel: channel.to_owned(),
            count: late.count,
            p50: late.at(0.5),
            p90: late.at(0.9),
            p99: late.at(0.99),
            max: late.max(),
            early: late.early,
        }
    }
}
