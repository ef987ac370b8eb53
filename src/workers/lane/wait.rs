//! When a lane looks at the outbox again.

use std::time::Duration;

use jiff::Timestamp;

/// Looks at the outbox at least so often, should a wake-up be lost.
const FALLBACK: Duration = Duration::from_mins(1);

/// What a lane waits for that can begin nothing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until a request ends.
    Full,
    /// For so long: more is due, but not so fast.
    Paced(Duration),
    /// For so long, unless something happens before.
    For(Duration),
    /// The same, since nothing is due until then.
    Due(Duration),
}

impl Wait {
    /// Until `next`, the earliest due time of what is pending. What is due and was not claimed waits for
    /// another event of its agent to come back, or for places that are all free.
    pub(super) fn until(next: Option<Timestamp>, now: Timestamp) -> Self {
        match next {
            Some(at) if at <= now => Self::For(Duration::from_millis(50)),
            Some(at) => Self::Due(
                at.duration_since(now)
                    .unsigned_abs()
                    .clamp(Duration::from_millis(5), FALLBACK),
            ),
            None => Self::Due(FALLBACK),
        }
    }

    /// The longest that it may take.
    pub(super) fn at_most(self) -> Duration {
        match self {
            Self::Full => FALLBACK,
            Self::Paced(wait) | Self::For(wait) | Self::Due(wait) => {
                wait.clamp(Duration::from_millis(1), FALLBACK)
            }
        }
    }
}
