//! Warnings of slots that touch an hour the clock will skip within a year.

use std::collections::HashMap;

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::fields::Findings;
use crate::domain::{agent::Agent, hours::DaySlot};

const AHEAD: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A span of local time that the clock never reads.
#[derive(Debug, Clone, Copy)]
struct Skip {
    from: DateTime,
    until: DateTime,
}

/// The skips to come, worked out once a zone.
pub(super) struct Skips {
    now: Timestamp,
    known: HashMap<String, Vec<Skip>>,
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
            while date <= skip.until.date() {
                warn_on(agent, *skip, date, findings);
                let Ok(next) = date.tomorrow() else { return };
                date = next;
            }
        }
    }
}

fn warn_on(agent: &Agent, skip: Skip, date: Date, findings: &mut Findings) {
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
    skip: Skip,
    date: Date,
    path: std::fmt::Arguments<'_>,
    findings: &mut Findings,
) {
    let (start, end) = slot.on(date);
    let inside = |at: DateTime| skip.from <= at && at < skip.until;
    let what = if inside(start) && end <= skip.until {
        "it does not happen that day"
    } else if inside(start) {
        "it starts when the clock has skipped"
    } else if inside(end) && end > skip.from {
        "it ends when the clock skips"
    } else {
        return;
    };
    let (from, until) = (skip.from.strftime("%H:%M"), skip.until.strftime("%H:%M"));
    findings.warn(
        path.to_string(),
        format!(
            "on {} the clock skips from {from} to {until}: {what}",
            skip.from.date()
        ),
    );
}

fn skips_of(zone: &TimeZone, now: Timestamp) -> Vec<Skip> {
    let until = now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
    let changes = zone
        .following(now)
        .take_while(|change| change.timestamp() < until);
    changes
        .filter_map(|change| {
            let at = change.timestamp();
            let just = at.checked_sub(SignedDuration::from_nanos(1)).ok()?;
            let (before, after) = (zone.to_offset(just), change.offset());
            (before < after).then(|| Skip {
                from: before.to_datetime(at),
                until: after.to_datetime(at),
            })
        })
        .collect()
}
