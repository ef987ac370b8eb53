//! What a receiver allows: how fast it may be asked, and whether at all.
//!
//! Shared by the lane and whoever else asks the same receiver: what one of them learns holds for all.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::{
    domain::{
        breaker::{Allowance, Breaker},
        delivery::{ChannelKind, Judgement, Verdict},
        pace::Pace,
    },
    telemetry::metrics,
    workers::lock,
};

/// One receiver's pace and breaker.
#[derive(Debug, Clone)]
pub struct Gate {
    kind: ChannelKind,
    pace: Arc<Mutex<Pace>>,
    breaker: Arc<Mutex<Breaker>>,
    taken: Arc<Taken>,
}

/// Whether the receiver took something.
#[derive(Debug, Default)]
struct Taken {
    some: AtomicBool,
    now: Notify,
}

impl Gate {
    /// The gate of a receiver whose requests begin as fast as `pace` allows.
    pub fn new(kind: ChannelKind, pace: Pace) -> Self {
        Self {
            kind,
            pace: Arc::new(Mutex::new(pace)),
            breaker: Arc::default(),
            taken: Arc::default(),
        }
    }

    /// Its pace.
    pub fn pace(&self) -> MutexGuard<'_, Pace> {
        lock(&self.pace)
    }

    /// What its breaker allows at `now` (UTC), with `in_flight` requests on their way.
    pub fn allowance(&self, now: Timestamp, in_flight: usize) -> Allowance {
        lock(&self.breaker).allowance(now, in_flight)
    }

    /// Why its breaker is open, if it is.
    pub fn open_reason(&self) -> Option<String> {
        lock(&self.breaker).open_reason().map(str::to_owned)
    }

    /// Whether the receiver took something since this was asked last.
    pub fn took_something(&self) -> bool {
        self.taken.some.swap(false, Ordering::AcqRel)
    }

    /// Waits until the receiver takes something.
    pub async fn takes_something(&self) {
        self.taken.now.notified().await;
    }

    /// Keeps in mind that the receiver took something.
    pub fn note_taken(&self) {
        self.taken.some.store(true, Ordering::Release);
        self.taken.now.notify_one();
    }

    /// Learns from an answer at `now` (UTC).
    pub fn learn(&self, judgement: &Judgement, now: Timestamp) {
        if judgement.verdict == Verdict::Sent {
            self.note_taken();
        }
        let mut breaker = lock(&self.breaker);
        let was_open = breaker.open_reason().is_some();
        breaker.learn(judgement, now);
        let channel = self.kind.as_str();
        match (was_open, breaker.open_reason()) {
            (false, Some(reason)) => tracing::error!(channel, reason, "breaker_opened"),
            (true, None) => tracing::info!(channel, "breaker_closed"),
            _ => return,
        }
        metrics::breaker(self.kind, breaker.open_reason().is_some());
    }
}
