//! Calendars (iCalendar, RFC 5545): a workspace's holidays and an agent's away spans come out of files,
//! an agent's shifts go into a feed (`feed`).
//!
//! All or nothing: a file of which an event cannot be understood is refused, naming the line and the
//! event, for an absence that is silently lost rings a phone. Content lines are read by the
//! `icalendar` crate; which zone a time is in is decided by the time-zone data in use ([`Zones`]) and
//! nothing else, and so recurrences are worked out here (`recur`), over dates. Events that are cancelled
//! or free (`TRANSP:TRANSPARENT`) are left out and counted. `tests/calendar.rs` holds each case, and
//! `tests/fuzz` that no file brings it down.

mod event;
mod feed;
mod lines;
mod recur;
mod rule;
mod times;
mod windows;

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};

use self::{
    event::{Event, Standing},
    recur::Window,
    times::Key,
};
use super::{hours::Away, roster::Notices, zone::Zones};

pub use self::{feed::feed, lines::LARGEST};

/// The most days, and the most spans, that one file may give.
pub const MOST: usize = 5_000;

/// How a file is read.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The time-zone data in use.
    pub zones: &'a Zones,
    /// Recurrences are expanded from a year before this instant (UTC) to two years after it.
    pub now: Timestamp,
    /// Whether events marked as free count too.
    pub transparent: bool,
}

/// What a file holds.
#[derive(Debug)]
pub struct Found<T> {
    /// In order, each once.
    pub items: Vec<T>,
    /// How many events were left out: cancelled, free, or not of the kind that was asked for.
    pub left_out: usize,
    /// What was left out but may have been meant.
    pub warnings: Notices,
}

/// A file that cannot be used: each fault with its line, and the event it is in.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CalendarError(pub Notices);

/// The local dates of all-day events, each from its start to before its end.
///
/// # Errors
/// The file or an event in it cannot be read, or gives more than [`MOST`] dates.
pub fn holidays(file: &[u8], reading: Reading) -> Result<Found<Date>, CalendarError> {
    let mut dates = BTreeSet::new();
    let mut walked = 0;
    let found = each(file, reading, &TimeZone::UTC, &mut |event, start| {
        let Some(first) = start.date() else {
            return Err(NotTaken::Timed);
        };
        for date in first
            .series(1.day())
            .take_while(|d| *d < event.end_date(first))
        {
            dates.insert(date);
            walked += 1;
            if dates.len() > MOST || walked > 100 * MOST {
                return Err(NotTaken::Refused(too_many("days")));
            }
        }
        Ok(())
    })?;
    Ok(found.with(dates))
}

/// The spans of all events in `zone`, which is the agent's: times without a zone are the agent's own.
///
/// # Errors
/// The file or an event in it cannot be read, or gives more than [`MOST`] spans.
pub fn away(file: &[u8], zone: &TimeZone, reading: Reading) -> Result<Found<Away>, CalendarError> {
    let mut spans = BTreeSet::new();
    let found = each(file, reading, zone, &mut |event, start| {
        let (from, until) = match start.date() {
            Some(first) => (
                first.to_datetime(Time::midnight()),
                event.end_date(first).to_datetime(Time::midnight()),
            ),
            None => event.span(start, zone).map_err(NotTaken::Refused)?,
        };
        if from >= until {
            return Err(NotTaken::Empty);
        }
        spans.insert((from, until));
        if spans.len() > MOST {
            return Err(NotTaken::Refused(too_many("spans")));
        }
        Ok(())
    })?;
    Ok(found.with(spans.into_iter().map(|(from, until)| Away { from, until })))
}

fn too_many(what: &str) -> String {
    format!("with it the file gives more than {MOST} {what}: take a shorter part of the calendar")
}

impl Found<()> {
    fn with<T>(self, items: impl IntoIterator<Item = T>) -> Found<T> {
        Found {
            items: items.into_iter().collect(),
            left_out: self.left_out,
            warnings: self.warnings,
        }
    }
}

/// Why an occurrence came to nothing.
enum NotTaken {
    /// It has a time where a day is wanted.
    Timed,
    /// It is over as it begins.
    Empty,
    /// The file is refused for it.
    Refused(String),
}

/// Hands every occurrence of every event that counts to `take`.
fn each(
    file: &[u8],
    reading: Reading,
    home: &TimeZone,
    take: &mut dyn FnMut(&Event, &times::When) -> Result<(), NotTaken>,
) -> Result<Found<()>, CalendarError> {
    let mut faults = Notices::default();
    let mut found = Found::<()> {
        items: Vec::new(),
        left_out: 0,
        warnings: Notices::default(),
    };
    let raw = lines::events(file).map_err(|(line, reason)| {
        let mut notices = Notices::default();
        notices.push(line, String::new(), reason);
        CalendarError(notices)
    })?;
    let mut events = Vec::new();
    for raw in &raw {
        match Event::read(raw, reading.zones, reading.transparent) {
            Ok(event) => events.push(event),
            Err(fault) => faults.push(fault.line, raw.name(), fault.reason),
        }
    }
    if !faults.is_empty() {
        return Err(CalendarError(faults));
    }
    let replaced = replaced(&events);
    let mut window = Window::around(reading.now);
    for event in &events {
        if event.standing != Standing::Counts {
            found.left_out += 1;
            continue;
        }
        let none = HashSet::new();
        let except = event.uid.as_ref().and_then(|uid| replaced.get(uid));
        let except = except.filter(|_| event.replaces.is_none()).unwrap_or(&none);
        let taken = event
            .occurrences(&mut window, except, home)
            .map_err(NotTaken::Refused)
            .and_then(|starts| starts.iter().try_for_each(|start| take(event, start)));
        let left_out = match taken {
            Ok(()) => continue,
            Err(NotTaken::Refused(reason)) => {
                faults.push(event.line, event.name.clone(), reason);
                break;
            }
            Err(NotTaken::Timed) => "has times, and a holiday is a whole day: left out",
            Err(NotTaken::Empty) => "is over as it begins: left out",
        };
        found.left_out += 1;
        found
            .warnings
            .push(event.line, event.name.clone(), left_out.to_owned());
    }
    if faults.is_empty() {
        Ok(found)
    } else {
        Err(CalendarError(faults))
    }
}

/// Which occurrences of which series an event of their own stands for.
fn replaced(events: &[Event]) -> HashMap<String, HashSet<Key>> {
    let mut replaced: HashMap<String, HashSet<Key>> = HashMap::new();
    for event in events {
        if let (Some(uid), Some(when)) = (&event.uid, &event.replaces) {
            replaced.entry(uid.clone()).or_default().insert(when.key());
        }
    }
    replaced
}
