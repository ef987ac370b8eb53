//! The one place that reads the clock. Everything else is handed `now`.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

/// Tells the time. Clones share one clock.
#[derive(Clone)]
pub struct Clock(Arc<Mutex<Source>>);

enum Source {
    /// The machine's wall clock, shifted by `offset`.
    System { offset: SignedDuration },
    /// Another machine's clock (the database's), carried on by this machine's monotonic clock.
    Following {
        read: Timestamp,
        at: std::time::Instant,
    },
    /// Stands still until told.
    Manual(Timestamp),
}

impl Clock {
    /// The machine's wall clock.
    pub fn system() -> Self {
        Self::system_shifted(SignedDuration::ZERO)
    }

    /// The machine's wall clock, moved by `offset`: the demo's day starts seconds before a boundary.
    pub fn system_shifted(offset: SignedDuration) -> Self {
        Self(Arc::new(Mutex::new(Source::System { offset })))
    }

    /// A clock that stands at `now` (UTC) until [`Clock::set`] or [`Clock::advance`].
    pub fn manual(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Source::Manual(now))))
    }

    /// The instant it is now, UTC.
    pub fn now(&self) -> Timestamp {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Source::System { offset } => wall() + *offset,
            Source::Following { read, at } => *read + monotonic().duration_since(*at),
            Source::Manual(now) => *now,
        }
    }

    /// Whether [`Clock::follow`] may replace the source: a shifted or manual clock keeps its own time.
    pub fn follows_database(&self) -> bool {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Source::System { offset } => offset.is_zero(),
            Source::Following { .. } => true,
            Source::Manual(_) => false,
        }
    }

    /// Follows another clock that read `now` this very moment. Where several workers share one
    /// Postgres this makes the database's clock the time of all of them, whatever their own say.
    pub fn follow(&self, now: Timestamp) {
        let mut source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *source = Source::Following {
            read: now,
            at: monotonic(),
        };
    }

    /// Sets a manual clock to `now` (UTC).
    ///
    /// # Panics
    /// On a clock that is not manual.
    pub fn set(&self, now: Timestamp) {
        let mut source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            matches!(*source, Source::Manual(_)),
            "only a manual clock can be set"
        );
        *source = Source::Manual(now);
    }

    /// Moves a manual clock on by `by`.
    ///
    /// # Panics
    /// On a clock that is not manual.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A running stopwatch, for measuring durations that a stepping wall clock would spoil.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts one.
    pub fn start() -> Self {
        Self(monotonic())
    }

    /// Time since its start.
    pub fn elapsed(self) -> Duration {
        monotonic().duration_since(self.0)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where the wall clock is read"
)]
fn wall() -> Timestamp {
    Timestamp::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where the monotonic clock is read"
)]
fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}
