//! What a question is about. A person types the minute at which the phone should have rung, so what
//! happened within that minute is meant, else what happened last before it. Where the weekly slots would
//! have had a boundary just then, and something took it away or moved it, that is the answer.

use jiff::{Timestamp, civil::Date, civil::DateTime, tz::AmbiguousOffset};

use super::{
    Facts,
    timetable::{Exception, MINUTE, Occurrence, Timetable, dates},
};
use crate::domain::{
    hours::{Away, BoundaryKind, Override},
    presence::Reason,
};

/// Something a phone may ring for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occasion {
    /// What happened.
    pub reason: Reason,
    /// When, UTC.
    pub at: Timestamp,
}

/// What a question is about.
#[derive(Debug)]
pub struct Meant<'a> {
    /// What the phone was to ring for.
    pub occasion: Option<Occasion>,
    /// Why nothing happened at the minute itself, where something was to be expected.
    pub(super) absent: Option<Absent<'a>>,
}

/// What became of a boundary that was to be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent<'a> {
    /// The agent is away.
    Away(Away),
    /// Two slots touch there.
    Joined,
    /// An override replaces the slot.
    Override(&'a Override),
    /// A holiday takes the slot away.
    Holiday(Date),
    /// The clock skips that local time, or shows it twice, and the boundary comes at another instant
    /// (UTC), or never.
    Clock {
        /// Start or end.
        kind: BoundaryKind,
        /// As written.
        local: DateTime,
        /// Skipped, and not shown twice.
        skipped: bool,
        /// When it came.
        came: Option<Timestamp>,
    },
}

/// Whether phones ring for a change of this kind.
pub(super) fn rings(reason: Reason) -> bool {
    match reason {
        Reason::HoursStart | Reason::HoursEnd | Reason::NoReply | Reason::Overflow => true,
        Reason::Manual | Reason::Sync => false,
    }
}

/// The boundary of a reason, where it is one's.
pub(super) fn boundary_of(reason: Reason) -> Option<BoundaryKind> {
    match reason {
        Reason::HoursStart => Some(BoundaryKind::Start),
        Reason::HoursEnd => Some(BoundaryKind::End),
        _ => None,
    }
}

/// The minute that holds `at`, `[from, until)`, UTC.
pub fn minute(at: Timestamp) -> (Timestamp, Timestamp) {
    let seconds = at.as_second();
    let from = Timestamp::from_second(seconds - seconds.rem_euclid(60)).unwrap_or(at);
    (from, from.saturating_add(MINUTE).unwrap_or(Timestamp::MAX))
}

/// What `facts.at` is about.
pub fn meant<'a>(facts: &Facts, timetable: Option<&Timetable<'a>>) -> Meant<'a> {
    let (from, until) = minute(facts.at);
    let planned = timetable.and_then(|timetable| timetable.last_before(until));
    let planned = planned.map(|boundary| Occasion {
        reason: boundary.kind.into(),
        at: boundary.at,
    });
    let known = planned.into_iter().chain(recorded(facts));
    let known: Vec<Occasion> = known.filter(|occasion| occasion.at < until).collect();
    let exact = known.iter().find(|occasion| occasion.at == facts.at);
    let found = exact.or_else(|| known.iter().max_by_key(|occasion| occasion.at));
    let here = found.is_some_and(|occasion| occasion.at >= from);
    let absent = timetable.filter(|_| !here).and_then(|t| absent(t, from));
    let occasion = match absent {
        None => found.copied(),
        Some(Absent::Clock {
            kind,
            came: Some(at),
            ..
        }) => Some(Occasion {
            reason: kind.into(),
            at,
        }),
        Some(_) => None,
    };
    Meant { occasion, absent }
}

/// What was recorded, whatever the hours are now.
fn recorded(facts: &Facts) -> impl Iterator<Item = Occasion> {
    let changes = facts.transitions.iter().filter_map(|transition| {
        if let Some((kind, at)) = transition.boundary {
            let reason = kind.into();
            return Some(Occasion { reason, at });
        }
        let reason = Reason::from_word(&transition.reason)?;
        let at = transition.effective_at;
        // That somebody is no longer asked rings nobody.
        let over = reason == Reason::Overflow && !transition.accepts_conversations;
        (rings(reason) && !over && boundary_of(reason).is_none()).then_some(Occasion { reason, at })
    });
    let alerts = facts.deliveries.iter().filter_map(|delivery| {
        let reason = Reason::from_word(&delivery.kind)?;
        let at = delivery.boundary?;
        Some(Occasion { reason, at })
    });
    changes.chain(alerts)
}

/// What became of a boundary that was to be expected in the minute from `from` (UTC) on.
fn absent<'a>(timetable: &Timetable<'a>, from: Timestamp) -> Option<Absent<'a>> {
    let until = from.saturating_add(MINUTE).unwrap_or(Timestamp::MAX);
    let within = |at: Option<Timestamp>| at.is_some_and(|at| from <= at && at < until);
    let here = |found: &Occurrence| found.edges().iter().any(|edge| within(edge.2));
    if !timetable.present().boundaries(from, until).is_empty() {
        let away = timetable.schedule.away.iter().find(|away| {
            let span = timetable.absence(away);
            span.is_some_and(|span| span.start < until && from <= span.end)
        });
        return away.map(|away| Absent::Away(*away));
    }
    if timetable.occurrences(from).iter().any(here) {
        return Some(Absent::Joined);
    }
    let replaced = dates(&timetable.zone, from).find_map(|date| {
        let absent = match timetable.exception(date)? {
            Exception::Override(own) => Absent::Override(own),
            Exception::Holiday => Absent::Holiday(date),
        };
        let mut weekly = timetable.weekly(date);
        weekly.any(|found| here(&found)).then_some(absent)
    });
    replaced.or_else(|| moved(timetable, from))
}

/// A boundary whose written local time, read before or after a change of the clock, is this minute.
fn moved<'a>(timetable: &Timetable<'a>, from: Timestamp) -> Option<Absent<'a>> {
    let edges = timetable.occurrences(from).into_iter();
    edges
        .flat_map(|occurrence| occurrence.edges())
        .find_map(|(kind, local, came)| {
            let (skipped, readings) = match timetable.zone.to_ambiguous_timestamp(local).offset() {
                AmbiguousOffset::Unambiguous { .. } => return None,
                AmbiguousOffset::Gap { before, after } => (true, [before, after]),
                AmbiguousOffset::Fold { before, after } => (false, [before, after]),
            };
            let meant = |offset: &jiff::tz::Offset| offset.to_timestamp(local).ok() == Some(from);
            let came = came.filter(|at| timetable.has(kind, *at));
            readings.iter().any(meant).then_some(Absent::Clock {
                kind,
                local,
                skipped,
                came,
            })
        })
}
