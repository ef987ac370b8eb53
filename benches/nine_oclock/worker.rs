//! The worker, as its own process: the release binary, logging what it logs by default to a file.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::Serialize;
use shiftbell::clock::Stopwatch;

use crate::{database::Server, process, stand_ins::StandIns};

/// How fast the worker may send.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As configured by default.
    Default,
    /// As fast as it can, with so many requests in flight.
    Open { in_flight: u32 },
}

/// Requests to the presence API in flight, where the pace is open.
const BATCHES_IN_FLIGHT: u32 = 16;

/// A command of the binary, on the stand-ins' configuration.
pub(crate) fn command(stand_ins: &StandIns, pace: Pace) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shiftbell"));
    command.arg("--config").arg(&stand_ins.address.config);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    if let Pace::Open { in_flight } = pace {
        let presence = BATCHES_IN_FLIGHT.min(in_flight);
        for (section, flying) in [
            ("APNS", in_flight),
            ("FCM", in_flight),
            ("PRESENCE", presence),
        ] {
            command.env(format!("SHIFTBELL__{section}__MAX_PER_SECOND"), "100000");
            command.env(
                format!("SHIFTBELL__{section}__MAX_IN_FLIGHT"),
                flying.to_string(),
            );
        }
    }
    command
}

/// Runs a command to its end; how long it took, in seconds.
pub(crate) fn timed(command: &mut Command) -> anyhow::Result<f64> {
    let watch = Stopwatch::start();
    let output = command.stderr(Stdio::piped()).output()?;
    let seconds = watch.elapsed().as_secs_f64();
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(seconds)
}

/// CPU seconds of commands that ended, and of the database.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Used {
    pub(crate) command: f64,
    pub(crate) database: Option<f64>,
}

impl Used {
    /// All of them so far.
    pub(crate) fn now(server: &Server) -> Self {
        Self {
            command: process::cpu_of_ended(std::process::id()),
            database: server.cpu(),
        }
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            command: self.command - before.command,
            database: self
                .database
                .zip(before.database)
                .map(|(now, then)| now - then),
        }
    }
}

/// A running worker.
pub(crate) struct Worker {
    child: Child,
}

impl Worker {
    /// Starts `shiftbell run`; its log goes to a file of this number in `folder`.
    pub(crate) fn start(
        stand_ins: &StandIns,
        pace: Pace,
        folder: &Path,
        number: usize,
    ) -> anyhow::Result<Self> {
        let log = File::create(folder.join(format!("worker-{number}.log")))?;
        let child = command(stand_ins, pace).arg("run").stderr(log).spawn()?;
        Ok(Self { child })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end and waits; it must end well.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").arg(self.pid().to_string()).status()?;
        for _ in 0..400 {
            if let Some(status) = self.child.try_wait()? {
                return status
                    .success()
                    .then_some(())
                    .context("the worker ended badly");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the worker did not end within 40 seconds");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // After `stop` there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
