//! What a question is about. A person types the minute at which the phone should have rung, so what
//! happened within that minute is meant, else what happened last before it. Where the weekly slots would
//! have had a boundary just then, and something took it away or moved it, that is the answer.

use jiff::{Timestamp, civil::Date, civil::DateTime, tz::AmbiguousOffset};

use super::{
    Facts,
    timetable::{Exception, MINUTE, Occurrence, Timetable, dates},
};
use crate::domain::{
    delivery::AlertKind,
    hours::{Away, BoundaryKind, Override},
    presence::Reason,
};

/// Something a phone may ring for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occasion {
    /// What is told of it.
    pub kind: AlertKind,
    /// When it came, UTC.
    pub at: Timestamp,
    /// The instant that is told of, UTC: for a lead the start of hours, for all else when it came.
    pub about: Timestamp,
}

impl Occasion {
    /// What is told when it comes.
    fn of(kind: AlertKind, at: Timestamp) -> Self {
        Self {
            kind,
            at,
            about: at,
        }
    }

    /// Start or end of hours.
    fn of_boundary(kind: BoundaryKind, at: Timestamp) -> Self {
        let kind = match kind {
            BoundaryKind::Start => AlertKind::HoursStart,
            BoundaryKind::End => AlertKind::HoursEnd,
        };
        Self::of(kind, at)
    }

    /// A lead that came at `at` (UTC) and announced hours that start at `start` (UTC).
    fn ahead(at: Timestamp, start: Timestamp) -> Self {
        Self {
            kind: AlertKind::HoursStartLead,
            at,
            about: start,
        }
    }
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

/// What is told of a change for this reason, if phones ring for it and no boundary does.
fn told_of(reason: Reason) -> Option<AlertKind> {
    match reason {
        Reason::NoReply => Some(AlertKind::NoReply),
        Reason::Overflow => Some(AlertKind::Overflow),
        Reason::HoursStart | Reason::HoursEnd | Reason::Manual | Reason::Sync => None,
    }
}

/// The boundary that an alert tells when it comes, if it does.
pub(super) fn boundary_of(kind: AlertKind) -> Option<BoundaryKind> {
    match kind {
        AlertKind::HoursStart => Some(BoundaryKind::Start),
        AlertKind::HoursEnd => Some(BoundaryKind::End),
        _ => None,
    }
}

/// Whether a worker knows by the clock that it came, and from nobody else.
pub(super) fn by_the_clock(kind: AlertKind) -> bool {
    kind == AlertKind::HoursStartLead || boundary_of(kind).is_some()
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
    let planned = planned.map(|boundary| Occasion::of_boundary(boundary.kind, boundary.at));
    let leads = timetable.map_or_else(Vec::new, |timetable| timetable.leads_before(until));
    let leads = leads
        .iter()
        .map(|lead| Occasion::ahead(lead.at, lead.start));
    let known = planned.into_iter().chain(leads).chain(recorded(facts));
    let known = known.filter(|occasion| occasion.at < until);
    let nearest = |occasion: &Occasion| {
        // Of what came at one instant, the boundary is meant, and a lead least of all.
        let boundary = boundary_of(occasion.kind).is_some();
        let lead = occasion.kind == AlertKind::HoursStartLead;
        (occasion.at == facts.at, occasion.at, boundary, !lead)
    };
    let found = known.max_by_key(nearest);
    let here = found.is_some_and(|occasion| occasion.at >= from);
    let absent = timetable.filter(|_| !here).and_then(|t| absent(t, from));
    let occasion = match absent {
        None => found,
        Some(Absent::Clock {
            kind,
            came: Some(at),
            ..
        }) => Some(Occasion::of_boundary(kind, at)),
        Some(_) => None,
    };
    Meant { occasion, absent }
}

/// What was recorded, whatever the hours are now.
fn recorded(facts: &Facts) -> impl Iterator<Item = Occasion> {
    let changes = facts.transitions.iter().filter_map(|transition| {
        if let Some((kind, at)) = transition.boundary {
            return Some(Occasion::of_boundary(kind, at));
        }
        let at = transition.effective_at;
        if let Some(start) = transition.announces {
            return Some(Occasion::ahead(at, start));
        }
        let reason = Reason::from_word(&transition.reason)?;
        // That somebody is no longer asked rings nobody.
        let over = reason == Reason::Overflow && !transition.accepts_conversations;
        let kind = told_of(reason).filter(|_| !over)?;
        Some(Occasion::of(kind, at))
    });
    let alerts = facts.deliveries.iter().filter_map(|delivery| {
        let kind = AlertKind::from_word(&delivery.kind)?;
        // When a lead came, its transition tells.
        let told = kind != AlertKind::HoursStartLead;
        let at = delivery.boundary.filter(|_| told)?;
        Some(Occasion::of(kind, at))
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
