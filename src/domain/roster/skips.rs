//! Warnings of slots that touch an hour the clock will skip within a year.

use std::collections::HashMap;

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::fields::Findings;
use crate::domain::{
    agent::Agent,
    clock_changes::{ClockChange, clock_changes},
    hours::DaySlot,
};

const AHEAD: SignedDuration = SignedDuration::from_hours(366 * 24);

/// The skips to come, worked out once a zone.
pub(super) struct Skips {
    now: Timestamp,
    known: HashMap<String, Vec<ClockChange>>,
}

impl Skips {
    /// Those within a year after `now` (UTC).
    pub(super) fn within_a_year(now: Timestamp) -> Self {
        Self {
            now,
            known: HashMap::new(),
        }
    }

    /// Warns of each slot of `agent` that starts, ends or lies inside a skip.
    pub(super) fn warn(&mut self, agent: &Agent, zone: &TimeZone, findings: &mut Findings) {
        if !self.known.contains_key(&agent.timezone) {
            self.known
                .insert(agent.timezone.clone(), skips_of(zone, self.now));
        }
        for skip in self.known.get(&agent.timezone).into_iter().flatten() {
            let mut date = skip.from.date().saturating_sub(1.day());
            while date <= skip.to.date() {
                warn_on(agent, *skip, date, findings);
                let Ok(next) = date.tomorrow() else { return };
                date = next;
            }
        }
    }
}

fn warn_on(agent: &Agent, skip: ClockChange, date: Date, findings: &mut Findings) {
    let own = agent.overrides.iter().position(|own| own.date == date);
    if let Some(index) = own {
        for (slot, times) in agent.overrides[index].slots.iter().enumerate() {
            let path = format_args!("overrides[{index}].slots[{slot}]");
            warn_of(*times, skip, date, path, findings);
        }
        return;
    }
    for (index, slot) in agent.hours.iter().enumerate() {
        if slot.day == date.weekday() {
            warn_of(
                slot.times(),
                skip,
                date,
                format_args!("hours[{index}]"),
                findings,
            );
        }
    }
}

fn warn_of(
    slot: DaySlot,
    skip: ClockChange,
    date: Date,
    path: std::fmt::Arguments<'_>,
    findings: &mut Findings,
) {
    let (start, end) = slot.on(date);
    let inside = |at: DateTime| skip.from <= at && at < skip.to;
    let what = if inside(start) && end <= skip.to {
        "it does not happen that day"
    } else if inside(start) {
        "it starts when the clock has skipped"
    } else if inside(end) && end > skip.from {
        "it ends when the clock skips"
    } else {
        return;
    };
    let (from, until) = (skip.from.strftime("%H:%M"), skip.to.strftime("%H:%M"));
    findings.warn(
        path.to_string(),
        format!(
            "on {} the clock skips from {from} to {until}: {what}",
            skip.from.date()
        ),
    );
}

fn skips_of(zone: &TimeZone, now: Timestamp) -> Vec<ClockChange> {
    let until = now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
    let mut changes = clock_changes(zone, now, until);
    changes.retain(ClockChange::skips);
    changes
}
