//! What every fault needs: a theatre with real receivers, a real database and real workers.

pub(crate) mod disk;
pub(crate) mod everywhere;
pub(crate) mod fake_time;
pub(crate) mod proxy;
pub(crate) mod rehearsal;
pub(crate) mod seconds;
pub(crate) mod strace;
pub(crate) mod theatre;
pub(crate) mod worker;

pub(crate) use disk::Disk;
pub(crate) use proxy::{Mode, Proxy};
pub(crate) use rehearsal::Rehearsal;
pub(crate) use strace::Strace;
pub(crate) use theatre::{Base, Plan, Theatre};
pub(crate) use worker::Worker;

use std::{future::Future, process::ExitStatus, time::Duration};

use shiftbell::clock::Stopwatch;

/// How thoroughly a fault is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// In CI.
    Quick,
    /// With `tests/run --faults`.
    Full,
}

impl Extent {
    /// One of two numbers.
    pub(crate) fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// What became of one fault.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// How often it really struck.
    pub(crate) struck: u64,
    /// Which invariants do not hold; none if all do.
    pub(crate) found: Vec<String>,
}

impl Report {
    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.struck += other.struck;
        self.found.extend(other.found);
        self
    }
}

/// A complaint about a process that did not end well.
pub(crate) fn ill_end(status: ExitStatus) -> Option<String> {
    (!status.success()).then(|| format!("L: a worker ended with {status}"))
}

/// Waits until `holds`, looking every few milliseconds; what was waited for, if it did not come.
///
/// Another process is watched through its database here, which tells nobody when it is through.
pub(crate) async fn until<F: Future<Output = bool>>(
    what: &str,
    within: Duration,
    mut holds: impl FnMut() -> F,
) -> Result<(), String> {
    let watch = Stopwatch::start();
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    while watch.elapsed() < within {
        beat.tick().await;
        if holds().await {
            return Ok(());
        }
    }
    Err(format!("L: waited {within:?} for {what}"))
}
