//! Lateness as a histogram, so that a million alerts take no more room than one.

use serde::{Deserialize, Serialize};

/// Steps in each doubling: a percentile is at most 1/64 too high.
const STEPS: u64 = 64;
/// Doublings above the first [`STEPS`] microseconds; the last one ends beyond a day.
const DOUBLINGS: usize = 32;

/// Durations in microseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    pub(crate) count: u64,
    max: u64,
    /// Came before the instant they were for, which must not happen.
    pub(crate) early: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; (DOUBLINGS + 1) * STEPS as usize],
            count: 0,
            max: 0,
            early: 0,
        }
    }
}

impl Histogram {
    /// Adds one.
    pub(crate) fn add(&mut self, microseconds: i64) {
        let value = u64::try_from(microseconds).unwrap_or_else(|_| {
            self.early += 1;
            0
        });
        self.count += 1;
        self.max = self.max.max(value);
        let last = self.counts.len() - 1;
        self.counts[bucket(value).min(last)] += 1;
    }

    /// The value that `share` (0 to 1) of all do not exceed, in seconds.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper(bucket).min(self.max) as f64 / 1e6;
            }
        }
        self.max as f64 / 1e6
    }

    /// The largest, in seconds.
    pub(crate) fn max(&self) -> f64 {
        self.max as f64 / 1e6
    }
}

/// Values below [`STEPS`] have a bucket each; above, each doubling has [`STEPS`] of them.
fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let doubling = u64::from(value.ilog2() - STEPS.ilog2());
    let step = (value >> doubling) - STEPS;
    ((doubling + 1) * STEPS + step) as usize
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let (doubling, step) = (bucket / STEPS - 1, bucket % STEPS);
    ((STEPS + step + 1) << doubling) - 1
}
