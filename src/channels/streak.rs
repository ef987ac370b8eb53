//! Failures in a row that cost nothing: without a count of them a peer that refuses each
//! connection would be asked again without a pause.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Counts requests that got no answer since the last that did.
#[derive(Debug, Default)]
pub(super) struct Streak(AtomicU32);

impl Streak {
    /// One more; how many that makes.
    pub(super) fn grow(&self) -> u32 {
        let before = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                Some(n.saturating_add(1))
            })
            .unwrap_or(u32::MAX);
        before.saturating_add(1)
    }

    /// The peer answered.
    pub(super) fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
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
}
