//! Everything set up for one measurement: database, stand-ins, team, and the plan for one instant.

use std::{path::PathBuf, time::Duration};

use anyhow::bail;
use jiff::{SignedDuration, Timestamp};
use shiftbell::clock::{Clock, Stopwatch};

use crate::{
    Args,
    database::{self, Server},
    stand_ins::StandIns,
    support::Database,
    team, tell,
    worker::{self, Pace, Worker},
};

/// A first evaluation takes no longer than this.
const PATIENCE: Duration = Duration::from_mins(30);

/// One installation with a team in it.
pub(crate) struct Stage {
    pub(crate) database: Database,
    pub(crate) stand_ins: StandIns,
    pub(crate) folder: tempfile::TempDir,
    /// How long the import took, in seconds.
    pub(crate) imported_in: f64,
    /// The CPU seconds it took.
    pub(crate) imported_cpu: worker::Used,
    agents: u64,
}

/// What is left to send.
const OPEN: &str = "SELECT /* bench */ (SELECT count(*) FROM outbox)
    + (SELECT coalesce(sum(count), 0) FROM dispatches) - (SELECT coalesce(sum(count), 0) FROM outcomes)";

impl Stage {
    /// A new database and new stand-ins, and the team imported: with hours from `hours` on, if they
    /// are known yet.
    pub(crate) async fn set(
        server: &Server,
        args: &Args,
        hours: Option<Timestamp>,
    ) -> anyhow::Result<Self> {
        let database = server.database().await;
        let folder = tempfile::tempdir()?;
        let stand_ins =
            StandIns::start(folder.path(), &database.url, args.delay_ms(), args.streams)?;
        let file: PathBuf = folder.path().join("team.jsonl");
        team::write(&file, args.agents(), hours)?;
        let mut import = worker::command(&stand_ins, Pace::Default);
        let imported_cpu = worker::Used::now(server);
        let imported_in = worker::timed(import.arg("import").arg(&file))?;
        let imported_cpu = worker::Used::now(server).since(imported_cpu);
        tell(&format!(
            "{} agents imported in {imported_in:.1} s",
            args.agents()
        ));
        Ok(Self {
            database,
            stand_ins,
            folder,
            imported_in,
            imported_cpu,
            agents: args.agents(),
        })
    }

    /// Starts a worker.
    pub(crate) fn worker(&self, pace: Pace, number: usize) -> anyhow::Result<Worker> {
        Worker::start(&self.stand_ins, pace, self.folder.path(), number)
    }

    /// Waits until every agent's first status was posted and nothing is left to send; how long it
    /// took, in seconds.
    pub(crate) async fn first_evaluation(&mut self) -> anyhow::Result<f64> {
        let watch = Stopwatch::start();
        while self.stand_ins.seen()?.synced < self.agents {
            pause(watch, "the first statuses").await?;
        }
        let seconds = watch.elapsed().as_secs_f64();
        self.settled(watch).await?;
        tell(&format!("first statuses posted in {seconds:.1} s"));
        Ok(seconds)
    }

    /// Gives everybody hours that start at `at`, and waits until they are planned; how long the
    /// planning took, in seconds.
    pub(crate) async fn plan(&self, at: Timestamp) -> anyhow::Result<f64> {
        let watch = Stopwatch::start();
        team::set_hours(&self.database, at);
        let written = watch.elapsed().as_secs_f64();
        self.planned().await?;
        let seconds = watch.elapsed().as_secs_f64() - written;
        tell(&format!(
            "hours from {at} written in {written:.1} s, planned {seconds:.1} s later"
        ));
        Ok(seconds)
    }

    /// Waits until no plan is stale; how long it took, in seconds.
    pub(crate) async fn planned(&self) -> anyhow::Result<f64> {
        let watch = Stopwatch::start();
        let stale = "SELECT /* bench */ count(*) FROM (SELECT 1 FROM agent_state WHERE due_at = 0 LIMIT 1) AS stale";
        self.none_left(watch, stale, "the plans").await?;
        Ok(watch.elapsed().as_secs_f64())
    }

    /// Waits until nothing is left to send.
    pub(crate) async fn settled(&self, watch: Stopwatch) -> anyhow::Result<()> {
        self.none_left(watch, OPEN, "the last outcomes").await
    }

    /// How much is left to send.
    pub(crate) fn open(&self) -> anyhow::Result<u64> {
        database::number(&self.database, OPEN)
    }

    /// Sleeps until a little before what was sent in a rush is taken apart.
    pub(crate) async fn rush_over(&self) -> anyhow::Result<()> {
        let first = "SELECT /* bench */ coalesce(min(unpack_at), 0) FROM dispatches";
        let first = database::number(&self.database, first)?;
        sleep_until(Timestamp::from_millisecond(first as i64)? - Duration::from_secs(1)).await;
        Ok(())
    }

    /// Waits until it is.
    pub(crate) async fn put_away(&self) -> anyhow::Result<()> {
        let whole = "SELECT /* bench */ count(*) FROM dispatches";
        self.none_left(Stopwatch::start(), whole, "dispatches to be taken apart")
            .await
    }

    async fn none_left(&self, watch: Stopwatch, count: &str, what: &str) -> anyhow::Result<()> {
        while database::number(&self.database, count)? > 0 {
            pause(watch, what).await?;
        }
        Ok(())
    }
}

async fn pause(watch: Stopwatch, what: &str) -> anyhow::Result<()> {
    if watch.elapsed() > PATIENCE {
        bail!("waited {PATIENCE:?} for {what}");
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(())
}

/// The first full minute that is at least `wait` away.
pub(crate) fn full_minute_after(wait: Duration) -> Timestamp {
    let earliest = (now() + wait).as_second();
    Timestamp::from_second(earliest.div_euclid(60) * 60 + 60).expect("a minute from now is a time")
}

/// Sleeps until `at`.
pub(crate) async fn sleep_until(at: Timestamp) {
    let wait = at.duration_since(now()).max(SignedDuration::ZERO);
    tokio::time::sleep(wait.unsigned_abs()).await;
}

pub(crate) fn now() -> Timestamp {
    Clock::system().now()
}
