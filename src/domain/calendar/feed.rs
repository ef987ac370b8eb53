//! An agent's shifts as a calendar that others subscribe to.
//!
//! What it says is a function of the hours and of the day (UTC) on which it is asked for: who asks again
//! that day is told that nothing changed. A shift keeps its id for as long as it starts when it does.
//! `tests/calendar.rs` reads it back, and `tests/third_party.rs` has another parser do so.

use icalendar::{Calendar, Component, Event, Parameter, Property};
use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    agent::Agent,
    alert,
    hours::{BoundaryKind, OperatingHours},
};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const BEHIND: i32 = 7;
const AHEAD: i32 = 56;

/// The shifts of `agent`, whose hours are `hours`, from 7 days before `now` (UTC) to 8 weeks after it;
/// one that is under way at either end is told whole.
pub fn feed(agent: &Agent, hours: &OperatingHours, now: Timestamp) -> String {
    let seconds = now.as_second();
    let today = Timestamp::from_second(seconds - seconds.rem_euclid(DAY.as_secs())).unwrap_or(now);
    let far = |days: i32| today.saturating_add(DAY * days).unwrap_or(today);
    let title = alert::shift_title(agent.locale.as_deref().unwrap_or("en"));
    let mut calendar = Calendar::empty();
    let hourly = Property::new("REFRESH-INTERVAL", "PT1H")
        .append_parameter(Parameter::new("VALUE", "DURATION"))
        .done();
    calendar
        .append_property(("VERSION", "2.0"))
        .append_property(("PRODID", "-//shiftbell//shifts//EN"))
        .append_property(("CALSCALE", "GREGORIAN"))
        .append_property(("X-WR-CALNAME", plain(&agent.name).as_str()))
        .append_property(hourly)
        .append_property(("X-PUBLISHED-TTL", "PT1H"));
    for (start, end) in shifts(hours, far(-BEHIND), far(AHEAD)) {
        let mut event = Event::new();
        event
            .uid(&format!("{}@shiftbell", alert::shift_id(&agent.id, start)))
            .summary(title)
            .add_property("DTSTAMP", utc(today))
            .add_property("DTSTART", utc(start))
            .add_property("DTEND", utc(end));
        calendar.push(event.done());
    }
    calendar.to_string()
}

/// Start and end (UTC) of the shifts that touch the span. One that never ends, ends with it.
fn shifts(
    hours: &OperatingHours,
    from: Timestamp,
    until: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let mut open = None;
    if hours.on_duty_at(from) {
        let year = from.checked_sub(DAY * 366).unwrap_or(from);
        open = hours.last_boundary(from, year).map(|boundary| boundary.at);
    }
    let mut shifts = Vec::new();
    let within = hours.boundaries(from, until).into_iter();
    for boundary in within.filter(|boundary| boundary.at > from) {
        match boundary.kind {
            BoundaryKind::Start => open = Some(boundary.at),
            BoundaryKind::End => shifts.extend(open.take().map(|start| (start, boundary.at))),
        }
    }
    if let Some(start) = open {
        let end = hours.next_boundary(until - SignedDuration::from_nanos(1));
        shifts.push((start, end.map_or(until, |end| end.at)));
    }
    shifts
}

/// `20260330T070000Z`
fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A name without what means something in a calendar, on one line.
fn plain(name: &str) -> String {
    let odd = |c: char| c.is_control() || matches!(c, '\\' | ',' | ';');
    name.chars()
        .take(200)
        .map(|c| if odd(c) { ' ' } else { c })
        .collect()
}
