//! From the first READY to the exit code.
//!
//! Stopping has two stages. The first SIGTERM or SIGINT asks: nothing new is begun, what is under
//! way is finished. A second one, or [`GRACE`] after the first, insists: everything is dropped,
//! which is safe, since whatever was leased comes back when its lease runs out. The exit code tells
//! which it was. `tests/lifecycle.rs` sends real signals.
//!
//! systemd's watchdog is fed only while the worker's loop turns, so a worker that hangs is
//! restarted and not just one that died.

use std::{
    io,
    process::{ExitCode, Termination},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use crate::clock::Stopwatch;

/// How long work under way may take after the first signal.
pub const GRACE: Duration = Duration::from_secs(25);

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All of it was done: 0.
    Done,
    /// Something failed, or was dropped half way: 1.
    Failed,
    /// The command line or the configuration is wrong, and nothing was begun: 2.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Failed => Self::FAILURE,
            Exit::Usage => Self::from(2),
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}

/// The two stages of stopping. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Begin nothing new.
    pub soft: CancellationToken,
    /// Drop everything. Implies `soft`.
    pub hard: CancellationToken,
}

impl Shutdown {
    /// Both stages, driven by this process's signals from now on. Must be called on a tokio runtime.
    pub fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (send, signals) = mpsc::channel(2);
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if send.send(name).await.is_err() {
                    return;
                }
            }
        });
        let shutdown = Self::default();
        tokio::spawn(shutdown.clone().drive(signals));
        Ok(shutdown)
    }

    /// Goes from stage to stage with each signal, or [`GRACE`] after the first.
    async fn drive(self, mut signals: mpsc::Receiver<&'static str>) {
        let Some(signal) = signals.recv().await else {
            return;
        };
        tracing::info!(signal, "stopping: finishing what is under way");
        self.soft.cancel();
        if tokio::time::timeout(GRACE, signals.recv()).await.is_ok() {
            tracing::warn!("stopping at once: asked a second time");
        } else {
            tracing::warn!(after_s = GRACE.as_secs(), "stopping at once: out of time");
        }
        self.hard.cancel();
    }

    /// Runs `work`, which is to end by itself once `soft` is cancelled, and drops it when `hard`
    /// is. `None` means that it was dropped.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.hard.run_until_cancelled(work).await
    }
}

/// A sign of life: the loop touches it, health checks and the watchdog read it.
#[derive(Debug, Clone)]
pub struct Progress {
    started: Stopwatch,
    last_ms: Arc<AtomicU64>,
}

impl Progress {
    /// A loop that turned just now.
    pub fn new() -> Self {
        Self {
            started: Stopwatch::start(),
            last_ms: Arc::default(),
        }
    }

    /// The loop turned.
    pub fn turned(&self) {
        let now = self.started.elapsed().as_millis() as u64;
        self.last_ms.store(now, Ordering::Relaxed);
    }

    /// How long ago the loop last turned, by the monotonic clock.
    pub fn since(&self) -> Duration {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last)
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// Tells systemd that the service is up. Does nothing where systemd did not start it.
pub fn ready() {
    notify(&NotifyState::Ready);
}

/// Tells systemd that the service is on its way out.
pub fn stopping() {
    notify(&NotifyState::Stopping);
}

/// Feeds systemd's watchdog, where there is one, for as long as `progress` is younger than the
/// watchdog's interval, until `stop` (the hard one: finishing takes longer than a turn).
pub async fn watchdog(progress: Progress, stop: CancellationToken) {
    let Some(interval) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut beat = tokio::time::interval(interval / 3);
    while stop.run_until_cancelled(beat.tick()).await.is_some() {
        if progress.since() < interval {
            notify(&NotifyState::Watchdog);
        }
    }
}

fn notify(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(%error, "systemd cannot be notified");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_second_stage_comes_with_a_second_signal() {
        let shutdown = Shutdown::default();
        let (send, signals) = mpsc::channel(2);
        let driver = tokio::spawn(shutdown.clone().drive(signals));
        assert_eq!(shutdown.run(async { 7 }).await, Some(7));
        send.send("SIGTERM").await.unwrap();
        shutdown.soft.cancelled().await;
        assert!(!shutdown.hard.is_cancelled());
        send.send("SIGINT").await.unwrap();
        driver.await.unwrap();
        assert!(shutdown.hard.is_cancelled());
        assert_eq!(shutdown.run(std::future::pending::<()>()).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_stage_comes_when_time_is_up() {
        let shutdown = Shutdown::default();
        let (send, signals) = mpsc::channel(2);
        let driver = tokio::spawn(shutdown.clone().drive(signals));
        send.send("SIGTERM").await.unwrap();
        shutdown.soft.cancelled().await;
        let early = tokio::time::timeout(GRACE.mul_f64(0.999), shutdown.hard.cancelled());
        assert!(early.await.is_err(), "the grace was cut short");
        let late = tokio::time::timeout(GRACE.mul_f64(0.002), shutdown.hard.cancelled());
        assert!(late.await.is_ok(), "the grace was overrun");
        driver.await.unwrap();
    }

    #[test]
    fn progress_is_as_old_as_the_last_turn() {
        let progress = Progress::new();
        let before = Stopwatch::start();
        progress.clone().turned();
        assert!(progress.since() <= before.elapsed() + Duration::from_millis(1));
    }

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        for (exit, code) in [(Exit::Done, 0), (Exit::Failed, 1), (Exit::Usage, 2)] {
            assert_eq!(exit.report(), ExitCode::from(code));
        }
    }
}
