//! A receiver's breaker: while it is open, nothing is claimed for that receiver, and no other
//! receiver notices.
//!
//! It opens at once when an answer says that our configuration or credentials are wrong, after a
//! burst of refused phones (most likely the wrong environment or project), and after a row of
//! failures to answer. After a pause it lets one request through; the pause doubles while that fails.

use std::time::Duration;

use jiff::Timestamp;

use super::delivery::{DeviceFate, Judgement, Verdict};

/// Failures in a row, without an accepted request between, after which the breaker opens.
const FAILURES_TO_OPEN: u32 = 20;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a receiver that wants fewer requests is left alone where it does not say.
const SLOW_PAUSE: Duration = Duration::from_mins(1);

/// What may be claimed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// As much as slots and pace allow.
    All,
    /// One request, to see whether the receiver is back.
    Probe,
    /// Nothing before this instant, UTC.
    Nothing(Timestamp),
}

/// The state of one receiver.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    failures: u32,
    refused_phones: u32,
    open: Option<Open>,
    held: Option<Span>,
}

/// For how long nothing goes. A clock that steps back before its beginning ends it: else a step of an
/// hour would hold everything for an hour.
#[derive(Debug, Clone, Copy)]
struct Span {
    since: Timestamp,
    until: Timestamp,
}

impl Span {
    fn of(wait: Duration, now: Timestamp) -> Self {
        Self {
            since: now,
            until: now + wait,
        }
    }

    /// Until when (UTC) it holds, if it does at `now`.
    fn holds(self, now: Timestamp) -> Option<Timestamp> {
        (self.since <= now && now < self.until).then_some(self.until)
    }
}

#[derive(Debug, Clone)]
struct Open {
    span: Span,
    pause: Duration,
    reason: String,
}

impl Breaker {
    /// What may be claimed at `now` (UTC), with `in_flight` requests on their way.
    pub fn allowance(&self, now: Timestamp, in_flight: usize) -> Allowance {
        let held = self.held.and_then(|span| span.holds(now));
        let open = self.open.as_ref().map(|open| open.span.holds(now));
        match (open, held) {
            (_, Some(until)) | (Some(Some(until)), None) => Allowance::Nothing(until),
            // The probe's answer will tell; until then nothing more.
            (Some(None), None) if in_flight > 0 => Allowance::Nothing(now + FIRST_PAUSE),
            (Some(None), None) => Allowance::Probe,
            (None, None) => Allowance::All,
        }
    }

    /// Why the breaker is open, if it is.
    pub fn open_reason(&self) -> Option<&str> {
        self.open.as_ref().map(|open| open.reason.as_str())
    }

    /// Learns from an answer at `now` (UTC).
    pub fn learn(&mut self, judgement: &Judgement, now: Timestamp) {
        match judgement.verdict {
            Verdict::Sent => {
                *self = Self {
                    held: self.held,
                    ..Self::default()
                }
            }
            Verdict::Misconfigured => self.trip(&judgement.reason, now),
            // Not even reached.
            Verdict::Slow if judgement.http_status.is_none() => self.trip(&judgement.reason, now),
            Verdict::Slow => {
                let wait = judgement.retry_after.unwrap_or(SLOW_PAUSE);
                self.hold(wait.max(FIRST_PAUSE), now);
            }
            // Says nothing: the channel itself tells when it comes too often.
            Verdict::NotProcessed if judgement.http_status.is_none() => {}
            Verdict::Failed if judgement.device == DeviceFate::Quarantine => {
                self.refused_phones += 1;
                self.failures = 0;
                if self.refused_phones >= FAILURES_TO_OPEN {
                    self.trip(&judgement.reason, now);
                }
            }
            // One agent whom a product never sets must not hold up all others.
            _ if judgement.is_about_one() || judgement.verdict == Verdict::NotProcessed => {
                self.failures = 0;
                self.open = None;
            }
            _ => self.count_failure(judgement, now),
        }
    }

    /// Holds everything for `wait`, and never shorter than it is held already.
    fn hold(&mut self, wait: Duration, now: Timestamp) {
        let longer = self.held.and_then(|span| span.holds(now)) >= Some(now + wait);
        if !longer {
            self.held = Some(Span::of(wait, now));
        }
    }

    fn count_failure(&mut self, judgement: &Judgement, now: Timestamp) {
        self.failures += 1;
        if self.open.is_some() || self.failures >= FAILURES_TO_OPEN {
            self.trip(&judgement.reason, now);
        }
    }

    fn trip(&mut self, reason: &str, now: Timestamp) {
        let pause = match &self.open {
            // Answers that were under way when it opened say nothing new.
            Some(open) if open.span.holds(now).is_some() => return,
            Some(open) => (open.pause * 2).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        self.open = Some(Open {
            span: Span::of(pause, now),
            pause,
            reason: reason.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn wrong_credentials_open_it_at_once_and_one_probe_closes_it() {
        let mut breaker = Breaker::default();
        breaker.learn(
            &Judgement::new(Verdict::Misconfigured, "InvalidProviderToken"),
            at(0),
        );
        assert_eq!(breaker.allowance(at(0), 0), Allowance::Nothing(at(1)));
        assert_eq!(breaker.open_reason(), Some("InvalidProviderToken"));
        assert_eq!(breaker.allowance(at(1), 0), Allowance::Probe);
        assert_ne!(
            breaker.allowance(at(1), 1),
            Allowance::Probe,
            "one probe at a time"
        );
        breaker.learn(&Judgement::new(Verdict::Sent, ""), at(2));
        assert_eq!(breaker.allowance(at(2), 5), Allowance::All);
    }

    #[test]
    fn the_pause_doubles_up_to_its_limit() {
        let mut breaker = Breaker::default();
        let mut now = at(0);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            breaker.learn(&Judgement::new(Verdict::Misconfigured, "x"), now);
            let Allowance::Nothing(until) = breaker.allowance(now, 0) else {
                panic!("open")
            };
            pauses.push(until.duration_since(now).as_secs());
            now = until;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn a_burst_of_refused_phones_opens_it_but_a_few_among_good_ones_do_not() {
        let refused = Judgement {
            device: DeviceFate::Quarantine,
            ..Judgement::new(Verdict::Failed, "BadDeviceToken")
        };
        let mut breaker = Breaker::default();
        for n in 0..100 {
            breaker.learn(&refused, at(n));
            if n % 10 == 9 {
                breaker.learn(&Judgement::new(Verdict::Sent, ""), at(n));
            }
        }
        assert_eq!(breaker.open_reason(), None);
        (0..20).for_each(|_| breaker.learn(&refused, at(100)));
        assert_eq!(breaker.open_reason(), Some("BadDeviceToken"));
    }

    #[test]
    fn what_one_agent_is_refused_opens_nothing() {
        let not_applied = Judgement {
            http_status: Some(200),
            ..Judgement::new(Verdict::Retry, "not_applied /status")
        };
        let mut breaker = Breaker::default();
        (0..100).for_each(|n| breaker.learn(&not_applied, at(n)));
        assert_eq!(breaker.allowance(at(100), 0), Allowance::All);
        let down = Judgement {
            http_status: Some(503),
            ..not_applied
        };
        (0..20).for_each(|_| breaker.learn(&down, at(100)));
        assert_eq!(breaker.allowance(at(100), 0), Allowance::Nothing(at(101)));
    }

    #[test]
    fn a_clock_that_steps_back_holds_nothing_for_longer() {
        let mut breaker = Breaker::default();
        breaker.learn(&Judgement::new(Verdict::Misconfigured, "x"), at(3600));
        let slow = Judgement {
            http_status: Some(429),
            ..Judgement::new(Verdict::Slow, "429")
        };
        breaker.learn(&slow, at(3600));
        assert_eq!(breaker.allowance(at(0), 0), Allowance::Probe);
    }

    #[test]
    fn a_receiver_that_cannot_be_reached_is_probed() {
        let mut breaker = Breaker::default();
        breaker.learn(&Judgement::new(Verdict::Slow, "refused"), at(0));
        assert_eq!(breaker.open_reason(), Some("refused"));
        assert_eq!(breaker.allowance(at(1), 0), Allowance::Probe);
    }

    #[test]
    fn a_receiver_that_wants_less_is_held_as_long_as_it_asks() {
        let mut breaker = Breaker::default();
        let slow = Judgement {
            http_status: Some(429),
            retry_after: Some(Duration::from_secs(7)),
            ..Judgement::new(Verdict::Slow, "429")
        };
        breaker.learn(&slow, at(0));
        let once = Judgement {
            retry_after: Some(Duration::ZERO),
            http_status: Some(429),
            ..slow.clone()
        };
        breaker.learn(&once, at(0));
        assert_eq!(breaker.allowance(at(6), 0), Allowance::Nothing(at(7)));
        assert_eq!(breaker.allowance(at(7), 0), Allowance::All);
        breaker.learn(&once, at(7));
        assert_eq!(
            breaker.allowance(at(7), 0),
            Allowance::Nothing(at(8)),
            "no hot loop"
        );
    }
}
