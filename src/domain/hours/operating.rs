//! [`OperatingHours`]: what one agent's hours say, compiled for questions about instants.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Weekday},
    tz::TimeZone,
};

use super::{
    Boundary, BoundaryKind,
    boundaries::Boundaries,
    occurrences::Occurrences,
    wall::{self, Span},
    written::{Away, DaySlot, Override, Slot},
};

const WEEK_MINUTES: u32 = 7 * 24 * 60;

/// One agent's operating hours in one time zone.
#[derive(Debug, Clone)]
pub struct OperatingHours {
    pub(super) zone: TimeZone,
    /// The week's slots, Monday first, then those of the exceptions; each day's in order of start.
    slots: Vec<DaySlot>,
    /// Where each weekday's slots begin in `slots`, Monday first; the eighth is the week's end.
    week: [u32; 8],
    /// Dates with slots of their own, in order.
    pub(super) exceptions: Vec<Exception>,
    /// Joined and in order.
    pub(super) away: Vec<Span>,
    pub(super) pattern: Pattern,
}

/// A date on which the weekly slots do not count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exception {
    pub(super) date: Date,
    first: u32,
    end: u32,
}

/// What the weekly slots come to, exceptions apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// No slot at all.
    Empty,
    /// Slots that leave at least one minute of the week free.
    Weekly,
    /// Every minute of the week.
    RoundTheClock,
}

impl OperatingHours {
    /// Compiles hours. `holidays` are the workspace's; one on which the agent has an override of
    /// their own does not count. Slots may come in any order and overlap.
    pub fn new(
        zone: TimeZone,
        slots: &[Slot],
        overrides: &[Override],
        holidays: &[Date],
        away: &[Away],
    ) -> Self {
        let mut hours = Self {
            away: joined_away(&zone, away),
            zone,
            slots: Vec::with_capacity(slots.len()),
            week: [0; 8],
            exceptions: Vec::new(),
            pattern: Pattern::Empty,
        };
        hours.set_week(slots);
        hours.set_exceptions(overrides, holidays);
        hours
    }

    /// Whether the agent is on duty at `at` (UTC).
    pub fn on_duty_at(&self, at: Timestamp) -> bool {
        !self.away.iter().any(|away| away.contains(at))
            && Occurrences::around(self, at)
                .take_while(|span| span.start <= at)
                .any(|span| at < span.end)
    }

    /// The first boundary strictly after `after` (UTC); `None` round the clock, or where the hours
    /// hold nothing more.
    pub fn next_boundary(&self, after: Timestamp) -> Option<Boundary> {
        Boundaries::after(self, after).next()
    }

    /// The boundaries with `from <= at < until` (UTC), in order.
    pub fn boundaries(&self, from: Timestamp, until: Timestamp) -> Vec<Boundary> {
        let after = from
            .checked_sub(SignedDuration::from_nanos(1))
            .unwrap_or(from);
        Boundaries::after(self, after)
            .take_while(|boundary| boundary.at < until)
            .collect()
    }

    /// When (UTC) duty starts after `after` (UTC), in order. May be endless.
    pub fn starts_after(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        Boundaries::after(self, after)
            .filter(|boundary| boundary.kind == BoundaryKind::Start)
            .map(|boundary| boundary.at)
    }

    /// The clock that these hours are read by.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The newest boundary with `not_before <= at <= at_or_before` (UTC).
    pub fn last_boundary(
        &self,
        at_or_before: Timestamp,
        not_before: Timestamp,
    ) -> Option<Boundary> {
        let mut reach = SignedDuration::from_hours(4 * 24);
        loop {
            let from = at_or_before
                .checked_sub(reach)
                .map_or(not_before, |from| from.max(not_before));
            let until = at_or_before
                .checked_add(SignedDuration::from_nanos(1))
                .ok()?;
            let last = self.boundaries(from, until).pop();
            if last.is_some() || from <= not_before {
                return last;
            }
            reach = reach.saturating_mul(4);
        }
    }

    pub(super) fn on_weekday(&self, day: Weekday) -> &[DaySlot] {
        let day = day.to_monday_zero_offset() as usize;
        &self.slots[self.week[day] as usize..self.week[day + 1] as usize]
    }

    pub(super) fn on_exception(&self, exception: Exception) -> &[DaySlot] {
        &self.slots[exception.first as usize..exception.end as usize]
    }

    fn set_week(&mut self, slots: &[Slot]) {
        for day in 0..7 {
            let today = slots
                .iter()
                .filter(|slot| slot.day.to_monday_zero_offset() == day);
            self.week[day as usize + 1] = self.push_day(today.map(|slot| slot.times()));
        }
        self.pattern = self.week_pattern();
    }

    fn set_exceptions(&mut self, overrides: &[Override], holidays: &[Date]) {
        if overrides.is_empty() && holidays.is_empty() {
            return;
        }
        let own = overrides.iter().map(|own| (own.date, own.slots.as_slice()));
        let off = holidays.iter().map(|date| (*date, &[][..]));
        let mut dates: Vec<(Date, &[DaySlot])> = own.chain(off).collect();
        // Stable: an agent's own override comes before the workspace's holiday.
        dates.sort_by_key(|(date, _)| *date);
        dates.dedup_by_key(|(date, _)| *date);
        for (date, slots) in dates {
            let first = self.slots.len() as u32;
            let end = self.push_day(slots.iter().copied());
            self.exceptions.push(Exception { date, first, end });
        }
    }

    fn push_day(&mut self, slots: impl Iterator<Item = DaySlot>) -> u32 {
        let first = self.slots.len();
        self.slots
            .extend(slots.filter(|slot| slot.start != slot.end));
        self.slots[first..].sort_unstable();
        self.slots.len() as u32
    }

    /// Goes once round the week, beginning with what Sunday's slots reach into Monday.
    fn week_pattern(&self) -> Pattern {
        if self.slots.is_empty() {
            return Pattern::Empty;
        }
        let sunday = self.on_weekday(Weekday::Sunday).iter();
        let spill = sunday
            .map(|slot| u32::from(slot.end_minutes()).saturating_sub(24 * 60))
            .max();
        let mut covered = spill.unwrap_or(0);
        for (midnight, days) in (0..).step_by(24 * 60).zip(self.week.windows(2)) {
            for slot in &self.slots[days[0] as usize..days[1] as usize] {
                if midnight + u32::from(slot.start.minutes()) > covered {
                    return Pattern::Weekly;
                }
                covered = covered.max(midnight + u32::from(slot.end_minutes()));
            }
        }
        if covered >= WEEK_MINUTES {
            Pattern::RoundTheClock
        } else {
            Pattern::Weekly
        }
    }
}

fn joined_away(zone: &TimeZone, away: &[Away]) -> Vec<Span> {
    let mut spans: Vec<Span> = away
        .iter()
        .filter_map(|away| wall::span(zone, away.from, away.until))
        .collect();
    spans.sort_unstable();
    spans.dedup_by(|next, joined| {
        let joins = next.start <= joined.end;
        if joins {
            joined.end = joined.end.max(next.end);
        }
        joins
    });
    spans
}
