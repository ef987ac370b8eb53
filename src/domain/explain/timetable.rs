//! An agent's written hours, asked about single instants: which slot or exception decided, which slot a
//! boundary comes from, and where a boundary went that the weekly slots would have.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, civil::DateTime, tz::TimeZone};

use super::Transition;
use crate::domain::{
    hours::{Away, Boundary, BoundaryKind, DaySlot, OperatingHours, Override, Span, local_span},
    lead::{self, Ahead, Lead},
    plan::{ByHand, Schedule},
    zone::Zones,
};

pub(super) const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Boundaries further back are not meant.
const REACH: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A schedule in its zone, the zone's rules at hand.
#[derive(Debug)]
pub struct Timetable<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) zone: TimeZone,
    pub(super) hours: OperatingHours,
}

/// What decides whether an agent is on duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule<'a> {
    /// The last status set by hand, and when (UTC) it is over.
    ByHand(ByHand, Option<Timestamp>),
    /// A span off duty.
    Away(Away),
    /// A slot of the week, or of an override.
    Slot(Written),
    /// An override without a slot that holds the instant.
    Override(&'a Override),
    /// The workspace's holiday.
    Holiday(Date),
    /// The weekly slots of this date, none of which holds the instant.
    NoSlot(Date),
}

/// What replaces the weekly slots of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exception<'a> {
    /// The agent's own slots.
    Override(&'a Override),
    /// The workspace's holiday: none.
    Holiday,
}

/// A slot on the local date on which it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) date: Date,
    pub(super) slot: DaySlot,
    /// An override's, and not the week's.
    pub(super) own: bool,
}

/// A slot on its date, and the instants it stands for; none where the clock skips it wholly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occurrence {
    pub(super) written: Written,
    pub(super) span: Option<Span>,
}

impl Occurrence {
    /// Its ends: as written in local time, and the instant it comes to.
    pub(super) fn edges(&self) -> [(BoundaryKind, DateTime, Option<Timestamp>); 2] {
        let (start, end) = self.written.slot.on(self.written.date);
        let instant = |edge: fn(Span) -> Timestamp| self.span.map(edge);
        [
            (BoundaryKind::Start, start, instant(|span| span.start)),
            (BoundaryKind::End, end, instant(|span| span.end)),
        ]
    }
}

/// What makes a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// An end of this slot.
    Slot(Written),
    /// An end of this absence.
    Away(Away),
}

impl<'a> Timetable<'a> {
    /// The timetable of a schedule; `Err` says that the zone is unknown.
    pub fn new(schedule: &'a Schedule, zones: &Zones) -> Result<Self, String> {
        let zone = zones
            .get(&schedule.timezone)
            .map_err(|unknown| format!("agents.timezone: {unknown}"))?;
        let hours = compiled(
            &zone,
            schedule,
            &schedule.overrides,
            &schedule.holidays,
            &schedule.away,
        );
        Ok(Self {
            schedule,
            zone,
            hours,
        })
    }

    /// The hours, for questions about boundaries.
    pub fn hours(&self) -> &OperatingHours {
        &self.hours
    }

    /// The last boundary before `until` (UTC), within a year.
    pub fn last_before(&self, until: Timestamp) -> Option<Boundary> {
        let last = until.checked_sub(SignedDuration::from_nanos(1)).ok()?;
        let from = last.checked_sub(REACH).unwrap_or(Timestamp::MIN);
        self.hours.last_boundary(last, from)
    }

    /// The leads that came since that boundary, or within a year, before `until` (UTC).
    pub fn leads_before(&self, until: Timestamp) -> Vec<Ahead> {
        let last = self.last_before(until).map(|boundary| boundary.at);
        let year = || until.checked_sub(REACH).unwrap_or(Timestamp::MIN);
        let from = last.unwrap_or_else(year);
        lead::between(&self.schedule.leads, &self.hours, from, until)
    }

    /// Which lead comes at `at` (UTC) and announces hours that start at `start` (UTC).
    pub(super) fn lead(&self, at: Timestamp, start: Timestamp) -> Option<Lead> {
        let mut leads = self.schedule.leads.iter().copied();
        leads.find(|lead| lead.announces(&self.hours, start) == Some(at))
    }

    /// Whether an agent whom `change` sent off for want of a reply is so still at `at` (UTC): hours have
    /// neither ended nor started since, and nobody has set a status by hand.
    pub(super) fn still_off(&self, change: &Transition, at: Timestamp) -> bool {
        let since = change.effective_at;
        let next = self.hours.next_boundary(since);
        let by_hand = self.schedule.by_hand.map(|set| set.set_at);
        next.is_none_or(|next| at < next.at)
            && by_hand.is_none_or(|set_at| set_at <= since || at < set_at)
    }

    /// The rule that decides at `at` (UTC) for an agent who was `sent_off` last then (UTC) for want of a
    /// reply, which ends what was set by hand before.
    pub(super) fn rule(&self, at: Timestamp, sent_off: Option<Timestamp>) -> Rule<'a> {
        let holds = |set: &ByHand, over: Option<Timestamp>| {
            sent_off < Some(set.set_at) && set.set_at <= at && over.is_none_or(|over| at < over)
        };
        if let Some(set) = self.schedule.by_hand {
            let over = set.over_at(&self.hours);
            if holds(&set, over) {
                return Rule::ByHand(set, over);
            }
        }
        let away = |away: &&Away| self.absence(away).is_some_and(|span| span.contains(at));
        if let Some(away) = self.schedule.away.iter().find(away) {
            return Rule::Away(*away);
        }
        let holds = |occurrence: &Occurrence| occurrence.span.is_some_and(|s| s.contains(at));
        if let Some(found) = self.occurrences(at).into_iter().find(holds) {
            return Rule::Slot(found.written);
        }
        let today = self.zone.to_datetime(at).date();
        match self.exception(today) {
            Some(Exception::Override(own)) => Rule::Override(own),
            Some(Exception::Holiday) => Rule::Holiday(today),
            None => Rule::NoSlot(today),
        }
    }

    /// What replaces the weekly slots of `date`.
    pub(super) fn exception(&self, date: Date) -> Option<Exception<'a>> {
        let own = self.schedule.overrides.iter().find(|own| own.date == date);
        let holiday = || self.schedule.holidays.contains(&date);
        own.map(Exception::Override)
            .or_else(|| holiday().then_some(Exception::Holiday))
    }

    /// The instants of an absence.
    pub(super) fn absence(&self, away: &Away) -> Option<Span> {
        local_span(&self.zone, away.from, away.until)
    }

    /// Slots on the dates around `at` (UTC), exceptions in place of the week's.
    pub(super) fn occurrences(&self, at: Timestamp) -> Vec<Occurrence> {
        let mut found = Vec::new();
        for date in dates(&self.zone, at) {
            match self.exception(date) {
                None => found.extend(self.weekly(date)),
                Some(Exception::Holiday) => {}
                Some(Exception::Override(own)) => {
                    let slots = own.slots.iter();
                    found.extend(slots.map(|slot| self.occurrence(date, *slot, true)));
                }
            }
        }
        found
    }

    /// The week's slots on `date`, whatever replaces them.
    pub(super) fn weekly(&self, date: Date) -> impl Iterator<Item = Occurrence> {
        let slots = self.schedule.slots.iter();
        slots
            .filter(move |slot| slot.day == date.weekday())
            .map(move |slot| self.occurrence(date, slot.times(), false))
    }

    fn occurrence(&self, date: Date, slot: DaySlot, own: bool) -> Occurrence {
        let (start, end) = slot.on(date);
        Occurrence {
            written: Written { date, slot, own },
            span: local_span(&self.zone, start, end),
        }
    }

    /// What makes the boundary at `at` (UTC); `None` where the hours have none there.
    pub(super) fn origin(&self, kind: BoundaryKind, at: Timestamp) -> Option<Origin> {
        let slots = self.occurrences(at).into_iter().find(|occurrence| {
            let edges = occurrence.edges();
            edges
                .iter()
                .any(|edge| edge.0 == kind && edge.2 == Some(at))
        });
        let absent = self.schedule.away.iter().find(|away| {
            let span = self.absence(away);
            span.is_some_and(|span| match kind {
                BoundaryKind::Start => span.end == at,
                BoundaryKind::End => span.start == at,
            })
        });
        slots
            .map(|found| Origin::Slot(found.written))
            .or_else(|| absent.map(|away| Origin::Away(*away)))
    }

    /// Whether duty starts or ends then (UTC).
    pub(super) fn has(&self, kind: BoundaryKind, at: Timestamp) -> bool {
        let just = SignedDuration::from_millis(1);
        let end = at.saturating_add(just).unwrap_or(Timestamp::MAX);
        let then = self.hours.boundaries(at, end);
        then.iter().any(|boundary| boundary.kind == kind)
    }

    /// The same slots without the absences.
    pub(super) fn present(&self) -> OperatingHours {
        let Schedule {
            overrides,
            holidays,
            ..
        } = self.schedule;
        compiled(&self.zone, self.schedule, overrides, holidays, &[])
    }
}

/// The local dates whose slots may reach the instant, or its neighbourhood over a change of the clock.
pub(super) fn dates(zone: &TimeZone, at: Timestamp) -> impl Iterator<Item = Date> {
    let today = zone.to_datetime(at).date();
    (-2..=1).map(move |days: i32| today.saturating_add(days.days()))
}

fn compiled(
    zone: &TimeZone,
    schedule: &Schedule,
    overrides: &[Override],
    holidays: &[Date],
    away: &[Away],
) -> OperatingHours {
    OperatingHours::new(zone.clone(), &schedule.slots, overrides, holidays, away)
}
