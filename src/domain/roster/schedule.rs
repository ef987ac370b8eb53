//! A line's `hours`, `overrides` and `away`.

use std::collections::HashSet;

use super::{
    fields::{Fields, Findings},
    json::Json,
};
use crate::domain::hours::{
    Away, DaySlot, LocalTime, Override, Slot, date_from, day_from_word, local_minute_from,
};

const MINUTES_A_DAY: u32 = 24 * 60;

/// Reads `hours`.
pub(super) fn weekly(list: Vec<Json>, findings: &mut Findings) -> Vec<Slot> {
    let read = |(index, value)| slot(value, &format!("hours[{index}]"), findings);
    let slots: Vec<Slot> = list.into_iter().enumerate().filter_map(read).collect();
    let spans = slots.iter().map(|slot| {
        let midnight = slot.day.to_monday_zero_offset() as u32 * MINUTES_A_DAY;
        span(midnight, slot.times())
    });
    let spans: Vec<_> = spans.collect();
    warn_of_overlaps(&spans, Some(7 * MINUTES_A_DAY), "hours", findings);
    slots
}

/// Reads `overrides`.
pub(super) fn overrides(list: Vec<Json>, findings: &mut Findings) -> Vec<Override> {
    let mut dates = HashSet::new();
    let mut overrides = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        let path = format!("overrides[{index}]");
        let Some(mut fields) = Fields::of(value, &path, &["date", "slots"], findings) else {
            continue;
        };
        let date = fields.parsed(
            "date",
            "a date of the calendar, YYYY-MM-DD",
            findings,
            date_from,
        );
        let slots_path = fields.path_to("slots");
        let faults = findings.faults.len();
        let slots = fields.list("slots", findings);
        if slots.is_none() && findings.faults.len() == faults {
            findings.refuse(&slots_path, "is missing: write [] for a day off");
        }
        let slots = day_slots(slots.unwrap_or_default(), &slots_path, findings);
        let Some(date) = date else { continue };
        if !dates.insert(date) {
            let reason = format!("{date} has an override before: put all its slots into one");
            findings.refuse(fields.path_to("date"), reason);
        }
        overrides.push(Override { date, slots });
    }
    overrides
}

/// Reads `away`.
pub(super) fn away(list: Vec<Json>, findings: &mut Findings) -> Vec<Away> {
    const EXPECTED: &str = "a local date and time, YYYY-MM-DDTHH:MM";
    let mut spans = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        let path = format!("away[{index}]");
        let Some(mut fields) = Fields::of(value, &path, &["from", "until"], findings) else {
            continue;
        };
        let from = fields.parsed("from", EXPECTED, findings, local_minute_from);
        let until = fields.parsed("until", EXPECTED, findings, local_minute_from);
        let (Some(from), Some(until)) = (from, until) else {
            continue;
        };
        if until <= from {
            findings.refuse(fields.path_to("until"), "must be later than from");
        }
        spans.push(Away { from, until });
    }
    spans
}

fn slot(value: Json, path: &str, findings: &mut Findings) -> Option<Slot> {
    const EXPECTED: &str = "a weekday: write mon, tue, wed, thu, fri, sat or sun";
    let mut fields = Fields::of(value, path, &["day", "start", "end"], findings)?;
    let day = fields.parsed("day", EXPECTED, findings, day_from_word);
    let DaySlot { start, end } = times(&mut fields, findings)?;
    Some(Slot {
        day: day?,
        start,
        end,
    })
}

fn day_slots(list: Vec<Json>, path: &str, findings: &mut Findings) -> Vec<DaySlot> {
    let mut slots = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        if let Some(mut fields) = Fields::of(value, &path, &["start", "end"], findings) {
            slots.extend(times(&mut fields, findings));
        }
    }
    let spans: Vec<_> = slots.iter().map(|slot| span(0, *slot)).collect();
    warn_of_overlaps(&spans, None, path, findings);
    slots
}

fn times(fields: &mut Fields, findings: &mut Findings) -> Option<DaySlot> {
    const EXPECTED: &str = "a time of day: write HH:MM, 00:00 to 23:59 (an end may be 24:00)";
    let start = fields.parsed("start", EXPECTED, findings, |text| {
        text.parse()
            .ok()
            .filter(|start| *start < LocalTime::END_OF_DAY)
    });
    let end = fields.parsed("end", EXPECTED, findings, |text| text.parse().ok());
    let (start, end) = (start?, end?);
    if start == end {
        let reason = format!("{end} is also the start: for the whole day write 00:00 to 24:00");
        findings.refuse(fields.path_to("end"), reason);
        return None;
    }
    Some(DaySlot { start, end })
}

/// A slot in minutes from `midnight`, its start and end.
fn span(midnight: u32, slot: DaySlot) -> (u32, u32) {
    let start = midnight + u32::from(slot.start.minutes());
    let next_day = if slot.is_overnight() {
        MINUTES_A_DAY
    } else {
        0
    };
    (start, midnight + u32::from(slot.end.minutes()) + next_day)
}

/// Warns of the spans that begin before an earlier one is over; `week`, in minutes, is where
/// the end of the list meets its start.
fn warn_of_overlaps(spans: &[(u32, u32)], week: Option<u32>, path: &str, findings: &mut Findings) {
    let mut order: Vec<(u32, u32, usize)> = spans
        .iter()
        .enumerate()
        .map(|(index, (start, end))| (*start, *end, index))
        .collect();
    order.sort_unstable();
    let spill = |week| {
        let last = order.iter().max_by_key(|(_, end, _)| *end)?;
        (last.1 > week).then(|| (last.1 - week, last.2))
    };
    let mut reach: Option<(u32, usize)> = week.and_then(spill);
    for (start, end, index) in order {
        if let Some((until, other)) =
            reach.filter(|(until, other)| start < *until && *other != index)
        {
            findings.warn(
                format!("{path}[{index}]"),
                format!("overlaps {path}[{other}]: the two count as one"),
            );
            reach = Some((until.max(end), if end > until { index } else { other }));
        } else {
            reach = Some((end, index));
        }
    }
}
