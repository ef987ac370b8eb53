//! From a judgement to the delivery's next state: pure, jitter included.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::delivery::{ChannelKind, DeliveryState, Judgement, Verdict};

const LONGEST: Duration = Duration::from_mins(1);
/// Releases that cost no try and are repeated at once; later ones wait.
const FREE_AT_ONCE: i64 = 3;

/// What the lease's holder knows of the delivery.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// The receiver.
    pub channel: ChannelKind,
    /// Tries it has cost before this one.
    pub tries: i64,
    /// Leases it has had, this one included.
    pub epoch: i64,
    /// After which (UTC) it is of no use; presence has none and never expires.
    pub deadline: Option<Timestamp>,
    /// How many messages travelled in the request.
    pub batch: usize,
    /// The cap under which it travelled.
    pub batch_cap: Option<i64>,
}

/// The delivery's next state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Not `leased`.
    pub state: DeliveryState,
    /// When (UTC) it is due again, for `pending`.
    pub due_at: Option<Timestamp>,
    /// Whether it cost a try.
    pub cost: bool,
    /// The largest batch it may travel in from now on.
    pub batch_cap: Option<i64>,
}

/// Decides what follows a judgement at `now` (UTC). `jitter` is uniform in `0.0..1.0`.
pub fn next(judgement: &Judgement, standing: &Standing, now: Timestamp, jitter: f64) -> Next {
    let done = |state, cost| Next {
        state,
        due_at: None,
        cost,
        batch_cap: standing.batch_cap,
    };
    let again = |wait: Duration, cost| {
        let due = now + wait;
        if standing.deadline.is_some_and(|deadline| due >= deadline) {
            return done(DeliveryState::Expired, cost);
        }
        Next {
            state: DeliveryState::Pending,
            due_at: Some(due),
            cost,
            batch_cap: standing.batch_cap,
        }
    };
    match judgement.verdict {
        Verdict::Sent => done(DeliveryState::Sent, true),
        Verdict::Retry | Verdict::Unknown => {
            let wait = backoff(standing.channel, standing.tries, jitter);
            again(wait.max(judgement.retry_after.unwrap_or_default()), true)
        }
        Verdict::Slow => {
            // However short the wait that the receiver asks for, it grows with each try.
            let wait = backoff(standing.channel, standing.tries, jitter);
            again(wait.max(judgement.retry_after.unwrap_or(LONGEST)), true)
        }
        Verdict::NotProcessed => {
            let free = standing.epoch - standing.tries;
            let wait = if free <= FREE_AT_ONCE {
                Duration::ZERO
            } else {
                backoff(standing.channel, free - FREE_AT_ONCE, jitter)
            };
            again(wait, false)
        }
        // The breaker holds it back.
        Verdict::Misconfigured => again(Duration::ZERO, false),
        Verdict::Narrow if standing.batch > 1 => Next {
            batch_cap: Some(standing.batch as i64 / 2),
            ..again(Duration::ZERO, false)
        },
        Verdict::Failed | Verdict::Narrow => done(DeliveryState::Failed, true),
    }
}

/// Uniform in `0.0..1.0` over deliveries and their attempts, and the same each time it is asked for:
/// retries spread without a random source, so a run can be replayed.
pub fn jitter(delivery: Uuid, epoch: i64) -> f64 {
    let hash = Uuid::new_v5(&delivery, &epoch.to_be_bytes());
    let (high, _) = hash.as_u64_pair();
    // The upper half of a version 5 UUID holds four bits that are always the same: leave them out.
    (high >> 16) as f64 / (1u64 << 48) as f64
}

/// Exponential with full jitter; FCM asks for at least ten seconds.
fn backoff(channel: ChannelKind, tries: i64, jitter: f64) -> Duration {
    let doubled = |base: Duration| base.saturating_mul(1 << tries.clamp(0, 10)).min(LONGEST);
    match channel {
        ChannelKind::Fcm => {
            let floor = Duration::from_secs(10);
            floor + doubled(floor).mul_f64(jitter)
        }
        ChannelKind::Apns | ChannelKind::Presence => {
            doubled(Duration::from_secs(1)).mul_f64(jitter)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn push(tries: i64) -> Standing {
        Standing {
            channel: ChannelKind::Apns,
            tries,
            epoch: tries + 1,
            deadline: Some(NOW + Duration::from_mins(15)),
            batch: 1,
            batch_cap: None,
        }
    }

    fn judged(verdict: Verdict) -> Judgement {
        Judgement::new(verdict, "x")
    }

    #[test]
    fn jitter_is_spread_evenly_and_repeats() {
        let ids = || (0..1000u128).map(Uuid::from_u128);
        let mean = ids().map(|id| jitter(id, 1)).sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert!(ids().all(|id| (0.0..1.0).contains(&jitter(id, 2))));
        assert!(ids().all(|id| jitter(id, 1).to_bits() == jitter(id, 1).to_bits()));
        assert!(ids().all(|id| jitter(id, 1).to_bits() != jitter(id, 2).to_bits()));
    }

    #[test]
    fn waits_grow_and_stay_within_a_minute() {
        let waits: Vec<_> = (0..9)
            .map(|tries| {
                next(&judged(Verdict::Retry), &push(tries), NOW, 0.999_999)
                    .due_at
                    .unwrap()
                    .as_second()
            })
            .collect();
        assert_eq!(waits, [0, 1, 3, 7, 15, 31, 59, 59, 59]);
        let fcm = Standing {
            channel: ChannelKind::Fcm,
            ..push(0)
        };
        assert_eq!(
            next(&judged(Verdict::Unknown), &fcm, NOW, 0.0)
                .due_at
                .unwrap()
                .as_second(),
            10
        );
    }

    #[test]
    fn retry_after_is_honoured_but_never_past_the_deadline() {
        let wait = |secs| Judgement {
            retry_after: Some(Duration::from_secs(secs)),
            ..judged(Verdict::Retry)
        };
        assert_eq!(
            next(&wait(120), &push(0), NOW, 0.5)
                .due_at
                .unwrap()
                .as_second(),
            120
        );
        assert_eq!(
            next(&wait(900), &push(0), NOW, 0.5).state,
            DeliveryState::Expired
        );
        let presence = Standing {
            channel: ChannelKind::Presence,
            deadline: None,
            ..push(0)
        };
        assert_eq!(
            next(&wait(900), &presence, NOW, 0.5).state,
            DeliveryState::Pending
        );
    }

    #[test]
    fn what_was_not_processed_goes_again_at_once_and_costs_nothing() {
        for verdict in [Verdict::NotProcessed, Verdict::Misconfigured] {
            let after = next(&judged(verdict), &push(0), NOW, 0.5);
            assert_eq!(
                (after.state, after.due_at, after.cost),
                (DeliveryState::Pending, Some(NOW), false)
            );
        }
        let often = Standing {
            epoch: 8,
            ..push(0)
        };
        assert!(
            next(&judged(Verdict::NotProcessed), &often, NOW, 0.5)
                .due_at
                .unwrap()
                > NOW,
            "no hot loop"
        );
    }

    #[test]
    fn a_refused_batch_is_halved_until_the_bad_event_stands_alone() {
        let mut batch = 100;
        let mut rounds = 0;
        while batch > 1 {
            let standing = Standing {
                batch,
                deadline: None,
                ..push(0)
            };
            let after = next(&judged(Verdict::Narrow), &standing, NOW, 0.5);
            assert_eq!((after.state, after.cost), (DeliveryState::Pending, false));
            batch = usize::try_from(after.batch_cap.unwrap()).unwrap();
            rounds += 1;
        }
        assert_eq!(rounds, 6);
        assert_eq!(
            next(&judged(Verdict::Narrow), &push(0), NOW, 0.5).state,
            DeliveryState::Failed
        );
    }
}
