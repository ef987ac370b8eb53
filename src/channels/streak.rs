//! Requests in a row that got no answer: without a count of them a peer that refuses each connection
//! would be asked again without a pause.
//!
//! One lost connection takes all requests on it along, and that is one failure, not many: so many as
//! were in flight together since the last answer are free (`one_goaway_is_free_for_all_it_hits`).

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// How often in a row, beyond one answer for each request in flight, "not processed" is believed to
/// be worth a try at once.
const FREE: u32 = 10;

/// What recent requests to one peer say of it.
#[derive(Debug)]
pub(super) struct Streak {
    lost: AtomicU32,
    in_flight: AtomicU32,
    /// The most requests in flight at once since the last answer: so many may fail together.
    burst: AtomicU32,
    /// Whether nothing was answered yet, or not since the last loss.
    unsettled: std::sync::atomic::AtomicBool,
}

impl Default for Streak {
    fn default() -> Self {
        Self {
            lost: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            burst: AtomicU32::new(0),
            unsettled: true.into(),
        }
    }
}

impl Streak {
    /// Counts a request as in flight for as long as the answer lives.
    pub(super) fn flight(&self) -> Flight<'_> {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.burst.fetch_max(now, Ordering::Relaxed);
        Flight(self)
    }

    /// A request got no answer; how many that makes in a row.
    pub(super) fn grow(&self) -> u32 {
        self.unsettled.store(true, Ordering::Relaxed);
        let before = self
            .lost
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                Some(n.saturating_add(1))
            })
            .unwrap_or(u32::MAX);
        before.saturating_add(1)
    }

    /// How many in a row are free.
    pub(super) fn free(&self) -> u32 {
        self.burst.load(Ordering::Relaxed).saturating_add(FREE)
    }

    /// The peer answered.
    pub(super) fn end(&self) {
        self.lost.store(0, Ordering::Relaxed);
        self.unsettled.store(false, Ordering::Relaxed);
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        self.burst.store(in_flight, Ordering::Relaxed);
    }

    /// Whether it is not known that the peer answers: then one request at a time is enough, and makes
    /// one connection instead of many.
    fn unsettled(&self) -> bool {
        self.unsettled.load(Ordering::Relaxed)
    }

    /// How many requests may be in flight, of `most` to a peer that answers.
    pub(super) fn places(&self, most: usize) -> usize {
        if self.unsettled() { 1 } else { most }
    }
}

/// A request in flight.
pub(super) struct Flight<'s>(&'s Streak);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long to hold after `streak` failures in a row: 1 s, doubling up to 32 s.
pub(super) fn wait(streak: u32) -> Duration {
    Duration::from_secs(1 << streak.saturating_sub(1).min(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stop_growing() {
        let streak = Streak::default();
        let waits: Vec<_> = (0..8).map(|_| wait(streak.grow()).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 32, 32]);
        streak.end();
        assert_eq!(streak.grow(), 1);
        assert_eq!(wait(u32::MAX).as_secs(), 32);
    }

    #[test]
    fn one_goaway_is_free_for_all_it_hits() {
        let streak = Streak::default();
        let flights: Vec<_> = (0..100).map(|_| streak.flight()).collect();
        streak.end();
        assert!(!streak.unsettled());
        assert!(flights.iter().all(|_| streak.grow() <= streak.free()));
        assert!(streak.unsettled());
        drop(flights);
        streak.end();
        assert_eq!(streak.free(), FREE);
    }
}
