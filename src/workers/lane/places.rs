//! The places of a lane: how many requests are under way, and who may begin another.
//!
//! Whoever is to lease something takes places first, and gives back those it found no use for: the lane
//! and the scan never fill one twice.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::gate::Gate;
use crate::workers::{lock, settle::Outcome};

/// What the lane, its sends and the scan share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) gate: Gate,
    taken: AtomicUsize,
    pub(super) freed: Notify,
    /// Of the run that goes on, if one does.
    run: Mutex<Option<Run>>,
}

/// What a send needs of the run it is part of.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) outcomes: mpsc::Sender<Outcome>,
    pub(super) sends: TaskTracker,
    /// Cancelled when the lane is to end: what has not begun is given back.
    pub(super) stop: CancellationToken,
}

/// A place among the requests in flight, taken until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    state: Arc<State>,
    /// Whether the lane is told when it is free again: not of what it took itself in vain.
    tells: bool,
}

impl Place {
    /// The lane's state.
    pub(super) fn state(&self) -> &State {
        &self.state
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.state.taken.fetch_sub(1, Ordering::AcqRel);
        if self.tells {
            self.state.freed.notify_waiters();
        }
    }
}

/// Places that were taken and not used yet. Those that never are do not count for the pace.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<Place>);

impl Places {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Those that so many requests need, which may be more than there are places; the others are free.
    pub(super) fn used_for(mut self, requests: usize) -> Vec<Place> {
        let mut places = std::mem::take(&mut self.0);
        if let Some(place) = places.first() {
            place.state.gate.pace().settle(places.len(), requests);
        }
        places.truncate(requests);
        for place in &mut places {
            place.tells = true;
        }
        places
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        if let Some(place) = self.0.first() {
            place.state.gate.pace().settle(self.0.len(), 0);
        }
    }
}

/// Places that the scan took. The lane's run waits for them, and looks again when it gets them back.
#[derive(Debug)]
pub struct Reserved {
    pub(super) places: Places,
    pub(super) run: Run,
    pub(super) token: TaskTrackerToken,
}

impl Reserved {
    pub(super) fn new(mut places: Places, run: Run, token: TaskTrackerToken) -> Self {
        for place in &mut places.0 {
            place.tells = true;
        }
        Self { places, run, token }
    }
}

impl State {
    pub(super) fn new(gate: Gate) -> Self {
        Self {
            gate,
            taken: AtomicUsize::new(0),
            freed: Notify::new(),
            run: Mutex::default(),
        }
    }

    /// How many places are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// Takes up to `want` of `all` places, as far as the pace allows it at `now` (UTC).
    pub(super) fn take(self: &Arc<Self>, want: usize, all: usize, now: Timestamp) -> Places {
        let granted = self.gate.pace().take(now, want);
        let mut got = 0;
        let _ = self
            .taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
                got = granted.min(all.saturating_sub(taken));
                Some(taken + got)
            });
        self.gate.pace().settle(granted, got);
        let place = || Place {
            state: Arc::clone(self),
            tells: false,
        };
        Places(std::iter::repeat_with(place).take(got).collect())
    }

    /// Lets the scan take places, until [`State::close`].
    pub(super) fn open(&self, run: Run) {
        *lock(&self.run) = Some(run);
    }

    /// From now on nobody but who has taken some already sends anything.
    pub(super) fn close(&self) {
        *lock(&self.run) = None;
    }

    /// The run that goes on, and a token for which it waits.
    pub(super) fn run(&self) -> Option<(Run, TaskTrackerToken)> {
        let run = lock(&self.run);
        run.as_ref().map(|run| (run.clone(), run.sends.token()))
    }
}
