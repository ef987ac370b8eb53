//! Boundaries in order: joined occurrences, `away` spans cut out, their starts and ends.

use jiff::{SignedDuration, Timestamp};

use super::{Boundary, BoundaryKind, occurrences::Joined, operating::OperatingHours, wall::Span};

/// From here on it is cheaper to begin anew after an absence than to walk through it.
const LONG_ABSENCE: SignedDuration = SignedDuration::from_hours(10 * 24);

/// On-duty spans in order: pairwise apart, each ending after the instant it was asked for.
struct OnDuty<'a> {
    hours: &'a OperatingHours,
    joined: Joined<'a>,
    /// What is left of a joined span after an absence inside it.
    rest: Option<Span>,
    /// Index of the first absence that is not over.
    away: usize,
}

impl Iterator for OnDuty<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        loop {
            let span = self.rest.take().or_else(|| self.joined.next())?;
            while self
                .hours
                .away
                .get(self.away)
                .is_some_and(|away| away.end <= span.start)
            {
                self.away += 1;
            }
            let Some(away) = self
                .hours
                .away
                .get(self.away)
                .filter(|away| away.start < span.end)
            else {
                return Some(span);
            };
            self.rest = Span::new(away.end, span.end);
            if span.start < away.start {
                return Some(Span {
                    start: span.start,
                    end: away.start,
                });
            }
            if self.rest.is_none() && away.end.duration_since(span.end) > LONG_ABSENCE {
                self.joined = Joined::around(self.hours, away.end);
            }
        }
    }
}

/// The boundaries strictly after an instant, in order. May be endless.
pub(super) struct Boundaries<'a> {
    on_duty: OnDuty<'a>,
    after: Timestamp,
    /// The end of the span whose start was just given.
    end: Option<Timestamp>,
}

impl<'a> Boundaries<'a> {
    /// Those strictly after `after` (UTC).
    pub(super) fn after(hours: &'a OperatingHours, after: Timestamp) -> Self {
        let away = hours.away.partition_point(|away| away.end <= after);
        let joined = Joined::around(hours, after);
        Self {
            on_duty: OnDuty {
                hours,
                joined,
                rest: None,
                away,
            },
            after,
            end: None,
        }
    }
}

impl Iterator for Boundaries<'_> {
    type Item = Boundary;

    fn next(&mut self) -> Option<Boundary> {
        loop {
            if let Some(at) = self.end.take() {
                return (at < Timestamp::MAX).then_some(Boundary {
                    at,
                    kind: BoundaryKind::End,
                });
            }
            let span = self.on_duty.next()?;
            if span.end <= self.after {
                continue;
            }
            self.end = Some(span.end);
            if span.start > self.after {
                return Some(Boundary {
                    at: span.start,
                    kind: BoundaryKind::Start,
                });
            }
        }
    }
}
