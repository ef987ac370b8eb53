//! From a span on the wall clock to a span of instants.
//!
//! A local span `[start, end)` stands for the instants from the first to the last at which the
//! zone's wall clock reads inside it. Where the clock neither skips nor repeats, that is both ends
//! converted. Where it skips, a time inside the skip is the instant of the skip. Where it repeats,
//! a start is its first reading and an end its last; only an end on the very first minute of the
//! repeated time is reached, and over, the first time.

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone},
};

const NANOSECOND: SignedDuration = SignedDuration::from_nanos(1);

/// A span of UTC instants `[start, end)`, never empty. An end of [`Timestamp::MAX`] means "for good".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl Span {
    pub(super) fn new(start: Timestamp, end: Timestamp) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// Whether `at` (UTC) lies in it.
    pub fn contains(self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

/// The instants at which the clock of `zone` reads inside the local span `[start, end)`, from the
/// first to the last; `None` where it never does.
pub fn span(zone: &TimeZone, start: DateTime, end: DateTime) -> Option<Span> {
    if start >= end {
        return None;
    }
    Span::new(first_from(zone, start), last_before(zone, end))
}

/// The first instant at which the clock of `zone` reads `local` or later.
pub fn first_from(zone: &TimeZone, local: DateTime) -> Timestamp {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => instant(offset, local),
        AmbiguousOffset::Gap { before, .. } => skip(zone, instant(before, local)),
        AmbiguousOffset::Fold { before, .. } => instant(before, local),
    }
}

/// The instant up to which the clock reads earlier than `local`, for the last time.
pub(super) fn last_before(zone: &TimeZone, local: DateTime) -> Timestamp {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => instant(offset, local),
        AmbiguousOffset::Gap { before, .. } => skip(zone, instant(before, local)),
        AmbiguousOffset::Fold { before, after } => {
            let second = instant(after, local);
            let repeat_begins_here = second
                .checked_sub(NANOSECOND)
                .is_ok_and(|just| zone.to_offset(just) == before);
            if repeat_begins_here {
                instant(before, local)
            } else {
                second
            }
        }
    }
}

/// `local` at a fixed offset; what lies outside the calendar's years is its edge.
fn instant(offset: Offset, local: DateTime) -> Timestamp {
    offset.to_timestamp(local).unwrap_or(if local.year() > 0 {
        Timestamp::MAX
    } else {
        Timestamp::MIN
    })
}

/// The last skip at or before `at`: data also list changes that move no clock (a name, a flag).
fn skip(zone: &TimeZone, at: Timestamp) -> Timestamp {
    let after = at.checked_add(NANOSECOND).unwrap_or(at);
    zone.preceding(after)
        .find(|change| {
            let just = change.timestamp().checked_sub(NANOSECOND);
            just.is_ok_and(|just| zone.to_offset(just) < change.offset())
        })
        .map_or(at, |change| change.timestamp())
}
