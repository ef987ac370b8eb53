//! How many requests a receiver may get a second.
//!
//! A bucket that is asked before deliveries are claimed, so that nothing is leased that could not
//! be sent at once. It is told the time; a rate-limiting crate would sleep on a clock of its own
//! after the lease was taken.

use std::time::Duration;

use jiff::Timestamp;

/// A token bucket: `per_second` on average, at most `burst` at once.
#[derive(Debug, Clone)]
pub struct Pace {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled_at: Option<Timestamp>,
}

impl Pace {
    /// Allows `per_second` messages a second, at most a tenth of a second's worth at once.
    pub fn new(per_second: u32) -> Self {
        Self::with_burst(per_second, f64::from(per_second) / 10.0)
    }

    /// Allows `per_minute` messages a minute, at most a tenth of a second's worth (or one) at once.
    pub fn per_minute(per_minute: u32) -> Self {
        let per_second = f64::from(per_minute) / 60.0;
        Self::bucket(per_second, per_second / 10.0)
    }

    /// Allows `per_second` messages a second, and `burst` of them at once (at least one).
    pub fn with_burst(per_second: u32, burst: f64) -> Self {
        Self::bucket(f64::from(per_second), burst)
    }

    fn bucket(per_second: f64, burst: f64) -> Self {
        Self {
            per_second,
            burst: burst.max(1.0),
            tokens: 0.0,
            filled_at: None,
        }
    }

    /// Takes up to `want` messages at `now` (UTC); returns how many may go.
    pub fn take(&mut self, now: Timestamp, want: usize) -> usize {
        let burst = self.burst;
        self.tokens = match self.filled_at {
            // A clock that stepped back gives nothing and takes nothing.
            Some(then) => {
                let passed = now.duration_since(then).as_secs_f64().max(0.0);
                (self.tokens + passed * self.per_second).min(burst)
            }
            None => burst,
        };
        self.filled_at = Some(now);
        let granted = want.min(self.tokens as usize);
        self.tokens -= granted as f64;
        granted
    }

    /// Squares what was taken with what was used: the rest is given back, and what a batch that had
    /// to be split used beyond it is owed.
    pub fn settle(&mut self, taken: usize, used: usize) {
        self.tokens += taken as f64 - used as f64;
    }

    /// How long until one more message may go.
    pub fn next_in(&self) -> Duration {
        Duration::from_secs_f64(((1.0 - self.tokens) / self.per_second).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn a_second_gives_what_it_promises_and_no_more() {
        let mut pace = Pace::new(100);
        let sent: usize = (0..1000).map(|ms| pace.take(at(ms), 50)).sum();
        assert!((100..=110).contains(&sent), "{sent}");
    }

    #[test]
    fn a_clock_that_steps_back_neither_blocks_nor_floods() {
        let mut pace = Pace::new(10);
        assert_eq!(pace.take(at(3_600_000), 5), 1);
        assert_eq!(pace.take(at(0), 5), 0);
        assert_eq!(pace.take(at(200), 5), 1);
    }
}
